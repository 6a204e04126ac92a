//! One training: a model with its hyperparameters, at a rate, for as long as it may take.

use super::budget::Meter;
use crate::domain::Domain;
use crate::hyper::{Hyper, Source};
use crate::storage::Direction;
use crate::tune::unknown_objective;
use carnyx_graph::{Array, Error, Result, Variable};
use carnyx_nn::{Callback, Data, Fit, Model, Run, Verbosity};

/// This file, whose lines mean nothing to a user.
pub(super) const FILE: &str = file!();

/// An objective that gets better by less than this share is as good as before.
const CLEAR_GAIN: f64 = 0.005;

/// A training whose objective was not better for so many epochs has levelled off.
const PATIENCE: usize = 10;

/// In the last training, the rate is halved after so many epochs without anything better.
const PATIENCE_OF_RATE: usize = 4;

/// A model in training, and its best epoch.
pub(super) struct Candidate<L> {
    pub model: Model<L>,
    /// The hyperparameters that its build and its fit asked for.
    pub asked: Vec<(String, Domain, f64)>,
    /// The learning rate that it is trained with.
    pub rate: f64,
    pub best: Option<f64>,
    weights: Vec<(Variable, Option<Array>)>,
    curve: Vec<f64>,
    pub has_levelled_off: bool,
}

/// How long a training may go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Until {
    /// Until so much of the budget is spent.
    Spent(f64),
    /// Until the budget is spent or nothing helps any more, with rates that fall.
    Over,
}

/// The middle of each range, and the first of all choices.
pub(super) struct Middle;

impl Source for Middle {
    fn value(&mut self, _: &str, domain: &Domain) -> Result<f64> {
        Ok(match domain {
            Domain::Choice(_) => 0.0,
            Domain::Float { .. } | Domain::Int { .. } => domain.at(0.5),
        })
    }
}

impl<L> Candidate<L> {
    pub fn new(model: Model<L>, hyper: &Hyper) -> Candidate<L> {
        let rate = model.optimizer.learning_rate;
        Candidate {
            model,
            asked: hyper.asked().to_vec(),
            rate,
            best: None,
            weights: Vec::new(),
            curve: Vec::new(),
            has_levelled_off: false,
        }
    }

    /// Whether the rate of each step is given by a schedule.
    pub fn has_schedule(&self) -> bool {
        self.model.optimizer.schedule().is_some()
    }

    /// Trains at that rate from now on; a schedule stays what it is.
    pub fn set_rate(&mut self, rate: f64) {
        if !self.has_schedule() {
            self.rate = rate;
            self.model.optimizer.learning_rate = rate;
        }
    }

    /// The hyperparameter of that name.
    pub fn parameter(&self, name: &str) -> Option<(&Domain, f64)> {
        let found = self.asked.iter().find(|(known, ..)| known == name);
        found.map(|(_, domain, number)| (domain, *number))
    }

    /// Trains it, from where it is.
    ///
    /// # Errors
    /// What the fit says; `search`, if the objective is in no logs.
    pub fn train(
        &mut self,
        data: &Data,
        fit: Fit,
        (objective, direction): (&str, Direction),
        meter: &mut Meter,
        until: Until,
    ) -> Result {
        let mut watch = Watch {
            objective,
            direction,
            limit: if let Until::Spent(limit) = until { limit } else { f64::INFINITY },
            lowers_rate: until == Until::Over && !self.has_schedule(),
            patience: if until == Until::Over { 6 * PATIENCE_OF_RATE } else { PATIENCE },
            meter,
            stale: 0,
            best: self.best,
            weights: std::mem::take(&mut self.weights),
            curve: &mut self.curve,
            has_levelled_off: false,
        };
        let fitted = self.model.fit(data, fit.verbose(Verbosity::Silent).callback(&mut watch));
        self.best = watch.best;
        self.has_levelled_off = watch.has_levelled_off;
        self.weights = watch.weights;
        fitted.map(drop)
    }

    /// Whether the objective was still getting better when the training ended.
    pub fn is_improving(&self, direction: Direction) -> bool {
        let early = &self.curve[..self.curve.len() * 3 / 4];
        let best = early
            .iter()
            .copied()
            .reduce(|best, value| if direction.is_better(value, best) { value } else { best });
        match (self.best, best) {
            (Some(now), Some(then)) => !self.has_levelled_off && is_clearly_better(direction, now, then),
            _ => !self.has_levelled_off,
        }
    }

    /// Gives the model the weights of its best epoch.
    pub fn take_best(&mut self) -> Result {
        for (variable, value) in &self.weights {
            value.iter().try_for_each(|value| variable.assign(value))?;
        }
        Ok(())
    }
}

/// Whether `value` is better than `other` by more than chance makes it.
pub(super) fn is_clearly_better(direction: Direction, value: f64, other: f64) -> bool {
    let is_far = other.is_nan() || (value - other).abs() > CLEAR_GAIN * other.abs();
    direction.is_better(value, other) && is_far
}

/// Watches a training: what it spends, what it reaches, and when it is over.
struct Watch<'w> {
    objective: &'w str,
    direction: Direction,
    limit: f64,
    lowers_rate: bool,
    patience: usize,
    meter: &'w mut Meter,
    /// Epochs since the best one.
    stale: usize,
    best: Option<f64>,
    weights: Vec<(Variable, Option<Array>)>,
    curve: &'w mut Vec<f64>,
    has_levelled_off: bool,
}

impl Callback for Watch<'_> {
    fn on_batch_end(&mut self, run: &mut Run) -> Result {
        self.meter.steps += 1;
        if self.meter.spent() >= self.limit || self.meter.left() <= 0.0 {
            run.stop();
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        let Some(value) = run.logs.get(self.objective) else {
            let names: Vec<&str> = run.logs.iter().map(|(name, _)| name).collect();
            return Err(unknown_objective(self.objective, &names));
        };
        self.curve.push(value);
        if self.direction.is_better(value, self.best.unwrap_or(f64::NAN)) {
            let weight = |variable: &Variable| {
                let value = variable.has_value().then(|| variable.value()).transpose()?;
                Ok((variable.clone(), value))
            };
            self.weights = run.variables().iter().map(weight).collect::<Result<_>>()?;
            (self.best, self.stale) = (Some(value), 0);
            return Ok(());
        }
        self.stale += 1;
        if self.lowers_rate && self.stale.is_multiple_of(PATIENCE_OF_RATE) {
            run.optimizer.learning_rate /= 2.0;
        }
        if self.stale >= self.patience {
            self.has_levelled_off = true;
            run.stop();
        }
        Ok(())
    }

    fn name(&self) -> String {
        "tuning in order".into()
    }
}

/// Tells a mistake of the whole tuning from what ails one attempt.
pub(super) fn is_fatal(error: &Error) -> bool {
    error.code() == "search"
}
