//! The gradients of the loss of one batch, for those who look at them.

use super::trace::{Core, Phase, e_at, feed_of};
use crate::steps::Batch;
use carnyx_graph::{Array, Bindings, Feed, Graph, Result, Tensor, Variable};
use std::panic::Location;

impl Core {
    /// The gradients for all weights that learn from this batch. Nothing changes, neither weights nor totals.
    pub(crate) fn gradients(
        &mut self,
        batch: &Batch,
        (seed, step): (u64, u64),
        site: &'static Location<'static>,
    ) -> Result<Vec<(Variable, Array)>> {
        let key = self.key(Phase::Train, batch.num_rows(), &batch.data, 0);
        let loss = self.describe_step(&key, site)?.loss;
        let learns = |v: &&Variable| v.is_trainable() && v.shape().is_some();
        let variables: Vec<Variable> = self.network.variables.iter().filter(learns).cloned().collect();
        let gradients = loss.gradients(&variables);
        let (variables, slopes): (Vec<Variable>, Vec<Tensor>) = gradients
            .iter()
            .filter(|(variable, _)| gradients.reaches(variable))
            .map(|(variable, slope)| (variable.clone(), slope.clone()))
            .unzip();
        let mut graph = Graph::capture(&slopes, &[]).map_err(|error| e_at(error, site))?;
        // Layers bring updates with them: moving averages.
        graph.updates.clear();
        let feeds: Vec<Feed> =
            graph.inputs.iter().map(|slot| batch.feed(feed_of(&slot.name, &key))).collect();
        let mut session = self.executor().compile(&graph)?.session();
        session.run(&Bindings {
            inputs: &feeds,
            captured: &graph.captured,
            variables: &graph.variables,
            seed,
            step,
        })?;
        Ok(variables.into_iter().enumerate().map(|(i, variable)| (variable, session.output(i))).collect())
    }
}
