//! What a file claims about itself, looked at before the crate that reads it takes memory on the claim.
//!
//! The crate trusts three numbers: how many children an element of the schema has (its functions call themselves for
//! each), how long a page is when it is unpacked, and how many values a dictionary or a block of differences holds.
//! The first two stand in structs of Thrift's compact protocol, whose numbers and texts are visited here; the others
//! in the pages themselves, see [`super::chunk`].
//!
//! Reference: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Deeper nesting than any metadata have.
const DEPTH: usize = 24;

/// The kinds of values in the protocol, as far as they are named here; a truth is one of two kinds.
const TRUTH: u8 = 1;
const INTEGER: u8 = 5;
const LONG: u8 = 6;
const BINARY: u8 = 8;
const STRUCT: u8 = 12;

/// The name of the first column that has columns of its own, if one has; otherwise `None`, and `Err`, if the metadata
/// are damaged.
pub(super) fn nested_column(metadata: &[u8]) -> Result<Option<String>, ()> {
    let (mut name, mut nested, mut parents) = (String::new(), None, 0);
    walk(metadata, &mut |path, kind, value| {
        match (path, value) {
            (&[2, 4], Value::Bytes(bytes)) => name = String::from_utf8_lossy(bytes).into_owned(),
            (&[2, 5], Value::Number(children)) if children as i32 != 0 => {
                parents += 1;
                if parents == 1 && children as u64 > metadata.len() as u64 {
                    return false;
                }
                if parents == 2 {
                    nested = Some(name.clone());
                }
            }
            _ => {}
        }
        match *path {
            [2, 4] => kind == BINARY,
            [2, 10] => kind == STRUCT,
            [2, 1..=9] => kind == INTEGER,
            _ => true,
        }
    })
    .ok_or(())?;
    Ok(nested)
}

/// The sizes of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageSizes {
    pub(super) header: usize,
    pub(super) packed: usize,
    pub(super) unpacked: usize,
}

/// What the header at the beginning of `bytes` says; `None`, if it is none.
pub(super) fn page_sizes(bytes: &[u8]) -> Option<PageSizes> {
    let (mut packed, mut unpacked) = (None, None);
    let header = walk(bytes, &mut |path, kind, value| {
        // The crate keeps 32 bits of a number, and the last of several.
        let size = |value: i64| i32::try_from(value).ok().and_then(|size| usize::try_from(size).ok());
        let kept = match (path, value) {
            (&[2], Value::Number(value)) => size(value).map(|size| unpacked = Some(size).max(unpacked)),
            (&[3], Value::Number(value)) => size(value).map(|size| packed = Some(size).max(packed)),
            _ => Some(()),
        };
        kept.is_some() && kind_in_header(path).is_none_or(|known| known == kind)
    })?;
    Some(PageSizes { header, packed: packed?, unpacked: unpacked? })
}

/// The kind of a field in the header of a page; `None` for a field that the crate passes over by the kind that it
/// claims. The crate reads all others as what they should be: one of another kind would end elsewhere for it than
/// here, and what it reads behind it would have been seen by nobody.
fn kind_in_header(path: &[i64]) -> Option<u8> {
    Some(match *path {
        [1..=4] | [5, 1..=4] | [7, 1 | 2] | [8, 1..=6] => INTEGER,
        [5..=8] | [5, 5] | [8, 8] => STRUCT,
        [5, 5, 1 | 2 | 5 | 6] | [8, 8, 1 | 2 | 5 | 6] => BINARY,
        [5, 5, 3 | 4] | [8, 8, 3 | 4] => LONG,
        [5, 5, 7 | 8] | [8, 8, 7 | 8] | [7, 3] | [8, 7] => TRUTH,
        _ => return None,
    })
}

/// How many differences a block of `DELTA_BINARY_PACKED` at the beginning of `bytes` claims, and how many bytes it
/// takes when it ends; `None`, if it ends too early, or claims more than `most`.
pub(super) fn skip_differences(bytes: &[u8], most: usize) -> Option<usize> {
    let mut rest = Rest(bytes);
    let [block, parts, count] = [rest.varint()?, rest.varint()?, rest.varint()?];
    rest.varint()?;
    let values = usize::try_from(block.checked_div(parts)?).ok()?;
    let (parts, mut left) = (usize::try_from(parts).ok()?, usize::try_from(count).ok()?);
    if left > most || values == 0 {
        return None;
    }
    left = left.saturating_sub(1);
    while left > 0 {
        rest.varint()?;
        let mut length = 0usize;
        for &width in rest.take(parts)? {
            if left > 0 {
                length = length.checked_add(usize::from(width).checked_mul(values)? / 8)?;
            }
            left = left.saturating_sub(values);
        }
        // The last block may be cut short.
        rest.take(length.min(rest.0.len()))?;
    }
    Some(bytes.len() - rest.0.len())
}

/// A number or a text of a struct.
#[derive(Clone, Copy)]
enum Value<'b> {
    Number(i64),
    Bytes(&'b [u8]),
    Other,
}

/// Is shown the numbers of the fields that lead to a value, its kind and the value, and says whether that may be.
type Visit<'v, 'b> = dyn FnMut(&[i64], u8, Value<'b>) -> bool + 'v;

/// Visits what is in the struct at the beginning of `bytes`, and returns how many bytes it is written in.
fn walk<'b>(bytes: &'b [u8], visit: &mut Visit<'_, 'b>) -> Option<usize> {
    let mut rest = Rest(bytes);
    rest.fields(&mut Vec::new(), visit)?;
    Some(bytes.len() - rest.0.len())
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number in as many bytes as it needs, seven bits each.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for i in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number with a sign: 0, -1, 1, -2, 2, ….
    fn zigzag(&mut self) -> Option<i64> {
        self.varint().map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fields(&mut self, path: &mut Vec<i64>, visit: &mut Visit<'_, 'b>) -> Option<()> {
        let mut id = 0i64;
        loop {
            let head = self.byte()?;
            let (step, kind) = (head >> 4, head & 0x0f);
            if kind == 0 {
                return Some(());
            }
            id = if step == 0 { self.zigzag()? } else { id.checked_add(i64::from(step))? };
            // Of a longer number, the crate keeps 16 bits.
            i16::try_from(id).ok()?;
            path.push(id);
            match kind {
                // The truth of a field stands in its kind.
                1 | 2 => visit(path, TRUTH, Value::Other).then_some(())?,
                _ => self.value(kind, path, visit)?,
            }
            path.pop();
        }
    }

    fn value(&mut self, kind: u8, path: &mut Vec<i64>, visit: &mut Visit<'_, 'b>) -> Option<()> {
        let value = match kind {
            3 => Value::Number(i64::from(self.byte()? as i8)),
            4..=6 => Value::Number(self.zigzag()?),
            7 => {
                self.take(8)?;
                Value::Other
            }
            BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            9 | 10 | STRUCT => Value::Other,
            // Maps are in no metadata of Parquet.
            _ => return None,
        };
        if path.len() > DEPTH || !visit(path, kind, value) {
            return None;
        }
        match kind {
            9 | 10 => self.list(path, visit),
            STRUCT => self.fields(path, visit),
            _ => Some(()),
        }
    }

    fn list(&mut self, path: &mut Vec<i64>, visit: &mut Visit<'_, 'b>) -> Option<()> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        match head & 0x0f {
            // Lists of lists and of truths are in no metadata of Parquet, and of those the crate takes other lengths.
            1 | 2 | 9 | 10 if count > 0 => None,
            kind => (0..count).try_for_each(|_| self.value(kind, path, visit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_a_page() {
        // Kind 0, 100 bytes, packed into 7, and a struct with one number.
        let header = [0x15, 0, 0x15, 200, 1, 0x15, 14, 0x2c, 0x15, 4, 0, 0, 99];
        assert_eq!(page_sizes(&header), Some(PageSizes { header: 12, packed: 7, unpacked: 100 }));
        for end in 0..12 {
            assert_eq!(page_sizes(&header[..end]), None, "cut at byte {end}");
        }
        // The second of two sizes is seen as well, and a text in place of a size is refused.
        let twice = [0x15, 0, 0x15, 2, 0x15, 14, 0x05, 4, 200, 1, 0];
        assert_eq!(page_sizes(&twice).map(|sizes| sizes.unpacked), Some(100));
        assert_eq!(page_sizes(&[0x15, 0, 0x18, 1, 14, 0x15, 14, 0]), None);
    }

    #[test]
    fn fields_that_the_crate_would_read_otherwise() {
        let with = |more: &[u8]| page_sizes(&[&[0x15, 0, 0x15, 200, 1, 0x15, 14], more, &[0]].concat());
        assert!(with(&[]).is_some());
        // A second size as a truth: its number would be what the crate takes for the next five bytes, 270 million.
        assert_eq!(with(&[0x01, 4, 0x82, 0x82, 0x82, 0x82, 0x82]), None);
        // A size of 2³² + 5, of which 5 would be kept, and one of -2³² + 2³¹ - 1, of which 2³¹ - 1 would.
        assert_eq!(with(&[0x05, 4, 0x8a, 0x80, 0x80, 0x80, 0x20]), None);
        assert_eq!(with(&[0x05, 4, 0x81, 0x80, 0x80, 0x80, 0x10]), None);
        // The field 2¹⁶ + 2, which would be the second one.
        assert_eq!(with(&[0x05, 0x84, 0x80, 0x08, 10]), None);
        // A data page whose number of values is a text; one as it should be, with the truths of its statistics.
        assert_eq!(with(&[0x2c, 0x18, 0, 0]), None);
        let statistics = [0x5c, 0x18, 0, 0x18, 0, 0x16, 2, 0x16, 2, 0x18, 0, 0x18, 0, 0x11, 0x12, 0];
        assert!(
            with(&[&[0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c], &statistics[1..], &[0]].concat())
                .is_some()
        );
        // What nobody knows is passed over alike.
        assert!(with(&[0xf8, 2, 9, 9, 0x11, 0x19, 0x25, 2, 4]).is_some());
    }

    #[test]
    fn columns_of_columns() {
        let element = |name: u8, children: u8| [0x48, 1, name, 0x15, 2 * children, 0];
        let schema = |elements: &[[u8; 6]]| {
            [&[0x15, 2, 0x19, (elements.len() as u8) << 4 | STRUCT], elements.as_flattened(), &[0]].concat()
        };
        let flat = schema(&[element(b'r', 2), element(b'a', 0), element(b'b', 0)]);
        assert_eq!(nested_column(&flat), Ok(None));
        let nested = schema(&[element(b'r', 1), element(b'a', 1), element(b'b', 0)]);
        assert_eq!(nested_column(&nested), Ok(Some("a".to_owned())));
        assert_eq!(nested_column(&schema(&[element(b'r', 60)])), Err(()));
    }

    #[test]
    fn differences_are_skipped() {
        // 128 values to a block of 4 parts; five values, whose differences take 3 bits each.
        let bytes = [[128, 1, 4, 5, 14, 1, 3, 0, 0, 0].as_slice(), &[0; 12], &[9]].concat();
        assert_eq!(skip_differences(&bytes, 5), Some(22));
        assert_eq!(skip_differences(&bytes, 4), None);
        assert_eq!(skip_differences(&[128, 1, 4, 1, 14, 9], 5), Some(5));
        assert_eq!(skip_differences(&[128, 1, 0, 1, 14], 5), None);
    }
}
