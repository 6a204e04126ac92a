//! What Keras's callback TensorBoard logs, and when.

use super::recorded::{Case, compare, file};
use carnyx::board::TensorBoard;
use carnyx_graph::{Array, Result};
use carnyx_nn::{
    Compile, Dense, Fit, Input, MeanAbsoluteError, MeanSquaredError, Model, Sequential, Sgd, Tanh, Variables,
    Verbosity,
};
use carnyx_tests::events::{Logged, logged};
use std::collections::BTreeMap;

/// The numbers of the recording script.
fn numbers<const N: usize>(shape: [usize; N], scale: f32) -> Array {
    Array::from_fn(shape, |i| scale * ((i * 7 % 33) as f32 - 16.0) / 16.0)
}

fn model() -> Result<Model<Sequential>> {
    let model = Sequential::new()
        .then(Input::new([4]))
        .then(Dense::new(3).activation(Tanh))
        .then(Dense::new(1))
        .compile(Sgd::new(0.125), MeanSquaredError)
        .metric(MeanAbsoluteError);
    model.predict(numbers([1, 4], 1.0))?;
    for variable in model.variables() {
        let len = variable.shape().unwrap_or_default().iter().product();
        let value = numbers([len], 0.5).reshape(variable.shape().unwrap_or_default())?;
        variable.assign(&value)?;
    }
    Ok(model)
}

fn board(case: &Case, folder: &std::path::Path) -> TensorBoard {
    let mut board = TensorBoard::at(folder);
    if let Some(every) = case.get("options/update_freq") {
        board = board.every_steps(every.as_u64().map_or(1, |every| every as usize));
    }
    if case.flag("options/write_steps_per_second") {
        board = board.steps_per_second();
    }
    if let Some(every) = case.get("options/histogram_freq") {
        board = board.histograms(every.as_u64().unwrap() as usize);
        if case.flag("options/write_images") {
            board = board.weight_images(every.as_u64().unwrap() as usize);
        }
    }
    board
}

/// What stands for an entry: run, tag and step.
type Place = (String, String, i64);

/// All that Carnyx logged, as the recording has it: a number; the least, the greatest and the count of values; the
/// number, height and width of pictures.
fn found(all: &[Logged]) -> BTreeMap<Place, Vec<f64>> {
    let facts = |entry: &Logged| match entry.plugin.as_str() {
        "histograms" => {
            let count = entry.numbers.chunks(3).map(|bucket| bucket[2]).sum();
            vec![entry.numbers[0], entry.numbers[entry.numbers.len() - 2], count]
        }
        "images" => {
            let size = |text: &Vec<u8>| String::from_utf8_lossy(text).parse().unwrap();
            vec![entry.texts.len() as f64 - 2.0, size(&entry.texts[1]), size(&entry.texts[0])]
        }
        _ => entry.numbers.clone(),
    };
    all.iter().map(|entry| ((entry.run.clone(), entry.tag.clone(), entry.step), facts(entry))).collect()
}

/// The entries of the recording. Keras's paths of weights begin with the name of the model.
fn expected(case: &Case) -> BTreeMap<Place, Option<Vec<f64>>> {
    let entry = |entry: &Case| {
        let tag = entry.text("tag");
        let tag = match tag.split_once('/') {
            Some((model, rest)) if model.starts_with("sequential") => rest,
            _ => tag,
        };
        let numbers = match entry.text("kind") {
            "scalar" => entry.get("value").map(|value| vec![value.as_f64().unwrap()]),
            "image" => Some(entry.numbers("value")[..3].to_vec()),
            "histogram" => Some(entry.numbers("value")),
            // Texts are no numbers.
            _ => Some(Vec::new()),
        };
        ((entry.text("run").to_owned(), tag.to_owned(), entry.number("step") as i64), numbers)
    };
    case.parts("logged").iter().map(entry).collect()
}

#[test]
fn runs_tags_steps_and_values() {
    compare(&file("tensorboard").parts("cases"), &[], |case, comparison| {
        let folder =
            std::env::temp_dir().join(format!("carnyx-board-{}-{}", std::process::id(), case.name()));
        let _ = std::fs::remove_dir_all(&folder);
        let (x, y) = (numbers([20, 4], 1.0), numbers([20, 1], 1.0));
        let (x_valid, y_valid) = (numbers([8, 4], -1.0), numbers([8, 1], 1.0));
        let board = board(case, &folder);
        let mut model = model()?;
        if case.flag("evaluate") {
            model.evaluate_with((&x_valid, &y_valid), board)?;
        } else {
            let fit = Fit::epochs(3).batch_size(8).shuffle(false).verbose(Verbosity::Silent);
            model.fit((&x, &y), fit.validation((&x_valid, &y_valid)).callback(board))?;
        }
        let (found, expected) = (found(&logged(&folder)), expected(case));
        std::fs::remove_dir_all(&folder).unwrap();
        for (place, numbers) in &expected {
            let Some(found) = found.get(place) else { panic!("{}: {place:?} is missing", case.name()) };
            if let Some(numbers) = numbers {
                let arrays =
                    [found, numbers].map(|numbers| Array::new([numbers.len()], numbers.clone()).unwrap());
                comparison.close(&format!("{place:?}"), &arrays[0], &arrays[1], 1e-5);
            }
        }
        // Keras leaves out numbers of epochs that end at a step for which batches are not logged.
        let leaves_out = |place: &&Place| {
            case.name() == "every_two_steps" && !place.1.starts_with("batch_") || place.1 == "keras"
        };
        let more: Vec<&Place> = found.keys().filter(|place| !expected.contains_key(place)).collect();
        let more: Vec<&Place> = more.into_iter().filter(|place| !leaves_out(place)).collect();
        assert!(more.is_empty(), "{}: Keras does not log {more:?}", case.name());
        Ok(())
    });
}
