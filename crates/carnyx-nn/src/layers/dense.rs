//! The fully connected layer.

use crate::regularizers::regularized;
use crate::saving::activation_field;
use crate::{
    Activation, Config, Constraint, Diversity, GlorotUniform, Layer, LayerRef, Module, Regularizer, Zeros,
};
use carnyx_graph::{Error, Initializer, Result, Tensor, Variable};
use std::sync::Arc;

/// Every output is a weighted sum of every input: `activation(x · kernel + bias)`.
///
/// As in Keras, the kernel starts [`GlorotUniform`], the bias at zero, and there is no activation unless one is
/// given. The layer learns the number of inputs from the first tensor that it is applied to.
///
/// # Shape
/// `[batch, …, inputs]` to `[batch, …, units]`; `kernel` is `[inputs, units]`, `bias` is `[units]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, HeNormal, Relu};
/// let hidden = Dense::new(300).activation(Relu).kernel_initializer(HeNormal);
/// let y = hidden.apply(&Tensor::input("pixels", [784]));
/// assert_eq!(y.shape().to_string(), "[batch, 300]");
/// assert_eq!(hidden.kernel().shape(), Some(vec![784, 300]));
/// ```
#[derive(Module, Clone)]
#[module(saved)]
pub struct Dense {
    units: usize,
    kernel: Variable,
    bias: Option<Variable>,
    activation: LayerRef,
    #[module(skip)]
    activity_regularizer: Option<Arc<dyn Regularizer>>,
}

impl Dense {
    /// A layer with `units` outputs.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert_eq!(Dense::new(10).apply(&Tensor::input("x", [784])).shape().to_string(), "[batch, 10]");
    /// ```
    pub fn new(units: usize) -> Dense {
        Dense {
            units,
            kernel: Variable::new(GlorotUniform),
            bias: Some(Variable::new(Zeros)),
            activation: Arc::new(Activation::Linear),
            activity_regularizer: None,
        }
    }

    /// What is applied to the sums: an [`Activation`], or any other layer from a tensor to a tensor.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let probabilities = Dense::new(10).activation(Softmax);
    /// # let _ = probabilities;
    /// ```
    pub fn activation(mut self, activation: impl Layer<Out = Tensor> + 'static) -> Dense {
        self.activation = Arc::new(activation);
        self
    }

    /// Without a bias.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert!(Dense::new(10).without_bias().bias().is_none());
    /// ```
    pub fn without_bias(mut self) -> Dense {
        self.bias = None;
        self
    }

    /// How the kernel starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(10).activation(Relu).kernel_initializer(HeNormal);
    /// # let _ = dense;
    /// ```
    pub fn kernel_initializer(mut self, initializer: impl Initializer + 'static) -> Dense {
        self.kernel = self.kernel.initialized_by(initializer);
        self
    }

    /// How the bias starts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(10).bias_initializer(Ones);
    /// # let _ = dense;
    /// ```
    pub fn bias_initializer(mut self, initializer: impl Initializer + 'static) -> Dense {
        let bias = self.bias.unwrap_or_else(|| Variable::new(Zeros));
        self.bias = Some(bias.initialized_by(initializer));
        self
    }

    /// A penalty for the kernel, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(10).kernel_regularizer(L2::new(1e-3));
    /// # let _ = dense;
    /// ```
    pub fn kernel_regularizer(mut self, regularizer: impl Regularizer) -> Dense {
        self.kernel = self.kernel.regularized(Arc::new(regularizer));
        self
    }

    /// A penalty for the bias, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(10).bias_regularizer(L1::new(1e-3));
    /// # let _ = dense;
    /// ```
    pub fn bias_regularizer(mut self, regularizer: impl Regularizer) -> Dense {
        self.bias = self.bias.map(|bias| bias.regularized(Arc::new(regularizer)));
        self
    }

    /// A penalty for the outputs, which is divided by the size of the batch and added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let code = Dense::new(10).activation(Sigmoid).activity_regularizer(L1::new(1e-3));
    /// # let _ = code;
    /// ```
    pub fn activity_regularizer(mut self, regularizer: impl Regularizer) -> Dense {
        self.activity_regularizer = Some(Arc::new(regularizer));
        self
    }

    /// Bounds that the kernel is kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(10).kernel_constraint(MaxNorm::new(2.0));
    /// # let _ = dense;
    /// ```
    pub fn kernel_constraint(mut self, constraint: impl Constraint) -> Dense {
        self.kernel = self.kernel.constrained(Arc::new(constraint));
        self
    }

    /// Bounds that the bias is kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(10).bias_constraint(NonNeg);
    /// # let _ = dense;
    /// ```
    pub fn bias_constraint(mut self, constraint: impl Constraint) -> Dense {
        self.bias = self.bias.map(|bias| bias.constrained(Arc::new(constraint)));
        self
    }

    /// The number of outputs.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert_eq!(Dense::new(10).units(), 10);
    /// ```
    pub fn units(&self) -> usize {
        self.units
    }

    /// The weights, `[inputs, units]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(3);
    /// dense.apply(&Tensor::input("x", [4]));
    /// assert_eq!(dense.kernel().shape(), Some(vec![4, 3]));
    /// ```
    pub fn kernel(&self) -> &Variable {
        &self.kernel
    }

    /// The bias, `[units]`, if there is one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(3);
    /// dense.apply(&Tensor::input("x", [4]));
    /// assert_eq!(dense.bias().and_then(|bias| bias.shape()), Some(vec![3]));
    /// ```
    pub fn bias(&self) -> Option<&Variable> {
        self.bias.as_ref()
    }

    /// How different the units are, by their weights: units that are equal compute and learn the same.
    ///
    /// # Errors
    /// `variable`, if the kernel has no value yet; `data`, if a weight is not a finite number.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Dense, Ones, Variables, initialize};
    /// let alike = Dense::new(30).kernel_initializer(Ones);
    /// alike.apply(&Tensor::input("x", [20]));
    /// initialize(&alike.variables(), 42)?;
    /// assert_eq!(alike.diversity()?.distinct, 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn diversity(&self) -> Result<Diversity> {
        Diversity::of(&self.kernel.value()?)
    }

    fn saved(&self) -> Config {
        let activation = match activation_field(&self.activation) {
            Ok(activation) => activation,
            Err(error) => return Config::refused(error),
        };
        let config = Config::new("Dense")
            .field("units", self.units)
            .field("activation", activation)
            .field("use_bias", self.bias.is_some());
        let config = config
            .initializer("kernel_initializer", &self.kernel)
            .regularizer("kernel_regularizer", self.kernel.regularizer())
            .constraint("kernel_constraint", self.kernel.constraint())
            .regularizer("activity_regularizer", self.activity_regularizer.clone())
            .variable("kernel", &self.kernel);
        let Some(bias) = &self.bias else { return config };
        config
            .initializer("bias_initializer", bias)
            .regularizer("bias_regularizer", bias.regularizer())
            .constraint("bias_constraint", bias.constraint())
            .variable("bias", bias)
    }

    /// Why this layer cannot work on `x`.
    fn objection(&self, x: &Tensor) -> Option<Error> {
        let facts = x.facts().ok()?;
        if self.units == 0 {
            return Some(
                Error::new("units", "a `Dense` layer with 0 units has no output")
                    .label("it needs at least 1 unit"),
            );
        }
        if !facts.dtype.is_float() {
            return Some(
                Error::new("dtype", format!("a `Dense` layer cannot work on {} elements", facts.dtype))
                    .label("it multiplies by weights, which are floats")
                    .help("put `Rescaling::new(1.0 / 255.0)` before it, or convert with `.cast(DType::F32)`"),
            );
        }
        if facts.shape.len() < 2 {
            return Some(
                Error::new("shape", format!("a `Dense` layer needs at least two axes, not {}", facts.shape))
                    .label("the first axis is the batch, the last one the features")
                    .help("give the data a last axis, for example with `.expand(-1)` or `.reshape([samples, 1])`"),
            );
        }
        let features = x.dim(-1);
        if features == 0 {
            return Some(
                Error::new("shape", format!("a `Dense` layer cannot work on {}", facts.shape))
                    .label("the size of the last axis must be known, and more than 0"),
            );
        }
        let known = self.kernel.shape().map(|shape| shape[0]).filter(|&known| known != features)?;
        Some(
            Error::new("shape", format!("a `Dense` layer that knows {known} features gets {features}"))
                .label(format!("its input has shape {} here", facts.shape))
                .help(format!(
                    "give it {known} features on the last axis, or use a new layer for this input"
                )),
        )
    }
}

impl Layer for Dense {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        if let Some(error) = self.objection(x) {
            return Tensor::invalid(error);
        }
        let kernel = self.kernel.shaped([x.dim(-1), self.units]);
        let sums = x.matmul(kernel);
        let outputs = match &self.bias {
            Some(bias) => self.activation.call(&(sums + bias.shaped([self.units]))),
            None => self.activation.call(&sums),
        };
        regularized(self.activity_regularizer.as_ref(), outputs).with_mask_of(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Apply, Ones, Relu, Variables};
    use carnyx_graph::{Array, DType};

    fn error(units: usize, x: &Tensor) -> Error {
        Dense::new(units).apply(x).check().unwrap_err()
    }

    #[test]
    fn the_last_axis_becomes_the_units() {
        let x = Tensor::from(&Array::full([2, 5, 3], 1f32));
        let dense = Dense::new(4).activation(Relu);
        assert_eq!(dense.apply(&x).shape().to_string(), "[2, 5, 4]");
        assert_eq!(dense.num_parameters(), 16);
        assert_eq!(Dense::new(4).without_bias().variables().len(), 1);
    }

    #[test]
    fn what_cannot_be_is_said_in_words() {
        let pixels = Tensor::from(&Array::full([2, 784], 0u8));
        assert_eq!(error(10, &pixels).title(), "a `Dense` layer cannot work on u8 elements");
        assert!(error(10, &pixels).advice().unwrap().contains("Rescaling"));
        assert_eq!(error(0, &Tensor::input("x", [3])).code(), "units");
        assert_eq!(error(1, &Tensor::input("x", [])).code(), "shape");
        assert_eq!(error(1, &pixels.cast(DType::F32).slice(-1, 0..0)).code(), "shape");
    }

    #[test]
    fn a_second_input_must_have_as_many_features() {
        let dense = Dense::new(2).kernel_initializer(Ones);
        assert!(dense.apply(&Tensor::input("x", [3])).check().is_ok());
        assert_eq!(dense.clone().apply(&Tensor::input("x", [4])).check().unwrap_err().code(), "shape");
    }

    #[test]
    fn what_comes_after_an_error_is_not_blamed() {
        let broken = Dense::new(0).apply_named("first", &Tensor::input("x", [3]));
        let later = Dense::new(3).apply_named("second", &broken);
        assert_eq!(later.check().unwrap_err().layers(), ["first"]);
    }
}
