//! A vector for each of a vocabulary.

use super::features::or_invalid;
use crate::constraints::Constraint;
use crate::regularizers::Regularizer;
use crate::saving::{Fields, with};
use crate::{Config, Layer, Module, RandomUniform};
use carnyx_file::Value;
use carnyx_graph::{DType, Error, Initializer, Result, Tensor, Variable};
use std::sync::Arc;

/// For each number of a word, a user, a colour, … a vector that is learned: row `i` of a table for the id `i`.
///
/// Ids are whole numbers from 0 on, of any type; `fit`, `evaluate` and `predict` refuse data with ids that the table
/// has no row for. Negative ones count from its end.
///
/// # Shape
/// `[batch, …]` of ids to `[batch, …, dim]`; `embeddings` is `[vocabulary, dim]`.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Embedding, Flatten, Sequential};
/// let net = Sequential::new().then(Embedding::new(1000, 16)).then(Flatten).then(Dense::new(1));
/// assert_eq!(net.apply(&Tensor::input("words", [20])).shape().to_string(), "[batch, 1]");
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct Embedding {
    vocabulary: usize,
    dim: usize,
    mask_zero: bool,
    embeddings: Variable,
}

impl Embedding {
    /// A table of `vocabulary` vectors with `dim` numbers each, which start uniform between -0.05 and 0.05.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let embedding = Embedding::new(10, 4);
    /// embedding.apply(&Tensor::input("ids", [3]));
    /// assert_eq!(embedding.num_parameters(), 40);
    /// ```
    pub fn new(vocabulary: usize, dim: usize) -> Embedding {
        Embedding { vocabulary, dim, mask_zero: false, embeddings: Variable::new(RandomUniform::default()) }
    }

    /// How the vectors start: an initializer, or an array with vectors that were learned before.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let pretrained = Embedding::new(2, 3).embeddings_initializer(Array::from([[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// pretrained.freeze();
    /// ```
    pub fn embeddings_initializer(mut self, initializer: impl Initializer + 'static) -> Embedding {
        self.embeddings = self.embeddings.initialized_by(initializer);
        self
    }

    /// A penalty for the vectors, which is added to the loss.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = Embedding::new(1000, 16).embeddings_regularizer(L2::new(1e-3));
    /// # let _ = layer;
    /// ```
    pub fn embeddings_regularizer(mut self, regularizer: impl Regularizer) -> Embedding {
        self.embeddings = self.embeddings.regularized(Arc::new(regularizer));
        self
    }

    /// Bounds that the vectors are kept in.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let layer = Embedding::new(1000, 16).embeddings_constraint(MaxNorm::new(2.0));
    /// # let _ = layer;
    /// ```
    pub fn embeddings_constraint(mut self, constraint: impl Constraint) -> Embedding {
        self.embeddings = self.embeddings.constrained(Arc::new(constraint));
        self
    }

    /// Says that the id 0 is padding: the [mask](Tensor::mask) of the vectors is false there, so that losses and means of
    /// metrics leave those steps out.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let vectors = Embedding::new(1000, 16).mask_zero().apply(&Tensor::input("words", [20]));
    /// assert_eq!(vectors.mask().unwrap().shape().to_string(), "[batch, 20]");
    /// ```
    pub fn mask_zero(mut self) -> Embedding {
        self.mask_zero = true;
        self
    }

    /// The table, `[vocabulary, dim]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert!(Embedding::new(10, 4).embeddings().is_trainable());
    /// ```
    pub fn embeddings(&self) -> &Variable {
        &self.embeddings
    }

    pub(crate) fn read(fields: Fields) -> Result<Embedding> {
        fields.only(&[("lora_rank", Value::Null)])?;
        let embedding = Embedding::new(fields.count("input_dim")?, fields.count("output_dim")?);
        let started = fields.initializer("embeddings_initializer")?;
        let embedding = with(embedding, started, Embedding::embeddings_initializer);
        let penalty = fields.regularizer("embeddings_regularizer")?;
        let embedding = with(embedding, penalty, Embedding::embeddings_regularizer);
        let bounds = fields.constraint("embeddings_constraint")?;
        let embedding = with(embedding, bounds, Embedding::embeddings_constraint);
        Ok(if fields.truth("mask_zero", false)? { embedding.mask_zero() } else { embedding })
    }

    fn saved(&self) -> Config {
        Config::new("Embedding")
            .field("input_dim", self.vocabulary)
            .field("output_dim", self.dim)
            .field("mask_zero", self.mask_zero)
            .initializer("embeddings_initializer", &self.embeddings)
            .regularizer("embeddings_regularizer", self.embeddings.regularizer())
            .constraint("embeddings_constraint", self.embeddings.constraint())
            .variable("embeddings", &self.embeddings)
    }

    fn looked_up(&self, ids: &Tensor) -> Result<Tensor> {
        let dtype = ids.facts()?.dtype;
        if self.vocabulary == 0 || self.dim == 0 {
            return Err(Error::new(
                "units",
                format!(
                    "an `Embedding` of {} vectors with {} numbers has no output",
                    self.vocabulary, self.dim
                ),
            )
            .label("it needs at least 1 of each"));
        }
        if dtype == DType::Bool {
            return Err(Error::new("dtype", "an `Embedding` cannot look up truth values")
                .label("ids are whole numbers from 0 on")
                .help("convert the data with `.cast(DType::I32)`"));
        }
        let ids = if matches!(dtype, DType::I32 | DType::I64) { ids.clone() } else { ids.cast(DType::I64) };
        let vectors = self.embeddings.shaped([self.vocabulary, self.dim]).gather(0, &ids);
        Ok(if self.mask_zero { vectors.with_mask(ids.not_equal(0i64)) } else { vectors })
    }
}

impl Layer for Embedding {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.looked_up(x))
    }
}
