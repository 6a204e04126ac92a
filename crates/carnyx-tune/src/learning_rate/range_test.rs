//! The callback of a sweep: sets the rate before each batch, reads the loss after it, and stops in time.

use super::curve::Curve;
use super::{LearningRateSweep, RateRange, SweepEnding};
use carnyx_graph::Result;
use carnyx_nn::{Callback, Run};

/// So many steps tell where the loss begins.
const BEGINNING: usize = 20;

pub(super) struct RangeTest {
    rates: Vec<f64>,
    losses: Vec<f64>,
    ending: SweepEnding,
    average: Average,
}

/// The mean of the losses so far, in which those that are `k` steps ago count `decay^k`.
struct Average {
    decay: f64,
    sum: f64,
    mass: f64,
    lowest: f64,
}

impl RangeTest {
    pub(super) fn new(range: &RateRange) -> RangeTest {
        let average = Average { decay: range.smoothing, sum: 0.0, mass: 0.0, lowest: f64::INFINITY };
        RangeTest {
            rates: range.rates(),
            losses: Vec::with_capacity(range.iterations),
            ending: SweepEnding::Completed,
            average,
        }
    }

    pub(super) fn num_steps(&self) -> usize {
        self.losses.len()
    }

    pub(super) fn into_report(self, range: &RateRange) -> LearningRateSweep {
        let curve =
            Curve::of(&self.rates, &self.losses, range.smoothing, self.ending != SweepEnding::Completed);
        LearningRateSweep::new(range, curve, self.ending)
    }

    /// Whether the loss has risen so far above where it began that no higher rate can tell anything.
    fn has_exploded(&mut self, loss: f64) -> bool {
        let Average { decay, sum, mass, .. } = self.average;
        self.average.sum = decay * sum + loss;
        self.average.mass = decay * mass + 1.0;
        let smoothed = self.average.sum / self.average.mass;
        self.average.lowest = self.average.lowest.min(smoothed);
        self.losses.len() > BEGINNING && smoothed > self.ceiling()
    }

    /// Twice the loss of the beginning, or as far above it as the loss has fallen below, or what chance does.
    fn ceiling(&self) -> f64 {
        let beginning = &self.losses[..self.losses.len().min(BEGINNING)];
        let mean = beginning.iter().sum::<f64>() / beginning.len() as f64;
        let spread = beginning.iter().fold(0.0, |spread: f64, loss| spread.max((loss - mean).abs()));
        mean + mean.abs().max(mean - self.average.lowest).max(2.0 * spread)
    }
}

impl Callback for RangeTest {
    fn on_batch_begin(&mut self, run: &mut Run) -> Result {
        if let Some(rate) = self.rates.get(self.losses.len()) {
            // A schedule gives way until the model is put back.
            run.optimizer.set_learning_rate(*rate);
        }
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run) -> Result {
        let Some(loss) = run.batch_loss() else { return Ok(()) };
        self.losses.push(loss);
        if self.has_exploded(loss) {
            self.ending = SweepEnding::Exploded;
            run.stop();
        } else if self.losses.len() == self.rates.len() {
            run.stop();
        }
        Ok(())
    }

    /// At the first step it is no rate's fault: the fit says where the number came from.
    fn on_non_finite_loss(&mut self, run: &mut Run) -> Result {
        if !self.losses.is_empty() {
            self.ending = SweepEnding::NonFinite;
            run.stop();
        }
        Ok(())
    }
}
