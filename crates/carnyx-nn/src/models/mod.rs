//! Models: layers with an optimizer, an objective and metrics.

mod functional;
mod gradients;
mod heads;
mod ids;
mod inside;
mod model;
mod network;
mod probe;
mod snapshot;
mod summary;
mod suspects;
pub(crate) mod trace;

pub use functional::{DrawnInputs, DrawnOutputs, Functional};
pub use heads::HeadReport;
pub use model::{Compile, Model};
pub use snapshot::Snapshot;
pub use summary::{LayerRow, Summary};
pub use suspects::SuspectedLabel;

#[cfg(test)]
mod tests;
