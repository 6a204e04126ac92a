//! Lion: the sign of a momentum.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Steps of one size in every direction: the sign of a momentum. Wants a learning rate three to ten times smaller than
/// Adam's, and a weight decay as many times larger.
///
/// With the gradient `g`:
/// ```text
/// w ← w - η sign(β₁ m + (1 - β₁) g)
/// m ← β₂ m + (1 - β₂) g
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Lion, OptimizerOptions};
/// let optimizer = Lion::new(1e-4).weight_decay(0.1);
/// assert_eq!(optimizer.name(), "lion");
/// ```
///
/// Reference: Chen et al., [*Symbolic Discovery of Optimization Algorithms*](https://arxiv.org/abs/2302.06675), 2023;
/// [`keras.optimizers.Lion`](https://keras.io/api/optimizers/lion/).
#[derive(Clone, Debug)]
pub struct Lion {
    learning_rate: LearningRate,
    beta_1: f64,
    beta_2: f64,
}

impl Lion {
    /// Lion with `β₁ = 0.9` and `β₂ = 0.99`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Lion, Optimizer};
    /// assert_eq!(Optimizer::new(Lion::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Lion {
        Lion { learning_rate: learning_rate.into(), beta_1: 0.9, beta_2: 0.99 }
    }

    /// The share of the momentum in a step, and how slowly it forgets.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Lion;
    /// let rule = Lion::new(1e-3).betas(0.95, 0.98);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn betas(mut self, beta_1: f64, beta_2: f64) -> Lion {
        (self.beta_1, self.beta_2) = (beta_1, beta_2);
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Lion {
    fn default() -> Lion {
        Lion::new(0.001)
    }
}

impl Rule for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("beta_1", self.beta_1, Bounds::Decay),
            Setting::new("beta_2", self.beta_2, Bounds::Decay),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Lion").field("beta_1", self.beta_1).field("beta_2", self.beta_2);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["momentum"]]
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let mixed = |momentum: Tensor, beta: f64| momentum * beta + gradient * (1.0 - beta);
        let direction = mixed(slots.value("momentum"), self.beta_1).sign();
        slots.update("momentum", |momentum| mixed(momentum, self.beta_2));
        weight - direction * &at.learning_rate
    }
}
