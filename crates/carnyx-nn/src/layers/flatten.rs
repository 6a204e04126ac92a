//! All axes but the batch as one.

use crate::{Config, Layer, Module};
use carnyx_graph::Tensor;

/// All axes but the batch become one, in row-major order.
///
/// # Shape
/// `[batch, …]` to `[batch, product of …]`; `[batch]` to `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Flatten};
/// let images = Tensor::input("images", [28, 28]);
/// assert_eq!(Flatten.apply(&images).shape().to_string(), "[batch, 784]");
/// ```
#[derive(Module, Clone, Copy, Debug, Default)]
#[module(saved)]
pub struct Flatten;

impl Flatten {
    #[expect(clippy::unused_self, reason = "all layers are asked like this")]
    fn saved(self) -> Config {
        Config::new("Flatten")
    }
}

impl Layer for Flatten {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        if x.rank() == 1 { x.expand(-1) } else { x.flatten() }
    }
}
