//! The element types as numbers, for kernels that are the same for all of them.

use super::lanes::{Instructions, LANES, Lanes};

/// A number that can be added, multiplied and compared without a panic: integers wrap around.
pub(super) trait Number: Copy + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    /// Not above any number.
    const LEAST: Self;
    /// Not below any number.
    const GREATEST: Self;
    /// Sixteen of them.
    type Lanes<I: Instructions>: Lanes<Self>;

    fn plus(self, y: Self) -> Self;
    fn times(self, y: Self) -> Self;
    /// As part of a mean; integers have none, and get a truncated one.
    fn divided_by(self, n: usize) -> Self;
    fn is_not_a_number(self) -> bool;

    /// The greater; NaN if either is.
    #[inline(always)]
    fn greater(self, y: Self) -> Self {
        let greater = if self > y { self } else { y };
        if self.is_not_a_number() { self } else { greater }
    }

    /// The smaller; NaN if either is.
    #[inline(always)]
    fn smaller(self, y: Self) -> Self {
        let smaller = if self < y { self } else { y };
        if self.is_not_a_number() { self } else { smaller }
    }
}

macro_rules! float {
    ($($type:ty, $lanes:ty;)*) => { $(
        impl Number for $type {
            type Lanes<I: Instructions> = $lanes;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LEAST: Self = <$type>::NEG_INFINITY;
            const GREATEST: Self = <$type>::INFINITY;
            #[inline(always)]
            fn plus(self, y: Self) -> Self {
                self + y
            }
            #[inline(always)]
            fn times(self, y: Self) -> Self {
                self * y
            }
            #[inline(always)]
            fn divided_by(self, n: usize) -> Self {
                self / n as $type
            }
            #[inline(always)]
            fn is_not_a_number(self) -> bool {
                self.is_nan()
            }
        }
    )* };
}

macro_rules! integer {
    ($($type:ty)*) => { $(
        impl Number for $type {
            type Lanes<I: Instructions> = [$type; LANES];
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LEAST: Self = <$type>::MIN;
            const GREATEST: Self = <$type>::MAX;
            #[inline(always)]
            fn plus(self, y: Self) -> Self {
                self.wrapping_add(y)
            }
            #[inline(always)]
            fn times(self, y: Self) -> Self {
                self.wrapping_mul(y)
            }
            #[inline(always)]
            fn divided_by(self, n: usize) -> Self {
                self.checked_div(n as $type).unwrap_or(0)
            }
            #[inline(always)]
            fn is_not_a_number(self) -> bool {
                false
            }
        }
    )* };
}

float!(f32, I::Floats; f64, [f64; LANES];);
integer!(i32 i64 u8);

/// Evaluates an expression with a name for the type of elements of a `DType`; truth values are bytes.
macro_rules! with_number {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            carnyx_graph::DType::F32 => {
                type $name = f32;
                $body
            }
            carnyx_graph::DType::F64 => {
                type $name = f64;
                $body
            }
            carnyx_graph::DType::I32 => {
                type $name = i32;
                $body
            }
            carnyx_graph::DType::I64 => {
                type $name = i64;
                $body
            }
            carnyx_graph::DType::U8 | carnyx_graph::DType::Bool => {
                type $name = u8;
                $body
            }
        }
    };
}

pub(super) use with_number;
