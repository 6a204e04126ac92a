//! A study as a table of text.

use super::{Parameters, Study};
use crate::domain::short;
use crate::storage::{Direction, TrialRecord, TrialState};
use crate::tune::SWEPT;
use std::cmp::Ordering;
use std::fmt;

/// The trials of a [`Study`] as a table: the best ones first, then those that were stopped, then those that failed. A
/// hyperparameter that a trial did not ask for is `-`.
///
/// # Example
/// ```
/// use carnyx_tune::{Direction, MemoryStorage, Storage, Study, TrialState};
/// let storage = MemoryStorage::new();
/// let id = storage.open_study("digits", Direction::Minimize)?;
/// for value in [0.5, 0.25] {
///     storage.finish(storage.begin_trial(id)?.id, TrialState::Complete, Some(value))?;
/// }
/// let study = Study::new("digits", "val_loss", Direction::Minimize, storage.trials(id)?);
/// let table = study.table().to_string();
/// assert_eq!(table.lines().nth(1), Some("    1      0.25  complete"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct TrialTable<'s> {
    pub(super) study: &'s Study,
}

impl fmt::Display for TrialTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut trials: Vec<&TrialRecord> = self.study.trials().iter().collect();
        trials.sort_by(|a, b| order(a, b, self.study.direction()));
        let names = names(self.study.trials());
        let has_swept = trials.iter().any(|trial| note(trial, SWEPT).is_some());
        let mut rows = vec![header(self.study.objective(), &names)];
        rows.extend(trials.iter().map(|trial| row(trial, &names)));
        if has_swept {
            rows[0].push("swept rate".to_owned());
            let swept = trials.iter().map(|trial| note(trial, SWEPT).unwrap_or("-").to_owned());
            rows.iter_mut().skip(1).zip(swept).for_each(|(row, swept)| row.push(swept));
        }
        let columns = rows[0].len();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                // Numbers stand on the right of their columns, words on the left.
                .map(|(column, (cell, &width))| match column {
                    2 => format!("{cell:width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// The names of all hyperparameters, in the order in which they were first asked for.
pub(super) fn names(trials: &[TrialRecord]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, ..) in trials.iter().flat_map(|trial| &trial.parameters) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn header(objective: &str, names: &[&str]) -> Vec<String> {
    ["trial", objective, "state"].iter().chain(names).map(|name| (*name).to_owned()).collect()
}

fn row(trial: &TrialRecord, names: &[&str]) -> Vec<String> {
    let parameters = Parameters::of(trial);
    let value = last_value(trial).map_or_else(|| "-".to_owned(), short);
    let cell = |name: &&str| parameters.get(name).map_or_else(|| "-".to_owned(), ToString::to_string);
    let mut row = vec![trial.number.to_string(), value, state(trial).to_owned()];
    row.extend(names.iter().map(cell));
    row
}

pub(super) fn note<'t>(trial: &'t TrialRecord, name: &str) -> Option<&'t str> {
    trial.notes.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

fn state(trial: &TrialRecord) -> &'static str {
    match trial.state {
        TrialState::Waiting => "waiting",
        TrialState::Running => "running",
        TrialState::Complete => "complete",
        TrialState::Pruned => "pruned",
        TrialState::Failed => "failed",
    }
}

/// The value of a trial, or the last one on the way to it.
fn last_value(trial: &TrialRecord) -> Option<f64> {
    trial.value.or_else(|| trial.intermediate.last().map(|(_, value)| *value))
}

fn order(a: &TrialRecord, b: &TrialRecord, direction: Direction) -> Ordering {
    let rank = |trial: &TrialRecord| match trial.state {
        TrialState::Complete => 0,
        TrialState::Pruned => 1,
        TrialState::Running => 2,
        TrialState::Waiting => 3,
        TrialState::Failed => 4,
    };
    let value = |trial: &TrialRecord| last_value(trial).unwrap_or(f64::NAN);
    let better = |a: f64, b: f64| match (direction.is_better(a, b), direction.is_better(b, a)) {
        (true, _) => Ordering::Less,
        (_, true) => Ordering::Greater,
        _ => Ordering::Equal,
    };
    rank(a).cmp(&rank(b)).then_with(|| better(value(a), value(b))).then(a.number.cmp(&b.number))
}
