//! What happens inside a model: units that never act or never change, inputs of any size, kernels of equal units.
//!
//! The outputs, described on a sample, are walked back to the inputs. What is asked of the tensors found on the way is
//! computed by one program. Outputs themselves are no hidden units: a sigmoid that is sure of itself is no illness.

use super::Finding;
use carnyx_graph::op::{Binary, Op, Scope, Unary};
use carnyx_graph::{Array, DType, Result, Tensor, Variable, concat};
use carnyx_nn::{Diversity, Eval};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Some dead units are usual, and do no harm; where so many are, a layer lacks room.
const MANY_DEAD: f64 = 0.3;

/// As long as half of the units of a layer change, gradients pass through it.
const MANY_SATURATED: f64 = 0.5;

/// How far from its limit a saturated unit is, as a part of its range: its slope is then below 8 % of its greatest.
const AT_LIMIT: f64 = 0.02;

/// A unit is saturated if it is at its limits for more than this part of the samples.
const NEARLY_ALL: f64 = 0.95;

/// First weights are drawn for inputs whose squares are 1 in the mean. Ten times that size makes sums that saturate units
/// and gradients a hundred times as steep.
const LARGE: f64 = 10.0;

/// Inputs that are all so small hardly move the sums of the first layer.
const SMALL: f64 = 0.01;

pub(super) struct Inside {
    units: Vec<Units>,
    inputs: Vec<Inputs>,
    kernels: Vec<Kernel>,
}

/// The units behind an activation.
struct Units {
    layer: String,
    activation: Activation,
    samples: usize,
    /// For each unit: the greatest value of a ReLU, or how often another activation is at its limits.
    measured: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activation {
    Relu,
    Sigmoid,
    Tanh,
}

/// What comes to a layer before which nothing is trained.
struct Inputs {
    layer: String,
    means: Vec<f64>,
    squares: Vec<f64>,
}

/// The kernel of a hidden layer.
struct Kernel {
    path: String,
    value: Array,
}

impl Inside {
    pub(super) fn of(outputs: &[Tensor]) -> Result<Inside> {
        let walk = Walk::of(outputs);
        let ends: HashSet<usize> = outputs.iter().map(|output| behind(output).address()).collect();
        let mut questions: Vec<Tensor> = Vec::new();
        let mut found: Vec<(String, Activation, usize, usize)> = Vec::new();
        let mut entered: Vec<(String, usize)> = Vec::new();
        for place in &walk.places {
            let tensor = &place.tensor;
            let is_hidden = walk.is_at_border(tensor) && !ends.contains(&tensor.address());
            if let Some(activation) = activation_of(tensor).filter(|_| is_hidden) {
                let samples = tensor.dim(0);
                found.push((place.layer(), activation, samples, tensor.dim(-1)));
                questions.push(activation.measure(tensor));
            }
        }
        for product in walk.products().filter(|product| !walk.is_trained(&product.input)) {
            entered.push((product.layer.clone(), product.input.dim(-1)));
            let x = product.input.cast(DType::F32);
            let rows = rows_of(&x);
            questions.extend([x.mean_along(rows.clone()), x.square().mean_along(rows)]);
        }
        let answers =
            if questions.is_empty() { Vec::new() } else { concat(&questions, 0).eval()?.to_vec::<f64>() };
        let mut answers = answers.into_iter();
        let mut next = |count: usize| answers.by_ref().take(count).collect::<Vec<f64>>();
        let units = found
            .into_iter()
            .map(|(layer, activation, samples, units)| Units {
                layer,
                activation,
                samples,
                measured: next(units),
            })
            .collect();
        let inputs = entered
            .into_iter()
            .map(|(layer, features)| Inputs { layer, means: next(features), squares: next(features) })
            .collect();
        Ok(Inside { units, inputs, kernels: walk.hidden_kernels()? })
    }

    /// Layers with many dead or saturated units; `start` is the same model with its first weights.
    pub(super) fn idle_units(&self, start: &Inside) -> Vec<Finding> {
        self.units.iter().zip(&start.units).filter_map(|(units, start)| units.idle(start)).collect()
    }

    /// Whether any layer has as many dead or saturated units that one should look at its first weights.
    pub(super) fn has_idle_units(&self) -> bool {
        !self.idle_units(self).is_empty()
    }

    pub(super) fn unscaled_inputs(&self) -> Vec<Finding> {
        self.inputs.iter().filter_map(Inputs::unscaled).collect()
    }

    /// Hidden layers all of whose units are the same.
    pub(super) fn constant_layers(&self) -> Vec<Finding> {
        let constant = |kernel: &Kernel| {
            let diversity = Diversity::of(&kernel.value).ok()?;
            let units = diversity.units;
            (units > 1 && diversity.distinct == 1)
                .then(|| Finding::ConstantInitialization { kernel: kernel.path.clone(), units })
        };
        self.kernels.iter().filter_map(constant).collect()
    }
}

impl Activation {
    /// One number for each unit.
    fn measure(self, tensor: &Tensor) -> Tensor {
        let (x, rows) = (tensor.cast(DType::F32), rows_of(tensor));
        let is_at_limit = |low: f64, high: f64| {
            let margin = AT_LIMIT * (high - low);
            x.less(low + margin).select(x.ones_like(), x.greater(high - margin).cast(DType::F32))
        };
        match self {
            Activation::Relu => x.max_along(rows),
            Activation::Sigmoid => is_at_limit(0.0, 1.0).mean_along(rows),
            Activation::Tanh => is_at_limit(-1.0, 1.0).mean_along(rows),
        }
    }
}

impl Units {
    fn idle(&self, start: &Units) -> Option<Finding> {
        let (layer, units) = (self.layer.clone(), self.measured.len());
        let many = |count: usize, share: f64| count > 0 && count as f64 >= share * units as f64;
        let name = match self.activation {
            Activation::Relu => {
                let (dead, at_start) = (self.dead(), start.dead());
                let finding = Finding::DeadUnits { layer, dead, at_start, units, samples: self.samples };
                return many(dead, MANY_DEAD).then_some(finding);
            }
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
        };
        let saturated = self.measured.iter().filter(|share| **share > NEARLY_ALL).count();
        let finding = Finding::SaturatedUnits { layer, activation: name, saturated, units };
        many(saturated, MANY_SATURATED).then_some(finding)
    }
}

impl Units {
    /// How many give nothing for any sample.
    fn dead(&self) -> usize {
        self.measured.iter().filter(|greatest| **greatest <= 0.0).count()
    }
}

impl Inputs {
    fn unscaled(&self) -> Option<Finding> {
        let sizes: Vec<f64> = self.squares.iter().map(|square| square.max(0.0).sqrt()).collect();
        let largest = (0..sizes.len()).max_by(|&i, &j| sizes[i].total_cmp(&sizes[j]))?;
        let affected = match sizes[largest] {
            size if size > LARGE => sizes.iter().filter(|size| **size > LARGE).count(),
            size if size > 0.0 && size < SMALL => sizes.len(),
            _ => return None,
        };
        let mean = self.means[largest];
        Some(Finding::UnscaledInput {
            layer: self.layer.clone(),
            feature: largest,
            mean,
            deviation: (self.squares[largest] - mean * mean).max(0.0).sqrt(),
            affected,
            features: sizes.len(),
        })
    }
}

/// All axes but the last one.
fn rows_of(tensor: &Tensor) -> Vec<isize> {
    (0..tensor.rank() as isize - 1).collect()
}

/// The tensor whose value this is, behind borders of layers and changes of mode.
fn behind(tensor: &Tensor) -> &Tensor {
    let mut tensor = tensor;
    while let (Op::Scope(_) | Op::InMode, [source]) = (tensor.op(), tensor.sources()) {
        tensor = source;
    }
    tensor
}

/// Which activation gave this tensor, whose last axis is units.
fn activation_of(tensor: &Tensor) -> Option<Activation> {
    let is_float = tensor.rank() > 1 && tensor.dtype().is_float();
    match (tensor.op(), tensor.sources()) {
        (Op::Binary(Binary::Maximum), [_, floor]) if is_float && is_zero(floor) => Some(Activation::Relu),
        (Op::Unary(Unary::Sigmoid), _) if is_float => Some(Activation::Sigmoid),
        (Op::Unary(Unary::Tanh), _) if is_float => Some(Activation::Tanh),
        _ => None,
    }
}

fn is_zero(tensor: &Tensor) -> bool {
    match (tensor.op(), tensor.sources()) {
        (Op::Constant(array), _) => (0..array.len()).all(|i| array.element(i) == 0.0),
        (Op::Broadcast(_) | Op::Reshape(_) | Op::Cast(_), [source]) => is_zero(source),
        _ => false,
    }
}

/// A tensor and the layers that it lies in.
struct Place {
    tensor: Tensor,
    layers: Vec<Arc<str>>,
}

impl Place {
    /// The path of the layer, without the model around it.
    fn layer(&self) -> String {
        let inner = if self.layers.len() > 1 { &self.layers[1..] } else { &self.layers[..] };
        inner.iter().map(|name| &**name).collect::<Vec<_>>().join("/")
    }
}

/// A product of an input with a kernel that is trained.
struct Product {
    layer: String,
    input: Tensor,
    kernel: Variable,
}

/// All tensors behind some outputs, each before those that are made of it.
struct Walk {
    places: Vec<Place>,
    /// Whether a tensor depends on anything that is trained, by its address.
    trained: HashMap<usize, bool>,
    /// The addresses of tensors that flow into a layer or out of one.
    at_borders: HashSet<usize>,
}

impl Walk {
    fn of(outputs: &[Tensor]) -> Walk {
        let mut walk = Walk { places: Vec::new(), trained: HashMap::new(), at_borders: HashSet::new() };
        let mut seen: HashSet<usize> = HashSet::new();
        let mut pending: Vec<(Tensor, Vec<Arc<str>>, bool)> =
            outputs.iter().map(|output| (output.clone(), Vec::new(), false)).collect();
        while let Some((tensor, layers, is_done)) = pending.pop() {
            if is_done {
                walk.add(tensor, layers);
                continue;
            }
            if !seen.insert(tensor.address()) {
                continue;
            }
            // Backwards, a layer is entered where values leave it.
            let mut inner = layers.clone();
            match tensor.op() {
                Op::Scope(Scope::Leave(name)) => inner.push(name.clone()),
                Op::Scope(Scope::Enter(_)) => drop(inner.pop()),
                _ => {}
            }
            let sources: Vec<Tensor> = tensor.sources().to_vec();
            pending.push((tensor, layers, true));
            pending.extend(sources.into_iter().map(|source| (source, inner.clone(), false)));
        }
        walk
    }

    fn add(&mut self, tensor: Tensor, layers: Vec<Arc<str>>) {
        let reads = matches!(tensor.op(), Op::Read(variable) if variable.is_trainable());
        let is_trained = reads || tensor.sources().iter().any(|source| self.is_trained(source));
        self.trained.insert(tensor.address(), is_trained);
        if let (Op::Scope(_), [source]) = (tensor.op(), tensor.sources()) {
            self.at_borders.insert(source.address());
        }
        self.places.push(Place { tensor, layers });
    }

    fn is_trained(&self, tensor: &Tensor) -> bool {
        self.trained.get(&tensor.address()).copied().unwrap_or(false)
    }

    /// Whether a layer gives this tensor or is given it. Within a layer, a sigmoid may be a gate, as in `Silu`.
    fn is_at_border(&self, tensor: &Tensor) -> bool {
        self.at_borders.contains(&tensor.address())
    }

    fn products(&self) -> impl Iterator<Item = Product> {
        self.places.iter().filter_map(|place| match (place.tensor.op(), place.tensor.sources()) {
            (Op::Dot { .. }, [input, kernel]) if input.rank() > 1 => {
                let kernel = kernel_of(kernel)?;
                Some(Product { layer: place.layer(), input: input.clone(), kernel })
            }
            _ => None,
        })
    }

    /// The kernels of layers from which other layers with kernels learn.
    fn hidden_kernels(&self) -> Result<Vec<Kernel>> {
        let mut before: HashMap<usize, HashSet<u64>> = HashMap::new();
        let mut hidden: HashSet<u64> = HashSet::new();
        for place in &self.places {
            let tensor = &place.tensor;
            let mut kernels: HashSet<u64> = HashSet::new();
            for source in tensor.sources() {
                kernels.extend(before.get(&source.address()).into_iter().flatten());
            }
            if let (Op::Dot { .. }, [_, kernel]) = (tensor.op(), tensor.sources())
                && let Some(kernel) = kernel_of(kernel)
            {
                hidden.extend(kernels.iter().filter(|id| **id != kernel.id()));
                kernels.insert(kernel.id());
            }
            before.insert(tensor.address(), kernels);
        }
        let mut listed = HashSet::new();
        let products =
            self.products().filter(|p| hidden.contains(&p.kernel.id()) && listed.insert(p.kernel.id()));
        products
            .map(|product| {
                let path = product.kernel.path().map_or(product.layer, |path| path.to_string());
                Ok(Kernel { path, value: product.kernel.value()? })
            })
            .collect()
    }
}

/// The trained variable that a tensor is, in another shape or type perhaps.
fn kernel_of(tensor: &Tensor) -> Option<Variable> {
    match (tensor.op(), tensor.sources()) {
        (Op::Read(variable), _) => variable.is_trainable().then(|| variable.clone()),
        (
            Op::Reshape(_) | Op::Transpose(_) | Op::Cast(_) | Op::Broadcast(_) | Op::Scope(_) | Op::InMode,
            [source],
        ) => kernel_of(source),
        _ => None,
    }
}
