//! Trials as they are read from the tables.

use super::connection::{Cell, Connection};
use super::distribution;
use crate::domain::Domain;
use crate::storage::{StudyId, TrialId, TrialRecord, TrialState};
use carnyx_graph::{Error, Result};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// Whose trials are read.
pub enum Of {
    /// All of a study.
    Study(StudyId),
    /// One.
    Trial(TrialId),
}

/// Everything about one trial.
pub fn record<C: Connection>(connection: &mut C, trial: TrialId) -> Result<TrialRecord> {
    let found = records(connection, Of::Trial(trial))?.pop();
    found.ok_or_else(|| {
        Error::new("study", format!("there is no trial {} in `{}`", trial.0, connection.name()))
    })
}

/// Everything about some trials, by number.
pub fn records<C: Connection>(connection: &mut C, of: Of) -> Result<Vec<TrialRecord>> {
    let (those, key) = match of {
        Of::Study(study) => ("t.study_id = ?1", study.0),
        Of::Trial(trial) => ("t.trial_id = ?1", trial.0),
    };
    let select = format!(
        "SELECT t.trial_id, t.number, t.state, {}, {} FROM trials t WHERE {those} ORDER BY t.number, t.trial_id",
        C::DIALECT.seconds("t.datetime_start"),
        C::DIALECT.seconds("t.datetime_complete")
    );
    let mut trials: Vec<TrialRecord> =
        connection.rows(&select, &[key.into()])?.iter().map(|row| empty_record(row)).collect();
    let places: HashMap<i64, usize> = trials.iter().enumerate().map(|(i, trial)| (trial.id.0, i)).collect();

    let mut beside = |table: &str, columns: &str, order: &str| {
        let select = format!(
            "SELECT x.trial_id, {columns} FROM {table} x JOIN trials t ON t.trial_id = x.trial_id
             WHERE {those} ORDER BY {order}"
        );
        connection.rows(&select, &[key.into()])
    };
    let parameters =
        beside("trial_params", "x.param_name, x.param_value, x.distribution_json", "x.param_id")?;
    let values = beside("trial_values", "x.value, x.value_type", "x.objective")?;
    let steps = "x.step, x.intermediate_value, x.intermediate_value_type";
    let reports = beside("trial_intermediate_values", steps, "x.step")?;
    let notes = beside("trial_user_attributes", "x.key, x.value_json", "x.trial_user_attribute_id")?;

    let mut domains = HashMap::new();
    for row in &parameters {
        let (name, value) = (row[1].text(), row[2].float().unwrap_or(f64::NAN));
        let domain = domains.entry(row[3].text()).or_insert_with_key(|text| distribution::from_json(text));
        let domain: Domain = domain.clone().ok_or_else(|| unknown_domain(connection, name, row[3].text()))?;
        trials[places[&row[0].int()]].parameters.push((name.to_owned(), domain, value));
    }
    for row in &values {
        let trial = &mut trials[places[&row[0].int()]];
        // Studies of several objectives are not opened.
        trial.value.get_or_insert_with(|| value_of(&row[1], &row[2]));
    }
    for row in &reports {
        let report = (row[1].int().max(0) as u64, value_of(&row[2], &row[3]));
        trials[places[&row[0].int()]].intermediate.push(report);
    }
    for row in &notes {
        let text = serde_json::from_str::<String>(row[2].text()).unwrap_or_else(|_| row[2].text().to_owned());
        trials[places[&row[0].int()]].notes.push((row[1].text().to_owned(), text));
    }
    Ok(trials)
}

fn empty_record(row: &[Cell]) -> TrialRecord {
    let time = |cell: &Cell| {
        let seconds = cell.float().filter(|seconds| *seconds >= 0.0)?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds))
    };
    TrialRecord {
        id: TrialId(row[0].int()),
        number: row[1].int() as usize,
        state: state_of(&row[2]),
        value: None,
        parameters: Vec::new(),
        intermediate: Vec::new(),
        notes: Vec::new(),
        started: time(&row[3]),
        finished: time(&row[4]),
    }
}

fn unknown_domain<C: Connection>(connection: &C, parameter: &str, text: &str) -> Error {
    Error::new("study", format!("the domain of `{parameter}` in `{}` is unknown here", connection.name()))
        .label(text.to_owned())
        .help("Carnyx knows ranges of numbers, and choices of truth values, finite numbers and texts")
}

/// The name of a state in the database.
pub fn state_name(state: TrialState) -> &'static str {
    match state {
        TrialState::Waiting => "WAITING",
        TrialState::Running => "RUNNING",
        TrialState::Complete => "COMPLETE",
        TrialState::Pruned => "PRUNED",
        TrialState::Failed => "FAIL",
    }
}

/// The state of that name.
pub fn state_of(cell: &Cell) -> TrialState {
    match cell.text() {
        "WAITING" => TrialState::Waiting,
        "RUNNING" => TrialState::Running,
        "COMPLETE" => TrialState::Complete,
        "PRUNED" => TrialState::Pruned,
        _ => TrialState::Failed,
    }
}

/// A number and its kind: what is not finite has no number.
pub fn kind_of(value: f64) -> (Cell, &'static str) {
    match value {
        value if value.is_nan() => (Cell::Null, "NAN"),
        f64::INFINITY => (Cell::Null, "INF_POS"),
        f64::NEG_INFINITY => (Cell::Null, "INF_NEG"),
        value => (Cell::Float(value), "FINITE"),
    }
}

fn value_of(number: &Cell, kind: &Cell) -> f64 {
    match kind.text() {
        "INF_POS" => f64::INFINITY,
        "INF_NEG" => f64::NEG_INFINITY,
        _ => number.float().unwrap_or(f64::NAN),
    }
}
