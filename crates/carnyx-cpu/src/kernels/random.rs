//! Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3", 2011).
//!
//! Element `i` of a tensor is a pure function of seed, step, address and `i`, the same on every processor:
//!
//! - The 64-bit key is a bijection of the address for each seed, and of the seed for each address, so that
//!   two places of a model never share numbers.
//! - The 128-bit counter is the block's number (64 bits) and the step (64 bits).
//! - A block gives four 32-bit words. Sixteen blocks are a group of 64 elements: first word 0 of each block,
//!   then word 1 and so on, so that neighbours come from one vector. Element `i` is word `i / 16 mod 4` of
//!   block `i / 64 * 16 + i mod 16`.
//!
//! Each element of uniform and truncated normal numbers takes one word; normal numbers take two words for two
//! elements of one block. Invariant: filling a range in parts gives the same numbers as filling it at once.

use super::lanes::Instructions;
use super::vector_math::{Separate, log, sin_cos_turns};
use super::{Vectorized, run_on};
use crate::isa::Isa;
use carnyx_graph::{Address, Distribution};

const LANES: usize = 16;
/// Elements of a group: the unit in which numbers are drawn. Parts that begin at its multiples waste nothing.
pub const GROUP: usize = 4 * LANES;

type Words = [[u32; LANES]; 4];

/// Which random numbers: everything but the element's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The seed of the run.
    pub seed: u64,
    /// The step of the run.
    pub step: u64,
    /// The place in the model.
    pub address: Address,
}

/// `out[j]` = element `first + j` of the tensor of random numbers that `stream` names.
pub fn fill(isa: Isa, distribution: Distribution, out: &mut [f32], first: u64, stream: Stream) {
    match distribution {
        Distribution::Uniform => run_on(isa, Fill { out, first, stream, draw: uniform }),
        Distribution::Normal => run_on(isa, Fill { out, first, stream, draw: normal }),
        Distribution::TruncatedNormal => run_on(isa, Fill { out, first, stream, draw: truncated_normal }),
    }
}

/// A bijection that spreads each bit over all bits: the finalizer of SplitMix64 (Steele, Lea and Flood,
/// 2014).
fn spread(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Stream {
    fn key(self) -> [u32; 2] {
        let key = spread(spread(self.seed) ^ self.address.0);
        [key as u32, (key >> 32) as u32]
    }
}

/// One round on one block.
#[inline(always)]
fn round(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let a = 0xd251_1f53 * u64::from(counter[0]);
    let b = 0xcd9e_8d57 * u64::from(counter[2]);
    [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32]
}

/// Ten rounds on each lane.
#[expect(clippy::needless_range_loop, reason = "the lane is the same in four rows")]
#[inline(always)]
fn philox(mut words: Words, mut key: [u32; 2]) -> Words {
    for _ in 0..10 {
        for lane in 0..LANES {
            let counter = [words[0][lane], words[1][lane], words[2][lane], words[3][lane]];
            let next = round(counter, key);
            (0..4).for_each(|word| words[word][lane] = next[word]);
        }
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    words
}

/// The words of group `group`.
#[expect(clippy::needless_range_loop, reason = "the lane is the same in two rows")]
#[inline(always)]
fn words(group: u64, step: u64, key: [u32; 2]) -> Words {
    let mut counters = [[0; LANES], [0; LANES], [step as u32; LANES], [(step >> 32) as u32; LANES]];
    // The block's number is `group * LANES + lane`: the lane stands in the low bits and carries nothing.
    let base = group * LANES as u64;
    for lane in 0..LANES {
        counters[0][lane] = base as u32 | lane as u32;
        counters[1][lane] = (base >> 32) as u32;
    }
    philox(counters, key)
}

/// The middle of one of 2^23 equal parts of (0, 1): never 0 or 1, exact in `f32`, symmetric around 1/2.
#[inline(always)]
fn unit(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) * (1.0 / 8388608.0)
}

#[inline(always)]
fn uniform(words: &Words, out: &mut [f32; GROUP]) {
    for (out, word) in out.iter_mut().zip(words.as_flattened()) {
        *out = unit(*word);
    }
}

/// Box and Muller (1958): a radius from one word, whose 32 bits reach out to 6.7 standard deviations, and an
/// angle from the next.
#[inline(always)]
fn normal(words: &Words, out: &mut [f32; GROUP]) {
    for pair in [0, 2] {
        for lane in 0..LANES {
            let tail = words[pair][lane] as f32 * (1.0 / 4294967296.0) + (0.5 / 4294967296.0);
            let radius = (-2.0 * log::<Separate>(tail)).max(0.0).sqrt();
            let (sine, cosine) = sin_cos_turns::<Separate>(unit(words[pair + 1][lane]));
            out[pair * LANES + lane] = radius * cosine;
            out[(pair + 1) * LANES + lane] = radius * sine;
        }
    }
}

/// The inverse of the normal distribution function, restricted to two standard deviations: `sqrt(2)
/// erfinv(x)` for `|x| < erf(sqrt(2))`, with the central polynomial of M. Giles, "Approximating the erfinv
/// function" (2010). What redrawing would give in distribution, with one word for each element.
#[inline(always)]
fn truncated_normal(words: &Words, out: &mut [f32; GROUP]) {
    const ERF_OF_SQRT_2: f32 = 0.9544997361;
    for (out, word) in out.iter_mut().zip(words.as_flattened()) {
        let x = (2.0 * unit(*word) - 1.0) * ERF_OF_SQRT_2;
        let w = -log::<Separate>((1.0 - x) * (1.0 + x)) - 2.5;
        let mut p = 2.81022636e-8;
        for c in [
            3.43273939e-7,
            -3.5233877e-6,
            -4.39150654e-6,
            2.1858087e-4,
            -1.25372503e-3,
            -4.17768164e-3,
            2.46640727e-1,
            1.50140941,
        ] {
            p = p * w + c;
        }
        *out = (std::f32::consts::SQRT_2 * x * p).clamp(-2.0, 2.0);
    }
}

struct Fill<'a, D> {
    out: &'a mut [f32],
    first: u64,
    stream: Stream,
    draw: D,
}

impl<D: Fn(&Words, &mut [f32; GROUP])> Vectorized for Fill<'_, D> {
    type Output = ();

    #[inline(always)]
    fn run<I: Instructions>(self) {
        let key = self.stream.key();
        let draw =
            |group: u64, out: &mut [f32; GROUP]| (self.draw)(&words(group, self.stream.step, key), out);
        let mut group = self.first / GROUP as u64;
        let mut out = self.out;
        let skipped = (self.first % GROUP as u64) as usize;
        if skipped > 0 {
            let mut whole = [0.0; GROUP];
            draw(group, &mut whole);
            let (part, rest) = out.split_at_mut(out.len().min(GROUP - skipped));
            part.copy_from_slice(&whole[skipped..skipped + part.len()]);
            (out, group) = (rest, group + 1);
        }
        let (groups, rest) = out.as_chunks_mut::<GROUP>();
        for out in groups {
            draw(group, out);
            group += 1;
        }
        if !rest.is_empty() {
            let mut whole = [0.0; GROUP];
            draw(group, &mut whole);
            rest.copy_from_slice(&whole[..rest.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::vector_math::erf_f64;

    const STREAM: Stream = Stream { seed: 7, step: 3, address: Address(0x1234_5678_9abc_def0) };
    const ALL: [Distribution; 3] =
        [Distribution::Uniform, Distribution::Normal, Distribution::TruncatedNormal];

    fn draw(distribution: Distribution, n: usize, stream: Stream) -> Vec<f32> {
        let mut out = vec![0.0; n];
        fill(Isa::detect(), distribution, &mut out, 0, stream);
        out
    }

    #[test]
    fn philox_gives_the_published_answers() {
        let of = |counter: [u32; 4], key| philox(counter.map(|word| [word; LANES]), key).map(|word| word[5]);
        assert_eq!(of([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(of([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            of([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn parts_and_instruction_sets_give_the_same_numbers() {
        for distribution in ALL {
            let whole = draw(distribution, 1000, STREAM);
            for isa in Isa::available() {
                for (first, n) in [(0, 1000), (0, 3), (64, 64), (63, 2), (100, 900), (5, 20), (999, 1)] {
                    let mut part = vec![0.0; n];
                    fill(isa, distribution, &mut part, first as u64, STREAM);
                    assert_eq!(part, whole[first..first + n], "{isa:?} {distribution:?} from {first}");
                }
            }
        }
    }

    #[test]
    fn seed_step_address_and_index_all_matter() {
        let first = draw(Distribution::Uniform, 256, STREAM);
        for other in [
            Stream { seed: 8, ..STREAM },
            Stream { step: 4, ..STREAM },
            Stream { step: 3 + (1 << 32), ..STREAM },
            Stream { address: Address(1), ..STREAM },
        ] {
            let second = draw(Distribution::Uniform, 256, other);
            let equal = first.iter().zip(&second).filter(|(a, b)| a == b).count();
            assert_eq!(equal, 0, "{other:?}");
        }
        let mut far = vec![0.0; 64];
        fill(Isa::detect(), Distribution::Uniform, &mut far, 1 << 40, STREAM);
        assert_ne!(far, first[..64]);
    }

    /// The greatest distance between the distribution of `x` and `cumulative` (Kolmogorov and Smirnov).
    fn distance(mut x: Vec<f32>, cumulative: impl Fn(f64) -> f64) -> f64 {
        x.sort_by(f32::total_cmp);
        let n = x.len() as f64;
        let gap = |(i, x): (usize, &f32)| (cumulative(f64::from(*x)) - (i as f64 + 0.5) / n).abs();
        x.iter().enumerate().map(gap).fold(0.0, f64::max)
    }

    #[test]
    fn distributions_are_as_named() {
        const N: usize = 40_000;
        let moments = |x: &[f32]| {
            let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / N as f64;
            (mean, x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / N as f64)
        };
        // The distance exceeds this in one of ten thousand streams.
        let limit = 2.2 / (N as f64).sqrt();
        let cumulative = |x: f64| 0.5 * (1.0 + erf_f64(x / std::f64::consts::SQRT_2));
        let inside = erf_f64(std::f64::consts::SQRT_2);

        let x = draw(Distribution::Uniform, N, STREAM);
        assert!(x.iter().all(|x| *x > 0.0 && *x < 1.0));
        let (mean, variance) = moments(&x);
        assert!((mean - 0.5).abs() < 0.006 && (variance - 1.0 / 12.0).abs() < 0.002, "{mean} {variance}");
        assert!(distance(x, |x| x) < limit);

        let x = draw(Distribution::Normal, N, STREAM);
        let (mean, variance) = moments(&x);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        let correlation = x.chunks(32).map(|x| f64::from(x[0] * x[16])).sum::<f64>() / (N / 32) as f64;
        assert!(correlation.abs() < 0.12, "{correlation}");
        assert!(distance(x, cumulative) < limit);

        let x = draw(Distribution::TruncatedNormal, N, STREAM);
        assert!(x.iter().all(|x| x.abs() <= 2.0));
        let (mean, variance) = moments(&x);
        assert!(mean.abs() < 0.02 && (variance - 0.7737).abs() < 0.02, "{mean} {variance}");
        assert!(distance(x, |x| (cumulative(x) - 0.5 * (1.0 - inside)) / inside) < limit);
    }
}
