//! What a model of two inputs says everywhere in the plane.

use crate::Figure;
use crate::answers::{class_numbers, columns_of};
use crate::axis::{Axis, Scale, number};
use crate::canvas::{Canvas, Rgb, Stroke};
use crate::colors::{INK, WHITE, mixed, of_rank, of_series};
use crate::frame::Frame;
use crate::heading::{Sample, color_scale, legend, title};
use crate::layout::Rect;
use crate::panel::Drawn;
use carnyx_graph::{Array, Error, Result};
use std::panic::Location;
use std::path::Path;

/// The plane of two inputs, in the colours of what a model says there, and samples as points.
///
/// Of a classifier, the colours of the classes are mixed by their probabilities, and samples that it takes for another
/// class have a dark border. Of a regression, both plane and points have the colours of their numbers, from dark to
/// bright.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_plot::DecisionBoundary;
/// let x = Array::from([[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let y = Array::from([0u8, 1, 1, 0]);
/// let steep = |x: f32| 1.0 / (1.0 + (-9.0 * x).exp());
/// let boundary = DecisionBoundary::of(&x, &y, |points| {
///     let says = points.values().chunks(2).map(|p| steep(0.5 - (p[0] + p[1] - 1.0).abs())).collect::<Vec<_>>();
///     Ok(says.into())
/// })?;
/// let svg = boundary.title("exclusive or").classes(["equal", "different"]).to_svg()?;
/// assert!(svg.contains("different"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DecisionBoundary {
    title: String,
    labels: [String; 2],
    names: Vec<String>,
    points: Vec<(f64, f64)>,
    x: Axis,
    y: Axis,
    plane: Vec<Rgb>,
    samples: Samples,
}

/// What the samples are, and what was said of them.
#[derive(Clone, Debug)]
enum Samples {
    Classes {
        truth: Vec<usize>,
        said: Vec<usize>,
        num: usize,
    },
    /// As colours, and the numbers of the first and the last colour.
    Numbers {
        colors: Vec<Rgb>,
        low: f64,
        high: f64,
    },
}

/// The cells of the plane, each of which asks the model once.
const COLUMNS: usize = 240;
const ROWS: usize = 160;
/// More points would hide the plane.
const MAX_POINTS: usize = 2000;

impl DecisionBoundary {
    /// Asks `predict` about the samples and about the plane around them: it is given `[points, 2]`, and gives what a
    /// model's `predict` does.
    ///
    /// Samples `x` are `[samples, 2]`. If predictions are scores of classes, `[points, classes]`, then `y` is class
    /// numbers or one-hot. If they are one number for each point, then `y` decides: with targets 0 and 1 they are
    /// probabilities of class 1 (or logits, if some are outside of 0 to 1), with others a regression.
    ///
    /// Of more than 2000 samples, evenly chosen ones are shown.
    ///
    /// # Errors
    /// `shape`, if there are not two inputs, or shapes do not fit; `data`, if there are no samples, or one has an input
    /// that is not finite, or a prediction is NaN; what `predict` says.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_plot::DecisionBoundary;
    /// // A regression: the target is the sum of the inputs, and the model knows it.
    /// let x = Array::from([[0.0f32, 1.0], [2.0, 0.5], [1.0, 1.0]]);
    /// let y = Array::from([1.0f32, 2.5, 2.0]);
    /// let sum = |points: &Array| Ok(points.values().chunks(2).map(|p| p[0] + p[1]).collect::<Vec<_>>().into());
    /// DecisionBoundary::of(&x, &y, sum)?.axes("width", "height").to_svg()?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(
        x: &Array,
        y: &Array,
        predict: impl FnOnce(&Array) -> Result<Array>,
    ) -> Result<DecisionBoundary> {
        let site = Location::caller();
        let at = |error: Error| if error.site().is_some() { error } else { error.at(site) };
        let samples = samples_of(x, y).map_err(at)?;
        let around = |pick: fn(&(f64, f64)) -> f64| {
            Axis::around(&samples.iter().map(pick).collect::<Vec<_>>(), 0.08, Scale::Linear)
        };
        let (across, up) = (around(|point| point.0), around(|point| point.1));
        let said = predict(&asked(&samples, &across, &up)).map_err(at)?;
        let (samples_shown, plane) = colored(&said, y, samples.len()).map_err(at)?;
        Ok(DecisionBoundary {
            title: String::new(),
            labels: ["x1".to_owned(), "x2".to_owned()],
            names: Vec::new(),
            points: samples,
            x: across,
            y: up,
            plane,
            samples: samples_shown,
        })
    }

    /// Puts these words above the picture.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::DecisionBoundary;
    /// # let (x, y) = (Array::from([[0.0f32, 0.0], [1.0, 1.0]]), Array::from([0u8, 1]));
    /// # let first = |points: &Array| Ok(points.values().chunks(2).map(|p| p[0]).collect::<Vec<_>>().into());
    /// let boundary = DecisionBoundary::of(&x, &y, first)?.title("after 10 epochs");
    /// assert!(boundary.to_svg()?.contains("after 10 epochs"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn title(mut self, title: impl Into<String>) -> DecisionBoundary {
        self.title = title.into();
        self
    }

    /// What the inputs are: the first goes to the right, the second up. Without it, `x1` and `x2`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::DecisionBoundary;
    /// # let (x, y) = (Array::from([[0.0f32, 0.0], [1.0, 1.0]]), Array::from([0u8, 1]));
    /// # let first = |points: &Array| Ok(points.values().chunks(2).map(|p| p[0]).collect::<Vec<_>>().into());
    /// let boundary = DecisionBoundary::of(&x, &y, first)?.axes("petal length", "petal width");
    /// assert!(boundary.to_svg()?.contains("petal width"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> DecisionBoundary {
        self.labels = [x.into(), y.into()];
        self
    }

    /// Names the classes; without it, they are called by their numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::DecisionBoundary;
    /// # let (x, y) = (Array::from([[0.0f32, 0.0], [1.0, 1.0]]), Array::from([0u8, 1]));
    /// # let first = |points: &Array| Ok(points.values().chunks(2).map(|p| p[0]).collect::<Vec<_>>().into());
    /// let boundary = DecisionBoundary::of(&x, &y, first)?.classes(["inside", "outside"]);
    /// assert!(boundary.to_svg()?.contains("outside"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> DecisionBoundary {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The picture as the text of an SVG file.
    ///
    /// # Errors
    /// `data`, if there are other than as many names as classes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::DecisionBoundary;
    /// # let (x, y) = (Array::from([[0.0f32, 0.0], [1.0, 1.0]]), Array::from([0u8, 1]));
    /// # let first = |points: &Array| Ok(points.values().chunks(2).map(|p| p[0]).collect::<Vec<_>>().into());
    /// assert!(DecisionBoundary::of(&x, &y, first)?.to_svg()?.starts_with("<svg "));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Figure::of(self.clone()).to_svg()
    }

    /// Writes the picture as a file, in full or not at all: see [`Figure::save`].
    ///
    /// # Errors
    /// As [`DecisionBoundary::to_svg`] and [`Figure::save`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::DecisionBoundary;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("boundary.svg");
    /// # let (x, y) = (Array::from([[0.0f32, 0.0], [1.0, 1.0]]), Array::from([0u8, 1]));
    /// # let first = |points: &Array| Ok(points.values().chunks(2).map(|p| p[0]).collect::<Vec<_>>().into());
    /// DecisionBoundary::of(&x, &y, first)?.save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        Figure::of(self.clone()).save(path)
    }
}

/// The places of the samples, if they are places in a plane and have targets.
fn samples_of(x: &Array, y: &Array) -> Result<Vec<(f64, f64)>> {
    let [samples, 2] = *x.shape() else {
        return Err(Error::new(
            "shape",
            format!("a plane has two inputs, but `x` has shape {:?}", x.shape()),
        )
        .help("give [samples, 2]: a model of other inputs has no decision boundary in a plane"));
    };
    let targets = y.shape().first().copied().unwrap_or(0);
    if samples != targets {
        return Err(Error::new("shape", format!("`x` has {samples} samples, `y` has {targets}"))
            .help("give each sample one target"));
    }
    if samples == 0 {
        return Err(Error::new("data", "there are no samples to draw"));
    }
    let points: Vec<(f64, f64)> = x.to_vec::<f64>().chunks(2).map(|pair| (pair[0], pair[1])).collect();
    let is_place = |value: f64| Scale::Linear.position(value).is_some();
    match points.iter().position(|&(x, y)| !is_place(x) || !is_place(y)) {
        None => Ok(points),
        Some(i) => {
            let (x, y) = points[i];
            Err(Error::new("data", format!("sample {i} cannot be drawn: its inputs are {x} and {y}")))
        }
    }
}

/// All places that the model is asked about: the samples, then the cells of the plane, row by row from the top.
fn asked(samples: &[(f64, f64)], across: &Axis, up: &Axis) -> Array {
    let mut places: Vec<f32> = samples.iter().flat_map(|&(x, y)| [x as f32, y as f32]).collect();
    let between = |axis: &Axis, share: f64| (axis.low + (axis.high - axis.low) * share) as f32;
    for row in 0..ROWS {
        let y = between(up, 1.0 - (row as f64 + 0.5) / ROWS as f64);
        for column in 0..COLUMNS {
            places.extend([between(across, (column as f64 + 0.5) / COLUMNS as f64), y]);
        }
    }
    let rows = places.len() / 2;
    Array::new([rows, 2], places).expect("there are two numbers for each place")
}

/// The samples and the plane in the colours of predictions, the first `num` of which are of samples.
fn colored(said: &Array, y: &Array, num: usize) -> Result<(Samples, Vec<Rgb>)> {
    let columns = columns_of(said, "predictions")?;
    let all = num + ROWS * COLUMNS;
    if said.num_rows() != all {
        return Err(Error::new("shape", format!("{} predictions for {all} points", said.num_rows()))
            .help("`predict` gives one row for each point"));
    }
    let values = said.to_vec::<f64>();
    if let Some(i) = values.iter().position(|value| value.is_nan()) {
        let place =
            if i / columns < num { format!("sample {}", i / columns) } else { "the plane".to_owned() };
        return Err(Error::new("data", format!("the prediction for {place} is NaN")));
    }
    let targets = y.to_vec::<f64>();
    if columns == 1 && (y.len() != num || targets.iter().any(|&target| target != 0.0 && target != 1.0)) {
        return of_numbers(&values, &targets, num);
    }
    let chances = if columns == 1 { of_two_classes(&values) } else { of_classes(&values, columns) };
    let (truth, num_classes) = class_numbers(y)?;
    let classes = columns.max(2);
    if num_classes > classes {
        return Err(Error::new(
            "shape",
            format!("the predictions are of {classes} classes, but labels go up to {}", num_classes - 1),
        ));
    }
    let likeliest = |row: &[f64]| (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    let said = chances.chunks(classes).take(num).map(likeliest).collect();
    let plane = chances.chunks(classes).skip(num).map(blended).collect();
    Ok((Samples::Classes { truth, said, num: classes }, plane))
}

/// Numbers in the colours of a scale that holds all of them.
fn of_numbers(values: &[f64], targets: &[f64], num: usize) -> Result<(Samples, Vec<Rgb>)> {
    if targets.len() != num {
        return Err(Error::new("shape", format!("{} targets for {num} samples", targets.len()))
            .help("a regression has one target for each sample"));
    }
    let all = || targets.iter().chain(values).copied();
    if let Some(value) = all().find(|value| Scale::Linear.position(*value).is_none()) {
        return Err(Error::new(
            "data",
            format!("{value} cannot be drawn: targets and predictions are finite"),
        ));
    }
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    // 64 shades are more than can be told apart, and make a smaller file.
    let color = |value: &f64| match high - low {
        0.0 => of_rank(0.5),
        span => of_rank(((value - low) / span * 64.0).round() / 64.0),
    };
    let colors = targets.iter().map(color).collect();
    Ok((Samples::Numbers { colors, low, high }, values[num..].iter().map(color).collect()))
}

/// The probabilities of both classes, from probabilities of class 1 or from logits.
fn of_two_classes(values: &[f64]) -> Vec<f64> {
    let are_chances = values.iter().all(|value| (0.0..=1.0).contains(value));
    let chance = |&value: &f64| if are_chances { value } else { 1.0 / (1.0 + (-value).exp()) };
    values.iter().map(chance).flat_map(|chance| [1.0 - chance, chance]).collect()
}

/// The probabilities of classes, from probabilities or from logits.
fn of_classes(values: &[f64], columns: usize) -> Vec<f64> {
    let is_chance = |row: &[f64]| {
        row.iter().all(|value| (0.0..=1.0).contains(value)) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-3
    };
    if values.chunks(columns).all(is_chance) {
        return values.to_vec();
    }
    let softmax = |row: &[f64]| {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = row.iter().map(|value| (value - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |power| power / sum)
    };
    values.chunks(columns).flat_map(softmax).collect()
}

/// The pale colours of classes, mixed by their probabilities.
fn blended(chances: &[f64]) -> Rgb {
    let pale = |class: usize| mixed([(of_series(class), 0.55), (WHITE, 0.45)].into_iter());
    let Rgb(red, green, blue) =
        mixed(chances.iter().enumerate().map(|(class, &chance)| (pale(class), chance)));
    // Fewer colours, whose difference nobody sees, make a smaller file.
    let coarse = |part: u8| part / 3 * 3;
    Rgb(coarse(red), coarse(green), coarse(blue))
}

impl Drawn for DecisionBoundary {
    fn size(&self) -> (f64, f64) {
        (540.0, 420.0)
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result {
        let top = title(canvas, area, &self.title);
        let names = self.class_names()?;
        let mut entries: Vec<(&str, Sample)> =
            names.iter().enumerate().map(|(i, name)| (name.as_str(), Sample::Dot(of_series(i)))).collect();
        if matches!(&self.samples, Samples::Classes { truth, said, .. } if truth != said) {
            entries.push(("taken for another class", Sample::Ring));
        }
        let top = match &self.samples {
            Samples::Classes { .. } => legend(canvas, area, top, &entries),
            Samples::Numbers { low, high, .. } => {
                color_scale(canvas, area, top, [&number(*low), &number(*high)])
            }
        };
        let labels = [self.labels[0].as_str(), &self.labels[1]];
        let frame = Frame::within(area, top, (self.x.clone(), self.y.clone()), labels);
        canvas.cells(frame.rect(), COLUMNS, &self.plane);
        frame.axes(canvas, area, labels);

        let every = self.points.len().div_ceil(MAX_POINTS);
        let radius = if self.points.len() > 300 { 3.0 } else { 4.0 };
        for (i, &(x, y)) in self.points.iter().enumerate().step_by(every) {
            let (color, is_right) = match &self.samples {
                Samples::Classes { truth, said, .. } => (of_series(truth[i]), truth[i] == said[i]),
                Samples::Numbers { colors, .. } => (colors[i], true),
            };
            let border = if is_right { Stroke::new(WHITE, 1.0) } else { Stroke::new(INK, 1.75) };
            canvas.dot((frame.x_at(x), frame.y_at(y)), radius, color, border);
        }
        Ok(())
    }
}

impl DecisionBoundary {
    /// The names of the classes; none of a regression.
    fn class_names(&self) -> Result<Vec<String>> {
        let Samples::Classes { num, .. } = self.samples else { return Ok(Vec::new()) };
        match self.names.len() {
            0 => Ok((0..num).map(|class| format!("class {class}")).collect()),
            names if names == num => Ok(self.names.clone()),
            names => Err(Error::new("data", format!("{names} class names for {num} classes"))
                .help("name them all: `.classes([\"inside\", \"outside\"])`")),
        }
    }
}
