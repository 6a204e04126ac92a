//! Numbers as numbers of the ranges that they are in.

use super::encoding::Encoding;
use super::features::{check_floats, or_invalid};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module};
use carnyx_graph::{Array, DType, Error, Result, Tensor};
use std::cmp::Ordering;

/// For each number the range that it is in: 0 below the first boundary, 1 from there to below the second, ….
///
/// The boundaries are given, or measured by [`adapt`](Discretization::adapt) so that each range holds about as many
/// samples.
///
/// # Shape
/// `[batch, …]` to the same in `i32`; to rows as of [`CategoryEncoding`](crate::CategoryEncoding) in other encodings.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Apply, Discretization, Eval};
/// let age = Discretization::new([18f32, 50.0]);
/// let x = Tensor::from(&Array::from([[10f32, 93.0], [57.0, 18.0]]));
/// assert_eq!(age.apply(&x).eval()?, Array::from([[0i32, 2], [2, 1]]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Discretization {
    /// What the data are measured for; `None` if the boundaries are given.
    ranges: Option<usize>,
    epsilon: f32,
    boundaries: Vec<f32>,
    is_known: bool,
    encoding: Encoding,
}

impl Discretization {
    /// Ranges between these boundaries, in ascending order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = Discretization::new([2f32, 1.0]).apply(&Tensor::input("x", [3]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "boundaries");
    /// ```
    pub fn new(boundaries: impl Into<Vec<f32>>) -> Discretization {
        Discretization {
            ranges: None,
            epsilon: 0.01,
            boundaries: boundaries.into(),
            is_known: true,
            encoding: Encoding::Int,
        }
    }

    /// This many ranges, whose boundaries [`adapt`](Discretization::adapt) finds.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let mut quarters = Discretization::ranges(4);
    /// quarters.adapt(&Array::from([1f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]))?;
    /// assert_eq!(quarters.boundaries().len(), 3);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn ranges(count: usize) -> Discretization {
        Discretization { ranges: Some(count), is_known: false, ..Discretization::new([]) }
    }

    /// How the numbers of ranges come out.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let rows = Discretization::new([0f32]).encoding(Encoding::OneHot);
    /// assert_eq!(rows.apply(&Tensor::input("x", [1])).shape().to_string(), "[batch, 2]");
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> Discretization {
        self.encoding = encoding;
        self
    }

    /// How exact the quantiles are that [`adapt`](Discretization::adapt) finds; 0.01 unless it is given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let fine = Discretization::ranges(100).epsilon(0.001);
    /// # let _ = fine;
    /// ```
    pub fn epsilon(mut self, epsilon: f32) -> Discretization {
        self.epsilon = epsilon;
        self
    }

    /// The boundaries; none before [`adapt`](Discretization::adapt).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(Discretization::new([18f32, 50.0]).boundaries(), [18.0, 50.0]);
    /// ```
    pub fn boundaries(&self) -> &[f32] {
        &self.boundaries
    }

    /// Finds boundaries so that each range holds about as many of these numbers: quantiles, as Keras estimates them.
    ///
    /// # Errors
    /// `data`, if there are no numbers, or one is not finite; `adapt`, if the boundaries were given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let mut halves = Discretization::ranges(2);
    /// assert_eq!(halves.adapt(&Array::full([0], 0f32)).unwrap_err().code(), "data");
    /// ```
    #[track_caller]
    pub fn adapt(&mut self, data: &Array) -> Result {
        let here = std::panic::Location::caller();
        let Some(ranges) = self.ranges else {
            return Err(Error::new("adapt", "the boundaries of this `Discretization` were given")
                .at(here)
                .label("there is nothing to measure")
                .help("begin with `Discretization::ranges(4)` to have them measured"));
        };
        if data.is_empty() {
            return Err(Error::new("data", "cannot measure quantiles of no numbers").at(here));
        }
        if ranges == 0 || !(self.epsilon > 0.0 && self.epsilon < 1.0) {
            let title = format!("cannot measure {ranges} ranges up to a share of {}", self.epsilon);
            return Err(Error::new("adapt", title)
                .at(here)
                .label("it takes at least 1 range, and a share within 0 and 1"));
        }
        let mut values = data.values();
        if let Some(i) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::new(
                "data",
                format!("element {i} is {}, of which there is no quantile", values[i]),
            )
            .at(here));
        }
        values.sort_by(f32::total_cmp);
        let epsilon = decimal(self.epsilon);
        let summary = compressed(summarized(&values, epsilon), epsilon);
        let (mut boundaries, _): (Vec<f32>, Vec<f32>) =
            compressed(summary, 1.0 / ranges as f64).into_iter().unzip();
        boundaries.pop();
        (self.boundaries, self.is_known) = (boundaries, true);
        Ok(())
    }

    pub(crate) fn read(fields: Fields) -> Result<Discretization> {
        let is_known = fields.get("bin_boundaries").is_some();
        let boundaries = if is_known { fields.array("bin_boundaries")?.values() } else { Vec::new() };
        let ranges = fields.get("num_bins").map(|_| fields.count("num_bins")).transpose()?;
        let epsilon = fields.float("epsilon", 0.01)?;
        Ok(Discretization {
            ranges,
            epsilon,
            boundaries,
            is_known,
            encoding: Encoding::read(fields, Encoding::Int)?,
        })
    }

    fn saved(&self) -> Config {
        let config = Config::new("Discretization")
            .field("epsilon", decimal(self.epsilon))
            .field("output_mode", self.encoding.to_string());
        let config = match self.ranges {
            Some(ranges) => config.field("num_bins", ranges),
            None => config,
        };
        let boundaries: Vec<f64> = self.boundaries.iter().map(|&boundary| decimal(boundary)).collect();
        if self.is_known { config.field("bin_boundaries", boundaries) } else { config }
    }

    fn ranged(&self, x: &Tensor) -> Result<Tensor> {
        let x = if x.facts()?.dtype.is_float() { x.clone() } else { x.cast(DType::F32) };
        check_floats("Discretization", &x)?;
        if !self.is_known {
            return Err(Error::new("adapt", "a `Discretization` layer does not know its boundaries yet")
                .label("it has not been adapted")
                .help("call its `.adapt(&x_train)` first, or give the boundaries to `Discretization::new`"));
        }
        let are_out_of_order = |pair: &&[f32]| pair[0].partial_cmp(&pair[1]).is_none_or(Ordering::is_gt);
        if let Some([first, second]) = self.boundaries.windows(2).find(are_out_of_order) {
            return Err(Error::new("boundaries", format!("the boundary {first} comes before {second}"))
                .label("boundaries are in ascending order"));
        }
        let number = if self.boundaries.is_empty() {
            x.zeros_like().cast(DType::I32)
        } else {
            let boundaries = Tensor::from(&Array::from(self.boundaries.clone()).cast(x.dtype()));
            x.expand(-1).greater_equal(boundaries).cast(DType::I32).sum_along(-1)
        };
        self.encoding.of("Discretization", &number, self.boundaries.len() + 1)
    }
}

impl Layer for Discretization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.ranged(x))
    }
}

/// Some of the sorted values, as many as the precision asks for, each with the number of values that it stands for.
fn summarized(sorted: &[f32], epsilon: f64) -> Vec<(f32, f32)> {
    let step = (sorted.len() as f64 * epsilon).max(1.0);
    let chosen = sorted.iter().skip(step as usize - 1).step_by(step as usize);
    chosen.map(|&value| (value, step as f32)).collect()
}

/// A summary of about `1 / epsilon` values, by linear interpolation between the shares of the weights.
fn compressed(summary: Vec<(f32, f32)>, epsilon: f64) -> Vec<(f32, f32)> {
    if (summary.len() as f64) * epsilon < 1.0 {
        return summary;
    }
    let mut sum = 0f32;
    let sums: Vec<f32> = summary
        .iter()
        .map(|(_, weight)| {
            sum += weight;
            sum
        })
        .collect();
    let shares: Vec<f64> = sums.iter().map(|&s| f64::from(s / sum)).collect();
    let values: Vec<f64> = summary.iter().map(|&(value, _)| f64::from(value)).collect();
    let sums: Vec<f64> = sums.into_iter().map(f64::from).collect();
    let mut before = 0.0;
    let count = (1.0 / epsilon).ceil() as usize;
    let at = |i: usize| {
        let share = epsilon + i as f64 * epsilon;
        let weight = interpolated(share, &shares, &sums);
        let entry = (interpolated(share, &shares, &values) as f32, (weight - before) as f32);
        before = weight;
        entry
    };
    (0..count).map(at).collect()
}

/// The value of the polygon through `(xs, ys)` at `x`, constant beyond its ends.
fn interpolated(x: f64, xs: &[f64], ys: &[f64]) -> f64 {
    let after = xs.partition_point(|&known| known <= x);
    if after == 0 {
        return ys[0];
    }
    if after == xs.len() {
        return ys[after - 1];
    }
    let slope = (ys[after] - ys[after - 1]) / (xs[after] - xs[after - 1]);
    ys[after - 1] + slope * (x - xs[after - 1])
}
