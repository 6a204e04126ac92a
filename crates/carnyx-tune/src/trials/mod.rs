//! What a search leaves behind: its study, and the best model.

mod importance;
mod plots;
mod table;

pub use importance::Importance;
pub use table::TrialTable;

use crate::domain::{Domain, Value};
use crate::hyper::Hyper;
use crate::storage::{Direction, TrialRecord, TrialState};
use crate::strategies::{Known, Past, without_excess};
use carnyx_graph::Result;
use carnyx_nn::Model;
use carnyx_plot::{LineChart, ParallelCoordinates};
use std::fmt;
use std::ops::{Deref, Index};

/// What a search leaves behind: the best model, and the study of all trials, which can be asked of this directly.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::*;
/// # let (x, y) = (Array::from_fn([32, 1], |i| i as f32 / 32.0), Array::from_fn([32, 1], |i| i as f32 / 16.0));
/// let build = |hyper: &mut Hyper| {
///     Sequential::new().then(Dense::new(1)).compile(Sgd::new(hyper.log_float("rate", 1e-3..=1.0)), MeanSquaredError)
/// };
/// let search = Search::random(4).objective("loss").verbose(Verbosity::Silent);
/// let trials = tune(build, (&x, &y), |_| Fit::epochs(3), search)?;
/// println!("{}", trials.table());
/// assert_eq!(trials.trials().len(), 4);
/// let line = trials.best.predict(&x)?; // the trained model
/// # let _ = line;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Trials<L> {
    /// The best model, with the weights that had the best value.
    pub best: Model<L>,
    pub(crate) study: Study,
}

impl<L> Deref for Trials<L> {
    type Target = Study;

    fn deref(&self) -> &Study {
        &self.study
    }
}

/// All trials of a study, and which values of its objective are good.
///
/// # Example
/// ```
/// use carnyx_tune::{Direction, Study};
/// let study = Study::new("digits", "val_accuracy", Direction::Maximize, Vec::new());
/// assert!(study.best_trial().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Study {
    name: String,
    objective: String,
    direction: Direction,
    trials: Vec<TrialRecord>,
}

impl Study {
    /// The study of these trials: as a storage has them, for example.
    ///
    /// # Example
    /// ```
    /// use carnyx_tune::{Direction, MemoryStorage, Storage, Study};
    /// let storage = MemoryStorage::new();
    /// let id = storage.open_study("digits", Direction::Minimize)?;
    /// let study = Study::new("digits", "val_loss", Direction::Minimize, storage.trials(id)?);
    /// assert!(study.trials().is_empty());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new(name: &str, objective: &str, direction: Direction, trials: Vec<TrialRecord>) -> Study {
        Study { name: name.to_owned(), objective: objective.to_owned(), direction, trials }
    }

    /// Its name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// assert_eq!(Study::new("digits", "loss", Direction::Minimize, Vec::new()).name(), "digits");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that was made small or great.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// assert_eq!(Study::new("digits", "loss", Direction::Minimize, Vec::new()).objective(), "loss");
    /// ```
    pub fn objective(&self) -> &str {
        &self.objective
    }

    /// Which values of the objective are good.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// let study = Study::new("digits", "loss", Direction::Minimize, Vec::new());
    /// assert_eq!(study.direction(), Direction::Minimize);
    /// ```
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// All trials, by number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// assert_eq!(Study::new("digits", "loss", Direction::Minimize, Vec::new()).trials().len(), 0);
    /// ```
    pub fn trials(&self) -> &[TrialRecord] {
        &self.trials
    }

    /// The complete trial with the best value; of equally good ones, the first.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// assert!(Study::new("digits", "loss", Direction::Minimize, Vec::new()).best_trial().is_none());
    /// ```
    pub fn best_trial(&self) -> Option<&TrialRecord> {
        let with_value = |trial: &&TrialRecord| {
            trial.state == TrialState::Complete && trial.value.is_some_and(|value| !value.is_nan())
        };
        self.trials.iter().filter(with_value).reduce(|best, trial| {
            let value = |trial: &TrialRecord| trial.value.unwrap_or(f64::NAN);
            if self.direction.is_better(value(trial), value(best)) { trial } else { best }
        })
    }

    /// The best value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// assert_eq!(Study::new("digits", "loss", Direction::Minimize, Vec::new()).best_value(), None);
    /// ```
    pub fn best_value(&self) -> Option<f64> {
        self.best_trial().and_then(|trial| trial.value)
    }

    /// The hyperparameters of the best trial; none, if no trial is complete.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// let study = Study::new("digits", "loss", Direction::Minimize, Vec::new());
    /// assert_eq!(study.best_parameters().iter().count(), 0);
    /// ```
    pub fn best_parameters(&self) -> Parameters {
        self.best_trial().map(Parameters::of).unwrap_or_default()
    }

    /// How much each hyperparameter matters: the share of the variance of the objective that it explains alone, by functional
    /// ANOVA over a forest of 64 regression trees. Hyperparameters that not all complete trials have are left out.
    ///
    /// Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance", 2014.
    ///
    /// # Errors
    /// `study`, if fewer than four trials are complete, they have no hyperparameter in common, or all have the same value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// let study = Study::new("digits", "loss", Direction::Minimize, Vec::new());
    /// assert_eq!(study.importance().unwrap_err().code(), "study"); // nothing is known yet
    /// ```
    pub fn importance(&self) -> Result<Importance> {
        importance::importance(self)
    }

    /// A table of all trials, the best ones first: print it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Study};
    /// let study = Study::new("digits", "loss", Direction::Minimize, Vec::new());
    /// assert!(study.table().to_string().starts_with("trial"));
    /// ```
    pub fn table(&self) -> TrialTable<'_> {
        TrialTable { study: self }
    }

    /// How the search went: the value of each complete trial, and the best one so far.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, MemoryStorage, Storage, Study, TrialState};
    /// # let storage = MemoryStorage::new();
    /// # let id = storage.open_study("digits", Direction::Minimize)?;
    /// # for value in [0.5, 0.25] {
    /// #     storage.finish(storage.begin_trial(id)?.id, TrialState::Complete, Some(value))?;
    /// # }
    /// let study = Study::new("digits", "val_loss", Direction::Minimize, storage.trials(id)?);
    /// assert!(study.plot_history().to_svg()?.contains("best so far"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn plot_history(&self) -> LineChart {
        plots::history(self)
    }

    /// A line for each trial that has a value, through its hyperparameters, in the colour of its value. A hyperparameter that
    /// a trial did not ask for is a gap.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Direction, Domain, MemoryStorage, Storage, Study, TrialState};
    /// # let storage = MemoryStorage::new();
    /// # let id = storage.open_study("digits", Direction::Minimize)?;
    /// # for value in [0.5, 0.25] {
    /// #     let trial = storage.begin_trial(id)?.id;
    /// #     let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
    /// #     storage.set_parameter(trial, "dropout", &domain, value)?;
    /// #     storage.finish(trial, TrialState::Complete, Some(value))?;
    /// # }
    /// let study = Study::new("digits", "val_loss", Direction::Minimize, storage.trials(id)?);
    /// assert!(study.plot_parallel().to_svg()?.contains("dropout"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Inselberg, "The plane with parallel coordinates", 1985.
    pub fn plot_parallel(&self) -> ParallelCoordinates {
        plots::parallel(self)
    }

    /// The complete trials as points, without the excess of values that went astray.
    fn complete_places(&self) -> Seen {
        let past = Past::new(self.trials.clone(), usize::MAX, self.direction);
        let space = past.in_all();
        let place = |value: f64, domain: &Domain| match domain {
            Domain::Choice(_) => value,
            Domain::Float { .. } | Domain::Int { .. } => domain.share(value),
        };
        let seen = |trial: &Known| {
            let values = space.iter().map(|(name, domain)| Some(place(trial.value(name, domain)?, domain)));
            Some((values.collect::<Option<Vec<f64>>>()?, trial.loss?))
        };
        let (places, losses): (Vec<Vec<f64>>, Vec<f64>) = past.complete().filter_map(seen).unzip();
        let values = without_excess(&losses);
        Seen { space, places, values }
    }
}

/// Complete trials as points.
struct Seen {
    /// The hyperparameters that all of them have.
    space: Vec<(String, Domain)>,
    /// For each trial, where in their ranges its values lie; of a choice, which it is.
    places: Vec<Vec<f64>>,
    /// For each trial, the value of the objective, of which smaller is better.
    values: Vec<f64>,
}

/// The hyperparameters of one trial by name, in the order in which they were asked for.
///
/// # Example
/// ```
/// use carnyx_tune::{Domain, Parameters, TrialId, TrialRecord, TrialState, Value};
/// # let record = TrialRecord { id: TrialId(0), number: 0, state: TrialState::Complete, value: None,
/// #     parameters: vec![("units".into(), Domain::Int { low: 1, high: 9, step: 1, log: false }, 7.0)],
/// #     intermediate: Vec::new(), notes: Vec::new(), started: None, finished: None };
/// let parameters = Parameters::of(&record);
/// assert_eq!(parameters["units"], Value::Int(7));
/// assert_eq!(parameters.to_string(), "units 7");
/// let mut hyper = parameters.hyper(); // to build a model with them once more
/// assert_eq!(hyper.int("units", 1..=9), 7);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(Vec<(String, Value)>);

impl Parameters {
    /// The hyperparameters of a trial.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::{Parameters, TrialRecord};
    /// fn show(trial: &TrialRecord) {
    ///     println!("{}: {}", trial.number, Parameters::of(trial));
    /// }
    /// ```
    pub fn of(trial: &TrialRecord) -> Parameters {
        let value = |(name, domain, number): &(String, Domain, f64)| (name.clone(), domain.value(*number));
        Parameters(trial.parameters.iter().map(value).collect())
    }

    /// The value of that name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Parameters;
    /// assert_eq!(Parameters::default().get("units"), None);
    /// ```
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and values.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Parameters;
    /// for (name, value) in Parameters::default().iter() {
    ///     println!("{name}: {value}");
    /// }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// These as what a build asks: it builds the same model once more.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{Fit, Model, Sequential};
    /// # use carnyx_tune::{Hyper, Trials};
    /// fn rebuild(trials: &Trials<Sequential>, build: impl Fn(&mut Hyper) -> Model<Sequential>) -> Model<Sequential> {
    ///     build(&mut trials.best_parameters().hyper())
    /// }
    /// ```
    pub fn hyper(&self) -> Hyper {
        self.0.iter().fold(Hyper::new(), |hyper, (name, value)| hyper.with(name, value.clone()))
    }
}

impl From<Vec<(String, Value)>> for Parameters {
    fn from(pairs: Vec<(String, Value)>) -> Parameters {
        Parameters(pairs)
    }
}

impl Index<&str> for Parameters {
    type Output = Value;

    /// The value of that name.
    ///
    /// # Panics
    /// As for any map, if there is none; [`get`](Parameters::get) does not.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("there is no hyperparameter `{name}`; there are: {self}"))
    }
}

/// `units 128, optimizer adam`.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(|(name, value)| format!("{name} {value}")).collect();
        f.write_str(&texts.join(", "))
    }
}
