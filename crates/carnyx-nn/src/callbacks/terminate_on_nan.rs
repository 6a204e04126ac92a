//! Stopping quietly where the loss is no longer a number.

use super::{Callback, Run, State};
use carnyx_graph::Result;

/// Stops when the loss is not a finite number, instead of an error.
///
/// The step that gave it has changed nothing: the weights are those of the step before. The epoch ends as any other,
/// and its `loss` in the history is the number that was not finite.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::callbacks::TerminateOnNaN;
/// use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd, Verbosity};
/// let (x, y) = (Array::full([8, 1], 1f32), Array::full([8, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(1e30), MeanSquaredError);
/// let mut terminate = TerminateOnNaN::new();
/// let fit = Fit::epochs(10).verbose(Verbosity::Silent).callback(&mut terminate);
/// let history = model.fit((&x, &y), fit)?;
/// assert_eq!(terminate.stopped_at, Some((1, 0))); // in the second epoch, at its first step
/// assert!(!history.last("loss").unwrap().is_finite());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: [`keras.callbacks.TerminateOnNaN`](https://keras.io/api/callbacks/terminate_on_nan/).
#[derive(Clone, Debug, Default)]
pub struct TerminateOnNaN {
    /// Epoch and step, counted from 0, where the loss was not finite; `None` if it always was.
    pub stopped_at: Option<(usize, usize)>,
}

impl TerminateOnNaN {
    /// Nothing has been seen yet.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::TerminateOnNaN;
    /// assert_eq!(TerminateOnNaN::new().stopped_at, None);
    /// ```
    pub fn new() -> TerminateOnNaN {
        TerminateOnNaN::default()
    }
}

impl Callback for TerminateOnNaN {
    fn on_train_begin(&mut self, _: &mut Run) -> Result {
        self.stopped_at = None;
        Ok(())
    }

    fn on_non_finite_loss(&mut self, run: &mut Run) -> Result {
        self.stopped_at = Some((run.epoch, run.step));
        run.stop();
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn state(&mut self) -> Result<State> {
        let (epoch, step) = self.stopped_at.unzip();
        let number = |count: Option<usize>| count.map(|count| count as f64);
        Ok(State::new().with_option("epoch", number(epoch)).with_option("step", number(step)))
    }

    fn restore(&mut self, state: &State) -> Result {
        self.stopped_at = state.count("epoch").zip(state.count("step"));
        Ok(())
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}
