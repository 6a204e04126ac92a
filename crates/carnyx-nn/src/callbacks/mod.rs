//! Callbacks: what happens around epochs and batches of a fit.
//!
//! A [`Callback`] is called with a [`Run`], the running fit: it reads the numbers so far, changes the learning rate,
//! looks at the weights, or stops. A fit without callbacks spends nothing on them.

use crate::history::Logs;
use crate::optimizers::Optimizer;
use carnyx_graph::{Result, Variable};

/// A running fit, as callbacks see it.
///
/// # Example
/// ```
/// use carnyx_nn::{Fit, callbacks::at_epoch_end};
/// let fit = Fit::epochs(100).callback(at_epoch_end(|run| {
///     if run.logs["loss"] < 0.01 {
///         run.stop();
///     }
///     Ok(())
/// }));
/// # let _ = fit;
/// ```
pub struct Run<'a> {
    /// The number of the epoch, counted from 0 over all fits of the model.
    pub epoch: usize,
    /// The number of the epoch with which this fit ends, unless it is stopped.
    pub epochs: usize,
    /// The number of the batch within its epoch, counted from 0.
    pub step: usize,
    /// The number of batches in an epoch.
    pub steps: usize,
    /// Loss and metrics so far: means since the epoch began; at its end with those of the validation data.
    pub logs: Logs,
    /// The optimizer, to change its learning rate.
    pub optimizer: &'a mut Optimizer,
    pub(crate) variables: Vec<Variable>,
    pub(crate) stopped: bool,
}

impl Run<'_> {
    /// Ends the fit after this batch, or after this epoch if called at the end of one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let callback = at_epoch_end(|run| {
    ///     if run.logs["loss"] < 0.01 {
    ///         run.stop();
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = callback;
    /// ```
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// The model's variables, for keeping their values and putting them back.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::at_epoch_end;
    /// let mut best = Vec::new();
    /// let callback = at_epoch_end(|run| {
    ///     best = run.variables().iter().map(|variable| variable.value()).collect::<Result<_, _>>()?;
    ///     Ok(())
    /// });
    /// # let _ = callback;
    /// ```
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }
}

/// Something that happens around epochs and batches. Every method does nothing unless it is written.
///
/// # Example
/// ```
/// use carnyx_graph::Result;
/// use carnyx_nn::{Callback, Run};
///
/// /// Halves the learning rate every ten epochs.
/// struct Halve;
/// impl Callback for Halve {
///     fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
///         if run.epoch > 0 && run.epoch % 10 == 0 {
///             run.optimizer.learning_rate /= 2.0;
///         }
///         Ok(())
///     }
/// }
/// ```
#[allow(unused_variables)]
pub trait Callback {
    /// Before the first epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_train_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("{} epochs", run.epochs - run.epoch);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After the last epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_train_end(&mut self, run: &mut Run) -> Result {
    ///         println!("{}", run.logs);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_train_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// Before the first batch of an epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("epoch {}", run.epoch + 1);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After the validation of an epoch: the logs have all numbers of the epoch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_epoch_end(&mut self, run: &mut Run) -> Result {
    ///         run.optimizer.learning_rate *= 0.9;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// Before a batch.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_batch_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("batch {} of {}", run.step + 1, run.steps);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_batch_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After a batch: the logs have the means since the epoch began.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_batch_end(&mut self, run: &mut Run) -> Result {
    ///         println!("loss so far {}", run.logs["loss"]);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_batch_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// Before the validation data is evaluated.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_validation_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("epoch {} is trained", run.epoch + 1);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_validation_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After the validation data is evaluated.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_validation_end(&mut self, run: &mut Run) -> Result {
    ///         println!("{}", run.logs["val_loss"]);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_validation_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }
}

macro_rules! forwarded {
    ($($type:ty),*) => { $(
        /// The same callback: borrowed, it can be read after the fit.
        impl<C: Callback + ?Sized> Callback for $type {
            forwarded! { @methods on_train_begin on_train_end on_epoch_begin on_epoch_end on_batch_begin on_batch_end
                on_validation_begin on_validation_end }
        }
    )* };
    (@methods $($method:ident)*) => { $(
        fn $method(&mut self, run: &mut Run) -> Result {
            (**self).$method(run)
        }
    )* };
}

forwarded!(&mut C, Box<C>);

/// Calls a function at the end of each epoch.
///
/// # Example
/// ```
/// use carnyx_nn::Fit;
/// use carnyx_nn::callbacks::at_epoch_end;
/// let mut losses = Vec::new();
/// let fit = Fit::epochs(3).callback(at_epoch_end(|run| {
///     losses.push(run.logs["loss"]);
///     Ok(())
/// }));
/// ```
pub fn at_epoch_end<'a>(action: impl FnMut(&mut Run) -> Result + 'a) -> impl Callback + 'a {
    struct AtEpochEnd<F>(F);
    impl<F: FnMut(&mut Run) -> Result> Callback for AtEpochEnd<F> {
        fn on_epoch_end(&mut self, run: &mut Run) -> Result {
            (self.0)(run)
        }
    }
    AtEpochEnd(action)
}
