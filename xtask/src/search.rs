//! `cargo xtask search TRIALS`: runs the trials of a random search that another program has run, and says how long it
//! took. `tests/keras/time_search.py` is that program.

use crate::Result;
use carnyx::prelude::*;
use carnyx::{Direction, Domain, Hyper, MemoryStorage, Search, Storage, tune};
use serde::Deserialize;
use std::path::Path;
use std::time::Instant;

/// What the other program has drawn, and how it trained.
#[derive(Deserialize)]
struct Drawings {
    samples: usize,
    features: usize,
    epochs: usize,
    trials: Vec<Drawn>,
}

#[derive(Deserialize)]
struct Drawn {
    hidden_layers: u32,
    units: u32,
    learning_rate: f64,
}

/// Prints a line like those of the benchmarks.
pub(crate) fn search(file: &Path) -> Result {
    let trials: Drawings = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let storage = MemoryStorage::new();
    let study = storage.open_study("search", Direction::Minimize)?;
    for drawn in &trials.trials {
        let layers = ("hidden_layers".to_owned(), whole(0, 3), f64::from(drawn.hidden_layers));
        let units = ("units".to_owned(), whole(1, 99), f64::from(drawn.units));
        let rate = ("learning_rate".to_owned(), rates(), drawn.learning_rate);
        storage.enqueue(study, &[layers, units, rate], &[])?;
    }
    let x = Array::from_fn([trials.samples, trials.features], |i| ((i * 7919) % 2003) as f32 / 1000.0 - 1.0);
    let y = Array::from_fn([trials.samples, 1], |i| x.element(trials.features * i) as f32);
    let fit = |_: &mut Hyper| Fit::epochs(trials.epochs).validation_split(0.2);
    let began = Instant::now();
    let search =
        Search::random(trials.trials.len()).storage(storage).study("search").verbose(Verbosity::Silent);
    let found = tune(build, (&x, &y), fit, search)?;
    let seconds = began.elapsed().as_secs_f64();
    let trained = found.trials().iter().filter(|trial| trial.value.is_some()).count();
    if trained != trials.trials.len() {
        return Err(format!("only {trained} of {} trials came to a value", trials.trials.len()).into());
    }
    println!(
        "{}",
        serde_json::json!({ "engine": "carnyx", "workload": "search", "metric": "s", "median": seconds })
    );
    Ok(())
}

fn whole(low: i64, high: i64) -> Domain {
    Domain::Int { low, high, step: 1, log: false }
}

fn rates() -> Domain {
    Domain::Float { low: 3e-4, high: 3e-2, step: None, log: true }
}

fn build(hyper: &mut Hyper) -> Model<Sequential> {
    let mut net = Sequential::new();
    for _ in 0..hyper.int("hidden_layers", 0..=3) {
        net = net.then(Dense::new(hyper.int("units", 1..=99)).activation(Relu));
    }
    net.then(Dense::new(1)).compile(Sgd::new(hyper.log_float("learning_rate", 3e-4..=3e-2)), MeanSquaredError)
}
