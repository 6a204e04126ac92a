//! Expressions: what a user's layers describe, before anything is computed.
//!
//! A [`Tensor`] is an immutable node: an operation, its operands, and what is known of the result. Describing never
//! fails: an impossible operation makes an *invalid* tensor that swallows what follows, and the first cause is
//! reported when a program is built. The methods live in files by family: `math`, `movement`, `reduce`, `index`,
//! `linear`, `random`; `mask` has what travels with a tensor to later layers.

mod index;
mod linear;
mod mask;
mod math;
mod movement;
mod random;
mod redraw;
mod reduce;

pub use movement::{concat, stack};
pub use redraw::{Application, Origin, described, in_order, in_order_from, made_of, redraw, redraw_with};
pub use reduce::Axes;

use crate::infer::{Facts, infer};
use crate::op::{Op, Scope};
use crate::{Array, DType, Dim, Element, Error, Result, Shape, Variable};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Whether values belong to training or to inference. The mode flows with the data: the result of an operation has
/// the greatest mode of its operands.
///
/// # Example
/// ```
/// use carnyx_graph::{Mode, Tensor};
/// let (weight, data) = (Tensor::scalar(0.5f32), Tensor::scalar(3f32).in_mode(Mode::Training));
/// assert_eq!(weight.mode(), Mode::Constant);
/// assert_eq!((weight * data).mode(), Mode::Training); // the greatest mode of the operands
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Known without any data: constants and variables.
    Constant,
    /// Data to predict from.
    Inference,
    /// Data to learn from.
    Training,
    /// A model's drawing, which later runs in either mode.
    Blueprint,
}

/// What else happens when a tensor is computed.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Effect, Tensor, Variable};
/// let count = Variable::from(Array::scalar(0i64));
/// let x = Tensor::input("x", [4]).and_update(&count, Tensor::read(&count) + 1i64);
/// assert!(matches!(x.effects(), [Effect::Update(variable, _)] if *variable == count));
/// ```
#[derive(Clone, Debug)]
pub enum Effect {
    /// When the program ends, the variable takes the value.
    Update(Variable, Tensor),
    /// In training, the value is added to the loss.
    Loss(Tensor),
    /// What follows is told which steps count; `None`: all, whatever was said before. See [`Tensor::mask`].
    Mask(Option<Tensor>),
}

/// A value that will be known when a program runs: an immutable node of an expression.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// let x = Tensor::from(&Array::from([[1.0f32, 2.0], [3.0, 4.0]]));
/// let y = (&x * 2.0 + 1.0).sum_along(0);
/// assert_eq!(y.shape().to_string(), "[2]");
///
/// let wrong = x.matmul(&Tensor::from(&Array::from([[1.0f32]])));   // describing never fails …
/// assert!(wrong.check().is_err());                                // … building does
/// ```
#[derive(Clone)]
pub struct Tensor(Arc<Node>);

struct Node {
    op: Op,
    sources: Vec<Tensor>,
    facts: Result<Facts>,
    mode: Mode,
    effects: Vec<Effect>,
    origin: Option<Origin>,
    site: &'static Location<'static>,
}

/// Long chains would overflow the stack if each node dropped its sources recursively.
impl Drop for Node {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        self.take_apart(&mut pending);
        while let Some(tensor) = pending.pop() {
            if let Some(mut node) = Arc::into_inner(tensor.0) {
                node.take_apart(&mut pending);
            }
        }
    }
}

impl Node {
    /// Moves all tensors that this node holds to `pending`.
    fn take_apart(&mut self, pending: &mut Vec<Tensor>) {
        pending.append(&mut self.sources);
        pending.extend(self.effects.drain(..).filter_map(|effect| match effect {
            Effect::Update(_, tensor) | Effect::Loss(tensor) => Some(tensor),
            Effect::Mask(mask) => mask,
        }));
        if let Some(mut application) =
            self.origin.take().and_then(|origin| Arc::into_inner(origin.application))
        {
            pending.append(&mut application.inputs);
        }
    }
}

impl Tensor {
    /// A node that applies `op` to `sources`. The first invalid source makes the result invalid with its error.
    #[track_caller]
    pub(crate) fn node(op: Op, sources: Vec<Tensor>) -> Tensor {
        Tensor::node_at(op, sources, Location::caller())
    }

    fn node_at(op: Op, sources: Vec<Tensor>, site: &'static Location<'static>) -> Tensor {
        let facts = match sources.iter().find_map(|s| s.0.facts.as_ref().err()) {
            Some(error) => Err(error.clone()),
            None => {
                let operands: Vec<&Facts> = sources.iter().filter_map(|s| s.0.facts.as_ref().ok()).collect();
                infer(&op, &operands).map_err(|error| error.at(site))
            }
        };
        let mode = sources.iter().map(|s| s.0.mode).max().unwrap_or(Mode::Constant);
        Tensor(Arc::new(Node { op, sources, facts, mode, effects: Vec::new(), origin: None, site }))
    }

    #[track_caller]
    pub(crate) fn leaf(op: Op, facts: Facts, mode: Mode) -> Tensor {
        Tensor::leaf_at(op, facts, mode, Location::caller())
    }

    fn leaf_at(op: Op, facts: Facts, mode: Mode, site: &'static Location<'static>) -> Tensor {
        let (sources, effects) = (Vec::new(), Vec::new());
        Tensor(Arc::new(Node { op, sources, facts: Ok(facts), mode, effects, origin: None, site }))
    }

    /// A tensor that stands for an error; whatever is computed from it is invalid too.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Error, Tensor};
    /// let y = Tensor::invalid(Error::new("units", "a layer needs at least one unit")).relu() + 1.0;
    /// assert_eq!(y.check().unwrap_err().code(), "units");
    /// ```
    #[track_caller]
    pub fn invalid(error: Error) -> Tensor {
        let site = Location::caller();
        let error = if error.site().is_some() { error } else { error.at(site) };
        let op = Op::Constant(Array::scalar(f32::NAN));
        let (sources, effects) = (Vec::new(), Vec::new());
        let (mode, origin) = (Mode::Constant, None);
        Tensor(Arc::new(Node { op, sources, facts: Err(error), mode, effects, origin, site }))
    }

    /// A model's input in a blueprint: `[batch, shape…]` of `f32`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// assert_eq!(Tensor::input("pixels", [28, 28]).shape().to_string(), "[batch, 28, 28]");
    /// ```
    #[track_caller]
    pub fn input(name: &str, shape: impl Into<Vec<usize>>) -> Tensor {
        let mut dims = vec![Dim::BATCH];
        dims.extend(shape.into().into_iter().map(Dim::Fixed));
        Tensor::placeholder(name, Facts::new(dims, DType::F32), Mode::Blueprint)
    }

    /// A value that each run is given by name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Facts, Mode, Tensor};
    /// let x = Tensor::placeholder("words", Facts::new([32, 20], DType::I64), Mode::Inference);
    /// assert_eq!(format!("{x:?}"), "input i64[32, 20]");
    /// ```
    #[track_caller]
    pub fn placeholder(name: &str, facts: Facts, mode: Mode) -> Tensor {
        Tensor::leaf(Op::Input(name.into()), facts, mode)
    }

    /// A value that is known now.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let classes = Tensor::constant(&Array::from([1i64, 2, 3])); // `Tensor::from` says the same
    /// assert_eq!(format!("{classes:?}"), "constant i64[3]");
    /// ```
    #[track_caller]
    pub fn constant(array: &Array) -> Tensor {
        let facts = Facts::new(array.shape(), array.dtype());
        Tensor::leaf(Op::Constant(array.clone()), facts, Mode::Constant)
    }

    /// One number that is known now.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// let half = Tensor::scalar(0.5f64);
    /// assert_eq!((half.rank(), half.dtype()), (0, DType::F64));
    /// ```
    #[track_caller]
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::constant(&Array::scalar(value))
    }

    /// A variable's value when the run begins. Invalid if the variable has no shape yet: see
    /// [`Variable::shaped`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let bias = Variable::from(Array::from([0f32, 0.0]));
    /// assert_eq!(format!("{:?}", Tensor::read(&bias)), "read f32[2]");
    /// ```
    #[track_caller]
    pub fn read(variable: &Variable) -> Tensor {
        match variable.shape() {
            Some(shape) => {
                let facts = Facts::new(&shape, variable.dtype());
                Tensor::leaf(Op::Read(variable.clone()), facts, Mode::Constant)
            }
            None => Tensor::invalid(
                Error::new("variable", format!("{variable:?} has no shape yet"))
                    .help("give it one at its first use: `variable.shaped([..])`"),
            ),
        }
    }

    /// `value` in every element of `shape`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let ones = Tensor::full([2, 3], 1f32);
    /// assert_eq!(format!("{ones:?}"), "broadcast f32[2, 3]");
    /// ```
    #[track_caller]
    pub fn full<T: Element>(shape: impl Into<Shape>, value: T) -> Tensor {
        Tensor::scalar(value).broadcast_to(shape)
    }

    /// The size along each axis; no axes if this tensor is invalid.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Dim, Shape, Tensor};
    /// let x = Tensor::input("x", [28, 28]);
    /// assert_eq!(x.shape(), Shape::new([Dim::BATCH, Dim::Fixed(28), Dim::Fixed(28)]));
    /// ```
    pub fn shape(&self) -> Shape {
        self.0.facts.as_ref().map(|f| f.shape.clone()).unwrap_or_default()
    }

    /// The number of axes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// assert_eq!(Tensor::input("x", [28, 28]).rank(), 3); // with the batch
    /// ```
    pub fn rank(&self) -> usize {
        self.0.facts.as_ref().map_or(0, |f| f.shape.len())
    }

    /// The size along `axis` (from the end when negative); 0 where it is not known or there is no such axis.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [28, 30]);
    /// assert_eq!(x.dim(-1), 30);
    /// assert_eq!(x.dim(0), 0); // nobody knows the size of the batch yet
    /// ```
    pub fn dim(&self, axis: isize) -> usize {
        let size = |facts: &Facts| facts.shape.axis(axis).and_then(|i| facts.shape[i].fixed());
        self.0.facts.as_ref().ok().and_then(size).unwrap_or(0)
    }

    /// The element type; `f32` if this tensor is invalid.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Tensor};
    /// assert_eq!(Tensor::scalar(7i64).dtype(), DType::I64);
    /// ```
    pub fn dtype(&self) -> DType {
        self.0.facts.as_ref().map_or(DType::F32, |f| f.dtype)
    }

    /// Shape and type.
    ///
    /// # Errors
    /// The first cause, if this tensor is invalid.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Dim, Facts, Tensor};
    /// let x = Tensor::input("x", [4]);
    /// assert_eq!(*x.facts()?, Facts::new([Dim::BATCH, Dim::Fixed(4)], DType::F32));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn facts(&self) -> Result<&Facts> {
        self.0.facts.as_ref().map_err(Clone::clone)
    }

    /// Whether this tensor can be computed.
    ///
    /// # Errors
    /// The first cause, if it cannot.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let sum = Tensor::input("x", [4]) + Tensor::input("y", [5]);
    /// assert_eq!(sum.check().unwrap_err().title(), "cannot add [batch, 4] and [batch, 5]");
    /// ```
    pub fn check(&self) -> Result {
        self.facts().map(|_| ())
    }

    /// Whether this tensor stands for an error.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert!(x.reshape([3]).is_invalid());
    /// assert!(x.reshape([3]).exp().is_invalid()); // and so is what follows
    /// ```
    pub fn is_invalid(&self) -> bool {
        self.0.facts.is_err()
    }

    /// The mode: see [`Mode`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Mode, Tensor};
    /// assert_eq!(Tensor::input("x", [4]).mode(), Mode::Blueprint);
    /// ```
    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Whether this is data to learn from.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Mode, Tensor};
    /// let x = Tensor::input("x", [4]);
    /// assert!(!x.is_training());
    /// assert!(x.in_mode(Mode::Training).relu().is_training());
    /// ```
    pub fn is_training(&self) -> bool {
        self.0.mode == Mode::Training
    }

    /// The operation that computes this tensor.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert_eq!(x.sum_along(1).op().to_string(), "reduce_sum axes=[1]");
    /// ```
    pub fn op(&self) -> &Op {
        &self.0.op
    }

    /// The operands.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let sum = &x + x.exp();
    /// assert_eq!(sum.sources()[0].address(), x.address());
    /// assert_eq!(sum.sources()[1].op().name(), "exp");
    /// ```
    pub fn sources(&self) -> &[Tensor] {
        &self.0.sources
    }

    /// What else happens when this tensor is computed.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert_eq!(x.and_loss(x.square().mean() * 0.01).effects().len(), 1);
    /// ```
    pub fn effects(&self) -> &[Effect] {
        &self.0.effects
    }

    /// The place in the user's code.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let (x, line) = (Tensor::scalar(1f32), line!());
    /// assert_eq!(x.site().line(), line);
    /// ```
    pub fn site(&self) -> &'static Location<'static> {
        self.0.site
    }

    /// A number that no other living node has.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert_eq!(x.address(), x.clone().address());
    /// assert_ne!(x.exp().address(), x.exp().address()); // described twice; a graph computes it once
    /// ```
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// The same value in another mode.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Mode, Tensor};
    /// let data = Tensor::from(Array::from([[1f32, 2.0]])).in_mode(Mode::Training);
    /// assert!(data.is_training());
    /// ```
    #[track_caller]
    pub fn in_mode(&self, mode: Mode) -> Tensor {
        self.identity(Op::InMode, mode, Vec::new())
    }

    fn identity_node(&self, op: Op) -> Node {
        let (sources, facts, mode, site) =
            (vec![self.clone()], self.0.facts.clone(), self.0.mode, self.0.site);
        Node { op, sources, facts, mode, effects: Vec::new(), origin: None, site }
    }

    #[track_caller]
    fn identity(&self, op: Op, mode: Mode, effects: Vec<Effect>) -> Tensor {
        let (sources, facts, site) = (vec![self.clone()], self.0.facts.clone(), Location::caller());
        Tensor(Arc::new(Node { op, sources, facts, mode, effects, origin: None, site }))
    }

    /// The same value; whenever it is computed, `variable` takes `value` when the program ends.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor, Variable};
    /// let average = Variable::from(Array::from([0f32, 0.0]));
    /// let x = Tensor::from(Array::from([[1f32, 2.0], [3.0, 4.0]]));
    /// let next = Tensor::read(&average) * 0.9 + x.mean_along(0) * 0.1;
    /// let graph = Graph::capture(&[x.and_update(&average, next)], &[])?;
    /// assert_eq!(graph.updates.len(), 1); // nobody has to ask for the average
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn and_update(&self, variable: &Variable, value: impl Into<Tensor>) -> Tensor {
        let effect = Effect::Update(variable.clone(), value.into());
        self.identity(Op::InMode, self.0.mode, vec![effect])
    }

    /// The same value; in training, `penalty` (one number) is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Effect, Tensor};
    /// let hidden = Tensor::input("x", [300]).relu();
    /// let penalized = hidden.and_loss(hidden.abs().mean() * 1e-3);
    /// assert!(matches!(penalized.effects(), [Effect::Loss(penalty)] if penalty.rank() == 0));
    /// ```
    #[track_caller]
    pub fn and_loss(&self, penalty: impl Into<Tensor>) -> Tensor {
        self.identity(Op::InMode, self.0.mode, vec![Effect::Loss(penalty.into())])
    }

    /// The same value, which gradients treat as a constant.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let w = Variable::from(Array::from([1f32, 2.0]));
    /// let loss = (Tensor::read(&w) * Tensor::read(&w).stop_gradient()).sum();
    /// let gradients = loss.gradients(&[w.clone()]);
    /// assert_eq!(gradients.of(&w).unwrap().op().name(), "mul"); // one factor's share, not both
    /// ```
    #[track_caller]
    pub fn stop_gradient(&self) -> Tensor {
        Tensor::node(Op::StopGradient, vec![self.clone()])
    }

    /// The same value, flowing into the layer `name`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// let layer = std::sync::Arc::from("dense_1");
    /// let y = Tensor::from(Array::full([20], 1f32)).entering(&layer).exp().leaving(&layer);
    /// let graph = Graph::capture(&[y], &[])?;
    /// assert_eq!(graph.instructions[1].scope.as_deref(), Some("dense_1"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn entering(&self, name: &Arc<str>) -> Tensor {
        Tensor::node(Op::Scope(Scope::Enter(name.clone())), vec![self.clone()])
    }

    /// The same value, flowing out of the layer `name`; an error within gets the layer's name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let layer = std::sync::Arc::from("dense_1");
    /// let x = Tensor::input("x", [4]).entering(&layer);
    /// let wrong = (x + Tensor::input("y", [5])).leaving(&layer);
    /// assert_eq!(wrong.check().unwrap_err().layers(), ["dense_1"]);
    /// ```
    #[track_caller]
    pub fn leaving(&self, name: &Arc<str>) -> Tensor {
        match &self.0.facts {
            Err(error) => Tensor::invalid(error.clone().inside(name.to_string())),
            Ok(_) => Tensor::node(Op::Scope(Scope::Leave(name.clone())), vec![self.clone()]),
        }
    }

    /// The same value, as that which a layer gave in a drawing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Application, Origin, Tensor};
    /// let x = Tensor::input("x", [4]);
    /// let layer = std::sync::Arc::new("the layer itself");
    /// let application = std::sync::Arc::new(Application { layer, inputs: vec![x.clone()] });
    /// let y = (x * 2.0).drawn_by(Origin { application, output: 0 });
    /// assert!(y.origin().is_some());
    /// ```
    pub fn drawn_by(self, origin: Origin) -> Tensor {
        match Arc::try_unwrap(self.0) {
            Ok(mut node) => {
                node.origin = Some(origin);
                Tensor(Arc::new(node))
            }
            Err(shared) => {
                let mut node = Tensor(shared).identity_node(Op::InMode);
                node.origin = Some(origin);
                Tensor(Arc::new(node))
            }
        }
    }

    /// Which use of a layer gave this tensor, if it belongs to a drawing and comes from a layer.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// assert!((&x * 2.0).origin().is_none()); // an operation, not a layer's output
    /// ```
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0.facts {
            Ok(facts) => write!(f, "{} {}{}", self.0.op.name(), facts.dtype, facts.shape),
            Err(error) => write!(f, "invalid tensor ({})", error.title()),
        }
    }
}

macro_rules! into_tensor {
    ($($type:ty => $value:ident: $make:expr;)*) => { $(
        impl From<$type> for Tensor {
            #[track_caller]
            fn from($value: $type) -> Tensor {
                $make
            }
        }
    )* };
}

into_tensor! {
    &Tensor => tensor: tensor.clone();
    &Variable => variable: Tensor::read(variable);
    &Array => array: Tensor::constant(array);
    Array => array: Tensor::constant(&array);
    f32 => value: Tensor::scalar(value);
    f64 => value: Tensor::scalar(value);
    i32 => value: Tensor::scalar(value);
    i64 => value: Tensor::scalar(value);
    bool => value: Tensor::scalar(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_long_chain_does_not_overflow_the_stack() {
        let variable = Variable::from(Array::scalar(0f32));
        let mut x = Tensor::scalar(1f32);
        for i in 0..100_000 {
            x = if i % 1000 == 0 { x.and_update(&variable, &x + 1.0) } else { x + 1.0 };
        }
        assert!(x.check().is_ok());
        drop(x);
    }

    #[test]
    fn the_first_cause_is_reported() {
        let x = Tensor::input("x", [4]);
        let wrong = &x + &Tensor::input("y", [5]);
        let later = wrong.matmul(&x) * 2.0;
        assert_eq!(later.check().unwrap_err().title(), "cannot add [batch, 4] and [batch, 5]");
    }

    #[test]
    fn modes_flow_with_the_data() {
        let x = Tensor::scalar(1f32).in_mode(Mode::Training);
        assert!((x * 2.0 + 1.0).is_training());
        assert_eq!((Tensor::scalar(1f32) * 2.0).mode(), Mode::Constant);
    }

    #[test]
    fn tensors_cross_threads() {
        fn check<T: Send + Sync>() {}
        check::<Tensor>();
        check::<Variable>();
        check::<Error>();
    }
}
