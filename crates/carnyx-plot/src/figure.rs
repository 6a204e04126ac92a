//! Charts side by side in one picture.

use crate::canvas::Canvas;
use crate::layout::Rect;
use crate::panel::Panel;
use crate::{file, png};
use carnyx_graph::{Error, Result};
use std::path::Path;

/// Charts in one picture, two beside each other unless `columns` says otherwise.
///
/// # Example
/// ```
/// use carnyx_plot::{Figure, LineChart};
/// let loss = LineChart::new("loss").x_label("epoch").series("loss", &[(1.0, 0.9), (2.0, 0.5)]);
/// let accuracy = LineChart::new("accuracy").x_label("epoch").series("accuracy", &[(1.0, 0.6), (2.0, 0.8)]);
/// let svg = Figure::new().panel(loss).panel(accuracy).to_svg()?;
/// assert!(svg.contains("accuracy"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    panels: Vec<Panel>,
    columns: usize,
}

impl Figure {
    /// A figure without panels.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::Figure;
    /// assert_eq!(Figure::new().to_svg().unwrap_err().title(), "the figure has no panels");
    /// ```
    pub fn new() -> Figure {
        Figure { panels: Vec::new(), columns: 2 }
    }

    /// A figure of one chart.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Figure, LineChart};
    /// let chart = LineChart::new("loss").series("train", &[(1.0, 0.9), (2.0, 0.5)]);
    /// assert_eq!(Figure::of(chart.clone()).to_svg()?, chart.to_svg()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn of(chart: impl Into<Panel>) -> Figure {
        Figure::new().panel(chart)
    }

    /// Adds a chart: on the right of the last one, or at the start of the next row.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Figure, LineChart};
    /// let panel = |title| LineChart::new(title).series("train", &[(1.0, 0.9), (2.0, 0.5)]);
    /// let svg = Figure::new().panel(panel("loss")).panel(panel("accuracy")).to_svg()?;
    /// assert!(svg.contains("loss") && svg.contains("accuracy"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn panel(mut self, chart: impl Into<Panel>) -> Figure {
        self.panels.push(chart.into());
        self
    }

    /// How many charts stand beside each other; 1 puts them one below the other.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Figure, LineChart};
    /// let chart = LineChart::new("loss").series("train", &[(1.0, 0.9), (2.0, 0.5)]);
    /// let figure = Figure::new().panel(chart.clone()).panel(chart);
    /// assert_ne!(figure.clone().columns(1).to_svg()?, figure.to_svg()?); // taller, not wider
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn columns(mut self, columns: usize) -> Figure {
        self.columns = columns.max(1);
        self
    }

    /// The figure as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if there is no panel, or one has nothing that can be shown.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Figure, LineChart};
    /// let chart = LineChart::new("loss").series("train", &[(1.0, 0.9), (2.0, 0.5)]);
    /// assert!(Figure::new().panel(chart).to_svg()?.starts_with("<svg "));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        if self.panels.is_empty() {
            return Err(Error::new("data", "the figure has no panels").help("add one with `.panel(chart)`"));
        }
        let (widths, heights) = self.sizes();
        let mut canvas = Canvas::new(widths.iter().sum(), heights.iter().sum());
        for (i, panel) in self.panels.iter().enumerate() {
            let (row, column) = (i / widths.len(), i % widths.len());
            let (x, y) = (widths[..column].iter().sum(), heights[..row].iter().sum());
            panel.0.draw(&mut canvas, Rect { x, y, width: widths[column], height: heights[row] })?;
        }
        Ok(canvas.finish())
    }

    /// The widths of the columns and the heights of the rows: those of their largest panels.
    fn sizes(&self) -> (Vec<f64>, Vec<f64>) {
        let columns = self.columns.min(self.panels.len());
        let mut widths = vec![0f64; columns];
        let mut heights = vec![0f64; self.panels.len().div_ceil(columns)];
        for (i, panel) in self.panels.iter().enumerate() {
            let (width, height) = panel.0.size();
            widths[i % columns] = widths[i % columns].max(width);
            heights[i / columns] = heights[i / columns].max(height);
        }
        (widths, heights)
    }

    /// The figure as the bytes of a PNG file, with two pixels for each point: for programs that do not show SVG.
    ///
    /// The same figure gives the same bytes on every machine. Letters other than Latin, Greek and Cyrillic ones are
    /// shown as empty boxes.
    ///
    /// # Errors
    /// As [`Figure::to_svg`]; `feature`, without the feature `png`; `data`, if it would have more than 20 000 pixels in
    /// a row or column.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Figure, LineChart};
    /// let chart = LineChart::new("loss").series("loss", &[(1.0, 0.9), (2.0, 0.5)]);
    /// match Figure::of(chart).to_png() {
    ///     Ok(bytes) => assert!(bytes.starts_with(b"\x89PNG")),
    ///     Err(error) => assert_eq!(error.code(), "feature"), // which is off by default
    /// }
    /// ```
    pub fn to_png(&self) -> Result<Vec<u8>> {
        png::drawn(&self.to_svg()?)
    }

    /// Writes the figure as a file, in full or not at all: SVG or PNG, as its name says.
    ///
    /// # Errors
    /// As [`Figure::to_svg`] and, for a name that ends in `.png`, [`Figure::to_png`]; `file`, if the name ends in anything
    /// else, or the file cannot be written.
    ///
    /// # Example
    /// ```
    /// # use carnyx_plot::{Figure, LineChart};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("learning_curves.svg");
    /// Figure::new().panel(LineChart::new("loss").series("loss", &[(1.0, 0.9), (2.0, 0.5)])).save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        file::save(path.as_ref(), || self.to_svg())
    }
}

impl Default for Figure {
    fn default() -> Figure {
        Figure::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BarChart, LineChart};
    use std::fs;

    fn learning_curves() -> Figure {
        let curve = |rate: f64| -> Vec<(f64, f64)> {
            (1..=20).map(|epoch| (f64::from(epoch), (-f64::from(epoch) * rate).exp())).collect()
        };
        let loss = LineChart::new("loss <&>").x_label("epoch").series("loss", &curve(0.2));
        let accuracy = LineChart::new("accuracy").x_label("epoch").series("accuracy", &curve(-0.01));
        Figure::new().panel(loss.dashed("val_loss", &curve(0.1))).panel(accuracy)
    }

    fn error(chart: LineChart) -> String {
        chart.to_svg().unwrap_err().to_string()
    }

    /// The numbers of the `points` of all lines of a colour.
    fn points(svg: &str, color: &str) -> Vec<Vec<f64>> {
        let lines = svg.lines().filter(|line| line.contains("<polyline") && line.contains(color));
        let numbers = |text: &str| text.split([',', ' ']).filter_map(|n| n.parse().ok()).collect();
        lines.map(|line| numbers(line.split("points=\"").nth(1).unwrap().trim_end_matches("\"/>"))).collect()
    }

    #[test]
    fn a_figure_has_all_its_parts_and_is_always_the_same() {
        let svg = learning_curves().to_svg().unwrap();
        assert!(svg.starts_with("<svg width=\"1080\" height=\"380\" viewBox=\"0 0 1080 380\""), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"));
        for text in ["loss &lt;&amp;&gt;", "accuracy", "val_loss", "epoch", "5", "10", "20", "0.4"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        // The solid lines: a sample in the legend and the curve, in both panels.
        let solid = points(&svg, "#0072b2");
        assert_eq!(solid.iter().map(|line| line.len() / 2).collect::<Vec<_>>(), [2, 20, 2, 20]);
        assert_eq!(svg.matches("stroke-dasharray").count(), 2);
        for line in points(&svg, "#") {
            assert!(line.chunks(2).all(|p| (0.0..=1080.0).contains(&p[0]) && (0.0..=380.0).contains(&p[1])));
        }
        assert_eq!(svg, learning_curves().to_svg().unwrap());
        let below = learning_curves().columns(1).to_svg().unwrap();
        assert!(below.starts_with("<svg width=\"540\" height=\"760\""));
    }

    #[test]
    fn columns_and_rows_are_as_large_as_their_largest_charts() {
        let line = || LineChart::new("loss").series("loss", &[(1.0, 0.9), (2.0, 0.5)]);
        let bars = || (0..20).fold(BarChart::new(""), |chart, i| chart.bar(i.to_string(), f64::from(i)));
        let svg = Figure::new().panel(bars()).panel(line()).panel(line()).to_svg().unwrap();
        let tall = Figure::of(bars()).sizes().1[0];
        assert!(tall > 500.0);
        assert!(svg.starts_with(&format!("<svg width=\"1080\" height=\"{}\"", tall + 380.0)), "{svg}");
    }

    #[test]
    fn points_and_their_errors() {
        let chart = LineChart::new("").scatter_with_errors("a", &[(1.0, 1.0, 0.5), (2.0, 2.0, 0.0)]);
        let svg = chart.to_svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 3, "one is in the legend");
        let bars = points(&svg, "#0072b2");
        assert_eq!(bars.len(), 3, "a bar and its two ends: the second point has no error");
        let centers = |name: &str| -> Vec<f64> {
            svg.split(&format!(" {name}=\""))
                .skip(2)
                .map(|s| s.split('"').next().unwrap().parse().unwrap())
                .collect()
        };
        let (x, y) = (centers("cx"), centers("cy"));
        assert!(
            (bars[0][0] - x[0]).abs() < 0.02 && (f64::midpoint(bars[0][1], bars[0][3]) - y[0]).abs() < 0.02
        );
        // On a logarithmic axis, a bar that reaches 0 goes down to the end of the axis.
        let log = chart.scatter_with_errors("b", &[(1.5, 1.0, 1.0)]).log_y().to_svg().unwrap();
        let (frame, bar) = (points(&log, "#969696").remove(0), points(&log, "#d55e00").remove(0));
        assert_eq!(bar[1], frame[3]);
    }

    #[test]
    fn long_lines_lose_only_what_cannot_be_seen() {
        let wave: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), f64::from(i % 100))).collect();
        let svg = LineChart::new("").series("a", &wave).to_svg().unwrap();
        let line = points(&svg, "#0072b2").remove(1);
        assert!(line.len() / 2 < 5000, "{}", line.len());
        let range = |points: &[f64]| {
            let ys = || points.iter().skip(1).step_by(2).copied();
            (ys().fold(f64::INFINITY, f64::min), ys().fold(0.0, f64::max))
        };
        // Every hundred points, thus far more often than every half point of width, the line goes all the way.
        let whole = LineChart::new("").series("a", &wave[..100]).to_svg().unwrap();
        assert_eq!(range(&line), range(&points(&whole, "#0072b2").remove(1)));
    }

    #[test]
    fn marks_make_way_for_each_other() {
        let chart = LineChart::new("").log_x().series("a", &[(1e-5, 1.0), (1.0, 2.0)]);
        let svg = chart.mark(1e-3, "the first").mark(1.2e-3, "the second").mark(0.5, "far").to_svg().unwrap();
        let height = |label: &str| -> f64 {
            let line = svg.lines().find(|line| line.contains(label)).unwrap();
            line.split(" y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        assert!(height("the second") > height("the first") + 10.0);
        assert_eq!(height("far"), height("the first"));
    }

    #[test]
    fn what_cannot_be_shown_is_a_gap() {
        let wild = [
            (1.0, 1.0),
            (2.0, 2.0),
            (3.0, f64::NAN),
            (4.0, 1.0),
            (f64::INFINITY, 3.0),
            (6.0, 1.0),
            (7.0, 2.0),
        ];
        let svg = LineChart::new("").series("a", &wild).to_svg().unwrap();
        // The legend, 1 to 2, 6 to 7; the lonely 4 is a dot.
        assert_eq!(points(&svg, "#0072b2").iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4]);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let svg =
            LineChart::new("").log_y().series("a", &[(1.0, 1.0), (2.0, 0.0), (3.0, 2.0)]).to_svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
    }

    #[test]
    fn a_range_cuts_lines_off() {
        let zigzag = [(1.0, 0.5), (2.0, 1e9), (3.0, 0.5), (4.0, -1e6), (5.0, 7.0), (6.0, 0.5)];
        let svg = LineChart::new("").series("a", &zigzag).y_range(0.0..=1.0).to_svg().unwrap();
        let lines = points(&svg, "#0072b2");
        assert_eq!(lines.iter().map(|line| line.len() / 2).collect::<Vec<_>>(), [2, 2, 3, 2, 2]);
        let frame = points(&svg, "#969696").remove(0);
        assert!(lines[1..].iter().flatten().skip(1).step_by(2).all(|y| (frame[1]..=frame[3]).contains(y)));
    }

    #[test]
    fn messages() {
        assert_eq!(
            Figure::new().to_svg().unwrap_err().to_string(),
            "error[data]: the figure has no panels\n  = help: add one with `.panel(chart)`"
        );
        assert_eq!(
            error(LineChart::new("loss")),
            "error[data]: the chart `loss` has no series\n  = help: add one with `.series(name, &points)`"
        );
        assert_eq!(
            error(LineChart::new("").series("a", &[])),
            "error[data]: the series `a` of the chart without a title has no points"
        );
        let nan = [(1.0, f64::NAN), (2.0, f64::INFINITY)];
        assert_eq!(
            error(LineChart::new("loss").series("ok", &[(1.0, 1.0)]).series("a", &nan)),
            "error[data]: the series `a` of the chart `loss` has no point that can be shown\n  \
             = all 2 are NaN, infinite or too large"
        );
        assert_eq!(
            error(LineChart::new("loss").series("a", &[(0.0, 1.0)]).log_x()),
            "error[data]: the series `a` of the chart `loss` has no point that can be shown\n  \
             = all 1 are NaN, infinite or not positive"
        );
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::NAN)] {
            assert_eq!(
                error(LineChart::new("loss").series("a", &[(1.0, 1.0)]).y_range(low..=high)),
                format!(
                    "error[data]: the chart `loss` cannot show y from {low} to {high}\n  \
                     = help: give a finite range that grows, above 0 if the axis is logarithmic"
                )
            );
        }
        let nowhere = LineChart::new("").series("a", &[(1.0, 1.0)]).save("no/such/folder/a.svg").unwrap_err();
        assert_eq!((nowhere.code(), nowhere.title()), ("file", "cannot write `no/such/folder/a.svg`"));
    }

    #[test]
    fn numbers_of_every_size_are_drawn() {
        let extremes =
            [0.0, -0.0, 1e-320, 1e-300, 1e-20, 0.1, 1.0, 1.0 + 1e-15, 1e15, 9e299, -9e299, 1e308, f64::MIN];
        for &a in &extremes {
            for &b in &extremes {
                let chart = LineChart::new("").series("a", &[(a, b), (b, a), (0.5, 0.5)]).mark(a, "here");
                chart.to_svg().unwrap();
                let cut = chart.clone().y_range(a..=b).to_svg();
                assert!(cut.is_ok() || cut.is_err_and(|e| e.title().contains("cannot show y")));
                chart.log_x().log_y().to_svg().unwrap();
            }
        }
    }

    #[test]
    fn the_name_of_a_file_says_its_format() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str| learning_curves().save(folder.path().join(name));
        save("a.SVG").unwrap();
        for name in ["a.pdf", "a", "svg", ".svg"] {
            let error = save(name).unwrap_err();
            assert_eq!((error.code(), error.advice()), ("file", Some("pictures are `.svg` or `.png`")));
        }
        let written = save("a.png");
        assert_eq!(written.is_ok(), cfg!(feature = "png"));
        match written {
            Ok(()) => {
                let bytes = fs::read(folder.path().join("a.png")).unwrap();
                assert_eq!(bytes, learning_curves().to_png().unwrap());
            }
            Err(error) => assert!(error.to_string().contains("a.png`"), "{error}"),
        }
        // What cannot be drawn is said before the format.
        assert_eq!(Figure::new().save("a.png").unwrap_err().code(), "data");
    }

    #[test]
    fn a_save_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curves.svg");
        learning_curves().save(&path).unwrap();
        learning_curves().save(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), learning_curves().to_svg().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
