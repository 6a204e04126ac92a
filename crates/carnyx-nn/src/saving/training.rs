//! How a model is compiled, and where its training stands.
//!
//! Keras has a place for optimizer, losses, weights of losses and metrics, in several forms. What it has no place for
//! (names of outputs, the order of losses, seed, epochs) is in a member of its own, `carnyx.json`. That member says
//! everything again, so that Carnyx reads back exactly what it wrote; Keras drops it when it writes the file anew.

use super::SaveReport;
use super::config::{Fields, bad, brief, object};
use super::losses::loss;
use super::metrics::metric;
use super::optimizers::{optimizer, optimizer_arrays, optimizer_json, rest_json, saved_schedule, with_rest};
use super::schedules::is_known_to_keras;
use super::traced::TRACED_LOSS;
use super::weights::Layout;
use crate::losses::{Loss, Objective, Term};
use crate::metrics::Metric;
use crate::models::trace::{Core, Watched, facts_of_rows};
use crate::optimizers::Optimizer;
use carnyx_file::Value;
use carnyx_graph::{Array, Error, Facts, Result, Tensor};
use std::sync::Arc;

/// What a model is compiled with, apart from its weights.
pub(super) struct Compiled {
    pub(super) optimizer: Optimizer,
    pub(super) objective: Objective,
    pub(super) metrics: Vec<Watched>,
}

/// What Keras has no place for.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) epochs_trained: usize,
    pub(super) seed: u64,
    pub(super) output_names: Vec<String>,
    /// The variables that no optimizer may change, by their names in the layout.
    pub(super) frozen: Vec<String>,
    compile: Option<Value>,
}

/// How a model is compiled, as far as a file can hold it.
pub(super) struct Compilation<'a> {
    /// `None` for a rule of the user's own.
    optimizer: Option<&'a Optimizer>,
    objective: Objective,
    metrics: Vec<&'a Watched>,
}

impl<'a> Compilation<'a> {
    /// Losses of the user's own become traces; metrics and rules of the user's own are left out.
    pub(super) fn of(
        core: &'a Core,
        optimizer: &'a Optimizer,
        names: &[Arc<str>],
        outputs: &[Tensor],
        report: &mut SaveReport,
    ) -> Result<Compilation<'a>> {
        let predictions: Vec<Facts> =
            outputs.iter().map(|output| output.facts().cloned()).collect::<Result<_>>()?;
        let targets: Vec<Facts> = core.last_target_rows().into_iter().map(facts_of_rows).collect();
        let objective = core.objective.with_traces(names, &predictions, &targets).map_err(|error| {
            bad("a loss of this model cannot be saved").because(error).help(
                "save the weights alone with `save_weights`, and compile the model in Rust before `load_weights`",
            )
        })?;
        let (metrics, own): (Vec<&Watched>, Vec<&Watched>) =
            core.metrics.iter().partition(|watched| watched.metric.config().is_some());
        own.iter().for_each(|watched| report.leave_out_metric(watched.metric.name()));
        if optimizer.config().is_none() {
            report.leave_out_optimizer(optimizer.name());
        }
        match optimizer.schedule() {
            Some(schedule) if optimizer.config().is_some() && saved_schedule(optimizer).is_none() => {
                report.leave_out_schedule(schedule.name(), optimizer.learning_rate);
            }
            _ => {}
        }
        let optimizer = Some(optimizer).filter(|optimizer| optimizer.config().is_some());
        Ok(Compilation { optimizer, objective, metrics })
    }

    /// What the optimizer remembers, with names.
    pub(super) fn optimizer_arrays(&self, layout: &Layout) -> Result<Vec<(String, Array)>> {
        self.optimizer.map_or(Ok(Vec::new()), |optimizer| optimizer_arrays(optimizer, layout))
    }

    /// Whether Keras has all losses, and the schedule: it reads a file only if it knows everything that is in it.
    fn is_known_to_keras(&self) -> bool {
        let mut configs = self.objective.terms().iter().filter_map(|term| term.loss().config());
        let schedule = self.optimizer.filter(|optimizer| saved_schedule(optimizer).is_some());
        let schedule = schedule.and_then(Optimizer::schedule);
        configs.all(|config| config.class != TRACED_LOSS) && schedule.is_none_or(is_known_to_keras)
    }
}

pub(super) fn cannot_save(what: &str, name: &str) -> Error {
    bad(format!("the {what} `{name}` cannot be saved")).label("files know those that Keras has too").help(
        "save the weights alone with `save_weights`, and compile the model in Rust before `load_weights`",
    )
}

fn loss_json(loss: &dyn Loss) -> Result<Value> {
    let config = loss.config().ok_or_else(|| cannot_save("loss", &loss.name()))?;
    Ok(config.json("keras.losses"))
}

fn metric_json(metric: &dyn Metric) -> Result<Value> {
    let config = metric.config().ok_or_else(|| cannot_save("metric", &metric.name()))?;
    Ok(super::metrics::json(&config))
}

/// The `compile_config` of Keras; nothing if Keras could not read it.
pub(super) fn compile_json(compiled: &Compilation, outputs: &[Arc<str>]) -> Result<Value> {
    let Some(optimizer) = compiled.optimizer.filter(|_| compiled.is_known_to_keras()) else {
        return Ok(Value::Null);
    };
    let several = outputs.len() > 1;
    let mut losses = vec![Value::Null; outputs.len()];
    let mut weights = vec![Value::from(1.0); outputs.len()];
    for (output, term) in compiled.objective.resolve(outputs)? {
        losses[output] = loss_json(term.loss())?;
        weights[output] = Value::from(term.weight());
    }
    let [metrics, weighted_metrics] =
        [false, true].map(|is_weighted| metrics_json(&compiled.metrics, outputs, is_weighted));
    let is_weighted = weights.iter().any(|weight| weight.as_f64() != Some(1.0));
    let one_or_all =
        |mut list: Vec<Value>| if several { Value::from(list) } else { list.pop().unwrap_or_default() };
    let has_weighted = compiled.metrics.iter().any(|watched| watched.is_weighted);
    let weighted_metrics =
        weighted_metrics.map(|lists| if has_weighted { one_or_all(lists) } else { Value::Null });
    Ok(object([
        ("optimizer", optimizer_json(optimizer)?),
        ("loss", one_or_all(losses)),
        ("loss_weights", if is_weighted { Value::from(weights) } else { Value::Null }),
        ("metrics", one_or_all(metrics?)),
        ("weighted_metrics", weighted_metrics?),
        ("run_eagerly", Value::from(false)),
        ("steps_per_execution", Value::from(1)),
        ("jit_compile", Value::from(false)),
    ]))
}

/// A list of metrics for each output: those in which weights of samples count, or the others.
fn metrics_json(watched: &[&Watched], outputs: &[Arc<str>], is_weighted: bool) -> Result<Vec<Value>> {
    let mut metrics = vec![Vec::new(); outputs.len()];
    for watched in watched.iter().filter(|watched| watched.is_weighted == is_weighted) {
        let json = metric_json(&*watched.metric)?;
        for (output, metrics) in outputs.iter().zip(&mut metrics) {
            if watched.only.as_ref().is_none_or(|only| only == output) {
                metrics.push(json.clone());
            }
        }
    }
    Ok(metrics.into_iter().map(Value::from).collect())
}

/// The member `carnyx.json`.
pub(super) fn progress_json(
    core: &Core,
    compiled: &Compilation,
    outputs: &[Arc<str>],
    layout: &Layout,
) -> Result<Value> {
    let name = |name: &Option<Arc<str>>| name.as_deref().map_or(Value::Null, Value::from);
    let mut losses = Vec::new();
    for term in compiled.objective.terms() {
        losses.push(object([
            ("output", term.output().map_or(Value::Null, Value::from)),
            ("weight", Value::from(term.weight())),
            ("loss", loss_json(term.loss())?),
        ]));
    }
    let mut metrics = Vec::new();
    for watched in &compiled.metrics {
        metrics.push(object([
            ("output", name(&watched.only)),
            ("metric", metric_json(&*watched.metric)?),
            ("weighted", Value::from(watched.is_weighted)),
        ]));
    }
    let compile = match compiled.optimizer {
        Some(optimizer) => object([
            ("optimizer", optimizer_json(optimizer)?),
            ("optimizer_rest", rest_json(optimizer)),
            ("losses", Value::from(losses)),
            ("metrics", Value::from(metrics)),
        ]),
        None => Value::Null,
    };
    let frozen = layout.all().into_iter().filter(|(_, variable)| variable.is_frozen());
    Ok(object([
        ("carnyx_version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("epochs_trained", Value::from(core.epochs_trained)),
        ("seed", Value::from(core.seed)),
        ("frozen", frozen.map(|(name, _)| Value::from(name)).collect()),
        ("output_names", outputs.iter().map(|name| Value::from(&**name)).collect()),
        ("compile", compile),
    ]))
}

/// `carnyx.json` of a file that holds no more than the weights.
pub(super) fn weights_alone() -> Value {
    object([("carnyx_version", Value::from(env!("CARGO_PKG_VERSION"))), ("holds", Value::from("weights"))])
}

/// Reads `carnyx.json`.
pub(super) fn read_progress(value: &Value) -> Result<Progress> {
    let fields = Fields { class: "carnyx.json", value };
    if fields.get("holds").and_then(Value::as_str) == Some("weights") {
        return Err(bad("the file holds the weights of a model, not what they belong to")
            .label("the structure of a dynamic model is another one at every step")
            .help("make the model in Rust, and read the file with `load_weights`"));
    }
    let seed = fields.get("seed").map_or(Some(0), Value::as_u64);
    let names = |field: &str| -> Result<Vec<String>> {
        if fields.get(field).is_none() {
            return Ok(Vec::new());
        }
        let name = |value: &Value| value.as_str().map(str::to_owned);
        let names: Option<_> = fields.list(field)?.iter().map(name).collect();
        names.ok_or_else(|| fields.wrong(field, "a list of names"))
    };
    Ok(Progress {
        epochs_trained: if fields.get("epochs_trained").is_some() {
            fields.count("epochs_trained")?
        } else {
            0
        },
        seed: seed.ok_or_else(|| fields.wrong("seed", "a whole number from 0 on"))?,
        output_names: names("output_names")?,
        frozen: names("frozen")?,
        compile: fields.get("compile").cloned(),
    })
}

/// What the model was compiled with: by Carnyx's own words, or else by Keras's. `None` if it was not compiled.
pub(super) fn read_compiled(
    progress: &Progress,
    compile_config: Option<&Value>,
    outputs: &[Arc<str>],
) -> Result<Option<Compiled>> {
    if let Some(value) = &progress.compile {
        let fields = Fields { class: "carnyx.json", value };
        let name = |value: &Value| value.get("output").and_then(Value::as_str).map(Arc::from);
        let mut terms = Vec::new();
        for term in fields.list("losses")? {
            let loss = loss(term.get("loss").unwrap_or(&Value::Null))?;
            let weight = Fields { class: "carnyx.json", value: term }.number("weight", Some(1.0))?;
            terms.push(Term::new(loss, name(term), weight));
        }
        let mut metrics = Vec::new();
        for watched in fields.list("metrics")? {
            let metric = metric(watched.get("metric").unwrap_or(&Value::Null))?;
            let is_weighted = watched.get("weighted").and_then(Value::as_bool) == Some(true);
            metrics.push(Watched { metric, only: name(watched), is_weighted });
        }
        let optimizer = optimizer(value.get("optimizer").unwrap_or(&Value::Null))?;
        let optimizer = with_rest(optimizer, value.get("optimizer_rest"))?;
        return Ok(Some(Compiled { optimizer, objective: Objective::of(terms), metrics }));
    }
    let Some(value) = compile_config.filter(|value| value.get("optimizer").is_some_and(|o| !o.is_null()))
    else {
        return Ok(None);
    };
    let fields = Fields { class: "compile_config", value };
    let optimizer = optimizer(value.get("optimizer").unwrap_or(&Value::Null))?;
    let losses = for_outputs(fields.get("loss").unwrap_or(&Value::Null), outputs, "loss", is_described)?;
    let weights = for_outputs(
        fields.get("loss_weights").unwrap_or(&Value::Null),
        outputs,
        "loss_weights",
        Value::is_number,
    )?;
    let mut terms = Vec::new();
    for (i, value) in losses.iter().enumerate() {
        let Some(value) = value else { continue };
        let weight = weights[i].map_or(Some(1.0), Value::as_f64);
        let weight = weight.ok_or_else(|| fields.wrong("loss_weights", "numbers"))?;
        let output = (outputs.len() > 1).then(|| outputs[i].clone());
        terms.push(Term::new(loss(value)?, output, weight));
    }
    if terms.is_empty() {
        return Ok(None);
    }
    let mut metrics = Vec::new();
    for (what, is_weighted) in [("metrics", false), ("weighted_metrics", true)] {
        let read = read_metrics(fields.get(what).unwrap_or(&Value::Null), outputs, what)?;
        metrics.extend(read.into_iter().map(|watched| Watched { is_weighted, ..watched }));
    }
    Ok(Some(Compiled { optimizer, objective: Objective::of(terms), metrics }))
}

/// The metrics of a list, each with the only output that it is for.
fn read_metrics(value: &Value, outputs: &[Arc<str>], what: &str) -> Result<Vec<Watched>> {
    let mut metrics = Vec::new();
    let watched = |metric, only| Watched { metric, only, is_weighted: false };
    // A flat list belongs to every output, a nested one to the outputs in order.
    let is_flat = value.as_array().is_some_and(|list| list.iter().all(is_described));
    if is_described(value)
        || is_flat && (outputs.len() == 1 || value.as_array().is_some_and(|l| l.len() != outputs.len()))
    {
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for one in list {
            metrics.push(watched(metric(one)?, None));
        }
        return Ok(metrics);
    }
    for (i, list) in for_outputs(value, outputs, what, |_| false)?.iter().enumerate() {
        let Some(list) = list else { continue };
        let output = (outputs.len() > 1).then(|| outputs[i].clone());
        for one in list.as_array().map_or(std::slice::from_ref(*list), Vec::as_slice) {
            metrics.push(watched(metric(one)?, output.clone()));
        }
    }
    Ok(metrics)
}

/// Whether a value is a word or an object with a class.
fn is_described(value: &Value) -> bool {
    value.is_string() || value.get("class_name").is_some()
}

/// One value for each output: from one for all, a list, or an object with names.
fn for_outputs<'a>(
    value: &'a Value,
    outputs: &[Arc<str>],
    what: &str,
    is_one: impl Fn(&Value) -> bool,
) -> Result<Vec<Option<&'a Value>>> {
    let some = |value: &'a Value| Some(value).filter(|value| !value.is_null());
    if value.is_null() {
        return Ok(vec![None; outputs.len()]);
    }
    if is_one(value) {
        return Ok(vec![Some(value); outputs.len()]);
    }
    if let Some(list) = value.as_array() {
        if list.len() == outputs.len() {
            return Ok(list.iter().map(some).collect());
        }
        return Err(bad(format!(
            "`{what}` of the file has {} for {}",
            crate::losses::count(list.len(), "entry").replace("entrys", "entries"),
            crate::losses::count(outputs.len(), "output")
        )));
    }
    let map = value.as_object().ok_or_else(|| bad(format!("`{what}` of the file is {}", brief(value))))?;
    if let Some(name) = map.keys().find(|name| !outputs.iter().any(|output| **output == **name)) {
        return Err(bad(format!(
            "`{what}` of the file is for the output `{name}`, which the model does not have"
        ))
        .suggest(name, outputs));
    }
    Ok(outputs.iter().map(|output| map.get(&**output).and_then(some)).collect())
}
