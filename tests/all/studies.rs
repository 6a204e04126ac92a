//! Studies in a file: what is written is read back, and whoever works on one at the same time stays out of the others'
//! way, threads and programs, even those that are killed.

use carnyx::prelude::*;
use carnyx::{
    Direction, Domain, Hyper, Search, SqliteStorage, Storage, StudyId, TrialState, Trials, Value, storage_at,
    tune,
};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A place for a study, in a folder of its own.
fn place(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("carnyx-studies-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join("study.db")
}

fn remove(path: &Path) {
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

fn begin(name: &str) -> (PathBuf, SqliteStorage, StudyId) {
    let path = place(name);
    let storage = SqliteStorage::open(&path).unwrap();
    let study = storage.open_study("digits", Direction::Minimize).unwrap();
    (path, storage, study)
}

fn rate() -> Domain {
    Domain::Float { low: 1e-5, high: 0.1, step: None, log: true }
}

#[test]
fn what_a_trial_says_is_read_back() -> Result {
    let (path, storage, study) = begin("read-back");
    let units = Domain::Int { low: 16, high: 256, step: 16, log: false };
    let kinds = Domain::Choice(vec!["a".into(), true.into(), Value::Int(3), Value::Float(2.5)]);
    let trial = storage.begin_trial(study)?;
    assert_eq!((trial.number, trial.state), (0, TrialState::Running));
    storage.set_parameter(trial.id, "rate", &rate(), 0.1f64.powi(3))?;
    storage.set_parameter(trial.id, "units", &units, 48.0)?;
    storage.set_parameter(trial.id, "kind", &kinds, 2.0)?;
    for (step, value) in [(4, 1.5), (1, f64::NAN), (2, f64::INFINITY), (3, f64::NEG_INFINITY), (4, 1.25)] {
        storage.report(trial.id, step, value)?;
    }
    storage.note(trial.id, "said", "\"50 %\" of 'it'\n\u{e9}\u{1f600}")?;
    storage.finish(trial.id, TrialState::Complete, Some(0.1 + 0.2))?;

    let again = storage_at(path.to_str().unwrap())?;
    let study = again.open_study("digits", Direction::Minimize)?;
    let [read] = &again.trials(study)?[..] else { panic!("one trial") };
    let parameters = [("rate", rate(), 0.1f64.powi(3)), ("units", units, 48.0), ("kind", kinds, 2.0)];
    let parameters = parameters.map(|(name, domain, value)| (name.to_owned(), domain, value));
    assert_eq!(read.parameters, parameters);
    assert_eq!((read.state, read.value), (TrialState::Complete, Some(0.1 + 0.2)));
    assert_eq!(read.notes, [("said".to_owned(), "\"50 %\" of 'it'\n\u{e9}\u{1f600}".to_owned())]);
    assert!(read.intermediate[0].1.is_nan(), "{:?}", read.intermediate);
    assert_eq!(read.intermediate[1..], [(2, f64::INFINITY), (3, f64::NEG_INFINITY), (4, 1.25)]);
    assert!(read.started.unwrap() <= read.finished.unwrap());
    assert!(read.finished.unwrap().elapsed().unwrap() < Duration::from_mins(1));
    remove(&path);
    Ok(())
}

#[test]
fn trials_end_in_four_ways_and_only_once() -> Result {
    let (path, storage, study) = begin("endings");
    let endings = [
        (TrialState::Complete, Some(f64::INFINITY), Some(f64::INFINITY)),
        (TrialState::Pruned, Some(0.5), Some(0.5)),
        (TrialState::Failed, None, None),
        (TrialState::Failed, Some(0.5), None),
    ];
    for (state, value, read) in endings {
        let trial = storage.begin_trial(study)?;
        storage.finish(trial.id, state, value)?;
        assert_eq!(storage.finish(trial.id, TrialState::Complete, Some(1.0)).unwrap_err().code(), "study");
        assert_eq!(storage.report(trial.id, 1, 1.0).unwrap_err().code(), "study");
        assert_eq!(storage.set_parameter(trial.id, "rate", &rate(), 0.01).unwrap_err().code(), "study");
        let trials = storage.trials(study)?;
        let last = trials.last().unwrap();
        assert_eq!((last.number, last.state, last.value), (trials.len() - 1, state, read));
        assert_eq!(
            (&last.parameters, &last.intermediate),
            (&vec![], &vec![]),
            "a refused change leaves nothing"
        );
    }
    let trial = storage.begin_trial(study)?;
    assert!(storage.finish(trial.id, TrialState::Complete, None).is_err());
    assert!(storage.finish(trial.id, TrialState::Complete, Some(f64::NAN)).is_err());
    assert!(storage.finish(trial.id, TrialState::Running, None).is_err());
    storage.finish(trial.id, TrialState::Failed, None)?;
    remove(&path);
    Ok(())
}

#[test]
fn trials_that_wait_come_first() -> Result {
    let (path, storage, study) = begin("waiting");
    let parameters = [("rate".to_owned(), rate(), 0.001)];
    storage.enqueue(study, &parameters, &[("why", "the guess of an expert")])?;
    storage.enqueue(study, &[("rate".to_owned(), rate(), 0.002)], &[])?;
    assert!(storage.trials(study)?.iter().all(|trial| trial.state == TrialState::Waiting));
    for number in 0..3 {
        let trial = storage.begin_trial(study)?;
        assert_eq!((trial.number, trial.state), (number, TrialState::Running));
        let rates: Vec<f64> = trial.parameters.iter().map(|(_, _, value)| *value).collect();
        assert_eq!(rates, [vec![0.001], vec![0.002], vec![]][number]);
        assert_eq!(trial.notes.len(), usize::from(number == 0));
        assert!(trial.started.is_some());
    }
    remove(&path);
    Ok(())
}

#[test]
fn studies_in_one_file_do_not_see_each_other() -> Result {
    let (path, storage, study) = begin("two");
    let other = storage.open_study("letters", Direction::Maximize)?;
    for study in [study, other, study] {
        storage.begin_trial(study)?;
    }
    let numbers = |study| storage.trials(study).unwrap().iter().map(|trial| trial.number).collect::<Vec<_>>();
    assert_eq!((numbers(study), numbers(other)), (vec![0, 1], vec![0]));
    let choices = Domain::Choice(vec!["a".into()]);
    storage.set_parameter(storage.trials(study)?[0].id, "x", &rate(), 0.1)?;
    storage.set_parameter(storage.trials(other)?[0].id, "x", &choices, 0.0)?;
    remove(&path);
    Ok(())
}

#[test]
fn threads_are_given_trials_of_their_own() {
    let (path, storage, study) = begin("threads");
    let own = SqliteStorage::open(&path).unwrap();
    let work = |storage: &SqliteStorage| -> Vec<usize> {
        (0..8)
            .map(|_| {
                let trial = storage.begin_trial(study).unwrap();
                storage.report(trial.id, 1, 0.5).unwrap();
                storage.finish(trial.id, TrialState::Complete, Some(0.5)).unwrap();
                trial.number
            })
            .collect()
    };
    // Two threads share a connection, and two have one of their own.
    let numbers: Vec<usize> = std::thread::scope(|scope| {
        let other = SqliteStorage::open(&path).unwrap();
        let threads = [&storage, &storage, &own].map(|storage| scope.spawn(|| work(storage)));
        let last = scope.spawn(move || work(&other));
        threads.into_iter().chain([last]).flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: BTreeSet<usize> = numbers.iter().copied().collect();
    assert_eq!(distinct, (0..32).collect());
    assert_eq!(numbers.len(), 32);
    remove(&path);
}

fn worker(path: &Path, trials: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.arg(path).arg("digits").arg(trials).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn programs_are_given_trials_of_their_own() {
    // None of them finds the file: they make it at the same time.
    let path = place("programs");
    let workers: Vec<Child> = (0..3).map(|_| worker(&path, "24")).collect();
    let mut numbers = Vec::new();
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        assert!(output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        numbers.extend(said.lines().map(|line| line.parse::<usize>().unwrap()));
    }
    let distinct: BTreeSet<usize> = numbers.iter().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "a trial was run twice: {numbers:?}");
    // Each may have begun its last trial while others ended theirs.
    assert!((24..=26).contains(&numbers.len()), "{numbers:?}");
    assert_eq!(distinct, (0..numbers.len()).collect());

    // A search that is started again has nothing left to do, or only what was added.
    let mut again = worker(&path, "24");
    assert!(again.wait().unwrap().success());
    let storage = SqliteStorage::open(&path).unwrap();
    let study = storage.open_study("digits", Direction::Minimize).unwrap();
    assert_eq!(storage.trials(study).unwrap().len(), numbers.len());
    remove(&path);
}

#[test]
fn the_trial_of_a_killed_program_is_taken_up_again() -> Result {
    let (path, storage, study) = begin("killed");
    let mut parameters = Vec::new();
    // The first trial and three retries; the fourth worker that it kills was the last.
    for round in 0..4 {
        let mut child = worker(&path, "wait");
        let mut number = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert_eq!(number.trim(), round.to_string());
        child.kill().unwrap();
        child.wait().unwrap();

        assert!(
            storage.take_up_abandoned(study, Duration::from_mins(1))?.is_empty(),
            "it was alive just now"
        );
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(storage.take_up_abandoned(study, Duration::from_millis(10))?, [round]);
        assert!(storage.take_up_abandoned(study, Duration::ZERO)?.is_empty(), "only once");
        let trials = storage.trials(study)?;
        assert_eq!(trials[round].state, TrialState::Failed);
        assert_eq!(trials[round].notes.last().unwrap().0, "error");
        assert_eq!(trials[round].parameters.len(), 3);
        parameters.push(trials[round].parameters.clone());
    }
    assert!(parameters.iter().all(|other| *other == parameters[0]), "a retry keeps its parameters");
    assert_eq!(storage.trials(study)?.len(), 4);

    // A worker of another study, or one that beats, is left alone.
    let trial = storage.begin_trial(study)?;
    storage.beat(trial.id)?;
    assert!(storage.take_up_abandoned(study, Duration::from_mins(1))?.is_empty());
    assert_eq!(storage.trials(study)?[4].state, TrialState::Running);
    remove(&path);
    Ok(())
}

#[test]
fn a_search_goes_on_where_it_was_stopped() -> Result {
    let path = place("search");
    let (x, y) =
        (Array::from_fn([48, 1], |i| i as f32 / 48.0), Array::from_fn([48, 1], |i| 1.0 - i as f32 / 24.0));
    let build = |hyper: &mut Hyper| {
        let rate = hyper.log_float("learning_rate", 1e-3..=1.0);
        let units: usize = hyper.int("units", 1..=8);
        let activation = hyper.choice("activation", [Relu, Tanh]);
        Sequential::new()
            .then(Dense::new(units).activation(activation))
            .then(Dense::new(1))
            .compile(Sgd::new(rate), MeanSquaredError)
            .seed(3)
    };
    let search = |trials: usize| -> Result<Trials<Sequential>> {
        let search =
            Search::random(trials).storage(storage_at(path.to_str().unwrap())?).study("line").seed(5);
        let fit = |_: &mut Hyper| Fit::epochs(4).validation_split(0.25);
        tune(build, (&x, &y), fit, search.verbose(Verbosity::Silent))
    };
    let before = search(3)?.trials().to_vec();
    let trials = search(6)?;
    assert_eq!(before.len(), 3);
    assert_eq!(trials.trials()[..3], before, "what has ended is not run again");
    assert_eq!(trials.trials().len(), 6);
    assert!(trials.trials().iter().all(|trial| trial.state == TrialState::Complete));

    // At one stretch, in memory, it is the same.
    let whole = Search::random(6).study("line").seed(5).verbose(Verbosity::Silent);
    let whole = tune(build, (&x, &y), |_: &mut Hyper| Fit::epochs(4).validation_split(0.25), whole)?;
    let told = |trials: &Trials<Sequential>| -> Vec<_> {
        let told = trials.trials().iter().map(|trial| (trial.parameters.clone(), trial.value));
        told.collect()
    };
    assert_eq!(told(&trials), told(&whole));

    // A third search has nothing to do, and builds the best model once more.
    let third = search(6)?;
    assert_eq!(third.trials(), trials.trials());
    assert_eq!(third.best.predict(&x)?, trials.best.predict(&x)?);

    // A worker vanishes with what would have been the last trial: it is run all the same.
    let storage = storage_at(path.to_str().unwrap())?;
    let study = storage.open_study("line", Direction::Minimize)?;
    let lost = storage.begin_trial(study)?;
    storage.set_parameter(
        lost.id,
        "learning_rate",
        &Domain::Float { low: 1e-3, high: 1.0, step: None, log: true },
        0.5,
    )?;
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(storage.take_up_abandoned(study, Duration::from_millis(10))?, [6]);
    let last = search(7)?;
    let states: Vec<TrialState> = last.trials()[6..].iter().map(|trial| trial.state).collect();
    assert_eq!(states, [TrialState::Failed, TrialState::Complete]);
    assert_eq!(last.trials()[7].parameters[0].2, 0.5);
    remove(&path);
    Ok(())
}
