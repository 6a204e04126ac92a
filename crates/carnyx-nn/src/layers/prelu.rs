//! A rectifier whose slope is learned.

use super::features::{check_floats, feature_axes, or_invalid, sizes};
use crate::constraints::Constraint;
use crate::regularizers::Regularizer;
use crate::saving::{Fields, with};
use crate::{Config, Layer, Module, Zeros};
use carnyx_graph::{Initializer, Result, Tensor, Variable};
use std::sync::Arc;

/// `x` where positive, `alpha · x` elsewhere, with an `alpha` for each place of a sample that is learned.
///
/// He et al. 2015, *Delving deep into rectifiers*.
///
/// # Shape
/// `[batch, …]` to the same; `alpha` has the shape of one sample, with 1 for the axes that
/// [`shared_along`](PRelu::shared_along) names.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, PRelu, Variables};
/// let per_channel = PRelu::new().shared_along([1, 2]);
/// per_channel.apply(&Tensor::input("images", [28, 28, 3]));
/// assert_eq!(per_channel.num_parameters(), 3);
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct PRelu {
    shared: Vec<isize>,
    alpha: Variable,
}

const KIND: &str = "PReLU";

impl PRelu {
    /// A layer with a slope for each place, 0 at first: a [`Relu`](crate::Relu) that learns to leak.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let layer = PRelu::new();
    /// layer.apply(&Tensor::input("x", [5]));
    /// assert_eq!(layer.alpha().shape(), Some(vec![5]));
    /// ```
    pub fn new() -> PRelu {
        PRelu { shared: Vec::new(), alpha: Variable::new(Zeros) }
    }

    /// Along these axes, counted from 1, all places have one slope.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let per_channel = PRelu::new().shared_along([1, 2]);
    /// # let _ = per_channel;
    /// ```
    pub fn shared_along(mut self, axes: impl Into<Vec<isize>>) -> PRelu {
        self.shared = axes.into();
        self
    }

    /// How the slopes start; 0.25 everywhere in the paper.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let leaky = PRelu::new().alpha_initializer(Constant(0.25));
    /// # let _ = leaky;
    /// ```
    pub fn alpha_initializer(mut self, initializer: impl Initializer + 'static) -> PRelu {
        self.alpha = self.alpha.initialized_by(initializer);
        self
    }

    /// A penalty for the slopes, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = PRelu::new().alpha_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn alpha_regularizer(mut self, regularizer: impl Regularizer) -> PRelu {
        self.alpha = self.alpha.regularized(Arc::new(regularizer));
        self
    }

    /// Bounds that the slopes are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = PRelu::new().alpha_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn alpha_constraint(mut self, constraint: impl Constraint) -> PRelu {
        self.alpha = self.alpha.constrained(Arc::new(constraint));
        self
    }

    /// The slopes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert!(PRelu::new().alpha().is_trainable());
    /// ```
    pub fn alpha(&self) -> &Variable {
        &self.alpha
    }

    pub(crate) fn read(fields: Fields) -> Result<PRelu> {
        let layer = PRelu::new().shared_along(fields.axes("shared_axes", &[])?);
        let layer = with(layer, fields.initializer("alpha_initializer")?, PRelu::alpha_initializer);
        let layer = with(layer, fields.regularizer("alpha_regularizer")?, PRelu::alpha_regularizer);
        Ok(with(layer, fields.constraint("alpha_constraint")?, PRelu::alpha_constraint))
    }

    fn saved(&self) -> Config {
        let shared: Vec<i64> = self.shared.iter().map(|&axis| axis as i64).collect();
        let config = Config::new(KIND)
            .initializer("alpha_initializer", &self.alpha)
            .regularizer("alpha_regularizer", self.alpha.regularizer())
            .constraint("alpha_constraint", self.alpha.constraint());
        let config = if shared.is_empty() { config } else { config.field("shared_axes", shared) };
        config.variable("alpha", &self.alpha)
    }

    fn rectified(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        let shape = x.shape();
        let all: Vec<isize> = (1..shape.len() as isize).collect();
        let axes = feature_axes(KIND, &all, &shape)?;
        let mut alpha_shape = sizes(&shape, &axes);
        if !self.shared.is_empty() {
            feature_axes(KIND, &self.shared, &shape)?.iter().for_each(|&axis| alpha_shape[axis - 1] = 1);
        }
        Ok((x.relu() - self.alpha.shaped(alpha_shape) * (-x).relu()).with_mask_of(x))
    }
}

impl Default for PRelu {
    fn default() -> PRelu {
        PRelu::new()
    }
}

impl Layer for PRelu {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.rectified(x))
    }
}
