//! A fit that is interrupted goes on where it was, to the bit.

use super::Callback;
use super::disk::{Disk, warn};
use carnyx_graph::{Error, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

const FILE: &str = "backup.safetensors";

/// Backs a fit up after each epoch, and lets the same program, started again, continue from there.
///
/// Whatever ends the program — an error, a signal, the power — the next run of it gives the same weights, the same
/// history and the same files as one that was never interrupted, bit for bit: the backup holds weights, what the
/// optimizer remembers, the totals of metrics, the history, and the [state](Callback::state) of all other callbacks. It
/// is one file, written beside the old one and renamed, with a checksum; when the fit has ended well, it is removed.
/// Each fit needs a folder of its own. Where the disk is full the fit goes on with the last good backup, and says so
/// once on standard error.
///
/// # Errors
/// `backup`, before the first step: if the file is damaged, or is of a fit on other data, with other options or of
/// another model. A backup is never ignored.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Error};
/// use carnyx_nn::callbacks::{BackupAndRestore, Moment, at};
/// use carnyx_nn::{Adam, Compile, Dense, Fit, MeanSquaredError, Model, Sequential, Verbosity};
/// # let folder = std::env::temp_dir().join(format!("carnyx-backup-{}", std::process::id()));
/// let (x, y) = (Array::from_fn([64, 1], |i| i as f32 / 64.0), Array::from_fn([64, 1], |i| i as f32 / 32.0));
/// let fresh = || Sequential::new().then(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError);
/// let fit = || Fit::epochs(5).verbose(Verbosity::Silent).callback(BackupAndRestore::at(&folder).every_steps(1));
///
/// // A program that ends in the third epoch,
/// let interrupted = fit().callback(at(Moment::BatchEnd, |run| match (run.epoch, run.step) {
///     (2, 1) => Err(Error::new("power", "the lights went out")),
///     _ => Ok(()),
/// }));
/// assert!(fresh().fit((&x, &y), interrupted).is_err());
/// // is started again, and meets no such accident.
/// let mut model = fresh();
/// let history = model.fit((&x, &y), fit().callback(at(Moment::BatchEnd, |_| Ok(()))))?;
///
/// let mut uninterrupted = fresh();
/// let whole = uninterrupted.fit((&x, &y), Fit::epochs(5).verbose(Verbosity::Silent))?;
/// assert_eq!(history, whole);
/// assert_eq!(model.predict(&x)?, uninterrupted.predict(&x)?);
/// # assert!(!folder.exists());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.callbacks.BackupAndRestore`](https://keras.io/api/callbacks/backup_and_restore/).
#[derive(Debug)]
pub struct BackupAndRestore {
    folder: PathBuf,
    every_steps: Option<usize>,
    keep: bool,
    steps: usize,
    disk: Disk,
}

impl BackupAndRestore {
    /// Backups in a folder, which is made when there is none.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// use carnyx_nn::callbacks::BackupAndRestore;
    /// let fit = Fit::epochs(100).callback(BackupAndRestore::at("backup"));
    /// # let _ = fit;
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> BackupAndRestore {
        BackupAndRestore {
            folder: folder.into(),
            every_steps: None,
            keep: false,
            steps: 0,
            disk: Disk::default(),
        }
    }

    /// A backup after every so many steps too: for epochs that last long.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::BackupAndRestore;
    /// let backup = BackupAndRestore::at("backup").every_steps(1000);
    /// # let _ = backup;
    /// ```
    pub fn every_steps(mut self, steps: usize) -> BackupAndRestore {
        self.every_steps = Some(steps);
        self
    }

    /// Keeps the last backup when the fit has ended. The same fit, begun again, has nothing left to do then.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::BackupAndRestore;
    /// let backup = BackupAndRestore::at("backup").keep();
    /// # let _ = backup;
    /// ```
    pub fn keep(mut self) -> BackupAndRestore {
        self.keep = true;
        self
    }

    /// Makes the folder, clears away what an interrupted write has left, and gives the path of the backup.
    pub(super) fn begin(&mut self) -> Result<PathBuf> {
        (self.steps, self.disk) = (0, Disk::default());
        if self.every_steps == Some(0) {
            return Err(Error::new("backup", "a backup after every 0 steps")
                .help("`.every_steps(1000)` makes one after 1000 steps; without it, one after each epoch"));
        }
        let cannot = |error| {
            Error::new("backup", format!("cannot keep backups in `{}`", self.folder.display()))
                .because(error)
                .help("choose a folder in which you may create files")
        };
        fs::create_dir_all(&self.folder).map_err(cannot)?;
        for entry in fs::read_dir(&self.folder).map_err(cannot)?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&format!(".{FILE}.")) && name.ends_with(".part") {
                fs::remove_file(entry.path()).map_err(cannot)?;
            }
        }
        Ok(self.folder.join(FILE))
    }

    pub(super) fn acts_after_steps(&self) -> bool {
        self.every_steps.is_some()
    }

    /// Counts a step.
    pub(super) fn is_due_after_step(&mut self) -> bool {
        self.steps += 1;
        self.every_steps.is_some_and(|every| self.steps.is_multiple_of(every))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result {
        let path = self.folder.join(FILE);
        let written = carnyx_file::write_atomically(&path, bytes);
        self.disk.forgive(written, "the backup is the last that could be written").map(drop)
    }

    pub(super) fn end(&mut self) {
        if self.keep {
            return;
        }
        let path = self.folder.join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                warn(&format!(
                    "warning: the fit has ended, but `{}` cannot be removed: {error}\n  = help: remove it, or the same \
                     fit will begin at its end",
                    path.display()
                ));
            }
            // A folder with other files in it stays.
            _ => drop(fs::remove_dir(&self.folder)),
        }
    }
}

impl Callback for BackupAndRestore {
    fn wants_batches(&self) -> bool {
        false
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }

    fn as_backup(&mut self) -> Option<&mut BackupAndRestore> {
        Some(self)
    }
}
