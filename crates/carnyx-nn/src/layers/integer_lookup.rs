//! Whole numbers of any size as numbers of a vocabulary.

use super::encoding::{Encoding, whole};
use super::features::or_invalid;
use super::vocabulary::Vocabulary;
use crate::saving::{Fields, RARITY, decimal};
use crate::{Config, Forks, Layer, Module, Visitor};
use carnyx_file::Value;
use carnyx_graph::{Array, DType, Error, Result, Tensor};

/// For each whole number (a postcode, a customer) its place in a vocabulary, which is given or measured in the data: a
/// layer, and a table that can be asked without a model.
///
/// # Shape
/// `[batch, …]` to the same in `i64`; to rows as of [`CategoryEncoding`](crate::CategoryEncoding) in other encodings.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Apply, Eval, IntegerLookup};
/// let lookup = IntegerLookup::new().vocabulary([12, 36, 1138, 42])?;
/// let x = Array::from([[12i64, 1138, 42], [42, 1000, 36]]);
/// let numbers = lookup.apply(&Tensor::from(&x)).eval()?;
/// assert_eq!(numbers, Array::from([[1i64, 3, 4], [4, 0, 2]]));
/// assert_eq!(lookup.decode(&numbers), Array::from([[12i64, 1138, 42], [42, -1, 36]]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct IntegerLookup {
    vocabulary: Vocabulary<i64>,
}

const KIND: &str = "IntegerLookup";

impl IntegerLookup {
    /// No vocabulary yet, and one place for all unknown numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [3]);
    /// assert_eq!(IntegerLookup::new().apply(&x).check().unwrap_err().code(), "adapt");
    /// ```
    pub fn new() -> IntegerLookup {
        IntegerLookup { vocabulary: Vocabulary::new(KIND, -1) }
    }

    /// The number for padding, which has the place 0; in other encodings it leaves no trace.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(IntegerLookup::new().mask_token(0).vocabulary([7])?.tokens(), [0, -1, 7]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn mask_token(mut self, token: i64) -> IntegerLookup {
        self.vocabulary.mask = Some(token);
        self
    }

    /// What [`decode`](IntegerLookup::decode) gives for unknown numbers: -1 unless it is given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(IntegerLookup::new().oov_token(-9).vocabulary([7])?.tokens(), [-9, 7]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn oov_token(mut self, token: i64) -> IntegerLookup {
        self.vocabulary.unknown = token;
        self
    }

    /// How many places unknown numbers share, by their remainder; with 0 they are an error.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(IntegerLookup::new().num_oov_indices(2).vocabulary([7])?.tokens(), [-1, -1, 7]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn num_oov_indices(mut self, count: usize) -> IntegerLookup {
        self.vocabulary.unknown_bins = count;
        self
    }

    /// The most tokens that the vocabulary may have, those for padding and for what is unknown among them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert!(IntegerLookup::new().max_tokens(2).vocabulary([7, 8]).is_err());
    /// ```
    pub fn max_tokens(mut self, count: usize) -> IntegerLookup {
        self.vocabulary.max_tokens = Some(count);
        self
    }

    /// How the places come out. Say it before the vocabulary, which begins with padding for `Int` only.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let rows = IntegerLookup::new().encoding(Encoding::MultiHot).vocabulary([7, 8])?;
    /// assert_eq!(rows.apply(&Tensor::input("x", [5])).shape().to_string(), "[batch, 3]");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> IntegerLookup {
        self.vocabulary.encoding = encoding;
        self
    }

    /// The vocabulary, the most frequent number first.
    ///
    /// # Errors
    /// `vocabulary`, if it is empty, has a number twice, or more than [`max_tokens`](IntegerLookup::max_tokens).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(IntegerLookup::new().vocabulary([7, 7]).unwrap_err().title(), "7 is in the vocabulary twice");
    /// ```
    #[track_caller]
    pub fn vocabulary(mut self, tokens: impl Into<Vec<i64>>) -> Result<IntegerLookup> {
        let here = std::panic::Location::caller();
        self.vocabulary.set(tokens.into()).map_err(|error| error.at(here))?;
        Ok(self)
    }

    /// How rare each number of the vocabulary is, for [`Encoding::TfIdf`]; [`adapt`](IntegerLookup::adapt) measures it.
    ///
    /// # Errors
    /// `vocabulary`, if there are more or fewer weights than numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let lookup = IntegerLookup::new().encoding(Encoding::TfIdf).vocabulary([7, 8])?;
    /// assert!(lookup.idf_weights(&[0.25]).is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn idf_weights(mut self, weights: &[f32]) -> Result<IntegerLookup> {
        let here = std::panic::Location::caller();
        self.vocabulary.set_rarity(weights).map_err(|error| error.at(here))?;
        Ok(self)
    }

    /// Takes the numbers of the data as the vocabulary, the most frequent first. Each row is a document.
    ///
    /// # Errors
    /// `data`, if there are no numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let mut lookup = IntegerLookup::new();
    /// lookup.adapt(&Array::from([5i64, 9, 5]))?;
    /// assert_eq!(lookup.tokens(), [-1, 5, 9]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn adapt(&mut self, data: &Array) -> Result {
        let here = std::panic::Location::caller();
        self.vocabulary.adapt(&rows(data)).map_err(|error| error.at(here))
    }

    /// All tokens in the order of their places.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(IntegerLookup::new().vocabulary([7, 8])?.tokens(), [-1, 7, 8]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn tokens(&self) -> Vec<i64> {
        self.vocabulary.all()
    }

    /// The places of the numbers of an array: what the layer gives, without a model.
    ///
    /// # Errors
    /// `adapt`, if there is no vocabulary yet; `vocabulary`, if a number is unknown and has no place.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let closed = IntegerLookup::new().num_oov_indices(0).vocabulary([7, 8])?;
    /// assert_eq!(closed.encode(&Array::from([8i64, 7]))?, Array::from([1i64, 0]));
    /// assert!(closed.encode(&Array::from([9i64])).is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn encode(&self, data: &Array) -> Result<Array> {
        let here = std::panic::Location::caller();
        let encoded = if data.shape().len() < 2 {
            self.vocabulary.encode_each(data.to_vec())
        } else {
            self.vocabulary.encode(&rows(data))
        };
        encoded.map_err(|error| error.at(here))
    }

    /// The numbers at places, in an array of the same shape.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let lookup = IntegerLookup::new().vocabulary([7, 8])?;
    /// assert_eq!(lookup.decode(&Array::from([2i64, 0])), Array::from([8i64, -1]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn decode(&self, places: &Array) -> Array {
        Array::from_fn(places.shape(), |i| self.vocabulary.token(places.element(i)))
    }

    pub(crate) fn read(fields: Fields) -> Result<IntegerLookup> {
        fields.only(&[
            ("invert", false.into()),
            ("sparse", false.into()),
            ("pad_to_max_tokens", false.into()),
            ("oov_method", "floormod".into()),
        ])?;
        let token = |name: &str| {
            let value = fields.get(name).map(Value::as_i64);
            value.map(|token| token.ok_or_else(|| fields.wrong(name, "a whole number"))).transpose()
        };
        let mut vocabulary = Vocabulary::new(KIND, token("oov_token")?.unwrap_or(-1));
        vocabulary.mask = token("mask_token")?;
        vocabulary.unknown_bins = fields.axis("num_oov_indices", 1)?.try_into().unwrap_or(1);
        vocabulary.encoding = Encoding::read(fields, Encoding::Int)?;
        let number = |value: &Value| {
            value.as_i64().ok_or_else(|| fields.wrong("vocabulary", "a list of whole numbers"))
        };
        if fields.get("vocabulary").is_none() {
            return Err(Error::new("file", format!("the vocabulary of an `{KIND}` is not in the file"))
                .help("Keras keeps one that was measured in `.keras` files only, beside the layers"));
        }
        vocabulary.set(fields.list("vocabulary")?.iter().map(number).collect::<Result<_>>()?)?;
        if vocabulary.encoding == Encoding::TfIdf {
            let weight = |value: &Value| {
                let weight = value.as_f64().map(|weight| weight as f32);
                weight.ok_or_else(|| fields.wrong(RARITY, "a list of numbers"))
            };
            let weights: Vec<f32> = fields.list(RARITY)?.iter().map(weight).collect::<Result<_>>()?;
            // Of an adapted layer, there are those of what is unknown, too.
            let special = weights.len().saturating_sub(vocabulary.tokens.len());
            vocabulary.set_rarity(&weights[special..])?;
        } else {
            fields.only(&[(RARITY, Value::Null)])?;
        }
        Ok(IntegerLookup { vocabulary })
    }

    fn saved(&self) -> Config {
        let Vocabulary { mask, unknown, unknown_bins, encoding, tokens, rarity, .. } = &self.vocabulary;
        let config = Config::new(KIND)
            .field("num_oov_indices", *unknown_bins)
            .field("oov_token", *unknown)
            .field("output_mode", encoding.to_string())
            .field("vocabulary", tokens.clone())
            .field("vocabulary_size", self.vocabulary.len())
            .field("vocabulary_dtype", "int64");
        let config = match *encoding {
            Encoding::TfIdf => {
                let weights = rarity.iter().skip(self.vocabulary.first_token());
                let weights: Value = weights.map(|&weight| Value::from(decimal(weight))).collect();
                config.field(RARITY, weights).constant(RARITY, Array::from(rarity.clone()))
            }
            _ => config,
        };
        match mask {
            Some(mask) => config.field("mask_token", *mask),
            None => config,
        }
    }

    fn looked_up(&self, x: &Tensor) -> Result<Tensor> {
        let numbers = whole(KIND, x)?.cast(DType::I64);
        let vocabulary = &self.vocabulary;
        if vocabulary.tokens.is_empty() {
            return Err(Error::new("adapt", "an `IntegerLookup` has no vocabulary yet")
                .help("give it one with `.vocabulary(..)`, or let it measure one with `.adapt(..)`"));
        }
        if vocabulary.unknown_bins == 0 {
            return Err(Error::new(
                "vocabulary",
                "an `IntegerLookup` in a model needs a place for unknown numbers",
            )
            .label("what is computed cannot be refused while a model runs")
            .help("give it one with `.num_oov_indices(1)`, or apply it to the data with `.encode(&x)`"));
        }
        let first = vocabulary.first_token() as i64;
        let tokens = Tensor::from(&Array::from(vocabulary.tokens.clone()));
        let is_equal = numbers.expand(-1).equal(tokens);
        let place = is_equal.cast(DType::I64).arg_max(-1) + first;
        let unknown = match vocabulary.unknown_bins {
            1 => numbers.zeros_like(),
            bins => &numbers % bins as i64,
        } + vocabulary.first_unknown() as i64;
        let mut places = is_equal.any_along(-1).select(place, unknown);
        if let Some(mask) = vocabulary.mask {
            // Rows have no trace of what has no place.
            let padding = if vocabulary.has_mask() { 0.0 } else { -1.0 };
            places = numbers.equal(mask).select(places.full_like(padding), places);
        }
        let encoded = vocabulary.encoding.of(KIND, &places, vocabulary.len())?;
        if vocabulary.encoding != Encoding::TfIdf {
            return Ok(encoded);
        }
        if vocabulary.rarity.is_empty() {
            return Err(Error::new("adapt", "an `IntegerLookup` does not know how rare its numbers are")
                .help("let it measure them with `.adapt(..)`, or give them with `.idf_weights(..)`"));
        }
        Ok(encoded * Tensor::from(&Array::from(vocabulary.rarity.clone())))
    }
}

impl Default for IntegerLookup {
    fn default() -> IntegerLookup {
        IntegerLookup::new()
    }
}

/// The rows of an array; elements of a list are rows of their own.
fn rows(data: &Array) -> Vec<Vec<i64>> {
    let length = if data.shape().len() < 2 { 1 } else { data.row_len() };
    data.to_vec::<i64>().chunks(length.max(1)).map(<[i64]>::to_vec).collect()
}

impl Module for IntegerLookup {
    fn fork(&self, _forks: &mut Forks) -> IntegerLookup {
        self.clone()
    }

    fn visit(&self, _visitor: &mut Visitor) {}

    fn kind(&self) -> &'static str {
        KIND
    }

    fn config(&self) -> Option<Config> {
        Some(self.saved())
    }
}

impl Layer for IntegerLookup {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.looked_up(x))
    }
}
