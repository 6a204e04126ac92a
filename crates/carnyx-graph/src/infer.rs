//! Operation × operand shapes → result shape and type, or an error in the user's words.
//!
//! Element-wise operations want equal shapes here: the tensor methods broadcast before they build a node.

use crate::op::{Binary, Op, Unary};
use crate::{DType, Dim, Error, Result, Shape};

/// What is known of a value before it is computed.
///
/// # Example
/// ```
/// use carnyx_graph::{DType, Tensor};
/// let facts = Tensor::input("x", [4]).facts()?.clone();
/// assert_eq!(facts.shape.to_string(), "[batch, 4]");
/// assert_eq!(facts.dtype, DType::F32);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The size along each axis.
    pub shape: Shape,
    /// The type of the elements.
    pub dtype: DType,
}

impl Facts {
    /// Facts of a value of `shape` and `dtype`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Facts};
    /// let facts = Facts::new([32, 784], DType::U8);
    /// assert_eq!(facts.shape.elements(), Some(25_088));
    /// ```
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Facts {
        Facts { shape: shape.into(), dtype }
    }
}

fn shape_error(title: String, label: impl Into<String>) -> Error {
    Error::new("shape", title).label(label)
}

fn dtype_error(op: &Op, dtype: DType, wanted: &str) -> Error {
    Error::new("dtype", format!("cannot apply `{}` to {dtype} elements", op.name()))
        .label(format!("it works on {wanted}"))
        .help("convert the tensor first, for example with `.cast(DType::F32)`")
}

/// The facts of the result of `op` on operands with the given facts.
///
/// # Errors
/// `shape` or `dtype`, if the operation is impossible.
///
/// # Example
/// ```
/// # use carnyx_graph::{DType, Facts, Op, infer::infer};
/// let (x, kernel) = (Facts::new([32, 784], DType::F32), Facts::new([784, 300], DType::F32));
/// let dot = Op::Dot { transpose_a: false, transpose_b: false };
/// assert_eq!(infer(&dot, &[&x, &kernel])?, Facts::new([32, 300], DType::F32));
/// assert_eq!(infer(&dot, &[&kernel, &x]).unwrap_err().code(), "shape");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn infer(op: &Op, operands: &[&Facts]) -> Result<Facts> {
    match op {
        Op::Input(_) => Err(Error::new("graph", "an input's shape is stated, not inferred")),
        Op::Constant(array) => Ok(Facts::new(array.shape(), array.dtype())),
        Op::Read(variable) => {
            let shape =
                variable.shape().ok_or_else(|| Error::new("variable", "the variable has no shape yet"))?;
            Ok(Facts::new(&shape, variable.dtype()))
        }
        Op::Iota(_) | Op::Random(..) => Err(Error::new("graph", "a source's shape is stated, not inferred")),
        Op::Unary(unary) => infer_unary(op, *unary, operands[0]),
        Op::Binary(binary) => infer_binary(op, *binary, operands[0], operands[1]),
        Op::Select => {
            let [condition, x, y] = [operands[0], operands[1], operands[2]];
            if condition.dtype != DType::Bool {
                return Err(dtype_error(op, condition.dtype, "a condition of truth values"));
            }
            same_dtype(op, x, y)?;
            same_shape(op, x, y)?;
            same_shape(op, condition, x)?;
            Ok(x.clone())
        }
        Op::Cast(dtype) => Ok(Facts::new(&operands[0].shape, *dtype)),
        Op::Reshape(shape) => infer_reshape(operands[0], shape),
        Op::Broadcast(shape) => {
            if operands[0].shape.broadcast(shape).as_ref() != Some(shape) {
                return Err(shape_error(
                    format!("cannot broadcast {} to {shape}", operands[0].shape),
                    "each size must be equal or 1, aligned at the right",
                ));
            }
            Ok(Facts::new(shape, operands[0].dtype))
        }
        Op::Transpose(order) => {
            let x = operands[0];
            let mut seen = vec![false; x.shape.len()];
            let valid = order.len() == x.shape.len()
                && order.iter().all(|&i| i < seen.len() && !std::mem::replace(&mut seen[i], true));
            if !valid {
                return Err(shape_error(
                    format!("cannot transpose {} by {order:?}", x.shape),
                    "the order must name each axis once",
                ));
            }
            Ok(Facts::new(order.iter().map(|&i| x.shape[i]).collect::<Vec<_>>(), x.dtype))
        }
        Op::Slice(spans) => infer_slice(operands[0], spans),
        Op::Pad(widths) => {
            let x = operands[0];
            if widths.len() != x.shape.len() {
                return Err(shape_error(
                    format!("cannot pad {} with {} pairs", x.shape, widths.len()),
                    "each axis needs a pair (before, after)",
                ));
            }
            let dims = x.shape.iter().zip(widths).map(|(dim, (before, after))| match dim {
                Dim::Fixed(n) => Ok(Dim::Fixed(n + before + after)),
                Dim::Symbol(_) if before + after == 0 => Ok(*dim),
                Dim::Symbol(name) => Err(shape_error(format!("cannot pad the unknown axis `{name}`"), "")),
            });
            Ok(Facts::new(dims.collect::<Result<Vec<_>>>()?, x.dtype))
        }
        Op::Concat(axis) => infer_concat(op, operands, *axis),
        Op::Flip(axes) => {
            check_axes(op, operands[0], axes)?;
            Ok(operands[0].clone())
        }
        Op::Reduce(reduce, axes) => {
            let x = operands[0];
            check_axes(op, x, axes)?;
            let float_only = matches!(reduce, crate::op::Reduce::Mean);
            if x.dtype == DType::Bool || (float_only && !x.dtype.is_float()) {
                return Err(dtype_error(op, x.dtype, if float_only { "floats" } else { "numbers" }));
            }
            let kept = (0..x.shape.len()).filter(|i| !axes.contains(i)).map(|i| x.shape[i]);
            Ok(Facts::new(kept.collect::<Vec<_>>(), x.dtype))
        }
        Op::ArgMax(axis) => {
            check_axes(op, operands[0], &[*axis])?;
            if operands[0].shape[*axis] == Dim::Fixed(0) {
                return Err(shape_error(
                    format!("`arg_max` over an empty axis of {}", operands[0].shape),
                    "",
                ));
            }
            Ok(Facts::new(operands[0].shape.without(*axis), DType::I64))
        }
        Op::ArgSort(axis) => {
            check_axes(op, operands[0], &[*axis])?;
            Ok(Facts::new(&operands[0].shape, DType::I64))
        }
        Op::CumulativeSum(axis) => {
            check_axes(op, operands[0], &[*axis])?;
            if operands[0].dtype == DType::Bool {
                return Err(dtype_error(op, DType::Bool, "numbers"));
            }
            Ok(operands[0].clone())
        }
        Op::Gather(axis) => {
            let [x, indices] = [operands[0], operands[1]];
            check_axes(op, x, &[*axis])?;
            check_indices(op, indices)?;
            let mut dims = x.shape[..*axis].to_vec();
            dims.extend_from_slice(&indices.shape);
            dims.extend_from_slice(&x.shape[axis + 1..]);
            Ok(Facts::new(dims, x.dtype))
        }
        Op::ScatterAdd(axis, size) => {
            let [x, indices] = [operands[0], operands[1]];
            check_indices(op, indices)?;
            let rank = indices.shape.len();
            if x.shape.len() < axis + rank || x.shape[*axis..axis + rank] != indices.shape[..] {
                return Err(shape_error(
                    format!("cannot scatter {} by indices {}", x.shape, indices.shape),
                    "the indices must have the sizes of the scattered axes",
                ));
            }
            let mut dims = x.shape[..*axis].to_vec();
            dims.push(Dim::Fixed(*size));
            dims.extend_from_slice(&x.shape[axis + rank..]);
            Ok(Facts::new(dims, x.dtype))
        }
        Op::GatherAlong(axis) => {
            check_along(op, operands[0], operands[1], *axis)?;
            Ok(Facts::new(&operands[1].shape, operands[0].dtype))
        }
        Op::ScatterAlong(axis, size) => {
            check_along(op, operands[0], operands[1], *axis)?;
            same_shape(op, operands[0], operands[1])?;
            Ok(Facts::new(operands[0].shape.with(*axis, *size), operands[0].dtype))
        }
        Op::Dot { transpose_a, transpose_b } => {
            infer_dot(op, operands[0], operands[1], *transpose_a, *transpose_b)
        }
        Op::Softmax | Op::LogSoftmax => {
            if !operands[0].dtype.is_float() {
                return Err(dtype_error(op, operands[0].dtype, "floats"));
            }
            if operands[0].shape.is_empty() {
                return Err(shape_error(
                    format!("`{}` of a single number", op.name()),
                    "it needs at least one axis",
                ));
            }
            Ok(operands[0].clone())
        }
        Op::InMode | Op::StopGradient | Op::Scope(_) => Ok(operands[0].clone()),
    }
}

fn infer_unary(op: &Op, unary: Unary, x: &Facts) -> Result<Facts> {
    match unary {
        Unary::Neg | Unary::Abs | Unary::Sign => {
            if x.dtype == DType::Bool || x.dtype == DType::U8 {
                return Err(dtype_error(op, x.dtype, "signed numbers"));
            }
            Ok(x.clone())
        }
        Unary::Not => {
            if x.dtype != DType::Bool {
                return Err(dtype_error(op, x.dtype, "truth values"));
            }
            Ok(x.clone())
        }
        Unary::IsNan | Unary::IsFinite => {
            if !x.dtype.is_float() {
                return Err(dtype_error(op, x.dtype, "floats"));
            }
            Ok(Facts::new(&x.shape, DType::Bool))
        }
        _ if !x.dtype.is_float() => Err(dtype_error(op, x.dtype, "floats")),
        _ => Ok(x.clone()),
    }
}

fn infer_binary(op: &Op, binary: Binary, x: &Facts, y: &Facts) -> Result<Facts> {
    same_dtype(op, x, y)?;
    same_shape(op, x, y)?;
    if binary.is_logical() != (x.dtype == DType::Bool) && !matches!(binary, Binary::Equal | Binary::NotEqual)
    {
        return Err(dtype_error(op, x.dtype, if binary.is_logical() { "truth values" } else { "numbers" }));
    }
    let dtype = if binary.is_comparison() { DType::Bool } else { x.dtype };
    Ok(Facts::new(&x.shape, dtype))
}

fn same_dtype(op: &Op, x: &Facts, y: &Facts) -> Result {
    if x.dtype == y.dtype {
        return Ok(());
    }
    Err(Error::new("dtype", format!("cannot apply `{}` to {} and {}", op.name(), x.dtype, y.dtype))
        .label("both must have one type")
        .help(format!("convert one of them with `.cast(DType::{:?})`", x.dtype.min(y.dtype))))
}

fn same_shape(op: &Op, x: &Facts, y: &Facts) -> Result {
    if x.shape == y.shape {
        return Ok(());
    }
    Err(shape_error(
        format!("cannot apply `{}` to {} and {}", op.name(), x.shape, y.shape),
        "these shapes do not broadcast",
    ))
}

fn check_axes(op: &Op, x: &Facts, axes: &[usize]) -> Result {
    for (i, &axis) in axes.iter().enumerate() {
        if axis >= x.shape.len() || axes[..i].contains(&axis) {
            return Err(shape_error(
                format!("`{}` of {} along axis {axis}", op.name(), x.shape),
                if axis >= x.shape.len() { "there is no such axis" } else { "the axis is named twice" },
            ));
        }
    }
    Ok(())
}

fn check_indices(op: &Op, indices: &Facts) -> Result {
    if indices.dtype.is_integer() {
        return Ok(());
    }
    Err(Error::new("dtype", format!("`{}` by indices of type {}", op.name(), indices.dtype))
        .label("indices are integers")
        .help("convert the indices with `.cast(DType::I64)`"))
}

fn check_along(op: &Op, x: &Facts, indices: &Facts, axis: usize) -> Result {
    check_axes(op, x, &[axis])?;
    check_indices(op, indices)?;
    let agree = x.shape.len() == indices.shape.len()
        && (0..x.shape.len()).all(|i| i == axis || x.shape[i] == indices.shape[i]);
    if agree {
        return Ok(());
    }
    Err(shape_error(
        format!("`{}` of {} by indices {}", op.name(), x.shape, indices.shape),
        format!("all sizes but that of axis {axis} must be equal"),
    ))
}

/// The product of the known sizes, and the unknown ones in order.
fn factor(shape: &Shape) -> (usize, Vec<Dim>) {
    let known = shape.iter().filter_map(|d| d.fixed()).fold(1usize, usize::saturating_mul);
    let mut unknown: Vec<Dim> = shape.iter().copied().filter(|d| d.fixed().is_none()).collect();
    unknown.sort_by_key(ToString::to_string);
    (known, unknown)
}

fn infer_reshape(x: &Facts, shape: &Shape) -> Result<Facts> {
    let (from, to) = (factor(&x.shape), factor(shape));
    // A product of unknown sizes is itself an unknown size, so that part is taken on trust in a blueprint.
    if from == to || (from.1 != to.1 && !to.1.is_empty() && !from.1.is_empty()) {
        return Ok(Facts::new(shape, x.dtype));
    }
    Err(shape_error(
        format!("cannot reshape {} to {shape}", x.shape),
        format!("{} elements cannot become {}", elements(&x.shape), elements(shape)),
    ))
}

fn elements(shape: &Shape) -> String {
    let (known, unknown) = factor(shape);
    unknown.iter().fold(known.to_string(), |text, dim| format!("{text} × {dim}"))
}

fn infer_slice(x: &Facts, spans: &[crate::op::Span]) -> Result<Facts> {
    if spans.len() != x.shape.len() {
        return Err(shape_error(format!("cannot slice {} with {} ranges", x.shape, spans.len()), ""));
    }
    let dims = x.shape.iter().zip(spans).map(|(dim, span)| match dim {
        Dim::Fixed(n) if span.stop <= *n && span.start <= span.stop && span.step > 0 => {
            Ok(Dim::Fixed(span.len()))
        }
        Dim::Symbol(_) if span.start == 0 && span.stop == usize::MAX && span.step == 1 => Ok(*dim),
        _ => Err(shape_error(
            format!("cannot slice {} from {} to {} by {}", x.shape, span.start, span.stop, span.step),
            format!("the axis has size {dim}"),
        )),
    });
    Ok(Facts::new(dims.collect::<Result<Vec<_>>>()?, x.dtype))
}

fn infer_concat(op: &Op, operands: &[&Facts], axis: usize) -> Result<Facts> {
    let Some(first) = operands.first() else {
        return Err(shape_error("cannot concatenate nothing".into(), "at least one tensor is needed"));
    };
    check_axes(op, first, &[axis])?;
    let mut total = Some(0usize);
    for x in operands {
        same_dtype(op, first, x)?;
        let agree = x.shape.len() == first.shape.len()
            && (0..x.shape.len()).all(|i| i == axis || x.shape[i] == first.shape[i]);
        if !agree {
            return Err(shape_error(
                format!("cannot concatenate {} and {} along axis {axis}", first.shape, x.shape),
                format!("all sizes but that of axis {axis} must be equal"),
            ));
        }
        total = total.zip(x.shape[axis].fixed()).map(|(sum, n)| sum + n);
    }
    let dim = match total {
        Some(n) => Dim::Fixed(n),
        None if operands.len() == 1 => first.shape[axis],
        None => Dim::Symbol("joined"),
    };
    Ok(Facts::new(first.shape.with(axis, dim), first.dtype))
}

fn infer_dot(op: &Op, a: &Facts, b: &Facts, transpose_a: bool, transpose_b: bool) -> Result<Facts> {
    same_dtype(op, a, b)?;
    if !a.dtype.is_float() {
        return Err(dtype_error(op, a.dtype, "floats"));
    }
    let title = || format!("cannot multiply {} by {}", a.shape, b.shape);
    if a.shape.len() < 2 || b.shape.len() < 2 {
        return Err(shape_error(title(), "both must have at least two axes"));
    }
    let ends = |shape: &Shape, transposed: bool| {
        let (rows, columns) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        if transposed { (columns, rows) } else { (rows, columns) }
    };
    let ((m, k_a), (k_b, n)) = (ends(&a.shape, transpose_a), ends(&b.shape, transpose_b));
    if k_a != k_b {
        return Err(shape_error(
            title(),
            format!("the inner sizes differ: {k_a} on the left, {k_b} on the right"),
        ));
    }
    let (batch_a, batch_b) = (&a.shape[..a.shape.len() - 2], &b.shape[..b.shape.len() - 2]);
    if batch_a != batch_b && (!batch_b.is_empty() || transpose_a) {
        return Err(shape_error(title(), "the leading sizes differ"));
    }
    let mut dims = batch_a.to_vec();
    dims.extend([m, n]);
    Ok(Facts::new(dims, a.dtype))
}
