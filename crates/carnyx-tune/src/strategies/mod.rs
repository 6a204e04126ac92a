//! Which hyperparameters a trial gets.

mod random;

use crate::hyper::Source;
use carnyx_graph::{Error, Result};

/// What a search does next.
#[derive(Clone, Debug)]
pub(crate) enum Strategy {
    /// Each trial at random.
    Random { trials: usize },
}

impl Strategy {
    /// How many trials there are in all.
    pub fn trials(&self) -> usize {
        match self {
            Strategy::Random { trials } => *trials,
        }
    }

    /// Whether there is anything to do.
    pub fn check(&self) -> Result {
        if self.trials() == 0 {
            return Err(Error::new("search", "a search of no trials").help("give it at least one"));
        }
        Ok(())
    }

    /// Where trial `number` has its hyperparameters from.
    pub fn source(&self, seed: u64, number: usize) -> Box<dyn Source + Send> {
        match self {
            Strategy::Random { .. } => Box::new(random::Even { seed, number }),
        }
    }
}
