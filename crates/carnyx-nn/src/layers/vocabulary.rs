//! Tokens with their numbers: what [`StringLookup`](crate::StringLookup) and
//! [`IntegerLookup`](crate::IntegerLookup) have in common.
//!
//! Numbers go, as in Keras, to the token for padding (where there is one, and numbers are what comes out), then to
//! the bins of unknown tokens, then to the tokens, the most frequent first.

use super::encoding::Encoding;
use carnyx_graph::{Array, Error, Result};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

/// What tokens can be: texts, or whole numbers.
pub(super) trait Token: Clone + Debug + Eq + Hash + Ord {
    /// The bin of an unknown token.
    fn bin(&self, bins: u64) -> u64;
}

impl Token for String {
    fn bin(&self, bins: u64) -> u64 {
        super::fingerprint::farm(self.as_bytes()) % bins
    }
}

impl Token for i64 {
    fn bin(&self, bins: u64) -> u64 {
        self.rem_euclid(bins as i64) as u64
    }
}

/// A vocabulary, given or measured.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary<T> {
    pub(super) kind: &'static str,
    pub(super) mask: Option<T>,
    pub(super) unknown: T,
    pub(super) unknown_bins: usize,
    pub(super) max_tokens: Option<usize>,
    pub(super) encoding: Encoding,
    pub(super) tokens: Vec<T>,
    /// How rare each number is, from the first bin of unknown tokens on.
    pub(super) rarity: Vec<f32>,
    places: HashMap<T, usize>,
}

impl<T: Token> Vocabulary<T> {
    pub(super) fn new(kind: &'static str, unknown: T) -> Vocabulary<T> {
        Vocabulary {
            kind,
            mask: None,
            unknown,
            unknown_bins: 1,
            max_tokens: None,
            encoding: Encoding::Int,
            tokens: Vec::new(),
            rarity: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Whether padding has the number 0.
    pub(super) fn has_mask(&self) -> bool {
        self.mask.is_some() && self.encoding == Encoding::Int
    }

    pub(super) fn first_unknown(&self) -> usize {
        usize::from(self.has_mask())
    }

    pub(super) fn first_token(&self) -> usize {
        self.first_unknown() + self.unknown_bins
    }

    pub(super) fn len(&self) -> usize {
        self.first_token() + self.tokens.len()
    }

    /// All tokens in the order of their numbers, with those for padding and for what is unknown.
    pub(super) fn all(&self) -> Vec<T> {
        let mask = self.mask.iter().filter(|_| self.has_mask()).cloned();
        let unknown = std::iter::repeat_n(self.unknown.clone(), self.unknown_bins);
        mask.chain(unknown).chain(self.tokens.iter().cloned()).collect()
    }

    /// Takes these tokens; special ones at the beginning may be there or not.
    pub(super) fn set(&mut self, tokens: Vec<T>) -> Result {
        let special: Vec<T> = self.all()[..self.first_token()].to_vec();
        let tokens = tokens.strip_prefix(&special[..]).map_or(tokens.clone(), <[T]>::to_vec);
        let kind = self.kind;
        if tokens.is_empty() {
            return Err(Error::new("vocabulary", format!("`{kind}` gets an empty vocabulary"))
                .label("there must be at least one token"));
        }
        if let Some(limit) = self.max_tokens.filter(|&limit| self.first_token() + tokens.len() > limit) {
            let count = self.first_token() + tokens.len();
            return Err(Error::new(
                "vocabulary",
                format!("the vocabulary has {count} tokens, {limit} are allowed"),
            )
            .label("those for padding and for what is unknown count too"));
        }
        let mut places = HashMap::new();
        for (i, token) in tokens.iter().enumerate() {
            if let Some(first) = places.insert(token.clone(), i) {
                return Err(Error::new("vocabulary", format!("{token:?} is in the vocabulary twice"))
                    .label(format!("at places {first} and {i}"))
                    .help("give each token once"));
            }
            if self.mask.as_ref() == Some(token) {
                return Err(Error::new(
                    "vocabulary",
                    format!("the token for padding, {token:?}, is at place {i} of the vocabulary"),
                )
                .help(format!("leave it out, or begin the vocabulary with {special:?}")));
            }
        }
        (self.tokens, self.places, self.rarity) = (tokens, places, Vec::new());
        Ok(())
    }

    /// The most frequent tokens of documents; of equally frequent ones, the greatest come first.
    pub(super) fn adapt(&mut self, documents: &[Vec<T>]) -> Result {
        let (mut counts, mut in_documents): (HashMap<&T, usize>, HashMap<&T, usize>) = Default::default();
        for document in documents {
            let mut seen = std::collections::HashSet::new();
            for token in document {
                *counts.entry(token).or_default() += 1;
                if seen.insert(token) {
                    *in_documents.entry(token).or_default() += 1;
                }
            }
        }
        let is_special = |token: &T| self.mask.as_ref() == Some(token) || self.unknown == *token;
        let mut found: Vec<(&T, usize)> =
            counts.into_iter().filter(|(token, _)| !is_special(token)).collect();
        if found.is_empty() {
            return Err(Error::new("data", format!("`{}` finds no tokens in the data", self.kind))
                .label(format!("there are {}", crate::losses::count(documents.len(), "document")))
                .help("give it the texts or numbers of the training data"));
        }
        found.sort_by(|a, b| (b.1, b.0).cmp(&(a.1, a.0)));
        if let Some(limit) = self.max_tokens {
            found.truncate(limit.saturating_sub(self.first_token()));
        }
        let rarity =
            |token: &T| (1.0 + documents.len() as f64 / (1.0 + in_documents[token] as f64)).ln() as f32;
        let rarity: Vec<f32> = found.iter().map(|(token, _)| rarity(token)).collect();
        self.set(found.into_iter().map(|(token, _)| token.clone()).collect())?;
        self.set_rarity(&rarity)
    }

    /// Weights of the tokens; what is unknown gets their mean.
    pub(super) fn set_rarity(&mut self, weights: &[f32]) -> Result {
        if weights.len() != self.tokens.len() {
            let count = crate::losses::count;
            let title =
                format!("{} for {}", count(weights.len(), "weight"), count(self.tokens.len(), "token"));
            return Err(Error::new("vocabulary", title).help("give one weight for each token"));
        }
        let mean = weights.iter().sum::<f32>() / weights.len() as f32;
        self.rarity = std::iter::repeat_n(mean, self.first_token()).chain(weights.iter().copied()).collect();
        Ok(())
    }

    /// The number of a token; -1 for padding that leaves no trace.
    fn number(&self, token: &T) -> Result<i64> {
        if self.mask.as_ref() == Some(token) {
            return Ok(if self.has_mask() { 0 } else { -1 });
        }
        if let Some(place) = self.places.get(token) {
            return Ok((self.first_token() + place) as i64);
        }
        match self.unknown_bins {
            0 => Err(Error::new("vocabulary", format!("{token:?} is not in the vocabulary"))
                .label("there is no number for unknown tokens")
                .help("allow one with `.num_oov_indices(1)`")),
            1 => Ok(self.first_unknown() as i64),
            bins => Ok(self.first_unknown() as i64 + token.bin(bins as u64) as i64),
        }
    }

    /// Rows of tokens, encoded.
    pub(super) fn encode(&self, rows: &[Vec<T>]) -> Result<Array> {
        if self.tokens.is_empty() {
            return Err(Error::new("adapt", format!("a `{}` has no vocabulary yet", self.kind))
                .help("give it one with `.vocabulary(..)`, or let it measure one with `.adapt(..)`"));
        }
        if self.encoding == Encoding::TfIdf && self.rarity.is_empty() {
            return Err(Error::new(
                "adapt",
                format!("a `{}` does not know how rare its tokens are", self.kind),
            )
            .help("let it measure them with `.adapt(..)`, or give them with `.idf_weights(..)`"));
        }
        let numbers = |row: &Vec<T>| row.iter().map(|token| self.number(token)).collect::<Result<Vec<i64>>>();
        let rows = rows.iter().map(numbers).collect::<Result<Vec<_>>>()?;
        self.encoding.of_rows(&rows, self.len(), Some(&self.rarity))
    }

    /// The same for single tokens, each a sample of its own.
    pub(super) fn encode_each(&self, tokens: Vec<T>) -> Result<Array> {
        let count = tokens.len();
        let encoded = self.encode(&tokens.into_iter().map(|token| vec![token]).collect::<Vec<_>>())?;
        encoded.reshape(if self.encoding == Encoding::Int { vec![count] } else { vec![count, self.len()] })
    }

    /// The token of a number.
    pub(super) fn token(&self, number: f64) -> T {
        let known = |place: usize| self.tokens.get(place.checked_sub(self.first_token())?);
        match (number as usize, &self.mask) {
            _ if number < 0.0 => self.unknown.clone(),
            (0, Some(mask)) if self.has_mask() => mask.clone(),
            (place, _) => known(place).unwrap_or(&self.unknown).clone(),
        }
    }
}
