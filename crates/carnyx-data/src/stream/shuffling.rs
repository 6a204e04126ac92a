//! Mixing samples that do not all fit into memory.
//!
//! The buffer is a list of blocks as they came. A further block exchanges each of its rows with a random row of the
//! buffer and goes on: nothing is allocated, and each row moves once. At the end what is left is shuffled in place, by
//! Fisher and Yates over all rows. The order depends on the seed, the epoch, the size of the buffer and the blocks.

use super::rows::{check_alike, swap, swap_within};
use crate::random::SplitMix;
use carnyx_graph::{Batch, Result, Walk};

pub(super) struct Shuffle {
    blocks: Walk,
    buffer: Vec<Batch>,
    /// The number of the first row of each block of the buffer, and at the end the number of all rows.
    starts: Vec<usize>,
    size: usize,
    numbers: SplitMix,
    number: usize,
    has_ended: bool,
}

impl Shuffle {
    pub(super) fn new(blocks: Walk, size: usize, seed: u64, epoch: usize) -> Shuffle {
        let numbers = SplitMix::of_epoch(seed, epoch);
        Shuffle { blocks, buffer: Vec::new(), starts: vec![0], size, numbers, number: 0, has_ended: false }
    }

    fn rows(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// The block of the buffer that holds a row, and the row's place in it.
    fn place(&self, row: usize) -> (usize, usize) {
        let block = self.starts.partition_point(|&start| start <= row) - 1;
        (block, row - self.starts[block])
    }

    fn block(&mut self) -> Result<Option<Batch>> {
        while !self.has_ended {
            let Some(mut block) = self.blocks.next().transpose()? else {
                self.has_ended = true;
                break;
            };
            check_alike(&block, self.number, self.buffer.first())?;
            self.number += 1;
            if block.num_rows() == 0 {
                continue;
            }
            if self.rows() < self.size {
                self.starts.push(self.rows() + block.num_rows());
                self.buffer.push(block);
                continue;
            }
            if self.rows() > 0 {
                for i in 0..block.num_rows() {
                    let chosen = self.numbers.below(self.starts[self.starts.len() - 1]);
                    let (other, j) = self.place(chosen);
                    swap(&mut block, i, &mut self.buffer[other], j);
                }
            }
            return Ok(Some(block));
        }
        Ok(self.last_block())
    }

    /// The last block of the buffer, of which each row is exchanged with a random one before it.
    fn last_block(&mut self) -> Option<Batch> {
        let mut block = self.buffer.pop()?;
        self.starts.pop();
        let before = self.rows();
        for i in (0..block.num_rows()).rev() {
            let chosen = self.numbers.below(before + i + 1);
            match chosen.checked_sub(before) {
                Some(j) => swap_within(&mut block, i, j),
                None => {
                    let (other, j) = self.place(chosen);
                    swap(&mut block, i, &mut self.buffer[other], j);
                }
            }
        }
        Some(block)
    }
}

impl Iterator for Shuffle {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        self.block().transpose()
    }
}
