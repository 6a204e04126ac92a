//! 4. The perceptron: one unit that learns from its mistakes, and what it takes to get beyond it.
//!
//!     cargo run --release --example 04_perceptron
//!
//! `03_xor` writes the perceptron's rule out as tensors. Here is the classifier of 1958 as it is used: `Perceptron` goes
//! through the samples one by one, and each one on the wrong side pulls the plane over. If a plane separates the classes, it
//! is found after a finite number of mistakes (Novikoff 1962). If none does, the report says so, and the end has units that
//! learned one by one as the layers of a network.

use carnyx::datasets::fashion_mnist;
use carnyx::prelude::*;

fn main() -> Result {
    two_clouds()?;
    pictures()?;
    xor_from_three_units()
}

/// Points in the plane: what is learned is a line.
fn two_clouds() -> Result {
    println!("Two clouds of points:");
    for (name, distance) in [("far from each other", 3.0), ("near each other", 1.0)] {
        let (x, y) = clouds(distance);
        let mut perceptron = Perceptron::new().seed(42);
        let report = perceptron.fit(&x, &y)?;
        println!("  {name}: {report}");
        println!("    accuracy {:.2}", perceptron.score(&x, &y)?);
        assert_eq!(
            report.separated,
            distance > 2.0,
            "only the clouds that are far apart have a line between them"
        );

        // The same decisions by a layer of a network: a threshold logic unit (TLU) with the weights that were learned.
        let unit = threshold_layer(&[&perceptron])?;
        let said = unit.apply(&Tensor::from(&x)).eval()?;
        assert_eq!(
            said.values(),
            perceptron.predict(&x)?.values(),
            "the layer must decide as the perceptron does"
        );
    }
    println!();
    Ok(())
}

/// Points in 784 dimensions, which are pictures: what is learned is a plane. More dimensions leave it more room.
fn pictures() -> Result {
    let data = fashion_mnist()?;
    let pixels = data.train.x.reshape([data.train.x.num_rows(), 784])?;
    println!("Pictures of clothes, two classes at a time:");
    for (first, second, is_easy) in [(1, 9, true), (0, 6, false)] {
        let of_both = |&row: &usize| [first, second].contains(&(data.train.y.element(row) as usize));
        let rows: Vec<usize> = (0..pixels.num_rows()).filter(of_both).collect();
        let (x, y) = (pixels.take_rows(&rows)?, data.train.y.take_rows(&rows)?);
        let report = Perceptron::new().seed(42).fit(&x, &y)?;
        println!("  {} and {}: {report}", data.class_names[first], data.class_names[second]);
        assert_eq!(report.separated, is_easy, "trousers are unlike boots, T-shirts are like shirts");
    }
    println!();
    Ok(())
}

/// No line separates the corners of XOR. But each of AND and OR has its line, and on what these two units say, XOR has one:
/// three perceptrons, each of which learned its own part, are a network of two layers.
fn xor_from_three_units() -> Result {
    let corners = Array::from([[0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let (and, or, xor) =
        (Array::from([0u8, 0, 0, 1]), Array::from([0u8, 1, 1, 1]), Array::from([0u8, 1, 1, 0]));

    let report = Perceptron::new().without_tolerance().max_iterations(1000).fit(&corners, &xor)?;
    println!("XOR, one unit: {report}");
    assert!(!report.separated, "no line separates the corners of XOR");

    let learn = |x: &Array, y: &Array| -> Result<Perceptron> {
        let mut perceptron = Perceptron::new();
        let report = perceptron.fit(x, y)?;
        assert!(report.separated, "this part has a line: {report}");
        Ok(perceptron)
    };
    let hidden = threshold_layer(&[&learn(&corners, &and)?, &learn(&corners, &or)?])?;
    let said_by_hidden = hidden.apply(&Tensor::from(&corners)).eval()?;
    let output = threshold_layer(&[&learn(&said_by_hidden, &xor)?])?;

    let net = Sequential::new().then(hidden).then(output);
    let said = net.apply(&Tensor::from(&corners)).eval()?.values();
    println!("XOR, three units in two layers:");
    for (corner, said) in corners.values().chunks(2).zip(&said) {
        println!("  {} xor {} = {said}", corner[0], corner[1]);
    }
    assert_eq!(said, xor.values(), "two layers of threshold units compute XOR");
    Ok(())
}

/// A layer with a threshold logic unit for each perceptron, which says 1 where that one says its greater label.
fn threshold_layer(perceptrons: &[&Perceptron]) -> Result<Dense> {
    let units = perceptrons.len();
    let rows: Vec<Vec<f32>> =
        perceptrons.iter().map(|unit| Ok(unit.weights()?.values())).collect::<Result<_>>()?;
    let bias: Vec<f32> =
        perceptrons.iter().map(|unit| Ok(unit.bias()?.values()[0])).collect::<Result<_>>()?;
    let layer = Dense::new(units).activation(Heaviside);
    // A perceptron has one row for each unit, a layer one column.
    layer.kernel().assign(&Array::from_fn([rows[0].len(), units], |i| rows[i % units][i / units]))?;
    layer.bias().map_or(Ok(()), |variable| variable.assign(&Array::from(bias)))?;
    Ok(layer)
}

/// 100 points of each of two classes, within a circle of radius 1 around centres that are `distance` from each other.
fn clouds(distance: f32) -> (Array, Array) {
    // Turning by the golden angle spreads points evenly over a disc.
    let point = |i: usize| {
        let (radius, angle) = ((i as f32 / 200.0).sqrt(), 2.399963 * i as f32);
        [radius * angle.cos() + distance * (i % 2) as f32, radius * angle.sin()]
    };
    (Array::from_fn([200, 2], |i| point(i / 2)[i % 2]), Array::from_fn([200], |i| (i % 2) as u8))
}
