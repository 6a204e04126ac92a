//! Messages about optimizers, penalties and bounds of weights: settings out of their range, options that contradict
//! each other, functions that give something else than they should.

use crate::messages::assert_message;
use carnyx::optimizers::{Adafactor, Ftrl, Lion, Muon};
use carnyx::prelude::*;
use carnyx::{MinMaxNorm, OrthogonalRegularizer, constraints, regularizers};

fn quiet<'a>() -> Fit<'a> {
    Fit::epochs(1).verbose(Verbosity::Silent)
}

fn data() -> (Array, Array) {
    (Array::from_fn([8, 4], |i| i as f32 / 16.0 - 1.0), Array::from_fn([8, 1], |i| i as f32 / 4.0))
}

#[track_caller]
fn fitted(optimizer: impl Into<Optimizer>, layer: Dense) -> Result<History> {
    Sequential::new().then(layer).compile(optimizer, MeanSquaredError).fit(data(), quiet())
}

#[test]
fn settings_out_of_their_range() {
    fn refused(name: &str, optimizer: impl Into<Optimizer>) {
        assert_message(&format!("optimizer_{name}"), fitted(optimizer, Dense::new(1)));
    }
    refused("learning_rate", Sgd::new(-0.1));
    refused("learning_rate_nan", Adam::new(f64::NAN));
    refused("momentum", Sgd::new(0.1).momentum(1.5));
    refused("beta", Adam::new(0.1).betas(0.9, 1.0));
    refused("epsilon", Adam::new(0.1).epsilon(0.0));
    refused("rho", RmsProp::new(0.1).rho(-0.5));
    refused("power", Ftrl::new(0.1).learning_rate_power(0.5));
    refused("threshold", Adafactor::new(0.1).clip_threshold(0.0));
    refused("coefficients", Muon::new(0.1).coefficients([1.0, f64::INFINITY, 0.0]));
    refused("lion_beta", Lion::new(0.1).betas(-0.1, 0.9));
    refused("clip_norm", Sgd::new(0.1).clip_norm(0.0));
    refused("clip_twice", Sgd::new(0.1).clip_norm(1.0).clip_value(0.5));
    refused("clip_thrice", Sgd::new(0.1).clip_norm(1.0).clip_value(0.5).global_clip_norm(2.0));
    refused("weight_decay", Sgd::new(0.1).weight_decay(-0.01));
    refused("moving_average", Sgd::new(0.1).moving_average(1.1));
    refused("overwrite", Sgd::new(0.1).moving_average(0.9).overwrite_with_average_every(0));
    refused("accumulation", Sgd::new(0.1).gradient_accumulation_steps(0));
}

#[test]
fn settings_in_a_loop_of_ones_own() {
    let weight = Variable::from(Array::scalar(1f32));
    let loss = Tensor::read(&weight).square();
    let mut optimizer = Optimizer::from(Sgd::new(0.1).momentum(-1.0));
    let updates = optimizer.update(&loss.gradients(std::slice::from_ref(&weight)));
    assert_message("optimizer_in_own_loop", loss.eval_with(updates));
    assert_eq!(weight.value().unwrap().item().unwrap(), 1.0);
}

#[test]
fn penalties_and_bounds_that_cannot_be() {
    fn refused(name: &str, layer: Dense) {
        assert_message(name, fitted(Sgd::new(0.1), layer));
    }
    refused("regularizer_factor", Dense::new(1).kernel_regularizer(L2::new(-1.0)));
    refused("regularizer_no_number", Dense::new(1).kernel_regularizer(regularizers::from_fn(Tensor::square)));
    refused("regularizer_of_vector", Dense::new(1).bias_regularizer(OrthogonalRegularizer::new(0.1)));
    refused("regularizer_of_activity", Dense::new(1).activity_regularizer(L1::new(f64::NAN)));
    refused("constraint_greatest", Dense::new(1).kernel_constraint(MaxNorm::new(-2.0)));
    refused("constraint_least", Dense::new(1).kernel_constraint(MinMaxNorm::new(2.0, 1.0)));
    refused("constraint_rate", Dense::new(1).kernel_constraint(MinMaxNorm::new(0.0, 1.0).rate(2.0)));
    refused("constraint_axis", Dense::new(1).bias_constraint(MaxNorm::new(2.0).axes([1])));
    refused("constraint_of_other_shape", Dense::new(1).kernel_constraint(constraints::from_fn(|w| w.sum())));
}

#[test]
fn penalties_of_layers_have_names() {
    // The second layer's mistake, not the first one's.
    let net = Sequential::new().then(Dense::new(3).kernel_regularizer(L2::new(0.1)));
    let net = net.then(Dense::new(1).bias_regularizer(L1::new(f64::INFINITY)).named("scores"));
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("regularizer_of_named_layer", model.fit(data(), quiet()));
    assert_message("regularizer_in_evaluation", model.evaluate(data()));
}

#[test]
fn what_files_cannot_describe() {
    let path = std::env::temp_dir().join("never-written.keras");
    let saved = |layer: Dense| {
        let mut model = Sequential::new().then(layer).compile(Sgd::new(0.1), MeanSquaredError);
        model.fit(data(), quiet()).unwrap();
        model.save(&path)
    };
    let own = Dense::new(1).kernel_regularizer(regularizers::from_fn(|w| w.square().sum()));
    assert_message("saving_regularizer", saved(own));
    let own = Dense::new(1).bias_constraint(constraints::from_fn(|w| w.clip(-1.0, 1.0)));
    assert_message("saving_constraint", saved(own));
}
