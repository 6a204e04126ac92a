//! The layers, one file each.

mod dense;
mod dropout;
mod flatten;
mod input;
mod lambda;
mod normalization;
mod rescaling;
mod sequential;
mod traced;

pub use dense::Dense;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use input::Input;
pub use lambda::Lambda;
pub use normalization::Normalization;
pub use rescaling::Rescaling;
pub use sequential::Sequential;
pub(crate) use traced::Expression;
pub use traced::Traced;
