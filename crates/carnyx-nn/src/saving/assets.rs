//! What Keras's lookup layers have measured, which is not in their configuration: an archive keeps it elsewhere.
//!
//! An adapted vocabulary is a text with one token a line, `assets/layers/integer_lookup/vocabulary.txt`, and the weights
//! of TF-IDF lie among the weights, `layers/integer_lookup/vars/idf_weights`. Both are put into the configuration, where
//! given ones are. Invariant: nothing is believed; what is no list of numbers is an error of the layer that reads it.

use super::config::{bad, decimal};
use super::weights::snake_case;
use carnyx_file::{Archive, Group, Value};
use carnyx_graph::Result;
use std::collections::BTreeMap;

/// The class of the layers that have assets.
const LOOKUP: &str = "IntegerLookup";

/// The name of the weights of TF-IDF among the arrays of a layer.
pub(crate) const RARITY: &str = "idf_weights";

/// Completes the configuration of an archive.
pub(super) fn take_in(archive: &mut Archive) -> Result {
    let Archive { config, weights, extra, .. } = archive;
    let texts: BTreeMap<&str, &[u8]> =
        extra.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    complete(config, "", &texts, weights, 0)
}

/// Completes the layers of a model, whose weights are at `path`.
fn complete(
    model: &mut Value,
    path: &str,
    texts: &BTreeMap<&str, &[u8]>,
    weights: &Group,
    level: usize,
) -> Result {
    let Some(layers) = model.pointer_mut("/config/layers").and_then(Value::as_array_mut) else {
        return Ok(());
    };
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for layer in layers {
        if !layer.is_object() {
            continue;
        }
        let class = layer["class_name"].as_str().unwrap_or_default().to_owned();
        let base = snake_case(&class);
        let count = used.entry(base.clone()).or_default();
        let name = if *count == 0 { base } else { format!("{base}_{count}") };
        *count += 1;
        let place = format!("{path}layers/{name}");
        if class == LOOKUP {
            complete_lookup(layer, &place, texts, weights)?;
        } else if level < super::structure::MOST_LEVELS {
            complete(layer, &format!("{place}/"), texts, weights, level + 1)?;
        }
    }
    Ok(())
}

fn complete_lookup(layer: &mut Value, place: &str, texts: &BTreeMap<&str, &[u8]>, weights: &Group) -> Result {
    let config = &mut layer["config"];
    if !config.is_object() {
        return Ok(());
    }
    if config["vocabulary"].is_null() {
        let asset = format!("assets/{place}/vocabulary.txt");
        let Some(content) = texts.get(asset.as_str()) else { return Ok(()) };
        let wrong =
            || bad(format!("`{asset}` is no list of whole numbers")).label("there is one on each line");
        let text = std::str::from_utf8(content).map_err(|_| wrong())?;
        let numbers = text.lines().filter(|line| !line.is_empty());
        let numbers: Option<Vec<i64>> = numbers.map(|line| line.parse().ok()).collect();
        config["vocabulary"] = numbers.ok_or_else(wrong)?.into();
    }
    let measured = weights.at(&format!("{place}/vars")).and_then(|vars| vars.array(RARITY));
    if let Some(measured) = measured.filter(|_| config[RARITY].is_null()) {
        config[RARITY] = measured.values().iter().map(|&weight| Value::from(decimal(weight))).collect();
    }
    Ok(())
}
