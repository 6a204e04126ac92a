//! The stages, one after the other.

use super::InOrder;
use super::attempt::{Candidate, Middle, Until, is_clearly_better, is_fatal};
use super::budget::{Budget, Meter};
use super::neighbours::{RATE, beside, is_optimizer, neighbours, place};
use super::report::{TunedInOrder, TuningAttempt, TuningQuestion, TuningStage};
use crate::domain::{Domain, Value, short};
use crate::hyper::Hyper;
use crate::learning_rate::{LearningRateSweep, RateRange, SweepLearningRate};
use crate::storage::Direction;
use crate::trials::Parameters;
use crate::tune::Built;
use carnyx_graph::{Error, Result};
use carnyx_nn::{Data, Fit, Verbosity};

/// This file, whose lines mean nothing to a user.
pub(super) const FILE: &str = file!();

/// The share of the budget that is kept for training the best model on.
const RESERVE: f64 = 0.3;

/// How many values of a range are tried, more or less.
const VALUES_OF_RANGE: usize = 3;

/// How often all hyperparameters are gone through, if the budget allows.
const ROUNDS: usize = 3;

pub(super) struct Procedure<M, F> {
    build: M,
    fit: F,
    data: Data,
    options: InOrder,
    direction: Direction,
    meter: Meter,
    /// What one training may take.
    allotment: f64,
    /// By how much the best rate differs from what range tests suggest.
    factor: f64,
    stages: Vec<TuningStage>,
}

impl<'f, B, M, F> Procedure<M, F>
where
    B: Built,
    M: Fn(&mut Hyper) -> B,
    F: Fn(&mut Hyper) -> Fit<'f>,
{
    pub fn new(build: M, fit: F, data: Data, options: InOrder) -> Result<Procedure<M, F>> {
        let direction = options.direction()?;
        let meter = Meter::new(options.budget);
        Ok(Procedure {
            build,
            fit,
            data,
            options,
            direction,
            meter,
            allotment: 0.0,
            factor: 1.0,
            stages: Vec::new(),
        })
    }

    pub fn run(mut self) -> Result<TunedInOrder<B::Layer>> {
        let mut best = self.begin()?;
        best = self.tune_rate(best)?;
        for _ in 0..ROUNDS {
            let mut done = Vec::new();
            let mut has_changed = false;
            while let Some(name) = next_of(&best, &done).filter(|_| self.can_afford_another()) {
                let before = best.parameter(&name).map(|(_, number)| number);
                best = self.tune_parameter(best, &name)?;
                let is_new = best.parameter(&name).map(|(_, number)| number) != before;
                if is_new && is_optimizer(&name) {
                    best = self.tune_rate(best)?;
                }
                has_changed |= is_new;
                done.push(name);
            }
            if !has_changed {
                break;
            }
        }
        self.finish(best)
    }

    /// Trains the model as it is, and asks whether that was long enough.
    fn begin(&mut self) -> Result<Candidate<B::Layer>> {
        let begin = self.options.begin.clone();
        let (candidate, hyper) = self.built(&begin)?;
        if let Some((name, _)) =
            begin.iter().find(|(name, _)| !hyper.asked().iter().any(|(asked, ..)| asked == name))
        {
            let names: Vec<&str> = hyper.asked().iter().map(|(name, ..)| name.as_str()).collect();
            return Err(Error::new("search", format!("no hyperparameter `{name}` is asked for"))
                .suggest(name, &names));
        }
        let attempts: usize =
            candidate.asked.iter().map(|(name, domain, _)| expected_attempts(name, domain)).sum();
        self.allotment = self.options.budget.total() * (1.0 - RESERVE) / (attempts + 4) as f64;

        let mut stage = TuningStage::new(TuningQuestion::Convergence, None);
        let before = self.meter.steps;
        let mut best = self.trained(candidate, &begin)?;
        let Some(value) = best.best else { return Err(no_value(&self.options.objective, self.meter.steps)) };
        stage.attempts.push(self.attempt(
            format!("after {} steps", self.meter.steps - before),
            &best,
            before,
        ));
        let is_improving = best.is_improving(self.direction);
        if is_improving {
            // Half as much more, from now on for everyone.
            self.extend(&mut best, &begin, self.meter.spent() + self.allotment / 2.0)?;
            self.allotment *= 1.5;
            stage.attempts.push(self.attempt(
                format!("after {} steps", self.meter.steps - before),
                &best,
                before,
            ));
        }
        stage.kept = if is_improving { "still getting better" } else { "levelled off" }.into();
        self.end(stage, best.best.unwrap_or(value), before);
        Ok(best)
    }

    /// Looks at a range test of the best model, and tries what it suggests.
    fn tune_rate(&mut self, best: Candidate<B::Layer>) -> Result<Candidate<B::Layer>> {
        if best.has_schedule() {
            return Ok(best); // It says the rate of each step; tests of a constant one would tell nothing of it.
        }
        let mut stage = TuningStage::new(TuningQuestion::LearningRate, best.best);
        let (began, values) = (self.meter.steps, values_of(&best));
        let swept = self.built(&values).and_then(|(mut fresh, _)| self.sweep(&mut fresh, &values));
        let suggestions = match swept {
            Ok(sweep) => [sweep.tenth_of_turning(), sweep.half_of_largest()],
            Err(error) => {
                let steps = self.meter.steps - began;
                stage.attempts.push(TuningAttempt::failed("range test".into(), &error, steps));
                [None, None]
            }
        };
        let mut best = best;
        for suggestion in suggestions.iter().flatten() {
            let rate = bounded(&best, suggestion.rate);
            if rate != best.rate && self.can_afford_another() {
                let began = self.meter.steps;
                let tried = self.try_out(&values, Some(rate));
                best = self.better_of(best, tried, short(rate), began, &mut stage)?;
            }
        }
        if let Some(suggestion) = suggestions[0] {
            self.factor = best.rate / suggestion.rate;
        }
        stage.kept = short(best.rate);
        self.end(stage, best.best.unwrap_or(f64::NAN), began);
        Ok(best)
    }

    /// Tries the neighbours of a hyperparameter's value, and further ones in a direction that helps.
    fn tune_parameter(&mut self, best: Candidate<B::Layer>, name: &str) -> Result<Candidate<B::Layer>> {
        let mut stage = TuningStage::new(TuningQuestion::Hyperparameter(name.to_owned()), best.best);
        let began = self.meter.steps;
        let Some((domain, start)) = best.parameter(name).map(|(domain, number)| (domain.clone(), number))
        else {
            return Ok(best);
        };
        let mut best = best;
        for neighbour in neighbours(&domain, start) {
            let mut next = Some(neighbour);
            while let Some(number) = next.filter(|_| self.can_afford_another()) {
                let mut values = values_of(&best);
                values.retain(|(known, _)| known != name);
                values.push((name.to_owned(), domain.value(number)));
                let began = self.meter.steps;
                let tried = self.try_out(&values, None);
                best = self.better_of(best, tried, domain.value(number).to_string(), began, &mut stage)?;
                let has_won = best.parameter(name).is_some_and(|(_, now)| now == number);
                next = beside(&domain, number, (number - start).signum()).filter(|_| has_won);
            }
            let has_moved = best.parameter(name).is_some_and(|(_, now)| now != start);
            if has_moved && !matches!(domain, Domain::Choice(_)) {
                break; // What lies on the other side of the start is worse than the start.
            }
        }
        let kept = best.parameter(name).map(|(domain, number)| domain.value(number).to_string());
        stage.kept = kept.unwrap_or_default();
        self.end(stage, best.best.unwrap_or(f64::NAN), began);
        Ok(best)
    }

    /// Trains the best model on, with what is left.
    fn finish(mut self, mut best: Candidate<B::Layer>) -> Result<TunedInOrder<B::Layer>> {
        let mut stage = TuningStage::new(TuningQuestion::Finish, best.best);
        let (began, values) = (self.meter.steps, values_of(&best));
        best.take_best()?;
        if self.meter.left() > 0.0 {
            best.set_rate(best.rate);
            let mut hyper = hyper_of(&values);
            let fit = (self.fit)(&mut hyper);
            let goal = (self.options.objective.as_str(), self.direction);
            let trained = best.train(&self.data, fit, goal, &mut self.meter, Until::Over);
            // A last training that fails takes nothing away from the one before.
            stage.attempts.push(self.attempt("rates that fall".into(), &best, began));
            if let (Err(error), Some(attempt)) = (trained, stage.attempts.last_mut()) {
                attempt.error = Some(error.title().to_owned());
            }
            best.take_best()?;
        }
        stage.kept = if best.has_levelled_off { "levelled off" } else { "ended by the budget" }.into();
        let value = best.best.unwrap_or(f64::NAN);
        self.end(stage, value, began);
        let mut settings = values;
        if !best.has_schedule() {
            settings.retain(|(name, _)| name != RATE);
            settings.push((RATE.to_owned(), Value::Float(best.rate)));
        }
        Ok(TunedInOrder {
            best: best.model,
            stages: self.stages,
            settings: Parameters::from(settings),
            objective: self.options.objective,
            value,
            steps: self.meter.steps,
            has_converged: best.has_levelled_off,
        })
    }

    /// Whether another attempt leaves enough for the last training.
    fn can_afford_another(&self) -> bool {
        self.meter.left() - self.allotment >= RESERVE * self.options.budget.total()
    }

    /// A model with hyperparameters, of which the others have their values of the beginning.
    fn built(&self, values: &[(String, Value)]) -> Result<(Candidate<B::Layer>, Hyper)> {
        let mut hyper = hyper_of(values);
        let model = (self.build)(&mut hyper).built();
        // Also what the fit asks for is a hyperparameter.
        drop((self.fit)(&mut hyper));
        if let Some(mistake) = hyper.mistake() {
            return Err(mistake.clone());
        }
        Ok((Candidate::new(model?, &hyper), hyper))
    }

    /// Builds a model and trains it: at that rate, or one that a range test suggests.
    fn try_out(&mut self, values: &[(String, Value)], rate: Option<f64>) -> Result<Candidate<B::Layer>> {
        let (mut candidate, _) = self.built(values)?;
        let rate = match rate {
            Some(rate) => rate,
            None if candidate.has_schedule() => candidate.rate,
            None => {
                let suggestion = self.sweep(&mut candidate, values)?.tenth_of_turning();
                let rate = suggestion.map_or(candidate.rate, |suggestion| suggestion.rate * self.factor);
                bounded(&candidate, rate)
            }
        };
        candidate.set_rate(rate);
        self.trained(candidate, values)
    }

    fn trained(
        &mut self,
        mut candidate: Candidate<B::Layer>,
        values: &[(String, Value)],
    ) -> Result<Candidate<B::Layer>> {
        let limit = self.meter.spent() + self.allotment;
        self.extend(&mut candidate, values, limit)?;
        Ok(candidate)
    }

    /// Trains until so much of the budget is spent.
    fn extend(
        &mut self,
        candidate: &mut Candidate<B::Layer>,
        values: &[(String, Value)],
        limit: f64,
    ) -> Result {
        let fit = (self.fit)(&mut hyper_of(values));
        let goal = (self.options.objective.as_str(), self.direction);
        candidate.train(&self.data, fit, goal, &mut self.meter, Until::Spent(limit))
    }

    /// A range test on batches as those of the fit, in a few steps that count.
    fn sweep(
        &mut self,
        candidate: &mut Candidate<B::Layer>,
        values: &[(String, Value)],
    ) -> Result<LearningRateSweep> {
        let iterations = match self.options.budget {
            Budget::Steps(_) => (self.allotment / 4.0).clamp(40.0, 200.0) as usize,
            Budget::Seconds(_) => 100,
        };
        let batch_size = (self.fit)(&mut hyper_of(values)).chosen_batch_size();
        let range = RateRange::from(self.options.rates.clone()).iterations(iterations).batch_size(batch_size);
        let sweep = candidate.model.sweep_learning_rate(&self.data, range)?;
        self.meter.steps += sweep.steps().len();
        Ok(sweep)
    }

    /// Notes an attempt, and gives the better candidate.
    fn better_of(
        &mut self,
        best: Candidate<B::Layer>,
        tried: Result<Candidate<B::Layer>>,
        what: String,
        began: usize,
        stage: &mut TuningStage,
    ) -> Result<Candidate<B::Layer>> {
        match tried {
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => {
                stage.attempts.push(TuningAttempt::failed(what, &error, self.meter.steps - began));
                Ok(best)
            }
            Ok(tried) => {
                stage.attempts.push(self.attempt(what, &tried, began));
                let value = |candidate: &Candidate<B::Layer>| candidate.best.unwrap_or(f64::NAN);
                let has_won = is_clearly_better(self.direction, value(&tried), value(&best));
                Ok(if has_won { tried } else { best })
            }
        }
    }

    fn attempt(&self, what: String, candidate: &Candidate<B::Layer>, began: usize) -> TuningAttempt {
        TuningAttempt {
            what,
            objective: candidate.best,
            learning_rate: candidate.rate,
            steps: self.meter.steps - began,
            error: None,
        }
    }

    fn end(&mut self, mut stage: TuningStage, after: f64, began: usize) {
        (stage.after, stage.steps) = (after, self.meter.steps - began);
        if self.options.verbosity != Verbosity::Silent {
            println!("{stage}");
        }
        self.stages.push(stage);
    }
}

/// A rate within the range of the hyperparameter `learning_rate`, if there is one.
fn bounded<L>(candidate: &Candidate<L>, rate: f64) -> f64 {
    match candidate.parameter(RATE) {
        Some((Domain::Float { low, high, .. }, _)) => rate.clamp(*low, *high),
        _ => rate,
    }
}

/// The hyperparameter to look at next.
fn next_of<L>(candidate: &Candidate<L>, done: &[String]) -> Option<String> {
    let names = candidate.asked.iter().map(|(name, ..)| name).filter(|name| !done.contains(name));
    let placed = names.filter_map(|name| place(name).map(|place| (place, name)));
    placed.min_by_key(|(place, _)| *place).map(|(_, name)| name.clone())
}

fn expected_attempts(name: &str, domain: &Domain) -> usize {
    match domain.count() {
        _ if name == RATE => 0,
        Some(count) => (count - 1).min(VALUES_OF_RANGE),
        None => VALUES_OF_RANGE,
    }
}

fn values_of<L>(candidate: &Candidate<L>) -> Vec<(String, Value)> {
    candidate.asked.iter().map(|(name, domain, number)| (name.clone(), domain.value(*number))).collect()
}

fn hyper_of(values: &[(String, Value)]) -> Hyper {
    let hyper = Hyper::from_source(Box::new(Middle));
    values.iter().fold(hyper, |hyper, (name, value)| hyper.with(name, value.clone()))
}

fn no_value(objective: &str, steps: usize) -> Error {
    Error::new("search", format!("the first training came to no value of `{objective}`"))
        .label(format!("it ended after {steps} steps"))
        .help("begin with hyperparameters that learn: `.begin_with(..)`, or allow for more steps")
}
