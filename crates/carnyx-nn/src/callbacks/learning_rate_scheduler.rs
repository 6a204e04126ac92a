//! A learning rate for each epoch.

use super::{Callback, Run};
use carnyx_graph::{Error, Result};

/// Sets the learning rate at the beginning of each epoch: a function of the epoch's number, counted from 0 over all
/// fits of the model, and of the rate so far. Each epoch's rate is in the logs, as `learning_rate`.
///
/// # Errors
/// `callback`, if the function gives a rate that is not a finite number from 0 on, or if the optimizer's rate follows a
/// [schedule](crate::schedules).
///
/// # Example
/// ```
/// use carnyx_nn::Fit;
/// use carnyx_nn::callbacks::LearningRateScheduler;
/// // The first rate for ten epochs, then less and less.
/// let fit = Fit::epochs(30)
///     .callback(LearningRateScheduler::new(|epoch, rate| if epoch < 10 { rate } else { rate * 0.9 }));
/// # let _ = fit;
/// ```
///
/// Reference: [`keras.callbacks.LearningRateScheduler`](https://keras.io/api/callbacks/learning_rate_scheduler/).
pub struct LearningRateScheduler<F> {
    schedule: F,
}

impl<F: FnMut(usize, f64) -> f64> LearningRateScheduler<F> {
    /// The rate of an epoch is `schedule(epoch, rate so far)`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::LearningRateScheduler;
    /// let steps = LearningRateScheduler::new(|epoch, _| [0.1, 0.05, 0.01][(epoch / 5).min(2)]);
    /// # let _ = steps;
    /// ```
    pub fn new(schedule: F) -> LearningRateScheduler<F> {
        LearningRateScheduler { schedule }
    }
}

impl<F: FnMut(usize, f64) -> f64> Callback for LearningRateScheduler<F> {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        run.check_no_schedule("LearningRateScheduler")
    }

    fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
        let rate = (self.schedule)(run.epoch, run.optimizer.learning_rate);
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::new(
                "callback",
                format!("the schedule gives the learning rate {rate:?} for epoch {}", run.epoch),
            )
            .label("a learning rate is a finite number from 0 on"));
        }
        run.optimizer.learning_rate = rate;
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        run.logs.set("learning_rate", run.optimizer.learning_rate);
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&["learning_rate"])
    }
}
