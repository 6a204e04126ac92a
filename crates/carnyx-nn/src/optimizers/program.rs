//! The arithmetic of a whole step: what the options do with gradients and weights, around the rule.
//!
//! Invariant: what is not asked for leaves no trace. An optimizer without options describes its rule and nothing else,
//! so that an executor finds the forms that it knows.

use super::{ACCUMULATOR, AVERAGE, Average, Optimizer, Options, Slots, Step, kept_for};
use carnyx_graph::{DType, Error, Gradients, Tensor, Variable};
use std::collections::HashSet;

type Pairs = Vec<(Variable, Tensor)>;

impl Optimizer {
    /// Every variable that a step changes with its new value.
    #[track_caller]
    pub(super) fn describe_updates(&mut self, gradients: &Gradients) -> Pairs {
        let batch = Tensor::read(&self.iterations) + 1i64;
        let pairs =
            gradients.iter().map(|(variable, gradient)| (variable.clone(), gradient.clone())).collect();
        let mut sums = Pairs::new();
        let (gradients, number, is_due) = match self.options.accumulation {
            None => (pairs, batch.clone(), None),
            Some(batches) => {
                let is_due = (&batch % batches as i64).equal(0i64);
                let means = self.accumulate(pairs, batches, &is_due, &mut sums);
                (means, Tensor::read(&self.iterations) / batches as i64 + 1i64, Some(is_due))
            }
        };
        let step = Step { learning_rate: Tensor::read(&self.rate), number: number.cast(DType::F32) };
        let weights: HashSet<u64> = gradients.iter().map(|(variable, _)| variable.id()).collect();
        let mut updates = self.follow_rule(&self.options.clipped(gradients), &step);
        if let Some(is_due) = &is_due {
            for (variable, value) in &mut updates {
                *value = is_due.select(&*value, Tensor::read(variable));
            }
        }
        let mut averages = Pairs::new();
        for (variable, value) in updates.iter_mut().filter(|(variable, _)| weights.contains(&variable.id())) {
            if let Some(average) = self.options.average {
                let slot = kept_for(&mut self.kept, Some(variable), AVERAGE).clone();
                let mean = average.next(&slot, value, &number);
                *value = average.overwritten(value, &mean, &number);
                averages.push((slot, mean));
            }
            *value = constrained(variable, value);
        }
        updates.extend(averages);
        updates.extend(sums);
        updates.push((self.iterations.clone(), batch));
        updates
    }

    /// The mean of the gradients since the last step, whose sums are kept until it is due.
    #[track_caller]
    fn accumulate(&mut self, gradients: Pairs, batches: usize, is_due: &Tensor, sums: &mut Pairs) -> Pairs {
        let mean = |(variable, gradient): (Variable, Tensor)| {
            let slot = kept_for(&mut self.kept, Some(&variable), ACCUMULATOR);
            let sum = gradient + Tensor::read(slot);
            sums.push((slot.clone(), is_due.select(sum.zeros_like(), &sum)));
            (variable, sum / batches as f64)
        };
        gradients.into_iter().map(mean).collect()
    }

    /// What the rule makes of weights, which decay first, and of its slots.
    #[track_caller]
    fn follow_rule(&mut self, gradients: &[(Variable, Tensor)], step: &Step) -> Pairs {
        let mut updates = Pairs::new();
        for (variable, gradient) in gradients {
            let weight = Tensor::read(variable);
            let decay = self.rule.decay_of(variable, self.options.weight_decay);
            let weight = match decay.filter(|_| self.options.decays(variable)) {
                Some(decay) if decay != 0.0 => &weight - &weight * decay * &step.learning_rate,
                _ => weight,
            };
            let (rule, memory) = (&*self.rule, &mut self.memory);
            let mut slots = Slots { rule, weight: variable, memory, updates: &mut updates };
            let value = self.rule.update(&weight, gradient, step, &mut slots);
            updates.push((variable.clone(), value));
        }
        updates
    }
}

/// The new value of a variable within its bounds, if it has any.
#[track_caller]
fn constrained(variable: &Variable, value: &Tensor) -> Tensor {
    let Some(constraint) = variable.constraint() else { return value.clone() };
    let bounded = constraint.constrain(value);
    match (bounded.facts(), value.facts()) {
        (Err(error), _) => Tensor::invalid(error.note(format!("in the constraint of {variable:?}"))),
        (Ok(bounded), Ok(value)) if bounded != value => Tensor::invalid(
            Error::new("constraint", format!("a constraint gives {}{}", bounded.dtype, bounded.shape))
                .label(format!("it should keep shape and type of {variable:?}")),
        ),
        _ => bounded,
    }
}

impl Options {
    /// Whether a weight decays, by its path.
    fn decays(&self, weight: &Variable) -> bool {
        let path = weight.path().unwrap_or_default();
        !self.without_decay.iter().any(|part| path.contains(part.as_str()))
    }

    /// The gradients, none of which is too long.
    #[track_caller]
    fn clipped(&self, gradients: Pairs) -> Pairs {
        let each = |change: &dyn Fn(&Tensor) -> Tensor| {
            let changed = |(variable, gradient): &(Variable, Tensor)| (variable.clone(), change(gradient));
            gradients.iter().map(changed).collect()
        };
        if let Some(limit) = self.clip_value {
            return each(&|g| g.clip(-limit, limit));
        }
        if let Some(limit) = self.clip_norm {
            return each(&|g| g * limit / g.square().sum().sqrt().maximum(limit));
        }
        let Some(limit) = self.global_clip_norm else { return gradients };
        let squares = gradients.iter().map(|(_, gradient)| gradient.square().sum());
        let Some(square) = squares.reduce(|sum, square| sum + square) else { return gradients };
        let scale = limit / square.sqrt().maximum(limit);
        each(&|g| g * &scale)
    }
}

impl Average {
    /// The average after a weight has become `value` in the step `number`; the first one is the weight itself.
    #[track_caller]
    fn next(self, slot: &Variable, value: &Tensor, number: &Tensor) -> Tensor {
        let momentum = number.equal(1i64).select(Tensor::scalar(0f32), Tensor::scalar(self.momentum as f32));
        &momentum * Tensor::read(slot) + (1.0 - &momentum) * value
    }

    /// The weight, or its average in the steps in which that takes its place.
    #[track_caller]
    fn overwritten(self, value: &Tensor, mean: &Tensor, number: &Tensor) -> Tensor {
        match self.overwrite_every {
            None => value.clone(),
            Some(steps) => (number % steps as i64).equal(0i64).select(mean, value),
        }
    }
}
