//! What follows a normalisation: for each feature a gain `gamma` and an offset `beta`, both learned.

use crate::Config;
use carnyx_graph::{Tensor, Variable};

/// Gain and offset of each feature; either may be absent.
pub(super) struct Gains<'a> {
    pub(super) gamma: Option<&'a Variable>,
    pub(super) beta: Option<&'a Variable>,
}

impl Gains<'_> {
    /// `x · gamma + beta`: one gain and one offset for each place of `shape`, which `along` brings into a shape that
    /// broadcasts to the data.
    pub(super) fn after(&self, x: &Tensor, shape: &[usize], along: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let scaled = match self.gamma {
            Some(gamma) => x * along(&gamma.shaped(shape)),
            None => x.clone(),
        };
        match self.beta {
            Some(beta) => scaled + along(&beta.shaped(shape)),
            None => scaled,
        }
    }

    /// The fields and the weights as Keras has them.
    pub(super) fn saved(&self, config: Config) -> Config {
        let config = config.field("center", self.beta.is_some()).field("scale", self.gamma.is_some());
        let config = match self.gamma {
            Some(gamma) => config
                .initializer("gamma_initializer", gamma)
                .regularizer("gamma_regularizer", gamma.regularizer())
                .constraint("gamma_constraint", gamma.constraint())
                .variable("gamma", gamma),
            None => config,
        };
        match self.beta {
            Some(beta) => config
                .initializer("beta_initializer", beta)
                .regularizer("beta_regularizer", beta.regularizer())
                .constraint("beta_constraint", beta.constraint())
                .variable("beta", beta),
            None => config,
        }
    }
}
