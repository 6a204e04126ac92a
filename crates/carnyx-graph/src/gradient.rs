//! Reverse-mode differentiation: a function from expressions to expressions.
//!
//! The table says, in the words of calculus, how the cotangent of a result becomes the cotangents of its operands.
//! Broadcasting is an operation of its own, so it is undone in one arm. The results are tensors like any other:
//! they can be printed, clipped, differentiated again.

use crate::op::{Binary, Op, Reduce, Unary};
use crate::{DType, Dim, Error, Result, Shape, Tensor, Variable};
use std::collections::{HashMap, HashSet};

/// The gradients of one number with respect to variables.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor, Variable};
/// let w = Variable::from(Array::from([1f32, 2.0]));
/// let gradients = Tensor::read(&w).square().sum().gradients(&[w.clone()]);
/// let slope = gradients.of(&w).unwrap(); // a tensor like any other: 2w
/// assert_eq!(slope.shape().to_string(), "[2]");
/// ```
#[derive(Clone, Debug)]
pub struct Gradients {
    pairs: Vec<(Variable, Tensor)>,
    /// The variables that no gradient reaches: theirs are zeros.
    unreached: HashSet<u64>,
    /// The walk: see [`cotangents`](Gradients::cotangents).
    walk: Vec<(Tensor, Tensor)>,
}

impl Gradients {
    /// Gradients from pairs of a variable and its gradient.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Gradients, Tensor, Variable};
    /// let w = Variable::from(Array::from([1f32, 2.0]));
    /// let gradients = Gradients::new(vec![(w.clone(), Tensor::read(&w) * 2.0)]); // by hand
    /// assert!(gradients.of(&w).is_some());
    /// ```
    pub fn new(pairs: Vec<(Variable, Tensor)>) -> Gradients {
        Gradients { pairs, unreached: HashSet::new(), walk: Vec::new() }
    }

    /// Each gradient changed by `change`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let w = Variable::from(Array::from([1.0f32, 2.0]));
    /// let loss = Tensor::read(&w).square().sum();
    /// let clipped = loss.gradients(&[w.clone()]).map(|g| g.clip(-1.0, 1.0));
    /// assert_eq!(clipped.of(&w).unwrap().shape().to_string(), "[2]");
    /// ```
    #[track_caller]
    pub fn map(self, change: impl Fn(&Tensor) -> Tensor) -> Gradients {
        let pairs = self.pairs.iter().map(|(variable, g)| (variable.clone(), change(g))).collect();
        Gradients { pairs, ..self }
    }

    /// The gradient with respect to `variable`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let (w, other) = (Variable::from(Array::scalar(1f32)), Variable::from(Array::scalar(2f32)));
    /// let gradients = Tensor::read(&w).exp().gradients(&[w.clone()]);
    /// assert!(gradients.of(&w).is_some());
    /// assert!(gradients.of(&other).is_none()); // nobody asked for it
    /// ```
    pub fn of(&self, variable: &Variable) -> Option<&Tensor> {
        self.pairs.iter().find(|(v, _)| v == variable).map(|(_, g)| g)
    }

    /// Pairs of a variable and its gradient.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let w = Variable::from(Array::from([1f32, 2.0]));
    /// let gradients = Tensor::read(&w).square().sum().gradients(&[w]);
    /// let squares = gradients.iter().map(|(_, g)| g.square().sum());
    /// let norm = squares.fold(Tensor::scalar(0f32), |sum, square| sum + square).sqrt();
    /// assert_eq!(norm.rank(), 0);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&Variable, &Tensor)> {
        self.pairs.iter().map(|(v, g)| (v, g))
    }

    /// Whether a gradient reaches `variable`: not if the number does not depend on it, or only through operations
    /// that have no slope, such as a comparison. Its gradient is zeros then.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let (w, b) = (Variable::from(Array::from([1.0f32])), Variable::from(Array::from([2.0f32])));
    /// let gradients = Tensor::read(&w).square().sum().gradients(&[w.clone(), b.clone()]);
    /// assert!(gradients.reaches(&w) && !gradients.reaches(&b));
    /// ```
    pub fn reaches(&self, variable: &Variable) -> bool {
        !self.unreached.contains(&variable.id())
    }

    /// How the gradients were found: tensors on the way from the number back to the variables, the last one first, each
    /// with what it gave to one of its operands.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let w = Variable::from(Array::from([1f32, 2.0]));
    /// let gradients = Tensor::read(&w).exp().sum().gradients(&[w]);
    /// let way: Vec<String> = gradients.cotangents().map(|(of, _)| of.op().name()).collect();
    /// assert_eq!(way, ["reduce_sum", "exp"]);
    /// ```
    pub fn cotangents(&self) -> impl Iterator<Item = (&Tensor, &Tensor)> {
        self.walk.iter().map(|(of, cotangent)| (of, cotangent))
    }

    /// The number of variables.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let w = Variable::from(Array::scalar(1f32));
    /// assert_eq!(Tensor::read(&w).exp().gradients(&[w]).len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no variables.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Gradients;
    /// assert!(Gradients::new(Vec::new()).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl Tensor {
    /// The gradients of this tensor (one number) with respect to `variables`: zeros for those it does not depend
    /// on.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// let w = Variable::from(Array::from([1.0f32, 2.0]));
    /// let loss = Tensor::read(&w).square().sum();
    /// let gradients = loss.gradients(&[w.clone()]);
    /// assert_eq!(gradients.len(), 1);
    /// ```
    #[track_caller]
    pub fn gradients(&self, variables: &[Variable]) -> Gradients {
        let ids: HashSet<u64> = variables.iter().map(Variable::id).collect();
        let is_target = |t: &Tensor| matches!(t.op(), Op::Read(v) if ids.contains(&v.id()));
        let mut walk = Vec::new();
        let cotangents = match self.pull_back(is_target, &mut walk) {
            Ok(cotangents) => cotangents,
            Err(error) => {
                let invalid = Tensor::invalid(error);
                return Gradients::new(variables.iter().map(|v| (v.clone(), invalid.clone())).collect());
            }
        };
        let mut sums: HashMap<u64, Tensor> = HashMap::new();
        for (tensor, g) in cotangents {
            if let Op::Read(variable) = tensor.op() {
                let sum = sums.remove(&variable.id()).map_or_else(|| g.clone(), |sum| sum + &g);
                sums.insert(variable.id(), sum);
            }
        }
        let of = |v: &Variable| sums.get(&v.id()).cloned().unwrap_or_else(|| Tensor::read(v).zeros_like());
        let unreached = ids.into_iter().filter(|id| !sums.contains_key(id)).collect();
        Gradients { pairs: variables.iter().map(|v| (v.clone(), of(v))).collect(), unreached, walk }
    }

    /// The gradients of this tensor (one number) with respect to tensors it was computed from.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let x = Tensor::from(&Array::from([[1.0f32, 2.0]]));
    /// let [slope] = &x.square().sum().gradients_of(&[x.clone()])[..] else { unreachable!() };
    /// assert_eq!(slope.shape(), x.shape());
    /// ```
    #[track_caller]
    pub fn gradients_of(&self, tensors: &[Tensor]) -> Vec<Tensor> {
        let addresses: HashSet<usize> = tensors.iter().map(Tensor::address).collect();
        match self.pull_back(|t| addresses.contains(&t.address()), &mut Vec::new()) {
            Ok(cotangents) => {
                let of: HashMap<usize, Tensor> =
                    cotangents.into_iter().map(|(t, g)| (t.address(), g)).collect();
                tensors
                    .iter()
                    .map(|t| of.get(&t.address()).cloned().unwrap_or_else(|| t.zeros_like()))
                    .collect()
            }
            Err(error) => vec![Tensor::invalid(error); tensors.len()],
        }
    }

    /// The walk: every target with its cotangent, in the order of the expression. Each step is written to `walk`.
    #[track_caller]
    fn pull_back(
        &self,
        is_target: impl Fn(&Tensor) -> bool,
        walk: &mut Vec<(Tensor, Tensor)>,
    ) -> Result<Vec<(Tensor, Tensor)>> {
        let facts = self.facts()?;
        if facts.shape.elements() != Some(1) || !facts.dtype.is_float() {
            return Err(Error::new(
                "gradient",
                format!("cannot differentiate {} of shape {}", facts.dtype, facts.shape),
            )
            .label("gradients are those of one float")
            .help("reduce it first, for example with `.mean()`"));
        }
        let order = self.topological_order();
        let mut leads_to_target: HashSet<usize> = HashSet::new();
        for tensor in &order {
            if is_target(tensor) || tensor.sources().iter().any(|s| leads_to_target.contains(&s.address())) {
                leads_to_target.insert(tensor.address());
            }
        }
        let mut cotangents: HashMap<usize, Tensor> = HashMap::from([(self.address(), self.ones_like())]);
        let mut found = Vec::new();
        for tensor in order.iter().rev() {
            if !leads_to_target.contains(&tensor.address()) {
                continue;
            }
            let Some(g) = cotangents.remove(&tensor.address()) else { continue };
            if is_target(tensor) {
                found.push((tensor.clone(), g.clone()));
            }
            let needed: Vec<bool> =
                tensor.sources().iter().map(|s| leads_to_target.contains(&s.address())).collect();
            if !needed.contains(&true) {
                continue;
            }
            for ((source, cotangent), needed) in
                tensor.sources().iter().zip(cotangents_of_operands(tensor, &g)).zip(needed)
            {
                let Some(cotangent) = cotangent.filter(|_| needed) else { continue };
                if !tensor.op().is_identity() {
                    walk.push((tensor.clone(), cotangent.clone()));
                }
                let sum = match cotangents.remove(&source.address()) {
                    Some(sum) => sum + cotangent,
                    None => cotangent,
                };
                cotangents.insert(source.address(), sum);
            }
        }
        found.reverse();
        Ok(found)
    }

    /// All tensors that this one is computed from, operands first, this one last.
    pub(crate) fn topological_order(&self) -> Vec<Tensor> {
        let (mut order, mut seen) = (Vec::new(), HashSet::new());
        let mut pending = vec![(self.clone(), false)];
        while let Some((tensor, sources_done)) = pending.pop() {
            if sources_done {
                order.push(tensor);
            } else if seen.insert(tensor.address()) {
                pending.push((tensor.clone(), true));
                pending.extend(tensor.sources().iter().rev().map(|s| (s.clone(), false)));
            }
        }
        order
    }
}

/// The table. `x`, `y`: operands · `z`: result · `g`: cotangent of `z`.
fn cotangents_of_operands(z: &Tensor, g: &Tensor) -> Vec<Option<Tensor>> {
    let sources = z.sources();
    let x = sources.first();
    let x = || x.expect("this operation has an operand");
    let y = || &sources[1];
    match z.op() {
        Op::Input(_) | Op::Constant(_) | Op::Read(_) | Op::Iota(_) | Op::Random(..) => vec![],

        Op::Unary(unary) => vec![unary_cotangent(*unary, x(), z, g)],
        Op::Binary(binary) => binary_cotangents(*binary, x(), y(), z, g),
        Op::Select => {
            let zero = g.zeros_like();
            vec![None, Some(x().select(g, &zero)), Some(x().select(&zero, g))]
        }
        Op::Cast(_) => vec![(x().dtype().is_float() && z.dtype().is_float()).then(|| g.cast(x().dtype()))],

        Op::Reshape(_) => vec![Some(g.reshape(x().shape()))],
        Op::Broadcast(_) => vec![Some(sum_to(g, &x().shape()))],
        Op::Transpose(order) => {
            let mut inverse = vec![0; order.len()];
            order.iter().enumerate().for_each(|(i, &axis)| inverse[axis] = i);
            vec![Some(g.permute(inverse))]
        }
        Op::Slice(spans) => vec![Some(unslice(g, &x().shape(), spans))],
        Op::Pad(widths) => {
            let slice = |g: Tensor, (axis, &(before, after)): (usize, &(usize, usize))| match before + after {
                0 => g,
                _ => g.slice(axis as isize, before..before + x().dim(axis as isize)),
            };
            vec![Some(widths.iter().enumerate().fold(g.clone(), slice))]
        }
        Op::Concat(axis) => {
            let mut from = 0;
            let part = |source: &Tensor| {
                let size = source.dim(*axis as isize);
                from += size;
                Some(g.slice(*axis as isize, from - size..from))
            };
            sources.iter().map(part).collect()
        }
        Op::Flip(axes) => vec![Some(g.flip(axes.iter().map(|&a| a as isize).collect::<Vec<_>>()))],

        Op::Reduce(reduce, axes) => vec![Some(reduce_cotangent(*reduce, axes, x(), z, g))],
        Op::ArgMax(_) | Op::ArgSort(_) => vec![None],
        Op::CumulativeSum(axis) => {
            let axis = *axis as isize;
            vec![Some(g.flip(axis).cumulative_sum(axis).flip(axis))]
        }

        Op::Gather(axis) => vec![Some(g.scatter_add(*axis, x().dim(*axis as isize), y())), None],
        Op::ScatterAdd(axis, _) => vec![Some(g.gather(*axis as isize, y())), None],
        Op::GatherAlong(axis) => {
            let op = Op::ScatterAlong(*axis, x().dim(*axis as isize));
            vec![Some(Tensor::node(op, vec![g.clone(), y().clone()])), None]
        }
        Op::ScatterAlong(axis, _) => vec![Some(g.gather_along(*axis as isize, y())), None],

        Op::Dot { transpose_a, transpose_b } => dot_cotangents(x(), y(), g, *transpose_a, *transpose_b),

        Op::Softmax => vec![Some((g - (g * z).sum_keep(-1)) * z)],
        Op::LogSoftmax => vec![Some(g - g.sum_keep(-1) * x().softmax())],

        Op::StopGradient => vec![None],
        Op::InMode | Op::Scope(_) => vec![Some(g.clone())],
    }
}

fn unary_cotangent(op: Unary, x: &Tensor, z: &Tensor, g: &Tensor) -> Option<Tensor> {
    match op {
        Unary::Neg => Some(-g),
        Unary::Abs => Some(g * x.sign()),
        Unary::Exp => Some(g * z),
        Unary::Expm1 => Some(g * (z + 1.0)),
        Unary::Log => Some(g / x),
        Unary::Log1p => Some(g / (x + 1.0)),
        Unary::Sqrt => Some(g * 0.5 / z),
        Unary::Sin => Some(g * x.cos()),
        Unary::Cos => Some(-(g * x.sin())),
        Unary::Tanh => Some(g * (1.0 - z.square())),
        Unary::Sigmoid => Some(g * (z * (1.0 - z))),
        Unary::Erf => Some(g * (-x.square()).exp() * std::f64::consts::FRAC_2_SQRT_PI),
        // Constant almost everywhere, or not numbers at all.
        Unary::Sign
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::Not
        | Unary::IsNan
        | Unary::IsFinite => None,
    }
}

fn binary_cotangents(op: Binary, x: &Tensor, y: &Tensor, z: &Tensor, g: &Tensor) -> Vec<Option<Tensor>> {
    if !x.dtype().is_float() {
        return vec![None, None];
    }
    match op {
        Binary::Add => vec![Some(g.clone()), Some(g.clone())],
        Binary::Sub => vec![Some(g.clone()), Some(-g)],
        Binary::Mul => vec![Some(g * y), Some(g * x)],
        Binary::Div => vec![Some(g / y), Some(-(g * z / y))],
        Binary::Rem => vec![Some(g.clone()), Some(-(g * (x / y).floor()))],
        Binary::Pow => {
            let by_base = g * y * x.pow(y - 1.0);
            // ln x exists for positive bases only; elsewhere the exponent has no gradient.
            let positive = x.greater(0.0);
            let by_exponent = g * z * positive.select(positive.select(x, 1.0).log(), 0.0);
            vec![Some(by_base), Some(by_exponent)]
        }
        // Equal operands: the second gets it all, so that relu is flat at 0.
        Binary::Maximum => {
            // `z > y` says the same as `x > y`, and spares keeping `x`.
            let (first, zero) = (z.greater(y), g.zeros_like());
            vec![Some(first.select(g, &zero)), Some(first.select(&zero, g))]
        }
        Binary::Minimum => {
            let (first, zero) = (z.less(y), g.zeros_like());
            vec![Some(first.select(g, &zero)), Some(first.select(&zero, g))]
        }
        Binary::Equal
        | Binary::NotEqual
        | Binary::Less
        | Binary::LessEqual
        | Binary::And
        | Binary::Or
        | Binary::Xor => vec![None, None],
    }
}

/// `g` summed over the axes along which a tensor of `shape` was repeated.
fn sum_to(g: &Tensor, shape: &Shape) -> Tensor {
    let from = g.shape();
    let new_axes = from.len() - shape.len();
    let repeated =
        |i: usize| i < new_axes || (shape[i - new_axes] == Dim::Fixed(1) && from[i] != Dim::Fixed(1));
    let axes: Vec<isize> = (0..from.len()).filter(|&i| repeated(i)).map(|i| i as isize).collect();
    g.reduce(Reduce::Sum, axes).reshape(shape.clone())
}

/// The reverse of `reduce`: the axes come back with size 1 and are repeated to the shape of `x`.
fn spread(g: &Tensor, axes: &[usize], x: &Tensor) -> Tensor {
    let shape = x.shape();
    let kept = axes.iter().fold(shape.clone(), |shape, &i| shape.with(i, 1usize));
    g.reshape(kept).broadcast_to(shape)
}

fn reduce_cotangent(reduce: Reduce, axes: &[usize], x: &Tensor, z: &Tensor, g: &Tensor) -> Tensor {
    let spread_g = || spread(g, axes, x);
    match reduce {
        Reduce::Sum => spread_g(),
        Reduce::Mean => {
            let count: Option<usize> = axes.iter().map(|&i| x.shape()[i].fixed()).product();
            match count {
                Some(n) => spread(&(g * (1.0 / n as f64)), axes, x),
                None => spread(&(g / x.ones_like().reduce(Reduce::Sum, signed(axes))), axes, x),
            }
        }
        // Equal extremes share the gradient.
        Reduce::Max | Reduce::Min => {
            let extreme = x.equal(spread(z, axes, x)).cast(x.dtype());
            let count = extreme.reduce(Reduce::Sum, signed(axes));
            extreme * spread(&(g / count), axes, x)
        }
        // The product of the others, also where one of them is zero.
        Reduce::Prod => {
            let is_zero = x.equal(0.0);
            let zeros = is_zero.cast(x.dtype()).reduce(Reduce::Sum, signed(axes));
            let nonzero = is_zero.select(1.0, x);
            let others = spread(&nonzero.reduce(Reduce::Prod, signed(axes)), axes, x) / &nonzero;
            let zeros_elsewhere = spread(&zeros, axes, x) - is_zero.cast(x.dtype());
            spread_g() * zeros_elsewhere.equal(0.0).select(others, 0.0)
        }
    }
}

fn signed(axes: &[usize]) -> Vec<isize> {
    axes.iter().map(|&axis| axis as isize).collect()
}

/// Zeros of `shape` with `g` at the places that the spans name.
fn unslice(g: &Tensor, shape: &Shape, spans: &[crate::op::Span]) -> Tensor {
    spans.iter().enumerate().fold(g.clone(), |g, (axis, span)| {
        let size = shape[axis].fixed().unwrap_or(0);
        let place = axis as isize;
        match span.step {
            _ if span.len() == size || span.stop == usize::MAX => g,
            1 => g.pad(place, span.start, size - span.stop),
            step => {
                let count = span.len();
                let indices = Tensor::iota([count], 0, DType::I64) * step as i64 + span.start as i64;
                g.scatter_add(axis, size, &indices)
            }
        }
    })
}

fn dot_cotangents(
    a: &Tensor,
    b: &Tensor,
    g: &Tensor,
    transpose_a: bool,
    transpose_b: bool,
) -> Vec<Option<Tensor>> {
    let by_a = match (transpose_a, transpose_b) {
        (false, false) => g.dot(b, false, true),
        (false, true) => g.dot(b, false, false),
        (true, false) => b.dot(g, false, true),
        (true, true) => b.dot(g, true, true),
    };
    // One matrix for all rows of a batch: the rows are summed over.
    let (a, g) = if b.rank() == 2 { (a.as_matrix(), g.as_matrix()) } else { (a.clone(), g.clone()) };
    let by_b = match (transpose_a, transpose_b) {
        (false, false) => a.dot(&g, true, false),
        (false, true) => g.dot(&a, true, false),
        (true, false) => a.dot(&g, false, false),
        (true, true) => g.dot(&a, true, true),
    };
    vec![Some(by_a), Some(by_b)]
}

impl Tensor {
    /// Everything that happens besides computing this tensor: the effects of all tensors it is computed from.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [4]);
    /// let hidden = x.and_loss(x.square().mean());
    /// let y = hidden.exp().and_loss(hidden.abs().mean());
    /// assert_eq!((y.effects().len(), y.all_effects().len()), (1, 2));
    /// ```
    pub fn all_effects(&self) -> Vec<crate::Effect> {
        self.topological_order().iter().flat_map(|t| t.effects().to_vec()).collect()
    }
}
