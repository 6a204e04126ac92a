//! Weights of classes, and what they make of the weights of samples.
//!
//! A class weight is a weight of every sample of that class. So it is multiplied into the weights of the samples once,
//! before training; the program of a step knows only those. Invariant: a class that is not mentioned counts 1, and
//! weights that are derived from the data have the mean one, over the samples or over the classes.

mod classes;
mod folding;
mod samples;

pub(crate) use classes::Classes;
pub(crate) use folding::ClassWeights;
pub(crate) use samples::{check_weights, for_each_target, for_named_targets, plain_weights};

use crate::losses::count;
use carnyx_graph::{Error, Result};
use std::collections::{BTreeMap, HashMap};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
