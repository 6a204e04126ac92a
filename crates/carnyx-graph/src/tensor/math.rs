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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Tensor};
    /// let pixels = Tensor::from(Array::from([0u8, 128, 255]));
    /// assert_eq!((pixels.cast(DType::F32) / 255.0).dtype(), DType::F32);
    /// ```
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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let error = Tensor::input("prediction", [3]) - Tensor::input("target", [3]);
    /// assert_eq!(error.square().mean().shape().to_string(), "[]");
    /// ```
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self.binary(Binary::Mul, self)
    }

    /// `1 / √x`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let (mean, variance) = x.moments();
    /// let normal = (&x - mean) * (variance + 1e-5).rsqrt();
    /// assert_eq!(normal.shape(), x.shape());
    /// ```
    #[track_caller]
    pub fn rsqrt(&self) -> Tensor {
        Tensor::scalar(1f32).binary(Binary::Div, self.unary(Unary::Sqrt))
    }

    /// `1 / x`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// assert_eq!(Tensor::scalar(8f32).reciprocal().dtype(), DType::F32);
    /// let whole = Tensor::iota([3], 0, DType::I64); // the reciprocals would not be
    /// assert_eq!(whole.reciprocal().check().unwrap_err().code(), "dtype");
    /// ```
    #[track_caller]
    pub fn reciprocal(&self) -> Tensor {
        Tensor::scalar(1f32).binary(Binary::Div, self)
    }

    /// `max(x, 0)`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let hidden = Tensor::input("x", [300]).relu();
    /// assert_eq!(format!("{hidden:?}"), "maximum f32[batch, 300]");
    /// ```
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        self.binary(Binary::Maximum, 0f32)
    }

    /// `ln(1 + e^x)`, without overflow.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let log_sigmoid = -(-&x).softplus(); // finite where `x.sigmoid().log()` is not
    /// assert_eq!(log_sigmoid.shape(), x.shape());
    /// ```
    #[track_caller]
    pub fn softplus(&self) -> Tensor {
        // max(x, 0) + ln(1 + e^-|x|), with -|x| written so that the gradient at 0 is right too.
        self.relu() + (-self).minimum(self).exp().log1p()
    }

    /// `tan x`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let angle = Tensor::from(Array::from([0.0f64, 0.5]));
    /// assert_eq!(format!("{:?}", angle.tan()), "div f64[2]"); // sin / cos
    /// ```
    #[track_caller]
    pub fn tan(&self) -> Tensor {
        self.sin() / self.cos()
    }

    /// The nearest value between `low` and `high`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let probability = Tensor::input("probability", [10]).clip(1e-7, 1.0 - 1e-7);
    /// assert_eq!(probability.log().shape().to_string(), "[batch, 10]");
    /// ```
    #[track_caller]
    pub fn clip(&self, low: impl Into<Tensor>, high: impl Into<Tensor>) -> Tensor {
        self.binary(Binary::Maximum, low).binary(Binary::Minimum, high)
    }

    /// `self + (to - self) · share`: the way to `to`, by a share of it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let average = Variable::from(Array::from([0f32, 0.0]));
    /// let mean = Tensor::input("x", [2]).mean_along(0);
    /// let moved = Tensor::read(&average).lerp(&mean, 0.01); // 1 % of the way
    /// assert_eq!(moved.shape().to_string(), "[2]");
    /// ```
    #[track_caller]
    pub fn lerp(&self, to: &Tensor, share: impl Into<Tensor>) -> Tensor {
        self + (to - self) * share.into()
    }

    /// Whether `x > y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let is_positive = Tensor::input("x", [4]).greater(0.0);
    /// assert_eq!(is_positive.dtype(), DType::Bool);
    /// ```
    #[track_caller]
    pub fn greater(&self, other: impl Into<Tensor>) -> Tensor {
        other.into().binary(Binary::Less, self)
    }

    /// Whether `x ≥ y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Tensor};
    /// let label = Tensor::from(Array::from([false, true]));
    /// let is_right = Tensor::from(Array::from([0.2f32, 0.9])).greater_equal(0.5).equal(label);
    /// let accuracy = is_right.cast(DType::F32).mean();
    /// assert_eq!(format!("{accuracy:?}"), "reduce_mean f32[]");
    /// ```
    #[track_caller]
    pub fn greater_equal(&self, other: impl Into<Tensor>) -> Tensor {
        other.into().binary(Binary::LessEqual, self)
    }

    /// Zeros of this tensor's shape and type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let counts = Tensor::from(Array::from([[1i64, 2], [3, 4]]));
    /// assert_eq!(counts.zeros_like().facts()?, counts.facts()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        self.full_like(0.0)
    }

    /// Ones of this tensor's shape and type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let count = x.ones_like().sum_along(0); // the size of the batch, which nobody knows yet
    /// assert_eq!(count.shape().to_string(), "[4]");
    /// ```
    #[track_caller]
    pub fn ones_like(&self) -> Tensor {
        self.full_like(1.0)
    }

    /// `value` in every element, with this tensor's shape and type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert_eq!(x.full_like(0.5).facts()?, x.facts()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let error = Tensor::input("prediction", [1]) - Tensor::input("target", [1]);
    /// assert_eq!(error.abs().mean().rank(), 0); // the mean absolute error
    /// ```
    abs Abs;
    /// -1, 0 or 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let change = Tensor::from(Array::from([-3i64, 0, 5]));
    /// assert_eq!(format!("{:?}", change.sign()), "sign i64[3]");
    /// ```
    sign Sign;
    /// `e^x`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let rate = Tensor::input("log_rate", [1]).exp();
    /// assert_eq!(format!("{rate:?}"), "exp f32[batch, 1]");
    /// ```
    exp Exp;
    /// `e^x - 1`, exact near 0.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let target = Tensor::input("log1p_of_price", [1]).expm1(); // undoes `log1p`
    /// assert_eq!(format!("{target:?}"), "expm1 f32[batch, 1]");
    /// ```
    expm1 Expm1;
    /// Natural logarithm.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let entropy = |p: &Tensor| -(p * p.log()).sum_along(-1);
    /// assert_eq!(entropy(&Tensor::input("p", [10])).shape().to_string(), "[batch]");
    /// ```
    log Log;
    /// `ln(1 + x)`, exact near 0.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let prices = Tensor::from(Array::from([0.0f32, 1e6])).log1p();
    /// assert_eq!(format!("{prices:?}"), "log1p f32[2]");
    /// ```
    log1p Log1p;
    /// Square root.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let deviation = Tensor::input("x", [4]).variance_along(0).sqrt();
    /// assert_eq!(format!("{deviation:?}"), "sqrt f32[4]");
    /// ```
    sqrt Sqrt;
    /// Sine.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let position = Tensor::iota([50], 0, DType::F32);
    /// assert_eq!(format!("{:?}", (position / 100.0).sin()), "sin f32[50]");
    /// ```
    sin Sin;
    /// Cosine.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// assert!(Tensor::scalar(0.5f32).cos().check().is_ok());
    /// assert_eq!(Tensor::scalar(1i64).cos().check().unwrap_err().code(), "dtype"); // floats only
    /// ```
    cos Cos;
    /// Hyperbolic tangent.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let hidden = Tensor::input("x", [32]).tanh();
    /// assert_eq!(format!("{hidden:?}"), "tanh f32[batch, 32]");
    /// ```
    tanh Tanh;
    /// `1 / (1 + e^-x)`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let probability = Tensor::input("logit", [1]).sigmoid();
    /// assert_eq!(format!("{probability:?}"), "sigmoid f32[batch, 1]");
    /// ```
    sigmoid Sigmoid;
    /// Error function: `2/√π ∫₀ˣ e^-t² dt`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let gelu = &x * ((&x / 2f64.sqrt()).erf() + 1.0) * 0.5;
    /// assert_eq!(gelu.shape(), x.shape());
    /// ```
    erf Erf;
    /// Greatest integer not above.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let bin = (Tensor::input("age", [1]) / 10.0).floor().cast(DType::I64);
    /// assert_eq!(bin.dtype(), DType::I64); // `floor` alone leaves floats
    /// ```
    floor Floor;
    /// Least integer not below.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// assert_eq!(format!("{:?}", Tensor::scalar(1.2f64).ceil()), "ceil f64[]");
    /// ```
    ceil Ceil;
    /// Nearest integer, halves to even.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let level = (Tensor::input("share", [1]) * 255.0).round().cast(DType::U8);
    /// assert_eq!(level.dtype(), DType::U8);
    /// ```
    round Round;
    /// Whether a value is not a number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let filled = x.is_nan().select(0.0, &x);
    /// assert_eq!(filled.facts()?, x.facts()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    is_nan IsNan;
    /// Whether a value is neither infinite nor NaN.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let is_usable = Tensor::input("x", [4]).is_finite().all_along(-1);
    /// assert_eq!(format!("{is_usable:?}"), "cast bool[batch]");
    /// ```
    is_finite IsFinite;
    /// Logical not.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// assert_eq!(Tensor::scalar(true).logical_not().dtype(), DType::Bool);
    /// assert!(Tensor::scalar(1i64).logical_not().is_invalid()); // truth values only
    /// ```
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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let leaky = |x: &Tensor| x.maximum(x * 0.01);
    /// assert_eq!(leaky(&Tensor::input("x", [4])).shape().to_string(), "[batch, 4]");
    /// ```
    maximum Maximum;
    /// The smaller of both; NaN if either is.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let relu6 = Tensor::input("x", [4]).relu().minimum(6.0); // the number takes the tensor's type
    /// assert_eq!(format!("{relu6:?}"), "minimum f32[batch, 4]");
    /// ```
    minimum Minimum;
    /// `x` to the power of `y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let cube = Tensor::input("x", [4]).pow(3.0);
    /// assert_eq!(format!("{cube:?}"), "pow f32[batch, 4]");
    /// ```
    pow Pow;
    /// Whether `x == y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let classes = Tensor::input("scores", [10]).arg_max(-1);
    /// let is_seven = classes.equal(7i64);
    /// assert_eq!(format!("{is_seven:?}"), "equal bool[batch]");
    /// ```
    equal Equal;
    /// Whether `x != y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Tensor};
    /// let words = Tensor::from(Array::from([5i64, 2, 0, 0]));
    /// let mask = words.not_equal(0i64); // `true` where there is a word
    /// assert_eq!(mask.dtype(), DType::Bool);
    /// ```
    not_equal NotEqual;
    /// Whether `x < y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Tensor};
    /// let (row, column) = (Tensor::from(Array::from([[0i64], [1], [2]])), Tensor::iota([3], 0, DType::I64));
    /// let is_above_diagonal = row.less(column); // both broadcast
    /// assert_eq!(format!("{is_above_diagonal:?}"), "less bool[3, 3]");
    /// ```
    less Less;
    /// Whether `x ≤ y`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let is_close = Tensor::input("error", [1]).abs().less_equal(1e-3);
    /// assert_eq!(is_close.dtype(), DType::Bool);
    /// ```
    less_equal LessEqual;
    /// Whether both are true.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let is_between = x.greater(0.0).logical_and(x.less(1.0));
    /// assert_eq!(format!("{is_between:?}"), "and bool[batch, 4]");
    /// ```
    logical_and And;
    /// Whether at least one is true.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let is_extreme = x.less(-3.0).logical_or(x.greater(3.0));
    /// assert_eq!(format!("{is_extreme:?}"), "or bool[batch, 4]");
    /// ```
    logical_or Or;
    /// Whether exactly one is true.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let (a, b) = (Tensor::from(Array::from([true, false])), Tensor::from(Array::from([true, true])));
    /// assert_eq!(format!("{:?}", a.logical_xor(b)), "xor bool[2]");
    /// ```
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
