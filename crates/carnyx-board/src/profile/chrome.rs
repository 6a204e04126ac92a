//! A profile as trace events in JSON, one line each.

use carnyx_nn::profile::{Lane, Profile, Span, Step};
use std::fmt::Write;

/// The line of the steps; those of the lanes follow.
const STEPS: usize = 1;

/// The whole trace.
pub(super) fn trace(profile: &Profile) -> String {
    let mut events =
        vec![event(&[("ph", "\"M\""), ("name", "\"process_name\""), ("args", r#"{"name": "carnyx"}"#)], 0)];
    let mut lanes: Vec<Lane> = profile.spans.iter().map(Span::lane).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let line_of = |lane: Lane| STEPS + 1 + lanes.iter().position(|&other| other == lane).unwrap_or_default();
    events.extend(line_names(STEPS, "steps"));
    events.extend(lanes.iter().flat_map(|&lane| line_names(line_of(lane), &lane.to_string())));
    events.extend(profile.steps.iter().map(step_event));
    events.extend(profile.spans.iter().map(|span| span_event(span, line_of(span.lane()))));
    events.extend(memory_events(profile));
    format!("{{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n{}\n]}}\n", events.join(",\n"))
}

/// The name of a line, and its place: lines are in the order of their numbers.
fn line_names(line: usize, name: &str) -> [String; 2] {
    let named = format!("{{\"name\": {}}}", quoted(name));
    let placed = format!("{{\"sort_index\": {line}}}");
    [
        event(&[("ph", "\"M\""), ("name", "\"thread_name\""), ("args", &named)], line),
        event(&[("ph", "\"M\""), ("name", "\"thread_sort_index\""), ("args", &placed)], line),
    ]
}

fn step_event(step: &Step) -> String {
    let name = format!("{} {}", step.kind, step.number);
    let arguments = format!("{{\"samples\": {}}}", step.rows);
    complete(&name, &step.kind.to_string(), (step.begin, step.duration), &arguments, STEPS)
}

fn span_event(span: &Span, line: usize) -> String {
    let mut arguments = Vec::new();
    let mut say = |name: &str, value: String| arguments.push(format!("\"{name}\": {value}"));
    say("operation", quoted(&span.operation));
    if let Some(layer) = &span.layer {
        say("layer", quoted(layer));
    }
    if !span.also.is_empty() {
        let also: Vec<String> = span.also.iter().map(ToString::to_string).collect();
        say("also", quoted(&also.join("; ")));
    }
    if span.flops > 0 {
        say("flops", span.flops.to_string());
        say("GFLOP/s", format!("{:.3}", span.flops_per_second() / 1e9));
    }
    if span.bytes > 0 {
        say("bytes", span.bytes.to_string());
        say("GB/s", format!("{:.3}", span.bytes_per_second() / 1e9));
    }
    let arguments = format!("{{{}}}", arguments.join(", "));
    complete(&name(span), &span.phase.to_string(), (span.begin, span.duration), &arguments, line)
}

/// What a box in the drawing says: the layer first, since boxes are narrow.
fn name(span: &Span) -> String {
    match &span.layer {
        Some(layer) => format!("{}: {}", layer.rsplit(" > ").next().unwrap_or(layer), span.name),
        None => span.name.to_string(),
    }
}

/// The memory of all programs that have run, over time.
fn memory_events(profile: &Profile) -> impl Iterator<Item = String> {
    let mut bytes = 0;
    profile.programs.iter().map(move |program| {
        bytes += program.memory;
        let arguments = format!("{{\"bytes\": {bytes}}}");
        let time = microseconds(program.begin);
        event(&[("ph", "\"C\""), ("name", "\"memory of programs\""), ("ts", &time), ("args", &arguments)], 0)
    })
}

/// Something that has a beginning and a duration.
fn complete(
    name: &str,
    category: &str,
    (begin, duration): (u64, u64),
    arguments: &str,
    line: usize,
) -> String {
    let fields = [
        ("ph", "\"X\""),
        ("name", &quoted(name)),
        ("cat", &quoted(category)),
        ("ts", &microseconds(begin)),
        ("dur", &microseconds(duration)),
        ("args", arguments),
    ];
    event(&fields, line)
}

fn event(fields: &[(&str, &str)], line: usize) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!(", \"{name}\": {value}")).collect();
    format!("{{\"pid\": 1, \"tid\": {line}{fields}}}")
}

fn microseconds(nanoseconds: u64) -> String {
    format!("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000)
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => write!(quoted, "\\u{:04x}", c as u32).expect("a text takes every line"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        assert_eq!(quoted("a\"b\\c\nd\té"), "\"a\\\"b\\\\c\\u000ad\\u0009é\"");
        assert_eq!(microseconds(1_234_007), "1234.007");
    }
}
