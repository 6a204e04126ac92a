//! Which rates a sweep goes through, and how it trains on the way.

use crate::training::Training;
use carnyx_graph::{Error, Result};
use carnyx_nn::{ClassWeight, Fit};
use std::ops::RangeInclusive;

/// Fewer steps than this give no curve that could be smoothed.
const MIN_ITERATIONS: usize = 20;

/// Learning rates from a low to a high one, and how a sweep goes through them: in 300 steps, each a fixed multiple of the
/// one before.
///
/// # Example
/// ```
/// use carnyx_tune::RateRange;
/// let rates = RateRange::from(1e-5..=10.0).iterations(500).batch_size(64);
/// assert_eq!(rates.rates().len(), 500);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RateRange {
    low: f64,
    high: f64,
    pub(super) spacing: Spacing,
    pub(super) iterations: usize,
    pub(super) batch_size: usize,
    pub(super) smoothing: f64,
    training: Training,
}

/// What two neighbouring rates have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    Exponential,
    Linear,
}

impl From<RangeInclusive<f64>> for RateRange {
    fn from(range: RangeInclusive<f64>) -> RateRange {
        let (low, high) = range.into_inner();
        RateRange {
            low,
            high,
            spacing: Spacing::Exponential,
            iterations: 300,
            batch_size: 32,
            // Each smoothed loss is then worth the mean of 38 of them.
            smoothing: 0.9,
            training: Training::default(),
        }
    }
}

impl RateRange {
    /// Rates with a fixed difference between neighbours: for a closer look at a range of less than a power of ten.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(0.1..=0.3).linear().iterations(21).rates();
    /// assert!((rates[10] - 0.2).abs() < 1e-12);
    /// ```
    pub fn linear(mut self) -> RateRange {
        self.spacing = Spacing::Linear;
        self
    }

    /// The number of steps from the lowest rate to the highest; 300 without it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// assert_eq!(RateRange::from(1e-4..=1.0).iterations(50).rates().len(), 50);
    /// ```
    pub fn iterations(mut self, iterations: usize) -> RateRange {
        self.iterations = iterations;
        self
    }

    /// Samples in a batch; 32 without it. The good rates depend on it: sweep with the batches of the fit to come.
    /// Streams come in batches of their own.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(1e-4..=1.0).batch_size(256);
    /// # let _ = rates;
    /// ```
    pub fn batch_size(mut self, batch_size: usize) -> RateRange {
        self.batch_size = batch_size;
        self
    }

    /// How much neighbouring losses count in the smoothed curve, from 0, not at all, to less than 1: a loss `k` steps away
    /// counts `smoothing^k`, before and after, so that the curve does not lag behind. 0.9 without it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(1e-4..=1.0).smoothing(0.95);
    /// # let _ = rates;
    /// ```
    pub fn smoothing(mut self, share: f64) -> RateRange {
        self.smoothing = share;
        self
    }

    /// The seed of this sweep's shuffling and random layers; the model's own without it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(1e-4..=1.0).seed(7);
    /// # let _ = rates;
    /// ```
    pub fn seed(mut self, seed: u64) -> RateRange {
        self.training.seed = Some(seed);
        self
    }

    /// How much the classes count, as in [`Fit::class_weight`]: they change the loss, and with it the good rates.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::ClassWeight;
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(1e-4..=1.0).class_weight(ClassWeight::balanced());
    /// # let _ = rates;
    /// ```
    pub fn class_weight(mut self, weights: impl Into<ClassWeight>) -> RateRange {
        self.training.weigh(None, weights);
        self
    }

    /// How much the classes of one output count, as in [`Fit::class_weight_on`].
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(1e-4..=1.0).class_weight_on("kind", [(0, 1.0), (1, 5.0)]);
    /// # let _ = rates;
    /// ```
    pub fn class_weight_on(mut self, output: &str, weights: impl Into<ClassWeight>) -> RateRange {
        self.training.weigh(Some(output), weights);
        self
    }

    /// The rate of each step.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateRange;
    /// let rates = RateRange::from(1e-3..=10.0).iterations(41).rates();
    /// assert_eq!((rates[0], rates[40]), (1e-3, 10.0));
    /// assert!((rates[10] - 1e-2).abs() < 1e-9);
    /// ```
    pub fn rates(&self) -> Vec<f64> {
        let (low, high, last) = (self.low, self.high, self.iterations.saturating_sub(1));
        let rate = |step: usize| match (step, self.spacing) {
            // The ends are exact.
            (0, _) => low,
            (step, _) if step == last => high,
            (step, Spacing::Exponential) => low * (high / low).powf(step as f64 / last as f64),
            (step, Spacing::Linear) => low + (high - low) * step as f64 / last as f64,
        };
        (0..self.iterations).map(rate).collect()
    }

    /// That this is a range of rates and that a curve can be made over it.
    pub(crate) fn check(&self) -> Result {
        let RateRange { low, high, iterations, smoothing, .. } = *self;
        let error = |title: String| Error::new("sweep", title);
        if !low.is_finite() || !high.is_finite() || low <= 0.0 || high <= 0.0 {
            return Err(error(format!("a sweep of learning rates from {low:?} to {high:?}"))
                .label("both should be finite numbers above 0")
                .help("`1e-5..=10.0` is a range that holds good rates of nearly all models"));
        }
        if low >= high {
            return Err(error(format!("a sweep of learning rates from {low:?} to {high:?}"))
                .label("the range is empty: the second rate should be the higher one")
                .help("`1e-5..=10.0` is a range that holds good rates of nearly all models"));
        }
        if iterations < MIN_ITERATIONS {
            return Err(error(format!("a sweep of {iterations} steps"))
                .label(format!(
                    "a curve needs at least {MIN_ITERATIONS} of them, and some hundred to be clear"
                ))
                .help("`.iterations(300)` is the default"));
        }
        if !(0.0..1.0).contains(&smoothing) {
            return Err(error(format!("a smoothing of {smoothing}"))
                .label("it is from 0, not at all, to less than 1")
                .help("`.smoothing(0.9)` is the default"));
        }
        Ok(())
    }

    /// A fit with these options.
    pub(super) fn options<'f>(&self, fit: Fit<'f>) -> Fit<'f> {
        self.training.options(fit.batch_size(self.batch_size))
    }
}
