//! 2. Regression: what is a house in this district worth?
//!
//!     cargo run --release --example 02_regression
//!
//! Eight numbers describe a district of California in 1990 (income, age of the houses, rooms, latitude, …); the target is
//! the median value of its houses in units of $100 000. New here: features of very different sizes, a loss for
//! numbers instead of classes, and a baseline without which no error means anything.

use carnyx::datasets::california_housing;
use carnyx::prelude::*;

fn main() -> Result {
    let data = california_housing()?;
    println!("features: {}", data.feature_names.join(", "));

    // The districts are shuffled already; the last fifth of the training data is for validation.
    let split = data.train.x.num_rows() * 4 / 5;
    let (x_train, y_train) = (data.train.x.rows(0..split)?, data.train.y.rows(0..split)?);
    let rest = split..data.train.x.num_rows();
    let (x_valid, y_valid) = (data.train.x.rows(rest.clone())?, data.train.y.rows(rest)?);

    // Populations are in the thousands, incomes below fifteen: a network learns badly from that. `Normalization` brings
    // each feature to mean 0 and variance 1. It measures both on the training data only: what the validation data look
    // like, nobody is supposed to know yet.
    let normalization = Normalization::new();
    normalization.adapt(&x_train)?;

    // One unit without an activation at the end: the prediction may be any number.
    let mut model = Sequential::new()
        .then(normalization)
        .then(Dense::new(50).activation(Relu))
        .then(Dense::new(50).activation(Relu))
        .then(Dense::new(50).activation(Relu))
        .then(Dense::new(1))
        .compile(Adam::new(1e-3), MeanSquaredError)
        .metric(RootMeanSquaredError)
        .metric(MeanAbsoluteError)
        .seed(42);
    model.fit((&x_train, &y_train), Fit::epochs(20).validation((&x_valid, &y_valid)))?;

    // The trivial answer, whatever the district: the mean of the training data.
    let targets = y_train.values();
    let mean = targets.iter().sum::<f32>() / targets.len() as f32;
    let baseline = root_mean_square(data.test.y.values().iter().map(|value| value - mean));

    // Three districts that the model has never seen.
    let predictions = model.predict(&data.test.x.rows(0..3)?)?;
    for (predicted, value) in predictions.values().iter().zip(data.test.y.values()) {
        println!("predicted ${:.0}, in truth ${:.0}", predicted * 100_000.0, value * 100_000.0);
    }

    let test = model.evaluate((&data.test.x, &data.test.y))?;
    println!("mean absolute error of the test: {:.4}", test["mean_absolute_error"]);
    println!("always saying the mean, RMSE:    {baseline:.4}");
    println!("test RMSE: {:.4} (in units of $100 000)", test["root_mean_squared_error"]);
    Ok(())
}

/// The typical size of these errors.
fn root_mean_square(errors: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = errors.len() as f32;
    (errors.map(|error| error * error).sum::<f32>() / count).sqrt()
}
