//! Speed and memory on fixed workloads, alone or side by side with another program.
//!
//! Inputs are synthetic and seeded, since only speed is measured; `fit` figures are those of the whole loop, as a user
//! sees it. Each result is one line of JSON on stdout, and tables for people are on stderr. Absolute figures drift with
//! the machine: two programs are compared only by `--against`, where they take turns.

mod against;
mod cold;
mod data;
mod line;
mod options;
mod table;
mod workloads;

use crate::Result;
use options::{Options, Workload};

const USAGE: &str = "usage: cargo xtask bench [WORKLOAD…] [OPTION…]

workloads (all of them, unless some are named):
  W1  multilayer perceptron 784-300-100-10, 55 000 + 5 000 pictures, SGD, batches of 32
  W2  the same network and pictures, Adam, batches of 1024
  W3  wide & deep with an auxiliary output, 11 610 + 3 870 rows, SGD, batches of 32
  W7  cold start: a fresh process builds W1, does one training step and exits
  W8  prediction with W1, one picture a call and 1 024 at once

options:
  --blocks N       counted epochs, blocks or processes, after one that is not counted (5)
  --threads N      threads, the calling one included (one for each core)
  --profile        fits are recorded by a profiler: what does that cost?
  --against CMD    another program that prints such lines; the names of the workloads are appended to CMD. Both take
                   turns: A B A B. May be given several times: A B C A B C
  --rounds N       turns with `--against` (7)";

/// The chore `bench`.
pub(crate) fn bench(words: &[&str]) -> Result {
    if words.iter().any(|word| ["--help", "-h"].contains(word)) {
        println!("{USAGE}");
        return Ok(());
    }
    let options = Options::parse(words).map_err(|error| format!("{error}\n\n{USAGE}"))?;
    if options.is_cold_child {
        return cold::child(options.threads);
    }
    if !options.against.is_empty() {
        return against::run(&options);
    }
    let mut lines = Vec::new();
    // The cold start first: what a child seems to need includes what its parent needed before it.
    let mut order = options.workloads.clone();
    order.sort_by_key(|workload| *workload != Workload::W7);
    for workload in order {
        for line in workloads::run(workload, &options)? {
            println!("{}", serde_json::to_string(&line)?);
            lines.push(line);
        }
    }
    eprint!("{}", table::of_lines(&lines));
    Ok(())
}
