//! The colours of charts: ink, axes, series.
//!
//! Invariant: what has to be told apart can be told apart by the colour-blind.

use crate::canvas::Rgb;

pub(crate) const INK: Rgb = Rgb(38, 38, 38);
pub(crate) const FAINT: Rgb = Rgb(110, 110, 110);
pub(crate) const FRAME: Rgb = Rgb(150, 150, 150);
pub(crate) const GRID: Rgb = Rgb(230, 230, 230);
pub(crate) const WHITE: Rgb = Rgb(255, 255, 255);

/// The palette of Okabe and Ito ("Color universal design", 2008) without yellow, which is too pale on white.
const SERIES: [Rgb; 7] = [
    Rgb(0, 114, 178),
    Rgb(213, 94, 0),
    Rgb(0, 158, 115),
    Rgb(204, 121, 167),
    Rgb(230, 159, 0),
    Rgb(86, 180, 233),
    Rgb(0, 0, 0),
];

/// The colour of the series or class number `i`.
pub(crate) fn of_series(i: usize) -> Rgb {
    SERIES[i % SERIES.len()]
}
