//! A layer with an optimizer, an objective and metrics: ready to fit.

use super::network::Network;
use super::summary::Summary;
use super::trace::{Core, Prepared, Watched, facts_of_rows};
use crate::batches::{Inputs, Samples, Source};
use crate::callbacks::{Callbacks, Moment, Running};
use crate::data::Role;
use crate::fit::{self, EVALUATION_BATCH, Fit};
use crate::history::{History, Logs};
use crate::losses::Objective;
use crate::metrics::Metric;
use crate::optimizers::Optimizer;
use crate::profile::StepKind;
use crate::profile::marks::Marks;
use crate::steps::{Steps, emptied};
use crate::{Forks, Layer, Tree};
use carnyx_graph::array::Storage;
use carnyx_graph::{Array, Bindings, Error, Executor, Feed, Mode, Result, Tensor};
use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;

/// Makes a [`Model`] of any layer.
///
/// # Example
/// ```
/// use carnyx_nn::losses::SparseCategoricalCrossentropy;
/// use carnyx_nn::metrics::Accuracy;
/// use carnyx_nn::optimizers::Sgd;
/// use carnyx_nn::{Compile, Dense, Sequential, Softmax};
/// let model = Sequential::new()
///     .then(Dense::new(10).activation(Softmax))
///     .compile(Sgd::new(0.01), SparseCategoricalCrossentropy)
///     .metric(Accuracy);
/// ```
pub trait Compile<In: Tree>: Layer<In> + Sized + 'static
where
    Self::Out: Tree,
{
    /// This layer as a model that `optimizer` trains to make `objective` small. Its variables get the paths of
    /// their places.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let model = Dense::new(1).compile(Adam::new(1e-3), MeanSquaredError);
    /// assert_eq!(model.epochs_trained(), 0);
    /// ```
    fn compile(self, optimizer: impl Into<Optimizer>, objective: impl Into<Objective>) -> Model<Self> {
        let layer = Arc::new(self);
        let network = Network::new(layer.clone());
        Model { layer, optimizer: optimizer.into(), core: Core::new(network, objective.into()) }
    }
}

impl<In: Tree, L: Layer<In> + 'static> Compile<In> for L where L::Out: Tree {}

/// A layer with an optimizer, an objective and metrics: ready to fit, to evaluate and to predict.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::losses::MeanSquaredError;
/// use carnyx_nn::optimizers::Sgd;
/// use carnyx_nn::{Compile, Dense, Fit, Sequential, Verbosity};
/// let x = Array::from_fn([64, 1], |i| i as f32 / 64.0);
/// let y = Array::from_fn([64, 1], |i| 3.0 * i as f32 / 64.0 - 1.0);
///
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.5), MeanSquaredError);
/// let history = model.fit((&x, &y), Fit::epochs(50).verbose(Verbosity::Silent))?;
/// assert!(history.last("loss").unwrap() < 1e-3);
/// let line = model.predict(&Array::from([[0f32], [1.0]]))?;
/// assert!((line.element(0) + 1.0).abs() < 0.1 && (line.element(1) - 2.0).abs() < 0.1);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Model<L> {
    pub(crate) layer: Arc<L>,
    /// The optimizer. Its learning rate may be changed at any time; another optimizer may take its place.
    pub optimizer: Optimizer,
    pub(crate) core: Core,
}

/// Inputs, outputs, and the names of the outputs.
type Drawn = (Vec<Tensor>, Vec<Tensor>, Vec<Arc<str>>);

impl<L> Model<L> {
    /// One more number in the logs. A model with several outputs gives it for each of them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// model = model.metric(RootMeanSquaredError);
    /// model.fit((&x, &y), quiet())?;
    /// assert!(model.evaluate((&x, &y))?.get("root_mean_squared_error").is_some());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn metric(mut self, metric: impl Metric) -> Model<L> {
        self.core.add_metric(Watched::new(metric));
        self
    }

    /// One more number in the logs, for the output of that name only.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError).outputs(["price"]);
    /// let mut model = model.metric_on("price", RootMeanSquaredError);
    /// assert!(model.fit((&x, &y), quiet()).is_ok());
    /// ```
    pub fn metric_on(mut self, output: &str, metric: impl Metric) -> Model<L> {
        self.core.add_metric(Watched::new(metric).only(output));
        self
    }

    /// One more number in the logs, in which samples count by their weights: those of
    /// [`Data::sample_weight`](crate::Data::sample_weight) and, in training, of
    /// [`Fit::class_weight`](crate::Fit::class_weight). Without weights it is as any other metric; where another metric
    /// has the same name, this one is called `weighted_…`. A model with several outputs gives it for each of them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let (x, y) = (Array::from([[0f32], [1.0]]), Array::from([0f32, 1.0]));
    /// let model = Dense::new(1).compile(Sgd::new(0.0), MeanSquaredError);
    /// let mut model = model.metric(MeanAbsoluteError).weighted_metric(MeanAbsoluteError);
    /// let logs = model.evaluate((&x, &y, &Array::from([1f32, 0.0])))?;
    /// assert_eq!(logs["weighted_mean_absolute_error"], 0.0); // only the first sample counts, and a bias is 0 at first
    /// assert_ne!(logs["mean_absolute_error"], 0.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: `weighted_metrics` of [`keras.Model.compile`](https://keras.io/api/models/model_training_apis/).
    pub fn weighted_metric(mut self, metric: impl Metric) -> Model<L> {
        self.core.add_metric(Watched::new(metric).weighted());
        self
    }

    /// One more number in the logs, in which samples count by their weights, for the output of that name only.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError).outputs(["price"]);
    /// let mut model = model.weighted_metric_on("price", RootMeanSquaredError);
    /// let weights = Array::from_fn([8], |i| i as f32);
    /// assert!(model.fit((&x, &y, &weights), quiet())?.last("root_mean_squared_error").is_some());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn weighted_metric_on(mut self, output: &str, metric: impl Metric) -> Model<L> {
        self.core.add_metric(Watched::new(metric).only(output).weighted());
        self
    }

    /// Names for the outputs, in order; without them they are `output_0`, `output_1`, ….
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// model = model.outputs(["price"]);
    /// assert!(model.fit((&x, [("price", &y)]), quiet()).is_ok());
    /// ```
    pub fn outputs<const N: usize>(mut self, names: [&str; N]) -> Model<L> {
        self.core.network.name_outputs(names.map(Into::into).to_vec());
        self.core.forget();
        self
    }

    /// The seed of initial weights, of the order of samples and of random layers. Without it, it is 0: a program
    /// that is run twice gives the same numbers twice.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// model = model.seed(42);
    /// assert!(model.predict(&x).is_ok());
    /// ```
    pub fn seed(mut self, seed: u64) -> Model<L> {
        self.core.seed = seed;
        self
    }

    /// Traces every step: for layers whose `call` takes decisions of its own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// model = model.dynamic();
    /// assert!(model.fit((&x, &y), quiet()).is_ok());
    /// ```
    pub fn dynamic(mut self) -> Model<L> {
        self.core.dynamic = true;
        self.core.forget();
        self
    }

    /// Runs on another executor than the process's shared one: another number of threads, another device.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// use carnyx_cpu::Cpu;
    /// let model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError);
    /// let mut model = model.on_executor(std::sync::Arc::new(Cpu::new(1)));
    /// assert!(model.fit((&x, &y), quiet()).is_ok());
    /// ```
    pub fn on_executor(mut self, executor: Arc<dyn Executor>) -> Model<L> {
        self.core.run_on(executor);
        self
    }

    /// A model equal to this one and independent of it: weights, what the optimizer remembers, and progress are
    /// copied. Training one does not change the other, and both go the same way on the same data.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_nn::losses::MeanSquaredError;
    /// use carnyx_nn::optimizers::Adam;
    /// use carnyx_nn::{Compile, Dense, Fit, Sequential, Verbosity};
    /// let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError);
    /// model.fit((&x, &y), Fit::epochs(2).verbose(Verbosity::Silent))?;
    /// let mut fork = model.fork();
    /// assert_eq!(fork.predict(&x)?, model.predict(&x)?);
    /// fork.fit((&x, &y), Fit::epochs(2).verbose(Verbosity::Silent))?;
    /// assert_ne!(fork.predict(&x)?, model.predict(&x)?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn fork(&self) -> Model<L>
    where
        L: Send + Sync + 'static,
    {
        let mut forks = Forks::default();
        let (layer, network) = self.core.network.fork(&mut forks);
        let layer = layer.downcast::<L>().unwrap_or_else(|_| unreachable!("a layer's copy has its type"));
        Model { layer, optimizer: self.optimizer.fork(&mut forks), core: self.core.with_network(network) }
    }

    /// The layer that was compiled. A model is used like it: `model.freeze()`, `model.layers()`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert_eq!(model.network().len(), model.len());
    /// # let _ = &mut model;
    /// ```
    pub fn network(&self) -> &L {
        &self.layer
    }

    /// The number of epochs over all fits.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// model.fit((&x, &y), quiet())?;
    /// assert_eq!(model.epochs_trained(), 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn epochs_trained(&self) -> usize {
        self.core.epochs_trained
    }

    /// Learns from `data`. Fitting again continues: with the same state of the optimizer, and epochs counted on.
    ///
    /// # Errors
    /// `data`, `loss-shape`, `shape` and others, before the first step, if model and data do not fit each other;
    /// `non-finite`, if the loss is no longer a finite number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// let history = model.fit((&x, &y), quiet())?;
    /// assert_eq!(history.epochs.len(), 1);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn fit<'d, Kind>(&mut self, data: impl Samples<'d, Kind>, fit: Fit<'_>) -> Result<History> {
        let site = Location::caller();
        let data = data.source().ordered(&self.core, site)?;
        let fit = fit.ordered(&self.core, site)?;
        fit::fit(&mut self.core, &mut self.optimizer, data, fit, site)
    }

    /// Loss and metrics on `data`, of which nothing is learned.
    ///
    /// # Errors
    /// As for [`fit`](Model::fit).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert!(model.evaluate((&x, &y))?["loss"] > 0.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn evaluate<'d, Kind>(&mut self, data: impl Samples<'d, Kind>) -> Result<Logs> {
        let site = Location::caller();
        let data = data.source().ordered(&self.core, site)?;
        fit::evaluate_all(&mut self.core, &mut self.optimizer, data, Callbacks::new(), site)
    }

    /// The same with callbacks around the whole and around each batch.
    ///
    /// # Errors
    /// As for [`fit`](Model::fit), and those of the callbacks.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// let logs = model.evaluate_with((&x, &y), at(Moment::EvaluateBatchEnd, |run| {
    ///     println!("batch {} of {}: {}", run.step + 1, run.steps, run.logs);
    ///     Ok(())
    /// }))?;
    /// assert!(logs["loss"] > 0.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn evaluate_with<'c, 'd, Kind>(
        &mut self,
        data: impl Samples<'d, Kind>,
        callbacks: impl Into<Callbacks<'c>>,
    ) -> Result<Logs> {
        let site = Location::caller();
        let data = data.source().ordered(&self.core, site)?;
        fit::evaluate_all(&mut self.core, &mut self.optimizer, data, callbacks.into(), site)
    }

    /// What the model says of each row of `x`. Several threads may predict with one model.
    ///
    /// # Errors
    /// `data`, if the inputs do not fit the model; `output`, if the model has several outputs.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert_eq!(model.predict(&x)?.shape(), [8, 1]);
    /// # let _ = &mut model;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn predict<'d, Kind>(&self, x: impl Inputs<'d, Kind>) -> Result<Array> {
        let site = Location::caller();
        let data = x.source().ordered(&self.core, site)?;
        let mut outputs = predict(&self.core, data, None, site)?;
        match outputs.pop() {
            Some(output) if outputs.is_empty() => Ok(output),
            _ => Err(Error::new("output", format!("the model has {} outputs", outputs.len() + 1))
                .label("this gives one")
                .help("`.predict_all(..)` gives them all")
                .at(site)),
        }
    }

    /// All outputs for each row of the inputs.
    ///
    /// # Errors
    /// `data`, if the inputs do not fit the model.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert_eq!(model.predict_all(&x)?.len(), 1);
    /// # let _ = &mut model;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn predict_all<'d, Kind>(&self, x: impl Inputs<'d, Kind>) -> Result<Vec<Array>> {
        let site = Location::caller();
        let data = x.source().ordered(&self.core, site)?;
        predict(&self.core, data, None, site)
    }

    /// All outputs for each row of the inputs, with callbacks around the whole and around each batch.
    ///
    /// # Errors
    /// As for [`predict_all`](Model::predict_all), and those of the callbacks.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let x = Array::full([8, 3], 1f32);
    /// use carnyx_nn::callbacks::{Moment, at};
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// let mut batches = 0;
    /// let count = at(Moment::PredictBatchEnd, |_| {
    ///     batches += 1;
    ///     Ok(())
    /// });
    /// let outputs = model.predict_with(&x, count)?;
    /// assert_eq!((outputs.len(), batches), (1, 1));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn predict_with<'c, 'd, Kind>(
        &mut self,
        x: impl Inputs<'d, Kind>,
        callbacks: impl Into<Callbacks<'c>>,
    ) -> Result<Vec<Array>> {
        let site = Location::caller();
        let data = x.source().ordered(&self.core, site)?;
        let mut run = Running::new(&mut self.optimizer, 0, site);
        predict(&self.core, data, Some((&mut callbacks.into(), &mut run)), site)
    }

    /// The model on placeholders like the data that it knows: inputs, outputs, names of the outputs. For diagrams.
    #[doc(hidden)]
    #[track_caller]
    pub fn drawn(&self) -> Result<Drawn> {
        let site = Location::caller();
        let inputs = self.core.drawn_inputs().ok_or_else(|| {
            Error::new("model", "the shape of the inputs is not known")
                .help("fit the model or predict with it first, or begin it with an `Input`")
                .at(site)
        })?;
        let outputs = self.core.network.outputs(&inputs, site)?;
        let names = self.core.network.output_names(outputs.len())?;
        Ok((inputs, outputs, names))
    }

    /// A table of the layers, their outputs and parameters. Sizes are known once the model has seen data, or if it
    /// begins with an [`Input`](crate::Input).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// model.predict(&x)?; // now the sizes are known
    /// assert_eq!(model.summary().parameters(), 4);
    /// # let _ = &mut model;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn summary(&self) -> Summary
    where
        L: crate::Module,
    {
        let blueprint = self.core.drawn_inputs();
        let blueprint =
            blueprint.map(|inputs| inputs.iter().map(|x| x.in_mode(Mode::Inference)).collect::<Vec<_>>());
        let outputs =
            blueprint.and_then(|inputs| self.core.network.outputs(&inputs, Location::caller()).ok());
        Summary::of(&*self.layer, outputs.as_deref())
    }
}

/// A model can be asked whatever its layer can be asked: `model.variables()`, `model.layer("scores")`.
impl<L> Deref for Model<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.layer
    }
}

fn predict(
    core: &Core,
    mut source: Source,
    mut callbacks: Option<(&mut Callbacks, &mut Running)>,
    site: &'static Location<'static>,
) -> Result<Vec<Array>> {
    let data = source.first(core, 0, Role::Predict, site)?;
    data.check(Role::Predict).map_err(|error| error.at(site))?;
    // Where it is known how many samples there are, each prediction is written to its place at once.
    let known = matches!(source, Source::Memory(_)).then_some(data.num_samples());
    let all = 0..data.num_samples();
    let mut steps = Steps::of_evaluation(&mut source, all, EVALUATION_BATCH, 0, Role::Predict, site)?;
    let count = steps.count();
    let mut call = |moment: Moment, step: usize| match &mut callbacks {
        Some((callbacks, run)) => {
            (run.step, run.steps) = (step, count);
            callbacks.call(moment, core, run)
        }
        None => Ok(()),
    };
    let mut no_feeds: Vec<Feed<'static>> = Vec::new();
    let mut results: Vec<Array> = Vec::new();
    let mut parts: Vec<Vec<Array>> = Vec::new();
    let mut current: Option<Prepared> = None;
    let (mut batch, mut first) = (0, 0);
    call(Moment::PredictBegin, 0)?;
    let marks = Marks::of(core.executor());
    loop {
        let began = marks.begin();
        if !steps.advance(core)? {
            break;
        }
        marks.input(began, steps.fetching());
        call(Moment::PredictBatchBegin, batch)?;
        let rows = steps.num_rows();
        if current.as_ref().is_none_or(|program| program.key.rows != rows || core.dynamic) {
            core.keep_if_any(current.take());
            current = Some(core.prediction_program(rows, steps.data(), site)?);
        }
        let Some(program) = &mut current else { continue };
        if steps.are_streamed() || batch == 0 {
            program.check_inputs(steps.data().inputs()).map_err(|error| error.at(site))?;
        }
        if began.is_some() {
            program.describe(&marks);
        }
        let mut feeds = emptied(no_feeds);
        feeds.extend(program.feeds.iter().map(|&place| steps.feed(place)));
        let (captured, variables) = (&program.graph.captured, &program.graph.variables);
        let bindings = Bindings { inputs: &feeds, captured, variables, seed: core.seed, step: batch as u64 };
        program.session.run(&bindings)?;
        no_feeds = emptied(feeds);
        for i in 0..program.graph.outputs.len() {
            let part = program.session.output(i);
            if part.shape().first() != Some(&rows) {
                let title = format!("output {i} has shape {:?} for {rows} samples", part.shape());
                return Err(Error::new("output", title)
                    .label("predictions have one row for each sample")
                    .at(site));
            }
            match known {
                Some(samples) => {
                    if batch == 0 {
                        results.push(with_rows(&part, samples));
                    }
                    write_rows(&mut results[i], first * part.row_len(), &part);
                }
                None if batch == 0 => parts.push(vec![part]),
                None => parts[i].push(part),
            }
        }
        call(Moment::PredictBatchEnd, batch)?;
        marks.step(began, StepKind::Prediction, batch, rows);
        (batch, first) = (batch + 1, first + rows);
    }
    core.keep_if_any(current);
    call(Moment::PredictEnd, 0)?;
    results.extend(parts.iter().map(|parts| joined(parts, first)));
    Ok(results)
}

/// Zeros like an array, but with another number of rows.
fn with_rows(like: &Array, rows: usize) -> Array {
    let mut shape = like.shape().to_vec();
    shape[0] = rows;
    Array::zeros(shape, like.dtype())
}

/// Arrays one below the other, `rows` rows together; there is at least one.
fn joined(parts: &[Array], rows: usize) -> Array {
    let mut whole = with_rows(&parts[0], rows);
    let mut at = 0;
    for part in parts {
        write_rows(&mut whole, at, part);
        at += part.len();
    }
    whole
}

/// Writes the elements of `part` into `whole`, from element `at` on.
fn write_rows(whole: &mut Array, at: usize, part: &Array) {
    macro_rules! write {
        ($($variant:ident)*) => {
            match (whole.storage_mut(), part.storage()) {
                $((Storage::$variant(to), Storage::$variant(from)) => {
                    Arc::make_mut(to)[at..at + from.len()].copy_from_slice(from);
                })*
                _ => unreachable!("the whole has the type of its first part"),
            }
        };
    }
    write!(F32 F64 I32 I64 U8 Bool);
}

impl Core {
    /// A drawing of the inputs: the layer's own, or else of what it has seen.
    pub(crate) fn drawn_inputs(&self) -> Option<Vec<Tensor>> {
        self.network.drawing.clone().or_else(|| self.seen_inputs())
    }

    /// Inputs like those of the program used last, with an unknown number of rows.
    fn seen_inputs(&self) -> Option<Vec<Tensor>> {
        let input = |row| Tensor::placeholder("x", facts_of_rows(row), Mode::Blueprint);
        self.last_input_rows().map(|rows| rows.into_iter().map(input).collect())
    }
}
