//! How to search: a strategy, an objective, and how trials are run.

use crate::storage::{Direction, Storage};
use crate::strategies::Strategy;
use carnyx_graph::{Error, Result};
use carnyx_nn::Verbosity;
use carnyx_nn::callbacks::greater_is_better;
use std::sync::Arc;

/// How to search: a strategy with options.
///
/// # Example
/// ```
/// use carnyx_tune::Search;
/// let search = Search::random(20).objective("val_accuracy").seed(42).workers(2);
/// # let _ = search;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Search {
    pub(crate) strategy: Strategy,
    pub(crate) objective: String,
    direction: Option<Direction>,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    pub(crate) verbosity: Verbosity,
    pub(crate) storage: Option<Arc<dyn Storage>>,
    pub(crate) study: String,
}

impl Search {
    fn new(strategy: Strategy) -> Search {
        Search {
            strategy,
            objective: "val_loss".into(),
            direction: None,
            seed: 0,
            workers: 1,
            verbosity: Verbosity::default(),
            storage: None,
            study: "study".into(),
        }
    }

    /// So many trials, each with hyperparameters drawn at random: evenly from ranges, or from their logarithms, and from
    /// choices. What a trial gets depends on the seed, its number and the names alone.
    ///
    /// Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20);
    /// # let _ = search;
    /// ```
    pub fn random(trials: usize) -> Search {
        Search::new(Strategy::Random { trials })
    }

    /// The number to make small or great: any number of the logs, also one that a callback adds; `val_loss`, unless
    /// given. Which way is better follows from the name: greater for accuracies and their like, smaller for losses and
    /// errors.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).objective("val_accuracy");
    /// # let _ = search;
    /// ```
    pub fn objective(mut self, name: &str) -> Search {
        name.clone_into(&mut self.objective);
        self
    }

    /// Small values of the objective are good, whatever its name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).objective("val_distance").minimize();
    /// # let _ = search;
    /// ```
    pub fn minimize(mut self) -> Search {
        self.direction = Some(Direction::Minimize);
        self
    }

    /// Great values of the objective are good, whatever its name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).objective("val_score").maximize();
    /// # let _ = search;
    /// ```
    pub fn maximize(mut self) -> Search {
        self.direction = Some(Direction::Maximize);
        self
    }

    /// The seed of what is drawn at random; 0, unless given. The seeds of the models are their own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).seed(42);
    /// # let _ = search;
    /// ```
    pub fn seed(mut self, seed: u64) -> Search {
        self.seed = seed;
        self
    }

    /// How many trials run at a time, each on a thread of its own and its share of the cores; one on all cores, unless
    /// given. Small models, for whose steps few cores are enough, are searched faster with several workers.
    ///
    /// Random and grid searches give the same results for any number of workers. Where the next trial depends on those
    /// before it, it depends on which of them have ended.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).workers(4);
    /// # let _ = search;
    /// ```
    pub fn workers(mut self, workers: usize) -> Search {
        self.workers = workers;
        self
    }

    /// Keeps the study in a storage, from which it is continued: trials that it has are not run again, so that a search
    /// that was interrupted goes on with what is left of it. Several processes may work on one study at a time.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{MemoryStorage, Search};
    /// let storage = MemoryStorage::new();
    /// let search = Search::random(20).storage(storage).study("digits");
    /// # let _ = search;
    /// ```
    pub fn storage(mut self, storage: impl Storage + 'static) -> Search {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// The name of the study in its storage.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{MemoryStorage, Search};
    /// let search = Search::random(20).storage(MemoryStorage::new()).study("digits");
    /// # let _ = search;
    /// ```
    pub fn study(mut self, name: &str) -> Search {
        name.clone_into(&mut self.study);
        self
    }

    /// How much is printed: a line for each trial, unless nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Verbosity;
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).verbose(Verbosity::Silent);
    /// # let _ = search;
    /// ```
    pub fn verbose(mut self, verbosity: Verbosity) -> Search {
        self.verbosity = verbosity;
        self
    }

    /// Which values of the objective are good.
    ///
    /// # Errors
    /// `search`, if neither its name nor the user tells.
    pub(crate) fn direction(&self) -> Result<Direction> {
        let by_name = || match greater_is_better(&self.objective) {
            Some(true) => Some(Direction::Maximize),
            Some(false) => Some(Direction::Minimize),
            None => None,
        };
        self.direction.or_else(by_name).ok_or_else(|| {
            let name = &self.objective;
            Error::new(
                "search",
                format!("the name `{name}` does not tell whether greater or smaller is better"),
            )
            .help("say it with `.maximize()` or `.minimize()`")
        })
    }

    /// Whether the options make sense by themselves.
    ///
    /// # Errors
    /// `search`, with what does not.
    pub(crate) fn check(&self) -> Result {
        if self.workers == 0 {
            return Err(
                Error::new("search", "a search without workers").help("give `.workers(..)` at least 1")
            );
        }
        self.strategy.check()
    }
}
