//! A function as a layer.

use crate::{Layer, Module};
use carnyx_graph::Tensor;
use std::sync::Arc;

/// A function from a tensor to a tensor as a layer without variables: for `then`, and for activations of one's own.
///
/// # Shape
/// Whatever the function makes of it.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Lambda};
/// let squared_relu = Lambda::new(|x| x.relu().square());
/// let dense = Dense::new(30).activation(squared_relu);
/// assert!(dense.apply(&Tensor::input("x", [4])).check().is_ok());
/// ```
#[derive(Module, Clone)]
pub struct Lambda {
    #[module(skip)]
    function: Arc<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
}

impl Lambda {
    /// The layer that applies `function`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let squares = Lambda::new(|x| x.square());
    /// assert_eq!(squares.apply(&Tensor::input("x", [4])).rank(), 2);
    /// ```
    pub fn new(function: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static) -> Lambda {
        Lambda { function: Arc::new(function) }
    }
}

impl Layer for Lambda {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        (self.function)(x)
    }
}
