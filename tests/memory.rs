//! Memory tests follow.
