//! Draws a confusion matrix: a cell for each pair of classes, the darker the larger its share of its row.
//!
//! Cells get smaller as there are more of them, and say less: count and share, the count alone, nothing.

use crate::canvas::{Canvas, Rgb, Stroke, Words};
use crate::colors::{FAINT, FRAME, INK, WHITE, is_dark, of_share};
use crate::confusion::ConfusionMatrix;
use crate::heading::{LABEL_SIZE, MARGIN, title};
use crate::layout::Rect;
use crate::panel::{Drawn, named};
use crate::text::{cut, text_width};
use carnyx_graph::{Error, Result};

const NAME_SIZE: f64 = 11.0;
/// The most room that names of classes get.
const LONGEST_NAME: f64 = 130.0;
/// The colour scale on the right: its width, and that of its numbers and the space around.
const SCALE: f64 = 12.0;
const BESIDE: f64 = SCALE + 12.0 + 40.0;

/// Where everything is, seen from the corner of the chart.
struct Plan {
    cell: f64,
    /// The width of the names, and their height below the columns.
    names: (f64, f64),
    are_turned: bool,
    left: f64,
    width: f64,
    height: f64,
}

impl ConfusionMatrix {
    fn plan(&self) -> Plan {
        let n = self.num_classes as f64;
        let cell = match self.num_classes {
            ..=3 => 88.0,
            4..=5 => 72.0,
            6..=11 => 52.0,
            12..=20 => 34.0,
            _ => (680.0 / n).clamp(0.5, 24.0),
        };
        let width = |class: usize| text_width(&self.name(class), NAME_SIZE, false);
        let widest = (0..self.num_classes).map(width).fold(0.0, f64::max).min(LONGEST_NAME);
        let are_turned = widest > cell - 6.0;
        let left = MARGIN + LABEL_SIZE + 8.0 + widest + 8.0;
        let below = if are_turned { widest + 8.0 } else { NAME_SIZE + 10.0 };
        Plan {
            cell,
            names: (widest, below),
            are_turned,
            left,
            width: left + n * cell + BESIDE + MARGIN,
            height: MARGIN + 15.0 + 6.0 + 22.0 + n * cell + below + LABEL_SIZE + 6.0 + MARGIN,
        }
    }

    /// The share of its row that a cell has; none if the class has no samples.
    fn shares(&self) -> Vec<Option<f64>> {
        let rows = self.counts.chunks(self.num_classes);
        let shares = |row: &[u64]| -> Vec<Option<f64>> {
            let samples: u64 = row.iter().sum();
            row.iter().map(|&count| (samples > 0).then(|| count as f64 / samples as f64)).collect()
        };
        rows.flat_map(shares).collect()
    }
}

impl Drawn for ConfusionMatrix {
    fn size(&self) -> (f64, f64) {
        let plan = self.plan();
        (plan.width.max(320.0), plan.height)
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect) -> Result {
        if !self.names.is_empty() && self.names.len() < self.num_classes {
            let title = format!("{} class names for {} classes", self.names.len(), self.num_classes);
            return Err(Error::new("data", title)
                .label(format!("in the confusion matrix {}", named(&self.title)))
                .help("name them all: `.classes([\"cat\", \"dog\", …])`"));
        }
        let plan = self.plan();
        let top = title(canvas, area, &self.title);
        let subtitle =
            format!("{} samples, {:.1} % of them right", self.num_samples(), 100.0 * self.accuracy());
        canvas.words(Words::new(&subtitle, LABEL_SIZE, (area.x + MARGIN, top + 6.0)).color(FAINT));
        let side = plan.cell * self.num_classes as f64;
        let place = Rect { x: area.x + plan.left, y: top + 22.0, width: side, height: side };
        self.cells(canvas, place, plan.cell);
        canvas.border(place, Stroke::new(FRAME, 1.0));
        self.names(canvas, place, &plan);
        scale(canvas, place);

        let (middle_x, middle_y) = (place.x + side / 2.0, place.y + side / 2.0);
        let beside = (area.x + MARGIN + LABEL_SIZE / 2.0, middle_y);
        canvas.words(Words::new("true class", LABEL_SIZE, beside).centered().turned(-90));
        let below = (middle_x, place.y + side + plan.names.1 + 6.0 + LABEL_SIZE / 2.0);
        canvas.words(Words::new("predicted class", LABEL_SIZE, below).centered());
        Ok(())
    }
}

impl ConfusionMatrix {
    fn cells(&self, canvas: &mut Canvas, place: Rect, cell: f64) {
        let shares = self.shares();
        let colors: Vec<Rgb> = shares.iter().map(|share| share.map_or(WHITE, of_share)).collect();
        canvas.cells(place, self.num_classes, &colors);
        if cell < 20.0 {
            return;
        }
        for (i, (&count, share)) in self.counts.iter().zip(&shares).enumerate() {
            let (row, column) = (i / self.num_classes, i % self.num_classes);
            let (x, y) = (place.x + (column as f64 + 0.5) * cell, place.y + (row as f64 + 0.5) * cell);
            let color = match (count, is_dark(colors[i])) {
                (0, _) => FAINT,
                (_, true) => WHITE,
                (_, false) => INK,
            };
            let count = count.to_string();
            // Long numbers get smaller letters.
            let size =
                13f64.min(0.28 * cell.max(36.0)).min(13.0 * (cell - 4.0) / text_width(&count, 13.0, false));
            let has_share = cell >= 44.0 && share.is_some_and(|share| share > 0.0);
            let lift = if has_share { 0.13 * cell } else { 0.0 };
            canvas.words(Words::new(&count, size, (x, y - lift)).centered().color(color));
            if let Some(share) = share.filter(|_| has_share) {
                let text = format!("{:.1} %", 100.0 * share);
                canvas.words(
                    Words::new(&text, 0.19 * cell.min(56.0), (x, y + 0.2 * cell)).centered().color(color),
                );
            }
        }
    }

    /// The names on the left and below; where there are many, only every so many.
    fn names(&self, canvas: &mut Canvas, place: Rect, plan: &Plan) {
        let every = (NAME_SIZE * 1.2 / plan.cell).ceil().max(1.0) as usize;
        for class in (0..self.num_classes).step_by(every) {
            let name = cut(&self.name(class), NAME_SIZE, plan.names.0);
            let at = (class as f64 + 0.5) * plan.cell;
            canvas.words(Words::new(&name, NAME_SIZE, (place.x - 8.0, place.y + at)).ending());
            let (x, y) = (place.x + at, place.y + place.height + 8.0);
            if plan.are_turned {
                canvas.words(Words::new(&name, NAME_SIZE, (x, y)).ending().turned(-90));
            } else {
                canvas.words(Words::new(&name, NAME_SIZE, (x, y + NAME_SIZE / 2.0)).centered());
            }
        }
    }
}

/// What the colours mean, on the right.
fn scale(canvas: &mut Canvas, place: Rect) {
    const STEPS: usize = 50;
    let height = place.height.clamp(80.0, 260.0);
    let rect = Rect { x: place.x + place.width + 12.0, y: place.y, width: SCALE, height };
    let colors: Vec<Rgb> = (0..STEPS).rev().map(|i| of_share(i as f64 / (STEPS - 1) as f64)).collect();
    canvas.cells(rect, 1, &colors);
    canvas.border(rect, Stroke::new(FRAME, 1.0));
    for (share, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        let inset = NAME_SIZE / 2.0;
        let y = rect.y + inset + (height - 2.0 * inset) * (1.0 - share);
        canvas.words(Words::new(label, NAME_SIZE, (rect.x + SCALE + 5.0, y)).color(FAINT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_graph::Array;

    fn matrix(classes: usize) -> ConfusionMatrix {
        let labels = Array::from_fn([3 * classes], |i| (i % classes) as i32);
        let predictions = Array::from_fn([3 * classes], |i| (i * i % 7 * i % classes) as i32);
        ConfusionMatrix::of(&labels, &predictions).unwrap()
    }

    #[test]
    fn every_size_stays_on_its_picture() {
        for classes in [2, 3, 5, 10, 20, 40, 100, 1000] {
            let matrix = matrix(classes);
            let (width, height) = matrix.size();
            assert!(width < 900.0 && height < 900.0, "{classes}: {width} {height}");
            let svg = matrix.to_svg().unwrap();
            assert!(svg.contains(" %</text>"));
            for key in [" x=\"", " y=\""] {
                for number in svg.split(key).skip(1) {
                    let number: f64 = number.split('"').next().unwrap().parse().unwrap();
                    assert!((0.0..=width.max(height)).contains(&number), "{classes}: {number}");
                }
            }
        }
    }

    #[test]
    fn too_few_names_are_an_error() {
        let error = matrix(3).classes(["a", "b"]).to_svg().unwrap_err();
        assert_eq!(
            error.to_string(),
            "error[data]: 2 class names for 3 classes\n  = in the confusion matrix `confusion matrix`\n  \
             = help: name them all: `.classes([\"cat\", \"dog\", …])`"
        );
    }
}
