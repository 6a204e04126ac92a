//! Batch sizes compared: the same work in batches of each size, from the same weights, with a clock beside it.
//!
//! Large batches use a machine better, and take fewer steps, each of which is worth more if the learning rate grows with
//! the batch. Whether that is enough depends on model and data, and so it is measured. Invariants: every size sees the
//! same number of samples; the model is afterwards what it was before, to the bit. Times are the only numbers here that
//! differ from run to run.

mod options;
mod report;
mod stopwatch;

pub use options::{BatchSizes, RateScaling};
pub use report::{BatchSizeRow, BatchSizeSweep};

use carnyx_graph::{Error, Result};
use carnyx_nn::{Data, Fit, Model, Verbosity};
use std::panic::Location;
use stopwatch::Stopwatch;

/// Compares batch sizes for a model.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::SweepBatchSize;
/// # let x = Array::from_fn([256, 4], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([256, 1], |i| x.element(4 * i) as f32 - 0.5 * x.element(4 * i + 2) as f32);
/// let mut model = Sequential::new()
///     .then(Dense::new(16).activation(Relu))
///     .then(Dense::new(1))
///     .compile(Sgd::new(0.02), MeanSquaredError);
/// let sweep = model.sweep_batch_size((&x, &y), [16, 32, 64])?; // the model is put back afterwards
/// println!("{sweep}");
/// assert_eq!(sweep.rows.len(), 3);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait SweepBatchSize {
    /// Trains the model with batches of each size, for the same number of epochs and from the same weights, measures time
    /// and validation loss, and puts everything back.
    ///
    /// `sizes` is a list of sizes, or [`BatchSizes`], which says more: epochs, validation data, how the learning rate
    /// goes with the size, a warm-up. A fifth of the data is for validation unless other data are given. A schedule of the
    /// optimizer gives way to the rate that it begins with.
    ///
    /// # Errors
    /// `sweep`, if the sizes or options make no sense together with the data; whatever `fit` says of data and model.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::{BatchSizes, RateScaling, SweepBatchSize};
    /// # let x = Array::from_fn([256, 4], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([256, 1], |i| x.element(4 * i) as f32);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.02), MeanSquaredError);
    /// let sizes = BatchSizes::from([32, 128]).epochs(5).scale(RateScaling::Linear).warm_up(1);
    /// let sweep = model.sweep_batch_size((&x, &y), sizes)?;
    /// assert_eq!(sweep.rows[1].learning_rate, 0.08); // four times the batch, four times the rate
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: Goyal et al., [*Accurate, Large Minibatch SGD: Training ImageNet in 1
    /// Hour*](https://arxiv.org/abs/1706.02677), 2017.
    #[track_caller]
    fn sweep_batch_size(
        &mut self,
        data: impl Into<Data>,
        sizes: impl Into<BatchSizes>,
    ) -> Result<BatchSizeSweep>;
}

impl<L> SweepBatchSize for Model<L> {
    #[track_caller]
    fn sweep_batch_size(
        &mut self,
        data: impl Into<Data>,
        sizes: impl Into<BatchSizes>,
    ) -> Result<BatchSizeSweep> {
        let (data, sizes, site) = (data.into(), sizes.into(), Location::caller());
        let samples = sizes.check(data.num_samples()).map_err(|error| error.at(site))?;
        let before = self.snapshot()?;
        let mut rows = Vec::new();
        for &size in &sizes.sizes {
            let row = train(self, &data, &sizes, size, samples);
            self.restore(&before)?;
            rows.push(row?);
        }
        Ok(BatchSizeSweep { rows, epochs: sizes.epochs, samples })
    }
}

/// One size: a fit with a stopwatch, which sets the learning rate as well.
#[track_caller]
fn train<L>(
    model: &mut Model<L>,
    data: &Data,
    sizes: &BatchSizes,
    batch_size: usize,
    samples: usize,
) -> Result<BatchSizeRow> {
    let factor = sizes.rate_factor(batch_size);
    let learning_rate = model.optimizer.learning_rate * factor;
    let steps_per_epoch = samples.div_ceil(batch_size);
    // Where the rate grows with the size, a warm-up begins with the rate of the size that it is meant for.
    let start = if factor > 1.0 { 1.0 / factor } else { 0.0 };
    let mut stopwatch = Stopwatch::new(learning_rate, start, sizes.warm_up * steps_per_epoch);
    let fit = sizes.options(Fit::epochs(sizes.epochs)).batch_size(batch_size).verbose(Verbosity::Silent);
    let history = model.fit(data, fit.callback(&mut stopwatch)).map_err(|error: Error| {
        error.note(format!("in a sweep of batch sizes, at {batch_size}; the model is as it was before"))
    })?;
    let last = |name: &str| history.last(name).filter(|_| !stopwatch.has_diverged()).unwrap_or(f64::NAN);
    let seconds_per_epoch = stopwatch.seconds_per_epoch();
    Ok(BatchSizeRow {
        batch_size,
        learning_rate,
        steps_per_epoch,
        seconds_per_epoch,
        samples_per_second: samples as f64 / seconds_per_epoch,
        loss: last("loss"),
        val_loss: last("val_loss"),
    })
}

#[cfg(test)]
mod tests;
