//! The same elements elsewhere: transposes, broadcasts, slices, flips, parts of larger arrays, rows by index.
//!
//! All but the last are a [`View`]: which element of an array belongs to each index. Views are made when a
//! program is, with adjacent axes that lie alike collapsed into one; [`read_view`] and [`write_view`] copy
//! any range of their elements, so that a range can be a thread's part or a tile. Nothing here looks at what
//! the elements are.

use super::lanes::Instructions;
use super::{Vectorized, run_on};
use crate::isa::Isa;
use carnyx_graph::op::Span;
use carnyx_graph::row_major_strides;

/// The most axes that a view can have after collapsing.
pub const MAX_AXES: usize = 16;

/// Where the elements of an array lie: the one at index `i` at `offset + Σ i[axis] · stride[axis]`, in
/// elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// At least one axis.
    rank: usize,
    sizes: [usize; MAX_AXES],
    strides: [isize; MAX_AXES],
    offset: isize,
}

impl View {
    /// A view of any strides, negative ones and 0 among them. Axes of size 1 vanish; adjacent ones that lie
    /// like a single one become it.
    pub fn new(sizes: &[usize], strides: &[isize], offset: isize) -> View {
        assert_eq!(sizes.len(), strides.len(), "each axis has a size and a stride");
        let axes = collapse(sizes.iter().copied().zip(strides.iter().copied()));
        assert!(axes.len() <= MAX_AXES, "a view of {} axes that do not collapse", axes.len());
        let mut view = View { rank: axes.len(), sizes: [1; MAX_AXES], strides: [0; MAX_AXES], offset };
        for (i, (size, stride)) in axes.into_iter().enumerate() {
            (view.sizes[i], view.strides[i]) = (size, stride);
        }
        view
    }

    /// An array of `sizes` as it is.
    pub fn row_major(sizes: &[usize]) -> View {
        View::new(sizes, &signed_strides(sizes), 0)
    }

    /// An array of `sizes`, broadcast to the sizes `to`.
    pub fn broadcast(sizes: &[usize], to: &[usize]) -> View {
        let new_axes = to.len() - sizes.len();
        let own = signed_strides(sizes);
        let stride = |axis: usize| match axis.checked_sub(new_axes) {
            Some(old) if sizes[old] == to[axis] => own[old],
            Some(_) | None => 0,
        };
        View::new(to, &(0..to.len()).map(stride).collect::<Vec<_>>(), 0)
    }

    /// An array of `sizes` with its axes in another order: axis `i` of the view is axis `order[i]` of the
    /// array.
    pub fn transposed(sizes: &[usize], order: &[usize]) -> View {
        let own = signed_strides(sizes);
        let of = |axis: &usize| (sizes[*axis], own[*axis]);
        let (sizes, strides): (Vec<_>, Vec<_>) = order.iter().map(of).unzip();
        View::new(&sizes, &strides, 0)
    }

    /// The elements that `spans` name in an array of `sizes`.
    pub fn sliced(sizes: &[usize], spans: &[Span]) -> View {
        let own = signed_strides(sizes);
        let offset = own.iter().zip(spans).map(|(stride, span)| stride * span.start as isize).sum();
        let strides: Vec<isize> =
            own.iter().zip(spans).map(|(stride, span)| stride * span.step as isize).collect();
        View::new(&spans.iter().map(Span::len).collect::<Vec<_>>(), &strides, offset)
    }

    /// An array of `sizes`, backwards along `axes`.
    pub fn flipped(sizes: &[usize], axes: &[usize]) -> View {
        let (mut strides, mut offset) = (signed_strides(sizes), 0);
        for &axis in axes.iter().filter(|axis| sizes[**axis] > 0) {
            offset += strides[axis] * (sizes[axis] - 1) as isize;
            strides[axis] = -strides[axis];
        }
        View::new(sizes, &strides, offset)
    }

    /// The part of `sizes` that begins at index `start` of an array of sizes `whole`: what padding and
    /// joining write to.
    pub fn placed(whole: &[usize], start: &[usize], sizes: &[usize]) -> View {
        let own = signed_strides(whole);
        let offset = own.iter().zip(start).map(|(stride, start)| stride * *start as isize).sum();
        View::new(sizes, &own, offset)
    }

    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.sizes[..self.rank].iter().product()
    }

    /// Whether the elements lie one after another, without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.rank == 1 && (self.strides[0] == 1 || self.sizes[0] == 1)
    }

    /// The size and stride of each axis after collapsing, outermost first, and the place of index 0.
    pub fn axes(&self) -> (impl Iterator<Item = (usize, isize)>, isize) {
        let axes = self.sizes.into_iter().zip(self.strides).take(self.rank);
        (axes, self.offset)
    }
}

fn signed_strides(sizes: &[usize]) -> Vec<isize> {
    row_major_strides(sizes).into_iter().map(|stride| stride as isize).collect()
}

/// Sizes and strides without axes of size 1, adjacent axes that lie like a single one as it; at least one
/// axis.
pub fn collapse(axes: impl Iterator<Item = (usize, isize)>) -> Vec<(usize, isize)> {
    let mut collapsed: Vec<(usize, isize)> = Vec::new();
    for (size, stride) in axes.filter(|(size, _)| *size != 1) {
        match collapsed.last_mut() {
            Some(outer) if outer.1 == stride * size as isize => *outer = (outer.0 * size, stride),
            _ => collapsed.push((size, stride)),
        }
    }
    if collapsed.is_empty() {
        collapsed.push((1, 1));
    }
    collapsed
}

/// Part of the rows of a view: `rows` whole rows or a piece of one, `length` elements each, from the place
/// `offset` on, the elements `at..at + rows * length` of the range that is copied.
struct Run {
    offset: isize,
    at: usize,
    rows: usize,
    length: usize,
}

/// Goes through the elements `first..first + n` of a view, row by row along its last axis. Rows of the last
/// two axes come together as far as the range contains them whole.
#[inline(always)]
fn for_each_run(view: &View, first: usize, n: usize, mut visit: impl FnMut(Run)) {
    debug_assert!(first + n <= view.elements(), "{first} + {n} of {}", view.elements());
    let last = view.rank - 1;
    let length = view.sizes[last];
    let mut at = 0;
    let mut index = [0; MAX_AXES];
    let mut rest = first;
    for axis in (0..view.rank).rev() {
        (index[axis], rest) = (rest % view.sizes[axis].max(1), rest / view.sizes[axis].max(1));
    }
    while at < n {
        let place = |(i, stride): (&usize, &isize)| *i as isize * stride;
        let offset = view.offset + index[..view.rank].iter().zip(&view.strides).map(place).sum::<isize>();
        let column = index[last];
        if column > 0 || n - at < length || last == 0 {
            let length = (length - column).min(n - at);
            visit(Run { offset, at, rows: 1, length });
            at += length;
            index[last] += length;
        } else {
            let rows = (view.sizes[last - 1] - index[last - 1]).min((n - at) / length);
            visit(Run { offset, at, rows, length });
            at += rows * length;
            index[last - 1] += rows;
        }
        for axis in (1..view.rank).rev() {
            if index[axis] == view.sizes[axis] {
                index[axis] = 0;
                index[axis - 1] += 1;
            }
        }
    }
}

/// `out[j] = x[view(first + j)]` for `j < n`, in elements of `size` bytes.
///
/// # Safety
///
/// The processor has `isa`. `size` is 1, 4 or 8; `out` and `x` are aligned to it. `out` is valid for `n`
/// elements that nobody else touches, `x` at the elements that the view names in the range, and they do not
/// overlap.
pub unsafe fn read_view(
    isa: Isa,
    size: usize,
    out: *mut u8,
    x: *const u8,
    view: &View,
    first: usize,
    n: usize,
) {
    // SAFETY: the contract is passed on.
    unsafe {
        match size {
            1 => read::<u8>(isa, out.cast(), x.cast(), view, first, n),
            4 => read::<u32>(isa, out.cast(), x.cast(), view, first, n),
            _ => read::<u64>(isa, out.cast(), x.cast(), view, first, n),
        }
    }
}

unsafe fn read<T: Copy + Default>(isa: Isa, out: *mut T, x: *const T, view: &View, first: usize, n: usize) {
    let last = view.rank - 1;
    let [row, column] = [if last > 0 { view.strides[last - 1] } else { 0 }, view.strides[last]];
    let is_transpose = row == 1 && column != 1 && column != 0;
    for_each_run(view, first, n, |run| {
        let (out, x) = (out.wrapping_add(run.at), x.wrapping_offset(run.offset));
        if is_transpose && run.rows >= BLOCK / 2 {
            let (rows, columns) = (run.rows, run.length);
            run_on(isa, Transpose { out, x, rows, columns, stride: column });
            return;
        }
        for i in 0..run.rows {
            // SAFETY: a row of the view, and as many elements of the result.
            unsafe {
                read_row(out.add(i * run.length), x.wrapping_offset(i as isize * row), run.length, column);
            }
        }
    });
}

/// `out[i] = x[i * stride]` for `i < n`.
#[inline(always)]
unsafe fn read_row<T: Copy>(out: *mut T, x: *const T, n: usize, stride: isize) {
    // SAFETY: the caller vouches for the elements named.
    unsafe {
        match stride {
            1 => std::ptr::copy_nonoverlapping(x, out, n),
            0 => std::slice::from_raw_parts_mut(out, n).fill(*x),
            _ => (0..n).for_each(|i| *out.add(i) = *x.offset(i as isize * stride)),
        }
    }
}

/// `out[view(first + j)] = x[j]` for `j < n`, in elements of `size` bytes. The view names no element twice.
///
/// # Safety
///
/// As for [`read_view`], with `out` and `x` exchanged.
pub unsafe fn write_view(size: usize, out: *mut u8, view: &View, x: *const u8, first: usize, n: usize) {
    // SAFETY: the contract is passed on.
    unsafe {
        match size {
            1 => write::<u8>(out.cast(), view, x.cast(), first, n),
            4 => write::<u32>(out.cast(), view, x.cast(), first, n),
            _ => write::<u64>(out.cast(), view, x.cast(), first, n),
        }
    }
}

unsafe fn write<T: Copy>(out: *mut T, view: &View, x: *const T, first: usize, n: usize) {
    let last = view.rank - 1;
    let [row, column] = [if last > 0 { view.strides[last - 1] } else { 0 }, view.strides[last]];
    for_each_run(view, first, n, |run| {
        for i in 0..run.rows {
            let to = out.wrapping_offset(run.offset + i as isize * row);
            let from = x.wrapping_add(run.at + i * run.length);
            // SAFETY: a row of the view, and as many elements of `x`.
            unsafe {
                match column {
                    1 => std::ptr::copy_nonoverlapping(from, to, run.length),
                    _ => (0..run.length).for_each(|j| *to.offset(j as isize * column) = *from.add(j)),
                }
            }
        }
    });
}

/// The side of the squares in which matrices are transposed.
const BLOCK: usize = 16;

/// `out[i, j] = x[i + j * stride]`, `out` row-major.
struct Transpose<T> {
    out: *mut T,
    x: *const T,
    rows: usize,
    columns: usize,
    stride: isize,
}

impl<T: Copy + Default> Vectorized for Transpose<T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Instructions>(self) {
        let Transpose { out, x, rows, columns, stride } = self;
        for i in (0..rows).step_by(BLOCK) {
            let height = BLOCK.min(rows - i);
            for j in (0..columns).step_by(BLOCK) {
                let width = BLOCK.min(columns - j);
                let from = x.wrapping_add(i).wrapping_offset(j as isize * stride);
                let to = out.wrapping_add(i * columns + j);
                // SAFETY: elements of the view and of the result, by `read_view`'s contract.
                unsafe {
                    match (height, width) {
                        (BLOCK, BLOCK) => transpose_block(to, columns, from, stride, BLOCK, BLOCK),
                        _ => transpose_block(to, columns, from, stride, height, width),
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn transpose_block<T: Copy + Default>(
    out: *mut T,
    columns: usize,
    x: *const T,
    stride: isize,
    height: usize,
    width: usize,
) {
    let mut block = [[T::default(); BLOCK]; BLOCK];
    for (j, line) in block.iter_mut().enumerate().take(width) {
        // SAFETY: `height` neighbours in column `j` of the view, by the caller's contract.
        unsafe { std::ptr::copy_nonoverlapping(x.offset(j as isize * stride), line.as_mut_ptr(), height) };
    }
    for i in 0..height {
        for (j, line) in block.iter().enumerate().take(width) {
            // SAFETY: element (i, j) of the block of the result.
            unsafe { *out.add(i * columns + j) = line[i] };
        }
    }
}

/// `out[j] = x[rows[j]]` for whole rows of `row_bytes`.
///
/// # Safety
///
/// `out` is valid for the rows, which nobody else touches; `x` is valid at each row named; they do not
/// overlap.
pub unsafe fn gather_rows(out: *mut u8, x: *const u8, row_bytes: usize, rows: &[u32]) {
    for (j, row) in rows.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(
                x.add(*row as usize * row_bytes),
                out.add(j * row_bytes),
                row_bytes,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, stop: usize, step: usize) -> Span {
        Span { start, stop, step }
    }

    /// The elements of the view of `0, 1, 2, …`, by the definition.
    fn plain(view: &View) -> Vec<u32> {
        let (axes, offset) = view.axes();
        axes.fold(vec![offset], |places, (size, stride)| {
            places.iter().flat_map(|place| (0..size as isize).map(move |i| place + i * stride)).collect()
        })
        .into_iter()
        .map(|place| place as u32)
        .collect()
    }

    fn views() -> Vec<(View, usize)> {
        vec![
            (View::row_major(&[3, 4, 5]), 60),
            (View::row_major(&[]), 1),
            (View::broadcast(&[4, 1], &[3, 4, 5]), 4),
            (View::broadcast(&[5], &[3, 5]), 5),
            (View::transposed(&[32, 100], &[1, 0]), 3200),
            (View::transposed(&[3, 20, 17], &[0, 2, 1]), 1020),
            (View::transposed(&[3, 4, 5], &[1, 0, 2]), 60),
            (View::transposed(&[2, 3, 4, 5], &[3, 1, 0, 2]), 120),
            (View::sliced(&[6, 7], &[span(1, 6, 2), span(2, 6, 1)]), 42),
            (View::sliced(&[6, 7], &[span(0, 6, 1), span(0, 7, 3)]), 42),
            (View::flipped(&[4, 5], &[0]), 20),
            (View::flipped(&[4, 5], &[0, 1]), 20),
            (View::placed(&[6, 7], &[1, 2], &[3, 4]), 42),
        ]
    }

    #[test]
    fn ranges_of_views_are_read() {
        for (view, n) in views() {
            let (x, wanted) = ((0..n as u32).collect::<Vec<_>>(), plain(&view));
            let total = view.elements();
            assert_eq!(total, wanted.len());
            for isa in Isa::available() {
                for (first, last) in
                    [(0, total), (total / 3, total), (1.min(total), total - total / 4), (0, total / 2)]
                {
                    let mut out = vec![u32::MAX; last - first];
                    // SAFETY: `x` has all elements that the view names.
                    unsafe {
                        read_view(
                            isa,
                            4,
                            out.as_mut_ptr().cast(),
                            x.as_ptr().cast(),
                            &view,
                            first,
                            last - first,
                        );
                    }
                    assert_eq!(out, wanted[first..last], "{view:?} from {first} to {last}");
                }
            }
        }
    }

    #[test]
    fn all_sizes_of_elements() {
        let view = View::transposed(&[20, 30], &[1, 0]);
        let wanted = plain(&view);
        let x: Vec<u64> = (0..600).collect();
        let mut out = vec![0u64; 600];
        // SAFETY: 600 elements each.
        unsafe { read_view(Isa::detect(), 8, out.as_mut_ptr().cast(), x.as_ptr().cast(), &view, 0, 600) };
        assert!(out.iter().zip(&wanted).all(|(a, b)| *a == u64::from(*b)));
        let x: Vec<u8> = (0..600u16).map(|i| i as u8).collect();
        let mut out = vec![0u8; 600];
        // SAFETY: 600 elements each.
        unsafe { read_view(Isa::detect(), 1, out.as_mut_ptr(), x.as_ptr(), &view, 0, 600) };
        assert!(out.iter().zip(&wanted).all(|(a, b)| *a == *b as u8));
    }

    #[test]
    fn writing_is_the_reverse_of_reading() {
        for (view, n) in views().into_iter().filter(|(view, _)| view.axes().0.all(|(_, stride)| stride != 0))
        {
            let total = view.elements();
            let x: Vec<u32> = (1..=total as u32).collect();
            let (mut out, mut back) = (vec![0u32; n], vec![0u32; total]);
            // SAFETY: the array has all elements that the view names.
            unsafe {
                let half = total / 2;
                write_view(4, out.as_mut_ptr().cast(), &view, x.as_ptr().cast(), 0, half);
                write_view(4, out.as_mut_ptr().cast(), &view, x[half..].as_ptr().cast(), half, total - half);
                read_view(Isa::Portable, 4, back.as_mut_ptr().cast(), out.as_ptr().cast(), &view, 0, total);
            }
            assert_eq!(back, x);
            assert_eq!(out.iter().filter(|x| **x != 0).count(), total, "nothing else is written");
        }
    }

    #[test]
    fn axes_that_lie_alike_collapse() {
        assert!(View::row_major(&[3, 1, 4]).is_contiguous());
        assert_eq!(collapse([(3, 20), (4, 5), (5, 1)].into_iter()), [(60, 1)]);
        assert_eq!(collapse([(2, 0), (3, 0), (1, 7), (4, 1)].into_iter()), [(6, 0), (4, 1)]);
        assert!(View::sliced(&[6, 7], &[span(2, 4, 1), span(0, 7, 1)]).is_contiguous());
        assert!(!View::transposed(&[2, 3], &[1, 0]).is_contiguous());
        assert_eq!(View::row_major(&[0, 3]).elements(), 0);
    }

    #[test]
    fn rows_by_index() {
        let x: Vec<u8> = (0..12).collect();
        let mut out = [0; 9];
        // SAFETY: rows 3, 0, 3 of four rows of 3 bytes.
        unsafe { gather_rows(out.as_mut_ptr(), x.as_ptr(), 3, &[3, 0, 3]) };
        assert_eq!(out, [9, 10, 11, 0, 1, 2, 9, 10, 11]);
    }
}
