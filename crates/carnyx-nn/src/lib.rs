//! The words of deep learning: layers, activations, initializers, losses, metrics, optimizers and models.
//!
//! Everything here is a function from tensors to tensors that `carnyx-graph` describes and an executor runs. A layer
//! is its fields and one method, [`Layer::call`]; `#[derive(Module)]` finds the variables in the fields. Users
//! depend on the crate `carnyx`, which re-exports all of this at its root.
#![forbid(unsafe_code)]

// `#[derive(Module)]` writes `::carnyx::Module`, here as in the users' crates.
extern crate self as carnyx;

mod activations;
mod batches;
pub mod callbacks;
pub mod constraints;
mod data;
mod diversity;
mod engine;
mod fit;
mod history;
mod initializers;
mod layer;
mod layers;
pub mod losses;
pub mod metrics;
mod models;
mod module;
mod noise;
pub mod optimizers;
mod order;
mod perceptron;
pub mod profile;
mod progress;
pub mod regularizers;
mod saving;
pub mod schedules;
mod stability;
mod steps;
mod weights;

pub use activations::Activation::{self, *};
#[doc(hidden)]
pub use batches::kinds;
pub use batches::{Inputs, Samples};
pub use callbacks::{Callback, Run};
pub use carnyx_derive::Module;
pub use constraints::{Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm};
pub use data::{Columns, Data};
pub use diversity::Diversity;
pub use engine::{Eval, Updates, initialize};
pub use fit::Fit;
pub use history::{History, Logs};
pub use initializers::*;
pub use layer::{Apply, ForkLayer, Layer, LayerRef, Tree, layer_of};
pub use layers::*;
pub use losses::{
    BinaryCrossentropy, CategoricalCrossentropy, Huber, Loss, MeanAbsoluteError, MeanSquaredError, Objective,
    Reduction, SparseCategoricalCrossentropy,
};
pub use metrics::{
    Accuracy, Auc, BinaryAccuracy, CategoricalAccuracy, F1Score, Metric, Precision, R2Score, Recall,
    RootMeanSquaredError, SparseCategoricalAccuracy, SparseTopKAccuracy, TopKAccuracy,
};
pub use models::{
    Compile, DrawnInputs, DrawnOutputs, Functional, HeadReport, LayerRow, Model, Snapshot, Summary,
    SuspectedLabel,
};
pub use module::{ForkPointer, Forks, Found, Module, Named, Variables, Visitor};
pub use noise::Noise;
pub use optimizers::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Muon, Nadam, Optimizer,
    OptimizerOptions, RmsProp, Rule, Sgd,
};
pub use perceptron::{Perceptron, PerceptronReport, UnitReport};
pub use profile::{Profile, Profiler};
pub use progress::Verbosity;
pub use regularizers::{L1, L1L2, L2, OrthogonalRegularizer, Regularizer};
#[doc(hidden)]
pub use saving::Config;
pub use saving::{SaveReport, SaveWeights, load, load_network};
pub use schedules::{
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, OneCycle,
    PiecewiseConstantDecay, PolynomialDecay, PowerDecay, Schedule, Warmup,
};
pub use stability::Instability;
pub use weights::ClassWeight;
