//! From what the executor and the training loop wrote down to a [`Profile`]: names, steps, and no time without a name.

use super::marks::{BATCH, CALLBACK, CHECK, PLANNING, ROWS, WAITING_FOR_BATCH};
use super::{Machine, Part, Phase, Profile, Program, Span, Step, StepKind};
use carnyx_graph::trace::{self, Limits, Mark, TaskFacts, Trace, TracedRun};
use std::collections::HashMap;
use std::sync::Arc;

/// The profile of a recording.
pub(super) fn assembled(trace: Trace, limits: Option<Limits>) -> Profile {
    let Trace { threads, duration, runs, mut marks } = trace;
    marks.sort_by_key(|mark| (mark.begin, u64::MAX - mark.end));
    let steps = steps_of(&marks);
    let opaque = outermost(marks.iter().filter(|mark| is_opaque(mark)));
    let mut spans: Vec<Span> = opaque.iter().map(|mark| span_of_mark(mark)).collect();
    let within = |run: &TracedRun| {
        let before = opaque.partition_point(|mark| mark.begin <= run.begin);
        before > 0 && run.end <= opaque[before - 1].end
    };
    let runs: Vec<TracedRun> = runs.into_iter().filter(|run| !within(run)).collect();
    let mut names = Names::default();
    runs.iter().for_each(|run| spans.extend(spans_of_run(run, &mut names)));
    let programs = programs_of(&runs, &steps);
    sort(&mut spans);
    place_in_steps(&mut spans, &steps);
    fill(&mut spans, &steps, threads);
    let machine = limits
        .map(|Limits { flops_per_second, bytes_per_second }| Machine { flops_per_second, bytes_per_second });
    Profile { threads, duration, steps, spans, programs, machine }
}

/// Marks of things that are not looked into: whatever runs within them belongs to them.
fn is_opaque(mark: &Mark) -> bool {
    [ROWS, BATCH, CHECK, WAITING_FOR_BATCH, CALLBACK, PLANNING].contains(&mark.kind)
}

fn kind_of(mark: &Mark) -> Option<StepKind> {
    [StepKind::Training, StepKind::Evaluation, StepKind::Prediction]
        .into_iter()
        .find(|kind| kind.mark() == mark.kind)
}

/// Those of the marks, which are sorted by their beginning, that lie in no other.
fn outermost<'a>(marks: impl Iterator<Item = &'a Mark>) -> Vec<&'a Mark> {
    let mut outermost: Vec<&Mark> = Vec::new();
    for mark in marks {
        if outermost.last().is_none_or(|last| last.end <= mark.begin) {
            outermost.push(mark);
        }
    }
    outermost
}

fn steps_of(marks: &[Mark]) -> Vec<Step> {
    let steps = outermost(marks.iter().filter(|mark| kind_of(mark).is_some()));
    let step = |mark: &Mark| Step {
        kind: kind_of(mark).unwrap_or_default(),
        number: mark.number,
        rows: mark.size,
        begin: mark.begin,
        duration: mark.end - mark.begin,
    };
    steps.into_iter().map(step).collect()
}

fn span_of_mark(mark: &Mark) -> Span {
    let phase = match mark.kind {
        CALLBACK => Phase::Callback,
        PLANNING => Phase::Planning,
        _ => Phase::Input,
    };
    Span {
        name: mark.name.clone().unwrap_or_else(|| mark.kind.into()),
        operation: mark.kind.into(),
        phase,
        begin: mark.begin,
        duration: mark.end - mark.begin,
        ..Span::default()
    }
}

/// Words that all spans share.
struct Names {
    wait: Arc<str>,
    none: Arc<[Part]>,
    also: HashMap<usize, Arc<[Part]>>,
}

impl Default for Names {
    fn default() -> Names {
        Names { wait: "wait".into(), none: Arc::new([]), also: HashMap::new() }
    }
}

impl Names {
    /// For what else a task is.
    fn also(&mut self, task: &TaskFacts) -> Arc<[Part]> {
        let address = Arc::as_ptr(&task.also).cast::<()>() as usize;
        let part = |(layer, purpose): &(Option<Arc<str>>, Option<&str>)| Part {
            layer: layer.clone(),
            phase: phase_of(*purpose),
        };
        self.also.entry(address).or_insert_with(|| task.also.iter().map(part).collect()).clone()
    }
}

fn phase_of(purpose: Option<&str>) -> Phase {
    match purpose {
        Some(trace::INPUT) => Phase::Input,
        Some(trace::BINDING) => Phase::Loop,
        Some("loss") => Phase::Loss,
        Some("backward") => Phase::Backward,
        Some("optimizer") => Phase::Optimizer,
        Some("metrics") => Phase::Metrics,
        // What nobody said anything of are values that a user or a layer asks for.
        _ => Phase::Forward,
    }
}

/// What the threads did in a run. Bytes and operations of a task are divided as its time is.
fn spans_of_run(run: &TracedRun, names: &mut Names) -> Vec<Span> {
    let mut busy = vec![0; run.tasks.len()];
    for span in run.spans.iter().filter(|span| !span.is_wait) {
        busy[span.task] += (span.end - span.begin).max(1);
    }
    let mut spans = Vec::with_capacity(run.spans.len());
    for (task, begin, end) in late(run) {
        let (layer, duration, phase) = (run.tasks[task].scope.clone(), end - begin, Phase::Waiting);
        spans.push(Span { layer, phase, begin, duration, ..named(&names.wait) });
    }
    for span in &run.spans {
        let task = &run.tasks[span.task];
        let duration = span.end - span.begin;
        let (layer, thread, begin) = (task.scope.clone(), span.thread, span.begin);
        let place = Span { layer, thread, begin, duration, ..Span::default() };
        if span.is_wait {
            let (name, operation, also) = (names.wait.clone(), names.wait.clone(), names.none.clone());
            spans.push(Span { name, operation, also, phase: Phase::Waiting, ..place });
            continue;
        }
        let share = |count: u64| {
            (u128::from(count) * u128::from(duration.max(1)) / u128::from(busy[span.task])) as u64
        };
        spans.push(Span {
            name: task.name.clone(),
            operation: task.operation.clone(),
            phase: phase_of(task.purpose),
            also: names.also(task),
            bytes: share(task.bytes),
            flops: share(task.flops),
            ..place
        });
    }
    spans
}

fn named(name: &Arc<str>) -> Span {
    Span { name: name.clone(), operation: name.clone(), ..Span::default() }
}

/// Where the calling thread is late: other threads are at its task already, or would be. It may have lost its core to
/// them.
fn late(run: &TracedRun) -> Vec<(usize, u64, u64)> {
    let mut own: Vec<_> = run.spans.iter().filter(|span| span.thread == 0).collect();
    own.sort_by_key(|span| (span.begin, span.end));
    let gap = |pair: &[&trace::TaskSpan]| (pair[1].task, pair[0].end, pair[1].begin);
    own.windows(2).map(gap).filter(|(_, begin, end)| begin < end).collect()
}

/// The programs that ran, each once, with the steps in which they first did.
fn programs_of(runs: &[TracedRun], steps: &[Step]) -> Vec<Program> {
    let mut programs: Vec<(*const TaskFacts, Program)> = Vec::new();
    for run in runs {
        let address = run.tasks.as_ptr();
        if programs.iter().any(|(known, _)| *known == address) {
            continue;
        }
        let Some(step) = step_at(steps, run.begin).map(|place| &steps[place]) else { continue };
        let tasks = run.tasks.iter().filter(|task| !is_around(task)).count();
        let (kind, rows, memory, begin) = (step.kind, step.rows, run.memory, run.begin);
        programs.push((address, Program { kind, rows, tasks, memory, begin }));
    }
    programs.into_iter().map(|(_, program)| program).collect()
}

/// Whether it is no task of the program, but something that comes before them.
fn is_around(task: &TaskFacts) -> bool {
    matches!(task.purpose, Some(trace::INPUT | trace::BINDING))
}

fn sort(spans: &mut [Span]) {
    spans.sort_by_key(|span| (span.thread, span.begin, span.end()));
}

/// The step in which a moment lies.
fn step_at(steps: &[Step], moment: u64) -> Option<usize> {
    let place = steps.partition_point(|step| step.begin <= moment).checked_sub(1)?;
    (moment < steps[place].end().max(steps[place].begin + 1)).then_some(place)
}

fn place_in_steps(spans: &mut [Span], steps: &[Step]) {
    for span in spans {
        span.step = step_at(steps, span.begin).filter(|&place| span.end() <= steps[place].end());
    }
}

/// Gives what is left of each step a name: on the calling thread it is the loop, on others they had nothing to do.
fn fill(spans: &mut Vec<Span>, steps: &[Step], threads: usize) {
    let (between, idle) = (Span { phase: Phase::Loop, ..Span::named("loop") }, Span::named("wait"));
    let idle = Span { phase: Phase::Waiting, ..idle };
    let mut gaps = Vec::new();
    for thread in 0..threads.max(1) {
        let mut own = spans.iter().filter(|span| span.thread == thread && span.step.is_some()).peekable();
        for (place, step) in steps.iter().enumerate() {
            let gap = if thread == 0 { &between } else { &idle };
            let mut push = |begin: u64, end: u64| {
                if begin < end {
                    gaps.push(Span {
                        thread,
                        step: Some(place),
                        begin,
                        duration: end - begin,
                        ..gap.clone()
                    });
                }
            };
            let mut last = step.begin;
            while let Some(span) = own.next_if(|span| span.step == Some(place)) {
                push(last, span.begin);
                last = span.end().max(last);
            }
            push(last, step.end());
        }
    }
    spans.extend(gaps);
    sort(spans);
}
