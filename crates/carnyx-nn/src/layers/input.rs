//! The shape of the data, stated.

use crate::{Layer, Module};
use carnyx_graph::{DType, Dim, Error, Facts, Mode, Shape, Tensor};

/// States the shape of one sample, so that a model that starts with it is built before it sees data. The values
/// pass unchanged; data of another shape is an error that names both shapes.
///
/// # Shape
/// `[batch, shape…]` to the same.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Flatten, Input, Layer, Sequential};
/// let net = Sequential::new().then(Input::new([28, 28])).then(Flatten).then(Dense::new(10));
/// let drawing = net.input().expect("the first layer is an `Input`");
/// assert_eq!(net.apply(&drawing).shape().to_string(), "[batch, 10]");
///
/// let wrong = net.apply(&Tensor::input("x", [32, 32])).check().unwrap_err();
/// assert_eq!(wrong.title(), "the samples have shape [32, 32], `Input` states [28, 28]");
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Input {
    shape: Vec<usize>,
    dtype: Option<DType>,
}

impl Input {
    /// Samples of `shape`, without the batch: `[]` for one number each.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Input::new([28, 28])).then(Flatten);
    /// assert_eq!(net.input().unwrap().shape().to_string(), "[batch, 28, 28]");
    /// ```
    pub fn new(shape: impl Into<Vec<usize>>) -> Input {
        Input { shape: shape.into(), dtype: None }
    }

    /// States the element type too; otherwise it is `f32` where the model is built without data, and not checked.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::DType;
    /// use carnyx_nn::{Input, Layer};
    /// let bytes = Input::new([28, 28]).dtype(DType::U8);
    /// assert_eq!(bytes.input().unwrap().dtype(), DType::U8);
    /// ```
    pub fn dtype(mut self, dtype: DType) -> Input {
        self.dtype = Some(dtype);
        self
    }

    /// The shape of one sample.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert_eq!(Input::new([28, 28]).shape(), [28, 28]);
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn objection(&self, facts: &Facts) -> Option<Error> {
        let stated = Shape::from(&self.shape);
        let sample = Shape::new(facts.shape.iter().skip(1).copied().collect::<Vec<Dim>>());
        if facts.shape.is_empty() || sample != stated {
            return Some(
                Error::new("shape", format!("the samples have shape {sample}, `Input` states {stated}"))
                    .label(format!("the data has shape {}; its first axis is the batch", facts.shape))
                    .help("state the shape of one sample, or reshape the data"),
            );
        }
        let dtype = self.dtype.filter(|dtype| *dtype != facts.dtype)?;
        Some(
            Error::new("dtype", format!("the data has elements of {}, `Input` states {dtype}", facts.dtype))
                .help(format!("convert the data with `.cast(DType::{dtype:?})`")),
        )
    }
}

impl Layer for Input {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        match x.facts().ok().and_then(|facts| self.objection(facts)) {
            Some(error) => Tensor::invalid(error),
            None => x.clone(),
        }
    }

    fn input(&self) -> Option<Tensor> {
        let mut dims = vec![Dim::BATCH];
        dims.extend(self.shape.iter().copied().map(Dim::Fixed));
        Some(Tensor::placeholder(
            "input",
            Facts::new(dims, self.dtype.unwrap_or(DType::F32)),
            Mode::Blueprint,
        ))
    }
}
