//! Reading CSV: a header line with the names of the columns, then rows, some at a time.
//!
//! Invariant: what is in memory is the block that is read, and a line that a message names is the line that an editor
//! shows.

use super::{Table, site};
use crate::file;
use carnyx_graph::{Error, Result};
use std::collections::VecDeque;
use std::io::{self, Read};

/// A CSV file that is read in blocks of rows.
pub(crate) struct TableBlocks<R> {
    reader: csv::Reader<Lines<Unmarked<R>>>,
    file: String,
    names: Vec<String>,
    row: csv::StringRecord,
}

/// A reader without the mark with which some programs begin UTF-8.
type Unmarked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

impl<R: Read> TableBlocks<R> {
    /// Reads the header. `file` stands for the reader in messages.
    pub(crate) fn new(mut reader: R, file: String, separator: u8) -> Result<TableBlocks<R>> {
        let mut start = Vec::with_capacity(3);
        reader.by_ref().take(3).read_to_end(&mut start).map_err(|e| file::cannot_read(&file, 0, e))?;
        let start = if start == "\u{feff}".as_bytes() { Vec::new() } else { start };
        let lines =
            Lines { inner: io::Cursor::new(start).chain(reader), read: 0, ends: VecDeque::new(), line: 1 };
        let reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(lines);
        let mut blocks = TableBlocks { reader, file, names: Vec::new(), row: csv::StringRecord::new() };
        let names = match blocks.reader.headers() {
            Ok(names) => names.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>(),
            Err(error) => return Err(blocks.malformed(error)),
        };
        if names.is_empty() {
            return Err(Error::new("file", format!("`{}` is empty", blocks.file))
                .help("a table begins with a line that names its columns"));
        }
        if let Some((_, twice)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            let line = blocks.reader.get_mut().line_at(0);
            return Err(
                Error::new("file", format!("two columns are named `{twice}`")).at(site(&blocks.file, line))
            );
        }
        Ok(TableBlocks { names, ..blocks })
    }

    /// At most `rows` further rows; none at the end of the file.
    pub(crate) fn next_block(&mut self, rows: usize) -> Result<Table> {
        let mut table = Table::empty(self.file.clone(), self.names.clone());
        while table.num_rows() < rows {
            match self.reader.read_record(&mut self.row) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(self.malformed(error)),
            }
            let start = self.row.position().map_or(0, csv::Position::byte);
            let line = self.reader.get_mut().line_at(start);
            table.push_row(self.row.iter(), line);
        }
        Ok(table)
    }

    fn malformed(&mut self, error: csv::Error) -> Error {
        let (file, read) = (self.file.clone(), self.reader.get_ref().read);
        let start = error.position().map_or(0, csv::Position::byte);
        let at = site(&file, self.reader.get_mut().line_at(start));
        match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                Error::new("file", format!("this row has {len} cells, the header has {expected_len}"))
                    .at(at)
                    .help("a cell that contains the separator must stand in double quotes")
            }
            csv::ErrorKind::Utf8 { .. } => Error::new("file", "this line is not valid UTF-8")
                .at(at)
                .help("save the file again with the encoding UTF-8"),
            csv::ErrorKind::Io(_) => match error.into_kind() {
                csv::ErrorKind::Io(cause) => file::cannot_read(&file, read, cause),
                other => Error::new("file", format!("cannot read `{file}`: {other:?}")),
            },
            _ => Error::new("file", format!("cannot read `{file}`")).because(error),
        }
    }
}

/// A reader that remembers where lines end until the rows before are read. The parser counts the empty lines above a
/// row as part of it; the user's editor does not.
struct Lines<R> {
    inner: R,
    /// Bytes read so far.
    read: u64,
    /// Where line ends lie that no row has passed yet, and which bytes they are.
    ends: VecDeque<(u64, u8)>,
    /// The line at which the last row began, counted from 1.
    line: u64,
}

impl<R> Lines<R> {
    /// The line of the row that the parser says to begin at byte `start`; rows are asked for in their order.
    fn line_at(&mut self, mut start: u64) -> u64 {
        while let Some(&(at, byte)) = self.ends.front()
            && at <= start
        {
            self.line += u64::from(byte == b'\n');
            // A line end where the row begins is of an empty line above it.
            start += u64::from(at == start);
            self.ends.pop_front();
        }
        self.line
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let ends = (self.read..).zip(&buffer[..count]).filter(|(_, byte)| matches!(byte, b'\r' | b'\n'));
        self.ends.extend(ends.map(|(at, &byte)| (at, byte)));
        self.read += count as u64;
        Ok(count)
    }
}
