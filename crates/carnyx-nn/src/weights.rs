//! Weights of classes, and what they make of the weights of samples.
//!
//! A class weight is a weight of every sample of that class. So it is multiplied into the weights of the samples once,
//! before training; the program of a step knows only those. Invariant: a class that is not mentioned counts 1, and
//! weights that are derived from the data have the mean one, over the samples or over the classes.

use crate::data::Data;
use crate::losses::count;
use crate::models::trace::{Answer, Core};
use carnyx_graph::{Array, Error, Result, Shape};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

/// How much the samples of each class count in training: given class by class, or derived from how many there are.
///
/// # Example
/// ```
/// use carnyx_nn::{ClassWeight, Fit};
/// let fit = Fit::epochs(10).class_weight([(0, 1.0), (3, 5.0)]); // classes 1 and 2 count 1
/// let fit = Fit::epochs(10).class_weight(ClassWeight::balanced());
/// # let _ = fit;
/// ```
///
/// Reference: `class_weight` of [`keras.Model.fit`](https://keras.io/api/models/model_training_apis/).
#[derive(Clone, Debug, PartialEq)]
pub struct ClassWeight(Rule);

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Given(BTreeMap<usize, f64>),
    Balanced,
    EffectiveNumber(f64),
}

impl ClassWeight {
    /// Each class counts as much as any other, however many samples it has: `n / (k n_c)` for a class with `n_c` of
    /// the `n` samples, where `k` classes have any. The mean over all samples is one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::ClassWeight;
    /// assert_eq!(ClassWeight::balanced().for_counts(&[90, 10, 0])?, [100.0 / 180.0, 5.0, 1.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: King and Zeng, *Logistic Regression in Rare Events Data*, 2001.
    pub fn balanced() -> ClassWeight {
        ClassWeight(Rule::Balanced)
    }

    /// Between equal weights (`beta` 0) and balanced ones (`beta` near 1): a class with `n_c` samples counts as
    /// `(1 - beta) / (1 - beta^n_c)`, because the more samples there are, the less a further one adds. The mean over the
    /// classes that have samples is one.
    ///
    /// Usual are 0.9, 0.99, 0.999 and 0.9999: `1 / (1 - beta)` is the number of samples beyond which more of them hardly
    /// count.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::ClassWeight;
    /// let weights = ClassWeight::effective_number(0.99).for_counts(&[900, 100])?;
    /// assert!(weights[1] > weights[0] && weights[1] < 9.0 * weights[0]);
    /// assert!((weights[0] + weights[1] - 2.0).abs() < 1e-12);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: Cui, Jia, Lin, Song and Belongie,
    /// [*Class-Balanced Loss Based on Effective Number of Samples*](https://arxiv.org/abs/1901.05555), 2019.
    pub fn effective_number(beta: f64) -> ClassWeight {
        ClassWeight(Rule::EffectiveNumber(beta))
    }

    /// The weight of each class, if the classes have that many samples. Classes that have none, or no weight, count 1.
    ///
    /// # Errors
    /// `class-weight`, if a weight is negative or no number, if it is for a class beyond the counts, or if beta is not
    /// between 0 and 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::ClassWeight;
    /// assert_eq!(ClassWeight::from([(2, 5.0)]).for_counts(&[7, 7, 7])?, [1.0, 1.0, 5.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn for_counts(&self, counts: &[usize]) -> Result<Vec<f64>> {
        let present = counts.iter().filter(|&&count| count > 0).count();
        let all: usize = counts.iter().sum();
        let of_each = |weight: &dyn Fn(f64) -> f64| -> Vec<f64> {
            counts.iter().map(|&count| if count == 0 { 1.0 } else { weight(count as f64) }).collect()
        };
        match &self.0 {
            Rule::Given(weights) => {
                let mut of_classes = vec![1.0; counts.len()];
                for (&class, &weight) in weights {
                    check_weight(class, weight)?;
                    let place =
                        of_classes.get_mut(class).ok_or_else(|| unknown_class(class, counts.len()))?;
                    *place = weight;
                }
                Ok(of_classes)
            }
            Rule::Balanced => Ok(of_each(&|count| all as f64 / (present as f64 * count))),
            Rule::EffectiveNumber(beta) => {
                if !(0.0..1.0).contains(beta) {
                    return Err(Error::new("class-weight", format!("an effective number with beta {beta}"))
                        .label("beta is at least 0 and less than 1")
                        .help("0.99 and 0.999 are usual; `ClassWeight::balanced()` is what beta near 1 comes to"));
                }
                // 1 - beta^n, exact for beta near 1.
                let share = |count: f64| -(count * beta.ln()).exp_m1();
                let sum: f64 = counts.iter().filter(|&&c| c > 0).map(|&c| 1.0 / share(c as f64)).sum();
                Ok(of_each(&|count| present as f64 / (share(count) * sum)))
            }
        }
    }
}

impl ClassWeight {
    /// Whether the weights are those that were given, so that no sample has to be counted to know them.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self.0, Rule::Given(_))
    }
}

fn check_weight(class: usize, weight: f64) -> Result {
    if weight >= 0.0 && weight.is_finite() {
        return Ok(());
    }
    Err(Error::new("class-weight", format!("the weight of class {class} is {weight}"))
        .label("a weight is a number from 0 on: how much each sample of the class counts")
        .help("give classes that must not count the weight 0"))
}

fn unknown_class(class: usize, classes: usize) -> Error {
    Error::new(
        "class-weight",
        format!("class {class} has a weight, but there are {}", count(classes, "class")),
    )
    .label(format!("the classes go from 0 to {}", classes.saturating_sub(1)))
    .help("weigh those classes that the last layer has units for")
}

impl<const N: usize> From<[(usize, f64); N]> for ClassWeight {
    fn from(weights: [(usize, f64); N]) -> ClassWeight {
        ClassWeight(Rule::Given(weights.into()))
    }
}

impl From<Vec<(usize, f64)>> for ClassWeight {
    fn from(weights: Vec<(usize, f64)>) -> ClassWeight {
        ClassWeight(Rule::Given(weights.into_iter().collect()))
    }
}

impl From<BTreeMap<usize, f64>> for ClassWeight {
    fn from(weights: BTreeMap<usize, f64>) -> ClassWeight {
        ClassWeight(Rule::Given(weights))
    }
}

impl From<HashMap<usize, f64>> for ClassWeight {
    fn from(weights: HashMap<usize, f64>) -> ClassWeight {
        ClassWeight(Rule::Given(weights.into_iter().collect()))
    }
}

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
    pub(crate) fn weights(&self, rule: &ClassWeight, rows: &Range<usize>) -> Result<Array> {
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
    pub(crate) fn mass(&self, weights: &Array, rows: &Range<usize>) -> Mass {
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

/// Weights of samples times those of their classes: where one has steps and the other has not, each step counts the same.
fn product(samples: &Array, classes: &Array) -> Result<Array> {
    let (long, short) =
        if samples.shape().len() > classes.shape().len() { (samples, classes) } else { (classes, samples) };
    if !long.shape().starts_with(short.shape()) {
        let (given, wanted) = (samples.shape(), classes.shape());
        let title = format!("the weights of samples have shape {given:?}, those of their classes {wanted:?}");
        return Err(Error::new("weight-shape", title).help("give one weight for each sample: `[batch]`"));
    }
    let steps = long.len() / short.len().max(1);
    Ok(Array::from_fn(long.shape(), |i| (long.element(i) * short.element(i / steps.max(1))) as f32))
}

/// What part of the weight of the training data each class has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mass(Vec<f64>);

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

/// Class weights, each for the output of that name, or for every output that has none of its own.
pub(crate) type ClassWeights = [(Option<Arc<str>>, ClassWeight)];

impl Core {
    /// `data`, with the weights of its samples multiplied by those of their classes. Rules look at the samples in `rows`.
    ///
    /// # Errors
    /// `name`, if the model has no such output; `class-weight`, if targets are no classes or classes are unknown.
    pub(crate) fn with_class_weights(
        &self,
        data: &Data,
        class_weights: &ClassWeights,
        rows: &Range<usize>,
        site: &'static Location<'static>,
    ) -> Result<Data> {
        let answers = self.answers(data, site)?;
        let names: Vec<&str> = answers.iter().map(|answer| &*answer.output).collect();
        for name in class_weights.iter().filter_map(|(output, _)| output.as_deref()) {
            if !names.contains(&name) {
                let title =
                    format!("class weights are for the output `{name}`, which the model does not have");
                return Err(Error::new("name", title).suggest(name, &names));
            }
        }
        let mut weights = data.sample_weights().to_vec();
        weights.resize(data.targets().len(), None);
        for answer in &answers {
            let Some(rule) = rule_for(class_weights, &answer.output) else { continue };
            let place = &mut weights[answer.target];
            let weighted = || -> Result<Array> {
                let targets = &data.targets()[answer.target];
                answer.loss.as_ref().map_or(Ok(()), |loss| loss.check(targets, &answer.prediction))?;
                let classes = Classes::of(targets, &answer.prediction).map_err(|what| no_classes(&what))?;
                let of_classes = classes.weights(rule, rows)?;
                place.as_ref().map_or(Ok(of_classes.clone()), |samples| product(samples, &of_classes))
            };
            let weighted = weighted().map_err(|error| match names.len() {
                1 => error,
                _ => error.note(format!("on the output `{}`", answer.output)),
            })?;
            *place = Some(weighted);
        }
        Ok(data.with_weights(weights))
    }

    /// What part of the weights each class has, for each output with weights whose targets are classes.
    pub(crate) fn masses(
        &self,
        data: &Data,
        rows: &Range<usize>,
        site: &'static Location<'static>,
    ) -> Result<Vec<String>> {
        let answers = self.answers(data, site)?;
        let line = |answer: &Answer| {
            let weights = data.sample_weights().get(answer.target)?.as_ref()?;
            let classes = Classes::of(&data.targets()[answer.target], &answer.prediction).ok()?;
            let of = if answers.len() > 1 { format!(" of `{}`", answer.output) } else { String::new() };
            Some(format!("Effective mass of the classes{of}: {}", classes.mass(weights, rows)))
        };
        Ok(answers.iter().filter_map(line).collect())
    }
}

fn no_classes(what: &str) -> Error {
    Error::new("class-weight", format!("weights of classes, but {what}"))
        .label("targets that are classes are class numbers, one-hot rows, or 0 and 1 for one unit")
        .help("weigh samples of other targets one by one: `Data::sample_weight`")
}

/// The rule for an output: its own, or else the one for all.
fn rule_for<'a>(class_weights: &'a ClassWeights, output: &str) -> Option<&'a ClassWeight> {
    let own = class_weights.iter().rev().find(|(name, _)| name.as_deref() == Some(output));
    own.or_else(|| class_weights.iter().rev().find(|(name, _)| name.is_none())).map(|(_, rule)| rule)
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

    #[test]
    fn effective_numbers_lie_between_equal_and_balanced() -> Result {
        let of = |beta: f64| ClassWeight::effective_number(beta).for_counts(&[4000, 400, 40, 0]);
        assert_eq!(of(0.0)?, [1.0; 4]);
        let balanced = ClassWeight::balanced().for_counts(&[4000, 400, 40, 0])?;
        let scale = 3.0 / balanced[..3].iter().sum::<f64>();
        let near = of(1.0 - 1e-9)?;
        assert!(near.iter().zip(balanced).take(3).all(|(a, b)| (a - scale * b).abs() < 1e-4), "{near:?}");
        // (1 - 0.99) / (1 - 0.99^n), normalised, by hand.
        let effective = [4000i32, 400, 40].map(|n| (1.0 - 0.99f64.powi(n)) / 0.01);
        let sum: f64 = effective.iter().map(|number| 1.0 / number).sum();
        assert!(of(0.99)?.iter().zip(effective).all(|(a, number)| (a - 3.0 / number / sum).abs() < 1e-12));
        assert_eq!(of(1.0).unwrap_err().code(), "class-weight");
        Ok(())
    }

    #[test]
    fn weights_of_samples_and_classes_multiply() -> Result {
        let (samples, classes) = (Array::from([1f32, 0.5]), Array::from([[2f32, 3.0], [2.0, 3.0]]));
        assert_eq!(product(&samples, &classes)?, Array::from([[2f32, 3.0], [1.0, 1.5]]));
        assert_eq!(product(&classes, &samples)?, Array::from([[2f32, 3.0], [1.0, 1.5]]));
        assert_eq!(product(&Array::full([3], 1f32), &samples).unwrap_err().code(), "weight-shape");
        Ok(())
    }
}
