//! Conversions between element types: all 36 pairs.
//!
//! Floats lose their fraction on the way to integers and stop at their limits, NaN becomes 0; wider integers
//! keep their low bits; anything but zero, NaN too, is true.

use super::{CastKernel, unary};
use crate::isa::Isa;
use carnyx_graph::DType;

/// The conversions of one type to all types.
macro_rules! conversions {
    ($name:ident, $from:ty) => {
        #[allow(clippy::unnecessary_cast, trivial_numeric_casts, reason = "one text for all types")]
        #[allow(clippy::cast_lossless, reason = "one text for all types")]
        fn $name(isa: Isa, to: DType) -> CastKernel {
            match to {
                DType::F32 => unary(isa, |x: $from| x as f32),
                DType::F64 => unary(isa, |x: $from| x as f64),
                DType::I32 => unary(isa, |x: $from| x as i32),
                DType::I64 => unary(isa, |x: $from| x as i64),
                DType::U8 => unary(isa, |x: $from| x as u8),
                DType::Bool => unary(isa, |x: $from| u8::from(x != 0 as $from)),
            }
        }
    };
}

conversions!(from_f32, f32);
conversions!(from_f64, f64);
conversions!(from_i32, i32);
conversions!(from_i64, i64);
conversions!(from_u8, u8);

/// The step that converts elements.
pub fn cast_kernel(isa: Isa, from: DType, to: DType) -> CastKernel {
    match from {
        DType::F32 => from_f32(isa, to),
        DType::F64 => from_f64(isa, to),
        DType::I32 => from_i32(isa, to),
        DType::I64 => from_i64(isa, to),
        DType::U8 | DType::Bool => from_u8(isa, to),
    }
}
