//! LAMB: Adam's steps, as long as the weights are.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Adam's steps, stretched to the length of the weights that they change: for large batches.
///
/// With the step's number `t` and the gradient `g`:
/// ```text
/// m ← m + (g - m) (1 - β₁)             running average of the gradient
/// v ← v + (g² - v) (1 - β₂)            running average of its square
/// s = m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
/// w ← w - η ‖w‖ / ‖s‖ · s              the factor is 1 where a length is zero
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Lamb, Optimizer};
/// let optimizer = Optimizer::new(Lamb::new(1e-3));
/// assert_eq!(optimizer.name(), "lamb");
/// ```
///
/// Reference: You et al., [*Large Batch Optimization for Deep Learning*](https://arxiv.org/abs/1904.00962), 2019;
/// [`keras.optimizers.Lamb`](https://keras.io/api/optimizers/lamb/).
#[derive(Clone, Debug)]
pub struct Lamb {
    learning_rate: LearningRate,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Lamb {
    /// LAMB with `β₁ = 0.9`, `β₂ = 0.999` and `ε = 10⁻⁷`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Lamb, Optimizer};
    /// assert_eq!(Optimizer::new(Lamb::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Lamb {
        Lamb { learning_rate: learning_rate.into(), beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }

    /// How slowly the running averages forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Lamb;
    /// let rule = Lamb::new(1e-3).betas(0.9, 0.99);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn betas(mut self, beta_1: f64, beta_2: f64) -> Lamb {
        (self.beta_1, self.beta_2) = (beta_1, beta_2);
        self
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Lamb;
    /// let rule = Lamb::new(1e-3).epsilon(1e-8);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Lamb {
        self.epsilon = epsilon;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Lamb {
    fn default() -> Lamb {
        Lamb::new(0.001)
    }
}

impl Rule for Lamb {
    fn name(&self) -> &'static str {
        "lamb"
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
        let config = Config::new("Lamb")
            .field("beta_1", self.beta_1)
            .field("beta_2", self.beta_2)
            .field("epsilon", self.epsilon);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["momentum", "velocity"]]
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let momentum = slots.update("momentum", |m| m.lerp(gradient, 1.0 - self.beta_1));
        let velocity = slots.update("velocity", |v| v.lerp(&gradient.square(), 1.0 - self.beta_2));
        let size = (velocity / at.warmth(self.beta_2)).sqrt() + self.epsilon;
        let step = momentum / at.warmth(self.beta_1) / size;
        let length = |x: &Tensor| x.square().sum().sqrt();
        let (of_weight, of_step) = (length(weight), length(&step));
        let ratio = of_step.greater(0.0).select(&of_weight / &of_step, 1.0);
        let ratio = of_weight.greater(0.0).select(ratio, 1.0);
        weight - step * (ratio * &at.learning_rate)
    }
}
