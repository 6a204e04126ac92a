//! Adam: steps scaled by running averages of the gradient and of its square.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Steps of nearly equal size in each direction, whatever the size of the gradient.
///
/// With the step's number `t` and the gradient `g`:
/// ```text
/// m ← m + (g - m) (1 - β₁)        running average of the gradient
/// v ← v + (g² - v) (1 - β₂)       running average of its square
/// w ← w - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Adam, Optimizer};
/// let optimizer = Optimizer::new(Adam::new(1e-3).betas(0.9, 0.99));
/// assert_eq!(optimizer.name(), "adam");
/// ```
///
/// Reference: Kingma and Ba, [*Adam: A Method for Stochastic Optimization*](https://arxiv.org/abs/1412.6980), 2014;
/// [`keras.optimizers.Adam`](https://keras.io/api/optimizers/adam/).
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: LearningRate,
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    amsgrad: bool,
}

impl Adam {
    /// Adam with `β₁ = 0.9`, `β₂ = 0.999` and `ε = 10⁻⁷`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Adam, Optimizer};
    /// assert_eq!(Optimizer::new(Adam::new(1e-3)).learning_rate, 1e-3);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Adam {
        Adam {
            learning_rate: learning_rate.into(),
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            amsgrad: false,
        }
    }

    /// How slowly the running averages of the gradient and of its square forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Adam;
    /// let adam = Adam::new(1e-3).betas(0.9, 0.99);
    /// # let _ = adam;
    /// ```
    pub fn betas(mut self, beta_1: f64, beta_2: f64) -> Adam {
        (self.beta_1, self.beta_2) = (beta_1, beta_2);
        self
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Adam;
    /// let adam = Adam::new(1e-3).epsilon(1e-8);
    /// # let _ = adam;
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> Adam {
        self.epsilon = epsilon;
        self
    }

    /// Divides by the greatest running average so far, so that steps never grow again (Reddi et al., 2018).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Adam;
    /// let adam = Adam::new(1e-3).amsgrad();
    /// # let _ = adam;
    /// ```
    pub fn amsgrad(mut self) -> Adam {
        self.amsgrad = true;
        self
    }

    /// What a file says of this rule under the name of its class.
    pub(super) fn config_as(&self, class: &'static str) -> Config {
        let config = Config::new(class).field("beta_1", self.beta_1).field("beta_2", self.beta_2);
        config.field("epsilon", self.epsilon).field("amsgrad", self.amsgrad)
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Adam {
    fn default() -> Adam {
        Adam::new(0.001)
    }
}

impl Rule for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("beta_1", self.beta_1, Bounds::Decay),
            Setting::new("beta_2", self.beta_2, Bounds::Decay),
            Setting::new("epsilon", self.epsilon, Bounds::Positive),
        ]
    }

    fn config(&self) -> Option<Config> {
        Some(self.config_as("Adam"))
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        if self.amsgrad {
            &[&["momentum", "velocity"], &["greatest_velocity"]]
        } else {
            &[&["momentum", "velocity"]]
        }
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let momentum = slots.update("momentum", |m| m.lerp(gradient, 1.0 - self.beta_1));
        let mut velocity = slots.update("velocity", |v| v.lerp(&gradient.square(), 1.0 - self.beta_2));
        if self.amsgrad {
            velocity = slots.update("greatest_velocity", |greatest| greatest.maximum(&velocity));
        }
        let rate = &at.learning_rate * at.warmth(self.beta_2).sqrt() / at.warmth(self.beta_1);
        weight - momentum * rate / (velocity.sqrt() + self.epsilon)
    }
}
