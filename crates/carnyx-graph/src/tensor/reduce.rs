//! Values along axes become one: sums, means, extremes, and what is built from them.

use super::Tensor;
use super::movement::resolve;
use crate::op::{Op, Reduce};
use crate::{DType, Error, Shape};

/// The axes of a reduction: one, several, or all; negative ones count from the end.
///
/// # Example
/// ```
/// # use carnyx_graph::{Array, Tensor};
/// let x = Tensor::from(&Array::full([2, 3, 4], 1f32));
/// assert_eq!(x.sum_along(-1).shape().to_string(), "[2, 3]");
/// assert_eq!(x.sum_along([0, 2]).shape().to_string(), "[3]");
/// ```
#[derive(Clone, Debug)]
pub struct Axes(Option<Vec<isize>>);

impl Axes {
    /// All axes.
    pub const ALL: Axes = Axes(None);

    #[track_caller]
    pub(super) fn resolve(&self, shape: &Shape, action: &str) -> Result<Vec<usize>, Error> {
        let Some(axes) = &self.0 else { return Ok((0..shape.len()).collect()) };
        let mut resolved = Vec::with_capacity(axes.len());
        for &axis in axes {
            resolved.push(resolve(axis, shape.len(), action, shape)?);
        }
        resolved.sort_unstable();
        Ok(resolved)
    }
}

impl From<isize> for Axes {
    fn from(axis: isize) -> Axes {
        Axes(Some(vec![axis]))
    }
}

impl<const N: usize> From<[isize; N]> for Axes {
    fn from(axes: [isize; N]) -> Axes {
        Axes(Some(axes.to_vec()))
    }
}

impl From<Vec<isize>> for Axes {
    fn from(axes: Vec<isize>) -> Axes {
        Axes(Some(axes))
    }
}

impl Tensor {
    #[track_caller]
    pub(crate) fn reduce(&self, reduce: Reduce, axes: impl Into<Axes>) -> Tensor {
        match axes.into().resolve(&self.shape(), "reduce") {
            Ok(axes) if axes.is_empty() => self.clone(),
            Ok(axes) => Tensor::node(Op::Reduce(reduce, axes), vec![self.clone()]),
            Err(error) => self.or_invalid(error),
        }
    }

    /// Whether any value along `axes` is true.
    #[track_caller]
    pub fn any_along(&self, axes: impl Into<Axes>) -> Tensor {
        self.cast(DType::I32).reduce(Reduce::Max, axes).cast(DType::Bool)
    }

    /// Whether all values along `axes` are true.
    #[track_caller]
    pub fn all_along(&self, axes: impl Into<Axes>) -> Tensor {
        self.cast(DType::I32).reduce(Reduce::Min, axes).cast(DType::Bool)
    }

    /// The variance along `axes`, divided by the count (not the count less one).
    #[track_caller]
    pub fn variance_along(&self, axes: impl Into<Axes> + Clone) -> Tensor {
        let mean = self.mean_keep(axes.clone());
        (self - mean).square().mean_along(axes)
    }

    /// The mean along `axes`, which stay with size 1.
    #[track_caller]
    pub fn mean_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce_keep(Reduce::Mean, axes)
    }

    /// The sum along `axes`, which stay with size 1.
    #[track_caller]
    pub fn sum_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce_keep(Reduce::Sum, axes)
    }

    /// The greatest value along `axes`, which stay with size 1.
    #[track_caller]
    pub fn max_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce_keep(Reduce::Max, axes)
    }

    #[track_caller]
    pub(crate) fn reduce_keep(&self, reduce: Reduce, axes: impl Into<Axes>) -> Tensor {
        let (axes, shape) = (axes.into(), self.shape());
        match axes.resolve(&shape, "reduce") {
            Ok(indices) => {
                let kept = indices.iter().fold(shape, |shape, &i| shape.with(i, 1usize));
                self.reduce(reduce, axes).reshape(kept)
            }
            Err(error) => self.or_invalid(error),
        }
    }

    /// Mean and variance over all axes but the last: what batch normalisation uses.
    #[track_caller]
    pub fn moments(&self) -> (Tensor, Tensor) {
        let axes: Vec<isize> = (0..self.rank().saturating_sub(1) as isize).collect();
        (self.mean_along(axes.clone()), self.variance_along(axes))
    }

    /// `ln Σ e^x` along `axis`, without overflow.
    #[track_caller]
    pub fn log_sum_exp(&self, axis: isize) -> Tensor {
        let greatest = self.max_keep(axis).stop_gradient();
        let sum = (self - &greatest).exp().sum_along(axis).log();
        let shape = sum.shape();
        sum + greatest.reshape(shape)
    }

    /// Running sums along `axis`.
    #[track_caller]
    pub fn cumulative_sum(&self, axis: isize) -> Tensor {
        self.along(axis, "sum", Op::CumulativeSum)
    }

    /// The index (`i64`) of the first greatest value along `axis`.
    #[track_caller]
    pub fn arg_max(&self, axis: isize) -> Tensor {
        self.along(axis, "search", Op::ArgMax)
    }

    /// The index (`i64`) of the first smallest value along `axis`.
    #[track_caller]
    pub fn arg_min(&self, axis: isize) -> Tensor {
        (-self).arg_max(axis)
    }

    /// The indices (`i64`) that sort `axis` in ascending order; equal values keep their order, NaN comes last.
    #[track_caller]
    pub fn arg_sort(&self, axis: isize) -> Tensor {
        self.along(axis, "sort", Op::ArgSort)
    }

    /// The values in ascending order along `axis`.
    #[track_caller]
    pub fn sort(&self, axis: isize) -> Tensor {
        self.gather_along(axis, &self.arg_sort(axis))
    }

    #[track_caller]
    fn along(&self, axis: isize, action: &str, op: impl FnOnce(usize) -> Op) -> Tensor {
        match resolve(axis, self.rank(), action, &self.shape()) {
            Ok(axis) => Tensor::node(op(axis), vec![self.clone()]),
            Err(error) => self.or_invalid(error),
        }
    }

    /// `exp(x) / Σ exp(x)` along the last axis, stable for any input.
    #[track_caller]
    pub fn softmax(&self) -> Tensor {
        Tensor::node(Op::Softmax, vec![self.clone()])
    }

    /// `x - ln Σ exp(x)` along the last axis, stable for any input.
    #[track_caller]
    pub fn log_softmax(&self) -> Tensor {
        Tensor::node(Op::LogSoftmax, vec![self.clone()])
    }
}

macro_rules! reduction {
    ($all:ident $along:ident $reduce:ident $what:literal) => {
        impl Tensor {
            #[doc = concat!($what, " of all elements: a tensor without axes.")]
            #[track_caller]
            pub fn $all(&self) -> Tensor {
                self.reduce(Reduce::$reduce, Axes::ALL)
            }

            #[doc = concat!($what, " along `axes`, which vanish.")]
            #[track_caller]
            pub fn $along(&self, axes: impl Into<Axes>) -> Tensor {
                self.reduce(Reduce::$reduce, axes)
            }
        }
    };
}

reduction!(sum sum_along Sum "The sum");
reduction!(mean mean_along Mean "The mean");
reduction!(max max_along Max "The greatest value");
reduction!(min min_along Min "The smallest value");
reduction!(prod prod_along Prod "The product");
