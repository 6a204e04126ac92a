//! Callbacks that are one function, for one moment.

use super::{Callback, Run};
use carnyx_graph::Result;

/// When a callback is called.
///
/// # Example
/// ```
/// use carnyx_nn::callbacks::Moment;
/// assert_eq!(Moment::EpochEnd.method(), "on_epoch_end");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the first epoch.
    TrainBegin,
    /// After the last epoch.
    TrainEnd,
    /// Before the first batch of an epoch.
    EpochBegin,
    /// After the validation of an epoch.
    EpochEnd,
    /// Before a batch of training.
    BatchBegin,
    /// After a batch of training.
    BatchEnd,
    /// Before data is evaluated.
    EvaluateBegin,
    /// After data is evaluated.
    EvaluateEnd,
    /// Before a batch of an evaluation.
    EvaluateBatchBegin,
    /// After a batch of an evaluation.
    EvaluateBatchEnd,
    /// Before the first prediction.
    PredictBegin,
    /// After the last prediction.
    PredictEnd,
    /// Before a batch of predictions.
    PredictBatchBegin,
    /// After a batch of predictions.
    PredictBatchEnd,
    /// When the loss of a batch is not a finite number.
    NonFiniteLoss,
}

impl Moment {
    /// The method of [`Callback`] that is called then.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::Moment;
    /// assert_eq!(Moment::BatchBegin.method(), "on_batch_begin");
    /// ```
    pub fn method(self) -> &'static str {
        match self {
            Moment::TrainBegin => "on_train_begin",
            Moment::TrainEnd => "on_train_end",
            Moment::EpochBegin => "on_epoch_begin",
            Moment::EpochEnd => "on_epoch_end",
            Moment::BatchBegin => "on_batch_begin",
            Moment::BatchEnd => "on_batch_end",
            Moment::EvaluateBegin => "on_evaluate_begin",
            Moment::EvaluateEnd => "on_evaluate_end",
            Moment::EvaluateBatchBegin => "on_evaluate_batch_begin",
            Moment::EvaluateBatchEnd => "on_evaluate_batch_end",
            Moment::PredictBegin => "on_predict_begin",
            Moment::PredictEnd => "on_predict_end",
            Moment::PredictBatchBegin => "on_predict_batch_begin",
            Moment::PredictBatchEnd => "on_predict_batch_end",
            Moment::NonFiniteLoss => "on_non_finite_loss",
        }
    }

    /// Calls that method.
    pub(super) fn call(self, callback: &mut dyn Callback, run: &mut Run) -> Result {
        match self {
            Moment::TrainBegin => callback.on_train_begin(run),
            Moment::TrainEnd => callback.on_train_end(run),
            Moment::EpochBegin => callback.on_epoch_begin(run),
            Moment::EpochEnd => callback.on_epoch_end(run),
            Moment::BatchBegin => callback.on_batch_begin(run),
            Moment::BatchEnd => callback.on_batch_end(run),
            Moment::EvaluateBegin => callback.on_evaluate_begin(run),
            Moment::EvaluateEnd => callback.on_evaluate_end(run),
            Moment::EvaluateBatchBegin => callback.on_evaluate_batch_begin(run),
            Moment::EvaluateBatchEnd => callback.on_evaluate_batch_end(run),
            Moment::PredictBegin => callback.on_predict_begin(run),
            Moment::PredictEnd => callback.on_predict_end(run),
            Moment::PredictBatchBegin => callback.on_predict_batch_begin(run),
            Moment::PredictBatchEnd => callback.on_predict_batch_end(run),
            Moment::NonFiniteLoss => callback.on_non_finite_loss(run),
        }
    }

    /// Whether it comes with every batch.
    pub(super) fn is_of_batch(self) -> bool {
        match self {
            Moment::BatchBegin
            | Moment::BatchEnd
            | Moment::EvaluateBatchBegin
            | Moment::EvaluateBatchEnd
            | Moment::PredictBatchBegin
            | Moment::PredictBatchEnd => true,
            Moment::TrainBegin
            | Moment::TrainEnd
            | Moment::EpochBegin
            | Moment::EpochEnd
            | Moment::EvaluateBegin
            | Moment::EvaluateEnd
            | Moment::PredictBegin
            | Moment::PredictEnd
            | Moment::NonFiniteLoss => false,
        }
    }
}

/// Calls a function at each such moment.
///
/// What the function remembers is no part of a backup: a callback with a [`State`](super::State) is a type.
///
/// # Example
/// ```
/// use carnyx_nn::Fit;
/// use carnyx_nn::callbacks::{Moment, at};
/// let mut batches = 0;
/// let fit = Fit::epochs(3).callback(at(Moment::BatchEnd, |run| {
///     batches += 1;
///     run.optimizer.learning_rate *= 0.999;
///     Ok(())
/// }));
/// # drop(fit);
/// ```
pub fn at<'a>(moment: Moment, action: impl FnMut(&mut Run) -> Result + 'a) -> impl Callback + 'a {
    At { moment, action }
}

/// Calls a function at the end of each epoch: [`at`]`(Moment::EpochEnd, ..)`.
///
/// # Example
/// ```
/// use carnyx_nn::Fit;
/// use carnyx_nn::callbacks::at_epoch_end;
/// let mut losses = Vec::new();
/// let fit = Fit::epochs(3).callback(at_epoch_end(|run| {
///     losses.push(run.logs["loss"]);
///     Ok(())
/// }));
/// ```
pub fn at_epoch_end<'a>(action: impl FnMut(&mut Run) -> Result + 'a) -> impl Callback + 'a {
    At { moment: Moment::EpochEnd, action }
}

struct At<F> {
    moment: Moment,
    action: F,
}

impl<F: FnMut(&mut Run) -> Result> At<F> {
    fn act(&mut self, moment: Moment, run: &mut Run) -> Result {
        if moment == self.moment { (self.action)(run) } else { Ok(()) }
    }
}

/// Each method of a callback, handed to one function with its moment.
macro_rules! methods {
    ($($method:ident $moment:ident)*) => { $(
        fn $method(&mut self, run: &mut Run) -> Result {
            self.act(Moment::$moment, run)
        }
    )* };
}

impl<F: FnMut(&mut Run) -> Result> Callback for At<F> {
    methods! {
        on_train_begin TrainBegin
        on_train_end TrainEnd
        on_epoch_begin EpochBegin
        on_epoch_end EpochEnd
        on_batch_begin BatchBegin
        on_batch_end BatchEnd
        on_evaluate_begin EvaluateBegin
        on_evaluate_end EvaluateEnd
        on_evaluate_batch_begin EvaluateBatchBegin
        on_evaluate_batch_end EvaluateBatchEnd
        on_predict_begin PredictBegin
        on_predict_end PredictEnd
        on_predict_batch_begin PredictBatchBegin
        on_predict_batch_end PredictBatchEnd
        on_non_finite_loss NonFiniteLoss
    }

    fn name(&self) -> String {
        "closure".into()
    }

    fn wants_batches(&self) -> bool {
        self.moment.is_of_batch()
    }
}
