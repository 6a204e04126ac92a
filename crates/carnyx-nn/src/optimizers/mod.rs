//! Optimizers: how weights follow their gradients.
//!
//! A [`Rule`] is pure arithmetic on tensors: the new weight from the old one, its gradient, and the slots that the
//! rule remembers. An [`Optimizer`] is a rule at work: it owns the slots, counts the steps and holds the learning
//! rate, which may follow a [schedule](crate::schedules). What every optimizer can do beside its rule, such as clipping
//! gradients, is chained on either of them ([`OptimizerOptions`]). All of it becomes part of the training program; the
//! learning rate is a variable of it, so changing it between two steps plans nothing anew.

mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod following;
mod ftrl;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod options;
mod program;
mod rmsprop;
mod rule;
mod settings;
mod sgd;

pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use ftrl::Ftrl;
pub use lamb::Lamb;
pub use lion::Lion;
pub use muon::Muon;
pub use nadam::Nadam;
pub use options::OptimizerOptions;
pub(crate) use options::{Average, Options};
pub use rmsprop::RmsProp;
pub use rule::{Rule, Slots, Step};
pub use settings::{Bounds, Setting};
pub use sgd::Sgd;

use crate::Forks;
use crate::engine::Updates;
use carnyx_graph::{Array, DType, Gradients, Result, Tensor, Variable};
use following::Following;
use rule::{Memory, made, slot_of};
use std::fmt;
use std::sync::Arc;

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
    /// The size of the steps. May be changed at any time; the next step uses it. While a
    /// [schedule](crate::schedules) is set, it is what the schedule says of the next step, and another number is an error
    /// at that step: [`set_learning_rate`](Optimizer::set_learning_rate) gives the schedule up.
    pub learning_rate: f64,
    /// The schedule that says it, if there is one.
    following: Option<Following>,
    rule: Arc<dyn Rule>,
    options: Options,
    /// What the rule remembers.
    memory: Memory,
    /// What the options remember: averages of weights, sums of gradients.
    kept: Memory,
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
        let first = rule.learning_rate();
        let iterations = Variable::from(Array::scalar(0i64)).untrained();
        iterations.set_path("optimizer/iterations");
        let rate = Variable::from(Array::scalar(0f32)).untrained();
        rate.set_path("optimizer/learning_rate");
        let mut optimizer = Optimizer {
            learning_rate: 0.0,
            following: None,
            options: Options { weight_decay: rule.default_weight_decay(), ..Options::default() },
            rule: Arc::new(rule),
            memory: Memory::new(),
            kept: Memory::new(),
            iterations,
            rate,
            rate_in_variable: 0.0,
        };
        optimizer.set_learning_rate(first);
        // The variable has no axes and the type f32, and so has the value: it always fits.
        let _ = optimizer.synchronize();
        optimizer
    }

    /// The same optimizer once more, with the same variables: not a copy, but a second hold on it.
    pub(crate) fn twin(&self) -> Optimizer {
        Optimizer {
            learning_rate: self.learning_rate,
            following: self.following.clone(),
            rule: self.rule.clone(),
            options: self.options.clone(),
            memory: self.memory.clone(),
            kept: self.kept.clone(),
            iterations: self.iterations.clone(),
            rate: self.rate.clone(),
            rate_in_variable: self.rate_in_variable,
        }
    }

    /// The same optimizer for a copy of the weights: what it remembers is copied with them.
    pub(crate) fn fork(&self, forks: &mut Forks) -> Optimizer {
        let slot = |(&(weight, name), slot): (&(Option<u64>, &'static str), &Variable)| {
            let weight = weight.map(|weight| forks.copy_of(weight).map_or(weight, Variable::id));
            ((weight, name), slot.fork())
        };
        Optimizer {
            learning_rate: self.learning_rate,
            following: self.following.clone(),
            rule: self.rule.clone(),
            options: self.options.clone(),
            memory: self.memory.iter().map(slot).collect(),
            kept: self.kept.iter().map(slot).collect(),
            iterations: self.iterations.fork(),
            rate: self.rate.fork(),
            rate_in_variable: self.rate_in_variable,
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

    /// The number of steps so far. Where gradients are accumulated, each batch counts.
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
        variables.extend(self.kept.values().chain(self.memory.values()).cloned());
        variables
    }

    /// What a backup keeps beside the learning rate: the number of steps, and the slots.
    pub(crate) fn slots_and_count(&self) -> Vec<Variable> {
        let slots = self.kept.values().chain(self.memory.values());
        std::iter::once(&self.iterations).chain(slots).cloned().collect()
    }

    /// That every setting is in its range and that the options do not contradict each other: what `fit` asks first.
    ///
    /// # Errors
    /// `optimizer` or `schedule`, naming the setting, its value and its range.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Adam, Optimizer};
    /// assert!(Optimizer::new(Adam::new(1e-3)).check().is_ok());
    /// let error = Optimizer::new(Adam::new(1e-3).betas(0.9, 1.0)).check().unwrap_err();
    /// assert_eq!(error.title(), "`beta_2` of the optimizer `adam` is 1");
    /// ```
    pub fn check(&self) -> Result {
        self.check_rate()?;
        self.rule.settings().iter().try_for_each(|setting| setting.check(self.name()))?;
        self.options.check(self.name())
    }

    pub(crate) fn config(&self) -> Option<crate::Config> {
        self.rule.config()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The slots of all `weights` in the order of Keras's files: those of the options, then those of the rule.
    pub(crate) fn slots_of(&self, weights: &[Variable]) -> Vec<(Option<Variable>, Slot)> {
        let each = |slot: Slot| weights.iter().map(move |weight| (Some(weight.clone()), slot));
        let mut slots: Vec<(Option<Variable>, Slot)> = Vec::new();
        if self.options.average.is_some() {
            slots.extend(each(Slot::Kept(AVERAGE)));
        }
        if self.options.accumulation.is_some() {
            slots.extend(each(Slot::Kept(ACCUMULATOR)));
        }
        let groups: Vec<_> = weights.iter().map(|weight| (weight, self.rule.slot_names(weight))).collect();
        for group in 0..groups.iter().map(|(_, names)| names.len()).max().unwrap_or(0) {
            for (weight, names) in &groups {
                let names = names.get(group).copied().unwrap_or_default();
                slots.extend(names.iter().map(|&name| (Some((*weight).clone()), Slot::Rule(name))));
            }
        }
        slots.extend(self.rule.shared_names().iter().map(|&name| (None, Slot::Rule(name))));
        slots
    }

    /// A slot of a weight, or of all; it is made if there is none.
    pub(crate) fn make_slot(&mut self, weight: Option<&Variable>, slot: Slot) -> Variable {
        match slot {
            Slot::Rule(name) => slot_of(&mut self.memory, &*self.rule, weight, name).clone(),
            Slot::Kept(name) => kept_for(&mut self.kept, weight, name).clone(),
        }
    }

    /// The value of a slot, or what it begins with.
    pub(crate) fn slot_value(&self, weight: Option<&Variable>, slot: Slot) -> Result<Array> {
        let key = (weight.map(Variable::id), slot.name());
        let shape = weight.and_then(Variable::shape).unwrap_or_default();
        match slot {
            Slot::Rule(name) => {
                self.memory.get(&key).map_or_else(|| Ok(self.rule.initial(name, &shape)), Variable::value)
            }
            Slot::Kept(_) => {
                self.kept.get(&key).map_or_else(|| Ok(Array::zeros(shape, DType::F32)), Variable::value)
            }
        }
    }

    pub(crate) fn set_iterations(&mut self, iterations: i64) -> Result {
        self.iterations.assign(&Array::scalar(iterations))?;
        self.follow_steps(iterations as u64)
    }

    /// The moving average of a weight, where the optimizer keeps one and has made a step.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Variable};
    /// use carnyx_nn::optimizers::{OptimizerOptions, Sgd};
    /// let optimizer = Sgd::new(0.1).moving_average(0.99);
    /// assert!(optimizer.average(&Variable::from(Array::scalar(1f32))).is_none()); // no step yet
    /// ```
    pub fn average(&self, weight: &Variable) -> Option<&Variable> {
        self.kept.get(&(Some(weight.id()), AVERAGE))
    }

    /// Exchanges the weights that have a moving average with it: to evaluate with the averages and go on training,
    /// exchange twice.
    ///
    /// # Errors
    /// None in practice: an average has the shape of its weight.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::optimizers::OptimizerOptions;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let mut model = Dense::new(1).compile(Sgd::new(0.1).moving_average(0.9), MeanSquaredError);
    /// model.fit((&x, &y), Fit::epochs(1).verbose(Verbosity::Silent))?;
    /// let weights = model.variables();
    /// model.optimizer.swap_averages(&weights)?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn swap_averages(&mut self, weights: &[Variable]) -> Result {
        for weight in weights {
            if let Some(average) = self.average(weight) {
                let value = weight.value()?;
                weight.assign(&average.value()?)?;
                average.assign(&value)?;
            }
        }
        Ok(())
    }

    /// Gives the trainable weights the values of their averages: what ends a fit with moving averages.
    pub(crate) fn assign_averages(&self, weights: &[Variable]) -> Result {
        for weight in weights.iter().filter(|weight| weight.is_trainable()) {
            if let Some(average) = self.average(weight) {
                weight.assign(&average.value()?)?;
            }
        }
        Ok(())
    }

    /// What one step changes: the weights, what the rule remembers of them, and the number of steps. Gradients are
    /// treated and weights bounded as the options and the constraints of the weights say. A setting out of its range
    /// is an error where the step is computed.
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
        let steps = self.iterations().unwrap_or(0);
        let checked = self.check().and_then(|()| self.follow_steps(steps)).and_then(|()| self.synchronize());
        if let Err(error) = checked {
            let invalid = Tensor::invalid(error.at(std::panic::Location::caller()));
            return Updates::default().and(&self.iterations, invalid);
        }
        Updates::from(self.describe_updates(gradients)).at_step(steps)
    }

    /// A number that no other optimizer has: programs that update other slots are other programs.
    pub(crate) fn id(&self) -> u64 {
        self.iterations.id()
    }
}

/// The name of the moving average of a weight.
const AVERAGE: &str = "average";
/// The name of the sum of the gradients since the last update.
const ACCUMULATOR: &str = "gradient_accumulator";

/// A slot by its name, and who remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Rule(&'static str),
    Kept(&'static str),
}

impl Slot {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Slot::Rule(name) | Slot::Kept(name) => name,
        }
    }
}

/// What an option remembers of a weight: zeros at first. The average of a weight that joins in later, when its layer is
/// unfrozen, begins with what the weight is.
fn kept_for<'m>(kept: &'m mut Memory, weight: Option<&Variable>, name: &'static str) -> &'m mut Variable {
    kept.entry((weight.map(Variable::id), name)).or_insert_with(|| {
        let known = weight.filter(|_| name == AVERAGE).and_then(|weight| weight.value().ok());
        let zeros = || {
            let shape = weight.and_then(Variable::shape).unwrap_or_default();
            Array::zeros(shape, weight.map_or(DType::F32, Variable::dtype))
        };
        made(known.unwrap_or_else(zeros), weight, name)
    })
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
