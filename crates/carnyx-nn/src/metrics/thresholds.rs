//! How often predictions lie above thresholds, counted for all thresholds at once.
//!
//! A prediction falls into the slot of the number of thresholds below it. Totals are histograms of slots, of positive
//! and of negative targets: one pass over the batch, however many thresholds there are. What lies above a threshold is
//! the sum of the slots beyond it, taken when somebody wants the result. Invariant: thresholds are in ascending order.

use super::Tally;
use crate::losses::EPSILON;
use carnyx_graph::{Array, DType, Error, Result, Tensor};

/// Thresholds in ascending order.
pub(super) struct Thresholds {
    values: Vec<f64>,
    /// Whether they divide 0 to 1 evenly, so that a slot is found by a multiplication.
    even: bool,
    /// Whether the first lies below 0 and the last above 1, by what rounding may lose.
    beyond_ends: bool,
}

impl Thresholds {
    /// `count` thresholds from 0 to 1; 0.5 alone if it is one.
    pub(super) fn even(count: usize) -> Thresholds {
        if count < 2 {
            return Thresholds { values: vec![0.5], even: false, beyond_ends: false };
        }
        let values = (0..count).map(|i| i as f64 / (count - 1) as f64).collect();
        Thresholds { values, even: true, beyond_ends: false }
    }

    /// The same from a little below 0 to a little above 1: everything lies above the first, nothing above the last.
    pub(super) fn beyond(mut self) -> Thresholds {
        self.beyond_ends = true;
        if let [first, .., last] = &mut self.values[..] {
            (*first, *last) = (-EPSILON, 1.0 + EPSILON);
        }
        self
    }

    /// Thresholds that the user chose.
    pub(super) fn listed(chosen: &[f64]) -> Thresholds {
        let mut values = chosen.to_vec();
        values.sort_by(f64::total_cmp);
        let even = |i: usize| i as f64 / (values.len() - 1) as f64;
        let is_near = |(i, value): (usize, &f64)| (value - even(i)).abs() <= EPSILON + 1e-5 * even(i);
        let even = values.len() > 2 && values.iter().enumerate().all(is_near);
        Thresholds { values, even, beyond_ends: false }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The place of a threshold that the user chose.
    pub(super) fn place(&self, threshold: f64) -> usize {
        self.values.iter().position(|value| *value == threshold).unwrap_or(0)
    }

    /// The number of thresholds below each prediction.
    #[track_caller]
    fn below(&self, prediction: &Tensor) -> Tensor {
        if self.even {
            let place = (prediction.clip(0.0, 1.0) * (self.len() - 1) as f64).ceil();
            let place = if self.beyond_ends { place.maximum(1.0) } else { place };
            return place.cast(DType::I64);
        }
        if let [threshold] = self.values[..] {
            return prediction.greater(threshold).cast(DType::I64);
        }
        let thresholds = Tensor::from(&Array::from(self.values.clone())).cast(prediction.dtype());
        prediction.expand(-1).greater(thresholds).cast(DType::I64).sum_along(-1)
    }

    /// Adds predictions to the histograms of targets that are true and false. With `by_column`, each column has
    /// histograms of its own.
    #[track_caller]
    pub(super) fn add(&self, tally: &mut Tally, is_true: &Tensor, prediction: &Tensor, by_column: bool) {
        let (slots, columns) = (self.len() + 1, if by_column { prediction.dim(-1) } else { 1 });
        let mut places = self.below(prediction);
        if by_column {
            let column = Tensor::iota(prediction.shape(), prediction.rank() - 1, DType::I64);
            places = places + column * slots as i64;
        }
        let flat = |x: &Tensor| x.reshape([x.shape().elements().unwrap_or(0)]);
        let places = flat(&places);
        for (name, counted) in [(TRUE, is_true.clone()), (FALSE, is_true.logical_not())] {
            let amounts = tally.weigh(&counted.cast(DType::F64));
            tally.add(name, &flat(&amounts).scatter_add(0, slots * columns, &places));
        }
    }

    /// What the histograms of one column say of each threshold.
    pub(super) fn counts(&self, tally: &Tally, column: usize) -> Result<Vec<Counts>> {
        let slots = self.len() + 1;
        let histogram = |name: &str| -> Result<Vec<f64>> {
            let all = tally.total(name)?.to_vec::<f64>();
            // Nothing was added yet.
            Ok(all
                .get(column * slots..(column + 1) * slots)
                .map_or_else(|| vec![0.0; slots], <[f64]>::to_vec))
        };
        let (positives, negatives) = (histogram(TRUE)?, histogram(FALSE)?);
        let mut counts = vec![Counts::default(); self.len()];
        let mut below = Counts::default();
        for (i, counts) in counts.iter_mut().enumerate() {
            below.false_negatives += positives[i];
            below.true_negatives += negatives[i];
            *counts = below;
        }
        // Sums from the other end, not differences: weights would leave a little where nothing is.
        let mut above = Counts::default();
        for (i, counts) in counts.iter_mut().enumerate().rev() {
            above.true_positives += positives[i + 1];
            above.false_positives += negatives[i + 1];
            counts.true_positives = above.true_positives;
            counts.false_positives = above.false_positives;
        }
        Ok(counts)
    }

    /// The number of columns in the histograms.
    pub(super) fn columns(&self, tally: &Tally) -> Result<usize> {
        Ok((tally.total(TRUE)?.len() / (self.len() + 1)).max(1))
    }
}

/// The totals: histograms of predictions by what the target is.
const TRUE: &str = "positives";
const FALSE: &str = "negatives";

/// How predictions above and not above one threshold agree with the targets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) true_positives: f64,
    pub(super) false_positives: f64,
    pub(super) true_negatives: f64,
    pub(super) false_negatives: f64,
}

impl Counts {
    pub(super) fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Recall, which is sensitivity too.
    pub(super) fn recall(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    pub(super) fn specificity(&self) -> f64 {
        ratio(self.true_negatives, self.true_negatives + self.false_positives)
    }
}

/// `x / y`, and 0 where there is nothing to divide by.
pub(super) fn ratio(x: f64, y: f64) -> f64 {
    if y == 0.0 { 0.0 } else { x / y }
}

/// That thresholds lie where probabilities do.
pub(super) fn check_thresholds(thresholds: &[f64]) -> Result {
    match thresholds.iter().find(|threshold| !(0.0..=1.0).contains(*threshold)) {
        Some(wrong) => Err(Error::new("metric", format!("a threshold of {wrong}"))
            .label("probabilities lie between 0 and 1")
            .help("take thresholds from 0 to 1; predictions that are logits need `sigmoid` first")),
        None => Ok(()),
    }
}
