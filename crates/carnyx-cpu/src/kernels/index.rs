//! Entries of an axis by index: gathering, the reverse, sorting, counting.
//!
//! An index counts from the end when it is negative, and beyond the ends it means the nearest entry; an axis
//! without entries gives zeros. Arrays are seen as [`Lines`] along the axis. Invariant: what is scattered to
//! one entry is added in the order of the indices, whatever part of the entries a call computes.

use super::number::{Number, with_number};
use super::reduce::Lines;
use carnyx_graph::DType;
use std::cmp::Ordering;
use std::ops::Range;

/// Indices of any integer type.
#[derive(Clone, Copy, Debug)]
pub struct Indices {
    /// The first index, aligned.
    pub address: *const u8,
    /// `I32`, `I64` or `U8`.
    pub dtype: DType,
}

impl Indices {
    /// The entry of an axis of `size` that index `i` names; none in an axis without entries.
    ///
    /// # Safety
    ///
    /// There are more than `i` indices.
    #[inline(always)]
    unsafe fn entry(self, i: usize, size: usize) -> Option<usize> {
        // SAFETY: the caller's promise.
        let index = unsafe {
            match self.dtype {
                DType::I32 => i64::from(*self.address.cast::<i32>().add(i)),
                DType::I64 => *self.address.cast::<i64>().add(i),
                DType::U8 => i64::from(*self.address.add(i)),
                DType::F32 | DType::F64 | DType::Bool => {
                    panic!("shape inference has let {} indices pass", self.dtype)
                }
            }
        };
        let size = size as i64;
        let from_start = if index < 0 { index.saturating_add(size) } else { index };
        (size > 0).then(|| from_start.max(0).min(size - 1) as usize)
    }
}

/// `out[o, j, i] = x[o, indices[j], i]` for the entries `part` of `outer × count`, in elements of `size`
/// bytes. `lines` are those of `x`; `out` is `[outer, count, inner]`.
///
/// # Safety
///
/// `x` is valid for its lines, `indices` for `count`, `out` for the result, of which nobody else touches this
/// part; `out` overlaps neither.
pub unsafe fn gather(
    size: usize,
    out: *mut u8,
    x: *const u8,
    lines: Lines,
    (indices, count): (Indices, usize),
    part: Range<usize>,
) {
    assert!(part.end <= lines.outer * count, "entries {part:?} of {} x {count}", lines.outer);
    let bytes = lines.inner * size;
    for j in part {
        let to = out.wrapping_add(j * bytes);
        // SAFETY: an index, an entry of `x` and one of the result.
        unsafe {
            match indices.entry(j % count, lines.n) {
                Some(entry) => {
                    let from = x.add((j / count * lines.n + entry) * bytes);
                    std::ptr::copy_nonoverlapping(from, to, bytes);
                }
                None => to.write_bytes(0, bytes),
            }
        }
    }
}

/// `out = 0`, then `out[o, indices[j], i] += x[o, j, i]`, for the columns `part` of `outer × inner`. `lines`
/// are those of `out`; `x` is `[outer, count, inner]`. Truth values are joined by "or".
///
/// # Safety
///
/// `x` is aligned and valid for its elements, `indices` for `count`, `out` for its lines, of which nobody
/// else touches those of this part; `out` overlaps neither.
pub unsafe fn scatter_add(
    dtype: DType,
    out: *mut u8,
    x: *const u8,
    lines: Lines,
    (indices, count): (Indices, usize),
    part: Range<usize>,
) {
    assert!(part.end <= lines.count(), "columns {part:?} of {}", lines.count());
    let Lines { n, inner, .. } = lines;
    with_number!(dtype, T => {
        let (out, x) = (out.cast::<T>(), x.cast::<T>());
        lines.split(part, |o, columns| {
            let row = |array: *const T, row: usize| array.wrapping_add(row * inner + columns.start);
            let length = columns.len();
            for k in 0..n {
                // SAFETY: this part's columns of a row of the result.
                unsafe { std::slice::from_raw_parts_mut(row(out, o * n + k).cast_mut(), length).fill(T::ZERO) };
            }
            for j in 0..count {
                // SAFETY: there are `count` indices.
                let Some(entry) = (unsafe { indices.entry(j, n) }) else { continue };
                // SAFETY: this part's columns of a row of the result and of `x`.
                let (to, from) = unsafe {
                    let to = std::slice::from_raw_parts_mut(row(out, o * n + entry).cast_mut(), length);
                    (to, std::slice::from_raw_parts(row(x, o * count + j), length))
                };
                add(dtype, to, from);
            }
        });
    });
}

#[inline(always)]
fn add<T: Number>(dtype: DType, to: &mut [T], from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = if dtype == DType::Bool { to.greater(*from) } else { to.plus(*from) };
    }
}

/// `out[o, j, i] = x[o, indices[o, j, i], i]` for the elements `part` of `out`, in elements of `size` bytes.
/// `lines` are those of `x`; `out` and `indices` are `[outer, count, inner]`.
///
/// # Safety
///
/// As for [`gather`], with an index for each element of the result; all are aligned.
pub unsafe fn gather_along(
    size: usize,
    out: *mut u8,
    x: *const u8,
    lines: Lines,
    (indices, count): (Indices, usize),
    part: Range<usize>,
) {
    // SAFETY: the contract is passed on.
    unsafe {
        match size {
            1 => along::<u8>(out.cast(), x.cast(), lines, (indices, count), part),
            4 => along::<u32>(out.cast(), x.cast(), lines, (indices, count), part),
            _ => along::<u64>(out.cast(), x.cast(), lines, (indices, count), part),
        }
    }
}

unsafe fn along<T: Copy + Default>(
    out: *mut T,
    x: *const T,
    lines: Lines,
    (indices, count): (Indices, usize),
    part: Range<usize>,
) {
    let Lines { outer, n, inner } = lines;
    assert!(part.end <= outer * count * inner, "elements {part:?} of {outer} x {count} x {inner}");
    for at in part {
        let (o, i) = (at / (count * inner), at % inner);
        // SAFETY: an index, an element of `x` and one of the result.
        unsafe {
            *out.add(at) = match indices.entry(at, n) {
                Some(entry) => *x.add((o * n + entry) * inner + i),
                None => T::default(),
            };
        }
    }
}

/// `out = 0`, then `out[o, indices[o, j, i], i] += x[o, j, i]`, for the lines `part` of `out`, which `lines`
/// describes; `x` and `indices` are `[outer, count, inner]`. Truth values are joined by "or".
///
/// # Safety
///
/// As for [`scatter_add`], with an index for each element of `x`.
pub unsafe fn scatter_along(
    dtype: DType,
    out: *mut u8,
    x: *const u8,
    lines: Lines,
    (indices, count): (Indices, usize),
    part: Range<usize>,
) {
    assert!(part.end <= lines.count(), "lines {part:?} of {}", lines.count());
    let Lines { n, inner, .. } = lines;
    with_number!(dtype, T => {
        let (out, x) = (out.cast::<T>(), x.cast::<T>());
        for line in part {
            let (o, i) = (line / inner, line % inner);
            let element = |k: usize| out.wrapping_add((o * n + k) * inner + i);
            // SAFETY: the elements of a line of this part.
            (0..n).for_each(|k| unsafe { *element(k) = T::ZERO });
            for j in 0..count {
                let at = (o * count + j) * inner + i;
                // SAFETY: an index, an element of `x` and one of a line of this part.
                unsafe {
                    let Some(entry) = indices.entry(at, n) else { continue };
                    add(dtype, std::slice::from_mut(&mut *element(entry)), &[*x.add(at)]);
                }
            }
        }
    });
}

/// The elements of scratch memory that [`arg_sort`] needs.
pub fn arg_sort_scratch(lines: Lines) -> usize {
    lines.n
}

/// `out[line] = the indices that sort the line in ascending order`, for the lines `part`: equal elements keep
/// their order, NaN comes last.
///
/// # Safety
///
/// `x` is aligned and valid for the lines of `dtype`, `out` for as many `i64`, of which nobody else touches
/// the lines of `part`; they do not overlap.
pub unsafe fn arg_sort(
    dtype: DType,
    out: *mut i64,
    x: *const u8,
    lines: Lines,
    part: Range<usize>,
    scratch: &mut [u64],
) {
    assert!(part.end <= lines.count(), "lines {part:?} of {}", lines.count());
    let Lines { n, inner, .. } = lines;
    let scratch = &mut scratch[..n];
    for line in part {
        let first = line / inner * n * inner + line % inner;
        let place = |k: usize| first + k * inner;
        // SAFETY: the elements of a line.
        unsafe {
            match dtype {
                DType::F32 => sort_keys(scratch, |k| float_key(*x.cast::<f32>().add(place(k)))),
                DType::I32 => sort_keys(scratch, |k| (*x.cast::<i32>().add(place(k)) as u32) ^ (1 << 31)),
                DType::U8 | DType::Bool => sort_keys(scratch, |k| u32::from(*x.add(place(k)))),
                DType::F64 => sort_indices(scratch, |k| *x.cast::<f64>().add(place(k))),
                DType::I64 => sort_indices(scratch, |k| *x.cast::<i64>().add(place(k))),
            }
        }
        for (k, index) in scratch.iter().enumerate() {
            // SAFETY: an element of a line of this part.
            unsafe { *out.add(place(k)) = *index as i64 };
        }
    }
}

/// Ordered as the floats are, both zeros alike, NaN last.
fn float_key(x: f32) -> u32 {
    if x.is_nan() {
        return u32::MAX;
    }
    // -0 + 0 is 0.
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The indices in the order of their keys: both in one word, so that a plain sort is stable.
fn sort_keys(scratch: &mut [u64], key: impl Fn(usize) -> u32) {
    assert!(u32::try_from(scratch.len()).is_ok(), "a line of {} elements is too long to sort", scratch.len());
    for (k, word) in scratch.iter_mut().enumerate() {
        *word = u64::from(key(k)) << 32 | k as u64;
    }
    scratch.sort_unstable();
    for word in scratch {
        *word &= u64::from(u32::MAX);
    }
}

/// The indices in the order of their elements, which fill a word by themselves.
fn sort_indices<T: Number>(scratch: &mut [u64], element: impl Fn(usize) -> T) {
    scratch.iter_mut().enumerate().for_each(|(k, index)| *index = k as u64);
    scratch.sort_unstable_by(|i, j| {
        let (x, y) = (element(*i as usize), element(*j as usize));
        let values = match (x.is_not_a_number(), y.is_not_a_number()) {
            (false, false) => x.partial_cmp(&y).unwrap_or(Ordering::Equal),
            (x_is_nan, y_is_nan) => x_is_nan.cmp(&y_is_nan),
        };
        values.then(i.cmp(j))
    });
}

/// `out[o, k, i] = k` for the elements `part`.
///
/// # Safety
///
/// `out` is aligned and valid for the lines of `dtype`; nobody else touches the elements of `part`.
pub unsafe fn iota(dtype: DType, out: *mut u8, lines: Lines, part: Range<usize>) {
    assert!(part.end <= lines.elements(), "elements {part:?} of {}", lines.elements());
    for at in part {
        let k = at / lines.inner % lines.n;
        // SAFETY: an element of this part.
        unsafe {
            match dtype {
                DType::F32 => *out.cast::<f32>().add(at) = k as f32,
                DType::F64 => *out.cast::<f64>().add(at) = k as f64,
                DType::I32 => *out.cast::<i32>().add(at) = k as i32,
                DType::I64 => *out.cast::<i64>().add(at) = k as i64,
                DType::U8 => *out.add(at) = k as u8,
                DType::Bool => *out.add(at) = u8::from(k != 0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(of: &[i64]) -> (Indices, usize) {
        (Indices { address: of.as_ptr().cast(), dtype: DType::I64 }, of.len())
    }

    #[test]
    fn gathering_and_scattering() {
        // [2, 3, 2]
        let x: Vec<f32> = (0..12u8).map(f32::from).collect();
        let lines = Lines { outer: 2, n: 3, inner: 2 };
        let which = [-1i64, 0, 7, -9];
        let mut out = vec![0f32; 16];
        // SAFETY: 12 elements, four valid indices, 16 results, in two parts.
        unsafe {
            gather(4, out.as_mut_ptr().cast(), x.as_ptr().cast(), lines, indices(&which), 0..3);
            gather(4, out.as_mut_ptr().cast(), x.as_ptr().cast(), lines, indices(&which), 3..8);
        }
        assert_eq!(out, [4., 5., 0., 1., 4., 5., 0., 1., 10., 11., 6., 7., 10., 11., 6., 7.]);
        let mut back = vec![f32::NAN; 12];
        // SAFETY: as above.
        unsafe {
            scatter_add(
                DType::F32,
                back.as_mut_ptr().cast(),
                out.as_ptr().cast(),
                lines,
                indices(&which),
                0..1,
            );
            scatter_add(
                DType::F32,
                back.as_mut_ptr().cast(),
                out.as_ptr().cast(),
                lines,
                indices(&which),
                1..4,
            );
        }
        assert_eq!(back, [0., 2., 0., 0., 8., 10., 12., 14., 0., 0., 20., 22.]);
    }

    #[test]
    fn along_an_axis() {
        // [2, 3] by [2, 2]
        let (x, lines) = ([1i64, 2, 3, 4, 5, 6], Lines { outer: 2, n: 3, inner: 1 });
        let which = [2i64, -3, 1, 1];
        let (mut out, mut back) = ([0i64; 4], [9i64; 6]);
        let (indices, _) = indices(&which);
        // SAFETY: six elements, four indices and results.
        unsafe {
            gather_along(8, out.as_mut_ptr().cast(), x.as_ptr().cast(), lines, (indices, 2), 0..4);
            scatter_along(
                DType::I64,
                back.as_mut_ptr().cast(),
                out.as_ptr().cast(),
                lines,
                (indices, 2),
                0..2,
            );
        }
        assert_eq!(out, [3, 1, 5, 5]);
        assert_eq!(back, [1, 0, 3, 0, 10, 0]);
    }

    #[test]
    fn an_axis_without_entries_gives_zeros() {
        let (x, mut out) = ([0f32; 0], [1f32; 2]);
        let lines = Lines { outer: 1, n: 0, inner: 1 };
        // SAFETY: two indices and results, nothing to read.
        unsafe { gather(4, out.as_mut_ptr().cast(), x.as_ptr().cast(), lines, indices(&[0, 1]), 0..2) };
        assert_eq!(out, [0.0, 0.0]);
    }

    fn sorted<T>(dtype: DType, x: &[T], lines: Lines) -> Vec<i64> {
        let mut out = vec![-1; x.len()];
        let mut scratch = vec![0; arg_sort_scratch(lines)];
        // SAFETY: the sizes are those of `lines`.
        unsafe {
            arg_sort(dtype, out.as_mut_ptr(), x.as_ptr().cast(), lines, 0..lines.count(), &mut scratch);
        }
        out
    }

    #[test]
    fn sorting_is_stable_and_puts_nan_last() {
        let x = [2.0f32, f32::NAN, -0.0, 0.0, f32::NEG_INFINITY, -f32::NAN, 2.0, f32::INFINITY];
        let line = Lines { outer: 1, n: 8, inner: 1 };
        assert_eq!(sorted(DType::F32, &x, line), [4, 2, 3, 0, 6, 7, 1, 5]);
        assert_eq!(sorted(DType::F64, &x.map(f64::from), line), [4, 2, 3, 0, 6, 7, 1, 5]);
        assert_eq!(
            sorted(DType::I32, &[3i32, -5, 3, 0, 1, 2], Lines { outer: 2, n: 3, inner: 1 }),
            [1, 0, 2, 0, 1, 2]
        );
        assert_eq!(
            sorted(DType::I64, &[3i64, -5, 3, 0, 1, 2], Lines { outer: 1, n: 3, inner: 2 }),
            [2, 0, 0, 1, 1, 2]
        );
        assert_eq!(sorted(DType::Bool, &[1u8, 0, 1, 0], Lines { outer: 1, n: 4, inner: 1 }), [1, 3, 0, 2]);
    }

    #[test]
    fn counting() {
        let mut out = [0i32; 6];
        // SAFETY: six elements.
        unsafe { iota(DType::I32, out.as_mut_ptr().cast(), Lines { outer: 1, n: 3, inner: 2 }, 0..6) };
        assert_eq!(out, [0, 0, 1, 1, 2, 2]);
    }
}
