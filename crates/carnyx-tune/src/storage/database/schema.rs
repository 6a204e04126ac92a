//! Optuna's tables: made where there are none, and refused where they are not those of its schema 12.

use super::connection::Connection;
use super::transaction;
use carnyx_graph::{Error, Result};

/// How many letters the name of a study may have.
pub const LONGEST_NAME: usize = 512;

/// The schema of Optuna 3.2 to 5, and the revision by which its migrations know it.
const VERSION: i64 = 12;
const REVISION: &str = "v3.2.0.a";

/// Looks whether the tables are there and are the right ones, and makes them in an empty database.
pub fn prepare<C: Connection>(connection: &mut C) -> Result {
    if !has_tables(connection)? {
        // Two programs may begin at the same time.
        transaction(connection, C::DIALECT.begin(), |connection| {
            connection.run(C::DIALECT.lock_schema())?;
            if has_tables(connection)? { Ok(()) } else { connection.run(&C::DIALECT.schema()) }
        })?;
    }
    check_version(connection)
}

/// Whether there is a storage. What is neither a storage nor empty is left alone.
fn has_tables<C: Connection>(connection: &mut C) -> Result<bool> {
    let rows = connection.rows(C::DIALECT.tables(), &[])?;
    let tables: Vec<&str> = rows.iter().map(|row| row[0].text()).collect();
    if tables.contains(&"version_info") {
        return Ok(true);
    }
    match tables.iter().find(|table| C::DIALECT.is_in_the_way(table)) {
        Some(table) => {
            Err(Error::new("storage", format!("`{}` is no storage of studies", connection.name()))
                .label(format!("it has a table `{table}`, and none that says the version of Optuna's tables"))
                .help(
                    "give the studies a database of their own; one that does not exist or is empty will do",
                ))
        }
        None => Ok(false),
    }
}

fn check_version<C: Connection>(connection: &mut C) -> Result {
    let info = connection.row("SELECT schema_version, library_version FROM version_info", &[])?;
    let Some(info) = info else {
        return Err(Error::new("storage", format!("`{}` does not say its version", connection.name()))
            .help("another program is making its tables, or was stopped in between; try again"));
    };
    let (version, library) = (info[0].int(), info[1].text());
    let revision = match version {
        VERSION => connection.row("SELECT version_num FROM alembic_version", &[])?,
        _ => None,
    };
    let revision = revision.map_or(String::new(), |row| row[0].text().to_owned());
    if version == VERSION && revision == REVISION {
        return Ok(());
    }
    let found =
        if version == VERSION { format!("{version}, revision `{revision}`") } else { version.to_string() };
    Err(Error::new("storage", format!("`{}` has the tables of another Optuna", connection.name()))
        .label(format!(
            "their schema is {found}, by Optuna {library}; Carnyx speaks {VERSION}, revision `{REVISION}`"
        ))
        .help("Carnyx changes no tables: `optuna storage upgrade --storage URL` does, after a backup"))
}
