//! Layers: outputs, gradients, and the statistics of dropout.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Array, Mode, Result, Tensor};
use carnyx_nn::{
    Activation, Apply, Dense, Dropout, Eval, Flatten, LayerRef, Normalization, Rescaling, Updates, Variables,
};
use std::sync::Arc;

/// Both compute in float32.
const TOLERANCE: f64 = 1e-6;

/// Carnyx measures means and variances in float64, Keras in float32; the differences `x - mean` that follow are
/// small beside both numbers.
const TOLERANCE_OF_STATISTICS: f64 = 5e-6;

#[test]
fn layers_and_their_gradients() {
    compare(&file("layers").parts("cases"), &[], |case, comparison| {
        let mode = if case.name().ends_with("_training") { Mode::Training } else { Mode::Inference };
        let x = Tensor::from(&case.array("inputs/x")).in_mode(mode);
        let layer = layer(case)?;
        let y = layer.apply(&x);
        let is_measured = case.get("inputs/adapt").is_some();
        comparison.close_to(
            "outputs/y",
            &y.eval()?,
            if is_measured { TOLERANCE_OF_STATISTICS } else { TOLERANCE },
        );
        if is_measured {
            check_statistics(case, comparison, &layer)?;
        }
        if case.get("gradients").is_some() {
            check_gradients(case, comparison, &layer, &x, &y)?;
        }
        Ok(())
    });
}

fn check_statistics(case: &Case, comparison: &mut Comparison, layer: &LayerRef) -> Result {
    for recorded in case.parts("variables") {
        let name = recorded.text("name");
        if name == "count" {
            continue; // Keras leaves it at zero.
        }
        let variables = layer.named_variables();
        let (_, variable) =
            variables.iter().find(|(path, _)| path == name).expect("mean and variance are variables");
        comparison.close(name, &variable.value()?, &recorded.array("value"), TOLERANCE_OF_STATISTICS);
    }
    Ok(())
}

fn check_gradients(
    case: &Case,
    comparison: &mut Comparison,
    layer: &LayerRef,
    x: &Tensor,
    y: &Tensor,
) -> Result {
    let objective = (y * Tensor::from(&case.array("weights/out"))).sum();
    comparison.close_to(
        "gradients/x",
        &objective.gradients_of(std::slice::from_ref(x))[0].eval()?,
        TOLERANCE,
    );
    let variables = layer.named_variables();
    comparison.holds("each variable has a gradient", variables.len() + 1 == case.entries("gradients").len());
    for (name, variable) in variables {
        let gradients = objective.gradients(std::slice::from_ref(&variable));
        let gradient = gradients.of(&variable).expect("it was asked for").eval()?;
        comparison.close_to(&format!("gradients/{name}"), &gradient, TOLERANCE);
    }
    Ok(())
}

fn layer(case: &Case) -> Result<LayerRef> {
    Ok(match case.text("layer") {
        "Dense" => Arc::new(dense(case)?),
        "Flatten" => Arc::new(Flatten),
        "Rescaling" => Arc::new(Rescaling::new(parameter(case, "scale")).offset(parameter(case, "offset"))),
        "Normalization" => Arc::new(normalization(case)?),
        "Dropout" => Arc::new(Dropout::new(case.number("config/rate") as f32)),
        "Activation" => Arc::new(case.text("config/activation").parse::<Activation>()?),
        name => panic!("no layer is called `{name}`"),
    })
}

fn dense(case: &Case) -> Result<Dense> {
    let mut dense = Dense::new(case.number("config/units") as usize);
    if case.get("config/activation").is_some() {
        dense = dense.activation(case.text("config/activation").parse::<Activation>()?);
    }
    dense.kernel().assign(&case.array("inputs/kernel"))?;
    if !case.flag("config/use_bias") {
        return Ok(dense.without_bias());
    }
    dense.bias().expect("it has a bias").assign(&case.array("inputs/bias"))?;
    Ok(dense)
}

fn normalization(case: &Case) -> Result<Normalization> {
    let mut normalization = match case.get("config/mean") {
        Some(_) => Normalization::of(parameter(case, "mean"), parameter(case, "variance")),
        None if case.get("config/axis").is_some() => Normalization::new()
            .axes(case.numbers("config/axis").iter().map(|&axis| axis as isize).collect::<Vec<_>>()),
        None if case.has("config/axis") => Normalization::new().axes([]),
        None => Normalization::new(),
    };
    if case.flag("config/invert") {
        normalization = normalization.inverse();
    }
    if case.get("inputs/adapt").is_some() {
        normalization.adapt(&case.array("inputs/adapt"))?;
    }
    Ok(normalization)
}

/// A number of the configuration, or a list of numbers.
fn parameter(case: &Case, name: &str) -> Array {
    let path = format!("config/{name}");
    match case.get(&path) {
        Some(value) if value.is_array() => Array::from(case.numbers(&path)),
        _ => Array::scalar(case.number(&path)),
    }
}

#[test]
fn dropout_in_training() {
    compare(&file("layers").parts("dropout_training"), &[], |case, comparison| {
        let shape = case.sizes("inputs/ones");
        let rate = case.number("config/rate");
        let mut dropout = Dropout::new(rate as f32);
        let mut independent = shape.iter().product::<usize>();
        if case.get("config/noise_shape").is_some() {
            let shared: Vec<usize> = axes_of_size_1(case, "config/noise_shape");
            independent /= shared.iter().map(|&axis| shape[axis]).product::<usize>();
            dropout = dropout.shared_along(shared.iter().map(|&axis| axis as isize).collect::<Vec<_>>());
        }
        let x = Tensor::from(&Array::full(shape.clone(), 1f32)).in_mode(Mode::Training);
        let y = dropout.apply(&x);
        let first = y.eval()?.values();
        let second = y.eval_with(Updates::default().at_step(1))?.values();

        let zeros = first.iter().filter(|&&v| v == 0.0).count();
        let share = zeros as f64 / first.len() as f64;
        let error = (rate * (1.0 - rate) / independent as f64).sqrt();
        comparison.holds(
            &format!("a share of {rate} is dropped; it is {share}"),
            (share - rate).abs() <= 5.0 * error,
        );
        // The share in Keras is random too, hence the sum of two variances.
        let theirs = case.number("zero_share");
        let near = (share - theirs).abs() <= 5.0 * 2f64.sqrt() * error;
        comparison.holds(&format!("a share of about {theirs} is dropped; it is {share}"), near);

        let kept = case.numbers("kept_values")[0];
        let is_kept_or_zero = |&v: &f32| v == 0.0 || (f64::from(v) / kept - 1.0).abs() < 2e-7;
        comparison.holds(&format!("kept values are {kept}"), first.iter().all(is_kept_or_zero));

        comparison.holds("another step drops others", (first != second) == case.flag("second_call_differs"));
        let columns = shape[1];
        let rows_equal = first.chunks(columns).all(|row| row.iter().all(|v| *v == row[0]));
        let columns_equal = first.chunks(columns).all(|row| row == &first[..columns]);
        comparison.holds("rows_all_equal", rows_equal == case.flag("rows_all_equal"));
        comparison.holds("columns_all_equal", columns_equal == case.flag("columns_all_equal"));
        Ok(())
    });
}

fn axes_of_size_1(case: &Case, path: &str) -> Vec<usize> {
    let sizes = case.get(path).and_then(|sizes| sizes.as_array()).expect("a list of sizes");
    (0..sizes.len()).filter(|&axis| sizes[axis] == 1).collect()
}
