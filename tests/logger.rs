//! A program that logs for TensorBoard whatever can be logged: `logger FOLDER`.
//!
//! `tensorboard/check_board.py` looks at it with the real TensorBoard; tests kill it and fill its disk. The folder gets
//! two fits, `first` and `resumed`, logs of one's own in `own`, and the trials of a search in `search`.

use carnyx::board::{Trial, TrialStatus, Writer, log_trials};
use carnyx::callbacks::{BackupAndRestore, Moment, at};
use carnyx::prelude::*;
use carnyx::profile::{Phase, Profile, Program, Span, Step, StepKind};
use carnyx_tests::{Domain, Numbers};
use std::path::Path;

const ROWS: usize = 60;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder] = arguments.as_slice() else { panic!("logger FOLDER") };
    let folder = Path::new(folder);
    first(folder)?;
    resumed(folder)?;
    own(folder)?;
    profiled(folder)?;
    search(folder)
}

fn data() -> (Array, Array) {
    let mut numbers = Numbers(7);
    let x = numbers.array(&[ROWS, 8], Domain::Between(-1.0, 1.0));
    (x, numbers.array(&[ROWS], Domain::Index(3)))
}

fn classifier() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(16).activation(Relu).named("hidden: layer"))
        .then(Dropout::new(0.25))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn fit<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(16).validation_split(0.2).verbose(Verbosity::Silent)
}

/// Everything that the callback can log.
fn first(folder: &Path) -> Result {
    let board = TensorBoard::at(folder.join("first"))
        .every_steps(2)
        .histograms(1)
        .gradients(2)
        .weight_images(2)
        .profile(6..12)
        .steps_per_second();
    let (x, y) = data();
    let history = classifier().fit((&x, &y), fit(5).callback(board))?;
    println!("last loss {}", history.last("loss").unwrap_or(f64::NAN));
    let words = Array::from_fn([ROWS, 4], |i| (i * 7 % 11) as f32);
    let mut model = Sequential::new()
        .then(Embedding::new(11, 3).named("words"))
        .then(Flatten)
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy);
    let labels = (0..11).map(|i| format!("word {i}"));
    let board = TensorBoard::at(folder.join("words")).embeddings(1).labels("words", labels);
    model.fit((&words, &y), fit(2).callback(board)).map(drop)
}

/// A fit that is interrupted in its third epoch, and goes on in another file.
fn resumed(folder: &Path) -> Result {
    let (x, y) = data();
    let train = |accident: bool| {
        let stop = at(Moment::BatchEnd, move |run| match (run.epoch, run.step) {
            (2, 1) if accident => Err(Error::new("power", "the power fails")),
            _ => Ok(()),
        });
        let board = TensorBoard::at(folder.join("resumed")).every_steps(1);
        let backup = BackupAndRestore::at(folder.join("backup"));
        classifier().fit((&x, &y), fit(4).callback(board).callback(stop).callback(backup))
    };
    assert!(train(true).is_err());
    train(false).map(drop)
}

/// Logs that a program writes itself.
fn own(folder: &Path) -> Result {
    let mut log = Writer::at(folder.join("own"))?;
    for step in 0..3 {
        log.scalar("odd: näme/ with \"signs\" & more?", step, 0.5 * step as f64)?;
        log.histogram("values", step, &Array::from_fn([100], |i| (i * step) as f32))?;
    }
    log.scalar("undefined", 0, f64::NAN)?;
    log.scalar("undefined", 1, f64::INFINITY)?;
    log.histogram("odd", 0, &Array::from([f32::NAN, 1.0, f32::INFINITY, 2.0]))?;
    log.histogram("empty", 0, &Array::from([f32::NAN; 3]))?;
    log.image("slope", 0, &Array::from_fn([4, 6], |i| (i % 6) as f32 / 5.0))?;
    log.image("colours", 0, &Array::from_fn([2, 3, 5, 3], |i| (i * 7) as u8))?;
    log.text("notes", 0, "It **works**, says <b>the log</b>.")?;
    log.embedding("points", &Array::from_fn([5, 3], |i| i as f32 / 4.0), ["a", "b", "c", "d", "e"])?;
    log.embedding("more", &Array::from_fn([2, 2], |i| i as f32), Vec::<String>::new())
}

/// Where the time of some steps might go, and the same as a trace.
fn profiled(folder: &Path) -> Result {
    let (step, line) = (1_000_000, "sequential > dense");
    let steps = (0..5).map(|i| Step {
        number: 100 + i,
        rows: 16,
        begin: i as u64 * step,
        duration: step,
        ..Step::default()
    });
    let mut spans = Vec::new();
    for thread in 0..2 {
        for i in 0..5 {
            let mut add = |name: &str, phase, begin: u64, duration| {
                let layer = (phase == Phase::Forward || phase == Phase::Backward).then(|| line.into());
                let (begin, step) = (i as u64 * step + begin, Some(i));
                let operation = if layer.is_some() { "dot".into() } else { name.into() };
                spans.push(Span {
                    phase,
                    thread,
                    begin,
                    duration,
                    step,
                    layer,
                    operation,
                    flops: 4096,
                    ..Span::named(name)
                });
            };
            if thread == 0 {
                add("next batch", Phase::Input, 1000, 400_000);
                add("CSVLogger::on_batch_end", Phase::Callback, 900_000, 50_000);
            }
            add("dot + add", Phase::Forward, 450_000, 200_000);
            add("dot", Phase::Backward, 650_000, 200_000);
        }
    }
    let program = |memory, begin| Program { rows: 16, tasks: 2, memory, begin, kind: StepKind::Training };
    let profile = Profile {
        threads: 2,
        duration: 5 * step,
        steps: steps.collect(),
        spans,
        programs: vec![program(4096, 460_000), program(1024, 1_500_000)],
        machine: None,
    };
    profile.save_to_board(folder.join("profiled"))?;
    profile.save_trace(folder.join("trace.json"))
}

/// Trials that are done, and one that is logged while it trains.
fn search(folder: &Path) -> Result {
    let folder = folder.join("search");
    let trial = |number: usize, units: usize, optimizer: &str| {
        Trial::new(&number.to_string())
            .with("units", units)
            .with("optimizer", optimizer)
            .with("batch_normalization", number == 1)
            .metric("val_accuracy", 0.5 + number as f64 / 8.0)
    };
    let failed = trial(2, 0, "sgd").with("rate", f64::INFINITY).status(TrialStatus::Failed);
    log_trials(&folder, &[trial(0, 16, "adam"), trial(1, 32, "sgd"), failed])?;
    let board = TensorBoard::at(folder.join("3"))
        .hyperparameters([("units", 64.into()), ("optimizer", "adam".into())])
        .without_graph();
    let (x, y) = data();
    classifier().fit((&x, &y), fit(2).callback(board)).map(drop)
}
