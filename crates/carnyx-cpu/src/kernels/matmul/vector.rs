//! One vector register: the few operations that matrix products need, for each instruction set.
//!
//! Everything here is `#[inline(always)]` and becomes single instructions inside the `#[target_feature]`
//! functions of `backend.rs`. Elsewhere the methods must not be called: without the feature each operation is
//! a real call.

/// A register of `LANES` floats.
///
/// # Safety
///
/// Every method needs a processor with the instructions of the implementing type; loads and stores also need
/// valid memory at the lanes that they touch. Masked accesses touch only the lanes of the mask.
pub(super) trait Vector: Copy {
    /// A set of leading lanes.
    type Mask: Copy;
    const LANES: usize;
    /// Whether a loop with masked loads has a register less for its sums.
    const MASK_TAKES_A_REGISTER: bool;

    unsafe fn zero() -> Self;
    unsafe fn splat(x: f32) -> Self;
    /// The first `count` lanes, `count <= LANES`.
    unsafe fn mask(count: usize) -> Self::Mask;
    unsafe fn load(from: *const f32) -> Self;
    /// Lanes outside the mask become 0.
    unsafe fn load_masked(from: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_masked(self, to: *mut f32, mask: Self::Mask);
    unsafe fn add(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once where the processor fuses the two.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `max(self, 0)`; a NaN stays a NaN.
    unsafe fn relu(self) -> Self;
    /// `self` where `y > 0`, 0 elsewhere.
    unsafe fn where_positive(self, y: Self) -> Self;
    /// The sum of all lanes, added pairwise in a fixed order.
    unsafe fn sum(self) -> f32;
    /// Transposes a square of `LANES` rows: reads row `i` by `row(i)`, hands column `j` to `column(j, _)`.
    unsafe fn transpose(row: impl Fn(usize) -> Self, column: impl FnMut(usize, Self));
    /// Asks for the cache line at an address, which need not be valid.
    unsafe fn prefetch(address: *const f32);
    /// The same address, but the optimiser cannot know it.
    unsafe fn opaque(address: *const f32) -> *const f32;
}

/// Plain floats; the compiler finds the instructions.
#[derive(Clone, Copy)]
pub(super) struct Lanes4([f32; 4]);

impl Lanes4 {
    #[inline(always)]
    fn map(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let (x, y) = (self.0, other.0);
        Self([f(x[0], y[0]), f(x[1], y[1]), f(x[2], y[2]), f(x[3], y[3])])
    }
}

impl Vector for Lanes4 {
    type Mask = usize;
    const LANES: usize = 4;
    const MASK_TAKES_A_REGISTER: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 4])
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    unsafe fn mask(count: usize) -> usize {
        count
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for all lanes.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const f32, mask: usize) -> Self {
        if mask == 4 {
            // SAFETY: the mask has all lanes.
            return unsafe { Self::load(from) };
        }
        let mut lanes = [0.0; 4];
        for (i, lane) in lanes.iter_mut().enumerate().take(mask) {
            // SAFETY: lane `i` belongs to the mask.
            *lane = unsafe { *from.add(i) };
        }
        Self(lanes)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for all lanes.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, to: *mut f32, mask: usize) {
        if mask == 4 {
            // SAFETY: the mask has all lanes.
            return unsafe { self.store(to) };
        }
        for (i, lane) in self.0.iter().enumerate().take(mask) {
            // SAFETY: lane `i` belongs to the mask.
            unsafe { *to.add(i) = *lane };
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.map(other, |x, y| x + y)
    }
    // Not `f32::mul_add`: where the processor cannot fuse, that is a slow library call.
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        self.map(factor, |x, y| x * y).map(addend, |x, y| x + y)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.map(self, |x, _| if x <= 0.0 { 0.0 } else { x })
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        self.map(y, |x, y| if y > 0.0 { x } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
    #[inline(always)]
    unsafe fn transpose(row: impl Fn(usize) -> Self, mut column: impl FnMut(usize, Self)) {
        let [a, b, c, d] = [row(0).0, row(1).0, row(2).0, row(3).0];
        (0..4).for_each(|j| column(j, Self([a[j], b[j], c[j], d[j]])));
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn opaque(address: *const f32) -> *const f32 {
        address
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    //! AVX2 with FMA, and AVX-512.
    use super::Vector;
    use std::arch::asm;
    use std::arch::x86_64::*;

    #[inline(always)]
    fn opaque(mut address: *const f32) -> *const f32 {
        // SAFETY: it is no instruction at all.
        unsafe { asm!("/* {0} */", inout(reg) address, options(pure, readonly, nostack, preserves_flags)) };
        address
    }

    /// The first lanes of 8: how many, and as sign bits.
    #[derive(Clone, Copy)]
    pub(in super::super) struct FirstOf8 {
        count: usize,
        signs: __m256i,
    }

    /// 8 lanes.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Lanes8(__m256);

    // SAFETY (all blocks): the trait's contract, which the caller fulfils, is the contract of the
    // instructions.
    impl Vector for Lanes8 {
        type Mask = FirstOf8;
        const LANES: usize = 8;
        const MASK_TAKES_A_REGISTER: bool = true;

        #[inline(always)]
        unsafe fn zero() -> Self {
            Self(unsafe { _mm256_setzero_ps() })
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn mask(count: usize) -> FirstOf8 {
            let lanes = unsafe { _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7) };
            FirstOf8 { count, signs: unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes) } }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm256_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: FirstOf8) -> Self {
            Self(unsafe { _mm256_maskload_ps(from, mask.signs) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn store_masked(self, mut to: *mut f32, mask: FirstOf8) {
            // In pieces: the instruction that stores under a mask takes 12 cycles on Zen 3, and 6 rows of a tile took
            // longer to store than to compute (784 x 300 x 32: 62 GFLOP/s instead of 80; November 2026).
            if mask.count == 8 {
                return unsafe { self.store(to) };
            }
            let mut rest = unsafe { _mm256_castps256_ps128(self.0) };
            if mask.count & 4 != 0 {
                unsafe { _mm_storeu_ps(to, rest) };
                (rest, to) = (unsafe { _mm256_extractf128_ps::<1>(self.0) }, to.wrapping_add(4));
            }
            if mask.count & 2 != 0 {
                unsafe { _mm_store_sd(to.cast(), _mm_castps_pd(rest)) };
                (rest, to) = (unsafe { _mm_movehl_ps(rest, rest) }, to.wrapping_add(2));
            }
            if mask.count & 1 != 0 {
                unsafe { _mm_store_ss(to, rest) };
            }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // `max` returns its second operand if one is a NaN.
            Self(unsafe { _mm256_max_ps(_mm256_setzero_ps(), self.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, y: Self) -> Self {
            let positive = unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(y.0, _mm256_setzero_ps()) };
            Self(unsafe { _mm256_and_ps(positive, self.0) })
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }
        #[inline(always)]
        unsafe fn transpose(row: impl Fn(usize) -> Self, mut column: impl FnMut(usize, Self)) {
            let a: [__m256; 8] = std::array::from_fn(|i| row(i).0);
            // Pairs of rows, then quadruples within each half, then the halves.
            let mut pairs = a;
            let mut quads = a;
            for i in 0..4 {
                pairs[2 * i] = unsafe { _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]) };
                pairs[2 * i + 1] = unsafe { _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]) };
            }
            for i in [0, 4] {
                for h in 0..2 {
                    let (x, y) = (pairs[i + h], pairs[i + h + 2]);
                    quads[i + 2 * h] = unsafe { _mm256_shuffle_ps::<0x44>(x, y) };
                    quads[i + 2 * h + 1] = unsafe { _mm256_shuffle_ps::<0xee>(x, y) };
                }
            }
            for j in 0..4 {
                let (x, y) = (quads[j], quads[j + 4]);
                column(j, Self(unsafe { _mm256_permute2f128_ps::<0x20>(x, y) }));
                column(j + 4, Self(unsafe { _mm256_permute2f128_ps::<0x31>(x, y) }));
            }
        }
        #[inline(always)]
        unsafe fn prefetch(address: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
        }
        #[inline(always)]
        unsafe fn opaque(address: *const f32) -> *const f32 {
            opaque(address)
        }
    }

    /// 16 lanes.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Lanes16(__m512);

    // SAFETY (all blocks): the trait's contract, which the caller fulfils, is the contract of the
    // instructions.
    impl Vector for Lanes16 {
        type Mask = __mmask16;
        const LANES: usize = 16;
        const MASK_TAKES_A_REGISTER: bool = false;

        #[inline(always)]
        unsafe fn zero() -> Self {
            Self(unsafe { _mm512_setzero_ps() })
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn mask(count: usize) -> __mmask16 {
            ((1_u32 << count) - 1) as __mmask16
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: __mmask16) -> Self {
            Self(unsafe { _mm512_maskz_loadu_ps(mask, from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn store_masked(self, to: *mut f32, mask: __mmask16) {
            unsafe { _mm512_mask_storeu_ps(to, mask, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // `max` returns its second operand if one is a NaN.
            Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, y: Self) -> Self {
            let positive = unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(y.0, _mm512_setzero_ps()) };
            Self(unsafe { _mm512_maskz_mov_ps(positive, self.0) })
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            unsafe {
                let high = _mm512_extractf32x8_ps::<1>(self.0);
                Lanes8(_mm256_add_ps(_mm512_castps512_ps256(self.0), high)).sum()
            }
        }
        #[inline(always)]
        unsafe fn transpose(row: impl Fn(usize) -> Self, mut column: impl FnMut(usize, Self)) {
            let a: [__m512; 16] = std::array::from_fn(|i| row(i).0);
            // Within each quarter of the registers: pairs of rows, then quadruples. `quads[4 * i + j]` then
            // holds columns j, j + 4, j + 8 and j + 12 of rows 4 * i to 4 * i + 3.
            let mut pairs = a;
            let mut quads = a;
            for i in 0..8 {
                pairs[2 * i] = unsafe { _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]) };
                pairs[2 * i + 1] = unsafe { _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]) };
            }
            for i in [0, 4, 8, 12] {
                for h in 0..2 {
                    let (x, y) = (pairs[i + h], pairs[i + h + 2]);
                    quads[i + 2 * h] = unsafe { _mm512_shuffle_ps::<0x44>(x, y) };
                    quads[i + 2 * h + 1] = unsafe { _mm512_shuffle_ps::<0xee>(x, y) };
                }
            }
            // Then the quarters themselves.
            for j in 0..4 {
                let (top, bottom) = ((quads[j], quads[j + 4]), (quads[j + 8], quads[j + 12]));
                let even = unsafe { _mm512_shuffle_f32x4::<0x88>(top.0, top.1) };
                let odd = unsafe { _mm512_shuffle_f32x4::<0xdd>(top.0, top.1) };
                let even_bottom = unsafe { _mm512_shuffle_f32x4::<0x88>(bottom.0, bottom.1) };
                let odd_bottom = unsafe { _mm512_shuffle_f32x4::<0xdd>(bottom.0, bottom.1) };
                column(j, Self(unsafe { _mm512_shuffle_f32x4::<0x88>(even, even_bottom) }));
                column(j + 4, Self(unsafe { _mm512_shuffle_f32x4::<0x88>(odd, odd_bottom) }));
                column(j + 8, Self(unsafe { _mm512_shuffle_f32x4::<0xdd>(even, even_bottom) }));
                column(j + 12, Self(unsafe { _mm512_shuffle_f32x4::<0xdd>(odd, odd_bottom) }));
            }
        }
        #[inline(always)]
        unsafe fn prefetch(address: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
        }
        #[inline(always)]
        unsafe fn opaque(address: *const f32) -> *const f32 {
            opaque(address)
        }
    }
}
