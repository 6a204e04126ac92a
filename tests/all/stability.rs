//! What a fit says of first steps that make the model worse: silence on healthy runs, a line on unstable ones.

use carnyx::callbacks::{BackupAndRestore, Moment, TerminateOnNaN, at};
use carnyx::datasets::Stream;
use carnyx::optimizers::{Lion, Nadam};
use carnyx::prelude::*;
use carnyx::{Batch, Instability};
use carnyx_tests::{Domain, Numbers};

const SEEDS: [u64; 3] = [1, 2, 3];
const SAMPLES: usize = 320;

fn quiet<'a>() -> Fit<'a> {
    Fit::epochs(4).batch_size(16).verbose(Verbosity::Silent)
}

/// Three clouds of points, and their numbers.
fn clouds(seed: u64) -> (Array, Array) {
    let mut numbers = Numbers(seed);
    let noise = numbers.array(&[SAMPLES, 8], Domain::Between(-1.0, 1.0));
    let label = |row: usize| row % 3;
    let x = Array::from_fn([SAMPLES, 8], |i| {
        noise.element(i) as f32 + if i % 8 % 3 == label(i / 8) { 1.5 } else { 0.0 }
    });
    (x, Array::from_fn([SAMPLES], |row| label(row) as u8))
}

/// A curve in eight variables; `spread` makes some targets much larger than others.
fn curve(seed: u64, spread: f64) -> (Array, Array) {
    let x = Numbers(seed).array(&[SAMPLES, 8], Domain::Between(-1.0, 1.0));
    let y = |row: usize| {
        let sum: f64 = (0..8).map(|i| x.element(row * 8 + i) * (i as f64 - 3.0)).sum();
        ((spread * sum).exp() * sum.sin()) as f32
    };
    let y = Array::from_fn([SAMPLES, 1], y);
    (x, y)
}

fn classifier(depth: usize) -> Sequential {
    let hidden = (0..depth).fold(Sequential::new(), |net, _| net.then(Dense::new(24).activation(Relu)));
    hidden.then(Dense::new(3).activation(Softmax))
}

fn regressor() -> Sequential {
    Sequential::new().then(Dense::new(24).activation(Relu)).then(Dense::new(1))
}

fn classify(seed: u64, net: Sequential, optimizer: impl Into<Optimizer>, fit: Fit) -> Vec<Instability> {
    let mut model = net.compile(optimizer, SparseCategoricalCrossentropy).seed(seed);
    model.fit(clouds(seed), fit.callback(TerminateOnNaN::new())).unwrap().instabilities
}

fn regress(seed: u64, spread: f64, optimizer: impl Into<Optimizer>, fit: Fit) -> Vec<Instability> {
    let mut model = regressor().compile(optimizer, MeanSquaredError).seed(seed);
    model.fit(curve(seed, spread), fit.callback(TerminateOnNaN::new())).unwrap().instabilities
}

/// Runs of one kind, one for each seed.
type Kind = (&'static str, fn(u64) -> Vec<Instability>);

const HEALTHY: [Kind; 17] = [
    ("sgd", |s| classify(s, classifier(2), Sgd::new(0.05), quiet())),
    ("sgd fast", |s| classify(s, classifier(2), Sgd::new(0.3), quiet())),
    ("momentum", |s| classify(s, classifier(2), Sgd::new(0.02).momentum(0.9), quiet())),
    ("adam", |s| classify(s, classifier(3), Adam::new(1e-3), quiet())),
    ("adam fast", |s| classify(s, classifier(3), Adam::new(1e-2), quiet())),
    ("adamw", |s| classify(s, classifier(2), AdamW::new(1e-2), quiet())),
    ("nadam", |s| classify(s, classifier(2), Nadam::new(3e-3), quiet())),
    ("rmsprop", |s| classify(s, classifier(2), RmsProp::new(1e-3), quiet())),
    ("lion", |s| classify(s, classifier(2), Lion::new(3e-4), quiet())),
    ("single samples", |s| classify(s, classifier(2), Sgd::new(0.01), quiet().batch_size(1))),
    ("dropout", |s| {
        let net = Sequential::new().then(Dropout::new(0.5)).then(classifier(2)).then(Dropout::new(0.0));
        classify(s, net, Adam::new(3e-3), quiet())
    }),
    ("normalized", |s| {
        let net = Sequential::new().then(Dense::new(24)).then(BatchNormalization::new()).then(classifier(1));
        classify(s, net, Adam::new(1e-2), quiet())
    }),
    ("regression", |s| regress(s, 0.1, Adam::new(3e-3), quiet())),
    ("rare large targets", |s| regress(s, 1.0, Adam::new(3e-3), quiet())),
    ("rare large targets one by one", |s| regress(s, 1.0, Adam::new(1e-3), quiet().batch_size(1))),
    ("sorted by class", |s| {
        let (x, y) = clouds(s);
        let sorted: Vec<usize> = (0..3).flat_map(|class| (class..SAMPLES).step_by(3)).collect();
        let (x, y) = (
            Array::from_fn([SAMPLES, 8], |i| x.element(sorted[i / 8] * 8 + i % 8) as f32),
            Array::from_fn([SAMPLES], |row| y.element(sorted[row]) as u8),
        );
        let mut model = classifier(2).compile(Adam::new(1e-2), SparseCategoricalCrossentropy).seed(s);
        let fit = || quiet().shuffle(false);
        let first = model.fit((&x, &y), fit()).unwrap().instabilities;
        first.into_iter().chain(model.fit((&x, &y), fit()).unwrap().instabilities).collect()
    }),
    ("warmed up", |s| {
        let schedule = Warmup::steps(60, CosineDecay::new(0.02, 80));
        classify(s, classifier(5), Adam::new(schedule), quiet())
    }),
];

const UNSTABLE: [Kind; 9] = [
    ("adam", |s| regress(s, 0.1, Adam::new(1.0), quiet())),
    ("adam classifier", |s| classify(s, classifier(3), Adam::new(0.5), quiet())),
    ("nadam", |s| regress(s, 0.1, Nadam::new(2.0), quiet())),
    ("rmsprop", |s| classify(s, classifier(3), RmsProp::new(0.3), quiet())),
    ("lion", |s| classify(s, classifier(3), Lion::new(0.3), quiet())),
    ("sgd", |s| regress(s, 0.1, Sgd::new(1.0), quiet())),
    ("sgd classifier", |s| classify(s, classifier(5), Sgd::new(10.0), quiet())),
    ("momentum", |s| regress(s, 0.1, Sgd::new(1.0).momentum(0.9), quiet())),
    ("line", |s| {
        let line = Sequential::new().then(Dense::new(1)).compile(Sgd::new(1.3), MeanSquaredError).seed(s);
        let fit = quiet().callback(TerminateOnNaN::new());
        { line }.fit(curve(s, 0.1), fit).unwrap().instabilities
    }),
];

#[test]
fn healthy_runs_are_silent() {
    let mut alarms = Vec::new();
    for (name, run) in HEALTHY {
        for seed in SEEDS {
            alarms.extend(run(seed).into_iter().map(|found| format!("{name}, seed {seed}: {found}")));
        }
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}

#[test]
fn unstable_runs_are_noticed_once() {
    let mut missed = Vec::new();
    for (name, run) in UNSTABLE {
        for seed in SEEDS {
            match run(seed).as_slice() {
                [found] => println!("{name}, seed {seed}: {found}"),
                others => missed.push(format!("{name}, seed {seed}: {} lines", others.len())),
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A model that the first steps throw far away, and that recovers a little.
fn thrown(seed: u64) -> Model<Sequential> {
    regressor().compile(Adam::new(1.0), MeanSquaredError).seed(seed)
}

#[test]
fn watching_changes_no_bit() -> Result {
    let (x, y) = curve(1, 0.1);
    // Moving averages and random masks are what a measurement might disturb.
    let thrown = || {
        let first = Sequential::new().then(Dense::new(24).activation(Relu)).then(BatchNormalization::new());
        let net = first.then(Dropout::new(0.2)).then(Dense::new(1));
        net.compile(Adam::new(3.0), MeanSquaredError).seed(1)
    };
    let (mut watched, mut unwatched) = (thrown(), thrown().dynamic());
    let (with, without) = (watched.fit((&x, &y), quiet())?, unwatched.fit((&x, &y), quiet())?);
    // What is traced at every step may decide anew, so that nothing can be measured again.
    assert_eq!((with.instabilities.len(), without.instabilities.len()), (1, 0));
    assert_eq!(with.epochs, without.epochs);
    for (a, b) in watched.variables().iter().zip(unwatched.variables()) {
        assert_eq!(a.value()?, b.value()?);
    }
    Ok(())
}

#[test]
fn streams_are_watched_too() -> Result {
    let (x, y) = curve(1, 0.1);
    let in_memory = thrown(1).fit((&x, &y), quiet().shuffle(false))?;
    let stream = Stream::each_epoch(move |_| {
        let batches: Vec<Result<Batch>> = (0..SAMPLES / 16)
            .map(|i| Ok(Batch::from((x.rows(i * 16..i * 16 + 16)?, y.rows(i * 16..i * 16 + 16)?))))
            .collect();
        Ok(batches.into_iter())
    });
    let streamed = thrown(1).fit(stream, quiet())?;
    assert_eq!(streamed.epochs, in_memory.epochs);
    let (found, same) = (&streamed.instabilities[0], &in_memory.instabilities[0]);
    assert_eq!((found.epoch, found.step, found.learning_rate), (same.epoch, same.step, same.learning_rate));
    // In memory, more samples than one batch are measured.
    assert!(found.loss_after > 10.0 * found.loss_before && found.gradient_growth > Some(2.0), "{found}");
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_is_noted() -> Result {
    let mut model = regressor().compile(Sgd::new(1e3), MeanSquaredError);
    let history = model.fit(curve(1, 0.1), quiet().callback(TerminateOnNaN::new()))?;
    let found = history.instabilities.last().unwrap();
    assert!(
        found.loss_before.is_finite() && !found.loss_after.is_finite() || found.loss_after > 1e3,
        "{found}"
    );
    // A model that gives nothing finite from the beginning has not been made worse by any step.
    let (x, y) = (Array::full([32, 8], 1e30f32), Array::full([32, 1], 1f32));
    let mut model = regressor().compile(Sgd::new(1e-3), MeanSquaredError);
    let history = model.fit((&x, &y), quiet().callback(TerminateOnNaN::new()))?;
    assert_eq!(history.instabilities, []);
    Ok(())
}

#[test]
fn a_fit_that_goes_on_from_a_backup_notices_the_same() -> Result {
    let folder = std::env::temp_dir().join(format!("carnyx-stability-{}", std::process::id()));
    let line = || Sequential::new().then(Dense::new(1)).compile(Sgd::new(1.3), MeanSquaredError).seed(2);
    let (data, plan) = (curve(2, 0.1), || quiet().callback(TerminateOnNaN::new()));
    let whole = line().fit(data.clone(), plan())?;
    let step = whole.instabilities[0].step;
    assert!(step > 5, "{:?}", whole.instabilities);
    for moment in [0, 3, step - 1, step, step + 1] {
        let backup = || BackupAndRestore::at(&folder).every_steps(1);
        let fail = at(Moment::BatchEnd, |run| {
            if run.epoch == 0 && run.step == moment && !run.is_resumed() {
                return Err(Error::new("interrupted", "the power fails"));
            }
            Ok(())
        });
        let broken = line().fit(data.clone(), plan().callback(backup()).callback(fail));
        assert_eq!(broken.unwrap_err().code(), "interrupted");
        let idle = at(Moment::BatchEnd, |_| Ok(()));
        let resumed = line().fit(data.clone(), plan().callback(backup()).callback(idle))?;
        assert_eq!(format!("{:?}", resumed.epochs), format!("{:?}", whole.epochs));
        let (found, same) = (&resumed.instabilities[0], &whole.instabilities[0]);
        assert_eq!((resumed.instabilities.len(), found.epoch, found.step), (1, 0, same.step), "{moment}");
    }
    Ok(())
}
