//! Entries by index: gathering, scattering, one-hot rows.

use super::Tensor;
use super::movement::resolve;
use crate::op::{Binary, Op};
use crate::{DType, Dim, Error};

impl Tensor {
    /// Entries along `axis`, by index: the axis is replaced by the axes of `indices`. Negative indices count from
    /// the end; indices beyond the ends are clamped.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let table = Tensor::from(&Array::full([10, 4], 0f32));
    /// let words = Tensor::from(&Array::from([[1i64, 2, 3], [4, 5, 6]]));
    /// assert_eq!(table.gather(0, &words).shape().to_string(), "[2, 3, 4]");
    /// ```
    #[track_caller]
    pub fn gather(&self, axis: isize, indices: &Tensor) -> Tensor {
        match resolve(axis, self.rank(), "gather", &self.shape()) {
            Ok(axis) => Tensor::node(Op::Gather(axis), vec![self.clone(), indices.clone()]),
            Err(error) => self.or_invalid(error),
        }
    }

    /// Zeros of `size` along `axis`, to which these entries are added by index: the reverse of
    /// [`gather`](Tensor::gather).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let amounts = Tensor::from(Array::from([5f32, 3.0, 1.0]));
    /// let months = Tensor::from(Array::from([0i64, 2, 0]));
    /// let totals = amounts.scatter_add(0, 12, &months);
    /// assert_eq!(totals.shape().to_string(), "[12]");
    /// ```
    #[track_caller]
    pub fn scatter_add(&self, axis: usize, size: usize, indices: &Tensor) -> Tensor {
        Tensor::node(Op::ScatterAdd(axis, size), vec![self.clone(), indices.clone()])
    }

    /// One entry along `axis` for each index; `indices` has the rank of this tensor.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let scores = Tensor::input("scores", [10]);
    /// let best = scores.arg_max(-1).expand(-1); // [batch, 1]
    /// assert_eq!(scores.gather_along(-1, &best).shape().to_string(), "[batch, 1]");
    /// ```
    #[track_caller]
    pub fn gather_along(&self, axis: isize, indices: &Tensor) -> Tensor {
        match resolve(axis, self.rank(), "gather", &self.shape()) {
            Ok(axis) => Tensor::node(Op::GatherAlong(axis), vec![self.clone(), indices.clone()]),
            Err(error) => self.or_invalid(error),
        }
    }

    /// For each row, the entry of the last axis that `index` names: `[…, n]` by `[…]` gives `[…]`. An index outside
    /// `0..n` gives 0.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let probabilities = Tensor::from(Array::from([[0.1f32, 0.9], [0.8, 0.2]]));
    /// let labels = Tensor::from(Array::from([1i64, 0]));
    /// assert_eq!(probabilities.pick(&labels).shape().to_string(), "[2]"); // 0.9 and 0.8
    /// ```
    #[track_caller]
    pub fn pick(&self, index: &Tensor) -> Tensor {
        let n = self.dim(-1);
        (self * index.one_hot(n, self.dtype())).sum_along(-1)
    }

    /// A new last axis of size `depth` with 1 at the index and 0 elsewhere; all 0 for an index outside `0..depth`.
    ///
    /// # Shape
    /// `[…]` of integers to `[…, depth]` of `dtype`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Tensor};
    /// let labels = Tensor::from(Array::from([7i64, 0, 3]));
    /// assert_eq!(format!("{:?}", labels.one_hot(10, DType::F32)), "cast f32[3, 10]");
    /// assert!(Tensor::scalar(7f32).one_hot(10, DType::F32).is_invalid()); // labels are integers
    /// ```
    #[track_caller]
    pub fn one_hot(&self, depth: usize, dtype: DType) -> Tensor {
        if !self.dtype().is_integer() {
            return self.or_invalid(
                Error::new("dtype", format!("one-hot rows by indices of type {}", self.dtype()))
                    .label("indices are integers")
                    .help("convert the indices with `.cast(DType::I64)`"),
            );
        }
        let index = if self.dtype() == DType::U8 { self.cast(DType::I32) } else { self.clone() };
        let mut dims = self.shape().to_vec();
        dims.push(Dim::Fixed(depth));
        let classes = Tensor::iota([depth], 0, index.dtype());
        let classes = classes.broadcast_to(dims.clone());
        index.expand(-1).broadcast_to(dims).binary(Binary::Equal, classes).cast(dtype)
    }
}
