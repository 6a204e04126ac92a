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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Distribution, Tensor};
    /// let kernel = Tensor::random(Distribution::TruncatedNormal, [784, 300], Address::of("dense/kernel"));
    /// assert_eq!(format!("{kernel:?}"), "random_truncated_normal f32[784, 300]");
    /// ```
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
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Tensor};
    /// let x = Tensor::input("x", [4]);
    /// let noise = Tensor::random_normal(x.shape(), Address::of("noise")); // as many rows as the batch has
    /// assert_eq!((x + noise * 0.1).shape().to_string(), "[batch, 4]");
    /// ```
    #[track_caller]
    pub fn random_normal(shape: impl Into<Shape>, address: Address) -> Tensor {
        Tensor::random(Distribution::Normal, shape, address)
    }

    /// The same, redrawn until it lies within two standard deviations.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Tensor};
    /// let kernel = Tensor::random_truncated_normal([784, 300], Address::of("dense/kernel")) * 0.05;
    /// assert_eq!(kernel.shape().to_string(), "[784, 300]");
    /// ```
    #[track_caller]
    pub fn random_truncated_normal(shape: impl Into<Shape>, address: Address) -> Tensor {
        Tensor::random(Distribution::TruncatedNormal, shape, address)
    }

    /// `true` with probability `probability`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Tensor};
    /// let x = Tensor::input("x", [4]);
    /// let is_kept = Tensor::random_bernoulli(x.shape(), 0.8, Address::of("dropout"));
    /// assert_eq!(is_kept.select(&x / 0.8, 0.0).facts()?, x.facts()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn random_bernoulli(shape: impl Into<Shape>, probability: f32, address: Address) -> Tensor {
        Tensor::random_uniform(shape, address).less(probability)
    }

    /// Integers (`i64`) in `0..below`, equally likely.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Tensor};
    /// let dice = Tensor::random_integer([2], 6, Address::of("dice")) + 1i64;
    /// assert_eq!(format!("{dice:?}"), "add i64[2]");
    /// ```
    #[track_caller]
    pub fn random_integer(shape: impl Into<Shape>, below: i64, address: Address) -> Tensor {
        let scaled = Tensor::random_uniform(shape, address).cast(DType::F64) * below as f64;
        scaled.cast(DType::I64).minimum(below - 1)
    }

    /// A random order of the numbers `0..n` (`i64`).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Address, Array, Tensor};
    /// let x = Tensor::from(Array::full([100, 4], 0f32));
    /// let shuffled = x.gather(0, &Tensor::random_permutation(100, Address::of("shuffle")));
    /// assert_eq!(shuffled.shape(), x.shape());
    /// ```
    #[track_caller]
    pub fn random_permutation(n: usize, address: Address) -> Tensor {
        Tensor::random_uniform([n], address).arg_sort(0)
    }
}
