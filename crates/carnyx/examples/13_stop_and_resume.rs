//! 13. Stop and resume: callbacks decide when a fit ends, and a fit that is interrupted continues to the bit.
//!
//!     cargo run --release --example 13_stop_and_resume
//!
//! `EarlyStopping` ends a fit that no longer learns, `ReduceLROnPlateau` makes its steps smaller before that,
//! `ModelCheckpoint` keeps the best model as a file and `CSVLogger` the numbers as a table. With `BackupAndRestore`, a
//! program that was killed in the middle and is started again gives the same model, the same history and the same files.

use carnyx::callbacks::{
    BackupAndRestore, CSVLogger, EarlyStopping, ModelCheckpoint, Moment, ReduceLROnPlateau, at,
};
use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;

fn network() -> Model<Sequential> {
    Sequential::new()
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(Dense::new(50).activation(Relu))
        .then(Dropout::new(0.3))
        .then(Dense::new(10).activation(Softmax))
        .compile(Adam::new(3e-3), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn main() -> Result {
    let data = fashion_mnist()?;
    let (x, y) = (data.train.x.rows(0..2000)?, data.train.y.rows(0..2000)?);
    let (x_valid, y_valid) = (data.test.x.rows(0..500)?, data.test.y.rows(0..500)?);

    // A fit with everything, that ends where `accident` is an error.
    let train = |log: &str, accident: &dyn Fn(&Run) -> Result| {
        let mut model = network();
        let mut stopping = EarlyStopping::patience(4).restore_best();
        let mut best = ModelCheckpoint::at("runs/resume/best.keras").monitor("val_accuracy").best_only();
        let fit = Fit::epochs(40)
            .validation((&x_valid, &y_valid))
            .verbose(Verbosity::Silent)
            .callback(ReduceLROnPlateau::patience(2).factor(0.5))
            .callback(&mut stopping)
            .callback(&mut best)
            .callback(CSVLogger::new(log))
            .callback(at(Moment::BatchEnd, |run| accident(run)))
            .callback(BackupAndRestore::at("runs/resume/backup").every_steps(25));
        let history = model.fit((&x, &y), fit)?;
        Ok::<_, Error>((model, history, stopping, best))
    };

    let (whole, history, stopping, best) = train("runs/resume/whole.csv", &|_| Ok(()))?;
    println!("{history}");
    println!("stopped after epoch {:?}, best epoch {:?}", stopping.stopped_epoch, stopping.best_epoch);
    println!("best accuracy {:?}, saved as {:?}", best.best, best.last_path);
    println!("the table of all epochs is in runs/resume/whole.csv");

    // The same fit once more. In the middle of the third epoch the power fails,
    let accident = |run: &Run| match (run.epoch, run.step) {
        (2, 31) => Err(Error::new("power", "the power fails")),
        _ => Ok(()),
    };
    let failed = train("runs/resume/parts.csv", &accident).map(drop);
    println!("interrupted: {}", failed.unwrap_err().title());
    // and a fresh model, in a program that knows nothing of the first one, takes it up from the backup.
    let (resumed, continued, ..) = train("runs/resume/parts.csv", &|_| Ok(()))?;

    assert_eq!(continued, history);
    assert_eq!(resumed.predict(&x_valid)?, whole.predict(&x_valid)?);
    for (variable, other) in resumed.variables().iter().zip(whole.variables()) {
        assert_eq!(variable.value()?, other.value()?);
    }
    let (parts, log) = (std::fs::read("runs/resume/parts.csv"), std::fs::read("runs/resume/whole.csv"));
    assert!(matches!((parts, log), (Ok(parts), Ok(log)) if parts == log));
    println!(
        "interrupted and continued: {} epochs, the same history, weights and log, to the bit",
        continued.epochs.len()
    );
    Ok(())
}
