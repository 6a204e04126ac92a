//! Error messages as users see them: each mistake is made as a user would make it, and the whole message is compared
//! with a file in `golden/messages`. What is odd but no mistake must do something sensible; nothing may panic.

use carnyx::datasets::{Source, Table, read_idx_from, train_test_split};
use carnyx::prelude::*;
use carnyx_tests::assert_golden;
use std::sync::Once;

/// Compares the message of an error with its file.
#[track_caller]
pub(crate) fn assert_message<T>(name: &str, result: Result<T>) {
    go_to_root();
    let Err(error) = result else { panic!("{name}: an error was expected") };
    assert_golden(&format!("messages/{name}"), &without_line_number(&error));
}

/// Paths in messages are relative to the workspace, while cargo runs tests in the folder of their package.
pub(crate) fn go_to_root() {
    static AT_ROOT: Once = Once::new();
    AT_ROOT.call_once(|| std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap());
}

/// The message with `NN` for the number of the line in a test, which every edit above it changes.
fn without_line_number(error: &Error) -> String {
    let text = format!("{error}\n");
    let Some(site) = error.site().filter(|site| site.file.starts_with("tests/")) else { return text };
    let number = site.line.to_string();
    let margin = " ".repeat(number.len());
    let line = |line: &str| match (line.strip_prefix(&number), line.strip_prefix(&margin)) {
        (Some(rest), _) => format!("NN{rest}\n"),
        (_, Some(rest)) => format!("  {rest}\n"),
        _ => format!("{line}\n"),
    };
    let place = format!("{}:{number}:", site.file);
    text.lines().map(line).collect::<String>().replace(&place, &format!("{}:NN:", site.file))
}

fn quiet<'a>() -> Fit<'a> {
    Fit::epochs(1).verbose(Verbosity::Silent)
}

/// 32 samples of 4 features.
fn features() -> Array {
    Array::from_fn([32, 4], |i| (i % 7) as f32 - 3.0)
}

/// Class numbers below 10 for 32 samples.
fn labels() -> Array {
    Array::from_fn([32], |i| (i % 10) as u8)
}

fn classifier() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(8).activation(Relu))
        .then(Dense::new(10).activation(Softmax))
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn regressor() -> Model<Sequential> {
    Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError)
}

/// Changes one element of an array of floats.
fn with(array: &Array, index: usize, value: f32) -> Array {
    Array::from_fn(array.shape(), |i| if i == index { value } else { array.element(i) as f32 })
}

/// A layer with a mistake in it.
#[derive(Module, Clone)]
struct Broken {
    hidden: Dense,
    mixer: Variable,
}

impl Layer for Broken {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let h = self.hidden.apply(x);
        let mixed = h.matmul(self.mixer.shaped([300, 10]));
        mixed.relu()
    }
}

#[test]
fn shapes_and_types_in_layers() {
    let broken = || Broken { hidden: Dense::new(100), mixer: Variable::new(GlorotUniform) };
    let mut net = Sequential::new().then(broken()).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("custom_layer", net.fit((&features(), &labels()), quiet()));
    let drawn = Sequential::new().then(Flatten).then(broken()).apply(&Tensor::input("x", [28, 28]));
    assert_message("custom_layer_drawn", drawn.check());

    let dense = Dense::new(3);
    let _ = dense.apply(&Tensor::input("x", [4]));
    assert_message("dense_with_other_input", dense.apply(&Tensor::input("x", [5])).check());

    let bytes = Array::full([32, 784], 7u8);
    assert_message("bytes_into_dense", classifier().fit((&bytes, &labels()), quiet()));
    assert_message("dense_on_one_axis", regressor().fit((&labels().cast(DType::F32), &labels()), quiet()));

    let mut net = Sequential::new().then(Dense::new(0)).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("dense_without_units", net.fit((&features(), &labels()), quiet()));

    let mut net = Sequential::new().then(Dropout::new(1.5)).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("dropout_rate", net.fit((&features(), &features()), quiet()));
    let constant = Tensor::from(&features());
    assert_message("dropout_without_mode", Dropout::new(0.5).apply(&constant).eval());

    let mut net = Sequential::new()
        .then(Normalization::new())
        .then(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("normalization_before_adapt", net.fit((&features(), &labels()), quiet()));
    let normalization = Normalization::new();
    normalization.adapt(&features()).unwrap();
    assert_message("normalization_of_other_data", normalization.apply(&Tensor::input("x", [5])).check());
    assert_message("normalization_of_nan", Normalization::new().adapt(&with(&features(), 6, f32::NAN)));

    let mut net = Sequential::new()
        .then(Input::new([28, 28]))
        .then(Flatten)
        .then(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("input_of_other_shape", net.fit((&features(), &labels()), quiet()));
    assert_message("sum_of_shapes", (Tensor::input("a", [4]) + Tensor::input("b", [3])).check());
}

#[test]
fn models_that_are_not_well_put_together() {
    let mut net = Sequential::new()
        .then(Dense::new(8).named("hidden"))
        .then(Dense::new(1).named("hidden"))
        .compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("duplicate_layer_name", net.fit((&features(), &labels()), quiet()));

    let mut net = Sequential::new().compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("no_layers", net.fit((&features(), &labels()), quiet()));
    assert_message("unknown_activation", "rellu".parse::<Activation>());

    let mut net = Sequential::new()
        .then(Dense::new(1))
        .compile(Sgd::new(0.1), [MeanSquaredError.on("main"), MeanAbsoluteError.on("aux")])
        .outputs(["main"]);
    assert_message("loss_on_unknown_output", net.fit((&features(), &labels()), quiet()));
    let mut net = regressor().metric_on("main", RootMeanSquaredError);
    assert_message("metric_on_unknown_output", net.fit((&features(), &labels()), quiet()));
    let mut net = Sequential::new()
        .then(Dense::new(1))
        .compile(Sgd::new(0.1), [MeanSquaredError.weight(0.5), MeanAbsoluteError.weight(0.5)]);
    assert_message("more_losses_than_outputs", net.fit((&features(), &labels()), quiet()));
    let mut net = regressor().outputs(["main", "aux"]);
    assert_message("more_names_than_outputs", net.fit((&features(), &labels()), quiet()));
}

#[test]
fn data_that_cannot_be_learned_from() {
    let (x, y) = (features(), labels());
    let short = Array::full([31], 1u8);
    assert_message("different_lengths", classifier().fit((&x, &short), quiet()));
    assert_message(
        "different_validation_lengths",
        classifier().fit((&x, &y), quiet().validation((&x, &short))),
    );
    let (no_x, no_y) = (Array::full([0, 4], 0f32), Array::full([0], 0u8));
    assert_message("no_samples", classifier().fit((&no_x, &no_y), quiet()));
    assert_message("no_samples_to_split", classifier().fit((&no_x, &no_y), quiet().validation_split(0.2)));
    assert_message("no_samples_to_predict", classifier().predict(&no_x));
    assert_message("no_inputs", classifier().fit((Vec::<Array>::new(), &y), quiet()));
    assert_message("no_targets", classifier().fit((&x, Vec::<Array>::new()), quiet()));
    assert_message("number_as_input", classifier().predict(Array::scalar(1f32)));

    let nan = with(&with(&x, 30, f32::NAN), 11, f32::NAN);
    assert_message("nan_in_x", classifier().fit((&nan, &y), quiet()));
    let pixels = with(&Array::full([2, 28, 28], 0f32), 28 * 28 + 30, f32::NAN);
    assert_message("nan_in_pixels", classifier().fit((&pixels, &Array::full([2], 1u8)), quiet()));
    let infinite = with(&Array::full([32, 1], 1f32), 9, f32::INFINITY);
    assert_message("infinity_in_y", regressor().fit((&x, &infinite), quiet()));
    assert_message("nan_in_validation", classifier().fit((&x, &y), quiet().validation((&nan, &y))));

    assert_message("two_inputs_for_one", classifier().fit(([&x, &x], &y), quiet()));
    assert_message("two_inputs_to_predict", classifier().predict([&x, &x]));
    assert_message("two_targets_for_one", classifier().fit((&x, [&y, &y]), quiet()));
}

#[test]
fn labels_outside_the_classes() {
    let x = features();
    let label = |row: usize, value: i64| Array::from_fn([32], |i| if i == row { value } else { 3 });
    assert_message("label_too_large_u8", classifier().fit((&x, &label(17, 10).cast(DType::U8)), quiet()));
    assert_message("label_too_large_i64", classifier().fit((&x, &label(5, 200)), quiet()));
    assert_message("label_negative", classifier().fit((&x, &label(0, -1)), quiet()));
    let halves = with(&Array::full([32], 1f32), 4, 2.5);
    assert_message("label_not_whole", classifier().fit((&x, &halves), quiet()));
    assert_message("label_in_validation", {
        classifier().fit((&x, &labels()), quiet().validation((&x, &label(2, 10))))
    });
    assert_message("label_in_evaluation", classifier().evaluate((&x, &label(2, 10))));
    let mut binary =
        Sequential::new().then(Dense::new(1).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy);
    assert_message("truth_value", binary.fit((&x, &label(2, 1).cast(DType::F32)), quiet()));
}

#[test]
fn losses_that_do_not_fit() {
    let (x, y) = (features(), labels());
    let softmax = |loss: &str| {
        let net = Sequential::new().then(Dense::new(10).activation(Softmax));
        match loss {
            "one_hot" => net.compile(Sgd::new(0.1), CategoricalCrossentropy),
            "squared" => net.compile(Sgd::new(0.1), MeanSquaredError),
            "binary" => net.compile(Sgd::new(0.1), BinaryCrossentropy),
            _ => net.compile(Sgd::new(0.1), SparseCategoricalCrossentropy),
        }
    };
    assert_message("class_numbers_for_one_hot_loss", softmax("one_hot").fit((&x, &y), quiet()));
    assert_message("class_numbers_for_squared_loss", softmax("squared").fit((&x, &y), quiet()));
    assert_message("class_numbers_for_binary_loss", softmax("binary").fit((&x, &y), quiet()));
    let one_hot = Array::from_fn([32, 10], |i| f32::from(i % 10 == 0));
    assert_message("one_hot_for_sparse_loss", softmax("sparse").fit((&x, &one_hot), quiet()));
    let deep = Array::full([32, 2, 3], 1f32);
    assert_message("targets_of_three_axes", softmax("sparse").fit((&x, &deep), quiet()));

    let mut net = Sequential::new().then(Dense::new(2)).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("loss_shape", net.fit((&x, &Array::full([32, 3], 1f32)), quiet()));

    let prediction = Dense::new(2).apply(&Tensor::from(&x));
    assert_message("loss_shape_in_own_loop", MeanSquaredError.of(&Tensor::from(&y), &prediction).eval());
}

#[test]
fn training_that_diverges() {
    let mut net = Sequential::new()
        .then(Dense::new(16).activation(Relu))
        .then(Dense::new(1).named("price"))
        .compile(Sgd::new(1e30), MeanSquaredError);
    let fit = Fit::epochs(3).batch_size(8).shuffle(false).verbose(Verbosity::Silent);
    assert_message("loss_not_finite", net.fit((&features(), &labels()), fit));
    // Nothing was changed by the step that failed: the model can still be looked at.
    assert_eq!(net.predict(features()).unwrap().shape(), [32, 1]);
}

#[test]
fn options_of_fit() {
    let data = (features(), labels());
    assert_message("batch_size", classifier().fit(&data, quiet().batch_size(0)));
    assert_message("validation_split", classifier().fit(&data, quiet().validation_split(1.5)));
    assert_message("validation_split_negative", classifier().fit(&data, quiet().validation_split(-0.2)));
    assert_message("validation_split_nan", classifier().fit(&data, quiet().validation_split(f64::NAN)));
    assert_message("validation_split_of_nothing", classifier().fit(&data, quiet().validation_split(0.999)));
    let both = quiet().validation(&data).validation_split(0.5);
    assert_message("validation_twice", classifier().fit(&data, both));
}

#[test]
fn predictions_from_other_shapes() {
    let mut model = classifier();
    model.fit((&features(), &labels()), quiet()).unwrap();
    assert_message("predict_other_features", model.predict(Array::full([32, 5], 0f32)));
    assert_message("predict_one_row", model.predict(Array::from([1f32, 2.0, 3.0, 4.0])));
    assert_message("predict_other_type", model.predict(Array::full([32, 4], 0i64)));
    assert_message("evaluate_other_features", model.evaluate((&Array::full([32, 5], 0f32), &labels())));
    let total = Lambda::new(|x| x.sum());
    let net = Sequential::new().then(total).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("predict_one_number", net.predict(features()));
    // The mistakes above leave the model as it was.
    assert_eq!(model.predict(features()).unwrap().shape(), [32, 10]);
}

#[test]
fn variables_and_gradients() {
    let kernel = Variable::new(GlorotUniform);
    assert_message("read_without_shape", Tensor::read(&kernel).eval());
    assert_message("value_without_value", kernel.value());
    let dense = Dense::new(3).named("head");
    let _ = dense.apply(&Tensor::input("x", [4]));
    assert_message("value_of_layer_before_use", dense.variables()[0].value());
    assert_message("unknown_size", Dense::new(3).apply(&Tensor::input("x", [0])).check());

    let weights = Variable::from(Array::from([1f32, 2.0]));
    assert_message("assign_other_shape", weights.assign(&Array::from([1f32, 2.0, 3.0])));
    assert_message("assign_other_type", weights.assign(&Array::from([1i64, 2])));

    let count = Variable::from(Array::scalar(0f32));
    let next = Tensor::read(&count) + 1.0;
    let updates = Updates::default().and(&count, &next).and(&count, &next * 2.0);
    assert_message("updated_twice", next.eval_with(updates));
    assert_message("update_of_other_shape", next.eval_with(Updates::default().and(&weights, &next)));
    assert_eq!(count.value().unwrap().item().unwrap(), 0.0);

    let mut optimizer = Optimizer::from(Sgd::new(0.1));
    let losses = Tensor::read(&weights).square();
    let updates = optimizer.update(&losses.gradients(std::slice::from_ref(&weights)));
    assert_message("gradient_of_many", losses.eval_with(updates));
    assert_message("input_without_value", (Tensor::input("x", [4]) * 2.0).sum().eval());
    assert_message("own_input_without_value", Dense::new(2).apply(&Tensor::input("x", [4])).sum().eval());
}

#[test]
fn files() {
    let idx = |bytes: &[u8]| read_idx_from(bytes, "train-images-idx3-ubyte");
    assert_message("idx_truncated", idx(&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4]));
    assert_message("idx_header_truncated", idx(&[0, 0, 8, 3, 0, 0, 0, 2, 0]));
    assert_message("idx_magic", idx(b"\x89PNG\r\n\x1a\n"));
    assert_message("idx_lies", idx(&[0, 0, 8, 2, 0x7f, 255, 255, 255, 0x1f, 255, 255, 255, 1, 2]));
    assert_message("idx_beyond_memory", idx(&[[0, 0, 8, 3].to_vec(), vec![255; 12]].concat()));
    assert_message("idx_goes_on", idx(&[0, 0, 8, 1, 0, 0, 0, 1, 1, 2]));

    let table = |text: &str| Table::read_from(text.as_bytes(), "houses.csv");
    assert_message("csv_ragged", table("rooms,age\n3,10\n4,20,7\n"));
    assert_message("csv_empty", table(""));
    assert_message("csv_duplicate_column", table("rooms,age,rooms\n1,2,3\n"));
    let houses = table("rooms,age,place\n3,10,coast\n4,,inland\n").unwrap();
    assert_message("csv_unknown_column", houses.column("room"));
    assert_message("csv_text_column", houses.column("place"));
    assert_message("csv_empty_cell", houses.column("age"));
    assert_message("csv_latin_1", Table::read_from(&b"name\nK\xf6ln\n"[..], "houses.csv"));

    assert_message("data_set_not_found", Source::at("no/such/data").or_at("tests/golden").fashion_mnist());
    assert_message("file_not_found", Table::read("no/such/houses.csv"));
    assert_message("split_lengths", train_test_split(&features(), &Array::full([31], 1u8), 0.2, 0));
    assert_message("split_share", train_test_split(&features(), &labels(), 1.5, 0));
}

#[test]
fn arrays() {
    assert_message("array_count", Array::new([2, 3], vec![1f32; 5]));
    assert_message("array_overflow", Array::new([usize::MAX, 2], vec![1f32; 5]));
    assert_message("array_type", features().as_slice::<i64>().map(<[i64]>::len));
    assert_message("array_item", features().item());
    assert_message("array_reshape", features().reshape([5, 5]));
    assert_message("array_reshape_overflow", features().reshape([usize::MAX, 2]));
    assert_message("array_rows", features().rows(30..40));
}

#[test]
fn what_is_odd_is_no_panic() {
    let (x, y) = (features(), labels());
    let history = classifier().fit((&x, &y), Fit::epochs(0)).unwrap();
    assert_eq!((history.best("loss"), history.last("loss"), history.values("loss")), (None, None, vec![]));
    assert!(history.names().is_empty() && history.to_string().is_empty());
    let nan = History::new(0, vec![Logs::from_iter([("loss", f64::NAN)])]);
    assert_eq!(nan.best("loss"), None);
    assert_eq!(Logs::default().get("loss"), None);

    // Neither a first fit nor a larger batch than there are samples is needed.
    assert!(classifier().evaluate((&x, &y)).unwrap()["loss"].is_finite());
    assert!(classifier().fit((&x, &y), quiet().batch_size(1_000_000)).is_ok());
    assert!(classifier().fit((&x, &y), quiet().batch_size(usize::MAX).validation_split(0.1)).is_ok());
    assert_eq!(classifier().predict(with(&x, 0, f32::NAN)).unwrap().shape(), [32, 10]);
    assert!(classifier().predict(Vec::<Array>::new()).is_err());
    assert!(classifier().predict_all(Array::full([3, 0], 0f32)).is_err());
    assert!(classifier().fit((&Array::full([32, 0], 0f32), &y), quiet()).is_err());
    assert!(classifier().fit((&x, &Array::full([32, 0], 0u8)), quiet()).is_err());
    assert!(classifier().summary().to_string().contains("dense"));

    // Each of these goes through the whole step: no shape, size or rate may end the program.
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut net = Sequential::new().then(Dense::new(1)).compile(Adam::new(rate), MeanSquaredError);
        let _ = net.fit((&x, &y), quiet());
    }
    for units in [1, 3] {
        let mut net = Sequential::new().then(Dense::new(units)).compile(Sgd::new(0.1), BinaryCrossentropy);
        let _ = net.metric(Accuracy).fit((&x, &y), quiet());
        net = Sequential::new().then(Dense::new(units)).compile(Sgd::new(0.1), CategoricalCrossentropy);
        let _ = net.metric(Accuracy).metric(BinaryAccuracy::default()).fit((&x, &y), quiet());
    }
    for shape in
        [vec![], vec![32], vec![32, 0], vec![32, 1], vec![32, 4, 2], vec![0, 4], vec![1, 4], vec![32; 4]]
    {
        for dtype in [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::Bool] {
            let odd = Array::zeros(shape.clone(), dtype);
            let _ = (classifier().fit((&odd, &y), quiet()), classifier().fit((&x, &odd), quiet()));
            let _ = (regressor().fit((&odd, &y), quiet()), regressor().fit((&x, &odd), quiet()));
            let _ = (regressor().evaluate((&odd, &odd)), classifier().predict(&odd));
            let _ = (Normalization::new().adapt(&odd), train_test_split(&odd, &odd, 0.5, 1));
            let _ = (odd.item(), odd.rows(0..7), odd.take_rows(&[9]), odd.element(99), format!("{odd:?}"));
        }
    }
    for axis in [-9, -1, 0, 5] {
        let t = Tensor::from(&x);
        let _ = (
            t.sum_along(axis),
            t.softmax(),
            t.expand(axis),
            t.squeeze(axis),
            concat([&t, &t], axis),
            t.dim(axis),
        );
        let _ =
            (t.sum_along(axis).eval(), t.squeeze(axis).eval(), t.matmul(&t).eval(), stack([&t], axis).eval());
    }
}
