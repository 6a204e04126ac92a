//! Precision and recall as one number.
// The constants are named as the types, so that a metric reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::{Metric, Tally, misfit};
use crate::Config;
use crate::losses::{EPSILON, check_truth_values, fit_to};
use carnyx_graph::{Array, Error, Result, Shape, Tensor};

/// How the scores of classes become one number.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Average, F1Score};
/// let metric = F1Score.average(Average::Macro);
/// # let _ = metric;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Average {
    /// Not at all: the logs hold a score for each class, `f1_score_0`, `f1_score_1`, …
    #[default]
    None,
    /// All decisions count alike: the score of all classes' counts together.
    Micro,
    /// All classes count alike: the mean of their scores.
    Macro,
    /// Classes count by how often they are true.
    Weighted,
}

impl Average {
    /// The word for it in Keras.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Average::None => None,
            Average::Micro => Some("micro"),
            Average::Macro => Some("macro"),
            Average::Weighted => Some("weighted"),
        }
    }
}

/// The weighted harmonic mean of precision and recall:
/// `(1 + beta²) precision recall / (beta² precision + recall)`, for each class.
///
/// Recall is `beta` times as important as precision. The greatest value of a row says yes, or all above a
/// [`threshold`](FBetaScore::threshold).
///
/// # Shape
/// Predictions `[batch, classes]`, probabilities; targets of the same shape, one-hot rows or several labels.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Average, FBetaScore, Metric};
/// let y = Array::from([[1f32, 0.0], [1.0, 0.0], [0.0, 1.0]]);
/// let p = Array::from([[0.9f32, 0.1], [0.4, 0.6], [0.2, 0.8]]);
/// let score = FBetaScore.beta(2.0).average(Average::Micro).measure(&y, &p)?;
/// assert!((score - 2.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.FBetaScore`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Copy, Debug)]
pub struct FBetaScore {
    beta: f64,
    average: Average,
    threshold: Option<f64>,
}

/// The score with a `beta` of 1, for each class.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{FBetaScore, Metric};
/// assert_eq!(FBetaScore.name(), "fbeta_score");
/// ```
pub const FBetaScore: FBetaScore = FBetaScore { beta: 1.0, average: Average::None, threshold: None };

impl FBetaScore {
    /// How many times as important recall is; above 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::FBetaScore;
    /// let thorough = FBetaScore.beta(2.0);
    /// # let _ = thorough;
    /// ```
    pub fn beta(mut self, beta: f64) -> FBetaScore {
        self.beta = beta;
        self
    }

    /// How the scores of classes become one number.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Average, FBetaScore};
    /// let metric = FBetaScore.beta(0.5).average(Average::Weighted);
    /// # let _ = metric;
    /// ```
    pub fn average(mut self, average: Average) -> FBetaScore {
        self.average = average;
        self
    }

    /// All predictions above `threshold` say yes, instead of the greatest of each row: for samples with several labels.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::FBetaScore;
    /// let of_tags = FBetaScore.threshold(0.5);
    /// # let _ = of_tags;
    /// ```
    pub fn threshold(mut self, threshold: f64) -> FBetaScore {
        self.threshold = Some(threshold);
        self
    }

    fn options(&self, class: &'static str) -> Config {
        let average = self.average.word().into_iter();
        let config = average.fold(Config::new(class), |config, word| config.field("average", word));
        self.threshold.into_iter().fold(config, |config, threshold| config.field("threshold", threshold))
    }

    fn check(&self, target: &Tensor, prediction: &Tensor) -> Result {
        if self.beta <= 0.0 || self.beta.is_nan() {
            return Err(Error::new("metric", format!("a `beta` of {}", self.beta))
                .label("it is how many times as important recall is as precision")
                .help("take a number above 0: 1 is the F1 score"));
        }
        if let Some(threshold) = self.threshold
            && !(threshold > 0.0 && threshold <= 1.0)
        {
            return Err(Error::new("metric", format!("a threshold of {threshold}"))
                .label("predictions are probabilities")
                .help("take a threshold above 0 and up to 1"));
        }
        fit_to(target, prediction).check()?;
        if prediction.rank() != 2 {
            return Err(misfit(target, prediction)
                .label("a score needs columns, one for each class: [batch, classes]")
                .help("give the targets one-hot rows, and the last layer one unit for each class"));
        }
        Ok(())
    }

    /// The score of each class, with how often it is true; of all together where they are not told apart.
    fn scores(&self, tally: &Tally) -> Result<Vec<(f64, f64)>> {
        let counts = |name: &str| -> Result<Vec<f64>> {
            let counts = tally.total(name)?.to_vec::<f64>();
            Ok(if self.average == Average::Micro { vec![counts.iter().sum()] } else { counts })
        };
        let (found, wrong) = (counts("true_positives")?, counts("false_positives")?);
        let (missed, support) = (counts("false_negatives")?, counts("support")?);
        let weight = self.beta * self.beta;
        let score = |i: usize| {
            let precision = found[i] / (found[i] + wrong[i] + EPSILON);
            let recall = found[i] / (found[i] + missed[i] + EPSILON);
            let mean = precision * recall / (weight * precision + recall + EPSILON);
            (mean * (1.0 + weight), support[i])
        };
        Ok((0..found.len()).map(score).collect())
    }
}

/// A `beta` of 1, for each class.
impl Default for FBetaScore {
    fn default() -> FBetaScore {
        FBetaScore
    }
}

impl Metric for FBetaScore {
    fn config(&self) -> Option<Config> {
        Some(self.options("FBetaScore").field("beta", self.beta))
    }

    fn name(&self) -> String {
        "fbeta_score".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        if let Err(error) = self.check(target, prediction) {
            return tally.refuse(error);
        }
        let y = fit_to(target, prediction);
        let says_yes = match self.threshold {
            Some(threshold) => prediction.greater(threshold),
            // A row of zeros says nothing.
            None => {
                let greatest = prediction.greater_equal(prediction.max_keep(-1));
                greatest.logical_and(prediction.abs().greater(1e-9))
            }
        };
        let said = says_yes.cast(y.dtype());
        let mut add = |name, counted: Tensor| {
            let counted = tally.weigh(&counted).sum_along(0);
            tally.add(name, &counted);
        };
        add("true_positives", &said * &y);
        add("false_positives", &said * (1.0 - &y));
        add("false_negatives", (1.0 - &said) * &y);
        add("support", y);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        let scores = self.scores(tally)?;
        Ok(if self.average == Average::Weighted {
            let support: f64 = scores.iter().map(|(_, support)| support).sum();
            scores.iter().map(|(score, share)| score * share / (support + EPSILON)).sum()
        } else {
            scores.iter().map(|(score, _)| score).sum::<f64>() / scores.len().max(1) as f64
        })
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        if self.average != Average::None {
            return Ok(Vec::new());
        }
        Ok(self.scores(tally)?.into_iter().map(|(score, _)| score).collect())
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `fbeta_score`")
    }
}

/// The harmonic mean of precision and recall, `2 precision recall / (precision + recall)`, for each class: high only
/// where both are.
///
/// # Shape
/// As for [`FBetaScore`](struct@FBetaScore). Without an [`average`](F1Score::average), the logs hold `f1_score_0`,
/// `f1_score_1`, …, one for each class.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Average, F1Score, Metric};
/// let y = Array::from([[1f32, 0.0], [1.0, 0.0], [0.0, 1.0]]);
/// let p = Array::from([[0.9f32, 0.1], [0.4, 0.6], [0.2, 0.8]]);
/// let score = F1Score.average(Average::Macro).measure(&y, &p)?;
/// assert!((score - 2.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.F1Score`](https://keras.io/api/metrics/classification_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct F1Score {
    score: FBetaScore,
}

/// The score of each class, by the greatest value of each row.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{F1Score, Metric};
/// assert_eq!(F1Score.name(), "f1_score");
/// ```
pub const F1Score: F1Score = F1Score { score: FBetaScore };

impl F1Score {
    /// How the scores of classes become one number.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Average, F1Score};
    /// let metric = F1Score.average(Average::Macro);
    /// # let _ = metric;
    /// ```
    pub fn average(self, average: Average) -> F1Score {
        F1Score { score: self.score.average(average) }
    }

    /// All predictions above `threshold` say yes, instead of the greatest of each row: for samples with several labels.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::F1Score;
    /// let of_tags = F1Score.threshold(0.5);
    /// # let _ = of_tags;
    /// ```
    pub fn threshold(self, threshold: f64) -> F1Score {
        F1Score { score: self.score.threshold(threshold) }
    }
}

impl Metric for F1Score {
    fn config(&self) -> Option<Config> {
        Some(self.score.options("F1Score"))
    }

    fn name(&self) -> String {
        "f1_score".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.score.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.score.result(tally)
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        self.score.each(tally)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "the metric `f1_score`")
    }
}
