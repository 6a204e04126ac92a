//! How variables get their first values.
//!
//! An initializer describes a tensor of the wanted shape; random numbers come from the address of the variable's
//! path in the model, so that they depend on the seed and on that path, not on the order in which layers were made.
//! The distributions and default parameters are Keras's.

mod stft;

pub use stft::{Stft, StftScaling, StftSide, StftWindow};

use carnyx_graph::{Address, DType, Distribution, Error, Initializer, Tensor};

/// All zeros: how a bias starts.
///
/// # Example
/// ```
/// use carnyx_graph::Variable;
/// use carnyx_nn::Zeros;
/// let bias = Variable::new(Zeros);
/// assert_eq!(bias.shaped([10]).shape().to_string(), "[10]");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Zeros;

impl Initializer for Zeros {
    fn initial(&self, shape: &[usize], _address: Address) -> Tensor {
        Tensor::full(shape, 0f32)
    }
}

/// All ones: how a gain starts.
///
/// # Example
/// ```
/// use carnyx_graph::Variable;
/// let gain = Variable::new(carnyx_nn::Ones);
/// assert_eq!(gain.shaped([10]).shape().to_string(), "[10]");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ones;

impl Initializer for Ones {
    fn initial(&self, shape: &[usize], _address: Address) -> Tensor {
        Tensor::full(shape, 1f32)
    }
}

/// One value everywhere.
///
/// # Example
/// ```
/// use carnyx_nn::{Constant, Dense};
/// let rare = Dense::new(1).bias_initializer(Constant(-4.6)); // starts by predicting one in a hundred
/// # let _ = rare;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Constant(pub f32);

impl Initializer for Constant {
    fn initial(&self, shape: &[usize], _address: Address) -> Tensor {
        Tensor::full(shape, self.0)
    }
}

/// The identity matrix times a gain: `gain` on the diagonal, 0 elsewhere.
///
/// # Shape
/// Matrices only.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, Identity};
/// let passes_on = Dense::new(8).kernel_initializer(Identity { gain: 1.0 });
/// # let _ = passes_on;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The value on the diagonal.
    pub gain: f32,
}

impl Default for Identity {
    fn default() -> Identity {
        Identity { gain: 1.0 }
    }
}

impl Initializer for Identity {
    fn initial(&self, shape: &[usize], _address: Address) -> Tensor {
        if shape.len() != 2 {
            return Tensor::invalid(
                Error::new("initializer", format!("`Identity` cannot start a variable of shape {shape:?}"))
                    .label("only matrices have a diagonal"),
            );
        }
        let (row, column) = (Tensor::iota(shape, 0, DType::I32), Tensor::iota(shape, 1, DType::I32));
        row.equal(column).cast(DType::F32) * self.gain
    }
}

/// Uniform between `low` and `high`.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, RandomUniform};
/// let dense = Dense::new(8).kernel_initializer(RandomUniform { low: -0.1, high: 0.1 });
/// let usual = Dense::new(8).kernel_initializer(RandomUniform::default()); // -0.05 to 0.05
/// # let _ = (dense, usual);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomUniform {
    /// The lower end.
    pub low: f32,
    /// The upper end.
    pub high: f32,
}

impl Default for RandomUniform {
    fn default() -> RandomUniform {
        RandomUniform { low: -0.05, high: 0.05 }
    }
}

impl Initializer for RandomUniform {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        Tensor::random_uniform(shape, address) * (self.high - self.low) + self.low
    }
}

/// Normal with a mean and a standard deviation.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, RandomNormal};
/// let dense = Dense::new(8).kernel_initializer(RandomNormal { mean: 0.0, deviation: 0.02 });
/// let usual = Dense::new(8).kernel_initializer(RandomNormal::default()); // mean 0, deviation 0.05
/// # let _ = (dense, usual);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RandomNormal {
    /// The mean.
    pub mean: f32,
    /// The standard deviation.
    pub deviation: f32,
}

impl Default for RandomNormal {
    fn default() -> RandomNormal {
        RandomNormal { mean: 0.0, deviation: 0.05 }
    }
}

impl Initializer for RandomNormal {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        Tensor::random_normal(shape, address) * self.deviation + self.mean
    }
}

/// Normal, redrawn until within two standard deviations of the mean. As in Keras, `deviation` is that of the normal
/// distribution before it is truncated; that of the result is 0.88 times as large.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, TruncatedNormal};
/// let dense = Dense::new(8).kernel_initializer(TruncatedNormal { mean: 0.0, deviation: 0.02 });
/// let usual = Dense::new(8).kernel_initializer(TruncatedNormal::default()); // mean 0, deviation 0.05
/// # let _ = (dense, usual);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TruncatedNormal {
    /// The mean.
    pub mean: f32,
    /// The standard deviation before truncation.
    pub deviation: f32,
}

impl Default for TruncatedNormal {
    fn default() -> TruncatedNormal {
        TruncatedNormal { mean: 0.0, deviation: 0.05 }
    }
}

impl Initializer for TruncatedNormal {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        Tensor::random_truncated_normal(shape, address) * self.deviation + self.mean
    }
}

/// The number of connections of a unit that a variance is measured by: see [`VarianceScaling`].
///
/// # Example
/// ```
/// use carnyx_nn::Fan;
/// assert_ne!(Fan::In, Fan::Out);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// The connections into a unit of this layer: signals keep their variance on the way forward.
    In,
    /// The connections out of a unit of the layer before: gradients keep their variance on the way back.
    Out,
    /// The mean of both.
    Average,
}

impl Fan {
    /// The number for a variable of `shape`: `[in, out]`, or `[window…, in, out]` of a convolution.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fan;
    /// assert_eq!(Fan::In.of(&[300, 100]), 300.0);
    /// assert_eq!(Fan::Out.of(&[3, 3, 16, 32]), 288.0);
    /// ```
    pub fn of(self, shape: &[usize]) -> f64 {
        let (fan_in, fan_out) = match *shape {
            [] => (1, 1),
            [n] => (n, n),
            [ref window @ .., inputs, outputs] => {
                let window: usize = window.iter().product();
                (window * inputs, window * outputs)
            }
        };
        match self {
            Fan::In => fan_in as f64,
            Fan::Out => fan_out as f64,
            Fan::Average => f64::midpoint(fan_in as f64, fan_out as f64),
        }
    }
}

/// Mean 0 and variance `scale / fan`: the wider the layer, the smaller the weights. Glorot, He and LeCun are its
/// special cases.
///
/// # Example
/// ```
/// use carnyx_graph::Distribution;
/// use carnyx_nn::{Dense, Fan, VarianceScaling};
/// let he_average = VarianceScaling { scale: 2.0, fan: Fan::Average, distribution: Distribution::Uniform };
/// let dense = Dense::new(8).kernel_initializer(he_average);
/// # let _ = dense;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct VarianceScaling {
    /// The variance times the fan.
    pub scale: f64,
    /// The number of connections that the variance is divided by.
    pub fan: Fan,
    /// The shape of the distribution; the truncated normal one is widened to have the full variance.
    pub distribution: Distribution,
}

/// Scale 1, [`Fan::In`], truncated normal.
impl Default for VarianceScaling {
    fn default() -> VarianceScaling {
        VarianceScaling { scale: 1.0, fan: Fan::In, distribution: Distribution::TruncatedNormal }
    }
}

/// The standard deviation of a normal distribution of deviation 1 after truncation at ±2.
const TRUNCATED_DEVIATION: f64 = 0.87962566103423978;

impl Initializer for VarianceScaling {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return Tensor::invalid(
                Error::new("initializer", format!("`VarianceScaling` with scale {}", self.scale))
                    .label("the scale must be a positive number"),
            );
        }
        let deviation = (self.scale / self.fan.of(shape).max(1.0)).sqrt();
        let drawn = Tensor::random(self.distribution, shape, address);
        match self.distribution {
            Distribution::Uniform => (drawn * 2.0 - 1.0) * (deviation * 3f64.sqrt()),
            Distribution::Normal => drawn * deviation,
            Distribution::TruncatedNormal => drawn * (deviation / TRUNCATED_DEVIATION),
        }
    }
}

macro_rules! variance_scaling {
    ($($(#[$doc:meta])* $name:ident $scale:literal $fan:ident $distribution:ident;)*) => { $(
        $(#[$doc])*
        ///
        /// # Example
        /// ```
        #[doc = concat!("use carnyx_nn::{Dense, ", stringify!($name), "};")]
        #[doc = concat!("let dense = Dense::new(300).kernel_initializer(", stringify!($name), ");")]
        /// # let _ = dense;
        /// ```
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;

        impl Initializer for $name {
            fn initial(&self, shape: &[usize], address: Address) -> Tensor {
                let distribution = Distribution::$distribution;
                VarianceScaling { scale: $scale, fan: Fan::$fan, distribution }.initial(shape, address)
            }
        }
    )* };
}

variance_scaling! {
    /// Uniform within `±√(6 / (in + out))`: for tanh, sigmoid, softmax and no activation; the usual start of a
    /// kernel. Glorot & Bengio 2010, also called Xavier.
    GlorotUniform 1.0 Average Uniform;
    /// Truncated normal with variance `2 / (in + out)`. Glorot & Bengio 2010, also called Xavier.
    GlorotNormal 1.0 Average TruncatedNormal;
    /// Uniform within `±√(6 / in)`: for ReLU and its relatives. He et al. 2015.
    HeUniform 2.0 In Uniform;
    /// Truncated normal with variance `2 / in`: for ReLU and its relatives. He et al. 2015.
    HeNormal 2.0 In TruncatedNormal;
    /// Uniform within `±√(3 / in)`. LeCun et al. 1998.
    LecunUniform 1.0 In Uniform;
    /// Truncated normal with variance `1 / in`: for [`Selu`](crate::Activation::Selu). LeCun et al. 1998.
    LecunNormal 1.0 In TruncatedNormal;
}

/// A random matrix with orthonormal rows or columns (whichever are fewer) times a gain: lengths survive many layers.
///
/// Every such matrix is equally likely, as with Keras's QR decomposition of normal numbers: this is the orthogonal
/// factor of their *polar* decomposition, which has the same distribution and is made of matrix products alone
/// (Newton–Schulz iteration). The rows are orthonormal to about 1e-6. It costs some 50 products of the matrix with
/// itself where it is square, and fewer where it is not.
///
/// Saxe et al. 2013; Higham 2008, *Functions of Matrices*, section 8.3.
///
/// # Shape
/// Two axes or more; all but the last are the rows of the matrix.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, Orthogonal};
/// let dense = Dense::new(64).kernel_initializer(Orthogonal { gain: 1.0 });
/// # let _ = dense;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Orthogonal {
    /// The length of each row or column.
    pub gain: f32,
}

impl Default for Orthogonal {
    fn default() -> Orthogonal {
        Orthogonal { gain: 1.0 }
    }
}

impl Initializer for Orthogonal {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        let [rows @ .., columns] = shape else { return not_a_matrix(shape) };
        if rows.is_empty() {
            return not_a_matrix(shape);
        }
        let (rows, columns): (usize, usize) = (rows.iter().product(), *columns);
        let (long, short) = (rows.max(columns), rows.min(columns));
        let matrix = polar_factor(Tensor::random_normal([long, short], address), long, short);
        let matrix = if rows < columns { matrix.transpose() } else { matrix };
        matrix.reshape(shape) * self.gain
    }
}

fn not_a_matrix(shape: &[usize]) -> Tensor {
    Tensor::invalid(
        Error::new("initializer", format!("`Orthogonal` cannot start a variable of shape {shape:?}"))
            .label("it needs at least two axes"),
    )
}

/// The orthonormal columns nearest to those of `x`, a matrix `[long, short]` of normal numbers.
///
/// Each step applies an odd polynomial to all singular values at once. First a steep one, which makes small values
/// 3.44 times larger and leaves all between 0.68 and 1.14; then `(3s - s³) / 2`, which squares their distance from 1.
fn polar_factor(x: Tensor, long: usize, short: usize) -> Tensor {
    // Coefficients of Jordan et al. 2024 (Muon).
    const STEEP: [f64; 3] = [3.4445, -4.7750, 2.0315];
    let gram = |x: &Tensor| x.dot(x, true, false);
    // ‖xᵀx‖ is at least the square of the greatest singular value.
    let norm = gram(&x).square().sum().sqrt().sqrt();
    let mut x = x / norm;
    for _ in 0..steep_steps(long, short) {
        let a = gram(&x);
        let change = &a * STEEP[1] + a.matmul(&a) * STEEP[2];
        x = &x * STEEP[0] + x.matmul(change);
    }
    for _ in 0..5 {
        x = &x * 1.5 - x.matmul(gram(&x)) * 0.5;
    }
    x
}

/// How often the smallest singular value must grow. It is about `√long - √short`, but not below `1e-4 / √long` but
/// for one matrix in ten thousand (Edelman 1988); the norm is about `(long · short · (long + short))^¼`.
fn steep_steps(long: usize, short: usize) -> usize {
    let (m, n) = (long as f64, short as f64);
    let smallest = (0.5 * (m.sqrt() - n.sqrt())).max(1e-4 / m.sqrt());
    let norm = (m * n * (m + n)).powf(0.25);
    (norm / smallest).log(3.4445).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_graph::Variable;

    fn all() -> Vec<Variable> {
        vec![
            Variable::new(Zeros),
            Variable::new(Ones),
            Variable::new(Constant(0.5)),
            Variable::new(Identity::default()),
            Variable::new(RandomUniform::default()),
            Variable::new(RandomNormal::default()),
            Variable::new(TruncatedNormal::default()),
            Variable::new(VarianceScaling::default()),
            Variable::new(GlorotUniform),
            Variable::new(GlorotNormal),
            Variable::new(HeUniform),
            Variable::new(HeNormal),
            Variable::new(LecunUniform),
            Variable::new(LecunNormal),
            Variable::new(Orthogonal::default()),
        ]
    }

    #[test]
    fn every_initializer_gives_the_shape_that_is_asked_for() {
        for variable in all() {
            variable.shaped([7, 4]);
            let initial = variable.initial().unwrap().expect("there is no value yet");
            assert_eq!(initial.shape().to_string(), "[7, 4]", "{:?}", variable.initializer());
        }
    }

    #[test]
    fn fans_are_those_of_keras() {
        let fans = |shape: &[usize]| (Fan::In.of(shape), Fan::Out.of(shape));
        assert_eq!(fans(&[]), (1.0, 1.0));
        assert_eq!(fans(&[5]), (5.0, 5.0));
        assert_eq!(fans(&[4, 6]), (4.0, 6.0));
        assert_eq!(fans(&[3, 5, 7]), (15.0, 21.0));
        assert_eq!(fans(&[2, 3, 4, 5, 6]), (120.0, 144.0));
        assert_eq!(Fan::Average.of(&[4, 6]), 5.0);
    }

    #[test]
    fn matrices_only_where_a_matrix_is_needed() {
        let address = Address(0);
        assert_eq!(Identity::default().initial(&[3], address).check().unwrap_err().code(), "initializer");
        assert_eq!(
            Identity::default().initial(&[2, 2, 2], address).check().unwrap_err().code(),
            "initializer"
        );
        assert_eq!(Orthogonal::default().initial(&[300], address).check().unwrap_err().code(), "initializer");
        let scaling = VarianceScaling { scale: -1.0, ..VarianceScaling::default() };
        assert_eq!(scaling.initial(&[3, 3], address).check().unwrap_err().code(), "initializer");
    }

    /// The scalar recurrence that the matrix iteration applies to each singular value.
    #[test]
    fn the_polar_iteration_brings_every_singular_value_to_one() {
        let [a, b, c] = [3.4445, -4.7750, 2.0315];
        for (long, short) in [(1, 1), (2, 2), (64, 64), (300, 200), (1024, 1024), (4096, 16)] {
            let steps = steep_steps(long, short);
            let smallest = 3.4445f64.powi(-(steps as i32));
            for i in 0..=1000 {
                let mut s = smallest.powf(f64::from(i) / 1000.0);
                for _ in 0..steps {
                    s = a * s + b * s.powi(3) + c * s.powi(5);
                }
                for _ in 0..5 {
                    s = 1.5 * s - 0.5 * s.powi(3);
                }
                assert!((s - 1.0).abs() < 2e-6, "{long} x {short}: {s}");
            }
        }
    }
}
