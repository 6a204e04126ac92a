//! Penalties for large weights and large outputs, which are added to the loss.
//!
//! A penalty is attached to what it is for: to a variable ([`Variable::regularized`]), or to the outputs of a layer.
//! Training and evaluation add the penalties of all trainable variables, each once however often its layer is used,
//! and those of the outputs at each use, divided by the size of the batch. Metrics know nothing of them.
//!
//! A layer offers them with one line each: `self.kernel = self.kernel.regularized(Arc::new(regularizer))` in a method
//! `kernel_regularizer`, `regularized(self.activity_regularizer.as_ref(), output)` at the end of `call`, and
//! `.regularizer("kernel_regularizer", self.kernel.regularizer())` in `saved`.

use carnyx_graph::{DType, Error, Tensor, Variable};
use std::sync::Arc;

pub use carnyx_graph::Regularizer;

/// The sum of absolute values: `l1 Σ |x|`, which makes weights zero that do little.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, regularizers::L1};
/// let sparse = Dense::new(8).kernel_regularizer(L1::new(1e-3));
/// # let _ = sparse;
/// ```
///
/// Reference: Tibshirani, *Regression Shrinkage and Selection via the Lasso*, 1996;
/// [`keras.regularizers.L1`](https://keras.io/api/layers/regularizers/).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1 {
    pub(crate) l1: f64,
}

impl L1 {
    /// The penalty `l1 Σ |x|`; 0.01 is Keras's default.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, regularizers::{L1, Regularizer}};
    /// let penalty = L1::new(0.5).penalty(&Tensor::from(&Array::from([3f32, -1.0])));
    /// assert_eq!(penalty.eval()?.item()?, 2.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(l1: f64) -> L1 {
        L1 { l1 }
    }
}

/// The sum of squares: `l2 Σ x²`, which makes all weights smaller.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, regularizers::L2};
/// let smooth = Dense::new(8).kernel_regularizer(L2::new(1e-3)).bias_regularizer(L2::new(1e-4));
/// # let _ = smooth;
/// ```
///
/// Reference: Hoerl and Kennard, *Ridge Regression*, 1970;
/// [`keras.regularizers.L2`](https://keras.io/api/layers/regularizers/).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2 {
    pub(crate) l2: f64,
}

impl L2 {
    /// The penalty `l2 Σ x²`; 0.01 is Keras's default.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, regularizers::{L2, Regularizer}};
    /// let penalty = L2::new(0.5).penalty(&Tensor::from(&Array::from([3f32, -1.0])));
    /// assert_eq!(penalty.eval()?.item()?, 5.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(l2: f64) -> L2 {
        L2 { l2 }
    }
}

/// Both sums: `l1 Σ |x| + l2 Σ x²`.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, regularizers::L1L2};
/// let dense = Dense::new(8).kernel_regularizer(L1L2::new(1e-4, 1e-3));
/// # let _ = dense;
/// ```
///
/// Reference: Zou and Hastie, *Regularization and variable selection via the elastic net*, 2005;
/// [`keras.regularizers.L1L2`](https://keras.io/api/layers/regularizers/).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L1L2 {
    pub(crate) l1: f64,
    pub(crate) l2: f64,
}

impl L1L2 {
    /// The penalty `l1 Σ |x| + l2 Σ x²`; Keras's defaults are zeros.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, regularizers::{L1L2, Regularizer}};
    /// let penalty = L1L2::new(1.0, 0.5).penalty(&Tensor::from(&Array::from([3f32, -1.0])));
    /// assert_eq!(penalty.eval()?.item()?, 9.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(l1: f64, l2: f64) -> L1L2 {
        L1L2 { l1, l2 }
    }
}

/// A penalty for rows or columns of a matrix that are not at right angles to each other: `factor` times the mean
/// absolute cosine between any two of them.
///
/// # Shape
/// Matrices only: `[rows, columns]`.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, regularizers::OrthogonalRegularizer};
/// let independent = Dense::new(8).kernel_regularizer(OrthogonalRegularizer::new(0.01).columns());
/// # let _ = independent;
/// ```
///
/// Reference: [`keras.regularizers.OrthogonalRegularizer`](https://keras.io/api/layers/regularizers/).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrthogonalRegularizer {
    pub(crate) factor: f64,
    pub(crate) by_columns: bool,
}

impl OrthogonalRegularizer {
    /// The penalty for rows; 0.01 is Keras's default factor.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, regularizers::{OrthogonalRegularizer, Regularizer}};
    /// let alike = Tensor::from(&Array::from([[1f32, 0.0], [2.0, 0.0]]));
    /// assert_eq!(OrthogonalRegularizer::new(1.0).penalty(&alike).eval()?.item()?, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(factor: f64) -> OrthogonalRegularizer {
        OrthogonalRegularizer { factor, by_columns: false }
    }

    /// The penalty for columns: in a kernel, for the units.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, regularizers::{OrthogonalRegularizer, Regularizer}};
    /// let at_right_angles = Tensor::from(&Array::from([[1f32, 0.0], [0.0, 3.0]]));
    /// assert_eq!(OrthogonalRegularizer::new(1.0).columns().penalty(&at_right_angles).eval()?.item()?, 0.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[must_use]
    pub fn columns(mut self) -> OrthogonalRegularizer {
        self.by_columns = true;
        self
    }
}

/// A penalty from a function that gives one number.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, regularizers::from_fn};
/// let dense = Dense::new(8).kernel_regularizer(from_fn(|w| w.square().square().sum() * 1e-3));
/// # let _ = dense;
/// ```
pub fn from_fn(penalty: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static) -> impl Regularizer {
    struct FromFn<F>(F);
    impl<F: Fn(&Tensor) -> Tensor + Send + Sync + 'static> Regularizer for FromFn<F> {
        fn penalty(&self, x: &Tensor) -> Tensor {
            (self.0)(x)
        }
    }
    FromFn(penalty)
}

/// The sum of the penalties of those variables that are trained: for training loops of one's own. Zero, if there is
/// none.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::regularizers::{L2, penalty};
/// use carnyx_nn::{Apply, Dense, Eval, Ones, Variables};
/// let dense = Dense::new(2).kernel_initializer(Ones).kernel_regularizer(L2::new(0.1));
/// dense.apply(&Tensor::input("x", [3]));
/// assert!((penalty(&dense.variables()).eval()?.item()? - 0.6).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[track_caller]
pub fn penalty(variables: &[Variable]) -> Tensor {
    penalties(variables).into_iter().reduce(|sum, penalty| sum + penalty).unwrap_or(Tensor::scalar(0f32))
}

/// The penalty of each trained variable that has one and has a shape.
#[track_caller]
pub(crate) fn penalties(variables: &[Variable]) -> Vec<Tensor> {
    let counts = |variable: &&Variable| variable.is_trainable() && variable.shape().is_some();
    let penalty = |variable: &Variable| {
        let penalty = one_number(variable.penalty()?);
        Some(match penalty.check() {
            Err(error) => Tensor::invalid(error.note(format!("in the regularizer of {variable:?}"))),
            Ok(()) => penalty,
        })
    };
    variables.iter().filter(counts).filter_map(penalty).collect()
}

/// The outputs of a layer with the penalty for them, divided by the size of the batch.
pub(crate) fn regularized(regularizer: Option<&Arc<dyn Regularizer>>, output: Tensor) -> Tensor {
    let Some(regularizer) = regularizer else { return output };
    if output.is_invalid() {
        return output;
    }
    let penalty = one_number(regularizer.penalty(&output));
    if let Err(error) = penalty.check() {
        // Reported as the layer's own mistake, with its name.
        return Tensor::invalid(error.note("in the regularizer of the outputs"));
    }
    let penalty = match output.shape().iter().next().map(|size| size.fixed()) {
        None => penalty,
        Some(Some(samples)) => penalty / samples as f64,
        // A drawing is of batches of any size: the samples are counted when it is computed.
        Some(None) => {
            let rest: Vec<isize> = (1..output.rank() as isize).collect();
            let one_each = output.ones_like();
            let one_each = if rest.is_empty() { one_each } else { one_each.mean_along(rest) };
            penalty / one_each.sum()
        }
    };
    output.and_loss(penalty)
}

/// A penalty, if it is what it has to be.
#[track_caller]
fn one_number(penalty: Tensor) -> Tensor {
    match penalty.facts() {
        Ok(facts) if !facts.shape.is_empty() || !facts.dtype.is_float() => Tensor::invalid(
            Error::new(
                "regularizer",
                format!("a penalty has shape {} and type {}", facts.shape, facts.dtype),
            )
            .label("it is one number, a float")
            .help("end the regularizer with a reduction: `x.square().sum()`"),
        ),
        _ => penalty,
    }
}

/// `penalty` times `factor`, which has to be a number from 0 on.
#[track_caller]
fn scaled(class: &str, name: &str, factor: f64, penalty: impl FnOnce() -> Tensor) -> Tensor {
    if !factor.is_finite() || factor < 0.0 {
        return Tensor::invalid(
            Error::new("regularizer", format!("`{name}` of a regularizer `{class}` is {factor}"))
                .label("it should be a finite number from 0 on"),
        );
    }
    penalty() * factor
}

impl Regularizer for L1 {
    fn penalty(&self, x: &Tensor) -> Tensor {
        scaled("L1", "l1", self.l1, || x.abs().sum())
    }
}

impl Regularizer for L2 {
    fn penalty(&self, x: &Tensor) -> Tensor {
        scaled("L2", "l2", self.l2, || x.square().sum())
    }
}

impl Regularizer for L1L2 {
    fn penalty(&self, x: &Tensor) -> Tensor {
        let l1 = scaled("L1L2", "l1", self.l1, || x.abs().sum());
        l1 + scaled("L1L2", "l2", self.l2, || x.square().sum())
    }
}

/// A row is divided by its length, but never by less than this.
const SHORTEST: f64 = 1e-7;

impl Regularizer for OrthogonalRegularizer {
    fn penalty(&self, x: &Tensor) -> Tensor {
        if x.rank() != 2 && !x.is_invalid() {
            return Tensor::invalid(
                Error::new("shape", format!("an `OrthogonalRegularizer` cannot work on {}", x.shape()))
                    .label("it compares the rows or the columns of a matrix"),
            );
        }
        let (vectors, along) = if self.by_columns { (x.dim(1), 0) } else { (x.dim(0), 1) };
        if vectors == 1 {
            return scaled("OrthogonalRegularizer", "factor", self.factor, || x.zeros_like().sum());
        }
        let directions = x * x.square().sum_keep(along).maximum(SHORTEST * SHORTEST).rsqrt();
        let cosines = directions.dot(&directions, self.by_columns, !self.by_columns);
        let number = |axis| Tensor::iota([vectors, vectors], axis, DType::I64);
        let between_two = number(0).not_equal(number(1)).select(&cosines, cosines.zeros_like());
        let pairs = vectors as f64 * (vectors as f64 - 1.0) / 2.0;
        scaled("OrthogonalRegularizer", "factor", self.factor, || between_two.abs().sum() * (0.5 / pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Eval;
    use carnyx_graph::{Array, Result};

    #[test]
    fn zero_rows_and_single_rows_have_finite_slopes() -> Result {
        for rows in [Array::from([[0f32, 0.0], [1.0, 2.0]]), Array::from([[3f32, 4.0]])] {
            let weight = Variable::from(rows);
            let penalty = OrthogonalRegularizer::new(1.0).penalty(&Tensor::read(&weight));
            let slope = penalty.gradients(std::slice::from_ref(&weight)).of(&weight).cloned();
            let slope = slope.expect("it was asked for").eval()?;
            assert!(slope.values().iter().all(|value| value.is_finite()), "{slope:?}");
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_a_penalty_is_said() {
        let x = Tensor::input("x", [3]);
        let code = |regularizer: &dyn Regularizer| {
            let output = regularized(None, x.clone());
            one_number(regularizer.penalty(&output)).check().unwrap_err().code()
        };
        assert_eq!(code(&L2::new(-1.0)), "regularizer");
        assert_eq!(code(&L1L2::new(0.0, f64::NAN)), "regularizer");
        assert_eq!(code(&from_fn(|x| x.square())), "regularizer");
        assert_eq!(code(&OrthogonalRegularizer::new(0.1)), "shape");
    }
}
