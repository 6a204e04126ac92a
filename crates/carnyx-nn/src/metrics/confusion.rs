//! Which predictions of yes and no are right: precision, recall and the counts behind them.
//!
//! A [`Confusion`] is what they have in common: thresholds, the best of each row, one column. Invariant: targets count
//! as true unless they are 0.

use super::thresholds::{Counts, Thresholds, check_thresholds};
use super::{Metric, Tally, misfit};
use crate::Config;
use crate::losses::{check_truth_values, fit_to};
use carnyx_graph::{Array, Result, Shape, Tensor};

/// What takes part in a comparison of predictions with targets that are true or false.
#[derive(Clone, Debug, Default)]
pub(super) struct Confusion {
    /// In the order in which they were given; 0.5 if there are none.
    pub(super) thresholds: Vec<f64>,
    pub(super) top_k: Option<usize>,
    pub(super) class: Option<usize>,
}

impl Confusion {
    pub(super) const DEFAULT: Confusion = Confusion { thresholds: Vec::new(), top_k: None, class: None };

    /// The thresholds, in the user's order.
    fn chosen(&self) -> Vec<f64> {
        match (&self.thresholds[..], self.top_k) {
            ([], None) => vec![0.5],
            // The best of each row are predictions of yes, however small they are.
            ([], Some(_)) => vec![NOT_AMONG_THE_BEST],
            (chosen, _) => chosen.to_vec(),
        }
    }

    pub(super) fn config(&self, class: &'static str) -> Config {
        let config = match &self.thresholds[..] {
            [] => Config::new(class),
            [one] => Config::new(class).field("thresholds", *one),
            several => Config::new(class).field("thresholds", several.to_vec()),
        };
        let config = self.top_k.into_iter().fold(config, |config, k| config.field("top_k", k));
        self.class.into_iter().fold(config, |config, class| config.field("class_id", class))
    }

    #[track_caller]
    pub(super) fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        if let Err(error) = check_thresholds(&self.thresholds) {
            return tally.refuse(error);
        }
        match self.compared(target, prediction) {
            Ok((is_true, prediction)) => {
                Thresholds::listed(&self.chosen()).add(tally, &is_true, &prediction, false);
            }
            Err(error) => tally.refuse(error),
        }
    }

    /// Truth values and predictions of one shape.
    #[track_caller]
    pub(super) fn compared(&self, target: &Tensor, prediction: &Tensor) -> Result<(Tensor, Tensor)> {
        let fitted = fit_to(target, prediction);
        fitted.check()?;
        let (mut is_true, mut prediction) = (fitted.not_equal(0.0), prediction.clone());
        let classes = prediction.dim(-1);
        if let Some(k) = self.top_k {
            if prediction.rank() < 2 || k > classes {
                return Err(misfit(target, &prediction)
                    .label(format!("so the {k} best of each row are more than there are"))
                    .help("give the last layer one unit for each class, or take a smaller `top_k`"));
            }
            prediction = among_the_best(&prediction, k).select(&prediction, NOT_AMONG_THE_BEST);
        }
        if let Some(class) = self.class {
            if prediction.rank() < 2 || class >= classes {
                return Err(misfit(target, &prediction)
                    .label(format!("so there is no column {class}"))
                    .help("columns count from 0: take a smaller `class_id`"));
            }
            is_true = is_true.slice(-1, class..class + 1);
            prediction = prediction.slice(-1, class..class + 1);
        }
        Ok((is_true, prediction))
    }

    /// The counts at each threshold, in the user's order.
    pub(super) fn counts(&self, tally: &Tally) -> Result<Vec<Counts>> {
        let chosen = self.chosen();
        let thresholds = Thresholds::listed(&chosen);
        let counts = thresholds.counts(tally, 0)?;
        Ok(chosen.iter().map(|&threshold| counts[thresholds.place(threshold)]).collect())
    }

    /// A number for each threshold, if there are several.
    pub(super) fn each(&self, tally: &Tally, number: impl Fn(&Counts) -> f64) -> Result<Vec<f64>> {
        let counts = self.counts(tally)?;
        Ok(if counts.len() > 1 { counts.iter().map(number).collect() } else { Vec::new() })
    }

    /// The number at the only threshold, or the mean over all.
    pub(super) fn mean(&self, tally: &Tally, number: impl Fn(&Counts) -> f64) -> Result<f64> {
        let counts = self.counts(tally)?;
        Ok(counts.iter().map(number).sum::<f64>() / counts.len() as f64)
    }
}

/// Below every threshold.
const NOT_AMONG_THE_BEST: f64 = -1e10;

/// Whether each value is among the `k` greatest of its row; of equal ones, the first are.
#[track_caller]
fn among_the_best(prediction: &Tensor, k: usize) -> Tensor {
    let order = (-prediction).arg_sort(-1);
    order.cast(prediction.dtype()).arg_sort(-1).less(k as i64)
}

/// The share of right ones among predictions of yes: `true positives / (true positives + false positives)`.
///
/// High where a false alarm is expensive. Without options, predictions above 0.5 say yes, of all columns together.
///
/// # Shape
/// Predictions `[batch, units]`, probabilities; targets of the same shape, 0 or 1. Targets `[batch]` fit predictions
/// `[batch, 1]`. With several [`thresholds`](Precision::thresholds), the logs hold `precision_0`, `precision_1`, … in
/// their order.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, Precision};
/// let y = Array::from([1f32, 1.0, 0.0, 0.0]);
/// let p = Array::from([0.9f32, 0.2, 0.8, 0.1]);
/// assert_eq!(Precision.measure(&y, &p)?, 0.5);
/// assert_eq!(Precision.threshold(0.85).measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.Precision`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug, Default)]
pub struct Precision {
    confusion: Confusion,
}

/// Precision with a threshold of 0.5, over all columns.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, Precision};
/// assert_eq!(Precision.name(), "precision");
/// ```
#[allow(non_upper_case_globals)] // Named as the type, so that a metric reads the same with options and without.
pub const Precision: Precision = Precision { confusion: Confusion::DEFAULT };

impl Precision {
    /// Predictions above `threshold` say yes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Precision;
    /// let strict = Precision.threshold(0.9);
    /// # let _ = strict;
    /// ```
    pub fn threshold(self, threshold: f64) -> Precision {
        self.thresholds([threshold])
    }

    /// A precision for each of several thresholds.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Precision;
    /// let several = Precision.thresholds([0.3, 0.5, 0.7]);
    /// # let _ = several;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Precision {
        self.confusion.thresholds = thresholds.into();
        self
    }

    /// The `k` best of each row say yes (and, with a threshold, those of them above it).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Precision;
    /// let of_three_tags = Precision.top_k(3);
    /// # let _ = of_three_tags;
    /// ```
    pub fn top_k(mut self, k: usize) -> Precision {
        self.confusion.top_k = Some(k);
        self
    }

    /// Only the column of this class, from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Precision;
    /// let of_sevens = Precision.class_id(7);
    /// # let _ = of_sevens;
    /// ```
    pub fn class_id(mut self, class: usize) -> Precision {
        self.confusion.class = Some(class);
        self
    }
}

impl Metric for Precision {
    fn config(&self) -> Option<Config> {
        Some(self.confusion.config("Precision"))
    }

    fn name(&self) -> String {
        "precision".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.confusion.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.confusion.mean(tally, Counts::precision)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.confusion.each(tally, Counts::precision)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `precision`")
    }
}

/// The share of what is true that predictions find: `true positives / (true positives + false negatives)`.
///
/// High where it is expensive to miss something. Without options, predictions above 0.5 say yes, of all columns
/// together.
///
/// # Shape
/// As for [`Precision`](struct@Precision).
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, Recall};
/// let y = Array::from([1f32, 1.0, 0.0, 0.0]);
/// let p = Array::from([0.9f32, 0.2, 0.8, 0.1]);
/// assert_eq!(Recall.measure(&y, &p)?, 0.5);
/// assert_eq!(Recall.threshold(0.15).measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.Recall`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug, Default)]
pub struct Recall {
    confusion: Confusion,
}

/// Recall with a threshold of 0.5, over all columns.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, Recall};
/// assert_eq!(Recall.name(), "recall");
/// ```
#[allow(non_upper_case_globals)] // Named as the type, so that a metric reads the same with options and without.
pub const Recall: Recall = Recall { confusion: Confusion::DEFAULT };

impl Recall {
    /// Predictions above `threshold` say yes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Recall;
    /// let thorough = Recall.threshold(0.1);
    /// # let _ = thorough;
    /// ```
    pub fn threshold(self, threshold: f64) -> Recall {
        self.thresholds([threshold])
    }

    /// A recall for each of several thresholds.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Recall;
    /// let several = Recall.thresholds([0.3, 0.5, 0.7]);
    /// # let _ = several;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Recall {
        self.confusion.thresholds = thresholds.into();
        self
    }

    /// The `k` best of each row say yes (and, with a threshold, those of them above it).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Recall;
    /// let of_three_tags = Recall.top_k(3);
    /// # let _ = of_three_tags;
    /// ```
    pub fn top_k(mut self, k: usize) -> Recall {
        self.confusion.top_k = Some(k);
        self
    }

    /// Only the column of this class, from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Recall;
    /// let of_sevens = Recall.class_id(7);
    /// # let _ = of_sevens;
    /// ```
    pub fn class_id(mut self, class: usize) -> Recall {
        self.confusion.class = Some(class);
        self
    }
}

impl Metric for Recall {
    fn config(&self) -> Option<Config> {
        Some(self.confusion.config("Recall"))
    }

    fn name(&self) -> String {
        "recall".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.confusion.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.confusion.mean(tally, Counts::recall)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.confusion.each(tally, Counts::recall)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `recall`")
    }
}
