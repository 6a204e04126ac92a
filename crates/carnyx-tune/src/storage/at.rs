//! A storage by its name.

use super::Storage;
use carnyx_graph::{Error, Result};
use std::sync::Arc;

/// The storage at a path, or at a URL: `study.db` and `sqlite:///study.db` are an SQLite file, by the feature `sqlite`;
/// `postgresql://USER:PASSWORD@HOST/DATABASE` is a database on a server, by the feature `postgres`.
///
/// The URLs are those of Optuna, so that one text names a storage to both.
///
/// # Errors
/// `storage`, if the storage cannot be used, is of a kind that there is not, or the feature is off.
///
/// # Example
/// ```
/// use carnyx_tune::storage_at;
/// let error = storage_at("mysql://localhost/studies").err().unwrap();
/// assert_eq!(error.title(), "there is no storage for `mysql` URLs");
/// ```
pub fn storage_at(place: &str) -> Result<Arc<dyn Storage>> {
    let Some((scheme, rest)) = place.split_once("://") else { return sqlite(place) };
    match scheme.split_once('+').map_or(scheme, |(scheme, _)| scheme) {
        // Three slashes begin a relative path, four one from the root, as in all URLs of SQLAlchemy.
        "sqlite" => sqlite(rest.strip_prefix('/').unwrap_or(rest)),
        "postgresql" | "postgres" => postgres(place),
        other => Err(Error::new("storage", format!("there is no storage for `{other}` URLs"))
            .help("a study lives in a file (`study.db`) or in PostgreSQL (`postgresql://USER:PASSWORD@HOST/DATABASE`)")),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(path: &str) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(super::SqliteStorage::open(path)?))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(path: &str) -> Result<Arc<dyn Storage>> {
    Err(without("sqlite", &format!("`{path}`")))
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(super::PostgresStorage::connect(url)?))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<Arc<dyn Storage>> {
    Err(without("postgres", "a study in PostgreSQL"))
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn without(feature: &str, what: &str) -> Error {
    Error::new("storage", format!("{what} cannot be opened without the feature `{feature}`"))
        .help(format!("in `Cargo.toml`: carnyx = {{ version = \"…\", features = [\"{feature}\"] }}"))
}
