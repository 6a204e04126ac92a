//! Losses: of each sample, their mean, and its gradient.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Array, Result, Tensor};
use carnyx_nn::Eval;
use carnyx_nn::losses::{
    BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanAbsoluteError, MeanSquaredError,
    SparseCategoricalCrossentropy,
};

/// Carnyx's losses have no label smoothing.
const WITHOUT: [&str; 1] = ["*_label_smoothing"];

/// The same formulas in float64 are up to 3e-7 away, relative to the largest value.
const TOLERANCE: f64 = 1e-6;

#[test]
fn losses_and_their_gradients() {
    compare(&file("losses").parts("cases"), &WITHOUT, |case, comparison| {
        let prediction = Tensor::from(&case.array("inputs/y_pred"));
        check(case, comparison, &*loss(case), &prediction, &prediction)
    });
}

/// Where a model ends in softmax or sigmoid, Carnyx works on the logits, as Keras does with TensorFlow. (With JAX,
/// which recorded these numbers, Keras clips the probabilities instead.)
#[test]
fn losses_see_the_logits_behind_probabilities() {
    let cases: Vec<Case> =
        file("losses").parts("cases").into_iter().filter(|c| c.flag("config/from_logits")).collect();
    compare(&cases, &[], |case, comparison| {
        let logits = Tensor::from(&case.array("inputs/y_pred"));
        let is_binary = case.text("loss") == "BinaryCrossentropy";
        let probabilities = if is_binary { logits.sigmoid() } else { logits.softmax() };
        check(case, comparison, &*of_probabilities(case), &probabilities, &logits)
    });
}

fn check(
    case: &Case,
    comparison: &mut Comparison,
    loss: &dyn Loss,
    prediction: &Tensor,
    source: &Tensor,
) -> Result {
    let target = Tensor::from(&case.array("inputs/y_true"));
    let weights = case.has("inputs/sample_weight").then(|| Tensor::from(&case.array("inputs/sample_weight")));
    let mut per_sample = loss.per_sample(&target, prediction);
    if let Some(weights) = &weights {
        per_sample = per_sample * weights;
    }
    let mut per_sample = per_sample.eval()?;
    if case.array("outputs/per_sample").shape().is_empty() {
        // Of one axis, Keras takes the mean; Carnyx calls it the batch.
        let values = per_sample.values();
        per_sample = Array::scalar(values.iter().sum::<f32>() / values.len() as f32);
    }
    comparison.close_to("outputs/per_sample", &per_sample, TOLERANCE);

    let mean = match &weights {
        Some(weights) => loss.of_weighted(&target, prediction, weights),
        None => loss.of(&target, prediction),
    };
    comparison.close_to("outputs/mean", &mean.eval()?, TOLERANCE);
    comparison.close_to(
        "gradients/y_pred",
        &mean.gradients_of(std::slice::from_ref(source))[0].eval()?,
        TOLERANCE,
    );
    Ok(())
}

fn loss(case: &Case) -> Box<dyn Loss> {
    if !case.flag("config/from_logits") {
        return of_probabilities(case);
    }
    match case.text("loss") {
        "BinaryCrossentropy" => Box::new(BinaryCrossentropy.from_logits()),
        "CategoricalCrossentropy" => Box::new(CategoricalCrossentropy.from_logits()),
        "SparseCategoricalCrossentropy" => Box::new(SparseCategoricalCrossentropy.from_logits()),
        name => panic!("no loss of logits is called `{name}`"),
    }
}

fn of_probabilities(case: &Case) -> Box<dyn Loss> {
    match case.text("loss") {
        "MeanSquaredError" => Box::new(MeanSquaredError),
        "MeanAbsoluteError" => Box::new(MeanAbsoluteError),
        "BinaryCrossentropy" => Box::new(BinaryCrossentropy),
        "CategoricalCrossentropy" => Box::new(CategoricalCrossentropy),
        "SparseCategoricalCrossentropy" => Box::new(SparseCategoricalCrossentropy),
        name => panic!("no loss is called `{name}`"),
    }
}
