//! Regularizers and constraints: penalties with their gradients, bounded weights, and whole trainings with them.

use super::recorded::{Case, Comparison, compare, file};
use super::rules::optimizer;
use carnyx_graph::{Constraint, Regularizer, Result, Tensor, Variable};
use carnyx_nn::constraints::{MaxNorm, MinMaxNorm, NonNeg, UnitNorm};
use carnyx_nn::regularizers::{L1, L1L2, L2, OrthogonalRegularizer};
use carnyx_nn::{
    Activation, Apply, Compile, Dense, Eval, Fit, Functional, Layer, MeanAbsoluteError, MeanSquaredError,
    Module, Sequential, Variables, Verbosity,
};
use std::sync::Arc;

const TOLERANCE: f64 = 2e-6;

#[test]
fn penalties_and_their_gradients() {
    compare(&file("regularizers").parts("cases"), &[], |case, comparison| {
        let x = Variable::from(case.array("inputs/x"));
        let penalty = regularizer(case).penalty(&Tensor::read(&x));
        let gradients = penalty.gradients(std::slice::from_ref(&x));
        comparison.close_to("outputs/penalty", &penalty.eval()?, TOLERANCE);
        let gradient = gradients.of(&x).expect("it was asked for");
        comparison.close_to("gradients/x", &gradient.eval()?, TOLERANCE);
        Ok(())
    });
}

#[test]
fn bounded_weights() {
    compare(&file("constraints").parts("cases"), &[], |case, comparison| {
        let x = Tensor::from(&case.array("inputs/x"));
        comparison.close_to("outputs/y", &constraint(case).constrain(&x).eval()?, TOLERANCE);
        Ok(())
    });
}

/// As for whole trainings without them.
const TRAINING_TOLERANCE: f64 = 2e-5;

#[test]
fn trainings_with_penalties_bounds_and_options() {
    compare(&file("regularized_training").parts("cases"), &[], |case, comparison| {
        match case.text("network") {
            "penalties" => check(case, comparison, penalties()),
            "bounds" => check(case, comparison, bounds()),
            _ => check(case, comparison, shared()?),
        }
    });
}

fn regularizer(case: &Case) -> Arc<dyn Regularizer> {
    let number = |name: &str| case.number(&format!("config/{name}"));
    match case.text("regularizer") {
        "L1" => Arc::new(L1::new(number("l1"))),
        "L2" => Arc::new(L2::new(number("l2"))),
        "L1L2" => Arc::new(L1L2::new(number("l1"), number("l2"))),
        "OrthogonalRegularizer" => {
            let rows = OrthogonalRegularizer::new(number("factor"));
            Arc::new(if case.text("config/mode") == "rows" { rows } else { rows.columns() })
        }
        name => panic!("no regularizer is called `{name}`"),
    }
}

fn constraint(case: &Case) -> Arc<dyn Constraint> {
    let number = |name: &str| case.number(&format!("config/{name}"));
    let axes = || match case.get("config/axis") {
        Some(axis) if axis.is_array() => {
            case.sizes("config/axis").into_iter().map(|axis| axis as isize).collect::<Vec<_>>()
        }
        _ => vec![case.number("config/axis") as isize],
    };
    match case.text("constraint") {
        "MaxNorm" => Arc::new(MaxNorm::new(number("max_value")).axes(axes())),
        "NonNeg" => Arc::new(NonNeg),
        "UnitNorm" => Arc::new(UnitNorm::new().axes(axes())),
        "MinMaxNorm" => {
            let bounds = MinMaxNorm::new(number("min_value"), number("max_value"));
            Arc::new(bounds.rate(number("rate")).axes(axes()))
        }
        name => panic!("no constraint is called `{name}`"),
    }
}

fn penalties() -> Sequential {
    let first = Dense::new(5)
        .activation(Activation::Tanh)
        .kernel_regularizer(L2::new(0.05))
        .bias_regularizer(L1::new(0.02))
        .activity_regularizer(L2::new(0.03));
    let second =
        Dense::new(1).kernel_regularizer(OrthogonalRegularizer::new(0.1)).activity_regularizer(L1::new(0.01));
    Sequential::new().then(first.named("first")).then(second.named("second"))
}

fn bounds() -> Sequential {
    let first = Dense::new(5)
        .activation(Activation::Tanh)
        .kernel_constraint(MaxNorm::new(0.8))
        .bias_constraint(NonNeg);
    let second =
        Dense::new(1).kernel_constraint(MinMaxNorm::new(0.5, 0.9).rate(0.5)).bias_constraint(UnitNorm::new());
    Sequential::new().then(first.named("first")).then(second.named("second"))
}

/// A layer that is used twice.
fn shared() -> Result<Functional<Tensor, Tensor>> {
    let x = Tensor::input("x", [4]);
    let first =
        Dense::new(4).activation(Activation::Tanh).kernel_regularizer(L1L2::new(0.01, 0.02)).named("first");
    Functional::new(&x, &Dense::new(1).named("second").apply(&first.apply(&first.apply(&x))))
}

/// Trains as recorded and compares everything recorded.
fn check<L: Layer<Out = Tensor> + 'static>(case: &Case, comparison: &mut Comparison, network: L) -> Result {
    for recorded in case.parts("initial_weights") {
        find(&network, recorded.text("path")).assign(&recorded.array("value"))?;
    }
    if case.flag("frozen") {
        let variables = network.named_variables();
        let frozen = variables.iter().filter(|(path, _)| path.starts_with("first"));
        frozen.for_each(|(_, variable)| variable.set_trainable(false));
    }
    let mut model = network.compile(optimizer(case), MeanSquaredError).metric(MeanAbsoluteError);
    let data = |x: &str, y: &str| (case.array(&format!("inputs/{x}")), case.array(&format!("inputs/{y}")));
    let fit = Fit::epochs(3).batch_size(5).shuffle(false).verbose(Verbosity::Silent);
    let history = model.fit(data("x", "y"), fit.validation(data("x_val", "y_val")))?;
    for (name, values) in case.entries("outputs/history") {
        let (ours, theirs) = (history.values(&our_name(&name)), values.numbers(""));
        let [ours, theirs] = [ours, theirs].map(carnyx_graph::Array::from);
        comparison.close(&format!("history/{name}"), &ours, &theirs, TRAINING_TOLERANCE);
    }
    let evaluated = model.evaluate(data("x_val", "y_val"))?;
    for (name, value) in case.entries("outputs/evaluate") {
        comparison.number(&name, evaluated[&our_name(&name)], value.number(""), TRAINING_TOLERANCE);
    }
    for recorded in case.parts("outputs/final_weights") {
        let path = recorded.text("path");
        let value = find(model.network(), path).value()?;
        comparison.close(path, &value, &recorded.array("value"), TRAINING_TOLERANCE);
    }
    Ok(())
}

fn our_name(name: &str) -> String {
    name.replace("mae", "mean_absolute_error")
}

fn find(network: &impl Module, path: &str) -> Variable {
    let found = network.named_variables().into_iter().find(|(ours, _)| ours == path);
    found.unwrap_or_else(|| panic!("there is no variable `{path}`")).1
}
