//! What a user says of a fit, and whether it makes sense together with the data.

use crate::batches::{Samples, Source};
use crate::callbacks::{Callback, Callbacks};
use crate::models::trace::Core;
use crate::progress::Verbosity;
use crate::weights::ClassWeight;
use carnyx_graph::{Error, Result};
use std::panic::Location;
use std::sync::Arc;

/// How to fit: options with defaults.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::{Fit, Verbosity};
/// let (x, y) = (Array::full([8, 2], 0f32), Array::full([8], 0f32));
/// let fit = Fit::epochs(30).batch_size(32).validation((&x, &y)).verbose(Verbosity::Silent);
/// ```
#[must_use]
pub struct Fit<'a> {
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) shuffle: bool,
    pub(super) steps_per_epoch: Option<usize>,
    pub(super) validation: Option<Source<'a>>,
    pub(super) validation_steps: Option<usize>,
    pub(super) validation_split: f64,
    pub(super) head_report: bool,
    pub(super) class_weights: Vec<(Option<Arc<str>>, ClassWeight)>,
    pub(super) verbosity: Verbosity,
    pub(super) seed: Option<u64>,
    pub(super) callbacks: Callbacks<'a>,
}

impl<'a> Fit<'a> {
    /// That many passes through the data, in shuffled batches of 32.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(3);
    /// # let _ = fit;
    /// ```
    pub fn epochs(epochs: usize) -> Fit<'a> {
        Fit {
            epochs,
            batch_size: 32,
            shuffle: true,
            steps_per_epoch: None,
            validation: None,
            validation_steps: None,
            validation_split: 0.0,
            head_report: false,
            class_weights: Vec::new(),
            verbosity: Verbosity::default(),
            seed: None,
            callbacks: Callbacks::new(),
        }
    }

    /// The number of samples in a step; the last batch of an epoch may be smaller. Streams come in batches already.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(3).batch_size(64);
    /// # let _ = fit;
    /// ```
    pub fn batch_size(mut self, batch_size: usize) -> Fit<'a> {
        self.batch_size = batch_size;
        self
    }

    /// The number of samples in a step that was chosen.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// assert_eq!(Fit::epochs(3).chosen_batch_size(), 32); // unless given
    /// assert_eq!(Fit::epochs(3).batch_size(64).chosen_batch_size(), 64);
    /// ```
    pub fn chosen_batch_size(&self) -> usize {
        self.batch_size
    }

    /// Whether each epoch takes the samples in another order (the default). Streams come in an order of their own.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(3).shuffle(false);
    /// # let _ = fit;
    /// ```
    pub fn shuffle(mut self, shuffle: bool) -> Fit<'a> {
        self.shuffle = shuffle;
        self
    }

    /// Data to evaluate after each epoch: `val_loss` and so on.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_nn::Fit;
    /// let (x, y) = (Array::full([8, 3], 1f32), Array::full([8], 0u8));
    /// let fit = Fit::epochs(3).validation((&x, &y));
    /// # let _ = fit;
    /// ```
    pub fn validation<Kind>(mut self, data: impl Samples<'a, Kind>) -> Fit<'a> {
        self.validation = Some(data.source());
        self
    }

    /// How many batches an epoch is: for streams without an end, for iterators, and for epochs that are shorter than the
    /// data, so that validation and callbacks come more often. Each epoch goes on where the one before ended. A stream
    /// is opened anew at its end; of arrays in memory another pass begins, in another order, be it within an epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let mut model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError);
    /// let endless = (0..).map(|i| (Array::full([8, 3], (i % 7) as f32 / 7.0), Array::full([8], 1f32)));
    /// let history = model.fit(endless, Fit::epochs(3).steps_per_epoch(10).verbose(Verbosity::Silent))?;
    /// assert_eq!(history.epochs.len(), 3);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn steps_per_epoch(mut self, steps: usize) -> Fit<'a> {
        self.steps_per_epoch = Some(steps);
        self
    }

    /// How many batches of the validation data are evaluated after each epoch, from their beginning: of arrays in memory,
    /// so many times the [`batch_size`](Fit::batch_size), or all of them, if they are fewer.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(3).validation_steps(20);
    /// # let _ = fit;
    /// ```
    pub fn validation_steps(mut self, steps: usize) -> Fit<'a> {
        self.validation_steps = Some(steps);
        self
    }

    /// After each epoch, measures what each output of a model with several outputs teaches the layers that they
    /// share: its part of the gradient, and whether the outputs pull in the same direction. On the first samples of
    /// the training data; the numbers are in the logs, and [`History::heads`](crate::History::heads) shows them together.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(20).head_report();
    /// # let _ = fit;
    /// ```
    pub fn head_report(mut self) -> Fit<'a> {
        self.head_report = true;
        self
    }

    /// How much the samples of each class count in training, on every output that has no
    /// [class weights of its own](Fit::class_weight_on): by class, where those left out count 1, or by a rule. They
    /// multiply the [weights of the samples](crate::Data::sample_weight). Validation and evaluation know nothing of them.
    ///
    /// Targets may be class numbers, one-hot rows, or 0 and 1 for one unit. With [`Verbosity::Line`], the part of all
    /// weight that each class has is printed before the first epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// use carnyx_nn::{ClassWeight, Fit};
    /// let fit = Fit::epochs(3).class_weight([(0, 1.0), (1, 50.0)]);
    /// let fit = Fit::epochs(3).class_weight(ClassWeight::balanced());
    /// # let _ = fit;
    /// ```
    ///
    /// Reference: `class_weight` of [`keras.Model.fit`](https://keras.io/api/models/model_training_apis/), which takes no
    /// weights of samples beside them, and no more than one output.
    pub fn class_weight(mut self, weights: impl Into<ClassWeight>) -> Fit<'a> {
        self.class_weights.push((None, weights.into()));
        self
    }

    /// How much the samples of each class count in training, on the output of that name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let x = Tensor::input("x", [3]);
    /// # let (kind, price) = (Dense::new(2).activation(Softmax).apply(&x), Dense::new(1).apply(&x));
    /// # let (data, y) = (Array::full([8, 3], 1f32), Array::from([0u8, 0, 0, 0, 0, 0, 0, 1]));
    /// let mut model = Functional::new(&x, [("kind", &kind), ("price", &price)])?.compile(
    ///     Sgd::new(0.01),
    ///     [SparseCategoricalCrossentropy.on("kind"), MeanSquaredError.on("price")],
    /// );
    /// let fit = Fit::epochs(3).class_weight_on("kind", ClassWeight::balanced()).verbose(Verbosity::Silent);
    /// assert!(model.fit((&data, [&y, &y]), fit).is_ok());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn class_weight_on(mut self, output: &str, weights: impl Into<ClassWeight>) -> Fit<'a> {
        self.class_weights.push((Some(output.into()), weights.into()));
        self
    }

    /// The same options with validation data in the order of the model.
    pub(crate) fn ordered(mut self, core: &Core, site: &'static Location<'static>) -> Result<Fit<'a>> {
        self.validation = self.validation.take().map(|data| data.ordered(core, site)).transpose()?;
        Ok(self)
    }

    /// The last part of the data is not learned from, but evaluated after each epoch. It is taken before shuffling.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(3).validation_split(0.1); // the last tenth
    /// # let _ = fit;
    /// ```
    pub fn validation_split(mut self, share: f64) -> Fit<'a> {
        self.validation_split = share;
        self
    }

    /// How much is printed.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Fit, Verbosity};
    /// let fit = Fit::epochs(3).verbose(Verbosity::Silent);
    /// # let _ = fit;
    /// ```
    pub fn verbose(mut self, verbosity: Verbosity) -> Fit<'a> {
        self.verbosity = verbosity;
        self
    }

    /// The seed of the order of samples and of random layers in this fit; the model's, unless given.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(3).seed(42);
    /// # let _ = fit;
    /// ```
    pub fn seed(mut self, seed: u64) -> Fit<'a> {
        self.seed = Some(seed);
        self
    }

    /// Something that happens around epochs and batches.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Fit, callbacks::at_epoch_end};
    /// let fit = Fit::epochs(3).callback(at_epoch_end(|run| {
    ///     run.optimizer.learning_rate *= 0.5;
    ///     Ok(())
    /// }));
    /// # let _ = fit;
    /// ```
    pub fn callback(mut self, callback: impl Callback + 'a) -> Fit<'a> {
        self.callbacks = self.callbacks.callback(callback);
        self
    }

    /// Tells streams what the options say of them.
    pub(super) fn prepare_streams(&mut self, training: &mut Source) -> Result {
        let error = |title: String| Error::new("fit", title);
        if self.steps_per_epoch == Some(0) {
            return Err(error("an epoch of no steps".into()).help("give `.steps_per_epoch(..)` at least 1"));
        }
        if self.validation_steps == Some(0) {
            return Err(
                error("validation of no steps".into()).help("give `.validation_steps(..)` at least 1")
            );
        }
        match training {
            Source::Memory(_) => {}
            Source::Stream(stream) => {
                if self.validation_split != 0.0 {
                    return Err(error("a validation split of a stream".into())
                        .label("nobody knows where the last part of a stream begins")
                        .help("divide the source, and give a part of it to `.validation(..)`"));
                }
                if stream.is_one_pass() && self.steps_per_epoch.is_none() && self.epochs > 1 {
                    return Err(error(format!("{} epochs of what can be walked only once", self.epochs))
                        .label("an iterator is at its end after the first epoch")
                        .help("say with `.steps_per_epoch(..)` how much of it an epoch is, or open it anew for each \
                               epoch: `Stream::each_epoch(..)`"));
                }
                if !self.class_weights.iter().all(|(_, weights)| weights.is_given()) {
                    return Err(error("class weights by a rule, for a stream".into())
                        .label("the rule has to count the classes, which come one after the other")
                        .help(
                            "count them once, and give the weights: `.class_weight([(0, 1.0), (1, 50.0)])`",
                        ));
                }
                stream.weigh_classes(self.class_weights.clone().into());
                if let Some(steps) = self.steps_per_epoch {
                    stream.share(steps);
                }
            }
        }
        match &mut self.validation {
            Some(Source::Stream(stream)) => {
                if stream.is_one_pass() && self.epochs > 1 {
                    return Err(error("validation data that can be walked only once".into())
                        .label(format!("they are evaluated after each of {} epochs", self.epochs))
                        .help("open them anew for each epoch: `Stream::each_epoch(..)`"));
                }
                if let Some(steps) = self.validation_steps {
                    stream.limit(steps);
                }
                Ok(())
            }
            None if self.validation_steps.is_some() && self.validation_split == 0.0 => {
                Err(error("validation steps without validation data".into())
                    .help("give the data: `.validation(..)`, or `.validation_split(0.1)` of those in memory"))
            }
            Some(Source::Memory(_)) | None => Ok(()),
        }
    }

    /// The most rows of arrays in memory that are evaluated after an epoch.
    pub(super) fn most_validated(&self) -> usize {
        self.validation_steps.map_or(usize::MAX, |steps| steps.saturating_mul(self.batch_size))
    }

    /// How many of `samples` are learned from.
    pub(super) fn check(&self, samples: usize) -> Result<usize> {
        let error = |title: String| Error::new("fit", title);
        if self.batch_size == 0 {
            return Err(
                error("a batch needs at least one sample".into()).help("`.batch_size(32)` is the default")
            );
        }
        if self.validation_split == 0.0 {
            return Ok(samples);
        }
        if !(0.0..1.0).contains(&self.validation_split) {
            return Err(error(format!("a validation split of {}", self.validation_split))
                .label("it is the share of the samples that are not learned from: more than 0, less than 1")
                .help("`.validation_split(0.1)` keeps the last tenth"));
        }
        if self.validation.is_some() {
            return Err(
                error("both validation data and a validation split".into()).help("leave one of them out")
            );
        }
        let training = (samples as f64 * (1.0 - self.validation_split)).floor() as usize;
        if training == 0 || training == samples {
            return Err(error(format!(
                "a validation split of {} leaves a part of {samples} samples empty",
                { self.validation_split }
            )));
        }
        Ok(training)
    }
}
