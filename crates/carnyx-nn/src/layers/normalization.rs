//! Features brought to mean 0 and variance 1, by statistics of the data.

use crate::{Config, Layer, Module, Zeros};
use carnyx_graph::{Array, DType, Dim, Element, Error, Result, Tensor, Variable, with_storage};

/// `(x - mean) / √variance` for each feature, with a mean and a variance that [`adapt`](Normalization::adapt)
/// measures in the training data: put it first, and the model takes the numbers as they are.
///
/// Mean, variance and the number of samples are saved with the model and never trained. As in Keras, a feature that
/// never varies is divided by 1e-7.
///
/// # Shape
/// `[batch, …, features]` to the same; see [`axes`](Normalization::axes) for other features than the last axis.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Dense, Normalization, Sequential, Apply};
/// let houses = Array::from([[120.0f32, 3.0], [80.0, 2.0], [40.0, 1.0]]);
/// let normalization = Normalization::new();
/// normalization.adapt(&houses)?;
/// assert_eq!(normalization.mean()?, Array::from([80.0f32, 2.0]));
///
/// let net = Sequential::new().then(normalization).then(Dense::new(1));
/// assert!(net.apply(&Tensor::from(&houses)).check().is_ok());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Normalization {
    axes: Vec<isize>,
    #[module(skip)]
    direction: Direction,
    /// Whether the statistics come from a file once the layer is in its model.
    is_stored: bool,
    mean: Variable,
    variance: Variable,
    count: Variable,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Forward,
    Inverse,
}

/// The least standard deviation that values are divided by.
const EPSILON: f64 = 1e-7;

impl Normalization {
    /// A layer that learns mean and variance of each feature (the last axis) from [`adapt`](Normalization::adapt).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// assert!(Normalization::new().mean().is_err()); // not adapted yet
    /// ```
    pub fn new() -> Normalization {
        Normalization {
            axes: vec![-1],
            direction: Direction::Forward,
            is_stored: false,
            mean: Variable::new(Zeros).untrained(),
            variance: Variable::new(Zeros).untrained(),
            count: Variable::with_dtype(Zeros, DType::I64).untrained(),
        }
    }

    /// A layer with a mean and a variance that are known: numbers, or arrays with one number per feature.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Apply, Normalization};
    /// let known = Normalization::of([0.5f32, 90.0], [2.0f32, 81.0]);
    /// assert!(known.apply(&Tensor::from(&Array::full([32, 2], 1f32))).check().is_ok());
    /// ```
    pub fn of(mean: impl Into<Array>, variance: impl Into<Array>) -> Normalization {
        let (mean, variance) = (mean.into().cast(DType::F32), variance.into().cast(DType::F32));
        let axes = (0..mean.shape().len() as isize).rev().map(|i| -1 - i).collect();
        Normalization {
            axes,
            mean: Variable::from(mean).untrained(),
            variance: Variable::from(variance).untrained(),
            count: Variable::from(Array::scalar(0i64)).untrained(),
            ..Normalization::new()
        }
    }

    /// A layer whose statistics are in a file; it takes its shape from the first tensor that it is applied to.
    pub(crate) fn stored(axes: Vec<isize>) -> Normalization {
        Normalization { axes, is_stored: true, ..Normalization::new() }
    }

    fn saved(&self) -> Config {
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        Config::new("Normalization")
            .field("axis", axes)
            .field("invert", matches!(self.direction, Direction::Inverse))
            .variable("mean", &self.mean)
            .variable("variance", &self.variance)
            .variable("count", &self.count)
    }

    /// The axes whose places have statistics of their own: `[-1]` at first, `[1, 2]` for each pixel of
    /// `[batch, height, width, channels]`, none (`[]`) for one mean and one variance of everything.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_nn::Normalization;
    /// let overall = Normalization::new().axes([]);
    /// overall.adapt(&Array::from([[0.0f32, 1.0], [2.0, 3.0]]))?;
    /// assert_eq!(overall.mean()?.item()?, 1.5);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Normalization {
        self.axes = axes.into();
        self
    }

    /// The way back: `x · √variance + mean`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let normalization = Normalization::new();
    /// normalization.adapt(&Array::from([[1f32], [3.0]]))?;
    /// let back = normalization.clone().inverse();
    /// # let _ = back;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn inverse(mut self) -> Normalization {
        self.direction = Direction::Inverse;
        self
    }

    /// The mean of each feature.
    ///
    /// # Errors
    /// `variable`, before [`adapt`](Normalization::adapt).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let normalization = Normalization::new();
    /// normalization.adapt(&Array::from([[1f32], [3.0]]))?;
    /// assert_eq!(normalization.mean()?.element(0), 2.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn mean(&self) -> Result<Array> {
        self.mean.value()
    }

    /// The variance of each feature.
    ///
    /// # Errors
    /// `variable`, before [`adapt`](Normalization::adapt).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let normalization = Normalization::new();
    /// normalization.adapt(&Array::from([[1f32], [3.0]]))?;
    /// assert_eq!(normalization.variance()?.element(0), 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn variance(&self) -> Result<Array> {
        self.variance.value()
    }

    /// Measures mean and variance of each feature in `data`, whose first axis is the samples.
    ///
    /// # Errors
    /// `data`, if there are no samples or a value is not finite; `shape`, if the data does not have the axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let normalization = Normalization::new();
    /// normalization.adapt(&Array::from([[1f32], [3.0]]))?;
    /// assert_eq!(normalization.mean()?.shape(), [1]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn adapt(&self, data: &Array) -> Result {
        if data.is_empty() || data.shape().is_empty() {
            return Err(Error::new(
                "data",
                format!("cannot measure a mean in data of shape {:?}", data.shape()),
            )
            .help("give at least one sample, along the first axis"));
        }
        let axes = self
            .features(data.shape().len())
            .ok_or_else(|| self.wrong_axes(&format!("{:?}", data.shape())))?;
        let shape: Vec<usize> = axes.iter().map(|&axis| data.shape()[axis]).collect();
        let places = places_in_row(data.shape(), &axes);
        let statistics =
            with_storage!(data.storage(), values => measure(values, &places, shape.iter().product()));
        let (mean, variance) = statistics.map_err(|(row, place)| {
            Error::new(
                "data",
                format!("cannot measure a mean: row {row}, column {place} is not a finite number"),
            )
            .label(format!("the data has shape {:?}", data.shape()))
            .help("fill in the missing values first, or drop the rows that lack them")
        })?;
        self.mean.assign(&Array::new(shape.clone(), mean)?)?;
        self.variance.assign(&Array::new(shape, variance)?)?;
        self.count.assign(&Array::scalar(data.num_rows() as i64))
    }

    /// The feature axes among `rank`, ascending; `None` if one is not there, twice there, or the batch.
    fn features(&self, rank: usize) -> Option<Vec<usize>> {
        let resolve = |&axis: &isize| {
            let axis = if axis < 0 { axis + rank as isize } else { axis };
            (1..rank as isize).contains(&axis).then_some(axis as usize)
        };
        let mut axes = self.axes.iter().map(resolve).collect::<Option<Vec<usize>>>()?;
        axes.sort_unstable();
        axes.windows(2).all(|pair| pair[0] != pair[1]).then_some(axes)
    }

    fn wrong_axes(&self, shape: &str) -> Error {
        Error::new(
            "shape",
            format!("`Normalization` has statistics along the axes {:?} and gets {shape}", self.axes),
        )
        .label("the first axis is the batch; the others can have statistics of their own")
        .help("give the data a last axis of features, or say `.axes([])` for one mean of everything")
    }

    /// Why this layer cannot work on `x`, or else the shape in which the statistics broadcast to it.
    fn broadcast_shape(&self, x: &Tensor) -> Result<Vec<usize>> {
        let shape = &x.facts()?.shape;
        let axes = self.features(shape.len()).ok_or_else(|| self.wrong_axes(&shape.to_string()))?;
        if self.is_stored && self.mean.shape().is_none() {
            let sizes: Vec<usize> = axes.iter().map(|&axis| x.dim(axis as isize)).collect();
            self.mean.shaped(sizes.clone()).check()?;
            self.variance.shaped(sizes).check()?;
            self.count.shaped([]).check()?;
        }
        let has_values = self.is_stored || self.mean.has_value() && self.variance.has_value();
        let (true, Some(known)) = (has_values, self.mean.shape()) else {
            return Err(Error::new(
                "adapt",
                "a `Normalization` layer does not know the mean of the data yet",
            )
            .label("it has not been adapted")
            .help("call its `.adapt(&x_train)` first, and then put it into the model"));
        };
        let given: Vec<Dim> = axes.iter().map(|&axis| shape[axis]).collect();
        if given != known.iter().copied().map(Dim::Fixed).collect::<Vec<_>>() {
            let title = format!("`Normalization` knows features of shape {known:?} and gets {given:?}");
            return Err(Error::new("shape", title).label(format!("the data has shape {shape}")));
        }
        let mut broadcast = vec![1; shape.len()];
        axes.iter().zip(known).for_each(|(&axis, size)| broadcast[axis] = size);
        Ok(broadcast)
    }
}

impl Default for Normalization {
    fn default() -> Normalization {
        Normalization::new()
    }
}

impl Layer for Normalization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let shape = match self.broadcast_shape(x) {
            Ok(shape) => shape,
            Err(error) => return Tensor::invalid(error),
        };
        let numbers = if x.dtype().is_float() { x.clone() } else { x.cast(DType::F32) };
        let statistic = |variable: &Variable| Tensor::read(variable).reshape(&shape).cast(numbers.dtype());
        let (mean, deviation) = (statistic(&self.mean), statistic(&self.variance).sqrt().maximum(EPSILON));
        let normalized = match self.direction {
            Direction::Forward => (&numbers - mean) / deviation,
            Direction::Inverse => &numbers * deviation + mean,
        };
        normalized.with_mask_of(x)
    }
}

/// For each element of one sample, the feature that it belongs to.
fn places_in_row(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for (axis, &size) in shape.iter().enumerate().skip(1) {
        let is_feature = axes.contains(&axis);
        let inner =
            |&place: &usize| (0..size).map(move |i| if is_feature { place * size + i } else { place });
        places = places.iter().flat_map(inner).collect();
    }
    places
}

/// Mean and variance of each feature, in two passes of 64-bit sums; or the row and the place in it of a value that is
/// not finite.
fn measure<T: Element>(
    values: &[T],
    places: &[usize],
    features: usize,
) -> std::result::Result<(Vec<f32>, Vec<f32>), (usize, usize)> {
    let rows = || values.chunks_exact(places.len());
    let count = (values.len() / features) as f64;
    let mut sums = vec![0f64; features];
    for (r, row) in rows().enumerate() {
        for (i, (value, &place)) in row.iter().zip(places).enumerate() {
            let value = value.to_f64();
            if !value.is_finite() {
                return Err((r, i));
            }
            sums[place] += value;
        }
    }
    let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let mut squares = vec![0f64; features];
    for row in rows() {
        for (value, &place) in row.iter().zip(places) {
            squares[place] += (value.to_f64() - mean[place]).powi(2);
        }
    }
    let variance = squares.iter().map(|sum| (sum / count) as f32).collect();
    Ok((mean.iter().map(|&mean| mean as f32).collect(), variance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Apply, Variables};

    #[test]
    fn statistics_are_those_of_each_feature() {
        let data = Array::from([[[1f32, 10.0], [3.0, 10.0]], [[5.0, 30.0], [7.0, 30.0]]]);
        let last = Normalization::new();
        last.adapt(&data).unwrap();
        assert_eq!(last.mean().unwrap(), Array::from([4f32, 20.0]));
        assert_eq!(last.variance().unwrap(), Array::from([5f32, 100.0]));

        let both = Normalization::new().axes([1, 2]);
        both.adapt(&data).unwrap();
        assert_eq!(both.mean().unwrap(), Array::from([[3f32, 20.0], [5.0, 20.0]]));

        let all = Normalization::new().axes([]);
        all.adapt(&data).unwrap();
        assert_eq!(all.mean().unwrap(), Array::scalar(12f32));
        for layer in [last, both, all] {
            assert_eq!(layer.apply(&Tensor::from(&data)).shape().to_string(), "[2, 2, 2]");
            assert!(layer.trainable().is_empty());
        }
    }

    #[test]
    fn sums_are_exact_enough_for_large_numbers() {
        let data = Array::from_fn([1000, 1], |i| 1e6 + (i % 2) as f32);
        let layer = Normalization::new();
        layer.adapt(&data).unwrap();
        assert_eq!(layer.variance().unwrap(), Array::from([0.25f32]));
    }

    #[test]
    fn mistakes_are_errors() {
        let layer = Normalization::new();
        let x = Tensor::input("x", [2]);
        assert_eq!(layer.apply(&x).check().unwrap_err().code(), "adapt");
        let error = layer.adapt(&Array::from([[1f32, 2.0], [3.0, f32::NAN]])).unwrap_err();
        assert_eq!(error.title(), "cannot measure a mean: row 1, column 1 is not a finite number");
        assert_eq!(layer.adapt(&Array::from([1f32, 2.0])).unwrap_err().code(), "shape");
        assert_eq!(layer.adapt(&Array::full([0, 2], 0f32)).unwrap_err().code(), "data");
        layer.adapt(&Array::full([4, 3], 1u8)).unwrap();
        assert_eq!(layer.apply(&x).check().unwrap_err().code(), "shape");
    }
}
