//! Each kind of column, what is measured, and what is kept in files.

use super::*;

fn table(text: &str) -> Table {
    Table::read_from(text.as_bytes(), "t.csv").unwrap()
}

const PEOPLE: &str = "age,city,job,income,y\n20,Bern,cook,1.5,no\n,Basel,,2.5,yes\n60,Bern,baker,3.5,no\n";

fn all() -> Features {
    Features::new().numbers(&["age", "income"]).categories(&["city"]).indices(&["job"]).label("y")
}

#[test]
fn every_kind_of_column() {
    let features = all().adapt(&table(PEOPLE)).unwrap();
    let names = ["age", "age missing", "income", "city unknown", "city=Basel", "city=Bern"];
    assert_eq!(features.names(), names);
    assert_eq!(
        (features.classes(), features.vocabulary_size("job").unwrap()),
        (&["no".into(), "yes".into()][..], 4)
    );
    let samples = features.transform(&table(PEOPLE)).unwrap();
    let deviation = (2f64 / 3.0).sqrt();
    let edge = (1.0 / deviation) as f32;
    let expected =
        [[-1.0, 0.0, -edge, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 1.0, 0.0], [1.0, 0.0, edge, 0.0, 0.0, 1.0]];
    assert_eq!(samples.inputs()[0], Array::from(expected));
    assert_eq!(samples.inputs()[1], Array::from([3i64, 1, 2]));
    assert_eq!(samples.targets(), [Array::from([0i64, 1, 0])]);
}

#[test]
fn only_the_training_part_is_measured() {
    let features = all().adapt(&table(PEOPLE)).unwrap();
    let row = |text: &str| features.transform(&table(&format!("income,age,y,city,job\n{text}\n"))).unwrap();
    let new = row("2.5,100,yes,Genf,smith");
    assert_eq!(new.inputs()[0].values(), [3.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(new.inputs()[1].values(), [0.0]);
    // A column without gaps in the training part has no column that says so, and the mean for a gap.
    assert_eq!(row(",40,no,Bern,cook").inputs()[0].values(), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn what_is_saved_does_the_same() {
    let odd = "x,\"a \"\"b\"\", c\",y\n0.1,\"p,\nq\",10\n0.3,,9\n0.7,é,9\n";
    let (people, odd) = (table(PEOPLE), table(odd));
    let quoted = Features::new().numbers(&["x"]).categories(&["a \"b\", c"]).label("y");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.csv");
    for (features, table) in
        [(all(), people), (quoted, odd.clone()), (Features::new().numbers(&["x"]).target("y"), odd)]
    {
        let features = features.adapt(&table).unwrap();
        features.save(&path).unwrap();
        let read = Preprocessing::read(&path).unwrap();
        assert_eq!(read, features);
        assert_eq!(read.transform(&table).unwrap(), features.transform(&table).unwrap());
    }
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("an error was expected").to_string()
}

#[test]
fn messages() {
    let people = table(PEOPLE);
    let adapted = |features: Features| message(features.adapt(&people));
    assert_eq!(
        adapted(all().numbers(&["age"])),
        "error[data]: the column `age` is used for two purposes\n  = help: name each column once"
    );
    assert_eq!(
        adapted(all().target("city2")),
        "error[data]: `city2` is a second target\n  \
         = help: make one preprocessing for each target, with the same features"
    );
    assert!(
        adapted(Features::new().numbers(&["city"]))
            .starts_with("error[data]: `Bern` in the column `city` is not a finite number\n --> t.csv:2\n")
    );
    assert_eq!(
        message(Features::new().numbers(&["a"]).adapt(&table("a,b\n,1\n"))),
        "error[data]: the column `a` has no number in the training part\n  = help: leave it out"
    );
    assert_eq!(
        adapted(Features::new().label("job")),
        "error[data]: the label `job` is missing\n --> t.csv:3\n  = help: leave rows without a label out"
    );
    let features = all().adapt(&people).unwrap();
    assert_eq!(
        message(features.transform(&table("age,city,job,income,y\n1,Bern,cook,1,nope\n"))),
        "error[data]: the label `nope` in the column `y` is not one of the training part\n --> t.csv:2\n  \
         = help: did you mean `no`?"
    );
    assert_eq!(
        message(features.vocabulary_size("jib")),
        "error[data]: no indices are made of a column `jib`\n  = help: did you mean `job`?"
    );
    let read = |text: &str| message(Preprocessing::read_from(text.as_bytes(), "f.csv"));
    assert_eq!(read(""), "error[file]: `f.csv` is empty");
    for (text, line) in [
        ("age,city\n", 1),
        ("carnyx-preprocessing,2\n", 1),
        ("carnyx-preprocessing,1\nnumbers,a,0,0,true\n", 2),
        ("carnyx-preprocessing,1\nnumbers,a,nan,1,true\n", 2),
        ("carnyx-preprocessing,1\ncategories,a,z,b\n", 2),
        ("carnyx-preprocessing,1\ntarget\n", 2),
    ] {
        assert_eq!(
            read(text),
            format!(
                "error[file]: `f.csv` is not a preprocessing of this version\n --> f.csv:{line}\n  \
                 = help: `Preprocessing::save` writes such files"
            )
        );
    }
}
