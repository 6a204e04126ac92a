//! The pages of a column: which values are missing, and the values.
//!
//! Errors are words for the label of a message: the page and what is wrong with it.

use super::compact;
use super::encodings::{Plain, Runs, truth};
use super::{Column, Physical, snappy};
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::io::Read;

/// The cells of one column, as text.
#[derive(Default)]
pub(super) struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    pub(super) fn get(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[row]]
    }

    pub(super) fn text_bytes(&self) -> u64 {
        self.text.len() as u64
    }

    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }
}

/// The cells of `rows` rows, of at most `text_limit` bytes together.
pub(super) fn read(
    bytes: &[u8],
    column: &Column,
    codec: i64,
    rows: usize,
    text_limit: u64,
) -> Result<Cells, String> {
    let mut cells = Cells::default();
    let mut dictionary: Vec<String> = Vec::new();
    let (mut rest, mut number) = (bytes, 0);
    while cells.ends.len() < rows {
        let page = Page::read(&mut rest, codec).map_err(|what| format!("page {number}: {what}"))?;
        let wanted = rows - cells.ends.len();
        let read = match page.kind {
            Kind::Dictionary => page.dictionary(column).map(|values| dictionary = values),
            Kind::Data | Kind::DataV2 => page.data(column, &dictionary, wanted, text_limit, &mut cells),
            Kind::Index => Ok(()),
        };
        read.map_err(|what| format!("page {number}: {what}"))?;
        number += 1;
    }
    Ok(cells)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Index,
    Dictionary,
    DataV2,
}

/// One page, unpacked.
struct Page<'b> {
    kind: Kind,
    values: usize,
    encoding: i64,
    /// In the second version, the bytes of the levels: which values are missing.
    levels: &'b [u8],
    bytes: Cow<'b, [u8]>,
}

impl<'b> Page<'b> {
    /// The page at the beginning of `rest`, which then begins after it.
    fn read(rest: &mut &'b [u8], codec: i64) -> Result<Page<'b>, String> {
        let (header, length) = compact::read(rest).ok_or("its header is damaged")?;
        let size = |field| header.integer(field).and_then(|size| usize::try_from(size).ok());
        let (unpacked, packed) = size(2).zip(size(3)).ok_or("its header has no sizes")?;
        let (mut body, after) = rest[length..]
            .split_at_checked(packed)
            .ok_or_else(|| format!("{packed} bytes are claimed, there are {}", rest.len() - length))?;
        *rest = after;
        let (kind, details) = match header.integer(1) {
            Some(0) => (Kind::Data, header.field(5)),
            Some(1) => (Kind::Index, header.field(6)),
            Some(2) => (Kind::Dictionary, header.field(7)),
            Some(3) => (Kind::DataV2, header.field(8)),
            other => return Err(format!("its type is {other:?}")),
        };
        if kind == Kind::Index {
            return Ok(Page { kind, values: 0, encoding: 0, levels: &[], bytes: Cow::Borrowed(&[]) });
        }
        let details = details.ok_or("its header has no details")?;
        let count = |field| details.integer(field).and_then(|count| usize::try_from(count).ok());
        let values = count(1).ok_or("its header has no number of values")?;
        let encoding =
            details.integer(if kind == Kind::DataV2 { 4 } else { 2 }).ok_or("it has no encoding")?;
        let mut levels: &[u8] = &[];
        let (mut unpacked, mut is_packed) = (unpacked, true);
        if kind == Kind::DataV2 {
            let length = count(5).ok_or("its header has no length of levels")?;
            if count(6) != Some(0) {
                return Err("it holds lists".to_owned());
            }
            (levels, body) = body.split_at_checked(length).ok_or("its levels are longer than the page")?;
            unpacked = unpacked.checked_sub(length).ok_or("its levels are longer than the page")?;
            is_packed = details.boolean(7).unwrap_or(true);
        }
        let bytes = unpack(body, if is_packed { codec } else { 0 }, unpacked)?;
        Ok(Page { kind, values, encoding, levels, bytes })
    }

    fn dictionary(&self, column: &Column) -> Result<Vec<String>, String> {
        let mut plain = Plain::new(&self.bytes, column);
        let mut values = Vec::new();
        for i in 0..self.values {
            let value =
                plain.next().ok_or_else(|| format!("value {i} of {} is missing or no text", self.values))?;
            values.push(value.into_owned());
        }
        Ok(values)
    }

    fn data(
        &self,
        column: &Column,
        dictionary: &[String],
        wanted: usize,
        text_limit: u64,
        cells: &mut Cells,
    ) -> Result<(), String> {
        if self.values == 0 || self.values > wanted {
            return Err(format!("it has {} values, {wanted} rows are left", self.values));
        }
        let (levels, bytes) = self.levels(column)?;
        let mut levels = levels.map(|levels| Runs::new(levels, 1).ok_or("it has no levels")).transpose()?;
        let mut values = Values::new(self.encoding, bytes, column, dictionary)?;
        for i in 0..self.values {
            let is_there = match &mut levels {
                Some(levels) => {
                    levels.next().ok_or_else(|| format!("level {i} of {} is missing", self.values))? == 1
                }
                None => true,
            };
            if is_there {
                let value = values
                    .next()
                    .ok_or_else(|| format!("value {i} of {} is missing or no text", self.values))?;
                cells.push(&value);
            } else {
                cells.push("");
            }
            if cells.text_bytes() > text_limit {
                return Err("its text is out of all proportion to the file".to_owned());
            }
        }
        Ok(())
    }

    /// The bytes that say which values are missing, if some may be, and the bytes of the values.
    fn levels(&self, column: &Column) -> Result<(Option<&[u8]>, &[u8]), String> {
        match self.kind {
            _ if !column.is_optional => Ok((None, &self.bytes)),
            Kind::DataV2 => Ok((Some(self.levels), &self.bytes)),
            _ => {
                let (length, rest) = self.bytes.split_first_chunk().ok_or("it has no levels")?;
                let (levels, values) = rest
                    .split_at_checked(u32::from_le_bytes(*length) as usize)
                    .ok_or("its levels are longer than the page")?;
                Ok((Some(levels), values))
            }
        }
    }
}

/// The values of a page, in whichever way they are written.
enum Values<'b, 'c> {
    Plain(Plain<'b, 'c>),
    Dictionary(Runs<'b>, &'b [String]),
    Truths(Runs<'b>),
}

impl<'b, 'c> Values<'b, 'c> {
    fn new(
        encoding: i64,
        bytes: &'b [u8],
        column: &'c Column,
        dictionary: &'b [String],
    ) -> Result<Values<'b, 'c>, String> {
        match encoding {
            0 => Ok(Values::Plain(Plain::new(bytes, column))),
            2 | 8 => {
                // A page without a single value may lack the width.
                let (width, bytes) = bytes.split_first().map_or((0, bytes), |(width, rest)| (*width, rest));
                let runs = Runs::new(bytes, u32::from(width)).ok_or("its numbers are too wide")?;
                Ok(Values::Dictionary(runs, dictionary))
            }
            3 if column.kind == Physical::Boolean => {
                let bytes = bytes.get(4..).ok_or("it is too short")?;
                Ok(Values::Truths(Runs::new(bytes, 1).ok_or("it is too short")?))
            }
            other => {
                const NAMES: [(i64, &str); 5] = [
                    (4, "BIT_PACKED"),
                    (5, "DELTA_BINARY_PACKED"),
                    (6, "DELTA_LENGTH_BYTE_ARRAY"),
                    (7, "DELTA_BYTE_ARRAY"),
                    (9, "BYTE_STREAM_SPLIT"),
                ];
                let name = NAMES.iter().find(|(code, _)| *code == other).map_or("unknown", |(_, name)| *name);
                Err(format!("its encoding is {other} ({name}), which is not read"))
            }
        }
    }

    fn next(&mut self) -> Option<Cow<'_, str>> {
        match self {
            Values::Plain(plain) => plain.next(),
            Values::Dictionary(runs, dictionary) => {
                dictionary.get(runs.next()? as usize).map(|value| Cow::Borrowed(value.as_str()))
            }
            Values::Truths(runs) => runs.next().map(|value| truth(value == 1)),
        }
    }
}

fn unpack(bytes: &[u8], codec: i64, size: usize) -> Result<Cow<'_, [u8]>, String> {
    match codec {
        0 => Ok(Cow::Borrowed(bytes)),
        1 => snappy::unpack(bytes, size)
            .map(Cow::Owned)
            .ok_or_else(|| "its compressed data are damaged".to_owned()),
        2 => {
            let mut unpacked = Vec::new();
            let read = MultiGzDecoder::new(bytes).take(size as u64 + 1).read_to_end(&mut unpacked);
            match read {
                Ok(count) if count == size => Ok(Cow::Owned(unpacked)),
                _ => Err("its compressed data are damaged".to_owned()),
            }
        }
        other => {
            const NAMES: [(i64, &str); 5] =
                [(3, "LZO"), (4, "Brotli"), (5, "LZ4"), (6, "Zstandard"), (7, "LZ4")];
            let name = NAMES.iter().find(|(code, _)| *code == other).map_or("unknown", |(_, name)| *name);
            Err(format!("its compression is {other} ({name}), which is not read"))
        }
    }
}
