//! All integration tests in one program: it links once.

mod graphs;
mod messages;
mod ops;
mod parity;
mod steps;
