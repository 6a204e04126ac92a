//! One cycle: up to a rate that could not be kept, and down to almost nothing.

use super::{Clock, Schedule, check_number};
use crate::Config;
use crate::optimizers::Bounds;
use carnyx_graph::{Error, Result};
use std::f64::consts::PI;

/// The one-cycle policy: the rate grows to `max_learning_rate` within the first 30 % of training, and falls to almost
/// nothing until its end. Large rates in the middle let a model learn fast and find wide minima; small ones at both ends
/// keep it from diverging at first and let it settle at last.
///
/// As in PyTorch it begins at a 25th of the peak, ends at a 10 000th of that, and changes along cosines. Smith's own form
/// is [`linear`](OneCycle::linear) in [`three_phases`](OneCycle::three_phases). Momentum stays as the optimizer has it.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, OneCycle, Schedule};
/// use carnyx_nn::{Optimizer, Sgd};
/// let (samples, batch_size, epochs) = (60_000usize, 32, 10);
/// let steps = samples.div_ceil(batch_size) * epochs;
/// let optimizer = Optimizer::new(Sgd::new(OneCycle::new(0.5, steps)).momentum(0.9));
/// assert!((optimizer.learning_rate - 0.5 / 25.0).abs() < 1e-12);
/// ```
///
/// Reference: Smith and Topin, [*Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
/// Rates*](https://arxiv.org/abs/1708.07120), 2017; Smith, [*A disciplined approach to neural network
/// hyper-parameters*](https://arxiv.org/abs/1803.09820), 2018;
/// [`torch.optim.lr_scheduler.OneCycleLR`](https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html).
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle {
    max_learning_rate: f64,
    total_steps: usize,
    rise: f64,
    initial_divisor: f64,
    final_divisor: f64,
    linear: bool,
    three_phases: bool,
}

impl OneCycle {
    /// Up to `max_learning_rate` and down again within `total_steps` steps, which is all of training.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, OneCycle, Schedule};
    /// let schedule = OneCycle::new(0.5, 100);
    /// assert_eq!(schedule.rate(Clock::at_step(29.0)), 0.5);
    /// assert!((schedule.rate(Clock::at_step(99.0)) - 0.5 / 25e4).abs() < 1e-12);
    /// ```
    pub fn new(max_learning_rate: f64, total_steps: usize) -> OneCycle {
        OneCycle {
            max_learning_rate,
            total_steps,
            rise: 0.3,
            initial_divisor: 25.0,
            final_divisor: 1e4,
            linear: false,
            three_phases: false,
        }
    }

    /// The share of training in which the rate grows: 0.3, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::OneCycle;
    /// let schedule = OneCycle::new(0.5, 1000).rise(0.45);
    /// # let _ = schedule;
    /// ```
    pub fn rise(mut self, share: f64) -> OneCycle {
        self.rise = share;
        self
    }

    /// The first rate is the greatest one divided by this: 25, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, OneCycle, Schedule};
    /// let first = OneCycle::new(0.5, 1000).initial_divisor(10.0).rate(Clock::at_step(0.0));
    /// assert!((first - 0.05).abs() < 1e-12);
    /// ```
    pub fn initial_divisor(mut self, divisor: f64) -> OneCycle {
        self.initial_divisor = divisor;
        self
    }

    /// The last rate is the first one divided by this: 10 000, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::OneCycle;
    /// let schedule = OneCycle::new(0.5, 1000).final_divisor(100.0);
    /// # let _ = schedule;
    /// ```
    pub fn final_divisor(mut self, divisor: f64) -> OneCycle {
        self.final_divisor = divisor;
        self
    }

    /// Along straight lines instead of cosines.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::OneCycle;
    /// let schedule = OneCycle::new(0.5, 1000).linear();
    /// # let _ = schedule;
    /// ```
    pub fn linear(mut self) -> OneCycle {
        self.linear = true;
        self
    }

    /// As long down to the first rate as up from it, and the rest of training from there to the last rate.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, OneCycle, Schedule};
    /// let smith = OneCycle::new(0.5, 100).rise(0.45).linear().three_phases();
    /// assert_eq!(smith.rate(Clock::at_step(88.0)), 0.02);
    /// ```
    pub fn three_phases(mut self) -> OneCycle {
        self.three_phases = true;
        self
    }

    /// The last step of each phase, and the rate there.
    fn phases(&self) -> [(f64, f64); 3] {
        let (total, max) = (self.total_steps as f64, self.max_learning_rate);
        let first = max / self.initial_divisor;
        let end = (total - 1.0, first / self.final_divisor);
        let rising = self.rise * total;
        if self.three_phases {
            [(rising - 1.0, max), (2.0 * rising - 2.0, first), end]
        } else {
            [(rising - 1.0, max), end, end]
        }
    }
}

impl Schedule for OneCycle {
    fn rate(&self, at: Clock) -> f64 {
        let (mut begin, mut from) = (0.0, self.max_learning_rate / self.initial_divisor);
        for (end, to) in self.phases() {
            if at.steps <= end {
                // A phase of no length is over where it begins.
                let share = if end > begin { (at.steps - begin) / (end - begin) } else { 1.0 };
                let left = if self.linear { 1.0 - share } else { 0.5 * (1.0 + (PI * share).cos()) };
                return to + (from - to) * left;
            }
            (begin, from) = (end, to);
        }
        from
    }

    fn check(&self) -> Result {
        check_number(self, "max_learning_rate", self.max_learning_rate, Bounds::NotNegative)?;
        check_number(self, "rise", self.rise, Bounds::Share)?;
        check_number(self, "initial_divisor", self.initial_divisor, Bounds::Positive)?;
        check_number(self, "final_divisor", self.final_divisor, Bounds::Positive)?;
        let error = |title: String| Error::new("schedule", title);
        if self.total_steps < 2 {
            let title = format!("`total_steps` of the schedule `{}` is {}", self.name(), self.total_steps);
            return Err(error(title)
                .label("there is a first rate and a last one, so that 2 steps are the least")
                .help("it is the number of steps of all of training: epochs times steps of an epoch"));
        }
        if self.three_phases && self.rise > 0.5 {
            let title = format!("`rise` of the schedule `{}` is {}", self.name(), self.rise);
            return Err(
                error(title).label("in three phases, the rate falls as long as it grows: 0.5 at most")
            );
        }
        Ok(())
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Carnyx>OneCycle").field("max_learning_rate", self.max_learning_rate);
        let config = config.field("total_steps", self.total_steps).field("rise", self.rise);
        let config = config.field("initial_divisor", self.initial_divisor);
        let config = config.field("final_divisor", self.final_divisor).field("linear", self.linear);
        Some(config.field("three_phases", self.three_phases))
    }
}
