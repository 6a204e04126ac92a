//! Columns of a table made into the arrays that a network learns from.
//!
//! [`Features`] says what each column is for; [`adapt`](Features::adapt) measures the training part, and nothing else;
//! the [`Preprocessing`] that comes out does the same to every table: the training part, the test part, the rows of next
//! year. Invariant: what it does depends on the training part alone.

mod file;
#[cfg(test)]
mod tests;

use crate::table::Table;
use carnyx_graph::{Array, Batch, Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the columns of a table are for.
///
/// | Method | What becomes of the column |
/// |---|---|
/// | [`numbers`](Features::numbers) | standardised: mean 0, variance 1; where cells are missing, the mean and a second column that says so |
/// | [`categories`](Features::categories) | one column of 0 and 1 for each value, one for missing cells if there are some, one for values that are unknown |
/// | [`indices`](Features::indices) | an input of its own, of numbers for an embedding |
/// | [`label`](Features::label) | the target: class numbers, with the names kept |
/// | [`target`](Features::target) | the target: numbers as they are |
///
/// # Example
/// ```
/// use carnyx_data::{Features, Table};
/// let file = "age,city,survived\n20,Bern,yes\n,Basel,no\n40,Bern,no\n";
/// let table = Table::read_from(file.as_bytes(), "passengers.csv")?;
/// let features = Features::new().numbers(&["age"]).categories(&["city"]).label("survived").adapt(&table)?;
/// assert_eq!(features.names(), ["age", "age missing", "city unknown", "city=Basel", "city=Bern"]);
/// assert_eq!(features.classes(), ["no", "yes"]);
/// let samples = features.transform(&table)?;
/// assert_eq!(samples.inputs()[0].row_len(), 5);
/// assert_eq!(samples.targets()[0].values(), [1.0, 0.0, 0.0]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Features {
    columns: Vec<(String, Purpose)>,
    least: usize,
}

/// What one column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Numbers,
    Categories,
    Indices,
    Label,
    Target,
}

impl Default for Features {
    fn default() -> Features {
        Features::new()
    }
}

impl Features {
    /// No columns yet.
    ///
    /// # Example
    /// ```
    /// use carnyx_data::Features;
    /// let features = Features::new().numbers(&["age", "fare"]).target("price");
    /// # let _ = features;
    /// ```
    pub fn new() -> Features {
        Features { columns: Vec::new(), least: 1 }
    }

    /// Columns of numbers, to be standardised: `(x - mean) / deviation`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a\n1\n3\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).adapt(&table)?;
    /// assert_eq!(features.transform(&table)?.inputs()[0].values(), [-1.0, 1.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn numbers(self, columns: &[&str]) -> Features {
        self.with(columns, Purpose::Numbers)
    }

    /// Columns of categories, each value a column of 0 and 1. A value that the training part did not have is `unknown`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("city\nBern\nBasel\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().categories(&["city"]).adapt(&table)?;
    /// let new = Table::read_from("city\nGenf\nBasel\n".as_bytes(), "t.csv")?;
    /// assert_eq!(features.transform(&new)?.inputs()[0].values(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn categories(self, columns: &[&str]) -> Features {
        self.with(columns, Purpose::Categories)
    }

    /// Columns of categories, each an input of its own, `i64[rows]`, of the name of the column: numbers for an embedding
    /// of [`vocabulary_size`](Preprocessing::vocabulary_size) rows. 0 stands for values that the training part did not
    /// have.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("city,age\nBern,1\nBasel,2\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["age"]).indices(&["city"]).adapt(&table)?;
    /// let samples = features.transform(&table)?;
    /// assert_eq!(samples.inputs()[1].values(), [2.0, 1.0]);
    /// assert_eq!(**samples.input_names().unwrap(), ["features".to_owned(), "city".to_owned()]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn indices(self, columns: &[&str]) -> Features {
        self.with(columns, Purpose::Indices)
    }

    /// The column whose values are the classes to be learned: `i64[rows]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a,kind\n1,rose\n2,lily\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).label("kind").adapt(&table)?;
    /// assert_eq!(features.classes(), ["lily", "rose"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn label(self, column: &str) -> Features {
        self.with(&[column], Purpose::Label)
    }

    /// The column of numbers to be learned, as they are: `f32[rows]`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a,price\n1,70\n2,80\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).target("price").adapt(&table)?;
    /// assert_eq!(features.transform(&table)?.targets()[0].values(), [70.0, 80.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn target(self, column: &str) -> Features {
        self.with(&[column], Purpose::Target)
    }

    /// Categories that fewer than `count` rows of the training part have are as good as unknown. Without it, each
    /// counts: then nothing is learned of what `unknown` means.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("city\nBern\nBern\nBasel\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().categories(&["city"]).at_least(2).adapt(&table)?;
    /// assert_eq!(features.names(), ["city unknown", "city=Bern"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn at_least(self, count: usize) -> Features {
        Features { least: count, ..self }
    }

    fn with(mut self, columns: &[&str], purpose: Purpose) -> Features {
        self.columns.extend(columns.iter().map(|&column| (column.to_owned(), purpose)));
        self
    }

    /// Measures the training part: means and deviations, vocabularies, classes.
    ///
    /// # Errors
    /// `data`, if a column is not there or named twice, if a column of numbers holds something else or nothing, if a
    /// label is missing, or if there are two targets.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a,y\n1,no\n3,yes\n5,no\n".as_bytes(), "t.csv")?;
    /// let (train, test) = table.split(0.34, 1)?;
    /// let features = Features::new().numbers(&["a"]).label("y").adapt(&train)?;
    /// assert_eq!(features.transform(&test)?.num_rows(), 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn adapt(&self, training: &Table) -> Result<Preprocessing> {
        let twice = self
            .columns
            .iter()
            .enumerate()
            .find(|(i, (name, _))| self.columns[..*i].iter().any(|(other, _)| other == name));
        if let Some((_, (name, _))) = twice {
            return Err(Error::new("data", format!("the column `{name}` is used for two purposes"))
                .help("name each column once"));
        }
        let is_target =
            |(_, purpose): &&(String, Purpose)| matches!(purpose, Purpose::Label | Purpose::Target);
        if let Some((second, _)) = self.columns.iter().filter(is_target).nth(1) {
            return Err(Error::new("data", format!("`{second}` is a second target"))
                .help("make one preprocessing for each target, with the same features"));
        }
        let columns = self.columns.iter().map(|(name, purpose)| {
            let encoding = match purpose {
                Purpose::Numbers => standardise(training, name)?,
                Purpose::Categories => Encoding::Categories(self.vocabulary(training, name)?),
                Purpose::Indices => Encoding::Indices(self.vocabulary(training, name)?),
                Purpose::Label => Encoding::Label(classes(training, name)?),
                Purpose::Target => Encoding::Target,
            };
            Ok((name.clone(), encoding))
        });
        let preprocessing = Preprocessing::new(columns.collect::<Result<_>>()?);
        // What cannot be made of the training part is said now.
        preprocessing.transform(training)?;
        Ok(preprocessing)
    }

    /// The values that are frequent enough, in the order of the alphabet.
    fn vocabulary(&self, training: &Table, name: &str) -> Result<Vec<String>> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for value in training.text(name)? {
            *counts.entry(value.trim().to_owned()).or_default() += 1;
        }
        Ok(counts.into_iter().filter(|(_, count)| *count >= self.least).map(|(value, _)| value).collect())
    }
}

/// What is done to one column.
#[derive(Clone, Debug, PartialEq)]
enum Encoding {
    Numbers { mean: f64, deviation: f64, has_missing: bool },
    Categories(Vec<String>),
    Indices(Vec<String>),
    Label(Vec<String>),
    Target,
}

/// What [`Features`] learned of the training part, to be done to every table.
///
/// # Example
/// ```
/// use carnyx_data::{Features, Preprocessing, Table};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("features.csv");
/// let table = Table::read_from("age,city\n20,Bern\n40,Basel\n".as_bytes(), "t.csv")?;
/// let features = Features::new().numbers(&["age"]).categories(&["city"]).adapt(&table)?;
/// features.save(&path)?; // beside the model
/// assert_eq!(Preprocessing::read(&path)?.transform(&table)?, features.transform(&table)?);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    columns: Vec<(String, Encoding)>,
    /// The names of the inputs, if there are several.
    inputs: Option<Arc<[String]>>,
}

impl Preprocessing {
    fn new(columns: Vec<(String, Encoding)>) -> Preprocessing {
        let mut preprocessing = Preprocessing { columns, inputs: None };
        let indices =
            preprocessing.columns.iter().filter(|(_, encoding)| matches!(encoding, Encoding::Indices(_)));
        let mut inputs: Vec<String> = indices.map(|(name, _)| name.clone()).collect();
        if !preprocessing.names().is_empty() {
            inputs.insert(0, "features".to_owned());
        }
        preprocessing.inputs = (inputs.len() > 1).then(|| inputs.into());
        preprocessing
    }

    /// How many columns of a table are features.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a,b,y\n1,x,no\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).categories(&["b"]).label("y").adapt(&table)?;
    /// assert_eq!((features.num_columns(), features.names().len()), (2, 3));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn num_columns(&self) -> usize {
        let is_feature = |encoding: &Encoding| !matches!(encoding, Encoding::Label(_) | Encoding::Target);
        self.columns.iter().filter(|(_, encoding)| is_feature(encoding)).count()
    }

    /// What the columns of the matrix of features stand for.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a,b\n1,x\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).categories(&["b"]).adapt(&table)?;
    /// assert_eq!(features.names(), ["a", "b unknown", "b=x"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn names(&self) -> Vec<String> {
        let names = self.columns.iter().flat_map(|(name, encoding)| match encoding {
            Encoding::Numbers { has_missing: true, .. } => vec![name.clone(), format!("{name} missing")],
            Encoding::Numbers { .. } => vec![name.clone()],
            Encoding::Categories(values) => {
                let value = |value: &String| match value.as_str() {
                    "" => format!("{name} missing"),
                    value => format!("{name}={value}"),
                };
                std::iter::once(format!("{name} unknown")).chain(values.iter().map(value)).collect()
            }
            Encoding::Indices(_) | Encoding::Label(_) | Encoding::Target => Vec::new(),
        });
        names.collect()
    }

    /// What the class numbers 0, 1, 2, … stand for; empty without a label.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("a,size\n1,10\n2,9\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).label("size").adapt(&table)?;
    /// assert_eq!(features.classes(), ["9", "10"]); // numbers are in the order of numbers
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn classes(&self) -> &[String] {
        self.columns
            .iter()
            .find_map(|(_, encoding)| match encoding {
                Encoding::Label(classes) => Some(classes.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// How many different numbers the input of that name may hold, the one for unknown values included.
    ///
    /// # Errors
    /// `data`, if there is no such column of indices.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let table = Table::read_from("city\nBern\nBasel\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().indices(&["city"]).adapt(&table)?;
    /// assert_eq!(features.vocabulary_size("city")?, 3);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn vocabulary_size(&self, column: &str) -> Result<usize> {
        let sizes: Vec<(&str, usize)> = self
            .columns
            .iter()
            .filter_map(|(name, encoding)| match encoding {
                Encoding::Indices(values) => Some((name.as_str(), values.len() + 1)),
                _ => None,
            })
            .collect();
        let known: Vec<&str> = sizes.iter().map(|(name, _)| *name).collect();
        let size = sizes.iter().find(|(name, _)| *name == column).map(|(_, size)| *size);
        size.ok_or_else(|| {
            Error::new("data", format!("no indices are made of a column `{column}`")).suggest(column, &known)
        })
    }

    /// The samples of a table: the matrix of features, then the columns of indices; and the target, if the table has
    /// its column.
    ///
    /// # Errors
    /// `data`, if a column is missing, a cell that should be a number is none, a target is missing, or a label was
    /// never seen in training.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Features, Table};
    /// let train = Table::read_from("a,y\n1,no\n3,yes\n".as_bytes(), "t.csv")?;
    /// let features = Features::new().numbers(&["a"]).label("y").adapt(&train)?;
    /// let new = Table::read_from("a\n2\n\n5\n".as_bytes(), "new.csv")?; // no column `y`
    /// assert_eq!(features.transform(&new)?.inputs()[0].values(), [0.0, 3.0]);
    /// assert!(features.transform(&new)?.targets().is_empty());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn transform(&self, table: &Table) -> Result<Batch> {
        let (rows, width) = (table.num_rows(), self.names().len());
        let mut matrix = vec![0f32; rows * width];
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        let mut place = 0;
        for (name, encoding) in &self.columns {
            let mut set =
                |row: usize, column: usize, value: f64| matrix[row * width + place + column] = value as f32;
            match encoding {
                Encoding::Numbers { mean, deviation, has_missing } => {
                    for (row, number) in table.numbers(name)?.into_iter().enumerate() {
                        set(row, 0, number.map_or(0.0, |number| (number - mean) / deviation));
                        if *has_missing {
                            set(row, 1, f64::from(u8::from(number.is_none())));
                        }
                    }
                    place += 1 + usize::from(*has_missing);
                }
                Encoding::Categories(values) => {
                    for (row, value) in table.text(name)?.iter().enumerate() {
                        set(row, index_in(values, value), 1.0);
                    }
                    place += values.len() + 1;
                }
                Encoding::Indices(values) => {
                    let indices = table
                        .text(name)?
                        .iter()
                        .map(|value| index_in(values, value) as i64)
                        .collect::<Vec<_>>();
                    inputs.push(Array::from(indices));
                }
                Encoding::Label(_) | Encoding::Target if !table.has_column(name) => {}
                Encoding::Label(classes) => targets.push(labels(table, name, classes)?),
                Encoding::Target => targets.push(table.column(name)?),
            }
        }
        if width > 0 {
            inputs.insert(0, Array::new([rows, width], matrix)?);
        }
        let batch = Batch::new(inputs, targets);
        Ok(match &self.inputs {
            Some(names) => batch.with_input_names(names.clone()),
            None => batch,
        })
    }
}

/// The place of a value: 0, if it is unknown, and else its number, counted from 1.
fn index_in(values: &[String], value: &str) -> usize {
    values.binary_search_by(|known| known.as_str().cmp(value.trim())).map_or(0, |place| place + 1)
}

/// Mean and deviation of the numbers that are there.
fn standardise(training: &Table, name: &str) -> Result<Encoding> {
    let cells = training.numbers(name)?;
    let numbers: Vec<f64> = cells.iter().flatten().copied().collect();
    if numbers.is_empty() {
        return Err(Error::new("data", format!("the column `{name}` has no number in the training part"))
            .help("leave it out"));
    }
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count;
    // A column that is the same everywhere is 0 everywhere.
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    Ok(Encoding::Numbers { mean, deviation, has_missing: numbers.len() < cells.len() })
}

/// The different labels, numbers in their order and else by the alphabet.
fn classes(training: &Table, name: &str) -> Result<Vec<String>> {
    let mut classes: Vec<String> = training.text(name)?.iter().map(|label| label.trim().to_owned()).collect();
    classes.sort_unstable();
    classes.dedup();
    let numbers: Option<Vec<f64>> = classes.iter().map(|class| class.parse().ok()).collect();
    if numbers.is_some_and(|numbers| numbers.iter().all(|number| number.is_finite())) {
        classes.sort_by(|a, b| {
            let [a, b] = [a, b].map(|class| class.parse::<f64>().unwrap_or(0.0));
            a.total_cmp(&b)
        });
    }
    Ok(classes)
}

fn labels(table: &Table, name: &str, classes: &[String]) -> Result<Array> {
    let places: BTreeMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
    let label = |(row, label): (usize, &String)| {
        let label = label.trim();
        if label.is_empty() {
            let title = format!("the label `{name}` is missing");
            return Err(table.at_row(Error::new("data", title), row).help("leave rows without a label out"));
        }
        places.get(label).copied().ok_or_else(|| {
            let title = format!("the label `{label}` in the column `{name}` is not one of the training part");
            table.at_row(Error::new("data", title), row).suggest(label, classes)
        })
    };
    let labels = table.text(name)?.iter().enumerate().map(label).collect::<Result<Vec<i64>>>()?;
    Ok(Array::from(labels))
}
