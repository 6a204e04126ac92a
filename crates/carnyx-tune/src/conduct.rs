//! Runs the trials of a search: which worker has which, and what becomes of them.
//!
//! Each worker is a thread that takes a trial, trains it, and hands it in. What they share is behind one lock, which
//! nobody holds while a trial is trained. Invariant: trials are begun one after the other, so numbers are given in order.

use crate::domain::Domain;
use crate::hyper::Hyper;
use crate::memory::MemoryStorage;
use crate::progress::Progress;
use crate::schedule::{Brackets, Next, Rung, Verdict};
use crate::search::Search;
use crate::storage::{Direction, Storage, StudyId, TrialId, TrialRecord, TrialState};
use crate::strategies::{Point, Strategy, walk};
use crate::trial::{Budget, Judge, Trial, Work};
use crate::trials::Study;
use carnyx_cpu::Cpu;
use carnyx_graph::{Error, Executor, Result};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::{iter, mem};

/// Runs all trials, and gives the study and what is left of its best one.
///
/// # Errors
/// The first mistake that makes the search pointless; `search`, if no trial has come to a value.
pub(crate) fn conduct<W: Work>(search: &Search, work: &W) -> Result<(Study, W::Kept)> {
    search.check()?;
    let direction = search.direction()?;
    let storage: Arc<dyn Storage> = match &search.storage {
        Some(storage) => storage.clone(),
        None => Arc::new(MemoryStorage::new()),
    };
    let grid = match search.strategy {
        Strategy::Grid => walk(|hyper| unwound(|| work.ask(hyper)))?,
        _ => Vec::new(),
    };
    let id = storage.open_study(&search.study, direction)?;
    if search.storage.is_some() {
        storage.take_up_abandoned(id, ABANDONED)?;
    }
    let begun = begun(&storage.trials(id)?);
    let trials = search.strategy.trials().unwrap_or(grid.len());
    let brackets = search.strategy.brackets();
    let most = brackets.as_ref().and_then(|brackets| brackets.iter().flatten().map(|rung| rung.epochs).max());
    let progress = match &brackets {
        Some(brackets) => Progress::of_epochs(search.verbosity, epochs_of(brackets, begun)),
        None => Progress::new(search.verbosity, trials.saturating_sub(begun)),
    };
    let conduct = Conduct {
        search,
        work,
        direction,
        storage,
        id,
        grid,
        trials,
        most,
        state: Mutex::new(State {
            brackets: brackets.map(|brackets| Brackets::new(brackets, begun, direction)),
            paused: BTreeMap::new(),
            alive: Vec::new(),
            is_over: false,
            best: None,
            failure: None,
            progress,
        }),
        changed: Condvar::new(),
    };
    conduct.run_all();
    conduct.end()
}

/// How often it is told that the trials of this process are alive, and after which silence those of another process are
/// taken for dead.
const BEAT: Duration = Duration::from_secs(20);
const ABANDONED: Duration = Duration::from_secs(120);

struct Conduct<'s, W: Work> {
    search: &'s Search,
    work: &'s W,
    direction: Direction,
    storage: Arc<dyn Storage>,
    id: StudyId,
    /// All combinations, where those are tried.
    grid: Vec<Point>,
    /// How many trials there are in all.
    trials: usize,
    /// The epochs of the last rung, where there are rungs.
    most: Option<usize>,
    state: Mutex<State<W::Kept>>,
    changed: Condvar,
}

/// What the workers share.
struct State<K> {
    brackets: Option<Brackets>,
    /// Trials that wait for the end of their rung, by number.
    paused: BTreeMap<usize, Trial<K>>,
    /// All trials that have begun here and not ended.
    alive: Vec<TrialId>,
    is_over: bool,
    best: Option<Best<K>>,
    /// Why the search ends before its time.
    failure: Option<Error>,
    progress: Progress,
}

/// The best trial that was run here.
struct Best<K> {
    number: usize,
    value: f64,
    kept: K,
}

impl<W: Work> Conduct<'_, W> {
    fn lock(&self) -> MutexGuard<'_, State<W::Kept>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker on this thread, where there is but one; else the cores are shared out among them.
    fn run_all(&self) {
        let workers = self.search.workers;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let beating = self.search.storage.is_some().then(|| scope.spawn(|| self.beat()));
            let own = || -> Arc<dyn Executor> { Arc::new(Cpu::new((cores / workers).max(1))) };
            let helpers: Vec<_> = (1..workers).map(|_| scope.spawn(move || self.run(Some(own())))).collect();
            self.run((workers > 1).then(own));
            // A thread that has panicked is reported by the scope.
            helpers.into_iter().for_each(|helper| drop(helper.join()));
            self.lock().is_over = true;
            self.changed.notify_all();
            drop(beating);
        });
    }

    /// Says of the trials of this process that they are alive, until the search is over.
    fn beat(&self) {
        let (mut state, mut last) = (self.lock(), Instant::now());
        while !state.is_over {
            let left = BEAT.saturating_sub(last.elapsed());
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if last.elapsed() >= BEAT {
                last = Instant::now();
                // A storage that cannot be reached now will say so when something is to be written to it.
                state.alive.iter().for_each(|trial| drop(self.storage.beat(*trial)));
            }
        }
    }

    fn run(&self, executor: Option<Arc<dyn Executor>>) {
        while let Some(mut trial) = self.next() {
            trial.executor.clone_from(&executor);
            let result = self.train(&mut trial);
            self.hand_in(trial, result);
        }
    }

    fn train(&self, trial: &mut Trial<W::Kept>) -> Result<f64> {
        let result = unwound(|| self.work.train(trial));
        if let Some(mistake) = trial.hyper.mistake() {
            let mistake = mistake.clone();
            return Err(trial.fatal(mistake));
        }
        match result {
            Ok(value) if value.is_nan() && !trial.is_pruned => {
                Err(Error::new("non-finite", format!("`{}` is NaN", self.search.objective)))
            }
            result => result,
        }
    }

    /// The next trial to work on; none, if the search is over.
    fn next(&self) -> Option<Trial<W::Kept>> {
        let mut state = self.lock();
        while state.failure.is_none() {
            let next = state.brackets.as_mut().map(Brackets::next);
            let begun = match next {
                None => self.begin(None),
                Some(Next::Begin(epochs)) => self.begin(Some(epochs)),
                Some(Next::Continue(number, until)) => Ok(state.paused.remove(&number).map(|mut trial| {
                    trial.before = trial.epochs;
                    trial.budget = self.budget(until);
                    trial
                })),
                Some(Next::Over) => return None,
                Some(Next::Wait) => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            };
            match begun {
                Ok(Some(trial)) => {
                    if let Some(id) = trial.id().filter(|id| !state.alive.contains(id)) {
                        state.alive.push(id);
                    }
                    state.progress.begin();
                    return Some(trial);
                }
                Ok(None) => return None,
                Err(error) => {
                    state.failure.get_or_insert(error);
                    self.changed.notify_all();
                }
            }
        }
        None
    }

    fn budget(&self, until: usize) -> Option<Budget> {
        self.most.map(|most| Budget { until, most })
    }

    /// Begins another trial, unless there are enough already; brackets know themselves how many there are.
    fn begin(&self, epochs: Option<usize>) -> Result<Option<Trial<W::Kept>>> {
        let trials = self.storage.trials(self.id)?;
        // What waits is wanted in any case: somebody has enqueued it, or taken it up after its worker had vanished.
        let waits = trials.iter().any(|trial| trial.state == TrialState::Waiting);
        if epochs.is_none() && !waits && begun(&trials) >= self.trials {
            return Ok(None);
        }
        let record = self.storage.begin_trial(self.id)?;
        let past = || self.storage.trials(self.id);
        let strategy = &self.search.strategy;
        let source = strategy.source((self.search.seed, self.direction), record.number, &self.grid, past)?;
        let hyper = given(Hyper::from_source(source), &record.parameters);
        let judge = self.search.pruner.clone();
        let judge = judge.map(|pruner| Judge { pruner, study: self.id, direction: self.direction });
        let mut trial =
            Trial::new(record.number, hyper).written_to(self.storage.clone(), record.id).judged_by(judge);
        trial.budget = epochs.and_then(|epochs| self.budget(epochs));
        Ok(Some(trial))
    }

    /// A trial has ended, or come to the end of its rung.
    fn hand_in(&self, mut trial: Trial<W::Kept>, result: Result<f64>) {
        let mut state = self.lock();
        if let Some(fatal) = trial.take_fatal() {
            state.failure.get_or_insert(fatal);
        }
        if let Err(error) = self.settle(&mut state, trial, result) {
            state.failure.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    fn settle(&self, state: &mut State<W::Kept>, mut trial: Trial<W::Kept>, result: Result<f64>) -> Result {
        let Some(id) = trial.id() else { return Ok(()) };
        let number = trial.number;
        match &result {
            Err(error) => {
                self.fail(state, id, error)?;
                state.progress.failed(&trial, error);
            }
            Ok(value) if trial.is_pruned => {
                self.finish(state, id, TrialState::Pruned, Some(*value))?;
                state.progress.pruned(&trial, (&self.search.objective, *value));
            }
            Ok(value) => {
                trial.value = *value;
                if state.brackets.is_none() {
                    self.complete(state, id, &mut trial)?;
                }
                let best = state.best.as_ref().map(|best| (best.number, best.value));
                state.progress.reached(&trial, (&self.search.objective, *value), best);
                if state.brackets.is_some() {
                    state.paused.insert(number, trial);
                }
            }
        }
        let Some(brackets) = &mut state.brackets else { return Ok(()) };
        for (number, verdict) in brackets.hand_in(number, result.ok()) {
            let Some(mut trial) = state.paused.remove(&number) else { continue };
            let Some(id) = trial.id() else { continue };
            match verdict {
                Verdict::Pruned => self.finish(state, id, TrialState::Pruned, Some(trial.value))?,
                Verdict::Complete => self.complete(state, id, &mut trial)?,
            }
        }
        Ok(())
    }

    /// What is left of a trial is dropped, unless it is the best one so far; of equally good ones, the first.
    fn complete(&self, state: &mut State<W::Kept>, id: TrialId, trial: &mut Trial<W::Kept>) -> Result {
        let (number, value) = (trial.number, trial.value);
        self.finish(state, id, TrialState::Complete, Some(value))?;
        let is_best = state.best.as_ref().is_none_or(|best| {
            self.direction.is_better(value, best.value) || (value == best.value && number < best.number)
        });
        if let Some(kept) = trial.kept.take().filter(|_| is_best) {
            state.best = Some(Best { number, value, kept });
        }
        Ok(())
    }

    fn fail(&self, state: &mut State<W::Kept>, id: TrialId, error: &Error) -> Result {
        self.storage.note(id, "error", &error.to_string())?;
        self.finish(state, id, TrialState::Failed, None)
    }

    fn finish(&self, state: &mut State<W::Kept>, id: TrialId, end: TrialState, value: Option<f64>) -> Result {
        state.alive.retain(|alive| *alive != id);
        self.storage.finish(id, end, value)
    }

    /// The study, and what is left of its best trial: if that was run elsewhere, it is run once more.
    fn end(self) -> Result<(Study, W::Kept)> {
        let mut state = self.lock();
        if let Some(failure) = state.failure.take() {
            // Nobody will go on with what was paused.
            for id in mem::take(&mut state.alive) {
                // The first failure is the one to report.
                let _ = self.storage.finish(id, TrialState::Failed, None);
            }
            return Err(failure);
        }
        let best_here = state.best.take();
        drop(state);
        let records = self.storage.trials(self.id)?;
        let study = Study::new(&self.search.study, &self.search.objective, self.direction, records);
        let Some(best) = study.best_trial() else { return Err(no_values(&study)) };
        if let Some(kept) = best_here.filter(|kept| kept.number == best.number) {
            return Ok((study, kept.kept));
        }
        let mut again = Trial::new(best.number, given(Hyper::new(), &best.parameters));
        again.budget = self.most.map(|most| Budget { until: most, most });
        self.train(&mut again)?;
        match again.kept {
            Some(kept) => Ok((study, kept)),
            None => unreachable!("a trial that has a value keeps what it was found with"),
        }
    }
}

/// How many trials of a study have begun.
fn begun(trials: &[TrialRecord]) -> usize {
    trials.iter().filter(|trial| trial.state != TrialState::Waiting).count()
}

/// The epochs of all brackets that are left after `done` trials.
fn epochs_of(brackets: &[Vec<Rung>], done: usize) -> usize {
    let mut trials = 0;
    let is_left = |bracket: &&Vec<Rung>| {
        trials += bracket[0].trials;
        trials > done
    };
    let epochs = |bracket: &Vec<Rung>| {
        let before = iter::once(0).chain(bracket.iter().map(|rung| rung.epochs));
        bracket.iter().zip(before).map(|(rung, before)| rung.trials * (rung.epochs - before)).sum::<usize>()
    };
    brackets.iter().filter(is_left).map(epochs).sum()
}

/// Hyperparameters of which some are known.
fn given(hyper: Hyper, parameters: &[(String, Domain, f64)]) -> Hyper {
    parameters.iter().fold(hyper, |hyper, (name, domain, number)| hyper.with(name, domain.value(*number)))
}

/// A panic as an error. A trial whose build or fit panics has failed like one that gives an error: a search that has
/// run all night must not end because of one of its trials. Whatever the trial has made is dropped with it.
fn unwound<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Err(Error::new("panic", format!("the trial has panicked: {}", words(&*panic))))
    })
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

fn no_values(study: &Study) -> Error {
    let trials = study.trials();
    let failed: Vec<&TrialRecord> = trials.iter().filter(|trial| trial.state == TrialState::Failed).collect();
    let error = Error::new("search", format!("no trial of {} has come to a value", trials.len()));
    let first = failed.first().and_then(|trial| trial.notes.iter().find(|(name, _)| name == "error"));
    match first {
        Some((_, text)) => error
            .label(format!("{} have failed, the first one with", failed.len()))
            .note(text.replace('\n', "\n     ")),
        None => error,
    }
}
