//! Fitting, evaluating and predicting on streams of batches: the same numbers as in memory, to the bit.

use carnyx::callbacks::{BackupAndRestore, Moment, at, at_epoch_end};
use carnyx::datasets::Stream;
use carnyx::prelude::*;
use carnyx::{Batch, Data};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SAMPLES: usize = 100;

fn samples() -> (Array, Array, Array) {
    let x = Array::from_fn([SAMPLES, 5], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
    let y = Array::from_fn([SAMPLES], |i| (i * 7 % 3) as u8);
    (x, y, Array::from_fn([SAMPLES], |i| (i % 4) as f32))
}

fn model() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(8).activation(Tanh))
        .then(Dropout::new(0.2))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).shuffle(false).verbose(Verbosity::Silent)
}

/// Parts of three arrays, as the batches of a stream.
fn batches(size: usize) -> impl Iterator<Item = (Array, Array, Array)> + Clone + Send + 'static {
    let (x, y, weights) = samples();
    (0..SAMPLES).step_by(size).map(move |first| {
        let rows = first..SAMPLES.min(first + size);
        let part = |array: &Array| array.rows(rows.clone()).unwrap();
        (part(&x), part(&y), part(&weights))
    })
}

fn weights_of(model: &Model<Sequential>) -> Vec<Array> {
    model.variables().iter().map(|variable| variable.value().unwrap()).collect()
}

#[test]
fn a_stream_trains_the_same_weights_as_arrays() -> Result {
    let (x, y, weights) = samples();
    let mut expected = model();
    let history = expected.fit((&x, &y, &weights), quiet(3).batch_size(32).validation((&x, &y)))?;

    let stream = || Stream::each_epoch(|_| Ok(batches(32).map(|batch| Ok(Batch::from(batch)))));
    let in_memory = Stream::rows(&[&x], &[&y], 7).batch(1000);
    // The last batch is smaller; threads, blocks of other sizes and one long walk make no difference.
    let streams = [
        stream(),
        stream().with_num_items(4),
        stream().parallel_map(3, Ok).prefetch(2),
        Stream::each_epoch(|_| Ok(batches(7).map(|batch| Ok(Batch::from(batch))))).batch(32),
    ];
    for stream in streams {
        let mut streamed = model();
        let fitted = streamed.fit(stream, quiet(3).validation(&in_memory))?;
        assert_eq!(weights_of(&streamed), weights_of(&expected));
        assert_eq!(fitted.epochs, history.epochs);
    }

    // An iterator in steps: what three epochs need, one after the other.
    let mut iterated = model();
    let all = std::iter::repeat_n(batches(32), 3).flatten();
    let fitted = iterated.fit(all, quiet(3).steps_per_epoch(4).validation((&x, &y)))?;
    assert_eq!(weights_of(&iterated), weights_of(&expected));
    assert_eq!(fitted.epochs, history.epochs);

    // Evaluation and prediction do not depend on how the samples are cut.
    let (whole, parts) = (expected.evaluate((&x, &y, &weights))?, expected.evaluate(batches(9))?);
    for (name, value) in whole.iter() {
        assert!((parts[name] - value).abs() < 1e-6, "{name}: {} and {value}", parts[name]);
    }
    let predictions = expected.predict(&x)?;
    assert_eq!(expected.predict(batches(9).map(|(x, ..)| x))?, predictions);
    assert_eq!(expected.predict(Stream::rows(&[&x], &[&y], 9))?, predictions);
    Ok(())
}

/// Batches that are read where they lie, and rows that are gathered, in an order that the stream makes.
#[test]
fn each_epoch_has_an_order_of_its_own() -> Result {
    let (x, y, _) = samples();
    let stream = Stream::rows(&[&x], &[&y], 10).shuffle(SAMPLES, 42).batch(32);
    let (mut once, mut twice, mut continued) = (model(), model(), model());
    once.fit(&stream, quiet(4))?;
    twice.fit(&stream, quiet(4))?;
    continued.fit(&stream, quiet(2))?;
    continued.fit(&stream, quiet(2))?;
    assert_eq!(weights_of(&once), weights_of(&twice));
    assert_eq!(weights_of(&once), weights_of(&continued));

    // The same orders, made in memory.
    let mut in_memory = model();
    for epoch in 0..4 {
        let whole = stream.clone().batch(SAMPLES).walk(epoch)?.next().unwrap()?;
        in_memory.fit((&whole.inputs()[0], &whole.targets()[0]), quiet(1).batch_size(32))?;
    }
    assert_eq!(weights_of(&once), weights_of(&in_memory));
    Ok(())
}

#[test]
fn steps_of_an_epoch_share_a_stream() -> Result {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    // Ten batches: two epochs of five, then the stream begins again.
    let stream = Stream::each_epoch(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(batches(10).map(|batch| Ok(Batch::from(batch))))
    });
    let mut shared = model();
    shared.fit(&stream, quiet(5).steps_per_epoch(5))?;
    assert_eq!(opened.load(Ordering::Relaxed), 3);
    let (x, y, weights) = samples();
    let mut expected = model();
    expected.fit((&x, &y, &weights), quiet(2).batch_size(10))?;
    let half = |array: &Array| array.rows(0..50).unwrap();
    expected.fit((&half(&x), &half(&y), &half(&weights)), quiet(1).batch_size(10))?;
    assert_eq!(weights_of(&shared), weights_of(&expected));

    // Without an end, and with validation on a part of a stream from its beginning.
    let endless = stream.clone().repeat_forever();
    let mut fitted = model();
    let validated = quiet(5).steps_per_epoch(5).validation(endless.clone()).validation_steps(10);
    let history = fitted.fit(endless, validated)?;
    assert_eq!(weights_of(&fitted), weights_of(&expected));
    let whole = fitted.evaluate((&x, &y, &weights))?;
    assert!((history.last("val_loss").unwrap() - whole["loss"]).abs() < 1e-6);
    Ok(())
}

#[test]
fn callbacks_know_the_steps_as_soon_as_they_can() -> Result {
    let mut steps = Vec::new();
    let stream = Stream::each_epoch(|_| Ok(batches(32).map(|batch| Ok(Batch::from(batch)))));
    let note = at_epoch_end(|run| {
        steps.push((run.step, run.steps));
        Ok(())
    });
    model().fit(stream, quiet(2).callback(note))?;
    assert_eq!(steps, [(4, 4), (4, 4)]);
    Ok(())
}

/// After an error in the middle, the weights are those after the last whole step, and the model goes on from there.
#[test]
fn an_error_leaves_the_weights_of_the_last_whole_step() -> Result {
    let broken =
        || {
            batches(10).enumerate().map(|(i, batch)| match i {
                3 => Err(Error::new("file", "`x.csv` is damaged")
                    .because(std::io::Error::other("the disk is gone"))),
                _ => Ok(batch),
            })
        };
    let mut failed = model();
    let error = failed.fit(broken(), quiet(1)).unwrap_err();
    assert_eq!((error.code(), error.title()), ("file", "`x.csv` is damaged"));
    assert!(error.to_string().contains("the disk is gone"));
    let mut expected = model();
    expected.fit(batches(10).take(3), quiet(1))?;
    assert_eq!(weights_of(&failed), weights_of(&expected));
    failed.fit(batches(10).skip(3), quiet(1))?;
    assert_ne!(weights_of(&failed), weights_of(&expected));
    Ok(())
}

#[test]
fn class_weights_and_names_reach_every_batch() -> Result {
    let (x, y, weights) = samples();
    let given = || quiet(2).batch_size(20).class_weight([(0, 2.0), (2, 0.5)]);
    let (mut expected, mut streamed) = (model(), model());
    expected.fit((&x, &y, &weights), given())?;
    streamed.fit(Stream::each_epoch(|_| Ok(batches(20).map(|batch| Ok(Batch::from(batch))))), given())?;
    assert_eq!(weights_of(&streamed), weights_of(&expected));

    // Named inputs in another order than the model's.
    let drawn = || -> Result<Model<Functional<Vec<Tensor>, Tensor>>> {
        let (a, b) = (Tensor::input("a", [5]), Tensor::input("b", [3]));
        let hidden = Dense::new(4).activation(Tanh).apply(&concat([&a, &b], -1));
        let scores = Dense::new(3).activation(Softmax).apply(&hidden);
        Ok(Functional::new([&a, &b], &scores)?.compile(Sgd::new(0.1), SparseCategoricalCrossentropy))
    };
    let b = Array::from_fn([SAMPLES, 3], |i| (i % 5) as f32);
    let (mut ordered, mut named) = (drawn()?, drawn()?);
    ordered.fit(([&x, &b], &y), quiet(2).batch_size(20))?;
    let names: Arc<[String]> = ["b".to_owned(), "a".to_owned()].into();
    let stream =
        Stream::rows(&[&b, &x], &[&y], 20).map(move |batch| Ok(batch.with_input_names(names.clone())));
    named.fit(stream.prefetch(1), quiet(2))?;
    assert_eq!(named.predict([("b", &b), ("a", &x)])?, ordered.predict([&x, &b])?);
    // Data of any kind may come in batches.
    named.fit([Data::from(([("b", &b), ("a", &x)], &y))].into_iter(), quiet(1))?;
    Ok(())
}

#[test]
fn a_backup_within_an_epoch_continues_a_stream() -> Result {
    let stream = || {
        let blocks = Stream::each_epoch(|_| Ok(batches(10).map(|batch| Ok(Batch::from(batch)))));
        blocks.shuffle(50, 1).batch(10).repeat_forever()
    };
    // Epochs that each begin anew, and epochs that share a walk, of which one ends within a pass through the data.
    for steps in [None, Some(7)] {
        let stream = || if steps.is_none() { stream().take(SAMPLES).batch(10) } else { stream() };
        let fit = || steps.into_iter().fold(quiet(3), Fit::steps_per_epoch);
        let mut whole = model();
        whole.fit(stream(), fit())?;
        let folder = std::env::temp_dir().join(format!("carnyx-stream-backup-{}", std::process::id()));
        let backup = || BackupAndRestore::at(&folder).every_steps(1);
        // The fit is ended by an error in the 13th step.
        let mut seen = 0;
        let fails = at(Moment::BatchEnd, |_| {
            seen += 1;
            if seen == 13 { Err(Error::new("test", "enough")) } else { Ok(()) }
        });
        assert_eq!(
            model().fit(stream(), fit().callback(backup()).callback(fails)).unwrap_err().code(),
            "test"
        );
        let mut continued = model();
        let nothing = at(Moment::BatchEnd, |_| Ok(()));
        continued.fit(stream(), fit().callback(backup()).callback(nothing))?;
        assert_eq!(weights_of(&continued), weights_of(&whole), "{steps:?} steps in an epoch");
        let _ = std::fs::remove_dir_all(&folder);
    }
    Ok(())
}
