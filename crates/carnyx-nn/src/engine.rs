//! The door from described to computed.
//!
//! Everything else in this crate describes. Here graphs are captured, first values of variables drawn, and programs
//! run by an [`Executor`]: the process's [`Cpu`], unless another one is given. Invariant: every variable of a graph
//! has a value before the graph runs.

use crate::profile::marks::{Marks, PLANNING};
use carnyx_cpu::Cpu;
use carnyx_graph::trace::Mark;
use carnyx_graph::{Array, Bindings, Error, Executor, Graph, Outcome, Result, Tensor, Variable};

/// The executor that runs everything that is not told to run elsewhere.
pub(crate) fn shared() -> &'static dyn Executor {
    Cpu::shared()
}

/// Assignments that happen together when a program ends.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor, Variable};
/// use carnyx_nn::{Eval, Updates};
/// let total = Variable::from(Array::scalar(1f32));
/// let next = Tensor::read(&total) + 2.0;
/// Tensor::scalar(0f32).eval_with(Updates::from(vec![(total.clone(), next)]))?;
/// assert_eq!(total.value()?.item()?, 3.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Updates {
    pairs: Vec<(Variable, Tensor)>,
    step: u64,
    seed: u64,
}

impl Updates {
    /// Which variable takes which value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let count = Variable::from(Array::scalar(0f32));
    /// let next = Tensor::read(&count) + 1.0;
    /// assert_eq!(Updates::default().and(&count, &next).pairs().len(), 1);
    /// ```
    pub fn pairs(&self) -> &[(Variable, Tensor)] {
        &self.pairs
    }

    /// One more assignment.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let count = Variable::from(Array::scalar(0f32));
    /// let next = Tensor::read(&count) + 1.0;
    /// next.eval_with(Updates::default().and(&count, &next))?;
    /// assert_eq!(count.value()?.item()?, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn and(mut self, variable: &Variable, value: impl Into<Tensor>) -> Updates {
        self.pairs.push((variable.clone(), value.into()));
        self
    }

    /// The step of the run's random numbers: an optimizer gives the number of its steps so far.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let count = Variable::from(Array::scalar(0f32));
    /// let next = Tensor::read(&count) + 1.0;
    /// let updates = Updates::default().and(&count, &next).at_step(7);
    /// # let _ = updates;
    /// ```
    pub fn at_step(mut self, step: u64) -> Updates {
        self.step = step;
        self
    }

    /// The seed of the run's random numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let count = Variable::from(Array::scalar(0f32));
    /// let next = Tensor::read(&count) + 1.0;
    /// let updates = Updates::default().and(&count, &next).seed(42);
    /// # let _ = updates;
    /// ```
    pub fn seed(mut self, seed: u64) -> Updates {
        self.seed = seed;
        self
    }
}

impl From<Vec<(Variable, Tensor)>> for Updates {
    fn from(pairs: Vec<(Variable, Tensor)>) -> Updates {
        Updates { pairs, ..Updates::default() }
    }
}

/// Computes tensors.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// let x = Tensor::from(&Array::from([1f32, 2.0, 3.0]));
/// assert_eq!((x * 2.0).sum().eval()?.item()?, 12.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait Eval {
    /// The value of this tensor. Variables that have no value yet get their first one.
    ///
    /// # Errors
    /// The first cause, if the tensor is invalid; `input`, if it depends on a placeholder.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// assert_eq!((Tensor::scalar(2f32) * 3.0).eval()?.item()?, 6.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn eval(&self) -> Result<Array>;

    /// The value of this tensor, after which `updates` happen: one program.
    ///
    /// # Errors
    /// As for [`eval`](Eval::eval), of any tensor in `updates` too.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let count = Variable::from(Array::scalar(0f32));
    /// let next = Tensor::read(&count) + 1.0;
    /// assert_eq!(next.eval_with(Updates::default().and(&count, &next))?.item()?, 1.0);
    /// assert_eq!(count.value()?.item()?, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn eval_with(&self, updates: Updates) -> Result<Array>;
}

impl Eval for Tensor {
    fn eval(&self) -> Result<Array> {
        self.eval_with(Updates::default())
    }

    fn eval_with(&self, updates: Updates) -> Result<Array> {
        let graph = Graph::capture(std::slice::from_ref(self), &updates.pairs)?;
        let values = run_once(shared(), &graph, updates.seed, updates.step)?;
        values.into_iter().next().ok_or_else(|| Error::new("eval", "a graph with one output gave none"))
    }
}

/// The outputs of a graph without inputs.
fn run_once(executor: &dyn Executor, graph: &Graph, seed: u64, step: u64) -> Result<Vec<Array>> {
    if let Some(slot) = graph.inputs.first() {
        return Err(Error::new("input", format!("the input `{}` has no value here", slot.name))
            .help("call the layer on a tensor made from an array: `Tensor::from(&x)`"));
    }
    initialize_on(executor, &graph.variables, seed)?;
    let marks = Marks::of(executor);
    let began = marks.begin();
    let mut session = executor.compile(graph)?.session();
    if began.is_some() {
        session.describe(graph);
        marks.end(began, || Mark { name: Some("plan".into()), ..Mark::of(PLANNING) });
    }
    let bindings =
        Bindings { inputs: &[], captured: &graph.captured, variables: &graph.variables, seed, step };
    match session.run(&bindings)? {
        Outcome::Completed => Ok((0..graph.outputs.len()).map(|i| session.output(i)).collect()),
        Outcome::Guarded => Err(Error::new("non-finite", "the guarded value is not finite")),
    }
}

/// Gives each variable that has none its first value. Values depend on the seed and on the variable's path.
///
/// # Errors
/// `variable`, if one has no shape yet.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Variables, initialize};
/// let dense = Dense::new(2);
/// dense.apply(&Tensor::input("x", [3])); // gives the variables their shapes
/// initialize(&dense.variables(), 42)?;
/// assert!(dense.variables().iter().all(|v| v.has_value()));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn initialize(variables: &[Variable], seed: u64) -> Result {
    initialize_on(shared(), variables, seed)
}

pub(crate) fn initialize_on(executor: &dyn Executor, variables: &[Variable], seed: u64) -> Result {
    let (mut without, mut tensors) = (Vec::new(), Vec::new());
    for variable in variables {
        if let Some(tensor) = variable.initial()? {
            without.push(variable);
            tensors.push(tensor);
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    let values = run_once(executor, &Graph::capture(&tensors, &[])?, seed, 0)?;
    without.iter().zip(&values).try_for_each(|(variable, value)| variable.assign(value))
}
