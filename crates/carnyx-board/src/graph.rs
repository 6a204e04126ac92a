//! Graphs of operations as TensorBoard draws them: a node for each instruction, in boxes for the layers.
//!
//! The names of nodes are paths, and each part of a path is a box. Variables are in the boxes of their layers; what
//! belongs to no layer is in `step`: losses, totals of metrics, the arithmetic of the optimizer. Reference: [`graph.proto`](https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/graph.proto).

use crate::event::shape;
use crate::message::Message;
use carnyx_graph::graph::{Body, Instruction};
use carnyx_graph::{DType, Graph};
use std::collections::HashSet;

/// A `GraphDef`.
pub(crate) fn graph_def(graph: &Graph) -> Message {
    let mut taken = HashSet::new();
    let mut names: Vec<String> = Vec::new();
    let mut message = Message::new();
    let model = model(graph);
    for instruction in &graph.instructions {
        let name = free_name(name(instruction, graph, model), &mut taken);
        let inputs = instruction.operands.iter().map(|&operand| names[operand].as_str());
        message = message.message(1, &node(instruction, &name, inputs));
        names.push(name);
    }
    for (slot, value) in &graph.updates {
        let name = free_name(format!("{}/assign", path(*slot, graph, model)), &mut taken);
        let node = Message::new().text(1, &name).text(2, "Assign").text(3, &names[*value]);
        message = message.message(1, &node);
    }
    // The version of the format that wants no more than this.
    message.message(4, &Message::new().int(1, 22))
}

fn node<'a>(instruction: &Instruction, name: &str, inputs: impl Iterator<Item = &'a str>) -> Message {
    let node = Message::new().text(1, name).text(2, &operation(instruction));
    let node = inputs.fold(node, |node, input| node.text(3, input));
    let shapes = Message::new().message(7, &shape(&instruction.sizes));
    node.entry(5, "_output_shapes", &Message::new().message(1, &shapes)).entry(
        5,
        "dtype",
        &Message::new().uint(6, type_number(instruction.dtype)),
    )
}

/// The box around all layers, if there is one.
fn model(graph: &Graph) -> Option<&str> {
    let mut boxes =
        graph.instructions.iter().filter_map(|instruction| instruction.scope.as_deref()?.split(" > ").next());
    let first = boxes.next()?;
    boxes.all(|other| other == first).then_some(first)
}

/// The name without a number that makes it the only one.
fn name(instruction: &Instruction, graph: &Graph, model: Option<&str>) -> String {
    match &instruction.body {
        Body::Input(slot) => graph.inputs.get(*slot).map_or("input".into(), |input| input.name.to_string()),
        Body::Read(slot) => path(*slot, graph, model),
        _ => {
            let layers =
                instruction.scope.as_deref().map_or("step".to_owned(), |scope| scope.replace(" > ", "/"));
            format!("{layers}/{}", operation(instruction))
        }
    }
}

fn operation(instruction: &Instruction) -> String {
    match &instruction.body {
        Body::Input(_) => "Placeholder".into(),
        Body::Captured(_) => "constant".into(),
        Body::Read(_) => "Variable".into(),
        Body::Op(op) => op.name(),
        Body::Region(_) => "region".into(),
        Body::Part(_) => "part".into(),
    }
}

/// The path of a variable within its model, or its number.
fn path(slot: usize, graph: &Graph, model: Option<&str>) -> String {
    let path = graph.variables.get(slot).and_then(carnyx_graph::Variable::path);
    match (path, model) {
        (Some(path), Some(model)) => format!("{model}/{path}"),
        (Some(path), None) => path.to_string(),
        (None, _) => format!("step/variable_{slot}"),
    }
}

/// The name, with characters that TensorFlow knows, and a number if there is one of that name.
fn free_name(name: String, taken: &mut HashSet<String>) -> String {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let name: String = name.chars().map(|c| if is_known(c) { c } else { '_' }).collect();
    let numbered = (1..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(free.clone());
    free
}

fn type_number(dtype: DType) -> u64 {
    match dtype {
        DType::F32 => 1,
        DType::F64 => 2,
        DType::I32 => 3,
        DType::U8 => 4,
        DType::I64 => 9,
        DType::Bool => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_only_ones_of_their_kind() {
        let mut taken = HashSet::new();
        let names = ["a/mul", "a/mul", "a b/é", "a/mul"].map(|name| free_name(name.into(), &mut taken));
        assert_eq!(names, ["a/mul", "a/mul_1", "a_b/_", "a/mul_2"]);
    }
}
