//! What a fit leaves behind: the numbers of each epoch.

use crate::Instability;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

/// Numbers by name, in alphabetical order: `accuracy`, `loss`, `val_accuracy`, `val_loss`.
///
/// # Example
/// ```
/// use carnyx_nn::Logs;
/// let logs = Logs::from_iter([("loss", 0.25), ("accuracy", 0.875)]);
/// assert_eq!(logs["loss"], 0.25);
/// assert_eq!(logs.get("val_loss"), None);
/// assert_eq!(logs.to_string(), "accuracy: 0.8750 - loss: 0.2500");
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Logs(BTreeMap<Arc<str>, f64>);

impl Logs {
    /// The number called `name`, if there is one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let logs = Logs::from_iter([("loss", 0.25), ("accuracy", 0.875)]);
    /// assert_eq!((logs.get("loss"), logs.get("val_loss")), (Some(0.25), None));
    /// ```
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Sets the number called `name`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Logs;
    /// let mut logs = Logs::default();
    /// logs.set("loss", 0.5);
    /// assert_eq!(logs["loss"], 0.5);
    /// ```
    pub fn set(&mut self, name: &str, value: f64) {
        match self.0.get_mut(name) {
            Some(number) => *number = value,
            None => {
                self.0.insert(name.into(), value);
            }
        }
    }

    /// Names and numbers in order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let logs = Logs::from_iter([("loss", 0.25), ("accuracy", 0.875)]);
    /// assert_eq!(logs.iter().next(), Some(("accuracy", 0.875)));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The number of numbers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let logs = Logs::from_iter([("loss", 0.25), ("accuracy", 0.875)]);
    /// assert_eq!(logs.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Logs;
    /// assert!(Logs::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<S: AsRef<str>> FromIterator<(S, f64)> for Logs {
    fn from_iter<I: IntoIterator<Item = (S, f64)>>(pairs: I) -> Logs {
        Logs(pairs.into_iter().map(|(name, value)| (name.as_ref().into(), value)).collect())
    }
}

impl Index<&str> for Logs {
    type Output = f64;

    /// The number called `name`.
    ///
    /// # Panics
    /// As for any map, if there is none; [`get`](Logs::get) does not.
    fn index(&self, name: &str) -> &f64 {
        self.0.get(name).unwrap_or_else(|| {
            let names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
            panic!("there is no `{name}` in the logs; there are: {}", names.join(", "))
        })
    }
}

/// As Keras prints it: four decimals, or powers of ten for small numbers.
impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { " - " };
            if value == 0.0 || value.abs() > 1e-3 || !value.is_finite() {
                write!(f, "{separator}{name}: {value:.4}")?;
            } else {
                write!(f, "{separator}{name}: {value:.4e}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The numbers of each epoch of a fit.
///
/// # Example
/// ```
/// use carnyx_nn::{History, Logs};
/// let epochs = [0.5, 0.25, 0.3].map(|loss| Logs::from_iter([("val_loss", loss)]));
/// let history = History::new(0, epochs.to_vec());
/// assert_eq!(history.values("val_loss"), [0.5, 0.25, 0.3]);
/// assert_eq!(history.last("val_loss"), Some(0.3));
/// assert_eq!(history.best("val_loss"), Some((1, 0.25)));
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct History {
    /// The numbers of each epoch.
    pub epochs: Vec<Logs>,
    /// The number of the first epoch, counted from 0 over all fits of the model.
    pub first_epoch: usize,
    /// Where the first steps of the fit made the model worse than it was before them; mostly empty.
    pub instabilities: Vec<Instability>,
}

impl History {
    /// The history of `epochs`, the first of which has the number `first_epoch`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let epochs = [0.5, 0.25].map(|loss| Logs::from_iter([("loss", loss)]));
    /// let history = History::new(0, epochs.to_vec());
    /// assert_eq!((history.first_epoch, history.epochs.len()), (0, 2));
    /// ```
    pub fn new(first_epoch: usize, epochs: Vec<Logs>) -> History {
        History { epochs, first_epoch, instabilities: Vec::new() }
    }

    /// The number `name` of each epoch; NaN where an epoch has none.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let epochs = [0.5, 0.25].map(|loss| Logs::from_iter([("loss", loss)]));
    /// let history = History::new(0, epochs.to_vec());
    /// assert_eq!(history.values("loss"), [0.5, 0.25]);
    /// ```
    pub fn values(&self, name: &str) -> Vec<f64> {
        if self.epochs.iter().all(|logs| logs.get(name).is_none()) {
            return Vec::new();
        }
        self.epochs.iter().map(|logs| logs.get(name).unwrap_or(f64::NAN)).collect()
    }

    /// All names, in alphabetical order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let epochs = [0.5, 0.25].map(|loss| Logs::from_iter([("loss", loss)]));
    /// let history = History::new(0, epochs.to_vec());
    /// assert_eq!(history.names().len(), 1);
    /// ```
    pub fn names(&self) -> Vec<&str> {
        let names: std::collections::BTreeSet<&str> =
            self.epochs.iter().flat_map(|logs| logs.iter().map(|(name, _)| name)).collect();
        names.into_iter().collect()
    }

    /// The number `name` of the last epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let epochs = [0.5, 0.25].map(|loss| Logs::from_iter([("loss", loss)]));
    /// let history = History::new(0, epochs.to_vec());
    /// assert_eq!(history.last("loss"), Some(0.25));
    /// ```
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.last().and_then(|logs| logs.get(name))
    }

    /// The epoch with the best number `name`, and the number: the greatest where more is better (accuracies), the
    /// smallest otherwise.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{History, Logs};
    /// let epochs = [0.5, 0.25].map(|loss| Logs::from_iter([("loss", loss)]));
    /// let history = History::new(0, epochs.to_vec());
    /// assert_eq!(history.best("loss"), Some((1, 0.25)));
    /// ```
    pub fn best(&self, name: &str) -> Option<(usize, f64)> {
        let sign = if more_is_better(name) { -1.0 } else { 1.0 };
        let numbers = self.epochs.iter().enumerate().filter_map(|(i, logs)| Some((i, logs.get(name)?)));
        let (index, value) =
            numbers.filter(|(_, v)| !v.is_nan()).min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)))?;
        Some((self.first_epoch + index, value))
    }
}

/// Whether greater numbers of this name are better: shares of hits, and what says how far two things agree.
pub(crate) fn more_is_better(name: &str) -> bool {
    let shares = ["accuracy", "auc", "precision", "recall", "f1", "fbeta", "sensitivity", "specificity"];
    let agreements = ["r2", "correlation", "similarity", "io_u"];
    // An output may have any name, and its loss begins with it.
    !name.ends_with("loss") && shares.iter().chain(&agreements).any(|word| name.contains(word))
}

/// One line for each epoch.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, logs) in self.epochs.iter().enumerate() {
            writeln!(f, "epoch {}: {logs}", self.first_epoch + i + 1)?;
        }
        Ok(())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
