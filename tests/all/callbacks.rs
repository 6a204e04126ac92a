//! When callbacks are called, what they may do, and fits that continue from a backup.

use carnyx_graph::{Array, Error, Result};
use carnyx_nn::callbacks::{
    BackupAndRestore, CSVLogger, Callbacks, EarlyStopping, LearningRateScheduler, ModelCheckpoint, Moment,
    ReduceLROnPlateau, State, TerminateOnNaN, at, at_epoch_end,
};
use carnyx_nn::{
    Accuracy, Adam, Callback, Compile, Dense, Dropout, Fit, History, Model, Relu, Run, Sequential, Sgd,
    Softmax, SparseCategoricalCrossentropy, Variables, Verbosity, load,
};
use carnyx_tests::{Domain, Numbers};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The moments of a fit, in their order.
const MOMENTS: [Moment; 15] = [
    Moment::TrainBegin,
    Moment::TrainEnd,
    Moment::EpochBegin,
    Moment::EpochEnd,
    Moment::BatchBegin,
    Moment::BatchEnd,
    Moment::EvaluateBegin,
    Moment::EvaluateEnd,
    Moment::EvaluateBatchBegin,
    Moment::EvaluateBatchEnd,
    Moment::PredictBegin,
    Moment::PredictEnd,
    Moment::PredictBatchBegin,
    Moment::PredictBatchEnd,
    Moment::NonFiniteLoss,
];

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("carnyx-callbacks-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn data(samples: usize) -> (Array, Array) {
    let mut numbers = Numbers(5);
    (numbers.array(&[samples, 4], Domain::Between(-1.0, 1.0)), numbers.array(&[samples], Domain::Index(3)))
}

fn classifier() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(6).activation(Relu))
        .then(Dropout::new(0.2))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.05), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn silent<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(10).verbose(Verbosity::Silent)
}

/// The bits of all weights and of what the optimizer remembers.
fn bits(model: &Model<Sequential>) -> Vec<Vec<u64>> {
    let all = model.variables().into_iter().chain(model.optimizer.variables());
    all.map(|v| v.value().unwrap().to_vec::<f64>().iter().map(|v| v.to_bits()).collect()).collect()
}

#[test]
fn each_method_is_called_in_its_place() -> Result {
    let calls = RefCell::new(Vec::new());
    let note = |moment: Moment| {
        let calls = &calls;
        at(moment, move |run: &mut Run| {
            let names: Vec<&str> = run.logs.iter().map(|(name, _)| name).collect();
            calls.borrow_mut().push(format!(
                "{} {}/{} {}/{} {}",
                moment.method(),
                run.epoch,
                run.epochs,
                run.step,
                run.steps,
                names.join(",")
            ));
            Ok(())
        })
    };
    let all = || MOMENTS.into_iter().fold(Callbacks::new(), |all, moment| all.callback(note(moment)));
    let (mut model, (x, y)) = (classifier(), data(15));
    let fit = silent(1).validation((&x, &y));
    model.fit((&x, &y), MOMENTS.into_iter().fold(fit, |fit, moment| fit.callback(note(moment))))?;
    let expected = [
        "on_train_begin 0/1 0/2 ",
        "on_epoch_begin 0/1 0/2 ",
        "on_batch_begin 0/1 0/2 ",
        "on_batch_end 0/1 0/2 accuracy,loss",
        "on_batch_begin 0/1 1/2 accuracy,loss",
        "on_batch_end 0/1 1/2 accuracy,loss",
        "on_evaluate_begin 0/1 0/1 accuracy,loss",
        "on_evaluate_batch_begin 0/1 0/1 accuracy,loss",
        "on_evaluate_batch_end 0/1 0/1 accuracy,loss,val_accuracy,val_loss",
        "on_evaluate_end 0/1 2/2 accuracy,loss,val_accuracy,val_loss",
        "on_epoch_end 0/1 2/2 accuracy,loss,val_accuracy,val_loss",
        "on_train_end 1/1 0/2 accuracy,loss,val_accuracy,val_loss",
    ];
    assert_eq!(calls.take(), expected);

    let (x, y) = data(1030);
    let logs = model.evaluate_with((&x, &y), all())?;
    assert_eq!(logs, model.evaluate((&x, &y))?);
    let expected = [
        "on_evaluate_begin 0/0 0/2 ",
        "on_evaluate_batch_begin 0/0 0/2 ",
        "on_evaluate_batch_end 0/0 0/2 accuracy,loss",
        "on_evaluate_batch_begin 0/0 1/2 accuracy,loss",
        "on_evaluate_batch_end 0/0 1/2 accuracy,loss",
        "on_evaluate_end 0/0 0/2 accuracy,loss",
    ];
    assert_eq!(calls.take(), expected);

    let outputs = model.predict_with(&x, all())?;
    assert_eq!(outputs, model.predict_all(&x)?);
    let expected = [
        "on_predict_begin 0/0 0/2 ",
        "on_predict_batch_begin 0/0 0/2 ",
        "on_predict_batch_end 0/0 0/2 ",
        "on_predict_batch_begin 0/0 1/2 ",
        "on_predict_batch_end 0/0 1/2 ",
        "on_predict_end 0/0 0/2 ",
    ];
    assert_eq!(calls.take(), expected);
    Ok(())
}

/// Counts its calls, and does not want to be called around batches.
#[derive(Default)]
struct Epochs {
    epochs: usize,
    batches: usize,
}

impl Callback for Epochs {
    fn on_epoch_end(&mut self, _: &mut Run) -> Result {
        self.epochs += 1;
        Ok(())
    }

    fn on_batch_end(&mut self, _: &mut Run) -> Result {
        self.batches += 1;
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }
}

#[test]
fn only_who_wants_batches_is_called_around_them() -> Result {
    let ((x, y), mut count) = (data(30), Epochs::default());
    classifier().fit((&x, &y), silent(2).callback(&mut count).callback(at(Moment::BatchEnd, |_| Ok(()))))?;
    assert_eq!((count.epochs, count.batches), (2, 0));
    Ok(())
}

#[test]
fn a_callback_that_fails_leaves_the_weights_of_the_last_whole_step() -> Result {
    let (x, y) = data(30);
    let (mut stopped, mut failed) = (classifier(), classifier());
    stopped.fit(
        (&x, &y),
        silent(3).callback(at(Moment::BatchEnd, |run| {
            if (run.epoch, run.step) == (1, 1) {
                run.stop();
            }
            Ok(())
        })),
    )?;
    let fail = at(Moment::BatchEnd, |run: &mut Run| match (run.epoch, run.step) {
        (1, 1) => Err(Error::new("own", "enough")),
        _ => Ok(()),
    });
    let error = failed.fit((&x, &y), silent(3).callback(fail)).unwrap_err();
    assert_eq!(error.title(), "enough");
    assert!(error.to_string().contains("note: in `on_batch_end` of the callback `closure`"), "{error}");
    assert_eq!(bits(&failed), bits(&stopped));
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_stops_quietly_if_a_callback_says_so() -> Result {
    let (x, y) = data(30);
    let diverging = || {
        Sequential::new()
            .then(Dense::new(1))
            .compile(Sgd::new(1e18), carnyx_nn::MeanSquaredError)
            .metric(carnyx_nn::RootMeanSquaredError)
    };
    let targets = y.cast(carnyx_graph::DType::F32);
    assert_eq!(diverging().fit((&x, &targets), silent(9)).unwrap_err().code(), "non-finite");
    let (mut model, mut terminate) = (diverging(), TerminateOnNaN::new());
    let mut last = None;
    let note = at(Moment::NonFiniteLoss, |run: &mut Run| {
        last = run.batch_loss();
        Ok(())
    });
    let mut best = EarlyStopping::patience(9).monitor("loss");
    let fit =
        silent(9).validation((&x, &targets)).callback(&mut terminate).callback(&mut best).callback(note);
    let history = model.fit((&x, &targets), fit)?;
    let (epoch, step) = terminate.stopped_at.expect("it diverges");
    assert!(epoch == 0 && step > 0, "{epoch}, {step}");
    assert_eq!(history.epochs.len(), 1);
    assert!(!history.epochs[0]["loss"].is_finite());
    assert_eq!(last.unwrap().to_bits(), history.epochs[0]["loss"].to_bits());
    assert!(bits(&model).iter().flatten().all(|&bits| f64::from_bits(bits).is_finite()));
    Ok(())
}

#[test]
fn learning_rates_follow_a_schedule_and_are_logged() -> Result {
    let ((x, y), mut model) = (data(30), classifier());
    let schedule = || LearningRateScheduler::new(|epoch, rate| if epoch < 2 { rate } else { rate * 0.5 });
    let first = model.fit((&x, &y), silent(3).callback(schedule()))?;
    assert_eq!(first.values("learning_rate"), [0.05, 0.05, 0.025]);
    // Epochs are counted on.
    let second = model.fit((&x, &y), silent(1).callback(schedule()))?;
    assert_eq!(second.values("learning_rate"), [0.0125]);
    Ok(())
}

#[test]
fn the_loss_of_each_batch_is_known_to_callbacks() -> Result {
    let ((x, y), mut model) = (data(45), classifier());
    let (mut losses, mut first) = (Vec::new(), Some(1.0));
    let begin = at(Moment::TrainBegin, |run| {
        first = run.batch_loss();
        Ok(())
    });
    let collect = at(Moment::BatchEnd, |run| {
        losses.extend(run.batch_loss());
        Ok(())
    });
    let history = model.fit((&x, &y), silent(1).batch_size(20).callback(begin).callback(collect))?;
    assert_eq!((first, losses.len()), (None, 3));
    let mean = (20.0 * losses[0] + 20.0 * losses[1] + 5.0 * losses[2]) / 45.0;
    assert!((history.epochs[0]["loss"] - mean).abs() < 1e-12, "{mean}");
    assert_ne!(losses[2], mean);
    Ok(())
}

#[test]
fn models_are_saved_in_the_middle_of_an_epoch() -> Result {
    let (folder, (x, y)) = (folder("middle"), data(30));
    let path = folder.join("model.keras");
    let save = at(Moment::BatchEnd, |run: &mut Run| match (run.epoch, run.step) {
        (0, 0) => run.save(&path).map(drop),
        _ => Ok(()),
    });
    classifier().fit((&x, &y), silent(1).batch_size(30).callback(save))?;
    let mut once = classifier();
    once.fit((&x, &y), silent(1).batch_size(30))?;
    assert_eq!(load(&path)?.predict(&x)?, once.predict(&x)?);
    std::fs::remove_dir_all(&folder).unwrap();
    Ok(())
}

/// Sums what it sees, and tells a backup of it.
#[derive(Default)]
struct Sum(f64);

impl Callback for Sum {
    fn on_train_begin(&mut self, _: &mut Run) -> Result {
        self.0 = 0.0;
        Ok(())
    }

    fn on_batch_begin(&mut self, run: &mut Run) -> Result {
        self.0 += run.batch_loss().unwrap_or(0.5);
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run) -> Result {
        self.0 += run.logs["loss"];
        run.logs.set("sum", self.0);
        Ok(())
    }

    fn state(&mut self) -> Result<State> {
        Ok(State::new().with_number("sum", self.0))
    }

    fn restore(&mut self, state: &State) -> Result {
        self.0 = state.number("sum").unwrap_or(f64::NAN);
        Ok(())
    }
}

/// Everything that a training leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    bits: Vec<Vec<u64>>,
    history: History,
    log: String,
    stopping: [Option<usize>; 2],
    best: Option<f64>,
}

/// Trains with every kind of callback, and is interrupted at the moment number `interrupt`, if there is one; `None` if
/// it was.
fn train(folder: &Path, interrupt: Option<usize>, backup: Option<BackupAndRestore>) -> Result<Option<Left>> {
    let (x, y) = data(45);
    let (mut model, moments) = (classifier(), RefCell::new(0));
    let count = |moment: Moment| {
        let moments = &moments;
        at(moment, move |_: &mut Run| {
            *moments.borrow_mut() += 1;
            let is_now = interrupt == Some(*moments.borrow());
            if is_now { Err(Error::new("interrupted", "the power fails")) } else { Ok(()) }
        })
    };
    // The first layer learns from the second epoch on only.
    model.variables()[..2].iter().for_each(|variable| variable.set_trainable(false));
    let thaw = at(Moment::EpochBegin, |run: &mut Run| {
        if run.epoch == 1 {
            run.variables().iter().for_each(|variable| variable.set_trainable(true));
        }
        Ok(())
    });
    let mut stopping = EarlyStopping::patience(2).monitor("val_accuracy").restore_best();
    let mut checkpoint = ModelCheckpoint::at(folder.join("{epoch}.keras")).best_only();
    let mut fit = silent(6)
        .batch_size(20)
        .validation_split(0.2)
        .callback(thaw)
        .callback(Sum::default())
        .callback(LearningRateScheduler::new(|_, rate| rate * 0.9))
        .callback(ReduceLROnPlateau::patience(1).monitor("val_accuracy"))
        .callback(&mut stopping)
        .callback(&mut checkpoint)
        .callback(CSVLogger::new(folder.join("log.csv")));
    for moment in MOMENTS {
        fit = fit.callback(count(moment));
    }
    if let Some(backup) = backup {
        fit = fit.callback(backup);
    }
    let history = match model.fit((&x, &y), fit) {
        Ok(history) => history,
        Err(error) if error.code() == "interrupted" => return Ok(None),
        Err(error) => return Err(error),
    };
    let log = std::fs::read_to_string(folder.join("log.csv")).unwrap();
    let stopping = [stopping.best_epoch, stopping.stopped_epoch];
    Ok(Some(Left { bits: bits(&model), history, log, stopping, best: checkpoint.best }))
}

#[test]
fn a_fit_that_is_interrupted_at_any_moment_continues_to_the_bit() -> Result {
    let folder = folder("moments");
    let expected = train(&folder, None, None)?.expect("nothing interrupts it");
    assert!(expected.stopping[1].is_some() && expected.history.epochs.len() > 2, "{:?}", expected.history);
    for (every_steps, stride) in [(Some(1), 1), (Some(3), 4), (None, 4)] {
        let backup = || {
            let backup = BackupAndRestore::at(folder.join("backup"));
            every_steps.map_or(BackupAndRestore::at(folder.join("backup")), |steps| backup.every_steps(steps))
        };
        let mut interruptions = 0;
        for moment in (1..).step_by(stride) {
            if train(&folder, Some(moment), Some(backup()))?.is_some() {
                break;
            }
            interruptions += 1;
            let left = train(&folder, None, Some(backup()))?.expect("nothing interrupts it");
            assert_eq!(left, expected, "interrupted at moment {moment}, with backups {every_steps:?}");
            assert!(!folder.join("backup").exists());
        }
        assert!(interruptions * stride > 20, "{interruptions}");
    }
    // Interrupted again and again, each time a little later.
    for moment in 1..60 {
        let backup = BackupAndRestore::at(folder.join("backup")).every_steps(1);
        if let Some(left) = train(&folder, Some(8 + moment % 7), Some(backup))? {
            assert_eq!(left, expected);
            std::fs::remove_dir_all(&folder).unwrap();
            return Ok(());
        }
    }
    panic!("the fit never comes to its end");
}

#[test]
fn a_finished_fit_that_keeps_its_backup_has_nothing_left_to_do() -> Result {
    let folder = folder("keep");
    let backup = || BackupAndRestore::at(folder.join("backup")).keep();
    let first = train(&folder, None, Some(backup()))?;
    let again = train(&folder, None, Some(backup()))?;
    assert_eq!(again, first);
    std::fs::remove_dir_all(&folder).unwrap();
    Ok(())
}

#[test]
fn a_damaged_backup_is_an_error_and_changes_nothing() -> Result {
    let (folder, (x, y)) = (folder("damaged"), data(30));
    let backup = || BackupAndRestore::at(&folder).keep();
    classifier().fit((&x, &y), silent(1).callback(backup()))?;
    let path = folder.join("backup.safetensors");
    let good = std::fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> =
        [0, 7, 8, 100, good.len() - 1].map(|length| good[..length].to_vec()).into();
    for at in (0..good.len()).step_by(29) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        damaged.push(bytes);
    }
    let mut model = classifier();
    for bytes in damaged {
        std::fs::write(&path, &bytes).unwrap();
        let error = model.fit((&x, &y), silent(2).callback(backup())).unwrap_err();
        assert_eq!(error.code(), "backup", "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert_eq!(model.epochs_trained(), 0);
    std::fs::write(&path, &good).unwrap();
    // What an interrupted write leaves behind is cleared away.
    std::fs::write(folder.join(".backup.safetensors.1-0.part"), &good[..50]).unwrap();
    let history = model.fit((&x, &y), silent(2).callback(backup()))?;
    assert_eq!(history.epochs.len(), 2);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    let mut whole = classifier();
    whole.fit((&x, &y), silent(2))?;
    assert_eq!(bits(&model), bits(&whole));
    std::fs::remove_dir_all(&folder).unwrap();
    Ok(())
}

#[test]
fn numbers_of_other_callbacks_can_be_watched() -> Result {
    let (x, y) = data(30);
    let own = at_epoch_end(|run| {
        run.logs.set("val_own", 1.0 / (1.0 + run.epoch as f64));
        Ok(())
    });
    let mut stopping = EarlyStopping::patience(1).monitor("val_own").maximize();
    let history = classifier().fit((&x, &y), silent(5).callback(own).callback(&mut stopping))?;
    assert_eq!((history.epochs.len(), stopping.stopped_epoch, stopping.best), (2, Some(1), Some(1.0)));
    Ok(())
}
