//! Data sets, the readers of their files, and the way from files to what a network learns from.
//!
//! [`fashion_mnist`], [`mnist`] and [`california_housing`] return arrays that are ready for `fit`. They are built on
//! three readers that are of use by themselves: [`read_idx`] for the format of the MNIST family, [`Table`] for CSV,
//! and [`train_test_split`]. A [`Stream`] reads what does not fit into memory; [`Features`] makes arrays of
//! the columns of a table. Invariants: a file that lies, ends early or is damaged gives an `Err` that names the
//! file and the place in it, and memory is only taken for data that was really read; a file that this crate writes is
//! there in full or not at all.
#![forbid(unsafe_code)]

mod datasets;
#[cfg(feature = "download")]
mod download;
mod features;
mod file;
mod idx;
mod random;
mod source;
mod split;
mod stream;
mod table;

pub use datasets::{
    Dataset, california_housing, california_housing_from, fashion_mnist, fashion_mnist_from, mnist,
    mnist_from,
};
pub use features::{Features, Preprocessing};
pub use idx::{read_idx, read_idx_from, write_idx};
pub use source::Source;
pub use split::{Split, train_test_split};
pub use stream::Stream;
pub use table::{ColumnDescription, Description, Kind, Table};
