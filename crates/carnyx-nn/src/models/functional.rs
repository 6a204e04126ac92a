//! Models drawn with tensors: layers applied to inputs, outputs collected at the end.
//!
//! A drawing is an expression that begins with [`Tensor::input`]. It remembers which layer gave each tensor, so that
//! a model of it can be described on other tensors, in training or in inference, by applying the layers again; what
//! is computed between layers is repeated. Invariant: a [`Functional`] is complete (its outputs depend on its inputs
//! and on nothing else that a run would have to be given), and its layers have names of their own.

mod ends;

pub use ends::{DrawnInputs, DrawnOutputs};

use crate::layer::{DrawnLayer, apply_at, free_name, input_name};
use crate::layers::Input;
use crate::losses::list;
use crate::module::Identity;
use crate::{Forks, Layer, Module, Tree, Visitor};
use carnyx_graph::op::Op;
use carnyx_graph::{
    Application, Dim, Error, Mode, Result, Site, Tensor, Variable, in_order, in_order_from, redraw,
    redraw_with,
};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

/// A model drawn with tensors: several inputs and outputs, branches, shared layers.
///
/// Draw with [`Tensor::input`] and [`apply`](crate::Apply::apply), then say which tensors are inputs and outputs. Any
/// operation on tensors may stand between the layers. A layer that is applied twice has its variables once. The
/// result is a layer like any other: of one tensor where one was given, of a list where a list was.
///
/// # Example
/// ```
/// use carnyx_graph::{Tensor, concat};
/// use carnyx_nn::{Apply, Dense, Functional, Module, Relu, Variables};
///
/// let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
/// let hidden = Dense::new(30).activation(Relu).apply(&deep);
/// let hidden = Dense::new(30).activation(Relu).named("hidden").apply(&hidden);
/// let main = Dense::new(1).apply(&concat([&wide, &hidden], -1));
/// let aux = Dense::new(1).apply(&hidden);
/// let net = Functional::new([&wide, &deep], [("main", &main), ("aux", &aux)])?;
/// assert_eq!(net.num_parameters(), 6 * 30 + 30 + 30 * 30 + 30 + 35 + 1 + 30 + 1);
///
/// let features = net.until("hidden")?; // shares the weights
/// let outputs = features.apply(&vec![Tensor::input("deep", [6])]);
/// assert_eq!(outputs.shape().to_string(), "[batch, 30]");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Functional<In = Vec<Tensor>, Out = Vec<Tensor>> {
    drawing: Arc<Drawing>,
    types: PhantomData<fn(In) -> Out>,
}

/// A shared drawing: clones are the same model.
impl<In, Out> Clone for Functional<In, Out> {
    fn clone(&self) -> Self {
        Functional { drawing: self.drawing.clone(), types: PhantomData }
    }
}

impl<In, Out> fmt::Debug for Functional<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<&str> = self.drawing.places.iter().map(|place| &*place.name).collect();
        f.debug_struct("Functional").field("layers", &names).finish()
    }
}

struct Drawing {
    inputs: Vec<Tensor>,
    outputs: Vec<(Arc<str>, Tensor)>,
    places: Vec<Place>,
    /// The place of the layer of each application, by its address.
    place_of: HashMap<usize, usize>,
}

/// A layer of a drawing.
struct Place {
    name: Arc<str>,
    node: Node,
    /// What came out when it was applied first.
    outputs: Vec<Tensor>,
}

enum Node {
    Input(Input),
    /// A variable that is used without a layer around it.
    Variable(Variable),
    Layer(Arc<DrawnLayer>),
}

impl Place {
    fn module(&self) -> &dyn Module {
        match &self.node {
            Node::Input(input) => input,
            Node::Variable(variable) => variable,
            Node::Layer(layer) => &*layer.module,
        }
    }
}

/// The identity of a use of a layer; the drawing keeps it alive.
fn address(application: &Arc<Application>) -> usize {
    Arc::as_ptr(application) as usize
}

impl<In: Tree, Out: Tree> Functional<In, Out> {
    /// The model whose `outputs` have been drawn from `inputs`.
    ///
    /// # Errors
    /// That of an invalid output; `model`, if an output depends on an input that is not listed, if an input leads
    /// to no output, or if something is listed twice; `name`, if two different layers were given one name.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let (a, b) = (Tensor::input("a", [3]), Tensor::input("b", [3]));
    /// assert!(Functional::new([&a, &b], &(&a + &b)).is_ok());
    /// assert_eq!(Functional::new(&a, &(&a + &b)).unwrap_err().title(), "an output depends on the input `b`");
    /// ```
    #[track_caller]
    pub fn new<I, O>(inputs: I, outputs: O) -> Result<Functional<In, Out>>
    where
        I: DrawnInputs<Tree = In>,
        O: DrawnOutputs<Tree = Out>,
    {
        let site = Location::caller();
        let drawing =
            Drawing::new(inputs.tensors(), outputs.named()).map_err(|error| located(error, site))?;
        Ok(Functional { drawing: Arc::new(drawing), types: PhantomData })
    }

    /// Any layer, drawn: what it applies inside becomes the layers of a functional model that shares its weights.
    ///
    /// # Errors
    /// As for [`new`](Functional::new).
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Dense, Functional, Relu, Sequential};
    /// let net = Sequential::new().then(Dense::new(8).activation(Relu)).then(Dense::new(1));
    /// let drawn = Functional::of(&net, &Tensor::input("x", [4]))?;
    /// assert_eq!(drawn.names().collect::<Vec<_>>(), ["x", "dense", "dense_1"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of<L: Layer<In, Out = Out>>(layer: &L, inputs: &In) -> Result<Functional<In, Out>> {
        let site = Location::caller();
        let names = layer.output_names();
        let outputs = layer.call(inputs).tensors();
        let outputs = outputs.into_iter().enumerate().map(|(i, tensor)| (names.get(i).cloned(), tensor));
        let drawing =
            Drawing::new(inputs.tensors(), outputs.collect()).map_err(|error| located(error, site))?;
        Ok(Functional { drawing: Arc::new(drawing), types: PhantomData })
    }

    /// The model up to the layer `name`: from the same inputs to what that layer gives where it is applied first.
    /// It shares the weights. Of a list of inputs, those stay that the layer depends on.
    ///
    /// # Errors
    /// `name`, if there is no such layer; `output`, if it gives several tensors.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// assert_eq!(net.until("dense")?.outputs()[0].1.shape().to_string(), "[batch, 8]");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn until(&self, name: &str) -> Result<Functional<In, Tensor>> {
        let site = Location::caller();
        let output = self.tensor(name).map_err(|error| located(error, site))?;
        let needed: Vec<usize> = in_order(std::slice::from_ref(output)).iter().map(Tensor::address).collect();
        let inputs = self.drawing.inputs.iter().filter(|input| needed.contains(&input.address()));
        let outputs = vec![(None, output.clone())];
        let drawing =
            Drawing::new(inputs.cloned().collect(), outputs).map_err(|error| located(error, site))?;
        Ok(Functional { drawing: Arc::new(drawing), types: PhantomData })
    }

    /// What the layer `name` gives in the drawing, where it is applied first: to be an output of another model.
    ///
    /// # Errors
    /// `name`, if there is no such layer; `output`, if it gives several tensors.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// let head = Functional::new(&x, &Dense::new(3).apply(net.tensor("dense")?))?;
    /// assert_eq!(head.names().last(), Some("dense_1"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        match &self.place(name)?.outputs[..] {
            [output] => Ok(output),
            outputs => {
                Err(Error::new("output", format!("the layer `{name}` gives {} tensors", outputs.len()))
                    .help("apply it in a drawing of your own, and take the one that you need"))
            }
        }
    }

    /// The layers with their names, each after those that it depends on; inputs are layers too.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// assert_eq!(net.layers().map(|(_, layer)| layer.kind()).collect::<Vec<_>>(), ["Input", "Dense", "Dense"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn layers(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Module)> {
        self.drawing.places.iter().map(|place| (&*place.name, place.module()))
    }

    /// The names of the layers, in the same order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// assert_eq!(net.names().collect::<Vec<_>>(), ["x", "dense", "dense_1"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.drawing.places.iter().map(|place| &*place.name)
    }

    /// The layer called `name`.
    ///
    /// # Errors
    /// `name`, if there is no such layer.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// net.layer("dense")?.freeze();
    /// assert_eq!(net.trainable().len(), 2);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn layer(&self, name: &str) -> Result<&dyn Module> {
        self.place(name).map(Place::module)
    }

    /// The inputs of the drawing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// assert_eq!(net.inputs().len(), 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn inputs(&self) -> &[Tensor] {
        &self.drawing.inputs
    }

    /// The outputs of the drawing with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = Dense::new(8).activation(Relu).apply(&x);
    /// let net = Functional::new(&x, ("score", &Dense::new(1).apply(&hidden)))?;
    /// assert_eq!(&*net.outputs()[0].0, "score");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn outputs(&self) -> &[(Arc<str>, Tensor)] {
        &self.drawing.outputs
    }

    fn place(&self, name: &str) -> Result<&Place> {
        self.drawing.places.iter().find(|place| &*place.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::new("name", format!("there is no layer `{name}`")).suggest(name, &names)
        })
    }
}

/// An error of the drawing as a whole points to where the model was made of it.
fn located(error: Error, site: &'static Location<'static>) -> Error {
    if error.site().is_some() { error } else { error.at(Site::from(site)) }
}

impl Drawing {
    fn new(inputs: Vec<Tensor>, outputs: Vec<(Option<Arc<str>>, Tensor)>) -> Result<Drawing> {
        let tensors: Vec<Tensor> = outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        inputs.iter().chain(&tensors).try_for_each(Tensor::check)?;
        if inputs.is_empty() || outputs.is_empty() {
            let what = if inputs.is_empty() { "inputs" } else { "outputs" };
            return Err(Error::new("model", format!("a functional model without {what}")));
        }
        let mut drawing =
            Drawing { inputs, outputs: Vec::new(), places: Vec::new(), place_of: HashMap::new() };
        drawing.find_layers(&tensors)?;
        drawing.name_outputs(outputs)?;
        Ok(drawing)
    }

    /// Finds the layers, and whether the inputs are the right ones.
    fn find_layers(&mut self, outputs: &[Tensor]) -> Result {
        let input_at: HashMap<usize, usize> =
            self.inputs.iter().enumerate().map(|(i, input)| (input.address(), i)).collect();
        if input_at.len() < self.inputs.len() {
            return Err(Error::new("model", "an input is listed twice"));
        }
        let mut met = vec![false; self.inputs.len()];
        let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
        for tensor in self.in_order(outputs) {
            if let Some(&input) = input_at.get(&tensor.address()) {
                met[input] = true;
                self.add_input(&tensor, input)?;
            } else if let Some(origin) = tensor.origin() {
                let application = &origin.application;
                if self.place_of.contains_key(&address(application)) {
                    continue;
                }
                let Ok(layer) = application.layer.clone().downcast::<DrawnLayer>() else {
                    return Err(Error::new("model", "a layer of this drawing is not one of this library"));
                };
                let identity = layer.module.identity();
                let place = match known.get(&identity).filter(|_| !identity.is_empty()) {
                    Some(&place) => place,
                    None => self.add_layer(layer)?,
                };
                known.insert(identity, place);
                self.place_of.insert(address(application), place);
            } else if let Op::Read(variable) = tensor.op() {
                self.add_variable(variable);
            } else if let Op::Input(name) = tensor.op() {
                let inputs: Vec<Arc<str>> = self.inputs.iter().map(shown_name).collect();
                return Err(Error::new("model", format!("an output depends on the input `{name}`"))
                    .at(tensor.site())
                    .label("which is not among the model's inputs")
                    .note(format!("the inputs are {}", list(&inputs)))
                    .help("list it among the inputs too"));
            }
            if let Some(origin) = tensor.origin()
                && let Some(&place) = self.place_of.get(&address(&origin.application))
            {
                // The outputs of the first use, as far as they are used.
                let outputs = &mut self.places[place].outputs;
                if outputs.len() == origin.output && !input_at.contains_key(&tensor.address()) {
                    outputs.push(tensor.clone());
                }
            }
        }
        match met.iter().position(|met| !met) {
            Some(missing) => {
                let name = shown_name(&self.inputs[missing]);
                Err(Error::new("model", format!("the input `{name}` leads to no output"))
                    .at(self.inputs[missing].site())
                    .label("nothing that is listed as an output depends on it")
                    .help("leave it out of the inputs, or list what is computed from it"))
            }
            None => Ok(()),
        }
    }

    /// The tensors between inputs and outputs, each after those that it is made of.
    fn in_order(&self, outputs: &[Tensor]) -> Vec<Tensor> {
        // An input in the middle of a larger drawing hides what it is made of.
        let is_input = |tensor: &Tensor| self.inputs.iter().any(|input| input.address() == tensor.address());
        in_order_from(outputs, &is_input)
    }

    fn add_input(&mut self, tensor: &Tensor, index: usize) -> Result {
        let name = input_name(index, tensor);
        if self.places.iter().any(|place| place.name == name) {
            return Err(Error::new("name", format!("two inputs or layers are named `{name}`"))
                .at(tensor.site())
                .label("this name is taken")
                .help("give each input a name of its own: `Tensor::input(\"wide\", [5])`"));
        }
        let sizes: Option<Vec<usize>> = tensor.shape().iter().skip(1).map(|dim| dim.fixed()).collect();
        let node = Node::Input(Input::new(sizes.unwrap_or_default()));
        self.places.push(Place { name, node, outputs: vec![tensor.clone()] });
        Ok(())
    }

    fn add_variable(&mut self, variable: &Variable) {
        let is_same =
            |place: &Place| matches!(&place.node, Node::Variable(other) if other.id() == variable.id());
        if !self.places.iter().any(is_same) {
            let name = self.free_name("variable");
            self.places.push(Place { name, node: Node::Variable(variable.clone()), outputs: Vec::new() });
        }
    }

    /// `dense`, `dense_1`, …: the first that is not taken.
    fn free_name(&self, base: &str) -> Arc<str> {
        free_name(base, |name| self.places.iter().any(|place| &*place.name == name)).into()
    }

    fn add_layer(&mut self, layer: Arc<DrawnLayer>) -> Result<usize> {
        let is_free = |name: &str| !self.places.iter().any(|place| &*place.name == name);
        let name = match layer.module.name() {
            Some(name) if is_free(name) => name.into(),
            Some(name) => {
                return Err(Error::new("name", format!("two layers are named `{name}`"))
                    .at(layer.site.clone())
                    .label("this name is taken by a layer before")
                    .help("give one of them another name with `.named(\"…\")`"));
            }
            None => self.free_name(&layer.name),
        };
        self.places.push(Place { name, node: Node::Layer(layer), outputs: Vec::new() });
        Ok(self.places.len() - 1)
    }

    /// Outputs without a name are called after their layers.
    fn name_outputs(&mut self, outputs: Vec<(Option<Arc<str>>, Tensor)>) -> Result {
        for (i, (name, tensor)) in outputs.into_iter().enumerate() {
            let layer = tensor.origin().and_then(|origin| self.place_of.get(&address(&origin.application)));
            let is_free = |name: &Arc<str>| !self.outputs.iter().any(|(other, _)| other == name);
            let of_layer = || layer.map(|&place| self.places[place].name.clone()).filter(is_free);
            let name = match name {
                Some(name) if !is_free(&name) => {
                    return Err(Error::new("name", format!("two outputs are named `{name}`")));
                }
                Some(name) => name,
                None => of_layer().unwrap_or_else(|| format!("output_{i}").into()),
            };
            self.outputs.push((name, tensor));
        }
        Ok(())
    }

    /// The same drawing with layers of its own.
    fn fork(&self, forks: &mut Forks) -> Drawing {
        let layers: Vec<Option<Arc<DrawnLayer>>> = self
            .places
            .iter()
            .map(|place| match &place.node {
                Node::Layer(layer) => Some(Arc::new(layer.fork(forks, &place.name))),
                Node::Input(_) | Node::Variable(_) => None,
            })
            .collect();
        let inputs: Vec<Tensor> = self.inputs.iter().map(drawn_again).collect();
        let replaced: Vec<(Tensor, Tensor)> = self.inputs.iter().cloned().zip(inputs.clone()).collect();
        let outputs: Vec<Tensor> = self.outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        let own = self.places.iter().filter_map(|place| match &place.node {
            Node::Variable(variable) => Some((variable.id(), forks.variable(variable))),
            Node::Input(_) | Node::Layer(_) => None,
        });
        let own: BTreeMap<u64, Variable> = own.collect();
        let drawn = redraw_with(&outputs, &replaced, &own, &mut |application, inputs| {
            let place = self.place_of[&address(application)];
            layers[place]
                .as_ref()
                .map_or_else(Vec::new, |layer| layer.apply(&self.places[place].name, inputs))
        });
        let names = self.outputs.iter().map(|(name, _)| Some(name.clone()));
        let drawing = drawn.and_then(|outputs| Drawing::new(inputs, names.zip(outputs).collect()));
        drawing.expect("what was drawn once can be drawn again")
    }

    /// The outputs for other inputs.
    fn redraw(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let mut replaced = Vec::with_capacity(inputs.len());
        for (old, new) in self.inputs.iter().zip(inputs) {
            let place = self
                .places
                .iter()
                .find(|place| place.outputs.first().is_some_and(|tensor| tensor.address() == old.address()));
            let new = match place {
                // The layer says what is wrong with the shape.
                Some(Place { name, node: Node::Input(input), .. }) if is_batch(old) => {
                    apply_at(input, name, old.site().into(), new)
                }
                _ => new.clone(),
            };
            new.check()?;
            replaced.push((old.clone(), new));
        }
        let outputs: Vec<Tensor> = self.outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        redraw(&outputs, &replaced, &mut |application, inputs| {
            let place = &self.places[self.place_of[&address(application)]];
            match (&place.node, application.layer.downcast_ref::<DrawnLayer>()) {
                (Node::Layer(_), Some(layer)) => layer.apply(&place.name, inputs),
                _ => Vec::new(),
            }
        })
    }
}

/// What messages and new drawings call an input, which may lie in the middle of a larger drawing.
fn shown_name(tensor: &Tensor) -> Arc<str> {
    match tensor.op() {
        Op::Input(name) => name.clone(),
        op => op.name().into(),
    }
}

/// A placeholder like an input of a drawing.
fn drawn_again(input: &Tensor) -> Tensor {
    match input.facts() {
        Ok(facts) => Tensor::placeholder(&shown_name(input), facts.clone(), Mode::Blueprint),
        Err(error) => Tensor::invalid(error),
    }
}

/// Whether the first axis is the batch and the others are known.
fn is_batch(tensor: &Tensor) -> bool {
    let shape = tensor.shape();
    matches!(shape.split_first(), Some((Dim::Symbol(_), rest)) if rest.iter().all(|dim| dim.fixed().is_some()))
}

impl<In, Out> Module for Functional<In, Out> {
    fn fork(&self, forks: &mut Forks) -> Functional<In, Out> {
        Functional { drawing: Arc::new(self.drawing.fork(forks)), types: PhantomData }
    }

    fn visit(&self, visitor: &mut Visitor) {
        for place in &self.drawing.places {
            visitor.field(&place.name, place.module());
        }
    }

    fn kind(&self) -> &'static str {
        "Functional"
    }

    fn config(&self) -> Option<crate::Config> {
        let outputs: Vec<Tensor> = self.drawing.outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
        let name = |application: &Arc<Application>| {
            let place = self.drawing.place_of.get(&address(application));
            place.map(|&place| self.drawing.places[place].name.clone())
        };
        Some(crate::saving::drawing_config(&self.drawing.inputs, &outputs, &name))
    }
}

impl<In: Tree, Out: Tree> Layer<In> for Functional<In, Out> {
    type Out = Out;

    fn call(&self, x: &In) -> Out {
        let (inputs, wanted) = (x.tensors(), self.drawing.inputs.len());
        let drawn = if inputs.len() == wanted {
            self.drawing.redraw(&inputs)
        } else {
            let (takes, has) = (crate::losses::count(wanted, "input"), inputs.len());
            let names: Vec<Arc<str>> = self.drawing.inputs.iter().map(shown_name).collect();
            Err(Error::new("model", format!("the model takes {takes} and gets {has}"))
                .note(format!("the inputs are {}", list(&names))))
        };
        match drawn {
            Ok(outputs) => Out::rebuild(&outputs),
            Err(error) => {
                let invalid = Tensor::invalid(error);
                Out::rebuild(&vec![invalid; self.drawing.outputs.len()])
            }
        }
    }

    fn input(&self) -> Option<In> {
        let is_whole = self.drawing.inputs.iter().all(|input| matches!(input.op(), Op::Input(_)));
        let inputs = || self.drawing.inputs.iter().map(drawn_again).collect::<Vec<_>>();
        is_whole.then(|| In::rebuild(&inputs()))
    }

    fn output_names(&self) -> Vec<Arc<str>> {
        self.drawing.outputs.iter().map(|(name, _)| name.clone()).collect()
    }
}
