//! A fully connected layer along axes that an equation names.

use super::einsum::Equation;
use super::features::check_floats;
use crate::constraints::Constraint;
use crate::regularizers::Regularizer;
use crate::saving::{Fields, activation_field, with};
use crate::{Activation, Config, Forks, GlorotUniform, Layer, LayerRef, Module, Visitor, Zeros};
use carnyx_file::Value;
use carnyx_graph::{Address, Dim, Error, Initializer, Result, Tensor, Variable};
use std::fmt;
use std::sync::Arc;

/// Weighted sums along axes that an equation names: `activation(einsum(equation, x, kernel) + bias)`.
///
/// An equation has a letter for each axis: `ab,bc->ac` is a [`Dense`](crate::Dense) layer. Axes that are the same before
/// and after need no letters: `...x,xy->...y` and `ax...,xy->ay...`. There is no bias unless
/// [`bias_axes`](EinsumDense::bias_axes) says along which axes.
///
/// # Shape
/// As the equation says; the first axis of input and output is the batch.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, EinsumDense};
/// // Eight heads with 16 features each, for each word.
/// let heads = EinsumDense::new("abc,cde->abde", [-1, 8, 16]).bias_axes("de");
/// let y = heads.apply(&Tensor::input("words", [20, 64]));
/// assert_eq!(y.shape().to_string(), "[batch, 20, 8, 16]");
/// assert_eq!(heads.kernel().shape(), Some(vec![64, 8, 16]));
/// ```
#[derive(Clone)]
pub struct EinsumDense {
    equation: Result<Equation>,
    text: String,
    /// The sizes of the output after the batch, -1 for those of the input.
    sizes: Vec<isize>,
    bias_axes: String,
    /// How the kernel starts, as the user said it.
    initializer: Arc<dyn Initializer>,
    kernel: Variable,
    bias: Option<Variable>,
    activation: LayerRef,
}

const KIND: &str = "EinsumDense";

impl EinsumDense {
    /// A layer of this equation. `sizes` are those of the output's letters but the batch, -1 where the size is that of
    /// the input.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let dense = EinsumDense::new("...x,xy->...y", [64]);
    /// assert_eq!(dense.apply(&Tensor::input("x", [32, 128])).shape().to_string(), "[batch, 32, 64]");
    ///
    /// let wrong = EinsumDense::new("ab->ba", [3]).apply(&Tensor::input("x", [4]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "equation");
    /// ```
    pub fn new(equation: &str, sizes: impl Into<Vec<isize>>) -> EinsumDense {
        let parsed = Equation::parse(equation);
        EinsumDense {
            initializer: Arc::new(GlorotUniform),
            kernel: Variable::new(as_matrix(&parsed, Arc::new(GlorotUniform))),
            equation: parsed,
            text: equation.to_owned(),
            sizes: sizes.into(),
            bias_axes: String::new(),
            bias: None,
            activation: Arc::new(Activation::Linear),
        }
    }

    /// The letters of the output along which the bias has numbers of its own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let dense = EinsumDense::new("abc,cd->abd", [-1, 64]).bias_axes("d");
    /// dense.apply(&Tensor::input("x", [32, 128]));
    /// assert_eq!(dense.num_parameters(), 128 * 64 + 64);
    /// ```
    pub fn bias_axes(mut self, axes: &str) -> EinsumDense {
        axes.clone_into(&mut self.bias_axes);
        self.bias = (!axes.is_empty()).then(|| Variable::new(Zeros));
        self
    }

    /// What is applied to the sums: an [`Activation`], or any other layer from a tensor to a tensor.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let hidden = EinsumDense::new("ab,bc->ac", [30]).bias_axes("c").activation(Relu);
    /// # let _ = hidden;
    /// ```
    pub fn activation(mut self, activation: impl Layer<Out = Tensor> + 'static) -> EinsumDense {
        self.activation = Arc::new(activation);
        self
    }

    /// How the kernel starts: as a matrix from all that is summed over to all others.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let hidden = EinsumDense::new("ab,bc->ac", [30]).kernel_initializer(HeNormal);
    /// # let _ = hidden;
    /// ```
    pub fn kernel_initializer(mut self, initializer: impl Initializer + 'static) -> EinsumDense {
        self.initializer = Arc::new(initializer);
        self.kernel = self.kernel.initialized_by(as_matrix(&self.equation, self.initializer.clone()));
        self
    }

    /// How the bias starts. Say it after [`bias_axes`](EinsumDense::bias_axes).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let hidden = EinsumDense::new("ab,bc->ac", [30]).bias_axes("c").bias_initializer(Ones);
    /// # let _ = hidden;
    /// ```
    pub fn bias_initializer(mut self, initializer: impl Initializer + 'static) -> EinsumDense {
        self.bias = self.bias.map(|bias| bias.initialized_by(initializer));
        self
    }

    /// A penalty for the kernel, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = EinsumDense::new("ab,bc->ac", [3]).bias_axes("c").kernel_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn kernel_regularizer(mut self, regularizer: impl Regularizer) -> EinsumDense {
        self.kernel = self.kernel.regularized(Arc::new(regularizer));
        self
    }

    /// Bounds that the kernel is kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = EinsumDense::new("ab,bc->ac", [3]).bias_axes("c").kernel_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn kernel_constraint(mut self, constraint: impl Constraint) -> EinsumDense {
        self.kernel = self.kernel.constrained(Arc::new(constraint));
        self
    }

    /// A penalty for the bias, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = EinsumDense::new("ab,bc->ac", [3]).bias_axes("c").bias_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn bias_regularizer(mut self, regularizer: impl Regularizer) -> EinsumDense {
        self.bias = self.bias.map(|bias| bias.regularized(Arc::new(regularizer)));
        self
    }

    /// Bounds that the bias are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = EinsumDense::new("ab,bc->ac", [3]).bias_axes("c").bias_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn bias_constraint(mut self, constraint: impl Constraint) -> EinsumDense {
        self.bias = self.bias.map(|bias| bias.constrained(Arc::new(constraint)));
        self
    }

    /// The weights, in the shape that the equation gives them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert!(EinsumDense::new("ab,bc->ac", [30]).kernel().shape().is_none()); // not applied yet
    /// ```
    pub fn kernel(&self) -> &Variable {
        &self.kernel
    }

    pub(crate) fn read(fields: Fields) -> Result<EinsumDense> {
        fields.only(&[("lora_rank", Value::Null)])?;
        let wrong = || fields.wrong("output_shape", "a size, or a list of sizes");
        let size = |value: &Value| match value.as_i64() {
            Some(size) => isize::try_from(size).map_err(|_| wrong()),
            None if value.is_null() => Ok(-1),
            None => Err(wrong()),
        };
        let sizes: Vec<isize> = match fields.get("output_shape") {
            Some(Value::Array(list)) => list.iter().map(size).collect::<Result<_>>()?,
            Some(one) => vec![size(one)?],
            None => return Err(wrong()),
        };
        let layer = EinsumDense::new(fields.text("equation")?, sizes);
        let layer = match fields.get("activation") {
            Some(value) => layer.activation(crate::saving::read_activation(value)?),
            None => layer,
        };
        let axes = if fields.get("bias_axes").is_some() { fields.text("bias_axes")? } else { "" };
        let layer = layer.bias_axes(axes);
        let layer = with(layer, fields.initializer("kernel_initializer")?, EinsumDense::kernel_initializer);
        let layer = with(layer, fields.initializer("bias_initializer")?, EinsumDense::bias_initializer);
        let layer = with(layer, fields.regularizer("kernel_regularizer")?, EinsumDense::kernel_regularizer);
        let layer = with(layer, fields.regularizer("bias_regularizer")?, EinsumDense::bias_regularizer);
        let layer = with(layer, fields.constraint("kernel_constraint")?, EinsumDense::kernel_constraint);
        Ok(with(layer, fields.constraint("bias_constraint")?, EinsumDense::bias_constraint))
    }

    fn saved(&self) -> Config {
        let activation = match activation_field(&self.activation) {
            Ok(activation) => activation,
            Err(error) => return Config::refused(error),
        };
        let size = |&size: &isize| if size < 0 { Value::Null } else { Value::from(size as i64) };
        let config = Config::new(KIND)
            .field("equation", self.text.as_str())
            .field("output_shape", self.sizes.iter().map(size).collect::<Value>())
            .field("activation", activation)
            .initialized("kernel_initializer", &*self.initializer)
            .regularizer("kernel_regularizer", self.kernel.regularizer())
            .constraint("kernel_constraint", self.kernel.constraint())
            .variable("kernel", &self.kernel);
        match &self.bias {
            Some(bias) => config
                .field("bias_axes", self.bias_axes.as_str())
                .initializer("bias_initializer", bias)
                .regularizer("bias_regularizer", bias.regularizer())
                .constraint("bias_constraint", bias.constraint())
                .variable("bias", bias),
            None => config,
        }
    }

    fn product(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        let equation = self.equation.clone()?;
        let sizes: Vec<Option<usize>> = self.sizes.iter().map(|&size| usize::try_from(size).ok()).collect();
        let bound = equation.bind(&x.shape(), &sizes)?;
        let sums = bound.product(x, &self.kernel.shaped(bound.kernel_shape.clone()));
        Ok(match &self.bias {
            Some(bias) => sums + bias.shaped(equation.bias_shape(&self.bias_axes, &bound)?),
            None => sums,
        })
    }
}

impl fmt::Debug for EinsumDense {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct(KIND).field("equation", &self.text).field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

impl Module for EinsumDense {
    fn fork(&self, forks: &mut Forks) -> EinsumDense {
        EinsumDense {
            kernel: forks.variable(&self.kernel),
            bias: self.bias.fork(forks),
            activation: self.activation.fork(forks),
            ..self.clone()
        }
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.field("kernel", &self.kernel);
        visitor.field("bias", &self.bias);
        visitor.field("activation", &self.activation);
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn detail(&self) -> Option<String> {
        Some(self.text.clone())
    }

    fn config(&self) -> Option<Config> {
        Some(self.saved())
    }
}

impl Layer for EinsumDense {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        match self.product(x) {
            Ok(sums) => self.activation.call(&sums),
            Err(error) => Tensor::invalid(error),
        }
    }
}

fn as_matrix(equation: &Result<Equation>, initializer: Arc<dyn Initializer>) -> AsMatrix {
    AsMatrix { initializer, summed: equation.as_ref().map(Equation::summed).unwrap_or_default() }
}

/// An initializer that sees the kernel as a matrix: all that is summed over, by all others.
struct AsMatrix {
    initializer: Arc<dyn Initializer>,
    summed: Vec<bool>,
}

/// Named like what it stands for.
impl fmt::Debug for AsMatrix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.initializer.fmt(f)
    }
}

impl Initializer for AsMatrix {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        if shape.len() != self.summed.len() {
            let title = format!("a kernel of shape {shape:?} has {} axes", self.summed.len());
            return Tensor::invalid(Error::new("shape", title));
        }
        let axes = |summed: bool| (0..shape.len()).filter(move |&axis| self.summed[axis] == summed);
        let order: Vec<usize> = axes(true).chain(axes(false)).collect();
        let count = |summed: bool| axes(summed).map(|axis| shape[axis]).product::<usize>();
        let matrix = self.initializer.initial(&[count(true), count(false)], address);
        let sizes: Vec<Dim> = order.iter().map(|&axis| Dim::Fixed(shape[axis])).collect();
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(i, &axis)| back[axis] = i);
        matrix.reshape(sizes).permute(back)
    }
}
