//! Searching for the hyperparameters of a model.

use crate::conduct::conduct;
use crate::domain::short;
use crate::folds::{parts, rest};
use crate::hyper::Hyper;
use crate::learning_rate::{RateRange, SweepLearningRate};
use crate::search::Search;
use crate::storage::Direction;
use crate::trial::{Budget, Trial, Work};
use crate::trials::Trials;
use carnyx_cpu::Cpu;
use carnyx_graph::trace::Tracer;
use carnyx_graph::{Array, Bindings, Error, Executor, Graph, Program, Result, Variable};
use carnyx_nn::{Callback, Data, Fit, Model, Run, Verbosity};
use std::mem;
use std::panic::Location;
use std::sync::Arc;

/// Builds a model with the hyperparameters of each trial, fits it to `data`, and keeps the best one.
///
/// Options of the fit may be hyperparameters too: `fit` is called for each trial after `build`, and makes them anew. What
/// they print is left out: the search has a line for each trial. The value of a trial is the best one of its epochs, and
/// the best model has the weights of that epoch. Seeds are the model's own, so that trials differ in their
/// hyperparameters alone. The data are in memory: several trials may read them at a time.
///
/// A trial that cannot be built or trained, or that panics, has failed, and the search goes on.
///
/// # Errors
/// `search`, before or in the first trial, if the search makes no sense: no trials, a hyperparameter with an empty range,
/// an objective that is in no logs; or at the end, if all trials have failed. `study`, and errors of its own, if the
/// storage cannot be used.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::*;
/// use carnyx_tune::{Hyper, Search, tune};
/// # let x = Array::from_fn([64, 2], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([64, 1], |i| x.element(2 * i) as f32 * x.element(2 * i + 1) as f32);
/// fn build(hyper: &mut Hyper) -> Model<Sequential> {
///     Sequential::new()
///         .then(Dense::new(hyper.int("units", 4..=32)).activation(Relu))
///         .then(Dense::new(1))
///         .compile(Adam::new(hyper.log_float("learning_rate", 1e-3..=1e-1)), MeanSquaredError)
/// }
/// let fit = |hyper: &mut Hyper| Fit::epochs(5).batch_size(hyper.log_int("batch_size", 8..=64)).validation_split(0.2);
/// let trials = tune(build, (&x, &y), fit, Search::random(5).verbose(Verbosity::Silent))?;
/// println!("{}", trials.table());
/// println!("{}", trials.best_parameters());
/// assert!(trials.best.predict(&x).is_ok());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[track_caller]
pub fn tune<'f, B: Built>(
    build: impl Fn(&mut Hyper) -> B + Sync,
    data: impl Into<Data>,
    fit: impl Fn(&mut Hyper) -> Fit<'f> + Sync,
    search: Search,
) -> Result<Trials<B::Layer>> {
    let site = Location::caller();
    let at = |error: Error| at_user(error, site);
    let direction = search.direction().map_err(at)?;
    let data = data.into();
    let parts =
        search.folds.map(|folds| parts(data.num_samples(), folds, search.seed)).transpose().map_err(at)?;
    let (objective, sweep) = (search.objective.clone(), search.sweep.clone());
    let work = Fits { build, fit, data, parts, objective, direction, sweep, site };
    let (study, kept) = conduct(&search, &work).map_err(at)?;
    let best = best_of(kept, direction)?;
    let best = if search.workers > 1 { best.on_executor(Arc::new(AllCores)) } else { best };
    Ok(Trials { best, study })
}

/// The process's executor: where the search is over, its best model has all cores again.
struct AllCores;

impl Executor for AllCores {
    fn compile(&self, graph: &Graph) -> Result<Arc<dyn Program>> {
        Cpu::shared().compile(graph)
    }

    fn first_non_finite(&self, graph: &Graph, bindings: &Bindings) -> Result<Option<usize>> {
        Cpu::shared().first_non_finite(graph, bindings)
    }

    fn tracer(&self) -> Option<&Arc<dyn Tracer>> {
        Cpu::shared().tracer()
    }
}

/// An error that is nowhere, or in this file, is at the user's line.
fn at_user(error: Error, site: &'static Location<'static>) -> Error {
    if error.site().is_none_or(|place| place.file == file!()) { error.at(site) } else { error }
}

/// The note of a trial with the learning rate that a sweep has suggested; in cross-validation that of the last model.
pub(crate) const SWEPT: &str = "learning_rate";

/// What builds a model: a [`Model`], or a `Result` of one where a build can fail.
///
/// # Example
/// ```
/// use carnyx_graph::Result;
/// use carnyx_nn::*;
/// use carnyx_tune::{Built, Hyper};
/// fn build(hyper: &mut Hyper) -> Result<Model<Functional<Tensor, Tensor>>> {
///     let x = Tensor::input("x", [3]);
///     let net = Functional::new(&x, &Dense::new(hyper.int("units", 1..=4)).apply(&x))?;
///     Ok(net.compile(Sgd::new(0.1), MeanSquaredError))
/// }
/// # use carnyx_graph::Tensor;
/// assert!(build(&mut Hyper::new()).built().is_ok());
/// ```
pub trait Built {
    /// The layer of the model.
    type Layer: Send + Sync + 'static;

    /// The model.
    ///
    /// # Errors
    /// Those of the build.
    fn built(self) -> Result<Model<Self::Layer>>;
}

impl<L: Send + Sync + 'static> Built for Model<L> {
    type Layer = L;

    fn built(self) -> Result<Model<L>> {
        Ok(self)
    }
}

impl<L: Send + Sync + 'static> Built for Result<Model<L>> {
    type Layer = L;

    fn built(self) -> Result<Model<L>> {
        self
    }
}

/// Trials that are fits of models.
struct Fits<B, F> {
    build: B,
    fit: F,
    data: Data,
    /// In cross-validation, the rows of each fold.
    parts: Option<Vec<Vec<usize>>>,
    objective: String,
    direction: Direction,
    /// Where a learning rate is looked for, if each trial gets its own.
    sweep: Option<RateRange>,
    /// The user's line.
    site: &'static Location<'static>,
}

/// A model of a trial, and its best epoch.
pub(crate) struct Trained<L> {
    model: Model<L>,
    /// The epochs that it had when it was built.
    first_epoch: usize,
    best: Best,
}

/// The best value of a model so far, and the weights that had it.
#[derive(Default)]
struct Best {
    value: Option<f64>,
    weights: Vec<(Variable, Option<Array>)>,
}

/// The best of the models of a trial, with the weights of its best epoch.
fn best_of<L>(models: Vec<Trained<L>>, direction: Direction) -> Result<Model<L>> {
    let value = |trained: &Trained<L>| trained.best.value.unwrap_or(f64::NAN);
    let best = models
        .into_iter()
        .reduce(|best, other| if direction.is_better(value(&other), value(&best)) { other } else { best });
    let Some(best) = best else { unreachable!("a trial has at least one model") };
    for (variable, value) in &best.best.weights {
        value.iter().try_for_each(|value| variable.assign(value))?;
    }
    Ok(best.model)
}

impl<'f, M, B, F> Work for Fits<B, F>
where
    M: Built,
    B: Fn(&mut Hyper) -> M + Sync,
    F: Fn(&mut Hyper) -> Fit<'f> + Sync,
{
    type Kept = Vec<Trained<M::Layer>>;

    fn ask(&self, hyper: &mut Hyper) -> Result {
        (self.build)(hyper).built()?;
        let _ = (self.fit)(hyper);
        Ok(())
    }

    fn train(&self, trial: &mut Trial<Self::Kept>) -> Result<f64> {
        let mut models = trial.kept.take().unwrap_or_default();
        let count = self.parts.as_ref().map_or(1, Vec::len);
        for fold in 0..count {
            if trial.is_pruned {
                break;
            }
            if models.len() == fold {
                let mut model = (self.build)(&mut trial.hyper).built()?;
                if let Some(executor) = &trial.executor {
                    model = model.on_executor(executor.clone());
                }
                let first_epoch = model.epochs_trained();
                models.push(Trained { model, first_epoch, best: Best::default() });
            }
            self.fit_one(&mut models[fold], fold, trial).map_err(|error| at_user(error, self.site))?;
        }
        let values = models.iter().map(|trained| trained.best.value.unwrap_or(f64::NAN));
        let value = values.sum::<f64>() / models.len() as f64;
        trial.kept = Some(models);
        Ok(value)
    }
}

impl<'f, B, F> Fits<B, F>
where
    F: Fn(&mut Hyper) -> Fit<'f> + Sync,
{
    /// Fits one model of a trial.
    fn fit_one<L: 'static>(
        &self,
        trained: &mut Trained<L>,
        fold: usize,
        trial: &mut Trial<Vec<Trained<L>>>,
    ) -> Result {
        let fit = (self.fit)(&mut trial.hyper).verbose(Verbosity::Silent);
        trial.note_hyperparameters()?;
        let (data, fit) = match &self.parts {
            None => (self.data.clone(), fit),
            Some(parts) => {
                let judged = self.data.take_rows(&parts[fold])?;
                (self.data.take_rows(&rest(parts, fold))?, fit.validation(judged))
            }
        };
        if trained.model.epochs_trained() == trained.first_epoch
            && let Some(rates) = &self.sweep
            && trained.model.optimizer.schedule().is_none()
        {
            let rates = rates.clone().batch_size(fit.chosen_batch_size());
            let suggestion = trained.model.sweep_learning_rate(&data, rates)?.suggestion();
            match suggestion {
                Ok(rate) => {
                    trained.model.optimizer.learning_rate = rate;
                    trial.note(SWEPT, &short(rate))?;
                }
                // The rate of the build stays; why, is beside the trial.
                Err(error) => trial.note("sweep", &error.to_string())?,
            }
        }
        let mut watch = Watch {
            objective: &self.objective,
            direction: self.direction,
            first_epoch: trained.first_epoch,
            is_last: self.parts.as_ref().is_none_or(|parts| fold + 1 == parts.len()),
            best: mem::take(&mut trained.best),
            trial,
        };
        let fitted = trained.model.fit(data, fit.callback(&mut watch));
        trained.best = watch.best;
        fitted.map(drop)
    }
}

/// Watches a fit for its trial.
struct Watch<'w, K> {
    objective: &'w str,
    direction: Direction,
    /// The epochs that the model had when it was built.
    first_epoch: usize,
    /// Whether this is the last model of the trial.
    is_last: bool,
    best: Best,
    trial: &'w mut Trial<K>,
}

impl<K> Callback for Watch<'_, K> {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        let (done, epochs) = (run.epoch - self.first_epoch, run.epochs - run.epoch);
        match self.trial.budget {
            Some(budget) if done == 0 && epochs < budget.most => {
                let title =
                    format!("the fit has {epochs} epochs, the search gives its best trials {}", budget.most);
                let help =
                    format!("let the fit have as many, `Fit::epochs({})`: the search stops it", budget.most);
                Err(self.trial.fatal(Error::new("search", title).help(help)))
            }
            _ => Ok(()),
        }
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        let Some(value) = run.logs.get(self.objective) else {
            let names: Vec<&str> = run.logs.iter().map(|(name, _)| name).collect();
            return Err(self.trial.fatal(unknown_objective(self.objective, &names)));
        };
        if self.direction.is_better(value, self.best.value.unwrap_or(f64::NAN)) {
            let weight = |variable: &Variable| {
                let value = variable.has_value().then(|| variable.value()).transpose()?;
                Ok((variable.clone(), value))
            };
            let weights = run.variables().iter().map(weight).collect::<Result<_>>()?;
            self.best = Best { value: Some(value), weights };
        }
        self.trial.report(value)?;
        // At its end, a trial is complete: nothing would be saved.
        if !(self.is_last && run.epoch + 1 == run.epochs) {
            self.trial.judge()?;
        }
        let is_over = |budget: Budget| run.epoch + 1 - self.first_epoch >= budget.until;
        if self.trial.is_pruned || self.trial.budget.is_some_and(is_over) {
            run.stop();
        }
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn name(&self) -> String {
        "search".into()
    }
}

pub(crate) fn unknown_objective(name: &str, names: &[&str]) -> Error {
    let error = Error::new("search", format!("the objective `{name}` is none of the numbers of the fit"));
    match name.strip_prefix("val_") {
        Some(of_training)
            if names.contains(&of_training) && !names.iter().any(|name| name.starts_with("val_")) =>
        {
            let help = format!("give the fit some with `.validation(..)`, or take `{of_training}`");
            error.label("there is no validation data").help(help)
        }
        _ => error.suggest(name, names),
    }
}

#[cfg(test)]
mod tests;
