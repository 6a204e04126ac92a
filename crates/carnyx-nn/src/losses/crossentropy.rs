//! Losses of predictions that are probabilities.
//!
//! Each compares probabilities, or *logits*: the values before `softmax` or `sigmoid`. Where the last operation of
//! the model is `softmax` (or `sigmoid`), its operand is used as logits, because that stays exact where
//! probabilities have long been rounded to 0 or 1. Other probabilities are kept away from 0 and 1 by 10⁻⁷.

use super::regression::mean_of_units;
use super::{Loss, fit_to, is_column_of, mismatch, operand_behind};
use crate::Config;
use carnyx_graph::op::{Op, Unary};
use carnyx_graph::{Array, DType, Element, Error, Result, Shape, Tensor, with_storage};

/// How far probabilities stay away from 0 and 1 (Keras's `epsilon`).
const EPSILON: f64 = 1e-7;

/// A crossentropy whose predictions are logits: made by `from_logits`.
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
#[derive(Clone, Copy, Debug)]
pub struct FromLogits<L>(L);

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
pub struct BinaryCrossentropy;

impl BinaryCrossentropy {
    /// The same for predictions before `sigmoid`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::BinaryCrossentropy;
    /// let loss = BinaryCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(self) -> FromLogits<BinaryCrossentropy> {
        FromLogits(self)
    }
}

impl Loss for BinaryCrossentropy {
    fn config(&self) -> Option<Config> {
        Some(Config::loss("BinaryCrossentropy", false))
    }

    fn name(&self) -> String {
        "binary_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let y = fit_to(target, prediction);
        if let Some(logits) = operand_behind(prediction, |op| matches!(op, Op::Unary(Unary::Sigmoid))) {
            return mean_of_units(&binary_of_logits(&y, &logits));
        }
        let p = prediction.clip(EPSILON, 1.0 - EPSILON);
        mean_of_units(&-(&y * p.log() + (1.0 - &y) * (1.0 - p).log()))
    }

    fn check(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets)
    }
}

impl Loss for FromLogits<BinaryCrossentropy> {
    fn config(&self) -> Option<Config> {
        Some(Config::loss("BinaryCrossentropy", true))
    }

    fn name(&self) -> String {
        self.0.name()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        mean_of_units(&binary_of_logits(&fit_to(target, prediction), prediction))
    }

    fn check(&self, targets: &Array, _: &Shape) -> Result {
        check_truth_values(targets)
    }
}

/// `max(x, 0) - x y + ln(1 + e^-|x|)`, written so that its slope at `x = 0` is `1/2 - y`.
#[track_caller]
fn binary_of_logits(y: &Tensor, x: &Tensor) -> Tensor {
    let positive = x.greater_equal(0.0);
    positive.select(x, 0.0) - x * y + positive.select(-x, x).exp().log1p()
}

/// How surprised probabilities of classes are by the right class, given as one row of probabilities for each
/// sample: `-Σ y ln p`.
///
/// # Shape
/// Predictions `[batch, classes]`, targets of the same shape: one-hot rows, or any rows that sum to 1. For targets
/// that are class numbers, see [`SparseCategoricalCrossentropy`].
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
pub struct CategoricalCrossentropy;

impl CategoricalCrossentropy {
    /// The same for predictions before `softmax`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::CategoricalCrossentropy;
    /// let loss = CategoricalCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(self) -> FromLogits<CategoricalCrossentropy> {
        FromLogits(self)
    }
}

impl Loss for CategoricalCrossentropy {
    fn config(&self) -> Option<Config> {
        Some(Config::loss("CategoricalCrossentropy", false))
    }

    fn name(&self) -> String {
        "categorical_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        match one_hot_targets(target, prediction) {
            Ok(y) => -(y * log_probabilities(prediction)).sum_along(-1),
            Err(invalid) => invalid,
        }
    }
}

impl Loss for FromLogits<CategoricalCrossentropy> {
    fn config(&self) -> Option<Config> {
        Some(Config::loss("CategoricalCrossentropy", true))
    }

    fn name(&self) -> String {
        self.0.name()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        match one_hot_targets(target, prediction) {
            Ok(y) => -(y * prediction.log_softmax()).sum_along(-1),
            Err(invalid) => invalid,
        }
    }
}

/// The targets as the predictions' type, if they have the predictions' shape; else an invalid tensor that tells class
/// numbers from other mistakes.
#[track_caller]
fn one_hot_targets(target: &Tensor, prediction: &Tensor) -> Result<Tensor, Tensor> {
    let (from, to) = (target.shape(), prediction.shape());
    let usable = !target.is_invalid() && !prediction.is_invalid();
    let classes = prediction.dim(-1);
    if usable && classes > 1 && has_one_column(&from, &to) {
        return Err(Tensor::invalid(
            mismatch(&from, &to)
                .label(format!("this loss needs one probability for each of the {classes} classes"))
                .help("targets that are class numbers need `SparseCategoricalCrossentropy`"),
        ));
    }
    let y = fit_to(target, prediction);
    if y.is_invalid() { Err(y) } else { Ok(y) }
}

/// Whether targets of shape `from` are one number where predictions of shape `to` are a row.
fn has_one_column(from: &Shape, to: &Shape) -> bool {
    let Some((_, samples)) = to.split_last() else { return false };
    let samples = Shape::new(samples.to_vec());
    *from == samples || is_column_of(&samples, from)
}

/// `ln p` along the last axis, from the operand of `softmax` where there is one.
#[track_caller]
fn log_probabilities(prediction: &Tensor) -> Tensor {
    if let Some(logits) = operand_behind(prediction, |op| matches!(op, Op::Softmax)) {
        return logits.log_softmax();
    }
    let p = prediction / prediction.sum_keep(-1);
    p.clip(EPSILON, 1.0 - EPSILON).log()
}

/// How surprised probabilities of classes are by the right class, given by its number: `-ln p[y]`.
///
/// # Shape
/// Predictions `[batch, classes]`, targets `[batch]` or `[batch, 1]`: class numbers from 0, of any integer type (or
/// floats without fractions).
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
pub struct SparseCategoricalCrossentropy;

impl SparseCategoricalCrossentropy {
    /// The same for predictions before `softmax`: any numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::SparseCategoricalCrossentropy;
    /// let loss = SparseCategoricalCrossentropy.from_logits();
    /// # let _ = loss;
    /// ```
    pub fn from_logits(self) -> FromLogits<SparseCategoricalCrossentropy> {
        FromLogits(self)
    }
}

impl Loss for SparseCategoricalCrossentropy {
    fn config(&self) -> Option<Config> {
        Some(Config::loss("SparseCategoricalCrossentropy", false))
    }

    fn name(&self) -> String {
        "sparse_categorical_crossentropy".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        -log_probabilities(prediction).pick(&class_numbers(target, prediction))
    }

    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        check_classes(targets, prediction)
    }
}

impl Loss for FromLogits<SparseCategoricalCrossentropy> {
    fn config(&self) -> Option<Config> {
        Some(Config::loss("SparseCategoricalCrossentropy", true))
    }

    fn name(&self) -> String {
        self.0.name()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        -prediction.log_softmax().pick(&class_numbers(target, prediction))
    }

    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        check_classes(targets, prediction)
    }
}

/// Class numbers as integers, without a last axis of size 1: `[batch]` for predictions `[batch, classes]`.
#[track_caller]
pub(crate) fn class_numbers(target: &Tensor, prediction: &Tensor) -> Tensor {
    if target.is_invalid() {
        return target.clone();
    }
    if prediction.is_invalid() {
        return prediction.clone();
    }
    let (from, to) = (target.shape(), prediction.shape());
    if !has_one_column(&from, &to) {
        let error =
            mismatch(&from, &to).label("this loss needs one class number for each row of predictions");
        return Tensor::invalid(if from == to {
            error.help("targets that are one-hot rows need `CategoricalCrossentropy`")
        } else {
            error.help("give the targets the shape [batch], with class numbers from 0")
        });
    }
    let samples: Vec<_> = to[..to.len() - 1].to_vec();
    let numbers = target.reshape(samples);
    if numbers.dtype().is_integer() { numbers } else { numbers.cast(DType::I64) }
}

fn check_classes(targets: &Array, prediction: &Shape) -> Result {
    let Some(classes) = prediction.last().and_then(|dim| dim.fixed()) else { return Ok(()) };
    let is_class = |value: f64| value >= 0.0 && value < classes as f64 && value.fract() == 0.0;
    let Some((row, value)) = first_row_where(targets, |value| !is_class(value)) else { return Ok(()) };
    let error = Error::new(
        "data",
        format!(
            "label {value} in row {row}, but the last layer has {classes} units: labels go from 0 to {}",
            classes - 1
        ),
    );
    Err(if value.fract() != 0.0 {
        error.help("class numbers are integers: is this the right column?")
    } else if value == classes as f64 {
        error.help("give the last layer one unit more, or count the classes from 0")
    } else {
        error.help("give the last layer one unit for each class, and count the classes from 0")
    })
}

fn check_truth_values(targets: &Array) -> Result {
    match first_row_where(targets, |value| !(0.0..=1.0).contains(&value)) {
        Some((row, value)) => Err(Error::new(
            "data",
            format!("target {value} in row {row}, but binary crossentropy compares with 0 or 1"),
        )
        .help("write the two classes as 0 and 1 (or false and true)")),
        None => Ok(()),
    }
}

/// The first value that is `wrong`, with its row.
fn first_row_where(array: &Array, wrong: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
    fn find<T: Element>(data: &[T], wrong: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
        data.iter().map(|value| value.to_f64()).enumerate().find(|(_, value)| wrong(*value))
    }
    let (index, value) = with_storage!(array.storage(), data => find(data, wrong))?;
    Some((index / array.row_len().max(1), value))
}
