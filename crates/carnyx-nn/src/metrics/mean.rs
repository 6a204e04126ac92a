//! What predictions are on average and in sum, whatever the targets.

use super::{Metric, Tally};
use carnyx_graph::{DType, Result, Tensor};

/// The mean of all predictions, with the weights of their samples: to see where outputs drift.
///
/// # Shape
/// Predictions of any shape; targets do not matter.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Mean, Metric};
/// let p = Array::from([1f32, 2.0, 6.0]);
/// assert_eq!(Mean.measure(&p, &p)?, 3.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.Mean`](https://keras.io/api/metrics/reduction_metrics/), which is fed by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

impl Metric for Mean {
    fn name(&self) -> String {
        "mean".into()
    }

    fn update(&self, tally: &mut Tally, _target: &Tensor, prediction: &Tensor) {
        tally.add_mean(prediction);
    }
}

/// The sum of all predictions, with the weights of their samples.
///
/// # Shape
/// Predictions of any shape; targets do not matter.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, Sum};
/// let p = Array::from([1f32, 2.0, 6.0]);
/// assert_eq!(Sum.measure(&p, &p)?, 9.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.Sum`](https://keras.io/api/metrics/reduction_metrics/), which is fed by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum;

impl Metric for Sum {
    fn name(&self) -> String {
        "sum".into()
    }

    fn update(&self, tally: &mut Tally, _target: &Tensor, prediction: &Tensor) {
        let sum = tally.weigh(prediction).cast(DType::F64).sum();
        tally.add("total", &sum);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        tally.total("total")?.item()
    }
}
