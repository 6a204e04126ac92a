//! Messages about schedules of learning rates: numbers out of their range, schedules that do not go together with a fit or
//! a callback, rates that are set by hand.

use crate::messages::assert_message;
use carnyx::callbacks::{LearningRateScheduler, Moment, ReduceLROnPlateau, at};
use carnyx::datasets::Stream;
use carnyx::prelude::*;
use carnyx::{Batch, CosineDecayRestarts, InverseTimeDecay, PolynomialDecay, PowerDecay};

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(4).verbose(Verbosity::Silent)
}

fn data() -> (Array, Array) {
    (Array::from_fn([8, 4], |i| i as f32 / 16.0 - 1.0), Array::from_fn([8, 1], |i| i as f32 / 4.0))
}

fn model(rate: impl Into<LearningRate>) -> Model<Sequential> {
    Sequential::new().then(Dense::new(1)).compile(Sgd::new(rate), MeanSquaredError)
}

#[test]
fn numbers_out_of_their_range() {
    #[track_caller]
    fn refused(name: &str, schedule: impl Into<LearningRate>) {
        assert_message(&format!("schedule_{name}"), model(schedule).fit(data(), quiet(1)));
    }
    refused("decay_steps", ExponentialDecay::new(0.1, 0, 0.9));
    refused("rate_negative", ExponentialDecay::new(-0.1, 10, 0.9));
    refused("rate_nan", CosineDecay::new(f64::NAN, 10));
    refused("decay_rate", ExponentialDecay::new(0.1, 10, 0.0));
    refused("inverse_rate", InverseTimeDecay::new(0.1, 10, -1.0));
    refused("end", PolynomialDecay::new(0.1, 10).end(-0.1));
    refused("power", PolynomialDecay::new(0.1, 10).power(0.0));
    refused("power_steps", PowerDecay::new(0.1, 0));
    refused("boundaries_order", PiecewiseConstantDecay::new([20, 10], [0.1, 0.2, 0.3]));
    refused("boundaries_equal", PiecewiseConstantDecay::new([10, 10], [0.1, 0.2, 0.3]));
    refused("values_few", PiecewiseConstantDecay::new([10, 20], [0.1, 0.2]));
    refused("values_none", PiecewiseConstantDecay::new([], []));
    refused("value_negative", PiecewiseConstantDecay::new([10], [0.1, -0.2]));
    refused("alpha", CosineDecay::new(0.1, 10).alpha(-0.1));
    refused("warmup_target", CosineDecay::new(0.1, 10).warmup(f64::INFINITY, 5));
    refused("length_factor", CosineDecayRestarts::new(0.1, 10).length_factor(0.5));
    refused("one_cycle_steps", OneCycle::new(0.1, 1));
    refused("one_cycle_rise", OneCycle::new(0.1, 10).rise(30.0));
    refused("one_cycle_phases", OneCycle::new(0.1, 10).rise(0.7).three_phases());
    refused("one_cycle_divisor", OneCycle::new(0.1, 10).initial_divisor(0.0));
    refused("warmup_none", Warmup::steps(0, 0.1));
    refused("warmup_start", Warmup::steps(10, 0.1).start_factor(2.0));
    refused("warmup_rate", Warmup::epochs(2, -0.1));
    refused("within", Warmup::epochs(2, ExponentialDecay::new(0.1, 0, 0.9).per_epoch()));
}

#[test]
fn functions_that_give_no_rate() {
    let falling = |step: f64| 0.1 - 0.04 * step;
    assert_message("schedule_of_ones_own", model(falling).fit(data(), quiet(3)));
    assert_message("schedule_of_ones_own_per_epoch", model(falling.per_epoch()).fit(data(), quiet(5)));
}

#[test]
fn rates_set_by_hand() {
    let mut by_hand = model(ExponentialDecay::new(0.1, 10, 0.9));
    by_hand.optimizer.learning_rate = 0.05;
    assert_message("schedule_by_hand", by_hand.fit(data(), quiet(1)));
    by_hand.optimizer.set_learning_rate(0.05);
    assert_eq!(by_hand.fit(data(), quiet(1)).unwrap().last("learning_rate"), None);

    for (name, moment) in [("epoch", Moment::EpochEnd), ("batch", Moment::BatchEnd)] {
        let halve = at(moment, |run| {
            run.optimizer.learning_rate /= 2.0;
            Ok(())
        });
        let fitted = model(ExponentialDecay::new(0.1, 10, 0.9)).fit(data(), quiet(2).callback(halve));
        assert_message(&format!("schedule_by_callback_{name}"), fitted);
    }

    let weight = Variable::from(Array::scalar(1f32));
    let loss = Tensor::read(&weight).square();
    let mut optimizer = Optimizer::from(Sgd::new(PowerDecay::new(0.1, 10)));
    optimizer.learning_rate = 0.5;
    let updates = optimizer.update(&loss.gradients(std::slice::from_ref(&weight)));
    assert_message("schedule_by_hand_in_own_loop", loss.eval_with(updates));
    assert_eq!(weight.value().unwrap().item().unwrap(), 1.0);
}

#[test]
fn callbacks_that_change_the_rate() {
    let reduce = quiet(1).callback(ReduceLROnPlateau::patience(3).monitor("loss"));
    assert_message("schedule_and_plateau", model(CosineDecay::new(0.1, 10)).fit(data(), reduce));
    let scheduler = quiet(1).callback(LearningRateScheduler::new(|_, rate| rate));
    assert_message("schedule_and_scheduler", model(OneCycle::new(0.1, 10)).fit(data(), scheduler));
}

#[test]
fn epochs_of_unknown_length() {
    let stream = || {
        let (x, y) = data();
        Stream::each_epoch(move |_| {
            Ok(std::iter::repeat_n((x.clone(), y.clone()), 3).map(|batch| Ok(Batch::from(batch))))
        })
    };
    assert_message("schedule_unknown_length", model(Warmup::epochs(2, 0.1)).fit(stream(), quiet(2)));
    let smooth = OneCycle::new(0.1, 10).per_epoch().smooth();
    assert_message("schedule_unknown_length_smooth", model(smooth).fit(stream(), quiet(2)));
    let known = quiet(2).steps_per_epoch(3);
    let history = model(Warmup::epochs(2, 0.1)).fit(stream(), known).unwrap();
    assert_eq!(history.values("learning_rate"), [0.05, 0.1]);
    // Whole epochs are known anyway.
    let history = model(CosineDecay::new(0.1, 2).per_epoch()).fit(stream(), quiet(2)).unwrap();
    assert!((history.values("learning_rate")[1] - 0.05).abs() < 1e-12);
}
