//! A number that a callback watches, and what counts as an improvement.

use super::Run;
use crate::history::more_is_better;
use carnyx_graph::{Error, Result};

/// Whether greater numbers of this name are better, as of accuracies and their like, or smaller ones, as of losses and
/// errors; `None` if the name does not tell.
///
/// # Example
/// ```
/// use carnyx_nn::callbacks::greater_is_better;
/// assert_eq!(greater_is_better("val_accuracy"), Some(true));
/// assert_eq!(greater_is_better("val_loss"), Some(false));
/// assert_eq!(greater_is_better("beauty"), None);
/// ```
pub fn greater_is_better(name: &str) -> Option<bool> {
    let smaller =
        ["loss", "error", "crossentropy", "divergence", "hinge", "poisson", "logcosh", "learning_rate"];
    if more_is_better(name) {
        return Some(true);
    }
    smaller.iter().any(|word| name.contains(word)).then_some(false)
}

/// Which numbers are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Smaller,
    Greater,
}

/// A number in the logs, watched for improvements.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) name: String,
    /// Which way is better; by the name, unless given.
    pub(super) direction: Option<Direction>,
    /// Smaller changes are no improvement.
    pub(super) min_delta: f64,
}

impl Monitor {
    /// Every improvement of `val_loss`.
    pub(super) fn new() -> Monitor {
        Monitor { name: "val_loss".into(), direction: None, min_delta: 0.0 }
    }

    /// Whether `value` is better than `reference` by more than the least change. NaN is never better.
    pub(super) fn is_better(&self, value: f64, reference: Option<f64>) -> Result<bool> {
        let direction = self.direction()?;
        let Some(reference) = reference else { return Ok(!value.is_nan()) };
        Ok(match direction {
            Direction::Smaller => value + self.min_delta.abs() < reference,
            Direction::Greater => value - self.min_delta.abs() > reference,
        })
    }

    fn direction(&self) -> Result<Direction> {
        let name = self.name.as_str();
        match self.direction {
            Some(direction) => Ok(direction),
            None => match greater_is_better(name) {
                Some(true) => Ok(Direction::Greater),
                Some(false) => Ok(Direction::Smaller),
                None => Err(Error::new(
                    "callback",
                    format!("the name `{name}` does not tell whether greater or smaller is better"),
                )
                .help("say it with `.maximize()` or `.minimize()`")),
            },
        }
    }

    /// Before the first epoch: whether the number is, or may be, one of this fit's.
    pub(super) fn check(&self, callback: &str, run: &Run) -> Result {
        if self.min_delta.is_nan() {
            return Err(Error::new("callback", "the least change that counts as an improvement is NaN"));
        }
        if !run.state.others && !run.state.names.contains(&self.name) {
            return Err(self.missing(callback, &run.state.names));
        }
        self.direction().map(drop)
    }

    /// The number, at the end of an epoch.
    pub(super) fn value(&self, callback: &str, run: &Run) -> Result<f64> {
        run.logs.get(&self.name).ok_or_else(|| {
            let names: Vec<String> = run.logs.iter().map(|(name, _)| name.to_owned()).collect();
            self.missing(callback, &names)
        })
    }

    fn missing(&self, callback: &str, names: &[String]) -> Error {
        let error = Error::new(
            "callback",
            format!("`{callback}` watches `{}`, which is none of the numbers of this fit", self.name),
        );
        missing_name(error, &self.name, names)
    }
}

/// Advice on a name that the logs do not have.
pub(super) fn missing_name(error: Error, name: &str, names: &[String]) -> Error {
    let is_of_validation = |name: &str| name.starts_with("val_");
    if let Some(of_training) = name.strip_prefix("val_")
        && !names.iter().any(|name| is_of_validation(name))
        && names.iter().any(|known| known == of_training)
    {
        return error
            .label("there is no validation data")
            .help(format!("give some with `.validation(..)`, or take `{of_training}`"));
    }
    error.suggest(name, names)
}
