//! Parity with Keras: the numbers in `keras/recorded` against those of Carnyx.
//!
//! One file for each family. A check takes one recorded case and compares everything in it; names of cases that
//! Carnyx cannot run stand in a list beside the check, and the tests print them. Tolerances come from
//! `keras/README.md`, which says how far rounding alone moves the recorded numbers.

mod activations;
mod attributes;
mod callbacks;
mod compiled;
mod initializers;
mod layer_steps;
mod layers;
mod losses;
mod masks;
mod metrics;
mod optimizers;
mod preprocessing;
pub(crate) mod recorded;
mod rules;
pub(crate) mod schedules;
mod tensorboard;
mod training;
mod weights;
