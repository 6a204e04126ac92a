//! What spans, phases and lanes say of themselves.

use super::{Lane, Part, Phase, Span, StepKind};
use std::fmt;

impl Span {
    /// A span of nothing else than a name: a beginning for [the rest](Span).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::profile::{Phase, Span};
    /// let span = Span { phase: Phase::Metrics, duration: 1200, ..Span::named("reduce_sum") };
    /// assert_eq!((&*span.operation, span.end()), ("reduce_sum", 1200));
    /// ```
    pub fn named(name: &str) -> Span {
        Span { name: name.into(), operation: name.into(), ..Span::default() }
    }

    /// When it ended.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Span;
    /// assert_eq!(Span { begin: 200, duration: 300, ..Span::named("dot") }.end(), 500);
    /// ```
    pub fn end(&self) -> u64 {
        self.begin + self.duration
    }

    /// The line of a drawing on which it belongs.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::{Lane, Phase, Span};
    /// assert_eq!(Span { phase: Phase::Callback, ..Span::named("CSVLogger") }.lane(), Lane::Loop);
    /// assert_eq!(Span { phase: Phase::Waiting, thread: 1, ..Span::named("wait") }.lane(), Lane::Thread(1));
    /// ```
    pub fn lane(&self) -> Lane {
        match self.phase {
            Phase::Input => Lane::Input,
            Phase::Callback | Phase::Planning | Phase::Loop => Lane::Loop,
            Phase::Forward
            | Phase::Loss
            | Phase::Backward
            | Phase::Optimizer
            | Phase::Metrics
            | Phase::Waiting => Lane::Thread(self.thread),
        }
    }

    /// Floating-point operations per second; 0 if it took no time.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Span;
    /// assert_eq!(Span { duration: 1000, flops: 5000, ..Span::named("dot") }.flops_per_second(), 5e9);
    /// ```
    pub fn flops_per_second(&self) -> f64 {
        per_second(self.flops, self.duration)
    }

    /// Bytes per second; 0 if it took no time.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Span;
    /// assert_eq!(Span { duration: 1000, bytes: 8000, ..Span::named("dot") }.bytes_per_second(), 8e9);
    /// ```
    pub fn bytes_per_second(&self) -> f64 {
        per_second(self.bytes, self.duration)
    }
}

fn per_second(count: u64, nanoseconds: u64) -> f64 {
    if nanoseconds == 0 { 0.0 } else { count as f64 * 1e9 / nanoseconds as f64 }
}

impl Phase {
    /// All phases, in the order in which a step goes through them.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::profile::Phase;
    /// assert_eq!(Phase::ALL[0], Phase::Input);
    /// ```
    pub const ALL: [Phase; 10] = [
        Phase::Input,
        Phase::Forward,
        Phase::Loss,
        Phase::Backward,
        Phase::Optimizer,
        Phase::Metrics,
        Phase::Callback,
        Phase::Planning,
        Phase::Loop,
        Phase::Waiting,
    ];

    /// Whether the model's own arithmetic was at work.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Phase;
    /// assert!(Phase::Optimizer.is_computation());
    /// assert!(!Phase::Waiting.is_computation());
    /// ```
    pub fn is_computation(self) -> bool {
        matches!(self, Phase::Forward | Phase::Loss | Phase::Backward | Phase::Optimizer | Phase::Metrics)
    }

    /// One lower-case word.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Phase;
    /// assert_eq!(Phase::Forward.name(), "forward");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Phase::Input => "input",
            Phase::Forward => "forward",
            Phase::Loss => "loss",
            Phase::Backward => "backward",
            Phase::Optimizer => "optimizer",
            Phase::Metrics => "metrics",
            Phase::Callback => "callback",
            Phase::Planning => "planning",
            Phase::Loop => "loop",
            Phase::Waiting => "waiting",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            StepKind::Training => "training",
            StepKind::Evaluation => "evaluation",
            StepKind::Prediction => "prediction",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.layer {
            Some(layer) => write!(f, "{layer}, {}", self.phase),
            None => write!(f, "{}", self.phase),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Lane::Input => f.write_str("input"),
            Lane::Loop => f.write_str("loop"),
            Lane::Thread(thread) => write!(f, "thread {thread}"),
        }
    }
}
