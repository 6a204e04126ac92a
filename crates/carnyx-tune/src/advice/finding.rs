//! What can be found, each with its evidence, and how it is said.

use crate::learning_rate::Rate;
use std::fmt;

/// What is wrong with a training, in the order in which it should be looked at; displayed, it says so in words.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::Advise;
/// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
/// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
/// # let mut model = Sequential::new().then(Dense::new(1)).compile(Adam::new(0.05), MeanSquaredError);
/// # let history = model.fit((&x, &y), Fit::epochs(60).verbose(Verbosity::Silent))?;
/// let advice = model.advise(&history, (&x, &y))?;
/// assert!(advice.to_string().starts_with("nothing is wrong, as far as can be seen"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// What is wrong; empty if nothing is, as far as can be seen.
    pub findings: Vec<Finding>,
    /// What could not be judged, and why.
    pub not_judged: Vec<String>,
}

/// Something that is wrong with a training. The fields are the evidence.
///
/// # Example
/// ```
/// use carnyx_tune::Finding;
/// let layer = "dense".to_owned();
/// let finding = Finding::DeadUnits { layer, dead: 30, at_start: 2, units: 32, samples: 1024 };
/// assert!(finding.to_string().starts_with("dead units in `dense`: 30 of 32 give 0 for each of 1024 samples"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// The loss was still falling when training ended.
    NotConverged {
        /// The number that fell: `val_loss`, or `loss` if there was no validation data.
        number: &'static str,
        /// The mean of the window before the last one.
        from: f64,
        /// The mean of the last window.
        to: f64,
        /// Epochs in a window.
        window: usize,
    },
    /// The validation loss rose while the training loss still fell.
    Overfitting {
        /// The epoch around which the validation loss was best, counted from 1 over all fits.
        since: usize,
        /// The mean of the validation losses around that epoch.
        best: f64,
        /// Their mean at the end.
        last: f64,
        /// The training loss then and at the end, the same means.
        training: (f64, f64),
    },
    /// The steps were so large that the training could not settle.
    RateTooHigh {
        /// The learning rate of the training.
        rate: f64,
        /// How it shows.
        sign: TooHigh,
    },
    /// The loss hardly moved, and falls at much higher rates.
    RateTooLow {
        /// The learning rate of the training.
        rate: f64,
        /// What a sweep from here on suggests.
        suggestion: f64,
        /// The loss before the sweep and its lowest within it.
        fall: (f64, f64),
    },
    /// Units behind a ReLU that give 0 for every sample: no gradient reaches them any more.
    DeadUnits {
        /// The layer.
        layer: String,
        /// How many units are dead.
        dead: usize,
        /// How many of the layer's units are dead when its first weights are drawn anew.
        at_start: usize,
        /// How many units there are.
        units: usize,
        /// How many samples were looked at.
        samples: usize,
    },
    /// Units of a sigmoid or a tanh that are at their limits for nearly every sample: hardly any gradient reaches them.
    SaturatedUnits {
        /// The layer.
        layer: String,
        /// `sigmoid` or `tanh`.
        activation: &'static str,
        /// How many units are saturated.
        saturated: usize,
        /// How many units there are.
        units: usize,
    },
    /// A class is rare, and the model misses it.
    ImbalancedClasses {
        /// Which output of the model, counted from 0.
        output: usize,
        /// The rare class.
        rare: usize,
        /// The part of the samples that is of it.
        share: f64,
        /// The part of its samples that the model finds.
        recall: f64,
        /// The most frequent class, and the part of its samples that the model finds.
        frequent: (usize, f64),
    },
    /// What the first layer is given is far from 0 to 1, or far from 1.
    UnscaledInput {
        /// The first layer with weights.
        layer: String,
        /// The feature that is farthest off.
        feature: usize,
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
        /// How many features are so far off.
        affected: usize,
        /// How many features there are.
        features: usize,
    },
    /// All units of a hidden layer have the same weights: they started equal and stayed equal.
    ConstantInitialization {
        /// The layer's kernel.
        kernel: String,
        /// How many units do the work of one.
        units: usize,
    },
    /// The model is no better than the best constant.
    NothingLearned {
        /// The loss on a sample of the data.
        loss: f64,
        /// The loss of always saying the same: the mean, the median or the frequencies of the classes.
        constant: f64,
    },
}

/// How too high a learning rate shows.
///
/// # Example
/// ```
/// use carnyx_tune::{Finding, TooHigh};
/// let finding = Finding::RateTooHigh { rate: 3.0, sign: TooHigh::NotFinite };
/// assert!(finding.to_string().starts_with("the learning rate 3 is too high"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TooHigh {
    /// The training loss was no finite number any more.
    NotFinite,
    /// The training loss jumped up and down.
    Jumps {
        /// Epochs whose training loss rose by more than three per cent of what always saying the same costs.
        rises: usize,
        /// Epochs that could have risen.
        epochs: usize,
        /// The largest rise.
        largest: f64,
    },
    /// Nothing was learned, and units that were alive at the start are dead.
    KilledUnits {
        /// The layer.
        layer: String,
        /// How many units died.
        killed: usize,
        /// How many units there are.
        units: usize,
    },
}

impl Finding {
    /// The order in which findings are looked at.
    pub(super) fn place(&self) -> usize {
        match self {
            Finding::NotConverged { .. } => 0,
            Finding::Overfitting { .. } => 1,
            Finding::RateTooHigh { .. } => 2,
            Finding::RateTooLow { .. } => 3,
            Finding::DeadUnits { .. } => 4,
            Finding::SaturatedUnits { .. } => 5,
            Finding::ImbalancedClasses { .. } => 6,
            Finding::UnscaledInput { .. } => 7,
            Finding::ConstantInitialization { .. } => 8,
            Finding::NothingLearned { .. } => 9,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Finding::NotConverged { number, from, to, window } => {
                let what = if *number == "loss" { "training" } else { "validation" };
                write!(
                    f,
                    "not converged: the {what} loss fell from {from:.4} to {to:.4} over the last {window} epochs, and was \
                     still falling\n  go on: fit again, and it continues where it was"
                )
            }
            Finding::Overfitting { since, best, last, training: (then, now) } => write!(
                f,
                "over-fitting since epoch {since}: the validation loss rose from {best:.4} to {last:.4}, while the \
                 training loss fell from {then:.4} to {now:.4}\n  \
                 stop there (`EarlyStopping` with `restore_best`), or use more data, `Dropout`, `L2` or a smaller model"
            ),
            Finding::RateTooHigh { rate, sign } => write!(
                f,
                "the learning rate {} is too high: {sign}\n  try a tenth of it, or find one: `sweep_learning_rate`",
                Rate(*rate)
            ),
            Finding::RateTooLow { rate, suggestion, fall: (from, to) } => write!(
                f,
                "the learning rate {} is too low: at higher ones, a few hundred steps bring the loss from {from:.4} to \
                 {to:.4}\n  try {}",
                Rate(*rate),
                Rate(*suggestion)
            ),
            Finding::DeadUnits { layer, dead, at_start, units, samples } => {
                write!(
                    f,
                    "dead units in `{layer}`: {dead} of {units} give 0 for each of {samples} samples; "
                )?;
                if 2 * at_start >= *dead {
                    write!(
                        f,
                        "{at_start} do so with their first weights\n  \
                         start with other ones: `HeNormal`, and biases of 0"
                    )
                } else {
                    write!(
                        f,
                        "with their first weights, {at_start} did\n  \
                         lower the learning rate, or use `LeakyRelu`, `Elu` or `Gelu`, which never die"
                    )
                }
            }
            Finding::SaturatedUnits { layer, activation, saturated, units } => write!(
                f,
                "saturated units in `{layer}`: {saturated} of {units} units of `{activation}` are at its limits for nearly \
                 every sample\n  \
                 start with smaller weights (`GlorotUniform`), add `BatchNormalization` before it, or use `Relu`"
            ),
            Finding::ImbalancedClasses { output, rare, share, recall, frequent: (frequent, most) } => {
                f.write_str("imbalanced classes")?;
                if *output > 0 {
                    write!(f, " of output {output}")?;
                }
                write!(
                    f,
                    ": class {rare} is {:.1} % of the samples, and the model finds {:.0} % of it, but {:.0} % of class \
                     {frequent}\n  \
                     weigh the classes: `.class_weight(ClassWeight::balanced())`; and look at recall, not at accuracy",
                    100.0 * share,
                    100.0 * recall,
                    100.0 * most
                )
            }
            Finding::UnscaledInput { layer, feature, mean, deviation, affected, features } => write!(
                f,
                "the input is not scaled: {affected} of {features} features that come to `{layer}` are far from the range \
                 of 0 to 1; feature {feature} has a mean of {mean:.4} and a deviation of {deviation:.4}\n  \
                 begin the model with `Normalization`, adapted to the training data, or with `Rescaling`"
            ),
            Finding::ConstantInitialization { kernel, units } => write!(
                f,
                "constant initialisation: the {units} units of `{kernel}` all have the same weights, and learn the same\n  \
                 start with random ones: `GlorotUniform`, the default, or `HeNormal` before `Relu`"
            ),
            Finding::NothingLearned { loss, constant } => write!(
                f,
                "nothing learned: the loss is {loss:.4}, and always saying the same would cost {constant:.4}\n  \
                 see whether the inputs say anything about the targets: are both in the same order? does a model learn \
                 20 samples by heart?"
            ),
        }
    }
}

impl fmt::Display for TooHigh {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            TooHigh::NotFinite => f.write_str("the training loss was no finite number any more"),
            TooHigh::Jumps { rises, epochs, largest } => {
                write!(f, "the training loss rose in {rises} of {epochs} epochs, by up to {largest:.4}")
            }
            TooHigh::KilledUnits { layer, killed, units } => {
                write!(
                    f,
                    "nothing was learned, and {killed} of the {units} units of `{layer}` died on the way"
                )
            }
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.findings.is_empty() {
            f.write_str("nothing is wrong, as far as can be seen")?;
        }
        for (i, finding) in self.findings.iter().enumerate() {
            let begin = if i == 0 { "" } else { "\n" };
            write!(f, "{begin}{}. {}", i + 1, finding.to_string().replace("\n  ", "\n   "))?;
        }
        self.not_judged.iter().try_for_each(|what| write!(f, "\nnot judged: {what}"))
    }
}
