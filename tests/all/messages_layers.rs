//! Error messages of layers: see `messages`.

use crate::messages::assert_message;
use carnyx::prelude::*;
use carnyx::{
    Add, AlphaDropout, Average, BatchNormalization, CategoryEncoding, Concatenate, Discretization, Dot,
    EinsumDense, Embedding, Encoding, GaussianNoise, GroupNormalization, Hashing, IntegerLookup,
    LayerNormalization, Masking, PRelu, Permute, Rectifier, RepeatVector, Reshape, StringLookup, Subtract,
    TimeDistributed,
};

fn drawn(shape: impl Into<Vec<usize>>) -> Tensor {
    Tensor::input("x", shape)
}

#[test]
fn normalisations() {
    assert_message("batch_normalization_axis", BatchNormalization::new().axis(3).apply(&drawn([4])).check());
    assert_message(
        "batch_normalization_of_the_batch",
        BatchNormalization::new().axis(0).apply(&drawn([4])).check(),
    );
    assert_message(
        "batch_normalization_momentum",
        BatchNormalization::new().momentum(1.5).apply(&drawn([4])).check(),
    );
    assert_message(
        "layer_normalization_axis_twice",
        LayerNormalization::new().axes([1, -1]).apply(&drawn([4])).check(),
    );
    assert_message("layer_normalization_no_features", LayerNormalization::new().apply(&drawn([])).check());
    assert_message("group_normalization_groups", GroupNormalization::new(3).apply(&drawn([4])).check());
    let bytes = Tensor::from(&Array::full([2, 4], 1u8));
    assert_message("layer_normalization_of_bytes", LayerNormalization::new().apply(&bytes).check());
    let normalization = BatchNormalization::new();
    let _ = normalization.apply(&drawn([4]));
    assert_message("batch_normalization_other_features", normalization.apply(&drawn([5])).check());
}

#[test]
fn merges() {
    let (a, b) = (Tensor::input("a", [4]), Tensor::input("b", [5]));
    assert_message("add_of_shapes", Add.apply_to([&a, &b]).check());
    assert_message("average_of_nothing", Average.apply_to([]).check());
    assert_message("subtract_of_three", Subtract.apply_to([&a, &a, &a]).check());
    assert_message("concatenate_of_shapes", Concatenate::new(1).apply_to([&a, &drawn([4, 2])]).check());
    assert_message("dot_of_sizes", Dot::new(1, 1).apply_to([&a, &b]).check());
    assert_message("dot_of_one", Dot::new(1, 1).apply_to([&a]).check());
    assert_message("dot_along_batch", Dot::new(0, 1).apply_to([&a, &a]).check());
}

#[test]
fn shapes() {
    assert_message("reshape_that_does_not_fit", Reshape::new([5, 5]).apply(&drawn([24])).check());
    assert_message("reshape_two_unknown", Reshape::new([-1, -1]).apply(&drawn([24])).check());
    assert_message("reshape_negative", Reshape::new([-2, 12]).apply(&drawn([24])).check());
    assert_message("permute_order", Permute::new([2, 2]).apply(&drawn([3, 4])).check());
    assert_message("repeat_of_pictures", RepeatVector::new(3).apply(&drawn([3, 4])).check());
    assert_message("masking_of_numbers", Masking::new(0.0).apply(&drawn([])).check());
    assert_message(
        "time_distributed_of_vectors",
        TimeDistributed::new(Dense::new(2)).apply(&drawn([4])).check(),
    );
    assert_message("prelu_axis", PRelu::new().shared_along([3]).apply(&drawn([4])).check());
    assert_message("rectifier_slope", Rectifier::new().negative_slope(-1.0).apply(&drawn([4])).check());
}

#[test]
fn noise() {
    assert_message("alpha_dropout_rate", AlphaDropout::new(1.5).apply(&drawn([4])).check());
    assert_message("gaussian_noise_deviation", GaussianNoise::new(-0.5).apply(&drawn([4])).check());
    let constant = Tensor::from(&Array::full([2, 4], 1f32));
    assert_message("gaussian_noise_without_mode", GaussianNoise::new(0.5).apply(&constant).check());
}

#[test]
fn equations() {
    let apply = |equation: &str, sizes: &[isize], shape: &[usize]| {
        EinsumDense::new(equation, sizes).apply(&drawn(shape)).check()
    };
    assert_message("einsum_without_arrow", apply("ab,bc", &[3], &[4]));
    assert_message("einsum_letter_of_nowhere", apply("ab,bc->ad", &[3], &[4]));
    assert_message("einsum_letter_twice", apply("aa,ac->ac", &[3], &[4]));
    assert_message("einsum_batch_in_kernel", apply("ab,abc->ac", &[3], &[4]));
    assert_message("einsum_rank", apply("abc,cd->abd", &[-1, 3], &[4]));
    assert_message("einsum_no_size", apply("ab,bc->ac", &[-1], &[4]));
    assert_message("einsum_other_size", apply("abc,cd->abd", &[7, 3], &[5, 4]));
    assert_message("einsum_too_few_sizes", apply("abc,cd->abd", &[3], &[5, 4]));
    assert_message(
        "einsum_bias_axes",
        EinsumDense::new("ab,bc->ac", [3]).bias_axes("z").apply(&drawn([4])).check(),
    );
}

#[test]
fn categories() {
    assert_message("category_encoding_rank", CategoryEncoding::new(3).apply(&drawn([])).check());
    assert_message(
        "category_encoding_int",
        CategoryEncoding::new(3).encoding(Encoding::Int).apply(&drawn([2])).check(),
    );
    assert_message("discretization_before_adapt", Discretization::ranges(3).apply(&drawn([2])).check());
    assert_message("discretization_order", Discretization::new([1.0f32, 0.5]).apply(&drawn([2])).check());
    assert_message("discretization_of_nothing", Discretization::ranges(3).adapt(&Array::full([0], 0f32)));
    assert_message("discretization_of_nan", Discretization::ranges(3).adapt(&Array::from([1f32, f32::NAN])));
    assert_message("discretization_given", Discretization::new([1.0f32]).adapt(&Array::from([1f32])));
    assert_message("hashing_without_bins", Hashing::new(0).encode(&["a"]));
    assert_message("hashing_ragged", Hashing::new(3).encode_rows(&[vec!["a"], vec!["b", "c"]]));
    assert_message("embedding_without_vectors", Embedding::new(0, 4).apply(&drawn([2])).check());
}

#[test]
fn ids_without_a_row() -> Result {
    let net = || Sequential::new().then(Embedding::new(5, 2)).then(Flatten).then(Dense::new(1));
    let mut model = net().compile(Sgd::new(0.1), MeanSquaredError);
    let (good, bad) = (Array::from([[0i32, 4], [1, 2]]), Array::from([[0i32, 4], [1, 5]]));
    let y = Array::from([[0f32], [1.0]]);
    let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    assert_message("embedding_of_an_id_too_large", model.fit((&bad, &y), quiet()));
    assert_message("embedding_in_prediction", model.predict(bad.cast(DType::F32)));
    assert_message("embedding_in_evaluation", model.evaluate((&bad, &y)));
    let validated = quiet().validation((&bad, &y));
    assert_message("embedding_in_validation", model.fit((&good, &y), validated));
    model.fit((&good, &y), quiet())?;
    Ok(())
}

#[test]
fn vocabularies() -> Result {
    assert_message("vocabulary_twice", StringLookup::new().vocabulary(["a", "b", "a"]));
    assert_message("vocabulary_empty", StringLookup::new().vocabulary(Vec::<String>::new()));
    assert_message("vocabulary_too_large", StringLookup::new().max_tokens(2).vocabulary(["a", "b"]));
    assert_message("vocabulary_with_mask", StringLookup::new().mask_token("").vocabulary(["a", ""]));
    assert_message(
        "vocabulary_unknown",
        StringLookup::new().num_oov_indices(0).vocabulary(["a"])?.encode(&["z"]),
    );
    assert_message("vocabulary_missing", StringLookup::new().encode(&["z"]));
    assert_message("vocabulary_of_nothing", StringLookup::new().adapt::<&str>(&[]));
    assert_message(
        "vocabulary_weights",
        StringLookup::new().encoding(Encoding::TfIdf).vocabulary(["a"])?.idf_weights(&[1.0, 2.0]),
    );
    assert_message("integer_lookup_missing", IntegerLookup::new().apply(&drawn([2])).check());
    let closed = IntegerLookup::new().num_oov_indices(0).vocabulary([7])?;
    assert_message("integer_lookup_closed", closed.apply(&drawn([2])).check());
    Ok(())
}
