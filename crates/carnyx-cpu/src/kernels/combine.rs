//! The partial sums of a matrix product become its result.
//!
//! Invariant: partial sums are added in their order, whoever adds which part.

use super::vector_math::Arithmetic;
use super::{Vectorized, run_on};
use crate::isa::Isa;

/// What becomes of the sum of an element's partial sums.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// It is the result.
    Store,
    /// `sum + bias[column]`
    Bias(&'a [f32]),
    /// `max(sum + bias[column], 0)`; a NaN stays a NaN
    BiasRelu(&'a [f32]),
}

/// `out[i] = finish(partials[0][i] + partials[1][i] + …)` for whole rows of `n`; partial sums lie `stride` apart,
/// and `partials` begins at the first of these rows.
pub fn combine(isa: Isa, out: &mut [f32], partials: &[f32], stride: usize, n: usize, finish: Finish) {
    assert_eq!(out.len() % n, 0, "whole rows of {n}");
    assert!(out.len() <= stride, "{} elements of partial sums of {stride}", out.len());
    if let Finish::Bias(bias) | Finish::BiasRelu(bias) = finish {
        assert_eq!(bias.len(), n, "a bias for each column");
    }
    run_on(isa, Combine { out, partials, stride, n, finish });
}

struct Combine<'a> {
    out: &'a mut [f32],
    partials: &'a [f32],
    stride: usize,
    n: usize,
    finish: Finish<'a>,
}

impl Vectorized for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Combine { out, partials, stride, n, finish } = self;
        let length = out.len();
        out.copy_from_slice(&partials[..length]);
        for partial in partials.chunks(stride).skip(1) {
            for (sum, partial) in out.iter_mut().zip(&partial[..length]) {
                *sum += partial;
            }
        }
        for row in out.chunks_mut(n) {
            match finish {
                Finish::Store => {}
                Finish::Bias(bias) => row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias),
                Finish::BiasRelu(bias) => row.iter_mut().zip(bias).for_each(|(x, bias)| {
                    let sum = *x + bias;
                    *x = if sum < 0.0 { 0.0 } else { sum };
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_sums_are_added_in_order_and_finished() {
        let partials: Vec<f32> = (0..18).map(|i| i as f32 - 9.0).collect();
        for isa in Isa::available() {
            let mut out = [0.0; 6];
            combine(isa, &mut out, &partials, 6, 3, Finish::BiasRelu(&[0.0, 1.0, 20.0]));
            // Element i is (i - 9) + (i - 3) + (i + 3) + bias, or 0.
            assert_eq!(out, [0.0, 0.0, 17.0, 0.0, 4.0, 26.0]);
            // The second row alone.
            let mut row = [0.0; 3];
            combine(isa, &mut row, &partials[3..], 6, 3, Finish::Store);
            assert_eq!(row, [0.0, 3.0, 6.0]);
        }
    }
}
