//! A smaller learning rate where a number has stopped improving.

use super::monitor::{Direction, Monitor};
use super::{Callback, Run, State};
use carnyx_graph::{Error, Result};

/// Multiplies the learning rate by a factor when a number has not improved for some epochs.
///
/// `rate ← max(rate * factor, min_learning_rate)` after `patience` epochs in a row without an improvement; then
/// `cooldown` epochs pass before epochs are counted again. Each epoch's rate is in the logs, as `learning_rate`.
///
/// # Errors
/// `callback`, before the first epoch where it can be known: if there is no number of that name, if its name does not
/// tell which way is better, if the factor makes the rate no smaller, or if the optimizer's rate follows a
/// [schedule](crate::schedules).
///
/// # Example
/// ```
/// use carnyx_nn::Fit;
/// use carnyx_nn::callbacks::ReduceLROnPlateau;
/// let fit = Fit::epochs(100).callback(ReduceLROnPlateau::patience(5).factor(0.5).min_learning_rate(1e-5));
/// # let _ = fit;
/// ```
///
/// Reference: [`keras.callbacks.ReduceLROnPlateau`](https://keras.io/api/callbacks/reduce_lr_on_plateau/).
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    /// The best number so far.
    pub best: Option<f64>,
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_learning_rate: f64,
    wait: usize,
    cooling: usize,
}

impl ReduceLROnPlateau {
    /// A tenth of the rate after that many epochs without an improvement of `val_loss` by more than 0.0001. Keras's
    /// default is 10 epochs.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// assert_eq!(ReduceLROnPlateau::patience(10).best, None);
    /// ```
    pub fn patience(epochs: usize) -> ReduceLROnPlateau {
        ReduceLROnPlateau {
            best: None,
            monitor: Monitor { min_delta: 1e-4, ..Monitor::new() },
            factor: 0.1,
            patience: epochs,
            cooldown: 0,
            min_learning_rate: 0.0,
            wait: 0,
            cooling: 0,
        }
    }

    /// Watches the number of this name. The way that is better follows from the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).monitor("val_accuracy");
    /// # let _ = reduce;
    /// ```
    pub fn monitor(mut self, name: &str) -> ReduceLROnPlateau {
        name.clone_into(&mut self.monitor.name);
        self
    }

    /// Greater is better, whatever the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).monitor("val_score").maximize();
    /// # let _ = reduce;
    /// ```
    pub fn maximize(mut self) -> ReduceLROnPlateau {
        self.monitor.direction = Some(Direction::Greater);
        self
    }

    /// Smaller is better, whatever the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).monitor("val_distance").minimize();
    /// # let _ = reduce;
    /// ```
    pub fn minimize(mut self) -> ReduceLROnPlateau {
        self.monitor.direction = Some(Direction::Smaller);
        self
    }

    /// What the rate is multiplied by: less than 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).factor(0.5);
    /// # let _ = reduce;
    /// ```
    pub fn factor(mut self, factor: f64) -> ReduceLROnPlateau {
        self.factor = factor;
        self
    }

    /// A change of no more than this is no improvement.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).min_delta(1e-3);
    /// # let _ = reduce;
    /// ```
    pub fn min_delta(mut self, change: f64) -> ReduceLROnPlateau {
        self.monitor.min_delta = change;
        self
    }

    /// The epochs after a reduction that do not count.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).cooldown(3);
    /// # let _ = reduce;
    /// ```
    pub fn cooldown(mut self, epochs: usize) -> ReduceLROnPlateau {
        self.cooldown = epochs;
        self
    }

    /// The rate is never made smaller than this.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ReduceLROnPlateau;
    /// let reduce = ReduceLROnPlateau::patience(5).min_learning_rate(1e-5);
    /// # let _ = reduce;
    /// ```
    pub fn min_learning_rate(mut self, rate: f64) -> ReduceLROnPlateau {
        self.min_learning_rate = rate;
        self
    }
}

impl Callback for ReduceLROnPlateau {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        if !(0.0..1.0).contains(&self.factor) {
            let title = format!("`ReduceLROnPlateau` multiplies the learning rate by {:?}", self.factor);
            return Err(Error::new("callback", title)
                .label("a factor below 1 and from 0 on makes it smaller")
                .help("`.factor(0.1)` is the default"));
        }
        run.check_no_schedule("ReduceLROnPlateau")?;
        self.monitor.check("ReduceLROnPlateau", run)?;
        (self.best, self.wait, self.cooling) = (None, 0, 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        run.logs.set("learning_rate", run.optimizer.learning_rate);
        let value = self.monitor.value("ReduceLROnPlateau", run)?;
        if self.cooling > 0 {
            self.cooling -= 1;
            self.wait = 0;
        }
        if self.monitor.is_better(value, self.best)? {
            self.best = Some(value);
            self.wait = 0;
        } else if self.cooling == 0 {
            self.wait += 1;
            let rate = run.optimizer.learning_rate;
            if self.wait >= self.patience && rate > self.min_learning_rate {
                run.optimizer.learning_rate = (rate * self.factor).max(self.min_learning_rate);
                (self.cooling, self.wait) = (self.cooldown, 0);
            }
        }
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn state(&mut self) -> Result<State> {
        Ok(State::new()
            .with_option("best", self.best)
            .with_number("wait", self.wait as f64)
            .with_number("cooling", self.cooling as f64))
    }

    fn restore(&mut self, state: &State) -> Result {
        self.best = state.number("best");
        self.wait = state.count("wait").unwrap_or(0);
        self.cooling = state.count("cooling").unwrap_or(0);
        Ok(())
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&["learning_rate"])
    }
}
