//! The closed set of operations. Adding one is a variant here; the compiler then lists the places that must learn
//! of it: `infer`, `gradient`, the reference interpreter and each executor's lowering.
//!
//! Element-wise operations take operands of one shape: broadcasting is an operation of its own, so that nothing
//! downstream has to know its rules. Invariant: an operation is pure; equal operands give equal results (random
//! numbers depend on their address and on the run's seed and step only).

use crate::{Array, DType, Shape, Variable};
use std::fmt;
use std::sync::Arc;

/// Functions of one number, element by element.
///
/// # Example
/// ```
/// use carnyx_graph::{Op, Tensor, op::Unary};
/// let x = Tensor::input("x", [4]);
/// assert!(matches!(x.log1p().op(), Op::Unary(Unary::Log1p)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `-x`
    Neg,
    /// `|x|`
    Abs,
    /// -1, 0 or 1
    Sign,
    /// `e^x`
    Exp,
    /// `e^x - 1`, exact near 0
    Expm1,
    /// natural logarithm
    Log,
    /// `ln(1 + x)`, exact near 0
    Log1p,
    /// square root
    Sqrt,
    /// sine
    Sin,
    /// cosine
    Cos,
    /// hyperbolic tangent
    Tanh,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// error function
    Erf,
    /// greatest integer not above
    Floor,
    /// least integer not below
    Ceil,
    /// nearest integer, halves to even
    Round,
    /// logical not
    Not,
    /// whether the value is not a number
    IsNan,
    /// whether the value is neither infinite nor NaN
    IsFinite,
}

/// Functions of two numbers, element by element.
///
/// # Example
/// ```
/// use carnyx_graph::{Op, Tensor, op::Binary};
/// let x = Tensor::input("x", [4]);
/// assert!(matches!((x + 1.0).op(), Op::Binary(Binary::Add)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `x + y`
    Add,
    /// `x - y`
    Sub,
    /// `x * y`
    Mul,
    /// `x / y`
    Div,
    /// remainder with the sign of `y`, as in Python
    Rem,
    /// `x ^ y`
    Pow,
    /// the greater; NaN if either is
    Maximum,
    /// the smaller; NaN if either is
    Minimum,
    /// `x == y`
    Equal,
    /// `x != y`
    NotEqual,
    /// `x < y`
    Less,
    /// `x <= y`
    LessEqual,
    /// logical and
    And,
    /// logical or
    Or,
    /// exactly one of both
    Xor,
}

impl Binary {
    /// Whether the result is a truth value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::op::Binary;
    /// assert!(Binary::Less.is_comparison() && !Binary::Maximum.is_comparison());
    /// ```
    pub fn is_comparison(self) -> bool {
        matches!(self, Binary::Equal | Binary::NotEqual | Binary::Less | Binary::LessEqual)
    }

    /// Whether the operands are truth values.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::op::Binary;
    /// assert!(Binary::And.is_logical() && !Binary::Equal.is_logical());
    /// ```
    pub fn is_logical(self) -> bool {
        matches!(self, Binary::And | Binary::Or | Binary::Xor)
    }
}

/// How values along axes become one.
///
/// # Example
/// ```
/// use carnyx_graph::{Op, Tensor, op::Reduce};
/// let x = Tensor::input("x", [4]);
/// assert!(matches!(x.mean_along(0).op(), Op::Reduce(Reduce::Mean, axes) if *axes == [0]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// the sum; 0 of nothing
    Sum,
    /// the sum divided by the count
    Mean,
    /// the greatest; NaN if any is
    Max,
    /// the smallest; NaN if any is
    Min,
    /// the product; 1 of nothing
    Prod,
}

/// Where random numbers come from.
///
/// # Example
/// ```
/// use carnyx_graph::{Address, Distribution, Tensor};
/// let kernel = Tensor::random(Distribution::Normal, [784, 300], Address::of("dense/kernel"));
/// assert_eq!(kernel.op().name(), "random_normal");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// uniform in (0, 1)
    Uniform,
    /// normal with mean 0 and standard deviation 1
    Normal,
    /// the same, redrawn until it lies within two standard deviations
    TruncatedNormal,
}

/// The place of a stream of random numbers: with the run's seed and step it determines every number.
///
/// # Example
/// ```
/// use carnyx_graph::Address;
/// assert_eq!(Address::of("dense/kernel"), Address::of("dense/kernel"));
/// assert_ne!(Address::of("dense/kernel"), Address::of("dense_1/kernel"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub u64);

impl Address {
    /// The address of a path such as `dense_1/kernel` (64-bit FNV-1a).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Address;
    /// assert_eq!(Address::of(""), Address(0xcbf2_9ce4_8422_2325));
    /// assert_ne!(Address::of("dense/kernel"), Address::of("dense/bias"));
    /// ```
    pub fn of(path: &str) -> Address {
        Address(path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    /// The address of the `index`-th draw from this place; draw 0 is the place itself.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Address;
    /// let dropout = Address::of("dropout");
    /// assert_eq!(dropout.draw(0), dropout);
    /// assert_ne!(dropout.draw(1), dropout);
    /// ```
    pub fn draw(self, index: u64) -> Address {
        Address(self.0 ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The begin or the end of a layer's part of an expression.
///
/// # Example
/// ```
/// use carnyx_graph::{Op, Tensor, op::Scope};
/// let inside = Tensor::input("x", [4]).entering(&"dense".into());
/// assert!(matches!(inside.op(), Op::Scope(Scope::Enter(name)) if &**name == "dense"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Values flow into the layer here.
    Enter(Arc<str>),
    /// Values flow out of the layer here.
    Leave(Arc<str>),
}

/// One operation. Its operands are the sources of its [`Tensor`](crate::Tensor) node or the operands of its
/// instruction.
///
/// # Example
/// ```
/// use carnyx_graph::{Op, Tensor};
/// let x = Tensor::input("x", [4]);
/// assert!(matches!(x.op(), Op::Input(name) if &**name == "x"));
/// assert_eq!(x.flip(1).op().to_string(), "flip axes=[1]");
/// ```
#[derive(Clone, Debug)]
pub enum Op {
    // ---- sources
    /// A value given to each run, by name.
    Input(Arc<str>),
    /// A value known now.
    Constant(Array),
    /// A variable's value when the run begins.
    Read(Variable),
    /// 0, 1, 2, … along an axis.
    Iota(usize),
    /// Random numbers.
    Random(Distribution, Address),

    // ---- element by element
    /// A function of one operand.
    Unary(Unary),
    /// A function of two operands of one shape.
    Binary(Binary),
    /// `condition ? x : y`.
    Select,
    /// Another element type.
    Cast(DType),

    // ---- movement
    /// The same elements in another shape.
    Reshape(Shape),
    /// Repeated along new axes and axes of size 1.
    Broadcast(Shape),
    /// Axes in another order: axis `i` of the result is axis `order[i]` of the operand.
    Transpose(Vec<usize>),
    /// Every `step`-th element from `start` up to `stop`, along each axis.
    Slice(Vec<Span>),
    /// Zeros before and after, along each axis.
    Pad(Vec<(usize, usize)>),
    /// Operands one after another along an axis.
    Concat(usize),
    /// Backwards along axes.
    Flip(Vec<usize>),

    // ---- reduction
    /// Values along axes become one; the axes vanish.
    Reduce(Reduce, Vec<usize>),
    /// The index (`i64`) of the first greatest value along an axis, which vanishes.
    ArgMax(usize),
    /// The indices (`i64`) that sort an axis in ascending order; equal values keep their order.
    ArgSort(usize),
    /// Running sums along an axis.
    CumulativeSum(usize),

    // ---- index
    /// Entries of `x` along an axis, by index: the axis is replaced by the axes of `indices`.
    Gather(usize),
    /// The reverse: zeros of `size` along an axis, to which entries are added by index.
    ScatterAdd(usize, usize),
    /// One entry of `x` along an axis for each index; `indices` has the rank of `x`.
    GatherAlong(usize),
    /// The reverse of `GatherAlong` into an axis of `size`.
    ScatterAlong(usize, usize),

    // ---- linear algebra
    /// Matrix product over the last two axes; leading axes are a batch, or rows of `a` where `b` is a matrix.
    Dot {
        /// Whether `a` is read with its last two axes exchanged.
        transpose_a: bool,
        /// Whether `b` is read with its last two axes exchanged.
        transpose_b: bool,
    },

    // ---- normalised exponentials, stable for any input
    /// `exp(x) / Σ exp(x)` along the last axis.
    Softmax,
    /// `x - ln Σ exp(x)` along the last axis.
    LogSoftmax,

    // ---- the same value, with something to say about it
    /// The value, with a mode of its own.
    InMode,
    /// The value, as a constant to gradients.
    StopGradient,
    /// The value, at the border of a layer.
    Scope(Scope),
}

/// A range along one axis.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Op, Tensor, op::Span};
/// let x = Tensor::from(Array::full([10], 0f32)).slice_by(0, 2..9, 3);
/// assert!(matches!(x.op(), Op::Slice(spans) if *spans == [Span { start: 2, stop: 9, step: 3 }]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first index.
    pub start: usize,
    /// One beyond the last index.
    pub stop: usize,
    /// The distance between indices, at least 1.
    pub step: usize,
}

impl Span {
    /// The number of indices.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::op::Span;
    /// assert_eq!(Span { start: 2, stop: 9, step: 3 }.len(), 3); // 2, 5 and 8
    /// ```
    pub fn len(&self) -> usize {
        self.stop.saturating_sub(self.start).div_ceil(self.step.max(1))
    }

    /// Whether there are none.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::op::Span;
    /// assert!(Span { start: 5, stop: 5, step: 1 }.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Op {
    /// Whether each element of the result depends on the elements at the same place only.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert!(x.exp().op().is_elementwise() && !x.softmax().op().is_elementwise());
    /// ```
    pub fn is_elementwise(&self) -> bool {
        matches!(self, Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast(_))
    }

    /// The number of operands; `None` for any number.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::op::Op;
    /// assert_eq!((Op::Select.arity(), Op::Concat(0).arity()), (Some(3), None));
    /// ```
    pub fn arity(&self) -> Option<usize> {
        match self {
            Op::Input(_) | Op::Constant(_) | Op::Read(_) | Op::Iota(_) | Op::Random(..) => Some(0),
            Op::Unary(_)
            | Op::Cast(_)
            | Op::Reshape(_)
            | Op::Broadcast(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::Pad(_)
            | Op::Flip(_)
            | Op::Reduce(..)
            | Op::ArgMax(_)
            | Op::ArgSort(_)
            | Op::CumulativeSum(_)
            | Op::Softmax
            | Op::LogSoftmax
            | Op::InMode
            | Op::StopGradient
            | Op::Scope(_) => Some(1),
            Op::Binary(_)
            | Op::Gather(_)
            | Op::ScatterAdd(..)
            | Op::GatherAlong(_)
            | Op::ScatterAlong(..)
            | Op::Dot { .. } => Some(2),
            Op::Select => Some(3),
            Op::Concat(_) => None,
        }
    }

    /// Whether the result is the operand itself.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]).stop_gradient();
    /// assert!(x.op().is_identity()); // graphs do not have it
    /// ```
    pub fn is_identity(&self) -> bool {
        matches!(self, Op::InMode | Op::StopGradient | Op::Scope(_))
    }

    /// The name of the operation, as printed graphs show it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// assert_eq!(Tensor::input("x", [4]).sum_along(0).op().name(), "reduce_sum");
    /// ```
    pub fn name(&self) -> String {
        let snake = |camel: &str| {
            camel.chars().enumerate().fold(String::new(), |mut name, (i, c)| {
                if c.is_uppercase() && i > 0 {
                    name.push('_');
                }
                name.extend(c.to_lowercase());
                name
            })
        };
        match self {
            Op::Input(_) => "input".into(),
            Op::Constant(_) => "constant".into(),
            Op::Read(_) => "read".into(),
            Op::Iota(_) => "iota".into(),
            Op::Random(distribution, _) => format!("random_{}", snake(&format!("{distribution:?}"))),
            Op::Unary(unary) => snake(&format!("{unary:?}")),
            Op::Binary(binary) => snake(&format!("{binary:?}")),
            Op::Select => "select".into(),
            Op::Cast(_) => "cast".into(),
            Op::Reshape(_) => "reshape".into(),
            Op::Broadcast(_) => "broadcast".into(),
            Op::Transpose(_) => "transpose".into(),
            Op::Slice(_) => "slice".into(),
            Op::Pad(_) => "pad".into(),
            Op::Concat(_) => "concat".into(),
            Op::Flip(_) => "flip".into(),
            Op::Reduce(reduce, _) => format!("reduce_{}", snake(&format!("{reduce:?}"))),
            Op::ArgMax(_) => "arg_max".into(),
            Op::ArgSort(_) => "arg_sort".into(),
            Op::CumulativeSum(_) => "cumulative_sum".into(),
            Op::Gather(_) => "gather".into(),
            Op::ScatterAdd(..) => "scatter_add".into(),
            Op::GatherAlong(_) => "gather_along".into(),
            Op::ScatterAlong(..) => "scatter_along".into(),
            Op::Dot { .. } => "dot".into(),
            Op::Softmax => "softmax".into(),
            Op::LogSoftmax => "log_softmax".into(),
            Op::InMode => "in_mode".into(),
            Op::StopGradient => "stop_gradient".into(),
            Op::Scope(_) => "scope".into(),
        }
    }
}

/// The operation with its attributes: `reduce_sum axes=[0]`.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name())?;
        match self {
            Op::Input(name) => write!(f, " {name:?}"),
            Op::Constant(array) if array.len() == 1 => write!(f, " {}", array.element(0)),
            Op::Constant(array) => write!(f, " {array:?}"),
            Op::Iota(axis)
            | Op::Concat(axis)
            | Op::ArgMax(axis)
            | Op::ArgSort(axis)
            | Op::CumulativeSum(axis)
            | Op::Gather(axis)
            | Op::GatherAlong(axis) => write!(f, " axis={axis}"),
            Op::ScatterAdd(axis, size) | Op::ScatterAlong(axis, size) => {
                write!(f, " axis={axis} size={size}")
            }
            Op::Transpose(order) => write!(f, " order={order:?}"),
            Op::Slice(spans) => {
                let spans: Vec<_> =
                    spans.iter().map(|s| format!("{}..{}:{}", s.start, s.stop, s.step)).collect();
                write!(f, " [{}]", spans.join(", "))
            }
            Op::Pad(widths) => write!(f, " {widths:?}"),
            Op::Flip(axes) | Op::Reduce(_, axes) => write!(f, " axes={axes:?}"),
            Op::Dot { transpose_a, transpose_b } => {
                f.write_str(if *transpose_a { " transpose_a" } else { "" })?;
                f.write_str(if *transpose_b { " transpose_b" } else { "" })
            }
            _ => Ok(()),
        }
    }
}
