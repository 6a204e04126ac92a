//! Domains as Optuna writes them: `{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.1, …}}`.

use crate::domain::{Domain, Value};
use carnyx_graph::{Error, Result};
use serde_json::{Map, Number, Value as Json, json};

/// The text of a domain.
///
/// # Errors
/// `study`, if Optuna has no such distribution.
pub fn to_json(parameter: &str, domain: &Domain) -> Result<String> {
    let unknown = |what: &str| {
        Error::new("study", format!("the domain of `{parameter}` cannot be stored: {what}"))
            .help("the database is one of Optuna's, which knows no such range")
    };
    let tree = match domain {
        Domain::Float { step: Some(_), log: true, .. } => {
            return Err(unknown("a logarithmic range has no steps"));
        }
        Domain::Int { step, log: true, .. } if *step != 1 => {
            return Err(unknown("a logarithmic range of whole numbers has steps of 1"));
        }
        Domain::Float { low, high, step, log } => {
            let high = step.map_or(*high, |step| last_step(*low, *high, step));
            if !(low.is_finite() && high.is_finite()) {
                return Err(unknown("its bounds are not finite"));
            }
            json!({"name": "FloatDistribution", "attributes": {"step": step, "low": low, "high": high, "log": log}})
        }
        Domain::Int { low, high, step, log } => {
            let high = low + (high - low) / step.max(&1) * step;
            json!({"name": "IntDistribution", "attributes": {"log": log, "step": step, "low": low, "high": high}})
        }
        Domain::Choice(values) => {
            let choices: Option<Vec<Json>> = values.iter().map(choice_to_json).collect();
            let choices = choices.ok_or_else(|| unknown("one of its choices is not a finite number"))?;
            json!({"name": "CategoricalDistribution", "attributes": {"choices": choices}})
        }
    };
    Ok(tree.to_string())
}

/// The domain of a text; nothing, if it is none that Carnyx has.
pub fn from_json(text: &str) -> Option<Domain> {
    let tree: Json = serde_json::from_str(text).ok()?;
    let attributes = tree.get("attributes")?.as_object()?;
    let number = |name: &str| attributes.get(name).and_then(Json::as_f64);
    let whole = |name: &str| attributes.get(name).and_then(Json::as_i64);
    let log = attributes.get("log").and_then(Json::as_bool).unwrap_or(false);
    match tree.get("name")?.as_str()? {
        "FloatDistribution" => {
            Some(Domain::Float { low: number("low")?, high: number("high")?, step: number("step"), log })
        }
        "IntDistribution" => {
            Some(Domain::Int { low: whole("low")?, high: whole("high")?, step: whole("step")?, log })
        }
        "CategoricalDistribution" => choices_from_json(attributes),
        _ => None,
    }
}

/// The number that stands for a parameter's value in the database: of a choice, its index.
pub fn to_number(domain: &Domain, value: &Json) -> Option<f64> {
    match domain {
        Domain::Float { .. } | Domain::Int { .. } => value.as_f64(),
        Domain::Choice(values) => {
            let chosen = choice_from_json(value)?;
            values.iter().position(|value| *value == chosen).map(|index| index as f64)
        }
    }
}

fn choices_from_json(attributes: &Map<String, Json>) -> Option<Domain> {
    let choices = attributes.get("choices")?.as_array()?;
    choices.iter().map(choice_from_json).collect::<Option<_>>().map(Domain::Choice)
}

fn choice_to_json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::Number(Number::from_f64(*value)?),
        Value::Text(text) => Json::from(text.as_str()),
    })
}

fn choice_from_json(value: &Json) -> Option<Value> {
    match value {
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(number) => Some(
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int),
        ),
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The greatest value that is a whole number of steps above `low`, in the decimals of both: Optuna warns about a range
/// that ends between two steps.
fn last_step(low: f64, high: f64, step: f64) -> f64 {
    let decimals = |value: f64| format!("{value}").split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let steps = ((high - low) / step + 1e-9).floor();
    let digits = decimals(low).max(decimals(step));
    format!("{:.digits$}", low + steps * step).parse().unwrap_or(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_read_back() {
        let domains = [
            Domain::Float { low: 1e-5, high: 0.1, step: None, log: true },
            Domain::Float { low: 0.0, high: 1.0, step: Some(0.25), log: false },
            Domain::Int { low: -3, high: 9, step: 1, log: false },
            Domain::Int { low: 1, high: 100, step: 1, log: true },
            Domain::Choice(vec![
                "a".into(),
                true.into(),
                Value::Int(3),
                Value::Float(2.5),
                Value::Float(2.0),
            ]),
        ];
        for domain in domains {
            assert_eq!(from_json(&to_json("x", &domain).unwrap()).unwrap(), domain);
        }
    }

    #[test]
    fn ranges_end_at_a_step() {
        let units = Domain::Int { low: 16, high: 250, step: 16, log: false };
        assert!(to_json("units", &units).unwrap().contains(r#""high":240"#));
        let rate = Domain::Float { low: 0.1, high: 0.45, step: Some(0.1), log: false };
        assert!(to_json("rate", &rate).unwrap().contains(r#""high":0.4,"#));
    }

    #[test]
    fn what_optuna_does_not_have_is_an_error() {
        let steps = Domain::Int { low: 1, high: 9, step: 2, log: true };
        assert_eq!(to_json("x", &steps).unwrap_err().code(), "study");
        let endless = Domain::Choice(vec![Value::Float(f64::INFINITY)]);
        assert_eq!(to_json("x", &endless).unwrap_err().code(), "study");
        assert_eq!(
            from_json(r#"{"name": "CategoricalDistribution", "attributes": {"choices": [null]}}"#),
            None
        );
    }
}
