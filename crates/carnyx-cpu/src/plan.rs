//! Liveness → offsets: values that are never needed at the same time share memory.

use crate::memory::LINE;

/// A value that needs memory from its first step to its last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Bytes it needs.
    pub bytes: usize,
    /// The step that writes it first.
    pub first: usize,
    /// The last step that reads it.
    pub last: usize,
}

/// An offset for each lifetime, and the length of the whole: the largest values first, each at the lowest offset
/// that is free during its life.
///
/// # Example
/// ```
/// use carnyx_cpu::plan::{Lifetime, assign_offsets};
/// let a = Lifetime { bytes: 640, first: 0, last: 1 };
/// let b = Lifetime { bytes: 640, first: 1, last: 2 };
/// let c = Lifetime { bytes: 640, first: 2, last: 3 };
/// let (offsets, bytes) = assign_offsets(&[a, b, c]);
/// assert_eq!(bytes, 1280, "a and c share their memory");
/// assert_eq!(offsets[0], offsets[2]);
/// ```
pub fn assign_offsets(lifetimes: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lifetimes[i].bytes), i));
    let mut offsets = vec![0; lifetimes.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut end = 0;
    for i in order {
        let value = lifetimes[i];
        let bytes = value.bytes.next_multiple_of(LINE);
        let overlaps = |j: &&usize| lifetimes[**j].first <= value.last && value.first <= lifetimes[**j].last;
        let mut offset = 0;
        // `placed` is sorted by offset: the first gap that is wide enough is the lowest.
        for &j in placed.iter().filter(overlaps) {
            if offsets[j] >= offset + bytes {
                break;
            }
            offset = offset.max(offsets[j] + lifetimes[j].bytes.next_multiple_of(LINE));
        }
        offsets[i] = offset;
        end = end.max(offset + bytes);
        let position = placed.partition_point(|&j| offsets[j] <= offset);
        placed.insert(position, i);
    }
    (offsets, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_live_together_never_overlap() {
        let mut seed = 7u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((seed >> 33) % below) as usize
        };
        let lifetimes: Vec<Lifetime> = (0..200)
            .map(|_| {
                let first = next(100);
                Lifetime { bytes: next(5000), first, last: first + next(20) }
            })
            .collect();
        let (offsets, end) = assign_offsets(&lifetimes);
        for (i, a) in lifetimes.iter().enumerate() {
            assert!(offsets[i] % LINE == 0 && offsets[i] + a.bytes <= end);
            for (j, b) in lifetimes.iter().enumerate().skip(i + 1) {
                let together = a.first <= b.last && b.first <= a.last;
                let apart = offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i];
                assert!(!together || apart, "{i} and {j} overlap");
            }
        }
    }
}
