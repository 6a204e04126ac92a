//! Many numbers of many things: an axis for each number, a line for each thing.

use crate::Figure;
use crate::axis::{Axis, Scale};
use crate::canvas::{Canvas, Rgb, Stroke, Words};
use crate::colors::{FRAME, GRID, of_rank, of_series};
use crate::frame::TICK_SIZE;
use crate::heading::{LABEL_SIZE, MARGIN, title};
use crate::layout::Rect;
use crate::panel::{Drawn, named};
use crate::text::{cut, text_width};
use carnyx_graph::{Error, Result};
use std::path::Path;

/// Parallel axes, and lines that cross them: what the trials of a search were, and what came of them.
///
/// Each axis has one value for each line. NaN, or an empty text, is a value that is missing: the line has a gap there.
///
/// # Example
/// ```
/// use carnyx_plot::ParallelCoordinates;
/// let svg = ParallelCoordinates::new("trials")
///     .log_axis("learning_rate", &[1e-4, 1e-3, 1e-2])
///     .axis("units", &[32.0, 64.0, 64.0])
///     .choices("optimizer", &["sgd", "adam", "adam"])
///     .colored_by("val_accuracy", &[0.71, 0.88, 0.83])
///     .to_svg()?;
/// assert!(svg.contains("adam"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// # Reference
/// Inselberg, *The plane with parallel coordinates*, 1985.
#[derive(Clone, Debug)]
pub struct ParallelCoordinates {
    title: String,
    columns: Vec<Column>,
    /// Whether the last axis says the colours.
    is_colored: bool,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    scale: Scale,
    values: Vec<f64>,
    /// What the values 0, 1, … stand for; empty for numbers.
    choices: Vec<String>,
}

impl ParallelCoordinates {
    /// A chart without axes; an empty title takes no room.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// let empty = ParallelCoordinates::new("trials");
    /// assert_eq!(empty.to_svg().unwrap_err().code(), "data"); // there is nothing to show yet
    /// ```
    pub fn new(title: impl Into<String>) -> ParallelCoordinates {
        ParallelCoordinates { title: title.into(), columns: Vec::new(), is_colored: false }
    }

    /// Adds an axis of numbers on the right.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// let chart = ParallelCoordinates::new("").axis("units", &[16.0, 32.0]).axis("layers", &[2.0, 1.0]);
    /// assert!(chart.to_svg()?.contains("units"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn axis(self, name: impl Into<String>, values: &[f64]) -> ParallelCoordinates {
        self.add(name.into(), Scale::Linear, values.to_vec(), Vec::new())
    }

    /// Adds a logarithmic axis on the right; what is not positive counts as missing.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// let chart = ParallelCoordinates::new("").log_axis("rate", &[1e-3, 1e-1]).axis("loss", &[0.7, 0.4]);
    /// assert!(chart.to_svg()?.contains("0.01"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn log_axis(self, name: impl Into<String>, values: &[f64]) -> ParallelCoordinates {
        self.add(name.into(), Scale::Log, values.to_vec(), Vec::new())
    }

    /// Adds an axis of words on the right, in the order in which they first come up.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// let chart = ParallelCoordinates::new("")
    ///     .choices("optimizer", &["sgd", "adam", "sgd"])
    ///     .axis("accuracy", &[0.7, 0.9, 0.8]);
    /// assert_eq!(chart.to_svg()?.matches("sgd").count(), 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn choices<S: AsRef<str>>(self, name: impl Into<String>, values: &[S]) -> ParallelCoordinates {
        let mut choices: Vec<String> = Vec::new();
        let mut number = |word: &str| {
            choices.iter().position(|known| known == word).unwrap_or_else(|| {
                choices.push(word.to_owned());
                choices.len() - 1
            })
        };
        let numbers = values.iter().map(AsRef::as_ref).map(|word: &str| match word {
            "" => f64::NAN,
            word => number(word) as f64,
        });
        let numbers = numbers.collect();
        self.add(name.into(), Scale::Linear, numbers, choices)
    }

    /// Adds the last axis, whose values give the lines their colours: from dark for the least to bright for the
    /// greatest.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// let chart = ParallelCoordinates::new("").axis("units", &[16.0, 32.0]).colored_by("loss", &[0.7, 0.4]);
    /// assert!(chart.to_svg()?.contains("#440154")); // the least loss
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn colored_by(self, name: impl Into<String>, values: &[f64]) -> ParallelCoordinates {
        ParallelCoordinates { is_colored: true, ..self.axis(name, values) }
    }

    fn add(
        mut self,
        name: String,
        scale: Scale,
        values: Vec<f64>,
        choices: Vec<String>,
    ) -> ParallelCoordinates {
        // What was said to be last stays last.
        let place = self.columns.len() - usize::from(self.is_colored);
        self.columns.insert(place, Column { name, scale, values, choices });
        self
    }

    /// The chart as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if there are fewer than two axes, they have different numbers of values, or one has none that can be
    /// shown.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// let chart = ParallelCoordinates::new("").axis("a", &[1.0, 2.0]).axis("b", &[0.5, 0.25]);
    /// assert!(chart.to_svg()?.starts_with("<svg "));
    /// assert!(chart.axis("c", &[1.0]).to_svg().is_err()); // of only one line
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Figure::of(self.clone()).to_svg()
    }

    /// Writes the chart as a file, in full or not at all: see [`Figure::save`].
    ///
    /// # Errors
    /// As [`ParallelCoordinates::to_svg`] and [`Figure::save`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::ParallelCoordinates;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("trials.svg");
    /// ParallelCoordinates::new("").axis("a", &[1.0, 2.0]).axis("b", &[0.5, 0.25]).save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        Figure::of(self.clone()).save(path)
    }

    fn check(&self) -> Result {
        let title = named(&self.title);
        let [first, others @ ..] = &self.columns[..] else {
            return Err(Error::new("data", format!("the chart {title} has no axes"))
                .help("add some with `.axis(name, &values)`"));
        };
        if others.is_empty() {
            return Err(Error::new(
                "data",
                format!("the chart {title} has one axis, but lines go from one to another"),
            )
            .help("add more with `.axis(name, &values)`"));
        }
        if let Some(other) = others.iter().find(|other| other.values.len() != first.values.len()) {
            return Err(Error::new(
                "data",
                format!(
                    "the axes of the chart {title} have different numbers of values: {} in `{}`, {} in `{}`",
                    first.values.len(),
                    first.name,
                    other.values.len(),
                    other.name
                ),
            )
            .help("give each axis one value for each line, NaN where there is none"));
        }
        match self.columns.iter().find(|column| column.positions().all(|position| position.is_none())) {
            None => Ok(()),
            Some(Column { name, .. }) => Err(Error::new(
                "data",
                format!("the axis `{name}` of the chart {title} has no value that can be shown"),
            )),
        }
    }
}

impl Column {
    fn positions(&self) -> impl Iterator<Item = Option<f64>> {
        self.values.iter().map(|&value| self.scale.position(value))
    }

    fn axis(&self) -> Axis {
        if self.choices.is_empty() {
            let positions: Vec<f64> = self.positions().flatten().collect();
            return Axis::around(&positions, 0.04, self.scale);
        }
        let last = self.choices.len() as f64 - 1.0;
        let ticks = self.choices.iter().enumerate().map(|(i, word)| (i as f64, word.clone())).collect();
        Axis { low: -0.04 * last.max(1.0), high: last + 0.04 * last.max(1.0), ticks }
    }
}

/// The least distance of two axes.
const PITCH: f64 = 105.0;

impl Drawn for ParallelCoordinates {
    fn size(&self) -> (f64, f64) {
        (540f64.max(2.0 * MARGIN + PITCH * self.columns.len() as f64), 380.0)
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result {
        self.check()?;
        let pitch = (area.width - 2.0 * MARGIN) / self.columns.len() as f64;
        let is_wide = |column: &Column| text_width(&column.name, LABEL_SIZE, false) > pitch - 8.0;
        let rows = if self.columns.iter().any(is_wide) { 2 } else { 1 };
        let top = title(canvas, area, &self.title) + 1.2 * LABEL_SIZE * f64::from(rows) + 6.0;
        let bottom = area.y + area.height - MARGIN;
        let x_at = |column: usize| area.x + MARGIN + pitch * (column as f64 + 0.3);
        let axes: Vec<Axis> = self.columns.iter().map(Column::axis).collect();
        let y_at = |column: usize, position: f64| {
            let axis = &axes[column];
            bottom - (position - axis.low) / (axis.high - axis.low) * (bottom - top)
        };

        let columns: Vec<Vec<Option<f64>>> =
            self.columns.iter().map(|column| column.positions().collect()).collect();
        for column in 0..columns.len() {
            canvas.line(&[(x_at(column), top), (x_at(column), bottom)], Stroke::new(FRAME, 1.0));
        }
        let num_lines = self.columns[0].values.len();
        let opacity = if num_lines > 100 { 0.4 } else { 0.8 };
        for line in 0..num_lines {
            let place = |column: usize| columns[column][line].map(|y| (x_at(column), y_at(column, y)));
            let places: Vec<Option<(f64, f64)>> = (0..columns.len()).map(place).collect();
            let stroke = Stroke { opacity, ..Stroke::new(self.color(line, &axes), 1.5) };
            for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
                canvas.line(&run.iter().copied().flatten().collect::<Vec<_>>(), stroke);
            }
        }
        for (i, axis) in axes.iter().enumerate() {
            for (position, label) in &axis.ticks {
                let at = (x_at(i) + 6.0, y_at(i, *position));
                canvas.line(&[(x_at(i), at.1), (x_at(i) + 4.0, at.1)], Stroke::new(FRAME, 1.0));
                let label = cut(label, TICK_SIZE, 0.95 * pitch);
                canvas.words(Words::new(&label, TICK_SIZE, at).halo());
            }
        }
        self.names(canvas, top, (pitch, rows), &x_at);
        Ok(())
    }
}

impl ParallelCoordinates {
    /// The names of the axes: in one row if they fit, otherwise every other one is higher.
    fn names(&self, canvas: &mut Canvas, top: f64, (pitch, rows): (f64, u32), x_at: &dyn Fn(usize) -> f64) {
        for (i, column) in self.columns.iter().enumerate() {
            let is_high = rows == 2 && i % 2 == 1;
            let is_last = i + 1 == self.columns.len();
            let room = if rows == 2 && !is_last { 1.9 * pitch } else { 0.95 * pitch };
            let name = cut(&column.name, LABEL_SIZE, room);
            let y = top - 4.0 - LABEL_SIZE * (if is_high { 1.9 } else { 0.7 });
            canvas.words(Words::new(&name, LABEL_SIZE, (x_at(i) - 6.0, y)));
        }
    }

    fn color(&self, line: usize, axes: &[Axis]) -> Rgb {
        let (Some(column), Some(axis), true) = (self.columns.last(), axes.last(), self.is_colored) else {
            return of_series(0);
        };
        let positions = || column.positions().flatten();
        let (low, high) = (positions().fold(axis.high, f64::min), positions().fold(axis.low, f64::max));
        match column.scale.position(column.values[line]) {
            None => GRID,
            Some(_) if high <= low => of_rank(0.5),
            // The brightest yellow is hard to see on white.
            Some(position) => of_rank(0.92 * (position - low) / (high - low)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(chart: &ParallelCoordinates) -> String {
        chart.to_svg().unwrap_err().to_string()
    }

    #[test]
    fn lines_have_gaps_where_values_are_missing() {
        let chart = ParallelCoordinates::new("")
            .axis("a", &[1.0, 2.0])
            .choices("b", &["x", ""])
            .log_axis("c", &[1.0, 10.0])
            .colored_by("d", &[0.0, 1.0]);
        let svg = chart.to_svg().unwrap();
        let lines = |color: Rgb| {
            let color = format!("stroke=\"{color}\"");
            svg.lines()
                .filter(|line| line.contains(&color))
                .map(|line| line.matches(',').count())
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(of_rank(0.0)), [4]);
        assert_eq!(lines(of_rank(0.92)), [2], "from c to d; a stands alone");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn what_colours_stays_last() {
        let svg =
            ParallelCoordinates::new("").colored_by("loss", &[1.0]).axis("units", &[2.0]).to_svg().unwrap();
        assert!(svg.find(">units<") < svg.find(">loss<"));
    }

    #[test]
    fn messages() {
        let chart = ParallelCoordinates::new("trials");
        assert_eq!(
            message(&chart),
            "error[data]: the chart `trials` has no axes\n  = help: add some with `.axis(name, &values)`"
        );
        let one = chart.axis("a", &[1.0, 2.0]);
        assert_eq!(
            message(&one),
            "error[data]: the chart `trials` has one axis, but lines go from one to another\n  \
             = help: add more with `.axis(name, &values)`"
        );
        assert_eq!(
            message(&one.clone().axis("b", &[1.0])),
            "error[data]: the axes of the chart `trials` have different numbers of values: 2 in `a`, 1 in `b`\n  \
             = help: give each axis one value for each line, NaN where there is none"
        );
        assert_eq!(
            message(&one.clone().log_axis("b", &[0.0, -1.0])),
            "error[data]: the axis `b` of the chart `trials` has no value that can be shown"
        );
    }
}
