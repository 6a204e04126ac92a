//! The share of predictions that are right.

use super::{Metric, Tally, misfit};
use crate::losses::{class_numbers, fit_to};
use carnyx_graph::{DType, Dim, Tensor};

/// The share of right predictions, whatever kind they are: one unit is a probability to be rounded
/// ([`BinaryAccuracy`]), class numbers against rows of probabilities are compared with the greatest
/// ([`SparseCategoricalAccuracy`]), and so are one-hot rows ([`CategoricalAccuracy`]).
///
/// # Shape
/// Any that one of the three takes.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Accuracy, Metric};
/// assert_eq!(Accuracy.name(), "accuracy");
/// ```
///
/// Reference: the word `"accuracy"` in [`compile`](https://keras.io/api/models/model_training_apis/). Keras's class
/// `Accuracy` is [`ExactAccuracy`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy;

impl Metric for Accuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("accuracy"))
    }

    fn name(&self) -> String {
        "accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let (y, p) = (target.shape(), prediction.shape());
        let is_binary = p.len() < 2 || p.last() == Some(&Dim::Fixed(1));
        let is_sparse = y.len() < p.len() || y.last() == Some(&Dim::Fixed(1));
        match (is_binary, is_sparse) {
            (true, _) => BinaryAccuracy::default().update(tally, target, prediction),
            (false, true) => SparseCategoricalAccuracy.update(tally, target, prediction),
            (false, false) => CategoricalAccuracy.update(tally, target, prediction),
        }
    }
}

/// How often predictions are exactly the targets, number by number: for models that give class numbers themselves.
///
/// Keras has it as the class `Accuracy`, whose name in logs it shares with the word `"accuracy"`, which is [`Accuracy`].
///
/// # Shape
/// Predictions and targets of the same shape; targets `[batch]` fit predictions `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{ExactAccuracy, Metric};
/// let (y, p) = (Array::from([1f32, 2.0, 3.0, 4.0]), Array::from([0f32, 2.0, 3.0, 4.0]));
/// assert_eq!(ExactAccuracy.measure(&y, &p)?, 0.75);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.Accuracy`](https://keras.io/api/metrics/accuracy_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct ExactAccuracy;

impl Metric for ExactAccuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("Accuracy"))
    }

    fn name(&self) -> String {
        "accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        add_hits(tally, &prediction.equal(fit_to(target, prediction)), prediction);
    }
}

/// How often `p > threshold` is what the target (0 or 1) says.
///
/// # Shape
/// Predictions `[batch, units]` and targets of the same shape; targets `[batch]` fit predictions `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::BinaryAccuracy;
/// let strict = BinaryAccuracy::threshold(0.9);
/// let logits = BinaryAccuracy::threshold(0.0); // for models without `sigmoid`
/// ```
///
/// Reference: [`keras.metrics.BinaryAccuracy`](https://keras.io/api/metrics/accuracy_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct BinaryAccuracy {
    threshold: f64,
}

impl BinaryAccuracy {
    /// Predictions above `threshold` mean 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::BinaryAccuracy;
    /// let strict = BinaryAccuracy::threshold(0.9);
    /// # let _ = strict;
    /// ```
    pub fn threshold(threshold: f64) -> BinaryAccuracy {
        BinaryAccuracy { threshold }
    }
}

/// A threshold of 0.5.
impl Default for BinaryAccuracy {
    fn default() -> BinaryAccuracy {
        BinaryAccuracy::threshold(0.5)
    }
}

impl Metric for BinaryAccuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("BinaryAccuracy").field("threshold", self.threshold))
    }

    fn name(&self) -> String {
        "binary_accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let said = prediction.greater(self.threshold).cast(prediction.dtype());
        add_hits(tally, &said.equal(fit_to(target, prediction)), prediction);
    }
}

/// How often the greatest probability stands where the one-hot target has its 1.
///
/// # Shape
/// Predictions and targets `[batch, classes]`.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{CategoricalAccuracy, Metric};
/// assert_eq!(CategoricalAccuracy.name(), "categorical_accuracy");
/// ```
///
/// Reference: [`keras.metrics.CategoricalAccuracy`](https://keras.io/api/metrics/accuracy_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct CategoricalAccuracy;

impl Metric for CategoricalAccuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("CategoricalAccuracy"))
    }

    fn name(&self) -> String {
        "categorical_accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let right = fit_to(target, prediction).arg_max(-1);
        add_hits(tally, &prediction.arg_max(-1).equal(right), prediction);
    }
}

/// How often the greatest probability is that of the right class, given by its number.
///
/// # Shape
/// Predictions `[batch, classes]`, targets `[batch]` or `[batch, 1]` of any integer type.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, SparseCategoricalAccuracy};
/// assert_eq!(SparseCategoricalAccuracy.name(), "sparse_categorical_accuracy");
/// ```
///
/// Reference: [`keras.metrics.SparseCategoricalAccuracy`](https://keras.io/api/metrics/accuracy_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct SparseCategoricalAccuracy;

impl Metric for SparseCategoricalAccuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("SparseCategoricalAccuracy"))
    }

    fn name(&self) -> String {
        "sparse_categorical_accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let right = class_numbers(target, prediction).cast(DType::I64);
        add_hits(tally, &prediction.arg_max(-1).equal(right), prediction);
    }
}

/// How often the right class is among the `k` most probable ones; targets are one-hot rows.
///
/// # Shape
/// Predictions and targets `[batch, classes]`.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, TopKAccuracy};
/// assert_eq!(TopKAccuracy::new(5).name(), "top_k_categorical_accuracy");
/// ```
///
/// Reference: [`keras.metrics.TopKCategoricalAccuracy`](https://keras.io/api/metrics/accuracy_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct TopKAccuracy {
    k: usize,
}

impl TopKAccuracy {
    /// Right among the first `k`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::TopKAccuracy;
    /// let metric = TopKAccuracy::new(3);
    /// # let _ = metric;
    /// ```
    pub fn new(k: usize) -> TopKAccuracy {
        TopKAccuracy { k }
    }
}

impl Metric for TopKAccuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("TopKCategoricalAccuracy").field("k", self.k))
    }

    fn name(&self) -> String {
        "top_k_categorical_accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let right = fit_to(target, prediction).arg_max(-1);
        add_among_first(tally, self.k, &right, target, prediction);
    }
}

/// How often the right class, given by its number, is among the `k` most probable ones.
///
/// # Shape
/// Predictions `[batch, classes]`, targets `[batch]` or `[batch, 1]` of any integer type.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, SparseTopKAccuracy};
/// assert_eq!(SparseTopKAccuracy::new(5).name(), "sparse_top_k_categorical_accuracy");
/// ```
///
/// Reference: [`keras.metrics.SparseTopKCategoricalAccuracy`](https://keras.io/api/metrics/accuracy_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct SparseTopKAccuracy {
    k: usize,
}

impl SparseTopKAccuracy {
    /// Right among the first `k`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::SparseTopKAccuracy;
    /// let metric = SparseTopKAccuracy::new(3);
    /// # let _ = metric;
    /// ```
    pub fn new(k: usize) -> SparseTopKAccuracy {
        SparseTopKAccuracy { k }
    }
}

impl Metric for SparseTopKAccuracy {
    fn config(&self) -> Option<crate::Config> {
        Some(crate::Config::new("SparseTopKCategoricalAccuracy").field("k", self.k))
    }

    fn name(&self) -> String {
        "sparse_top_k_categorical_accuracy".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let right = class_numbers(target, prediction);
        add_among_first(tally, self.k, &right, target, prediction);
    }
}

/// Counts as hits where fewer than `k` classes have a greater value than the class `right`: equal values count in its
/// favour.
#[track_caller]
fn add_among_first(tally: &mut Tally, k: usize, right: &Tensor, target: &Tensor, prediction: &Tensor) {
    let classes = prediction.dim(-1);
    if right.check().is_ok() && (k == 0 || k > classes) {
        return tally.refuse(
            misfit(target, prediction)
                .label(format!("so the right class cannot be among the first {k} of {classes}"))
                .help("take a smaller `k`, from 1 to the number of classes"),
        );
    }
    let value = prediction.pick(right).expand(-1);
    let is_found = prediction.greater(value).cast(DType::I32).sum_along(-1).less(k as i32);
    add_hits(tally, &is_found, prediction);
}

fn add_hits(tally: &mut Tally, hits: &Tensor, prediction: &Tensor) {
    tally.add_mean(&hits.cast(DType::F32).with_mask_of(prediction));
}
