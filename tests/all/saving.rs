//! Models as files: there and back to the bit, files of Keras, and what is wrong with files.

use crate::messages::assert_message;
use carnyx::optimizers::{Adadelta, Adafactor, Adagrad, Adamax, Ftrl, Lamb, Lion, Muon, Nadam};
use carnyx::prelude::*;
use carnyx::{Functional, MinMaxNorm, OrthogonalRegularizer};
use carnyx_file::{Archive, Group, Value, write_hdf5};
use carnyx_tests::assert_golden;
use std::path::{Path, PathBuf};

/// A folder of its own for a test, gone when the test is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("carnyx-saving-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent)
}

pub(crate) fn numbers(shape: &[usize], seed: usize) -> Array {
    Array::from_fn(shape, |i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0)
}

fn bits(arrays: &[Array]) -> Vec<Vec<u32>> {
    arrays.iter().map(|array| array.values().iter().map(|v| v.to_bits()).collect()).collect()
}

/// Saves, loads, and saves and loads what was loaded: in both formats, predictions stay the same bits.
fn there_and_back<L: Module>(model: &Model<L>, inputs: &[&Array], test: &str) {
    let folder = Folder::new(test);
    let inputs: Vec<Array> = inputs.iter().map(|&x| x.clone()).collect();
    let expected = bits(&model.predict_all(inputs.clone()).unwrap());
    for ending in ["keras", "h5"] {
        let (first, second) =
            (folder.path(&format!("first.{ending}")), folder.path(&format!("second.{ending}")));
        model.save(&first).unwrap();
        let loaded = carnyx::load(&first).unwrap();
        assert_eq!(bits(&loaded.predict_all(inputs.clone()).unwrap()), expected, "{test}.{ending}");
        loaded.save(&second).unwrap();
        let again = carnyx::load(&second).unwrap();
        assert_eq!(bits(&again.predict_all(inputs.clone()).unwrap()), expected, "{test}.{ending}, twice");
        assert_eq!(again.num_parameters(), loaded.num_parameters());
    }
}

#[test]
fn each_layer_goes_there_and_back() {
    let normalization = Normalization::new();
    normalization.adapt(&numbers(&[40, 3, 4], 9)).unwrap();
    let pixels = Normalization::of([0.5f32, 1.0, 2.0, 4.0], [2.0f32, 1.0, 4.0, 9.0]).inverse();
    let layers: Vec<(&str, Sequential)> = vec![
        ("dense", Sequential::new().then(Dense::new(3))),
        ("dense_he", Sequential::new().then(Dense::new(3).activation(Relu).kernel_initializer(HeNormal))),
        ("no_bias", Sequential::new().then(Dense::new(3).without_bias().activation(LeakyRelu(0.3)))),
        ("flatten", Sequential::new().then(Flatten)),
        ("rescaling", Sequential::new().then(Rescaling::new(1.0 / 255.0).offset([0.1f32, 0.2, 0.3, -4.0]))),
        ("dropout", Sequential::new().then(Dropout::new(0.3)).then(Dropout::new(0.2).shared_along([1]))),
        ("normalization", Sequential::new().then(normalization).then(pixels)),
        ("input", Sequential::new().then(Input::new([3, 4])).then(Dense::new(2))),
        (
            "named",
            Sequential::new().then(Dense::new(2).named("scores")).then(Sequential::new().then(Dense::new(2))),
        ),
    ];
    let x = numbers(&[5, 3, 4], 1);
    for (name, net) in layers {
        let model = net.compile(Sgd::new(0.1), MeanSquaredError);
        there_and_back(&model, &[&x], name);
    }
}

#[test]
fn each_activation_goes_there_and_back() {
    let x = numbers(&[5, 4], 1);
    let all = [
        Linear,
        Relu,
        Relu6,
        LeakyRelu(0.2),
        LeakyRelu(0.3),
        Elu(1.0),
        Elu(0.7),
        Celu(1.0),
        Celu(0.3),
        Selu,
        Gelu,
        GeluTanh,
        Silu,
        HardSilu,
        Mish,
        Sigmoid,
        LogSigmoid,
        HardSigmoid,
        SparseSigmoid,
        Tanh,
        HardTanh,
        TanhShrink,
        SoftShrink(0.5),
        SoftShrink(0.1),
        HardShrink(0.5),
        HardShrink(0.1),
        Softplus,
        SparsePlus,
        Squareplus(4.0),
        Squareplus(1.0),
        Softsign,
        Exponential,
        Softmax,
        LogSoftmax,
        Heaviside,
        Sign,
    ];
    let net = |activation: Activation| {
        Sequential::new().then(Dense::new(4).activation(activation)).then(activation)
    };
    let folder = Folder::new("activations");
    let path = folder.path("model.keras");
    for activation in all {
        let model = net(activation).compile(Sgd::new(0.1), MeanSquaredError);
        let expected = model.predict(&x).unwrap();
        model.save(&path).unwrap();
        assert_eq!(carnyx::load(&path).unwrap().predict(&x).unwrap(), expected, "{activation}");
    }
}

/// A struct of known layers, with a struct of known layers in it.
#[derive(Module, Clone)]
struct Net {
    first: Dense,
    block: Block,
}
#[derive(Module, Clone)]
struct Block {
    first: Dense,
}
impl Layer for Block {
    type Out = Tensor;
    fn call(&self, x: &Tensor) -> Tensor {
        x + self.first.apply(x)
    }
}
impl Layer for Net {
    type Out = Tensor;
    fn call(&self, x: &Tensor) -> Tensor {
        self.block.apply(&self.first.apply(x))
    }
}

/// A layer that no file knows.
#[derive(Module, Clone)]
struct Gate {
    inner: Dense,
    scale: Variable,
}
impl Layer for Gate {
    type Out = Tensor;
    fn call(&self, x: &Tensor) -> Tensor {
        self.inner.apply(x) * self.scale.shaped([3]).sigmoid()
    }
}

fn wide_and_deep() -> Result<Functional> {
    let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
    let hidden = Dense::new(8).activation(Relu).apply(&deep);
    let hidden = Dropout::new(0.2).apply(&Dense::new(8).activation(Relu).apply(&hidden));
    let main = Dense::new(1).named("main_output").apply(&concat([&wide, &hidden], -1));
    let aux = Dense::new(1).named("aux_output").apply(&hidden);
    Functional::new([&wide, &deep], [("main", &main), ("aux", &aux)])
}

#[test]
fn drawn_models_go_there_and_back() -> Result {
    let (a, b) = (numbers(&[10, 5], 1), numbers(&[10, 6], 2));
    let model = wide_and_deep()?.compile(
        Sgd::new(0.1),
        [MeanSquaredError.on("aux").weight(0.1), MeanSquaredError.on("main").weight(0.9)],
    );
    there_and_back(&model, &[&a, &b], "wide_and_deep");
    let folder = Folder::new("names");
    model.save(folder.path("model.keras"))?;
    let loaded = carnyx::load(folder.path("model.keras"))?;
    assert_eq!(loaded.predict_all([("deep", &b), ("wide", &a)])?, model.predict_all([&a, &b])?);
    let names: Vec<&str> = loaded.network().outputs().iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["main", "aux"]);

    let (x, y) = (Tensor::input("x", [4]), Tensor::input("y", [4]));
    let shared = Dense::new(3).activation(Tanh);
    let (p, q) = (shared.apply(&x), shared.apply(&y));
    let inner = Sequential::new().then(Dense::new(3)).then(Dense::new(3));
    let nested = {
        let input = Tensor::input("x", [3]);
        Functional::new(&input, &(Dense::new(3).apply(&input) + &input))?
    };
    let r = nested.apply(&nested.apply(&inner.apply(&(&p * &q - &p))));
    let net = Functional::new([&x, &y], &concat([&r, &p, &r], 1))?;
    let model = net.compile(Adam::new(0.1), MeanSquaredError);
    there_and_back(&model, &[&numbers(&[10, 4], 1), &numbers(&[10, 4], 2)], "shared");

    let net = Net { first: Dense::new(4), block: Block { first: Dense::new(4) } };
    let model = net.compile(Adam::new(0.1), MeanSquaredError);
    there_and_back(&model, &[&numbers(&[10, 3], 1)], "struct");

    // The same layer twice in a row is drawn; one layer alone is a model too.
    let twice = Dense::new(4);
    let model =
        Sequential::new().then(twice.clone()).then(Relu).then(twice).compile(Sgd::new(0.1), MeanSquaredError);
    there_and_back(&model, &[&numbers(&[10, 4], 1)], "twice");
    there_and_back(
        &Dense::new(2).compile(Sgd::new(0.1), MeanSquaredError),
        &[&numbers(&[10, 4], 1)],
        "alone",
    );
    Ok(())
}

/// Trains 4 epochs, and 2 and 2 with a file between them.
pub(crate) fn interrupted<L: Module>(
    make: impl Fn() -> Model<L>,
    inputs: &[Array],
    targets: &[Array],
    test: &str,
) {
    let folder = Folder::new(test);
    let data = || (inputs.to_vec(), targets.to_vec());
    let mut whole = make();
    let expected = whole.fit(data(), quiet(4).batch_size(8)).unwrap();
    let outputs = bits(&whole.predict_all(inputs.to_vec()).unwrap());
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("model.{ending}"));
        let mut first = make();
        first.fit(data(), quiet(2).batch_size(8)).unwrap();
        first.save(&path).unwrap();
        let mut second = carnyx::load(&path).unwrap();
        assert_eq!(second.epochs_trained(), 2);
        assert_eq!(second.optimizer.learning_rate.to_bits(), first.optimizer.learning_rate.to_bits());
        let history = second.fit(data(), quiet(2).batch_size(8)).unwrap();
        assert_eq!(history.epochs, expected.epochs[2..], "{test}.{ending}");
        assert_eq!(bits(&second.predict_all(inputs.to_vec()).unwrap()), outputs, "{test}.{ending}");
    }
}

#[test]
fn training_continues_as_if_it_had_not_been_interrupted() {
    let (x, classes) = (numbers(&[30, 4], 1), Array::from_fn([30], |i| (i % 3) as u8));
    let net = || {
        Sequential::new()
            .then(Dense::new(8).activation(Relu))
            .then(Dropout::new(0.3))
            .then(Dense::new(3).activation(Softmax))
    };
    let optimizers: [fn() -> Optimizer; 17] = [
        || Sgd::new(0.1).into(),
        || Sgd::new(0.1).momentum(0.9).nesterov().into(),
        || Adam::new(0.01).into(),
        || Adam::new(0.0123456789).amsgrad().betas(0.8, 0.99).epsilon(1e-6).into(),
        || RmsProp::new(0.01).rho(0.8).epsilon(1e-5).momentum(0.5).centered().into(),
        || Adagrad::new(0.1).initial_accumulator(0.2).epsilon(1e-6).into(),
        || Adadelta::new(1.0).rho(0.9).epsilon(1e-5).into(),
        || AdamW::new(0.01).amsgrad().weight_decay(0.3).exclude_from_weight_decay(["bias"]),
        || Adamax::new(0.01).betas(0.8, 0.9).into(),
        || Nadam::new(0.01).betas(0.8, 0.9).epsilon(1e-6).into(),
        || Ftrl::new(0.1).l1(1e-3).l2(1e-2).l2_shrinkage(1e-2).beta(0.5).learning_rate_power(-0.6).into(),
        || Lion::new(0.01).betas(0.8, 0.9).clip_value(0.1),
        || Lamb::new(0.01).betas(0.8, 0.9).clip_norm(0.2),
        || Adafactor::new(0.1).beta_2_decay(-0.7).epsilons(1e-20, 1e-2).clip_threshold(0.8).into(),
        || Muon::new(0.01).momentum(0.9).iterations(4).rms(0.3).adam_weight_decay(0.1).global_clip_norm(0.3),
        || Muon::new(0.01).without_nesterov().rms(None).exclude(["dense_1"]).adam_betas(0.8, 0.9).into(),
        || Nadam::new(0.01).gradient_accumulation_steps(3).weight_decay(0.1),
    ];
    for (i, optimizer) in optimizers.into_iter().enumerate() {
        let make = || net().compile(optimizer(), SparseCategoricalCrossentropy).metric(Accuracy).seed(7);
        interrupted(
            make,
            std::slice::from_ref(&x),
            std::slice::from_ref(&classes),
            &format!("interrupted_{i}"),
        );
    }
    let make = || {
        let objective = [MeanAbsoluteError.on("aux").weight(0.1), MeanSquaredError.on("main").weight(0.9)];
        let model = wide_and_deep().unwrap().compile(Adam::new(0.01), objective);
        model.metric(RootMeanSquaredError).metric_on("aux", MeanAbsoluteError).seed(u64::MAX)
    };
    let inputs = [numbers(&[30, 5], 1), numbers(&[30, 6], 2)];
    interrupted(make, &inputs, &[numbers(&[30, 1], 3), numbers(&[30, 1], 4)], "interrupted_functional");
}

/// Trains, saves, and trains the model and what was loaded: both go the same way.
fn resumed<L: Module>(mut model: Model<L>, x: &Array, y: &Array, test: &str) {
    let folder = Folder::new(test);
    model.fit((x, y), quiet(2).batch_size(8)).unwrap();
    let mut loaded = Vec::new();
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("model.{ending}"));
        model.save(&path).unwrap();
        loaded.push(carnyx::load(&path).unwrap());
    }
    let expected = model.fit((x, y), quiet(2).batch_size(8)).unwrap();
    let outputs = model.predict(x).unwrap();
    for mut loaded in loaded {
        let history = loaded.fit((x, y), quiet(2).batch_size(8)).unwrap();
        assert_eq!(history.epochs, expected.epochs, "{test}");
        assert_eq!(loaded.predict(x).unwrap(), outputs, "{test}");
    }
}

#[test]
fn averages_penalties_and_bounds_go_there_and_back() {
    let (x, y) = (numbers(&[30, 4], 1), numbers(&[30, 3], 2));
    let net = || Sequential::new().then(Dense::new(8).activation(Relu)).then(Dense::new(3));
    let averaged = Sgd::new(0.1).momentum(0.9).moving_average(0.8).overwrite_with_average_every(3);
    resumed(net().compile(averaged, MeanSquaredError), &x, &y, "averaged");
    let averaged = Adafactor::new(0.1).gradient_accumulation_steps(3).moving_average(0.8);
    resumed(net().compile(averaged, MeanSquaredError), &x, &y, "averaged_sums");
    let penalized = || {
        Dense::new(3)
            .kernel_regularizer(L1L2::new(0.01, 0.02))
            .kernel_constraint(MaxNorm::new(0.5).axes([0, 1]))
            .bias_regularizer(L1::new(0.03))
            .bias_constraint(NonNeg)
            .activity_regularizer(L2::new(0.04))
    };
    let orthogonal = Dense::new(4)
        .kernel_regularizer(OrthogonalRegularizer::new(0.1).columns())
        .kernel_constraint(MinMaxNorm::new(0.5, 0.9).rate(0.5).axes([1]))
        .bias_constraint(UnitNorm::new());
    let row = Sequential::new().then(orthogonal).then(penalized());
    resumed(row.compile(Sgd::new(0.1), MeanSquaredError), &x, &y, "penalized");
    let gate = Gate {
        inner: penalized(),
        scale: Variable::new(Ones).regularized(std::sync::Arc::new(L2::new(0.1))),
    };
    resumed(gate.compile(Adam::new(0.1), MeanSquaredError), &x, &y, "penalized_trace");
}

#[test]
fn frozen_layers_stay_frozen() -> Result {
    let folder = Folder::new("frozen");
    let path = folder.path("model.keras");
    let (x, y) = (numbers(&[20, 4], 1), numbers(&[20, 1], 2));
    let mut model =
        Sequential::new().then(Dense::new(4)).then(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError);
    model.fit((&x, &y), quiet(1))?;
    model.layer("dense").unwrap().variables()[0].set_trainable(false);
    model.fit((&x, &y), quiet(1))?;
    model.save(&path)?;
    let mut loaded = carnyx::load(&path)?;
    assert_eq!(loaded.trainable().len(), 3);
    model.fit((&x, &y), quiet(1))?;
    loaded.fit((&x, &y), quiet(1))?;
    assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
    Ok(())
}

#[test]
fn weights_alone_go_there_and_back() -> Result {
    let folder = Folder::new("weights");
    let x = numbers(&[8, 5], 1);
    let make = |seed| {
        let net = Sequential::new().then(Dense::new(4)).then(Sequential::new().then(Dense::new(3)));
        net.compile(Adam::new(0.1), MeanSquaredError).seed(seed)
    };
    let (first, second) = (make(1), make(2));
    let expected = first.predict(&x)?;
    assert_ne!(second.predict(&x)?, expected);
    for name in ["w.weights.h5", "w.safetensors"] {
        first.save_weights(folder.path(name))?;
        let other = make(3);
        // Both before and after the model has seen data.
        other.load_weights(folder.path(name))?;
        assert_eq!(other.predict(&x)?, expected, "{name}");
        other.predict(&x)?;
        other.load_weights(folder.path(name))?;
        assert_eq!(other.predict(&x)?, expected, "{name}");
    }
    // The weights of a whole model in the older format.
    first.save(folder.path("model.h5"))?;
    second.load_weights(folder.path("model.h5"))?;
    assert_eq!(second.predict(&x)?, expected);

    let gate = || Gate { inner: Dense::new(3), scale: Variable::new(RandomNormal::default()) };
    let (trained, fresh) = (gate(), gate());
    let y = trained.apply(&Tensor::from(&x)).eval()?;
    for name in ["gate.weights.h5", "gate.safetensors"] {
        trained.save_weights(folder.path(name))?;
        fresh.load_weights(folder.path(name))?;
        assert_eq!(fresh.apply(&Tensor::from(&x)).eval()?, y);
    }
    Ok(())
}

#[test]
fn files_of_keras_predict_what_keras_predicted() -> Result {
    let files = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/keras/files"));
    let expected: Value = std::fs::read_to_string(files.join("expected.json")).unwrap().parse().unwrap();
    let list = |value: &Value| -> Vec<f32> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
    };
    let names: Vec<(&str, &str)> = vec![
        ("sequential", "sequential.keras"),
        ("sequential", "sequential.h5"),
        ("shared", "shared.keras"),
        ("shared", "shared.h5"),
    ];
    for (name, file) in names {
        let model = carnyx::load_network(files.join(file))?.compile(Sgd::new(0.1), MeanSquaredError);
        let inputs: Vec<Array> = expected[name]["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .zip(model.inputs())
            .map(|(data, input)| {
                let data = list(data);
                let row: usize = input.shape().iter().skip(1).filter_map(|dim| dim.fixed()).product();
                let mut shape = vec![data.len() / row];
                shape.extend(input.shape().iter().skip(1).filter_map(|dim| dim.fixed()));
                Array::new(shape, data).unwrap()
            })
            .collect();
        let found: Vec<f32> = model.predict_all(inputs)?.iter().flat_map(Array::values).collect();
        let expected = list(&expected[name]["outputs"]);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{file}: {found} and {expected}");
        }
    }
    let compiled = carnyx::load(files.join("sequential.keras"))?;
    assert_eq!((compiled.optimizer.name(), compiled.optimizer.iterations()?), ("adam", 1));
    Ok(())
}

/// The message of a mistake in a file, without the folder that it lies in.
#[track_caller]
pub(crate) fn assert_file_message<T>(name: &str, folder: &Folder, result: Result<T>) {
    let Err(error) = result else { panic!("{name}: an error was expected") };
    assert_eq!(error.code(), "file", "{error}");
    let text = format!("{error}\n").replace(&format!("{}/", folder.0.display()), "");
    assert_golden(&format!("messages/loading_{name}"), &text);
}

#[test]
fn mistakes_in_files_have_messages() -> Result {
    let folder = Folder::new("messages");
    let path = folder.path("model.keras");
    let (x, y) = (Tensor::input("x", [4]), Tensor::input("y", [4]));
    let joined = concat([&Dense::new(3).apply(&x), &Dense::new(2).apply(&y)], -1);
    let net = Functional::new([&x, &y], &Dense::new(1).apply(&joined))?;
    let mut model = net.compile(Adam::new(0.1), MeanSquaredError);
    model.fit((vec![numbers(&[8, 4], 1), numbers(&[8, 4], 2)], vec![numbers(&[8, 1], 3)]), quiet(1))?;
    model.save(&path)?;
    let good = Archive::read(&path)?;
    let broken = folder.path("broken.keras");
    let load = |change: &dyn Fn(&mut Archive)| {
        let mut archive = good.clone();
        change(&mut archive);
        archive.write(&broken)?;
        carnyx::load(&broken)
    };
    let set = |pointer: &'static str, json: &str| {
        let value: Value = json.parse().unwrap();
        let broken = broken.clone();
        let mut archive = good.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match archive.config.pointer_mut(pointer) {
            Some(old) => *old = value,
            None => archive.config.pointer_mut(parent).expect(parent)[field] = value,
        }
        archive.extra.clear();
        archive.write(&broken)?;
        carnyx::load(&broken)
    };
    let message = |name: &str, result: Result<Model<Functional>>| assert_file_message(name, &folder, result);
    // x, y, dense, dense_1, concatenate, dense_2
    message("unknown_class", set("/config/layers/2/class_name", "\"Densse\""));
    message("no_class", set("/config/layers/2/class_name", "3"));
    message("units_of_another_type", set("/config/layers/2/config/units", "\"many\""));
    message("units_negative", set("/config/layers/2/config/units", "-1"));
    message("units_huge", set("/config/layers/2/config/units", "1000000000000"));
    message("activation", set("/config/layers/2/config/activation", "\"relo\""));
    message("name_twice", set("/config/layers/3/config/name", "\"dense\""));
    message("shape_unknown", set("/config/layers/0/config/batch_shape", "[null, null]"));
    message("shape_huge", set("/config/layers/0/config/batch_shape", "[null, 1000000000]"));
    message(
        "shape_of_nothing_known",
        set("/config/layers/0/config/batch_shape", "[null, 2147483648, 2147483648]"),
    );
    message("layers_no_list", set("/config/layers", "{}"));
    message("layers_none", set("/config/layers", "[]"));
    message("no_such_source", set("/config/output_layers", "[\"dens\", 0, 0]"));
    message("no_such_use", set("/config/output_layers", "[\"dense\", 1, 0]"));
    message("no_such_output", set("/config/output_layers", "[\"dense\", 0, 1]"));
    message("input_is_a_layer", set("/config/input_layers", "[[\"dense\", 0, 0], [\"y\", 0, 0]]"));
    message("inbound_nodes", set("/config/layers/2/inbound_nodes", "7"));
    message(
        "cycle",
        set("/config/layers/2/inbound_nodes/0/args/0/config/keras_history", "[\"dense_2\", 0, 0]"),
    );
    message("loss", set("/compile_config/loss", "\"hubber\""));
    message("loss_smoothed", set("/compile_config/loss/config", "{\"label_smoothing\": 0.1}"));
    message("loss_reduction", set("/compile_config/loss/config", "{\"reduction\": \"median\"}"));
    message("metric", set("/compile_config/metrics", "[\"auk\"]"));
    message("optimizer", set("/compile_config/optimizer/class_name", "\"ScheduleFreeAdamW\""));
    message("optimizer_scaled", set("/compile_config/optimizer/config", "{\"loss_scale_factor\": 128.0}"));
    message(
        "optimizer_patterns",
        set(
            "/compile_config/optimizer",
            "{\"class_name\": \"Muon\", \"config\": {\"exclude_layers\": [\"dense_[12]\"]}}",
        ),
    );
    message("regularizer", set("/config/layers/2/config/kernel_regularizer", "\"l3\""));
    message(
        "regularizer_mode",
        set(
            "/config/layers/2/config/kernel_regularizer",
            "{\"class_name\": \"OrthogonalRegularizer\", \"config\": {\"mode\": \"diagonals\"}}",
        ),
    );
    message("regularizer_unknown_place", set("/config/layers/4/config/activity_regularizer", "\"l2\""));
    message("constraint", set("/config/layers/2/config/bias_constraint", "\"SymmetricNorm\""));
    message("not_compiled", set("/compile_config", "null"));
    message("single_layer", set("/class_name", "\"Dense\""));

    let vars = "layers/dense/vars";
    message(
        "weights_of_other_shape",
        load(&|archive| archive.weights.entry(vars).insert_array("0", numbers(&[4, 5], 0))),
    );
    message(
        "weights_of_other_type",
        load(&|archive| archive.weights.entry(vars).insert_array("1", Array::from([1i32, 2, 3]))),
    );
    message("weights_missing", load(&|archive| *archive.weights.entry("layers/dense") = Group::new()));
    message(
        "weights_too_many",
        load(&|archive| archive.weights.entry(vars).insert_array("2", numbers(&[1], 0))),
    );
    message(
        "weights_of_another_layer",
        load(&|archive| archive.weights.entry("layers/dense_7/vars").insert_array("0", numbers(&[1], 0))),
    );
    message(
        "optimizer_too_few",
        load(&|archive| {
            let vars = archive.weights.entry("optimizer/vars");
            let kept: Vec<Array> = (0..5).map(|i| vars.array(&i.to_string()).unwrap().clone()).collect();
            *vars = Group::new();
            kept.into_iter().enumerate().for_each(|(i, array)| vars.insert_array(i.to_string(), array));
        }),
    );
    message("progress", load(&|archive| archive.extra[0].1 = b"{\"seed\": -1}".to_vec()));
    message("progress_no_json", load(&|archive| archive.extra[0].1 = b"{".to_vec()));
    let mut deep = good.config.clone();
    for _ in 0..60 {
        let mut outer: Value =
            "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": []}}"
                .parse()
                .unwrap();
        outer["config"]["layers"] = Value::from(vec![deep]);
        deep = outer;
    }
    message("nested", load(&|archive| archive.config = deep.clone()));

    let legacy = folder.path("model.h5");
    std::fs::write(&legacy, write_hdf5(&Group::new())?).unwrap();
    message("legacy_without_model", carnyx::load(&legacy));
    std::fs::write(&legacy, b"not HDF5").unwrap();
    message("legacy_damaged", carnyx::load(&legacy));
    message("missing", carnyx::load(folder.path("missing.keras")));
    message("weights_as_model", carnyx::load("model.weights.h5"));
    message("ending", carnyx::load("model.onnx"));

    let weights = folder.path("w.safetensors");
    let dense = Dense::new(2);
    dense.apply(&Tensor::from(&numbers(&[2, 3], 0))).eval()?;
    dense.save_weights(&weights)?;
    assert_file_message("list_of_another_model", &folder, model.load_weights(&weights));
    assert_file_message("list_too_many", &folder, Dense::new(2).without_bias().load_weights(&weights));
    let other = Dense::new(2);
    other.apply(&Tensor::from(&numbers(&[2, 4], 0))).eval()?;
    assert_file_message("list_of_other_shape", &folder, other.load_weights(&weights));
    assert_file_message("list_ending", &folder, other.load_weights("w.npz"));
    Ok(())
}

/// Every value of a configuration, one after another, becomes something else: that is an error or it is not, but it
/// never ends the program.
#[test]
fn odd_configurations_are_no_panic() -> Result {
    fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, inner)| pointers(inner, format!("{at}/{key}"), all))
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, inner)| pointers(inner, format!("{at}/{i}"), all));
            }
            _ => {}
        }
        all.push(at);
    }
    let folder = Folder::new("odd");
    let (first, second) = (folder.path("model.keras"), folder.path("odd.keras"));
    let normalization = Normalization::of([0.5f32, 1.0, 2.0, 4.0], [2.0f32, 1.0, 4.0, 9.0]);
    let x = Tensor::input("x", [3, 4]);
    let h = normalization.apply(&Rescaling::new([1f32, 2.0, 3.0, 4.0]).apply(&x));
    let h = Dropout::new(0.5).apply(&Flatten.apply(&concat([&h, &h], 1)));
    let row = Sequential::new().then(Dense::new(3).activation(LeakyRelu(0.3))).then(Softmax);
    let net = Functional::new(&x, &(row.apply(&h) + Dense::new(3).apply(&h)))?;
    let model = net.compile(Adam::new(0.1), CategoricalCrossentropy).metric(Accuracy);
    model.save(&first)?;
    let good = Archive::read(&first)?;
    let odd = ["null", "-1", "1e300", "18446744073709551615", "\"x\"", "[]", "[[[1]]]", "{}", "true"];
    let odd: Vec<Value> = odd.iter().map(|text| text.parse().unwrap()).collect();
    let mut all = Vec::new();
    pointers(&good.config, String::new(), &mut all);
    let mut progress: Value = String::from_utf8(good.extra[0].1.clone()).unwrap().parse().unwrap();
    let mut errors = 0;
    for pointer in &all {
        for value in &odd {
            let mut archive = good.clone();
            archive.extra.clear();
            *archive.config.pointer_mut(pointer).unwrap() = value.clone();
            archive.write(&second)?;
            match carnyx::load(&second) {
                Ok(model) => drop(model.predict(Array::full([2, 3, 4], 1f32))),
                Err(error) => errors += usize::from(error.code() == "file"),
            }
        }
    }
    assert!(errors > all.len(), "{errors} errors at {} places", all.len());
    all.clear();
    pointers(&progress, String::new(), &mut all);
    let whole = progress.clone();
    for pointer in &all {
        for value in &odd {
            progress.clone_from(&whole);
            *progress.pointer_mut(pointer).unwrap() = value.clone();
            let mut archive = good.clone();
            archive.extra[0].1 = progress.to_string().into_bytes();
            archive.write(&second)?;
            let _ = carnyx::load(&second);
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_saved_has_a_message() {
    let folder = Folder::new("refused");
    let path = folder.path("model.keras");
    std::fs::write(&path, b"old").unwrap();
    assert_message(
        "saving_unseen",
        Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError).save(&path),
    );
    let model =
        Sequential::new().then(Input::new([3])).then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("saving_weights_ending", model.save("model.safetensors"));
    assert_message("saving_unseen_weights", Dense::new(3).save_weights("w.weights.h5"));
    // The old file is as it was.
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

/// A model of one's own with everything that a trace must hold: a gate, noise, a penalty, a moving average.
#[derive(Module, Clone)]
struct Own {
    gate: Gate,
    dropout: Dropout,
    seen: Variable,
    head: Dense,
}

impl Layer for Own {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let seen = self.seen.shaped([3]);
        let h = self.dropout.apply(&self.gate.apply(x)) - &seen * 0.1;
        let h = if x.is_training() {
            h.and_loss(h.square().mean() * 0.01).and_update(&self.seen, seen.lerp(&h.mean_along(0), 0.5))
        } else {
            h
        };
        self.head.apply(&h.exp())
    }
}

#[test]
fn what_files_have_no_layers_for_is_saved_as_a_trace() -> Result {
    let gate = || Gate { inner: Dense::new(3), scale: Variable::new(Ones) };
    let own = || Own {
        gate: gate(),
        dropout: Dropout::new(0.3),
        seen: Variable::new(Zeros).untrained(),
        head: Dense::new(1),
    };
    let (x, y) = (numbers(&[30, 4], 1), numbers(&[30, 1], 2));
    let make = || own().compile(Adam::new(0.01), MeanSquaredError).metric(RootMeanSquaredError).seed(3);
    interrupted(make, std::slice::from_ref(&x), std::slice::from_ref(&y), "interrupted_trace");
    let make = || {
        let net = Sequential::new().then(gate()).then(Lambda::new(|x| x.relu().square())).then(Dense::new(1));
        net.compile(Sgd::new(0.01).momentum(0.9), MeanSquaredError)
    };
    interrupted(make, std::slice::from_ref(&x), std::slice::from_ref(&y), "interrupted_lambda");
    let model = make();
    model.predict(&x)?;
    there_and_back(&model, &[&x], "lambda");
    let input = Tensor::input("x", [4]);
    let drawn = Functional::new(&input, [("a", &Dense::new(2).apply(&input).exp()), ("b", &(&input * 2.0))])?;
    there_and_back(&drawn.compile(Sgd::new(0.1), MeanSquaredError), &[&x], "exp");

    // Another batch size, another program, a copy, a frozen part: it is a model like any other.
    let folder = Folder::new("trace");
    let mut model = own().compile(Adam::new(0.01), MeanSquaredError);
    model.fit((&x, &y), quiet(1))?;
    model.save(folder.path("own.keras"))?;
    let loaded = carnyx::load(folder.path("own.keras"))?;
    assert_eq!(loaded.predict(&x.rows(0..7)?)?, model.predict(&x.rows(0..7)?)?);
    assert_eq!((loaded.num_parameters(), loaded.trainable().len()), (model.num_parameters(), 5));
    assert!(loaded.summary().to_string().contains("(Traced)"));
    let mut fork = loaded.fork();
    let before = loaded.predict(&x)?;
    fork.fit((&x, &y), quiet(1).batch_size(7))?;
    assert_eq!(loaded.predict(&x)?, before);
    loaded.freeze();
    assert!(loaded.trainable().is_empty());
    let wrong = loaded.predict(numbers(&[4, 5], 1)).unwrap_err();
    assert_eq!(wrong.code(), "shape");
    Ok(())
}
