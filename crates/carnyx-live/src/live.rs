//! The callback: looks at a fit now and then, and shows it.

use crate::board::Board;
use crate::memory;
use crate::screen::{self, Key, Screen};
use crate::view::clock;
use carnyx_graph::{Error, Result};
use carnyx_nn::{Callback, Run, Verbosity};
use std::io::Write;
use std::time::{Duration, Instant};

/// Shows a running fit in the terminal: curves of loss and metrics, learning rate, speed, memory, and the time that is
/// left.
///
/// The key `q` stops the fit after the batch that runs, as [`Run::stop`] does: the model, the history and all other
/// callbacks are as after any fit. Ctrl-C ends it with an error. While the view is there, the fit itself prints
/// nothing; afterwards one line says how it ended. Where there is no terminal (a file, a pipe, `TERM=dumb`), the fit
/// prints its lines as without this callback.
///
/// The view is redrawn ten times a second at most. Between that, a step costs an addition.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_live::Live;
/// use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd};
/// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
/// # let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// model.fit((&x, &y), Fit::epochs(3).callback(Live::new()))?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Debug)]
pub struct Live {
    /// None where there is no terminal, and between fits.
    screen: Option<Screen>,
    /// There is a terminal, but nothing was shown yet: what the fit says before its first epoch is not lost.
    is_wanted: bool,
    /// How much the fit would have printed.
    asked: Verbosity,
    board: Board,
    began: Instant,
    pace: Pace,
    was_stopped: bool,
}

impl Live {
    /// The view of the fits that it is given to, one after the other.
    ///
    /// # Example
    /// ```
    /// use carnyx_live::Live;
    /// use carnyx_nn::Fit;
    /// let fit = Fit::epochs(100).callback(Live::new());
    /// # drop(fit);
    /// ```
    pub fn new() -> Live {
        let now = Instant::now();
        Live {
            screen: None,
            is_wanted: false,
            asked: Verbosity::default(),
            board: Board::default(),
            began: now,
            pace: Pace::new(now),
            was_stopped: false,
        }
    }

    /// Reads the keys and draws, if there is a screen.
    fn show(&mut self, run: &mut Run) -> Result {
        if std::mem::take(&mut self.is_wanted) {
            self.screen = Screen::open();
            if self.screen.is_none() {
                run.set_verbosity(in_lines(self.asked));
            }
        }
        let Some(screen) = &mut self.screen else { return Ok(()) };
        match screen::key() {
            Some(Key::Stop) => {
                run.stop();
                (self.board.is_stopping, self.was_stopped) = (true, true);
            }
            Some(Key::Interrupt) => {
                self.screen = None;
                return Err(Error::new("interrupted", "the fit was interrupted by Ctrl-C")
                    .help("the weights are those of the last whole step; `q` stops a fit without an error"));
            }
            None => {}
        }
        self.board.learning_rate = run.optimizer.learning_rate;
        self.board.memory = memory::of_process();
        self.board.warning = run.history().instabilities.last().map(ToString::to_string);
        screen.draw(&self.board);
        self.pace.drawn = Instant::now();
        Ok(())
    }
}

impl Default for Live {
    fn default() -> Live {
        Live::new()
    }
}

impl Callback for Live {
    fn on_train_begin(&mut self, run: &mut Run) -> Result {
        let now = Instant::now();
        (self.began, self.pace, self.was_stopped) = (now, Pace::new(now), false);
        self.board = Board::new(run.epoch, run.epochs);
        (self.screen, self.asked, self.is_wanted) = (None, run.verbosity(), Screen::is_possible());
        run.set_verbosity(if self.is_wanted { Verbosity::Silent } else { in_lines(self.asked) });
        Ok(())
    }

    fn on_epoch_begin(&mut self, run: &mut Run) -> Result {
        self.board.begin_epoch(run.epoch, run.steps);
        if self.is_wanted { self.show(run) } else { Ok(()) }
    }

    fn on_glance(&mut self, run: &mut Run) -> Result {
        let now = Instant::now();
        if !self.pace.is_due(now) {
            return Ok(());
        }
        let done = run.step + 1;
        match self.board.evaluation {
            None => self.board.train(now - self.began, (done, run.num_samples()), run.logs),
            Some(_) => self.board.evaluate(now - self.began, (done, run.steps)),
        }
        self.show(run)
    }

    fn on_evaluate_begin(&mut self, run: &mut Run) -> Result {
        self.board.evaluate(self.began.elapsed(), (0, run.steps));
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        self.board.end_epoch(self.began.elapsed(), (run.step, run.num_samples()), run.logs);
        // Epochs may be shorter than the time between two drawings.
        if self.pace.is_due(Instant::now()) { self.show(run) } else { Ok(()) }
    }

    fn on_train_end(&mut self, run: &mut Run) -> Result {
        if self.screen.take().is_some() && self.asked != Verbosity::Silent {
            let word = if self.was_stopped { " - stopped by `q`" } else { "" };
            let epochs = run.history().epochs.len();
            let time = clock(self.began.elapsed());
            let unit = if epochs == 1 { "epoch" } else { "epochs" };
            // Nobody may be reading any more: the training is done all the same.
            let _ = writeln!(std::io::stdout(), "{epochs} {unit} in {time}{word} - {}", run.logs);
            for instability in &run.history().instabilities {
                let _ = writeln!(std::io::stderr(), "warning: {instability}");
            }
        }
        Ok(())
    }

    fn wants_batches(&self) -> bool {
        false
    }

    fn steps_to_glance(&self) -> Option<usize> {
        (self.screen.is_some() || self.is_wanted).then_some(self.pace.stride)
    }

    fn added_names(&self) -> Option<&'static [&'static str]> {
        Some(&[])
    }
}

/// What is printed instead of the view: a terminal that cannot show it is no place for a bar that moves either.
fn in_lines(asked: Verbosity) -> Verbosity {
    if asked == Verbosity::Bar { Verbosity::Line } else { asked }
}

/// The time between two drawings.
const REDRAW: Duration = Duration::from_millis(100);
/// How many steps lie between two looks at the clock, at most.
const STRIDE_LIMIT: usize = 1 << 16;

/// When to look at the clock, and when to draw.
#[derive(Debug)]
struct Pace {
    /// The steps from one look to the next.
    stride: usize,
    looked: Instant,
    drawn: Instant,
}

impl Pace {
    fn new(now: Instant) -> Pace {
        Pace { stride: 1, looked: now, drawn: now }
    }

    /// A look at the clock: whether it is time to draw. About eight looks lie between two drawings.
    fn is_due(&mut self, now: Instant) -> bool {
        if now - self.looked < REDRAW / 16 {
            self.stride = (self.stride * 2).min(STRIDE_LIMIT);
        } else if now - self.looked > REDRAW / 4 {
            self.stride = (self.stride / 2).max(1);
        }
        self.looked = now;
        now - self.drawn >= REDRAW
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_graph::Array;
    use carnyx_nn::{Compile, Dense, Fit, MeanSquaredError, Sequential, Sgd};

    #[test]
    fn what_is_learned_does_not_depend_on_who_looks() {
        let x = Array::from_fn([40, 3], |i| (i % 7) as f32);
        let y = Array::from_fn([40, 1], |i| (i % 3) as f32);
        let model = || Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.001), MeanSquaredError);
        let fit = || Fit::epochs(3).verbose(Verbosity::Silent).validation_split(0.2);
        let (mut alone, mut watched, mut live) = (model(), model(), Live::new());
        for _ in 0..2 {
            let expected = alone.fit((&x, &y), fit()).unwrap();
            assert_eq!(watched.fit((&x, &y), fit().callback(&mut live)).unwrap(), expected);
            assert_eq!((live.board.epoch + 1, live.board.done()), (live.board.epochs, 3));
            assert!(live.screen.is_none(), "between fits the terminal is free");
        }
    }

    #[test]
    fn the_clock_is_looked_at_some_eighty_times_a_second() {
        for step in [3u64, 270, 20_000, 3_000_000].map(Duration::from_micros) {
            let start = Instant::now();
            let (mut pace, mut now, mut looks, mut drawings) = (Pace::new(start), start, 0, 0);
            while now - start < Duration::from_secs(30) {
                now += step * pace.stride as u32;
                looks += 1;
                if pace.is_due(now) {
                    drawings += 1;
                    pace.drawn = now;
                }
            }
            assert!(looks <= 30 * 160 + 40, "{step:?}: {looks} looks");
            assert!(drawings <= 300, "{step:?}: {drawings} drawings");
            // Slow steps are each shown, quick ones some eight times a second.
            let fewest = (30.0 / step.as_secs_f64()).min(30.0 * 7.0) as usize;
            assert!(drawings >= fewest, "{step:?}: {drawings} drawings");
        }
    }
}
