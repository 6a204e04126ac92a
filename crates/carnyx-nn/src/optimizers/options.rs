//! What every optimizer can do beside its rule: clipped gradients, decaying weights, averages of weights, gradients
//! of several batches.

use super::{Bounds, Optimizer, Setting};
use carnyx_graph::{Error, Result};

/// Options of every optimizer, chained on a rule or on an [`Optimizer`].
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Adam, OptimizerOptions};
/// let optimizer = Adam::new(1e-3).global_clip_norm(1.0).weight_decay(0.01).exclude_from_weight_decay(["bias"]);
/// assert!(optimizer.check().is_ok());
/// ```
pub trait OptimizerOptions: Into<Optimizer> {
    /// Gradients are cut off at `-limit` and `limit`, element by element.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{OptimizerOptions, Sgd};
    /// let optimizer = Sgd::new(0.01).clip_value(0.5);
    /// # let _ = optimizer;
    /// ```
    fn clip_value(self, limit: f64) -> Optimizer {
        with(self, |options| options.clip_value = Some(limit))
    }

    /// A gradient that is longer than `limit` is shortened to it, each weight's on its own.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{OptimizerOptions, Sgd};
    /// let optimizer = Sgd::new(0.01).clip_norm(1.0);
    /// # let _ = optimizer;
    /// ```
    fn clip_norm(self, limit: f64) -> Optimizer {
        with(self, |options| options.clip_norm = Some(limit))
    }

    /// Where the gradients of all weights together are longer than `limit`, all are shortened by the same factor: the
    /// direction stays.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{OptimizerOptions, Sgd};
    /// let optimizer = Sgd::new(0.01).global_clip_norm(1.0);
    /// # let _ = optimizer;
    /// ```
    ///
    /// Reference: Pascanu et al., [*On the difficulty of training Recurrent Neural
    /// Networks*](https://arxiv.org/abs/1211.5063), 2013.
    fn global_clip_norm(self, limit: f64) -> Optimizer {
        with(self, |options| options.global_clip_norm = Some(limit))
    }

    /// Before each step, weights lose a share of themselves: `w ← w - w · decay · η`, apart from the gradient.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{OptimizerOptions, Sgd};
    /// let optimizer = Sgd::new(0.01).momentum(0.9).weight_decay(1e-4);
    /// # let _ = optimizer;
    /// ```
    ///
    /// Reference: Loshchilov and Hutter, [*Decoupled Weight Decay
    /// Regularization*](https://arxiv.org/abs/1711.05101), 2017.
    fn weight_decay(self, decay: f64) -> Optimizer {
        with(self, |options| options.weight_decay = Some(decay))
    }

    /// Weights whose paths contain one of `parts` do not decay: `"bias"`, `"batch_normalization"`,
    /// `"dense_1/kernel"`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{AdamW, OptimizerOptions};
    /// let optimizer = AdamW::new(1e-3).exclude_from_weight_decay(["bias", "gamma", "beta"]);
    /// # let _ = optimizer;
    /// ```
    fn exclude_from_weight_decay<S: Into<String>>(self, parts: impl IntoIterator<Item = S>) -> Optimizer {
        with(self, |options| options.without_decay.extend(parts.into_iter().map(Into::into)))
    }

    /// Keeps a moving average of each weight, `a ← μ a + (1 - μ) w`, which begins with the weights after the first
    /// step. At the end of a fit the weights become their averages. 0.99 is Keras's default for `momentum`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adam, OptimizerOptions};
    /// let optimizer = Adam::new(1e-3).moving_average(0.99);
    /// # let _ = optimizer;
    /// ```
    ///
    /// Reference: Polyak and Juditsky, *Acceleration of Stochastic Approximation by Averaging*, 1992.
    fn moving_average(self, momentum: f64) -> Optimizer {
        with(self, |options| options.average = Some(Average { momentum, overwrite_every: None }))
    }

    /// The weights become their averages after every `steps` steps too, and training goes on from there. Comes after
    /// [`moving_average`](OptimizerOptions::moving_average); without one it does nothing.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adam, OptimizerOptions};
    /// let optimizer = Adam::new(1e-3).moving_average(0.99).overwrite_with_average_every(100);
    /// # let _ = optimizer;
    /// ```
    fn overwrite_with_average_every(self, steps: usize) -> Optimizer {
        with(self, |options| {
            if let Some(average) = &mut options.average {
                average.overwrite_every = Some(steps);
            }
        })
    }

    /// Each step uses the mean of the gradients of `steps` batches, as if they were one batch: what is too large for
    /// the memory is learned in parts. Between the steps no weight changes.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adam, OptimizerOptions};
    /// let optimizer = Adam::new(1e-3).gradient_accumulation_steps(4);
    /// # let _ = optimizer;
    /// ```
    fn gradient_accumulation_steps(self, steps: usize) -> Optimizer {
        // One batch is what a step has anyway.
        with(self, |options| options.accumulation = Some(steps).filter(|steps| *steps != 1))
    }
}

impl<O: Into<Optimizer>> OptimizerOptions for O {}

fn with(optimizer: impl Into<Optimizer>, change: impl FnOnce(&mut Options)) -> Optimizer {
    let mut optimizer = optimizer.into();
    change(&mut optimizer.options);
    optimizer
}

/// The options of an optimizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) clip_value: Option<f64>,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) global_clip_norm: Option<f64>,
    pub(crate) weight_decay: Option<f64>,
    /// Parts of the paths of weights that do not decay.
    pub(crate) without_decay: Vec<String>,
    pub(crate) average: Option<Average>,
    /// The batches of a step.
    pub(crate) accumulation: Option<usize>,
}

/// A moving average of the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Average {
    pub(crate) momentum: f64,
    pub(crate) overwrite_every: Option<usize>,
}

impl Options {
    /// That every option is in its range, and that only one of them clips.
    pub(super) fn check(&self, optimizer: &str) -> Result {
        let clipping = [
            ("clip_value", self.clip_value),
            ("clip_norm", self.clip_norm),
            ("global_clip_norm", self.global_clip_norm),
        ];
        let mut settings = Vec::new();
        let mut add = |name, value: Option<f64>, bounds| {
            settings.extend(value.map(|value| Setting::new(name, value, bounds)));
        };
        clipping.into_iter().for_each(|(name, limit)| add(name, limit, Bounds::Positive));
        add("weight_decay", self.weight_decay, Bounds::NotNegative);
        add("moving_average", self.average.map(|average| average.momentum), Bounds::Share);
        settings.iter().try_for_each(|setting| setting.check(optimizer))?;
        let steps = [
            ("overwrite_with_average_every", self.average.and_then(|average| average.overwrite_every), 1),
            ("gradient_accumulation_steps", self.accumulation, 1),
        ];
        for (name, steps, least) in steps {
            if let Some(steps) = steps.filter(|steps| *steps < least) {
                return Err(Error::new(
                    "optimizer",
                    format!("`{name}` of the optimizer `{optimizer}` is {steps}"),
                )
                .label(format!("it should be a whole number from {least} on")));
            }
        }
        let given: Vec<String> = clipping
            .iter()
            .filter(|(_, limit)| limit.is_some())
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        if given.len() > 1 {
            return Err(Error::new(
                "optimizer",
                format!("the optimizer `{optimizer}` is to clip gradients in {} ways", given.len()),
            )
            .label(format!("{} are given", given.join(", ")))
            .help("keep one of them"));
        }
        Ok(())
    }
}
