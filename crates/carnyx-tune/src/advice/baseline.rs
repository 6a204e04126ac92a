//! What a constant would cost: always the mean, always the median, always the frequencies of the classes.

use super::Finding;
use carnyx_graph::{Array, Result};
use carnyx_nn::{Data, Model};

/// A model whose loss is not lower than the best constant's by this part has learned nothing worth the name.
const LEARNED: f64 = 0.02;

/// Of chance, a model learns by heart a part of about its parameters over its samples. Where that is more than this part,
/// nobody can tell chance from what there is to learn by the training loss alone.
const BY_HEART: f64 = 0.1;

/// The loss of a model on a sample, and that of the best constant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Baseline {
    pub(super) loss: f64,
    pub(super) constant: f64,
}

impl Baseline {
    /// `None`, if no constant has a loss to compare with: one that is finite and positive.
    #[track_caller]
    pub(super) fn of<L>(model: &Model<L>, sample: &Data, predictions: &[Array]) -> Result<Option<Baseline>> {
        if sample.targets().len() != predictions.len() {
            return Ok(None);
        }
        let loss = model.loss_of(predictions, sample)?;
        let candidates: Vec<Vec<Array>> = sample
            .targets()
            .iter()
            .zip(predictions)
            .map(|(target, prediction)| constants(target, prediction))
            .collect();
        if candidates.iter().any(Vec::is_empty) {
            return Ok(None);
        }
        // Outputs add up: the best constant of each is found with the first one of the others.
        let mut best: Vec<Array> = candidates.iter().map(|candidates| candidates[0].clone()).collect();
        let mut constant = f64::INFINITY;
        for (output, candidates) in candidates.iter().enumerate() {
            let mut lowest = f64::INFINITY;
            let mut chosen = best[output].clone();
            for candidate in candidates {
                best[output] = candidate.clone();
                // Not every loss takes every constant: a cross-entropy of numbers without an activation, for example.
                let cost = model.loss_of(&best, sample).unwrap_or(f64::INFINITY);
                if cost < lowest {
                    (lowest, chosen) = (cost, candidate.clone());
                }
            }
            best[output] = chosen;
            constant = lowest;
        }
        Ok((constant.is_finite() && constant > 0.0).then_some(Baseline { loss, constant }))
    }

    /// Whether the model is no better than a constant. `by_heart`: its parameters over its samples.
    pub(super) fn is_all(&self, by_heart: f64) -> bool {
        self.loss > (1.0 - by_heart.clamp(LEARNED, BY_HEART)) * self.constant
    }

    pub(super) fn nothing_learned(&self) -> Finding {
        Finding::NothingLearned { loss: self.loss, constant: self.constant }
    }
}

/// Constant predictions that may be the best ones: means and medians of the targets, as they are and as logits; for class
/// numbers, the frequencies of the classes.
fn constants(target: &Array, prediction: &Array) -> Vec<Array> {
    let units = prediction.row_len();
    let rows = if target.len() == prediction.len() {
        columns(target, units)
    } else if target.len() * units == prediction.len() && units > 1 {
        frequencies(target, units)
    } else {
        return Vec::new();
    };
    let everywhere = |row: &[f64]| Array::from_fn(prediction.shape(), |i| row[i % units] as f32);
    let (means, medians) = rows;
    let logits = |row: &[f64]| -> Vec<f64> {
        let logit = |p: &f64| match units {
            1 => (p.clamp(1e-7, 1.0 - 1e-7) / (1.0 - p.clamp(1e-7, 1.0 - 1e-7))).ln(),
            _ => p.max(1e-7).ln(),
        };
        row.iter().map(logit).collect()
    };
    vec![everywhere(&means), everywhere(&medians), everywhere(&logits(&means))]
}

/// Mean and median of each column.
fn columns(target: &Array, units: usize) -> (Vec<f64>, Vec<f64>) {
    let values: Vec<f64> = target.to_vec();
    let column = |unit: usize| values.iter().skip(unit).step_by(units).copied();
    let count = (values.len() / units) as f64;
    let median = |unit: usize| {
        let mut sorted: Vec<f64> = column(unit).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    ((0..units).map(|unit| column(unit).sum::<f64>() / count).collect(), (0..units).map(median).collect())
}

/// The part of the samples of each class, and the most frequent class alone.
fn frequencies(target: &Array, classes: usize) -> (Vec<f64>, Vec<f64>) {
    let mut counts = vec![0.0; classes];
    for class in target.to_vec::<f64>() {
        if let Some(count) = counts.get_mut(class as usize) {
            *count += 1.0;
        }
    }
    let most = counts.iter().copied().fold(0.0, f64::max);
    let all = target.len() as f64;
    let majority = counts.iter().map(|count| f64::from(*count == most)).collect();
    (counts.into_iter().map(|count| count / all).collect(), majority)
}
