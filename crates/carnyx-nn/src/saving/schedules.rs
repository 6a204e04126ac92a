//! Schedules of learning rates in files: those of Keras by its names, those of Carnyx alone by names of their own.
//!
//! The way to files is each schedule's own `config`; the way back is a table of classes. Schedules may stand in each other.

use super::config::{Fields, bad, object};
use crate::schedules::*;
use carnyx_file::{Value, to_json};
use carnyx_graph::{Error, Result};

/// A schedule as files have it, if they can.
pub(crate) fn schedule_json(schedule: &dyn Schedule) -> Option<Value> {
    schedule.config().map(|config| config.json("keras.optimizers.schedules"))
}

/// A learning rate as files have it, if they can: a number, or a schedule.
pub(crate) fn learning_rate_json(rate: &LearningRate) -> Option<Value> {
    match rate.schedule() {
        Some(schedule) => schedule_json(schedule),
        None => Some(Value::from(rate.at(Clock::default()))),
    }
}

/// Whether Keras has a schedule.
pub(super) fn is_known_to_keras(schedule: &dyn Schedule) -> bool {
    schedule.config().is_some_and(|config| !config.class.starts_with("Carnyx>"))
}

/// What tells a schedule from others, in a line.
pub(crate) fn describe_schedule(schedule: &dyn Schedule) -> String {
    match schedule.config() {
        Some(config) => format!("{} {}", config.class, to_json(&object(config.fields))),
        None => schedule.name(),
    }
}

/// How a schedule is read from its settings.
type Read = fn(Fields) -> Result<LearningRate>;

const CLASSES: [(&str, Read); 10] = [
    ("CosineDecay", |fields| {
        let schedule = CosineDecay::new(first(fields)?, steps(fields, "decay_steps")?);
        let schedule = schedule.alpha(fields.number("alpha", Some(0.0))?);
        if fields.get("warmup_target").is_none() {
            return Ok(schedule.into());
        }
        let target = fields.number("warmup_target", None)?;
        Ok(schedule.warmup(target, steps(fields, "warmup_steps")?).into())
    }),
    ("CosineDecayRestarts", |fields| {
        let schedule = CosineDecayRestarts::new(first(fields)?, steps(fields, "first_decay_steps")?)
            .length_factor(fields.number("t_mul", Some(2.0))?)
            .peak_factor(fields.number("m_mul", Some(1.0))?);
        Ok(schedule.alpha(fields.number("alpha", Some(0.0))?).into())
    }),
    ("ExponentialDecay", |fields| {
        let rate = fields.number("decay_rate", None)?;
        let schedule = ExponentialDecay::new(first(fields)?, steps(fields, "decay_steps")?, rate);
        Ok(if fields.truth("staircase", false)? { schedule.staircase() } else { schedule }.into())
    }),
    ("InverseTimeDecay", |fields| {
        let rate = fields.number("decay_rate", None)?;
        let schedule = InverseTimeDecay::new(first(fields)?, steps(fields, "decay_steps")?, rate);
        Ok(if fields.truth("staircase", false)? { schedule.staircase() } else { schedule }.into())
    }),
    ("PiecewiseConstantDecay", |fields| {
        let boundaries: Option<Vec<usize>> = fields.list("boundaries")?.iter().map(whole).collect();
        let boundaries =
            boundaries.ok_or_else(|| fields.wrong("boundaries", "a list of whole numbers from 0 on"))?;
        Ok(PiecewiseConstantDecay::new(boundaries, fields.numbers("values")?).into())
    }),
    ("PolynomialDecay", |fields| {
        let schedule = PolynomialDecay::new(first(fields)?, steps(fields, "decay_steps")?)
            .end(fields.number("end_learning_rate", Some(0.0001))?)
            .power(fields.number("power", Some(1.0))?);
        Ok(if fields.truth("cycle", false)? { schedule.cycle() } else { schedule }.into())
    }),
    ("Carnyx>OneCycle", |fields| {
        let max = fields.number("max_learning_rate", None)?;
        let mut schedule = OneCycle::new(max, steps(fields, "total_steps")?)
            .rise(fields.number("rise", Some(0.3))?)
            .initial_divisor(fields.number("initial_divisor", Some(25.0))?)
            .final_divisor(fields.number("final_divisor", Some(1e4))?);
        if fields.truth("linear", false)? {
            schedule = schedule.linear();
        }
        Ok(if fields.truth("three_phases", false)? { schedule.three_phases() } else { schedule }.into())
    }),
    ("Carnyx>PerEpoch", |fields| {
        let Some(schedule) = part(fields, "schedule")?.into_schedule() else {
            return Err(fields.wrong("schedule", "a schedule"));
        };
        let schedule = PerEpoch::of(schedule);
        Ok(if fields.truth("smooth", false)? { schedule.smooth() } else { schedule }.into())
    }),
    ("Carnyx>PowerDecay", |fields| {
        let schedule = PowerDecay::new(fields.number("learning_rate", None)?, steps(fields, "steps")?);
        Ok(schedule.power(fields.number("power", Some(1.0))?).into())
    }),
    ("Carnyx>Warmup", |fields| {
        let length = match fields.get("epochs") {
            Some(_) => Span::Epochs(steps(fields, "epochs")? as f64),
            None => Span::Steps(steps(fields, "steps")? as f64),
        };
        let start = fields.number("start_factor", Some(0.0))?;
        Ok(Warmup::of(length, start, part(fields, "learning_rate")?).into())
    }),
];

fn first(fields: Fields) -> Result<f64> {
    fields.number("initial_learning_rate", None)
}

/// A number of steps; Keras takes and writes one with a point too.
fn steps(fields: Fields, name: &str) -> Result<usize> {
    fields.get(name).and_then(whole).ok_or_else(|| fields.wrong(name, "a whole number from 0 on"))
}

fn whole(value: &Value) -> Option<usize> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number))?;
    Some(number as usize)
}

/// The learning rate within another one.
fn part(fields: Fields, name: &str) -> Result<LearningRate> {
    let value = fields.get(name).ok_or_else(|| fields.wrong(name, "a learning rate"))?;
    read_learning_rate(value)
}

/// The learning rate that a file gives: a number, or a schedule with settings in their ranges.
pub(super) fn read_learning_rate(value: &Value) -> Result<LearningRate> {
    if let Some(rate) = value.as_f64() {
        return Ok(rate.into());
    }
    let fields = Fields::of(value, "the learning rate")?;
    let Some((_, read)) = CLASSES.iter().find(|(class, _)| *class == fields.class) else {
        let known = CLASSES.map(|(class, _)| class);
        return Err(bad(format!("there is no schedule `{}`", fields.class)).suggest(fields.class, &known));
    };
    let rate = read(fields)?;
    let checked: Result = rate.schedule().map_or(Ok(()), Schedule::check);
    checked.map_err(|error: Error| bad(error.title()).label("no schedule of a file can be so"))?;
    Ok(rate)
}
