//! Functions of one and two numbers, as the operations define them.

use crate::kernels::vector_math::erf_f64;
use carnyx_graph::DType;
use carnyx_graph::op::{Binary, Unary};

/// An integer as its type keeps it.
pub(super) fn wrapped(x: i64, dtype: DType) -> i64 {
    match dtype {
        DType::I32 => i64::from(x as i32),
        DType::U8 => i64::from(x as u8),
        DType::Bool => i64::from(x != 0),
        DType::I64 | DType::F32 | DType::F64 => x,
    }
}

/// Functions from floats to floats.
pub(super) fn unary_float(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign if x > 0.0 => 1.0,
        Unary::Sign if x < 0.0 => -1.0,
        Unary::Sign => x,
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Sqrt => x.sqrt(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Erf => erf_f64(x),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Not | Unary::IsNan | Unary::IsFinite => panic!("{op:?} of a float is not a float"),
    }
}

/// Functions from integers to integers.
pub(super) fn unary_integer(op: Unary, x: i64) -> i64 {
    match op {
        Unary::Neg => x.wrapping_neg(),
        Unary::Abs => x.wrapping_abs(),
        Unary::Sign => x.signum(),
        Unary::Not => i64::from(x == 0),
        Unary::Exp
        | Unary::Expm1
        | Unary::Log
        | Unary::Log1p
        | Unary::Sqrt
        | Unary::Sin
        | Unary::Cos
        | Unary::Tanh
        | Unary::Sigmoid
        | Unary::Erf
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::IsNan
        | Unary::IsFinite => panic!("{op:?} is not defined on integers"),
    }
}

/// Functions from two floats to one.
pub(super) fn binary_float(op: Binary, x: f64, y: f64) -> f64 {
    match op {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Rem => {
            let r = x % y;
            if r == 0.0 {
                0.0_f64.copysign(y)
            } else if (r < 0.0) != (y < 0.0) {
                r + y
            } else {
                r
            }
        }
        Binary::Pow => x.powf(y),
        Binary::Maximum | Binary::Minimum if x.is_nan() || y.is_nan() => f64::NAN,
        Binary::Maximum => x.max(y),
        Binary::Minimum => x.min(y),
        Binary::Equal
        | Binary::NotEqual
        | Binary::Less
        | Binary::LessEqual
        | Binary::And
        | Binary::Or
        | Binary::Xor => panic!("{op:?} of floats is not a float"),
    }
}

/// Functions from two integers or truth values to one.
pub(super) fn binary_integer(op: Binary, x: i64, y: i64) -> i64 {
    match op {
        Binary::Add => x.wrapping_add(y),
        Binary::Sub => x.wrapping_sub(y),
        Binary::Mul => x.wrapping_mul(y),
        Binary::Div | Binary::Rem if y == 0 => 0,
        Binary::Div => x.wrapping_div(y),
        Binary::Rem => {
            let r = x.wrapping_rem(y);
            if r != 0 && (r < 0) != (y < 0) { r + y } else { r }
        }
        Binary::Pow => power(x, y),
        Binary::Maximum => x.max(y),
        Binary::Minimum => x.min(y),
        Binary::And => x & y,
        Binary::Or => x | y,
        Binary::Xor => x ^ y,
        Binary::Equal | Binary::NotEqual | Binary::Less | Binary::LessEqual => {
            panic!("{op:?} is a comparison, whatever the type")
        }
    }
}

/// A negative exponent gives 0, unless the base is 1 or -1.
fn power(x: i64, y: i64) -> i64 {
    let odd = y % 2 != 0;
    match x {
        0 | 1 if y > 0 => x,
        1 => 1,
        -1 => {
            if odd {
                -1
            } else {
                1
            }
        }
        _ if y < 0 => 0,
        _ => {
            // x^y = (x²)^(y/2) · x^(y mod 2), everything modulo 2^64.
            let (mut product, mut square, mut rest) = (1i64, x, y);
            while rest > 0 {
                if rest % 2 == 1 {
                    product = product.wrapping_mul(square);
                }
                square = square.wrapping_mul(square);
                rest /= 2;
            }
            product
        }
    }
}

/// Comparisons, of floats as of integers.
pub(super) fn compared<T: PartialOrd>(op: Binary, x: T, y: T) -> bool {
    match op {
        Binary::Equal => x == y,
        Binary::NotEqual => x != y,
        Binary::Less => x < y,
        Binary::LessEqual => x <= y,
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Div
        | Binary::Rem
        | Binary::Pow
        | Binary::Maximum
        | Binary::Minimum
        | Binary::And
        | Binary::Or
        | Binary::Xor => panic!("{op:?} is not a comparison"),
    }
}
