//! Memory: nothing is allocated in the steady state, and nothing is kept by what has ended.
//!
//! One test only, in a program of its own: a counting allocator sees every thread.

use carnyx_graph::{Array, Result};
use carnyx_nn::callbacks::EarlyStopping;
use carnyx_nn::{Accuracy, ClassWeight, Compile, Dense, Fit, Model, Relu, Run, Sequential, Sgd, Softmax};
use carnyx_nn::{Callback, CategoricalCrossentropy, F1Score, SparseCategoricalCrossentropy, Verbosity};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counting calls and living bytes.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static LIVING: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        LIVING.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVING.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Notes the number of allocations at the end of every batch.
struct Notes {
    calls: Vec<usize>,
}

impl Callback for Notes {
    fn on_batch_end(&mut self, _run: &mut Run) -> Result {
        self.calls.push(CALLS.load(Relaxed));
        Ok(())
    }
}

/// Notes the number of allocations at the end of every epoch, and wants to hear of nothing else.
struct EpochNotes {
    calls: Vec<usize>,
}

impl Callback for EpochNotes {
    fn on_epoch_end(&mut self, _run: &mut Run) -> Result {
        self.calls.push(CALLS.load(Relaxed));
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }
}

fn data(samples: usize) -> (Array, Array) {
    let x = Array::from_fn([samples, 20], |i| (i * 37 % 101) as f32 / 101.0);
    let y = Array::from_fn([samples], |i| (i * 7 % 4) as i64);
    (x, y)
}

fn model() -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(64).activation(Relu))
        .then(Dense::new(4).activation(Softmax))
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy)
        .metric(Accuracy)
}

fn silent<'a>() -> Fit<'a> {
    Fit::epochs(1).batch_size(32).verbose(Verbosity::Silent)
}

#[test]
fn memory_stays_where_it_is() -> Result {
    let (x, y) = data(3200);

    // A step allocates nothing once the first ones have planned it.
    let mut model_in_training = model();
    let mut notes = Notes { calls: Vec::with_capacity(200) };
    model_in_training.fit((&x, &y), silent().callback(&mut notes))?;
    let (early, late) = (notes.calls[10], notes.calls[90]);
    assert_eq!(late - early, 0, "80 steps made {} allocations", late - early);

    // Callbacks that want no batches cost nothing in a step: long and short epochs allocate the same.
    let in_epoch = |samples: usize| -> Result<usize> {
        let (x, y) = data(samples);
        let mut notes = EpochNotes { calls: Vec::with_capacity(8) };
        let stopping = EarlyStopping::patience(9).monitor("loss");
        let fit = Fit::epochs(4).batch_size(32).verbose(Verbosity::Silent);
        model().fit((&x, &y), fit.callback(stopping).callback(&mut notes))?;
        Ok(notes.calls[3] - notes.calls[2])
    };
    let (short, long) = (in_epoch(320)?, in_epoch(3200)?);
    assert_eq!(short, long, "10 steps made {short} allocations, 100 steps {long}");
    // A step on a batch of a stream allocates what the stream allocates: here two lists, of inputs and of targets.
    let (x_batch, y_batch) = (x.rows(0..32)?, y.rows(0..32)?);
    let mut notes = Notes { calls: Vec::with_capacity(200) };
    let batches = std::iter::repeat_with(|| (x_batch.clone(), y_batch.clone())).take(100);
    model().fit(batches, silent().callback(&mut notes))?;
    let calls = notes.calls[10..=90].windows(2).map(|calls| calls[1] - calls[0]);
    // Another thread of the test's program may allocate too, once in a while.
    let as_planned = calls.filter(|calls| *calls == 2).count();
    assert!(as_planned >= 75, "only {as_planned} of 80 streamed steps made two allocations");

    // Nor does a step with weights: they are rows that are gathered like the others.
    let weights = Array::from_fn([3200], |i| (i % 5) as f32);
    let mut notes = Notes { calls: Vec::with_capacity(200) };
    let balanced = silent().class_weight(ClassWeight::balanced()).callback(&mut notes);
    model().weighted_metric(Accuracy).fit((&x, &y, &weights), balanced)?;
    let (early, late) = (notes.calls[10], notes.calls[90]);
    assert_eq!(late - early, 0, "80 steps with weights made {} allocations", late - early);

    // A metric of several numbers makes no names in a step: of many classes, it allocates what it does of few.
    let with_classes = |classes: usize| -> Result<usize> {
        let rows = Array::from_fn([3200, classes], |i| f32::from((i / classes * 7) % classes == i % classes));
        let net = Sequential::new().then(Dense::new(classes).activation(Softmax));
        let mut notes = Notes { calls: Vec::with_capacity(200) };
        let mut model = net.compile(Sgd::new(0.1), CategoricalCrossentropy).metric(F1Score);
        model.fit((&x, &rows), silent().callback(&mut notes))?;
        Ok(notes.calls[90] - notes.calls[10])
    };
    let (few, many) = (with_classes(3)?, with_classes(30)?);
    assert_eq!(few, many, "80 steps made {few} allocations for 3 classes, {many} for 30");

    // Predictions and whole models leave nothing behind.
    let (one, few) = (x.rows(0..1)?, data(64));
    let rounds = |predictions: usize, fits: usize| -> Result {
        for _ in 0..predictions {
            model_in_training.predict(&one)?;
        }
        for _ in 0..fits {
            model().fit((&few.0, &few.1), silent())?;
        }
        Ok(())
    };
    rounds(100, 20)?;
    let before = LIVING.load(Relaxed);
    rounds(100_000, 1_000)?;
    let growth = LIVING.load(Relaxed) - before;
    assert!(
        growth.abs() < 2 << 20,
        "100 000 predictions and 1 000 fits changed living memory by {growth} bytes"
    );
    Ok(())
}
