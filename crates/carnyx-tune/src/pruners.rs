//! Which trials are stopped before their end, because others were better at the same epoch.

use crate::storage::{Direction, TrialRecord};
use carnyx_graph::{Error, Result};

/// Stops trials that are unlikely to become the best: after each epoch, a trial is compared with those before it.
///
/// # Example
/// ```
/// use carnyx_tune::{Pruner, Search};
/// let search = Search::random(50).prune(Pruner::median().after_epochs(2));
/// # let _ = search;
/// ```
#[derive(Clone, Debug)]
pub struct Pruner {
    rule: Rule,
    after_trials: usize,
    after_epochs: usize,
}

#[derive(Clone, Debug)]
enum Rule {
    Median,
    Halving { reduction: usize },
}

impl Pruner {
    /// Stops a trial whose best value so far is worse than the median of what earlier trials had at this epoch. The first
    /// five trials run to their end.
    ///
    /// Golovin et al., "Google Vizier: a service for black-box optimization", 2017, section 3.1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Pruner, Search};
    /// let search = Search::random(50).prune(Pruner::median());
    /// # let _ = search;
    /// ```
    pub fn median() -> Pruner {
        Pruner { rule: Rule::Median, after_trials: 5, after_epochs: 1 }
    }

    /// Stops a trial that is not among the best third of those that have come to a rung so far: after 1, 3, 9, 27, …
    /// epochs. Nobody waits for a rung to be full, so all workers are always busy.
    ///
    /// Li et al., "A system for massively parallel hyperparameter tuning" (ASHA), 2020; here, a trial that was stopped does
    /// not go on later.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Pruner, Search};
    /// let search = Search::random(50).workers(4).prune(Pruner::halving());
    /// # let _ = search;
    /// ```
    pub fn halving() -> Pruner {
        Pruner { rule: Rule::Halving { reduction: 3 }, after_trials: 0, after_epochs: 1 }
    }

    /// Of how many trials one is left at each rung of [`halving`](Pruner::halving), 3 unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Pruner;
    /// let pruner = Pruner::halving().reduction(2); // after 1, 2, 4, 8, … epochs
    /// # let _ = pruner;
    /// ```
    pub fn reduction(mut self, factor: usize) -> Pruner {
        if let Rule::Halving { reduction } = &mut self.rule {
            *reduction = factor;
        }
        self
    }

    /// Trials run to their end until there are so many that others can be compared with.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Pruner;
    /// let pruner = Pruner::median().after_trials(10);
    /// # let _ = pruner;
    /// ```
    pub fn after_trials(mut self, trials: usize) -> Pruner {
        self.after_trials = trials;
        self
    }

    /// No trial is stopped before it has had so many epochs; of [`halving`](Pruner::halving), the epochs of the first rung.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Pruner;
    /// let pruner = Pruner::median().after_epochs(3);
    /// # let _ = pruner;
    /// ```
    pub fn after_epochs(mut self, epochs: usize) -> Pruner {
        self.after_epochs = epochs.max(1);
        self
    }

    /// Whether it can work.
    pub(crate) fn check(&self) -> Result {
        match self.rule {
            Rule::Halving { reduction: factor @ 0..2 } => {
                Err(Error::new("search", format!("a reduction by {factor}"))
                    .label("it is of how many trials one is left")
                    .help("give `.reduction(..)` at least 2"))
            }
            _ => Ok(()),
        }
    }

    /// Whether to stop a trial that has just reported its value at a step. `trials` are all of the study, itself included.
    pub(crate) fn stops(&self, number: usize, trials: &[TrialRecord], direction: Direction) -> bool {
        let own =
            trials.iter().find(|trial| trial.number == number).map(|trial| trial.intermediate.as_slice());
        let Some(own @ [.., (step, value)]) = own else { return false };
        let epochs = *step as usize + 1;
        let at_step = |trial: &TrialRecord| {
            trial.intermediate.iter().find(|(known, _)| known == step).map(|(_, value)| *value)
        };
        let others: Vec<f64> = trials
            .iter()
            .filter(|trial| trial.number != number)
            .filter_map(at_step)
            .filter(|value| !value.is_nan())
            .collect();
        if epochs < self.after_epochs || others.len() < self.after_trials.max(1) {
            return false;
        }
        match self.rule {
            Rule::Median => {
                let better =
                    |best: f64, value: f64| if direction.is_better(value, best) { value } else { best };
                let best = own.iter().map(|(_, value)| *value).fold(f64::NAN, better);
                direction.is_better(median(others), best) || best.is_nan()
            }
            Rule::Halving { reduction } => {
                is_rung(epochs, self.after_epochs, reduction) && {
                    let left = ((others.len() + 1) / reduction).max(1);
                    let better = others.iter().filter(|other| direction.is_better(**other, *value)).count();
                    better >= left || value.is_nan()
                }
            }
        }
    }
}

/// Whether `epochs` is `first` times a power of `reduction`.
fn is_rung(epochs: usize, first: usize, reduction: usize) -> bool {
    let mut rung = first;
    while rung < epochs {
        rung *= reduction;
    }
    rung == epochs
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{TrialId, TrialState};

    fn trials(values: &[&[f64]]) -> Vec<TrialRecord> {
        let trial = |(number, values): (usize, &&[f64])| TrialRecord {
            id: TrialId(number as i64),
            number,
            state: TrialState::Running,
            value: None,
            parameters: Vec::new(),
            intermediate: (0..).zip(values.iter().copied()).collect(),
            notes: Vec::new(),
            started: None,
            finished: None,
        };
        values.iter().enumerate().map(trial).collect()
    }

    #[test]
    fn the_worse_half_is_stopped() {
        let pruner = Pruner::median().after_trials(3);
        let stops = |own: &[f64], direction| {
            pruner.stops(3, &trials(&[&[1.0, 0.5], &[1.0, 0.6], &[1.0, 0.7], own]), direction)
        };
        assert!(stops(&[1.0, 0.65], Direction::Minimize));
        assert!(!stops(&[1.0, 0.55], Direction::Minimize));
        assert!(!stops(&[0.55, 0.9], Direction::Minimize), "its best epoch counts");
        assert!(!stops(&[1.0, 0.65], Direction::Maximize));
        assert!(stops(&[f64::NAN, f64::NAN], Direction::Minimize));
        assert!(
            !Pruner::median().stops(3, &trials(&[&[0.0], &[0.0], &[0.0], &[9.0]]), Direction::Minimize),
            "too few"
        );
        assert!(!pruner.clone().after_epochs(2).stops(
            3,
            &trials(&[&[0.0], &[0.0], &[0.0], &[9.0]]),
            Direction::Minimize
        ));
    }

    #[test]
    fn a_rung_leaves_the_best_third() {
        let pruner = Pruner::halving();
        let stops = |own: &[f64]| {
            pruner.stops(5, &trials(&[&[0.1], &[0.2], &[0.3], &[0.4], &[0.5], own]), Direction::Minimize)
        };
        assert!(!stops(&[0.15]), "the second of six");
        assert!(stops(&[0.25]), "the third");
        let two = |own: &[f64]| pruner.stops(1, &trials(&[&[0.3, 0.3, 0.3], own]), Direction::Minimize);
        assert!(two(&[0.4]) && !two(&[0.2]));
        assert!(!two(&[0.2, 0.9]), "between two rungs");
        assert!(two(&[0.2, 0.9, 0.9]));
    }
}
