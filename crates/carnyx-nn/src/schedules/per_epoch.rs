//! Schedules that count epochs.

use super::{Clock, Schedule, Span};
use crate::Config;
use crate::saving::schedule_json;
use carnyx_graph::Result;
use std::sync::Arc;

/// A schedule with epochs in the place of steps, made by [`Schedule::per_epoch`].
///
/// Epochs are counted from 0 over all fits of a model. In a training loop of one's own,
/// [`Optimizer::set_epochs`](crate::Optimizer::set_epochs) counts them.
///
/// # Example
/// ```
/// use carnyx_nn::Sgd;
/// use carnyx_nn::schedules::{ExponentialDecay, OneCycle, Schedule};
/// let stairs = Sgd::new(ExponentialDecay::new(0.1, 10, 0.5).per_epoch()); // half after ten epochs
/// let cycle = Sgd::new(OneCycle::new(0.5, 20).per_epoch().smooth()); // twenty epochs, and a bit with every step
/// # let _ = (stairs, cycle);
/// ```
#[derive(Clone)]
pub struct PerEpoch {
    schedule: Arc<dyn Schedule>,
    smooth: bool,
}

impl PerEpoch {
    pub(crate) fn of(schedule: Arc<dyn Schedule>) -> PerEpoch {
        PerEpoch { schedule, smooth: false }
    }

    /// The rate changes within an epoch too, with every step. For that, it has to be known how many steps an epoch has.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, PolynomialDecay, Schedule};
    /// let line = PolynomialDecay::new(0.1, 10).end(0.0).per_epoch().smooth();
    /// let rate = line.rate(Clock { epoch: 2.0, share: 0.5, ..Clock::default() });
    /// assert!((rate - 0.075).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn smooth(mut self) -> PerEpoch {
        self.smooth = true;
        self
    }
}

impl Schedule for PerEpoch {
    fn rate(&self, at: Clock) -> f64 {
        let epochs = if self.smooth { at.epochs() } else { at.epoch };
        self.schedule.rate(Clock { steps: epochs, ..at })
    }

    fn name(&self) -> String {
        self.schedule.name()
    }

    fn check(&self) -> Result {
        self.schedule.check()
    }

    fn divides_epochs(&self) -> bool {
        self.smooth || self.schedule.divides_epochs()
    }

    fn warm_up(&self) -> Option<Span> {
        self.schedule.warm_up().map(|span| match span {
            Span::Steps(count) | Span::Epochs(count) => Span::Epochs(count),
        })
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Carnyx>PerEpoch").field("schedule", schedule_json(&*self.schedule)?);
        Some(config.field("smooth", self.smooth))
    }
}
