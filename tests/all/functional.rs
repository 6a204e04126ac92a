//! Models drawn with tensors: structure, sharing, training in each mode, and what goes wrong.

use carnyx::prelude::*;
use carnyx::{Functional, Model};

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent).shuffle(false)
}

fn numbers(rows: usize, columns: usize, seed: usize) -> Array {
    Array::from_fn([rows, columns], |i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0)
}

fn wide_and_deep() -> Result<Functional> {
    let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
    let hidden = Dense::new(30).activation(Relu).apply(&deep);
    let hidden = Dense::new(30).activation(Relu).apply(&hidden);
    let main = Dense::new(1).named("main_output").apply(&concat([&wide, &hidden], -1));
    let aux = Dense::new(1).named("aux_output").apply(&hidden);
    Functional::new([&wide, &deep], [&main, &aux])
}

fn compiled() -> Model<Functional> {
    let objective =
        [MeanSquaredError.on("main_output").weight(0.9), MeanSquaredError.on("aux_output").weight(0.1)];
    wide_and_deep().unwrap().compile(Sgd::new(1e-2), objective).metric(RootMeanSquaredError)
}

#[test]
fn a_model_with_two_inputs_and_an_auxiliary_output() -> Result {
    let mut model = compiled();
    let names: Vec<&str> = model.names().collect();
    assert_eq!(names, ["wide", "deep", "dense", "dense_1", "main_output", "aux_output"]);
    assert_eq!(model.num_parameters(), (6 * 30 + 30) + (30 * 30 + 30) + (35 + 1) + (30 + 1));
    let (a, b, y) = (numbers(256, 5, 1), numbers(256, 6, 2), numbers(256, 1, 3));
    let history = model.fit(([&a, &b], [&y, &y]), quiet(3).validation(([&a, &b], [&y, &y])))?;
    for epoch in &history.epochs {
        let of = |name: &str| epoch.get(name).unwrap();
        for prefix in ["", "val_"] {
            let total = of(&format!("{prefix}loss"));
            let main = of(&format!("{prefix}main_output_loss"));
            let aux = of(&format!("{prefix}aux_output_loss"));
            assert!((total - (0.9 * main + 0.1 * aux)).abs() < 1e-6, "{total} of {main} and {aux}");
        }
        assert!(of("val_main_output_root_mean_squared_error") > 0.0);
    }
    assert!(history.last("loss") < history.values("loss").first().copied());

    let logs = model.evaluate(([&a, &b], [&y, &y]))?;
    assert_eq!(logs.get("loss"), history.last("val_loss"));
    let outputs = model.predict_all([&a, &b])?;
    assert_eq!(outputs.iter().map(Array::shape).collect::<Vec<_>>(), [[256, 1], [256, 1]]);
    // By name, in any order.
    assert_eq!(model.predict_all([("deep", &b), ("wide", &a)])?, outputs);
    let named = ([("deep", &b), ("wide", &a)], [("aux_output", &y), ("main_output", &y)]);
    assert_eq!(model.evaluate(named)?, logs);
    Ok(())
}

#[test]
fn the_same_layers_in_three_forms_predict_the_same_bits() -> Result {
    #[derive(Module, Clone)]
    struct Net {
        dense: Dense,
        dense_1: Dense,
    }
    impl Layer for Net {
        type Out = Tensor;
        fn call(&self, x: &Tensor) -> Tensor {
            self.dense_1.apply(&self.dense.apply(x))
        }
    }
    let x = numbers(20, 4, 1);
    let (hidden, last) = (Dense::new(8).activation(Tanh), Dense::new(2));
    let sequential = Sequential::new().then(hidden.clone()).then(last.clone());
    let subclassed = Net { dense: hidden.clone(), dense_1: last.clone() };
    let drawing = Tensor::input("x", [4]);
    let functional = Functional::new(&drawing, &last.apply(&hidden.apply(&drawing)))?;
    let model = sequential.clone().compile(Sgd::new(0.1), MeanSquaredError);
    let expected = model.predict(&x)?;
    assert_eq!(subclassed.clone().compile(Sgd::new(0.1), MeanSquaredError).predict(&x)?, expected);
    assert_eq!(functional.compile(Sgd::new(0.1), MeanSquaredError).predict(&x)?, expected);
    // Each of the others can be turned into a functional one.
    for drawn in [Functional::of(&sequential, &drawing)?, Functional::of(&subclassed, &drawing)?] {
        assert_eq!(drawn.names().collect::<Vec<_>>(), ["x", "dense", "dense_1"]);
        assert_eq!(drawn.compile(Sgd::new(0.1), MeanSquaredError).predict(&x)?, expected);
    }
    Ok(())
}

#[test]
fn layers_are_drawn_again_in_each_mode() -> Result {
    // With a rate of almost one, dropout leaves next to nothing in training and everything in inference.
    let x = Tensor::input("x", [50]);
    let model = Functional::new(&x, &Dropout::new(0.99).apply(&(&x * 2.0)))?;
    let mut model = model.compile(Sgd::new(0.0), MeanSquaredError);
    let ones = Array::full([16, 50], 1f32);
    assert_eq!(model.predict(&ones)?, Array::full([16, 50], 2f32));
    let history = model.fit((&ones, &Array::zeros([16, 50], DType::F32)), quiet(1))?;
    assert!(history.last("loss").unwrap() > 100.0, "{:?}", history.last("loss"));
    Ok(())
}

#[test]
fn a_shared_layer_has_its_variables_once() -> Result {
    let (a, b) = (Tensor::input("a", [3]), Tensor::input("b", [3]));
    let encoder = Sequential::new().then(Dense::new(4).activation(Relu)).then(Dense::new(2));
    let distance = (encoder.apply(&a) - encoder.apply(&b)).square().sum_along(-1).expand(-1);
    let net = Functional::new([&a, &b], &distance)?;
    assert_eq!(net.names().collect::<Vec<_>>(), ["a", "sequential", "b"]);
    assert_eq!(net.num_parameters(), 3 * 4 + 4 + 4 * 2 + 2);
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    let (x, y) = (numbers(64, 3, 1), numbers(64, 3, 2));
    let twins = model.predict([&x, &x])?;
    assert_eq!(twins, Array::zeros([64, 1], DType::F32));
    let history = model.fit(([&x, &y], &Array::full([64, 1], 1f32)), quiet(20))?;
    assert!(history.last("loss").unwrap() < 0.5 * history.values("loss")[0]);
    Ok(())
}

#[test]
fn a_model_is_a_layer_of_another_model() -> Result {
    let inner = {
        let x = Tensor::input("x", [4]);
        Functional::new(&x, &(Dense::new(4).activation(Relu).apply(&x) + &x))?
    };
    let outer = Sequential::new().then(inner.clone()).then(inner.clone()).then(Dense::new(1));
    assert_eq!(outer.names().collect::<Vec<_>>(), ["functional", "functional_1", "dense"]);
    let model = outer.compile(Sgd::new(0.1), MeanSquaredError);
    assert_eq!(model.predict(numbers(8, 4, 0))?.shape(), [8, 1]);
    assert_eq!(model.num_parameters(), 20 + 5);

    let drawing = Tensor::input("sample", [4]);
    let twice = inner.apply(&inner.apply(&drawing));
    let nested = Functional::new(&drawing, &twice)?.compile(Sgd::new(0.1), MeanSquaredError);
    assert_eq!(nested.predict(numbers(8, 4, 0))?.shape(), [8, 4]);
    Ok(())
}

#[test]
fn part_of_a_model_is_a_model() -> Result {
    let model = compiled();
    let (a, b) = (numbers(10, 5, 1), numbers(10, 6, 2));
    let whole = model.predict_all([&a, &b])?;
    let features = model.until("dense_1")?;
    assert_eq!(features.inputs().len(), 1);
    let features = features.compile(Sgd::new(0.1), MeanSquaredError);
    assert_eq!(features.predict(&b)?.shape(), [10, 30]);

    // A second head on an inner output, and the first layers cut off.
    let hidden = model.tensor("dense_1")?.clone();
    let deep = model.inputs()[1].clone();
    let head = Functional::new(&deep, &Dense::new(3).activation(Softmax).apply(&hidden))?;
    assert_eq!(head.names().collect::<Vec<_>>(), ["deep", "dense", "dense_1", "dense_2"]);
    let rest = Functional::new([&model.inputs()[0], &hidden], [model.tensor("main_output")?])?;
    let rest = rest.compile(Sgd::new(0.1), MeanSquaredError);
    assert_eq!(rest.predict([&a, &features.predict(&b)?])?, whole[0]);
    Ok(())
}

#[test]
fn what_cannot_be_a_model() {
    let (a, b) = (Tensor::input("a", [3]), Tensor::input("b", [3]));
    let sum = &a + &b;
    let missing = Functional::new(&a, &sum).unwrap_err();
    assert_eq!((missing.code(), missing.title()), ("model", "an output depends on the input `b`"));
    let unused = Functional::new([&a, &b], &a.exp()).unwrap_err();
    assert_eq!(unused.title(), "the input `b` leads to no output");
    assert_eq!(Functional::new([&a, &a], &a.exp()).unwrap_err().title(), "an input is listed twice");
    let same = Tensor::input("a", [2]);
    let names = Functional::new([&a, &same], [&a.exp(), &same.exp()]).unwrap_err();
    assert_eq!(names.title(), "two inputs or layers are named `a`");
    let invalid = Functional::new(&a, &(&a + &Tensor::input("c", [4]))).unwrap_err();
    assert_eq!(invalid.code(), "shape");
    let layers = Dense::new(1).named("one").apply(&a) + Dense::new(1).named("one").apply(&a);
    assert_eq!(Functional::new(&a, &layers).unwrap_err().title(), "two layers are named `one`");
    let outputs = Functional::new(&a, [("y", &a.exp()), ("y", &a.log())]).unwrap_err();
    assert_eq!(outputs.title(), "two outputs are named `y`");
    let net = Functional::new(&a, &Dense::new(2).apply(&a)).unwrap();
    assert_eq!(net.until("dens").unwrap_err().advice(), Some("did you mean `dense`?"));

    let mut model = compiled();
    let (x, y) = (numbers(8, 5, 0), numbers(8, 1, 0));
    let wrong = model.fit(([&x, &x], [&y, &y]), quiet(1)).unwrap_err();
    assert_eq!(wrong.title(), "the samples have shape [5], `Input` states [6]");
    assert_eq!(wrong.layers(), ["functional", "deep"]);
    let unknown = model.predict_all([("wide", &x), ("depe", &x)]).unwrap_err();
    assert_eq!(unknown.advice(), Some("did you mean `deep`?"));
    let absent = model.predict_all([("wide", &x)]).unwrap_err();
    assert_eq!(absent.title(), "the input `deep` is missing");
    assert_eq!(model.predict_all([&x]).unwrap_err().code(), "data");
}

#[test]
fn the_report_on_outputs_says_what_each_teaches_the_shared_layers() -> Result {
    let (a, b, y) = (numbers(256, 5, 1), numbers(256, 6, 2), numbers(256, 1, 3));
    let mut model = compiled();
    let history = model.fit(([&a, &b], [&y, &y]), quiet(3).head_report())?;
    let report = history.heads().expect("it was asked for");
    assert_eq!(report.outputs, ["aux_output", "main_output"]);
    for epoch in 0..3 {
        let share = |name: &str| report.share(name, epoch).unwrap();
        assert!((share("main_output") + share("aux_output") - 1.0).abs() < 1e-9);
        assert!((0.01..0.6).contains(&share("aux_output")), "{}", share("aux_output"));
        let cosine = report.cosine("main_output", "aux_output", epoch).unwrap();
        assert!((-1.0..=1.0).contains(&cosine) && cosine != 0.0);
    }
    let text = report.to_string();
    assert!(
        text.contains("epoch 3 | aux_output: ") && text.contains("pull") | text.contains("teach"),
        "{text}"
    );

    // The same head twice teaches the same; a negative weight pulls the other way.
    let x = Tensor::input("x", [6]);
    let hidden = Dense::new(8).activation(Tanh).apply(&x);
    let head = Dense::new(1);
    let twins = [("one", &head.apply(&hidden)), ("two", &head.apply(&hidden))];
    for (weight, cosine, share) in [(1.0, 1.0, 0.5), (-1.0, -1.0, 0.5), (0.25, 1.0, 0.2)] {
        let objective = [MeanSquaredError.on("one"), MeanSquaredError.on("two").weight(weight)];
        let mut model = Functional::new(&x, twins)?.compile(Sgd::new(1e-6), objective);
        let history = model.fit((&b, [&y, &y]), quiet(1).head_report())?;
        let report = history.heads().expect("it was asked for");
        assert!((report.cosine("one", "two", 0).unwrap() - cosine).abs() < 1e-4);
        assert!((report.share("two", 0).unwrap() - share).abs() < 1e-4);
    }

    let single = Functional::new(&x, &hidden)?.compile(Sgd::new(0.1), MeanSquaredError);
    let y = numbers(256, 8, 1);
    let error = { single }.fit((&b, &y), quiet(1).head_report()).unwrap_err();
    assert_eq!(error.title(), "there are no layers that several outputs share");
    Ok(())
}

#[test]
fn a_loss_that_teaches_nothing_is_an_error() {
    let net = Sequential::new().then(Dense::new(4)).then(Heaviside);
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    let error = model.fit((&numbers(8, 3, 0), &numbers(8, 4, 0)), quiet(1)).unwrap_err();
    assert_eq!((error.code(), error.title()), ("gradient", "no gradient reaches any variable of the model"));
}

/// A layer of one's own, whose structure depends on a random choice in training.
#[derive(Module, Clone)]
struct Deep {
    stem: Dense,
    blocks: Vec<Dense>,
    gain: Variable,
    #[module(skip)]
    turn: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Layer for Deep {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let depth = if x.is_training() { turn % (self.blocks.len() + 1) } else { self.blocks.len() };
        let h = self.blocks[..depth].iter().fold(self.stem.apply(x), |h, block| &h + block.apply(&h));
        (h * self.gain.shaped([4])).sum_along(-1).expand(-1)
    }
}

/// A copy is equal, goes the same way on the same data, and leaves the original alone.
fn check_fork<L: Layer + 'static>(mut model: Model<L>) -> Result {
    let (x, y) = (numbers(64, 3, 5), numbers(64, 1, 6));
    model.fit((&x, &y), quiet(2))?;
    let mut fork = model.fork();
    assert_eq!(fork.epochs_trained(), 2);
    let before = model.predict(&x)?;
    assert_eq!(fork.predict(&x)?, before);
    let ids = |model: &Model<L>| model.variables().iter().map(Variable::id).collect::<Vec<_>>();
    assert!(ids(&model).iter().all(|id| !ids(&fork).contains(id)));
    assert_eq!(
        model.named_variables().iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(),
        fork.named_variables().iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(),
    );
    let fork_history = fork.fit((&x, &y), quiet(2))?;
    assert_eq!(model.predict(&x)?, before);
    assert_ne!(fork.predict(&x)?, before);
    assert_eq!(model.fit((&x, &y), quiet(2))?, fork_history);
    assert_eq!(model.predict(&x)?, fork.predict(&x)?);
    Ok(())
}

#[test]
fn any_model_can_be_copied() -> Result {
    let dense = || Dense::new(4).activation(Tanh);
    let objective = || MeanSquaredError;
    let inner = Sequential::new().then(dense()).then(Dropout::new(0.5));
    let sequential = Sequential::new().then(inner).then(dense().named("top")).then(Dense::new(1));
    check_fork(sequential.compile(Adam::new(0.01), objective()).metric(RootMeanSquaredError))?;

    let x = Tensor::input("x", [3]);
    let (shared, gain) = (Dense::new(3), Variable::from(Array::from([1f32, 2.0, 3.0])));
    let hidden = shared.apply(&shared.apply(&x)) * Tensor::read(&gain);
    let functional = Functional::new(&x, &Dense::new(1).apply(&Dropout::new(0.2).apply(&hidden)))?;
    assert_eq!(functional.num_parameters(), 12 + 4 + 3);
    let copy = functional.copied();
    let (ours, theirs) = (functional.until("dense")?, copy.until("dense")?);
    assert_ne!(ours.variables()[0].id(), theirs.variables()[0].id());
    check_fork(functional.compile(Sgd::new(0.01).momentum(0.9), objective()))?;

    let turn = std::sync::Arc::default();
    let (blocks, gain) = (vec![Dense::new(4), Dense::new(4)], Variable::new(Ones));
    let deep = Deep { stem: dense(), blocks, gain, turn };
    // Each model counts its own turns only if it is alone: here both must see the same sequence of structures.
    let mut model = deep.compile(Adam::new(0.01), objective()).dynamic();
    let (x, y) = (numbers(64, 3, 5), numbers(64, 1, 6));
    model.fit((&x, &y), quiet(2))?;
    let fork = model.fork();
    assert_eq!(fork.predict(&x)?, model.predict(&x)?);
    model.fit((&x, &y), quiet(2))?;
    assert_ne!(fork.predict(&x)?, model.predict(&x)?);
    Ok(())
}

#[test]
fn a_head_report_changes_nothing() -> Result {
    let (x, y) = (numbers(64, 3, 5), numbers(64, 1, 6));
    let train = |fit: Fit| {
        let input = Tensor::input("x", [3]);
        let hidden = BatchNormalization::new().apply(&Dense::new(4).apply(&input));
        let (one, two) = (Dense::new(1).apply(&hidden), Dense::new(1).apply(&hidden));
        let net = Functional::new(&input, [("one", &one), ("two", &two)])?;
        let mut model = net.compile(Sgd::new(0.01), MeanSquaredError);
        model.fit((&x, [&y, &y]), fit)?;
        model.variables().iter().map(Variable::value).collect::<Result<Vec<Array>>>()
    };
    // Moving averages move with steps, not with measurements.
    assert_eq!(train(quiet(2).head_report())?, train(quiet(2))?);
    Ok(())
}
