//! Targets as classes, and what part of the weight each class has.

use super::ClassWeight;
use carnyx_graph::{Array, Error, Result, Shape};
use std::fmt;
use std::ops::Range;

/// Targets as classes: the class of each sample, or of each of its steps.
pub(crate) struct Classes {
    /// Class numbers, row-major.
    pub(crate) labels: Vec<usize>,
    /// How many classes there are.
    pub(crate) count: usize,
    /// `[samples]` or `[samples, time]`.
    shape: Vec<usize>,
}

impl Classes {
    /// The classes that `targets` name, for predictions of that shape: class numbers for rows of probabilities, one-hot
    /// rows, or 0 and 1 (or -1 and 1) for one unit.
    ///
    /// # Errors
    /// What is wrong, in words, if the targets are no classes.
    pub(crate) fn of(targets: &Array, prediction: &Shape) -> Result<Classes, String> {
        let units =
            prediction.last().filter(|_| prediction.len() > 1).and_then(|dim| dim.fixed()).unwrap_or(1);
        let samples = targets.num_rows();
        // Axes between the samples and the units: the steps of each sample.
        let mut steps = match prediction.fixed() {
            Some(sizes) if sizes.len() > 1 => sizes[1..sizes.len() - 1].to_vec(),
            _ => Vec::new(),
        };
        let mut shape = vec![samples];
        shape.append(&mut steps);
        let places: usize = shape.iter().product();
        let labels = if targets.len() == places {
            whole_numbers(targets, units)
        } else if targets.len() == places * units && units > 1 {
            greatest_of_rows(targets, units)
        } else {
            Err(format!("the targets have shape {:?} for predictions of shape {prediction}", targets.shape()))
        };
        Ok(Classes { labels: labels?, count: units.max(2), shape })
    }

    /// The weights of the samples under a rule that looks at those in `rows`.
    pub(super) fn weights(&self, rule: &ClassWeight, rows: &Range<usize>) -> Result<Array> {
        let mut counts = vec![0; self.count];
        self.labels[self.places(rows)].iter().for_each(|&label| counts[label] += 1);
        let of_classes = rule.for_counts(&counts)?;
        if counts.iter().zip(&of_classes).all(|(&count, &weight)| count == 0 || weight == 0.0) {
            return Err(Error::new("class-weight", "every class with samples has the weight 0")
                .label("nothing would count")
                .help("give those classes that matter a weight above 0"));
        }
        let weights = self.labels.iter().map(|&label| of_classes[label] as f32).collect();
        Array::new(self.shape.clone(), weights)
    }

    /// What part of the weight of `rows` each class has.
    pub(super) fn mass(&self, weights: &Array, rows: &Range<usize>) -> Mass {
        // Weights of samples count for all of their steps.
        let steps = (self.labels.len() / weights.len().max(1)).max(1);
        let mut shares = vec![0.0; self.count];
        for place in self.places(rows) {
            shares[self.labels[place]] += weights.element(place / steps);
        }
        let all: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= if all > 0.0 { all } else { 1.0 });
        Mass(shares)
    }

    /// The places of the labels of `rows`.
    fn places(&self, rows: &Range<usize>) -> Range<usize> {
        let steps: usize = self.shape[1..].iter().product();
        rows.start * steps..rows.end * steps
    }
}

/// Targets that are class numbers; else what is wrong with them.
fn whole_numbers(targets: &Array, units: usize) -> Result<Vec<usize>, String> {
    let class = |i: usize| {
        let value = targets.element(i);
        let is_class = value >= 0.0 && value.fract() == 0.0 && value < units.max(2) as f64;
        match (units, value) {
            // A hinge loss has -1 and 1 for no and yes.
            (1, -1.0) => Ok(0),
            _ if is_class => Ok(value as usize),
            _ => Err(format!("the target {value} in row {}", i / targets.row_len().max(1))),
        }
    };
    (0..targets.len()).map(class).collect()
}

/// Targets that are one-hot rows, or probabilities of the classes; else what is wrong with them.
fn greatest_of_rows(targets: &Array, classes: usize) -> Result<Vec<usize>, String> {
    /// How far a sum of rounded probabilities may be from 1.
    const TOLERANCE: f64 = 1e-3;
    let class = |place: usize| {
        let row: Vec<f64> = (0..classes).map(|i| targets.element(place * classes + i)).collect();
        let sum: f64 = row.iter().sum();
        if (sum - 1.0).abs() > TOLERANCE || row.iter().any(|&value| value < 0.0) {
            let row_number = place * classes / targets.row_len().max(1);
            return Err(format!("the targets of row {row_number} are no probabilities: their sum is {sum}"));
        }
        // The first of equal ones, as accuracy takes it.
        Ok((0..classes).rev().max_by(|&i, &j| row[i].total_cmp(&row[j])).unwrap_or(0))
    };
    (0..targets.len() / classes).map(class).collect()
}

/// What part of the weight of the training data each class has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mass(Vec<f64>);

/// `0 75.0 %, 1 25.0 %`
impl fmt::Display for Mass {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        /// More classes than fit on a line or two.
        const SHOWN: usize = 20;
        for (class, share) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{class} {:.1} %", if class == 0 { "" } else { ", " }, share * 100.0)?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(targets: Array, prediction: [usize; 2]) -> Result<Vec<usize>, String> {
        Classes::of(&targets, &Shape::from(prediction)).map(|classes| classes.labels)
    }

    #[test]
    fn targets_of_every_kind_are_classes() -> Result<(), String> {
        assert_eq!(classes(Array::from([2u8, 0]), [2, 3])?, [2, 0]);
        assert_eq!(classes(Array::from([[2f32], [0.0]]), [2, 3])?, [2, 0]);
        assert_eq!(classes(Array::from([[0f32, 0.0, 1.0], [0.9, 0.05, 0.05]]), [2, 3])?, [2, 0]);
        assert_eq!(classes(Array::from([1f32, 0.0]), [2, 1])?, [1, 0]);
        assert_eq!(classes(Array::from([true, false]), [2, 1])?, [1, 0]);
        assert_eq!(classes(Array::from([[-1f32], [1.0]]), [2, 1])?, [0, 1]);
        let steps = Classes::of(&Array::from([[2i64, 0], [1, 1]]), &Shape::from([2, 2, 3]))?;
        assert_eq!((steps.labels, steps.shape), (vec![2, 0, 1, 1], vec![2, 2]));
        Ok(())
    }

    #[test]
    fn targets_that_are_no_classes_are_told() {
        let what = |targets, prediction| classes(targets, prediction).unwrap_err();
        assert_eq!(what(Array::from([1f32, 2.5]), [2, 3]), "the target 2.5 in row 1");
        assert_eq!(what(Array::from([1f32, 7.0]), [2, 1]), "the target 7 in row 1");
        let tags = Array::from([[1f32, 0.0], [1.0, 1.0]]);
        assert_eq!(what(tags, [2, 2]), "the targets of row 1 are no probabilities: their sum is 2");
    }

    #[test]
    fn rules_see_the_training_rows_only() -> Result {
        let labels = Array::from([0u8, 0, 0, 1, 1, 1, 1, 1]);
        let labels = Classes::of(&labels, &Shape::from([8, 2])).unwrap();
        let weights = labels.weights(&ClassWeight::balanced(), &(0..4))?;
        assert_eq!(weights.values()[..4], [4.0 / 6.0, 4.0 / 6.0, 4.0 / 6.0, 2.0]);
        assert_eq!(labels.mass(&weights, &(0..4)).to_string(), "0 50.0 %, 1 50.0 %");
        assert_eq!(Mass(vec![0.04; 25]).to_string().split(", ").last(), Some("19 4.0 % and 5 more"));
        Ok(())
    }
}
