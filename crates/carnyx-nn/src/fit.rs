//! The training loop: the only one.
//!
//! Each step runs one prepared program on rows that the executor gathers itself; the loop allocates nothing. The
//! order of the samples depends on the seed and the epoch's number only, so a fit that is continued sees the order
//! that one long fit would have seen.

use crate::batches::{Samples, Source};
use crate::callbacks::{Callback, Callbacks, Moment, Plan, Running, Watching};
use crate::data::{Data, Role};
use crate::diversity::warn_of_identical_units;
use crate::history::{History, Logs};
use crate::models::trace::{Core, Prepared};
use crate::optimizers::Optimizer;
use crate::progress::{Progress, Verbosity};
use crate::steps::{Steps, emptied};
use crate::weights::ClassWeight;
use carnyx_graph::graph::Body;
use carnyx_graph::{Bindings, Error, Feed, Outcome, Result};
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

/// Samples in a batch of evaluation or prediction: large enough to be fast, and no result depends on it.
pub(crate) const EVALUATION_BATCH: usize = 1024;

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
    epochs: usize,
    batch_size: usize,
    shuffle: bool,
    steps_per_epoch: Option<usize>,
    validation: Option<Source<'a>>,
    validation_steps: Option<usize>,
    validation_split: f64,
    head_report: bool,
    class_weights: Vec<(Option<Arc<str>>, ClassWeight)>,
    verbosity: Verbosity,
    seed: Option<u64>,
    callbacks: Callbacks<'a>,
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

    /// How many batches of a stream an epoch is: for streams without an end, for iterators, and for epochs that are
    /// shorter than the data. Each epoch goes on where the one before ended, and opens the stream anew at its end.
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

    /// How many batches of a stream of validation data are evaluated after each epoch, from its beginning.
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
    /// the training data; the numbers are in the logs, and [`History::heads`] shows them together.
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
    /// multiply the [weights of the samples](Data::sample_weight). Validation and evaluation know nothing of them.
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
    fn prepare_streams(&mut self, training: &mut Source) -> Result {
        let error = |title: String| Error::new("fit", title);
        let only_streams = |option: &str| {
            error(format!("`.{option}(..)` for arrays in memory"))
                .label("it says how many batches of a stream are taken")
                .help("leave it out, or make a stream of the arrays: `Stream::rows(..)`")
        };
        match training {
            Source::Memory(_) if self.steps_per_epoch.is_some() => {
                return Err(only_streams("steps_per_epoch"));
            }
            Source::Memory(_) => {}
            Source::Stream(stream) => {
                if self.steps_per_epoch == Some(0) {
                    return Err(
                        error("an epoch of no steps".into()).help("give `.steps_per_epoch(..)` at least 1")
                    );
                }
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
            _ if self.validation_steps.is_some() => Err(only_streams("validation_steps")),
            _ => Ok(()),
        }
    }

    /// How many of `samples` are learned from.
    fn check(&self, samples: usize) -> Result<usize> {
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

/// What one pass over the data works with.
#[derive(Clone, Copy)]
struct Pass {
    seed: u64,
    site: &'static Location<'static>,
}

/// Validation data, a batch of them, and which rows of arrays in memory they are.
struct Validation<'a> {
    source: Source<'a>,
    first: Data,
    rows: Range<usize>,
}

pub(crate) fn fit(
    core: &mut Core,
    optimizer: &mut Optimizer,
    mut source: Source,
    mut options: Fit,
    site: &'static Location<'static>,
) -> Result<History> {
    let at = |error: Error| error.at(site);
    let first_epoch = core.epochs_trained;
    options.prepare_streams(&mut source).map_err(at)?;
    if options.epochs == 0 && matches!(source, Source::Stream(_)) {
        return Ok(History::new(first_epoch, Vec::new()));
    }
    let data = source.first(core, first_epoch, Role::Training, site)?;
    let training = options.check(data.num_samples()).map_err(at)?;
    optimizer.check().map_err(at)?;
    data.check(Role::Training).map_err(at)?;
    let mut validation = validation_of(core, &mut options, &data, training, site)?;
    let data = match &mut source {
        Source::Memory(memory) => {
            if !options.class_weights.is_empty() {
                let classes = &options.class_weights;
                *memory = core.with_class_weights(&data, classes, &(0..training), site)?;
            }
            memory.check_mass(0..training, Role::Training).map_err(at)?;
            memory.clone()
        }
        Source::Stream(_) => data,
    };
    if options.epochs == 0 {
        return Ok(History::new(first_epoch, Vec::new()));
    }
    let batch_size = match source {
        Source::Memory(_) => options.batch_size.min(training),
        Source::Stream(_) => training,
    };
    if options.head_report {
        core.measure_heads(&data, site, &mut Logs::default())?;
    }
    check_before_first_step(
        core,
        optimizer,
        &data,
        validation.as_ref().map(|validation| &validation.first),
        batch_size,
        site,
    )?;
    if first_epoch == 0 && options.verbosity != Verbosity::Silent {
        warn_of_identical_units(&core.network.variables);
    }
    let mut progress = Progress::new(options.verbosity);
    if progress.has_lines() && !data.sample_weights().is_empty() && matches!(source, Source::Memory(_)) {
        core.masses(&data, &(0..training), site)?.iter().for_each(|mass| progress.note(mass));
    }

    let pass = Pass { seed: options.seed.unwrap_or(core.seed), site };
    let (mut order, steps): (Vec<u32>, usize) = match &source {
        Source::Memory(_) => ((0..training as u32).collect(), training.div_ceil(batch_size)),
        Source::Stream(stream) => (Vec::new(), stream.num_steps()),
    };
    let callbacks = &mut options.callbacks;
    let mut run = Running::new(optimizer, steps, site);
    (run.epoch, run.epochs) = (first_epoch, first_epoch + options.epochs);
    run.watched.history.first_epoch = first_epoch;
    let watching = Watching { validation: validation.is_some(), others: options.head_report };
    let optimizer_name = run.optimizer.name();
    callbacks.begin(core, &mut run, watching, |core| {
        let apart = validation.as_ref().filter(|_| options.validation_split == 0.0);
        let plan = Plan::new(core, optimizer_name, [Some(&data), apart.map(|validation| &validation.first)])
            .with("samples to learn from", training)
            .with("batch size", batch_size)
            .with("shuffling", options.shuffle)
            .with("seed", pass.seed)
            .with("first epoch", first_epoch);
        match options.steps_per_epoch {
            Some(steps) => plan.with("steps of an epoch", steps),
            None => plan,
        }
    })?;
    // A fit that continues from a backup within an epoch has begun that epoch already.
    while run.epoch < run.epochs && (run.step > 0 || !run.stopped) {
        progress.begin(run.epoch, run.epochs, run.steps);
        if run.step == 0 {
            run.logs.clear();
            callbacks.call(Moment::EpochBegin, core, &mut run)?;
        }
        if options.shuffle {
            shuffle(&mut order, pass.seed, run.epoch as u64);
        }
        let mut steps = Steps::of_training(&mut source, &order, batch_size, (run.epoch, run.step), site)?;
        train_epoch(core, pass, &mut steps, callbacks, &mut run, &mut progress)?;
        if run.steps == 0 {
            run.steps = steps.count();
        }
        if let Some(Validation { source, rows, .. }) = &mut validation {
            let epoch = run.epoch;
            let steps =
                Steps::of_evaluation(source, rows.clone(), EVALUATION_BATCH, epoch, Role::Validation, site)?;
            evaluate(core, pass, steps, callbacks, &mut run, "val_")?;
        }
        if options.head_report {
            core.measure_heads(&data, site, &mut run.logs)?;
        }
        progress.end(run.step, &run.logs);
        core.epochs_trained = run.epoch + 1;
        callbacks.call(Moment::EpochEnd, core, &mut run)?;
        run.watched.history.epochs.push(run.logs.clone());
        (run.epoch, run.step) = (run.epoch + 1, 0);
        callbacks.epoch_done(core, &mut run)?;
    }
    run.optimizer.assign_averages(&core.network.variables)?;
    callbacks.call(Moment::TrainEnd, core, &mut run)?;
    callbacks.done();
    Ok(run.watched.history)
}

/// The validation data of a fit: those given, or those samples of `data` that are not learned from.
fn validation_of<'a>(
    core: &Core,
    options: &mut Fit<'a>,
    data: &Data,
    training: usize,
    site: &'static Location<'static>,
) -> Result<Option<Validation<'a>>> {
    let at = |error: Error| error.at(site);
    let validation = match options.validation.take() {
        Some(mut source) => {
            let first = source.first(core, core.epochs_trained, Role::Validation, site)?;
            first.check(Role::Validation).map_err(at)?;
            let rows = 0..first.num_samples();
            Validation { source, first, rows }
        }
        None if training < data.num_samples() => {
            let rows = training..data.num_samples();
            Validation { source: Source::Memory(data.clone()), first: data.clone(), rows }
        }
        None => return Ok(None),
    };
    if let Source::Memory(data) = &validation.source {
        data.check_mass(validation.rows.clone(), Role::Validation).map_err(at)?;
    }
    Ok(Some(validation))
}

/// Traces the first step, so that mistakes in the model and in the targets come before any output and any change.
fn check_before_first_step(
    core: &mut Core,
    optimizer: &mut Optimizer,
    data: &Data,
    validation: Option<&Data>,
    batch_size: usize,
    site: &'static Location<'static>,
) -> Result {
    let program = core.training_program(batch_size, data, optimizer, site)?;
    core.check_inputs(&program, data.inputs()).map_err(|error| error.at(site))?;
    core.check_targets(&program, data.targets()).map_err(|error| error.at(site))?;
    core.keep(program);
    let Some(validation) = validation else { return Ok(()) };
    let rows = EVALUATION_BATCH.min(validation.num_samples());
    let program = core.evaluation_program(rows, validation, site)?;
    let checked = core.check_inputs(&program, validation.inputs());
    let checked = checked.and_then(|()| core.check_targets(&program, validation.targets()));
    checked.map_err(|error| error.at(site).note("in the validation data"))?;
    core.keep(program);
    Ok(())
}

/// One pass of training through the samples.
fn train_epoch(
    core: &mut Core,
    pass: Pass,
    steps: &mut Steps,
    callbacks: &mut Callbacks,
    run: &mut Running,
    progress: &mut Progress,
) -> Result {
    if run.step == 0 {
        core.reset_totals()?;
    }
    let mut no_feeds: Vec<Feed<'static>> = Vec::new();
    let mut current: Option<Prepared> = None;
    let mut iteration = run.optimizer.iterations()?;
    let (watched, backed_up) = (callbacks.want_batches(), callbacks.back_up_steps());
    let was_over = run.stopped && run.step > 0;
    let mut failure = None;
    while !was_over && steps.advance(core)? {
        if watched {
            callbacks.call(Moment::BatchBegin, core, run)?;
        }
        let rows = steps.num_rows();
        // Only a callback can freeze a layer between two batches.
        let is_stale = |program: &Prepared| {
            program.key.rows != rows || core.dynamic || (watched && !core.is_current(program, run.optimizer))
        };
        if current.as_ref().is_none_or(is_stale) {
            core.keep_if_any(current.take());
            current = Some(core.training_program(rows, steps.data(), run.optimizer, pass.site)?);
        }
        let Some(program) = &mut current else { continue };
        if steps.are_streamed() {
            check_batch(core, program, steps, run, pass.site)?;
        }
        run.optimizer.synchronize()?;
        let mut feeds = emptied(no_feeds);
        feeds.extend(program.feeds.iter().map(|&place| steps.feed(place)));
        let bindings = Bindings {
            inputs: &feeds,
            captured: &program.graph.captured,
            variables: &program.graph.variables,
            seed: pass.seed,
            step: iteration,
        };
        match program.session.run(&bindings)? {
            Outcome::Completed => {}
            Outcome::Guarded => {
                callbacks.call(Moment::NonFiniteLoss, core, run)?;
                if !run.stopped {
                    if steps.are_streamed() {
                        steps.data().check(Role::Training).map_err(|e| in_step(e, run, pass.site))?;
                    }
                    return Err(explain_non_finite(core, program, &bindings, run, pass.site));
                }
                failure = Some(program.session.number(0));
                break;
            }
        }
        no_feeds = emptied(feeds);
        iteration += 1;
        run.step += 1;
        if watched {
            core.results_into(&mut run.logs, "")?;
            run.step -= 1;
            callbacks.call(Moment::BatchEnd, core, run)?;
            run.step += 1;
        }
        if backed_up {
            callbacks.step_done(core, run)?;
        }
        progress.step(run.step, || {
            let mut logs = Logs::default();
            // A number that cannot be had is not drawn; the end of the epoch reports why.
            let _ = core.results_into(&mut logs, "");
            logs
        });
        if run.stopped {
            break;
        }
    }
    core.keep_if_any(current);
    core.results_into(&mut run.logs, "")?;
    if let Some(loss) = failure {
        run.logs.set("loss", loss);
    }
    Ok(())
}

/// Whether tables have the ids of a batch that has just come, and losses can make sense of its targets, as is checked of
/// arrays in memory before the first step.
fn check_batch(
    core: &Core,
    program: &Prepared,
    steps: &Steps,
    run: &Running,
    site: &'static Location<'static>,
) -> Result {
    let checked = core.check_inputs(program, steps.data().inputs());
    let checked = checked.and_then(|()| core.check_targets(program, steps.data().targets()));
    checked.map_err(|error| in_step(error, run, site))
}

/// An error about the data of the step that is being taken.
fn in_step(error: Error, run: &Running, site: &'static Location<'static>) -> Error {
    error.at(site).note(format!("in batch {} of epoch {}", run.step + 1, run.epoch + 1))
}

/// Adds the numbers for the samples of these steps to the logs.
fn evaluate(
    core: &mut Core,
    pass: Pass,
    mut steps: Steps,
    callbacks: &mut Callbacks,
    run: &mut Running,
    prefix: &str,
) -> Result {
    // Within a fit, the place in the epoch is kept.
    let place = (run.step, run.steps);
    (run.step, run.steps) = (0, steps.count());
    callbacks.call(Moment::EvaluateBegin, core, run)?;
    let watched = callbacks.want_batches();
    core.reset_totals()?;
    let mut no_feeds: Vec<Feed<'static>> = Vec::new();
    let mut current: Option<Prepared> = None;
    while steps.advance(core)? {
        if watched {
            callbacks.call(Moment::EvaluateBatchBegin, core, run)?;
        }
        let rows = steps.num_rows();
        if current.as_ref().is_none_or(|program| program.key.rows != rows || core.dynamic) {
            core.keep_if_any(current.take());
            current = Some(core.evaluation_program(rows, steps.data(), pass.site)?);
            if run.step == 0 {
                // The first trace of a model makes its totals.
                core.reset_totals()?;
            }
        }
        let Some(program) = &mut current else { continue };
        if steps.are_streamed() {
            check_batch(core, program, &steps, run, pass.site)?;
        }
        let mut feeds = emptied(no_feeds);
        feeds.extend(program.feeds.iter().map(|&place| steps.feed(place)));
        let captured = &program.graph.captured;
        let variables = &program.graph.variables;
        let step = run.step as u64;
        program.session.run(&Bindings { inputs: &feeds, captured, variables, seed: pass.seed, step })?;
        no_feeds = emptied(feeds);
        if watched {
            core.results_into(&mut run.logs, prefix)?;
            callbacks.call(Moment::EvaluateBatchEnd, core, run)?;
        }
        run.step += 1;
    }
    core.keep_if_any(current);
    core.results_into(&mut run.logs, prefix)?;
    (run.step, run.steps) = place;
    callbacks.call(Moment::EvaluateEnd, core, run)
}

/// Loss and metrics of the model on samples.
pub(crate) fn evaluate_all(
    core: &mut Core,
    optimizer: &mut Optimizer,
    mut source: Source,
    mut callbacks: Callbacks,
    site: &'static Location<'static>,
) -> Result<Logs> {
    let data = source.first(core, 0, Role::Use, site)?;
    let all = 0..data.num_samples();
    data.check(Role::Use).map_err(|error| error.at(site))?;
    let rows = match source {
        Source::Memory(_) => {
            data.check_mass(all.clone(), Role::Use).map_err(|error| error.at(site))?;
            EVALUATION_BATCH.min(all.len())
        }
        Source::Stream(_) => all.len(),
    };
    let program = core.evaluation_program(rows, &data, site)?;
    core.check_inputs(&program, data.inputs()).map_err(|error| error.at(site))?;
    core.check_targets(&program, data.targets()).map_err(|error| error.at(site))?;
    core.keep(program);
    let pass = Pass { seed: core.seed, site };
    let steps = Steps::of_evaluation(&mut source, all, EVALUATION_BATCH, 0, Role::Use, site)?;
    let mut run = Running::new(optimizer, steps.count(), site);
    evaluate(core, pass, steps, &mut callbacks, &mut run, "")?;
    Ok(run.logs)
}

/// Why the loss is not finite: the first operation that was not, its layers, and what usually helps.
fn explain_non_finite(
    core: &Core,
    program: &Prepared,
    bindings: &Bindings,
    run: &Running,
    site: &'static Location<'static>,
) -> Error {
    let loss = program.session.number(0);
    let title = format!("the loss is {loss} in epoch {}, step {}", run.epoch + 1, run.step + 1);
    let error = Error::new("non-finite", title).note("no variable was changed by this step").help(format!(
        "lower the learning rate (it is {:?}), or bring the data to a small range",
        run.optimizer.learning_rate
    ));
    let cause = core.executor().first_non_finite(&program.graph, bindings);
    let Some(instruction) = cause.ok().flatten().and_then(|i| program.graph.instructions.get(i)) else {
        return error.at(site);
    };
    let error = match &instruction.scope {
        Some(layers) => layers.split(" > ").collect::<Vec<_>>().into_iter().rev().fold(error, Error::inside),
        None => error,
    };
    let error = match &instruction.body {
        Body::Read(slot) => {
            let variable = program.graph.variables.get(*slot).map(|v| format!("{v:?}")).unwrap_or_default();
            error.label(format!("{variable} is not finite already: the step before overflowed"))
        }
        Body::Op(op) => error.label(format!("`{}` gave the first value that is not finite", op.name())),
        _ => error.label("the first value that is not finite"),
    };
    error.at(instruction.site.filter(|site| !is_ours(site.file())).unwrap_or(site))
}

/// Whether a source file is one of Carnyx's own, where the user can change nothing.
fn is_ours(file: &str) -> bool {
    file.contains("carnyx-graph")
        || (file.starts_with(file!().trim_end_matches("fit.rs")) && !file.ends_with("tests.rs"))
}

/// The order of epoch `epoch`: Fisher and Yates, with the numbers of a SplitMix64 generator.
pub(crate) fn shuffle(order: &mut [u32], seed: u64, epoch: u64) {
    (0u32..).zip(order.iter_mut()).for_each(|(i, place)| *place = i);
    let mut state = mix(seed ^ mix(epoch.wrapping_add(1)));
    for i in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // The high half of a product: a number in 0..=i, as good as even for any data that fits into memory.
        let j = ((u128::from(mix(state)) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
}

/// SplitMix64's finishing function.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_depends_on_seed_and_epoch_only() {
        let order = |seed, epoch| {
            let mut order = vec![9; 100];
            shuffle(&mut order, seed, epoch);
            order
        };
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        assert_ne!(order(1, 2), order(2, 2));
        let mut sorted = order(1, 2);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
