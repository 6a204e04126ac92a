//! Nadam: Adam with Nesterov's momentum.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Array, Tensor, Variable};

/// Adam that looks ahead as Nesterov's momentum does.
///
/// With the step's number `t`, the gradient `g` and `μₜ = β₁ (1 - 0.96ᵗ / 2)`, the momentum of that step:
/// ```text
/// m ← m + (g - m) (1 - β₁)             running average of the gradient
/// v ← v + (g² - v) (1 - β₂)            running average of its square
/// p ← p μₜ                             product of all momenta so far
/// w ← w - η (μₜ₊₁ m / (1 - p μₜ₊₁) + (1 - μₜ) g / (1 - p)) / (√(v / (1 - β₂ᵗ)) + ε)
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Nadam, Optimizer};
/// let optimizer = Optimizer::new(Nadam::new(1e-3));
/// assert_eq!(optimizer.name(), "nadam");
/// ```
///
/// Reference: Dozat, *Incorporating Nesterov Momentum into Adam*, 2016;
/// [`keras.optimizers.Nadam`](https://keras.io/api/optimizers/nadam/).
#[derive(Clone, Debug)]
pub struct Nadam {
    learning_rate: LearningRate,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Nadam {
    /// Nadam with `β₁ = 0.9`, `β₂ = 0.999` and `ε = 10⁻⁷`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Nadam, Optimizer};
    /// assert_eq!(Optimizer::new(Nadam::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Nadam {
        Nadam { learning_rate: learning_rate.into(), beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }

    /// How slowly the running averages forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Nadam;
    /// let rule = Nadam::new(1e-3).betas(0.9, 0.99);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn betas(mut self, beta_1: f64, beta_2: f64) -> Nadam {
        (self.beta_1, self.beta_2) = (beta_1, beta_2);
        self
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Nadam;
    /// let rule = Nadam::new(1e-3).epsilon(1e-8);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Nadam {
        self.epsilon = epsilon;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Nadam {
    fn default() -> Nadam {
        Nadam::new(0.001)
    }
}

/// The slot of the product of all momenta so far.
const PRODUCT: &str = "momentum_product";

impl Rule for Nadam {
    fn name(&self) -> &'static str {
        "nadam"
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
        let config = Config::new("Nadam")
            .field("beta_1", self.beta_1)
            .field("beta_2", self.beta_2)
            .field("epsilon", self.epsilon);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["momentum", "velocity"]]
    }

    fn shared_names(&self) -> &'static [&'static str] {
        &[PRODUCT]
    }

    fn initial(&self, name: &str, weight: &[usize]) -> Array {
        Array::full(weight, if name == PRODUCT { 1f32 } else { 0.0 })
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let momentum_of = |number: &Tensor| (1.0 - Tensor::scalar(0.96f32).pow(number) * 0.5) * self.beta_1;
        let (now, next) = (momentum_of(&at.number), momentum_of(&(&at.number + 1.0)));
        let product = slots.update_shared(PRODUCT, |product| product * &now);
        let momentum = slots.update("momentum", |m| m.lerp(gradient, 1.0 - self.beta_1));
        let velocity = slots.update("velocity", |v| v.lerp(&gradient.square(), 1.0 - self.beta_2));
        let ahead =
            momentum * (&next / (1.0 - &product * &next)) + gradient * ((1.0 - now) / (1.0 - &product));
        let size = (velocity / at.warmth(self.beta_2)).sqrt() + self.epsilon;
        weight - ahead * &at.learning_rate / size
    }
}
