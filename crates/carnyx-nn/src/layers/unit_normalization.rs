//! Each sample brought to length 1.

use super::features::{check_floats, feature_axes, or_invalid};
use crate::saving::Fields;
use crate::{Config, Layer, Module};
use carnyx_graph::{Result, Tensor};

/// `x / √Σ x²`: each sample as a vector of length 1, as cosine similarity wants it. A sample of zeros stays.
///
/// # Shape
/// `[batch, …, features]` to the same; see [`axes`](UnitNormalization::axes) for other features than the last axis.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::{Apply, Eval, UnitNormalization};
/// let x = Tensor::from(&Array::from([[3f32, 4.0], [0.0, 0.0]]));
/// assert_eq!(UnitNormalization::new().apply(&x).eval()?, Array::from([[0.6f32, 0.8], [0.0, 0.0]]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Module, Clone, Debug)]
#[module(saved)]
pub struct UnitNormalization {
    axes: Vec<isize>,
}

const KIND: &str = "UnitNormalization";

/// The square of the least length that is divided by.
const LEAST: f64 = 1e-24;

impl UnitNormalization {
    /// A layer that works along the last axis.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// assert_eq!(UnitNormalization::new().apply(&Tensor::input("x", [3])).rank(), 2);
    /// ```
    pub fn new() -> UnitNormalization {
        UnitNormalization { axes: vec![-1] }
    }

    /// The axes that are one vector.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let whole = UnitNormalization::new().axes([1, 2]);
    /// assert!(whole.apply(&Tensor::input("x", [4, 3])).check().is_ok());
    /// ```
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> UnitNormalization {
        self.axes = axes.into();
        self
    }

    pub(crate) fn read(fields: Fields) -> Result<UnitNormalization> {
        Ok(UnitNormalization { axes: fields.axes("axis", &[-1])? })
    }

    fn saved(&self) -> Config {
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        Config::new(KIND).field("axis", axes)
    }

    fn normalized(&self, x: &Tensor) -> Result<Tensor> {
        check_floats(KIND, x)?;
        let axes = feature_axes(KIND, &self.axes, &x.shape())?;
        let along_features: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
        Ok((x * x.square().sum_keep(along_features).maximum(LEAST).rsqrt()).with_mask_of(x))
    }
}

impl Default for UnitNormalization {
    fn default() -> UnitNormalization {
        UnitNormalization::new()
    }
}

impl Layer for UnitNormalization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.normalized(x))
    }
}
