//! Tuning in the right order: the learning rate first, then the optimizer, then layers, units and activations, and the
//! learning rate again after any change.
//!
//! Everything here drives `fit` from outside: nothing in `carnyx-nn` knows of it.
//!
//! What a search has tried lives in a [`Storage`]: a study is a list of trials, and a trial is what it was given, what
//! it reported on the way, and how it ended. Invariant: a trial is begun by one worker only, and a finished trial never
//! changes.
#![forbid(unsafe_code)]

mod advice;
mod batch_size;
mod conduct;
mod domain;
mod folds;
mod hyper;
mod in_order;
mod learning_rate;
mod memory;
mod progress;
mod pruners;
mod random;
mod schedule;
mod search;
mod storage;
mod strategies;
mod training;
mod trial;
mod trials;
mod tune;

pub use advice::{Advice, Advise, Finding, TooHigh};
pub use batch_size::{BatchSizeRow, BatchSizeSweep, BatchSizes, RateScaling, SweepBatchSize};
pub use domain::{Domain, Value};
pub use hyper::{Hyper, Real, Whole};
pub use in_order::{InOrder, TunedInOrder, TuningAttempt, TuningQuestion, TuningStage, tune_in_order};
pub use learning_rate::{
    Confidence, LearningRateSweep, RateRange, RateReason, RateSuggestion, SweepEnding, SweepLearningRate,
    SweepStep,
};
pub use memory::MemoryStorage;
pub use pruners::Pruner;
pub use search::Search;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use storage::Database;
#[cfg(feature = "postgres")]
pub use storage::PostgresStorage;
#[cfg(feature = "sqlite")]
pub use storage::SqliteStorage;
pub use storage::{Direction, Storage, StudyId, TrialId, TrialRecord, TrialState, storage_at};
pub use trials::{Importance, Parameters, Study, TrialTable, Trials};
pub use tune::{Built, tune};
