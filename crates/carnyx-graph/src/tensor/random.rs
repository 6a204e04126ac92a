//! Random numbers with an address instead of a state.
//!
//! Element `i` of a random tensor is a pure function of the run's seed and step, the tensor's address and `i`
//! (Philox 4x32-10), so that any number of threads draws the same numbers.

use super::{Mode, Tensor};
use crate::infer::Facts;
use crate::op::{Address, Distribution, Op};
use crate::{DType, Shape};

impl Tensor {
    /// Numbers of `shape` drawn from `distribution`, as `f32`.
    #[track_caller]
    pub fn random(distribution: Distribution, shape: impl Into<Shape>, address: Address) -> Tensor {
        Tensor::leaf(Op::Random(distribution, address), Facts::new(shape, DType::F32), Mode::Constant)
    }

    /// Uniform in (0, 1).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Tensor};
    /// let noise = Tensor::random_uniform([2, 3], Address::of("noise"));
    /// assert_eq!(noise.shape().to_string(), "[2, 3]");
    /// ```
    #[track_caller]
    pub fn random_uniform(shape: impl Into<Shape>, address: Address) -> Tensor {
        Tensor::random(Distribution::Uniform, shape, address)
    }

    /// Normal with mean 0 and standard deviation 1.
    #[track_caller]
    pub fn random_normal(shape: impl Into<Shape>, address: Address) -> Tensor {
        Tensor::random(Distribution::Normal, shape, address)
    }

    /// The same, redrawn until it lies within two standard deviations.
    #[track_caller]
    pub fn random_truncated_normal(shape: impl Into<Shape>, address: Address) -> Tensor {
        Tensor::random(Distribution::TruncatedNormal, shape, address)
    }

    /// `true` with probability `probability`.
    #[track_caller]
    pub fn random_bernoulli(shape: impl Into<Shape>, probability: f32, address: Address) -> Tensor {
        Tensor::random_uniform(shape, address).less(probability)
    }

    /// Integers (`i64`) in `0..below`, equally likely.
    #[track_caller]
    pub fn random_integer(shape: impl Into<Shape>, below: i64, address: Address) -> Tensor {
        let scaled = Tensor::random_uniform(shape, address).cast(DType::F64) * below as f64;
        scaled.cast(DType::I64).minimum(below - 1)
    }

    /// A random order of the numbers `0..n` (`i64`).
    #[track_caller]
    pub fn random_permutation(n: usize, address: Address) -> Tensor {
        Tensor::random_uniform([n], address).arg_sort(0)
    }
}
