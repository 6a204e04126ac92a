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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let has_gap = Tensor::input("x", [4]).is_nan().any_along(-1);
    /// assert_eq!(format!("{has_gap:?}"), "cast bool[batch]");
    /// ```
    #[track_caller]
    pub fn any_along(&self, axes: impl Into<Axes>) -> Tensor {
        self.cast(DType::I32).reduce(Reduce::Max, axes).cast(DType::Bool)
    }

    /// Whether all values along `axes` are true.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let is_usable = Tensor::input("x", [4]).is_finite().all_along(-1);
    /// assert_eq!(is_usable.dtype(), DType::Bool);
    /// ```
    #[track_caller]
    pub fn all_along(&self, axes: impl Into<Axes>) -> Tensor {
        self.cast(DType::I32).reduce(Reduce::Min, axes).cast(DType::Bool)
    }

    /// The variance along `axes`, divided by the count (not the count less one).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert_eq!(x.variance_along(0).shape().to_string(), "[4]");
    /// ```
    #[track_caller]
    pub fn variance_along(&self, axes: impl Into<Axes> + Clone) -> Tensor {
        let mean = self.mean_keep(axes.clone());
        (self - mean).square().mean_along(axes)
    }

    /// The mean along `axes`, which stay with size 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let centred = &x - x.mean_keep(-1);
    /// assert_eq!(x.mean_keep(-1).shape().to_string(), "[batch, 1]");
    /// assert_eq!(centred.shape(), x.shape());
    /// ```
    #[track_caller]
    pub fn mean_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce_keep(Reduce::Mean, axes)
    }

    /// The sum along `axes`, which stay with size 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let weights = Tensor::input("weights", [4]);
    /// let shares = &weights / weights.sum_keep(-1);
    /// assert_eq!(shares.shape(), weights.shape());
    /// ```
    #[track_caller]
    pub fn sum_keep(&self, axes: impl Into<Axes>) -> Tensor {
        self.reduce_keep(Reduce::Sum, axes)
    }

    /// The greatest value along `axes`, which stay with size 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let scores = Tensor::input("scores", [10]);
    /// let is_best = scores.equal(scores.max_keep(-1));
    /// assert_eq!(format!("{is_best:?}"), "equal bool[batch, 10]");
    /// ```
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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let (mean, variance) = Tensor::input("x", [28, 28, 3]).moments();
    /// assert_eq!(mean.shape().to_string(), "[3]"); // one number for each channel
    /// assert_eq!(variance.shape(), mean.shape());
    /// ```
    #[track_caller]
    pub fn moments(&self) -> (Tensor, Tensor) {
        let axes: Vec<isize> = (0..self.rank().saturating_sub(1) as isize).collect();
        (self.mean_along(axes.clone()), self.variance_along(axes))
    }

    /// `ln Σ e^x` along `axis`, without overflow.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [10]);
    /// assert_eq!(x.log_sum_exp(-1).shape().to_string(), "[batch]");
    /// ```
    #[track_caller]
    pub fn log_sum_exp(&self, axis: isize) -> Tensor {
        let greatest = self.max_keep(axis).stop_gradient();
        let sum = (self - &greatest).exp().sum_along(axis).log();
        let shape = sum.shape();
        sum + greatest.reshape(shape)
    }

    /// Running sums along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let sales = Tensor::from(Array::from([[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(format!("{:?}", sales.cumulative_sum(1)), "cumulative_sum f32[2, 3]");
    /// ```
    #[track_caller]
    pub fn cumulative_sum(&self, axis: isize) -> Tensor {
        self.along(axis, "sum", Op::CumulativeSum)
    }

    /// The index (`i64`) of the first greatest value along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let classes = Tensor::input("scores", [10]).arg_max(-1);
    /// assert_eq!(format!("{classes:?}"), "arg_max i64[batch]");
    /// ```
    #[track_caller]
    pub fn arg_max(&self, axis: isize) -> Tensor {
        self.along(axis, "search", Op::ArgMax)
    }

    /// The index (`i64`) of the first smallest value along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let nearest = Tensor::input("distances", [50]).arg_min(-1);
    /// assert_eq!((nearest.dtype(), nearest.rank()), (DType::I64, 1));
    /// ```
    #[track_caller]
    pub fn arg_min(&self, axis: isize) -> Tensor {
        (-self).arg_max(axis)
    }

    /// The indices (`i64`) that sort `axis` in ascending order; equal values keep their order, NaN comes last.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let order = Tensor::input("scores", [10]).arg_sort(-1);
    /// assert_eq!(format!("{order:?}"), "arg_sort i64[batch, 10]");
    /// ```
    #[track_caller]
    pub fn arg_sort(&self, axis: isize) -> Tensor {
        self.along(axis, "sort", Op::ArgSort)
    }

    /// The values in ascending order along `axis`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let best_three = Tensor::input("scores", [10]).sort(-1).slice(-1, 7..10);
    /// assert_eq!(best_three.shape().to_string(), "[batch, 3]");
    /// ```
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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let probabilities = Tensor::input("logits", [10]).softmax();
    /// assert_eq!(format!("{probabilities:?}"), "softmax f32[batch, 10]");
    /// assert!(Tensor::scalar(1f32).softmax().is_invalid()); // there is no axis to share along
    /// ```
    #[track_caller]
    pub fn softmax(&self) -> Tensor {
        Tensor::node(Op::Softmax, vec![self.clone()])
    }

    /// `x - ln Σ exp(x)` along the last axis, stable for any input.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let labels = Tensor::from(Array::from([3i64, 0]));
    /// let logits = Tensor::from(Array::full([2, 10], 0f32));
    /// let crossentropy = -logits.log_softmax().pick(&labels).mean();
    /// assert_eq!(crossentropy.rank(), 0);
    /// ```
    #[track_caller]
    pub fn log_softmax(&self) -> Tensor {
        Tensor::node(Op::LogSoftmax, vec![self.clone()])
    }
}

macro_rules! reduction {
    ($(#[$all_doc:meta])* $all:ident; $(#[$along_doc:meta])* $along:ident; $reduce:ident) => {
        impl Tensor {
            $(#[$all_doc])*
            #[track_caller]
            pub fn $all(&self) -> Tensor {
                self.reduce(Reduce::$reduce, Axes::ALL)
            }

            $(#[$along_doc])*
            #[track_caller]
            pub fn $along(&self, axes: impl Into<Axes>) -> Tensor {
                self.reduce(Reduce::$reduce, axes)
            }
        }
    };
}

reduction! {
    /// The sum of all elements: a tensor without axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let penalty = Tensor::from(Array::from([0.5f32, 2.0])).square().sum() * 0.01;
    /// assert_eq!(penalty.rank(), 0);
    /// ```
    sum;
    /// The sum along `axes`, which vanish.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(Array::full([2, 3, 4], 1f32));
    /// assert_eq!(x.sum_along(0).shape().to_string(), "[3, 4]");
    /// assert_eq!(x.sum_along([0, -1]).shape().to_string(), "[3]");
    /// ```
    sum_along;
    Sum
}

reduction! {
    /// The mean of all elements: a tensor without axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let loss = Tensor::input("error", [1]).square().mean(); // over a batch of any size
    /// assert_eq!(format!("{loss:?}"), "reduce_mean f32[]");
    /// ```
    mean;
    /// The mean along `axes`, which vanish.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [28, 28, 3]);
    /// assert_eq!(x.mean_along([1, 2]).shape().to_string(), "[batch, 3]"); // of each picture's channels
    /// ```
    mean_along;
    Mean
}

reduction! {
    /// The greatest value of all elements: a tensor without axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let pixels = Tensor::from(Array::from([0u8, 128, 255]));
    /// assert_eq!(format!("{:?}", pixels.max()), "reduce_max u8[]");
    /// ```
    max;
    /// The greatest value along `axes`, which vanish.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let words = Tensor::input("words", [20, 64]);
    /// assert_eq!(words.max_along(1).shape().to_string(), "[batch, 64]"); // over the time
    /// ```
    max_along;
    Max
}

reduction! {
    /// The smallest value of all elements: a tensor without axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let labels = Tensor::from(Array::from([3i64, 0, 7]));
    /// assert_eq!(format!("{:?}", labels.min()), "reduce_min i64[]");
    /// ```
    min;
    /// The smallest value along `axes`, which vanish.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let range = x.max_along(0) - x.min_along(0);
    /// assert_eq!(range.shape().to_string(), "[4]");
    /// ```
    min_along;
    Min
}

reduction! {
    /// The product of all elements: a tensor without axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let factors = Tensor::from(Array::from([2f64, 3.0]));
    /// assert_eq!(format!("{:?}", factors.prod()), "reduce_prod f64[]");
    /// ```
    prod;
    /// The product along `axes`, which vanish.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let probabilities = Tensor::input("probabilities", [5]);
    /// assert_eq!(probabilities.prod_along(-1).shape().to_string(), "[batch]"); // all five at once
    /// ```
    prod_along;
    Prod
}
