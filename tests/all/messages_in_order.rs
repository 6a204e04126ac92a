//! What users are told when tuning in order cannot begin.

use crate::messages::assert_message;
use carnyx::prelude::*;
use carnyx::{Hyper, InOrder, TunedInOrder, tune_in_order};

fn data() -> (Array, Array) {
    let x = Array::from_fn([96, 2], |i| ((i * 7919) % 211) as f32 / 105.0 - 1.0);
    let y = Array::from_fn([96, 1], |i| (3.0 * x.element(2 * i)).sin() as f32);
    (x, y)
}

fn build(hyper: &mut Hyper) -> Model<Sequential> {
    let optimizer: Optimizer = match hyper.choice("optimizer", ["sgd", "adam"]) {
        "sgd" => Sgd::new(1e-3).into(),
        _ => Adam::new(1e-3).into(),
    };
    let hidden = Dense::new(hyper.int("units", 2..=32)).activation(Tanh);
    Sequential::new().then(hidden).then(Dense::new(1)).compile(optimizer, MeanSquaredError).seed(7)
}

fn tuned(options: InOrder) -> Result<TunedInOrder<Sequential>> {
    let (x, y) = data();
    let fit = |_: &mut Hyper| Fit::epochs(500).validation_split(0.25);
    tune_in_order(build, (&x, &y), fit, options.verbose(Verbosity::Silent))
}

#[test]
fn options_that_make_no_sense() {
    assert_message("in_order_no_steps", tuned(InOrder::steps(0)));
    assert_message("in_order_no_time", tuned(InOrder::seconds(-1.0)));
    assert_message("in_order_direction", tuned(InOrder::steps(100).objective("val_profit")));
    assert_message("in_order_objective", tuned(InOrder::steps(100).objective("val_mean_squared_error")));
    assert_message("in_order_misspelt", tuned(InOrder::steps(100).begin_with("unit", 8)));
    assert_message("in_order_outside", tuned(InOrder::steps(100).begin_with("units", 64)));
    assert_message("in_order_rates", tuned(InOrder::steps(100).rates(1.0..=0.1)));
}
