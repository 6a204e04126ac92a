//! What this machine can do at most, measured with the executor's own kernels.
//!
//! A product of matrices that stay in the caches shows how many operations a second there are, a copy of something
//! larger than most caches how many bytes. The best of several runs counts, since other programs can only disturb.

use crate::cpu::Cpu;
use crate::lower::lower;
use carnyx_graph::executor::{Bindings, Program};
use carnyx_graph::trace::Limits;
use carnyx_graph::{Array, Graph, Result, Tensor, passes};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows and columns of the matrices: 256 KiB each.
const SIDE: usize = 256;
/// Floats that are read, and as many that are written: 64 MiB together.
const FLOATS: usize = 8 << 20;
/// How long each of the two is measured.
const LONG_ENOUGH: Duration = Duration::from_millis(20);
/// How often at least.
const RUNS: usize = 3;

/// Measures; takes some 60 milliseconds.
pub fn measure(cpu: &Cpu) -> Result<Limits> {
    let matrix = Tensor::from(Array::full([SIDE, SIDE], 0.5f32));
    let product = seconds(cpu, &matrix.matmul(&matrix))?;
    let sum = seconds(cpu, &(Tensor::from(Array::full([FLOATS], 0.5f32)) + 1.0))?;
    Ok(Limits {
        flops_per_second: 2.0 * (SIDE * SIDE * SIDE) as f64 / product,
        bytes_per_second: 8.0 * FLOATS as f64 / sum,
    })
}

/// The shortest time that computing `tensor` takes.
fn seconds(cpu: &Cpu, tensor: &Tensor) -> Result<f64> {
    let graph = Graph::capture(std::slice::from_ref(tensor), &[])?;
    // Not by `compile`, which would remember the program in place of a useful one.
    let program = Arc::new(lower(cpu, &passes::optimize(&graph)));
    let mut session = program.session();
    let bindings = Bindings { inputs: &[], captured: &graph.captured, variables: &[], seed: 0, step: 0 };
    session.run(&bindings)?; // touches the memory for the first time
    let (began, mut best) = (Instant::now(), f64::INFINITY);
    for run in 0.. {
        if run >= RUNS && began.elapsed() >= LONG_ENOUGH {
            break;
        }
        let start = Instant::now();
        session.run(&bindings)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best.max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_computes_more_than_it_reads() {
        let limits = measure(&Cpu::new(1)).unwrap();
        // Slower than a microcontroller, or faster than any processor: then it was measured wrongly.
        assert!((1e8..1e14).contains(&limits.flops_per_second), "{limits:?}");
        assert!((1e8..1e13).contains(&limits.bytes_per_second), "{limits:?}");
    }
}
