//! What a sweep of batch sizes found: a row for each size, a table, two charts.

use crate::learning_rate::Rate;
use carnyx_plot::{Figure, LineChart};
use std::fmt;

/// What a sweep of batch sizes found.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::SweepBatchSize;
/// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
/// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.02), MeanSquaredError);
/// let sweep = model.sweep_batch_size((&x, &y), [10, 40])?;
/// let best = sweep.best().unwrap();
/// println!("{sweep}\nthe best one: {}", best.batch_size);
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("batch_size.svg");
/// sweep.plot().save(&path)?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BatchSizeSweep {
    /// The sizes, in the order in which they were given.
    pub rows: Vec<BatchSizeRow>,
    /// How many epochs each of them was trained for.
    pub epochs: usize,
    /// How many samples an epoch has.
    pub samples: usize,
}

/// One batch size.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::SweepBatchSize;
/// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
/// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.02), MeanSquaredError);
/// let sweep = model.sweep_batch_size((&x, &y), [10, 40])?;
/// let row = &sweep.rows[0];
/// assert_eq!((row.batch_size, row.steps_per_epoch), (10, 16)); // of the 160 samples that are not for validation
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSizeRow {
    /// Samples in a batch.
    pub batch_size: usize,
    /// The learning rate, after a warm-up if there was one.
    pub learning_rate: f64,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Seconds that the training of an epoch takes, without validation: the median of the epochs but the first.
    pub seconds_per_epoch: f64,
    /// Samples that are learned from in a second.
    pub samples_per_second: f64,
    /// The training loss of the last epoch; NaN if it was no finite number on the way.
    pub loss: f64,
    /// The validation loss after the last epoch; NaN if the training loss was no finite number on the way.
    pub val_loss: f64,
}

impl BatchSizeSweep {
    /// The size with the lowest validation loss; `None` if all have diverged.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepBatchSize;
    /// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.02), MeanSquaredError);
    /// let sweep = model.sweep_batch_size((&x, &y), [10, 40])?;
    /// let lowest = sweep.rows.iter().map(|row| row.val_loss).fold(f64::INFINITY, f64::min);
    /// assert_eq!(sweep.best().unwrap().val_loss, lowest);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn best(&self) -> Option<&BatchSizeRow> {
        self.learned().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))
    }

    /// The size that learns from most samples in a second.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepBatchSize;
    /// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.02), MeanSquaredError);
    /// let sweep = model.sweep_batch_size((&x, &y), [10, 40])?;
    /// assert!(sweep.fastest().unwrap().samples_per_second >= sweep.rows[0].samples_per_second);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn fastest(&self) -> Option<&BatchSizeRow> {
        self.learned().max_by(|a, b| a.samples_per_second.total_cmp(&b.samples_per_second))
    }

    /// Validation loss and samples per second over the batch size. `.save("batch_size.svg")` writes it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::SweepBatchSize;
    /// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
    /// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.02), MeanSquaredError);
    /// let sweep = model.sweep_batch_size((&x, &y), [10, 40])?;
    /// assert!(sweep.plot().to_svg()?.contains("batch size"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn plot(&self) -> Figure {
        let mut rows: Vec<&BatchSizeRow> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.batch_size);
        let points = |value: fn(&BatchSizeRow) -> f64| -> Vec<(f64, f64)> {
            rows.iter().map(|row| (row.batch_size as f64, value(row))).collect()
        };
        let panel = |title: &str| LineChart::new(title).x_label("batch size").y_label(title).log_x();
        let speed =
            panel("samples per second").series("samples per second", &points(|row| row.samples_per_second));
        // What has diverged has no loss to be drawn.
        if self.best().is_none() {
            return Figure::new().panel(speed);
        }
        let losses = panel("loss")
            .series("loss", &points(|row| row.loss))
            .dashed("val_loss", &points(|row| row.val_loss));
        Figure::new().panel(losses).panel(speed)
    }

    fn learned(&self) -> impl Iterator<Item = &BatchSizeRow> {
        self.rows.iter().filter(|row| row.val_loss.is_finite())
    }

    /// The best and the fastest size, and what one pays for the other.
    fn words(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (Some(best), Some(fastest)) = (self.best(), self.fastest()) else {
            return f.write_str("every size has diverged: lower the learning rate");
        };
        if best.batch_size == fastest.batch_size {
            return write!(f, "{} is the best and the fastest", best.batch_size);
        }
        let times = fastest.samples_per_second / best.samples_per_second;
        let worse = 100.0 * (fastest.val_loss - best.val_loss) / best.val_loss.abs();
        write!(
            f,
            "{} is the best; {} is {times:.1} times as fast, and its validation loss {worse:.1} % higher",
            best.batch_size, fastest.batch_size
        )
    }
}

impl fmt::Display for BatchSizeSweep {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{} epochs of {} samples each", self.epochs, self.samples)?;
        writeln!(f, "batch size  learning rate  steps/epoch  s/epoch  samples/s      loss  val_loss")?;
        for row in &self.rows {
            let loss =
                |loss: f64| if loss.is_finite() { format!("{loss:.4}") } else { "diverged".to_owned() };
            writeln!(
                f,
                "{:>10}  {:>13}  {:>11}  {:>7.3}  {:>9.0}  {:>8}  {:>8}",
                row.batch_size,
                Rate(row.learning_rate).to_string(),
                row.steps_per_epoch,
                row.seconds_per_epoch,
                row.samples_per_second,
                loss(row.loss),
                loss(row.val_loss)
            )?;
        }
        self.words(f)
    }
}
