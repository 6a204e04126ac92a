//! The colours of charts: those of series, and the scales that turn numbers into colours.
//!
//! Invariant: what has to be told apart can be told apart by the colour-blind, and scales grow or fall in lightness all
//! the way, so that they survive a printer without colours.

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

/// The steps of viridis (van der Walt and Smith, 2015, in the public domain), from dark to light.
const VIRIDIS: [Rgb; 9] = [
    Rgb(68, 1, 84),
    Rgb(71, 44, 122),
    Rgb(59, 81, 139),
    Rgb(44, 113, 142),
    Rgb(33, 144, 141),
    Rgb(39, 173, 129),
    Rgb(92, 200, 99),
    Rgb(170, 220, 50),
    Rgb(253, 231, 37),
];

/// The steps from negative over nothing to positive.
const AROUND_ZERO: [Rgb; 5] = [Rgb(0, 68, 120), Rgb(70, 150, 205), WHITE, Rgb(240, 145, 85), Rgb(150, 55, 0)];

/// From white to the blue of the first series.
const SHARES: [Rgb; 3] = [WHITE, Rgb(107, 174, 214), Rgb(8, 81, 156)];

/// The colour of a share, 0 to 1: white is nothing.
pub(crate) fn of_share(share: f64) -> Rgb {
    between(&SHARES, share)
}

/// The colour of a value from 0 to 1, where both ends matter alike.
pub(crate) fn of_rank(value: f64) -> Rgb {
    between(&VIRIDIS, value)
}

/// The colour of a value from -1 to 1: blue is negative, white is zero.
pub(crate) fn around_zero(value: f64) -> Rgb {
    between(&AROUND_ZERO, f64::midpoint(value, 1.0))
}

/// The grey of a value from 0, black, to 1, white.
pub(crate) fn gray(value: f64) -> Rgb {
    between(&[Rgb(0, 0, 0), WHITE], value)
}

/// A colour mixed with others by weights that sum to 1.
pub(crate) fn mixed(parts: impl Iterator<Item = (Rgb, f64)>) -> Rgb {
    let mut sums = [0.0; 3];
    for (Rgb(red, green, blue), weight) in parts {
        for (sum, part) in sums.iter_mut().zip([red, green, blue]) {
            *sum += f64::from(part) * weight;
        }
    }
    let [red, green, blue] = sums.map(|sum| sum.round().clamp(0.0, 255.0) as u8);
    Rgb(red, green, blue)
}

/// Whether white letters are easier to read on this colour than dark ones.
pub(crate) fn is_dark(Rgb(red, green, blue): Rgb) -> bool {
    0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue) < 140.0
}

/// The place `at`, 0 to 1, on a scale of evenly spaced steps.
fn between(steps: &[Rgb], at: f64) -> Rgb {
    let place = at.clamp(0.0, 1.0) * (steps.len() - 1) as f64;
    let first = (place.floor() as usize).min(steps.len() - 2);
    let share = place - first as f64;
    mixed([(steps[first], 1.0 - share), (steps[first + 1], share)].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_go_one_way_in_lightness() {
        let lightness =
            |Rgb(r, g, b): Rgb| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        let values: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
        let rises = |scale: &dyn Fn(f64) -> Rgb| {
            values.windows(2).all(|pair| lightness(scale(pair[0])) < lightness(scale(pair[1])) + 1.0)
        };
        assert!(rises(&of_rank) && rises(&gray));
        assert!(rises(&|share| of_share(1.0 - share)));
        assert!(rises(&|value| around_zero(value - 1.0)) && rises(&|value| around_zero(1.0 - value)));
        assert_eq!(
            (of_share(0.0), around_zero(0.0), around_zero(f64::INFINITY)),
            (WHITE, WHITE, Rgb(150, 55, 0))
        );
    }
}
