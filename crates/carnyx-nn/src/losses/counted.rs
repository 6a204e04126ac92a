//! Which losses of a batch count, and what they are as one number.

use super::{Loss, Reduction};
use carnyx_graph::Tensor;

/// The losses of the batch as one number: those that count, by the loss and by the mask of the predictions.
#[track_caller]
pub(super) fn reduced(
    loss: &(impl Loss + ?Sized),
    reduction: Reduction,
    target: &Tensor,
    prediction: &Tensor,
    weights: Option<&Tensor>,
) -> Tensor {
    let values = loss.per_sample(target, prediction);
    reduction.of(&values, weights, counted_of(loss, &values, target, prediction).as_ref())
}

/// Which of the `values` that a loss gave count, as truth values of their shape: what the loss itself says, and the mask
/// of the predictions. `None`, if all do.
///
/// The result is invalid with the error `mask`, if the mask is one of more axes than the values have.
#[track_caller]
pub(crate) fn counted_of(
    loss: &(impl Loss + ?Sized),
    values: &Tensor,
    target: &Tensor,
    prediction: &Tensor,
) -> Option<Tensor> {
    let by_loss = loss.counted(target, prediction);
    // A loss that is one number for the whole batch has no steps.
    let masked = if values.rank() == 0 { values.without_mask() } else { values.with_mask_of(prediction) };
    let by_mask = if masked.is_invalid() { Some(masked) } else { masked.mask_of_elements() };
    match (by_loss, by_mask) {
        (Some(one), Some(other)) => Some(one.logical_and(other)),
        (one, other) => one.or(other),
    }
}
