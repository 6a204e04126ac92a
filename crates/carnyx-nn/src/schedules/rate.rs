//! A learning rate: a number, or a schedule.

use super::{Clock, Schedule, check_number};
use crate::optimizers::Bounds;
use carnyx_graph::Result;
use std::fmt;
use std::sync::Arc;

/// A learning rate as optimizers take it: a number that stays as it is, or a [`Schedule`].
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, CosineDecay, LearningRate};
/// let (constant, falling): (LearningRate, LearningRate) = (0.1.into(), CosineDecay::new(0.1, 100).into());
/// assert_eq!((constant.at(Clock::at_step(100.0)), falling.at(Clock::at_step(100.0))), (0.1, 0.0));
/// ```
#[derive(Clone)]
pub struct LearningRate(Form);

#[derive(Clone)]
enum Form {
    Constant(f64),
    Scheduled(Arc<dyn Schedule>),
}

impl LearningRate {
    /// The rate of the next step.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, LearningRate, PowerDecay};
    /// let rate = LearningRate::from(PowerDecay::new(0.1, 100));
    /// assert_eq!(rate.at(Clock::at_step(300.0)), 0.025);
    /// ```
    pub fn at(&self, clock: Clock) -> f64 {
        match &self.0 {
            Form::Constant(rate) => *rate,
            Form::Scheduled(schedule) => schedule.rate(clock),
        }
    }

    /// The schedule, if it is one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{LearningRate, OneCycle};
    /// assert_eq!(LearningRate::from(OneCycle::new(0.1, 100)).schedule().unwrap().name(), "OneCycle");
    /// assert!(LearningRate::from(0.1).schedule().is_none());
    /// ```
    pub fn schedule(&self) -> Option<&dyn Schedule> {
        match &self.0 {
            Form::Constant(_) => None,
            Form::Scheduled(schedule) => Some(&**schedule),
        }
    }

    pub(crate) fn into_schedule(self) -> Option<Arc<dyn Schedule>> {
        match self.0 {
            Form::Constant(_) => None,
            Form::Scheduled(schedule) => Some(schedule),
        }
    }

    pub(crate) fn of_shared(schedule: Arc<dyn Schedule>) -> LearningRate {
        LearningRate(Form::Scheduled(schedule))
    }

    /// That the rate of a part of `owner` is in its range.
    pub(super) fn check_in(&self, owner: &dyn Schedule) -> Result {
        match &self.0 {
            Form::Constant(rate) => check_number(owner, "learning_rate", *rate, Bounds::NotNegative),
            Form::Scheduled(schedule) => schedule.check(),
        }
    }
}

impl From<f64> for LearningRate {
    fn from(rate: f64) -> LearningRate {
        LearningRate(Form::Constant(rate))
    }
}

impl<S: Schedule> From<S> for LearningRate {
    fn from(schedule: S) -> LearningRate {
        LearningRate(Form::Scheduled(Arc::new(schedule)))
    }
}

/// A number, or the name of a schedule.
impl fmt::Debug for LearningRate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0 {
            Form::Constant(rate) => write!(f, "{rate:?}"),
            Form::Scheduled(schedule) => f.write_str(&schedule.name()),
        }
    }
}
