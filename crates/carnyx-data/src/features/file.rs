//! A preprocessing as a file: a line for each column, as CSV, so that any program and any person can read it.
//!
//! ```text
//! carnyx-preprocessing,1
//! numbers,age,29.5,14.25,true
//! categories,city,Basel,Bern
//! label,survived,no,yes
//! ```
//! Invariant: what is read does to the last bit what the written one did.

use super::{Encoding, Preprocessing};
use crate::file;
use carnyx_graph::{Error, Result, Site};
use std::io::Read;
use std::path::Path;

const HEADER: [&str; 2] = ["carnyx-preprocessing", "1"];

impl Preprocessing {
    /// Writes a small text file, to be kept beside the model.
    ///
    /// # Errors
    /// `file`, if it cannot be written.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("features.csv");
    /// let table = Table::read_from("city\nBern\nBasel\n".as_bytes(), "t.csv")?;
    /// Features::new().categories(&["city"]).adapt(&table)?.save(&path)?;
    /// let text = std::fs::read_to_string(&path).unwrap();
    /// assert_eq!(text, "carnyx-preprocessing,1\ncategories,city,Basel,Bern\n");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        let path = path.as_ref();
        file::write_whole(path, |writer| {
            let cannot_write =
                |e| Error::new("file", format!("cannot write `{}`", path.display())).because(e);
            let mut rows = csv::WriterBuilder::new().flexible(true).from_writer(writer);
            rows.write_record(HEADER).map_err(cannot_write)?;
            for (name, encoding) in &self.columns {
                rows.write_record(fields(name, encoding)).map_err(cannot_write)?;
            }
            rows.flush().map_err(|e| cannot_write(e.into()))
        })
    }

    /// Reads what [`save`](Preprocessing::save) wrote.
    ///
    /// # Errors
    /// `file`, if the file cannot be read or is something else.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Preprocessing;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("features.csv");
    /// std::fs::write(&path, "carnyx-preprocessing,1\nlabel,survived,no,yes\n").unwrap();
    /// assert_eq!(Preprocessing::read(&path)?.classes(), ["no", "yes"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Preprocessing> {
        let path = path.as_ref();
        Preprocessing::read_from(file::open(path)?, &path.display().to_string())
    }

    /// Reads from anything that can be read; `name` stands for it in error messages.
    ///
    /// # Errors
    /// As [`Preprocessing::read`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Preprocessing;
    /// let text = "carnyx-preprocessing,1\nindices,city,Basel,Bern\n";
    /// assert_eq!(Preprocessing::read_from(text.as_bytes(), "inline")?.vocabulary_size("city")?, 3);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read_from(reader: impl Read, name: &str) -> Result<Preprocessing> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(reader);
        let mut columns = Vec::new();
        for (number, row) in rows.records().enumerate() {
            let row = row.map_err(|e| Error::new("file", format!("cannot read `{name}`")).because(e))?;
            let line = row.position().map_or(0, csv::Position::line);
            let fields: Vec<&str> = row.iter().collect();
            if number == 0 && fields == HEADER {
                continue;
            }
            let column = if number == 0 { None } else { column(&fields) };
            columns.push(column.ok_or_else(|| {
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                Error::new("file", format!("`{name}` is not a preprocessing of this version"))
                    .at(Site { file: name.to_owned().into(), line, column: 0 })
                    .help("`Preprocessing::save` writes such files")
            })?);
        }
        if rows.position().record() == 0 {
            return Err(Error::new("file", format!("`{name}` is empty")));
        }
        Ok(Preprocessing::new(columns))
    }
}

fn fields(name: &str, encoding: &Encoding) -> Vec<String> {
    let (word, values): (&str, Vec<String>) = match encoding {
        Encoding::Numbers { mean, deviation, has_missing } => {
            ("numbers", vec![mean.to_string(), deviation.to_string(), has_missing.to_string()])
        }
        Encoding::Categories(values) => ("categories", values.clone()),
        Encoding::Indices(values) => ("indices", values.clone()),
        Encoding::Label(classes) => ("label", classes.clone()),
        Encoding::Target => ("target", Vec::new()),
    };
    [word.to_owned(), name.to_owned()].into_iter().chain(values).collect()
}

/// The column that a line describes.
fn column(fields: &[&str]) -> Option<(String, Encoding)> {
    let [word, name, values @ ..] = fields else { return None };
    let owned = || values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    // Values are looked up by halving.
    let sorted = || owned().is_sorted().then(owned);
    let encoding = match (*word, values) {
        ("numbers", [mean, deviation, has_missing]) => {
            let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
            let deviation = number(deviation).filter(|deviation| *deviation > 0.0)?;
            Encoding::Numbers { mean: number(mean)?, deviation, has_missing: has_missing.parse().ok()? }
        }
        ("categories", _) => Encoding::Categories(sorted()?),
        ("indices", _) => Encoding::Indices(sorted()?),
        ("label", _) => Encoding::Label(owned()),
        ("target", []) => Encoding::Target,
        _ => return None,
    };
    Some(((*name).to_owned(), encoding))
}
