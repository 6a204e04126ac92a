//! `.h5` files: the format that Keras wrote before, with everything in one HDF5 file.
//!
//! Configurations are attributes in JSON. Weights are found by order: the layers that have some, and in each the
//! trainable ones before the others.

use super::archive::{KERAS_VERSION, bytes, parse};
use super::config::{Style, bad, object};
use super::training::{Progress, read_progress, weights_alone};
use super::weights::{Assignment, Layout, assign, for_keras};
use super::{Saved, Stored, Weights};
use carnyx_file::{Attribute, Group, Value, read_hdf5, to_json, write_atomically, write_hdf5};
use carnyx_graph::{Array, Result, Variable};
use std::path::Path;

/// The attribute for what Keras has no place for.
const PROGRESS: &str = "carnyx";

pub(super) fn write(saved: &Saved, path: &Path) -> Result {
    let mut root = Group::new();
    let text = |value: &Value| Attribute::Text(to_json(value));
    let about = |group: &mut Group| {
        group.set_attribute("backend", Attribute::Text("carnyx".into()));
        group.set_attribute("keras_version", Attribute::Text(KERAS_VERSION.into()));
    };
    about(&mut root);
    root.set_attribute("model_config", text(&saved.config.layer_json(&saved.name, Style::Legacy)));
    root.set_attribute("training_config", text(&training_config(&saved.compile)));
    root.set_attribute(PROGRESS, text(&saved.progress));

    let weights = root.insert_group("model_weights");
    about(weights);
    weights.set_texts("layer_names", saved.layout.parts.iter().map(|part| part.name.clone()).collect());
    for part in &saved.layout.parts {
        let group = weights.insert_group(part.name.as_str());
        let mut names = Vec::new();
        for (name, variable) in in_legacy_order(part) {
            let name = format!("{}/{name}", part.name);
            insert(group, &name, for_keras(&variable.value()?));
            names.push(name);
        }
        group.set_texts("weight_names", names);
    }
    weights.insert_group("top_level_model_weights").set_texts("weight_names", Vec::new());

    let optimizer = root.insert_group("optimizer_weights");
    let mut names = Vec::new();
    for (name, array) in &saved.optimizer {
        let name = format!("{}/{name}", saved.optimizer_name);
        insert(optimizer, &name, array.clone());
        names.push(name);
    }
    optimizer.set_texts("weight_names", names);
    write_atomically(path, &write_hdf5(&root)?)
}

/// A file with the weights alone of a model that is described nowhere but in its program.
pub(super) fn write_weights(mut weights: Group, path: &Path) -> Result {
    weights.set_attribute(PROGRESS, Attribute::Text(to_json(&weights_alone())));
    write_atomically(path, &write_hdf5(&weights)?)
}

/// `compile_config` as the older format has it.
fn training_config(compile: &Value) -> Value {
    let mut config = compile.clone();
    if let Value::Object(fields) = &mut config {
        let optimizer = fields.remove("optimizer").unwrap_or_default();
        let of = |name| (name, optimizer.get(name).cloned().unwrap_or_default());
        fields.insert("optimizer_config".into(), object([of("class_name"), of("config")]));
    }
    config
}

fn insert(group: &mut Group, path: &str, array: Array) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    group.entry(folder).insert_array(name, array);
}

/// The variables of a layer or an inner model: trainable ones first.
fn in_legacy_order(layer: &Layout) -> Vec<(String, Variable)> {
    let (mut trained, others): (Vec<_>, Vec<_>) =
        layer.all().into_iter().partition(|(_, variable)| variable.is_trainable());
    trained.extend(others);
    trained
}

pub(super) fn read(path: &Path) -> Result<Stored> {
    let file = path.display().to_string();
    let mut root = read_hdf5(&bytes(path)?, &file)?;
    let json = |root: &Group, name: &str| match root.attribute(name).and_then(Attribute::as_text) {
        Some(text) => parse(text, name).map(Some),
        None => Ok(None),
    };
    let progress = match json(&root, PROGRESS)? {
        Some(value) => read_progress(&value)?,
        None => Progress::default(),
    };
    let config = json(&root, "model_config")?.ok_or_else(|| {
        bad(format!("`{file}` holds no model"))
            .label("it has no attribute `model_config`")
            .help("if it holds weights alone, build the model in Rust and read them with `load_weights`")
    })?;
    let compile = json(&root, "training_config")?.map(|mut value| {
        if let Value::Object(fields) = &mut value {
            let optimizer = fields.remove("optimizer_config").unwrap_or_default();
            fields.insert("optimizer".into(), optimizer);
        }
        value
    });
    let optimizer = match root.group("optimizer_weights") {
        Some(group) => optimizer_arrays(group, compile.as_ref())?,
        None => Vec::new(),
    };
    let weights = std::mem::take(root.insert_group("model_weights"));
    Ok(Stored { config, compile, progress, weights: Weights::Legacy(weights), optimizer })
}

/// What the optimizer remembers, in the order of Keras 3: step number, learning rate, slots weight by weight.
///
/// Keras 2 has no learning rate among them, and its older optimizers write one kind of slot after the other:
/// `Adam/dense/kernel/m:0` for all weights, then `Adam/dense/kernel/v:0`.
fn optimizer_arrays(group: &Group, compile: Option<&Value>) -> Result<Vec<Array>> {
    let names = group.texts("weight_names").unwrap_or_default();
    let mut arrays: Vec<Array> = arrays(group, "optimizer_weights")?.into_iter().cloned().collect();
    if names.len() < 2 || names[1].ends_with("/learning_rate") {
        return Ok(arrays);
    }
    let weight_of = |name: &str| {
        let (weight, slot) = name.rsplit_once('/')?;
        ["m:0", "v:0", "vhat:0", "momentum:0", "rms:0"].contains(&slot).then(|| weight.to_owned())
    };
    let weights: Option<Vec<String>> = names[1..].iter().map(|name| weight_of(name)).collect();
    if let Some(weights) = weights {
        let first = |weight: &String| weights.iter().position(|known| known == weight);
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|&i| first(&weights[i]));
        let slots: Vec<Array> = order.into_iter().map(|i| arrays[i + 1].clone()).collect();
        arrays.splice(1.., slots);
    }
    let config = compile.and_then(|compile| compile.get("optimizer")?.get("config"));
    // A schedule is remembered nowhere: the number of steps says its rate. Keras is told nothing of those that it lacks.
    if config.is_none_or(|config| config.get("learning_rate").is_some_and(Value::is_object)) {
        return Ok(arrays);
    }
    let rate = config.and_then(|config| config.get("learning_rate").or(config.get("lr"))?.as_f64());
    let rate = rate.ok_or_else(|| bad("the file does not say the optimizer's learning rate"))?;
    arrays.insert(1, Array::scalar(rate as f32));
    Ok(arrays)
}

/// The arrays that `weight_names` lists.
fn arrays<'a>(group: &'a Group, what: &str) -> Result<Vec<&'a Array>> {
    let names = group.texts("weight_names").unwrap_or_default();
    let array = |name: &str| {
        let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
        let array = group.at(folder).and_then(|group| group.array(last));
        array.ok_or_else(|| bad(format!("the weights `{name}` of `{what}` are missing")))
    };
    names.into_iter().map(array).collect()
}

/// What the variables of a model would take.
pub(super) fn read_weights(layout: &Layout, group: &Group, into: &mut Vec<Assignment>) -> Result {
    let names = group.texts("layer_names").ok_or_else(|| bad("the file has no list of `layer_names`"))?;
    let mut stored = Vec::new();
    for name in names {
        let group =
            group.at(name).ok_or_else(|| bad(format!("the weights of the layer `{name}` are missing")))?;
        let arrays = arrays(group, name)?;
        if !arrays.is_empty() {
            stored.push((name, arrays));
        }
    }
    let layers: Vec<(&str, Vec<(String, Variable)>)> = if layout.is_model {
        let all = layout.parts.iter().map(|part| (part.name.as_str(), in_legacy_order(part)));
        all.filter(|(_, variables)| !variables.is_empty()).collect()
    } else {
        vec![(layout.name.as_str(), in_legacy_order(layout))]
    };
    if layers.len() != stored.len() {
        let count = |n| crate::losses::count(n, "layer");
        return Err(bad(format!(
            "the file has weights for {}, the model has {}",
            count(stored.len()),
            layers.len()
        ))
        .help("the file belongs to another model"));
    }
    for ((name, variables), (_, arrays)) in layers.iter().zip(&stored) {
        assign(variables, arrays, into).map_err(|error| error.inside(*name))?;
    }
    Ok(())
}
