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
    #[track_caller]
    pub fn scatter_add(&self, axis: usize, size: usize, indices: &Tensor) -> Tensor {
        Tensor::node(Op::ScatterAdd(axis, size), vec![self.clone(), indices.clone()])
    }

    /// One entry along `axis` for each index; `indices` has the rank of this tensor.
    #[track_caller]
    pub fn gather_along(&self, axis: isize, indices: &Tensor) -> Tensor {
        match resolve(axis, self.rank(), "gather", &self.shape()) {
            Ok(axis) => Tensor::node(Op::GatherAlong(axis), vec![self.clone(), indices.clone()]),
            Err(error) => self.or_invalid(error),
        }
    }

    /// For each row, the entry of the last axis that `index` names: `[…, n]` by `[…]` gives `[…]`. An index outside
    /// `0..n` gives 0.
    #[track_caller]
    pub fn pick(&self, index: &Tensor) -> Tensor {
        let n = self.dim(-1);
        (self * index.one_hot(n, self.dtype())).sum_along(-1)
    }

    /// A new last axis of size `depth` with 1 at the index and 0 elsewhere; all 0 for an index outside `0..depth`.
    ///
    /// # Shape
    /// `[…]` of integers to `[…, depth]` of `dtype`.
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
