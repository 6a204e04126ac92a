//! What goes with a variable beside its value: the penalty for it, and the bounds that it is kept in.
//!
//! Both are functions from tensors to tensors that a layer attaches to its variables. Whoever makes a training step
//! asks the variables for them, so no layer computes them itself and no copy of a layer loses them.

use crate::{Tensor, Variable};
use std::any::Any;
use std::sync::Arc;

/// A penalty for values that are not wanted, such as large weights: a number that is added to the loss.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Regularizer, Tensor, Variable};
/// use std::sync::Arc;
///
/// /// A quarter of the fourth powers.
/// struct Quartic;
/// impl Regularizer for Quartic {
///     fn penalty(&self, x: &Tensor) -> Tensor {
///         x.square().square().sum() * 0.25
///     }
/// }
/// let kernel = Variable::from(Array::from([1f32, 2.0])).regularized(Arc::new(Quartic));
/// assert_eq!(kernel.penalty().unwrap().rank(), 0);
/// ```
pub trait Regularizer: Any + Send + Sync {
    /// The penalty for `x`: one number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Regularizer, Tensor};
    /// struct Size;
    /// impl Regularizer for Size {
    ///     fn penalty(&self, x: &Tensor) -> Tensor {
    ///         x.abs().sum()
    ///     }
    /// }
    /// assert_eq!(Size.penalty(&Tensor::input("x", [3])).rank(), 0);
    /// ```
    fn penalty(&self, x: &Tensor) -> Tensor;
}

/// Bounds of a weight: what becomes of its new value after each step of an optimizer.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Constraint, Tensor, Variable};
/// use std::sync::Arc;
///
/// /// No weight is larger than one.
/// struct Box;
/// impl Constraint for Box {
///     fn constrain(&self, weight: &Tensor) -> Tensor {
///         weight.clip(-1.0, 1.0)
///     }
/// }
/// let kernel = Variable::from(Array::from([1f32, 2.0])).constrained(Arc::new(Box));
/// assert!(kernel.constraint().is_some());
/// ```
pub trait Constraint: Any + Send + Sync {
    /// The value that the weight takes instead of `weight`, of the same shape.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Constraint, Tensor};
    /// struct Positive;
    /// impl Constraint for Positive {
    ///     fn constrain(&self, weight: &Tensor) -> Tensor {
    ///         weight.relu()
    ///     }
    /// }
    /// let weight = Tensor::input("weight", [3]);
    /// assert_eq!(Positive.constrain(&weight).shape(), weight.shape());
    /// ```
    fn constrain(&self, weight: &Tensor) -> Tensor;
}

impl<R: Regularizer + ?Sized> Regularizer for Arc<R> {
    fn penalty(&self, x: &Tensor) -> Tensor {
        (**self).penalty(x)
    }
}

impl<C: Constraint + ?Sized> Constraint for Arc<C> {
    fn constrain(&self, weight: &Tensor) -> Tensor {
        (**self).constrain(weight)
    }
}

/// What is attached to a variable.
#[derive(Clone, Default)]
pub(crate) struct Attributes {
    pub(crate) regularizer: Option<Arc<dyn Regularizer>>,
    pub(crate) constraint: Option<Arc<dyn Constraint>>,
}

/// Penalties and bounds. A layer attaches them before the variable's first use; programs that are traced already do
/// not learn of later ones.
impl Variable {
    /// The same variable with a penalty that training adds to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Regularizer, Tensor, Variable};
    /// # use std::sync::Arc;
    /// # struct Size;
    /// # impl Regularizer for Size {
    /// #     fn penalty(&self, x: &Tensor) -> Tensor { x.abs().sum() }
    /// # }
    /// let kernel = Variable::from(Array::from([1f32, 2.0])).regularized(Arc::new(Size));
    /// assert!(kernel.regularizer().is_some());
    /// ```
    #[must_use]
    pub fn regularized(self, regularizer: Arc<dyn Regularizer>) -> Variable {
        self.change_attributes(|attributes| attributes.regularizer = Some(regularizer));
        self
    }

    /// The same variable with bounds that each step of an optimizer keeps it in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Constraint, Tensor, Variable};
    /// # use std::sync::Arc;
    /// # struct Positive;
    /// # impl Constraint for Positive {
    /// #     fn constrain(&self, weight: &Tensor) -> Tensor { weight.relu() }
    /// # }
    /// let kernel = Variable::from(Array::from([1f32, 2.0])).constrained(Arc::new(Positive));
    /// assert!(kernel.constraint().is_some());
    /// ```
    #[must_use]
    pub fn constrained(self, constraint: Arc<dyn Constraint>) -> Variable {
        self.change_attributes(|attributes| attributes.constraint = Some(constraint));
        self
    }

    /// The penalty function attached to this variable.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// assert!(Variable::from(Array::scalar(1f32)).regularizer().is_none());
    /// ```
    pub fn regularizer(&self) -> Option<Arc<dyn Regularizer>> {
        self.attributes().regularizer
    }

    /// The bounds attached to this variable.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// assert!(Variable::from(Array::scalar(1f32)).constraint().is_none());
    /// ```
    pub fn constraint(&self) -> Option<Arc<dyn Constraint>> {
        self.attributes().constraint
    }

    /// The penalty for this variable's value: one number; `None` if no function is attached.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// assert!(Variable::from(Array::scalar(1f32)).penalty().is_none());
    /// ```
    #[track_caller]
    pub fn penalty(&self) -> Option<Tensor> {
        self.regularizer().map(|regularizer| regularizer.penalty(&Tensor::read(self)))
    }
}
