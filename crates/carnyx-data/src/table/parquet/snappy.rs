//! Unpacking Snappy: pieces of text, and copies of what was unpacked before.
//!
//! Reference: <https://github.com/google/snappy/blob/main/format_description.txt>.

use super::compact::varint;

/// The unpacked bytes, which must be `size`; `None`, if the packed ones are damaged.
pub(super) fn unpack(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let (claimed, mut rest) = varint(packed)?;
    if claimed != size as u64 {
        return None;
    }
    // 64 bytes from three is the most that a piece can give.
    let mut bytes = Vec::with_capacity(size.min(packed.len().saturating_mul(22)));
    while let Some((&tag, after)) = rest.split_first() {
        let length = usize::from(tag >> 2);
        let (piece, offset);
        (piece, offset, rest) = match tag & 3 {
            0 => {
                let extra = length.saturating_sub(59);
                let (number, after) = little(after, extra)?;
                let length = if extra == 0 { length + 1 } else { number.checked_add(1)? };
                let (text, after) = after.split_at_checked(length)?;
                if bytes.len() + length > size {
                    return None;
                }
                bytes.extend_from_slice(text);
                (0, 0, after)
            }
            1 => {
                let (low, after) = little(after, 1)?;
                ((length & 7) + 4, usize::from(tag >> 5) << 8 | low, after)
            }
            kind => {
                let (offset, after) = little(after, if kind == 2 { 2 } else { 4 })?;
                (length + 1, offset, after)
            }
        };
        if piece > 0 {
            let from =
                bytes.len().checked_sub(offset).filter(|_| offset > 0 && bytes.len() + piece <= size)?;
            // A copy may reach into itself, and then repeats.
            (from..from + piece).for_each(|i| bytes.push(bytes[i]));
        }
    }
    (bytes.len() == size).then_some(bytes)
}

/// A number of `count` bytes, at most four, the lowest first.
fn little(bytes: &[u8], count: usize) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_at_checked(count)?;
    Some((number.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_copies() {
        assert_eq!(unpack(&[0], 0).unwrap(), b"");
        assert_eq!(unpack(&[3, 2 << 2, b'a', b'b', b'c'], 3).unwrap(), b"abc");
        // "ab", then 6 bytes from 2 back: a copy that reaches into itself.
        assert_eq!(unpack(&[8, 1 << 2, b'a', b'b', 5 << 2 | 2, 2, 0], 8).unwrap(), b"abababab");
        assert_eq!(unpack(&[6, 1 << 2, b'a', b'b', 1, 2], 6).unwrap(), b"ababab");
        let mut long = vec![200, 1, 60 << 2, 199];
        long.extend([7; 200]);
        assert_eq!(unpack(&long, 200).unwrap(), [7; 200]);
    }

    #[test]
    fn damage_is_found() {
        for (packed, size) in [
            (&[][..], 0),
            (&[3, 2 << 2, b'a', b'b'], 3),
            (&[3, 2 << 2, b'a', b'b', b'c'], 4),
            (&[4, 2 << 2, b'a', b'b', b'c'], 4),
            (&[2, 2 << 2, b'a', b'b', b'c'], 2),
            (&[8, 1 << 2, b'a', b'b', 5 << 2 | 2, 3, 0], 8),
            (&[8, 1 << 2, b'a', b'b', 5 << 2 | 2, 0, 0], 8),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f, 63 << 2, 0xff, 0xff, 0xff, 0xff], 0xffff_ffff),
        ] {
            assert_eq!(unpack(packed, size), None, "{packed:?}");
        }
    }
}
