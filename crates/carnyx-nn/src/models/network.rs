//! A layer of any type as a function from tensors to tensors: what is left of `L` once a model is compiled.

use crate::data::Data;
use crate::layer::{apply_at, input_name, own_name};
use crate::losses::{Objective, count, list};
use crate::{Forks, Layer, Module, Tree, Variables};
use carnyx_graph::{Error, Result, Tensor, Variable};
use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

type Copy = dyn Fn(&mut Forks) -> (Arc<dyn Any + Send + Sync>, Network) + Send + Sync;
type Forward = dyn Fn(&[Tensor], &'static Location<'static>) -> Vec<Tensor> + Send + Sync;

/// A layer without its types.
pub(crate) struct Network {
    forward: Box<Forward>,
    /// The layer as what it is made of: for files.
    pub(crate) module: Arc<dyn Module + Send + Sync>,
    /// How many inputs the layer takes; `None` for a list of any length.
    arity: Option<usize>,
    /// A copy of the layer, which may be taken back as what it is, and of this network around it.
    copy: Box<Copy>,
    /// The inputs as a drawing, where the layer knows them.
    pub(crate) drawing: Option<Vec<Tensor>>,
    pub(crate) variables: Vec<Variable>,
    /// Names of the outputs that the user gave.
    names: Vec<Arc<str>>,
    /// A mistake found when the layer was compiled, to be reported when it is used.
    mistake: Option<Error>,
}

impl Network {
    pub(crate) fn new<In: Tree, L: Layer<In> + 'static>(layer: Arc<L>) -> Network
    where
        L::Out: Tree,
    {
        // More tensors than a tuple or an array takes: what comes back tells how many it took.
        let many = vec![Tensor::scalar(0f32); 64];
        let taken = In::rebuild(&many).tensors().len();
        let (variables, mistake) = (layer.variables(), layer.name_variables().err());
        let drawing = layer.input().map(|input| input.tensors());
        let names = layer.output_names();
        let original = layer.clone();
        Network {
            module: layer.clone(),
            copy: Box::new(move |forks| {
                let copy = Arc::new(L::fork(&original, forks));
                (copy.clone(), Network::new::<In, L>(copy))
            }),
            forward: Box::new(move |inputs, site| {
                apply_at(&layer, &own_name(&layer).into(), site.into(), &In::rebuild(inputs)).tensors()
            }),
            arity: if taken < many.len() { Some(taken) } else { drawing.as_ref().map(Vec::len) },
            drawing,
            variables,
            names,
            mistake,
        }
    }

    /// A copy of the layer and of this network around it.
    pub(crate) fn fork(&self, forks: &mut Forks) -> (Arc<dyn Any + Send + Sync>, Network) {
        let (layer, mut network) = (self.copy)(forks);
        network.names.clone_from(&self.names);
        (layer, network)
    }

    pub(crate) fn name_outputs(&mut self, names: Vec<Arc<str>>) {
        self.names = names;
    }

    /// The outputs for the inputs, asked for by the user's line `site`.
    ///
    /// # Errors
    /// The first cause, if the layer cannot be applied to them.
    pub(crate) fn outputs(&self, inputs: &[Tensor], site: &'static Location<'static>) -> Result<Vec<Tensor>> {
        if let Some(arity) = self.arity
            && arity != inputs.len()
        {
            let (takes, has) = (count(arity, "input"), inputs.len());
            return Err(Error::new("data", format!("the model takes {takes}, the data has {has}"))
                .at(site)
                .help("give several inputs as a list: `([&a, &b], &y)`"));
        }
        let outputs = (self.forward)(inputs, site);
        outputs.iter().try_for_each(Tensor::check)?;
        // Layers say best what is wrong with their own names.
        if let Some(mistake) = &self.mistake {
            return Err(mistake.clone().at(site));
        }
        if outputs.is_empty() {
            return Err(Error::new("model", "the model gives no outputs"));
        }
        Ok(outputs)
    }

    /// `data` with named arrays put in the order of inputs and outputs, of which `objective` has losses for some.
    ///
    /// # Errors
    /// `name`, if a name is unknown, missing or given twice; `data`, if weights and targets do not belong together.
    pub(crate) fn ordered(
        &self,
        data: Data,
        objective: &Objective,
        site: &'static Location<'static>,
    ) -> Result<Data> {
        let drawing = self.drawing.iter().flatten().enumerate();
        let inputs: Vec<Arc<str>> = drawing.map(|(i, input)| input_name(i, input)).collect();
        let outputs = if self.names.is_empty() { vec!["output_0".into()] } else { self.names.clone() };
        // What is wrong with the losses is reported when they are traced.
        let terms = objective.resolve(&outputs).unwrap_or_default();
        let answered: Vec<Arc<str>> = terms.iter().map(|(output, _)| outputs[*output].clone()).collect();
        data.ordered(&inputs, &outputs, &answered).map_err(|error| error.at(site))
    }

    /// The names of the outputs: those that the user gave, or `output_0`, `output_1`, ….
    pub(crate) fn output_names(&self, outputs: usize) -> Result<Vec<Arc<str>>> {
        if self.names.is_empty() {
            return Ok((0..outputs).map(|i| format!("output_{i}").into()).collect());
        }
        if self.names.len() == outputs {
            return Ok(self.names.clone());
        }
        let names = self.names.len();
        Err(Error::new("model", format!("{} for {}", count(names, "name"), count(outputs, "output")))
            .note(format!("the names are {}", list(&self.names))))
    }
}
