//! Logs for TensorBoard: what is in the files, and what happens to them when things go wrong.

use carnyx::board::{Trial, TrialStatus, Writer, log_trials};
use carnyx::callbacks::{BackupAndRestore, Moment, at, at_epoch_end};
use carnyx::prelude::*;
use carnyx::{Direction, MemoryStorage, Storage, Study, TrialState};
use carnyx_tests::events::{Fields, Logged, event_files, graphs, logged, records};
use carnyx_tests::{Domain, Numbers};
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("carnyx-board-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn data() -> (Array, Array) {
    let mut numbers = Numbers(3);
    (numbers.array(&[40, 4], Domain::Between(-1.0, 1.0)), numbers.array(&[40], Domain::Index(3)))
}

fn classifier() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(6).activation(Relu))
        .then(BatchNormalization::new())
        .then(Dropout::new(0.2))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.05), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn fit<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(10).verbose(Verbosity::Silent)
}

fn bits(model: &Model<Sequential>) -> Vec<Vec<u64>> {
    let all = model.variables().into_iter().chain(model.optimizer.variables());
    all.map(|v| v.value().unwrap().to_vec::<f64>().iter().map(|v| v.to_bits()).collect()).collect()
}

/// Steps and first numbers of a tag.
fn curve(all: &[Logged], run: &str, tag: &str) -> Vec<(i64, f64)> {
    let of_tag = all.iter().filter(|entry| entry.run == run && entry.tag == tag);
    of_tag.map(|entry| (entry.step, entry.numbers[0])).collect()
}

#[test]
fn logging_changes_no_bit_of_a_training() -> Result {
    let ((x, y), folder) = (data(), folder("bits"));
    let (mut watched, mut alone) = (classifier(), classifier());
    let board = TensorBoard::at(&folder).every_steps(1).histograms(1).gradients(1).weight_images(1);
    let history = watched.fit((&x, &y), fit(3).validation_split(0.25).callback(board))?;
    assert_eq!(history, alone.fit((&x, &y), fit(3).validation_split(0.25))?);
    assert_eq!(bits(&watched), bits(&alone));

    let all = logged(&folder);
    let expected: Vec<(i64, f64)> = (0..)
        .zip(history.values("val_accuracy"))
        .map(|(epoch, value)| (epoch, f64::from(value as f32)))
        .collect();
    assert_eq!(curve(&all, "validation", "epoch_accuracy"), expected);
    let gradients: Vec<&Logged> = all.iter().filter(|entry| entry.tag.ends_with("/gradient")).collect();
    assert_eq!(gradients.len(), 3 * 6, "two kernels, two biases, gamma and beta; moving averages have none");
    let histograms = all.iter().filter(|entry| entry.tag.ends_with("/histogram"));
    assert_eq!(histograms.count(), 3 * 8);
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

/// Keeps the gradients that a fit shows.
struct Look(Vec<f32>);

impl Callback for Look {
    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        assert_eq!(run.gradients().len(), usize::from(run.epoch != 1));
        self.0.extend(run.gradients().iter().flat_map(|(_, gradient)| gradient.values()));
        Ok(())
    }

    fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
        assert!(run.epoch == 0 || run.step_graph().is_some());
        Ok(())
    }

    fn wants_gradients(&self, epoch: usize) -> bool {
        epoch != 1
    }
}

/// One step of the simplest model: its gradient is known.
#[test]
fn gradients_are_those_of_the_first_batch_for_the_weights_at_the_end() -> Result {
    let (x, y) = (Array::full([4, 1], 2f32), Array::full([4, 1], 1f32));
    let mut model =
        Sequential::new().then(Dense::new(1).without_bias()).compile(Sgd::new(0.0), MeanSquaredError);
    model.predict(&x)?;
    model.variables()[0].assign(&Array::from([[3f32]]))?;
    let mut look = Look(Vec::new());
    model.fit((&x, &y), fit(3).shuffle(false).callback(&mut look))?;
    // The slope of (2w - 1)² at 3.
    assert_eq!(look.0, [20.0, 20.0]);
    Ok(())
}

#[test]
fn graphs_have_the_layers_as_boxes() -> Result {
    let ((x, y), folder) = (data(), folder("graphs"));
    classifier().fit((&x, &y), fit(1).callback(TensorBoard::at(&folder)))?;
    let graphs = graphs(&folder);
    assert_eq!(graphs.len(), 1);
    let nodes = &graphs[0];
    for name in [
        "sequential/dense/kernel",
        "sequential/dense_1/bias",
        "input_0",
        "target_0",
        "sequential/dense/kernel/assign",
    ] {
        assert!(nodes.iter().any(|(node, ..)| node == name), "`{name}` is missing");
    }
    let is_dot = |name: &str, operation: &str| operation == "dot" && name.contains("/dense_1/dot");
    assert!(nodes.iter().any(|(name, operation, _)| is_dot(name, operation)), "a product within its layer");
    let mut before: Vec<&str> = Vec::new();
    for (name, _, inputs) in nodes {
        assert!(!before.contains(&name.as_str()), "`{name}` is there twice");
        assert!(inputs.iter().all(|input| before.contains(&input.as_str())), "inputs come first");
        before.push(name);
    }
    let all = logged(&folder);
    let keras = all.iter().find(|entry| entry.tag == "keras").unwrap();
    assert_eq!((keras.plugin.as_str(), &keras.content[..]), ("graph_keras_model", &b"1"[..]));
    let json: serde_json::Value = serde_json::from_slice(&keras.texts[0]).unwrap();
    assert_eq!(json["class_name"], "Sequential");
    assert_eq!(json["config"]["layers"][1]["class_name"], "Dense");
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

/// A model whose layers no file knows has a graph of operations, and says why it has no other.
#[test]
fn a_dynamic_model_has_no_graph_of_layers() -> Result {
    let ((x, y), folder) = (data(), folder("dynamic"));
    let own = Lambda::new(|x: &Tensor| x * 2.0);
    let net = Sequential::new().then(own).then(Dense::new(3).activation(Softmax));
    let mut model = net.compile(Sgd::new(0.1), SparseCategoricalCrossentropy).dynamic();
    model.fit((&x, &y), fit(1).callback(TensorBoard::at(&folder)))?;
    let all = logged(&folder);
    let keras = all.iter().find(|entry| entry.tag == "keras").unwrap();
    assert_eq!(keras.plugin, "text");
    assert!(String::from_utf8_lossy(&keras.texts[0]).contains("error[file]"));
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

#[test]
fn logs_can_be_read_while_they_are_written() -> Result {
    let ((x, y), folder) = (data(), folder("reading"));
    let reads = at_epoch_end(|run| {
        let all = logged(&folder);
        let losses = curve(&all, "train", "epoch_loss");
        assert_eq!(losses.len(), run.epoch + 1);
        assert_eq!(losses[run.epoch].1, f64::from(run.logs["loss"] as f32));
        Ok(())
    });
    classifier().fit((&x, &y), fit(3).callback(TensorBoard::at(&folder)).callback(reads))?;
    std::fs::remove_dir_all(&folder).unwrap();
    Ok(())
}

#[test]
fn curves_go_on_over_fits_and_after_an_interruption() -> Result {
    let ((x, y), folder) = (data(), folder("resumed"));
    let board = || TensorBoard::at(folder.join("logs")).every_steps(1);
    let train = |accident: bool| {
        let stop = at(Moment::BatchEnd, move |run| match (run.epoch, run.step) {
            (2, 1) if accident => Err(Error::new("power", "the power fails")),
            _ => Ok(()),
        });
        let mut model = classifier();
        let backup = BackupAndRestore::at(folder.join("backup"));
        model.fit((&x, &y), fit(4).callback(board()).callback(stop).callback(backup))?;
        Ok::<_, Error>(model)
    };
    assert!(train(true).is_err());
    let mut model = train(false)?;
    model.fit((&x, &y), fit(1).callback(board()))?;
    assert_eq!(event_files(&folder.join("logs/train")).len(), 3);
    let all = logged(&folder.join("logs"));
    let steps = |tag: &str| curve(&all, "train", tag).iter().map(|(step, _)| *step).collect::<Vec<_>>();
    assert_eq!(steps("epoch_loss"), [0, 1, 2, 3, 4]);
    // The steps between the backup and the interruption are done, and logged, twice; the values are the same.
    let mut losses = curve(&all, "train", "batch_loss");
    assert_eq!(losses.len(), 20 + 2);
    losses.sort_by_key(|(step, _)| *step);
    losses.dedup();
    assert_eq!(losses.iter().map(|(step, _)| *step).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    assert_eq!(all.iter().filter(|entry| entry.tag == "keras").count(), 2, "once for each fit that began");
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

#[test]
fn weights_that_are_not_finite_are_counted() -> Result {
    let ((x, y), folder) = (data(), folder("odd"));
    let mut model = classifier();
    model.predict(&x)?;
    let poison = at(Moment::EpochEnd, |run| {
        let bias = run.variables().iter().find(|variable| variable.path().as_deref() == Some("dense_1/bias"));
        bias.map_or(Ok(()), |bias| bias.assign(&Array::from([f32::NAN, 0.0, f32::INFINITY])))
    });
    model.fit(
        (&x, &y),
        fit(1).callback(poison).callback(TensorBoard::at(&folder).histograms(1).weight_images(1)),
    )?;
    let all = logged(&folder);
    assert_eq!(curve(&all, "train", "dense_1/bias/histogram/not_finite"), [(0, 2.0)]);
    assert_eq!(all.iter().filter(|entry| entry.tag.ends_with("not_finite")).count(), 1);
    let histogram = all.iter().find(|entry| entry.tag == "dense_1/bias/histogram").unwrap();
    assert_eq!(histogram.numbers.chunks(3).map(|bucket| bucket[2]).sum::<f64>(), 1.0);
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

#[test]
fn trials_say_their_hyperparameters_and_how_they_ended() -> Result {
    let ((x, y), folder) = (data(), folder("trials"));
    let trial =
        Trial::new("0").with("units", 16).with("optimizer", "sgd").with("rate", f64::NAN).metric("loss", 0.5);
    log_trials(&folder, &[trial.status(TrialStatus::Failed)])?;
    let board = |trial: &str| TensorBoard::at(folder.join(trial)).hyperparameters([("units", 32.into())]);
    classifier().fit((&x, &y), fit(1).callback(board("1")))?;
    let accident = at_epoch_end(|_| Err(Error::new("power", "the power fails")));
    assert!(classifier().fit((&x, &y), fit(1).callback(board("2")).callback(accident)).is_err());

    let all = logged(&folder);
    let content = |run: &str, tag: &str| {
        let entry = all.iter().find(|entry| entry.run == run && entry.tag == tag);
        Fields::of(&entry.unwrap_or_else(|| panic!("no {tag} in {run}")).content)
    };
    let experiment = content("", "_hparams_/experiment").message(2);
    let names: Vec<String> = experiment.all(4).iter().map(|info| Fields::of(info).text(1)).collect();
    assert_eq!(names, ["units", "optimizer", "rate"]);
    let kinds: Vec<i64> = experiment.all(4).iter().map(|info| Fields::of(info).int(4)).collect();
    assert_eq!(kinds, [3, 1, 1], "a number, a word, and no finite number");
    let begin = content("0", "_hparams_/session_start_info").message(3);
    assert_eq!((begin.all(1).len(), begin.text(4)), (3, "0".to_owned()));
    let ended = |run: &str| content(run, "_hparams_/session_end_info").message(4).int(1);
    assert_eq!((ended("0"), ended("1"), ended("2")), (2, 1, 2));
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

#[test]
fn studies_become_trials() -> Result {
    let folder = folder("study");
    let storage = MemoryStorage::new();
    let id = storage.open_study("digits", Direction::Maximize)?;
    let domain = carnyx::Domain::Choice(vec!["sgd".into(), "adam".into()]);
    for (choice, end) in [(0.0, TrialState::Complete), (1.0, TrialState::Failed)] {
        let trial = storage.begin_trial(id)?;
        storage.set_parameter(trial.id, "optimizer", &domain, choice)?;
        storage.report(trial.id, 0, 0.25)?;
        storage.report(trial.id, 3, 0.75)?;
        storage.finish(trial.id, end, (end == TrialState::Complete).then_some(0.75))?;
    }
    storage.enqueue(id, &[("optimizer".into(), domain, 0.0)], &[])?;
    let study = Study::new("digits", "val_accuracy", Direction::Maximize, storage.trials(id)?);
    study.log_to(&folder)?;
    let all = logged(&folder);
    assert_eq!(curve(&all, "0", "val_accuracy"), [(0, 0.75)]);
    assert_eq!(curve(&all, "1", "val_accuracy"), []);
    assert_eq!(curve(&all, "1", "val_accuracy/reached"), [(0, 0.25), (3, 0.75)]);
    assert!(all.iter().all(|entry| entry.run != "2"), "a trial that waits is none yet");
    let begin = all.iter().find(|entry| entry.run == "1" && entry.tag == "_hparams_/session_start_info");
    let optimizer = Fields::of(&begin.unwrap().content).message(3).message(1);
    assert_eq!((optimizer.text(1), optimizer.message(2).text(3)), ("optimizer".into(), "adam".into()));
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

/// What stands in the way of the validation data's logs appears when training has begun.
#[test]
fn a_run_that_cannot_begin_ends_no_training() -> Result {
    let ((x, y), folder) = (data(), folder("obstacle"));
    let obstacle = at(Moment::EpochBegin, |_| {
        std::fs::write(folder.join("validation"), "in the way").unwrap();
        Ok(())
    });
    let fit = fit(2).validation((&x, &y)).callback(TensorBoard::at(&folder)).callback(obstacle);
    classifier().fit((&x, &y), fit)?;
    assert_eq!(curve(&logged(&folder), "train", "epoch_loss").len(), 2);
    std::fs::remove_dir_all(&folder).unwrap();
    Ok(())
}

#[test]
fn several_writers_share_a_folder() -> Result {
    let folder = folder("shared");
    let mut logs = [Writer::at(&folder)?, Writer::at(&folder)?];
    for (step, log) in logs.iter_mut().enumerate() {
        log.scalar("a", step, 1.0)?;
        log.flush();
    }
    assert_eq!(curve(&logged(&folder), "", "a"), [(0, 1.0), (1, 1.0)]);
    std::fs::remove_dir_all(folder).unwrap();
    Ok(())
}

fn logger(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logger"));
    command.arg(folder);
    command
}

#[test]
fn a_program_that_is_killed_leaves_whole_records() {
    for pause in [40, 80, 160] {
        let folder = folder("killed");
        let mut program = logger(&folder).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        program.kill().unwrap();
        program.wait().unwrap();
        for path in event_files(&folder) {
            // A file that was just made may be empty; whatever is in it can be read.
            records(&std::fs::read(path).unwrap());
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// A limit on the size of files stands for a full disk: the same system calls fail.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_no_training() {
    let folder = folder("full");
    let limited = format!("trap '' XFSZ; ulimit -f 8; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_logger"));
    let output = Command::new("bash").args(["-c", &limited, "logger"]).arg(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("logs that cannot be written are lost"), "{said}");
    let files = event_files(&folder);
    let lost = files.iter().filter(|path| said.contains(&*path.to_string_lossy())).count();
    let profiles = said.matches(".xplane.pb").count();
    assert!(lost > 0 && said.matches("are lost").count() == lost + profiles, "once for each file: {said}");
    assert_eq!(profiles, 1, "the profile of a fit is too large: {said}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let whole: usize = records(&bytes).iter().map(|record| record.len() + 16).sum();
        assert_eq!(whole, bytes.len(), "what was written in part is taken back");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
