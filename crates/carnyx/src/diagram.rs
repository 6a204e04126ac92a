//! Models as diagrams: layers as boxes, tensors as arrows, models inside models as frames.
//!
//! A model is drawn on placeholders, and the drawing is walked: each tensor remembers the layer that gave it, and behind
//! that its own expression, which holds the layers inside that layer. Invariant: a diagram shows what the model
//! computes, not how its fields are declared; a layer that is used twice stands there twice, the second time dashed.

use crate::{Apply, Found, Functional, Layer, Model, Module, Sequential, Tree, Visitor, layer_of};
use carnyx_graph::op::{Binary, Op};
use carnyx_graph::{Application, DType, Error, Result, Tensor};
use carnyx_plot::{Block, Diagram, Role};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What can be drawn as a diagram: a compiled [`Model`], a [`Functional`], a [`Sequential`]. Any other layer can be
/// turned into a functional model: `Functional::of(&layer, &Tensor::input("x", [4]))?.diagram()`.
///
/// # Example
/// ```
/// use carnyx::prelude::*;
/// let x = Tensor::input("x", [4]);
/// let hidden = Dense::new(4).activation(Relu).apply(&x);
/// let net = Functional::new(&x, &Dense::new(1).apply(&(hidden + &x)))?;
/// let svg = net.diagram()?.to_svg()?;
/// assert!(svg.contains("dense_1") && svg.contains("[batch, 4]") && svg.contains("20 parameters"));
/// # Ok::<(), Error>(())
/// ```
pub trait Draw {
    /// Boxes for layers, with their names, types, shapes and parameters; arrows for tensors; frames for models inside
    /// models. `.save("model.svg")` writes it.
    ///
    /// # Errors
    /// `model`, if the sizes of the inputs are not known; the error of a layer that cannot be applied to them.
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let x = Tensor::input("x", [4]);
    /// let net = Functional::new(&x, &Dense::new(2).apply(&x))?;
    /// assert!(net.diagram()?.to_svg()?.contains("dense"));
    /// # Ok::<(), carnyx::Error>(())
    /// ```
    fn diagram(&self) -> Result<Diagram> {
        self.diagram_to(usize::MAX)
    }

    /// The same, with frames in frames up to this depth: with 0, each layer of the model is one box.
    ///
    /// # Errors
    /// As for [`diagram`](Draw::diagram).
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let encoder = Sequential::new().then(Dense::new(8)).then(Dense::new(2));
    /// let net = Sequential::new().then(Input::new([4])).then(encoder).then(Dense::new(4));
    /// assert_eq!(net.diagram()?.num_blocks(), 5); // input, three layers, output
    /// assert_eq!(net.diagram_to(0)?.num_blocks(), 4);
    /// # Ok::<(), Error>(())
    /// ```
    fn diagram_to(&self, depth: usize) -> Result<Diagram>;
}

impl<L> Draw for Model<L> {
    fn diagram_to(&self, depth: usize) -> Result<Diagram> {
        let (inputs, outputs, names) = self.drawn()?;
        Ok(Sketch::of(&inputs, &names.into_iter().zip(outputs).collect::<Vec<_>>(), depth))
    }
}

impl<In: Tree, Out: Tree> Draw for Functional<In, Out> {
    fn diagram_to(&self, depth: usize) -> Result<Diagram> {
        let inputs = Layer::input(self).unwrap_or_else(|| In::rebuild(self.inputs()));
        let outputs = self.apply(&inputs).tensors();
        outputs.iter().try_for_each(Tensor::check)?;
        let names = self.outputs().iter().map(|(name, _)| name.clone());
        Ok(Sketch::of(&inputs.tensors(), &names.zip(outputs).collect::<Vec<_>>(), depth))
    }
}

impl Draw for Sequential {
    fn diagram_to(&self, depth: usize) -> Result<Diagram> {
        let Some(input) = Layer::input(self) else {
            return Err(Error::new("model", "the shape of the inputs is not known")
                .help("begin with an `Input`, or draw the compiled model once it has seen data"));
        };
        let output = self.apply(&input);
        output.check()?;
        Ok(Sketch::of(&[input], &[("output_0".into(), output)], depth))
    }
}

/// A block by its place in the sketch.
type Place = usize;

/// A diagram in the making.
#[derive(Default)]
struct Sketch {
    blocks: Vec<Sketched>,
    edges: Vec<(Place, Place)>,
    /// Title, type, and the group around it.
    groups: Vec<(String, String, Option<usize>)>,
    /// Which blocks a tensor comes from: none for constants.
    sources: HashMap<usize, Vec<Place>>,
    /// Variables that a block has counted.
    counted: HashSet<u64>,
    /// The name of the first layer of this type with these variables.
    first_use: HashMap<(&'static str, Vec<u64>), String>,
}

struct Sketched {
    block: Block,
    group: Option<usize>,
    /// The operations of a block that is no layer, and the shape that comes out.
    operations: Option<(Vec<String>, String)>,
}

/// A part of a model: at which depth, in which group, and inside which layer.
#[derive(Clone, Copy)]
struct Level<'a> {
    depth: usize,
    group: Option<usize>,
    inside: Option<&'a Arc<Application>>,
}

impl Sketch {
    fn of(inputs: &[Tensor], outputs: &[(Arc<str>, Tensor)], depth: usize) -> Diagram {
        let mut sketch = Sketch::default();
        for input in inputs {
            let name = match input.op() {
                Op::Input(name) => name.to_string(),
                op => op.name(),
            };
            let block = Block::new(name).kind("input").line(shape(input)).role(Role::Input);
            let place = sketch.add(block, None);
            sketch.sources.insert(input.address(), vec![place]);
        }
        let tensors: Vec<Tensor> = outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        // A model that was applied as a whole is the page itself, not a frame on it.
        let whole = tensors[0].origin().map(|origin| origin.application.clone());
        let whole =
            whole.filter(|whole| tensors.iter().all(|t| is_of(t, whole)) && has_layers(&tensors, whole));
        let level = Level { depth, group: None, inside: whole.as_ref() };
        sketch.walk(&tensors, level);
        for (name, tensor) in outputs {
            // The only output needs no number.
            let is_nameless = outputs.len() == 1 && &**name == "output_0";
            let block = if is_nameless { Block::new("output") } else { Block::new(&**name).kind("output") };
            let place = sketch.add(block.role(Role::Output), None);
            sketch.connect(std::slice::from_ref(tensor), place);
        }
        sketch.join_operations();
        sketch.finish()
    }

    fn add(&mut self, block: Block, group: Option<usize>) -> Place {
        self.blocks.push(Sketched { block, group, operations: None });
        self.blocks.len() - 1
    }

    fn sources_of(&self, tensor: &Tensor) -> Vec<Place> {
        self.sources.get(&tensor.address()).cloned().unwrap_or_default()
    }

    fn connect(&mut self, from: &[Tensor], to: Place) {
        let places: Vec<Place> = from.iter().flat_map(|tensor| self.sources_of(tensor)).collect();
        for place in places {
            if !self.edges.contains(&(place, to)) {
                self.edges.push((place, to));
            }
        }
    }

    /// Adds what `outputs` are made of, as far as it is not there yet.
    fn walk(&mut self, outputs: &[Tensor], level: Level) {
        let order = self.in_order(outputs, level.inside);
        let mut given: HashMap<*const Application, Vec<Tensor>> = HashMap::new();
        for tensor in &order {
            if let Some(application) = applied(tensor, level.inside) {
                given.entry(Arc::as_ptr(application)).or_default().push(tensor.clone());
            }
        }
        for tensor in &order {
            if self.sources.contains_key(&tensor.address()) {
                continue;
            }
            match applied(tensor, level.inside) {
                Some(application) => {
                    let outputs = given.remove(&Arc::as_ptr(application)).unwrap_or_default();
                    self.add_layer(application, &outputs, level);
                }
                None => self.add_operation(tensor, level),
            }
        }
    }

    /// The tensors that are not there yet, each after what it is made of, layers as a whole.
    fn in_order(&self, outputs: &[Tensor], inside: Option<&Arc<Application>>) -> Vec<Tensor> {
        let (mut order, mut seen) = (Vec::new(), HashSet::new());
        let mut pending: Vec<(Tensor, bool)> = outputs.iter().rev().map(|t| (t.clone(), false)).collect();
        while let Some((tensor, is_left)) = pending.pop() {
            if is_left {
                order.push(tensor);
            } else if !self.sources.contains_key(&tensor.address()) && seen.insert(tensor.address()) {
                let parts = parts(&tensor, inside).to_vec();
                pending.push((tensor, true));
                pending.extend(parts.into_iter().rev().map(|part| (part, false)));
            }
        }
        order
    }

    fn add_operation(&mut self, tensor: &Tensor, level: Level) {
        let mut from: Vec<Place> =
            tensor.sources().iter().flat_map(|source| self.sources_of(source)).collect();
        from.dedup();
        let is_silent = tensor.op().is_identity() || matches!(tensor.op(), Op::Broadcast(_));
        if is_silent || from.is_empty() {
            self.sources.insert(tensor.address(), from);
            return;
        }
        let place = self.add(Block::default(), level.group);
        self.blocks[place].operations = Some((vec![operation(tensor)], shape(tensor)));
        self.connect(tensor.sources(), place);
        self.sources.insert(tensor.address(), vec![place]);
    }

    /// Adds a use of a layer that gives `outputs`: a block, or a frame with what is inside.
    fn add_layer(&mut self, application: &Arc<Application>, outputs: &[Tensor], level: Level) {
        let Some((name, module)) = layer_of(application) else { return };
        let from: Vec<Place> = application.inputs.iter().flat_map(|input| self.sources_of(input)).collect();
        // The input of a model that is used as a layer says nothing new.
        if module.kind() == "Input" {
            outputs.iter().for_each(|output| drop(self.sources.insert(output.address(), from.clone())));
            return;
        }
        let facts = Facts::of(module);
        let identity = (module.kind(), facts.variables.clone());
        let first_use = self.first_use.get(&identity).filter(|_| !facts.variables.is_empty()).cloned();
        if first_use.is_none() && level.depth > 0 && has_layers(outputs, application) {
            let group = self.groups.len();
            self.groups.push((name.to_owned(), module.kind().to_owned(), level.group));
            let inner = Level { depth: level.depth - 1, group: Some(group), inside: Some(application) };
            self.walk(outputs, inner);
            // Last, because a layer in it may have all of its variables.
            self.first_use.insert(identity, name.to_owned());
            return;
        }
        if first_use.is_none() {
            self.first_use.insert(identity, name.to_owned());
        }
        let shapes = |tensors: &[Tensor]| tensors.iter().map(shape).collect::<Vec<_>>().join(", ");
        let kind = if module.kind().is_empty() { "layer" } else { module.kind() };
        let kind =
            facts.detail.as_ref().map_or_else(|| kind.to_owned(), |detail| format!("{kind} · {detail}"));
        let flow = format!("{} → {}", shapes(&application.inputs), shapes(outputs));
        let block = Block::new(name).kind(kind).line(flow);
        let block = match first_use {
            Some(first) => block.line(format!("shares the weights of {first}")).dashed(),
            None => facts.counted(block, &mut self.counted),
        };
        let place = self.add(block, level.group);
        self.connect(&application.inputs, place);
        outputs.iter().for_each(|output| drop(self.sources.insert(output.address(), vec![place])));
    }

    /// Operations in a row, of which nobody else uses the ones in between, are one block.
    fn join_operations(&mut self) {
        for place in 0..self.blocks.len() {
            let mut before = self.edges.iter().filter(|edge| edge.1 == place);
            let (Some(&(first, _)), None) = (before.next(), before.next()) else { continue };
            let is_only = self.edges.iter().filter(|edge| edge.0 == first).count() == 1;
            if !is_only || self.blocks[first].group != self.blocks[place].group {
                continue;
            }
            let (Some((names, _)), Some(_)) =
                (&self.blocks[first].operations, &self.blocks[place].operations)
            else {
                continue;
            };
            let mut names = names.clone();
            self.edges.retain(|edge| *edge != (first, place));
            self.edges.iter_mut().filter(|edge| edge.1 == first).for_each(|edge| edge.1 = place);
            self.blocks[first].operations = Some((Vec::new(), String::new()));
            if let Some((own, _)) = &mut self.blocks[place].operations {
                names.append(own);
                *own = names;
            }
        }
    }

    fn finish(self) -> Diagram {
        let mut diagram = Diagram::new();
        let mut members: Vec<Vec<String>> = vec![Vec::new(); self.groups.len()];
        for (i, sketched) in self.blocks.into_iter().enumerate() {
            let block = match sketched.operations {
                Some((names, _)) if names.is_empty() => continue,
                Some((names, shape)) => {
                    let title = if names.len() > 4 {
                        format!("{} … {}", names[0], names[names.len() - 1])
                    } else {
                        names.join(" · ")
                    };
                    Block::new(title).line(shape).role(Role::Operation)
                }
                None => sketched.block,
            };
            diagram = diagram.block(i.to_string(), block);
            if let Some(group) = sketched.group {
                members[group].push(i.to_string());
            }
        }
        // Inner groups come after outer ones.
        for (i, (title, kind, outer)) in self.groups.into_iter().enumerate().rev() {
            if !members[i].is_empty() {
                if let Some(outer) = outer {
                    members[outer].push(format!("g{i}"));
                }
                diagram = diagram.group(format!("g{i}"), title, kind, members[i].clone());
            }
        }
        self.edges.iter().fold(diagram, |diagram, (from, to)| diagram.edge(from.to_string(), to.to_string()))
    }
}

/// What the block of a layer tells of its variables and settings.
struct Facts {
    variables: Vec<u64>,
    /// Identity, number of elements if it is known, whether it is trained.
    sizes: Vec<(u64, usize, bool)>,
    detail: Option<String>,
}

impl Facts {
    fn of(module: &dyn Module) -> Facts {
        let mut sizes = Vec::new();
        let mut tell = |_: &[String], found: Found| {
            if let Found::Variable(variable) = found {
                let elements = variable.shape().map_or(0, |shape| shape.iter().product());
                sizes.push((variable.id(), elements, variable.is_trainable()));
            }
        };
        let mut visitor = Visitor::new(&mut tell);
        module.visit(&mut visitor);
        let detail = module.detail().or_else(|| visitor.detail_of("activation").map(str::to_owned));
        Facts { variables: sizes.iter().map(|(id, ..)| *id).collect(), sizes, detail }
    }

    /// The block with the number of the variables that have not been counted yet.
    fn counted(&self, block: Block, counted: &mut HashSet<u64>) -> Block {
        let new: Vec<_> = self.sizes.iter().filter(|(id, ..)| counted.insert(*id)).collect();
        let total: usize = new.iter().map(|(_, elements, _)| elements).sum();
        let trained: usize =
            new.iter().filter(|(.., trained)| *trained).map(|(_, elements, _)| elements).sum();
        let block = if trained == 0 { block.role(Role::Fixed) } else { block };
        match (total, total - trained) {
            (0, _) => block,
            (1, 0) => block.line("1 parameter"),
            (_, 0) => block.line(format!("{} parameters", grouped(total))),
            (_, fixed) if fixed == total => block.line(format!("{} parameters, not trained", grouped(total))),
            (_, fixed) => {
                block.line(format!("{} parameters, {} not trained", grouped(total), grouped(fixed)))
            }
        }
    }
}

fn is_of(tensor: &Tensor, application: &Arc<Application>) -> bool {
    tensor.origin().is_some_and(|origin| Arc::ptr_eq(&origin.application, application))
}

/// The use of a layer that gave this tensor, seen from inside another one.
fn applied<'t>(tensor: &'t Tensor, inside: Option<&Arc<Application>>) -> Option<&'t Arc<Application>> {
    let application = &tensor.origin()?.application;
    inside.is_none_or(|inside| !Arc::ptr_eq(inside, application)).then_some(application)
}

/// What a tensor is made of, seen from inside a layer.
fn parts<'t>(tensor: &'t Tensor, inside: Option<&Arc<Application>>) -> &'t [Tensor] {
    applied(tensor, inside).map_or(tensor.sources(), |application| &application.inputs)
}

/// Whether a layer applies others in order to give `outputs`.
fn has_layers(outputs: &[Tensor], application: &Arc<Application>) -> bool {
    let mut seen: HashSet<usize> = application.inputs.iter().map(Tensor::address).collect();
    let mut pending: Vec<&Tensor> = outputs.iter().collect();
    while let Some(tensor) = pending.pop() {
        if seen.insert(tensor.address()) {
            let inner = applied(tensor, Some(application)).and_then(|inner| layer_of(inner));
            if inner.is_some_and(|(_, module)| module.kind() != "Input") {
                return true;
            }
            pending.extend(parts(tensor, Some(application)));
        }
    }
    false
}

/// `[batch, 784]`, with the element type if it is not the usual one.
fn shape(tensor: &Tensor) -> String {
    match tensor.dtype() {
        DType::F32 => tensor.shape().to_string(),
        dtype => format!("{} {dtype}", tensor.shape()),
    }
}

/// The name that users know an operation by.
fn operation(tensor: &Tensor) -> String {
    let name = tensor.op().name();
    if let (Op::Binary(Binary::Mul), [a, b]) = (tensor.op(), tensor.sources())
        && a.address() == b.address()
    {
        return "square".to_owned();
    }
    match name.as_str() {
        "sub" => "subtract".to_owned(),
        "mul" => "multiply".to_owned(),
        "div" => "divide".to_owned(),
        "dot" => "matmul".to_owned(),
        _ => name.strip_prefix("reduce_").unwrap_or(&name).replace('_', " "),
    }
}

/// `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let chunks: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    chunks.iter().map(|chunk| String::from_utf8_lossy(chunk)).collect::<Vec<_>>().join(",")
}
