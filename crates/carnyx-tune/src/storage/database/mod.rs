//! Studies in a database, in the tables of Optuna, whose own programs read and continue them.
//!
//! Each method is one transaction. One that changes a study locks its row first (in SQLite, the file) and rows of its
//! trials after it, so that no two workers are given the same trial, and a trial ends once.

mod connection;
mod distribution;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::PostgresStorage;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStorage;

use self::connection::Connection;
use self::records::{Of, kind_of, record, records, state_name, state_of};
use super::{Direction, Storage, StudyId, TrialId, TrialRecord, TrialState};
use crate::domain::Domain;
use carnyx_graph::{Error, Result};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a trial is begun again whose worker vanished: one that ends the program each time must not stop a search.
const RETRIES: usize = 3;

/// Studies in a database: an [`SqliteStorage`] or a `PostgresStorage`.
///
/// The tables are those of Optuna's schema 12 (Optuna 3.2 to 5): its samplers continue a study, and optuna-dashboard
/// shows it. Notes are its user attributes; a trial that it enqueued gets the values that it was given wherever another
/// trial of the study tells what they mean. A worker that vanishes loses its trial to others; after three losses the
/// trial stays failed.
///
/// # Reference
/// Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.
pub struct Database<C> {
    connection: Mutex<C>,
}

impl<C: Connection> Database<C> {
    /// The studies behind a connection, with tables that are made if there are none.
    fn over(mut connection: C) -> Result<Database<C>> {
        schema::prepare(&mut connection)?;
        Ok(Database { connection: Mutex::new(connection) })
    }

    fn writing<T>(&self, work: impl FnOnce(&mut C) -> Result<T>) -> Result<T> {
        self.transaction(C::DIALECT.begin(), work)
    }

    fn transaction<T>(&self, begin: &str, work: impl FnOnce(&mut C) -> Result<T>) -> Result<T> {
        let connection = &mut *self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        transaction(connection, begin, work)
    }
}

/// Does all of `work`, or nothing of it.
fn transaction<C: Connection, T>(
    connection: &mut C,
    begin: &str,
    work: impl FnOnce(&mut C) -> Result<T>,
) -> Result<T> {
    if let Err(error) = connection.run(begin) {
        // A server may have closed the connection while a trial was trained.
        if !connection.revive()? {
            return Err(error);
        }
        connection.run(begin)?;
    }
    let done = work(connection).and_then(|done| connection.run("COMMIT").map(|()| done));
    if done.is_err() {
        // The error to tell is the first; without a connection there is nothing to take back.
        let _ = connection.run("ROLLBACK");
    }
    done
}

impl<C: Connection> Storage for Database<C> {
    fn open_study(&self, name: &str, direction: Direction) -> Result<StudyId> {
        self.writing(|connection| match find_study(connection, name)? {
            Some(study) => same_direction(connection, study, name, direction),
            None => new_study(connection, name, direction),
        })
    }

    fn begin_trial(&self, study: StudyId) -> Result<TrialRecord> {
        self.writing(|connection| {
            lock_study(connection, study)?;
            let trial = match take_waiting(connection, study)? {
                Some(trial) => trial,
                None => new_trial(connection, study, TrialState::Running)?,
            };
            beat(connection, trial)?;
            record(connection, trial)
        })
    }

    fn enqueue(
        &self,
        study: StudyId,
        parameters: &[(String, Domain, f64)],
        notes: &[(&str, &str)],
    ) -> Result<TrialId> {
        self.writing(|connection| {
            lock_study(connection, study)?;
            let trial = new_trial(connection, study, TrialState::Waiting)?;
            for (name, domain, value) in parameters {
                check_domain(connection, study, name, domain)?;
                put_parameter(connection, trial, name, domain, *value)?;
            }
            for (name, text) in notes {
                put_attribute(connection, "user", trial, name, &serde_json::Value::from(*text))?;
            }
            Ok(trial)
        })
    }

    fn set_parameter(&self, trial: TrialId, name: &str, domain: &Domain, value: f64) -> Result {
        self.writing(|connection| {
            let study = unfinished(connection, trial)?;
            check_domain(connection, study, name, domain)?;
            put_parameter(connection, trial, name, domain, value)
        })
    }

    fn report(&self, trial: TrialId, step: u64, value: f64) -> Result {
        self.writing(|connection| {
            unfinished(connection, trial)?;
            let (value, kind) = kind_of(value);
            connection.rows(
                "INSERT INTO trial_intermediate_values
                     (trial_id, step, intermediate_value, intermediate_value_type)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (trial_id, step) DO UPDATE SET
                     intermediate_value = excluded.intermediate_value,
                     intermediate_value_type = excluded.intermediate_value_type",
                &[trial.0.into(), (step as i64).into(), value, kind.into()],
            )?;
            Ok(())
        })
    }

    fn note(&self, trial: TrialId, name: &str, text: &str) -> Result {
        self.writing(|connection| {
            unfinished(connection, trial)?;
            put_attribute(connection, "user", trial, name, &serde_json::Value::from(text))
        })
    }

    fn finish(&self, trial: TrialId, state: TrialState, value: Option<f64>) -> Result {
        self.writing(|connection| {
            unfinished(connection, trial)?;
            let value = match (state, value.filter(|value| !value.is_nan())) {
                (TrialState::Waiting | TrialState::Running, _) => {
                    return Err(Error::new("study", "a trial ends as complete, pruned or failed"));
                }
                (TrialState::Complete, None) => {
                    return Err(Error::new("study", "a trial without a value is not complete")
                        .help("end it as failed, and note why"));
                }
                (TrialState::Failed, _) => None,
                // As in Optuna, what a trial had reached counts when it was pruned.
                (TrialState::Pruned, None) => last_report(connection, trial)?,
                (_, value) => value,
            };
            if let Some(value) = value {
                put_value(connection, trial, value)?;
            }
            end(connection, trial, state)
        })
    }

    fn beat(&self, trial: TrialId) -> Result {
        self.writing(|connection| {
            unfinished(connection, trial)?;
            beat(connection, trial)
        })
    }

    fn take_up_abandoned(&self, study: StudyId, silent_for: Duration) -> Result<Vec<usize>> {
        self.writing(|connection| {
            lock_study(connection, study)?;
            let silent = silent_trials(connection, study, silent_for)?;
            silent.into_iter().map(|(trial, number)| retry(connection, study, trial, number)).collect()
        })
    }

    fn trials(&self, study: StudyId) -> Result<Vec<TrialRecord>> {
        self.transaction(C::DIALECT.begin_reading(), |connection| records(connection, Of::Study(study)))
    }
}

fn find_study<C: Connection>(connection: &mut C, name: &str) -> Result<Option<StudyId>> {
    let row = connection.row("SELECT study_id FROM studies WHERE study_name = ?1", &[name.into()])?;
    Ok(row.map(|row| StudyId(row[0].int())))
}

fn new_study<C: Connection>(connection: &mut C, name: &str, direction: Direction) -> Result<StudyId> {
    if name.chars().count() > schema::LONGEST_NAME {
        return Err(Error::new("study", "the name of the study is too long")
            .label(format!("it has {} letters", name.chars().count()))
            .help(format!("names have at most {} letters", schema::LONGEST_NAME)));
    }
    let inserted = connection.row(
        "INSERT INTO studies (study_name) VALUES (?1) ON CONFLICT (study_name) DO NOTHING RETURNING study_id",
        &[name.into()],
    )?;
    match inserted {
        Some(row) => {
            connection.rows(
                "INSERT INTO study_directions (study_id, objective, direction) VALUES (?1, 0, ?2)",
                &[row[0].clone(), direction_name(direction).into()],
            )?;
            Ok(StudyId(row[0].int()))
        }
        // Another worker was faster by a moment.
        None => {
            let study = find_study(connection, name)?;
            let study = study
                .ok_or_else(|| Error::new("study", format!("the study `{name}` was deleted just now")))?;
            same_direction(connection, study, name, direction)
        }
    }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Minimize => "MINIMIZE",
        Direction::Maximize => "MAXIMIZE",
    }
}

fn same_direction<C: Connection>(
    connection: &mut C,
    study: StudyId,
    name: &str,
    direction: Direction,
) -> Result<StudyId> {
    let directions = connection.rows(
        "SELECT direction FROM study_directions WHERE study_id = ?1 ORDER BY objective",
        &[study.0.into()],
    )?;
    let found: Vec<&str> = directions.iter().map(|row| row[0].text()).collect();
    let wanted = direction_name(direction);
    match found[..] {
        [found] if found == wanted => Ok(study),
        [found] => Err(Error::new("study", format!("the study `{name}` is to {}", found.to_lowercase()))
            .label(format!("`{}` has it so, and now it is to {}", connection.name(), wanted.to_lowercase()))
            .help("continue it as it was begun, or give the new study another name")),
        _ => Err(Error::new("study", format!("the study `{name}` has {} objectives", found.len()))
            .label(format!("it was begun by another program, in `{}`", connection.name()))
            .help("studies of Carnyx have one; give the new study another name")),
    }
}

/// Makes others wait who would change the study, until the transaction ends.
fn lock_study<C: Connection>(connection: &mut C, study: StudyId) -> Result {
    let lock = format!("SELECT study_id FROM studies WHERE study_id = ?1 {}", C::DIALECT.for_update());
    match connection.row(&lock, &[study.0.into()])? {
        Some(_) => Ok(()),
        None => Err(Error::new("study", format!("there is no study {} in `{}`", study.0, connection.name()))
            .help("it was deleted since it was opened")),
    }
}

/// The study of a trial that has not ended, which others cannot end now.
fn unfinished<C: Connection>(connection: &mut C, trial: TrialId) -> Result<StudyId> {
    let lock =
        format!("SELECT study_id, number, state FROM trials WHERE trial_id = ?1 {}", C::DIALECT.for_update());
    let row = connection.row(&lock, &[trial.0.into()])?.ok_or_else(|| {
        Error::new("study", format!("there is no trial {} in `{}`", trial.0, connection.name()))
            .help("it was deleted since it began")
    })?;
    if state_of(&row[2]).is_finished() {
        let state = row[2].text().to_lowercase();
        return Err(Error::new("study", format!("trial {} has ended before", row[1].int()))
            .label(format!("its state in `{}` is `{state}`", connection.name()))
            .help(
                "a worker that is not heard of for too long loses its trial: let `beat` be called more often",
            ));
    }
    Ok(StudyId(row[0].int()))
}

fn new_trial<C: Connection>(connection: &mut C, study: StudyId, state: TrialState) -> Result<TrialId> {
    let started = if state == TrialState::Running { C::DIALECT.now() } else { "NULL" };
    let insert = format!(
        "INSERT INTO trials (number, study_id, state, datetime_start)
         SELECT COUNT(*), ?1, '{}', {started} FROM trials WHERE study_id = ?1
         RETURNING trial_id",
        state_name(state)
    );
    let row = connection.row(&insert, &[study.0.into()])?;
    Ok(TrialId(row.expect("an insertion of one row returns it")[0].int()))
}

/// The first trial that waits, which now is this worker's.
fn take_waiting<C: Connection>(connection: &mut C, study: StudyId) -> Result<Option<TrialId>> {
    let take = format!(
        "UPDATE trials SET state = 'RUNNING', datetime_start = {}
         WHERE trial_id = ?1 AND state = 'WAITING' RETURNING trial_id",
        C::DIALECT.now()
    );
    loop {
        let first = connection.row(
            "SELECT trial_id FROM trials WHERE study_id = ?1 AND state = 'WAITING' ORDER BY number LIMIT 1",
            &[study.0.into()],
        )?;
        let Some(first) = first else { return Ok(None) };
        // A worker of Optuna takes trials without a lock on the study, and may have been faster.
        if connection.row(&take, &first)?.is_some() {
            let trial = TrialId(first[0].int());
            adopt_fixed_parameters(connection, study, trial)?;
            return Ok(Some(trial));
        }
    }
}

/// Optuna's `enqueue_trial` notes values only: what they mean is said by other trials with the same parameters.
fn adopt_fixed_parameters<C: Connection>(connection: &mut C, study: StudyId, trial: TrialId) -> Result {
    let fixed = attribute(connection, trial, "fixed_params")?;
    for (name, value) in fixed.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten() {
        let domain = known_domain(connection, study, name)?;
        if let Some(domain) = domain
            && let Some(value) = distribution::to_number(&domain, value)
        {
            put_parameter(connection, trial, name, &domain, value)?;
        }
    }
    Ok(())
}

/// What the first trial of the study that has a parameter says of it.
fn known_domain<C: Connection>(connection: &mut C, study: StudyId, name: &str) -> Result<Option<Domain>> {
    let row = connection.row(
        "SELECT p.distribution_json FROM trial_params p JOIN trials t ON t.trial_id = p.trial_id
         WHERE t.study_id = ?1 AND p.param_name = ?2 ORDER BY p.param_id LIMIT 1",
        &[study.0.into(), name.into()],
    )?;
    Ok(row.and_then(|row| distribution::from_json(row[0].text())))
}

/// As in Optuna, the first trial of a study that has a parameter says what it is for all of them.
fn check_domain<C: Connection>(connection: &mut C, study: StudyId, name: &str, domain: &Domain) -> Result {
    let earlier = known_domain(connection, study, name)?;
    earlier.map_or(Ok(()), |earlier| domain.check_alike(name, &earlier))
}

fn put_parameter<C: Connection>(
    connection: &mut C,
    trial: TrialId,
    name: &str,
    domain: &Domain,
    value: f64,
) -> Result {
    let domain = distribution::to_json(name, domain)?;
    connection.rows(
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (trial_id, param_name) DO UPDATE SET
             param_value = excluded.param_value, distribution_json = excluded.distribution_json",
        &[trial.0.into(), name.into(), value.into(), domain.into()],
    )?;
    Ok(())
}

/// Notes something beside a trial: `user` attributes are what people read, `system` what Optuna reads.
fn put_attribute<C: Connection>(
    connection: &mut C,
    whose: &str,
    trial: TrialId,
    name: &str,
    value: &serde_json::Value,
) -> Result {
    let put = format!(
        "INSERT INTO trial_{whose}_attributes (trial_id, key, value_json) VALUES (?1, ?2, ?3)
         ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json"
    );
    connection.rows(&put, &[trial.0.into(), name.into(), value.to_string().into()])?;
    Ok(())
}

/// An attribute that Optuna reads.
fn attribute<C: Connection>(
    connection: &mut C,
    trial: TrialId,
    name: &str,
) -> Result<Option<serde_json::Value>> {
    let row = connection.row(
        "SELECT value_json FROM trial_system_attributes WHERE trial_id = ?1 AND key = ?2",
        &[trial.0.into(), name.into()],
    )?;
    Ok(row.and_then(|row| serde_json::from_str(row[0].text()).ok()))
}

fn last_report<C: Connection>(connection: &mut C, trial: TrialId) -> Result<Option<f64>> {
    let reports = record(connection, trial)?.intermediate;
    Ok(reports.last().map(|(_, value)| *value).filter(|value| !value.is_nan()))
}

fn put_value<C: Connection>(connection: &mut C, trial: TrialId, value: f64) -> Result {
    let (value, kind) = kind_of(value);
    connection.rows(
        "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?1, 0, ?2, ?3)",
        &[trial.0.into(), value, kind.into()],
    )?;
    Ok(())
}

fn end<C: Connection>(connection: &mut C, trial: TrialId, state: TrialState) -> Result {
    let end = format!(
        "UPDATE trials SET state = '{}', datetime_complete = {} WHERE trial_id = ?1",
        state_name(state),
        C::DIALECT.now()
    );
    connection.rows(&end, &[trial.0.into()])?;
    Ok(())
}

fn beat<C: Connection>(connection: &mut C, trial: TrialId) -> Result {
    let beat = format!(
        "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (?1, {})
         ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat",
        C::DIALECT.heartbeat_now()
    );
    connection.rows(&beat, &[trial.0.into()])?;
    Ok(())
}

/// Running trials, with their numbers, whose last heartbeat is so long ago. A trial without a heartbeat is one of an
/// Optuna that sends none: nobody knows of it.
fn silent_trials<C: Connection>(
    connection: &mut C,
    study: StudyId,
    silent_for: Duration,
) -> Result<Vec<(TrialId, usize)>> {
    let select = format!(
        "SELECT t.trial_id, t.number FROM trials t JOIN trial_heartbeats h ON h.trial_id = t.trial_id
         WHERE t.study_id = ?1 AND t.state = 'RUNNING' AND {} - {} >= ?2 ORDER BY t.number",
        C::DIALECT.seconds(C::DIALECT.heartbeat_now()),
        C::DIALECT.seconds("h.heartbeat")
    );
    let rows = connection.rows(&select, &[study.0.into(), silent_for.as_secs_f64().into()])?;
    Ok(rows.iter().map(|row| (TrialId(row[0].int()), row[1].int() as usize)).collect())
}

/// Ends an abandoned trial and lets another wait in its place, with the attributes by which Optuna tells a retry.
fn retry<C: Connection>(connection: &mut C, study: StudyId, trial: TrialId, number: usize) -> Result<usize> {
    end(connection, trial, TrialState::Failed)?;
    let mut history = match attribute(connection, trial, "retry_history")? {
        Some(serde_json::Value::Array(numbers)) => numbers,
        _ => Vec::new(),
    };
    history.push(number.into());
    if history.len() <= RETRIES {
        let again = new_trial(connection, study, TrialState::Waiting)?;
        for (table, columns, order) in [
            ("trial_params", "param_name, param_value, distribution_json", "param_id"),
            ("trial_user_attributes", "key, value_json", "trial_user_attribute_id"),
            ("trial_system_attributes", "key, value_json", "trial_system_attribute_id"),
        ] {
            let copy = format!(
                "INSERT INTO {table} (trial_id, {columns})
                 SELECT ?1, {columns} FROM {table} WHERE trial_id = ?2 ORDER BY {order}"
            );
            connection.rows(&copy, &[again.0.into(), trial.0.into()])?;
        }
        put_attribute(connection, "system", again, "failed_trial", &history[0])?;
        put_attribute(connection, "system", again, "retry_history", &history.into())?;
    }
    put_attribute(connection, "user", trial, "error", &"its worker was not heard of any more".into())?;
    Ok(number)
}
