//! Sixteen numbers at once: explicit vectors for reductions, where the compiler, left alone, takes four
//! lanes.
//!
//! On 512 floats in the nearest cache that is worth a factor of four (AVX-512, 2026). Only floats have
//! vectors of their own; other types are arrays, of which the compiler makes what it can. Invariant: each
//! lane computes what [`Number`] does for single numbers, to the bit.

use super::number::Number;
use super::vector_math::{Arithmetic, Separate};

/// The number of lanes, on every processor: results do not depend on it.
pub(super) const LANES: usize = 16;

/// The instructions that a copy of a kernel is compiled for.
pub(super) trait Instructions: Arithmetic {
    /// Sixteen floats.
    type Floats: Lanes<f32>;
}

/// Sixteen numbers.
pub(super) trait Lanes<T>: Copy {
    fn splat(x: T) -> Self;
    fn load(from: &[T; LANES]) -> Self;
    fn store(self, to: &mut [T; LANES]);
    fn plus(self, y: Self) -> Self;
    fn times(self, y: Self) -> Self;
    /// The greater; NaN if either is.
    fn greater(self, y: Self) -> Self;
    /// The smaller; NaN if either is.
    fn smaller(self, y: Self) -> Self;
}

impl<T: Number> Lanes<T> for [T; LANES] {
    #[inline(always)]
    fn splat(x: T) -> Self {
        [x; LANES]
    }
    #[inline(always)]
    fn load(from: &[T; LANES]) -> Self {
        *from
    }
    #[inline(always)]
    fn store(self, to: &mut [T; LANES]) {
        *to = self;
    }
    #[inline(always)]
    fn plus(self, y: Self) -> Self {
        std::array::from_fn(|i| self[i].plus(y[i]))
    }
    #[inline(always)]
    fn times(self, y: Self) -> Self {
        std::array::from_fn(|i| self[i].times(y[i]))
    }
    #[inline(always)]
    fn greater(self, y: Self) -> Self {
        std::array::from_fn(|i| self[i].greater(y[i]))
    }
    #[inline(always)]
    fn smaller(self, y: Self) -> Self {
        std::array::from_fn(|i| self[i].smaller(y[i]))
    }
}

impl Instructions for Separate {
    type Floats = [f32; LANES];
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

/// Only [`run_on`](super::run_on) names these instruction sets, inside functions that enable them, on
/// processors that have them: that is what each block below rests on.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Arithmetic, Instructions, LANES, Lanes};
    use crate::kernels::vector_math::Fused;
    use std::arch::x86_64::*;

    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512;
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2;

    impl Arithmetic for Avx512 {
        #[inline(always)]
        fn mul_add(x: f32, y: f32, z: f32) -> f32 {
            Fused::mul_add(x, y, z)
        }
    }

    impl Arithmetic for Avx2 {
        #[inline(always)]
        fn mul_add(x: f32, y: f32, z: f32) -> f32 {
            Fused::mul_add(x, y, z)
        }
    }

    impl Instructions for Avx512 {
        type Floats = __m512;
    }

    impl Instructions for Avx2 {
        type Floats = [__m256; 2];
    }

    impl Lanes<f32> for __m512 {
        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: the processor has the instruction.
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            // SAFETY: the processor has the instruction; the array has 16 floats.
            unsafe { _mm512_loadu_ps(from.as_ptr()) }
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            // SAFETY: the processor has the instruction; the array has 16 floats.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self) }
        }
        #[inline(always)]
        fn plus(self, y: Self) -> Self {
            // SAFETY: the processor has the instruction.
            unsafe { _mm512_add_ps(self, y) }
        }
        #[inline(always)]
        fn times(self, y: Self) -> Self {
            // SAFETY: the processor has the instruction.
            unsafe { _mm512_mul_ps(self, y) }
        }
        #[inline(always)]
        fn greater(self, y: Self) -> Self {
            // SAFETY: the processor has the instructions. The maximum is `y` where either is NaN.
            unsafe {
                let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self, self);
                _mm512_mask_blend_ps(is_nan, _mm512_max_ps(self, y), self)
            }
        }
        #[inline(always)]
        fn smaller(self, y: Self) -> Self {
            // SAFETY: the processor has the instructions. The minimum is `y` where either is NaN.
            unsafe {
                let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self, self);
                _mm512_mask_blend_ps(is_nan, _mm512_min_ps(self, y), self)
            }
        }
    }

    impl Lanes<f32> for [__m256; 2] {
        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: the processor has the instruction.
            unsafe { [_mm256_set1_ps(x); 2] }
        }
        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            // SAFETY: the processor has the instruction; the array has two times 8 floats.
            unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from[8..].as_ptr())] }
        }
        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            // SAFETY: the processor has the instruction; the array has two times 8 floats.
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), self[0]);
                _mm256_storeu_ps(to[8..].as_mut_ptr(), self[1]);
            }
        }
        #[inline(always)]
        fn plus(self, y: Self) -> Self {
            // SAFETY: the processor has the instruction.
            unsafe { [_mm256_add_ps(self[0], y[0]), _mm256_add_ps(self[1], y[1])] }
        }
        #[inline(always)]
        fn times(self, y: Self) -> Self {
            // SAFETY: the processor has the instruction.
            unsafe { [_mm256_mul_ps(self[0], y[0]), _mm256_mul_ps(self[1], y[1])] }
        }
        #[inline(always)]
        fn greater(self, y: Self) -> Self {
            // SAFETY: the processor has the instruction.
            let greatest = unsafe { [_mm256_max_ps(self[0], y[0]), _mm256_max_ps(self[1], y[1])] };
            keep_nan(self, greatest)
        }
        #[inline(always)]
        fn smaller(self, y: Self) -> Self {
            // SAFETY: the processor has the instruction.
            let smallest = unsafe { [_mm256_min_ps(self[0], y[0]), _mm256_min_ps(self[1], y[1])] };
            keep_nan(self, smallest)
        }
    }

    /// `y`, but `x` where that is NaN: the extremes of the processor forget it.
    #[inline(always)]
    fn keep_nan(x: [__m256; 2], y: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: the processor has the instructions.
        let keep = |x, y| unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)) };
        [keep(x[0], y[0]), keep(x[1], y[1])]
    }
}

/// How two numbers, or sixteen pairs, become one.
pub(super) trait Combine: Copy {
    fn start<T: Number>() -> T;
    fn one<T: Number>(x: T, y: T) -> T;
    fn all<T: Number, L: Lanes<T>>(x: L, y: L) -> L;
}

#[derive(Clone, Copy)]
pub(super) struct Sum;
#[derive(Clone, Copy)]
pub(super) struct Product;
#[derive(Clone, Copy)]
pub(super) struct Greatest;
#[derive(Clone, Copy)]
pub(super) struct Smallest;

macro_rules! combine {
    ($name:ident, $start:ident, $function:ident) => {
        impl Combine for $name {
            #[inline(always)]
            fn start<T: Number>() -> T {
                T::$start
            }
            #[inline(always)]
            fn one<T: Number>(x: T, y: T) -> T {
                x.$function(y)
            }
            #[inline(always)]
            fn all<T: Number, L: Lanes<T>>(x: L, y: L) -> L {
                x.$function(y)
            }
        }
    };
}

combine!(Sum, ZERO, plus);
combine!(Product, ONE, times);
combine!(Greatest, LEAST, greater);
combine!(Smallest, GREATEST, smaller);
