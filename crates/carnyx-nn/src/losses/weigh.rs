//! Values of samples times what the samples count.

use carnyx_graph::{Dim, Error, Shape, Tensor};

/// `values` of each sample times the weights of the samples: `[batch, ..]` with as many axes as the values have, or
/// fewer. What is missing are last axes: weights `[batch]` count for all time steps of values `[batch, time]`.
///
/// The result is invalid with the error `weight-shape` if the weights have more axes than the values or other sizes.
#[track_caller]
pub(crate) fn weigh(values: &Tensor, weights: &Tensor) -> Tensor {
    if let Some(invalid) = [values, weights].into_iter().find(|tensor| tensor.is_invalid()) {
        return invalid.clone();
    }
    let (of_weights, of_values) = (weights.shape(), values.shape());
    if !is_beginning(&of_weights, &of_values) {
        let title = format!("the weights have shape {of_weights}, the values that they weigh {of_values}");
        return Tensor::invalid(
            Error::new("weight-shape", title)
                .label("weights have the first axes of the values: one weight for each sample, or for each of its steps")
                .help("give one weight for each sample: `[batch]`"),
        );
    }
    let missing = of_values.len() - of_weights.len();
    values * (0..missing).fold(weights.cast(values.dtype()), |weights, _| weights.expand(-1))
}

/// Whether `whole` begins with the sizes of `part`; a size of 1 after the first stands for any.
fn is_beginning(part: &Shape, whole: &Shape) -> bool {
    let fits = |(i, (part, whole)): (usize, (&Dim, &Dim))| part == whole || i > 0 && *part == Dim::Fixed(1);
    part.len() <= whole.len() && part.iter().zip(whole.iter()).enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Eval;
    use carnyx_graph::{Array, Result};

    #[test]
    fn weights_have_the_first_axes_of_the_values() -> Result {
        let values = Tensor::from(&Array::from([[1f32, 2.0], [3.0, 4.0]]));
        let weighed = |weights: Array| weigh(&values, &Tensor::from(&weights)).eval();
        assert_eq!(weighed(Array::from([2f32, 0.5]))?, Array::from([[2f32, 4.0], [1.5, 2.0]]));
        assert_eq!(weighed(Array::from([[2f32], [0.5]]))?, Array::from([[2f32, 4.0], [1.5, 2.0]]));
        assert_eq!(weighed(Array::from([[0f64, 1.0], [1.0, 0.0]]))?, Array::from([[0f32, 2.0], [3.0, 0.0]]));
        for shape in [vec![3], vec![1], vec![2, 3], vec![2, 2, 1]] {
            assert_eq!(weighed(Array::full(shape, 1f32)).unwrap_err().code(), "weight-shape");
        }
        Ok(())
    }
}
