//! What a rule is, and what it is given: the step, and what it remembers of the weight.

use super::Setting;
use crate::schedules::LearningRate;
use carnyx_graph::{Array, DType, Tensor, Variable};
use std::collections::BTreeMap;

/// How one weight moves.
///
/// # Example
/// A rule of one's own: the sign of the gradient only.
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::optimizers::{Optimizer, Rule, Slots, Step};
/// use carnyx_nn::schedules::LearningRate;
///
/// struct SignDescent(f64);
/// impl Rule for SignDescent {
///     fn name(&self) -> &'static str {
///         "sign_descent"
///     }
///     fn learning_rate(&self) -> LearningRate {
///         self.0.into()
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

    /// The learning rate at first: a number, or a schedule that it follows.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Sgd;
    /// use carnyx_nn::optimizers::Rule;
    /// assert!(Rule::learning_rate(&Sgd::new(0.1)).schedule().is_none());
    /// ```
    fn learning_rate(&self) -> LearningRate;

    /// What a saved file says of this rule; `None` if no file can describe it.
    #[doc(hidden)]
    fn config(&self) -> Option<crate::Config> {
        None
    }

    /// The numbers that this rule works with and what they may be, which is checked before training.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Sgd;
    /// use carnyx_nn::optimizers::Rule;
    /// assert!(Sgd::new(0.1).momentum(1.5).settings().iter().any(|setting| setting.check("sgd").is_err()));
    /// ```
    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    /// The first value of the slot `name` of a weight of shape `weight`, or of one that all weights share, where
    /// `weight` is empty: zeros like the weight, unless the rule says otherwise.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Sgd;
    /// use carnyx_nn::optimizers::Rule;
    /// assert_eq!(Sgd::new(0.1).initial("velocity", &[2]).values(), [0.0, 0.0]);
    /// ```
    fn initial(&self, name: &str, weight: &[usize]) -> Array {
        let _ = name;
        Array::zeros(weight, DType::F32)
    }

    /// The share of each weight, times the learning rate, that is taken away before each step, unless the optimizer
    /// is told another: `None` for none, which is usual.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{AdamW, Rule, Sgd};
    /// assert_eq!(Sgd::new(0.1).default_weight_decay(), None);
    /// assert_eq!(AdamW::new(1e-3).default_weight_decay(), Some(0.004));
    /// ```
    fn default_weight_decay(&self) -> Option<f64> {
        None
    }

    /// The decay of one weight, where `decay` is that of the optimizer.
    #[doc(hidden)]
    fn decay_of(&self, weight: &Variable, decay: Option<f64>) -> Option<f64> {
        let _ = weight;
        decay
    }

    /// The names of the slots of a weight in the order of Keras's files: groups, within which they alternate from
    /// weight to weight.
    #[doc(hidden)]
    fn slot_names(&self, weight: &Variable) -> &'static [&'static [&'static str]] {
        let _ = weight;
        &[]
    }

    /// The names of the slots that all weights share, which come last in Keras's files.
    #[doc(hidden)]
    fn shared_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// The new value of `weight`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    /// use carnyx_nn::schedules::LearningRate;
    ///
    /// struct Averaged;
    /// impl Rule for Averaged {
    ///     fn name(&self) -> &'static str { "averaged" }
    ///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
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
/// use carnyx_nn::schedules::LearningRate;
///
/// struct Averaged;
/// impl Rule for Averaged {
///     fn name(&self) -> &'static str { "averaged" }
///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
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
    /// use carnyx_nn::schedules::LearningRate;
    ///
    /// struct Averaged;
    /// impl Rule for Averaged {
    ///     fn name(&self) -> &'static str { "averaged" }
    ///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
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

/// What a rule remembers of one weight.
///
/// # Example
/// ```
/// # use carnyx_graph::Tensor;
/// use carnyx_nn::optimizers::{Rule, Slots, Step};
/// use carnyx_nn::schedules::LearningRate;
///
/// struct Averaged;
/// impl Rule for Averaged {
///     fn name(&self) -> &'static str { "averaged" }
///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
///         weight - mean * &at.learning_rate / at.warmth(0.9)
///     }
/// }
/// ```
pub struct Slots<'a> {
    pub(super) rule: &'a dyn Rule,
    pub(super) weight: &'a Variable,
    pub(super) memory: &'a mut Memory,
    pub(super) updates: &'a mut Vec<(Variable, Tensor)>,
}

impl Slots<'_> {
    /// Replaces the slot `name` (zeros at first, or what [`Rule::initial`] says) by `next(slot)`, and returns the new
    /// value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    /// use carnyx_nn::schedules::LearningRate;
    ///
    /// struct Averaged;
    /// impl Rule for Averaged {
    ///     fn name(&self) -> &'static str { "averaged" }
    ///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let mean = slots.update("mean", |mean| mean.lerp(gradient, 0.1));
    ///         weight - mean * &at.learning_rate / at.warmth(0.9)
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn update(&mut self, name: &'static str, next: impl FnOnce(Tensor) -> Tensor) -> Tensor {
        let slot = self.slot(name);
        let value = next(Tensor::read(&slot));
        self.updates.push((slot, value.clone()));
        value
    }

    /// The same for a slot that all weights share: the first weight of a step changes it, the others read what it
    /// gave.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    /// use carnyx_nn::schedules::LearningRate;
    ///
    /// /// Steps that halve from one to the next.
    /// struct Halving;
    /// impl Rule for Halving {
    ///     fn name(&self) -> &'static str { "halving" }
    ///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
    ///     fn initial(&self, _: &str, weight: &[usize]) -> carnyx_graph::Array {
    ///         carnyx_graph::Array::full(weight, 2f32)
    ///     }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let size = slots.update_shared("size", |size| size * 0.5);
    ///         weight - gradient * &at.learning_rate * size
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn update_shared(&mut self, name: &'static str, next: impl FnOnce(Tensor) -> Tensor) -> Tensor {
        let slot = slot_of(self.memory, self.rule, None, name).clone();
        if let Some((_, value)) = self.updates.iter().find(|(variable, _)| *variable == slot) {
            return value.clone();
        }
        let value = next(Tensor::read(&slot));
        self.updates.push((slot, value.clone()));
        value
    }

    /// The slot `name` as it is before this step.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    /// use carnyx_nn::schedules::LearningRate;
    ///
    /// /// Goes where the last gradient pointed.
    /// struct Late;
    /// impl Rule for Late {
    ///     fn name(&self) -> &'static str { "late" }
    ///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let last = slots.value("last");
    ///         slots.update("last", |_| gradient.clone());
    ///         weight - last * &at.learning_rate
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn value(&mut self, name: &'static str) -> Tensor {
        Tensor::read(&self.slot(name))
    }

    /// The weight that is updated: its path and its shape.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// use carnyx_nn::optimizers::{Rule, Slots, Step};
    /// use carnyx_nn::schedules::LearningRate;
    ///
    /// /// Biases learn twice as fast.
    /// struct FastBiases;
    /// impl Rule for FastBiases {
    ///     fn name(&self) -> &'static str { "fast_biases" }
    ///     fn learning_rate(&self) -> LearningRate { 0.1.into() }
    ///     fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
    ///         let is_bias = slots.weight().path().is_some_and(|path| path.ends_with("bias"));
    ///         weight - gradient * &at.learning_rate * if is_bias { 2.0 } else { 1.0 }
    ///     }
    /// }
    /// ```
    pub fn weight(&self) -> &Variable {
        self.weight
    }

    fn slot(&mut self, name: &'static str) -> Variable {
        slot_of(self.memory, self.rule, Some(self.weight), name).clone()
    }
}

/// Slots by weight and name; those that all weights share belong to none.
pub(super) type Memory = BTreeMap<(Option<u64>, &'static str), Variable>;

/// The slot `name` of a weight, or of all; it is made if there is none.
pub(super) fn slot_of<'m>(
    memory: &'m mut Memory,
    rule: &dyn Rule,
    weight: Option<&Variable>,
    name: &'static str,
) -> &'m mut Variable {
    memory.entry((weight.map(Variable::id), name)).or_insert_with(|| {
        let shape = weight.and_then(Variable::shape).unwrap_or_default();
        let dtype = weight.map_or(DType::F32, Variable::dtype);
        let value = rule.initial(name, &shape);
        made(if value.dtype().is_float() { value.cast(dtype) } else { value }, weight, name)
    })
}

/// A slot that begins with `value`.
pub(super) fn made(value: Array, weight: Option<&Variable>, name: &str) -> Variable {
    let slot = Variable::from(value).untrained();
    match weight.map(|weight| (weight.path(), weight.id())) {
        Some((Some(path), _)) => slot.set_path(&format!("optimizer/{name}/{path}")),
        Some((None, id)) => slot.set_path(&format!("optimizer/{name}/{id}")),
        None => slot.set_path(&format!("optimizer/{name}")),
    }
    slot
}
