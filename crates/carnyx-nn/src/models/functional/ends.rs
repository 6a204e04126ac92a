//! What a drawn model begins and ends with, as a user lists it.

use crate::Tree;
use carnyx_graph::Tensor;
use std::sync::Arc;

/// The inputs that a [`Functional`](super::Functional) is drawn with: `&x` for one, `[&a, &b]` for several.
///
/// # Example
/// ```
/// # use carnyx_graph::{Tensor};
/// # use carnyx_nn::*;
/// let (a, b) = (Tensor::input("a", [2]), Tensor::input("b", [3]));
/// assert_eq!(DrawnInputs::tensors([&a, &b]).len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the inputs of a drawing",
    note = "a `&Tensor`, a `[&Tensor; N]` and a `Vec<Tensor>` are"
)]
pub trait DrawnInputs {
    /// What the model takes when it is used as a layer: one tensor, or a list.
    type Tree: Tree;

    /// The tensors in order.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!(DrawnInputs::tensors(&Tensor::input("x", [3])).len(), 1);
    /// ```
    fn tensors(self) -> Vec<Tensor>;
}

impl DrawnInputs for &Tensor {
    type Tree = Tensor;

    fn tensors(self) -> Vec<Tensor> {
        vec![self.clone()]
    }
}

impl<const N: usize> DrawnInputs for [&Tensor; N] {
    type Tree = Vec<Tensor>;

    fn tensors(self) -> Vec<Tensor> {
        self.map(Clone::clone).to_vec()
    }
}

impl DrawnInputs for Vec<Tensor> {
    type Tree = Vec<Tensor>;

    fn tensors(self) -> Vec<Tensor> {
        self
    }
}

/// The outputs that a [`Functional`](super::Functional) is drawn with: `&y` for one, `[&y, &z]` for several, `[("main", &y), …]` with
/// names. Without names, outputs are called after the layers that gave them.
///
/// # Example
/// ```
/// # use carnyx_graph::{Tensor};
/// # use carnyx_nn::*;
/// let x = Tensor::input("x", [2]);
/// assert_eq!(DrawnOutputs::named([("y", &x.exp())])[0].0.as_deref(), Some("y"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the outputs of a drawing",
    note = "a `&Tensor`, a `[&Tensor; N]`, a `[(&str, &Tensor); N]` and a `Vec<(String, Tensor)>` are"
)]
pub trait DrawnOutputs {
    /// What the model gives when it is used as a layer: one tensor, or a list.
    type Tree: Tree;

    /// The tensors in order, with their names where the user gave them.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert!(DrawnOutputs::named(&Tensor::input("x", [3]))[0].0.is_none());
    /// ```
    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)>;
}

impl DrawnOutputs for &Tensor {
    type Tree = Tensor;

    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)> {
        vec![(None, self.clone())]
    }
}

impl DrawnOutputs for (&str, &Tensor) {
    type Tree = Tensor;

    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)> {
        vec![(Some(self.0.into()), self.1.clone())]
    }
}

impl<const N: usize> DrawnOutputs for [&Tensor; N] {
    type Tree = Vec<Tensor>;

    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)> {
        self.map(|tensor| (None, tensor.clone())).to_vec()
    }
}

impl<const N: usize> DrawnOutputs for [(&str, &Tensor); N] {
    type Tree = Vec<Tensor>;

    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)> {
        self.map(|(name, tensor)| (Some(name.into()), tensor.clone())).to_vec()
    }
}

impl DrawnOutputs for Vec<(String, Tensor)> {
    type Tree = Vec<Tensor>;

    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)> {
        self.into_iter().map(|(name, tensor)| (Some(name.into()), tensor)).collect()
    }
}

impl DrawnOutputs for Vec<Tensor> {
    type Tree = Vec<Tensor>;

    fn named(self) -> Vec<(Option<Arc<str>>, Tensor)> {
        self.into_iter().map(|tensor| (None, tensor)).collect()
    }
}
