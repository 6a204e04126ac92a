//! Crossentropies that look away from what is easy.
//!
//! Where most samples are clear (background, mostly), their small losses add up to more than those of the few hard
//! ones. A factor `(1 - probability of the truth)^gamma` takes away what is known already.
// The constants are named as the types, so that a loss reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::crossentropy::{binary_of_probabilities, clipped_shares, smoothed_halves, smoothed_rows};
use super::labels::{check_truth_values, one_hot_targets};
use super::regression::mean_of_units;
use super::{Loss, fit_to};
use crate::Config;
use carnyx_graph::{Array, Result, Shape, Tensor};

/// Binary crossentropy times `(1 - q)^gamma`, where `q` is the probability of what is true; mean over the last axis.
///
/// # Shape
/// As for [`BinaryCrossentropy`](struct@super::BinaryCrossentropy).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{BinaryFocalCrossentropy, Loss};
/// let y = Tensor::from(&Array::from([[1f32]]));
/// let p = Tensor::from(&Array::from([[0.5f32]]));
/// let loss = BinaryFocalCrossentropy.of(&y, &p).eval()?.item()?;
/// assert!((loss - 0.25 * 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Lin et al., [Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002);
/// [`keras.losses.BinaryFocalCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug)]
pub struct BinaryFocalCrossentropy {
    gamma: f64,
    alpha: Option<f64>,
    from_logits: bool,
    label_smoothing: f64,
}

/// Binary focal crossentropy of probabilities with a `gamma` of 2, without balance of the classes.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{BinaryFocalCrossentropy, Loss};
/// assert_eq!(Loss::name(&BinaryFocalCrossentropy), "binary_focal_crossentropy");
/// ```
pub const BinaryFocalCrossentropy: BinaryFocalCrossentropy =
    BinaryFocalCrossentropy { gamma: 2.0, alpha: None, from_logits: false, label_smoothing: 0.0 };

impl BinaryFocalCrossentropy {
    /// How much easy samples are taken away; 0 takes nothing.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::BinaryFocalCrossentropy;
    /// let loss = BinaryFocalCrossentropy.gamma(1.5);
    /// # let _ = loss;
    /// ```
    pub fn gamma(mut self, gamma: f64) -> BinaryFocalCrossentropy {
        self.gamma = gamma;
        self
    }

    /// Balances the classes: targets of 1 count `alpha` times, targets of 0 `1 - alpha` times. The paper takes 0.25.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::BinaryFocalCrossentropy;
    /// let loss = BinaryFocalCrossentropy.class_balancing(0.25);
    /// # let _ = loss;
    /// ```
    pub fn class_balancing(mut self, alpha: f64) -> BinaryFocalCrossentropy {
        self.alpha = Some(alpha);
        self
    }

    /// The same for predictions before `sigmoid`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::BinaryFocalCrossentropy;
    /// let loss = BinaryFocalCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(mut self) -> BinaryFocalCrossentropy {
        self.from_logits = true;
        self
    }

    /// Targets that are less sure: `y (1 - share) + share / 2`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::BinaryFocalCrossentropy;
    /// let loss = BinaryFocalCrossentropy.label_smoothing(0.1);
    /// # let _ = loss;
    /// ```
    pub fn label_smoothing(mut self, share: f64) -> BinaryFocalCrossentropy {
        self.label_smoothing = share;
        self
    }
}

/// A `gamma` of 2.
impl Default for BinaryFocalCrossentropy {
    fn default() -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy
    }
}

impl Loss for BinaryFocalCrossentropy {
    fn config(&self) -> Option<Config> {
        let config =
            Config::new("BinaryFocalCrossentropy").unless_default("from_logits", self.from_logits, false);
        let config = config.unless_default("label_smoothing", self.label_smoothing, 0.0);
        let config = config.unless_default("gamma", self.gamma, 2.0);
        Some(match self.alpha {
            Some(alpha) => config.field("apply_class_balancing", true).field("alpha", alpha),
            None => config,
        })
    }

    fn name(&self) -> String {
        "binary_focal_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = match smoothed_halves(&fit_to(target, prediction), self.label_smoothing) {
            Ok(y) => y,
            Err(error) => return Tensor::invalid(error),
        };
        let p = if self.from_logits { prediction.sigmoid() } else { prediction.clone() };
        let known = &y * &p + (1.0 - &y) * (1.0 - &p);
        let mut loss = unknown(&known, self.gamma) * binary_of_probabilities(&y, &p);
        if let Some(alpha) = self.alpha {
            loss = (&y * alpha + (1.0 - &y) * (1.0 - alpha)) * loss;
        }
        mean_of_units(&loss)
    }

    fn check(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "binary crossentropy")
    }
}

/// Categorical crossentropy of which each class's part counts `alpha (1 - p)^gamma` times:
/// `-Σ alpha (1 - p)^gamma y ln p`.
///
/// # Shape
/// As for [`CategoricalCrossentropy`](struct@super::CategoricalCrossentropy).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{CategoricalFocalCrossentropy, Loss};
/// let y = Tensor::from(&Array::from([[0f32, 1.0]]));
/// let p = Tensor::from(&Array::from([[0.5f32, 0.5]]));
/// let loss = CategoricalFocalCrossentropy.of(&y, &p).eval()?.item()?;
/// assert!((loss - 0.25 * 0.25 * 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Lin et al., [Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002);
/// [`keras.losses.CategoricalFocalCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Debug)]
pub struct CategoricalFocalCrossentropy {
    gamma: f64,
    /// One factor for each class; 0.25 for all if there are none.
    alpha: Vec<f64>,
    from_logits: bool,
    label_smoothing: f64,
}

/// Categorical focal crossentropy of probabilities with a `gamma` of 2 and an `alpha` of 0.25.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{CategoricalFocalCrossentropy, Loss};
/// assert_eq!(Loss::name(&CategoricalFocalCrossentropy), "categorical_focal_crossentropy");
/// ```
pub const CategoricalFocalCrossentropy: CategoricalFocalCrossentropy =
    CategoricalFocalCrossentropy { gamma: 2.0, alpha: Vec::new(), from_logits: false, label_smoothing: 0.0 };

impl CategoricalFocalCrossentropy {
    /// How much easy samples are taken away; 0 takes nothing.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::CategoricalFocalCrossentropy;
    /// let loss = CategoricalFocalCrossentropy.gamma(1.5);
    /// # let _ = loss;
    /// ```
    pub fn gamma(mut self, gamma: f64) -> CategoricalFocalCrossentropy {
        self.gamma = gamma;
        self
    }

    /// How often classes count: one number for all, or one for each class.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::CategoricalFocalCrossentropy;
    /// let balanced = CategoricalFocalCrossentropy.alpha([0.1, 0.4, 0.5]);
    /// # let _ = balanced;
    /// ```
    pub fn alpha(mut self, alpha: impl Into<Vec<f64>>) -> CategoricalFocalCrossentropy {
        self.alpha = alpha.into();
        self
    }

    /// The same for predictions before `softmax`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::CategoricalFocalCrossentropy;
    /// let loss = CategoricalFocalCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(mut self) -> CategoricalFocalCrossentropy {
        self.from_logits = true;
        self
    }

    /// Targets that are less sure: `y (1 - share) + share / classes`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::CategoricalFocalCrossentropy;
    /// let loss = CategoricalFocalCrossentropy.label_smoothing(0.1);
    /// # let _ = loss;
    /// ```
    pub fn label_smoothing(mut self, share: f64) -> CategoricalFocalCrossentropy {
        self.label_smoothing = share;
        self
    }
}

/// A `gamma` of 2 and an `alpha` of 0.25.
impl Default for CategoricalFocalCrossentropy {
    fn default() -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy
    }
}

impl Loss for CategoricalFocalCrossentropy {
    fn config(&self) -> Option<Config> {
        let config = Config::new("CategoricalFocalCrossentropy");
        let config = config.unless_default("from_logits", self.from_logits, false);
        let config = config.unless_default("label_smoothing", self.label_smoothing, 0.0);
        let config = config.unless_default("gamma", self.gamma, 2.0);
        Some(match &self.alpha[..] {
            [] => config,
            [one] => config.unless_default("alpha", *one, 0.25),
            several => config.field("alpha", several.to_vec()),
        })
    }

    fn name(&self) -> String {
        "categorical_focal_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = match smoothed_rows(&one_hot_targets(target, prediction), self.label_smoothing) {
            Ok(y) => y,
            Err(error) => return Tensor::invalid(error),
        };
        let p = if self.from_logits { prediction.softmax() } else { prediction.clone() };
        let p = clipped_shares(&p);
        let surprise = -(y * p.log()) * unknown(&p, self.gamma);
        let weighted = match &self.alpha[..] {
            [] => surprise * 0.25,
            [one] => surprise * *one,
            several => surprise * Tensor::from(&Array::from(several.to_vec())).cast(prediction.dtype()),
        };
        weighted.sum_along(-1)
    }
}

/// `(1 - known)^gamma`.
#[track_caller]
fn unknown(known: &Tensor, gamma: f64) -> Tensor {
    let unknown = 1.0 - known;
    match gamma {
        // The general power has no slope where nothing is unknown.
        0.0 => unknown.ones_like(),
        1.0 => unknown,
        2.0 => unknown.square(),
        _ => unknown.pow(gamma),
    }
}
