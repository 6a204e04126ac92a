//! Which classes are taken for which: counts of labels and predictions, and their picture.

use crate::Figure;
use crate::answers::{class_numbers, predicted_classes};
use carnyx_graph::{Array, Error, Result};
use std::fmt;
use std::panic::Location;
use std::path::Path;

/// How often samples of each class were predicted to be of each class: a row for each class that is true, a column for
/// each that was predicted. Shown as a table, or drawn.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_plot::ConfusionMatrix;
/// let labels = Array::from([0u8, 0, 1, 1, 1, 2]);
/// let predictions = Array::from([0u8, 1, 1, 1, 2, 2]);
/// let matrix = ConfusionMatrix::of(&labels, &predictions)?.classes(["cat", "dog", "cow"]);
/// assert_eq!((matrix.count(1, 1), matrix.count(1, 2)), (2, 1));
/// assert_eq!((matrix.accuracy(), matrix.recall(2)), (4.0 / 6.0, Some(1.0)));
/// assert!(matrix.to_svg()?.contains("cow"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    pub(crate) title: String,
    pub(crate) names: Vec<String>,
    pub(crate) num_classes: usize,
    /// Row by row.
    pub(crate) counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Counts `labels` against `predictions`.
    ///
    /// Labels are class numbers, `[samples]` or `[samples, 1]`, or one-hot, `[samples, classes]`. Predictions are
    /// class numbers, or what a model says: scores of classes, `[samples, classes]`, of which the greatest counts (the
    /// first of equal ones), or probabilities of class 1, `[samples, 1]`, which counts above one half.
    ///
    /// # Errors
    /// `shape`, if the shapes do not fit; `data`, if there are no samples, a label is no class number, or a score is
    /// NaN.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_plot::ConfusionMatrix;
    /// let labels = Array::from([0u8, 1, 1]);
    /// let probabilities = Array::from([[0.1f32], [0.4], [0.9]]);
    /// let matrix = ConfusionMatrix::of(&labels, &probabilities)?;
    /// assert_eq!([matrix.count(0, 0), matrix.count(1, 0), matrix.count(1, 1)], [1, 1, 1]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn of(labels: &Array, predictions: &Array) -> Result<ConfusionMatrix> {
        let site = Location::caller();
        Self::counted(labels, predictions).map_err(|error| error.at(site))
    }

    fn counted(labels: &Array, predictions: &Array) -> Result<ConfusionMatrix> {
        let (truth, num_labels) = class_numbers(labels)?;
        let (predicted, num_predicted) = predicted_classes(predictions)?;
        if truth.len() != predicted.len() {
            return Err(Error::new(
                "shape",
                format!("{} labels, but {} predictions", truth.len(), predicted.len()),
            )
            .help("give each sample one label and one prediction"));
        }
        // Scores of classes say how many there are: a greater label belongs to another model.
        let scored = if predictions.shape().len() == 2 { predictions.shape()[1] } else { 0 };
        if scored > 1
            && let Some(i) = truth.iter().position(|&class| class >= scored)
        {
            return Err(Error::new(
                "data",
                format!("label {} of sample {i}, but the predictions have {scored} classes", truth[i]),
            )
            .help(format!("labels go from 0 to {}", scored - 1)));
        }
        let num_classes = num_labels.max(num_predicted).max(2);
        let mut counts = vec![0; num_classes * num_classes];
        for (truth, predicted) in truth.iter().zip(&predicted) {
            counts[truth * num_classes + predicted] += 1;
        }
        Ok(ConfusionMatrix { title: "confusion matrix".to_owned(), names: Vec::new(), num_classes, counts })
    }

    /// Names the classes; there may be more names than classes that came up.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 1]), &Array::from([0u8, 1]))?;
    /// let matrix = matrix.classes(["red", "green", "blue"]);
    /// assert_eq!(matrix.num_classes(), 3);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> ConfusionMatrix {
        self.names = names.into_iter().map(Into::into).collect();
        let (old, new) = (self.num_classes, self.num_classes.max(self.names.len()));
        let count = |i: usize| {
            let (row, column) = (i / new, i % new);
            if row < old && column < old { self.counts[row * old + column] } else { 0 }
        };
        self.counts = (0..new * new).map(count).collect();
        self.num_classes = new;
        self
    }

    /// Puts these words above the picture; an empty title takes no room.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 1]), &Array::from([0u8, 1]))?;
    /// assert!(matrix.title("test part").to_svg()?.contains("test part"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn title(mut self, title: impl Into<String>) -> ConfusionMatrix {
        self.title = title.into();
        self
    }

    /// The number of classes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 4]), &Array::from([0u8, 1]))?;
    /// assert_eq!(matrix.num_classes(), 5);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// How often samples of the class `truth` were predicted to be of the class `predicted`; 0 for classes that there
    /// are not.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 0, 1]), &Array::from([0u8, 1, 1]))?;
    /// assert_eq!((matrix.count(0, 1), matrix.count(1, 0), matrix.count(7, 7)), (1, 0, 0));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let exists = truth < self.num_classes && predicted < self.num_classes;
        if exists { self.counts[truth * self.num_classes + predicted] } else { 0 }
    }

    /// The share of samples that were predicted to be what they are.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 0, 1, 1]), &Array::from([0u8, 1, 1, 1]))?;
    /// assert_eq!(matrix.accuracy(), 0.75);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn accuracy(&self) -> f64 {
        let hits: u64 = (0..self.num_classes).map(|class| self.count(class, class)).sum();
        hits as f64 / self.num_samples() as f64
    }

    /// The share of the samples of a class that were predicted to be of it; none without such samples.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 0, 1]), &Array::from([0u8, 1, 1]))?;
    /// assert_eq!((matrix.recall(0), matrix.recall(1)), (Some(0.5), Some(1.0)));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn recall(&self, class: usize) -> Option<f64> {
        let samples: u64 = (0..self.num_classes).map(|predicted| self.count(class, predicted)).sum();
        (samples > 0).then(|| self.count(class, class) as f64 / samples as f64)
    }

    /// The share of the predictions of a class that are right; none without such predictions.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 0, 1]), &Array::from([0u8, 1, 1]))?;
    /// assert_eq!((matrix.precision(0), matrix.precision(1)), (Some(1.0), Some(0.5)));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn precision(&self, class: usize) -> Option<f64> {
        let predictions: u64 = (0..self.num_classes).map(|truth| self.count(truth, class)).sum();
        (predictions > 0).then(|| self.count(class, class) as f64 / predictions as f64)
    }

    /// The matrix as the text of an SVG file: counts, and shares of the samples of each class.
    ///
    /// # Errors
    /// `data`, if there are fewer names than classes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// let matrix = ConfusionMatrix::of(&Array::from([0u8, 1, 2]), &Array::from([0u8, 1, 1]))?;
    /// assert!(matrix.to_svg()?.starts_with("<svg "));
    /// assert!(matrix.classes(["yes", "no"]).to_svg().is_err()); // there are three classes
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn to_svg(&self) -> Result<String> {
        Figure::of(self.clone()).to_svg()
    }

    /// Writes the picture as a file, in full or not at all: see [`Figure::save`].
    ///
    /// # Errors
    /// As [`ConfusionMatrix::to_svg`] and [`Figure::save`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_plot::ConfusionMatrix;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("confusion.svg");
    /// # let (labels, predictions) = (Array::from([0u8, 1, 2]), Array::from([0u8, 1, 1]));
    /// ConfusionMatrix::of(&labels, &predictions)?.save(&path)?;
    /// # assert!(path.exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        Figure::of(self.clone()).save(path)
    }

    pub(crate) fn num_samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The name of a class, or its number.
    pub(crate) fn name(&self, class: usize) -> String {
        self.names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// A table: a row for each class that is true.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<String> = (0..self.num_classes).map(|class| self.name(class)).collect();
        let length = |text: &String| text.chars().count();
        let margin = names.iter().map(length).max().unwrap_or(0).max("true".len());
        let column = |class: usize| {
            let counts = (0..self.num_classes).map(|truth| self.count(truth, class).to_string().len());
            counts.fold(length(&names[class]), usize::max)
        };
        write!(f, "{:>margin$} |", "true")?;
        (0..self.num_classes).try_for_each(|class| write!(f, " {:>1$}", names[class], column(class)))?;
        writeln!(f, "  <- predicted")?;
        for (truth, name) in names.iter().enumerate() {
            write!(f, "{name:>margin$} |")?;
            for class in 0..self.num_classes {
                write!(f, " {:>1$}", self.count(truth, class), column(class))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_predictions_come_in_several_shapes() {
        let numbers = Array::from([0u8, 1, 2, 2]);
        let column = numbers.reshape([4, 1]).unwrap();
        let one_hot = Array::from([[1f32, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]);
        let floats = Array::from([0f32, 1.0, 2.0, 2.0]);
        // Equal scores: the first counts.
        let scores = Array::from([[0.5f32, 0.4, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4], [0.4, 0.2, 0.4]]);
        for labels in [&numbers, &column, &one_hot, &floats] {
            let matrix = ConfusionMatrix::of(labels, &scores).unwrap();
            assert_eq!(matrix.counts, [1, 0, 0, 0, 1, 0, 1, 0, 1]);
            assert_eq!(ConfusionMatrix::of(labels, &numbers).unwrap().accuracy(), 1.0);
            assert_eq!(ConfusionMatrix::of(labels, &column).unwrap().accuracy(), 1.0);
        }
        let (labels, chances) = (Array::from([0u8, 1, 1]), Array::from([[0.5f32], [0.51], [1.0]]));
        assert_eq!(ConfusionMatrix::of(&labels, &chances).unwrap().counts, [1, 0, 0, 2]);
        // One class only is still a matrix of two.
        assert_eq!(ConfusionMatrix::of(&Array::from([0u8]), &Array::from([0u8])).unwrap().num_classes(), 2);
    }

    #[test]
    fn shares_are_those_of_rows_and_columns() {
        let labels = Array::from([0u8, 0, 0, 1, 3]);
        let predictions = Array::from([0u8, 1, 1, 1, 1]);
        let matrix = ConfusionMatrix::of(&labels, &predictions).unwrap();
        assert_eq!([0, 1, 2, 3].map(|c| matrix.recall(c)), [Some(1.0 / 3.0), Some(1.0), None, Some(0.0)]);
        assert_eq!([0, 1, 2, 3].map(|c| matrix.precision(c)), [Some(1.0), Some(0.25), None, None]);
        assert_eq!(matrix.accuracy(), 0.4);
    }

    #[test]
    fn the_table_lines_up() {
        let matrix = ConfusionMatrix::of(&Array::from([0u8, 0, 1]), &Array::from([0u8, 1, 1])).unwrap();
        let text = matrix.classes(["shirt", "coat"]).to_string();
        assert_eq!(text, " true | shirt coat  <- predicted\nshirt |     1    1\n coat |     0    1\n");
    }
}
