//! Files as Keras writes them, and files as nobody should.

use carnyx_file::*;
use carnyx_graph::{Array, DType};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file that `tests/keras/record_files.py` recorded.
fn recorded(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/keras/files");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// What Keras says of the recorded models.
fn expected(model: &str, weight: &str) -> Vec<f32> {
    let all: Value = serde_json::from_slice(&recorded("expected.json")).unwrap();
    let weight = all[model]["weights"][weight].as_array().unwrap();
    weight.iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn small_group() -> Group {
    let mut root = Group::new();
    root.set_attribute("name", Attribute::Text("größe".into()));
    root.set_attribute("names", Attribute::Texts(vec!["a".into(), String::new(), "ü".into()]));
    root.set_attribute("none", Attribute::Texts(vec![]));
    root.set_attribute("count", Attribute::Integer(-3));
    root.set_attribute("counts", Attribute::Integers(vec![1, i64::MAX]));
    root.set_attribute("rate", Attribute::Float(1e-7));
    root.set_attribute("rates", Attribute::Floats(vec![0.5, f64::INFINITY]));
    let vars = root.entry("layers/dense/vars");
    for dtype in DType::ALL {
        vars.insert_array(dtype.to_string(), Array::from_fn([2, 3], |i| i as i32).cast(dtype));
        vars.insert_array(format!("{dtype}, one"), Array::from(1i32).cast(dtype));
        vars.insert_array(format!("{dtype}, none"), Array::zeros([0, 2], dtype));
    }
    root
}

fn small_archive() -> Archive {
    let mut weights = Group::new();
    let vars = weights.entry("layers/dense/vars");
    vars.set_attribute("name", Attribute::Text("dense".into()));
    vars.insert_array("0", Array::from([[1.0f32, 2.0]]));
    Archive {
        metadata: r#"{"keras_version": "3.15.1"}"#.parse().unwrap(),
        config: r#"{"class_name": "Sequential", "config": {"rate": 1e-07}}"#.parse().unwrap(),
        weights,
        extra: vec![("carnyx/graph.json".into(), b"[]".to_vec()), ("assets/empty".into(), vec![])],
    }
}

/// A zip file of members of which each is packed or not.
fn zipped(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn message(bytes: &[u8]) -> String {
    Archive::read_from(bytes, "m.keras").unwrap_err().to_string()
}

#[test]
fn an_archive_of_keras() {
    let archive = Archive::read_from(&recorded("sequential.keras"), "sequential.keras").unwrap();
    assert_eq!(archive.metadata["keras_version"], "3.15.1");
    assert_eq!(archive.config["class_name"], "Sequential");
    let adam = archive.weights.at("optimizer/vars").unwrap();
    assert_eq!(adam.array("0").unwrap().item().unwrap(), 1.0);
    assert_eq!(adam.array("1").unwrap().item().unwrap(), f64::from(0.01f32));
    for (group, layer) in [("dense", "dense"), ("dense_1", "scores")] {
        let vars = archive.weights.at(&format!("layers/{group}/vars")).unwrap();
        assert_eq!(vars.attribute("name").and_then(Attribute::as_text), Some(layer));
        let kernel = vars.array("0").unwrap();
        assert_eq!(kernel.shape(), if layer == "dense" { [4, 3] } else { [3, 2] });
        assert_eq!(kernel.values(), expected("sequential", &format!("{layer}/kernel")));
        assert_eq!(vars.array("1").unwrap().values(), expected("sequential", &format!("{layer}/bias")));
    }
    assert_eq!(Archive::read_from(&archive.to_bytes().unwrap(), "again").unwrap(), archive);
    let functional = Archive::read_from(&recorded("two_inputs.keras"), "two_inputs.keras").unwrap();
    let conv = functional.weights.at("layers/conv2d/vars").unwrap();
    assert_eq!(conv.array("0").unwrap().shape(), [3, 3, 1, 2]);
    assert_eq!(conv.array("0").unwrap().values(), expected("two_inputs", "conv/kernel"));
}

#[test]
fn the_text_of_a_configuration_is_that_of_keras() {
    for name in ["sequential.keras", "two_inputs.keras"] {
        let bytes = recorded(name);
        let text = to_json(&Archive::read_from(&bytes, name).unwrap().config);
        assert!(bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{name}");
    }
}

#[test]
fn a_legacy_file_of_keras() {
    let root = read_hdf5(&recorded("sequential.h5"), "sequential.h5").unwrap();
    let config: Value = root.attribute("model_config").and_then(Attribute::as_text).unwrap().parse().unwrap();
    assert_eq!(config["class_name"], "Sequential");
    let weights = root.group("model_weights").unwrap();
    assert_eq!(weights.texts("layer_names").unwrap(), ["dense", "scores"]);
    for layer in ["dense", "scores"] {
        let group = weights.group(layer).unwrap();
        let names = group.texts("weight_names").unwrap();
        assert_eq!(names.len(), 2);
        for path in names {
            let (folder, name) = path.rsplit_once('/').unwrap();
            let array = group.at(folder).unwrap().array(name).unwrap();
            assert_eq!(array.values(), expected("sequential", &format!("{layer}/{name}")), "{path}");
        }
    }
}

#[test]
fn unusual_types_and_layouts() {
    let bytes = recorded("unusual.h5");
    let root = read_hdf5(&bytes, "unusual.h5").unwrap();
    for (name, array) in root.arrays() {
        let (dtype, values): (_, &[f32]) = match name {
            "f2" | ">f2" | "f4" | ">f4" | "bfloat16" => (DType::F32, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            "f8" => (DType::F64, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            "i4" | ">i4" => (DType::I32, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            "u1" => (DType::U8, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            "bool" => (DType::Bool, &[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
            "bool, one" => (DType::Bool, &[1.0]),
            "f4, none" => (DType::F32, &[]),
            "filled" => (DType::F32, &[7.0; 6]),
            _ => (DType::I64, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        };
        assert_eq!((array.dtype(), array.values().as_slice()), (dtype, values), "{name}");
    }
    assert_eq!(root.arrays().count(), 22);
    assert_eq!(root.array("bool, one").unwrap().shape(), [0; 0]);
    assert_eq!(root.attribute("fixed").and_then(Attribute::as_text), Some("relu"));
    assert_eq!(root.texts("fixed, list").unwrap(), ["conv", "dense"]);
    assert_eq!(root.texts("list").unwrap(), ["conv", "größe"]);
    assert!(root.texts("empty list").unwrap().is_empty());
    assert_eq!(root.attribute("reference"), None);
}

/// Found by fuzzing: memory was taken for as much as an index of pieces claims.
#[test]
fn a_piece_that_claims_to_be_large_takes_no_memory() {
    let bytes = recorded("unusual.h5");
    let nodes = (0..bytes.len() - 32).filter(|&at| bytes[at..].starts_with(b"TREE\x01\0"));
    let mut found = 0;
    for node in nodes {
        let mut lie = bytes.clone();
        lie[node + 24..node + 28].copy_from_slice(&0xdd00_0000u32.to_le_bytes());
        let error = read_hdf5(&lie, "m.h5").unwrap_err();
        assert_eq!(error.title(), "`m.h5` claims more elements than it can hold");
        found += 1;
    }
    assert_eq!(found, 2);
}

#[test]
fn what_is_written_is_read_again() {
    let root = small_group();
    let bytes = write_hdf5(&root).unwrap();
    assert_eq!(bytes, write_hdf5(&root).unwrap());
    let read = read_hdf5(&bytes, "small.h5").unwrap();
    assert_eq!(read, root);
    let archive = small_archive();
    let bytes = archive.to_bytes().unwrap();
    assert_eq!(bytes, archive.to_bytes().unwrap());
    assert_eq!(Archive::read_from(&bytes, "m.keras").unwrap(), archive);
}

#[test]
fn many_groups_and_long_attributes() {
    let mut root = Group::new();
    for i in 0..700 {
        root.entry(&format!("layers/dense_{i}/vars")).insert_array("0", Array::from([i as f32]));
    }
    root.set_texts("layer_names", (0..5000).map(|i| format!("layer_{i}")).collect());
    root.set_attribute("model_config", Attribute::Text("x".repeat(300_000)));
    let read = read_hdf5(&write_hdf5(&root).unwrap(), "many.h5").unwrap();
    assert_eq!(read.at("layers/dense_699/vars").unwrap().array("0"), Some(&Array::from([699f32])));
    assert_eq!(read.texts("layer_names"), root.texts("layer_names"));
    assert_eq!(read.attribute("model_config"), root.attribute("model_config"));
}

#[test]
fn packed_members_are_read() {
    let archive = small_archive();
    let weights = write_hdf5(&archive.weights).unwrap();
    let config = to_json(&archive.config);
    let members =
        [("config.json", config.as_bytes()), ("model.weights.h5", &weights), ("assets/a.txt", b"a")];
    let read = Archive::read_from(&zipped(&members, CompressionMethod::Deflated), "m.keras").unwrap();
    assert_eq!((read.metadata, read.config), (Value::Null, archive.config));
    assert_eq!(read.extra, [("assets/a.txt".to_owned(), b"a".to_vec())]);
}

#[test]
fn messages() {
    assert_eq!(
        message(b"\x89HDF"),
        "error[file]: `m.keras` is not a zip archive\n  \
         = it begins with [89, 48, 44, 46], an archive with 50 4b 03 04"
    );
    let stored = CompressionMethod::Stored;
    assert_eq!(
        message(&zipped(&[("model.weights.h5", &write_hdf5(&Group::new()).unwrap())], stored)),
        "error[file]: `m.keras` has no member `config.json`\n  \
         = help: save the model again with `model.save(\"NAME.keras\")`, in one file"
    );
    assert_eq!(
        message(&zipped(&[("config.json", b"{\"a\": }")], stored)),
        "error[file]: the member `config.json` of `m.keras` is not valid JSON\n  \
         = cause: expected value at line 1 column 7"
    );
    assert_eq!(
        message(&zipped(&[("model.weights.h5", b"PK")], stored)),
        "error[file]: `m.keras/model.weights.h5` is not an HDF5 file\n  \
         = it begins with [50, 4b], an HDF5 file with 89 48 44 46 0d 0a 1a 0a"
    );
    let whole = small_archive().to_bytes().unwrap();
    assert!(
        message(&whole[..whole.len() / 2])
            .starts_with("error[file]: `m.keras` is damaged or incomplete\n  = cause: ")
    );
    let mut extra = small_archive();
    extra.extra.push(("config.json".into(), vec![]));
    assert_eq!(extra.to_bytes().unwrap_err().title(), "two members of the archive are named `config.json`");
}

#[test]
fn names_that_leave_the_archive_are_refused() {
    for name in ["../x", "a/../../x", "/etc/passwd", "C:/x", "a\\..\\x", "a//b", "./x", "a/../", "/"] {
        // The name is exchanged in the finished file, since a writer would refuse it or clean it.
        let dummy = "n".repeat(name.len());
        let text = zipped(&[(&dummy, b"hello")], CompressionMethod::Stored);
        let bytes: Vec<u8> = replaced(&text, dummy.as_bytes(), name.as_bytes());
        assert!(
            message(&bytes).contains(&format!("`m.keras` has a member named `{name}`")),
            "{}",
            message(&bytes)
        );
        let mut archive = small_archive();
        archive.extra.push((name.into(), vec![]));
        assert!(archive.to_bytes().unwrap_err().title().starts_with("no member of an archive can be named"));
    }
}

#[test]
fn two_members_of_one_name_are_refused() {
    let bytes = zipped(&[("config.json", b"{}"), ("config.jsoN", b"[]")], CompressionMethod::Stored);
    let bytes = replaced(&bytes, b"config.jsoN", b"config.json");
    assert_eq!(message(&bytes), "error[file]: `m.keras` has two members of the same name");
}

#[test]
fn a_bomb_takes_no_memory() {
    let zeros = vec![0; 100_000];
    let honest = zipped(&[("assets/zeros", &zeros)], CompressionMethod::Deflated);
    assert!(message(&honest).contains("has no member `config.json`"));
    let packed = honest.len() as u32;
    for (claim, why) in
        [(u32::MAX - 1, "is larger than it can be"), (50_000, "assets/zeros"), (100_001, "assets/zeros")]
    {
        let bytes = replaced(&honest, &100_000u32.to_le_bytes(), &claim.to_le_bytes());
        assert!(message(&bytes).contains(why), "{}", message(&bytes));
    }
    assert!(packed < 1000);
    // A shape that lies: the array would have 2^62 bytes.
    let mut root = Group::new();
    root.insert_array("x", Array::from(vec![0f32; 77_777]));
    let bytes = write_hdf5(&root).unwrap();
    for claim in [1u64 << 60, 1 << 40, 80_000] {
        let lie = replaced(&bytes, &77_777u64.to_le_bytes(), &claim.to_le_bytes());
        assert_ne!(lie, bytes);
        assert_eq!(read_hdf5(&lie, "m.h5").unwrap_err().code(), "file");
    }
}

#[test]
fn no_cut_is_taken_for_a_file() {
    let (archive, group) = (small_archive().to_bytes().unwrap(), write_hdf5(&small_group()).unwrap());
    for end in 0..archive.len() {
        assert_eq!(Archive::read_from(&archive[..end], "m").unwrap_err().code(), "file", "cut at {end}");
    }
    for end in 0..group.len() {
        assert_eq!(read_hdf5(&group[..end], "m").unwrap_err().code(), "file", "cut at {end}");
    }
    for (name, step) in [("sequential.keras", 97), ("two_inputs.keras", 101)] {
        let whole = recorded(name);
        for end in (0..whole.len()).step_by(step) {
            assert_eq!(Archive::read_from(&whole[..end], name).unwrap_err().code(), "file", "cut at {end}");
        }
    }
    let whole = recorded("sequential.h5");
    for end in (0..whole.len()).step_by(61) {
        assert_eq!(read_hdf5(&whole[..end], "sequential.h5").unwrap_err().code(), "file", "cut at {end}");
    }
}

#[test]
fn no_flipped_bit_panics() {
    let check = |whole: &[u8], step: usize, read: &dyn Fn(&[u8])| {
        for at in (0..whole.len()).step_by(step) {
            for mask in [1, 0x80, 0xff] {
                let mut flipped = whole.to_vec();
                flipped[at] ^= mask;
                read(&flipped);
            }
        }
    };
    // A panic in the library would be turned into this error.
    let understood =
        |error: carnyx_graph::Error| assert!(!error.title().contains("not understood"), "{error}");
    let archive = |bytes: &[u8]| Archive::read_from(bytes, "m").map_or_else(understood, |_| ());
    let hdf5 = |bytes: &[u8]| read_hdf5(bytes, "m").map_or_else(understood, |_| ());
    check(&small_archive().to_bytes().unwrap(), 1, &archive);
    check(&write_hdf5(&small_archive().weights).unwrap(), 1, &hdf5);
    check(&write_hdf5(&small_group()).unwrap(), 11, &hdf5);
    check(&recorded("two_inputs.keras"), 101, &archive);
    check(&recorded("sequential.h5"), 31, &hdf5);
    check(&recorded("unusual.h5"), 29, &hdf5);
}

/// Without a limit such a type fills the stack, which ends the process.
#[test]
fn types_within_types_have_an_end() {
    let nested = |levels| {
        let mut kind = hdf5_pure::make_u8_type();
        for _ in 0..levels {
            kind = hdf5_pure::Datatype::Array { base_type: Box::new(kind), dimensions: vec![1] };
        }
        let mut file = hdf5_pure::FileBuilder::new();
        file.create_dataset("x").with_raw_data(kind, vec![0], 1);
        read_hdf5(&file.finish().unwrap(), "m.h5").unwrap_err()
    };
    assert_eq!(nested(3).title(), "the array `x` of `m.h5` holds elements that are no numbers");
    assert_eq!(nested(60).title(), "`m.h5` is damaged or incomplete");
}

/// `bytes` with every `from` exchanged for `to`, which is as long.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
    }
    bytes
}
