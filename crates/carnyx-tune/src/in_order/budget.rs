//! What was spent, and what is left.

use std::time::Instant;

/// What all trainings together may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Budget {
    Steps(usize),
    Seconds(f64),
}

impl Budget {
    pub fn total(self) -> f64 {
        match self {
            Budget::Steps(steps) => steps as f64,
            Budget::Seconds(seconds) => seconds,
        }
    }
}

/// Counts what is spent, in the unit of the budget.
#[derive(Debug)]
pub(super) struct Meter {
    pub budget: Budget,
    pub steps: usize,
    began: Instant,
}

impl Meter {
    pub fn new(budget: Budget) -> Meter {
        Meter { budget, steps: 0, began: Instant::now() }
    }

    pub fn spent(&self) -> f64 {
        match self.budget {
            Budget::Steps(_) => self.steps as f64,
            Budget::Seconds(_) => self.began.elapsed().as_secs_f64(),
        }
    }

    pub fn left(&self) -> f64 {
        self.budget.total() - self.spent()
    }
}
