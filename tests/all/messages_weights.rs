//! Error messages about weights of samples and classes.

use crate::messages::assert_message;
use carnyx::prelude::*;

fn quiet<'a>() -> Fit<'a> {
    Fit::epochs(1).verbose(Verbosity::Silent)
}

/// 32 samples of 4 features.
fn features() -> Array {
    Array::from_fn([32, 4], |i| (i % 7) as f32 - 3.0)
}

/// Class numbers below 10 for 32 samples.
fn labels() -> Array {
    Array::from_fn([32], |i| (i % 10) as u8)
}

fn quantities() -> Array {
    Array::from_fn([32], |i| i as f32 / 2.0)
}

/// Ones, but for one element.
fn weights(index: usize, value: f32) -> Array {
    Array::from_fn([32], |i| if i == index { value } else { 1.0 })
}

fn classifier() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(10).activation(Softmax))
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy)
        .weighted_metric(Accuracy)
}

fn regressor() -> Model<Sequential> {
    Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError)
}

/// Outputs `kind` and `price`, both with losses.
fn two_outputs() -> Model<Functional<Tensor>> {
    let x = Tensor::input("x", [4]);
    let (kind, price) = (Dense::new(10).activation(Softmax).apply(&x), Dense::new(1).apply(&x));
    Functional::new(&x, [("kind", &kind), ("price", &price)])
        .unwrap()
        .compile(Sgd::new(0.1), [SparseCategoricalCrossentropy.on("kind"), MeanSquaredError.on("price")])
}

#[test]
fn weights_of_samples() {
    let (x, y) = (features(), labels());
    let fit = |weights: Array| classifier().fit((&x, &y, &weights), quiet());
    assert_message("weights_of_other_length", fit(Array::full([31], 1f32)));
    assert_message("weights_negative", fit(weights(5, -0.5)));
    assert_message("weights_nan", fit(weights(7, f32::NAN)));
    assert_message("weights_infinite", fit(weights(7, f32::INFINITY)));
    assert_message("weights_all_zero", fit(Array::full([32], 0u8)));
    assert_message("weights_one_number", fit(Array::scalar(1f32)));
    assert_message("weights_of_steps_for_samples", fit(Array::full([32, 5], 1f32)));
    let end = Array::from_fn([32], |i| u8::from(i >= 24));
    let split = quiet().validation_split(0.25);
    assert_message("weights_zero_before_the_split", classifier().fit((&x, &y, &end), split));
    let start = Array::from_fn([32], |i| u8::from(i < 24));
    let split = quiet().validation_split(0.25);
    assert_message("weights_zero_behind_the_split", classifier().fit((&x, &y, &start), split));
    let validation = quiet().validation((&x, &y, &weights(5, -1.0)));
    assert_message("weights_negative_in_validation", classifier().fit((&x, &y), validation));
    assert_message("weights_negative_in_evaluation", classifier().evaluate((&x, &y, &weights(5, -1.0))));
    let steps = Array::full([32, 5], 1f32);
    let evaluated = classifier().evaluate((&x, &y, &steps));
    assert_message("weights_of_steps_in_evaluation", evaluated);
}

#[test]
fn weights_of_outputs() {
    let (x, y, ones) = (features(), labels(), weights(0, 1.0));
    assert_message("weights_two_for_one", classifier().fit((&x, &y, [&ones, &ones]), quiet()));
    assert_message(
        "weights_three_for_two",
        two_outputs().fit((&x, [&y, &y], [&ones, &ones, &ones]), quiet()),
    );
    let bad = weights(3, -1.0);
    assert_message(
        "weights_negative_for_one_of_two",
        two_outputs().fit((&x, [&y, &y], [&ones, &bad]), quiet()),
    );
    let named = |name: &'static str| two_outputs().fit((&x, [&y, &y], [(name, &ones)]), quiet());
    assert_message("weights_for_unknown_output", named("prize"));
    let twice = [("kind", &ones), ("kind", &ones)];
    assert_message("weights_twice", two_outputs().fit((&x, [&y, &y], twice), quiet()));
    let x_in = Tensor::input("x", [4]);
    let (kind, price) = (Dense::new(10).activation(Softmax).apply(&x_in), Dense::new(1).apply(&x_in));
    let mut only_kind = Functional::new(&x_in, [("kind", &kind), ("price", &price)])
        .unwrap()
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy.on("kind"));
    let data = (&x, [("kind", &y)], [("price", &ones)]);
    assert_message("weights_without_targets", only_kind.fit(data, quiet()));
}

#[test]
fn weights_of_classes() {
    let (x, y) = (features(), labels());
    let fit = |weights: ClassWeight| classifier().fit((&x, &y), quiet().class_weight(weights));
    assert_message("class_weight_of_unknown_class", fit([(0, 1.0), (12, 5.0)].into()));
    assert_message("class_weight_negative", fit([(3, -1.0)].into()));
    assert_message("class_weight_nan", fit([(3, f64::NAN)].into()));
    assert_message(
        "class_weight_all_zero",
        fit((0..10).map(|class| (class, 0.0)).collect::<Vec<_>>().into()),
    );
    assert_message("class_weight_beta", fit(ClassWeight::effective_number(1.0)));
    let too_large = Array::from_fn([32], |i| if i == 4 { 10u8 } else { 1 });
    let balanced = || quiet().class_weight(ClassWeight::balanced());
    assert_message("class_weight_and_label_too_large", classifier().fit((&x, &too_large), balanced()));
    assert_message("class_weight_of_quantities", regressor().fit((&x, &quantities()), balanced()));
    let tags = Array::from_fn([32, 3], |i| f32::from(i % 2 == 0));
    let mut tagger =
        Sequential::new().then(Dense::new(3).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy);
    assert_message("class_weight_of_tags", tagger.fit((&x, &tags), balanced()));
    let mut wide = Sequential::new().then(Dense::new(2)).compile(Sgd::new(0.1), MeanSquaredError);
    assert_message("class_weight_of_other_shape", wide.fit((&x, &features()), balanced()));
    let on = |name: &str| {
        two_outputs().fit((&x, [&y, &quantities()]), quiet().class_weight_on(name, ClassWeight::balanced()))
    };
    assert_message("class_weight_on_unknown_output", on("kinds"));
    assert_message("class_weight_on_quantities", on("price"));
    assert_message("class_weight_on_every_output", two_outputs().fit((&x, [&y, &quantities()]), balanced()));
    let by_step = Array::full([32, 5], 1f32);
    assert_message("class_weight_and_steps", classifier().fit((&x, &y, &by_step), balanced()));
}

#[test]
fn labels_to_be_suspected() {
    let (x, y) = (features(), labels());
    assert_message("suspects_of_quantities", regressor().suspected_labels((&x, &quantities()), 5));
    assert_message("suspects_of_two_outputs", two_outputs().suspected_labels((&x, [&y, &quantities()]), 5));
    let on = |name: &str| two_outputs().suspected_labels_on(name, (&x, [&y, &quantities()]), 5);
    assert_message("suspects_of_unknown_output", on("kinds"));
    assert_message(
        "suspects_of_other_length",
        classifier().suspected_labels((&x, &Array::full([3], 1u8)), 5),
    );
}
