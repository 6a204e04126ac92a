//! What encodes data before a model sees them: categories, ranges, bins and vocabularies.

use super::recorded::{Case, Comparison, compare, file};
use carnyx::prelude::*;
use carnyx::{CategoryEncoding, Discretization, Encoding, Hashing, IntegerLookup, StringLookup};

/// Sums of a few weights in float32.
const TOLERANCE: f64 = 1e-6;

#[test]
fn encodings_are_those_of_keras() {
    compare(&file("preprocessing").parts("cases"), &[], |case, comparison| match case.text("layer") {
        "CategoryEncoding" => {
            let layer =
                CategoryEncoding::new(case.number("config/num_tokens") as usize).encoding(encoding(case));
            applied(case, comparison, layer)
        }
        "Discretization" => discretization(case, comparison),
        "Hashing" => hashing(case, comparison),
        "StringLookup" => string_lookup(case, comparison),
        "IntegerLookup" => integer_lookup(case, comparison),
        class => panic!("no layer is called `{class}`"),
    });
}

fn encoding(case: &Case) -> Encoding {
    match case.text("config/output_mode") {
        "int" => Encoding::Int,
        "one_hot" => Encoding::OneHot,
        "multi_hot" => Encoding::MultiHot,
        "count" => Encoding::Count,
        "tf_idf" => Encoding::TfIdf,
        mode => panic!("no encoding is called `{mode}`"),
    }
}

/// Keras's numbers have 32 bits in the file.
fn check(comparison: &mut Comparison, found: &Array) {
    comparison.close_to("y", &found.cast(DType::F32), TOLERANCE);
}

fn applied(case: &Case, comparison: &mut Comparison, layer: impl Layer<Out = Tensor>) -> Result {
    let y = layer.call(&Tensor::from(&case.array("x")).in_mode(Mode::Inference));
    check(comparison, &y.eval()?);
    Ok(())
}

fn discretization(case: &Case, comparison: &mut Comparison) -> Result {
    if case.get("adapt").is_none() {
        let boundaries: Vec<f32> = case.numbers("config/bin_boundaries").iter().map(|&b| b as f32).collect();
        return applied(case, comparison, Discretization::new(boundaries).encoding(encoding(case)));
    }
    let mut layer = Discretization::ranges(case.number("config/num_bins") as usize)
        .epsilon(case.number("config/epsilon") as f32);
    layer.adapt(&case.array("adapt"))?;
    let recorded = Array::from(case.numbers("boundaries")).cast(DType::F32);
    comparison.close("boundaries", &Array::from(layer.boundaries().to_vec()), &recorded, TOLERANCE);
    applied(case, comparison, layer)
}

/// A list of texts, or of rows of them.
fn rows<'a>(case: &'a Case, path: &str) -> Vec<Vec<&'a str>> {
    let list = case.get(path).and_then(serde_json::Value::as_array).expect("a list");
    let text = |value: &'a serde_json::Value| value.as_str().expect("a text");
    list.iter().map(|row| row.as_array().expect("a row").iter().map(text).collect()).collect()
}

fn hashing(case: &Case, comparison: &mut Comparison) -> Result {
    let mut hashing = Hashing::new(case.number("config/num_bins") as usize).encoding(encoding(case));
    if case.get("config/salt").is_some() {
        let salt = case.sizes("config/salt");
        hashing = hashing.salt([salt[0] as u64, salt[1] as u64]);
    }
    if case.get("config/mask_value").is_some() {
        hashing = hashing.mask_value(case.text("config/mask_value"));
    }
    let list = case.get("x").expect("an input");
    let found = if list.is_object() {
        hashing.encode_numbers(&case.array("x").to_vec::<i64>())?
    } else if list[0].is_array() {
        hashing.encode_rows(&rows(case, "x"))?
    } else {
        hashing.encode(&case.texts("x"))?
    };
    check(comparison, &found);
    Ok(())
}

fn weights(case: &Case) -> Vec<f32> {
    case.numbers("config/idf_weights").iter().map(|&weight| weight as f32).collect()
}

fn string_lookup(case: &Case, comparison: &mut Comparison) -> Result {
    let mut lookup = StringLookup::new()
        .num_oov_indices(case.number("config/num_oov_indices") as usize)
        .encoding(encoding(case));
    if case.get("config/mask_token").is_some() {
        lookup = lookup.mask_token(case.text("config/mask_token"));
    }
    if case.get("config/max_tokens").is_some() {
        lookup = lookup.max_tokens(case.number("config/max_tokens") as usize);
    }
    if case.get("adapt").is_some() {
        lookup.adapt_rows(&rows(case, "adapt"))?;
    } else {
        lookup = lookup.vocabulary(case.texts("config/vocabulary"))?;
    }
    if case.get("config/idf_weights").is_some() {
        lookup = lookup.idf_weights(&weights(case))?;
    }
    comparison.holds("the same tokens", lookup.tokens() == case.texts("tokens"));
    let found = lookup.encode_rows(&rows(case, "x"))?;
    check(comparison, &found);
    // Known tokens come back.
    if found.dtype() == DType::I64 {
        let words = rows(case, "x").concat();
        let known = |(decoded, word): (&String, &&str)| decoded == word || decoded == "[UNK]";
        comparison.holds("decoded", lookup.decode(&found).iter().zip(&words).all(known));
    }
    Ok(())
}

fn integer_lookup(case: &Case, comparison: &mut Comparison) -> Result {
    let mut lookup = IntegerLookup::new()
        .num_oov_indices(case.number("config/num_oov_indices") as usize)
        .encoding(encoding(case));
    if case.get("config/mask_token").is_some() {
        lookup = lookup.mask_token(case.number("config/mask_token") as i64);
    }
    if case.get("adapt").is_some() {
        lookup.adapt(&case.array("adapt"))?;
    } else {
        lookup = lookup
            .vocabulary(case.numbers("config/vocabulary").iter().map(|&v| v as i64).collect::<Vec<_>>())?;
    }
    if case.get("config/idf_weights").is_some() {
        lookup = lookup.idf_weights(&weights(case))?;
    }
    let tokens: Vec<i64> = case.numbers("tokens").iter().map(|&token| token as i64).collect();
    comparison.holds("the same tokens", lookup.tokens() == tokens);
    check(comparison, &lookup.encode(&case.array("x"))?);
    applied(case, comparison, lookup)
}
