//! Bayesian optimisation with a Gaussian process.
//!
//! Snoek, Larochelle and Adams, "Practical Bayesian optimization of machine learning algorithms", 2012; Rasmussen and
//! Williams, "Gaussian processes for machine learning", 2006, algorithm 2.1. The objective is taken for a smooth random
//! function of the hyperparameters with a Matérn 5/2 kernel, whose scales are those under which the values seen are most
//! likely. The next trial is where the expected improvement over the best value is greatest.

use super::past::{Known, Past, without_excess};
use super::tpe::normal_below;
use crate::domain::Domain;
use crate::hyper::Source;
use crate::random::Random;
use carnyx_graph::Result;
use std::f64::consts::PI;

/// So many trials are random, before anything can be known of the function.
const RANDOM_TRIALS: usize = 8;
/// Points at which the expected improvement is looked at: anywhere, and then around the best ones.
const ANYWHERE: usize = 1000;
const AROUND: usize = 100;
/// The number of best points that are looked around.
const BEST: usize = 5;

/// The point for a trial, found before its model is built. Hyperparameters that not all trials have are drawn by
/// another strategy.
pub(super) struct Gaussian {
    point: Vec<(String, Domain, f64)>,
    others: Box<dyn Source + Send>,
}

impl Gaussian {
    pub fn new(seed: u64, number: usize, past: &Past, others: Box<dyn Source + Send>) -> Gaussian {
        let space = past.in_all();
        if past.complete().count() < RANDOM_TRIALS || space.is_empty() {
            return Gaussian { point: Vec::new(), others };
        }
        let point = next_point(&space, past, &mut Random::at(seed, &[number as u64, POINT]));
        Gaussian {
            point: space.into_iter().zip(point).map(|((n, domain), value)| (n, domain, value)).collect(),
            others,
        }
    }
}

/// Tells the points apart from whatever else is drawn for a trial.
const POINT: u64 = 0x0070_6f69_6e74;

impl Source for Gaussian {
    fn value(&mut self, name: &str, domain: &Domain) -> Result<f64> {
        let found = self.point.iter().find(|(known, other, _)| known == name && other == domain);
        found.map_or_else(|| self.others.value(name, domain), |(_, _, value)| Ok(*value))
    }
}

/// The values of the space with the greatest expected improvement.
fn next_point(space: &[(String, Domain)], past: &Past, random: &mut Random) -> Vec<f64> {
    let place = |values: &[f64]| -> Vec<f64> {
        space.iter().zip(values).map(|((_, domain), value)| domain.share(*value)).collect()
    };
    let seen = |trial: &Known| {
        let values: Option<Vec<f64>> = space.iter().map(|(name, domain)| trial.value(name, domain)).collect();
        Some((place(&values?), trial.loss?))
    };
    let (places, losses): (Vec<Vec<f64>>, Vec<f64>) = past.complete().filter_map(seen).unzip();
    let is_choice: Vec<bool> = space.iter().map(|(_, domain)| matches!(domain, Domain::Choice(_))).collect();
    let process = Process::fitted(places, &losses, &is_choice);
    let score = |values: Vec<f64>| (process.expected_improvement(&place(&values)), values);

    let anywhere = |random: &mut Random| -> Vec<f64> {
        space.iter().map(|(_, domain)| domain.at(random.share())).collect()
    };
    let mut points: Vec<(f64, Vec<f64>)> = (0..ANYWHERE).map(|_| score(anywhere(random))).collect();
    // Also around the best trial so far, where the random points are thin.
    points.extend(process.places.first().map(|best| (0.0, values_at(space, best))));
    for width in [0.1, 0.03, 0.01] {
        points.sort_by(|a, b| b.0.total_cmp(&a.0));
        points.truncate(BEST);
        for best in points.clone() {
            let centre = place(&best.1);
            for _ in 0..AROUND {
                let moved = |(i, share): (usize, &f64)| match is_choice[i] {
                    true if random.share() < 0.2 => random.share(),
                    true => *share,
                    false => (share + width * random.normal()).clamp(0.0, 1.0),
                };
                let near: Vec<f64> = centre.iter().enumerate().map(moved).collect();
                points.push(score(values_at(space, &near)));
            }
        }
    }
    let best = points.into_iter().max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or_else(|| anywhere(random), |(_, values)| values)
}

fn values_at(space: &[(String, Domain)], place: &[f64]) -> Vec<f64> {
    space.iter().zip(place).map(|((_, domain), share)| domain.at(*share)).collect()
}

/// A Gaussian process through what was seen, in units in which that has mean 0 and variance 1.
struct Process {
    places: Vec<Vec<f64>>,
    is_choice: Vec<bool>,
    /// For each hyperparameter, the distance over which the function changes.
    scales: Vec<f64>,
    variance: f64,
    /// The Cholesky factor of the kernel's matrix, by rows.
    factor: Vec<Vec<f64>>,
    /// The matrix's inverse times the values.
    solved: Vec<f64>,
    least: f64,
}

impl Process {
    /// The process under which the values are most likely, of those with scales and noise on a grid that is refined.
    fn fitted(places: Vec<Vec<f64>>, losses: &[f64], is_choice: &[bool]) -> Process {
        let values = standardized(losses);
        let dimensions = is_choice.len();
        let make = |scales: &[f64], noise: f64| Process::of(&places, &values, is_choice, scales, noise);
        let mut best: Option<(f64, f64, Process)> = None;
        let try_out = |scales: &[f64], noise: f64, best: &mut Option<(f64, f64, Process)>| {
            let Some((likelihood, process)) = make(scales, noise) else { return };
            if best.as_ref().is_none_or(|(known, ..)| likelihood > *known) {
                *best = Some((likelihood, noise, process));
            }
        };
        for noise in [1e-6, 1e-3, 1e-1] {
            for scale in [0.1, 0.2, 0.4, 0.8, 1.6] {
                try_out(&vec![scale; dimensions], noise, &mut best);
            }
        }
        // One scale after the other, in smaller and smaller steps.
        for factor in [3.0, 1.8, 1.3] {
            for dimension in 0..dimensions {
                for factor in [factor, 1.0 / factor] {
                    let Some((_, noise, process)) = &best else { break };
                    let (mut scales, noise) = (process.scales.clone(), *noise);
                    scales[dimension] = (scales[dimension] * factor).clamp(0.03, 30.0);
                    try_out(&scales, noise, &mut best);
                }
            }
        }
        match best {
            Some((_, _, process)) => process,
            None => unreachable!("with noise, the matrix of a kernel is positive definite"),
        }
    }

    /// The process with these scales, and the logarithm of how likely it makes the values, up to a constant. The
    /// variance is the most likely one.
    fn of(
        places: &[Vec<f64>],
        values: &[f64],
        is_choice: &[bool],
        scales: &[f64],
        noise: f64,
    ) -> Option<(f64, Process)> {
        let count = values.len();
        let mut process = Process {
            places: places.to_vec(),
            is_choice: is_choice.to_vec(),
            scales: scales.to_vec(),
            variance: 1.0,
            factor: Vec::new(),
            solved: Vec::new(),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
        };
        let entry =
            |i: usize, j: usize| process.kernel(&places[i], &places[j]) + if i == j { noise } else { 0.0 };
        let factor = cholesky(count, entry)?;
        let half = forward(&factor, values);
        process.variance = (half.iter().map(|x| x * x).sum::<f64>() / count as f64).max(1e-12);
        process.solved = backward(&factor, &half);
        let determinant: f64 = (0..count).map(|i| factor[i][i].ln()).sum();
        process.factor = factor;
        Some((-0.5 * count as f64 * process.variance.ln() - determinant, process))
    }

    /// Matérn 5/2 of the distance: `(1 + √5 r + 5/3 r²) e^(-√5 r)`. Different choices are as far apart as both ends of a
    /// range.
    fn kernel(&self, a: &[f64], b: &[f64]) -> f64 {
        let mut square = 0.0;
        for i in 0..a.len() {
            let differs = f64::from(u8::from(a[i] != b[i]));
            let distance = if self.is_choice[i] { differs } else { a[i] - b[i] };
            square += (distance / self.scales[i]).powi(2);
        }
        let r = (5.0 * square).sqrt();
        (1.0 + r + r * r / 3.0) * (-r).exp()
    }

    /// Mean and deviation of the function at a place.
    fn predict(&self, place: &[f64]) -> (f64, f64) {
        let near: Vec<f64> = self.places.iter().map(|known| self.kernel(known, place)).collect();
        let mean = near.iter().zip(&self.solved).map(|(k, s)| k * s).sum();
        let explained: f64 = forward(&self.factor, &near).iter().map(|x| x * x).sum();
        (mean, (self.variance * (1.0 - explained).max(1e-12)).sqrt())
    }

    /// By how much the function is expected to be below the least value seen, where it is: `d (z Φ(z) + φ(z))` with
    /// `z = (least - mean) / d`.
    fn expected_improvement(&self, place: &[f64]) -> f64 {
        let (mean, deviation) = self.predict(place);
        let z = (self.least - mean) / deviation;
        deviation * (z * normal_below(z) + (-0.5 * z * z).exp() / (2.0 * PI).sqrt())
    }
}

/// With mean 0 and variance 1.
fn standardized(losses: &[f64]) -> Vec<f64> {
    let values = without_excess(losses);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    values.iter().map(|value| (value - mean) / deviation).collect()
}

/// The lower triangular `L` with `L Lᵀ` the symmetric matrix of these entries; `None` if it is not positive definite.
fn cholesky(count: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Vec<Vec<f64>>> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(count);
    for i in 0..count {
        let mut row = vec![0.0; i + 1];
        for j in 0..=i {
            let other = if j < i { &factor[j] } else { &row };
            let sum = entry(i, j) - dot(&row[..j], &other[..j]);
            row[j] = if j < i { sum / factor[j][j] } else { sum.sqrt() };
        }
        // Also false for NaN, the root of a negative number.
        if !(row[i] > 0.0 && row[i].is_finite()) {
            return None;
        }
        factor.push(row);
    }
    Some(factor)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The `x` with `L x = b`.
fn forward(factor: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x = Vec::with_capacity(b.len());
    for (i, row) in factor.iter().enumerate() {
        x.push((b[i] - dot(&row[..i], &x)) / row[i]);
    }
    x
}

/// The `x` with `Lᵀ x = b`.
fn backward(factor: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x = b.to_vec();
    for i in (0..b.len()).rev() {
        x[i] /= factor[i][i];
        for j in 0..i {
            x[j] -= factor[i][j] * x[i];
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_times_its_transpose_is_the_matrix() {
        let matrix = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.5], [0.6, 1.5, 3.0]];
        let factor = cholesky(3, |i, j| matrix[i][j]).unwrap();
        for i in 0..3 {
            for j in 0..=i {
                assert!((dot(&factor[i][..=j], &factor[j][..=j]) - matrix[i][j]).abs() < 1e-12);
            }
        }
        let solved = backward(&factor, &forward(&factor, &[1.0, 2.0, 3.0]));
        for (row, expected) in matrix.iter().zip([1.0, 2.0, 3.0]) {
            assert!((dot(row, &solved) - expected).abs() < 1e-12);
        }
        assert!(cholesky(2, |i, j| if i == j { 1.0 } else { 2.0 }).is_none());
    }

    #[test]
    fn a_process_goes_through_what_was_seen() {
        let places: Vec<Vec<f64>> = (0..9).map(|i| vec![f64::from(i) / 8.0]).collect();
        let losses: Vec<f64> = places.iter().map(|x| (6.0 * x[0]).sin()).collect();
        let process = Process::fitted(places.clone(), &losses, &[false]);
        let values = standardized(&losses);
        for (place, value) in places.iter().zip(&values) {
            let (mean, deviation) = process.predict(place);
            assert!((mean - value).abs() < 1e-2 && deviation < 0.05, "{mean} {value} {deviation}");
        }
        let between = process.predict(&[0.5 / 8.0]);
        assert!(between.1 > process.predict(&[0.0]).1, "less is known between two points");
        // The function is least at x = 3π/12 = 0.785, between two points that were seen.
        let score = |x: f64| process.expected_improvement(&[x]);
        assert!(score(0.785) > score(0.75) && score(0.785) > score(0.875) && score(0.785) > score(0.3));
    }

    #[test]
    fn expected_improvement_is_the_mean_of_what_is_gained() {
        let process = Process::fitted(vec![vec![0.2], vec![0.7]], &[1.0, 2.0], &[false]);
        let (mean, deviation) = process.predict(&[0.4]);
        let mut random = Random::at(3, &[]);
        let gain = |random: &mut Random| (process.least - mean - deviation * random.normal()).max(0.0);
        let gained = (0..100_000).map(|_| gain(&mut random)).sum::<f64>() / 1e5;
        assert!((gained - process.expected_improvement(&[0.4])).abs() < 0.01, "{gained}");
    }
}
