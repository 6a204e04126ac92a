//! The state of a model at one moment, in memory, so that something can be tried and undone.
//!
//! Invariant: after [`Model::restore`], whatever is asked of the model gives the bits that it would have given when the
//! snapshot was taken. Arrays are shared until one side changes them, so a snapshot costs no more than the first step
//! after it.

use super::model::Model;
use super::trace::{Core, Key, Phase};
use crate::optimizers::Optimizer;
use carnyx_graph::{Array, Error, Result, Variable};
use std::panic::Location;

/// What a model was at one moment: weights and whether they are trained, what the optimizer remembers, its learning
/// rate and its count of steps, the totals of metrics, the seed, and the number of epochs, on which the order of the
/// samples depends.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
/// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Adam::new(0.1), MeanSquaredError);
/// let untrained: Snapshot = model.snapshot()?;
/// let history = model.fit((&x, &y), quiet())?;
/// model.restore(&untrained)?;
/// assert_eq!(model.fit((&x, &y), quiet())?, history);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Snapshot {
    variables: Vec<Remembered>,
    totals: Vec<Remembered>,
    /// The optimizer itself: its variables are those of the model.
    optimizer: Optimizer,
    slots: Vec<Remembered>,
    seed: u64,
    epochs_trained: usize,
    traced: Option<Key>,
}

/// A variable as it was.
struct Remembered {
    variable: Variable,
    /// `None`, if it had not been given one yet.
    value: Option<Array>,
    is_frozen: bool,
}

impl Remembered {
    fn all<'v>(variables: impl IntoIterator<Item = &'v Variable>) -> Result<Vec<Remembered>> {
        let remember = |variable: &Variable| {
            let value = variable.has_value().then(|| variable.value()).transpose()?;
            Ok(Remembered { variable: variable.clone(), value, is_frozen: variable.is_frozen() })
        };
        variables.into_iter().map(remember).collect()
    }

    fn put_back(&self) -> Result {
        if self.variable.is_frozen() != self.is_frozen {
            self.variable.set_trainable(!self.is_frozen);
        }
        match &self.value {
            Some(value) => self.variable.assign(value),
            None => {
                self.variable.clear();
                Ok(())
            }
        }
    }
}

impl<L> Model<L> {
    /// The model as it is now, for [`restore`](Model::restore). What the layers of a `.dynamic()` model keep for
    /// themselves is no part of it.
    ///
    /// # Errors
    /// None in practice: a variable that has a value can be read.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// let before = model.predict(&x)?;
    /// let snapshot = model.snapshot()?;
    /// model.fit((&x, &y), quiet())?;
    /// assert_ne!(model.predict(&x)?, before);
    /// model.restore(&snapshot)?;
    /// assert_eq!(model.predict(&x)?, before);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        let Core { network, seed, epochs_trained, .. } = &self.core;
        Ok(Snapshot {
            variables: Remembered::all(&network.variables)?,
            totals: Remembered::all(self.core.totals().map(|(_, total)| total))?,
            slots: Remembered::all(&self.optimizer.variables())?,
            optimizer: self.optimizer.twin(),
            seed: *seed,
            epochs_trained: *epochs_trained,
            traced: self.core.traced.clone(),
        })
    }

    /// Makes the model again what it was when the snapshot was taken. A snapshot can be restored any number of times.
    ///
    /// # Errors
    /// `snapshot`, if it is of another model.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// let start = model.snapshot()?;
    /// for rate in [1e-3, 1e-2, 1e-1] {
    ///     model.restore(&start)?; // each of them from the same weights
    ///     model.optimizer.learning_rate = rate;
    ///     model.fit((&x, &y), quiet())?;
    /// }
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result {
        let known = snapshot.variables.iter().map(|remembered| &remembered.variable);
        if !known.eq(&self.core.network.variables) {
            return Err(Error::new("snapshot", "the snapshot is of another model")
                .at(Location::caller())
                .label("it holds the values of variables that this model does not have")
                .help(
                    "restore the model that it was taken of; `.fork()` makes an independent copy of a model",
                ));
        }
        let were_drawn =
            |remembered: &Remembered| remembered.value.is_none() && remembered.variable.has_value();
        let loses_values = snapshot.variables.iter().any(were_drawn);
        let slots = snapshot.slots.iter().map(|remembered| &remembered.variable);
        let loses_slots = !slots.eq(&self.optimizer.variables());
        let loses_totals = snapshot.totals.is_empty();
        for remembered in snapshot.variables.iter().chain(&snapshot.slots) {
            remembered.put_back()?;
        }
        self.optimizer = snapshot.optimizer.twin();
        (self.core.seed, self.core.epochs_trained) = (snapshot.seed, snapshot.epochs_trained);
        self.core.traced.clone_from(&snapshot.traced);
        // A program is no longer of use if it works with variables that are gone.
        self.core.keep_programs_of(|phase| {
            let is_whole = match phase {
                Phase::Train => !loses_slots && !loses_totals,
                Phase::Evaluate => !loses_totals,
                Phase::Predict => true,
            };
            is_whole && !loses_values
        });
        if loses_totals {
            self.core.forget_scores();
        }
        self.core.reset_totals()?;
        snapshot.totals.iter().try_for_each(Remembered::put_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizers::OptimizerOptions;
    use crate::{Adam, BatchNormalization, Compile, Dense, Dropout, Fit, MeanSquaredError, Relu, Sequential};
    use crate::{RootMeanSquaredError, Sgd, Variables, Verbosity};

    fn data() -> (Array, Array) {
        let x = Array::from_fn([20, 3], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
        let y = Array::from_fn([20, 1], |i| ((i * 31) % 17) as f32 / 8.0);
        (x, y)
    }

    fn model() -> Model<Sequential> {
        Sequential::new()
            .then(Dense::new(8).activation(Relu))
            .then(BatchNormalization::new())
            .then(Dropout::new(0.3))
            .then(Dense::new(1))
            .compile(Adam::new(0.01).moving_average(0.9), MeanSquaredError)
            .metric(RootMeanSquaredError)
            .seed(3)
    }

    fn fit(model: &mut Model<Sequential>, epochs: usize) -> String {
        let (x, y) = data();
        let fit = Fit::epochs(epochs).batch_size(6).verbose(Verbosity::Silent);
        let history = model.fit((&x, &y), fit).unwrap();
        let values: Vec<Array> = model.variables().iter().map(|v| v.value().unwrap()).collect();
        let slots: Vec<Array> = model.optimizer.variables().iter().map(|v| v.value().unwrap()).collect();
        format!("{history} {values:?} {slots:?} {:?} {}", model.optimizer.rates(), model.epochs_trained())
    }

    /// Whatever can happen to a model between two fits.
    fn disturb(model: &mut Model<Sequential>) {
        model.optimizer.learning_rate = 0.3;
        fit(model, 2);
        model.layers().next().unwrap().freeze();
        fit(model, 1);
        model.core.seed = 9;
        model.evaluate((&data().0, &data().1)).unwrap();
    }

    #[test]
    fn a_fit_after_a_snapshot_is_restored_is_the_fit_without_it() {
        for epochs_before in [0, 1, 2] {
            let (mut plain, mut tried) = (model(), model());
            if epochs_before > 0 {
                assert_eq!(fit(&mut plain, epochs_before), fit(&mut tried, epochs_before));
            }
            let snapshot = tried.snapshot().unwrap();
            let expected = fit(&mut plain, 3);
            for _ in 0..2 {
                disturb(&mut tried);
                tried.restore(&snapshot).unwrap();
                assert_eq!(fit(&mut tried, 3), expected, "after {epochs_before} epochs");
                tried.restore(&snapshot).unwrap();
            }
        }
    }

    #[test]
    fn what_was_used_before_it_was_trained_is_as_it_was() {
        let (x, y) = data();
        let (mut plain, mut tried) = (model(), model());
        for model in [&mut plain, &mut tried] {
            model.predict(&x).unwrap();
            model.evaluate((&x, &y)).unwrap();
        }
        let snapshot = tried.snapshot().unwrap();
        disturb(&mut tried);
        tried.restore(&snapshot).unwrap();
        assert_eq!(tried.predict(&x).unwrap(), plain.predict(&x).unwrap());
        assert_eq!(tried.summary().to_string(), plain.summary().to_string());
        assert_eq!(fit(&mut tried, 2), fit(&mut plain, 2));
    }

    #[test]
    fn a_model_without_weights_has_none_again() {
        let mut model = model();
        let snapshot = model.snapshot().unwrap();
        disturb(&mut model);
        model.restore(&snapshot).unwrap();
        let is_as_new = |variable: &Variable| !variable.has_value() && !variable.is_frozen();
        assert!(model.variables().iter().all(is_as_new));
        assert!(model.core.totals().next().is_none());
        // Its first weights follow from the seed that it has when they are drawn.
        let mut other = super::tests::model().seed(11);
        assert_eq!(fit(&mut model.seed(11), 1), fit(&mut other, 1));
    }

    #[test]
    fn another_optimizer_is_taken_back() {
        let (mut plain, mut tried) = (model(), model());
        fit(&mut plain, 1);
        fit(&mut tried, 1);
        let snapshot = tried.snapshot().unwrap();
        tried.optimizer = Sgd::new(0.5).momentum(0.9).into();
        fit(&mut tried, 1);
        tried.restore(&snapshot).unwrap();
        assert_eq!(tried.optimizer.name(), "adam");
        assert_eq!(fit(&mut tried, 2), fit(&mut plain, 2));
    }

    #[test]
    fn a_snapshot_is_of_one_model() {
        let (mut one, other) = (model(), model());
        let error = one.restore(&other.snapshot().unwrap()).unwrap_err();
        assert_eq!((error.code(), error.title()), ("snapshot", "the snapshot is of another model"));
    }
}
