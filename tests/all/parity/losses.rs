//! Losses: of each sample, as one number, and its gradient.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Array, Result, Tensor};
use carnyx_nn::Eval;
use carnyx_nn::losses::*;

/// The same formulas in float64 are up to 3e-7 away, relative to the largest value.
const TOLERANCE: f64 = 1e-6;

#[test]
fn losses_and_their_gradients() {
    compare(&file("losses").parts("cases"), &[], |case, comparison| {
        let prediction = Tensor::from(&case.array("inputs/y_pred"));
        check(case, comparison, &*loss(case), &prediction, &prediction)
    });
}

#[test]
fn more_losses_and_their_gradients() {
    compare(&file("losses_more").parts("cases"), &[], |case, comparison| {
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

#[test]
fn reductions_with_and_without_weights() {
    compare(&file("losses_more").parts("reductions"), &[], |case, comparison| {
        let [target, prediction] =
            ["inputs/y_true", "inputs/y_pred"].map(|path| Tensor::from(&case.array(path)));
        let loss: std::sync::Arc<dyn Loss> = loss(case).into();
        let loss = loss.reduction(match case.text("config/reduction") {
            "sum_over_batch_size" => Reduction::SumOverBatchSize,
            "sum" => Reduction::Sum,
            "mean" => Reduction::Mean,
            "mean_with_sample_weight" => Reduction::MeanWithSampleWeight,
            "none" => Reduction::None,
            word => panic!("no reduction is called `{word}`"),
        });
        let value = of(case, &loss, &target, &prediction);
        comparison.close_to("outputs/value", &value.eval()?, TOLERANCE);
        let gradient = value.sum().gradients_of(std::slice::from_ref(&prediction))[0].eval()?;
        comparison.close_to("gradients/y_pred", &gradient, TOLERANCE);
        Ok(())
    });
}

/// The derivatives of all losses against differences of their values, in 64 bits.
#[test]
fn gradients_are_slopes() {
    let file = file("losses_more");
    let cases: Vec<Case> = file.parts("cases").into_iter().filter(|case| !has_kink(case)).collect();
    compare(&cases, &[], |case, comparison| {
        let p = case.array("inputs/y_pred").cast(carnyx_graph::DType::F64);
        let target = Tensor::from(&case.array("inputs/y_true"));
        let loss = loss(case);
        let value = |p: &Array| of(case, &*loss, &target, &Tensor::from(p)).eval()?.item();
        let prediction = Tensor::from(&p);
        let mean = of(case, &*loss, &target, &prediction);
        let gradient = mean.gradients_of(std::slice::from_ref(&prediction))[0].eval()?;
        let moved = |i: usize, by: f64| {
            let mut moved = p.clone();
            moved.as_mut_slice::<f64>()?[i] += by;
            value(&moved)
        };
        let step = 1e-6;
        let slope = |i| Ok((moved(i, step)? - moved(i, -step)?) / (2.0 * step));
        let slopes = (0..p.len()).map(slope).collect::<Result<Vec<f64>>>()?;
        comparison.close("slopes", &gradient, &Array::new(p.shape(), slopes)?, 1e-6);
        Ok(())
    });
}

/// Where differences straddle a place without a derivative.
fn has_kink(case: &Case) -> bool {
    matches!(case.name(), "mape_zero_target")
}

/// The loss as one number, with the case's weights.
fn of(case: &Case, loss: &dyn Loss, target: &Tensor, prediction: &Tensor) -> Tensor {
    match case.get("inputs/sample_weight") {
        Some(_) => loss.of_weighted(target, prediction, &Tensor::from(&case.array("inputs/sample_weight"))),
        None => loss.of(target, prediction),
    }
}

fn check(
    case: &Case,
    comparison: &mut Comparison,
    loss: &dyn Loss,
    prediction: &Tensor,
    source: &Tensor,
) -> Result {
    let target = Tensor::from(&case.array("inputs/y_true"));
    let mut per_sample = loss.per_sample(&target, prediction);
    if case.get("inputs/sample_weight").is_some() {
        // What Keras gives without a reduction is weighed already.
        let weights = Tensor::from(&case.array("inputs/sample_weight"));
        let counted = loss.counted(&target, prediction);
        per_sample = Reduction::None.of(&per_sample, Some(&weights), counted.as_ref());
    }
    let mut per_sample = per_sample.eval()?;
    if case.array("outputs/per_sample").shape().is_empty() && !per_sample.shape().is_empty() {
        // Of one axis, Keras takes the mean; Carnyx calls it the batch.
        let values = per_sample.values();
        per_sample = Array::scalar(values.iter().sum::<f32>() / values.len() as f32);
    }
    comparison.close_to("outputs/per_sample", &per_sample, TOLERANCE);

    let mean = of(case, loss, &target, prediction);
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
    let smoothing = case.number_or("config/label_smoothing", 0.0);
    let gamma = case.number_or("config/gamma", 2.0);
    match case.text("loss") {
        "BinaryCrossentropy" => Box::new(BinaryCrossentropy.from_logits().label_smoothing(smoothing)),
        "CategoricalCrossentropy" => {
            Box::new(CategoricalCrossentropy.from_logits().label_smoothing(smoothing))
        }
        "SparseCategoricalCrossentropy" => Box::new(sparse(case).from_logits()),
        "BinaryFocalCrossentropy" => Box::new(BinaryFocalCrossentropy.from_logits().gamma(gamma)),
        "CategoricalFocalCrossentropy" => {
            let loss = CategoricalFocalCrossentropy.from_logits().gamma(gamma);
            Box::new(loss.alpha([case.number("config/alpha")]))
        }
        name => panic!("no loss of logits is called `{name}`"),
    }
}

fn of_probabilities(case: &Case) -> Box<dyn Loss> {
    let smoothing = case.number_or("config/label_smoothing", 0.0);
    let gamma = case.number_or("config/gamma", 2.0);
    let option = |name: &str, default| case.number_or(&format!("config/{name}"), default);
    let axes = case.get("config/axis").map(|_| -> Vec<isize> {
        case.numbers("config/axis").into_iter().map(|axis| axis as isize).collect()
    });
    match case.text("loss") {
        "MeanSquaredError" => Box::new(MeanSquaredError),
        "MeanAbsoluteError" => Box::new(MeanAbsoluteError),
        "MeanAbsolutePercentageError" => Box::new(MeanAbsolutePercentageError),
        "MeanSquaredLogarithmicError" => Box::new(MeanSquaredLogarithmicError),
        "LogCosh" => Box::new(LogCosh),
        "Huber" => Box::new(Huber.delta(option("delta", 1.0))),
        "CosineSimilarity" => Box::new(CosineSimilarity),
        "Poisson" => Box::new(Poisson),
        "KLDivergence" => Box::new(KLDivergence),
        "Hinge" => Box::new(Hinge),
        "SquaredHinge" => Box::new(SquaredHinge),
        "CategoricalHinge" => Box::new(CategoricalHinge),
        "BinaryCrossentropy" => Box::new(BinaryCrossentropy.label_smoothing(smoothing)),
        "CategoricalCrossentropy" => Box::new(CategoricalCrossentropy.label_smoothing(smoothing)),
        "SparseCategoricalCrossentropy" => Box::new(sparse(case)),
        "BinaryFocalCrossentropy" => {
            let loss = BinaryFocalCrossentropy.gamma(gamma).label_smoothing(smoothing);
            let balanced = case.flag("config/apply_class_balancing");
            Box::new(if balanced { loss.class_balancing(case.number("config/alpha")) } else { loss })
        }
        "CategoricalFocalCrossentropy" => {
            let loss = CategoricalFocalCrossentropy.gamma(gamma).label_smoothing(smoothing);
            let alphas = case.get("config/alpha").map(|_| case.numbers("config/alpha"));
            Box::new(alphas.into_iter().fold(loss, CategoricalFocalCrossentropy::alpha))
        }
        "CategoricalGeneralizedCrossEntropy" => {
            Box::new(CategoricalGeneralizedCrossEntropy.q(option("q", 0.5)))
        }
        "Dice" => Box::new(axes.into_iter().fold(Dice, Dice::axes)),
        "Tversky" => {
            let loss = Tversky.alpha(option("alpha", 0.5)).beta(option("beta", 0.5));
            Box::new(axes.into_iter().fold(loss, Tversky::axes))
        }
        "Circle" => {
            let loss = Circle.gamma(option("gamma", 80.0)).margin(option("margin", 0.4));
            let with_itself = case.get("config/remove_diagonal").is_some_and(|value| value == false);
            Box::new(if with_itself { loss.with_itself() } else { loss })
        }
        name => panic!("no loss is called `{name}`"),
    }
}

fn sparse(case: &Case) -> SparseCategoricalCrossentropy {
    let ignored = case.get("config/ignore_class").map(|_| case.number("config/ignore_class") as i64);
    ignored.into_iter().fold(SparseCategoricalCrossentropy, SparseCategoricalCrossentropy::ignore_class)
}
