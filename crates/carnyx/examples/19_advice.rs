//! 19. Advice: what is wrong with this training?
//!
//!     cargo run --release --example 19_advice
//!
//! Most trainings that fail do so for one of ten reasons, and all of them show in the numbers: in the curves, in the
//! weights, in what the units do. `advise` looks for them, names those that it has evidence for, and says what to do; where
//! it has none, it is silent. Here a network for the districts of California (example 2) is set right step by step, and a
//! second network learns its few pictures by heart.

use carnyx::datasets::{california_housing, fashion_mnist};
use carnyx::prelude::*;

fn main() -> Result {
    let data = california_housing()?;
    let (x, y) = (data.train.x.rows(0..6000)?, data.train.y.rows(0..6000)?);
    let valid = (data.train.x.rows(6000..8000)?, data.train.y.rows(6000..8000)?);
    let fit = |epochs: usize| Fit::epochs(epochs).validation(&valid).verbose(Verbosity::Silent);
    let layers = |net: Sequential| {
        net.then(Dense::new(40).activation(Relu).kernel_initializer(HeNormal)).then(Dense::new(1))
    };

    // Populations are in the thousands, and nobody scales them.
    let mut model = layers(Sequential::new()).compile(Adam::new(1e-3), MeanSquaredError).seed(42);
    let history = model.fit((&x, &y), fit(10))?;
    let unscaled = model.advise(&history, (&x, &y))?;
    println!("raw features:\n{unscaled}\n");

    // So they are scaled; but the learning rate is a careless one.
    let normalization = Normalization::new();
    normalization.adapt(&x)?;
    let mut model =
        layers(Sequential::new().then(normalization)).compile(Adam::new(1e-6), MeanSquaredError).seed(42);
    let start = model.snapshot()?;
    let history = model.fit((&x, &y), fit(10))?;
    let too_low = model.advise(&history, (&x, &y))?;
    println!("scaled, at a rate of 1e-6:\n{too_low}\n");

    // The advice has tried higher rates: the one that it suggests, from the start.
    let Some(Finding::RateTooLow { suggestion, .. }) = too_low.findings.first() else {
        return Err(Error::new("example", "a rate of a millionth is too low"));
    };
    model.restore(&start)?;
    model.optimizer.learning_rate = *suggestion;
    let history = model.fit((&x, &y), fit(40))?;
    println!("at the suggested rate:\n{}\n", model.advise(&history, (&x, &y))?);

    // A few hundred steps from untrained weights cannot know what 40 epochs bear: if it was too much, a tenth of it.
    model.restore(&start)?;
    model.optimizer.learning_rate = suggestion / 10.0;
    let history = model.fit((&x, &y), fit(40))?;
    println!("at a tenth of it:\n{}\n", model.advise(&history, (&x, &y))?);

    // Few pictures and many weights: such a network learns by heart.
    let clothes = fashion_mnist()?;
    let (x, y) = (clothes.train.x.rows(0..600)?, clothes.train.y.rows(0..600)?);
    let valid = (clothes.train.x.rows(1000..3000)?, clothes.train.y.rows(1000..3000)?);
    let mut model = Sequential::new()
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(Dense::new(300).activation(Relu).kernel_initializer(HeNormal))
        .then(Dense::new(10).activation(Softmax))
        .compile(Adam::new(1e-3), SparseCategoricalCrossentropy)
        .seed(42);
    let history = model.fit((&x, &y), Fit::epochs(40).validation(&valid).verbose(Verbosity::Silent))?;
    let by_heart = model.advise(&history, (&x, &y))?;
    println!("600 pictures, 300 units, 40 epochs:\n{by_heart}");

    assert!(matches!(unscaled.findings[..], [Finding::UnscaledInput { .. }]));
    assert!(matches!(by_heart.findings[..], [Finding::Overfitting { .. }]));
    Ok(())
}
