//! Schedules: their rates against Keras's and PyTorch's, and fits that follow them.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::Result;
use carnyx_nn::optimizers::OptimizerOptions;
use carnyx_nn::schedules::{
    Clock, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LearningRate, OneCycle,
    PiecewiseConstantDecay, PolynomialDecay, Schedule,
};
use carnyx_nn::{
    Adam, AdamW, Compile, Dense, Fit, Input, MeanSquaredError, Optimizer, Sequential, Sgd, Variables,
    Verbosity,
};

/// Keras computes in float32, which moves rates by this much of themselves, and those near zero by `NEAR_ZERO`.
const TOLERANCE: f64 = 3e-6;
const NEAR_ZERO: f64 = 1e-8;

#[test]
fn rates() {
    compare(&file("schedules").parts("cases"), &[], |case, comparison| {
        let schedule = schedule(case);
        comparison.holds("its settings are in their ranges", schedule.schedule().unwrap().check().is_ok());
        for (step, expected) in case.numbers("steps").into_iter().zip(case.numbers("rates")) {
            let actual = schedule.at(Clock::at_step(step));
            comparison.holds(
                &format!("{actual} is {expected} at step {step}"),
                (actual - expected).abs() <= TOLERANCE * expected + NEAR_ZERO,
            );
        }
        Ok(())
    });
}

#[test]
fn rates_of_one_cycle() {
    compare(&file("one_cycle").parts("cases"), &[], |case, comparison| {
        let number = |name: &str, default: f64| case.number_or(&format!("arguments/{name}"), default);
        let total = case.number("total_steps") as usize;
        let mut schedule = OneCycle::new(number("max_lr", f64::NAN), total)
            .rise(number("pct_start", 0.3))
            .initial_divisor(number("div_factor", 25.0))
            .final_divisor(number("final_div_factor", 1e4));
        if case.flag("arguments/three_phase") {
            schedule = schedule.three_phases();
        }
        if case.has("arguments/anneal_strategy") {
            schedule = schedule.linear();
        }
        let rates = case.numbers("rates");
        comparison.holds("there is a rate for each step", rates.len() == total);
        for (step, expected) in rates.into_iter().enumerate() {
            comparison.number(
                &format!("step {step}"),
                schedule.rate(Clock::at_step(step as f64)),
                expected,
                1e-8,
            );
        }
        // PyTorch has no further rates.
        let after = schedule.rate(Clock::at_step(total as f64));
        comparison.number("after the end", after, schedule.rate(Clock::at_step(total as f64 - 1.0)), 0.0);
        Ok(())
    });
}

#[test]
fn fits() {
    compare(&file("scheduled_training").parts("cases"), &[], fit);
}

fn fit(case: &Case, comparison: &mut Comparison) -> Result {
    let optimizer: Optimizer = match case.text("optimizer") {
        "SGD" => Sgd::new(schedule(case)).momentum(case.number_or("arguments/momentum", 0.0)).into(),
        "Adam" => Adam::new(schedule(case)).into(),
        "AdamW" => AdamW::new(schedule(case)).weight_decay(case.number("arguments/weight_decay")),
        name => panic!("no optimizer is called `{name}`"),
    };
    let batches = case.number_or("arguments/gradient_accumulation_steps", 1.0);
    let optimizer = optimizer.gradient_accumulation_steps(batches as usize);
    let net = Sequential::new().then(Input::new([3])).then(Dense::new(1));
    let mut model = net.compile(optimizer, MeanSquaredError);
    let (x, y) = (case.array("inputs/x"), case.array("inputs/y"));
    model.predict(&x)?;
    let weights = model.variables();
    for (weight, name) in weights.iter().zip(["kernel", "bias"]) {
        weight.assign(&case.array(&format!("initial_weights/{name}")))?;
    }
    let fit = Fit::epochs(3).batch_size(4).shuffle(false).verbose(Verbosity::Silent);
    let history = model.fit((&x, &y), fit)?;
    for name in ["loss", "learning_rate"] {
        let expected = case.numbers(&format!("history/{name}"));
        for (epoch, (actual, expected)) in history.values(name).into_iter().zip(expected).enumerate() {
            comparison.number(&format!("{name} of epoch {epoch}"), actual, expected, 1e-5);
        }
        comparison.holds(&format!("there are three of `{name}`"), history.values(name).len() == 3);
    }
    comparison.number("rate after", model.optimizer.learning_rate, case.number("rate_after"), 1e-6);
    comparison.holds("steps", model.optimizer.iterations()? as f64 == case.number("iteration"));
    for (i, (weight, expected)) in weights.iter().zip(case.parts("final_weights")).enumerate() {
        comparison.close(&format!("weight {i}"), &weight.value()?, &expected.array(""), 1e-5);
    }
    Ok(())
}

/// The schedule of Keras that a case describes.
fn schedule(case: &Case) -> LearningRate {
    let number = |name: &str| case.number(&format!("json/config/{name}"));
    let steps = |name: &str| number(name) as usize;
    let says = |name: &str| case.flag(&format!("json/config/{name}"));
    let first = || number("initial_learning_rate");
    match case.text("json/class_name") {
        "ExponentialDecay" => {
            let schedule = ExponentialDecay::new(first(), steps("decay_steps"), number("decay_rate"));
            if says("staircase") { schedule.staircase() } else { schedule }.into()
        }
        "InverseTimeDecay" => {
            let schedule = InverseTimeDecay::new(first(), steps("decay_steps"), number("decay_rate"));
            if says("staircase") { schedule.staircase() } else { schedule }.into()
        }
        "PolynomialDecay" => {
            let schedule = PolynomialDecay::new(first(), steps("decay_steps"));
            let schedule = schedule.end(number("end_learning_rate")).power(number("power"));
            if says("cycle") { schedule.cycle() } else { schedule }.into()
        }
        "PiecewiseConstantDecay" => {
            let boundaries = case.sizes("json/config/boundaries");
            PiecewiseConstantDecay::new(boundaries, case.numbers("json/config/values")).into()
        }
        "CosineDecay" => {
            let schedule = CosineDecay::new(first(), steps("decay_steps")).alpha(number("alpha"));
            match case.get("json/config/warmup_target") {
                Some(_) => schedule.warmup(number("warmup_target"), steps("warmup_steps")).into(),
                None => schedule.into(),
            }
        }
        "CosineDecayRestarts" => CosineDecayRestarts::new(first(), steps("first_decay_steps"))
            .length_factor(number("t_mul"))
            .peak_factor(number("m_mul"))
            .alpha(number("alpha"))
            .into(),
        class => panic!("no schedule is called `{class}`"),
    }
}

/// The recorded schedules with what Keras writes of them, for other tests.
pub fn recorded_schedules() -> Vec<(String, LearningRate, serde_json::Value)> {
    let all = file("schedules").parts("cases");
    let one = |case: &Case| (case.name().to_owned(), schedule(case), case.get("json").unwrap().clone());
    all.iter().map(one).collect()
}
