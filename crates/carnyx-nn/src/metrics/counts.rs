//! The four counts of predictions of yes and no, right and wrong.
// The constants are named as the types, so that a metric reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::confusion::Confusion;
use super::{Metric, Tally};
use crate::Config;
use crate::losses::check_truth_values;
use carnyx_graph::{Array, Result, Shape, Tensor};

/// How many predictions of yes are right: targets of 1 above the threshold.
///
/// # Shape
/// Predictions `[batch, units]`, probabilities; targets of the same shape, 0 or 1. Targets `[batch]` fit predictions
/// `[batch, 1]`. Samples count as often as their weights say. With several thresholds, the logs hold
/// `true_positives_0`, `true_positives_1`, … in their order.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, TruePositives};
/// let y = Array::from([1f32, 1.0, 0.0, 0.0]);
/// let p = Array::from([0.9f32, 0.2, 0.8, 0.1]);
/// assert_eq!(TruePositives.measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.TruePositives`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug, Default)]
pub struct TruePositives {
    confusion: Confusion,
}

/// The count at a threshold of 0.5.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, TruePositives};
/// assert_eq!(TruePositives.name(), "true_positives");
/// ```
pub const TruePositives: TruePositives = TruePositives { confusion: Confusion::DEFAULT };

impl TruePositives {
    /// A count for each threshold; predictions above it say yes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::TruePositives;
    /// let several = TruePositives.thresholds([0.3, 0.5, 0.7]);
    /// # let _ = several;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> TruePositives {
        self.confusion.thresholds = thresholds.into();
        self
    }
}

impl Metric for TruePositives {
    fn config(&self) -> Option<Config> {
        Some(self.confusion.config("TruePositives"))
    }

    fn name(&self) -> String {
        "true_positives".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.confusion.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.confusion.mean(tally, |counts| counts.true_positives)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.confusion.each(tally, |counts| counts.true_positives)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `true_positives`")
    }
}

/// How many predictions of yes are wrong: targets of 0 above the threshold.
///
/// # Shape
/// As for [`TruePositives`](struct@TruePositives).
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{FalsePositives, Metric};
/// let y = Array::from([1f32, 1.0, 0.0, 0.0]);
/// let p = Array::from([0.9f32, 0.2, 0.8, 0.1]);
/// assert_eq!(FalsePositives.measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.FalsePositives`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug, Default)]
pub struct FalsePositives {
    confusion: Confusion,
}

/// The count at a threshold of 0.5.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{FalsePositives, Metric};
/// assert_eq!(FalsePositives.name(), "false_positives");
/// ```
pub const FalsePositives: FalsePositives = FalsePositives { confusion: Confusion::DEFAULT };

impl FalsePositives {
    /// A count for each threshold; predictions above it say yes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::FalsePositives;
    /// let several = FalsePositives.thresholds([0.3, 0.5, 0.7]);
    /// # let _ = several;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> FalsePositives {
        self.confusion.thresholds = thresholds.into();
        self
    }
}

impl Metric for FalsePositives {
    fn config(&self) -> Option<Config> {
        Some(self.confusion.config("FalsePositives"))
    }

    fn name(&self) -> String {
        "false_positives".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.confusion.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.confusion.mean(tally, |counts| counts.false_positives)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.confusion.each(tally, |counts| counts.false_positives)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `false_positives`")
    }
}

/// How many predictions of no are right: targets of 0 up to the threshold.
///
/// # Shape
/// As for [`TruePositives`](struct@TruePositives).
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, TrueNegatives};
/// let y = Array::from([1f32, 1.0, 0.0, 0.0]);
/// let p = Array::from([0.9f32, 0.2, 0.8, 0.1]);
/// assert_eq!(TrueNegatives.measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.TrueNegatives`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug, Default)]
pub struct TrueNegatives {
    confusion: Confusion,
}

/// The count at a threshold of 0.5.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, TrueNegatives};
/// assert_eq!(TrueNegatives.name(), "true_negatives");
/// ```
pub const TrueNegatives: TrueNegatives = TrueNegatives { confusion: Confusion::DEFAULT };

impl TrueNegatives {
    /// A count for each threshold; predictions above it say yes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::TrueNegatives;
    /// let several = TrueNegatives.thresholds([0.3, 0.5, 0.7]);
    /// # let _ = several;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> TrueNegatives {
        self.confusion.thresholds = thresholds.into();
        self
    }
}

impl Metric for TrueNegatives {
    fn config(&self) -> Option<Config> {
        Some(self.confusion.config("TrueNegatives"))
    }

    fn name(&self) -> String {
        "true_negatives".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.confusion.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.confusion.mean(tally, |counts| counts.true_negatives)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.confusion.each(tally, |counts| counts.true_negatives)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `true_negatives`")
    }
}

/// How many predictions of no are wrong: targets of 1 up to the threshold.
///
/// # Shape
/// As for [`TruePositives`](struct@TruePositives).
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{FalseNegatives, Metric};
/// let y = Array::from([1f32, 1.0, 0.0, 0.0]);
/// let p = Array::from([0.9f32, 0.2, 0.8, 0.1]);
/// assert_eq!(FalseNegatives.measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.FalseNegatives`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug, Default)]
pub struct FalseNegatives {
    confusion: Confusion,
}

/// The count at a threshold of 0.5.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{FalseNegatives, Metric};
/// assert_eq!(FalseNegatives.name(), "false_negatives");
/// ```
pub const FalseNegatives: FalseNegatives = FalseNegatives { confusion: Confusion::DEFAULT };

impl FalseNegatives {
    /// A count for each threshold; predictions above it say yes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::FalseNegatives;
    /// let several = FalseNegatives.thresholds([0.3, 0.5, 0.7]);
    /// # let _ = several;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> FalseNegatives {
        self.confusion.thresholds = thresholds.into();
        self
    }
}

impl Metric for FalseNegatives {
    fn config(&self) -> Option<Config> {
        Some(self.confusion.config("FalseNegatives"))
    }

    fn name(&self) -> String {
        "false_negatives".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.confusion.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.confusion.mean(tally, |counts| counts.false_negatives)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.confusion.each(tally, |counts| counts.false_negatives)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `false_negatives`")
    }
}
