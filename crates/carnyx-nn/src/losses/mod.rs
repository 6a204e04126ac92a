//! Losses: what training makes small.
//!
//! A [`Loss`] is a function of targets and predictions, traced into the training program like any layer. An
//! [`Objective`] is what a model is compiled with: losses on outputs, with weights. Invariant: a loss never
//! broadcasts targets against predictions; only a last axis of size 1 may be missing on one side.

mod circle;
mod counted;
mod crossentropy;
mod divergence;
mod focal;
mod generalized;
mod hinge;
mod labels;
mod overlap;
mod reduction;
mod regression;
mod robust;
mod similarity;
mod traced;
mod weigh;

pub use circle::Circle;
pub(crate) use counted::counted_of;
use counted::reduced;
pub use crossentropy::{BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy};
pub use divergence::{KLDivergence, Poisson};
pub use focal::{BinaryFocalCrossentropy, CategoricalFocalCrossentropy};
pub use generalized::CategoricalGeneralizedCrossEntropy;
pub use hinge::{CategoricalHinge, Hinge, SquaredHinge};
pub(crate) use labels::{check_truth_values, class_numbers, first_row_where, one_hot_targets};
pub use overlap::{Dice, Tversky};
pub use reduction::{Reduced, Reduction};
pub use regression::{
    MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError,
};
pub use robust::{Huber, LogCosh};
pub use similarity::CosineSimilarity;
pub(crate) use similarity::normalized;
pub(crate) use traced::TracedLoss;
pub(crate) use weigh::weigh;

use carnyx_graph::op::{Op, Scope};
use carnyx_graph::{Array, Dim, Effect, Error, Result, Shape, Tensor};
use std::fmt;
use std::sync::Arc;

/// How far probabilities stay away from 0 and 1, and divisors from 0 (Keras's `epsilon`).
pub(crate) const EPSILON: f64 = 1e-7;

/// A function of targets and predictions that training makes small.
///
/// # Example
/// A loss of one's own, and its use in [`compile`](crate::Compile::compile) or in a loop of one's own:
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::losses::{Loss, fit_to};
///
/// /// `ln cosh(y - p)`, by its values in each place.
/// struct LogCosh;
/// impl Loss for LogCosh {
///     fn name(&self) -> String {
///         "log_cosh".into()
///     }
///     fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
///         let error = prediction - fit_to(target, prediction);
///         (&error + (&error * -2.0).softplus() - 2f64.ln()).mean_along(-1)
///     }
/// }
/// let (y, p) = (Tensor::from(&Array::from([[0f32], [1.0]])), Tensor::from(&Array::from([[0.5f32], [1.0]])));
/// assert_eq!(LogCosh.per_sample(&y, &p).shape().to_string(), "[2]");
/// assert_eq!(LogCosh.of(&y, &p).shape().to_string(), "[]");
/// ```
pub trait Loss: Send + Sync + 'static {
    /// The name in logs: the type's name in snake case.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError};
    /// assert_eq!(Loss::name(&MeanSquaredError), "mean_squared_error");
    /// ```
    fn name(&self) -> String;

    /// The loss of each sample: the last axis of the predictions vanishes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::losses::*;
    /// let (y, p) = (Tensor::from(&Array::from([[0f32], [1.0]])), Tensor::from(&Array::from([[1f32], [1.0]])));
    /// assert_eq!(MeanSquaredError.per_sample(&y, &p).eval()?, Array::from([1f32, 0.0]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor;

    /// The mean over all samples of the batch: one number. Of predictions with a [mask](Tensor::mask), the mean over the
    /// steps that count.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::losses::*;
    /// let (y, p) = (Tensor::from(&Array::from([[0f32], [1.0]])), Tensor::from(&Array::from([[1f32], [1.0]])));
    /// assert_eq!(MeanSquaredError.of(&y, &p).eval()?.item()?, 0.5);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    fn of(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        reduced(self, Reduction::default(), target, prediction, None)
    }

    /// The mean over all samples of the batch, with the loss of each sample multiplied by its weight: `Σ w l / n`, one
    /// number. Divided by the number of samples, not by the sum of the weights, so that a sample moves the model by as
    /// much whatever else is in its batch; [`reduction`](Loss::reduction) has other ways.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::losses::*;
    /// let (y, p) = (Tensor::from(&Array::from([[0f32], [0.0]])), Tensor::from(&Array::from([[1f32], [2.0]])));
    /// let weights = Tensor::from(&Array::from([1f32, 0.5]));
    /// assert_eq!(MeanSquaredError.of_weighted(&y, &p, &weights).eval()?.item()?, (1.0 + 0.5 * 4.0) / 2.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    fn of_weighted(&self, target: &Tensor, prediction: &Tensor, weights: &Tensor) -> Tensor {
        reduced(self, Reduction::default(), target, prediction, Some(weights))
    }

    /// Which values of [`per_sample`](Loss::per_sample) count, as truth values of the same shape; `None` if all do.
    /// Means are those of what counts, by this and by the [mask](Tensor::mask) of the predictions.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::losses::*;
    /// let (y, p) = (Tensor::from(&Array::from([0i64, -1])), Tensor::from(&Array::full([2, 3], 1f32)));
    /// assert!(SparseCategoricalCrossentropy.counted(&y, &p).is_none());
    /// assert!(SparseCategoricalCrossentropy.ignore_class(-1).counted(&y, &p).is_some());
    /// ```
    fn counted(&self, target: &Tensor, prediction: &Tensor) -> Option<Tensor> {
        let _ = (target, prediction);
        None
    }

    /// Whether this loss can make sense of the values of `targets`, given the shape of the predictions. Called once
    /// before training.
    ///
    /// # Errors
    /// `data`, with the first value that makes no sense and its row.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # use carnyx_nn::losses::*;
    /// let labels = Array::from([0u8, 3]);
    /// let prediction = carnyx_graph::Shape::from([2, 3]);
    /// assert!(SparseCategoricalCrossentropy.check(&labels, &prediction).is_err());
    /// ```
    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        let _ = (targets, prediction);
        Ok(())
    }

    /// The way from the losses of samples to one number, for a trace of this loss.
    #[doc(hidden)]
    fn reduced_by(&self) -> Reduction {
        Reduction::default()
    }

    /// What a saved file says of this loss; `None` if no file can describe it.
    #[doc(hidden)]
    fn config(&self) -> Option<crate::Config> {
        None
    }

    /// This loss, with another way from the losses of samples to one number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::Eval;
    /// use carnyx_nn::losses::{Loss, MeanSquaredError, Reduction};
    /// let (y, p) = (Tensor::from(&Array::from([0f32, 0.0])), Tensor::from(&Array::from([1f32, 2.0])));
    /// assert_eq!(MeanSquaredError.reduction(Reduction::Sum).of(&y, &p).eval()?.item()?, 5.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn reduction(self, reduction: Reduction) -> Reduced<Self>
    where
        Self: Sized,
    {
        Reduced { loss: self, reduction }
    }

    /// This loss, on the output of that name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError, Objective};
    /// let objective = Objective::from([
    ///     MeanSquaredError.on("main").weight(0.9),
    ///     MeanSquaredError.on("aux").weight(0.1),
    /// ]);
    /// assert_eq!(objective.terms()[1].weight(), 0.1);
    /// ```
    fn on(self, output: &str) -> Objective
    where
        Self: Sized,
    {
        let mut objective = Objective::from(self);
        objective.0[0].output = Some(output.into());
        objective
    }

    /// This loss times `weight`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError};
    /// assert_eq!(MeanSquaredError.weight(0.5).terms()[0].weight(), 0.5);
    /// ```
    fn weight(self, weight: f64) -> Objective
    where
        Self: Sized,
    {
        Objective::from(self).weight(weight)
    }
}

/// A loss from a function of targets and predictions that gives one value for each sample.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{fit_to, from_fn};
/// let quantile = from_fn("quantile", |y, p| {
///     let error = fit_to(y, p) - p;
///     (&error * 0.9).maximum(&error * -0.1).mean_along(-1)
/// });
/// ```
pub fn from_fn(
    name: &str,
    per_sample: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static,
) -> impl Loss {
    struct FromFn<F>(String, F);
    impl<F: Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static> Loss for FromFn<F> {
        fn name(&self) -> String {
            self.0.clone()
        }
        fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
            (self.1)(target, prediction)
        }
    }
    FromFn(name.to_owned(), per_sample)
}

/// A loss of a kind that is known only when the program runs.
impl Loss for Arc<dyn Loss> {
    fn name(&self) -> String {
        (**self).name()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        (**self).per_sample(target, prediction)
    }

    #[track_caller]
    fn of(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        (**self).of(target, prediction)
    }

    #[track_caller]
    fn of_weighted(&self, target: &Tensor, prediction: &Tensor, weights: &Tensor) -> Tensor {
        (**self).of_weighted(target, prediction, weights)
    }

    fn counted(&self, target: &Tensor, prediction: &Tensor) -> Option<Tensor> {
        (**self).counted(target, prediction)
    }

    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        (**self).check(targets, prediction)
    }

    fn reduced_by(&self) -> Reduction {
        (**self).reduced_by()
    }

    fn config(&self) -> Option<crate::Config> {
        (**self).config()
    }
}

/// One loss of an [`Objective`], on one output.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Loss, MeanSquaredError};
/// let objective = MeanSquaredError.on("main").weight(0.9);
/// assert_eq!(objective.terms()[0].output(), Some("main"));
/// ```
#[derive(Clone)]
pub struct Term {
    output: Option<Arc<str>>,
    loss: Arc<dyn Loss>,
    weight: f64,
}

impl Term {
    pub(crate) fn new(loss: Arc<dyn Loss>, output: Option<Arc<str>>, weight: f64) -> Term {
        Term { output, loss, weight }
    }

    /// The output that it is for; `None` where it was not named.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError};
    /// assert_eq!(MeanSquaredError.on("main").terms()[0].output(), Some("main"));
    /// ```
    pub fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }

    /// The loss.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError};
    /// assert_eq!(MeanSquaredError.on("main").terms()[0].loss().name(), "mean_squared_error");
    /// ```
    pub fn loss(&self) -> &dyn Loss {
        &*self.loss
    }

    pub(crate) fn shared_loss(&self) -> Arc<dyn Loss> {
        self.loss.clone()
    }

    /// The factor of the loss in the sum.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError};
    /// assert_eq!(MeanSquaredError.weight(0.1).terms()[0].weight(), 0.1);
    /// ```
    pub fn weight(&self) -> f64 {
        self.weight
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} · {}", self.weight, self.loss.name())?;
        self.output.as_ref().map_or(Ok(()), |output| write!(f, " on `{output}`"))
    }
}

/// What training makes small: the sum of losses on outputs, with weights.
///
/// A loss alone stands for itself on every output; several without names belong to the outputs in order.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Loss, MeanAbsoluteError, MeanSquaredError, Objective};
/// let one = Objective::from(MeanSquaredError);
/// let two = Objective::from([MeanSquaredError.on("price"), MeanAbsoluteError.on("area").weight(0.2)]);
/// assert_eq!((one.terms().len(), two.terms().len()), (1, 2));
/// ```
#[derive(Clone, Debug)]
pub struct Objective(Vec<Term>);

impl Objective {
    pub(crate) fn of(terms: Vec<Term>) -> Objective {
        Objective(terms)
    }

    /// The losses, in the order they were given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError, Objective};
    /// let objective = Objective::from([MeanSquaredError.on("main"), MeanSquaredError.on("aux")]);
    /// assert_eq!(objective.terms().len(), 2);
    /// ```
    pub fn terms(&self) -> &[Term] {
        &self.0
    }

    /// All losses times `weight`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::{Loss, MeanSquaredError};
    /// assert_eq!(MeanSquaredError.on("main").weight(0.9).terms()[0].weight(), 0.9);
    /// ```
    pub fn weight(mut self, weight: f64) -> Objective {
        self.0.iter_mut().for_each(|term| term.weight *= weight);
        self
    }

    /// The terms with the index of the output of each.
    ///
    /// # Errors
    /// `loss`, if an output does not exist or if it is not clear which output a loss is for.
    pub(crate) fn resolve(&self, outputs: &[Arc<str>]) -> Result<Vec<(usize, &Term)>> {
        if let ([term], true) = (&self.0[..], self.0.iter().all(|t| t.output.is_none())) {
            return Ok((0..outputs.len()).map(|output| (output, term)).collect());
        }
        let named = self.0.iter().filter(|term| term.output.is_some()).count();
        if named == 0 && self.0.len() == outputs.len() {
            return Ok(self.0.iter().enumerate().collect());
        }
        if named < self.0.len() {
            let (losses, outputs) = (count(self.0.len(), "loss"), count(outputs.len(), "output"));
            return Err(Error::new("loss", format!("{losses} for {outputs}"))
                .help("say which output each loss is for: `MeanSquaredError.on(\"main\")`"));
        }
        let place = |term: &Term| {
            let name = term.output().unwrap_or_default();
            outputs.iter().position(|output| **output == *name).ok_or_else(|| {
                Error::new(
                    "loss",
                    format!("a loss is for the output `{name}`, which the model does not have"),
                )
                .suggest(name, outputs)
            })
        };
        self.0.iter().map(|term| Ok((place(term)?, term))).collect()
    }
}

/// `1 input`, `2 losses`.
pub(crate) fn count(number: usize, word: &str) -> String {
    let plural = if word.ends_with('s') { "es" } else { "s" };
    format!("{number} {word}{}", if number == 1 { "" } else { plural })
}

/// Names as a message lists them.
pub(crate) fn list(names: &[Arc<str>]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl<L: Loss> From<L> for Objective {
    fn from(loss: L) -> Objective {
        Objective(vec![Term { output: None, loss: Arc::new(loss), weight: 1.0 }])
    }
}

impl<const N: usize> From<[Objective; N]> for Objective {
    fn from(objectives: [Objective; N]) -> Objective {
        Objective::from(objectives.to_vec())
    }
}

impl From<Vec<Objective>> for Objective {
    fn from(objectives: Vec<Objective>) -> Objective {
        Objective(objectives.into_iter().flat_map(|objective| objective.0).collect())
    }
}

/// The targets in the shape and the type of the predictions, as losses that compare element by element need them.
/// They have that shape already, up to a last axis of size 1; otherwise the result is invalid with the error
/// `loss-shape`.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::losses::fit_to;
/// let (y, p) = (Tensor::from(&Array::full([32], 1u8)), Tensor::from(&Array::full([32, 1], 0f32)));
/// assert_eq!(fit_to(&y, &p).shape(), p.shape());
/// assert_eq!(fit_to(&y, &Tensor::from(&Array::full([32, 5], 0f32))).check().unwrap_err().code(), "loss-shape");
/// ```
#[track_caller]
pub fn fit_to(target: &Tensor, prediction: &Tensor) -> Tensor {
    if target.is_invalid() {
        return target.clone();
    }
    if prediction.is_invalid() {
        return prediction.clone();
    }
    let (from, to) = (target.shape(), prediction.shape());
    if from != to && !(is_column_of(&from, &to) || is_column_of(&to, &from)) {
        return Tensor::invalid(
            mismatch(&from, &to).label("a loss compares them element by element and never broadcasts").help(
                "give the last layer as many units as the targets have columns, or reshape the targets",
            ),
        );
    }
    target.reshape(to).cast(prediction.dtype())
}

fn mismatch(target: &Shape, prediction: &Shape) -> Error {
    Error::new("loss-shape", format!("the targets have shape {target}, the predictions {prediction}"))
}

/// Whether `long` is `short` with a last axis of size 1.
fn is_column_of(short: &Shape, long: &Shape) -> bool {
    long.split_last().is_some_and(|(last, rest)| *last == Dim::Fixed(1) && *rest == **short)
}

/// The operand of the operation that computes `tensor`, if that operation (behind the borders of layers) is one that
/// `is_wanted`. The operand stays inside those layers, so that messages still name them. Nodes on which effects other than
/// masks hang are not passed: they have to be computed.
fn operand_behind(tensor: &Tensor, is_wanted: impl Fn(&Op) -> bool) -> Option<Tensor> {
    let is_passed = |tensor: &Tensor| tensor.effects().iter().all(|effect| matches!(effect, Effect::Mask(_)));
    let (mut tensor, mut borders) = (tensor, Vec::new());
    let operand = loop {
        match tensor.op() {
            op if is_wanted(op) && !tensor.is_invalid() => break tensor.sources().first()?.clone(),
            Op::Scope(border) if is_passed(tensor) => borders.push(border),
            Op::InMode if is_passed(tensor) => {}
            _ => return None,
        }
        tensor = tensor.sources().first()?;
    };
    Some(borders.into_iter().rev().fold(operand, |operand, border| match border {
        Scope::Enter(name) => operand.entering(name),
        Scope::Leave(name) => operand.leaving(name),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn an_objective_finds_its_outputs() {
        let outputs = names(&["main", "aux"]);
        let places = |objective: Objective| {
            objective.resolve(&outputs).map(|terms| terms.iter().map(|(i, _)| *i).collect::<Vec<_>>())
        };
        assert_eq!(places(MeanSquaredError.into()).unwrap(), [0, 1]);
        assert_eq!(places([MeanSquaredError.into(), MeanAbsoluteError.into()].into()).unwrap(), [0, 1]);
        assert_eq!(places([MeanSquaredError.on("aux")].into()).unwrap(), [1]);
        let error = places([MeanSquaredError.on("side")].into()).unwrap_err();
        assert_eq!(error.advice(), Some("the known names are `main`, `aux`"));
        assert!(places([MeanSquaredError.on("main"), MeanSquaredError.into()].into()).is_err());
    }
}
