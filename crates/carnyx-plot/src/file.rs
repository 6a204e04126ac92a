//! Files that are written in full or not at all.

use carnyx_graph::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes beside the place and moves there, so that nobody ever reads half a picture.
pub(crate) fn write(path: &Path, text: &str) -> Result {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| {
        // A failure to clean up must not hide the first error.
        let _ = fs::remove_file(&beside);
        Error::new("file", format!("cannot write `{}`", path.display())).because(e)
    })
}
