//! Which batch sizes are compared, and how each of them is trained.

use crate::training::Training;
use carnyx_graph::{Error, Result};
use carnyx_nn::{ClassWeight, Data, Fit};

/// How the learning rate goes with the batch size.
///
/// # Example
/// ```
/// use carnyx_tune::RateScaling;
/// assert_eq!(RateScaling::Linear.factor(128, 32), 4.0);
/// assert_eq!(RateScaling::SquareRoot.factor(128, 32), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateScaling {
    /// `k` times the batch, `k` times the rate: one step is to go as far as the `k` small ones that it stands for. For
    /// gradient descent, with and without momentum (Goyal et al., 2017).
    #[default]
    Linear,
    /// `k` times the batch, `√k` times the rate: the noise of the steps stays the same. For Adam and its like (Krizhevsky,
    /// [*One weird trick for parallelizing convolutional neural networks*](https://arxiv.org/abs/1404.5997), 2014).
    SquareRoot,
    /// The same rate for all sizes.
    None,
}

impl RateScaling {
    /// By what the rate of batches of `base` samples is multiplied for batches of `batch_size`.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::RateScaling;
    /// assert_eq!(RateScaling::None.factor(128, 32), 1.0);
    /// ```
    pub fn factor(self, batch_size: usize, base: usize) -> f64 {
        let ratio = batch_size as f64 / base as f64;
        match self {
            RateScaling::Linear => ratio,
            RateScaling::SquareRoot => ratio.sqrt(),
            RateScaling::None => 1.0,
        }
    }
}

/// Batch sizes, and how they are compared: for 3 epochs, on a fifth of the data, with a learning rate that grows in
/// proportion to the size and is the model's own for the smallest one.
///
/// # Example
/// ```
/// use carnyx_tune::{BatchSizes, RateScaling};
/// let sizes = BatchSizes::from([32, 256]).epochs(10).scale(RateScaling::SquareRoot);
/// # let _ = sizes;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct BatchSizes {
    pub(super) sizes: Vec<usize>,
    pub(super) epochs: usize,
    pub(super) warm_up: usize,
    scaling: RateScaling,
    base: Option<usize>,
    validation: Option<Data>,
    validation_split: f64,
    training: Training,
}

impl<const N: usize> From<[usize; N]> for BatchSizes {
    fn from(sizes: [usize; N]) -> BatchSizes {
        BatchSizes::from(sizes.to_vec())
    }
}

impl From<&[usize]> for BatchSizes {
    fn from(sizes: &[usize]) -> BatchSizes {
        BatchSizes::from(sizes.to_vec())
    }
}

impl From<Vec<usize>> for BatchSizes {
    fn from(sizes: Vec<usize>) -> BatchSizes {
        BatchSizes {
            sizes,
            epochs: 3,
            warm_up: 0,
            scaling: RateScaling::default(),
            base: None,
            validation: None,
            validation_split: 0.2,
            training: Training::default(),
        }
    }
}

impl BatchSizes {
    /// How many epochs each size is trained for; 3 without it. The work is the same for all, the steps are not.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([32, 256]).epochs(10);
    /// # let _ = sizes;
    /// ```
    pub fn epochs(mut self, epochs: usize) -> BatchSizes {
        self.epochs = epochs;
        self
    }

    /// How the learning rate goes with the size.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::{BatchSizes, RateScaling};
    /// let sizes = BatchSizes::from([32, 256]).scale(RateScaling::None);
    /// # let _ = sizes;
    /// ```
    pub fn scale(mut self, scaling: RateScaling) -> BatchSizes {
        self.scaling = scaling;
        self
    }

    /// The batch size that the model's learning rate is meant for; without it, the smallest one of those compared.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([128, 256]).base(32);
    /// # let _ = sizes;
    /// ```
    pub fn base(mut self, batch_size: usize) -> BatchSizes {
        self.base = Some(batch_size);
        self
    }

    /// For so many epochs, the rate grows with every step: from the one of the base size to that of the size, or from 0
    /// where both are the same. None without it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([32, 256]).epochs(10).warm_up(2);
    /// # let _ = sizes;
    /// ```
    pub fn warm_up(mut self, epochs: usize) -> BatchSizes {
        self.warm_up = epochs;
        self
    }

    /// The validation data, instead of a part of the data.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_tune::BatchSizes;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let sizes = BatchSizes::from([32, 256]).validation((&x, &y));
    /// # let _ = sizes;
    /// ```
    pub fn validation(mut self, data: impl Into<Data>) -> BatchSizes {
        self.validation = Some(data.into());
        self
    }

    /// The part of the data, at its end, that is for validation; 0.2 without it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([32, 256]).validation_split(0.1);
    /// # let _ = sizes;
    /// ```
    pub fn validation_split(mut self, share: f64) -> BatchSizes {
        self.validation_split = share;
        self
    }

    /// The seed of shuffling and random layers; the model's own without it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([32, 256]).seed(7);
    /// # let _ = sizes;
    /// ```
    pub fn seed(mut self, seed: u64) -> BatchSizes {
        self.training.seed = Some(seed);
        self
    }

    /// How much the classes count, as in [`Fit::class_weight`].
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::ClassWeight;
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([32, 256]).class_weight(ClassWeight::balanced());
    /// # let _ = sizes;
    /// ```
    pub fn class_weight(mut self, weights: impl Into<ClassWeight>) -> BatchSizes {
        self.training.weigh(None, weights);
        self
    }

    /// How much the classes of one output count, as in [`Fit::class_weight_on`].
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::BatchSizes;
    /// let sizes = BatchSizes::from([32, 256]).class_weight_on("kind", [(0, 1.0), (1, 5.0)]);
    /// # let _ = sizes;
    /// ```
    pub fn class_weight_on(mut self, output: &str, weights: impl Into<ClassWeight>) -> BatchSizes {
        self.training.weigh(Some(output), weights);
        self
    }

    /// By what the model's learning rate is multiplied for batches of this size.
    pub(super) fn rate_factor(&self, batch_size: usize) -> f64 {
        let smallest = self.sizes.iter().copied().min().unwrap_or(batch_size);
        self.scaling.factor(batch_size, self.base.unwrap_or(smallest))
    }

    /// The number of samples to learn from, of `samples` in all.
    pub(super) fn check(&self, samples: usize) -> Result<usize> {
        let error = |title: String| Error::new("sweep", title);
        if self.sizes.is_empty() {
            return Err(error("a sweep of no batch sizes".into()).help("give at least one: `[16, 32, 64]`"));
        }
        if self.sizes.contains(&0) || self.base == Some(0) {
            return Err(error("a batch needs at least one sample".into())
                .label(format!("the sizes are {:?}", self.sizes))
                .help("leave the 0 out"));
        }
        if self.epochs == 0 {
            return Err(error("a sweep of 0 epochs".into()).help("`.epochs(3)` is the default"));
        }
        let split = self.validation_split;
        if self.validation.is_none() && !(split > 0.0 && split < 1.0) {
            return Err(error(format!("a validation split of {split}"))
                .label("sizes are compared by their validation loss: it is more than 0 and less than 1")
                .help("`.validation_split(0.2)` is the default; `.validation((&x, &y))` gives other data"));
        }
        let training = match self.validation {
            Some(_) => samples,
            None => (samples as f64 * (1.0 - split)).floor() as usize,
        };
        match self.sizes.iter().find(|size| **size > training) {
            Some(size) if samples > 0 => {
                Err(error(format!("batches of {size} samples, but there are {training} to learn from"))
                    .label("a larger batch than all samples is all samples")
                    .help("leave such sizes out, or give more data"))
            }
            _ => Ok(training),
        }
    }

    /// A fit with these options.
    pub(super) fn options<'f>(&self, fit: Fit<'f>) -> Fit<'f> {
        let fit = match &self.validation {
            Some(data) => fit.validation(data.clone()),
            None => fit.validation_split(self.validation_split),
        };
        self.training.options(fit)
    }
}
