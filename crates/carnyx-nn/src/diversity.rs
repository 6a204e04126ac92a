//! How different the units of a layer are.
//!
//! Units that start with the same weights compute the same, get the same gradients and learn the same: such a layer does
//! the work of one unit, however wide it is. Random first weights break this symmetry. [`Diversity`] measures it, and a
//! fit warns of layers that begin in that way. Invariant: everything here looks at values only, never at what an
//! initializer is called.

use carnyx_graph::{Array, Error, Result, Variable, with_storage};
use std::collections::HashSet;
use std::fmt;
use std::io::Write;

/// Up to here every pair of units is compared; wider layers are judged by as many pairs as this number of units has.
const COMPARED_UNITS: usize = 512;

/// How different the units of a layer are, by their weights: the columns of its kernel. Shown in words.
///
/// A distance between two units is Euclidean and relative to the mean length of all units' weights, so that it does not
/// depend on the scale: about 1.4 for units that have nothing to do with each other, 2 for opposite ones, 0 for equal
/// ones. A cosine is 1 for units that look for the same pattern, 0 for unrelated ones, -1 for opposite ones; two units
/// whose weights are all zero count as the same.
///
/// It costs a product of the kernel with itself, `units² · inputs`. Of layers of more than 512 units, 130 816 pairs that
/// are drawn at random, but always the same ones, stand for all; `distinct` is exact for any width.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Diversity;
/// // Three units with two inputs: the first and the last are the same.
/// let kernel = Array::from([[3f32, 4.0, 3.0], [4.0, -3.0, 4.0]]);
/// let diversity = Diversity::of(&kernel)?;
/// assert_eq!((diversity.units, diversity.distinct), (3, 2));
/// assert_eq!((diversity.min_distance, diversity.max_cosine), (0.0, 1.0));
/// assert!((diversity.mean_distance - 2.0 / 3.0 * 2f64.sqrt()).abs() < 1e-12);
/// assert!(Diversity::of(&Array::full([2, 3], 0f32))?.to_string().starts_with("3 units, all identical"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diversity {
    /// The number of units.
    pub units: usize,
    /// How many of them have weights that no unit before them has.
    pub distinct: usize,
    /// The mean length of a unit's weights, the unit of the distances.
    pub mean_norm: f64,
    /// The mean distance between two units; 0, if there is only one.
    pub mean_distance: f64,
    /// The least distance between two units; 0, if there is only one.
    pub min_distance: f64,
    /// The mean cosine between the weights of two units; 1, if there is only one.
    pub mean_cosine: f64,
    /// The greatest cosine between the weights of two units; 1, if there is only one.
    pub max_cosine: f64,
    /// The number of pairs that were compared.
    pub pairs: usize,
}

impl Diversity {
    /// That of the units with these weights, `[…, inputs, units]`: a kernel of any layer whose units are the last axis.
    ///
    /// # Errors
    /// `shape`, if there are fewer than two axes or no elements; `data`, if a weight is not a finite number.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Dense, Diversity, Variables, initialize};
    /// let layer = Dense::new(30);
    /// layer.apply(&Tensor::input("x", [20]));
    /// initialize(&layer.variables(), 42)?;
    /// let diversity = Diversity::of(&layer.kernel().value()?)?;
    /// assert_eq!(diversity.distinct, 30);
    /// assert!(diversity.mean_distance > 1.0 && diversity.mean_cosine.abs() < 0.1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(weights: &Array) -> Result<Diversity> {
        let site = std::panic::Location::caller();
        let units = columns(weights).map_err(|error| error.at(site))?;
        Ok(Diversity::of_columns(&units))
    }

    fn of_columns(columns: &[Vec<f64>]) -> Diversity {
        let units = columns.len();
        // Adding zero makes -0 and 0 the same bits.
        let bits =
            |column: &Vec<f64>| column.iter().map(|weight| (weight + 0.0).to_bits()).collect::<Vec<_>>();
        let distinct = columns.iter().map(bits).collect::<HashSet<_>>().len();
        let norms: Vec<f64> = columns.iter().map(|column| dot(column, column).sqrt()).collect();
        let mean_norm = norms.iter().sum::<f64>() / units as f64;

        let (mut distances, mut cosines) = (Spread::default(), Spread::default());
        for (i, j) in pairs(units) {
            let (a, b) = (&columns[i], &columns[j]);
            // Not from the norms and the product: that would cancel where units are nearly equal.
            let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
            distances.add(if mean_norm > 0.0 { squares.sum::<f64>().sqrt() / mean_norm } else { 0.0 });
            cosines.add(match norms[i] * norms[j] {
                product if product > 0.0 => (dot(a, b) / product).clamp(-1.0, 1.0),
                _ => f64::from(norms[i] == norms[j]),
            });
        }
        let has_copies = distinct < units;
        Diversity {
            units,
            distinct,
            mean_norm,
            mean_distance: distances.mean_or(0.0),
            // Copies may be among the pairs that were not drawn.
            min_distance: if has_copies || distances.count == 0 { 0.0 } else { distances.min },
            mean_cosine: cosines.mean_or(1.0),
            max_cosine: if has_copies || cosines.count == 0 { 1.0 } else { cosines.max },
            pairs: distances.count,
        }
    }
}

impl fmt::Display for Diversity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Diversity { units, distinct, .. } = *self;
        if units == 1 {
            return f.write_str("1 unit: there is no other to compare it with");
        }
        if distinct == 1 {
            return write!(f, "{units} units, all identical: they compute and learn the same");
        }
        if distinct == units {
            write!(f, "{units} units, all different")?;
        } else {
            write!(f, "{units} units, {distinct} different ones, the others copies of them")?;
        }
        write!(
            f,
            "; distance {:.3} in the mean, {:.3} at least; cosine {:.3} in the mean, {:.3} at most",
            self.mean_distance, self.min_distance, self.mean_cosine, self.max_cosine
        )
    }
}

/// Running sum, count and extremes.
struct Spread {
    sum: f64,
    count: usize,
    min: f64,
    max: f64,
}

impl Default for Spread {
    fn default() -> Spread {
        Spread { sum: 0.0, count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
    }

    fn mean_or(&self, otherwise: f64) -> f64 {
        if self.count == 0 { otherwise } else { self.sum / self.count as f64 }
    }
}

/// The weights of each unit.
fn columns(weights: &Array) -> Result<Vec<Vec<f64>>> {
    let shape = weights.shape();
    let units = shape.last().copied().unwrap_or(0);
    if shape.len() < 2 || weights.is_empty() {
        return Err(Error::new("shape", format!("weights of shape {shape:?} have no units to compare"))
            .label("units are the last axis, and their inputs the axes before it"));
    }
    let values: Vec<f64> = weights.to_vec();
    if let Some(at) = values.iter().position(|weight| !weight.is_finite()) {
        let title = format!("a weight of unit {} is {}", at % units, values[at]);
        return Err(Error::new("data", title).help("what is not a finite number has no distance to anything"));
    }
    Ok((0..units).map(|unit| values.iter().skip(unit).step_by(units).copied().collect()).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The pairs of different units to compare: all, or as many drawn ones.
fn pairs(units: usize) -> Box<dyn Iterator<Item = (usize, usize)>> {
    if units <= COMPARED_UNITS {
        return Box::new((0..units).flat_map(move |i| (i + 1..units).map(move |j| (i, j))));
    }
    // A multiplicative generator with a good high half (Knuth, TAOCP 3.3.4) is random enough to pick samples.
    let mut state = 1u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((u128::from(state) * below as u128) >> 64) as usize
    };
    let count = COMPARED_UNITS * (COMPARED_UNITS - 1) / 2;
    Box::new((0..count).map(move |_| {
        let i = draw(units);
        // Never the unit itself.
        (i, (i + 1 + draw(units - 1)) % units)
    }))
}

/// Tells the user on standard error of layers whose units start identical, before a model is trained for the first time.
pub(crate) fn warn_of_identical_units(variables: &[Variable]) {
    if let Some(warning) = symmetry_warning(variables) {
        // Nobody may be reading any more: the training goes on.
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
}

/// The text of the warning, if there is reason for one.
fn symmetry_warning(variables: &[Variable]) -> Option<String> {
    let layers: Vec<String> =
        identical_units(variables).into_iter().map(|layer| format!("`{layer}`")).collect();
    (!layers.is_empty()).then(|| {
        format!(
            "warning: the units of {} all start with the same weights\n  \
             = note: they compute the same, and learn the same unless later layers tell them apart\n  \
             = help: start with random weights: `.kernel_initializer(GlorotUniform)`, the default, or `HeNormal`",
            layers.join(", ")
        )
    })
}

/// The paths of layers with a trainable kernel `[inputs, units]` whose columns are all the same.
///
/// The last matrix of the model is left out: its units have targets of their own, which tell them apart. With several
/// outputs, only one of the last layers is known as such.
fn identical_units(variables: &[Variable]) -> Vec<String> {
    let units = |variable: &Variable| match variable.shape().as_deref() {
        Some(&[_, units]) => Some(units),
        _ => None,
    };
    let matrices: Vec<(&Variable, usize)> =
        variables.iter().filter_map(|variable| Some((variable, units(variable)?))).collect();
    let Some((_last, hidden)) = matrices.split_last() else { return Vec::new() };
    let mut layers = Vec::new();
    for &(kernel, units) in hidden {
        if units < 2 || !kernel.is_trainable() {
            continue;
        }
        let (Ok(value), Some(path)) = (kernel.value(), kernel.path()) else { continue };
        if has_equal_columns(&value, units) {
            let layer = path.rsplit_once('/').map_or(&*path, |(layer, _)| layer).to_owned();
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
    }
    layers
}

/// Ends at the first weight that differs: for random ones that is the second. Constant kernels of a 784-300-100-10 network
/// take 0.12 ms (AMD EPYC, November 2026), once in a model's life.
fn has_equal_columns(kernel: &Array, units: usize) -> bool {
    with_storage!(kernel.storage(), weights => {
        weights.chunks(units).all(|row| row.iter().all(|weight| *weight == row[0]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Apply, Constant, Dense, GlorotUniform, Module, Ones, Relu, Sequential, Variables, Zeros, initialize,
    };
    use carnyx_graph::{Initializer, Tensor};

    /// A net whose hidden layers start as told, with values.
    fn net(first: impl Initializer + 'static, second: impl Initializer + 'static) -> Sequential {
        let net = Sequential::new()
            .then(Dense::new(300).activation(Relu).kernel_initializer(first))
            .then(Dense::new(100).activation(Relu).kernel_initializer(second).named("second"))
            .then(Dense::new(10).kernel_initializer(Zeros));
        net.name_variables().unwrap();
        net.apply(&Tensor::input("x", [784])).check().unwrap();
        initialize(&net.variables(), 1).unwrap();
        net
    }

    #[test]
    fn layers_that_start_constant_are_named() {
        let warning = |net: Sequential| symmetry_warning(&net.variables());
        assert_eq!(identical_units(&net(Constant(0.5), Ones).variables()), ["dense", "second"]);
        assert_eq!(
            warning(net(GlorotUniform, Zeros)).unwrap().lines().next().unwrap(),
            "warning: the units of `second` all start with the same weights"
        );
        let healthy = net(GlorotUniform, GlorotUniform);
        assert_eq!(symmetry_warning(&healthy.variables()), None);

        let frozen = net(Ones, GlorotUniform);
        frozen.freeze();
        assert_eq!(warning(frozen), None);
    }

    #[test]
    fn one_layer_may_start_with_zeros() {
        let only = Dense::new(10).kernel_initializer(Zeros);
        only.apply(&Tensor::input("x", [784]));
        assert!(identical_units(&only.variables()).is_empty());
        initialize(&only.variables(), 1).unwrap();
        assert!(identical_units(&only.variables()).is_empty());
    }

    #[test]
    fn says_in_words_how_different_units_are() {
        let text = |kernel: Array| Diversity::of(&kernel).unwrap().to_string();
        assert_eq!(
            text(Array::full([4, 300], 0.1f32)),
            "300 units, all identical: they compute and learn the same"
        );
        assert_eq!(text(Array::full([4, 1], 0.1f32)), "1 unit: there is no other to compare it with");
        assert_eq!(
            text(Array::from([[1f32, 0.0], [0.0, 1.0]])),
            "2 units, all different; distance 1.414 in the mean, 1.414 at least; \
             cosine 0.000 in the mean, 0.000 at most"
        );
        assert!(text(Array::from([[1f32, -0.0, 0.0]])).starts_with("3 units, 2 different ones"));
    }

    #[test]
    fn wide_layers_are_judged_by_samples() {
        let kernel =
            |units: usize| Array::from_fn([3, units], |i| ((i * 7919) % 10007) as f32 / 5000.0 - 1.0);
        let (all, some) = (Diversity::of(&kernel(512)).unwrap(), Diversity::of(&kernel(3000)).unwrap());
        assert_eq!((all.pairs, some.pairs), (130816, 130816));
        assert_eq!(some, Diversity::of(&kernel(3000)).unwrap());
        assert!((all.mean_distance - some.mean_distance).abs() < 0.05, "{all:?} {some:?}");
        assert!(pairs(600).all(|(i, j)| i != j && i < 600 && j < 600));
    }

    #[test]
    fn what_has_no_units_is_an_error() {
        assert_eq!(Diversity::of(&Array::full([3], 1f32)).unwrap_err().code(), "shape");
        assert_eq!(Diversity::of(&Array::full([3, 0], 1f32)).unwrap_err().code(), "shape");
        let broken = Array::from([[1f32, 2.0], [3.0, f32::NAN]]);
        assert_eq!(Diversity::of(&broken).unwrap_err().title(), "a weight of unit 1 is NaN");
    }
}
