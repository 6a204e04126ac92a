//! The micro-kernels compiled for each instruction set, as tables of functions.

use super::Finish;
use super::tile::{self, Block, Tile};
use super::vector::Lanes4;
#[cfg(target_arch = "x86_64")]
use super::vector::x86::{Lanes8, Lanes16};
use crate::isa::Isa;

type TileKernel = unsafe fn(&Tile);

/// The micro-kernels of one instruction set.
///
/// # Safety
///
/// Calling any of them needs a processor with that set, which a backend obtained for an [`Isa`] guarantees,
/// and the contract of the function of the same name in `tile.rs`.
pub(super) struct Backend {
    /// Floats in a vector.
    pub lanes: usize,
    /// Vectors side by side in the tiles for many rows.
    pub vectors: usize,
    /// `tiles[v - 1][r - 1]` is for `v` vectors and `r` rows; the wider the tile, the fewer rows fit in
    /// registers.
    pub tiles: &'static [&'static [TileKernel]],
    pub copy: unsafe fn(&Block, *mut f32),
    pub copy_transposed: unsafe fn(&Block, *mut f32),
    pub finish_transposed: unsafe fn(&Block, *mut f32, usize, Finish),
    pub dots: unsafe fn(usize, *const f32, usize, *const f32, &mut [f32]),
    /// Finishes sums that lie in memory: `c[i] = finish(sums[i])`.
    pub finish: unsafe fn(&[f32], *mut f32, Finish),
}

impl Backend {
    pub fn of(isa: Isa) -> &'static Self {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &avx512::BACKEND,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &avx2::BACKEND,
            _ => &portable::BACKEND,
        }
    }

    /// The most rows that a tile of so many vectors can have.
    pub fn rows(&self, vectors: usize) -> usize {
        self.tiles[vectors - 1].len()
    }

    /// The widest tile for a matrix of `m` rows: with few rows, more vectors keep the arithmetic units busy.
    pub fn widest(&self, m: usize) -> usize {
        let widest = self.tiles.len();
        if m <= self.rows(widest) { widest } else { self.vectors }
    }
}

/// Defines the functions of one instruction set. It is a macro because `#[target_feature]` belongs to each
/// function.
macro_rules! backend {
    ($module:ident, $vector:ty, $vectors:literal, $tiles:expr, $(#[$feature:meta])*) => {
        mod $module {
            use super::*;

            $(#[$feature])*
            unsafe fn tile<const ROWS: usize, const VECTORS: usize>(tile: &Tile) {
                // SAFETY: this function's contract is the other's.
                unsafe { tile::tile::<$vector, ROWS, VECTORS>(tile) }
            }
            $(#[$feature])*
            unsafe fn copy(block: &Block, to: *mut f32) {
                // SAFETY: this function's contract is the other's.
                unsafe { tile::copy::<$vector>(block, to) }
            }
            $(#[$feature])*
            unsafe fn copy_transposed(block: &Block, to: *mut f32) {
                // SAFETY: this function's contract is the other's.
                unsafe { tile::copy_transposed::<$vector>(block, to) }
            }
            $(#[$feature])*
            unsafe fn finish_transposed(block: &Block, c: *mut f32, c_row: usize, finish: Finish) {
                // SAFETY: this function's contract is the other's.
                unsafe { tile::finish_transposed::<$vector>(block, c, c_row, finish) }
            }
            $(#[$feature])*
            unsafe fn dots(depth: usize, a: *const f32, a_row: usize, x: *const f32, sums: &mut [f32]) {
                // SAFETY: this function's contract is the other's.
                unsafe { tile::dots::<$vector>(depth, a, a_row, x, sums) }
            }
            $(#[$feature])*
            unsafe fn finish(sums: &[f32], c: *mut f32, finish: Finish) {
                // SAFETY: this function's contract is the other's.
                unsafe { tile::finish::<$vector>(sums, c, finish) }
            }
            pub(super) static BACKEND: Backend = Backend {
                lanes: <$vector as crate::kernels::matmul::vector::Vector>::LANES,
                vectors: $vectors,
                tiles: $tiles,
                copy,
                copy_transposed,
                finish_transposed,
                dots,
                finish,
            };
            const fn up_to_2<const VECTORS: usize>() -> [TileKernel; 2] {
                [tile::<1, VECTORS>, tile::<2, VECTORS>]
            }
            const fn up_to_4<const VECTORS: usize>() -> [TileKernel; 4] {
                let [one, two] = up_to_2::<VECTORS>();
                [one, two, tile::<3, VECTORS>, tile::<4, VECTORS>]
            }
            #[allow(dead_code)]
            const fn up_to_6<const VECTORS: usize>() -> [TileKernel; 6] {
                let [one, two, three, four] = up_to_4::<VECTORS>();
                [one, two, three, four, tile::<5, VECTORS>, tile::<6, VECTORS>]
            }
            #[allow(dead_code)]
            const fn up_to_8<const VECTORS: usize>() -> [TileKernel; 8] {
                let [one, two, three, four, five, six] = up_to_6::<VECTORS>();
                [one, two, three, four, five, six, tile::<7, VECTORS>, tile::<8, VECTORS>]
            }
            #[allow(dead_code)]
            const fn up_to_12<const VECTORS: usize>() -> [TileKernel; 12] {
                let [one, two, three, four, five, six, seven, eight] = up_to_8::<VECTORS>();
                let (nine, ten) = (tile::<9, VECTORS>, tile::<10, VECTORS>);
                let (eleven, twelve) = (tile::<11, VECTORS>, tile::<12, VECTORS>);
                [one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve]
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
backend!(
    avx512,
    Lanes16,
    3,
    &[&up_to_12::<1>(), &up_to_12::<2>(), &up_to_8::<3>(), &up_to_4::<4>(), &up_to_4::<5>(), &up_to_4::<6>()],
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
);
#[cfg(target_arch = "x86_64")]
backend!(
    avx2,
    Lanes8,
    2,
    &[&up_to_6::<1>(), &up_to_6::<2>(), &up_to_2::<3>(), &up_to_2::<4>()],
    #[target_feature(enable = "avx2,fma")]
);
backend!(portable, Lanes4, 2, &[&up_to_4::<1>(), &up_to_4::<2>(), &up_to_2::<3>()],);
