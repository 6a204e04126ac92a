//! Along the last axis: normalised exponentials, and the place of the greatest value.
//!
//! The greatest element of a row is subtracted before anything else, so that no exponential overflows; a row
//! with a NaN, or with an infinity that is greatest, becomes NaN. Short rows are computed sixteen at a time,
//! a row in each lane; the lanes know nothing of each other. Invariant: the bits of a row depend on the row
//! and its length only.

use super::lanes::{Combine, Greatest, Instructions, LANES, Lanes, Sum};
use super::number::{Number, with_number};
use super::reduce::{Lines, fold_line};
use super::vector_math;
use super::{Vectorized, run_on};
use crate::isa::Isa;
use carnyx_graph::DType;
use std::ops::Range;

/// Rows of at most this length are computed many at a time.
const SHORT: usize = 32;

/// What becomes of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// `exp(x) / Σ exp(x)`
    Softmax,
    /// `x - ln Σ exp(x)`
    LogSoftmax,
}

/// Rows of `n` elements, normalised; `out` and `x` are as many whole rows.
pub fn normalize_f32(isa: Isa, normalize: Normalize, out: &mut [f32], x: &[f32], n: usize) {
    assert_eq!(out.len(), x.len(), "as many results as elements");
    if n == 0 {
        return;
    }
    assert_eq!(x.len() % n, 0, "whole rows of {n}");
    run_on(isa, Rows { normalize, out, x, n });
}

/// The same for `f64`, plainly.
pub fn normalize_f64(normalize: Normalize, out: &mut [f64], x: &[f64], n: usize) {
    assert_eq!(out.len(), x.len(), "as many results as elements");
    for (out, x) in out.chunks_mut(n.max(1)).zip(x.chunks(n.max(1))) {
        let greatest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = x.iter().map(|x| (x - greatest).exp()).sum();
        for (out, x) in out.iter_mut().zip(x) {
            *out = match normalize {
                Normalize::Softmax => (x - greatest).exp() / sum,
                Normalize::LogSoftmax => x - greatest - sum.ln(),
            };
        }
    }
}

struct Rows<'a> {
    normalize: Normalize,
    out: &'a mut [f32],
    x: &'a [f32],
    n: usize,
}

impl Vectorized for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Rows { normalize, out, x, n } = self;
        if n <= SHORT {
            for (out, x) in out.chunks_mut(n * LANES).zip(x.chunks(n * LANES)) {
                short_rows::<I>(normalize, out, x, n);
            }
        } else {
            for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                long_row::<I>(normalize, out, x);
            }
        }
    }
}

/// At most `LANES` rows, each in a lane. Lanes without a row hold zeros.
#[inline(always)]
fn short_rows<I: Instructions>(normalize: Normalize, out: &mut [f32], x: &[f32], n: usize) {
    let mut columns = [[0f32; LANES]; SHORT];
    let mut exponentials = [[0f32; LANES]; SHORT];
    let (columns, exponentials) = (&mut columns[..n], &mut exponentials[..n]);
    for (lane, row) in x.chunks_exact(n).enumerate() {
        columns.iter_mut().zip(row).for_each(|(column, x)| column[lane] = *x);
    }
    let greatest = fold_lanes::<I::Floats, Greatest>(columns);
    let minus_greatest = greatest.times(I::Floats::splat(-1.0));
    for column in columns.iter_mut() {
        I::Floats::load(column).plus(minus_greatest).store(column);
    }
    for (e, x) in exponentials.as_flattened_mut().iter_mut().zip(columns.as_flattened()) {
        *e = vector_math::exp::<I>(*x);
    }
    let mut sums = [0f32; LANES];
    fold_lanes::<I::Floats, Sum>(exponentials).store(&mut sums);
    // A loop whose length is not known becomes vector instructions, one of sixteen steps does not.
    let rows = &mut sums[..x.len() / n];
    let result: &[[f32; LANES]] = match normalize {
        Normalize::Softmax => {
            for sum in rows {
                *sum = 1.0 / *sum;
            }
            let factors = I::Floats::load(&sums);
            for e in exponentials.iter_mut() {
                I::Floats::load(e).times(factors).store(e);
            }
            exponentials
        }
        Normalize::LogSoftmax => {
            for sum in rows {
                *sum = -vector_math::log::<I>(*sum);
            }
            let logarithms = I::Floats::load(&sums);
            for column in columns.iter_mut() {
                I::Floats::load(column).plus(logarithms).store(column);
            }
            columns
        }
    };
    for (lane, row) in out.chunks_exact_mut(n).enumerate() {
        row.iter_mut().zip(result).for_each(|(out, column)| *out = column[lane]);
    }
}

#[inline(always)]
fn fold_lanes<L: Lanes<f32>, C: Combine>(columns: &[[f32; LANES]]) -> L {
    columns.iter().fold(L::splat(C::start()), |sum, column| C::all(sum, L::load(column)))
}

#[inline(always)]
fn long_row<I: Instructions>(normalize: Normalize, out: &mut [f32], x: &[f32]) {
    let greatest = fold_line::<I, f32, _>(x, Greatest);
    for (out, x) in out.iter_mut().zip(x) {
        *out = vector_math::exp::<I>(x - greatest);
    }
    let sum = fold_line::<I, f32, _>(out, Sum);
    match normalize {
        Normalize::Softmax => {
            let factor = 1.0 / sum;
            for out in out {
                *out *= factor;
            }
        }
        Normalize::LogSoftmax => {
            let logarithm = vector_math::log::<I>(sum);
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x - greatest - logarithm);
        }
    }
}

/// `out[line] = the index of the first greatest element`, for the lines `part`; a NaN counts as greatest.
///
/// # Safety
///
/// The processor has `isa`. `x` is aligned and valid for the lines of `dtype`, each of at least one element;
/// `out` for one `i64` per line, of which nobody else touches those of `part`; they do not overlap.
pub unsafe fn arg_max(isa: Isa, dtype: DType, out: *mut i64, x: *const u8, lines: Lines, part: Range<usize>) {
    assert!(part.end <= lines.count(), "lines {part:?} of {}", lines.count());
    with_number!(dtype, T => {
        // SAFETY: the contract.
        let out = unsafe { std::slice::from_raw_parts_mut(out.add(part.start), part.len()) };
        // SAFETY: the contract.
        let x = unsafe { std::slice::from_raw_parts(x.cast::<T>(), lines.elements()) };
        run_on(isa, ArgMax { out, x, lines, part });
    });
}

struct ArgMax<'a, T> {
    out: &'a mut [i64],
    x: &'a [T],
    lines: Lines,
    part: Range<usize>,
}

impl<T: Number> Vectorized for ArgMax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Lines { n, inner, .. } = self.lines;
        for (out, line) in self.out.iter_mut().zip(self.part) {
            let first = line / inner * n * inner + line % inner;
            let line = &self.x[first..=first + (n - 1) * inner];
            *out = if inner == 1 && n > SHORT { search::<I, T>(line) } else { walk(line, inner) } as i64;
        }
    }
}

/// Elements one after another: the greatest first, then its place.
#[inline(always)]
fn search<I: Instructions, T: Number>(line: &[T]) -> usize {
    let greatest = fold_line::<I, T, _>(line, Greatest);
    let is_it = |x: &T| *x == greatest || greatest.is_not_a_number() && x.is_not_a_number();
    line.iter().position(is_it).unwrap_or(0)
}

#[inline(always)]
fn walk<T: Number>(line: &[T], step: usize) -> usize {
    let (mut best, mut greatest) = (0, line[0]);
    for (k, x) in line.iter().step_by(step).enumerate() {
        if *x > greatest || x.is_not_a_number() && !greatest.is_not_a_number() {
            (best, greatest) = (k, *x);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 % 1013) as f32 - 500.0) * 0.02).collect()
    }

    #[test]
    fn rows_are_near_those_in_f64_and_do_not_depend_on_their_neighbours() {
        for n in [1, 2, 10, 32, 33, 100, 1000] {
            for rows in [1, 16, 37] {
                let x = numbers(rows * n);
                let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                for normalize in [Normalize::Softmax, Normalize::LogSoftmax] {
                    let mut wanted = vec![0.0; x.len()];
                    normalize_f64(normalize, &mut wanted, &wide, n);
                    for isa in Isa::available() {
                        let mut out = vec![0.0; x.len()];
                        normalize_f32(isa, normalize, &mut out, &x, n);
                        for (out, wanted) in out.iter().zip(&wanted) {
                            // A logarithm near 0 is as exact as the sum near 1 that it comes from.
                            let tolerance = if normalize == Normalize::Softmax { 1e-9 } else { 2e-7 };
                            assert!(
                                (f64::from(*out) - wanted).abs() <= 1e-6 * wanted.abs() + tolerance,
                                "{out} {wanted}"
                            );
                        }
                        let mut single = vec![0.0; n];
                        normalize_f32(isa, normalize, &mut single, &x[(rows - 1) * n..], n);
                        assert_eq!(single, out[(rows - 1) * n..], "{isa:?} {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn extreme_rows() {
        for isa in Isa::available() {
            for n in [3, 40] {
                let mut x = vec![0f32; 4 * n];
                x[0] = 1e30;
                x[n] = f32::NAN;
                x[2 * n] = f32::INFINITY;
                x[3 * n] = f32::NEG_INFINITY;
                let mut out = vec![0.0; 4 * n];
                normalize_f32(isa, Normalize::Softmax, &mut out, &x, n);
                assert_eq!(out[..2], [1.0, 0.0]);
                assert!(out[n..2 * n].iter().all(|x| x.is_nan()) && out[2 * n].is_nan());
                assert!(out[3 * n] == 0.0 && (out[3 * n + 1] - 1.0 / (n - 1) as f32).abs() < 1e-6);
                normalize_f32(isa, Normalize::LogSoftmax, &mut out, &x, n);
                assert_eq!(out[..2], [0.0, -1e30]);
                assert!(out[n].is_nan() && out[3 * n] == f32::NEG_INFINITY);
            }
        }
    }

    fn places(isa: Isa, x: &[f32], lines: Lines) -> Vec<i64> {
        let mut out = vec![-1; lines.count()];
        for part in [0..lines.count() / 2, lines.count() / 2..lines.count()] {
            // SAFETY: the sizes are those of `lines`.
            unsafe { arg_max(isa, DType::F32, out.as_mut_ptr(), x.as_ptr().cast(), lines, part) };
        }
        out
    }

    #[test]
    fn the_first_greatest() {
        for isa in Isa::available() {
            let x = [1.0, 3.0, 3.0, 5.0, f32::NAN, f32::NAN];
            assert_eq!(places(isa, &x, Lines { outer: 2, n: 3, inner: 1 }), [1, 1]);
            assert_eq!(places(isa, &x, Lines { outer: 1, n: 2, inner: 3 }), [1, 1, 1]);
            let mut long = numbers(300);
            (long[70], long[200]) = (99.0, 99.0);
            assert_eq!(places(isa, &long, Lines { outer: 1, n: 300, inner: 1 }), [70]);
            long[250] = f32::NAN;
            assert_eq!(places(isa, &long, Lines { outer: 1, n: 300, inner: 1 }), [250]);
        }
    }
}
