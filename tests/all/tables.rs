//! Tables of real files: Parquet as other programs write it, and the passengers of the Titanic on their way into a
//! network.

use carnyx::datasets::{Features, Kind, Preprocessing, Stream, Table};
use carnyx::prelude::*;
use std::io::Cursor;

fn path(file: &str) -> String {
    format!("{}/data/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// The file's table has the cells of `table.csv`, as numbers where they are numbers.
#[track_caller]
fn assert_same_table(table: &Table, expected: &Table, file: &str) {
    assert_eq!(table.names(), expected.names(), "{file}");
    assert_eq!(table.num_rows(), expected.num_rows(), "{file}");
    for name in expected.names() {
        match table.kind(name).unwrap() {
            Kind::Number => {
                assert_eq!(table.numbers(name).unwrap(), expected.numbers(name).unwrap(), "{file}: {name}");
            }
            _ => assert_eq!(table.text(name).unwrap(), expected.text(name).unwrap(), "{file}: {name}"),
        }
    }
}

#[test]
fn parquet_of_a_real_writer_is_read() -> Result {
    let expected = Table::read(path("parquet/table.csv"))?;
    for file in ["snappy", "plain", "gzip_v2", "snappy_v2", "encodings"] {
        let path = path(&format!("parquet/{file}.parquet"));
        let table = Table::read_parquet(&path)?;
        assert_same_table(&table, &expected, file);
        let kinds = ["id", "double", "sold", "city", "nothing"].map(|name| table.kind(name).unwrap());
        assert_eq!(kinds, [Kind::Integer, Kind::Number, Kind::Boolean, Kind::Text, Kind::Empty]);
        let few = Table::read_parquet_columns(&path, &["city", "id"])?;
        assert_same_table(&few, &expected.select(&["city", "id"])?, file);
    }
    let groups = Stream::parquet(path("parquet/snappy.parquet"))?;
    assert_eq!(groups.num_items(), Some(3));
    let ids: Vec<String> = groups.walk(0)?.flat_map(|table| table.unwrap().text("id").unwrap()).collect();
    assert_eq!(ids, expected.text("id")?);
    Ok(())
}

#[test]
fn other_compressions_and_encodings_of_parquet_are_read() -> Result {
    let rows = Table::read(path("parquet/table.csv"))?;
    let expected = |names: &[&str]| -> Result<Vec<Vec<String>>> {
        names.iter().map(|name| Ok(rows.text(name)?[..9].to_vec())).collect()
    };
    let cells = |file: &str| -> Result<Vec<Vec<String>>> {
        let table = Table::read_parquet(path(&format!("parquet/{file}.parquet")))?;
        table.names().iter().map(|name| table.text(name)).collect()
    };
    assert_eq!(cells("zstd")?, expected(&["id", "city"])?);
    assert_eq!(cells("delta")?, expected(&["id"])?);
    Ok(())
}

#[test]
fn what_is_not_read_of_parquet_is_named() {
    let error = Table::read_parquet(path("parquet/nested.parquet")).err().unwrap();
    assert_eq!(error.code(), "file");
    assert!(error.to_string().contains("column `a` is nested: only flat tables are read"), "{error}");
}

/// Every cut and every changed byte gives a table or an error; nothing panics, and nothing takes the memory that a
/// damaged size claims.
#[test]
fn damaged_parquet_never_panics() {
    let mut damaged_errors = 0;
    for file in ["zstd", "gzip_v2", "snappy", "encodings"] {
        let whole = std::fs::read(path(&format!("parquet/{file}.parquet"))).unwrap();
        let read = |bytes: Vec<u8>| Table::read_parquet_from(Cursor::new(bytes), "x.parquet");
        for end in (0..whole.len()).step_by(97) {
            assert_eq!(read(whole[..end].to_vec()).err().unwrap().code(), "file", "cut at byte {end}");
        }
        for (i, flip) in (0..whole.len()).step_by(13).zip([0x01, 0x80, 0xff, 0x10].into_iter().cycle()) {
            let mut bytes = whole.clone();
            bytes[i] ^= flip;
            damaged_errors += usize::from(read(bytes).is_err());
        }
    }
    assert!(damaged_errors > 500, "only {damaged_errors} damaged files were found out");
}

#[test]
fn titanic_is_described() -> Result {
    let table = Table::read(path("titanic.csv"))?;
    let description = table.describe();
    let column = |name: &str| description.columns.iter().find(|column| column.name == name).unwrap();
    assert_eq!((description.rows, column("Age").kind, column("Age").missing), (1309, Kind::Number, 263));
    assert_eq!((column("Embarked").missing, column("Embarked").distinct), (2, 3));
    assert_eq!(column("Sex").most_frequent, Some(("male".into(), 843)));
    assert_eq!((column("Fare").min, column("Fare").max), (Some(0.0), Some(512.3292)));
    let (train, test) = table.split_by("split", "train")?;
    assert_eq!((train.num_rows(), test.num_rows()), (891, 418));
    let (train, test) = table.split_stratified("Survived", 0.2, 42)?;
    let survivors = |table: &Table| Ok::<_, Error>(table.column("Survived")?.values().iter().sum::<f32>());
    let [a, b] = [&train, &test].map(|table| survivors(table).unwrap() / table.num_rows() as f32);
    assert!((a - b).abs() < 0.002, "{a} and {b} of the parts survived");
    Ok(())
}

fn passengers() -> Features {
    Features::new()
        .numbers(&["Age", "Fare", "SibSp", "Parch"])
        .categories(&["Pclass", "Sex", "Embarked"])
        .label("Survived")
}

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent)
}

#[test]
fn titanic_goes_into_a_network() -> Result {
    let (train, test) = Table::read(path("titanic.csv"))?.split_by("split", "train")?;
    let features = passengers().adapt(&train)?;
    assert_eq!(features.classes(), ["0", "1"]);
    let names = features.names();
    assert_eq!(names[..3], ["Age", "Age missing", "Fare"]);
    assert_eq!(
        names[names.len() - 5..],
        ["Embarked unknown", "Embarked missing", "Embarked=C", "Embarked=Q", "Embarked=S"]
    );
    let mut model = Sequential::new()
        .then(Dense::new(16).activation(Relu))
        .then(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.01), BinaryCrossentropy)
        .metric(Accuracy);
    model.fit(features.transform(&train)?, quiet(30))?;
    let accuracy = model.evaluate(features.transform(&test)?)?["accuracy"];
    // Always "no" is right for 62 of 100.
    assert!(accuracy > 0.74, "{accuracy}");

    // What is kept beside the model says the same of the next passengers.
    let file = std::env::temp_dir().join(format!("carnyx-titanic-{}.csv", std::process::id()));
    features.save(&file)?;
    let read = Preprocessing::read(&file)?;
    let _ = std::fs::remove_file(&file);
    let inputs = |features: &Preprocessing| Ok::<_, Error>(features.transform(&test)?.inputs()[0].clone());
    assert_eq!(model.predict(&inputs(&read)?)?, model.predict(&inputs(&features)?)?);
    Ok(())
}

/// A table that is read in blocks, changed and cut into batches trains the weights that it trains in memory.
#[test]
fn a_table_in_blocks_trains_the_same_weights() -> Result {
    let table = Table::read(path("titanic.csv"))?;
    let features = passengers().adapt(&table)?;
    let model = || {
        Sequential::new().then(Dense::new(1).activation(Sigmoid)).compile(Sgd::new(0.1), BinaryCrossentropy)
    };
    let weights = |model: &Model<Sequential>| -> Vec<Array> {
        model.variables().iter().map(|variable| variable.value().unwrap()).collect()
    };
    let (mut expected, mut streamed) = (model(), model());
    expected.fit(features.transform(&table)?, quiet(2).shuffle(false))?;
    let blocks = features.clone();
    let batches = Stream::csv(path("titanic.csv"), 100)?
        .parallel_map(2, move |table| blocks.transform(&table))
        .batch(32);
    streamed.fit(batches, quiet(2))?;
    assert_eq!(weights(&streamed), weights(&expected));
    Ok(())
}

/// Columns of categories that go into the model by inputs of their own, found by their names.
#[test]
fn categories_are_inputs_of_their_own() -> Result {
    let table = Table::read(path("titanic.csv"))?;
    let features =
        Features::new().numbers(&["Age", "Fare"]).indices(&["Sex"]).label("Survived").adapt(&table)?;
    assert_eq!(features.vocabulary_size("Sex")?, 3);
    let (sex, numbers) = (Tensor::input("Sex", []), Tensor::input("features", [features.names().len()]));
    let as_column = Lambda::new(|x| x.cast(DType::F32).expand(-1)).apply(&sex);
    let chance = Dense::new(1).activation(Sigmoid).apply(&concat([&numbers, &as_column], -1));
    // The order of the model is not that of the table.
    let mut model = Functional::new([&sex, &numbers], &chance)?
        .compile(Adam::new(0.05), BinaryCrossentropy)
        .metric(Accuracy);
    let samples = features.transform(&table)?;
    model.fit(samples.clone(), quiet(10))?;
    let accuracy = model.evaluate(samples)?["accuracy"];
    assert!(accuracy > 0.7, "{accuracy}");
    Ok(())
}
