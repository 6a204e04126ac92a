//! The first samples and the first weights of a fit, kept to be measured where the loss gives reason to.
//!
//! The first step that changes a weight makes it a copy, since the old value is kept: once in a fit. Invariant: variables
//! are what they were when a measurement is over, and a measurement that fails is none.

use super::Pass;
use crate::models::trace::{Core, Prepared};
use crate::stability::{Instability, Watch, is_worse};
use crate::steps::{Batch, Steps};
use carnyx_graph::{Array, Bindings, Feed, Result, Variable};

/// Weights of more elements are not kept: they are that much memory once more.
const KEPT_ELEMENTS: usize = 1 << 24;
/// The samples that are measured, if the first batch is smaller: a few may be easy by chance.
const SAMPLES: usize = 128;
/// How many times worse than worth a word the loss has to be where batches are not drawn at random: what was learned long
/// ago is forgotten there without any jump.
const IN_ORDER: f64 = 60.0;

/// Watches the first steps of a fit.
pub(crate) struct Stability {
    pub(crate) watch: Watch,
    beginning: Option<Beginning>,
}

/// What there was before the first step.
struct Beginning {
    /// The samples that are measured.
    batch: Batch,
    /// The variables that learn, with their values, unless these are too many or unknown.
    weights: Vec<(Variable, Array)>,
    pass: Pass,
    /// The program that measures, once there was reason to.
    program: Option<Prepared>,
}

impl Stability {
    /// Nothing has been seen.
    pub(crate) fn new() -> Stability {
        Stability { watch: Watch::new(), beginning: None }
    }

    /// Keeps what there is before the first step.
    pub(super) fn begin(&mut self, core: &Core, steps: &Steps, pass: Pass) {
        if core.dynamic {
            // Another trace might take other decisions.
            return self.watch.end();
        }
        let weights = first_weights(core).unwrap_or_default();
        // Without the weights, only the loss of the first batch is known.
        let batch = if weights.is_empty() { Batch::of(steps) } else { Batch::at_least(steps, SAMPLES) };
        self.beginning = Some(Beginning { batch, weights, pass, program: None });
    }

    /// The same in a fit that continues from a backup: the weights are not known any more, and `first`, the first batch, may
    /// not be known either.
    pub(super) fn resume(&mut self, first: Option<Batch>, pass: Pass) {
        match first {
            Some(batch) => {
                self.beginning = Some(Beginning { batch, weights: Vec::new(), pass, program: None });
            }
            None => self.watch.end(),
        }
    }

    /// After a step: whether the steps so far have made the model worse. The place in the fit is not known here.
    #[inline]
    pub(super) fn look(&mut self, core: &mut Core, loss: f64) -> Option<Instability> {
        let found = if self.watch.is_alarmed(loss) { self.measure(core) } else { None };
        if self.watch.is_over() && self.beginning.is_some() {
            self.beginning = None;
        }
        found
    }

    /// A loss that is not a finite number: what there is to say of it.
    pub(super) fn sees_non_finite(&mut self, loss: f64) -> Option<Instability> {
        let is_watched = !self.watch.begins() && !self.watch.is_over();
        self.watch.end();
        self.beginning = None;
        is_watched.then(|| found(self.watch.first(), loss, None))
    }

    #[cold]
    fn measure(&mut self, core: &mut Core) -> Option<Instability> {
        let beginning = self.beginning.as_mut()?;
        let mut program = match beginning.program.take() {
            Some(program) => program,
            None => core.probe_program(&beginning.batch, beginning.pass.site).ok()?,
        };
        let (loss, length) = beginning.measure(&mut program).ok()?;
        let before = beginning.with_first_weights(|beginning| beginning.measure(&mut program)).ok()?;
        let loss_before = before.map_or(self.watch.first(), |(loss, _)| loss);
        let times = if beginning.pass.is_random { 1.0 } else { IN_ORDER };
        if !is_worse(loss, loss_before, times) {
            beginning.program = Some(program);
            return None;
        }
        let growth = before.map(|(_, before)| length / before).filter(|growth| growth.is_finite());
        self.watch.end();
        Some(found(loss_before, loss, growth))
    }
}

/// What was found; its place in the fit is not known here.
fn found(loss_before: f64, loss_after: f64, gradient_growth: Option<f64>) -> Instability {
    Instability { epoch: 0, step: 0, loss_before, loss_after, gradient_growth, learning_rate: 0.0 }
}

/// The variables that learn with their values; none, if these are too many.
fn first_weights(core: &Core) -> Result<Vec<(Variable, Array)>> {
    let learns = |variable: &&Variable| variable.is_trainable() && variable.has_value();
    let learn: Vec<&Variable> = core.network.variables.iter().filter(learns).collect();
    let shapes = learn.iter().filter_map(|variable| variable.shape());
    if shapes.map(|shape| shape.iter().product::<usize>()).sum::<usize>() > KEPT_ELEMENTS {
        return Ok(Vec::new());
    }
    learn.into_iter().map(|variable| Ok((variable.clone(), variable.value()?))).collect()
}

impl Beginning {
    /// Loss of the samples, and length of its gradient, with the random numbers of the first step.
    fn measure(&self, program: &mut Prepared) -> Result<(f64, f64)> {
        let inputs: &[Feed] = &program.feeds.iter().map(|&place| self.batch.feed(place)).collect::<Vec<_>>();
        let (captured, variables) = (&program.graph.captured, &program.graph.variables);
        let (seed, step) = (self.pass.seed, self.pass.first_iteration);
        program.session.run(&Bindings { inputs, captured, variables, seed, step })?;
        Ok((program.session.number(0), program.session.number(1).sqrt()))
    }

    /// What `measure` gives with the weights of before the first step, if they are known.
    fn with_first_weights<T>(&self, measure: impl FnOnce(&Beginning) -> Result<T>) -> Result<Option<T>> {
        if self.weights.is_empty() {
            return Ok(None);
        }
        let now: Vec<Array> = self.weights.iter().map(|(weight, _)| weight.value()).collect::<Result<_>>()?;
        let assigned = self.weights.iter().try_for_each(|(weight, first)| weight.assign(first));
        let measured = assigned.and_then(|()| measure(self));
        self.weights.iter().zip(&now).try_for_each(|((weight, _), now)| weight.assign(now))?;
        measured.map(Some)
    }
}
