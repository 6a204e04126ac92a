//! Losses and metrics in models: what the logs hold, what files keep of them, and what is said where they do not fit.

use crate::messages::assert_message;
use crate::saving::{Folder, numbers, quiet};
use carnyx::losses::*;
use carnyx::metrics::*;
use carnyx::prelude::*;
use carnyx_file::Archive;

/// `units` probabilities for each of 16 samples of 4 features.
fn network(units: usize) -> Sequential {
    let probabilities = if units == 1 { Sigmoid } else { Softmax };
    Sequential::new().then(Dense::new(units).activation(probabilities))
}

fn features() -> Array {
    numbers(&[16, 4], 1)
}

/// 0 and 1 in turn.
fn truth() -> Array {
    Array::from_fn([16, 1], |i| (i % 2) as f32)
}

/// One-hot rows of three classes.
fn rows() -> Array {
    Array::from_fn([16, 3], |i| if (i / 3) % 3 == i % 3 { 1f32 } else { 0.0 })
}

fn labels() -> Array {
    Array::from_fn([16], |i| (i % 3) as f32)
}

#[test]
fn the_logs_hold_a_number_for_each_class_and_threshold() -> Result {
    let mut model = network(3)
        .compile(Sgd::new(0.1), CategoricalCrossentropy)
        .metric(F1Score)
        .metric(F1Score.average(Average::Macro))
        .metric(Precision.thresholds([0.2, 0.5]));
    let history = model.fit((&features(), &rows()), quiet(1).validation((&features(), &rows())))?;
    let names: Vec<&str> = history.epochs[0].iter().map(|(name, _)| name).collect();
    let each = ["f1_score_0", "f1_score_1", "f1_score_1", "f1_score_2", "loss", "precision_0", "precision_1"];
    let expected: Vec<String> = each
        .iter()
        .map(|name| (*name).to_owned())
        .chain(each.iter().map(|name| format!("val_{name}")))
        .collect();
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(names, expected);
    Ok(())
}

/// A reduction is part of the step: the loss of a batch, and how far it moves the model.
#[test]
fn reductions_in_training() -> Result {
    let (x, y) = (numbers(&[8, 4], 1), numbers(&[8, 1], 2));
    let weights = Array::from_fn([8], |i| i as f32 / 4.0);
    let moved = |reduction: Reduction, rate: f64| -> Result<(f64, Vec<f32>)> {
        let net = Sequential::new().then(Dense::new(1).kernel_initializer(Zeros));
        let mut model = net.compile(Sgd::new(rate), MeanSquaredError.reduction(reduction));
        let history = model.fit(carnyx::Data::from((&x, &y)).sample_weight(&weights), quiet(1))?;
        Ok((history.last("loss").unwrap(), model.predict(&x)?.values()))
    };
    // The weights sum to 7, the samples are 8.
    let (mean, after_mean) = moved(Reduction::SumOverBatchSize, 0.08)?;
    let (sum, after_sum) = moved(Reduction::Sum, 0.01)?;
    let (weighted, after_weighted) = moved(Reduction::MeanWithSampleWeight, 0.07)?;
    assert!((sum - 8.0 * mean).abs() < 1e-5 * sum && (sum - 7.0 * weighted).abs() < 1e-5 * sum);
    for (one, others) in after_mean.iter().zip(after_sum.iter().zip(&after_weighted)) {
        assert!((one - others.0).abs() < 1e-6 && (one - others.1).abs() < 1e-6);
    }
    Ok(())
}

/// Every loss and every metric, with options, comes back out of a file as it was: by Carnyx's own words, and by Keras's
/// alone.
#[test]
fn all_losses_and_metrics_go_there_and_back() -> Result {
    let folder = Folder::new("words");
    let check = |name: &str, mut model: Model<Sequential>, y: &Array| -> Result {
        let (x, path, plain) = (features(), folder.path("model.keras"), folder.path("plain.keras"));
        let said = model.evaluate((&x, y))?;
        model.save(&path)?;
        let mut loaded = carnyx::load(&path)?;
        assert_eq!(loaded.evaluate((&x, y))?, said, "{name}");
        let mut archive = Archive::read(&path)?;
        let described = archive.config.pointer("/compile_config").cloned();
        archive.extra.clear();
        archive.write(&plain)?;
        let mut by_keras = carnyx::load(&plain)?;
        assert_eq!(by_keras.evaluate((&x, y))?, said, "{name}, by Keras's words");
        by_keras.save(&path)?;
        assert_eq!(
            Archive::read(&path)?.config.pointer("/compile_config").cloned(),
            described,
            "{name}, twice"
        );
        Ok(())
    };
    for (name, loss) in losses_of_one_column() {
        check(name, network(1).compile(Sgd::new(0.1), loss), &truth())?;
    }
    for (name, loss) in losses_of_rows() {
        check(name, network(3).compile(Sgd::new(0.1), loss), &rows())?;
    }
    let sparse: [(&str, Objective); 3] = [
        ("sparse", SparseCategoricalCrossentropy.ignore_class(1).into()),
        ("sparse of logits", SparseCategoricalCrossentropy.from_logits().reduction(Reduction::Sum).into()),
        ("generalized", CategoricalGeneralizedCrossEntropy.q(0.7).into()),
    ];
    for (name, loss) in sparse {
        check(name, network(3).compile(Sgd::new(0.1), loss), &labels())?;
    }
    check("metrics of one column", with_metrics_of_one_column(), &truth())?;
    check("metrics of rows", with_metrics_of_rows(), &rows())?;
    let classes = network(3)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy)
        .metric(SparseCategoricalCrossentropy.ignore_class(2))
        .metric(CategoricalGeneralizedCrossEntropy)
        .metric(SparseTopKAccuracy::new(2))
        .metric(MeanIoU::new(3).one_hot_predictions().ignore_class(0))
        .metric(IoU::new(3, [0, 1]).one_hot_predictions());
    check("metrics of classes", classes, &labels())
}

fn losses_of_one_column() -> Vec<(&'static str, Objective)> {
    vec![
        ("mape", MeanAbsolutePercentageError.into()),
        ("msle", MeanSquaredLogarithmicError.reduction(Reduction::Sum).into()),
        ("log cosh", LogCosh.into()),
        ("huber", Huber.delta(0.3).reduction(Reduction::MeanWithSampleWeight).into()),
        ("poisson", Poisson.reduction(Reduction::Mean).into()),
        ("hinge", Hinge.into()),
        ("squared hinge", SquaredHinge.into()),
        ("binary", BinaryCrossentropy.label_smoothing(0.1).into()),
        ("binary of logits", BinaryCrossentropy.from_logits().into()),
        ("binary focal", BinaryFocalCrossentropy.gamma(1.5).class_balancing(0.3).label_smoothing(0.1).into()),
        ("binary focal of logits", BinaryFocalCrossentropy.from_logits().into()),
        ("dice", Dice.into()),
        ("dice of samples", Dice.axes([1]).into()),
        ("tversky", Tversky.alpha(0.2).beta(0.9).axes([0]).into()),
        ("two reductions", MeanSquaredError.reduction(Reduction::Sum).reduction(Reduction::Mean).into()),
        (
            "no reduction in the end",
            MeanSquaredError.reduction(Reduction::Sum).reduction(Reduction::SumOverBatchSize).into(),
        ),
        ("circle", Circle.gamma(2.0).margin(0.3).with_itself().into()),
    ]
}

fn losses_of_rows() -> Vec<(&'static str, Objective)> {
    vec![
        ("cosine", carnyx::losses::CosineSimilarity.into()),
        ("divergence", KLDivergence.into()),
        ("categorical hinge", CategoricalHinge.into()),
        ("categorical", CategoricalCrossentropy.label_smoothing(0.2).into()),
        ("categorical of logits", CategoricalCrossentropy.from_logits().into()),
        ("categorical focal", CategoricalFocalCrossentropy.gamma(1.5).alpha([0.1, 0.2, 0.7]).into()),
        ("categorical focal of logits", CategoricalFocalCrossentropy.from_logits().alpha([0.5]).into()),
    ]
}

fn with_metrics_of_one_column() -> Model<Sequential> {
    network(1)
        .compile(Sgd::new(0.1), BinaryCrossentropy)
        .metric(Accuracy)
        .metric(ExactAccuracy)
        .metric(BinaryAccuracy::threshold(0.4))
        .metric(MeanSquaredLogarithmicError)
        .metric(MeanAbsolutePercentageError)
        .metric(Huber.delta(0.1))
        .metric(LogCosh)
        .metric(LogCoshError)
        .metric(Poisson)
        .metric(Hinge)
        .metric(SquaredHinge)
        .metric(BinaryCrossentropy.label_smoothing(0.1))
        .metric(BinaryFocalCrossentropy)
        .metric(Dice)
        .metric(Tversky.alpha(0.9))
        .metric(R2Score.num_regressors(2))
        .metric(PearsonCorrelation.axis(0))
        .metric(ConcordanceCorrelation.axis(0))
        .metric(TruePositives)
        .metric(FalsePositives.thresholds([0.3, 0.6]))
        .metric(TrueNegatives.thresholds([0.45]))
        .metric(FalseNegatives)
        .metric(Precision.threshold(0.4))
        .metric(Recall.thresholds([0.4, 0.5]))
        .metric(Auc)
        .metric(Auc.curve(Curve::PrecisionRecall).summation(Summation::Minoring).num_thresholds(20))
        .metric(Auc.thresholds([0.3, 0.4]).from_logits())
        .metric(SensitivityAtSpecificity::new(0.4).num_thresholds(50))
        .metric(SpecificityAtSensitivity::new(0.5))
        .metric(PrecisionAtRecall::new(0.6))
        .metric(RecallAtPrecision::new(0.5))
        .metric(BinaryIoU.threshold(0.4).classes([1]))
}

fn with_metrics_of_rows() -> Model<Sequential> {
    network(3)
        .compile(Sgd::new(0.1), CategoricalCrossentropy)
        .metric(carnyx::metrics::CosineSimilarity)
        .metric(carnyx::losses::CosineSimilarity)
        .metric(KLDivergence)
        .metric(CategoricalHinge)
        .metric(CategoricalAccuracy)
        .metric(TopKAccuracy::new(2))
        .metric(CategoricalCrossentropy.label_smoothing(0.1))
        .metric(CategoricalFocalCrossentropy)
        .metric(R2Score.class_aggregation(Aggregation::None))
        .metric(R2Score.class_aggregation(Aggregation::VarianceWeightedAverage))
        .metric(PearsonCorrelation)
        .metric(Precision.top_k(2).class_id(1))
        .metric(Recall.top_k(1))
        .metric(Auc.multi_label())
        .metric(Auc.label_weights([1.0, 2.0, 0.5]))
        .metric(PrecisionAtRecall::new(0.5).class_id(2))
        .metric(F1Score.average(Average::Weighted).threshold(0.3))
        .metric(FBetaScore.beta(2.0).average(Average::Micro))
        .metric(IoU::new(3, [1]).one_hot_targets().one_hot_predictions())
        .metric(OneHotIoU::new(3, [0, 2]).ignore_class(1))
        .metric(OneHotMeanIoU::new(3))
}

#[test]
fn what_does_not_fit_is_said_before_the_first_step() {
    let x = features();
    let fit = |name: &str, mut model: Model<Sequential>, y: &Array| {
        assert_message(&format!("words_{name}"), model.fit((&x, y), quiet(1)));
    };
    let of_rows = || network(3).compile(Sgd::new(0.1), CategoricalCrossentropy);
    let of_one = || network(1).compile(Sgd::new(0.1), MeanSquaredError);
    fit("auc_of_columns", of_rows().metric(Auc), &rows());
    fit("auc_label_weights", of_rows().metric(Auc.label_weights([1.0, 2.0])), &rows());
    fit("precision_of_class_numbers", of_one().metric(Precision), &labels());
    fit(
        "precision_shape",
        network(3).compile(Sgd::new(0.1), SparseCategoricalCrossentropy).metric(Precision),
        &labels(),
    );
    fit("precision_threshold", of_one().metric(Precision.threshold(1.5)), &truth());
    fit("recall_top_k", of_rows().metric(Recall.top_k(5)), &rows());
    fit("recall_class", of_rows().metric(Recall.class_id(3)), &rows());
    fit("top_k_accuracy", of_rows().metric(TopKAccuracy::new(4)), &rows());
    fit("correlation_of_one_column", of_one().metric(PearsonCorrelation), &truth());
    fit("iou_classes", of_rows().metric(OneHotMeanIoU::new(4)), &rows());
    fit("iou_label", of_one().metric(MeanIoU::new(2)), &labels());
    fit("fbeta", of_rows().metric(FBetaScore.beta(0.0)), &rows());
    fit("sensitivity", of_one().metric(SensitivityAtSpecificity::new(90.0)), &truth());
    fit(
        "reduction_none",
        network(1).compile(Sgd::new(0.1), MeanSquaredError.reduction(Reduction::None)),
        &truth(),
    );
    fit("huber_delta", network(1).compile(Sgd::new(0.1), Huber.delta(-1.0)), &truth());
    let smoothed = BinaryCrossentropy.label_smoothing(10.0);
    fit("label_smoothing", network(1).compile(Sgd::new(0.1), smoothed), &truth());
    let generalized = CategoricalGeneralizedCrossEntropy.q(1.0);
    fit("generalized_q", network(3).compile(Sgd::new(0.1), generalized), &labels());
    fit("circle_targets", network(3).compile(Sgd::new(0.1), Circle), &rows());

    let input = Tensor::input("x", [4]);
    let (main, aux) = (Dense::new(1).apply(&input), Dense::new(3).apply(&input));
    let net = carnyx::Functional::new(&input, [("main", &main), ("aux", &aux)]).unwrap();
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError).metric(Auc);
    assert_message("words_auc_of_one_output", model.fit((&x, [&truth(), &rows()]), quiet(1)));
}

/// The mean over the counted alone, with or without weights.
#[test]
fn ignored_classes_do_not_count_in_metrics() -> Result {
    let (y, p) = (Array::from([0i64, -1, 1]), Array::from([[0.5f32, 0.5], [0.9, 0.1], [0.75, 0.25]]));
    let loss = SparseCategoricalCrossentropy.ignore_class(-1);
    let expected = f64::midpoint(2f64.ln(), 4f64.ln());
    assert!((loss.measure(&y, &p)? - expected).abs() < 1e-6);
    Ok(())
}
