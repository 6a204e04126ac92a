//! Reads labels and predictions out of arrays, in the shapes in which models and data sets have them.
//!
//! Invariant: what is not a class number, not a number or not of the right shape is an error that names the sample.

use carnyx_graph::{Array, DType, Error, Result};

/// Greater numbers are not classes but quantities, and a matrix of them would not fit into memory.
const MAX_CLASSES: usize = 4096;

/// The class numbers of labels, and one more than the greatest: `[samples]`, `[samples, 1]`, or one-hot.
pub(crate) fn class_numbers(labels: &Array) -> Result<(Vec<usize>, usize)> {
    let columns = columns_of(labels, "labels")?;
    let values = labels.to_vec::<f64>();
    if columns > 1 {
        return one_hot(&values, columns);
    }
    let numbers = values.iter().enumerate().map(|(i, &value)| {
        class_number(value).ok_or_else(|| {
            Error::new("data", format!("label {value} of sample {i} is not the number of a class"))
                .help(format!("classes are counted from 0 to {} at most", MAX_CLASSES - 1))
        })
    });
    Ok(counted(numbers.collect::<Result<_>>()?))
}

/// The predicted class numbers, and one more than the greatest, or the number of scores.
pub(crate) fn predicted_classes(predictions: &Array) -> Result<(Vec<usize>, usize)> {
    let columns = columns_of(predictions, "predictions")?;
    let values = predictions.to_vec::<f64>();
    if let Some(i) = values.iter().position(|value| value.is_nan()) {
        return Err(Error::new("data", format!("the prediction for sample {} is NaN", i / columns)));
    }
    if columns > 1 {
        return Ok((values.chunks(columns).map(greatest).collect(), columns));
    }
    let is_float = matches!(predictions.dtype(), DType::F32 | DType::F64);
    if is_float && values.iter().all(|value| (0.0..=1.0).contains(value)) {
        return Ok(counted(values.iter().map(|&value| usize::from(value > 0.5)).collect()));
    }
    let numbers = values.iter().enumerate().map(|(i, &value)| {
        class_number(value).ok_or_else(|| {
            Error::new(
                "data",
                format!("the prediction {value} for sample {i} is neither a probability nor a class number"),
            )
            .help("logits become probabilities by `Sigmoid`, and scores of several classes are [samples, classes]")
        })
    });
    Ok(counted(numbers.collect::<Result<_>>()?))
}

/// Which samples are positive: labels 0 and 1 or booleans, `[samples]` or `[samples, 1]`.
pub(crate) fn positives(labels: &Array) -> Result<Vec<bool>> {
    let columns = columns_of(labels, "labels")?;
    if columns > 1 {
        return Err(Error::new(
            "shape",
            format!("the labels have shape {:?}, but there are two classes", labels.shape()),
        )
        .help("give one label for each sample, 0 or 1; for more classes: `of_classes`"));
    }
    let values = labels.to_vec::<f64>();
    let is_positive = |(i, &value): (usize, &f64)| match value {
        0.0 => Ok(false),
        1.0 => Ok(true),
        other => Err(Error::new("data", format!("label {other} of sample {i} is neither 0 nor 1"))
            .help("for more than two classes: `of_classes`, with scores [samples, classes]")),
    };
    values.iter().enumerate().map(is_positive).collect()
}

/// One score for each sample: `[samples]` or `[samples, 1]`.
pub(crate) fn scores(scores: &Array) -> Result<Vec<f64>> {
    let columns = columns_of(scores, "scores")?;
    if columns > 1 {
        return Err(Error::new(
            "shape",
            format!("the scores have shape {:?}, but one for each sample is wanted", scores.shape()),
        )
        .help("for a curve of each class: `of_classes`"));
    }
    let values = scores.to_vec::<f64>();
    match values.iter().position(|value| value.is_nan()) {
        Some(i) => Err(Error::new("data", format!("the score of sample {i} is NaN"))),
        None => Ok(values),
    }
}

/// The number of columns of samples: 1 for a list.
pub(crate) fn columns_of(array: &Array, what: &str) -> Result<usize> {
    let columns = match *array.shape() {
        [_] => 1,
        [_, columns] => columns,
        _ => {
            return Err(Error::new("shape", format!("the {what} have shape {:?}", array.shape()))
                .help("give [samples], or [samples, classes]"));
        }
    };
    if array.is_empty() {
        return Err(Error::new("data", format!("there are no {what}: their shape is {:?}", array.shape())));
    }
    Ok(columns)
}

fn class_number(value: f64) -> Option<usize> {
    (value >= 0.0 && value.fract() == 0.0 && value < MAX_CLASSES as f64).then_some(value as usize)
}

fn counted(numbers: Vec<usize>) -> (Vec<usize>, usize) {
    let classes = numbers.iter().max().map_or(0, |last| last + 1);
    (numbers, classes)
}

fn one_hot(values: &[f64], columns: usize) -> Result<(Vec<usize>, usize)> {
    let rows = values.chunks(columns).enumerate().map(|(i, row)| {
        let ones = row.iter().filter(|&&value| value == 1.0).count();
        let zeros = row.iter().filter(|&&value| value == 0.0).count();
        if ones == 1 && zeros == columns - 1 {
            return Ok(greatest(row));
        }
        Err(Error::new("data", format!("the labels of sample {i} are not one-hot: {row:?}"))
            .help("one class is 1 and all others are 0; or give class numbers, [samples]"))
    });
    Ok((rows.collect::<Result<_>>()?, columns))
}

/// The place of the greatest value, the first of equal ones.
fn greatest(row: &[f64]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}
