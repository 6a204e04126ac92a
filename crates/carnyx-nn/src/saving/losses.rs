//! Losses by the names that Keras has for them: a table of classes with their words, their options and how they are
//! read.

use super::config::{Fields, bad, brief};
use super::traced::{TRACED_LOSS, read_loss};
use crate::losses::*;
use carnyx_file::Value;
use carnyx_graph::{Error, Result};
use std::sync::Arc;

/// A loss that files know.
struct Row {
    class: &'static str,
    /// By which it is known too. The first is the name of Keras's function.
    words: &'static [&'static str],
    options: &'static [&'static str],
    read: fn(&Fields) -> Result<Arc<dyn Loss>>,
}

/// What all crossentropies are told.
const LOGITS: [&str; 3] = ["from_logits", "label_smoothing", "axis"];
const BINARY_FOCAL: [&str; 6] =
    ["from_logits", "label_smoothing", "axis", "gamma", "alpha", "apply_class_balancing"];
const CATEGORICAL_FOCAL: [&str; 5] = ["from_logits", "label_smoothing", "axis", "gamma", "alpha"];

static TABLE: [Row; 21] = [
    Row {
        class: "MeanSquaredError",
        words: &["mean_squared_error", "mse", "MSE"],
        options: &[],
        read: |_| Ok(Arc::new(MeanSquaredError)),
    },
    Row {
        class: "MeanAbsoluteError",
        words: &["mean_absolute_error", "mae", "MAE"],
        options: &[],
        read: |_| Ok(Arc::new(MeanAbsoluteError)),
    },
    Row {
        class: "MeanAbsolutePercentageError",
        words: &["mean_absolute_percentage_error", "mape", "MAPE"],
        options: &[],
        read: |_| Ok(Arc::new(MeanAbsolutePercentageError)),
    },
    Row {
        class: "MeanSquaredLogarithmicError",
        words: &["mean_squared_logarithmic_error", "msle", "MSLE"],
        options: &[],
        read: |_| Ok(Arc::new(MeanSquaredLogarithmicError)),
    },
    Row {
        class: "CosineSimilarity",
        words: &["cosine_similarity"],
        options: &["axis"],
        read: |_| Ok(Arc::new(CosineSimilarity)),
    },
    Row {
        class: "Huber",
        words: &["huber", "huber_loss"],
        options: &["delta"],
        read: |fields| Ok(Arc::new(Huber.delta(fields.number("delta", Some(1.0))?))),
    },
    Row { class: "LogCosh", words: &["log_cosh", "logcosh"], options: &[], read: |_| Ok(Arc::new(LogCosh)) },
    Row { class: "Hinge", words: &["hinge"], options: &[], read: |_| Ok(Arc::new(Hinge)) },
    Row {
        class: "SquaredHinge",
        words: &["squared_hinge"],
        options: &[],
        read: |_| Ok(Arc::new(SquaredHinge)),
    },
    Row {
        class: "CategoricalHinge",
        words: &["categorical_hinge"],
        options: &[],
        read: |_| Ok(Arc::new(CategoricalHinge)),
    },
    Row {
        class: "KLDivergence",
        words: &["kl_divergence", "kld", "KLD"],
        options: &[],
        read: |_| Ok(Arc::new(KLDivergence)),
    },
    Row { class: "Poisson", words: &["poisson"], options: &[], read: |_| Ok(Arc::new(Poisson)) },
    Row {
        class: "BinaryCrossentropy",
        words: &["binary_crossentropy", "bce", "BCE"],
        options: &LOGITS,
        read: binary_crossentropy,
    },
    Row {
        class: "CategoricalCrossentropy",
        words: &["categorical_crossentropy"],
        options: &LOGITS,
        read: categorical_crossentropy,
    },
    Row {
        class: "SparseCategoricalCrossentropy",
        words: &["sparse_categorical_crossentropy"],
        options: &["from_logits", "ignore_class", "axis"],
        read: sparse_categorical_crossentropy,
    },
    Row {
        class: "BinaryFocalCrossentropy",
        words: &["binary_focal_crossentropy"],
        options: &BINARY_FOCAL,
        read: binary_focal_crossentropy,
    },
    Row {
        class: "CategoricalFocalCrossentropy",
        words: &["categorical_focal_crossentropy"],
        options: &CATEGORICAL_FOCAL,
        read: categorical_focal_crossentropy,
    },
    Row {
        class: "CategoricalGeneralizedCrossEntropy",
        words: &["categorical_generalized_cross_entropy"],
        options: &["q"],
        read: |fields| Ok(Arc::new(CategoricalGeneralizedCrossEntropy.q(fields.number("q", Some(0.5))?))),
    },
    Row { class: "Dice", words: &["dice"], options: &["axis"], read: dice },
    Row { class: "Tversky", words: &["tversky"], options: &["alpha", "beta", "axis"], read: tversky },
    Row {
        class: "Circle",
        words: &["circle"],
        options: &["gamma", "margin", "remove_diagonal"],
        read: circle,
    },
];

/// The loss that a file describes: by a word, a function or an object.
pub(super) fn loss(value: &Value) -> Result<Arc<dyn Loss>> {
    let fields = described(value, "a loss")?;
    if fields.class == TRACED_LOSS {
        return with_reduction(Arc::new(read_loss(fields)?), &fields);
    }
    let row = row_of(fields.class)
        .ok_or_else(|| missing("loss", fields.class, &TABLE.each_ref().map(|row| row.class)))?;
    fields.no_others(&[row.options, &["name", "dtype", "reduction"]])?;
    // Areas are measured along any axes; all others compare along the last.
    if !matches!(row.class, "Dice" | "Tversky") {
        fields.only(&[("axis", Value::from(-1))])?;
    }
    with_reduction((row.read)(&fields)?, &fields)
}

/// Whether there is a loss of this class, or known by this word.
pub(super) fn is_loss(name: &str) -> bool {
    row_of(name).is_some()
}

fn row_of(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.class == name || row.words.contains(&name))
}

/// The name of Keras's function for a class of losses.
pub(super) fn function_of(class: &str) -> Option<&'static str> {
    TABLE.iter().find(|row| row.class == class).map(|row| row.words[0])
}

/// Class and fields of a loss or a metric, which may be a word, a function or an object.
pub(super) fn described<'a>(value: &'a Value, what: &str) -> Result<Fields<'a>> {
    let word = value.as_str().or_else(|| {
        let is_function = value.get("class_name").and_then(Value::as_str) == Some("function");
        value.get("config").and_then(Value::as_str).filter(|_| is_function)
    });
    match word {
        Some(class) => Ok(Fields { class, value: &Value::Null }),
        None => Fields::of(value, what),
    }
}

pub(super) fn missing(what: &str, class: &str, known: &[&str]) -> Error {
    bad(format!("there is no {what} `{class}`"))
        .suggest(class, known)
        .note("`load_network` reads the model without it, to be compiled in Rust")
}

fn with_reduction(loss: Arc<dyn Loss>, fields: &Fields) -> Result<Arc<dyn Loss>> {
    Ok(match reduction(fields)? {
        Reduction::SumOverBatchSize => loss,
        other => Arc::new(loss.reduction(other)),
    })
}

fn reduction(fields: &Fields) -> Result<Reduction> {
    let all = [
        Reduction::SumOverBatchSize,
        Reduction::Sum,
        Reduction::Mean,
        Reduction::MeanWithSampleWeight,
        Reduction::None,
    ];
    let Some(value) = fields.get("reduction") else { return Ok(Reduction::default()) };
    let known = |reduction: &Reduction| value.as_str() == Some(reduction.word());
    all.into_iter().find(known).ok_or_else(|| {
        bad(format!("`reduction` of `{}` is {}", fields.class, brief(value)))
            .label("it should be `sum_over_batch_size`, `sum`, `mean`, `mean_with_sample_weight` or `none`")
    })
}

fn binary_crossentropy(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let loss = BinaryCrossentropy.label_smoothing(fields.number("label_smoothing", Some(0.0))?);
    Ok(Arc::new(if fields.truth("from_logits", false)? { loss.from_logits() } else { loss }))
}

fn categorical_crossentropy(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let loss = CategoricalCrossentropy.label_smoothing(fields.number("label_smoothing", Some(0.0))?);
    Ok(Arc::new(if fields.truth("from_logits", false)? { loss.from_logits() } else { loss }))
}

fn sparse_categorical_crossentropy(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let mut loss = SparseCategoricalCrossentropy;
    if let Some(class) = fields.get("ignore_class") {
        let class = class.as_i64().ok_or_else(|| fields.wrong("ignore_class", "a whole number"))?;
        loss = loss.ignore_class(class);
    }
    Ok(Arc::new(if fields.truth("from_logits", false)? { loss.from_logits() } else { loss }))
}

fn binary_focal_crossentropy(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let mut loss = BinaryFocalCrossentropy
        .gamma(fields.number("gamma", Some(2.0))?)
        .label_smoothing(fields.number("label_smoothing", Some(0.0))?);
    if fields.truth("apply_class_balancing", false)? {
        loss = loss.class_balancing(fields.number("alpha", Some(0.25))?);
    }
    Ok(Arc::new(if fields.truth("from_logits", false)? { loss.from_logits() } else { loss }))
}

fn categorical_focal_crossentropy(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let alpha = match fields.get("alpha") {
        Some(list) if list.is_array() => fields.numbers("alpha")?,
        _ => vec![fields.number("alpha", Some(0.25))?],
    };
    let loss = CategoricalFocalCrossentropy
        .gamma(fields.number("gamma", Some(2.0))?)
        .alpha(alpha)
        .label_smoothing(fields.number("label_smoothing", Some(0.0))?);
    Ok(Arc::new(if fields.truth("from_logits", false)? { loss.from_logits() } else { loss }))
}

/// One axis, several, or all if nothing is said.
fn axes(fields: &Fields) -> Result<Option<Vec<isize>>> {
    let wrong = || fields.wrong("axis", "a whole number, or a list of them");
    let axis = |value: &Value| value.as_i64().map(|axis| axis as isize).ok_or_else(wrong);
    match fields.get("axis") {
        None => Ok(None),
        Some(Value::Array(list)) => list.iter().map(axis).collect::<Result<_>>().map(Some),
        Some(one) => Ok(Some(vec![axis(one)?])),
    }
}

fn dice(fields: &Fields) -> Result<Arc<dyn Loss>> {
    Ok(match axes(fields)? {
        Some(axes) => Arc::new(Dice.axes(axes)),
        None => Arc::new(Dice),
    })
}

fn tversky(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let loss = Tversky.alpha(fields.number("alpha", Some(0.5))?).beta(fields.number("beta", Some(0.5))?);
    Ok(match axes(fields)? {
        Some(axes) => Arc::new(loss.axes(axes)),
        None => Arc::new(loss),
    })
}

fn circle(fields: &Fields) -> Result<Arc<dyn Loss>> {
    let loss = Circle.gamma(fields.number("gamma", Some(80.0))?).margin(fields.number("margin", Some(0.4))?);
    Ok(Arc::new(if fields.truth("remove_diagonal", true)? { loss } else { loss.with_itself() }))
}
