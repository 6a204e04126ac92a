//! Weights of samples and classes: the history of each epoch, and weights and evaluations after the last.

use super::recorded::{Case, Comparison, compare, file};
use super::training::{arrays, find, objective, optimizer, our_name, sequential, set_weights, with_metric};
use carnyx_graph::{Array, Result, Tensor};
use carnyx_nn::losses::{Loss, MeanAbsoluteError, MeanSquaredError, SparseCategoricalCrossentropy};
use carnyx_nn::metrics::{Accuracy, RootMeanSquaredError};
use carnyx_nn::{
    Activation, Apply, ClassWeight, Compile, Data, Dense, Fit, Functional, Model, Module, Verbosity,
};

/// As for other trainings, relative.
const TOLERANCE: f64 = 2e-5;

#[test]
fn trainings_with_weights() {
    compare(&file("weights").parts("cases"), &[], |case, comparison| {
        if case.get("config/outputs").is_some() {
            return check(case, comparison, two_outputs(case)?);
        }
        let network = sequential(case)?;
        set_weights(case, &network)?;
        let model = network.compile(optimizer(case), objective(case));
        let model = case.texts("config/metrics").iter().fold(model, |model, name| with_metric(model, name));
        let weighted = case.texts("config/weighted_metrics");
        check(case, comparison, weighted.iter().fold(model, |model, name| with_weighted_metric(model, name)))
    });
}

/// Keras takes no class weights for several outputs: with weights of samples that say the same, it has to come to the
/// same.
#[test]
fn class_weights_of_several_outputs_are_weights_of_samples() {
    let cases = file("weights").parts("cases");
    let case = cases.iter().find(|case| case.name() == "two_outputs_by_list").expect("it was recorded");
    let (x, y) = (arrays(case, "x"), arrays(case, "y"));
    let of_classes = [(0, 0.5), (2, 4.0)];
    let by_sample = Array::from_fn([20], |i| [0.5f32, 1.0, 4.0][y[1].element(i) as usize]);
    let fit = || Fit::epochs(2).batch_size(8).verbose(Verbosity::Silent);
    let mut model = two_outputs(case).unwrap();
    let by_class = model.fit((x.clone(), y.clone()), fit().class_weight_on("kind", of_classes)).unwrap();
    let mut model = two_outputs(case).unwrap();
    let by_sample = model.fit((x, y, [("kind", &by_sample)]), fit()).unwrap();
    assert_eq!(by_class, by_sample);
}

/// Trains as recorded and compares everything recorded.
fn check<L: Module>(case: &Case, comparison: &mut Comparison, mut model: Model<L>) -> Result {
    let mut fit = Fit::epochs(3)
        .batch_size(8)
        .validation_split(case.number_or("fit/validation_split", 0.0))
        .shuffle(false)
        .verbose(Verbosity::Silent);
    if !arrays(case, "x_val").is_empty() {
        fit = fit.validation(data(case, "_val", true));
    }
    let of_classes: Vec<(usize, f64)> = case
        .entries("fit/class_weight")
        .into_iter()
        .map(|(class, weight)| (class.parse().expect("a class"), weight.number("")))
        .collect();
    if !of_classes.is_empty() {
        fit = fit.class_weight(ClassWeight::from(of_classes));
    }
    let history = model.fit(data(case, "", true), fit)?;

    let recorded = case.entries("outputs/history");
    let names: Vec<String> = recorded.iter().map(|(name, _)| our_name(name)).collect();
    comparison
        .holds(&format!("the names are {names:?}"), names.iter().all(|n| history.names().contains(&&**n)));
    comparison.holds("the history has no more names", history.names().len() == names.len());
    for (name, values) in recorded {
        let (ours, theirs) = (history.values(&our_name(&name)), values.numbers(""));
        comparison.close(&format!("history/{name}"), &Array::from(ours), &Array::from(theirs), TOLERANCE);
    }
    for recorded in case.parts("outputs/final_weights") {
        let (path, variable) = find(model.network(), recorded.text("path"));
        comparison.close(&path, &variable.value()?, &recorded.array("value"), TOLERANCE);
    }
    for (what, is_weighted) in [("unweighted", false), ("weighted", true)] {
        let logs = model.evaluate(data(case, "", is_weighted))?;
        for (name, value) in case.entries(&format!("outputs/evaluate/{what}")) {
            let ours = logs.get(&our_name(&name)).unwrap_or(f64::NAN);
            comparison.number(&format!("evaluate/{what}/{name}"), ours, value.number(""), TOLERANCE);
        }
    }
    Ok(())
}

/// The data called `x`, `y`, `w`, with the ending `_val` or without; with names where Keras had them.
fn data(case: &Case, ending: &str, with_weights: bool) -> Data {
    let named = |name: &str| -> Vec<(String, Array)> {
        let outputs = case.texts("config/outputs").into_iter().map(str::to_owned);
        outputs.zip(arrays(case, &format!("{name}{ending}"))).collect()
    };
    let (x, weights) = (arrays(case, &format!("x{ending}")), arrays(case, &format!("w{ending}")));
    let data = if case.flag("config/by_name") {
        Data::from((x, named("y")))
    } else {
        Data::from((x, arrays(case, &format!("y{ending}"))))
    };
    match (weights.is_empty() || !with_weights, case.flag("config/by_name")) {
        (true, _) => data,
        (false, true) => data.sample_weight(named("w")),
        (false, false) => data.sample_weight(weights),
    }
}

fn two_outputs(case: &Case) -> Result<Model<Functional<Tensor>>> {
    let x = Tensor::input("x", [4]);
    let hidden = Dense::new(5).activation(Activation::Tanh).named("hidden").apply(&x);
    let price = Dense::new(1).named("price").apply(&hidden);
    let kind = Dense::new(3).activation(Activation::Softmax).named("kind").apply(&hidden);
    let network = Functional::new(&x, [("price", &price), ("kind", &kind)])?;
    set_weights(case, &network)?;
    let weights = case.numbers("config/loss_weights");
    let objective = [
        MeanSquaredError.on("price").weight(weights[0]),
        SparseCategoricalCrossentropy.on("kind").weight(weights[1]),
    ];
    Ok(network
        .compile(optimizer(case), objective)
        .metric_on("price", MeanAbsoluteError)
        .metric_on("kind", Accuracy)
        .weighted_metric_on("price", MeanAbsoluteError)
        .weighted_metric_on("kind", Accuracy))
}

fn with_weighted_metric<L>(model: Model<L>, name: &str) -> Model<L> {
    match name {
        "accuracy" => model.weighted_metric(Accuracy),
        "mae" => model.weighted_metric(MeanAbsoluteError),
        "mse" => model.weighted_metric(MeanSquaredError),
        "RootMeanSquaredError" => model.weighted_metric(RootMeanSquaredError),
        name => panic!("no metric is called `{name}`"),
    }
}
