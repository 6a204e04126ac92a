//! 17. Schedules: learning rates that change while a model trains, against rates that stay.
//!
//!     cargo run --release --example 17_schedules
//!
//! A large learning rate learns fast and settles nowhere, a small one settles slowly. A schedule is large where that helps
//! and small where it has to be: `OneCycle` grows to a rate that could not be kept and falls to almost nothing. Both get
//! the same steps here, each at several rates, so that none wins by an unlucky choice for the other. At the end, a rate
//! that is too large for the first steps, what a fit says of it, and what a warm-up makes of it.

use carnyx::datasets::fashion_mnist;
use carnyx::plots::LineChart;
use carnyx::prelude::*;
use carnyx::schedules::Clock;

const EPOCHS: usize = 6;
const BATCH: usize = 32;

fn network(hidden: usize) -> Sequential {
    let net = Sequential::new().then(Rescaling::new(1.0 / 255.0)).then(Flatten);
    let net = (0..hidden).fold(net, |net, _| net.then(Dense::new(64).activation(Relu)));
    net.then(Dense::new(10).activation(Softmax))
}

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(BATCH).verbose(Verbosity::Silent)
}

fn main() -> Result {
    let data = fashion_mnist()?;
    let (x, y) = (data.train.x.rows(0..8000)?, data.train.y.rows(0..8000)?);
    let (x_valid, y_valid) = (data.train.x.rows(8000..10_000)?, data.train.y.rows(8000..10_000)?);
    let steps = x.num_rows().div_ceil(BATCH) * EPOCHS;

    // A schedule is a function of the number of steps: it can be asked before anything is trained.
    let cycle = OneCycle::new(0.3, steps);
    let points = (0..=10).map(|i| steps * i / 10);
    let rates: Vec<String> =
        points.map(|step| format!("{:.4}", cycle.rate(Clock::at_step(step as f64)))).collect();
    println!("one cycle of {steps} steps: {}", rates.join(" "));

    // The same network, the same first weights, the same steps: the accuracy on pictures that nobody learned from.
    let train = |rate: LearningRate, seed: u64| {
        let mut model = network(1)
            .compile(Sgd::new(rate).momentum(0.9), SparseCategoricalCrossentropy)
            .metric(Accuracy)
            .seed(seed);
        let history = model.fit((&x, &y), quiet(EPOCHS).validation((&x_valid, &y_valid)))?;
        Ok::<_, Error>((history.last("val_accuracy").unwrap_or(0.0), history))
    };
    let mean = |rate: &dyn Fn() -> LearningRate| -> Result<f64> {
        let accuracies = (1..=3).map(|seed| train(rate(), seed).map(|(accuracy, _)| accuracy));
        Ok(accuracies.sum::<Result<f64>>()? / 3.0)
    };
    println!("\naccuracy on new pictures after {EPOCHS} epochs, mean of three seeds");
    println!("   rate   constant   one cycle up to it");
    let (mut best_constant, mut best_cycle) = ((0.0, 0.0), (0.0, 0.0));
    for rate in [0.003, 0.01, 0.03, 0.1, 0.3] {
        let constant = mean(&|| rate.into())?;
        let cycle = mean(&|| OneCycle::new(rate, steps).into())?;
        println!("{rate:>7}   {constant:>8.4}   {cycle:>9.4}");
        best_constant = if constant > best_constant.1 { (rate, constant) } else { best_constant };
        best_cycle = if cycle > best_cycle.1 { (rate, cycle) } else { best_cycle };
    }
    println!(
        "best: constant {} with {:.4}, one cycle {} with {:.4}",
        best_constant.0, best_constant.1, best_cycle.0, best_cycle.1
    );

    // The rate that was in use is among the numbers of each epoch.
    let (_, history) = train(OneCycle::new(best_cycle.0, steps).into(), 1)?;
    println!("\n{history}");
    let curve: Vec<(f64, f64)> =
        (0..steps).map(|step| (step as f64, cycle.rate(Clock::at_step(step as f64)))).collect();
    let chart = LineChart::new("One cycle").x_label("step").y_label("learning rate");
    chart.series("learning rate", &curve).save("runs/one_cycle.svg")?;

    // Six hidden layers and Adam: too large a rate throws the weights away before the averages of gradients are of any use.
    let deep = |rate: LearningRate| {
        let mut model = network(6).compile(Adam::new(rate), SparseCategoricalCrossentropy).metric(Accuracy);
        let history = model.fit((&x, &y), quiet(2).validation((&x_valid, &y_valid)))?;
        println!("  accuracy {:.4}", history.last("val_accuracy").unwrap_or(0.0));
        for instability in &history.instabilities {
            println!("  {instability}");
        }
        Ok::<_, Error>(())
    };
    for rate in [0.002, 0.02] {
        println!("\nAdam at {rate} from the first step:");
        deep(rate.into())?;
        println!("after a warm-up of 100 steps:");
        deep(Warmup::steps(100, rate).into())?;
    }
    Ok(())
}
