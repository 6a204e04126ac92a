//! The model as a file, again and again while it trains.

use super::disk::Disk;
use super::monitor::{Direction, Monitor, missing_name};
use super::path_pattern::PathPattern;
use super::{Callback, Run, State};
use crate::SaveReport;
use crate::saving;
use carnyx_graph::{Array, Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Saves the model after each epoch, or only where it is better than ever before.
///
/// The path may have numbers of the logs in it: `model-{epoch:02}-{val_loss:.2}.keras`, with epochs counted from 1, and
/// `{batch}` where it saves every so many steps. Its ending decides the format, as for [`Model::save`](crate::Model::save). A file is
/// there in full, or the old one still is. Where the disk is full the fit goes on without the checkpoint, and says so
/// once on standard error.
///
/// # Errors
/// `callback` and `file`, before the first epoch where it can be known: if the path is no pattern or has another
/// ending, if it names a number that the fit does not have, or if the model cannot be saved.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::callbacks::ModelCheckpoint;
/// use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd, Verbosity, load};
/// # let folder = std::env::temp_dir().join(format!("carnyx-checkpoint-{}", std::process::id()));
/// let (x, y) = (Array::full([8, 1], 1f32), Array::full([8, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// let mut checkpoint = ModelCheckpoint::at(folder.join("model-{epoch:02}.keras")).monitor("loss").best_only();
/// let fit = Fit::epochs(3).verbose(Verbosity::Silent).callback(&mut checkpoint);
/// let history = model.fit((&x, &y), fit)?;
/// assert_eq!(checkpoint.best, history.best("loss").map(|(_, loss)| loss));
/// let best = load(checkpoint.last_path.unwrap())?; // model-03.keras
/// assert_eq!(best.predict(&x)?, model.predict(&x)?);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.callbacks.ModelCheckpoint`](https://keras.io/api/callbacks/model_checkpoint/).
#[derive(Clone, Debug)]
pub struct ModelCheckpoint {
    /// The best number so far, if only better models are saved. Another fit goes on from it.
    pub best: Option<f64>,
    /// The file that was written last.
    pub last_path: Option<PathBuf>,
    pattern: PathBuf,
    parsed: Option<PathPattern>,
    monitor: Monitor,
    best_only: bool,
    weights_only: bool,
    every_steps: Option<usize>,
    steps: usize,
    disk: Disk,
}

impl ModelCheckpoint {
    /// The whole model, after each epoch. Folders are made when there are none.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let fit = Fit::epochs(10).callback(ModelCheckpoint::at("checkpoints/{epoch:02}-{loss:.3}.keras"));
    /// # let _ = fit;
    /// ```
    pub fn at(path: impl Into<PathBuf>) -> ModelCheckpoint {
        ModelCheckpoint {
            best: None,
            last_path: None,
            pattern: path.into(),
            parsed: None,
            monitor: Monitor::new(),
            best_only: false,
            weights_only: false,
            every_steps: None,
            steps: 0,
            disk: Disk::default(),
        }
    }

    /// Only models that are better than all before, by `val_loss` unless another number is watched.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("best.keras").best_only();
    /// # let _ = checkpoint;
    /// ```
    pub fn best_only(mut self) -> ModelCheckpoint {
        self.best_only = true;
        self
    }

    /// Watches the number of this name. The way that is better follows from the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("best.keras").best_only().monitor("val_accuracy");
    /// # let _ = checkpoint;
    /// ```
    pub fn monitor(mut self, name: &str) -> ModelCheckpoint {
        name.clone_into(&mut self.monitor.name);
        self
    }

    /// Greater is better, whatever the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("best.keras").best_only().monitor("val_score").maximize();
    /// # let _ = checkpoint;
    /// ```
    pub fn maximize(mut self) -> ModelCheckpoint {
        self.monitor.direction = Some(Direction::Greater);
        self
    }

    /// Smaller is better, whatever the name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("best.keras").best_only().monitor("val_distance").minimize();
    /// # let _ = checkpoint;
    /// ```
    pub fn minimize(mut self) -> ModelCheckpoint {
        self.monitor.direction = Some(Direction::Smaller);
        self
    }

    /// Only models that are better than this.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("best.keras").best_only().threshold(0.25);
    /// assert_eq!(checkpoint.best, Some(0.25));
    /// ```
    pub fn threshold(mut self, value: f64) -> ModelCheckpoint {
        self.best = Some(value);
        self
    }

    /// The weights alone: the path ends in `.weights.h5` or `.safetensors`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("latest.weights.h5").weights_only();
    /// # let _ = checkpoint;
    /// ```
    pub fn weights_only(mut self) -> ModelCheckpoint {
        self.weights_only = true;
        self
    }

    /// After every so many steps, counted through all epochs, instead of after each epoch.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::ModelCheckpoint;
    /// let checkpoint = ModelCheckpoint::at("{epoch}-{batch}.keras").every_steps(1000);
    /// # let _ = checkpoint;
    /// ```
    pub fn every_steps(mut self, steps: usize) -> ModelCheckpoint {
        self.every_steps = Some(steps);
        self
    }

    /// Whether the numbers in the path and the one that is watched are, or may be, known when it saves.
    fn check_names(&self, pattern: &PathPattern, run: &Run) -> Result {
        let within_epoch = self.every_steps.is_some();
        let is_late = |name: &str| within_epoch && name.starts_with("val_");
        let late = |what: &str, name: &str| {
            Error::new("callback", format!("{what} `{name}`, which is not known after a step"))
                .label("the validation data is evaluated at the end of an epoch")
                .help("leave out `.every_steps(..)`, or take a number of the training data")
        };
        if self.best_only && is_late(&self.monitor.name) {
            return Err(late("`ModelCheckpoint` watches", &self.monitor.name));
        }
        if self.best_only {
            self.monitor.check("ModelCheckpoint", run)?;
        }
        let mut names = run.state.names.clone();
        names.push("epoch".into());
        for name in pattern.names() {
            if is_late(name) {
                return Err(late("the path of `ModelCheckpoint` has", name));
            }
            if name == "batch" && !within_epoch {
                return Err(Error::new(
                    "callback",
                    "the path of `ModelCheckpoint` has the number of a batch",
                )
                .label("it saves at the end of each epoch")
                .help("`.every_steps(..)` saves after so many batches; else leave it out"));
            }
            if name != "batch" && !run.state.others && !names.iter().any(|known| known == name) {
                return Err(unknown_in_path(name, &names));
            }
        }
        Ok(())
    }

    /// Whether files can be made there, as far as the path is known before the first epoch.
    fn check_place(&self, pattern: &PathPattern) -> Result {
        if pattern.names().next().is_none() && self.pattern.is_dir() {
            let title =
                format!("`{}` is a folder, and `ModelCheckpoint` writes a file", self.pattern.display());
            return Err(Error::new("file", title).help("add the name of a file to the path"));
        }
        match self.pattern.parent() {
            Some(folder) if !folder.to_string_lossy().contains('{') => make(folder),
            _ => Ok(()),
        }
    }

    /// Saves, if the model is to be saved now.
    fn save(&mut self, run: &Run) -> Result {
        if self.best_only {
            let value = self.monitor.value("ModelCheckpoint", run)?;
            if !self.monitor.is_better(value, self.best)? {
                return Ok(());
            }
            self.best = Some(value);
        }
        let Some(pattern) = &self.parsed else { return Ok(()) };
        let path = pattern.path(|name| match name {
            "epoch" => Ok((run.epoch + 1) as f64),
            "batch" => Ok((run.step + 1) as f64),
            _ => run.logs.get(name).ok_or_else(|| {
                let names: Vec<String> = run.logs.iter().map(|(name, _)| name.to_owned()).collect();
                let title =
                    format!("the path of `ModelCheckpoint` needs `{name}`, which the logs do not have");
                missing_name(Error::new("callback", title), name, &names)
            }),
        })?;
        let path = PathBuf::from(path);
        let written = write(&path, self.weights_only, run);
        let left_out = "checkpoints that cannot be written are left out";
        if let Some(report) = self.disk.forgive(written, left_out)? {
            // What the first file lacks, all others lack too.
            if self.last_path.is_none() {
                report.tell(&path);
            }
            self.last_path = Some(path);
        }
        Ok(())
    }
}

fn unknown_in_path(name: &str, names: &[String]) -> Error {
    let title =
        format!("the path of `ModelCheckpoint` has `{name}`, which is none of the numbers of this fit");
    missing_name(Error::new("callback", title), name, names)
}

fn make(folder: &Path) -> Result {
    fs::create_dir_all(folder).map_err(|error| {
        Error::new("file", format!("cannot make the folder `{}`", folder.display())).because(error)
    })
}

fn write(path: &Path, weights_only: bool, run: &Run) -> Result<SaveReport> {
    path.parent().map_or(Ok(()), make)?;
    if weights_only { run.save_weights(path).map(|()| SaveReport::default()) } else { run.save_quietly(path) }
}

impl Callback for ModelCheckpoint {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        (self.steps, self.disk) = (0, Disk::default());
        if self.every_steps == Some(0) {
            return Err(Error::new("callback", "a checkpoint after every 0 steps")
                .help("`.every_steps(1000)` makes one after 1000 steps; without it, one after each epoch"));
        }
        let pattern = PathPattern::parse(&self.pattern.to_string_lossy())?;
        if self.weights_only {
            saving::check_weights_ending(&self.pattern)?;
        } else {
            saving::check_model_ending(&self.pattern)?;
            run.check_can_save()?;
        }
        self.check_names(&pattern, run)?;
        self.check_place(&pattern)?;
        self.parsed = Some(pattern);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run) -> Result {
        self.steps += 1;
        if self.every_steps.is_some_and(|every| self.steps.is_multiple_of(every)) {
            self.save(run)?;
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        if self.every_steps.is_none() { self.save(run) } else { Ok(()) }
    }

    fn wants_batches(&self) -> bool {
        self.every_steps.is_some()
    }

    fn state(&mut self) -> Result<State> {
        let state = State::new().with_option("best", self.best).with_number("steps", self.steps as f64);
        let Some(path) = &self.last_path else { return Ok(state) };
        let path = path.to_string_lossy().into_owned().into_bytes();
        Ok(state.with("last_path", Array::new([path.len()], path)?))
    }

    fn restore(&mut self, state: &State) -> Result {
        self.best = state.number("best");
        self.steps = state.count("steps").unwrap_or(0);
        let path = state.array("last_path").map(Array::to_vec::<u8>);
        self.last_path = path.map(|path| String::from_utf8_lossy(&path).into_owned().into());
        Ok(())
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}
