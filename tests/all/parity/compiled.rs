//! Losses through a compiled model of one unit: targets `[n]` and `[n, 1]` mean the same.

use super::recorded::{Case, compare, file};
use carnyx_graph::Result;
use carnyx_nn::losses::{BinaryCrossentropy, MeanAbsoluteError, MeanSquaredError, Objective};
use carnyx_nn::optimizers::Sgd;
use carnyx_nn::{Activation, Compile, Dense, Fit, Model, Sequential, Verbosity};

/// One step in float32.
const TOLERANCE: f64 = 1e-6;

#[test]
fn targets_with_and_without_a_last_axis() {
    compare(&file("losses").parts("compiled"), &[], |case, comparison| {
        let dense = dense(case)?;
        let (x, y) = (case.array("inputs/x"), case.array("inputs/y_true"));
        let mut model: Model<Sequential> = Sequential::new()
            .then(dense.clone())
            .compile(Sgd::new(case.number("config/learning_rate")), objective(case));
        comparison.close_to("outputs/y_pred", &model.predict(&x)?, TOLERANCE);
        let evaluated = model.evaluate((&x, &y))?["loss"];
        comparison.number("evaluate", evaluated, case.array("outputs/evaluate").item()?, TOLERANCE);

        let one_step = Fit::epochs(1).batch_size(x.num_rows()).verbose(Verbosity::Silent);
        let trained = model.fit((&x, &y), one_step)?.values("loss")[0];
        comparison.number("train_on_batch", trained, case.array("outputs/train_on_batch").item()?, TOLERANCE);
        comparison.close_to("outputs/kernel_after", &dense.kernel().value()?, TOLERANCE);
        comparison.close_to("outputs/bias_after", &dense.bias().expect("it has a bias").value()?, TOLERANCE);
        Ok(())
    });
}

fn dense(case: &Case) -> Result<Dense> {
    let dense = Dense::new(1).activation(case.text("config/activation").parse::<Activation>()?);
    dense.kernel().assign(&case.array("inputs/kernel"))?;
    dense.bias().expect("it has a bias").assign(&case.array("inputs/bias"))?;
    Ok(dense)
}

fn objective(case: &Case) -> Objective {
    match case.text("loss") {
        "mse" => MeanSquaredError.into(),
        "mae" => MeanAbsoluteError.into(),
        "binary_crossentropy" => BinaryCrossentropy.into(),
        name => panic!("no loss is called `{name}`"),
    }
}
