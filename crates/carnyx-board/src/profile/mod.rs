//! Profiles as files: for the Profile tab of TensorBoard, and for viewers of traces.

mod chrome;
mod xplane;

use crate::event_file::{host, now};
use carnyx_graph::{Error, Result};
use carnyx_nn::profile::Profile;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a profile into files that other programs draw.
///
/// # Example
/// ```
/// use carnyx_board::SaveProfile;
/// use carnyx_nn::profile::{Phase, Profile, Span, Step};
/// # let folder = tempfile::tempdir().unwrap();
/// let profile = Profile {
///     threads: 1,
///     steps: vec![Step { begin: 0, duration: 1000, ..Step::default() }],
///     spans: vec![Span { phase: Phase::Forward, duration: 900, step: Some(0), ..Span::named("dot") }],
///     ..Profile::default()
/// };
/// profile.save_trace(folder.path().join("trace.json"))?;
/// profile.save_to_board(folder.path().join("runs/1"))?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait SaveProfile {
    /// Writes a trace that [Perfetto](https://ui.perfetto.dev) and `chrome://tracing` open: a line for the data, one
    /// for the training loop, one for each thread, and the memory of programs. A path that ends in `.gz` is compressed.
    ///
    /// # Errors
    /// `file`, if the file cannot be written.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::SaveProfile;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("trace.json.gz");
    /// carnyx_nn::profile::Profile::default().save_trace(path)?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: the [trace event format](https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU).
    fn save_trace(&self, path: impl AsRef<Path>) -> Result;

    /// Writes the profile into the folder of a run, for TensorBoard's tab Profile, and gives the path of the file.
    /// TensorBoard needs `pip install xprof` for it. Each profile of a run has a folder with its time as name.
    ///
    /// # Errors
    /// `file`, if the file cannot be written.
    ///
    /// # Example
    /// ```
    /// use carnyx_board::SaveProfile;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let run = folder.path().join("1");
    /// let path = carnyx_nn::profile::Profile::default().save_to_board(run)?;
    /// assert!(path.to_string_lossy().ends_with(".xplane.pb"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn save_to_board(&self, folder: impl AsRef<Path>) -> Result<PathBuf>;
}

impl SaveProfile for Profile {
    fn save_trace(&self, path: impl AsRef<Path>) -> Result {
        let path = path.as_ref();
        let text = chrome::trace(self);
        let is_compressed = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
        let written = if is_compressed { compressed(&text) } else { Ok(text.into_bytes()) };
        let written = written.and_then(|bytes| {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            write(path, &bytes)
        });
        written.map_err(|error| cannot_write(path, error))
    }

    fn save_to_board(&self, folder: impl AsRef<Path>) -> Result<PathBuf> {
        let profiles = folder.as_ref().join("plugins/profile");
        let made = fs::create_dir_all(&profiles).and_then(|()| new_folder(&profiles, now()));
        let folder = made.map_err(|error| cannot_write(&profiles, error))?;
        let path = folder.join(format!("{}.xplane.pb", host()));
        write(&path, xplane::space(self, now()).as_bytes()).map_err(|error| cannot_write(&path, error))?;
        Ok(path)
    }
}

/// Writes a file, or leaves nothing behind.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = fs::write(path, bytes);
    if written.is_err() {
        // What could be written in part helps nobody, and may not be there at all.
        let _ = fs::remove_file(path);
    }
    written
}

fn compressed(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::new("file", format!("cannot write `{}`", path.display())).because(error)
}

/// A folder for a profile of this time: `2026_11_25_22_10_07`, and a number behind it if that is taken.
fn new_folder(profiles: &Path, seconds: f64) -> io::Result<PathBuf> {
    let name = name_of_time(seconds as u64);
    let names = std::iter::once(name.clone()).chain((1..).map(|number| format!("{name}_{number}")));
    for name in names {
        let folder = profiles.join(name);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    unreachable!("one of all numbers is free")
}

/// Date and time of day in UTC.
fn name_of_time(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year}_{:02}_{:02}_{hour:02}_{minute:02}_{:02}", month + 1, days + 1, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_names() {
        assert_eq!(name_of_time(0), "1970_01_01_00_00_00");
        assert_eq!(name_of_time(951_827_696), "2000_02_29_12_34_56");
        assert_eq!(name_of_time(1_795_644_607), "2026_11_25_22_10_07");
        assert_eq!(name_of_time(4_107_542_399), "2100_02_28_23_59_59");
        assert_eq!(name_of_time(4_107_542_400), "2100_03_01_00_00_00");
    }

    #[test]
    fn profiles_of_one_second_have_folders_of_their_own() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let first = new_folder(folder.path(), 0.25)?;
        let second = new_folder(folder.path(), 0.75)?;
        assert_eq!(first, folder.path().join("1970_01_01_00_00_00"));
        assert_eq!(second, folder.path().join("1970_01_01_00_00_00_1"));
        Ok(())
    }
}
