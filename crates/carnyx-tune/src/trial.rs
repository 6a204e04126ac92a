//! One trial at work: its hyperparameters, what was trained so far, and what it has to tell.

use crate::hyper::Hyper;
use crate::storage::{Storage, TrialId};
use carnyx_graph::{Error, Executor, Result};
use std::sync::Arc;

/// What trials are made of: models that are fitted, or anything else that has hyperparameters and an objective.
pub(crate) trait Work: Sync {
    /// What is left of a trial: the best one's is given to the user.
    type Kept: Send;

    /// Trains a trial, from its beginning or from where it was paused, and gives the value of the objective.
    ///
    /// # Errors
    /// Whatever keeps the trial from having a value: it has failed then, and the search goes on, unless the trial says
    /// that the [search itself](Trial::fatal) makes no sense.
    fn train(&self, trial: &mut Trial<Self::Kept>) -> Result<f64>;
}

/// A trial that a worker has.
pub(crate) struct Trial<K> {
    pub number: usize,
    pub hyper: Hyper,
    /// What was trained so far, if the trial was paused.
    pub kept: Option<K>,
    /// After how many epochs it is to be paused; none, if it runs to its end.
    pub until: Option<usize>,
    /// Where several trials run at a time: on what.
    pub executor: Option<Arc<dyn Executor>>,
    /// Where it is written what the trial tells; nowhere, if a trial is only repeated.
    desk: Option<(Arc<dyn Storage>, TrialId)>,
    /// How many of the hyperparameters are written.
    written: usize,
    /// The mistake that makes the whole search pointless.
    fatal: Option<Error>,
}

impl<K> Trial<K> {
    pub fn new(number: usize, hyper: Hyper) -> Trial<K> {
        Trial { number, hyper, kept: None, until: None, executor: None, desk: None, written: 0, fatal: None }
    }

    /// The same, with a place where it is written what it tells.
    pub fn written_to(self, storage: Arc<dyn Storage>, id: TrialId) -> Trial<K> {
        Trial { desk: Some((storage, id)), ..self }
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

    /// Writes the value of the objective at a step.
    pub fn report(&mut self, step: u64, value: f64) -> Result {
        let Some((storage, id)) = &self.desk else { return Ok(()) };
        storage.report(*id, step, value).map_err(|error| self.fatal(error))
    }

    /// Ends the whole search with an error, which is given back.
    pub fn fatal(&mut self, error: Error) -> Error {
        self.fatal.get_or_insert(error).clone()
    }

    pub fn take_fatal(&mut self) -> Option<Error> {
        self.fatal.take()
    }
}
