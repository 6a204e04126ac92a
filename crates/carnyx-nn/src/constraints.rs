//! Bounds that weights are kept in: what becomes of a weight's new value at the end of each step.
//!
//! A bound is attached to the variable that it is for ([`Variable::constrained`](carnyx_graph::Variable::constrained)),
//! and is part of the program that updates it. First values are as their initializers make them, whatever the bounds.
//!
//! A layer offers them with one line each: `self.kernel = self.kernel.constrained(Arc::new(constraint))` in a method
//! `kernel_constraint`, and `.constraint("kernel_constraint", self.kernel.constraint())` in `saved`.

use carnyx_graph::{Error, Tensor};

pub use carnyx_graph::Constraint;

/// Keeps lengths below a greatest one: `w ← w · clip(‖w‖, 0, greatest) / (ε + ‖w‖)`, with `ε = 10⁻⁷`.
///
/// The length is that along [`axes`](MaxNorm::axes): for the kernel of a [`Dense`](crate::Dense), the first axis gives
/// the length of the weights of each unit.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, constraints::MaxNorm};
/// let dense = Dense::new(8).kernel_constraint(MaxNorm::new(2.0));
/// # let _ = dense;
/// ```
///
/// Reference: Srivastava et al., *Dropout: A Simple Way to Prevent Neural Networks from Overfitting*, 2014;
/// [`keras.constraints.MaxNorm`](https://keras.io/api/layers/constraints/).
#[derive(Clone, Debug, PartialEq)]
pub struct MaxNorm {
    pub(crate) greatest: f64,
    pub(crate) axes: Vec<isize>,
}

impl MaxNorm {
    /// Lengths of at most `greatest`, along the first axis; 2 is Keras's default.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, constraints::{Constraint, MaxNorm}};
    /// let kernel = Tensor::from(&Array::from([[3f32], [4.0]]));
    /// let kept = MaxNorm::new(1.0).constrain(&kernel).eval()?;
    /// assert!((kept.element(0) - 0.6).abs() < 1e-6);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(greatest: f64) -> MaxNorm {
        MaxNorm { greatest, axes: vec![0] }
    }

    /// The axes that a length is measured along: for the kernel of a convolution, all but the last.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::constraints::MaxNorm;
    /// let for_filters = MaxNorm::new(2.0).axes([0, 1, 2]);
    /// # let _ = for_filters;
    /// ```
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> MaxNorm {
        self.axes = axes.into();
        self
    }
}

/// Keeps weights from being negative: `w ← max(w, 0)`.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, constraints::NonNeg};
/// let growing = Dense::new(8).kernel_constraint(NonNeg); // outputs that grow with each input
/// # let _ = growing;
/// ```
///
/// Reference: [`keras.constraints.NonNeg`](https://keras.io/api/layers/constraints/).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonNeg;

/// Gives lengths of one: `w ← w / (ε + ‖w‖)`, with `ε = 10⁻⁷`.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, constraints::UnitNorm};
/// let directions = Dense::new(8).kernel_constraint(UnitNorm::new());
/// # let _ = directions;
/// ```
///
/// Reference: [`keras.constraints.UnitNorm`](https://keras.io/api/layers/constraints/).
#[derive(Clone, Debug, PartialEq)]
pub struct UnitNorm {
    pub(crate) axes: Vec<isize>,
}

impl UnitNorm {
    /// Lengths of one along the first axis.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, constraints::{Constraint, UnitNorm}};
    /// let kernel = Tensor::from(&Array::from([[3f32], [4.0]]));
    /// assert!((UnitNorm::new().constrain(&kernel).eval()?.element(1) - 0.8).abs() < 1e-6);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new() -> UnitNorm {
        UnitNorm { axes: vec![0] }
    }

    /// The axes that a length is measured along.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::constraints::UnitNorm;
    /// let rows = UnitNorm::new().axes([1]);
    /// # let _ = rows;
    /// ```
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> UnitNorm {
        self.axes = axes.into();
        self
    }
}

impl Default for UnitNorm {
    fn default() -> UnitNorm {
        UnitNorm::new()
    }
}

/// Draws lengths between two: `w ← w · (rate · clip(‖w‖, least, greatest) + (1 - rate) ‖w‖) / (ε + ‖w‖)`, with
/// `ε = 10⁻⁷`.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, constraints::MinMaxNorm};
/// let dense = Dense::new(8).kernel_constraint(MinMaxNorm::new(0.5, 2.0).rate(0.1));
/// # let _ = dense;
/// ```
///
/// Reference: [`keras.constraints.MinMaxNorm`](https://keras.io/api/layers/constraints/).
#[derive(Clone, Debug, PartialEq)]
pub struct MinMaxNorm {
    pub(crate) least: f64,
    pub(crate) greatest: f64,
    pub(crate) rate: f64,
    pub(crate) axes: Vec<isize>,
}

impl MinMaxNorm {
    /// Lengths from `least` to `greatest`, along the first axis, at once; 0 and 1 are Keras's defaults.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Eval, constraints::{Constraint, MinMaxNorm}};
    /// let kernel = Tensor::from(&Array::from([[0.3f32], [0.4]]));
    /// assert!((MinMaxNorm::new(1.0, 2.0).constrain(&kernel).eval()?.element(0) - 0.6).abs() < 1e-6);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(least: f64, greatest: f64) -> MinMaxNorm {
        MinMaxNorm { least, greatest, rate: 1.0, axes: vec![0] }
    }

    /// The share of the way to the bounds that each step goes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::constraints::MinMaxNorm;
    /// let slowly = MinMaxNorm::new(0.0, 1.0).rate(0.1);
    /// # let _ = slowly;
    /// ```
    #[must_use]
    pub fn rate(mut self, rate: f64) -> MinMaxNorm {
        self.rate = rate;
        self
    }

    /// The axes that a length is measured along.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::constraints::MinMaxNorm;
    /// let rows = MinMaxNorm::new(0.0, 1.0).axes([1]);
    /// # let _ = rows;
    /// ```
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> MinMaxNorm {
        self.axes = axes.into();
        self
    }
}

/// Bounds from a function: what it gives is what the weight becomes.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, constraints::from_fn};
/// let dense = Dense::new(8).kernel_constraint(from_fn(|w| w.clip(-1.0, 1.0)));
/// # let _ = dense;
/// ```
pub fn from_fn(constrain: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static) -> impl Constraint {
    struct FromFn<F>(F);
    impl<F: Fn(&Tensor) -> Tensor + Send + Sync + 'static> Constraint for FromFn<F> {
        fn constrain(&self, weight: &Tensor) -> Tensor {
            (self.0)(weight)
        }
    }
    FromFn(constrain)
}

/// What is added to a length before it divides, so that zeros stay zeros.
const EPSILON: f64 = 1e-7;

fn norm(weight: &Tensor, axes: &[isize]) -> Tensor {
    weight.square().sum_keep(axes.to_vec()).sqrt()
}

/// `weight`, whose lengths are `norm`, with lengths of `desired`.
fn rescaled(weight: &Tensor, norm: &Tensor, desired: Tensor) -> Tensor {
    weight * (desired / (norm + EPSILON))
}

/// Why a constraint cannot work with `value` as its setting `name`.
#[track_caller]
fn objection(class: &str, name: &str, value: f64, wanted: &str) -> Tensor {
    let title = format!("`{name}` of a constraint `{class}` is {value}");
    Tensor::invalid(Error::new("constraint", title).label(format!("it should be {wanted}")))
}

/// Whether a number can be a length.
fn is_length(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

const A_LENGTH: &str = "a finite number from 0 on";

impl Constraint for MaxNorm {
    fn constrain(&self, weight: &Tensor) -> Tensor {
        if !is_length(self.greatest) {
            return objection("MaxNorm", "greatest", self.greatest, A_LENGTH);
        }
        let norm = norm(weight, &self.axes);
        rescaled(weight, &norm, norm.minimum(self.greatest))
    }
}

impl Constraint for NonNeg {
    fn constrain(&self, weight: &Tensor) -> Tensor {
        weight.maximum(0.0)
    }
}

impl Constraint for UnitNorm {
    fn constrain(&self, weight: &Tensor) -> Tensor {
        weight / (norm(weight, &self.axes) + EPSILON)
    }
}

impl Constraint for MinMaxNorm {
    fn constrain(&self, weight: &Tensor) -> Tensor {
        if !is_length(self.least) {
            return objection("MinMaxNorm", "least", self.least, A_LENGTH);
        }
        if !is_length(self.greatest) || self.greatest < self.least {
            let wanted = format!("a finite number from `least` on, which is {}", self.least);
            return objection("MinMaxNorm", "greatest", self.greatest, &wanted);
        }
        if !(0.0..=1.0).contains(&self.rate) {
            return objection("MinMaxNorm", "rate", self.rate, "a number from 0 to 1");
        }
        let norm = norm(weight, &self.axes);
        let desired = norm.clip(self.least, self.greatest) * self.rate + &norm * (1.0 - self.rate);
        rescaled(weight, &norm, desired)
    }
}
