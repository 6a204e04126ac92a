//! A loss for labels of which some are wrong.
// The constant is named as the type, so that the loss reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::labels::check_classes;
use super::{Loss, class_numbers};
use crate::Config;
use carnyx_graph::{Array, Error, Result, Shape, Tensor};

/// Between crossentropy and absolute error of the right class's probability: `(1 - p[y]^q) / q`.
///
/// With `q` near 0 it is categorical crossentropy, with `q = 1` the mean absolute error, which wrong labels disturb far
/// less. The default is 0.5.
///
/// # Shape
/// Predictions `[batch, classes]`, probabilities; targets `[batch]` or `[batch, 1]`, class numbers from 0.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{CategoricalGeneralizedCrossEntropy, Loss};
/// let y = Tensor::from(&Array::from([1u8]));
/// let p = Tensor::from(&Array::from([[0.75f32, 0.25]]));
/// assert_eq!(CategoricalGeneralizedCrossEntropy.of(&y, &p).eval()?.item()?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Zhang and Sabuncu, [Generalized Cross Entropy Loss](https://arxiv.org/abs/1805.07836);
/// [`keras.losses.CategoricalGeneralizedCrossEntropy`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug)]
pub struct CategoricalGeneralizedCrossEntropy {
    q: f64,
}

/// Generalized crossentropy with `q = 0.5`.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{CategoricalGeneralizedCrossEntropy, Loss};
/// let name = Loss::name(&CategoricalGeneralizedCrossEntropy);
/// assert_eq!(name, "categorical_generalized_cross_entropy");
/// ```
pub const CategoricalGeneralizedCrossEntropy: CategoricalGeneralizedCrossEntropy =
    CategoricalGeneralizedCrossEntropy { q: 0.5 };

impl CategoricalGeneralizedCrossEntropy {
    /// How little wrong labels disturb: between 0 and 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::CategoricalGeneralizedCrossEntropy;
    /// let loss = CategoricalGeneralizedCrossEntropy.q(0.7);
    /// # let _ = loss;
    /// ```
    pub fn q(mut self, q: f64) -> CategoricalGeneralizedCrossEntropy {
        self.q = q;
        self
    }
}

/// `q = 0.5`.
impl Default for CategoricalGeneralizedCrossEntropy {
    fn default() -> CategoricalGeneralizedCrossEntropy {
        CategoricalGeneralizedCrossEntropy
    }
}

impl Loss for CategoricalGeneralizedCrossEntropy {
    fn config(&self) -> Option<Config> {
        Some(Config::new("CategoricalGeneralizedCrossEntropy").unless_default("q", self.q, 0.5))
    }

    fn name(&self) -> String {
        "categorical_generalized_cross_entropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let q = self.q;
        if !(q > 0.0 && q < 1.0) {
            return Tensor::invalid(
                Error::new("loss", format!("a `q` of {q}"))
                    .label("it lies between crossentropy at 0 and absolute error at 1")
                    .help("take a number above 0 and below 1: 0.5 is the default"),
            );
        }
        let p = prediction.pick(&class_numbers(target, prediction));
        (1.0 - p.pow(q)) / q
    }

    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        check_classes(targets, prediction, None)
    }
}
