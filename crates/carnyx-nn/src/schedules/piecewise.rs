//! Rates that stay, jump, and stay.

use super::{Clock, Schedule, check_number};
use crate::Config;
use crate::losses::count;
use crate::optimizers::Bounds;
use carnyx_graph::{Error, Result};

/// One rate up to each boundary, that step included, and a last one after all of them.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, PiecewiseConstantDecay, Schedule};
/// let schedule = PiecewiseConstantDecay::new([1000, 5000], [0.1, 0.01, 0.001]);
/// assert_eq!([1000.0, 1001.0, 9999.0].map(|step| schedule.rate(Clock::at_step(step))), [0.1, 0.01, 0.001]);
/// ```
///
/// Reference:
/// [`keras.optimizers.schedules.PiecewiseConstantDecay`](https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/).
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseConstantDecay {
    boundaries: Vec<usize>,
    values: Vec<f64>,
}

impl PiecewiseConstantDecay {
    /// `values` are the rates, one more than there are `boundaries`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{PiecewiseConstantDecay, Schedule};
    /// // By epochs: numbers 0 to 29, 30 to 59, and from 60 on.
    /// let schedule = PiecewiseConstantDecay::new([29, 59], [0.1, 0.01, 0.001]).per_epoch();
    /// # let _ = schedule;
    /// ```
    pub fn new(
        boundaries: impl IntoIterator<Item = usize>,
        values: impl IntoIterator<Item = f64>,
    ) -> PiecewiseConstantDecay {
        let (boundaries, values) = (boundaries.into_iter().collect(), values.into_iter().collect());
        PiecewiseConstantDecay { boundaries, values }
    }
}

impl Schedule for PiecewiseConstantDecay {
    fn rate(&self, at: Clock) -> f64 {
        let passed = self.boundaries.iter().take_while(|&&boundary| at.steps > boundary as f64).count();
        // The lengths are checked before training; until then, what has no value is no number.
        self.values.get(passed).copied().unwrap_or(f64::NAN)
    }

    fn check(&self) -> Result {
        let error = |title: String| Error::new("schedule", title);
        let (boundaries, values) = (self.boundaries.len(), self.values.len());
        if values != boundaries + 1 {
            let (values, parts) = (count(values, "value"), count(boundaries + 1, "part"));
            let title = format!("the schedule `{}` has {values} for {parts} of training", self.name());
            return Err(error(title)
                .label(format!(
                    "the parts are those before, between and after its boundaries: {:?}",
                    self.boundaries
                ))
                .help("give one rate for each part: `PiecewiseConstantDecay::new([1000], [0.1, 0.01])`"));
        }
        let mut pairs = self.boundaries.iter().zip(self.boundaries.iter().skip(1));
        if let Some((first, second)) = pairs.find(|(first, second)| first >= second) {
            let title = format!("the boundaries of the schedule `{}` do not ascend", self.name());
            return Err(error(title).label(format!("{first} comes before {second}")));
        }
        self.values.iter().try_for_each(|&value| check_number(self, "value", value, Bounds::NotNegative))
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("PiecewiseConstantDecay").field("boundaries", self.boundaries.clone());
        Some(config.field("values", self.values.clone()).field("name", "PiecewiseConstant"))
    }
}
