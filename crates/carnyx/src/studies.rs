//! Studies of searches as logs for TensorBoard.

use carnyx_board::{Hyperparameter, Trial, TrialStatus, log_trials};
use carnyx_graph::Result;
use carnyx_tune::{Study, TrialRecord, TrialState, Value};
use std::path::Path;

/// Shows a study in TensorBoard's tab HParams.
///
/// # Example
/// ```
/// use carnyx::LogStudy;
/// use carnyx::{Direction, MemoryStorage, Storage, Study, TrialState};
/// # let folder = std::env::temp_dir().join(format!("carnyx-study-{}", std::process::id()));
/// let storage = MemoryStorage::new();
/// let id = storage.open_study("digits", Direction::Minimize)?;
/// let trial = storage.begin_trial(id)?;
/// storage.finish(trial.id, TrialState::Complete, Some(0.25))?;
/// let study = Study::new("digits", "val_loss", Direction::Minimize, storage.trials(id)?);
/// study.log_to(&folder)?;
/// assert!(folder.join("0").is_dir());
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), carnyx::Error>(())
/// ```
pub trait LogStudy {
    /// Writes a row for each trial that was begun: its hyperparameters, the value of the objective, how it ended, and
    /// what it reached on the way as a curve, `val_accuracy/reached`. What `tune` leaves behind can do this too.
    ///
    /// # Errors
    /// `data`, if no trial was begun; `file`, if nothing can be written there.
    ///
    /// # Example
    /// ```
    /// use carnyx::{LogStudy, Study};
    /// fn show(study: &Study) -> carnyx::Result {
    ///     study.log_to("runs/search")
    /// }
    /// ```
    fn log_to(&self, folder: impl AsRef<Path>) -> Result;
}

impl LogStudy for Study {
    fn log_to(&self, folder: impl AsRef<Path>) -> Result {
        let begun = self.trials().iter().filter(|trial| trial.state != TrialState::Waiting);
        let trials: Vec<Trial> = begun.map(|trial| logged(trial, self.objective())).collect();
        log_trials(folder, &trials)
    }
}

fn logged(record: &TrialRecord, objective: &str) -> Trial {
    let status = match record.state {
        TrialState::Waiting | TrialState::Running => TrialStatus::Running,
        TrialState::Complete | TrialState::Pruned => TrialStatus::Finished,
        TrialState::Failed => TrialStatus::Failed,
    };
    let mut trial = Trial::new(&record.number.to_string()).status(status);
    for (name, domain, number) in &record.parameters {
        trial = trial.with(name, hyperparameter(domain.value(*number)));
    }
    for (step, value) in &record.intermediate {
        trial = trial.reached(&format!("{objective}/reached"), *step as usize, *value);
    }
    if let Some(value) = record.value {
        trial = trial.metric(objective, value);
    }
    match (record.started, record.finished) {
        (Some(started), Some(finished)) => trial.lasted(started, finished),
        _ => trial,
    }
}

fn hyperparameter(value: Value) -> Hyperparameter {
    match value {
        Value::Bool(flag) => flag.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Text(text) => text.into(),
    }
}
