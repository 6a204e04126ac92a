//! The containers in which models are stored: HDF5, `.keras` archives, safetensors.
//!
//! This crate knows arrays and JSON, nothing of layers: [`read_hdf5`] gives a tree of [`Group`]s, [`Archive`] is the
//! zip file that Keras writes, [`Tensors`] the flat list of a safetensors file. Invariants: a file that lies, ends
//! early or is damaged gives an `Err` that names the file and the place in it, never a panic; memory is only taken for
//! data that the file can hold; a file written with [`write_atomically`] is there in full, or the old one still is.
#![forbid(unsafe_code)]

mod archive;
mod file;
mod group;
mod hdf5;
mod json;
mod safetensors;

pub use archive::Archive;
pub use file::write_atomically;
pub use group::{Attribute, Group};
pub use hdf5::{read_hdf5, write_hdf5};
pub use json::to_json;
pub use safetensors::{Tensors, read_safetensors, write_safetensors};
pub use serde_json::Value;
