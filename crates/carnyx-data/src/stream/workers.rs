//! Threads that prepare items while others are used: the only ones outside the executor.
//!
//! They talk through channels of a fixed size, so a slow reader holds a fast source back. Invariants: items come in the
//! order of the source; a panic of the user's code is an item, an error, and never a silence; a thread whose items
//! nobody wants any more ends when it has finished the one it is at.

use carnyx_graph::{Error, Result, Walk};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// The same items, made on another thread; at most `waiting` of them are ready at a time.
pub(super) fn prefetch<T: Send + 'static>(mut items: Walk<T>, waiting: usize) -> Result<Walk<T>> {
    let (sender, ready) = sync_channel(waiting);
    start("carnyx-prefetch", move || {
        while let Some(item) = guarded("while a stream was read", || items.next().transpose()).transpose() {
            let is_last = item.is_err();
            if sender.send(item).is_err() || is_last {
                break;
            }
        }
    })?;
    Ok(Box::new(ready.into_iter()))
}

/// One thread that changes items: what goes in, and what comes out in the same order.
struct Worker<T, U> {
    input: SyncSender<T>,
    output: Receiver<Result<U>>,
}

/// Items changed on several threads, dealt out and collected in turn.
struct ParallelMap<T, U> {
    items: Walk<T>,
    workers: Vec<Worker<T, U>>,
    /// What was dealt out and not collected: from a worker, or an error in its place.
    under_way: VecDeque<Result<usize>>,
    dealt: usize,
    has_ended: bool,
}

/// How many items each worker has at most: one at work, one that waits.
const DEPTH: usize = 2;

/// Each item changed by `f` on one of `threads` threads, in the order of the items.
pub(super) fn parallel_map<T: Send + 'static, U: Send + 'static>(
    items: Walk<T>,
    threads: usize,
    f: &Arc<impl Fn(T) -> Result<U> + Send + Sync + 'static>,
) -> Result<Walk<U>> {
    let mut workers = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (input, inputs) = sync_channel::<T>(DEPTH);
        let (outputs, output) = sync_channel(DEPTH);
        let f = f.clone();
        start("carnyx-map", move || {
            for item in inputs {
                let changed = guarded("in the function of `.parallel_map`", || f(item));
                if outputs.send(changed).is_err() {
                    break;
                }
            }
        })?;
        workers.push(Worker { input, output });
    }
    let under_way = VecDeque::with_capacity(threads * DEPTH);
    Ok(Box::new(ParallelMap { items, workers, under_way, dealt: 0, has_ended: false }))
}

impl<T, U> ParallelMap<T, U> {
    fn deal(&mut self) {
        while !self.has_ended && self.under_way.len() < self.workers.len() * DEPTH {
            let worker = self.dealt % self.workers.len();
            match self.items.next() {
                Some(Ok(item)) => {
                    // A worker that is gone is noticed when its item is collected.
                    let _ = self.workers[worker].input.send(item);
                    self.dealt += 1;
                    self.under_way.push_back(Ok(worker));
                }
                Some(Err(error)) => {
                    self.has_ended = true;
                    self.under_way.push_back(Err(error));
                }
                None => self.has_ended = true,
            }
        }
    }
}

impl<T, U> Iterator for ParallelMap<T, U> {
    type Item = Result<U>;

    fn next(&mut self) -> Option<Result<U>> {
        self.deal();
        let item = self.under_way.pop_front()?.and_then(|worker| {
            let gone = || Error::new("data", "a thread of `.parallel_map` has ended before its work");
            self.workers[worker].output.recv().unwrap_or_else(|_| Err(gone()))
        });
        Some(item)
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|e| Error::new("data", "the system gives no thread to a stream").because(e))
}

/// What `work` gives, or the error that stands for its panic.
fn guarded<R>(place: &str, work: impl FnOnce() -> Result<R>) -> Result<R> {
    // What the closure has changed when it panics is not used again: the walk ends with this error.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Error::new("data", format!("a panic {place}: {}", words(&*panic)))
            .help("return an `Err` where an item cannot be used, or filter such items out of the source"))
    })
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
