//! Adamax: Adam with the greatest gradient in place of the root mean square.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Adam with the greatest recent gradient in place of its root mean square: no gradient takes a larger step than the
/// learning rate.
///
/// With the step's number `t` and the gradient `g`:
/// ```text
/// m ← m + (g - m) (1 - β₁)             running average of the gradient
/// u ← max(β₂ u, |g|)                   greatest one, slowly forgotten
/// w ← w - η m / ((1 - β₁ᵗ) (u + ε))
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Adamax, Optimizer};
/// let optimizer = Optimizer::new(Adamax::new(2e-3));
/// assert_eq!(optimizer.name(), "adamax");
/// ```
///
/// Reference: Kingma and Ba, [*Adam: A Method for Stochastic Optimization*](https://arxiv.org/abs/1412.6980), section
/// 7.1, 2014; [`keras.optimizers.Adamax`](https://keras.io/api/optimizers/adamax/).
#[derive(Clone, Debug)]
pub struct Adamax {
    learning_rate: LearningRate,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Adamax {
    /// Adamax with `β₁ = 0.9`, `β₂ = 0.999` and `ε = 10⁻⁷`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adamax, Optimizer};
    /// assert_eq!(Optimizer::new(Adamax::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Adamax {
        Adamax { learning_rate: learning_rate.into(), beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }

    /// How slowly the running averages forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adamax;
    /// let rule = Adamax::new(1e-3).betas(0.9, 0.99);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn betas(mut self, beta_1: f64, beta_2: f64) -> Adamax {
        (self.beta_1, self.beta_2) = (beta_1, beta_2);
        self
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adamax;
    /// let rule = Adamax::new(1e-3).epsilon(1e-8);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Adamax {
        self.epsilon = epsilon;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Adamax {
    fn default() -> Adamax {
        Adamax::new(0.001)
    }
}

impl Rule for Adamax {
    fn name(&self) -> &'static str {
        "adamax"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("beta_1", self.beta_1, Bounds::Decay),
            Setting::new("beta_2", self.beta_2, Bounds::Decay),
            Setting::new("epsilon", self.epsilon, Bounds::Positive),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Adamax")
            .field("beta_1", self.beta_1)
            .field("beta_2", self.beta_2)
            .field("epsilon", self.epsilon);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["momentum", "norm"]]
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let momentum = slots.update("momentum", |m| m.lerp(gradient, 1.0 - self.beta_1));
        let norm = slots.update("norm", |u| (u * self.beta_2).maximum(gradient.abs()));
        weight - momentum * (&at.learning_rate / at.warmth(self.beta_1)) / (norm + self.epsilon)
    }
}
