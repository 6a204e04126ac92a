//! HDF5, as far as models need it: groups, arrays and small attributes, to and from a tree of [`Group`](crate::Group)s.
//!
//! The format itself is the business of the crate `hdf5-pure`, which is named in this folder only. It takes what a file
//! says at its word in some places, so [`source`] stands between it and the bytes, and [`read`] weighs every size
//! against the length of the file before it asks for the data.

mod read;
mod source;
mod write;

pub use read::read_hdf5;
pub use write::write_hdf5;

/// Groups within groups; models of Keras stay below 20.
const MOST_LEVELS: usize = 64;

/// How many bytes one byte of deflate can stand for; zlib's technical notes give 1032:1 as the limit.
pub(crate) const MOST_INFLATION: usize = 1032;

/// The attribute by which Keras marks an array that holds bfloat16 in bytes without a type.
const DTYPE: &str = "dtype";
