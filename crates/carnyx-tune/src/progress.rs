//! What a search prints while it runs: a line for each trial. The only place of this crate that prints.

use crate::domain::short;
use crate::hyper::Hyper;
use carnyx_graph::Error;
use carnyx_nn::Verbosity;
use std::io::Write;
use std::time::{Duration, Instant};

/// The lines of a search.
pub(crate) struct Progress {
    is_silent: bool,
    /// How many trials there will be.
    trials: usize,
    done: usize,
    began: Option<Instant>,
}

impl Progress {
    pub fn new(verbosity: Verbosity, trials: usize) -> Progress {
        Progress { is_silent: verbosity == Verbosity::Silent, trials, done: 0, began: None }
    }

    /// A trial begins: from the first one on, time is counted.
    pub fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    /// A trial has a value; `best` is the best one so far.
    pub fn complete(&mut self, number: usize, hyper: &Hyper, value: (&str, f64), best: Option<(usize, f64)>) {
        let best = match best {
            Some((best, _)) if best == number => "the best so far".to_owned(),
            Some((best, value)) => format!("best {} in trial {best}", short(value)),
            None => String::new(),
        };
        self.line(number, &format!("{} {} - {best}", value.0, short(value.1)), hyper);
    }

    /// A trial has failed.
    pub fn failed(&mut self, number: usize, hyper: &Hyper, error: &Error) {
        self.line(number, &format!("failed: {}", error.title()), hyper);
    }

    fn line(&mut self, number: usize, outcome: &str, hyper: &Hyper) {
        self.done += 1;
        if self.is_silent {
            return;
        }
        let parameters: Vec<String> = hyper
            .asked()
            .iter()
            .map(|(name, domain, number)| format!("{name} {}", domain.value(*number)))
            .collect();
        let time = match self.began.map(|began| began.elapsed()) {
            Some(elapsed) if self.done < self.trials => {
                let left = elapsed.mul_f64((self.trials - self.done) as f64 / self.done as f64);
                format!("{} left", clock(left))
            }
            elapsed => format!("{} in all", clock(elapsed.unwrap_or_default())),
        };
        let line = format!("trial {number}: {outcome} - {} - {time}\n", parameters.join(", "));
        let mut out = std::io::stdout().lock();
        // Nobody may be reading any more: the search goes on.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// `12 s`, `3:05`, `1:02:03`.
fn clock(time: Duration) -> String {
    let total = time.as_secs();
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}
