//! A loss that is known by what it computes: how a file holds a loss of one's own.

use super::{Loss, Objective, Term};
use crate::models::trace::targets_of_outputs;
use crate::{Layer, Module, Traced};
use carnyx_graph::{Facts, Mode, Result, Tensor};
use std::sync::Arc;

/// The loss of each sample as a trace with two inputs, targets and predictions. Made for the shapes of one model; the
/// number of samples is free.
pub(crate) struct TracedLoss {
    pub(crate) name: String,
    pub(crate) trace: Traced,
}

/// A loss has no variables, and so its trace has none.
#[derive(Clone, Module)]
struct NoVariables;

impl TracedLoss {
    /// # Errors
    /// The loss's own, if it does not fit targets and predictions like these; `trace`, if it reads variables.
    pub(crate) fn of(loss: &dyn Loss, target: &Facts, prediction: &Facts) -> Result<TracedLoss> {
        let placeholder =
            |name: &str, facts: &Facts| Tensor::placeholder(name, facts.clone(), Mode::Blueprint);
        let call = |inputs: &[Tensor]| {
            let losses = loss.per_sample(&inputs[0], &inputs[1]);
            losses.check().map(|()| vec![losses])
        };
        let inputs = [placeholder("target", target), placeholder("prediction", prediction)];
        let trace = Traced::of_call(&NoVariables, &["loss".into()], &call, &inputs)?;
        Ok(TracedLoss { name: loss.name(), trace })
    }
}

impl Loss for TracedLoss {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let target = match self.trace.inference.inputs[0].facts() {
            Ok(stated) if !target.is_invalid() => target.cast(stated.dtype),
            _ => target.clone(),
        };
        self.trace.call(&vec![target, prediction.clone()]).swap_remove(0)
    }

    fn config(&self) -> Option<crate::Config> {
        Some(crate::saving::traced_loss_config(self))
    }
}

impl Objective {
    /// The same objective with traces in the place of losses that no file can describe otherwise.
    ///
    /// # Errors
    /// As for [`TracedLoss::of`].
    pub(crate) fn with_traces(
        &self,
        outputs: &[Arc<str>],
        predictions: &[Facts],
        targets: &[Facts],
    ) -> Result<Objective> {
        if self.terms().iter().all(|term| term.loss().config().is_some()) {
            return Ok(self.clone());
        }
        let resolved = self.resolve(outputs)?;
        // A model that has not met targets yet: they will mostly be like the predictions.
        let target_of = targets_of_outputs(targets.len(), outputs, &resolved)
            .unwrap_or_else(|_| vec![None; outputs.len()]);
        let term = |(output, term): (usize, &Term)| -> Result<Term> {
            let target = target_of[output].map_or(&predictions[output], |target| &targets[target]);
            let loss = match term.loss().config() {
                Some(_) => term.loss.clone(),
                None => {
                    let traced = TracedLoss::of(term.loss(), target, &predictions[output])?;
                    Arc::new(traced.reduction(term.loss().reduced_by()))
                }
            };
            let name = (outputs.len() > 1).then(|| outputs[output].clone());
            Ok(Term::new(loss, name, term.weight()))
        };
        resolved.into_iter().map(term).collect::<Result<Vec<_>>>().map(Objective::of)
    }
}
