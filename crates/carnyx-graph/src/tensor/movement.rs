//! The same elements elsewhere: reshaping, broadcasting, axis order, slicing, padding, joining.

use super::{Axes, Tensor};
use crate::op::{Op, Span};
use crate::{Dim, Error, Shape};

/// The place of `axis` among `rank` axes, or an error that says which there are.
#[track_caller]
pub(super) fn resolve(axis: isize, rank: usize, action: &str, shape: &Shape) -> Result<usize, Error> {
    let index = if axis < 0 { axis + rank as isize } else { axis };
    if (0..rank as isize).contains(&index) {
        return Ok(index as usize);
    }
    Err(Error::new("shape", format!("cannot {action} along axis {axis} of {shape}"))
        .label(format!("axes go from {} to {}", -(rank as isize), rank as isize - 1))
        .at(std::panic::Location::caller()))
}

impl Tensor {
    /// The same elements in another shape, row-major.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(&Array::full([2, 6], 0f32));
    /// assert_eq!(x.reshape([3, 4]).shape().to_string(), "[3, 4]");
    /// assert_eq!(x.reshape([5]).check().unwrap_err().code(), "shape");
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if self.shape() == shape && !self.is_invalid() {
            return self.clone();
        }
        Tensor::node(Op::Reshape(shape), vec![self.clone()])
    }

    /// All axes but the first become one: `[batch, 28, 28]` to `[batch, 784]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// assert_eq!(Tensor::input("pixels", [28, 28]).flatten().shape().to_string(), "[batch, 784]");
    /// ```
    #[track_caller]
    pub fn flatten(&self) -> Tensor {
        let shape = self.shape();
        let Some((&first, rest)) = shape.split_first() else { return self.reshape([1]) };
        self.reshape(vec![first, product(rest)])
    }

    /// All axes but the last become one: `[batch, time, units]` to `[batch · time, units]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let words = Tensor::from(Array::full([32, 20, 64], 0f32));
    /// assert_eq!(words.as_matrix().shape().to_string(), "[640, 64]");
    /// ```
    #[track_caller]
    pub fn as_matrix(&self) -> Tensor {
        let shape = self.shape();
        match shape.split_last() {
            Some((&last, rest)) if rest.len() != 1 => self.reshape(vec![product(rest), last]),
            _ => self.clone(),
        }
    }

    /// Repeated along new axes and axes of size 1, by NumPy's rule.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let row = Tensor::from(Array::from([1f32, 2.0, 3.0]));
    /// assert_eq!(row.broadcast_to([4, 3]).shape().to_string(), "[4, 3]");
    /// assert!(row.broadcast_to([3, 4]).is_invalid()); // sizes are compared from the right
    /// ```
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        if self.shape() == shape && !self.is_invalid() {
            return self.clone();
        }
        Tensor::node(Op::Broadcast(shape), vec![self.clone()])
    }

    /// A new axis of size 1 before `axis` (`-1`: at the end).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(&Array::full([2, 3], 0f32));
    /// assert_eq!(x.expand(0).shape().to_string(), "[1, 2, 3]");
    /// assert_eq!(x.expand(-1).shape().to_string(), "[2, 3, 1]");
    /// ```
    #[track_caller]
    pub fn expand(&self, axis: isize) -> Tensor {
        let shape = self.shape();
        match resolve(axis, shape.len() + 1, "add an axis", &shape) {
            Ok(axis) => {
                let mut dims = shape.to_vec();
                dims.insert(axis, Dim::Fixed(1));
                self.reshape(dims)
            }
            Err(error) => self.or_invalid(error),
        }
    }

    /// Without `axis`, which must have size 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let prediction = Tensor::input("prediction", [1]);
    /// assert_eq!(prediction.squeeze(-1).shape().to_string(), "[batch]");
    /// assert!(Tensor::input("scores", [10]).squeeze(-1).is_invalid());
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Tensor {
        let shape = self.shape();
        match resolve(axis, shape.len(), "squeeze", &shape) {
            Ok(axis) if shape[axis] == Dim::Fixed(1) => self.reshape(shape.without(axis)),
            Ok(axis) => self.or_invalid(
                Error::new("shape", format!("cannot squeeze axis {axis} of {shape}"))
                    .label(format!("its size is {}, not 1", shape[axis])),
            ),
            Err(error) => self.or_invalid(error),
        }
    }

    /// This tensor's own error if it has one, else `error`.
    #[track_caller]
    pub(super) fn or_invalid(&self, error: Error) -> Tensor {
        if self.is_invalid() { self.clone() } else { Tensor::invalid(error) }
    }

    /// The last two axes exchanged.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [20, 64]);
    /// assert_eq!(x.transpose().shape().to_string(), "[batch, 64, 20]");
    /// ```
    #[track_caller]
    pub fn transpose(&self) -> Tensor {
        let rank = self.rank();
        let mut order: Vec<usize> = (0..rank).collect();
        if rank < 2 {
            return self.or_invalid(
                Error::new("shape", format!("cannot transpose {}", self.shape()))
                    .label("it has fewer than two axes"),
            );
        }
        order.swap(rank - 2, rank - 1);
        Tensor::node(Op::Transpose(order), vec![self.clone()])
    }

    /// Axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let channels_last = Tensor::input("image", [28, 28, 3]);
    /// assert_eq!(channels_last.permute([0, 3, 1, 2]).shape().to_string(), "[batch, 3, 28, 28]");
    /// ```
    #[track_caller]
    pub fn permute(&self, order: impl Into<Vec<usize>>) -> Tensor {
        Tensor::node(Op::Transpose(order.into()), vec![self.clone()])
    }

    /// The indices `start..stop` along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(&Array::full([5, 3], 0f32));
    /// assert_eq!(x.slice(0, 1..4).shape().to_string(), "[3, 3]");
    /// ```
    #[track_caller]
    pub fn slice(&self, axis: isize, range: std::ops::Range<usize>) -> Tensor {
        self.slice_by(axis, range, 1)
    }

    /// Every `step`-th index of `range` along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let signal = Tensor::from(Array::full([1000], 0f32));
    /// assert_eq!(signal.slice_by(0, 0..1000, 10).shape().to_string(), "[100]");
    /// ```
    #[track_caller]
    pub fn slice_by(&self, axis: isize, range: std::ops::Range<usize>, step: usize) -> Tensor {
        let shape = self.shape();
        match resolve(axis, shape.len(), "slice", &shape) {
            Ok(axis) => {
                let whole = |dim: &Dim| Span { start: 0, stop: dim.fixed().unwrap_or(usize::MAX), step: 1 };
                let mut spans: Vec<Span> = shape.iter().map(whole).collect();
                spans[axis] = Span { start: range.start, stop: range.end, step };
                Tensor::node(Op::Slice(spans), vec![self.clone()])
            }
            Err(error) => self.or_invalid(error),
        }
    }

    /// `before` and `after` zeros along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [28, 28]);
    /// assert_eq!(x.pad(1, 2, 2).pad(2, 2, 2).shape().to_string(), "[batch, 32, 32]");
    /// ```
    #[track_caller]
    pub fn pad(&self, axis: isize, before: usize, after: usize) -> Tensor {
        let shape = self.shape();
        match resolve(axis, shape.len(), "pad", &shape) {
            Ok(axis) => {
                let mut widths = vec![(0, 0); shape.len()];
                widths[axis] = (before, after);
                Tensor::node(Op::Pad(widths), vec![self.clone()])
            }
            Err(error) => self.or_invalid(error),
        }
    }

    /// Backwards along `axes`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let image = Tensor::input("image", [28, 28]);
    /// assert_eq!(format!("{:?}", image.flip(-1)), "flip f32[batch, 28, 28]"); // mirrored
    /// ```
    #[track_caller]
    pub fn flip(&self, axes: impl Into<Axes>) -> Tensor {
        match axes.into().resolve(&self.shape(), "flip") {
            Ok(axes) => Tensor::node(Op::Flip(axes), vec![self.clone()]),
            Err(error) => self.or_invalid(error),
        }
    }

    /// `count` copies one after another along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(Array::from([[1f32, 2.0]]));
    /// assert_eq!(x.repeat(0, 3).shape().to_string(), "[3, 2]");
    /// ```
    #[track_caller]
    pub fn repeat(&self, axis: isize, count: usize) -> Tensor {
        concat((0..count).map(|_| self), axis)
    }

    /// 0, 1, 2, … along `axis` of `shape`, as `dtype`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let columns = Tensor::iota([2, 3], 1, DType::I64); // [[0, 1, 2], [0, 1, 2]]
    /// assert_eq!(format!("{columns:?}"), "iota i64[2, 3]");
    /// ```
    #[track_caller]
    pub fn iota(shape: impl Into<Shape>, axis: usize, dtype: crate::DType) -> Tensor {
        let shape = shape.into();
        if axis >= shape.len() {
            return Tensor::invalid(Error::new("shape", format!("no axis {axis} in {shape} to count along")));
        }
        Tensor::leaf(Op::Iota(axis), crate::infer::Facts::new(shape, dtype), super::Mode::Constant)
    }
}

/// The size of several axes as one.
fn product(dims: &[Dim]) -> Dim {
    match dims {
        [dim] => *dim,
        _ => Shape::new(dims.to_vec()).elements().map_or(Dim::Symbol("rows"), Dim::Fixed),
    }
}

/// Tensors one after another along `axis`.
///
/// # Example
/// ```
/// # use carnyx_graph::{concat, Tensor};
/// let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [30]));
/// assert_eq!(concat([&wide, &deep], -1).shape().to_string(), "[batch, 35]");
/// ```
#[track_caller]
pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Tensor>, axis: isize) -> Tensor {
    let parts: Vec<Tensor> = parts.into_iter().cloned().collect();
    let Some(first) = parts.first() else {
        return Tensor::invalid(
            Error::new("shape", "cannot concatenate nothing").label("at least one tensor is needed"),
        );
    };
    match resolve(axis, first.rank(), "concatenate", &first.shape()) {
        Ok(axis) => Tensor::node(Op::Concat(axis), parts),
        Err(error) => first.or_invalid(error),
    }
}

/// Tensors of one shape along a new axis.
///
/// # Example
/// ```
/// # use carnyx_graph::{Tensor, stack};
/// let (x, y) = (Tensor::input("x", [4]), Tensor::input("y", [4]));
/// assert_eq!(stack([&x, &y], -1).shape().to_string(), "[batch, 4, 2]");
/// ```
#[track_caller]
pub fn stack<'a>(parts: impl IntoIterator<Item = &'a Tensor>, axis: isize) -> Tensor {
    let parts: Vec<Tensor> = parts.into_iter().map(|part| part.expand(axis)).collect();
    concat(&parts, axis)
}
