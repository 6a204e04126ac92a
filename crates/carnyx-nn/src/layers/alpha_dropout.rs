//! Dropout that keeps mean and variance.

use super::dropout::check_mode;
use super::features::{check_floats, or_invalid};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module, Noise};
use carnyx_file::Value;
use carnyx_graph::{Error, Result, Tensor};

/// In training, sets a share `rate` of the elements to the value that [`Selu`](crate::Selu) gives for -∞, others each
/// time, and then scales and shifts all so that mean 0 and variance 1 stay what they are: the dropout for networks of
/// `Selu`. In inference, nothing.
///
/// Klambauer et al. 2017, *Self-normalizing neural networks*.
///
/// # Shape
/// Any shape; the result has the same.
///
/// # Example
/// ```
/// use carnyx_nn::{AlphaDropout, Dense, LecunNormal, Selu, Sequential};
/// let net = Sequential::new()
///     .then(Dense::new(30).activation(Selu).kernel_initializer(LecunNormal))
///     .then(AlphaDropout::new(0.1));
/// # let _ = net;
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct AlphaDropout {
    rate: f32,
    noise: Noise,
}

const KIND: &str = "AlphaDropout";

/// The limit of the SELU at -∞.
const SATURATION: f64 = -1.758_099_340_847_376_6;

impl AlphaDropout {
    /// A layer that drops a share `rate` of the elements, at least 0 and less than 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = AlphaDropout::new(1.0).apply(&Tensor::input("x", [4]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "rate");
    /// ```
    pub fn new(rate: f32) -> AlphaDropout {
        AlphaDropout { rate, noise: Noise::new() }
    }

    pub(crate) fn read(fields: Fields) -> Result<AlphaDropout> {
        fields.only(&[("noise_shape", Value::Null)])?;
        Ok(AlphaDropout::new(fields.number("rate", None)? as f32))
    }

    fn saved(&self) -> Config {
        Config::new(KIND).field("rate", decimal(self.rate))
    }

    fn dropped(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::new(
                "rate",
                format!("an `{KIND}` layer cannot drop a share of {}", self.rate),
            )
            .label("the rate must be at least 0 and less than 1"));
        }
        check_mode(KIND, x)?;
        if !x.is_training() || self.rate == 0.0 {
            return Ok(x.clone());
        }
        let rate = decimal(self.rate);
        let scale = ((1.0 - rate) * (1.0 + rate * SATURATION.powi(2))).sqrt().recip();
        let shift = -scale * SATURATION * rate;
        let kept = Tensor::random_bernoulli(x.shape(), 1.0 - self.rate, self.noise.address());
        Ok((kept.select(x, x.full_like(SATURATION)) * scale + shift).with_mask_of(x))
    }
}

impl Layer for AlphaDropout {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.dropped(x))
    }
}
