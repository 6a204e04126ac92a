//! A profile in words: what took how long, how near that is to what the machine can do, and what to try.
//!
//! Shares are those of the calling thread's time without planning, which happens once: whatever that thread waits for is
//! what a step waits for.

use super::verdict::{self, Bound};
use super::{Machine, Phase, Profile, Span, Step, StepKind};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Lines of the table, at most; smaller ones are added up in the last.
const LINES: usize = 16;

/// What a [`Profile`] says: print it.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Bound, Phase, Profile, Span, Step};
/// let profile = Profile {
///     threads: 1,
///     steps: vec![Step { rows: 32, duration: 1_000_000, ..Step::default() }],
///     spans: vec![
///         Span { phase: Phase::Input, duration: 900_000, step: Some(0), ..Span::named("next batch") },
///         Span { phase: Phase::Forward, begin: 900_000, duration: 100_000, step: Some(0), ..Span::named("dot") },
///     ],
///     ..Profile::default()
/// };
/// let report = profile.report();
/// assert_eq!(report.bound, Bound::Input);
/// assert!(report.to_string().contains("waits for its data: 90 % of the time"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What the steps are: those of training, if there are any.
    pub kind: StepKind,
    /// How many of them there are.
    pub steps: usize,
    /// How long one takes on average, in nanoseconds.
    pub step_time: f64,
    /// How many samples one has on average.
    pub rows_of_step: f64,
    /// What was done, layer by layer and phase by phase; what took longest comes first.
    pub rows: Vec<Row>,
    /// What takes the most time.
    pub bound: Bound,
    /// The figures on which that rests.
    pub(super) shares: Shares,
    /// Nanoseconds of planning.
    pub(super) planning: u64,
    /// Nanoseconds of steps of other kinds, such as validation.
    pub(super) others: u64,
    pub(super) threads: usize,
    pub(super) memory: usize,
    pub(super) machine: Option<Machine>,
}

/// A line of a [`Report`]: a layer in a phase.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Phase, Row};
/// let row = Row { time: 2_000, flops: 400_000, ..Row::of(Some("dense".into()), Phase::Forward) };
/// assert_eq!(row.flops_per_second(), 200e9);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The layer, if it belongs to one.
    pub layer: Option<Arc<str>>,
    /// The phase.
    pub phase: Phase,
    /// Nanoseconds of the calling thread, all steps together.
    pub time: u64,
    /// The share of that in all of its time.
    pub share: f64,
    /// Floating-point operations of all threads.
    pub flops: u64,
    /// Bytes of all threads.
    pub bytes: u64,
}

impl Row {
    /// A line of nothing yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::{Phase, Row};
    /// assert_eq!(Row::of(None, Phase::Input).time, 0);
    /// ```
    pub fn of(layer: Option<Arc<str>>, phase: Phase) -> Row {
        Row { layer, phase, ..Row::default() }
    }

    /// Floating-point operations per second.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Row;
    /// assert_eq!(Row { time: 1000, flops: 5000, ..Row::default() }.flops_per_second(), 5e9);
    /// ```
    pub fn flops_per_second(&self) -> f64 {
        self.flops as f64 * 1e9 / self.time.max(1) as f64
    }

    /// Bytes per second.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::profile::Row;
    /// assert_eq!(Row { time: 1000, bytes: 8000, ..Row::default() }.bytes_per_second(), 8e9);
    /// ```
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 * 1e9 / self.time.max(1) as f64
    }
}

/// Shares of the calling thread's time, and what else a verdict looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shares {
    pub(super) input: f64,
    /// What of the input takes longest: the operation of its spans.
    pub(super) fetching: Arc<str>,
    /// The callback that takes longest, and its share.
    pub(super) callback: Option<(Arc<str>, f64)>,
    pub(super) metrics: f64,
    pub(super) validation: f64,
    pub(super) waiting: f64,
    /// The share of a step that is spent between tasks: half of the steps have less. An average would say more of a
    /// thread that once lost its core than of the steps.
    pub(super) overhead: f64,
    /// Programs that were planned within steps, for each step.
    pub(super) plans_per_step: f64,
    /// The share of planning in all time.
    pub(super) planning: f64,
    /// Nanoseconds of a task: the average within a step, of which half of the steps have less.
    pub(super) task: f64,
    /// The share of a step in which the helping threads have something to do, likewise.
    pub(super) helping: f64,
}

impl Profile {
    /// What took the time, and what to try.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_nn::*;
    /// # let (x, y) = (Array::full([256, 20], 1f32), Array::full([256, 1], 2f32));
    /// # let mut model = Dense::new(1).compile(Sgd::new(0.01), MeanSquaredError);
    /// let (_, profile) = Profiler::record(|| model.fit((&x, &y), Fit::epochs(2).verbose(Verbosity::Silent)))?;
    /// let report = profile.report();
    /// assert_eq!(report.steps, 16);
    /// println!("{report}");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn report(&self) -> Report {
        let has_training = self.steps.iter().any(|step| step.kind == StepKind::Training);
        let kind = match self.steps.first() {
            Some(first) if !has_training => first.kind,
            _ => StepKind::Training,
        };
        let steps: Vec<&Step> = self.steps.iter().filter(|step| step.kind == kind).collect();
        let mean = |sum: f64| if steps.is_empty() { 0.0 } else { sum / steps.len() as f64 };
        let (planned, spans): (Vec<&Span>, Vec<&Span>) =
            self.spans.iter().partition(|span| span.phase == Phase::Planning);
        let planning = planned.iter().map(|span| span.duration).sum();
        let kind_of = |span: &Span| span.step.map(|step| self.steps[step].kind);
        let sum = |spans: &[&Span]| -> u64 {
            spans.iter().filter(|span| span.thread == 0).map(|span| span.duration).sum()
        };
        let (others, own): (Vec<&Span>, Vec<&Span>) =
            spans.iter().copied().partition(|span| kind_of(span).is_some_and(|other| other != kind));
        let of_steps: Vec<&Span> = own.iter().copied().filter(|span| span.step.is_some()).collect();
        let shares = self.shares(kind, &spans, &planned);
        let mut report = Report {
            kind,
            steps: steps.len(),
            step_time: mean(sum(&of_steps) as f64),
            rows_of_step: mean(steps.iter().map(|step| step.rows as f64).sum()),
            rows: rows_of(&own),
            bound: Bound::Nothing,
            shares,
            planning,
            others: sum(&others),
            threads: self.threads,
            memory: self.programs.iter().map(|program| program.memory).sum(),
            machine: self.machine,
        };
        report.bound = verdict::bound_of(&report);
        report
    }

    fn shares(&self, kind: StepKind, spans: &[&Span], planned: &[&Span]) -> Shares {
        let own = || spans.iter().filter(|span| span.thread == 0);
        let time = |is: &dyn Fn(&Span) -> bool| -> f64 {
            own().filter(|span| is(span)).map(|span| span.duration as f64).sum()
        };
        let total = time(&|_| true).max(1.0);
        let kind_of = |span: &Span| span.step.map(|step| self.steps[step].kind);
        let callbacks = own().filter(|span| span.phase == Phase::Callback);
        let callback = largest(callbacks.map(|span| (&span.name, span.duration)));
        let fetching = own().filter(|span| span.phase == Phase::Input);
        let fetching = largest(fetching.map(|span| (&span.operation, span.duration)));
        let steps = self.steps.iter().filter(|step| step.kind == kind).count().max(1) as f64;
        let helpers = self.threads.saturating_sub(1).max(1) as f64;
        let work = self.work_of_steps(kind, spans);
        // As large a part of all time as the typical step has.
        let in_steps = work.iter().map(|work| work.time).sum::<f64>() / total;
        let planning: f64 = planned.iter().map(|span| span.duration as f64).sum();
        Shares {
            input: time(&|span| span.phase == Phase::Input) / total,
            fetching: fetching.map_or_else(|| "".into(), |(operation, _)| operation),
            callback: callback.map(|(name, time)| (name, time as f64 / total)),
            metrics: median(work.iter().map(|work| work.metrics / work.time.max(1.0)).collect()) * in_steps,
            validation: time(&|span| kind_of(span).is_some_and(|other| other != kind)) / total,
            waiting: time(&|span| span.phase == Phase::Waiting) / total,
            overhead: median(work.iter().map(|work| work.between / work.time.max(1.0)).collect()),
            plans_per_step: planned.iter().filter(|span| span.step.is_some()).count() as f64 / steps,
            planning: planning / (planning + total),
            task: median(work.iter().map(|work| work.computing / work.tasks.max(1.0)).collect()),
            helping: median(work.iter().map(|work| work.helped / helpers / work.time.max(1.0)).collect()),
        }
    }
}

/// Nanoseconds of one step, without its input.
#[derive(Clone, Copy, Default)]
struct Work {
    /// Of the calling thread.
    time: f64,
    /// Of that, what it spent between tasks.
    between: f64,
    /// Of that, what it spent on metrics.
    metrics: f64,
    /// Of that, what it spent on tasks, and how many these were.
    computing: f64,
    tasks: f64,
    /// Of the helping threads, all together.
    helped: f64,
}

impl Profile {
    fn work_of_steps(&self, kind: StepKind, spans: &[&Span]) -> Vec<Work> {
        let mut work = vec![Work::default(); self.steps.len()];
        for span in spans.iter().filter(|span| span.phase != Phase::Input) {
            let (Some(step), duration) = (span.step, span.duration as f64) else { continue };
            if span.thread > 0 {
                work[step].helped += if span.phase == Phase::Waiting { 0.0 } else { duration };
                continue;
            }
            work[step].time += duration;
            work[step].between += if span.phase == Phase::Loop { duration } else { 0.0 };
            work[step].metrics += if span.phase == Phase::Metrics { duration } else { 0.0 };
            if span.phase.is_computation() {
                work[step].computing += duration;
                work[step].tasks += 1.0;
            }
        }
        let of_kind = work.into_iter().zip(&self.steps).filter(|(_, step)| step.kind == kind);
        of_kind.map(|(work, _)| work).collect()
    }
}

/// The number that half of the others are below; 0 of none.
fn median(mut numbers: Vec<f64>) -> f64 {
    let middle = numbers.len() / 2;
    if numbers.is_empty() { 0.0 } else { *numbers.select_nth_unstable_by(middle, f64::total_cmp).1 }
}

/// The name with the largest sum.
fn largest<'a>(times: impl Iterator<Item = (&'a Arc<str>, u64)>) -> Option<(Arc<str>, u64)> {
    let mut sums: HashMap<&Arc<str>, u64> = HashMap::new();
    times.for_each(|(name, time)| *sums.entry(name).or_default() += time);
    // Names break ties: the order in a table of hashes must not matter.
    let largest = sums.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)));
    largest.map(|(name, time)| (name.clone(), time))
}

/// A line for each layer and phase, by their time.
fn rows_of(spans: &[&Span]) -> Vec<Row> {
    let mut rows: HashMap<(Option<Arc<str>>, Phase), Row> = HashMap::new();
    for span in spans.iter().filter(|span| span.thread == 0 || span.phase != Phase::Waiting) {
        let key = (span.layer.clone(), span.phase);
        let row = rows.entry(key).or_insert_with(|| Row::of(span.layer.clone(), span.phase));
        row.flops += span.flops;
        row.bytes += span.bytes;
        if span.thread == 0 {
            row.time += span.duration;
        }
    }
    let mut rows: Vec<Row> = rows.into_values().filter(|row| row.time > 0).collect();
    let total = rows.iter().map(|row| row.time).sum::<u64>().max(1) as f64;
    rows.iter_mut().for_each(|row| row.share = row.time as f64 / total);
    rows.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| (&a.layer, a.phase).cmp(&(&b.layer, b.phase))));
    rows
}

/// 812 ns, 27.1 µs, 1.40 ms, 3.2 s.
pub(super) fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 999.5 => format!("{n:.0} ns"),
        n if n < 99.95e3 => format!("{:.1} µs", n / 1e3),
        n if n < 999.5e3 => format!("{:.0} µs", n / 1e3),
        n if n < 99.95e6 => format!("{:.2} ms", n / 1e6),
        n if n < 999.5e6 => format!("{:.0} ms", n / 1e6),
        n => format!("{:.1} s", n / 1e9),
    }
}

/// A rate in units of 10⁹, and its share of the greatest one. What is faster than memory comes from the caches.
fn rate(value: f64, greatest: Option<f64>) -> String {
    if value < 5e6 {
        return String::new();
    }
    let number = if value < 9.95e9 { format!("{:.2}", value / 1e9) } else { format!("{:.0}", value / 1e9) };
    match greatest.filter(|&greatest| greatest > 0.0) {
        Some(greatest) if value > greatest => format!("{number} (cache)"),
        Some(greatest) => format!("{number} ({:.0} %)", 100.0 * value / greatest),
        None => number,
    }
}

impl Report {
    fn headline(&self) -> String {
        let (count, kind) = (self.steps, self.kind);
        let noun = if count == 1 { "step" } else { "steps" };
        if count == 0 {
            return "no steps".to_owned();
        }
        let per_second = self.rows_of_step * 1e9 / self.step_time.max(1.0);
        let threads =
            if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        format!(
            "{count} {noun} of {kind}, {:.0} rows and {} each: {per_second:.0} rows a second on {threads}",
            self.rows_of_step,
            duration(self.step_time)
        )
    }

    fn lines(&self) -> Vec<[String; 6]> {
        let steps = self.steps.max(1) as f64;
        let peak = self.machine.map(|machine| machine.flops_per_second);
        let bandwidth = self.machine.map(|machine| machine.bytes_per_second);
        let line = |row: &Row| {
            [
                row.layer.as_deref().unwrap_or("-").to_owned(),
                row.phase.to_string(),
                duration(row.time as f64 / steps),
                format!("{:.1} %", 100.0 * row.share),
                rate(row.flops_per_second(), peak),
                rate(row.bytes_per_second(), bandwidth),
            ]
        };
        let shown = if self.rows.len() > LINES { LINES - 1 } else { self.rows.len() };
        let header = ["layer", "phase", "time a step", "share", "GFLOP/s", "GB/s"].map(str::to_owned);
        let mut lines: Vec<[String; 6]> =
            [header].into_iter().chain(self.rows[..shown].iter().map(line)).collect();
        if shown < self.rows.len() {
            let rest = &self.rows[shown..];
            let (time, share): (u64, f64) =
                rest.iter().fold((0, 0.0), |(time, share), row| (time + row.time, share + row.share));
            let label = format!("{} more lines", rest.len());
            let (time, share) = (duration(time as f64 / steps), format!("{:.1} %", 100.0 * share));
            lines.push([label, String::new(), time, share, String::new(), String::new()]);
        }
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        let mut asides = Vec::new();
        for (time, what) in [(self.planning, "planning"), (self.others, "validation")] {
            if time > 0 {
                asides.push(format!("beside that, {} of {what}", duration(time as f64)));
            }
        }
        if self.memory > 0 {
            asides.push(format!("{:.1} MB of memory for programs", self.memory as f64 / 1e6));
        }
        if let Some(Machine { flops_per_second, bytes_per_second }) = self.machine {
            let (peak, bandwidth) = (flops_per_second / 1e9, bytes_per_second / 1e9);
            asides.push(format!("this machine can do {peak:.0} GFLOP/s and {bandwidth:.1} GB/s"));
        }
        if !asides.is_empty() {
            writeln!(f, "{}", asides.join("; "))?;
        }
        let lines = self.lines();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..6).map(width).collect();
        writeln!(f)?;
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        write!(f, "\n{}", verdict::in_words(self))
    }
}
