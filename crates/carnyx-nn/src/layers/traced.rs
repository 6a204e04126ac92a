//! A layer that is known by what it computes, not by the program that describes it.

use crate::layer::input_name;
use crate::losses::count;
use crate::{Forks, Layer, Module, Variables, Visitor};
use carnyx_graph::op::Op;
use carnyx_graph::{Effect, Error, Facts, Mode, Result, Tensor, Variable, in_order, redraw, redraw_with};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What a layer computes, traced once for training and once for inference: how a layer of one's own is saved, and
/// what a program that does not have its type loads.
///
/// It predicts what the layer predicted, it can be trained on, frozen and copied, and nobody needs the Rust type of
/// the original. What a trace cannot hold is a structure that changes from call to call: random depth, a branch on a
/// value, recursion that depends on data.
///
/// # Shape
/// As of the layer that was traced; the batch may have any size.
///
/// # Example
/// ```standalone_crate
/// # extern crate carnyx_nn as carnyx;
/// use carnyx::{Apply, Dense, Layer, Module, Traced, Variables};
/// use carnyx_graph::Tensor;
///
/// /// A residual block.
/// #[derive(Module, Clone)]
/// struct Block { dense: Dense }
/// impl Layer for Block {
///     type Out = Tensor;
///     fn call(&self, x: &Tensor) -> Tensor {
///         x + self.dense.apply(x).relu()
///     }
/// }
///
/// let block = Block { dense: Dense::new(4) };
/// let traced = Traced::of(&block, &Tensor::input("x", [4]))?;
/// assert_eq!(traced.num_parameters(), 4 * 4 + 4);
/// let y = traced.apply(&vec![Tensor::input("x", [4])]);
/// assert_eq!(y[0].shape().to_string(), "[batch, 4]");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Traced {
    /// The type that was traced.
    pub(crate) kind: Arc<str>,
    pub(crate) training: Expression,
    pub(crate) inference: Expression,
    /// The variables with their paths in the layer.
    pub(crate) variables: Vec<(String, Variable)>,
    pub(crate) output_names: Vec<Arc<str>>,
}

/// Outputs, described on placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) outputs: Vec<Tensor>,
}

impl Traced {
    /// The trace of `layer` on inputs of these shapes and types.
    ///
    /// # Errors
    /// That of the layer, if it cannot be applied to them; `trace`, if it uses variables that are not its own.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let lambda = Lambda::new(|x| x.square() + 1.0);
    /// let traced = Traced::of(&lambda, &Tensor::input("x", [3]))?;
    /// assert_eq!(traced.apply(&vec![Tensor::input("x", [3])]).len(), 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn of<In: crate::Tree, L: Layer<In>>(layer: &L, inputs: &In) -> Result<Traced>
    where
        L::Out: crate::Tree,
    {
        use crate::Tree;
        layer.name_variables()?;
        let call = |inputs: &[Tensor]| -> Result<Vec<Tensor>> {
            let outputs = layer.call(&In::rebuild(inputs)).tensors();
            outputs.iter().try_for_each(Tensor::check)?;
            Ok(outputs)
        };
        Traced::of_call(layer, &layer.output_names(), &call, &inputs.tensors())
    }

    /// The trace of a function, which uses the variables of `module`.
    pub(crate) fn of_call(
        module: &(impl Module + ?Sized),
        output_names: &[Arc<str>],
        call: &dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>,
        inputs: &[Tensor],
    ) -> Result<Traced> {
        let trace = |mode: Mode| -> Result<Expression> {
            let placeholder = |(i, input): (usize, &Tensor)| -> Result<Tensor> {
                Ok(Tensor::placeholder(&input_name(i, input), input.facts()?.clone(), mode))
            };
            let inputs: Vec<Tensor> = inputs.iter().enumerate().map(placeholder).collect::<Result<_>>()?;
            let outputs = call(&inputs)?;
            Ok(Expression { inputs, outputs })
        };
        // Inference first: it is what must be right if the layer takes random decisions in training.
        let (inference, training) = (trace(Mode::Inference)?, trace(Mode::Training)?);
        let variables = module.named_variables();
        let known: HashSet<u64> = variables.iter().map(|(_, variable)| variable.id()).collect();
        for variable in [&training, &inference].into_iter().flat_map(Expression::variables) {
            if !known.contains(&variable.id()) {
                return Err(Error::new("trace", format!("{variable:?} is not among the layer's variables"))
                    .help("make it a field of the layer, so that `#[derive(Module)]` finds it"));
            }
        }
        let kind = if module.kind().is_empty() { "Layer" } else { module.kind() };
        Ok(Traced { kind: kind.into(), training, inference, variables, output_names: output_names.to_vec() })
    }

    fn draw(&self, x: &[Tensor]) -> Result<Vec<Tensor>> {
        let mode = x.iter().map(Tensor::mode).max().unwrap_or(Mode::Constant);
        let Expression { inputs, outputs } =
            if mode == Mode::Training { &self.training } else { &self.inference };
        if inputs.len() != x.len() {
            let (takes, gets) = (count(inputs.len(), "input"), x.len());
            return Err(Error::new("model", format!("the layer takes {takes} and gets {gets}")));
        }
        for (old, new) in inputs.iter().zip(x) {
            let (stated, given) = (old.facts()?, new.facts()?);
            let fits = stated.dtype == given.dtype
                && stated.shape.len() == given.shape.len()
                && stated.shape.iter().zip(given.shape.iter()).all(|(a, b)| a.fixed().is_none() || a == b);
            if !fits {
                let (was, is) = (describe(stated), describe(given));
                return Err(Error::new("shape", format!("a layer that was traced on {was} gets {is}"))
                    .help("a trace keeps the shapes that it was made with, but for the batch"));
            }
        }
        let replaced: Vec<(Tensor, Tensor)> = inputs.iter().cloned().zip(x.iter().cloned()).collect();
        redraw(outputs, &replaced, &mut |_, _| Vec::new())
    }
}

fn describe(facts: &Facts) -> String {
    format!("{}{}", facts.dtype, facts.shape)
}

impl Expression {
    /// The variables that are read or updated, each once.
    pub(crate) fn variables(&self) -> Vec<Variable> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for tensor in in_order(&self.outputs) {
            let updated = tensor.effects().iter().filter_map(|effect| match effect {
                Effect::Update(variable, _) => Some(variable.clone()),
                Effect::Loss(_) | Effect::Mask(_) => None,
            });
            let read = match tensor.op() {
                Op::Read(variable) => Some(variable.clone()),
                _ => None,
            };
            found.extend(updated.chain(read).filter(|variable| seen.insert(variable.id())));
        }
        found
    }

    /// The same with other variables.
    fn with_variables(&self, of: &BTreeMap<u64, Variable>) -> Expression {
        let kept: Vec<(Tensor, Tensor)> =
            self.inputs.iter().map(|input| (input.clone(), input.clone())).collect();
        let drawn = redraw_with(&self.outputs, &kept, of, &mut |_, _| Vec::new());
        Expression {
            inputs: self.inputs.clone(),
            outputs: drawn.expect("what was described once can be described again"),
        }
    }
}

impl Module for Traced {
    fn visit(&self, visitor: &mut Visitor) {
        for (path, variable) in &self.variables {
            visitor.at(path, variable);
        }
    }

    fn kind(&self) -> &'static str {
        "Traced"
    }

    fn config(&self) -> Option<crate::Config> {
        Some(crate::saving::traced_config(self))
    }

    fn fork(&self, forks: &mut Forks) -> Traced {
        let copy = |(path, variable): &(String, Variable)| (path.clone(), forks.variable(variable));
        let variables: Vec<(String, Variable)> = self.variables.iter().map(copy).collect();
        let old = self.variables.iter().map(|(_, variable)| variable.id());
        let of: BTreeMap<u64, Variable> = old.zip(variables.iter().map(|(_, copy)| copy.clone())).collect();
        Traced {
            kind: self.kind.clone(),
            training: self.training.with_variables(&of),
            inference: self.inference.with_variables(&of),
            variables,
            output_names: self.output_names.clone(),
        }
    }
}

impl Layer<Vec<Tensor>> for Traced {
    type Out = Vec<Tensor>;

    fn call(&self, x: &Vec<Tensor>) -> Vec<Tensor> {
        match self.draw(x) {
            Ok(outputs) => outputs,
            Err(error) => vec![Tensor::invalid(error); self.inference.outputs.len()],
        }
    }

    fn input(&self) -> Option<Vec<Tensor>> {
        let drawing = |(i, tensor): (usize, &Tensor)| {
            let name = input_name(i, tensor);
            tensor.facts().ok().map(|facts| Tensor::placeholder(&name, facts.clone(), Mode::Blueprint))
        };
        self.inference.inputs.iter().enumerate().map(drawing).collect()
    }

    fn output_names(&self) -> Vec<Arc<str>> {
        self.output_names.clone()
    }
}
