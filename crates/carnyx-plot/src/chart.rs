//! What a chart of lines and points is, before anything is drawn.

use crate::{Figure, axis::Scale};
use carnyx_graph::Result;
use std::ops::RangeInclusive;
use std::path::Path;

/// Lines and points over a common x axis.
///
/// Points that are NaN or infinite are left out, and the line has a gap there; so are points that are not positive on
/// a logarithmic axis. Colours can be told apart by the colour-blind.
///
/// # Example
/// ```
/// use carnyx_plot::LineChart;
/// let svg = LineChart::new("learning curves")
///     .x_label("epoch")
///     .y_label("loss")
///     .series("loss", &[(1.0, 0.9), (2.0, 0.5), (3.0, 0.4)])
///     .dashed("val_loss", &[(1.0, 1.0), (2.0, 0.7), (3.0, 0.65)])
///     .to_svg()?;
/// assert!(svg.starts_with("<svg "));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) x_scale: Scale,
    pub(crate) y_scale: Scale,
    pub(crate) y_range: Option<(f64, f64)>,
    pub(crate) series: Vec<Series>,
    pub(crate) marks: Vec<(f64, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// How far each point may be off, up or down; empty if that is not said.
    pub errors: Vec<f64>,
    pub look: Look,
}

/// How the points of a series are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Look {
    Line,
    Dashed,
    Points,
    /// A faint dashed line, to compare others with.
    Baseline,
}

impl Series {
    /// Where the bars of the errors end.
    pub(crate) fn ends(&self) -> impl Iterator<Item = f64> {
        self.points.iter().zip(&self.errors).flat_map(|(&(_, y), error)| [y - error, y + error])
    }
}

impl LineChart {
    /// A chart without series; an empty title takes no room.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let empty = LineChart::new("learning curves");
    /// assert_eq!(empty.to_svg().unwrap_err().code(), "data"); // there is nothing to show yet
    /// ```
    pub fn new(title: impl Into<String>) -> LineChart {
        LineChart {
            title: title.into(),
            x_label: String::new(),
            y_label: String::new(),
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            y_range: None,
            series: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Puts other words above the chart; an empty title takes no room.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("loss").series("train", &[(1.0, 0.9), (2.0, 0.5)]);
    /// assert!(chart.title("loss of the second fit").to_svg()?.contains("second fit"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn title(mut self, title: impl Into<String>) -> LineChart {
        self.title = title.into();
        self
    }

    /// What the x axis shows.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("").x_label("epoch").series("loss", &[(1.0, 0.9), (2.0, 0.5)]);
    /// assert!(chart.to_svg()?.contains("epoch"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn x_label(mut self, label: impl Into<String>) -> LineChart {
        self.x_label = label.into();
        self
    }

    /// What the y axis shows.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("").y_label("accuracy").series("train", &[(1.0, 0.6), (2.0, 0.8)]);
    /// assert!(chart.to_svg()?.contains("accuracy"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn y_label(mut self, label: impl Into<String>) -> LineChart {
        self.y_label = label.into();
        self
    }

    /// Adds a line through `points`, each `(x, y)`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let parabola: Vec<(f64, f64)> = (-10..=10).map(|x| (f64::from(x), f64::from(x * x))).collect();
    /// let chart = LineChart::new("").series("x²", &parabola);
    /// assert!(chart.to_svg()?.contains("x²"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn series(self, name: impl Into<String>, points: &[(f64, f64)]) -> LineChart {
        self.add(name.into(), points.to_vec(), Look::Line)
    }

    /// Adds a dashed line, as is usual for the validation data.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("")
    ///     .series("loss", &[(1.0, 0.9), (2.0, 0.5)])
    ///     .dashed("val_loss", &[(1.0, 1.0), (2.0, 0.7)]);
    /// assert!(chart.to_svg()?.contains("val_loss"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn dashed(self, name: impl Into<String>, points: &[(f64, f64)]) -> LineChart {
        self.add(name.into(), points.to_vec(), Look::Dashed)
    }

    /// Adds points without a line between them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let trials = [(0.001, 0.81), (0.003, 0.86), (0.01, 0.84)];
    /// let chart = LineChart::new("accuracy").log_x().scatter("trials", &trials);
    /// assert_eq!(chart.to_svg()?.matches("<circle").count(), 4); // one of them in the legend
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn scatter(self, name: impl Into<String>, points: &[(f64, f64)]) -> LineChart {
        self.add(name.into(), points.to_vec(), Look::Points)
    }

    /// Adds points, each `(x, y, error)`, with bars from `y - error` to `y + error`. An error that is not positive has
    /// no bar.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let seconds = [(32.0, 4.1, 0.2), (64.0, 2.6, 0.1), (128.0, 2.0, 0.1)];
    /// LineChart::new("").x_label("batch size").scatter_with_errors("seconds", &seconds).log_x().to_svg()?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn scatter_with_errors(mut self, name: impl Into<String>, points: &[(f64, f64, f64)]) -> LineChart {
        let errors = points.iter().map(|&(_, _, error)| error).collect();
        let points = points.iter().map(|&(x, y, _)| (x, y)).collect();
        self.series.push(Series { name: name.into(), points, errors, look: Look::Points });
        self
    }

    /// Adds a faint dashed line that others are compared with: what chance would give, what was known before.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("accuracy")
    ///     .series("model", &[(1.0, 0.6), (2.0, 0.8)])
    ///     .baseline("chance", &[(1.0, 0.1), (2.0, 0.1)]);
    /// assert!(chart.to_svg()?.contains("chance"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn baseline(self, name: impl Into<String>, points: &[(f64, f64)]) -> LineChart {
        self.add(name.into(), points.to_vec(), Look::Baseline)
    }

    fn add(mut self, name: String, points: Vec<(f64, f64)>, look: Look) -> LineChart {
        self.series.push(Series { name, points, errors: Vec::new(), look });
        self
    }

    /// Marks the place `x` with a vertical line and a few words.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let sweep = [(1e-4, 2.3), (1e-3, 1.9), (1e-2, 0.7), (1e-1, 3.0)];
    /// LineChart::new("learning rate").series("loss", &sweep).log_x().mark(5e-3, "suggestion").to_svg()?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn mark(mut self, x: f64, label: impl Into<String>) -> LineChart {
        self.marks.push((x, label.into()));
        self
    }

    /// Makes the x axis logarithmic.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("").series("loss", &[(1e-4, 2.3), (1e-1, 0.7)]).log_x();
    /// assert!(chart.to_svg().is_ok());
    /// ```
    pub fn log_x(mut self) -> LineChart {
        self.x_scale = Scale::Log;
        self
    }

    /// Makes the y axis logarithmic.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let chart = LineChart::new("").series("loss", &[(1.0, 0.0), (2.0, -1.0)]).log_y();
    /// assert!(chart.to_svg().is_err()); // no point is positive
    /// ```
    pub fn log_y(mut self) -> LineChart {
        self.y_scale = Scale::Log;
        self
    }

    /// Shows only this part of the y axis; lines are cut off at its ends.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// LineChart::new("").series("loss", &[(1.0, 0.4), (2.0, 1e6)]).y_range(0.0..=1.0).to_svg()?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn y_range(mut self, range: RangeInclusive<f64>) -> LineChart {
        self.y_range = Some(range.into_inner());
        self
    }

    /// The chart as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if there is no series, or one has no point that can be shown.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// let svg = LineChart::new("loss").series("train", &[(1.0, 0.9), (2.0, 0.5)]).to_svg()?;
    /// assert!(svg.starts_with("<svg "));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Figure::new().panel(self.clone()).to_svg()
    }

    /// Writes the chart as a file, in full or not at all: see [`Figure::save`].
    ///
    /// # Errors
    /// As [`LineChart::to_svg`] and [`Figure::save`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::LineChart;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("loss.svg");
    /// LineChart::new("loss").series("loss", &[(1.0, 0.9), (2.0, 0.5)]).save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        Figure::new().panel(self.clone()).save(path)
    }
}
