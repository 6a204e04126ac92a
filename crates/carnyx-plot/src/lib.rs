//! Pictures as SVG: charts (learning curves, learning-rate sweeps, bars), and diagrams of boxes and arrows.
//!
//! A [`LineChart`] is a title, two axes and series of points; a [`BarChart`] is numbers by name; a [`Figure`] puts charts
//! side by side; a [`Diagram`] is blocks in rows, arrows and frames. The text of an SVG is made in one go by
//! [`Figure::to_svg`] and its kin, and depends on nothing but the chart: no fonts, no clock, no environment. Invariant:
//! every series of a drawn chart shows at least one point, or there is an error that names it.
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
