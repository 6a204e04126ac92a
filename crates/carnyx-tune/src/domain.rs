//! What a hyperparameter can be: ranges and choices.

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

/// One value of a [`Domain::Choice`].
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
