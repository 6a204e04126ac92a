//! Shapes: sizes along axes, some of which may be unknown until a program is planned.
//!
//! Invariant: programs only ever see fixed shapes; symbols live in blueprints.

use std::fmt;
use std::ops::Deref;

/// The size along one axis.
///
/// # Example
/// ```
/// use carnyx_graph::Dim;
/// assert_eq!(Dim::from(784), Dim::Fixed(784));
/// assert_eq!(Dim::BATCH.to_string(), "batch");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A known size.
    Fixed(usize),
    /// A size that is known only when the program runs, by name: `batch`.
    Symbol(&'static str),
}

impl Dim {
    /// The number of samples in a batch.
    pub const BATCH: Dim = Dim::Symbol("batch");

    /// The size, if it is known.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Dim;
    /// assert_eq!(Dim::Fixed(784).fixed(), Some(784));
    /// assert_eq!(Dim::BATCH.fixed(), None);
    /// ```
    pub fn fixed(self) -> Option<usize> {
        match self {
            Dim::Fixed(n) => Some(n),
            Dim::Symbol(_) => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Symbol(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Dim {
        Dim::Fixed(n)
    }
}

/// The sizes of a tensor along its axes, outermost first.
///
/// # Example
/// ```
/// use carnyx_graph::{Dim, Shape};
/// let shape = Shape::from([32, 784]);
/// assert_eq!(shape.to_string(), "[32, 784]");
/// assert_eq!(shape.len(), 2);
/// assert_eq!(Shape::new([Dim::BATCH, Dim::Fixed(10)]).to_string(), "[batch, 10]");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// A shape from its dimensions.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Dim, Shape};
    /// let shape = Shape::new([Dim::BATCH, Dim::Fixed(10)]);
    /// assert_eq!(shape.to_string(), "[batch, 10]");
    /// ```
    pub fn new(dims: impl Into<Vec<Dim>>) -> Shape {
        Shape(dims.into())
    }

    /// The dimensions, outermost first.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Dim, Shape};
    /// assert_eq!(Shape::from([32, 10]).dims(), [Dim::Fixed(32), Dim::Fixed(10)]);
    /// ```
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// All sizes, if all are known.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Dim, Shape};
    /// assert_eq!(Shape::from([32, 10]).fixed(), Some(vec![32, 10]));
    /// assert_eq!(Shape::from([Dim::BATCH, Dim::Fixed(10)]).fixed(), None);
    /// ```
    pub fn fixed(&self) -> Option<Vec<usize>> {
        self.0.iter().map(|d| d.fixed()).collect()
    }

    /// The number of elements, if all sizes are known.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Dim, Shape};
    /// assert_eq!(Shape::from([28, 28]).elements(), Some(784));
    /// assert_eq!(Shape::new([]).elements(), Some(1)); // one number
    /// assert_eq!(Shape::from([Dim::BATCH]).elements(), None);
    /// ```
    pub fn elements(&self) -> Option<usize> {
        self.0.iter().try_fold(1usize, |product, d| d.fixed().and_then(|n| product.checked_mul(n)))
    }

    /// The axis that `axis` names, counted from the end when negative.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Shape;
    /// let shape = Shape::from([32, 28, 28]);
    /// assert_eq!(shape.axis(-1), Some(2));
    /// assert_eq!(shape.axis(3), None);
    /// ```
    pub fn axis(&self, axis: isize) -> Option<usize> {
        let rank = self.0.len() as isize;
        let index = if axis < 0 { axis + rank } else { axis };
        (0..rank).contains(&index).then_some(index as usize)
    }

    /// The shape that both broadcast to, by NumPy's rule: aligned at the right, sizes equal or one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Shape;
    /// let (column, row) = (Shape::from([3, 1]), Shape::from([4]));
    /// assert_eq!(column.broadcast(&row), Some(Shape::from([3, 4])));
    /// assert_eq!(Shape::from([3]).broadcast(&row), None);
    /// ```
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.len().max(other.len());
        let at =
            |shape: &Shape, i: usize| (i + shape.len()).checked_sub(rank).map_or(Dim::Fixed(1), |j| shape[j]);
        (0..rank)
            .map(|i| match (at(self, i), at(other, i)) {
                (a, b) if a == b => Some(a),
                (Dim::Fixed(1), b) => Some(b),
                (a, Dim::Fixed(1)) => Some(a),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Shape)
    }

    /// This shape without the axis at `index`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Shape;
    /// assert_eq!(Shape::from([32, 20, 64]).without(1), Shape::from([32, 64]));
    /// ```
    pub fn without(&self, index: usize) -> Shape {
        let mut dims = self.0.clone();
        dims.remove(index);
        Shape(dims)
    }

    /// This shape with the size of the axis at `index` replaced.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Shape;
    /// assert_eq!(Shape::from([32, 784]).with(1, 300), Shape::from([32, 300]));
    /// ```
    pub fn with(&self, index: usize, dim: impl Into<Dim>) -> Shape {
        let mut dims = self.0.clone();
        dims[index] = dim.into();
        Shape(dims)
    }
}

impl Deref for Shape {
    type Target = [Dim];
    fn deref(&self) -> &[Dim] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{dim}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<D: Into<Dim>, const N: usize> From<[D; N]> for Shape {
    fn from(dims: [D; N]) -> Shape {
        Shape(dims.into_iter().map(Into::into).collect())
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Shape {
        Shape(dims.iter().map(|&n| Dim::Fixed(n)).collect())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Shape {
        Shape::from(&dims[..])
    }
}

impl From<&Vec<usize>> for Shape {
    fn from(dims: &Vec<usize>) -> Shape {
        Shape::from(&dims[..])
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Shape {
        Shape(dims)
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

/// Row-major strides of fixed sizes, in elements.
///
/// # Example
/// ```
/// # use carnyx_graph::row_major_strides;
/// assert_eq!(row_major_strides(&[2, 3, 4]), [12, 4, 1]);
/// ```
pub fn row_major_strides(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * sizes[i];
    }
    strides
}
