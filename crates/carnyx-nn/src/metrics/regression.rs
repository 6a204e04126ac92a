//! Metrics of quantities that are no loss, or a loss of another name.

use super::{Metric, Tally};
use crate::Config;
use crate::losses::{LogCosh, Loss, MeanSquaredError, fit_to, normalized};
use carnyx_graph::{Result, Tensor};

/// The square root of the mean of squared errors: an error in the unit of the targets.
///
/// # Shape
/// As for [`MeanSquaredError`].
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, RootMeanSquaredError};
/// assert_eq!(RootMeanSquaredError.name(), "root_mean_squared_error");
/// ```
///
/// Reference: [`keras.metrics.RootMeanSquaredError`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct RootMeanSquaredError;

impl Metric for RootMeanSquaredError {
    fn config(&self) -> Option<Config> {
        Some(Config::new("RootMeanSquaredError"))
    }

    fn name(&self) -> String {
        "root_mean_squared_error".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        tally.add_mean(&MeanSquaredError.per_sample(target, prediction));
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        tally.mean().map(f64::sqrt)
    }
}

/// The mean cosine of the angle between target and prediction: 1 for the same direction, -1 for opposite ones.
///
/// The loss of this name, [`losses::CosineSimilarity`](crate::losses::CosineSimilarity), has the other sign.
///
/// # Shape
/// Predictions and targets `[batch, units]`; a row of zeros has no direction and a similarity of 0.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{CosineSimilarity, Metric};
/// let y = Array::from([[1f32, 0.0], [0.0, 1.0]]);
/// let p = Array::from([[5f32, 0.0], [1.0, 0.0]]);
/// assert_eq!(CosineSimilarity.measure(&y, &p)?, 0.5);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.CosineSimilarity`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct CosineSimilarity;

impl Metric for CosineSimilarity {
    fn config(&self) -> Option<Config> {
        Some(Config::new("CosineSimilarity"))
    }

    fn name(&self) -> String {
        "cosine_similarity".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let y = fit_to(target, prediction);
        let cosines = (normalized(&y) * normalized(prediction)).sum_along(-1);
        tally.add_mean(&cosines.with_mask_of(prediction));
    }
}

/// The mean of `ln cosh(p - y)`: the loss [`LogCosh`] under the name that Keras has for the metric.
///
/// # Shape
/// As for [`MeanSquaredError`].
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{LogCoshError, Metric};
/// assert_eq!(LogCoshError.name(), "logcosh");
/// ```
///
/// Reference: [`keras.metrics.LogCoshError`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct LogCoshError;

impl Metric for LogCoshError {
    fn config(&self) -> Option<Config> {
        Some(Config::new("LogCoshError"))
    }

    fn name(&self) -> String {
        "logcosh".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        tally.add_mean(&LogCosh.per_sample(target, prediction).with_mask_of(prediction));
    }
}
