//! Draws a line chart.
//!
//! From top to bottom: title, names of the series, plot. Invariant: nothing is drawn outside of the plot's rectangle
//! but ticks and labels.

use crate::axis::{Axis, Scale, is_wide};
use crate::canvas::{Canvas, Stroke, Words};
use crate::chart::{LineChart, Look, Series};
use crate::colors::{FAINT, FRAME, WHITE, of_series};
use crate::frame::{Frame, TICK_SIZE};
use crate::heading::{Sample, legend, title};
use crate::layout::Rect;
use crate::panel::{Drawn, named};
use crate::text::text_width;
use carnyx_graph::{Error, Result};

impl Drawn for LineChart {
    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result {
        let shown = Shown::of(self)?;
        let labels = [self.x_label.as_str(), &self.y_label];
        let top = title(canvas, area, &self.title);
        let sample = |(i, series): (usize, &Series)| match series.look {
            Look::Points => Sample::Dot(of_series(i)),
            look => Sample::Line(stroke(i, look)),
        };
        let samples = self.series.iter().enumerate().map(sample);
        let entries: Vec<(&str, Sample)> =
            self.series.iter().map(|series| series.name.as_str()).zip(samples).collect();
        let top = legend(canvas, area, top, &entries);
        let frame = Frame::within(area, top, (shown.x, shown.y), labels);
        frame.grid(canvas);
        frame.axes(canvas, area, labels);
        marks(canvas, self, &frame);
        for (i, (series, runs)) in self.series.iter().zip(&shown.runs).enumerate() {
            if series.look == Look::Points {
                errors(canvas, self, series, i, &frame);
                points(canvas, runs, i, &frame);
            } else {
                lines(canvas, runs, (i, series.look), &frame);
            }
        }
        Ok(())
    }
}

/// What is visible of a chart: runs of points without a gap, as positions on the axes.
struct Shown {
    runs: Vec<Vec<Vec<(f64, f64)>>>,
    x: Axis,
    y: Axis,
}

impl Shown {
    fn of(chart: &LineChart) -> Result<Shown> {
        let title = named(&chart.title);
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
                return Err(nothing_to_show(chart, series, &title));
            }
            runs.push(
                points.split(Option::is_none).map(|run| run.iter().copied().flatten().collect()).collect(),
            );
        }
        let points = || runs.iter().flatten().flatten();
        let (xs, mut ys): (Vec<f64>, Vec<f64>) = points().copied().unzip();
        ys.extend(chart.series.iter().flat_map(Series::ends).filter_map(|y| chart.y_scale.position(y)));
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

/// Vertical lines with a few words, which make way for each other.
fn marks(canvas: &mut Canvas, chart: &LineChart, frame: &Frame) {
    let place = |(x, label): &(f64, String)| Some((frame.x_at(chart.x_scale.position(*x)?), label.clone()));
    let places: Vec<(f64, String)> = chart.marks.iter().filter_map(place).collect();
    for (x, _) in &places {
        canvas.line(&[(*x, frame.top), (*x, frame.bottom)], Stroke::new(FAINT, 1.25));
    }
    let mut taken: Vec<(f64, f64, usize)> = Vec::new();
    for (x, label) in &places {
        let x = *x;
        // The words stand on the side that has more room, below those that are there already.
        let is_left = x > f64::midpoint(frame.left, frame.right);
        let width = text_width(label, TICK_SIZE, false);
        let (from, to) = if is_left { (x - 5.0 - width, x) } else { (x, x + 5.0 + width) };
        let is_free =
            |row: usize| taken.iter().all(|&(start, end, other)| other != row || end < from || to < start);
        let row = (0..taken.len()).find(|&row| is_free(row)).unwrap_or(taken.len());
        taken.push((from, to, row));
        let y = frame.top + 2.0 + TICK_SIZE * (0.5 + 1.3 * row as f64);
        let words =
            Words::new(label, TICK_SIZE, (if is_left { x - 5.0 } else { x + 5.0 }, y)).color(FAINT).halo();
        canvas.words(if is_left { words.ending() } else { words });
    }
}

fn lines(canvas: &mut Canvas, runs: &[Vec<(f64, f64)>], (i, look): (usize, Look), frame: &Frame) {
    let stroke = stroke(i, look);
    for run in runs.iter().flat_map(|run| visible(run, &frame.y)) {
        let places: Vec<(f64, f64)> = run.iter().map(|&(x, y)| (frame.x_at(x), frame.y_at(y))).collect();
        if let [alone] = places[..] {
            canvas.dot(alone, 3.0, stroke.color, Stroke::new(WHITE, 0.0));
        } else {
            canvas.line(&thinned(places), stroke);
        }
    }
}

/// The line of the series number `i`.
fn stroke(i: usize, look: Look) -> Stroke {
    match look {
        Look::Line | Look::Points => Stroke::new(of_series(i), 2.0),
        Look::Dashed => Stroke { is_dashed: true, ..Stroke::new(of_series(i), 2.0) },
        Look::Baseline => Stroke { is_dashed: true, ..Stroke::new(FRAME, 1.5) },
    }
}

/// A long line without the points that cannot be seen: of those that follow each other within half a point of width,
/// the first and the last, the lowest and the highest.
fn thinned(places: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if places.len() <= 2000 {
        return places;
    }
    let column = |place: &(f64, f64)| (place.0 * 2.0).floor();
    let kept = |run: &[(f64, f64)]| {
        let by_height = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let least = (0..run.len()).min_by(by_height).unwrap_or(0);
        let greatest = (0..run.len()).max_by(by_height).unwrap_or(0);
        let mut kept = vec![0, least, greatest, run.len() - 1];
        kept.sort_unstable();
        kept.dedup();
        kept.into_iter().map(|i| run[i]).collect::<Vec<_>>()
    };
    places.chunk_by(|a, b| column(a) == column(b)).flat_map(kept).collect()
}

fn points(canvas: &mut Canvas, runs: &[Vec<(f64, f64)>], i: usize, frame: &Frame) {
    // Many points are smaller, so that they do not become one blot.
    let radius = match runs.iter().map(Vec::len).sum::<usize>() {
        0..=200 => 4.0,
        201..=1000 => 3.0,
        _ => 2.0,
    };
    let is_inside = |y: f64| (frame.y.low..=frame.y.high).contains(&y);
    for &(x, y) in runs.iter().flatten().filter(|point| is_inside(point.1)) {
        canvas.dot((frame.x_at(x), frame.y_at(y)), radius, of_series(i), Stroke::new(WHITE, 0.75));
    }
}

/// The bars that show how far points may be off.
fn errors(canvas: &mut Canvas, chart: &LineChart, series: &Series, i: usize, frame: &Frame) {
    let stroke = Stroke::new(of_series(i), 1.25);
    for (&(x, y), &error) in series.points.iter().zip(&series.errors) {
        let (Some(at), Some(_), Some(high)) =
            (chart.x_scale.position(x), chart.y_scale.position(y), chart.y_scale.position(y + error))
        else {
            continue;
        };
        // What is not positive lies below any logarithmic axis.
        let low = chart.y_scale.position(y - error).unwrap_or(frame.y.low);
        if error <= 0.0 || high < frame.y.low || low > frame.y.high {
            continue;
        }
        let x = frame.x_at(at);
        let (low, high) = (frame.y_at(low.max(frame.y.low)), frame.y_at(high.min(frame.y.high)));
        canvas.line(&[(x, low), (x, high)], stroke);
        canvas.line(&[(x - 4.0, low), (x + 4.0, low)], stroke);
        canvas.line(&[(x - 4.0, high), (x + 4.0, high)], stroke);
    }
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
