//! Each sample brought to mean 0 and variance 1.

use super::features::{along, check_floats, feature_axes, or_invalid, sizes};
use super::gains::Gains;
use crate::constraints::Constraint;
use crate::regularizers::Regularizer;
use crate::saving::{Fields, decimal, with};
use crate::{Config, Layer, Module, Ones, Zeros};
use carnyx_graph::{Initializer, Result, Tensor, Variable};
use std::sync::Arc;

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, with mean and variance along the features of each sample: the
/// same in training and in inference, for any size of the batch.
///
/// Ba, Kiros & Hinton 2016, *Layer normalization*.
///
/// # Shape
/// `[batch, …, features]` to the same; see [`axes`](LayerNormalization::axes) for others. `gamma` and `beta` have the
/// sizes of these axes.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, LayerNormalization, Variables};
/// let normalization = LayerNormalization::new();
/// assert_eq!(normalization.apply(&Tensor::input("words", [20, 64])).shape().to_string(), "[batch, 20, 64]");
/// assert_eq!(normalization.num_parameters(), 2 * 64);
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct LayerNormalization {
    axes: Vec<isize>,
    epsilon: f32,
    rms_scaling: bool,
    gamma: Option<Variable>,
    beta: Option<Variable>,
}

const KIND: &str = "LayerNormalization";

impl LayerNormalization {
    /// A layer with Keras's defaults: the last axis, epsilon 0.001.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(LayerNormalization::new().trainable().len(), 2);
    /// ```
    pub fn new() -> LayerNormalization {
        LayerNormalization {
            axes: vec![-1],
            epsilon: 1e-3,
            rms_scaling: false,
            gamma: Some(Variable::new(Ones)),
            beta: Some(Variable::new(Zeros)),
        }
    }

    /// The axes along which mean and variance are taken.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let whole = LayerNormalization::new().axes([1, 2, 3]);
    /// whole.apply(&Tensor::input("images", [8, 8, 3]));
    /// assert_eq!(whole.variables()[0].shape(), Some(vec![8, 8, 3]));
    /// ```
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> LayerNormalization {
        self.axes = axes.into();
        self
    }

    /// What is added to the variance.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let exact = LayerNormalization::new().epsilon(1e-6);
    /// # let _ = exact;
    /// ```
    pub fn epsilon(mut self, epsilon: f32) -> LayerNormalization {
        self.epsilon = epsilon;
        self
    }

    /// Without the offset `beta`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(LayerNormalization::new().without_center().trainable().len(), 1);
    /// ```
    pub fn without_center(mut self) -> LayerNormalization {
        self.beta = None;
        self
    }

    /// Without the gain `gamma`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(LayerNormalization::new().without_scale().trainable().len(), 1);
    /// ```
    pub fn without_scale(mut self) -> LayerNormalization {
        self.gamma = None;
        self
    }

    /// How the gain starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let silent = LayerNormalization::new().gamma_initializer(Zeros);
    /// # let _ = silent;
    /// ```
    pub fn gamma_initializer(mut self, initializer: impl Initializer + 'static) -> LayerNormalization {
        let gamma = self.gamma.unwrap_or_else(|| Variable::new(Ones));
        self.gamma = Some(gamma.initialized_by(initializer));
        self
    }

    /// How the offset starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let shifted = LayerNormalization::new().beta_initializer(Ones);
    /// # let _ = shifted;
    /// ```
    pub fn beta_initializer(mut self, initializer: impl Initializer + 'static) -> LayerNormalization {
        let beta = self.beta.unwrap_or_else(|| Variable::new(Zeros));
        self.beta = Some(beta.initialized_by(initializer));
        self
    }

    /// A penalty for the gains, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = LayerNormalization::new().gamma_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn gamma_regularizer(mut self, regularizer: impl Regularizer) -> LayerNormalization {
        self.gamma = self.gamma.map(|gamma| gamma.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the gains are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = LayerNormalization::new().gamma_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn gamma_constraint(mut self, constraint: impl Constraint) -> LayerNormalization {
        self.gamma = self.gamma.map(|gamma| gamma.constrained(Arc::new(constraint)));
        self
    }

    /// A penalty for the offsets, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = LayerNormalization::new().beta_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn beta_regularizer(mut self, regularizer: impl Regularizer) -> LayerNormalization {
        self.beta = self.beta.map(|beta| beta.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the offsets are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = LayerNormalization::new().beta_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn beta_constraint(mut self, constraint: impl Constraint) -> LayerNormalization {
        self.beta = self.beta.map(|beta| beta.constrained(Arc::new(constraint)));
        self
    }

    /// `x / √(variance + epsilon) · gamma`, without mean and offset: what Keras's deprecated `rms_scaling` does, for
    /// models that have it. New ones take [`RmsNormalization`](crate::RmsNormalization).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(LayerNormalization::new().rms_scaling().trainable().len(), 1);
    /// ```
    pub fn rms_scaling(mut self) -> LayerNormalization {
        let gamma = self.gamma.unwrap_or_else(|| Variable::new(Ones));
        (self.rms_scaling, self.gamma, self.beta) = (true, Some(gamma), None);
        self
    }

    fn gains(&self) -> Gains<'_> {
        Gains { gamma: self.gamma.as_ref(), beta: self.beta.as_ref() }
    }

    pub(crate) fn read(fields: Fields) -> Result<LayerNormalization> {
        let usual = LayerNormalization::new();
        let axes = fields.axes("axis", &usual.axes)?;
        let layer = LayerNormalization { axes, epsilon: fields.float("epsilon", usual.epsilon)?, ..usual };
        let layer =
            with(layer, fields.initializer("gamma_initializer")?, LayerNormalization::gamma_initializer);
        let layer =
            with(layer, fields.initializer("beta_initializer")?, LayerNormalization::beta_initializer);
        let layer =
            with(layer, fields.regularizer("gamma_regularizer")?, LayerNormalization::gamma_regularizer);
        let layer =
            with(layer, fields.regularizer("beta_regularizer")?, LayerNormalization::beta_regularizer);
        let layer = with(layer, fields.constraint("gamma_constraint")?, LayerNormalization::gamma_constraint);
        let layer = with(layer, fields.constraint("beta_constraint")?, LayerNormalization::beta_constraint);
        if fields.truth("rms_scaling", false)? {
            return Ok(layer.rms_scaling());
        }
        let layer = if fields.truth("center", true)? { layer } else { layer.without_center() };
        Ok(if fields.truth("scale", true)? { layer } else { layer.without_scale() })
    }

    fn saved(&self) -> Config {
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        let config = Config::new(KIND)
            .field("axis", axes)
            .field("epsilon", decimal(self.epsilon))
            .field("rms_scaling", self.rms_scaling);
        self.gains().saved(config)
    }

    fn normalized(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        let shape = x.shape();
        let axes = feature_axes(KIND, &self.axes, &shape)?;
        let along_features: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
        let centered = x - x.mean_keep(along_features.clone());
        let inverse = (centered.square().mean_keep(along_features) + self.epsilon).rsqrt();
        let scaled = if self.rms_scaling { x * inverse } else { centered * inverse };
        let along = |values: &Tensor| along(values, &shape, &axes);
        Ok(self.gains().after(&scaled, &sizes(&shape, &axes), along).with_mask_of(x))
    }
}

impl Default for LayerNormalization {
    fn default() -> LayerNormalization {
        LayerNormalization::new()
    }
}

impl Layer for LayerNormalization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.normalized(x))
    }
}
