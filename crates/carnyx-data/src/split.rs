//! Dividing samples into a part to train on and a part to test on.
//!
//! Invariant: the same number of samples, fraction and seed give the same division on every machine, for ever.

use crate::random::SplitMix;
use carnyx_graph::{Array, Error, Result};

/// Samples and their targets: as many rows in `x` as in `y`.
///
/// # Example
/// ```
/// # use carnyx_data::Split;
/// # use carnyx_graph::Array;
/// let train = Split { x: Array::from([[1.0f32, 2.0], [3.0, 4.0]]), y: Array::from([0u8, 1]) };
/// let (x, y) = train.into();
/// assert_eq!(x.num_rows(), y.num_rows());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The samples, one a row.
    pub x: Array,
    /// The targets, one a row.
    pub y: Array,
}

impl From<Split> for (Array, Array) {
    fn from(split: Split) -> (Array, Array) {
        (split.x, split.y)
    }
}

/// Shuffles the samples and divides them in two; `test_fraction` of them, rounded, are in the second part.
///
/// # Errors
/// `data`, if `x` and `y` have different numbers of rows or a part would be empty.
///
/// # Example
/// ```
/// use carnyx_data::train_test_split;
/// use carnyx_graph::Array;
/// let x = Array::from_fn([10, 2], |i| i as f32);
/// let y = Array::from_fn([10], |i| i as f32);
/// let (train, test) = train_test_split(&x, &y, 0.2, 42)?;
/// assert_eq!(train.x.shape(), [8, 2]);
/// assert_eq!(test.y.shape(), [2]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn train_test_split(x: &Array, y: &Array, test_fraction: f64, seed: u64) -> Result<(Split, Split)> {
    let rows = x.num_rows();
    if rows != y.num_rows() {
        return Err(Error::new("data", format!("`x` has {rows} samples, `y` has {}", y.num_rows()))
            .help("give each sample one target"));
    }
    let num_test = num_test(rows, test_fraction)?;
    let order = shuffled(rows, seed);
    let part = |indices: &[usize]| Ok(Split { x: x.take_rows(indices)?, y: y.take_rows(indices)? });
    Ok((part(&order[num_test..])?, part(&order[..num_test])?))
}

/// How many of `rows` samples are in the second part.
pub(crate) fn num_test(rows: usize, test_fraction: f64) -> Result<usize> {
    // A fraction that is negative or NaN becomes 0 here, and is refused with the others.
    let num_test = (rows as f64 * test_fraction).round() as usize;
    if num_test == 0 || num_test >= rows {
        return Err(Error::new(
            "data",
            format!("cannot put {test_fraction} of {rows} samples into the test set"),
        )
        .help("both parts need a sample: choose a fraction between 0 and 1, for example 0.2"));
    }
    Ok(num_test)
}

/// The numbers below `count` in the order that `seed` gives.
pub(crate) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    SplitMix::new(seed).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of SplitMix64 are published; this pins the order that follows from them.
    #[test]
    fn the_order_never_changes() {
        assert_eq!(shuffled(10, 42), [8, 3, 6, 5, 4, 0, 9, 2, 1, 7]);
        let mut all = shuffled(1000, 7);
        assert_ne!(all, shuffled(1000, 8));
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn rows_stay_together() {
        let x = Array::from_fn([50, 2], |i| (i / 2) as f32);
        let y = Array::from_fn([50], |i| i as f32);
        let (train, test) = train_test_split(&x, &y, 0.3, 1).unwrap();
        assert_eq!((train.x.num_rows(), test.x.num_rows()), (35, 15));
        for Split { x, y } in [train, test] {
            let y = y.values();
            assert!(x.values().chunks(2).zip(&y).all(|(row, target)| row == [*target, *target]));
        }
    }

    #[test]
    fn messages() {
        let split = |n, m, fraction| {
            let (x, y) = (Array::full([n], 0f32), Array::full([m], 0f32));
            train_test_split(&x, &y, fraction, 0).unwrap_err().to_string()
        };
        assert_eq!(
            split(3, 4, 0.5),
            "error[data]: `x` has 3 samples, `y` has 4\n  = help: give each sample one target"
        );
        for fraction in [0.0, 1.0, -1.0, 7.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                split(3, 3, fraction),
                format!(
                    "error[data]: cannot put {fraction} of 3 samples into the test set\n  \
                     = help: both parts need a sample: choose a fraction between 0 and 1, for example 0.2"
                )
            );
        }
    }
}
