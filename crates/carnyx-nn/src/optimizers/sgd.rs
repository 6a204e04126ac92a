//! Stochastic gradient descent.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Gradient descent on each batch: `w ← w - η g`; with momentum `v ← μ v - η g`, `w ← w + v`.
///
/// With Nesterov's momentum the step looks ahead: `w ← w + μ v - η g`.
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Optimizer, Sgd};
/// let plain = Optimizer::new(Sgd::new(0.01));
/// let fast = Optimizer::new(Sgd::new(0.01).momentum(0.9).nesterov());
/// assert_eq!((plain.name(), fast.learning_rate), ("sgd", 0.01));
/// ```
///
/// Reference: Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013;
/// [`keras.optimizers.SGD`](https://keras.io/api/optimizers/sgd/).
#[derive(Clone, Debug)]
pub struct Sgd {
    learning_rate: LearningRate,
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// Descent with steps of `learning_rate`, without momentum.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Optimizer, Sgd};
    /// assert_eq!(Optimizer::new(Sgd::new(0.01)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Sgd {
        Sgd { learning_rate: learning_rate.into(), momentum: 0.0, nesterov: false }
    }

    /// The share of the last step that is taken again: 0.9 is usual, 0 is none.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Sgd;
    /// let sgd = Sgd::new(0.01).momentum(0.9);
    /// # let _ = sgd;
    /// ```
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// Measures the slope where the momentum leads, not where the weight is.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Sgd;
    /// let sgd = Sgd::new(0.01).momentum(0.9).nesterov();
    /// # let _ = sgd;
    /// ```
    pub fn nesterov(mut self) -> Sgd {
        self.nesterov = true;
        self
    }
}

/// Keras's default: a learning rate of 0.01 and no momentum.
impl Default for Sgd {
    fn default() -> Sgd {
        Sgd::new(0.01)
    }
}

impl Rule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![Setting::new("momentum", self.momentum, Bounds::Share)]
    }

    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("SGD").field("momentum", self.momentum).field("nesterov", self.nesterov))
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        if self.momentum == 0.0 { &[] } else { &[&["velocity"]] }
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        if self.momentum == 0.0 {
            // This very form, weight - gradient · number, is one that an executor adds to the product of matrices
            // that gave the gradient.
            return weight - gradient * &at.learning_rate;
        }
        let step = gradient * &at.learning_rate;
        let velocity = slots.update("velocity", |velocity| velocity * self.momentum - &step);
        if self.nesterov { weight + (velocity * self.momentum - step) } else { weight + velocity }
    }
}
