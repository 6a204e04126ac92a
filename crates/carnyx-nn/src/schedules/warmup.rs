//! A careful beginning, before any schedule.

use super::{Clock, LearningRate, Schedule, Span, check_number};
use crate::Config;
use crate::optimizers::Bounds;
use crate::saving::learning_rate_json;
use carnyx_graph::{Error, Result};

/// Learning-rate warm-up: at first the rate is less than that of the schedule behind it, by a factor that grows evenly
/// from 0 to 1.
///
/// `η = (f + (1 - f) · t / n) · schedule(t)` for `t < n`, and `schedule(t)` afterwards. Gradients are largest and
/// estimates of their size poorest at the beginning, so that large rates, large batches and Adam are unstable there. The
/// schedule counts from the beginning of training, not from the end of the warm-up: its boundaries and its end stay where
/// they are without one.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, CosineDecay, Schedule, Warmup};
/// use carnyx_nn::{Adam, AdamW};
/// let adam = Adam::new(Warmup::steps(500, CosineDecay::new(1e-3, 10_000)));
/// let constant = AdamW::new(Warmup::epochs(5, 1e-3)); // grows with every step of the first five epochs
/// let schedule = Warmup::steps(100, 0.1);
/// assert_eq!([0.0, 50.0, 100.0, 999.0].map(|step| schedule.rate(Clock::at_step(step))), [0.0, 0.05, 0.1, 0.1]);
/// # let _ = (adam, constant);
/// ```
///
/// Reference: Goyal et al., [*Accurate, Large Minibatch SGD: Training ImageNet in 1
/// Hour*](https://arxiv.org/abs/1706.02677), 2017; Ma and Yarats, [*On the adequacy of untuned warmup for adaptive
/// optimization*](https://arxiv.org/abs/1910.04209), 2019.
#[derive(Clone, Debug)]
pub struct Warmup {
    length: Span,
    start: f64,
    then: LearningRate,
}

impl Warmup {
    /// A warm-up of so many steps before `then`: a number, or any schedule.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Sgd;
    /// use carnyx_nn::schedules::{PiecewiseConstantDecay, Warmup};
    /// let sgd = Sgd::new(Warmup::steps(200, PiecewiseConstantDecay::new([5000], [0.1, 0.01])));
    /// # let _ = sgd;
    /// ```
    pub fn steps(steps: usize, then: impl Into<LearningRate>) -> Warmup {
        Warmup { length: Span::Steps(steps as f64), start: 0.0, then: then.into() }
    }

    /// A warm-up of so many epochs, within which the rate grows with every step. For that, it has to be known how many
    /// steps an epoch has.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, Schedule, Warmup};
    /// let schedule = Warmup::epochs(5, 0.1);
    /// assert_eq!(schedule.rate(Clock { epoch: 2.0, share: 0.5, ..Clock::default() }), 0.05);
    /// ```
    pub fn epochs(epochs: usize, then: impl Into<LearningRate>) -> Warmup {
        Warmup { length: Span::Epochs(epochs as f64), start: 0.0, then: then.into() }
    }

    /// The factor of the first step: 0, unless given. [`Ftrl`](crate::Ftrl) divides by the rate, and needs more.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, Schedule, Warmup};
    /// assert_eq!(Warmup::steps(100, 0.1).start_factor(0.25).rate(Clock::at_step(0.0)), 0.025);
    /// ```
    pub fn start_factor(mut self, factor: f64) -> Warmup {
        self.start = factor;
        self
    }

    pub(crate) fn of(length: Span, start: f64, then: LearningRate) -> Warmup {
        Warmup { length, start, then }
    }
}

impl Schedule for Warmup {
    fn rate(&self, at: Clock) -> f64 {
        let rate = self.then.at(at);
        let (done, length) = match self.length {
            Span::Steps(steps) => (at.steps, steps),
            Span::Epochs(epochs) => (at.epochs(), epochs),
        };
        if done < length { rate * (self.start + (1.0 - self.start) * (done / length)) } else { rate }
    }

    fn check(&self) -> Result {
        check_number(self, "start_factor", self.start, Bounds::Share)?;
        let (unit, length) = match self.length {
            Span::Steps(steps) => ("steps", steps),
            Span::Epochs(epochs) => ("epochs", epochs),
        };
        if length == 0.0 {
            return Err(Error::new("schedule", format!("a warm-up of 0 {unit}"))
                .label("it should be a whole number from 1 on")
                .help("leave the warm-up out: what is behind it is a learning rate by itself"));
        }
        self.then.check_in(self)
    }

    fn divides_epochs(&self) -> bool {
        matches!(self.length, Span::Epochs(_)) || self.then.schedule().is_some_and(Schedule::divides_epochs)
    }

    fn warm_up(&self) -> Option<Span> {
        Some(self.length)
    }

    fn config(&self) -> Option<Config> {
        let (field, length) = match self.length {
            Span::Steps(steps) => ("steps", steps),
            Span::Epochs(epochs) => ("epochs", epochs),
        };
        let config = Config::new("Carnyx>Warmup").field(field, length as usize);
        let config = config.field("start_factor", self.start);
        Some(config.field("learning_rate", learning_rate_json(&self.then)?))
    }
}
