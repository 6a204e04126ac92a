use super::*;
use crate::{MemoryStorage, TrialState};
use carnyx_nn::{Compile, Dense, MeanSquaredError, Relu, Sequential, Sgd};

/// A line with some curvature: 48 points.
fn data() -> (Array, Array) {
    let x = Array::from_fn([48, 1], |i| i as f32 / 24.0 - 1.0);
    let y = Array::from_fn([48, 1], |i| (i as f32 / 24.0 - 1.0).powi(2));
    (x, y)
}

fn build(hyper: &mut Hyper) -> Model<Sequential> {
    let mut net = Sequential::new();
    if hyper.bool("hidden") {
        net = net.then(Dense::new(hyper.int("units", 2..=8)).activation(Relu));
    }
    let rate = hyper.log_float("learning_rate", 1e-3..=0.3);
    net.then(Dense::new(1)).compile(Sgd::new(rate), MeanSquaredError)
}

fn fit<'f>(hyper: &mut Hyper) -> Fit<'f> {
    Fit::epochs(2).batch_size(hyper.log_int("batch_size", 4..=16)).validation_split(0.25)
}

fn random(trials: usize) -> Search {
    Search::random(trials).verbose(Verbosity::Silent)
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let data = data();
    let run = |workers| tune(build, &data, fit, random(8).seed(3).workers(workers)).unwrap();
    let (alone, together) = (run(1), run(3));
    let told = |trials: &Trials<Sequential>| -> Vec<_> {
        trials
            .trials()
            .iter()
            .map(|trial| (trial.parameters.clone(), trial.value, trial.intermediate.clone()))
            .collect()
    };
    assert_eq!(told(&alone), told(&together));
    assert_eq!(alone.best.predict(&data.0).unwrap(), together.best.predict(&data.0).unwrap());
    let other = tune(build, &data, fit, random(8).seed(4)).unwrap();
    assert_ne!(told(&alone), told(&other));
    assert!(alone.trials().iter().any(|trial| trial.parameters.len() == 3), "conditions hold for some only");
}

#[test]
fn the_best_model_has_the_weights_of_its_best_epoch() {
    let data = data();
    // With such a rate, some epochs are worse than those before them.
    let wild = |hyper: &mut Hyper| {
        Sequential::new()
            .then(Dense::new(1))
            .compile(Sgd::new(hyper.float("rate", 0.9..=1.4)), MeanSquaredError)
    };
    let fit = |_: &mut Hyper| Fit::epochs(6).batch_size(4).validation(&data);
    let mut trials = tune(wild, &data, fit, random(6)).unwrap();
    let best = trials.best_trial().unwrap().clone();
    let least = best.intermediate.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    assert_eq!(best.value, Some(least));
    assert_ne!(best.intermediate.last().unwrap().1, least, "otherwise this test shows nothing");
    assert_eq!(trials.best.evaluate(&data).unwrap()["loss"], least);
}

#[test]
fn a_study_is_continued_and_its_best_model_found_again() {
    let (data, storage) = (data(), MemoryStorage::new());
    let search = |trials| random(trials).storage(storage.clone()).study("line");
    let half = tune(build, &data, fit, search(4)).unwrap();
    let whole = tune(build, &data, fit, search(8)).unwrap();
    let again = tune(build, &data, fit, search(8)).unwrap();
    let at_once = tune(build, &data, fit, random(8)).unwrap();
    assert_eq!(whole.trials()[..4], *half.trials());
    assert_eq!(whole.trials(), again.trials());
    assert_eq!(whole.best_parameters(), at_once.best_parameters());
    for trials in [&whole, &again] {
        assert_eq!(trials.best.predict(&data.0).unwrap(), at_once.best.predict(&data.0).unwrap());
    }
}

#[test]
fn a_trial_that_fails_is_only_that() {
    let data = data();
    let fragile = |hyper: &mut Hyper| -> Result<Model<Sequential>> {
        match hyper.choice("way", ["works", "fails", "panics", "explodes"]) {
            "fails" => Err(Error::new("own", "no such way")),
            "panics" => panic!("lost on the way"),
            "explodes" => Ok(Sequential::new().then(Dense::new(1)).compile(Sgd::new(1e30), MeanSquaredError)),
            _ => Ok(build(hyper)),
        }
    };
    let trials = tune(fragile, &data, fit, random(16)).unwrap();
    let notes: Vec<&str> =
        trials.trials().iter().flat_map(|trial| &trial.notes).map(|(_, text)| &**text).collect();
    for word in ["no such way", "lost on the way", "learning rate"] {
        assert!(notes.iter().any(|note| note.contains(word)), "{word}: {notes:?}");
    }
    assert_eq!(trials.best_parameters()["way"], "works".into());
    let failed = trials.trials().iter().filter(|trial| trial.state == TrialState::Failed).count();
    assert_eq!(failed, notes.len());
    assert!(trials.table().to_string().lines().last().unwrap().contains("failed"));
}
