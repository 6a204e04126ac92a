//! 12. How sure were the people? Weights of samples from the agreement of raters.
//!
//!     cargo run --release --example 12_rater_agreement [movie_snippets_crowd.csv.gz]
//!
//! Sentences from film reviews were rated by 15 to 29 people each, from -4 to 4 (Hutto and Gilbert, *VADER*, 2014).
//! Is a sentence friendly? Where all say so, the label is certain; where nine say yes and seven no, it is little more
//! than a coin. New here: such a sample may count less in training. Whether that helps is measured, not believed.
//! Without the file, the same is shown with districts of California, with labels made uncertain on purpose.

use carnyx::datasets::{Table, california_housing};
use carnyx::prelude::*;
use std::path::Path;

/// Where the file is looked for, if no path is given.
const STANDARD: &str = "../shared/data/text/movie_snippets_crowd.csv.gz";
/// Words are numbered by a hash, so no list of words is needed; some share a number.
const BUCKETS: usize = 2048;
/// Trainings with other first weights and another order each: differences smaller than theirs mean nothing.
const SEEDS: u64 = 5;

/// Samples with labels 0 or 1 and the share of raters who agree with them.
struct Rated {
    x: Array,
    y: Array,
    agreement: Array,
}

fn main() -> Result {
    let path = std::env::args().nth(1).unwrap_or_else(|| STANDARD.to_owned());
    let rated = if Path::new(&path).exists() {
        sentences(&path)?
    } else {
        println!("{path} is not there: districts of California instead");
        districts()?
    };
    // Agreement of one half says nothing, of one everything.
    let weights = Array::from_fn([rated.y.len()], |i| 2.0 * rated.agreement.element(i) as f32 - 1.0);
    let mean = weights.values().iter().sum::<f32>() / weights.len() as f32;
    let weights = Array::from_fn([weights.len()], |i| weights.element(i) as f32 / mean);

    let train = 0..rated.y.len() * 3 / 4;
    let test = train.end..rated.y.len();
    let training = (rated.x.rows(train.clone())?, rated.y.rows(train.clone())?);
    let testing = (rated.x.rows(test.clone())?, rated.y.rows(test.clone())?);
    let weights_of_test = weights.rows(test)?;
    let weights = weights.rows(train)?;
    println!("{} samples to train on, {} to test on", training.1.len(), testing.1.len());

    let mut accuracies = [Vec::new(), Vec::new()];
    let mut weighted_accuracies = [Vec::new(), Vec::new()];
    for seed in 0..SEEDS {
        for (i, is_weighted) in [false, true].into_iter().enumerate() {
            let mut model = Sequential::new()
                .then(Dense::new(16).activation(Relu))
                .then(Dropout::new(0.5))
                .then(Dense::new(1).activation(Sigmoid))
                .compile(Adam::new(1e-3), BinaryCrossentropy)
                .metric(Accuracy)
                .weighted_metric(Accuracy)
                .seed(seed);
            let data = Data::from(&training);
            let data = if is_weighted { data.sample_weight(&weights) } else { data };
            model.fit(data, Fit::epochs(5).verbose(Verbosity::Silent))?;
            let logs = model.evaluate((&testing.0, &testing.1, &weights_of_test))?;
            accuracies[i].push(logs["accuracy"]);
            weighted_accuracies[i].push(logs["weighted_accuracy"]);
        }
    }
    println!("\n{:<38} trained without weights   with weights", "on the test set, mean of 5 trainings");
    println!("{:<38} {:>23}   {:>12}", "accuracy", figure(&accuracies[0]), figure(&accuracies[1]));
    let figures = [figure(&weighted_accuracies[0]), figure(&weighted_accuracies[1])];
    println!("{:<38} {:>23}   {:>12}", "accuracy, by the raters' agreement", figures[0], figures[1]);

    let differences: Vec<f64> = accuracies[1].iter().zip(&accuracies[0]).map(|(w, p)| w - p).collect();
    let (gain, spread) = mean_and_deviation(&differences);
    let verdict = match gain {
        gain if gain > 2.0 * spread => "the weights help",
        gain if gain < -2.0 * spread => "the weights do harm",
        _ => "no difference that five trainings would show",
    };
    println!("with weights, {:+.2} ± {:.2} percentage points: {verdict}", gain * 100.0, spread * 100.0);
    Ok(())
}

/// The sentences as bags of words, with the sign of the mean rating as label.
fn sentences(path: &str) -> Result<Rated> {
    let table = Table::read(path)?;
    let (ratings, texts) = (table.text("ratings")?, table.text("text")?);
    let means = table.column("mean_rating")?;
    let rows: Vec<usize> =
        shuffled(means.len()).into_iter().filter(|&row| means.element(row) != 0.0).collect();
    let agreement = |row: usize| {
        let ratings: Vec<f64> = ratings[row].split_whitespace().filter_map(|r| r.parse().ok()).collect();
        let agree = ratings.iter().filter(|&&rating| rating * means.element(row) > 0.0).count();
        // Some say 0: then fewer than half may agree with the majority, which is as good as nothing.
        (agree as f32 / ratings.len() as f32).max(0.5)
    };
    let mut x = vec![0f32; rows.len() * BUCKETS];
    for (bag, &row) in x.chunks_mut(BUCKETS).zip(&rows) {
        words(&texts[row]).for_each(|word| bag[bucket(&word)] = 1.0);
    }
    Ok(Rated {
        x: Array::new([rows.len(), BUCKETS], x)?,
        y: Array::from_fn([rows.len()], |i| f32::from(means.element(rows[i]) > 0.0)),
        agreement: Array::from_fn([rows.len()], |i| agreement(rows[i])),
    })
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// FNV-1a, which is short and spreads words well.
fn bucket(word: &str) -> usize {
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash % BUCKETS as u64) as usize
}

/// Districts that are worth more than the median, or less, as eleven raters say who err: more often, the nearer a district
/// is to the median.
fn districts() -> Result<Rated> {
    const MEDIAN: f64 = 1.8;
    const RATERS: usize = 11;
    let data = california_housing()?;
    let (x, values) = (&data.train.x, &data.train.y);
    let normalization = Normalization::new();
    normalization.adapt(x)?;
    let mut numbers = 1u64;
    let mut unit = || {
        numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (numbers >> 40) as f64 / (1u64 << 24) as f64
    };
    let yes: Vec<usize> = (0..values.len())
        .map(|i| {
            let probability = 1.0 / (1.0 + (-3.0 * (values.element(i) - MEDIAN)).exp());
            (0..RATERS).filter(|_| unit() < probability).count()
        })
        .collect();
    let agreement = |i: usize| yes[i].max(RATERS - yes[i]) as f32 / RATERS as f32;
    Ok(Rated {
        x: normalization.apply(&Tensor::from(x)).eval()?,
        y: Array::from_fn([yes.len()], |i| f32::from(2 * yes[i] > RATERS)),
        agreement: Array::from_fn([yes.len()], agreement),
    })
}

/// The numbers below `count` in an order without meaning, the same in every run: steps of a large prime.
fn shuffled(count: usize) -> Vec<usize> {
    (0..count).map(|i| i * 7_368_787 % count).collect()
}

/// `81.2 ± 0.3 %`
fn figure(accuracies: &[f64]) -> String {
    let (mean, deviation) = mean_and_deviation(accuracies);
    format!("{:.2} ± {:.2} %", mean * 100.0, deviation * 100.0)
}

/// The mean, and how far it may be off: the standard error.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
