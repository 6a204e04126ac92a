//! Whether the first steps of a fit make things worse.
//!
//! A learning rate that is too large for the beginning throws the weights to where they are worse than untrained ones. The
//! loss of every step is known anyway; where it jumps far above what it was, or stays above it, the same samples are measured
//! with the weights of the beginning and with those of now. Invariants: as long as the loss does neither, a step costs a few
//! comparisons; nothing here changes a weight or a number of the fit; a batch that is harder than others is no instability.

use crate::history::Logs;
use std::fmt;

/// The steps of a fit that are watched.
const WATCHED: usize = 1000;
/// How often a jump may turn out to be none before nobody looks any more.
const PATIENCE: usize = 3;
/// The share of what is new in the running means.
const FORGETTING: f64 = 0.1;
/// So many mean deviations above the mean is a jump.
const DEVIATIONS: f64 = 8.0;
/// The least growth of a loss that is worth a word, as a share of it.
const GROWTH: f64 = 0.5;

/// The first steps of a fit that made the model worse than it was before: see
/// [`History::instabilities`](crate::History::instabilities).
///
/// Both losses are those of the same samples, those that the fit began with, so that it is not a batch that is harder.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::{Adam, Compile, Dense, Fit, MeanSquaredError, Relu, Sequential, Verbosity};
/// let x = Array::from_fn([256, 4], |i| ((i * 37) % 101) as f32 / 50.0 - 1.0);
/// let y = Array::from_fn([256, 1], |i| ((i * 17) % 23) as f32 / 23.0);
/// let net = Sequential::new().then(Dense::new(32).activation(Relu)).then(Dense::new(1));
/// let mut model = net.compile(Adam::new(3.0), MeanSquaredError);
/// let history = model.fit((&x, &y), Fit::epochs(2).verbose(Verbosity::Silent))?;
/// let unstable = &history.instabilities[0];
/// assert!(unstable.loss_after > 2.0 * unstable.loss_before);
/// println!("{unstable}");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Instability {
    /// The number of the epoch, counted from 0 over all fits.
    pub epoch: usize,
    /// The number of the step in its epoch after which it was noticed, counted from 0.
    pub step: usize,
    /// The loss before the first step.
    pub loss_before: f64,
    /// The loss of the same samples now; not a finite number, if that is what was noticed.
    pub loss_after: f64,
    /// How many times longer the gradient at these samples has become. `None` if it is not known: where the loss is not
    /// finite, in models of more than 16 million weights, and in a fit that continues from a backup.
    pub gradient_growth: Option<f64>,
    /// The learning rate of that time.
    pub learning_rate: f64,
}

impl Instability {
    /// The numbers, for a backup.
    pub(crate) fn numbers(&self) -> Logs {
        let growth = self.gradient_growth.map(|growth| ("gradient_growth", growth));
        let numbers = [
            ("epoch", self.epoch as f64),
            ("step", self.step as f64),
            ("loss_before", self.loss_before),
            ("loss_after", self.loss_after),
            ("learning_rate", self.learning_rate),
        ];
        numbers.into_iter().chain(growth).collect()
    }

    /// Takes back what [`numbers`](Instability::numbers) gave.
    pub(crate) fn of(numbers: &Logs) -> Instability {
        let number = |name: &str| numbers.get(name).unwrap_or(f64::NAN);
        Instability {
            epoch: number("epoch") as usize,
            step: number("step") as usize,
            loss_before: number("loss_before"),
            loss_after: number("loss_after"),
            gradient_growth: numbers.get("gradient_growth"),
            learning_rate: number("learning_rate"),
        }
    }
}

/// A line: what happened, and what usually helps.
impl fmt::Display for Instability {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Instability { epoch, step, loss_before, loss_after, learning_rate, .. } = *self;
        write!(f, "training is unstable: by step {} of epoch {} ", step + 1, epoch + 1)?;
        if loss_after.is_finite() {
            let (before, after) = (brief(loss_before), brief(loss_after));
            write!(f, "the loss of the same samples has risen from {before} to {after}")?;
        } else {
            write!(f, "the loss has gone from {} to {loss_after}", brief(loss_before))?;
        }
        if let Some(growth) = self.gradient_growth {
            write!(f, " and its gradient is {} times as long", brief(growth))?;
        }
        write!(
            f,
            ": take a longer warm-up, a smaller batch, or a smaller learning rate than {learning_rate:?}"
        )
    }
}

/// Three digits, or four.
fn brief(number: f64) -> String {
    match number.abs() {
        size if size == 0.0 || !number.is_finite() => number.to_string(),
        size if !(1e-3..1e5).contains(&size) => format!("{number:.2e}"),
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    }
}

/// Whether a loss has grown by what is worth a word, so many times over.
pub(crate) fn is_worse(after: f64, before: f64, times: f64) -> bool {
    after.is_nan() || after > before + times * GROWTH * before.abs()
}

/// The losses of the steps of a fit so far, as far as they matter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watch {
    /// The steps seen.
    seen: usize,
    /// The loss of the first step.
    first: f64,
    mean: f64,
    /// The running mean of the distance from the mean.
    deviation: f64,
    jumps: usize,
    is_over: bool,
}

impl Watch {
    pub(crate) fn new() -> Watch {
        Watch { seen: 0, first: 0.0, mean: 0.0, deviation: 0.0, jumps: 0, is_over: false }
    }

    /// Whether the next step is the first one.
    pub(crate) fn begins(&self) -> bool {
        self.seen == 0 && !self.is_over
    }

    /// Whether nobody looks any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }

    /// The loss of the first step.
    pub(crate) fn first(&self) -> f64 {
        self.first
    }

    /// Looks at the loss of a step: whether there is reason to measure.
    #[inline]
    pub(crate) fn is_alarmed(&mut self, loss: f64) -> bool {
        !self.is_over && self.look(loss)
    }

    fn look(&mut self, loss: f64) -> bool {
        self.seen += 1;
        if self.seen == 1 {
            // Until there are more losses, they may deviate by as much as makes half of the first one a jump.
            (self.first, self.mean, self.deviation) = (loss, loss, loss.abs() * GROWTH / DEVIATIONS);
            return false;
        }
        let is_jump = is_worse(loss, self.first, 1.0) && loss > self.mean + DEVIATIONS * self.deviation;
        self.deviation += FORGETTING * ((loss - self.mean).abs() - self.deviation);
        self.mean += FORGETTING * (loss - self.mean);
        self.jumps += usize::from(is_jump);
        self.is_over = self.seen == WATCHED || self.jumps == PATIENCE;
        // Where losses grow step by step, none of them jumps: now and then, their level is looked at.
        is_jump || (self.seen >= 8 && self.seen.is_power_of_two() && is_worse(self.mean, self.first, 1.0))
    }

    /// The numbers, for a backup.
    pub(crate) fn numbers(&self) -> Logs {
        Logs::from_iter([
            ("seen", self.seen as f64),
            ("first", self.first),
            ("mean", self.mean),
            ("deviation", self.deviation),
            ("jumps", self.jumps as f64),
            ("is_over", f64::from(u8::from(self.is_over))),
        ])
    }

    /// Takes back what [`numbers`](Watch::numbers) gave.
    pub(crate) fn of(numbers: &Logs) -> Watch {
        let number = |name: &str| numbers.get(name).unwrap_or(0.0);
        Watch {
            seen: number("seen") as usize,
            first: number("first"),
            mean: number("mean"),
            deviation: number("deviation"),
            jumps: number("jumps") as usize,
            is_over: number("is_over") != 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps, counted from 0, that give reason to measure.
    fn alarms(losses: impl IntoIterator<Item = f64>) -> Vec<usize> {
        let mut watch = Watch::new();
        losses.into_iter().enumerate().filter(|(_, loss)| watch.is_alarmed(*loss)).map(|(i, _)| i).collect()
    }

    #[test]
    fn losses_that_fall_or_waver_are_no_reason() {
        assert_eq!(alarms((0..2000).map(|i| 2.3 / (1.0 + f64::from(i) / 50.0))), Vec::<usize>::new());
        assert_eq!(
            alarms((0..2000).map(|i| 2.3 + 0.9 * f64::from((i + 3) % 7 - 3) / 3.0)),
            Vec::<usize>::new()
        );
        // A loss may be negative, or nothing at all.
        assert_eq!(alarms((0..2000).map(|i| -1.0 - f64::from(i))), Vec::<usize>::new());
        assert_eq!(alarms(std::iter::repeat_n(0.0, 2000)), Vec::<usize>::new());
    }

    #[test]
    fn losses_that_jump_or_grow_are() {
        assert_eq!(alarms([2.3, 2.2, 9.0, 2.1]), [2]);
        assert_eq!(alarms([-1.0, -1.1, 0.5]), [2]);
        let growing: Vec<f64> = (0..200).map(|i| 1.05f64.powi(i) * f64::from(1 + i % 2)).collect();
        assert!(alarms(growing).contains(&31));
        // Three jumps that were none, and nobody looks any more; nor after the first thousand steps.
        let jumping = alarms((0..300).map(|i| if i % 50 == 49 { 100.0 } else { 1.0 }));
        assert_eq!(jumping.last(), Some(&(50 * PATIENCE - 1)));
        assert_eq!(
            alarms((0..WATCHED + 9).map(|i| if i >= WATCHED { 100.0 } else { 1.0 })),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn a_backup_keeps_every_number() {
        let mut watch = Watch::new();
        [2.3, 0.1, 9.0, 1.0 / 3.0].into_iter().for_each(|loss| {
            watch.is_alarmed(loss);
        });
        assert_eq!(Watch::of(&watch.numbers()), watch);
        let found = Instability {
            epoch: 1,
            step: 2,
            loss_before: 2.31,
            loss_after: 4821.7,
            gradient_growth: Some(35.26),
            learning_rate: 0.1,
        };
        assert_eq!(Instability::of(&found.numbers()), found);
        let unknown = Instability { gradient_growth: None, ..found };
        assert_eq!(Instability::of(&unknown.numbers()), unknown);
    }

    #[test]
    fn says_in_a_line_what_happened() {
        let found = Instability {
            epoch: 0,
            step: 11,
            loss_before: 2.31,
            loss_after: 48.217,
            gradient_growth: Some(35.26),
            learning_rate: 0.1,
        };
        assert_eq!(
            found.to_string(),
            "training is unstable: by step 12 of epoch 1 the loss of the same samples has risen from 2.310 to 48.2 \
             and its gradient is 35.3 times as long: take a longer warm-up, a smaller batch, or a smaller learning \
             rate than 0.1"
        );
        let overflow = Instability { loss_after: f64::INFINITY, gradient_growth: None, ..found };
        assert!(overflow.to_string().contains("the loss has gone from 2.310 to inf: take a longer warm-up"));
        let sizes = [0.0, 1e-9, 0.5, 123.456, 12345.6, 1e9].map(brief);
        assert_eq!(sizes, ["0", "1.00e-9", "0.500", "123.5", "12346", "1.00e9"]);
    }
}
