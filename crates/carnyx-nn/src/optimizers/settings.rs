//! The numbers that optimizers work with, and the ranges that they must lie in.

use carnyx_graph::{Error, Result};

/// A number that a rule works with, and what it may be.
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Bounds, Setting};
/// assert!(Setting::new("momentum", 0.9, Bounds::Share).check("sgd").is_ok());
/// let error = Setting::new("momentum", 1.5, Bounds::Share).check("sgd").unwrap_err();
/// assert_eq!(error.title(), "`momentum` of the optimizer `sgd` is 1.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    name: &'static str,
    value: f64,
    bounds: Bounds,
}

/// What a setting may be. Infinities and NaN are in no range.
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::Bounds;
/// assert!(Bounds::Decay.contains(0.999) && !Bounds::Decay.contains(1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Any finite number.
    Finite,
    /// 0 and more.
    NotNegative,
    /// More than 0.
    Positive,
    /// 0 and less.
    NotPositive,
    /// 1 and more.
    AtLeastOne,
    /// From 0 to 1.
    Share,
    /// From 0 to less than 1: how slowly an average forgets.
    Decay,
}

impl Bounds {
    /// Whether `value` lies in this range.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Bounds;
    /// assert!(Bounds::NotNegative.contains(0.0) && !Bounds::NotNegative.contains(f64::NAN));
    /// ```
    pub fn contains(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Bounds::Finite => true,
                Bounds::NotNegative => value >= 0.0,
                Bounds::Positive => value > 0.0,
                Bounds::NotPositive => value <= 0.0,
                Bounds::AtLeastOne => value >= 1.0,
                Bounds::Share => (0.0..=1.0).contains(&value),
                Bounds::Decay => (0.0..1.0).contains(&value),
            }
    }

    fn in_words(self) -> &'static str {
        match self {
            Bounds::Finite => "a finite number",
            Bounds::NotNegative => "a finite number from 0 on",
            Bounds::Positive => "a finite number above 0",
            Bounds::NotPositive => "a finite number up to 0",
            Bounds::AtLeastOne => "a finite number from 1 on",
            Bounds::Share => "a number from 0 to 1",
            Bounds::Decay => "a number from 0 to 1, but not 1 itself",
        }
    }
}

impl Setting {
    /// The setting `name`, which is `value` and should lie within `bounds`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Bounds, Setting};
    /// let setting = Setting::new("epsilon", 1e-7, Bounds::Positive);
    /// # let _ = setting;
    /// ```
    pub fn new(name: &'static str, value: f64, bounds: Bounds) -> Setting {
        Setting { name, value, bounds }
    }

    /// That the value lies in its range.
    ///
    /// # Errors
    /// `optimizer`, naming the setting of the optimizer called `optimizer`, its value and its range.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Bounds, Setting};
    /// assert!(Setting::new("epsilon", 0.0, Bounds::Positive).check("adam").is_err());
    /// ```
    pub fn check(&self, optimizer: &str) -> Result {
        self.check_of("optimizer", &format!("the optimizer `{optimizer}`"))
    }

    /// The same for a setting of `owner`, as an error of another kind.
    pub(crate) fn check_of(&self, code: &'static str, owner: &str) -> Result {
        if self.bounds.contains(self.value) {
            return Ok(());
        }
        let Setting { name, value, bounds } = self;
        Err(Error::new(code, format!("`{name}` of {owner} is {value}"))
            .label(format!("it should be {}", bounds.in_words())))
    }
}
