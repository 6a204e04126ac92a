//! Rates that fall by a formula: exponential, inverse time, polynomial, power.

use super::{Clock, Schedule, check_number, check_steps};
use crate::Config;
use crate::optimizers::Bounds;
use carnyx_graph::Result;

/// The rate is multiplied by `decay_rate` every `decay_steps` steps: `η = η₀ · decay_rate^(t / decay_steps)`.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, ExponentialDecay, Schedule};
/// use carnyx_nn::{Optimizer, Sgd};
/// let optimizer = Optimizer::new(Sgd::new(ExponentialDecay::new(0.1, 1000, 0.96)));
/// assert_eq!(optimizer.learning_rate, 0.1);
/// let stairs = ExponentialDecay::new(0.1, 1000, 0.5).staircase();
/// assert_eq!([999.0, 1000.0].map(|step| stairs.rate(Clock::at_step(step))), [0.1, 0.05]);
/// ```
///
/// Reference:
/// [`keras.optimizers.schedules.ExponentialDecay`](https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/).
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialDecay {
    learning_rate: f64,
    decay_steps: usize,
    decay_rate: f64,
    staircase: bool,
}

impl ExponentialDecay {
    /// From `learning_rate` on, less and less for a `decay_rate` below 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, ExponentialDecay, Schedule};
    /// assert_eq!(ExponentialDecay::new(0.1, 1000, 0.25).rate(Clock::at_step(500.0)), 0.05);
    /// ```
    pub fn new(learning_rate: f64, decay_steps: usize, decay_rate: f64) -> ExponentialDecay {
        ExponentialDecay { learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// All of the decay at once after every `decay_steps` steps, and none in between.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::ExponentialDecay;
    /// let schedule = ExponentialDecay::new(0.1, 1000, 0.5).staircase();
    /// # let _ = schedule;
    /// ```
    pub fn staircase(mut self) -> ExponentialDecay {
        self.staircase = true;
        self
    }
}

impl Schedule for ExponentialDecay {
    fn rate(&self, at: Clock) -> f64 {
        self.learning_rate * self.decay_rate.powf(periods(at, self.decay_steps, self.staircase))
    }

    fn check(&self) -> Result {
        check_number(self, "learning_rate", self.learning_rate, Bounds::NotNegative)?;
        check_steps(self, "decay_steps", self.decay_steps)?;
        check_number(self, "decay_rate", self.decay_rate, Bounds::Positive)
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("ExponentialDecay").field("initial_learning_rate", self.learning_rate);
        let config = config.field("decay_steps", self.decay_steps).field("decay_rate", self.decay_rate);
        Some(config.field("staircase", self.staircase).field("name", "ExponentialDecay"))
    }
}

/// The rate is divided by a number that grows evenly: `η = η₀ / (1 + decay_rate · t / decay_steps)`.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, InverseTimeDecay, Schedule};
/// assert_eq!(InverseTimeDecay::new(0.1, 100, 0.5).rate(Clock::at_step(200.0)), 0.05);
/// ```
///
/// Reference:
/// [`keras.optimizers.schedules.InverseTimeDecay`](https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/).
#[derive(Clone, Debug, PartialEq)]
pub struct InverseTimeDecay {
    learning_rate: f64,
    decay_steps: usize,
    decay_rate: f64,
    staircase: bool,
}

impl InverseTimeDecay {
    /// From `learning_rate` on; the divisor grows by `decay_rate` in `decay_steps` steps.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::InverseTimeDecay;
    /// let schedule = InverseTimeDecay::new(0.1, 100, 0.5);
    /// # let _ = schedule;
    /// ```
    pub fn new(learning_rate: f64, decay_steps: usize, decay_rate: f64) -> InverseTimeDecay {
        InverseTimeDecay { learning_rate, decay_steps, decay_rate, staircase: false }
    }

    /// All of the decay at once after every `decay_steps` steps, and none in between.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, InverseTimeDecay, Schedule};
    /// assert_eq!(InverseTimeDecay::new(0.1, 100, 1.0).staircase().rate(Clock::at_step(199.0)), 0.05);
    /// ```
    pub fn staircase(mut self) -> InverseTimeDecay {
        self.staircase = true;
        self
    }
}

impl Schedule for InverseTimeDecay {
    fn rate(&self, at: Clock) -> f64 {
        self.learning_rate / (1.0 + self.decay_rate * periods(at, self.decay_steps, self.staircase))
    }

    fn check(&self) -> Result {
        check_number(self, "learning_rate", self.learning_rate, Bounds::NotNegative)?;
        check_steps(self, "decay_steps", self.decay_steps)?;
        check_number(self, "decay_rate", self.decay_rate, Bounds::NotNegative)
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("InverseTimeDecay").field("initial_learning_rate", self.learning_rate);
        let config = config.field("decay_steps", self.decay_steps).field("decay_rate", self.decay_rate);
        Some(config.field("staircase", self.staircase).field("name", "InverseTimeDecay"))
    }
}

/// How often `decay_steps` steps have passed; whole times only on a staircase.
fn periods(at: Clock, decay_steps: usize, staircase: bool) -> f64 {
    let periods = at.steps / decay_steps as f64;
    if staircase { periods.floor() } else { periods }
}

/// The rate falls from one number to another within `decay_steps` steps, and stays there:
/// `η = (η₀ - η₁) · (1 - t / decay_steps)^power + η₁`.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, PolynomialDecay, Schedule};
/// let line = PolynomialDecay::new(0.1, 100).end(0.0); // straight down to 0
/// assert_eq!([0.0, 50.0, 100.0, 999.0].map(|step| line.rate(Clock::at_step(step))), [0.1, 0.05, 0.0, 0.0]);
/// ```
///
/// Reference:
/// [`keras.optimizers.schedules.PolynomialDecay`](https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/).
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialDecay {
    learning_rate: f64,
    decay_steps: usize,
    end: f64,
    power: f64,
    cycle: bool,
}

impl PolynomialDecay {
    /// From `learning_rate` to 0.0001 in a straight line, Keras's defaults.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::PolynomialDecay;
    /// let schedule = PolynomialDecay::new(0.1, 10_000);
    /// # let _ = schedule;
    /// ```
    pub fn new(learning_rate: f64, decay_steps: usize) -> PolynomialDecay {
        PolynomialDecay { learning_rate, decay_steps, end: 0.0001, power: 1.0, cycle: false }
    }

    /// The rate at the end.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::PolynomialDecay;
    /// let schedule = PolynomialDecay::new(0.1, 10_000).end(0.001);
    /// # let _ = schedule;
    /// ```
    pub fn end(mut self, learning_rate: f64) -> PolynomialDecay {
        self.end = learning_rate;
        self
    }

    /// The power of the share that is left: 1 is a line, 2 falls fast at first, 0.5 at last.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, PolynomialDecay, Schedule};
    /// assert_eq!(PolynomialDecay::new(0.4, 10).end(0.0).power(2.0).rate(Clock::at_step(5.0)), 0.1);
    /// ```
    pub fn power(mut self, power: f64) -> PolynomialDecay {
        self.power = power;
        self
    }

    /// Instead of staying at the end, the decay is stretched to the next multiple of `decay_steps`: the rate jumps up
    /// and falls again, each time from a lower peak.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, PolynomialDecay, Schedule};
    /// let cycles = PolynomialDecay::new(0.1, 100).end(0.0).cycle();
    /// assert_eq!([100.0, 150.0, 200.0].map(|step| cycles.rate(Clock::at_step(step))), [0.0, 0.025, 0.0]);
    /// ```
    pub fn cycle(mut self) -> PolynomialDecay {
        self.cycle = true;
        self
    }
}

impl Schedule for PolynomialDecay {
    fn rate(&self, at: Clock) -> f64 {
        let period = self.decay_steps as f64;
        let end = if self.cycle { period * (at.steps / period).ceil().max(1.0) } else { period };
        let left = 1.0 - at.steps.min(end) / end;
        (self.learning_rate - self.end) * left.powf(self.power) + self.end
    }

    fn check(&self) -> Result {
        check_number(self, "learning_rate", self.learning_rate, Bounds::NotNegative)?;
        check_steps(self, "decay_steps", self.decay_steps)?;
        check_number(self, "end", self.end, Bounds::NotNegative)?;
        check_number(self, "power", self.power, Bounds::Positive)
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("PolynomialDecay").field("initial_learning_rate", self.learning_rate);
        let config = config.field("decay_steps", self.decay_steps).field("end_learning_rate", self.end);
        let config = config.field("power", self.power).field("cycle", self.cycle);
        Some(config.field("name", "PolynomialDecay"))
    }
}

/// Power scheduling: `η = η₀ / (1 + t / s)^c`. The rate halves within the first `s` steps, then ever more slowly.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, PowerDecay, Schedule};
/// let schedule = PowerDecay::new(0.1, 100);
/// assert_eq!([0.0, 100.0, 300.0].map(|step| schedule.rate(Clock::at_step(step))), [0.1, 0.05, 0.025]);
/// ```
///
/// Reference: Géron, *Hands-On Machine Learning*, chapter 11.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerDecay {
    learning_rate: f64,
    steps: usize,
    power: f64,
}

impl PowerDecay {
    /// From `learning_rate` on, to a half of it after `steps` steps and a third after twice as many.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::PowerDecay;
    /// let schedule = PowerDecay::new(0.1, 1000);
    /// # let _ = schedule;
    /// ```
    pub fn new(learning_rate: f64, steps: usize) -> PowerDecay {
        PowerDecay { learning_rate, steps, power: 1.0 }
    }

    /// The power `c`: 1, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, PowerDecay, Schedule};
    /// assert_eq!(PowerDecay::new(0.1, 100).power(0.5).rate(Clock::at_step(300.0)), 0.05);
    /// ```
    pub fn power(mut self, power: f64) -> PowerDecay {
        self.power = power;
        self
    }
}

impl Schedule for PowerDecay {
    fn rate(&self, at: Clock) -> f64 {
        self.learning_rate / (1.0 + at.steps / self.steps as f64).powf(self.power)
    }

    fn check(&self) -> Result {
        check_number(self, "learning_rate", self.learning_rate, Bounds::NotNegative)?;
        check_steps(self, "steps", self.steps)?;
        check_number(self, "power", self.power, Bounds::NotNegative)
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Carnyx>PowerDecay").field("learning_rate", self.learning_rate);
        Some(config.field("steps", self.steps).field("power", self.power))
    }
}
