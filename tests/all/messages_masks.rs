//! What users are told about masks that fit nothing: see `messages`.

use crate::messages::assert_message;
use carnyx::Masking;
use carnyx::metrics::CategoricalAccuracy;
use carnyx::prelude::*;

/// A layer that takes its ids for a mask.
#[derive(Module, Clone)]
struct Padded;

impl Layer for Padded {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        x.expand(-1).with_mask(x)
    }
}

/// A layer that gives every number a mask of its own.
#[derive(Module, Clone)]
struct Present;

impl Layer for Present {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        x.with_mask(x.not_equal(0.0))
    }
}

#[test]
fn masks_that_do_not_fit() {
    let x = Tensor::input("x", [5, 3]);
    assert_message("mask_of_numbers", Padded.apply(&Tensor::input("ids", [5])).check());
    assert_message("mask_of_other_steps", x.with_mask(x.not_equal(0.0).any_along(1)).check());
    let units = Sequential::new().then(Present).then(Dense::new(2));
    assert_message("mask_of_units", units.apply(&Tensor::input("x", [3])).check());
}

#[test]
fn masks_of_predictions_that_are_no_steps() {
    let (x, y) = (Array::full([4, 3], 1f32), Array::full([4, 3], 1f32));
    let mut model = Sequential::new().then(Present).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("mask_in_loss", model.evaluate((&x, &y)));
    let net = Sequential::new().then(Masking::new(0.0)).then(Dense::new(3)).then(Present);
    let mut model = net.compile(Sgd::new(0.1), Whole).metric(CategoricalAccuracy);
    assert_message("mask_in_metric", model.evaluate((&x, &y)));
}

/// A loss of the whole batch, which no mask concerns.
struct Whole;

impl carnyx::Loss for Whole {
    fn name(&self) -> String {
        "whole".into()
    }

    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        (prediction - target).square().mean()
    }
}
