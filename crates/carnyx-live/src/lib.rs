//! A running fit in the terminal: curves of loss and metrics, learning rate, speed, memory and the time that is left.
//!
//! [`Live`] is a callback. It is made of four parts: a *board* of numbers that knows neither clock nor terminal, its
//! *view*, the *screen*, which is the only part that touches the terminal, and the callback, which looks at the clock
//! every few steps. Invariants: between two looks a step costs one addition; the terminal is given back however a fit
//! ends, be it by an error or a panic; nothing here changes what is learned, unless somebody presses `q`.
#![forbid(unsafe_code)]

mod board;
mod live;
mod memory;
mod screen;
mod view;

pub use live::Live;
