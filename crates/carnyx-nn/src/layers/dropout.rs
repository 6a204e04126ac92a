//! Units that are absent at random while training.

use crate::saving::decimal;
use crate::{Config, Layer, Module, Noise};
use carnyx_graph::{Error, Mode, Result, Tensor};

/// In training, sets a share `rate` of the elements to zero, others each time, and multiplies the rest by
/// `1 / (1 - rate)`, so that their mean stays. In inference, nothing.
///
/// Which elements are dropped depends on the seed, the step and the path of the layer in its model. A layer that is
/// applied twice within one step drops the same elements twice, as variational dropout wants it; use two layers where
/// they should differ.
///
/// Srivastava et al. 2014, *Dropout: a simple way to prevent neural networks from overfitting*.
///
/// # Shape
/// Any shape; the result has the same.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Mode, Tensor};
/// use carnyx_nn::{Apply, Dropout};
/// let dropout = Dropout::new(0.2);
/// let x = Tensor::from(&Array::full([32, 100], 1f32)).in_mode(Mode::Training);
/// assert_eq!(dropout.apply(&x).shape(), x.shape());
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Dropout {
    rate: f32,
    shared: Vec<isize>,
    noise: Noise,
}

impl Dropout {
    /// A layer that drops a share `rate` of the elements, at least 0 and less than 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dropout = Dropout::new(0.2);
    /// # let _ = dropout;
    /// ```
    pub fn new(rate: f32) -> Dropout {
        Dropout { rate, shared: Vec::new(), noise: Noise::new() }
    }

    /// Along these axes, either all elements are dropped or none: with `[1, 2]`, whole channels of
    /// `[batch, height, width, channels]`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Dropout;
    /// let spatial = Dropout::new(0.2).shared_along([1, 2]);
    /// # let _ = spatial;
    /// ```
    pub fn shared_along(mut self, axes: impl Into<Vec<isize>>) -> Dropout {
        self.shared = axes.into();
        self
    }

    /// The share of elements that is dropped.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert_eq!(Dropout::new(0.5).rate(), 0.5);
    /// ```
    pub fn rate(&self) -> f32 {
        self.rate
    }

    fn saved(&self) -> Config {
        let rate = decimal(self.rate);
        if self.shared.is_empty() {
            return Config::new("Dropout").field("rate", rate);
        }
        // Keras names the sizes of all axes instead, of which this layer does not know the number.
        let shared: Vec<i64> = self.shared.iter().map(|&axis| axis as i64).collect();
        Config::new("Carnyx>Dropout").field("rate", rate).field("shared", shared)
    }

    fn objection(&self, x: &Tensor) -> Option<Error> {
        if !(0.0..1.0).contains(&self.rate) {
            return Some(
                Error::new("rate", format!("a `Dropout` layer cannot drop a share of {}", self.rate))
                    .label("the rate must be at least 0 and less than 1"),
            );
        }
        if let Err(error) = check_mode("Dropout", x) {
            return Some(error);
        }
        let shape = x.shape();
        let axis = self.shared.iter().find(|&&axis| shape.axis(axis).is_none())?;
        Some(Error::new(
            "shape",
            format!("a `Dropout` layer shared along axis {axis} cannot work on {shape}"),
        ))
    }
}

impl Layer for Dropout {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        if x.is_invalid() {
            return x.clone();
        }
        if let Some(error) = self.objection(x) {
            return Tensor::invalid(error);
        }
        if !x.is_training() || self.rate == 0.0 {
            return x.clone();
        }
        let shape = self.shared.iter().filter_map(|&axis| x.shape().axis(axis));
        let shape = shape.fold(x.shape(), |shape, axis| shape.with(axis, 1usize));
        let keep = 1.0 - self.rate;
        let kept = Tensor::random_bernoulli(shape, keep, self.noise.address()).broadcast_to(x.shape());
        kept.select(x * (1.0 / keep), x.zeros_like()).with_mask_of(x)
    }
}

/// That the tensor says whether this is training or inference.
pub(super) fn check_mode(kind: &str, x: &Tensor) -> Result {
    if x.mode() != Mode::Constant {
        return Ok(());
    }
    Err(Error::new("mode", format!("a `{kind}` layer cannot tell whether this is training or inference"))
        .label("the tensor is made of constants and variables only, which have no mode")
        .help("combine it with the data first, or give it a mode with `.in_mode(x.mode())`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Apply;
    use carnyx_graph::{Array, Variable};

    fn code(dropout: &Dropout, x: &Tensor) -> &'static str {
        dropout.apply(x).check().unwrap_err().code()
    }

    #[test]
    fn nothing_is_dropped_in_inference() {
        let x = Tensor::from(&Array::full([2, 3], 1f32)).in_mode(Mode::Inference);
        assert_eq!(Dropout::new(0.5).call(&x).address(), x.address());
    }

    #[test]
    fn mistakes_are_errors() {
        let x = Tensor::input("x", [3]);
        assert_eq!(code(&Dropout::new(1.0), &x), "rate");
        assert_eq!(code(&Dropout::new(f32::NAN), &x), "rate");
        assert_eq!(code(&Dropout::new(0.5).shared_along([5]), &x), "shape");
        let positions = Variable::from(Array::full([4, 3], 0f32));
        assert_eq!(code(&Dropout::new(0.5), &Tensor::read(&positions)), "mode");
    }
}
