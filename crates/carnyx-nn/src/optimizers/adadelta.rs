//! Adadelta: steps whose size follows that of the steps before.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Steps as large as the recent ones were, relative to the gradient; hardly any learning rate is needed.
///
/// With the gradient `g` and `rms(x) = √(x + ε)`:
/// ```text
/// a ← ρ a + (1 - ρ) g²                 running average of the square
/// Δ = -g · rms(d) / rms(a)
/// d ← ρ d + (1 - ρ) Δ²                 running average of the squares of the steps
/// w ← w + η Δ
/// ```
/// The paper has a learning rate of 1; Keras's default is 0.001.
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Adadelta, Optimizer};
/// let optimizer = Optimizer::new(Adadelta::new(1.0));
/// assert_eq!(optimizer.name(), "adadelta");
/// ```
///
/// Reference: Zeiler, [*ADADELTA: An Adaptive Learning Rate Method*](https://arxiv.org/abs/1212.5701), 2012;
/// [`keras.optimizers.Adadelta`](https://keras.io/api/optimizers/adadelta/).
#[derive(Clone, Debug)]
pub struct Adadelta {
    learning_rate: LearningRate,
    rho: f64,
    epsilon: f64,
}

impl Adadelta {
    /// Adadelta with `ρ = 0.95` and `ε = 10⁻⁷`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adadelta, Optimizer};
    /// assert_eq!(Optimizer::new(Adadelta::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Adadelta {
        Adadelta { learning_rate: learning_rate.into(), rho: 0.95, epsilon: 1e-7 }
    }

    /// How slowly the running averages forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adadelta;
    /// let rule = Adadelta::new(1e-3).rho(0.9);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn rho(mut self, rho: f64) -> Adadelta {
        self.rho = rho;
        self
    }

    /// What is added to the averages before their roots are taken: the size of the first steps.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adadelta;
    /// let rule = Adadelta::new(1e-3).epsilon(1e-6);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Adadelta {
        self.epsilon = epsilon;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Adadelta {
    fn default() -> Adadelta {
        Adadelta::new(0.001)
    }
}

impl Rule for Adadelta {
    fn name(&self) -> &'static str {
        "adadelta"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("rho", self.rho, Bounds::Share),
            Setting::new("epsilon", self.epsilon, Bounds::Positive),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Adadelta").field("rho", self.rho).field("epsilon", self.epsilon);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["accumulated_grad", "accumulated_delta_var"]]
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let averaged = |average: Tensor, new: &Tensor| average * self.rho + new.square() * (1.0 - self.rho);
        let rms = |average: Tensor| (average + self.epsilon).sqrt();
        let gradients = slots.update("accumulated_grad", |average| averaged(average, gradient));
        let step = gradient * rms(slots.value("accumulated_delta_var")) / rms(gradients);
        slots.update("accumulated_delta_var", |average| averaged(average, &step));
        weight - step * &at.learning_rate
    }
}
