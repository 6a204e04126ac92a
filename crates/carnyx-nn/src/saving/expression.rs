//! Traced expressions as JSON: one object for each operation, operands by number.
//!
//! ```text
//! {"inputs": [{"name": "x", "shape": ["batch", 4], "dtype": "f32"}],
//!  "nodes": [{"op": "input", "input": 0}, {"op": "read", "variable": 0}, {"op": "dot", "of": [0, 1], …}, …],
//!  "outputs": [7]}
//! ```
//!
//! Invariant: reading believes nothing. Operands come before what uses them, so there are no cycles; each operation is
//! inferred again; sizes and counts are bounded before anything is made of them.

use crate::layers::Expression;
use carnyx_file::Value;
use carnyx_graph::op::{Address, Binary, Distribution, Op, Reduce, Scope, Span, Unary};
use carnyx_graph::{
    Array, DType, Dim, Effect, Error, Facts, Mode, Result, Shape, Tensor, Variable, described, in_order,
};
use std::collections::HashMap;

/// The largest size or number in an operation.
const LARGEST: u64 = 1 << 32;
/// The most operations in an expression.
const MOST: usize = 1 << 20;

macro_rules! names {
    ($type:ident: $($variant:ident)*) => {
        fn name_of(&self) -> &'static str {
            match self { $($type::$variant => stringify!($variant),)* }
        }

        fn named(name: &str) -> Option<$type> {
            match name { $(stringify!($variant) => Some($type::$variant),)* _ => None }
        }
    };
}

/// Kinds of operations by the names of their variants.
trait ByName: Sized {
    fn name_of(&self) -> &'static str;
    fn named(name: &str) -> Option<Self>;
}

impl ByName for Unary {
    names!(Unary: Neg Abs Sign Exp Expm1 Log Log1p Sqrt Sin Cos Tanh Sigmoid Erf Floor Ceil Round Not IsNan IsFinite);
}

impl ByName for Binary {
    names!(Binary: Add Sub Mul Div Rem Pow Maximum Minimum Equal NotEqual Less LessEqual And Or Xor);
}

impl ByName for Reduce {
    names!(Reduce: Sum Mean Max Min Prod);
}

impl ByName for Distribution {
    names!(Distribution: Uniform Normal TruncatedNormal);
}

impl ByName for Mode {
    names!(Mode: Constant Inference Training Blueprint);
}

impl ByName for DType {
    names!(DType: F32 F64 I32 I64 U8 Bool);
}

/// An object under construction.
struct Object(Value);

impl Object {
    fn new(op: &str) -> Object {
        Object(Value::Object([("op".to_owned(), op.into())].into_iter().collect()))
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Object {
        self.0[name] = value.into();
        self
    }
}

fn numbers(values: impl IntoIterator<Item = usize>) -> Value {
    values.into_iter().map(Value::from).collect()
}

/// The expression as JSON; variables are numbered by `place_of`, by their ids.
pub(super) fn write(expression: &Expression, place_of: &HashMap<u64, usize>) -> Result<Value> {
    let mut numbered: HashMap<usize, usize> = HashMap::new();
    let mut nodes: Vec<Value> = Vec::new();
    for (i, input) in expression.inputs.iter().enumerate() {
        numbered.insert(input.address(), nodes.len());
        nodes.push(Object::new("input").with("input", i).0);
    }
    for tensor in in_order(&expression.outputs) {
        if numbered.contains_key(&tensor.address()) {
            continue;
        }
        let mut node = operation(&tensor, place_of)?;
        if !tensor.sources().is_empty() {
            node =
                node.with("of", numbers(tensor.sources().iter().map(|source| numbered[&source.address()])));
        }
        let effects: Vec<Value> = tensor
            .effects()
            .iter()
            .map(|effect| match effect {
                Effect::Update(variable, value) => {
                    let place = place(variable, place_of)?;
                    Ok(Object::new("update")
                        .with("variable", place)
                        .with("value", numbered[&value.address()])
                        .0)
                }
                Effect::Loss(value) => Ok(Object::new("loss").with("value", numbered[&value.address()]).0),
                Effect::Mask(Some(mask)) => {
                    Ok(Object::new("mask").with("value", numbered[&mask.address()]).0)
                }
                Effect::Mask(None) => Ok(Object::new("no_mask").0),
            })
            .collect::<Result<_>>()?;
        if !effects.is_empty() {
            node = node.with("effects", effects);
        }
        numbered.insert(tensor.address(), nodes.len());
        nodes.push(node.0);
    }
    let inputs: Vec<Value> = expression
        .inputs
        .iter()
        .map(|input| {
            let name = match input.op() {
                Op::Input(name) => name.to_string(),
                _ => String::new(),
            };
            let facts = input.facts()?;
            Ok(described_facts(Object::new("input").with("name", name), facts).0)
        })
        .collect::<Result<_>>()?;
    let outputs = numbers(expression.outputs.iter().map(|output| numbered[&output.address()]));
    Ok(Object::new("expression").with("inputs", inputs).with("nodes", nodes).with("outputs", outputs).0)
}

fn place(variable: &Variable, place_of: &HashMap<u64, usize>) -> Result<usize> {
    place_of
        .get(&variable.id())
        .copied()
        .ok_or_else(|| Error::new("trace", format!("{variable:?} is not among the layer's variables")))
}

fn sizes(shape: &Shape) -> Value {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(n) => Value::from(*n),
        Dim::Symbol(name) => Value::from(*name),
    };
    shape.iter().map(size).collect()
}

fn described_facts(object: Object, facts: &Facts) -> Object {
    object.with("shape", sizes(&facts.shape)).with("dtype", facts.dtype.name_of())
}

/// The operation of a node with its attributes.
fn operation(tensor: &Tensor, place_of: &HashMap<u64, usize>) -> Result<Object> {
    let along = |op: &str, axis: usize| Object::new(op).with("axis", axis);
    Ok(match tensor.op() {
        Op::Input(name) => {
            return Err(Error::new("trace", format!("the input `{name}` is not the layer's own")));
        }
        Op::Constant(array) => constant(array),
        Op::Read(variable) => Object::new("read").with("variable", place(variable, place_of)?),
        Op::Iota(axis) => described_facts(along("iota", *axis), tensor.facts()?),
        Op::Random(distribution, address) => {
            let object = Object::new("random").with("distribution", distribution.name_of());
            described_facts(object.with("address", address.0), tensor.facts()?)
        }
        Op::Unary(unary) => Object::new("unary").with("function", unary.name_of()),
        Op::Binary(binary) => Object::new("binary").with("function", binary.name_of()),
        Op::Select => Object::new("select"),
        Op::Cast(dtype) => Object::new("cast").with("dtype", dtype.name_of()),
        Op::Reshape(shape) => Object::new("reshape").with("shape", sizes(shape)),
        Op::Broadcast(shape) => Object::new("broadcast").with("shape", sizes(shape)),
        Op::Transpose(order) => Object::new("transpose").with("axes", numbers(order.iter().copied())),
        Op::Slice(spans) => {
            let stop = |stop: usize| if stop == usize::MAX { Value::Null } else { Value::from(stop) };
            let span = |span: &Span| Value::from(vec![span.start.into(), stop(span.stop), span.step.into()]);
            Object::new("slice").with("spans", spans.iter().map(span).collect::<Value>())
        }
        Op::Pad(widths) => {
            let width = |&(before, after): &(usize, usize)| numbers([before, after]);
            Object::new("pad").with("widths", widths.iter().map(width).collect::<Value>())
        }
        Op::Concat(axis) => along("concat", *axis),
        Op::Flip(axes) => Object::new("flip").with("axes", numbers(axes.iter().copied())),
        Op::Reduce(reduce, axes) => {
            let axes = numbers(axes.iter().copied());
            Object::new("reduce").with("function", reduce.name_of()).with("axes", axes)
        }
        Op::ArgMax(axis) => along("arg_max", *axis),
        Op::ArgSort(axis) => along("arg_sort", *axis),
        Op::CumulativeSum(axis) => along("cumulative_sum", *axis),
        Op::Gather(axis) => along("gather", *axis),
        Op::ScatterAdd(axis, size) => along("scatter_add", *axis).with("size", *size),
        Op::GatherAlong(axis) => along("gather_along", *axis),
        Op::ScatterAlong(axis, size) => along("scatter_along", *axis).with("size", *size),
        Op::Dot { transpose_a, transpose_b } => {
            Object::new("dot").with("transpose_a", *transpose_a).with("transpose_b", *transpose_b)
        }
        Op::Softmax => Object::new("softmax"),
        Op::LogSoftmax => Object::new("log_softmax"),
        Op::InMode => Object::new("in_mode").with("mode", tensor.mode().name_of()),
        Op::StopGradient => Object::new("stop_gradient"),
        Op::Scope(Scope::Enter(name)) => Object::new("enter").with("name", &**name),
        Op::Scope(Scope::Leave(name)) => Object::new("leave").with("name", &**name),
    })
}

/// A constant; numbers that JSON lacks are written as text.
fn constant(array: &Array) -> Object {
    let number = |i: usize| {
        let value = array.element(i);
        if array.dtype() == DType::I64 {
            return array.as_slice::<i64>().map_or(Value::Null, |values| values[i].into());
        }
        if value.is_finite() { Value::from(value) } else { Value::from(format!("{value}")) }
    };
    let object = Object::new("constant").with("shape", numbers(array.shape().iter().copied()));
    object
        .with("dtype", array.dtype().name_of())
        .with("values", (0..array.len()).map(number).collect::<Value>())
}

/// The expression that JSON describes, on placeholders of `mode`.
///
/// # Errors
/// `file`, if it describes none.
pub(super) fn read(value: &Value, mode: Mode, variables: &[Variable]) -> Result<Expression> {
    let mut reader = Reader { variables, tensors: Vec::new() };
    let inputs = list(value, "inputs")?;
    let placeholder = |value: &Value| -> Result<Tensor> {
        let name = value["name"].as_str().ok_or_else(|| wrong("an input has no name"))?;
        Ok(Tensor::placeholder(name, facts(value)?, mode))
    };
    let inputs: Vec<Tensor> = inputs.iter().map(placeholder).collect::<Result<_>>()?;
    let nodes = list(value, "nodes")?;
    if nodes.len() > MOST {
        return Err(wrong(format!("{} operations are more than any layer has", nodes.len())));
    }
    for (i, node) in nodes.iter().enumerate() {
        let tensor = reader.node(node, &inputs).and_then(|tensor| tensor.check().map(|()| tensor));
        let op = node["op"].as_str().unwrap_or("?").to_owned();
        reader.tensors.push(tensor.map_err(|error| {
            error.note(format!("in operation {i}, `{}`", op.chars().take(30).collect::<String>()))
        })?);
    }
    let outputs = reader.operands(value, "outputs")?;
    if outputs.is_empty() {
        return Err(wrong("a traced layer gives nothing"));
    }
    Ok(Expression { inputs, outputs })
}

fn wrong(title: impl Into<String>) -> Error {
    Error::new("file", title)
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    value[name].as_array().ok_or_else(|| wrong(format!("`{name}` is not a list")))
}

fn number(value: &Value, name: &str) -> Result<usize> {
    let number = value.as_u64().filter(|&number| number <= LARGEST);
    number.map(|number| number as usize).ok_or_else(|| wrong(format!("`{name}` is not a size or a place")))
}

fn all_numbers(value: &Value, name: &str) -> Result<Vec<usize>> {
    list(value, name)?.iter().map(|value| number(value, name)).collect()
}

fn kind<T: ByName>(value: &Value, name: &str) -> Result<T> {
    let text = value[name].as_str().unwrap_or_default();
    T::named(text)
        .ok_or_else(|| wrong(format!("there is no {name} `{}`", text.chars().take(30).collect::<String>())))
}

fn shape(value: &Value) -> Result<Shape> {
    let dim = |value: &Value| match value.as_str() {
        Some("batch") => Ok(Dim::BATCH),
        Some("rows") => Ok(Dim::Symbol("rows")),
        Some("joined") => Ok(Dim::Symbol("joined")),
        Some(other) => {
            Err(wrong(format!("there is no size `{}`", other.chars().take(30).collect::<String>())))
        }
        None => number(value, "shape").map(Dim::Fixed),
    };
    let dims: Vec<Dim> = list(value, "shape")?.iter().map(dim).collect::<Result<_>>()?;
    let elements =
        dims.iter().filter_map(|dim| dim.fixed()).try_fold(1u64, |n, size| n.checked_mul(size as u64));
    match elements {
        Some(elements) if elements <= LARGEST => Ok(Shape::new(dims)),
        _ => Err(wrong("a shape has more elements than any layer needs")),
    }
}

fn facts(value: &Value) -> Result<Facts> {
    Ok(Facts::new(shape(value)?, kind::<DType>(value, "dtype")?))
}

struct Reader<'a> {
    variables: &'a [Variable],
    tensors: Vec<Tensor>,
}

impl Reader<'_> {
    fn operand(&self, value: &Value, name: &str) -> Result<Tensor> {
        let place = number(value, name)?;
        self.tensors.get(place).cloned().ok_or_else(|| wrong(format!("operation {place} comes later")))
    }

    fn operands(&self, value: &Value, name: &str) -> Result<Vec<Tensor>> {
        list(value, name)?.iter().map(|value| self.operand(value, name)).collect()
    }

    fn variable(&self, value: &Value) -> Result<&Variable> {
        let place = number(&value["variable"], "variable")?;
        self.variables.get(place).ok_or_else(|| wrong(format!("there is no variable {place}")))
    }

    fn node(&self, value: &Value, inputs: &[Tensor]) -> Result<Tensor> {
        let sources = if value["of"].is_null() { Vec::new() } else { self.operands(value, "of")? };
        let op = match value["op"].as_str().unwrap_or_default() {
            "input" => {
                let place = number(&value["input"], "input")?;
                return inputs.get(place).cloned().ok_or_else(|| wrong(format!("there is no input {place}")));
            }
            "read" => return Ok(Tensor::read(self.variable(value)?)),
            "in_mode" => return self.in_mode(value, &sources),
            "constant" => Op::Constant(read_constant(value)?),
            "iota" => Op::Iota(number(&value["axis"], "axis")?),
            "random" => {
                let address = value["address"].as_u64().ok_or_else(|| wrong("`address` is not a number"))?;
                Op::Random(kind(value, "distribution")?, Address(address))
            }
            "unary" => Op::Unary(kind(value, "function")?),
            "binary" => Op::Binary(kind(value, "function")?),
            "select" => Op::Select,
            "cast" => Op::Cast(kind(value, "dtype")?),
            "reshape" => Op::Reshape(shape(value)?),
            "broadcast" => Op::Broadcast(shape(value)?),
            "transpose" => Op::Transpose(all_numbers(value, "axes")?),
            "slice" => Op::Slice(list(value, "spans")?.iter().map(span).collect::<Result<_>>()?),
            "pad" => {
                let width = |value: &Value| -> Result<(usize, usize)> {
                    Ok((number(&value[0], "widths")?, number(&value[1], "widths")?))
                };
                Op::Pad(list(value, "widths")?.iter().map(width).collect::<Result<_>>()?)
            }
            "concat" => Op::Concat(number(&value["axis"], "axis")?),
            "flip" => Op::Flip(all_numbers(value, "axes")?),
            "reduce" => Op::Reduce(kind(value, "function")?, all_numbers(value, "axes")?),
            "arg_max" => Op::ArgMax(number(&value["axis"], "axis")?),
            "arg_sort" => Op::ArgSort(number(&value["axis"], "axis")?),
            "cumulative_sum" => Op::CumulativeSum(number(&value["axis"], "axis")?),
            "gather" => Op::Gather(number(&value["axis"], "axis")?),
            "scatter_add" => Op::ScatterAdd(number(&value["axis"], "axis")?, number(&value["size"], "size")?),
            "gather_along" => Op::GatherAlong(number(&value["axis"], "axis")?),
            "scatter_along" => {
                Op::ScatterAlong(number(&value["axis"], "axis")?, number(&value["size"], "size")?)
            }
            "dot" => {
                let flag = |name: &str| {
                    value[name].as_bool().ok_or_else(|| wrong(format!("`{name}` is not a truth value")))
                };
                Op::Dot { transpose_a: flag("transpose_a")?, transpose_b: flag("transpose_b")? }
            }
            "softmax" => Op::Softmax,
            "log_softmax" => Op::LogSoftmax,
            "stop_gradient" => Op::StopGradient,
            "enter" => Op::Scope(Scope::Enter(value["name"].as_str().unwrap_or_default().into())),
            "leave" => Op::Scope(Scope::Leave(value["name"].as_str().unwrap_or_default().into())),
            other => {
                let other: String = other.chars().take(30).collect();
                return Err(wrong(format!("there is no operation `{other}`"))
                    .help("the file may come from a newer version"));
            }
        };
        let facts = matches!(op, Op::Iota(_) | Op::Random(..)).then(|| facts(value)).transpose()?;
        Ok(described(op, sources, facts))
    }

    /// A value with a mode of its own, or with something that happens when it is computed.
    fn in_mode(&self, value: &Value, sources: &[Tensor]) -> Result<Tensor> {
        let [source] = sources else { return Err(wrong("`in_mode` of other than one operand")) };
        let mode: Mode = kind(value, "mode")?;
        let mut tensor = if mode == source.mode() { source.clone() } else { source.in_mode(mode) };
        for effect in value["effects"].as_array().into_iter().flatten() {
            let operand = || self.operand(&effect["value"], "value");
            tensor = match effect["op"].as_str() {
                Some("update") => tensor.and_update(self.variable(effect)?, operand()?),
                Some("loss") => tensor.and_loss(operand()?),
                Some("mask") => tensor.with_mask(operand()?),
                Some("no_mask") => tensor.without_mask(),
                _ => return Err(wrong("there is an effect of unknown kind")),
            };
        }
        Ok(tensor)
    }
}

fn span(value: &Value) -> Result<Span> {
    let stop = if value[1].is_null() { usize::MAX } else { number(&value[1], "spans")? };
    Ok(Span { start: number(&value[0], "spans")?, stop, step: number(&value[2], "spans")? })
}

fn read_constant(value: &Value) -> Result<Array> {
    let sizes = shape(value)?.fixed().ok_or_else(|| wrong("a constant has an unknown size"))?;
    let dtype: DType = kind(value, "dtype")?;
    let values = list(value, "values")?;
    let array = if dtype == DType::I64 {
        let integer = |value: &Value| value.as_i64().ok_or_else(|| wrong("a constant's value is no integer"));
        Array::new(sizes, values.iter().map(integer).collect::<Result<Vec<i64>>>()?)
    } else {
        let float = |value: &Value| match value.as_str() {
            Some(text) => text.parse().map_err(|_| wrong("a constant's value is no number")),
            None => value.as_f64().ok_or_else(|| wrong("a constant's value is no number")),
        };
        Array::new(sizes, values.iter().map(float).collect::<Result<Vec<f64>>>()?)
            .map(|array| array.cast(dtype))
    };
    array.map_err(|error| wrong(error.title().to_owned()))
}
