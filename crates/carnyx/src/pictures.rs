//! What a model does, as pictures: which classes it takes for which, how well its scores tell classes apart, where its
//! decisions change.

use crate::Model;
use carnyx_graph::{Array, Error, Result};
use carnyx_plot::{ConfusionMatrix, DecisionBoundary, PrecisionRecallCurve, RocCurve};
use std::panic::Location;

/// Pictures of what a model of one output predicts.
///
/// Pictures of its weights are made of the weights: `ImageGrid::of_kernel(&layer.kernel().value()?, [28, 28])?`.
///
/// # Example
/// ```
/// use carnyx::prelude::*;
/// let x = Array::from([[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let y = Array::from([0u8, 1, 1, 1]);
/// let mut model = Sequential::new()
///     .then(Dense::new(1).activation(Sigmoid))
///     .compile(Adam::new(0.1), BinaryCrossentropy);
/// model.fit((&x, &y), Fit::epochs(200).verbose(Verbosity::Silent))?;
/// assert_eq!(model.confusion(&x, &y)?.accuracy(), 1.0);
/// assert_eq!(model.roc(&x, &y)?.area, 1.0);
/// assert!(model.decision_boundary(&x, &y)?.title("or").to_svg()?.contains("class 1"));
/// # Ok::<(), Error>(())
/// ```
pub trait PlotModel {
    /// Which classes the model takes for which, on samples with these labels: see [`ConfusionMatrix::of`].
    /// `.save("confusion.svg")` draws it.
    ///
    /// # Errors
    /// Those of [`Model::predict`] and [`ConfusionMatrix::of`].
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let (x, y) = (Array::full([8, 3], 1f32), Array::from([0u8, 1, 2, 0, 1, 2, 0, 1]));
    /// let model = Sequential::new()
    ///     .then(Dense::new(3).activation(Softmax))
    ///     .compile(Sgd::new(0.1), SparseCategoricalCrossentropy);
    /// let matrix = model.confusion(&x, &y)?.classes(["cat", "dog", "cow"]);
    /// assert_eq!(matrix.num_classes(), 3);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    fn confusion(&self, x: &Array, labels: &Array) -> Result<ConfusionMatrix>;

    /// How well the model tells two classes apart, at all thresholds: see [`RocCurve::of`].
    /// `.plot().save("roc.svg")` draws it. For more classes: `RocCurve::of_classes(&y, &model.predict(&x)?)`.
    ///
    /// # Errors
    /// Those of [`Model::predict`] and [`RocCurve::of`].
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let (x, y) = (Array::from([[0f32], [1.0], [2.0]]), Array::from([0u8, 1, 1]));
    /// let model = Sequential::new()
    ///     .then(Dense::new(1).activation(Sigmoid))
    ///     .compile(Sgd::new(0.1), BinaryCrossentropy);
    /// assert!((0.0..=1.0).contains(&model.roc(&x, &y)?.area));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    fn roc(&self, x: &Array, labels: &Array) -> Result<RocCurve>;

    /// How many of what the model calls positive is so, over how many it finds: see [`PrecisionRecallCurve::of`].
    /// `.plot().save("precision_recall.svg")` draws it.
    ///
    /// # Errors
    /// Those of [`Model::predict`] and [`PrecisionRecallCurve::of`].
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let (x, y) = (Array::from([[0f32], [1.0], [2.0]]), Array::from([0u8, 1, 1]));
    /// let model = Sequential::new()
    ///     .then(Dense::new(1).activation(Sigmoid))
    ///     .compile(Sgd::new(0.1), BinaryCrossentropy);
    /// assert_eq!(model.precision_recall(&x, &y)?.prevalence, 2.0 / 3.0);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    fn precision_recall(&self, x: &Array, labels: &Array) -> Result<PrecisionRecallCurve>;

    /// What a model of two inputs says everywhere around these samples: see [`DecisionBoundary::of`].
    /// `.save("boundary.svg")` draws it.
    ///
    /// # Errors
    /// Those of [`Model::predict`] and [`DecisionBoundary::of`].
    ///
    /// # Example
    /// ```
    /// use carnyx::prelude::*;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 2.0]]), Array::from([0u8, 1, 1]));
    /// let model = Sequential::new()
    ///     .then(Dense::new(1).activation(Sigmoid))
    ///     .compile(Sgd::new(0.1), BinaryCrossentropy);
    /// let boundary = model.decision_boundary(&x, &y)?.axes("width", "height").classes(["boot", "shirt"]);
    /// assert!(boundary.to_svg()?.contains("shirt"));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    fn decision_boundary(&self, x: &Array, y: &Array) -> Result<DecisionBoundary>;
}

impl<L> PlotModel for Model<L> {
    fn confusion(&self, x: &Array, labels: &Array) -> Result<ConfusionMatrix> {
        ConfusionMatrix::of(labels, &self.predict(x)?)
    }

    fn roc(&self, x: &Array, labels: &Array) -> Result<RocCurve> {
        RocCurve::of(labels, &self.predict(x)?)
    }

    fn precision_recall(&self, x: &Array, labels: &Array) -> Result<PrecisionRecallCurve> {
        PrecisionRecallCurve::of(labels, &self.predict(x)?)
    }

    fn decision_boundary(&self, x: &Array, y: &Array) -> Result<DecisionBoundary> {
        let site = Location::caller();
        let at = |error: Error| if error.site().is_some() { error } else { error.at(site) };
        DecisionBoundary::of(x, y, |points| self.predict(points)).map_err(at)
    }
}
