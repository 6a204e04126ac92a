//! What each output teaches the layers that several outputs share.
//!
//! An auxiliary output is there to keep a part of the network useful by itself. Whether it does shows in the
//! gradient that reaches the shared layers (the *trunk*): how much of it comes from each output, and whether the
//! outputs pull in the same direction.

use super::trace::{Core, Phase};
use crate::data::Data;
use crate::fit::EVALUATION_BATCH;
use crate::history::{History, Logs};
use crate::profile::marks::Marks;
use carnyx_graph::op::Op;
use carnyx_graph::{Bindings, Error, Feed, Result, Tensor, Variable, in_order};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

const SHARE: &str = "_trunk_share";
const COSINE: &str = "_trunk_cosine";

impl Core {
    /// Adds each output's part of the gradient at the shared layers to the logs, measured on the first samples of
    /// `data`.
    pub(crate) fn measure_heads(
        &mut self,
        data: &Data,
        site: &'static Location<'static>,
        logs: &mut Logs,
    ) -> Result {
        let rows = EVALUATION_BATCH.min(data.num_samples());
        let key = self.key(Phase::Train, rows, data, 0);
        let step = self.describe_step(&key, site)?;
        let heads = step.heads;
        let trunk = self.trunk(&heads);
        if heads.len() < 2 || trunk.is_empty() {
            return Err(Error::new("heads", "there are no layers that several outputs share")
                .at(site)
                .label("so there is no share of their gradient to report")
                .help("leave `.head_report()` out"));
        }
        let gradients: Vec<Vec<Tensor>> = heads
            .iter()
            .map(|(_, loss)| loss.gradients(&trunk).iter().map(|(_, gradient)| gradient.clone()).collect())
            .collect();
        let product = |i: usize, j: usize| -> Tensor {
            let parts = gradients[i].iter().zip(&gradients[j]).map(|(x, y)| (x * y).sum());
            parts.reduce(|sum, part| sum + part).unwrap_or_else(|| Tensor::scalar(0f32))
        };
        let pairs: Vec<(usize, usize)> =
            (0..heads.len()).flat_map(|i| (i..heads.len()).map(move |j| (i, j))).collect();
        let products: Vec<Tensor> = pairs.iter().map(|&(i, j)| product(i, j)).collect();
        let mut graph = carnyx_graph::Graph::capture(&products, &[])?;
        // Layers bring updates with them: moving averages.
        graph.updates.clear();
        let marks = Marks::of(self.executor());
        let mut program = self.prepare(key, graph, Vec::new(), (&marks, marks.begin()))?;
        let arrays: Vec<_> = data.arrays().collect();
        let feeds: Vec<Feed> = program.feeds.iter().map(|&i| Feed::Part(arrays[i], 0, rows)).collect();
        let (captured, variables) = (&program.graph.captured, &program.graph.variables);
        let bindings = Bindings { inputs: &feeds, captured, variables, seed: self.seed, step: 0 };
        program.session.run(&bindings)?;

        let at: HashMap<(usize, usize), f64> =
            pairs.iter().enumerate().map(|(k, &pair)| (pair, program.session.number(k))).collect();
        let norm = |i: usize| at[&(i, i)].max(0.0).sqrt();
        let total: f64 = (0..heads.len()).map(norm).sum();
        for (i, (name, _)) in heads.iter().enumerate() {
            logs.set(&format!("{name}{SHARE}"), if total > 0.0 { norm(i) / total } else { 0.0 });
        }
        for &(i, j) in pairs.iter().filter(|(i, j)| i < j) {
            let norms = norm(i) * norm(j);
            let cosine = if norms > 0.0 { at[&(i, j)] / norms } else { 0.0 };
            logs.set(&format!("{}_{}{COSINE}", heads[i].0, heads[j].0), cosine);
        }
        Ok(())
    }

    /// The trainable variables that the losses of several outputs depend on.
    fn trunk(&self, heads: &[(Arc<str>, Tensor)]) -> Vec<Variable> {
        let mut users: HashMap<u64, usize> = HashMap::new();
        for (_, loss) in heads {
            let reads: HashSet<u64> = in_order(std::slice::from_ref(loss))
                .iter()
                .filter_map(|tensor| match tensor.op() {
                    Op::Read(variable) => Some(variable.id()),
                    _ => None,
                })
                .collect();
            reads.into_iter().for_each(|id| *users.entry(id).or_default() += 1);
        }
        let is_shared = |v: &&Variable| v.is_trainable() && users.get(&v.id()).is_some_and(|&n| n > 1);
        self.network.variables.iter().filter(is_shared).cloned().collect()
    }
}

/// What each output of a model taught the layers that they share, epoch by epoch: see
/// [`Fit::head_report`](crate::Fit::head_report).
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::losses::{Loss, MeanSquaredError};
/// use carnyx_nn::optimizers::Sgd;
/// use carnyx_nn::{Apply, Compile, Dense, Fit, Functional, Relu, Verbosity};
/// let x = Tensor::input("x", [3]);
/// let hidden = Dense::new(8).activation(Relu).apply(&x);
/// let (main, aux) = (Dense::new(1).apply(&hidden), Dense::new(1).apply(&hidden));
/// let mut model = Functional::new(&x, [("main", &main), ("aux", &aux)])?.compile(
///     Sgd::new(0.01),
///     [MeanSquaredError.on("main").weight(0.9), MeanSquaredError.on("aux").weight(0.1)],
/// );
/// let data = Array::from_fn([64, 3], |i| (i % 7) as f32);
/// let y = Array::from_fn([64, 1], |i| (i % 5) as f32);
/// let history = model.fit((&data, [&y, &y]), Fit::epochs(2).head_report().verbose(Verbosity::Silent))?;
/// let report = history.heads().expect("it was asked for");
/// assert_eq!(report.outputs, ["aux", "main"]);
/// assert!((report.share("main", 0).unwrap() + report.share("aux", 0).unwrap() - 1.0).abs() < 1e-9);
/// println!("{report}");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HeadReport {
    /// The names of the outputs.
    pub outputs: Vec<String>,
    /// The logs of each epoch.
    pub epochs: Vec<Logs>,
    first_epoch: usize,
}

impl HeadReport {
    /// The share of the output's gradient among the lengths of all outputs' gradients at the shared layers, with the
    /// weights of the losses: from 0 to 1.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let x = Tensor::input("x", [3]);
    /// # let hidden = Dense::new(4).apply(&x);
    /// # let (one, two) = (Dense::new(1).apply(&hidden), Dense::new(1).apply(&hidden));
    /// # let mut model = Functional::new(&x, [("one", &one), ("two", &two)])?.compile(Sgd::new(0.01), MeanSquaredError);
    /// # let (data, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let history = model.fit((&data, [&y, &y]), Fit::epochs(1).head_report().verbose(Verbosity::Silent))?;
    /// let report = history.heads().unwrap();
    /// assert!(report.share("one", 0).unwrap() <= 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn share(&self, output: &str, epoch: usize) -> Option<f64> {
        self.epochs.get(epoch)?.get(&format!("{output}{SHARE}"))
    }

    /// The cosine of the angle between the gradients of two outputs at the shared layers: 1 if both pull in the same
    /// direction, -1 if one undoes what the other does.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let x = Tensor::input("x", [3]);
    /// # let hidden = Dense::new(4).apply(&x);
    /// # let (one, two) = (Dense::new(1).apply(&hidden), Dense::new(1).apply(&hidden));
    /// # let mut model = Functional::new(&x, [("one", &one), ("two", &two)])?.compile(Sgd::new(0.01), MeanSquaredError);
    /// # let (data, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let history = model.fit((&data, [&y, &y]), Fit::epochs(1).head_report().verbose(Verbosity::Silent))?;
    /// let report = history.heads().unwrap();
    /// assert!(report.cosine("one", "two", 0).unwrap() <= 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn cosine(&self, one: &str, other: &str, epoch: usize) -> Option<f64> {
        let logs = self.epochs.get(epoch)?;
        logs.get(&format!("{one}_{other}{COSINE}")).or_else(|| logs.get(&format!("{other}_{one}{COSINE}")))
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        let names = || self.outputs.iter().map(String::as_str);
        let all = names().enumerate().flat_map(|(i, one)| names().skip(i + 1).map(move |other| (one, other)));
        all.filter(|(one, other)| self.cosine(one, other, 0).is_some()).collect()
    }
}

impl History {
    /// What each output taught the shared layers, if the fit was asked for it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let x = Tensor::input("x", [3]);
    /// # let hidden = Dense::new(4).apply(&x);
    /// # let (one, two) = (Dense::new(1).apply(&hidden), Dense::new(1).apply(&hidden));
    /// # let mut model = Functional::new(&x, [("one", &one), ("two", &two)])?.compile(Sgd::new(0.01), MeanSquaredError);
    /// # let (data, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// let history = model.fit((&data, [&y, &y]), Fit::epochs(1).head_report().verbose(Verbosity::Silent))?;
    /// let report = history.heads().unwrap();
    /// assert_eq!(report.outputs, ["one", "two"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn heads(&self) -> Option<HeadReport> {
        let outputs: Vec<String> = self
            .epochs
            .first()?
            .iter()
            .filter_map(|(name, _)| name.strip_suffix(SHARE))
            .map(str::to_owned)
            .collect();
        (!outputs.is_empty()).then(|| HeadReport {
            outputs,
            epochs: self.epochs.clone(),
            first_epoch: self.first_epoch,
        })
    }
}

/// A line for each epoch, and a sentence on each output.
impl fmt::Display for HeadReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, logs) in self.epochs.iter().enumerate() {
            write!(f, "epoch {}", self.first_epoch + i + 1)?;
            for output in &self.outputs {
                write!(f, " | {output}: ")?;
                let prefix = format!("{output}_");
                let own = |name: &str| {
                    name.starts_with(&prefix) && !name.ends_with(SHARE) && !name.ends_with(COSINE)
                };
                for (name, value) in logs.iter().filter(|(name, _)| own(name)) {
                    write!(f, "{} {value:.4}, ", &name[prefix.len()..])?;
                }
                write!(f, "{:.0} % of the gradient", 100.0 * self.share(output, i).unwrap_or(0.0))?;
            }
            for (one, other) in self.pairs() {
                write!(f, " | cosine of {one} and {other} {:.2}", self.cosine(one, other, i).unwrap_or(0.0))?;
            }
            writeln!(f)?;
        }
        let last = self.epochs.len().saturating_sub(1);
        for (one, other) in self.pairs() {
            let cosine = self.cosine(one, other, last).unwrap_or(0.0);
            let how = match cosine {
                c if c > 0.3 => "pull the shared layers in the same direction",
                c if c < -0.3 => {
                    "pull the shared layers in opposite directions: give one of them less weight"
                }
                _ => "teach the shared layers different things",
            };
            writeln!(f, "{one} and {other} {how} (cosine {cosine:.2})")?;
        }
        for output in &self.outputs {
            let share = self.share(output, last).unwrap_or(0.0);
            if share < 0.02 {
                writeln!(
                    f,
                    "{output} hardly reaches the shared layers: its weight or its loss is too small"
                )?;
            }
        }
        Ok(())
    }
}
