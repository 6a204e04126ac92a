//! Optimizers: weights after each of ten steps, and what is remembered after the last.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Gradients, Result, Tensor, Variable};
use carnyx_nn::Eval;
use carnyx_nn::optimizers::{Adam, Optimizer, Sgd};

/// Carnyx has neither these rules nor clipping and weight decay.
const WITHOUT: [&str; 20] = [
    "sgd_clipnorm",
    "sgd_clipvalue",
    "sgd_global_clipnorm",
    "sgd_momentum_weight_decay",
    "adam_weight_decay",
    "adam_global_clipnorm",
    "rmsprop",
    "adamw",
    "adagrad",
    "adadelta",
    "adamax",
    "nadam",
    "ftrl",
    "lion",
    "adafactor",
    "lamb",
    "rmsprop_momentum",
    "rmsprop_centered",
    "adamw_lr_0.1",
    "ftrl_l1_l2",
];

/// Adam with a learning rate of 0.1 moves by 5.2e-6 when computed in float64.
const TOLERANCE: f64 = 1e-5;

#[test]
fn ten_steps_of_each_optimizer() {
    compare(&file("optimizers").parts("cases"), &[], check);
}

#[test]
fn ten_steps_of_more_optimizers() {
    compare(&file("optimizers_more").parts("cases"), &WITHOUT, check);
}

const WEIGHTS: [&str; 2] = ["kernel", "bias"];

fn check(case: &Case, comparison: &mut Comparison) -> Result {
    let mut optimizer = optimizer(case);
    comparison.number("learning_rate", optimizer.learning_rate, case.number("config/learning_rate"), 1e-7);
    let weights = WEIGHTS.map(|name| {
        let variable = Variable::from(case.array(&format!("initial_weights/{name}")));
        variable.set_path(name);
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
    check_memory(case, comparison, &optimizer)
}

/// Compares the step counter and all slots with the variables that Keras's optimizer has at the end.
fn check_memory(case: &Case, comparison: &mut Comparison, optimizer: &Optimizer) -> Result {
    let variables = optimizer.variables();
    comparison
        .holds("there are as many variables as in Keras", variables.len() == case.parts("variables").len());
    for recorded in case.parts("variables") {
        let (_, name) =
            recorded.text("path").split_once('/').expect("a path begins with the optimizer's name");
        let path = our_path(case.text("optimizer"), name);
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

/// `kernel_momentum` is `optimizer/velocity/kernel` in gradient descent, where Carnyx follows the papers.
fn our_path(optimizer: &str, name: &str) -> String {
    let slot = |theirs: &str| match (optimizer, theirs) {
        ("SGD", "momentum") => "velocity".to_owned(),
        (_, "velocity_hat") => "greatest_velocity".to_owned(),
        _ => theirs.to_owned(),
    };
    let (of, slot) = match name {
        "iteration" => return "optimizer/iterations".into(),
        "learning_rate" => return "optimizer/learning_rate".into(),
        name => name.split_once('_').map(|(of, theirs)| (of, slot(theirs))).expect("a slot of a weight"),
    };
    format!("optimizer/{slot}/{of}")
}

fn optimizer(case: &Case) -> Optimizer {
    let rate = case.get("arguments/learning_rate").map(|_| case.number("arguments/learning_rate"));
    match case.text("optimizer") {
        "SGD" => {
            let sgd =
                rate.map_or(Sgd::default(), Sgd::new).momentum(case.number_or("arguments/momentum", 0.0));
            Optimizer::new(if case.flag("arguments/nesterov") { sgd.nesterov() } else { sgd })
        }
        "Adam" => {
            let mut adam = rate.map_or(Adam::default(), Adam::new);
            if case.get("arguments/beta_1").is_some() {
                adam = adam.betas(case.number("arguments/beta_1"), case.number("arguments/beta_2"));
            }
            if case.get("arguments/epsilon").is_some() {
                adam = adam.epsilon(case.number("arguments/epsilon"));
            }
            Optimizer::new(if case.flag("arguments/amsgrad") { adam.amsgrad() } else { adam })
        }
        name => panic!("no optimizer is called `{name}`"),
    }
}
