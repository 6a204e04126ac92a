//! What a fit prints while it runs, warnings included: with those in `diversity.rs`, `saving/report.rs` and
//! `callbacks/disk.rs`, the only places of this crate that write to the terminal.
//!
//! On a terminal, a bar that is redrawn at most ten times a second; elsewhere (a file, a pipe) one line for each
//! epoch. The clock is looked at every few steps only. Invariant: a failing write (a closed pipe) is ignored, so
//! printing never ends a training.

use crate::history::Logs;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How much a fit prints.
///
/// # Example
/// ```
/// use carnyx_nn::{Fit, Verbosity};
/// let fit = Fit::epochs(3).verbose(Verbosity::Line);
/// # let _ = fit;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// A bar that moves, on a terminal; one line for each epoch elsewhere.
    #[default]
    Bar,
    /// One line for each epoch.
    Line,
    /// Nothing.
    Silent,
}

/// The time between two drawings of the bar.
const REDRAW: Duration = Duration::from_millis(100);
/// How many steps lie between two looks at the clock, at most.
const STRIDE_LIMIT: usize = 1 << 16;
/// The bar's width in characters.
const WIDTH: usize = 20;

pub(crate) struct Progress {
    style: Verbosity,
    began: Instant,
    drawn: Instant,
    looked: Instant,
    look_at: usize,
    stride: usize,
    steps: usize,
    /// `Epoch 3/30`, for a line that is printed when the epoch ends.
    epoch: String,
    /// Characters of the unfinished line on the screen, to be wiped by the next one.
    line: usize,
}

impl Progress {
    pub(crate) fn new(verbosity: Verbosity) -> Progress {
        let now = Instant::now();
        Progress {
            style: style_of(verbosity),
            began: now,
            drawn: now,
            looked: now,
            look_at: 0,
            stride: 1,
            steps: 0,
            epoch: String::new(),
            line: 0,
        }
    }

    /// Prints as much as this, from the next epoch on.
    pub(crate) fn set(&mut self, verbosity: Verbosity) {
        self.style = style_of(verbosity);
    }

    /// Whether there is a line for each epoch, and room for more before them.
    pub(crate) fn has_lines(&self) -> bool {
        self.style == Verbosity::Line
    }

    /// A line about the whole fit, where there are lines.
    pub(crate) fn note(&self, line: &str) {
        if self.has_lines() {
            print(&format!("{line}\n"));
        }
    }

    /// A warning on standard error, unless nothing is to be printed.
    pub(crate) fn warn(&mut self, text: &str) {
        if self.style == Verbosity::Silent {
            return;
        }
        if std::mem::take(&mut self.line) > 0 {
            print("\n");
        }
        // Nobody may be reading any more: the training goes on.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// An epoch of `steps` steps begins, 0 if their number is not known; `epoch` is counted from 0.
    pub(crate) fn begin(&mut self, epoch: usize, epochs: usize, steps: usize) {
        let now = Instant::now();
        (self.began, self.drawn, self.looked, self.look_at, self.stride) = (now, now, now, 1, 1);
        (self.steps, self.line) = (steps, 0);
        match self.style {
            Verbosity::Bar => print(&format!("Epoch {}/{epochs}\n", epoch + 1)),
            Verbosity::Line => self.epoch = format!("Epoch {}/{epochs}", epoch + 1),
            Verbosity::Silent => {}
        }
    }

    /// `done` steps are done. The logs are asked for only when the bar is drawn.
    #[inline]
    pub(crate) fn step(&mut self, done: usize, logs: impl FnOnce() -> Logs) {
        if done >= self.look_at && self.style == Verbosity::Bar {
            self.look(done, logs);
        }
    }

    #[cold]
    fn look(&mut self, done: usize, logs: impl FnOnce() -> Logs) {
        let now = Instant::now();
        // About eight looks between two drawings.
        if now - self.looked < REDRAW / 16 {
            self.stride = (self.stride * 2).min(STRIDE_LIMIT);
        } else if now - self.looked > REDRAW / 4 {
            self.stride = (self.stride / 2).max(1);
        }
        (self.looked, self.look_at) = (now, done + self.stride);
        if now - self.drawn < REDRAW || (done >= self.steps && self.steps > 0) {
            return;
        }
        self.drawn = now;
        if self.steps == 0 {
            let so_far = format!("{} {}", seconds(now - self.began), per_step(now - self.began, done));
            self.draw(&format!("{} {so_far} - {}", bar(done, 0), logs()), false);
            return;
        }
        let remaining = (now - self.began).mul_f64((self.steps - done) as f64 / done as f64);
        let left = format!("{} {}", seconds(remaining), per_step(now - self.began, done));
        self.draw(&format!("{} {left} - {}", bar(done, self.steps), logs()), false);
    }

    /// The epoch is over: its line stays.
    pub(crate) fn end(&mut self, done: usize, logs: &Logs) {
        // At its end, it is known how many steps an epoch has.
        let steps = if self.steps == 0 { done } else { self.steps };
        let elapsed = self.began.elapsed();
        let time = format!("{} {}", seconds(elapsed), per_step(elapsed, done));
        match self.style {
            Verbosity::Bar => self.draw(&format!("{} {time} - {logs}", bar(done, steps)), true),
            Verbosity::Line => print(&format!("{} - {done}/{steps} - {time} - {logs}\n", self.epoch)),
            Verbosity::Silent => {}
        }
    }

    fn draw(&mut self, text: &str, is_last: bool) {
        let length = text.chars().count();
        let wipe = " ".repeat(self.line.saturating_sub(length));
        print(&format!("\r{text}{wipe}{}", if is_last { "\n" } else { "" }));
        self.line = if is_last { 0 } else { length };
    }
}

/// An error ends an epoch in the middle: what is printed then begins on a line of its own.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.line > 0 {
            print("\n");
        }
    }
}

/// A bar moves on a terminal only.
fn style_of(verbosity: Verbosity) -> Verbosity {
    match verbosity {
        Verbosity::Bar if !std::io::stdout().is_terminal() => Verbosity::Line,
        style => style,
    }
}

fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody may be reading any more: the training goes on.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `1719/1719 ━━━━━━━━━━━━━━━━━━━━`, or `1719/Unknown` if nobody knows how many steps there are.
fn bar(done: usize, steps: usize) -> String {
    if steps == 0 {
        return format!("{done}/Unknown");
    }
    let width = steps.to_string().len();
    let full = (done * WIDTH).checked_div(steps).unwrap_or(WIDTH).min(WIDTH);
    let mut text = format!("{done:>width$}/{steps} {}", "━".repeat(full));
    if full < WIDTH {
        let _ = write!(text, "╸{}", " ".repeat(WIDTH - full - 1));
    }
    text
}

/// `12s`, `3:05`, `1:02:03`.
fn seconds(time: Duration) -> String {
    let total = time.as_secs();
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

/// `312us/step`, `5ms/step`, `2s/step`.
fn per_step(time: Duration, steps: usize) -> String {
    let one = time.as_secs_f64() / steps.max(1) as f64;
    match one {
        _ if one >= 1.0 => format!("{one:.0}s/step"),
        _ if one >= 1e-3 => format!("{:.0}ms/step", one * 1e3),
        _ => format!("{:.0}us/step", one * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_keras() {
        assert_eq!(bar(1719, 1719), format!("1719/1719 {}", "━".repeat(20)));
        assert_eq!(bar(12, 0), "12/Unknown");
        assert_eq!(bar(5, 10), format!(" 5/10 {}╸{}", "━".repeat(10), " ".repeat(9)));
        assert_eq!(seconds(Duration::from_secs(3723)), "1:02:03");
        assert_eq!(per_step(Duration::from_millis(312), 1000), "312us/step");
    }
}
