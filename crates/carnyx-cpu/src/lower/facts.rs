//! What is known of tasks before they run: how much they compute, and for which layers.
//!
//! How much depends on the structure of a graph alone, and is kept with the program. For whom depends on the graph:
//! models of other layers share the program if their structure is the same.

use crate::step::{Origin, Step, Task};
use carnyx_graph::graph::{Body, Graph, Id, InputSlot, Instruction, Region};
use carnyx_graph::op::Op;
use carnyx_graph::trace::{BINDING, INPUT, TaskFacts};
use std::sync::Arc;

/// Names of operations in the name of a task, at most; a region can have dozens.
const NAMED: usize = 4;

/// The work of instruction `id`, as that of the first task that computes it.
pub fn origin_of(graph: &Graph, id: Id) -> Origin {
    let instruction = &graph.instructions[id];
    let operands: Vec<&Instruction> =
        instruction.operands.iter().map(|&operand| &graph.instructions[operand]).collect();
    let read: usize = operands.iter().map(|operand| operand.bytes()).sum();
    let (written, flops) = match &instruction.body {
        Body::Region(region) => (
            written_by(region, &operands),
            region.body.iter().map(|inner| flops_inside(region, inner, &operands)).sum(),
        ),
        Body::Op(op) => (instruction.bytes(), flops_of(op, instruction, &operands)),
        Body::Input(_) | Body::Captured(_) | Body::Read(_) | Body::Part(_) => (0, 0),
    };
    Origin { instruction: id, is_copy: false, bytes: (read + written) as u64, flops: flops as u64 }
}

/// The value `id` within a region: an operand or the result of an operation in it.
fn inside<'a>(region: &'a Region, operands: &[&'a Instruction], id: Id) -> &'a Instruction {
    operands.get(id).copied().unwrap_or_else(|| &region.body[id - operands.len()])
}

fn written_by(region: &Region, operands: &[&Instruction]) -> usize {
    region.results.iter().map(|&id| inside(region, operands, id).bytes()).sum()
}

fn flops_inside(region: &Region, instruction: &Instruction, operands: &[&Instruction]) -> usize {
    let Body::Op(op) = &instruction.body else { return 0 };
    let operands: Vec<&Instruction> =
        instruction.operands.iter().map(|&id| inside(region, operands, id)).collect();
    flops_of(op, instruction, &operands)
}

/// Floating-point operations: two for each product that is added to a sum, one for each function of an element.
fn flops_of(op: &Op, instruction: &Instruction, operands: &[&Instruction]) -> usize {
    let elements = instruction.elements();
    let of_operand = |i: usize| operands.get(i).map_or(0, |operand| operand.elements());
    match op {
        Op::Dot { transpose_a, .. } => {
            let inner = operands.first().map_or(0, |a| {
                let axis = a.sizes.len().saturating_sub(if *transpose_a { 2 } else { 1 });
                a.sizes.get(axis).copied().unwrap_or(1)
            });
            2 * elements * inner
        }
        Op::Unary(_) | Op::Binary(_) | Op::CumulativeSum(_) => elements,
        Op::Reduce(..) => of_operand(0),
        Op::ScatterAdd(..) => of_operand(0),
        // The largest, differences, powers, their sum, quotients.
        Op::Softmax | Op::LogSoftmax => 5 * elements,
        _ => 0,
    }
}

/// What there is to say of the tasks of a program, if they compute `graph`: then of gathering each input, and of what
/// a run does before.
pub fn facts_of(graph: &Graph, tasks: &[Task]) -> Arc<[TaskFacts]> {
    let facts = tasks.iter().map(|task| fact_of(graph, task));
    facts.chain(around(&graph.inputs)).collect()
}

/// The same without a graph: nobody has said which it is.
pub fn facts_without_graph(inputs: &[InputSlot], tasks: &[Task]) -> Arc<[TaskFacts]> {
    let fact = |task: &Task| {
        let name: Arc<str> = match &task.step {
            _ if task.origin.is_copy => "copy",
            Step::Region(_) => "element-wise",
            Step::Product(_) => "dot",
            Step::Kernel(_) => "kernel",
            Step::Guard(..) => "guard",
        }
        .into();
        let Origin { bytes, flops, .. } = task.origin;
        TaskFacts { operation: name.clone(), name, bytes, flops, ..TaskFacts::default() }
    };
    tasks.iter().map(fact).chain(around(inputs)).collect()
}

fn around(inputs: &[InputSlot]) -> impl Iterator<Item = TaskFacts> {
    let gathering = |slot: &InputSlot| {
        let bytes = 2 * slot.sizes.iter().product::<usize>() * slot.dtype.size();
        TaskFacts {
            name: format!("gather {}", slot.name).into(),
            operation: "gather".into(),
            purpose: Some(INPUT),
            bytes: bytes as u64,
            ..TaskFacts::default()
        }
    };
    let binding = TaskFacts {
        name: "bind".into(),
        operation: "bind".into(),
        purpose: Some(BINDING),
        ..TaskFacts::default()
    };
    inputs.iter().map(gathering).chain([binding])
}

fn fact_of(graph: &Graph, task: &Task) -> TaskFacts {
    let Origin { instruction, is_copy, bytes, flops } = task.origin;
    let Some(instruction) = graph.instructions.get(instruction) else { return TaskFacts::default() };
    let own = part(instruction);
    let (name, operation, main, also) = match &instruction.body {
        _ if is_copy => ("copy".into(), "copy".into(), own, Vec::new()),
        Body::Region(region) => of_region(region),
        Body::Op(op) => (op_name(op), op_name(op), own, Vec::new()),
        Body::Input(_) | Body::Captured(_) | Body::Read(_) | Body::Part(_) => {
            ("value".into(), "value".into(), own, Vec::new())
        }
    };
    let (scope, purpose) = main;
    TaskFacts {
        name: name.into(),
        operation: operation.into(),
        scope,
        purpose,
        also: also.into(),
        bytes,
        flops,
    }
}

type Part = (Option<Arc<str>>, Option<&'static str>);

fn part(instruction: &Instruction) -> Part {
    (instruction.scope.clone(), instruction.purpose)
}

/// The bare name of an operation, without its axes and shapes.
fn op_name(op: &Op) -> String {
    let name = op.name();
    name.split(' ').next().unwrap_or_default().to_owned()
}

/// The name of a region, its main operation, whose part that is, and which other parts are in it.
fn of_region(region: &Region) -> (String, String, Part, Vec<Part>) {
    let is_work = |inner: &&Instruction| match &inner.body {
        Body::Op(op) => !matches!(op, Op::Broadcast(_) | Op::Constant(_)),
        _ => false,
    };
    let work: Vec<(&Instruction, String)> = region
        .body
        .iter()
        .filter(is_work)
        .filter_map(|inner| match &inner.body {
            Body::Op(op) => Some((inner, op_name(op))),
            _ => None,
        })
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for (_, name) in &work {
        if !names.contains(&&**name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let name = if more > 0 { format!("{} + {more} more", names.join(" + ")) } else { names.join(" + ") };

    let mut parts: Vec<(Part, usize)> = Vec::new();
    for (inner, _) in &work {
        let own = part(inner);
        match parts.iter_mut().find(|(part, _)| *part == own) {
            Some((_, count)) => *count += 1,
            None => parts.push((own, 1)),
        }
    }
    let product = work.iter().find(|(inner, _)| matches!(inner.body, Body::Op(Op::Dot { .. })));
    let largest = || parts.iter().rev().max_by_key(|(_, count)| *count).map(|(part, _)| part.clone());
    let main = product.map(|(inner, _)| part(inner)).or_else(largest).unwrap_or_default();
    let operation = match (product, &work[..]) {
        (Some(_), _) => "dot".to_owned(),
        (None, [(_, only)]) => only.clone(),
        _ => "element-wise".to_owned(),
    };
    let name = if name.is_empty() { "broadcast".to_owned() } else { name };
    let also = parts.into_iter().map(|(part, _)| part).filter(|part| *part != main).collect();
    (name, operation, main, also)
}
