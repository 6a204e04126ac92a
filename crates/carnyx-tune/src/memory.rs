//! Studies in memory: they are gone when the program ends.

use crate::domain::Domain;
use crate::storage::{Direction, Storage, StudyId, TrialId, TrialRecord, TrialState};
use carnyx_graph::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Studies that live as long as the program, in which all clones share them. What a search uses unless it is given
/// another storage.
///
/// # Example
/// ```
/// use carnyx_tune::{Direction, MemoryStorage, Storage, TrialState};
/// let storage = MemoryStorage::new();
/// let study = storage.open_study("digits", Direction::Minimize)?;
/// let trial = storage.begin_trial(study)?;
/// storage.finish(trial.id, TrialState::Complete, Some(0.25))?;
/// assert_eq!(storage.trials(study)?[0].value, Some(0.25));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<Vec<Study>>>);

/// A study is found by its place, and a trial by `study · STRIDE + number`.
#[derive(Debug)]
struct Study {
    name: String,
    direction: Direction,
    trials: Vec<Trial>,
}

#[derive(Debug)]
struct Trial {
    record: TrialRecord,
    heard: SystemTime,
}

/// More trials than a study in memory can have.
const STRIDE: i64 = 1 << 32;

impl MemoryStorage {
    /// No studies.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::{Direction, MemoryStorage, Storage};
    /// let storage = MemoryStorage::new();
    /// let again = storage.clone(); // the same storage
    /// let study = storage.open_study("digits", Direction::Minimize)?;
    /// assert_eq!(again.open_study("digits", Direction::Minimize)?, study);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    fn studies(&self) -> MutexGuard<'_, Vec<Study>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a trial that has not ended.
    fn change(&self, id: TrialId, change: impl FnOnce(&mut TrialRecord)) -> Result {
        let mut studies = self.studies();
        let trial = trial(&mut studies, id)?;
        if trial.record.state.is_finished() {
            return Err(Error::new("study", format!("trial {} has ended before", trial.record.number))
                .label("a trial that has ended does not change"));
        }
        trial.heard = SystemTime::now();
        change(&mut trial.record);
        Ok(())
    }
}

fn study(studies: &mut [Study], id: StudyId) -> Result<&mut Study> {
    let place = usize::try_from(id.0).ok();
    let unknown = || Error::new("study", format!("there is no study with the key {}", id.0));
    place.and_then(|place| studies.get_mut(place)).ok_or_else(unknown)
}

fn trial(studies: &mut [Study], id: TrialId) -> Result<&mut Trial> {
    let study = study(studies, StudyId(id.0 / STRIDE))?;
    let place = usize::try_from(id.0 % STRIDE).ok();
    let unknown = || Error::new("study", format!("there is no trial with the key {}", id.0));
    place.and_then(|place| study.trials.get_mut(place)).ok_or_else(unknown)
}

impl Study {
    fn add(&mut self, id: StudyId, state: TrialState) -> &mut TrialRecord {
        let number = self.trials.len();
        let record = TrialRecord {
            id: TrialId(id.0 * STRIDE + number as i64),
            number,
            state,
            value: None,
            parameters: Vec::new(),
            intermediate: Vec::new(),
            notes: Vec::new(),
            started: None,
            finished: None,
        };
        self.trials.push(Trial { record, heard: SystemTime::now() });
        &mut self.trials[number].record
    }

    fn begin(trial: &mut Trial) -> TrialRecord {
        let now = SystemTime::now();
        trial.heard = now;
        (trial.record.state, trial.record.started) = (TrialState::Running, Some(now));
        trial.record.clone()
    }
}

impl Storage for MemoryStorage {
    fn open_study(&self, name: &str, direction: Direction) -> Result<StudyId> {
        let mut studies = self.studies();
        match studies.iter().position(|study| study.name == name) {
            Some(place) if studies[place].direction == direction => Ok(StudyId(place as i64)),
            Some(_) => {
                Err(Error::new("study", format!("the study `{name}` is there with another direction"))
                    .label(match direction {
                        Direction::Minimize => "it was begun to maximize, and now is to minimize",
                        Direction::Maximize => "it was begun to minimize, and now is to maximize",
                    })
                    .help("give each study a name of its own"))
            }
            None => {
                studies.push(Study { name: name.to_owned(), direction, trials: Vec::new() });
                Ok(StudyId(studies.len() as i64 - 1))
            }
        }
    }

    fn begin_trial(&self, id: StudyId) -> Result<TrialRecord> {
        let mut studies = self.studies();
        let study = study(&mut studies, id)?;
        let is_waiting = |trial: &Trial| trial.record.state == TrialState::Waiting;
        let place = study.trials.iter().position(is_waiting).unwrap_or_else(|| {
            study.add(id, TrialState::Waiting);
            study.trials.len() - 1
        });
        Ok(Study::begin(&mut study.trials[place]))
    }

    fn enqueue(
        &self,
        id: StudyId,
        parameters: &[(String, Domain, f64)],
        notes: &[(&str, &str)],
    ) -> Result<TrialId> {
        let mut studies = self.studies();
        let record = study(&mut studies, id)?.add(id, TrialState::Waiting);
        record.parameters = parameters.to_vec();
        record.notes = notes.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Ok(record.id)
    }

    fn set_parameter(&self, id: TrialId, name: &str, domain: &Domain, value: f64) -> Result {
        {
            let mut studies = self.studies();
            let others = study(&mut studies, StudyId(id.0 / STRIDE))?;
            let parameters = others.trials.iter().flat_map(|trial| &trial.record.parameters);
            let earlier = parameters.into_iter().filter(|(known, ..)| known == name);
            earlier.into_iter().try_for_each(|(_, earlier, _)| domain.check_alike(name, earlier))?;
        }
        self.change(id, |record| {
            record.parameters.retain(|(known, ..)| known != name);
            record.parameters.push((name.to_owned(), domain.clone(), value));
        })
    }

    fn report(&self, id: TrialId, step: u64, value: f64) -> Result {
        self.change(id, |record| {
            record.intermediate.retain(|(known, _)| *known != step);
            let place = record.intermediate.partition_point(|(known, _)| *known < step);
            record.intermediate.insert(place, (step, value));
        })
    }

    fn note(&self, id: TrialId, name: &str, text: &str) -> Result {
        self.change(id, |record| {
            record.notes.retain(|(known, _)| known != name);
            record.notes.push((name.to_owned(), text.to_owned()));
        })
    }

    fn finish(&self, id: TrialId, state: TrialState, value: Option<f64>) -> Result {
        let value = value.filter(|value| !value.is_nan());
        match (state, value) {
            (TrialState::Waiting | TrialState::Running, _) => {
                return Err(Error::new("study", "a trial ends as complete, pruned or failed"));
            }
            (TrialState::Complete, None) => {
                return Err(Error::new("study", "a trial without a value is not complete")
                    .help("end it as failed, and note why"));
            }
            (TrialState::Complete | TrialState::Pruned | TrialState::Failed, _) => {}
        }
        self.change(id, |record| {
            record.value = match state {
                TrialState::Failed => None,
                // What a trial had reached counts when it was pruned.
                _ => value.or_else(|| record.intermediate.last().map(|(_, value)| *value)),
            };
            (record.state, record.finished) = (state, Some(SystemTime::now()));
        })
    }

    fn beat(&self, id: TrialId) -> Result {
        self.change(id, |_| {})
    }

    fn take_up_abandoned(&self, id: StudyId, silent_for: Duration) -> Result<Vec<usize>> {
        let mut studies = self.studies();
        let study = study(&mut studies, id)?;
        let now = SystemTime::now();
        let is_abandoned = |trial: &Trial| {
            let silence = now.duration_since(trial.heard).unwrap_or_default();
            trial.record.state == TrialState::Running && silence >= silent_for
        };
        let abandoned: Vec<usize> =
            (0..study.trials.len()).filter(|&i| is_abandoned(&study.trials[i])).collect();
        for &number in &abandoned {
            let record = &mut study.trials[number].record;
            (record.state, record.finished) = (TrialState::Failed, Some(now));
            let parameters = record.parameters.clone();
            study.add(id, TrialState::Waiting).parameters = parameters;
        }
        Ok(abandoned)
    }

    fn trials(&self, id: StudyId) -> Result<Vec<TrialRecord>> {
        let mut studies = self.studies();
        Ok(study(&mut studies, id)?.trials.iter().map(|trial| trial.record.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_trial_is_begun_first_and_once() {
        let storage = MemoryStorage::new();
        let study = storage.open_study("s", Direction::Minimize).unwrap();
        let domain = Domain::Int { low: 1, high: 9, step: 1, log: false };
        storage.begin_trial(study).unwrap();
        storage.enqueue(study, &[("units".into(), domain.clone(), 7.0)], &[("why", "a guess")]).unwrap();
        let begun = storage.begin_trial(study).unwrap();
        assert_eq!((begun.number, begun.state), (1, TrialState::Running));
        assert_eq!(begun.parameters, [("units".to_owned(), domain, 7.0)]);
        assert_eq!(storage.begin_trial(study).unwrap().number, 2);
    }

    #[test]
    fn what_has_ended_does_not_change() {
        let storage = MemoryStorage::new();
        let study = storage.open_study("s", Direction::Maximize).unwrap();
        let trial = storage.begin_trial(study).unwrap().id;
        storage.report(trial, 2, 0.5).unwrap();
        storage.report(trial, 1, 0.25).unwrap();
        storage.report(trial, 2, 0.75).unwrap();
        storage.finish(trial, TrialState::Pruned, None).unwrap();
        assert_eq!(storage.trials(study).unwrap()[0].intermediate, [(1, 0.25), (2, 0.75)]);
        assert_eq!(storage.report(trial, 3, 1.0).unwrap_err().code(), "study");
        assert_eq!(storage.finish(trial, TrialState::Complete, Some(1.0)).unwrap_err().code(), "study");
        assert_eq!(storage.trials(study).unwrap()[0].value, Some(0.75), "what it had reached");
        let other = storage.begin_trial(study).unwrap().id;
        assert_eq!(storage.finish(other, TrialState::Running, None).unwrap_err().code(), "study");
        assert_eq!(storage.finish(other, TrialState::Complete, None).unwrap_err().code(), "study");
        assert_eq!(storage.open_study("s", Direction::Minimize).unwrap_err().code(), "study");
    }

    #[test]
    fn an_abandoned_trial_waits_again_with_its_parameters() {
        let storage = MemoryStorage::new();
        let study = storage.open_study("s", Direction::Minimize).unwrap();
        let trial = storage.begin_trial(study).unwrap().id;
        let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        storage.set_parameter(trial, "rate", &domain, 0.5).unwrap();
        assert!(storage.take_up_abandoned(study, Duration::from_secs(60)).unwrap().is_empty());
        assert_eq!(storage.take_up_abandoned(study, Duration::ZERO).unwrap(), [0]);
        let trials = storage.trials(study).unwrap();
        assert_eq!(
            trials.iter().map(|trial| trial.state).collect::<Vec<_>>(),
            [TrialState::Failed, TrialState::Waiting]
        );
        assert_eq!(trials[1].parameters, [("rate".to_owned(), domain, 0.5)]);
        let other = Domain::Int { low: 0, high: 1, step: 1, log: false };
        let again = storage.begin_trial(study).unwrap().id;
        assert_eq!(storage.set_parameter(again, "rate", &other, 1.0).unwrap_err().code(), "study");
    }
}
