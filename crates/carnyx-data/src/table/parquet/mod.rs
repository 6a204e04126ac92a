//! Reading Parquet: tables stored column by column, with their types.
//!
//! ```text
//! "PAR1"  pages of the columns of each row group  metadata  its length, 4 bytes  "PAR1"
//! ```
//! Flat tables are read, as data frames write them: numbers, truth values, text, with missing values; plain, dictionary
//! and run-length encodings; Snappy, gzip or no compression. What else there is in the format is named in an error.
//! Invariant: memory grows with the bytes of the file (see [`GROWTH`]), never with what its metadata claim.
//!
//! Reference: <https://github.com/apache/parquet-format>.

mod compact;
mod encodings;
mod pages;
mod snappy;

use self::compact::Value;
use self::pages::Cells;
use super::Table;
use crate::file;
use carnyx_graph::{Error, Result};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How many cells, and how many bytes of text, each byte of a file may become: a run of equal values is a few bytes, of
/// whatever length. No table that somebody wants to learn from comes near it.
const GROWTH: u64 = 1024;

const MAGIC: &[u8; 4] = b"PAR1";

impl Table {
    /// Reads a Parquet file with all of its columns.
    ///
    /// Numbers, truth values and text are kept as they are, and missing values are empty cells; so are floats that are
    /// not a number, which data frames write for missing ones. Days and times are the integers that the file stores.
    ///
    /// # Errors
    /// `file`, if the file cannot be read, is damaged, or uses a part of the format that is not read here.
    ///
    /// # Example
    /// ```no_run
    /// let table = carnyx_data::Table::read_parquet("houses.parquet")?;
    /// println!("{}", table.describe());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read_parquet(path: impl AsRef<Path>) -> Result<Table> {
        read_all(ParquetFile::open(path.as_ref(), None)?)
    }

    /// Reads some columns of a Parquet file; of the others nothing is read.
    ///
    /// # Errors
    /// As [`Table::read_parquet`], and `data`, if there is no such column.
    ///
    /// # Example
    /// ```no_run
    /// let table = carnyx_data::Table::read_parquet_columns("houses.parquet", &["rooms", "price"])?;
    /// assert_eq!(table.names(), ["rooms", "price"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read_parquet_columns(path: impl AsRef<Path>, columns: &[&str]) -> Result<Table> {
        read_all(ParquetFile::open(path.as_ref(), Some(columns))?)
    }

    /// Reads Parquet from anything that can be read at any place; `name` stands for it in error messages.
    ///
    /// # Errors
    /// As [`Table::read_parquet`].
    ///
    /// # Example
    /// ```
    /// use std::io::Cursor;
    /// let error = carnyx_data::Table::read_parquet_from(Cursor::new(b"a,b\n1,2\n"), "houses.csv");
    /// assert_eq!(error.err().unwrap().title(), "`houses.csv` is not a Parquet file");
    /// ```
    pub fn read_parquet_from(reader: impl Read + Seek, name: &str) -> Result<Table> {
        read_all(ParquetFile::new(reader, name.to_owned(), None)?)
    }
}

fn read_all<R: Read + Seek>(mut file: ParquetFile<R>) -> Result<Table> {
    let mut table = Table::empty(file.name.clone(), file.names());
    for group in 0..file.groups.len() {
        file.read_group(group, &mut table)?;
    }
    Ok(table)
}

/// A file whose metadata were read.
pub(crate) struct ParquetFile<R> {
    reader: R,
    name: String,
    bytes: u64,
    columns: Vec<Column>,
    groups: Vec<Group>,
    /// How many bytes of text may still come out of it.
    text_left: u64,
}

/// A column of the table.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    /// The place among the columns of a row group.
    place: usize,
    kind: Physical,
    /// Whether the integers are to be read without a sign.
    is_unsigned: bool,
    /// The number of decimal places of an integer.
    scale: usize,
    /// Whether values may be missing.
    is_optional: bool,
}

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Physical {
    Boolean,
    Int32,
    Int64,
    Float,
    Double,
    Bytes,
}

/// Some rows, column by column.
#[derive(Clone, Debug)]
struct Group {
    /// The number of rows before these.
    first: u64,
    rows: usize,
    chunks: Vec<Chunk>,
}

/// The pages of one column in one row group.
#[derive(Clone, Debug)]
struct Chunk {
    start: u64,
    bytes: u64,
    codec: i64,
}

impl ParquetFile<BufReader<File>> {
    pub(crate) fn open(path: &Path, columns: Option<&[&str]>) -> Result<ParquetFile<BufReader<File>>> {
        let file = File::open(path)
            .map_err(|e| Error::new("file", format!("cannot open `{}`", path.display())).because(e))?;
        ParquetFile::new(BufReader::new(file), path.display().to_string(), columns)
    }
}

impl<R: Read + Seek> ParquetFile<R> {
    fn new(mut reader: R, name: String, columns: Option<&[&str]>) -> Result<ParquetFile<R>> {
        let bytes = reader.seek(SeekFrom::End(0)).map_err(|e| file::cannot_read(&name, 0, e))?;
        let text_left = bytes.saturating_mul(GROWTH);
        let mut file =
            ParquetFile { reader, name, bytes, columns: Vec::new(), groups: Vec::new(), text_left };
        let metadata = file.metadata()?;
        let tree = compact::read(&metadata).ok_or_else(|| file.damaged("its metadata cannot be read"))?.0;
        file.columns = file.schema(&tree)?;
        for tree in tree.list(4) {
            let first = file.groups.last().map_or(0, |group| group.first + group.rows as u64);
            let group = file.group(tree, first)?;
            let cells =
                first.saturating_add(group.rows as u64).saturating_mul(file.columns.len().max(1) as u64);
            if cells > bytes.saturating_mul(GROWTH) {
                return Err(file.damaged(&format!("it claims {cells} cells, and has {bytes} bytes")));
            }
            file.groups.push(group);
        }
        if let Some(names) = columns {
            file.columns = names.iter().map(|&name| file.column(name)).collect::<Result<_>>()?;
        }
        Ok(file)
    }

    /// The names of the columns that are read.
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    pub(crate) fn num_groups(&self) -> usize {
        self.groups.len()
    }

    /// The rows of one group as a table.
    pub(crate) fn read(&mut self, group: usize) -> Result<Table> {
        let mut table = Table::empty(self.name.clone(), self.names());
        self.read_group(group, &mut table)?;
        Ok(table)
    }

    /// Appends the rows of one group to the table.
    fn read_group(&mut self, group: usize, table: &mut Table) -> Result {
        let Group { first, rows, chunks } = self.groups[group].clone();
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in self.columns.clone() {
            let chunk = chunks.get(column.place).ok_or_else(|| self.damaged("a row group lacks a column"))?;
            let pages = self.section(chunk.start, chunk.bytes)?;
            let cells = pages::read(&pages, &column, chunk.codec, rows, self.text_left).map_err(|label| {
                self.damaged(&format!("column `{}`, row group {group}, {label}", column.name))
            })?;
            self.text_left = self.text_left.saturating_sub(cells.text_bytes());
            columns.push(cells);
        }
        for row in 0..rows {
            table.push_row(columns.iter().map(|cells: &Cells| cells.get(row)), first + row as u64 + 1);
        }
        Ok(())
    }

    /// The bytes of the metadata, which stand at the end of the file.
    fn metadata(&mut self) -> Result<Vec<u8>> {
        let not_parquet = |name: &str| {
            Error::new("file", format!("`{name}` is not a Parquet file"))
                .label("such a file begins and ends with `PAR1`")
        };
        if self.bytes < 12 || self.section(0, 4)? != MAGIC {
            return Err(not_parquet(&self.name));
        }
        let end = self.section(self.bytes - 8, 8)?;
        if end[4..] != *MAGIC {
            let encrypted = if end[4..] == *b"PARE" { "it is encrypted" } else { "its end is missing" };
            return Err(not_parquet(&self.name).note(encrypted));
        }
        let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
        let start = (self.bytes - 8).checked_sub(length);
        let start = start.ok_or_else(|| self.damaged("its metadata would be longer than the file"))?;
        self.section(start, length)
    }

    /// Some bytes of the file.
    fn section(&mut self, start: u64, length: u64) -> Result<Vec<u8>> {
        if start.checked_add(length).is_none_or(|end| end > self.bytes) {
            let bytes = self.bytes;
            let label = format!("bytes {start} to {} are wanted of {bytes}", start.saturating_add(length));
            return Err(self.damaged(&label));
        }
        let mut bytes = vec![0; length as usize];
        let read = self.reader.seek(SeekFrom::Start(start)).and_then(|_| self.reader.read_exact(&mut bytes));
        read.map_err(|e| file::cannot_read(&self.name, start, e))?;
        Ok(bytes)
    }

    fn damaged(&self, label: &str) -> Error {
        Error::new("file", format!("`{}` is damaged, or more than this reader knows", self.name))
            .label(label)
            .help(
                "write the file again as a flat table, with Snappy compression: the default of most programs",
            )
    }

    fn schema(&self, tree: &Value) -> Result<Vec<Column>> {
        let elements = tree.list(2);
        let [root, elements @ ..] = elements else { return Err(self.damaged("it has no schema")) };
        if root.integer(5) != Some(elements.len() as i64) {
            return Err(self.damaged("its columns are nested: only flat tables are read"));
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut seen = HashSet::new();
        for (place, element) in elements.iter().enumerate() {
            let name = element.text(4).ok_or_else(|| self.damaged("a column has no name"))?;
            if !seen.insert(name) {
                return Err(self.damaged(&format!("two columns are named `{name}`")));
            }
            let kind = match element.integer(1) {
                Some(0) => Physical::Boolean,
                Some(1) => Physical::Int32,
                Some(2) => Physical::Int64,
                Some(4) => Physical::Float,
                Some(5) => Physical::Double,
                Some(6) => Physical::Bytes,
                other => {
                    let label = format!("column `{name}` has the storage type {other:?}, which is not read");
                    return Err(self.damaged(&label));
                }
            };
            let converted = element.integer(6);
            let is_decimal = converted == Some(5);
            if is_decimal && !matches!(kind, Physical::Int32 | Physical::Int64) {
                return Err(self.damaged(&format!("column `{name}` has long decimals, which are not read")));
            }
            let scale = if is_decimal { element.integer(7).unwrap_or(0) } else { 0 };
            columns.push(Column {
                name: name.to_owned(),
                place,
                kind,
                is_unsigned: matches!(converted, Some(11..=14)),
                scale: usize::try_from(scale).ok().filter(|scale| *scale < 40).unwrap_or(0),
                is_optional: match element.integer(3) {
                    Some(0) => false,
                    Some(1) => true,
                    _ => {
                        return Err(self.damaged(&format!("column `{name}` holds lists, which are not read")));
                    }
                },
            });
        }
        Ok(columns)
    }

    fn group(&self, tree: &Value, first: u64) -> Result<Group> {
        let rows = tree.integer(3).and_then(|rows| usize::try_from(rows).ok());
        let chunk = |tree: &Value| {
            let metadata = tree.field(3)?;
            let number = |field| metadata.integer(field).and_then(|number| u64::try_from(number).ok());
            let data = number(9)?;
            let start = number(11).filter(|dictionary| *dictionary > 0).map_or(data, |first| first.min(data));
            Some(Chunk { start, bytes: number(7)?, codec: metadata.integer(4)? })
        };
        let chunks = tree.list(1).iter().map(chunk).collect::<Option<Vec<_>>>();
        match (rows, chunks) {
            (Some(rows), Some(chunks)) => Ok(Group { first, rows, chunks }),
            _ => Err(self.damaged("the metadata of a row group are incomplete")),
        }
    }

    fn column(&self, name: &str) -> Result<Column> {
        let names = self.names();
        self.columns.iter().find(|column| column.name == name).cloned().ok_or_else(|| {
            Error::new("data", format!("`{}` has no column `{name}`", self.name)).suggest(name, &names)
        })
    }
}
