//! The micro-kernels: the parts of a product that run in registers.
//!
//! All are generic over the [`Vector`] and inlined into the `#[target_feature]` functions of `backend.rs`.

use super::vector::Vector;
use super::{Finish, Strides};

/// One tile of C: some rows by some vectors; the last vector may be partial.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// How many k this tile adds up.
    pub depth: usize,
    pub a: *const f32,
    pub a_strides: Strides,
    pub b: *const f32,
    /// Distance between the rows of B.
    pub b_row: usize,
    /// Lanes of the last vector that exist, 1 to `LANES`.
    pub last_lanes: usize,
    /// The sums over the earlier k, with rows `partial_row` apart; null at the beginning.
    pub partial: *const f32,
    pub partial_row: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub finish: Finish,
}

/// `C[r, v] = finish(partial[r, v] + Σ_k A[r, k] · B[k, v])` for `ROWS` rows by `VECTORS` vectors.
///
/// Each element is one chain of fused multiply-adds in the order of k, whatever the tile's shape.
///
/// # Safety
///
/// As for [`Vector`]; all elements that the tile describes are valid, and nobody else writes those of C.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const ROWS: usize, const VECTORS: usize>(tile: &Tile) {
    // SAFETY (all blocks): the tile lies within its matrices, and lanes that do not exist are masked off.
    let mask = unsafe { V::mask(tile.last_lanes) };
    let load = |from: *const f32, v: usize| unsafe {
        if v + 1 == VECTORS { V::load_masked(from, mask) } else { V::load(from) }
    };
    let mut sums = [[unsafe { V::zero() }; VECTORS]; ROWS];
    if tile.partial.is_null() {
        // C is needed after the loop: ask for it now, so that the loop hides the wait.
        for r in 0..ROWS {
            for v in 0..VECTORS {
                unsafe { V::prefetch(tile.c.wrapping_add(r * tile.c_row + v * V::LANES)) };
            }
        }
    } else {
        for (r, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = load(tile.partial.wrapping_add(r * tile.partial_row + v * V::LANES), v);
            }
        }
    }
    // SAFETY: this function's contract is the other's.
    unsafe {
        if V::MASK_TAKES_A_REGISTER && tile.last_lanes == V::LANES {
            add_products::<V, ROWS, VECTORS>(tile, &mut sums, |from, _| V::load(from));
        } else {
            add_products::<V, ROWS, VECTORS>(tile, &mut sums, load);
        }
    }
    // All of C is loaded before any of it is stored: a load waits for an earlier masked store that seems to
    // overlap it, and the lanes behind a row's end are the next row's. It made narrow updates 1.5 times as
    // fast.
    for (r, sums) in sums.iter_mut().enumerate() {
        for (v, sum) in sums.iter_mut().enumerate() {
            let offset = r * tile.c_row + v * V::LANES;
            let c = tile.c.wrapping_add(offset);
            *sum = unsafe { finished(*sum, tile.finish, c, v * V::LANES, offset, |from| load(from, v)) };
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            let c = tile.c.wrapping_add(r * tile.c_row + v * V::LANES);
            if v + 1 == VECTORS {
                unsafe { sum.store_masked(c, mask) };
            } else {
                unsafe { sum.store(c) };
            }
        }
    }
}

/// Adds the products of all k of a tile to its sums.
///
/// # Safety
///
/// As for [`tile`]; `load` reads a vector of B's row.
#[inline(always)]
unsafe fn add_products<V: Vector, const ROWS: usize, const VECTORS: usize>(
    tile: &Tile,
    sums: &mut [[V; VECTORS]; ROWS],
    load: impl Fn(*const f32, usize) -> V,
) {
    // SAFETY (all blocks): the tile lies within its matrices, for which the caller vouches.
    let (mut a, mut b) = (tile.a, tile.b);
    for _ in 0..tile.depth {
        let mut row = [unsafe { V::zero() }; VECTORS];
        for (v, vector) in row.iter_mut().enumerate() {
            *vector = load(b.wrapping_add(v * V::LANES), v);
        }
        let mut x_at = a;
        for (r, sums) in sums.iter_mut().enumerate() {
            // Otherwise the optimiser makes one chain of additions through all rows of all k, and the
            // arithmetic waits for it; four rows are what the processor's addressing modes can reach.
            if r % 4 == 0 {
                x_at = unsafe { V::opaque(a.wrapping_add(r * tile.a_strides.row)) };
            }
            let x = unsafe { V::splat(*x_at.wrapping_add(r % 4 * tile.a_strides.row)) };
            for (sum, y) in sums.iter_mut().zip(row) {
                *sum = unsafe { x.mul_add(y, *sum) };
            }
        }
        a = a.wrapping_add(tile.a_strides.column);
        b = b.wrapping_add(tile.b_row);
    }
}

/// What is to be stored at `c`, `column` columns and `offset` elements from where the pointers of `finish`
/// point.
#[inline(always)]
pub(super) unsafe fn finished<V: Vector>(
    sum: V,
    finish: Finish,
    c: *const f32,
    column: usize,
    offset: usize,
    load: impl Fn(*const f32) -> V,
) -> V {
    // SAFETY: `load` reads only lanes of the tile, for which the caller vouches.
    unsafe {
        match finish {
            Finish::Store => sum,
            Finish::Bias(bias) => sum.add(load(bias.wrapping_add(column))),
            Finish::BiasRelu(bias) => sum.add(load(bias.wrapping_add(column))).relu(),
            Finish::ScaledAdd(alpha) => sum.mul_add(V::splat(alpha), load(c)),
            Finish::ReluGradient(y) => sum.where_positive(load(y.wrapping_add(offset))),
        }
    }
}

/// A block of a matrix, to be copied or transposed.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub from: *const f32,
    /// Distance between the rows of `from`.
    pub row: usize,
    pub rows: usize,
    pub columns: usize,
}

/// Copies a row-major block of B into one panel: its rows in whole vectors, filled up with zeros.
///
/// # Safety
///
/// As for [`Vector`]; `to` has room for `rows` times the columns, rounded up to whole vectors.
#[inline(always)]
pub(super) unsafe fn copy<V: Vector>(block: &Block, to: *mut f32) {
    let vectors = block.columns.div_ceil(V::LANES);
    // SAFETY (all blocks): inside the block, and inside the panel that the caller vouches for.
    let mask = unsafe { V::mask(block.columns - (vectors - 1) * V::LANES) };
    for i in 0..block.rows {
        let (from, to) = (block.from.wrapping_add(i * block.row), to.wrapping_add(i * vectors * V::LANES));
        for v in 0..vectors - 1 {
            unsafe { V::load(from.wrapping_add(v * V::LANES)).store(to.wrapping_add(v * V::LANES)) };
        }
        let last = (vectors - 1) * V::LANES;
        unsafe { V::load_masked(from.wrapping_add(last), mask).store(to.wrapping_add(last)) };
    }
}

/// Copies the transpose of a block into one panel: column `k` of the block becomes row `k` of the panel, in
/// whole vectors, filled up with zeros.
///
/// # Safety
///
/// As for [`Vector`]; `to` has room for `columns` times the rows, rounded up to whole vectors.
#[inline(always)]
pub(super) unsafe fn copy_transposed<V: Vector>(block: &Block, to: *mut f32) {
    let width = block.rows.next_multiple_of(V::LANES);
    for i in (0..block.rows).step_by(V::LANES) {
        for k in (0..block.columns).step_by(V::LANES) {
            let (rows, columns) = (block.rows - i, (block.columns - k).min(V::LANES));
            let from = block.from.wrapping_add(i * block.row + k);
            let to = to.wrapping_add(k * width + i);
            // SAFETY (all blocks): rows and columns that do not exist are neither read nor written.
            unsafe {
                let mask = V::mask(columns);
                V::transpose(
                    #[inline(always)]
                    |r| {
                        if r < rows {
                            V::load_masked(from.wrapping_add(r * block.row), mask)
                        } else {
                            V::zero()
                        }
                    },
                    #[inline(always)]
                    |c, column| {
                        if c < columns {
                            column.store(to.wrapping_add(c * width));
                        }
                    },
                );
            }
        }
    }
}

/// Finishes a block whose sums lie transposed: `C[j, i] = finish(block[i, j])`.
///
/// # Safety
///
/// As for [`Vector`]; the block's rows are padded to whole vectors; C has the block's transposed shape.
#[inline(always)]
pub(super) unsafe fn finish_transposed<V: Vector>(block: &Block, c: *mut f32, c_row: usize, finish: Finish) {
    for i in (0..block.rows).step_by(V::LANES) {
        // SAFETY (all blocks): rows and columns that do not exist are neither read nor written.
        let mask = unsafe { V::mask((block.rows - i).min(V::LANES)) };
        for j in (0..block.columns).step_by(V::LANES) {
            let (rows, columns) = (block.rows - i, (block.columns - j).min(V::LANES));
            let from = block.from.wrapping_add(i * block.row + j);
            unsafe {
                V::transpose(
                    #[inline(always)]
                    |r| if r < rows { V::load(from.wrapping_add(r * block.row)) } else { V::zero() },
                    #[inline(always)]
                    |column, sum| {
                        if column < columns {
                            let offset = (j + column) * c_row + i;
                            let c = c.wrapping_add(offset);
                            let y = finished(
                                sum,
                                finish,
                                c,
                                i,
                                offset,
                                #[inline(always)]
                                |from| V::load_masked(from, mask),
                            );
                            y.store_masked(c, mask);
                        }
                    },
                );
            }
        }
    }
}

/// `sums[i] = Σ_k A[i, k] · x[k]`, each a sum for every lane and then their sum; A's rows have adjacent
/// elements.
///
/// # Safety
///
/// As for [`Vector`]; A has as many rows as `sums`, at distance `a_row`; they and `x` have `depth` elements.
#[inline(always)]
pub(super) unsafe fn dots<V: Vector>(
    depth: usize,
    a: *const f32,
    a_row: usize,
    x: *const f32,
    sums: &mut [f32],
) {
    let count = sums.len();
    for (group, sums) in sums.chunks_mut(4).enumerate() {
        // Four rows at a time keep the arithmetic units busy; in the last group missing rows repeat the last
        // one.
        let row = |r: usize| a.wrapping_add((4 * group + r).min(count - 1) * a_row);
        let rows = [row(0), row(1), row(2), row(3)];
        // SAFETY (all blocks): whole vectors while they fit, then the mask.
        let mut lanes = [unsafe { V::zero() }; 4];
        let mut k = 0;
        while k + V::LANES <= depth {
            let x = unsafe { V::load(x.wrapping_add(k)) };
            for (sum, row) in lanes.iter_mut().zip(rows) {
                *sum = unsafe { V::load(row.wrapping_add(k)).mul_add(x, *sum) };
            }
            k += V::LANES;
        }
        if k < depth {
            let mask = unsafe { V::mask(depth - k) };
            let x = unsafe { V::load_masked(x.wrapping_add(k), mask) };
            for (sum, row) in lanes.iter_mut().zip(rows) {
                *sum = unsafe { V::load_masked(row.wrapping_add(k), mask).mul_add(x, *sum) };
            }
        }
        let [s, t, u, v] = lanes;
        let all = unsafe { [s.sum(), t.sum(), u.sum(), v.sum()] };
        for (sum, lanes) in sums.iter_mut().zip(all) {
            *sum = lanes;
        }
    }
}

/// `c[i] = finish(sums[i])` for sums in memory.
///
/// # Safety
///
/// As for [`Vector`]; `c`, and what `finish` points to, have as many elements as `sums`.
#[inline(always)]
pub(super) unsafe fn finish<V: Vector>(sums: &[f32], c: *mut f32, finish: Finish) {
    for i in (0..sums.len()).step_by(V::LANES) {
        let c = c.wrapping_add(i);
        // SAFETY: the mask keeps to the elements that exist.
        unsafe {
            let mask = V::mask((sums.len() - i).min(V::LANES));
            let sum = V::load_masked(sums.as_ptr().wrapping_add(i), mask);
            let y = finished(sum, finish, c, i, i, |from| V::load_masked(from, mask));
            y.store_masked(c, mask);
        }
    }
}
