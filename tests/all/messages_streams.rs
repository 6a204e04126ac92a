//! What users are told when a stream of batches is not what a fit needs.

use crate::messages::assert_message;
use carnyx::datasets::Stream;
use carnyx::prelude::*;
use carnyx::{Batch, ClassWeight};

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent)
}

fn model() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(3).activation(Softmax))
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy)
}

fn batch() -> (Array, Array) {
    (Array::from_fn([8, 4], |i| i as f32 / 32.0), Array::from_fn([8], |i| (i % 3) as u8))
}

/// Three good batches, then this one.
fn then(last: (Array, Array)) -> impl Iterator<Item = (Array, Array)> {
    std::iter::repeat_n(batch(), 3).chain([last])
}

#[test]
fn streams_that_do_not_fit() {
    let (x, y) = batch();
    let wide = (Array::full([8, 5], 0f32), y.clone());
    assert_message("stream_shape", model().fit(then(wide), quiet(1)));
    let doubles = (x.cast(DType::F64), y.clone());
    assert_message("stream_dtype", model().fit(then(doubles), quiet(1)));
    let rows = (x.clone(), y.rows(0..7).unwrap());
    assert_message("stream_rows", model().fit(then(rows), quiet(1)));
    let label = (x.clone(), Array::from([0u8, 1, 2, 0, 1, 7, 0, 1]));
    assert_message("stream_label", model().fit(then(label), quiet(1)));
    let mut hole = batch();
    hole.0.as_mut_slice::<f32>().unwrap()[6] = f32::NAN;
    assert_message("stream_nan", model().fit(then(hole.clone()), quiet(1)));
    assert_message("stream_nan_evaluated", model().evaluate(then(hole)));
    assert_message("stream_empty", model().fit(then(batch()).take(0), quiet(1)));
    let broken = || Err(Error::new("file", "`x.csv` is damaged"));
    let fails = then(batch()).enumerate().map(|(i, batch)| if i == 2 { broken() } else { Ok(batch) });
    assert_message("stream_source", model().fit(fails, quiet(1)));
    let panics = Stream::each_epoch(|_| Ok(then(batch()).map(|batch| Ok(Batch::from(batch)))))
        .parallel_map(2, |batch| if batch.num_rows() == 8 { panic!("no such picture") } else { Ok(batch) });
    assert_message("stream_panic", model().fit(panics, quiet(1)));
}

#[test]
fn streams_that_end_too_early() {
    assert_message("stream_short", model().fit(then(batch()), quiet(3).steps_per_epoch(3)));
    let promised =
        Stream::each_epoch(|_| Ok(then(batch()).map(|batch| Ok(Batch::from(batch))))).with_num_items(5);
    assert_message("stream_promise", model().fit(promised, quiet(1)));
    assert_message("stream_one_pass", model().fit(then(batch()), quiet(3)));
}

#[test]
fn options_that_streams_do_not_have() {
    let (x, y) = batch();
    assert_message("stream_split", model().fit(then(batch()), quiet(1).validation_split(0.1)));
    assert_message("stream_rule", model().fit(then(batch()), quiet(1).class_weight(ClassWeight::balanced())));
    assert_message("stream_no_steps", model().fit(then(batch()), quiet(1).steps_per_epoch(0)));
    assert_message("stream_validation", model().fit((&x, &y), quiet(2).validation(then(batch()))));
    assert_message("validation_no_steps", model().fit((&x, &y), quiet(1).validation_steps(0)));
    assert_message("validation_steps_of_nothing", model().fit((&x, &y), quiet(1).validation_steps(3)));
}
