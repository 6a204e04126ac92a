//! From a tree of groups to the bytes of an HDF5 file.
//!
//! Arrays lie in one piece each, little-endian and without compression, as Keras writes them; texts are UTF-8 of
//! variable length, truth values the enumeration that h5py makes of them.

use super::MOST_LEVELS;
use crate::{Attribute, Group};
use carnyx_graph::array::Storage;
use carnyx_graph::{Array, Error, Result};
use hdf5_pure::{AttrValue, DatasetBuilder, EnumTypeBuilder, FileBuilder, FinishedGroup, GroupBuilder};

/// Writes an HDF5 file, byte for byte the same for the same tree.
///
/// # Errors
/// `file`, if a name is empty or holds a `/`, groups are nested too deeply, or an attribute has more than 64 KiB
/// (split long lists with [`Group::set_texts`]).
///
/// # Example
/// ```
/// use carnyx_file::{Group, write_hdf5};
/// let mut root = Group::new();
/// root.entry("layers/dense/vars");
/// assert!(write_hdf5(&root)?.starts_with(b"\x89HDF\r\n"));
/// root.insert_group("a/b");
/// assert_eq!(write_hdf5(&root).unwrap_err().title(), "no group of an HDF5 file can be named `a/b`");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn write_hdf5(root: &Group) -> Result<Vec<u8>> {
    let mut builder = FileBuilder::new();
    fill(&mut builder, root, 0)?;
    builder.finish().map_err(|e| Error::new("file", "cannot write an HDF5 file").because(e))
}

/// The first group and all others have builders of two types that do the same.
trait Builder {
    fn attribute(&mut self, name: &str, value: AttrValue);
    fn dataset(&mut self, name: &str) -> &mut DatasetBuilder;
    fn begin(&mut self, name: &str) -> GroupBuilder;
    fn end(&mut self, group: FinishedGroup);
}

impl Builder for FileBuilder {
    fn attribute(&mut self, name: &str, value: AttrValue) {
        self.set_attr(name, value);
    }
    fn dataset(&mut self, name: &str) -> &mut DatasetBuilder {
        self.create_dataset(name)
    }
    fn begin(&mut self, name: &str) -> GroupBuilder {
        self.create_group(name)
    }
    fn end(&mut self, group: FinishedGroup) {
        self.add_group(group);
    }
}

impl Builder for GroupBuilder {
    fn attribute(&mut self, name: &str, value: AttrValue) {
        self.set_attr(name, value);
    }
    fn dataset(&mut self, name: &str) -> &mut DatasetBuilder {
        self.create_dataset(name)
    }
    fn begin(&mut self, name: &str) -> GroupBuilder {
        self.create_group(name)
    }
    fn end(&mut self, group: FinishedGroup) {
        self.add_group(group);
    }
}

fn fill(builder: &mut impl Builder, group: &Group, level: usize) -> Result {
    if level > MOST_LEVELS {
        return Err(Error::new("file", format!("groups cannot be nested more than {MOST_LEVELS} deep")));
    }
    for (name, attribute) in group.attributes() {
        checked("attribute", name)?;
        builder.attribute(name, value(attribute));
    }
    for (name, array) in group.arrays() {
        checked("array", name)?;
        set_data(builder.dataset(name), array);
    }
    for (name, child) in group.groups() {
        checked("group", name)?;
        let mut inner = builder.begin(name);
        fill(&mut inner, child, level + 1)?;
        builder.end(inner.finish());
    }
    Ok(())
}

fn checked(kind: &str, name: &str) -> Result {
    let is_path = kind != "attribute" && (name.contains('/') || name == "." || name == "..");
    if name.is_empty() || is_path || name.contains('\0') {
        return Err(Error::new("file", format!("no {kind} of an HDF5 file can be named `{name}`")));
    }
    Ok(())
}

fn value(attribute: &Attribute) -> AttrValue {
    match attribute {
        Attribute::Text(text) => AttrValue::VarLenString(text.clone()),
        Attribute::Texts(texts) => AttrValue::VarLenStringArray(texts.clone()),
        Attribute::Integer(value) => AttrValue::I64(*value),
        Attribute::Integers(values) => AttrValue::I64Array(values.clone()),
        Attribute::Float(value) => AttrValue::F64(*value),
        Attribute::Floats(values) => AttrValue::F64Array(values.clone()),
    }
}

fn set_data(dataset: &mut DatasetBuilder, array: &Array) {
    let shape: Vec<u64> = array.shape().iter().map(|&size| size as u64).collect();
    match array.storage() {
        Storage::F32(data) => dataset.with_f32_data(data),
        Storage::F64(data) => dataset.with_f64_data(data),
        Storage::I32(data) => dataset.with_i32_data(data),
        Storage::I64(data) => dataset.with_i64_data(data),
        Storage::U8(data) => dataset.with_u8_data(data),
        Storage::Bool(data) => {
            let kind = EnumTypeBuilder::with_base(hdf5_pure::make_i8_type())
                .raw_value("FALSE", &[0])
                .raw_value("TRUE", &[1])
                .build()
                .expect("two values of one byte each make an enumeration");
            let bytes = data.iter().map(|&truth| u8::from(truth)).collect();
            dataset.with_raw_data(kind, bytes, data.len() as u64)
        }
    }
    .with_shape(&shape);
}
