//! Metrics: what one looks at while a model trains.
//!
//! A [`Metric`] adds numbers of each batch to running totals, which are variables of the training program; the
//! result is read from them when somebody wants to know. Every [`Loss`] is a metric too: its
//! mean. Invariant: totals are 64-bit floats, so that counts stay exact.

mod accuracy;

pub use accuracy::{
    Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, SparseTopKAccuracy,
    TopKAccuracy,
};

use crate::losses::{Loss, MeanSquaredError, weigh};
use carnyx_graph::{Array, DType, Result, Tensor, Variable};
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
}

/// The mean over all samples.
impl<L: Loss> Metric for L {
    fn name(&self) -> String {
        Loss::name(self)
    }

    fn config(&self) -> Option<crate::Config> {
        Loss::config(self)
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        tally.add_mean(&self.per_sample(target, prediction));
    }
}

/// The square root of the mean of squared errors: an error in the unit of the targets.
///
/// # Shape
/// As for [`MeanSquaredError`].
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, RootMeanSquaredError};
/// assert_eq!(RootMeanSquaredError.name(), "root_mean_squared_error");
/// ```
///
/// Reference: [`keras.metrics.RootMeanSquaredError`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct RootMeanSquaredError;

impl Metric for RootMeanSquaredError {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("RootMeanSquaredError"))
    }

    fn name(&self) -> String {
        "root_mean_squared_error".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        tally.add_mean(&MeanSquaredError.per_sample(target, prediction));
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        tally.mean().map(f64::sqrt)
    }
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

    /// Adds `values` to a mean over all of them, each sample's as often as the sample counts.
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
        if self.weights.is_some() {
            let ones = values.ones_like();
            self.add("total", &self.weigh(values).cast(DType::F64).sum());
            self.add("count", &self.weigh(&ones).cast(DType::F64).sum());
        } else {
            let count = values.shape().elements().unwrap_or(0);
            self.add_weighted(&values.sum(), count as f64);
        }
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
