//! A whole training step as one graph.
//!
//! Forward, losses with weights, what layers add to the loss, gradients, the optimizer's arithmetic, the totals of the
//! metrics and the moving averages are traced together, once for each [`Key`]: shapes, types, what is trainable.
//! A [`Prepared`] program runs again and again without tracing or allocating. Invariant: a loss that is not finite
//! changes no variable.

use super::ids;
use super::network::Network;
use crate::data::Data;
use crate::engine::{self, initialize_on};
use crate::history::Logs;
use crate::layer::free_name;
use crate::losses::{Loss, Objective, Term, count, list};
use crate::metrics::{Metric, Tally};
use crate::optimizers::Optimizer;
use crate::profile::StepKind;
use crate::profile::marks::Marks;
use crate::regularizers;
use carnyx_graph::{
    Aim, Array, DType, Dim, Effect, Error, Executor, Facts, Gradients, Graph, Mode, Result, Session, Shape,
    Tensor, Variable,
};
use std::collections::HashSet;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

/// Programs that a model keeps: full and last batch, in training, evaluation and prediction, before and after
/// thawing layers.
const KEPT: usize = 16;

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Train,
    Evaluate,
    Predict,
}

impl Phase {
    fn mode(self) -> Mode {
        if self == Phase::Train { Mode::Training } else { Mode::Inference }
    }

    /// The kind of the steps that such a program takes.
    fn kind(self) -> StepKind {
        match self {
            Phase::Train => StepKind::Training,
            Phase::Evaluate => StepKind::Evaluation,
            Phase::Predict => StepKind::Prediction,
        }
    }
}

/// What one program is made for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    phase: Phase,
    pub(crate) rows: usize,
    pub(super) inputs: Vec<(Vec<usize>, DType)>,
    pub(super) targets: Vec<(Vec<usize>, DType)>,
    /// For each of the targets, if any has weights.
    weights: Vec<Option<(Vec<usize>, DType)>>,
    /// In training, and where penalties count: whether each of the network's variables is frozen; in training,
    /// which optimizer moves the others.
    frozen: Vec<bool>,
    optimizer: u64,
}

/// A program with its memory and what each run has to give it.
pub(crate) struct Prepared {
    pub(crate) key: Key,
    pub(crate) graph: Graph,
    pub(crate) session: Box<dyn Session>,
    /// For each input slot the place among the data's arrays: inputs, then targets, then weights.
    pub(crate) feeds: Vec<usize>,
    /// For each loss and metric: which targets it compares, and the shape of the predictions.
    compared: Vec<(Kind, usize, Shape)>,
    /// The tables that rows are looked up in by the data's ids.
    tables: Vec<ids::Table>,
    /// Whether the session knows the layers of its tasks, which only recordings ask for.
    is_described: bool,
}

impl Prepared {
    /// Gets ready for runs that are recorded.
    pub(crate) fn describe(&mut self, marks: &Marks) {
        if !std::mem::replace(&mut self.is_described, true) {
            let began = marks.begin();
            self.session.describe(&self.graph);
            marks.planning(began, self.key.phase.kind(), self.key.rows);
        }
    }

    /// Whether each id in the inputs has a row in the table that it is looked up in.
    pub(crate) fn check_inputs(&self, inputs: &[Array]) -> Result {
        ids::check(&self.tables, &self.feeds, inputs)
    }
}

/// A number in the logs, with its running totals.
struct Score {
    name: Arc<str>,
    /// The names of its numbers, if it has several: made when it is traced, so that a batch makes none.
    parts: Vec<Arc<str>>,
    kind: Kind,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The whole loss.
    Total,
    /// One term of the loss, by its place among the resolved ones.
    Term(usize),
    /// A metric, by its place in the list, on an output.
    Metric(usize, usize),
}

/// A metric that the user asked for.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) metric: Arc<dyn Metric>,
    /// The only output that it is for; all, unless given.
    pub(crate) only: Option<Arc<str>>,
    /// Whether samples count by their weights.
    pub(crate) is_weighted: bool,
}

impl Watched {
    pub(crate) fn new(metric: impl Metric) -> Watched {
        Watched { metric: Arc::new(metric), only: None, is_weighted: false }
    }

    pub(crate) fn only(mut self, output: &str) -> Watched {
        self.only = Some(output.into());
        self
    }

    pub(crate) fn weighted(mut self) -> Watched {
        self.is_weighted = true;
        self
    }
}

/// A compiled model without the types of its layer and without its optimizer.
pub(crate) struct Core {
    pub(crate) network: Network,
    pub(crate) objective: Objective,
    pub(crate) metrics: Vec<Watched>,
    scores: Vec<Score>,
    pub(crate) seed: u64,
    pub(crate) dynamic: bool,
    pub(crate) epochs_trained: usize,
    executor: Option<Arc<dyn Executor>>,
    /// What training was traced for last: rows, inputs, targets.
    pub(super) traced: Option<Key>,
    /// Programs at rest. A lock, so that several threads may predict with one model: each takes a program out and
    /// puts it back.
    programs: Mutex<Vec<Prepared>>,
}

impl Core {
    pub(crate) fn new(network: Network, objective: Objective) -> Core {
        Core {
            network,
            objective,
            metrics: Vec::new(),
            scores: Vec::new(),
            seed: 0,
            dynamic: false,
            epochs_trained: 0,
            executor: None,
            traced: None,
            programs: Mutex::default(),
        }
    }

    /// The same model around a copy of the network.
    pub(crate) fn with_network(&self, network: Network) -> Core {
        Core {
            metrics: self.metrics.clone(),
            seed: self.seed,
            dynamic: self.dynamic,
            epochs_trained: self.epochs_trained,
            executor: self.executor.clone(),
            ..Core::new(network, self.objective.clone())
        }
    }

    pub(crate) fn add_metric(&mut self, metric: Watched) {
        self.metrics.push(metric);
        self.forget();
    }

    /// `data` with named arrays put in the order of inputs and outputs.
    pub(crate) fn ordered(&self, data: Data, site: &'static Location<'static>) -> Result<Data> {
        self.network.ordered(data, &self.objective, site)
    }

    pub(crate) fn run_on(&mut self, executor: Arc<dyn Executor>) {
        self.executor = Some(executor);
        self.forget();
    }

    /// Drops programs and totals that no longer fit the model.
    pub(crate) fn forget(&mut self) {
        self.scores.clear();
        self.programs.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Drops the programs of other phases than these.
    pub(super) fn keep_programs_of(&mut self, is_kept: impl Fn(Phase) -> bool) {
        let programs = self.programs.get_mut().unwrap_or_else(PoisonError::into_inner);
        programs.retain(|program| is_kept(program.key.phase));
    }

    /// Drops the totals; the next trace makes them anew.
    pub(super) fn forget_scores(&mut self) {
        self.scores.clear();
    }

    pub(crate) fn executor(&self) -> &dyn Executor {
        self.executor.as_deref().unwrap_or_else(|| engine::shared())
    }

    pub(super) fn key(&self, phase: Phase, rows: usize, data: &Data, optimizer: u64) -> Key {
        let row = |array: &Array| (array.shape()[1..].to_vec(), array.dtype());
        let describe = |arrays: &[Array]| arrays.iter().map(row).collect::<Vec<_>>();
        // Penalties are those of trainable variables only, in evaluation too.
        let is_penalized = || self.network.variables.iter().any(|v| v.regularizer().is_some());
        let depends = phase == Phase::Train || (phase == Phase::Evaluate && is_penalized());
        let variables: &[Variable] = if depends { &self.network.variables } else { &[] };
        let weights = data.sample_weights();
        let are_weighted = weights.iter().any(Option::is_some);
        Key {
            phase,
            rows,
            inputs: describe(data.inputs()),
            targets: describe(data.targets()),
            weights: weights.iter().map(|w| w.as_ref().map(row)).filter(|_| are_weighted).collect(),
            frozen: variables.iter().map(Variable::is_frozen).collect(),
            optimizer,
        }
    }

    /// Whether a program for training still trains the right variables.
    pub(crate) fn is_current(&self, program: &Prepared, optimizer: &Optimizer) -> bool {
        let flags = self.network.variables.iter().map(Variable::is_frozen);
        program.key.optimizer == optimizer.id() && flags.eq(program.key.frozen.iter().copied())
    }

    fn take(&self, wanted: impl Fn(&Prepared) -> bool) -> Option<Prepared> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        programs.iter().position(wanted).map(|i| programs.remove(i))
    }

    /// The same for the program of a loop that may not have begun.
    pub(crate) fn keep_if_any(&self, program: Option<Prepared>) {
        if let Some(program) = program {
            self.keep(program);
        }
    }

    /// Puts a program to rest, to be used again.
    pub(crate) fn keep(&self, program: Prepared) {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if programs.len() == KEPT {
            programs.remove(0);
        }
        programs.push(program);
    }

    /// Row shapes and types of the targets of the last program that had some.
    pub(crate) fn last_target_rows(&self) -> Vec<(Vec<usize>, DType)> {
        let programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let with_targets = programs.iter().rev().find(|program| !program.key.targets.is_empty());
        with_targets.map(|program| program.key.targets.clone()).unwrap_or_default()
    }

    /// Row shapes and types of the inputs of the program used last.
    pub(crate) fn last_input_rows(&self) -> Option<Vec<(Vec<usize>, DType)>> {
        let programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        // In the middle of an epoch, the only program may be at work.
        programs.last().map(|program| &program.key).or(self.traced.as_ref()).map(|key| key.inputs.clone())
    }

    /// The program of one training step on `rows` samples.
    pub(crate) fn training_program(
        &mut self,
        rows: usize,
        data: &Data,
        optimizer: &mut Optimizer,
        site: &'static Location<'static>,
    ) -> Result<Prepared> {
        let key = self.key(Phase::Train, rows, data, optimizer.id());
        self.train(key, optimizer, site)
    }

    /// The same step once more, where variables may have been frozen or thawed since: for what tracing makes.
    pub(crate) fn trace_step_again(
        &mut self,
        optimizer: &mut Optimizer,
        site: &'static Location<'static>,
    ) -> Result {
        let Some(key) = self.traced.clone() else { return Ok(()) };
        let frozen = self.network.variables.iter().map(Variable::is_frozen).collect();
        let program = self.train(Key { frozen, optimizer: optimizer.id(), ..key }, optimizer, site)?;
        self.keep(program);
        Ok(())
    }

    fn train(
        &mut self,
        key: Key,
        optimizer: &mut Optimizer,
        site: &'static Location<'static>,
    ) -> Result<Prepared> {
        self.traced = Some(key.clone());
        if !self.dynamic
            && let Some(program) = self.take(|program| program.key == key)
        {
            return Ok(program);
        }
        let marks = Marks::of(self.executor());
        let began = marks.begin();
        let step = self.describe_step(&key, site)?;
        // Variables that no output depends on have no shape yet, and nothing to learn.
        let learns = |v: &&Variable| v.is_trainable() && v.shape().is_some();
        let variables: Vec<Variable> = self.network.variables.iter().filter(learns).cloned().collect();
        let gradients = step.loss.gradients(&variables);
        if !variables.is_empty() && !variables.iter().any(|variable| gradients.reaches(variable)) {
            return Err(Error::new("gradient", "no gradient reaches any variable of the model")
                .at(site)
                .label("the loss does not depend on them, or only through steps that have no slope")
                .help("leave out what has none on the way to the loss: `Heaviside`, `Sign`, comparisons, `arg_max`, `stop_gradient`"));
        }
        let mut updates = optimizer.update(&gradients).pairs().to_vec();
        let aims = step.aims_of_training(&gradients, &updates);
        updates.extend(step.updates);
        let graph =
            Graph::capture_for(&[step.loss], &updates, &aims).map_err(|e| e_at(e, site))?.guarded_by(0);
        self.prepare(key, graph, step.compared, (&marks, began))
    }

    /// The graph of the step of training that was used last, if its program is at rest.
    pub(crate) fn last_training_graph(&self) -> Option<Graph> {
        let programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let program = programs.iter().rev().find(|program| program.key.phase == Phase::Train);
        program.map(|program| program.graph.clone())
    }

    /// The program that adds `rows` samples to the totals and changes nothing else.
    pub(crate) fn evaluation_program(
        &mut self,
        rows: usize,
        data: &Data,
        site: &'static Location<'static>,
    ) -> Result<Prepared> {
        let key = self.key(Phase::Evaluate, rows, data, 0);
        if !self.dynamic
            && let Some(program) = self.take(|program| program.key == key)
        {
            return Ok(program);
        }
        let marks = Marks::of(self.executor());
        let began = marks.begin();
        let step = self.describe_step(&key, site)?;
        let aims = step.aims();
        let graph = Graph::capture_for(&[step.loss], &step.updates, &aims).map_err(|e| e_at(e, site))?;
        self.prepare(key, graph, step.compared, (&marks, began))
    }

    /// The program that predicts from `rows` samples.
    pub(crate) fn prediction_program(
        &self,
        rows: usize,
        data: &Data,
        site: &'static Location<'static>,
    ) -> Result<Prepared> {
        let key = self.key(Phase::Predict, rows, data, 0);
        if !self.dynamic
            && let Some(program) = self.take(|program| program.key == key)
        {
            return Ok(program);
        }
        let marks = Marks::of(self.executor());
        let began = marks.begin();
        let outputs = self.network.outputs(&placeholders(&key, "input", &key.inputs), site)?;
        let graph = Graph::capture(&outputs, &[])?;
        self.prepare(key, graph, Vec::new(), (&marks, began))
    }

    pub(super) fn prepare(
        &self,
        key: Key,
        graph: Graph,
        compared: Vec<(Kind, usize, Shape)>,
        (marks, began): (&Marks, Option<u64>),
    ) -> Result<Prepared> {
        initialize_on(self.executor(), &graph.variables, self.seed)?;
        let feeds = graph.inputs.iter().map(|slot| feed_of(&slot.name, &key)).collect();
        let structure = graph.key();
        // A model that is traced at every step mostly traces what it traced before.
        let known = self.dynamic.then(|| self.take(|p| p.key == key && p.graph.key() == structure)).flatten();
        let (session, is_described) = match known {
            Some(program) => (program.session, program.is_described),
            None => (self.executor().compile(&graph)?.session(), false),
        };
        let tables = ids::tables(&graph);
        let mut program = Prepared { key, graph, session, feeds, compared, tables, is_described };
        if began.is_some() {
            program.is_described = true;
            program.session.describe(&program.graph);
            marks.planning(began, program.key.phase.kind(), program.key.rows);
        }
        Ok(program)
    }

    /// Loss and totals for one batch.
    pub(super) fn describe_step(&mut self, key: &Key, site: &'static Location<'static>) -> Result<Described> {
        let inputs = placeholders(key, "input", &key.inputs);
        let targets = placeholders(key, "target", &key.targets);
        let outputs = self.network.outputs(&inputs, site)?;
        let names = self.network.output_names(outputs.len()).map_err(|e| e_at(e, site))?;
        let terms = self.objective.resolve(&names).map_err(|e| e_at(e, site))?;

        let target_of = targets_of_outputs(targets.len(), &names, &terms).map_err(|e| e.at(site))?;
        let weights = weights_of_targets(key);

        let mut losses = Vec::new();
        let mut compared = Vec::new();
        for (i, (output, term)) in terms.iter().enumerate() {
            let target = target_of[*output].unwrap_or(0);
            let (answer, prediction) = (&targets[target], &outputs[*output]);
            let loss = match &weights[target] {
                Some(weights) => term.loss().of_weighted(answer, prediction, weights),
                None => term.loss().of(answer, prediction),
            };
            if let Err(error) = loss.check().and_then(|()| is_one_number(&loss)) {
                let name = term.loss().name();
                return Err(if names.len() > 1 {
                    e_at(error, site).note(format!("in the loss `{name}` on the output `{}`", names[*output]))
                } else {
                    e_at(error, site).note(format!("in the loss `{name}`"))
                });
            }
            compared.push((Kind::Term(i), target, outputs[*output].shape()));
            losses.push((loss, term.weight()));
        }
        let weighted: Vec<Tensor> = losses
            .iter()
            .map(|(loss, weight)| if *weight == 1.0 { loss.clone() } else { loss * *weight })
            .collect();
        let penalties =
            penalties(&outputs).into_iter().chain(regularizers::penalties(&self.network.variables));
        let Some(total) = weighted.iter().cloned().chain(penalties).reduce(|sum, loss| sum + loss) else {
            return Err(
                Error::new("loss", "there is nothing to make small").help("compile the model with a loss")
            );
        };

        total.check().map_err(|error| e_at(error, site))?;

        if self.scores.is_empty() {
            self.scores = self.new_scores(&names, terms.len(), &target_of).map_err(|e| e_at(e, site))?;
        }
        let mut updates = Vec::new();
        let rows = key.rows as f64;
        for score in &mut self.scores {
            match score.kind {
                Kind::Total => score.tally.add_weighted(&(total.cast(DType::F64) * rows), rows),
                Kind::Term(i) => score.tally.add_weighted(&(losses[i].0.cast(DType::F64) * rows), rows),
                Kind::Metric(i, output) => {
                    let target = target_of[output].unwrap_or(0);
                    let Watched { metric, is_weighted, .. } = &self.metrics[i];
                    score.tally.set_weights(weights[target].clone().filter(|_| *is_weighted));
                    metric.update(&mut score.tally, &targets[target], &outputs[output]);
                    let numbers = metric.each(&score.tally).map_or(0, |each| each.len());
                    score.parts = (0..numbers).map(|i| format!("{}_{i}", score.name).into()).collect();
                    compared.push((score.kind, target, outputs[output].shape()));
                }
            }
            for (variable, value) in score.tally.take_updates() {
                if let Err(error) = value.check() {
                    let place = match score.kind {
                        Kind::Metric(i, output) if names.len() > 1 => {
                            let metric = self.metrics[i].metric.name();
                            format!("in the metric `{metric}` on the output `{}`", names[output])
                        }
                        _ => format!("in the metric `{}`", score.name),
                    };
                    self.scores.clear();
                    return Err(e_at(error, site).note(place));
                }
                updates.push((variable, value));
            }
        }
        let heads = terms.iter().zip(weighted).map(|((output, _), loss)| (names[*output].clone(), loss));
        Ok(Described { outputs, loss: total, updates, compared, heads: heads.collect() })
    }

    fn new_scores(
        &self,
        outputs: &[Arc<str>],
        terms: usize,
        target_of: &[Option<usize>],
    ) -> Result<Vec<Score>> {
        let several = outputs.len() > 1;
        let mut scores: Vec<Score> = Vec::new();
        let mut add = |prefix: &str, name: &str, kind, is_weighted: bool| {
            let is_taken = |name: &str| scores.iter().any(|score| &*score.name == name);
            let mut full = format!("{prefix}{name}");
            if is_weighted && is_taken(&full) {
                full = format!("{prefix}weighted_{name}");
            }
            let name = free_name(&full, is_taken);
            scores.push(Score { name: name.into(), parts: Vec::new(), kind, tally: Tally::default() });
        };
        add("", "loss", Kind::Total, false);
        if several {
            let resolved = self.objective.resolve(outputs)?;
            (0..terms)
                .for_each(|i| add(&format!("{}_", outputs[resolved[i].0]), "loss", Kind::Term(i), false));
        }
        // Weighted ones last, so that others keep their names.
        let (weighted, plain): (Vec<_>, Vec<_>) =
            self.metrics.iter().enumerate().partition(|(_, watched)| watched.is_weighted);
        for (i, Watched { metric, only, is_weighted }) in plain.into_iter().chain(weighted) {
            if let Some(only) = only
                && !outputs.contains(only)
            {
                let title = format!("a metric is for the output `{only}`, which the model does not have");
                return Err(Error::new("metric", title).suggest(only, outputs));
            }
            for (output, name) in outputs.iter().enumerate() {
                if target_of[output].is_some() && only.as_ref().is_none_or(|only| only == name) {
                    let prefix = if several { format!("{name}_") } else { String::new() };
                    add(&prefix, &metric.name(), Kind::Metric(i, output), *is_weighted);
                }
            }
        }
        Ok(scores)
    }

    /// Whether losses and metrics can make sense of the targets' values.
    pub(crate) fn check_targets(&self, program: &Prepared, targets: &[Array]) -> Result {
        let terms = self.objective.terms();
        for (kind, target, prediction) in &program.compared {
            let Some(values) = targets.get(*target) else { continue };
            match *kind {
                Kind::Term(i) => {
                    // A single loss stands for all outputs.
                    if let Some(term) = terms.get(i).or(terms.first()) {
                        term.loss().check(values, prediction)?;
                    }
                }
                Kind::Metric(i, _) => {
                    let checked = self.metrics[i].metric.check_targets(values, prediction);
                    checked.map_err(|error| match self.scores.iter().find(|score| score.kind == *kind) {
                        Some(score) => error.note(format!("in the metric `{}`", score.name)),
                        None => error,
                    })?;
                }
                Kind::Total => {}
            }
        }
        Ok(())
    }

    /// Which targets each output with a loss or a metric is compared with, and the shape of its predictions.
    ///
    /// # Errors
    /// As for [`describe_step`](Core::describe_step).
    pub(crate) fn answers(&self, data: &Data, site: &'static Location<'static>) -> Result<Vec<Answer>> {
        let key = self.key(Phase::Evaluate, data.num_samples(), data, 0);
        let outputs = self.network.outputs(&placeholders(&key, "input", &key.inputs), site)?;
        let names = self.network.output_names(outputs.len()).map_err(|e| e_at(e, site))?;
        let terms = self.objective.resolve(&names).map_err(|e| e_at(e, site))?;
        let target_of = targets_of_outputs(key.targets.len(), &names, &terms).map_err(|e| e_at(e, site))?;
        let answer = |(i, output): (usize, Arc<str>)| {
            let loss = terms.iter().find(|(of, _)| *of == i).map(|(_, term)| term.shared_loss());
            Some(Answer { output, place: i, target: target_of[i]?, prediction: outputs[i].shape(), loss })
        };
        Ok(names.into_iter().enumerate().filter_map(answer).collect())
    }

    /// The names of the numbers in the logs, once a step has been traced.
    pub(crate) fn score_names(&self) -> impl Iterator<Item = &str> {
        self.scores.iter().map(|score| &*score.name)
    }

    /// The running totals, by the names of their numbers.
    pub(crate) fn totals(&self) -> impl Iterator<Item = (String, &Variable)> {
        self.scores.iter().flat_map(|score| {
            score.tally.variables().map(|(name, total)| (format!("{}/{name}", score.name), total))
        })
    }

    pub(crate) fn reset_totals(&self) -> Result {
        self.scores.iter().try_for_each(|score| score.tally.reset())
    }

    /// The numbers since the totals were reset, under their names with `prefix` before them.
    pub(crate) fn results_into(&self, logs: &mut Logs, prefix: &str) -> Result {
        for score in &self.scores {
            let value = match score.kind {
                Kind::Total | Kind::Term(_) => score.tally.mean()?,
                Kind::Metric(i, _) => {
                    let each = self.metrics[i].metric.each(&score.tally)?;
                    for (i, value) in each.iter().enumerate() {
                        match score.parts.get(i) {
                            Some(name) if prefix.is_empty() => logs.set(name, *value),
                            _ => logs.set(&format!("{prefix}{}_{i}", score.name), *value),
                        }
                    }
                    if !each.is_empty() {
                        continue;
                    }
                    self.metrics[i].metric.result(&score.tally)?
                }
            };
            if prefix.is_empty() {
                logs.set(&score.name, value);
            } else {
                logs.set(&format!("{prefix}{}", score.name), value);
            }
        }
        Ok(())
    }
}

/// An output that is compared with targets.
pub(crate) struct Answer {
    pub(crate) output: Arc<str>,
    /// Its place among the outputs.
    pub(crate) place: usize,
    /// The place of its targets.
    pub(crate) target: usize,
    /// The shape of what the model predicts.
    pub(crate) prediction: Shape,
    pub(crate) loss: Option<Arc<dyn Loss>>,
}

/// One batch, described.
pub(super) struct Described {
    outputs: Vec<Tensor>,
    pub(super) loss: Tensor,
    updates: Vec<(Variable, Tensor)>,
    compared: Vec<(Kind, usize, Shape)>,
    /// The loss of each output that has one, with its weight.
    pub(super) heads: Vec<(Arc<str>, Tensor)>,
}

impl Described {
    /// What is computed for what, in an evaluation.
    fn aims(&self) -> Vec<Aim> {
        let outputs = self.outputs.iter().map(|output| Aim::new("forward", output));
        let metrics = self.updates.iter().map(|(_, value)| Aim::new("metrics", value));
        outputs.chain([Aim::new("loss", &self.loss)]).chain(metrics).collect()
    }

    /// The same in training. What an optimizer does for a weight belongs to the layer that reads it.
    fn aims_of_training(&self, gradients: &Gradients, updates: &[(Variable, Tensor)]) -> Vec<Aim> {
        let mut aims = self.aims();
        // Before the metrics, which may look at what training needs anyway.
        let metrics = aims.split_off(self.outputs.len() + 1);
        aims.extend(gradients.cotangents().map(|(of, cotangent)| Aim::new("backward", cotangent).beside(of)));
        let (weights, others): (Vec<_>, Vec<_>) =
            updates.iter().partition(|(variable, _)| gradients.of(variable).is_some());
        let update = |(variable, value): &(Variable, Tensor)| {
            Aim::new("optimizer", value).beside(&Tensor::read(variable))
        };
        aims.extend(weights.into_iter().map(update));
        aims.extend(others.iter().map(|(_, value)| Aim::new("optimizer", value)));
        aims.extend(metrics);
        aims
    }
}

/// That training can make a loss small.
fn is_one_number(loss: &Tensor) -> Result {
    if loss.rank() == 0 {
        return Ok(());
    }
    Err(Error::new(
        "loss-shape",
        format!("the loss has shape {}, but training needs one number", loss.shape()),
    )
    .help("take another `reduction`: `Reduction::None` gives one number for each sample"))
}

/// Which targets belong to each output: one for each of them, or one for each loss.
///
/// # Errors
/// `data`, if there are neither as many targets as outputs nor as many as losses.
pub(crate) fn targets_of_outputs(
    targets: usize,
    outputs: &[Arc<str>],
    terms: &[(usize, &Term)],
) -> Result<Vec<Option<usize>>> {
    if targets == outputs.len() {
        return Ok((0..targets).map(Some).collect());
    }
    if targets == terms.len() {
        let mut target_of = vec![None; outputs.len()];
        terms.iter().enumerate().for_each(|(target, (output, _))| target_of[*output] = Some(target));
        return Ok(target_of);
    }
    let (model, data) = (count(outputs.len(), "output"), count(targets, "target"));
    Err(Error::new("data", format!("the model has {model}, the data has {data}"))
        .note(format!("the outputs are {}", list(outputs)))
        .help("give one array of targets for each output: `(&x, [&a, &b])`"))
}

/// What is known of an array whose samples have this shape and type, whatever their number.
pub(crate) fn facts_of_rows((row, dtype): (Vec<usize>, DType)) -> Facts {
    let row = row.into_iter().map(Dim::Fixed);
    Facts::new(std::iter::once(Dim::BATCH).chain(row).collect::<Vec<_>>(), dtype)
}

pub(super) fn placeholders(key: &Key, word: &str, rows: &[(Vec<usize>, DType)]) -> Vec<Tensor> {
    let mode = if word == "input" { key.phase.mode() } else { Mode::Inference };
    let placeholder = |(i, (row, dtype)): (usize, &(Vec<usize>, DType))| {
        let mut sizes = vec![key.rows];
        sizes.extend(row);
        Tensor::placeholder(&format!("{word}_{i}"), Facts::new(sizes, *dtype), mode)
    };
    rows.iter().enumerate().map(placeholder).collect()
}

/// The weights for each of the targets.
fn weights_of_targets(key: &Key) -> Vec<Option<Tensor>> {
    let given: Vec<_> = key.weights.iter().flatten().cloned().collect();
    let mut weights = placeholders(key, "weight", &given).into_iter();
    let none = vec![None; key.targets.len()];
    let places = if key.weights.is_empty() { &none } else { &key.weights };
    places.iter().map(|place| place.as_ref().and_then(|_| weights.next())).collect()
}

/// The place of `input_1`, `target_0` or `weight_0` among inputs, targets and weights.
pub(super) fn feed_of(name: &str, key: &Key) -> usize {
    let (word, number) = name.rsplit_once('_').unwrap_or((name, "0"));
    let number: usize = number.parse().unwrap_or(0);
    match word {
        "input" => number,
        "target" => key.inputs.len() + number,
        _ => key.inputs.len() + key.targets.len() + number,
    }
}

/// What layers add to the loss, each once.
fn penalties(outputs: &[Tensor]) -> Vec<Tensor> {
    let mut seen = HashSet::new();
    let penalty = |effect| match effect {
        Effect::Loss(penalty) => Some(penalty),
        Effect::Update(..) | Effect::Mask(_) => None,
    };
    let all = outputs.iter().flat_map(Tensor::all_effects).filter_map(penalty);
    all.filter(|penalty| seen.insert(penalty.address())).collect()
}

/// An error about the data or the loss points to the line that gave them; one inside a layer keeps its own place.
pub(super) fn e_at(error: Error, site: &'static Location<'static>) -> Error {
    if error.layers().is_empty() { error.at(site) } else { error }
}
