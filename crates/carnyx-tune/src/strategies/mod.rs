//! Which hyperparameters a trial gets.

mod gaussian;
mod grid;
mod past;
mod random;
#[cfg(test)]
mod tests;
mod tpe;

pub(crate) use grid::{Point, walk};
pub(crate) use past::{Known, Past, without_excess};

use crate::hyper::Source;
use crate::schedule::{Rung, hyperband, successive_halving};
use crate::storage::{Direction, TrialRecord};
use carnyx_graph::{Error, Result};

/// How a search goes on.
#[derive(Clone, Debug)]
pub(crate) enum Strategy {
    /// Each trial at random.
    Random { trials: usize },
    /// Every combination.
    Grid,
    /// Values that were good before, by the tree-structured Parzen estimator.
    Tpe { trials: usize },
    /// The place with the greatest expected improvement, by a Gaussian process.
    Gaussian { trials: usize },
    /// Many trials at random, of which the best ones go on.
    SuccessiveHalving { trials: usize, epochs: usize, reduction: usize },
    /// Brackets of them.
    Hyperband { epochs: usize, reduction: usize },
}

impl Strategy {
    /// How many trials there are in all; `None` if only the build can tell.
    pub fn trials(&self) -> Option<usize> {
        match self {
            Strategy::Random { trials } | Strategy::Tpe { trials } | Strategy::Gaussian { trials } => {
                Some(*trials)
            }
            Strategy::Grid => None,
            Strategy::SuccessiveHalving { .. } | Strategy::Hyperband { .. } => {
                self.brackets().map(|brackets| brackets.iter().map(|bracket| bracket[0].trials).sum())
            }
        }
    }

    /// The rungs of a search that has some.
    pub fn brackets(&self) -> Option<Vec<Vec<Rung>>> {
        match *self {
            Strategy::SuccessiveHalving { trials, epochs, reduction } => {
                Some(vec![successive_halving(trials, epochs, reduction)])
            }
            Strategy::Hyperband { epochs, reduction } => Some(hyperband(epochs, reduction)),
            Strategy::Random { .. } | Strategy::Grid | Strategy::Tpe { .. } | Strategy::Gaussian { .. } => {
                None
            }
        }
    }

    /// Whether there is anything to do.
    pub fn check(&self) -> Result {
        let error = |title: String| Error::new("search", title);
        match *self {
            Strategy::SuccessiveHalving { reduction, .. } | Strategy::Hyperband { reduction, .. }
                if reduction < 2 =>
            {
                Err(error(format!("a reduction by {reduction}"))
                    .label("it is of how many trials one goes on")
                    .help("give `.reduction(..)` at least 2; 3 is usual"))
            }
            Strategy::SuccessiveHalving { epochs: 0, .. } | Strategy::Hyperband { epochs: 0, .. } => {
                Err(error("a search of no epochs".into()).help("give its best trials at least one"))
            }
            Strategy::Random { trials: 0 }
            | Strategy::Tpe { trials: 0 }
            | Strategy::Gaussian { trials: 0 }
            | Strategy::SuccessiveHalving { trials: 0, .. } => {
                Err(error("a search of no trials".into()).help("give it at least one"))
            }
            _ => Ok(()),
        }
    }

    /// Where trial `number` has its hyperparameters from. `grid` are all combinations, where they are tried; `past` gives
    /// the trials so far, where it matters.
    pub fn source(
        &self,
        (seed, direction): (u64, Direction),
        number: usize,
        grid: &[Point],
        past: impl FnOnce() -> Result<Vec<TrialRecord>>,
    ) -> Result<Box<dyn Source + Send>> {
        Ok(match self {
            Strategy::Random { .. } | Strategy::SuccessiveHalving { .. } | Strategy::Hyperband { .. } => {
                Box::new(random::Even { seed, number })
            }
            Strategy::Grid => Box::new(grid::OnGrid(grid[number % grid.len()].clone())),
            Strategy::Tpe { .. } => {
                Box::new(tpe::Tpe { seed, number, past: Past::new(past()?, number, direction) })
            }
            Strategy::Gaussian { .. } => {
                let past = Past::new(past()?, number, direction);
                let point =
                    gaussian::Gaussian::new(seed, number, &past, Box::new(random::Even { seed, number }));
                Box::new(point)
            }
        })
    }
}
