//! Graphs as text: one line an instruction, for golden tests and for reading.

use crate::graph::{Body, Graph, Instruction};
use std::fmt;

fn write_instruction(
    f: &mut fmt::Formatter,
    id: usize,
    instruction: &Instruction,
    indent: &str,
) -> fmt::Result {
    write!(f, "{indent}%{id}: {}", instruction.dtype)?;
    if !instruction.sizes.is_empty() {
        write!(f, "{:?}", instruction.sizes)?;
    }
    f.write_str(" = ")?;
    let operands: String = instruction.operands.iter().map(|id| format!(" %{id}")).collect();
    match &instruction.body {
        Body::Input(slot) => write!(f, "input {slot}"),
        Body::Captured(slot) => write!(f, "captured {slot}"),
        Body::Read(slot) => write!(f, "read {slot}"),
        Body::Part(index) => write!(f, "part {index} of{operands}"),
        Body::Op(op) => {
            let text = op.to_string();
            let (name, attributes) = text.split_once(' ').map_or((&*text, ""), |(name, rest)| (name, rest));
            let space = if attributes.is_empty() { "" } else { " " };
            write!(f, "{name}{operands}{space}{attributes}")
        }
        Body::Region(region) => {
            writeln!(f, "region{operands} {{")?;
            let first = instruction.operands.len();
            for (i, inner) in region.body.iter().enumerate() {
                write_instruction(f, first + i, inner, &format!("{indent}  "))?;
                writeln!(f)?;
            }
            let results: String = region.results.iter().map(|id| format!(" %{id}")).collect();
            write!(f, "{indent}}} yields{results}")
        }
    }
}

/// `%3: f32[32, 300] = dot %1 %2`, a line each, then outputs, updates and the guard. Inside a region `%0`, `%1`, …
/// are its operands.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (id, instruction) in self.instructions.iter().enumerate() {
            write_instruction(f, id, instruction, "")?;
            writeln!(f)?;
        }
        let outputs: String = self.outputs.iter().map(|id| format!(" %{id}")).collect();
        writeln!(f, "outputs:{outputs}")?;
        for (slot, id) in &self.updates {
            writeln!(f, "update {slot} with %{id}")?;
        }
        if let Some(id) = self.guard {
            writeln!(f, "guard: %{id}")?;
        }
        Ok(())
    }
}
