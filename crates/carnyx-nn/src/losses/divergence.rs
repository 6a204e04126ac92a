//! Losses of predictions that are distributions or rates.

use super::regression::mean_of_units;
use super::{EPSILON, Loss, fit_to};
use crate::Config;
use carnyx_graph::Tensor;

/// How much is lost when the predicted distribution stands for the true one: `Σ y ln(y / p)` over the last axis.
///
/// It differs from categorical crossentropy by the entropy of the targets, which no prediction can change; it is 0
/// where both agree.
///
/// # Shape
/// Predictions `[batch, classes]`, probabilities; targets of the same shape. Both are kept between 10⁻⁷ and 1.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{KLDivergence, Loss};
/// let y = Tensor::from(&Array::from([[0.5f32, 0.5]]));
/// assert!(KLDivergence.of(&y, &y).eval()?.item()?.abs() < 1e-7);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Kullback and Leibler, [On Information and Sufficiency](https://doi.org/10.1214/aoms/1177729694);
/// [`keras.losses.KLDivergence`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct KLDivergence;

impl Loss for KLDivergence {
    fn config(&self) -> Option<Config> {
        Some(Config::new("KLDivergence"))
    }

    fn name(&self) -> String {
        "kl_divergence".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction).clip(EPSILON, 1.0);
        let p = prediction.clip(EPSILON, 1.0);
        (&y * (&y / p).log()).sum_along(-1)
    }
}

/// How badly a predicted rate explains a count: `p - y ln p`, mean over the last axis.
///
/// For counts (how many customers, how many clicks): the variance of a count grows with its mean, which squared errors
/// know nothing of. The last layer gives rates above 0, by `exp` or `softplus`.
///
/// # Shape
/// Predictions `[batch, units]`, rates; targets of the same shape, counts. Targets `[batch]` fit predictions
/// `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, Poisson};
/// let y = Tensor::from(&Array::from([3f32]));
/// let loss = |rate: f32| Poisson.of(&y, &Tensor::from(&Array::from([rate]))).eval()?.item();
/// assert!(loss(3.0)? < loss(2.9)? && loss(3.0)? < loss(3.1)?);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.Poisson`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct Poisson;

impl Loss for Poisson {
    fn config(&self) -> Option<Config> {
        Some(Config::new("Poisson"))
    }

    fn name(&self) -> String {
        "poisson".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction);
        mean_of_units(&(prediction - y * (prediction + EPSILON).log()))
    }
}
