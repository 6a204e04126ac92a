//! The words that most programs need: `use carnyx::prelude::*;`.
//!
//! Everything here is at the root of the crate too. What is missing here, because few programs need it, is there.

// Values, described values, variables.
#[doc(no_inline)]
pub use crate::{Array, DType, Error, Eval, Mode, Result, Shape, Tensor, Updates, Variable, concat, stack};

// Layers, and layers of one's own.
#[doc(no_inline)]
pub use crate::Activation::{self, *};
#[doc(no_inline)]
pub use crate::{Apply, Dense, Dropout, Flatten, Input, Lambda, Layer, Module, Normalization, Rescaling};
#[doc(no_inline)]
pub use crate::{BatchNormalization, Concatenate, Embedding, LayerNormalization, Reshape};
#[doc(no_inline)]
pub use crate::{Functional, Sequential, Variables};

// First values of variables.
#[doc(no_inline)]
pub use crate::{GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform};
#[doc(no_inline)]
pub use crate::{Ones, RandomNormal, RandomUniform, Zeros};

// What a model is compiled with.
#[doc(no_inline)]
pub use crate::{Accuracy, BinaryAccuracy, CategoricalAccuracy, Metric, SparseCategoricalAccuracy};
#[doc(no_inline)]
pub use crate::{Adam, AdamW, Optimizer, OptimizerOptions, RmsProp, Sgd};
#[doc(no_inline)]
pub use crate::{Auc, F1Score, Huber, Precision, R2Score, Recall};
#[doc(no_inline)]
pub use crate::{BinaryCrossentropy, CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy};
#[doc(no_inline)]
pub use crate::{MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError};

// Learning rates that change.
#[doc(no_inline)]
pub use crate::{CosineDecay, ExponentialDecay, LearningRate, OneCycle, PiecewiseConstantDecay};
#[doc(no_inline)]
pub use crate::{Schedule, Warmup};

// Penalties and bounds of weights.
#[doc(no_inline)]
pub use crate::{L1, L1L2, L2, MaxNorm, NonNeg, UnitNorm};

// Models, data and training.
#[doc(no_inline)]
pub use crate::{Callback, Compile, Fit, History, Logs, Model, Run, TensorBoard, Verbosity};
#[doc(no_inline)]
pub use crate::{ClassWeight, Data, Diversity, Perceptron, Profiler, SaveWeights};
#[doc(no_inline)]
pub use crate::{Draw, PlotHistory, PlotModel};

// Logs for other programs.
#[doc(no_inline)]
pub use crate::{LogStudy, SaveProfile};

// What to try next.
#[doc(no_inline)]
pub use crate::{
    Advise, BatchSizeSweep, BatchSizes, Finding, RateRange, RateScaling, SweepBatchSize, SweepLearningRate,
};
#[doc(no_inline)]
pub use crate::{Hyper, Pruner, Search, tune};
