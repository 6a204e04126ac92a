//! Studies in one file.

use super::Database;
use super::connection::{Cell, Connection, Dialect};
use carnyx_graph::{Error, Result};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{ErrorCode, ToSql};
use std::path::Path;
use std::time::Duration;

/// How long a worker waits for another that writes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Studies in an SQLite file, in the tables of Optuna: several threads and processes of one machine may work on it.
///
/// Do not put the file on a network drive, whose locks often do not hold: many machines work on a study in
/// PostgreSQL, by the feature `postgres`.
///
/// # Example
/// ```
/// use carnyx_tune::{Direction, SqliteStorage, Storage, TrialState};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("study.db");
/// let storage = SqliteStorage::open(&path)?;
/// let study = storage.open_study("digits", Direction::Maximize)?;
/// let trial = storage.begin_trial(study)?;
/// storage.finish(trial.id, TrialState::Complete, Some(0.93))?;
///
/// let again = SqliteStorage::open(&path)?; // another program, later
/// let study = again.open_study("digits", Direction::Maximize)?;
/// assert_eq!(again.trials(study)?[0].value, Some(0.93));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub type SqliteStorage = Database<Sqlite>;

/// A connection to an SQLite file.
pub struct Sqlite {
    connection: rusqlite::Connection,
    path: String,
    patience: Duration,
}

impl SqliteStorage {
    /// The studies in a file, which is made if it is not there.
    ///
    /// # Errors
    /// `storage`, if the file cannot be opened or is something else than a storage of studies.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::SqliteStorage;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("notes.txt");
    /// std::fs::write(&path, "Buy milk, and something else than a database.").unwrap();
    /// assert_eq!(SqliteStorage::open(&path).err().unwrap().code(), "storage");
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<SqliteStorage> {
        SqliteStorage::open_waiting(path, PATIENCE)
    }

    /// The same; a program that finds the file locked by another waits so long for it, instead of 30 seconds.
    ///
    /// # Errors
    /// As [`open`](SqliteStorage::open).
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::SqliteStorage;
    /// use std::time::Duration;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("study.db");
    /// let storage = SqliteStorage::open_waiting(&path, Duration::from_secs(300))?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn open_waiting(path: impl AsRef<Path>, patience: Duration) -> Result<SqliteStorage> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let failed = |error| failure(&name, patience, error);
        let connection = rusqlite::Connection::open(path).map_err(failed)?;
        connection.busy_timeout(patience).map_err(failed)?;
        Database::over(Sqlite { connection, path: name, patience })
    }
}

impl Sqlite {
    fn rows_of(&self, statement: &str, cells: &[Cell]) -> rusqlite::Result<Vec<Vec<Cell>>> {
        let mut statement = self.connection.prepare(statement)?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(cells))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push((0..width).map(|column| row.get_ref(column).map(Cell::from)).collect::<Result<_, _>>()?);
        }
        Ok(all)
    }
}

impl Connection for Sqlite {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn name(&self) -> &str {
        &self.path
    }

    fn revive(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn rows(&mut self, statement: &str, cells: &[Cell]) -> Result<Vec<Vec<Cell>>> {
        self.rows_of(statement, cells).map_err(|error| failure(&self.path, self.patience, error))
    }

    fn run(&mut self, statements: &str) -> Result {
        self.connection.execute_batch(statements).map_err(|error| failure(&self.path, self.patience, error))
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Cell::Null => ToSqlOutput::Owned(Value::Null),
            Cell::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Cell::Float(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef) -> Cell {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Int(value),
            ValueRef::Real(value) => Cell::Float(value),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                Cell::Text(String::from_utf8_lossy(bytes).into_owned())
            }
        }
    }
}

/// The usual failures in plain words.
fn failure(path: &str, patience: Duration, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            "storage",
            format!("`{path}` is locked by another program"),
        )
        .label(format!("it was waited for during {} s", patience.as_secs_f64()))
        .help("end the program that keeps it open, or keep the study in PostgreSQL, which locks single rows"),
        Some(ErrorCode::NotADatabase) => Error::new("storage", format!("`{path}` is no SQLite database"))
            .label("the file begins with something else")
            .help("give the study a file of its own, such as `study.db`"),
        Some(ErrorCode::CannotOpen) => Error::new("storage", format!("`{path}` cannot be opened"))
            .because(error)
            .help("the path has to be that of a file in a folder that exists"),
        Some(ErrorCode::ReadOnly) => Error::new("storage", format!("`{path}` cannot be written"))
            .because(error)
            .help("a study needs a file, and a folder around it, that this program may write"),
        Some(ErrorCode::DatabaseCorrupt) => {
            Error::new("storage", format!("`{path}` is damaged")).because(error)
        }
        _ => Error::new("storage", format!("`{path}` cannot be used")).because(error),
    }
}
