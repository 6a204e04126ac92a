//! Callbacks: what happens around epochs and batches of a fit, of an evaluation, of a prediction.
//!
//! A [`Callback`] is called with a [`Run`], the running fit: it reads the numbers so far, changes the learning rate,
//! looks at the weights, saves the model, or stops. Invariants: a fit without callbacks spends nothing on them; numbers
//! are worked out after a batch only if a callback [wants batches](Callback::wants_batches); a callback that fails
//! ends the fit, with the weights of the last whole step.

mod backup_and_restore;
mod closures;
mod csv_logger;
mod disk;
mod early_stopping;
mod learning_rate_scheduler;
mod list;
mod model_checkpoint;
mod monitor;
mod path_pattern;
mod reduce_lr_on_plateau;
mod run;
mod snapshot;
mod state;
mod terminate_on_nan;

pub use backup_and_restore::BackupAndRestore;
pub use closures::{Moment, at, at_epoch_end};
pub use csv_logger::CSVLogger;
pub use early_stopping::EarlyStopping;
pub use learning_rate_scheduler::LearningRateScheduler;
pub use list::Callbacks;
pub(crate) use list::Watching;
pub use model_checkpoint::ModelCheckpoint;
pub use monitor::greater_is_better;
pub use reduce_lr_on_plateau::ReduceLROnPlateau;
pub use run::Run;
pub(crate) use run::Running;
pub(crate) use snapshot::Plan;
pub use state::State;
pub use terminate_on_nan::TerminateOnNaN;

use crate::profile::Profiler;
use carnyx_graph::Result;

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

    /// After the validation of an epoch: the logs have all numbers of the epoch. What is added to them is in the
    /// history too.
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

    /// Before a batch of training.
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

    /// After a batch of training: the logs have the means since the epoch began.
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

    /// Before data is evaluated, be it the validation data of a fit or what `evaluate_with` was given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_evaluate_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("epoch {} is trained", run.epoch + 1);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_evaluate_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After data is evaluated. Within a fit, the names in the logs begin with `val_`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_evaluate_end(&mut self, run: &mut Run) -> Result {
    ///         println!("{}", run.logs["val_loss"]);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_evaluate_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// Before a batch of an evaluation.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_evaluate_batch_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("batch {} of {}", run.step + 1, run.steps);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_evaluate_batch_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After a batch of an evaluation: the logs have the means over the batches so far.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_evaluate_batch_end(&mut self, run: &mut Run) -> Result {
    ///         println!("{}", run.logs);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_evaluate_batch_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// Before `predict_with` begins.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_predict_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("{} batches", run.steps);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_predict_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After `predict_with` has predicted everything.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_predict_end(&mut self, run: &mut Run) -> Result {
    ///         println!("done");
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_predict_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// Before a batch of `predict_with`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_predict_batch_begin(&mut self, run: &mut Run) -> Result {
    ///         println!("batch {} of {}", run.step + 1, run.steps);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_predict_batch_begin(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// After a batch of `predict_with`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_predict_batch_end(&mut self, run: &mut Run) -> Result {
    ///         println!("{} batches are left", run.steps - run.step - 1);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_predict_batch_end(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// When the loss of a batch is not a finite number: the step has changed nothing. The fit ends with an error that
    /// explains where the number came from, unless a callback [stops](Run::stop) it here.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_non_finite_loss(&mut self, run: &mut Run) -> Result {
    ///         println!("the learning rate {} is too large", run.optimizer.learning_rate);
    ///         run.stop();
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn on_non_finite_loss(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// The name in messages: that of the type, unless another is written.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Callback;
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// assert_eq!(EarlyStopping::patience(3).name(), "EarlyStopping");
    /// ```
    fn name(&self) -> String {
        let whole = std::any::type_name::<Self>();
        let bare = whole.split('<').next().unwrap_or(whole);
        bare.rsplit("::").next().unwrap_or(bare).to_owned()
    }

    /// Whether the methods around batches are called. Where no callback wants them, no numbers are worked out after
    /// a batch; a callback that writes none of these methods may say `false`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_epoch_end(&mut self, run: &mut Run) -> Result {
    ///         println!("{}", run.logs);
    ///         Ok(())
    ///     }
    ///     fn wants_batches(&self) -> bool {
    ///         false
    ///     }
    /// }
    /// ```
    fn wants_batches(&self) -> bool {
        true
    }

    /// Whether [`Run::gradients`] are wanted at the end of this epoch. They take a step's time, in epochs for which a
    /// callback says so.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Callback, Run};
    ///
    /// struct Steepest;
    /// impl Callback for Steepest {
    ///     fn on_epoch_end(&mut self, run: &mut Run) -> carnyx_graph::Result {
    ///         let slopes = run.gradients().iter().flat_map(|(_, gradient)| gradient.values());
    ///         println!("{}", slopes.map(f32::abs).fold(0.0, f32::max));
    ///         Ok(())
    ///     }
    ///     fn wants_gradients(&self, _: usize) -> bool {
    ///         true
    ///     }
    /// }
    /// ```
    fn wants_gradients(&self, epoch: usize) -> bool {
        false
    }

    /// Between batches of training or evaluation, after as many as [`steps_to_glance`](Callback::steps_to_glance) says:
    /// for callbacks that show what is going on. The logs have the means over the batches so far; `run.step` is the
    /// batch that has just ended.
    ///
    /// Unlike the methods around batches, it costs nothing where it is not called.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::{Callback, Run};
    ///
    /// /// Prints the loss after every thousand batches.
    /// struct Mine;
    /// impl Callback for Mine {
    ///     fn on_glance(&mut self, run: &mut Run) -> Result {
    ///         println!("batch {}: {}", run.step + 1, run.logs);
    ///         Ok(())
    ///     }
    ///     fn steps_to_glance(&self) -> Option<usize> {
    ///         Some(1000)
    ///     }
    ///     fn wants_batches(&self) -> bool {
    ///         false
    ///     }
    /// }
    /// ```
    fn on_glance(&mut self, run: &mut Run) -> Result {
        Ok(())
    }

    /// In how many batches the next [`on_glance`](Callback::on_glance) is due, asked when an epoch or evaluation begins
    /// and after each glance; never, if `None`. Another callback may want one earlier, and all have it then.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Callback;
    /// use carnyx_nn::callbacks::EarlyStopping;
    /// assert_eq!(EarlyStopping::patience(3).steps_to_glance(), None);
    /// ```
    fn steps_to_glance(&self) -> Option<usize> {
        None
    }

    /// What a backup has to keep of this callback, so that a fit that was interrupted goes on as if it had not been.
    ///
    /// # Errors
    /// Whatever keeps it from being told; the backup is not written then, and the fit ends.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// use carnyx_nn::Callback;
    /// use carnyx_nn::callbacks::State;
    ///
    /// struct Count(f64);
    /// impl Callback for Count {
    ///     fn state(&mut self) -> Result<State> {
    ///         Ok(State::new().with_number("count", self.0))
    ///     }
    ///     fn restore(&mut self, state: &State) -> Result {
    ///         self.0 = state.number("count").unwrap_or(0.0);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    fn state(&mut self) -> Result<State> {
        Ok(State::new())
    }

    /// Takes back what [`state`](Callback::state) gave. Called after [`on_train_begin`](Callback::on_train_begin) of a
    /// fit that continues from a backup.
    ///
    /// # Errors
    /// Whatever keeps the callback from going on where it was.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Callback;
    /// use carnyx_nn::callbacks::{EarlyStopping, State};
    /// let mut stopping = EarlyStopping::patience(3);
    /// stopping.restore(&State::new().with_number("best", 0.25))?;
    /// assert_eq!(stopping.best, Some(0.25));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn restore(&mut self, state: &State) -> Result {
        Ok(())
    }

    /// The names that this callback adds to the logs; `None` if nobody knows before it does.
    #[doc(hidden)]
    fn added_names(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// The backup, if this is one: it is not called at moments, but after all other callbacks.
    #[doc(hidden)]
    fn as_backup(&mut self) -> Option<&mut BackupAndRestore> {
        None
    }

    /// The profiler, if this is one: it is asked before each step, without the numbers of the step.
    #[doc(hidden)]
    fn as_profiler(&mut self) -> Option<&mut Profiler> {
        None
    }
}

macro_rules! forwarded {
    ($($type:ty),*) => { $(
        /// The same callback: borrowed, it can be read after the fit.
        impl<C: Callback + ?Sized> Callback for $type {
            forwarded! { @methods on_train_begin on_train_end on_epoch_begin on_epoch_end on_batch_begin on_batch_end
                on_evaluate_begin on_evaluate_end on_evaluate_batch_begin on_evaluate_batch_end
                on_predict_begin on_predict_end on_predict_batch_begin on_predict_batch_end on_non_finite_loss on_glance }

            fn name(&self) -> String {
                (**self).name()
            }

            fn wants_batches(&self) -> bool {
                (**self).wants_batches()
            }

            fn wants_gradients(&self, epoch: usize) -> bool {
                (**self).wants_gradients(epoch)
            }

            fn steps_to_glance(&self) -> Option<usize> {
                (**self).steps_to_glance()
            }

            fn state(&mut self) -> Result<State> {
                (**self).state()
            }

            fn restore(&mut self, state: &State) -> Result {
                (**self).restore(state)
            }

            fn added_names(&self) -> Option<&'static [&'static str]> {
                (**self).added_names()
            }

            fn as_backup(&mut self) -> Option<&mut BackupAndRestore> {
                (**self).as_backup()
            }

            fn as_profiler(&mut self) -> Option<&mut Profiler> {
                (**self).as_profiler()
            }
        }
    )* };
    (@methods $($method:ident)*) => { $(
        fn $method(&mut self, run: &mut Run) -> Result {
            (**self).$method(run)
        }
    )* };
}

forwarded!(&mut C, Box<C>);
