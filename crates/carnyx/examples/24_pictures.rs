//! 24. Pictures: what a number does not say.
//!
//!     cargo run --release --example 24_pictures
//!     cargo run --release --example 24_pictures --features png
//!
//! An accuracy of 0.85 may be a model that is a little wrong everywhere, or one that takes every shirt for a coat. This
//! program trains two small models and draws what to look at: the data before anything else, learning curves, which
//! classes are taken for which, how well each class is told apart from the others, what the units of the first layer look
//! for, and, for a model of two inputs, what it says everywhere in the plane. All are SVG files; with the feature `png`,
//! each is a PNG file too.

use carnyx::datasets::fashion_mnist;
use carnyx::plots::{Figure, ImageGrid, Panel, PrecisionRecallCurve, RocCurve};
use carnyx::prelude::*;

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

fn main() -> Result {
    clothes()?;
    two_inputs()
}

/// Saves a picture as SVG, and as PNG if this program can.
fn save(name: &str, picture: impl Into<Panel>) -> Result {
    let figure = Figure::of(picture);
    figure.save(format!("{name}.svg"))?;
    if cfg!(feature = "png") {
        figure.save(format!("{name}.png"))?;
    }
    println!("  {name} is drawn");
    Ok(())
}

fn clothes() -> Result {
    let data = fashion_mnist()?;
    let (x, y) = (data.train.x.rows(0..2000)?, data.train.y.rows(0..2000)?);
    let (x_test, y_test) = (data.test.x.rows(0..500)?, data.test.y.rows(0..500)?);

    println!("the data: are these images, and do the labels fit?");
    let names = y.values().into_iter().map(|label| CLASSES[label as usize]);
    save("clothes", ImageGrid::of(&x)?.captions(names).at_most(30).columns(10).title("Fashion-MNIST"))?;

    let first = Dense::new(49).activation(Relu).kernel_regularizer(L2::new(1e-3));
    let mut model = Sequential::new()
        .then(Rescaling::new(1.0 / 255.0))
        .then(Flatten)
        .then(first.clone())
        .then(Dense::new(10).activation(Softmax))
        .compile(Adam::new(2e-3), SparseCategoricalCrossentropy)
        .metric(Accuracy);
    let fit = Fit::epochs(12).validation((&x_test, &y_test)).verbose(Verbosity::Silent);
    let history = model.fit((&x, &y), fit)?;

    println!("the fit: does it still learn, does it learn by heart?");
    history.plot().save("clothes_learning_curves.svg")?;

    let matrix = model.confusion(&x_test, &y_test)?.classes(CLASSES);
    println!("the mistakes: an accuracy of {:.3}, but which are they?", matrix.accuracy());
    let shirt = 6;
    for class in [0, 2, 4] {
        println!("  {} shirts are taken for {}", matrix.count(shirt, class), CLASSES[class]);
    }
    println!(
        "  of {} it finds {:.0} %, of {} {:.0} %",
        CLASSES[shirt],
        100.0 * matrix.recall(shirt).unwrap_or(f64::NAN),
        CLASSES[1],
        100.0 * matrix.recall(1).unwrap_or(f64::NAN)
    );
    save("clothes_confusion", matrix)?;

    println!("the scores: how well is each class told apart from all others?");
    let scores = model.predict(&x_test)?;
    let curves = RocCurve::of_classes(&y_test, &scores)?;
    let worst = [0, 4, shirt, 8].map(|class| (CLASSES[class], &curves[class]));
    save("clothes_roc", RocCurve::compare(worst).title("one class against the others"))?;
    let curves = PrecisionRecallCurve::of_classes(&y_test, &scores)?;
    let worst = [0, 4, shirt, 8].map(|class| (CLASSES[class], &curves[class]));
    save("clothes_precision_recall", PrecisionRecallCurve::compare(worst))?;

    println!("the weights: what do the units of the first layer look for?");
    let kernel = first.kernel().value()?;
    save("clothes_weights", ImageGrid::of_kernel(&kernel, [28, 28])?.title("units of the first layer"))
}

/// Two half moons that reach into each other, and a model before and after it has learned them.
fn two_inputs() -> Result {
    let angle = |i: usize| (i % 100) as f32 / 100.0 * std::f32::consts::PI;
    let noise = |i: usize| ((i * 7919 % 211) as f32 / 211.0 - 0.5) * 0.5;
    let place = |i: usize| match i / 100 {
        0 => [angle(i).cos(), angle(i).sin()],
        _ => [1.0 - angle(i).cos(), 0.5 - angle(i).sin()],
    };
    let points: Vec<f32> =
        (0..200).flat_map(|i| [place(i)[0] + noise(2 * i), place(i)[1] + noise(2 * i + 1)]).collect();
    let x = Array::new([200, 2], points)?;
    let y = Array::from_fn([200], |i| (i / 100) as u8);

    let mut model = Sequential::new()
        .then(Dense::new(16).activation(Tanh))
        .then(Dense::new(16).activation(Tanh))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.01), BinaryCrossentropy)
        .metric(Accuracy);
    let mut figure = Figure::new();
    for (title, epochs) in [("after 1 epoch", 1), ("after 15 epochs", 14), ("after 150 epochs", 135)] {
        model.fit((&x, &y), Fit::epochs(epochs).verbose(Verbosity::Silent))?;
        figure = figure.panel(model.decision_boundary(&x, &y)?.title(title).classes(["upper", "lower"]));
        println!("{title}: accuracy {:.3}", model.confusion(&x, &y)?.accuracy());
    }
    figure = figure.panel(model.roc(&x, &y)?.plot());
    figure.save("moons.svg")?;
    if cfg!(feature = "png") {
        figure.save("moons.png")?;
    }
    println!("  moons is drawn");
    Ok(())
}
