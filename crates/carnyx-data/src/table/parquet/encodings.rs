//! How values are written in pages: plain, and as runs of small integers.

use super::compact::varint;
use super::{Column, Physical};
use std::borrow::Cow;

/// Small integers, written as runs of one value and as groups of eight that are packed bit by bit.
pub(super) struct Runs<'b> {
    rest: &'b [u8],
    width: u32,
    /// What is left of the current run: how many values, and which, or where they are packed.
    left: u64,
    current: Run<'b>,
}

enum Run<'b> {
    Of(u32),
    Packed { bytes: &'b [u8], bit: usize },
}

impl<'b> Runs<'b> {
    /// `None`, if integers of so many bits cannot be.
    pub(super) fn new(rest: &'b [u8], width: u32) -> Option<Runs<'b>> {
        (width <= 32).then_some(Runs { rest, width, left: 0, current: Run::Of(0) })
    }

    pub(super) fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            self.start()?;
        }
        self.left -= 1;
        match &mut self.current {
            Run::Of(value) => Some(*value),
            Run::Packed { bytes, bit } => {
                let first = *bit / 8;
                // Five bytes hold any 32 bits, wherever they begin.
                let window = (0..5).rev().fold(0u64, |window, i| {
                    window << 8 | u64::from(bytes.get(first + i).copied().unwrap_or(0))
                });
                let value = window >> (*bit % 8) & ((1u64 << self.width) - 1);
                *bit += self.width as usize;
                (*bit <= bytes.len() * 8).then_some(value as u32)
            }
        }
    }

    fn start(&mut self) -> Option<()> {
        let (head, rest) = varint(self.rest)?;
        if head & 1 == 1 {
            let groups = head >> 1;
            let wanted = usize::try_from(groups.checked_mul(u64::from(self.width))?).ok()?;
            // Writers may cut the last group short.
            let (bytes, rest) = rest.split_at(wanted.min(rest.len()));
            (self.left, self.rest) = (groups.checked_mul(8)?, rest);
            self.current = Run::Packed { bytes, bit: 0 };
        } else {
            let (bytes, rest) = rest.split_at_checked(self.width.div_ceil(8) as usize)?;
            let value = bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
            (self.left, self.rest) = (head >> 1, rest);
            self.current = Run::Of(value);
        }
        Some(())
    }
}

/// Values one after the other, as text.
pub(super) struct Plain<'b, 'c> {
    rest: &'b [u8],
    column: &'c Column,
    /// Truth values that were read already of the first byte.
    bit: u32,
}

impl<'b, 'c> Plain<'b, 'c> {
    pub(super) fn new(rest: &'b [u8], column: &'c Column) -> Plain<'b, 'c> {
        Plain { rest, column, bit: 0 }
    }

    /// The next value; `None`, if there is none or it is no text.
    pub(super) fn next(&mut self) -> Option<Cow<'b, str>> {
        let column = self.column;
        Some(match column.kind {
            Physical::Boolean => {
                let byte = self.rest.first()?;
                let value = byte >> self.bit & 1 == 1;
                self.bit = (self.bit + 1) % 8;
                if self.bit == 0 {
                    self.rest = &self.rest[1..];
                }
                truth(value)
            }
            Physical::Int32 if column.is_unsigned => u32::from_le_bytes(self.take()?).to_string().into(),
            Physical::Int64 if column.is_unsigned => u64::from_le_bytes(self.take()?).to_string().into(),
            Physical::Int32 => decimal(i64::from(i32::from_le_bytes(self.take()?)), column.scale).into(),
            Physical::Int64 => decimal(i64::from_le_bytes(self.take()?), column.scale).into(),
            // `{:?}` writes as few digits as tell the number from all others, and a point.
            Physical::Float => match f32::from_le_bytes(self.take()?) {
                missing if missing.is_nan() => Cow::Borrowed(""),
                number => format!("{number:?}").into(),
            },
            Physical::Double => match f64::from_le_bytes(self.take()?) {
                missing if missing.is_nan() => Cow::Borrowed(""),
                number => format!("{number:?}").into(),
            },
            Physical::Bytes => {
                let length = u32::from_le_bytes(self.take()?) as usize;
                let (text, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                Cow::Borrowed(std::str::from_utf8(text).ok()?)
            }
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }
}

pub(super) fn truth<'b>(value: bool) -> Cow<'b, str> {
    Cow::Borrowed(if value { "true" } else { "false" })
}

/// An integer whose last `scale` digits are decimal places.
fn decimal(number: i64, scale: usize) -> String {
    if scale == 0 {
        return number.to_string();
    }
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, places) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{places}", if number < 0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(bytes: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
        let mut runs = Runs::new(bytes, width)?;
        (0..count).map(|_| runs.next()).collect()
    }

    #[test]
    fn runs_and_packed_groups() {
        assert_eq!(runs(&[8, 7], 3, 4), Some(vec![7; 4]));
        // The example of the format's description: 0 to 7 in three bits each.
        assert_eq!(runs(&[3, 0b1000_1000, 0b1100_0110, 0b1111_1010], 3, 8), Some((0..8).collect()));
        assert_eq!(runs(&[4, 1, 3, 0b0101_0101], 1, 10), Some(vec![1, 1, 1, 0, 1, 0, 1, 0, 1, 0]));
        assert_eq!(runs(&[6], 0, 3), Some(vec![0; 3]));
        assert_eq!(runs(&[8, 7], 3, 5), None);
        assert_eq!(runs(&[3, 1], 8, 2), None);
        assert_eq!(runs(&[0; 20], 1, 1), None);
        assert_eq!(runs(&[2, 0, 0, 0, 0, 1], 33, 1), None);
    }

    #[test]
    fn decimal_places() {
        let all =
            [(0, 0), (5, 1), (-5, 2), (12345, 2), (-12345, 5)].map(|(number, scale)| decimal(number, scale));
        assert_eq!(all, ["0", "0.5", "-0.05", "123.45", "-0.12345"]);
    }
}
