//! What a callback remembers, as a backup keeps it.

use carnyx_graph::Array;
use std::collections::BTreeMap;

/// Arrays by name: what a backup keeps of a callback. Numbers, flags and texts are small arrays.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::callbacks::State;
/// let state = State::new().with_number("wait", 3.0).with("kernel", Array::from([1f32, 2.0]));
/// assert_eq!(state.number("wait"), Some(3.0));
/// assert_eq!(state.array("kernel").unwrap().shape(), [2]);
/// assert_eq!(state.number("best"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(BTreeMap<String, Array>);

impl State {
    /// Nothing.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::State;
    /// assert_eq!(State::new().arrays().count(), 0);
    /// ```
    pub fn new() -> State {
        State::default()
    }

    /// The same with an array.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_nn::callbacks::State;
    /// let state = State::new().with("kernel", Array::from([1f32, 2.0]));
    /// assert!(state.array("kernel").is_some());
    /// ```
    pub fn with(mut self, name: impl Into<String>, array: Array) -> State {
        self.0.insert(name.into(), array);
        self
    }

    /// The same with a number. Whole numbers are exact up to 2⁵³.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::State;
    /// assert_eq!(State::new().with_number("best", 0.1).number("best"), Some(0.1));
    /// ```
    pub fn with_number(self, name: impl Into<String>, number: f64) -> State {
        self.with(name, Array::scalar(number))
    }

    /// The same with a number, if there is one.
    pub(super) fn with_option(self, name: &str, number: Option<f64>) -> State {
        match number {
            Some(number) => self.with_number(name, number),
            None => self,
        }
    }

    /// The array of this name, if there is one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::State;
    /// assert!(State::new().array("kernel").is_none());
    /// ```
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// The number of this name, if there is one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::State;
    /// assert_eq!(State::new().with_number("wait", 2.0).number("wait"), Some(2.0));
    /// ```
    pub fn number(&self, name: &str) -> Option<f64> {
        self.array(name).and_then(|array| array.item().ok())
    }

    /// The whole number of this name, if there is one.
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        self.number(name).map(|number| number as usize)
    }

    /// All arrays, by name.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::State;
    /// let state = State::new().with_number("wait", 2.0).with_number("best", 0.5);
    /// assert_eq!(state.arrays().map(|(name, _)| name).collect::<Vec<_>>(), ["best", "wait"]);
    /// ```
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }
}
