//! All integration tests in one program: it links once.

mod callbacks;
mod diagrams;
mod freezing;
mod functional;
mod graphs;
mod interrupted;
mod keras2;
mod messages;
mod messages_callbacks;
mod messages_layers;
mod messages_optimizers;
mod messages_streams;
mod messages_studies;
mod messages_weights;
mod ops;
mod optimizers;
mod parity;
mod perceptron;
mod saving;
mod saving_own;
mod steps;
mod streams;
mod studies;
mod tables;
mod weights;
mod words;
