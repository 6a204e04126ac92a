//! Training logs for TensorBoard, written natively: event files and profiles.
//!
//! Everything here watches `fit` from outside, as a callback: nothing in `carnyx-nn` knows of it. [`TensorBoard`] logs
//! what a fit does, [`Writer`] what a program has to say of its own, [`log_trials`] the trials of a search, and
//! [`SaveProfile`] writes where the time went.
//! Files are written as they are read: TensorBoard shows a training while it runs.
#![forbid(unsafe_code)]

mod event;
mod event_file;
mod fit_logs;
mod graph;
mod histogram;
mod hyperparameters;
mod message;
mod picture;
mod png;
mod profile;
mod projector;
mod record;
mod tensor_board;
mod writer;

pub use hyperparameters::{Hyperparameter, Trial, TrialStatus, log_trials};
pub use profile::SaveProfile;
pub use tensor_board::TensorBoard;
pub use writer::Writer;
