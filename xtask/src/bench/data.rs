//! Synthetic data: seeded, so that every run has the same.

use carnyx::Array;

/// Inputs and targets to learn from, then those for validation.
pub(super) struct Parts<X> {
    pub train: (X, Array),
    pub valid: (X, Array),
}

/// `count` pictures of noise and labels from 0 to 9, the last `valid` of them for validation.
pub(super) fn pictures(count: usize, valid: usize) -> Parts<Array> {
    let mut numbers = Numbers(42);
    let x = Array::from_fn([count, 28, 28], |_| numbers.unit());
    let y = Array::from_fn([count], |_| (numbers.unit() * 10.0) as i32);
    let part = |array: &Array, rows| array.rows(rows).expect("the parts lie inside the data");
    let (train, valid) = (0..count - valid, count - valid..count);
    Parts {
        train: (part(&x, train.clone()), part(&y, train)),
        valid: (part(&x, valid.clone()), part(&y, valid)),
    }
}

/// Standard normal features, five and six, and a target that is a linear function of them.
pub(super) fn wide_and_deep() -> Parts<[Array; 2]> {
    let mut numbers = Numbers(42);
    let mut part = |rows: usize| {
        let wide = Array::from_fn([rows, 5], |_| numbers.normal());
        let deep = Array::from_fn([rows, 6], |_| numbers.normal());
        let sums = |array: &Array, columns| -> Vec<f32> {
            array.values().chunks(columns).map(|row| row.iter().sum()).collect()
        };
        let (a, b) = (sums(&wide, 5), sums(&deep, 6));
        let y = Array::from_fn([rows, 1], |i| 0.3 * a[i] + 0.2 * b[i]);
        ([wide, deep], y)
    };
    Parts { train: part(11_610), valid: part(3_870) }
}

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform from 0 to 1, without 1.
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_as_described() {
        let data = pictures(300, 100);
        assert_eq!((data.train.0.shape(), data.valid.1.shape()), (&[200, 28, 28][..], &[100][..]));
        assert!(data.train.1.values().iter().all(|label| (0.0..10.0).contains(label)));
        let data = wide_and_deep();
        let values = data.train.0[0].values();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
