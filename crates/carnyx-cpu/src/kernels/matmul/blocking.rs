//! Cuts a product into blocks that stay in the caches, and packs what would not.
//!
//! The innermost loops are tiles (`tile.rs`): some rows of A times a *panel* of B, up to three vectors wide.
//! Around them: blocks of k, short enough that a panel stays in the first-level cache; blocks of rows and of
//! columns, small enough that B's block and the rows' sums stay in the second-level cache.
//!
//! Invariant: however the blocks lie, each element's sum is one chain in the order of k. Between blocks of k
//! the sums rest in C itself, or in scratch memory where C is still needed or lies transposed.

use super::backend::Backend;
use super::tile::{Block, Tile};
use super::{Finish, Strides};
use std::ops::Range;

/// The most k in a block: 192 rows of a panel of 48 columns take 36 KiB.
const DEPTH: usize = 192;
/// The same where B is packed: its rows are adjacent then, so the second-level cache delivers them in time.
const PACKED_DEPTH: usize = 384;
/// The most rows in a block: 7 cache lines of floats, an odd number, so that a transposed block of A, with
/// rows of this length, uses all sets of the first-level cache.
const ROWS: usize = 112;
/// The most columns in a block.
const COLUMNS: usize = 480;
/// Floats of packed B, or of sums, that are kept at a time (1 MiB).
const KEPT: usize = 256 << 10;
/// Floats of a transposed A from which a block of it is copied together, if several panels use it: each k
/// lies on another page there, and on the same cache sets. A row-major A is read in place, which is 5 %
/// faster.
const A_TO_COPY: usize = 32 << 10;
/// Panels narrower than this are not worth having: a multiple of every backend's panel.
const NARROWEST: usize = 48;

/// How B's block reaches the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panels {
    /// B is row-major and read where it lies.
    InPlace,
    /// B is row-major and copied, so that its rows are adjacent and aligned.
    Copied,
    /// B is column-major and transposed.
    Transposed,
    /// B has no adjacent elements at all.
    Gathered,
}

/// A product, or the part of one that this call computes.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const f32,
    pub a_strides: Strides,
    pub b: *const f32,
    pub b_strides: Strides,
    pub c: *mut f32,
    /// Distance between the rows of C or, if `c_transposed`, between its columns; the other distance is 1.
    pub c_row: usize,
    pub c_transposed: bool,
    pub panels: Panels,
    pub finish: Finish,
}

/// How much scratch memory a product of at most this size takes.
pub(super) fn scratch_len(m: usize, n: usize, k: usize) -> usize {
    let columns = n.next_multiple_of(16);
    let sums = (m * columns).min(KEPT.max(m * NARROWEST));
    let packed = (k * columns).min(KEPT);
    sums + packed + a_block_len(m, k) + 64
}

/// Cuts `0..total` into parts of nearly the same size, at most `most`, at multiples of `step`; at least one
/// part.
fn parts(total: usize, most: usize, step: usize) -> Parts {
    if total <= most {
        return Parts { start: 0, total, left: 1, longer: 0, size: total, step };
    }
    let (steps, count) = (total.div_ceil(step), total.div_ceil(most));
    Parts { start: 0, total, left: count, longer: steps % count, size: steps / count * step, step }
}

/// The iterator of [`parts`]; it divides only at the beginning, which counts in products of a few hundred ns.
#[derive(Clone)]
struct Parts {
    start: usize,
    total: usize,
    left: usize,
    /// How many of the parts that are left have one step more than the others.
    longer: usize,
    size: usize,
    step: usize,
}

impl Iterator for Parts {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let start = self.start;
        self.start += self.size;
        if self.longer > 0 {
            self.longer -= 1;
            self.start += self.step;
        }
        Some(start..self.start.min(self.total))
    }
}

/// How a product is cut.
struct Plan {
    /// The most columns in a block.
    width: usize,
    depths: Parts,
    /// The rows between a block of columns and the blocks of k. If all of packed B can be kept, blocks of
    /// rows, and the sums stay in cache while k advances; otherwise all rows, and each block of k is packed
    /// once for them.
    bands: Parts,
    keeps_b: bool,
    copies_a: bool,
    /// The sums rest in scratch memory between blocks of k, this many floats of it.
    sums_len: Option<usize>,
}

impl Plan {
    fn new(backend: &Backend, product: &Product) -> Self {
        let Product { m, n, k, a_strides, .. } = *product;
        let columns = n.next_multiple_of(16);
        let packs = product.panels != Panels::InPlace;
        let depth = if packs { PACKED_DEPTH } else { DEPTH };
        let keeps_b = packs && m > ROWS && k * columns <= KEPT;
        let band = if keeps_b || m <= ROWS || !packs { m.min(ROWS) } else { m };
        let updates = matches!(product.finish, Finish::ScaledAdd(_)) && k > depth;
        let sums_in_scratch = product.c_transposed || updates;
        let most = if sums_in_scratch { (KEPT / band / NARROWEST).max(1) * NARROWEST } else { COLUMNS };
        let width = most.min(COLUMNS).min(columns);
        Self {
            width,
            depths: parts(k, depth, 1),
            bands: parts(m, band, 8),
            keeps_b,
            copies_a: packs
                && m * k > A_TO_COPY
                && n > backend.vectors * backend.lanes
                && a_strides.row == 1
                && a_strides.column != 1,
            sums_len: sums_in_scratch.then_some(band * width),
        }
    }
}

/// # Safety
///
/// The pointers are valid for the matrices described; nobody else writes this part of C; `scratch` has
/// [`scratch_len`] floats.
pub(super) unsafe fn multiply(backend: &Backend, product: &Product, scratch: &mut [f32]) {
    let Product { m, n, k, .. } = *product;
    if m == 0 || n == 0 {
        return;
    }
    let Plan { width, depths, bands, keeps_b, copies_a, sums_len } = Plan::new(backend, product);
    let aligned = scratch.as_ptr().align_offset(64).min(scratch.len());
    let (sums, rest) = split(&mut scratch[aligned..], sums_len.unwrap_or(0));
    let (copied, packed) = split(rest, if copies_a { a_block_len(m, k) } else { 0 });

    for columns in parts(n, width, backend.lanes) {
        for band in bands.clone() {
            for depth in depths.clone() {
                let block = BlockOfB { backend, product, columns: &columns, depth: &depth };
                let offset =
                    if keeps_b { depth.start * columns.len().next_multiple_of(backend.lanes) } else { 0 };
                // SAFETY: the block lies within B.
                let b = unsafe { block.panels_at(packed, offset, band.start == 0 || !keeps_b) };
                for rows in parts(band.len(), ROWS, 8) {
                    let sums = sums_len.map(|_| (sums[rows.start * width..].as_mut_ptr(), width));
                    let rows = band.start + rows.start..band.start + rows.end;
                    let mut a = BlockOfA::in_place(product, &rows, &depth);
                    if copies_a {
                        // SAFETY: the block lies within A, and `copied` has room for the largest.
                        a = unsafe { a.copied(backend, rows.len(), depth.len(), copied) };
                    }
                    // SAFETY: the caller vouches for the matrices; the sums of a band fit in `sums`.
                    unsafe { block.multiply(a, b, &rows, sums) };
                }
            }
            if product.c_transposed {
                let block =
                    Block { from: sums.as_ptr(), row: width, rows: band.len(), columns: columns.len() };
                let c = product.c.wrapping_add(columns.start * product.c_row + band.start);
                let finish = product.finish.at(columns.start, band.start, product.c_row);
                // SAFETY: the block's sums are complete; rows of `sums` are whole vectors.
                unsafe { (backend.finish_transposed)(&block, c, product.c_row, finish) };
            }
        }
    }
}

/// Cuts off `len` floats, rounded up to whole cache lines.
fn split(scratch: &mut [f32], len: usize) -> (&mut [f32], &mut [f32]) {
    scratch.split_at_mut(len.next_multiple_of(16))
}

/// Floats for the largest block of A.
fn a_block_len(m: usize, k: usize) -> usize {
    m.next_multiple_of(16).min(ROWS) * k.next_multiple_of(16).min(PACKED_DEPTH)
}

/// Some rows by some k of A.
#[derive(Clone, Copy)]
struct BlockOfA {
    from: *const f32,
    strides: Strides,
}

impl BlockOfA {
    fn in_place(product: &Product, rows: &Range<usize>, depth: &Range<usize>) -> Self {
        let strides = product.a_strides;
        let offset = rows.start * strides.row + depth.start * strides.column;
        Self { from: product.a.wrapping_add(offset), strides }
    }

    /// The same elements of a transposed A, in the same order but close together.
    unsafe fn copied(self, backend: &Backend, rows: usize, depth: usize, to: &mut [f32]) -> Self {
        let block = Block { from: self.from, row: self.strides.column, rows: depth, columns: rows };
        let column = rows.next_multiple_of(backend.lanes);
        debug_assert!(depth * column <= to.len(), "{depth} x {column} in {}", to.len());
        // SAFETY: the caller vouches for the block; `to` has the length just checked.
        unsafe { (backend.copy)(&block, to.as_mut_ptr()) };
        Self { from: to.as_ptr(), strides: Strides { row: 1, column } }
    }
}

/// Some columns by some k of B, and with them a step of the product.
struct BlockOfB<'a> {
    backend: &'a Backend,
    product: &'a Product,
    columns: &'a Range<usize>,
    depth: &'a Range<usize>,
}

impl BlockOfB<'_> {
    /// Where the panels lie: in B itself, or at `offset` in `packed`, to be filled first if `fresh`.
    unsafe fn panels_at(&self, packed: &mut [f32], offset: usize, fresh: bool) -> *const f32 {
        if self.product.panels == Panels::InPlace {
            return self.product.b;
        }
        let len = self.depth.len() * self.columns.len().next_multiple_of(self.backend.lanes);
        let packed = &mut packed[offset..offset + len];
        if fresh {
            // SAFETY: the caller vouches for B; the panels together have this length.
            unsafe { self.pack(packed) };
        }
        packed.as_ptr()
    }

    /// The panels' ranges of columns within this block, nearly equally wide.
    fn panels(&self) -> Parts {
        let widest = self.backend.widest(self.product.m) * self.backend.lanes;
        parts(self.columns.len(), widest, self.backend.lanes)
    }

    /// Fills `to` with one panel after the other.
    unsafe fn pack(&self, to: &mut [f32]) {
        let Product { b, b_strides, panels, .. } = *self.product;
        let depth = self.depth.len();
        for panel in self.panels() {
            let to = &mut to[panel.start * depth..];
            let j = self.columns.start + panel.start;
            let from = b.wrapping_add(self.depth.start * b_strides.row + j * b_strides.column);
            // SAFETY: the panel lies within B; `to` has room for it, its width rounded up to whole vectors.
            unsafe {
                match panels {
                    Panels::Copied | Panels::InPlace => {
                        let block = Block { from, row: b_strides.row, rows: depth, columns: panel.len() };
                        if depth > 0 {
                            (self.backend.copy)(&block, to.as_mut_ptr());
                        }
                    }
                    Panels::Transposed => {
                        let block = Block { from, row: b_strides.column, rows: panel.len(), columns: depth };
                        (self.backend.copy_transposed)(&block, to.as_mut_ptr());
                    }
                    Panels::Gathered => gather(from, b_strides, depth, panel.len(), self.backend.lanes, to),
                }
            }
        }
    }

    /// Adds this block's part to the sums of some rows, and finishes C after the last k.
    unsafe fn multiply(
        &self,
        a: BlockOfA,
        b: *const f32,
        rows: &Range<usize>,
        sums: Option<(*mut f32, usize)>,
    ) {
        let product = self.product;
        let lanes = self.backend.lanes;
        let last = self.depth.end == product.k && !product.c_transposed;
        let packs = product.panels != Panels::InPlace;
        for panel in self.panels() {
            let vectors = panel.len().div_ceil(lanes);
            let kernels = self.backend.tiles[vectors - 1];
            let j = self.columns.start + panel.start;
            let (b, b_row) = if packs {
                (b.wrapping_add(panel.start * self.depth.len()), vectors * lanes)
            } else {
                (b.wrapping_add(self.depth.start * product.b_strides.row + j), product.b_strides.row)
            };
            for tile_rows in parts(rows.len(), kernels.len(), 1) {
                let i = rows.start + tile_rows.start;
                let c = product.c.wrapping_add(i * product.c_row + j);
                let (partial, partial_row) = match sums {
                    Some((sums, row)) => (sums.wrapping_add(tile_rows.start * row + panel.start), row),
                    None => (c, product.c_row),
                };
                let (c, c_row, finish) = if last {
                    (c, product.c_row, product.finish.at(i, j, product.c_row))
                } else {
                    (partial, partial_row, Finish::Store)
                };
                let tile = Tile {
                    depth: self.depth.len(),
                    a: a.from.wrapping_add(tile_rows.start * a.strides.row),
                    a_strides: a.strides,
                    b,
                    b_row,
                    last_lanes: panel.len() - (vectors - 1) * lanes,
                    partial: if self.depth.start == 0 { std::ptr::null() } else { partial },
                    partial_row,
                    c,
                    c_row,
                    finish,
                };
                // SAFETY: the tile lies within the matrices, the backend fits this processor.
                unsafe { kernels[tile_rows.len() - 1](&tile) };
            }
        }
    }
}

/// Packs a panel of a matrix of any strides, element by element.
unsafe fn gather(
    from: *const f32,
    strides: Strides,
    depth: usize,
    width: usize,
    lanes: usize,
    to: &mut [f32],
) {
    for (k, row) in to.chunks_mut(width.next_multiple_of(lanes)).enumerate().take(depth) {
        row.fill(0.0);
        for (j, x) in row.iter_mut().enumerate().take(width) {
            // SAFETY: element (k, j) of the panel, which the caller vouches for.
            *x = unsafe { *from.wrapping_add(k * strides.row + j * strides.column) };
        }
    }
}
