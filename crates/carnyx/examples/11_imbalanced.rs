//! 11. Rare classes: which proteins are related to a given one?
//!
//!     cargo run --release --example 11_imbalanced [bio_kdd04_20k.csv.gz]
//!
//! In the data of the KDD Cup 2004, about one protein of a hundred is related to the one that it is compared with. A
//! model that says "none" is right in 99 of 100 cases, and useless. New here: weights of classes and of samples, and
//! figures that a rare class does not vanish in. Without the file, the same is shown with districts of California:
//! which of them are so expensive that the census wrote only "more than $500 000"?

use carnyx::datasets::{Table, california_housing};
use carnyx::metrics::Curve;
use carnyx::prelude::*;
use std::path::Path;

/// Where the file is looked for, if no path is given.
const STANDARD: &str = "../shared/data/tabular/bio_kdd04_20k.csv.gz";

/// Samples of which few have the label 1.
struct Rare {
    train: (Array, Array),
    test: (Array, Array),
    /// For the training data: how much each sample counts apart from its class.
    weights: Array,
    what_weights_mean: &'static str,
}

fn main() -> Result {
    let path = std::env::args().nth(1).unwrap_or_else(|| STANDARD.to_owned());
    let data = if Path::new(&path).exists() {
        proteins(&path)?
    } else {
        println!("{path} is not there: districts of California instead");
        districts()?
    };
    let (positives, all) = (count(&data.train.1), data.train.1.len());
    println!("training: {positives} of {all} samples are positive");
    println!("test:     {} of {}", count(&data.test.1), data.test.1.len());

    // The loss of a positive sample is the same however rare it is. So without weights, a step is moved by the
    // negative ones nearly alone; balanced weights give both classes half of the mass, and effective numbers lie
    // between. The line on the mass of the classes is printed by `Verbosity::Line`.
    let weight = |data: &Rare| (data.train.0.clone(), data.train.1.clone(), data.weights.clone());
    let plain = || Fit::epochs(10).batch_size(64).verbose(Verbosity::Silent);
    let lines = || Fit::epochs(10).batch_size(64).verbose(Verbosity::Line);
    let balanced = ClassWeight::balanced;

    println!("\nbalanced:");
    let with_balance = trained(&data, &data.train, lines().class_weight(balanced()))?;
    let reports = [
        ("no weights", trained(&data, &data.train, plain())?),
        ("effective number, 0.999", {
            trained(&data, &data.train, plain().class_weight(ClassWeight::effective_number(0.999)))?
        }),
        ("balanced", with_balance),
        (data.what_weights_mean, trained(&data, weight(&data), plain().class_weight(balanced()))?),
    ];

    println!("\n{:<44} recall  precision  area under precision and recall", "on the test set");
    for (name, logs) in &reports {
        let (recall, precision, area) = (logs["recall"], logs["precision"], logs["auc"]);
        println!("{name:<44} {recall:>6.3}  {precision:>9.3}  {area:.3}");
    }
    println!(
        "\nWeights move the border between the classes: more of the rare ones are found, and more others are taken for \
         them. Whether the order of the samples becomes better too, the last column says; often it does not."
    );
    Ok(())
}

/// The figures of the test samples after a training. The area under the curve of precision over recall is one of the
/// order of the samples alone; by chance it would be the share of positive samples.
fn trained(data: &Rare, training: impl Into<Data>, fit: Fit) -> Result<Logs> {
    let normalization = Normalization::new();
    normalization.adapt(&data.train.0)?;
    let mut model = Sequential::new()
        .then(normalization)
        .then(Dense::new(32).activation(Relu))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(1e-3), BinaryCrossentropy)
        .weighted_metric(BinaryAccuracy::default())
        .metric(Recall)
        .metric(Precision)
        .metric(Auc.curve(Curve::PrecisionRecall))
        .seed(1);
    model.fit(training, fit)?;
    model.evaluate(&data.test)
}

/// The proteins of the KDD Cup: 74 features of how well two proteins match. The test set has other blocks (proteins
/// that the others are compared with) than the training set.
fn proteins(path: &str) -> Result<Rare> {
    let table = Table::read(path)?;
    let features: Vec<&str> = table.names()[3..].iter().map(String::as_str).collect();
    let (x, y, blocks) = (table.columns(&features)?, table.column("target")?, table.column("EXAMPLE_ID")?);
    let mut known: Vec<f64> = Vec::new();
    let block_of_row: Vec<usize> = (0..blocks.len())
        .map(|row| {
            let block = blocks.element(row);
            known.iter().position(|&other| other == block).unwrap_or_else(|| {
                known.push(block);
                known.len() - 1
            })
        })
        .collect();
    let (test, train): (Vec<usize>, Vec<usize>) =
        (0..y.len()).partition(|&row| block_of_row[row].is_multiple_of(3));

    // Some proteins have one relative, others fifty. With these weights, each protein's relatives count the same
    // together; their mean is one, so that the class keeps its mass.
    let mut relatives = vec![0.0; known.len()];
    train.iter().for_each(|&row| relatives[block_of_row[row]] += y.element(row));
    let blocks_with_any = relatives.iter().filter(|&&count| count > 0.0).count() as f64;
    let typical = relatives.iter().sum::<f64>() / blocks_with_any;
    let weight = |i: usize| match y.element(train[i]) {
        1.0 => (typical / relatives[block_of_row[train[i]]]) as f32,
        _ => 1.0,
    };
    Ok(Rare {
        weights: Array::from_fn([train.len()], weight),
        what_weights_mean: "balanced, all proteins' relatives alike",
        train: (x.take_rows(&train)?, y.take_rows(&train)?),
        test: (x.take_rows(&test)?, y.take_rows(&test)?),
    })
}

/// Districts of California: one of twenty has a median value at the upper limit of the census.
fn districts() -> Result<Rare> {
    let data = california_housing()?;
    let at_the_limit = |y: &Array| Array::from_fn([y.len()], |i| f32::from(y.element(i) >= 5.0));
    // A district is the mean of its inhabitants: large ones are measured better. Their weights grow with the root of
    // the population, and have the mean one.
    let population = data.feature_names.iter().position(|name| name == "Population").unwrap_or(4);
    let (x, columns) = (data.train.x.values(), data.train.x.row_len());
    let roots: Vec<f32> = x.chunks(columns).map(|row| row[population].sqrt()).collect();
    let mean = roots.iter().sum::<f32>() / roots.len() as f32;
    Ok(Rare {
        weights: Array::from_fn([roots.len()], |i| roots[i] / mean),
        what_weights_mean: "balanced, large districts count more",
        train: (data.train.x.clone(), at_the_limit(&data.train.y)),
        test: (data.test.x.clone(), at_the_limit(&data.test.y)),
    })
}

fn count(labels: &Array) -> usize {
    labels.values().iter().filter(|&&label| label == 1.0).count()
}
