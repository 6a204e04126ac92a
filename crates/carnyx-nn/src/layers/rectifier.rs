//! The rectifier with a slope, a threshold and a greatest value.

use super::features::{check_floats, or_invalid};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module};
use carnyx_graph::{Error, Result, Tensor};

/// `min(x, max_value)` above the threshold, `negative_slope · (x - threshold)` below: Keras's layer `ReLU` with all of
/// its numbers. For the usual ones there are [`Relu`](crate::Relu), [`Relu6`](crate::Relu6) and
/// [`LeakyRelu`](crate::LeakyRelu).
///
/// # Shape
/// Any shape; the result has the same.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Apply, Eval, Rectifier};
/// let rectifier = Rectifier::new().max_value(10.0).negative_slope(0.5);
/// let x = Tensor::from(&Array::from([-10f32, -5.0, 0.0, 5.0, 12.0]));
/// assert_eq!(rectifier.apply(&x).eval()?, Array::from([-5f32, -2.5, 0.0, 5.0, 10.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Module, Clone, Copy, Debug, Default)]
#[module(saved)]
pub struct Rectifier {
    max_value: Option<f32>,
    negative_slope: f32,
    threshold: f32,
}

impl Rectifier {
    /// `max(x, 0)`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// assert!(Rectifier::new().apply(&Tensor::input("x", [4])).check().is_ok());
    /// ```
    pub fn new() -> Rectifier {
        Rectifier::default()
    }

    /// The greatest value that comes out.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let bounded = Rectifier::new().max_value(1.0);
    /// # let _ = bounded;
    /// ```
    pub fn max_value(mut self, max_value: f32) -> Rectifier {
        self.max_value = Some(max_value);
        self
    }

    /// The slope below the threshold.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let leaky = Rectifier::new().negative_slope(0.1);
    /// # let _ = leaky;
    /// ```
    pub fn negative_slope(mut self, slope: f32) -> Rectifier {
        self.negative_slope = slope;
        self
    }

    /// Values up to this one count as negative.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let thresholded = Rectifier::new().threshold(1.0); // x where x > 1, else 0
    /// # let _ = thresholded;
    /// ```
    pub fn threshold(mut self, threshold: f32) -> Rectifier {
        self.threshold = threshold;
        self
    }

    pub(crate) fn read(fields: Fields) -> Result<Rectifier> {
        let max_value = fields.get("max_value").map(|_| fields.float("max_value", 0.0)).transpose()?;
        let (slope, threshold) = (fields.float("negative_slope", 0.0)?, fields.float("threshold", 0.0)?);
        Ok(Rectifier { max_value, negative_slope: slope, threshold })
    }

    fn saved(&self) -> Config {
        let config = Config::new("ReLU")
            .field("negative_slope", decimal(self.negative_slope))
            .field("threshold", decimal(self.threshold));
        match self.max_value {
            Some(max_value) => config.field("max_value", decimal(max_value)),
            None => config,
        }
    }

    fn rectified(self, x: &Tensor) -> Result<Tensor> {
        check_floats("ReLU", x)?;
        let numbers = [
            ("max_value", self.max_value.unwrap_or(0.0)),
            ("negative_slope", self.negative_slope),
            ("threshold", self.threshold),
        ];
        if let Some((name, value)) = numbers.into_iter().find(|(_, value)| value.is_nan() || *value < 0.0) {
            return Err(Error::new("rectifier", format!("`{name}` of a `Rectifier` is {value}"))
                .label("it must be a number from 0 on"));
        }
        let above = x.greater(self.threshold).select(x, x.zeros_like());
        let above = match self.max_value {
            Some(max_value) => above.minimum(max_value),
            None => above,
        };
        if self.negative_slope == 0.0 {
            return Ok(above.with_mask_of(x));
        }
        let below = (-x + self.threshold).relu();
        Ok((above - below * self.negative_slope).with_mask_of(x))
    }
}

impl Layer for Rectifier {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.rectified(x))
    }
}
