//! Where studies live: the door between searches and what remembers them.
//!
//! The words are Optuna's, because its database is what a study is kept in: a *study* is a name, a direction and
//! trials; a *trial* has a number, parameters, intermediate values by step, a state and a value. Workers share
//! nothing but a storage, so every method is one transaction.

mod at;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;

pub use at::storage_at;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use database::Database;
#[cfg(feature = "postgres")]
pub use database::PostgresStorage;
#[cfg(feature = "sqlite")]
pub use database::SqliteStorage;

use crate::domain::Domain;
use carnyx_graph::Result;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Whether small or great values of the objective are good.
///
/// # Example
/// ```
/// use carnyx_tune::Direction;
/// assert!(Direction::Minimize.is_better(0.1, 0.2));
/// assert!(Direction::Maximize.is_better(0.2, 0.1));
/// assert!(Direction::Minimize.is_better(0.1, f64::NAN), "any number is better than none");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Small values are good, as of a loss.
    Minimize,
    /// Great values are good, as of an accuracy.
    Maximize,
}

impl Direction {
    /// Whether `value` is better than `other`.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::Direction;
    /// assert!(!Direction::Minimize.is_better(0.2, 0.2));
    /// ```
    pub fn is_better(self, value: f64, other: f64) -> bool {
        match self {
            _ if value.is_nan() => false,
            _ if other.is_nan() => true,
            Direction::Minimize => value < other,
            Direction::Maximize => value > other,
        }
    }
}

/// The key of a study in its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StudyId(pub i64);

/// The key of a trial in its storage; its number within its study is in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrialId(pub i64);

/// How far a trial is.
///
/// # Example
/// ```
/// use carnyx_tune::TrialState;
/// assert!(TrialState::Pruned.is_finished());
/// assert!(!TrialState::Running.is_finished());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialState {
    /// Its parameters are chosen, but nobody works on it.
    Waiting,
    /// A worker has it.
    Running,
    /// It has a value.
    Complete,
    /// It was stopped early because others were better.
    Pruned,
    /// It could not be built or trained.
    Failed,
}

impl TrialState {
    /// Whether the trial will not change any more.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::TrialState;
    /// assert!(TrialState::Failed.is_finished());
    /// ```
    pub fn is_finished(self) -> bool {
        matches!(self, TrialState::Complete | TrialState::Pruned | TrialState::Failed)
    }
}

/// All that a storage knows of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRecord {
    /// Its key.
    pub id: TrialId,
    /// Its number within its study, counted from 0 without gaps.
    pub number: usize,
    /// How far it is.
    pub state: TrialState,
    /// The value of the objective, once it is complete.
    pub value: Option<f64>,
    /// Name, domain and value of each parameter, in the order in which they were asked for. The value of a choice is
    /// the index of what was chosen.
    pub parameters: Vec<(String, Domain, f64)>,
    /// What it reported on the way: step and value, by step.
    pub intermediate: Vec<(u64, f64)>,
    /// Texts that were noted beside it, by name: a failure's message, the learning rate that was found.
    pub notes: Vec<(String, String)>,
    /// When a worker began it.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub finished: Option<SystemTime>,
}

/// What remembers studies. Workers of several threads, processes or machines may use one at a time.
pub trait Storage: Send + Sync {
    /// The study of that name: continued if it is there, begun otherwise.
    ///
    /// # Errors
    /// `study`, if it is there with another direction; `storage`, if the storage cannot be used.
    fn open_study(&self, name: &str, direction: Direction) -> Result<StudyId>;

    /// Begins a trial: the first waiting one, else a new one with the next number. No two workers are given the same.
    fn begin_trial(&self, study: StudyId) -> Result<TrialRecord>;

    /// Adds a trial that waits for a worker, with parameters that are already chosen.
    fn enqueue(
        &self,
        study: StudyId,
        parameters: &[(String, Domain, f64)],
        notes: &[(&str, &str)],
    ) -> Result<TrialId>;

    /// Notes a parameter of a running trial.
    ///
    /// # Errors
    /// `study`, if other trials of the study have the same name with a domain of another kind, or with other choices.
    fn set_parameter(&self, trial: TrialId, name: &str, domain: &Domain, value: f64) -> Result;

    /// Notes a value that a running trial has reached at a step; a second value at the same step replaces the first.
    fn report(&self, trial: TrialId, step: u64, value: f64) -> Result;

    /// Notes a text beside a trial.
    fn note(&self, trial: TrialId, name: &str, text: &str) -> Result;

    /// Ends a running trial.
    ///
    /// # Errors
    /// `study`, if the trial has ended before.
    fn finish(&self, trial: TrialId, state: TrialState, value: Option<f64>) -> Result;

    /// Says that the worker of a running trial is alive.
    fn beat(&self, trial: TrialId) -> Result;

    /// Ends as failed the running trials of a study whose workers were not heard of for that long, and enqueues each
    /// again with its parameters. Gives their numbers.
    fn take_up_abandoned(&self, study: StudyId, silent_for: Duration) -> Result<Vec<usize>>;

    /// All trials of a study, by number.
    fn trials(&self, study: StudyId) -> Result<Vec<TrialRecord>>;
}

/// The same storage: several may hold it.
impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn open_study(&self, name: &str, direction: Direction) -> Result<StudyId> {
        (**self).open_study(name, direction)
    }

    fn begin_trial(&self, study: StudyId) -> Result<TrialRecord> {
        (**self).begin_trial(study)
    }

    fn enqueue(
        &self,
        study: StudyId,
        parameters: &[(String, Domain, f64)],
        notes: &[(&str, &str)],
    ) -> Result<TrialId> {
        (**self).enqueue(study, parameters, notes)
    }

    fn set_parameter(&self, trial: TrialId, name: &str, domain: &Domain, value: f64) -> Result {
        (**self).set_parameter(trial, name, domain, value)
    }

    fn report(&self, trial: TrialId, step: u64, value: f64) -> Result {
        (**self).report(trial, step, value)
    }

    fn note(&self, trial: TrialId, name: &str, text: &str) -> Result {
        (**self).note(trial, name, text)
    }

    fn finish(&self, trial: TrialId, state: TrialState, value: Option<f64>) -> Result {
        (**self).finish(trial, state, value)
    }

    fn beat(&self, trial: TrialId) -> Result {
        (**self).beat(trial)
    }

    fn take_up_abandoned(&self, study: StudyId, silent_for: Duration) -> Result<Vec<usize>> {
        (**self).take_up_abandoned(study, silent_for)
    }

    fn trials(&self, study: StudyId) -> Result<Vec<TrialRecord>> {
        (**self).trials(study)
    }
}
