//! The values of one column in one row group, as the texts of cells.

use super::Column;
use super::chunk::Pages;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use std::fmt::Write;

/// How many values are read at once. Fewer than what a byte may become, so that texts that share their beginning stay
/// within that bound.
const BLOCK: usize = 256;

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
}

/// The cells of `rows` rows, of at most `text_limit` bytes together; an error is words for the label of a message.
pub(super) fn read(pages: Pages, column: &Column, rows: usize, text_limit: u64) -> Result<Cells, String> {
    let mut limits = Limits { rows, text_limit, cells: Cells::default() };
    let (is_unsigned, scale) = (column.is_unsigned, column.scale);
    match get_column_reader(column.descriptor.clone(), Box::new(pages)) {
        ColumnReader::BoolColumnReader(values) => {
            limits.fill(values, |value, cell| write!(cell, "{value}").is_ok())
        }
        ColumnReader::Int32ColumnReader(values) => limits.fill(values, |&value, cell| {
            let value = if is_unsigned { i64::from(value.cast_unsigned()) } else { i64::from(value) };
            write_decimal(value, scale, cell)
        }),
        ColumnReader::Int64ColumnReader(values) if is_unsigned => {
            limits.fill(values, |value, cell| write!(cell, "{}", value.cast_unsigned()).is_ok())
        }
        ColumnReader::Int64ColumnReader(values) => {
            limits.fill(values, |&value, cell| write_decimal(value, scale, cell))
        }
        // `{:?}` writes as few digits as tell the number from all others, and a point.
        ColumnReader::FloatColumnReader(values) => {
            limits.fill(values, |value, cell| value.is_nan() || write!(cell, "{value:?}").is_ok())
        }
        ColumnReader::DoubleColumnReader(values) => {
            limits.fill(values, |value, cell| value.is_nan() || write!(cell, "{value:?}").is_ok())
        }
        ColumnReader::ByteArrayColumnReader(values) => limits.fill(values, |value, cell| {
            let text = std::str::from_utf8(value.data());
            text.map(|text| cell.push_str(text)).is_ok()
        }),
        ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
            Err("its storage type is not read".to_owned())
        }
    }?;
    Ok(limits.cells)
}

struct Limits {
    rows: usize,
    text_limit: u64,
    cells: Cells,
}

impl Limits {
    /// Appends all values of `reader` by `write`, which says whether a value is a text.
    fn fill<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        write: impl Fn(&T::T, &mut String) -> bool,
    ) -> Result<(), String> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let Cells { text, ends } = &mut self.cells;
        while ends.len() < self.rows {
            levels.clear();
            values.clear();
            let wanted = BLOCK.min(self.rows - ends.len());
            let (records, ..) = reader
                .read_records(wanted, Some(&mut levels), None, &mut values)
                .map_err(|e| format!("after {} rows: {e}", ends.len()))?;
            if records == 0 {
                return Err(format!("{} rows are claimed, {} are there", self.rows, ends.len()));
            }
            let mut values = values.iter();
            for i in 0..records {
                // Without levels nothing is missing.
                if levels.get(i).is_none_or(|level| *level > 0) {
                    let is_text = values.next().is_some_and(|value| write(value, text));
                    if !is_text {
                        return Err(format!("the value of row {} is no text", ends.len()));
                    }
                }
                ends.push(text.len());
                if text.len() as u64 > self.text_limit {
                    return Err("its text is out of all proportion to the file".to_owned());
                }
            }
        }
        Ok(())
    }
}

/// An integer whose last `scale` digits are decimal places.
fn write_decimal(number: i64, scale: usize, cell: &mut String) -> bool {
    if scale == 0 {
        return write!(cell, "{number}").is_ok();
    }
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, places) = digits.split_at(digits.len() - scale);
    write!(cell, "{}{whole}.{places}", if number < 0 { "-" } else { "" }).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_places() {
        let decimal = |number, scale| {
            let mut cell = String::new();
            assert!(write_decimal(number, scale, &mut cell));
            cell
        };
        let all =
            [(0, 0), (5, 1), (-5, 2), (12345, 2), (-12345, 5)].map(|(number, scale)| decimal(number, scale));
        assert_eq!(all, ["0", "0.5", "-0.05", "123.45", "-0.12345"]);
        assert_eq!(decimal(i64::MIN, 3), "-9223372036854775.808");
    }
}
