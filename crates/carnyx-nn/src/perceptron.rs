//! The perceptron of 1958: a linear classifier that learns from its mistakes alone.
//!
//! It needs no gradient, so it needs no graph either: [`Perceptron`] is plain loops in 64-bit floats, and a pass costs
//! one product of the data with the weights. Invariant: where the samples come in the same order, the weights and the
//! numbers of passes are those of scikit-learn's `linear_model.Perceptron`, whose stopping rule this is.

use crate::data::{Data, Role};
use crate::order::shuffle;
use carnyx_graph::{Array, Error, Result};
use std::fmt;
use std::panic::Location;

/// A linear classifier that learns by the perceptron's rule: a sample on the wrong side of the plane pulls it over.
///
/// Each unit tells one class from the rest. For a sample `x` of that class the target `t` is 1, for others it is -1,
/// and if `t · (weights · x + bias) ≤ 0`, the sample is a mistake and moves the unit:
///
/// ```text
/// weights ← weights + learning_rate · t · x
/// bias    ← bias    + learning_rate · t
/// ```
///
/// Everything starts at 0. Two classes need one unit, which tells the greater label from the smaller; more classes need
/// a unit each, and the greatest score wins. If a plane separates the classes, the rule finds one after a finite number
/// of mistakes; if none does, it never comes to rest, and the stopping rule ends it: learning is over after
/// [`patience`](Perceptron::patience) passes in a row that did not lower the mean loss `max(0, -t · score)` by more than
/// the [`tolerance`](Perceptron::tolerance).
///
/// Weights and numbers of passes are those of scikit-learn's `Perceptron` wherever the order of the samples is the
/// same, as it is without [`shuffle`](Perceptron::shuffle).
///
/// Rosenblatt 1958, *The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain*;
/// Novikoff 1962, *On Convergence Proofs for Perceptrons*.
///
/// # Shape
/// `x` is `[samples, features]` of any type; `y` is `[samples]` or `[samples, 1]`, whole numbers of any values. Weights
/// are `[units, features]` and biases `[units]`, both `f64`.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Perceptron;
/// let x = Array::from([[0.2f32, 1.0], [0.4, 0.7], [2.1, 0.3], [1.8, 0.9]]);
/// let y = Array::from([3i64, 3, 7, 7]);
/// let mut perceptron = Perceptron::new();
/// let report = perceptron.fit(&x, &y)?;
/// assert!(report.separated);
/// assert_eq!(perceptron.predict(&Array::from([[0.1f32, 0.9], [2.0, 0.5]]))?, Array::from([3i64, 7]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Perceptron {
    max_iterations: usize,
    tolerance: Option<f64>,
    learning_rate: f64,
    shuffle: bool,
    seed: u64,
    patience: usize,
    fit_bias: bool,
    learned: Option<Learned>,
}

/// What a fit leaves behind.
#[derive(Clone, Debug)]
struct Learned {
    /// `[classes]`, ascending, of the targets' type.
    labels: Array,
    /// `[units, features]`.
    weights: Array,
    /// `[units]`.
    bias: Array,
}

impl Default for Perceptron {
    fn default() -> Perceptron {
        Perceptron::new()
    }
}

impl Perceptron {
    /// A perceptron that has learned nothing, with the options' defaults, which are scikit-learn's.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Perceptron;
    /// let patient = Perceptron::new().max_iterations(5000).patience(20).seed(42);
    /// # let _ = patient;
    /// ```
    pub fn new() -> Perceptron {
        Perceptron {
            max_iterations: 1000,
            tolerance: Some(1e-3),
            learning_rate: 1.0,
            shuffle: true,
            seed: 0,
            patience: 5,
            fit_bias: true,
            learned: None,
        }
    }

    /// The greatest number of passes through the data: 1000, unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().max_iterations(20);
    /// # let _ = perceptron;
    /// ```
    pub fn max_iterations(mut self, passes: usize) -> Perceptron {
        self.max_iterations = passes;
        self
    }

    /// By how much a pass must lower the mean loss of a sample to count as progress: 0.001, unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().tolerance(1e-4);
    /// # let _ = perceptron;
    /// ```
    pub fn tolerance(mut self, tolerance: f64) -> Perceptron {
        self.tolerance = Some(tolerance);
        self
    }

    /// Goes through the data [`max_iterations`](Perceptron::max_iterations) times, come what may.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().without_tolerance();
    /// # let _ = perceptron;
    /// ```
    pub fn without_tolerance(mut self) -> Perceptron {
        self.tolerance = None;
        self
    }

    /// What a mistake is multiplied by before it is added to the weights: 1, unless given. As weights start at 0, it
    /// scales them all alike and, but for rounding, changes no decision.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().learning_rate(0.1);
    /// # let _ = perceptron;
    /// ```
    pub fn learning_rate(mut self, learning_rate: f64) -> Perceptron {
        self.learning_rate = learning_rate;
        self
    }

    /// Whether each pass takes the samples in another order (the default), which depends on the seed.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().shuffle(false);
    /// # let _ = perceptron;
    /// ```
    pub fn shuffle(mut self, shuffle: bool) -> Perceptron {
        self.shuffle = shuffle;
        self
    }

    /// The seed of the order of samples: 0, unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().seed(42);
    /// # let _ = perceptron;
    /// ```
    pub fn seed(mut self, seed: u64) -> Perceptron {
        self.seed = seed;
        self
    }

    /// How many passes in a row without progress end the learning: 5, unless given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().patience(10);
    /// # let _ = perceptron;
    /// ```
    pub fn patience(mut self, passes: usize) -> Perceptron {
        self.patience = passes;
        self
    }

    /// Without a bias: the plane goes through the origin.
    ///
    /// # Example
    /// ```
    /// # use carnyx_nn::Perceptron;
    /// let perceptron = Perceptron::new().without_bias();
    /// # let _ = perceptron;
    /// ```
    pub fn without_bias(mut self) -> Perceptron {
        self.fit_bias = false;
        self
    }

    /// Learns to tell the classes in `y` apart. What was learned before is forgotten, unless there is an error.
    ///
    /// # Errors
    /// `shape` or `data`, if the arrays are not rows of numbers and one whole number for each, of at least two values;
    /// `fit`, if an option makes no sense; `non-finite`, if the weights overflow.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::Perceptron;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]]), Array::from([0i64, 0, 1, 1]));
    /// let report = Perceptron::new().fit(&x, &y)?;
    /// assert!(report.separated);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn fit(&mut self, x: &Array, y: &Array) -> Result<PerceptronReport> {
        let site = Location::caller();
        self.learn(x, y).map_err(|error| error.at(site))
    }

    /// The label of each row of `x`, `[samples]`, of the type that the labels of the fit had.
    ///
    /// # Errors
    /// `fit`, if nothing was learned yet; `shape` or `data`, if `x` is not rows of as many finite features.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::Perceptron;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]]), Array::from([0i64, 0, 1, 1]));
    /// let mut perceptron = Perceptron::new();
    /// perceptron.fit(&x, &y)?;
    /// assert_eq!(perceptron.predict(&x)?, y);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn predict(&self, x: &Array) -> Result<Array> {
        let site = Location::caller();
        let labels = || self.learned()?.labels.take_rows(&self.classes(x)?);
        labels().map_err(|error| error.at(site))
    }

    /// The scores `x · weightsᵀ + bias`: for two classes `[samples]`, above 0 for the greater label; for more
    /// `[samples, classes]`, in the order of [`labels`](Perceptron::labels).
    ///
    /// # Errors
    /// As for [`predict`](Perceptron::predict).
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Array;
    /// use carnyx_nn::Perceptron;
    /// let mut above_one = Perceptron::new();
    /// above_one.fit(&Array::from([[0f32], [2.0]]), &Array::from([0u8, 1]))?;
    /// let scores = above_one.decision(&Array::from([[-5f32], [9.0]]))?;
    /// assert!(scores.element(0) < 0.0 && scores.element(1) > 0.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn decision(&self, x: &Array) -> Result<Array> {
        let site = Location::caller();
        let decision = || {
            let (scores, units) = self.scores(x)?;
            let shape = if units == 1 { vec![scores.len()] } else { vec![scores.len() / units, units] };
            Array::new(shape, scores)
        };
        decision().map_err(|error| error.at(site))
    }

    /// The share of the rows of `x` whose predicted label is that in `y`.
    ///
    /// # Errors
    /// As for [`predict`](Perceptron::predict), and as for [`fit`](Perceptron::fit) if `y` does not fit to `x`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::Perceptron;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]]), Array::from([0i64, 0, 1, 1]));
    /// let mut perceptron = Perceptron::new();
    /// perceptron.fit(&x, &y)?;
    /// assert_eq!(perceptron.score(&x, &y)?, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn score(&self, x: &Array, y: &Array) -> Result<f64> {
        let site = Location::caller();
        let share = || {
            Data::from((x, y)).check(Role::Use)?;
            let said: Vec<i64> = self.learned()?.labels.take_rows(&self.classes(x)?)?.to_vec();
            let targets = whole_numbers(y)?;
            let right = said.iter().zip(&targets).filter(|(said, target)| said == target).count();
            Ok(right as f64 / targets.len() as f64)
        };
        share().map_err(|error: Error| error.at(site))
    }

    /// The weights, `[1, features]` for two classes and `[classes, features]` for more.
    ///
    /// # Errors
    /// `fit`, if nothing was learned yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::Perceptron;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]]), Array::from([0i64, 0, 1, 1]));
    /// let mut perceptron = Perceptron::new();
    /// perceptron.fit(&x, &y)?;
    /// assert_eq!(perceptron.weights()?.shape(), [1, 2]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn weights(&self) -> Result<&Array> {
        let site = Location::caller();
        self.learned().map(|learned| &learned.weights).map_err(|error| error.at(site))
    }

    /// The biases, `[1]` for two classes and `[classes]` for more; zeros, if there is none.
    ///
    /// # Errors
    /// `fit`, if nothing was learned yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::Perceptron;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]]), Array::from([0i64, 0, 1, 1]));
    /// let mut perceptron = Perceptron::new();
    /// perceptron.fit(&x, &y)?;
    /// assert_eq!(perceptron.bias()?.shape(), [1]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn bias(&self) -> Result<&Array> {
        let site = Location::caller();
        self.learned().map(|learned| &learned.bias).map_err(|error| error.at(site))
    }

    /// The labels of the classes, `[classes]`, from the smallest to the greatest.
    ///
    /// # Errors
    /// `fit`, if nothing was learned yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::Perceptron;
    /// let (x, y) = (Array::from([[0f32, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]]), Array::from([0i64, 0, 1, 1]));
    /// let mut perceptron = Perceptron::new();
    /// perceptron.fit(&x, &y)?;
    /// assert_eq!(perceptron.labels()?, &Array::from([0i64, 1]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn labels(&self) -> Result<&Array> {
        let site = Location::caller();
        self.learned().map(|learned| &learned.labels).map_err(|error| error.at(site))
    }

    fn learned(&self) -> Result<&Learned> {
        self.learned.as_ref().ok_or_else(|| {
            Error::new("fit", "this perceptron has learned nothing yet")
                .help("give it samples and their labels first: `.fit(&x, &y)`")
        })
    }

    fn learn(&mut self, x: &Array, y: &Array) -> Result<PerceptronReport> {
        self.check_options()?;
        Data::from((x, y)).check(Role::Training)?;
        let features = num_features(x)?;
        let targets = whole_numbers(y)?;
        let mut classes = targets.clone();
        classes.sort_unstable();
        classes.dedup();
        if let [only] = classes[..] {
            return Err(Error::new("data", format!("all {} samples in `y` have the label {only}", y.len()))
                .help("a perceptron tells classes apart: give it samples of at least two"));
        }

        // Two classes are told apart by one plane: the unit of the smaller label would be its mirror image.
        let positives = if classes.len() == 2 { &classes[1..] } else { &classes[..] };
        let x: Vec<f64> = x.to_vec();
        let (mut weights, mut bias, mut units) = (Vec::new(), Vec::new(), Vec::new());
        for &label in positives {
            let signs: Vec<f64> =
                targets.iter().map(|&target| if target == label { 1.0 } else { -1.0 }).collect();
            let (unit_weights, unit_bias, report) = self.learn_unit(&x, features, &signs, label)?;
            weights.extend(unit_weights);
            bias.push(unit_bias);
            units.push(report);
        }
        self.learned = Some(Learned {
            weights: Array::new([units.len(), features], weights)?,
            bias: Array::from(bias),
            labels: Array::from(classes).cast(y.dtype()),
        });
        Ok(PerceptronReport::of(units))
    }

    fn check_options(&self) -> Result {
        let error = |title: String| Err(Error::new("fit", title));
        match self.tolerance {
            Some(tolerance) if !(tolerance >= 0.0 && tolerance.is_finite()) => {
                return error(format!("a tolerance of {tolerance}: it must be a number from 0 on"));
            }
            _ => {}
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return error(format!("a learning rate of {}: it must be a number above 0", self.learning_rate));
        }
        if self.max_iterations == 0 || self.patience == 0 {
            let option = if self.patience == 0 { "a patience" } else { "a limit" };
            return error(format!("{option} of 0 passes: learning takes at least 1"));
        }
        Ok(())
    }

    /// Weights and bias of one unit that tells the samples with sign 1 from those with sign -1.
    fn learn_unit(
        &self,
        x: &[f64],
        features: usize,
        signs: &[f64],
        label: i64,
    ) -> Result<(Vec<f64>, f64, UnitReport)> {
        let (mut weights, mut bias) = (vec![0.0; features], 0.0);
        let mut report = UnitReport { label, iterations: 0, mistakes: 0 };
        let mut order: Vec<u32> = (0..signs.len() as u32).collect();
        let (mut least_loss, mut without_progress) = (f64::INFINITY, 0);
        while report.iterations < self.max_iterations && without_progress < self.patience {
            if self.shuffle {
                shuffle(&mut order, self.seed, report.iterations as u64);
            }
            let mut loss = 0.0;
            report.mistakes = 0;
            for row in order.iter().map(|&row| row as usize) {
                let (sample, sign) = (&x[row * features..][..features], signs[row]);
                let margin = sign * (dot(&weights, sample) + bias);
                if margin <= 0.0 {
                    let update = self.learning_rate * sign;
                    weights.iter_mut().zip(sample).for_each(|(weight, value)| *weight += value * update);
                    if self.fit_bias {
                        bias += update;
                    }
                    loss -= margin;
                    report.mistakes += 1;
                }
            }
            report.iterations += 1;
            if !(bias.is_finite() && weights.iter().all(|weight| weight.is_finite())) {
                return Err(Error::new(
                    "non-finite",
                    format!("the weights overflow in pass {}", report.iterations),
                )
                .help("bring the features to a small range, for example with `Normalization`"));
            }
            let loss = loss / signs.len() as f64;
            let progressed = self.tolerance.is_none_or(|tolerance| loss <= least_loss - tolerance);
            without_progress = if progressed { 0 } else { without_progress + 1 };
            least_loss = least_loss.min(loss);
        }
        Ok((weights, bias, report))
    }

    /// The scores of all rows, row by row, and the number of units.
    fn scores(&self, x: &Array) -> Result<(Vec<f64>, usize)> {
        let learned = self.learned()?;
        Data::from((x, Vec::<Array>::new())).check(Role::Use)?;
        let (features, known) = (num_features(x)?, learned.weights.row_len());
        if features != known {
            let title = format!("this perceptron knows {known} features, `x` has {features}");
            return Err(Error::new("shape", title)
                .label(format!("`x` has shape {:?}", x.shape()))
                .help(format!("give it [samples, {known}], or fit it again on data of the new shape")));
        }
        let (weights, bias) = (learned.weights.as_slice::<f64>()?, learned.bias.as_slice::<f64>()?);
        let scores_of = |sample| {
            let units = weights.chunks(features).zip(bias);
            units.map(move |(weights, bias)| dot(weights, sample) + bias)
        };
        let x: Vec<f64> = x.to_vec();
        Ok((x.chunks(features).flat_map(scores_of).collect(), bias.len()))
    }

    /// The place of each row's class among the labels.
    fn classes(&self, x: &Array) -> Result<Vec<usize>> {
        let (scores, units) = self.scores(x)?;
        Ok(scores
            .chunks(units)
            .map(|scores| match scores {
                [score] => usize::from(*score > 0.0),
                // The first of several greatest ones, as everywhere.
                _ => (1..units).fold(0, |best, i| if scores[i] > scores[best] { i } else { best }),
            })
            .collect())
    }
}

/// One sum in the order of the features: where scores are 0 but for rounding, the order decides what is a mistake.
fn dot(weights: &[f64], sample: &[f64]) -> f64 {
    weights.iter().zip(sample).fold(0.0, |sum, (weight, value)| sum + weight * value)
}

fn num_features(x: &Array) -> Result<usize> {
    let help = match *x.shape() {
        [_, features] if features > 0 => return Ok(features),
        [n] => {
            format!("`x.reshape([1, {n}])` is one sample of {n} features, `x.reshape([{n}, 1])` the reverse")
        }
        [samples, ..] if !x.is_empty() => {
            format!("make each sample one row: `x.reshape([{samples}, {}])`", x.row_len())
        }
        _ => "each sample needs at least one feature".to_owned(),
    };
    let title = format!("a perceptron takes `x` as [samples, features], not {:?}", x.shape());
    Err(Error::new("shape", title).help(help))
}

/// The labels as integers.
fn whole_numbers(y: &Array) -> Result<Vec<i64>> {
    if y.row_len() != 1 {
        return Err(Error::new(
            "shape",
            format!("`y` has shape {:?}, not one label for each sample", y.shape()),
        )
        .help("a label is the number of a class, not a row of zeros and a one"));
    }
    // Beyond 2⁵³ floats are whole only because they are coarse.
    let is_whole = |value: f64| value.fract() == 0.0 && value.abs() < (1u64 << 53) as f64;
    if y.dtype().is_float()
        && let Some(row) = (0..y.len()).find(|&row| !is_whole(y.element(row)))
    {
        return Err(Error::new(
            "data",
            format!("label {} in row {row} is not a whole number", y.element(row)),
        )
        .help("labels are numbers of classes: is this the right column?"));
    }
    Ok(y.to_vec())
}

/// How learning went; shown in words.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Perceptron;
/// let corners = Array::from([[0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let (and, xor) = (Array::from([0u8, 0, 0, 1]), Array::from([0u8, 1, 1, 0]));
/// let report = Perceptron::new().shuffle(false).fit(&corners, &and)?;
/// assert_eq!(report.to_string(), "separated: no mistakes in the last of 10 passes");
///
/// let report = Perceptron::new().shuffle(false).fit(&corners, &xor)?;
/// assert!(report.to_string().starts_with("not separated: 4 mistakes in the last of 6 passes"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerceptronReport {
    /// Passes through the data; where there are several units, of the one that took the most.
    pub iterations: usize,
    /// Mistakes in the last pass, of all units together.
    pub mistakes: usize,
    /// Whether every unit went through the data without a mistake. If not, either no plane
    /// separates the classes, or it takes more passes to find one.
    pub separated: bool,
    /// What each unit did: one for two classes, one a class for more.
    pub units: Vec<UnitReport>,
}

/// How one unit of a [`Perceptron`] learned to tell its class from the rest.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Perceptron;
/// let (x, y) = (Array::from([[0f32], [1.0], [2.0]]), Array::from([10i64, 20, 30]));
/// let report = Perceptron::new().fit(&x, &y)?;
/// // What lies in the middle is on no side of a point.
/// assert_eq!(report.units.iter().map(|unit| unit.label).collect::<Vec<_>>(), [10, 20, 30]);
/// assert!(report.units[0].mistakes == 0 && report.units[1].mistakes > 0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnitReport {
    /// The label of the class that scores above 0.
    pub label: i64,
    /// Passes through the data.
    pub iterations: usize,
    /// Mistakes in the last pass: samples that moved the unit.
    pub mistakes: usize,
}

impl PerceptronReport {
    fn of(units: Vec<UnitReport>) -> PerceptronReport {
        let mistakes = units.iter().map(|unit| unit.mistakes).sum();
        PerceptronReport {
            iterations: units.iter().map(|unit| unit.iterations).max().unwrap_or(0),
            mistakes,
            separated: mistakes == 0,
            units,
        }
    }
}

impl fmt::Display for PerceptronReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let count = |number: usize, one: &str, many: &str| match number {
            0 => format!("no {many}"),
            1 => format!("1 {one}"),
            _ => format!("{number} {many}"),
        };
        let mistakes = count(self.mistakes, "mistake", "mistakes");
        let passes = count(self.iterations, "pass", "passes");
        f.write_str(if self.separated { "separated: " } else { "not separated: " })?;
        if let [_] = self.units[..] {
            write!(f, "{mistakes} in the last of {passes}")?;
        } else {
            let restless = self.units.iter().filter(|unit| unit.mistakes > 0);
            let each: Vec<String> =
                restless.map(|unit| format!("{} for label {}", unit.mistakes, unit.label)).collect();
            let each = if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) };
            let units = self.units.len();
            write!(f, "{mistakes} in the last passes of {units} units{each}, after at most {passes}")?;
        }
        if !self.separated {
            f.write_str("; either no plane separates the classes, or it takes more passes to find one")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let (x, y) = (Array::from([[0f32], [1.0]]), Array::from([0u8, 1]));
        let title = |mut perceptron: Perceptron| perceptron.fit(&x, &y).unwrap_err().title().to_owned();
        assert_eq!(
            title(Perceptron::new().max_iterations(0)),
            "a limit of 0 passes: learning takes at least 1"
        );
        assert_eq!(title(Perceptron::new().patience(0)), "a patience of 0 passes: learning takes at least 1");
        assert_eq!(
            title(Perceptron::new().tolerance(-1.0)),
            "a tolerance of -1: it must be a number from 0 on"
        );
        assert_eq!(
            title(Perceptron::new().learning_rate(f64::NAN)),
            "a learning rate of NaN: it must be a number above 0"
        );
    }

    #[test]
    fn labels_keep_their_type_and_an_error_forgets_nothing() {
        let x = Array::from([[0f32], [3.0]]);
        let mut perceptron = Perceptron::new();
        for labels in [Array::from([true, false]), Array::from([7f32, -2.0]), Array::from([1i32 << 30, 4])] {
            perceptron.fit(&x, &labels).unwrap();
            assert_eq!(perceptron.predict(&x).unwrap(), labels);
            assert_eq!(perceptron.score(&x, &labels).unwrap(), 1.0);
        }
        assert!(perceptron.fit(&x, &Array::from([1u8, 1])).is_err());
        assert_eq!(perceptron.predict(&x).unwrap(), Array::from([1i32 << 30, 4]));
        // A label that was not learned is just not said.
        assert_eq!(perceptron.score(&x, &Array::from([5i64, 4])).unwrap(), 0.5);
    }

    #[test]
    fn the_order_of_samples_depends_on_the_seed() {
        let x = Array::from_fn([40, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
        let y = Array::from_fn([40], |i| i64::from(x.element(2 * i) + x.element(2 * i + 1) > 0.1));
        let weights = |seed| {
            let mut perceptron = Perceptron::new().seed(seed);
            perceptron.fit(&x, &y).unwrap();
            perceptron.weights().unwrap().clone()
        };
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
    }
}
