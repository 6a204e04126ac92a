//! Models there and back: every model of a folder is loaded, predicts, trains one step more and is saved again.
//!
//! `tests/keras/check_saved.py` makes the models with Keras and compares what comes back. Beside each model lies
//! `NAME.json` with `inputs` and `targets`: lists of `{"shape", "data"}`. For each the output folder gets the model as
//! it was loaded, as it is after the step, and `NAME.json` with predictions and losses.

use crate::Result;
use carnyx::Muon;
use carnyx::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Loads the models of the folder `from` and writes models and predictions to `to`.
pub(crate) fn exchange(from: &Path, to: &Path) -> Result {
    fs::create_dir_all(to)?;
    let mut paths: Vec<_> = fs::read_dir(from)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
        if ending != "keras" && ending != "h5" {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let data: Value = serde_json::from_str(&fs::read_to_string(path.with_extension("json"))?)?;
        let (inputs, targets) = (arrays(&data["inputs"])?, arrays(&data["targets"])?);
        let mut model = carnyx::load(&path)?;
        let before = model.predict_all(inputs.clone())?;
        model.save(to.join(format!("{name}.loaded.{ending}")))?;
        let step = Fit::epochs(1).verbose(Verbosity::Silent).shuffle(false).batch_size(1 << 20);
        let history = model.fit((inputs.clone(), targets.clone()), step)?;
        let after = model.predict_all(inputs.clone())?;
        model.save(to.join(format!("{name}.stepped.{ending}")))?;
        // What was saved is read again, to the bit.
        for which in ["loaded", "stepped"] {
            let again = carnyx::load(to.join(format!("{name}.{which}.{ending}")))?;
            let expected = if which == "loaded" { &before } else { &after };
            if again.predict_all(inputs.clone())? != *expected {
                return Err(
                    format!("{name}.{which}.{ending} predicts other numbers when it is read again").into()
                );
            }
        }
        let json = json!({
            "before": before.iter().map(Array::values).collect::<Vec<_>>(),
            "after": after.iter().map(Array::values).collect::<Vec<_>>(),
            "loss": history.last("loss"),
        });
        fs::write(to.join(format!("{name}.{ending}.json")), json.to_string())?;
        println!("{name}.{ending}: {} inputs, {} outputs", inputs.len(), before.len());
    }
    own(to)
}

/// Models that were made here: a row of layers, a row within a row, a drawing with a row in it.
fn own(to: &Path) -> Result {
    let x = Array::from_fn([16, 4], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
    let y = Array::from_fn([16, 1], |i| (i * 53 % 11) as f32 / 5.0 - 1.0);
    let normalization = Normalization::new();
    normalization.adapt(&x)?;
    let row = Sequential::new()
        .then(normalization)
        .then(Rescaling::new(0.5).offset(0.1))
        .then(Dense::new(8).activation(LeakyRelu(0.3)).kernel_initializer(HeNormal))
        .then(Dropout::new(0.0))
        .then(Elu(0.7))
        .then(Sequential::new().then(Dense::new(6).activation(Silu)).then(Flatten).then(Dense::new(5)))
        .then(Selu)
        .then(Dense::new(1).without_bias().named("scores"));
    let input = Tensor::input("x", [4]);
    let (first, second) =
        (Dense::new(3).activation(Tanh), Sequential::new().then(Dense::new(3)).then(Softplus));
    let h = first.apply(&input);
    let joined = concat([&(&h * second.apply(&h)), &(&h - second.apply(&(&h + &h)))], -1);
    let drawn = Functional::new(&input, &Dense::new(1).named("y").apply(&joined))?;
    let mut row = row
        .compile(Sgd::new(ExponentialDecay::new(0.05, 1, 0.5)).momentum(0.9), MeanSquaredError)
        .metric(MeanAbsoluteError);
    let mut drawn = drawn.compile(Adam::new(0.01), MeanAbsoluteError).metric(RootMeanSquaredError);
    let step = || Fit::epochs(1).verbose(Verbosity::Silent).shuffle(false).batch_size(1 << 20);
    macro_rules! write {
        ($name:literal, $model:ident) => {
            $model.fit((&x, &y), step())?;
            let before = $model.predict(&x)?;
            for ending in ["keras", "h5", "weights.h5"] {
                let path = to.join(concat!("own_", $name)).with_extension(ending);
                if ending == "weights.h5" {
                    $model.save_weights(path)?
                } else {
                    $model.save(path)?;
                }
            }
            $model.fit((&x, &y), step())?;
            let json = json!({
                "inputs": [{"shape": x.shape(), "data": x.values()}],
                "targets": [{"shape": y.shape(), "data": y.values()}],
                "before": [before.values()],
                "after": [$model.predict(&x)?.values()],
            });
            fs::write(to.join(concat!("own_", $name, ".json")), json.to_string())?;
        };
    }
    write!("row", row);
    write!("drawn", drawn);
    let first = Dense::new(6)
        .activation(Tanh)
        .kernel_regularizer(L2::new(0.01))
        .kernel_constraint(MaxNorm::new(0.9))
        .activity_regularizer(L1::new(0.02));
    let bounded = Sequential::new().then(first).then(Dense::new(1).bias_constraint(NonNeg));
    let optimizer = Muon::new(0.01).exclude(["dense_1"]).gradient_accumulation_steps(2);
    let mut bounded = bounded.compile(optimizer, MeanSquaredError);
    write!("bounded", bounded);
    Ok(())
}

fn arrays(value: &Value) -> Result<Vec<Array>> {
    let numbers = |value: &Value| {
        value.as_array().map(|list| list.iter().filter_map(Value::as_f64).collect::<Vec<_>>())
    };
    let array = |value: &Value| {
        let (shape, data) = (numbers(&value["shape"]), numbers(&value["data"]));
        let (shape, data) = shape.zip(data).ok_or("an array needs a shape and data")?;
        let shape: Vec<usize> = shape.into_iter().map(|size| size as usize).collect();
        Ok(Array::new(shape, data.into_iter().map(|v| v as f32).collect::<Vec<_>>())?)
    };
    value.as_array().ok_or("a list of arrays is missing")?.iter().map(array).collect()
}
