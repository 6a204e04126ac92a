use super::*;
use crate::{MemoryStorage, Pruner, TrialState};
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

#[test]
fn hyperband_trains_as_many_epochs_as_its_brackets_say() {
    let data = data();
    let fit = |_: &mut Hyper| Fit::epochs(9).validation_split(0.25);
    let search = || Search::hyperband(9).verbose(Verbosity::Silent).seed(1);
    let trials = tune(build, &data, fit, search()).unwrap();
    let epochs = |from: usize, to: usize| {
        let mut counts: Vec<usize> =
            trials.trials()[from..to].iter().map(|trial| trial.intermediate.len()).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(epochs(0, 9), [1, 1, 1, 1, 1, 1, 3, 3, 9]);
    assert_eq!(epochs(9, 14), [3, 3, 3, 3, 9]);
    assert_eq!(epochs(14, 17), [9, 9, 9]);
    let complete = |trial: &&crate::TrialRecord| trial.state == TrialState::Complete;
    assert_eq!(trials.trials().iter().filter(complete).count(), 5);
    // A trial that was paused goes on as if it had not been, and its number of workers changes nothing.
    let best = trials.best_trial().unwrap();
    let mut hyper = trials.best_parameters().hyper();
    let whole = build(&mut hyper).fit(&data, fit(&mut hyper).verbose(Verbosity::Silent)).unwrap();
    let told: Vec<f64> = best.intermediate.iter().map(|(_, value)| *value).collect();
    assert_eq!(told, whole.values("val_loss"));
    let together = tune(build, &data, fit, search().workers(2)).unwrap();
    assert_eq!(together.best_value(), trials.best_value());
    assert_eq!(together.best_parameters(), trials.best_parameters());
}

#[test]
fn a_trial_of_cross_validation_is_the_mean_of_its_models() {
    let data = data();
    let fit = |_: &mut Hyper| Fit::epochs(2);
    let mut trials = tune(build, &data, fit, random(3).folds(3)).unwrap();
    for trial in trials.trials() {
        assert_eq!(trial.intermediate.len(), 6);
        let of_fold = |fold: usize| {
            let values = trial.intermediate[2 * fold..2 * fold + 2].iter().map(|(_, value)| *value);
            values.fold(f64::INFINITY, f64::min)
        };
        let mean = (0..3).map(of_fold).sum::<f64>() / 3.0;
        assert!((trial.value.unwrap() - mean).abs() < 1e-12);
    }
    assert!(trials.best.evaluate(&data).unwrap()["loss"].is_finite());
    let parallel = tune(build, &data, fit, random(3).folds(3).workers(2)).unwrap();
    assert_eq!(parallel.best_value(), trials.best_value());
}

#[test]
fn trials_that_fall_behind_are_pruned() {
    let data = data();
    let fit = |_: &mut Hyper| Fit::epochs(9).validation_split(0.25);
    let search = |pruner| random(12).prune(pruner);
    for pruner in [Pruner::median().after_trials(3), Pruner::halving()] {
        let trials = tune(build, &data, fit, search(pruner)).unwrap();
        let pruned = trials.trials().iter().filter(|trial| trial.state == TrialState::Pruned);
        let epochs: Vec<usize> = pruned.map(|trial| trial.intermediate.len()).collect();
        assert!(!epochs.is_empty() && epochs.iter().all(|epochs| *epochs < 9), "{epochs:?}");
        assert_eq!(trials.best_trial().unwrap().intermediate.len(), 9);
    }
}

#[test]
fn a_grid_has_hyperparameters_of_the_fit_too() {
    let data = data();
    let build = |hyper: &mut Hyper| {
        let rate = hyper.choice("rate", [0.01, 0.1]);
        Sequential::new().then(Dense::new(1)).compile(Sgd::new(rate), MeanSquaredError)
    };
    let fit = |hyper: &mut Hyper| {
        Fit::epochs(hyper.int_step("epochs", 1..=3, 2)).batch_size(hyper.choice("batch_size", [8, 16]))
    };
    let trials =
        tune(build, &data, fit, Search::grid().objective("loss").verbose(Verbosity::Silent)).unwrap();
    assert_eq!(trials.trials().len(), 8);
    assert_eq!(trials.best_parameters()["epochs"], 3.into());
}

#[test]
fn each_trial_gets_the_rate_that_suits_it() {
    let data = data();
    let build = |hyper: &mut Hyper| {
        let net = Sequential::new().then(Dense::new(hyper.int("units", 2..=8)).activation(Relu));
        net.then(Dense::new(1)).compile(Sgd::new(1e-7), MeanSquaredError)
    };
    let fit = |_: &mut Hyper| Fit::epochs(3).batch_size(8).validation_split(0.25);
    let plain = tune(build, &data, fit, random(3).objective("loss")).unwrap();
    let search = || random(3).objective("loss").sweep_learning_rate(1e-4..=10.0);
    let swept = tune(build, &data, fit, search()).unwrap();
    assert!(swept.best_value() < plain.best_value());
    let notes: Vec<&str> =
        swept.trials().iter().flat_map(|trial| &trial.notes).map(|(name, _)| &**name).collect();
    assert_eq!(notes.len(), 3, "a rate, or why there is none: {notes:?}");
    assert!(notes.contains(&"learning_rate"), "{notes:?}");
    assert!(swept.table().to_string().lines().next().unwrap().ends_with("swept rate"));
    let again = tune(build, &data, fit, search().workers(2)).unwrap();
    assert_eq!(again.best_value(), swept.best_value());
}

#[test]
fn models_of_finished_trials_are_gone() {
    use carnyx_nn::Lambda;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (data, alive, most) = (data(), Arc::new(()), AtomicUsize::new(0));
    let build = |hyper: &mut Hyper| {
        most.fetch_max(Arc::strong_count(&alive), Ordering::Relaxed);
        let token = alive.clone();
        let marked = Lambda::new(move |x: &carnyx_graph::Tensor| {
            let _ = &token;
            x.clone()
        });
        let rate = hyper.log_float("learning_rate", 1e-3..=0.3);
        Sequential::new().then(marked).then(Dense::new(1)).compile(Sgd::new(rate), MeanSquaredError)
    };
    let fit = |_: &mut Hyper| Fit::epochs(1).batch_size(48);
    let trials = tune(build, &data, fit, random(200).objective("loss")).unwrap();
    // Our own handle, and the best model so far.
    assert_eq!((most.into_inner(), Arc::strong_count(&alive)), (2, 2));
    drop(trials);
    assert_eq!(Arc::strong_count(&alive), 1);
}
