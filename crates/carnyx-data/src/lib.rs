//! Data sets and the readers of their files.
//!
//! [`fashion_mnist`], [`mnist`] and [`california_housing`] return arrays that are ready for `fit`. They are built on
//! three readers that are of use by themselves: [`read_idx`] for the format of the MNIST family, [`Table`] for CSV,
//! and [`train_test_split`]. Invariants: a file that lies, ends early or is damaged gives an `Err` that names the
//! file and the place in it, and memory is only taken for data that was really read; a file that this crate writes is
//! there in full or not at all.
#![forbid(unsafe_code)]

mod csv;
mod datasets;
#[cfg(feature = "download")]
mod download;
mod file;
mod idx;
mod source;
mod split;

pub use csv::Table;
pub use datasets::{
    Dataset, california_housing, california_housing_from, fashion_mnist, fashion_mnist_from, mnist,
    mnist_from,
};
pub use idx::{read_idx, read_idx_from, write_idx};
pub use source::Source;
pub use split::{Split, train_test_split};
