//! Error messages about pictures: what cannot be counted, compared or drawn.

use crate::messages::assert_message;
use carnyx::plots::{
    BarChart, ConfusionMatrix, DecisionBoundary, Figure, ImageGrid, LineChart, ParallelCoordinates,
    PrecisionRecallCurve, RocCurve,
};
use carnyx::prelude::*;

fn labels() -> Array {
    Array::from([0u8, 1, 2, 1])
}

fn model(inputs: usize, units: usize) -> Model<Sequential> {
    Sequential::new()
        .then(Input::new([inputs]))
        .then(Dense::new(units).activation(Sigmoid))
        .compile(Sgd::new(0.1), BinaryCrossentropy)
}

#[test]
fn confusion_matrices() {
    let of = |labels: &Array, predictions: &Array| ConfusionMatrix::of(labels, predictions);
    assert_message("confusion_counts", of(&labels(), &Array::from([0u8, 1, 2])));
    assert_message("confusion_nothing", of(&Array::full([0], 0u8), &Array::full([0], 0u8)));
    assert_message("confusion_images", of(&Array::full([4, 28, 28], 0u8), &labels()));
    assert_message("confusion_negative_label", of(&Array::from([0i32, -1, 2, 1]), &labels()));
    assert_message("confusion_quantities", of(&Array::from([0.5f32, 1.0, 2.0, 1.0]), &labels()));
    assert_message("confusion_huge_label", of(&Array::from([0i32, 250_000, 2, 1]), &labels()));
    let no_class = Array::from([[1u8, 0], [0, 1], [0, 0], [1, 0]]);
    assert_message("confusion_not_one_hot", of(&no_class, &labels()));
    assert_message("confusion_nan", of(&labels(), &Array::full([4, 3], f32::NAN)));
    assert_message("confusion_label_without_score", of(&labels(), &Array::full([4, 2], 0.5f32)));
    assert_message("confusion_logits", of(&Array::from([0u8, 1]), &Array::from([[-1.5f32], [0.3]])));
    let matrix = of(&labels(), &labels()).unwrap();
    assert_message("confusion_names", matrix.classes(["cat", "dog"]).to_svg());
}

#[test]
fn curves() {
    let scores = Array::from([0.1f32, 0.4, 0.35, 0.8]);
    let of = |labels: &Array, scores: &Array| RocCurve::of(labels, scores);
    assert_message("roc_one_class", of(&Array::full([4], 1u8), &scores));
    assert_message("roc_labels", of(&labels(), &scores));
    assert_message("roc_counts", of(&Array::from([0u8, 1]), &scores));
    assert_message("roc_nan", of(&Array::from([0u8, 1]), &Array::from([0.5f32, f32::NAN])));
    assert_message("roc_scores_of_classes", of(&Array::from([0u8, 1]), &Array::full([2, 3], 0.5f32)));
    assert_message("roc_one_hot", of(&Array::from([[0u8, 1], [1, 0]]), &Array::from([0.5f32, 0.5])));
    let curves = PrecisionRecallCurve::of_classes(&labels(), &Array::full([4, 4], 0.25f32));
    assert_message("precision_recall_class_without_samples", curves);
    let curves = RocCurve::of_classes(&labels(), &Array::full([4, 2], 0.25f32));
    assert_message("roc_class_without_scores", curves);
    let nothing: [(&str, &RocCurve); 0] = [];
    assert!(RocCurve::compare(nothing).to_svg().is_ok(), "chance is there to be drawn");
}

#[test]
fn weights_and_images() {
    let kernel = Array::full([784, 3], 0.5f32);
    assert_message("kernel_of_other_images", ImageGrid::of_kernel(&kernel, [32, 32]));
    assert_message("kernel_of_one_axis", ImageGrid::of_kernel(&Array::full([784], 0.5f32), [28, 28]));
    assert_message("images_of_two_channels", ImageGrid::of(&Array::full([9, 8, 8, 2], 0u8)));
    assert_message("images_none", ImageGrid::of(&Array::full([0, 8, 8], 0u8)));
    let grid = ImageGrid::of_kernel(&kernel, [28, 28]).unwrap();
    assert_message("kernel_captions", grid.captions(["a", "b"]).to_svg());
    let lost = ImageGrid::of_kernel(&Array::full([784, 3], f32::NAN), [28, 28]).unwrap();
    assert_message("kernel_nan", lost.to_svg());
}

#[test]
fn boundaries() {
    let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0]]), Array::from([0u8, 1]));
    let two = model(2, 1);
    let three = Array::full([2, 3], 1f32);
    assert_message("boundary_of_three_inputs", model(3, 1).decision_boundary(&three, &y));
    assert_message("boundary_of_a_model_of_three_inputs", model(3, 1).decision_boundary(&x, &y));
    assert_message("boundary_counts", two.decision_boundary(&x, &labels()));
    let lost = Array::from([[0f32, f32::NAN], [1.0, 0.0]]);
    assert_message("boundary_nan", two.decision_boundary(&lost, &y));
    assert_message("boundary_classes", model(2, 2).decision_boundary(&x, &Array::from([0u8, 2])));
    let boundary = two.decision_boundary(&x, &y).unwrap();
    assert_message("boundary_names", boundary.classes(["a", "b", "c"]).to_svg());
    let few = DecisionBoundary::of(&x, &y, |_| Ok(Array::full([2, 1], 0.5f32)));
    assert_message("boundary_predictions", few);
    let nothing = DecisionBoundary::of(&Array::full([0, 2], 0f32), &Array::full([0], 0u8), |x| Ok(x.clone()));
    assert_message("boundary_of_nothing", nothing);
}

#[test]
fn charts_and_files() {
    assert_message("bars_none", BarChart::new("importance").to_svg());
    assert_message("bars_nan", BarChart::new("importance").bar("units", f64::NAN).to_svg());
    let trials = ParallelCoordinates::new("trials").axis("units", &[16.0, 32.0]);
    assert_message("parallel_one_axis", trials.to_svg());
    assert_message("parallel_lengths", trials.axis("layers", &[1.0]).to_svg());
    let chart = LineChart::new("loss").series("loss", &[(1.0, 0.5), (2.0, 0.4)]);
    assert_message("picture_format", chart.save("loss.pdf"));
    assert_message("picture_without_panels", Figure::new().to_png());
    // Another crate of the workspace may have turned the feature on.
    if Figure::of(chart.clone()).to_png().is_err() {
        assert_message("picture_without_png", chart.save("loss.png"));
    }
}
