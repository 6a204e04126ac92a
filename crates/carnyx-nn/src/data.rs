//! What a model learns from, with its types erased, and the checks before the first step.
//!
//! Invariant: after [`Data::check`], all arrays have the same number of rows, at least one and at most `u32::MAX`,
//! every float is finite, and no weight is negative.

use crate::weights::{check_weights, for_each_target, for_named_targets, plain_weights};
use carnyx_graph::{Array, Error, Result, array::Storage};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One array, or several: the inputs of a model, or its targets.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Columns;
/// let (a, b) = (Array::full([8, 2], 0f32), Array::full([8, 3], 0f32));
/// assert_eq!((&a).arrays().len(), 1);
/// assert_eq!([&a, &b].arrays().len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the inputs or the targets of a model",
    note = "an `Array`, `&Array`, `[&Array; N]` and `Vec<Array>` are"
)]
pub trait Columns {
    /// The arrays in order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// assert_eq!([&Array::full([8, 2], 0f32)].arrays().len(), 1);
    /// ```
    fn arrays(self) -> Vec<Array>;

    /// Which input or output of the model each array is for; empty if they come in the model's order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let x = Array::full([8, 2], 0f32);
    /// assert_eq!(&*[("wide", &x)].names()[0], "wide");
    /// ```
    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// By name, in any order: `[("deep", &a), ("wide", &b)]`.
impl<const N: usize> Columns for [(&str, &Array); N] {
    fn arrays(self) -> Vec<Array> {
        self.map(|(_, array)| array.clone()).to_vec()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.iter().map(|(name, _)| (*name).into()).collect()
    }
}

/// By name, in any order.
impl Columns for Vec<(String, Array)> {
    fn arrays(self) -> Vec<Array> {
        self.into_iter().map(|(_, array)| array).collect()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.iter().map(|(name, _)| name.as_str().into()).collect()
    }
}

impl Columns for Array {
    fn arrays(self) -> Vec<Array> {
        vec![self]
    }
}

impl Columns for &Array {
    fn arrays(self) -> Vec<Array> {
        vec![self.clone()]
    }
}

impl<const N: usize> Columns for [&Array; N] {
    fn arrays(self) -> Vec<Array> {
        self.map(Clone::clone).to_vec()
    }
}

impl<const N: usize> Columns for [Array; N] {
    fn arrays(self) -> Vec<Array> {
        self.to_vec()
    }
}

impl Columns for Vec<Array> {
    fn arrays(self) -> Vec<Array> {
        self
    }
}

impl Columns for &[Array] {
    fn arrays(self) -> Vec<Array> {
        self.to_vec()
    }
}

impl Columns for (&Array, &Array) {
    fn arrays(self) -> Vec<Array> {
        vec![self.0.clone(), self.1.clone()]
    }
}

/// Inputs and targets, and where samples do not all count the same, their weights: one row of each array is one
/// sample. Arrays are shared, not copied.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::Data;
/// let (x, y) = (Array::full([100, 8], 0f32), Array::full([100], 0u8));
/// let data = Data::from((&x, &y));
/// assert_eq!(data.num_samples(), 100);
/// let wide_and_deep = Data::from(([&x, &x], [&y, &y]));
/// assert_eq!(wide_and_deep.inputs().len(), 2);
/// let weighted = Data::from((&x, &y, &Array::full([100], 0.5f32)));
/// assert_eq!(weighted.sample_weights().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Data {
    inputs: Vec<Array>,
    targets: Vec<Array>,
    /// How much each sample counts. In order, one entry for each of the targets, or none at all.
    weights: Vec<Option<Array>>,
    /// Which inputs, which targets and which outputs' weights they are, where the user said it.
    names: [Vec<Arc<str>>; 3],
}

impl<X: Columns, Y: Columns> From<(X, Y)> for Data {
    fn from((inputs, targets): (X, Y)) -> Data {
        let names = [inputs.names(), targets.names(), Vec::new()];
        Data { inputs: inputs.arrays(), targets: targets.arrays(), weights: Vec::new(), names }
    }
}

/// Inputs, targets, and [weights of the samples](Data::sample_weight).
impl<X: Columns, Y: Columns, W: Columns> From<(X, Y, W)> for Data {
    fn from((inputs, targets, weights): (X, Y, W)) -> Data {
        Data::from((inputs, targets)).sample_weight(weights)
    }
}

impl From<&(Array, Array)> for Data {
    fn from((x, y): &(Array, Array)) -> Data {
        Data::from((x, y))
    }
}

impl From<&(Array, Array, Array)> for Data {
    fn from((x, y, weights): &(Array, Array, Array)) -> Data {
        Data::from((x, y, weights))
    }
}

impl From<&Data> for Data {
    fn from(data: &Data) -> Data {
        data.clone()
    }
}

impl Data {
    /// Inputs alone, for prediction.
    pub(crate) fn inputs_only(inputs: impl Columns) -> Data {
        let names = [inputs.names(), Vec::new(), Vec::new()];
        Data { inputs: inputs.arrays(), targets: Vec::new(), weights: Vec::new(), names }
    }

    /// How much each sample counts: its loss is multiplied by its weight. In training, samples with small weights
    /// teach less; in evaluation and validation, they count less in the loss and in
    /// [weighted metrics](crate::Model::weighted_metric). The loss of a batch of `n` samples is `Σ w l / n`, so weights
    /// whose mean is one keep the scale of the loss and the meaning of the learning rate.
    ///
    /// With several outputs, one array counts for all of them; a list has one for each of the targets, and names say
    /// which outputs they are for: those left out count as usual.
    ///
    /// # Shape
    /// `[batch]` or `[batch, 1]`, or `[batch, time]` for losses of each time step: numbers of any type, none
    /// negative.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let (x, y) = (Array::full([3, 2], 1f32), Array::from([1f32, 2.0, 7.0]));
    /// let trusted = Array::from([1f32, 1.0, 0.1]); // the last one may be a typing error
    /// let mut model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError).outputs(["price"]);
    /// model.fit(Data::from((&x, &y)).sample_weight(&trusted), quiet())?;
    /// model.fit((&x, &y, &trusted), quiet())?; // the same, as a triple
    /// model.evaluate((&x, &y, [("price", &trusted)]))?; // and by the name of the output
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: `sample_weight` of [`keras.Model.fit`](https://keras.io/api/models/model_training_apis/).
    #[must_use]
    pub fn sample_weight(mut self, weights: impl Columns) -> Data {
        self.names[2] = weights.names();
        self.weights = weights.arrays().into_iter().map(|array| Some(plain_weights(array))).collect();
        self
    }

    /// The same data in the order of the model's inputs and outputs, where the arrays have names. `answered` are the
    /// outputs that have losses: those that targets are for, if there are fewer targets than outputs.
    ///
    /// # Errors
    /// `name`, if the model has no such input or output, if one is missing, or if one comes twice; `data`, if there are
    /// weights for other outputs than targets.
    pub(crate) fn ordered(
        self,
        inputs: &[Arc<str>],
        outputs: &[Arc<str>],
        answered: &[Arc<str>],
    ) -> Result<Data> {
        let [input_names, target_names, weight_names] = self.names;
        let mut answered = if self.targets.len() == outputs.len() { outputs } else { answered }.to_vec();
        if !target_names.is_empty() {
            answered = outputs.iter().filter(|output| target_names.contains(output)).cloned().collect();
        }
        let inputs = in_order(self.inputs, &input_names, inputs, "input")?;
        let targets = in_order(self.targets, &target_names, outputs, "output")?;
        // A list beside targets with names is in their order.
        let listed = weight_names.is_empty() && self.weights.len() == target_names.len();
        let weight_names = if listed { target_names } else { weight_names };
        let weights = if weight_names.is_empty() {
            for_each_target(self.weights, targets.len())?
        } else {
            for_named_targets(self.weights, &weight_names, outputs, &answered)?
        };
        Ok(Data { inputs, targets, weights, names: Default::default() })
    }

    /// Whether the arrays are in the order of the model already, because none has a name.
    pub(crate) fn is_ordered(&self) -> bool {
        self.names.iter().all(Vec::is_empty)
            && matches!(self.weights.len(), n if n == 0 || n == self.targets.len())
    }

    pub(crate) fn with_input_names(mut self, names: Vec<Arc<str>>) -> Data {
        self.names[0] = names;
        self
    }

    pub(crate) fn without_targets(self) -> Data {
        let [inputs, ..] = self.names;
        Data { targets: Vec::new(), weights: Vec::new(), names: [inputs, Vec::new(), Vec::new()], ..self }
    }

    /// The array at a place among inputs, targets and weights.
    pub(crate) fn array(&self, place: usize) -> Option<&Array> {
        self.arrays().nth(place)
    }

    /// What messages call the array at a place among inputs, targets and weights.
    pub(crate) fn name(&self, place: usize) -> String {
        self.named().nth(place).map_or_else(String::new, |(name, ..)| name)
    }

    /// The same data with other weights: one entry for each of the targets.
    pub(crate) fn with_weights(&self, weights: Vec<Option<Array>>) -> Data {
        Data { weights, ..self.clone() }
    }

    /// What the model is given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let data = Data::from((Array::full([8, 3], 1f32), Array::full([8], 0u8)));
    /// assert_eq!(data.inputs()[0].shape(), [8, 3]);
    /// ```
    pub fn inputs(&self) -> &[Array] {
        &self.inputs
    }

    /// What it should say.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let data = Data::from((Array::full([8, 3], 1f32), Array::full([8], 0u8)));
    /// assert_eq!(data.targets()[0].shape(), [8]);
    /// ```
    pub fn targets(&self) -> &[Array] {
        &self.targets
    }

    /// How much the samples count, as it was [given](Data::sample_weight); empty if they all count the same. `None` is
    /// for targets whose samples do.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let data = Data::from((Array::full([8, 3], 1f32), Array::full([8], 0u8)));
    /// assert!(data.sample_weights().is_empty());
    /// let weighted = data.sample_weight(Array::full([8, 1], 2u8));
    /// assert_eq!(weighted.sample_weights(), [Some(Array::full([8], 2f32))]);
    /// ```
    pub fn sample_weights(&self) -> &[Option<Array>] {
        &self.weights
    }

    /// The number of samples: rows of the first input.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// let data = Data::from((Array::full([8, 3], 1f32), Array::full([8], 0u8)));
    /// assert_eq!(data.num_samples(), 8);
    /// ```
    pub fn num_samples(&self) -> usize {
        self.inputs.first().map_or(0, Array::num_rows)
    }

    /// The samples that `rows` names, in that order, copied: a part of the data for a fold, a test, a closer look.
    ///
    /// # Errors
    /// `shape`, if there is no such sample.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let data = Data::from((Array::from([[1f32], [2.0], [3.0]]), Array::from([0u8, 1, 2])));
    /// let ends = data.take_rows(&[2, 0])?;
    /// assert_eq!(ends.inputs()[0].values(), [3.0, 1.0]);
    /// assert_eq!(ends.targets()[0].values(), [2.0, 0.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn take_rows(&self, rows: &[usize]) -> Result<Data> {
        let take = |arrays: &[Array]| arrays.iter().map(|array| array.take_rows(rows)).collect::<Result<_>>();
        let weight = |array: &Option<Array>| array.as_ref().map(|array| array.take_rows(rows)).transpose();
        Ok(Data {
            inputs: take(&self.inputs)?,
            targets: take(&self.targets)?,
            weights: self.weights.iter().map(weight).collect::<Result<_>>()?,
            names: self.names.clone(),
        })
    }

    /// Inputs, then targets, then the weights that there are.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &Array> {
        self.inputs.iter().chain(&self.targets).chain(self.weights.iter().flatten())
    }

    /// The weights that there are, with the names that messages call them.
    fn named_weights(&self) -> impl Iterator<Item = (String, &Array)> {
        let name = |i: usize| match self.weights.len() {
            1 => "`sample_weight`".to_owned(),
            _ => format!("`sample_weight` {i}"),
        };
        self.weights.iter().enumerate().filter_map(move |(i, array)| Some((name(i), array.as_ref()?)))
    }

    /// Inputs, then targets, then weights, with the names that messages call them, and what to do about them.
    fn named(&self) -> impl Iterator<Item = (String, &Array, Advice)> {
        let name = |word: &str, several: &str, i: usize, n: usize| match n {
            1 => format!("`{word}`"),
            _ => format!("{several} {i}"),
        };
        let (n, m) = (self.inputs.len(), self.targets.len());
        let inputs = self.inputs.iter().enumerate().map(move |(i, array)| (name("x", "input", i, n), array));
        let targets =
            self.targets.iter().enumerate().map(move |(i, array)| (name("y", "target", i, m), array));
        let rows = inputs.chain(targets).map(|(name, array)| (name, array, ADVICE_ON_ROWS));
        rows.chain(self.named_weights().map(|(name, array)| (name, array, ADVICE_ON_WEIGHTS)))
    }

    /// Whether a model can learn from these arrays or predict from them at all.
    ///
    /// # Errors
    /// `data`, with what is wrong and where.
    pub(crate) fn check(&self, role: Role) -> Result {
        self.check_rows(role)?;
        if role == Role::Predict { Ok(()) } else { self.check_values(role) }
    }

    /// Whether each sample has one row of each array: what can be told without looking at the numbers.
    ///
    /// # Errors
    /// `data`, with what is wrong and where.
    pub(crate) fn check_rows(&self, role: Role) -> Result {
        let error = |title: String| Error::new("data", format!("{role}{title}"));
        let samples = self.num_samples();
        if self.inputs.is_empty() {
            return Err(
                error("there are no inputs".into()).help("give the model at least one array to learn from")
            );
        }
        let fits = |array: &Array| !array.shape().is_empty() && array.num_rows() == samples;
        // Names are made for messages only: this is asked of every batch of a stream.
        let wrong = if self.arrays().all(fits) { 0 } else { usize::MAX };
        let mut first: Option<String> = None;
        for (name, array, [advice, _]) in self.named().take(wrong) {
            if array.shape().is_empty() {
                return Err(error(format!("{name} is one number, not rows of samples"))
                    .help("give it a first axis: one row for each sample"));
            }
            if array.num_rows() != samples {
                let first = first.unwrap_or_default();
                return Err(error(format!("{first} has {samples} samples, {name} has {}", array.num_rows()))
                    .label(format!(
                        "{first} has shape {:?}, {name} has shape {:?}",
                        self.inputs[0].shape(),
                        array.shape()
                    ))
                    .help(advice));
            }
            first.get_or_insert(name);
        }
        if samples == 0 {
            return Err(
                error("there are no samples".into()).help("the arrays have no rows: is the file empty?")
            );
        }
        if u32::try_from(samples).is_err() {
            return Err(error(format!("{samples} samples are more than {}", u32::MAX)));
        }
        Ok(())
    }

    /// Whether all numbers are finite, and no weight is negative.
    fn check_values(&self, role: Role) -> Result {
        let error = |title: String| Error::new("data", format!("{role}{title}"));
        for (name, array, [_, advice]) in self.named() {
            if let Some(index) = first_non_finite(array) {
                return Err(error(format!("{name} holds {} {}", array.element(index), place(array, index)))
                    .help(advice));
            }
        }
        self.named_weights().try_for_each(|(name, array)| check_weights(&format!("{role}{name}"), array))
    }

    /// Whether weights leave anything of the samples in `rows`.
    ///
    /// # Errors
    /// `data`, if all weights of a target are zero there.
    pub(crate) fn check_mass(&self, rows: Range<usize>, role: Role) -> Result {
        for (name, array) in self.named_weights() {
            let row = array.row_len();
            if (rows.start * row..rows.end * row).all(|i| array.element(i) == 0.0) {
                let place = format!("all rows from {} to {}", rows.start, rows.end - 1);
                return Err(Error::new("data", format!("{role}{name} is 0 in {place}"))
                    .label("nothing would count")
                    .help("give those samples that matter a weight above 0, or leave the weights out"));
            }
        }
        Ok(())
    }
}

/// What to do about another number of rows, and about values that are not finite.
type Advice = [&'static str; 2];
const ADVICE_ON_ROWS: Advice = [
    "each row of the inputs needs one row of the targets",
    "drop such rows, or fill them with the column's mean or median",
];
const ADVICE_ON_WEIGHTS: Advice =
    ["each sample needs one weight", "give samples that must not count the weight 0"];

/// Arrays with names in the order of `wanted`.
fn in_order(arrays: Vec<Array>, names: &[Arc<str>], wanted: &[Arc<str>], word: &str) -> Result<Vec<Array>> {
    if names.is_empty() {
        return Ok(arrays);
    }
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let Some(place) = wanted.iter().position(|wanted| wanted == name) else {
            let error = Error::new("name", format!("the model has no {word} `{name}`"));
            return Err(error.suggest(name, wanted));
        };
        if places.contains(&place) {
            return Err(Error::new("name", format!("the {word} `{name}` is given twice")));
        }
        places.push(place);
    }
    if word == "input"
        && let Some(missing) = (0..wanted.len()).find(|place| !places.contains(place))
    {
        return Err(Error::new("name", format!("the input `{}` is missing", wanted[missing])));
    }
    let mut pairs: Vec<(usize, Array)> = places.into_iter().zip(arrays).collect();
    pairs.sort_by_key(|(place, _)| *place);
    Ok(pairs.into_iter().map(|(_, array)| array).collect())
}

/// What data is for, as messages call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To learn from.
    Training,
    /// To look at after each epoch.
    Validation,
    /// To evaluate.
    Use,
    /// To predict from: what is not finite gives predictions that are not, and no figure hides it.
    Predict,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if *self == Role::Validation { "validation data: " } else { "" })
    }
}

/// "in row 17, column 3", or the whole index where there are more axes.
pub(crate) fn place(array: &Array, index: usize) -> String {
    match array.shape() {
        [_] => format!("in row {index}"),
        [_, columns] => format!("in row {}, column {}", index / columns, index % columns),
        shape => {
            let (mut rest, mut indices) = (index, vec![0; shape.len()]);
            for (i, &size) in shape.iter().enumerate().rev() {
                (indices[i], rest) = (rest % size, rest / size);
            }
            format!("at {indices:?}")
        }
    }
}

/// The position of the first NaN or infinity. One pass that the compiler turns into wide instructions.
fn first_non_finite(array: &Array) -> Option<usize> {
    /// A block without branches is checked as a whole; only a bad one is searched.
    const BLOCK: usize = 4096;
    fn search<T: Copy>(data: &[T], is_bad: impl Fn(T) -> bool + Copy) -> Option<usize> {
        let bad = |block: &[T]| block.iter().fold(0u32, |bad, &v| bad | u32::from(is_bad(v))) != 0;
        let (number, block) = data.chunks(BLOCK).enumerate().find(|(_, block)| bad(block))?;
        block.iter().position(|&v| is_bad(v)).map(|i| number * BLOCK + i)
    }
    match array.storage() {
        Storage::F32(data) => search(data, |v: f32| v.to_bits() & 0x7f80_0000 == 0x7f80_0000),
        Storage::F64(data) => search(data, |v: f64| !v.is_finite()),
        Storage::I32(_) | Storage::I64(_) | Storage::U8(_) | Storage::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(x: Array, y: Array) -> String {
        Data::from((x, y)).check(Role::Training).unwrap_err().title().to_owned()
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let y = || Array::full([10_000], 0f32);
        assert_eq!(message(Array::full([9_999, 2], 0f32), y()), "`x` has 9999 samples, `y` has 10000");
        assert_eq!(message(Array::full([0, 2], 0f32), Array::full([0], 0f32)), "there are no samples");
        assert_eq!(message(Array::scalar(1f32), y()), "`x` is one number, not rows of samples");
        let bad = |at: usize, value: f32| Array::from_fn([10_000, 3], |i| if i == at { value } else { 1.0 });
        assert_eq!(message(bad(20_002, f32::NAN), y()), "`x` holds NaN in row 6667, column 1");
        assert_eq!(message(bad(2, f32::INFINITY), y()), "`x` holds inf in row 0, column 2");
        let deep = bad(25, f32::NAN).reshape([10_000, 3, 1]).unwrap();
        assert_eq!(message(deep, y()), "`x` holds NaN at [8, 1, 0]");
    }
}
