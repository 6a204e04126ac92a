//! The bytes of a file as `hdf5-pure` gets them: counted, and looked at before it recurses into them.
//!
//! Two things in a file cannot be stopped from outside once the library has begun with them. Nodes of an index that
//! name each other make it walk for ages, so the bytes that it may ask for are limited. And types within types within
//! types are read by recursion without a limit, which ends the process when the stack is full, so metadata that nest
//! types too deeply are never handed out. Invariant: a file of n bytes causes work of at most a multiple of n.

use hdf5_pure::{FormatError, Source};
use std::sync::atomic::{AtomicU64, Ordering};

/// Headers and name lists are asked for several times each, and each text of a list asks for the heap around it.
const MOST_TIMES: u64 = 256;

/// What a file of any size may ask for in addition.
const AT_LEAST: u64 = 1 << 20;

/// A read costs something even if it is short.
const COST_OF_A_READ: u64 = 64;

/// Types within types: a list of enumerations would need two.
const MOST_NESTED_TYPES: u32 = 24;

pub(super) struct Guarded {
    bytes: Vec<u8>,
    left: AtomicU64,
}

impl Guarded {
    pub(super) fn new(bytes: &[u8]) -> Guarded {
        let left = AT_LEAST.saturating_add(MOST_TIMES.saturating_mul(bytes.len() as u64));
        Guarded { bytes: bytes.to_vec(), left: AtomicU64::new(left) }
    }

    fn part(&self, offset: u64, len: usize) -> Result<&[u8], FormatError> {
        let cost = COST_OF_A_READ.saturating_add(len as u64);
        let paid =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost));
        if paid.is_err() {
            return Err(FormatError::Source("parts of the file refer to each other without end".into()));
        }
        let from = usize::try_from(offset).ok();
        from.and_then(|from| self.bytes.get(from..)?.get(..len)).ok_or(FormatError::UnexpectedEof {
            expected: usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(len),
            available: self.bytes.len(),
        })
    }
}

impl Source for Guarded {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        buffer.copy_from_slice(self.part(offset, buffer.len())?);
        Ok(())
    }

    fn read_exact_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, FormatError> {
        self.part(offset, len).map(<[u8]>::to_vec)
    }

    /// Headers, heaps and indices come this way, elements of arrays the other.
    fn read_metadata_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, FormatError> {
        let part = self.part(offset, len)?;
        if deepest_type(part) > MOST_NESTED_TYPES {
            return Err(FormatError::NestingDepthExceeded);
        }
        Ok(part.to_vec())
    }
}

/// The depth of the deepest type that could be read from any place in `bytes`.
///
/// Where a type begins is not known here, so every place is tried, from the last to the first: what a type at one
/// place holds lies behind it and is known already.
fn deepest_type(bytes: &[u8]) -> u32 {
    // Below 8 bytes for each level nothing can be too deep, and most reads are this short.
    if bytes.len() < 8 * MOST_NESTED_TYPES as usize {
        return 0;
    }
    let mut known = vec![Type::default(); bytes.len()];
    let mut deepest = 0;
    for at in (0..bytes.len()).rev() {
        let kind = type_at(bytes, at, &known);
        deepest = deepest.max(kind.depth);
        known[at] = kind;
    }
    deepest
}

/// A type that could begin at some place: how many bytes it has and how deep it is; all zero where none can be.
#[derive(Clone, Copy, Default)]
struct Type {
    len: u32,
    depth: u32,
}

/// The type at `at`, as the chapter "Datatype Message" of the HDF5 format specification lays it out.
fn type_at(bytes: &[u8], at: usize, known: &[Type]) -> Type {
    let Some(head) = bytes[at..].first_chunk::<8>() else { return Type::default() };
    let (class, version) = (head[0] & 15, head[0] >> 4);
    let around = |start: usize| {
        let inner = known.get(start).copied().unwrap_or_default();
        Type { len: (start - at) as u32 + inner.len, depth: inner.depth + 1 }
    };
    match class {
        0 | 4 => Type { len: 12, depth: 1 },
        1 => Type { len: 20, depth: 1 },
        2 => Type { len: 10, depth: 1 },
        3 | 7 => Type { len: 8, depth: 1 },
        5 => Type { len: 8 + u32::from(head[1]), depth: 1 },
        6 if (1..=5).contains(&version) => compound(bytes, at, known),
        11 => compound(bytes, at, known),
        8 => {
            let base = around(at + 8);
            let names = at + base.len as usize;
            let end = names_end(bytes, names, members(head), version < 3);
            let size = bytes.get(at + 12).map_or(0, |&size| usize::from(size));
            Type { len: (end + members(head) * size - at) as u32, depth: base.depth }
        }
        9 => around(at + 8),
        10 if (2..=5).contains(&version) => {
            let axes = bytes.get(at + 8).map_or(0, |&axes| axes as usize);
            around(at + 8 + if version < 3 { 4 + 8 * axes } else { 1 + 4 * axes })
        }
        _ => Type::default(),
    }
}

/// A record of members, of which each has a name, its place in the record and a type.
fn compound(bytes: &[u8], at: usize, known: &[Type]) -> Type {
    let head = &bytes[at..at + 8];
    let padded = matches!(head[0] >> 4, 1 | 2) && head[0] & 15 == 6;
    let place = match (padded, head[0] >> 4) {
        (true, 1) => 4 + 28,
        (true, _) => 4,
        // As many bytes as the size of the record needs.
        (false, _) => {
            4 - (u32::from_le_bytes([head[4], head[5], head[6], head[7]]) | 1).leading_zeros() as usize / 8
        }
    };
    let (mut end, mut depth) = (at + 8, 0);
    for _ in 0..members(head) {
        let start = names_end(bytes, end, 1, padded) + place;
        let Some(inner) = known.get(start).filter(|inner| inner.depth > 0) else { break };
        depth = depth.max(inner.depth);
        end = start + inner.len as usize;
    }
    Type { len: (end - at) as u32, depth: depth + 1 }
}

/// How many members a record or an enumeration has, of which a few are looked at. That is enough: with so many in each
/// level, no message has room for the levels that fill a stack.
fn members(head: &[u8]) -> usize {
    const MOST: u16 = 32;
    usize::from(u16::from_le_bytes([head[1], head[2]]).min(MOST))
}

/// Where `count` names that begin at `at` end; each ends with a zero, and some are filled up to 8 bytes with zeros.
fn names_end(bytes: &[u8], mut at: usize, count: usize, padded: bool) -> usize {
    for _ in 0..count {
        let rest = bytes.get(at..).unwrap_or_default();
        // A name of a member in a file is short; this only keeps a block without zeros from being read many times.
        let len = rest.iter().take(1024).position(|&byte| byte == 0).map_or(rest.len(), |zero| zero + 1);
        at += if padded { len.next_multiple_of(8) } else { len };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOAT: [u8; 20] = [0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];

    /// Types within types: lists of variable length, arrays, records and enumerations in turn.
    fn nested(levels: usize) -> Vec<u8> {
        let mut kind = FLOAT.to_vec();
        for level in 0..levels {
            let around: &[u8] = match level % 6 {
                0 => &[0x19, 0, 0, 0, 16, 0, 0, 0],
                1 => &[0x3a, 0, 0, 0, 4, 0, 0, 0, 1, 2, 0, 0, 0],
                2 => &[0x2a, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
                3 => &[0x36, 1, 0, 0, 4, 0, 0, 0, b'x', 0, 0],
                // A record whose second member goes on, after an enumeration of one name.
                4 => &[
                    0x36, 2, 0, 0, 4, 1, 0, 0, b'x', 0, 0, 0, 0x38, 1, 0, 0, 1, 0, 0, 0, 0x10, 0, 0, 0, 1, 0,
                    0, 0, 0, 0, 8, 0, b'N', b'O', 0, 7, b'y', 0, 0, 0,
                ],
                _ => &[0x26, 1, 0, 0, 4, 0, 0, 0, b'x', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            };
            kind = [around, &kind].concat();
        }
        kind
    }

    #[test]
    fn the_depth_of_types() {
        for levels in 0..60 {
            let mut bytes = vec![255; 300];
            bytes.extend(nested(levels));
            assert_eq!(deepest_type(&bytes), levels as u32 + 1, "{levels}");
        }
        assert_eq!(deepest_type(&[0; 4096]), 1);
        assert!(
            deepest_type(&b"{\"class_name\": \"Sequential\", \"config\": [1, 2, 3.99999999]}".repeat(1000))
                < 8
        );
    }

    #[test]
    fn a_source_is_not_asked_for_ever() {
        let source = Guarded::new(&[7; 100]);
        assert_eq!(source.read_exact_at(90, 10).unwrap(), [7; 10]);
        assert!(source.read_exact_at(90, 11).is_err());
        assert!(source.read_exact_at(u64::MAX, 1).is_err());
        assert!(source.read_metadata_at(1, usize::MAX).is_err());
        // The size that was asked for last is more than the limit.
        let source = Guarded::new(&[7; 100]);
        assert!((0..1_000_000).any(|_| source.read_exact_at(0, 1).is_err()));
    }
}
