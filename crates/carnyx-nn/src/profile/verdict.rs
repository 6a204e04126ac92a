//! What holds training up most, and one thing to try against it.
//!
//! Whatever lies outside of the model's arithmetic is named if it takes more time than anything else. Within the
//! arithmetic, work that is too small for the machine comes first, since all other figures say little then; then
//! threads that wait for one another, one layer that is larger than the others, and memory.

use super::marks::{ROWS, WAITING_FOR_BATCH};
use super::report::{Report, Row, duration};
use super::{Machine, Phase};
use std::sync::Arc;

/// What takes the most time.
///
/// # Example
/// ```
/// use carnyx_nn::profile::{Bound, Phase, Profile, Span, Step};
/// let step = Step { duration: 100, ..Step::default() };
/// let slow = Span { phase: Phase::Callback, duration: 90, step: Some(0), ..Span::named("Draw::on_batch_end") };
/// let profile = Profile { threads: 1, steps: vec![step], spans: vec![slow], ..Profile::default() };
/// assert_eq!(profile.report().bound, Bound::Callback("Draw::on_batch_end".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing was recorded.
    Nothing,
    /// The step waits for its samples.
    Input,
    /// A callback, by its name and method.
    Callback(Arc<str>),
    /// The validation after each epoch.
    Validation,
    /// The metrics.
    Metrics,
    /// Programs are planned again and again.
    Planning,
    /// Too little work in a step for the machine and its threads.
    SmallBatch,
    /// Threads wait for one another.
    Waiting,
    /// One layer.
    Layer(Arc<str>),
    /// The arithmetic of all layers, as fast as memory gives their weights.
    Memory,
    /// The arithmetic of all layers.
    Computation,
}

/// A task that is shorter than this, in nanoseconds, gains little from other threads: each transfer between two cores
/// takes some 150 ns, and a task has several.
const SMALL_TASK: f64 = 5e3;
/// A task that is shorter than this is mostly its beginning and end.
const TINY_TASK: f64 = 1e3;

pub(super) fn bound_of(report: &Report) -> Bound {
    let shares = &report.shares;
    if report.rows.is_empty() {
        return Bound::Nothing;
    }
    if shares.plans_per_step > 0.5 && shares.planning > 0.3 {
        return Bound::Planning;
    }
    let (callback, of_callback) = shares.callback.clone().unwrap_or_else(|| ("".into(), 0.0));
    let outside = [
        (Bound::Input, shares.input),
        (Bound::Callback(callback), of_callback),
        (Bound::Metrics, shares.metrics),
        (Bound::Validation, shares.validation),
    ];
    let compute = 1.0 - outside.iter().map(|(_, share)| share).sum::<f64>();
    let largest = outside.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    match largest {
        Some((bound, share)) if share > compute => bound,
        _ => bound_of_arithmetic(report),
    }
}

fn bound_of_arithmetic(report: &Report) -> Bound {
    let shares = &report.shares;
    let idle = report.threads > 1 && shares.helping < 0.3;
    let computing: f64 =
        report.rows.iter().filter(|row| row.phase.is_computation()).map(|row| row.share).sum();
    if shares.overhead > computing
        || shares.task < TINY_TASK
        || (shares.task < SMALL_TASK && (idle || shares.overhead > 0.25))
    {
        return Bound::SmallBatch;
    }
    if shares.waiting > 0.3 {
        return Bound::Waiting;
    }
    let layers = layers_of(report);
    if let [(layer, first), rest @ ..] = &layers[..] {
        let all: f64 = layers.iter().map(|(_, share)| share).sum();
        let second = rest.first().map_or(0.0, |(_, share)| *share);
        if layers.len() > 1 && *first > 0.5 * all && *first > 2.0 * second {
            return Bound::Layer(layer.clone());
        }
    }
    let busy = report.rows.iter().filter(|row| row.phase.is_computation());
    if is_bound_by_memory(&sum_of(busy), report.machine) { Bound::Memory } else { Bound::Computation }
}

/// Layers with the share of time in which they compute, the largest first.
fn layers_of(report: &Report) -> Vec<(Arc<str>, f64)> {
    let mut layers: Vec<(Arc<str>, f64)> = Vec::new();
    for row in report.rows.iter().filter(|row| row.phase.is_computation() || row.phase == Phase::Waiting) {
        let Some(layer) = &row.layer else { continue };
        match layers.iter_mut().find(|(known, _)| known == layer) {
            Some((_, share)) => *share += row.share,
            None => layers.push((layer.clone(), row.share)),
        }
    }
    layers.sort_by(|a, b| b.1.total_cmp(&a.1));
    layers
}

fn sum_of<'a>(rows: impl Iterator<Item = &'a Row>) -> Row {
    rows.fold(Row::default(), |sum, row| Row {
        time: sum.time + row.time,
        share: sum.share + row.share,
        flops: sum.flops + row.flops,
        bytes: sum.bytes + row.bytes,
        ..sum
    })
}

/// Whether memory is not far from its limit, and arithmetic is. What is faster than memory comes from the caches.
fn is_bound_by_memory(row: &Row, machine: Option<Machine>) -> bool {
    machine.is_some_and(|Machine { flops_per_second, bytes_per_second }| {
        let memory = row.bytes_per_second() / bytes_per_second.max(1.0);
        let arithmetic = row.flops_per_second() / flops_per_second.max(1.0);
        (0.4..1.1).contains(&memory) && arithmetic < 0.8 * memory
    })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// What the bound is, and what to try.
pub(super) fn in_words(report: &Report) -> String {
    let (finding, advice) = words(report);
    if advice.is_empty() { finding } else { format!("{finding}\nTry: {advice}") }
}

fn words(report: &Report) -> (String, String) {
    let shares = &report.shares;
    match &report.bound {
        Bound::Nothing => ("Nothing was recorded.".into(), String::new()),
        Bound::Input => (
            format!("The step waits for its data: {} of the time goes into the next batch.", percent(shares.input)),
            match &*shares.fetching {
                WAITING_FOR_BATCH => {
                    "more threads that prepare batches, `.parallel_map(4, ..)`: the source is slower than the model, \
                     although it works ahead. If it is the reading itself, keep what was read in memory."
                }
                ROWS | "gather" => {
                    "smaller samples, such as bytes in place of floats: gathering the rows of a batch moves them."
                }
                _ => {
                    "`.prefetch(2)` as the last word of the stream: another thread makes the next batch ready while \
                     this one is learned. An iterator becomes a stream by `Stream::once(..)`."
                }
            }
            .into(),
        ),
        Bound::Callback(name) => {
            let share = shares.callback.as_ref().map_or(0.0, |(_, share)| *share);
            let advice = if name.contains("_batch_") {
                "do its work after each epoch, in `on_epoch_end`, or only every hundredth batch."
            } else {
                "do its work less often, for example every tenth epoch."
            };
            (format!("A callback takes most of the time: {} goes into `{name}`.", percent(share)), advice.into())
        }
        Bound::Validation => (
            format!("Validation takes most of the time: {}.", percent(shares.validation)),
            "validate on fewer samples: a smaller part of them, or `.validation_steps(..)` of a stream.".into(),
        ),
        Bound::Metrics => (
            format!("The metrics take most of the time: {}.", percent(shares.metrics)),
            "leave the costly one out of training, and work it out with `evaluate` afterwards.".into(),
        ),
        Bound::Planning => (
            format!("Programs are planned again and again: {} of all time.", percent(shares.planning)),
            "batches of one size, since each size has a program of its own, and a model without `.dynamic()`.".into(),
        ),
        Bound::SmallBatch => small_batch(report),
        Bound::Waiting => (
            format!("The threads wait for one another: {} of the time.", percent(shares.waiting)),
            "leave the cores to the training, for another program may be using them, or give it fewer threads: \
             `.on_executor(Arc::new(Cpu::new(1)))`."
                .into(),
        ),
        Bound::Layer(layer) => one_layer(report, layer),
        Bound::Memory => (
            "The layers compute as fast as memory brings their weights.".into(),
            "a larger batch, so that each weight that is read serves more samples.".into(),
        ),
        Bound::Computation => computation(report),
    }
}

fn small_batch(report: &Report) -> (String, String) {
    let shares = &report.shares;
    let idle = if report.threads > 1 {
        let verb = if report.threads == 2 { "the second thread has" } else { "the other threads have" };
        format!("; {verb} nothing to do for {} of it", percent(1.0 - shares.helping.min(1.0)))
    } else {
        String::new()
    };
    let finding = format!(
        "The batches are too small for this machine: a task takes {} on average, and {} of a step is spent between \
         tasks{idle}.",
        duration(shares.task),
        percent(shares.overhead)
    );
    let rows = (report.rows_of_step.round().max(1.0) as usize).saturating_mul(4);
    let advice = format!(
        "`.batch_size({rows})`: a step takes little longer, and an epoch has a quarter of them. The learning rate may \
         grow with it."
    );
    (finding, advice)
}

fn one_layer(report: &Report, layer: &Arc<str>) -> (String, String) {
    let own = || report.rows.iter().filter(|row| row.layer.as_ref() == Some(layer));
    let sum = sum_of(own());
    let phases: Vec<String> = own().map(|row| format!("{} {}", row.phase, percent(row.share))).collect();
    let finding =
        format!("The layer `{layer}` takes {} of the time: {}.", percent(sum.share), phases.join(", "));
    if is_bound_by_memory(&sum, report.machine) {
        let rate = sum.bytes_per_second() / 1e9;
        return (
            format!("{finding} It moves {rate:.1} GB/s, so memory is what it waits for."),
            "a larger batch, so that each weight that is read serves more samples, or fewer units.".into(),
        );
    }
    let reached = reached(&sum, report.machine).map_or_else(String::new, |share| {
        format!(" It reaches {} of the arithmetic that this machine can do.", percent(share))
    });
    let advice = "fewer units in it or in the layer before it; nothing else is worth changing.";
    (finding + &reached, advice.into())
}

fn computation(report: &Report) -> (String, String) {
    let sum = sum_of(report.rows.iter().filter(|row| row.phase.is_computation()));
    let most = layers_of(report)
        .first()
        .map_or_else(String::new, |(layer, share)| format!(", `{layer}` the most with {}", percent(*share)));
    let finding = format!("The model's own arithmetic takes {} of the time{most}.", percent(sum.share));
    match reached(&sum, report.machine) {
        Some(share) if share < 0.4 => (
            format!("{finding} It reaches {} of what this machine can do.", percent(share)),
            "a larger batch, with which the products of matrices come nearer to that.".into(),
        ),
        share => {
            let reached = share.map_or_else(String::new, |share| {
                format!(" It reaches {} of what this machine can do.", percent(share))
            });
            (
                finding + &reached,
                "a smaller model, or more cores: the training itself is as it should be.".into(),
            )
        }
    }
}

/// The share of a machine's arithmetic that is reached.
fn reached(row: &Row, machine: Option<Machine>) -> Option<f64> {
    let peak = machine.map(|machine| machine.flops_per_second).filter(|&peak| peak > 0.0)?;
    Some(row.flops_per_second() / peak)
}
