//! Metrics: their totals and results over several batches.

use super::recorded::{Case, compare, file};
use carnyx_graph::Tensor;
use carnyx_nn::losses::{
    BinaryCrossentropy, CategoricalCrossentropy, MeanAbsoluteError, MeanSquaredError,
    SparseCategoricalCrossentropy,
};
use carnyx_nn::metrics::{
    BinaryAccuracy, CategoricalAccuracy, Metric, RootMeanSquaredError, SparseCategoricalAccuracy,
    SparseTopKAccuracy, Tally, TopKAccuracy,
};
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
        let base = case.name().trim_end_matches("_sample_weight");
        let per_sample = COUNTS_PER_SAMPLE.iter().find(|(name, _)| *name == base).map_or(1.0, |(_, n)| *n);
        let mut tally = Tally::default();
        for (i, batch) in case.parts("batches").iter().enumerate() {
            let prediction = if case.text("metric") == "Mean" { "inputs/values" } else { "inputs/y_pred" };
            let prediction = Tensor::from(&batch.array(prediction));
            let target = batch
                .get("inputs/y_true")
                .map_or(prediction.clone(), |_| (&batch.array("inputs/y_true")).into());
            let weights = batch.has("inputs/sample_weight").then(|| batch.array("inputs/sample_weight"));
            tally.set_weights(weights.map(|weights| Tensor::from(&weights)));
            metric.update(&mut tally, &target, &prediction);
            Tensor::scalar(0f32).eval_with(Updates::from(tally.take_updates()))?;

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

/// The mean of values, which are given as predictions: [`Tally::add_mean`] and nothing else.
struct Mean;

impl Metric for Mean {
    fn name(&self) -> String {
        "mean".into()
    }

    fn update(&self, tally: &mut Tally, _target: &Tensor, prediction: &Tensor) {
        tally.add_mean(prediction);
    }
}

fn metric(case: &Case) -> Box<dyn Metric> {
    let k = || case.number("config/k") as usize;
    match (case.text("metric"), case.flag("config/from_logits")) {
        ("Mean", _) => Box::new(Mean),
        ("BinaryAccuracy", _) => Box::new(BinaryAccuracy::threshold(case.number_or("config/threshold", 0.5))),
        ("CategoricalAccuracy", _) => Box::new(CategoricalAccuracy),
        ("SparseCategoricalAccuracy", _) => Box::new(SparseCategoricalAccuracy),
        ("TopKCategoricalAccuracy", _) => Box::new(TopKAccuracy::new(k())),
        ("SparseTopKCategoricalAccuracy", _) => Box::new(SparseTopKAccuracy::new(k())),
        ("MeanAbsoluteError", _) => Box::new(MeanAbsoluteError),
        ("MeanSquaredError", _) => Box::new(MeanSquaredError),
        ("RootMeanSquaredError", _) => Box::new(RootMeanSquaredError),
        ("BinaryCrossentropy", false) => Box::new(BinaryCrossentropy),
        ("BinaryCrossentropy", true) => Box::new(BinaryCrossentropy.from_logits()),
        ("CategoricalCrossentropy", false) => Box::new(CategoricalCrossentropy),
        ("CategoricalCrossentropy", true) => Box::new(CategoricalCrossentropy.from_logits()),
        ("SparseCategoricalCrossentropy", false) => Box::new(SparseCategoricalCrossentropy),
        ("SparseCategoricalCrossentropy", true) => Box::new(SparseCategoricalCrossentropy.from_logits()),
        (name, _) => panic!("no metric is called `{name}`"),
    }
}
