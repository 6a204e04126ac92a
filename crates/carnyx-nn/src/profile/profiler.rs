//! Recording: a block of code, or some steps of a fit.

use super::Profile;
use super::assemble::assembled;
use crate::callbacks::Callback;
use crate::engine;
use carnyx_graph::trace::{Trace, Tracer};
use carnyx_graph::{Error, Executor, Result};
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

/// Records where the time goes: of a block of code, or, as a callback, of some steps of a fit.
///
/// Recording reads a clock wherever a task begins or ends, which takes about 11 ns each time; a fit that nobody records
/// reads none. A span takes about 130 bytes in a profile, and a step has some dozens of them: a few hundred steps say all
/// there is to know, while a long fit would fill the memory.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// use carnyx_nn::*;
/// # let (x, y) = (Array::full([256, 20], 1f32), Array::full([256, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(30).activation(Relu)).then(Dense::new(1))
///     .compile(Sgd::new(0.01), MeanSquaredError);
///
/// // The steps 4 to 7 of a fit, the first of which are slower than the others.
/// let mut profiler = Profiler::steps(4..8);
/// model.fit((&x, &y), Fit::epochs(1).verbose(Verbosity::Silent).callback(&mut profiler))?;
/// println!("{}", profiler.profile()?.report());
///
/// // Any block of code.
/// let (predictions, profile) = Profiler::record(|| model.predict(&x))?;
/// println!("{}", profile.report());
/// # assert_eq!(predictions.num_rows(), 256);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[must_use]
pub struct Profiler {
    range: Range<usize>,
    state: State,
}

enum State {
    /// So many steps were done, none of which is in the range.
    Waiting(usize),
    Recording(Arc<dyn Tracer>),
    Recorded(Trace),
    Done(Box<Profile>),
    /// Somebody else recorded when the range began: no reason to end a training.
    Failed(Error),
}

/// Ends the recording of a block that does not come to its end.
struct Recording<'a>(&'a dyn Tracer);

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Profiler {
    /// A callback that records these steps of a fit, counted from 0 over all its epochs, and what lies between them,
    /// such as validation. The first steps of a fit are not typical: they trace the model and touch memory for the
    /// first time.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_nn::*;
    /// # let (x, y) = (Array::full([256, 20], 1f32), Array::full([256, 1], 2f32));
    /// # let mut model = Dense::new(1).compile(Sgd::new(0.01), MeanSquaredError);
    /// let mut profiler = Profiler::steps(2..6);
    /// model.fit((&x, &y), Fit::epochs(1).verbose(Verbosity::Silent).callback(&mut profiler))?;
    /// assert_eq!(profiler.profile()?.steps.len(), 4);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn steps(range: Range<usize>) -> Profiler {
        Profiler { range, state: State::Waiting(0) }
    }

    /// Does `work`: what it gives, and where its time went. Only what runs on this thread, by models that were not told
    /// to run elsewhere.
    ///
    /// # Errors
    /// Those of `work`; `profile`, if another profile is being recorded.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_nn::profile::StepKind;
    /// use carnyx_nn::*;
    /// # let (x, y) = (Array::full([256, 20], 1f32), Array::full([256, 1], 2f32));
    /// # let mut model = Dense::new(1).compile(Sgd::new(0.01), MeanSquaredError);
    /// let (history, profile) = Profiler::record(|| model.fit((&x, &y), Fit::epochs(2).verbose(Verbosity::Silent)))?;
    /// assert_eq!(history.epochs.len(), 2);
    /// assert_eq!(profile.steps.iter().filter(|step| step.kind == StepKind::Training).count(), 16);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn record<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Profile)> {
        Profiler::record_on(engine::shared(), work)
    }

    /// The same of what runs on another executor: see [`Model::on_executor`](crate::Model::on_executor).
    ///
    /// # Errors
    /// Those of `work`; `profile`, if another profile is being recorded, or if the executor records nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_cpu::Cpu;
    /// use carnyx_nn::*;
    /// use std::sync::Arc;
    /// # let (x, y) = (Array::full([256, 20], 1f32), Array::full([256, 1], 2f32));
    /// let cpu = Arc::new(Cpu::new(1));
    /// let model = Dense::new(1).compile(Sgd::new(0.01), MeanSquaredError).on_executor(cpu.clone());
    /// let (_, profile) = Profiler::record_on(&*cpu, || model.predict(&x))?;
    /// assert_eq!(profile.threads, 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn record_on<T>(executor: &dyn Executor, work: impl FnOnce() -> Result<T>) -> Result<(T, Profile)> {
        let site = Location::caller();
        let tracer = executor.tracer().ok_or_else(|| records_nothing().at(site))?;
        tracer.begin().map_err(|error| error.at(site))?;
        let recording = Recording(&**tracer);
        let result = work()?;
        let trace = recording.0.end().ok_or_else(|| {
            Error::new("profile", "the recording was ended before its block of code")
                .help("record one thing at a time")
        })?;
        Ok((result, assembled(trace, executor.limits())))
    }

    /// What was recorded in the last fit. One that ended within the range gives the steps that there are.
    ///
    /// # Errors
    /// `profile`, if no step of the range was reached.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Profiler;
    /// let profiler = Profiler::steps(100..200);
    /// assert_eq!(profiler.profile().unwrap_err().code(), "profile"); // no model was fitted
    /// ```
    #[track_caller]
    pub fn profile(&self) -> Result<&Profile> {
        let range = &self.range;
        let site = Location::caller();
        let error = |title: String| Error::new("profile", title).at(site);
        match &self.state {
            State::Done(profile) => Ok(profile),
            State::Failed(error) => Err(error.clone().at(site)),
            State::Recording(_) | State::Recorded(_) => {
                Err(error("the profile is still being recorded".into()))
            }
            State::Waiting(0) => Err(error("nothing was recorded".into())
                .label(format!("the steps {range:?} of a fit were asked for, and there was no fit"))
                .help("give the profiler to a fit: `.callback(&mut profiler)`")),
            State::Waiting(steps) => Err(error(format!("the fit ended before step {}", range.start))
                .label(format!("the steps {range:?} were asked for, counted from 0; it had {steps} steps"))
                .help(format!("ask for steps below {steps}, or train for more epochs"))),
        }
    }

    /// A fit begins.
    pub(crate) fn prepare(&mut self, executor: &dyn Executor) -> Result {
        check(&self.range)?;
        self.state = State::Waiting(0);
        let tracer = executor.tracer().ok_or_else(records_nothing)?;
        if tracer.is_recording() {
            return Err(Error::new("profile", "two profiles at once")
                .label("this fit is part of a block of code that is being recorded")
                .help("record the block, or some steps of the fit: one of them"));
        }
        Ok(())
    }

    /// So many steps of the fit are done; the next one is about to begin.
    pub(crate) fn at_step(&mut self, executor: &dyn Executor, number: usize) -> Result {
        match &self.state {
            State::Waiting(_) if self.range.contains(&number) => {
                let tracer = executor.tracer().ok_or_else(records_nothing)?;
                self.state = match tracer.begin() {
                    Ok(()) => State::Recording(tracer.clone()),
                    Err(error) => State::Failed(error),
                };
            }
            State::Waiting(_) => self.state = State::Waiting(number),
            State::Recording(tracer) if number >= self.range.end => {
                self.state = State::Recorded(tracer.end().unwrap_or_default());
            }
            State::Recording(_) | State::Recorded(_) | State::Done(_) | State::Failed(_) => {}
        }
        Ok(())
    }

    /// Puts together what was recorded, if the range has ended.
    pub(crate) fn finish_range(&mut self, executor: &dyn Executor) {
        if matches!(self.state, State::Recorded(_)) {
            self.finish(executor);
        }
    }

    /// The fit or the range has ended.
    pub(crate) fn finish(&mut self, executor: &dyn Executor) {
        let trace = match &mut self.state {
            State::Recording(tracer) => tracer.end().unwrap_or_default(),
            State::Recorded(trace) => std::mem::take(trace),
            State::Waiting(_) | State::Done(_) | State::Failed(_) => return,
        };
        self.state = State::Done(Box::new(assembled(trace, executor.limits())));
    }
}

impl Drop for Profiler {
    fn drop(&mut self) {
        if let State::Recording(tracer) = &self.state {
            tracer.end();
        }
    }
}

impl Callback for Profiler {
    fn wants_batches(&self) -> bool {
        false
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }

    fn as_profiler(&mut self) -> Option<&mut Profiler> {
        Some(self)
    }
}

fn check(range: &Range<usize>) -> Result {
    if range.start < range.end {
        return Ok(());
    }
    let error = Error::new("profile", format!("there are no steps in {range:?}"));
    Err(if range.start > range.end {
        error.help(format!("the first step comes first: `{}..{}`", range.end, range.start))
    } else {
        let (start, end) = (range.start, range.start + 10);
        error.label("a range ends before its second number").help(format!("`{start}..{end}` are ten steps"))
    })
}

fn records_nothing() -> Error {
    Error::new("profile", "the executor of the model records nothing")
        .help("profile the model on the one that it has by itself, `Cpu`")
}
