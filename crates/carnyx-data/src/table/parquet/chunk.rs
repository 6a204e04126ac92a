//! The pages of one column in one row group, guarded, as the crate wants them.

use super::claims::{page_sizes, skip_differences};
use bytes::{Buf, Bytes, buf::Reader};
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::sync::Arc;

/// Some bytes of a file, which know where in it they stand.
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
    /// How many bytes a page may become.
    pub(super) most: u64,
}

impl Chunk {
    fn section(&self, start: u64, length: Option<usize>) -> Result<Bytes> {
        let first = start.checked_sub(self.start).and_then(|first| usize::try_from(first).ok());
        let end = first.and_then(|first| length.map_or(Some(self.bytes.len()), |n| first.checked_add(n)));
        match (first, end) {
            (Some(first), Some(end)) if first <= end && end <= self.bytes.len() => {
                Ok(self.bytes.slice(first..end))
            }
            _ => Err(damaged(format!("a page at byte {start} is not where the column is"))),
        }
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Chunk {
    type T = Reader<Bytes>;

    /// The crate asks for what begins with the header of a page.
    fn get_read(&self, start: u64) -> Result<Reader<Bytes>> {
        let rest = self.section(start, None)?;
        let sizes = page_sizes(&rest)
            .ok_or_else(|| damaged(format!("the header of the page at byte {start} is damaged")))?;
        if sizes.unpacked as u64 > self.most || sizes.packed > rest.len() - sizes.header {
            let left = rest.len() - sizes.header;
            return Err(damaged(format!(
                "the page at byte {start} claims {} bytes, packed {}, and {left} are left",
                sizes.unpacked, sizes.packed
            )));
        }
        Ok(rest.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.section(start, Some(length))
    }
}

/// The pages, of which none holds more values than it has bytes for.
pub(super) struct Pages {
    pages: SerializedPageReader<Chunk>,
    checks: Checks,
}

impl Pages {
    pub(super) fn new(
        chunk: Chunk,
        metadata: &ColumnChunkMetaData,
        rows: usize,
        is_optional: bool,
    ) -> Result<Pages> {
        let pages = SerializedPageReader::new(Arc::new(chunk), metadata, rows, None)?;
        Ok(Pages { pages, checks: Checks { is_optional, has_dictionary: false } })
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(page) = &page {
            self.checks.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

/// What is known of a column when a page of it is looked at.
struct Checks {
    is_optional: bool,
    has_dictionary: bool,
}

impl Checks {
    fn check(&mut self, page: &Page) -> Result<()> {
        match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                self.has_dictionary = true;
                // No value that is worth a dictionary is written in fewer bytes.
                let is_full = buf.len() / 4 >= *num_values as usize;
                is_full
                    .then_some(())
                    .ok_or_else(|| damaged(format!("a dictionary claims {num_values} values")))
            }
            Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
                let levels = match buf.first_chunk() {
                    _ if !self.is_optional => 0,
                    Some(length) if *def_level_encoding == Encoding::RLE => {
                        4 + u32::from_le_bytes(*length) as usize
                    }
                    _ => num_values.div_ceil(8) as usize,
                };
                self.check_values(*encoding, buf.get(levels..), *num_values as usize)
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                self.check_values(*encoding, buf.get(levels..), *num_values as usize)
            }
        }
    }

    fn check_values(&self, encoding: Encoding, values: Option<&[u8]>, count: usize) -> Result<()> {
        let values = values.ok_or_else(|| damaged("its levels are longer than the page".to_owned()))?;
        let too_many = || damaged(format!("its differences are not those of {count} values"));
        match encoding {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if !self.has_dictionary => {
                Err(damaged("its dictionary is missing".to_owned()))
            }
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                skip_differences(values, count).map(drop).ok_or_else(too_many)
            }
            Encoding::DELTA_BYTE_ARRAY => {
                let prefixes = skip_differences(values, count).ok_or_else(too_many)?;
                skip_differences(&values[prefixes..], count).map(drop).ok_or_else(too_many)
            }
            Encoding::PLAIN
            | Encoding::PLAIN_DICTIONARY
            | Encoding::RLE_DICTIONARY
            | Encoding::RLE
            | Encoding::DELTA_BINARY_PACKED
            | Encoding::BYTE_STREAM_SPLIT => Ok(()),
            other => Err(damaged(format!("its encoding is {other}, which is not read"))),
        }
    }
}

fn damaged(what: String) -> ParquetError {
    ParquetError::General(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_beyond_the_file_are_refused() {
        let read = |unpacked: &[u8], packed: u8| {
            let header = [&[0x15, 0, 0x15], unpacked, &[0x15, 2 * packed, 0, 1, 2, 3]].concat();
            let chunk = Chunk { start: 100, bytes: header.into(), most: 1000 };
            chunk.get_read(100).map(drop).map_err(|e| e.to_string())
        };
        assert_eq!(read(&[200, 1], 3), Ok(()));
        let huge = read(&[0xfe, 0xff, 0xff, 0xff, 0x0f], 3).unwrap_err();
        assert!(huge.ends_with("the page at byte 100 claims 2147483647 bytes, packed 3, and 3 are left"));
        assert!(read(&[200, 1], 4).unwrap_err().ends_with("claims 100 bytes, packed 4, and 3 are left"));
        let chunk = Chunk { start: 100, bytes: Bytes::from_static(&[0; 9]), most: 1000 };
        for (start, length) in [(99, 1), (100, 10), (110, 0), (101, usize::MAX)] {
            assert!(chunk.get_bytes(start, length).is_err(), "{start} {length}");
        }
    }

    #[test]
    fn claims_of_pages_are_checked() {
        let mut checks = Checks { is_optional: false, has_dictionary: false };
        let data = |encoding, bytes: &'static [u8]| Page::DataPageV2 {
            buf: Bytes::from_static(bytes),
            num_values: 2,
            encoding,
            num_nulls: 0,
            num_rows: 2,
            def_levels_byte_len: 0,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        };
        assert!(checks.check(&data(Encoding::PLAIN, &[1, 2])).is_ok());
        assert!(checks.check(&data(Encoding::RLE_DICTIONARY, &[1, 2])).is_err());
        let dictionary = |num_values| Page::DictionaryPage {
            buf: Bytes::from_static(&[0; 8]),
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        assert!(checks.check(&dictionary(3)).is_err());
        assert!(checks.check(&dictionary(2)).is_ok());
        assert!(checks.check(&data(Encoding::RLE_DICTIONARY, &[1, 2])).is_ok());
        // Blocks of differences that claim one value, and a thousand.
        assert!(checks.check(&data(Encoding::DELTA_LENGTH_BYTE_ARRAY, &[128, 1, 4, 1, 0])).is_ok());
        assert!(checks.check(&data(Encoding::DELTA_LENGTH_BYTE_ARRAY, &[128, 1, 4, 232, 7, 0])).is_err());
        let texts: &[u8] = &[128, 1, 4, 1, 0, 128, 1, 4, 232, 7, 0];
        assert!(checks.check(&data(Encoding::DELTA_BYTE_ARRAY, texts)).is_err());
    }
}
