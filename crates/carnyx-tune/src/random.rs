//! Random numbers by address: what is drawn depends on a seed and on words that say what it is for, and on nothing that
//! was drawn before.

/// A generator at an address: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct Random(u64);

impl Random {
    /// The generator for what these words say.
    pub fn at(seed: u64, words: &[u64]) -> Random {
        let state = words.iter().fold(mix(seed.wrapping_add(GOLDEN)), |state, word| {
            mix(state.wrapping_mul(3) ^ mix(word.wrapping_add(GOLDEN)))
        });
        Random(state)
    }

    /// The generator for the hyperparameter `name` of a trial.
    pub fn named(seed: u64, trial: usize, name: &str) -> Random {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Random::at(seed, &[trial as u64, hash])
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number from 0 to 1, without 1.
    pub fn share(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.word()) * end as u128) >> 64) as usize
    }

    /// A number of the standard normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }

    /// The numbers below `count` in a random order (Fisher and Yates).
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_number_of_its_own() {
        assert_eq!(Random::named(1, 2, "units").word(), Random::named(1, 2, "units").word());
        let words = [
            Random::named(1, 2, "units").word(),
            Random::named(2, 2, "units").word(),
            Random::named(1, 3, "units").word(),
            Random::named(1, 2, "rate").word(),
        ];
        (0..4).for_each(|i| (0..i).for_each(|j| assert_ne!(words[i], words[j])));
    }

    #[test]
    fn numbers_are_even_and_normal() {
        let count = 20_000;
        let shares: Vec<f64> = (0..count).map(|trial| Random::named(0, trial, "x").share()).collect();
        let mean = shares.iter().sum::<f64>() / count as f64;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let mut random = Random::at(0, &[]);
        let normal: Vec<f64> = (0..count).map(|_| random.normal()).collect();
        let mean = normal.iter().sum::<f64>() / count as f64;
        let variance = normal.iter().map(|x| x * x).sum::<f64>() / count as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let mut order = random.order(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
