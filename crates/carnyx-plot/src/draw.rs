//! Draws one chart into its part of a figure.
//!
//! From top to bottom: title, names of the series, plot. Invariant: all lengths are in points of the finished
//! picture times `FINE`, because plotters rounds coordinates to whole numbers.

use crate::axis::{Axis, Scale, is_wide};
use crate::chart::{LineChart, Series};
use carnyx_graph::{Error, Result};
use plotters::coord::Shift;
use plotters::element::{DashedPathElement, Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Into how many parts a point is divided.
pub(crate) const FINE: i32 = 8;

/// The palette of Okabe and Ito ("Color universal design", 2008) without yellow, which is too pale on white.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
const INK: RGBColor = RGBColor(38, 38, 38);
const FAINT: RGBColor = RGBColor(110, 110, 110);
const FRAME: RGBColor = RGBColor(150, 150, 150);
const GRID: RGBColor = RGBColor(230, 230, 230);

const MARGIN: i32 = 14 * FINE;
const TITLE_SIZE: i32 = 15 * FINE;
const LABEL_SIZE: i32 = 12 * FINE;
const TICK_SIZE: i32 = 11 * FINE;
/// The height of a line of names.
const LEGEND_LINE: i32 = 20 * FINE;
/// The length of the piece of line beside a name.
const SAMPLE: i32 = 26 * FINE;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(crate) fn draw(chart: &LineChart, area: &Area) -> Result {
    let shown = Shown::of(chart)?;
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let mut top = MARGIN;
    if !chart.title.is_empty() {
        let style = font(TITLE_SIZE, INK);
        let style = TextStyle { font: style.font.style(FontStyle::Bold), ..style };
        text(area, &chart.title, (MARGIN, top), &style)?;
        top += TITLE_SIZE + 6 * FINE;
    }
    top = legend(&chart.series, area, top, width)?;
    let frame = Frame {
        left: MARGIN + tick_width(&shown.y.ticks) + 8 * FINE + room(&chart.y_label),
        right: width - MARGIN - 6 * FINE,
        top: top + 6 * FINE,
        bottom: height - MARGIN - TICK_SIZE - 8 * FINE - room(&chart.x_label),
    };
    axes(chart, &shown, &frame, area, height)?;
    marks(chart, &shown, &frame, area)?;
    lines(chart, &shown, &frame, area)
}

/// The height of an axis label and the space beside it; nothing, if there is none.
fn room(label: &str) -> i32 {
    if label.is_empty() { 0 } else { LABEL_SIZE + 8 * FINE }
}

/// What is visible of a chart: runs of points without a gap, as positions on the axes.
struct Shown {
    runs: Vec<Vec<Vec<(f64, f64)>>>,
    x: Axis,
    y: Axis,
}

impl Shown {
    fn of(chart: &LineChart) -> Result<Shown> {
        let title = if chart.title.is_empty() { "without a title" } else { &format!("`{}`", chart.title) };
        if chart.series.is_empty() {
            return Err(Error::new("data", format!("the chart {title} has no series"))
                .help("add one with `.series(name, &points)`"));
        }
        let mut runs = Vec::new();
        for series in &chart.series {
            let position =
                |&(x, y): &(f64, f64)| Some((chart.x_scale.position(x)?, chart.y_scale.position(y)?));
            let points: Vec<Option<(f64, f64)>> = series.points.iter().map(position).collect();
            if points.iter().flatten().next().is_none() {
                return Err(nothing_to_show(chart, series, title));
            }
            runs.push(
                points.split(Option::is_none).map(|run| run.iter().copied().flatten().collect()).collect(),
            );
        }
        let points = || runs.iter().flatten().flatten();
        let (xs, ys): (Vec<f64>, Vec<f64>) = points().copied().unzip();
        let marks = chart.marks.iter().filter_map(|&(x, _)| chart.x_scale.position(x));
        let x = Axis::around(&xs.into_iter().chain(marks).collect::<Vec<_>>(), 0.02, chart.x_scale);
        let y = match chart.y_range {
            None => Axis::around(&ys, 0.06, chart.y_scale),
            Some((low, high)) => match (chart.y_scale.position(low), chart.y_scale.position(high)) {
                (Some(from), Some(to)) if is_wide(from, to) => Axis::between(from, to, chart.y_scale, false),
                _ => {
                    return Err(Error::new(
                        "data",
                        format!("the chart {title} cannot show y from {low} to {high}"),
                    )
                    .help("give a finite range that grows, above 0 if the axis is logarithmic"));
                }
            },
        };
        Ok(Shown { runs, x, y })
    }
}

fn nothing_to_show(chart: &LineChart, series: &Series, title: &str) -> Error {
    let name = &series.name;
    if series.points.is_empty() {
        return Error::new("data", format!("the series `{name}` of the chart {title} has no points"));
    }
    let error = Error::new(
        "data",
        format!("the series `{name}` of the chart {title} has no point that can be shown"),
    )
    .label(format!("all {} are NaN, infinite or too large", series.points.len()));
    match (chart.x_scale, chart.y_scale) {
        (Scale::Linear, Scale::Linear) => error,
        _ => error.label(format!("all {} are NaN, infinite or not positive", series.points.len())),
    }
}

/// The rectangle of the plot itself.
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Frame {
    fn x(&self, position: f64, axis: &Axis) -> i32 {
        self.left
            + ((position - axis.low) / (axis.high - axis.low) * f64::from(self.right - self.left)).round()
                as i32
    }

    fn y(&self, position: f64, axis: &Axis) -> i32 {
        self.bottom
            - ((position - axis.low) / (axis.high - axis.low) * f64::from(self.bottom - self.top)).round()
                as i32
    }
}

/// The names of the series beside pieces of their lines, in as many rows as they need; where the next thing begins.
fn legend(series: &[Series], area: &Area, top: i32, width: i32) -> Result<i32> {
    let (mut x, mut y) = (MARGIN, top);
    for (i, series) in series.iter().enumerate() {
        let entry = SAMPLE + 6 * FINE + text_width(&series.name, LABEL_SIZE) + 18 * FINE;
        if x > MARGIN && x + entry > width - MARGIN {
            (x, y) = (MARGIN, y + LEGEND_LINE);
        }
        let middle = y + LEGEND_LINE / 2;
        line(area, vec![(x, middle), (x + SAMPLE, middle)], i, series.is_dashed)?;
        let style = font(LABEL_SIZE, INK).pos(Pos::new(HPos::Left, VPos::Center));
        text(area, &series.name, (x + SAMPLE + 6 * FINE, middle), &style)?;
        x += entry;
    }
    Ok(y + LEGEND_LINE)
}

fn axes(chart: &LineChart, shown: &Shown, frame: &Frame, area: &Area, height: i32) -> Result {
    let grid = GRID.stroke_width(FINE as u32);
    let below = font(TICK_SIZE, INK).pos(Pos::new(HPos::Center, VPos::Top));
    for (position, label) in &shown.x.ticks {
        let x = frame.x(*position, &shown.x);
        put(area, PathElement::new(vec![(x, frame.top), (x, frame.bottom)], grid))?;
        text(area, label, (x, frame.bottom + 6 * FINE), &below)?;
    }
    let beside = font(TICK_SIZE, INK).pos(Pos::new(HPos::Right, VPos::Center));
    for (position, label) in &shown.y.ticks {
        let y = frame.y(*position, &shown.y);
        put(area, PathElement::new(vec![(frame.left, y), (frame.right, y)], grid))?;
        text(area, label, (frame.left - 7 * FINE, y), &beside)?;
    }
    let corners = vec![(frame.left, frame.top), (frame.left, frame.bottom), (frame.right, frame.bottom)];
    put(area, PathElement::new(corners, FRAME.stroke_width(FINE as u32)))?;
    if !chart.x_label.is_empty() {
        let style = font(LABEL_SIZE, INK).pos(Pos::new(HPos::Center, VPos::Bottom));
        text(area, &chart.x_label, (i32::midpoint(frame.left, frame.right), height - MARGIN), &style)?;
    }
    if !chart.y_label.is_empty() {
        let style =
            font(LABEL_SIZE, INK).pos(Pos::new(HPos::Center, VPos::Top)).transform(FontTransform::Rotate270);
        text(area, &chart.y_label, (MARGIN, i32::midpoint(frame.top, frame.bottom)), &style)?;
    }
    Ok(())
}

fn marks(chart: &LineChart, shown: &Shown, frame: &Frame, area: &Area) -> Result {
    for (i, (x, label)) in chart.marks.iter().enumerate() {
        let Some(position) = chart.x_scale.position(*x) else {
            continue;
        };
        let x = frame.x(position, &shown.x);
        let style = FAINT.stroke_width((FINE * 5 / 4) as u32);
        put(area, PathElement::new(vec![(x, frame.top), (x, frame.bottom)], style))?;
        // The words stand on the side that has more room, each below those of the mark before.
        let (side, offset) =
            if x > i32::midpoint(frame.left, frame.right) { (HPos::Right, -5) } else { (HPos::Left, 5) };
        let style = font(TICK_SIZE, FAINT).pos(Pos::new(side, VPos::Top));
        let top = frame.top + 2 * FINE + i as i32 * (TICK_SIZE + 2 * FINE);
        text(area, label, (x + offset * FINE, top), &style)?;
    }
    Ok(())
}

fn lines(chart: &LineChart, shown: &Shown, frame: &Frame, area: &Area) -> Result {
    for (i, (series, runs)) in chart.series.iter().zip(&shown.runs).enumerate() {
        for run in runs.iter().flat_map(|run| visible(run, &shown.y)) {
            let pixels: Vec<(i32, i32)> =
                run.iter().map(|&(x, y)| (frame.x(x, &shown.x), frame.y(y, &shown.y))).collect();
            if let [alone] = pixels[..] {
                put(area, Circle::new(alone, 3 * FINE, COLORS[i % COLORS.len()].filled()))?;
            } else {
                line(area, pixels, i, series.is_dashed)?;
            }
        }
    }
    Ok(())
}

/// The pieces of a run that lie between the ends of the y axis.
fn visible(run: &[(f64, f64)], axis: &Axis) -> Vec<Vec<(f64, f64)>> {
    let is_inside = |y: f64| (axis.low..=axis.high).contains(&y);
    if let [alone] = run {
        return if is_inside(alone.1) { vec![vec![*alone]] } else { Vec::new() };
    }
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in run.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        // From where to where on the segment, 0 to 1, y is within the axis.
        let at = |y: f64| ((y - y0) / (y1 - y0)).clamp(0.0, 1.0);
        let (from, to) = match y1 - y0 {
            0.0 if is_inside(y0) => (0.0, 1.0),
            0.0 => continue,
            rise if rise > 0.0 => (at(axis.low), at(axis.high)),
            _ => (at(axis.high), at(axis.low)),
        };
        if from >= to {
            continue;
        }
        let point = |t: f64| match t {
            0.0 => (x0, y0),
            1.0 => (x1, y1),
            t => (x0 + t * (x1 - x0), y0 + t * (y1 - y0)),
        };
        match pieces.last_mut() {
            Some(piece) if from == 0.0 && piece.last() == Some(&(x0, y0)) => piece.push(point(to)),
            _ => pieces.push(vec![point(from), point(to)]),
        }
    }
    pieces
}

/// A line in the look of the series number `i`.
fn line(area: &Area, points: Vec<(i32, i32)>, i: usize, is_dashed: bool) -> Result {
    let style = COLORS[i % COLORS.len()].stroke_width(2 * FINE as u32);
    if is_dashed {
        put(area, DashedPathElement::new(points, 7 * FINE, 4 * FINE, style))
    } else {
        put(area, PathElement::new(points, style))
    }
}

/// Letters of `size`, which plotters takes for the height of a line, 1.24 times the size of its letters.
fn font(size: i32, color: RGBColor) -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", f64::from(size) * 1.24).into_font());
    TextStyle { color: color.to_backend_color(), ..style }
}

fn text(area: &Area, words: &str, at: (i32, i32), style: &TextStyle<'static>) -> Result {
    put(area, Text::new(words.to_owned(), at, style.clone()))
}

/// No fonts are read, so the width of a text is an estimate: the average letter of common fonts.
fn text_width(words: &str, size: i32) -> i32 {
    words.chars().count() as i32 * size * 58 / 100
}

fn tick_width(ticks: &[(f64, String)]) -> i32 {
    ticks.iter().map(|(_, label)| text_width(label, TICK_SIZE)).max().unwrap_or(0)
}

fn put<'a, E>(area: &Area<'a>, element: E) -> Result
where
    for<'b> &'b E: PointCollection<'b, (i32, i32)>,
    E: Drawable<SVGBackend<'a>>,
{
    area.draw(&element).map_err(|e| Error::new("data", "the chart cannot be drawn").because(e))
}
