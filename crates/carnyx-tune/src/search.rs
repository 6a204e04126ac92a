//! How to search: a strategy, an objective, and how trials are run.

use crate::learning_rate::RateRange;
use crate::pruners::Pruner;
use crate::storage::{Direction, Storage};
use crate::strategies::Strategy;
use carnyx_graph::{Error, Result};
use carnyx_nn::Verbosity;
use carnyx_nn::callbacks::greater_is_better;
use std::sync::Arc;

/// Of three trials one goes on, as in the paper on Hyperband.
const REDUCTION: usize = 3;

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
    pub(crate) folds: Option<usize>,
    pub(crate) pruner: Option<Pruner>,
    pub(crate) sweep: Option<RateRange>,
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
            folds: None,
            pruner: None,
            sweep: None,
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

    /// Every combination of values once. Hyperparameters need values that can be counted: whole numbers, choices, ranges
    /// with a step. To find the combinations, the build is called for each of them before the first trial.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::grid();
    /// # let _ = search;
    /// ```
    pub fn grid() -> Search {
        Search::new(Strategy::Grid)
    }

    /// So many trials, with values like those of the best trials so far and unlike those of the others: the tree-structured
    /// Parzen estimator. The first ten trials are random. A good choice from some 30 trials on, also with choices and
    /// with hyperparameters that only some trials have.
    ///
    /// Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", 2011.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::tpe(50);
    /// # let _ = search;
    /// ```
    pub fn tpe(trials: usize) -> Search {
        Search::new(Strategy::Tpe { trials })
    }

    /// So many trials, each where the best value is expected to be improved most if the objective is a smooth function of
    /// the hyperparameters: Bayesian optimisation with a Gaussian process. The first eight trials are random. A good choice
    /// for few trials that take long, with few hyperparameters. Those that not all trials have are random.
    ///
    /// Snoek, Larochelle and Adams, "Practical Bayesian optimization of machine learning algorithms", 2012.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::gaussian_process(25);
    /// # let _ = search;
    /// ```
    pub fn gaussian_process(trials: usize) -> Search {
        Search::new(Strategy::Gaussian { trials })
    }

    /// So many trials at random that begin with few epochs; the best third of them goes on with three times as many, and so
    /// on, until the last ones have had `epochs` epochs. The fit must allow for as many. Trials that wait for the others are
    /// kept in memory.
    ///
    /// Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::successive_halving(27, 9); // 27 trials of 1 epoch, 9 of 3, 3 of 9
    /// # let _ = search;
    /// ```
    pub fn successive_halving(trials: usize, epochs: usize) -> Search {
        Search::new(Strategy::SuccessiveHalving { trials, epochs, reduction: REDUCTION })
    }

    /// Successive halving with many trials that begin with few epochs, then with fewer trials that begin with more, down to
    /// some that have all `epochs` epochs at once: good trials are found whether or not they show early. How many trials
    /// there are follows from the number of epochs. The fit must allow for as many.
    ///
    /// Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: a novel bandit-based approach to hyperparameter
    /// optimization", 2018.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::hyperband(9); // 9 trials from 1 epoch on, 5 from 3 on, 3 of 9
    /// # let _ = search;
    /// ```
    pub fn hyperband(epochs: usize) -> Search {
        Search::new(Strategy::Hyperband { epochs, reduction: REDUCTION })
    }

    /// Of how many trials one goes on in [`successive_halving`](Search::successive_halving) and
    /// [`hyperband`](Search::hyperband), with as many times the epochs: 3, unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::successive_halving(16, 16).reduction(2); // trials of 1, 2, 4, 8 and 16 epochs
    /// # let _ = search;
    /// ```
    pub fn reduction(mut self, factor: usize) -> Search {
        match &mut self.strategy {
            Strategy::SuccessiveHalving { reduction, .. } | Strategy::Hyperband { reduction, .. } => {
                *reduction = factor
            }
            Strategy::Random { .. } | Strategy::Grid | Strategy::Tpe { .. } | Strategy::Gaussian { .. } => {}
        }
        self
    }

    /// Stops trials that are unlikely to become the best.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Pruner, Search};
    /// let search = Search::tpe(50).prune(Pruner::median());
    /// # let _ = search;
    /// ```
    pub fn prune(mut self, pruner: Pruner) -> Search {
        self.pruner = Some(pruner);
        self
    }

    /// Finds the learning rate of each trial anew, by a [sweep](crate::SweepLearningRate) before its fit: the best rate for
    /// one network, optimizer or batch size is not the best one for another, and trials that share a rate compare how well
    /// it suits them. The batch size of the sweep is that of the fit. What a sweep suggests is noted beside the trial, as
    /// `learning_rate`; where it suggests nothing, the rate of the build stays, as does a schedule.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{RateRange, Search};
    /// let search = Search::random(20).sweep_learning_rate(1e-5..=1.0);
    /// let search = Search::random(20).sweep_learning_rate(RateRange::from(1e-5..=1.0).iterations(100));
    /// # let _ = search;
    /// ```
    pub fn sweep_learning_rate(mut self, rates: impl Into<RateRange>) -> Search {
        self.sweep = Some(rates.into());
        self
    }

    /// Cross-validation: the data are divided into so many folds at random, and each trial trains as many models, each of
    /// which is validated on one fold and learns from the others. The value of the trial is their mean, and its model the
    /// best of them. The fit needs no validation data; if it has some, the fold takes their place.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Search;
    /// let search = Search::random(20).folds(3);
    /// # let _ = search;
    /// ```
    pub fn folds(mut self, folds: usize) -> Search {
        self.folds = Some(folds);
        self
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
        self.strategy.check()?;
        if let Some(pruner) = &self.pruner {
            pruner.check()?;
            if self.strategy.brackets().is_some() {
                return Err(Error::new("search", "a pruner for a search that halves its trials")
                    .label("which trials go on is decided at the end of each rung")
                    .help("leave `.prune(..)` out"));
            }
        }
        Ok(())
    }
}
