//! 10. Save and load: a model outlives its program.
//!
//!     cargo run --release --example 10_save_and_load
//!
//! A `.keras` file holds everything: layers, weights, how the model was compiled, what the optimizer remembers, and
//! where training stands. Keras reads it, and Carnyx reads what Keras writes. A model of one's own needs no Rust type
//! to be read: the file holds what it computes. Weights alone go into `.weights.h5` or `.safetensors`.

use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;

/// A layer that no file knows: a gate on what another layer gives.
#[derive(Module, Clone)]
struct Gated {
    dense: Dense,
    gate: Dense,
}

impl Layer for Gated {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        self.dense.apply(x) * self.gate.apply(x)
    }
}

fn main() -> Result {
    let data = fashion_mnist()?;
    let (train, test) = ((&data.train.x, &data.train.y), (&data.test.x, &data.test.y));
    let network = || {
        Sequential::new()
            .then(Rescaling::new(1.0 / 255.0))
            .then(Flatten)
            .then(Dense::new(50).activation(Relu))
            .then(Dense::new(10).activation(Softmax))
            .compile(Adam::new(1e-3), SparseCategoricalCrossentropy)
            .metric(Accuracy)
    };
    let quiet = |epochs| Fit::epochs(epochs).verbose(Verbosity::Silent);

    // Two epochs, a file, two epochs: the same bits as four epochs.
    let mut model = network();
    model.fit(train, quiet(2))?;
    model.save("clothes.keras")?;
    let mut loaded = carnyx::load("clothes.keras")?;
    println!("{}", loaded.summary());
    loaded.fit(train, quiet(2))?;
    model.fit(train, quiet(2))?;
    assert_eq!(loaded.predict(&data.test.x)?, model.predict(&data.test.x)?);
    println!("after {} epochs, one file in between: {}", loaded.epochs_trained(), loaded.evaluate(test)?);

    // Weights alone, into a model that is built in Rust. The names are those of the layers.
    model.save_weights("clothes.safetensors")?;
    let fresh = network();
    fresh.predict(&data.test.x.rows(0..1)?)?; // the first use gives the weights their shapes
    fresh.load_weights("clothes.safetensors")?;
    assert_eq!(fresh.predict(&data.test.x)?, model.predict(&data.test.x)?);

    // A model with a type of one's own: whoever loads it does not need the type.
    let gated = Gated { dense: Dense::new(50).activation(Tanh), gate: Dense::new(50).activation(Sigmoid) };
    let mut model = Sequential::new()
        .then(Lambda::new(|x| x.cast(DType::F32) / 255.0))
        .then(Flatten)
        .then(gated)
        .then(Dense::new(10).activation(Softmax))
        .compile(Adam::new(1e-3), SparseCategoricalCrossentropy)
        .metric(Accuracy);
    model.fit(train, quiet(2))?;
    model.save("gated.keras")?;
    let mut loaded = carnyx::load("gated.keras")?;
    assert_eq!(loaded.predict(&data.test.x)?, model.predict(&data.test.x)?);
    loaded.fit(train, quiet(1))?;
    println!("a model without its type, trained on: {}", loaded.evaluate(test)?);

    for file in ["clothes.keras", "clothes.safetensors", "gated.keras"] {
        println!("{file}: {} KB", std::fs::metadata(file).map_or(0, |file| file.len() / 1000));
    }
    Ok(())
}
