//! What users are told when a study, or the place where it is kept, is not what they think.

use crate::messages::assert_message;
use carnyx::{Direction, Domain, PostgresStorage, SqliteStorage, Storage, TrialState, Value, storage_at};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An empty folder under the workspace's `target`, so that messages are the same everywhere.
fn folder(name: &str) -> PathBuf {
    crate::messages::go_to_root();
    let folder = Path::new("target/tests/studies").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn rate(log: bool) -> Domain {
    Domain::Float { low: 1e-5, high: 0.1, step: None, log }
}

#[test]
fn studies_of_another_kind() {
    let path = folder("kinds").join("study.db");
    let storage = SqliteStorage::open(&path).unwrap();
    let study = storage.open_study("digits", Direction::Minimize).unwrap();
    assert_message("study_direction", storage.open_study("digits", Direction::Maximize));
    assert_message("study_long_name", storage.open_study(&"digits ".repeat(80), Direction::Minimize));

    let first = storage.begin_trial(study).unwrap();
    storage.set_parameter(first.id, "rate", &rate(true), 0.01).unwrap();
    let optimizers = Domain::Choice(vec!["sgd".into(), "adam".into()]);
    storage.set_parameter(first.id, "optimizer", &optimizers, 0.0).unwrap();
    let trial = storage.begin_trial(study).unwrap();
    assert_message("study_scale", storage.set_parameter(trial.id, "rate", &rate(false), 0.01));
    let units = Domain::Int { low: 1, high: 9, step: 1, log: false };
    assert_message("study_kind", storage.set_parameter(trial.id, "rate", &units, 3.0));
    let more = Domain::Choice(vec!["sgd".into(), "adam".into(), Value::Int(3)]);
    assert_message("study_choices", storage.set_parameter(trial.id, "optimizer", &more, 2.0));
    let odd = Domain::Choice(vec![Value::Float(f64::NAN)]);
    assert_message("study_choice_nan", storage.set_parameter(trial.id, "odd", &odd, 0.0));
    let steps = Domain::Int { low: 1, high: 9, step: 2, log: true };
    assert_message("study_log_steps", storage.set_parameter(trial.id, "steps", &steps, 1.0));

    assert_message("study_no_value", storage.finish(trial.id, TrialState::Complete, None));
    assert_message("study_not_ended", storage.finish(trial.id, TrialState::Running, None));
    storage.finish(trial.id, TrialState::Failed, None).unwrap();
    assert_message("study_ended_before", storage.finish(trial.id, TrialState::Complete, Some(1.0)));
}

#[test]
fn files_that_are_no_storage() {
    let folder = folder("files");
    let path = |name: &str| folder.join(name);
    std::fs::write(path("notes.txt"), "Buy milk, and something else than a database.\n".repeat(30)).unwrap();
    assert_message("study_text_file", SqliteStorage::open(path("notes.txt")));
    assert_message("study_folder", SqliteStorage::open(&folder));
    assert_message("study_no_folder", storage_at("target/tests/studies/nowhere/study.db"));

    let other = rusqlite::Connection::open(path("photos.db")).unwrap();
    other.execute_batch("CREATE TABLE photos (name TEXT)").unwrap();
    assert_message("study_other_database", SqliteStorage::open(path("photos.db")));

    SqliteStorage::open(path("older.db")).unwrap();
    let older = rusqlite::Connection::open(path("older.db")).unwrap();
    older.execute_batch("UPDATE version_info SET schema_version = 11, library_version = '2.10.1'").unwrap();
    assert_message("study_older_schema", SqliteStorage::open(path("older.db")));

    SqliteStorage::open(path("newer.db")).unwrap();
    let newer = rusqlite::Connection::open(path("newer.db")).unwrap();
    newer.execute_batch("UPDATE alembic_version SET version_num = 'v6.0.0.a'").unwrap();
    assert_message("study_newer_schema", SqliteStorage::open(path("newer.db")));
    let tables: i64 = newer.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
    assert!(tables > 13, "nothing is taken away");

    let storage = SqliteStorage::open(path("two.db")).unwrap();
    let study = storage.open_study("digits", Direction::Minimize).unwrap();
    let two = rusqlite::Connection::open(path("two.db")).unwrap();
    let add = "INSERT INTO study_directions (study_id, objective, direction) VALUES (1, 1, 'MAXIMIZE')";
    two.execute_batch(add).unwrap();
    assert_message("study_two_objectives", storage.open_study("digits", Direction::Minimize));
    let trial = storage.begin_trial(study).unwrap();
    storage.set_parameter(trial.id, "layer", &Domain::Choice(vec!["a".into()]), 0.0).unwrap();
    two.execute_batch(
        "UPDATE trial_params SET distribution_json = replace(distribution_json, '\"a\"', 'null')",
    )
    .unwrap();
    assert_message("study_unknown_domain", storage.trials(study));
    two.execute_batch(
        "DELETE FROM trial_params; DELETE FROM trial_heartbeats; DELETE FROM trials; DELETE FROM study_directions; DELETE FROM studies",
    )
    .unwrap();
    assert_message("study_deleted", storage.begin_trial(study));
    assert_message("study_trial_deleted", storage.report(trial.id, 1, 0.5));
}

#[test]
fn a_file_that_another_program_keeps_locked() {
    let path = folder("locked").join("study.db");
    let storage = SqliteStorage::open_waiting(&path, Duration::from_millis(50)).unwrap();
    let study = storage.open_study("digits", Direction::Minimize).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_message("study_locked", storage.begin_trial(study));
    assert!(storage.trials(study).unwrap().is_empty(), "what nobody changes can be read");
    other.execute_batch("COMMIT; BEGIN EXCLUSIVE").unwrap();
    assert_message("study_locked", storage.trials(study));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(storage.begin_trial(study).unwrap().number, 0);
}

#[test]
fn servers_that_are_not_there() {
    assert_message("study_url", storage_at("mysql://ada:secret@localhost/studies"));
    assert_message(
        "study_url_port",
        PostgresStorage::connect("postgresql://ada:secret@localhost:port/studies"),
    );
    assert_message("study_url_option", storage_at("postgresql://ada:secret@localhost/studies?colour=blue"));
    let url = "postgresql+psycopg2://ada:secret@127.0.0.1:1/studies";
    assert_message("study_unreachable", storage_at(url));
    assert_message(
        "study_encrypted",
        storage_at("postgresql://ada:secret@localhost/studies?sslmode=require"),
    );
}
