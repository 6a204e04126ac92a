//! 14. Larger than memory: learning from a file of which only a small part is in memory at any time.
//!
//!     cargo run --release --example 14_larger_than_memory
//!
//! The file holds 800 000 noisy signals and the class of each, 208 MB of bare numbers. A stream reads it in blocks, mixes
//! the samples in a buffer, cuts batches, and has the next ones ready while the network learns from the last. New
//! here: streams, their combinators, and what they need of memory.

use carnyx::Batch;
use carnyx::datasets::Stream;
use carnyx::prelude::*;
use std::f32::consts::TAU;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const SAMPLES: usize = 800_000;
/// Numbers of a signal; one more says its class.
const POINTS: usize = 64;

fn main() -> Result {
    let file = Temporary(std::env::temp_dir().join(format!("carnyx-signals-{}.f32", std::process::id())));
    write_signals(&file.0).map_err(|e| Error::new("file", "the signals cannot be written").because(e))?;
    println!("the file: {} MB", SAMPLES * (POINTS + 1) * 4 / 1_000_000);

    // Each combinator is a step on the way from the file to the model. Nothing is read before `fit` walks the stream,
    // anew for each epoch, with samples in another order.
    let rows = Stream::raw(&file.0, DType::F32, &[POINTS + 1], 1024)?;
    let training = rows
        .clone()
        .skip(20_000) // for validation
        .shuffle(20_000, 42) // the only samples that are kept in memory: 5 MB
        .batch(256)
        .parallel_map(2, signal_and_class)
        .prefetch(4);
    let validation = rows.take(20_000).batch(1000).map(signal_and_class);

    let mut model = Sequential::new()
        .then(Dense::new(32).activation(Relu))
        .then(Dense::new(32).activation(Relu))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(1e-3), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .seed(42);
    let history = model.fit(&training, Fit::epochs(2).validation(&validation))?;

    if let Some(peak) = peak_of_memory() {
        println!("the most memory that was used: {peak} MB");
    }
    println!("validation accuracy: {:.4}", history.last("val_accuracy").unwrap_or_default());
    Ok(())
}

/// Rows of the file as signals and their classes.
fn signal_and_class(rows: Batch) -> Result<Batch> {
    let rows = rows.inputs()[0].as_slice::<f32>()?.chunks_exact(POINTS + 1);
    let mut signals = Vec::with_capacity(rows.len() * POINTS);
    let mut classes = Vec::with_capacity(rows.len());
    for row in rows {
        signals.extend_from_slice(&row[..POINTS]);
        classes.push(row[POINTS] as u8);
    }
    Ok(Batch::from((Array::new([classes.len(), POINTS], signals)?, Array::from(classes))))
}

/// Sines of three frequencies that begin anywhere, under noise that is more than three times as strong.
fn write_signals(path: &Path) -> std::io::Result<()> {
    let mut state = 42u64;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut file = BufWriter::new(File::create(path)?);
    for sample in 0..SAMPLES {
        let (class, phase) = (sample % 3, uniform());
        for point in 0..POINTS {
            let turns = (class + 2) as f32 * point as f32 / POINTS as f32 + phase;
            let number = (TAU * turns).sin() + 6.0 * (uniform() + uniform() - 1.0);
            file.write_all(&number.to_le_bytes())?;
        }
        file.write_all(&(class as f32).to_le_bytes())?;
    }
    file.flush()
}

/// The largest part of memory that this process ever had, in MB, where the system tells.
fn peak_of_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes / 1000)
}

/// A file that goes when this value goes.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left in the folder for temporary files is removed by the system.
        let _ = fs::remove_file(&self.0);
    }
}
