//! How well scores tell two classes apart, over all thresholds: ROC and precision-recall curves.
//!
//! Curves are exact: one point for each score that comes up, samples of equal scores together, areas from whole numbers.

use crate::LineChart;
use crate::answers::{class_numbers, columns_of, positives, scores};
use carnyx_graph::{Array, Error, Result};
use std::panic::Location;

/// The receiver operating characteristic: for each threshold, the share of positive samples above it over the share of
/// negative ones.
///
/// The area below it is the probability that a positive sample has a higher score than a negative one, where equal
/// scores count half: 0.5 for scores that know nothing, 1 for perfect ones.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_plot::RocCurve;
/// let labels = Array::from([0u8, 0, 1, 1]);
/// let scores = Array::from([0.1f32, 0.4, 0.35, 0.8]);
/// let curve = RocCurve::of(&labels, &scores)?;
/// assert_eq!(curve.area, 0.75);
/// assert_eq!(curve.points[0], (0.0, 0.0));
/// assert!(curve.plot().to_svg()?.contains("area 0.750"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// # Reference
/// Fawcett, *An introduction to ROC analysis*, 2006.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RocCurve {
    /// The share of the negative samples, and of the positive ones, whose score is at least the threshold: from (0, 0)
    /// to (1, 1).
    pub points: Vec<(f64, f64)>,
    /// The threshold of each point, from infinity down.
    pub thresholds: Vec<f64>,
    /// The area below the curve.
    pub area: f64,
}

/// For each threshold, which share of the samples above it are positive, over the share of positive samples that are
/// above it.
///
/// Its area is the average precision, the sum of `(recall - recall before) * precision` over the thresholds: what is
/// between two points is not interpolated, which would be too optimistic. Scores that know nothing have the share of
/// positive samples.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_plot::PrecisionRecallCurve;
/// let labels = Array::from([0u8, 0, 1, 1]);
/// let scores = Array::from([0.1f32, 0.4, 0.35, 0.8]);
/// let curve = PrecisionRecallCurve::of(&labels, &scores)?;
/// assert_eq!(curve.points, [(0.0, 1.0), (0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5)]);
/// assert!((curve.area - 5.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// # Reference
/// Davis and Goadrich, *The relationship between precision-recall and ROC curves*, 2006.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrecisionRecallCurve {
    /// Recall and precision, from no sample to all of them; the first precision is 1.
    pub points: Vec<(f64, f64)>,
    /// The threshold of each point, from infinity down.
    pub thresholds: Vec<f64>,
    /// The average precision.
    pub area: f64,
    /// The share of positive samples.
    pub prevalence: f64,
}

impl RocCurve {
    /// The curve of `scores` for samples with these labels, 0 or 1: both `[samples]` or `[samples, 1]`. Greater scores
    /// mean 1; they need not be probabilities.
    ///
    /// # Errors
    /// `shape`, if the shapes do not fit; `data`, if there are no samples, labels are neither 0 nor 1 or all the same, or
    /// a score is NaN.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::RocCurve;
    /// let (labels, scores) = (Array::from([0u8, 1]), Array::from([[-1.5f32], [3.0]]));
    /// assert_eq!(RocCurve::of(&labels, &scores)?.area, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(labels: &Array, scores: &Array) -> Result<RocCurve> {
        let site = Location::caller();
        sorted(labels, scores).map(|steps| RocCurve::through(&steps)).map_err(|error| error.at(site))
    }

    /// A curve for each class against all others: labels are class numbers or one-hot, scores `[samples, classes]`.
    ///
    /// # Errors
    /// As [`RocCurve::of`]; `data`, if a class has no samples.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::RocCurve;
    /// let labels = Array::from([0u8, 1, 2]);
    /// let scores = Array::from([[0.8f32, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3]]);
    /// let curves = RocCurve::of_classes(&labels, &scores)?;
    /// assert_eq!(curves.len(), 3);
    /// let chart = RocCurve::compare(["cat", "dog", "cow"].into_iter().zip(&curves));
    /// assert!(chart.to_svg()?.contains("dog: area 1.000"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of_classes(labels: &Array, scores: &Array) -> Result<Vec<RocCurve>> {
        let site = Location::caller();
        let curves = sorted_by_class(labels, scores).map_err(|error| error.at(site))?;
        Ok(curves.iter().map(|steps| RocCurve::through(steps)).collect())
    }

    /// A chart of the curve, beside the diagonal of scores that know nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::RocCurve;
    /// let curve = RocCurve::of(&Array::from([0u8, 1, 1]), &Array::from([0.3f32, 0.2, 0.9]))?;
    /// assert!(curve.plot().to_svg()?.contains("area 0.500"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn plot(&self) -> LineChart {
        chance(roc_chart().series(format!("area {:.3}", self.area), &self.points))
    }

    /// A chart of several curves with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::RocCurve;
    /// let labels = Array::from([0u8, 1, 1]);
    /// let wide = RocCurve::of(&labels, &Array::from([0.3f32, 0.2, 0.9]))?;
    /// let deep = RocCurve::of(&labels, &Array::from([0.3f32, 0.4, 0.9]))?;
    /// let chart = RocCurve::compare([("wide", &wide), ("deep", &deep)]);
    /// assert!(chart.to_svg()?.contains("deep: area 1.000"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn compare<'c, N: AsRef<str>>(curves: impl IntoIterator<Item = (N, &'c RocCurve)>) -> LineChart {
        let chart = curves.into_iter().fold(roc_chart(), |chart, (name, curve)| {
            chart.series(format!("{}: area {:.3}", name.as_ref(), curve.area), &curve.points)
        });
        chance(chart)
    }

    fn through(steps: &[Step]) -> RocCurve {
        let last = steps[steps.len() - 1];
        let (positive, negative) = (last.positive as f64, last.negative as f64);
        let points =
            steps.iter().map(|step| (step.negative as f64 / negative, step.positive as f64 / positive));
        // Twice the area in whole numbers: each step is a trapezium.
        let pieces = steps.windows(2).map(|pair| {
            let wide = pair[1].negative - pair[0].negative;
            u128::from(wide) * u128::from(pair[0].positive + pair[1].positive)
        });
        RocCurve {
            points: points.collect(),
            thresholds: steps.iter().map(|step| step.threshold).collect(),
            area: pieces.sum::<u128>() as f64 / (2.0 * positive * negative),
        }
    }
}

impl PrecisionRecallCurve {
    /// The curve of `scores` for samples with these labels, 0 or 1: both `[samples]` or `[samples, 1]`. Greater scores
    /// mean 1; they need not be probabilities.
    ///
    /// # Errors
    /// As [`RocCurve::of`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::PrecisionRecallCurve;
    /// let (labels, scores) = (Array::from([0u8, 1, 0, 0]), Array::from([0.1f32, 0.9, 0.2, 0.3]));
    /// let curve = PrecisionRecallCurve::of(&labels, &scores)?;
    /// assert_eq!((curve.area, curve.prevalence), (1.0, 0.25));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(labels: &Array, scores: &Array) -> Result<PrecisionRecallCurve> {
        let site = Location::caller();
        let steps = sorted(labels, scores).map_err(|error| error.at(site))?;
        Ok(PrecisionRecallCurve::through(&steps))
    }

    /// A curve for each class against all others: labels are class numbers or one-hot, scores `[samples, classes]`.
    ///
    /// # Errors
    /// As [`RocCurve::of_classes`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::PrecisionRecallCurve;
    /// let labels = Array::from([0u8, 1, 2]);
    /// let scores = Array::from([[0.8f32, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3]]);
    /// let curves = PrecisionRecallCurve::of_classes(&labels, &scores)?;
    /// assert_eq!(curves.iter().map(|curve| curve.area).collect::<Vec<_>>(), [1.0, 1.0, 1.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of_classes(labels: &Array, scores: &Array) -> Result<Vec<PrecisionRecallCurve>> {
        let site = Location::caller();
        let curves = sorted_by_class(labels, scores).map_err(|error| error.at(site))?;
        Ok(curves.iter().map(|steps| PrecisionRecallCurve::through(steps)).collect())
    }

    /// A chart of the curve, beside the line of scores that know nothing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::PrecisionRecallCurve;
    /// let curve = PrecisionRecallCurve::of(&Array::from([0u8, 1, 1]), &Array::from([0.1f32, 0.2, 0.9]))?;
    /// assert!(curve.plot().to_svg()?.contains("average precision 1.000"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn plot(&self) -> LineChart {
        let name = format!("average precision {:.3}", self.area);
        let chart = precision_recall_chart().series(name, &self.stairs());
        chart.baseline("chance", &[(0.0, self.prevalence), (1.0, self.prevalence)])
    }

    /// A chart of several curves with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::PrecisionRecallCurve;
    /// let labels = Array::from([0u8, 1, 1]);
    /// let wide = PrecisionRecallCurve::of(&labels, &Array::from([0.3f32, 0.2, 0.9]))?;
    /// let deep = PrecisionRecallCurve::of(&labels, &Array::from([0.3f32, 0.4, 0.9]))?;
    /// let chart = PrecisionRecallCurve::compare([("wide", &wide), ("deep", &deep)]);
    /// assert!(chart.to_svg()?.contains("deep: 1.000"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn compare<'c, N: AsRef<str>>(
        curves: impl IntoIterator<Item = (N, &'c PrecisionRecallCurve)>,
    ) -> LineChart {
        curves.into_iter().fold(precision_recall_chart(), |chart, (name, curve)| {
            chart.series(format!("{}: {:.3}", name.as_ref(), curve.area), &curve.stairs())
        })
    }

    fn through(steps: &[Step]) -> PrecisionRecallCurve {
        let last = steps[steps.len() - 1];
        let point = |step: &Step| match step.positive + step.negative {
            0 => (0.0, 1.0),
            all => (step.positive as f64 / last.positive as f64, step.positive as f64 / all as f64),
        };
        let points: Vec<(f64, f64)> = steps.iter().map(point).collect();
        PrecisionRecallCurve {
            area: points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * pair[1].1).sum(),
            points,
            thresholds: steps.iter().map(|step| step.threshold).collect(),
            prevalence: last.positive as f64 / (last.positive + last.negative) as f64,
        }
    }

    /// The curve as the average precision sees it: the precision of a point holds from the recall before it.
    fn stairs(&self) -> Vec<(f64, f64)> {
        let step = |pair: &[(f64, f64)]| [(pair[0].0, pair[1].1), pair[1]];
        self.points.windows(2).flat_map(step).collect()
    }
}

fn roc_chart() -> LineChart {
    LineChart::new("ROC curve")
        .x_label("false positive rate")
        .y_label("true positive rate")
        .y_range(0.0..=1.0)
}

fn chance(chart: LineChart) -> LineChart {
    chart.baseline("chance: area 0.500", &[(0.0, 0.0), (1.0, 1.0)])
}

fn precision_recall_chart() -> LineChart {
    LineChart::new("precision-recall curve").x_label("recall").y_label("precision").y_range(0.0..=1.0)
}

/// How many samples have a score of at least the threshold.
#[derive(Clone, Copy, Debug)]
struct Step {
    threshold: f64,
    positive: u64,
    negative: u64,
}

/// The counts at all thresholds from infinity down; the last are those of all samples, neither of which is 0.
fn sorted(labels: &Array, given: &Array) -> Result<Vec<Step>> {
    steps(&positives(labels)?, &scores(given)?)
}

fn sorted_by_class(labels: &Array, given: &Array) -> Result<Vec<Vec<Step>>> {
    let (classes, num_classes) = class_numbers(labels)?;
    let columns = columns_of(given, "scores")?;
    if columns < num_classes.max(2) {
        return Err(Error::new(
            "shape",
            format!("the scores have shape {:?}, but there are {num_classes} classes", given.shape()),
        )
        .help("give [samples, classes]: a score for each class"));
    }
    let values = given.to_vec::<f64>();
    let curve = |class: usize| {
        let is_class: Vec<bool> = classes.iter().map(|&other| other == class).collect();
        let column: Vec<f64> = values.chunks(columns).map(|row| row[class]).collect();
        if let Some(i) = column.iter().position(|score| score.is_nan()) {
            return Err(Error::new("data", format!("the score of class {class} for sample {i} is NaN")));
        }
        steps(&is_class, &column).map_err(|error| error.note(format!("for class {class} against the others")))
    };
    (0..columns).map(curve).collect()
}

fn steps(labels: &[bool], scores: &[f64]) -> Result<Vec<Step>> {
    if labels.len() != scores.len() {
        return Err(Error::new("shape", format!("{} labels, but {} scores", labels.len(), scores.len()))
            .help("give each sample one label and one score"));
    }
    let positive = labels.iter().filter(|&&label| label).count();
    if positive == 0 || positive == labels.len() {
        let kind = u8::from(positive > 0);
        return Err(Error::new("data", format!("all {} labels are {kind}", labels.len()))
            .label("a curve compares samples of both classes")
            .help("take data in which both come up"));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut steps = vec![Step { threshold: f64::INFINITY, positive: 0, negative: 0 }];
    let mut step = steps[0];
    // Not equal bits: 0 and -0 are one score.
    for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positive = equal.iter().filter(|&&i| labels[i]).count() as u64;
        step.positive += positive;
        step.negative += equal.len() as u64 - positive;
        step.threshold = scores[equal[0]];
        steps.push(step);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_are_one_point() {
        let labels = Array::from([0u8, 1, 0, 1, 1]);
        let scores = Array::from([0f32, -0.0, 1.0, 1.0, 2.0]);
        let curve = RocCurve::of(&labels, &scores).unwrap();
        assert_eq!(curve.points, [(0.0, 0.0), (0.0, 1.0 / 3.0), (0.5, 2.0 / 3.0), (1.0, 1.0)]);
        assert_eq!(curve.thresholds, [f64::INFINITY, 2.0, 1.0, 0.0]);
        // Of the 6 pairs, 2 are in order for the 2, 1.5 for the 1 and 0.5 for the 0.
        assert_eq!(curve.area, 4.0 / 6.0);
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        let number = |i: usize, of: usize| (i * 7919 % 1009) % of;
        let labels: Vec<u8> = (0..200).map(|i| u8::from(number(i, 5) < 2)).collect();
        let scores: Vec<f32> = (0..200).map(|i| number(3 * i + 1, 17) as f32).collect();
        let mut halves = 0;
        let mut pairs = 0;
        for i in (0..200).filter(|&i| labels[i] == 1) {
            for j in (0..200).filter(|&j| labels[j] == 0) {
                pairs += 2;
                halves += if scores[i] > scores[j] { 2 } else { i32::from(scores[i] == scores[j]) };
            }
        }
        let curve = RocCurve::of(&labels.into(), &scores.into()).unwrap();
        assert_eq!(curve.area, f64::from(halves) / f64::from(pairs));
    }

    #[test]
    fn infinite_scores_have_their_place() {
        let labels = Array::from([1u8, 0, 1]);
        let scores = Array::from([f32::INFINITY, f32::NEG_INFINITY, 0.0]);
        let curve = RocCurve::of(&labels, &scores).unwrap();
        assert_eq!(curve.area, 1.0);
        assert!(curve.plot().to_svg().is_ok());
        assert_eq!(PrecisionRecallCurve::of(&labels, &scores).unwrap().area, 1.0);
    }
}
