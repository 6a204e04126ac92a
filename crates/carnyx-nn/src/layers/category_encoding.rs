//! Numbers of categories as rows of zeros and ones.

use super::encoding::{Encoding, whole};
use super::features::or_invalid;
use crate::saving::Fields;
use crate::{Config, Layer, Module};
use carnyx_graph::{Error, Result, Tensor};

/// Numbers of categories as rows: with 1 for each that occurs in the sample, unless another
/// [`encoding`](CategoryEncoding::encoding) is asked for. Numbers beyond the categories leave no trace.
///
/// # Shape
/// `[batch, numbers]` to `[batch, categories]`; as [`Encoding::OneHot`], `[batch]` and `[batch, 1]` to the same, and
/// `[batch, n]` to `[batch, n, categories]`.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Apply, CategoryEncoding, Encoding, Eval};
/// let x = Tensor::from(&Array::from([[0i64, 1], [2, 2]]));
/// let encoding = CategoryEncoding::new(3).encoding(Encoding::Count);
/// assert_eq!(encoding.apply(&x).eval()?, Array::from([[1f32, 1.0, 0.0], [0.0, 0.0, 2.0]]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Module, Clone, Copy, Debug)]
#[module(saved)]
pub struct CategoryEncoding {
    categories: usize,
    encoding: Encoding,
}

impl CategoryEncoding {
    /// Numbers from 0 to below `categories`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{DType, Facts, Mode, Tensor};
    /// # use carnyx_nn::*;
    /// let y = CategoryEncoding::new(10).apply(&Tensor::input("tags", [3]));
    /// assert_eq!(y.shape().to_string(), "[batch, 10]");
    /// ```
    pub fn new(categories: usize) -> CategoryEncoding {
        CategoryEncoding { categories, encoding: Encoding::MultiHot }
    }

    /// How the numbers come out: as one-hot rows, say.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let one_hot = CategoryEncoding::new(10).encoding(Encoding::OneHot);
    /// assert_eq!(one_hot.apply(&Tensor::input("digit", [])).shape().to_string(), "[batch, 10]");
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> CategoryEncoding {
        self.encoding = encoding;
        self
    }

    pub(crate) fn read(fields: Fields) -> Result<CategoryEncoding> {
        let encoding = Encoding::read(fields, Encoding::MultiHot)?;
        Ok(CategoryEncoding::new(fields.count("num_tokens")?).encoding(encoding))
    }

    fn saved(&self) -> Config {
        Config::new("CategoryEncoding")
            .field("num_tokens", self.categories)
            .field("output_mode", self.encoding.to_string())
    }

    fn encoded(self, x: &Tensor) -> Result<Tensor> {
        let numbers = whole("CategoryEncoding", x)?;
        if self.categories == 0 || matches!(self.encoding, Encoding::Int | Encoding::TfIdf) {
            let title = format!(
                "`CategoryEncoding` cannot encode {} categories as `{}`",
                self.categories, self.encoding
            );
            return Err(Error::new("encoding", title)
                .label("it takes at least 1 category, and knows `OneHot`, `MultiHot` and `Count`"));
        }
        self.encoding.of("CategoryEncoding", &numbers, self.categories)
    }
}

impl Layer for CategoryEncoding {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.encoded(x))
    }
}
