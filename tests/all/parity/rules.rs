//! Optimizers by the class and the arguments that a recorded case gave to Keras.

use super::recorded::Case;
use carnyx_nn::optimizers::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Muon, Nadam, Optimizer,
    OptimizerOptions, RmsProp, Sgd,
};

/// The optimizer of a case, with its options.
pub fn optimizer(case: &Case) -> Optimizer {
    let mut optimizer = rule(case);
    let argument = |name: &str| argument(case, name);
    if let Some(limit) = argument("clipvalue") {
        optimizer = optimizer.clip_value(limit);
    }
    if let Some(limit) = argument("clipnorm") {
        optimizer = optimizer.clip_norm(limit);
    }
    if let Some(limit) = argument("global_clipnorm") {
        optimizer = optimizer.global_clip_norm(limit);
    }
    if let Some(decay) = argument("weight_decay") {
        optimizer = optimizer.weight_decay(decay);
    }
    if case.flag("arguments/use_ema") {
        optimizer = optimizer.moving_average(argument("ema_momentum").expect("a momentum"));
        if let Some(steps) = argument("ema_overwrite_frequency") {
            optimizer = optimizer.overwrite_with_average_every(steps as usize);
        }
    }
    if let Some(batches) = argument("gradient_accumulation_steps") {
        optimizer = optimizer.gradient_accumulation_steps(batches as usize);
    }
    optimizer.exclude_from_weight_decay(case.texts("exclude"))
}

fn argument(case: &Case, name: &str) -> Option<f64> {
    let path = format!("arguments/{name}");
    case.get(&path).map(|_| case.number(&path))
}

fn rule(case: &Case) -> Optimizer {
    let rate = argument(case, "learning_rate");
    // The second value is the default of Keras, which an argument that was not given has to be equal to.
    let number = |name: &str, default: f64| argument(case, name).unwrap_or(default);
    let betas = |beta_2: f64| (number("beta_1", 0.9), number("beta_2", beta_2));
    let epsilon = || number("epsilon", 1e-7);
    macro_rules! at_rate {
        ($rule:ident) => {
            rate.map_or($rule::default(), $rule::new)
        };
    }
    match case.text("optimizer") {
        "SGD" => {
            let sgd = at_rate!(Sgd).momentum(number("momentum", 0.0));
            if case.flag("arguments/nesterov") { sgd.nesterov().into() } else { sgd.into() }
        }
        "Adam" => {
            let adam = at_rate!(Adam).betas(betas(0.999).0, betas(0.999).1).epsilon(epsilon());
            if case.flag("arguments/amsgrad") { adam.amsgrad().into() } else { adam.into() }
        }
        "AdamW" => at_rate!(AdamW).into(),
        "Adamax" => at_rate!(Adamax).into(),
        "Nadam" => at_rate!(Nadam).into(),
        "Lamb" => at_rate!(Lamb).betas(betas(0.999).0, betas(0.999).1).epsilon(epsilon()).into(),
        "Lion" => at_rate!(Lion).betas(betas(0.99).0, betas(0.99).1).into(),
        "Adagrad" if argument(case, "epsilon").is_none() => at_rate!(Adagrad).into(),
        "Adagrad" => {
            let accumulator = number("initial_accumulator_value", 0.1);
            at_rate!(Adagrad).initial_accumulator(accumulator).epsilon(epsilon()).into()
        }
        "Adadelta" if argument(case, "rho").is_none() => at_rate!(Adadelta).into(),
        "Adadelta" => at_rate!(Adadelta).rho(number("rho", 0.95)).epsilon(epsilon()).into(),
        "RMSprop" => {
            let rule = at_rate!(RmsProp).momentum(number("momentum", 0.0));
            let rule = rule.rho(number("rho", 0.9)).epsilon(epsilon());
            if case.flag("arguments/centered") { rule.centered().into() } else { rule.into() }
        }
        "Ftrl" if rate.is_none() => Ftrl::default().into(),
        "Ftrl" => at_rate!(Ftrl)
            .learning_rate_power(number("learning_rate_power", -0.5))
            .initial_accumulator(number("initial_accumulator_value", 0.1))
            .l1(number("l1_regularization_strength", 0.0))
            .l2(number("l2_regularization_strength", 0.0))
            .l2_shrinkage(number("l2_shrinkage_regularization_strength", 0.0))
            .beta(number("beta", 0.0))
            .into(),
        "Adafactor" if argument(case, "clip_threshold").is_none() => at_rate!(Adafactor).into(),
        "Adafactor" => at_rate!(Adafactor)
            .beta_2_decay(number("beta_2_decay", -0.8))
            .epsilons(1e-30, number("epsilon_2", 1e-3))
            .clip_threshold(number("clip_threshold", 1.0))
            .without_relative_step()
            .into(),
        "Muon" => muon(case, at_rate!(Muon)).into(),
        name => panic!("no optimizer is called `{name}`"),
    }
}

fn muon(case: &Case, mut rule: Muon) -> Muon {
    if let Some(ratio) = argument(case, "adam_lr_ratio") {
        rule = rule.adam_rate_ratio(ratio);
    }
    if let Some(decay) = argument(case, "adam_weight_decay") {
        rule = rule.adam_weight_decay(decay);
    }
    if let Some(iterations) = argument(case, "ns_steps") {
        rule = rule.iterations(iterations as usize);
    }
    if case.has("arguments/nesterov") && !case.flag("arguments/nesterov") {
        rule = rule.without_nesterov();
    }
    if case.has("arguments/rms_rate") {
        rule = rule.rms(argument(case, "rms_rate"));
    }
    rule.exclude(case.texts("arguments/exclude_layers"))
}
