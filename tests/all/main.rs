//! All integration tests in one program: it links once.

mod graphs;
mod ops;
mod parity;
mod steps;
