//! Optimizers: weights after each of ten steps, and what is remembered after the last.

use super::recorded::{Case, Comparison, compare, file};
use super::rules::optimizer;
use carnyx_graph::{Gradients, Result, Tensor, Variable};
use carnyx_nn::Eval;
use carnyx_nn::optimizers::Optimizer;

/// Adam with a learning rate of 0.1 moves by 5.2e-6 when computed in float64.
const TOLERANCE: f64 = 1e-5;

#[test]
fn ten_steps_of_each_optimizer() {
    compare(&file("optimizers").parts("cases"), &[], check);
}

#[test]
fn ten_steps_of_more_optimizers() {
    compare(&file("optimizers_more").parts("cases"), &[], check);
}

#[test]
fn ten_steps_with_options() {
    compare(&file("optimizer_options").parts("cases"), &[], check);
}

const WEIGHTS: [&str; 2] = ["kernel", "bias"];

fn check(case: &Case, comparison: &mut Comparison) -> Result {
    let mut optimizer = optimizer(case);
    comparison.number("learning_rate", optimizer.learning_rate, case.number("config/learning_rate"), 1e-7);
    let weights = WEIGHTS.map(|name| {
        let variable = Variable::from(case.array(&format!("initial_weights/{name}")));
        let path = format!("paths/{name}");
        variable.set_path(if case.has(&path) { case.text(&path) } else { name });
        variable
    });
    for (i, step) in case.parts("steps").iter().enumerate() {
        optimizer.learning_rate = step.number("learning_rate");
        let gradient = |name: &str| Tensor::from(&step.array(&format!("gradients/{name}")));
        let pairs = weights.iter().cloned().zip(WEIGHTS.map(gradient)).collect();
        let updates = optimizer.update(&Gradients::new(pairs));
        Tensor::scalar(0f32).eval_with(updates)?;
        for (name, variable) in WEIGHTS.iter().zip(&weights) {
            comparison.close_to(&format!("steps/{i}/weights/{name}"), &variable.value()?, TOLERANCE);
        }
    }
    check_memory(case, comparison, &optimizer, &weights)
}

/// Compares the step counter and all slots with the variables that Keras's optimizer has at the end.
fn check_memory(
    case: &Case,
    comparison: &mut Comparison,
    optimizer: &Optimizer,
    weights: &[Variable],
) -> Result {
    let variables = optimizer.variables();
    let recorded: Vec<(String, Case)> = case
        .parts("variables")
        .into_iter()
        .filter_map(|part| Some((our_path(case, &part, weights)?, part)))
        .collect();
    comparison.holds("there are as many variables as in Keras", variables.len() == recorded.len());
    for (path, recorded) in recorded {
        match variables.iter().find(|variable| variable.path().as_deref() == Some(&path)) {
            Some(variable) => {
                let expected = recorded.array("value").cast(variable.dtype());
                comparison.close(&path, &variable.value()?, &expected, TOLERANCE);
            }
            None => comparison.holds(&format!("there is a variable `{path}`"), false),
        }
    }
    Ok(())
}

/// `adam/kernel_momentum` is `optimizer/momentum/kernel`; where Carnyx follows the papers, slots have other names.
fn our_path(case: &Case, recorded: &Case, weights: &[Variable]) -> Option<String> {
    let optimizer = case.text("optimizer");
    let path = recorded.text("path");
    // What Keras has for vectors in the place of rows and columns has no use.
    if path == "bias" {
        return None;
    }
    let (_, name) = path.split_once('/').unwrap_or(("", path));
    let shape = recorded.array("value").shape().to_vec();
    let name = match (optimizer, name) {
        (_, "iteration") => "iterations".to_owned(),
        (_, "learning_rate") => "learning_rate".to_owned(),
        ("Nadam", "variable") => "momentum_product".to_owned(),
        ("Adafactor", "kernel") => {
            let rows = weights[0].shape().is_some_and(|kernel| kernel[..1] == shape);
            if rows { "row/kernel".to_owned() } else { "column/kernel".to_owned() }
        }
        (_, name) => {
            let scope = weights[0].path().unwrap_or_default();
            let scope = scope.strip_suffix("kernel").unwrap_or_default().replace('/', "_");
            let name = name.strip_prefix(scope.as_str()).unwrap_or(name);
            let (of, slot) = name.split_once('_').expect("a slot of a weight");
            let slot = match (optimizer, slot) {
                ("SGD", "momentum") => "velocity",
                (_, "velocity_hat") => "greatest_velocity",
                (_, slot) => slot,
            };
            format!("{slot}/{}{of}", scope.replace('_', "/"))
        }
    };
    Some(format!("optimizer/{name}"))
}
