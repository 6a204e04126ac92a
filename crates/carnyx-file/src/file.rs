//! Reading files whole, and writing them in full or not at all.
//!
//! Invariant: a path given to [`write_atomically`] holds either what it held before or everything that was written.

use carnyx_graph::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Error::new("file", format!("cannot read `{}`", path.display())).because(e))
}

/// Writes a file by way of a temporary file beside it, which takes the name only when every byte is on disk.
///
/// Whatever fails, be it a full disk, missing permission or the power, the old file stays whole.
///
/// # Errors
/// `file`, if the file cannot be written; nothing is left behind then.
///
/// # Example
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("notes.txt");
/// carnyx_file::write_atomically(&path, b"first")?;
/// carnyx_file::write_atomically(&path, b"second")?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"second");
/// assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result {
    write(path, bytes).map_err(|e| {
        let help = match e.kind() {
            io::ErrorKind::NotFound => "create the folder first",
            io::ErrorKind::StorageFull => "free some space; what the file held before is still there",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "choose a folder in which you may create files"
            }
            _ => "what the file held before is still there",
        };
        Error::new("file", format!("cannot write `{}`", path.display())).because(e).help(help)
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"));
    }
    let pending = Pending(name_beside(path));
    let mut file = File::create_new(&pending.0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&pending.0, path)?;
    // The new name itself is on disk when its folder is. Not every system can open a folder, and the file is good
    // without it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A name in the folder of `path` that no other thread or process uses.
fn name_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Names may have 255 bytes; what is added here must not be what makes a good name too long.
    let start: String = name.chars().take(50).collect();
    path.with_file_name(format!(".{start}.{}-{count}.part", std::process::id()))
}

/// A file that is removed when this value goes, unless it was renamed before.
struct Pending(PathBuf);

impl Drop for Pending {
    fn drop(&mut self) {
        // After the rename there is nothing to remove, and a failure to clean up must not hide the first error.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/such/model.keras");
        let error = write_atomically(&missing, b"new").unwrap_err();
        assert_eq!(error.title(), format!("cannot write `{}`", missing.display()));
        assert_eq!(error.advice(), Some("create the folder first"));
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert_eq!(write_atomically(&taken, b"new").unwrap_err().code(), "file");
        assert_eq!(write_atomically(Path::new("/"), b"new").unwrap_err().code(), "file");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_written_keeps_its_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, b"old").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        // The superuser may write everywhere; then there is nothing to be seen here.
        if File::create_new(folder.path().join("probe")).is_err() {
            let error = write_atomically(&path, b"new").unwrap_err();
            assert_eq!(error.title(), format!("cannot write `{}`", path.display()));
            assert_eq!(fs::read(&path).unwrap(), b"old");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn long_names_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ü".repeat(127));
        write_atomically(&path, b"x").unwrap();
        assert_eq!(read(&path).unwrap(), b"x");
        assert_eq!(read(&folder.path().join("y")).unwrap_err().code(), "file");
    }
}
