//! What an executor tells of its runs, if it is asked: which task ran when, and on which thread.
//!
//! A [`Tracer`] is the door to an executor's recording. It has the clock, since nothing here may look at one; whoever
//! uses the executor adds marks of its own by the same clock, and gets everything back as one [`Trace`]. Invariant: an
//! executor that is not recording spends one question per run on it.

use crate::Result;
use std::sync::Arc;

/// The purpose of tasks that bring samples into a program's memory.
pub const INPUT: &str = "input";
/// The purpose of what a run does before its first task: variables and addresses are looked up.
pub const BINDING: &str = "binding";

/// Records what an executor does, from when it is asked to until it is asked for the result. Only one recording can
/// be under way, and only runs on the thread that began it belong to it.
///
/// # Example
/// ```
/// use carnyx_graph::trace::{Mark, Trace, Tracer};
/// use carnyx_graph::{Executor, Result};
/// /// What an executor does in `work`, which is itself a mark in it.
/// fn traced(executor: &dyn Executor, work: impl FnOnce()) -> Result<Option<Trace>> {
///     let Some(tracer) = executor.tracer() else { return Ok(None) };
///     tracer.begin()?;
///     let begin = tracer.now();
///     work();
///     tracer.mark(Mark { begin, end: tracer.now(), ..Mark::of("work") });
///     Ok(tracer.end())
/// }
/// ```
pub trait Tracer: Send + Sync {
    /// Begins to record what runs on this thread.
    ///
    /// # Errors
    /// `profile`, if a recording is under way.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Result, trace::Tracer};
    /// fn twice(tracer: &dyn Tracer) -> Result {
    ///     tracer.begin()?;
    ///     tracer.begin() // the first one has not ended
    /// }
    /// ```
    fn begin(&self) -> Result;

    /// Whether this thread is being recorded.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::trace::Tracer;
    /// fn now(tracer: &dyn Tracer) -> Option<u64> {
    ///     tracer.is_recording().then(|| tracer.now())
    /// }
    /// ```
    fn is_recording(&self) -> bool;

    /// The time by the recording's clock, in its own unit.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::trace::Tracer;
    /// fn is_later(tracer: &dyn Tracer, than: u64) -> bool {
    ///     tracer.now() >= than
    /// }
    /// ```
    fn now(&self) -> u64;

    /// Writes something into the recording that is no run: a step, a callback, waiting for data. Its moments are those
    /// of [`now`](Tracer::now). Nothing happens without a recording.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::trace::{Mark, Tracer};
    /// fn timed(tracer: &dyn Tracer, work: impl FnOnce()) {
    ///     let begin = tracer.now();
    ///     work();
    ///     tracer.mark(Mark { begin, end: tracer.now(), ..Mark::of("work") });
    /// }
    /// ```
    fn mark(&self, mark: Mark);

    /// Ends the recording: what happened since it began, in nanoseconds. `None`, if this thread is not being recorded.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::trace::Tracer;
    /// fn runs(tracer: &dyn Tracer) -> usize {
    ///     tracer.end().map_or(0, |trace| trace.runs.len())
    /// }
    /// ```
    fn end(&self) -> Option<Trace>;
}

/// Something that happened between two moments, beside the runs.
///
/// # Example
/// ```
/// use carnyx_graph::trace::Mark;
/// let mark = Mark { name: Some("CSVLogger".into()), begin: 20, end: 50, ..Mark::of("callback") };
/// assert_eq!((mark.kind, mark.end - mark.begin), ("callback", 30));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// What kind of thing: a word of whoever writes it.
    pub kind: &'static str,
    /// Which one of them.
    pub name: Option<Arc<str>>,
    /// A number that belongs to it.
    pub number: usize,
    /// How large it is.
    pub size: usize,
    /// When it began.
    pub begin: u64,
    /// When it ended.
    pub end: u64,
}

impl Mark {
    /// A mark of a kind, at no moment yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::trace::Mark;
    /// assert_eq!(Mark::of("step"), Mark { kind: "step", ..Mark::default() });
    /// ```
    pub fn of(kind: &'static str) -> Mark {
        Mark { kind, ..Mark::default() }
    }
}

/// A recording: runs and marks in the order in which they ended. Moments are nanoseconds since it began.
///
/// # Example
/// ```
/// use carnyx_graph::trace::Trace;
/// /// The share of a recording in which programs ran.
/// fn busy(trace: &Trace) -> f64 {
///     let runs: u64 = trace.runs.iter().map(|run| run.end - run.begin).sum();
///     runs as f64 / trace.duration as f64
/// }
/// let trace = Trace { duration: 100, ..Trace::default() };
/// assert_eq!(busy(&trace), 0.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// How many threads the executor has, the calling one included.
    pub threads: usize,
    /// How long the recording took.
    pub duration: u64,
    /// The runs of programs.
    pub runs: Vec<TracedRun>,
    /// What else was written into it.
    pub marks: Vec<Mark>,
}

/// A run of a program.
///
/// # Example
/// ```
/// use carnyx_graph::trace::TracedRun;
/// /// The name of the task that took the calling thread longest.
/// fn longest(run: &TracedRun) -> Option<&str> {
///     let spans = run.spans.iter().filter(|span| span.thread == 0);
///     let longest = spans.max_by_key(|span| span.end - span.begin)?;
///     Some(&run.tasks[longest.task].name)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TracedRun {
    /// The program's tasks, shared by all runs of one session.
    pub tasks: Arc<[TaskFacts]>,
    /// Bytes of memory that the session has.
    pub memory: usize,
    /// When it began.
    pub begin: u64,
    /// When it ended.
    pub end: u64,
    /// What each thread did, task by task.
    pub spans: Vec<TaskSpan>,
}

/// What one thread did for one task.
///
/// # Example
/// ```
/// use carnyx_graph::trace::TaskSpan;
/// let span = TaskSpan { task: 3, thread: 1, is_wait: false, begin: 1000, end: 1800 };
/// assert_eq!(span.end - span.begin, 800);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSpan {
    /// The task, by its place among the run's.
    pub task: usize,
    /// The thread: 0 called, the others help.
    pub thread: usize,
    /// Whether it waited for others to finish their parts of the task.
    pub is_wait: bool,
    /// When it began with its first part.
    pub begin: u64,
    /// When it had finished its last one.
    pub end: u64,
}

/// The layers around an operation, outermost first, and what it is for.
pub type LayersAndPurpose = (Option<Arc<str>>, Option<&'static str>);

/// What a task computes, and how much that is. Known before it runs.
///
/// # Example
/// ```
/// use carnyx_graph::trace::TaskFacts;
/// let product = TaskFacts { name: "dot + add".into(), flops: 2 * 32 * 300 * 100, ..TaskFacts::default() };
/// assert_eq!(product.flops, 1_920_000);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFacts {
    /// The operations in it, in words.
    pub name: Arc<str>,
    /// The operation that it mostly is.
    pub operation: Arc<str>,
    /// The layers around that operation, outermost first.
    pub scope: Option<Arc<str>>,
    /// What that operation is for: see [`Graph::capture_for`](crate::Graph::capture_for).
    pub purpose: Option<&'static str>,
    /// Layers and purposes of other operations in it, if they have others.
    pub also: Arc<[LayersAndPurpose]>,
    /// Bytes of its operands and results.
    pub bytes: u64,
    /// Floating-point operations; a function such as `exp` is one.
    pub flops: u64,
}

/// What an executor can do at most.
///
/// # Example
/// ```
/// use carnyx_graph::trace::Limits;
/// let limits = Limits { flops_per_second: 170e9, bytes_per_second: 18e9 };
/// assert!(limits.flops_per_second > limits.bytes_per_second);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Floating-point operations per second, as products of matrices in the caches reach them.
    pub flops_per_second: f64,
    /// Bytes per second, from and to memory.
    pub bytes_per_second: f64,
}
