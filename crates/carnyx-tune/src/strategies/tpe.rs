//! The tree-structured Parzen estimator.
//!
//! Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", 2011; Bergstra, Yamins and Cox,
//! "Making a science of model search", 2013. Earlier trials are divided into the few best ones and the others, and for
//! each hyperparameter the densities `l` of the good and `g` of the other values are estimated. Of some values drawn from
//! `l`, the one with the greatest `l / g` is taken: it has the greatest expected improvement. Each hyperparameter is
//! estimated by itself, from the trials that had it, so conditions need no special care.

use super::past::Past;
use crate::domain::Domain;
use crate::hyper::Source;
use crate::random::Random;
use carnyx_graph::Result;
use std::f64::consts::{PI, SQRT_2};

/// So many trials are random, before anything can be estimated.
const RANDOM_TRIALS: usize = 10;
/// So many values are drawn from the good ones' density.
const CANDIDATES: usize = 24;
/// No more trials than this count as good.
const MOST_GOOD: usize = 25;

pub(super) struct Tpe {
    pub seed: u64,
    pub number: usize,
    pub past: Past,
}

impl Source for Tpe {
    fn value(&mut self, name: &str, domain: &Domain) -> Result<f64> {
        let mut random = Random::named(self.seed, self.number, name);
        let values = self.past.values(name, domain);
        if self.past.ended < RANDOM_TRIALS || values.is_empty() {
            return Ok(domain.at(random.share()));
        }
        let good = (0.1 * values.len() as f64).ceil() as usize;
        let (good, others) = values.split_at(good.min(MOST_GOOD));
        let (good, others) = (Density::of(domain, good), Density::of(domain, others));
        let mut best = (f64::NEG_INFINITY, domain.at(0.5));
        for _ in 0..CANDIDATES {
            let candidate = good.draw(domain, &mut random);
            let score = good.at(domain, candidate).ln() - others.at(domain, candidate).ln();
            if score > best.0 {
                best = (score, candidate);
            }
        }
        Ok(best.1)
    }
}

/// How likely each value of a domain is.
enum Density {
    /// Normal distributions over the shares of an even distribution, cut off at 0 and 1: weight, mean, deviation.
    Normals(Vec<[f64; 3]>),
    /// The probability of each choice.
    Choices(Vec<f64>),
}

impl Density {
    /// The density of some values, from which an even prior is never quite gone.
    fn of(domain: &Domain, values: &[f64]) -> Density {
        let total = values.len() as f64 + 1.0;
        if let Domain::Choice(choices) = domain {
            let mut probabilities = vec![1.0 / choices.len() as f64 / total; choices.len()];
            values.iter().for_each(|value| probabilities[*value as usize] += 1.0 / total);
            return Density::Choices(probabilities);
        }
        // The prior is one wide normal distribution in the middle.
        let mut centres: Vec<f64> = values.iter().map(|value| domain.share(*value)).collect();
        centres.push(0.5);
        let mut order: Vec<usize> = (0..centres.len()).collect();
        order.sort_by(|&a, &b| centres[a].total_cmp(&centres[b]));
        let narrowest = 1.0 / (centres.len() as f64 + 1.0).min(100.0);
        let mut normals = vec![[1.0 / total, 0.5, 1.0]; centres.len()];
        for (place, &i) in order.iter().enumerate().filter(|(_, i)| **i < values.len()) {
            let left = place.checked_sub(1).map_or(0.0, |before| centres[order[before]]);
            let right = order.get(place + 1).map_or(1.0, |&after| centres[after]);
            let distance = (centres[i] - left).max(right - centres[i]);
            normals[i] = [1.0 / total, centres[i], distance.clamp(narrowest, 1.0)];
        }
        Density::Normals(normals)
    }

    fn draw(&self, domain: &Domain, random: &mut Random) -> f64 {
        let mut share = random.share();
        match self {
            Density::Choices(probabilities) => {
                let place = probabilities.iter().position(|probability| {
                    share -= probability;
                    share < 0.0
                });
                place.unwrap_or(probabilities.len() - 1) as f64
            }
            Density::Normals(normals) => {
                let chosen = normals.iter().find(|[weight, ..]| {
                    share -= weight;
                    share < 0.0
                });
                let [_, mean, deviation] = *chosen.unwrap_or(&normals[normals.len() - 1]);
                // At least a sixth of each distribution lies between 0 and 1, so this ends soon.
                loop {
                    let drawn = mean + deviation * random.normal();
                    if (0.0..1.0).contains(&drawn) {
                        return domain.at(drawn);
                    }
                }
            }
        }
    }

    /// The density at a value; of a value with a step, the probability of all that is rounded to it.
    fn at(&self, domain: &Domain, value: f64) -> f64 {
        match self {
            Density::Choices(probabilities) => probabilities[value as usize],
            Density::Normals(normals) => {
                let share = domain.share(value);
                let half = domain.count().map(|count| 0.5 / count as f64);
                let one = |[weight, mean, deviation]: &[f64; 3]| {
                    let below = |x: f64| normal_below((x - mean) / deviation);
                    let inside = below(1.0) - below(0.0);
                    let density = match half {
                        Some(half) => below(share + half) - below(share - half),
                        None => {
                            let z = (share - mean) / deviation;
                            (-0.5 * z * z).exp() / (deviation * (2.0 * PI).sqrt())
                        }
                    };
                    weight * density / inside
                };
                normals.iter().map(one).sum::<f64>().max(f64::MIN_POSITIVE)
            }
        }
    }
}

/// The standard normal distribution function.
pub(super) fn normal_below(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// The complementary error function, to 1.2e-7 of its value (Press et al., "Numerical recipes", 1992, section 6.2).
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.26551223,
        1.00002368,
        0.37409196,
        0.09678418,
        -0.18628806,
        0.27886807,
        -1.13520398,
        1.48851587,
        -0.82215223,
        0.17087277,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    let positive = t * (-x * x + polynomial).exp();
    if x >= 0.0 { positive } else { 2.0 - positive }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_function_is_known() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.841344746), (-1.96, 0.024997895), (3.0, 0.998650102)] {
            assert!((normal_below(z) - expected).abs() < 1e-7, "{z}");
        }
    }

    #[test]
    fn densities_sum_to_one() {
        let choices = Domain::Choice(vec!["a".into(), "b".into(), "c".into()]);
        let density = Density::of(&choices, &[1.0, 1.0, 2.0]);
        let sum: f64 = (0..3).map(|i| density.at(&choices, f64::from(i))).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert!((density.at(&choices, 1.0) - (2.0 + 1.0 / 3.0) / 4.0).abs() < 1e-12);
        let whole = Domain::Int { low: 1, high: 20, step: 1, log: false };
        let density = Density::of(&whole, &[3.0, 4.0, 18.0]);
        let sum: f64 = (1..=20).map(|i| density.at(&whole, f64::from(i))).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert!(density.at(&whole, 3.0) > density.at(&whole, 10.0));
        let real = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        let density = Density::of(&real, &[0.1, 0.15]);
        let sum: f64 = (0..1000).map(|i| density.at(&real, (f64::from(i) + 0.5) / 1000.0) / 1000.0).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }

    #[test]
    fn what_is_drawn_is_as_likely_as_the_density_says() {
        let whole = Domain::Int { low: 1, high: 5, step: 1, log: false };
        let density = Density::of(&whole, &[2.0, 2.0, 5.0]);
        let mut random = Random::at(1, &[]);
        let mut counts = [0.0; 6];
        (0..20_000).for_each(|_| counts[density.draw(&whole, &mut random) as usize] += 1.0 / 20_000.0);
        for value in 1..=5 {
            assert!((counts[value] - density.at(&whole, value as f64)).abs() < 0.01, "{value}: {counts:?}");
        }
    }
}
