//! What runs graphs: the door between describing and computing.
//!
//! An [`Executor`] compiles a graph to an immutable, shareable [`Program`]. A [`Session`] is a program with memory
//! of its own; running it again and again allocates nothing. Invariant: nothing but the end of a run changes a
//! variable while the run lasts.

use crate::graph::Graph;
use crate::trace::{Limits, Tracer};
use crate::{Array, Result, Variable};
use std::sync::Arc;

/// The value of one input slot for one run.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Feed};
/// let x = Array::from([[1, 2], [3, 4], [5, 6]]);
/// assert_eq!(Feed::Whole(&x).sizes(), [3, 2]);
/// assert_eq!(Feed::Rows(&x, &[2, 0]).sizes(), [2, 2]); // [[5, 6], [1, 2]]
/// assert_eq!(Feed::Part(&x, 1, 2).sizes(), [2, 2]); // [[3, 4], [5, 6]]
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Feed<'a> {
    /// The whole array; its shape is the slot's.
    Whole(&'a Array),
    /// Some rows of an array, in this order: gathered straight into the program's memory.
    Rows(&'a Array, &'a [u32]),
    /// Consecutive rows of an array, from the first index on, that many: read where they lie.
    Part(&'a Array, usize, usize),
}

impl Feed<'_> {
    /// The sizes that the slot sees.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Feed};
    /// let pixels = Array::full([100, 28, 28], 0u8);
    /// assert_eq!(Feed::Part(&pixels, 64, 32).sizes(), [32, 28, 28]);
    /// ```
    pub fn sizes(&self) -> Vec<usize> {
        match self {
            Feed::Whole(array) => array.shape().to_vec(),
            Feed::Rows(array, _) | Feed::Part(array, ..) => {
                let mut sizes = array.shape().to_vec();
                if let Some(first) = sizes.first_mut() {
                    *first = self.num_rows();
                }
                sizes
            }
        }
    }

    /// The number of rows that the slot sees.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Feed};
    /// let labels = Array::full([100], 0u8);
    /// assert_eq!(Feed::Whole(&labels).num_rows(), 100);
    /// assert_eq!(Feed::Rows(&labels, &[3, 1, 4]).num_rows(), 3);
    /// ```
    pub fn num_rows(&self) -> usize {
        match self {
            Feed::Whole(array) => array.num_rows(),
            Feed::Rows(_, rows) => rows.len(),
            Feed::Part(_, _, rows) => *rows,
        }
    }

    /// The array behind it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Feed};
    /// let labels = Array::full([100], 0u8);
    /// assert!(Feed::Part(&labels, 0, 32).array().shares_memory_with(&labels));
    /// ```
    pub fn array(&self) -> &Array {
        match self {
            Feed::Whole(array) | Feed::Rows(array, _) | Feed::Part(array, ..) => array,
        }
    }
}

/// Everything that one run is given.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Bindings, Feed};
/// let x = Array::from([[1f32, 2.0]]);
/// let inputs = [Feed::Whole(&x)];
/// let first = Bindings { inputs: &inputs, captured: &[], variables: &[], seed: 42, step: 0 };
/// let second = Bindings { step: 1, ..first }; // the same data, other random numbers
/// assert_eq!(second.seed, 42);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a> {
    /// One value for each input slot.
    pub inputs: &'a [Feed<'a>],
    /// One array for each captured constant.
    pub captured: &'a [Array],
    /// One variable for each variable slot; each must have a value.
    pub variables: &'a [Variable],
    /// The seed of the run's random numbers.
    pub seed: u64,
    /// The step of the run: other random numbers for each.
    pub step: u64,
}

/// How a run ended.
///
/// # Example
/// ```
/// use carnyx_graph::{Error, Outcome, Result};
/// /// What a training loop does after a step.
/// fn go_on(outcome: Outcome) -> Result {
///     match outcome {
///         Outcome::Completed => Ok(()),
///         Outcome::Guarded => Err(Error::new("loss", "the loss is not a number")),
///     }
/// }
/// assert!(go_on(Outcome::Guarded).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All values are computed and all variables updated.
    Completed,
    /// The graph's guard was not finite: no variable has changed.
    Guarded,
}

/// Something that runs graphs.
///
/// # Example
/// ```
/// use carnyx_graph::{Bindings, Executor, Graph, Result};
/// /// The only output of a graph without inputs, whatever runs it.
/// fn number(executor: &dyn Executor, graph: &Graph) -> Result<f64> {
///     let (captured, variables) = (&graph.captured, &graph.variables);
///     let mut session = executor.compile(graph)?.session();
///     session.run(&Bindings { inputs: &[], captured, variables, seed: 0, step: 0 })?;
///     Ok(session.number(0))
/// }
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait Executor: Send + Sync {
    /// A program for `graph`, which must be fixed in all sizes; graphs with one key may share a program.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Executor, Graph, Program, Result};
    /// # use std::sync::Arc;
    /// /// One program for two graphs, if they differ in values only.
    /// fn share(executor: &dyn Executor, graph: &Graph, other: &Graph) -> Result<Option<Arc<dyn Program>>> {
    ///     if graph.key() == other.key() { executor.compile(graph).map(Some) } else { Ok(None) }
    /// }
    /// ```
    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>>;

    /// The first instruction of `graph` (as captured) whose value is not finite when it is run with `bindings`; no
    /// variable changes. Slow: for finding the cause of a loss that is not a number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Bindings, Executor, Graph, Result};
    /// /// The user's line from which the first infinity or NaN comes.
    /// fn culprit(executor: &dyn Executor, graph: &Graph, bindings: &Bindings) -> Result<Option<u32>> {
    ///     let id = executor.first_non_finite(graph, bindings)?;
    ///     Ok(id.and_then(|id| graph.instructions[id].site).map(|site| site.line()))
    /// }
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn first_non_finite(&self, graph: &Graph, bindings: &Bindings) -> Result<Option<usize>>;

    /// What records the runs of this executor; `None`, if nothing does.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Executor;
    /// fn is_recording(executor: &dyn Executor) -> bool {
    ///     executor.tracer().is_some_and(|tracer| tracer.is_recording())
    /// }
    /// ```
    fn tracer(&self) -> Option<&Arc<dyn Tracer>> {
        None
    }

    /// What this executor can do at most, if it knows; measured when it is first asked for, which may take a tenth of a
    /// second.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Executor;
    /// fn peak(executor: &dyn Executor) -> String {
    ///     executor.limits().map_or("unknown".into(), |limits| format!("{:.0} GFLOP/s", limits.flops_per_second / 1e9))
    /// }
    /// ```
    fn limits(&self) -> Option<Limits> {
        None
    }
}

/// A compiled graph: immutable, to be shared between threads.
///
/// # Example
/// ```
/// use carnyx_graph::{Program, Session};
/// use std::sync::Arc;
/// /// Sessions for several threads: the program is shared, the memory is not.
/// fn sessions(program: &Arc<dyn Program>, threads: usize) -> Vec<Box<dyn Session>> {
///     (0..threads).map(|_| program.clone().session()).collect()
/// }
/// ```
pub trait Program: Send + Sync {
    /// The program with memory of its own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Bindings, Program, Result};
    /// # use std::sync::Arc;
    /// fn run_twice(program: &Arc<dyn Program>, bindings: &Bindings) -> Result {
    ///     let mut session = program.clone().session();
    ///     session.run(bindings)?;
    ///     session.run(&Bindings { step: 1, ..*bindings })?; // allocates nothing
    ///     Ok(())
    /// }
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn session(self: Arc<Self>) -> Box<dyn Session>;

    /// Bytes of memory that a session needs.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Program;
    /// fn megabytes(program: &dyn Program) -> f64 {
    ///     program.memory() as f64 / 1e6
    /// }
    /// ```
    fn memory(&self) -> usize;
}

/// A program with memory of its own.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Bindings, Outcome, Result, Session};
/// /// Gives one number, whatever it is asked.
/// struct Always(f64);
/// impl Session for Always {
///     fn run(&mut self, _: &Bindings) -> Result<Outcome> {
///         Ok(Outcome::Completed)
///     }
///     fn output(&self, _: usize) -> Array {
///         Array::scalar(self.0)
///     }
///     fn number(&self, _: usize) -> f64 {
///         self.0
///     }
/// }
/// let mut session: Box<dyn Session> = Box::new(Always(42.0));
/// session.run(&Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 })?;
/// assert_eq!(session.number(0), 42.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait Session: Send {
    /// Runs the program once.
    ///
    /// # Errors
    /// `input` or `variable`, if a binding is missing or has another shape or type than its slot.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Bindings, Outcome, Result, Session};
    /// /// The loss of each epoch over one batch, as long as it is a number.
    /// fn losses(session: &mut dyn Session, bindings: &Bindings, epochs: u64) -> Result<Vec<f64>> {
    ///     let mut losses = Vec::new();
    ///     for step in 0..epochs {
    ///         if session.run(&Bindings { step, ..*bindings })? == Outcome::Guarded {
    ///             break;
    ///         }
    ///         losses.push(session.number(0));
    ///     }
    ///     Ok(losses)
    /// }
    /// ```
    fn run(&mut self, bindings: &Bindings) -> Result<Outcome>;

    /// Output `index` of the last run, copied.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Session};
    /// fn outputs(session: &dyn Session, count: usize) -> Vec<Array> {
    ///     (0..count).map(|index| session.output(index)).collect()
    /// }
    /// ```
    fn output(&self, index: usize) -> Array;

    /// Element 0 of output `index` of the last run.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Session;
    /// fn loss(session: &dyn Session) -> f64 {
    ///     session.number(0) // cheaper than `session.output(0).item()`
    /// }
    /// ```
    fn number(&self, index: usize) -> f64;

    /// Names the tasks of the program by the layers and purposes of `graph`, for recordings. Graphs of other layers may
    /// share the program, so it does not know them by itself. Not free: for sessions that are being recorded.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Executor, Graph, Program, Result, Session};
    /// fn session(executor: &dyn Executor, graph: &Graph) -> Result<Box<dyn Session>> {
    ///     let mut session = executor.compile(graph)?.session();
    ///     if executor.tracer().is_some_and(|tracer| tracer.is_recording()) {
    ///         session.describe(graph);
    ///     }
    ///     Ok(session)
    /// }
    /// ```
    #[allow(unused_variables)]
    fn describe(&mut self, graph: &Graph) {}
}
