//! Activations: values and gradients.

use super::recorded::{Case, compare, file};
use carnyx_graph::{Result, Tensor};
use carnyx_nn::{Activation, Eval};

/// Carnyx has no relu with a ceiling other than 6 or a threshold, and its softmax works along the last axis.
const WITHOUT: [&str; 4] = [
    "relu_max_value_5.0",
    "relu_negative_slope_0.1_max_value_5.0_threshold_0.75",
    "softmax_axis_0",
    "log_softmax_axis_0",
];

/// Both compute in float32; the same formulas in float64 are up to 2.6e-7 away.
const TOLERANCE: f64 = 1e-6;

#[test]
fn activations_and_their_gradients() {
    compare(&file("activations").parts("cases"), &WITHOUT, |case, comparison| {
        let x = Tensor::from(&case.array("inputs/x"));
        let y = activation(case)?.of(&x);
        comparison.close_to("outputs/y", &y.eval()?, TOLERANCE);

        let objective = (&y * Tensor::from(&case.array("weights/out"))).sum();
        let mut gradient = objective.gradients_of(&[x])[0].eval()?;
        let expected = case.array("gradients/x");
        for kink in case.sizes("kinks") {
            gradient.as_mut_slice::<f32>()?[kink] = expected.as_slice::<f32>()?[kink];
        }
        comparison.close("gradients/x", &gradient, &expected, TOLERANCE);
        Ok(())
    });
}

fn activation(case: &Case) -> Result<Activation> {
    let number = |name: &str| {
        case.get(&format!("config/{name}")).map(|_| case.number(&format!("config/{name}")) as f32)
    };
    Ok(match case.text("activation") {
        "relu" | "leaky_relu" if number("negative_slope").is_some() => {
            Activation::LeakyRelu(number("negative_slope").expect("it is there"))
        }
        "elu" if number("alpha").is_some() => Activation::Elu(number("alpha").expect("it is there")),
        "gelu" if case.flag("config/approximate") => Activation::GeluTanh,
        name => name.parse()?,
    })
}
