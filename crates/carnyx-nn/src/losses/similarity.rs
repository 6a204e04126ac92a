//! The loss of directions.

use super::{EPSILON, Loss, fit_to};
use crate::Config;
use carnyx_graph::Tensor;

/// Minus the cosine of the angle between target and prediction: `-Σ (y / ‖y‖) (p / ‖p‖)` over the last axis. It goes
/// from -1 (the same direction) to 1 (opposite ones).
///
/// For embeddings, of which only the direction matters. As a metric there is
/// [`metrics::CosineSimilarity`](crate::metrics::CosineSimilarity), with the other sign.
///
/// # Shape
/// Predictions and targets `[batch, units]`; a row of zeros has no direction and a similarity of 0.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{CosineSimilarity, Loss};
/// let y = Tensor::from(&Array::from([[1f32, 0.0], [0.0, 1.0]]));
/// let p = Tensor::from(&Array::from([[5f32, 0.0], [1.0, 0.0]]));
/// assert_eq!(CosineSimilarity.per_sample(&y, &p).eval()?, Array::from([-1f32, 0.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.CosineSimilarity`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct CosineSimilarity;

impl Loss for CosineSimilarity {
    fn config(&self) -> Option<Config> {
        Some(Config::new("CosineSimilarity"))
    }

    fn name(&self) -> String {
        "cosine_similarity".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction);
        -(normalized(&y) * normalized(prediction)).sum_along(-1)
    }
}

/// Rows divided by their lengths; lengths below 10⁻⁷ count as that.
#[track_caller]
pub(crate) fn normalized(x: &Tensor) -> Tensor {
    // The square is limited, not the length: at a row of zeros the length has no slope.
    let length = x.square().sum_keep(-1).maximum(EPSILON * EPSILON);
    x * length.rsqrt()
}
