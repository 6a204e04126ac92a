//! How much may be spent on tuning in order, and where it begins.

use super::budget::Budget;
use crate::domain::Value;
use crate::learning_rate::RateRange;
use crate::storage::Direction;
use carnyx_graph::{Error, Result};
use carnyx_nn::Verbosity;
use carnyx_nn::callbacks::greater_is_better;
use std::ops::RangeInclusive;

/// Options of [`tune_in_order`](super::tune_in_order): a budget, and where to begin.
///
/// # Example
/// ```
/// use carnyx_tune::InOrder;
/// let options = InOrder::steps(20_000).begin_with("units", 30).objective("val_accuracy");
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct InOrder {
    pub(super) budget: Budget,
    pub(super) objective: String,
    pub(super) begin: Vec<(String, Value)>,
    pub(super) rates: RangeInclusive<f64>,
    pub(super) verbosity: Verbosity,
    direction: Option<Direction>,
}

impl InOrder {
    fn within(budget: Budget) -> InOrder {
        InOrder {
            budget,
            objective: "val_loss".into(),
            begin: Vec::new(),
            rates: 1e-5..=10.0,
            verbosity: Verbosity::default(),
            direction: None,
        }
    }

    /// At most so many training steps, those of range tests among them: the same on every machine.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000);
    /// # let _ = options;
    /// ```
    pub fn steps(steps: usize) -> InOrder {
        InOrder::within(Budget::Steps(steps))
    }

    /// About so many seconds. What is tried, and with what result, depends on the machine.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::seconds(60.0);
    /// # let _ = options;
    /// ```
    pub fn seconds(seconds: f64) -> InOrder {
        InOrder::within(Budget::Seconds(seconds))
    }

    /// The number to make small or great; `val_loss`, unless given. Which way is better follows from the name, as in
    /// [`Search::objective`](crate::Search::objective).
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000).objective("val_accuracy");
    /// # let _ = options;
    /// ```
    pub fn objective(mut self, name: &str) -> InOrder {
        name.clone_into(&mut self.objective);
        self
    }

    /// Small values of the objective are good, whatever its name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000).objective("val_distance").minimize();
    /// # let _ = options;
    /// ```
    pub fn minimize(mut self) -> InOrder {
        self.direction = Some(Direction::Minimize);
        self
    }

    /// Great values of the objective are good, whatever its name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000).objective("val_profit").maximize();
    /// # let _ = options;
    /// ```
    pub fn maximize(mut self) -> InOrder {
        self.direction = Some(Direction::Maximize);
        self
    }

    /// Begins with that value of a hyperparameter, instead of the middle of its range or the first of its choices: what
    /// one would try by hand.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000).begin_with("hidden_layers", 2).begin_with("optimizer", "adam");
    /// # let _ = options;
    /// ```
    pub fn begin_with(mut self, name: &str, value: impl Into<Value>) -> InOrder {
        self.begin.push((name.to_owned(), value.into()));
        self
    }

    /// The rates that range tests go through; from 1e-5 to 10, unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000).rates(1e-4..=1.0);
    /// # let _ = options;
    /// ```
    pub fn rates(mut self, rates: RangeInclusive<f64>) -> InOrder {
        self.rates = rates;
        self
    }

    /// How much is printed: a line when a stage ends, unless nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Verbosity;
    /// # use carnyx_tune::InOrder;
    /// let options = InOrder::steps(20_000).verbose(Verbosity::Silent);
    /// # let _ = options;
    /// ```
    pub fn verbose(mut self, verbosity: Verbosity) -> InOrder {
        self.verbosity = verbosity;
        self
    }

    /// Which values of the objective are good.
    pub(super) fn direction(&self) -> Result<Direction> {
        let by_name = || match greater_is_better(&self.objective) {
            Some(true) => Some(Direction::Maximize),
            Some(false) => Some(Direction::Minimize),
            None => None,
        };
        self.direction.or_else(by_name).ok_or_else(|| {
            let title =
                format!("the name `{}` does not tell whether greater or smaller is better", self.objective);
            Error::new("search", title).help("say it with `.maximize()` or `.minimize()`")
        })
    }

    /// That there is something to spend, and rates to go through.
    pub(super) fn check(&self) -> Result {
        let error = match self.budget {
            Budget::Steps(0) => Error::new("search", "tuning within 0 steps"),
            Budget::Seconds(seconds) if !(seconds > 0.0 && seconds.is_finite()) => {
                Error::new("search", format!("tuning within {seconds} seconds"))
            }
            Budget::Steps(_) | Budget::Seconds(_) => return RateRange::from(self.rates.clone()).check(),
        };
        Err(error.help("give it as much as some twenty trainings take"))
    }
}
