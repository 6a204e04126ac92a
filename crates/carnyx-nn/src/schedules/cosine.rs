//! Rates that fall along half a wave of the cosine, once or again and again.

use super::{Clock, Schedule, Span, check_number, check_steps};
use crate::Config;
use crate::optimizers::Bounds;
use carnyx_graph::Result;
use std::f64::consts::PI;

/// Half a wave of the cosine: `η = η₀ · ((1 - α) · (1 + cos(π t / decay_steps)) / 2 + α)`, and `η₀ · α` afterwards.
///
/// With [`warmup`](CosineDecay::warmup) the rate first grows, and the decay begins after that. [`Warmup`](super::Warmup)
/// is for any schedule.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, CosineDecay, Schedule};
/// let schedule = CosineDecay::new(0.1, 1000);
/// assert!((schedule.rate(Clock::at_step(500.0)) - 0.05).abs() < 1e-12);
/// assert_eq!(schedule.rate(Clock::at_step(2000.0)), 0.0);
/// ```
///
/// Reference: Loshchilov and Hutter, [*SGDR: Stochastic Gradient Descent with Warm
/// Restarts*](https://arxiv.org/abs/1608.03983), 2016;
/// [`keras.optimizers.schedules.CosineDecay`](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/).
#[derive(Clone, Debug, PartialEq)]
pub struct CosineDecay {
    learning_rate: f64,
    decay_steps: usize,
    alpha: f64,
    warmup: Option<(f64, usize)>,
}

impl CosineDecay {
    /// From `learning_rate` to 0 within `decay_steps` steps.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Adam;
    /// use carnyx_nn::schedules::CosineDecay;
    /// let adam = Adam::new(CosineDecay::new(1e-3, 10_000));
    /// # let _ = adam;
    /// ```
    pub fn new(learning_rate: f64, decay_steps: usize) -> CosineDecay {
        CosineDecay { learning_rate, decay_steps, alpha: 0.0, warmup: None }
    }

    /// The share of the rate that is left at the end: 0, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, CosineDecay, Schedule};
    /// assert_eq!(CosineDecay::new(0.5, 100).alpha(0.1).rate(Clock::at_step(100.0)), 0.05);
    /// ```
    pub fn alpha(mut self, share: f64) -> CosineDecay {
        self.alpha = share;
        self
    }

    /// First, within `steps` steps, the rate goes evenly from the first one to `target`, from which it falls
    /// within `decay_steps` more.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, CosineDecay, Schedule};
    /// let schedule = CosineDecay::new(0.0, 1000).warmup(0.1, 100);
    /// assert_eq!([50.0, 100.0, 1100.0].map(|step| schedule.rate(Clock::at_step(step))), [0.05, 0.1, 0.0]);
    /// ```
    pub fn warmup(mut self, target: f64, steps: usize) -> CosineDecay {
        self.warmup = Some((target, steps));
        self
    }
}

impl Schedule for CosineDecay {
    fn rate(&self, at: Clock) -> f64 {
        let (peak, warmup) = match self.warmup {
            None => (self.learning_rate, 0.0),
            Some((target, steps)) => (target, steps as f64),
        };
        if at.steps < warmup {
            return self.learning_rate + (peak - self.learning_rate) * (at.steps / warmup);
        }
        let share = ((at.steps - warmup) / self.decay_steps as f64).min(1.0);
        peak * ((1.0 - self.alpha) * half_wave(share) + self.alpha)
    }

    fn check(&self) -> Result {
        check_number(self, "learning_rate", self.learning_rate, Bounds::NotNegative)?;
        check_steps(self, "decay_steps", self.decay_steps)?;
        check_number(self, "alpha", self.alpha, Bounds::NotNegative)?;
        match self.warmup {
            Some((target, _)) => check_number(self, "warmup target", target, Bounds::NotNegative),
            None => Ok(()),
        }
    }

    fn warm_up(&self) -> Option<Span> {
        self.warmup.map(|(_, steps)| Span::Steps(steps as f64))
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("CosineDecay").field("initial_learning_rate", self.learning_rate);
        let config = config.field("decay_steps", self.decay_steps).field("alpha", self.alpha);
        let (target, steps) = self.warmup.unzip();
        let config = config.field("name", "CosineDecay").field("warmup_target", target);
        Some(config.field("warmup_steps", steps.unwrap_or(0)))
    }
}

/// Cosine decay again and again: after each restart from the peak on, for a longer time.
///
/// # Example
/// ```
/// use carnyx_nn::schedules::{Clock, CosineDecayRestarts, Schedule};
/// // 1000 steps down, then 2000, then 4000, each from nine tenths of the peak before.
/// let schedule = CosineDecayRestarts::new(0.1, 1000).peak_factor(0.9);
/// for (step, rate) in [(0.0, 0.1), (1000.0, 0.09), (2000.0, 0.045)] {
///     assert!((schedule.rate(Clock::at_step(step)) - rate).abs() < 1e-12);
/// }
/// ```
///
/// Reference: Loshchilov and Hutter, [*SGDR: Stochastic Gradient Descent with Warm
/// Restarts*](https://arxiv.org/abs/1608.03983), 2016;
/// [`keras.optimizers.schedules.CosineDecayRestarts`](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay_restarts/).
#[derive(Clone, Debug, PartialEq)]
pub struct CosineDecayRestarts {
    learning_rate: f64,
    first_decay_steps: usize,
    length_factor: f64,
    peak_factor: f64,
    alpha: f64,
}

impl CosineDecayRestarts {
    /// From `learning_rate` to 0 within `first_decay_steps` steps; each further decay takes twice as many.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::CosineDecayRestarts;
    /// let schedule = CosineDecayRestarts::new(0.1, 1000);
    /// # let _ = schedule;
    /// ```
    pub fn new(learning_rate: f64, first_decay_steps: usize) -> CosineDecayRestarts {
        CosineDecayRestarts {
            learning_rate,
            first_decay_steps,
            length_factor: 2.0,
            peak_factor: 1.0,
            alpha: 0.0,
        }
    }

    /// How many times longer each decay is than the one before: 2, unless given; 1 for equal ones. Keras's `t_mul`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::{Clock, CosineDecayRestarts, Schedule};
    /// let equal = CosineDecayRestarts::new(0.1, 1000).length_factor(1.0);
    /// assert_eq!(equal.rate(Clock::at_step(5000.0)), 0.1);
    /// ```
    pub fn length_factor(mut self, factor: f64) -> CosineDecayRestarts {
        self.length_factor = factor;
        self
    }

    /// What each peak is of the one before: 1, unless given. Keras's `m_mul`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::CosineDecayRestarts;
    /// let schedule = CosineDecayRestarts::new(0.1, 1000).peak_factor(0.8);
    /// # let _ = schedule;
    /// ```
    pub fn peak_factor(mut self, factor: f64) -> CosineDecayRestarts {
        self.peak_factor = factor;
        self
    }

    /// The share of the rate that is left before each restart: 0, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::schedules::CosineDecayRestarts;
    /// let schedule = CosineDecayRestarts::new(0.1, 1000).alpha(0.01);
    /// # let _ = schedule;
    /// ```
    pub fn alpha(mut self, share: f64) -> CosineDecayRestarts {
        self.alpha = share;
        self
    }

    /// The number of restarts so far, and the share of the present decay that is done.
    fn place(&self, steps: f64) -> (f64, f64) {
        let first = self.first_decay_steps as f64;
        if self.length_factor == 1.0 {
            let decays = steps / first;
            return (decays.floor(), decays.fract());
        }
        let (mut restarts, mut begin, mut length) = (0.0, 0.0, first);
        // The lengths grow, so there are few; for factors that the check refuses, it ends as well.
        while steps >= begin + length && length >= 1.0 && length.is_finite() {
            begin += length;
            length *= self.length_factor;
            restarts += 1.0;
        }
        (restarts, ((steps - begin) / length).min(1.0))
    }
}

impl Schedule for CosineDecayRestarts {
    fn rate(&self, at: Clock) -> f64 {
        let (restarts, share) = self.place(at.steps);
        let wave = self.peak_factor.powf(restarts) * half_wave(share);
        self.learning_rate * ((1.0 - self.alpha) * wave + self.alpha)
    }

    fn check(&self) -> Result {
        check_number(self, "learning_rate", self.learning_rate, Bounds::NotNegative)?;
        check_steps(self, "first_decay_steps", self.first_decay_steps)?;
        check_number(self, "length_factor", self.length_factor, Bounds::AtLeastOne)?;
        check_number(self, "peak_factor", self.peak_factor, Bounds::NotNegative)?;
        check_number(self, "alpha", self.alpha, Bounds::NotNegative)
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("CosineDecayRestarts").field("initial_learning_rate", self.learning_rate);
        let config = config.field("first_decay_steps", self.first_decay_steps);
        let config = config.field("t_mul", self.length_factor).field("m_mul", self.peak_factor);
        Some(config.field("alpha", self.alpha).field("name", "SGDRDecay"))
    }
}

/// From 1 to 0, flat at both ends.
fn half_wave(share: f64) -> f64 {
    0.5 * (1.0 + (PI * share).cos())
}
