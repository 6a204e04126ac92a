//! Optimizers: how weights follow their gradients.
//!
//! A [`Rule`] is pure arithmetic on tensors: the new weight from the old one, its gradient, and the slots that the
//! rule remembers. An [`Optimizer`] is a rule at work: it owns the slots, counts the steps and holds the learning
//! rate. The arithmetic becomes part of the training program; the learning rate is a variable of it, so changing
//! it between two steps plans nothing anew.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::Forks;
use crate::engine::Updates;
use carnyx_graph::{Array, DType, Gradients, Result, Tensor, Variable};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How one weight moves.
///
/// # Example
/// A rule of one's own: the sign of the gradient only.
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::optimizers::{Optimizer, Rule, Slots, Step};
///
/// struct SignDescent(f64);
/// impl Rule for SignDescent {
///     fn name(&self) -> &'static str {
///         "sign_descent"
///     }
///     fn learning_rate(&self) -> f64 {
///         self.0
///     }
///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, _: &mut Slots) -> Tensor {
///         weight - gradient.sign() * &at.learning_rate
///     }
/// }
/// let optimizer = Optimizer::new(SignDescent(0.01));
/// assert_eq!(optimizer.learning_rate, 0.01);
/// ```
pub trait Rule: Send + Sync + 'static {
    /// The name in summaries and files: the type's name in snake case.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::Sgd;
    /// use carnyx_nn::optimizers::Rule;
    /// assert_eq!(Rule::name(&Sgd::new(0.1)), "sgd");
    /// ```
    fn name(&self) -> &'static str;

    /// The learning rate at first.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::Sgd;
    /// use carnyx_nn::optimizers::Rule;
    /// assert_eq!(Rule::learning_rate(&Sgd::new(0.1)), 0.1);
    /// ```
    fn learning_rate(&self) -> f64;

    /// What a saved file says of this rule; `None` if no file can describe it.
    #[doc(hidden)]
    fn config(&self) -> Option<crate::Config> {
        None
    }

    /// The names of the slots in the order of Keras's files: groups, within which they alternate from weight to weight.
    #[doc(hidden)]
    fn slot_names(&self) -> &'static [&'static [&'static str]] {
        &[]
    }

    /// The new value of `weight`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    ///
    /// struct Averaged;
    /// impl Rule for Averaged {
    ///     fn name(&self) -> &'static str { "averaged" }
    ///     fn learning_rate(&self) -> f64 { 0.1 }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
    ///         weight - mean * &at.learning_rate / at.warmth(0.9)
    ///     }
    /// }
    /// ```
    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor;
}

/// Where training stands, as part of the program.
///
/// # Example
/// ```
/// # use carnyx_graph::Tensor;
/// use carnyx_nn::optimizers::{Rule, Slots, Step};
///
/// struct Averaged;
/// impl Rule for Averaged {
///     fn name(&self) -> &'static str { "averaged" }
///     fn learning_rate(&self) -> f64 { 0.1 }
///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
///         weight - mean * &at.learning_rate / at.warmth(0.9)
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Step {
    /// The learning rate: one number.
    pub learning_rate: Tensor,
    /// The number of this step, from 1: one number of type `f32`.
    pub number: Tensor,
}

impl Step {
    /// `1 - decay^number`: how much of a moving average that began at zero has been filled.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    ///
    /// struct Averaged;
    /// impl Rule for Averaged {
    ///     fn name(&self) -> &'static str { "averaged" }
    ///     fn learning_rate(&self) -> f64 { 0.1 }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
    ///         weight - mean * &at.learning_rate / at.warmth(0.9)
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn warmth(&self, decay: f64) -> Tensor {
        1.0 - Tensor::scalar(decay as f32).pow(&self.number)
    }
}

type Memory = BTreeMap<(u64, &'static str), Variable>;

/// What a rule remembers of one weight.
///
/// # Example
/// ```
/// # use carnyx_graph::Tensor;
/// use carnyx_nn::optimizers::{Rule, Slots, Step};
///
/// struct Averaged;
/// impl Rule for Averaged {
///     fn name(&self) -> &'static str { "averaged" }
///     fn learning_rate(&self) -> f64 { 0.1 }
///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
///         weight - mean * &at.learning_rate / at.warmth(0.9)
///     }
/// }
/// ```
pub struct Slots<'a> {
    weight: &'a Variable,
    memory: &'a mut Memory,
    updates: &'a mut Vec<(Variable, Tensor)>,
}

impl Slots<'_> {
    /// Replaces the slot `name` (zeros at first, of the weight's shape and type) by `next(slot)`, and returns the
    /// new value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    ///
    /// struct Averaged;
    /// impl Rule for Averaged {
    ///     fn name(&self) -> &'static str { "averaged" }
    ///     fn learning_rate(&self) -> f64 { 0.1 }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
    ///         weight - mean * &at.learning_rate / at.warmth(0.9)
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn update(&mut self, name: &'static str, next: impl FnOnce(Tensor) -> Tensor) -> Tensor {
        let slot = slot_of(self.memory, self.weight, name);
        let value = next(Tensor::read(slot));
        self.updates.push((slot.clone(), value.clone()));
        value
    }
}

/// The slot `name` of a weight, zeros at first.
fn slot_of<'m>(memory: &'m mut Memory, weight: &Variable, name: &'static str) -> &'m mut Variable {
    memory.entry((weight.id(), name)).or_insert_with(|| {
        let shape = weight.shape().unwrap_or_default();
        let slot = Variable::from(Array::zeros(shape, weight.dtype())).untrained();
        match weight.path() {
            Some(path) => slot.set_path(&format!("optimizer/{name}/{path}")),
            None => slot.set_path(&format!("optimizer/{name}/{}", weight.id())),
        }
        slot
    })
}

/// A rule at work: its learning rate, its memory of each weight, and the number of steps so far.
///
/// # Example
/// A training loop of one's own:
/// ```
/// use carnyx_graph::{Array, Tensor, Variable};
/// use carnyx_nn::Eval;
/// use carnyx_nn::optimizers::{Optimizer, Sgd};
///
/// let w = Variable::from(Array::from([4f32]));
/// let mut optimizer = Optimizer::new(Sgd::new(0.25));
/// for _ in 0..10 {
///     let loss = Tensor::read(&w).square().sum();
///     let updates = optimizer.update(&loss.gradients(&[w.clone()]));
///     loss.eval_with(updates)?; // forward, backward and update: one program
/// }
/// assert_eq!(w.value()?.item()?, 4.0 / 1024.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Optimizer {
    /// The size of the steps. May be changed at any time; the next step uses it.
    pub learning_rate: f64,
    rule: Arc<dyn Rule>,
    memory: Memory,
    iterations: Variable,
    rate: Variable,
    rate_in_variable: f64,
}

impl Optimizer {
    /// An optimizer that follows `rule`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::{Adam, Eval, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(0.1));
    /// assert_eq!(optimizer.learning_rate, 0.1);
    /// # let _ = &mut optimizer;
    /// ```
    pub fn new(rule: impl Rule) -> Optimizer {
        let learning_rate = rule.learning_rate();
        let iterations = Variable::from(Array::scalar(0i64)).untrained();
        iterations.set_path("optimizer/iterations");
        let rate = Variable::from(Array::scalar(learning_rate as f32)).untrained();
        rate.set_path("optimizer/learning_rate");
        let (memory, rule) = (Memory::new(), Arc::new(rule));
        Optimizer { learning_rate, rule, memory, iterations, rate, rate_in_variable: learning_rate }
    }

    /// The same optimizer for a copy of the weights: what it remembers is copied with them.
    pub(crate) fn fork(&self, forks: &mut Forks) -> Optimizer {
        let slot = |(&(weight, name), slot): (&(u64, &'static str), &Variable)| {
            let weight = forks.copy_of(weight).map_or(weight, Variable::id);
            ((weight, name), slot.fork())
        };
        Optimizer {
            memory: self.memory.iter().map(slot).collect(),
            iterations: self.iterations.fork(),
            rate: self.rate.fork(),
            rule: self.rule.clone(),
            ..*self
        }
    }

    /// The rule's name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::{Adam, Eval, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(0.1));
    /// assert_eq!(optimizer.name(), "adam");
    /// # let _ = &mut optimizer;
    /// ```
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }

    /// The number of steps so far.
    ///
    /// # Errors
    /// None in practice: the counter always has a value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::{Adam, Eval, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(0.1));
    /// assert_eq!(optimizer.iterations()?, 0);
    /// # let _ = &mut optimizer;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn iterations(&self) -> Result<u64> {
        Ok(self.iterations.value()?.item()? as u64)
    }

    /// Everything that the optimizer remembers, for saving: the number of steps, the learning rate, and the slots.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::{Adam, Eval, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(0.1));
    /// assert_eq!(optimizer.variables().len(), 2); // no weight has been seen
    /// # let _ = &mut optimizer;
    /// ```
    pub fn variables(&self) -> Vec<Variable> {
        let mut variables = vec![self.iterations.clone(), self.rate.clone()];
        variables.extend(self.memory.values().cloned());
        variables
    }

    /// The learning rate, and the one that the last step used: what a backup keeps of it.
    pub(crate) fn rates(&self) -> [f64; 2] {
        [self.learning_rate, self.rate_in_variable]
    }

    /// Takes back what [`rates`](Optimizer::rates) gave.
    pub(crate) fn set_rates(&mut self, [rate, in_variable]: [f64; 2]) -> Result {
        self.rate.assign(&Array::scalar(in_variable as f32))?;
        (self.learning_rate, self.rate_in_variable) = (rate, in_variable);
        Ok(())
    }

    /// What a backup keeps beside the learning rate: the number of steps, and the slots.
    pub(crate) fn slots_and_count(&self) -> Vec<Variable> {
        std::iter::once(&self.iterations).chain(self.memory.values()).cloned().collect()
    }

    pub(crate) fn config(&self) -> Option<crate::Config> {
        self.rule.config()
    }

    pub(crate) fn slot_names(&self) -> &'static [&'static [&'static str]] {
        self.rule.slot_names()
    }

    /// The slot `name` of a weight, if the rule has used it.
    pub(crate) fn slot(&self, weight: &Variable, name: &'static str) -> Option<&Variable> {
        self.memory.get(&(weight.id(), name))
    }

    /// The slot `name` of a weight, which is made if there is none.
    pub(crate) fn make_slot(&mut self, weight: &Variable, name: &'static str) -> Variable {
        slot_of(&mut self.memory, weight, name).clone()
    }

    pub(crate) fn set_iterations(&mut self, iterations: i64) -> Result {
        self.iterations.assign(&Array::scalar(iterations))
    }

    /// What one step changes: the weights, what the rule remembers of them, and the number of steps.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::{Adam, Eval, Optimizer};
    /// let mut optimizer = Optimizer::new(Adam::new(0.1));
    /// let w = Variable::from(Array::scalar(1f32));
    /// let loss = Tensor::read(&w).square();
    /// let updates = optimizer.update(&loss.gradients(std::slice::from_ref(&w)));
    /// loss.eval_with(updates)?;
    /// assert!(w.value()?.item()? < 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn update(&mut self, gradients: &Gradients) -> Updates {
        // The variable has no axes and the type f32, and so has the value: it always fits.
        let _ = self.synchronize();
        let number = Tensor::read(&self.iterations) + 1i64;
        let step = Step { learning_rate: Tensor::read(&self.rate), number: number.cast(DType::F32) };
        let mut updates = Vec::new();
        for (variable, gradient) in gradients.iter() {
            let mut slots = Slots { weight: variable, memory: &mut self.memory, updates: &mut updates };
            let value = self.rule.update(&Tensor::read(variable), gradient, &step, &mut slots);
            updates.push((variable.clone(), constrained(variable, value)));
        }
        updates.push((self.iterations.clone(), number));
        Updates::from(updates).at_step(self.iterations().unwrap_or(0))
    }

    /// Brings a changed [`learning_rate`](Optimizer::learning_rate) into the variable that programs read.
    pub(crate) fn synchronize(&mut self) -> Result {
        // Compared bit by bit, so that NaN is written once and not at every step.
        if self.learning_rate.to_bits() != self.rate_in_variable.to_bits() {
            self.rate.assign(&Array::scalar(self.learning_rate as f32))?;
            self.rate_in_variable = self.learning_rate;
        }
        Ok(())
    }

    /// A number that no other optimizer has: programs that update other slots are other programs.
    pub(crate) fn id(&self) -> u64 {
        self.iterations.id()
    }
}

/// The new value of a variable within the bounds that are attached to it.
#[track_caller]
fn constrained(variable: &Variable, value: Tensor) -> Tensor {
    variable.constraint().map_or(value.clone(), |constraint| constraint.constrain(&value))
}

impl<R: Rule> From<R> for Optimizer {
    fn from(rule: R) -> Optimizer {
        Optimizer::new(rule)
    }
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} (learning rate {}, {} slots)", self.name(), self.learning_rate, self.memory.len())
    }
}
