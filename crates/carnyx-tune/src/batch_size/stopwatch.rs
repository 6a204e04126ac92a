//! The callback of a batch-size sweep: sets the learning rate of each step, and measures how long training takes.

use carnyx_graph::Result;
use carnyx_nn::{Callback, Run};
use std::time::Instant;

pub(super) struct Stopwatch {
    rate: f64,
    /// The factor that a warm-up begins with, and its number of steps.
    warm_up: (f64, usize),
    steps: usize,
    begun: Option<Instant>,
    seconds: Vec<f64>,
    has_diverged: bool,
}

impl Stopwatch {
    pub(super) fn new(rate: f64, start: f64, warm_up: usize) -> Stopwatch {
        Stopwatch {
            rate,
            warm_up: (start, warm_up),
            steps: 0,
            begun: None,
            seconds: Vec::new(),
            has_diverged: false,
        }
    }

    /// Whether the loss was no finite number any more.
    pub(super) fn has_diverged(&self) -> bool {
        self.has_diverged
    }

    /// The median of the epochs but the first, in which programs are planned; of the first one, if it is the only one.
    pub(super) fn seconds_per_epoch(&self) -> f64 {
        let mut seconds =
            if self.seconds.len() > 1 { self.seconds[1..].to_vec() } else { self.seconds.clone() };
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn rate_of_step(&self) -> f64 {
        let (start, steps) = self.warm_up;
        // The first step counts: at a rate of 0 it would be for nothing.
        let done = (self.steps + 1) as f64 / steps.max(1) as f64;
        if self.steps < steps { self.rate * (start + (1.0 - start) * done) } else { self.rate }
    }
}

impl Callback for Stopwatch {
    fn on_epoch_begin(&mut self, _: &mut Run) -> Result {
        self.begun = Some(Instant::now());
        Ok(())
    }

    fn on_batch_begin(&mut self, run: &mut Run) -> Result {
        // A schedule gives way until the model is put back.
        run.optimizer.set_learning_rate(self.rate_of_step());
        self.steps += 1;
        Ok(())
    }

    /// The end of the training of an epoch: what comes now is its validation.
    fn on_evaluate_begin(&mut self, _: &mut Run) -> Result {
        self.seconds.extend(self.begun.take().map(|begun| begun.elapsed().as_secs_f64()));
        Ok(())
    }

    fn on_non_finite_loss(&mut self, run: &mut Run) -> Result {
        self.has_diverged = true;
        run.stop();
        Ok(())
    }
}
