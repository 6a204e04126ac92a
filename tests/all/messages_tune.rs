//! Messages about sweeps of learning rates and batch sizes, about advice, and about snapshots.

use super::messages::assert_message;
use carnyx::prelude::*;

fn data() -> (Array, Array) {
    let x = Array::from_fn([64, 4], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    let y = Array::from_fn([64, 1], |i| x.element(4 * i) as f32 - 0.5 * x.element(4 * i + 1).powi(2) as f32);
    (x, y)
}

fn model() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(8).activation(Relu))
        .then(Dense::new(1))
        .compile(Sgd::new(0.01), MeanSquaredError)
}

#[test]
fn ranges_of_learning_rates() {
    let (x, y) = data();
    let mut model = model();
    let mut sweep = |name: &str, rates: RateRange| {
        assert_message(name, model.sweep_learning_rate((&x, &y), rates));
    };
    let usual = || RateRange::from(1e-5..=10.0);
    sweep("tune_rates_reversed", (10.0..=1e-5).into());
    sweep("tune_rates_zero", (0.0..=1.0).into());
    sweep("tune_rates_not_finite", (1e-3..=f64::INFINITY).into());
    sweep("tune_rates_few_steps", usual().iterations(5));
    sweep("tune_rates_smoothing", usual().smoothing(1.5));
    sweep("tune_rates_batch", usual().batch_size(0));
}

#[test]
fn sweeps_that_cannot_be_done() {
    let (x, y) = data();
    let large = Array::from_fn([64, 4], |i| 1e25 * x.element(i) as f32);
    assert_message("tune_rates_never_finite", model().sweep_learning_rate((&large, &y), 1e-5..=1.0));
    let missing = y.rows(0..60).unwrap();
    assert_message("tune_rates_rows", model().sweep_learning_rate((&x, &missing), 1e-5..=1.0));
    let batches = (0..30).map(|_| (x.clone(), y.clone()));
    assert_message("tune_rates_iterator_ends", model().sweep_learning_rate(batches, 1e-5..=1e-4));
}

#[test]
fn sweeps_without_a_suggestion() {
    let (x, y) = data();
    let suggestion = |rates| model().sweep_learning_rate((&x, &y), rates).unwrap().suggestion();
    assert_message("tune_no_suggestion_too_low", suggestion(1e-9..=1e-8));
    assert_message("tune_no_suggestion_too_high", suggestion(5.0..=100.0));
    assert_message("tune_no_suggestion_still_falling", suggestion(1e-4..=3e-2));
}

#[test]
fn batch_sizes() {
    let (x, y) = data();
    let mut model = model();
    let mut sweep =
        |name: &str, sizes: BatchSizes| assert_message(name, model.sweep_batch_size((&x, &y), sizes));
    sweep("tune_batches_none", Vec::new().into());
    sweep("tune_batches_zero", [16, 0].into());
    sweep("tune_batches_too_large", [16, 64].into());
    sweep("tune_batches_no_epochs", BatchSizes::from([16]).epochs(0));
    sweep("tune_batches_no_validation", BatchSizes::from([16]).validation_split(0.0));
    let labels = (&x, &Array::full([64, 1], f32::NAN));
    sweep("tune_batches_validation_nan", BatchSizes::from([16]).validation(labels));
}

#[test]
fn advice() {
    let (x, y) = data();
    let mut model = model();
    assert_message("advice_without_epochs", model.advise(&History::default(), (&x, &y)));
    let history = model.fit((&x, &y), Fit::epochs(1).verbose(Verbosity::Silent)).unwrap();
    let other = Array::full([64, 3], 0f32);
    assert_message("advice_on_other_data", model.advise(&history, (&other, &y)));
}

#[test]
fn a_snapshot_of_another_model() {
    let (one, mut other) = (model(), model());
    assert_message("snapshot_of_another_model", other.restore(&one.snapshot().unwrap()));
}
