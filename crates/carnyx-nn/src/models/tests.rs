//! Models from compile to predict: tiny tasks must be learned, numbers must be exact, mistakes must be explained.

use crate::callbacks::at_epoch_end;
use crate::*;
use carnyx_graph::{Array, Mode, Result, Tensor};

fn silent<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent)
}

/// 64 points on `y = 3 a - 2 b + 1`.
fn plane() -> (Array, Array) {
    let x = Array::from_fn([64, 2], |i| ((i * 37 % 64) as f32) / 64.0 - 0.5);
    let values = x.values();
    let y = Array::from_fn([64], |i| 3.0 * values[2 * i] - 2.0 * values[2 * i + 1] + 1.0);
    (x, y)
}

#[test]
fn a_line_is_learned() -> Result {
    let (x, y) = plane();
    let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.3), MeanSquaredError);
    let history = model.fit((&x, &y), silent(60).batch_size(16))?;
    assert!(history.last("loss").unwrap() < 1e-4, "{history}");
    let prediction = model.predict(&x)?;
    assert_eq!(prediction.shape(), [64, 1]);
    assert!(prediction.values().iter().zip(y.values()).all(|(p, y)| (p - y).abs() < 0.05));
    Ok(())
}

#[test]
fn exclusive_or_is_learned() -> Result {
    let x = Array::from([[0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Array::from([0u8, 1, 1, 0]);
    let net = || Sequential::new().then(Dense::new(8).activation(Tanh));
    let mut binary = net()
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.05), BinaryCrossentropy)
        .metric(Accuracy);
    let history = binary.fit((&x, &y), silent(300).batch_size(4))?;
    assert_eq!(history.last("accuracy"), Some(1.0), "{history}");

    let mut sparse = net()
        .then(Dense::new(2).activation(Softmax))
        .compile(Sgd::new(0.5).momentum(0.9).nesterov(), SparseCategoricalCrossentropy)
        .metric(Accuracy);
    let history = sparse.fit((&x, &y), silent(300).batch_size(4))?;
    assert_eq!(history.last("accuracy"), Some(1.0), "{history}");
    assert_eq!(sparse.evaluate((&x, &y))?["accuracy"], 1.0);
    Ok(())
}

/// One weight `w = 1`, prediction `w x`, no bias.
#[derive(Module, Clone)]
struct Slope(Variable);
impl Layer for Slope {
    type Out = Tensor;
    fn call(&self, x: &Tensor) -> Tensor {
        x * self.0.shaped([1])
    }
}
use carnyx_graph::Variable;

#[test]
fn history_is_exact_with_a_smaller_last_batch() -> Result {
    // Batches [1, 2], [3] of x, targets 0: loss of the first w²(1 + 4)/2, gradient 5 w.
    let x = Array::from([[1f32], [2.0], [3.0]]);
    let y = Array::from([0f32, 0.0, 0.0]);
    let slope = Slope(Variable::from(Array::from([1f32])));
    let mut model = slope.clone().compile(Sgd::new(0.1), MeanSquaredError).metric(MeanAbsoluteError);
    let history = model.fit((&x, &y), silent(1).batch_size(2).shuffle(false))?;
    // After the first batch w = 0.5; the second has loss 9/4 and gradient 9.
    let close =
        |value: Option<f64>, wanted: f64| assert!((value.unwrap() - wanted).abs() < 1e-6, "{history}");
    close(history.last("loss"), (2.5 * 2.0 + 2.25) / 3.0);
    close(history.last("mean_absolute_error"), (1.0 + 2.0 + 1.5) / 3.0);
    assert!((slope.0.value()?.item()? - (0.5 - 0.9)).abs() < 1e-6);
    let logs = model.evaluate((&x, &y))?;
    assert!((logs["loss"] - 0.16 * 14.0 / 3.0).abs() < 1e-6, "{logs}");
    Ok(())
}

#[test]
fn adam_follows_keras() -> Result {
    // The first step of Adam is the learning rate, whatever the gradient: g / (|g| + ε).
    let x = Array::from([[1f32], [2.0]]);
    let y = Array::from([0f32, 0.0]);
    let slope = Slope(Variable::from(Array::from([1f32])));
    let mut model = slope.clone().compile(Adam::new(0.1), MeanSquaredError);
    model.fit((&x, &y), silent(1))?;
    assert!((slope.0.value()?.item()? - 0.9).abs() < 1e-5);
    assert_eq!(model.optimizer.iterations()?, 1);
    Ok(())
}

#[test]
fn a_continued_fit_is_one_fit() -> Result {
    let (x, y) = plane();
    let net =
        || Sequential::new().then(Dense::new(3).activation(Tanh)).then(Dropout::new(0.2)).then(Dense::new(1));
    let mut whole = net().compile(Adam::new(0.01), MeanSquaredError).seed(7);
    let all = whole.fit((&x, &y), silent(4).batch_size(10))?;
    let mut parts = net().compile(Adam::new(0.01), MeanSquaredError).seed(7);
    let first = parts.fit((&x, &y), silent(1).batch_size(10))?;
    let rest = parts.fit((&x, &y), silent(3).batch_size(10))?;
    assert_eq!((first.first_epoch, rest.first_epoch, parts.epochs_trained()), (0, 1, 4));
    let joined: Vec<f64> = first.values("loss").into_iter().chain(rest.values("loss")).collect();
    assert_eq!(all.values("loss"), joined, "the same numbers, to the bit");
    assert_eq!(whole.predict(&x)?, parts.predict(&x)?);
    Ok(())
}

#[test]
fn frozen_layers_stay() -> Result {
    let (x, y) = plane();
    let (first, second) = (Dense::new(3), Dense::new(1));
    let net = Sequential::new().then(first.clone()).then(second.clone());
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    model.fit((&x, &y), silent(1))?;
    first.freeze();
    let values = || -> Result<Vec<Array>> { first.variables().iter().map(Variable::value).collect() };
    let (before, head) = (values()?, second.variables()[0].value()?);
    model.fit((&x, &y), silent(2))?;
    assert_eq!(values()?, before);
    assert_ne!(second.variables()[0].value()?, head);
    first.unfreeze(); // no second compile
    model.fit((&x, &y), silent(1))?;
    assert_ne!(values()?, before);
    Ok(())
}

#[test]
fn the_learning_rate_can_be_changed_between_steps() -> Result {
    let (x, y) = plane();
    let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.3), MeanSquaredError);
    model.fit((&x, &y), silent(1))?;
    model.optimizer.learning_rate = 0.0;
    let before = model.predict(&x)?;
    model.fit((&x, &y), silent(2))?;
    assert_eq!(model.predict(&x)?, before);
    Ok(())
}

#[test]
fn callbacks_see_and_steer() -> Result {
    struct Watch(Vec<(usize, usize)>, Vec<f64>);
    impl Callback for Watch {
        fn on_batch_end(&mut self, run: &mut Run) -> Result {
            self.0.push((run.epoch, run.step));
            Ok(())
        }
        fn on_epoch_end(&mut self, run: &mut Run) -> Result {
            self.1.push(run.logs["val_loss"]);
            if run.epoch == 1 {
                run.stop();
            }
            Ok(())
        }
    }
    let (x, y) = plane();
    let mut watch = Watch(Vec::new(), Vec::new());
    let mut rates = Vec::new();
    let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.25), MeanSquaredError);
    let fit =
        silent(10).batch_size(40).validation((&x, &y)).callback(&mut watch).callback(at_epoch_end(|run| {
            rates.push(run.optimizer.learning_rate);
            run.optimizer.learning_rate /= 2.0;
            Ok(())
        }));
    let history = model.fit((&x, &y), fit)?;
    assert_eq!(watch.0, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(watch.1, history.values("val_loss"));
    assert_eq!(rates, [0.25, 0.125]);
    assert_eq!(history.names(), ["loss", "val_loss"]);
    Ok(())
}

#[test]
fn a_validation_split_is_the_last_part() -> Result {
    let x = Array::from_fn([10, 1], |i| i as f32);
    let y = Array::from_fn([10], |i| if i < 8 { 0f32 } else { 5.0 });
    let slope = Slope(Variable::from(Array::from([0f32])));
    let mut model = slope.compile(Sgd::new(0.0), MeanSquaredError);
    let history = model.fit((&x, &y), silent(1).validation_split(0.2))?;
    assert_eq!((history.last("loss"), history.last("val_loss")), (Some(0.0), Some(25.0)));
    Ok(())
}

#[derive(Module, Clone)]
struct WideAndDeep {
    wide: Dense,
    deep: Dense,
}
impl Layer<(Tensor, Tensor)> for WideAndDeep {
    type Out = (Tensor, Tensor);
    fn call(&self, (wide, deep): &(Tensor, Tensor)) -> (Tensor, Tensor) {
        let deep = self.deep.apply(deep);
        (self.wide.apply(wide) + &deep, deep)
    }
}

#[test]
fn several_inputs_and_outputs() -> Result {
    let (x, y) = plane();
    let mut model = WideAndDeep { wide: Dense::new(1), deep: Dense::new(1) }
        .compile(
            Sgd::new(0.1),
            [MeanSquaredError.on("main").weight(0.9), MeanSquaredError.on("aux").weight(0.1)],
        )
        .outputs(["main", "aux"])
        .metric(RootMeanSquaredError);
    let history = model.fit(([&x, &x], [&y, &y]), silent(20))?;
    let names =
        ["aux_loss", "aux_root_mean_squared_error", "loss", "main_loss", "main_root_mean_squared_error"];
    assert_eq!(history.names(), names);
    let logs = &history.epochs[19];
    assert!((logs["loss"] - 0.9 * logs["main_loss"] - 0.1 * logs["aux_loss"]).abs() < 1e-6);
    assert_eq!(model.predict_all([&x, &x])?.len(), 2);
    assert_eq!(model.predict([&x, &x]).unwrap_err().code(), "output");
    assert_eq!(model.predict(&x).unwrap_err().title(), "the model takes 2 inputs, the data has 1");
    assert_eq!(model.fit((&x, &y), silent(1)).unwrap_err().code(), "data");
    Ok(())
}

#[test]
fn a_dynamic_model_decides_at_every_step() -> Result {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    #[derive(Module, Clone)]
    struct Moody(Dense, #[module(skip)] Arc<AtomicUsize>);
    impl Layer for Moody {
        type Out = Tensor;
        fn call(&self, x: &Tensor) -> Tensor {
            let calls = self.1.fetch_add(1, Ordering::Relaxed);
            let y = self.0.apply(x);
            if calls.is_multiple_of(2) { y } else { y.relu() }
        }
    }
    let (x, y) = plane();
    let calls = Arc::new(AtomicUsize::new(0));
    let mut model = Moody(Dense::new(1), calls.clone()).compile(Sgd::new(0.1), MeanSquaredError).dynamic();
    model.fit((&x, &y), silent(2).batch_size(16))?;
    assert!(calls.load(Ordering::Relaxed) >= 8);
    Ok(())
}

#[test]
fn layers_add_to_the_loss() -> Result {
    #[derive(Module, Clone)]
    struct Penalised(Slope);
    impl Layer for Penalised {
        type Out = Tensor;
        fn call(&self, x: &Tensor) -> Tensor {
            self.0.call(x).and_loss(Tensor::read(&self.0.0).square().sum() * 10.0)
        }
    }
    let (x, y) = (Array::from([[0f32]]), Array::from([0f32]));
    let slope = Slope(Variable::from(Array::from([2f32])));
    let mut model = Penalised(slope.clone()).compile(Sgd::new(0.01), MeanSquaredError);
    assert_eq!(model.fit((&x, &y), silent(1))?.last("loss"), Some(40.0));
    assert!((slope.0.value()?.item()? - (2.0 - 0.4)).abs() < 1e-6);
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_is_explained() {
    let (x, y) = plane();
    let net =
        Sequential::new().then(Dense::new(4)).then(Lambda::new(|x: &Tensor| x.log())).then(Dense::new(1));
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    let error = model.fit((&x, &y), silent(1)).unwrap_err();
    assert_eq!(error.code(), "non-finite");
    assert!(error.title().starts_with("the loss is NaN in epoch 1, step 1"), "{error}");
    assert!(error.to_string().contains("`log` gave the first value"), "{error}");
    assert_eq!(error.layers(), ["sequential", "lambda"]);
}

#[test]
fn the_layers_of_logits_are_still_known() {
    let x = Array::full([4, 2], 3e38f32);
    let y = Array::full([4], 0u8);
    let net = Sequential::new().then(Dense::new(2).activation(Softmax).kernel_initializer(Ones));
    let mut model = net.compile(Sgd::new(1e3), SparseCategoricalCrossentropy);
    let error = model.fit((&x, &y), silent(3)).unwrap_err();
    assert_eq!(error.layers(), ["sequential", "dense"], "{error}");
    assert!(error.site().is_some_and(|site| site.file.ends_with("tests.rs")), "{error}");
}

#[test]
fn a_guarded_step_changes_nothing() -> Result {
    let x = Array::from([[1e30f32]]);
    let y = Array::from([0f32]);
    let slope = Slope(Variable::from(Array::from([1f32])));
    let mut model = slope.clone().compile(Adam::new(0.1), MeanSquaredError);
    let error = model.fit((&x, &y), silent(1)).unwrap_err();
    assert!(error.title().contains("inf"), "{error}");
    assert_eq!(slope.0.value()?.item()?, 1.0);
    assert_eq!(model.optimizer.iterations()?, 0);
    Ok(())
}

#[track_caller]
fn refused(error: carnyx_graph::Error, code: &str, words: &str) {
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.site().is_some_and(|site| site.file.ends_with("tests.rs")), "{error}");
}

#[test]
fn mistakes_are_found_before_the_first_step() {
    let (x, y) = plane();
    let labels = Array::from_fn([64], |i| if i == 3 { 10i64 } else { 1 });
    let classifier = |units| Sequential::new().then(Dense::new(units).activation(Softmax));
    let mut ten = classifier(10).compile(Sgd::new(0.1), SparseCategoricalCrossentropy).metric(Accuracy);
    let said = "label 10 in row 3, but the last layer has 10 units: labels go from 0 to 9";
    refused(ten.fit((&x, &labels), silent(1)).unwrap_err(), "data", said);
    refused(ten.fit((&x, &y), silent(1)).unwrap_err(), "data", "class numbers are integers");
    refused(ten.fit((&x, &labels.rows(0..9).unwrap()), silent(1)).unwrap_err(), "data", "`x` has 64 samples");
    refused(ten.fit((&x, &labels), silent(1).batch_size(0)).unwrap_err(), "fit", "at least one sample");
    refused(ten.fit((&x, &labels), silent(1).validation_split(1.5)).unwrap_err(), "fit", "1.5");
    let ones = Array::full([64], 1u8);
    let bad = silent(1).validation((&x, &labels));
    refused(ten.fit((&x, &ones), bad).unwrap_err(), "data", "in the validation data");
    assert!(ten.fit((&x, &ones), silent(0)).unwrap().epochs.is_empty());
    let one_hot = Array::full([64, 10], 0.1f32);
    refused(ten.fit((&x, &one_hot), silent(1)).unwrap_err(), "loss-shape", "need `CategoricalCrossentropy`");

    let mut categorical = classifier(10).compile(Sgd::new(0.1), CategoricalCrossentropy);
    let said = "class numbers need `SparseCategoricalCrossentropy`";
    refused(categorical.fit((&x, &ones), silent(1)).unwrap_err(), "loss-shape", said);

    let mut regression = Sequential::new().then(Dense::new(3)).compile(Sgd::new(0.1), MeanSquaredError);
    let said = "the targets have shape [32], the predictions [32, 3]";
    refused(regression.fit((&x, &y), silent(1)).unwrap_err(), "loss-shape", said);

    let mut binary = classifier(1).compile(Sgd::new(0.1), BinaryCrossentropy);
    let signs = Array::from_fn([64], |i| if i == 5 { -1f32 } else { 1.0 });
    refused(binary.fit((&x, &signs), silent(1)).unwrap_err(), "data", "target -1 in row 5");

    let holed = Array::from_fn([64, 2], |i| if i == 7 { f32::NAN } else { 0.0 });
    refused(binary.fit((&holed, &ones), silent(1)).unwrap_err(), "data", "NaN in row 3, column 1");
}

#[test]
fn predictions_do_not_depend_on_the_batch() -> Result {
    let x = Array::from_fn([300, 4], |i| (i % 17) as f32 / 17.0);
    let model = Sequential::new()
        .then(Dense::new(5).activation(Relu))
        .then(Dense::new(2))
        .compile(Sgd::new(0.1), MeanSquaredError);
    let all = model.predict(&x)?;
    let one = model.predict(&x.rows(280..281)?)?;
    assert_eq!(all.rows(280..281)?, one);
    Ok(())
}

#[test]
fn a_summary_before_and_after_data() -> Result {
    let (x, y) = plane();
    let mut model = Sequential::new()
        .then(Dense::new(8).activation(Relu))
        .then(Dropout::new(0.5))
        .then(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError);
    assert!(model.summary().to_string().contains("unbuilt"));
    model.fit((&x, &y), silent(1))?;
    let summary = model.summary();
    assert_eq!((summary.parameters(), summary.multiply_adds()), (2 * 8 + 8 + 8 + 1, 2 * 8 + 8));
    let text = summary.to_string();
    let line = "│ dense (Dense)     │ [batch, 8]   │      24 │            16 │";
    assert!(text.contains(line), "{text}");
    let pair =
        WideAndDeep { wide: Dense::new(1), deep: Dense::new(1) }.compile(Sgd::new(0.1), MeanSquaredError);
    pair.predict_all([&x, &x])?;
    let rows = pair.summary().rows;
    assert_eq!(rows[0].output.as_ref().unwrap().to_string(), "[batch, 1]");
    assert_eq!((rows[0].name.as_str(), rows[0].multiply_adds), ("wide", 2));
    Ok(())
}

#[test]
fn a_loop_of_ones_own() -> Result {
    let (x, y) = plane();
    let net = Sequential::new().then(Dense::new(1));
    let mut optimizer = Optimizer::new(Sgd::new(0.1).momentum(0.9));
    let (x, y) = (Tensor::from(&x).in_mode(Mode::Training), Tensor::from(&y));
    let mut last = f64::INFINITY;
    for _ in 0..100 {
        let loss = MeanSquaredError.of(&y, &net.apply(&x));
        let updates = optimizer.update(&loss.gradients(&net.trainable()));
        last = loss.eval_with(updates)?.item()?;
    }
    assert!(last < 1e-3, "{last}");
    Ok(())
}
