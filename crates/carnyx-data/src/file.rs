//! Opening files, plain or compressed, and writing them in full or not at all.
//!
//! Every reader of this crate goes through [`open`], so `.gz` works everywhere; the first two bytes decide, never the
//! name. Invariant: a path given to [`write_whole`] holds either what it held before or everything that was written.

use carnyx_graph::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of a file, unpacked if they begin as gzip does.
pub(crate) enum Unpacked<R> {
    Plain(Whole<R>),
    Packed(MultiGzDecoder<Whole<R>>),
}

/// A reader whose first two bytes were looked at.
type Whole<R> = BufReader<io::Chain<io::Cursor<Vec<u8>>, R>>;

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Plain(reader) => reader.read(buffer),
            Unpacked::Packed(reader) => reader.read(buffer),
        }
    }
}

/// Opens `path` for reading and unpacks it if it is compressed.
pub(crate) fn open(path: &Path) -> Result<Unpacked<File>> {
    let cannot_open = |e| Error::new("file", format!("cannot open `{}`", path.display())).because(e);
    unpacked(File::open(path).map_err(cannot_open)?).map_err(cannot_open)
}

/// The bytes of `reader`, unpacked if they begin as gzip does.
pub(crate) fn unpacked<R: Read>(mut reader: R) -> io::Result<Unpacked<R>> {
    let mut magic = Vec::with_capacity(2);
    reader.by_ref().take(2).read_to_end(&mut magic)?;
    let is_gzip = magic == [0x1f, 0x8b];
    let whole = BufReader::with_capacity(64 << 10, io::Cursor::new(magic).chain(reader));
    Ok(if is_gzip { Unpacked::Packed(MultiGzDecoder::new(whole)) } else { Unpacked::Plain(whole) })
}

/// The error for `cause`, met when `path` had given `offset` bytes.
pub(crate) fn cannot_read(path: &str, offset: u64, cause: io::Error) -> Error {
    let title = match cause.kind() {
        io::ErrorKind::UnexpectedEof => format!("`{path}` ends in the middle of its compressed data"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => format!("`{path}` is damaged"),
        _ => format!("cannot read `{path}`"),
    };
    Error::new("file", title)
        .label(format!("after byte {offset} of the content"))
        .because(cause)
        .help("get the file again; it was probably not copied or downloaded completely")
}

/// Writes `path` by way of a temporary file beside it, which takes the name only when everything is on disk.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result) -> Result {
    let cannot_write = |e| Error::new("file", format!("cannot write `{}`", path.display())).because(e);
    let pending = Pending(name_beside(path));
    let mut writer = BufWriter::new(File::create_new(&pending.0).map_err(cannot_write)?);
    write(&mut writer)?;
    let file = writer.into_inner().map_err(|e| cannot_write(e.into_error()))?;
    file.sync_all().map_err(cannot_write)?;
    fs::rename(&pending.0, path).map_err(cannot_write)
}

/// A name in the folder of `path` that no other thread or process uses.
fn name_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{count}.part", std::process::id()))
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
        let path = folder.path().join("a.txt");
        write_whole(&path, |w| w.write_all(b"old").map_err(|e| Error::new("file", "?").because(e))).unwrap();
        let failed = write_whole(&path, |w| {
            w.write_all(b"new").unwrap();
            Err(Error::new("file", "stop"))
        });
        assert_eq!(failed.unwrap_err().title(), "stop");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
