//! The best of one number where another is good enough: points on the curves of binary classifiers.

use super::confusion::Confusion;
use super::thresholds::{Counts, Thresholds};
use super::{Metric, Tally};
use crate::Config;
use crate::losses::check_truth_values;
use carnyx_graph::{Array, Error, Result, Shape, Tensor};

/// What is wanted of a classifier, and at how many thresholds one looks.
#[derive(Clone, Copy, Debug)]
struct Point {
    wanted: f64,
    num_thresholds: usize,
    class: Option<usize>,
}

impl Point {
    fn new(wanted: f64) -> Point {
        Point { wanted, num_thresholds: 200, class: None }
    }

    fn config(&self, class: &'static str, wanted: &'static str) -> Config {
        let config =
            Config::new(class).field(wanted, self.wanted).field("num_thresholds", self.num_thresholds);
        self.class.into_iter().fold(config, |config, class| config.field("class_id", class))
    }

    #[track_caller]
    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        if !(0.0..=1.0).contains(&self.wanted) {
            return tally.refuse(
                Error::new("metric", format!("a share of {} is wanted", self.wanted))
                    .label("shares lie between 0 and 1")
                    .help("0.9 asks for nine of ten"),
            );
        }
        let column = Confusion { class: self.class, ..Confusion::DEFAULT };
        match column.compared(target, prediction) {
            Ok((is_true, prediction)) => {
                Thresholds::even(self.num_thresholds).add(tally, &is_true, &prediction, false);
            }
            Err(error) => tally.refuse(error),
        }
    }

    /// The greatest `wanted` among the thresholds at which `given` is good enough; 0 if there are none.
    fn best(
        &self,
        tally: &Tally,
        given: impl Fn(&Counts) -> f64,
        wanted: impl Fn(&Counts) -> f64,
    ) -> Result<f64> {
        let counts = Thresholds::even(self.num_thresholds).counts(tally, 0)?;
        // Keras divides in 32 bits: 9 of 10 are 0.9 there, and must be here.
        let is_enough = |counts: &&Counts| given(counts) as f32 >= self.wanted as f32;
        Ok(counts.iter().filter(is_enough).map(wanted).fold(0.0, f64::max))
    }
}

/// The greatest share of true ones found (sensitivity) where at least this share of false ones is left alone
/// (specificity).
///
/// # Shape
/// Predictions `[batch, units]`, probabilities; targets of the same shape, 0 or 1. Targets `[batch]` fit predictions
/// `[batch, 1]`. Several columns are taken together, unless one is chosen.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, SensitivityAtSpecificity};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0.1f32, 0.2, 0.8, 0.9]);
/// assert_eq!(SensitivityAtSpecificity::new(0.5).measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.SensitivityAtSpecificity`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct SensitivityAtSpecificity(Point);

impl SensitivityAtSpecificity {
    /// The specificity that is good enough, from 0 to 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Metric, SensitivityAtSpecificity};
    /// assert_eq!(SensitivityAtSpecificity::new(0.9).name(), "sensitivity_at_specificity");
    /// ```
    pub fn new(specificity: f64) -> SensitivityAtSpecificity {
        SensitivityAtSpecificity(Point::new(specificity))
    }

    /// How many thresholds from 0 to 1 are tried; 200 if nothing is said.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::SensitivityAtSpecificity;
    /// let fine = SensitivityAtSpecificity::new(0.9).num_thresholds(1000);
    /// # let _ = fine;
    /// ```
    pub fn num_thresholds(mut self, count: usize) -> SensitivityAtSpecificity {
        self.0.num_thresholds = count;
        self
    }

    /// Only the column of this class, from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::SensitivityAtSpecificity;
    /// let of_sevens = SensitivityAtSpecificity::new(0.9).class_id(7);
    /// # let _ = of_sevens;
    /// ```
    pub fn class_id(mut self, class: usize) -> SensitivityAtSpecificity {
        self.0.class = Some(class);
        self
    }
}

impl Metric for SensitivityAtSpecificity {
    fn config(&self) -> Option<Config> {
        Some(self.0.config("SensitivityAtSpecificity", "specificity"))
    }

    fn name(&self) -> String {
        "sensitivity_at_specificity".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.best(tally, Counts::specificity, Counts::recall)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `sensitivity_at_specificity`")
    }
}

/// The greatest share of false ones left alone (specificity) where at least this share of true ones is found
/// (sensitivity).
///
/// # Shape
/// As for [`SensitivityAtSpecificity`].
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, SpecificityAtSensitivity};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0.1f32, 0.2, 0.8, 0.9]);
/// assert_eq!(SpecificityAtSensitivity::new(0.5).measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.SpecificityAtSensitivity`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct SpecificityAtSensitivity(Point);

impl SpecificityAtSensitivity {
    /// The sensitivity that is good enough, from 0 to 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Metric, SpecificityAtSensitivity};
    /// assert_eq!(SpecificityAtSensitivity::new(0.9).name(), "specificity_at_sensitivity");
    /// ```
    pub fn new(sensitivity: f64) -> SpecificityAtSensitivity {
        SpecificityAtSensitivity(Point::new(sensitivity))
    }

    /// How many thresholds from 0 to 1 are tried; 200 if nothing is said.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::SpecificityAtSensitivity;
    /// let fine = SpecificityAtSensitivity::new(0.9).num_thresholds(1000);
    /// # let _ = fine;
    /// ```
    pub fn num_thresholds(mut self, count: usize) -> SpecificityAtSensitivity {
        self.0.num_thresholds = count;
        self
    }

    /// Only the column of this class, from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::SpecificityAtSensitivity;
    /// let of_sevens = SpecificityAtSensitivity::new(0.9).class_id(7);
    /// # let _ = of_sevens;
    /// ```
    pub fn class_id(mut self, class: usize) -> SpecificityAtSensitivity {
        self.0.class = Some(class);
        self
    }
}

impl Metric for SpecificityAtSensitivity {
    fn config(&self) -> Option<Config> {
        Some(self.0.config("SpecificityAtSensitivity", "sensitivity"))
    }

    fn name(&self) -> String {
        "specificity_at_sensitivity".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.best(tally, Counts::recall, Counts::specificity)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `specificity_at_sensitivity`")
    }
}

/// The greatest precision where at least this share of true ones is found.
///
/// # Shape
/// As for [`SensitivityAtSpecificity`].
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, PrecisionAtRecall};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0.1f32, 0.2, 0.8, 0.9]);
/// assert_eq!(PrecisionAtRecall::new(0.5).measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.PrecisionAtRecall`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct PrecisionAtRecall(Point);

impl PrecisionAtRecall {
    /// The recall that is good enough, from 0 to 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Metric, PrecisionAtRecall};
    /// assert_eq!(PrecisionAtRecall::new(0.9).name(), "precision_at_recall");
    /// ```
    pub fn new(recall: f64) -> PrecisionAtRecall {
        PrecisionAtRecall(Point::new(recall))
    }

    /// How many thresholds from 0 to 1 are tried; 200 if nothing is said.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::PrecisionAtRecall;
    /// let fine = PrecisionAtRecall::new(0.9).num_thresholds(1000);
    /// # let _ = fine;
    /// ```
    pub fn num_thresholds(mut self, count: usize) -> PrecisionAtRecall {
        self.0.num_thresholds = count;
        self
    }

    /// Only the column of this class, from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::PrecisionAtRecall;
    /// let of_sevens = PrecisionAtRecall::new(0.9).class_id(7);
    /// # let _ = of_sevens;
    /// ```
    pub fn class_id(mut self, class: usize) -> PrecisionAtRecall {
        self.0.class = Some(class);
        self
    }
}

impl Metric for PrecisionAtRecall {
    fn config(&self) -> Option<Config> {
        Some(self.0.config("PrecisionAtRecall", "recall"))
    }

    fn name(&self) -> String {
        "precision_at_recall".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.best(tally, Counts::recall, Counts::precision)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `precision_at_recall`")
    }
}

/// The greatest recall where at least this share of the predictions of yes is right.
///
/// # Shape
/// As for [`SensitivityAtSpecificity`].
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, RecallAtPrecision};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0.1f32, 0.2, 0.8, 0.9]);
/// assert_eq!(RecallAtPrecision::new(0.5).measure(&y, &p)?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.RecallAtPrecision`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct RecallAtPrecision(Point);

impl RecallAtPrecision {
    /// The precision that is good enough, from 0 to 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Metric, RecallAtPrecision};
    /// assert_eq!(RecallAtPrecision::new(0.9).name(), "recall_at_precision");
    /// ```
    pub fn new(precision: f64) -> RecallAtPrecision {
        RecallAtPrecision(Point::new(precision))
    }

    /// How many thresholds from 0 to 1 are tried; 200 if nothing is said.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::RecallAtPrecision;
    /// let fine = RecallAtPrecision::new(0.9).num_thresholds(1000);
    /// # let _ = fine;
    /// ```
    pub fn num_thresholds(mut self, count: usize) -> RecallAtPrecision {
        self.0.num_thresholds = count;
        self
    }

    /// Only the column of this class, from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::RecallAtPrecision;
    /// let of_sevens = RecallAtPrecision::new(0.9).class_id(7);
    /// # let _ = of_sevens;
    /// ```
    pub fn class_id(mut self, class: usize) -> RecallAtPrecision {
        self.0.class = Some(class);
        self
    }
}

impl Metric for RecallAtPrecision {
    fn config(&self) -> Option<Config> {
        Some(self.0.config("RecallAtPrecision", "precision"))
    }

    fn name(&self) -> String {
        "recall_at_precision".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.best(tally, Counts::precision, Counts::recall)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `recall_at_precision`")
    }
}
