//! Trainings with exactly one illness each, of which the advice names that and nothing else, and healthy ones.

use super::*;
use carnyx_graph::{Tensor, concat};
use carnyx_nn::optimizers::OptimizerOptions;
use carnyx_nn::*;

/// Numbers from a normal distribution: sums of twelve even ones of SplitMix64.
struct Normal(u64);

impl Normal {
    fn even(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn next(&mut self) -> f32 {
        (0..12).map(|_| self.even()).sum::<f32>() - 6.0
    }
}

/// Samples to learn from, and others for validation.
struct Task {
    train: (Array, Array),
    valid: (Array, Array),
}

/// `samples` rows of `features` numbers, and of each row what `answer` makes of it and of some noise.
fn task(seed: u64, samples: usize, features: usize, answer: impl Fn(&[f32], &mut Normal) -> f32) -> Task {
    let mut normal = Normal(seed);
    let mut part = |rows: usize| {
        let x = Array::from_fn([rows, features], |_| normal.next());
        let values = x.values();
        let y: Vec<f32> = values.chunks(features).map(|row| answer(row, &mut normal)).collect();
        (x, Array::new([rows, 1], y).unwrap())
    };
    Task { train: part(samples), valid: part(400) }
}

fn regression(seed: u64, samples: usize) -> Task {
    task(seed, samples, 4, |x, noise| x[0].sin() + 0.5 * x[1] + 0.3 * x[2] * x[2] + 0.5 * noise.next())
}

fn binary(seed: u64, samples: usize) -> Task {
    task(seed, samples, 4, |x, noise| f32::from(x[0] + x[1] * x[1] - 1.0 + 0.5 * noise.next() > 0.0))
}

fn classes(seed: u64, samples: usize) -> Task {
    task(seed, samples, 4, |x, noise| {
        let scores = [x[0] + x[1], x[2] - x[1], 1.0 - x[0] * x[0]];
        let noisy = scores.map(|score| score + 0.4 * noise.next());
        (0..3).max_by(|&i, &j| noisy[i].total_cmp(&noisy[j])).unwrap() as f32
    })
}

/// A hidden layer of 16 units, and an output.
fn net(hidden: Dense, output: Dense) -> Sequential {
    Sequential::new().then(hidden).then(output)
}

fn relu() -> Dense {
    Dense::new(16).activation(Relu).kernel_initializer(HeNormal)
}

/// What is said of a training for so many epochs.
fn advice_of<L: Module>(mut model: Model<L>, task: &Task, epochs: usize) -> Advice {
    let Task { train: (x, y), valid: (x_valid, y_valid) } = task;
    let fit = Fit::epochs(epochs).validation((x_valid, y_valid)).verbose(Verbosity::Silent);
    let history = model.fit((x, y), fit).unwrap();
    model.advise(&history, (x, y)).unwrap()
}

fn regressor(hidden: Dense, optimizer: impl Into<Optimizer>, seed: u64) -> Model<Sequential> {
    net(hidden, Dense::new(1)).compile(optimizer, MeanSquaredError).seed(seed)
}

fn is_binary(hidden: Dense, optimizer: impl Into<Optimizer>, seed: u64) -> Model<Sequential> {
    net(hidden, Dense::new(1).activation(Sigmoid)).compile(optimizer, BinaryCrossentropy).seed(seed)
}

fn classifier(hidden: Dense, optimizer: impl Into<Optimizer>, seed: u64) -> Model<Sequential> {
    let output = Dense::new(3).activation(Softmax);
    net(hidden, output).compile(optimizer, SparseCategoricalCrossentropy).seed(seed)
}

/// Fails with what was said where that is not exactly one finding, of this kind.
#[track_caller]
fn assert_only(advice: &Advice, is_expected: impl Fn(&Finding) -> bool) {
    let [finding] = &advice.findings[..] else { panic!("not exactly one finding:\n{advice}") };
    assert!(is_expected(finding), "{advice}");
}

macro_rules! only {
    ($advice:expr, $pattern:pat) => {
        assert_only(&$advice, |finding| matches!(finding, $pattern))
    };
}

const SEEDS: std::ops::Range<u64> = 0..3;

#[test]
fn healthy_regressions() {
    for seed in SEEDS {
        let task = regression(seed, 2000);
        let tanh = || Dense::new(16).activation(Tanh);
        let healthy =
            |advice: Advice| assert_eq!(advice, Advice { findings: vec![], not_judged: vec![] }, "{advice}");
        healthy(advice_of(regressor(relu(), Adam::new(0.01), seed), &task, 80));
        healthy(advice_of(regressor(tanh(), RmsProp::new(0.005), seed), &task, 100));
        healthy(advice_of(regressor(tanh(), Sgd::new(0.02).momentum(0.9), seed), &task, 100));
        let model = net(relu(), Dense::new(1)).compile(Adam::new(0.01), MeanAbsoluteError).seed(seed);
        healthy(advice_of(model, &task, 80));
        let deep = Sequential::new().then(relu()).then(Dropout::new(0.1)).then(relu()).then(Dense::new(1));
        healthy(advice_of(deep.compile(Adam::new(0.003), Huber::default()).seed(seed), &task, 100));
    }
}

#[test]
fn healthy_classifiers() {
    for seed in SEEDS {
        let (two, three) = (binary(seed, 2000), classes(seed, 2000));
        let tanh = || Dense::new(16).activation(Tanh);
        let healthy =
            |advice: Advice| assert_eq!(advice, Advice { findings: vec![], not_judged: vec![] }, "{advice}");
        healthy(advice_of(is_binary(relu(), Adam::new(0.005), seed), &two, 40));
        healthy(advice_of(is_binary(tanh(), Adam::new(0.01).clip_norm(1.0), seed), &two, 40));
        healthy(advice_of(classifier(relu(), Adam::new(0.005), seed), &three, 40));
        healthy(advice_of(classifier(tanh(), Sgd::new(0.05).momentum(0.9), seed), &three, 40));
        let sigmoid = Dense::new(16).activation(Sigmoid);
        healthy(advice_of(classifier(sigmoid, Adam::new(0.02), seed), &three, 60));
        let normalized = Sequential::new()
            .then(relu())
            .then(BatchNormalization::new())
            .then(Dropout::new(0.1))
            .then(Dense::new(3))
            .compile(Adam::new(0.005), SparseCategoricalCrossentropy.from_logits())
            .seed(seed);
        healthy(advice_of(normalized, &three, 40));
    }
}

#[test]
fn trainings_that_end_too_early() {
    for seed in SEEDS {
        let (numbers, labels) = (regression(seed, 800), classes(seed, 800));
        only!(
            advice_of(regressor(relu(), Adam::new(0.003), seed), &numbers, 6),
            Finding::NotConverged { number: "val_loss", .. }
        );
        only!(
            advice_of(classifier(relu(), Adam::new(0.003), seed), &labels, 6),
            Finding::NotConverged { .. }
        );
        let tanh = Dense::new(16).activation(Tanh);
        only!(advice_of(regressor(tanh, Adam::new(0.002), seed), &numbers, 4), Finding::NotConverged { .. });
    }
}

#[test]
fn models_that_learn_by_heart() {
    for seed in SEEDS {
        let wide = || Dense::new(128).activation(Relu);
        let (numbers, labels) = (regression(seed + 10, 40), classes(seed + 10, 60));
        only!(
            advice_of(regressor(wide(), Adam::new(0.01), seed), &numbers, 150),
            Finding::Overfitting { .. }
        );
        only!(
            advice_of(classifier(wide(), Adam::new(0.01), seed), &labels, 100),
            Finding::Overfitting { .. }
        );
    }
}

#[test]
fn rates_that_are_too_high() {
    let tanh = || Dense::new(16).activation(Tanh);
    for seed in SEEDS {
        let (numbers, labels) = (regression(seed, 800), classes(seed, 800));
        only!(advice_of(regressor(tanh(), Sgd::new(0.35), seed), &numbers, 30), Finding::RateTooHigh { .. });
        only!(advice_of(regressor(relu(), Adam::new(1.0), seed), &numbers, 30), Finding::RateTooHigh { .. });
        only!(advice_of(classifier(relu(), Adam::new(3.0), seed), &labels, 30), Finding::RateTooHigh { .. });
    }
}

#[test]
fn rates_that_are_too_low() {
    for seed in SEEDS {
        let (numbers, labels) = (regression(seed, 800), classes(seed, 800));
        only!(advice_of(regressor(relu(), Sgd::new(1e-5), seed), &numbers, 20), Finding::RateTooLow { .. });
        only!(advice_of(regressor(relu(), Adam::new(1e-5), seed), &numbers, 20), Finding::RateTooLow { .. });
        only!(advice_of(regressor(relu(), Adam::new(1e-8), seed), &numbers, 20), Finding::RateTooLow { .. });
        only!(advice_of(classifier(relu(), Adam::new(3e-6), seed), &labels, 20), Finding::RateTooLow { .. });
        only!(advice_of(classifier(relu(), Sgd::new(1e-4), seed), &labels, 20), Finding::RateTooLow { .. });
    }
}

#[test]
fn dead_and_saturated_units() {
    for seed in SEEDS {
        let (numbers, labels) = (regression(seed, 800), classes(seed, 800));
        let dead = || relu().bias_initializer(Constant(-30.0));
        only!(
            advice_of(regressor(dead(), Adam::new(0.005), seed), &numbers, 20),
            Finding::DeadUnits { dead: 16, at_start: 16, .. }
        );
        only!(advice_of(classifier(dead(), Sgd::new(0.05), seed), &labels, 20), Finding::DeadUnits { .. });
        let wild = |activation| {
            let far = RandomNormal { mean: 0.0, deviation: 60.0 };
            Dense::new(16).activation(activation).kernel_initializer(far)
        };
        only!(
            advice_of(regressor(wild(Tanh), Adam::new(0.005), seed), &numbers, 40),
            Finding::SaturatedUnits { activation: "tanh", .. }
        );
        only!(
            advice_of(classifier(wild(Sigmoid), Adam::new(0.005), seed), &labels, 40),
            Finding::SaturatedUnits { activation: "sigmoid", .. }
        );
    }
}

#[test]
fn rare_classes() {
    for seed in SEEDS {
        let rare = task(seed, 4000, 4, |x, noise| f32::from(x[0] + noise.next() > 2.8));
        only!(
            advice_of(is_binary(relu(), Adam::new(0.003), seed), &rare, 30),
            Finding::ImbalancedClasses { rare: 1, .. }
        );
        let rare = task(seed, 4000, 4, |x, noise| match x[0] + 1.5 * noise.next() {
            low if low < -3.8 => 2.0,
            middle if middle < 0.3 => 0.0,
            _ => 1.0,
        });
        only!(
            advice_of(classifier(relu(), Adam::new(0.003), seed), &rare, 30),
            Finding::ImbalancedClasses { rare: 2, .. }
        );
    }
}

#[test]
fn inputs_that_nobody_scaled() {
    for seed in SEEDS {
        let of_size = |task: Task, size: f32| {
            let scaled = |x: &Array| Array::from_fn(x.shape(), |i| size * x.element(i) as f32);
            Task {
                train: (scaled(&task.train.0), task.train.1),
                valid: (scaled(&task.valid.0), task.valid.1),
            }
        };
        let tanh = || Dense::new(16).activation(Tanh);
        let large = of_size(regression(seed, 800), 300.0);
        only!(
            advice_of(regressor(relu(), Adam::new(0.005), seed), &large, 30),
            Finding::UnscaledInput { affected: 4, .. }
        );
        let large = of_size(classes(seed, 800), 300.0);
        only!(
            advice_of(classifier(tanh(), Adam::new(0.005), seed), &large, 30),
            Finding::UnscaledInput { .. }
        );
        // The same data are healthy behind a layer that scales them.
        let scaled = Sequential::new()
            .then(Rescaling::new(1.0 / 300.0))
            .then(relu())
            .then(Dense::new(3).activation(Softmax));
        let advice =
            advice_of(scaled.compile(Adam::new(0.005), SparseCategoricalCrossentropy).seed(seed), &large, 40);
        assert!(advice.findings.is_empty(), "{advice}");
        let small = of_size(classes(seed, 800), 1e-4);
        only!(
            advice_of(classifier(tanh(), Adam::new(0.005), seed), &small, 30),
            Finding::UnscaledInput { .. }
        );
    }
}

#[test]
fn layers_that_start_constant() {
    for seed in SEEDS {
        let (numbers, labels) = (regression(seed, 800), classes(seed, 800));
        let zeros = || relu().kernel_initializer(Zeros);
        only!(
            advice_of(regressor(zeros(), Adam::new(0.005), seed), &numbers, 30),
            Finding::ConstantInitialization { units: 16, .. }
        );
        only!(
            advice_of(classifier(zeros(), Sgd::new(0.05), seed), &labels, 30),
            Finding::ConstantInitialization { .. }
        );
        let equal = |units| Dense::new(units).kernel_initializer(Constant(0.1));
        let model = net(equal(16).activation(Tanh), equal(1)).compile(Adam::new(0.005), MeanSquaredError);
        only!(advice_of(model, &numbers, 30), Finding::ConstantInitialization { .. });
    }
}

#[test]
fn targets_that_have_nothing_to_do_with_the_inputs() {
    for seed in SEEDS {
        let numbers = task(seed, 2000, 4, |_, noise| noise.next());
        only!(
            advice_of(regressor(relu(), Adam::new(0.002), seed), &numbers, 20),
            Finding::NothingLearned { .. }
        );
        let labels = task(seed, 2000, 4, |_, noise| f32::from(noise.even() > 0.5));
        only!(
            advice_of(is_binary(relu(), Adam::new(0.002), seed), &labels, 20),
            Finding::NothingLearned { .. }
        );
        let labels = task(seed, 2000, 4, |_, noise| (3.0 * noise.even()).floor().min(2.0));
        only!(
            advice_of(classifier(relu(), Sgd::new(0.02), seed), &labels, 20),
            Finding::NothingLearned { .. }
        );
    }
}

#[test]
fn a_loss_that_was_no_number_any_more() {
    let Task { train: (x, y), .. } = regression(1, 400);
    let mut model = regressor(relu(), Sgd::new(30.0), 1);
    let fit = Fit::epochs(5).verbose(Verbosity::Silent).callback(callbacks::TerminateOnNaN::new());
    let history = model.fit((&x, &y), fit).unwrap();
    let advice = model.advise(&history, (&x, &y)).unwrap();
    only!(advice, Finding::RateTooHigh { sign: TooHigh::NotFinite, .. });
}

#[test]
fn a_model_is_what_it_was_and_says_the_same_again() {
    let task = regression(2, 300);
    let mut plain = regressor(relu(), Adam::new(1e-5), 2);
    let mut advised = regressor(relu(), Adam::new(1e-5), 2);
    let fit = || Fit::epochs(5).verbose(Verbosity::Silent);
    let (x, y) = &task.train;
    plain.fit((x, y), fit()).unwrap();
    let history = advised.fit((x, y), fit()).unwrap();
    let advice = advised.advise(&history, (x, y)).unwrap();
    only!(advice, Finding::RateTooLow { .. });
    assert_eq!(advised.advise(&history, (x, y)).unwrap(), advice);
    assert_eq!(plain.fit((x, y), fit()).unwrap(), advised.fit((x, y), fit()).unwrap());
    for (variable, other) in plain.variables().iter().zip(advised.variables()) {
        assert_eq!(variable.value().unwrap(), other.value().unwrap());
    }
}

#[test]
fn what_cannot_be_judged_is_said() {
    let task = regression(2, 60);
    let (x, y) = &task.train;
    let mut model = regressor(relu(), Adam::new(0.01), 2);
    let history = model.fit((x, y), Fit::epochs(2).verbose(Verbosity::Silent)).unwrap();
    let advice = model.advise(&history, (x, y)).unwrap();
    assert!(
        advice.to_string().contains("not judged: the curves: 2 epochs are too few, 4 are enough"),
        "{advice}"
    );
    assert!(advice.to_string().contains("60 samples are too few to say, 100 are enough"), "{advice}");
    let error = model.advise(&History::new(0, Vec::new()), (x, y)).unwrap_err();
    assert_eq!((error.code(), error.title()), ("advice", "the history has no epochs"));
}

#[test]
fn several_inputs_and_outputs_are_judged() {
    let (a, b) = (Tensor::input("a", [4]), Tensor::input("b", [2]));
    let hidden = relu().named("left").apply(&a);
    let other = Dense::new(16).activation(Relu).bias_initializer(Constant(-40.0)).named("right").apply(&b);
    let one = Dense::new(1).apply(&hidden);
    let two = Dense::new(3).activation(Softmax).apply(&concat([&hidden, &other], -1));
    let net = Functional::new([&a, &b], [("number", &one), ("kind", &two)]).unwrap();
    let mut model = net.compile(
        Adam::new(0.01),
        [MeanSquaredError.on("number"), SparseCategoricalCrossentropy.on("kind").weight(0.5)],
    );
    let (numbers, kinds) = (regression(3, 400).train, classes(3, 400).train);
    let x = Array::from_fn([400, 2], |i| (i % 7) as f32 / 3.0 - 1.0);
    let data = || Data::from(([("b", &x), ("a", &numbers.0)], [("kind", &kinds.1), ("number", &numbers.1)]));
    let history = model.fit(data(), Fit::epochs(20).verbose(Verbosity::Silent)).unwrap();
    let advice = model.advise(&history, data()).unwrap();
    only!(advice, Finding::DeadUnits { dead: 16, at_start: 16, .. });
    assert!(advice.to_string().contains("dead units in `right`"), "{advice}");
}
