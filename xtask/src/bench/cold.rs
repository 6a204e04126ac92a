//! W7, the cold start: a fresh process that builds the network of W1, does one training step, and exits.

use super::data;
use super::line::Line;
use super::options::{Options, Workload};
use super::workloads::perceptron;
use crate::Result;
use carnyx::prelude::*;
use std::process::{Command, Stdio};
use std::time::Instant;
use wait4::Wait4;

const MIB: f64 = 1024.0 * 1024.0;

/// What the process does.
pub(super) fn child(threads: Option<usize>) -> Result {
    let train = data::pictures(32, 0).train;
    perceptron(Sgd::new(0.01), threads).fit(&train, Fit::epochs(1).verbose(Verbosity::Silent))?;
    Ok(())
}

/// Starts the processes and watches them: the time from spawn to exit, and the greatest resident set.
pub(super) fn run(options: &Options) -> Result<Vec<Line>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "--cold"]).stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(threads) = options.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    let (mut walls, mut memory) = (Vec::new(), Vec::new());
    for i in 0..=options.blocks {
        let began = Instant::now();
        let result = command.spawn()?.wait4()?;
        let wall = began.elapsed().as_secs_f64();
        if !result.status.success() {
            return Err(format!("the cold start ended with {}", result.status).into());
        }
        if i > 0 {
            walls.push(wall);
            memory.push(result.rusage.maxrss as f64 / MIB);
        }
    }
    let (x, y) = data::pictures(32, 0).train;
    let data = (x.num_bytes() + y.num_bytes()) as f64 / MIB;
    let beyond: Vec<f64> = memory.iter().map(|all| all - data).collect();
    Ok(vec![
        Line::new(Workload::W7, "wall s", &walls),
        Line::new(Workload::W7, "peak RSS MiB", &memory),
        Line::new(Workload::W7, "peak RSS beyond the data MiB", &beyond),
    ])
}
