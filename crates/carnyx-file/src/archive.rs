//! The `.keras` archive: a zip file with the configuration of a model as JSON and its weights as HDF5.
//!
//! ```text
//! metadata.json       which version of Keras saved it, and when; may be missing
//! config.json         the layers, and how the model was compiled
//! model.weights.h5    the weights, and what the optimizer remembers
//! assets/…            files that layers keep, such as vocabularies
//! ```
//! Invariant: no member has more bytes in memory than its bytes in the file can stand for, and names are unique paths
//! that stay within the archive.

use crate::hdf5::MOST_INFLATION;
use crate::{Group, file, read_hdf5, to_json, write_atomically, write_hdf5};
use carnyx_graph::{Error, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const METADATA: &str = "metadata.json";
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.weights.h5";

/// The contents of a `.keras` file.
///
/// # Example
/// ```
/// use carnyx_file::{Archive, Group, Value};
/// use carnyx_graph::Array;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("model.keras");
/// let mut weights = Group::new();
/// weights.entry("layers/dense/vars").insert_array("0", Array::from([[1.0f32, 2.0]]));
/// let config: Value = r#"{"class_name": "Sequential", "config": {"layers": []}}"#.parse().unwrap();
/// let archive = Archive { metadata: Value::Null, config, weights, extra: Vec::new() };
/// archive.write(&path)?;
/// assert_eq!(Archive::read(&path)?, archive);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// Which version of Keras saved the model, and when; `Null` if the file does not say.
    pub metadata: Value,
    /// The model: class, layers, how it was built and compiled.
    pub config: Value,
    /// The weights, and what the optimizer remembers.
    pub weights: Group,
    /// All other members by name, in the order of the file.
    pub extra: Vec<(String, Vec<u8>)>,
}

impl Archive {
    /// Reads the archive at `path`.
    ///
    /// # Errors
    /// `file`, if the file cannot be read, is no zip archive, lacks the configuration or the weights, or is damaged.
    ///
    /// # Example
    /// ```
    /// let error = carnyx_file::Archive::read("no/such/model.keras").unwrap_err();
    /// assert_eq!(error.title(), "cannot read `no/such/model.keras`");
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Archive> {
        let path = path.as_ref();
        Archive::read_from(&file::read(path)?, &path.display().to_string())
    }

    /// Reads an archive that is in memory; `name` stands for it in error messages.
    ///
    /// # Errors
    /// As [`Archive::read`].
    ///
    /// # Example
    /// ```
    /// use carnyx_file::Archive;
    /// let error = Archive::read_from(b"<!DOCTYPE html>", "model.keras").unwrap_err();
    /// assert_eq!(error.title(), "`model.keras` is not a zip archive");
    /// ```
    pub fn read_from(bytes: &[u8], name: &str) -> Result<Archive> {
        let (mut metadata, mut config, mut weights) = (Value::Null, None, None);
        let mut extra = Vec::new();
        for (member, content) in members(bytes, name)? {
            match member.as_str() {
                METADATA => metadata = parse(&content, &member, name)?,
                CONFIG => config = Some(parse(&content, &member, name)?),
                WEIGHTS => weights = Some(read_hdf5(&content, &format!("{name}/{WEIGHTS}"))?),
                _ => extra.push((member, content)),
            }
        }
        let missing = |member| {
            Error::new("file", format!("`{name}` has no member `{member}`"))
                .help("save the model again with `model.save(\"NAME.keras\")`, in one file")
        };
        Ok(Archive {
            metadata,
            config: config.ok_or_else(|| missing(CONFIG))?,
            weights: weights.ok_or_else(|| missing(WEIGHTS))?,
            extra,
        })
    }

    /// The bytes of the archive, the same for the same contents; members are stored without compression, as Keras does.
    ///
    /// # Errors
    /// `file`, if the weights cannot be written (see [`write_hdf5`]), or the name of an extra member is no path within
    /// the archive or is taken.
    ///
    /// # Example
    /// ```
    /// use carnyx_file::{Archive, Group, Value};
    /// let mut archive =
    ///     Archive { metadata: Value::Null, config: Value::Null, weights: Group::new(), extra: Vec::new() };
    /// assert_eq!(Archive::read_from(&archive.to_bytes()?, "model.keras")?, archive);
    /// archive.extra.push(("../notes.txt".into(), b"hello".to_vec()));
    /// assert_eq!(archive.to_bytes().unwrap_err().code(), "file");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let weights = write_hdf5(&self.weights)?;
        let (metadata, config) = (to_json(&self.metadata), to_json(&self.config));
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let mut names = HashSet::new();
        let metadata = (!self.metadata.is_null()).then_some((METADATA, metadata.as_bytes()));
        let own = [(CONFIG, config.as_bytes()), (WEIGHTS, weights.as_slice())];
        let extra = self.extra.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
        for (name, content) in metadata.into_iter().chain(own).chain(extra) {
            if let Some(reason) = refused(name) {
                return Err(Error::new("file", format!("no member of an archive can be named `{name}`"))
                    .label(format!("the name {reason}")));
            }
            if !names.insert(name) {
                return Err(Error::new("file", format!("two members of the archive are named `{name}`")));
            }
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(content.len() >= u32::MAX as usize);
            let failed = |e: &dyn std::fmt::Display| {
                Error::new("file", format!("cannot put `{name}` into the archive")).label(e.to_string())
            };
            writer.start_file(name, options).map_err(|e| failed(&e))?;
            writer.write_all(content).map_err(|e| failed(&e))?;
        }
        let whole =
            writer.finish().map_err(|e| Error::new("file", "cannot finish the archive").because(e))?;
        Ok(whole.into_inner())
    }

    /// Writes the archive with [`write_atomically`].
    ///
    /// # Errors
    /// As [`Archive::to_bytes`] and [`write_atomically`].
    ///
    /// # Example
    /// ```
    /// use carnyx_file::{Archive, Group, Value};
    /// let archive =
    ///     Archive { metadata: Value::Null, config: Value::Null, weights: Group::new(), extra: Vec::new() };
    /// assert_eq!(archive.write("no/such/folder/model.keras").unwrap_err().code(), "file");
    /// ```
    pub fn write(&self, path: impl AsRef<Path>) -> Result {
        write_atomically(path.as_ref(), &self.to_bytes()?)
    }
}

/// The names and contents of all members that are files.
fn members(bytes: &[u8], file: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let damaged = |title: String| {
        Error::new("file", title)
            .help("get the file again; it was probably not copied or downloaded completely")
    };
    if !bytes.starts_with(b"PK") {
        let start = &bytes[..bytes.len().min(4)];
        return Err(Error::new("file", format!("`{file}` is not a zip archive"))
            .label(format!("it begins with {start:02x?}, an archive with 50 4b 03 04")));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| damaged(format!("`{file}` is damaged or incomplete")).because(e))?;
    if archive.has_duplicate_names() {
        return Err(Error::new("file", format!("`{file}` has two members of the same name")));
    }
    // Members that share bytes would let a small file stand for a large one; members that the list at the end of the
    // file leaves out or calls differently would let two programs see two models in it.
    archive.validate_header_consistency().map_err(|e| damaged(format!("`{file}` is damaged")).because(e))?;
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive
            .by_index(index)
            .map_err(|e| damaged(format!("cannot read member {index} of `{file}`")).because(e))?;
        let name = String::from_utf8(member.name_raw().to_vec()).map_err(|e| {
            Error::new("file", format!("the name of member {index} of `{file}` is not UTF-8")).because(e)
        })?;
        if let Some(reason) = refused(name.strip_suffix('/').unwrap_or(&name)) {
            return Err(Error::new("file", format!("`{file}` has a member named `{name}`"))
                .label(format!("the name {reason}"))
                .help("no model is stored like this; do not open the file with other programs either"));
        }
        if name.ends_with('/') {
            continue;
        }
        let too_large = |size: u64, packed: u64| {
            Error::new("file", format!("the member `{name}` of `{file}` is larger than it can be"))
                .label(format!("it claims {size} bytes, in {packed} bytes of the file"))
        };
        let (size, packed) = (member.size(), member.compressed_size());
        if size > packed.saturating_mul(MOST_INFLATION as u64) {
            return Err(too_large(size, packed));
        }
        let mut content = Vec::new();
        // The vector grows with what is read; one byte more than was claimed is enough to know of the lie.
        member
            .by_ref()
            .take(size.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|e| damaged(format!("the member `{name}` of `{file}` is damaged")).because(e))?;
        if content.len() as u64 != size {
            return Err(too_large(size, packed));
        }
        members.push((name, content));
    }
    Ok(members)
}

/// Why no member may have this name, if so.
fn refused(name: &str) -> Option<&'static str> {
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return Some("is a path that does not begin in the archive");
    }
    if name.contains(['\\', '\0']) {
        return Some("holds a character that no path has on all systems");
    }
    name.split('/').any(|part| matches!(part, "" | "." | "..")).then_some("has an empty part, `.` or `..`")
}

fn parse(content: &[u8], member: &str, file: &str) -> Result<Value> {
    serde_json::from_slice(content).map_err(|e| {
        Error::new("file", format!("the member `{member}` of `{file}` is not valid JSON")).because(e)
    })
}
