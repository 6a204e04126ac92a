//! 23. Profile: where the time of training goes, and what to do about it.
//!
//!     cargo run --release --example 23_profile
//!
//! A network learns pictures that are changed a little each time it sees them: moved, and blurred. That is plain code,
//! run between two steps, and while it runs the network waits. The profile says so, and what to try. New here: the
//! profiler, its report in words, and two words of streams that change who waits for whom.

use carnyx::Batch;
use carnyx::datasets::Stream;
use carnyx::prelude::*;
use carnyx::profile::{Bound, Report};

const PICTURES: usize = 12_800;
const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;

fn main() -> Result {
    let (x, y) = pictures();
    let blocks = Stream::rows(&[&x], &[&y], 512).shuffle(4096, 42).batch(32);

    // The first hundred steps trace the model, and touch all memory for the first time. The next two hundred are those
    // that the others will be like.
    let before = profiled(&blocks.clone().map(changed))?;
    println!("{before}\n");

    // What the report says: other threads prepare the next batches while this one is learned.
    let after = profiled(&blocks.parallel_map(2, changed).prefetch(4))?;
    println!("{after}\n");

    let names_the_input = before.bound == Bound::Input;
    println!("the input was the bottleneck: {}", if names_the_input { "yes" } else { "no" });
    println!("a step took {:.2} times as long before", before.step_time / after.step_time);
    Ok(())
}

/// What 200 steps of a new model on this stream say.
fn profiled(pictures: &Stream) -> Result<Report> {
    let mut model = Sequential::new()
        .then(Flatten)
        .then(Dense::new(300).activation(Relu))
        .then(Dense::new(100).activation(Relu))
        .then(Dense::new(10).activation(Softmax))
        .compile(Sgd::new(0.01), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .seed(42);
    let mut profiler = Profiler::steps(100..300);
    model.fit(pictures, Fit::epochs(1).verbose(Verbosity::Silent).callback(&mut profiler))?;
    Ok(profiler.profile()?.report())
}

/// Pictures with a bright bar at one of ten heights, and the number of the height.
fn pictures() -> (Array, Array) {
    let class = |picture: usize| picture * 7 % 10;
    let pixel = |i: usize| {
        let (picture, row) = (i / PIXELS, i % PIXELS / SIDE);
        let is_bar = row / 2 == class(picture) + 2;
        (i * 2_654_435_761 % 97) as u8 + if is_bar { 150 } else { 0 }
    };
    (Array::from_fn([PICTURES, SIDE, SIDE], pixel), Array::from_fn([PICTURES], |i| class(i) as u8))
}

/// The pictures of a batch as floats, each moved by up to two pixels sideways, and blurred.
fn changed(batch: Batch) -> Result<Batch> {
    let pictures = batch.inputs()[0].as_slice::<u8>()?.chunks_exact(PIXELS);
    let mut pixels = Vec::with_capacity(batch.num_rows() * PIXELS);
    for picture in pictures {
        let shift = picture[0] as usize % 5; // a number that the picture brings with it: the same in every run
        for place in 0..PIXELS {
            let (row, column) = (place / SIDE, (place % SIDE + shift + SIDE - 2) % SIDE);
            let mut sum = 0.0;
            for r in row.saturating_sub(2)..=(row + 2).min(SIDE - 1) {
                for c in column.saturating_sub(2)..=(column + 2).min(SIDE - 1) {
                    sum += f32::from(picture[r * SIDE + c]);
                }
            }
            pixels.push(sum / (25.0 * 255.0));
        }
    }
    let x = Array::new([batch.num_rows(), SIDE, SIDE], pixels)?;
    Ok(Batch::new(vec![x], batch.targets().to_vec()))
}
