//! The elements of each sample in another shape or another order.

use super::features::or_invalid;
use crate::saving::Fields;
use crate::{Config, Layer, Module};
use carnyx_graph::{Dim, Error, Result, Tensor};

/// The elements of each sample in another shape, in row-major order.
///
/// # Shape
/// `[batch, …]` to `[batch, target…]`; one size of the target may be -1, and takes what is left.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Reshape};
/// let pixels = Tensor::input("pixels", [784]);
/// assert_eq!(Reshape::new([28, -1, 1]).apply(&pixels).shape().to_string(), "[batch, 28, 28, 1]");
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Reshape {
    target: Vec<isize>,
}

impl Reshape {
    /// Samples of the shape `target`, without the batch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = Reshape::new([5, 5]).apply(&Tensor::input("x", [24]));
    /// assert_eq!(wrong.check().unwrap_err().title(), "a sample of [24] cannot become [5, 5]");
    /// ```
    pub fn new(target: impl Into<Vec<isize>>) -> Reshape {
        Reshape { target: target.into() }
    }

    pub(crate) fn read(fields: Fields) -> Result<Reshape> {
        Ok(Reshape::new(fields.axes("target_shape", &[])?))
    }

    fn saved(&self) -> Config {
        let target: Vec<i64> = self.target.iter().map(|&size| size as i64).collect();
        Config::new("Reshape").field("target_shape", target)
    }

    fn reshaped(&self, x: &Tensor) -> Result<Tensor> {
        let shape = sample("Reshape", x)?;
        let elements: usize = shape.iter().product();
        let mistake = |label: String| {
            Err(Error::new("shape", format!("a sample of {shape:?} cannot become {:?}", self.target))
                .label(label))
        };
        let is_unknown = |size: &&isize| **size == -1;
        if self.target.iter().filter(is_unknown).count() > 1 {
            return mistake("only one size can be -1".into());
        }
        let mut known = 1usize;
        for &size in self.target.iter().filter(|size| !is_unknown(size)) {
            let product = usize::try_from(size).ok().and_then(|size| known.checked_mul(size));
            let Some(product) = product else {
                return mistake("sizes are at least 0, or -1 for what is left".into());
            };
            known = product;
        }
        let has_unknown = self.target.iter().any(|size| is_unknown(&size));
        let fits = if has_unknown { known > 0 && elements.is_multiple_of(known) } else { known == elements };
        if !fits {
            return mistake(format!("{elements} elements do not fit"));
        }
        let size = |&size: &isize| usize::try_from(size).unwrap_or(elements / known.max(1));
        let mut dims = vec![x.shape()[0]];
        dims.extend(self.target.iter().map(size).map(Dim::Fixed));
        Ok(x.reshape(dims))
    }
}

impl Layer for Reshape {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.reshaped(x))
    }
}

/// The axes of each sample in another order.
///
/// # Shape
/// `[batch, a, b, …]` to the same sizes in the given order.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Permute};
/// let x = Tensor::input("x", [10, 64]);
/// assert_eq!(Permute::new([2, 1]).apply(&x).shape().to_string(), "[batch, 64, 10]");
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Permute {
    order: Vec<usize>,
}

impl Permute {
    /// Axis `order[i]` of a sample, counted from 1, becomes its axis `i + 1`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = Permute::new([1, 3]).apply(&Tensor::input("x", [4, 5]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "shape");
    /// ```
    pub fn new(order: impl Into<Vec<usize>>) -> Permute {
        Permute { order: order.into() }
    }

    pub(crate) fn read(fields: Fields) -> Result<Permute> {
        let order = fields.axes("dims", &[])?;
        Ok(Permute::new(order.into_iter().map(|axis| usize::try_from(axis).unwrap_or(0)).collect::<Vec<_>>()))
    }

    fn saved(&self) -> Config {
        Config::new("Permute").field("dims", self.order.clone())
    }

    fn permuted(&self, x: &Tensor) -> Result<Tensor> {
        let shape = &x.facts()?.shape;
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if shape.len() != self.order.len() + 1 || !sorted.iter().copied().eq(1..shape.len()) {
            return Err(Error::new("shape", format!("`Permute` cannot put {shape} into the order {:?}", self.order))
                .label("the order names each axis of a sample once, counted from 1")
                .help("the batch stays first and is not named: `Permute::new([2, 1])` exchanges the two axes after it"));
        }
        if self.order.is_sorted() {
            return Ok(x.clone());
        }
        Ok(x.permute(std::iter::once(0).chain(self.order.iter().copied()).collect::<Vec<_>>()))
    }
}

impl Layer for Permute {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.permuted(x))
    }
}

/// Each sample several times in a row: one vector as a sequence.
///
/// # Shape
/// `[batch, features]` to `[batch, count, features]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, RepeatVector};
/// let code = Tensor::input("code", [32]);
/// assert_eq!(RepeatVector::new(10).apply(&code).shape().to_string(), "[batch, 10, 32]");
/// ```
#[derive(Module, Clone, Copy, Debug)]
#[module(saved)]
pub struct RepeatVector {
    count: usize,
}

impl RepeatVector {
    /// Each sample `count` times.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = RepeatVector::new(3).apply(&Tensor::input("x", [4, 5]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "shape");
    /// ```
    pub fn new(count: usize) -> RepeatVector {
        RepeatVector { count }
    }

    pub(crate) fn read(fields: Fields) -> Result<RepeatVector> {
        Ok(RepeatVector::new(fields.count("n")?))
    }

    fn saved(self) -> Config {
        Config::new("RepeatVector").field("n", self.count)
    }

    fn repeated(self, x: &Tensor) -> Result<Tensor> {
        let shape = &x.facts()?.shape;
        if shape.len() != 2 || self.count == 0 {
            return Err(Error::new(
                "shape",
                format!("`RepeatVector` cannot repeat {shape} {} times", self.count),
            )
            .label("it takes [batch, features], and repeats each sample at least once"));
        }
        Ok(x.expand(1).broadcast_to(vec![shape[0], Dim::Fixed(self.count), shape[1]]))
    }
}

impl Layer for RepeatVector {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.repeated(x))
    }
}

/// The sizes of one sample.
fn sample(kind: &str, x: &Tensor) -> Result<Vec<usize>> {
    let shape = &x.facts()?.shape;
    let sizes: Option<Vec<usize>> = shape.iter().skip(1).map(|dim| dim.fixed()).collect();
    sizes.filter(|_| !shape.is_empty()).ok_or_else(|| {
        Error::new("shape", format!("`{kind}` cannot work on {shape}"))
            .label("the first axis is the batch, and the sizes of the others must be known")
    })
}
