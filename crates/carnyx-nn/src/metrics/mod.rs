//! Metrics: what one looks at while a model trains.
//!
//! A [`Metric`] adds numbers of each batch to running totals, which are variables of the training program; the
//! result is read from them when somebody wants to know. Every [`Loss`] is a metric too: its
//! mean. Invariant: totals are 64-bit floats, so that counts stay exact.

mod accuracy;
mod auc;
mod confusion;
mod correlation;
mod counts;
mod f_score;
mod iou;
mod mean;
mod operating_points;
mod r2;
mod regression;
mod thresholds;

pub use accuracy::{
    Accuracy, BinaryAccuracy, CategoricalAccuracy, ExactAccuracy, SparseCategoricalAccuracy,
    SparseTopKAccuracy, TopKAccuracy,
};
pub use auc::{Auc, Curve, Summation};
pub use confusion::{Precision, Recall};
pub use correlation::{ConcordanceCorrelation, PearsonCorrelation};
pub use counts::{FalseNegatives, FalsePositives, TrueNegatives, TruePositives};
pub use f_score::{Average, F1Score, FBetaScore};
pub use iou::{BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU};
pub use mean::{Mean, Sum};
pub use operating_points::{
    PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity,
};
pub use r2::{Aggregation, R2Score};
pub use regression::{CosineSimilarity, LogCoshError, RootMeanSquaredError};

// Losses that Keras has as metrics too: here every loss is one.
#[doc(no_inline)]
pub use crate::losses::{
    BinaryCrossentropy, CategoricalCrossentropy, CategoricalHinge, Hinge, KLDivergence, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson,
    SparseCategoricalCrossentropy, SquaredHinge,
};

use crate::engine::{Eval, Updates};
use crate::losses::{Loss, counted_of, weigh};
use carnyx_graph::{Array, DType, Error, Result, Shape, Tensor, Variable};
use std::collections::BTreeMap;

/// A number that says how good predictions are, over many batches.
///
/// # Example
/// How far predictions are off on average, with their sign:
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::losses::fit_to;
/// use carnyx_nn::metrics::{Metric, Tally};
///
/// struct Bias;
/// impl Metric for Bias {
///     fn name(&self) -> String {
///         "bias".into()
///     }
///     fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
///         tally.add_mean(&(prediction - fit_to(target, prediction)));
///     }
/// }
/// ```
pub trait Metric: Send + Sync + 'static {
    /// The name in logs: the type's name in snake case.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Accuracy, Metric};
    /// assert_eq!(Accuracy.name(), "accuracy");
    /// ```
    fn name(&self) -> String;

    /// What a saved file says of this metric; `None` if no file can describe it.
    #[doc(hidden)]
    fn config(&self) -> Option<crate::Config> {
        None
    }

    /// Adds what this batch tells to the totals.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// # use carnyx_nn::metrics::Metric;
    /// let y = Tensor::from(&Array::from([1f32, 0.0]));
    /// RootMeanSquaredError.update(&mut tally, &y, &y);
    /// assert!(!tally.take_updates().is_empty());
    /// ```
    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor);

    /// The metric, from the totals.
    ///
    /// # Errors
    /// None, unless the metric has reasons of its own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// # use carnyx_nn::metrics::Metric;
    /// assert_eq!(RootMeanSquaredError.result(&tally)?, 0.0); // nothing was added yet
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn result(&self, tally: &Tally) -> Result<f64> {
        tally.mean()
    }

    /// The numbers of a metric that has several, one for each class or threshold: the logs hold them as `name_0`,
    /// `name_1`, … in place of the [`result`](Metric::result). Empty, if that is the only number.
    ///
    /// # Errors
    /// As for [`result`](Metric::result).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::{Eval, Updates};
    /// use carnyx_nn::metrics::{F1Score, Metric, Tally};
    /// let y = Tensor::from(&Array::from([[1f32, 0.0], [0.0, 1.0]]));
    /// let mut tally = Tally::default();
    /// F1Score.update(&mut tally, &y, &y);
    /// Tensor::scalar(0f32).eval_with(Updates::from(tally.take_updates()))?;
    /// assert_eq!(F1Score.each(&tally)?.len(), 2);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        let _ = tally;
        Ok(Vec::new())
    }

    /// Whether this metric can make sense of the values of `targets`, given the shape of the predictions. Called once
    /// before training.
    ///
    /// # Errors
    /// `data`, with the first value that makes no sense and its row.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Shape};
    /// use carnyx_nn::metrics::{Metric, Precision};
    /// let labels = Array::from([0u8, 7]);
    /// assert!(Precision.check_targets(&labels, &Shape::from([2, 1])).is_err());
    /// ```
    fn check_targets(&self, targets: &Array, prediction: &Shape) -> Result {
        let _ = (targets, prediction);
        Ok(())
    }

    /// The metric of these targets and predictions, at once.
    ///
    /// # Errors
    /// What [`check_targets`](Metric::check_targets) says, and shapes that do not fit.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_nn::metrics::{Accuracy, Metric};
    /// let (y, p) = (Array::from([1f32, 0.0]), Array::from([0.9f32, 0.8]));
    /// assert_eq!(Accuracy.measure(&y, &p)?, 0.5);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    fn measure(&self, targets: &Array, predictions: &Array) -> Result<f64> {
        let (target, prediction) = (Tensor::from(targets), Tensor::from(predictions));
        self.check_targets(targets, &prediction.shape())?;
        let mut tally = Tally::default();
        self.update(&mut tally, &target, &prediction);
        Tensor::scalar(0f32).eval_with(Updates::from(tally.take_updates()))?;
        self.result(&tally)
    }
}

/// The mean over all samples.
impl<L: Loss> Metric for L {
    fn name(&self) -> String {
        Loss::name(self)
    }

    fn config(&self) -> Option<crate::Config> {
        Loss::config(self).map(|config| config.in_metric(&Loss::name(self)))
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let values = self.per_sample(target, prediction);
        match counted_of(self, &values, target, prediction) {
            Some(counted) => tally.add_mean_where(&values, &counted),
            None => tally.add_mean(&values),
        }
    }

    fn check_targets(&self, targets: &Array, prediction: &Shape) -> Result {
        Loss::check(self, targets, prediction)
    }
}

/// A metric that cannot compare targets and predictions of these shapes.
fn misfit(target: &Tensor, prediction: &Tensor) -> Error {
    let (target, prediction) = (target.shape(), prediction.shape());
    Error::new("metric-shape", format!("the targets have shape {target}, the predictions {prediction}"))
}

/// The running totals of one metric, by name: zeros before the first batch.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::metrics::Tally;
/// use carnyx_nn::{Eval, Updates};
/// let mut tally = Tally::default();
/// tally.add_mean(&Tensor::from(&Array::from([1f32, 2.0])));
/// let updates = Updates::from(tally.take_updates());
/// Tensor::scalar(0f32).eval_with(updates)?;
/// assert_eq!(tally.mean()?, 1.5);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Tally {
    totals: BTreeMap<&'static str, Variable>,
    updates: Vec<(Variable, Tensor)>,
    /// How much each sample of the batch counts: `[batch]`; all the same if there are none.
    weights: Option<Tensor>,
}

impl Tally {
    /// Adds `amount` (of any shape, but always the same one) to the total `name`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// tally.add("hits", &Tensor::scalar(1f32));
    /// assert_eq!(tally.take_updates().len(), 1);
    /// ```
    pub fn add(&mut self, name: &'static str, amount: &Tensor) {
        let zeros = || Variable::from(Array::zeros(amount.shape().fixed().unwrap_or_default(), DType::F64));
        let total = self.totals.entry(name).or_insert_with(|| zeros().untrained()).clone();
        let sum = Tensor::read(&total) + amount.cast(DType::F64);
        self.updates.push((total, sum));
    }

    /// How much each sample counts in the batches that are traced next: `[batch]`, or with further axes of the values.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// tally.set_weights(Some(Tensor::from(&Array::from([3f32, 1.0]))));
    /// assert_eq!(tally.weigh(&Tensor::from(&Array::from([1f32, 1.0]))).shape().to_string(), "[2]");
    /// ```
    pub fn set_weights(&mut self, weights: Option<Tensor>) {
        self.weights = weights;
    }

    /// `values` of each sample, `[batch, ..]`, times what the sample counts. A metric that adds numbers of its own with
    /// [`add`](Tally::add) asks this first; without weights, nothing changes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::Eval;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// tally.set_weights(Some(Tensor::from(&Array::from([3f32, 1.0]))));
    /// let hits = Tensor::from(&Array::from([[1f32, 0.0], [1.0, 1.0]]));
    /// assert_eq!(tally.weigh(&hits).eval()?, Array::from([[3f32, 0.0], [1.0, 1.0]]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn weigh(&self, values: &Tensor) -> Tensor {
        self.weights.as_ref().map_or_else(|| values.clone(), |weights| weigh(values, weights))
    }

    /// Adds `values` to a mean over all of them, each sample's as often as the sample counts. If they have a
    /// [mask](Tensor::mask), only the steps count that it names: a metric that is a mean of what happens in each step
    /// hands the mask of the predictions on, `tally.add_mean(&values.with_mask_of(prediction))`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// tally.add_mean(&Tensor::from(&Array::from([1f32, 0.0])));
    /// assert!(!tally.take_updates().is_empty());
    /// ```
    pub fn add_mean(&mut self, values: &Tensor) {
        if let Some(counted) = values.mask_of_elements() {
            self.add_mean_where(values, &counted);
        } else if self.weights.is_some() {
            let ones = values.ones_like();
            self.add("total", &self.weigh(values).cast(DType::F64).sum());
            self.add("count", &self.weigh(&ones).cast(DType::F64).sum());
        } else {
            let count = values.shape().elements().unwrap_or(0);
            self.add_weighted(&values.sum(), count as f64);
        }
    }

    /// Adds the `values` that are `counted` (truth values of their shape) to a mean.
    pub(crate) fn add_mean_where(&mut self, values: &Tensor, counted: &Tensor) {
        let counted = counted.cast(DType::F64);
        self.add("total", &self.weigh(&(values.cast(DType::F64) * &counted)).sum());
        self.add("count", &self.weigh(&counted).sum());
    }

    /// Makes the program that is being traced fail with `error`, before its first run: for a metric that does not fit
    /// its output.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// tally.refuse(Error::new("metric-shape", "one column is needed"));
    /// assert!(tally.take_updates()[0].1.check().is_err());
    /// ```
    #[track_caller]
    pub fn refuse(&mut self, error: Error) {
        self.add("refused", &Tensor::invalid(error));
    }

    /// Adds a sum of `count` values to a mean.
    pub(crate) fn add_weighted(&mut self, sum: &Tensor, count: f64) {
        self.add("total", sum);
        self.add("count", &Tensor::scalar(count));
    }

    /// All totals, by name.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &Variable)> {
        self.totals.iter().map(|(name, total)| (*name, total))
    }

    /// The total `name`; zero if nothing was added yet.
    ///
    /// # Errors
    /// None in practice: totals have values from the start.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// assert_eq!(tally.total("hits")?.item()?, 0.0);
    /// # let _ = &mut tally;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn total(&self, name: &str) -> Result<Array> {
        self.totals.get(name).map_or_else(|| Ok(Array::scalar(0f64)), Variable::value)
    }

    /// The mean of all values added by [`add_mean`](Tally::add_mean); 0 if there were none.
    ///
    /// # Errors
    /// `shape`, if the total is not one number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// assert_eq!(tally.mean()?, 0.0);
    /// # let _ = &mut tally;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn mean(&self) -> Result<f64> {
        let (total, count) = (self.total("total")?.item()?, self.total("count")?.item()?);
        Ok(if count == 0.0 { 0.0 } else { total / count })
    }

    /// What the batches traced so far change; they are forgotten here.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// assert!(tally.take_updates().is_empty());
    /// ```
    pub fn take_updates(&mut self) -> Vec<(Variable, Tensor)> {
        std::mem::take(&mut self.updates)
    }

    /// Sets all totals to zero.
    ///
    /// # Errors
    /// None in practice: zeros have the totals' shapes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::metrics::Tally;
    /// let mut tally = Tally::default();
    /// tally.reset()?;
    /// # let _ = &mut tally;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn reset(&self) -> Result {
        self.totals
            .values()
            .try_for_each(|total| total.assign(&Array::zeros(total.shape().unwrap_or_default(), DType::F64)))
    }
}
