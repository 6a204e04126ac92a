//! Pictures as SVG: line charts (learning curves, learning-rate sweeps), and diagrams of boxes and arrows.
//!
//! A [`LineChart`] is a title, two axes and series of points; a [`Figure`] puts charts side by side; a [`Diagram`] is
//! blocks in rows, arrows and frames. The text of an SVG is made in one go by [`LineChart::to_svg`] and depends on
//! nothing but the chart: no fonts, no clock, no environment. Invariant: every series of a drawn chart shows at least
//! one point, or there is an error that names it.
#![forbid(unsafe_code)]

mod axis;
mod chart;
mod diagram;
mod draw;
mod figure;
mod file;
mod layout;
mod picture;
mod simplex;

pub use chart::LineChart;
pub use diagram::{Block, Diagram, Role};
pub use figure::Figure;
