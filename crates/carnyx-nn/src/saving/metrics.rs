//! Metrics by the names that Keras has for them: a table of classes with their words, their options and how they are
//! read. What is not in it may be a loss, which is a metric too.

use super::attributes::with;
use super::config::{Config, Fields, object};
use super::losses::{described, function_of, is_loss, loss, missing};
use crate::metrics::*;
use carnyx_file::Value;
use carnyx_graph::Result;
use std::sync::Arc;

/// A metric that files know.
struct Row {
    class: &'static str,
    words: &'static [&'static str],
    options: &'static [&'static str],
    read: fn(&Fields) -> Result<Arc<dyn Metric>>,
}

/// What is told of precision and recall.
const CONFUSION: [&str; 3] = ["thresholds", "top_k", "class_id"];
const AREAS: [&str; 5] = ["num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"];
const SOME_AREAS: [&str; 6] =
    ["num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"];
const CURVE: [&str; 8] = [
    "num_thresholds",
    "curve",
    "summation_method",
    "thresholds",
    "multi_label",
    "num_labels",
    "label_weights",
    "from_logits",
];

static TABLE: [Row; 32] = [
    // The word that chooses by the targets, and the class that compares values for equality.
    Row { class: "accuracy", words: &["acc"], options: &[], read: |_| Ok(Arc::new(Accuracy)) },
    Row { class: "Accuracy", words: &[], options: &[], read: |_| Ok(Arc::new(ExactAccuracy)) },
    Row {
        class: "BinaryAccuracy",
        words: &["binary_accuracy"],
        options: &["threshold"],
        read: |fields| Ok(Arc::new(BinaryAccuracy::threshold(fields.number("threshold", Some(0.5))?))),
    },
    Row {
        class: "CategoricalAccuracy",
        words: &["categorical_accuracy"],
        options: &[],
        read: |_| Ok(Arc::new(CategoricalAccuracy)),
    },
    Row {
        class: "SparseCategoricalAccuracy",
        words: &["sparse_categorical_accuracy"],
        options: &[],
        read: |_| Ok(Arc::new(SparseCategoricalAccuracy)),
    },
    Row {
        class: "TopKCategoricalAccuracy",
        words: &["top_k_categorical_accuracy"],
        options: &["k"],
        read: |fields| Ok(Arc::new(TopKAccuracy::new(count_or(fields, "k", 5)?))),
    },
    Row {
        class: "SparseTopKCategoricalAccuracy",
        words: &["sparse_top_k_categorical_accuracy"],
        options: &["k", "from_sorted_ids"],
        read: |fields| {
            fields.only(&[("from_sorted_ids", Value::from(false))])?;
            Ok(Arc::new(SparseTopKAccuracy::new(count_or(fields, "k", 5)?)))
        },
    },
    Row {
        class: "RootMeanSquaredError",
        words: &["root_mean_squared_error", "rmse"],
        options: &[],
        read: |_| Ok(Arc::new(RootMeanSquaredError)),
    },
    Row {
        class: "CosineSimilarity",
        words: &["cosine_similarity"],
        options: &["axis"],
        read: |fields| {
            fields.only(&[("axis", Value::from(-1))])?;
            Ok(Arc::new(CosineSimilarity))
        },
    },
    Row {
        class: "LogCoshError",
        words: &["log_cosh_error", "logcosh"],
        options: &[],
        read: |_| Ok(Arc::new(LogCoshError)),
    },
    Row {
        class: "R2Score",
        words: &["r2_score"],
        options: &["class_aggregation", "num_regressors"],
        read: r2_score,
    },
    Row {
        class: "PearsonCorrelation",
        words: &["pearson_correlation"],
        options: &["axis"],
        read: |fields| Ok(Arc::new(PearsonCorrelation.axis(axis(fields)?))),
    },
    Row {
        class: "ConcordanceCorrelation",
        words: &["concordance_correlation"],
        options: &["axis"],
        read: |fields| Ok(Arc::new(ConcordanceCorrelation.axis(axis(fields)?))),
    },
    Row {
        class: "TruePositives",
        words: &["true_positives"],
        options: &["thresholds"],
        read: |fields| Ok(Arc::new(TruePositives.thresholds(thresholds(fields)?))),
    },
    Row {
        class: "FalsePositives",
        words: &["false_positives"],
        options: &["thresholds"],
        read: |fields| Ok(Arc::new(FalsePositives.thresholds(thresholds(fields)?))),
    },
    Row {
        class: "TrueNegatives",
        words: &["true_negatives"],
        options: &["thresholds"],
        read: |fields| Ok(Arc::new(TrueNegatives.thresholds(thresholds(fields)?))),
    },
    Row {
        class: "FalseNegatives",
        words: &["false_negatives"],
        options: &["thresholds"],
        read: |fields| Ok(Arc::new(FalseNegatives.thresholds(thresholds(fields)?))),
    },
    Row { class: "Precision", words: &["precision"], options: &CONFUSION, read: precision },
    Row { class: "Recall", words: &["recall"], options: &CONFUSION, read: recall },
    Row { class: "AUC", words: &["auc"], options: &CURVE, read: auc },
    Row {
        class: "SensitivityAtSpecificity",
        words: &["sensitivity_at_specificity"],
        options: &["specificity", "num_thresholds", "class_id"],
        read: sensitivity_at_specificity,
    },
    Row {
        class: "SpecificityAtSensitivity",
        words: &["specificity_at_sensitivity"],
        options: &["sensitivity", "num_thresholds", "class_id"],
        read: specificity_at_sensitivity,
    },
    Row {
        class: "PrecisionAtRecall",
        words: &["precision_at_recall"],
        options: &["recall", "num_thresholds", "class_id"],
        read: precision_at_recall,
    },
    Row {
        class: "RecallAtPrecision",
        words: &["recall_at_precision"],
        options: &["precision", "num_thresholds", "class_id"],
        read: recall_at_precision,
    },
    Row { class: "F1Score", words: &["f1_score"], options: &["average", "threshold"], read: f1_score },
    Row {
        class: "FBetaScore",
        words: &["f_beta_score", "fbeta_score"],
        options: &["average", "threshold", "beta"],
        read: fbeta_score,
    },
    Row { class: "IoU", words: &["io_u"], options: &SOME_AREAS, read: io_u },
    Row { class: "MeanIoU", words: &["mean_io_u"], options: &AREAS, read: mean_io_u },
    Row { class: "OneHotIoU", words: &["one_hot_io_u"], options: &SOME_AREAS, read: one_hot_io_u },
    Row { class: "OneHotMeanIoU", words: &["one_hot_mean_io_u"], options: &AREAS, read: one_hot_mean_io_u },
    Row {
        class: "BinaryIoU",
        words: &["binary_io_u"],
        options: &["target_class_ids", "threshold", "num_classes"],
        read: binary_io_u,
    },
    Row { class: "MeanMetricWrapper", words: &[], options: &[], read: wrapped },
];

/// The losses that are classes of metrics in Keras, and mean the same there.
const LOSSES: [&str; 12] = [
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "Hinge",
    "SquaredHinge",
    "CategoricalHinge",
    "KLDivergence",
    "Poisson",
];

/// The metric that a file describes: by a word, a function or an object.
pub(super) fn metric(value: &Value) -> Result<Arc<dyn Metric>> {
    let mut fields = described(value, "a metric")?;
    // As a word, it chooses by the targets however it is written.
    if value.is_string() && matches!(fields.class.to_lowercase().as_str(), "accuracy" | "acc") {
        fields.class = "accuracy";
    }
    if let Some(row) = TABLE.iter().find(|row| row.class == fields.class || row.words.contains(&fields.class))
    {
        if row.class != "MeanMetricWrapper" {
            fields.no_others(&[row.options, &["name", "dtype"]])?;
        }
        return (row.read)(&fields);
    }
    if is_loss(fields.class) {
        return Ok(Arc::new(loss(value)?));
    }
    let known: Vec<&str> = TABLE.iter().map(|row| row.class).chain(LOSSES).collect();
    Err(missing("metric", fields.class, &known))
}

/// The JSON of a metric.
pub(super) fn json(config: &Config) -> Value {
    // Classes begin with a capital letter; what does not is a word.
    if config.class.starts_with(char::is_lowercase) {
        return Value::from(config.class);
    }
    config.json("keras.metrics")
}

impl Config {
    /// What a file says of this loss where it is used as a metric of this name: a class of metrics, or the mean of a
    /// function where there is none.
    pub(crate) fn in_metric(self, name: &str) -> Config {
        let mut loss = self.reduced(None);
        let (false, Some(function)) = (LOSSES.contains(&loss.class), function_of(loss.class)) else {
            return loss;
        };
        let function = object([
            ("module", Value::from("keras.losses")),
            ("class_name", Value::from("function")),
            ("config", Value::from(function)),
            ("registered_name", Value::from("function")),
        ]);
        let mut config = Config::new("MeanMetricWrapper").field("name", name).field("fn", function);
        // The one function whose option has no default.
        if loss.class == "CategoricalGeneralizedCrossEntropy" && loss.fields.is_empty() {
            loss = loss.field("q", 0.5);
        }
        config.fields.append(&mut loss.fields);
        config
    }
}

/// The mean of a function, with the options of the function beside it.
fn wrapped(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let function = fields.get("fn").ok_or_else(|| fields.wrong("fn", "a function"))?;
    let class = described(function, "a function")?.class;
    let mut options = fields.value.clone();
    if let Value::Object(options) = &mut options {
        options.retain(|name, _| !matches!(name.as_str(), "fn" | "name" | "dtype"));
    }
    let described = object([("class_name", Value::from(class)), ("config", options)]);
    // The function of this name is the loss.
    if class == "cosine_similarity" {
        return Ok(Arc::new(loss(&described)?));
    }
    metric(&described)
}

fn count_or(fields: &Fields, name: &str, default: usize) -> Result<usize> {
    if fields.get(name).is_some() { fields.count(name) } else { Ok(default) }
}

fn count_if_given(fields: &Fields, name: &str) -> Result<Option<usize>> {
    fields.get(name).map(|_| fields.count(name)).transpose()
}

fn threshold(fields: &Fields) -> Result<Option<f64>> {
    fields.get("threshold").map(|_| fields.number("threshold", None)).transpose()
}

/// A number, several, or none.
fn thresholds(fields: &Fields) -> Result<Vec<f64>> {
    match fields.get("thresholds") {
        None => Ok(Vec::new()),
        Some(list) if list.is_array() => fields.numbers("thresholds"),
        Some(_) => Ok(vec![fields.number("thresholds", None)?]),
    }
}

fn axis(fields: &Fields) -> Result<isize> {
    let Some(axis) = fields.get("axis") else { return Ok(-1) };
    axis.as_i64().map(|axis| axis as isize).ok_or_else(|| fields.wrong("axis", "a whole number"))
}

fn r2_score(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let known = [Aggregation::UniformAverage, Aggregation::VarianceWeightedAverage];
    let known = known.map(|aggregation| (aggregation.word().unwrap_or_default(), aggregation));
    // A word is missing by default, a file says `null` for none.
    let default = if fields.value.get("class_aggregation").is_some() {
        Aggregation::None
    } else {
        Aggregation::UniformAverage
    };
    let aggregation = fields.choice("class_aggregation", &known, default)?;
    let regressors = count_or(fields, "num_regressors", 0)?;
    Ok(Arc::new(R2Score.class_aggregation(aggregation).num_regressors(regressors)))
}

fn precision(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let metric = Precision.thresholds(thresholds(fields)?);
    let metric = with(metric, count_if_given(fields, "top_k")?, Precision::top_k);
    Ok(Arc::new(with(metric, count_if_given(fields, "class_id")?, Precision::class_id)))
}

fn recall(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let metric = Recall.thresholds(thresholds(fields)?);
    let metric = with(metric, count_if_given(fields, "top_k")?, Recall::top_k);
    Ok(Arc::new(with(metric, count_if_given(fields, "class_id")?, Recall::class_id)))
}

fn auc(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let curves = [Curve::Roc, Curve::PrecisionRecall, Curve::PrecisionRecallGain];
    let summations = [Summation::Interpolation, Summation::Minoring, Summation::Majoring];
    let curves = curves.map(|curve| (curve.word(), curve));
    let summations = summations.map(|summation| (summation.word(), summation));
    let mut metric = Auc
        .curve(fields.choice("curve", &curves, Curve::Roc)?)
        .summation(fields.choice("summation_method", &summations, Summation::Interpolation)?)
        .num_thresholds(count_or(fields, "num_thresholds", 200)?)
        .thresholds(thresholds(fields)?);
    let multi_label = fields.truth("multi_label", false)?;
    if multi_label {
        metric = metric.multi_label();
    } else {
        // Weights of columns that are one curve together.
        fields.only(&[("label_weights", Value::Null)])?;
    }
    if fields.get("label_weights").is_some() {
        metric = metric.label_weights(fields.numbers("label_weights")?);
    }
    Ok(Arc::new(if fields.truth("from_logits", false)? { metric.from_logits() } else { metric }))
}

/// A metric that looks for the best of one share where another one, the field `wanted`, is large enough.
fn operating_point<M: Metric>(
    fields: &Fields,
    wanted: &str,
    new: fn(f64) -> M,
    num_thresholds: fn(M, usize) -> M,
    class_id: fn(M, usize) -> M,
) -> Result<Arc<dyn Metric>> {
    let metric = num_thresholds(new(fields.number(wanted, None)?), count_or(fields, "num_thresholds", 200)?);
    Ok(Arc::new(with(metric, count_if_given(fields, "class_id")?, class_id)))
}

fn sensitivity_at_specificity(fields: &Fields) -> Result<Arc<dyn Metric>> {
    type Point = SensitivityAtSpecificity;
    operating_point(fields, "specificity", Point::new, Point::num_thresholds, Point::class_id)
}

fn specificity_at_sensitivity(fields: &Fields) -> Result<Arc<dyn Metric>> {
    type Point = SpecificityAtSensitivity;
    operating_point(fields, "sensitivity", Point::new, Point::num_thresholds, Point::class_id)
}

fn precision_at_recall(fields: &Fields) -> Result<Arc<dyn Metric>> {
    type Point = PrecisionAtRecall;
    operating_point(fields, "recall", Point::new, Point::num_thresholds, Point::class_id)
}

fn recall_at_precision(fields: &Fields) -> Result<Arc<dyn Metric>> {
    type Point = RecallAtPrecision;
    operating_point(fields, "precision", Point::new, Point::num_thresholds, Point::class_id)
}

fn average(fields: &Fields) -> Result<Average> {
    let known = [Average::Micro, Average::Macro, Average::Weighted];
    let known = known.map(|average| (average.word().unwrap_or_default(), average));
    fields.choice("average", &known, Average::None)
}

fn f1_score(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let metric = F1Score.average(average(fields)?);
    Ok(Arc::new(with(metric, threshold(fields)?, F1Score::threshold)))
}

fn fbeta_score(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let metric = FBetaScore.beta(fields.number("beta", Some(1.0))?).average(average(fields)?);
    Ok(Arc::new(with(metric, threshold(fields)?, FBetaScore::threshold)))
}

/// A list of class numbers.
fn classes(fields: &Fields) -> Result<Vec<usize>> {
    let class = |value: &Value| value.as_u64().and_then(|class| usize::try_from(class).ok());
    let classes: Option<Vec<usize>> = fields.list("target_class_ids")?.iter().map(class).collect();
    classes.ok_or_else(|| fields.wrong("target_class_ids", "a list of class numbers"))
}

fn ignored(fields: &Fields) -> Result<Option<i64>> {
    let Some(class) = fields.get("ignore_class") else { return Ok(None) };
    class.as_i64().map(Some).ok_or_else(|| fields.wrong("ignore_class", "a whole number"))
}

fn io_u(fields: &Fields) -> Result<Arc<dyn Metric>> {
    fields.only(&[("axis", Value::from(-1))])?;
    let mut metric = IoU::new(fields.count("num_classes")?, classes(fields)?);
    if let Some(class) = ignored(fields)? {
        metric = metric.ignore_class(class);
    }
    if !fields.truth("sparse_y_true", true)? {
        metric = metric.one_hot_targets();
    }
    Ok(Arc::new(if fields.truth("sparse_y_pred", true)? { metric } else { metric.one_hot_predictions() }))
}

fn mean_io_u(fields: &Fields) -> Result<Arc<dyn Metric>> {
    fields.only(&[("axis", Value::from(-1))])?;
    let mut metric = MeanIoU::new(fields.count("num_classes")?);
    if let Some(class) = ignored(fields)? {
        metric = metric.ignore_class(class);
    }
    if !fields.truth("sparse_y_true", true)? {
        metric = metric.one_hot_targets();
    }
    Ok(Arc::new(if fields.truth("sparse_y_pred", true)? { metric } else { metric.one_hot_predictions() }))
}

fn one_hot_io_u(fields: &Fields) -> Result<Arc<dyn Metric>> {
    fields.only(&[("axis", Value::from(-1))])?;
    let mut metric = OneHotIoU::new(fields.count("num_classes")?, classes(fields)?);
    if let Some(class) = ignored(fields)? {
        metric = metric.ignore_class(class);
    }
    Ok(Arc::new(if fields.truth("sparse_y_pred", false)? { metric.sparse_predictions() } else { metric }))
}

fn one_hot_mean_io_u(fields: &Fields) -> Result<Arc<dyn Metric>> {
    fields.only(&[("axis", Value::from(-1))])?;
    let mut metric = OneHotMeanIoU::new(fields.count("num_classes")?);
    if let Some(class) = ignored(fields)? {
        metric = metric.ignore_class(class);
    }
    Ok(Arc::new(if fields.truth("sparse_y_pred", false)? { metric.sparse_predictions() } else { metric }))
}

fn binary_io_u(fields: &Fields) -> Result<Arc<dyn Metric>> {
    let metric = BinaryIoU.threshold(fields.number("threshold", Some(0.5))?);
    Ok(match fields.get("target_class_ids") {
        Some(_) => Arc::new(metric.classes(classes(fields)?)),
        None => Arc::new(metric),
    })
}
