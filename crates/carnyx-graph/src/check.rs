//! The type checker of graphs: what every pass must keep true. Runs after each pass in tests and debug builds.

use crate::graph::{Body, Graph, Instruction};
use crate::infer::{Facts, infer};
use crate::op::Op;

impl Graph {
    /// Panics with an explanation if this graph is not well-formed: an operand that is not computed before its use,
    /// a slot that does not exist, a shape or type that the operation does not give.
    ///
    /// # Panics
    /// If the graph is wrong, which is a bug of a pass.
    ///
    /// # Example
    /// ```should_panic
    /// # use carnyx_graph::{Graph, Tensor};
    /// let mut graph = Graph::capture(&[Tensor::scalar(1f32)], &[])?;
    /// graph.check(); // nothing to say
    /// graph.outputs.push(7);
    /// graph.check(); // panics: this graph is not well-formed: %7 is asked for but not computed
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn check(&self) {
        if let Err(problem) = self.problem() {
            panic!("this graph is not well-formed: {problem}\n{self}");
        }
    }

    fn problem(&self) -> Result<(), String> {
        for (id, instruction) in self.instructions.iter().enumerate() {
            let at = |problem: String| format!("%{id}: {problem}");
            let operand = |i: usize| self.instructions.get(i).filter(|_| i < id);
            let operands: Option<Vec<&Instruction>> =
                instruction.operands.iter().map(|&i| operand(i)).collect();
            let operands = operands.ok_or_else(|| at("an operand is not computed before it".into()))?;
            self.check_instruction(instruction, &operands).map_err(at)?;
        }
        let ends = self.outputs.iter().chain(self.updates.iter().map(|(_, id)| id)).chain(&self.guard);
        if let Some(id) = ends.copied().find(|&id| id >= self.instructions.len()) {
            return Err(format!("%{id} is asked for but not computed"));
        }
        for (slot, id) in &self.updates {
            let variable = self.variables.get(*slot).ok_or(format!("there is no variable slot {slot}"))?;
            let value = &self.instructions[*id];
            if value.dtype != variable.dtype() || variable.shape().is_some_and(|shape| shape != value.sizes) {
                return Err(format!("slot {slot} cannot take %{id}"));
            }
        }
        Ok(())
    }

    fn check_instruction(&self, instruction: &Instruction, operands: &[&Instruction]) -> Result<(), String> {
        let slot_exists = match &instruction.body {
            Body::Input(slot) => self.inputs.get(*slot).is_some_and(|s| s.sizes == instruction.sizes),
            Body::Captured(slot) => self.captured.get(*slot).is_some_and(|a| a.shape() == instruction.sizes),
            Body::Read(slot) => {
                self.variables.get(*slot).is_some_and(|v| v.shape().as_ref() == Some(&instruction.sizes))
            }
            Body::Op(_) | Body::Region(_) | Body::Part(_) => true,
        };
        if !slot_exists {
            return Err("its slot does not exist or has another shape".into());
        }
        match &instruction.body {
            Body::Op(op) => check_op(op, instruction, operands),
            Body::Region(region) => {
                let mut values: Vec<&Instruction> = operands.to_vec();
                for inner in &region.body {
                    let Body::Op(op) = &inner.body else {
                        return Err("a region holds operations only".into());
                    };
                    let known: Option<Vec<&Instruction>> =
                        inner.operands.iter().map(|&i| values.get(i).copied()).collect();
                    check_op(op, inner, &known.ok_or("a region's operand is not computed before it")?)?;
                    values.push(inner);
                }
                let results: Option<Vec<&Instruction>> =
                    region.results.iter().map(|&i| values.get(i).copied()).collect();
                let results = results.ok_or("a region's result is not computed")?;
                let first = results.first().ok_or("a region has no result")?;
                if (&first.sizes, first.dtype) != (&instruction.sizes, instruction.dtype) {
                    return Err("the region's first result has another shape or type".into());
                }
                Ok(())
            }
            Body::Part(index) => match operands {
                [Instruction { body: Body::Region(region), .. }] if *index < region.results.len() => Ok(()),
                _ => Err("it is a part of nothing".into()),
            },
            Body::Input(_) | Body::Captured(_) | Body::Read(_) => Ok(()),
        }
    }
}

fn check_op(op: &Op, instruction: &Instruction, operands: &[&Instruction]) -> Result<(), String> {
    if op.is_identity() || matches!(op, Op::Input(_) | Op::Read(_)) {
        return Err(format!("`{}` has no place in a graph", op.name()));
    }
    if matches!(op, Op::Iota(_) | Op::Random(..)) {
        return Ok(());
    }
    let facts: Vec<Facts> = operands.iter().map(|o| Facts::new(&o.sizes, o.dtype)).collect();
    let inferred = infer(op, &facts.iter().collect::<Vec<_>>()).map_err(|error| error.title().to_owned())?;
    if inferred == Facts::new(&instruction.sizes, instruction.dtype) {
        return Ok(());
    }
    Err(format!(
        "it says {}{:?}, but gives {}{}",
        instruction.dtype, instruction.sizes, inferred.dtype, inferred.shape
    ))
}
