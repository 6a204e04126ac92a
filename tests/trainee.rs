//! A program that trains, for tests that interrupt it: `trainee FOLDER THREADS BACKUP`.
//!
//! `BACKUP` is `none`, `epochs`, or a number of steps. What the training leaves behind lies in the folder: `log.csv`,
//! `best.keras`, `latest.weights.h5` and `result.txt`, with the bits of the history, and hashes of all
//! bits of weights and slots.

use carnyx::callbacks::{BackupAndRestore, CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau};
use carnyx::prelude::*;
use carnyx_cpu::Cpu;
use carnyx_tests::{Domain, Numbers};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, threads, backup] = arguments.as_slice() else {
        panic!("trainee FOLDER THREADS BACKUP");
    };
    let folder = Path::new(folder);
    let threads = threads.parse().expect("a number of threads");
    let mut numbers = Numbers(7);
    let mut data = |samples| {
        (
            numbers.array(&[samples, 8], Domain::Between(-1.0, 1.0)),
            numbers.array(&[samples], Domain::Index(3)),
        )
    };
    let ((x, y), (x_valid, y_valid)) = (data(60), data(40));
    let mut model = Sequential::new()
        .then(Dense::new(64).activation(Relu))
        .then(Dropout::new(0.25))
        .then(Dense::new(32).activation(Tanh))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.05), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .on_executor(Arc::new(Cpu::new(threads)));

    let mut stopping = EarlyStopping::patience(3).restore_best();
    let mut reduce = ReduceLROnPlateau::patience(1).factor(0.5).cooldown(1);
    let mut best = ModelCheckpoint::at(folder.join("best.keras")).best_only();
    let fit = Fit::epochs(8)
        .batch_size(16)
        .validation((&x_valid, &y_valid))
        .verbose(Verbosity::Silent)
        .callback(&mut stopping)
        .callback(&mut reduce)
        .callback(CSVLogger::new(folder.join("log.csv")))
        .callback(&mut best)
        .callback(ModelCheckpoint::at(folder.join("latest.weights.h5")).weights_only().every_steps(5));
    let backups = BackupAndRestore::at(folder.join("backup"));
    let fit = match backup.as_str() {
        "none" => fit,
        "epochs" => fit.callback(backups),
        steps => fit.callback(backups.every_steps(steps.parse().expect("a number of steps"))),
    };
    let history = model.fit((&x, &y), fit)?;

    let mut result = format!("{:?} {:?} {:?}\n", stopping.best_epoch, stopping.stopped_epoch, reduce.best);
    writeln!(result, "{:?}", best.best.map(f64::to_bits)).expect("a text takes every line");
    for (name, value) in history.epochs.iter().flat_map(Logs::iter) {
        writeln!(result, "{name} {:x}", value.to_bits()).expect("a text takes every line");
    }
    for variable in model.variables().into_iter().chain(model.optimizer.variables()) {
        let mut bits = DefaultHasher::new();
        variable.value()?.to_vec::<f64>().iter().for_each(|value| value.to_bits().hash(&mut bits));
        let path = variable.path();
        writeln!(result, "{path:?} {:x}", bits.finish()).expect("a text takes every line");
    }
    carnyx_file::write_atomically(&folder.join("result.txt"), result.as_bytes())
}
