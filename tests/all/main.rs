//! All integration tests in one program: it links once.

mod diagrams;
mod functional;
mod graphs;
mod keras2;
mod messages;
mod messages_weights;
mod ops;
mod parity;
mod perceptron;
mod saving;
mod saving_own;
mod steps;
mod weights;
