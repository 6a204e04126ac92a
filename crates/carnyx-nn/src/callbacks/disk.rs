//! A full disk ends no training: what cannot be written is left out, and that is said once.

use carnyx_graph::{Error, Result};
use std::error::Error as _;
use std::io::{self, ErrorKind, Write};

/// What was said about the disk during one fit.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    has_warned: bool,
}

impl Disk {
    /// What was written; `None`, and for the first time a line on standard error, if the disk is why it was not.
    ///
    /// # Errors
    /// All others: they are mistakes, which will not pass.
    pub(super) fn forgive<T>(&mut self, written: Result<T>, consequence: &str) -> Result<Option<T>> {
        match written {
            Ok(written) => Ok(Some(written)),
            Err(error) if is_failure_of_disk(&error) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    warn(&format!("{error}\n  = note: the fit goes on; {consequence}"));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Writes a line to standard error, even if nobody reads it.
pub(super) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether the disk is why a file could not be written, which may pass.
fn is_failure_of_disk(error: &Error) -> bool {
    let kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    kind.is_some_and(|kind| {
        !matches!(
            kind,
            ErrorKind::NotFound
                | ErrorKind::PermissionDenied
                | ErrorKind::InvalidInput
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::AlreadyExists
        )
    })
}
