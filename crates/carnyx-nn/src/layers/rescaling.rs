//! Numbers in another range.

use crate::saving::numbers;
use crate::{Config, Layer, Module};
use carnyx_graph::{Array, DType, Tensor};

/// `x · scale + offset`: brings pixels of 0 to 255 into 0 to 1, say. Takes integers too, which become `f32`.
///
/// # Shape
/// Any shape; the result has the same. Scale and offset may be arrays that broadcast to it: one number per channel.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, DType, Tensor};
/// use carnyx_nn::{Apply, Rescaling};
/// let pixels = Tensor::from(&Array::full([2, 28, 28], 255u8));
/// let to_minus_one_to_one = Rescaling::new(1.0 / 127.5).offset(-1.0);
/// assert_eq!(to_minus_one_to_one.apply(&pixels).dtype(), DType::F32);
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Rescaling {
    scale: Array,
    offset: Option<Array>,
}

impl Rescaling {
    /// A layer that multiplies by `scale`: a number, or an array that broadcasts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let pixels = Rescaling::new(1.0 / 255.0);
    /// # let _ = pixels;
    /// ```
    pub fn new(scale: impl Into<Array>) -> Rescaling {
        Rescaling { scale: scale.into(), offset: None }
    }

    /// What is added afterwards: a number, or an array that broadcasts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let pixels = Rescaling::new(1.0 / 127.5).offset(-1.0); // to [-1, 1]
    /// # let _ = pixels;
    /// ```
    pub fn offset(mut self, offset: impl Into<Array>) -> Rescaling {
        self.offset = Some(offset.into());
        self
    }

    fn saved(&self) -> Config {
        let offset = self.offset.as_ref().map_or(0.0.into(), numbers);
        Config::new("Rescaling").field("scale", numbers(&self.scale)).field("offset", offset)
    }
}

impl Layer for Rescaling {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let numbers = if x.dtype().is_float() { x.clone() } else { x.cast(DType::F32) };
        let scaled = &numbers * self.scale.cast(numbers.dtype());
        let rescaled = match &self.offset {
            Some(offset) => scaled + offset.cast(numbers.dtype()),
            None => scaled,
        };
        rescaled.with_mask_of(x)
    }
}
