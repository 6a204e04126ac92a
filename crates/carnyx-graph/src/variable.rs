//! Named state that outlives a program: weights, optimizer slots, moving averages, running totals.
//!
//! This is the only mutable thing in Carnyx and this file holds the only lock. A variable's value changes when a
//! program ends or by [`Variable::assign`] from outside; a program that updates it in place *checks it out* first,
//! and readers wait until it is checked in again. Invariant: once a variable has a shape, it keeps it.

use crate::attributes::Attributes;
use crate::op::Address;
use crate::{Array, DType, Error, Result, Tensor};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How a variable gets its first value: a tensor of the wanted shape, computed when it is first needed.
///
/// # Example
/// ```
/// use carnyx_graph::{Address, Initializer, Tensor};
///
/// /// Uniform in (-0.1, 0.1).
/// #[derive(Debug)]
/// struct Small;
/// impl Initializer for Small {
///     fn initial(&self, shape: &[usize], address: Address) -> Tensor {
///         Tensor::random_uniform(shape, address) * 0.2 - 0.1
///     }
/// }
/// let kernel = carnyx_graph::Variable::new(Small);
/// assert!(kernel.shape().is_none(), "the first use gives the shape");
/// ```
pub trait Initializer: fmt::Debug + Send + Sync + Any {
    /// The first value of a variable of `shape`; random numbers come from `address`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Array, Initializer};
    /// let ones = Array::full([3], 1f32); // an array is an initializer, too
    /// assert_eq!(ones.initial(&[3], Address::of("scale")).shape().to_string(), "[3]");
    /// ```
    fn initial(&self, shape: &[usize], address: Address) -> Tensor;
}

/// The array is the first value; its shape must be the variable's.
impl Initializer for Array {
    fn initial(&self, _shape: &[usize], _address: Address) -> Tensor {
        Tensor::constant(self)
    }
}

impl<I: Initializer + ?Sized> Initializer for Arc<I> {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        (**self).initial(shape, address)
    }
}

/// Named state that outlives a program. Clones share it; see [`Variable::fork`] for a copy.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Variable};
/// let weight = Variable::from(Array::from([1.0f32, 2.0]));
/// let same = weight.clone();
/// same.assign(&Array::from([3.0f32, 4.0]))?;
/// assert_eq!(weight.value()?, Array::from([3.0f32, 4.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone)]
pub struct Variable(Arc<Cell>);

struct Cell {
    id: u64,
    dtype: DType,
    initializer: Arc<dyn Initializer>,
    state: Mutex<State>,
    checked_in: Condvar,
}

#[derive(Clone)]
struct State {
    shape: Option<Vec<usize>>,
    value: Option<Array>,
    checked_out: bool,
    waiting: usize,
    by_gradients: bool,
    frozen: bool,
    path: Option<Arc<str>>,
    attributes: Attributes,
}

impl Variable {
    /// A variable of `f32` whose shape is given by its first use and whose first value comes from `initializer`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let bias = Variable::new(Array::from([0f32, 0.0]));
    /// assert!(!bias.has_value()); // drawn when it is first needed
    /// ```
    pub fn new(initializer: impl Initializer + 'static) -> Variable {
        Variable::build(Arc::new(initializer), DType::F32, None, None)
    }

    /// The same with another element type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Variable};
    /// let count = Variable::with_dtype(Array::scalar(0i64), DType::I64);
    /// assert_eq!(count.dtype(), DType::I64);
    /// ```
    pub fn with_dtype(initializer: impl Initializer + 'static, dtype: DType) -> Variable {
        Variable::build(Arc::new(initializer), dtype, None, None)
    }

    fn build(
        initializer: Arc<dyn Initializer>,
        dtype: DType,
        shape: Option<Vec<usize>>,
        value: Option<Array>,
    ) -> Variable {
        // The counter tells variables apart and orders their locks; no result depends on it.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let state = State {
            shape,
            value,
            checked_out: false,
            waiting: 0,
            by_gradients: true,
            frozen: false,
            path: None,
            attributes: Attributes::default(),
        };
        Variable(Arc::new(Cell {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            dtype,
            initializer,
            state: Mutex::new(state),
            checked_in: Condvar::new(),
        }))
    }

    /// The same, but never trained, whatever is unfrozen: moving averages, counters, statistics of the data.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let moving_mean = Variable::from(Array::from([0f32, 0.0])).untrained();
    /// moving_mean.set_trainable(true); // as a model does when it is unfrozen
    /// assert!(!moving_mean.is_trainable());
    /// ```
    pub fn untrained(self) -> Variable {
        {
            let mut state = self.state();
            state.by_gradients = false;
        }
        self
    }

    /// A variable like this one, not used yet, whose first value comes from another initializer: its penalty, its
    /// bounds and whether it is trained are kept.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let frozen = Variable::new(Array::from([0f32])).untrained();
    /// assert!(!frozen.initialized_by(Array::from([1f32])).is_trainable());
    /// ```
    #[must_use]
    pub fn initialized_by(self, initializer: impl Initializer + 'static) -> Variable {
        let variable = Variable::build(Arc::new(initializer), self.0.dtype, None, None);
        {
            let (old, mut new) = (self.state(), variable.state());
            (new.by_gradients, new.frozen) = (old.by_gradients, old.frozen);
            new.attributes = old.attributes.clone();
        }
        variable
    }

    pub(crate) fn attributes(&self) -> Attributes {
        self.state().attributes.clone()
    }

    pub(crate) fn change_attributes(&self, change: impl FnOnce(&mut Attributes)) {
        change(&mut self.state().attributes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: each change below is one assignment.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, once no program is writing it.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while state.checked_out {
            state.waiting += 1;
            state = self.0.checked_in.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state
    }

    /// A number that no other living variable has.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::from(Array::scalar(1f32));
    /// assert_eq!(weight.id(), weight.clone().id());
    /// assert_ne!(weight.id(), weight.fork().id());
    /// ```
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The element type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType, Variable};
    /// assert_eq!(Variable::from(Array::scalar(1f64)).dtype(), DType::F64);
    /// ```
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The shape, once the first use has given it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let kernel = Variable::new(Array::from([[1f32, 2.0]]));
    /// assert_eq!(kernel.shape(), None);
    /// let _ = kernel.shaped([1, 2]); // its first use
    /// assert_eq!(kernel.shape(), Some(vec![1, 2]));
    /// ```
    pub fn shape(&self) -> Option<Vec<usize>> {
        self.state().shape.clone()
    }

    /// Whether the shape is `sizes`; copies nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::from(Array::from([[1f32, 2.0]]));
    /// assert!(weight.has_shape(&[1, 2]) && !weight.has_shape(&[2]));
    /// ```
    pub fn has_shape(&self, sizes: &[usize]) -> bool {
        self.state().shape.as_deref() == Some(sizes)
    }

    /// Whether there is a value already.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::new(Array::from([1f32]));
    /// assert!(!weight.has_value());
    /// weight.assign(&Array::from([2f32]))?;
    /// assert!(weight.has_value());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn has_value(&self) -> bool {
        let state = self.state();
        state.checked_out || state.value.is_some()
    }

    /// The value.
    ///
    /// # Errors
    /// `variable`, if it has not been given one yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::from(Array::from([1f32, 2.0]));
    /// assert_eq!(weight.value()?.values(), [1.0, 2.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn value(&self) -> Result<Array> {
        // The lock is released before the message asks for it again.
        let value = self.settled().value.clone();
        value.ok_or_else(|| {
            Error::new("variable", format!("{self:?} has no value yet"))
                .help("values are drawn at the first `fit`, `predict`, `eval` or `initialize`")
        })
    }

    /// Sets the value.
    ///
    /// # Errors
    /// `shape` or `dtype`, if the variable has another.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::from(Array::from([1f32, 2.0]));
    /// weight.assign(&Array::from([3f32, 4.0]))?;
    /// assert_eq!(weight.assign(&Array::from([5f32])).unwrap_err().code(), "shape");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn assign(&self, value: &Array) -> Result {
        let mut state = self.settled();
        if value.dtype() != self.0.dtype {
            return Err(Error::new(
                "dtype",
                format!("cannot assign {} to {} variable", value.dtype(), self.0.dtype),
            ));
        }
        match &state.shape {
            Some(shape) if shape != value.shape() => Err(Error::new(
                "shape",
                format!("cannot assign {:?} to a variable of shape {shape:?}", value.shape()),
            )),
            _ => {
                state.shape = Some(value.shape().to_vec());
                state.value = Some(value.clone());
                Ok(())
            }
        }
    }

    /// Takes the value away; the next program that works with the variable draws a first one. The shape stays.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::from(Array::from([1f32, 2.0]));
    /// weight.clear();
    /// assert!(!weight.has_value() && weight.has_shape(&[2]));
    /// ```
    pub fn clear(&self) {
        self.settled().value = None;
    }

    /// The tensor that computes the first value; `None` if there is a value already.
    ///
    /// # Errors
    /// `variable`, if no use has given the variable a shape yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let bias = Variable::new(Array::from([0f32, 0.0]));
    /// assert_eq!(bias.initial().unwrap_err().code(), "variable"); // it has no shape yet
    /// let _ = bias.shaped([2]);
    /// assert!(bias.initial()?.is_some());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn initial(&self) -> Result<Option<Tensor>> {
        let (shape, address) = {
            let state = self.state();
            if state.checked_out || state.value.is_some() {
                return Ok(None);
            }
            let address = state.path.as_ref().map_or(Address(self.0.id), |path| Address::of(path));
            (state.shape.clone(), address)
        };
        let Some(shape) = shape else {
            return Err(Error::new("variable", format!("{self:?} has no shape yet"))
                .help("a variable gets its shape at its first use in `call`, by `.shaped(..)`"));
        };
        let tensor = self.0.initializer.initial(&shape, address);
        let facts = tensor.facts()?;
        if facts.shape.fixed().as_ref() != Some(&shape) {
            return Err(Error::new(
                "shape",
                format!("the initial value of {self:?} has shape {}", facts.shape),
            )
            .label(format!("the variable has shape {shape:?}")));
        }
        Ok(Some(tensor.cast(self.0.dtype)))
    }

    /// The initializer, for `summary` and saving.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let bias = Variable::new(Array::from([0f32]));
    /// assert_eq!(format!("{:?}", bias.initializer()), "f32[1] [0]");
    /// ```
    pub fn initializer(&self) -> &dyn Initializer {
        &*self.0.initializer
    }

    /// Whether an optimizer may change this variable.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// assert!(Variable::from(Array::scalar(1f32)).is_trainable());
    /// ```
    pub fn is_trainable(&self) -> bool {
        let state = self.state();
        state.by_gradients && !state.frozen
    }

    /// Freezes (`false`) or unfreezes this variable. The next training step follows it; nothing is compiled again.
    /// What is [`untrained`](Variable::untrained) by nature stays so.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let kernel = Variable::from(Array::from([1f32, 2.0]));
    /// kernel.set_trainable(false);
    /// assert!(!kernel.is_trainable());
    /// ```
    pub fn set_trainable(&self, trainable: bool) {
        let mut state = self.state();
        state.frozen = !trainable;
    }

    /// Whether [`set_trainable(false)`](Variable::set_trainable) was the last word on this variable: a layer that is
    /// frozen as a whole may behave differently, even if gradients change none of its variables anyway.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let moving_mean = Variable::from(Array::from([0f32, 0.0])).untrained();
    /// assert!(!moving_mean.is_frozen() && !moving_mean.is_trainable());
    /// moving_mean.set_trainable(false);
    /// assert!(moving_mean.is_frozen());
    /// ```
    pub fn is_frozen(&self) -> bool {
        self.state().frozen
    }

    /// The place in the model: `dense_1/kernel`. Initial values depend on it, so a model gives it before they are
    /// drawn.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let kernel = Variable::from(Array::scalar(1f32));
    /// assert_eq!(kernel.path(), None); // no model has it yet
    /// ```
    pub fn path(&self) -> Option<Arc<str>> {
        self.state().path.clone()
    }

    /// Sets the place in the model.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let kernel = Variable::from(Array::from([1f32, 2.0]));
    /// kernel.set_path("dense_1/kernel");
    /// assert_eq!(format!("{kernel:?}"), "variable `dense_1/kernel` f32[2]");
    /// ```
    pub fn set_path(&self, path: &str) {
        self.state().path = Some(path.into());
    }

    /// This variable as a tensor of `shape`. The first call gives the variable its shape, later calls check it.
    /// Where the shape cannot be (an axis of unknown size, another shape before), the tensor is invalid and the
    /// error is reported when the model is built.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let kernel = Variable::new(Array::full([784, 300], 0f32));
    /// let x = Tensor::input("x", [784]);
    /// assert_eq!(x.matmul(kernel.shaped([784, 300])).shape().to_string(), "[batch, 300]");
    /// assert!(kernel.shaped([10, 300]).is_invalid()); // another shape than before
    /// ```
    #[track_caller]
    pub fn shaped(&self, shape: impl Into<Vec<usize>>) -> Tensor {
        let shape = shape.into();
        if shape.contains(&0) {
            return Tensor::invalid(
                Error::new("shape", format!("a variable cannot have the shape {shape:?}"))
                    .label("one of its sizes is zero or not known")
                    .help("only the batch axis may be unknown: give the input's other sizes, for example with `Input`"),
            );
        }
        let mut state = self.state();
        match &state.shape {
            Some(old) if *old != shape => {
                let error =
                    Error::new("shape", format!("a variable of shape {old:?} is now asked for {shape:?}"))
                        .label("built for one input, called with another")
                        .help("use a new layer for the second input, or give both inputs the same last axis");
                drop(state);
                Tensor::invalid(error)
            }
            Some(_) => {
                drop(state);
                Tensor::read(self)
            }
            None => {
                state.shape = Some(shape);
                drop(state);
                Tensor::read(self)
            }
        }
    }

    /// An independent variable with the same value, shape, path, trainability, penalty and bounds.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Variable};
    /// let weight = Variable::from(Array::scalar(1f32));
    /// let copy = weight.fork();
    /// copy.assign(&Array::scalar(2f32))?;
    /// assert_eq!(weight.value()?.item()?, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn fork(&self) -> Variable {
        let state = State { waiting: 0, ..self.settled().clone() };
        let copy = Variable::build(self.0.initializer.clone(), self.0.dtype, None, None);
        *copy.state() = state;
        copy
    }

    /// Takes the value out, to be changed in place; everybody else waits until [`Variable::check_in`]. For
    /// executors: they check out in the order of [`Variable::id`], so that two programs never wait for each other.
    #[doc(hidden)]
    pub fn check_out(&self) -> Option<Array> {
        let mut state = self.settled();
        let value = state.value.take();
        state.checked_out = value.is_some();
        value
    }

    /// Gives the value back after [`Variable::check_out`].
    #[doc(hidden)]
    pub fn check_in(&self, value: Array) {
        let mut state = self.state();
        state.value = Some(value);
        state.checked_out = false;
        // Waking nobody would still be a call of the operating system, for each variable of each step.
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            self.0.checked_in.notify_all();
        }
    }
}

impl PartialEq for Variable {
    /// Whether both are the same variable.
    fn eq(&self, other: &Variable) -> bool {
        self.0.id == other.0.id
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let state = self.state();
        match &state.path {
            Some(path) => write!(f, "variable `{path}`")?,
            None => f.write_str("an unnamed variable")?,
        }
        match &state.shape {
            Some(shape) => write!(f, " {}{shape:?}", self.0.dtype),
            None => Ok(()),
        }
    }
}

impl From<Array> for Variable {
    fn from(value: Array) -> Variable {
        let (dtype, shape) = (value.dtype(), value.shape().to_vec());
        Variable::build(Arc::new(value.clone()), dtype, Some(shape), Some(value))
    }
}
