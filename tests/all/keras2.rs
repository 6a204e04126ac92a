//! Files of Keras 2, which many trained networks are still kept in.

use crate::parity::recorded::{Case, file_of};
use crate::saving::quiet;
use carnyx::prelude::*;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("keras/files").join(name)
}

fn arrays(case: &Case, name: &str) -> Vec<Array> {
    let array = |part: &Case| {
        let values = part.numbers("data").into_iter().map(|value| value as f32).collect();
        Array::new(part.sizes("shape"), values).unwrap()
    };
    case.parts(name).iter().map(array).collect()
}

fn assert_close(outputs: &[Array], case: &Case, name: &str) {
    for (output, expected) in outputs.iter().zip(case.parts(name)) {
        for (actual, expected) in output.values().iter().zip(expected.numbers("")) {
            assert!(
                (f64::from(*actual) - expected).abs() < 1e-6,
                "{} of {}: {actual}, {expected}",
                name,
                case.name()
            );
        }
    }
}

#[test]
fn whole_models_of_keras_2_predict_and_train_on() -> Result {
    for case in file_of("keras/files/keras2.json").parts("cases") {
        let mut model = carnyx::load(path(&format!("keras2_{}.h5", case.name())))?;
        let inputs = arrays(&case, "inputs");
        assert_close(&model.predict_all(inputs.clone())?, &case, "predictions");
        if case.has("targets") {
            model.fit((inputs.clone(), arrays(&case, "targets")), quiet(1).batch_size(5).shuffle(false))?;
            assert_close(&model.predict_all(inputs)?, &case, "after");
        }
    }
    Ok(())
}

#[test]
fn weights_of_keras_2_are_read_into_a_model_of_the_same_layers() -> Result {
    let cases = file_of("keras/files/keras2.json").parts("cases");
    let row = Sequential::new()
        .then(Input::new([2, 2]))
        .then(Flatten)
        .then(Dense::new(3).activation(Relu))
        .then(Dropout::new(0.2))
        .then(Dense::new(2).activation(Softmax));
    let model = row.compile(Sgd::new(0.1), SparseCategoricalCrossentropy);
    model.load_weights(path("keras2_row_weights.h5"))?;
    assert_close(&model.predict_all(arrays(&cases[0], "inputs"))?, &cases[0], "predictions");
    Ok(())
}
