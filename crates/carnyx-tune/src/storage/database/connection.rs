//! What the databases have in common: statements with cells, and the few words that each says in its own way.

use carnyx_graph::Result;

/// A connection to a database.
pub trait Connection: Send {
    /// How this database speaks.
    const DIALECT: Dialect;

    /// The database in messages: a path or a URL, without a password.
    fn name(&self) -> &str;

    /// Connects again, if the connection was lost, and says whether it was.
    fn revive(&mut self) -> Result<bool>;

    /// Runs a statement whose parameters are `?1`, `?2`, …, and gives the rows that come back.
    fn rows(&mut self, statement: &str, cells: &[Cell]) -> Result<Vec<Vec<Cell>>>;

    /// The first of these rows, if there is one.
    fn row(&mut self, statement: &str, cells: &[Cell]) -> Result<Option<Vec<Cell>>> {
        Ok(self.rows(statement, cells)?.into_iter().next())
    }

    /// Runs statements that have no parameters and give no rows.
    fn run(&mut self, statements: &str) -> Result;
}

/// A value in a row of a table, or a parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text, or one of the names of an enumeration.
    Text(String),
}

impl Cell {
    /// The whole number in a column of whole numbers; 0 where there is none.
    pub fn int(&self) -> i64 {
        match self {
            Cell::Int(value) => *value,
            Cell::Float(value) => *value as i64,
            Cell::Null | Cell::Text(_) => 0,
        }
    }

    /// The number, if there is one.
    pub fn float(&self) -> Option<f64> {
        match self {
            Cell::Float(value) => Some(*value),
            Cell::Int(value) => Some(*value as f64),
            Cell::Null | Cell::Text(_) => None,
        }
    }

    /// The text; empty where there is none.
    pub fn text(&self) -> &str {
        if let Cell::Text(text) = self { text } else { "" }
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Int(value)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Float(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

/// What databases say differently. All statements are written once, in the words of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// One file, which one program writes at a time.
    Sqlite,
    /// A server, which locks rows.
    Postgres,
}

impl Dialect {
    /// Begins a transaction that writes.
    pub fn begin(self) -> &'static str {
        match self {
            // A transaction that becomes a writer later could fail in between, when another was faster.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction that reads several tables as they were at one moment.
    pub fn begin_reading(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// The end of a `SELECT` whose rows stay as they are until the transaction ends.
    pub fn for_update(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => "FOR UPDATE",
        }
    }

    /// Lets one program at a time make the tables.
    pub fn lock_schema(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => "SELECT pg_advisory_xact_lock(6061757489)",
        }
    }

    /// The names of the tables that are there.
    pub fn tables(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Dialect::Postgres => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()"
            }
        }
    }

    /// Whether a table says that the database is used for something else: a file is for studies alone, while the
    /// tables of a server may stand beside others.
    pub fn is_in_the_way(self, table: &str) -> bool {
        match self {
            Dialect::Sqlite => true,
            Dialect::Postgres => include_str!("schema.sql").contains(&format!("CREATE TABLE {table} (")),
        }
    }

    /// The time in UTC, as trials note it. It is the database's clock, which is the same for all workers.
    pub fn now(self) -> &'static str {
        match self {
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
            Dialect::Postgres => "timezone('utc', clock_timestamp())",
        }
    }

    /// The time as heartbeats note it: Optuna takes the server's own time zone for them.
    pub fn heartbeat_now(self) -> &'static str {
        match self {
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
            Dialect::Postgres => "clock_timestamp()::timestamp",
        }
    }

    /// The seconds since 1970 of a time.
    pub fn seconds(self, time: &str) -> String {
        match self {
            Dialect::Sqlite => format!("(julianday({time}) - 2440587.5) * 86400.0"),
            Dialect::Postgres => format!("EXTRACT(EPOCH FROM {time})::float8"),
        }
    }

    /// The statements that make Optuna's tables.
    pub fn schema(self) -> String {
        let schema = include_str!("schema.sql");
        match self {
            Dialect::Postgres => schema.to_owned(),
            // SQLite has no enumerations, and numbers the rows of a whole-number key by itself.
            Dialect::Sqlite => schema
                .lines()
                .filter(|line| !line.starts_with("CREATE TYPE"))
                .map(|line| format!("{line}\n"))
                .collect::<String>()
                .replace("SERIAL", "INTEGER")
                .replace("DOUBLE PRECISION", "FLOAT")
                .replace("TIMESTAMP WITHOUT TIME ZONE", "DATETIME")
                .replace("direction studydirection", "direction VARCHAR(8)")
                .replace("trialstate", "VARCHAR(8)")
                .replace("trialintermediatevaluetype", "VARCHAR(7)")
                .replace("trialvaluetype", "VARCHAR(7)"),
        }
    }
}
