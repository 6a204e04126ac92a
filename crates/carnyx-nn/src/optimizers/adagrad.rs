//! Adagrad: steps divided by the size of all gradients so far.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Array, Tensor, Variable};

/// Steps that become smaller the more a weight has moved: rare features keep large ones.
///
/// With the gradient `g`:
/// ```text
/// a ← a + g²                           sum of all squares, which begins with 0.1
/// w ← w - η g / √(a + ε)
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Adagrad, Optimizer};
/// let optimizer = Optimizer::new(Adagrad::new(0.1));
/// assert_eq!(optimizer.name(), "adagrad");
/// ```
///
/// Reference: Duchi, Hazan and Singer, *Adaptive Subgradient Methods for Online Learning and Stochastic Optimization*,
/// 2011; [`keras.optimizers.Adagrad`](https://keras.io/api/optimizers/adagrad/).
#[derive(Clone, Debug)]
pub struct Adagrad {
    learning_rate: LearningRate,
    initial_accumulator: f64,
    epsilon: f64,
}

impl Adagrad {
    /// Adagrad with sums that begin with 0.1 and `ε = 10⁻⁷`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adagrad, Optimizer};
    /// assert_eq!(Optimizer::new(Adagrad::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Adagrad {
        Adagrad { learning_rate: learning_rate.into(), initial_accumulator: 0.1, epsilon: 1e-7 }
    }

    /// What the sums of squares begin with.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adagrad;
    /// let rule = Adagrad::new(1e-3).initial_accumulator(1.0);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn initial_accumulator(mut self, value: f64) -> Adagrad {
        self.initial_accumulator = value;
        self
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adagrad;
    /// let rule = Adagrad::new(1e-3).epsilon(1e-6);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Adagrad {
        self.epsilon = epsilon;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Adagrad {
    fn default() -> Adagrad {
        Adagrad::new(0.001)
    }
}

impl Rule for Adagrad {
    fn name(&self) -> &'static str {
        "adagrad"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("initial_accumulator", self.initial_accumulator, Bounds::NotNegative),
            Setting::new("epsilon", self.epsilon, Bounds::Positive),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Adagrad")
            .field("initial_accumulator_value", self.initial_accumulator)
            .field("epsilon", self.epsilon);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["accumulator"]]
    }

    fn initial(&self, _: &str, weight: &[usize]) -> Array {
        Array::full(weight, self.initial_accumulator as f32)
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let accumulator = slots.update("accumulator", |sum| sum + gradient.square());
        weight - gradient * &at.learning_rate / (accumulator + self.epsilon).sqrt()
    }
}
