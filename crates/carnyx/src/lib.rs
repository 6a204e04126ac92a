//! Deep learning as in Keras, as a native Rust library: describe a network, `compile` it, `fit` it, look at it.
//!
//! # A first model
//!
//! ```
//! use carnyx::prelude::*;
//!
//! fn main() -> Result {
//!     // Points in the plane, and whether they lie inside a circle.
//!     let x = Array::from_fn([400, 2], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
//!     let y: Array = x.values().chunks(2).map(|p| u8::from(p[0].hypot(p[1]) < 0.8)).collect::<Vec<_>>().into();
//!
//!     let mut model = Sequential::new()
//!         .then(Dense::new(32).activation(Relu))
//!         .then(Dense::new(1).activation(Sigmoid))
//!         .compile(Adam::new(0.02), BinaryCrossentropy)
//!         .metric(Accuracy);
//!
//!     let history = model.fit((&x, &y), Fit::epochs(40).verbose(Verbosity::Silent))?;
//!     assert!(history.last("accuracy").unwrap() > 0.95);
//!
//!     let inside = model.predict(&Array::from([[0.0f32, 0.0], [1.0, 1.0]]))?;
//!     assert!(inside.element(0) > 0.5 && inside.element(1) < 0.5);
//!     Ok(())
//! }
//! ```
//!
//! # Where things are
//!
//! | Words | What they are |
//! |---|---|
//! | [`Sequential`], [`Dense`], [`Flatten`], [`Dropout`], [`Normalization`], … | layers; [`Relu`], [`Softmax`], … are [`Activation`]s and layers |
//! | [`Compile`], [`Model`], [`Fit`], [`History`] | models and the training loop |
//! | [`losses`], [`metrics`], [`optimizers`], [`callbacks`] | what a model is compiled with, and what happens while it trains |
//! | [`Model::save`], [`load`], [`load_network`], [`SaveWeights`] | models as files, of Keras too; weights alone |
//! | [`Perceptron`] | the linear classifier that learns from its mistakes, without gradients |
//! | [`Profiler`], [`Profile`] | where the time of training goes, and what to try |
//! | [`Diversity`] | how different the units of a layer are |
//! | [`Layer`], [`Apply`], [`Module`], [`Variables`] | layers of your own |
//! | [`Array`], [`Tensor`], [`Variable`], [`Eval`] | values, described values, and the way from one to the other |
//! | [`datasets`], [`plots`] | data to begin with, readers, tables and their preprocessing, and charts |
//! | [`datasets::Stream`], [`Batches`], [`Samples`] | data that do not fit into memory, and what else a model learns from |
//! | [`Draw`] | models as diagrams |
//! | [`PlotHistory`], [`PlotModel`], [`plots`] | learning curves, confusion matrices, curves of scores, decision boundaries, weights |
//! | [`SweepLearningRate`], [`SweepBatchSize`] | the learning rate before all else: a range test; batch sizes compared |
//! | [`Advise`], [`Finding`] | what is wrong with a training, and what to do |
//! | [`tune()`], [`Hyper`], [`Search`], [`Trials`] | searching for hyperparameters |
//! | [`tune_in_order()`], [`InOrder`] | the whole procedure within a budget: one thing after the other |
//! | [`schedules`] | learning rates that change while a model trains, and warm-up before any of them |
//! | [`TensorBoard`], [`board`] | logs for TensorBoard: curves, distributions, graphs, trials, profiles |
//! | [`prelude`] | the words that most programs need |
//!
//! # Three things to know
//!
//! * A [`Tensor`] *describes* a computation. Nothing is computed before `fit`, `evaluate`, `predict` or
//!   [`eval`](Eval::eval); a whole training step is then one program, planned once and run many times.
//! * A layer's `clone()` is the same layer, with the same weights, as with [`Arc`](std::sync::Arc).
//! * Results are the same to the bit from run to run, for any number of threads: random numbers come from the
//!   [`seed`](Model::seed) and the place where they are used.
//!
//! # Features
//!
//! * `ndarray`: arrays of the `ndarray` crate, both ways.
//! * `download`: data sets that are not on disk are fetched.
//! * `parquet`: tables are read from Parquet files; wants a C compiler.
//! * `sqlite`, `postgres`: studies live in a file, or on a server for many machines.
//! * `live`: a running fit in the terminal (`Live`).
//! * `png`: pictures are saved as PNG too.
#![forbid(unsafe_code)]

pub mod prelude;

mod curves;
mod diagram;
mod pictures;
mod studies;

#[doc(inline)]
pub use carnyx_board::{SaveProfile, TensorBoard};
pub use carnyx_cpu::Cpu;
#[doc(inline)]
pub use carnyx_graph::{
    Address, Array, Axes, Batch, Batches, DType, Dim, Distribution, Effect, Element, Error, Executor, Facts,
    Gradients, Initializer, Mode, Result, Shape, Site, Tensor, Variable, Walk, concat, stack,
};
#[cfg(feature = "live")]
#[doc(inline)]
pub use carnyx_live::Live;
#[doc(inline)]
pub use carnyx_nn::*;
#[doc(inline)]
pub use carnyx_tune::*;
pub use curves::PlotHistory;
pub use diagram::Draw;
pub use pictures::PlotModel;
pub use studies::LogStudy;

/// Data sets, and readers for files of one's own.
pub mod datasets {
    #[doc(inline)]
    pub use carnyx_data::*;
}

/// Logs for TensorBoard: of fits, of searches, of one's own.
pub mod board {
    #[doc(inline)]
    pub use carnyx_board::*;
}

/// Charts and diagrams as SVG and PNG files.
pub mod plots {
    #[doc(inline)]
    pub use carnyx_plot::*;
}

/// The code in the project's README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
