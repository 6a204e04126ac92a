//! Products of matrices.

use super::Tensor;
use crate::Dim;
use crate::op::Op;

impl Tensor {
    /// The matrix product over the last two axes. Leading axes are a batch; where `other` is a matrix, they are
    /// further rows. A vector on the right is a column, on the left a row.
    ///
    /// # Shape
    /// `[…, m, k] · [k, n]` or `[…, m, k] · […, k, n]` to `[…, m, n]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::input("x", [784]);
    /// let kernel = Tensor::from(&Array::full([784, 300], 0f32));
    /// assert_eq!(x.matmul(&kernel).shape().to_string(), "[batch, 300]");
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: impl Into<Tensor>) -> Tensor {
        let other = other.into();
        match (self.rank(), other.rank()) {
            (1, 1) => self.expand(0).dot(&other.expand(-1), false, false).reshape(Vec::<Dim>::new()),
            (1, 2) => self.expand(0).dot(&other, false, false).squeeze(0),
            (_, 1) if self.rank() > 1 => self.dot(&other.expand(-1), false, false).squeeze(-1),
            _ => self.dot(&other, false, false),
        }
    }

    /// The matrix product, with the last two axes of either operand exchanged on the way.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let (queries, keys) = (Tensor::input("queries", [20, 64]), Tensor::input("keys", [30, 64]));
    /// assert_eq!(queries.dot(&keys, false, true).shape().to_string(), "[batch, 20, 30]");
    /// ```
    #[track_caller]
    pub fn dot(&self, other: &Tensor, transpose_a: bool, transpose_b: bool) -> Tensor {
        Tensor::node(Op::Dot { transpose_a, transpose_b }, vec![self.clone(), other.clone()])
    }
}
