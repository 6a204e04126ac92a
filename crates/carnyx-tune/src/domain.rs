//! What a hyperparameter can be: ranges and choices.
//!
//! A value of any domain is kept as one number: of a range the value itself, of a choice the index of what was chosen.
//! Searches see a range as the numbers from 0 to 1, even where the domain is: [`Domain::at`] and [`Domain::share`].

use carnyx_graph::{Error, Result};
use carnyx_nn::Activation;
use std::fmt;

/// What a hyperparameter can be.
///
/// # Example
/// ```
/// use carnyx_tune::Domain;
/// let rate = Domain::Float { low: 1e-4, high: 1e-1, step: None, log: true };
/// let units = Domain::Int { low: 16, high: 256, step: 16, log: false };
/// assert_ne!(rate, units);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// A number from `low` to `high`, both included.
    Float {
        /// The smallest value.
        low: f64,
        /// The greatest value.
        high: f64,
        /// The distance between neighbouring values, counted from `low`; any value where there is none.
        step: Option<f64>,
        /// Whether the logarithm, not the value, is even.
        log: bool,
    },
    /// A whole number from `low` to `high`, both included.
    Int {
        /// The smallest value.
        low: i64,
        /// The greatest value.
        high: i64,
        /// The distance between neighbouring values, counted from `low`.
        step: i64,
        /// Whether the logarithm, not the value, is even.
        log: bool,
    },
    /// One of several values without an order.
    Choice(Vec<Value>),
}

impl Domain {
    /// What a number stands for.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::{Domain, Value};
    /// let optimizer = Domain::Choice(vec!["sgd".into(), "adam".into()]);
    /// assert_eq!(optimizer.value(1.0), Value::from("adam"));
    /// assert_eq!(Domain::Int { low: 1, high: 9, step: 1, log: false }.value(3.0), Value::Int(3));
    /// ```
    pub fn value(&self, number: f64) -> Value {
        match self {
            Domain::Float { .. } => Value::Float(number),
            Domain::Int { .. } => Value::Int(number.round() as i64),
            Domain::Choice(choices) => {
                choices.get(number as usize).cloned().unwrap_or(Value::Int(number as i64))
            }
        }
    }

    /// The number that stands for a value; `None` if the domain does not have it.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::{Domain, Value};
    /// let units = Domain::Int { low: 16, high: 256, step: 16, log: false };
    /// assert_eq!(units.number(&Value::Int(32)), Some(32.0));
    /// assert_eq!(units.number(&Value::Int(33)), None); // between two steps
    /// assert_eq!(units.number(&Value::from("many")), None);
    /// ```
    pub fn number(&self, value: &Value) -> Option<f64> {
        let number = match (self, value) {
            (Domain::Choice(choices), _) => choices.iter().position(|choice| choice == value)? as f64,
            (_, Value::Int(number)) => *number as f64,
            (_, Value::Float(number)) => *number,
            _ => return None,
        };
        self.has(number).then_some(number)
    }

    /// Whether a number stands for a value of this domain.
    pub(crate) fn has(&self, number: f64) -> bool {
        let on_step = |low: f64, step: f64| {
            let steps = (number - low) / step;
            (steps - steps.round()).abs() < 1e-6
        };
        match self {
            Domain::Float { low, high, step, .. } => {
                (*low..=*high).contains(&number) && step.is_none_or(|step| on_step(*low, step))
            }
            Domain::Int { low, high, step, .. } => {
                (*low as f64..=*high as f64).contains(&number) && on_step(*low as f64, *step as f64)
            }
            Domain::Choice(choices) => number.fract() == 0.0 && (0.0..choices.len() as f64).contains(&number),
        }
    }

    /// How many values there are; `None` if any number of a range is one.
    pub(crate) fn count(&self) -> Option<usize> {
        match self {
            Domain::Float { low, high, .. } if low == high => Some(1),
            Domain::Float { step: None, .. } => None,
            Domain::Float { low, high, step: Some(step), .. } => {
                Some(((high - low) / step + 1e-9).floor() as usize + 1)
            }
            Domain::Int { low, high, step, .. } => {
                Some((high.abs_diff(*low) / step.unsigned_abs()) as usize + 1)
            }
            Domain::Choice(choices) => Some(choices.len()),
        }
    }

    /// The value number `i` of a domain with a count.
    pub(crate) fn nth(&self, i: usize) -> f64 {
        match self {
            Domain::Float { low, step, .. } => low + i as f64 * step.unwrap_or(0.0),
            Domain::Int { low, step, .. } => (low + i as i64 * step) as f64,
            Domain::Choice(_) => i as f64,
        }
    }

    /// The value below which a share of an even distribution lies.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0);
        match (self, self.count()) {
            (Domain::Int { low, high, log: true, .. }, _) => {
                let (from, to) = ((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln());
                (from + share * (to - from)).exp().round().clamp(*low as f64, *high as f64)
            }
            (_, Some(count)) => self.nth(((share * count as f64) as usize).min(count - 1)),
            (Domain::Float { low, high, log: true, .. }, _) => {
                (low.ln() + share * (high.ln() - low.ln())).exp().clamp(*low, *high)
            }
            (Domain::Float { low, high, .. }, _) => (low + share * (high - low)).clamp(*low, *high),
            (Domain::Int { .. } | Domain::Choice(_), None) => unreachable!("they have a count"),
        }
    }

    /// The share of an even distribution that lies below a value; of a value with a step, below its middle.
    pub(crate) fn share(&self, number: f64) -> f64 {
        let between = |from: f64, to: f64, at: f64| if to > from { (at - from) / (to - from) } else { 0.5 };
        match self {
            Domain::Float { low, high, log: true, .. } => between(low.ln(), high.ln(), number.ln()),
            Domain::Int { low, high, log: true, .. } => {
                between((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln(), number.ln())
            }
            Domain::Float { low, high, step: None, .. } => between(*low, *high, number),
            Domain::Float { low, step: Some(step), .. } => self.middle((number - low) / step),
            Domain::Int { low, step, .. } => self.middle((number - *low as f64) / *step as f64),
            Domain::Choice(_) => self.middle(number),
        }
    }

    fn middle(&self, place: f64) -> f64 {
        (place + 0.5) / self.count().unwrap_or(1) as f64
    }

    /// The same domain with a greatest value that can be reached by its steps.
    pub(crate) fn trimmed(self) -> Domain {
        match (self.count(), self) {
            (Some(count), Domain::Float { low, step: Some(step), log, .. }) => {
                Domain::Float { low, high: low + (count - 1) as f64 * step, step: Some(step), log }
            }
            (_, Domain::Int { low, high, step, log }) => {
                Domain::Int { low, high: high - (high - low) % step, step, log }
            }
            (_, domain) => domain,
        }
    }

    /// That trials of one study may have this domain and an earlier one under one name: bounds and steps may differ, but
    /// neither the kind nor the choices.
    ///
    /// # Errors
    /// `study`, if they may not.
    pub(crate) fn check_alike(&self, name: &str, earlier: &Domain) -> Result {
        let is_alike = match (self, earlier) {
            (Domain::Float { log, .. }, Domain::Float { log: earlier, .. })
            | (Domain::Int { log, .. }, Domain::Int { log: earlier, .. }) => log == earlier,
            (Domain::Choice(choices), Domain::Choice(earlier)) => choices == earlier,
            _ => false,
        };
        if is_alike {
            return Ok(());
        }
        Err(Error::new("study", format!("the hyperparameter `{name}` is another one in this study"))
            .label(format!("here it is {self}, and in an earlier trial {earlier}"))
            .help("give it another name, or begin another study"))
    }

    /// Whether there is any value, and a logarithm of each where one is taken.
    ///
    /// # Errors
    /// `search`, which says what is wrong with the hyperparameter `name`.
    pub(crate) fn check(&self, name: &str) -> Result {
        let error = |title: String| Error::new("search", format!("the hyperparameter `{name}` {title}"));
        let (low, high, step, log) = match self {
            Domain::Float { low, high, step, log } => (*low, *high, *step, *log),
            Domain::Int { low, high, step, log } => (*low as f64, *high as f64, Some(*step as f64), *log),
            Domain::Choice(choices) => {
                if choices.is_empty() {
                    return Err(error("has nothing to choose from".into()).help("give it at least one value"));
                }
                let twice = |i: usize| choices[..i].contains(&choices[i]);
                return match (1..choices.len()).find(|&i| twice(i)) {
                    Some(i) => Err(error(format!("has the choice {} twice", choices[i]))
                        .help("give each value once: all are equally likely at first")),
                    None => Ok(()),
                };
            }
        };
        if !(low.is_finite() && high.is_finite()) {
            return Err(error(format!("goes from {low} to {high}")).help("give it a range of finite numbers"));
        }
        if low > high {
            return Err(error(format!("goes from {low} to {high}, which is no range"))
                .help(format!("the smaller end comes first: `{high}..={low}`")));
        }
        if let Some(step) = step.filter(|step| !(*step > 0.0 && step.is_finite())) {
            return Err(error(format!("has the step {step}"))
                .label("a step is the distance between neighbouring values")
                .help("give a step above 0"));
        }
        if log && low <= 0.0 {
            return Err(error(format!("goes from {low} to {high} by logarithms"))
                .label("numbers up to 0 have no logarithm")
                .help("begin the range above 0, or leave `log_` out"));
        }
        Ok(())
    }
}

/// `16..=256`, `16..=256 step 16`, `0.0001..=0.1 log`, `sgd | adam`.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let log = match self {
            Domain::Float { low, high, step, log } => {
                write!(f, "{low:?}..={high:?}")?;
                step.map_or(Ok(()), |step| write!(f, " step {step:?}"))?;
                *log
            }
            Domain::Int { low, high, step, log } => {
                write!(f, "{low}..={high}")?;
                if *step != 1 {
                    write!(f, " step {step}")?;
                }
                *log
            }
            Domain::Choice(choices) => {
                let texts: Vec<String> = choices.iter().map(Value::to_string).collect();
                return f.write_str(&texts.join(" | "));
            }
        };
        if log { f.write_str(" log") } else { Ok(()) }
    }
}

/// One value of a hyperparameter.
///
/// # Example
/// ```
/// use carnyx_tune::{Domain, Value};
/// let optimizer = Domain::Choice(vec![Value::from("sgd"), Value::from("adam")]);
/// let shuffle = Domain::Choice(vec![Value::from(false), Value::from(true)]);
/// assert_ne!(optimizer, shuffle);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// The decimal number that was written.
impl From<f32> for Value {
    fn from(value: f32) -> Value {
        Value::Float(decimal(value))
    }
}

/// The name of the activation.
impl From<Activation> for Value {
    fn from(value: Activation) -> Value {
        Value::Text(value.to_string())
    }
}

/// A text as it is, a number with as many digits as tell it apart from its neighbours for a reader.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Bool(value) => f.pad(&value.to_string()),
            Value::Int(value) => f.pad(&value.to_string()),
            Value::Float(value) => f.pad(&short(*value)),
            Value::Text(value) => f.pad(value),
        }
    }
}

/// The shortest decimal number that rounds to `value`, with all its digits: 0.1 and not 0.10000000149.
pub(crate) fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

/// Four significant digits.
pub(crate) fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e6).contains(&magnitude) {
        let digits = if magnitude == 0.0 { 0 } else { (3 - magnitude.log10().floor() as i32).clamp(0, 6) };
        let text = format!("{value:.*}", digits as usize);
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    let text = format!("{value:.3e}");
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_values_are_the_same_thing() {
        let domains = [
            Domain::Float { low: -1.0, high: 3.0, step: None, log: false },
            Domain::Float { low: 1e-4, high: 1e-1, step: None, log: true },
            Domain::Float { low: 0.0, high: 0.5, step: Some(0.1), log: false },
            Domain::Int { low: 16, high: 256, step: 16, log: false },
            Domain::Int { low: 1, high: 1000, step: 1, log: true },
            Domain::Choice(vec!["a".into(), "b".into(), "c".into()]),
        ];
        for domain in domains {
            for i in 0..=100 {
                let number = domain.at(f64::from(i) / 100.0);
                assert!(domain.has(number), "{domain}: {number}");
                assert!((domain.at(domain.share(number)) - number).abs() < 1e-9, "{domain}: {number}");
                assert_eq!(domain.number(&domain.value(number)), Some(number), "{domain}");
            }
        }
    }

    #[test]
    fn every_value_of_a_stepped_range_is_as_likely() {
        let domain = Domain::Int { low: 0, high: 9, step: 1, log: false };
        let mut counts = [0; 10];
        (0..1000).for_each(|i| counts[domain.at((f64::from(i) + 0.5) / 1000.0) as usize] += 1);
        assert_eq!(counts, [100; 10]);
    }

    #[test]
    fn an_end_that_no_step_reaches_is_left_out() {
        let domain = Domain::Int { low: 0, high: 10, step: 4, log: false }.trimmed();
        assert_eq!(domain, Domain::Int { low: 0, high: 8, step: 4, log: false });
        let domain = Domain::Float { low: 0.0, high: 1.0, step: Some(0.1), log: false }.trimmed();
        assert_eq!(domain.count(), Some(11));
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 1.0, 0.00234567, 123456.7, 1e-4, 3.0e7, 0.25, -0.5].map(short);
        assert_eq!(texts, ["0", "1", "0.002346", "123457", "1e-4", "3e7", "0.25", "-0.5"]);
        assert_eq!(decimal(0.1), 0.1);
    }
}
