//! How much of the targets' variance the predictions explain.
// The constant is named as the type, so that the metric reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::thresholds::ratio;
use super::{Metric, Tally, misfit};
use crate::Config;
use crate::losses::fit_to;
use carnyx_graph::{DType, Result, Tensor};

/// How the scores of columns become one number.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Aggregation, R2Score};
/// let metric = R2Score.class_aggregation(Aggregation::VarianceWeightedAverage);
/// # let _ = metric;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// Not at all: the logs hold a score for each column, `r2_score_0`, `r2_score_1`, …
    None,
    /// The mean of the columns' scores.
    #[default]
    UniformAverage,
    /// The mean in which columns count by their variance.
    VarianceWeightedAverage,
}

impl Aggregation {
    /// The word for it in Keras.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Aggregation::None => None,
            Aggregation::UniformAverage => Some("uniform_average"),
            Aggregation::VarianceWeightedAverage => Some("variance_weighted_average"),
        }
    }
}

/// The coefficient of determination: `1 - Σ (y - p)² / Σ (y - ȳ)²`. 1 is perfect, 0 no better than the mean of the
/// targets, below 0 worse.
///
/// A column of equal targets has no variance to explain, and a score of 0.
///
/// # Shape
/// Predictions and targets `[batch, units]`; targets `[batch]` fit predictions `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, R2Score};
/// let y = Array::from([[1f32], [4.0], [3.0]]);
/// let p = Array::from([[2f32], [4.0], [4.0]]);
/// assert!((R2Score.measure(&y, &p)? - 0.5714286).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.R2Score`](https://keras.io/api/metrics/regression_metrics/).
#[derive(Clone, Copy, Debug, Default)]
pub struct R2Score {
    aggregation: Aggregation,
    num_regressors: usize,
}

/// The mean of the columns' scores, not adjusted.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{Metric, R2Score};
/// assert_eq!(R2Score.name(), "r2_score");
/// ```
pub const R2Score: R2Score = R2Score { aggregation: Aggregation::UniformAverage, num_regressors: 0 };

impl R2Score {
    /// How the scores of columns become one number.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Aggregation, R2Score};
    /// let of_each_column = R2Score.class_aggregation(Aggregation::None);
    /// # let _ = of_each_column;
    /// ```
    pub fn class_aggregation(mut self, aggregation: Aggregation) -> R2Score {
        self.aggregation = aggregation;
        self
    }

    /// Adjusts the score for the number of features that the model could choose from:
    /// `1 - (1 - R²) (n - 1) / (n - count - 1)`, as long as there are more targets `n` than that. As in Keras, `n` counts
    /// the targets of all columns.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::R2Score;
    /// let adjusted = R2Score.num_regressors(5);
    /// # let _ = adjusted;
    /// ```
    pub fn num_regressors(mut self, count: usize) -> R2Score {
        self.num_regressors = count;
        self
    }

    /// Score and variance (times the count) of each column.
    fn columns(tally: &Tally) -> Result<Vec<(f64, f64)>> {
        let total = |name: &str| Ok(tally.total(name)?.to_vec::<f64>());
        let (count, sum) = (total("count")?, total("sum")?);
        let (squares, residual) = (total("squares")?, total("residual")?);
        let column = |i: usize| {
            let variance = squares[i] - sum[i] * ratio(sum[i], count[i]);
            (if variance == 0.0 { 0.0 } else { 1.0 - residual[i] / variance }, variance)
        };
        Ok((0..count.len()).map(column).collect())
    }

    fn adjusted(&self, score: f64, num_samples: f64) -> f64 {
        let (n, p) = (num_samples, self.num_regressors as f64);
        if p == 0.0 || p >= n - 1.0 { score } else { 1.0 - (1.0 - score) * (n - 1.0) / (n - p - 1.0) }
    }
}

impl Metric for R2Score {
    fn config(&self) -> Option<Config> {
        let config = Config::new("R2Score").field("class_aggregation", self.aggregation.word());
        Some(config.field("num_regressors", self.num_regressors))
    }

    fn name(&self) -> String {
        "r2_score".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let y = fit_to(target, prediction);
        if y.check().is_ok() && prediction.rank() != 2 {
            return tally.refuse(
                misfit(target, prediction)
                    .label("a score needs columns: predictions [batch, units]")
                    .help("flatten further axes, or give the last layer one unit"),
            );
        }
        let (y, p) = (y.cast(DType::F64), prediction.cast(DType::F64));
        let mut add = |name, values: Tensor| {
            let weighted = tally.weigh(&values).sum_along(0);
            tally.add(name, &weighted);
        };
        add("sum", y.clone());
        add("squares", y.square());
        add("residual", (&y - p).square());
        add("count", y.ones_like());
        tally.add("num_samples", &Tensor::scalar(y.shape().elements().unwrap_or(0) as f64));
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        let columns = R2Score::columns(tally)?;
        let score = if self.aggregation == Aggregation::VarianceWeightedAverage {
            let weighted: f64 = columns.iter().map(|(score, variance)| score * variance).sum();
            ratio(weighted, columns.iter().map(|(_, variance)| variance).sum())
        } else {
            columns.iter().map(|(score, _)| score).sum::<f64>() / columns.len().max(1) as f64
        };
        Ok(self.adjusted(score, tally.total("num_samples")?.item()?))
    }

    fn each(&self, tally: &Tally) -> Result<Vec<f64>> {
        if self.aggregation != Aggregation::None {
            return Ok(Vec::new());
        }
        let num_samples = tally.total("num_samples")?.item()?;
        Ok(R2Score::columns(tally)?.iter().map(|(score, _)| self.adjusted(*score, num_samples)).collect())
    }
}
