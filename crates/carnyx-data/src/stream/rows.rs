//! Moving rows between blocks of samples: cut out, put together, exchanged in place.

use carnyx_graph::array::Storage;
use carnyx_graph::{Array, Batch, Element, Error, Result, with_storage};
use std::ops::Range;
use std::sync::Arc;

/// Some rows of a block, copied; the block itself, if all are wanted.
pub(super) fn part(block: &Batch, rows: Range<usize>) -> Result<Batch> {
    if rows == (0..block.num_rows()) {
        return Ok(block.clone());
    }
    let mut part = block.clone();
    for array in part.arrays_mut() {
        *array = array.rows(rows.clone())?;
    }
    Ok(part)
}

/// The rows of several blocks one below the other: each is copied once.
pub(super) fn together(parts: &[(Batch, Range<usize>)]) -> Result<Batch> {
    let [(block, rows)] = parts else {
        let mut whole = parts[0].0.clone();
        for (i, array) in whole.arrays_mut().enumerate() {
            let columns = parts.iter().filter_map(|(block, rows)| Some((block.arrays().nth(i)?, rows)));
            *array = with_storage!(array.storage(), first => stacked(&first[..0], array.shape(), columns))?;
        }
        return Ok(whole);
    };
    part(block, rows.clone())
}

/// `_like` says only of which type the elements are.
fn stacked<'a, T: Element>(
    _like: &[T],
    shape: &[usize],
    parts: impl Iterator<Item = (&'a Array, &'a Range<usize>)> + Clone,
) -> Result<Array> {
    let width: usize = shape[1..].iter().product();
    let rows: usize = parts.clone().map(|(_, rows)| rows.len()).sum();
    let mut elements: Vec<T> = Vec::with_capacity(rows * width);
    for (array, rows) in parts {
        elements.extend_from_slice(&array.as_slice::<T>()?[rows.start * width..rows.end * width]);
    }
    let mut shape = shape.to_vec();
    shape[0] = rows;
    Array::new(shape, elements)
}

/// Exchanges row `i` of `a` with row `j` of `b`; the blocks must be [alike](check_alike).
pub(super) fn swap(a: &mut Batch, i: usize, b: &mut Batch, j: usize) {
    for (a, b) in a.arrays_mut().zip(b.arrays_mut()) {
        let width = a.row_len();
        macro_rules! swap {
            ($($variant:ident)*) => {
                match (a.storage_mut(), b.storage_mut()) {
                    $((Storage::$variant(a), Storage::$variant(b)) => {
                        let row = &mut Arc::make_mut(a)[i * width..][..width];
                        row.swap_with_slice(&mut Arc::make_mut(b)[j * width..][..width]);
                    })*
                    _ => unreachable!("blocks that are not alike were refused"),
                }
            };
        }
        swap!(F32 F64 I32 I64 U8 Bool);
    }
}

/// Exchanges two rows of one block.
pub(super) fn swap_within(block: &mut Batch, i: usize, j: usize) {
    fn exchange<T>(elements: &mut [T], i: usize, j: usize, width: usize) {
        let (low, high) = elements.split_at_mut(i.max(j) * width);
        low[i.min(j) * width..][..width].swap_with_slice(&mut high[..width]);
    }
    if i == j {
        return;
    }
    for array in block.arrays_mut() {
        let width = array.row_len();
        with_storage!(array.storage_mut(), data => exchange(Arc::make_mut(data).as_mut_slice(), i, j, width));
    }
}

/// Whether all arrays of a block have as many rows, and, if there was a block before it, rows of the same shapes and
/// types.
///
/// # Errors
/// `data`, with both shapes.
pub(super) fn check_alike(block: &Batch, number: usize, first: Option<&Batch>) -> Result {
    let rows = block.num_rows();
    for array in block.arrays() {
        if array.shape().is_empty() || array.num_rows() != rows {
            let shapes: Vec<_> = block.arrays().map(Array::shape).collect();
            let title = format!("the arrays of block {number} of the stream have different numbers of rows");
            return Err(Error::new("data", title).label(format!("their shapes are {shapes:?}")));
        }
    }
    let Some(first) = first else { return Ok(()) };
    if block.arrays().count() != first.arrays().count() || block.inputs().len() != first.inputs().len() {
        let title = format!("block {number} of the stream has other arrays than the first");
        return Err(Error::new("data", title).label(format!(
            "{} inputs of {} arrays, and {} of {} in the first",
            block.inputs().len(),
            block.arrays().count(),
            first.inputs().len(),
            first.arrays().count()
        )));
    }
    for (array, before) in block.arrays().zip(first.arrays()) {
        if array.shape()[1..] != before.shape()[1..] || array.dtype() != before.dtype() {
            let title = format!("block {number} of the stream has other rows than the first");
            return Err(Error::new("data", title).label(format!(
                "{}{:?}, and {}{:?} in the first",
                array.dtype(),
                array.shape(),
                before.dtype(),
                before.shape()
            )));
        }
    }
    Ok(())
}
