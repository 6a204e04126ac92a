//! Labels that a finished model does not believe.
//!
//! Labels that people gave are wrong in a few of a hundred cases, and a model that has learned the many right ones
//! disagrees most with the wrong ones. So the samples with the greatest losses are the first to be looked at again.

use super::model::Model;
use super::trace::{Answer, Core, Phase, e_at, placeholders};
use crate::data::{Data, Role};
use crate::fit::EVALUATION_BATCH;
use crate::losses::count;
use crate::profile::marks::Marks;
use crate::weights::Classes;
use carnyx_graph::{Array, Bindings, Error, Feed, Graph, Result, Tensor};
use std::fmt;
use std::panic::Location;

/// A label that the model does not believe.
///
/// # Example
/// ```
/// use carnyx_nn::SuspectedLabel;
/// let suspect = SuspectedLabel {
///     row: 17, step: 0, loss: 4.42, label: 3, label_probability: 0.012, predicted: 8, probability: 0.98,
/// };
/// assert_eq!(suspect.to_string(), "row 17: labelled 3 (1.2 %), predicted 8 (98.0 %), loss 4.42");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuspectedLabel {
    /// The row of the data.
    pub row: usize,
    /// The step of the sample, where each has a label; else 0.
    pub step: usize,
    /// The loss of the sample.
    pub loss: f64,
    /// The given class.
    pub label: usize,
    /// How probable the model thinks the given class.
    pub label_probability: f64,
    /// The class that the model thinks most probable.
    pub predicted: usize,
    /// How probable it thinks that.
    pub probability: f64,
}

/// A line for a person who looks at it again.
impl fmt::Display for SuspectedLabel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let step = if self.step == 0 { String::new() } else { format!(", step {}", self.step) };
        write!(
            f,
            "row {}{step}: labelled {} ({:.1} %), predicted {} ({:.1} %), loss {:.2}",
            self.row,
            self.label,
            self.label_probability * 100.0,
            self.predicted,
            self.probability * 100.0,
            self.loss
        )
    }
}

impl<L> Model<L> {
    /// The `count` labels that the model believes least: those of the samples with the greatest losses, the greatest
    /// first. Wrong labels are found among them, and samples that are hard or unlike all others.
    ///
    /// A model that has learned its training data by heart believes every label. So train with few epochs, dropout or a
    /// validation set; or judge each part of the data by a model that was trained on the rest. Weights of samples do not
    /// matter here.
    ///
    /// # Errors
    /// `data`, if the targets are no classes; `output`, if the model has several outputs; others as for
    /// [`evaluate`](Model::evaluate).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// // Points left and right of zero; one of them got the wrong label.
    /// let x = Array::from_fn([40, 1], |i| if i < 20 { -1.0 - i as f32 / 20.0 } else { i as f32 / 20.0 });
    /// let y = Array::from_fn([40], |i| if i == 7 { 1u8 } else { u8::from(i >= 20) });
    /// let mut model = Sequential::new()
    ///     .then(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy);
    /// model.fit((&x, &y), Fit::epochs(20).verbose(Verbosity::Silent))?;
    /// let suspects = model.suspected_labels((&x, &y), 3)?;
    /// assert_eq!((suspects[0].row, suspects[0].label, suspects[0].predicted), (7, 1, 0));
    /// for suspect in &suspects {
    ///     println!("{suspect}"); // row 7: labelled 1 (8.1 %), predicted 0 (91.9 %), loss 2.51
    /// }
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: Northcutt, Athalye and Mueller,
    /// [*Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks*](https://arxiv.org/abs/2103.14749),
    /// 2021.
    #[track_caller]
    pub fn suspected_labels(&self, data: impl Into<Data>, count: usize) -> Result<Vec<SuspectedLabel>> {
        self.suspects(None, data.into(), count, Location::caller())
    }

    /// The same for the output of that name.
    ///
    /// # Errors
    /// `name`, if the model has no such output; others as for [`suspected_labels`](Model::suspected_labels).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// # let x = Tensor::input("x", [3]);
    /// # let (kind, price) = (Dense::new(2).activation(Softmax).apply(&x), Dense::new(1).apply(&x));
    /// # let (data, y) = (Array::full([8, 3], 1f32), Array::from([0u8, 0, 0, 0, 0, 0, 0, 1]));
    /// # let mut model = Functional::new(&x, [("kind", &kind), ("price", &price)])?.compile(
    /// #     Sgd::new(0.01),
    /// #     [SparseCategoricalCrossentropy.on("kind"), MeanSquaredError.on("price")],
    /// # );
    /// let suspects = model.suspected_labels_on("kind", (&data, [&y, &y]), 5)?;
    /// assert_eq!(suspects.len(), 5);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn suspected_labels_on(
        &self,
        output: &str,
        data: impl Into<Data>,
        count: usize,
    ) -> Result<Vec<SuspectedLabel>> {
        self.suspects(Some(output), data.into(), count, Location::caller())
    }

    fn suspects(
        &self,
        output: Option<&str>,
        data: Data,
        count: usize,
        site: &'static Location<'static>,
    ) -> Result<Vec<SuspectedLabel>> {
        let data = self.core.ordered(data, site)?.with_weights(Vec::new());
        data.check(Role::Use).map_err(|error| error.at(site))?;
        let answers = self.core.answers(&data, site)?;
        let judged = judge(&self.core, &data, chosen(&answers, output).map_err(|e| e.at(site))?, site);
        let mut suspects = judged?;
        suspects.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        suspects.truncate(count);
        Ok(suspects)
    }
}

/// The answer of the output of that name, or the only one.
fn chosen<'a>(answers: &'a [Answer], output: Option<&str>) -> Result<&'a Answer> {
    match (output, answers) {
        (None, [answer]) => Ok(answer),
        (None, _) => Err(Error::new("output", format!("the model has {}", count(answers.len(), "output")))
            .label("labels of one of them are judged")
            .help("`.suspected_labels_on(\"main\", ..)` says which")),
        (Some(name), _) => answers.iter().find(|answer| &*answer.output == name).ok_or_else(|| {
            let names: Vec<&str> = answers.iter().map(|answer| &*answer.output).collect();
            Error::new("name", format!("the model has no output `{name}`")).suggest(name, &names)
        }),
    }
}

/// All labels with what the model thinks of them, row by row.
fn judge(
    core: &Core,
    data: &Data,
    answer: &Answer,
    site: &'static Location<'static>,
) -> Result<Vec<SuspectedLabel>> {
    let targets = &data.targets()[answer.target];
    let Some(loss) = &answer.loss else {
        let title = format!("the output `{}` has no loss", answer.output);
        return Err(Error::new("loss", title).at(site).help("judge the labels of an output that is trained"));
    };
    loss.check(targets, &answer.prediction).map_err(|error| error.at(site))?;
    let classes = Classes::of(targets, &answer.prediction).map_err(|what| {
        Error::new("data", format!("labels to be suspected, but {what}"))
            .label("labels are class numbers, one-hot rows, or 0 and 1 for one unit")
            .at(site)
    })?;
    let are_logits = loss.config().is_some_and(|config| config.is_true("from_logits"));
    let steps = classes.labels.len() / data.num_samples();
    let arrays: Vec<&Array> = data.arrays().collect();
    let mut suspects = Vec::with_capacity(classes.labels.len());
    for first in (0..data.num_samples()).step_by(EVALUATION_BATCH) {
        let rows = EVALUATION_BATCH.min(data.num_samples() - first);
        let key = core.key(Phase::Evaluate, rows, data, 0);
        let (inputs, targets) =
            (placeholders(&key, "input", &key.inputs), placeholders(&key, "target", &key.targets));
        let prediction = &core.network.outputs(&inputs, site)?[answer.place];
        let losses = loss.per_sample(&targets[answer.target], prediction);
        losses.check().map_err(|error| e_at(error, site).note(format!("in the loss `{}`", loss.name())))?;
        let graph = Graph::capture(&[losses, probabilities(prediction, are_logits)], &[])?;
        let marks = Marks::of(core.executor());
        let mut program = core.prepare(key, graph, Vec::new(), (&marks, marks.begin()))?;
        let feeds: Vec<Feed> = program.feeds.iter().map(|&i| Feed::Part(arrays[i], first, rows)).collect();
        let (captured, variables) = (&program.graph.captured, &program.graph.variables);
        program.session.run(&Bindings { inputs: &feeds, captured, variables, seed: core.seed, step: 0 })?;
        let (losses, believed) = (program.session.output(0), program.session.output(1));
        for place in 0..rows * steps {
            let label = classes.labels[first * steps + place];
            let believed = row(&believed, place, believed.len() / (rows * steps));
            let predicted = (0..believed.len()).rev().max_by(|&i, &j| believed[i].total_cmp(&believed[j]));
            let predicted = predicted.unwrap_or(0);
            suspects.push(SuspectedLabel {
                row: first + place / steps,
                step: place % steps,
                loss: losses.element(place),
                label,
                label_probability: believed[label],
                predicted,
                probability: believed[predicted],
            });
        }
    }
    Ok(suspects)
}

/// Predictions as probabilities.
fn probabilities(prediction: &Tensor, are_logits: bool) -> Tensor {
    let has_one_unit = prediction.rank() < 2 || prediction.dim(-1) == 1;
    match (are_logits, has_one_unit) {
        (false, _) => prediction.clone(),
        (true, true) => prediction.sigmoid(),
        (true, false) => prediction.softmax(),
    }
}

/// The probability of each class; one unit says that of class 1.
fn row(probabilities: &Array, place: usize, units: usize) -> Vec<f64> {
    let of_unit = |unit: usize| probabilities.element(place * units + unit);
    if units == 1 { vec![1.0 - of_unit(0), of_unit(0)] } else { (0..units).map(of_unit).collect() }
}
