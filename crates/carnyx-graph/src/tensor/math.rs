//! Functions element by element: arithmetic, comparison, logic, selection, and the smooth functions.

use super::Tensor;
use crate::op::{Binary, Op, Unary};
use crate::{Array, DType, Error, Shape};
use std::ops;

/// The word for "this operation on two tensors", as errors say it.
fn verb(op: Binary) -> &'static str {
    match op {
        Binary::Add => "add",
        Binary::Sub => "subtract",
        Binary::Mul => "multiply",
        Binary::Div => "divide",
        Binary::Rem => "take the remainder of",
        Binary::Pow => "raise to a power",
        Binary::Maximum
        | Binary::Minimum
        | Binary::Equal
        | Binary::NotEqual
        | Binary::Less
        | Binary::LessEqual => "compare",
        Binary::And | Binary::Or | Binary::Xor => "combine",
    }
}

/// A constant number takes the type of its partner: `x * 2.0` works for any float `x`.
fn adapt(number: &Tensor, partner: &Tensor) -> Option<Tensor> {
    let Op::Constant(array) = number.op() else { return None };
    let dtype = partner.dtype();
    let fits = dtype.is_float() || (array.dtype().is_integer() && dtype.is_integer());
    (array.shape().is_empty() && array.dtype() != DType::Bool && fits)
        .then(|| Tensor::constant(&array.cast(dtype)))
}

/// Both tensors with one type and one shape.
#[track_caller]
fn align(action: &str, x: &Tensor, y: &Tensor) -> Result<(Tensor, Tensor), Error> {
    let (x_facts, y_facts) = (x.facts()?, y.facts()?);
    let (mut x, mut y) = (x.clone(), y.clone());
    if x_facts.dtype != y_facts.dtype {
        if let Some(adapted) = adapt(&y, &x) {
            y = adapted;
        } else if let Some(adapted) = adapt(&x, &y) {
            x = adapted;
        }
    }
    let (from, to) = (x.shape(), y.shape());
    if from == to {
        return Ok((x, y));
    }
    // A closure would be its own caller.
    let site = std::panic::Location::caller();
    let shape = from.broadcast(&to).ok_or_else(|| {
        Error::new("shape", format!("cannot {action} {from} and {to}"))
            .label("these shapes do not broadcast")
            .at(site)
    })?;
    Ok((x.broadcast_if_needed(&shape), y.broadcast_if_needed(&shape)))
}

impl Tensor {
    #[track_caller]
    pub(crate) fn unary(&self, op: Unary) -> Tensor {
        Tensor::node(Op::Unary(op), vec![self.clone()])
    }

    #[track_caller]
    pub(crate) fn binary(&self, op: Binary, other: impl Into<Tensor>) -> Tensor {
        match align(verb(op), self, &other.into()) {
            Ok((x, y)) => Tensor::node(Op::Binary(op), vec![x, y]),
            Err(error) => Tensor::invalid(error),
        }
    }

    #[track_caller]
    fn broadcast_if_needed(&self, shape: &Shape) -> Tensor {
        if self.shape() == *shape {
            self.clone()
        } else {
            Tensor::node(Op::Broadcast(shape.clone()), vec![self.clone()])
        }
    }

    /// The elements converted to another type: floats truncate to integers, anything but zero is `true`.
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype { self.clone() } else { Tensor::node(Op::Cast(dtype), vec![self.clone()]) }
    }

    /// `x` where this tensor of truth values is `true`, `y` elsewhere; all three broadcast.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(&Array::from([-1.0f32, 2.0]));
    /// let positive = x.greater(0.0).select(&x, 0.0);
    /// assert_eq!(positive.shape().to_string(), "[2]");
    /// ```
    #[track_caller]
    pub fn select(&self, x: impl Into<Tensor>, y: impl Into<Tensor>) -> Tensor {
        let (x, y) = match align("select from", &x.into(), &y.into()) {
            Ok(pair) => pair,
            Err(error) => return Tensor::invalid(error),
        };
        let Some(shape) = self.shape().broadcast(&x.shape()).filter(|_| !self.is_invalid()) else {
            return Tensor::node(Op::Select, vec![self.clone(), x, y]);
        };
        let aligned = [self, &x, &y].map(|t| t.broadcast_if_needed(&shape));
        Tensor::node(Op::Select, aligned.to_vec())
    }

    /// `x²`.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self.binary(Binary::Mul, self)
    }

    /// `1 / √x`.
    #[track_caller]
    pub fn rsqrt(&self) -> Tensor {
        Tensor::scalar(1f32).binary(Binary::Div, self.unary(Unary::Sqrt))
    }

    /// `1 / x`.
    #[track_caller]
    pub fn reciprocal(&self) -> Tensor {
        Tensor::scalar(1f32).binary(Binary::Div, self)
    }

    /// `max(x, 0)`.
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        self.binary(Binary::Maximum, 0f32)
    }

    /// `ln(1 + e^x)`, without overflow.
    #[track_caller]
    pub fn softplus(&self) -> Tensor {
        // max(x, 0) + ln(1 + e^-|x|), with -|x| written so that the gradient at 0 is right too.
        self.relu() + (-self).minimum(self).exp().log1p()
    }

    /// `tan x`.
    #[track_caller]
    pub fn tan(&self) -> Tensor {
        self.sin() / self.cos()
    }

    /// The nearest value between `low` and `high`.
    #[track_caller]
    pub fn clip(&self, low: impl Into<Tensor>, high: impl Into<Tensor>) -> Tensor {
        self.binary(Binary::Maximum, low).binary(Binary::Minimum, high)
    }

    /// `self + (to - self) · share`: the way to `to`, by a share of it.
    #[track_caller]
    pub fn lerp(&self, to: &Tensor, share: impl Into<Tensor>) -> Tensor {
        self + (to - self) * share.into()
    }

    /// Whether `x > y`.
    #[track_caller]
    pub fn greater(&self, other: impl Into<Tensor>) -> Tensor {
        other.into().binary(Binary::Less, self)
    }

    /// Whether `x ≥ y`.
    #[track_caller]
    pub fn greater_equal(&self, other: impl Into<Tensor>) -> Tensor {
        other.into().binary(Binary::LessEqual, self)
    }

    /// Zeros of this tensor's shape and type.
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        self.full_like(0.0)
    }

    /// Ones of this tensor's shape and type.
    #[track_caller]
    pub fn ones_like(&self) -> Tensor {
        self.full_like(1.0)
    }

    /// `value` in every element, with this tensor's shape and type.
    #[track_caller]
    pub fn full_like(&self, value: f64) -> Tensor {
        match self.facts() {
            Ok(facts) => {
                let number = Tensor::constant(&Array::scalar(value).cast(facts.dtype));
                number.broadcast_if_needed(&facts.shape).in_mode(self.mode())
            }
            Err(error) => Tensor::invalid(error),
        }
    }
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $method:ident $op:ident;)*) => {
        impl Tensor { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self) -> Tensor {
                self.unary(Unary::$op)
            }
        )* }
    };
}

unary_methods! {
    /// `|x|`.
    abs Abs;
    /// -1, 0 or 1.
    sign Sign;
    /// `e^x`.
    exp Exp;
    /// `e^x - 1`, exact near 0.
    expm1 Expm1;
    /// Natural logarithm.
    log Log;
    /// `ln(1 + x)`, exact near 0.
    log1p Log1p;
    /// Square root.
    sqrt Sqrt;
    /// Sine.
    sin Sin;
    /// Cosine.
    cos Cos;
    /// Hyperbolic tangent.
    tanh Tanh;
    /// `1 / (1 + e^-x)`.
    sigmoid Sigmoid;
    /// Error function: `2/√π ∫₀ˣ e^-t² dt`.
    erf Erf;
    /// Greatest integer not above.
    floor Floor;
    /// Least integer not below.
    ceil Ceil;
    /// Nearest integer, halves to even.
    round Round;
    /// Whether a value is not a number.
    is_nan IsNan;
    /// Whether a value is neither infinite nor NaN.
    is_finite IsFinite;
    /// Logical not.
    logical_not Not;
}

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $method:ident $op:ident;)*) => {
        impl Tensor { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self, other: impl Into<Tensor>) -> Tensor {
                self.binary(Binary::$op, other)
            }
        )* }
    };
}

binary_methods! {
    /// The greater of both; NaN if either is.
    maximum Maximum;
    /// The smaller of both; NaN if either is.
    minimum Minimum;
    /// `x` to the power of `y`.
    pow Pow;
    /// Whether `x == y`.
    equal Equal;
    /// Whether `x != y`.
    not_equal NotEqual;
    /// Whether `x < y`.
    less Less;
    /// Whether `x ≤ y`.
    less_equal LessEqual;
    /// Whether both are true.
    logical_and And;
    /// Whether at least one is true.
    logical_or Or;
    /// Whether exactly one is true.
    logical_xor Xor;
}

macro_rules! operators {
    ($($trait:ident $method:ident $op:ident;)*) => { $(
        impl<R: Into<Tensor>> ops::$trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                self.binary(Binary::$op, other)
            }
        }
        impl<R: Into<Tensor>> ops::$trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor {
                self.binary(Binary::$op, other)
            }
        }
        // One float and one integer type on the left, so that `1.0 - x` leaves nothing to guess.
        operators!(@number $trait $method $op f64 i64);
    )* };
    (@number $trait:ident $method:ident $op:ident $($number:ty)*) => { $(
        impl ops::$trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::scalar(self).binary(Binary::$op, other)
            }
        }
        impl ops::$trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::scalar(self).binary(Binary::$op, other)
            }
        }
    )* };
}

operators! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
    Rem rem Rem;
}

impl ops::Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.unary(Unary::Neg)
    }
}

impl ops::Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.unary(Unary::Neg)
    }
}
