//! The perceptron: weights, passes and decisions as scikit-learn recorded them, and its messages.

use crate::messages::assert_message;
use carnyx::prelude::*;
use carnyx_tests::assert_golden;
use serde_json::Value;
use std::path::Path;

/// What `sklearn/record.py` wrote.
fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sklearn/recorded/perceptron.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A list of numbers or a list of such lists, as an array.
fn array(value: &Value) -> Array {
    let rows = value.as_array().expect("a list");
    let numbers = |row: &Value| -> Vec<f64> {
        row.as_array()
            .map_or_else(|| vec![row.as_f64().unwrap()], |row| row.iter().filter_map(Value::as_f64).collect())
    };
    let elements: Vec<f64> = rows.iter().flat_map(numbers).collect();
    let width = elements.len() / rows.len();
    let shape = if rows[0].is_array() { vec![rows.len(), width] } else { vec![rows.len()] };
    Array::new(shape, elements).unwrap()
}

/// A perceptron with scikit-learn's options.
fn perceptron(options: &Value) -> Perceptron {
    let mut perceptron = Perceptron::new().shuffle(false);
    for (name, value) in options.as_object().unwrap() {
        perceptron = match (name.as_str(), value) {
            ("tol", Value::Null) => perceptron.without_tolerance(),
            ("tol", value) => perceptron.tolerance(value.as_f64().unwrap()),
            ("max_iter", value) => perceptron.max_iterations(value.as_u64().unwrap() as usize),
            ("n_iter_no_change", value) => perceptron.patience(value.as_u64().unwrap() as usize),
            ("eta0", value) => perceptron.learning_rate(value.as_f64().unwrap()),
            ("fit_intercept", Value::Bool(false)) => perceptron.without_bias(),
            _ => panic!("option {name} = {value}"),
        };
    }
    perceptron
}

#[track_caller]
fn assert_close(case: &str, what: &str, actual: &Array, expected: &Array) {
    assert_eq!(actual.shape(), expected.shape(), "{case}: {what}");
    for i in 0..expected.len() {
        let (a, e) = (actual.element(i), expected.element(i));
        assert!((a - e).abs() <= 1e-9, "{case}: {what}, element {i} is {a}, scikit-learn's {e}");
    }
}

#[test]
fn learns_as_in_scikit_learn() {
    let recorded = recorded();
    let cases = recorded["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let data = &recorded["data"][case["data"].as_str().unwrap()];
        let (x, y) = (array(&data["x"]), array(&data["y"]).cast(DType::I64));
        let mut perceptron = perceptron(&case["options"]);
        let report = perceptron.fit(&x, &y).unwrap();

        assert_eq!(report.iterations as u64, case["n_iter"].as_u64().unwrap(), "{name}");
        assert_close(name, "weights", perceptron.weights().unwrap(), &array(&case["coef"]));
        assert_close(name, "bias", perceptron.bias().unwrap(), &array(&case["intercept"]));
        assert_eq!(perceptron.labels().unwrap(), &array(&case["classes"]).cast(DType::I64), "{name}");
        let first = x.rows(0..x.num_rows().min(5)).unwrap();
        assert_close(name, "decision", &perceptron.decision(&first).unwrap(), &array(&case["decision"]));
        let predictions = array(&case["predictions"]).cast(DType::I64);
        assert_eq!(perceptron.predict(&x).unwrap(), predictions, "{name}");
        let score = perceptron.score(&x, &y).unwrap();
        assert_eq!(score, case["score"].as_f64().unwrap(), "{name}");
        assert!(score == 1.0 || !report.separated, "{name}: {report}");
    }
}

#[test]
fn says_whether_the_classes_were_separated() {
    let recorded = recorded();
    let report = |data: &str, perceptron: Perceptron| {
        let data = &recorded["data"][data];
        let report = perceptron.shuffle(false).fit(&array(&data["x"]), &array(&data["y"])).unwrap();
        report.to_string()
    };
    let text = [
        report("separable", Perceptron::new()),
        report("separable", Perceptron::new().max_iterations(1)),
        report("xor", Perceptron::new().without_tolerance().max_iterations(100)),
        report("iris", Perceptron::new()),
        report("three_classes", Perceptron::new().without_tolerance()),
    ];
    assert_golden("perceptron_reports", &(text.join("\n") + "\n"));
}

#[test]
fn what_cannot_be_learned_is_said_in_words() {
    let x = Array::from_fn([32, 4], |i| (i % 7) as f32 - 3.0);
    let y = Array::from_fn([32], |i| (i % 3) as u8);
    let with = |array: &Array, index: usize, value: f32| {
        Array::from_fn(array.shape(), |i| if i == index { value } else { array.element(i) as f32 })
    };
    let fit = Perceptron::new;

    assert_message("perceptron_one_class", fit().fit(&x, &Array::full([32], 4u8)));
    assert_message("perceptron_different_lengths", fit().fit(&x, &Array::full([31], 1u8)));
    assert_message("perceptron_no_samples", fit().fit(&x.rows(0..0).unwrap(), &y.rows(0..0).unwrap()));
    assert_message("perceptron_nan_in_x", fit().fit(&with(&x, 11, f32::NAN), &y));
    assert_message("perceptron_nan_in_y", fit().fit(&x, &with(&y, 3, f32::NAN)));
    assert_message("perceptron_label_not_whole", fit().fit(&x, &with(&y, 4, 2.5)));
    assert_message("perceptron_one_hot_labels", fit().fit(&x, &Array::full([32, 3], 1u8)));
    assert_message("perceptron_features_on_one_axis", fit().fit(&y, &y));
    assert_message("perceptron_pictures", fit().fit(&Array::full([32, 28, 28], 1u8), &y));
    assert_message("perceptron_overflow", fit().learning_rate(1e308).fit(&Array::full([32, 4], 10f32), &y));
    assert_message("perceptron_tolerance", fit().tolerance(-0.1).fit(&x, &y));
    assert_message("perceptron_learning_rate", fit().learning_rate(0.0).fit(&x, &y));
    assert_message("perceptron_max_iterations", fit().max_iterations(0).fit(&x, &y));
    assert_message("perceptron_patience", fit().patience(0).fit(&x, &y));

    assert_message("perceptron_predict_before_fit", fit().predict(&x));
    assert_message("perceptron_decision_before_fit", fit().decision(&x));
    assert_message("perceptron_score_before_fit", fit().score(&x, &y));
    assert_message("perceptron_weights_before_fit", fit().weights());
    let mut perceptron = fit();
    perceptron.fit(&x, &y).unwrap();
    assert_message("perceptron_predict_other_features", perceptron.predict(&Array::full([2, 5], 0f32)));
    assert_message("perceptron_predict_one_row", perceptron.predict(&Array::from([1f32, 2.0, 3.0, 4.0])));
    assert_message("perceptron_predict_nan", perceptron.predict(&with(&x, 6, f32::NAN)));
    assert_message("perceptron_score_lengths", perceptron.score(&x, &Array::full([31], 1u8)));
    assert_message("perceptron_score_label_not_whole", perceptron.score(&x, &with(&y, 4, 0.5)));
    // The mistakes leave what was learned as it was.
    assert_eq!(perceptron.predict(&x).unwrap().shape(), [32]);
}
