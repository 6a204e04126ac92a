//! What callbacks decide on given sequences of numbers.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Array, Result};
use carnyx_nn::callbacks::{CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, at_epoch_end};
use carnyx_nn::{Compile, Dense, Fit, Input, MeanSquaredError, Model, Sequential, Sgd, Variables, Verbosity};
use serde_json::Value;
use std::path::PathBuf;

/// A number, or the text of what JSON has no number for.
fn number(value: &Value) -> f64 {
    let text = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    value.as_f64().or_else(|| text(value)).expect("a number, nan or inf")
}

/// The numbers of the sequence that a case is about.
fn values(case: &Case) -> Vec<f64> {
    let sequences = file("callbacks");
    let sequence = sequences.get(&format!("sequences/{}", case.text("sequence"))).and_then(Value::as_array);
    sequence.expect("a sequence").iter().map(number).collect()
}

fn best(case: &Case) -> Option<f64> {
    case.get("best").map(number)
}

fn option(case: &Case, name: &str) -> Option<f64> {
    case.get(&format!("config/{name}")).and_then(Value::as_f64)
}

fn model() -> Model<Sequential> {
    Sequential::new().then(Input::new([1])).then(Dense::new(1)).compile(Sgd::new(0.5), MeanSquaredError)
}

fn data(samples: usize) -> (Array, Array) {
    (Array::full([samples, 1], 0.5f32), Array::full([samples, 1], 1f32))
}

/// A fit of as many epochs as there are values, each of which is an epoch's `val_loss`.
fn fit(values: &[f64]) -> Fit<'_> {
    let set = at_epoch_end(|run| {
        run.logs.set("val_loss", values[run.epoch]);
        Ok(())
    });
    Fit::epochs(values.len()).batch_size(1).verbose(Verbosity::Silent).callback(set)
}

fn folder(test: &str, case: &Case) -> PathBuf {
    let name: String = case.name().chars().filter(char::is_ascii_alphanumeric).collect();
    std::env::temp_dir().join(format!("carnyx-{test}-{}-{name}", std::process::id()))
}

#[test]
fn early_stopping() {
    compare(&file("callbacks").parts("early_stopping"), &[], |case, comparison| {
        let values = values(case);
        let count = |name| option(case, name).unwrap_or(0.0);
        let mut stopping = EarlyStopping::patience(count("patience") as usize)
            .min_delta(count("min_delta"))
            .start_from_epoch(count("start_from_epoch") as usize);
        if case.get("config/mode").is_some() {
            stopping =
                if case.text("config/mode") == "max" { stopping.maximize() } else { stopping.minimize() };
        }
        if let Some(baseline) = option(case, "baseline") {
            stopping = stopping.baseline(baseline);
        }
        if case.flag("config/restore_best_weights") {
            stopping = stopping.restore_best();
        }
        let mut weights = Vec::new();
        let remember = at_epoch_end(|run| {
            weights.push(run.variables()[0].value()?);
            Ok(())
        });
        let (mut model, (x, y)) = (model(), data(1));
        let history = model.fit((&x, &y), fit(&values).callback(remember).callback(&mut stopping))?;
        let epochs = history.epochs.len();
        comparison.number("epochs", epochs as f64, case.number("epochs"), 0.0);
        comparison.holds("it stops", stopping.stopped_epoch.is_some() == case.flag("stopped"));
        comparison.holds("the best number is the same", stopping.best == best(case));
        let kept = &weights[case.number("weights_of_epoch") as usize];
        comparison.close("weights", &model.variables()[0].value()?, kept, 0.0);
        Ok(())
    });
}

#[test]
fn reduce_lr_on_plateau() {
    compare(&file("callbacks").parts("reduce_lr_on_plateau"), &[], |case, comparison| {
        let values = values(case);
        let mut reduce = ReduceLROnPlateau::patience(case.number("config/patience") as usize);
        for (name, value) in case.entries("config") {
            reduce = match name.as_str() {
                "factor" => reduce.factor(value.number("")),
                "cooldown" => reduce.cooldown(value.number("") as usize),
                "min_delta" => reduce.min_delta(value.number("")),
                "min_lr" => reduce.min_learning_rate(value.number("")),
                "mode" => reduce.maximize(),
                _ => reduce,
            };
        }
        let mut rates = Vec::new();
        let remember = at_epoch_end(|run| {
            rates.push(run.optimizer.learning_rate);
            Ok(())
        });
        let (x, y) = data(1);
        let history = model().fit((&x, &y), fit(&values).callback(&mut reduce).callback(remember))?;
        // Keras multiplies in float64, and rounds the rate to float32 in between where it is a variable.
        comparison.close("rates", &Array::from(rates), &Array::from(case.numbers("rates")), 1e-7);
        let logged = Array::from(history.values("learning_rate"));
        comparison.close("logged", &logged, &Array::from(case.numbers("logged")), 1e-7);
        comparison.holds("the best number is the same", reduce.best == best(case));
        Ok(())
    });
}

#[test]
fn model_checkpoint() {
    compare(&file("callbacks").parts("model_checkpoint"), &[], |case, comparison| {
        let (values, folder) = (values(case), folder("checkpoint", case));
        let mut checkpoint = ModelCheckpoint::at(folder.join(case.text("pattern")));
        for (name, value) in case.entries("config") {
            checkpoint = match name.as_str() {
                "save_best_only" => checkpoint.best_only(),
                "mode" => checkpoint.maximize(),
                "initial_value_threshold" => checkpoint.threshold(value.number("")),
                "save_freq" => checkpoint.every_steps(value.number("") as usize),
                other => panic!("the option `{other}` is not compared"),
            };
        }
        let (x, y) = data(case.number("steps") as usize);
        model().fit((&x, &y), fit(&values).callback(&mut checkpoint))?;
        let mut saved: Vec<String> = std::fs::read_dir(&folder)
            .map(|files| {
                files.flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect()
            })
            .unwrap_or_default();
        saved.sort();
        let mut expected = case.texts("saved");
        expected.sort_unstable();
        comparison.holds(&format!("{saved:?} are {expected:?}"), saved == expected);
        comparison.holds("the best number is the same", checkpoint.best == best(case));
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("the folder can be removed");
        }
        Ok(())
    });
}

#[test]
fn csv_logger() {
    compare(&file("callbacks").parts("csv_logger"), &[], |case, comparison: &mut Comparison| -> Result {
        let path = folder("csv", case).with_extension("csv");
        let mut log =
            CSVLogger::new(&path).separator(case.text("separator").chars().next().expect("a letter"));
        if let Some(before) = case.get("before").and_then(Value::as_str) {
            std::fs::write(&path, before).expect("the folder can be written");
            log = log.append();
        }
        let rows = case.parts("rows");
        // Exactly the numbers of the case: what the fit itself has logged is taken away.
        let set = at_epoch_end(|run| {
            *run.logs =
                rows[run.epoch].entries("").iter().map(|(name, value)| (name, value.number(""))).collect();
            Ok(())
        });
        let (x, y) = data(1);
        let fit = Fit::epochs(rows.len()).verbose(Verbosity::Silent).callback(set).callback(log);
        model().fit((&x, &y), fit)?;
        let text = std::fs::read_to_string(&path).expect("the log can be read");
        std::fs::remove_file(&path).expect("the log can be removed");
        let expected = case.text("text").replace("\r\n", "\n");
        comparison.holds(&format!("{text:?} is {expected:?}"), text == expected);
        Ok(())
    });
}

#[test]
fn the_way_that_is_better_follows_from_the_name() {
    compare(&file("callbacks").parts("directions"), &[], |case, comparison| {
        for name in [case.name().to_owned(), format!("val_{}", case.name()), format!("{}_loss", case.name())]
        {
            let log = at_epoch_end(|run| {
                run.logs.set(&name, [0.5, 0.25, 0.75][run.epoch]);
                Ok(())
            });
            let mut stopping = EarlyStopping::patience(9).monitor(&name);
            let (x, y) = data(1);
            let fit = Fit::epochs(3).verbose(Verbosity::Silent).callback(log).callback(&mut stopping);
            model().fit((&x, &y), fit)?;
            let is_up = case.text("direction") == "up" && !name.ends_with("loss");
            let best = if is_up { 0.75 } else { 0.25 };
            comparison.holds(&format!("the best `{name}` is {best}"), stopping.best == Some(best));
        }
        Ok(())
    });
}
