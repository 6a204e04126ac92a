//! What pictures are made of: curves and confusion matrices as scikit-learn recorded them, and pictures of models.

use carnyx::plots::{ConfusionMatrix, PrecisionRecallCurve, RocCurve};
use carnyx::prelude::*;
use serde_json::Value;
use std::path::Path;

/// What `sklearn/record_curves.py` wrote.
fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sklearn/recorded/curves.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

#[track_caller]
fn assert_close(case: &str, what: &str, actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{case}: {what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= 1e-12, "{case}: {what}, number {i} is {a}, scikit-learn's {e}");
    }
}

#[test]
fn curves_are_those_of_scikit_learn() {
    let recorded = recorded();
    let cases = recorded["curves"].as_array().unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let labels: Array = numbers(&case["labels"]).into();
        let scores = Array::from(numbers(&case["scores"])).cast(DType::F32);

        let roc = RocCurve::of(&labels, &scores).unwrap();
        let (wrong, right): (Vec<f64>, Vec<f64>) = roc.points.iter().copied().unzip();
        assert_close(name, "false positive rates", &wrong, &numbers(&case["false_positive_rates"]));
        assert_close(name, "true positive rates", &right, &numbers(&case["true_positive_rates"]));
        assert_eq!(roc.thresholds[0], f64::INFINITY, "{name}");
        assert_close(name, "thresholds", &roc.thresholds[1..], &numbers(&case["thresholds"]));
        assert_close(name, "area", &[roc.area], &[case["roc_area"].as_f64().unwrap()]);

        let curve = PrecisionRecallCurve::of(&labels, &scores).unwrap();
        let (recalls, precisions): (Vec<f64>, Vec<f64>) = curve.points.iter().copied().unzip();
        // scikit-learn goes from all samples to none.
        let backwards = |name: &str| numbers(&case[name]).into_iter().rev().collect::<Vec<_>>();
        assert_close(name, "recalls", &recalls, &backwards("recalls"));
        assert_close(name, "precisions", &precisions, &backwards("precisions"));
        let average = case["average_precision"].as_f64().unwrap();
        assert_close(name, "average precision", &[curve.area], &[average]);
    }
}

#[test]
fn a_curve_of_a_class_is_that_of_the_class_against_the_others() {
    let labels = Array::from([0u8, 1, 2, 1, 0, 2, 2]);
    let scores = Array::from_fn([7, 3], |i| ((i * 37 + 11) % 17) as f32);
    let curves = RocCurve::of_classes(&labels, &scores).unwrap();
    for (class, curve) in curves.iter().enumerate() {
        let is_class: Array =
            labels.values().iter().map(|&label| u8::from(label as usize == class)).collect::<Vec<_>>().into();
        let column: Array = scores.values().chunks(3).map(|row| row[class]).collect::<Vec<_>>().into();
        assert_eq!(*curve, RocCurve::of(&is_class, &column).unwrap());
    }
}

#[test]
fn confusion_matrices_are_those_of_scikit_learn() {
    let recorded = recorded();
    let cases = recorded["matrices"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let [labels, predictions] = ["labels", "predictions"].map(|name| Array::from(numbers(&case[name])));
        let matrix = ConfusionMatrix::of(&labels, &predictions.cast(DType::I32)).unwrap();
        let n = matrix.num_classes();
        let counts: Vec<f64> = (0..n * n).map(|i| matrix.count(i / n, i % n) as f64).collect();
        assert_eq!(counts, numbers(&case["counts"]));
    }
}

#[test]
fn pictures_of_a_model_are_those_of_its_predictions() {
    let x = Array::from_fn([60, 2], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
    let y: Array = x.values().chunks(2).map(|p| u8::from(p[0].hypot(p[1]) < 0.8)).collect::<Vec<_>>().into();
    let mut model = Sequential::new()
        .then(Dense::new(8).activation(Relu))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.05), BinaryCrossentropy)
        .metric(Accuracy);
    model.fit((&x, &y), Fit::epochs(20).verbose(Verbosity::Silent)).unwrap();
    let says = model.predict(&x).unwrap();
    let matrix = model.confusion(&x, &y).unwrap();
    assert_eq!(matrix, ConfusionMatrix::of(&y, &says).unwrap());
    let accuracy = model.evaluate((&x, &y)).unwrap()["accuracy"];
    assert!((matrix.accuracy() - accuracy).abs() < 1e-6, "{matrix}");
    assert_eq!(model.roc(&x, &y).unwrap(), RocCurve::of(&y, &says).unwrap());
    assert_eq!(model.precision_recall(&x, &y).unwrap(), PrecisionRecallCurve::of(&y, &says).unwrap());

    let boundary = model.decision_boundary(&x, &y).unwrap().to_svg().unwrap();
    let wrong = matrix.count(0, 1) + matrix.count(1, 0);
    let dark_borders = boundary.matches("stroke=\"#262626\"").count() as u64;
    // One of them explains the others in the legend.
    assert_eq!(dark_borders, if wrong > 0 { wrong + 1 } else { 0 });
    assert_eq!(boundary, model.decision_boundary(&x, &y).unwrap().to_svg().unwrap());
}
