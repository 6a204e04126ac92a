//! The numbers of each epoch as a table in a file.

use super::{Callback, Run, State};
use carnyx_file::{Value, to_json};
use carnyx_graph::{Array, Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Writes a line for each epoch: its number, counted from 0, and all numbers of the logs, in alphabetical order of
/// their names.
///
/// The file is written anew by each fit, unless [`append`](CSVLogger::append) is said; a fit that continues from a
/// backup goes on where the backup was. The columns are those of the first epoch; a number that a later epoch lacks is
/// `NA`. Lines end with a line feed alone, and there are no `val_` columns for a fit without validation data, where
/// Keras writes columns of `NA`.
///
/// # Errors
/// `file`, if the file cannot be written.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::callbacks::CSVLogger;
/// use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd, Verbosity};
/// # let path = std::env::temp_dir().join(format!("carnyx-log-{}.csv", std::process::id()));
/// let (x, y) = (Array::full([8, 1], 1f32), Array::full([8, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// let fit = Fit::epochs(2).validation((&x, &y)).verbose(Verbosity::Silent);
/// model.fit((&x, &y), fit.callback(CSVLogger::new(&path)))?;
/// let table = std::fs::read_to_string(&path).unwrap();
/// assert_eq!(table.lines().next(), Some("epoch,loss,val_loss"));
/// assert_eq!(table.lines().count(), 3);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.callbacks.CSVLogger`](https://keras.io/api/callbacks/csv_logger/).
#[derive(Debug)]
pub struct CSVLogger {
    path: PathBuf,
    separator: char,
    append: bool,
    file: Option<File>,
    /// The names of the columns, once a line has been written by this fit.
    columns: Vec<String>,
    /// Whether the file has no line with the names yet.
    needs_names: bool,
}

impl CSVLogger {
    /// A table with commas, in a new file.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// use carnyx_nn::callbacks::CSVLogger;
    /// let fit = Fit::epochs(10).callback(CSVLogger::new("training.csv"));
    /// # let _ = fit;
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> CSVLogger {
        CSVLogger {
            path: path.into(),
            separator: ',',
            append: false,
            file: None,
            columns: Vec::new(),
            needs_names: true,
        }
    }

    /// What stands between two cells.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::CSVLogger;
    /// let log = CSVLogger::new("training.tsv").separator('\t');
    /// # let _ = log;
    /// ```
    pub fn separator(mut self, separator: char) -> CSVLogger {
        self.separator = separator;
        self
    }

    /// Goes on behind what the file holds already. The names are written only if it is empty.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::CSVLogger;
    /// let log = CSVLogger::new("training.csv").append();
    /// # let _ = log;
    /// ```
    pub fn append(mut self) -> CSVLogger {
        self.append = true;
        self
    }

    fn cannot(&self, does: &str, error: io::Error) -> Error {
        Error::new("file", format!("cannot {does} `{}`", self.path.display())).because(error)
    }

    fn write(&mut self, line: &str) -> Result {
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()));
        written.map_err(|error| self.cannot("write", error))
    }

    /// A cell, in quotes if it needs them.
    fn cell(&self, text: &str) -> String {
        if text.contains([self.separator, '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    }

    fn line(&self, cells: impl Iterator<Item = String>) -> String {
        let cells: Vec<String> = cells.map(|cell| self.cell(&cell)).collect();
        format!("{}\n", cells.join(&self.separator.to_string()))
    }
}

/// A number as Python writes it: the shortest decimal that reads back as the same number.
fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "nan".to_owned(),
        _ if value.is_infinite() => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        _ => to_json(&Value::from(value)),
    }
}

impl Callback for CSVLogger {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        self.columns.clear();
        self.needs_names = true;
        // What a backup has counted on must not be emptied: `restore` opens the file then.
        if run.is_resumed() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| self.cannot("write", error))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(!self.append);
        let opened = options.open(&self.path).and_then(|mut file| {
            let end = file.seek(SeekFrom::End(0))?;
            Ok((file, end))
        });
        let (file, end) = opened.map_err(|error| self.cannot("write", error))?;
        (self.file, self.needs_names) = (Some(file), end == 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        if self.columns.is_empty() {
            self.columns = run.logs.iter().map(|(name, _)| name.to_owned()).collect();
        }
        let mut text = String::new();
        if std::mem::take(&mut self.needs_names) {
            let names = std::iter::once("epoch".to_owned()).chain(self.columns.iter().cloned());
            text = self.line(names);
        }
        let number = |name: &String| run.logs.get(name).map_or("NA".to_owned(), number);
        let cells = std::iter::once(run.epoch.to_string()).chain(self.columns.iter().map(number));
        text += &self.line(cells);
        self.write(&text)
    }

    fn on_train_end(&mut self, _: &mut Run) -> Result {
        self.file = None;
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn state(&mut self) -> Result<State> {
        let mut position = || -> io::Result<u64> {
            let Some(file) = &mut self.file else { return Ok(0) };
            // The backup counts on every byte before this place, even if the power fails.
            file.sync_data()?;
            file.stream_position()
        };
        let position = position().map_err(|error| self.cannot("write", error))?;
        let columns = self.columns.join("\n").into_bytes();
        Ok(State::new()
            .with_number("position", position as f64)
            .with_number("needs_names", f64::from(u8::from(self.needs_names)))
            .with("columns", Array::new([columns.len()], columns)?))
    }

    fn restore(&mut self, state: &State) -> Result {
        let position = state.count("position").unwrap_or(0) as u64;
        let columns = state.array("columns").map(Array::to_vec::<u8>).unwrap_or_default();
        let columns = String::from_utf8_lossy(&columns).into_owned();
        self.columns = columns.lines().map(str::to_owned).collect();
        self.needs_names = state.number("needs_names") != Some(0.0);
        let opened = OpenOptions::new().write(true).open(&self.path).and_then(|mut file| {
            let length = file.metadata()?.len();
            if length >= position {
                // Lines of epochs after the backup will be written again.
                file.set_len(position)?;
                file.seek(SeekFrom::End(0))?;
            }
            Ok((file, length))
        });
        let (file, length) = opened.map_err(|error| self.cannot("go on writing", error))?;
        if length < position {
            let title = format!("`{}` is shorter than it was", self.path.display());
            return Err(Error::new("backup", title)
                .label(format!("it has {length} bytes; when the backup was made, it had {position}"))
                .help("put the file back, or remove the backup and begin anew"));
        }
        self.file = Some(file);
        Ok(())
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}
