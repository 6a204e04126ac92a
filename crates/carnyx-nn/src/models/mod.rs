//! Models: layers with an optimizer, an objective and metrics.

mod model;
mod network;
mod summary;
pub(crate) mod trace;

pub use model::{Compile, Model};
pub use summary::{LayerRow, Summary};

#[cfg(test)]
mod tests;
