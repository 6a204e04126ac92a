//! 11. Rare classes: which proteins are related to a given one?
//!
//!     cargo run --release --example 11_imbalanced [bio_kdd04_20k.csv.gz]
//!
//! In the data of the KDD Cup 2004, about one protein of a hundred is related to the one that it is compared with. A
//! model that says "none" is right in 99 of 100 cases, and useless. New here: weights of classes and of samples, and
//! figures that a rare class does not vanish in. Without the file, the same is shown with districts of California:
//! which of them are so expensive that the census wrote only "more than $500 000"?

use carnyx::datasets::{Table, california_housing};
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
    for (name, scores) in &reports {
        let labels = data.test.1.values();
        let (recall, precision) = recall_and_precision(scores, &labels);
        println!("{name:<44} {recall:>6.3}  {precision:>9.3}  {:.3}", average_precision(scores, &labels));
    }
    println!(
        "\nWeights move the border between the classes: more of the rare ones are found, and more others are taken for \
         them. Whether the order of the samples becomes better too, the last column says; often it does not."
    );
    Ok(())
}

/// The scores of the test samples after a training.
fn trained(data: &Rare, training: impl Into<Data>, fit: Fit) -> Result<Vec<f32>> {
    let normalization = Normalization::new();
    normalization.adapt(&data.train.0)?;
    let mut model = Sequential::new()
        .then(normalization)
        .then(Dense::new(32).activation(Relu))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(1e-3), BinaryCrossentropy)
        .weighted_metric(BinaryAccuracy::default())
        .seed(1);
    model.fit(training, fit)?;
    Ok(model.predict(&data.test.0)?.values())
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

/// Of the positive samples, how many have a score above one half; and of those with such a score, how many are positive.
fn recall_and_precision(scores: &[f32], labels: &[f32]) -> (f64, f64) {
    let pairs = || scores.iter().zip(labels);
    let hits = pairs().filter(|(score, label)| **score > 0.5 && **label == 1.0).count() as f64;
    let positive = labels.iter().filter(|&&label| label == 1.0).count() as f64;
    let taken = scores.iter().filter(|&&score| score > 0.5).count() as f64;
    (hits / positive, if taken > 0.0 { hits / taken } else { 0.0 })
}

/// The area under the curve of precision over recall, as the mean precision at each positive sample, from the highest
/// score on. By chance it would be the share of positive samples.
fn average_precision(scores: &[f32], labels: &[f32]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&i, &j| scores[j].total_cmp(&scores[i]));
    let (mut hits, mut sum) = (0.0, 0.0);
    for (rank, i) in order.into_iter().enumerate() {
        if labels[i] == 1.0 {
            hits += 1.0;
            sum += hits / (rank + 1) as f64;
        }
    }
    sum / hits
}
