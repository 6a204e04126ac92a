//! 15. A table: does this person earn more than $50 000 a year?
//!
//!     cargo run --release --example 15_table [path/to/adult.csv]
//!
//! The census of 1994 knows of 48 842 people their age, work, schooling, family and capital: numbers, categories, and
//! cells that are missing. New here: the first look at a table, and a preprocessing that makes of its columns what a
//! network can learn from, measured on the training part alone and kept beside the model.
//!
//! Data: Becker and Kohavi, "Adult", UCI Machine Learning Repository, 1996, <https://doi.org/10.24432/C5XW20>, CC BY 4.0.

use carnyx::datasets::{Features, Table};
use carnyx::prelude::*;

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../carnyx-data/bundled/adult/adult.csv.gz");

fn main() -> Result {
    let path = std::env::args().nth(1).unwrap_or_else(|| BUNDLED.to_owned());
    if !std::path::Path::new(&path).exists() {
        println!("skipped: there is no `{path}`; give the path of adult.csv as an argument");
        return Ok(());
    }
    // This table marks missing cells with a question mark.
    let table = Table::read(&path)?.with_missing(&["?"]);
    println!("{}", table.describe());

    // A fifth is for the test, with as many rich people in it as in the rest; of the others, a tenth for validation.
    let (rest, test) = table.split_stratified("income", 0.2, 42)?;
    let (train, valid) = rest.split_stratified("income", 0.1, 42)?;

    // `fnlwgt` says for how many people of the country a row stands, and `education` the same as its number.
    let features = Features::new()
        .numbers(&["age", "educational-num", "capital-gain", "capital-loss", "hours-per-week"])
        .categories(&["workclass", "marital-status", "occupation", "relationship", "race", "gender"])
        .categories(&["native-country"])
        .at_least(20) // rarer countries are as good as unknown
        .label("income")
        .adapt(&train)?;
    println!("{} columns make {} features", features.num_columns(), features.names().len());
    println!("the classes 0 and 1: {}", features.classes().join(", "));

    let mut model = Sequential::new()
        .then(Dense::new(64).activation(Relu))
        .then(Dropout::new(0.3))
        .then(Dense::new(32).activation(Relu))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(1e-3), BinaryCrossentropy)
        .metric(Accuracy)
        .seed(42);
    let fit = Fit::epochs(12).batch_size(128).validation(features.transform(&valid)?);
    model.fit(features.transform(&train)?, fit)?;

    // New rows go the same way; here three of the test, as text and as the model sees them.
    let few = test.take_rows(&[0, 1, 2])?;
    let rich = model.predict(&features.transform(&few)?.inputs()[0])?;
    for (row, chance) in rich.values().iter().enumerate() {
        let cell = |name: &str| few.text(name).map(|column| column[row].clone());
        println!(
            "{}, {} years, {}: {:.0} %",
            cell("occupation")?,
            cell("age")?,
            cell("education")?,
            chance * 100.0
        );
    }

    let accuracy = model.evaluate(features.transform(&test)?)?["accuracy"];
    let poor = test.text("income")?.iter().filter(|income| *income == "<=50K").count();
    println!("always saying <=50K: {:.4}", poor as f64 / test.num_rows() as f64);
    println!("test accuracy: {accuracy:.4}");
    Ok(())
}
