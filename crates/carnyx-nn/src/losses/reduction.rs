//! From the losses of samples to one number.
//!
//! Invariant: what a loss does not count (see [`Loss::counted`]) never changes the number, neither above nor below the
//! line of the fraction.

use super::{Loss, reduced, weigh};
use crate::Config;
use carnyx_graph::{Array, Result, Shape, Tensor};

/// How the losses `l` of samples, with weights `w` where there are any, become one number.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Loss, MeanAbsoluteError, Reduction};
/// let (y, p) = (Tensor::from(&Array::from([0f32, 0.0])), Tensor::from(&Array::from([1f32, 3.0])));
/// assert_eq!(MeanAbsoluteError.of(&y, &p).eval()?.item()?, 2.0);
/// assert_eq!(MeanAbsoluteError.reduction(Reduction::Sum).of(&y, &p).eval()?.item()?, 4.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: the argument `reduction` of [`keras.losses`](https://keras.io/api/losses/).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// `Σ w l / n`: the mean over samples, in which a weight of 2 counts a sample's loss twice.
    #[default]
    SumOverBatchSize,
    /// `Σ w l`: steps grow with the size of the batch.
    Sum,
    /// The same as `SumOverBatchSize`.
    Mean,
    /// `Σ w l / Σ w`: the mean of a batch in which samples are as frequent as their weights say.
    MeanWithSampleWeight,
    /// `w l`, one number for each sample: for loops of one's own, since training needs one number.
    None,
}

impl Reduction {
    /// The word for it in Keras.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Reduction::SumOverBatchSize => "sum_over_batch_size",
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::MeanWithSampleWeight => "mean_with_sample_weight",
            Reduction::None => "none",
        }
    }

    /// One number from the `values` of samples, `[batch, ..]`, with `weights` of the samples, `[batch]` or with further
    /// axes of the values. Values that are not `counted` (truth values of the values' shape) are left out.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::Eval;
    /// use carnyx_nn::losses::Reduction;
    /// let losses = Tensor::from(&Array::from([1f32, 4.0]));
    /// let weights = Tensor::from(&Array::from([3f32, 1.0]));
    /// let reduced = |how: Reduction| how.of(&losses, Some(&weights), None).eval()?.item();
    /// assert_eq!(reduced(Reduction::SumOverBatchSize)?, 3.5);
    /// assert_eq!(reduced(Reduction::MeanWithSampleWeight)?, 1.75);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(self, values: &Tensor, weights: Option<&Tensor>, counted: Option<&Tensor>) -> Tensor {
        let counted = counted.map(|counted| counted.cast(values.dtype()));
        let kept = counted.as_ref().map_or_else(|| values.clone(), |counted| values * counted);
        let weighted = weights.map_or_else(|| kept.clone(), |weights| weigh(&kept, weights));
        let divisor = match (self, weights) {
            (Reduction::None, _) => return weighted,
            (Reduction::Sum, _) => return weighted.sum(),
            (Reduction::MeanWithSampleWeight, Some(weights)) => {
                Some(weigh(&counted.unwrap_or_else(|| values.ones_like()), weights))
            }
            _ => counted,
        };
        divisor.map_or_else(|| weighted.mean(), |divisor| quotient(&weighted.sum(), &divisor.sum()))
    }
}

/// `sum / count`, and 0 where nothing counts.
#[track_caller]
fn quotient(sum: &Tensor, count: &Tensor) -> Tensor {
    let nothing = count.equal(0.0);
    // The gradient passes through what `select` leaves out too, so that must not divide by 0 either.
    nothing.select(0.0, sum / nothing.select(1.0, count))
}

/// A loss whose samples become one number in another way: made by [`Loss::reduction`].
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Loss, MeanSquaredError, Reduction};
/// let loss = MeanSquaredError.reduction(Reduction::Sum);
/// assert_eq!(Loss::name(&loss), "mean_squared_error");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reduced<L> {
    pub(super) loss: L,
    pub(super) reduction: Reduction,
}

impl<L: Loss> Loss for Reduced<L> {
    fn config(&self) -> Option<Config> {
        // A word for the default says nothing, but would be one more thing to read.
        let word = (self.reduction != Reduction::default()).then(|| self.reduction.word());
        Some(self.loss.config()?.reduced(word))
    }

    fn reduced_by(&self) -> Reduction {
        self.reduction
    }

    fn name(&self) -> String {
        self.loss.name()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        self.loss.per_sample(target, prediction)
    }

    fn counted(&self, target: &Tensor, prediction: &Tensor) -> Option<Tensor> {
        self.loss.counted(target, prediction)
    }

    #[track_caller]
    fn of(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        reduced(&self.loss, self.reduction, target, prediction, None)
    }

    #[track_caller]
    fn of_weighted(&self, target: &Tensor, prediction: &Tensor, weights: &Tensor) -> Tensor {
        reduced(&self.loss, self.reduction, target, prediction, Some(weights))
    }

    fn check(&self, targets: &Array, prediction: &Shape) -> Result {
        self.loss.check(targets, prediction)
    }
}
