//! What tuning in order leaves behind: the best model, and what was tried, kept and won at each stage.

use crate::domain::short;
use crate::trials::Parameters;
use carnyx_graph::Error;
use carnyx_nn::Model;
use std::fmt;

/// What [`tune_in_order`](super::tune_in_order) leaves behind. Printed, it is a table of its stages and the settings.
///
/// # Example
/// ```
/// use carnyx_nn::Sequential;
/// use carnyx_tune::TunedInOrder;
/// fn show(tuned: &TunedInOrder<Sequential>) {
///     println!("{tuned}");
///     if !tuned.has_converged {
///         println!("more steps would make it better");
///     }
/// }
/// ```
pub struct TunedInOrder<L> {
    /// The best model, with the weights of its best epoch.
    pub best: Model<L>,
    /// What was done, in order.
    pub stages: Vec<TuningStage>,
    /// The best value of the objective.
    pub value: f64,
    /// How many training steps were taken in all.
    pub steps: usize,
    /// Whether the last training ended because nothing got better, not because the budget was spent.
    pub has_converged: bool,
    pub(super) settings: Parameters,
    pub(super) objective: String,
}

impl<L> TunedInOrder<L> {
    /// The hyperparameters of the best model; its learning rate last.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::{Model, Sequential};
    /// # use carnyx_tune::{Hyper, TunedInOrder};
    /// fn rebuild(tuned: &TunedInOrder<Sequential>, build: impl Fn(&mut Hyper) -> Model<Sequential>) -> Model<Sequential> {
    ///     println!("{}", tuned.settings()); // hidden_layers 2, units 64, learning_rate 0.0123
    ///     build(&mut tuned.settings().hyper())
    /// }
    /// ```
    pub fn settings(&self) -> &Parameters {
        &self.settings
    }
}

/// What a stage looks at.
///
/// # Example
/// ```
/// use carnyx_tune::TuningQuestion;
/// assert_eq!(TuningQuestion::LearningRate.to_string(), "learning rate");
/// assert_eq!(TuningQuestion::Hyperparameter("units".into()).to_string(), "units");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TuningQuestion {
    /// Whether a training as long as the others will be is long enough.
    Convergence,
    /// The learning rate, by a range test.
    LearningRate,
    /// A hyperparameter of the build or the fit.
    Hyperparameter(String),
    /// Nothing more: the best model is trained on.
    Finish,
}

/// One stage: what was tried, what was kept, and what it won.
///
/// # Example
/// ```
/// use carnyx_tune::{TuningQuestion, TuningStage};
/// fn gains(stages: &[TuningStage]) {
///     for stage in stages.iter().filter(|stage| stage.question != TuningQuestion::Finish) {
///         println!("{}: {:?} -> {}", stage.question, stage.before, stage.after);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TuningStage {
    /// What it looked at.
    pub question: TuningQuestion,
    /// What was tried, in this order.
    pub attempts: Vec<TuningAttempt>,
    /// What was kept, or how it ended.
    pub kept: String,
    /// The best value of the objective before, if there was one.
    pub before: Option<f64>,
    /// The best value of the objective after.
    pub after: f64,
    /// The training steps that it took, those of range tests among them.
    pub steps: usize,
}

/// One training.
///
/// # Example
/// ```
/// use carnyx_tune::TuningAttempt;
/// let attempt = TuningAttempt { what: "64".into(), objective: Some(0.25), learning_rate: 0.01, steps: 500, error: None };
/// assert_eq!(attempt.to_string(), "64: 0.25");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TuningAttempt {
    /// The value that was tried.
    pub what: String,
    /// The best value of the objective that it reached; none, if it reached no number.
    pub objective: Option<f64>,
    /// The learning rate that it was trained with; NaN, if it was not trained.
    pub learning_rate: f64,
    /// How many steps it took.
    pub steps: usize,
    /// What went wrong.
    pub error: Option<String>,
}

impl TuningStage {
    pub(super) fn new(question: TuningQuestion, before: Option<f64>) -> TuningStage {
        TuningStage { question, attempts: Vec::new(), kept: String::new(), before, after: f64::NAN, steps: 0 }
    }
}

impl TuningAttempt {
    pub(super) fn failed(what: String, error: &Error, steps: usize) -> TuningAttempt {
        let error = Some(error.title().to_owned());
        TuningAttempt { what, objective: None, learning_rate: f64::NAN, steps, error }
    }
}

impl fmt::Display for TuningQuestion {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            TuningQuestion::Convergence => "converged?",
            TuningQuestion::LearningRate => "learning rate",
            TuningQuestion::Hyperparameter(name) => name,
            TuningQuestion::Finish => "trained on",
        })
    }
}

/// `64: 0.25`, or what went wrong.
impl fmt::Display for TuningAttempt {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (&self.error, self.objective) {
            (Some(error), _) => write!(f, "{}: {error}", self.what),
            (None, Some(objective)) => write!(f, "{}: {}", self.what, short(objective)),
            (None, None) => write!(f, "{}: no number", self.what),
        }
    }
}

/// `optimizer       adam   0.42 -> 0.35   1850 steps   sgd: 0.42, adam: 0.35`.
impl fmt::Display for TuningStage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let before = self.before.map(|before| format!("{} -> ", short(before))).unwrap_or_default();
        let tried: Vec<String> = self.attempts.iter().map(TuningAttempt::to_string).collect();
        let tried = if tried.is_empty() { "nothing".to_owned() } else { tried.join(", ") };
        let value = format!("{before}{}", short(self.after));
        write!(f, "{:<15} {:<20} {value:<18} {:>7}  {tried}", self.question, self.kept, self.steps)
    }
}

/// A table of the stages, and the settings.
impl<L> fmt::Display for TunedInOrder<L> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:<15} {:<20} {:<18} {:>7}  tried", "stage", "kept", self.objective, "steps")?;
        for stage in &self.stages {
            writeln!(f, "{stage}")?;
        }
        writeln!(f, "{} {} after {} steps", self.objective, short(self.value), self.steps)?;
        write!(f, "settings: {}", self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_a_line() {
        let attempt = |what: &str, objective: Option<f64>, error: Option<&str>| TuningAttempt {
            what: what.into(),
            objective,
            learning_rate: 0.01,
            steps: 600,
            error: error.map(str::to_owned),
        };
        let stage = TuningStage {
            question: TuningQuestion::Hyperparameter("optimizer".into()),
            attempts: vec![
                attempt("adam", Some(0.34567), None),
                attempt("nadam", None, None),
                attempt("sgd", None, Some("the loss is NaN")),
            ],
            kept: "adam".into(),
            before: Some(0.4321),
            after: 0.34567,
            steps: 1800,
        };
        assert_eq!(
            stage.to_string(),
            "optimizer       adam                 0.4321 -> 0.3457      1800  adam: 0.3457, nadam: no number, \
             sgd: the loss is NaN"
        );
    }
}
