//! Loss and gradient of a batch, without a step.

use super::trace::{Core, Phase, Prepared};
use crate::profile::marks::Marks;
use crate::steps::Batch;
use carnyx_graph::{DType, Graph, Result, Tensor, Variable};
use std::panic::Location;

impl Core {
    /// The program that gives the loss of a batch as in training, and the square of the length of its gradient by all
    /// trainable variables. It changes nothing.
    pub(crate) fn probe_program(
        &mut self,
        batch: &Batch,
        site: &'static Location<'static>,
    ) -> Result<Prepared> {
        let key = self.key(Phase::Train, batch.num_rows(), &batch.data, 0);
        let step = self.describe_step(&key, site)?;
        let learns = |v: &&Variable| v.is_trainable() && v.shape().is_some();
        let variables: Vec<Variable> = self.network.variables.iter().filter(learns).cloned().collect();
        let gradients = step.loss.gradients(&variables);
        let squares = gradients.iter().map(|(_, gradient)| gradient.cast(DType::F64).square().sum());
        let square = squares.reduce(|sum, square| sum + square).unwrap_or_else(|| Tensor::scalar(0f64));
        let mut graph = Graph::capture(&[step.loss, square], &[])?;
        // Layers bring updates with them: moving averages.
        graph.updates.clear();
        let marks = Marks::of(self.executor());
        self.prepare(key, graph, Vec::new(), (&marks, marks.begin()))
    }
}
