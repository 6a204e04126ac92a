//! Losses of margins: right is not enough, a prediction has to be right by a distance of 1.

use super::regression::mean_of_units;
use super::{Loss, fit_to, one_hot_targets};
use crate::Config;
use carnyx_graph::{Axes, Tensor};

/// How much is missing to a margin of 1: `max(1 - y p, 0)`, mean over the last axis.
///
/// The loss of support vector machines: samples beyond the margin teach nothing more. Predictions are any numbers, of
/// which the sign decides, so the last layer has no activation (or `tanh`).
///
/// # Shape
/// Predictions `[batch, units]`, targets of the same shape: -1 or 1. Where all targets of a batch are 0 or 1, 0 stands
/// for -1. Targets `[batch]` fit predictions `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Hinge, Loss};
/// let y = Tensor::from(&Array::from([1f32, -1.0]));
/// let p = Tensor::from(&Array::from([0.5f32, -3.0]));
/// assert_eq!(Hinge.per_sample(&y, &p).eval()?, Array::from([0.5f32, 0.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Cortes and Vapnik, [Support-Vector Networks](https://doi.org/10.1007/BF00994018);
/// [`keras.losses.Hinge`](https://keras.io/api/losses/hinge_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct Hinge;

impl Loss for Hinge {
    fn config(&self) -> Option<Config> {
        Some(Config::new("Hinge"))
    }

    fn name(&self) -> String {
        "hinge".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        mean_of_units(&missing_to_margin(target, prediction))
    }
}

/// The square of what is missing to a margin of 1: `max(1 - y p, 0)²`, mean over the last axis.
///
/// Smooth at the margin, and harder on predictions that are far off.
///
/// # Shape
/// As for [`Hinge`].
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, SquaredHinge};
/// let y = Tensor::from(&Array::from([1f32, -1.0]));
/// let p = Tensor::from(&Array::from([0.5f32, -3.0]));
/// assert_eq!(SquaredHinge.per_sample(&y, &p).eval()?, Array::from([0.25f32, 0.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.SquaredHinge`](https://keras.io/api/losses/hinge_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct SquaredHinge;

impl Loss for SquaredHinge {
    fn config(&self) -> Option<Config> {
        Some(Config::new("SquaredHinge"))
    }

    fn name(&self) -> String {
        "squared_hinge".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        mean_of_units(&missing_to_margin(target, prediction).square())
    }
}

/// `max(1 - y p, 0)` in each place.
#[track_caller]
fn missing_to_margin(target: &Tensor, prediction: &Tensor) -> Tensor {
    let y = fit_to(target, prediction);
    let is_truth_value = y.equal(0.0).logical_or(y.equal(1.0));
    let y = is_truth_value.all_along(Axes::ALL).select(&y * 2.0 - 1.0, &y);
    (1.0 - y * prediction).relu()
}

/// How far the score of the right class is from beating every other one by 1:
/// `max(max((1 - y) p) - Σ y p + 1, 0)`.
///
/// # Shape
/// Predictions `[batch, classes]`, any numbers; targets of the same shape, one-hot rows.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{CategoricalHinge, Loss};
/// let y = Tensor::from(&Array::from([[0f32, 1.0, 0.0]]));
/// let p = Tensor::from(&Array::from([[0.5f32, 1.0, -2.0]]));
/// assert_eq!(CategoricalHinge.of(&y, &p).eval()?.item()?, 0.5);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.CategoricalHinge`](https://keras.io/api/losses/hinge_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct CategoricalHinge;

impl Loss for CategoricalHinge {
    fn config(&self) -> Option<Config> {
        Some(Config::new("CategoricalHinge"))
    }

    fn name(&self) -> String {
        "categorical_hinge".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = one_hot_targets(target, prediction);
        let right = (&y * prediction).sum_along(-1);
        let best_other = ((1.0 - y) * prediction).max_along(-1);
        (best_other - right + 1.0).relu()
    }
}
