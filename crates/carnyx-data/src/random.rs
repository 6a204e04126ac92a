//! The numbers behind every order of samples in this crate.
//!
//! Invariant: the same seed gives the same numbers on every machine, for ever.

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix {
    state: u64,
}

impl SplitMix {
    pub(crate) fn new(seed: u64) -> SplitMix {
        SplitMix { state: seed }
    }

    /// Other numbers for each epoch, and no epoch of one seed is another epoch of its neighbour.
    pub(crate) fn of_epoch(seed: u64, epoch: usize) -> SplitMix {
        let mut numbers = SplitMix::new(epoch as u64);
        let scattered = numbers.next();
        SplitMix::new(seed ^ scattered)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which is not 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        // The high half of the product is below `count`; its bias is less than `count` in 2^64.
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    /// Fisher and Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        (1..items.len()).rev().for_each(|last| items.swap(last, self.below(last + 1)));
    }
}
