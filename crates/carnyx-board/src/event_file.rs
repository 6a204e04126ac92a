//! A file of events, written while others read it.
//!
//! Events are collected and written together: when an epoch ends, and every few seconds. A program that is killed loses
//! what was not written yet, never more; what is in the file are whole records, since one that could be written in part
//! only is taken back. A full disk ends nothing: what cannot be written is lost, and that is said once on standard error.

use crate::event;
use crate::message::Message;
use crate::record;
use carnyx_graph::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long an event may wait before it is written.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many bytes may wait.
const ROOM: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
    file: File,
    /// Bytes of the whole records in the file.
    length: u64,
    waiting: Vec<u8>,
    last_flush: Instant,
    has_warned: bool,
    /// Whether the end of the file is no end of a record, so that nothing can follow.
    is_broken: bool,
}

impl EventFile {
    /// A new file in this folder, which is made if there is none.
    ///
    /// # Errors
    /// `file`, if folder or file cannot be made or written.
    pub(crate) fn create(folder: &Path) -> Result<EventFile> {
        let cannot = |does: &str, path: &Path, error: io::Error| {
            let help = "logs are written into a folder: choose one in which you may create files";
            Error::new("file", format!("cannot {does} `{}`", path.display())).because(error).help(help)
        };
        fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, error))?;
        let (path, file) =
            new_file(folder).map_err(|error| cannot("write into the folder", folder, error))?;
        let mut file = EventFile::of(path, file);
        file.add(&event::version(now()));
        file.write().map_err(|error| cannot("write", &file.path, error))?;
        Ok(file)
    }

    fn of(path: PathBuf, file: File) -> EventFile {
        EventFile {
            path,
            file,
            length: 0,
            waiting: Vec::new(),
            last_flush: Instant::now(),
            has_warned: false,
            is_broken: false,
        }
    }

    /// Adds an event, which is written soon.
    pub(crate) fn log(&mut self, event: &Message) {
        self.add(event);
        if self.waiting.len() > ROOM || self.last_flush.elapsed() >= PATIENCE {
            self.flush();
        }
    }

    /// Writes what waits. What the disk does not take is lost.
    pub(crate) fn flush(&mut self) {
        self.last_flush = Instant::now();
        let Err(error) = self.write() else { return };
        if !std::mem::replace(&mut self.has_warned, true) {
            warn(&Error::new("file", format!("cannot write `{}`", self.path.display())).because(error));
        }
    }

    fn add(&mut self, event: &Message) {
        record::append(&mut self.waiting, event.as_bytes());
    }

    fn write(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        if self.is_broken || waiting.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&waiting);
        match written {
            Ok(()) => self.length += waiting.len() as u64,
            Err(_) => self.is_broken = self.file.set_len(self.length).is_err(),
        }
        written
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Says on standard error that logs are lost, even if nobody reads it.
pub(crate) fn warn(error: &Error) {
    let note = "training goes on; logs that cannot be written are lost";
    let _ = writeln!(io::stderr(), "{error}\n  = note: {note}");
}

/// The time as events have it: seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A file under a name that no other writer has, now or before.
fn new_file(folder: &Path) -> io::Result<(PathBuf, File)> {
    let (seconds, host, process) = (now() as u64, host(), std::process::id());
    let mut number = 0;
    loop {
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.{host}.{process}.{number}.v2"));
        // Appending: what follows a record that was taken back stands where that one began.
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            opened => return opened.map(|file| (path, file)),
        }
    }
}

/// The name of this machine, as far as it can be part of a file's name.
pub(crate) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_name_of_its_own_and_begins_with_the_version() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let files = [EventFile::create(&inner).unwrap(), EventFile::create(&inner).unwrap()];
        assert_ne!(files[0].path, files[1].path);
        for file in files {
            let bytes = fs::read(&file.path).unwrap();
            assert_eq!(bytes.len() as u64, file.length, "the first record is written at once");
            assert!(bytes.windows(13).any(|part| part == b"brain.Event:2"));
        }
    }

    #[test]
    fn events_wait_until_they_are_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path()).unwrap();
        let path = file.path.clone();
        let size = || fs::metadata(&path).unwrap().len();
        let first = size();
        file.log(&event::version(3.0));
        assert_eq!(size(), first);
        file.flush();
        let second = size();
        assert!(second > first);
        file.log(&event::version(4.0));
        drop(file);
        assert_eq!(size(), second + second - first);
    }

    /// A device that is full whatever is written to it.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_no_error_and_is_said_once() {
        let path = PathBuf::from("/dev/full");
        let full = OpenOptions::new().append(true).open(&path).unwrap();
        let mut file = EventFile::of(path, full);
        for step in [1.0, 2.0, 3.0] {
            file.log(&event::version(step));
            file.flush();
            assert!(file.has_warned && file.waiting.is_empty());
        }
    }
}
