//! Ids in the data that no table has: looked for before the first step, because a program in its run clamps them.

use crate::losses::count;
use carnyx_graph::graph::Body;
use carnyx_graph::op::Op;
use carnyx_graph::{Array, Error, Graph, Result};
use std::sync::Arc;

/// A table that rows are looked up in by the ids of an input.
#[derive(Debug)]
pub(super) struct Table {
    /// The input slot of the graph.
    slot: usize,
    rows: usize,
    path: Option<Arc<str>>,
}

/// The tables of `graph` whose ids come straight from its inputs.
pub(super) fn tables(graph: &Graph) -> Vec<Table> {
    let table = |instruction: &carnyx_graph::graph::Instruction| {
        let (Body::Op(Op::Gather(0)), [table, ids]) = (&instruction.body, &instruction.operands[..]) else {
            return None;
        };
        let Body::Read(variable) = graph.instructions[*table].body else { return None };
        let variable = &graph.variables[variable];
        let mut ids = &graph.instructions[*ids];
        while let Body::Op(Op::Cast(_) | Op::Reshape(_)) = &ids.body {
            ids = &graph.instructions[ids.operands[0]];
        }
        let Body::Input(slot) = ids.body else { return None };
        Some(Table { slot, rows: *variable.shape()?.first()?, path: variable.path() })
    };
    graph.instructions.iter().filter_map(table).collect()
}

/// That each of these tables has a row for each id; `array_of` says which of the arrays an input slot is fed with.
pub(super) fn check(tables: &[Table], array_of: &[usize], arrays: &[Array]) -> Result {
    for Table { slot, rows, path } in tables {
        let Some(array) = array_of.get(*slot).and_then(|&place| arrays.get(place)) else { continue };
        let is_missing = |id: &f64| id.is_nan() || *id >= *rows as f64 || *id < -(*rows as f64);
        let Some(i) = (0..array.len()).find(|&i| is_missing(&array.element(i))) else { continue };
        let (id, table) = (array.element(i), path.as_deref().unwrap_or("a table"));
        let row = i / array.row_len().max(1);
        return Err(Error::new(
            "data",
            format!("the id {id} is looked up in `{table}`, which has {}", count(*rows, "row")),
        )
        .label(format!("it is in sample {row}; ids go from 0 to {}", rows - 1))
        .help(
            "make the `Embedding` larger, or number the words from 0 on, for example with a `StringLookup`",
        ));
    }
    Ok(())
}
