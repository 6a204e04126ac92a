//! 16. The learning rate: the one number that decides whether a network learns.
//!
//!     cargo run --release --example 16_learning_rate
//!
//! Too small steps arrive nowhere, too large ones jump over every valley. Nobody has to guess: a range test trains for
//! some hundred steps, each with a slightly higher rate than the one before, and looks at where the loss falls and where it
//! rises again. New here: `sweep_learning_rate`, its curve and its suggestions, and snapshots, with which the same
//! untrained network starts three times.

use carnyx::callbacks::TerminateOnNaN;
use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;

fn main() -> Result {
    let data = fashion_mnist()?;
    let (x, y) = (&data.train.x, &data.train.y);

    let mut model = Sequential::new()
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(Dense::new(100).activation(Relu).kernel_initializer(HeNormal))
        .then(Dense::new(10).activation(Softmax))
        .compile(Sgd::new(0.01), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .seed(42);

    // Weights, random numbers and the order of the pictures are put back: a sweep leaves no trace.
    let sweep = model.sweep_learning_rate((x, y), 1e-5..=10.0)?;
    println!("{sweep}\n");
    sweep.plot().save("learning_rate.svg")?;

    // The suggestion against a rate that is far too low and one that is far too high.
    let chosen = sweep.suggestion()?;
    let highest = sweep.steps().last().map_or(10.0, |step| step.rate);
    let start = model.snapshot()?;
    let mut accuracies = Vec::new();
    for (name, rate) in [("far too low", chosen / 100.0), ("suggested", chosen), ("far too high", highest)] {
        model.restore(&start)?;
        model.optimizer.learning_rate = rate;
        // A rate that is too high may end in a loss that is no number; then the fit stops where it is.
        let stop = TerminateOnNaN::new();
        model.fit((x, y), Fit::epochs(3).verbose(Verbosity::Silent).callback(stop))?;
        let accuracy = model.evaluate((&data.test.x, &data.test.y))?["accuracy"];
        println!("{name:<12} {rate:<8.2e} test accuracy after 3 epochs: {accuracy:.4}");
        accuracies.push(accuracy);
    }
    assert!(
        accuracies[1] > accuracies[0] && accuracies[1] > accuracies[2],
        "the suggestion is the best of the three"
    );
    println!("\nthe curve is in learning_rate.svg");
    Ok(())
}
