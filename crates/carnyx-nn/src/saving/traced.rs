//! Models of which a file knows no layers: what they compute, traced in training and in inference.
//!
//! A trace stands for any layer whose structure is the same at every call. Invariant: a program that does not have the
//! layer's type reads it, predicts the same bits, and trains on as the original would.

use super::attributes::{attributes_json, with_attributes};
use super::config::{Config, Content, Fields, Part, Use, bad, object};
use super::expression;
use crate::layer::{input_name, own_name};
use crate::layers::Expression;
use crate::losses::TracedLoss;
use crate::models::trace::Core;
use crate::{Module, Traced, Zeros};
use carnyx_file::Value;
use carnyx_graph::{DType, Error, Mode, Result, Tensor, Variable};
use std::collections::HashMap;
use std::panic::Location;

/// The class of a loss that is known by what it computes.
pub(super) const TRACED_LOSS: &str = "Carnyx>TracedLoss";

/// The configuration of a model that files have no layers for, because of `mistake`: its trace, applied to the inputs.
pub(super) fn config(
    core: &Core,
    layer: &(impl Module + ?Sized),
    inputs: &[Tensor],
    mistake: Error,
    site: &'static Location<'static>,
) -> Result<Config> {
    let names = core.network.output_names(core.network.outputs(inputs, site)?.len())?;
    let call = |inputs: &[Tensor]| core.network.outputs(inputs, site);
    // What the trace lacks matters less than what could have made it unnecessary.
    let neither = |error: Error| match error.title() {
        title if title == mistake.title() => mistake.clone(),
        title => mistake.clone().note(format!("as a trace it cannot be saved either: {title}")),
    };
    let traced = Traced::of_call(layer, &names, &call, inputs).map_err(neither)?;
    let described = traced_config(&traced);
    described.check().map_err(neither)?;
    let mut parts = Vec::new();
    let mut uses = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        let name = input_name(i, input).to_string();
        let shape: Vec<Option<usize>> = input.shape().iter().map(|dim| dim.fixed()).collect();
        uses.push(Use { part: i, node: 0, output: 0, shape: shape.clone(), dtype: input.dtype() });
        parts.push(Part { name, config: Config::input(&shape, input.dtype()), nodes: vec![Vec::new()] });
    }
    let outputs = traced.inference.outputs.iter().enumerate().map(|(output, tensor)| {
        let shape = tensor.shape().iter().map(|dim| dim.fixed()).collect();
        Use { part: inputs.len(), node: 0, output, shape, dtype: tensor.dtype() }
    });
    let outputs = outputs.collect();
    let name = own_name(layer);
    let name = if parts.iter().any(|part| part.name == name) { format!("{name}_layer") } else { name };
    parts.push(Part { name, config: described, nodes: vec![uses.clone()] });
    Ok(Config::new("Functional").with(Content::Drawing { parts, inputs: uses, outputs }))
}

/// The configuration of a trace.
pub(crate) fn traced_config(traced: &Traced) -> Config {
    let variables = &traced.variables;
    let place_of: HashMap<u64, usize> =
        variables.iter().enumerate().map(|(i, (_, variable))| (variable.id(), i)).collect();
    let write = |expression: &Expression| expression::write(expression, &place_of);
    let (training, inference) = match (write(&traced.training), write(&traced.inference)) {
        (Ok(training), Ok(inference)) => (training, inference),
        (Err(mistake), _) | (_, Err(mistake)) => return Config::refused(mistake),
    };
    let facts = |(path, variable): &(String, Variable)| -> Result<Value> {
        let shape: Vec<Value> = variable.shape().unwrap_or_default().into_iter().map(Value::from).collect();
        let facts = [
            ("path", Value::from(path.as_str())),
            ("shape", Value::from(shape)),
            ("dtype", Value::from(variable.dtype().to_string())),
            ("trained", Value::from(learns(variable))),
        ];
        Ok(object(facts.into_iter().chain(attributes_json(variable)?)))
    };
    let facts = match variables.iter().map(facts).collect::<Result<Value>>() {
        Ok(facts) => facts,
        Err(mistake) => return Config::refused(mistake),
    };
    let mut config = Config::new("Carnyx>Traced")
        .field("layer", &*traced.kind)
        .field("outputs", traced.output_names.iter().map(|name| Value::from(&**name)).collect::<Value>())
        .field("variables", facts)
        .field("inference", inference)
        .field("training", training);
    config.variables.clone_from(variables);
    config
}

/// The configuration of a loss that is a trace.
pub(crate) fn traced_loss_config(loss: &TracedLoss) -> Config {
    let trace = traced_config(&loss.trace);
    match trace.check() {
        Ok(()) => Config::new(TRACED_LOSS)
            .field("name", loss.name.as_str())
            .field("trace", trace.json("carnyx")["config"].clone()),
        Err(mistake) => Config::refused(mistake),
    }
}

/// The loss that a file describes by what it computes.
pub(super) fn read_loss(fields: Fields) -> Result<TracedLoss> {
    let value = fields.get("trace").ok_or_else(|| fields.wrong("trace", "an expression"))?;
    let trace = read(Fields { class: fields.class, value })?;
    let ends = (trace.inference.inputs.len(), trace.inference.outputs.len());
    if ends != (2, 1) || !trace.variables.is_empty() {
        return Err(bad("a traced loss has other than two inputs and one output"));
    }
    Ok(TracedLoss { name: fields.text("name")?.to_owned(), trace })
}

/// Whether gradients may change a variable, frozen or not.
fn learns(variable: &Variable) -> bool {
    let thawed = variable.fork();
    thawed.set_trainable(true);
    thawed.is_trainable()
}

/// The trace that a file describes; its variables have shapes, but no values yet.
pub(super) fn read(fields: Fields) -> Result<Traced> {
    let mut variables: Vec<(String, Variable)> = Vec::new();
    for claim in fields.list("variables")? {
        let wrong = || bad("a traced layer has a variable without path, shape and type");
        let path = claim["path"].as_str().filter(|path| !path.is_empty()).ok_or_else(wrong)?;
        let dtype =
            claim["dtype"].as_str().and_then(|name| DType::ALL.into_iter().find(|d| d.to_string() == name));
        let size = |value: &Value| {
            value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0 && n < 1 << 31)
        };
        let shape =
            claim["shape"].as_array().and_then(|sizes| sizes.iter().map(size).collect::<Option<Vec<_>>>());
        let (dtype, shape) = (dtype.ok_or_else(wrong)?, shape.ok_or_else(wrong)?);
        let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        if elements.is_none_or(|elements| elements > 1 << 40) {
            return Err(bad(format!("the variable `{path}` has the shape {shape:?}, which no memory holds")));
        }
        if variables.iter().any(|(known, _)| known == path) {
            return Err(bad(format!("two variables of the file are named `{path}`")));
        }
        let variable = Variable::with_dtype(Zeros, dtype);
        let variable =
            if claim["trained"].as_bool() == Some(false) { variable.untrained() } else { variable };
        let variable = with_attributes(variable, Fields { class: "Carnyx>Traced", value: claim })?;
        variable.shaped(shape).check()?;
        variables.push((path.to_owned(), variable));
    }
    let all: Vec<Variable> = variables.iter().map(|(_, variable)| variable.clone()).collect();
    let expression = |name: &str, mode: Mode| -> Result<Expression> {
        let value = fields.get(name).ok_or_else(|| fields.wrong(name, "an expression"))?;
        expression::read(value, mode, &all).map_err(|error| error.note(format!("in the trace of {name}")))
    };
    let (inference, training) =
        (expression("inference", Mode::Inference)?, expression("training", Mode::Training)?);
    let facts =
        |tensors: &[Tensor]| -> Result<Vec<_>> { tensors.iter().map(|t| t.facts().cloned()).collect() };
    if facts(&inference.inputs)? != facts(&training.inputs)?
        || facts(&inference.outputs)? != facts(&training.outputs)?
    {
        return Err(bad("the traces of training and of inference have other inputs or outputs"));
    }
    let name = |value: &Value| value.as_str().map(Into::into);
    let output_names: Option<Vec<_>> = fields.list("outputs")?.iter().map(name).collect();
    Ok(Traced {
        kind: fields.text("layer")?.into(),
        inference,
        training,
        variables,
        output_names: output_names.unwrap_or_default(),
    })
}
