//! Weights of classes, multiplied into those of the samples.

use super::{ClassWeight, Classes};
use crate::data::Data;
use crate::models::trace::{Answer, Core};
use carnyx_graph::{Array, Error, Result};
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

/// Class weights, each for the output of that name, or for every output that has none of its own.
pub(crate) type ClassWeights = [(Option<Arc<str>>, ClassWeight)];

impl Core {
    /// `data`, with the weights of its samples multiplied by those of their classes. Rules look at the samples in `rows`.
    ///
    /// # Errors
    /// `name`, if the model has no such output; `class-weight`, if targets are no classes or classes are unknown.
    pub(crate) fn with_class_weights(
        &self,
        data: &Data,
        class_weights: &ClassWeights,
        rows: &Range<usize>,
        site: &'static Location<'static>,
    ) -> Result<Data> {
        let answers = self.answers(data, site)?;
        let names: Vec<&str> = answers.iter().map(|answer| &*answer.output).collect();
        for name in class_weights.iter().filter_map(|(output, _)| output.as_deref()) {
            if !names.contains(&name) {
                let title =
                    format!("class weights are for the output `{name}`, which the model does not have");
                return Err(Error::new("name", title).suggest(name, &names).at(site));
            }
        }
        let mut weights = data.sample_weights().to_vec();
        weights.resize(data.targets().len(), None);
        for answer in &answers {
            let Some(rule) = rule_for(class_weights, &answer.output) else { continue };
            let place = &mut weights[answer.target];
            let weighted = || -> Result<Array> {
                let targets = &data.targets()[answer.target];
                answer.loss.as_ref().map_or(Ok(()), |loss| loss.check(targets, &answer.prediction))?;
                let classes = Classes::of(targets, &answer.prediction).map_err(|what| no_classes(&what))?;
                let of_classes = classes.weights(rule, rows)?;
                place.as_ref().map_or(Ok(of_classes.clone()), |samples| product(samples, &of_classes))
            };
            let weighted = weighted().map_err(|error| match names.len() {
                1 => error.at(site),
                _ => error.at(site).note(format!("on the output `{}`", answer.output)),
            })?;
            *place = Some(weighted);
        }
        Ok(data.with_weights(weights))
    }

    /// What part of the weights each class has, for each output with weights whose targets are classes.
    pub(crate) fn masses(
        &self,
        data: &Data,
        rows: &Range<usize>,
        site: &'static Location<'static>,
    ) -> Result<Vec<String>> {
        let answers = self.answers(data, site)?;
        let line = |answer: &Answer| {
            let weights = data.sample_weights().get(answer.target)?.as_ref()?;
            let classes = Classes::of(&data.targets()[answer.target], &answer.prediction).ok()?;
            let of = if answers.len() > 1 { format!(" of `{}`", answer.output) } else { String::new() };
            Some(format!("Effective mass of the classes{of}: {}", classes.mass(weights, rows)))
        };
        Ok(answers.iter().filter_map(line).collect())
    }
}

fn no_classes(what: &str) -> Error {
    Error::new("class-weight", format!("weights of classes, but {what}"))
        .label("targets that are classes are class numbers, one-hot rows, or 0 and 1 for one unit")
        .help("weigh samples of other targets one by one: `Data::sample_weight`")
}

/// Weights of samples times those of their classes: where one has steps and the other has not, each step counts the same.
fn product(samples: &Array, classes: &Array) -> Result<Array> {
    let (long, short) =
        if samples.shape().len() > classes.shape().len() { (samples, classes) } else { (classes, samples) };
    if !long.shape().starts_with(short.shape()) {
        let (given, wanted) = (samples.shape(), classes.shape());
        let title = format!("the weights of samples have shape {given:?}, those of their classes {wanted:?}");
        return Err(Error::new("weight-shape", title).help("give one weight for each sample: `[batch]`"));
    }
    let steps = long.len() / short.len().max(1);
    Ok(Array::from_fn(long.shape(), |i| (long.element(i) * short.element(i / steps.max(1))) as f32))
}

/// The rule for an output: its own, or else the one for all.
fn rule_for<'a>(class_weights: &'a ClassWeights, output: &str) -> Option<&'a ClassWeight> {
    let own = class_weights.iter().rev().find(|(name, _)| name.as_deref() == Some(output));
    own.or_else(|| class_weights.iter().rev().find(|(name, _)| name.is_none())).map(|(_, rule)| rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_samples_and_classes_multiply() -> Result {
        let (samples, classes) = (Array::from([1f32, 0.5]), Array::from([[2f32, 3.0], [2.0, 3.0]]));
        assert_eq!(product(&samples, &classes)?, Array::from([[2f32, 3.0], [1.0, 1.5]]));
        assert_eq!(product(&classes, &samples)?, Array::from([[2f32, 3.0], [1.0, 1.5]]));
        assert_eq!(product(&Array::full([3], 1f32), &samples).unwrap_err().code(), "weight-shape");
        Ok(())
    }
}
