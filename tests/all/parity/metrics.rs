//! Metrics: their totals and results over several batches.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Array, Result, Tensor};
use carnyx_nn::metrics::*;
use carnyx_nn::{Eval, Updates};

/// Totals here are 64-bit, those of Keras 32-bit.
const TOLERANCE: f64 = 1e-6;

/// Keras takes the mean of each sample first and counts samples, Carnyx counts what it compares. Results are the
/// same; totals and counts are so many times those of Keras.
const COUNTS_PER_SAMPLE: [(&str, f64); 3] =
    [("binary_accuracy_multilabel", 4.0), ("sparse_categorical_accuracy_3d", 2.0), ("mean_2d", 2.0)];

#[test]
fn metrics_over_batches() {
    compare(&file("metrics").parts("cases"), &[], |case, comparison| {
        let metric = metric(case);
        comparison.holds("the name is the default name in Keras", metric.name() == case.text("default_name"));
        let name = case.name().trim_end_matches("_sample_weight");
        let per_sample = COUNTS_PER_SAMPLE.iter().find(|(known, _)| *known == name).map_or(1.0, |(_, n)| *n);
        let mut tally = Tally::default();
        for (i, batch) in case.parts("batches").iter().enumerate() {
            add(&*metric, &mut tally, batch)?;
            let result = batch.array("result").item()?;
            comparison.number(&format!("batches/{i}/result"), metric.result(&tally)?, result, TOLERANCE);
            for total in ["total", "count"] {
                let expected = batch.array(&format!("state/{total}")).item()? * per_sample;
                comparison.number(
                    &format!("batches/{i}/{total}"),
                    tally.total(total)?.item()?,
                    expected,
                    TOLERANCE,
                );
            }
        }
        tally.reset()?;
        let expected = case.array("result_after_reset").item()?;
        comparison.number("result_after_reset", metric.result(&tally)?, expected, TOLERANCE);
        Ok(())
    });
}

#[test]
fn more_metrics_over_batches() {
    compare(&file("metrics_more").parts("cases"), &[], |case, comparison| {
        let metric = metric(case);
        comparison.holds("the name is the default name in Keras", metric.name() == case.text("default_name"));
        let mut tally = Tally::default();
        for (i, batch) in case.parts("batches").iter().enumerate() {
            add(&*metric, &mut tally, batch)?;
            same_result(comparison, &*metric, &tally, batch, &format!("batches/{i}/"), "result")?;
        }
        tally.reset()?;
        same_result(comparison, &*metric, &tally, case, "", "result_after_reset")
    });
}

/// A tally that has seen no batch has the result of one that was reset.
#[test]
fn results_before_the_first_batch() {
    compare(&file("metrics_more").parts("cases"), &[], |case, comparison| {
        let result = metric(case).result(&Tally::default())?;
        comparison.holds("the result is a number", result.is_finite());
        Ok(())
    });
}

/// Adds a batch, with its weights if it has any.
fn add(metric: &dyn Metric, tally: &mut Tally, batch: &Case) -> Result {
    let tensor = |path: &str| batch.get(path).map(|_| Tensor::from(&batch.array(path)));
    let prediction = tensor("inputs/y_pred").or(tensor("inputs/values")).expect("a batch has predictions");
    let target = tensor("inputs/y_true").unwrap_or(prediction.clone());
    tally.set_weights(tensor("inputs/sample_weight"));
    metric.update(tally, &target, &prediction);
    Tensor::scalar(0f32).eval_with(Updates::from(tally.take_updates())).map(|_| ())
}

/// One number, or one for each class or threshold. Where Keras divides nothing by nothing, the result is 0.
fn same_result(
    comparison: &mut Comparison,
    metric: &dyn Metric,
    tally: &Tally,
    case: &Case,
    place: &str,
    path: &str,
) -> Result {
    let expected = case.get(path).map_or_else(|| Array::scalar(0f32), |_| case.array(path));
    let actual = match expected.shape() {
        [] => Array::scalar(metric.result(tally)?),
        _ => Array::from(metric.each(tally)?),
    };
    comparison.close(&format!("{place}{path}"), &actual, &expected, TOLERANCE);
    Ok(())
}

/// The option at `path`, set on a metric by `set` if the case has it.
fn with<M, T>(metric: M, option: Option<T>, set: impl Fn(M, T) -> M) -> M {
    match option {
        Some(option) => set(metric, option),
        None => metric,
    }
}

fn metric(case: &Case) -> Box<dyn Metric> {
    let number =
        |name: &str| case.get(&format!("config/{name}")).map(|_| case.number(&format!("config/{name}")));
    let count = |name: &str| number(name).map(|number| number as usize);
    let k = || count("k").expect("the case has a `k`");
    let thresholds = case.get("config/thresholds").map(|value| {
        if value.is_array() {
            case.numbers("config/thresholds")
        } else {
            vec![case.number("config/thresholds")]
        }
    });
    let thresholds = || thresholds.clone().unwrap_or_default();
    let smoothing = case.number_or("config/label_smoothing", 0.0);
    match (case.text("metric"), case.flag("config/from_logits")) {
        ("Mean", _) => Box::new(Mean),
        ("Sum", _) => Box::new(Sum),
        ("Accuracy", _) => Box::new(ExactAccuracy),
        ("BinaryAccuracy", _) => Box::new(BinaryAccuracy::threshold(case.number_or("config/threshold", 0.5))),
        ("CategoricalAccuracy", _) => Box::new(CategoricalAccuracy),
        ("SparseCategoricalAccuracy", _) => Box::new(SparseCategoricalAccuracy),
        ("TopKCategoricalAccuracy", _) => Box::new(TopKAccuracy::new(k())),
        ("SparseTopKCategoricalAccuracy", _) => Box::new(SparseTopKAccuracy::new(k())),
        ("MeanAbsoluteError", _) => Box::new(MeanAbsoluteError),
        ("MeanSquaredError", _) => Box::new(MeanSquaredError),
        ("MeanAbsolutePercentageError", _) => Box::new(MeanAbsolutePercentageError),
        ("MeanSquaredLogarithmicError", _) => Box::new(MeanSquaredLogarithmicError),
        ("RootMeanSquaredError", _) => Box::new(RootMeanSquaredError),
        ("CosineSimilarity", _) => Box::new(CosineSimilarity),
        ("LogCoshError", _) => Box::new(LogCoshError),
        ("Poisson", _) => Box::new(Poisson),
        ("KLDivergence", _) => Box::new(KLDivergence),
        ("Hinge", _) => Box::new(Hinge),
        ("SquaredHinge", _) => Box::new(SquaredHinge),
        ("CategoricalHinge", _) => Box::new(CategoricalHinge),
        ("R2Score", _) => Box::new(r2_score(case)),
        ("PearsonCorrelation", _) => {
            Box::new(with(PearsonCorrelation, number("axis"), |metric, axis| metric.axis(axis as isize)))
        }
        ("ConcordanceCorrelation", _) => {
            Box::new(with(ConcordanceCorrelation, number("axis"), |metric, axis| metric.axis(axis as isize)))
        }
        ("BinaryCrossentropy", false) => Box::new(BinaryCrossentropy.label_smoothing(smoothing)),
        ("BinaryCrossentropy", true) => Box::new(BinaryCrossentropy.from_logits()),
        ("CategoricalCrossentropy", false) => Box::new(CategoricalCrossentropy),
        ("CategoricalCrossentropy", true) => Box::new(CategoricalCrossentropy.from_logits()),
        ("SparseCategoricalCrossentropy", false) => Box::new(SparseCategoricalCrossentropy),
        ("SparseCategoricalCrossentropy", true) => Box::new(SparseCategoricalCrossentropy.from_logits()),
        ("TruePositives", _) => Box::new(TruePositives.thresholds(thresholds())),
        ("FalsePositives", _) => Box::new(FalsePositives.thresholds(thresholds())),
        ("TrueNegatives", _) => Box::new(TrueNegatives.thresholds(thresholds())),
        ("FalseNegatives", _) => Box::new(FalseNegatives.thresholds(thresholds())),
        ("Precision", _) => {
            let metric = with(Precision.thresholds(thresholds()), count("top_k"), Precision::top_k);
            Box::new(with(metric, count("class_id"), Precision::class_id))
        }
        ("Recall", _) => {
            let metric = with(Recall.thresholds(thresholds()), count("top_k"), Recall::top_k);
            Box::new(with(metric, count("class_id"), Recall::class_id))
        }
        ("AUC", from_logits) => {
            let metric = auc(case).thresholds(thresholds());
            Box::new(if from_logits { metric.from_logits() } else { metric })
        }
        (name, _) => on_a_curve(case, name).or(of_scores_and_areas(case, name)).unwrap_or_else(|| {
            panic!("no metric is called `{name}`");
        }),
    }
}

fn r2_score(case: &Case) -> R2Score {
    let aggregation = match case.has("config/class_aggregation") {
        true if case.get("config/class_aggregation").is_none() => Aggregation::None,
        true if case.text("config/class_aggregation") == "variance_weighted_average" => {
            Aggregation::VarianceWeightedAverage
        }
        _ => Aggregation::UniformAverage,
    };
    let regressors = case.number_or("config/num_regressors", 0.0) as usize;
    R2Score.class_aggregation(aggregation).num_regressors(regressors)
}

fn auc(case: &Case) -> Auc {
    let curve = match case.get("config/curve").and_then(|curve| curve.as_str()) {
        Some("PR") => Curve::PrecisionRecall,
        Some("PRGAIN") => Curve::PrecisionRecallGain,
        _ => Curve::Roc,
    };
    let summation = match case.get("config/summation_method").and_then(|word| word.as_str()) {
        Some("minoring") => Summation::Minoring,
        Some("majoring") => Summation::Majoring,
        _ => Summation::Interpolation,
    };
    let metric = Auc.curve(curve).summation(summation);
    let metric = metric.num_thresholds(case.number_or("config/num_thresholds", 200.0) as usize);
    let metric = if case.flag("config/multi_label") { metric.multi_label() } else { metric };
    let weights = case.get("config/label_weights").map(|_| case.numbers("config/label_weights"));
    with(metric, weights, Auc::label_weights)
}

fn on_a_curve(case: &Case, name: &str) -> Option<Box<dyn Metric>> {
    let wanted = |option: &str| case.number(&format!("config/{option}"));
    let count = case.number_or("config/num_thresholds", 200.0) as usize;
    let class = case.get("config/class_id").map(|_| case.number("config/class_id") as usize);
    Some(match name {
        "SensitivityAtSpecificity" => {
            let metric = SensitivityAtSpecificity::new(wanted("specificity")).num_thresholds(count);
            Box::new(with(metric, class, SensitivityAtSpecificity::class_id))
        }
        "SpecificityAtSensitivity" => {
            let metric = SpecificityAtSensitivity::new(wanted("sensitivity")).num_thresholds(count);
            Box::new(with(metric, class, SpecificityAtSensitivity::class_id))
        }
        "PrecisionAtRecall" => {
            let metric = PrecisionAtRecall::new(wanted("recall")).num_thresholds(count);
            Box::new(with(metric, class, PrecisionAtRecall::class_id))
        }
        "RecallAtPrecision" => {
            let metric = RecallAtPrecision::new(wanted("precision")).num_thresholds(count);
            Box::new(with(metric, class, RecallAtPrecision::class_id))
        }
        _ => return None,
    })
}

fn of_scores_and_areas(case: &Case, name: &str) -> Option<Box<dyn Metric>> {
    let average = match case.get("config/average").and_then(|word| word.as_str()) {
        Some("micro") => Average::Micro,
        Some("macro") => Average::Macro,
        Some("weighted") => Average::Weighted,
        _ => Average::None,
    };
    let threshold = case.get("config/threshold").map(|_| case.number("config/threshold"));
    let classes = || case.number("config/num_classes") as usize;
    let wanted = || case.sizes("config/target_class_ids");
    let ignored = case.get("config/ignore_class").map(|_| case.number("config/ignore_class") as i64);
    let has_rows = case.has("config/sparse_y_true");
    Some(match name {
        "F1Score" => Box::new(with(F1Score.average(average), threshold, F1Score::threshold)),
        "FBetaScore" => {
            let metric = FBetaScore.beta(case.number("config/beta")).average(average);
            Box::new(with(metric, threshold, FBetaScore::threshold))
        }
        "IoU" => Box::new(with(IoU::new(classes(), wanted()), ignored, IoU::ignore_class)),
        "MeanIoU" if has_rows => Box::new(MeanIoU::new(classes()).one_hot_targets().one_hot_predictions()),
        "MeanIoU" => Box::new(MeanIoU::new(classes())),
        "OneHotIoU" => Box::new(OneHotIoU::new(classes(), wanted())),
        "OneHotMeanIoU" => Box::new(OneHotMeanIoU::new(classes())),
        "BinaryIoU" => {
            let wanted = case.get("config/target_class_ids").map(|_| wanted());
            let metric = with(BinaryIoU, threshold, BinaryIoU::threshold);
            Box::new(with(metric, wanted, BinaryIoU::classes))
        }
        _ => return None,
    })
}
