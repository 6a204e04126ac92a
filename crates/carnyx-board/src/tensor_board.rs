//! The callback that logs a fit for TensorBoard.

use crate::event_file::warn;
use crate::fit_logs::{Due, FitLogs, TRAIN, VALIDATION, layer_of_embeddings, log_evaluation};
use crate::{Hyperparameter, SaveProfile, Writer};
use carnyx_graph::{Error, Result};
use carnyx_nn::callbacks::State;
use carnyx_nn::{Callback, Profiler, Run};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

/// Logs a fit into a folder that TensorBoard shows: loss, metrics and learning rate after each epoch, and what else is
/// asked for.
///
/// The folder gets the runs `train` and `validation`, as with Keras, with Keras's tags: `epoch_loss`, `epoch_accuracy`,
/// `epoch_learning_rate` over the number of the epoch, `evaluation_loss_vs_iterations` over that of the step, `batch_loss`
/// if batches are logged. `train` has the model, too: its layers, and the operations of a whole step. Each fit needs a
/// folder of its own, or its curves lie over those that are there already.
///
/// What an epoch gave can be read when it has ended. A fit that continues from a backup continues its curves, in new
/// files. Where the disk is full the fit goes on without logs, and says so once on standard error.
///
/// # Errors
/// `file`, before the first epoch, if the folder cannot be made or written; `callback`, if an option makes no sense.
///
/// # Example
/// ```
/// use carnyx_board::TensorBoard;
/// use carnyx_graph::Array;
/// use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd, Verbosity};
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path();
/// let (x, y) = (Array::full([8, 1], 1f32), Array::full([8, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// let fit = Fit::epochs(3).validation((&x, &y)).verbose(Verbosity::Silent);
/// model.fit((&x, &y), fit.callback(TensorBoard::at(runs.join("1")).histograms(1)))?;
/// assert!(runs.join("1/train").is_dir() && runs.join("1/validation").is_dir());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
/// `tensorboard --logdir runs` shows it, while it runs or later.
///
/// Reference: [`keras.callbacks.TensorBoard`](https://keras.io/api/callbacks/tensorboard/).
pub struct TensorBoard {
    folder: PathBuf,
    every_steps: Option<usize>,
    histograms: Option<usize>,
    gradients: Option<usize>,
    weight_images: Option<usize>,
    embeddings: Option<usize>,
    labels: Vec<(String, Vec<String>)>,
    steps_per_second: bool,
    graph: bool,
    hyperparameters: Option<Vec<(String, Hyperparameter)>>,
    profiler: Option<Profiler>,
    /// Whether the profile of this fit is written, or cannot be.
    is_profiled: bool,
    logs: Option<FitLogs>,
    /// Steps since the model's first one.
    steps: usize,
    /// When the epoch began, and at which step.
    epoch: Option<(Instant, usize)>,
    /// When the batch began.
    batch: Option<Instant>,
}

impl TensorBoard {
    /// Logs in this folder, which is made if there is none.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let fit = carnyx_nn::Fit::epochs(10).callback(TensorBoard::at("runs/1"));
    /// # let _ = fit;
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> TensorBoard {
        TensorBoard {
            folder: folder.into(),
            every_steps: None,
            histograms: None,
            gradients: None,
            weight_images: None,
            embeddings: None,
            labels: Vec::new(),
            steps_per_second: false,
            graph: true,
            hyperparameters: None,
            profiler: None,
            is_profiled: true,
            logs: None,
            steps: 0,
            epoch: None,
            batch: None,
        }
    }

    /// After every so many steps, too: `batch_loss` and the other numbers, as means since their epoch began. Steps are
    /// counted from 1 over all fits of the model.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").every_steps(100);
    /// # let _ = board;
    /// ```
    pub fn every_steps(mut self, steps: usize) -> TensorBoard {
        self.every_steps = Some(steps);
        self
    }

    /// How the values of each variable are distributed, after every so many epochs, the first included. Where some are
    /// infinite or no numbers, `…/histogram/not_finite` says how many.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").histograms(1);
    /// # let _ = board;
    /// ```
    pub fn histograms(mut self, epochs: usize) -> TensorBoard {
        self.histograms = Some(epochs);
        self
    }

    /// How the gradients of each weight are distributed, after every so many epochs, the first included: those of the
    /// loss of the epoch's first batch, for the weights with which the epoch ends. Each costs about one step more.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").histograms(5).gradients(5);
    /// # let _ = board;
    /// ```
    pub fn gradients(mut self, epochs: usize) -> TensorBoard {
        self.gradients = Some(epochs);
        self
    }

    /// The variables as pictures in grey, from the smallest value, black, to the greatest, after every so many epochs,
    /// the first included. A vector is a column; of three axes, the last one are pictures, of which 16 are shown; of
    /// more axes, nothing is shown.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").weight_images(10);
    /// # let _ = board;
    /// ```
    pub fn weight_images(mut self, epochs: usize) -> TensorBoard {
        self.weight_images = Some(epochs);
        self
    }

    /// The tables of all `Embedding` layers for TensorBoard's projector, after every so many epochs, the first included.
    /// It shows the last one.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").embeddings(1).labels("embedding", ["", "the", "cat"]);
    /// # let _ = board;
    /// ```
    pub fn embeddings(mut self, epochs: usize) -> TensorBoard {
        self.embeddings = Some(epochs);
        self
    }

    /// What the rows in the table of this layer stand for. Without labels they are numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").embeddings(1).labels("words", ["", "the", "cat"]);
    /// # let _ = board;
    /// ```
    pub fn labels<S: Into<String>>(
        mut self,
        layer: &str,
        labels: impl IntoIterator<Item = S>,
    ) -> TensorBoard {
        self.labels.push((layer.to_owned(), labels.into_iter().map(Into::into).collect()));
        self
    }

    /// How many steps were done in a second: `epoch_steps_per_second`, validation included, and
    /// `batch_steps_per_second` if batches are logged.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").steps_per_second();
    /// # let _ = board;
    /// ```
    pub fn steps_per_second(mut self) -> TensorBoard {
        self.steps_per_second = true;
        self
    }

    /// Without the model and its operations, which are logged once, before the first step.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let board = TensorBoard::at("runs/1").without_graph();
    /// # let _ = board;
    /// ```
    pub fn without_graph(mut self) -> TensorBoard {
        self.graph = false;
        self
    }

    /// The fit is one trial of several, with these hyperparameters: the tab HParams compares the trials whose folders
    /// are in one, by the numbers of their last epochs. A trial ends with its fit, or has failed if that ends with an
    /// error.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// let (units, rate) = (300, 0.01);
    /// let board = TensorBoard::at("runs/search/7").hyperparameters([("units", units.into()), ("rate", rate.into())]);
    /// # let _ = board;
    /// ```
    pub fn hyperparameters<S: Into<String>>(
        mut self,
        values: impl IntoIterator<Item = (S, Hyperparameter)>,
    ) -> TensorBoard {
        self.hyperparameters = Some(values.into_iter().map(|(name, value)| (name.into(), value)).collect());
        self
    }

    /// Where the time of these steps of the fit goes, for the tab Profile: steps are counted from 0, and the first ones
    /// are not typical. The file is written when the epoch of the last of them has ended. TensorBoard needs
    /// `pip install xprof` to show it.
    ///
    /// # Errors
    /// `profile`, before the first step, if there are no steps in the range, or if the fit has another profiler.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::TensorBoard;
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([256, 20], 1f32), Array::full([256, 1], 2f32));
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let runs = folder.path();
    /// # let mut model = Dense::new(1).compile(Sgd::new(0.01), MeanSquaredError);
    /// # let fit = Fit::epochs(1).verbose(Verbosity::Silent);
    /// model.fit((&x, &y), fit.callback(TensorBoard::at(runs.join("1")).profile(2..6)))?;
    /// assert!(runs.join("1/train/plugins/profile").is_dir());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn profile(mut self, steps: Range<usize>) -> TensorBoard {
        self.profiler = Some(Profiler::steps(steps));
        self
    }

    fn check(&self) -> Result {
        let options = [
            ("every_steps", self.every_steps, "steps"),
            ("histograms", self.histograms, "epochs"),
            ("gradients", self.gradients, "epochs"),
            ("weight_images", self.weight_images, "epochs"),
            ("embeddings", self.embeddings, "epochs"),
        ];
        match options.into_iter().find(|(_, every, _)| *every == Some(0)) {
            Some((option, _, unit)) => {
                Err(Error::new("callback", format!("`{option}` after every 0 {unit}")).help(format!(
                    "`.{option}(1)` logs after each of them; leave it out, and there are none"
                )))
            }
            None => Ok(()),
        }
    }

    /// Whether the tables that labels are for exist, and have as many rows.
    fn check_labels(&self, run: &Run) -> Result {
        let tables =
            || run.variables().iter().filter_map(|variable| Some((variable.path()?, variable.shape()?)));
        for (layer, labels) in &self.labels {
            let is_table = |path: &str| layer_of_embeddings(path) == Some(layer);
            let Some((_, shape)) = tables().find(|(path, _)| is_table(path)) else {
                let known: Vec<String> =
                    tables().filter_map(|(path, _)| layer_of_embeddings(&path).map(str::to_owned)).collect();
                let title = format!("there are labels for `{layer}`, which is no layer with a table");
                return Err(Error::new("callback", title).suggest(layer, &known));
            };
            if shape.first() != Some(&labels.len()) {
                let title = format!(
                    "the table of `{layer}` has the shape {shape:?}, but there are {} labels",
                    labels.len()
                );
                return Err(Error::new("callback", title).help("give one label for each row"));
            }
        }
        Ok(())
    }

    /// What is due after this epoch.
    fn due(&self, epoch: usize) -> Due {
        let is_due =
            |every: Option<usize>| every.is_some_and(|every| every > 0 && epoch.is_multiple_of(every));
        Due {
            histograms: is_due(self.histograms),
            gradients: is_due(self.gradients),
            images: is_due(self.weight_images),
            embeddings: is_due(self.embeddings),
        }
    }

    /// Writes the profile, once it is there.
    fn log_profile(&mut self) {
        let Some(profile) = self.profiler.as_ref().and_then(|profiler| profiler.profile().ok()) else {
            return;
        };
        if !std::mem::replace(&mut self.is_profiled, true)
            && let Err(error) = profile.save_to_board(self.folder.join(TRAIN))
        {
            warn(&error);
        }
    }

    /// The logs of this fit.
    fn logs(&mut self) -> Result<&mut FitLogs> {
        if self.logs.is_none() {
            self.logs = Some(FitLogs::open(&self.folder, self.hyperparameters.as_deref())?);
        }
        Ok(self.logs.as_mut().expect("it was opened just now"))
    }
}

impl Callback for TensorBoard {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        self.check()?;
        self.check_labels(run)?;
        self.is_profiled = false;
        self.steps = step_of(run)?;
        // Files that a fit before this one has left open.
        self.logs = None;
        let (graph, is_resumed) = (self.graph, run.is_resumed());
        let logs = self.logs()?;
        // If it is resumed, the files of before have the graphs.
        if graph && !is_resumed { logs.graphs(run) } else { Ok(()) }
    }

    fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
        self.epoch = Some((Instant::now(), step_of(run)?));
        Ok(())
    }

    fn on_batch_begin(&mut self, _: &mut Run) -> Result {
        self.batch = Some(Instant::now());
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run) -> Result {
        self.steps += 1;
        let (step, begin) = (self.steps, self.batch.take().filter(|_| self.steps_per_second));
        if !self.every_steps.is_some_and(|every| step.is_multiple_of(every)) {
            return Ok(());
        }
        self.logs()?.batch(run, step, begin.map(|begin| 1.0 / begin.elapsed().as_secs_f64()))
    }

    fn on_evaluate_end(&mut self, run: &mut Run) -> Result {
        let is_within_fit = run.epochs > 0;
        if is_within_fit {
            return self.logs()?.evaluation(run, step_of(run)?);
        }
        let mut validation = Writer::at(self.folder.join(VALIDATION))?;
        log_evaluation(&mut validation, step_of(run)?, run.logs.iter())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        let speed = match self.epoch.take().filter(|_| self.steps_per_second) {
            Some((begin, step)) => Some((step_of(run)? - step) as f64 / begin.elapsed().as_secs_f64()),
            None => None,
        };
        let (due, labels) = (self.due(run.epoch), self.labels.clone());
        let logs = self.logs()?;
        logs.epoch(run, speed)?;
        logs.variables(run, due, &labels)?;
        logs.flush();
        self.log_profile();
        Ok(())
    }

    fn on_train_end(&mut self, run: &mut Run) -> Result {
        self.log_profile();
        if let Some(Err(error)) = self.profiler.as_ref().map(Profiler::profile) {
            warn(&error);
        }
        self.logs.take().map_or(Ok(()), |logs| logs.finish(run))
    }

    fn wants_batches(&self) -> bool {
        self.every_steps.is_some()
    }

    fn wants_gradients(&self, epoch: usize) -> bool {
        self.due(epoch).gradients
    }

    fn state(&mut self) -> Result<State> {
        // What a backup counts on is in the files.
        if let Some(logs) = &mut self.logs {
            logs.flush();
        }
        Ok(State::new().with_number("steps", self.steps as f64))
    }

    fn restore(&mut self, state: &State) -> Result {
        self.steps = state.number("steps").unwrap_or(0.0) as usize;
        Ok(())
    }

    fn as_profiler(&mut self) -> Option<&mut Profiler> {
        self.profiler.as_mut()
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

impl Drop for TensorBoard {
    fn drop(&mut self) {
        // The fit may have ended with an error after the steps that were recorded.
        self.log_profile();
    }
}

/// The number of steps that the model has learned from.
fn step_of(run: &Run) -> Result<usize> {
    Ok(usize::try_from(run.optimizer.iterations()?).unwrap_or(usize::MAX))
}
