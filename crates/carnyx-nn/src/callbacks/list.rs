//! The callbacks of one run: calls them at their moments, and keeps the backup, which comes after all of them.
//!
//! An error of a callback says which one and in which method. It ends the run; the weights are those of the last whole
//! step.

use super::snapshot::{Plan, Snapshot};
use super::{BackupAndRestore, Callback, Moment, Running};
use crate::models::trace::Core;
use crate::profile::Profiler;
use crate::profile::marks::{CALLBACK, Marks};
use carnyx_graph::trace::Mark;
use carnyx_graph::{Error, Result};

/// Callbacks for [`evaluate_with`](crate::Model::evaluate_with) and [`predict_with`](crate::Model::predict_with). One
/// callback alone can be given as it is.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::callbacks::{Callbacks, Moment, at};
/// use carnyx_nn::{Compile, Dense, MeanSquaredError, Sequential, Sgd};
/// let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// let (mut begun, mut batches) = (false, 0);
/// let begin = at(Moment::EvaluateBegin, |_| {
///     begun = true;
///     Ok(())
/// });
/// let count = at(Moment::EvaluateBatchEnd, |_| {
///     batches += 1;
///     Ok(())
/// });
/// model.evaluate_with((&x, &y), Callbacks::new().callback(begin).callback(count))?;
/// assert_eq!((begun, batches), (true, 1));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct Callbacks<'a> {
    list: Vec<Box<dyn Callback + 'a>>,
    /// The fit that backups are made of, if there is one that makes them.
    plan: Option<Plan>,
}

impl<'a> Callbacks<'a> {
    /// No callbacks.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::Callbacks;
    /// let callbacks = Callbacks::new();
    /// # let _ = callbacks;
    /// ```
    pub fn new() -> Callbacks<'a> {
        Callbacks::default()
    }

    /// One more, called after those before it.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::callbacks::{Callbacks, Moment, at};
    /// let callbacks = Callbacks::new().callback(at(Moment::PredictEnd, |_| Ok(())));
    /// # let _ = callbacks;
    /// ```
    pub fn callback(mut self, callback: impl Callback + 'a) -> Callbacks<'a> {
        self.list.push(Box::new(callback));
        self
    }
}

impl<'a, C: Callback + 'a> From<C> for Callbacks<'a> {
    fn from(callback: C) -> Callbacks<'a> {
        Callbacks::new().callback(callback)
    }
}

/// What a fit will log, for callbacks that watch a number.
#[derive(Clone, Copy)]
pub(crate) struct Watching {
    pub(crate) validation: bool,
    /// Whether the fit itself adds numbers whose names are not known before.
    pub(crate) others: bool,
}

impl Callbacks<'_> {
    /// Whether anybody wants to be called around batches.
    pub(crate) fn want_batches(&self) -> bool {
        self.list.iter().any(Callback::wants_batches)
    }

    /// Whether anybody wants gradients at the end of this epoch.
    pub(crate) fn want_gradients(&self, epoch: usize) -> bool {
        self.list.iter().any(|callback| callback.wants_gradients(epoch))
    }

    /// Calls all callbacks.
    pub(crate) fn call(&mut self, moment: Moment, core: &Core, run: &mut Running) -> Result {
        if self.list.is_empty() {
            return Ok(());
        }
        let marks = Marks::of(core.executor());
        for callback in &mut self.list {
            if moment.is_of_batch() && !callback.wants_batches() {
                continue;
            }
            let began = marks.begin();
            let called = moment.call(&mut **callback, &mut run.shown(core));
            marks.end(began, || {
                let name = format!("{}::{}", callback.name(), moment.method()).into();
                Mark { name: Some(name), ..Mark::of(CALLBACK) }
            });
            called.map_err(|error| explained(error, moment.method(), &**callback, run))?;
        }
        Ok(())
    }

    /// In how many steps somebody wants to look at the run, and may be shown it.
    pub(crate) fn steps_to_glance(&self) -> usize {
        let mut fewest = usize::MAX;
        for callback in &self.list {
            fewest = fewest.min(callback.steps_to_glance().unwrap_or(usize::MAX));
        }
        fewest.max(1)
    }

    /// Shows the run to all who want to look at it.
    pub(crate) fn glance(&mut self, core: &Core, run: &mut Running) -> Result {
        for callback in self.list.iter_mut().filter(|callback| callback.steps_to_glance().is_some()) {
            let called = callback.on_glance(&mut run.shown(core));
            called.map_err(|error| explained(error, "on_glance", &**callback, run))?;
        }
        Ok(())
    }

    /// Begins a fit: from the start, or from where a backup of the same fit left it. `plan` describes the fit.
    pub(crate) fn begin(
        &mut self,
        core: &mut Core,
        run: &mut Running,
        watching: Watching,
        plan: impl FnOnce(&Core) -> Plan,
    ) -> Result {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list_names(core, run, watching);
        let site = run.watched.site;
        let at = |error: Error| if error.site().is_some() { error } else { error.at(site) };
        self.prepare_profile(core).map_err(at)?;
        let mut backups = self.list.iter_mut().filter_map(|callback| callback.as_backup());
        let Some(backup) = backups.next() else { return self.call(Moment::TrainBegin, core, run) };
        if backups.next().is_some() {
            return Err(at(Error::new("backup", "two backups of one fit").help("leave one of them out")));
        }
        let file = backup.begin().map_err(at)?;
        let plan = plan(core).with_callbacks(self.list.iter().map(Callback::name).collect());
        let snapshot = Snapshot::read(&file, &plan).map_err(at)?;
        self.plan = Some(plan);
        run.watched.resumed = snapshot.is_some();
        self.call(Moment::TrainBegin, core, run)?;
        match snapshot {
            Some(snapshot) => snapshot.restore(core, run, &mut self.list).map_err(at),
            None => Ok(()),
        }
    }

    /// The names of the numbers that the logs will have.
    fn list_names(&self, core: &Core, run: &mut Running, watching: Watching) {
        let names = &mut run.watched.names;
        names.extend(core.score_names().map(str::to_owned));
        if watching.validation {
            names.extend(core.score_names().map(|name| format!("val_{name}")));
        }
        if run.optimizer.schedule().is_some() {
            names.push("learning_rate".to_owned());
        }
        run.watched.others = watching.others;
        for callback in &self.list {
            match callback.added_names() {
                Some(added) => names.extend(added.iter().map(|&name| name.to_owned())),
                None => run.watched.others = true,
            }
        }
        names.sort_unstable();
        names.dedup();
    }

    /// Whether [`step_done`](Callbacks::step_done) has anything to do.
    pub(crate) fn back_up_steps(&mut self) -> bool {
        self.plan.is_some() && self.backup().is_some_and(|backup| backup.acts_after_steps())
    }

    /// A step is done, and all callbacks have been called: time for a backup, if one is due after steps.
    pub(crate) fn step_done(&mut self, core: &Core, run: &mut Running) -> Result {
        if self.backup().is_some_and(BackupAndRestore::is_due_after_step) {
            self.write_backup(core, run)?;
        }
        Ok(())
    }

    /// An epoch is done, and all callbacks have been called: time for a backup.
    pub(crate) fn epoch_done(&mut self, core: &Core, run: &mut Running) -> Result {
        if self.plan.is_some() { self.write_backup(core, run) } else { Ok(()) }
    }

    /// The fit is done: nobody needs the backup any more.
    pub(crate) fn done(&mut self) {
        if self.plan.take().is_some()
            && let Some(backup) = self.backup()
        {
            backup.end();
        }
    }

    fn prepare_profile(&mut self, core: &Core) -> Result {
        let mut profilers = self.list.iter_mut().filter_map(|callback| callback.as_profiler());
        let Some(profiler) = profilers.next() else { return Ok(()) };
        if profilers.next().is_some() {
            return Err(Error::new("profile", "two profilers of one fit").help("leave one of them out"));
        }
        profiler.prepare(core.executor())
    }

    fn profiler(&mut self) -> Option<&mut Profiler> {
        self.list.iter_mut().find_map(|callback| callback.as_profiler())
    }

    /// Whether [`profile_step`](Callbacks::profile_step) has anything to do.
    pub(crate) fn are_profiled(&mut self) -> bool {
        self.profiler().is_some()
    }

    /// So many steps of the fit are done.
    pub(crate) fn profile_step(&mut self, core: &Core, number: usize) -> Result {
        self.profiler().map_or(Ok(()), |profiler| profiler.at_step(core.executor(), number))
    }

    /// An epoch is over: if the steps that were to be recorded are, their profile is there.
    pub(crate) fn profile_range_done(&mut self, core: &Core) {
        if let Some(profiler) = self.profiler() {
            profiler.finish_range(core.executor());
        }
    }

    /// The fit is over, with or without success.
    pub(crate) fn profile_done(&mut self, core: &Core) {
        if let Some(profiler) = self.profiler() {
            profiler.finish(core.executor());
        }
    }

    fn backup(&mut self) -> Option<&mut BackupAndRestore> {
        self.list.iter_mut().find_map(|callback| callback.as_backup())
    }

    fn write_backup(&mut self, core: &Core, run: &mut Running) -> Result {
        let Some(plan) = &self.plan else { return Ok(()) };
        let bytes = Snapshot::take(plan, core, run, &mut self.list)?;
        match self.backup() {
            Some(backup) => backup.write(&bytes).map_err(|error| error.at(run.watched.site)),
            None => Ok(()),
        }
    }
}

/// An error that says which callback it is of.
fn explained(error: Error, method: &str, callback: &dyn Callback, run: &Running) -> Error {
    let error = if error.site().is_some() { error } else { error.at(run.watched.site) };
    error.note(format!("in `{method}` of the callback `{}`", callback.name()))
}
