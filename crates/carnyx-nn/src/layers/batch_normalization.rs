//! Features brought to mean 0 and variance 1 within each batch.

use super::features::{along, check_floats, feature_axes, or_invalid, other_axes};
use super::gains::Gains;
use crate::constraints::Constraint;
use crate::losses::EPSILON;
use crate::regularizers::Regularizer;
use crate::saving::{Fields, decimal, with};
use crate::{Config, Layer, Module, Ones, Zeros};
use carnyx_graph::{Error, Initializer, Result, Tensor, Variable};
use std::sync::Arc;

/// `gamma · (x - mean) / √(variance + epsilon) + beta` for each feature: in training with mean and variance of the
/// batch, in inference with their moving averages, which training keeps: `moving · momentum + batch · (1 - momentum)`.
/// Of a batch with a [mask](Tensor::mask), mean and variance are those of the steps that count.
///
/// A frozen layer keeps its averages and normalises by them in training too, as in Keras. It takes effect at the next
/// step, without a new `compile`.
///
/// Ioffe & Szegedy 2015, *Batch normalization: accelerating deep network training by reducing internal covariate
/// shift*.
///
/// # Shape
/// `[batch, …, features]` to the same; see [`axis`](BatchNormalization::axis) for features elsewhere. `gamma`, `beta`,
/// `moving_mean` and `moving_variance` are `[features]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, BatchNormalization, Dense, Relu, Sequential, Variables};
/// let net = Sequential::new()
///     .then(Dense::new(30).without_bias()) // `beta` is a bias already
///     .then(BatchNormalization::new())
///     .then(Relu);
/// assert!(net.apply(&Tensor::input("x", [4])).check().is_ok());
/// assert_eq!((net.num_parameters(), net.trainable().len()), (4 * 30 + 4 * 30, 3));
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct BatchNormalization {
    axis: isize,
    momentum: f32,
    epsilon: f32,
    gamma: Option<Variable>,
    beta: Option<Variable>,
    moving_mean: Variable,
    moving_variance: Variable,
}

const KIND: &str = "BatchNormalization";

impl BatchNormalization {
    /// A layer with Keras's defaults: the last axis, momentum 0.99, epsilon 0.001.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let normalization = BatchNormalization::new();
    /// assert_eq!(normalization.apply(&Tensor::input("x", [4])).shape().to_string(), "[batch, 4]");
    /// ```
    pub fn new() -> BatchNormalization {
        BatchNormalization {
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            gamma: Some(Variable::new(Ones)),
            beta: Some(Variable::new(Zeros)),
            moving_mean: Variable::new(Zeros).untrained(),
            moving_variance: Variable::new(Ones).untrained(),
        }
    }

    /// The axis of the features, the last one unless it is given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let channels_first = BatchNormalization::new().axis(1);
    /// channels_first.apply(&Tensor::input("images", [3, 28, 28]));
    /// assert_eq!(channels_first.moving_mean().shape(), Some(vec![3]));
    /// ```
    pub fn axis(mut self, axis: isize) -> BatchNormalization {
        self.axis = axis;
        self
    }

    /// How much of the moving averages a step keeps, from 0 to 1. Smaller values follow the data faster.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let quick = BatchNormalization::new().momentum(0.9);
    /// # let _ = quick;
    /// ```
    pub fn momentum(mut self, momentum: f32) -> BatchNormalization {
        self.momentum = momentum;
        self
    }

    /// What is added to the variance, so that a constant feature is not divided by zero.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let exact = BatchNormalization::new().epsilon(1e-5);
    /// # let _ = exact;
    /// ```
    pub fn epsilon(mut self, epsilon: f32) -> BatchNormalization {
        self.epsilon = epsilon;
        self
    }

    /// Without the offset `beta`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(BatchNormalization::new().without_center().trainable().len(), 1);
    /// ```
    pub fn without_center(mut self) -> BatchNormalization {
        self.beta = None;
        self
    }

    /// Without the gain `gamma`: the next layer's kernel can do its work if nothing but sums is between.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(BatchNormalization::new().without_scale().trainable().len(), 1);
    /// ```
    pub fn without_scale(mut self) -> BatchNormalization {
        self.gamma = None;
        self
    }

    /// How the gain starts; zeros make a residual branch start as nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let silent = BatchNormalization::new().gamma_initializer(Zeros);
    /// # let _ = silent;
    /// ```
    pub fn gamma_initializer(mut self, initializer: impl Initializer + 'static) -> BatchNormalization {
        let gamma = self.gamma.unwrap_or_else(|| Variable::new(Ones));
        self.gamma = Some(gamma.initialized_by(initializer));
        self
    }

    /// How the offset starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let shifted = BatchNormalization::new().beta_initializer(Ones);
    /// # let _ = shifted;
    /// ```
    pub fn beta_initializer(mut self, initializer: impl Initializer + 'static) -> BatchNormalization {
        let beta = self.beta.unwrap_or_else(|| Variable::new(Zeros));
        self.beta = Some(beta.initialized_by(initializer));
        self
    }

    /// A penalty for the gains, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = BatchNormalization::new().gamma_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn gamma_regularizer(mut self, regularizer: impl Regularizer) -> BatchNormalization {
        self.gamma = self.gamma.map(|gamma| gamma.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the gains are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = BatchNormalization::new().gamma_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn gamma_constraint(mut self, constraint: impl Constraint) -> BatchNormalization {
        self.gamma = self.gamma.map(|gamma| gamma.constrained(Arc::new(constraint)));
        self
    }

    /// A penalty for the offsets, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = BatchNormalization::new().beta_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn beta_regularizer(mut self, regularizer: impl Regularizer) -> BatchNormalization {
        self.beta = self.beta.map(|beta| beta.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the offsets are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = BatchNormalization::new().beta_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn beta_constraint(mut self, constraint: impl Constraint) -> BatchNormalization {
        self.beta = self.beta.map(|beta| beta.constrained(Arc::new(constraint)));
        self
    }

    /// The moving average of the means, `[features]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let normalization = BatchNormalization::new();
    /// normalization.apply(&Tensor::input("x", [4]));
    /// assert_eq!(normalization.moving_mean().shape(), Some(vec![4]));
    /// ```
    pub fn moving_mean(&self) -> &Variable {
        &self.moving_mean
    }

    /// The moving average of the variances, `[features]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert!(!BatchNormalization::new().moving_variance().is_trainable());
    /// ```
    pub fn moving_variance(&self) -> &Variable {
        &self.moving_variance
    }

    fn gains(&self) -> Gains<'_> {
        Gains { gamma: self.gamma.as_ref(), beta: self.beta.as_ref() }
    }

    pub(crate) fn read(fields: Fields) -> Result<BatchNormalization> {
        fields.only(&[("renorm", false.into()), ("synchronized", false.into())])?;
        let usual = BatchNormalization::new();
        let layer = BatchNormalization {
            axis: fields.axis("axis", usual.axis)?,
            momentum: fields.float("momentum", usual.momentum)?,
            epsilon: fields.float("epsilon", usual.epsilon)?,
            ..usual
        };
        let layer =
            with(layer, fields.initializer("gamma_initializer")?, BatchNormalization::gamma_initializer);
        let layer =
            with(layer, fields.initializer("beta_initializer")?, BatchNormalization::beta_initializer);
        let layer =
            with(layer, fields.regularizer("gamma_regularizer")?, BatchNormalization::gamma_regularizer);
        let layer =
            with(layer, fields.regularizer("beta_regularizer")?, BatchNormalization::beta_regularizer);
        let layer = with(layer, fields.constraint("gamma_constraint")?, BatchNormalization::gamma_constraint);
        let layer = with(layer, fields.constraint("beta_constraint")?, BatchNormalization::beta_constraint);
        let layer = if fields.truth("center", true)? { layer } else { layer.without_center() };
        Ok(if fields.truth("scale", true)? { layer } else { layer.without_scale() })
    }

    fn saved(&self) -> Config {
        let config = Config::new(KIND)
            .field("axis", self.axis as i64)
            .field("momentum", decimal(self.momentum))
            .field("epsilon", decimal(self.epsilon));
        self.gains()
            .saved(config)
            .variable("moving_mean", &self.moving_mean)
            .variable("moving_variance", &self.moving_variance)
    }

    fn normalized(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let title = format!("`{KIND}` cannot have the momentum {}", self.momentum);
            return Err(Error::new("momentum", title).label("it must be from 0 to 1"));
        }
        let shape = x.shape();
        let axes = feature_axes(KIND, &[self.axis], &shape)?;
        let features = x.dim(axes[0] as isize);
        let moving_mean = self.moving_mean.shaped([features]);
        let moving_variance = self.moving_variance.shaped([features]);
        let normalize = |mean: &Tensor, variance: &Tensor| {
            let along = |values: &Tensor| along(values, &shape, &axes);
            let normal = (x - along(mean)) * along(&(variance + self.epsilon).rsqrt());
            self.gains().after(&normal, &[features], along)
        };
        if !x.is_training() || self.moving_mean.is_frozen() {
            return Ok(normalize(&moving_mean, &moving_variance).with_mask_of(x));
        }
        let (mean, variance) = moments(x, &axes);
        let share = 1.0 - decimal(self.momentum);
        Ok(normalize(&mean, &variance)
            .and_update(&self.moving_mean, moving_mean.lerp(&mean, share))
            .and_update(&self.moving_variance, moving_variance.lerp(&variance, share))
            .with_mask_of(x))
    }
}

/// Mean and variance of the features along `axes`, of the elements that count.
fn moments(x: &Tensor, axes: &[usize]) -> (Tensor, Tensor) {
    let (shape, others) = (x.shape(), other_axes(&x.shape(), axes));
    let Some(mask) = x.mask_of_elements() else {
        return (x.mean_along(others.clone()), x.variance_along(others));
    };
    // The number of elements, away from 0.
    let count = mask.cast(x.dtype()).sum_along(others.clone()) + EPSILON;
    let mean_of = |values: &Tensor| mask.select(values, 0.0).sum_along(others.clone()) / &count;
    let mean = mean_of(x);
    let variance = mean_of(&(x - along(&mean, &shape, axes)).square());
    (mean, variance)
}

impl Default for BatchNormalization {
    fn default() -> BatchNormalization {
        BatchNormalization::new()
    }
}

impl Layer for BatchNormalization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.normalized(x))
    }
}
