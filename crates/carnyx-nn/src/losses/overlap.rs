//! Losses of how well two areas cover each other, for pictures in which most pixels belong to nothing.
// The constants are named as the types, so that a loss reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::{EPSILON, Loss, fit_to};
use crate::Config;
use carnyx_graph::{Axes, Tensor};

/// One minus twice the common area by the sum of both: `1 - 2 Σ y p / (Σ y + Σ p)`.
///
/// # Shape
/// Predictions of any shape, probabilities; targets of the same shape, 0 or 1. The sums run over the whole batch, and
/// the loss is one number; with [`axes`](Dice::axes) they run over those, and there is one for each of the others.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Dice, Loss};
/// let y = Tensor::from(&Array::from([[1f32, 1.0, 0.0, 0.0]]));
/// let p = Tensor::from(&Array::from([[0f32, 1.0, 1.0, 0.0]]));
/// assert!((Dice.of(&y, &p).eval()?.item()? - 0.5).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Milletari et al., [V-Net](https://arxiv.org/abs/1606.04797);
/// [`keras.losses.Dice`](https://keras.io/api/losses/).
#[derive(Clone, Debug, Default)]
pub struct Dice {
    axes: Option<Vec<isize>>,
}

/// Dice's loss of the batch as a whole.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Dice, Loss};
/// assert_eq!(Loss::name(&Dice), "dice");
/// ```
pub const Dice: Dice = Dice { axes: None };

impl Dice {
    /// The axes along which areas are measured: `[1, 2, 3]` for one loss for each picture of `[batch, height, width,
    /// channels]`.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::losses::{Dice, Loss};
    /// let y = Tensor::from(&Array::full([2, 4, 4, 1], 1f32));
    /// assert_eq!(Dice.axes([1, 2, 3]).per_sample(&y, &y).shape().to_string(), "[2]");
    /// ```
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Dice {
        self.axes = Some(axes.into());
        self
    }
}

impl Loss for Dice {
    fn config(&self) -> Option<Config> {
        Some(with_axes(Config::new("Dice"), self.axes.as_ref()))
    }

    fn name(&self) -> String {
        "dice".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction);
        let sum = |x: &Tensor| x.sum_along(axes_of(self.axes.as_ref()));
        let common = sum(&(&y * prediction)) * 2.0;
        1.0 - common / (sum(&y) + sum(prediction) + EPSILON)
    }
}

/// One minus the common area by itself plus what is missing, times `alpha`, plus what is too much, times `beta`:
/// `1 - Σ y p / (Σ y p + alpha Σ y (1 - p) + beta Σ (1 - y) p)`.
///
/// With 0.5 for both (the default) it is [`Dice`](struct@Dice); more `alpha` finds more and is wrong more often.
///
/// # Shape
/// As for [`Dice`](struct@Dice).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, Tversky};
/// let y = Tensor::from(&Array::from([[1f32, 1.0, 0.0, 0.0]]));
/// let p = Tensor::from(&Array::from([[0f32, 1.0, 0.0, 0.0]]));
/// let loss = Tversky.alpha(1.0).beta(0.0).of(&y, &p).eval()?.item()?;
/// assert!((loss - 0.5).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Salehi et al., [Tversky Loss Function](https://arxiv.org/abs/1706.05721);
/// [`keras.losses.Tversky`](https://keras.io/api/losses/).
#[derive(Clone, Debug)]
pub struct Tversky {
    alpha: f64,
    beta: f64,
    axes: Option<Vec<isize>>,
}

/// Tversky's loss of the batch as a whole, with 0.5 for `alpha` and `beta`.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Loss, Tversky};
/// assert_eq!(Loss::name(&Tversky), "tversky");
/// ```
pub const Tversky: Tversky = Tversky { alpha: 0.5, beta: 0.5, axes: None };

impl Tversky {
    /// What missing area costs.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Tversky;
    /// let thorough = Tversky.alpha(0.7).beta(0.3);
    /// # let _ = thorough;
    /// ```
    pub fn alpha(mut self, alpha: f64) -> Tversky {
        self.alpha = alpha;
        self
    }

    /// What superfluous area costs.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Tversky;
    /// let careful = Tversky.alpha(0.3).beta(0.7);
    /// # let _ = careful;
    /// ```
    pub fn beta(mut self, beta: f64) -> Tversky {
        self.beta = beta;
        self
    }

    /// The axes along which areas are measured, as for [`Dice::axes`].
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Tversky;
    /// let of_each_picture = Tversky.axes([1, 2, 3]);
    /// # let _ = of_each_picture;
    /// ```
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Tversky {
        self.axes = Some(axes.into());
        self
    }
}

/// 0.5 for `alpha` and `beta`.
impl Default for Tversky {
    fn default() -> Tversky {
        Tversky
    }
}

impl Loss for Tversky {
    fn config(&self) -> Option<Config> {
        let config = Config::new("Tversky").unless_default("alpha", self.alpha, 0.5);
        Some(with_axes(config.unless_default("beta", self.beta, 0.5), self.axes.as_ref()))
    }

    fn name(&self) -> String {
        "tversky".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction);
        let sum = |x: Tensor| x.sum_along(axes_of(self.axes.as_ref()));
        let common = sum(&y * prediction);
        let missing = sum((1.0 - prediction) * &y) * self.alpha;
        let superfluous = sum((1.0 - &y) * prediction) * self.beta;
        1.0 - &common / (&common + missing + superfluous + EPSILON)
    }
}

fn axes_of(axes: Option<&Vec<isize>>) -> Axes {
    axes.map_or(Axes::ALL, |axes| Axes::from(axes.clone()))
}

fn with_axes(config: Config, axes: Option<&Vec<isize>>) -> Config {
    match axes {
        Some(axes) => config.field("axis", axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>()),
        None => config,
    }
}
