//! Messages about hyperparameters, searches and studies.

use super::messages::assert_message;
use carnyx::prelude::*;
use carnyx::{Direction, MemoryStorage, Storage, TrialState, Trials};

fn data() -> (Array, Array) {
    (Array::from_fn([32, 4], |i| (i % 7) as f32 - 3.0), Array::from_fn([32, 1], |i| (i % 3) as f32))
}

fn quiet(search: Search) -> Search {
    search.objective("loss").verbose(Verbosity::Silent)
}

/// A search over a model that asks one question.
fn with(ask: impl Fn(&mut Hyper) + Sync) -> Result<Trials<Sequential>> {
    let build = |hyper: &mut Hyper| {
        ask(hyper);
        Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError)
    };
    tune(build, data(), |_| Fit::epochs(1), quiet(Search::random(2)))
}

/// A search whose model asks nothing odd.
fn searched(epochs: usize, search: Search) -> Result<Trials<Sequential>> {
    let build = |hyper: &mut Hyper| {
        let rate = hyper.log_float("rate", 1e-3..=0.1);
        Sequential::new().then(Dense::new(1)).compile(Sgd::new(rate), MeanSquaredError)
    };
    tune(build, data(), |_| Fit::epochs(epochs), search.verbose(Verbosity::Silent))
}

#[test]
fn questions_without_sense() {
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = with(|hyper| drop(hyper.int::<i64>("units", 256..=16).to_string()));
    assert_message("search_reversed_range", reversed);
    assert_message("search_no_number", with(|hyper| drop(hyper.float("rate", f64::NAN..=1.0).to_string())));
    assert_message(
        "search_log_through_zero",
        with(|hyper| drop(hyper.log_float("rate", 0.0f64..=1.0).to_string())),
    );
    assert_message("search_step", with(|hyper| drop(hyper.int_step::<i64>("units", 16..=64, 0).to_string())));
    let negative = with(|hyper| drop(hyper.float_step("rate", 0.0..=0.5f64, -0.1).to_string()));
    assert_message("search_negative_step", negative);
    let no_choices: [&str; 0] = [];
    assert_message("search_no_choices", with(|hyper| drop(hyper.choice_of("optimizer", &no_choices))));
    let twice = with(|hyper| drop(hyper.choice("optimizer", ["sgd", "adam", "sgd"]).to_owned()));
    assert_message("search_choice_twice", twice);
    let two_domains = with(|hyper| {
        let first: usize = hyper.int("units", 16..=64);
        let second: usize = hyper.int("units", 16..=first);
        drop((first, second).0.to_string());
    });
    assert_message("search_two_domains", two_domains);
}

#[test]
fn searches_without_sense() {
    assert_message("search_no_trials", searched(1, Search::random(0)));
    assert_message("search_no_epochs", searched(1, Search::hyperband(0)));
    assert_message("search_no_workers", searched(1, quiet(Search::random(1)).workers(0)));
    assert_message("search_reduction", searched(1, quiet(Search::hyperband(9)).reduction(1)));
    assert_message(
        "search_pruner_reduction",
        searched(1, quiet(Search::random(1)).prune(Pruner::halving().reduction(0))),
    );
    assert_message("search_pruned_rungs", searched(9, quiet(Search::hyperband(9)).prune(Pruner::median())));
    assert_message("search_epochs", searched(3, quiet(Search::hyperband(9))));
    assert_message("search_folds", searched(1, quiet(Search::random(1)).folds(33)));
    assert_message("search_one_fold", searched(1, quiet(Search::random(1)).folds(1)));
    assert_message("search_grid_of_real_numbers", searched(1, quiet(Search::grid())));
    assert_message("search_unclear_direction", searched(1, Search::random(1).objective("beauty")));
    assert_message("search_unknown_objective", searched(1, Search::random(1).objective("accuracy")));
    assert_message("search_no_validation", searched(1, Search::random(1)));
}

#[test]
fn trials_that_all_fail() {
    let fails =
        |_: &mut Hyper| -> Result<Model<Sequential>> { Err(Error::new("own", "this cannot be built")) };
    let failed = tune(fails, data(), |_| Fit::epochs(1), quiet(Search::random(3)));
    assert_message("search_all_failed", failed);
}

#[test]
fn studies() {
    let storage = MemoryStorage::new();
    let study = storage.open_study("digits", Direction::Maximize).unwrap();
    assert_message(
        "study_other_direction",
        searched(1, quiet(Search::random(1)).storage(storage.clone()).study("digits")),
    );
    let trial = storage.begin_trial(study).unwrap().id;
    storage.finish(trial, TrialState::Failed, None).unwrap();
    assert_message("study_ended_trial", storage.report(trial, 3, 0.5));

    let search = || quiet(Search::random(9)).storage(storage.clone()).study("line");
    searched(1, search()).unwrap();
    let build = |hyper: &mut Hyper| {
        let rate = hyper.choice("rate", [0.1, 0.01]);
        Sequential::new().then(Dense::new(1)).compile(Sgd::new(rate), MeanSquaredError)
    };
    let more = quiet(Search::random(12)).storage(storage.clone()).study("line");
    assert_message("study_other_domain", tune(build, data(), |_| Fit::epochs(1), more));
    let few = searched(1, quiet(Search::random(2))).unwrap();
    assert_message("study_importance", few.importance());
}
