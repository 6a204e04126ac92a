//! A profile as an XPlane file: what the Profile tab of TensorBoard reads.
//!
//! A space has planes, a plane has lines, a line has events; names are in a table of the plane. The training loop is
//! a line on which each step encloses what it did; data, tasks and other threads have lines of their own, on which a box
//! around what belongs to a step is tied to that step. Reference:
//! [`xplane.proto`](https://github.com/openxla/xla/blob/main/third_party/tsl/tsl/profiler/protobuf/xplane.proto).

use crate::event_file::host;
use crate::message::Message;
use carnyx_nn::profile::{Lane, Phase, Profile, Span, Step, StepKind};
use std::collections::HashMap;

/// What ties the work of other threads to a step: the number of a kind of context that xprof knows.
const CONTEXT: u64 = 14;

/// An `XSpace` of a profile that was recorded until now.
pub(super) fn space(profile: &Profile, now: f64) -> Message {
    let mut plane = Plane::default();
    let lanes = lanes(profile);
    let lines: Vec<Message> =
        lanes.iter().enumerate().map(|(i, &lane)| plane.line(profile, lane, i as u64 + 1)).collect();
    Message::new().message(1, &plane.message(&lines)).message(1, &environment(profile, now)).text(4, &host())
}

/// The lanes that there are. The loop has the steps, so it is always there.
fn lanes(profile: &Profile) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = profile.spans.iter().map(Span::lane).chain([Lane::Loop]).collect();
    lanes.sort_unstable();
    lanes.dedup();
    lanes
}

/// When it all happened.
fn environment(profile: &Profile, now: f64) -> Message {
    let end = (now * 1e9) as u64;
    let stats = [("profile_start_time", end.saturating_sub(profile.duration)), ("profile_stop_time", end)];
    let mut plane = Message::new().int(1, 1).text(2, "Task Environment");
    for (id, (name, time)) in (1..).zip(stats) {
        plane = plane.message(5, &keyed(id, &Message::new().int(1, id).text(2, name)));
        plane = plane.message(6, &Message::new().int(1, id).uint(3, time));
    }
    plane
}

/// The plane of the processor, and its tables of names.
#[derive(Default)]
struct Plane {
    events: Names,
    stats: Names,
}

/// Names, each with a number from 1 on, and what is shown in their place.
#[derive(Default)]
struct Names {
    numbers: HashMap<(String, String), i64>,
    list: Vec<(String, String)>,
}

impl Names {
    fn number(&mut self, name: &str, shown: &str) -> i64 {
        let key = (name.to_owned(), shown.to_owned());
        *self.numbers.entry(key.clone()).or_insert_with(|| {
            self.list.push(key);
            self.list.len() as i64
        })
    }

    /// Entries of a table from numbers to names.
    fn messages(&self) -> impl Iterator<Item = Message> {
        (1..).zip(&self.list).map(|(id, (name, shown))| {
            let metadata = Message::new().int(1, id).text(2, name);
            keyed(id, &if shown.is_empty() { metadata } else { metadata.text(4, shown) })
        })
    }
}

/// The value of a stat. xprof wants counts as signed integers, and takes others for 0.
enum Stat<'a> {
    Number(u64),
    /// A number that is no count: an address, a tie.
    Id(u64),
    Real(f64),
    Text(&'a str),
}

impl Plane {
    fn message(&self, lines: &[Message]) -> Message {
        Message::new()
            .int(1, 0)
            .text(2, "/host:CPU")
            .messages(3, lines.iter().cloned())
            .messages(4, self.events.messages())
            .messages(5, self.stats.messages())
    }

    fn line(&mut self, profile: &Profile, lane: Lane, id: u64) -> Message {
        let name = match lane {
            Lane::Loop => "training loop".to_owned(),
            lane => lane.to_string(),
        };
        // Times are counted from the beginning of the profile: absolute ones are more than xprof can hold.
        let line = Message::new().uint(1, id).text(2, &name).int(3, 0);
        let mut events: Vec<(u64, u64, Message)> = Vec::new();
        let spans: Vec<&Span> = profile.spans.iter().filter(|span| span.lane() == lane).collect();
        if lane == Lane::Loop {
            events.extend(self.steps(profile));
            events.extend(self.memory(profile));
        } else {
            events.extend(self.boxes(profile, &spans));
        }
        for span in spans {
            events.push((span.begin, span.duration, self.span(span)));
        }
        // Who encloses others comes before them.
        events.sort_by_key(|&(begin, duration, _)| (begin, u64::MAX - duration));
        line.messages(4, events.into_iter().map(|(.., event)| event))
    }

    /// The steps. Those of training count as such, or all, if nothing was trained.
    fn steps(&mut self, profile: &Profile) -> Vec<(u64, u64, Message)> {
        let counted = counted_kind(profile);
        let steps = profile.steps.iter().enumerate();
        let step = |(i, step): (usize, &Step)| {
            let tie = [("_pt", Stat::Id(CONTEXT)), ("_p", Stat::Id(i as u64 + 1))];
            let rows = ("samples", Stat::Number(step.rows as u64));
            let (name, mut stats) = if step.kind == counted {
                let number = Stat::Number(step.number as u64);
                ("train".to_owned(), vec![("_r", Stat::Number(1)), ("step_num", number), rows])
            } else {
                (step.kind.to_string(), vec![rows])
            };
            stats.extend(tie);
            // Steps that count are named by their number, whatever is to be shown.
            let shown = if step.kind == counted { String::new() } else { name_of_step(step) };
            (step.begin, step.duration, self.event(&name, &shown, step.begin, step.duration, stats))
        };
        steps.map(step).collect()
    }

    /// Boxes on the line of another thread around all that belongs to one step.
    fn boxes(&mut self, profile: &Profile, spans: &[&Span]) -> Vec<(u64, u64, Message)> {
        let mut around: Vec<(usize, u64, u64)> = Vec::new();
        for span in spans {
            let Some(step) = span.step else { continue };
            match around.last_mut() {
                Some((last, _, end)) if *last == step => *end = (*end).max(span.end()),
                _ => around.push((step, span.begin, span.end())),
            }
        }
        let tied = |(step, begin, end): (usize, u64, u64)| {
            let stats = vec![("_ct", Stat::Id(CONTEXT)), ("_c", Stat::Id(step as u64 + 1))];
            let name = profile.steps.get(step).map_or("step".to_owned(), name_of_step);
            (begin, end - begin, self.event(&name, "", begin, end - begin, stats))
        };
        around.into_iter().map(tied).collect()
    }

    /// The memory of programs, where it is taken: when they first run. It is kept.
    fn memory(&mut self, profile: &Profile) -> Vec<(u64, u64, Message)> {
        let total: u64 = profile.programs.iter().map(|program| program.memory as u64).sum();
        let mut taken = 0;
        let program = |(i, program): (usize, &carnyx_nn::profile::Program)| {
            let bytes = program.memory as u64;
            taken += bytes;
            let stats = vec![
                ("allocator_name", Stat::Text("programs")),
                ("bytes_allocated", Stat::Number(taken)),
                ("bytes_reserved", Stat::Number(0)),
                ("bytes_available", Stat::Number(total - taken)),
                ("fragmentation", Stat::Real(0.0)),
                ("requested_bytes", Stat::Number(bytes)),
                ("allocation_bytes", Stat::Number(bytes)),
                ("addr", Stat::Id(i as u64 + 1)),
                ("peak_bytes_in_use", Stat::Number(taken)),
                ("region_type", Stat::Text("output")),
                ("data_type", Stat::Text("uint8")),
                ("shape", Stat::Text("")),
            ];
            (program.begin, 0, self.event("MemoryAllocation", "", program.begin, 0, stats))
        };
        profile.programs.iter().enumerate().map(program).collect()
    }

    fn span(&mut self, span: &Span) -> Message {
        let layer = span.layer.as_deref().unwrap_or_default().replace(" > ", "/");
        let phase = span.phase.to_string();
        let mut stats = vec![("phase", Stat::Text(&phase))];
        if !layer.is_empty() {
            stats.push(("layer", Stat::Text(&layer)));
        }
        // xprof keeps `flops` and `bytes_accessed` to itself, for accelerators, and shows neither.
        if span.flops > 0 {
            stats.push(("flop", Stat::Number(span.flops)));
        }
        if span.bytes > 0 {
            stats.push(("bytes", Stat::Number(span.bytes)));
        }
        let (name, shown) = names(span, &layer);
        self.event(&name, &shown, span.begin, span.duration, stats)
    }

    fn event(
        &mut self,
        name: &str,
        shown: &str,
        begin: u64,
        duration: u64,
        stats: Vec<(&str, Stat)>,
    ) -> Message {
        let event = Message::new()
            .int(1, self.events.number(name, shown))
            .int(2, (begin * 1000) as i64)
            .int(3, (duration * 1000) as i64);
        stats.into_iter().fold(event, |event, (name, value)| {
            let stat = Message::new().int(1, self.stats.number(name, ""));
            let stat = match value {
                Stat::Number(number) => stat.uint(4, number),
                Stat::Id(number) => stat.uint(3, number),
                Stat::Real(number) => stat.double(2, number),
                Stat::Text(text) => stat.text(5, text),
            };
            event.message(4, &stat)
        })
    }
}

fn name_of_step(step: &Step) -> String {
    format!("{} {}", step.kind, step.number)
}

/// The kind of steps that are counted.
fn counted_kind(profile: &Profile) -> StepKind {
    let is_trained = profile.steps.iter().any(|step| step.kind == StepKind::Training);
    let first = profile.steps.first().map_or(StepKind::Training, |step| step.kind);
    if is_trained { StepKind::Training } else { first }
}

/// The name of an operation as TensorFlow writes it, by which xprof knows it for one: `dense/backward/dot_add:Dot`;
/// and what is shown.
fn names(span: &Span, layer: &str) -> (String, String) {
    let innermost = layer.rsplit('/').next().unwrap_or_default();
    let shown = if layer.is_empty() { span.name.to_string() } else { format!("{innermost}: {}", span.name) };
    match span.phase {
        // Counted as time that training waited for its data.
        Phase::Input => (format!("IteratorGetNext/{}", words(&span.name)), shown),
        Phase::Callback | Phase::Planning | Phase::Loop | Phase::Waiting => (span.name.to_string(), shown),
        Phase::Forward | Phase::Loss | Phase::Backward | Phase::Optimizer | Phase::Metrics => {
            let path: String =
                layer.split('/').filter(|part| !part.is_empty()).map(|part| words(part) + "/").collect();
            (format!("{path}{}/{}:{}", span.phase, words(&span.name), kind(&span.operation)), shown)
        }
    }
}

/// A name without the characters that names of operations do not have.
fn words(name: &str) -> String {
    let is_known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let parts: Vec<&str> = name.split(|c| !is_known(c)).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "_".to_owned() } else { parts.join("_") }
}

/// `reduce_sum` as `ReduceSum`.
fn kind(operation: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let kind: String = words(operation).split('_').map(capital).collect();
    if kind.starts_with(|c: char| c.is_ascii_uppercase()) { kind } else { format!("Op{kind}") }
}

/// An entry of a map from numbers to messages.
fn keyed(id: i64, value: &Message) -> Message {
    Message::new().int(1, id).message(2, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_names_that_xprof_knows() {
        let span =
            Span { phase: Phase::Backward, operation: "dot".into(), ..Span::named("dot + add + maximum") };
        let of = |span: &Span, layer| names(span, layer);
        let shown = "dense_1: dot + add + maximum".to_owned();
        assert_eq!(
            of(&span, "encoder/dense_1"),
            ("encoder/dense_1/backward/dot_add_maximum:Dot".into(), shown)
        );
        assert_eq!(of(&span, "").0, "backward/dot_add_maximum:Dot");
        assert_eq!(
            of(&Span { phase: Phase::Input, ..span.clone() }, "").0,
            "IteratorGetNext/dot_add_maximum"
        );
        assert_eq!(of(&span, "é/a: b").0, "_/a_b/backward/dot_add_maximum:Dot");
        assert_eq!(
            (kind("reduce_sum"), kind("2d"), kind("")),
            ("ReduceSum".into(), "Op2d".into(), "Op".into())
        );
    }
}
