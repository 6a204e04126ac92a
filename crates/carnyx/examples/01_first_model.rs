//! 1. A first model: which piece of clothing does a small picture show?
//!
//!     cargo run --release --example 01_first_model
//!
//! Fashion-MNIST is a set of grey pictures of 28 x 28 pixels in ten classes. A network of three layers learns to tell
//! the classes apart: the whole way of working, from the data to the figure that counts.

use carnyx::callbacks::at_epoch_end;
use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;

fn main() -> Result {
    // The data: pixels are bytes from 0 to 255, labels are numbers from 0 to 9. An excerpt comes with Carnyx; with
    // the whole data set on disk, the same lines read that.
    let data = fashion_mnist()?;
    let (x, y) = (&data.train.x, &data.train.y);
    println!(
        "{} pictures to train on; the first one shows: {}",
        x.num_rows(),
        name_of(&data.class_names, y.element(0))
    );

    // The last thousand are not learned from: they tell, after each epoch, how well the model does on pictures that
    // it has not seen. The test set stays untouched until the end.
    let split = x.num_rows() - 1000;
    let (x_train, y_train) = (x.rows(0..split)?, y.rows(0..split)?);
    let (x_valid, y_valid) = (x.rows(split..split + 1000)?, y.rows(split..split + 1000)?);

    // The model: layers in a row. Stating the shape of a sample first lets `summary` show all shapes before the model
    // has seen data. Pixels are brought to the range 0 to 1 inside the model, so that it can be given bytes for ever.
    let mut model = Sequential::new()
        .then(Input::new([28, 28]).dtype(DType::U8))
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(Dense::new(300).activation(Relu))
        .then(Dense::new(100).activation(Relu))
        .then(Dense::new(10).activation(Softmax))
        .compile(Sgd::new(0.01).momentum(0.9), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .seed(42);
    println!("{}", model.summary());

    // Ten passes over the training data, in batches of 32: large steps first, smaller and smaller ones later, so that
    // the weights come to rest. Everything that is printed but the times is the same in every run.
    let fit = Fit::epochs(10).batch_size(32).validation((&x_valid, &y_valid)).callback(at_epoch_end(|run| {
        run.optimizer.learning_rate *= 0.7;
        Ok(())
    }));
    let history = model.fit((&x_train, &y_train), fit)?;

    // Loss and accuracy of each epoch. Where the dashed line of the validation data leaves the other one, the model
    // has begun to learn its pictures by heart.
    history.plot().save("learning_curves.svg")?;
    println!("the learning curves are in learning_curves.svg");

    // What does the model say of the first pictures of the test set?
    let probabilities = model.predict(&data.test.x.rows(0..3)?)?;
    for (scores, label) in probabilities.values().chunks(10).zip(data.test.y.values()) {
        let (best, score) = (0..).zip(scores).max_by(|a, b| a.1.total_cmp(b.1)).unwrap_or((0, &0.0));
        let said = name_of(&data.class_names, f64::from(best));
        println!("{said} ({:.0} %); it is: {}", score * 100.0, name_of(&data.class_names, f64::from(label)));
    }

    let test = model.evaluate((&data.test.x, &data.test.y))?;
    println!("test accuracy: {:.4}", test["accuracy"]);
    Ok(())
}

/// The name of the class with this number.
fn name_of(names: &[String], label: f64) -> &str {
    &names[label as usize]
}
