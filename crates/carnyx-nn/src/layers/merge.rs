//! Several tensors become one, element by element or one after another.
//!
//! These are layers with a name and a place in files and diagrams; in a drawing `&a + &b` and `concat` do the same work.
//! Tensors of different ranks are aligned as Keras does: those of lower rank get axes of size 1 behind the batch.
//!
//! Masks are joined as Keras does. Of tensors that are merged element by element, a step counts if it counts in any of
//! them; if one has no mask, the result has none. Products and extremes leave out the elements that do not count.

use super::features::or_invalid;
use crate::saving::Fields;
use crate::{Config, Layer, Module};
use carnyx_graph::{Error, Result, Tensor, concat};

/// Tensors one after another along an axis.
///
/// # Shape
/// `[batch, …, a]`, `[batch, …, b]`, … to `[batch, …, a + b + …]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Concatenate};
/// let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [30]));
/// assert_eq!(Concatenate::new(-1).apply_to([&wide, &deep]).shape().to_string(), "[batch, 35]");
/// ```
#[derive(Module, Clone, Copy, Debug)]
#[module(saved)]
pub struct Concatenate {
    axis: isize,
}

impl Concatenate {
    /// Joins along `axis`; -1 is the last.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let (a, b) = (Tensor::input("a", [2, 3]), Tensor::input("b", [4, 3]));
    /// assert_eq!(Concatenate::new(1).apply_to([&a, &b]).shape().to_string(), "[batch, 6, 3]");
    /// ```
    pub fn new(axis: isize) -> Concatenate {
        Concatenate { axis }
    }

    pub(crate) fn read(fields: Fields) -> Result<Concatenate> {
        Ok(Concatenate::new(fields.axis("axis", -1)?))
    }

    fn saved(self) -> Config {
        Config::new("Concatenate").field("axis", self.axis as i64)
    }
}

impl Layer<Vec<Tensor>> for Concatenate {
    type Out = Tensor;

    fn call(&self, x: &Vec<Tensor>) -> Tensor {
        if let Some(error) = nothing("Concatenate", x) {
            return Tensor::invalid(error);
        }
        let joined = concat(x, self.axis);
        joined_mask(x, self.axis).map_or_else(|| joined.clone(), |mask| joined.with_mask(mask))
    }
}

/// A step of joined tensors counts if any of its elements does; all elements of a tensor without a mask do.
fn joined_mask(tensors: &[Tensor], axis: isize) -> Option<Tensor> {
    if tensors.iter().all(|x| x.mask().is_none()) {
        return None;
    }
    let elements = |x: &Tensor| x.mask_of_elements().unwrap_or_else(|| Tensor::full(x.shape(), true));
    Some(concat(&tensors.iter().map(elements).collect::<Vec<_>>(), axis).any_along(-1))
}

macro_rules! elementwise {
    ($($(#[$doc:meta])* $name:ident $merge:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Module, Clone, Copy, Debug, Default)]
        #[module(saved)]
        pub struct $name;

        impl $name {
            fn saved(self) -> Config {
                Config::new(stringify!($name))
            }
        }

        impl Layer<Vec<Tensor>> for $name {
            type Out = Tensor;

            fn call(&self, x: &Vec<Tensor>) -> Tensor {
                let merge: fn(Vec<Tensor>) -> Tensor = $merge;
                or_invalid(aligned(stringify!($name), x).map(|x| merged(x, merge)))
            }
        }
    )* };
}

elementwise! {
    /// The sum of two or more tensors: the end of a residual block.
    ///
    /// # Shape
    /// Shapes that broadcast, to the greatest of them.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Add, Apply, Dense};
    /// let x = Tensor::input("x", [8]);
    /// let block = Add.apply_to([&x, &Dense::new(8).apply(&x)]);
    /// assert_eq!(block.shape(), x.shape());
    /// ```
    Add |x| folded(x, |x, y| x + y);
    /// The difference of two tensors: the first minus the second.
    ///
    /// # Shape
    /// Two shapes that broadcast, to the greater.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Subtract};
    /// let (a, b) = (Tensor::input("a", [4]), Tensor::input("b", [4]));
    /// assert_eq!(Subtract.apply_to([&a, &b]).shape(), a.shape());
    /// assert!(Subtract.apply_to([&a]).check().is_err());
    /// ```
    Subtract |x| match &x[..] {
        [x, y] => x - y,
        _ => Tensor::invalid(
            Error::new("inputs", format!("`Subtract` takes two tensors and gets {}", x.len()))
                .help("sums of more are made of `Add` and `Subtract`"),
        ),
    };
    /// The product of two or more tensors, element by element: a gate.
    ///
    /// # Shape
    /// Shapes that broadcast, to the greatest of them.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Dense, Multiply, Sigmoid};
    /// let x = Tensor::input("x", [8]);
    /// let gated = Multiply.apply_to([&x, &Dense::new(8).activation(Sigmoid).apply(&x)]);
    /// assert_eq!(gated.shape(), x.shape());
    /// ```
    Multiply product;
    /// The mean of two or more tensors, element by element: an ensemble.
    ///
    /// # Shape
    /// Shapes that broadcast, to the greatest of them.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Apply, Average, Eval};
    /// let (a, b) = (Tensor::from(&Array::from([1f32, 2.0])), Tensor::from(&Array::from([3f32, 6.0])));
    /// assert_eq!(Average.apply_to([&a, &b]).eval()?, Array::from([2f32, 4.0]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    Average |x| {
        let count = x.len() as f64;
        folded(x, |x, y| x + y) / count
    };
    /// The greatest of two or more tensors, element by element.
    ///
    /// # Shape
    /// Shapes that broadcast, to the greatest of them.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Dense, Maximum};
    /// let x = Tensor::input("x", [8]);
    /// let maxout = Maximum.apply_to([&Dense::new(4).apply(&x), &Dense::new(4).apply(&x)]);
    /// assert_eq!(maxout.shape().to_string(), "[batch, 4]");
    /// ```
    Maximum |x| extreme(x, |x, y| x.maximum(y));
    /// The smallest of two or more tensors, element by element.
    ///
    /// # Shape
    /// Shapes that broadcast, to the greatest of them.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Minimum};
    /// let (a, b) = (Tensor::input("a", [4]), Tensor::input("b", [4]));
    /// assert_eq!(Minimum.apply_to([&a, &b]).shape(), a.shape());
    /// ```
    Minimum |x| extreme(x, |x, y| x.minimum(y));
}

/// What `merge` makes of the tensors, with their masks as one.
fn merged(tensors: Vec<Tensor>, merge: fn(Vec<Tensor>) -> Tensor) -> Tensor {
    let masks = tensors.iter().map(|x| x.mask().cloned());
    let mask = masks.reduce(|one, other| Some(one?.logical_or(other?))).flatten();
    let merged = merge(tensors);
    mask.map_or_else(|| merged.clone(), |mask| merged.with_mask(mask))
}

fn folded(tensors: Vec<Tensor>, merge: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    tensors.into_iter().reduce(|x, y| merge(&x, &y)).unwrap_or_else(of_nothing)
}

/// Elements that do not count are factors of 1; where none counts, the product is 0.
fn product(tensors: Vec<Tensor>) -> Tensor {
    let masks = tensors.iter().map(Tensor::mask_of_elements);
    let counted = masks.reduce(|one, other| Some(one?.logical_or(other?))).flatten();
    let factor =
        |x: Tensor| x.mask_of_elements().map_or_else(|| x.clone(), |mask| mask.select(&x, x.ones_like()));
    let product = folded(tensors.into_iter().map(factor).collect(), |x, y| x * y);
    counted.map_or_else(|| product.clone(), |counted| counted.select(&product, product.zeros_like()))
}

/// An element that does not count gives way to that of the other tensor.
fn extreme(tensors: Vec<Tensor>, choose: fn(&Tensor, &Tensor) -> Tensor) -> Tensor {
    let with_mask = tensors.into_iter().map(|x| (x.mask_of_elements(), x));
    let chosen = with_mask.reduce(|(of_x, x), (of_y, y)| {
        let y = of_y.as_ref().map_or_else(|| y.clone(), |mask| mask.select(&y, &x));
        let x = of_x.as_ref().map_or_else(|| x.clone(), |mask| mask.select(&x, &y));
        (of_x.zip(of_y).map(|(one, other)| one.logical_or(other)), choose(&x, &y))
    });
    chosen.map_or_else(of_nothing, |(_, chosen)| chosen)
}

fn of_nothing() -> Tensor {
    Tensor::invalid(Error::new("inputs", "a layer is applied to no tensors"))
}

/// The error for a layer that is applied to no tensors.
fn nothing(kind: &str, tensors: &[Tensor]) -> Option<Error> {
    tensors.is_empty().then(|| {
        Error::new("inputs", format!("`{kind}` is applied to no tensors"))
            .help(format!("give it a list: `{kind}.apply_to([&a, &b])`"))
    })
}

/// The tensors with one number of axes, if their shapes broadcast.
fn aligned(kind: &str, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    if let Some(error) = nothing(kind, tensors) {
        return Err(error);
    }
    tensors.iter().try_for_each(Tensor::check)?;
    let rank = tensors.iter().map(Tensor::rank).max().unwrap_or(0);
    let widened = |x: &Tensor| match x.rank() {
        0 => x.clone(),
        own => (own..rank).fold(x.clone(), |x, _| x.expand(1)),
    };
    let tensors: Vec<Tensor> = tensors.iter().map(widened).collect();
    let mut shape = tensors[0].shape();
    for tensor in &tensors[1..] {
        shape = shape.broadcast(&tensor.shape()).ok_or_else(|| {
            let shapes: Vec<String> = tensors.iter().map(|x| x.shape().to_string()).collect();
            Error::new("shape", format!("`{kind}` cannot join {}", shapes.join(" and ")))
                .label("the sizes of each axis must be equal, or 1")
                .help("bring them to one shape first, for example with a `Dense` layer")
        })?;
    }
    Ok(tensors)
}
