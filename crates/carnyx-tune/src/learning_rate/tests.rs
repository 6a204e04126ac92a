//! Sweeps of small models, and of curves made by hand.

use super::curve::{Curve, CurveShape};
use super::*;
use carnyx_graph::{Array, Batch, Batches, Tensor, Variable, Walk};
use carnyx_nn::callbacks::{Moment, at};
use carnyx_nn::*;

/// Even numbers from 0 to 1, one for each `i`: SplitMix64.
fn value(i: usize) -> f32 {
    let mut z = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

/// Points around three centres, and which centre it is.
fn blobs(samples: usize, spread: f32) -> (Array, Array) {
    let centres = [[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]];
    let point = |i: usize| {
        let noise: f32 = (0..4).map(|k| value(4 * i + k) - 0.5).sum();
        centres[(i / 2) % 3][i % 2] + spread * noise
    };
    (Array::from_fn([samples, 2], point), Array::from_fn([samples], |i| (i % 3) as u8))
}

fn classifier(optimizer: impl Into<Optimizer>) -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(16).activation(Relu))
        .then(BatchNormalization::new())
        .then(Dropout::new(0.2))
        .then(Dense::new(3).activation(Softmax))
        .compile(optimizer, SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .seed(5)
}

/// All that a fit changes or reports.
fn state<L: Module>(model: &Model<L>, history: &History) -> String {
    let values = |variables: Vec<Variable>| -> Vec<Array> {
        variables.iter().map(|variable| variable.value().unwrap()).collect()
    };
    let rate = model.optimizer.learning_rate;
    format!("{:?} {:?} {history} {rate:?}", values(model.variables()), values(model.optimizer.variables()))
}

fn quiet<'f>(epochs: usize) -> Fit<'f> {
    Fit::epochs(epochs).batch_size(10).verbose(Verbosity::Silent)
}

/// The same batches in every epoch, but in an order of its own.
struct Turning(Array, Array);

impl Batches for Turning {
    fn open(&mut self, epoch: usize) -> Result<Walk> {
        let (x, y) = (self.0.clone(), self.1.clone());
        let batch = move |i: usize| {
            let first = (i + epoch) % 6 * 10;
            Ok(Batch::new(vec![x.rows(first..first + 10)?], vec![y.rows(first..first + 10)?]))
        };
        Ok(Box::new((0..6).map(batch)))
    }
}

#[test]
fn a_fit_after_a_sweep_is_the_fit_without_it() {
    let (x, y) = blobs(64, 1.0);
    let optimizers: [fn() -> Optimizer; 3] = [
        || Sgd::new(0.05).momentum(0.9).into(),
        || Adam::new(0.01).moving_average(0.9),
        || RmsProp::new(0.01).centered().into(),
    ];
    for optimizer in optimizers {
        for epochs_before in [0, 2] {
            let fit = || quiet(2).class_weight(ClassWeight::balanced());
            let (mut plain, mut swept) = (classifier(optimizer()), classifier(optimizer()));
            if epochs_before > 0 {
                plain.fit((&x, &y), quiet(epochs_before)).unwrap();
                swept.fit((&x, &y), quiet(epochs_before)).unwrap();
            }
            let rates = RateRange::from(1e-4..=100.0).iterations(60).batch_size(7);
            let rates = rates.class_weight(ClassWeight::balanced());
            let sweep = swept.sweep_learning_rate((&x, &y), rates).unwrap();
            assert!(sweep.steps().len() > 30, "{sweep}");
            let history = plain.fit((&x, &y), fit()).unwrap();
            let again = swept.fit((&x, &y), fit()).unwrap();
            assert_eq!(state(&swept, &again), state(&plain, &history));
            assert_eq!(swept.evaluate((&x, &y)).unwrap(), plain.evaluate((&x, &y)).unwrap());
        }
    }
}

#[test]
fn a_sweep_over_a_stream_leaves_no_trace_either() {
    let (x, y) = blobs(60, 1.0);
    let (mut plain, mut swept) = (classifier(Adam::new(0.01)), classifier(Adam::new(0.01)));
    let mut stream = Turning(x.clone(), y.clone());
    let rates = || RateRange::from(1e-4..=10.0).iterations(40);
    let sweep = swept.sweep_learning_rate(&mut stream, rates()).unwrap();
    assert!(sweep.steps().len() > 12, "six batches begin again until the sweep is done: {sweep}");
    let history = plain.fit(Turning(x.clone(), y.clone()), quiet(3)).unwrap();
    let again = swept.fit(&mut stream, quiet(3)).unwrap();
    assert_eq!(state(&swept, &again), state(&plain, &history));

    // An iterator of batches is enough, if it is long enough.
    let batches = |count: usize| (0..count).map(|_| (x.clone(), y.clone()));
    assert!(swept.sweep_learning_rate(batches(40), rates()).is_ok());
    let error = swept.sweep_learning_rate(batches(20), rates()).unwrap_err();
    assert_eq!((error.code(), error.title()), ("sweep", "the data ended after 20 of 40 steps of the sweep"));
}

#[test]
fn several_inputs_and_outputs_are_swept() {
    let (a, b) = (Tensor::input("a", [2]), Tensor::input("b", [1]));
    let hidden = Dense::new(8).activation(Relu).apply(&a);
    let (one, two) = (Dense::new(1).apply(&hidden), Dense::new(1).apply(&b));
    let net = Functional::new([&a, &b], [("one", &one), ("two", &two)]).unwrap();
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    let (x, _) = blobs(40, 1.0);
    let y = Array::from_fn([40, 1], |i| value(i + 1000));
    let data = ([("b", &y), ("a", &x)], [("two", &y), ("one", &y)]);
    let sweep = model.sweep_learning_rate(data, 1e-4..=100.0).unwrap();
    assert_eq!(sweep.ending(), SweepEnding::Exploded, "{sweep}");
    assert!(sweep.suggestion().unwrap() < 1.0, "{sweep}");
}

#[test]
fn the_losses_are_those_of_the_batches() {
    // With a rate of nearly nothing, nothing is learned: each epoch has the same losses in another order.
    let x = Array::from_fn([10, 1], |i| i as f32);
    let y = Array::full([10, 1], 0f32);
    let mut model =
        Dense::new(1).kernel_initializer(Ones).without_bias().compile(Sgd::new(0.1), MeanSquaredError);
    let mut losses = Vec::new();
    let rates = RateRange::from(1e-30..=1e-29).iterations(20).batch_size(4);
    let sweep = model.sweep_learning_rate((&x, &y), rates).unwrap();
    for start in (0..20).step_by(3) {
        let steps = sweep.steps();
        let epoch = &steps[start..(start + 3).min(20)];
        // 4, 4 and 2 samples; the squares of 0 to 9 are 285 in all.
        let sum: f64 = epoch.iter().zip([4.0, 4.0, 2.0]).map(|(step, rows)| step.loss * rows).sum();
        if epoch.len() == 3 {
            assert!((sum - 285.0).abs() < 1e-9, "{sum}");
        }
        losses.extend(epoch.iter().map(|step| step.loss.to_bits()));
    }
    losses.dedup();
    assert!(losses.len() > 10);
}

#[test]
fn suggestions_train_well() {
    let (x, y) = blobs(600, 1.5);
    for seed in 0..4 {
        for optimizer in [Optimizer::from(Sgd::new(1.0)), Adam::new(1.0).into()] {
            let name = optimizer.name();
            let mut model = Sequential::new()
                .then(Dense::new(16).activation(Relu))
                .then(Dense::new(3).activation(Softmax))
                .compile(optimizer, SparseCategoricalCrossentropy)
                .seed(seed);
            let sweep = model.sweep_learning_rate((&x, &y), 1e-5..=100.0).unwrap();
            let before = model.snapshot().unwrap();
            let mut loss_with = |rate: f64| {
                model.restore(&before).unwrap();
                model.optimizer.learning_rate = rate;
                let fit = Fit::epochs(5).verbose(Verbosity::Silent);
                model.fit((&x, &y), fit).map_or(f64::INFINITY, |history| history.last("loss").unwrap())
            };
            let rate = sweep.suggestion().unwrap();
            let (low, good) = (loss_with(rate / 100.0), loss_with(rate));
            let (half, high) = (loss_with(sweep.half_of_largest().unwrap().rate), loss_with(rate * 300.0));
            assert!(
                good < 0.7 * low && good < high && half < high,
                "{name}: {low} {good} {half} {high}\n{sweep}"
            );
        }
    }
}

#[test]
fn a_sweep_that_fails_puts_everything_back() {
    let (x, y) = blobs(64, 1.0);
    let (mut plain, mut swept) = (classifier(Adam::new(0.01)), classifier(Adam::new(0.01)));
    let labels = Array::full([64], 7u8);
    assert!(swept.sweep_learning_rate((&x, &labels), 1e-4..=1.0).is_err());
    // One sample is far too large: the loss of its batch overflows.
    let wild = Array::from_fn([64, 2], |i| if i == 60 { 1e38 } else { x.element(i) as f32 });
    let mut unlike = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    let targets = Array::full([64, 1], 1f32);
    let sweep = unlike.sweep_learning_rate((&wild, &targets), RateRange::from(1e-9..=1e-8).batch_size(2));
    match sweep {
        Ok(sweep) => assert_eq!(sweep.ending(), SweepEnding::NonFinite),
        Err(error) => assert_eq!(error.code(), "non-finite"),
    }
    let history = plain.fit((&x, &y), quiet(2)).unwrap();
    let again = swept.fit((&x, &y), quiet(2)).unwrap();
    assert_eq!(state(&swept, &again), state(&plain, &history));
}

#[test]
fn a_loss_that_is_not_finite_from_the_start_is_explained() {
    let x = Array::full([8, 1], 1e30f32);
    let mut model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError);
    let error = model.sweep_learning_rate((&x, &x), 1e-5..=1.0).unwrap_err();
    assert_eq!((error.code(), error.title()), ("non-finite", "the loss is inf in epoch 1, step 1"));
    assert!(error.to_string().contains("in a sweep of learning rates; the model is as it was before"));
}

#[test]
fn callbacks_of_the_fit_are_not_disturbed() {
    let (x, y) = blobs(64, 1.0);
    let mut model = classifier(Adam::new(0.01));
    model.sweep_learning_rate((&x, &y), RateRange::from(1e-4..=1.0).iterations(30)).unwrap();
    let mut rates = Vec::new();
    let watch = at(Moment::BatchEnd, |run| {
        rates.push(run.optimizer.learning_rate);
        assert_eq!(run.epoch, 0);
        Ok(())
    });
    model.fit((&x, &y), quiet(1).callback(watch)).unwrap();
    assert_eq!(rates, [0.01; 7]);
}

/// A curve made by hand over six powers of ten, with some noise.
fn curve(loss: impl Fn(f64) -> f64, noise: f64, exploded: bool) -> Curve {
    let rates = RateRange::from(1e-5..=10.0).rates();
    let noisy = |(i, &rate): (usize, &f64)| {
        let normal: f64 = (0..12).map(|k| f64::from(value(12 * i + k))).sum::<f64>() - 6.0;
        loss(rate.log10()) + noise * normal
    };
    let losses: Vec<f64> = rates.iter().enumerate().map(noisy).collect();
    Curve::of(&rates, &losses, 0.9, exploded)
}

/// Falls from 2.3 to 0.3 between 0.001 and 0.1, and rises from there.
fn valley(log_rate: f64) -> f64 {
    let fall = 2.0 / (1.0 + (-4.0 * (log_rate + 2.0)).exp());
    let rise = (4.0 * (log_rate + 0.5)).exp();
    2.3 - fall + rise.min(10.0)
}

#[test]
fn shapes_of_curves_are_told_apart() {
    let turned = |curve: &Curve| match &curve.shape {
        CurveShape::Turned(turned) => turned.clone(),
        other => panic!("{other:?}"),
    };
    for (noise, is_clear) in [(0.0, true), (0.1, true), (1.0, false)] {
        let valley = curve(valley, noise, false);
        let turned = turned(&valley);
        assert_eq!(turned.is_clear, is_clear, "{noise} {turned:?}");
        let rate = valley.rates[turned.lowest];
        assert!((0.02..0.3).contains(&rate), "{noise}: {rate}");
        let largest = valley.rates[turned.largest.unwrap()];
        assert!((0.15..0.6).contains(&largest), "{noise}: {largest}");
        assert!((valley.noise - noise).abs() <= 0.3 * noise + 1e-3, "{noise}: {}", valley.noise);
    }
    for noise in [0.0, 0.1, 0.5] {
        let falling = curve(|log| 2.3 - (log + 5.0) / 5.0, noise, false);
        assert!(
            matches!(falling.shape, CurveShape::Falling { lowest } if lowest > 200),
            "{:?}",
            falling.shape
        );
        let rising = curve(|log| 2.3 + (log + 5.0) / 3.0, noise, true);
        assert_eq!(rising.shape, CurveShape::Rising);
        assert_eq!(curve(|_| 2.3, noise, false).shape, CurveShape::Flat);
    }
    // It exploded before it could be seen to rise.
    let cut = curve(|log| 2.3 - (log + 5.0) / 5.0, 0.1, true);
    assert_eq!(turned(&cut).largest, Some(299));
}

#[test]
fn what_explodes_does_not_hide_the_bottom() {
    let rates = RateRange::from(1e-5..=10.0).rates();
    let losses: Vec<f64> = rates[..250].iter().map(|rate| valley(rate.log10()) + 1e-3).collect();
    let mut exploding = losses.clone();
    exploding.extend([1e3, 1e6, 1e9]);
    let plain = Curve::of(&rates, &losses, 0.9, true);
    let exploded = Curve::of(&rates, &exploding, 0.9, true);
    let lowest = |curve: &Curve| match &curve.shape {
        CurveShape::Turned(turned) => turned.lowest,
        other => panic!("{other:?}"),
    };
    assert!(lowest(&plain).abs_diff(lowest(&exploded)) <= 2);
}

#[test]
fn ranges_and_options_are_checked() {
    let title = |rates: RateRange| rates.check().unwrap_err().title().to_owned();
    assert_eq!(title(RateRange::from(10.0..=1e-5)), "a sweep of learning rates from 10.0 to 1e-5");
    assert_eq!(title(RateRange::from(0.1..=0.1)), "a sweep of learning rates from 0.1 to 0.1");
    for (low, high) in [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
        assert!(RateRange::from(low..=high).linear().check().is_err());
    }
    assert_eq!(title(RateRange::from(1e-5..=1.0).iterations(19)), "a sweep of 19 steps");
    assert_eq!(title(RateRange::from(1e-5..=1.0).smoothing(1.0)), "a smoothing of 1");
    let rates = RateRange::from(1e-5..=10.0).rates();
    assert!(rates.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_report_says_in_words_what_it_saw() {
    let range = RateRange::from(1e-5..=10.0);
    let report = |curve, ending| LearningRateSweep::new(&range, curve, ending);
    let sweep = report(curve(valley, 0.0, false), SweepEnding::Completed);
    assert_eq!(
        sweep.to_string(),
        "learning rates from 1e-5 to 10 in 300 of 300 steps\n\
         the loss fell from 2.3000 to 0.5414 at 0.062\n\
         suggestion: 0.0062, a tenth of 0.062, where the smoothed loss turned up\n\
         or: 0.13, half of 0.26, the largest rate that still learned\n\
         clear: it turned up between 0.043 and 0.086"
    );
    let svg = sweep.plot().to_svg().unwrap();
    for words in ["a tenth: 0.0062", "turns up: 0.062", "half: 0.13", "still learns: 0.26", "smoothed"] {
        assert!(svg.contains(words), "{words}");
    }
    let falling = report(curve(|log| 2.3 - (log + 5.0) / 5.0, 0.0, false), SweepEnding::Completed);
    assert_eq!(falling.confidence(), Confidence::None);
    assert_eq!(
        falling.suggestion().unwrap_err().to_string(),
        "error[sweep]: the sweep suggests no learning rate\n  \
         = note: the loss fell from 2.2719 to 1.1361 and never turned up, not even at 10\n  \
         = help: sweep up to higher rates"
    );
    assert!(falling.plot().to_svg().is_ok());
    let flat = report(curve(|_| 2.3, 0.0, false), SweepEnding::Completed);
    assert!(
        flat.to_string().contains("no suggestion: the loss was 2.3000 at 1e-5 and is no lower"),
        "{flat}"
    );
    assert!(flat.plot().to_svg().is_ok());
}
