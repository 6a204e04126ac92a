//! The workloads: models, data, and what is timed.

use super::cold;
use super::data::{self, Parts};
use super::line::Line;
use super::options::{Options, Workload};
use crate::Result;
use carnyx::prelude::*;
use carnyx::{Cpu, Data, Profiler};
use std::sync::Arc;
use std::time::Instant;

/// Runs one workload.
pub(super) fn run(workload: Workload, options: &Options) -> Result<Vec<Line>> {
    match workload {
        Workload::W1 => small_batches(options),
        Workload::W2 => large_batches(options),
        Workload::W3 => wide_and_deep(options),
        Workload::W7 => cold::run(options),
        Workload::W8 => predictions(options),
    }
}

/// The network of W1.
pub(super) fn perceptron(optimizer: impl Into<Optimizer>, threads: Option<usize>) -> Model<Sequential> {
    let model = Sequential::new()
        .then(Flatten)
        .then(Dense::new(300).activation(Relu))
        .then(Dense::new(100).activation(Relu))
        .then(Dense::new(10).activation(Softmax))
        .compile(optimizer, SparseCategoricalCrossentropy)
        .metric(Accuracy);
    on_threads(model, threads)
}

fn on_threads<L>(model: Model<L>, threads: Option<usize>) -> Model<L> {
    match threads {
        Some(threads) => model.on_executor(Arc::new(Cpu::new(threads))),
        None => model,
    }
}

fn small_batches(options: &Options) -> Result<Vec<Line>> {
    let Parts { train, valid } = data::pictures(60_000, 5_000);
    let mut model = perceptron(Sgd::new(0.01), options.threads);
    let fit = Fit::epochs(1 + options.blocks).batch_size(32).validation(&valid);
    let clock = timed_fit(&mut model, Data::from(&train), fit, options)?;
    Ok(clock.lines(Workload::W1, 55_000_usize.div_ceil(32)))
}

fn large_batches(options: &Options) -> Result<Vec<Line>> {
    let Parts { train, .. } = data::pictures(60_000, 5_000);
    let mut model = perceptron(Adam::new(1e-3), options.threads);
    let fit = Fit::epochs(1 + options.blocks).batch_size(1024);
    let clock = timed_fit(&mut model, Data::from(&train), fit, options)?;
    Ok(vec![clock.epoch_line(Workload::W2)])
}

/// The network of W3: the second input goes through two layers, the first one around them; one output more looks at
/// the second layer alone.
fn two_paths() -> carnyx::Result<Functional> {
    let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
    let hidden = Dense::new(30).activation(Relu).apply(&deep);
    let hidden = Dense::new(30).activation(Relu).apply(&hidden);
    let main = Dense::new(1).apply(&concat([&wide, &hidden], -1));
    let aux = Dense::new(1).apply(&hidden);
    Functional::new([&wide, &deep], [("main", &main), ("aux", &aux)])
}

fn wide_and_deep(options: &Options) -> Result<Vec<Line>> {
    let Parts { train, valid } = data::wide_and_deep();
    let losses = [MeanSquaredError.on("main").weight(0.9), MeanSquaredError.on("aux").weight(0.1)];
    let model = two_paths()?.compile(Sgd::new(1e-3), losses);
    let mut model = on_threads(model, options.threads);
    let columns = |(x, y): &([Array; 2], Array)| Data::from((x.clone(), [y, y]));
    let fit = Fit::epochs(1 + options.blocks).batch_size(32).validation(columns(&valid));
    let clock = timed_fit(&mut model, columns(&train), fit, options)?;
    Ok(clock.lines(Workload::W3, 11_610_usize.div_ceil(32)))
}

fn predictions(options: &Options) -> Result<Vec<Line>> {
    const CALLS: usize = 2_000;
    const BATCHES: usize = 20;
    let Parts { train, .. } = data::pictures(60_000, 5_000);
    let mut model = perceptron(Sgd::new(0.01), options.threads);
    model.fit(&train, Fit::epochs(1).batch_size(1024).verbose(Verbosity::Silent))?;
    let (one, many) = (train.0.rows(0..1)?, train.0.rows(0..BATCHES * 1024)?);

    let calls = timed_blocks(options.blocks, || (0..CALLS).try_for_each(|_| model.predict(&one).map(drop)))?;
    let calls: Vec<f64> = calls.iter().map(|seconds| seconds * 1e6 / CALLS as f64).collect();
    let batches = timed_blocks(options.blocks, || model.predict(&many).map(drop))?;
    let batches: Vec<f64> = batches.iter().map(|seconds| (BATCHES * 1024) as f64 / seconds).collect();
    Ok(vec![
        Line::new(Workload::W8, "us/call batch 1 predict", &calls),
        Line::new(Workload::W8, "samples/s batch 1024 predict", &batches),
    ])
}

/// The seconds of each block, after one that is not counted.
fn timed_blocks(blocks: usize, mut block: impl FnMut() -> carnyx::Result) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    for i in 0..=blocks {
        let began = Instant::now();
        block()?;
        if i > 0 {
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}

/// One fit, of which each epoch is timed.
fn timed_fit<L>(model: &mut Model<L>, data: impl Into<Data>, fit: Fit, options: &Options) -> Result<Clock> {
    let mut clock = Clock::default();
    let fit = fit.verbose(Verbosity::Silent).callback(&mut clock);
    let fit = if options.profile { fit.callback(Profiler::steps(0..usize::MAX)) } else { fit };
    let history = model.fit(data, fit)?;
    clock.losses = history.values("loss");
    Ok(clock)
}

/// Times epochs: as a whole, and up to their validation.
#[derive(Default)]
struct Clock {
    began: Option<Instant>,
    trained: Option<f64>,
    /// Seconds of each epoch.
    epochs: Vec<f64>,
    /// Seconds of each epoch without its validation.
    training: Vec<f64>,
    losses: Vec<f64>,
}

impl Clock {
    fn elapsed(&self) -> f64 {
        self.began.map_or(0.0, |began| began.elapsed().as_secs_f64())
    }

    /// The first epoch is not counted.
    fn epoch_line(&self, workload: Workload) -> Line {
        Line::new(workload, "s/epoch", &self.epochs[1..]).with_losses(&self.losses)
    }

    fn lines(&self, workload: Workload, steps: usize) -> Vec<Line> {
        let steps: Vec<f64> = self.training[1..].iter().map(|seconds| seconds * 1e6 / steps as f64).collect();
        vec![self.epoch_line(workload), Line::new(workload, "us/step fit", &steps)]
    }
}

impl Callback for Clock {
    fn on_epoch_begin(&mut self, _: &mut Run) -> carnyx::Result {
        (self.began, self.trained) = (Some(Instant::now()), None);
        Ok(())
    }

    fn on_evaluate_begin(&mut self, _: &mut Run) -> carnyx::Result {
        self.trained = Some(self.elapsed());
        Ok(())
    }

    fn on_epoch_end(&mut self, _: &mut Run) -> carnyx::Result {
        let elapsed = self.elapsed();
        self.epochs.push(elapsed);
        self.training.push(self.trained.unwrap_or(elapsed));
        Ok(())
    }
}
