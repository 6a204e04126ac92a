//! Values along an axis become one, or running sums.
//!
//! An array is seen as [`Lines`]: `outer × n × inner` elements, of which the `n` of a line are reduced.
//! Reductions over several axes are several such [`passes`]. A kernel computes a range of the `outer × inner`
//! results. Sums are taken in many lanes, or in blocks of 32, so that rounding errors grow with the length of
//! neither.
//!
//! Invariant: the order in which a line is reduced depends on the shape only. A long line of its own is cut
//! into [`PARTIAL`] elements by whoever wants it shared: [`reduce_partials`], then [`reduce_combined`].

use super::lanes::{Combine, Greatest, Instructions, LANES, Lanes, Product, Smallest, Sum};
use super::number::{Number, with_number};
use super::{Vectorized, run_on};
use crate::isa::Isa;
use carnyx_graph::DType;
use carnyx_graph::op::Reduce;
use std::ops::Range;

/// An array as lines along one axis: element `k` of line `(o, i)` lies at `(o * n + k) * inner + i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The product of the sizes before the axis.
    pub outer: usize,
    /// The length of a line.
    pub n: usize,
    /// The product of the sizes after the axis.
    pub inner: usize,
}

impl Lines {
    /// The lines of an array of `sizes` along `axis`.
    pub fn along(sizes: &[usize], axis: usize) -> Lines {
        let product = |sizes: &[usize]| sizes.iter().product();
        Lines { outer: product(&sizes[..axis]), n: sizes[axis], inner: product(&sizes[axis + 1..]) }
    }

    /// The number of lines.
    pub fn count(self) -> usize {
        self.outer * self.inner
    }

    /// The number of elements.
    pub fn elements(self) -> usize {
        self.count() * self.n
    }

    /// Calls `visit(o, columns)` for the lines `part`, those of one `o` together.
    #[inline(always)]
    pub(super) fn split(self, part: Range<usize>, mut visit: impl FnMut(usize, Range<usize>)) {
        let mut at = part.start;
        while at < part.end {
            let (o, column) = (at / self.inner, at % self.inner);
            let end = self.inner.min(column + part.end - at);
            visit(o, column..end);
            at += end - column;
        }
    }
}

/// The reductions along one axis that together reduce `axes` of an array of `sizes`: each works on the
/// results of the one before. There is at least one, which may be a copy. A mean is the mean of means.
pub fn passes(sizes: &[usize], axes: &[usize]) -> Vec<Lines> {
    // Adjacent axes of one kind as one: (is reduced, size).
    let mut groups: Vec<(bool, usize)> = Vec::new();
    for (axis, &size) in sizes.iter().enumerate().filter(|(_, size)| **size != 1) {
        let reduced = axes.contains(&axis);
        match groups.last_mut() {
            Some(group) if group.0 == reduced => group.1 *= size,
            _ => groups.push((reduced, size)),
        }
    }
    let mut passes = Vec::new();
    // The longest first, because it leaves the least to the others.
    while let Some((at, _)) =
        groups.iter().enumerate().filter(|(_, group)| group.0).max_by_key(|(_, group)| group.1)
    {
        let sizes: Vec<usize> = groups.iter().map(|group| group.1).collect();
        passes.push(Lines::along(&sizes, at));
        groups.remove(at);
    }
    if passes.is_empty() {
        passes.push(Lines { outer: sizes.iter().product(), n: 1, inner: 1 });
    }
    passes
}

/// `out[line] = reduction of the line`, for the lines `part`. Of nothing: 0, 1, the least or the greatest
/// number, and NaN as mean.
///
/// # Safety
///
/// The processor has `isa`. `x` is aligned and valid for the lines, `out` for one element of `dtype` per
/// line, of which nobody else touches those of `part`; they do not overlap.
pub unsafe fn reduce(
    isa: Isa,
    reduce: Reduce,
    dtype: DType,
    out: *mut u8,
    x: *const u8,
    lines: Lines,
    part: Range<usize>,
) {
    assert!(part.end <= lines.count(), "lines {part:?} of {}", lines.count());
    with_number!(dtype, T => {
        let (out, x) = (out.cast::<T>().wrapping_add(part.start), x.cast::<T>());
        // SAFETY: the contract.
        let out = unsafe { std::slice::from_raw_parts_mut(out, part.len()) };
        // SAFETY: the contract.
        let x = unsafe { std::slice::from_raw_parts(x, lines.elements()) };
        reduce_lines(isa, reduce, out, x, lines, part);
        if reduce == Reduce::Mean {
            for sum in out {
                *sum = sum.divided_by(lines.n);
            }
        }
    });
}

/// Elements of a partial result of a long line.
pub const PARTIAL: usize = 16 << 10;

/// `out[p] = reduction of elements p * PARTIAL ..` of a line of `n`, for the partial results `part` of
/// `n.div_ceil(PARTIAL)`; sums where the reduction is a mean.
///
/// # Safety
///
/// As for [`reduce`], with one element of `out` per partial result.
pub unsafe fn reduce_partials(
    isa: Isa,
    reduce: Reduce,
    dtype: DType,
    out: *mut u8,
    x: *const u8,
    n: usize,
    part: Range<usize>,
) {
    assert!(part.end <= n.div_ceil(PARTIAL), "partial results {part:?} of {n} elements");
    with_number!(dtype, T => {
        // SAFETY: the contract.
        let x = unsafe { std::slice::from_raw_parts(x.cast::<T>(), n) };
        for p in part {
            let line = &x[p * PARTIAL..n.min((p + 1) * PARTIAL)];
            // SAFETY: the contract.
            let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<T>().add(p), 1) };
            reduce_lines(isa, reduce, out, line, Lines { outer: 1, n: line.len(), inner: 1 }, 0..1);
        }
    });
}

/// `out[0] = the reduction of a line of n elements` from its partial results.
///
/// # Safety
///
/// As for [`reduce`], with one element of `x` per partial result.
pub unsafe fn reduce_combined(isa: Isa, reduce: Reduce, dtype: DType, out: *mut u8, x: *const u8, n: usize) {
    with_number!(dtype, T => {
        // SAFETY: the contract.
        let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<T>(), 1) };
        // SAFETY: the contract.
        let x = unsafe { std::slice::from_raw_parts(x.cast::<T>(), n.div_ceil(PARTIAL)) };
        reduce_lines(isa, reduce, out, x, Lines { outer: 1, n: x.len(), inner: 1 }, 0..1);
        if reduce == Reduce::Mean {
            out[0] = out[0].divided_by(n);
        }
    });
}

/// Reductions, and sums instead of means.
fn reduce_lines<T: Number>(
    isa: Isa,
    reduce: Reduce,
    out: &mut [T],
    x: &[T],
    lines: Lines,
    part: Range<usize>,
) {
    match reduce {
        Reduce::Sum | Reduce::Mean => run_on(isa, Fold { out, x, lines, part, combine: Sum }),
        Reduce::Prod => run_on(isa, Fold { out, x, lines, part, combine: Product }),
        Reduce::Max => run_on(isa, Fold { out, x, lines, part, combine: Greatest }),
        Reduce::Min => run_on(isa, Fold { out, x, lines, part, combine: Smallest }),
    }
}

struct Fold<'a, T, C> {
    out: &'a mut [T],
    x: &'a [T],
    lines: Lines,
    part: Range<usize>,
    combine: C,
}

impl<T: Number, C: Combine> Vectorized for Fold<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Fold { out, x, lines, part, combine } = self;
        let Lines { n, inner, .. } = lines;
        if inner == 1 {
            for (out, line) in out.iter_mut().zip(part) {
                *out = fold_line::<I, T, C>(&x[line * n..][..n], combine);
            }
            return;
        }
        let mut out = out;
        lines.split(part, |o, columns| {
            let x = &x[o * n * inner..][..n * inner];
            let (to, rest) = std::mem::take(&mut out).split_at_mut(columns.len());
            out = rest;
            fold_columns::<I, T, C>(to, x, columns.start, inner);
        });
    }
}

/// Vectors that are reduced side by side, so that the processor need not wait for any.
const GROUPS: usize = 4;
/// Elements of a lane, or rows, that are reduced on their own before they join the others.
const BLOCK: usize = 32;

/// One value from a line: lane `l` of 64 takes elements `l`, `l + 64`, …, and the lanes are combined
/// pairwise. Lines of fewer than 16 are reduced in order.
#[inline(always)]
pub(super) fn fold_line<I: Instructions, T: Number, C: Combine>(line: &[T], _combine: C) -> T {
    if line.len() < LANES {
        return line.iter().fold(C::start(), |sum, x| C::one(sum, *x));
    }
    let (parts, rest) = line.as_chunks::<LANES>();
    let mut lanes = fold_vectors::<T, T::Lanes<I>, C>(parts);
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = C::one(*lane, *x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = C::one(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn fold_vectors<T: Number, L: Lanes<T>, C: Combine>(parts: &[[T; LANES]]) -> [T; LANES] {
    let (groups, parts) = parts.as_chunks::<GROUPS>();
    let mut total = [L::splat(C::start()); GROUPS];
    for block in groups.chunks(BLOCK) {
        let mut sums = [L::splat(C::start()); GROUPS];
        for group in block {
            for i in 0..GROUPS {
                sums[i] = C::all(sums[i], L::load(&group[i]));
            }
        }
        for i in 0..GROUPS {
            total[i] = C::all(total[i], sums[i]);
        }
    }
    for (total, part) in total.iter_mut().zip(parts) {
        *total = C::all(*total, L::load(part));
    }
    let [a, b, c, d] = total;
    let mut lanes = [C::start(); LANES];
    C::all(C::all(a, b), C::all(c, d)).store(&mut lanes);
    lanes
}

/// One value from each column of a matrix with rows of `inner`: those from `first` on, as many as `out` has.
#[inline(always)]
fn fold_columns<I: Instructions, T: Number, C: Combine>(out: &mut [T], x: &[T], first: usize, inner: usize) {
    let width = out.len();
    let mut at = 0;
    while width - at >= GROUPS * LANES {
        fold_block::<T, T::Lanes<I>, C, GROUPS>(&mut out[at..], x, first + at, inner);
        at += GROUPS * LANES;
    }
    while width - at >= LANES {
        fold_block::<T, T::Lanes<I>, C, 1>(&mut out[at..], x, first + at, inner);
        at += LANES;
    }
    if at < width && width >= LANES {
        // The last columns, some of them for the second time: a column does not depend on its neighbours.
        let at = width - LANES;
        fold_block::<T, T::Lanes<I>, C, 1>(&mut out[at..], x, first + at, inner);
    } else {
        fold_narrow::<T, C>(&mut out[at..], x, first + at, inner);
    }
}

/// The first `GROUPS * LANES` of `out`.
#[inline(always)]
fn fold_block<T: Number, L: Lanes<T>, C: Combine, const GROUPS: usize>(
    out: &mut [T],
    x: &[T],
    column: usize,
    inner: usize,
) {
    let mut total = [L::splat(C::start()); GROUPS];
    for rows in x.chunks(BLOCK * inner) {
        let mut sums = [L::splat(C::start()); GROUPS];
        for row in rows.chunks_exact(inner) {
            let (row, _) = row[column..][..GROUPS * LANES].as_chunks::<LANES>();
            for i in 0..GROUPS {
                sums[i] = C::all(sums[i], L::load(&row[i]));
            }
        }
        for i in 0..GROUPS {
            total[i] = C::all(total[i], sums[i]);
        }
    }
    let (out, _) = out.as_chunks_mut::<LANES>();
    total.iter().zip(out).for_each(|(total, out)| total.store(out));
}

/// Fewer columns than lanes.
#[inline(always)]
fn fold_narrow<T: Number, C: Combine>(out: &mut [T], x: &[T], column: usize, inner: usize) {
    let width = out.len();
    out.fill(C::start());
    for rows in x.chunks(BLOCK * inner) {
        let mut sums = [C::start(); LANES];
        for row in rows.chunks_exact(inner) {
            for (sum, x) in sums.iter_mut().zip(&row[column..][..width]) {
                *sum = C::one(*sum, *x);
            }
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = C::one(*out, sum));
    }
}

/// `out[k] = x[0] + … + x[k]` along each of the lines `part`.
///
/// # Safety
///
/// `x` and `out` are aligned and valid for the lines of `dtype`; nobody else touches those of `part` in
/// `out`; they do not overlap.
pub unsafe fn cumulative_sum(dtype: DType, out: *mut u8, x: *const u8, lines: Lines, part: Range<usize>) {
    assert!(part.end <= lines.count(), "lines {part:?} of {}", lines.count());
    let Lines { n, inner, .. } = lines;
    with_number!(dtype, T => {
        let (out, x) = (out.cast::<T>(), x.cast::<T>());
        lines.split(part, |o, columns| {
            for k in 0..n {
                for i in columns.clone() {
                    let at = (o * n + k) * inner + i;
                    // SAFETY: an element of one of this part's lines, and the one before it.
                    unsafe {
                        let before = if k == 0 { T::ZERO } else { *out.add(at - inner) };
                        *out.add(at) = before.plus(*x.add(at));
                    }
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Reduce; 5] = [Reduce::Sum, Reduce::Mean, Reduce::Max, Reduce::Min, Reduce::Prod];

    fn reduced(isa: Isa, op: Reduce, x: &[f32], lines: Lines, parts: &[Range<usize>]) -> Vec<f32> {
        assert_eq!(x.len(), lines.elements());
        let mut out = vec![f32::NAN; lines.count()];
        for part in parts {
            // SAFETY: the sizes are those of `lines`.
            unsafe {
                reduce(isa, op, DType::F32, out.as_mut_ptr().cast(), x.as_ptr().cast(), lines, part.clone());
            }
        }
        out
    }

    fn plain(op: Reduce, x: &[f32], lines: Lines) -> Vec<f64> {
        let line = |line: usize| {
            let (o, i) = (line / lines.inner, line % lines.inner);
            let values = (0..lines.n).map(|k| f64::from(x[(o * lines.n + k) * lines.inner + i]));
            match op {
                Reduce::Sum => values.sum(),
                Reduce::Mean => values.sum::<f64>() / lines.n as f64,
                Reduce::Max => values.fold(f64::NEG_INFINITY, f64::max),
                Reduce::Min => values.fold(f64::INFINITY, f64::min),
                Reduce::Prod => values.product(),
            }
        };
        (0..lines.count()).map(line).collect()
    }

    #[test]
    fn parts_and_whole_are_near_the_plain_sum() {
        for (outer, n, inner) in
            [(5, 10, 1), (3, 1000, 1), (1, 32, 300), (2, 300, 7), (4, 3, 65), (1, 1, 5), (2, 0, 3)]
        {
            let lines = Lines { outer, n, inner };
            let x: Vec<f32> =
                (0..lines.elements()).map(|i| 1.0 + ((i * 37 % 101) as f32 - 50.0) * 0.002).collect();
            let count = lines.count();
            for isa in Isa::available() {
                for op in ALL {
                    let whole = reduced(isa, op, &x, lines, std::slice::from_ref(&(0..count)));
                    let parts =
                        reduced(isa, op, &x, lines, &[0..count / 3, count / 3..count / 2, count / 2..count]);
                    for (i, wanted) in plain(op, &x, lines).into_iter().enumerate() {
                        assert_eq!(whole[i].to_bits(), parts[i].to_bits());
                        let near = (f64::from(whole[i]) - wanted).abs() <= 1e-5 * wanted.abs();
                        assert!(
                            near || f64::from(whole[i]) == wanted || n == 0 && wanted.is_nan(),
                            "{op:?} {lines:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn extremes_of_lines_with_nan_are_nan() {
        let mut x = vec![1.0f32; 200];
        x[77] = f32::NAN;
        for isa in Isa::available() {
            for op in [Reduce::Max, Reduce::Min] {
                let rows =
                    reduced(isa, op, &x, Lines { outer: 2, n: 100, inner: 1 }, std::slice::from_ref(&(0..2)));
                assert!(rows[0].is_nan() && rows[1] == 1.0);
                let columns = reduced(
                    isa,
                    op,
                    &x,
                    Lines { outer: 1, n: 2, inner: 100 },
                    std::slice::from_ref(&(0..100)),
                );
                assert!(columns[77].is_nan() && columns[76] == 1.0);
            }
        }
    }

    #[test]
    fn long_lines_in_partial_results() {
        let n = 5 * PARTIAL + 123;
        let x: Vec<f32> = (0..n).map(|i| 0.1 + (i % 7) as f32).collect();
        let exact = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n as f64;
        let (mut partials, mut mean) = ([0f32; 6], 0f32);
        let to: *mut u8 = partials.as_mut_ptr().cast();
        // SAFETY: `n` elements, six partial results, one result.
        unsafe {
            for part in [3..6, 0..3] {
                reduce_partials(Isa::detect(), Reduce::Mean, DType::F32, to, x.as_ptr().cast(), n, part);
            }
            reduce_combined(Isa::detect(), Reduce::Mean, DType::F32, (&raw mut mean).cast(), to, n);
        }
        assert!((f64::from(mean) - exact).abs() < 1e-6 * exact, "{mean} is not {exact}");
    }

    #[test]
    fn several_axes_are_several_passes() {
        let lines = |outer, n, inner| Lines { outer, n, inner };
        assert_eq!(passes(&[32, 300], &[0]), [lines(1, 32, 300)]);
        assert_eq!(passes(&[4, 5, 6], &[0, 1, 2]), [lines(1, 120, 1)]);
        assert_eq!(passes(&[4, 5, 6], &[0, 2]), [lines(20, 6, 1), lines(1, 4, 5)]);
        assert_eq!(passes(&[4, 1, 6], &[1]), [lines(24, 1, 1)]);
        assert_eq!(passes(&[], &[]), [lines(1, 1, 1)]);
    }

    #[test]
    fn integers_and_running_sums() {
        let x = [1i64, 2, 3, 4, 5, 6];
        let mut out = [0i64; 6];
        let lines = Lines { outer: 1, n: 2, inner: 3 };
        // SAFETY: six elements each.
        unsafe { cumulative_sum(DType::I64, out.as_mut_ptr().cast(), x.as_ptr().cast(), lines, 0..3) };
        assert_eq!(out, [1, 2, 3, 5, 7, 9]);
        // SAFETY: as above, and three results.
        unsafe {
            reduce(
                Isa::detect(),
                Reduce::Max,
                DType::I64,
                out.as_mut_ptr().cast(),
                x.as_ptr().cast(),
                lines,
                0..3,
            );
        }
        assert_eq!(out[..3], [4, 5, 6]);
    }
}
