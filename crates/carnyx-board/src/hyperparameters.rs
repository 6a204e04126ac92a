//! Trials of a search for TensorBoard's tab HParams: which hyperparameters gave which numbers.
//!
//! A search is a folder with a folder for each trial in it. The folder of the search holds the experiment: which
//! hyperparameters there are, their values, and which numbers to compare. That of a trial holds its values, when it
//! began and how it ended, beside the curves of its training. Reference: [`plugin_data.proto`](https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/hparams/plugin_data.proto).

use crate::Writer;
use crate::event_file::now;
use crate::message::Message;
use carnyx_graph::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The value of a hyperparameter.
///
/// # Example
/// ```
/// use carnyx_board::Hyperparameter;
/// assert_eq!(Hyperparameter::from(300), Hyperparameter::Number(300.0));
/// assert_eq!(Hyperparameter::from("adam"), Hyperparameter::Text("adam".into()));
/// assert_eq!(Hyperparameter::from(true), Hyperparameter::Flag(true));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Hyperparameter {
    /// A number.
    Number(f64),
    /// One of several words.
    Text(String),
    /// Yes or no.
    Flag(bool),
}

/// How a trial ended.
///
/// # Example
/// ```
/// use carnyx_board::{Trial, TrialStatus};
/// let trial = Trial::new("7").status(TrialStatus::Failed);
/// # let _ = trial;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrialStatus {
    /// With its numbers.
    #[default]
    Finished,
    /// With an error.
    Failed,
    /// Not yet.
    Running,
}

/// One trial of a search: its hyperparameters, and what came of them.
///
/// # Example
/// ```
/// use carnyx_board::{Trial, log_trials};
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path();
/// let trials = [(300, 0.87), (100, 0.84)].map(|(units, accuracy)| {
///     Trial::new(&format!("{units}_units")).with("units", units).with("optimizer", "sgd").metric("accuracy", accuracy)
/// });
/// log_trials(runs.join("search"), &trials)?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
/// `tensorboard --logdir runs` compares them in the tab HParams.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    name: String,
    hyperparameters: Vec<(String, Hyperparameter)>,
    metrics: Vec<(String, f64)>,
    /// Name, step and value.
    points: Vec<(String, usize, f64)>,
    status: TrialStatus,
    /// When it began and ended, in seconds since 1970.
    began: Option<f64>,
    ended: Option<f64>,
}

impl Trial {
    /// A trial of this name, which is that of its folder.
    ///
    /// # Example
    /// ```
    /// let trial = carnyx_board::Trial::new("7").with("units", 300);
    /// # let _ = trial;
    /// ```
    pub fn new(name: &str) -> Trial {
        Trial {
            name: name.to_owned(),
            hyperparameters: Vec::new(),
            metrics: Vec::new(),
            points: Vec::new(),
            status: TrialStatus::Finished,
            began: None,
            ended: None,
        }
    }

    /// One more hyperparameter.
    ///
    /// # Example
    /// ```
    /// let trial = carnyx_board::Trial::new("7").with("learning_rate", 0.01).with("optimizer", "adam");
    /// # let _ = trial;
    /// ```
    pub fn with(mut self, name: &str, value: impl Into<Hyperparameter>) -> Trial {
        self.hyperparameters.push((name.to_owned(), value.into()));
        self
    }

    /// One more number that came of it.
    ///
    /// # Example
    /// ```
    /// let trial = carnyx_board::Trial::new("7").with("units", 300).metric("val_accuracy", 0.87);
    /// # let _ = trial;
    /// ```
    pub fn metric(mut self, name: &str, value: f64) -> Trial {
        self.metrics.push((name.to_owned(), value));
        self
    }

    /// A number that it had reached after so many steps: a point of a curve.
    ///
    /// # Example
    /// ```
    /// let trial = carnyx_board::Trial::new("7").reached("loss", 0, 0.9).reached("loss", 1, 0.6).metric("best", 0.6);
    /// # let _ = trial;
    /// ```
    pub fn reached(mut self, name: &str, step: usize, value: f64) -> Trial {
        self.points.push((name.to_owned(), step, value));
        self
    }

    /// How it ended, if not well.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::{Trial, TrialStatus};
    /// let trial = Trial::new("7").with("units", 0).status(TrialStatus::Failed);
    /// # let _ = trial;
    /// ```
    pub fn status(mut self, status: TrialStatus) -> Trial {
        self.status = status;
        self
    }

    /// When it began and ended; now, if nothing is said.
    ///
    /// # Example
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// let end = SystemTime::now();
    /// let trial = carnyx_board::Trial::new("7").lasted(end - Duration::from_secs(90), end);
    /// # let _ = trial;
    /// ```
    pub fn lasted(mut self, began: SystemTime, ended: SystemTime) -> Trial {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        (self.began, self.ended) = (Some(seconds(began)), Some(seconds(ended)));
        self
    }
}

/// Writes the trials of a search into this folder: a table in TensorBoard's tab HParams, with a row for each.
///
/// Trials that were trained with `TensorBoard::at(folder/name)` have their curves in the same place.
///
/// # Errors
/// `data`, if there are no trials, or if two have one name; `file`, if nothing can be written there.
///
/// # Example
/// ```
/// use carnyx_board::{Trial, log_trials};
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path();
/// log_trials(runs, &[Trial::new("1").with("units", 300).metric("accuracy", 0.87)])?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn log_trials(folder: impl AsRef<Path>, trials: &[Trial]) -> Result {
    let folder = folder.as_ref();
    check_names(trials)?;
    let mut log = Writer::at(folder)?;
    log.hyperparameters("_hparams_/experiment", &experiment(trials));
    for trial in trials {
        let mut log = Writer::at(folder.join(&trial.name))?;
        begin(&mut log, &trial.name, &trial.hyperparameters, trial.began.unwrap_or_else(now));
        for (name, step, value) in &trial.points {
            log.scalar(name, *step, *value)?;
        }
        for (name, value) in &trial.metrics {
            log.scalar(name, 0, *value)?;
        }
        if trial.status != TrialStatus::Running {
            end(&mut log, trial.status, trial.ended.unwrap_or_else(now));
        }
    }
    Ok(())
}

/// Says with which hyperparameters the trial in a folder begins.
pub(crate) fn begin(
    log: &mut Writer,
    name: &str,
    hyperparameters: &[(String, Hyperparameter)],
    seconds: f64,
) {
    let info = hyperparameters
        .iter()
        .fold(Message::new(), |info, (name, value)| info.entry(1, name, &value.message()));
    let info = info.text(4, name).double(5, seconds);
    log.hyperparameters("_hparams_/session_start_info", &Message::new().int(1, 0).message(3, &info));
}

/// Says how the trial in a folder ended.
pub(crate) fn end(log: &mut Writer, status: TrialStatus, seconds: f64) {
    let status = match status {
        TrialStatus::Finished => 1,
        TrialStatus::Failed => 2,
        TrialStatus::Running => 3,
    };
    let info = Message::new().uint(1, status).double(2, seconds);
    log.hyperparameters("_hparams_/session_end_info", &Message::new().int(1, 0).message(4, &info));
}

fn check_names(trials: &[Trial]) -> Result {
    if trials.is_empty() {
        return Err(Error::new("data", "there are no trials to log"));
    }
    let mut names = BTreeSet::new();
    match trials.iter().find(|trial| !names.insert(&trial.name)) {
        Some(trial) => Err(Error::new("data", format!("two trials have the name `{}`", trial.name))
            .help("the name of a trial is that of its folder: give each its own")),
        None => Ok(()),
    }
}

/// What all trials together say of the search.
fn experiment(trials: &[Trial]) -> Message {
    let mut names: Vec<&str> = Vec::new();
    let mut metrics: Vec<&str> = Vec::new();
    for trial in trials {
        let new = trial.hyperparameters.iter().map(|(name, _)| name.as_str());
        new.for_each(|name| {
            if !names.contains(&name) {
                names.push(name)
            }
        });
        let new = trial.metrics.iter().map(|(name, _)| name.as_str());
        new.for_each(|name| {
            if !metrics.contains(&name) {
                metrics.push(name)
            }
        });
    }
    let values = |name: &str| -> Vec<&Hyperparameter> {
        let all = trials.iter().flat_map(|trial| &trial.hyperparameters);
        all.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    };
    let metric = |name: &str| Message::new().message(1, &Message::new().text(2, name));
    let experiment = Message::new()
        .double(3, now())
        .messages(4, names.iter().map(|name| domain(name, &values(name))))
        .messages(5, metrics.into_iter().map(metric));
    Message::new().int(1, 0).message(2, &experiment)
}

/// The kind of a hyperparameter, and the values that it had.
fn domain(name: &str, values: &[&Hyperparameter]) -> Message {
    let numbers: Vec<f64> = values.iter().filter_map(|value| value.number()).collect();
    let info = Message::new().text(1, name);
    if numbers.len() == values.len() {
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        return info.uint(4, 3).message(6, &Message::new().double(1, least).double(2, greatest));
    }
    let is_flag = values.iter().all(|value| matches!(value, Hyperparameter::Flag(_)));
    let mut seen = BTreeSet::new();
    let distinct = values.iter().filter(|value| seen.insert(value.text())).map(|value| value.message());
    info.uint(4, if is_flag { 2 } else { 1 })
        .message(5, &distinct.fold(Message::new(), |list, value| list.message(1, &value)))
}

impl Hyperparameter {
    /// The number, if it is a finite one: there are no others in the messages.
    fn number(&self) -> Option<f64> {
        match self {
            Hyperparameter::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Hyperparameter::Number(number) => number.to_string(),
            Hyperparameter::Text(text) => text.clone(),
            Hyperparameter::Flag(flag) => flag.to_string(),
        }
    }

    /// A `google.protobuf.Value`.
    fn message(&self) -> Message {
        match (self, self.number()) {
            (_, Some(number)) => Message::new().double(2, number),
            (Hyperparameter::Flag(flag), None) => Message::new().bool(4, *flag),
            _ => Message::new().text(3, &self.text()),
        }
    }
}

impl From<f64> for Hyperparameter {
    fn from(number: f64) -> Hyperparameter {
        Hyperparameter::Number(number)
    }
}

impl From<i32> for Hyperparameter {
    fn from(number: i32) -> Hyperparameter {
        Hyperparameter::Number(number.into())
    }
}

/// Whole numbers are exact up to 2⁵³.
impl From<i64> for Hyperparameter {
    fn from(number: i64) -> Hyperparameter {
        Hyperparameter::Number(number as f64)
    }
}

/// Whole numbers are exact up to 2⁵³.
impl From<usize> for Hyperparameter {
    fn from(number: usize) -> Hyperparameter {
        Hyperparameter::Number(number as f64)
    }
}

impl From<bool> for Hyperparameter {
    fn from(flag: bool) -> Hyperparameter {
        Hyperparameter::Flag(flag)
    }
}

impl From<&str> for Hyperparameter {
    fn from(text: &str) -> Hyperparameter {
        Hyperparameter::Text(text.to_owned())
    }
}

impl From<String> for Hyperparameter {
    fn from(text: String) -> Hyperparameter {
        Hyperparameter::Text(text)
    }
}
