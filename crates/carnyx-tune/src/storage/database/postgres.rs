//! Studies on a server, for many machines.

use super::Database;
use super::connection::{Cell, Connection, Dialect};
use bytes::{BufMut, BytesMut};
use carnyx_graph::{Error, Result};
use postgres::config::{Host, SslMode};
use postgres::error::SqlState;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls};
use std::time::Duration;

/// How long a worker waits for a server that does not answer, if the URL does not say (`connect_timeout`).
const PATIENCE: Duration = Duration::from_secs(10);

/// Studies in a PostgreSQL database, in the tables of Optuna: threads, processes and machines may work on it.
///
/// The connection is not encrypted; on a network that is not yours alone, go through a tunnel.
///
/// # Example
/// ```no_run
/// use carnyx_tune::{Direction, PostgresStorage, Storage};
/// let storage = PostgresStorage::connect("postgresql://ada:secret@db.example.org/studies")?;
/// let study = storage.open_study("digits", Direction::Maximize)?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub type PostgresStorage = Database<Postgres>;

/// A connection to a PostgreSQL server.
pub struct Postgres {
    client: Client,
    config: Config,
    name: String,
}

impl PostgresStorage {
    /// The studies in the database of a URL, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, whose tables are made if
    /// they are not there. A driver as in `postgresql+psycopg2://`, which Optuna's URLs name, is passed over.
    ///
    /// # Errors
    /// `storage`, if the URL cannot be read, the server does not answer, or the tables are not those of Optuna's
    /// schema 12. No message shows the password.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::PostgresStorage;
    /// let error = PostgresStorage::connect("postgresql://ada:secret@127.0.0.1:1/studies").err().unwrap();
    /// assert_eq!(error.code(), "storage");
    /// assert!(!error.to_string().contains("secret"));
    /// ```
    pub fn connect(url: &str) -> Result<PostgresStorage> {
        let mut config: Config = without_driver(url).parse().map_err(|error| unreadable(url, error))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        let name = name_of(&config);
        if config.get_ssl_mode() == SslMode::Require {
            return Err(Error::new("storage", format!("`{name}` wants an encrypted connection"))
                .label("its URL says `sslmode=require`, and connections of Carnyx are not encrypted")
                .help("open a tunnel (`ssh -L 5432:localhost:5432 HOST`) and connect to its end"));
        }
        let client = client(&config, &name)?;
        Database::over(Postgres { client, config, name })
    }
}

impl Postgres {
    fn failure(&self, error: postgres::Error) -> Error {
        let failed = Error::new("storage", format!("`{}` cannot be used", self.name)).label(reason(&error));
        if self.client.is_closed() {
            failed.note("the connection was lost").because(error)
        } else {
            failed.because(error)
        }
    }
}

impl Connection for Postgres {
    const DIALECT: Dialect = Dialect::Postgres;

    fn name(&self) -> &str {
        &self.name
    }

    fn revive(&mut self) -> Result<bool> {
        let was_lost = self.client.is_closed();
        if was_lost {
            self.client = client(&self.config, &self.name)?;
        }
        Ok(was_lost)
    }

    fn rows(&mut self, statement: &str, cells: &[Cell]) -> Result<Vec<Vec<Cell>>> {
        // The parameters of SQLite are `?1`, those of PostgreSQL `$1`; no statement has a `?` for another reason.
        let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| cell as _).collect();
        let rows = self.client.query(&statement.replace('?', "$"), &cells);
        let rows = rows.map_err(|error| self.failure(error))?;
        let row = |row: &postgres::Row| (0..row.len()).map(|column| row.try_get(column)).collect();
        rows.iter().map(row).collect::<Result<_, _>>().map_err(|error| self.failure(error))
    }

    fn run(&mut self, statements: &str) -> Result {
        self.client.batch_execute(statements).map_err(|error| self.failure(error))
    }
}

impl ToSql for Cell {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self, kind) {
            (Cell::Null, _) => return Ok(IsNull::Yes),
            (Cell::Int(value), &Type::INT4) => out.put_i32(i32::try_from(*value)?),
            (Cell::Int(value), &Type::INT8) => out.put_i64(*value),
            (Cell::Int(value), &Type::FLOAT8) => out.put_f64(*value as f64),
            (Cell::Float(value), &Type::FLOAT8) => out.put_f64(*value),
            // Texts and the names of enumerations.
            (Cell::Text(text), _) => out.put_slice(text.as_bytes()),
            _ => return Err(format!("{self:?} cannot be sent as `{kind}`").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl FromSql<'_> for Cell {
    fn from_sql(kind: &Type, raw: &[u8]) -> Result<Cell, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT4 => Cell::Int(i64::from(i32::from_sql(kind, raw)?)),
            Type::INT8 => Cell::Int(i64::from_sql(kind, raw)?),
            Type::FLOAT8 => Cell::Float(f64::from_sql(kind, raw)?),
            _ => Cell::Text(std::str::from_utf8(raw)?.to_owned()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Cell, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Cell::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// `postgresql+psycopg2://…` as `postgresql://…`.
fn without_driver(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            format!("{}://{rest}", scheme.split_once('+').map_or(scheme, |(scheme, _)| scheme))
        }
        None => url.to_owned(),
    }
}

/// The parts of a URL that may be shown.
fn name_of(config: &Config) -> String {
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().map(|port| format!(":{port}")).unwrap_or_default();
    format!("postgresql://{user}{host}{port}/{}", config.get_dbname().unwrap_or_default())
}

fn client(config: &Config, name: &str) -> Result<Client> {
    config.connect(NoTls).map_err(|error| {
        let code = error.code().cloned();
        let failed = |title: String| Error::new("storage", title).label(reason(&error));
        match code {
            Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                failed(format!("`{name}` lets nobody in by this name and password"))
                    .help("look at user and password in the URL, and at the server's `pg_hba.conf`")
            }
            Some(SqlState::INVALID_CATALOG_NAME) => failed(format!("`{name}` has no such database"))
                .help("make it once, with `createdb NAME`; the tables come by themselves"),
            Some(_) => failed(format!("`{name}` refuses the connection")),
            None => failed(format!("`{name}` cannot be reached"))
                .help("is the server running, and are host and port right?"),
        }
    })
}

/// What lies behind an error, which by itself says what was tried.
fn reason(error: &postgres::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

/// The URL is not shown: nobody knows where in it the password is.
fn unreadable(url: &str, error: postgres::Error) -> Error {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    Error::new("storage", format!("the URL `{scheme}://…` of a storage cannot be read"))
        .label(reason(&error))
        .help("it reads `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; special letters in it are written as `%40`")
}
