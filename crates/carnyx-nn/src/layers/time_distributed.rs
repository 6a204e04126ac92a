//! One layer for each step of a sequence.

use super::features::or_invalid;
use crate::{Config, Layer, LayerRef, Module};
use carnyx_graph::{Dim, Error, Result, Shape, Tensor};
use std::sync::Arc;

/// Applies a layer to each step of a sequence by itself, with the same weights for all.
///
/// All steps are one large batch for the layer: the mean that a [`BatchNormalization`](crate::BatchNormalization) in it
/// takes is that of all steps that count, by the [mask](Tensor::mask) of the sequence.
///
/// # Shape
/// `[batch, steps, …]` to `[batch, steps, …]`, with what the layer makes of one step.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Flatten, TimeDistributed};
/// let video = Tensor::input("video", [10, 8, 8, 3]);
/// let frames = TimeDistributed::new(Flatten).apply(&video);
/// assert_eq!(frames.shape().to_string(), "[batch, 10, 192]");
/// assert_eq!(TimeDistributed::new(Dense::new(4)).apply(&frames).shape().to_string(), "[batch, 10, 4]");
/// ```
#[derive(Module, Clone)]
#[module(saved)]
pub struct TimeDistributed {
    layer: LayerRef,
}

impl TimeDistributed {
    /// Applies `layer` to each step.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let wrong = TimeDistributed::new(Dense::new(3)).apply(&Tensor::input("x", [4]));
    /// assert_eq!(wrong.check().unwrap_err().code(), "shape");
    /// ```
    pub fn new(layer: impl Layer<Out = Tensor> + 'static) -> TimeDistributed {
        TimeDistributed { layer: Arc::new(layer) }
    }

    pub(crate) fn of(layer: LayerRef) -> TimeDistributed {
        TimeDistributed { layer }
    }

    fn saved(&self) -> Config {
        crate::saving::wrapped_config("TimeDistributed", &self.layer)
    }

    fn distributed(&self, x: &Tensor) -> Result<Tensor> {
        let shape = &x.facts()?.shape;
        if shape.len() < 3 {
            return Err(Error::new("shape", format!("`TimeDistributed` cannot work on {shape}"))
                .label("it wants [batch, steps, …], at least three axes"));
        }
        let rows = Shape::new(shape[..2].to_vec()).elements().map_or(Dim::Symbol("rows"), Dim::Fixed);
        let steps = x.reshape([&[rows], &shape[2..]].concat());
        let steps = match x.mask() {
            Some(mask) if mask.rank() > 1 => {
                steps.with_mask(mask.reshape([&[rows], &mask.shape()[2..]].concat()))
            }
            _ => steps,
        };
        let y = self.layer.call(&steps);
        let of_y = &y.facts()?.shape;
        if of_y.first() != Some(&rows) {
            return Err(Error::new(
                "shape",
                format!("the layer in `TimeDistributed` makes {of_y} of {rows} steps"),
            )
            .label("the first axis must stay"));
        }
        Ok(y.reshape([&shape[..2], &of_y[1..]].concat()).with_mask_of(x))
    }
}

impl Layer for TimeDistributed {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.distributed(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compile, Dense, EinsumDense, Flatten, Input, MeanSquaredError, Sequential, Sgd, Variables};

    #[test]
    fn the_work_of_a_sample_is_that_of_all_its_steps() {
        let inner = Dense::new(4);
        let net = Sequential::new()
            .then(Input::new([5, 3]))
            .then(TimeDistributed::new(inner.clone()))
            .then(EinsumDense::new("abc,bcd->abd", [5, 2]))
            .then(Flatten)
            .then(Dense::new(1));
        let summary = net.compile(Sgd::new(0.1), MeanSquaredError).summary();
        let work: Vec<usize> = summary.rows.iter().map(|row| row.multiply_adds).collect();
        assert_eq!(work, [0, 5 * 3 * 4, 5 * 4 * 2, 0, 10]);
        assert_eq!(summary.parameters(), inner.num_parameters() + 5 * 4 * 2 + 11);
    }

    #[test]
    fn a_layer_that_mixes_steps_is_an_error() {
        let mixing = TimeDistributed::new(crate::Lambda::new(|x| x.sum_along(0)));
        let error = mixing.call(&Tensor::input("x", [5, 3])).check().unwrap_err();
        assert_eq!(error.code(), "shape");
    }
}
