//! 22. TensorBoard: a training is logged while it runs, and two trainings are compared.
//!
//!     cargo run --release --example 22_tensorboard
//!     pip install tensorboard xprof
//!     tensorboard --logdir runs/tensorboard
//!
//! `TensorBoard::at(folder)` is a callback that writes what TensorBoard reads; neither Python nor TensorFlow is needed
//! to write it. Each training has a folder of its own within one folder, so that the curves lie over each other.

use carnyx::board::{Trial, Writer, log_trials};
use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;

const RUNS: &str = "runs/tensorboard";

fn main() -> Result {
    // Logs of an earlier run of this program would lie under the new ones.
    let _ = std::fs::remove_dir_all(RUNS);
    let data = fashion_mnist()?;
    let (x, y) = (data.train.x.rows(0..5000)?, data.train.y.rows(0..5000)?);
    let (x_valid, y_valid) = (data.test.x.rows(0..1000)?, data.test.y.rows(0..1000)?);

    // Two learning rates, side by side. The second is too large: in the tab "Time Series", its curves jump.
    let mut trials = Vec::new();
    for rate in [0.02, 0.5] {
        let mut model = Sequential::new()
            .then(Rescaling::new(1.0 / 255.0))
            .then(Flatten)
            .then(Dense::new(100).activation(Relu))
            .then(Dense::new(10).activation(Softmax))
            .compile(Sgd::new(rate), SparseCategoricalCrossentropy)
            .metric(Accuracy);
        let name = format!("rate_{rate}");
        let board = TensorBoard::at(format!("{RUNS}/{name}"))
            .every_steps(50) // the curves have a point for each 50 batches, beside that of each epoch
            .histograms(1) // how weights are distributed, and whether that changes,
            .gradients(1) // and how large the slopes are that change them
            .weight_images(2)
            .profile(200..210) // where the time of ten steps goes: the tab "Profile", with `pip install xprof`
            .hyperparameters([("learning_rate", rate.into())]);
        let fit = Fit::epochs(6).validation((&x_valid, &y_valid)).verbose(Verbosity::Silent);
        let history = model.fit((&x, &y), fit.callback(board))?;
        let accuracy = history.last("val_accuracy").unwrap_or(0.0);
        println!(
            "learning rate {rate}: validation accuracy {accuracy:.3} after {} epochs",
            history.epochs.len()
        );
        trials.push((name, rate, accuracy, model));
    }

    // Whatever else there is to say goes through a `Writer`: numbers, distributions, pictures, texts, embeddings.
    let mut log = Writer::at(format!("{RUNS}/notes"))?;
    log.image("the first articles", 0, &x_valid.rows(0..12)?.reshape([12, 28, 28, 1])?)?;
    let table: String =
        trials.iter().map(|(_, rate, accuracy, _)| format!("| {rate} | {accuracy:.3} |\n")).collect();
    log.text("result", 0, &format!("| learning rate | validation accuracy |\n|---|---|\n{table}"))?;

    // What the better model says of 500 articles, as points: the tab "Projector" shows which kinds lie close together.
    let (_, _, _, model) = &trials[0];
    let kinds = ["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"];
    let labels = y_valid.rows(0..500)?.to_vec::<u8>().into_iter().map(|kind| kinds[usize::from(kind)]);
    log.embedding("articles", &model.predict(&x_valid.rows(0..500)?)?, labels)?;

    // Trials whose numbers are known already can be written afterwards: a row each in the tab "HParams".
    let row = |(name, rate, accuracy, _): &(String, f64, f64, _)| {
        Trial::new(name).with("learning_rate", *rate).metric("val_accuracy", *accuracy)
    };
    log_trials(format!("{RUNS}/afterwards"), &trials.iter().map(row).collect::<Vec<_>>())?;

    println!("\nlook at it with");
    println!("    pip install tensorboard xprof");
    println!("    tensorboard --logdir {RUNS}");
    println!("and open http://localhost:6006");
    Ok(())
}
