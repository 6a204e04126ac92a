//! 8. Layers, losses, metrics, rules and loops of your own.
//!
//!     cargo run --release --example 08_own_layers
//!
//! Whatever the library lacks is a few lines: a layer is its fields and one function, a model is a layer, a loss and a
//! metric are functions of targets and predictions, an optimizer's rule says how one weight moves, and an initializer
//! what it starts from. All of them describe tensors, so all of them have gradients and run as one program. The data
//! is the bundled one on districts of California.

use carnyx::datasets::california_housing;
use carnyx::losses::fit_to;
use carnyx::metrics::Tally;
use carnyx::optimizers::{Rule, Slots, Step};
use carnyx::prelude::*;
use carnyx::{Address, Initializer};

/// A layer with a variable of its own: each feature times a gain that is learned.
#[derive(Module, Clone)]
struct Gain {
    gain: Variable,
}

impl Layer for Gain {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        x * self.gain.shaped([x.dim(-1)])
    }
}

/// An initializer: all values near one.
#[derive(Debug)]
struct NearOne;

impl Initializer for NearOne {
    fn initial(&self, shape: &[usize], address: Address) -> Tensor {
        Tensor::random_uniform(shape.to_vec(), address) * 0.2 + 0.9
    }
}

/// A model as a struct, with a loop and a branch: blocks with shortcuts, and a penalty on large activations.
#[derive(Module, Clone)]
struct Residual {
    gain: Gain,
    stem: Dense,
    blocks: Vec<Dense>,
    dropout: Dropout,
    head: Dense,
}

impl Residual {
    fn new(units: usize, depth: usize) -> Residual {
        Residual {
            gain: Gain { gain: Variable::new(NearOne) },
            stem: Dense::new(units).activation(Relu),
            blocks: (0..depth).map(|_| Dense::new(units).activation(Relu)).collect(),
            dropout: Dropout::new(0.05),
            head: Dense::new(1),
        }
    }
}

impl Layer for Residual {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let mut h = self.stem.apply(&self.gain.apply(x));
        for (i, block) in self.blocks.iter().enumerate() {
            h = &h + block.apply(&h);
            if i == 0 {
                h = self.dropout.apply(&h);
            }
        }
        let penalty = h.square().mean() * 1e-4;
        self.head.apply(&h).and_loss(penalty)
    }
}

/// A loss: squared where the error is small, straight where it is large (Huber 1964).
struct Huber(f64);

impl Loss for Huber {
    fn name(&self) -> String {
        "huber".into()
    }

    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let error = (prediction - fit_to(target, prediction)).abs();
        let straight = &error * self.0 - 0.5 * self.0 * self.0;
        error.less(self.0).select(error.square() * 0.5, straight).mean_along(-1)
    }
}

/// A metric: the share of predictions that are off by less than a quarter of the truth.
struct WithinQuarter;

impl Metric for WithinQuarter {
    fn name(&self) -> String {
        "within_quarter".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let target = fit_to(target, prediction);
        let is_near = (prediction - &target).abs().less(&(target * 0.25));
        tally.add_mean(&is_near.cast(DType::F32).mean_along(-1));
    }
}

/// A rule: steps of one size, in the direction that the averaged gradient points to (Chen et al. 2023).
struct Lion(f64);

impl Rule for Lion {
    fn name(&self) -> &'static str {
        "lion"
    }

    fn learning_rate(&self) -> LearningRate {
        self.0.into()
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let mut direction = gradient.clone();
        slots.update("momentum", |momentum| {
            direction = momentum.lerp(gradient, 0.1).sign();
            momentum.lerp(gradient, 0.01)
        });
        weight - direction * &at.learning_rate
    }
}

fn main() -> Result {
    let data = california_housing()?;
    let normalization = Normalization::new();
    normalization.adapt(&data.train.x)?;
    let normalized = |x: &Array| normalization.apply(&Tensor::from(x).in_mode(Mode::Inference)).eval();
    let (x_train, y_train) = (normalized(&data.train.x)?, data.train.y.clone());
    let (x_test, y_test) = (normalized(&data.test.x)?, data.test.y.clone());

    // A struct is compiled, fitted and looked at like any other model. And copied: `fork` has weights of its own.
    let mut model =
        Residual::new(32, 3).compile(Optimizer::new(Lion(1e-3)), Huber(1.0)).metric(WithinQuarter);
    let history = model.fit((&x_train, &y_train), Fit::epochs(10).verbose(Verbosity::Silent))?;
    println!("{}", model.summary());
    println!("last epoch: {history}");
    let mut fork = model.fork();
    fork.fit((&x_train, &y_train), Fit::epochs(1).verbose(Verbosity::Silent))?;
    let (ours, theirs) = (model.evaluate((&x_test, &y_test))?, fork.evaluate((&x_test, &y_test))?);
    println!("test: {ours}\ncopy, one epoch later: {theirs}");
    assert!(ours["within_quarter"] > 0.5, "{ours}");

    // A loop of one's own. The loss has a penalty on the slope of the prediction with respect to the input, so the
    // gradient of the loss is a gradient of a gradient: nothing special has to be said.
    let net = Sequential::new().then(Dense::new(32).activation(Tanh)).then(Dense::new(1));
    let mut optimizer = Optimizer::from(Adam::new(3e-3));
    let rows = x_train.num_rows();
    for epoch in 0..5 {
        let (mut total, mut slopes, mut batches) = (0.0, 0.0, 0.0);
        for start in (0..rows).step_by(128) {
            let range = start..(start + 128).min(rows);
            let x = Tensor::from(&x_train.rows(range.clone())?).in_mode(Mode::Training);
            let y = Tensor::from(&y_train.rows(range)?);
            let prediction = net.apply(&x);
            let slope =
                prediction.sum().gradients_of(std::slice::from_ref(&x))[0].square().sum_along(-1).mean();
            let loss = MeanSquaredError.of(&y, &prediction) + &slope * 0.01;
            let updates = optimizer.update(&loss.gradients(&net.trainable()));
            total += loss.eval_with(updates)?.item()?;
            slopes += slope.eval()?.item()?;
            batches += 1.0;
        }
        println!("epoch {epoch}: loss {:.4}, squared slope {:.4}", total / batches, slopes / batches);
    }
    Ok(())
}
