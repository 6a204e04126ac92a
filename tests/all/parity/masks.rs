//! Masks through models: which layers hand them on, and what losses, metrics and training make of them, against Keras.

use super::layer_steps::{Built, built, drawn, one, variable};
use super::recorded::{Case, Comparison, compare, file};
use crate::saving::Folder;
use carnyx::losses::Reduction;
use carnyx::metrics::Metric;
use carnyx::prelude::*;
use carnyx::{ActivityRegularization, metrics};
use std::sync::Arc;

/// Both compute in float32, through two epochs.
const TOLERANCE: f64 = 3e-6;

/// A model of recorded layers.
struct Subject {
    layers: Vec<(Case, Built)>,
    inputs: Vec<Array>,
    network: Functional<Vec<Tensor>, Tensor>,
}

/// A layer with the weights that Keras had; a nested model has them in its layers.
fn made(record: &Case) -> Result<Built> {
    let number = |name: &str| record.number(&format!("config/{name}")) as f32;
    let layer = match record.text("layer") {
        "Sequential" => {
            let mut net = Sequential::new();
            for inner in record.parts("config/layers") {
                let Built::One(layer) = made(&inner)? else { panic!("a row of layers merges nothing") };
                net = net.then(layer);
            }
            one(net)
        }
        "Dense" => {
            let activation = record.text("config/activation").parse::<Activation>()?;
            one(Dense::new(number("units") as usize).activation(activation))
        }
        "Activation" => one(record.text("config/activation").parse::<Activation>()?),
        "Dropout" => one(Dropout::new(number("rate"))),
        "Flatten" => one(Flatten),
        "Rescaling" => one(Rescaling::new(number("scale")).offset(number("offset"))),
        "ActivityRegularization" => one(ActivityRegularization::new(number("l1"), number("l2"))),
        _ => built(record),
    };
    Ok(layer)
}

fn assign_weights(record: &Case, module: &dyn Module) -> Result {
    if record.text("layer") == "Sequential" {
        return record.parts("config/layers").iter().try_for_each(|inner| assign_weights(inner, module));
    }
    let weights = record.parts("weights");
    weights.iter().try_for_each(|w| variable(module, w.text("name")).assign(&w.array("value")))
}

impl Subject {
    fn new(case: &Case) -> Result<Subject> {
        let inputs: Vec<Array> = (0..)
            .map_while(|i| case.get(&format!("inputs/x_{i}")).map(|_| case.array(&format!("inputs/x_{i}"))))
            .collect();
        let places: Vec<Tensor> = inputs.iter().enumerate().map(|(i, x)| drawn(i, x)).collect();
        let mut layers = Vec::new();
        let mut apply = |record: Case, x: &[Tensor]| -> Result<Tensor> {
            let layer = made(&record)?;
            let y = layer.apply(x);
            y.check()?;
            assign_weights(&record, layer.module())?;
            layers.push((record, layer));
            Ok(y)
        };
        let mut ends = Vec::new();
        for (branch, place) in case.parts("branches").into_iter().zip(&places) {
            let row = branch.parts("").into_iter();
            ends.push(row.into_iter().try_fold(place.clone(), |x, record| apply(record, &[x]))?);
        }
        let merged = match case.get("merge") {
            Some(_) => apply(case.part("merge"), &ends)?,
            None => ends[0].clone(),
        };
        let y = case.parts("layers").into_iter().try_fold(merged, |x, record| apply(record, &[x]))?;
        Ok(Subject { layers, inputs, network: Functional::new(places, &y)? })
    }

    fn data(&self, case: &Case) -> Data {
        let data = Data::from((self.inputs.clone(), vec![case.array("inputs/y")]));
        if case.get("inputs/w").is_some() { data.sample_weight(case.array("inputs/w")) } else { data }
    }

    fn model(&self, case: &Case) -> Drawn {
        let mut model = self.network.clone().compile(Sgd::new(0.1), loss(case));
        for name in case.texts("metrics") {
            model = with_metric(model, name, false);
        }
        if case.get("inputs/w").is_some() {
            for name in case.texts("metrics") {
                model = with_metric(model, name, true);
            }
        }
        model
    }
}

type Drawn = Model<Functional<Vec<Tensor>, Tensor>>;

fn loss(case: &Case) -> Arc<dyn Loss> {
    let sparse = SparseCategoricalCrossentropy;
    let reduced = |loss: Arc<dyn Loss>| -> Arc<dyn Loss> {
        match case.text("loss/reduction") {
            "sum_over_batch_size" => loss,
            "sum" => Arc::new(loss.reduction(Reduction::Sum)),
            "mean_with_sample_weight" => Arc::new(loss.reduction(Reduction::MeanWithSampleWeight)),
            word => panic!("no reduction is called `{word}`"),
        }
    };
    reduced(match (case.text("loss/loss"), case.get("loss/ignore_class")) {
        ("MeanSquaredError", _) => Arc::new(MeanSquaredError),
        ("BinaryCrossentropy", _) => Arc::new(BinaryCrossentropy),
        ("CategoricalCrossentropy", _) => Arc::new(CategoricalCrossentropy),
        ("SparseCategoricalCrossentropy", None) => Arc::new(sparse),
        ("SparseCategoricalCrossentropy", Some(_)) => {
            Arc::new(sparse.ignore_class(case.number("loss/ignore_class") as i64))
        }
        (name, _) => panic!("no loss is called `{name}`"),
    })
}

fn with_metric(model: Drawn, name: &str, is_weighted: bool) -> Drawn {
    fn add(model: Drawn, metric: impl Metric, is_weighted: bool) -> Drawn {
        if is_weighted { model.weighted_metric(metric) } else { model.metric(metric) }
    }
    match name {
        "BinaryAccuracy" => add(model, metrics::BinaryAccuracy::default(), is_weighted),
        "BinaryCrossentropy" => add(model, BinaryCrossentropy, is_weighted),
        "CategoricalAccuracy" => add(model, metrics::CategoricalAccuracy, is_weighted),
        "CosineSimilarity" => add(model, metrics::CosineSimilarity, is_weighted),
        "LogCoshError" => add(model, metrics::LogCoshError, is_weighted),
        "MeanAbsoluteError" => add(model, MeanAbsoluteError, is_weighted),
        "PearsonCorrelation" => add(model, metrics::PearsonCorrelation, is_weighted),
        "Precision" => add(model, metrics::Precision, is_weighted),
        "RootMeanSquaredError" => add(model, metrics::RootMeanSquaredError, is_weighted),
        "SparseCategoricalAccuracy" => add(model, metrics::SparseCategoricalAccuracy, is_weighted),
        "SparseCategoricalCrossentropy" => add(model, SparseCategoricalCrossentropy, is_weighted),
        name => panic!("no metric is called `{name}`"),
    }
}

fn fit<'a>() -> Fit<'a> {
    Fit::epochs(2).batch_size(4).shuffle(false).verbose(Verbosity::Silent)
}

/// With JAX, the metrics of a fit do not see the mask, though the loss does, and those of `evaluate` do.
fn check_history(case: &Case, comparison: &mut Comparison, what: &str, history: &carnyx::History) {
    let is_masked = case.get("outputs/mask").is_some();
    let recorded = case.entries("outputs/history").into_iter();
    for (name, values) in recorded.filter(|(name, _)| name == "loss" || !is_masked) {
        let recorded = Array::from(values.numbers("").iter().map(|&v| v as f32).collect::<Vec<_>>());
        let found = Array::from(history.values(&name).iter().map(|&v| v as f32).collect::<Vec<_>>());
        comparison.close(&format!("{what}: {name}"), &found, &recorded, TOLERANCE);
    }
}

fn check_evaluation(case: &Case, comparison: &mut Comparison, what: &str, logs: &carnyx::Logs) {
    for (name, value) in case.entries(&format!("outputs/{what}")) {
        comparison.number(&format!("{what}: {name}"), logs[name.as_str()], value.number(""), TOLERANCE);
    }
}

/// Compares the weights of a layer, or of the layers of a nested model, with those that Keras had after training.
fn check_weights(record: &Case, comparison: &mut Comparison, module: &dyn Module) -> Result {
    if record.text("layer") == "Sequential" {
        let inner = record.parts("config/layers");
        return inner.iter().try_for_each(|inner| check_weights(inner, comparison, module));
    }
    for weight in record.parts("weights_after") {
        let value = variable(module, weight.text("name")).value()?;
        let name = format!("{} of {}", weight.text("name"), record.text("layer"));
        comparison.close(&name, &value, &weight.array("value"), TOLERANCE);
    }
    Ok(())
}

#[test]
fn masks_travel_and_count_as_in_keras() {
    compare(&file("masks").parts("cases"), &[], |case, comparison| {
        let subject = Subject::new(case)?;
        let inputs: Vec<Tensor> =
            subject.inputs.iter().map(|x| Tensor::from(x).in_mode(Mode::Inference)).collect();
        let y = subject.network.apply(&inputs);
        comparison.close_to("outputs/y", &y.eval()?, TOLERANCE);
        comparison.holds("the same masked or not", y.mask().is_some() == case.get("outputs/mask").is_some());
        if let Some(mask) = y.mask() {
            comparison.holds("the same mask", mask.eval()? == case.array("outputs/mask"));
        }
        let mut model = subject.model(case);
        check_evaluation(case, comparison, "evaluate", &model.evaluate(subject.data(case))?);
        let history = model.fit(subject.data(case), fit())?;
        check_history(case, comparison, "fit", &history);
        check_evaluation(case, comparison, "evaluate_after", &model.evaluate(subject.data(case))?);
        for (record, layer) in &subject.layers {
            check_weights(record, comparison, layer.module())?;
        }
        Ok(())
    });
}

#[test]
fn masks_go_to_files_with_their_layers() {
    compare(&file("masks").parts("cases"), &[], |case, comparison| {
        let folder = Folder::new(&format!("masks-{}", case.name()));
        for ending in ["keras", "h5"] {
            let subject = Subject::new(case)?;
            let path = folder.path(&format!("model.{ending}"));
            subject.model(case).save(&path)?;
            let mut loaded = carnyx::load(&path)?;
            check_evaluation(case, comparison, "evaluate", &loaded.evaluate(subject.data(case))?);
            check_history(case, comparison, ending, &loaded.fit(subject.data(case), fit())?);
        }
        Ok(())
    });
}
