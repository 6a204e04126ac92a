//! Normal noise while training: added, or multiplied.

use super::dropout::check_mode;
use super::features::{check_floats, or_invalid};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module, Noise};
use carnyx_graph::{Error, Result, Tensor};

/// In training, adds normal noise of mean 0, other numbers each time: data that are never quite the same. In
/// inference, nothing.
///
/// # Shape
/// Any shape; the result has the same.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, GaussianNoise, Sequential};
/// let net = Sequential::new().then(GaussianNoise::new(0.1)).then(Dense::new(3));
/// # let _ = net;
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct GaussianNoise {
    deviation: f32,
    noise: Noise,
}

impl GaussianNoise {
    /// Noise of this standard deviation, at least 0.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = GaussianNoise::new(-1.0).apply(&Tensor::input("x", [4]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "deviation");
    /// ```
    pub fn new(deviation: f32) -> GaussianNoise {
        GaussianNoise { deviation, noise: Noise::new() }
    }

    pub(crate) fn read(fields: Fields) -> Result<GaussianNoise> {
        Ok(GaussianNoise::new(fields.number("stddev", None)? as f32))
    }

    fn saved(&self) -> Config {
        Config::new("GaussianNoise").field("stddev", decimal(self.deviation))
    }

    fn noisy(&self, x: &Tensor) -> Result<Tensor> {
        check_floats("GaussianNoise", x)?;
        if !(self.deviation >= 0.0 && self.deviation.is_finite()) {
            let title = format!("there is no noise of standard deviation {}", self.deviation);
            return Err(Error::new("deviation", title).label("it must be a number from 0 on"));
        }
        check_mode("GaussianNoise", x)?;
        if !x.is_training() || self.deviation == 0.0 {
            return Ok(x.clone());
        }
        Ok((x + normal_like(x, &self.noise) * self.deviation).with_mask_of(x))
    }
}

impl Layer for GaussianNoise {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.noisy(x))
    }
}

/// In training, multiplies each element by normal noise of mean 1 and standard deviation `√(rate / (1 - rate))`,
/// which is that of [`Dropout`](crate::Dropout). In inference, nothing.
///
/// Srivastava et al. 2014, *Dropout: a simple way to prevent neural networks from overfitting*, section 10.
///
/// # Shape
/// Any shape; the result has the same.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, GaussianDropout, Sequential};
/// let net = Sequential::new().then(Dense::new(30)).then(GaussianDropout::new(0.2)).then(Dense::new(3));
/// # let _ = net;
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct GaussianDropout {
    rate: f32,
    noise: Noise,
}

impl GaussianDropout {
    /// Noise as strong as that of a dropout at this rate, at least 0 and less than 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = GaussianDropout::new(1.0).apply(&Tensor::input("x", [4]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "rate");
    /// ```
    pub fn new(rate: f32) -> GaussianDropout {
        GaussianDropout { rate, noise: Noise::new() }
    }

    pub(crate) fn read(fields: Fields) -> Result<GaussianDropout> {
        Ok(GaussianDropout::new(fields.number("rate", None)? as f32))
    }

    fn saved(&self) -> Config {
        Config::new("GaussianDropout").field("rate", decimal(self.rate))
    }

    fn noisy(&self, x: &Tensor) -> Result<Tensor> {
        check_floats("GaussianDropout", x)?;
        if !(0.0..1.0).contains(&self.rate) {
            let title = format!("a `GaussianDropout` layer cannot have the rate {}", self.rate);
            return Err(Error::new("rate", title).label("the rate must be at least 0 and less than 1"));
        }
        check_mode("GaussianDropout", x)?;
        if !x.is_training() || self.rate == 0.0 {
            return Ok(x.clone());
        }
        let deviation = (self.rate / (1.0 - self.rate)).sqrt();
        Ok((x * (normal_like(x, &self.noise) * deviation + 1.0)).with_mask_of(x))
    }
}

impl Layer for GaussianDropout {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.noisy(x))
    }
}

/// Normal numbers of mean 0 and standard deviation 1 in the shape and type of `x`.
fn normal_like(x: &Tensor, noise: &Noise) -> Tensor {
    Tensor::random_normal(x.shape(), noise.address()).cast(x.dtype())
}
