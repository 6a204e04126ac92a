//! 9. Dynamic models: another structure at every step.
//!
//!     cargo run --release --example 09_dynamic
//!
//! `call` describes what a layer computes. Usually it runs once and the program that comes out runs many times. In a
//! `.dynamic()` model it runs at every step, so that Rust decides: here, in training, each block is left out with a
//! probability that grows with its depth (*stochastic depth*, Huang et al. 2016), and in inference all take part. A
//! branch may depend on a value that has been computed, too. Structures that come again find their old programs.

use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blocks with shortcuts, some of which stay out in training.
#[derive(Module, Clone)]
struct StochasticDepth {
    stem: Dense,
    blocks: Vec<Dense>,
    head: Dense,
    survival: f64,
    /// The state of a small generator: the same run takes the same decisions.
    #[module(skip)]
    state: Arc<AtomicU64>,
}

impl StochasticDepth {
    fn new(units: usize, depth: usize, survival: f64) -> StochasticDepth {
        StochasticDepth {
            stem: Dense::new(units).activation(Relu),
            blocks: (0..depth).map(|_| Dense::new(units).activation(Relu)).collect(),
            head: Dense::new(10).activation(Softmax),
            survival,
            state: Arc::new(AtomicU64::new(1)),
        }
    }

    /// Uniform in [0, 1): a linear congruential generator is good enough for coins.
    fn coin(&self) -> f64 {
        let next = |state: u64| {
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
        };
        let state = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| Some(next(state)));
        (next(state.unwrap_or(0)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Layer for StochasticDepth {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let mut h = self.stem.apply(&x.flatten());
        for (i, block) in self.blocks.iter().enumerate() {
            let survives = 1.0 - (1.0 - self.survival) * (i + 1) as f64 / self.blocks.len() as f64;
            if !x.is_training() {
                // In the mean over training, a block took part this often.
                h = &h + block.apply(&h) * survives;
            } else if self.coin() < survives {
                h = &h + block.apply(&h);
            }
        }
        self.head.apply(&h)
    }
}

/// Repeats a layer until its output is small enough: a branch on a computed value, outside of training.
fn until_settled(layer: &Dense, x: &Array) -> Result<(Array, usize)> {
    let mut h = x.clone();
    for step in 1.. {
        h = (layer.apply(&Tensor::from(&h).in_mode(Mode::Inference)) * 0.5).eval()?;
        if Tensor::from(&h).abs().max().eval()?.item()? < 1e-3 || step == 100 {
            return Ok((h, step));
        }
    }
    unreachable!("the loop returns")
}

fn main() -> Result {
    let data = fashion_mnist()?;
    let scaled = |x: &Array| (Tensor::from(x).cast(DType::F32) / 255.0).eval();
    let (x_train, x_test) = (scaled(&data.train.x)?, scaled(&data.test.x)?);

    let mut model = StochasticDepth::new(64, 4, 0.5)
        .compile(Adam::new(1e-3), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .dynamic();
    let history = model.fit((&x_train, &data.train.y), Fit::epochs(4).verbose(Verbosity::Line))?;
    let test = model.evaluate((&x_test, &data.test.y))?;
    assert!(history.last("loss") < history.values("loss").first().copied());
    assert!(test["accuracy"] > 0.8, "{test}");

    let (settled, steps) = until_settled(&Dense::new(4).activation(Tanh), &Array::full([1, 4], 1f32))?;
    println!("settled after {steps} steps at {:.4}", settled.element(0));
    println!("test accuracy: {:.4}", test["accuracy"]);
    Ok(())
}
