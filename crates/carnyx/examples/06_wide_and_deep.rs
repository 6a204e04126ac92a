//! 6. Wide & deep: two inputs, an auxiliary output, a loss for each.
//!
//!     cargo run --release --example 06_wide_and_deep
//!
//! A *functional* model is drawn with tensors: layers are applied to inputs and to each other's outputs, in any
//! arrangement. Here five features of a district go straight to the main output (the *wide* path, good at simple
//! rules) and six go through two hidden layers (the *deep* path, good at what is not simple); three features go both
//! ways. A second output looks at the deep path alone and must learn the same target: that keeps the deep path
//! useful by itself, instead of leaving all work to the wide one. Its loss counts for a tenth.
//! (Cheng et al., *Wide & Deep Learning for Recommender Systems*, 2016.)

use carnyx::datasets::california_housing;
use carnyx::prelude::*;

fn main() -> Result {
    let data = california_housing()?;
    let split = data.train.x.num_rows() * 4 / 5;
    let rest = split..data.train.x.num_rows();
    let normalization = Normalization::new();
    normalization.adapt(&data.train.x.rows(0..split)?)?;
    let normalized = |x: &Array| normalization.apply(&Tensor::from(x).in_mode(Mode::Inference)).eval();
    let (x_train, y_train) = (normalized(&data.train.x.rows(0..split)?)?, data.train.y.rows(0..split)?);
    let (x_valid, y_valid) = (normalized(&data.train.x.rows(rest.clone())?)?, data.train.y.rows(rest)?);

    // The first five features, and the last six.
    let wide_and_deep = |x: &Array| -> Result<[Array; 2]> {
        let x = Tensor::from(x);
        Ok([x.slice(-1, 0..5).eval()?, x.slice(-1, 2..8).eval()?])
    };
    let ([a_train, b_train], [a_valid, b_valid]) = (wide_and_deep(&x_train)?, wide_and_deep(&x_valid)?);

    let (input_a, input_b) = (Tensor::input("input_a", [5]), Tensor::input("input_b", [6]));
    let hidden_1 = Dense::new(30).activation(Relu).apply(&input_b);
    let hidden_2 = Dense::new(30).activation(Relu).apply(&hidden_1);
    let main_output = Dense::new(1).named("main_output").apply(&concat([&input_a, &hidden_2], -1));
    let aux_output = Dense::new(1).named("aux_output").apply(&hidden_2);
    let mut model = Functional::new([&input_a, &input_b], [&main_output, &aux_output])?.compile(
        Sgd::new(1e-3),
        [MeanSquaredError.on("main_output").weight(0.9), MeanSquaredError.on("aux_output").weight(0.1)],
    );
    println!("{}", model.summary());

    let history = model.fit(
        ([&a_train, &b_train], [&y_train, &y_train]),
        Fit::epochs(20)
            .validation(([&a_valid, &b_valid], [&y_valid, &y_valid]))
            .verbose(Verbosity::Silent)
            .head_report(),
    )?;

    // The total is the weighted sum of both, to the last digits that floats have.
    for epoch in &history.epochs {
        let total = 0.9 * epoch["main_output_loss"] + 0.1 * epoch["aux_output_loss"];
        assert!((epoch["loss"] - total).abs() < 1e-6, "{} is not {total}", epoch["loss"]);
    }

    // Does the auxiliary output do what it is there for?
    if let Some(report) = history.heads() {
        println!("{report}");
    }

    // Inputs by name, in any order.
    let (a, b) = (a_valid.rows(0..3)?, b_valid.rows(0..3)?);
    let [main, aux] = &model.predict_all([("input_b", &b), ("input_a", &a)])?[..] else { unreachable!() };
    for ((main, aux), truth) in main.values().iter().zip(aux.values()).zip(y_valid.values()) {
        println!("main output {main:.2}, auxiliary output {aux:.2}, in truth {truth:.2}");
    }

    // What the deep path has learned is a model of its own, from one of the inputs; the weights are shared.
    let features = model.until("dense_1")?.compile(Sgd::new(1e-3), MeanSquaredError);
    println!("deep features of three districts: {:?}", features.predict(&b)?.shape());
    let valid = model.evaluate(([&a_valid, &b_valid], [&y_valid, &y_valid]))?;
    println!("validation: main {:.4}, auxiliary {:.4}", valid["main_output_loss"], valid["aux_output_loss"]);
    Ok(())
}
