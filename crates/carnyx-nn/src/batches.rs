//! What a model can be given: arrays in memory, or batches that come one after the other.
//!
//! A stream of batches is walked once for each epoch. What `fit` has to know of data before the first step, it asks the
//! first batch. Invariant: the same batches in the same order train the same weights to the bit, wherever they come
//! from.

use crate::data::{Columns, Data, Role};
use crate::models::trace::Core;
use crate::weights::ClassWeights;
use carnyx_graph::{Array, Batch, Batches, DType, Error, Result};
use std::panic::Location;
use std::sync::Arc;

/// What a model learns from or is evaluated on.
///
/// | What | Example |
/// |---|---|
/// | arrays in memory | `(&x, &y)`, `(&x, &y, &weights)`, [`Data`] |
/// | something that yields batches for each epoch | a [`Batches`], such as a stream of the crate `carnyx-data` |
/// | an iterator of batches | of `(x, y)`, `(x, y, weights)` or [`Data`], or of `Result`s of them |
///
/// An iterator can be walked only once: with [`Fit::steps_per_epoch`](crate::Fit::steps_per_epoch), several epochs
/// share it. `Kind` is found by the compiler.
///
/// # Example
/// ```
/// # use carnyx_graph::{Array, Result};
/// # use carnyx_nn::*;
/// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
/// let mut model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError);
/// let batches = (0..20).map(|i| (Array::full([8, 3], i as f32 / 20.0), Array::full([8], 1f32)));
/// let history = model.fit(batches, quiet())?;
/// assert!(history.last("loss").is_some());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing to learn from",
    note = "pairs of arrays are, `(&x, &y)`, and so are `Batches` and iterators of such pairs"
)]
pub trait Samples<'a, Kind> {
    /// The samples with their types erased.
    #[doc(hidden)]
    fn source(self) -> Source<'a>;
}

/// What a model predicts from: arrays in memory, or batches that come one after the other.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// let model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError);
/// let (x, more) = (Array::full([8, 3], 1f32), Array::full([5, 3], 2f32));
/// assert_eq!(model.predict(&x)?.shape(), [8, 1]);
/// assert_eq!(model.predict([x, more].into_iter())?.shape(), [13, 1]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing to predict from",
    note = "an `Array`, `&Array`, `[&Array; N]` and `Vec<Array>` are, and so are `Batches` and iterators of arrays"
)]
pub trait Inputs<'a, Kind> {
    /// The inputs with their types erased.
    #[doc(hidden)]
    fn source(self) -> Source<'a>;
}

/// The kinds of sources, which tell implementations for all types of a trait apart.
#[doc(hidden)]
pub mod kinds {
    pub struct InMemory;
    pub struct Streamed;
    pub struct Iterated;
    pub struct IteratedResults;
    pub struct Sourced;
    pub use super::Source;
}

/// What was given before, for those who looked at it and hand it on.
impl<'a> Samples<'a, kinds::Sourced> for Source<'a> {
    fn source(self) -> Source<'a> {
        self
    }
}

impl<'a, D: Into<Data>> Samples<'a, kinds::InMemory> for D {
    fn source(self) -> Source<'a> {
        Source::Memory(self.into())
    }
}

impl<'a, B: Batches + 'a> Samples<'a, kinds::Streamed> for B {
    fn source(self) -> Source<'a> {
        Source::Stream(Stream::new(Origin::Opened(Box::new(self), Data::from)))
    }
}

impl<'a, D: Into<Data>, I: Iterator<Item = D> + 'a> Samples<'a, kinds::Iterated> for I {
    fn source(self) -> Source<'a> {
        Source::Stream(Stream::new(Origin::Once(Some(Box::new(self.map(|batch| Ok(batch.into())))))))
    }
}

impl<'a, D: Into<Data>, I: Iterator<Item = Result<D>> + 'a> Samples<'a, kinds::IteratedResults> for I {
    fn source(self) -> Source<'a> {
        Source::Stream(Stream::new(Origin::Once(Some(Box::new(self.map(|batch| Ok(batch?.into())))))))
    }
}

impl<'a, C: Columns> Inputs<'a, kinds::InMemory> for C {
    fn source(self) -> Source<'a> {
        Source::Memory(Data::inputs_only(self))
    }
}

impl<'a, B: Batches + 'a> Inputs<'a, kinds::Streamed> for B {
    fn source(self) -> Source<'a> {
        Source::Stream(Stream::new(Origin::Opened(Box::new(self), |batch| {
            Data::from(batch).without_targets()
        })))
    }
}

impl<'a, C: Columns, I: Iterator<Item = C> + 'a> Inputs<'a, kinds::Iterated> for I {
    fn source(self) -> Source<'a> {
        Source::Stream(Stream::new(Origin::Once(Some(Box::new(self.map(|x| Ok(Data::inputs_only(x))))))))
    }
}

impl<'a, C: Columns, I: Iterator<Item = Result<C>> + 'a> Inputs<'a, kinds::IteratedResults> for I {
    fn source(self) -> Source<'a> {
        Source::Stream(Stream::new(Origin::Once(Some(Box::new(self.map(|x| Ok(Data::inputs_only(x?))))))))
    }
}

/// A batch as data in memory, its arrays given on.
impl From<Batch> for Data {
    fn from(batch: Batch) -> Data {
        let names: Option<Vec<Arc<str>>> =
            batch.input_names().map(|names| names.iter().map(|name| name.as_str().into()).collect());
        let [inputs, targets, weights] = batch.into_parts();
        let data = Data::from((inputs, targets)).with_input_names(names.unwrap_or_default());
        if weights.is_empty() { data } else { data.sample_weight(weights) }
    }
}

/// Samples without the type of what they come from.
#[doc(hidden)]
pub enum Source<'a> {
    Memory(Data),
    Stream(Stream<'a>),
}

impl Source<'_> {
    /// Arrays with names in the order of the model, as batches will be too.
    pub(crate) fn ordered(self, core: &Core, site: &'static Location<'static>) -> Result<Self> {
        match self {
            Source::Memory(data) => core.ordered(data, site).map(Source::Memory),
            Source::Stream(stream) => Ok(Source::Stream(stream)),
        }
    }

    /// All samples, or the first batch of a stream: what checks before the first step look at.
    pub(crate) fn first(
        &mut self,
        core: &Core,
        epoch: usize,
        role: Role,
        site: &'static Location<'static>,
    ) -> Result<Data> {
        match self {
            Source::Memory(data) => Ok(data.clone()),
            Source::Stream(stream) => stream.first(core, epoch, role, site),
        }
    }
}

type Walk<'a> = Box<dyn Iterator<Item = Result<Data>> + 'a>;

enum Origin<'a> {
    /// Opened for each epoch.
    Opened(Box<dyn Batches + 'a>, fn(Batch) -> Data),
    /// Walked only once.
    Once(Option<Walk<'a>>),
}

/// Batches that come one after the other, and where in them the model is.
#[doc(hidden)]
pub struct Stream<'a> {
    origin: Origin<'a>,
    walk: Option<Walk<'a>>,
    /// A batch that was looked at, but not learned from.
    ready: Option<Data>,
    /// Batches that were taken since the walk began, or, if epochs share a walk, since the first epoch began.
    taken: usize,
    /// The epoch for which the walk was opened.
    opened: Option<usize>,
    /// The epoch in which the first walk was opened.
    first_epoch: usize,
    /// Steps of an epoch that the user wants: then the next epoch goes on where this one ends.
    steps: Option<usize>,
    continues: bool,
    /// How many batches the last epoch had.
    counted: Option<usize>,
    /// How the rows of each array must be, as the first batch has them, with the names that messages call them.
    rows: Vec<(Vec<usize>, DType)>,
    /// Class weights of a fit, which each batch is given.
    class_weights: Arc<ClassWeights>,
}

impl<'a> Stream<'a> {
    fn new(origin: Origin<'a>) -> Stream<'a> {
        Stream {
            origin,
            walk: None,
            ready: None,
            taken: 0,
            opened: None,
            first_epoch: 0,
            steps: None,
            continues: false,
            counted: None,
            rows: Vec::new(),
            class_weights: Arc::new([]),
        }
    }

    /// Epochs of so many steps, each of which goes on where the one before ended.
    pub(crate) fn share(&mut self, steps: usize) {
        (self.steps, self.continues) = (Some(steps), true);
    }

    /// Walks of so many steps, each of which begins anew.
    pub(crate) fn limit(&mut self, steps: usize) {
        self.steps = Some(steps);
    }

    pub(crate) fn weigh_classes(&mut self, weights: Arc<ClassWeights>) {
        self.class_weights = weights;
    }

    pub fn is_one_pass(&self) -> bool {
        match &self.origin {
            Origin::Opened(batches, _) => batches.is_one_pass(),
            Origin::Once(_) => true,
        }
    }

    /// Whether other threads make batches ready.
    pub(crate) fn is_prepared_ahead(&self) -> bool {
        matches!(&self.origin, Origin::Opened(batches, _) if batches.is_prepared_ahead())
    }

    /// The number of steps that an epoch must have, where it is known beforehand.
    fn promised(&self) -> Option<usize> {
        self.steps.or_else(|| match &self.origin {
            Origin::Opened(batches, _) => batches.num_batches(),
            Origin::Once(_) => None,
        })
    }

    /// The number of steps of an epoch, where it is known: 0 stands for unknown, as in progress lines.
    pub(crate) fn num_steps(&self) -> usize {
        self.promised().or(self.counted).unwrap_or(0)
    }

    fn open(&mut self, epoch: usize) -> Result {
        (self.walk, self.ready) = (None, None);
        self.walk = Some(match &mut self.origin {
            Origin::Opened(batches, convert) => {
                let convert = *convert;
                Box::new(batches.open(epoch)?.map(move |batch| batch.map(convert)))
            }
            Origin::Once(walk) => walk.take().ok_or_else(|| {
                Error::new("data", "the iterator of batches was walked already").help(
                    "an iterator can be walked only once: give `Batches`, which are opened for each epoch",
                )
            })?,
        });
        self.opened = Some(epoch);
        Ok(())
    }

    /// The first batch, in the model's order, which is still to be learned from.
    fn first(
        &mut self,
        core: &Core,
        epoch: usize,
        role: Role,
        site: &'static Location<'static>,
    ) -> Result<Data> {
        let at = |error: Error| at_if_nowhere(error, site);
        if self.opened.is_none() {
            self.first_epoch = epoch;
            self.open(epoch).map_err(at)?;
        }
        if self.ready.is_none() {
            self.ready = self.walk.as_mut().and_then(Iterator::next).transpose().map_err(at)?;
        }
        let Some(raw) = &self.ready else { return Err(no_batches(role, site)) };
        let batch = self.prepared(raw.clone(), core, role, site).map_err(at)?;
        self.rows = batch.arrays().map(row).collect();
        Ok(batch)
    }

    /// Makes the next batch the one after `done` steps of an epoch.
    pub(crate) fn begin(&mut self, epoch: usize, done: usize) -> Result {
        let due = match self.steps.filter(|_| self.continues) {
            Some(steps) => (epoch - self.first_epoch) * steps + done,
            None => {
                if self.opened != Some(epoch) || self.taken > done {
                    self.open(epoch)?;
                    self.taken = 0;
                }
                done
            }
        };
        while self.taken < due && self.pull(epoch)?.is_some() {}
        Ok(())
    }

    /// The next batch as the source gives it. Where epochs share a walk, the source is opened anew at its end.
    fn pull(&mut self, epoch: usize) -> Result<Option<Data>> {
        let mut batch = self.ready.take();
        if batch.is_none() {
            batch = self.walk.as_mut().and_then(Iterator::next).transpose()?;
        }
        self.taken += usize::from(batch.is_some());
        if batch.is_none() && self.continues && self.starts_epoch() && !self.is_one_pass() {
            self.open(epoch)?;
            batch = self.walk.as_mut().and_then(Iterator::next).transpose()?;
            self.taken += usize::from(batch.is_some());
        }
        Ok(batch)
    }

    /// Whether, where epochs share a walk, the next batch is the first of an epoch.
    fn starts_epoch(&self) -> bool {
        self.steps.is_some_and(|steps| self.taken.is_multiple_of(steps))
    }

    /// The batch for step `step` of an epoch, counted from 0; `None` at the end of the epoch.
    pub(crate) fn next(
        &mut self,
        core: &Core,
        epoch: usize,
        step: usize,
        role: Role,
        site: &'static Location<'static>,
    ) -> Result<Option<Data>> {
        if self.promised() == Some(step) {
            self.counted = Some(step);
            return Ok(None);
        }
        let place = || format!("in batch {} of epoch {}", step + 1, epoch + 1);
        let explain = |error: Error| {
            let error = at_if_nowhere(error, site).note(place());
            if role == Role::Training && step > 0 {
                return error.note(format!("the weights are those after step {step}"));
            }
            error
        };
        let Some(batch) = self.pull(epoch).map_err(explain)? else {
            return match self.promised() {
                Some(promised) => Err(ended_early(step, promised, epoch, site)),
                None if step == 0 => Err(no_batches(role, site)),
                None => {
                    self.counted = Some(step);
                    Ok(None)
                }
            };
        };
        let batch = self.prepared(batch, core, role, site).map_err(explain)?;
        batch.check_rows(role).map_err(explain)?;
        self.check_alike(&batch).map_err(explain)?;
        if role != Role::Training {
            // Of what is only looked at, no loss that is not finite tells.
            batch.check(role).map_err(explain)?;
        }
        Ok(Some(batch))
    }

    /// A batch in the order of the model, with the weights of its classes.
    fn prepared(
        &self,
        batch: Data,
        core: &Core,
        role: Role,
        site: &'static Location<'static>,
    ) -> Result<Data> {
        let batch = if batch.is_ordered() { batch } else { core.ordered(batch, site)? };
        if self.class_weights.is_empty() || role != Role::Training {
            return Ok(batch);
        }
        let rows = 0..batch.num_samples();
        core.with_class_weights(&batch, &self.class_weights, &rows, site)
    }

    /// Whether a batch has rows like the first one's.
    fn check_alike(&mut self, batch: &Data) -> Result {
        if self.rows.is_empty() {
            self.rows = batch.arrays().map(row).collect();
            return Ok(());
        }
        let count = batch.arrays().count();
        if count != self.rows.len() {
            let first = self.rows.len();
            return Err(Error::new("data", "a batch has other arrays than the first one")
                .label(format!("it has {count} arrays, the first one has {first}")));
        }
        let differs = |(array, (shape, dtype)): &(&Array, &(Vec<usize>, DType))| {
            array.shape()[1..] != **shape || array.dtype() != *dtype
        };
        match batch.arrays().zip(&self.rows).position(|pair| differs(&pair)) {
            None => Ok(()),
            Some(place) => Err(self.other_rows(batch, place)),
        }
    }

    fn other_rows(&self, batch: &Data, place: usize) -> Error {
        let name = batch.name(place);
        let (shape, dtype) = &self.rows[place];
        let (here, is) = batch.array(place).map_or((&[][..], *dtype), |array| (array.shape(), array.dtype()));
        let rows = |shape: &[usize]| {
            shape.iter().fold("[batch".to_owned(), |text, size| format!("{text}, {size}")) + "]"
        };
        Error::new("data", format!("{name} changes from batch to batch"))
            .label(format!(
                "it is {is} of shape {}, and was {dtype} of shape {} in the first batch",
                rows(here.get(1..).unwrap_or_default()),
                rows(shape)
            ))
            .help("only the number of samples may change: pad or crop them, and convert them to one type")
    }
}

/// Shape and type of an array's rows.
fn row(array: &Array) -> (Vec<usize>, DType) {
    (array.shape().get(1..).unwrap_or_default().to_vec(), array.dtype())
}

fn no_batches(role: Role, site: &'static Location<'static>) -> Error {
    Error::new("data", format!("{role}there are no batches"))
        .label("the stream is at its end before the first one")
        .help("look at the source: is the file empty, or is less than one batch left of it?")
        .at(site)
}

fn ended_early(done: usize, promised: usize, epoch: usize, site: &'static Location<'static>) -> Error {
    Error::new("data", format!("the stream ended after {done} of {promised} batches of epoch {}", epoch + 1))
        .label(format!("the weights are those after step {done}"))
        .help("ask for fewer steps, or let the stream begin again: `.repeat_forever()`")
        .at(site)
}

/// An error of the source is at the user's line, unless it knows a better place.
fn at_if_nowhere(error: Error, site: &'static Location<'static>) -> Error {
    if error.site().is_some() { error } else { error.at(site) }
}
