//! Groups of features, each brought to mean 0 and variance 1.

use super::features::{along, check_floats, feature_axes, or_invalid};
use super::gains::Gains;
use crate::constraints::Constraint;
use crate::regularizers::Regularizer;
use crate::saving::{Fields, decimal, with};
use crate::{Config, Layer, Module, Ones, Zeros};
use carnyx_graph::{Dim, Error, Initializer, Result, Tensor, Variable};
use std::sync::Arc;

/// `gamma · (x - mean) / √(variance + epsilon) + beta`, with mean and variance of each sample and each group of
/// neighbouring features, over all other axes: between [`LayerNormalization`](crate::LayerNormalization) (one group)
/// and instance normalisation (each feature is a group).
///
/// Wu & He 2018, *Group normalization*.
///
/// # Shape
/// `[batch, …, features]` to the same; `gamma` and `beta` are `[features]`. The groups must divide the features.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, GroupNormalization};
/// let images = Tensor::input("images", [8, 8, 64]);
/// assert_eq!(GroupNormalization::new(32).apply(&images).shape(), images.shape());
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct GroupNormalization {
    /// `None` for as many groups as there are features.
    groups: Option<usize>,
    axis: isize,
    epsilon: f32,
    gamma: Option<Variable>,
    beta: Option<Variable>,
}

const KIND: &str = "GroupNormalization";

impl GroupNormalization {
    /// A layer with this many groups; 32 is usual. The axis is the last one, epsilon 0.001.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = GroupNormalization::new(3).apply(&Tensor::input("x", [4]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "groups");
    /// ```
    pub fn new(groups: usize) -> GroupNormalization {
        GroupNormalization {
            groups: Some(groups),
            axis: -1,
            epsilon: 1e-3,
            gamma: Some(Variable::new(Ones)),
            beta: Some(Variable::new(Zeros)),
        }
    }

    /// Each feature is a group of its own: instance normalisation. Ulyanov et al. 2016.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// assert!(GroupNormalization::instance().apply(&Tensor::input("images", [8, 8, 3])).check().is_ok());
    /// ```
    pub fn instance() -> GroupNormalization {
        GroupNormalization { groups: None, ..GroupNormalization::new(1) }
    }

    /// The axis of the features.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let channels_first = GroupNormalization::new(2).axis(1);
    /// assert!(channels_first.apply(&Tensor::input("images", [4, 8, 8])).check().is_ok());
    /// ```
    pub fn axis(mut self, axis: isize) -> GroupNormalization {
        self.axis = axis;
        self
    }

    /// What is added to the variance.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let exact = GroupNormalization::new(32).epsilon(1e-5);
    /// # let _ = exact;
    /// ```
    pub fn epsilon(mut self, epsilon: f32) -> GroupNormalization {
        self.epsilon = epsilon;
        self
    }

    /// Without the offset `beta`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(GroupNormalization::new(32).without_center().trainable().len(), 1);
    /// ```
    pub fn without_center(mut self) -> GroupNormalization {
        self.beta = None;
        self
    }

    /// Without the gain `gamma`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(GroupNormalization::new(32).without_scale().trainable().len(), 1);
    /// ```
    pub fn without_scale(mut self) -> GroupNormalization {
        self.gamma = None;
        self
    }

    /// How the gain starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let silent = GroupNormalization::new(32).gamma_initializer(Zeros);
    /// # let _ = silent;
    /// ```
    pub fn gamma_initializer(mut self, initializer: impl Initializer + 'static) -> GroupNormalization {
        let gamma = self.gamma.unwrap_or_else(|| Variable::new(Ones));
        self.gamma = Some(gamma.initialized_by(initializer));
        self
    }

    /// How the offset starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let shifted = GroupNormalization::new(32).beta_initializer(Ones);
    /// # let _ = shifted;
    /// ```
    pub fn beta_initializer(mut self, initializer: impl Initializer + 'static) -> GroupNormalization {
        let beta = self.beta.unwrap_or_else(|| Variable::new(Zeros));
        self.beta = Some(beta.initialized_by(initializer));
        self
    }

    /// A penalty for the gains, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = GroupNormalization::new(2).gamma_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn gamma_regularizer(mut self, regularizer: impl Regularizer) -> GroupNormalization {
        self.gamma = self.gamma.map(|gamma| gamma.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the gains are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = GroupNormalization::new(2).gamma_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn gamma_constraint(mut self, constraint: impl Constraint) -> GroupNormalization {
        self.gamma = self.gamma.map(|gamma| gamma.constrained(Arc::new(constraint)));
        self
    }

    /// A penalty for the offsets, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = GroupNormalization::new(2).beta_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn beta_regularizer(mut self, regularizer: impl Regularizer) -> GroupNormalization {
        self.beta = self.beta.map(|beta| beta.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the offsets are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = GroupNormalization::new(2).beta_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn beta_constraint(mut self, constraint: impl Constraint) -> GroupNormalization {
        self.beta = self.beta.map(|beta| beta.constrained(Arc::new(constraint)));
        self
    }

    fn gains(&self) -> Gains<'_> {
        Gains { gamma: self.gamma.as_ref(), beta: self.beta.as_ref() }
    }

    pub(crate) fn read(fields: Fields) -> Result<GroupNormalization> {
        let usual = GroupNormalization::new(32);
        let groups = fields.axis("groups", 32)?;
        let layer = GroupNormalization {
            groups: if groups == -1 { None } else { Some(usize::try_from(groups).unwrap_or(0)) },
            axis: fields.axis("axis", usual.axis)?,
            epsilon: fields.float("epsilon", usual.epsilon)?,
            ..usual
        };
        let layer =
            with(layer, fields.initializer("gamma_initializer")?, GroupNormalization::gamma_initializer);
        let layer =
            with(layer, fields.initializer("beta_initializer")?, GroupNormalization::beta_initializer);
        let layer =
            with(layer, fields.regularizer("gamma_regularizer")?, GroupNormalization::gamma_regularizer);
        let layer =
            with(layer, fields.regularizer("beta_regularizer")?, GroupNormalization::beta_regularizer);
        let layer = with(layer, fields.constraint("gamma_constraint")?, GroupNormalization::gamma_constraint);
        let layer = with(layer, fields.constraint("beta_constraint")?, GroupNormalization::beta_constraint);
        let layer = if fields.truth("center", true)? { layer } else { layer.without_center() };
        Ok(if fields.truth("scale", true)? { layer } else { layer.without_scale() })
    }

    fn saved(&self) -> Config {
        let config = Config::new(KIND)
            .field("groups", self.groups.map_or(-1, |groups| groups as i64))
            .field("axis", self.axis as i64)
            .field("epsilon", decimal(self.epsilon));
        self.gains().saved(config)
    }

    fn normalized(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        let shape = x.shape();
        let axes = feature_axes(KIND, &[self.axis], &shape)?;
        let (axis, features) = (axes[0], x.dim(axes[0] as isize));
        let groups = self.groups.unwrap_or(features);
        if groups == 0 || features % groups != 0 {
            return Err(Error::new(
                "groups",
                format!("{features} features cannot be parted into {groups} groups"),
            )
            .label(format!("the input has shape {shape}"))
            .help("take a number of groups that divides the number of features"));
        }
        // [batch, …, features, …] as [batch, …, groups, features of a group, …].
        let mut dims = shape.to_vec();
        dims[axis] = Dim::Fixed(groups);
        dims.insert(axis + 1, Dim::Fixed(features / groups));
        let within: Vec<isize> = (1..dims.len()).filter(|&i| i != axis).map(|i| i as isize).collect();
        let grouped = x.reshape(dims);
        let centered = &grouped - grouped.mean_keep(within.clone());
        let normal = &centered * (centered.square().mean_keep(within) + self.epsilon).rsqrt();
        let normal = normal.reshape(shape.clone());
        Ok(self.gains().after(&normal, &[features], |v| along(v, &shape, &axes)).with_mask_of(x))
    }
}

impl Layer for GroupNormalization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.normalized(x))
    }
}
