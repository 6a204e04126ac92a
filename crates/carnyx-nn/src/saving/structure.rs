//! From the configuration of a model to the model.
//!
//! Both dialects are read: objects with `__keras_tensor__` of Keras 3, and the nested lists of older files. A model is
//! drawn layer by layer, as a user would. Invariant: no claim of a file makes anything large, deep or endless: sizes
//! are only compared, levels and uses are counted, and each use of a layer is described once.

use super::config::{Fields, bad, brief, is_merge};
use super::layers::{self, Known};
use super::weights::Layout;
use crate::layer::apply_at;
use crate::{Functional, Layer, LayerRef, TimeDistributed, Traced, Variables};
use carnyx_file::Value;
use carnyx_graph::{DType, Dim, Error, Facts, Mode, Result, Site, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// Models within models.
pub(super) const MOST_LEVELS: usize = 64;

/// A model that was read, and where its weights are.
pub(super) struct Structure {
    pub(super) network: Functional,
    pub(super) layout: Layout,
}

/// A layer as a file has it.
enum Built {
    /// The placeholder of an input.
    Input(Vec<usize>, DType),
    Layer(LayerRef),
    Merge(Arc<dyn Layer<Vec<Tensor>, Out = Tensor>>),
    Traced(Box<Traced>),
    Model(Functional),
    /// Layers in a row whose first shape is not known yet.
    Row(Vec<Named>),
}

/// A layer with its name and its weights.
struct Named {
    name: String,
    built: Built,
    layout: Layout,
}

/// The model that `config` describes.
pub(super) fn read(config: &Value) -> Result<Structure> {
    let fields = Fields::of(config, "the model")?;
    let mut named = build(config, 0)?;
    if let Built::Row(layers) = &mut named.built {
        let shape = first_shape(config, fields).ok_or_else(|| {
            bad("the file does not say which shape the model's inputs have")
                .help("save the model after it has seen data, or let it begin with an `Input`")
        })?;
        let input = placeholder("input", &shape, DType::F32);
        named.built = Built::Model(draw_row(layers, &input)?);
    }
    match named.built {
        Built::Model(network) => Ok(Structure { network, layout: named.layout }),
        _ => Err(bad(format!("the file holds a layer of class `{}`, not a model", fields.class))),
    }
}

/// The shape of one sample, where a row of layers has no input layer.
fn first_shape(config: &Value, fields: Fields) -> Option<Vec<usize>> {
    let first = fields.get("layers").and_then(|layers| layers.get(0)).and_then(|layer| layer.get("config"));
    let claims = [
        fields.get("build_input_shape"),
        config.get("build_config").and_then(|build| build.get("input_shape")),
        first.and_then(|first| first.get("batch_input_shape")),
    ];
    let shape = claims.into_iter().flatten().find_map(Value::as_array)?.get(1..)?;
    shape
        .iter()
        .map(|size| size.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n < 1 << 31))
        .collect()
}

fn placeholder(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    let mut dims = vec![Dim::BATCH];
    dims.extend(shape.iter().copied().map(Dim::Fixed));
    Tensor::placeholder(name, Facts::new(dims, dtype), Mode::Blueprint)
}

/// A layer or a model, not yet applied to anything.
fn build(value: &Value, level: usize) -> Result<Named> {
    if level > MOST_LEVELS {
        return Err(bad(format!("models are nested more than {MOST_LEVELS} levels deep")));
    }
    let fields = Fields::of(value, "a layer")?;
    let name = match fields.get("name").or(value.get("name")) {
        Some(Value::String(name)) => name.clone(),
        _ => super::weights::snake_case(fields.class),
    };
    if name.is_empty() {
        return Err(bad(format!("a layer of class `{}` has no name", fields.class)));
    }
    build_named(fields, &name, level).map_err(|error| error.inside(name.clone()))
}

fn build_named(fields: Fields, name: &str, level: usize) -> Result<Named> {
    let layout = |variables, parts, is_model| Layout {
        class: fields.class.to_owned(),
        name: name.to_owned(),
        variables,
        constants: Vec::new(),
        parts,
        is_model,
    };
    let named = |built, layout| Named { name: name.to_owned(), built, layout };
    let result = match fields.class {
        "InputLayer" => {
            let (shape, dtype) = layers::input(fields)?;
            named(Built::Input(shape, dtype), layout(Vec::new(), Vec::new(), false))
        }
        "Sequential" => {
            let mut row = Vec::new();
            for layer in fields.list("layers")? {
                row.push(build(layer, level + 1)?);
            }
            check_names(&row)?;
            let is_layer = |layer: &&Named| !matches!(layer.built, Built::Input(..));
            let parts = row.iter().filter(is_layer).map(|layer| layer.layout.clone()).collect();
            let input = match row.first() {
                Some(Named { built: Built::Input(shape, dtype), name, .. }) => {
                    Some(placeholder(name, shape, *dtype))
                }
                _ => None,
            };
            let built = match input {
                Some(input) => Built::Model(draw_row(&row[1..], &input)?),
                None => Built::Row(row),
            };
            named(built, layout(Vec::new(), parts, true))
        }
        "TimeDistributed" => {
            let missing = || fields.wrong("layer", "a layer");
            let inner = build(fields.get("layer").ok_or_else(missing)?, level + 1)?;
            let Built::Layer(layer) = inner.built else {
                return Err(bad(format!("`{}` is a model within a `TimeDistributed`", inner.name))
                    .label("single layers can be read there"));
            };
            let distributed = TimeDistributed::of(layer);
            named(Built::Layer(Arc::new(distributed)), layout(Vec::new(), vec![inner.layout], false))
        }
        // Subclasses of Keras's `Model` that are drawn are written like this too.
        "Functional" | "Model" if fields.get("layers").is_some() => {
            let mut parts = Vec::new();
            let network = Drawing::read(fields, level, &mut parts)?;
            named(Built::Model(network), layout(Vec::new(), parts, true))
        }
        _ => match layers::layer(fields)? {
            Known::Layer(layer, variables) => {
                named(Built::Layer(layer), layout(variables, Vec::new(), false))
            }
            Known::Traced(traced) => {
                let variables = traced.variables.clone();
                named(Built::Traced(traced), layout(variables, Vec::new(), false))
            }
            Known::Merge(merge) => named(Built::Merge(merge), layout(Vec::new(), Vec::new(), false)),
        },
    };
    if !fields.truth("trainable", true)? {
        freeze(&result.built);
    }
    Ok(result)
}

fn freeze(built: &Built) {
    match built {
        Built::Input(..) | Built::Merge(_) => {}
        Built::Layer(layer) => layer.freeze(),
        Built::Traced(traced) => traced.freeze(),
        Built::Model(model) => model.freeze(),
        Built::Row(layers) => layers.iter().for_each(|layer| freeze(&layer.built)),
    }
}

fn check_names(layers: &[Named]) -> Result {
    let mut seen = std::collections::HashSet::new();
    match layers.iter().find(|layer| !seen.insert(&layer.name)) {
        Some(layer) => Err(bad(format!("two layers of the file are named `{}`", layer.name))),
        None => Ok(()),
    }
}

/// The model of layers in a row on an input.
fn draw_row(layers: &[Named], input: &Tensor) -> Result<Functional> {
    let mut x = input.clone();
    for layer in layers {
        x = apply(layer, std::slice::from_ref(&x))
            .and_then(|outputs| match <[Tensor; 1]>::try_from(outputs) {
                Ok([output]) => Ok(output),
                Err(outputs) => Err(bad(format!("it gives {} tensors, in a row of layers", outputs.len()))),
            })
            .map_err(|error| in_layer(error, &layer.name))?;
    }
    if x.address() == input.address() {
        return Err(bad("a model without layers"));
    }
    let name = layers.last().map_or("output", |layer| &layer.name);
    Functional::new(vec![input.clone()], vec![(name.to_owned(), x)]).map_err(from_file)
}

/// An error that was found while a file was read is one of the file, whatever it is about.
pub(super) fn from_file(error: Error) -> Error {
    if error.code() == "file" {
        return error;
    }
    let mut of_file = bad(error.title());
    if let Some(advice) = error.advice() {
        of_file = of_file.help(advice);
    }
    for layer in error.layers().iter().rev() {
        of_file = of_file.inside(layer.clone());
    }
    of_file
}

fn in_layer(error: Error, name: &str) -> Error {
    let error = from_file(error);
    if error.layers().first().is_some_and(|first| first == name) { error } else { error.inside(name) }
}

/// The outputs of a layer.
fn apply(layer: &Named, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let one = || match inputs {
        [input] => Ok(input.clone()),
        _ => Err(bad(format!("it is applied to {} tensors", inputs.len())).label("it takes one")),
    };
    // The place in this file is none of the user's; messages show the layers instead.
    let site = Site { file: "".into(), line: 0, column: 0 };
    let name = layer.name.as_str().into();
    let outputs = match &layer.built {
        Built::Input(..) => return Err(bad("an input is applied to a tensor")),
        Built::Layer(known) => vec![apply_at(known, &name, site, &one()?)],
        Built::Merge(merge) => vec![apply_at(merge, &name, site, &inputs.to_vec())],
        Built::Traced(traced) => apply_at(&**traced, &name, site, &inputs.to_vec()),
        Built::Model(model) => {
            let wanted = model.inputs().len();
            if wanted != inputs.len() {
                return Err(bad(format!("it is applied to {} tensors", inputs.len()))
                    .label(format!("the model takes {}", crate::losses::count(wanted, "input"))));
            }
            apply_at(model, &name, site, &inputs.to_vec())
        }
        Built::Row(row) => {
            let x = one()?;
            let shape: Option<Vec<usize>> = x.shape().iter().skip(1).map(|dim| dim.fixed()).collect();
            let shape = shape.filter(|_| x.rank() > 0).ok_or_else(|| bad("its input has no fixed shape"))?;
            let model = draw_row(row, &placeholder("input", &shape, x.dtype()))?;
            apply_at(&model, &name, site, &inputs.to_vec())
        }
    };
    outputs.iter().try_for_each(Tensor::check)?;
    match outputs.iter().find(|output| is_too_large(output)) {
        Some(output) => Err(bad(format!("its output has shape {}, which no memory holds", output.shape()))),
        None => Ok(outputs),
    }
}

/// Whether one sample has more numbers than any machine has room for: later products of sizes would overflow.
fn is_too_large(tensor: &Tensor) -> bool {
    let mut sizes =
        tensor.shape().iter().skip(1).map(|dim| dim.fixed().unwrap_or(1)).collect::<Vec<_>>().into_iter();
    let elements = sizes.try_fold(1usize, usize::checked_mul);
    elements.is_none_or(|elements| elements > 1 << 40)
}

/// A tensor as the file names it: layer, use, output.
type Place = (usize, usize, usize);

/// Layers with their uses, on the way to a model.
struct Drawing {
    layers: Vec<Named>,
    /// For each layer and use what it is applied to.
    nodes: Vec<Vec<Vec<Place>>>,
    /// What each use gave.
    outputs: HashMap<(usize, usize), Vec<Tensor>>,
    /// The layers by their names.
    names: HashMap<String, usize>,
}

impl Drawing {
    fn read(fields: Fields, level: usize, parts: &mut Vec<Layout>) -> Result<Functional> {
        let list = fields.list("layers")?;
        if list.is_empty() {
            return Err(bad("a model without layers"));
        }
        let mut layers = Vec::new();
        for layer in list {
            layers.push(build(layer, level + 1)?);
        }
        check_names(&layers)?;
        parts.extend(layers.iter().map(|layer| layer.layout.clone()));
        let names = layers.iter().enumerate().map(|(i, layer)| (layer.name.clone(), i)).collect();
        let mut drawing = Drawing { layers, nodes: Vec::new(), outputs: HashMap::new(), names };
        for (layer, value) in list.iter().enumerate() {
            let nodes =
                drawing.nodes_of(layer, value).map_err(|e| e.inside(drawing.layers[layer].name.clone()))?;
            drawing.nodes.push(nodes);
        }
        let missing = |name| bad(format!("the model has no `{name}`"));
        let inputs = drawing.places(fields.get("input_layers").ok_or_else(|| missing("input_layers"))?)?;
        let mut outputs =
            drawing.places(fields.get("output_layers").ok_or_else(|| missing("output_layers"))?)?;
        drawing.count_uses_from_zero(&mut outputs);
        let mut drawn = Vec::new();
        for (_, place) in &inputs {
            let Named { name, built, .. } = &drawing.layers[place.0];
            let Built::Input(shape, dtype) = built else {
                return Err(bad(format!("the model begins with `{name}`, which is no input")));
            };
            let input = placeholder(name, shape, *dtype);
            drawn.push(input.clone());
            drawing.outputs.insert((place.0, place.1), vec![input]);
        }
        let mut named = Vec::new();
        for (name, place) in outputs {
            let tensor = drawing.tensor(place)?;
            let layer = &drawing.layers[place.0].name;
            let is_taken = |name: &String| named.iter().any(|(known, _)| known == name);
            let name = name.unwrap_or_else(|| layer.clone());
            let name = if is_taken(&name) { format!("output_{}", named.len()) } else { name };
            named.push((name, tensor));
        }
        Functional::new(drawn, named).map_err(from_file)
    }

    /// The tensors that a list names, with their keys if it is an object.
    fn places(&self, value: &Value) -> Result<Vec<(Option<String>, Place)>> {
        if let Some(map) = value.as_object() {
            let place = |(key, value): (&String, &Value)| Ok((Some(key.clone()), self.place(value)?));
            return map.iter().map(place).collect();
        }
        match value.as_array().map(Vec::as_slice) {
            Some([Value::String(_), ..]) => Ok(vec![(None, self.place(value)?)]),
            Some(list) => list.iter().map(|value| Ok((None, self.place(value)?))).collect(),
            None => Err(bad(format!("inputs or outputs of a model are {}", brief(value)))),
        }
    }

    fn place(&self, value: &Value) -> Result<Place> {
        let index = |i: usize| value.get(i).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (Some(name), Some(node), Some(output)) =
            (value.get(0).and_then(Value::as_str), index(1), index(2))
        else {
            return Err(bad(format!("{} does not name a tensor", brief(value)))
                .label("a tensor is named by its layer and two numbers"));
        };
        match self.names.get(name) {
            Some(&layer) => Ok((layer, node, output)),
            None => {
                let names: Vec<&str> = self.layers.iter().map(|layer| layer.name.as_str()).collect();
                Err(bad(format!("a tensor comes from the layer `{name}`, which the model does not have"))
                    .suggest(name, &names))
            }
        }
    }

    /// To Keras 2, a model that is used as a layer has one use more than the file lists: that of its own drawing, which
    /// comes first.
    fn count_uses_from_zero(&mut self, outputs: &mut [(Option<String>, Place)]) {
        let mut most = vec![0; self.layers.len()];
        let named = self.nodes.iter().flatten().flatten().chain(outputs.iter().map(|(_, place)| place));
        for &(layer, node, _) in named {
            most[layer] = most[layer].max(node);
        }
        let is_shifted: Vec<bool> = (0..most.len())
            .map(|layer| {
                let is_model = matches!(self.layers[layer].built, Built::Model(_) | Built::Row(_));
                is_model && most[layer] > 0 && most[layer] == self.nodes[layer].len()
            })
            .collect();
        let nodes = self.nodes.iter_mut().flatten().flatten();
        for (layer, node, _) in nodes.chain(outputs.iter_mut().map(|(_, place)| place)) {
            if is_shifted[*layer] {
                *node = node.saturating_sub(1);
            }
        }
    }

    /// What a layer is applied to, use by use.
    fn nodes_of(&self, layer: usize, value: &Value) -> Result<Vec<Vec<Place>>> {
        let Some(nodes) = value.get("inbound_nodes").filter(|nodes| !nodes.is_null()) else {
            return Ok(Vec::new());
        };
        let wrong = || bad(format!("`inbound_nodes` is {}", brief(nodes)));
        let mut all = Vec::new();
        for node in nodes.as_array().ok_or_else(wrong)? {
            let mut places = Vec::new();
            if let Some(list) = node.as_array() {
                // The older dialect: [[name, node, tensor, {}], …], or one without the outer list.
                let is_one = list.first().is_some_and(Value::is_string);
                let list = if is_one { std::slice::from_ref(node) } else { list.as_slice() };
                for tensor in list {
                    if tensor.get(3).and_then(Value::as_object).is_some_and(|more| !more.is_empty()) {
                        return Err(bad(format!("it is called with the arguments {}", brief(&tensor[3])))
                            .label("this is not supported"));
                    }
                    places.push(self.place(tensor)?);
                }
            } else {
                self.collect(node.get("args").ok_or_else(wrong)?, &mut places, 0)?;
                Drawing::check_arguments(node)?;
            }
            all.push(places);
        }
        if all.is_empty() && is_merge(&self.layers[layer].layout.class) {
            return Err(bad("it is applied to nothing"));
        }
        Ok(all)
    }

    /// All tensors in the arguments of a call.
    fn collect(&self, value: &Value, places: &mut Vec<Place>, level: usize) -> Result {
        if let Some(list) = value.as_array().filter(|_| level < 8) {
            return list.iter().try_for_each(|inner| self.collect(inner, places, level + 1));
        }
        let is_tensor = value.get("class_name").and_then(Value::as_str) == Some("__keras_tensor__");
        match value.get("config").and_then(|config| config.get("keras_history")).filter(|_| is_tensor) {
            Some(history) => {
                places.push(self.place(history)?);
                Ok(())
            }
            None if value.is_null() => Ok(()),
            None => Err(bad(format!("it is called with the argument {}", brief(value)))
                .label("this is not supported")),
        }
    }

    fn check_arguments(node: &Value) -> Result {
        let Some(named) = node.get("kwargs").and_then(Value::as_object) else { return Ok(()) };
        // Keras notes the default of layers with noise; the mode of the model overrules it.
        let is_default = |name: &str, value: &Value| name == "training" && value == &Value::from(false);
        match named.iter().find(|(name, value)| !value.is_null() && !is_default(name, value)) {
            Some((name, value)) => Err(bad(format!("it is called with `{name}` = {}", brief(value)))
                .label("this is not supported: a layer follows the mode of the model")),
            None => Ok(()),
        }
    }

    /// The tensor at a place, after all that it depends on.
    fn tensor(&mut self, wanted: Place) -> Result<Tensor> {
        let mut pending = vec![(wanted.0, wanted.1, false)];
        let mut begun = std::collections::HashSet::new();
        while let Some((layer, node, is_ready)) = pending.pop() {
            if self.outputs.contains_key(&(layer, node)) {
                continue;
            }
            let name = self.layers[layer].name.clone();
            let Some(inputs) = self.nodes[layer].get(node).cloned() else {
                return Err(bad(format!("the use {node} of the layer `{name}` is missing"))
                    .label(format!("it has {}", crate::losses::count(self.nodes[layer].len(), "use"))));
            };
            if !is_ready {
                if !begun.insert((layer, node)) {
                    return Err(bad(format!("the layer `{name}` depends on its own output")));
                }
                pending.push((layer, node, true));
                let needed = inputs.iter().map(|&(layer, node, _)| (layer, node));
                let missing = needed.filter(|place| !self.outputs.contains_key(place));
                pending.extend(missing.map(|(layer, node)| (layer, node, false)).collect::<Vec<_>>());
                continue;
            }
            let mut tensors = Vec::new();
            for place in inputs {
                tensors.push(self.output(place)?);
            }
            self.draw_if_row(layer, &tensors).map_err(|error| in_layer(error, &name))?;
            let outputs = apply(&self.layers[layer], &tensors).map_err(|error| in_layer(error, &name))?;
            self.outputs.insert((layer, node), outputs);
        }
        self.output(wanted)
    }

    /// A row is drawn once, so that all its uses are uses of one model.
    fn draw_if_row(&mut self, layer: usize, inputs: &[Tensor]) -> Result {
        if let (Built::Row(row), [x]) = (&self.layers[layer].built, inputs) {
            let shape: Option<Vec<usize>> = x.shape().iter().skip(1).map(|dim| dim.fixed()).collect();
            if let Some(shape) = shape.filter(|_| x.rank() > 0) {
                self.layers[layer].built =
                    Built::Model(draw_row(row, &placeholder("input", &shape, x.dtype()))?);
            }
        }
        Ok(())
    }

    fn output(&self, (layer, node, output): Place) -> Result<Tensor> {
        let outputs = self.outputs.get(&(layer, node)).map_or(&[][..], Vec::as_slice);
        outputs.get(output).cloned().ok_or_else(|| {
            bad(format!("the output {output} of the layer `{}` is missing", self.layers[layer].name))
                .label(format!("it gives {}", crate::losses::count(outputs.len(), "tensor")))
        })
    }
}
