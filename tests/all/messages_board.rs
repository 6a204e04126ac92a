//! Messages about logs for TensorBoard.

use super::messages::{assert_message, go_to_root};
use carnyx::board::{Trial, Writer, log_trials};
use carnyx::prelude::*;

fn with(board: TensorBoard) -> Result<History> {
    let x = Array::from_fn([32, 4], |i| (i % 7) as f32 - 3.0);
    let y = Array::from_fn([32, 1], |i| (i % 3) as f32);
    let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError);
    model.fit((&x, &y), Fit::epochs(1).verbose(Verbosity::Silent).callback(board))
}

#[test]
fn folders_that_cannot_be_written() {
    go_to_root();
    std::fs::create_dir_all("target/messages").unwrap();
    std::fs::write("target/messages/board", "no folder").unwrap();
    assert_message("board_in_a_file", with(TensorBoard::at("target/messages/board")));
    assert_message("board_below_a_file", Writer::at("target/messages/board/1"));
}

#[test]
fn options_without_sense() {
    let at = || TensorBoard::at("target/messages/never");
    assert_message("board_every_0_steps", with(at().every_steps(0)));
    assert_message("board_every_0_epochs", with(at().histograms(0)));
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 200..100;
    assert_message("board_profile_reversed", with(at().profile(reversed)));
    assert_message("board_profile_of_nothing", with(at().profile(5..5)));
}

#[test]
fn labels_of_embeddings() {
    let with = |layer: &str, labels: usize| {
        let x = Array::from_fn([32, 4], |i| (i % 7) as f32);
        let y = Array::from_fn([32, 1], |i| (i % 3) as f32);
        let words = Embedding::new(7, 2).named("words");
        let net = Sequential::new().then(words).then(Flatten).then(Dense::new(1));
        let board = TensorBoard::at("target/messages/never").embeddings(1);
        let board = board.labels(layer, (0..labels).map(|i| i.to_string()));
        let fit = Fit::epochs(1).verbose(Verbosity::Silent).callback(board);
        net.compile(Sgd::new(0.01), MeanSquaredError).fit((&x, &y), fit)
    };
    assert_message("board_labels_of_another_layer", with("word", 7));
    assert_message("board_labels_too_few", with("words", 3));
}

#[test]
fn logs_of_ones_own() {
    go_to_root();
    let mut log = Writer::at("target/messages/own").unwrap();
    assert_message("board_empty_tag", log.scalar("", 0, 1.0));
    assert_message("board_image_of_one_axis", log.image("bias", 0, &Array::full([3], 1f32)));
    assert_message("board_image_of_five_channels", log.image("cube", 0, &Array::full([2, 3, 5], 1f32)));
    assert_message("board_image_of_nothing", log.image("none", 0, &Array::full([0, 3], 1f32)));
    assert_message("board_picture_of_another_kind", log.png("chart", 0, b"<svg></svg>"));
    let points = Array::full([3, 2], 1f32);
    assert_message("board_labels", log.embedding("points", &points, ["a", "b"]));
    assert_message("board_points_of_one_axis", log.embedding("points", &Array::full([3], 1f32), ["a"]));
}

#[test]
fn trials_of_a_search() {
    let twice = [Trial::new("7").with("units", 3), Trial::new("7").with("units", 4)];
    assert_message("board_trials_of_one_name", log_trials("target/messages/trials", &twice));
    assert_message("board_no_trials", log_trials("target/messages/trials", &[]));
}
