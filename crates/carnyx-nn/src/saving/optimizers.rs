//! Optimizers in files: their settings, and what they remember.
//!
//! The way to files is each rule's own `config`, with the options that all share; the way back is a table of classes.
//! Slots are in Keras's order, which is that of [`Optimizer::slots_of`]. Invariant: what changes the steps of an
//! optimizer and is not known is an error, never left out.

use super::config::{Fields, bad, object};
use super::losses::missing;
use super::schedules::{read_learning_rate, schedule_json};
use super::training::cannot_save;
use super::weights::{Assignment, Layout, fitting};
use crate::optimizers::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Average, Ftrl, Lamb, Lion, Muon, Nadam, Optimizer,
    OptimizerOptions, RmsProp, Sgd,
};
use crate::schedules::LearningRate;
use carnyx_file::Value;
use carnyx_graph::{Array, Error, Result, Variable};

/// The optimizer as Keras describes it.
pub(super) fn optimizer_json(optimizer: &Optimizer) -> Result<Value> {
    let config = optimizer.config().ok_or_else(|| cannot_save("optimizer", optimizer.name()))?;
    let options = optimizer.options();
    let rate = saved_schedule(optimizer).unwrap_or_else(|| Value::from(optimizer.learning_rate));
    let mut config = config.field("name", optimizer.name()).field("learning_rate", rate);
    let numbers = [
        ("weight_decay", options.weight_decay),
        ("clipvalue", options.clip_value),
        ("clipnorm", options.clip_norm),
        ("global_clipnorm", options.global_clip_norm),
    ];
    for (name, number) in numbers {
        config = number.map_or(config.clone(), |number| config.field(name, number));
    }
    if let Some(Average { momentum, overwrite_every }) = options.average {
        config = config.field("use_ema", true).field("ema_momentum", momentum);
        config = config.field("ema_overwrite_frequency", overwrite_every);
    }
    if let Some(batches) = options.accumulation {
        config = config.field("gradient_accumulation_steps", batches);
    }
    Ok(config.json("keras.optimizers"))
}

/// The schedule of the learning rate, if there is one and files can hold it.
pub(super) fn saved_schedule(optimizer: &Optimizer) -> Option<Value> {
    optimizer.schedule().and_then(schedule_json)
}

/// What Keras does not keep of an optimizer, for a member of Carnyx's own.
pub(super) fn rest_json(optimizer: &Optimizer) -> Value {
    let parts = optimizer.options().without_decay.iter().map(|part| Value::from(part.as_str()));
    object([("exclude_from_weight_decay", parts.collect())])
}

/// Reads what [`rest_json`] wrote.
pub(super) fn with_rest(optimizer: Optimizer, rest: Option<&Value>) -> Result<Optimizer> {
    let Some(value) = rest.filter(|value| value.get("exclude_from_weight_decay").is_some()) else {
        return Ok(optimizer);
    };
    let fields = Fields { class: "carnyx.json", value };
    Ok(optimizer.exclude_from_weight_decay(texts(&fields, "exclude_from_weight_decay")?))
}

/// A list of texts; empty if there is none.
fn texts(fields: &Fields, name: &str) -> Result<Vec<String>> {
    if fields.get(name).is_none() {
        return Ok(Vec::new());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts: Option<_> = fields.list(name)?.iter().map(text).collect();
    texts.ok_or_else(|| fields.wrong(name, "a list of texts"))
}

/// How a rule is read from its settings.
type Read = fn(Fields, LearningRate) -> Result<Optimizer>;

/// The classes of Keras with their default learning rates.
const CLASSES: [(&str, f64, Read); 13] = [
    ("Adadelta", 0.001, |fields, rate| {
        Ok(Adadelta::new(rate).rho(number(fields, "rho", 0.95)?).epsilon(epsilon(fields)?).into())
    }),
    ("Adafactor", 0.001, |fields, rate| {
        let epsilons = (number(fields, "epsilon_1", 1e-30)?, number(fields, "epsilon_2", 1e-3)?);
        let rule = Adafactor::new(rate)
            .beta_2_decay(number(fields, "beta_2_decay", -0.8)?)
            .epsilons(epsilons.0, epsilons.1)
            .clip_threshold(number(fields, "clip_threshold", 1.0)?);
        Ok(if fields.truth("relative_step", true)? { rule } else { rule.without_relative_step() }.into())
    }),
    ("Adagrad", 0.001, |fields, rate| {
        let accumulator = number(fields, "initial_accumulator_value", 0.1)?;
        Ok(Adagrad::new(rate).initial_accumulator(accumulator).epsilon(epsilon(fields)?).into())
    }),
    ("Adam", 0.001, |fields, rate| {
        let (beta_1, beta_2) = betas(fields, 0.999)?;
        let rule = Adam::new(rate).betas(beta_1, beta_2).epsilon(epsilon(fields)?);
        Ok(if fields.truth("amsgrad", false)? { rule.amsgrad() } else { rule }.into())
    }),
    ("AdamW", 0.001, |fields, rate| {
        let (beta_1, beta_2) = betas(fields, 0.999)?;
        let rule = AdamW::new(rate).betas(beta_1, beta_2).epsilon(epsilon(fields)?);
        Ok(if fields.truth("amsgrad", false)? { rule.amsgrad() } else { rule }.into())
    }),
    ("Adamax", 0.001, |fields, rate| {
        let (beta_1, beta_2) = betas(fields, 0.999)?;
        Ok(Adamax::new(rate).betas(beta_1, beta_2).epsilon(epsilon(fields)?).into())
    }),
    ("Ftrl", 0.001, |fields, rate| {
        let rule = Ftrl::new(rate)
            .learning_rate_power(number(fields, "learning_rate_power", -0.5)?)
            .initial_accumulator(number(fields, "initial_accumulator_value", 0.1)?)
            .l1(number(fields, "l1_regularization_strength", 0.0)?)
            .l2(number(fields, "l2_regularization_strength", 0.0)?)
            .l2_shrinkage(number(fields, "l2_shrinkage_regularization_strength", 0.0)?);
        Ok(rule.beta(number(fields, "beta", 0.0)?).into())
    }),
    ("Lamb", 0.001, |fields, rate| {
        let (beta_1, beta_2) = betas(fields, 0.999)?;
        Ok(Lamb::new(rate).betas(beta_1, beta_2).epsilon(epsilon(fields)?).into())
    }),
    ("Lion", 0.001, |fields, rate| {
        let (beta_1, beta_2) = betas(fields, 0.99)?;
        Ok(Lion::new(rate).betas(beta_1, beta_2).into())
    }),
    ("Muon", 0.001, muon),
    ("Nadam", 0.001, |fields, rate| {
        let (beta_1, beta_2) = betas(fields, 0.999)?;
        Ok(Nadam::new(rate).betas(beta_1, beta_2).epsilon(epsilon(fields)?).into())
    }),
    ("RMSprop", 0.001, |fields, rate| {
        let rule = RmsProp::new(rate)
            .rho(number(fields, "rho", 0.9)?)
            .momentum(number(fields, "momentum", 0.0)?)
            .epsilon(epsilon(fields)?);
        Ok(if fields.truth("centered", false)? { rule.centered() } else { rule }.into())
    }),
    ("SGD", 0.01, |fields, rate| {
        let rule = Sgd::new(rate).momentum(number(fields, "momentum", 0.0)?);
        Ok(if fields.truth("nesterov", false)? { rule.nesterov() } else { rule }.into())
    }),
];

fn number(fields: Fields, name: &str, default: f64) -> Result<f64> {
    fields.number(name, Some(default))
}

fn epsilon(fields: Fields) -> Result<f64> {
    number(fields, "epsilon", 1e-7)
}

fn betas(fields: Fields, beta_2: f64) -> Result<(f64, f64)> {
    Ok((number(fields, "beta_1", 0.9)?, number(fields, "beta_2", beta_2)?))
}

fn muon(fields: Fields, rate: LearningRate) -> Result<Optimizer> {
    // Keras takes each of them as a regular expression; one without special characters is a part of a path.
    let excluded = texts(&fields, "exclude_layers")?;
    if excluded.iter().any(|part| part.contains(|c: char| "\\^$.|?*+()[]{}".contains(c))) {
        return Err(fields.wrong("exclude_layers", "parts of paths, without patterns"));
    }
    let rms = match fields.value.get("rms_rate") {
        Some(Value::Null) => None,
        _ => Some(number(fields, "rms_rate", 0.2)?),
    };
    let coefficients = [
        number(fields, "muon_a", 3.4445)?,
        number(fields, "muon_b", -4.775)?,
        number(fields, "muon_c", 2.0315)?,
    ];
    let mut rule = Muon::new(rate)
        .momentum(number(fields, "momentum", 0.95)?)
        .coefficients(coefficients)
        .rms(rms)
        .exclude(excluded)
        .adam_betas(number(fields, "adam_beta_1", 0.9)?, number(fields, "adam_beta_2", 0.999)?)
        .adam_weight_decay(number(fields, "adam_weight_decay", 0.004)?)
        .adam_rate_ratio(number(fields, "adam_lr_ratio", 1.0)?)
        .epsilon(epsilon(fields)?);
    if fields.get("ns_steps").is_some() {
        rule = rule.iterations(fields.count("ns_steps")?.min(MOST_ITERATIONS));
    }
    if !fields.truth("nesterov", true)? {
        rule = rule.without_nesterov();
    }
    if !fields.truth("exclude_embeddings", true)? {
        rule = rule.include_embeddings();
    }
    Ok(rule.into())
}

/// What a file may ask for at most: each iteration is a part of the program.
const MOST_ITERATIONS: usize = 100;

/// The optimizer that a file describes, by a word or with its settings.
pub(super) fn optimizer(value: &Value) -> Result<Optimizer> {
    let advice = |error: Error| error.help("`load_network` reads the model without its optimizer");
    let fields = match value.as_str() {
        Some(word) => Fields { class: word, value: &Value::Null },
        None => {
            let described = Fields::of(value, "the optimizer")?;
            // Keras 2 writes its own optimizers as if users had registered them.
            Fields { class: described.class.strip_prefix("Custom>").unwrap_or(described.class), ..described }
        }
    };
    let known = CLASSES.iter().find(|(class, ..)| class.eq_ignore_ascii_case(fields.class));
    let Some((_, rate, read)) = known else {
        return Err(missing("optimizer", fields.class, &CLASSES.map(|(class, ..)| class)));
    };
    fields.only(&[("loss_scale_factor", Value::Null)]).map_err(advice)?;
    let given = fields.get("learning_rate");
    let rate = given.map_or(Ok((*rate).into()), read_learning_rate).map_err(advice)?;
    with_options(read(fields, rate)?, fields)
}

fn with_options(mut optimizer: Optimizer, fields: Fields) -> Result<Optimizer> {
    let option = |name: &str| fields.get(name).map(|_| fields.number(name, None)).transpose();
    if let Some(decay) = option("weight_decay")? {
        optimizer = optimizer.weight_decay(decay);
    }
    // Keras takes a limit of zero for none.
    let limit = |name: &str| Ok::<_, Error>(option(name)?.filter(|limit| *limit != 0.0));
    if let Some(value) = limit("clipvalue")? {
        optimizer = optimizer.clip_value(value);
    }
    if let Some(norm) = limit("clipnorm")? {
        optimizer = optimizer.clip_norm(norm);
    }
    if let Some(norm) = limit("global_clipnorm")? {
        optimizer = optimizer.global_clip_norm(norm);
    }
    let count = |name: &str| fields.get(name).map(|_| fields.count(name)).transpose();
    if fields.truth("use_ema", false)? {
        optimizer = optimizer.moving_average(number(fields, "ema_momentum", 0.99)?);
        if let Some(steps) = count("ema_overwrite_frequency")? {
            optimizer = optimizer.overwrite_with_average_every(steps);
        }
    }
    if let Some(batches) = count("gradient_accumulation_steps")? {
        optimizer = optimizer.gradient_accumulation_steps(batches);
    }
    Ok(optimizer)
}

/// What the optimizer remembers with names, in Keras's order: step number, learning rate if no schedule says it, then the
/// slots.
pub(super) fn optimizer_arrays(optimizer: &Optimizer, layout: &Layout) -> Result<Vec<(String, Array)>> {
    let iterations = super::weights::for_keras(&Array::scalar(optimizer.iterations()? as i64));
    let mut arrays = vec![("iteration".to_owned(), iterations)];
    if saved_schedule(optimizer).is_none() {
        arrays.push(("learning_rate".to_owned(), Array::scalar(optimizer.learning_rate as f32)));
    }
    let names = layout.all();
    let name_of = |variable: &Variable| {
        let name = names.iter().find(|(_, known)| known == variable).map(|(name, _)| name.replace('/', "_"));
        name.unwrap_or_default()
    };
    for (weight, slot) in optimizer.slots_of(&layout.trainable()) {
        let value = optimizer.slot_value(weight.as_ref(), slot)?;
        let name =
            weight.map_or(slot.name().to_owned(), |weight| format!("{}_{}", name_of(&weight), slot.name()));
        arrays.push((name, value));
    }
    Ok(arrays)
}

/// Brings the optimizer to where the file's one was.
pub(super) fn restore_optimizer(optimizer: &mut Optimizer, layout: &Layout, arrays: &[&Array]) -> Result {
    let Some((iteration, rest)) = arrays.split_first() else { return Ok(()) };
    let wrong = |what: &str| bad(format!("the optimizer's {what} is no single number"));
    let iterations = iteration.item().map_err(|_| wrong("number of steps"))?;
    let mut assignments: Vec<Assignment> = Vec::new();
    let is_scheduled = optimizer.schedule().is_some();
    if let Some((rate, stored)) = if is_scheduled { Some((iteration, rest)) } else { rest.split_first() } {
        let rate = rate.item().map_err(|_| wrong("learning rate"))?;
        // The file has 32 bits of it here; where they agree, the configuration has them all.
        if !is_scheduled && optimizer.learning_rate as f32 != rate as f32 {
            optimizer.learning_rate = rate;
        }
        let slots = optimizer.slots_of(&layout.trainable());
        if !stored.is_empty() && stored.len() != slots.len() {
            return Err(bad(format!(
                "the optimizer has {} in the file, and needs {}",
                crate::losses::count(stored.len(), "array"),
                slots.len()
            ))
            .help("`load_network` reads the model without its optimizer"));
        }
        for ((weight, slot), array) in slots.iter().zip(stored) {
            let path = weight.as_ref().and_then(Variable::path).unwrap_or_else(|| "all weights".into());
            let memory = optimizer.make_slot(weight.as_ref(), *slot);
            let value = fitting(&format!("{} of {path}", slot.name()), &memory, array)?;
            assignments.push((memory, value));
        }
    }
    super::weights::assign_all(assignments)?;
    optimizer.set_iterations(iterations as i64)
}
