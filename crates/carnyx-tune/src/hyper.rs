//! What a trial's model is built with: each hyperparameter is asked for by name where it is needed.
//!
//! There is no list of hyperparameters beside the model: a build asks for what it needs, and what it asks for within an
//! `if` exists only where the condition holds. Invariants: a name has one value within a trial, however often it is asked
//! for; a mistake in a question is kept, answered with something harmless, and reported when the build is done.

use crate::domain::{Domain, Value, decimal};
use carnyx_graph::{Error, Result};
use std::ops::RangeInclusive;
use std::panic::Location;

/// The hyperparameters of a trial: a build asks for each of them by name.
///
/// # Example
/// ```
/// use carnyx_nn::*;
/// use carnyx_tune::Hyper;
/// fn build(hyper: &mut Hyper) -> Model<Sequential> {
///     let mut net = Sequential::new().then(Flatten);
///     for layer in 0..hyper.int("hidden_layers", 1..=3) {
///         net = net.then(Dense::new(hyper.int(&format!("units_{layer}"), 16..=256)).activation(Relu));
///     }
///     let rate = hyper.log_float("learning_rate", 1e-4..=1e-1);
///     let optimizer: Optimizer = match hyper.choice("optimizer", ["sgd", "adam"]) {
///         "sgd" => Sgd::new(rate).momentum(hyper.float("momentum", 0.0..=0.99)).into(), // asked for here only
///         _ => Adam::new(rate).into(),
///     };
///     net.then(Dense::new(1)).compile(optimizer, MeanSquaredError)
/// }
/// // A search hands over a `Hyper` of its own; this one gives what it was told, and else the least value.
/// let model = build(&mut Hyper::new().with("hidden_layers", 2));
/// assert_eq!(model.len(), 4);
/// ```
pub struct Hyper {
    source: Box<dyn Source + Send>,
    /// Values that were given by name, before anything is asked.
    given: Vec<(String, Value)>,
    asked: Vec<(String, Domain, f64)>,
    mistake: Option<Error>,
}

/// Where the values of hyperparameters come from.
pub(crate) trait Source {
    /// The value of a hyperparameter that is asked for the first time in this trial.
    ///
    /// # Errors
    /// If this source cannot have values of such a domain.
    fn value(&mut self, name: &str, domain: &Domain) -> Result<f64>;
}

/// The least value of a range, the first of a choice.
struct Least;

impl Source for Least {
    fn value(&mut self, _: &str, domain: &Domain) -> Result<f64> {
        Ok(domain.count().map_or_else(|| domain.at(0.0), |_| domain.nth(0)))
    }
}

impl Hyper {
    /// Hyperparameters outside of a search: each has the least value of its range, or the first of its choices, unless
    /// it is [given](Hyper::with).
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::Hyper;
    /// let mut hyper = Hyper::new();
    /// assert_eq!(hyper.int("units", 16..=256), 16);
    /// ```
    pub fn new() -> Hyper {
        Hyper::from_source(Box::new(Least))
    }

    pub(crate) fn from_source(source: Box<dyn Source + Send>) -> Hyper {
        Hyper { source, given: Vec::new(), asked: Vec::new(), mistake: None }
    }

    /// Gives the value of a hyperparameter.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::Hyper;
    /// let mut hyper = Hyper::new().with("units", 64).with("optimizer", "adam");
    /// assert_eq!(hyper.int("units", 16..=256), 64);
    /// assert_eq!(hyper.choice("optimizer", ["sgd", "adam"]), "adam");
    /// ```
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Hyper {
        self.given.push((name.to_owned(), value.into()));
        self
    }

    /// A whole number from a range, both ends included.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let units: usize = hyper.int("units", 16..=256);
    /// let shift = hyper.int("shift", -3..=3);
    /// assert_eq!((units, shift), (16, -3));
    /// ```
    #[track_caller]
    pub fn int<T: Whole>(&mut self, name: &str, range: RangeInclusive<T>) -> T {
        self.whole(name, range, 1, false)
    }

    /// A whole number from a range, in steps counted from its lower end.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let units: usize = hyper.int_step("units", 32..=512, 32); // 32, 64, …, 512
    /// assert_eq!(units, 32);
    /// ```
    #[track_caller]
    pub fn int_step<T: Whole>(&mut self, name: &str, range: RangeInclusive<T>, step: T) -> T {
        self.whole(name, range, step.to_i64(), false)
    }

    /// A whole number from a range in which each factor, not each difference, is as likely: 16 to 32 as likely as 128
    /// to 256.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let batch_size: usize = hyper.log_int("batch_size", 16..=1024);
    /// assert_eq!(batch_size, 16);
    /// ```
    #[track_caller]
    pub fn log_int<T: Whole>(&mut self, name: &str, range: RangeInclusive<T>) -> T {
        self.whole(name, range, 1, true)
    }

    /// A number from a range.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let rate: f32 = hyper.float("dropout", 0.1..=0.5);
    /// assert_eq!(rate, 0.1);
    /// ```
    #[track_caller]
    pub fn float<T: Real>(&mut self, name: &str, range: RangeInclusive<T>) -> T {
        self.real(name, range, None, false)
    }

    /// A number from a range, in steps counted from its lower end.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let rate: f32 = hyper.float_step("dropout", 0.0..=0.5, 0.1); // 0, 0.1, …, 0.5
    /// assert_eq!(rate, 0.0);
    /// ```
    #[track_caller]
    pub fn float_step<T: Real>(&mut self, name: &str, range: RangeInclusive<T>, step: T) -> T {
        self.real(name, range, Some(step.to_f64()), false)
    }

    /// A number from a range in which each factor, not each difference, is as likely: as for learning rates and penalties.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let rate: f32 = hyper.log_float("learning_rate", 1e-4..=1e-1);
    /// assert_eq!(rate, 1e-4);
    /// ```
    #[track_caller]
    pub fn log_float<T: Real>(&mut self, name: &str, range: RangeInclusive<T>) -> T {
        self.real(name, range, None, true)
    }

    /// One of several values without an order: texts, numbers, activations. That there is one, the compiler checks.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{Activation, Relu, Silu};
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let optimizer = hyper.choice("optimizer", ["sgd", "adam"]);
    /// let activation: Activation = hyper.choice("activation", [Relu, Silu]);
    /// assert_eq!((optimizer, activation), ("sgd", Relu));
    /// ```
    #[track_caller]
    pub fn choice<T: Clone + Into<Value>, const N: usize>(&mut self, name: &str, choices: [T; N]) -> T {
        const { assert!(N > 0, "a choice needs at least one value to choose from") };
        let place = self.place(name, &choices);
        choices[place].clone()
    }

    /// One of the values of a list that is known only when the program runs.
    ///
    /// # Errors
    /// `search`, if the list is empty, has a value twice, or lacks the one that was given; the search ends then.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// let folders = vec!["small".to_owned(), "large".to_owned()];
    /// let folder = hyper.choice_of("folder", &folders)?;
    /// assert_eq!(folder, "small");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn choice_of<'c, T: Clone + Into<Value>>(&mut self, name: &str, choices: &'c [T]) -> Result<&'c T> {
        let domain = Domain::Choice(choices.iter().cloned().map(Into::into).collect());
        match self.answer(name, domain) {
            Ok(place) => Ok(&choices[place as usize]),
            Err(error) => {
                let error = error.at(Location::caller());
                self.mistake.get_or_insert(error.clone());
                Err(error)
            }
        }
    }

    /// True or false.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// # let hyper = &mut Hyper::new();
    /// assert!(!hyper.bool("batch_normalization"));
    /// ```
    #[track_caller]
    pub fn bool(&mut self, name: &str) -> bool {
        self.choice(name, [false, true])
    }

    /// Whether all that was asked for so far makes sense, and has the values that were given. A search looks by itself.
    ///
    /// # Errors
    /// `search`, with the first mistake.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Hyper;
    /// let mut hyper = Hyper::new().with("units", 1000);
    /// assert_eq!(hyper.int("units", 16..=256), 16); // something harmless
    /// assert_eq!(hyper.check().unwrap_err().title(), "the hyperparameter `units` cannot be 1000");
    /// ```
    pub fn check(&self) -> Result {
        self.mistake.clone().map_or(Ok(()), Err)
    }

    /// What was asked for so far, and its values.
    pub(crate) fn asked(&self) -> &[(String, Domain, f64)] {
        &self.asked
    }

    /// The first mistake in a question.
    pub(crate) fn mistake(&self) -> Option<&Error> {
        self.mistake.as_ref()
    }

    #[track_caller]
    fn whole<T: Whole>(&mut self, name: &str, range: RangeInclusive<T>, step: i64, log: bool) -> T {
        let (low, high) = (range.start().to_i64(), range.end().to_i64());
        let number = self.ask(name, Domain::Int { low, high, step, log }, Location::caller());
        number.map_or(*range.start(), |number| T::from_i64(number as i64))
    }

    #[track_caller]
    fn real<T: Real>(&mut self, name: &str, range: RangeInclusive<T>, step: Option<f64>, log: bool) -> T {
        let (low, high) = (range.start().to_f64(), range.end().to_f64());
        let number = self.ask(name, Domain::Float { low, high, step, log }, Location::caller());
        number.map_or(*range.start(), T::from_f64)
    }

    /// The place of the choice; 0 after a mistake.
    #[track_caller]
    fn place<T: Clone + Into<Value>>(&mut self, name: &str, choices: &[T]) -> usize {
        let domain = Domain::Choice(choices.iter().cloned().map(Into::into).collect());
        self.ask(name, domain, Location::caller()).map_or(0, |place| place as usize)
    }

    /// The value of a hyperparameter; `None` if the question is a mistake, which is kept.
    fn ask(&mut self, name: &str, domain: Domain, site: &'static Location<'static>) -> Option<f64> {
        match self.answer(name, domain) {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistake.get_or_insert(error.at(site));
                None
            }
        }
    }

    fn answer(&mut self, name: &str, domain: Domain) -> Result<f64> {
        domain.check(name)?;
        let domain = domain.trimmed();
        if let Some((_, known, value)) = self.asked.iter().find(|(known, ..)| known == name) {
            if *known == domain {
                return Ok(*value);
            }
            return Err(Error::new("search", format!("the hyperparameter `{name}` is asked for twice"))
                .label(format!("here as {domain}, and before as {known}"))
                .help("give each its own name, or ask once and keep the value"));
        }
        let value = match self.given.iter().rfind(|(given, _)| given == name) {
            Some((_, value)) => domain.number(value).ok_or_else(|| {
                Error::new("search", format!("the hyperparameter `{name}` cannot be {value}"))
                    .label(format!("it was given, but the values are {domain}"))
                    .help("give another value, or ask for a range that has it")
            })?,
            None => self.source.value(name, &domain)?,
        };
        self.asked.push((name.to_owned(), domain, value));
        Ok(value)
    }
}

impl Default for Hyper {
    fn default() -> Hyper {
        Hyper::new()
    }
}

/// A type of whole numbers that a hyperparameter can have.
///
/// # Example
/// ```
/// use carnyx_tune::Whole;
/// assert_eq!(7usize.to_i64(), 7);
/// ```
pub trait Whole: Copy {
    /// The same number; the nearest one, if it is too large.
    fn to_i64(self) -> i64;

    /// The same number, which lies between two of this type.
    fn from_i64(number: i64) -> Self;
}

macro_rules! whole {
    ($($type:ty)*) => { $(
        impl Whole for $type {
            fn to_i64(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }

            fn from_i64(number: i64) -> $type {
                number as $type
            }
        }
    )* };
}

whole!(i32 i64 u8 u16 u32 u64 usize);

/// A type of numbers that a hyperparameter can have.
///
/// # Example
/// ```
/// use carnyx_tune::Real;
/// assert_eq!(0.1f32.to_f64(), 0.1); // as it was written
/// ```
pub trait Real: Copy {
    /// The same decimal number.
    fn to_f64(self) -> f64;

    /// The nearest number.
    fn from_f64(number: f64) -> Self;
}

impl Real for f64 {
    fn to_f64(self) -> f64 {
        self
    }

    fn from_f64(number: f64) -> f64 {
        number
    }
}

impl Real for f32 {
    fn to_f64(self) -> f64 {
        decimal(self)
    }

    fn from_f64(number: f64) -> f32 {
        number as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_value() {
        let mut hyper = Hyper::new().with("units", 64);
        assert_eq!(hyper.int("units", 16..=256), 64);
        assert_eq!(hyper.int("units", 16..=256), 64);
        assert_eq!(hyper.asked().len(), 1);
        assert!(hyper.mistake().is_none());
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges)]
    fn the_first_mistake_is_kept_and_the_answer_is_harmless() {
        let mut hyper = Hyper::new();
        assert_eq!(hyper.int("units", 256..=16), 256);
        assert_eq!(hyper.log_float("rate", 0.0..=1.0), 0.0);
        assert!(hyper.choice_of::<&str>("optimizer", &[]).is_err());
        assert!(Hyper::new().with("units", 12).choice_of("units", &[16, 32]).is_err());
        assert!(hyper.mistake().is_some_and(|error| error.title().contains("256 to 16")));
        assert!(hyper.asked().is_empty());
    }
}
