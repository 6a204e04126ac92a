//! Flat numbered instructions: what passes work on and executors compile.
//!
//! [`Graph::capture`] walks the expressions that a run must compute, shares equal subexpressions, drops what only
//! carries meaning for the user (modes, layer borders), and numbers the rest: operands before results. Variables,
//! inputs and larger constants are slots, so that one program serves every batch and every model of the same
//! structure; [`Graph::key`] is equal for graphs that one program can run.

use crate::infer::Facts;
use crate::op::{Op, Scope};
use crate::{Array, DType, Effect, Error, Result, Tensor, Variable};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;

/// The number of an instruction within its graph.
///
/// # Example
/// ```
/// use carnyx_graph::{Graph, Tensor, graph::Id};
/// let graph = Graph::capture(&[Tensor::scalar(1f32) + 2.0], &[])?;
/// let sum: Id = graph.outputs[0];
/// assert_eq!(graph.instructions[sum].operands, [0, 1]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub type Id = usize;

/// Constants of at most this many elements are part of the program; larger ones are given to each run.
const INLINE_CONSTANT: usize = 16;

/// What an instruction does.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Graph, Tensor, graph::Body};
/// let x = Tensor::from(Array::full([32], 1f32));
/// let graph = Graph::capture(&[x.exp()], &[])?;
/// assert!(matches!(graph.instructions[0].body, Body::Captured(0)));
/// assert!(matches!(graph.instructions[1].body, Body::Op(_)));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Body {
    /// The value of input slot `0`, `1`, ….
    Input(usize),
    /// The value of captured constant `0`, `1`, ….
    Captured(usize),
    /// The value of variable slot `0`, `1`, … when the run begins.
    Read(usize),
    /// An operation on the operands. Never `Input`, `Read` or an identity.
    Op(Op),
    /// Several operations that an executor runs in one pass; made by the `fuse` pass only.
    Region(Region),
    /// A further result of the region that is the operand: `1`, `2`, … (the region's own value is result 0).
    Part(usize),
}

/// A small graph of element-wise operations over one shape, with a matrix product before them or nothing.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Graph, Tensor, graph::Body, passes::fuse};
/// let x = Tensor::from(Array::full([32], 1f32));
/// let graph = fuse(&Graph::capture(&[(x + 1.0).exp()], &[])?);
/// let Body::Region(region) = &graph.instructions[1].body else { unreachable!() };
/// assert_eq!(region.body.len(), 4); // constant, broadcast, add, exp
/// assert_eq!(region.results, [4]); // %0 is the operand
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Region {
    /// The operations: operands below the number of the region's operands are those, others count on from there.
    pub body: Vec<Instruction>,
    /// Which values the region yields, all of one shape.
    pub results: Vec<Id>,
}

/// One numbered step of a graph.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, DType, Graph, Tensor};
/// let x = Tensor::from(Array::full([32, 10], 1f32));
/// let graph = Graph::capture(&[x.sum_along(-1)], &[])?;
/// let sum = &graph.instructions[1];
/// assert_eq!((&sum.operands[..], &sum.sizes[..], sum.dtype), (&[0][..], &[32][..], DType::F32));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Instruction {
    /// What it does.
    pub body: Body,
    /// The instructions whose values it uses, all before this one.
    pub operands: Vec<Id>,
    /// The sizes of its value.
    pub sizes: Vec<usize>,
    /// The element type of its value.
    pub dtype: DType,
    /// The layers around it, outermost first: `sequential > dense_1`.
    pub scope: Option<Arc<str>>,
    /// The user's line.
    pub site: Option<&'static Location<'static>>,
    /// What it is computed for, where that was said: see [`Graph::capture_for`].
    pub purpose: Option<&'static str>,
}

impl Instruction {
    /// The number of elements of its value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// let graph = Graph::capture(&[Tensor::from(Array::full([32, 10], 1f32))], &[])?;
    /// assert_eq!(graph.instructions[0].elements(), 320);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn elements(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Bytes of its value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// let graph = Graph::capture(&[Tensor::from(Array::full([32, 10], 1f32))], &[])?;
    /// assert_eq!(graph.instructions[0].bytes(), 1280);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn bytes(&self) -> usize {
        self.elements() * self.dtype.size()
    }
}

/// A slot that each run fills.
///
/// # Example
/// ```
/// use carnyx_graph::{DType, Facts, Graph, Mode, Tensor, graph::InputSlot};
/// let x = Tensor::placeholder("x", Facts::new([32, 4], DType::F32), Mode::Inference);
/// let graph = Graph::capture(&[x.relu()], &[])?;
/// assert_eq!(graph.inputs, [InputSlot { name: "x".into(), sizes: vec![32, 4], dtype: DType::F32 }]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InputSlot {
    /// The name the model gave it.
    pub name: Arc<str>,
    /// The sizes it must have.
    pub sizes: Vec<usize>,
    /// The element type it must have.
    pub dtype: DType,
}

/// Instructions, and what a run takes and gives.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Graph, Tensor, Variable};
/// let count = Variable::from(Array::scalar(0i64));
/// let graph = Graph::capture(&[], &[(count.clone(), Tensor::read(&count) + 1i64)])?;
/// assert_eq!(graph.to_string(), "\
/// %0: i64 = read 0
/// %1: i64 = constant 1
/// %2: i64 = add %0 %1
/// outputs:
/// update 0 with %2
/// ");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The steps, operands first.
    pub instructions: Vec<Instruction>,
    /// What each run is given.
    pub inputs: Vec<InputSlot>,
    /// Larger constants, given to each run.
    pub captured: Vec<Array>,
    /// The variables read or updated.
    pub variables: Vec<Variable>,
    /// What a run gives back.
    pub outputs: Vec<Id>,
    /// Which variable slot takes which value when the run ends.
    pub updates: Vec<(usize, Id)>,
    /// A number that must be finite: if it is not, the run stops before any variable changes.
    pub guard: Option<Id>,
}

impl Graph {
    /// The graph that computes `outputs` and then performs `updates` and the update effects on the way.
    ///
    /// # Errors
    /// The first cause, if a tensor is invalid; `shape`, if a size is not known; `variable`, if one variable is
    /// updated twice.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Graph, Tensor};
    /// let x = Tensor::from(&Array::full([32], 1f32));
    /// let graph = Graph::capture(&[(&x * 2.0).sum()], &[])?;
    /// assert_eq!(graph.to_string(), "\
    /// %0: f32[32] = captured 0
    /// %1: f32 = constant 2
    /// %2: f32[32] = broadcast %1
    /// %3: f32[32] = mul %0 %2
    /// %4: f32 = reduce_sum %3 axes=[0]
    /// outputs: %4
    /// ");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn capture(outputs: &[Tensor], updates: &[(Variable, Tensor)]) -> Result<Graph> {
        Ok(Capture::all(outputs, updates)?.graph)
    }

    /// The same, with a number (one of `outputs`, by index) that must be finite for the updates to happen.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// let loss = Tensor::from(Array::from([1f32, 2.0])).mean();
    /// let graph = Graph::capture(&[loss], &[])?.guarded_by(0);
    /// assert_eq!(graph.guard, Some(graph.outputs[0]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn guarded_by(mut self, output: usize) -> Graph {
        self.guard = self.outputs.get(output).copied();
        self
    }

    /// Appends an instruction and returns its number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Graph, Tensor};
    /// let mut graph = Graph::capture(&[Tensor::scalar(1f32)], &[])?;
    /// let copy = graph.push(graph.instructions[0].clone());
    /// assert_eq!(copy, 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn push(&mut self, instruction: Instruction) -> Id {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }

    /// How often each value is used: by instructions, outputs, updates and the guard.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// let x = Tensor::from(Array::full([32], 1f32));
    /// let graph = Graph::capture(&[&x * &x], &[])?;
    /// assert_eq!(graph.uses(), [2, 1]); // the output is a use, too
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.instructions.len()];
        let operands = self.instructions.iter().flat_map(|i| i.operands.iter());
        let updates = self.updates.iter().map(|(_, id)| id);
        operands.chain(&self.outputs).chain(updates).chain(&self.guard).for_each(|&id| uses[id] += 1);
        uses
    }

    /// Equal for graphs that one program can run: the instructions, shapes and types, but neither the values of
    /// variables, inputs and larger constants nor where they came from.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// let graph = |value: f32| Graph::capture(&[Tensor::from(Array::full([32], value)).exp()], &[]);
    /// assert_eq!(graph(1.0)?.key(), graph(2.0)?.key());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn key(&self) -> u128 {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            self.hash_structure(&mut hasher);
            u128::from(hasher.finish())
        };
        half(1) << 64 | half(2)
    }

    fn hash_structure(&self, hasher: &mut DefaultHasher) {
        for instruction in &self.instructions {
            hash_body(&instruction.body, hasher);
            (&instruction.operands, &instruction.sizes, instruction.dtype).hash(hasher);
        }
        let inputs: Vec<_> = self.inputs.iter().map(|slot| (&slot.sizes, slot.dtype)).collect();
        (inputs, &self.outputs, &self.updates, self.guard, self.variables.len()).hash(hasher);
    }
}

pub(crate) fn hash_body(body: &Body, hasher: &mut DefaultHasher) {
    std::mem::discriminant(body).hash(hasher);
    match body {
        Body::Input(slot) | Body::Captured(slot) | Body::Read(slot) | Body::Part(slot) => slot.hash(hasher),
        Body::Op(op) => hash_op(op, hasher),
        Body::Region(region) => {
            for instruction in &region.body {
                hash_body(&instruction.body, hasher);
                (&instruction.operands, &instruction.sizes, instruction.dtype).hash(hasher);
            }
            region.results.hash(hasher);
        }
    }
}

fn hash_op(op: &Op, hasher: &mut DefaultHasher) {
    std::mem::discriminant(op).hash(hasher);
    match op {
        Op::Input(name) => name.hash(hasher),
        Op::Constant(array) => {
            array.shape().hash(hasher);
            array.dtype().hash(hasher);
            match array.as_slice::<i64>() {
                Ok(integers) => integers.hash(hasher),
                Err(_) => (0..array.len()).for_each(|i| array.element(i).to_bits().hash(hasher)),
            }
        }
        Op::Read(variable) => variable.id().hash(hasher),
        Op::Random(distribution, address) => (distribution, address).hash(hasher),
        Op::Unary(unary) => unary.hash(hasher),
        Op::Binary(binary) => binary.hash(hasher),
        Op::Cast(dtype) => dtype.hash(hasher),
        Op::Reshape(shape) | Op::Broadcast(shape) => shape.hash(hasher),
        Op::Transpose(order) => order.hash(hasher),
        Op::Slice(spans) => spans.hash(hasher),
        Op::Pad(widths) => widths.hash(hasher),
        Op::Flip(axes) => axes.hash(hasher),
        Op::Reduce(reduce, axes) => (reduce, axes).hash(hasher),
        Op::Iota(axis)
        | Op::Concat(axis)
        | Op::ArgMax(axis)
        | Op::ArgSort(axis)
        | Op::CumulativeSum(axis)
        | Op::Gather(axis)
        | Op::GatherAlong(axis) => axis.hash(hasher),
        Op::ScatterAdd(axis, size) | Op::ScatterAlong(axis, size) => (axis, size).hash(hasher),
        Op::Dot { transpose_a, transpose_b } => (transpose_a, transpose_b).hash(hasher),
        Op::Select | Op::Softmax | Op::LogSoftmax | Op::InMode | Op::StopGradient | Op::Scope(_) => {}
    }
}

/// Numbers values so that equal ones get one number: the sharing of subexpressions.
#[derive(Default)]
pub(crate) struct Sharing(HashMap<u128, Id>);

impl Sharing {
    /// The number of an earlier instruction that computes the same, else `None` after remembering this one as
    /// `next`.
    pub(crate) fn find(&mut self, instruction: &Instruction, next: Id) -> Option<Id> {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            hash_body(&instruction.body, &mut hasher);
            (&instruction.operands, &instruction.sizes, instruction.dtype).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        match self.0.entry(half(1) << 64 | half(2)) {
            std::collections::hash_map::Entry::Occupied(entry) => Some(*entry.get()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(next);
                None
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Capture {
    pub(crate) graph: Graph,
    numbered: HashMap<usize, Id>,
    sharing: Sharing,
    variable_slots: HashMap<u64, usize>,
    captured_slots: HashMap<usize, usize>,
    input_slots: HashMap<Arc<str>, usize>,
    draws: HashMap<u64, u64>,
    effects: Vec<(Variable, Tensor)>,
    scopes: HashMap<usize, Option<Arc<str>>>,
}

impl Capture {
    pub(crate) fn all(outputs: &[Tensor], updates: &[(Variable, Tensor)]) -> Result<Capture> {
        let mut capture = Capture::default();
        for tensor in outputs {
            let id = capture.visit(tensor)?;
            capture.graph.outputs.push(id);
        }
        for (variable, tensor) in updates {
            capture.update(variable, tensor)?;
        }
        // Effects may bring tensors with effects of their own.
        while let Some((variable, tensor)) = capture.effects.pop() {
            capture.update(&variable, &tensor)?;
        }
        Ok(capture)
    }

    /// The instruction that computes a tensor, if one does.
    pub(crate) fn number_of(&self, tensor: &Tensor) -> Option<Id> {
        self.numbered.get(&tensor.address()).copied()
    }

    /// The slot of a variable, if the graph has one for it.
    pub(crate) fn slot_of(&self, variable: &Variable) -> Option<usize> {
        self.variable_slots.get(&variable.id()).copied()
    }

    fn update(&mut self, variable: &Variable, tensor: &Tensor) -> Result {
        let id = self.visit(tensor)?;
        let instruction = &self.graph.instructions[id];
        if variable.shape().is_some_and(|shape| shape != instruction.sizes)
            || variable.dtype() != instruction.dtype
        {
            return Err(Error::new(
                "shape",
                format!("cannot update {variable:?} with {}{:?}", instruction.dtype, instruction.sizes),
            )
            .at(tensor.site()));
        }
        let slot = self.variable_slot(variable);
        if self.graph.updates.iter().any(|(other, _)| *other == slot) {
            return Err(Error::new("variable", format!("{variable:?} is updated twice in one step"))
                .at(tensor.site())
                .help("a layer with moving averages that is called twice in a step needs a copy for the second call"));
        }
        self.graph.updates.push((slot, id));
        Ok(())
    }

    fn variable_slot(&mut self, variable: &Variable) -> usize {
        let variables = &mut self.graph.variables;
        *self.variable_slots.entry(variable.id()).or_insert_with(|| {
            variables.push(variable.clone());
            variables.len() - 1
        })
    }

    /// The number of a tensor's value; whatever it is computed from is numbered first.
    fn visit(&mut self, tensor: &Tensor) -> Result<Id> {
        tensor.check()?;
        let mut pending = vec![(tensor.clone(), None, false)];
        while let Some((tensor, scope, sources_done)) = pending.pop() {
            if self.numbered.contains_key(&tensor.address()) {
                continue;
            }
            if sources_done {
                self.number(&tensor)?;
                continue;
            }
            self.scopes.insert(tensor.address(), scope.clone());
            let inner = inner_scope(tensor.op(), scope);
            pending.push((tensor.clone(), None, true));
            pending.extend(tensor.sources().iter().rev().map(|s| (s.clone(), inner.clone(), false)));
        }
        Ok(self.numbered[&tensor.address()])
    }

    fn number(&mut self, tensor: &Tensor) -> Result {
        for effect in tensor.effects() {
            if let Effect::Update(variable, value) = effect {
                self.effects.push((variable.clone(), value.clone()));
            }
        }
        let facts = tensor.facts()?;
        let operands: Vec<Id> = tensor.sources().iter().map(|s| self.numbered[&s.address()]).collect();
        let id =
            if tensor.op().is_identity() { operands[0] } else { self.instruction(tensor, facts, operands)? };
        self.numbered.insert(tensor.address(), id);
        Ok(())
    }

    fn instruction(&mut self, tensor: &Tensor, facts: &Facts, operands: Vec<Id>) -> Result<Id> {
        let Some(sizes) = facts.shape.fixed() else {
            if let Op::Input(name) = tensor.op() {
                return Err(Error::new("data", format!("the input `{name}` has no value here"))
                    .at(tensor.site())
                    .label("a drawing of data, for building models")
                    .help(
                        "make a model of it and call its `predict`, or compute with `Tensor::from(&array)`",
                    ));
            }
            return Err(Error::new("shape", format!("a value of shape {} cannot be computed", facts.shape))
                .at(tensor.site())
                .label("this size is known only when the model is called on data"));
        };
        let body = match tensor.op() {
            Op::Input(name) => {
                let slot = InputSlot { name: name.clone(), sizes: sizes.clone(), dtype: facts.dtype };
                Body::Input(self.input_slot(slot, tensor)?)
            }
            Op::Constant(array) if array.len() > INLINE_CONSTANT => {
                let captured = &mut self.graph.captured;
                Body::Captured(*self.captured_slots.entry(array.address()).or_insert_with(|| {
                    captured.push(array.clone());
                    captured.len() - 1
                }))
            }
            Op::Read(variable) => Body::Read(self.variable_slot(variable)),
            // Two draws from one place (a layer called twice) differ.
            Op::Random(distribution, address) => {
                let draws = self.draws.entry(address.0).or_insert(0);
                *draws += 1;
                Body::Op(Op::Random(*distribution, address.draw(*draws - 1)))
            }
            op => Body::Op(op.clone()),
        };
        let scope = self.scopes.get(&tensor.address()).cloned().flatten();
        let (dtype, site) = (facts.dtype, Some(tensor.site()));
        let instruction = Instruction { body, operands, sizes, dtype, scope, site, purpose: None };
        let next = self.graph.instructions.len();
        Ok(match self.sharing.find(&instruction, next) {
            Some(earlier) => earlier,
            None => self.graph.push(instruction),
        })
    }

    fn input_slot(&mut self, slot: InputSlot, tensor: &Tensor) -> Result<usize> {
        if let Some(&index) = self.input_slots.get(&slot.name) {
            if self.graph.inputs[index] == slot {
                return Ok(index);
            }
            return Err(
                Error::new("input", format!("two inputs are named `{}`", slot.name)).at(tensor.site())
            );
        }
        self.input_slots.insert(slot.name.clone(), self.graph.inputs.len());
        self.graph.inputs.push(slot);
        Ok(self.graph.inputs.len() - 1)
    }
}

/// The scope of the operands: `Leave` goes into a layer, `Enter` out of it, since the walk goes backwards.
fn inner_scope(op: &Op, scope: Option<Arc<str>>) -> Option<Arc<str>> {
    match (op, scope) {
        (Op::Scope(Scope::Leave(name)), None) => Some(name.clone()),
        (Op::Scope(Scope::Leave(name)), Some(outer)) => Some(format!("{outer} > {name}").into()),
        (Op::Scope(Scope::Enter(name)), Some(scope)) => {
            let outer = scope.strip_suffix(&**name)?;
            outer.strip_suffix(" > ").map(Into::into)
        }
        (_, scope) => scope,
    }
}
