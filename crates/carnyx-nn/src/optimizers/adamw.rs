//! AdamW: Adam with weights that decay.

use super::{Adam, Rule, Setting, Slots, Step};
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// [`Adam`] with weights that decay apart from the gradient: `w ← w - 0.004 η w` before each step, or another share
/// by [`weight_decay`](crate::optimizers::OptimizerOptions::weight_decay).
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{AdamW, OptimizerOptions};
/// let optimizer = AdamW::new(1e-3).weight_decay(0.01).exclude_from_weight_decay(["bias"]);
/// assert_eq!(optimizer.name(), "adamw");
/// ```
///
/// Reference: Loshchilov and Hutter, [*Decoupled Weight Decay Regularization*](https://arxiv.org/abs/1711.05101), 2017;
/// [`keras.optimizers.AdamW`](https://keras.io/api/optimizers/adamw/).
#[derive(Clone, Debug)]
pub struct AdamW {
    adam: Adam,
}

impl AdamW {
    /// AdamW with `β₁ = 0.9`, `β₂ = 0.999`, `ε = 10⁻⁷` and a weight decay of 0.004.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{AdamW, Optimizer};
    /// assert_eq!(Optimizer::new(AdamW::new(1e-3)).learning_rate, 1e-3);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> AdamW {
        AdamW { adam: Adam::new(learning_rate) }
    }

    /// How slowly the running averages of the gradient and of its square forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::AdamW;
    /// let rule = AdamW::new(1e-3).betas(0.9, 0.99);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn betas(self, beta_1: f64, beta_2: f64) -> AdamW {
        AdamW { adam: self.adam.betas(beta_1, beta_2) }
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::AdamW;
    /// let rule = AdamW::new(1e-3).epsilon(1e-8);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> AdamW {
        AdamW { adam: self.adam.epsilon(epsilon) }
    }

    /// Divides by the greatest running average so far, so that steps never grow again (Reddi et al., 2018).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::AdamW;
    /// let rule = AdamW::new(1e-3).amsgrad();
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn amsgrad(self) -> AdamW {
        AdamW { adam: self.adam.amsgrad() }
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for AdamW {
    fn default() -> AdamW {
        AdamW::new(0.001)
    }
}

impl Rule for AdamW {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn learning_rate(&self) -> LearningRate {
        self.adam.learning_rate()
    }

    fn default_weight_decay(&self) -> Option<f64> {
        Some(0.004)
    }

    fn settings(&self) -> Vec<Setting> {
        self.adam.settings()
    }

    fn config(&self) -> Option<crate::Config> {
        Some(self.adam.config_as("AdamW"))
    }

    fn slot_names(&self, weight: &Variable) -> &'static [&'static [&'static str]] {
        self.adam.slot_names(weight)
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        self.adam.update(weight, gradient, at, slots)
    }
}
