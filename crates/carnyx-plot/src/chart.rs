//! What a line chart is, before anything is drawn.

use crate::{Figure, axis::Scale};
use carnyx_graph::Result;
use std::ops::RangeInclusive;
use std::path::Path;

/// Lines over a common x axis.
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
    pub is_dashed: bool,
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
        self.add(Series { name: name.into(), points: points.to_vec(), is_dashed: false })
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
        self.add(Series { name: name.into(), points: points.to_vec(), is_dashed: true })
    }

    fn add(mut self, series: Series) -> LineChart {
        self.series.push(series);
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

    /// Writes the chart as an SVG file, in full or not at all.
    ///
    /// # Errors
    /// As [`LineChart::to_svg`]; `file`, if the file cannot be written.
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
