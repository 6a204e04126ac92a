//! Weights of samples as they are given: in which form, for which targets, and whether they make sense.

use crate::data::place;
use crate::losses::count;
use carnyx_graph::{Array, DType, Error, Result};
use std::sync::Arc;

/// Weights as floats, and `[batch, 1]` as `[batch]`: what is said by the first axes needs no last one.
pub(crate) fn plain_weights(weights: Array) -> Array {
    let mut shape = weights.shape();
    while let Some((1, rest)) = shape.split_last().filter(|(_, rest)| !rest.is_empty()) {
        shape = rest;
    }
    let weights = match weights.dtype() {
        DType::F32 | DType::F64 => weights.clone(),
        _ => weights.cast(DType::F32),
    };
    weights.reshape(shape).unwrap_or(weights)
}

/// Weights without names: one array counts for all targets, a list has one for each.
pub(crate) fn for_each_target(weights: Vec<Option<Array>>, targets: usize) -> Result<Vec<Option<Array>>> {
    if weights.is_empty() || weights.len() == targets {
        return Ok(weights);
    }
    if weights.len() == 1 {
        return Ok(vec![weights[0].clone(); targets]);
    }
    let (weights, targets) = (count(weights.len(), "array"), count(targets, "array"));
    Err(Error::new("data", format!("{weights} of sample weights, {targets} of targets"))
        .label("one array counts for all targets, a list has one for each")
        .help("say which outputs the weights are for: `[(\"main\", &weights)]`"))
}

/// Weights with the names of outputs, in the order of the targets.
pub(crate) fn for_named_targets(
    weights: Vec<Option<Array>>,
    names: &[Arc<str>],
    outputs: &[Arc<str>],
    answered: &[Arc<str>],
) -> Result<Vec<Option<Array>>> {
    let mut places = vec![None; answered.len()];
    for (name, array) in names.iter().zip(weights) {
        let Some(place) = answered.iter().position(|output| output == name) else {
            if outputs.contains(name) {
                let title = format!("sample weights are for the output `{name}`, which has no targets");
                return Err(Error::new("name", title).help("give its targets too, or leave its weights out"));
            }
            let title = format!("sample weights are for the output `{name}`, which the model does not have");
            return Err(Error::new("name", title).suggest(name, outputs));
        };
        if places[place].is_some() {
            return Err(Error::new("name", format!("the weights of the output `{name}` are given twice")));
        }
        places[place] = array;
    }
    Ok(places)
}

/// Whether weights are what weights can be.
pub(crate) fn check_weights(name: &str, weights: &Array) -> Result {
    match (0..weights.len()).find(|&i| weights.element(i) < 0.0) {
        None => Ok(()),
        Some(i) => {
            let title = format!("{name} holds {} {}", weights.element(i), place(weights, i));
            Err(Error::new("data", title)
                .label("a sample with a negative weight would be learned to be wrong")
                .help("give samples that must not count the weight 0"))
        }
    }
}
