//! Each sample divided by its root mean square.

use super::features::{along, check_floats, feature_axes, or_invalid, sizes};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module, Ones};
use carnyx_graph::{Result, Tensor, Variable};

/// `x / √(mean(x²) + epsilon) · scale`: [`LayerNormalization`](crate::LayerNormalization) without the mean, which
/// costs less and is as good in many large models.
///
/// Zhang & Sennrich 2019, *Root mean square layer normalization*.
///
/// # Shape
/// `[batch, …, features]` to the same; `scale` is `[features]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, RmsNormalization, Variables};
/// let normalization = RmsNormalization::new();
/// normalization.apply(&Tensor::input("words", [20, 64]));
/// assert_eq!(normalization.num_parameters(), 64);
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct RmsNormalization {
    axes: Vec<isize>,
    epsilon: f32,
    scale: Variable,
}

const KIND: &str = "RMSNormalization";

impl RmsNormalization {
    /// A layer with Keras's defaults: the last axis, epsilon 1e-6.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(RmsNormalization::new().trainable().len(), 1);
    /// ```
    pub fn new() -> RmsNormalization {
        RmsNormalization { axes: vec![-1], epsilon: 1e-6, scale: Variable::new(Ones) }
    }

    /// The axes along which the mean is taken.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let whole = RmsNormalization::new().axes([1, 2]);
    /// assert!(whole.apply(&Tensor::input("x", [4, 3])).check().is_ok());
    /// ```
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> RmsNormalization {
        self.axes = axes.into();
        self
    }

    /// What is added to the mean square.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let cautious = RmsNormalization::new().epsilon(1e-5);
    /// # let _ = cautious;
    /// ```
    pub fn epsilon(mut self, epsilon: f32) -> RmsNormalization {
        self.epsilon = epsilon;
        self
    }

    pub(crate) fn read(fields: Fields) -> Result<RmsNormalization> {
        let usual = RmsNormalization::new();
        let axes = fields.axes("axis", &usual.axes)?;
        Ok(RmsNormalization { axes, epsilon: fields.float("epsilon", usual.epsilon)?, ..usual })
    }

    fn saved(&self) -> Config {
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        Config::new(KIND)
            .field("axis", axes)
            .field("epsilon", decimal(self.epsilon))
            .variable("scale", &self.scale)
    }

    fn normalized(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        let shape = x.shape();
        let axes = feature_axes(KIND, &self.axes, &shape)?;
        let along_features: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
        let inverse = (x.square().mean_keep(along_features) + self.epsilon).rsqrt();
        Ok(x * inverse * along(&self.scale.shaped(sizes(&shape, &axes)), &shape, &axes))
    }
}

impl Default for RmsNormalization {
    fn default() -> RmsNormalization {
        RmsNormalization::new()
    }
}

impl Layer for RmsNormalization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.normalized(x))
    }
}
