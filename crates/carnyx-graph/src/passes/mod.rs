//! Passes: graph → graph, one pure function a file. Each maps valid graphs to valid graphs of the same meaning.

mod fuse;
mod simplify;

pub use fuse::fuse;
pub use simplify::simplify;

use crate::graph::{Body, Graph, Id, Instruction};

/// All passes, in the order in which executors want them. In debug builds each result is checked.
///
/// # Example
/// ```
/// # use carnyx_graph::{Array, Graph, Tensor, passes::optimize};
/// let x = Tensor::from(Array::full([32], 1f32));
/// let graph = Graph::capture(&[(x * 1.0 + 2.0).exp()], &[])?;
/// assert_eq!((graph.instructions.len(), optimize(&graph).instructions.len()), (8, 2));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn optimize(graph: &Graph) -> Graph {
    let simple = simplify(graph);
    debug_check(&simple);
    let fused = fuse(&simple);
    debug_check(&fused);
    fused
}

fn debug_check(graph: &Graph) {
    if cfg!(debug_assertions) {
        graph.check();
    }
}

/// The graph without instructions that nothing asks for.
///
/// # Example
/// ```
/// # use carnyx_graph::{Array, Graph, Tensor, passes::drop_unused};
/// let x = Tensor::from(Array::full([32], 1f32));
/// let mut graph = Graph::capture(&[x.exp(), x.sin()], &[])?;
/// graph.outputs.pop();
/// assert_eq!(drop_unused(&graph).to_string(), "\
/// %0: f32[32] = captured 0
/// %1: f32[32] = exp %0
/// outputs: %1
/// ");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn drop_unused(graph: &Graph) -> Graph {
    let mut used = vec![false; graph.instructions.len()];
    let ends = graph.outputs.iter().chain(graph.updates.iter().map(|(_, id)| id)).chain(&graph.guard);
    ends.for_each(|&id| used[id] = true);
    for id in (0..used.len()).rev() {
        if used[id] {
            graph.instructions[id].operands.iter().for_each(|&operand| used[operand] = true);
        }
    }
    let mut renumbered = Renumbering::new(graph);
    for (id, instruction) in graph.instructions.iter().enumerate() {
        if used[id] {
            let new = renumbered.push(instruction, instruction.body.clone());
            renumbered.map(id, new);
        }
    }
    renumbered.finish()
}

/// A graph being written from another: old numbers lead to new ones.
pub(crate) struct Renumbering<'a> {
    old: &'a Graph,
    pub(crate) new: Graph,
    number: Vec<Option<Id>>,
}

impl<'a> Renumbering<'a> {
    pub(crate) fn new(old: &'a Graph) -> Renumbering<'a> {
        let new = Graph {
            inputs: old.inputs.clone(),
            captured: old.captured.clone(),
            variables: old.variables.clone(),
            ..Graph::default()
        };
        Renumbering { old, new, number: vec![None; old.instructions.len()] }
    }

    /// The new number of old instruction `id`.
    pub(crate) fn of(&self, id: Id) -> Id {
        self.number[id].expect("an instruction is written before its use")
    }

    pub(crate) fn map(&mut self, old: Id, new: Id) {
        self.number[old] = Some(new);
    }

    /// Appends `instruction` with another body, its operands renumbered.
    pub(crate) fn push(&mut self, instruction: &Instruction, body: Body) -> Id {
        let operands = instruction.operands.iter().map(|&id| self.of(id)).collect();
        self.new.push(Instruction { body, operands, ..instruction.clone() })
    }

    pub(crate) fn finish(mut self) -> Graph {
        self.new.outputs = self.old.outputs.iter().map(|&id| self.of(id)).collect();
        self.new.updates = self.old.updates.iter().map(|&(slot, id)| (slot, self.of(id))).collect();
        self.new.guard = self.old.guard.map(|id| self.of(id));
        self.new
    }
}
