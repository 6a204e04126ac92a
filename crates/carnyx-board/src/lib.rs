//! Training logs for TensorBoard, written natively: event files and profiles.
//!
//! Everything here watches `fit` from outside, as a callback: nothing in `carnyx-nn` knows of it.
#![forbid(unsafe_code)]
