//! Targets that are labels: class numbers, one-hot rows, truth values; and what is said when they are something else.

use super::{fit_to, is_column_of, mismatch};
use carnyx_graph::{Array, DType, Element, Error, Result, Shape, Tensor, with_storage};

/// The targets as the predictions' type, if they have the predictions' shape; else an invalid tensor that tells class
/// numbers from other mistakes.
#[track_caller]
pub(crate) fn one_hot_targets(target: &Tensor, prediction: &Tensor) -> Tensor {
    let (from, to) = (target.shape(), prediction.shape());
    let usable = !target.is_invalid() && !prediction.is_invalid();
    let classes = prediction.dim(-1);
    if usable && classes > 1 && has_one_column(&from, &to) {
        return Tensor::invalid(
            mismatch(&from, &to)
                .label(format!("this loss needs one probability for each of the {classes} classes"))
                .help("targets that are class numbers need `SparseCategoricalCrossentropy`"),
        );
    }
    fit_to(target, prediction)
}

/// Whether targets of shape `from` are one number where predictions of shape `to` are a row.
fn has_one_column(from: &Shape, to: &Shape) -> bool {
    let Some((_, samples)) = to.split_last() else { return false };
    let samples = Shape::new(samples.to_vec());
    *from == samples || is_column_of(&samples, from)
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

/// That all targets are classes of predictions of this shape, or else the class `ignored`.
pub(crate) fn check_classes(targets: &Array, prediction: &Shape, ignored: Option<i64>) -> Result {
    let Some(classes) = prediction.last().and_then(|dim| dim.fixed()) else { return Ok(()) };
    let is_ignored = |value: f64| ignored.is_some_and(|class| class as f64 == value);
    let is_class = |value: f64| value >= 0.0 && value < classes as f64 && value.fract() == 0.0;
    let Some((row, value)) = first_row_where(targets, |value| !is_class(value) && !is_ignored(value)) else {
        return Ok(());
    };
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

/// That all targets lie between 0 and 1, as `what` needs them: "binary crossentropy".
pub(crate) fn check_truth_values(targets: &Array, what: &str) -> Result {
    match first_row_where(targets, |value| !(0.0..=1.0).contains(&value)) {
        Some((row, value)) => {
            Err(Error::new("data", format!("target {value} in row {row}, but {what} compares with 0 or 1"))
                .help("write the two classes as 0 and 1 (or false and true)"))
        }
        None => Ok(()),
    }
}

/// The first value that is `wrong`, with its row.
pub(crate) fn first_row_where(array: &Array, wrong: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
    fn find<T: Element>(data: &[T], wrong: impl Fn(f64) -> bool) -> Option<(usize, f64)> {
        data.iter().map(|value| value.to_f64()).enumerate().find(|(_, value)| wrong(*value))
    }
    let (index, value) = with_storage!(array.storage(), data => find(data, wrong))?;
    Some((index / array.row_len().max(1), value))
}
