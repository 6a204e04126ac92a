//! What earlier trials have taught.

use crate::domain::Domain;
use crate::storage::{Direction, TrialRecord, TrialState};

/// The trials before the one that is about to begin, from the best to the worst; those that were pruned after those that
/// are complete, the longer they lasted the better; those that still run at the end.
pub(crate) struct Past {
    trials: Vec<Known>,
    /// How many of them have ended.
    pub ended: usize,
}

pub(crate) struct Known {
    parameters: Vec<(String, Domain, f64)>,
    /// The value of the objective, of which smaller is better; of complete trials only.
    pub loss: Option<f64>,
}

impl Past {
    /// The past of trial `number`.
    pub fn new(trials: Vec<TrialRecord>, number: usize, direction: Direction) -> Past {
        let sign = if direction == Direction::Minimize { 1.0 } else { -1.0 };
        let mut ranked: Vec<([f64; 3], Known)> = Vec::new();
        for trial in trials.into_iter().filter(|trial| trial.number != number) {
            let last = trial.intermediate.last().copied();
            let (rank, loss) = match (trial.state, trial.value) {
                (TrialState::Complete, Some(value)) if value.is_finite() => {
                    ([0.0, 0.0, sign * value], Some(sign * value))
                }
                (TrialState::Pruned, value) => {
                    let steps = last.map_or(0.0, |(step, _)| step as f64);
                    let value = value.or(last.map(|(_, value)| value)).unwrap_or(f64::INFINITY * sign);
                    ([1.0, -steps, sign * value], None)
                }
                (TrialState::Running, _) => ([2.0, 0.0, 0.0], None),
                (TrialState::Complete | TrialState::Waiting | TrialState::Failed, _) => continue,
            };
            ranked.push((rank, Known { parameters: trial.parameters, loss }));
        }
        ranked.sort_by(|(a, _), (b, _)| {
            a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])).then(a[2].total_cmp(&b[2]))
        });
        let ended = ranked.iter().filter(|(rank, _)| rank[0] < 2.0).count();
        Past { trials: ranked.into_iter().map(|(_, known)| known).collect(), ended }
    }

    /// The values that trials had of a hyperparameter with this domain, from the best trial on.
    pub fn values(&self, name: &str, domain: &Domain) -> Vec<f64> {
        self.trials.iter().filter_map(|trial| trial.value(name, domain)).collect()
    }

    /// The complete trials, the best one first.
    pub fn complete(&self) -> impl Iterator<Item = &Known> {
        self.trials.iter().filter(|trial| trial.loss.is_some())
    }

    /// Names and domains of the hyperparameters that all complete trials have.
    pub fn in_all(&self) -> Vec<(String, Domain)> {
        let Some(first) = self.complete().next() else { return Vec::new() };
        let has =
            |name: &str, domain: &Domain| self.complete().all(|trial| trial.value(name, domain).is_some());
        let shared = first.parameters.iter().filter(|(name, domain, _)| has(name, domain));
        shared.map(|(name, domain, _)| (name.clone(), domain.clone())).collect()
    }
}

impl Known {
    /// The value of a hyperparameter, if this trial had it with this domain.
    pub fn value(&self, name: &str, domain: &Domain) -> Option<f64> {
        let found = self.parameters.iter().find(|(known, other, _)| known == name && other == domain);
        found.map(|(_, _, value)| *value)
    }
}

/// The losses, but those far above the others brought nearer: how bad a trial is that went astray tells nothing of where
/// the good ones lie, and would be all that a variance shows.
pub(crate) fn without_excess(losses: &[f64]) -> Vec<f64> {
    let mut sorted = losses.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(middle)) = (sorted.first(), sorted.get(sorted.len().saturating_sub(1) / 2)) else {
        return Vec::new();
    };
    let limit = if middle > least { middle + 5.0 * (middle - least) } else { f64::INFINITY };
    losses.iter().map(|loss| loss.min(limit)).collect()
}
