//! Reads the files that TensorBoard reads: records with checksums, and in them events as protocol buffers.
//!
//! Written from the descriptions of the formats, not from what writes them: checksums bit by bit, fields by their
//! numbers. Whatever is not as it should be is a panic.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Something that was logged under a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The folder of the file within the folder that was read: `train`.
    pub run: String,
    /// The tag.
    pub tag: String,
    /// The step.
    pub step: i64,
    /// The plugin that shows it.
    pub plugin: String,
    /// What the plugin wants to know.
    pub content: Vec<u8>,
    /// The shape of the tensor.
    pub shape: Vec<usize>,
    /// Its elements, if they are numbers.
    pub numbers: Vec<f64>,
    /// Its elements, if they are texts.
    pub texts: Vec<Vec<u8>>,
}

/// All that is logged in the files below a folder, in the order of runs and files.
pub fn logged(folder: &Path) -> Vec<Logged> {
    let mut all = Vec::new();
    for path in event_files(folder) {
        let run = path.parent().unwrap().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        for event in events(&path) {
            let summary = event.message(5);
            for value in summary.all(1) {
                all.push(logged_value(&run, event.int(2), &Fields::of(value)));
            }
        }
    }
    all
}

/// The graphs of operations in the files below a folder: names of nodes, their operations and inputs.
pub fn graphs(folder: &Path) -> Vec<Vec<(String, String, Vec<String>)>> {
    let files = event_files(folder);
    let events = files.iter().flat_map(|path| events(path));
    let graphs = events.filter_map(|event| event.all(4).first().map(|graph| Fields::of(graph)));
    let text = |bytes: &&[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let node = |node: &&[u8]| {
        let node = Fields::of(node);
        (node.text(1), node.text(2), node.all(3).iter().map(text).collect())
    };
    graphs.map(|graph| graph.all(1).iter().map(node).collect()).collect()
}

/// The files of events below a folder.
pub fn event_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(event_files(&path));
        } else if path.file_name().unwrap().to_string_lossy().starts_with("events.out.tfevents.") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The events of a file. It may end within a record, as one does that is being written.
fn events(path: &Path) -> Vec<Fields> {
    let bytes = fs::read(path).unwrap();
    let events: Vec<Fields> = records(&bytes).into_iter().map(Fields::of).collect();
    assert_eq!(events[0].text(3), "brain.Event:2", "{}", path.display());
    assert!(events.iter().all(|event| event.doubles(1)[0] > 1.6e9), "a time after 2020");
    events
}

/// The whole records in some bytes.
pub fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut records, mut rest) = (Vec::new(), bytes);
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let Some((checksum, after)) = after.split_first_chunk::<4>() else { break };
        assert_eq!(u32::from_le_bytes(*checksum), masked_crc(length), "the checksum of a length");
        let length = u64::from_le_bytes(*length) as usize;
        if after.len() < length + 4 {
            break;
        }
        let (record, after) = after.split_at(length);
        let (checksum, after) = after.split_first_chunk::<4>().unwrap();
        assert_eq!(u32::from_le_bytes(*checksum), masked_crc(record), "the checksum of a record");
        records.push(record);
        rest = after;
    }
    records
}

fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn logged_value(run: &str, step: i64, value: &Fields) -> Logged {
    let (metadata, tensor) = (value.message(9), value.message(8));
    let plugin = metadata.message(1);
    let content = tensor.all(4).concat();
    let numbers = match tensor.int(1) {
        1 => content.chunks(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect(),
        2 => content.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
        _ => Vec::new(),
    };
    let shape: Vec<usize> =
        tensor.message(2).all(2).iter().map(|dim| Fields::of(dim).int(1) as usize).collect();
    let texts: Vec<Vec<u8>> = tensor.all(8).iter().map(|text| text.to_vec()).collect();
    assert_eq!(shape.iter().product::<usize>(), numbers.len() + texts.len(), "of {}", value.text(1));
    Logged {
        run: run.to_owned(),
        tag: value.text(1),
        step,
        plugin: plugin.text(1),
        content: plugin.all(2).concat(),
        shape,
        numbers,
        texts,
    }
}

/// The fields of a message by their numbers: integers as they are, fixed numbers and counted bytes as bytes.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    integers: BTreeMap<u64, Vec<u64>>,
    bytes: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Fields {
    /// Those of a message.
    pub fn of(mut message: &[u8]) -> Fields {
        let mut fields = Fields::default();
        while !message.is_empty() {
            let key = varint(&mut message);
            let length = match key & 7 {
                0 => {
                    fields.integers.entry(key >> 3).or_default().push(varint(&mut message));
                    continue;
                }
                1 => 8,
                2 => varint(&mut message) as usize,
                5 => 4,
                wire => panic!("the wire type {wire}"),
            };
            let (value, rest) = message.split_at(length);
            fields.bytes.entry(key >> 3).or_default().push(value.to_vec());
            message = rest;
        }
        fields
    }

    /// All values of a field.
    pub fn all(&self, field: u64) -> Vec<&[u8]> {
        self.bytes.get(&field).into_iter().flatten().map(Vec::as_slice).collect()
    }

    /// The message in a field; an empty one, if there is none.
    pub fn message(&self, field: u64) -> Fields {
        self.all(field).first().map(|message| Fields::of(message)).unwrap_or_default()
    }

    /// The text in a field.
    pub fn text(&self, field: u64) -> String {
        String::from_utf8(self.all(field).first().map(|text| text.to_vec()).unwrap_or_default()).unwrap()
    }

    /// The integer in a field, or 0.
    pub fn int(&self, field: u64) -> i64 {
        self.integers.get(&field).map_or(0, |values| values[0] as i64)
    }

    /// All integers in a field.
    pub fn ints(&self, field: u64) -> Vec<i64> {
        self.integers.get(&field).into_iter().flatten().map(|&value| value as i64).collect()
    }

    /// The numbers of a field with 64 bits each.
    pub fn doubles(&self, field: u64) -> Vec<f64> {
        self.all(field).iter().map(|bytes| f64::from_le_bytes((*bytes).try_into().unwrap())).collect()
    }
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
