//! One trial at work: its hyperparameters, what was trained so far, and what it has to tell.

use crate::hyper::Hyper;
use crate::pruners::Pruner;
use crate::storage::{Direction, Storage, StudyId, TrialId};
use carnyx_graph::{Error, Executor, Result};
use std::sync::Arc;

/// What trials are made of: models that are fitted, or anything else that has hyperparameters and an objective.
pub(crate) trait Work: Sync {
    /// What is left of a trial: the best one's is given to the user.
    type Kept: Send;

    /// Asks for the hyperparameters of a trial without training anything.
    ///
    /// # Errors
    /// Whatever keeps the trial from being trained; what was asked for until then counts.
    fn ask(&self, hyper: &mut Hyper) -> Result;

    /// Trains a trial, from its beginning or from where it was paused, and gives the value of the objective.
    ///
    /// # Errors
    /// Whatever keeps the trial from having a value: it has failed then, and the search goes on, unless the trial says
    /// that the [search itself](Trial::fatal) makes no sense.
    fn train(&self, trial: &mut Trial<Self::Kept>) -> Result<f64>;
}

/// How many epochs a trial has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Those of its rung.
    pub until: usize,
    /// Those of the last rung.
    pub most: usize,
}

/// What decides which trials are pruned, and what it has to know.
#[derive(Clone)]
pub(crate) struct Judge {
    pub pruner: Pruner,
    pub study: StudyId,
    pub direction: Direction,
}

/// A trial that a worker has.
pub(crate) struct Trial<K> {
    pub number: usize,
    pub hyper: Hyper,
    /// What was trained so far, if the trial was paused.
    pub kept: Option<K>,
    /// After how many epochs it is paused, and how many it could have; none, if it runs to its end.
    pub budget: Option<Budget>,
    /// The epochs of all its models so far, and how many of them it had when it was paused.
    pub epochs: usize,
    pub before: usize,
    /// The value of the objective that it has come to.
    pub value: f64,
    /// Where several trials run at a time: on what.
    pub executor: Option<Arc<dyn Executor>>,
    /// Where it is written what the trial tells; nowhere, if a trial is only repeated.
    desk: Option<(Arc<dyn Storage>, TrialId)>,
    /// Looks at each value whether the trial is worth going on with.
    judge: Option<Judge>,
    /// Whether it is not.
    pub is_pruned: bool,
    /// How many of the hyperparameters are written.
    written: usize,
    /// The mistake that makes the whole search pointless.
    fatal: Option<Error>,
}

impl<K> Trial<K> {
    pub fn new(number: usize, hyper: Hyper) -> Trial<K> {
        Trial {
            number,
            hyper,
            kept: None,
            budget: None,
            epochs: 0,
            before: 0,
            value: f64::NAN,
            executor: None,
            desk: None,
            judge: None,
            is_pruned: false,
            written: 0,
            fatal: None,
        }
    }

    /// The same, with a place where it is written what it tells.
    pub fn written_to(self, storage: Arc<dyn Storage>, id: TrialId) -> Trial<K> {
        Trial { desk: Some((storage, id)), ..self }
    }

    /// The same, with a judge of its values.
    pub fn judged_by(self, judge: Option<Judge>) -> Trial<K> {
        Trial { judge, ..self }
    }

    pub fn id(&self) -> Option<TrialId> {
        self.desk.as_ref().map(|(_, id)| *id)
    }

    /// Writes the hyperparameters that were asked for, once all of them are.
    ///
    /// # Errors
    /// If one of them was asked for by mistake: no other trial would be better off.
    pub fn note_hyperparameters(&mut self) -> Result {
        if let Some(mistake) = self.hyper.mistake() {
            let mistake = mistake.clone();
            return Err(self.fatal(mistake));
        }
        let Some((storage, id)) = &self.desk else { return Ok(()) };
        for (name, domain, value) in &self.hyper.asked()[self.written..] {
            if let Err(error) = storage.set_parameter(*id, name, domain, *value) {
                return Err(self.fatal(error));
            }
            self.written += 1;
        }
        Ok(())
    }

    /// Notes a text beside the trial.
    pub fn note(&mut self, name: &str, text: &str) -> Result {
        let Some((storage, id)) = &self.desk else { return Ok(()) };
        storage.note(*id, name, text).map_err(|error| self.fatal(error))
    }

    /// Writes the value of the objective after another epoch.
    pub fn report(&mut self, value: f64) -> Result {
        self.epochs += 1;
        let Some((storage, id)) = &self.desk else { return Ok(()) };
        storage.report(*id, self.epochs as u64 - 1, value).map_err(|error| self.fatal(error))
    }

    /// Looks whether the trial is to be pruned after the value that it has just told.
    pub fn judge(&mut self) -> Result {
        let (Some((storage, _)), Some(judge)) = (&self.desk, &self.judge) else { return Ok(()) };
        match storage.trials(judge.study) {
            Ok(trials) => self.is_pruned = judge.pruner.stops(self.number, &trials, judge.direction),
            Err(error) => return Err(self.fatal(error)),
        }
        Ok(())
    }

    /// How many epochs it had since it began or went on.
    pub fn new_epochs(&self) -> usize {
        self.epochs - self.before
    }

    /// Ends the whole search with an error, which is given back.
    pub fn fatal(&mut self, error: Error) -> Error {
        self.fatal.get_or_insert(error).clone()
    }

    pub fn take_fatal(&mut self) -> Option<Error> {
        self.fatal.take()
    }
}
