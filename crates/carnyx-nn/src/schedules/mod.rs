//! Learning rates that change while a model trains.
//!
//! A [`Schedule`] is a function from the place in training, a [`Clock`], to a learning rate. Every optimizer takes one
//! in the place of a number: `Adam::new(CosineDecay::new(1e-3, 10_000))`. A schedule counts steps, which are batches,
//! also where gradients are accumulated; [`per_epoch`](Schedule::per_epoch) makes it count epochs. Invariant: a schedule
//! remembers nothing, so that a training that is continued, copied or loaded goes on at the rate at which it was.

mod cosine;
mod decay;
mod one_cycle;
mod per_epoch;
mod piecewise;
mod rate;
mod warmup;

pub use cosine::{CosineDecay, CosineDecayRestarts};
pub use decay::{ExponentialDecay, InverseTimeDecay, PolynomialDecay, PowerDecay};
pub use one_cycle::OneCycle;
pub use per_epoch::PerEpoch;
pub use piecewise::PiecewiseConstantDecay;
pub use rate::LearningRate;
pub use warmup::Warmup;

use crate::optimizers::{Bounds, Setting};
use carnyx_graph::{Error, Result};
use std::sync::Arc;

/// How far training has come, as schedules see it.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::Clock;
/// let clock = Clock { steps: 250.0, epoch: 2.0, share: 0.5 };
/// assert_eq!(clock.epochs(), 2.5);
/// assert_eq!(Clock::at_step(250.0).steps, 250.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clock {
    /// The number of steps so far, over all fits: batches, also where gradients are accumulated.
    pub steps: f64,
    /// The number of the epoch, counted from 0 over all fits.
    pub epoch: f64,
    /// The share of the epoch that is done; 0 as long as nobody knows how many steps an epoch has.
    pub share: f64,
}

impl Clock {
    /// After so many steps, in the first epoch.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, ExponentialDecay, Schedule};
    /// let schedule = ExponentialDecay::new(0.1, 10, 0.5);
    /// assert_eq!(schedule.rate(Clock::at_step(20.0)), 0.025);
    /// ```
    pub fn at_step(steps: f64) -> Clock {
        Clock { steps, ..Clock::default() }
    }

    /// The number of epochs so far, with the share of the one that has begun.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::Clock;
    /// assert_eq!(Clock { epoch: 1.0, share: 0.25, ..Clock::default() }.epochs(), 1.25);
    /// ```
    pub fn epochs(&self) -> f64 {
        self.epoch + self.share
    }
}

/// A learning rate for every place in training.
///
/// A closure from the number of steps to the rate is a schedule too.
///
/// # Example
/// A schedule of one's own: the inverse square root, with a name for messages.
/// ```
/// use carnyx_nn::schedules::{Clock, Schedule};
/// use carnyx_nn::{Adam, Optimizer};
///
/// struct InverseSquareRoot(f64);
/// impl Schedule for InverseSquareRoot {
///     fn rate(&self, at: Clock) -> f64 {
///         self.0 / (1.0 + at.steps).sqrt()
///     }
/// }
/// assert_eq!(Optimizer::new(Adam::new(InverseSquareRoot(0.01))).learning_rate, 0.01);
/// let same = Adam::new(|step: f64| 0.01 / (1.0 + step).sqrt());
/// # let _ = same;
/// ```
pub trait Schedule: Send + Sync + 'static {
    /// The rate of the next step: a finite number from 0 on. It may be asked for one step more than training takes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, PowerDecay, Schedule};
    /// assert_eq!(PowerDecay::new(0.1, 100).rate(Clock::at_step(100.0)), 0.05);
    /// ```
    fn rate(&self, at: Clock) -> f64;

    /// The name in messages: that of the type, unless another is written.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{CosineDecay, Schedule};
    /// assert_eq!(CosineDecay::new(0.1, 100).name(), "CosineDecay");
    /// assert_eq!(Schedule::name(&|step: f64| 0.1 / (1.0 + step)), "closure");
    /// ```
    fn name(&self) -> String {
        let whole = std::any::type_name::<Self>();
        if whole.contains("{{closure}}") {
            return "closure".to_owned();
        }
        let bare = whole.split('<').next().unwrap_or(whole);
        bare.rsplit("::").next().unwrap_or(bare).to_owned()
    }

    /// That the numbers of which it is made are in their ranges, which is checked before training.
    ///
    /// # Errors
    /// `schedule`, naming the number and its range.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{ExponentialDecay, Schedule};
    /// let error = ExponentialDecay::new(0.1, 0, 0.96).check().unwrap_err();
    /// assert_eq!(error.title(), "`decay_steps` of the schedule `ExponentialDecay` is 0");
    /// ```
    fn check(&self) -> Result {
        Ok(())
    }

    /// Whether the rate changes with the [share](Clock::share) of an epoch that is done. A fit on a stream that does not
    /// tell how many steps an epoch has is an error then.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Schedule, Warmup};
    /// assert!(Warmup::epochs(5, 0.1).divides_epochs() && !Warmup::steps(5, 0.1).divides_epochs());
    /// ```
    fn divides_epochs(&self) -> bool {
        false
    }

    /// This schedule with epochs in the place of steps: the rate changes where an epoch begins.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, PiecewiseConstantDecay, Schedule};
    /// // 0.1 in the first three epochs, then 0.01.
    /// let schedule = PiecewiseConstantDecay::new([2], [0.1, 0.01]).per_epoch();
    /// assert_eq!(schedule.rate(Clock { epoch: 2.0, ..Clock::default() }), 0.1);
    /// assert_eq!(schedule.rate(Clock { epoch: 3.0, ..Clock::default() }), 0.01);
    /// ```
    fn per_epoch(self) -> PerEpoch
    where
        Self: Sized,
    {
        PerEpoch::of(Arc::new(self))
    }

    /// How long the rate grows at first, if it is a warm-up.
    #[doc(hidden)]
    fn warm_up(&self) -> Option<Span> {
        None
    }

    /// What a saved file says of this schedule; `None` if no file can describe it.
    #[doc(hidden)]
    fn config(&self) -> Option<crate::Config> {
        None
    }
}

/// The rate is what the function says of the number of steps.
impl<F: Fn(f64) -> f64 + Send + Sync + 'static> Schedule for F {
    fn rate(&self, at: Clock) -> f64 {
        self(at.steps)
    }
}

/// A part of training.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    Steps(f64),
    Epochs(f64),
}

/// That a number of a schedule is in its range.
fn check_number(schedule: &dyn Schedule, name: &'static str, value: f64, bounds: Bounds) -> Result {
    Setting::new(name, value, bounds).check_of("schedule", &format!("the schedule `{}`", schedule.name()))
}

/// That a number of steps is not 0.
fn check_steps(schedule: &dyn Schedule, name: &str, steps: usize) -> Result {
    if steps > 0 {
        return Ok(());
    }
    Err(Error::new("schedule", format!("`{name}` of the schedule `{}` is 0", schedule.name()))
        .label("it should be a whole number from 1 on"))
}
