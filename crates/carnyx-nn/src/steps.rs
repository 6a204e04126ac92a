//! The steps of one pass over samples, whether they lie in memory or come one after the other.
//!
//! Invariant: going from one step to the next allocates nothing of its own, and copies no sample: what lies in memory is
//! gathered by the executor, what is a batch already is read where it lies.

use crate::batches::{Source, Stream};
use crate::data::{Data, Role};
use crate::models::trace::Core;
use crate::order::Order;
use crate::profile::marks;
use carnyx_graph::{Feed, Result};
use std::ops::Range;
use std::panic::Location;

/// A pass over samples, and the step at which it is.
pub(crate) enum Steps<'s, 'a> {
    /// Rows of arrays in memory, in an order: the epoch, the step after this one, and the places of this one's rows.
    Rows { data: &'s Data, order: &'s mut Order, epoch: usize, next: usize, current: Range<usize> },
    /// Consecutive rows of arrays in memory: those that are left, and those of this step.
    Parts { data: &'s Data, left: Range<usize>, size: usize, current: Range<usize> },
    /// Batches of a stream.
    Batches { stream: &'s mut Stream<'a>, pass: StreamPass, current: Option<Data> },
}

/// Where in a stream the steps are, and what they are for.
pub(crate) struct StreamPass {
    epoch: usize,
    step: usize,
    role: Role,
    site: &'static Location<'static>,
}

impl<'s, 'a> Steps<'s, 'a> {
    /// Steps of training, of which `done` are done: rows of arrays in memory are taken in this order.
    pub(crate) fn of_training(
        source: &'s mut Source<'a>,
        order: &'s mut Order,
        (epoch, done): (usize, usize),
        site: &'static Location<'static>,
    ) -> Result<Steps<'s, 'a>> {
        match source {
            Source::Memory(data) => Ok(Steps::Rows { data, order, epoch, next: done, current: 0..0 }),
            Source::Stream(stream) => Steps::of_stream(stream, (epoch, done), Role::Training, site),
        }
    }

    /// Steps that look at samples in their order; `rows` are those of arrays in memory.
    pub(crate) fn of_evaluation(
        source: &'s mut Source<'a>,
        rows: Range<usize>,
        size: usize,
        epoch: usize,
        role: Role,
        site: &'static Location<'static>,
    ) -> Result<Steps<'s, 'a>> {
        match source {
            Source::Memory(data) => Ok(Steps::Parts { data, left: rows, size, current: 0..0 }),
            Source::Stream(stream) => Steps::of_stream(stream, (epoch, 0), role, site),
        }
    }

    fn of_stream(
        stream: &'s mut Stream<'a>,
        (epoch, step): (usize, usize),
        role: Role,
        site: &'static Location<'static>,
    ) -> Result<Steps<'s, 'a>> {
        stream.begin(epoch, step).map_err(|error| error.at(site))?;
        Ok(Steps::Batches { stream, pass: StreamPass { epoch, step, role, site }, current: None })
    }

    /// The number of steps, `done` of which may be done; 0, if it is not known.
    pub(crate) fn count(&self) -> usize {
        match self {
            Steps::Rows { order, .. } => order.steps(),
            Steps::Parts { left, size, .. } => left.len().div_ceil(*size),
            Steps::Batches { stream, .. } => stream.num_steps(),
        }
    }

    /// How the samples of a step are come by, for recordings.
    pub(crate) fn fetching(&self) -> &'static str {
        match self {
            Steps::Rows { .. } | Steps::Parts { .. } => marks::ROWS,
            Steps::Batches { stream, .. } if stream.is_prepared_ahead() => marks::WAITING_FOR_BATCH,
            Steps::Batches { .. } => marks::BATCH,
        }
    }

    /// Whether the samples come one after the other, so that each batch has to be looked at when it comes.
    pub(crate) fn are_streamed(&self) -> bool {
        matches!(self, Steps::Batches { .. })
    }

    /// Goes to the next step; `false`, if there is none.
    ///
    /// # Errors
    /// What the source of a stream says, or what is wrong with the batch.
    pub(crate) fn advance(&mut self, core: &Core) -> Result<bool> {
        match self {
            Steps::Rows { order, epoch, next, current, .. } => {
                *current = order.batch(*epoch, *next);
                *next += 1;
                Ok(current.start < current.end)
            }
            Steps::Parts { left, size, current, .. } => {
                *current = left.start..left.end.min(left.start + *size);
                left.start = current.end;
                Ok(current.start < current.end)
            }
            Steps::Batches { stream, pass, current } => {
                // The last batch is given back before the next one is made.
                *current = None;
                *current = stream.next(core, pass.epoch, pass.step, pass.role, pass.site)?;
                pass.step += 1;
                Ok(current.is_some())
            }
        }
    }

    /// The samples of this step.
    pub(crate) fn num_rows(&self) -> usize {
        match self {
            Steps::Rows { current, .. } | Steps::Parts { current, .. } => current.len(),
            Steps::Batches { current, .. } => current.as_ref().map_or(0, Data::num_samples),
        }
    }

    /// What holds the samples of this step, perhaps among others; there is a step.
    pub(crate) fn data(&self) -> &Data {
        match self {
            Steps::Rows { data, .. } | Steps::Parts { data, .. } => data,
            Steps::Batches { current, .. } => current.as_ref().expect("a step was advanced to"),
        }
    }

    /// What an input slot of the step's program is given: the array at `place` among inputs, targets and weights.
    pub(crate) fn feed(&self, place: usize) -> Feed<'_> {
        let array = self.data().array(place).expect("programs are made for the arrays that there are");
        match self {
            Steps::Rows { order, current, .. } => Feed::Rows(array, order.rows(current)),
            Steps::Parts { current, .. } => Feed::Part(array, current.start, current.len()),
            Steps::Batches { .. } => Feed::Whole(array),
        }
    }
}

/// The samples of one step, kept beyond it.
pub(crate) struct Batch {
    pub(crate) data: Data,
    /// Which rows of the data they are; all, unless given.
    rows: Option<Vec<u32>>,
}

impl Batch {
    /// The samples of the step at which a pass is.
    pub(crate) fn of(steps: &Steps) -> Batch {
        let rows = match steps {
            Steps::Rows { order, current, .. } => Some(order.rows(current).to_vec()),
            Steps::Parts { current, .. } => Some((current.start as u32..current.end as u32).collect()),
            Steps::Batches { .. } => None,
        };
        Batch { data: steps.data().clone(), rows }
    }

    /// The same with samples of the steps that follow, if there are fewer than so many and an order says which.
    pub(crate) fn at_least(steps: &Steps, samples: usize) -> Batch {
        match steps {
            Steps::Rows { data, order, current, .. } => {
                let rows = order.rows_and_next(current, samples);
                Batch { data: (*data).clone(), rows: Some(rows.to_vec()) }
            }
            Steps::Parts { .. } | Steps::Batches { .. } => Batch::of(steps),
        }
    }

    /// The samples of the first step of an epoch.
    pub(crate) fn first_of(data: &Data, order: &mut Order, epoch: usize) -> Batch {
        let places = order.batch(epoch, 0);
        Batch { data: data.clone(), rows: Some(order.rows(&places).to_vec()) }
    }

    pub(crate) fn num_rows(&self) -> usize {
        self.rows.as_ref().map_or_else(|| self.data.num_samples(), Vec::len)
    }

    /// As [`Steps::feed`].
    pub(crate) fn feed(&self, place: usize) -> Feed<'_> {
        let array = self.data.array(place).expect("programs are made for the arrays that there are");
        self.rows.as_ref().map_or(Feed::Whole(array), |rows| Feed::Rows(array, rows))
    }
}

/// The memory of a list of feeds, for the feeds of the next step.
pub(crate) fn emptied<'b>(mut feeds: Vec<Feed<'_>>) -> Vec<Feed<'b>> {
    feeds.clear();
    // Nothing is mapped; the collected list has the memory of the old one.
    feeds.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}
