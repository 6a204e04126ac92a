//! Messages about callbacks, checkpoints and backups.

use super::messages::{assert_message, go_to_root};
use carnyx::callbacks::{
    BackupAndRestore, CSVLogger, EarlyStopping, LearningRateScheduler, ModelCheckpoint, Moment,
    ReduceLROnPlateau, State, at, at_epoch_end,
};
use carnyx::prelude::*;
use std::path::Path;

fn fit(epochs: usize, options: impl FnOnce(Fit<'static>) -> Fit<'static>) -> Result<History> {
    let x = Array::from_fn([32, 4], |i| (i % 7) as f32 - 3.0);
    let y = Array::from_fn([32, 1], |i| (i % 3) as f32);
    let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    model.fit((&x, &y), options(Fit::epochs(epochs).verbose(Verbosity::Silent)))
}

/// Does not know where it was.
struct Forgetful;

impl Callback for Forgetful {
    fn restore(&mut self, _: &State) -> Result {
        Err(Error::new("own", "where was I"))
    }
}

/// A fit with one callback.
fn with(callback: impl Callback + 'static) -> Result<History> {
    fit(1, |fit| fit.callback(callback))
}

#[test]
fn numbers_that_nobody_logs() {
    assert_message("callback_no_validation", with(EarlyStopping::patience(3)));
    assert_message("callback_misspelt", with(EarlyStopping::patience(3).monitor("los")));
    assert_message("callback_unknown", with(ReduceLROnPlateau::patience(3).monitor("accuracy")));
    // Another callback might have logged it: known after the first epoch.
    let unknown = EarlyStopping::patience(3).monitor("val_error");
    let other = at_epoch_end(|_| Ok(()));
    assert_message("callback_never_logged", fit(3, |fit| fit.callback(other).callback(unknown)));
    let own = at_epoch_end(|run| {
        run.logs.set("beauty", 1.0);
        Ok(())
    });
    let unclear = EarlyStopping::patience(3).monitor("beauty");
    assert_message("callback_unclear_direction", fit(3, |fit| fit.callback(own).callback(unclear)));
    assert_message(
        "callback_min_delta",
        with(EarlyStopping::patience(3).monitor("loss").min_delta(f64::NAN)),
    );
}

#[test]
fn options_without_sense() {
    assert_message("callback_factor", with(ReduceLROnPlateau::patience(3).monitor("loss").factor(1.5)));
    assert_message("callback_schedule", with(LearningRateScheduler::new(|_, _| f64::NAN)));
    let never = ModelCheckpoint::at("a.keras").every_steps(0);
    assert_message("checkpoint_never", with(never));
    let fails = at(Moment::BatchEnd, |run| match run.step {
        0 => Err(Error::new("own", "the disk of the experiment is unplugged")),
        _ => Ok(()),
    });
    assert_message("callback_that_fails", with(fails));
}

#[test]
fn checkpoints() {
    go_to_root();
    let at = |path: &str| ModelCheckpoint::at(path);
    assert_message("checkpoint_ending", with(at("model.pkl")));
    assert_message("checkpoint_weights_ending", with(at("model.keras").weights_only()));
    assert_message("checkpoint_pattern", with(at("model-{epoch.keras")));
    assert_message("checkpoint_pattern_format", with(at("model-{epoch:two}.keras")));
    assert_message("checkpoint_unknown_number", with(at("model-{val_loss:.2}.keras")));
    assert_message("checkpoint_batch", with(at("model-{batch}.keras")));
    assert_message("checkpoint_late_number", with(at("m.keras").best_only().every_steps(5)));
    assert_message("checkpoint_not_watched", with(at("m.keras").best_only().monitor("accuracy")));
    let taken = "target/messages/checkpoint.keras";
    std::fs::create_dir_all(taken).unwrap();
    assert_message("checkpoint_on_a_folder", with(at(taken)));
    std::fs::write("target/messages/file", "no folder").unwrap();
    assert_message("checkpoint_in_a_file", with(at("target/messages/file/model.keras")));
    assert_message("log_in_a_file", with(CSVLogger::new("target/messages/file/log.csv")));
}

#[test]
fn backups() {
    go_to_root();
    let _ = std::fs::remove_dir_all("target/messages/backup");
    let backup = || BackupAndRestore::at("target/messages/backup");
    assert_message("backup_never", with(backup().every_steps(0)));
    assert_message("backup_twice", fit(1, |fit| fit.callback(backup()).callback(backup())));
    std::fs::create_dir_all("target/messages").unwrap();
    std::fs::write("target/messages/no_folder", "").unwrap();
    assert_message("backup_in_a_file", with(BackupAndRestore::at("target/messages/no_folder")));

    let path = Path::new("target/messages/backup/backup.safetensors");
    fit(1, |fit| fit.callback(backup().keep())).unwrap();
    assert_message("backup_of_other_batches", fit(1, |fit| fit.batch_size(8).callback(backup())));
    assert_message("backup_of_other_seed", fit(1, |fit| fit.seed(3).callback(backup())));
    let log = CSVLogger::new("target/messages/log.csv");
    assert_message("backup_of_other_callbacks", fit(1, |fit| fit.callback(backup()).callback(log)));
    std::fs::write(path, "text").unwrap();
    assert_message("backup_damaged", fit(1, |fit| fit.callback(backup())));

    std::fs::remove_file(path).unwrap();
    fit(1, |fit| fit.callback(backup().keep()).callback(Forgetful)).unwrap();
    assert_message("backup_not_restored", fit(1, |fit| fit.callback(backup()).callback(Forgetful)));

    let log = || CSVLogger::new("target/messages/log.csv");
    std::fs::remove_file(path).unwrap();
    fit(1, |fit| fit.callback(backup().keep()).callback(log())).unwrap();
    std::fs::write("target/messages/log.csv", "epo").unwrap();
    assert_message("backup_of_longer_log", fit(1, |fit| fit.callback(backup()).callback(log())));
    std::fs::remove_file("target/messages/log.csv").unwrap();
    assert_message("backup_of_lost_log", fit(1, |fit| fit.callback(backup()).callback(log())));
}
