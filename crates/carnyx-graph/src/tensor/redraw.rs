//! Drawings: expressions that are described once on placeholders, and again on other tensors.
//!
//! A model's drawing remembers, at the tensors that a layer gave, which layer that was and what it was applied to
//! ([`Application`]). [`redraw`] walks a drawing from its outputs and describes it on other inputs: it asks its
//! caller for what a layer gives, because that depends on the mode, and repeats every other operation itself.
//! Sizes that the drawing does not know are those of the new inputs.

use super::{Effect, Tensor};
use crate::infer::Facts;
use crate::op::Op;
use crate::{Dim, Error, Result, Shape, Variable};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// One use of a layer in a drawing.
///
/// # Example
/// ```
/// use carnyx_graph::{Application, Tensor};
/// use std::sync::Arc;
/// let x = Tensor::input("x", [4]);
/// let dense = Arc::new(Application { layer: Arc::new("dense"), inputs: vec![x] });
/// assert_eq!(dense.layer.downcast_ref::<&str>(), Some(&"dense"));
/// ```
pub struct Application {
    /// The layer, in whatever form the one who applied it wants it back.
    pub layer: Arc<dyn Any + Send + Sync>,
    /// What it was applied to.
    pub inputs: Vec<Tensor>,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Application").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

/// Gives the outputs of a layer on new inputs.
type Apply<'a> = dyn FnMut(&Arc<Application>, &[Tensor]) -> Vec<Tensor> + 'a;

/// Where a tensor of a drawing comes from.
///
/// # Example
/// ```
/// use carnyx_graph::{Application, Origin, Tensor};
/// # use std::sync::Arc;
/// let x = Tensor::input("x", [4]);
/// let dense = Arc::new(Application { layer: Arc::new("dense"), inputs: vec![x.clone()] });
/// let y = (x * 2.0).drawn_by(Origin { application: dense, output: 0 });
/// assert_eq!(y.origin().unwrap().output, 0);
/// ```
#[derive(Clone, Debug)]
pub struct Origin {
    /// The use of a layer that gave it.
    pub application: Arc<Application>,
    /// Which of the layer's outputs it is.
    pub output: usize,
}

/// What a tensor of a drawing is made of: what its layer was applied to, or else its operands and effects.
///
/// # Example
/// ```
/// # use carnyx_graph::{Application, Origin, Tensor, made_of};
/// # use std::sync::Arc;
/// let x = Tensor::input("x", [4]);
/// let hidden = &x * 2.0;
/// assert_eq!(made_of(&hidden).len(), 2); // the operands: `x` and the number
/// let dense = Arc::new(Application { layer: Arc::new("dense"), inputs: vec![x] });
/// let y = hidden.exp().drawn_by(Origin { application: dense, output: 0 });
/// assert_eq!(made_of(&y)[0].op().name(), "input"); // what the layer was applied to
/// ```
pub fn made_of(tensor: &Tensor) -> Vec<Tensor> {
    match tensor.origin() {
        Some(origin) => origin.application.inputs.clone(),
        None => {
            tensor.sources().iter().cloned().chain(tensor.effects().iter().filter_map(value_of)).collect()
        }
    }
}

/// The tensors of a drawing that `outputs` are made of, each once and after what it is made of, layers as a whole.
///
/// # Example
/// ```
/// use carnyx_graph::{Tensor, in_order};
/// let x = Tensor::input("x", [4]);
/// let y = x.exp() + &x;
/// let order: Vec<String> = in_order(&[y]).iter().map(|tensor| tensor.op().name()).collect();
/// assert_eq!(order, ["input", "exp", "add"]);
/// ```
pub fn in_order(outputs: &[Tensor]) -> Vec<Tensor> {
    in_order_from(outputs, &|_| false)
}

/// [`in_order`], but not beyond the tensors that `is_given`: they come without what they are made of.
///
/// # Example
/// ```
/// use carnyx_graph::{Tensor, in_order_from};
/// let x = Tensor::input("x", [4]);
/// let hidden = x.exp();
/// let order = in_order_from(&[hidden.log()], &|tensor| tensor.address() == hidden.address());
/// assert_eq!(order.iter().map(|tensor| tensor.op().name()).collect::<Vec<_>>(), ["exp", "log"]);
/// ```
pub fn in_order_from(outputs: &[Tensor], is_given: &dyn Fn(&Tensor) -> bool) -> Vec<Tensor> {
    enum Visit {
        Enter(Tensor),
        Leave(Tensor),
    }
    let (mut order, mut seen) = (Vec::new(), std::collections::HashSet::new());
    let mut pending: Vec<Visit> = outputs.iter().rev().cloned().map(Visit::Enter).collect();
    while let Some(visit) = pending.pop() {
        match visit {
            Visit::Enter(tensor) => {
                if seen.insert(tensor.address()) {
                    let parts = if is_given(&tensor) { Vec::new() } else { made_of(&tensor) };
                    pending.push(Visit::Leave(tensor));
                    pending.extend(parts.into_iter().rev().map(Visit::Enter));
                }
            }
            Visit::Leave(tensor) => order.push(tensor),
        }
    }
    order
}

/// Describes the drawing of `outputs` again, with other tensors in the places of some: pairs of one and the other.
/// `apply` gives the outputs of a layer on new inputs.
///
/// # Errors
/// `shape`, if a size that the drawing does not know cannot be found out from the new tensors. An operation that
/// does not fit the new tensors makes invalid tensors, as always.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor, redraw};
/// let x = Tensor::input("x", [2]);
/// let drawing = (&x * 2.0).sum_along(-1);
/// let data = Tensor::from(&Array::from([[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]]));
/// let drawn = redraw(&[drawing], &[(x, data)], &mut |_, _| unreachable!("there are no layers in it"))?;
/// assert_eq!(drawn[0].shape().to_string(), "[3]");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn redraw(outputs: &[Tensor], replaced: &[(Tensor, Tensor)], apply: &mut Apply) -> Result<Vec<Tensor>> {
    redraw_with(outputs, replaced, &BTreeMap::new(), apply)
}

/// [`redraw`] with other variables in the places of some, by their ids.
///
/// # Errors
/// As for [`redraw`].
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor, Variable, redraw_with};
/// let (one, other) = (Variable::from(Array::scalar(1f32)), Variable::from(Array::scalar(2f32)));
/// let y = Tensor::read(&one) + 1.0;
/// let variables = [(one.id(), other.clone())].into();
/// let drawn = redraw_with(&[y], &[], &variables, &mut |_, _| Vec::new())?;
/// assert!(drawn[0].square().sum().gradients(&[other.clone()]).reaches(&other));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn redraw_with(
    outputs: &[Tensor],
    replaced: &[(Tensor, Tensor)],
    variables: &BTreeMap<u64, Variable>,
    apply: &mut Apply,
) -> Result<Vec<Tensor>> {
    let mut redrawing = Redrawing { variables: variables.clone(), ..Redrawing::default() };
    for (old, new) in replaced {
        redrawing.remember(old, new.clone());
    }
    // What lies behind a replaced tensor is not walked: it may be data that nobody gives.
    for tensor in in_order_from(outputs, &|tensor| redrawing.new.contains_key(&tensor.address())) {
        if !redrawing.new.contains_key(&tensor.address()) {
            let new = redrawing.describe(&tensor, apply)?;
            redrawing.remember(&tensor, new);
        }
    }
    Ok(outputs.iter().map(|tensor| redrawing.new_of(tensor)).collect())
}

/// The value that an effect depends on, if it depends on one.
fn value_of(effect: &Effect) -> Option<Tensor> {
    match effect {
        Effect::Update(_, value) | Effect::Loss(value) => Some(value.clone()),
        Effect::Mask(mask) => mask.clone(),
    }
}

#[derive(Default)]
struct Redrawing {
    /// The new tensor for the address of each old one.
    new: HashMap<usize, Tensor>,
    /// What each use of a layer gave.
    applied: HashMap<*const Application, Vec<Tensor>>,
    /// New variables by the ids of the old ones.
    variables: BTreeMap<u64, Variable>,
    /// The sizes that the drawing did not know.
    sizes: HashMap<&'static str, Dim>,
}

impl Redrawing {
    fn new_of(&self, old: &Tensor) -> Tensor {
        self.new[&old.address()].clone()
    }

    fn remember(&mut self, old: &Tensor, new: Tensor) {
        for (old, new) in old.shape().iter().zip(new.shape().iter()) {
            if let Dim::Symbol(name) = old {
                self.sizes.insert(name, *new);
            }
        }
        self.new.insert(old.address(), new);
    }

    fn describe(&mut self, old: &Tensor, apply: &mut Apply) -> Result<Tensor> {
        if let Some(Origin { application, output }) = old.origin() {
            let key = Arc::as_ptr(application);
            if !self.applied.contains_key(&key) {
                let inputs: Vec<Tensor> = application.inputs.iter().map(|input| self.new_of(input)).collect();
                self.applied.insert(key, apply(application, &inputs));
            }
            return self.applied[&key].get(*output).cloned().ok_or_else(|| {
                Error::new("model", "a layer gave fewer tensors than when the model was drawn")
                    .help("a layer whose structure changes belongs into a `.dynamic()` model of its own")
            });
        }
        let sources: Vec<Tensor> = old.sources().iter().map(|source| self.new_of(source)).collect();
        let op = match old.op() {
            Op::Constant(_) => return Ok(old.clone()),
            Op::Read(variable) => {
                return Ok(self.variables.get(&variable.id()).map_or_else(|| old.clone(), Tensor::read));
            }
            Op::Input(name) => {
                return Err(Error::new("model", format!("the input `{name}` is missing")).at(old.site()));
            }
            Op::Iota(_) | Op::Random(..) => {
                let facts = old.facts()?;
                let facts = Facts::new(self.sized(&facts.shape)?, facts.dtype);
                return Ok(Tensor::leaf_at(old.op().clone(), facts, old.mode(), old.site()));
            }
            Op::Reshape(shape) => Op::Reshape(self.reshaped(shape, &sources[0])?),
            Op::Broadcast(shape) => Op::Broadcast(self.sized(shape)?),
            Op::Slice(spans) => {
                let shape = sources[0].shape();
                let mut spans = spans.clone();
                for (span, dim) in spans.iter_mut().zip(shape.iter()) {
                    if span.stop == usize::MAX {
                        span.stop = dim.fixed().unwrap_or(usize::MAX);
                    }
                }
                Op::Slice(spans)
            }
            Op::InMode => {
                // A mode of its own is kept; one that was the operand's follows it.
                let follows = old.sources().first().is_some_and(|source| source.mode() == old.mode());
                let mode = if follows { sources[0].mode() } else { old.mode() };
                let effects = old.effects().iter().map(|effect| match effect {
                    Effect::Update(variable, value) => {
                        let variable = self.variables.get(&variable.id()).unwrap_or(variable);
                        Effect::Update(variable.clone(), self.new_of(value))
                    }
                    Effect::Loss(value) => Effect::Loss(self.new_of(value)),
                    Effect::Mask(mask) => Effect::Mask(mask.as_ref().map(|mask| self.new_of(mask))),
                });
                return Ok(sources[0].identity(Op::InMode, mode, effects.collect()));
            }
            op => op.clone(),
        };
        Ok(Tensor::node_at(op, sources, old.site()))
    }

    /// A shape of the drawing with the sizes of the new tensors.
    fn sized(&self, shape: &Shape) -> Result<Shape> {
        let size = |dim: &Dim| match dim {
            Dim::Fixed(n) => Ok(Dim::Fixed(*n)),
            Dim::Symbol(name) => self.sizes.get(name).copied().ok_or_else(|| {
                Error::new("shape", format!("the size `{name}` of {shape} cannot be found out"))
            }),
        };
        Ok(Shape::new(shape.iter().map(size).collect::<Result<Vec<Dim>>>()?))
    }

    /// The same for a reshape, in which one unknown size follows from the number of elements.
    fn reshaped(&self, shape: &Shape, source: &Tensor) -> Result<Shape> {
        let unknown = |dim: &Dim| dim.fixed().is_none();
        let (Some(elements), 1) =
            (source.shape().elements(), shape.iter().filter(|dim| unknown(dim)).count())
        else {
            return self.sized(shape);
        };
        let known: usize = shape.iter().filter_map(|dim| dim.fixed()).product();
        let rest = Dim::Fixed(elements / known.max(1));
        Ok(Shape::new(shape.iter().map(|dim| if unknown(dim) { rest } else { *dim }).collect::<Vec<_>>()))
    }
}

/// One operation on tensors, whatever it is: for readers of stored expressions. `facts` are those of a source of
/// numbers ([`Op::Iota`], [`Op::Random`]), which no operand tells. An operation that cannot be makes an invalid
/// tensor.
///
/// # Example
/// ```
/// use carnyx_graph::op::{Binary, Op};
/// use carnyx_graph::{Tensor, described};
/// let x = Tensor::input("x", [4]);
/// assert_eq!(described(Op::Binary(Binary::Add), vec![x.clone(), x.clone()], None).shape(), x.shape());
/// assert_eq!(described(Op::Binary(Binary::Add), vec![x], None).check().unwrap_err().code(), "graph");
/// ```
#[track_caller]
pub fn described(op: Op, sources: Vec<Tensor>, facts: Option<Facts>) -> Tensor {
    let wrong = |title: String| Tensor::invalid(Error::new("graph", title));
    if op.arity().is_some_and(|arity| arity != sources.len()) {
        return wrong(format!("`{}` of {} operands", op.name(), sources.len()));
    }
    match (&op, facts) {
        (Op::Iota(axis), Some(facts)) if *axis < facts.shape.len() => {
            Tensor::leaf(op, facts, super::Mode::Constant)
        }
        (Op::Random(..), Some(facts)) if facts.dtype.is_float() => {
            Tensor::leaf(op, facts, super::Mode::Constant)
        }
        (Op::Input(_) | Op::Iota(_) | Op::Random(..), _) => wrong(format!("`{}` without a shape", op.name())),
        (_, _) => Tensor::node(op, sources),
    }
}
