//! Schedules of learning rates: followed by every optimizer, in every kind of training, and kept in files.

use crate::messages::assert_message;
use crate::parity::schedules::recorded_schedules;
use crate::saving::{Folder, assert_file_message, interrupted, numbers, quiet};
use carnyx::callbacks::{BackupAndRestore, CSVLogger, EarlyStopping, Moment, at};
use carnyx::optimizers::{Adadelta, Adafactor, Adagrad, Adamax, Ftrl, Lamb, Lion, Muon, Nadam};
use carnyx::prelude::*;
use carnyx::schedules::Clock;
use carnyx::{CosineDecayRestarts, InverseTimeDecay, PolynomialDecay, PowerDecay};
use carnyx_file::Archive;
use carnyx_tests::assert_golden;

fn net() -> Sequential {
    Sequential::new().then(Input::new([4])).then(Dense::new(5).activation(Tanh)).then(Dense::new(2))
}

fn data() -> (Array, Array) {
    (numbers(&[20, 4], 1), numbers(&[20, 2], 2))
}

/// The bits of all weights and of what the optimizer remembers, but for the rate itself.
fn bits(model: &Model<Sequential>) -> Vec<Vec<u64>> {
    let all = model.variables().into_iter().chain(model.optimizer.variables());
    all.map(|v| v.value().unwrap().to_vec::<f64>().iter().map(|v| v.to_bits()).collect()).collect()
}

type Make = fn(LearningRate) -> Optimizer;

const OPTIMIZERS: [Make; 13] = [
    |rate| Sgd::new(rate).momentum(0.9).into(),
    |rate| Adam::new(rate).into(),
    |rate| AdamW::new(rate).weight_decay(0.1),
    |rate| Adamax::new(rate).into(),
    |rate| Nadam::new(rate).gradient_accumulation_steps(2),
    |rate| RmsProp::new(rate).into(),
    |rate| Adagrad::new(rate).into(),
    |rate| Adadelta::new(rate).into(),
    |rate| Ftrl::new(rate).into(),
    |rate| Lion::new(rate).into(),
    |rate| Lamb::new(rate).clip_norm(0.5),
    |rate| Adafactor::new(rate).into(),
    |rate| Muon::new(rate).moving_average(0.9),
];

#[test]
fn every_optimizer_goes_the_steps_that_it_is_told() -> Result {
    let ((x, y), schedule) = (data(), Warmup::steps(3, CosineDecay::new(0.05, 9)).start_factor(0.5));
    for make in OPTIMIZERS {
        let mut followed = net().compile(make(schedule.clone().into()), MeanSquaredError);
        let mut seen = Vec::new();
        let note = at(Moment::BatchBegin, |run| {
            seen.push(run.optimizer.learning_rate);
            Ok(())
        });
        let history = followed.fit((&x, &y), quiet(2).batch_size(4).callback(note))?;
        let expected: Vec<f64> = (0..10).map(|step| schedule.rate(Clock::at_step(f64::from(step)))).collect();
        assert_eq!(seen, expected);
        // What is logged is the rate of the step that comes next, as with Keras.
        let next = [5.0, 10.0].map(|step| schedule.rate(Clock::at_step(step)));
        assert_eq!(history.values("learning_rate"), next);
        assert_eq!(followed.optimizer.learning_rate, next[1]);

        let mut by_hand = net().compile(make(0.5.into()), MeanSquaredError);
        let mut rates = expected.iter();
        let set = at(Moment::BatchBegin, |run| {
            run.optimizer.learning_rate = *rates.next().unwrap();
            Ok(())
        });
        by_hand.fit((&x, &y), quiet(2).batch_size(4).callback(set))?;
        assert_eq!(bits(&followed), bits(&by_hand), "{}", followed.optimizer.name());
    }
    Ok(())
}

#[test]
fn loops_of_ones_own_follow_too() -> Result {
    let weight = Variable::from(Array::scalar(1f32));
    let mut optimizer = Optimizer::from(Sgd::new(|step: f64| 0.5 / (1.0 + step)));
    let mut expected = 1f32;
    for step in 0..5 {
        let loss = Tensor::read(&weight).square() * 0.5;
        let updates = optimizer.update(&loss.gradients(std::slice::from_ref(&weight)));
        loss.eval_with(updates)?;
        assert_eq!(optimizer.learning_rate, 0.5 / f64::from(step + 1));
        expected -= expected * (0.5 / f64::from(step + 1)) as f32;
        assert_eq!(weight.value()?.item()? as f32, expected);
    }
    Ok(())
}

#[test]
fn epochs_are_counted_over_all_fits() -> Result {
    let (x, y) = data();
    let stairs = PiecewiseConstantDecay::new([0, 2], [0.1, 0.05, 0.01]).per_epoch();
    let mut model = net().compile(Adam::new(stairs), MeanSquaredError);
    assert_eq!(model.fit((&x, &y), quiet(2))?.values("learning_rate"), [0.1, 0.05]);
    let mut fork = model.fork();
    assert_eq!(model.fit((&x, &y), quiet(2))?.values("learning_rate"), [0.05, 0.01]);
    assert_eq!(fork.fit((&x, &y), quiet(2))?.values("learning_rate"), [0.05, 0.01]);
    assert_eq!(bits(&fork), bits(&model));

    let warmup = Warmup::epochs(2, PiecewiseConstantDecay::new([4], [0.4, 0.1]).per_epoch());
    let mut model = net().compile(Sgd::new(warmup), MeanSquaredError);
    let mut seen = Vec::new();
    let note = at(Moment::BatchBegin, |run| {
        seen.push(run.optimizer.learning_rate);
        Ok(())
    });
    let history = model.fit((&x, &y), quiet(3).batch_size(10).callback(note))?;
    assert_eq!(seen, [0.0, 0.1, 0.2, 0.4 * 0.75, 0.4, 0.4]);
    assert_eq!(history.values("learning_rate"), [0.2, 0.4, 0.4]);
    Ok(())
}

#[test]
fn the_rate_is_one_of_the_numbers_of_a_fit() -> Result {
    let (folder, (x, y)) = (Folder::new("schedule_log"), data());
    let mut model = net().compile(Sgd::new(PowerDecay::new(0.1, 1)), MeanSquaredError);
    let watch = EarlyStopping::patience(5).monitor("learning_rate").minimize();
    let log = folder.path("log.csv");
    model.fit((&x, &y), quiet(2).callback(watch).callback(CSVLogger::new(&log)))?;
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.starts_with("epoch,learning_rate,loss\n0,0.05,"), "{log}");
    Ok(())
}

/// A schedule of each kind, and some around others.
fn every_schedule() -> Vec<LearningRate> {
    let mut all: Vec<LearningRate> =
        recorded_schedules().into_iter().map(|(_, schedule, _)| schedule).collect();
    all.extend([
        PowerDecay::new(0.1, 7).power(0.5).into(),
        OneCycle::new(0.1, 20)
            .rise(0.4)
            .initial_divisor(5.0)
            .final_divisor(7.0)
            .linear()
            .three_phases()
            .into(),
        Warmup::steps(5, 0.1).start_factor(0.1).into(),
        Warmup::epochs(3, PolynomialDecay::new(0.1, 4).per_epoch()).into(),
        Warmup::steps(5, Warmup::epochs(1, CosineDecayRestarts::new(0.1, 3).per_epoch().smooth())).into(),
        InverseTimeDecay::new(0.1, 3, 0.5).per_epoch().into(),
    ]);
    all
}

#[test]
fn files_hold_every_schedule_to_the_bit() {
    for (i, schedule) in every_schedule().into_iter().enumerate() {
        let make = || net().compile(Sgd::new(schedule.clone()).momentum(0.5), MeanSquaredError).seed(7);
        let (x, y) = data();
        interrupted(make, &[x], &[y], &format!("schedule_{i}"));
    }
}

#[test]
fn schedules_of_keras_are_written_as_keras_writes_them() -> Result {
    let folder = Folder::new("schedule_json");
    let path = folder.path("model.keras");
    for (name, schedule, expected) in recorded_schedules() {
        let report = net().compile(Adam::new(schedule), MeanSquaredError).save(&path)?;
        assert!(report.is_whole(), "{name}: {report}");
        let compiled =
            &Archive::read(&path)?.config["compile_config"]["optimizer"]["config"]["learning_rate"];
        assert_eq!(compiled, &expected, "{name}");
    }
    // What Keras does not have would keep it from reading the model.
    net().compile(Adam::new(Warmup::steps(5, 0.1)), MeanSquaredError).save(&path)?;
    assert!(Archive::read(&path)?.config["compile_config"].is_null());
    Ok(())
}

#[test]
fn functions_are_left_out_of_files_and_named() -> Result {
    let (folder, (x, y)) = (Folder::new("schedule_closure"), data());
    let falling = |step: f64| 0.1 / (1.0 + step);
    for (name, schedule) in
        [("plain", LearningRate::from(falling)), ("within", Warmup::steps(2, falling).into())]
    {
        let mut model = net().compile(Sgd::new(schedule.clone()).momentum(0.9), MeanSquaredError);
        model.fit((&x, &y), quiet(2).batch_size(20))?;
        for ending in ["keras", "h5"] {
            let path = folder.path(&format!("{name}.{ending}"));
            let report = model.save(&path)?;
            assert!(!report.is_whole());
            assert_golden(&format!("save_report_schedule_{name}"), &format!("{report}\n"));
            let mut loaded = carnyx::load(&path)?;
            assert_eq!(
                (loaded.optimizer.learning_rate, loaded.optimizer.schedule().is_none()),
                (0.1 / 3.0, true)
            );
            loaded.optimizer.set_learning_rate(schedule.clone());
            let expected = model.fork().fit((&x, &y), quiet(2))?;
            assert_eq!(loaded.fit((&x, &y), quiet(2))?, expected);
        }
    }
    Ok(())
}

#[test]
fn schedules_in_files_are_not_believed() -> Result {
    let folder = Folder::new("schedule_files");
    let path = folder.path("model.keras");
    net().compile(Sgd::new(ExponentialDecay::new(0.1, 1234, 0.5)), MeanSquaredError).save(&path)?;
    let with = |name: &str, from: &str, to: &str| {
        let mut archive = Archive::read(&path).unwrap();
        archive.config = archive.config.to_string().replace(from, to).parse().unwrap();
        // Keras's words are read where there are none of Carnyx's own.
        archive.extra.clear();
        let changed = folder.path("changed.keras");
        archive.write(&changed).unwrap();
        let loaded = carnyx::load(&changed).map(drop);
        if name.is_empty() {
            loaded.unwrap()
        } else {
            assert_file_message(&format!("schedule_{name}"), &folder, loaded)
        }
    };
    with("", "1234", "1234.0");
    with("class", "ExponentialDecay\"", "ExponentialDecoy\"");
    with("steps", "1234", "12.34");
    with("zero", "1234", "0");
    with("none", "\"decay_rate\":0.5", "\"decay_rate\":null");
    Ok(())
}

#[test]
fn an_interrupted_fit_goes_on_with_its_schedule() -> Result {
    let (folder, (x, y)) = (Folder::new("schedule_backup"), data());
    let schedule = || Warmup::epochs(1, OneCycle::new(0.2, 4).per_epoch().smooth());
    let make = || net().compile(Adam::new(schedule()), MeanSquaredError).seed(3);
    let mut whole = make();
    let expected = whole.fit((&x, &y), quiet(4).batch_size(6))?;
    for moment in 0..16 {
        for every in [1, 3] {
            let mut steps = 0;
            let fail = at(Moment::BatchEnd, |_| {
                steps += 1;
                if steps > moment { Err(Error::new("interrupted", "the power fails")) } else { Ok(()) }
            });
            let backup = || BackupAndRestore::at(folder.path("backup")).every_steps(every);
            let plan = || quiet(4).batch_size(6).callback(backup());
            let broken = make().fit((&x, &y), plan().callback(fail));
            let mut model = make();
            let history = match broken {
                Ok(history) => history,
                Err(error) => {
                    assert_eq!(error.code(), "interrupted");
                    let idle = at(Moment::BatchEnd, |_| Ok(()));
                    model.fit((&x, &y), plan().callback(idle))?
                }
            };
            assert_eq!(history, expected, "after {moment} steps, backups every {every}");
            if moment < 15 {
                assert_eq!(bits(&model), bits(&whole), "after {moment} steps, backups every {every}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_backup_belongs_to_one_schedule() -> Result {
    let (x, y) = data();
    // Its path is in the messages.
    let keep = || BackupAndRestore::at("target/schedule-backup").keep();
    let fit = |rate: LearningRate| {
        net().compile(Sgd::new(rate), MeanSquaredError).fit((&x, &y), quiet(2).callback(keep()))
    };
    crate::messages::go_to_root();
    fit(CosineDecay::new(0.1, 10).into())?;
    assert_message("schedule_backup_other", fit(CosineDecay::new(0.1, 20).into()));
    assert_message("schedule_backup_none", fit(0.1.into()));
    assert_eq!(fit(CosineDecay::new(0.1, 10).into())?.epochs.len(), 2);
    std::fs::remove_dir_all("target/schedule-backup").unwrap();
    Ok(())
}
