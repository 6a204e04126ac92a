//! What the curves of a history say: still falling, rising again, jumping, or far too steady.
//!
//! Changes are compared with three things: with the noise of the curve, so that chance is no evidence; with the loss as it
//! is, so that they matter; and with the loss of saying a constant, so that what has been learned to the last per cent is
//! left alone, where a loss of nearly nothing may double without any harm.

use super::baseline::Baseline;
use super::{Finding, TooHigh};
use crate::learning_rate::noise_of;
use carnyx_nn::History;

/// Fewer epochs make no curve.
const MIN_EPOCHS: usize = 4;

/// A loss is still falling if the last quarter of a training lowered it by this part: a quarter more would lower it by
/// nearly as much. Slower falls go on for ever in most trainings.
const STILL_FALLING: f64 = 0.05;

/// Of what a constant costs, this part is worth a change.
const WORTH_IT: f64 = 0.01;

/// In fewer epochs, a validation loss that rises once is no trend.
const MIN_EPOCHS_OF_A_RISE: usize = 8;

/// A model learns by heart if its validation loss is above its best by this part, while its training loss has fallen by
/// as much: losses of a finished training wander by one or two per cent, and in opposite directions by no more.
const DRIFTING_APART: f64 = 0.05;

/// Differences of so many standard errors are no chance.
const CLEAR: f64 = 3.0;

/// A training loss is a mean over all batches of an epoch: in a healthy training it falls, or wanders by far less than
/// this part of what a constant costs.
const JUMP: f64 = 0.03;

/// Jumps in more epochs than this part are no accident.
const MANY_JUMPS: f64 = 0.1;

/// If the second half of a training gains as much as this part of the first, the curve has not begun to bend: an
/// exponential approach has gone through less than 0.7 of its time constant.
const STEADY: f64 = 0.7;

pub(super) struct Curves {
    loss: Vec<f64>,
    validation: Option<Vec<f64>>,
    first_epoch: usize,
    /// What saying a constant costs.
    scale: f64,
    /// The learning rate of the training, if the history tells.
    pub(super) rate: Option<f64>,
}

impl Curves {
    pub(super) fn of(history: &History) -> Curves {
        let validation = history.values("val_loss");
        let rates = history.values("learning_rate");
        let loss = history.values("loss");
        Curves {
            scale: loss.first().copied().unwrap_or(0.0).abs(),
            loss,
            validation: (!validation.is_empty()).then_some(validation),
            first_epoch: history.first_epoch,
            rate: rates.into_iter().filter(|rate| rate.is_finite()).reduce(f64::max),
        }
    }

    /// The same curves, which are compared with what a constant costs, if that is known.
    pub(super) fn on_scale(&self, baseline: Option<Baseline>) -> Curves {
        Curves {
            loss: self.loss.clone(),
            validation: self.validation.clone(),
            scale: baseline.map_or(self.scale, |baseline| baseline.constant),
            ..*self
        }
    }

    pub(super) fn not_judged(&self) -> Vec<String> {
        let epochs = self.loss.len();
        if epochs < MIN_EPOCHS {
            return vec![format!("the curves: {epochs} epochs are too few, {MIN_EPOCHS} are enough")];
        }
        match &self.validation {
            Some(_) => Vec::new(),
            None => vec!["over-fitting: the fit had no validation data".to_owned()],
        }
    }

    pub(super) fn still_falling(&self) -> Option<Finding> {
        let (number, values) = match &self.validation {
            Some(values) => ("val_loss", values),
            None => ("loss", &self.loss),
        };
        let epochs = values.len();
        if epochs < MIN_EPOCHS || !all_finite(values) {
            return None;
        }
        let window = (epochs / 4).max(2);
        let (before, last) = (&values[epochs - 2 * window..epochs - window], &values[epochs - window..]);
        let (from, to) = (mean(before), mean(last));
        let by_chance = CLEAR * noise_of(&values[epochs - 2 * window..]) * (2.0 / window as f64).sqrt();
        let matters = (STILL_FALLING * to.abs()).max(WORTH_IT * self.scale).max(by_chance);
        // What has turned within the last window is no longer falling.
        let is_low = minimum(&last[window / 2..]) <= minimum(values) + WORTH_IT * self.scale;
        (from - to > matters && is_low).then_some(Finding::NotConverged { number, from, to, window })
    }

    pub(super) fn overfitting(&self) -> Option<Finding> {
        let values = self.validation.as_ref()?;
        let epochs = values.len();
        if epochs < MIN_EPOCHS_OF_A_RISE
            || epochs != self.loss.len()
            || !all_finite(values)
            || !all_finite(&self.loss)
        {
            return None;
        }
        // Means over some epochs, so that one lucky epoch is not taken for the best.
        let window = (epochs / 10).max(2);
        let means = |values: &[f64]| values.windows(window).map(mean).collect::<Vec<_>>();
        let (validation, training) = (means(values), means(&self.loss));
        let at = (0..validation.len()).min_by(|&i, &j| validation[i].total_cmp(&validation[j]))?;
        let (best, last) = (validation[at], *validation.last()?);
        let training = (training[at], *training.last()?);
        let by_chance = CLEAR * noise_of(values) * (2.0 / window as f64).sqrt();
        let matters = (DRIFTING_APART * best.abs()).max(WORTH_IT * self.scale).max(by_chance);
        let is_drifting =
            last - best > matters && training.0 - training.1 > DRIFTING_APART * training.0.abs();
        is_drifting.then_some(Finding::Overfitting {
            since: self.first_epoch + at + window.div_ceil(2),
            best,
            last,
            training,
        })
    }

    /// Whether the training loss jumps, or was no finite number.
    pub(super) fn is_rough(&self) -> Option<TooHigh> {
        let epochs = self.loss.len().saturating_sub(1);
        if !all_finite(&self.loss) {
            return Some(TooHigh::NotFinite);
        }
        let (rises, largest) = self.jumps(&self.loss)?;
        // Where an epoch is a few batches only, its mean may jump by chance; validation data are always the same.
        if let Some(validation) = &self.validation {
            self.jumps(validation)?;
        }
        Some(TooHigh::Jumps { rises, epochs, largest })
    }

    /// How many epochs raised this loss by more than it should, and by how much at most, if they are no accident.
    fn jumps(&self, values: &[f64]) -> Option<(usize, f64)> {
        let rises = values.windows(2).map(|pair| pair[1] - pair[0]);
        let jumps: Vec<f64> = rises.filter(|rise| *rise > JUMP * self.scale).collect();
        let is_no_accident = jumps.len() >= 2 && jumps.len() as f64 >= MANY_JUMPS * (values.len() - 1) as f64;
        is_no_accident.then(|| (jumps.len(), jumps.iter().copied().fold(0.0, f64::max)))
    }

    /// Whether the training loss falls as fast in the second half as in the first.
    pub(super) fn is_steady(&self) -> bool {
        let epochs = self.loss.len();
        if epochs < MIN_EPOCHS || !all_finite(&self.loss) {
            return false;
        }
        let middle = (epochs - 1) / 2;
        let first = self.loss[0] - self.loss[middle];
        let second = (self.loss[middle] - self.loss[2 * middle]).max(0.0);
        let by_chance = CLEAR * noise_of(&self.loss);
        first > 0.0 && second >= STEADY * first && self.loss[0] - self.loss[epochs - 1] > by_chance
    }
}

fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
