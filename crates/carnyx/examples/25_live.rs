//! 25. Live: a fit that can be watched, and stopped by a key.
//!
//!     cargo run --release --example 25_live --features live
//!
//! A long training wants to be looked at: does the loss still fall, does the validation loss rise already, how long will
//! it take? `Live` shows it in the terminal while it runs. `q` stops the fit after the batch that runs, and the program
//! goes on with the model as it is: here, with a second fit at a smaller learning rate. In a file or a pipe there is
//! nothing to watch, and the fit prints its lines.

use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;
use carnyx::{Live, callbacks::EarlyStopping};

fn main() -> Result {
    let data = fashion_mnist()?;
    let (x, y) = (data.train.x.rows(0..2000)?, data.train.y.rows(0..2000)?);
    let (x_test, y_test) = (data.test.x.rows(0..500)?, data.test.y.rows(0..500)?);
    let mut model = Sequential::new()
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(Dense::new(100).activation(Relu))
        .then(Dropout::new(0.3))
        .then(Dense::new(10).activation(Softmax))
        .compile(Adam::new(1e-3), SparseCategoricalCrossentropy)
        .metric(Accuracy);

    let fit = |epochs: usize| Fit::epochs(epochs).validation((&x_test, &y_test)).callback(Live::new());
    model.fit((&x, &y), fit(20))?;
    model.optimizer.learning_rate /= 5.0;
    model.fit((&x, &y), fit(20).callback(EarlyStopping::patience(5).restore_best()))?;
    println!("test accuracy {:.3}", model.evaluate((&x_test, &y_test))?["accuracy"]);
    Ok(())
}
