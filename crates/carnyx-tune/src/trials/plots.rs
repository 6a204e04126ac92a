//! Pictures of a study.

use super::table::names;
use super::{Importance, Parameters, Study};
use crate::domain::{Domain, Value};
use crate::storage::{TrialRecord, TrialState};
use carnyx_plot::{BarChart, LineChart, ParallelCoordinates};

/// How the search went: the value of each trial, and the best one so far.
pub(super) fn history(study: &Study) -> LineChart {
    let complete = study.trials().iter().filter(|trial| trial.state == TrialState::Complete);
    let values = complete.filter_map(|trial| Some((trial.number as f64, trial.value?)));
    let values: Vec<(f64, f64)> = values.filter(|(_, value)| value.is_finite()).collect();
    let mut best = f64::NAN;
    let so_far = values.iter().map(|&(number, value)| {
        if study.direction().is_better(value, best) {
            best = value;
        }
        (number, best)
    });
    let so_far: Vec<(f64, f64)> = so_far.collect();
    let chart = LineChart::new(study.name()).x_label("trial").y_label(study.objective());
    chart.scatter("trials", &values).series("best so far", &so_far)
}

/// A line for each trial that has a value, through its hyperparameters.
pub(super) fn parallel(study: &Study) -> ParallelCoordinates {
    let trials: Vec<&TrialRecord> =
        study.trials().iter().filter(|trial| trial.value.is_some_and(f64::is_finite)).collect();
    let mut chart = ParallelCoordinates::new(study.name());
    for name in names(study.trials()) {
        let domain = |trial: &&TrialRecord| {
            trial.parameters.iter().find(|(known, ..)| known == name).map(|(_, domain, _)| domain.clone())
        };
        let Some(domain) = trials.iter().find_map(domain) else { continue };
        let value = |trial: &&TrialRecord| Parameters::of(trial).get(name).cloned();
        let numbers: Vec<f64> =
            trials.iter().map(|trial| value(trial).and_then(number).unwrap_or(f64::NAN)).collect();
        chart = match domain {
            Domain::Choice(_) => {
                let words: Vec<String> = trials
                    .iter()
                    .map(|trial| value(trial).map_or_else(String::new, |value| value.to_string()))
                    .collect();
                chart.choices(name, &words)
            }
            Domain::Float { log: true, .. } | Domain::Int { log: true, .. } => chart.log_axis(name, &numbers),
            Domain::Float { .. } | Domain::Int { .. } => chart.axis(name, &numbers),
        };
    }
    let values: Vec<f64> = trials.iter().map(|trial| trial.value.unwrap_or(f64::NAN)).collect();
    chart.colored_by(study.objective(), &values)
}

fn number(value: Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        Value::Bool(_) | Value::Text(_) => None,
    }
}

/// A bar for each share, with its deviation from tree to tree.
pub(super) fn bars(importance: &Importance) -> BarChart {
    let chart = BarChart::new("importance").x_label("share of the variance");
    importance
        .shares
        .iter()
        .fold(chart, |chart, (name, share, error)| chart.bar_with_error(name, *share, *error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Direction, TrialId};

    #[test]
    fn pictures_show_each_trial_and_gaps_where_nothing_was_asked() {
        let trial = |number: usize, value: Option<f64>| {
            let optimizer = Domain::Choice(vec!["sgd".into(), "adam".into()]);
            let rate = Domain::Float { low: 1e-4, high: 1e-1, step: None, log: true };
            let mut parameters = vec![("optimizer".to_owned(), optimizer, (number % 2) as f64)];
            if number != 1 {
                parameters.push(("rate".to_owned(), rate, 1e-3));
            }
            TrialRecord {
                id: TrialId(number as i64),
                number,
                state: if value.is_some() { TrialState::Complete } else { TrialState::Failed },
                value,
                parameters,
                intermediate: Vec::new(),
                notes: Vec::new(),
                started: None,
                finished: None,
            }
        };
        let values = [Some(0.5), Some(0.7), None, Some(0.9), Some(f64::INFINITY)];
        let trials = values.into_iter().enumerate().map(|(number, value)| trial(number, value)).collect();
        let study = Study::new("digits", "val_accuracy", Direction::Maximize, trials);
        let svg = study.plot_history().to_svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 3 + 1, "three trials and the legend");
        let svg = study.plot_parallel().to_svg().unwrap();
        for text in ["optimizer", "sgd", "adam", "rate", "val_accuracy"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
