//! Whether predictions rise and fall with the targets.
// The constants are named as the types, so that a metric reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::{Metric, Tally, misfit};
use crate::Config;
use crate::losses::{EPSILON, fit_to};
use carnyx_graph::{Result, Tensor};

/// Pearson's correlation of target and prediction along an axis, and the mean of it: 1 where one is a rising straight
/// line over the other, -1 where it is a falling one.
///
/// What does not vary has a correlation of 0.
///
/// # Shape
/// Predictions and targets `[batch, units]`, compared along the units of each sample; with
/// [`axis(0)`](PearsonCorrelation::axis), along the samples of each batch.
///
/// # Errors
/// `metric-shape`, before training, if there is only one value along the axis.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, PearsonCorrelation};
/// let y = Array::from([[0f32, 1.0, 0.5], [1.0, 1.0, 0.2]]);
/// let p = Array::from([[0.1f32, 0.9, 0.5], [1.0, 0.9, 0.2]]);
/// assert!((PearsonCorrelation.measure(&y, &p)? - 0.9966).abs() < 1e-3);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.PearsonCorrelation`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct PearsonCorrelation {
    axis: isize,
}

/// Pearson's correlation along the last axis.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, PearsonCorrelation};
/// assert_eq!(PearsonCorrelation.name(), "pearson_correlation");
/// ```
pub const PearsonCorrelation: PearsonCorrelation = PearsonCorrelation { axis: -1 };

impl PearsonCorrelation {
    /// The axis along which they are compared. Along the batch (0), the result is the mean over batches and columns, and
    /// weights of samples do not count.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::PearsonCorrelation;
    /// let along_the_batch = PearsonCorrelation.axis(0);
    /// # let _ = along_the_batch;
    /// ```
    pub fn axis(mut self, axis: isize) -> PearsonCorrelation {
        self.axis = axis;
        self
    }
}

/// Along the last axis.
impl Default for PearsonCorrelation {
    fn default() -> PearsonCorrelation {
        PearsonCorrelation
    }
}

impl Metric for PearsonCorrelation {
    fn config(&self) -> Option<Config> {
        Some(Config::new("PearsonCorrelation").field("axis", self.axis as i64))
    }

    fn name(&self) -> String {
        "pearson_correlation".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        add(tally, self.axis, target, prediction, |y, p, axis| {
            let deviation = (y.square().mean_keep(axis) * p.square().mean_keep(axis)).sqrt();
            let is_constant = deviation.equal(0.0);
            is_constant.select(0.0, (y * p).mean_keep(axis) / is_constant.select(1.0, &deviation))
        });
    }
}

/// Lin's concordance of target and prediction along an axis, and the mean of it: as [`PearsonCorrelation`](
/// struct@PearsonCorrelation), but 1 only where both are equal:
/// `2 cov(y, p) / (var(y) + var(p) + (ȳ - p̄)²)`.
///
/// # Shape
/// As for [`PearsonCorrelation`](struct@PearsonCorrelation).
///
/// # Errors
/// `metric-shape`, before training, if there is only one value along the axis.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{ConcordanceCorrelation, Metric};
/// let y = Array::from([[0f32, 1.0, 2.0]]);
/// let shifted = Array::from([[1f32, 2.0, 3.0]]);
/// assert!((ConcordanceCorrelation.measure(&y, &shifted)? - 4.0 / 7.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Lin, [A Concordance Correlation Coefficient](https://doi.org/10.2307/2532051);
/// [`keras.metrics.ConcordanceCorrelation`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct ConcordanceCorrelation {
    axis: isize,
}

/// Lin's concordance along the last axis.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{ConcordanceCorrelation, Metric};
/// assert_eq!(ConcordanceCorrelation.name(), "concordance_correlation");
/// ```
pub const ConcordanceCorrelation: ConcordanceCorrelation = ConcordanceCorrelation { axis: -1 };

impl ConcordanceCorrelation {
    /// The axis along which they are compared, as for [`PearsonCorrelation::axis`].
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::ConcordanceCorrelation;
    /// let along_the_batch = ConcordanceCorrelation.axis(0);
    /// # let _ = along_the_batch;
    /// ```
    pub fn axis(mut self, axis: isize) -> ConcordanceCorrelation {
        self.axis = axis;
        self
    }
}

/// Along the last axis.
impl Default for ConcordanceCorrelation {
    fn default() -> ConcordanceCorrelation {
        ConcordanceCorrelation
    }
}

impl Metric for ConcordanceCorrelation {
    fn config(&self) -> Option<Config> {
        Some(Config::new("ConcordanceCorrelation").field("axis", self.axis as i64))
    }

    fn name(&self) -> String {
        "concordance_correlation".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let distance = |axis| {
            let y = fit_to(target, prediction);
            (y.mean_keep(axis) - prediction.mean_keep(axis)).square()
        };
        add(tally, self.axis, target, prediction, |y, p, axis| {
            let variances = y.square().mean_keep(axis) + p.square().mean_keep(axis);
            (y * p).mean_keep(axis) * 2.0 / (variances + distance(axis) + EPSILON)
        });
    }
}

/// Adds what `correlate` says of the deviations from the means along the axis, which it keeps.
#[track_caller]
fn add(
    tally: &mut Tally,
    axis: isize,
    target: &Tensor,
    prediction: &Tensor,
    correlate: impl Fn(&Tensor, &Tensor, isize) -> Tensor,
) {
    if let Err(error) = check(axis, target, prediction) {
        return tally.refuse(error);
    }
    let deviation = |x: &Tensor| x - x.mean_keep(axis);
    let (y, p) = (deviation(&fit_to(target, prediction)), deviation(prediction));
    let values = correlate(&y, &p, axis).squeeze(axis);
    if axis == 0 || axis + prediction.rank() as isize == 0 {
        let count = values.shape().elements().unwrap_or(0);
        tally.add_weighted(&values.sum(), count as f64);
    } else {
        tally.add_mean(&values.with_mask_of(prediction));
    }
}

fn check(axis: isize, target: &Tensor, prediction: &Tensor) -> Result {
    fit_to(target, prediction).check()?;
    if prediction.dim(axis) > 1 {
        return Ok(());
    }
    Err(misfit(target, prediction)
        .label(format!("a correlation needs several values along the axis {axis}"))
        .help("`.axis(0)` compares along the samples of a batch; `R2Score` takes all batches together"))
}
