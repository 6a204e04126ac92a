//! Line charts as SVG: learning curves, learning-rate sweeps.
//!
//! A [`LineChart`] is a title, two axes and series of points; a [`Figure`] puts charts side by side. The text of an
//! SVG is made in one go by [`LineChart::to_svg`] and depends on nothing but the chart: no fonts, no clock, no
//! environment. Invariant: every series of a drawn chart shows at least one point, or there is an error that names it.
#![forbid(unsafe_code)]

mod axis;
mod chart;
mod draw;
mod figure;

pub use chart::LineChart;
pub use figure::Figure;
