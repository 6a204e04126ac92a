//! The functions that follow a layer's sums and make it more than a matrix.
//!
//! Each variant of [`Activation`] is one function, and a layer of its own as well: `.activation(Relu)` and
//! `.then(Relu)` say the same. Numbers in a variant are its parameters; the text form gives Keras's defaults.
//! Invariant: values and gradients are finite wherever the function is, however large the input.

use crate::{Forks, Layer, Module, Visitor};
use carnyx_graph::{Error, Tensor};
use std::fmt;
use std::str::FromStr;

/// A function that follows a layer's sums.
///
/// # Shape
/// Any shape; the result has the same. [`Softmax`](Activation::Softmax) and
/// [`LogSoftmax`](Activation::LogSoftmax) work along the last axis, all others element by element.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Activation, Apply, Dense, LeakyRelu, Relu, Sequential};
/// let net = Sequential::new()
///     .then(Dense::new(30).activation(LeakyRelu(0.2)))
///     .then(Dense::new(30))
///     .then(Relu);
/// assert!(net.apply(&Tensor::input("x", [4])).check().is_ok());
///
/// let by_name: Activation = "leaky_relu".parse()?;
/// assert_eq!(by_name, LeakyRelu(0.2));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// `x`: no activation.
    #[default]
    Linear,
    /// `max(x, 0)`. Nair & Hinton 2010.
    Relu,
    /// `min(max(x, 0), 6)`. Krizhevsky 2010.
    Relu6,
    /// `x` where positive, `slope · x` elsewhere; 0.2 is usual. Maas et al. 2013.
    LeakyRelu(f32),
    /// `x` where positive, `alpha · (eˣ - 1)` elsewhere; 1 is usual. Clevert et al. 2015.
    Elu(f32),
    /// `x` where positive, `alpha · (e^(x / alpha) - 1)` elsewhere: smooth for any alpha. Barron 2017.
    Celu(f32),
    /// The [`Elu`](Activation::Elu) with the scale and alpha that keep mean 0 and variance 1 from layer to layer;
    /// wants kernels that start [`LecunNormal`](crate::LecunNormal). Klambauer et al. 2017.
    Selu,
    /// `x · Φ(x)`, with the normal distribution function Φ. Hendrycks & Gimpel 2016.
    Gelu,
    /// The same with Φ approximated by tanh, as GPT-2 and BERT were trained.
    GeluTanh,
    /// `x · sigmoid(x)`, also called swish. Ramachandran et al. 2017.
    Silu,
    /// `x · min(max(x + 3, 0), 6) / 6`. Howard et al. 2019.
    HardSilu,
    /// `x · tanh(ln(1 + eˣ))`. Misra 2019.
    Mish,
    /// `1 / (1 + e⁻ˣ)`: a probability.
    Sigmoid,
    /// `ln sigmoid(x)`, exact for any x.
    LogSigmoid,
    /// `min(max(x + 3, 0), 6) / 6`: the sigmoid in straight lines.
    HardSigmoid,
    /// `min(max((x + 1) / 2, 0), 1)`. Martins & Astudillo 2016.
    SparseSigmoid,
    /// Hyperbolic tangent: between -1 and 1.
    Tanh,
    /// `min(max(x, -1), 1)`.
    HardTanh,
    /// `x - tanh(x)`.
    TanhShrink,
    /// `x` moved towards 0 by the threshold, and 0 within it; 0.5 is usual.
    SoftShrink(f32),
    /// `x`, but 0 within the threshold; 0.5 is usual.
    HardShrink(f32),
    /// `ln(1 + eˣ)`. Dugas et al. 2000.
    Softplus,
    /// 0 below -1, `x` above 1, `(x + 1)² / 4` between. Martins & Astudillo 2016.
    SparsePlus,
    /// `(x + √(x² + b)) / 2`; 4 is usual. Barron 2021.
    Squareplus(f32),
    /// `x / (1 + |x|)`. Bergstra et al. 2009.
    Softsign,
    /// `eˣ`.
    Exponential,
    /// `eˣ / Σ eˣ` along the last axis: probabilities of classes. Bridle 1990.
    Softmax,
    /// `x - ln Σ eˣ` along the last axis: the logarithm of [`Softmax`](Activation::Softmax).
    LogSoftmax,
    /// 1 from 0 on, 0 below: the perceptron's step. Its gradient is zero everywhere.
    Heaviside,
    /// -1, 0 or 1. Its gradient is zero everywhere.
    Sign,
}

impl Activation {
    /// The value of this function at `x`.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::Softmax;
    /// let scores = Tensor::input("scores", [10]);
    /// assert_eq!(Softmax.of(&scores).shape(), scores.shape());
    /// ```
    #[track_caller]
    pub fn of(&self, x: &Tensor) -> Tensor {
        match *self {
            Activation::Linear => x.clone(),
            Activation::Relu => x.relu(),
            Activation::Relu6 => x.clip(0.0, 6.0),
            Activation::LeakyRelu(slope) => x.less(0.0).select(x * slope, x),
            Activation::Elu(alpha) => below_zero(x, |x| x.expm1() * alpha),
            Activation::Celu(alpha) => below_zero(x, |x| (x / alpha).expm1() * alpha),
            Activation::Selu => below_zero(x, |x| x.expm1() * SELU_ALPHA) * SELU_SCALE,
            Activation::Gelu => x * 0.5 * ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0),
            Activation::GeluTanh => {
                // (1 + tanh u) / 2 is sigmoid(2u), which is one function instead of three operations.
                let u = (x + x * x.square() * 0.044715) * (2.0 / std::f64::consts::PI).sqrt();
                x * (u * 2.0).sigmoid()
            }
            Activation::Silu => x * x.sigmoid(),
            Activation::HardSilu => x * Activation::HardSigmoid.of(x),
            Activation::Mish => x * x.softplus().tanh(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::LogSigmoid => -(-x).softplus(),
            Activation::HardSigmoid => (x + 3.0).clip(0.0, 6.0) * (1.0 / 6.0),
            Activation::SparseSigmoid => ((x + 1.0) * 0.5).clip(0.0, 1.0),
            Activation::Tanh => x.tanh(),
            Activation::HardTanh => x.clip(-1.0, 1.0),
            Activation::TanhShrink => x - x.tanh(),
            Activation::SoftShrink(threshold) => x - x.clip(-threshold, threshold),
            Activation::HardShrink(threshold) => x.abs().less_equal(threshold).select(x.zeros_like(), x),
            Activation::Softplus => x.softplus(),
            Activation::SparsePlus => {
                let bend = (x + 1.0).square() * 0.25;
                x.less(1.0).select(x.less_equal(-1.0).select(x.zeros_like(), bend), x)
            }
            Activation::Squareplus(b) => (x + (x.square() + b).sqrt()) * 0.5,
            Activation::Softsign => x / (x.abs() + 1.0),
            Activation::Exponential => x.exp(),
            Activation::Softmax => x.softmax(),
            Activation::LogSoftmax => x.log_softmax(),
            Activation::Heaviside => x.greater_equal(0.0).cast(x.dtype()),
            Activation::Sign => x.sign(),
        }
    }
}

const SELU_ALPHA: f64 = 1.6732632423543772848170429916717;
const SELU_SCALE: f64 = 1.0507009873554804934193349852946;

/// `x` where it is positive, `f(x)` elsewhere. `f` never sees positive numbers: where `eˣ` overflows, the gradient of
/// the half that is not chosen would be `0 · ∞`.
#[track_caller]
fn below_zero(x: &Tensor, f: impl FnOnce(Tensor) -> Tensor) -> Tensor {
    let positive = x.greater(0.0);
    let negative_part = positive.select(x.zeros_like(), x);
    positive.select(x, f(negative_part))
}

/// The names in Keras, with Keras's default parameters.
const NAMES: [(&str, Activation); 31] = [
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("leaky_relu", Activation::LeakyRelu(0.2)),
    ("elu", Activation::Elu(1.0)),
    ("celu", Activation::Celu(1.0)),
    ("selu", Activation::Selu),
    ("gelu", Activation::Gelu),
    ("gelu_tanh", Activation::GeluTanh),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("hard_silu", Activation::HardSilu),
    ("mish", Activation::Mish),
    ("sigmoid", Activation::Sigmoid),
    ("log_sigmoid", Activation::LogSigmoid),
    ("hard_sigmoid", Activation::HardSigmoid),
    ("sparse_sigmoid", Activation::SparseSigmoid),
    ("tanh", Activation::Tanh),
    ("hard_tanh", Activation::HardTanh),
    ("tanh_shrink", Activation::TanhShrink),
    ("soft_shrink", Activation::SoftShrink(0.5)),
    ("hard_shrink", Activation::HardShrink(0.5)),
    ("softplus", Activation::Softplus),
    ("sparse_plus", Activation::SparsePlus),
    ("squareplus", Activation::Squareplus(4.0)),
    ("softsign", Activation::Softsign),
    ("exponential", Activation::Exponential),
    ("softmax", Activation::Softmax),
    ("log_softmax", Activation::LogSoftmax),
    ("heaviside", Activation::Heaviside),
    ("sign", Activation::Sign),
];

/// From the name in Keras: `relu`, `leaky_relu`, `swish`, …, with its default parameter.
impl FromStr for Activation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Activation, Error> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, activation)| *activation).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
            Error::new("activation", format!("there is no activation `{name}`")).suggest(name, &names)
        })
    }
}

/// The name in Keras, and the parameter where it is not the default: `leaky_relu`, `leaky_relu(0.3)`.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let same = |other: &Activation| std::mem::discriminant(other) == std::mem::discriminant(self);
        let (name, default) = NAMES.iter().find(|(_, a)| same(a)).expect("each activation has a name");
        match self {
            Activation::LeakyRelu(number)
            | Activation::Elu(number)
            | Activation::Celu(number)
            | Activation::SoftShrink(number)
            | Activation::HardShrink(number)
            | Activation::Squareplus(number)
                if self != default =>
            {
                write!(f, "{name}({number})")
            }
            _ => f.write_str(name),
        }
    }
}

impl Module for Activation {
    fn fork(&self, _forks: &mut Forks) -> Activation {
        *self
    }

    fn visit(&self, _visitor: &mut Visitor) {}

    fn kind(&self) -> &'static str {
        "Activation"
    }

    fn detail(&self) -> Option<String> {
        (*self != Activation::Linear).then(|| self.to_string())
    }

    fn config(&self) -> Option<crate::Config> {
        Some(crate::saving::activation_config(*self))
    }
}

impl Layer for Activation {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        self.of(x).with_mask_of(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_graph::{Array, Variable};

    #[test]
    fn every_activation_keeps_shape_and_type_and_has_a_gradient() {
        let weight = Variable::from(Array::full([2, 3], 0.5f32));
        for (name, activation) in NAMES {
            let x = Tensor::read(&weight);
            let y = activation.of(&x);
            assert_eq!(y.facts().unwrap(), x.facts().unwrap(), "{name}");
            let gradients = y.sum().gradients(std::slice::from_ref(&weight));
            assert!(gradients.of(&weight).unwrap().check().is_ok(), "{name}");
        }
    }

    #[test]
    fn names_go_back_and_forth() {
        for (name, activation) in NAMES {
            assert_eq!(name.parse::<Activation>().unwrap(), activation);
            assert_eq!(activation.to_string().parse::<Activation>().unwrap(), activation);
        }
        assert_eq!(Activation::LeakyRelu(0.3).to_string(), "leaky_relu(0.3)");
        assert_eq!("rleu".parse::<Activation>().unwrap_err().code(), "activation");
    }

    #[test]
    fn an_activation_works_on_double_precision() {
        let x = Tensor::from(&Array::full([2], 0.5f64));
        for (name, activation) in NAMES {
            assert_eq!(activation.of(&x).dtype(), carnyx_graph::DType::F64, "{name}");
        }
    }
}
