//! 5. First weights: why a network must not start from zeros.
//!
//!     cargo run --release --example 05_initialisation
//!
//! Units of one layer see the same inputs. If they start with the same weights, too, they compute the same, get the same
//! gradients, and stay the same for ever: a hundred units do the work of one. Random first weights break this symmetry. (A
//! fit that prints warns of layers that start so; here it is what we want to see.)

use carnyx::datasets::{Dataset, fashion_mnist};
use carnyx::prelude::*;

fn main() -> Result {
    let data = fashion_mnist()?;
    let zeros =
        train(&data, "all kernels start from zeros", |units| Dense::new(units).kernel_initializer(Zeros))?;
    let random = train(&data, "kernels start with random weights", Dense::new)?;

    println!("test accuracy: {:.4} from zeros, {:.4} from random weights", zeros.accuracy, random.accuracy);
    assert_eq!(zeros.after.distinct, 1, "units that start identical stay identical");
    assert_eq!(
        (random.before.distinct, random.after.distinct),
        (100, 100),
        "random units differ from the start"
    );
    assert!(random.accuracy > zeros.accuracy + 0.2, "a hundred different units know more than one");
    Ok(())
}

/// What training from some first weights came to.
struct Outcome {
    before: Diversity,
    after: Diversity,
    accuracy: f64,
}

/// Trains a network of two hidden layers, made of layers by `dense`, and looks at the second one before and after.
fn train(data: &Dataset, name: &str, dense: impl Fn(usize) -> Dense) -> Result<Outcome> {
    // The sigmoid of 0 is 0.5, so that gradients pass even where all weights are zero; behind ReLUs they would not, and
    // not even the one unit would learn.
    let second = dense(100).activation(Sigmoid);
    let mut model = Sequential::new()
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(dense(100).activation(Sigmoid))
        .then(second.clone()) // the same layer: a clone shares its weights
        .then(dense(10).activation(Softmax))
        .compile(Adam::new(0.002), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .seed(42);

    model.predict(&data.test.x.rows(0..1)?)?; // draws the first weights
    let before = second.diversity()?;
    model.fit((&data.train.x, &data.train.y), Fit::epochs(5).verbose(Verbosity::Silent))?;
    let after = second.diversity()?;
    let accuracy = model.evaluate((&data.test.x, &data.test.y))?["accuracy"];

    println!("{name}:\n  before training: {before}\n  after 5 epochs:  {after}\n");
    Ok(Outcome { before, after, accuracy })
}
