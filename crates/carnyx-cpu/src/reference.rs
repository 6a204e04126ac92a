//! The plainest interpreter of all operations: the oracle that the fast executor is tested against.
//!
//! Every value of a graph is computed in order and kept. Floats are computed in `f64` and then, at
//! [`Precision::Stored`], rounded to the instruction's type; integers are `i64` that wrap around at the width
//! of their type. Nothing here is fast, and each operation is a loop that can be checked by reading.
//! Invariant: no variable is changed.
//!
//! Indices count from the end when they are negative, and beyond the ends they mean the nearest entry.

use crate::bindings::{check_bindings, check_variables};
use carnyx_graph::graph::{Body, Id, Instruction, Region};
use carnyx_graph::op::Op;
use carnyx_graph::{Array, Bindings, DType, Feed, Graph, Outcome, Result, Variable};

mod compute;
mod number;

use compute::compute;

/// How values are kept between instructions.
///
/// # Example
/// ```
/// use carnyx_cpu::reference::{Precision, evaluate};
/// use carnyx_graph::{Bindings, Graph, Tensor};
/// let graph = Graph::capture(&[Tensor::scalar(1f32) / 3.0], &[])?;
/// let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
/// let third = |precision| evaluate(&graph, &bindings, precision).map(|all| all.value(graph.outputs[0])[0]);
/// assert_eq!(third(Precision::Stored)?, f64::from(1f32 / 3.0));
/// assert_eq!(third(Precision::Double)?, 1.0 / 3.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Rounded to each instruction's type.
    Stored,
    /// `f32` values are kept as `f64`: for measuring the errors of the fast executor and for checking
    /// gradients.
    Double,
}

/// Elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
enum Elements {
    Float(Vec<f64>),
    /// Integers and truth values (0 or 1).
    Integer(Vec<i64>),
}

#[derive(Clone, Debug, PartialEq)]
struct Value {
    sizes: Vec<usize>,
    dtype: DType,
    elements: Elements,
}

/// All values of a graph.
///
/// # Example
/// ```
/// use carnyx_cpu::reference::{Precision, evaluate};
/// use carnyx_graph::{Array, Bindings, Graph, Tensor};
/// let graph = Graph::capture(&[Tensor::from(Array::from([1f32, 2.0])).square()], &[])?;
/// let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
/// let evaluation = evaluate(&graph, &bindings, Precision::Stored)?;
/// assert_eq!(evaluation.output(0), Array::from([1f32, 4.0]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Evaluation {
    values: Vec<Value>,
    outputs: Vec<Id>,
    updates: Vec<(usize, Id)>,
    guard: Option<Id>,
}

impl Evaluation {
    /// The elements of instruction `id`; `i64` beyond 2^53 are rounded.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::reference::{Precision, evaluate};
    /// # use carnyx_graph::{Bindings, Graph, Tensor};
    /// # let graph = Graph::capture(&[Tensor::scalar(2f32) + 3.0], &[])?;
    /// # let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
    /// let evaluation = evaluate(&graph, &bindings, Precision::Stored)?;
    /// assert_eq!(evaluation.value(0), [2.0]);
    /// assert_eq!(evaluation.value(graph.outputs[0]), [5.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn value(&self, id: Id) -> Vec<f64> {
        match &self.values[id].elements {
            Elements::Float(elements) => elements.clone(),
            Elements::Integer(elements) => elements.iter().map(|element| *element as f64).collect(),
        }
    }

    /// The value of instruction `id` as an array of its type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::reference::{Precision, evaluate};
    /// # use carnyx_graph::{Array, Bindings, Graph, Tensor};
    /// # let graph = Graph::capture(&[Tensor::from(Array::from([3i64, 4])) + 1i64], &[])?;
    /// # let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
    /// let evaluation = evaluate(&graph, &bindings, Precision::Stored)?;
    /// assert_eq!(evaluation.array(graph.outputs[0]), Array::from([4i64, 5]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn array(&self, id: Id) -> Array {
        self.values[id].to_array()
    }

    /// Output `index`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::reference::{Precision, evaluate};
    /// # use carnyx_graph::{Bindings, Graph, Tensor};
    /// let graph = Graph::capture(&[Tensor::scalar(2f32).sqrt()], &[])?;
    /// # let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
    /// let evaluation = evaluate(&graph, &bindings, Precision::Stored)?;
    /// assert_eq!(evaluation.output(0).item()?, f64::from(2f32.sqrt()));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn output(&self, index: usize) -> Array {
        self.array(self.outputs[index])
    }

    /// Variable slots and the values that they take when the run ends as [`Outcome::Completed`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::reference::{Precision, evaluate};
    /// # use carnyx_graph::{Array, Bindings, Graph, Tensor, Variable};
    /// let count = Variable::from(Array::scalar(7i64));
    /// let graph = Graph::capture(&[], &[(count.clone(), Tensor::read(&count) + 1i64)])?;
    /// # let variables = &[count.clone()];
    /// # let bindings = Bindings { inputs: &[], captured: &[], variables, seed: 0, step: 0 };
    /// let evaluation = evaluate(&graph, &bindings, Precision::Stored)?;
    /// assert_eq!(evaluation.updates(), [(0, Array::scalar(8i64))]);
    /// assert_eq!(count.value()?.item()?, 7.0); // no variable is changed
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn updates(&self) -> Vec<(usize, Array)> {
        self.updates.iter().map(|(slot, id)| (*slot, self.array(*id))).collect()
    }

    /// How a run would end.
    ///
    /// # Example
    /// ```
    /// # use carnyx_cpu::reference::{Precision, evaluate};
    /// # use carnyx_graph::{Bindings, Graph, Outcome, Tensor};
    /// let graph = Graph::capture(&[Tensor::scalar(-1f32).sqrt()], &[])?.guarded_by(0);
    /// # let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
    /// let evaluation = evaluate(&graph, &bindings, Precision::Stored)?;
    /// assert_eq!(evaluation.outcome(), Outcome::Guarded);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn outcome(&self) -> Outcome {
        match self.guard {
            Some(id) if !self.values[id].is_finite() => Outcome::Guarded,
            Some(_) | None => Outcome::Completed,
        }
    }
}

/// Computes all values of `graph`.
///
/// # Errors
/// `input` or `variable`, if a binding is missing or has another shape or type than its slot.
///
/// # Example
/// ```
/// use carnyx_cpu::reference::{Precision, evaluate};
/// use carnyx_graph::{Bindings, Graph, Tensor};
/// let graph = Graph::capture(&[Tensor::scalar(0f64).cos()], &[])?;
/// let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
/// assert_eq!(evaluate(&graph, &bindings, Precision::Stored)?.output(0).item()?, 1.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn evaluate(graph: &Graph, bindings: &Bindings, precision: Precision) -> Result<Evaluation> {
    check_slots(graph, bindings)?;
    let mut values: Vec<Value> = Vec::new();
    // What each region yields; nothing for other instructions.
    let mut regions: Vec<Vec<Value>> = Vec::new();
    for instruction in &graph.instructions {
        let operands: Vec<&Value> = instruction.operands.iter().map(|&id| &values[id]).collect();
        let mut results = Vec::new();
        let value = match &instruction.body {
            Body::Input(slot) => fed(&bindings.inputs[*slot])?,
            Body::Captured(slot) => Value::of(&bindings.captured[*slot]),
            Body::Read(slot) => Value::of(&bindings.variables[*slot].value()?),
            Body::Op(op) => computed(op, instruction, &operands, bindings, precision),
            Body::Region(region) => {
                results = region_results(region, &operands, bindings, precision);
                results[0].clone()
            }
            Body::Part(index) => regions[instruction.operands[0]][*index].clone(),
        };
        assert_eq!(
            (&value.sizes, value.dtype),
            (&instruction.sizes, instruction.dtype),
            "the value of an instruction is what its facts say"
        );
        values.push(value);
        regions.push(results);
    }
    let (outputs, updates) = (graph.outputs.clone(), graph.updates.clone());
    Ok(Evaluation { values, outputs, updates, guard: graph.guard })
}

/// The first instruction of a float type, sources included, whose value has an element that is infinite or
/// not a number, at [`Precision::Stored`].
///
/// # Errors
/// As for [`evaluate`].
///
/// # Example
/// ```
/// use carnyx_cpu::reference::first_non_finite;
/// use carnyx_graph::{Bindings, Graph, Tensor};
/// let graph = Graph::capture(&[Tensor::scalar(0f32).log() * 2.0], &[])?; // ln 0 is -∞
/// let bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };
/// assert_eq!(first_non_finite(&graph, &bindings)?.map(|id| graph.instructions[id].operands.len()), Some(1));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn first_non_finite(graph: &Graph, bindings: &Bindings) -> Result<Option<usize>> {
    let evaluation = evaluate(graph, bindings, Precision::Stored)?;
    Ok(evaluation.values.iter().position(|value| !value.is_finite()))
}

/// A variable of the graph may have no shape yet where its value is not read; then the value that it takes
/// tells.
fn check_slots(graph: &Graph, bindings: &Bindings) -> Result {
    let sizes_of_variable = |(slot, variable): (usize, &Variable)| {
        let is_it = |instruction: &&Instruction| matches!(instruction.body, Body::Read(read) if read == slot);
        let read = graph.instructions.iter().find(is_it);
        let updated = graph.updates.iter().find(|(updated, _)| *updated == slot);
        let value = read.or_else(|| updated.map(|(_, id)| &graph.instructions[*id]));
        (value.map_or_else(Vec::new, |value| value.sizes.clone()), variable.dtype())
    };
    let variables: Vec<(Vec<usize>, DType)> =
        graph.variables.iter().enumerate().map(sizes_of_variable).collect();
    let captured = graph.captured.iter().map(|array| (array.shape(), array.dtype()));
    check_bindings(graph.inputs.iter(), captured, variables.len(), bindings)?;
    check_variables(variables.iter().map(|(sizes, dtype)| (&sizes[..], *dtype)), bindings.variables)
}

fn fed(feed: &Feed) -> Result<Value> {
    match feed {
        Feed::Whole(array) => Ok(Value::of(array)),
        Feed::Rows(array, rows) => {
            let rows: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
            Ok(Value::of(&array.take_rows(&rows)?))
        }
        Feed::Part(array, first, rows) => Ok(Value::of(&array.rows(*first..first + rows)?)),
    }
}

fn computed(
    op: &Op,
    at: &Instruction,
    operands: &[&Value],
    bindings: &Bindings,
    precision: Precision,
) -> Value {
    let elements = compute(op, (&at.sizes, at.dtype), operands, bindings);
    Value { sizes: at.sizes.clone(), dtype: at.dtype, elements: elements.stored(at.dtype, precision) }
}

fn region_results(
    region: &Region,
    operands: &[&Value],
    bindings: &Bindings,
    precision: Precision,
) -> Vec<Value> {
    let mut values: Vec<Value> = operands.iter().map(|value| (*value).clone()).collect();
    for inner in &region.body {
        let Body::Op(op) = &inner.body else {
            panic!("a region holds operations only, not {:?}", inner.body)
        };
        let operands: Vec<&Value> = inner.operands.iter().map(|&id| &values[id]).collect();
        values.push(computed(op, inner, &operands, bindings, precision));
    }
    region.results.iter().map(|&id| values[id].clone()).collect()
}

impl Elements {
    /// As an instruction of `dtype` keeps them.
    fn stored(self, dtype: DType, precision: Precision) -> Elements {
        match self {
            Elements::Float(elements) if dtype == DType::F32 && precision == Precision::Stored => {
                Elements::Float(elements.iter().map(|x| f64::from(*x as f32)).collect())
            }
            Elements::Float(elements) => Elements::Float(elements),
            Elements::Integer(elements) => {
                Elements::Integer(elements.iter().map(|x| number::wrapped(*x, dtype)).collect())
            }
        }
    }
}

impl Value {
    fn of(array: &Array) -> Value {
        let elements = if array.dtype().is_float() {
            Elements::Float(array.to_vec())
        } else {
            Elements::Integer(array.to_vec())
        };
        Value { sizes: array.shape().to_vec(), dtype: array.dtype(), elements }
    }

    fn to_array(&self) -> Array {
        let sizes = self.sizes.clone();
        match (&self.elements, self.dtype) {
            (Elements::Float(x), DType::F32) => Array::from_fn(sizes, |i| x[i] as f32),
            (Elements::Float(x), _) => Array::from_fn(sizes, |i| x[i]),
            (Elements::Integer(x), DType::I32) => Array::from_fn(sizes, |i| x[i] as i32),
            (Elements::Integer(x), DType::U8) => Array::from_fn(sizes, |i| x[i] as u8),
            (Elements::Integer(x), DType::Bool) => Array::from_fn(sizes, |i| x[i] != 0),
            (Elements::Integer(x), _) => Array::from_fn(sizes, |i| x[i]),
        }
    }

    /// Integers always are.
    fn is_finite(&self) -> bool {
        match &self.elements {
            // An `f64` beyond the range of `f32` is infinite as `f32`.
            Elements::Float(x) if self.dtype == DType::F32 => x.iter().all(|x| (*x as f32).is_finite()),
            Elements::Float(x) => x.iter().all(|x| x.is_finite()),
            Elements::Integer(_) => true,
        }
    }

    fn floats(&self) -> &[f64] {
        match &self.elements {
            Elements::Float(elements) => elements,
            Elements::Integer(_) => panic!("shape inference has let {} pass where floats belong", self.dtype),
        }
    }

    fn integers(&self) -> &[i64] {
        match &self.elements {
            Elements::Integer(elements) => elements,
            Elements::Float(_) => panic!("shape inference has let {} pass where integers belong", self.dtype),
        }
    }
}

#[cfg(test)]
mod tests;
