//! Losses of predictions that are quantities.

use super::{Loss, fit_to};
use carnyx_graph::Tensor;

/// The mean of squared errors: `mean((p - y)²)` over the last axis.
///
/// Large errors weigh most, so a few outliers can dominate; [`MeanAbsoluteError`] resists them.
///
/// # Shape
/// Predictions `[batch, units]` and targets of the same shape; targets `[batch]` fit predictions `[batch, 1]`.
/// Targets of any type are converted to the predictions' type.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, MeanSquaredError};
/// let y = Tensor::from(&Array::from([1f32, 2.0]));
/// let p = Tensor::from(&Array::from([[1f32], [4.0]]));
/// assert_eq!(MeanSquaredError.of(&y, &p).eval()?.item()?, 2.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.MeanSquaredError`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanSquaredError;

impl Loss for MeanSquaredError {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::loss("MeanSquaredError", false))
    }

    fn name(&self) -> String {
        "mean_squared_error".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        mean_of_units(&(prediction - fit_to(target, prediction)).square())
    }

    #[track_caller]
    fn of(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        (prediction - fit_to(target, prediction)).square().mean()
    }
}

/// The mean of absolute errors: `mean(|p - y|)` over the last axis.
///
/// Its best constant prediction is the median, so outliers count no more than anything else.
///
/// # Shape
/// As for [`MeanSquaredError`].
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, MeanAbsoluteError};
/// let y = Tensor::from(&Array::from([1f32, 2.0]));
/// let p = Tensor::from(&Array::from([[1f32], [4.0]]));
/// assert_eq!(MeanAbsoluteError.of(&y, &p).eval()?.item()?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.MeanAbsoluteError`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanAbsoluteError;

impl Loss for MeanAbsoluteError {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::loss("MeanAbsoluteError", false))
    }

    fn name(&self) -> String {
        "mean_absolute_error".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        mean_of_units(&(prediction - fit_to(target, prediction)).abs())
    }

    #[track_caller]
    fn of(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        (prediction - fit_to(target, prediction)).abs().mean()
    }
}

/// The mean over the last axis, unless the only axis is the batch.
#[track_caller]
pub(super) fn mean_of_units(errors: &Tensor) -> Tensor {
    if errors.rank() > 1 { errors.mean_along(-1) } else { errors.clone() }
}
