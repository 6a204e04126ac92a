//! Files that are written in full or not at all.

use crate::png;
use carnyx_graph::{Error, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes a picture in the format that the name of its file asks for.
pub(crate) fn save(path: &Path, svg: impl FnOnce() -> Result<String>) -> Result {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "svg" => write(path, svg()?.as_bytes()),
        "png" => {
            let png = png::drawn(&svg()?).map_err(|error| error.note(format!("for `{}`", path.display())))?;
            write(path, &png)
        }
        _ => Err(Error::new("file", format!("`{}` says no format that pictures have", path.display()))
            .help("pictures are `.svg` or `.png`")),
    }
}

/// Writes beside the place and moves there, so that nobody ever reads half a picture.
fn write(path: &Path, bytes: &[u8]) -> Result {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| {
        // A failure to clean up must not hide the first error.
        let _ = fs::remove_file(&beside);
        Error::new("file", format!("cannot write `{}`", path.display())).because(e)
    })
}
