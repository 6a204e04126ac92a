//! What stands above a plot: the title, and the names of what is drawn beside samples of it.

use crate::canvas::{Canvas, Rgb, Stroke, Words};
use crate::colors::{INK, WHITE, of_rank};
use crate::layout::Rect;
use crate::text::{cut, text_width};

/// Between the border of a chart and what is in it.
pub(crate) const MARGIN: f64 = 14.0;
const TITLE_SIZE: f64 = 15.0;
pub(crate) const LABEL_SIZE: f64 = 12.0;
/// The height of a line of names.
const LEGEND_LINE: f64 = 20.0;
/// The length of the sample beside a name.
const SAMPLE: f64 = 26.0;
/// From one name to the next.
const GAP: f64 = 18.0;

/// What is drawn beside a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample {
    Line(Stroke),
    Dot(Rgb),
    /// A dot with a dark border.
    Ring,
}

/// Draws the title, unless it is empty; where the next thing begins.
pub(crate) fn title(canvas: &mut Canvas, area: Rect, text: &str) -> f64 {
    let top = area.y + MARGIN;
    if text.is_empty() {
        return top;
    }
    let shown = cut(text, 1.08 * TITLE_SIZE, area.width - 2.0 * MARGIN);
    canvas.words(Words::new(&shown, TITLE_SIZE, (area.x + MARGIN, top + 0.5 * TITLE_SIZE)).bold());
    top + TITLE_SIZE + 6.0
}

/// Draws names beside samples, in as many rows as they need; where the next thing begins.
pub(crate) fn legend(canvas: &mut Canvas, area: Rect, top: f64, entries: &[(&str, Sample)]) -> f64 {
    let (left, right) = (area.x + MARGIN, area.x + area.width - MARGIN);
    let (mut x, mut y) = (left, top);
    for (name, sample) in entries {
        let length = match sample {
            Sample::Line(_) => SAMPLE,
            Sample::Dot(_) | Sample::Ring => 10.0,
        };
        let shown = cut(name, LABEL_SIZE, right - left - length - 6.0);
        let end = x + length + 6.0 + text_width(&shown, LABEL_SIZE, false);
        if x > left && end > right {
            (x, y) = (left, y + LEGEND_LINE);
        }
        let middle = y + LEGEND_LINE / 2.0;
        match *sample {
            Sample::Line(stroke) => canvas.line(&[(x, middle), (x + SAMPLE, middle)], stroke),
            Sample::Dot(color) => canvas.dot((x + 5.0, middle), 4.0, color, Stroke::new(WHITE, 0.75)),
            Sample::Ring => canvas.dot((x + 5.0, middle), 4.0, WHITE, Stroke::new(INK, 1.75)),
        }
        canvas.words(Words::new(&shown, LABEL_SIZE, (x + length + 6.0, middle)));
        x += length + 6.0 + text_width(&shown, LABEL_SIZE, false) + GAP;
    }
    if entries.is_empty() { top } else { y + LEGEND_LINE }
}

/// Draws what the colours of numbers mean, from the least to the greatest; where the next thing begins.
pub(crate) fn color_scale(canvas: &mut Canvas, area: Rect, top: f64, [low, high]: [&str; 2]) -> f64 {
    const STEPS: usize = 60;
    let (mut x, middle) = (area.x + MARGIN, top + LEGEND_LINE / 2.0);
    canvas.words(Words::new(low, LABEL_SIZE, (x, middle)));
    x += text_width(low, LABEL_SIZE, false) + 4.0;
    let rect = Rect { x, y: middle - 5.0, width: 120.0, height: 10.0 };
    let colors: Vec<Rgb> = (0..STEPS).map(|i| of_rank(i as f64 / (STEPS - 1) as f64)).collect();
    canvas.cells(rect, STEPS, &colors);
    canvas.words(Words::new(high, LABEL_SIZE, (x + rect.width + 6.0, middle)));
    top + LEGEND_LINE
}
