//! Losses of predictions that are probabilities.
//!
//! Each compares probabilities, or *logits*: the values before `softmax` or `sigmoid`. Where the last operation of
//! the model is `softmax` (or `sigmoid`), its operand is used as logits, because that stays exact where
//! probabilities have long been rounded to 0 or 1. Other probabilities are kept away from 0 and 1 by 10⁻⁷.
//!
//! Each loss is a struct with options, and a constant of the same name without any: `BinaryCrossentropy` alone, or
//! `BinaryCrossentropy.from_logits().label_smoothing(0.1)`.
// The constants are named as the types, so that a loss reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::labels::{check_classes, check_truth_values, class_numbers, one_hot_targets};
use super::regression::mean_of_units;
use super::{EPSILON, Loss, fit_to, operand_behind};
use crate::Config;
use carnyx_graph::op::{Op, Unary};
use carnyx_graph::{Array, Error, Result, Shape, Tensor};

/// How surprised a probability is by an outcome that is 0 or 1: `-y ln p - (1 - y) ln(1 - p)`, mean over the last
/// axis.
///
/// For models whose last layer has one unit with `sigmoid` (is it a seven?), or several independent ones (which
/// tags?).
///
/// # Shape
/// Predictions `[batch, units]`, probabilities; targets of the same shape and of any type, 0 or 1 (or between).
/// Targets `[batch]` fit predictions `[batch, 1]`.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{BinaryCrossentropy, Loss};
/// let y = Tensor::from(&Array::from([true, false]));
/// let p = Tensor::from(&Array::from([[0.5f32], [0.5]]));
/// let loss = BinaryCrossentropy.of(&y, &p).eval()?.item()?;
/// assert!((loss - 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.BinaryCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
}

/// Binary crossentropy of probabilities, with the targets as they are.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{BinaryCrossentropy, Loss};
/// assert_eq!(Loss::name(&BinaryCrossentropy), "binary_crossentropy");
/// ```
pub const BinaryCrossentropy: BinaryCrossentropy =
    BinaryCrossentropy { from_logits: false, label_smoothing: 0.0 };

impl BinaryCrossentropy {
    /// The same for predictions before `sigmoid`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::Eval;
    /// use carnyx_nn::losses::{BinaryCrossentropy, Loss};
    /// let (y, logits) = (Tensor::from(&Array::from([1f32])), Tensor::from(&Array::from([0f32])));
    /// let loss = BinaryCrossentropy.from_logits().of(&y, &logits).eval()?.item()?;
    /// assert!((loss - 2f64.ln()).abs() < 1e-6);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn from_logits(mut self) -> BinaryCrossentropy {
        self.from_logits = true;
        self
    }

    /// Targets that are less sure: `y (1 - share) + share / 2`, so that 0 and 1 become 0.05 and 0.95 with 0.1.
    /// Probabilities that would have to reach 0 or 1 make weights grow without end; these need not.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::BinaryCrossentropy;
    /// let loss = BinaryCrossentropy.label_smoothing(0.1);
    /// # let _ = loss;
    /// ```
    ///
    /// Reference: Szegedy et al., [Rethinking the Inception Architecture](https://arxiv.org/abs/1512.00567), section 7.
    pub fn label_smoothing(mut self, share: f64) -> BinaryCrossentropy {
        self.label_smoothing = share;
        self
    }
}

impl Loss for BinaryCrossentropy {
    fn config(&self) -> Option<Config> {
        let config = Config::new("BinaryCrossentropy").unless_default("from_logits", self.from_logits, false);
        Some(config.unless_default("label_smoothing", self.label_smoothing, 0.0))
    }

    fn name(&self) -> String {
        "binary_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = match smoothed_halves(&fit_to(target, prediction), self.label_smoothing) {
            Ok(y) => y,
            Err(error) => return Tensor::invalid(error),
        };
        if self.from_logits {
            return mean_of_units(&binary_of_logits(&y, prediction));
        }
        if let Some(logits) = operand_behind(prediction, |op| matches!(op, Op::Unary(Unary::Sigmoid))) {
            return mean_of_units(&binary_of_logits(&y, &logits));
        }
        mean_of_units(&binary_of_probabilities(&y, prediction))
    }

    fn check(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets, "binary crossentropy")
    }
}

/// `-y ln p - (1 - y) ln(1 - p)`, with `p` kept away from 0 and 1.
#[track_caller]
pub(super) fn binary_of_probabilities(y: &Tensor, p: &Tensor) -> Tensor {
    let p = p.clip(EPSILON, 1.0 - EPSILON);
    -(y * p.log() + (1.0 - y) * (1.0 - p).log())
}

/// `max(x, 0) - x y + ln(1 + e^-|x|)`, written so that its slope at `x = 0` is `1/2 - y`.
#[track_caller]
fn binary_of_logits(y: &Tensor, x: &Tensor) -> Tensor {
    let positive = x.greater_equal(0.0);
    positive.select(x, 0.0) - x * y + positive.select(-x, x).exp().log1p()
}

/// Targets of two classes, moved towards one half.
pub(super) fn smoothed_halves(y: &Tensor, share: f64) -> Result<Tensor> {
    let share = checked_share(share)?;
    Ok(if share == 0.0 { y.clone() } else { y * (1.0 - share) + 0.5 * share })
}

/// One-hot rows, moved towards equal shares for all classes.
pub(super) fn smoothed_rows(y: &Tensor, share: f64) -> Result<Tensor> {
    let share = checked_share(share)?;
    Ok(if share == 0.0 { y.clone() } else { y * (1.0 - share) + share / y.dim(-1) as f64 })
}

fn checked_share(share: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(Error::new("loss", format!("a label smoothing of {share}"))
        .label("it is the share of each target that the other classes get")
        .help("take a number from 0 to 1: 0.1 is common"))
}

/// How surprised probabilities of classes are by the right class, given as one row of probabilities for each
/// sample: `-Σ y ln p`.
///
/// # Shape
/// Predictions `[batch, classes]`, targets of the same shape: one-hot rows, or any rows that sum to 1. For targets
/// that are class numbers, see [`SparseCategoricalCrossentropy`](struct@SparseCategoricalCrossentropy).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{CategoricalCrossentropy, Loss};
/// let y = Tensor::from(&Array::from([[0f32, 1.0, 0.0]]));
/// let p = Tensor::from(&Array::from([[0.25f32, 0.5, 0.25]]));
/// let loss = CategoricalCrossentropy.of(&y, &p).eval()?.item()?;
/// assert!((loss - 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.CategoricalCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
}

/// Categorical crossentropy of probabilities, with the targets as they are.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{CategoricalCrossentropy, Loss};
/// assert_eq!(Loss::name(&CategoricalCrossentropy), "categorical_crossentropy");
/// ```
pub const CategoricalCrossentropy: CategoricalCrossentropy =
    CategoricalCrossentropy { from_logits: false, label_smoothing: 0.0 };

impl CategoricalCrossentropy {
    /// The same for predictions before `softmax`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::CategoricalCrossentropy;
    /// let loss = CategoricalCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(mut self) -> CategoricalCrossentropy {
        self.from_logits = true;
        self
    }

    /// Targets that are less sure: `y (1 - share) + share / classes`. A network that need not reach 1 generalizes
    /// better, and its probabilities say more about how often it is wrong.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::CategoricalCrossentropy;
    /// let loss = CategoricalCrossentropy.label_smoothing(0.1);
    /// # let _ = loss;
    /// ```
    ///
    /// Reference: Szegedy et al., [Rethinking the Inception Architecture](https://arxiv.org/abs/1512.00567), section 7.
    pub fn label_smoothing(mut self, share: f64) -> CategoricalCrossentropy {
        self.label_smoothing = share;
        self
    }
}

impl Loss for CategoricalCrossentropy {
    fn config(&self) -> Option<Config> {
        let config =
            Config::new("CategoricalCrossentropy").unless_default("from_logits", self.from_logits, false);
        Some(config.unless_default("label_smoothing", self.label_smoothing, 0.0))
    }

    fn name(&self) -> String {
        "categorical_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = one_hot_targets(target, prediction);
        if y.is_invalid() {
            return y;
        }
        match smoothed_rows(&y, self.label_smoothing) {
            Ok(y) => -(y * log_probabilities(prediction, self.from_logits)).sum_along(-1),
            Err(error) => Tensor::invalid(error),
        }
    }
}

/// `ln p` along the last axis: of logits, or from the operand of `softmax` where there is one.
#[track_caller]
fn log_probabilities(prediction: &Tensor, from_logits: bool) -> Tensor {
    if from_logits {
        return prediction.log_softmax();
    }
    if let Some(logits) = operand_behind(prediction, |op| matches!(op, Op::Softmax)) {
        return logits.log_softmax();
    }
    clipped_shares(prediction).log()
}

/// Each row divided by its sum, and kept away from 0 and 1.
#[track_caller]
pub(super) fn clipped_shares(prediction: &Tensor) -> Tensor {
    (prediction / prediction.sum_keep(-1)).clip(EPSILON, 1.0 - EPSILON)
}

/// How surprised probabilities of classes are by the right class, given by its number: `-ln p[y]`.
///
/// # Shape
/// Predictions `[batch, classes]`, targets `[batch]` or `[batch, 1]`: class numbers from 0, of any integer type (or
/// floats without fractions). With further axes, `[batch, time, classes]`, the targets are `[batch, time]`.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, SparseCategoricalCrossentropy};
/// let y = Tensor::from(&Array::from([1u8]));
/// let p = Tensor::from(&Array::from([[0.25f32, 0.5, 0.25]]));
/// let loss = SparseCategoricalCrossentropy.of(&y, &p).eval()?.item()?;
/// assert!((loss - 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.losses.SparseCategoricalCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
#[derive(Clone, Copy, Debug, Default)]
pub struct SparseCategoricalCrossentropy {
    from_logits: bool,
    ignored: Option<i64>,
}

/// Sparse categorical crossentropy of probabilities, in which every label counts.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Loss, SparseCategoricalCrossentropy};
/// assert_eq!(Loss::name(&SparseCategoricalCrossentropy), "sparse_categorical_crossentropy");
/// ```
pub const SparseCategoricalCrossentropy: SparseCategoricalCrossentropy =
    SparseCategoricalCrossentropy { from_logits: false, ignored: None };

impl SparseCategoricalCrossentropy {
    /// The same for predictions before `softmax`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::SparseCategoricalCrossentropy;
    /// let loss = SparseCategoricalCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(mut self) -> SparseCategoricalCrossentropy {
        self.from_logits = true;
        self
    }

    /// Leaves out where the label is `class`: padding of sentences, pixels that nobody labelled (often -1 or 255). The
    /// mean is that of the other places.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::Eval;
    /// use carnyx_nn::losses::{Loss, SparseCategoricalCrossentropy};
    /// let y = Tensor::from(&Array::from([[1i64, -1]]));
    /// let p = Tensor::from(&Array::from([[[0.5f32, 0.5], [0.9, 0.1]]]));
    /// let loss = SparseCategoricalCrossentropy.ignore_class(-1).of(&y, &p).eval()?.item()?;
    /// assert!((loss - 2f64.ln()).abs() < 1e-6);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn ignore_class(mut self, class: i64) -> SparseCategoricalCrossentropy {
        self.ignored = Some(class);
        self
    }
}

impl Loss for SparseCategoricalCrossentropy {
    fn config(&self) -> Option<Config> {
        let config = Config::new("SparseCategoricalCrossentropy");
        let config = config.unless_default("from_logits", self.from_logits, false);
        Some(match self.ignored {
            Some(class) => config.field("ignore_class", class),
            None => config,
        })
    }

    fn name(&self) -> String {
        "sparse_categorical_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let classes = class_numbers(target, prediction);
        let loss = -log_probabilities(prediction, self.from_logits).pick(&classes);
        match self.counted(target, prediction) {
            Some(counted) => counted.select(loss, 0.0),
            None => loss,
        }
    }

    fn counted(&self, target: &Tensor, prediction: &Tensor) -> Option<Tensor> {
        let class = self.ignored?;
        let classes = class_numbers(target, prediction);
        Some(classes.cast(carnyx_graph::DType::I64).not_equal(class))
    }

    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        check_classes(targets, prediction, self.ignored)
    }
}
