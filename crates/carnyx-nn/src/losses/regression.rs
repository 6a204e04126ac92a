//! Losses of predictions that are quantities.

use super::{EPSILON, Loss, Reduction, fit_to, reduced};
use crate::Config;
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
        Some(Config::new("MeanSquaredError"))
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
        if prediction.mask().is_some() {
            return reduced(self, Reduction::default(), target, prediction, None);
        }
        // One mean in place of two.
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
        Some(Config::new("MeanAbsoluteError"))
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
        if prediction.mask().is_some() {
            return reduced(self, Reduction::default(), target, prediction, None);
        }
        // One mean in place of two.
        (prediction - fit_to(target, prediction)).abs().mean()
    }
}

/// The mean of absolute errors in percent of the targets: `100 mean(|y - p| / |y|)` over the last axis.
///
/// For quantities of very different sizes. Targets near 0 make it huge (the divisor is at least 10⁻⁷), and it prefers
/// predictions that are too small.
///
/// # Shape
/// As for [`MeanSquaredError`].
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, MeanAbsolutePercentageError};
/// let y = Tensor::from(&Array::from([10f32, 200.0]));
/// let p = Tensor::from(&Array::from([[11f32], [180.0]]));
/// assert!((MeanAbsolutePercentageError.of(&y, &p).eval()?.item()? - 10.0).abs() < 1e-5);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.MeanAbsolutePercentageError`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanAbsolutePercentageError;

impl Loss for MeanAbsolutePercentageError {
    fn config(&self) -> Option<Config> {
        Some(Config::new("MeanAbsolutePercentageError"))
    }

    fn name(&self) -> String {
        "mean_absolute_percentage_error".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction);
        let share = ((&y - prediction) / y.abs().maximum(EPSILON)).abs();
        mean_of_units(&share) * 100.0
    }
}

/// The mean of squared differences of logarithms: `mean((ln(1 + p) - ln(1 + y))²)` over the last axis.
///
/// For quantities that grow by factors: 10 for 20 is as wrong as 1000 for 2000. Values below 10⁻⁷ count as 10⁻⁷, and
/// predictions there learn nothing, so the last layer should give positive numbers.
///
/// # Shape
/// As for [`MeanSquaredError`].
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, MeanSquaredLogarithmicError};
/// let y = Tensor::from(&Array::from([1f32]));
/// let p = Tensor::from(&Array::from([[3f32]]));
/// let loss = MeanSquaredLogarithmicError.of(&y, &p).eval()?.item()?;
/// assert!((loss - 2f64.ln().powi(2)).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.MeanSquaredLogarithmicError`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanSquaredLogarithmicError;

impl Loss for MeanSquaredLogarithmicError {
    fn config(&self) -> Option<Config> {
        Some(Config::new("MeanSquaredLogarithmicError"))
    }

    fn name(&self) -> String {
        "mean_squared_logarithmic_error".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let logarithm = |x: &Tensor| (x.maximum(EPSILON) + 1.0).log();
        let y = fit_to(target, prediction);
        mean_of_units(&(logarithm(prediction) - logarithm(&y)).square())
    }
}

/// The mean over the last axis, unless the only axis is the batch.
#[track_caller]
pub(super) fn mean_of_units(errors: &Tensor) -> Tensor {
    if errors.rank() > 1 { errors.mean_along(-1) } else { errors.clone() }
}
