//! Whether another learning rate would do better: short sweeps from where the training ended.

use super::curves::Curves;
use super::{Finding, TooHigh};
use crate::learning_rate::{RateRange, SweepLearningRate};
use carnyx_nn::{Data, Model};

/// So many steps show whether higher rates learn.
const STEPS: usize = 200;

/// A rate is too low if a sweep suggests one that is so many times as high. Suggestions are good to a factor of three or
/// so, and the rates of a decay end low on purpose.
const FAR_TOO_LOW: f64 = 10.0;

/// How far up a sweep looks: to a rate at which hardly any model learns, or as many times the rate of the training.
const HIGHEST: f64 = 10.0;
const HIGHER: f64 = 1e4;

pub(super) struct Rates {
    rate: f64,
    batch_size: usize,
}

impl Rates {
    pub(super) fn of<L>(model: &Model<L>, data: &Data, curves: &Curves) -> Rates {
        // If all epochs were alike, so many samples were in a batch. Of a sample of the data, batches would be too small.
        let steps = model.optimizer.iterations().unwrap_or(0) as usize / model.epochs_trained().max(1);
        let batch_size = data.num_samples().div_ceil(steps.max(1)).max(32);
        Rates { rate: curves.rate.unwrap_or(model.optimizer.learning_rate), batch_size }
    }

    pub(super) fn too_high(&self, sign: TooHigh) -> Finding {
        Finding::RateTooHigh { rate: self.rate, sign }
    }

    /// Whether the loss falls at rates that are much higher.
    #[track_caller]
    pub(super) fn too_low<L>(&self, model: &mut Model<L>, data: &Data) -> Option<Finding> {
        let highest = HIGHEST.max(HIGHER * self.rate);
        if self.rate <= 0.0 || !highest.is_finite() {
            return None;
        }
        let range = RateRange::from(self.rate..=highest).iterations(STEPS).batch_size(self.batch_size);
        // A loss that is not finite says nothing of lower rates.
        let sweep = model.sweep_learning_rate(data, range).ok()?;
        let (rate, loss) = sweep.lowest()?;
        let (suggestion, fall) = (rate / 10.0, (sweep.first_loss(), loss));
        let finding = Finding::RateTooLow { rate: self.rate, suggestion, fall };
        (suggestion >= FAR_TOO_LOW * self.rate).then_some(finding)
    }
}
