//! Lookup layers whose vocabularies were measured, in files of Keras and of our own.

use crate::messages::{assert_message, go_to_root};
use crate::parity::recorded::{Case, file_of};
use crate::saving::{Folder, quiet};
use carnyx::prelude::*;
use carnyx::{Encoding, IntegerLookup, load_network};
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("keras/files/lookup_{name}.keras"))
}

fn inputs(recorded: &Case) -> Array {
    let rows: Vec<i64> =
        recorded.parts("inputs").iter().flat_map(|row| row.numbers("")).map(|v| v as i64).collect();
    Array::new([rows.len() / 3, 3], rows).unwrap()
}

fn outputs(network: &Functional, x: &Array) -> Result<Array> {
    network.apply(&vec![Tensor::from(x).in_mode(Mode::Inference)])[0].eval()
}

#[test]
fn adapted_layers_of_keras_are_read_with_what_they_measured() -> Result {
    let recorded = file_of("keras/files/lookups.json");
    let (x, folder) = (inputs(&recorded), Folder::new("lookups"));
    for (name, predictions) in recorded.entries("predictions") {
        let network = load_network(path(&name))?;
        let found = outputs(&network, &x)?;
        for (found, expected) in found.values().iter().zip(predictions.numbers("")) {
            assert!((f64::from(*found) - expected).abs() < 2e-5, "{name}: {found}, {expected}");
        }
        let model = network.compile(Sgd::new(0.1), MeanSquaredError);
        for ending in ["keras", "h5"] {
            let file = folder.path(&format!("{name}.{ending}"));
            model.save(&file)?;
            assert_eq!(outputs(&load_network(&file)?, &x)?, found, "{name}.{ending}");
        }
    }
    Ok(())
}

#[test]
fn weights_of_rarity_go_to_files_and_back() -> Result {
    let data = Array::from([[7i64, 7, 9], [4, 7, 9], [4, 7, -3]]);
    let mut lookup = IntegerLookup::new().encoding(Encoding::TfIdf).num_oov_indices(2);
    lookup.adapt(&data)?;
    let net = Sequential::new().then(Input::new([3]).dtype(DType::I64)).then(lookup).then(Dense::new(1));
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    model.fit((&data, &Array::from([[1f32], [2.0], [3.0]])), quiet(1))?;
    let folder = Folder::new("rarity");
    for ending in ["keras", "h5"] {
        let file = folder.path(&format!("model.{ending}"));
        model.save(&file)?;
        assert_eq!(carnyx::load(&file)?.predict(&data)?, model.predict(&data)?, "{ending}");
    }
    Ok(())
}

#[test]
fn assets_that_are_no_vocabulary() {
    go_to_root();
    let folder = Folder::new("no-vocabulary");
    let changed = |name: &str, content: Option<&[u8]>| {
        let mut archive = carnyx_file::Archive::read(path("int")).unwrap();
        archive.extra.retain(|(name, _)| !name.starts_with("assets"));
        let asset = "assets/layers/integer_lookup/vocabulary.txt".to_owned();
        archive.extra.extend(content.map(|content| (asset, content.to_vec())));
        archive.write(folder.path(name)).unwrap();
        let Err(error) = load_network(folder.path(name)) else { panic!("{name} is read") };
        let shown = folder.path("").display().to_string();
        Err::<(), Error>(Error::new(error.code(), error.title().replace(&shown, "")))
    };
    assert_message("lookup_without_asset", changed("none.keras", None));
    assert_message("lookup_asset_of_words", changed("words.keras", Some(b"-1\nseven\n")));
    assert_message("lookup_asset_of_bytes", changed("bytes.keras", Some(&[0xff, 0xfe])));
}
