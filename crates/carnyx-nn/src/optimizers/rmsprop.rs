//! RMSprop: steps divided by the recent size of the gradient.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Steps divided by a running root mean square of the gradient, so that steep and flat directions move alike.
///
/// With the gradient `g`:
/// ```text
/// v ← ρ v + (1 - ρ) g²                 running average of the square
/// w ← w - η g / √(v + ε)
/// ```
/// With momentum, `m ← μ m + η g / √(v + ε)` and `w ← w - m`. Centered, the square of the running average of the
/// gradient is taken from `v`, which leaves an estimate of the variance.
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Optimizer, RmsProp};
/// let optimizer = Optimizer::new(RmsProp::new(1e-3).momentum(0.9));
/// assert_eq!(optimizer.name(), "rmsprop");
/// ```
///
/// Reference: Tieleman and Hinton, *Lecture 6.5: rmsprop*, 2012; Graves, [*Generating Sequences With Recurrent Neural
/// Networks*](https://arxiv.org/abs/1308.0850), 2013; [`keras.optimizers.RMSprop`](https://keras.io/api/optimizers/rmsprop/).
#[derive(Clone, Debug)]
pub struct RmsProp {
    learning_rate: LearningRate,
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl RmsProp {
    /// RMSprop with `ρ = 0.9`, `ε = 10⁻⁷` and no momentum.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Optimizer, RmsProp};
    /// assert_eq!(Optimizer::new(RmsProp::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> RmsProp {
        RmsProp {
            learning_rate: learning_rate.into(),
            rho: 0.9,
            momentum: 0.0,
            epsilon: 1e-7,
            centered: false,
        }
    }

    /// How slowly the running averages forget.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::RmsProp;
    /// let rule = RmsProp::new(1e-3).rho(0.99);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn rho(mut self, rho: f64) -> RmsProp {
        self.rho = rho;
        self
    }

    /// The share of the last step that is taken again.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::RmsProp;
    /// let rule = RmsProp::new(1e-3).momentum(0.9);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> RmsProp {
        self.momentum = momentum;
        self
    }

    /// The number that keeps the division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::RmsProp;
    /// let rule = RmsProp::new(1e-3).epsilon(1e-6);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> RmsProp {
        self.epsilon = epsilon;
        self
    }

    /// Divides by an estimate of the standard deviation instead of the root mean square.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::RmsProp;
    /// let rule = RmsProp::new(1e-3).centered();
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn centered(mut self) -> RmsProp {
        self.centered = true;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for RmsProp {
    fn default() -> RmsProp {
        RmsProp::new(0.001)
    }
}

impl Rule for RmsProp {
    fn name(&self) -> &'static str {
        "rmsprop"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("rho", self.rho, Bounds::Share),
            Setting::new("momentum", self.momentum, Bounds::Share),
            Setting::new("epsilon", self.epsilon, Bounds::Positive),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("RMSprop")
            .field("rho", self.rho)
            .field("momentum", self.momentum)
            .field("epsilon", self.epsilon)
            .field("centered", self.centered);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        match (self.momentum > 0.0, self.centered) {
            (false, false) => &[&["velocity"]],
            (true, false) => &[&["velocity"], &["momentum"]],
            (false, true) => &[&["velocity"], &["average_gradient"]],
            (true, true) => &[&["velocity"], &["momentum"], &["average_gradient"]],
        }
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let averaged = |average: Tensor, new: &Tensor| average * self.rho + new * (1.0 - self.rho);
        let mut velocity = slots.update("velocity", |v| averaged(v, &gradient.square()));
        if self.centered {
            let mean = slots.update("average_gradient", |mean| averaged(mean, gradient));
            // Rounding may leave less than nothing of a variance.
            velocity = (velocity - mean.square()).maximum(0.0);
        }
        let step = gradient * &at.learning_rate / (velocity + self.epsilon).sqrt();
        if self.momentum > 0.0 {
            return weight - slots.update("momentum", |momentum| momentum * self.momentum + &step);
        }
        weight - step
    }
}
