//! 21. Tuning in order: one thing after the other, or ten combinations at random?
//!
//!     cargo run --release --example 21_tune_in_order
//!
//! A random search tries combinations of hyperparameters that know nothing of each other, each with a learning rate that
//! is good or bad by luck. Who tunes by hand goes in an order: is the model converged? Then the learning rate, by a range
//! test; then the optimizer, with a rate of its own; then layers, units and activation, and the rate again with each
//! change. `tune_in_order` does that within a budget. Both get the same number of training steps here.

use carnyx::callbacks::{EarlyStopping, Moment, at};
use carnyx::datasets::california_housing;
use carnyx::prelude::*;
use carnyx::{Hyper, InOrder, Search, tune, tune_in_order};
use std::sync::atomic::{AtomicUsize, Ordering};

fn main() -> Result {
    let data = california_housing()?;
    let split = data.train.x.num_rows() * 3 / 4;
    let (x_train, y_train) = (data.train.x.rows(0..split)?, data.train.y.rows(0..split)?);
    let rest = split..data.train.x.num_rows();
    let (x_valid, y_valid) = (data.train.x.rows(rest.clone())?, data.train.y.rows(rest)?);
    let normalization = Normalization::new();
    normalization.adapt(&x_train)?;
    let steps = AtomicUsize::new(0);

    // Ten networks at random, each judged by three folds; the best one is trained once more on everything.
    let at_random = |hyper: &mut Hyper| {
        let rate = hyper.log_float("learning_rate", 3e-4..=3e-2);
        layers(hyper, &normalization, Relu).compile(Sgd::new(rate), MeanSquaredError).seed(42)
    };
    let fit = |_: &mut Hyper| {
        Fit::epochs(EPOCHS).callback(EarlyStopping::patience(10).restore_best()).callback(at(
            Moment::BatchEnd,
            |_| {
                steps.fetch_add(1, Ordering::Relaxed);
                Ok(())
            },
        ))
    };
    let search = Search::random(10).folds(3).seed(42).verbose(Verbosity::Silent);
    let trials = tune(at_random, (&x_train, &y_train), fit, search)?;
    println!("{}", trials.table());
    let mut searched = at_random(&mut trials.best_parameters().hyper());
    let fit = fit(&mut Hyper::new()).validation((&x_valid, &y_valid)).verbose(Verbosity::Silent);
    searched.fit((&x_train, &y_train), fit)?;
    let budget = steps.into_inner();
    println!("a search at random: {}, {budget} steps\n", trials.best_parameters());

    // The same budget for one thing after the other. There is no rate to choose: range tests find it.
    let build = |hyper: &mut Hyper| {
        let optimizer: Optimizer = match hyper.choice("optimizer", ["sgd", "momentum", "adam"]) {
            "sgd" => Sgd::new(0.01).into(),
            "momentum" => Sgd::new(0.01).momentum(0.9).into(),
            _ => Adam::new(0.001).into(),
        };
        let activation = hyper.choice("activation", [Relu, Silu, Tanh]);
        layers(hyper, &normalization, activation).compile(optimizer, MeanSquaredError).seed(42)
    };
    let fit = |_: &mut Hyper| Fit::epochs(1000).validation((&x_valid, &y_valid));
    let options = InOrder::steps(budget).verbose(Verbosity::Silent);
    let mut tuned = tune_in_order(build, (&x_train, &y_train), fit, options)?;
    println!("{tuned}\n");

    let test = (&data.test.x, &data.test.y);
    let (searched, tuned) = (searched.evaluate(test)?["loss"], tuned.best.evaluate(test)?["loss"]);
    println!("test MSE of ten trials at random: {searched:.4}");
    println!("test MSE of tuning in order:      {tuned:.4}");
    Ok(())
}

/// How long the search trains each network at most.
const EPOCHS: usize = 30;

/// A network whose depth and width are hyperparameters.
fn layers(hyper: &mut Hyper, normalization: &Normalization, activation: Activation) -> Sequential {
    let units: usize = hyper.int("units", 1..=99);
    let hidden = (0..hyper.int("hidden_layers", 0..=3)).map(|_| Dense::new(units).activation(activation));
    let begin = Sequential::new().then(normalization.clone());
    hidden.fold(begin, Sequential::then).then(Dense::new(1))
}
