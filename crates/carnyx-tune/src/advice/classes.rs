//! Rare classes that a model misses.

use super::Finding;
use carnyx_graph::Array;
use carnyx_nn::Data;

/// A class is rare if it has less than this part of the samples that it would have if all had the same.
const RARE: f64 = 0.25;

/// A rare class is missed if less than this part of the recall of the most frequent class is reached.
const MISSED: f64 = 0.5;

/// Of fewer samples of a class, a recall is chance.
const MIN_COUNT: usize = 5;

/// The rarest class of each output that is missed. Shares are those of all data, recalls those of the sample.
pub(super) fn imbalance(sample: &Data, predictions: &[Array], data: &Data) -> Vec<Finding> {
    if sample.targets().len() != predictions.len() {
        return Vec::new();
    }
    let outputs = sample.targets().iter().zip(predictions).zip(data.targets()).enumerate();
    outputs
        .filter_map(|(output, ((target, prediction), all))| missed_class(output, target, prediction, all))
        .collect()
}

fn missed_class(output: usize, target: &Array, prediction: &Array, all: &Array) -> Option<Finding> {
    let units = prediction.row_len();
    let classes = units.max(2);
    let (labels, predicted) = (labels(target, units)?, predicted(prediction));
    let counts = counted(&self::labels(all, units)?, classes);
    let total: usize = counts.iter().sum();
    let of_sample = counted(&labels, classes);
    let found = |class: usize| {
        let hits =
            labels.iter().zip(&predicted).filter(|(label, says)| **label == class && **says == class).count();
        hits as f64 / of_sample[class] as f64
    };
    let frequent = (0..classes).max_by_key(|&class| counts[class])?;
    let even = total as f64 / classes as f64;
    let is_rare = |class: &usize| of_sample[*class] >= MIN_COUNT && (counts[*class] as f64) < RARE * even;
    let is_missed = |class: &usize| found(*class) < MISSED * found(frequent);
    let rare = (0..classes).filter(is_rare).filter(is_missed).min_by_key(|&class| counts[class])?;
    Some(Finding::ImbalancedClasses {
        output,
        rare,
        share: counts[rare] as f64 / total as f64,
        recall: found(rare),
        frequent: (frequent, found(frequent)),
    })
}

/// The class of each sample; `None`, if the targets are no classes.
fn labels(target: &Array, units: usize) -> Option<Vec<usize>> {
    let values: Vec<f64> = target.to_vec();
    if values.len() == target.num_rows() * units && units > 1 {
        let is_one_hot =
            |row: &[f64]| row.iter().all(|v| *v == 0.0 || *v == 1.0) && row.iter().sum::<f64>() == 1.0;
        let rows: Vec<&[f64]> = values.chunks(units).collect();
        let place = |row: &&[f64]| row.iter().position(|value| *value == 1.0);
        return rows.iter().all(|row| is_one_hot(row)).then(|| rows.iter().filter_map(place).collect());
    }
    let is_class = |value: &f64| value.fract() == 0.0 && (0.0..units.max(2) as f64).contains(value);
    let is_one_each = values.len() == target.num_rows();
    (is_one_each && values.iter().all(is_class)).then(|| values.iter().map(|value| *value as usize).collect())
}

fn counted(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    counts
}

/// What the model says of each sample: the greatest unit, or whether the only one is above the middle.
fn predicted(prediction: &Array) -> Vec<usize> {
    let (values, units) = (prediction.to_vec::<f64>(), prediction.row_len());
    if units == 1 {
        let are_logits = values.iter().any(|value| !(0.0..=1.0).contains(value));
        let middle = if are_logits { 0.0 } else { 0.5 };
        return values.iter().map(|value| usize::from(*value > middle)).collect();
    }
    let greatest = |row: &[f64]| (0..units).rev().max_by(|&i, &j| row[i].total_cmp(&row[j])).unwrap_or(0);
    values.chunks(units).map(greatest).collect()
}
