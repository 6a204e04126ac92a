//! 18. The batch size: many small steps, or few large ones?
//!
//!     cargo run --release --example 18_batch_size
//!
//! Large batches keep a machine busy and see as many pictures in less time, but they take fewer steps. With the learning
//! rate of small batches they learn too little; with a rate that grows in proportion, they learn as much, if they survive
//! the beginning, when gradients are large: a warm-up helps there. New here: `sweep_batch_size`, which does the same work in
//! batches of several sizes and measures both time and loss. (Times differ from run to run, losses do not.)

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
        .compile(Sgd::new(0.005).momentum(0.9), SparseCategoricalCrossentropy)
        .seed(42);

    // The rate 0.005 is meant for batches of 32 pictures. The last fifth of the pictures is for validation.
    let sizes = || BatchSizes::from([32, 256, 1024]).epochs(6);

    println!("the same rate for all sizes: large batches take too few steps");
    let plain = model.sweep_batch_size((x, y), sizes().scale(RateScaling::None))?;
    println!("{plain}\n");

    println!("k times the batch, k times the rate: each step is worth k small ones");
    let scaled = model.sweep_batch_size((x, y), sizes().scale(RateScaling::Linear))?;
    println!("{scaled}\n");

    println!("the same, but for two epochs the rate grows from that of the smallest size");
    let warmed = model.sweep_batch_size((x, y), sizes().scale(RateScaling::Linear).warm_up(2))?;
    println!("{warmed}");
    warmed.plot().save("batch_size.svg")?;

    let largest = |sweep: &BatchSizeSweep| sweep.rows[2].val_loss;
    println!(
        "\nvalidation loss with batches of 1024: {:.4} with the same rate, {:.4} scaled, {:.4} scaled and warmed up",
        largest(&plain),
        largest(&scaled),
        largest(&warmed)
    );
    assert!(largest(&warmed) < largest(&scaled) && largest(&scaled) < largest(&plain));
    Ok(())
}
