//! Runs the trials of a search: which worker has which, and what becomes of them.
//!
//! Each worker is a thread that takes a trial, trains it, and hands it in. What they share is behind one lock, which
//! nobody holds while a trial is trained. Invariant: trials are begun one after the other, so numbers are given in order.

use crate::domain::Domain;
use crate::hyper::Hyper;
use crate::memory::MemoryStorage;
use crate::progress::Progress;
use crate::search::Search;
use crate::storage::{Direction, Storage, StudyId, TrialId, TrialRecord, TrialState};
use crate::trial::{Trial, Work};
use crate::trials::Study;
use carnyx_cpu::Cpu;
use carnyx_graph::{Error, Executor, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

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
    let id = storage.open_study(&search.study, direction)?;
    let conduct = Conduct {
        search,
        work,
        direction,
        storage,
        id,
        state: Mutex::new(State {
            running: 0,
            best: None,
            failure: None,
            progress: Progress::new(search.verbosity, search.strategy.trials()),
        }),
        changed: Condvar::new(),
    };
    conduct.run_all();
    conduct.end()
}

struct Conduct<'s, W: Work> {
    search: &'s Search,
    work: &'s W,
    direction: Direction,
    storage: Arc<dyn Storage>,
    id: StudyId,
    state: Mutex<State<W::Kept>>,
    changed: Condvar,
}

/// What the workers share.
struct State<K> {
    running: usize,
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
        if workers == 1 {
            return self.run(None);
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..workers {
                let executor: Arc<dyn Executor> = Arc::new(Cpu::new((cores / workers).max(1)));
                scope.spawn(move || self.run(Some(executor)));
            }
        });
    }

    fn run(&self, executor: Option<Arc<dyn Executor>>) {
        while let Some(mut trial) = self.next() {
            trial.executor.clone_from(&executor);
            let result = self.train(&mut trial);
            self.hand_in(trial, result);
        }
    }

    /// A trial whose build or fit panics has failed like one that gives an error: a search that has run all night must
    /// not end because of one of its trials. Whatever the trial has made is dropped with it.
    fn train(&self, trial: &mut Trial<W::Kept>) -> Result<f64> {
        let result = catch_unwind(AssertUnwindSafe(|| self.work.train(trial)));
        let result = result.unwrap_or_else(|panic| {
            Err(Error::new("panic", format!("the trial has panicked: {}", words(&*panic))))
        });
        if let Some(mistake) = trial.hyper.mistake() {
            let mistake = mistake.clone();
            return Err(trial.fatal(mistake));
        }
        match result {
            Ok(value) if value.is_nan() => {
                Err(Error::new("non-finite", format!("`{}` is NaN", self.search.objective)))
            }
            result => result,
        }
    }

    /// The next trial to work on; none, if the search is over.
    fn next(&self) -> Option<Trial<W::Kept>> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            match self.begin() {
                Ok(Some(trial)) => {
                    state.running += 1;
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
    }

    /// Begins another trial, if there is one to begin.
    fn begin(&self) -> Result<Option<Trial<W::Kept>>> {
        let begun = |record: &&TrialRecord| record.state != TrialState::Waiting;
        if self.storage.trials(self.id)?.iter().filter(begun).count() >= self.search.strategy.trials() {
            return Ok(None);
        }
        let record = self.storage.begin_trial(self.id)?;
        let source = self.search.strategy.source(self.search.seed, record.number);
        let hyper = given(Hyper::from_source(source), &record.parameters);
        Ok(Some(Trial::new(record.number, hyper).written_to(self.storage.clone(), record.id)))
    }

    /// A trial has ended.
    fn hand_in(&self, mut trial: Trial<W::Kept>, result: Result<f64>) {
        let mut state = self.lock();
        state.running -= 1;
        if let Some(fatal) = trial.take_fatal() {
            state.failure.get_or_insert(fatal);
        }
        if let Err(error) = self.settle(&mut state, trial, result) {
            state.failure.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    fn settle(&self, state: &mut State<W::Kept>, trial: Trial<W::Kept>, result: Result<f64>) -> Result {
        let Some(id) = trial.id() else { return Ok(()) };
        match result {
            Err(error) => {
                self.fail(id, &error)?;
                state.progress.failed(trial.number, &trial.hyper, &error);
            }
            Ok(value) => {
                self.storage.finish(id, TrialState::Complete, Some(value))?;
                self.keep_if_best(state, trial.number, value, trial.kept);
                let best = state.best.as_ref().map(|best| (best.number, best.value));
                state.progress.complete(trial.number, &trial.hyper, (&self.search.objective, value), best);
            }
        }
        Ok(())
    }

    fn fail(&self, id: TrialId, error: &Error) -> Result {
        self.storage.note(id, "error", &error.to_string())?;
        self.storage.finish(id, TrialState::Failed, None)
    }

    /// What is left of a trial is dropped, unless it is the best one so far; of equally good ones, the first.
    fn keep_if_best(&self, state: &mut State<W::Kept>, number: usize, value: f64, kept: Option<W::Kept>) {
        let is_best = state.best.as_ref().is_none_or(|best| {
            self.direction.is_better(value, best.value) || (value == best.value && number < best.number)
        });
        if let Some(kept) = kept.filter(|_| is_best) {
            state.best = Some(Best { number, value, kept });
        }
    }

    /// The study, and what is left of its best trial: if that was run elsewhere, it is run once more.
    fn end(self) -> Result<(Study, W::Kept)> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = state.failure {
            return Err(failure);
        }
        let records = self.storage.trials(self.id)?;
        let study = Study::new(&self.search.study, &self.search.objective, self.direction, records);
        let Some(best) = study.best_trial() else { return Err(no_values(&study)) };
        if let Some(kept) = state.best.filter(|kept| kept.number == best.number) {
            return Ok((study, kept.kept));
        }
        let mut again = Trial::new(best.number, given(Hyper::new(), &best.parameters));
        self.work.train(&mut again)?;
        match again.kept {
            Some(kept) => Ok((study, kept)),
            None => unreachable!("a trial that has a value keeps what it was found with"),
        }
    }
}

/// Hyperparameters of which some are known.
fn given(hyper: Hyper, parameters: &[(String, Domain, f64)]) -> Hyper {
    parameters.iter().fold(hyper, |hyper, (name, domain, number)| hyper.with(name, domain.value(*number)))
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
