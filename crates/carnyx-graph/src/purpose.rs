//! What the instructions of a graph are for: forward, loss, gradients, whatever its maker distinguishes.
//!
//! A graph works the same without it. Only recordings look at it, to say where time goes. Invariant: purposes change
//! neither the instructions and their order nor the [key](Graph::key) of a graph.

use crate::graph::{Body, Capture, Graph, Id};
use crate::op::Op;
use crate::{Result, Tensor, Variable};

/// A tensor, and what it and whatever is only needed for it is computed for.
///
/// # Example
/// ```
/// use carnyx_graph::{Aim, Tensor};
/// let x = Tensor::scalar(3f32);
/// let (forward, loss) = (Aim::new("forward", &x.exp()), Aim::new("loss", &x.exp().square()));
/// assert_eq!((forward.purpose, loss.purpose), ("forward", "loss"));
/// ```
#[derive(Clone, Debug)]
pub struct Aim {
    /// One word.
    pub purpose: &'static str,
    /// What is computed.
    pub tensor: Tensor,
    /// In whose layers it counts, if it was described outside of all layers.
    pub beside: Option<Tensor>,
}

impl Aim {
    /// `tensor` is computed for `purpose`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Aim, Tensor};
    /// assert!(Aim::new("loss", &Tensor::scalar(3f32)).beside.is_none());
    /// ```
    pub fn new(purpose: &'static str, tensor: &Tensor) -> Aim {
        Aim { purpose, tensor: tensor.clone(), beside: None }
    }

    /// The same in the layers of another tensor: a gradient beside what it is the gradient of, a new weight beside the
    /// one that the layer reads.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Aim, Array, Tensor, Variable};
    /// let weight = Variable::from(Array::scalar(2f32));
    /// let next = Tensor::read(&weight) * 0.9;
    /// assert!(Aim::new("optimizer", &next).beside(&Tensor::read(&weight)).beside.is_some());
    /// ```
    pub fn beside(self, other: &Tensor) -> Aim {
        Aim { beside: Some(other.clone()), ..self }
    }
}

impl Graph {
    /// As [`capture`](Graph::capture), with a purpose for each instruction. What several aims need belongs to the first
    /// of them. Aims that the graph does not compute are passed over.
    ///
    /// # Errors
    /// Those of [`capture`](Graph::capture).
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Aim, Array, Graph, Tensor};
    /// let x = Tensor::from(Array::full([32], 1f32));
    /// let (prediction, loss) = (x.exp(), x.exp().mean());
    /// let aims = [Aim::new("forward", &prediction), Aim::new("loss", &loss)];
    /// let graph = Graph::capture_for(&[prediction, loss], &[], &aims)?;
    /// let purposes: Vec<_> = graph.instructions.iter().map(|instruction| instruction.purpose).collect();
    /// assert_eq!(purposes[..2], [Some("forward"); 2]); // the data, and `exp`
    /// assert_eq!(*purposes.last().unwrap(), Some("loss"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn capture_for(outputs: &[Tensor], updates: &[(Variable, Tensor)], aims: &[Aim]) -> Result<Graph> {
        let mut capture = Capture::all(outputs, updates)?;
        for aim in aims {
            let beside = aim.beside.as_ref().and_then(|tensor| number_of(&capture, tensor));
            if let Some(root) = capture.number_of(&aim.tensor) {
                mark(&mut capture.graph, aim.purpose, root, beside);
            }
        }
        Ok(capture.graph)
    }
}

/// The instruction of a tensor. A variable that is read anew is the one that was read before.
fn number_of(capture: &Capture, tensor: &Tensor) -> Option<Id> {
    match tensor.op() {
        Op::Read(variable) => {
            let slot = capture.slot_of(variable)?;
            let reads = |body: &Body| matches!(body, Body::Read(read) if *read == slot);
            capture.graph.instructions.iter().position(|instruction| reads(&instruction.body))
        }
        _ => capture.number_of(tensor),
    }
}

/// Gives `purpose` to whatever is needed for `root` and has none, and the layers of `beside` to what is in no layer.
fn mark(graph: &mut Graph, purpose: &'static str, root: Id, beside: Option<Id>) {
    let scope = beside.and_then(|id| graph.instructions[id].scope.clone());
    let mut pending = vec![root];
    while let Some(id) = pending.pop() {
        let instruction = &mut graph.instructions[id];
        if instruction.purpose.is_some() {
            continue;
        }
        instruction.purpose = Some(purpose);
        if instruction.scope.is_none() {
            instruction.scope.clone_from(&scope);
        }
        pending.extend(&graph.instructions[id].operands);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Array;
    use std::sync::Arc;

    /// A layer's output, its loss, and a step of gradient descent.
    fn step() -> (Tensor, Tensor, Vec<(Variable, Tensor)>, Vec<Aim>) {
        let weight = Variable::from(Array::from([0.5f32, 0.25]));
        let layer = Arc::from("dense");
        let x = Tensor::from(Array::full([2], 3f32)).entering(&layer);
        let prediction = (x * Tensor::read(&weight)).exp().leaving(&layer);
        let loss = prediction.square().mean();
        let gradients = loss.gradients(std::slice::from_ref(&weight));
        let next = Tensor::read(&weight) - gradients.of(&weight).unwrap() * 0.1;
        let mut aims = vec![Aim::new("forward", &prediction), Aim::new("loss", &loss)];
        aims.extend(gradients.cotangents().map(|(of, g)| Aim::new("backward", g).beside(of)));
        aims.push(Aim::new("optimizer", &next).beside(&Tensor::read(&weight)));
        (prediction, loss, vec![(weight, next)], aims)
    }

    #[test]
    fn every_instruction_has_the_purpose_of_the_first_that_needs_it() {
        let (_, loss, updates, aims) = step();
        let graph = Graph::capture_for(&[loss], &updates, &aims).unwrap();
        let text = |instruction: &crate::graph::Instruction| {
            let Body::Op(op) = &instruction.body else { return "leaf".to_owned() };
            let scope = instruction.scope.as_deref().unwrap_or("-");
            format!("{} {scope} {}", op.name(), instruction.purpose.unwrap_or("-"))
        };
        let lines: Vec<String> = graph.instructions.iter().map(text).collect();
        assert!(lines.contains(&"exp dense forward".to_owned()), "{lines:#?}");
        assert!(
            lines.contains(&"square - loss".to_owned()) || lines.contains(&"mul - loss".to_owned()),
            "{lines:#?}"
        );
        assert!(lines.contains(&"mul dense backward".to_owned()), "{lines:#?}");
        assert!(lines.contains(&"sub dense optimizer".to_owned()), "{lines:#?}");
        assert!(graph.instructions.iter().all(|instruction| instruction.purpose.is_some()), "{lines:#?}");
    }

    #[test]
    fn purposes_change_nothing() {
        let (_, loss, updates, aims) = step();
        let with = Graph::capture_for(std::slice::from_ref(&loss), &updates, &aims).unwrap();
        let without = Graph::capture(&[loss], &updates).unwrap();
        assert_eq!(with.to_string(), without.to_string());
        assert_eq!(with.key(), without.key());
    }
}
