//! Values, expression graphs, gradients and graph passes: the pure half of Carnyx.
//!
//! [`Tensor`]s describe computations on [`Array`]s and [`Variable`]s; [`Graph::capture`] turns a description into
//! flat numbered instructions; passes make those smaller; an [`Executor`] turns them into a [`Program`] that runs.
//! Nothing here computes, starts a thread, reads a clock or keeps a global (exceptions: counters that tell
//! variables apart, and reading the user's source line when an error is displayed).
#![forbid(unsafe_code)]

pub mod array;
mod attributes;
mod batches;
mod check;
mod dtype;
mod error;
pub mod executor;
mod gradient;
pub mod graph;
pub mod infer;
pub mod op;
pub mod passes;
mod print;
mod purpose;
mod shape;
mod tensor;
pub mod trace;
mod variable;

pub use array::Array;
pub use attributes::{Constraint, Regularizer};
pub use batches::{Batch, Batches, Walk};
pub use dtype::{DType, Element};
pub use error::{Error, Result, Site};
pub use executor::{Bindings, Executor, Feed, Outcome, Program, Session};
pub use gradient::Gradients;
pub use graph::Graph;
pub use infer::Facts;
pub use op::{Address, Distribution, Op};
pub use purpose::Aim;
pub use shape::{Dim, Shape, row_major_strides};
pub use tensor::{Application, Axes, Effect, Mode, Origin, Tensor};
pub use tensor::{concat, described, in_order, in_order_from, made_of, redraw, redraw_with, stack};
pub use variable::{Initializer, Variable};
