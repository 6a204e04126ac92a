//! Reading Parquet: tables stored column by column, with their types.
//!
//! ```text
//! "PAR1"  pages of the columns of each row group  metadata  its length, 4 bytes  "PAR1"
//! ```
//! The crate `parquet` of the Arrow project knows the format: this folder makes cells of its columns. Flat tables are
//! read, as data frames write them: numbers, truth values, text, with missing values. What else there is in the format
//! is named in an error. The crate is named in this folder only, and guarded: what a damaged file makes it panic at is
//! an error, and memory grows with the bytes of the file (see [`GROWTH`]), not with what its metadata claim
//! (`claims.rs`).
//!
//! Reference: <https://github.com/apache/parquet-format>.

mod cells;
mod chunk;
mod claims;

use self::cells::Cells;
use self::chunk::{Chunk, Pages};
use super::Table;
use crate::file;
use carnyx_graph::{Error, Result};
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::ColumnDescPtr;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// How many cells, and how many bytes of text, each byte of a file may become: a run of equal values is a few bytes, of
/// whatever length. No table that somebody wants to learn from comes near it.
const GROWTH: u64 = 1024;

const MAGIC: &[u8; 4] = b"PAR1";

impl Table {
    /// Reads a Parquet file with all of its columns; exists with the feature `parquet`.
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

    /// Reads some columns of a Parquet file, and of the others nothing; exists with the feature `parquet`.
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

    /// Reads Parquet from anything that can be read at any place; exists with the feature `parquet`.
    ///
    /// `name` stands for it in error messages.
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
    metadata: ParquetMetaData,
    columns: Vec<Column>,
    groups: Vec<Group>,
    /// How many bytes of text may still come out of it.
    text_left: u64,
}

/// A column of the table.
#[derive(Clone)]
struct Column {
    name: String,
    /// The place among the columns of a row group.
    place: usize,
    descriptor: ColumnDescPtr,
    /// Whether the integers are to be read without a sign.
    is_unsigned: bool,
    /// The number of decimal places of an integer.
    scale: usize,
    /// Whether values may be missing.
    is_optional: bool,
}

/// Some rows.
#[derive(Clone, Copy)]
struct Group {
    /// The number of rows before these.
    first: u64,
    rows: usize,
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
        let metadata = decode(&mut Source { reader: &mut reader, name: &name, bytes })?;
        let text_left = bytes.saturating_mul(GROWTH);
        let mut file =
            ParquetFile { reader, name, bytes, metadata, columns: Vec::new(), groups: Vec::new(), text_left };
        file.columns = file.schema()?;
        file.groups = file.row_groups()?;
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
        let Group { first, rows } = self.groups[group];
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in self.columns.clone() {
            let cells = self.read_column(group, &column)?;
            self.text_left = self.text_left.saturating_sub(cells.text_bytes());
            columns.push(cells);
        }
        for row in 0..rows {
            table.push_row(columns.iter().map(|cells: &Cells| cells.get(row)), first + row as u64 + 1);
        }
        Ok(())
    }

    fn read_column(&mut self, group: usize, column: &Column) -> Result<Cells> {
        let rows = self.groups[group].rows;
        if rows == 0 {
            return Ok(Cells::default());
        }
        let damaged = |name: &str, what: &str| {
            damaged(name, &format!("column `{}`, row group {group}, {what}", column.name))
        };
        let chunks = self.metadata.row_group(group).columns();
        let chunk = chunks.get(column.place).ok_or_else(|| damaged(&self.name, "which is missing"))?;
        let (start, length, metadata) =
            place(chunk).ok_or_else(|| damaged(&self.name, "which is at no place"))?;
        let mut source = Source { reader: &mut self.reader, name: &self.name, bytes: self.bytes };
        let bytes = source.section(start, length)?.into();
        let (most, text_left) = (self.bytes.saturating_mul(GROWTH), self.text_left);
        guarded(|| {
            let pages = Pages::new(Chunk { start, bytes, most }, &metadata, rows, column.is_optional)
                .map_err(|e| e.to_string())?;
            cells::read(pages, column, rows, text_left)
        })
        .map_err(|what| damaged(&self.name, &what))
    }

    fn schema(&self) -> Result<Vec<Column>> {
        let mut columns: Vec<Column> = Vec::new();
        let mut seen = HashSet::new();
        for (place, descriptor) in self.metadata.file_metadata().schema_descr().columns().iter().enumerate() {
            let name = descriptor.name();
            let not_read = |what: &str| Err(damaged(&self.name, &format!("column `{name}` {what}")));
            if !seen.insert(name) {
                return Err(damaged(&self.name, &format!("two columns are named `{name}`")));
            }
            if descriptor.path().parts().len() != 1 {
                return not_read("is nested: only flat tables are read");
            }
            if descriptor.max_rep_level() != 0 {
                return not_read("holds lists, which are not read");
            }
            let kind = descriptor.physical_type();
            if matches!(kind, Type::INT96 | Type::FIXED_LEN_BYTE_ARRAY) {
                return not_read(&format!("has the storage type {kind}, which is not read"));
            }
            let converted = descriptor.converted_type();
            let logical = descriptor.logical_type_ref();
            let is_decimal =
                converted == ConvertedType::DECIMAL || matches!(logical, Some(LogicalType::Decimal(_)));
            if is_decimal && !matches!(kind, Type::INT32 | Type::INT64) {
                return not_read("has long decimals, which are not read");
            }
            let scale = if is_decimal { descriptor.type_scale() } else { 0 };
            columns.push(Column {
                name: name.to_owned(),
                place,
                descriptor: descriptor.clone(),
                is_unsigned: matches!(
                    converted,
                    ConvertedType::UINT_8
                        | ConvertedType::UINT_16
                        | ConvertedType::UINT_32
                        | ConvertedType::UINT_64
                ),
                scale: usize::try_from(scale).ok().filter(|scale| *scale < 40).unwrap_or(0),
                is_optional: descriptor.max_def_level() != 0,
            });
        }
        Ok(columns)
    }

    fn row_groups(&self) -> Result<Vec<Group>> {
        let (mut groups, mut first) = (Vec::new(), 0u64);
        for group in self.metadata.row_groups() {
            let rows = usize::try_from(group.num_rows())
                .map_err(|_| damaged(&self.name, "a row group has fewer than no rows"))?;
            groups.push(Group { first, rows });
            first = first.saturating_add(rows as u64);
            let cells = first.saturating_mul(self.columns.len().max(1) as u64);
            if cells > self.bytes.saturating_mul(GROWTH) {
                let bytes = self.bytes;
                return Err(damaged(&self.name, &format!("it claims {cells} cells, and has {bytes} bytes")));
            }
        }
        Ok(groups)
    }

    fn column(&self, name: &str) -> Result<Column> {
        let names = self.names();
        self.columns.iter().find(|column| column.name == name).cloned().ok_or_else(|| {
            Error::new("data", format!("`{}` has no column `{name}`", self.name)).suggest(name, &names)
        })
    }
}

/// What the bytes of a file are taken from.
struct Source<'s, R> {
    reader: &'s mut R,
    name: &'s str,
    bytes: u64,
}

impl<R: Read + Seek> Source<'_, R> {
    fn section(&mut self, start: u64, length: u64) -> Result<Vec<u8>> {
        if start.checked_add(length).is_none_or(|end| end > self.bytes) {
            let bytes = self.bytes;
            let label = format!("bytes {start} to {} are wanted of {bytes}", start.saturating_add(length));
            return Err(damaged(self.name, &label));
        }
        let mut bytes = vec![0; length as usize];
        let read = self.reader.seek(SeekFrom::Start(start)).and_then(|_| self.reader.read_exact(&mut bytes));
        read.map_err(|e| file::cannot_read(self.name, start, e))?;
        Ok(bytes)
    }
}

/// The metadata, which stand at the end of the file.
fn decode<R: Read + Seek>(source: &mut Source<'_, R>) -> Result<ParquetMetaData> {
    let (name, bytes) = (source.name, source.bytes);
    let not_parquet = || {
        Error::new("file", format!("`{name}` is not a Parquet file"))
            .label("such a file begins and ends with `PAR1`")
    };
    if bytes < 12 || source.section(0, 4)? != MAGIC {
        return Err(not_parquet());
    }
    let end = source.section(bytes - 8, 8)?;
    if end[4..] != *MAGIC {
        let encrypted = if end[4..] == *b"PARE" { "it is encrypted" } else { "its end is missing" };
        return Err(not_parquet().note(encrypted));
    }
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    let start = (bytes - 8).checked_sub(length);
    let start = start.ok_or_else(|| damaged(name, "its metadata would be longer than the file"))?;
    let metadata = source.section(start, length)?;
    match claims::nested_column(&metadata) {
        Ok(None) => {}
        Ok(Some(column)) => {
            return Err(damaged(name, &format!("column `{column}` is nested: only flat tables are read")));
        }
        Err(()) => return Err(damaged(name, "its metadata cannot be read")),
    }
    guarded(|| ParquetMetaDataReader::decode_metadata(&metadata).map_err(|e| e.to_string()))
        .map_err(|what| damaged(name, &format!("its metadata cannot be read: {what}")))
}

/// Where a column of a row group begins, how many bytes it has, and its metadata in agreement with that.
fn place(chunk: &ColumnChunkMetaData) -> Option<(u64, u64, ColumnChunkMetaData)> {
    let (data, length) = (chunk.data_page_offset(), chunk.compressed_size());
    // Some programs write a place of no dictionary.
    let dictionary = chunk.dictionary_page_offset().filter(|&place| place > 0 && place < data);
    let metadata = chunk.clone().into_builder().set_dictionary_page_offset(dictionary).build().ok()?;
    let start = u64::try_from(dictionary.unwrap_or(data)).ok()?;
    Some((start, u64::try_from(length).ok()?, metadata))
}

/// What `read` returns, or an error, if the crate panics: it does at some damaged pages, and a user's program must not
/// end because of a file. Nothing that it might leave half done outlives the call.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("it is damaged in a way that is not understood".to_owned()))
}

fn damaged(name: &str, label: &str) -> Error {
    Error::new("file", format!("`{name}` is damaged, or more than this reader knows"))
        .label(label)
        .help("write the file again as a flat table, with Snappy compression: the default of most programs")
}
