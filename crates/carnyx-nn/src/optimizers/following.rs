//! An optimizer's learning rate: a number that anybody may change, or what a schedule says.
//!
//! Invariant: while a schedule is set, [`Optimizer::learning_rate`] is what it says of the next step. Another number there
//! is an error before it is used, as it would be lost with the step after it.

use super::{Bounds, Optimizer, Setting};
use crate::schedules::{Clock, LearningRate, Schedule};
use carnyx_graph::{Array, Error, Result};
use std::sync::Arc;

/// A schedule that an optimizer follows.
#[derive(Clone)]
pub(super) struct Following {
    schedule: Arc<dyn Schedule>,
    /// The number of the epoch, and the share of it that is done.
    epoch: (f64, f64),
    /// What the schedule said last.
    said: f64,
}

impl Following {
    fn clock(&self, iterations: u64) -> Clock {
        Clock { steps: iterations as f64, epoch: self.epoch.0, share: self.epoch.1 }
    }
}

impl Optimizer {
    /// Sets the learning rate: to a number, which gives up a schedule that there was, or to another schedule.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::CosineDecay;
    /// use carnyx_nn::{Adam, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(0.1));
    /// optimizer.set_learning_rate(CosineDecay::new(0.05, 1000));
    /// assert_eq!((optimizer.learning_rate, optimizer.schedule().is_some()), (0.05, true));
    /// optimizer.set_learning_rate(0.01);
    /// assert_eq!((optimizer.learning_rate, optimizer.schedule().is_some()), (0.01, false));
    /// ```
    pub fn set_learning_rate(&mut self, rate: impl Into<LearningRate>) {
        let rate = rate.into();
        let epoch = self.following.as_ref().map_or((0.0, 0.0), |following| following.epoch);
        let steps = self.iterations().unwrap_or(0) as f64;
        self.learning_rate = rate.at(Clock { steps, epoch: epoch.0, share: epoch.1 });
        let said = self.learning_rate;
        self.following = rate.into_schedule().map(|schedule| Following { schedule, epoch, said });
    }

    /// The schedule that the learning rate follows, if it follows one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::CosineDecay;
    /// use carnyx_nn::{Adam, Optimizer};
    /// let optimizer = Optimizer::new(Adam::new(CosineDecay::new(0.1, 1000)));
    /// assert_eq!(optimizer.schedule().unwrap().name(), "CosineDecay");
    /// assert!(Optimizer::new(Adam::new(0.1)).schedule().is_none());
    /// ```
    pub fn schedule(&self) -> Option<&dyn Schedule> {
        self.following.as_ref().map(|following| &*following.schedule)
    }

    /// What [`set_learning_rate`](Optimizer::set_learning_rate) takes to set it again: to take a schedule off for a while.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::CosineDecay;
    /// use carnyx_nn::{Adam, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(CosineDecay::new(0.1, 1000)));
    /// let before = optimizer.rate_or_schedule();
    /// optimizer.set_learning_rate(1e-5);
    /// optimizer.learning_rate *= 10.0;
    /// optimizer.set_learning_rate(before);
    /// assert_eq!(optimizer.learning_rate, 0.1);
    /// ```
    pub fn rate_or_schedule(&self) -> LearningRate {
        match &self.following {
            Some(following) => LearningRate::of_shared(following.schedule.clone()),
            None => self.learning_rate.into(),
        }
    }

    /// Says in a training loop of one's own how many epochs have passed, 2.5 in the middle of the third one: for schedules
    /// that count epochs. A fit says it by itself.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{ExponentialDecay, Schedule};
    /// use carnyx_nn::{Optimizer, Sgd};
    /// let mut optimizer = Optimizer::new(Sgd::new(ExponentialDecay::new(0.1, 1, 0.5).per_epoch()));
    /// for (epoch, rate) in [0.1, 0.05, 0.025].into_iter().enumerate() {
    ///     optimizer.set_epochs(epoch as f64);
    ///     assert_eq!(optimizer.learning_rate, rate);
    ///     // .. the steps of an epoch
    /// }
    /// ```
    pub fn set_epochs(&mut self, epochs: f64) {
        let steps = self.iterations().unwrap_or(0);
        let Some(following) = &mut self.following else { return };
        let is_untouched = following.said.to_bits() == self.learning_rate.to_bits();
        following.epoch = (epochs.floor(), epochs - epochs.floor());
        following.said = following.schedule.rate(following.clock(steps));
        // A number that somebody has set stays, to be reported at the next step.
        if is_untouched {
            self.learning_rate = following.said;
        }
    }

    /// Goes on to the rate of the next step, after so many steps, at this place in an epoch.
    ///
    /// # Errors
    /// `optimizer`, if the rate was changed by hand; `schedule`, if the schedule gives no rate.
    pub(crate) fn follow(&mut self, iterations: u64, epoch: (f64, f64)) -> Result {
        self.check_untouched()?;
        let name = self.rule.name();
        let Some(following) = &mut self.following else { return Ok(()) };
        following.epoch = epoch;
        let rate = following.schedule.rate(following.clock(iterations));
        if !Bounds::NotNegative.contains(rate) {
            let schedule = following.schedule.name();
            let title = format!("the schedule `{schedule}` gives the learning rate {rate:?}");
            return Err(Error::new("schedule", title)
                .label("a learning rate is a finite number from 0 on")
                .note(format!(
                    "after {iterations} steps of the optimizer `{name}`, in epoch {}",
                    epoch.0 + 1.0
                )));
        }
        following.said = rate;
        self.learning_rate = rate;
        Ok(())
    }

    /// The same within the epoch that was said last.
    pub(super) fn follow_steps(&mut self, iterations: u64) -> Result {
        match &self.following {
            Some(following) => self.follow(iterations, following.epoch),
            None => Ok(()),
        }
    }

    /// That the learning rate, or the schedule behind it, is in order.
    pub(super) fn check_rate(&self) -> Result {
        if let Some(schedule) = self.schedule() {
            schedule.check()?;
            self.check_untouched()?;
        }
        Setting::new("learning_rate", self.learning_rate, Bounds::NotNegative).check(self.name())
    }

    /// That nobody has set a number while a schedule is set. Compared bit by bit, so that NaN is no change.
    fn check_untouched(&self) -> Result {
        match &self.following {
            Some(following) if following.said.to_bits() != self.learning_rate.to_bits() => {
                let (rate, schedule) = (self.learning_rate, following.schedule.name());
                let title = format!(
                    "the learning rate was set to {rate:?}, but it follows the schedule `{schedule}`"
                );
                Err(Error::new("optimizer", title)
                    .label("the schedule says the rate of every step, so that the number would be lost")
                    .help(format!("`optimizer.set_learning_rate({rate:?})` gives the schedule up")))
            }
            _ => Ok(()),
        }
    }

    /// Brings a changed [`learning_rate`](Optimizer::learning_rate) into the variable that programs read.
    ///
    /// # Errors
    /// As for [`check_rate`](Optimizer::check_rate), if it was changed by hand.
    pub(crate) fn synchronize(&mut self) -> Result {
        self.check_untouched()?;
        // Compared bit by bit, so that NaN is written once and not at every step.
        if self.learning_rate.to_bits() != self.rate_in_variable.to_bits() {
            self.rate.assign(&Array::scalar(self.learning_rate as f32))?;
            self.rate_in_variable = self.learning_rate;
        }
        Ok(())
    }

    /// The learning rate that the last step used.
    pub(crate) fn last_rate(&self) -> f64 {
        self.rate_in_variable
    }

    /// The learning rate, and the one that the last step used: what a backup keeps of it.
    pub(crate) fn rates(&self) -> [f64; 2] {
        [self.learning_rate, self.rate_in_variable]
    }

    /// Takes back what [`rates`](Optimizer::rates) gave.
    pub(crate) fn set_rates(&mut self, [rate, in_variable]: [f64; 2]) -> Result {
        self.rate.assign(&Array::scalar(in_variable as f32))?;
        (self.learning_rate, self.rate_in_variable) = (rate, in_variable);
        if let Some(following) = &mut self.following {
            following.said = rate;
        }
        Ok(())
    }
}
