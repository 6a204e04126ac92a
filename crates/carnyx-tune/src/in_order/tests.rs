use super::*;
use crate::tune::Built;
use carnyx_graph::Array;
use carnyx_nn::*;

/// A curve that a line cannot follow.
fn data() -> (Array, Array) {
    let x = Array::from_fn([240, 2], |i| ((i * 7919) % 211) as f32 / 105.0 - 1.0);
    let y = Array::from_fn([240, 1], |i| (3.0 * x.element(2 * i)).sin() as f32 * x.element(2 * i + 1) as f32);
    (x, y)
}

fn build(hyper: &mut Hyper) -> Model<Sequential> {
    let mut net = Sequential::new();
    let optimizer: Optimizer = match hyper.choice("optimizer", ["sgd", "adam"]) {
        "sgd" => Sgd::new(1e-4).into(),
        _ => Adam::new(1e-4).into(),
    };
    let units: usize = hyper.int("units", 1..=40);
    for _ in 0..hyper.int("hidden_layers", 0..=2) {
        net = net.then(Dense::new(units).activation(hyper.choice("activation", [Tanh, Relu])));
    }
    net.then(Dense::new(1)).compile(optimizer, MeanSquaredError).seed(7)
}

fn fit<'f>(hyper: &mut Hyper) -> Fit<'f> {
    Fit::epochs(1000).validation_split(0.25).batch_size(hyper.int_step("batch_size", 16..=48, 16))
}

fn quiet(options: InOrder) -> InOrder {
    options.verbose(Verbosity::Silent)
}

fn questions<L>(tuned: &TunedInOrder<L>) -> Vec<String> {
    tuned.stages.iter().map(|stage| stage.question.to_string()).collect()
}

fn tuned(options: InOrder) -> Result<TunedInOrder<Sequential>> {
    let (x, y) = data();
    tune_in_order(build, (&x, &y), fit, quiet(options))
}

#[test]
fn stages_come_in_order_and_each_wins_or_keeps_what_was() {
    let tuned = tuned(InOrder::steps(4000)).unwrap();
    let order = ["converged?", "learning rate", "optimizer"];
    assert_eq!(questions(&tuned)[..3], order, "{tuned}");
    assert_eq!(questions(&tuned).last().unwrap(), "trained on");
    for pair in tuned.stages.windows(2) {
        assert_eq!(pair[1].before, Some(pair[0].after), "{tuned}");
        assert!(pair[1].after <= pair[0].after, "{tuned}");
    }
    assert_eq!(tuned.stages.iter().map(|stage| stage.steps).sum::<usize>(), tuned.steps);
    assert!(tuned.steps <= 4000, "{tuned}");
    let (begin, end) = (tuned.stages[0].after, tuned.value);
    assert!(end < begin / 3.0, "{tuned}");
    assert_eq!(tuned.settings().iter().last().unwrap().0, "learning_rate");
}

#[test]
fn the_model_is_the_one_that_had_the_value_and_the_same_every_time() {
    let (x, y) = data();
    let mut first = tuned(InOrder::steps(3000)).unwrap();
    let again = tuned(InOrder::steps(3000)).unwrap();
    assert_eq!(first.to_string(), again.to_string());
    assert_eq!(first.best.predict(&x).unwrap(), again.best.predict(&x).unwrap());
    let valid = (x.rows(180..240).unwrap(), y.rows(180..240).unwrap());
    let loss = first.best.evaluate((&valid.0, &valid.1)).unwrap()["loss"];
    assert!((loss - first.value).abs() < 1e-5 * first.value, "{loss} {}", first.value);
}

#[test]
fn a_range_of_rates_bounds_them() {
    let (x, y) = data();
    let build = |hyper: &mut Hyper| {
        let rate = hyper.log_float("learning_rate", 1e-3..=2e-3);
        Sequential::new()
            .then(Dense::new(8).activation(Tanh))
            .then(Dense::new(1))
            .compile(Sgd::new(rate), MeanSquaredError)
    };
    let tuned = tune_in_order(build, (&x, &y), fit, quiet(InOrder::steps(1500))).unwrap();
    assert_eq!(tuned.stages[1].kept, "0.002", "{tuned}");
    assert!(!questions(&tuned).contains(&"learning_rate".to_owned()));
}

#[test]
fn what_fails_is_noted_and_the_next_is_tried() {
    let (x, y) = data();
    let build = |hyper: &mut Hyper| -> Result<Model<Sequential>> {
        let net = match hyper.choice("layers", ["one", "broken", "two"]) {
            "one" => Sequential::new().then(Dense::new(1)),
            "broken" => return Err(Error::new("data", "there is no such file")),
            _ => Sequential::new().then(Dense::new(16).activation(Relu)).then(Dense::new(1)),
        };
        Ok(net.compile(Adam::new(0.01), MeanSquaredError))
    };
    let _ = |hyper: &mut Hyper| build(hyper).built();
    let tuned = tune_in_order(build, (&x, &y), fit, quiet(InOrder::steps(2000))).unwrap();
    let stage = tuned
        .stages
        .iter()
        .find(|stage| stage.question == TuningQuestion::Hyperparameter("layers".into()))
        .unwrap();
    assert_eq!(stage.attempts[0].to_string(), "broken: there is no such file");
    assert_eq!(stage.kept, "two", "{tuned}");
}

#[test]
fn mistakes_end_it() {
    let (x, y) = data();
    let go = |options: InOrder| tune_in_order(build, (&x, &y), fit, quiet(options)).err().unwrap();
    assert_eq!(go(InOrder::steps(0)).code(), "search");
    assert_eq!(go(InOrder::seconds(f64::NAN)).code(), "search");
    assert_eq!(go(InOrder::steps(500).objective("val_profit")).code(), "search");
    assert!(go(InOrder::steps(500).objective("val_los")).title().contains("val_los"));
    assert!(go(InOrder::steps(500).begin_with("unit", 3)).title().contains("`unit`"));
    assert!(go(InOrder::steps(500).begin_with("units", 300)).title().contains("cannot be 300"));
}
