//! Texts and numbers as numbers of bins, without a vocabulary.

use super::encoding::Encoding;
use super::fingerprint::{farm, sip};
use carnyx_graph::{Array, Error, Result};

/// For each text the number of a bin, always the same one, without a vocabulary: different texts may meet in a bin,
/// the more seldom the more bins there are.
///
/// Texts are not tensors, so this is done with the data before they go to a model. The bins are those of Keras's
/// layer `Hashing`: FarmHash's fingerprint modulo the number of bins, or SipHash where a salt is given.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Hashing;
/// let bins = Hashing::new(3);
/// assert_eq!(bins.encode(&["A", "B", "C", "D", "E"])?, Array::from([1i64, 0, 1, 1, 2]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hashing {
    bins: usize,
    salt: Option<[u64; 2]>,
    mask: Option<String>,
    encoding: Encoding,
}

impl Hashing {
    /// This many bins.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(Hashing::new(0).encode(&["a"]).unwrap_err().code(), "bins");
    /// ```
    pub fn new(bins: usize) -> Hashing {
        Hashing { bins, salt: None, mask: None, encoding: Encoding::Int }
    }

    /// Other bins for other salts, by a function that nobody can steer texts into one bin of. Keras's single number
    /// stands for twice this number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let salted = Hashing::new(3).salt([133, 137]);
    /// assert_eq!(salted.encode(&["A", "B", "C", "D", "E"])?, Array::from([1i64, 2, 1, 0, 2]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn salt(mut self, salt: [u64; 2]) -> Hashing {
        self.salt = Some(salt);
        self
    }

    /// A text that has bin 0 for itself: padding, or what is missing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let bins = Hashing::new(3).mask_value("");
    /// assert_eq!(bins.encode(&["A", "B", "", "C", "D"])?, Array::from([1i64, 1, 0, 2, 2]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn mask_value(mut self, mask: impl Into<String>) -> Hashing {
        self.mask = Some(mask.into());
        self
    }

    /// How the numbers of bins come out.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let rows = Hashing::new(8).encoding(Encoding::OneHot);
    /// assert_eq!(rows.encode(&["a", "b"])?.shape(), [2, 8]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> Hashing {
        self.encoding = encoding;
        self
    }

    /// The bins of texts, each a sample of its own: `[texts]` of `i64`, or `[texts, bins]` of rows.
    ///
    /// # Errors
    /// `bins`, if there are none.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// assert_eq!(Hashing::new(4).encode(&["a", "b", "c"])?.shape(), [3]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn encode<S: AsRef<str>>(&self, texts: &[S]) -> Result<Array> {
        self.check()?;
        let rows: Vec<Vec<i64>> = texts.iter().map(|text| vec![self.bin(text.as_ref())]).collect();
        let encoded = self.encoding.of_rows(&rows, self.bins, None)?;
        let sizes =
            if self.encoding == Encoding::Int { vec![texts.len()] } else { vec![texts.len(), self.bins] };
        encoded.reshape(sizes)
    }

    /// The bins of samples of several texts: `[samples, texts]`, `[samples, texts, bins]` as one-hot rows, and
    /// `[samples, bins]` in other encodings.
    ///
    /// # Errors
    /// `bins`, if there are none; `data`, if rows of different lengths should become one array.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let counts = Hashing::new(4).encoding(Encoding::Count);
    /// assert_eq!(counts.encode_rows(&[vec!["a", "b"], vec!["c"]])?.shape(), [2, 4]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn encode_rows<S: AsRef<str>>(&self, rows: &[Vec<S>]) -> Result<Array> {
        self.check()?;
        let bins = |row: &Vec<S>| row.iter().map(|text| self.bin(text.as_ref())).collect();
        let rows: Vec<Vec<i64>> = rows.iter().map(bins).collect();
        let here = std::panic::Location::caller();
        self.encoding.of_rows(&rows, self.bins, None).map_err(|error| error.at(here))
    }

    /// The bins of whole numbers, of which Keras hashes the decimal text.
    ///
    /// # Errors
    /// As for [`encode`](Hashing::encode).
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::*;
    /// let bins = Hashing::new(100);
    /// assert_eq!(bins.encode_numbers(&[7, 42])?, bins.encode(&["7", "42"])?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn encode_numbers(&self, numbers: &[i64]) -> Result<Array> {
        self.encode(&numbers.iter().map(i64::to_string).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(&self) -> Result {
        let here = std::panic::Location::caller();
        if self.bins == 0 {
            return Err(Error::new("bins", "a `Hashing` without bins").at(here).label("it needs at least 1"));
        }
        if self.encoding == Encoding::TfIdf {
            return Err(Error::new("encoding", "`Hashing` does not know how rare a text is")
                .at(here)
                .help("use `Encoding::Count`, or a `StringLookup`"));
        }
        Ok(())
    }

    fn bin(&self, text: &str) -> i64 {
        let own = u64::from(self.mask.is_some() && self.bins > 1);
        if own == 1 && self.mask.as_deref() == Some(text) {
            return 0;
        }
        let hash = match self.salt {
            Some(key) => sip(text.as_bytes(), key),
            None => farm(text.as_bytes()),
        };
        (hash % (self.bins as u64 - own) + own) as i64
    }
}
