//! What files know only by what it computes, or not at all: losses and metrics of one's own, dynamic models.

use crate::messages::assert_message;
use crate::saving::{Folder, interrupted, numbers, quiet};
use carnyx::losses::{Loss, fit_to, from_fn};
use carnyx::metrics::Tally;
use carnyx::optimizers::{Rule, Slots, Step};
use carnyx::prelude::*;
use carnyx::{
    Constant, DType, Functional, Identity, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal,
    VarianceScaling,
};
use carnyx_tests::assert_golden;

/// The loss of quantile regression: 0.9 of the targets should lie below the predictions.
fn quantile() -> impl Loss {
    from_fn("quantile", |y, p| {
        let error = fit_to(y, p) - p;
        (&error * 0.9).maximum(&error * -0.1).mean_along(-1)
    })
}

/// A loss of class numbers, which are bytes.
fn softened() -> impl Loss {
    from_fn("softened", |y, p| {
        let smooth = y.flatten().one_hot(3, DType::F32) * 0.9 + 0.1 / 3.0;
        -(smooth * p.log_softmax()).sum_along(-1)
    })
}

#[test]
fn losses_of_ones_own_are_saved_as_what_they_compute() {
    let (x, y) = (numbers(&[30, 4], 1), numbers(&[30, 1], 2));
    let net = || Sequential::new().then(Dense::new(5).activation(Tanh)).then(Dense::new(1));
    interrupted(
        || net().compile(Adam::new(0.01), quantile()).metric(MeanAbsoluteError),
        std::slice::from_ref(&x),
        std::slice::from_ref(&y),
        "interrupted_quantile",
    );
    let labels = Array::from_fn([30], |i| (i % 3) as u8);
    interrupted(
        || Sequential::new().then(Dense::new(3)).compile(Sgd::new(0.1), softened()),
        std::slice::from_ref(&x),
        std::slice::from_ref(&labels),
        "interrupted_softened",
    );
    // One loss for outputs of different sizes, and one of Keras's beside it.
    let drawn = || {
        let input = Tensor::input("x", [4]);
        let hidden = Dense::new(6).activation(Relu).apply(&input);
        let (a, b) = (Dense::new(1).apply(&hidden), Dense::new(2).apply(&hidden));
        Functional::new(&input, [("a", &a), ("b", &b)]).unwrap()
    };
    let targets = [y.clone(), numbers(&[30, 2], 3)];
    interrupted(
        || drawn().compile(Sgd::new(0.1), quantile()),
        std::slice::from_ref(&x),
        &targets,
        "interrupted_both",
    );
    interrupted(
        || {
            drawn().compile(
                Sgd::new(0.1).momentum(0.9),
                [quantile().on("b").weight(0.3), MeanSquaredError.on("a")],
            )
        },
        std::slice::from_ref(&x),
        &targets,
        "interrupted_mixed",
    );
}

/// The share of predictions that are close to their target.
struct Near;

impl Metric for Near {
    fn name(&self) -> String {
        "near".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let error = (prediction - fit_to(target, prediction)).abs();
        tally.add_mean(&error.less(0.5).cast(DType::F32).mean_along(-1));
    }
}

#[test]
fn metrics_of_ones_own_are_left_out_and_named() -> Result {
    let folder = Folder::new("near");
    let path = folder.path("near.keras");
    let (x, y) = (numbers(&[30, 4], 1), numbers(&[30, 1], 2));
    let net = Sequential::new().then(Dense::new(1));
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError).metric(Near).metric(MeanAbsoluteError);
    model.fit((&x, &y), quiet(2))?;
    let report = model.save(&path)?;
    assert!(!report.is_whole() && !report.is_weights_alone());
    assert_golden("save_report_metric", &report.to_string());
    let mut loaded = carnyx::load(&path)?;
    let logs = loaded.evaluate((&x, &y))?;
    assert!(logs.get("near").is_none() && logs.get("mean_absolute_error").is_some());
    let mut again = carnyx::load(&path)?.metric(Near);
    assert_eq!(again.evaluate((&x, &y))?["near"], model.evaluate((&x, &y))?["near"]);
    Ok(())
}

/// Gradient descent that looks at signs only.
struct Signs;

impl Rule for Signs {
    fn name(&self) -> &'static str {
        "signs"
    }

    fn learning_rate(&self) -> LearningRate {
        0.01.into()
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, _: &mut Slots) -> Tensor {
        weight - gradient.sign() * &at.learning_rate
    }
}

#[test]
fn a_model_with_an_optimizer_of_ones_own_is_saved_without_it() -> Result {
    let folder = Folder::new("signs");
    let (x, y) = (numbers(&[30, 4], 1), numbers(&[30, 1], 2));
    let mut model = Sequential::new().then(Dense::new(1)).compile(Signs, MeanSquaredError);
    model.fit((&x, &y), quiet(2))?;
    let expected = model.predict(&x)?;
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("signs.{ending}"));
        let report = model.save(&path)?;
        assert!(!report.is_whole() && !report.is_weights_alone());
        assert_golden("save_report_optimizer", &report.to_string());
        assert_eq!(
            carnyx::load(&path).map(drop).unwrap_err().title(),
            "the model in the file was not compiled"
        );
        let mut again = carnyx::load_network(&path)?.compile(Signs, MeanSquaredError);
        assert_eq!(again.predict(&x)?, expected);
        again.fit((&x, &y), quiet(1))?;
    }
    Ok(())
}

/// Runs as many of its blocks as the number of its calls says.
#[derive(Module, Clone)]
struct Growing {
    blocks: Vec<Dense>,
    head: Dense,
    #[module(skip)]
    calls: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Growing {
    fn new() -> Growing {
        let blocks = (0..3).map(|_| Dense::new(4).activation(Tanh)).collect();
        Growing { blocks, head: Dense::new(1), calls: std::sync::Arc::default() }
    }
}

impl Layer for Growing {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let calls = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let depth = if x.is_training() { calls % 3 + 1 } else { 3 };
        let h = self.blocks[..depth].iter().fold(x.clone(), |h, block| &h + block.apply(&h));
        self.head.apply(&h.exp())
    }
}

#[test]
fn of_dynamic_models_the_weights_are_saved() -> Result {
    let folder = Folder::new("growing");
    let (x, y) = (numbers(&[30, 4], 1), numbers(&[30, 1], 2));
    let mut model = Growing::new().compile(Adam::new(0.01), MeanSquaredError).dynamic();
    model.fit((&x, &y), quiet(3))?;
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("growing.{ending}"));
        let report = model.save(&path)?;
        assert!(report.is_weights_alone());
        assert_golden("save_report_dynamic", &report.to_string());
        let fresh = Growing::new().compile(Adam::new(0.01), MeanSquaredError).dynamic().seed(9);
        assert_ne!(fresh.predict(&x)?, model.predict(&x)?);
        fresh.load_weights(&path)?;
        assert_eq!(fresh.predict(&x)?, model.predict(&x)?);
        // The name of a file differs from run to run.
        let error = carnyx::load(&path).map(drop).unwrap_err();
        assert_eq!(error.title(), "the file holds the weights of a model, not what they belong to");
        assert!(error.advice().is_some_and(|advice| advice.contains("load_weights")));
    }
    assert_message(
        "saving_dynamic_unseen",
        Growing::new().compile(Sgd::new(0.1), MeanSquaredError).dynamic().save("growing.keras"),
    );
    Ok(())
}

#[test]
fn weights_are_read_out_of_whole_models() -> Result {
    let folder = Folder::new("out_of_whole");
    let x = numbers(&[7, 4], 1);
    let net =
        || Sequential::new().then(Input::new([4])).then(Dense::new(5).activation(Tanh)).then(Dense::new(1));
    let model = net().compile(Adam::new(0.01), MeanSquaredError).seed(4);
    let expected = model.predict(&x)?;
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("whole.{ending}"));
        assert!(model.save(&path)?.is_whole());
        let other = net().compile(Sgd::new(0.01), MeanSquaredError);
        other.load_weights(&path)?;
        assert_eq!(other.predict(&x)?, expected);
    }
    Ok(())
}

/// Gives a layer another start.
type Start = fn(Dense) -> Dense;

#[test]
fn how_variables_start_is_saved_and_read() -> Result {
    let folder = Folder::new("initializers");
    let kernels: [(Start, &str); 8] = [
        (|dense| dense.kernel_initializer(Constant(0.3)), "Constant(0.3)"),
        (|dense| dense.kernel_initializer(HeNormal), "HeNormal"),
        (|dense| dense.kernel_initializer(Orthogonal { gain: 0.7 }), "Orthogonal { gain: 0.7 }"),
        (
            |dense| dense.kernel_initializer(RandomUniform { low: -0.2, high: 0.1 }),
            "RandomUniform { low: -0.2, high: 0.1 }",
        ),
        (
            |dense| dense.kernel_initializer(RandomNormal { mean: 0.1, deviation: 0.2 }),
            "RandomNormal { mean: 0.1, deviation: 0.2 }",
        ),
        (
            |dense| dense.kernel_initializer(TruncatedNormal { mean: 0.1, deviation: 0.2 }),
            "TruncatedNormal { mean: 0.1, deviation: 0.2 }",
        ),
        (
            |dense| dense.kernel_initializer(VarianceScaling { scale: 2.5, ..Default::default() }),
            "VarianceScaling { scale: 2.5, fan: In, distribution: TruncatedNormal }",
        ),
        (|dense| dense.kernel_initializer(Identity { gain: 2.0 }), "Identity { gain: 2.0 }"),
    ];
    for (with, written) in kernels {
        for ending in ["keras", "h5"] {
            let path = folder.path(&format!("start.{ending}"));
            let dense = with(Dense::new(3)).bias_initializer(Ones);
            let model =
                Sequential::new().then(Input::new([3])).then(dense).compile(Sgd::new(0.1), MeanSquaredError);
            model.save(&path)?;
            let variables = carnyx::load(&path)?.variables();
            assert_eq!(format!("{:?}", variables[0].initializer()), written);
            assert_eq!(format!("{:?}", variables[1].initializer()), "Ones");
        }
    }
    Ok(())
}
