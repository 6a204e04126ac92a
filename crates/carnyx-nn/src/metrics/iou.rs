//! How well predicted areas cover true ones: intersection over union, class by class.
//!
//! The totals are a confusion matrix, `[classes · classes]` in rows of true classes, filled in one pass over the batch.

use super::{Metric, Tally, misfit};
use crate::Config;
use crate::losses::{EPSILON, first_row_where};
use carnyx_graph::{Array, DType, Error, Result, Shape, Tensor};

/// The mean, over chosen classes, of the area that prediction and truth share by the area that either covers:
/// `true positives / (true positives + false positives + false negatives)`. Classes that appear in neither do not count.
///
/// # Shape
/// Predictions and targets are class numbers of the same count, `[batch, height, width]` or any other shape; with
/// [`one_hot_targets`](IoU::one_hot_targets) and [`one_hot_predictions`](IoU::one_hot_predictions) they have a last
/// axis of size `classes`, of which the greatest value counts.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{IoU, Metric};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0f32, 1.0, 0.0, 1.0]);
/// assert!((IoU::new(2, [0]).measure(&y, &p)? - 1.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.IoU`](https://keras.io/api/metrics/segmentation_metrics/).
#[derive(Clone, Debug)]
pub struct IoU(Areas);

impl IoU {
    /// Of the classes `wanted` among `classes`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{IoU, Metric};
    /// assert_eq!(IoU::new(3, [0, 2]).name(), "io_u");
    /// ```
    pub fn new(classes: usize, wanted: impl Into<Vec<usize>>) -> IoU {
        IoU(Areas::new(classes, wanted.into()))
    }

    /// Leaves out where the target is `class`: what nobody labelled.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::IoU;
    /// let metric = IoU::new(21, [1, 2]).ignore_class(255);
    /// # let _ = metric;
    /// ```
    pub fn ignore_class(mut self, class: i64) -> IoU {
        self.0.ignored = Some(class);
        self
    }

    /// Targets are one-hot rows.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::IoU;
    /// let metric = IoU::new(3, [1]).one_hot_targets();
    /// # let _ = metric;
    /// ```
    pub fn one_hot_targets(mut self) -> IoU {
        self.0.target_rows = true;
        self
    }

    /// Predictions are rows of scores, as `softmax` gives them.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::IoU;
    /// let metric = IoU::new(3, [1]).one_hot_predictions();
    /// # let _ = metric;
    /// ```
    pub fn one_hot_predictions(mut self) -> IoU {
        self.0.prediction_rows = true;
        self
    }
}

impl Metric for IoU {
    fn config(&self) -> Option<Config> {
        let config = self.0.config("IoU").field("target_class_ids", self.0.wanted.clone());
        let config = config.unless_default("sparse_y_true", !self.0.target_rows, true);
        Some(config.unless_default("sparse_y_pred", !self.0.prediction_rows, true))
    }

    fn name(&self) -> String {
        "io_u".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.result(tally)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        self.0.check_targets(targets, "io_u")
    }
}

/// The mean, over all classes, of the area that prediction and truth share by the area that either covers.
///
/// # Shape
/// As for [`IoU`].
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{MeanIoU, Metric};
/// let y = Array::from([0f32, 0.0, 1.0, 1.0]);
/// let p = Array::from([0f32, 1.0, 0.0, 1.0]);
/// assert!((MeanIoU::new(2).measure(&y, &p)? - 1.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.MeanIoU`](https://keras.io/api/metrics/segmentation_metrics/).
#[derive(Clone, Debug)]
pub struct MeanIoU(IoU);

impl MeanIoU {
    /// Of all `classes`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{MeanIoU, Metric};
    /// assert_eq!(MeanIoU::new(21).name(), "mean_io_u");
    /// ```
    pub fn new(classes: usize) -> MeanIoU {
        MeanIoU(IoU::new(classes, (0..classes).collect::<Vec<_>>()))
    }

    /// Leaves out where the target is `class`: what nobody labelled.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::MeanIoU;
    /// let metric = MeanIoU::new(21).ignore_class(255);
    /// # let _ = metric;
    /// ```
    pub fn ignore_class(self, class: i64) -> MeanIoU {
        MeanIoU(self.0.ignore_class(class))
    }

    /// Targets are one-hot rows.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::MeanIoU;
    /// let metric = MeanIoU::new(3).one_hot_targets();
    /// # let _ = metric;
    /// ```
    pub fn one_hot_targets(self) -> MeanIoU {
        MeanIoU(self.0.one_hot_targets())
    }

    /// Predictions are rows of scores, as `softmax` gives them.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::MeanIoU;
    /// let metric = MeanIoU::new(3).one_hot_predictions();
    /// # let _ = metric;
    /// ```
    pub fn one_hot_predictions(self) -> MeanIoU {
        MeanIoU(self.0.one_hot_predictions())
    }
}

impl Metric for MeanIoU {
    fn config(&self) -> Option<Config> {
        let areas = &self.0.0;
        let config = areas.config("MeanIoU").unless_default("sparse_y_true", !areas.target_rows, true);
        Some(config.unless_default("sparse_y_pred", !areas.prediction_rows, true))
    }

    fn name(&self) -> String {
        "mean_io_u".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.result(tally)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        self.0.0.check_targets(targets, "mean_io_u")
    }
}

/// [`IoU`] of chosen classes, for one-hot targets and rows of scores.
///
/// # Shape
/// Predictions and targets `[batch, .., classes]`.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, OneHotIoU};
/// let y = Array::from([[1f32, 0.0], [0.0, 1.0]]);
/// let p = Array::from([[0.8f32, 0.2], [0.4, 0.6]]);
/// assert!((OneHotIoU::new(2, [1]).measure(&y, &p)? - 1.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.OneHotIoU`](https://keras.io/api/metrics/segmentation_metrics/).
#[derive(Clone, Debug)]
pub struct OneHotIoU(IoU);

impl OneHotIoU {
    /// Of the classes `wanted` among `classes`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Metric, OneHotIoU};
    /// assert_eq!(OneHotIoU::new(3, [0, 2]).name(), "one_hot_io_u");
    /// ```
    pub fn new(classes: usize, wanted: impl Into<Vec<usize>>) -> OneHotIoU {
        OneHotIoU(IoU::new(classes, wanted).one_hot_targets().one_hot_predictions())
    }

    /// Leaves out where the target is `class`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::OneHotIoU;
    /// let metric = OneHotIoU::new(3, [1, 2]).ignore_class(0);
    /// # let _ = metric;
    /// ```
    pub fn ignore_class(self, class: i64) -> OneHotIoU {
        OneHotIoU(self.0.ignore_class(class))
    }

    /// Predictions are class numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::OneHotIoU;
    /// let metric = OneHotIoU::new(3, [1]).sparse_predictions();
    /// # let _ = metric;
    /// ```
    pub fn sparse_predictions(mut self) -> OneHotIoU {
        self.0.0.prediction_rows = false;
        self
    }
}

impl Metric for OneHotIoU {
    fn config(&self) -> Option<Config> {
        let areas = &self.0.0;
        let config = areas.config("OneHotIoU").field("target_class_ids", areas.wanted.clone());
        Some(config.unless_default("sparse_y_pred", !areas.prediction_rows, false))
    }

    fn name(&self) -> String {
        "one_hot_io_u".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.result(tally)
    }
}

/// [`MeanIoU`] for one-hot targets and rows of scores.
///
/// # Shape
/// Predictions and targets `[batch, .., classes]`.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{Metric, OneHotMeanIoU};
/// let y = Array::from([[1f32, 0.0], [0.0, 1.0]]);
/// let p = Array::from([[0.8f32, 0.2], [0.4, 0.6]]);
/// assert!((OneHotMeanIoU::new(2).measure(&y, &p)? - 1.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.OneHotMeanIoU`](https://keras.io/api/metrics/segmentation_metrics/).
#[derive(Clone, Debug)]
pub struct OneHotMeanIoU(OneHotIoU);

impl OneHotMeanIoU {
    /// Of all `classes`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::{Metric, OneHotMeanIoU};
    /// assert_eq!(OneHotMeanIoU::new(3).name(), "one_hot_mean_io_u");
    /// ```
    pub fn new(classes: usize) -> OneHotMeanIoU {
        OneHotMeanIoU(OneHotIoU::new(classes, (0..classes).collect::<Vec<_>>()))
    }

    /// Leaves out where the target is `class`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::OneHotMeanIoU;
    /// let metric = OneHotMeanIoU::new(3).ignore_class(0);
    /// # let _ = metric;
    /// ```
    pub fn ignore_class(self, class: i64) -> OneHotMeanIoU {
        OneHotMeanIoU(self.0.ignore_class(class))
    }

    /// Predictions are class numbers.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::OneHotMeanIoU;
    /// let metric = OneHotMeanIoU::new(3).sparse_predictions();
    /// # let _ = metric;
    /// ```
    pub fn sparse_predictions(self) -> OneHotMeanIoU {
        OneHotMeanIoU(self.0.sparse_predictions())
    }
}

impl Metric for OneHotMeanIoU {
    fn config(&self) -> Option<Config> {
        let areas = &self.0.0.0;
        let config = areas.config("OneHotMeanIoU");
        Some(config.unless_default("sparse_y_pred", !areas.prediction_rows, false))
    }

    fn name(&self) -> String {
        "one_hot_mean_io_u".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        self.0.update(tally, target, prediction);
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.0.result(tally)
    }
}

/// The mean of the areas that prediction and truth share by the areas that either covers, of what is there (1) and
/// what is not (0).
///
/// # Shape
/// Predictions of any shape, probabilities; targets with as many elements, 0 or 1.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::metrics::{BinaryIoU, Metric};
/// let y = Array::from([0f32, 1.0, 0.0, 1.0]);
/// let p = Array::from([0.1f32, 0.2, 0.4, 0.7]);
/// assert!((BinaryIoU.threshold(0.3).measure(&y, &p)? - 1.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.metrics.BinaryIoU`](https://keras.io/api/metrics/segmentation_metrics/).
#[derive(Clone, Debug, Default)]
pub struct BinaryIoU {
    threshold: Option<f64>,
    wanted: Option<Vec<usize>>,
}

/// Of both classes, with a threshold of 0.5.
///
/// # Example
/// ```
/// use carnyx_nn::metrics::{BinaryIoU, Metric};
/// assert_eq!(BinaryIoU.name(), "binary_io_u");
/// ```
#[allow(non_upper_case_globals)] // Named as the type, so that a metric reads the same with options and without.
pub const BinaryIoU: BinaryIoU = BinaryIoU { threshold: None, wanted: None };

impl BinaryIoU {
    /// Predictions from `threshold` on mean 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::BinaryIoU;
    /// let metric = BinaryIoU.threshold(0.3);
    /// # let _ = metric;
    /// ```
    pub fn threshold(mut self, threshold: f64) -> BinaryIoU {
        self.threshold = Some(threshold);
        self
    }

    /// Only of these classes: `[1]` for what is there.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::metrics::BinaryIoU;
    /// let metric = BinaryIoU.classes([1]);
    /// # let _ = metric;
    /// ```
    pub fn classes(mut self, wanted: impl Into<Vec<usize>>) -> BinaryIoU {
        self.wanted = Some(wanted.into());
        self
    }

    fn areas(&self) -> Areas {
        Areas::new(2, self.wanted.clone().unwrap_or_else(|| vec![0, 1]))
    }
}

impl Metric for BinaryIoU {
    fn config(&self) -> Option<Config> {
        let config = Config::new("BinaryIoU").field("target_class_ids", self.areas().wanted);
        Some(config.field("threshold", self.threshold.unwrap_or(0.5)))
    }

    fn name(&self) -> String {
        "binary_io_u".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let is_there = prediction.greater_equal(self.threshold.unwrap_or(0.5));
        self.areas().update(tally, target, &is_there.cast(DType::I64));
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        self.areas().result(tally)
    }

    fn check_targets(&self, targets: &Array, _: &Shape) -> Result {
        self.areas().check_targets(targets, "binary_io_u")
    }
}

/// What all of them count.
#[derive(Clone, Debug)]
struct Areas {
    classes: usize,
    wanted: Vec<usize>,
    ignored: Option<i64>,
    target_rows: bool,
    prediction_rows: bool,
}

impl Areas {
    fn new(classes: usize, wanted: Vec<usize>) -> Areas {
        Areas { classes, wanted, ignored: None, target_rows: false, prediction_rows: false }
    }

    fn config(&self, class: &'static str) -> Config {
        let config = Config::new(class).field("num_classes", self.classes);
        self.ignored.into_iter().fold(config, |config, class| config.field("ignore_class", class))
    }

    #[track_caller]
    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        if let Err(error) = self.check(target, prediction) {
            return tally.refuse(error);
        }
        let numbers = |x: &Tensor, rows: bool| if rows { x.arg_max(-1) } else { x.cast(DType::I64) };
        let (y, p) = (numbers(target, self.target_rows), numbers(prediction, self.prediction_rows));
        if y.shape().elements() != p.shape().elements() {
            return tally.refuse(
                misfit(target, prediction)
                    .label("each prediction is compared with one target")
                    .help("rows of scores need `one_hot_predictions`, one-hot rows `one_hot_targets`"),
            );
        }
        let p = p.reshape(y.shape());
        let classes = self.classes as i64;
        let is_class = |x: &Tensor| x.greater_equal(0i64).logical_and(x.less(classes));
        let mut counts = is_class(&y).logical_and(is_class(&p));
        if let Some(ignored) = self.ignored {
            counts = counts.logical_and(y.not_equal(ignored));
        }
        let place = counts.select(&y * classes + p, 0i64);
        let amounts = tally.weigh(&counts.cast(DType::F64));
        let flat = |x: &Tensor| x.reshape([x.shape().elements().unwrap_or(0)]);
        tally.add("matrix", &flat(&amounts).scatter_add(0, self.classes * self.classes, &flat(&place)));
    }

    fn check(&self, target: &Tensor, prediction: &Tensor) -> Result {
        target.check()?;
        prediction.check()?;
        if let Some(class) = self.wanted.iter().find(|class| **class >= self.classes) {
            return Err(Error::new("metric", format!("the class {class} of {}", self.classes))
                .label("classes count from 0")
                .help("take a smaller class, or more classes"));
        }
        let is_row = |x: &Tensor, rows: bool| !rows || x.rank() > 1 && x.dim(-1) == self.classes;
        if is_row(target, self.target_rows) && is_row(prediction, self.prediction_rows) {
            return Ok(());
        }
        Err(misfit(target, prediction)
            .label(format!("the metric is of {} classes: one-hot rows have as many columns", self.classes))
            .help("give the metric as many classes as the last layer has units"))
    }

    fn check_targets(&self, targets: &Array, name: &str) -> Result {
        if self.target_rows {
            return Ok(());
        }
        let is_class = |value: f64| value >= 0.0 && value < self.classes as f64 && value.fract() == 0.0;
        let is_ignored = |value: f64| self.ignored.is_some_and(|class| class as f64 == value);
        match first_row_where(targets, |value| !is_class(value) && !is_ignored(value)) {
            Some((row, value)) => Err(Error::new(
                "data",
                format!(
                    "target {value} in row {row}, but the metric `{name}` is of {} classes",
                    self.classes
                ),
            )
            .help(
                "count the classes from 0; `ignore_class` leaves one out, such as 255 for what has no label",
            )),
            None => Ok(()),
        }
    }

    fn result(&self, tally: &Tally) -> Result<f64> {
        let matrix = tally.total("matrix")?.to_vec::<f64>();
        let n = self.classes;
        if matrix.len() != n * n {
            return Ok(0.0); // Nothing was added yet.
        }
        let (mut sum, mut present) = (0.0, 0.0);
        for &class in &self.wanted {
            let shared = matrix[class * n + class];
            let truth: f64 = matrix[class * n..(class + 1) * n].iter().sum();
            let predicted: f64 = (0..n).map(|row| matrix[row * n + class]).sum();
            let covered = truth + predicted - shared;
            if covered > 1e-9 {
                sum += shared / (covered + EPSILON);
                present += 1.0;
            }
        }
        Ok(sum / (present + EPSILON))
    }
}
