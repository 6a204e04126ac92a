//! Which vector instructions the processor offers.
//!
//! A kernel that has several versions takes an [`Isa`] and never asks the processor itself: the executor
//! detects once and passes the answer on, and tests go through all of [`Isa::available`].
//!
//! Invariant: a value other than [`Isa::Portable`] is handed out only on a processor that has the
//! instructions. The `unsafe` calls into `#[target_feature]` functions rest on that.

/// A set of vector instructions that kernels are written for.
///
/// # Example
/// ```
/// use carnyx_cpu::isa::Isa;
/// assert!(Isa::available().contains(&Isa::Portable)); // on any processor
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// 512-bit vectors: AVX-512 F, VL, DQ and BW, and with them AVX2 and FMA.
    Avx512,
    /// 256-bit vectors: AVX2 and FMA.
    Avx2,
    /// What the compiler makes of plain loops; every processor has it.
    Portable,
}

impl Isa {
    /// The best set that this processor offers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::isa::Isa;
    /// assert_eq!(Isa::detect(), Isa::available()[0]);
    /// ```
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// All sets that this processor offers, the best one first.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::isa::Isa;
    /// assert_eq!(Isa::available().last(), Some(&Isa::Portable));
    /// ```
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::with_capacity(3);
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            if avx512 && avx2 {
                sets.push(Self::Avx512);
            }
            if avx2 {
                sets.push(Self::Avx2);
            }
        }
        sets.push(Self::Portable);
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn the_best_set_comes_first_and_the_portable_one_last() {
        let sets = Isa::available();
        assert_eq!(sets[0], Isa::detect());
        assert_eq!(sets.last(), Some(&Isa::Portable));
    }
}
