//! The learning-rate range test: a short fit whose rate grows from step to step, and what its loss says of rates.
//!
//! Far too low a rate learns nothing, a good one learns, far too high a one makes the loss rise: all of it shows in one
//! fit of a few hundred steps. `fit` itself takes the steps; a callback sets the rate and reads the loss. Invariant:
//! the model is afterwards what it was before, to the bit, whether the sweep succeeds or fails.

mod curve;
mod range;
mod range_test;
mod report;

pub(crate) use curve::noise_of;
pub use range::RateRange;
pub(crate) use report::Rate;
pub use report::{Confidence, LearningRateSweep, RateReason, RateSuggestion, SweepEnding, SweepStep};

use carnyx_graph::{Error, Result};
use carnyx_nn::kinds::Source;
use carnyx_nn::{Fit, Model, Samples, Verbosity};
use range_test::RangeTest;
use std::panic::Location;

/// Finds good learning rates for a model.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::SweepLearningRate;
/// # let x = Array::from_fn([256, 4], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([256, 1], |i| x.element(4 * i) as f32 - 0.5 * x.element(4 * i + 2) as f32);
/// let mut model = Sequential::new()
///     .then(Dense::new(16).activation(Relu))
///     .then(Dense::new(1))
///     .compile(Sgd::new(0.01), MeanSquaredError);
/// let sweep = model.sweep_learning_rate((&x, &y), 1e-5..=10.0)?; // the model is put back afterwards
/// println!("{sweep}");
/// model.optimizer.learning_rate = sweep.suggestion()?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait SweepLearningRate {
    /// Trains with a learning rate that grows from step to step over `rates`, until the loss explodes, and puts
    /// everything back: weights, what the optimizer remembers, its rate and its count of steps, random numbers, epochs
    /// and the order of the data.
    ///
    /// `data` is whatever [`fit`](Model::fit) learns from. `rates` is a range, walked in 300 steps whose logarithms are
    /// even, or a [`RateRange`], which says more. An iterator is used up by as many batches as the sweep takes.
    ///
    /// # Errors
    /// `sweep`, if the range or its options make no sense; whatever `fit` says of data and model; `non-finite`, if the
    /// very first loss is no finite number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::{RateRange, SweepLearningRate};
    /// # let x = Array::from_fn([64, 4], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([64, 1], |i| x.element(4 * i) as f32);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    /// let rates = RateRange::from(1e-4..=10.0).iterations(100).batch_size(16);
    /// let sweep = model.sweep_learning_rate((&x, &y), rates)?;
    /// assert!(sweep.suggestion()? < 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: Smith, [*Cyclical Learning Rates for Training Neural Networks*](https://arxiv.org/abs/1506.01186),
    /// 2017.
    #[track_caller]
    fn sweep_learning_rate<'d, Kind>(
        &mut self,
        data: impl Samples<'d, Kind>,
        rates: impl Into<RateRange>,
    ) -> Result<LearningRateSweep>;
}

impl<L> SweepLearningRate for Model<L> {
    #[track_caller]
    fn sweep_learning_rate<'d, Kind>(
        &mut self,
        data: impl Samples<'d, Kind>,
        rates: impl Into<RateRange>,
    ) -> Result<LearningRateSweep> {
        let (range, site) = (rates.into(), Location::caller());
        range.check().map_err(|error| error.at(site))?;
        let before = self.snapshot()?;
        let mut test = RangeTest::new(&range);
        let fitted = fit(self, data.source(), &range, &mut test);
        self.restore(&before)?;
        fitted?;
        Ok(test.into_report(&range))
    }
}

/// The fit of a sweep, which its callback stops.
#[track_caller]
fn fit<L>(model: &mut Model<L>, source: Source, range: &RateRange, test: &mut RangeTest) -> Result {
    let is_one_pass = matches!(&source, Source::Stream(stream) if stream.is_one_pass());
    // Epochs of any length go on until the sweep is done, but what can be walked only once has to be one epoch.
    let fit = if is_one_pass {
        Fit::epochs(1).steps_per_epoch(range.iterations)
    } else {
        Fit::epochs(range.iterations)
    };
    let fit = range.options(fit).verbose(Verbosity::Silent);
    let fitted = model.fit(source, fit.callback(&mut *test));
    match fitted {
        Ok(_) => Ok(()),
        Err(error) if is_one_pass && error.code() == "data" && test.num_steps() > 0 => {
            let (done, all) = (test.num_steps(), range.iterations);
            Err(Error::new("sweep", format!("the data ended after {done} of {all} steps of the sweep"))
                .at(Location::caller())
                .label("an iterator can be walked only once")
                .help(
                    "give arrays or a stream, which begin again, or sweep in fewer steps: `.iterations(..)`",
                ))
        }
        Err(error) => Err(error.note("in a sweep of learning rates; the model is as it was before")),
    }
}

#[cfg(test)]
mod tests;
