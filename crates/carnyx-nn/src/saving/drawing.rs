//! Models as files know them: layers in a row, and layers with the tensors between them.
//!
//! A drawing is walked from its outputs. A layer that has a configuration is a layer of the file; one that has none is
//! looked into, so that a struct of known layers becomes those layers. Between layers, files know joining and
//! arithmetic of two tensors of one shape; [`operation`] is the place where more of them plug in. Invariant: layers are
//! in the order in which Keras itself would put them, because it addresses weights by that order.

use super::config::{Config, Content, Part, Use, bad};
use super::layers::cannot_save;
use crate::LayerRef;
use crate::layer::{DrawnLayer, free_name, input_name};
use crate::module::Identity;
use carnyx_graph::op::{Binary, Op};
use carnyx_graph::{Application, Error, Result, Tensor};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Layers in a row, with their names.
pub(crate) fn row_config<'a>(layers: impl Iterator<Item = (&'a str, &'a LayerRef)>) -> Config {
    let mut parts: Vec<Part> = Vec::new();
    let mut seen = HashSet::new();
    for (name, layer) in layers {
        let ids = layer.identity();
        if ids.iter().any(|id| !seen.insert(*id)) {
            return Config::refused(
                bad(format!("the layer `{name}` is in the model twice"))
                    .help("draw the model as a `Functional`"),
            );
        }
        let config = layer.config().unwrap_or_else(|| Config::refused(cannot_save(layer)));
        // What states the shape in the middle of a row changes nothing.
        if parts.is_empty() || config.class != "InputLayer" {
            parts.push(Part { name: name.to_owned(), config, nodes: Vec::new() });
        }
    }
    Config::new("Sequential").with(Content::Row(parts))
}

/// The layers between inputs and outputs; `name_of` knows the names of some.
pub(crate) fn drawing_config(
    inputs: &[Tensor],
    outputs: &[Tensor],
    name_of: &dyn Fn(&Arc<Application>) -> Option<Arc<str>>,
) -> Config {
    let mut sketch = Sketch {
        parts: Vec::new(),
        places: HashMap::new(),
        known: HashMap::new(),
        configs: HashMap::new(),
        name_of,
    };
    match sketch.draw(inputs, outputs) {
        Ok(content) => Config::new("Functional").with(content),
        Err(mistake) => Config::refused(mistake),
    }
}

/// The tensors inside a layer that gave `outputs`: without the layer's own border.
pub(super) fn inside(outputs: &[Tensor]) -> Vec<Tensor> {
    let within = |tensor: &Tensor| tensor.sources().first().cloned().unwrap_or_else(|| tensor.clone());
    outputs.iter().map(within).collect()
}

/// A drawing on its way to a file.
struct Sketch<'a> {
    parts: Vec<Part>,
    /// Which tensor of the file a tensor of the drawing is, by its address.
    places: HashMap<usize, Use>,
    /// The parts of layers with variables, which may be used again.
    known: HashMap<Vec<u64>, usize>,
    /// The configuration of each use of a layer that has one; kept alive, so that addresses stay theirs.
    configs: HashMap<usize, (Arc<Application>, Option<Config>)>,
    name_of: &'a dyn Fn(&Arc<Application>) -> Option<Arc<str>>,
}

/// What a tensor of a drawing is.
enum Step {
    /// An output of a layer that has a configuration.
    Layer(Arc<Application>, usize),
    /// The same as another tensor.
    Same(Tensor),
    /// An operation that Keras has a layer for.
    Operation(Config, &'static str),
}

impl Sketch<'_> {
    fn draw(&mut self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Content> {
        for (i, input) in inputs.iter().enumerate() {
            let config = Config::input(&sizes(input), input.dtype());
            let part = self.add(&input_name(i, input), config);
            self.parts[part].nodes.push(Vec::new());
            self.place(input, part, 0, 0);
        }
        let mut pending: Vec<Tensor> = outputs.iter().rev().cloned().collect();
        while let Some(tensor) = pending.last().cloned() {
            if self.places.contains_key(&tensor.address()) {
                pending.pop();
                continue;
            }
            let step = self.step(&tensor)?;
            let needed = match &step {
                Step::Layer(application, _) => application.inputs.clone(),
                Step::Same(other) => vec![other.clone()],
                Step::Operation(..) => tensor.sources().to_vec(),
            };
            let before = pending.len();
            let missing = needed.iter().rev().filter(|t| !self.places.contains_key(&t.address()));
            pending.extend(missing.cloned());
            if pending.len() == before {
                pending.pop();
                self.take(&tensor, step, &needed);
            }
        }
        let place = |tensor: &Tensor| self.places[&tensor.address()].clone();
        let (mut inputs, mut outputs): (Vec<Use>, Vec<Use>) =
            (inputs.iter().map(place).collect(), outputs.iter().map(place).collect());
        self.sort(&mut inputs, &mut outputs);
        Ok(Content::Drawing { parts: std::mem::take(&mut self.parts), inputs, outputs })
    }

    fn step(&mut self, tensor: &Tensor) -> Result<Step> {
        let Some(origin) = tensor.origin() else {
            return operation(tensor);
        };
        let address = Arc::as_ptr(&origin.application) as usize;
        let layer = origin.application.layer.downcast_ref::<DrawnLayer>();
        let (_, config) = self
            .configs
            .entry(address)
            .or_insert_with(|| (origin.application.clone(), layer.and_then(|layer| layer.module.config())));
        if let (Some("InputLayer"), [input]) =
            (config.as_ref().map(|c| c.class), &origin.application.inputs[..])
        {
            // It states a shape, and passes the values on.
            return Ok(Step::Same(input.clone()));
        }
        if config.as_ref().is_some_and(|config| config.check().is_ok()) {
            return Ok(Step::Layer(origin.application.clone(), origin.output));
        }
        // A struct of known layers is as good as its layers; whatever else it holds is reported with its name.
        let name = layer.map_or_else(String::new, |layer| layer.name.to_string());
        let refused = match config.as_ref().and_then(|config| config.check().err()) {
            Some(error) => error,
            None => layer.map_or_else(|| bad("a layer of unknown kind"), |layer| cannot_save(&*layer.module)),
        };
        match tensor.sources() {
            [inside] if is_made_of_layers(layer, config.as_ref()) => Ok(Step::Same(inside.clone())),
            _ => Err(refused.inside(name)),
        }
    }

    /// Gives a tensor its place, once what it needs has one.
    fn take(&mut self, tensor: &Tensor, step: Step, needed: &[Tensor]) {
        let uses = |sketch: &Self| -> Vec<Use> {
            needed.iter().map(|tensor| sketch.places[&tensor.address()].clone()).collect()
        };
        match step {
            Step::Same(other) => {
                let place = self.places[&other.address()].clone();
                self.places.insert(tensor.address(), place);
            }
            Step::Operation(config, name) => {
                let part = self.add(name, config);
                let inputs = uses(self);
                self.parts[part].nodes.push(inputs);
                self.place(tensor, part, 0, 0);
            }
            Step::Layer(application, output) => {
                let address = Arc::as_ptr(&application) as usize;
                let inputs = uses(self);
                let (part, node) = match self.nodes_of(address) {
                    Some(found) => found,
                    None => {
                        let part = self.part_of(&application);
                        self.parts[part].nodes.push(inputs);
                        let node = self.parts[part].nodes.len() - 1;
                        self.known.insert(vec![address as u64, u64::MAX], part * NODES + node);
                        (part, node)
                    }
                };
                self.place(tensor, part, node, output);
            }
        }
    }

    /// The part and the node of a use of a layer, of which another output was met before.
    fn nodes_of(&self, application: usize) -> Option<(usize, usize)> {
        self.known.get(&vec![application as u64, u64::MAX]).map(|&both| (both / NODES, both % NODES))
    }

    fn part_of(&mut self, application: &Arc<Application>) -> usize {
        let address = Arc::as_ptr(application) as usize;
        let layer = application.layer.downcast_ref::<DrawnLayer>();
        let ids = layer.map(|layer| layer.module.identity()).unwrap_or_default();
        if let Some(&part) = self.known.get(&ids).filter(|_| !ids.is_empty()) {
            return part;
        }
        let name = (self.name_of)(application).or_else(|| layer.map(|layer| layer.name.clone()));
        let config = self.configs.get(&address).and_then(|(_, config)| config.clone());
        let part =
            self.add(&name.unwrap_or_else(|| "layer".into()), config.unwrap_or_else(|| Config::new("")));
        if !ids.is_empty() {
            self.known.insert(ids, part);
        }
        part
    }

    /// A part with a name of its own.
    fn add(&mut self, name: &str, config: Config) -> usize {
        let name = free_name(name, |name| self.parts.iter().any(|part| part.name == name));
        self.parts.push(Part { name, config, nodes: Vec::new() });
        self.parts.len() - 1
    }

    fn place(&mut self, tensor: &Tensor, part: usize, node: usize, output: usize) {
        let place = Use { part, node, output, shape: sizes(tensor), dtype: tensor.dtype() };
        self.places.insert(tensor.address(), place);
    }

    /// Puts the parts into the order of `keras.Model.layers`: the farther from the outputs, the earlier; and then as a
    /// search in depth from the outputs meets them.
    fn sort(&mut self, inputs: &mut [Use], outputs: &mut [Use]) {
        let mut met = vec![usize::MAX; self.parts.len()];
        let mut num_met = 0;
        let (mut finished, mut order) = (HashSet::new(), Vec::new());
        let mut pending: Vec<(usize, usize, bool)> =
            outputs.iter().rev().map(|output| (output.part, output.node, false)).collect();
        while let Some((part, node, is_ready)) = pending.pop() {
            if is_ready {
                if finished.insert((part, node)) {
                    order.push((part, node));
                }
                continue;
            }
            if finished.contains(&(part, node)) {
                continue;
            }
            if met[part] == usize::MAX {
                met[part] = num_met;
                num_met += 1;
            }
            pending.push((part, node, true));
            pending.extend(
                self.parts[part].nodes[node].iter().rev().map(|input| (input.part, input.node, false)),
            );
        }
        let mut depths: HashMap<(usize, usize), usize> = HashMap::new();
        let mut layer_depths = vec![0; self.parts.len()];
        for &(part, node) in order.iter().rev() {
            let depth = (*depths.entry((part, node)).or_default()).max(layer_depths[part]);
            layer_depths[part] = depth;
            depths.insert((part, node), depth);
            for input in &self.parts[part].nodes[node] {
                let below = depths.entry((input.part, input.node)).or_default();
                *below = (*below).max(depth + 1);
            }
        }
        let mut sorted: Vec<usize> = (0..self.parts.len()).collect();
        sorted.sort_by_key(|&part| (std::cmp::Reverse(layer_depths[part]), met[part]));
        let mut new_place = vec![0; sorted.len()];
        sorted.iter().enumerate().for_each(|(new, &old)| new_place[old] = new);
        let mut parts: Vec<Option<Part>> = std::mem::take(&mut self.parts).into_iter().map(Some).collect();
        self.parts = sorted.iter().filter_map(|&old| parts[old].take()).collect();
        let nodes = self.parts.iter_mut().flat_map(|part| &mut part.nodes).flatten();
        nodes.chain(inputs).chain(outputs).for_each(|place| place.part = new_place[place.part]);
    }
}

/// More uses of one layer than anybody draws.
const NODES: usize = 1 << 24;

/// Whether a layer may consist of known layers: a struct of the user's, or a model with one in it.
fn is_made_of_layers(layer: Option<&DrawnLayer>, config: Option<&Config>) -> bool {
    let is_model = |kind| matches!(kind, "Sequential" | "Functional");
    layer
        .map(|layer| layer.module.kind())
        .is_some_and(|kind| is_model(kind) || config.is_none() && kind != "Lambda")
}

fn sizes(tensor: &Tensor) -> Vec<Option<usize>> {
    tensor.shape().iter().map(|dim| dim.fixed()).collect()
}

/// What a tensor between layers is. Operations that Keras has no layer for are refused here; parts of a drawing that
/// are stored in another way would begin here.
fn operation(tensor: &Tensor) -> Result<Step> {
    // Keras's layers hand masks on, operations between layers do not.
    let is_unmasked = || tensor.sources().iter().all(|source| source.mask().is_none());
    let same_shape = || {
        let [x, y] = tensor.sources() else { return false };
        // A repeated operand is a number, or the work of broadcasting, for which Keras has rules of its own.
        x.shape() == y.shape()
            && is_unmasked()
            && ![x, y].iter().any(|t| matches!(t.op(), Op::Broadcast(_) | Op::Constant(_) | Op::Read(_)))
    };
    match tensor.op() {
        Op::Scope(_) | Op::InMode if tensor.effects().is_empty() => {
            Ok(Step::Same(tensor.sources()[0].clone()))
        }
        Op::Concat(axis) if *axis > 0 && is_unmasked() => {
            Ok(Step::Operation(Config::new("Concatenate").field("axis", *axis), "concatenate"))
        }
        Op::Binary(Binary::Add) if same_shape() => Ok(Step::Operation(Config::new("Add"), "add")),
        Op::Binary(Binary::Mul) if same_shape() => Ok(Step::Operation(Config::new("Multiply"), "multiply")),
        Op::Binary(Binary::Sub) if same_shape() => Ok(Step::Operation(Config::new("Subtract"), "subtract")),
        Op::Input(name) => {
            Err(bad(format!("the model depends on the input `{name}`, which it does not list")))
        }
        op => Err(no_layer_for(op).at(tensor.site())),
    }
}

fn no_layer_for(op: &Op) -> Error {
    bad(format!("the operation `{}` between layers cannot be saved", op.name()))
        .label("files know layers, `concat`, and `+`, `-` and `*` of two tensors of one shape")
        .help("save the weights alone with `save_weights`, and build the model in Rust before `load_weights`")
}
