//! 3. XOR: why a network needs more than one layer.
//!
//!     cargo run --release --example 03_xor
//!
//! "One or the other, but not both" is the function that ended the first spring of neural networks. A perceptron is a layer
//! of threshold logic units (TLUs): weighted sums, and a step that says 1 from zero on. It separates two classes by a
//! straight line, and no line separates the corners of XOR. Two layers do it: with weights set by hand, or learned.

use carnyx::prelude::*;

/// The four corners of the square.
const CORNERS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// 1 where exactly one of the two is 1.
const XOR: [[f32; 1]; 4] = [[0.0], [1.0], [1.0], [0.0]];

fn main() -> Result {
    one_layer_fails()?;
    two_layers_by_hand()?;
    two_layers_learn()
}

/// The perceptron's rule: where a unit is wrong, move its weights towards the inputs, or away from them.
fn one_layer_fails() -> Result {
    println!("One layer of threshold units, trained by the perceptron's rule:");
    for (name, targets) in [("AND", [[0.0f32], [0.0], [0.0], [1.0]]), ("XOR", XOR)] {
        let unit = Dense::new(1).activation(Heaviside).kernel_initializer(Zeros);
        let (x, y) = (Tensor::from(&Array::from(CORNERS)), Tensor::from(&Array::from(targets)));
        let said = unit.apply(&x); // gives the variables their shapes
        let (kernel, bias) =
            (unit.kernel(), unit.bias().expect("a `Dense` has a bias unless told otherwise"));
        let wrong = &y - &said; // 1, 0 or -1 for each corner

        // Both assignments belong to one program, which is planned once and run at each step. No gradient is needed:
        // that of a step is zero everywhere, so gradient descent could not train this unit at all.
        for _ in 0..25 {
            let updates = Updates::from(vec![
                (kernel.clone(), Tensor::read(kernel) + x.transpose().matmul(&wrong) * 0.1),
                (bias.clone(), Tensor::read(bias) + wrong.sum_along(0) * 0.1),
            ]);
            wrong.eval_with(updates)?;
        }
        let mistakes = wrong.abs().sum().eval()?.item()?;
        println!("  {name}: {mistakes} mistakes of 4");
    }
    println!("  AND is on one side of a line, XOR is not: it would be wrong after any number of steps.\n");
    Ok(())
}

/// XOR is "OR, but not AND": one unit for each, and a third that takes the difference.
fn two_layers_by_hand() -> Result {
    let (hidden, output) = (Dense::new(2).activation(Heaviside), Dense::new(1).activation(Heaviside));
    let said = output.apply(&hidden.apply(&Tensor::from(&Array::from(CORNERS))));

    // Column 0 is OR: x1 + x2 >= 0.5. Column 1 is AND: x1 + x2 >= 1.5.
    assign(&hidden, &Array::from([[1f32, 1.0], [1.0, 1.0]]), &Array::from([-0.5f32, -1.5]))?;
    assign(&output, &Array::from([[1f32], [-1.0]]), &Array::from([-0.5f32]))?;

    println!("Two layers of threshold units, weights set by hand:");
    show(&said.eval()?);
    Ok(())
}

fn assign(layer: &Dense, kernel: &Array, bias: &Array) -> Result {
    layer.kernel().assign(kernel)?;
    layer.bias().map_or(Ok(()), |variable| variable.assign(bias))
}

/// With a smooth function in place of the step there is a gradient to follow, and the weights are found.
fn two_layers_learn() -> Result {
    let (x, y) = (Array::from(CORNERS), Array::from(XOR));
    let mut model = Sequential::new()
        .then(Dense::new(8).activation(Tanh))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.05), BinaryCrossentropy)
        .metric(Accuracy)
        .seed(42);
    let history = model.fit((&x, &y), Fit::epochs(200).batch_size(4).verbose(Verbosity::Silent))?;

    println!("Two layers, weights learned:");
    show(&model.predict(&x)?);
    let (first, last) = (history.values("loss")[0], history.last("loss").unwrap_or(f64::NAN));
    println!("  loss {first:.4} before the first step, {last:.4} after 200 epochs");
    Ok(())
}

fn show(outputs: &Array) {
    for ([a, b], said) in CORNERS.iter().zip(outputs.values()) {
        println!("  {a} xor {b} = {said:.3}");
    }
}
