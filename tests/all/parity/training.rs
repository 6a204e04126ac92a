//! Whole trainings: the history of each epoch, and weights, predictions and evaluation after the last.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Array, Result, Tensor, Variable, concat};
use carnyx_nn::losses::{
    BinaryCrossentropy, CategoricalCrossentropy, Loss, MeanSquaredError, Objective,
    SparseCategoricalCrossentropy,
};
use carnyx_nn::metrics::{Accuracy, RootMeanSquaredError};
use carnyx_nn::optimizers::{Adam, Optimizer, Sgd};
use carnyx_nn::{
    Activation, Apply, Compile, Data, Dense, Fit, L1L2, Layer, MeanAbsoluteError, Model, Module, Sequential,
    Variables, Verbosity,
};

/// Computed in float64, predictions after training with Adam move by 6e-6, everything else by less.
const TOLERANCE: f64 = 2e-5;

#[test]
fn whole_trainings() {
    let cases = ["training", "steps"].map(|name| file(name).parts("cases"));
    compare(&cases.into_iter().flatten().collect::<Vec<_>>(), &[], |case, comparison| {
        if case.get("config/outputs").is_some() {
            let network = WideAndDeep::new();
            set_weights(case, &network)?;
            let objective = [
                MeanSquaredError.on("main").weight(case.numbers("config/loss_weights")[0]),
                MeanSquaredError.on("aux").weight(case.numbers("config/loss_weights")[1]),
            ];
            let mut model = network.compile(optimizer(case), objective).outputs(["main", "aux"]);
            if case.get("config/metrics").is_some() {
                model = model.metric_on("main", RootMeanSquaredError).metric_on("aux", MeanAbsoluteError);
            }
            return check(case, comparison, model);
        }
        let network = sequential(case)?;
        set_weights(case, &network)?;
        let model = network.compile(optimizer(case), objective(case));
        check(
            case,
            comparison,
            case.texts("config/metrics").iter().fold(model, |model, name| with_metric(model, name)),
        )
    });
}

/// Trains as recorded and compares everything recorded.
fn check<L: Module>(case: &Case, comparison: &mut Comparison, mut model: Model<L>) -> Result {
    let mut fit = Fit::epochs(case.number("fit/epochs") as usize)
        .batch_size(case.number("fit/batch_size") as usize)
        .validation_split(case.number_or("fit/validation_split", 0.0))
        .shuffle(false)
        .verbose(Verbosity::Silent);
    let training = (arrays(case, "x"), arrays(case, "y"));
    let validation = (arrays(case, "x_val"), arrays(case, "y_val"));
    if !validation.0.is_empty() {
        fit = fit.validation(validation.clone());
    }
    if case.get("fit/steps_per_epoch").is_some() {
        fit = fit.steps_per_epoch(case.number("fit/steps_per_epoch") as usize);
    }
    if case.get("fit/validation_steps").is_some() {
        fit = fit.validation_steps(case.number("fit/validation_steps") as usize);
    }
    if case.get("fit/class_weight").is_some() {
        let class = |(class, weight): (String, Case)| (class.parse().expect("a class"), weight.number(""));
        let weights: Vec<(usize, f64)> = case.entries("fit/class_weight").into_iter().map(class).collect();
        fit = fit.class_weight(weights);
    }
    let mut data = Data::from(training.clone());
    if case.has("inputs/sample_weight") {
        data = data.sample_weight(case.array("inputs/sample_weight"));
    }
    let history = model.fit(data, fit)?;

    let recorded = case.entries("outputs/history");
    comparison.holds("the history has the same names", history.names().len() == recorded.len());
    for (name, values) in recorded {
        let (ours, theirs) = (history.values(&our_name(&name)), values.numbers(""));
        comparison.close(&format!("history/{name}"), &Array::from(ours), &Array::from(theirs), TOLERANCE);
    }
    let epochs: Vec<usize> = (0..history.epochs.len()).map(|i| history.first_epoch + i).collect();
    comparison.holds("epochs have the same numbers", epochs == case.sizes("outputs/epoch"));

    for recorded in case.parts("outputs/final_weights") {
        let (path, variable) = find(model.network(), recorded.text("path"));
        comparison.close(&path, &variable.value()?, &recorded.array("value"), TOLERANCE);
    }
    let (x, y) = if case.text("outputs/predict_on") == "validation" { validation } else { training };
    let predictions = model.predict_all(x.clone())?;
    let recorded = case.parts("outputs/predict");
    comparison.holds("there are as many outputs", predictions.len() == recorded.len());
    for (prediction, recorded) in predictions.iter().zip(recorded) {
        comparison.close("predict", prediction, &recorded.array(""), TOLERANCE);
    }
    let evaluation = model.evaluate((x, y))?;
    for (name, value) in case.entries("outputs/evaluate/dict") {
        comparison.number(
            &format!("evaluate/{name}"),
            evaluation[&our_name(&name)],
            value.number(""),
            TOLERANCE,
        );
    }
    Ok(())
}

/// Keras calls a metric that was given as a string by that string, Carnyx calls all by their full names.
pub(super) fn our_name(name: &str) -> String {
    let full = [
        ("mse", "mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("RootMeanSquaredError", "root_mean_squared_error"),
    ];
    let short = full.iter().find_map(|(short, full)| Some((name.strip_suffix(short)?, full)));
    short.map_or(name.to_owned(), |(before, full)| format!("{before}{full}"))
}

/// The inputs called `x`, or `x_0`, `x_1`, …; none if there are none.
pub(super) fn arrays(case: &Case, name: &str) -> Vec<Array> {
    let path = format!("inputs/{name}");
    if case.has(&path) {
        return vec![case.array(&path)];
    }
    let numbered = (0..).map(|i| format!("{path}_{i}"));
    numbered.take_while(|path| case.has(path)).map(|path| case.array(&path)).collect()
}

pub(super) fn set_weights(case: &Case, network: &impl Module) -> Result {
    for recorded in case.parts("initial_weights") {
        find(network, recorded.text("path")).1.assign(&recorded.array("value"))?;
    }
    Ok(())
}

/// The variable at a path of Keras, which begins with the model's name if the model is a sequential one.
pub(super) fn find(network: &impl Module, path: &str) -> (String, Variable) {
    let path = path.strip_prefix("sequential/").unwrap_or(path);
    let found = network.named_variables().into_iter().find(|(ours, _)| ours == path);
    found.unwrap_or_else(|| panic!("there is no variable `{path}`"))
}

/// The network of `layers`: `Dense(16, relu)`, `Dense(3)`.
pub(super) fn sequential(case: &Case) -> Result<Sequential> {
    case.texts("config/layers").iter().try_fold(Sequential::new(), |network, layer| {
        let arguments =
            layer.strip_prefix("Dense(").and_then(|rest| rest.strip_suffix(')')).expect("a dense layer");
        let (units, activation) = arguments.split_once(", ").unwrap_or((arguments, "linear"));
        let mut dense = Dense::new(units.parse().expect("a number of units"));
        if case.get("config/kernel_regularizer").is_some() {
            let factor = |name: &str| case.number_or(&format!("config/kernel_regularizer/{name}"), 0.0);
            dense = dense.kernel_regularizer(L1L2::new(factor("l1"), factor("l2")));
        }
        Ok(network.then(dense.activation(activation.parse::<Activation>()?)))
    })
}

pub(super) fn optimizer(case: &Case) -> Optimizer {
    let rate = case.number("config/learning_rate");
    match case.text("config/optimizer") {
        "SGD" => {
            let sgd = Sgd::new(rate).momentum(case.number_or("config/momentum", 0.0));
            Optimizer::new(if case.flag("config/nesterov") { sgd.nesterov() } else { sgd })
        }
        "Adam" => Optimizer::new(Adam::new(rate)),
        name => panic!("no optimizer is called `{name}`"),
    }
}

pub(super) fn objective(case: &Case) -> Objective {
    match case.text("config/loss") {
        "sparse_categorical_crossentropy" => SparseCategoricalCrossentropy.into(),
        "binary_crossentropy" => BinaryCrossentropy.into(),
        "categorical_crossentropy" => CategoricalCrossentropy.into(),
        "mse" => MeanSquaredError.into(),
        name => panic!("no loss is called `{name}`"),
    }
}

pub(super) fn with_metric<L>(model: Model<L>, name: &str) -> Model<L> {
    match name {
        "accuracy" => model.metric(Accuracy),
        "mae" => model.metric(MeanAbsoluteError),
        "mse" => model.metric(MeanSquaredError),
        "RootMeanSquaredError" => model.metric(RootMeanSquaredError),
        name => panic!("no metric is called `{name}`"),
    }
}

/// The network of the cases `e_…`: inputs `wide` and `deep`, outputs `main` and `aux`.
#[derive(Module, Clone)]
struct WideAndDeep {
    hidden1: Dense,
    hidden2: Dense,
    main: Dense,
    aux: Dense,
}

impl WideAndDeep {
    fn new() -> WideAndDeep {
        let hidden = || Dense::new(30).activation(Activation::Relu);
        WideAndDeep { hidden1: hidden(), hidden2: hidden(), main: Dense::new(1), aux: Dense::new(1) }
    }
}

impl Layer<(Tensor, Tensor)> for WideAndDeep {
    type Out = (Tensor, Tensor);

    fn call(&self, (wide, deep): &(Tensor, Tensor)) -> (Tensor, Tensor) {
        let hidden = self.hidden2.apply(&self.hidden1.apply(deep));
        (self.main.apply(&concat([wide, &hidden], -1)), self.aux.apply(&hidden))
    }
}
