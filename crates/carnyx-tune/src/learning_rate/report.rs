//! What a sweep of learning rates found: the curve, two suggestions, and how far they can be trusted.

use super::RateRange;
use super::curve::{Curve, CurveShape, Turned};
use super::range::Spacing;
use carnyx_graph::{Error, Result};
use carnyx_plot::{Figure, LineChart};
use std::fmt;

/// The curve of a sweep, and what it says.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::{Confidence, SweepLearningRate};
/// # let x = Array::from_fn([64, 4], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([64, 1], |i| x.element(4 * i) as f32);
/// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
/// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
/// if sweep.confidence() == Confidence::Noisy {
///     println!("larger batches or more steps would make this clearer: {sweep}");
/// }
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("learning_rate.svg");
/// sweep.plot().save(&path)?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LearningRateSweep {
    curve: Curve,
    ending: SweepEnding,
    spacing: Spacing,
    planned: usize,
}

/// One step of a sweep.
///
/// # Example
/// ```
/// let step = carnyx_tune::SweepStep { rate: 1e-3, loss: 2.3, smoothed: 2.31 };
/// assert!(step.loss < step.smoothed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SweepStep {
    /// The learning rate of this step.
    pub rate: f64,
    /// The loss of its batch, before the weights moved.
    pub loss: f64,
    /// The mean of the losses of this step and its neighbours.
    pub smoothed: f64,
}

/// Why a sweep ended.
///
/// # Example
/// ```
/// use carnyx_tune::SweepEnding;
/// assert_ne!(SweepEnding::Completed, SweepEnding::Exploded);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepEnding {
    /// All rates were tried.
    Completed,
    /// The loss rose far above where it had begun.
    Exploded,
    /// The loss was no longer a finite number.
    NonFinite,
}

/// How far suggestions can be trusted.
///
/// # Example
/// ```
/// use carnyx_tune::Confidence;
/// assert_ne!(Confidence::Clear, Confidence::Noisy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// The fall of the loss stands out from the noise, and it turned up within a range of less than a power of ten.
    Clear,
    /// The loss fell and turned up, but the fall is not much larger than the noise, or the bottom is so wide that the
    /// place where it turned up is uncertain by more than a power of ten.
    Noisy,
    /// The loss did not fall or did not turn up: there is nothing to suggest.
    None,
}

/// A learning rate, and why it is a good one.
///
/// # Example
/// ```
/// use carnyx_tune::{RateReason, RateSuggestion};
/// let suggestion = RateSuggestion { rate: 0.01, reason: RateReason::TenthOfTurning, measured: 0.1 };
/// assert_eq!(suggestion.to_string(), "0.01, a tenth of 0.1, where the smoothed loss turned up");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateSuggestion {
    /// The suggested rate.
    pub rate: f64,
    /// Why.
    pub reason: RateReason,
    /// The rate on the curve that it follows from.
    pub measured: f64,
}

/// How a rate follows from a curve.
///
/// # Example
/// ```
/// use carnyx_tune::RateReason;
/// assert_ne!(RateReason::TenthOfTurning, RateReason::HalfOfLargest);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateReason {
    /// A tenth of the rate at which the smoothed loss turned up.
    ///
    /// Reference: Géron, *Hands-On Machine Learning*, chapter 10.
    TenthOfTurning,
    /// Half of the largest rate that still learned: the last one before half of what the loss had fallen was lost again.
    ///
    /// Reference: Géron, *Hands-On Machine Learning*, chapter 11.
    HalfOfLargest,
}

impl LearningRateSweep {
    pub(super) fn new(range: &RateRange, curve: Curve, ending: SweepEnding) -> LearningRateSweep {
        LearningRateSweep { curve, ending, spacing: range.spacing, planned: range.iterations }
    }

    /// The steps that were taken, in order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepLearningRate;
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
    /// assert_eq!(sweep.steps()[0].rate, 1e-4);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn steps(&self) -> Vec<SweepStep> {
        let Curve { rates, losses, smoothed, .. } = &self.curve;
        let step = |((&rate, &loss), &smoothed)| SweepStep { rate, loss, smoothed };
        rates.iter().zip(losses).zip(smoothed).map(step).collect()
    }

    /// The loss before anything was learned: the mean of the first steps.
    pub(crate) fn first_loss(&self) -> f64 {
        self.curve.start
    }

    /// The rate with the lowest smoothed loss, and that loss, if it fell at all.
    pub(crate) fn lowest(&self) -> Option<(f64, f64)> {
        let lowest = match &self.curve.shape {
            CurveShape::Turned(turned) => turned.lowest,
            CurveShape::Falling { lowest } => *lowest,
            CurveShape::Rising | CurveShape::Flat => return None,
        };
        Some((self.curve.rates[lowest], self.curve.smoothed[lowest]))
    }

    /// Why the sweep ended.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::{SweepEnding, SweepLearningRate};
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
    /// assert_eq!(sweep.ending(), SweepEnding::Exploded);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn ending(&self) -> SweepEnding {
        self.ending
    }

    /// How far the suggestions can be trusted.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::{Confidence, SweepLearningRate};
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let far_too_low = model.sweep_learning_rate((&x, &y), 1e-9..=1e-8)?;
    /// assert_eq!(far_too_low.confidence(), Confidence::None);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn confidence(&self) -> Confidence {
        match &self.curve.shape {
            CurveShape::Turned(turned) if turned.is_clear => Confidence::Clear,
            CurveShape::Turned(_) => Confidence::Noisy,
            CurveShape::Falling { .. } | CurveShape::Rising | CurveShape::Flat => Confidence::None,
        }
    }

    /// The learning rate to take: a tenth of the rate at which the smoothed loss turned up.
    ///
    /// # Errors
    /// `sweep`, with what to do, if the loss did not fall or did not turn up.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepLearningRate;
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
    /// model.optimizer.learning_rate = sweep.suggestion()?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn suggestion(&self) -> Result<f64> {
        if let Some(suggestion) = self.tenth_of_turning() {
            return Ok(suggestion.rate);
        }
        let (what, help) = self.what_is_missing();
        Err(Error::new("sweep", "the sweep suggests no learning rate").note(what).help(help))
    }

    /// A tenth of the rate at which the smoothed loss turned up: a rate with which training is safe.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepLearningRate;
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
    /// let suggestion = sweep.tenth_of_turning().unwrap();
    /// assert_eq!(suggestion.rate, suggestion.measured / 10.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn tenth_of_turning(&self) -> Option<RateSuggestion> {
        let measured = self.curve.rates[self.turned()?.lowest];
        Some(RateSuggestion { rate: measured / 10.0, reason: RateReason::TenthOfTurning, measured })
    }

    /// Half of the largest rate that still learned: the other one to try, which is fast and less safe.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepLearningRate;
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
    /// assert!(sweep.half_of_largest().unwrap().rate > sweep.suggestion()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn half_of_largest(&self) -> Option<RateSuggestion> {
        let measured = self.curve.rates[self.turned()?.largest?];
        Some(RateSuggestion { rate: measured / 2.0, reason: RateReason::HalfOfLargest, measured })
    }

    /// Losses over rates, raw and smoothed, with the suggestions marked. `.save("learning_rate.svg")` writes it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepLearningRate;
    /// # let x = Array::from_fn([64, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| ((i * 31) % 17) as f32 / 8.0);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let sweep = model.sweep_learning_rate((&x, &y), 1e-4..=10.0)?;
    /// assert!(sweep.plot().to_svg()?.contains("learning rate"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn plot(&self) -> Figure {
        let Curve { rates, losses, smoothed, .. } = &self.curve;
        let points = |values: &[f64]| rates.iter().copied().zip(values.iter().copied()).collect::<Vec<_>>();
        let chart = LineChart::new("learning-rate range test")
            .x_label("learning rate")
            .y_label("loss")
            .series("loss of each batch", &points(losses))
            .series("smoothed", &points(smoothed));
        let chart = match self.spacing {
            Spacing::Exponential => chart.log_x(),
            Spacing::Linear => chart,
        };
        let chart = match self.shown_losses() {
            Some((low, high)) => chart.y_range(low..=high),
            None => chart,
        };
        let suggestions = [self.tenth_of_turning(), self.half_of_largest()];
        let marked = suggestions.iter().flatten().fold(chart, |chart, suggestion| {
            let (share, of) = match suggestion.reason {
                RateReason::TenthOfTurning => ("a tenth", "turns up"),
                RateReason::HalfOfLargest => ("half", "still learns"),
            };
            let chart = chart.mark(suggestion.rate, format!("{share}: {}", Rate(suggestion.rate)));
            chart.mark(suggestion.measured, format!("{of}: {}", Rate(suggestion.measured)))
        });
        Figure::new().panel(marked)
    }

    /// The part of the losses that tells something: what has exploded would make all else a flat line.
    fn shown_losses(&self) -> Option<(f64, f64)> {
        let Curve { losses, smoothed, .. } = &self.curve;
        let extreme = |values: &[f64], f: fn(f64, f64) -> f64| values.iter().copied().reduce(f);
        let low = extreme(losses, f64::min)?;
        // The smoothed losses are capped already.
        let high = extreme(smoothed, f64::max)?.max(self.curve.start);
        let margin = 0.1 * (high - low);
        (margin > 1e-9 * high.abs().max(low.abs())).then_some((low - margin, high + margin))
    }

    fn turned(&self) -> Option<&Turned> {
        match &self.curve.shape {
            CurveShape::Turned(turned) => Some(turned),
            CurveShape::Falling { .. } | CurveShape::Rising | CurveShape::Flat => None,
        }
    }

    /// Why there is no suggestion, and what to do.
    fn what_is_missing(&self) -> (String, &'static str) {
        let Curve { rates, losses, smoothed, start, .. } = &self.curve;
        let (first, last) = (Rate(rates[0]), Rate(rates[rates.len() - 1]));
        match &self.curve.shape {
            CurveShape::Falling { lowest } => (
                format!("the loss fell from {start:.4} to {:.4} and never turned up, not even at {last}", {
                    smoothed[*lowest]
                }),
                "sweep up to higher rates",
            ),
            CurveShape::Rising => (
                format!("the loss began at {:.4}, never fell, and rose from {first} on", losses[0]),
                "sweep from lower rates; if none of them learns, look at the data and the model first",
            ),
            CurveShape::Turned(_) | CurveShape::Flat => (
                format!(
                    "the loss was {start:.4} at {first} and is no lower at any rate up to {last}, as far as its noise tells"
                ),
                "sweep higher rates, in more steps or larger batches; if none of them learns, look at the data and the \
                 model first",
            ),
        }
    }

    /// How sure the suggestions are, in words.
    fn doubts(&self, turned: &Turned, f: &mut fmt::Formatter) -> fmt::Result {
        let Curve { rates, smoothed, start, noise, .. } = &self.curve;
        let (low, high) = (rates[turned.bottom.0], rates[turned.bottom.1]);
        if turned.is_clear {
            return write!(f, "clear: it turned up between {} and {}", Rate(low), Rate(high));
        }
        write!(
            f,
            "noisy: the loss fell by {:.4}, single batches differ by {noise:.4}, and it may have turned up anywhere \
             between {} and {}",
            start - smoothed[turned.lowest],
            Rate(low),
            Rate(high)
        )
    }
}

impl fmt::Display for LearningRateSweep {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Curve { rates, smoothed, start, .. } = &self.curve;
        let last = Rate(rates[rates.len() - 1]);
        write!(
            f,
            "learning rates from {} to {last} in {} of {} steps",
            Rate(rates[0]),
            rates.len(),
            self.planned
        )?;
        match self.ending {
            SweepEnding::Completed => writeln!(f)?,
            SweepEnding::Exploded => writeln!(f, "; then the loss exploded")?,
            SweepEnding::NonFinite => writeln!(f, "; then the loss was no finite number")?,
        }
        let Some(turned) = self.turned() else {
            let (what, help) = self.what_is_missing();
            return write!(f, "no suggestion: {what}\n  {help}");
        };
        let lowest = turned.lowest;
        writeln!(f, "the loss fell from {start:.4} to {:.4} at {}", smoothed[lowest], Rate(rates[lowest]))?;
        for (word, suggestion) in
            ["suggestion", "or"].iter().zip([self.tenth_of_turning(), self.half_of_largest()])
        {
            if let Some(suggestion) = suggestion {
                writeln!(f, "{word}: {suggestion}")?;
            }
        }
        self.doubts(turned, f)
    }
}

impl fmt::Display for RateSuggestion {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (share, what) = match self.reason {
            RateReason::TenthOfTurning => ("a tenth", "where the smoothed loss turned up"),
            RateReason::HalfOfLargest => ("half", "the largest rate that still learned"),
        };
        write!(f, "{}, {share} of {}, {what}", Rate(self.rate), Rate(self.measured))
    }
}

/// A learning rate with two digits: more of them mean nothing.
pub(crate) struct Rate(pub(crate) f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let digits = format!("{:.1e}", self.0);
        let rounded: f64 = digits.parse().unwrap_or(self.0);
        if (1e-3..1e4).contains(&rounded) {
            write!(f, "{rounded}")
        } else {
            f.write_str(&digits.replace(".0e", "e"))
        }
    }
}
