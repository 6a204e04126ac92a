//! Stopping when a number has stopped improving.

use super::monitor::{Direction, Monitor};
use super::{Callback, Run, State};
use carnyx_graph::{Array, Result, Variable};

/// Stops when a number has not improved for some epochs.
///
/// Each epoch without an improvement over the best one counts; after `patience` of them in a row the fit stops. With
/// [`restore_best`](EarlyStopping::restore_best), the weights of the best epoch are put back at the end of the fit, be
/// it stopped or not.
///
/// # Errors
/// `callback`, before the first epoch where it can be known: if there is no number of that name, or if its name does
/// not tell which way is better.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::callbacks::EarlyStopping;
/// use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd, Verbosity};
/// let (x, y) = (Array::full([8, 1], 1f32), Array::full([8, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.25), MeanSquaredError);
/// let mut stopping = EarlyStopping::patience(3).monitor("loss").min_delta(1e-3).restore_best();
/// let fit = Fit::epochs(100).verbose(Verbosity::Silent).callback(&mut stopping);
/// let history = model.fit((&x, &y), fit)?;
/// assert!(history.epochs.len() < 100);
/// assert_eq!(stopping.stopped_epoch, Some(history.epochs.len() - 1));
/// assert_eq!(stopping.best_epoch, Some(history.epochs.len() - 4)); // three epochs before the last
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.callbacks.EarlyStopping`](https://keras.io/api/callbacks/early_stopping/); L. Prechelt, *Early
/// Stopping - But When?*, 1998.
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    /// The best number so far.
    pub best: Option<f64>,
    /// The epoch of the weights that are the best so far, counted from 0 over all fits of the model.
    pub best_epoch: Option<usize>,
    /// The epoch after which this callback has stopped the fit; `None` if it did not.
    pub stopped_epoch: Option<usize>,
    monitor: Monitor,
    patience: usize,
    baseline: Option<f64>,
    restore_best: bool,
    start_from_epoch: usize,
    first_epoch: usize,
    wait: usize,
    best_weights: Vec<Option<Array>>,
}

impl EarlyStopping {
    /// Stops after that many epochs without an improvement of `val_loss`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let fit = Fit::epochs(100).callback(EarlyStopping::patience(5));
    /// # let _ = fit;
    /// ```
    pub fn patience(epochs: usize) -> EarlyStopping {
        EarlyStopping {
            best: None,
            best_epoch: None,
            stopped_epoch: None,
            monitor: Monitor::new(),
            patience: epochs,
            baseline: None,
            restore_best: false,
            start_from_epoch: 0,
            first_epoch: 0,
            wait: 0,
            best_weights: Vec::new(),
        }
    }

    /// Watches the number of this name. The way that is better follows from the name: greater for accuracies and
    /// their like, smaller for losses and errors.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).monitor("val_accuracy");
    /// # let _ = stopping;
    /// ```
    pub fn monitor(mut self, name: &str) -> EarlyStopping {
        name.clone_into(&mut self.monitor.name);
        self
    }

    /// Greater is better, whatever the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).monitor("val_score").maximize();
    /// # let _ = stopping;
    /// ```
    pub fn maximize(mut self) -> EarlyStopping {
        self.monitor.direction = Some(Direction::Greater);
        self
    }

    /// Smaller is better, whatever the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).monitor("val_distance").minimize();
    /// # let _ = stopping;
    /// ```
    pub fn minimize(mut self) -> EarlyStopping {
        self.monitor.direction = Some(Direction::Smaller);
        self
    }

    /// A change of no more than this is no improvement.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).min_delta(1e-3);
    /// # let _ = stopping;
    /// ```
    pub fn min_delta(mut self, change: f64) -> EarlyStopping {
        self.monitor.min_delta = change;
        self
    }

    /// Only epochs that are better than this begin the count of epochs anew.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).monitor("val_accuracy").baseline(0.9);
    /// # let _ = stopping;
    /// ```
    pub fn baseline(mut self, value: f64) -> EarlyStopping {
        self.baseline = Some(value);
        self
    }

    /// Puts the weights of the best epoch back at the end of the fit. What the optimizer remembers stays as it is.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).restore_best();
    /// # let _ = stopping;
    /// ```
    pub fn restore_best(mut self) -> EarlyStopping {
        self.restore_best = true;
        self
    }

    /// The first so many epochs of a fit do not count.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// let stopping = EarlyStopping::patience(5).start_from_epoch(10);
    /// # let _ = stopping;
    /// ```
    pub fn start_from_epoch(mut self, epochs: usize) -> EarlyStopping {
        self.start_from_epoch = epochs;
        self
    }

    fn remember(&mut self, run: &Run) -> Result {
        self.best_epoch = Some(run.epoch);
        if self.restore_best {
            let value = |variable: &Variable| variable.has_value().then(|| variable.value()).transpose();
            self.best_weights = run.variables().iter().map(value).collect::<Result<_>>()?;
        }
        Ok(())
    }
}

impl Callback for EarlyStopping {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        self.monitor.check("EarlyStopping", run)?;
        (self.best, self.best_epoch, self.stopped_epoch) = (None, None, None);
        (self.wait, self.first_epoch) = (0, run.epoch);
        self.best_weights.clear();
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        let value = self.monitor.value("EarlyStopping", run)?;
        if run.epoch - self.first_epoch < self.start_from_epoch {
            return Ok(());
        }
        // Without any improvement, the first epoch that counts is the best one.
        if self.best_epoch.is_none() {
            self.remember(run)?;
        }
        self.wait += 1;
        if self.monitor.is_better(value, self.best)? {
            self.best = Some(value);
            self.remember(run)?;
            if self.baseline.is_none() || self.monitor.is_better(value, self.baseline)? {
                self.wait = 0;
            }
        } else if self.wait >= self.patience {
            self.stopped_epoch = Some(run.epoch);
            run.stop();
        }
        Ok(())
    }

    fn on_train_end(&mut self, run: &mut Run) -> Result {
        for (variable, value) in run.variables().iter().zip(&self.best_weights) {
            value.iter().try_for_each(|value| variable.assign(value))?;
        }
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn state(&mut self) -> Result<State> {
        let number = |count: Option<usize>| count.map(|count| count as f64);
        let state = State::new()
            .with_number("wait", self.wait as f64)
            .with_number("first_epoch", self.first_epoch as f64)
            .with_option("best", self.best)
            .with_option("best_epoch", number(self.best_epoch))
            .with_option("stopped_epoch", number(self.stopped_epoch))
            .with_number("weights", self.best_weights.len() as f64);
        let weights = self.best_weights.iter().enumerate().filter_map(|(i, value)| Some((i, value.clone()?)));
        Ok(weights.fold(state, |state, (i, value)| state.with(format!("weight_{i}"), value)))
    }

    fn restore(&mut self, state: &State) -> Result {
        self.wait = state.count("wait").unwrap_or(0);
        self.first_epoch = state.count("first_epoch").unwrap_or(0);
        self.best = state.number("best");
        self.best_epoch = state.count("best_epoch");
        self.stopped_epoch = state.count("stopped_epoch");
        let weights = 0..state.count("weights").unwrap_or(0);
        self.best_weights = weights.map(|i| state.array(&format!("weight_{i}")).cloned()).collect();
        Ok(())
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}
