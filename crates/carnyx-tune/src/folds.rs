//! Cross-validation: which samples each model learns from, and which it is judged by.

use crate::random::Random;
use carnyx_graph::{Error, Result};

/// The rows of `samples` samples that each of `folds` models is judged by, in a random order: each row once, and as many
/// rows in each fold, or one more.
///
/// # Errors
/// `search`, if there are less than two folds, or more than samples.
pub(crate) fn parts(samples: usize, folds: usize, seed: u64) -> Result<Vec<Vec<usize>>> {
    if folds < 2 {
        return Err(Error::new("search", format!("cross-validation needs two folds or more, not {folds}"))
            .label("each fold is judged by a model that has learned from the others")
            .help("give `.folds(..)` at least 2; 3 to 10 are usual"));
    }
    if folds > samples {
        return Err(Error::new("search", format!("{samples} samples in {folds} folds"))
            .label("each fold needs at least one sample")
            .help("take fewer folds"));
    }
    let order = Random::at(seed, &[FOLDS]).order(samples);
    let place = |fold: usize| fold * samples / folds;
    Ok((0..folds).map(|fold| order[place(fold)..place(fold + 1)].to_vec()).collect())
}

/// The rows that are in all parts but one.
pub(crate) fn rest(parts: &[Vec<usize>], without: usize) -> Vec<usize> {
    let others = parts.iter().enumerate().filter(|(fold, _)| *fold != without);
    others.flat_map(|(_, part)| part.iter().copied()).collect()
}

/// Tells the order of samples apart from whatever else is drawn from a seed.
const FOLDS: u64 = 0x0066_6f6c_6473;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_judged_once() {
        let parts = parts(10, 3, 7).unwrap();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 4]);
        let mut all: Vec<usize> = parts.concat();
        assert_ne!(all, (0..10).collect::<Vec<_>>(), "the order is random");
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        for fold in 0..3 {
            let mut rows = [rest(&parts, fold), parts[fold].clone()].concat();
            rows.sort_unstable();
            assert_eq!(rows, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(super::parts(10, 3, 8).unwrap(), parts);
    }

    #[test]
    fn folds_need_samples() {
        assert!(parts(10, 10, 0).unwrap().iter().all(|part| part.len() == 1));
        assert_eq!(parts(10, 11, 0).unwrap_err().code(), "search");
        assert_eq!(parts(10, 1, 0).unwrap_err().code(), "search");
    }
}
