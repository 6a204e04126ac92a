//! Profiles as files: for TensorBoard, and as traces.

use carnyx::board::SaveProfile;
use carnyx::prelude::*;
use carnyx::profile::{Part, Phase, Profile, Program, Span, Step, StepKind};
use carnyx_tests::assert_golden_file;
use carnyx_tests::events::Fields;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("carnyx-profile-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// Two steps of training and one of evaluation, on two threads.
fn profile() -> Profile {
    let step = |kind, number, begin, duration| Step { kind, number, rows: 32, begin, duration };
    let span = |name: &str, phase, thread, step, begin, duration| Span {
        phase,
        thread,
        step,
        begin,
        duration,
        ..Span::named(name)
    };
    let dense = |span: Span| Span {
        operation: "dot".into(),
        layer: Some("sequential > dense".into()),
        flops: 4096,
        bytes: 2048,
        ..span
    };
    let update = Part { layer: Some("sequential > dense".into()), phase: Phase::Optimizer };
    let mut spans = Vec::new();
    for (i, begin) in [(0, 1000), (1, 11_000)] {
        spans.push(span("next batch", Phase::Input, 0, Some(i), begin, 2000));
        spans.push(dense(span("dot + add + maximum", Phase::Forward, 0, Some(i), begin + 2500, 3000)));
        let backward = dense(span("dot + update", Phase::Backward, 0, Some(i), begin + 5500, 2000));
        spans.push(Span { also: Arc::new([update.clone()]), ..backward });
        spans.push(span("CSVLogger::on_batch_end \"x\"", Phase::Callback, 0, Some(i), begin + 8000, 500));
    }
    for (i, begin) in [(0, 1000), (1, 11_000)] {
        spans.push(dense(span("dot + add + maximum", Phase::Forward, 1, Some(i), begin + 2600, 2000)));
        spans.push(Span {
            layer: Some("sequential > dense".into()),
            ..span("wait", Phase::Waiting, 1, Some(i), begin + 4600, 900)
        });
    }
    Profile {
        threads: 2,
        duration: 30_000,
        steps: vec![
            step(StepKind::Training, 100, 1000, 9000),
            step(StepKind::Training, 101, 11_000, 9000),
            step(StepKind::Evaluation, 0, 21_000, 5000),
        ],
        spans,
        programs: vec![Program { kind: StepKind::Training, rows: 32, tasks: 3, memory: 4096, begin: 3000 }],
        machine: None,
    }
}

#[test]
fn a_trace_is_json_that_other_programs_draw() -> Result {
    let folder = folder("trace");
    profile().save_trace(folder.join("trace.json"))?;
    let text = std::fs::read_to_string(folder.join("trace.json")).unwrap();
    assert_golden_file("profile_trace.json", &text);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["ph"] == "X").count(), 3 + 12);
    profile().save_trace(folder.join("trace.json.gz"))?;
    let packed = std::fs::read(folder.join("trace.json.gz")).unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < text.len());
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

/// A plane's table of names.
fn names(plane: &Fields, field: u64) -> BTreeMap<i64, String> {
    let entries = plane.all(field).into_iter().map(Fields::of);
    entries.map(|entry| (entry.int(1), entry.message(2).text(2))).collect()
}

#[test]
fn a_space_has_a_line_for_each_lane_with_what_happened_on_it() -> Result {
    let folder = folder("xplane");
    let path = profile().save_to_board(&folder)?;
    let space = Fields::of(&std::fs::read(&path).unwrap());
    assert!(path.strip_prefix(folder.join("plugins/profile")).is_ok());
    std::fs::remove_dir_all(folder).unwrap();
    let planes: Vec<Fields> = space.all(1).into_iter().map(Fields::of).collect();
    assert_eq!(
        planes.iter().map(|plane| plane.text(2)).collect::<Vec<_>>(),
        ["/host:CPU", "Task Environment"]
    );
    let (events, stats) = (names(&planes[0], 4), names(&planes[0], 5));
    assert!(
        !stats.values().any(|name| name == "group_id"),
        "its mere presence keeps xprof from finding steps"
    );

    let mut lines = BTreeMap::new();
    for line in planes[0].all(3).into_iter().map(Fields::of) {
        let happened: Vec<(String, i64, i64, Vec<String>)> = line
            .all(4)
            .into_iter()
            .map(Fields::of)
            .map(|event| {
                let stats = event.all(4).into_iter().map(|stat| stats[&Fields::of(stat).int(1)].clone());
                (events[&event.int(1)].clone(), event.int(2), event.int(3), stats.collect())
            })
            .collect();
        assert!(happened.is_sorted_by_key(|(_, begin, ..)| *begin));
        lines.insert(line.text(2), happened);
    }
    assert_eq!(lines.keys().collect::<Vec<_>>(), ["input", "thread 0", "thread 1", "training loop"]);
    let of_line = |line: &str| lines[line].iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(
        of_line("training loop"),
        [
            "train",
            "MemoryAllocation",
            "CSVLogger::on_batch_end \"x\"",
            "train",
            "CSVLogger::on_batch_end \"x\"",
            "evaluation"
        ]
    );
    assert_eq!(lines["training loop"][0].1, 1_000_000, "picoseconds");
    assert_eq!(lines["training loop"][0].3, ["_r", "step_num", "samples", "_pt", "_p"]);
    assert_eq!(
        of_line("input"),
        ["training 100", "IteratorGetNext/next_batch", "training 101", "IteratorGetNext/next_batch"]
    );
    assert_eq!(
        of_line("thread 0")[..3],
        [
            "training 100",
            "sequential/dense/forward/dot_add_maximum:Dot",
            "sequential/dense/backward/dot_update:Dot"
        ]
    );
    assert_eq!(of_line("thread 1")[1..3], ["sequential/dense/forward/dot_add_maximum:Dot", "wait"]);
    assert_eq!(lines["thread 1"][0].3, ["_ct", "_c"]);
    assert_eq!(lines["thread 1"][1].3, ["phase", "layer", "flop", "bytes"]);
    Ok(())
}

#[test]
fn an_empty_profile_is_a_file_too() -> Result {
    let folder = folder("empty");
    let path = Profile::default().save_to_board(&folder)?;
    assert_eq!(Fields::of(&std::fs::read(path).unwrap()).all(1).len(), 2);
    Profile::default().save_trace(folder.join("trace.json"))?;
    let text = std::fs::read_to_string(folder.join("trace.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

fn fit(board: TensorBoard, epochs: usize) -> Result<History> {
    let x = Array::from_fn([60, 8], |i| (i % 7) as f32 / 7.0);
    let y = Array::from_fn([60, 1], |i| (i % 3) as f32);
    let net = Sequential::new().then(Dense::new(16).activation(Relu)).then(Dense::new(1));
    let mut model = net.compile(Sgd::new(0.01), MeanSquaredError);
    model.fit((&x, &y), Fit::epochs(epochs).batch_size(10).verbose(Verbosity::Silent).callback(board))
}

/// The numbers of the steps in the only profile of a run.
fn steps_of_profile(folder: &std::path::Path) -> Vec<i64> {
    let profiles = folder.join("train/plugins/profile");
    let times: Vec<PathBuf> =
        std::fs::read_dir(profiles).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(times.len(), 1);
    let file = std::fs::read_dir(&times[0]).unwrap().next().unwrap().unwrap().path();
    let plane = Fields::of(&std::fs::read(file).unwrap()).message(1);
    let (events, stats) = (names(&plane, 4), names(&plane, 5));
    let lines = plane.all(3).into_iter().map(Fields::of);
    let steps = lines.flat_map(|line| line.all(4).into_iter().map(Fields::of).collect::<Vec<_>>());
    let number = |event: Fields| {
        let stats = event.all(4).into_iter().map(Fields::of).find(|stat| stats[&stat.int(1)] == "step_num");
        stats.map(|stat| stat.int(4))
    };
    steps.filter(|event| events[&event.int(1)] == "train").filter_map(number).collect()
}

#[test]
fn a_fit_is_profiled_for_some_of_its_steps() -> Result {
    let folder = folder("steps");
    fit(TensorBoard::at(folder.join("1")).profile(8..11), 2)?;
    assert_eq!(steps_of_profile(&folder.join("1")), [8, 9, 10]);
    fit(TensorBoard::at(folder.join("short")).profile(10..100), 2)?;
    assert_eq!(steps_of_profile(&folder.join("short")), [10, 11], "what there is of the range");
    fit(TensorBoard::at(folder.join("never")).profile(100..200), 2)?;
    assert!(!folder.join("never/train/plugins").exists());
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}
