//! Pictures as SVG or PNG: charts, and diagrams of boxes and arrows.
//!
//! | Picture | of |
//! |---|---|
//! | [`LineChart`] | lines and points: learning curves, learning-rate sweeps |
//! | [`BarChart`] | numbers by name |
//! | [`ParallelCoordinates`] | the trials of a search |
//! | [`ConfusionMatrix`] | which classes are taken for which |
//! | [`RocCurve`], [`PrecisionRecallCurve`] | how well scores tell two classes apart |
//! | [`ImageGrid`] | images, and weights of units that look at images |
//! | [`DecisionBoundary`] | what a model of two inputs says everywhere |
//! | [`Figure`] | several of these, side by side |
//! | [`Diagram`] | blocks in rows, arrows and frames |
//!
//! The text of an SVG is made in one go by `to_svg`, and depends on nothing but the picture: no fonts, no clock, no
//! environment. With the feature `png`, the same picture has pixels too. Invariant: every series of a drawn chart shows
//! at least one point, or there is an error that names it.
#![forbid(unsafe_code)]

mod answers;
mod axis;
mod bars;
mod boundary;
mod canvas;
mod chart;
mod colors;
mod confusion;
mod curves;
mod diagram;
mod draw;
mod figure;
mod file;
mod frame;
mod heading;
mod images;
mod layout;
mod matrix;
mod panel;
mod parallel;
mod picture;
mod png;
mod simplex;
mod text;

pub use bars::BarChart;
pub use boundary::DecisionBoundary;
pub use chart::LineChart;
pub use confusion::ConfusionMatrix;
pub use curves::{PrecisionRecallCurve, RocCurve};
pub use diagram::{Block, Diagram, Role};
pub use figure::Figure;
pub use images::ImageGrid;
pub use panel::Panel;
pub use parallel::ParallelCoordinates;
