//! Kernels: free functions on memory, one file for each family of operations.
//!
//! A kernel never allocates, locks or logs, and knows nothing of graphs. Where threads write disjoint parts
//! of one result, a kernel takes the part as a range. Invariant: the bits of an element depend on the
//! operands, the shape and the instruction set only, never on how the work was cut into parts.

#![allow(clippy::cast_ptr_alignment, reason = "kernels take addresses of bytes; their contracts say aligned")]

pub mod combine;
pub mod elementwise;
pub mod index;
mod lanes;
pub mod matmul;
pub mod movement;
mod number;
pub mod random;
pub mod reduce;
pub mod rows;
pub mod vector_math;

use crate::isa::Isa;
use lanes::Instructions;
use vector_math::Separate;

/// A computation written as plain loops and compiled once for each instruction set.
trait Vectorized {
    type Output;

    /// The computation; to be `#[inline(always)]`, so that each set of instructions gets a copy of its own.
    fn run<I: Instructions>(self) -> Self::Output;
}

/// Runs the copy of `kernel` that was compiled for `isa`.
fn run_on<K: Vectorized>(isa: Isa, kernel: K) -> K::Output {
    match isa {
        // SAFETY: an `Isa` is handed out only on a processor that has the instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { run_avx512(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { run_avx2(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx512 | Isa::Avx2 => kernel.run::<Separate>(),
        Isa::Portable => kernel.run::<Separate>(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn run_avx512<K: Vectorized>(kernel: K) -> K::Output {
    kernel.run::<lanes::Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Vectorized>(kernel: K) -> K::Output {
    kernel.run::<lanes::Avx2>()
}
