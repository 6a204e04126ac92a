//! The area under a curve that a threshold draws, as it goes from 0 to 1.
// The constant is named as the type, so that the metric reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::thresholds::{Counts, Thresholds, check_thresholds, ratio};
use super::{Metric, Tally, misfit};
use crate::Config;
use crate::losses::{check_truth_values, fit_to};
use carnyx_graph::{Array, Error, Result, Shape, Tensor};

/// The curve of which [`Auc`](struct@Auc) is the area.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Auc, Curve};
/// let metric = Auc.curve(Curve::PrecisionRecall);
/// # let _ = metric;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Curve {
    /// The share of true ones found over the share of false alarms (receiver operating characteristic). 0.5 is chance.
    #[default]
    Roc,
    /// Precision over recall: says more where few targets are true.
    PrecisionRecall,
    /// Both as gains over a classifier that always says yes.
    ///
    /// Reference: Flach and Kull, Precision-Recall-Gain Curves, 2015.
    PrecisionRecallGain,
}

impl Curve {
    /// The word for it in Keras.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Curve::Roc => "ROC",
            Curve::PrecisionRecall => "PR",
            Curve::PrecisionRecallGain => "PRGAIN",
        }
    }
}

/// How the area between two points of a curve is measured.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Auc, Summation};
/// let careful = Auc.summation(Summation::Minoring);
/// # let _ = careful;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Summation {
    /// Under the line between them; under precision and recall, which no line joins, by interpolating the counts.
    ///
    /// Reference: Davis and Goadrich, [The Relationship Between Precision-Recall and ROC
    /// Curves](https://doi.org/10.1145/1143844.1143874).
    #[default]
    Interpolation,
    /// Under the lower of both: never too much.
    Minoring,
    /// Under the higher of both: never too little.
    Majoring,
}

impl Summation {
    /// The word for it in Keras.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Summation::Interpolation => "interpolation",
            Summation::Minoring => "minoring",
            Summation::Majoring => "majoring",
        }
    }
}

/// The area under the curve of a binary classifier: how probable it is that it ranks a true sample above a false one,
/// whatever the threshold.
///
/// Predictions are sorted into the 199 slots between 200 thresholds, so the area is a close approximation; more
/// [`num_thresholds`](Auc::num_thresholds) bring it closer, at no cost for training.
///
/// # Shape
/// Predictions `[batch]` or `[batch, 1]`, probabilities; targets of the same shape up to that axis, 0 or 1. With
/// [`multi_label`](Auc::multi_label), both `[batch, labels]`.
///
/// # Errors
/// `metric-shape`, before training, for predictions of several columns without `multi_label`.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Auc, Metric};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0.1f32, 0.4, 0.35, 0.8]);
/// assert!((Auc.measure(&y, &p)? - 0.75).abs() < 1e-6); // three of four pairs are in order
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.AUC`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Debug)]
pub struct Auc {
    num_thresholds: usize,
    thresholds: Vec<f64>,
    curve: Curve,
    summation: Summation,
    multi_label: bool,
    label_weights: Vec<f64>,
    from_logits: bool,
}

/// The area under the receiver operating characteristic, of probabilities, with 200 thresholds.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Auc, Metric};
/// assert_eq!(Auc.name(), "auc");
/// ```
pub const Auc: Auc = Auc {
    num_thresholds: 200,
    thresholds: Vec::new(),
    curve: Curve::Roc,
    summation: Summation::Interpolation,
    multi_label: false,
    label_weights: Vec::new(),
    from_logits: false,
};

impl Auc {
    /// The curve.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Auc, Curve};
    /// let metric = Auc.curve(Curve::PrecisionRecall);
    /// # let _ = metric;
    /// ```
    pub fn curve(mut self, curve: Curve) -> Auc {
        self.curve = curve;
        self
    }

    /// How the area between two thresholds is measured.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Auc, Summation};
    /// let upper_bound = Auc.summation(Summation::Majoring);
    /// # let _ = upper_bound;
    /// ```
    pub fn summation(mut self, summation: Summation) -> Auc {
        self.summation = summation;
        self
    }

    /// How many thresholds from 0 to 1 there are; at least 2.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Auc;
    /// let fine = Auc.num_thresholds(1000);
    /// # let _ = fine;
    /// ```
    pub fn num_thresholds(mut self, count: usize) -> Auc {
        self.num_thresholds = count;
        self
    }

    /// The thresholds between 0 and 1, instead of evenly spaced ones.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Auc;
    /// let of_rare_ones = Auc.thresholds([0.001, 0.01, 0.1, 0.5]);
    /// # let _ = of_rare_ones;
    /// ```
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Auc {
        self.thresholds = thresholds.into();
        self
    }

    /// An area for each column, and the mean of them.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Auc;
    /// let of_tags = Auc.multi_label();
    /// # let _ = of_tags;
    /// ```
    pub fn multi_label(mut self) -> Auc {
        self.multi_label = true;
        self
    }

    /// How much each column counts in the mean; for several columns, so it means `multi_label` too.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Auc;
    /// let metric = Auc.label_weights([1.0, 1.0, 5.0]);
    /// # let _ = metric;
    /// ```
    pub fn label_weights(mut self, weights: impl Into<Vec<f64>>) -> Auc {
        self.label_weights = weights.into();
        self.multi_label()
    }

    /// The same for predictions before `sigmoid`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::Auc;
    /// let metric = Auc.from_logits();
    /// # let _ = metric;
    /// ```
    pub fn from_logits(mut self) -> Auc {
        self.from_logits = true;
        self
    }

    fn all_thresholds(&self) -> Thresholds {
        if self.thresholds.is_empty() {
            return Thresholds::even(self.num_thresholds).beyond();
        }
        let mut all = self.thresholds.clone();
        all.extend([0.0, 1.0]);
        Thresholds::listed(&all).beyond()
    }

    /// What cannot be measured.
    fn check(&self, target: &Tensor, prediction: &Tensor) -> Result {
        check_thresholds(&self.thresholds)?;
        if self.num_thresholds < 2 {
            return Err(Error::new("metric", format!("a curve with {} thresholds", self.num_thresholds))
                .label("a curve needs two points at least")
                .help("200 is the default"));
        }
        fit_to(target, prediction).check()?;
        let (rank, columns) = (prediction.rank(), prediction.dim(-1));
        if !self.multi_label && rank > 1 && columns > 1 {
            return Err(misfit(target, prediction)
                .label("a curve compares one probability for each sample with 0 or 1")
                .help("`Auc.multi_label()` takes the mean over the columns"));
        }
        if self.multi_label && rank != 2 {
            return Err(misfit(target, prediction)
                .label("several labels are columns: [batch, labels]")
                .help("without `multi_label`, one column is one curve"));
        }
        let weights = self.label_weights.len();
        if weights > 0 && weights != columns {
            return Err(misfit(target, prediction)
                .label(format!("but {weights} weights of labels were given"))
                .help("give one weight for each column"));
        }
        Ok(())
    }
}

/// As the constant.
impl Default for Auc {
    fn default() -> Auc {
        Auc
    }
}

impl Metric for Auc {
    fn config(&self) -> Option<Config> {
        let config = Config::new("AUC").field("curve", self.curve.word());
        let config = config.field("summation_method", self.summation.word());
        let config = config.unless_default("from_logits", self.from_logits, false);
        let config = config.unless_default("multi_label", self.multi_label, false);
        let config = config.unless_default("label_weights", self.label_weights.clone(), Vec::new());
        Some(match &self.thresholds[..] {
            [] => config.field("num_thresholds", self.num_thresholds),
            chosen => config.field("num_thresholds", chosen.len() + 2).field("thresholds", chosen.to_vec()),
        })
    }

    fn name(&self) -> String {
        "auc".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        if let Err(error) = self.check(target, prediction) {
            return tally.refuse(error);
        }
        let is_true = fit_to(target, prediction).not_equal(0.0);
        let p = if self.from_logits { prediction.sigmoid() } else { prediction.clone() };
        self.all_thresholds().add(tally, &is_true, &p, self.multi_label);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        let thresholds = self.all_thresholds();
        let (mut area, mut weight) = (0.0, 0.0);
        for column in 0..thresholds.columns(tally)? {
            let counted = self.label_weights.get(column).copied().unwrap_or(1.0);
            area += counted * self.area(&thresholds.counts(tally, column)?);
            weight += counted;
        }
        Ok(ratio(area, weight))
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `auc`")
    }
}

impl Auc {
    fn area(&self, counts: &[Counts]) -> f64 {
        if (self.curve, self.summation) == (Curve::PrecisionRecall, Summation::Interpolation) {
            return counts.windows(2).map(|pair| between_counts(&pair[0], &pair[1])).sum();
        }
        let points: Vec<(f64, f64)> = counts.iter().map(|counts| self.point(counts)).collect();
        let between = |pair: &[(f64, f64)]| {
            let ((x, y), (next_x, next_y)) = (pair[0], pair[1]);
            let height = match self.summation {
                Summation::Interpolation => f64::midpoint(y, next_y),
                Summation::Minoring => y.min(next_y),
                Summation::Majoring => y.max(next_y),
            };
            (x - next_x) * height
        };
        points.windows(2).map(between).sum()
    }

    fn point(&self, counts: &Counts) -> (f64, f64) {
        match self.curve {
            Curve::Roc => {
                let negatives = counts.false_positives + counts.true_negatives;
                (ratio(counts.false_positives, negatives), counts.recall())
            }
            Curve::PrecisionRecall => (counts.recall(), counts.precision()),
            Curve::PrecisionRecallGain => gains(counts),
        }
    }
}

/// The area under precision over recall between two thresholds, where both counts of positives grow evenly.
fn between_counts(low: &Counts, high: &Counts) -> f64 {
    let positives = |counts: &Counts| counts.true_positives + counts.false_positives;
    let (from, to) = (positives(high), positives(low));
    let found = low.true_positives - high.true_positives;
    let slope = ratio(found, (to - from).max(0.0));
    let intercept = high.true_positives - slope * from;
    let growth = if from > 0.0 && to > 0.0 { to / from } else { 1.0 };
    ratio(slope * (found + intercept * growth.ln()), high.true_positives + high.false_negatives)
}

/// Recall and precision as gains over saying yes always. Without a found one, recall gains nothing and precision all.
fn gains(counts: &Counts) -> (f64, f64) {
    if counts.true_positives == 0.0 {
        return (0.0, 1.0);
    }
    let positives = counts.true_positives + counts.false_negatives;
    let odds = ratio(positives, counts.true_negatives + counts.false_positives);
    let gain = |wrong: f64| 1.0 - odds * wrong / counts.true_positives;
    (gain(counts.false_negatives).max(0.0), gain(counts.false_positives))
}
