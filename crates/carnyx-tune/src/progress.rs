//! What a search prints while it runs: a line for each trial. The only place of this crate that prints.

use crate::domain::{Domain, short};
use crate::trial::Trial;
use carnyx_graph::Error;
use carnyx_nn::Verbosity;
use std::io::Write;
use std::time::{Duration, Instant};

/// The lines of a search.
pub(crate) struct Progress {
    is_silent: bool,
    /// Whether work is counted by epochs, not by trials.
    by_epochs: bool,
    /// How much there is to do, and how much of it is done.
    all: usize,
    done: usize,
    began: Option<Instant>,
}

impl Progress {
    /// The lines of so many trials that are all trained to their end.
    pub fn new(verbosity: Verbosity, trials: usize) -> Progress {
        let is_silent = verbosity == Verbosity::Silent;
        Progress { is_silent, by_epochs: false, all: trials, done: 0, began: None }
    }

    /// The lines of trials that have so many epochs together.
    pub fn of_epochs(verbosity: Verbosity, epochs: usize) -> Progress {
        Progress { by_epochs: true, ..Progress::new(verbosity, epochs) }
    }

    /// A trial begins: from the first one on, time is counted.
    pub fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    /// A trial has a value, at its end or at the end of its rung; `best` is the best one so far.
    pub fn reached<K>(&mut self, trial: &Trial<K>, value: (&str, f64), best: Option<(usize, f64)>) {
        let best = match best {
            Some((best, _)) if best == trial.number => ", the best so far".to_owned(),
            Some((best, value)) => format!(", best {} in trial {best}", short(value)),
            None => String::new(),
        };
        let epochs = match trial.budget {
            Some(budget) => format!(" after epoch {}", budget.until),
            None => String::new(),
        };
        self.line(trial, &format!("{} {}{epochs}{best}", value.0, short(value.1)));
    }

    /// A trial was stopped because others were better.
    pub fn pruned<K>(&mut self, trial: &Trial<K>, value: (&str, f64)) {
        self.line(trial, &format!("pruned after epoch {}, {} {}", trial.epochs, value.0, short(value.1)));
    }

    /// A trial has failed.
    pub fn failed<K>(&mut self, trial: &Trial<K>, error: &Error) {
        self.line(trial, &format!("failed, {}", error.title()));
    }

    fn line<K>(&mut self, trial: &Trial<K>, outcome: &str) {
        self.done += if self.by_epochs { trial.new_epochs() } else { 1 };
        if self.is_silent {
            return;
        }
        let elapsed = self.began.map(|began| began.elapsed()).unwrap_or_default();
        let mut out = std::io::stdout().lock();
        // Nobody may be reading any more: the search goes on.
        let _ = out.write_all(self.text(trial, outcome, elapsed).as_bytes()).and_then(|()| out.flush());
    }

    fn text<K>(&self, trial: &Trial<K>, outcome: &str, elapsed: Duration) -> String {
        let parameter =
            |(name, domain, number): &(String, Domain, f64)| format!("{name} {}", domain.value(*number));
        let parameters: Vec<String> = trial.hyper.asked().iter().map(parameter).collect();
        let time = match self.all.saturating_sub(self.done) {
            0 => format!("{} in all", clock(elapsed)),
            left => format!("{} left", clock(elapsed.mul_f64(left as f64 / self.done.max(1) as f64))),
        };
        format!("trial {}: {outcome} - {} - {time}\n", trial.number, parameters.join(", "))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hyper::Hyper;

    #[test]
    fn a_line_says_what_came_of_a_trial_and_how_long_the_others_take() {
        let mut hyper = Hyper::new().with("units", 64);
        let units: usize = hyper.int("units", 16..=256);
        let trial: Trial<()> = Trial::new(3, hyper);
        let mut progress = Progress::new(Verbosity::Silent, 20);
        (0..4).for_each(|_| progress.line(&trial, ""));
        let text = |progress: &Progress| progress.text(&trial, "val_loss 0.25", Duration::from_secs(50));
        assert_eq!(
            (units, text(&progress).as_str()),
            (64, "trial 3: val_loss 0.25 - units 64 - 3:20 left\n")
        );
        progress.done = 20;
        assert_eq!(text(&progress), "trial 3: val_loss 0.25 - units 64 - 50 s in all\n");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
