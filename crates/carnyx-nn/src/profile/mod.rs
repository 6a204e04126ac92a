//! Where the time of training goes: a recording of what every thread did, and when.
//!
//! A [`Profile`] is plain data, to be looked at, written to a file or made by hand. All moments are nanoseconds since
//! the recording began, whole numbers. Invariants of recorded profiles: the spans of one thread do not overlap and are
//! ordered by their beginning, thread by thread; the spans of a step lie within it.

mod assemble;
pub(crate) mod marks;
mod names;
mod profiler;
mod report;
mod verdict;

pub use profiler::Profiler;
pub use report::{Report, Row};
pub use verdict::Bound;

use std::sync::Arc;

/// What was recorded while a model trained: steps, and what every thread did in them.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Phase, Profile, Span, Step};
/// let profile = Profile {
///     threads: 2,
///     steps: vec![Step { begin: 0, duration: 1000, ..Step::default() }],
///     spans: vec![
///         Span { phase: Phase::Input, duration: 700, step: Some(0), ..Span::named("next batch") },
///         Span { phase: Phase::Forward, begin: 700, duration: 300, step: Some(0), ..Span::named("dot") },
///     ],
///     ..Profile::default()
/// };
/// let waiting: u64 = profile.spans.iter().filter(|span| span.phase == Phase::Input).map(|span| span.duration).sum();
/// assert_eq!(waiting, 700);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// How many threads there were to compute with, the calling one included. A machine may have more cores.
    pub threads: usize,
    /// How long the recording took, in nanoseconds.
    pub duration: u64,
    /// The steps of training, evaluation and prediction, in the order in which they began.
    pub steps: Vec<Step>,
    /// What the threads did: first all spans of thread 0, then those of thread 1, and so on.
    pub spans: Vec<Span>,
    /// The programs that ran, and the memory that they need, in the order of their first run.
    pub programs: Vec<Program>,
    /// What the machine could do at most, where it was measured.
    pub machine: Option<Machine>,
}

/// One batch, from asking for its samples to the last callback.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Step, StepKind};
/// let step = Step { kind: StepKind::Training, number: 12, rows: 32, begin: 5_000, duration: 270_000 };
/// assert_eq!(step.end(), 275_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What it was for.
    pub kind: StepKind,
    /// Its number, counted from 0: of a training step, since the fit began; of others, since their pass began.
    pub number: usize,
    /// How many samples it had.
    pub rows: usize,
    /// When it began.
    pub begin: u64,
    /// How long it took.
    pub duration: u64,
}

impl Step {
    /// When it ended.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Step;
    /// assert_eq!(Step { begin: 200, duration: 300, ..Step::default() }.end(), 500);
    /// ```
    pub fn end(&self) -> u64 {
        self.begin + self.duration
    }
}

/// What a step was for.
///
/// # Example
/// ```
/// use carnyx_nn::profile::StepKind;
/// assert_eq!(StepKind::Evaluation.to_string(), "evaluation");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// The model learned from the batch.
    #[default]
    Training,
    /// Loss and metrics were worked out, as for validation data.
    Evaluation,
    /// The model predicted.
    Prediction,
}

/// Something that one thread did without a break: a task of a program, or a piece of the training loop.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Lane, Phase, Span};
/// let span = Span {
///     operation: "dot".into(),
///     layer: Some("dense_1".into()),
///     phase: Phase::Forward,
///     begin: 7_000,
///     duration: 12_000,
///     flops: 2 * 32 * 300 * 100,
///     ..Span::named("dot + add + maximum")
/// };
/// assert_eq!(span.lane(), Lane::Thread(0));
/// assert_eq!(span.flops_per_second(), 160e9);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// What was done, in words: `dot + add + maximum`, `gather input_0`, `EarlyStopping::on_epoch_end`.
    pub name: Arc<str>,
    /// The kind of operation that it mostly was: `dot`, `softmax`, `gather`, `callback`, `wait`.
    pub operation: Arc<str>,
    /// The layer that it belongs to, with those around it: `encoder > dense_1`; none for what belongs to no layer. A
    /// thread that [waits](Phase::Waiting) does so for this layer.
    pub layer: Option<Arc<str>>,
    /// What it was for.
    pub phase: Phase,
    /// For what else, if several operations were computed in one pass over memory: the update of the weights together
    /// with their gradient, for example.
    pub also: Arc<[Part]>,
    /// The thread: 0 is the one that called `fit`, the others help it to compute.
    pub thread: usize,
    /// The step that it belongs to, by its place in [`Profile::steps`].
    pub step: Option<usize>,
    /// When it began.
    pub begin: u64,
    /// How long it took.
    pub duration: u64,
    /// Bytes of operands and results: what has to be read and written at least. Of a task that several threads shared,
    /// each has its part.
    pub bytes: u64,
    /// Floating-point operations, where a multiplication and an addition are two, and a function such as `exp` is one.
    pub flops: u64,
}

/// What an operation is for.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Part, Phase};
/// let part = Part { layer: Some("dense_1".into()), phase: Phase::Optimizer };
/// assert_eq!(part.to_string(), "dense_1, optimizer");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// The layer, if it belongs to one.
    pub layer: Option<Arc<str>>,
    /// The phase of the step.
    pub phase: Phase,
}

/// What a thread was busy with, as a part of training.
///
/// # Example
/// ```
/// use carnyx_nn::profile::Phase;
/// assert!(Phase::Backward.is_computation() && !Phase::Input.is_computation());
/// assert_eq!(Phase::Backward.to_string(), "backward");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Samples were fetched: read, waited for, gathered into a batch.
    Input,
    /// Layers computed their outputs.
    Forward,
    /// The loss was computed from the outputs.
    Loss,
    /// The gradients were computed.
    Backward,
    /// The optimizer changed weights by their gradients.
    Optimizer,
    /// Metrics were counted.
    Metrics,
    /// A callback was at work.
    Callback,
    /// A model was traced and a program planned: once for each size of batch, unless something changes.
    Planning,
    /// The training loop itself, and what a program does before its first task.
    #[default]
    Loop,
    /// A thread had to wait: for the others to finish, for work, or for its core.
    Waiting,
}

/// A line of a drawing of a profile.
///
/// # Example
/// ```
/// use carnyx_nn::profile::Lane;
/// assert_eq!(Lane::Input.to_string(), "input");
/// assert_eq!(Lane::Thread(1).to_string(), "thread 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The data on their way into the model.
    Input,
    /// The training loop: callbacks, planning, and what it does itself.
    Loop,
    /// The tasks of programs on one thread, and its waiting.
    Thread(usize),
}

/// A program that ran while a profile was recorded.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Program, StepKind};
/// let program = Program { kind: StepKind::Training, rows: 32, tasks: 18, memory: 2 << 20, begin: 0 };
/// assert_eq!(program.memory, 2_097_152);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// What it is for.
    pub kind: StepKind,
    /// The number of samples that it is planned for.
    pub rows: usize,
    /// How many tasks it has.
    pub tasks: usize,
    /// Bytes of values and scratch memory. Variables and data lie elsewhere.
    pub memory: usize,
    /// When it first ran.
    pub begin: u64,
}

/// What a machine can do at most, measured.
///
/// # Example
/// ```
/// use carnyx_nn::profile::Machine;
/// let machine = Machine { flops_per_second: 170e9, bytes_per_second: 18e9 };
/// // Below this many operations for each byte, memory is what a computation waits for.
/// assert!((machine.flops_per_second / machine.bytes_per_second).round() == 9.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Floating-point operations per second, all threads together: those of a product of matrices in the caches.
    pub flops_per_second: f64,
    /// Bytes per second between memory and the processor, all threads together.
    pub bytes_per_second: f64,
}
