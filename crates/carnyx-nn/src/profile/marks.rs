//! What the training loop writes into a recording beside the runs of programs: steps, waiting for data, callbacks,
//! planning.
//!
//! Invariant: where nobody records, each question costs one look at a flag.

use super::StepKind;
use carnyx_graph::Executor;
use carnyx_graph::trace::{Mark, Tracer};
use std::sync::Arc;

/// A mark: the numbers of the next rows are taken; they lie in memory.
pub(crate) const ROWS: &str = "next rows";
/// A mark: a stream is opened, or its next batch is made on this thread.
pub(crate) const BATCH: &str = "next batch";
/// A mark: ids and targets of a batch that has just come are looked at.
pub(crate) const CHECK: &str = "check the batch";
/// A mark: the next batch is waited for, which other threads make ready.
pub(crate) const WAITING_FOR_BATCH: &str = "wait for a batch";
/// A mark: a callback is at work.
pub(crate) const CALLBACK: &str = "callback";
/// A mark: a model is traced and a program planned.
pub(crate) const PLANNING: &str = "planning";

impl StepKind {
    /// The kind of a step's mark.
    pub(super) fn mark(self) -> &'static str {
        match self {
            StepKind::Training => "training",
            StepKind::Evaluation => "evaluation",
            StepKind::Prediction => "prediction",
        }
    }
}

/// The way to the recording of one executor.
pub(crate) struct Marks(Option<Arc<dyn Tracer>>);

impl Marks {
    pub(crate) fn of(executor: &dyn Executor) -> Marks {
        Marks(executor.tracer().cloned())
    }

    /// The moment, if somebody records.
    pub(crate) fn begin(&self) -> Option<u64> {
        self.0.as_ref().filter(|tracer| tracer.is_recording()).map(|tracer| tracer.now())
    }

    /// What began at `begin`, if that was recorded, ends.
    pub(crate) fn end(&self, begin: Option<u64>, mark: impl FnOnce() -> Mark) {
        if let (Some(begin), Some(tracer)) = (begin, &self.0) {
            tracer.mark(Mark { begin, end: tracer.now(), ..mark() });
        }
    }

    /// Samples were fetched, in one of three ways.
    pub(crate) fn input(&self, begin: Option<u64>, kind: &'static str) {
        self.end(begin, || Mark::of(kind));
    }

    /// A step is over.
    pub(crate) fn step(&self, begin: Option<u64>, kind: StepKind, number: usize, rows: usize) {
        self.end(begin, || Mark { number, size: rows, ..Mark::of(kind.mark()) });
    }

    /// A program for so many rows was planned.
    pub(crate) fn planning(&self, begin: Option<u64>, kind: StepKind, rows: usize) {
        self.end(begin, || Mark {
            name: Some(format!("plan {kind}, {rows} rows").into()),
            ..Mark::of(PLANNING)
        });
    }
}
