//! Steps of a sequence that count for nothing.

use super::features::{check_floats, or_invalid};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module};
use carnyx_graph::{Error, Result, Tensor};

/// Sets the steps to zero in which every feature has the mask's value: padding, at the end of shorter sequences.
///
/// What follows learns which steps those were, by the [mask](Tensor::mask) of the result: losses and means of metrics
/// leave them out.
///
/// # Shape
/// `[batch, …, features]` to the same.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Apply, Eval, Masking};
/// let x = Tensor::from(&Array::from([[[1f32, -1.0], [-1.0, -1.0]]]));
/// assert_eq!(Masking::new(-1.0).apply(&x).eval()?, Array::from([[[1f32, -1.0], [0.0, 0.0]]]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Module, Clone, Copy, Debug)]
#[module(saved)]
pub struct Masking {
    value: f32,
}

impl Masking {
    /// Masks steps of nothing but `value`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// assert!(Masking::new(0.0).apply(&Tensor::input("x", [5, 3])).check().is_ok());
    /// ```
    pub fn new(value: f32) -> Masking {
        Masking { value }
    }

    pub(crate) fn read(fields: Fields) -> Result<Masking> {
        Ok(Masking::new(fields.float("mask_value", 0.0)?))
    }

    fn saved(self) -> Config {
        Config::new("Masking").field("mask_value", decimal(self.value))
    }

    fn masked(self, x: &Tensor) -> Result<Tensor> {
        check_floats("Masking", x)?;
        if x.rank() < 2 {
            return Err(Error::new("shape", format!("`Masking` cannot work on {}", x.shape()))
                .label("it looks at the features of each step, which are the last axis"));
        }
        let is_step = x.not_equal(self.value).any_along(-1);
        let kept = is_step.expand(-1).broadcast_to(x.shape()).select(x, x.zeros_like());
        Ok(kept.with_mask(is_step))
    }
}

impl Layer for Masking {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.masked(x))
    }
}
