//! A program that works on a study, for tests of what several programs do together: `worker STORAGE STUDY TRIALS SILENCE`.
//!
//! It begins trials until so many of the study are complete, and prints the number of each that it completes; those
//! whose workers were silent for so many seconds it takes up again. As `worker STORAGE STUDY wait`, it begins a trial,
//! prints its number, and completes it when it is told to by a line, unless it is killed before.

use carnyx::prelude::*;
use carnyx::{Direction, Domain, Storage, StudyId, TrialId, TrialRecord, TrialState, storage_at};
use carnyx_tests::Numbers;
use std::time::Duration;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (place, name, trials, silence) = match arguments.as_slice() {
        [place, name, trials] => (place, name, trials, None),
        [place, name, trials, silence] => (place, name, trials, Some(silence)),
        _ => panic!("worker STORAGE STUDY TRIALS SILENCE"),
    };
    let storage = storage_at(place)?;
    let study = storage.open_study(name, Direction::Minimize)?;
    if trials == "wait" {
        let trial = storage.begin_trial(study)?;
        let x = place_of(&*storage, &trial)?;
        println!("{}", trial.number);
        std::io::stdin().read_line(&mut String::new()).expect("a line can be read");
        return complete(&*storage, trial.id, x);
    }
    let trials = trials.parse().expect("a number of trials");
    if let Some(seconds) = silence {
        let silence = Duration::from_secs(seconds.parse().expect("a number of seconds"));
        storage.take_up_abandoned(study, silence)?;
    }
    while num_complete(&*storage, study)? < trials {
        let trial = storage.begin_trial(study)?;
        let x = place_of(&*storage, &trial)?;
        complete(&*storage, trial.id, x)?;
        println!("{}", trial.number);
    }
    Ok(())
}

/// The training of this program: a parabola, approached in three steps.
fn complete(storage: &dyn Storage, trial: TrialId, x: f64) -> Result {
    for step in 0..3 {
        storage.report(trial, step, (x - 0.3).powi(2) + 1.0 / (step + 1) as f64)?;
        storage.beat(trial)?;
    }
    storage.note(trial, "process", &std::process::id().to_string())?;
    storage.finish(trial, TrialState::Complete, Some((x - 0.3).powi(2)))
}

/// Where a trial looks: as it was told, or else at a random place, with two parameters more that change nothing.
fn place_of(storage: &dyn Storage, trial: &TrialRecord) -> Result<f64> {
    if let Some((_, _, x)) = trial.parameters.iter().find(|(name, ..)| name == "x") {
        return Ok(*x);
    }
    let (trial, mut numbers) = (trial.id, Numbers(trial.number as u64));
    let x = f64::from(numbers.unit()) * 2.0 - 1.0;
    storage.set_parameter(trial, "x", &Domain::Float { low: -1.0, high: 1.0, step: None, log: false }, x)?;
    let units = Domain::Int { low: 16, high: 256, step: 16, log: false };
    storage.set_parameter(trial, "units", &units, 16.0 * (1 + numbers.below(16)) as f64)?;
    let optimizer = Domain::Choice(vec!["sgd".into(), "adam".into()]);
    storage.set_parameter(trial, "optimizer", &optimizer, numbers.below(2) as f64)?;
    Ok(x)
}

fn num_complete(storage: &dyn Storage, study: StudyId) -> Result<usize> {
    Ok(storage.trials(study)?.iter().filter(|trial| trial.state == TrialState::Complete).count())
}
