//! `.keras` files: a zip archive with the configuration as JSON and the weights as a tree.

use super::config::{Style, bad, object};
use super::training::{Progress, read_progress, weights_alone};
use super::weights::in_order;
use super::{Saved, Stored, Weights, assets};
use carnyx_file::{Archive, Attribute, Group, Value, to_json};
use carnyx_graph::Result;
use std::path::Path;

/// The member for what Keras has no place for.
const PROGRESS: &str = "carnyx.json";

/// The version of Keras whose files these are.
pub(super) const KERAS_VERSION: &str = "3.15.1";

pub(super) fn write(saved: &Saved, path: &Path) -> Result {
    let mut weights = Group::new();
    saved.layout.write(&mut weights)?;
    let vars = weights.entry("optimizer/vars");
    vars.set_attribute("name", Attribute::Text(saved.optimizer_name.to_owned()));
    for (i, (_, array)) in saved.optimizer.iter().enumerate() {
        vars.insert_array(i.to_string(), array.clone());
    }
    let mut config = saved.config.layer_json(&saved.name, Style::Archive);
    if let Value::Object(fields) = &mut config {
        fields.insert("compile_config".into(), saved.compile.clone());
    }
    Archive {
        metadata: object([("keras_version", Value::from(KERAS_VERSION))]),
        config,
        weights,
        extra: vec![(PROGRESS.to_owned(), to_json(&saved.progress).into_bytes())],
    }
    .write(path)
}

/// A file with the weights alone of a model that is described nowhere but in its program.
pub(super) fn write_weights(kind: &str, weights: Group, path: &Path) -> Result {
    Archive {
        metadata: object([("keras_version", Value::from(KERAS_VERSION))]),
        config: object([("class_name", Value::from(kind)), ("config", object([]))]),
        weights,
        extra: vec![(PROGRESS.to_owned(), to_json(&weights_alone()).into_bytes())],
    }
    .write(path)
}

pub(super) fn read(path: &Path) -> Result<Stored> {
    let mut archive = Archive::read(path)?;
    assets::take_in(&mut archive)?;
    let progress = match archive.extra.iter().find(|(name, _)| name == PROGRESS) {
        Some((_, content)) => {
            let text = std::str::from_utf8(content)
                .map_err(|e| bad(format!("`{PROGRESS}` is no text")).because(e))?;
            let value: Value = text
                .parse()
                .map_err(|e| bad(format!("`{PROGRESS}` is not valid JSON")).because(CannotParse(e)))?;
            read_progress(&value)?
        }
        None => Progress::default(),
    };
    let optimizer = in_order(archive.weights.at("optimizer/vars")).into_iter().cloned().collect();
    let compile = archive.config.get("compile_config").filter(|value| !value.is_null()).cloned();
    Ok(Stored {
        config: archive.config,
        compile,
        progress,
        weights: Weights::Archive(archive.weights),
        optimizer,
    })
}

/// The error of a parser, whose type is another crate's.
#[derive(Debug)]
struct CannotParse<E>(E);

impl<E: std::fmt::Display> std::fmt::Display for CannotParse<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::fmt::Debug + std::fmt::Display> std::error::Error for CannotParse<E> {}

/// The bytes of a file.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| bad(format!("cannot read `{}`", path.display())).because(e))
}

/// JSON in a text of a file.
pub(super) fn parse(text: &str, what: &str) -> Result<Value> {
    text.parse().map_err(|e| bad(format!("`{what}` is not valid JSON")).because(CannotParse(e)))
}
