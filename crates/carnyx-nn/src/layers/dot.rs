//! The product of two tensors along one axis of each.

use super::features::{check_floats, feature_axes, or_invalid};
use crate::saving::Fields;
use crate::{Config, Layer, Module};
use carnyx_graph::{Dim, Error, Result, Tensor};

/// The sum of products along one axis of each of two tensors, sample by sample: how similar two vectors are, or how
/// each of some vectors is to each of others.
///
/// # Shape
/// `[batch, a…]` and `[batch, b…]` to `[batch, a… without its axis, b… without its axis]`; `[batch, 1]` for two
/// vectors.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dot};
/// let (user, film) = (Tensor::input("user", [32]), Tensor::input("film", [32]));
/// assert_eq!(Dot::new(1, 1).normalize().apply_to([&user, &film]).shape().to_string(), "[batch, 1]");
///
/// let (queries, keys) = (Tensor::input("queries", [5, 8]), Tensor::input("keys", [7, 8]));
/// assert_eq!(Dot::new(2, 2).apply_to([&queries, &keys]).shape().to_string(), "[batch, 5, 7]");
/// ```
#[derive(Module, Clone, Copy, Debug)]
#[module(saved)]
pub struct Dot {
    axes: (isize, isize),
    normalize: bool,
}

impl Dot {
    /// Multiplies along the axis `first` of the first tensor and `second` of the second; the batch is axis 0.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let (a, b) = (Tensor::input("a", [3, 5]), Tensor::input("b", [10, 3]));
    /// assert_eq!(Dot::new(1, 2).apply_to([&a, &b]).shape().to_string(), "[batch, 5, 10]");
    /// ```
    pub fn new(first: isize, second: isize) -> Dot {
        Dot { axes: (first, second), normalize: false }
    }

    /// Brings the vectors to length 1 first: the result is the cosine of the angle between them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let (a, b) = (Tensor::from(&Array::from([[2f32, 0.0]])), Tensor::from(&Array::from([[3f32, 4.0]])));
    /// assert!((Dot::new(1, 1).normalize().apply_to([&a, &b]).eval()?.element(0) - 0.6).abs() < 1e-6);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn normalize(mut self) -> Dot {
        self.normalize = true;
        self
    }

    pub(crate) fn read(fields: Fields) -> Result<Dot> {
        let (first, second) = match fields.axes("axes", &[])?[..] {
            [axis] => (axis, axis),
            [first, second] => (first, second),
            _ => return Err(fields.wrong("axes", "one axis, or one for each tensor")),
        };
        let dot = Dot::new(first, second);
        Ok(if fields.truth("normalize", false)? { dot.normalize() } else { dot })
    }

    fn saved(&self) -> Config {
        let axes = vec![self.axes.0 as i64, self.axes.1 as i64];
        Config::new("Dot").field("axes", axes).field("normalize", self.normalize)
    }

    fn product(self, tensors: &[Tensor]) -> Result<Tensor> {
        let [a, b] = tensors else {
            return Err(Error::new("inputs", format!("`Dot` takes two tensors and gets {}", tensors.len())));
        };
        check_floats("Dot", a)?;
        check_floats("Dot", b)?;
        let (of_a, of_b) = (a.shape(), b.shape());
        let along_a = feature_axes("Dot", &[self.axes.0], &of_a)?[0];
        let along_b = feature_axes("Dot", &[self.axes.1], &of_b)?[0];
        if of_a[along_a] != of_b[along_b] {
            let title =
                format!("`Dot` cannot multiply {of_a} along axis {along_a} and {of_b} along axis {along_b}");
            return Err(Error::new("shape", title)
                .label(format!("the sizes differ: {} and {}", of_a[along_a], of_b[along_b]))
                .help("name axes of one size, or bring the tensors to one with a `Dense` layer"));
        }
        let (a, b) =
            if self.normalize { (unit(a, along_a), unit(b, along_b)) } else { (a.clone(), b.clone()) };
        // [batch, of a, k] · [batch, of b, k]ᵀ, with all other axes of each as one.
        let (rows, columns) = (others(&of_a, along_a), others(&of_b, along_b));
        let product = rows_of(&a, along_a, &rows).dot(&rows_of(&b, along_b, &columns), false, true);
        let mut dims: Vec<Dim> = std::iter::once(of_a[0]).chain(rows).chain(columns).collect();
        if dims.len() == 1 {
            dims.push(Dim::Fixed(1));
        }
        Ok(product.reshape(dims))
    }
}

/// The sizes of the axes of a sample but one.
fn others(shape: &[Dim], axis: usize) -> Vec<Dim> {
    (1..shape.len()).filter(|&i| i != axis).map(|i| shape[i]).collect()
}

/// `[batch, all others, axis]`.
fn rows_of(x: &Tensor, axis: usize, others: &[Dim]) -> Tensor {
    let mut order: Vec<usize> = (0..x.rank()).filter(|&i| i != axis).collect();
    order.push(axis);
    let shape = x.shape();
    let rows: usize = others.iter().filter_map(|dim| dim.fixed()).product();
    x.permute(order).reshape(vec![shape[0], Dim::Fixed(rows), shape[axis]])
}

/// Vectors of length 1 along an axis.
fn unit(x: &Tensor, axis: usize) -> Tensor {
    x * x.square().sum_keep(axis as isize).maximum(LEAST).rsqrt()
}

/// The square of the least length that is divided by: `1e-7`, as in Keras.
const LEAST: f64 = 1e-14;

impl Layer<Vec<Tensor>> for Dot {
    type Out = Tensor;

    fn call(&self, x: &Vec<Tensor>) -> Tensor {
        or_invalid(self.product(x))
    }
}
