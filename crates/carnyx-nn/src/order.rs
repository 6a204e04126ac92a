//! In which order the rows of arrays in memory are learned from.
//!
//! A pass takes each row once, in an order of its own. An epoch is one pass, or as many steps as the user wants: then it
//! goes on where the one before ended. Invariant: which rows a step takes depends on the seed, the epoch and the step
//! only, so a fit that is continued sees the order that one long fit would have seen.

use std::ops::Range;

/// Passes through rows, cut into the steps of epochs.
pub(crate) struct Order {
    rows: Vec<u32>,
    batch_size: usize,
    steps: usize,
    /// The seed of the shuffling, if there is any.
    seed: Option<u64>,
    /// The pass whose order the rows have.
    pass: usize,
}

impl Order {
    /// Passes through so many rows; `steps` are those of an epoch, if it is not one pass.
    pub(crate) fn new(rows: usize, batch_size: usize, steps: Option<usize>, seed: Option<u64>) -> Order {
        let steps = steps.unwrap_or_else(|| rows.div_ceil(batch_size));
        Order { rows: (0..rows as u32).collect(), batch_size, steps, seed, pass: usize::MAX }
    }

    /// The number of steps of an epoch.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// The places of the rows of a step, until another step is asked for; none at the end of an epoch.
    pub(crate) fn batch(&mut self, epoch: usize, step: usize) -> Range<usize> {
        let steps_of_pass = self.rows.len().div_ceil(self.batch_size);
        if step >= self.steps || steps_of_pass == 0 {
            return 0..0;
        }
        let taken = epoch * self.steps + step;
        let (pass, place) = (taken / steps_of_pass, taken % steps_of_pass);
        if self.pass != pass {
            self.pass = pass;
            if let Some(seed) = self.seed {
                shuffle(&mut self.rows, seed, pass as u64);
            }
        }
        let start = place * self.batch_size;
        start..self.rows.len().min(start + self.batch_size)
    }

    /// The rows at these places.
    pub(crate) fn rows(&self, places: &Range<usize>) -> &[u32] {
        &self.rows[places.clone()]
    }

    /// The same with the rows after them, up to so many as long as the pass has some.
    pub(crate) fn rows_and_next(&self, places: &Range<usize>, at_least: usize) -> &[u32] {
        let end = self.rows.len().min(places.start + at_least);
        &self.rows[places.start..end.max(places.end)]
    }
}

/// The order of pass `pass`: Fisher and Yates, with the numbers of a SplitMix64 generator.
pub(crate) fn shuffle(order: &mut [u32], seed: u64, pass: u64) {
    (0u32..).zip(order.iter_mut()).for_each(|(i, place)| *place = i);
    let mut state = mix(seed ^ mix(pass.wrapping_add(1)));
    for i in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // The high half of a product: a number in 0..=i, as good as even for any data that fits into memory.
        let j = ((u128::from(mix(state)) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
}

/// SplitMix64's finishing function.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_depends_on_seed_and_pass_only() {
        let order = |seed, pass| {
            let mut order = vec![9; 100];
            shuffle(&mut order, seed, pass);
            order
        };
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        assert_ne!(order(1, 2), order(2, 2));
        let mut sorted = order(1, 2);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn short_epochs_take_the_same_steps_as_long_ones() {
        let steps = |of_epoch: Option<usize>, epochs: usize| -> Vec<Vec<u32>> {
            let mut order = Order::new(10, 4, of_epoch, Some(7));
            let mut all = Vec::new();
            for epoch in 0..epochs {
                for step in 0.. {
                    let places = order.batch(epoch, step);
                    if places.is_empty() {
                        break;
                    }
                    all.push(order.rows(&places).to_vec());
                }
            }
            all
        };
        let passes = steps(None, 6);
        assert_eq!(passes.len(), 18);
        assert_ne!(passes[..3], passes[3..6]);
        assert_eq!(steps(Some(2), 9), passes);
        assert_eq!(steps(Some(9), 2), passes); // an epoch of three passes
        assert_eq!(steps(Some(4), 4), passes[..16]); // passes that end within epochs
    }
}
