//! Data that need not fit into memory: read block by block, changed, shuffled and cut into batches on the way.
//!
//! A [`Stream`] is a recipe. Nothing is read before it is opened, which a fit does once for each epoch; what a
//! combinator keeps meanwhile is said at its name, and nothing else is kept. Invariants: opening a stream twice for one
//! epoch gives the same items twice, whatever the number of threads; an error ends the walk, after all items before it.

mod batching;
mod files;
mod rows;
mod shuffling;
#[cfg(test)]
mod tests;
mod workers;

use carnyx_graph::{Array, Batch, Batches, Error, Result, Walk};
use std::iter;
use std::sync::{Arc, Mutex, PoisonError};

type Open<T> = dyn Fn(usize) -> Result<Walk<T>> + Send + Sync;

/// Items that come one after the other, the same for the same epoch: mostly blocks of samples, in the end batches.
///
/// # Example
/// ```
/// use carnyx_data::Stream;
/// use carnyx_graph::{Array, Batch};
/// let (x, y) = (Array::from_fn([100, 3], |i| i as f32), Array::from_fn([100], |i| i as u8));
/// let stream = Stream::rows(&[&x], &[&y], 10)
///     .map(|block| Ok(Batch::new(vec![block.inputs()[0].clone()], block.targets().to_vec())))
///     .shuffle(50, 42)
///     .batch(32)
///     .prefetch(2);
/// let sizes: Vec<usize> = stream.walk(0)?.map(|batch| Ok(batch?.num_rows())).collect::<carnyx_graph::Result<_>>()?;
/// assert_eq!(sizes, [32, 32, 32, 4]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub struct Stream<T = Batch> {
    open: Arc<Open<T>>,
    /// Items in an epoch, where it is known.
    items: Option<usize>,
    /// Samples in an epoch, where it is known.
    samples: Option<usize>,
    is_one_pass: bool,
    /// Whether what comes last runs on threads of its own.
    is_prepared_ahead: bool,
}

impl<T> Clone for Stream<T> {
    fn clone(&self) -> Stream<T> {
        Stream { open: self.open.clone(), ..*self }
    }
}

impl<T: Send + 'static> Stream<T> {
    /// What `open` yields, which is called for each epoch with its number, counted from 0.
    ///
    /// # Example
    /// ```
    /// use carnyx_data::Stream;
    /// use carnyx_graph::{Array, Batch};
    /// let noise = Stream::each_epoch(|epoch| {
    ///     Ok((0..5).map(move |i| Ok(Batch::from(Array::full([8, 2], (epoch * 5 + i) as f32)))))
    /// });
    /// assert_eq!(noise.walk(1)?.next().unwrap()?.inputs()[0].element(0), 5.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn each_epoch<I>(open: impl Fn(usize) -> Result<I> + Send + Sync + 'static) -> Stream<T>
    where
        I: Iterator<Item = Result<T>> + Send + 'static,
    {
        let open = move |epoch| open(epoch).map(|items| until_error(Box::new(items)));
        Stream {
            open: Arc::new(open),
            items: None,
            samples: None,
            is_one_pass: false,
            is_prepared_ahead: false,
        }
    }

    /// What `items` yields, which can be walked only once: a fit needs `Fit::steps_per_epoch` to have several epochs.
    ///
    /// # Example
    /// ```
    /// use carnyx_data::Stream;
    /// use carnyx_graph::{Array, Batch};
    /// let samples = (0..3).map(|i| Ok(Batch::from((Array::full([1, 2], i as f32), Array::from([i])))));
    /// let stream = Stream::once(samples).batch(3);
    /// assert_eq!(stream.walk(0)?.next().unwrap()?.targets()[0].values(), [0.0, 1.0, 2.0]);
    /// assert_eq!(stream.walk(1).err().unwrap().title(), "this stream was walked already");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn once(items: impl Iterator<Item = Result<T>> + Send + 'static) -> Stream<T> {
        // The lock is taken once for each walk, never for an item.
        let items = Mutex::new(Some(items));
        let take = move |_| {
            let taken = items.lock().unwrap_or_else(PoisonError::into_inner).take();
            taken.ok_or_else(|| {
                Error::new("data", "this stream was walked already").help(
                    "open it anew for each epoch with `Stream::each_epoch`, or say with `.steps_per_epoch(..)` how \
                     much of it an epoch is",
                )
            })
        };
        Stream { is_one_pass: true, ..Stream::each_epoch(take) }
    }

    /// The items of one epoch.
    ///
    /// # Errors
    /// Whatever the source says when it is opened.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let numbers = Stream::each_epoch(|_| Ok((0..4).map(Ok)));
    /// assert_eq!(numbers.walk(0)?.count(), 4);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn walk(&self, epoch: usize) -> Result<Walk<T>> {
        (self.open)(epoch)
    }

    /// The number of items in an epoch, where it is known.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let numbers = Stream::each_epoch(|_| Ok((0..4).map(Ok)));
    /// assert_eq!(numbers.num_items(), None);
    /// assert_eq!(numbers.with_num_items(4).num_items(), Some(4));
    /// ```
    pub fn num_items(&self) -> Option<usize> {
        self.items
    }

    /// Says how many items there are in an epoch: then a fit shows how far it is, and fewer are an error.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::{Array, Batch};
    /// let batches = Stream::each_epoch(|_| Ok((0..50).map(|_| Ok(Batch::from(Array::full([8, 2], 0f32))))));
    /// let batches = batches.with_num_items(50);
    /// assert_eq!(batches.num_items(), Some(50));
    /// ```
    pub fn with_num_items(self, items: usize) -> Stream<T> {
        Stream { items: Some(items), ..self }
    }

    /// Each item changed by `f`, in the thread that asks for it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let squares = Stream::each_epoch(|_| Ok((0..4).map(Ok))).map(|i| Ok(i * i));
    /// assert_eq!(squares.walk(0)?.last().unwrap()?, 9);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn map<U: Send + 'static>(self, f: impl Fn(T) -> Result<U> + Send + Sync + 'static) -> Stream<U> {
        let f = Arc::new(f);
        self.change(move |items, _| {
            let f = f.clone();
            Ok(Box::new(items.map(move |item| f(item?))))
        })
    }

    /// Each item changed by `f` on one of `threads` threads; they come in the order of [`map`](Stream::map). Twice as
    /// many items as threads are under way at most.
    ///
    /// A panic in `f` becomes an error.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let squares = Stream::each_epoch(|_| Ok((0..100).map(Ok))).parallel_map(4, |i| Ok(i * i));
    /// let squares = squares.walk(0)?.collect::<carnyx_graph::Result<Vec<i32>>>()?;
    /// assert!(squares.is_sorted());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn parallel_map<U: Send + 'static>(
        self,
        threads: usize,
        f: impl Fn(T) -> Result<U> + Send + Sync + 'static,
    ) -> Stream<U> {
        let f = Arc::new(f);
        let ahead = self.change(move |items, _| workers::parallel_map(items, threads.max(1), &f));
        Stream { is_prepared_ahead: true, ..ahead }
    }

    /// The same items, made ready by another thread while the last ones are used; at most `items` of them wait.
    ///
    /// A panic on that thread becomes an error.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let numbers = Stream::each_epoch(|_| Ok((0..4).map(Ok))).prefetch(2);
    /// assert_eq!(numbers.walk(0)?.collect::<carnyx_graph::Result<Vec<_>>>()?, [0, 1, 2, 3]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn prefetch(self, items: usize) -> Stream<T> {
        let samples = self.samples;
        let ahead = self.change(move |upstream, _| workers::prefetch(upstream, items));
        Stream { samples, is_prepared_ahead: true, ..ahead }
    }

    /// `times` passes one after the other; each is in the order of an epoch of its own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let numbers = Stream::each_epoch(|_| Ok((0..3).map(Ok))).repeat(2);
    /// assert_eq!(numbers.walk(0)?.collect::<carnyx_graph::Result<Vec<_>>>()?, [0, 1, 2, 0, 1, 2]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn repeat(self, times: usize) -> Stream<T> {
        let Stream { open, items, samples, is_one_pass, is_prepared_ahead } = self;
        let passes = move |epoch: usize| Ok(chained(open.clone(), epoch * times..(epoch + 1) * times));
        let [items, samples] = [items, samples].map(|count| count.map(|count| count * times));
        Stream { items, samples, is_one_pass, is_prepared_ahead, ..Stream::each_epoch(passes) }
    }

    /// Passes without an end, for a fit with `steps_per_epoch`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// let numbers = Stream::each_epoch(|_| Ok((0..3).map(Ok))).repeat_forever();
    /// assert_eq!(numbers.walk(0)?.nth(3).unwrap()?, 0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn repeat_forever(self) -> Stream<T> {
        let Stream { open, is_one_pass, is_prepared_ahead, .. } = self;
        Stream {
            is_one_pass,
            is_prepared_ahead,
            ..Stream::each_epoch(move |epoch| Ok(chained(open.clone(), epoch..usize::MAX)))
        }
    }

    /// A stream with as many items, made of this one's items in an epoch.
    fn change<U: Send + 'static>(
        self,
        change: impl Fn(Walk<T>, usize) -> Result<Walk<U>> + Send + Sync + 'static,
    ) -> Stream<U> {
        let Stream { open, items, is_one_pass, .. } = self;
        let open = move |epoch| Ok(until_error(change(open(epoch)?, epoch)?));
        Stream { open: Arc::new(open), items, samples: None, is_one_pass, is_prepared_ahead: false }
    }
}

/// Streams of samples. Whatever the sizes of the blocks in which they come, these methods count samples.
impl Stream {
    /// The rows of arrays in memory, in blocks of `block` samples.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let (x, y) = (Array::from_fn([100, 3], |i| i as f32), Array::full([100], 0u8));
    /// assert_eq!(Stream::rows(&[&x], &[&y], 10).walk(0)?.count(), 10);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn rows(inputs: &[&Array], targets: &[&Array], block: usize) -> Stream {
        let own = |arrays: &[&Array]| arrays.iter().map(|&array| array.clone()).collect::<Vec<_>>();
        let whole = Batch::new(own(inputs), own(targets));
        let (samples, block) = (whole.num_rows(), block.max(1));
        let open = move |_| {
            let whole = whole.clone();
            let starts = (0..samples).step_by(block);
            Ok(starts.map(move |first| rows::part(&whole, first..samples.min(first + block))))
        };
        Stream { items: Some(samples.div_ceil(block)), samples: Some(samples), ..Stream::each_epoch(open) }
    }

    /// The inputs of `targets` as the targets beside these inputs: for targets that lie in a file of their own. Both
    /// must be cut into the same blocks.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let (x, y) = (Array::from_fn([100, 3], |i| i as f32), Array::full([100], 7u8));
    /// let stream = Stream::rows(&[&x], &[], 10).with_targets(Stream::rows(&[&y], &[], 10));
    /// assert_eq!(stream.walk(0)?.next().unwrap()?.targets()[0].shape(), [10]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn with_targets(self, targets: Stream) -> Stream {
        let (items, samples) = (self.items.or(targets.items), self.samples.or(targets.samples));
        let is_one_pass = self.is_one_pass || targets.is_one_pass;
        let open = move |epoch| Ok(batching::Beside::new(self.walk(epoch)?, targets.walk(epoch)?));
        Stream { items, samples, is_one_pass, ..Stream::each_epoch(open) }
    }

    /// Mixes the samples, in another order for each epoch: each is exchanged with a random one of at least `buffer`
    /// that are kept in memory. The order is perfectly random if all samples of an epoch fit into the buffer.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let x = Array::from_fn([100, 1], |i| i as f32);
    /// let stream = Stream::rows(&[&x], &[], 10).shuffle(100, 42).batch(100);
    /// let order = |epoch| Ok::<_, carnyx_graph::Error>(stream.walk(epoch)?.next().unwrap()?.inputs()[0].values());
    /// assert_eq!(order(0)?, order(0)?);
    /// assert_ne!(order(0)?, order(1)?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn shuffle(self, buffer: usize, seed: u64) -> Stream {
        let samples = self.samples;
        let shuffle = move |blocks, epoch| -> Result<Walk> {
            Ok(Box::new(shuffling::Shuffle::new(blocks, buffer, seed, epoch)))
        };
        Stream { samples, ..self.change(shuffle) }
    }

    /// Batches of `samples` samples; the last one of an epoch may be smaller. Blocks that have that size already are
    /// passed on as they are.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let x = Array::from_fn([100, 1], |i| i as f32);
    /// assert_eq!(Stream::rows(&[&x], &[], 10).batch(32).num_items(), Some(4));
    /// ```
    pub fn batch(self, samples: usize) -> Stream {
        self.recut(samples, false)
    }

    /// Batches of exactly `samples` samples; fewer at the end of an epoch are left out.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let x = Array::from_fn([100, 1], |i| i as f32);
    /// assert_eq!(Stream::rows(&[&x], &[], 10).batch_exact(32).num_items(), Some(3));
    /// ```
    pub fn batch_exact(self, samples: usize) -> Stream {
        self.recut(samples, true)
    }

    fn recut(self, size: usize, drop_remainder: bool) -> Stream {
        let (samples, size) = (self.samples, size.max(1));
        let items =
            samples.map(|samples| if drop_remainder { samples / size } else { samples.div_ceil(size) });
        let samples = if drop_remainder { items.map(|items| items * size) } else { samples };
        let recut = move |blocks, _| -> Result<Walk> {
            Ok(Box::new(batching::Recut::new(blocks, size, drop_remainder)))
        };
        Stream { items, samples, ..self.change(recut) }
    }

    /// The first `samples` samples.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let x = Array::from_fn([100, 1], |i| i as f32);
    /// assert_eq!(Stream::rows(&[&x], &[], 10).take(64).batch(32).num_items(), Some(2));
    /// ```
    pub fn take(self, samples: usize) -> Stream {
        self.window(0..samples)
    }

    /// All samples but the first `samples`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Stream;
    /// # use carnyx_graph::Array;
    /// let x = Array::from_fn([100, 1], |i| i as f32);
    /// let rest = Stream::rows(&[&x], &[], 10).skip(95);
    /// assert_eq!(rest.walk(0)?.next().unwrap()?.inputs()[0].values(), [95.0, 96.0, 97.0, 98.0, 99.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn skip(self, samples: usize) -> Stream {
        self.window(samples..usize::MAX)
    }

    fn window(self, wanted: std::ops::Range<usize>) -> Stream {
        let samples = self.samples.map(|samples| wanted.end.min(samples) - wanted.start.min(samples));
        let window =
            move |blocks, _| -> Result<Walk> { Ok(Box::new(batching::Window::new(blocks, wanted.clone()))) };
        // Where the blocks are cut is not known here.
        Stream { samples, items: None, ..self.change(window) }
    }
}

impl Batches for Stream {
    fn open(&mut self, epoch: usize) -> Result<Walk> {
        self.walk(epoch)
    }

    fn num_batches(&self) -> Option<usize> {
        self.items
    }

    fn is_one_pass(&self) -> bool {
        self.is_one_pass
    }

    fn is_prepared_ahead(&self) -> bool {
        self.is_prepared_ahead
    }
}

/// A stream can be walked again and again, so it is enough to lend it: `model.fit(&stream, ..)`.
impl Batches for &Stream {
    fn open(&mut self, epoch: usize) -> Result<Walk> {
        self.walk(epoch)
    }

    fn num_batches(&self) -> Option<usize> {
        self.items
    }

    fn is_one_pass(&self) -> bool {
        self.is_one_pass
    }

    fn is_prepared_ahead(&self) -> bool {
        self.is_prepared_ahead
    }
}

/// The items of several passes, opened when the one before is at its end. A pass without items ends the walk, which
/// would not end otherwise.
fn chained<T: Send + 'static>(
    open: Arc<Open<T>>,
    mut epochs: std::ops::Range<usize>,
) -> impl Iterator<Item = Result<T>> + Send {
    let mut current: Option<Walk<T>> = None;
    iter::from_fn(move || {
        if let Some(item) = current.as_mut().and_then(Iterator::next) {
            return Some(item);
        }
        match open(epochs.next()?) {
            Ok(pass) => current.insert(pass).next(),
            Err(error) => Some(Err(error)),
        }
    })
}

/// The same items, and nothing after the first error.
fn until_error<T: Send + 'static>(mut items: Walk<T>) -> Walk<T> {
    let mut has_ended = false;
    Box::new(iter::from_fn(move || {
        if has_ended {
            return None;
        }
        let item = items.next();
        has_ended = !matches!(item, Some(Ok(_)));
        item
    }))
}
