//! What runs graphs: the door between describing and computing.
//!
//! An [`Executor`] compiles a graph to an immutable, shareable [`Program`]. A [`Session`] is a program with memory
//! of its own; running it again and again allocates nothing. Invariant: nothing but the end of a run changes a
//! variable while the run lasts.

use crate::graph::Graph;
use crate::{Array, Result, Variable};
use std::sync::Arc;

/// The value of one input slot for one run.
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
    pub fn num_rows(&self) -> usize {
        match self {
            Feed::Whole(array) => array.num_rows(),
            Feed::Rows(_, rows) => rows.len(),
            Feed::Part(_, _, rows) => *rows,
        }
    }

    /// The array behind it.
    pub fn array(&self) -> &Array {
        match self {
            Feed::Whole(array) | Feed::Rows(array, _) | Feed::Part(array, ..) => array,
        }
    }
}

/// Everything that one run is given.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All values are computed and all variables updated.
    Completed,
    /// The graph's guard was not finite: no variable has changed.
    Guarded,
}

/// Something that runs graphs.
pub trait Executor: Send + Sync {
    /// A program for `graph`, which must be fixed in all sizes; graphs with one key may share a program.
    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>>;

    /// The first instruction of `graph` (as captured) whose value is not finite when it is run with `bindings`; no
    /// variable changes. Slow: for finding the cause of a loss that is not a number.
    fn first_non_finite(&self, graph: &Graph, bindings: &Bindings) -> Result<Option<usize>>;
}

/// A compiled graph: immutable, to be shared between threads.
pub trait Program: Send + Sync {
    /// The program with memory of its own.
    fn session(self: Arc<Self>) -> Box<dyn Session>;

    /// Bytes of memory that a session needs.
    fn memory(&self) -> usize;
}

/// A program with memory of its own.
pub trait Session: Send {
    /// Runs the program once.
    ///
    /// # Errors
    /// `input` or `variable`, if a binding is missing or has another shape or type than its slot.
    fn run(&mut self, bindings: &Bindings) -> Result<Outcome>;

    /// Output `index` of the last run, copied.
    fn output(&self, index: usize) -> Array;

    /// Element 0 of output `index` of the last run.
    fn number(&self, index: usize) -> f64;
}
