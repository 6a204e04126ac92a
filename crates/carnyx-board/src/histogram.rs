//! How often values are where: the buckets of TensorBoard's histograms.

use carnyx_graph::Array;

/// The number of buckets, as TensorBoard has it when nothing is said.
const BUCKETS: usize = 30;

/// Counts of values in buckets of equal width, from the smallest value to the greatest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    /// Left edge, right edge and count of each bucket.
    pub(crate) rows: Vec<[f64; 3]>,
    /// How many values are infinite or no numbers: they are in no bucket.
    pub(crate) not_finite: usize,
}

impl Histogram {
    /// The histogram of all elements. Where all are one value, the last bucket has them, and no bucket has a width.
    pub(crate) fn of(array: &Array) -> Histogram {
        let values: Vec<f64> = array.to_vec::<f64>();
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let count = finite().count();
        let not_finite = values.len() - count;
        if count == 0 {
            return Histogram { rows: vec![[0.0; 3]; BUCKETS], not_finite };
        }
        let (least, greatest) = finite()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| {
                (least.min(value), greatest.max(value))
            });
        let edge = |i: usize| match i {
            BUCKETS => greatest,
            // No difference of two finite values is taken, which might be infinite.
            _ => least * ((BUCKETS - i) as f64 / BUCKETS as f64) + greatest * (i as f64 / BUCKETS as f64),
        };
        let mut rows: Vec<[f64; 3]> = (0..BUCKETS).map(|i| [edge(i), edge(i + 1), 0.0]).collect();
        let half_width = greatest / 2.0 - least / 2.0;
        for value in finite() {
            let place = (value / 2.0 - least / 2.0) / half_width * BUCKETS as f64;
            // The greatest value belongs to the last bucket; so do all, where there is no width.
            let bucket = if place.is_nan() { BUCKETS - 1 } else { (place as usize).min(BUCKETS - 1) };
            rows[bucket][2] += 1.0;
        }
        Histogram { rows, not_finite }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(histogram: &Histogram) -> Vec<usize> {
        histogram.rows.iter().map(|row| row[2] as usize).collect()
    }

    #[test]
    fn values_are_counted_where_they_are() {
        let histogram = Histogram::of(&Array::from_fn([61], |i| i as f32));
        assert_eq!(histogram.rows[0][..2], [0.0, 2.0]);
        assert_eq!(histogram.rows[29][..2], [58.0, 60.0]);
        let mut expected = vec![2; 30];
        expected[29] = 3;
        assert_eq!((counts(&histogram), histogram.not_finite), (expected, 0));
    }

    #[test]
    fn what_is_not_finite_is_in_no_bucket() {
        let odd = Array::from([f32::NAN, 1.0, f32::INFINITY, 2.0, f32::NEG_INFINITY, 1.0]);
        let histogram = Histogram::of(&odd);
        assert_eq!(histogram.not_finite, 3);
        assert_eq!((histogram.rows[0][0], histogram.rows[29][1]), (1.0, 2.0));
        assert_eq!((histogram.rows[0][2], histogram.rows[29][2]), (2.0, 1.0));
        let nothing = Histogram::of(&Array::from([f32::NAN; 4]));
        assert_eq!((nothing.not_finite, counts(&nothing)), (4, vec![0; 30]));
        assert_eq!(Histogram::of(&Array::full([0], 1f32)).rows.len(), 30);
    }

    #[test]
    fn one_value_is_in_the_last_bucket() {
        let histogram = Histogram::of(&Array::full([2, 3], 0.5f32));
        assert_eq!(histogram.rows[29], [0.5, 0.5, 6.0]);
        assert_eq!(histogram.rows[..29], [[0.5, 0.5, 0.0]; 29]);
    }

    #[test]
    fn the_greatest_numbers_have_finite_edges() {
        let histogram = Histogram::of(&Array::from([f64::MIN, 0.0, f64::MAX]));
        assert!(histogram.rows.iter().flatten().all(|number| number.is_finite()));
        assert_eq!(counts(&histogram).iter().sum::<usize>(), 3);
        assert_eq!((histogram.rows[0][2], histogram.rows[15][2], histogram.rows[29][2]), (1.0, 1.0, 1.0));
    }
}
