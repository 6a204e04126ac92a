//! Texts as numbers of a vocabulary.

use super::encoding::Encoding;
use super::vocabulary::Vocabulary;
use carnyx_graph::{Array, Result};

/// For each text its number in a vocabulary, which is given or measured in the data.
///
/// Texts are not tensors, so this is done with the data before they go to a model. Numbers are those of Keras's layer
/// `StringLookup`: first padding, where a token for it is set, then what is unknown, then the vocabulary.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::StringLookup;
/// let mut words = StringLookup::new().mask_token("");
/// words.adapt(&["the", "cat", "the", "mat", "the", "cat"])?;
/// assert_eq!(words.tokens(), ["", "[UNK]", "the", "cat", "mat"]);
/// assert_eq!(words.encode_rows(&[["the", "dog"], ["cat", ""]])?, Array::from([[2i64, 1], [3, 0]]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StringLookup {
    vocabulary: Vocabulary<String>,
}

impl StringLookup {
    /// No vocabulary yet, and one number for all unknown texts.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(StringLookup::new().encode(&["a"]).unwrap_err().code(), "adapt");
    /// ```
    pub fn new() -> StringLookup {
        StringLookup { vocabulary: Vocabulary::new("StringLookup", "[UNK]".to_owned()) }
    }

    /// The text for padding, which has the number 0; in other encodings it leaves no trace.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let words = StringLookup::new().mask_token("").vocabulary(["a"])?;
    /// assert_eq!(words.encode(&["", "b", "a"])?, Array::from([0i64, 1, 2]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn mask_token(mut self, token: impl Into<String>) -> StringLookup {
        self.vocabulary.mask = Some(token.into());
        self
    }

    /// What [`decode`](StringLookup::decode) says for unknown texts: `[UNK]` unless it is given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(StringLookup::new().oov_token("?").vocabulary(["a"])?.tokens(), ["?", "a"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn oov_token(mut self, token: impl Into<String>) -> StringLookup {
        self.vocabulary.unknown = token.into();
        self
    }

    /// How many numbers unknown texts share, by their fingerprint; with 0 they are an error.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let closed = StringLookup::new().num_oov_indices(0).vocabulary(["yes", "no"])?;
    /// assert_eq!(closed.encode(&["perhaps"]).unwrap_err().title(), "\"perhaps\" is not in the vocabulary");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn num_oov_indices(mut self, count: usize) -> StringLookup {
        self.vocabulary.unknown_bins = count;
        self
    }

    /// The most tokens that the vocabulary may have, those for padding and for what is unknown among them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let mut two = StringLookup::new().max_tokens(2);
    /// two.adapt(&["b", "a", "a"])?;
    /// assert_eq!(two.tokens(), ["[UNK]", "a"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn max_tokens(mut self, count: usize) -> StringLookup {
        self.vocabulary.max_tokens = Some(count);
        self
    }

    /// How the numbers come out. Say it before the vocabulary, which begins with padding for `Int` only.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let bags = StringLookup::new().encoding(Encoding::MultiHot).vocabulary(["a", "b"])?;
    /// assert_eq!(bags.encode_rows(&[vec!["b", "b"], vec!["a", "c", "b"]])?, Array::from([[0f32, 0.0, 1.0], [1.0, 1.0, 1.0]]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> StringLookup {
        self.vocabulary.encoding = encoding;
        self
    }

    /// The vocabulary, the most frequent token first.
    ///
    /// # Errors
    /// `vocabulary`, if it is empty, has a token twice, or more than [`max_tokens`](StringLookup::max_tokens).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let error = StringLookup::new().vocabulary(["a", "b", "a"]).unwrap_err();
    /// assert_eq!(error.title(), "\"a\" is in the vocabulary twice");
    /// ```
    #[track_caller]
    pub fn vocabulary<S: Into<String>>(
        mut self,
        tokens: impl IntoIterator<Item = S>,
    ) -> Result<StringLookup> {
        let here = std::panic::Location::caller();
        self.vocabulary.set(tokens.into_iter().map(Into::into).collect()).map_err(|error| error.at(here))?;
        Ok(self)
    }

    /// How rare each token of the vocabulary is, for [`Encoding::TfIdf`]; [`adapt`](StringLookup::adapt) measures it.
    ///
    /// # Errors
    /// `vocabulary`, if there are more or fewer weights than tokens.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let words = StringLookup::new().encoding(Encoding::TfIdf).vocabulary(["a", "b"])?.idf_weights(&[0.25, 0.75])?;
    /// assert_eq!(words.encode(&["b", "b"])?.element(2), 0.75);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn idf_weights(mut self, weights: &[f32]) -> Result<StringLookup> {
        let here = std::panic::Location::caller();
        self.vocabulary.set_rarity(weights).map_err(|error| error.at(here))?;
        Ok(self)
    }

    /// Takes the tokens of the data as the vocabulary, the most frequent first. Each text is a document of its own.
    ///
    /// # Errors
    /// `data`, if there are no tokens.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let mut words = StringLookup::new();
    /// words.adapt(&["b", "a", "b"])?;
    /// assert_eq!(words.tokens(), ["[UNK]", "b", "a"]);
    /// assert_eq!(words.adapt::<&str>(&[]).unwrap_err().code(), "data");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn adapt<S: AsRef<str>>(&mut self, tokens: &[S]) -> Result {
        let here = std::panic::Location::caller();
        let documents: Vec<Vec<String>> =
            tokens.iter().map(|token| vec![token.as_ref().to_owned()]).collect();
        self.vocabulary.adapt(&documents).map_err(|error| error.at(here))
    }

    /// The same for documents of several tokens, which tell too in how many documents a token occurs.
    ///
    /// # Errors
    /// As for [`adapt`](StringLookup::adapt).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let mut words = StringLookup::new().encoding(Encoding::TfIdf);
    /// words.adapt_rows(&[vec!["a", "b"], vec!["a"]])?;
    /// assert_eq!(words.tokens(), ["[UNK]", "a", "b"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn adapt_rows<S: AsRef<str>, R: AsRef<[S]>>(&mut self, documents: &[R]) -> Result {
        let here = std::panic::Location::caller();
        self.vocabulary.adapt(&owned(documents)).map_err(|error| error.at(here))
    }

    /// All tokens in the order of their numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(StringLookup::new().vocabulary(["a"])?.tokens(), ["[UNK]", "a"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn tokens(&self) -> Vec<String> {
        self.vocabulary.all()
    }

    /// The numbers of texts, each a sample of its own: `[texts]` of `i64`, or `[texts, tokens]` of rows.
    ///
    /// # Errors
    /// `adapt`, if there is no vocabulary yet; `vocabulary`, if a text is unknown and has no number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// assert_eq!(StringLookup::new().vocabulary(["a"])?.encode(&["a", "b"])?, Array::from([1i64, 0]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Array> {
        let here = std::panic::Location::caller();
        let texts = texts.iter().map(|text| text.as_ref().to_owned()).collect();
        self.vocabulary.encode_each(texts).map_err(|error| error.at(here))
    }

    /// The numbers of samples of several texts: `[samples, texts]`, `[samples, texts, tokens]` as one-hot rows, and
    /// `[samples, tokens]` in other encodings.
    ///
    /// # Errors
    /// As for [`encode`](StringLookup::encode); `data`, if rows of different lengths should become one array.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let words = StringLookup::new().vocabulary(["a", "b"])?;
    /// assert_eq!(words.encode_rows(&[["a", "b"], ["c", "a"]])?, Array::from([[1i64, 2], [0, 1]]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn encode_rows<S: AsRef<str>, R: AsRef<[S]>>(&self, rows: &[R]) -> Result<Array> {
        let here = std::panic::Location::caller();
        self.vocabulary.encode(&owned(rows)).map_err(|error| error.at(here))
    }

    /// The texts of numbers, row by row.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let words = StringLookup::new().vocabulary(["a", "b"])?;
    /// assert_eq!(words.decode(&Array::from([2i64, 0, 1, 9])), ["b", "[UNK]", "a", "[UNK]"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn decode(&self, numbers: &Array) -> Vec<String> {
        (0..numbers.len()).map(|i| self.vocabulary.token(numbers.element(i))).collect()
    }
}

impl Default for StringLookup {
    fn default() -> StringLookup {
        StringLookup::new()
    }
}

fn owned<S: AsRef<str>, R: AsRef<[S]>>(rows: &[R]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.as_ref().iter().map(|text| text.as_ref().to_owned()).collect()).collect()
}
