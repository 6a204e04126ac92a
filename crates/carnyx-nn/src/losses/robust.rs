//! Losses of quantities that forgive outliers: squared errors near the target, absolute ones far from it.
// The constants are named as the types, so that a loss reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::regression::mean_of_units;
use super::{Loss, fit_to};
use crate::Config;
use carnyx_graph::{Error, Tensor};

/// Half the squared error up to a distance `delta`, a straight line beyond: `e² / 2` where `|e| ≤ delta`, else
/// `delta |e| - delta² / 2`; mean over the last axis.
///
/// As smooth as [`MeanSquaredError`](super::MeanSquaredError) near the target, as calm as
/// [`MeanAbsoluteError`](super::MeanAbsoluteError) about outliers.
///
/// # Shape
/// As for [`MeanSquaredError`](super::MeanSquaredError).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Huber, Loss};
/// let y = Tensor::from(&Array::from([0f32, 0.0]));
/// let p = Tensor::from(&Array::from([1f32, 10.0]));
/// assert_eq!(Huber.per_sample(&y, &p).eval()?, Array::from([0.5f32, 9.5]));
/// assert_eq!(Huber.delta(2.0).per_sample(&y, &p).eval()?, Array::from([0.5f32, 18.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Huber, [Robust Estimation of a Location Parameter](https://doi.org/10.1214/aoms/1177703732);
/// [`keras.losses.Huber`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug)]
pub struct Huber {
    delta: f64,
}

/// Huber's loss with a `delta` of 1.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Huber, Loss};
/// assert_eq!(Loss::name(&Huber), "huber_loss");
/// ```
pub const Huber: Huber = Huber { delta: 1.0 };

impl Huber {
    /// The distance up to which errors are squared; above 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Huber;
    /// let patient = Huber.delta(3.0);
    /// # let _ = patient;
    /// ```
    pub fn delta(mut self, delta: f64) -> Huber {
        self.delta = delta;
        self
    }
}

/// A `delta` of 1.
impl Default for Huber {
    fn default() -> Huber {
        Huber
    }
}

impl Loss for Huber {
    fn config(&self) -> Option<Config> {
        Some(Config::new("Huber").unless_default("delta", self.delta, 1.0))
    }

    fn name(&self) -> String {
        "huber_loss".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let delta = self.delta;
        if delta <= 0.0 || delta.is_nan() {
            return Tensor::invalid(
                Error::new("loss", format!("a `delta` of {delta}"))
                    .label("it is the distance up to which errors are squared")
                    .help("take a number above 0: 1 is common"),
            );
        }
        let error = prediction - fit_to(target, prediction);
        let distance = error.abs();
        let far = &distance * delta - 0.5 * delta * delta;
        mean_of_units(&distance.less_equal(delta).select(error.square() * 0.5, far))
    }
}

/// The logarithm of the hyperbolic cosine of the error: `ln cosh(p - y)`, mean over the last axis.
///
/// About `e² / 2` near the target and `|e| - ln 2` far from it, and smooth everywhere.
///
/// # Shape
/// As for [`MeanSquaredError`](super::MeanSquaredError).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{LogCosh, Loss};
/// let (y, p) = (Tensor::from(&Array::from([0f32])), Tensor::from(&Array::from([2f32])));
/// assert!((LogCosh.of(&y, &p).eval()?.item()? - 2f64.cosh().ln()).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.LogCosh`](https://keras.io/api/losses/regression_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct LogCosh;

impl Loss for LogCosh {
    fn config(&self) -> Option<Config> {
        Some(Config::new("LogCosh"))
    }

    fn name(&self) -> String {
        "log_cosh".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let error = prediction - fit_to(target, prediction);
        mean_of_units(&(&error + (&error * -2.0).softplus() - 2f64.ln()))
    }
}
