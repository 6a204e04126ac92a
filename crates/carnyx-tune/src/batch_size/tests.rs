//! Sweeps of batch sizes: equal work, scaled and warmed-up rates, and no trace left.

use super::*;
use carnyx_graph::Array;
use carnyx_nn::callbacks::{Moment, at};
use carnyx_nn::schedules::CosineDecay;
use carnyx_nn::*;

fn data() -> (Array, Array) {
    let x = Array::from_fn([200, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    let y = Array::from_fn([200, 1], |i| (x.element(3 * i) - 0.5 * x.element(3 * i + 2)) as f32);
    (x, y)
}

fn model(optimizer: impl Into<Optimizer>) -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(8).activation(Relu))
        .then(BatchNormalization::new())
        .then(Dropout::new(0.1))
        .then(Dense::new(1))
        .compile(optimizer, MeanSquaredError)
}

#[test]
fn a_fit_after_a_sweep_is_the_fit_without_it() {
    let (x, y) = data();
    let scheduled = || Adam::new(CosineDecay::new(0.02, 60));
    for epochs_before in [0, 1] {
        let (mut plain, mut swept) = (model(scheduled()), model(scheduled()));
        let fit = |epochs| Fit::epochs(epochs).verbose(Verbosity::Silent);
        plain.fit((&x, &y), fit(epochs_before)).unwrap();
        swept.fit((&x, &y), fit(epochs_before)).unwrap();
        swept.sweep_batch_size((&x, &y), [8, 64]).unwrap();
        assert_eq!(swept.optimizer.learning_rate, plain.optimizer.learning_rate);
        assert_eq!(swept.fit((&x, &y), fit(3)).unwrap(), plain.fit((&x, &y), fit(3)).unwrap());
        assert_eq!(swept.predict(&x).unwrap(), plain.predict(&x).unwrap());
    }
}

#[test]
fn each_size_is_a_fit_of_its_own() {
    let (x, y) = data();
    let sizes = BatchSizes::from([8, 40]).epochs(4).scale(RateScaling::SquareRoot).validation_split(0.25);
    let sweep = model(Sgd::new(0.01)).sweep_batch_size((&x, &y), sizes).unwrap();
    for (row, rate) in sweep.rows.iter().zip([0.01, 0.01 * 5f64.sqrt()]) {
        let fit = Fit::epochs(4).batch_size(row.batch_size).validation_split(0.25).verbose(Verbosity::Silent);
        let history = model(Sgd::new(rate)).fit((&x, &y), fit).unwrap();
        assert_eq!(row.learning_rate, rate);
        assert_eq!((Some(row.loss), Some(row.val_loss)), (history.last("loss"), history.last("val_loss")));
        assert!(row.seconds_per_epoch > 0.0 && row.samples_per_second > 0.0);
    }
    assert_eq!((sweep.samples, sweep.rows[0].steps_per_epoch, sweep.rows[1].steps_per_epoch), (150, 19, 4));
}

#[test]
fn a_warm_up_grows_evenly_to_the_scaled_rate() {
    let (x, y) = data();
    let mut rates = Vec::new();
    let mut stopwatch = Stopwatch::new(0.4, 0.25, 4);
    let watch = at(Moment::BatchEnd, |run| {
        rates.push(run.optimizer.learning_rate);
        Ok(())
    });
    let fit =
        Fit::epochs(2).batch_size(50).verbose(Verbosity::Silent).callback(&mut stopwatch).callback(watch);
    model(Sgd::new(0.1)).fit((&x, &y), fit).unwrap();
    let expected = [0.175, 0.25, 0.325, 0.4, 0.4, 0.4, 0.4, 0.4];
    assert!(rates.iter().zip(expected).all(|(rate, expected)| (rate - expected).abs() < 1e-12), "{rates:?}");
}

#[test]
fn what_diverges_is_a_row_that_says_so() {
    let (x, y) = data();
    let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    let sizes = BatchSizes::from([10, 100]).base(1).epochs(60);
    let sweep = model.sweep_batch_size((&x, &y), sizes).unwrap();
    assert!(sweep.rows[1].val_loss.is_nan(), "{sweep}");
    assert!(sweep.to_string().contains("diverged"), "{sweep}");
    assert!(sweep.plot().to_svg().is_ok());
}

#[test]
fn options_are_checked() {
    let title = |sizes: BatchSizes, samples| sizes.check(samples).unwrap_err().title().to_owned();
    assert_eq!(title(BatchSizes::from([]), 100), "a sweep of no batch sizes");
    assert_eq!(title(BatchSizes::from([16, 0]), 100), "a batch needs at least one sample");
    assert_eq!(
        title(BatchSizes::from([16, 81]), 100),
        "batches of 81 samples, but there are 80 to learn from"
    );
    assert_eq!(title(BatchSizes::from([16]).epochs(0), 100), "a sweep of 0 epochs");
    assert_eq!(title(BatchSizes::from([16]).validation_split(0.0), 100), "a validation split of 0");
    assert_eq!(BatchSizes::from([16, 80]).check(100).unwrap(), 80);
}
