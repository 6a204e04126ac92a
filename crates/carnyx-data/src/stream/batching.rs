//! Blocks of any size cut into blocks of another: batches, and the first or the last samples of a stream; and blocks
//! of inputs put beside blocks of targets.

use super::rows::{check_alike, part, together};
use carnyx_graph::{Batch, Error, Result, Walk};
use std::ops::Range;

/// Blocks cut anew into blocks of one size.
pub(super) struct Recut {
    blocks: Walk,
    size: usize,
    drop_remainder: bool,
    /// The block that is being used up, and which of its rows are left.
    current: Option<(Batch, Range<usize>)>,
    /// A block without rows that says what the others have to be like.
    first: Option<Batch>,
    number: usize,
}

impl Recut {
    pub(super) fn new(blocks: Walk, size: usize, drop_remainder: bool) -> Recut {
        Recut { blocks, size, drop_remainder, current: None, first: None, number: 0 }
    }

    /// The next block's rows.
    fn read(&mut self) -> Result<Option<(Batch, Range<usize>)>> {
        if let Some(left) = self.current.take() {
            return Ok(Some(left));
        }
        let Some(block) = self.blocks.next().transpose()? else { return Ok(None) };
        check_alike(&block, self.number, self.first.as_ref())?;
        if self.first.is_none() {
            self.first = Some(part(&block, 0..0)?);
        }
        self.number += 1;
        let rows = 0..block.num_rows();
        Ok(Some((block, rows)))
    }

    fn batch(&mut self) -> Result<Option<Batch>> {
        let mut parts = Vec::with_capacity(2);
        let mut missing = self.size;
        while missing > 0 {
            let Some((block, rows)) = self.read()? else { break };
            if rows.is_empty() {
                continue;
            }
            let cut = rows.end.min(rows.start + missing);
            if cut < rows.end {
                self.current = Some((block.clone(), cut..rows.end));
            }
            missing -= cut - rows.start;
            parts.push((block, rows.start..cut));
        }
        if parts.is_empty() || (missing > 0 && self.drop_remainder) {
            return Ok(None);
        }
        together(&parts).map(Some)
    }
}

impl Iterator for Recut {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        self.batch().transpose()
    }
}

/// The samples with certain numbers, counted from the beginning of the walk.
pub(super) struct Window {
    blocks: Walk,
    wanted: Range<usize>,
    seen: usize,
}

impl Window {
    pub(super) fn new(blocks: Walk, wanted: Range<usize>) -> Window {
        Window { blocks, wanted, seen: 0 }
    }
}

impl Iterator for Window {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        while self.seen < self.wanted.end {
            let block = match self.blocks.next()? {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            let (first, rows) = (self.seen, block.num_rows());
            self.seen += rows;
            let inside = self.wanted.start.max(first)..self.wanted.end.min(self.seen);
            if !inside.is_empty() {
                return Some(part(&block, inside.start - first..inside.end - first));
            }
        }
        None
    }
}

/// Blocks of inputs and blocks of targets, side by side.
pub(super) struct Beside {
    inputs: Walk,
    targets: Walk,
    number: usize,
}

impl Beside {
    pub(super) fn new(inputs: Walk, targets: Walk) -> Beside {
        Beside { inputs, targets, number: 0 }
    }

    fn block(&mut self) -> Result<Option<Batch>> {
        let (inputs, targets) = (self.inputs.next().transpose()?, self.targets.next().transpose()?);
        let number = self.number;
        self.number += 1;
        let [rows, target_rows] = [&inputs, &targets].map(|block| block.as_ref().map_or(0, Batch::num_rows));
        if rows != target_rows {
            let title = format!("block {number} has {rows} samples, but {target_rows} targets");
            return Err(Error::new("data", title)
                .help("give each sample one target, and cut both into the same blocks"));
        }
        let (Some(inputs), Some(targets)) = (inputs, targets) else { return Ok(None) };
        let names = inputs.input_names().cloned();
        let [[inputs, ..], [targets, ..]] = [inputs.into_parts(), targets.into_parts()];
        let block = Batch::new(inputs, targets);
        Ok(Some(match names {
            Some(names) => block.with_input_names(names),
            None => block,
        }))
    }
}

impl Iterator for Beside {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        self.block().transpose()
    }
}
