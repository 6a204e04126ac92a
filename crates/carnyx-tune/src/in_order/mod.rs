//! Tuning one thing after the other, in the order in which it pays: is the model converged, the learning rate, the
//! optimizer, then layers, units and activations, and the batch size last; the rate again with each change.
//!
//! A search tries combinations and knows nothing of what they mean. This procedure is what an experienced person does by
//! hand: it looks at one curve at a time and keeps what helped. Invariants: all trainings of a stage may take as many
//! steps; a change is kept only if it clearly won; with a budget in steps, the same seed gives the same stages.

mod attempt;
mod budget;
mod neighbours;
mod options;
mod procedure;
mod report;

pub use options::InOrder;
pub use report::{TunedInOrder, TuningAttempt, TuningQuestion, TuningStage};

use crate::hyper::Hyper;
use crate::tune::Built;
use carnyx_graph::{Error, Result, Site};
use carnyx_nn::{Data, Fit};
use procedure::Procedure;
use std::panic::Location;

/// Tunes a model one thing after the other within a budget, and gives the best model, trained, with what was found at
/// each stage.
///
/// `build` and `fit` are as for [`tune`](crate::tune()): they ask for hyperparameters by name. The order goes by the names:
///
/// 1. *Is it converged?* The model is trained as it is, in the middle of all ranges and with the first of all choices. If
///    its objective was still getting better, all further trainings take twice as long.
/// 2. *The learning rate*, by a [range test](crate::SweepLearningRate): a tenth of the rate at which the loss turned up,
///    and half of the largest rate that learned. A hyperparameter `learning_rate` is a bound for it, and not searched;
///    an optimizer with a schedule keeps it.
/// 3. *The optimizer* (`optimizer`), each with a rate of its own, and the rate again if it has changed.
/// 4. *Layers* (`layers`, `hidden_layers`, `depth`), *units* (`units`, `neurons`, `width`), *activations* and whatever else
///    is asked for. Of a range, the neighbours are tried, and further ones in the direction that helps; each with a
///    range test of its own.
/// 5. *The batch size* (`batch_size`).
/// 6. What is left of the budget, the best model is trained on, with a learning rate that falls when nothing improves.
///
/// # Errors
/// `search`, if the options make no sense, a hyperparameter has an empty range, the objective is in no logs, or the
/// budget is not enough for the first training. What ails one attempt is noted in its stage, and the next is tried.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::*;
/// use carnyx_tune::{Hyper, InOrder, tune_in_order};
/// # let x = Array::from_fn([256, 2], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([256, 1], |i| x.element(2 * i) as f32 * x.element(2 * i + 1) as f32);
/// fn build(hyper: &mut Hyper) -> Model<Sequential> {
///     let optimizer: Optimizer = match hyper.choice("optimizer", ["sgd", "adam"]) {
///         "sgd" => Sgd::new(0.01).momentum(0.9).into(),
///         _ => Adam::new(0.001).into(),
///     };
///     let units = hyper.int("units", 4..=64);
///     Sequential::new().then(Dense::new(units).activation(Relu)).then(Dense::new(1)).compile(optimizer, MeanSquaredError)
/// }
/// let fit = |_: &mut Hyper| Fit::epochs(1000).validation_split(0.2);
/// let tuned = tune_in_order(build, (&x, &y), fit, InOrder::steps(2000).verbose(Verbosity::Silent))?;
/// println!("{tuned}"); // what each stage has tried, kept and won
/// println!("{}", tuned.settings());
/// assert!(tuned.best.predict(&x).is_ok());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Géron, *Hands-On Machine Learning*, chapter 10, "Fine-Tuning Neural Network Hyperparameters".
#[track_caller]
pub fn tune_in_order<'f, B: Built>(
    build: impl Fn(&mut Hyper) -> B,
    data: impl Into<Data>,
    fit: impl Fn(&mut Hyper) -> Fit<'f>,
    options: InOrder,
) -> Result<TunedInOrder<B::Layer>> {
    let site = Location::caller();
    options.check()?;
    let tuned = Procedure::new(build, fit, data.into(), options).and_then(Procedure::run);
    tuned.map_err(|error| at_user(error, site))
}

/// An error of a fit that was called in these files is at the user's line.
fn at_user(error: Error, site: &'static Location<'static>) -> Error {
    let is_here = |place: &Site| place.file == attempt::FILE || place.file == procedure::FILE;
    if error.site().is_some_and(is_here) { error.at(site) } else { error }
}

#[cfg(test)]
mod tests;
