//! The running fit: as callbacks see it, and as the training loop keeps it.

use crate::fit::Stability;
use crate::history::{History, Logs};
use crate::models::trace::Core;
use crate::optimizers::Optimizer;
use crate::progress::Verbosity;
use crate::saving;
use crate::{Instability, SaveReport};
use carnyx_graph::{Array, Error, Graph, Result, Variable};
use std::panic::Location;
use std::path::Path;

/// A running fit, as callbacks see it.
///
/// # Example
/// ```
/// use carnyx_nn::{Fit, callbacks::at_epoch_end};
/// let fit = Fit::epochs(100).callback(at_epoch_end(|run| {
///     if run.logs["loss"] < 0.01 {
///         run.stop();
///     }
///     Ok(())
/// }));
/// # let _ = fit;
/// ```
pub struct Run<'a> {
    /// The number of the epoch, counted from 0 over all fits of the model.
    pub epoch: usize,
    /// The number of the epoch with which this fit ends, unless it is stopped; 0 outside of a fit.
    pub epochs: usize,
    /// The number of the batch within its epoch, evaluation or prediction, counted from 0.
    pub step: usize,
    /// The number of batches in the epoch, evaluation or prediction; 0 as long as nobody knows it, as in the first epoch
    /// of a stream.
    pub steps: usize,
    /// Loss and metrics so far: means since the epoch began; at its end with those of the validation data.
    pub logs: &'a mut Logs,
    /// The optimizer, to change its learning rate. Where that follows a [schedule](crate::schedules), it is the rate of the
    /// next step, and not to be changed.
    pub optimizer: &'a mut Optimizer,
    pub(super) state: &'a Watched,
    batch_loss: Option<f64>,
    gradients: &'a [(Variable, Array)],
    samples: usize,
    verbosity: &'a mut Verbosity,
    stopped: &'a mut bool,
    core: &'a Core,
}

impl Run<'_> {
    /// Ends the fit after this batch, or after this epoch if called at the end of one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| {
    ///     if run.logs["loss"] < 0.01 {
    ///         run.stop();
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = callback;
    /// ```
    pub fn stop(&mut self) {
        *self.stopped = true;
    }

    /// The loss of the last batch of training alone, before its step changed the weights; the logs have the mean since the
    /// epoch began. With penalties, and not a finite number in
    /// [`on_non_finite_loss`](super::Callback::on_non_finite_loss). `None` before the first step of a fit.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let mut losses = Vec::new();
    /// let callback = at(Moment::BatchEnd, |run| {
    ///     losses.extend(run.batch_loss());
    ///     Ok(())
    /// });
    /// # drop(callback);
    /// ```
    pub fn batch_loss(&self) -> Option<f64> {
        self.batch_loss
    }

    /// How many samples this fit has trained on in this epoch.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| {
    ///     println!("{} samples in {} batches", run.num_samples(), run.step);
    ///     Ok(())
    /// });
    /// # drop(callback);
    /// ```
    pub fn num_samples(&self) -> usize {
        self.samples
    }

    /// How much the fit prints.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Verbosity;
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| {
    ///     if run.verbosity() != Verbosity::Silent {
    ///         println!("so far so good");
    ///     }
    ///     Ok(())
    /// });
    /// # drop(callback);
    /// ```
    pub fn verbosity(&self) -> Verbosity {
        *self.verbosity
    }

    /// Says how much the fit prints, from its next epoch on: a callback that shows the progress itself wants it silent.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Verbosity;
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let callback = at(Moment::TrainBegin, |run| {
    ///     run.set_verbosity(Verbosity::Silent);
    ///     Ok(())
    /// });
    /// # drop(callback);
    /// ```
    pub fn set_verbosity(&mut self, verbosity: Verbosity) {
        *self.verbosity = verbosity;
    }

    /// The model's variables, for keeping their values and putting them back.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let mut best = Vec::new();
    /// let callback = at_epoch_end(|run| {
    ///     best = run.variables().iter().map(|variable| variable.value()).collect::<Result<_, _>>()?;
    ///     Ok(())
    /// });
    /// # let _ = callback;
    /// ```
    pub fn variables(&self) -> &[Variable] {
        &self.core.network.variables
    }

    /// The gradients of the loss for the weights as they are at the end of an epoch, of the first batch of that epoch:
    /// those of all weights that learn. Only for a callback that [wants them](super::Callback::wants_gradients) in
    /// [`on_epoch_end`](super::Callback::on_epoch_end); else there are none.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// /// Says where nothing is learned.
    /// struct Vanished;
    /// impl Callback for Vanished {
    ///     fn on_epoch_end(&mut self, run: &mut Run) -> Result {
    ///         for (variable, gradient) in run.gradients() {
    ///             if gradient.values().iter().all(|slope| slope.abs() < 1e-12) {
    ///                 println!("no gradient reaches {variable:?}");
    ///             }
    ///         }
    ///         Ok(())
    ///     }
    ///     fn wants_gradients(&self, epoch: usize) -> bool {
    ///         epoch % 10 == 0
    ///     }
    /// }
    /// ```
    pub fn gradients(&self) -> &[(Variable, Array)] {
        self.gradients
    }

    /// The graph of a whole step of training: forward, loss, gradients, updates. `None` while a batch is trained, and
    /// outside of a fit.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let callback = at(Moment::TrainBegin, |run| {
    ///     if let Some(graph) = run.step_graph() {
    ///         println!("a step has {} operations", graph.instructions.len());
    ///     }
    ///     Ok(())
    /// });
    /// # drop(callback);
    /// ```
    pub fn step_graph(&self) -> Option<Graph> {
        self.core.last_training_graph()
    }

    /// The structure of the model as JSON: see [`Model::to_json`](crate::Model::to_json).
    ///
    /// # Errors
    /// `file`, if a part of the model is nothing that files know.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let callback = at(Moment::TrainBegin, |run| {
    ///     println!("{}", run.to_json()?);
    ///     Ok(())
    /// });
    /// # drop(callback);
    /// ```
    pub fn to_json(&self) -> Result<String> {
        saving::structure_json(self.core, self.state.site)
    }

    /// The numbers of the epochs of this fit that have ended.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| {
    ///     if let Some(before) = run.history().last("loss") {
    ///         println!("the loss fell by {}", before - run.logs["loss"]);
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = callback;
    /// ```
    pub fn history(&self) -> &History {
        &self.state.history
    }

    /// Whether this fit continues from a backup. Only then does [`restore`](super::Callback::restore) follow
    /// [`on_train_begin`](super::Callback::on_train_begin), so a callback that writes a file must not begin it anew.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let callback = at(Moment::TrainBegin, |run| {
    ///     println!("{}", if run.is_resumed() { "once more" } else { "for the first time" });
    ///     Ok(())
    /// });
    /// # let _ = callback;
    /// ```
    pub fn is_resumed(&self) -> bool {
        self.state.resumed
    }

    /// Writes the model as it is now, with everything that belongs to it: see [`Model::save`](crate::Model::save).
    ///
    /// # Errors
    /// `file`, if the model or the file cannot be written.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| run.save(format!("epoch-{}.keras", run.epoch + 1)).map(drop));
    /// # let _ = callback;
    /// ```
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<SaveReport> {
        let report = saving::save(self.core, self.optimizer, path.as_ref(), Location::caller())?;
        report.tell(path.as_ref());
        Ok(report)
    }

    /// The same without a word on what the file lacks.
    pub(super) fn save_quietly(&self, path: &Path) -> Result<SaveReport> {
        saving::save(self.core, self.optimizer, path, self.state.site)
    }

    /// Writes the weights as they are now: see [`SaveWeights`](crate::SaveWeights::save_weights).
    ///
    /// # Errors
    /// `file`, if the file cannot be written.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| run.save_weights("latest.safetensors"));
    /// # let _ = callback;
    /// ```
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result {
        use crate::SaveWeights;
        self.core.network.module.save_weights(path)
    }

    /// For callbacks that change the learning rate: that no schedule says it.
    pub(super) fn check_no_schedule(&self, callback: &str) -> Result {
        let Some(schedule) = self.optimizer.schedule() else { return Ok(()) };
        let title = format!("`{callback}` changes the learning rate, which follows a schedule");
        Err(Error::new("callback", title)
            .label(format!("the schedule `{}` says the rate of every step", schedule.name()))
            .help(
                "leave one of them out, or give the optimizer a number: `optimizer.set_learning_rate(0.01)`",
            ))
    }

    /// Whether the model can be saved as a whole.
    pub(super) fn check_can_save(&self) -> Result {
        saving::check_can_save(self.core, self.optimizer, self.state.site)
    }
}

/// What callbacks may look at but not change.
pub(crate) struct Watched {
    pub(crate) history: History,
    /// Whether the fit continues from a backup.
    pub(crate) resumed: bool,
    /// The names that the logs of an epoch will have, as far as they are known before it.
    pub(crate) names: Vec<String>,
    /// Whether there may be others.
    pub(crate) others: bool,
    /// The user's line.
    pub(crate) site: &'static Location<'static>,
}

/// Where a fit, an evaluation or a prediction stands.
pub(crate) struct Running<'a> {
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) step: usize,
    pub(crate) steps: usize,
    pub(crate) logs: Logs,
    /// The loss of the last batch of training.
    pub(crate) batch_loss: Option<f64>,
    /// Those that a callback wanted for the end of this epoch.
    pub(crate) gradients: Vec<(Variable, Array)>,
    pub(crate) stability: Stability,
    pub(crate) optimizer: &'a mut Optimizer,
    /// Those that were trained on in this epoch.
    pub(crate) samples: usize,
    /// How much is printed.
    pub(crate) verbosity: Verbosity,
    pub(crate) stopped: bool,
    pub(crate) watched: Watched,
}

impl<'a> Running<'a> {
    /// Nothing has happened yet, in no epoch.
    pub(crate) fn new(
        optimizer: &'a mut Optimizer,
        steps: usize,
        site: &'static Location<'static>,
    ) -> Running<'a> {
        let history = History::new(0, Vec::new());
        let watched = Watched { history, resumed: false, names: Vec::new(), others: false, site };
        Running {
            epoch: 0,
            epochs: 0,
            step: 0,
            steps,
            logs: Logs::default(),
            batch_loss: None,
            gradients: Vec::new(),
            stability: Stability::new(),
            optimizer,
            samples: 0,
            verbosity: Verbosity::Silent,
            stopped: false,
            watched,
        }
    }

    /// Goes on to the learning rate of the next step, if a schedule says it: after so many steps of the optimizer, at this
    /// step of the epoch.
    pub(crate) fn follow_schedule(&mut self, iterations: u64, step: usize) -> Result {
        let share = if self.steps == 0 { 0.0 } else { step as f64 / self.steps as f64 };
        let followed = self.optimizer.follow(iterations, (self.epoch as f64, share));
        followed.map_err(|error| error.at(self.watched.site))
    }

    /// Puts what was found into the history, with its place.
    pub(crate) fn note_instability(&mut self, found: Instability) -> &Instability {
        let learning_rate = self.optimizer.last_rate();
        let instabilities = &mut self.watched.history.instabilities;
        instabilities.push(Instability { epoch: self.epoch, step: self.step, learning_rate, ..found });
        &instabilities[instabilities.len() - 1]
    }

    /// The same for a callback.
    pub(super) fn shown<'r>(&'r mut self, core: &'r Core) -> Run<'r> {
        Run {
            epoch: self.epoch,
            epochs: self.epochs,
            step: self.step,
            steps: self.steps,
            logs: &mut self.logs,
            optimizer: self.optimizer,
            state: &self.watched,
            batch_loss: self.batch_loss,
            gradients: &self.gradients,
            samples: self.samples,
            verbosity: &mut self.verbosity,
            stopped: &mut self.stopped,
            core,
        }
    }
}
