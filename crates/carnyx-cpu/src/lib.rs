//! Runs Carnyx graphs on the CPU.
//!
//! [`Cpu`] compiles a graph — passes, lowering, one static plan of memory — to an immutable program whose tasks a
//! small team of threads shares. `reference` is the oracle that every kernel is tested against. This is the only
//! crate of Carnyx with `unsafe` code; results are bit-identical for any number of threads.

// Places in memory are bytes until a kernel knows their type; the plan aligns every value to a cache line.
#![allow(clippy::cast_ptr_alignment)]

mod bindings;
mod clock;
mod cpu;
pub mod isa;
// The executor's own kernels. Public because the set is larger than what the executor calls today, hidden because
// only `Cpu` may promise anything.
#[doc(hidden)]
pub mod kernels;
mod limits;
mod lower;
mod memory;
// Public for its example, which runs as a test.
#[doc(hidden)]
pub mod plan;
mod program;
mod recorder;
pub mod reference;
mod region;
mod step;
mod threads;

pub use cpu::Cpu;
