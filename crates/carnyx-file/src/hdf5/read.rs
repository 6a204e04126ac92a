//! From the bytes of an HDF5 file to a tree of groups.
//!
//! Invariant: what the arrays of a file take in memory is at most a multiple of what the file can hold: its length, or,
//! where they are compressed, what so many bytes can stand for.

use super::source::Guarded;
use super::{DTYPE, MOST_INFLATION, MOST_LEVELS};
use crate::safetensors::{bf16_to_f32, f16_to_f32};
use crate::{Attribute, Group};
use carnyx_graph::{Array, Error, Result};
use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Reads an HDF5 file that is in memory; `file` stands for it in error messages.
///
/// 16-bit floats, bfloat16 as Keras marks it included, become `f32`; integers of other widths than 8 bits without and
/// 32 and 64 bits with a sign become `i64`. Attributes that are neither texts nor numbers are left out.
///
/// # Errors
/// `file`, if the bytes are no HDF5 file, are damaged or end early, or hold a type that [`Array`] has not.
///
/// # Example
/// ```
/// use carnyx_file::{Group, read_hdf5, write_hdf5};
/// use carnyx_graph::Array;
/// let mut root = Group::new();
/// root.entry("layers/dense/vars").insert_array("0", Array::from([[1.0f32, 2.0]]));
/// let bytes = write_hdf5(&root)?;
/// assert_eq!(read_hdf5(&bytes, "model.weights.h5")?, root);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn read_hdf5(bytes: &[u8], file: &str) -> Result<Group> {
    if !hdf5_pure::is_hdf5_bytes(bytes) {
        let start = &bytes[..bytes.len().min(8)];
        return Err(Error::new("file", format!("`{file}` is not an HDF5 file"))
            .label(format!("it begins with {start:02x?}, an HDF5 file with 89 48 44 46 0d 0a 1a 0a")));
    }
    // The last resort: no file is known that makes the library panic, but it is young, and a user's program must not
    // end because of a file. Nothing that it might leave half done outlives the call.
    catch_unwind(AssertUnwindSafe(|| {
        let mut reader = Reader { file, length: bytes.len(), needed: 0, left: bytes.len() / BYTES_OF_A_NODE };
        let opened = hdf5_pure::File::from_source(Guarded::new(bytes)).map_err(|e| reader.damaged("", e))?;
        let mut root = Group::new();
        reader.group(&opened.root(), &mut root, "", 0)?;
        Ok(root)
    }))
    .unwrap_or_else(|_| {
        Err(Error::new("file", format!("`{file}` is damaged in a way that is not understood")))
    })
}

/// Every group and every array has an entry in the list of a group and a header, of more bytes than this.
const BYTES_OF_A_NODE: usize = 24;

/// Links may lead to the same array twice, so all arrays together can need more than the length of the file.
const MOST_SHARING: usize = 4;

struct Reader<'a> {
    file: &'a str,
    /// Bytes of the file.
    length: usize,
    /// Bytes that the arrays read so far need in the file at least.
    needed: usize,
    /// Groups and arrays that may still come.
    left: usize,
}

impl Reader<'_> {
    fn group(&mut self, from: &hdf5_pure::Group, to: &mut Group, path: &str, level: usize) -> Result {
        if level > MOST_LEVELS {
            return Err(Error::new("file", format!("the groups of `{}` are nested without end", self.file))
                .label(format!("`{path}` is {level} groups deep")));
        }
        let (values, kinds) = (from.attrs(), from.attr_datatypes());
        self.attributes(values, kinds, path, |name, value| to.set_attribute(name, value))?;
        for (name, dataset) in from.iter_datasets().map_err(|e| self.damaged(path, e))? {
            let path = self.child(path, &name)?;
            to.insert_array(name, self.array(&dataset, &path)?);
        }
        for (name, group) in from.iter_groups().map_err(|e| self.damaged(path, e))? {
            let path = self.child(path, &name)?;
            self.group(&group, to.insert_group(name), &path, level + 1)?;
        }
        Ok(())
    }

    fn child(&mut self, path: &str, name: &str) -> Result<String> {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            Error::new("file", format!("`{}` lists more groups and arrays than it can hold", self.file))
                .label(format!("it has {} bytes, and `{path}` is one too many", self.length))
        })?;
        Ok(path)
    }

    fn attributes(
        &self,
        values: Result<HashMap<String, AttrValue>, hdf5_pure::Error>,
        kinds: Result<HashMap<String, Datatype>, hdf5_pure::Error>,
        path: &str,
        mut set: impl FnMut(String, Attribute),
    ) -> Result {
        let mut values = values.map_err(|e| self.damaged(path, e))?;
        let kinds = kinds.map_err(|e| self.damaged(path, e))?;
        for (name, kind) in kinds {
            let value = match values.remove(&name) {
                Some(value) => attribute(value),
                // References and the like; but what is a text or a number must be readable.
                None if !is_text_or_number(&kind) => continue,
                None => None,
            };
            let value = value.ok_or_else(|| {
                Error::new("file", format!("cannot read the attribute `{name}` of `{}`", self.file))
                    .label(format!("it belongs to `{path}/`"))
            })?;
            set(name, value);
        }
        Ok(())
    }

    fn array(&mut self, dataset: &Dataset, path: &str) -> Result<Array> {
        let shape = dataset.shape().map_err(|e| self.damaged(path, e))?;
        let kind = dataset.datatype().map_err(|e| self.damaged(path, e))?;
        let sizes: Option<Vec<usize>> = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
        let elements = sizes.as_ref().and_then(|sizes| {
            // Empty axes are left out of the product, so that no later product of some axes can overflow either.
            let fits = sizes.iter().try_fold(16usize, |product, &size| product.checked_mul(size.max(1)));
            fits.map(|_| sizes.iter().product::<usize>())
        });
        let bytes = elements.and_then(|n| n.checked_mul(usize::try_from(kind.type_size()).ok()?));
        // Other filters pack less than deflate does.
        let inflation = if dataset.filters().is_empty() { 1 } else { MOST_INFLATION };
        let needed = bytes.map(|bytes| bytes / inflation);
        self.needed = self.needed.saturating_add(needed.unwrap_or(usize::MAX));
        if needed.is_none_or(|needed| needed > self.length) || self.needed / MOST_SHARING > self.length {
            return Err(Error::new("file", format!("`{}` claims more elements than it can hold", self.file))
                .label(format!("`{path}` has the shape {shape:?}, and the file has {} bytes", self.length)));
        }
        self.check_chunks(dataset, &kind, path)?;
        let sizes = sizes.unwrap_or_default();
        self.elements(dataset, &kind, sizes, path)
    }

    /// The library takes memory for a piece of an array before it looks whether the file has that many bytes.
    fn check_chunks(&self, dataset: &Dataset, kind: &Datatype, path: &str) -> Result {
        let Some(shape) = dataset.chunk_shape().map_err(|e| self.damaged(path, e))? else { return Ok(()) };
        let element = u64::from(kind.type_size());
        let whole = shape.iter().try_fold(element, |product, &size| product.checked_mul(size));
        let length = self.length as u64;
        let inflated = length.saturating_mul(MOST_INFLATION as u64);
        let fits =
            whole.is_some_and(|whole| whole <= inflated)
                && dataset.chunks().map_err(|e| self.damaged(path, e))?.iter().all(|chunk| {
                    chunk.address.checked_add(chunk.storage_size).is_some_and(|end| end <= length)
                });
        if fits {
            return Ok(());
        }
        Err(Error::new("file", format!("`{}` claims more elements than it can hold", self.file))
            .label(format!("a piece of `{path}` is larger than the file, which has {length} bytes")))
    }

    fn elements(&self, dataset: &Dataset, kind: &Datatype, shape: Vec<usize>, path: &str) -> Result<Array> {
        let damaged = |e| self.damaged(path, e);
        let array = match *kind {
            // The library converts floats of 4 and 8 bytes only.
            Datatype::FloatingPoint { size: 2, byte_order, layout } => {
                let bytes = dataset.read_raw().map_err(damaged)?;
                let widen = match layout.exponent_size {
                    5 => f16_to_f32,
                    8 => bf16_to_f32,
                    _ => return Err(self.no_such_type(path, &kind.to_string())),
                };
                let from = match byte_order {
                    DatatypeByteOrder::BigEndian => u16::from_be_bytes,
                    _ => u16::from_le_bytes,
                };
                Array::new(shape, bytes.as_chunks().0.iter().map(|&two| widen(from(two))).collect())
            }
            Datatype::FloatingPoint { size: 4, .. } => {
                Array::new(shape, dataset.read_f32().map_err(damaged)?)
            }
            Datatype::FloatingPoint { size: 8, .. } => {
                Array::new(shape, dataset.read_f64().map_err(damaged)?)
            }
            Datatype::FixedPoint { size, layout, .. } => match (size, layout.signed) {
                (1, false) => Array::new(shape, dataset.read_u8().map_err(damaged)?),
                (4, true) => Array::new(shape, dataset.read_i32().map_err(damaged)?),
                (8, false) => {
                    let elements = dataset.read_u64().map_err(damaged)?;
                    let signed: Option<Vec<i64>> =
                        elements.into_iter().map(|n| i64::try_from(n).ok()).collect();
                    Array::new(
                        shape,
                        signed.ok_or_else(|| self.no_such_type(path, "u64 beyond the range of i64"))?,
                    )
                }
                (1 | 2 | 4 | 8, _) => Array::new(shape, dataset.read_i64().map_err(damaged)?),
                _ => return Err(self.no_such_type(path, &kind.to_string())),
            },
            Datatype::Enumeration { ref members, size: 1, .. } => {
                let elements = dataset.read_raw().map_err(damaged)?;
                // How h5py stores truth values.
                if members.iter().map(|member| member.name.as_str()).eq(["FALSE", "TRUE"]) {
                    Array::new(shape, elements.into_iter().map(|byte| byte != 0).collect())
                } else {
                    Array::new(shape, elements)
                }
            }
            // h5py knows no bfloat16 and stores its bytes without a type; Keras notes beside them what they are.
            Datatype::Opaque { size: 2, .. } if self.is_bfloat16(dataset, path)? => {
                let bytes = dataset.read_raw().map_err(damaged)?;
                let (elements, _) = bytes.as_chunks();
                Array::new(shape, elements.iter().map(|&two| bf16_to_f32(u16::from_le_bytes(two))).collect())
            }
            _ => return Err(self.no_such_type(path, &kind.to_string())),
        };
        array.map_err(|e| self.damaged(path, e))
    }

    fn is_bfloat16(&self, dataset: &Dataset, path: &str) -> Result<bool> {
        let mut found = false;
        self.attributes(dataset.attrs(), dataset.attr_datatypes(), path, |name, value| {
            found |= name == DTYPE && value.as_text() == Some("bfloat16");
        })?;
        Ok(found)
    }

    fn damaged(&self, path: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
        let place = if path.is_empty() { "its first group".to_owned() } else { format!("`{path}`") };
        Error::new("file", format!("`{}` is damaged or incomplete", self.file))
            .label(format!("in {place}"))
            .because(cause)
            .help("get the file again; it was probably not copied or downloaded completely")
    }

    fn no_such_type(&self, path: &str, kind: &str) -> Error {
        Error::new(
            "file",
            format!("the array `{path}` of `{}` holds elements that are no numbers", self.file),
        )
        .label(format!("they are of type `{kind}`"))
        .help("floats, integers up to 64 bits and truth values can be read")
    }
}

fn is_text_or_number(kind: &Datatype) -> bool {
    matches!(
        kind,
        Datatype::FixedPoint { .. }
            | Datatype::FloatingPoint { .. }
            | Datatype::String { .. }
            | Datatype::Enumeration { .. }
            | Datatype::VariableLength { is_string: true, .. }
    )
}

/// The value as one of ours; `None` for a number that no `i64` holds.
fn attribute(value: AttrValue) -> Option<Attribute> {
    use AttrValue as V;
    Some(match value {
        V::String(text) | V::AsciiString(text) | V::VarLenString(text) | V::VarLenAsciiString(text) => {
            Attribute::Text(text)
        }
        V::StringSized { value, .. } | V::AsciiStringSized { value, .. } => Attribute::Text(value),
        V::F32(value) => Attribute::Float(f64::from(value)),
        V::F64(value) => Attribute::Float(value),
        V::F32Array(_) | V::F64Array(_) => Attribute::Floats(value.to_f64s()?),
        V::I8(_) | V::I16(_) | V::I32(_) | V::I64(_) | V::U8(_) | V::U16(_) | V::U32(_) | V::U64(_) => {
            Attribute::Integer(value.as_i64()?)
        }
        _ => match value.as_strings() {
            Some(texts) => Attribute::Texts(texts.to_vec()),
            None => Attribute::Integers(value.to_i64s()?),
        },
    })
}
