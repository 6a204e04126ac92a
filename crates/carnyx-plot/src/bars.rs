//! Numbers by name, as bars.

use crate::Figure;
use crate::axis::{Axis, Scale, is_wide, number};
use crate::canvas::{Canvas, Stroke, Words};
use crate::colors::{FRAME, GRID, INK, of_series};
use crate::frame::TICK_SIZE;
use crate::heading::{LABEL_SIZE, MARGIN, title};
use crate::layout::Rect;
use crate::panel::{Drawn, named};
use crate::text::{cut, text_width};
use carnyx_graph::{Error, Result};
use std::path::Path;

/// Horizontal bars, one below the other, each with its name and its number.
///
/// Bars stand in the order in which they were added, and begin at 0.
///
/// # Example
/// ```
/// use carnyx_plot::BarChart;
/// let svg = BarChart::new("importance")
///     .x_label("share of the variance")
///     .bar("learning_rate", 0.71)
///     .bar("units", 0.2)
///     .bar_with_error("dropout", 0.09, 0.02)
///     .to_svg()?;
/// assert!(svg.contains("learning_rate") && svg.contains("0.71"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BarChart {
    title: String,
    x_label: String,
    bars: Vec<Bar>,
}

#[derive(Clone, Debug)]
struct Bar {
    name: String,
    value: f64,
    error: f64,
}

/// The height that a bar has with the space around it, and without.
const PITCH: f64 = 26.0;
const THICKNESS: f64 = 16.0;

impl BarChart {
    /// A chart without bars; an empty title takes no room.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::BarChart;
    /// let empty = BarChart::new("importance");
    /// assert_eq!(empty.to_svg().unwrap_err().code(), "data"); // there is nothing to show yet
    /// ```
    pub fn new(title: impl Into<String>) -> BarChart {
        BarChart { title: title.into(), x_label: String::new(), bars: Vec::new() }
    }

    /// What the numbers are.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::BarChart;
    /// let chart = BarChart::new("").x_label("seconds").bar("Dense", 1.5);
    /// assert!(chart.to_svg()?.contains("seconds"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn x_label(mut self, label: impl Into<String>) -> BarChart {
        self.x_label = label.into();
        self
    }

    /// Adds a bar from 0 to `value` below the others.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::BarChart;
    /// let seconds = [("matmul", 3.1), ("relu", 0.4)];
    /// let chart = seconds.iter().fold(BarChart::new("where the time goes"), |c, (n, s)| c.bar(*n, *s));
    /// assert!(chart.to_svg()?.contains("matmul"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn bar(self, name: impl Into<String>, value: f64) -> BarChart {
        self.bar_with_error(name, value, 0.0)
    }

    /// Adds a bar with a line from `value - error` to `value + error`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::BarChart;
    /// let chart = BarChart::new("").bar_with_error("tanh", 0.86, 0.01).bar_with_error("relu", 0.88, 0.02);
    /// assert!(chart.to_svg()?.contains("relu"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn bar_with_error(mut self, name: impl Into<String>, value: f64, error: f64) -> BarChart {
        self.bars.push(Bar { name: name.into(), value, error });
        self
    }

    /// The chart as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if there is no bar, or a number is not finite.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::BarChart;
    /// assert!(BarChart::new("").bar("a", 1.0).to_svg()?.starts_with("<svg "));
    /// assert!(BarChart::new("").bar("a", f64::NAN).to_svg().is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Figure::of(self.clone()).to_svg()
    }

    /// Writes the chart as a file, in full or not at all: see [`Figure::save`].
    ///
    /// # Errors
    /// As [`BarChart::to_svg`] and [`Figure::save`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::BarChart;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("importance.svg");
    /// BarChart::new("importance").bar("learning_rate", 0.7).save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        Figure::of(self.clone()).save(path)
    }

    fn check(&self) -> Result {
        let title = named(&self.title);
        if self.bars.is_empty() {
            return Err(Error::new("data", format!("the chart {title} has no bars"))
                .help("add one with `.bar(name, value)`"));
        }
        let can_be_drawn = |number: f64| Scale::Linear.position(number).is_some();
        match self.bars.iter().find(|bar| !can_be_drawn(bar.value) || !can_be_drawn(bar.error)) {
            None => Ok(()),
            Some(Bar { name, value, error }) => Err(Error::new(
                "data",
                format!("the bar `{name}` of the chart {title} cannot be drawn: {value} ± {error}"),
            )
            .help("leave it out, or give finite numbers")),
        }
    }
}

impl Drawn for BarChart {
    fn size(&self) -> (f64, f64) {
        let label = if self.x_label.is_empty() { 0.0 } else { LABEL_SIZE + 8.0 };
        (540.0, 2.0 * MARGIN + 21.0 + 6.0 + PITCH * self.bars.len() as f64 + TICK_SIZE + 8.0 + label)
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result {
        self.check()?;
        let top = title(canvas, area, &self.title) + 6.0;
        let widest = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|text| text_width(&text, LABEL_SIZE, false)).fold(0.0, f64::max)
        };
        // Long names leave the larger part to the bars.
        let names = widest(&mut self.bars.iter().map(|bar| bar.name.clone())).min(0.4 * area.width);
        let numbers = widest(&mut self.bars.iter().map(|bar| number(bar.value)));
        let (left, right) = (area.x + MARGIN + names + 8.0, area.x + area.width - MARGIN - numbers - 8.0);
        let bottom = top + PITCH * self.bars.len() as f64;

        let axis = self.axis();
        let x_at = |x: f64| left + (x - axis.low) / (axis.high - axis.low) * (right - left);
        for (position, label) in &axis.ticks {
            let x = x_at(*position);
            canvas.line(&[(x, top), (x, bottom)], Stroke::new(GRID, 1.0));
            canvas.words(Words::new(label, TICK_SIZE, (x, bottom + 6.0 + TICK_SIZE / 2.0)).centered());
        }
        for (i, bar) in self.bars.iter().enumerate() {
            let middle = top + PITCH * (i as f64 + 0.5);
            let (from, to) = (x_at(bar.value.min(0.0)), x_at(bar.value.max(0.0)));
            let (y, height) = (middle - THICKNESS / 2.0, THICKNESS);
            canvas.rectangle(Rect { x: from, y, width: to - from, height }, of_series(0));
            if bar.error > 0.0 {
                let ends = [(x_at(bar.value - bar.error), middle), (x_at(bar.value + bar.error), middle)];
                canvas.line(&ends, Stroke::new(INK, 1.25));
                for (x, y) in ends {
                    canvas.line(&[(x, y - 4.0), (x, y + 4.0)], Stroke::new(INK, 1.25));
                }
            }
            let name = cut(&bar.name, LABEL_SIZE, names);
            canvas.words(Words::new(&name, LABEL_SIZE, (left - 8.0, middle)).ending());
            canvas.words(Words::new(&number(bar.value), LABEL_SIZE, (right + 8.0, middle)));
        }
        canvas.line(&[(x_at(0.0), top), (x_at(0.0), bottom)], Stroke::new(FRAME, 1.0));
        let below = (f64::midpoint(left, right), bottom + 6.0 + TICK_SIZE + 8.0 + LABEL_SIZE / 2.0);
        let label = cut(&self.x_label, LABEL_SIZE, right - left);
        canvas.words(Words::new(&label, LABEL_SIZE, below).centered());
        Ok(())
    }
}

impl BarChart {
    /// An axis that has 0 and the ends of all bars on it.
    fn axis(&self) -> Axis {
        let ends = |bar: &Bar| {
            let error = bar.error.max(0.0);
            [bar.value - error, bar.value, bar.value + error]
        };
        let low = self.bars.iter().flat_map(ends).fold(0.0, f64::min);
        let high = self.bars.iter().flat_map(ends).fold(0.0, f64::max);
        if is_wide(low, high) {
            Axis::between(low, high, Scale::Linear, false)
        } else {
            Axis::between(0.0, 1.0, Scale::Linear, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_begin_at_zero_and_end_at_their_values() {
        let svg = BarChart::new("").bar("a", 2.0).bar("b", -1.0).bar("c", 0.0).to_svg().unwrap();
        let bars: Vec<(f64, f64)> = svg
            .lines()
            .filter(|line| line.contains("<rect x") && line.contains("#0072b2"))
            .map(|line| {
                let value = |name: &str| -> f64 {
                    line.split(&format!(" {name}=\""))
                        .nth(1)
                        .unwrap()
                        .split('"')
                        .next()
                        .unwrap()
                        .parse()
                        .unwrap()
                };
                (value("x"), value("width"))
            })
            .collect();
        let [(a, wide), (b, narrow), (c, none)] = bars[..] else { panic!("{svg}") };
        assert!((wide - 2.0 * narrow).abs() < 0.02, "{bars:?}");
        assert!((b + narrow - a).abs() < 0.02 && (c - a).abs() < 0.02 && none == 0.0, "{bars:?}");
    }

    #[test]
    fn all_numbers_can_be_drawn_or_are_errors() {
        for value in [0.0, 1e-320, 1e-5, 1e299, -1e299, 1e300, f64::NAN, f64::INFINITY] {
            for error in [0.0, -1.0, 1e299, f64::NAN] {
                match BarChart::new("").bar_with_error("a", value, error).to_svg() {
                    Ok(svg) => assert!(!svg.contains("NaN") && !svg.contains("inf"), "{value} {error}"),
                    Err(e) => assert!(!(value.abs() < 1e300 && error.abs() < 1e300), "{e}"),
                }
            }
        }
    }
}
