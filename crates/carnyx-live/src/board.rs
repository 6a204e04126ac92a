//! The numbers of a running fit, as far as they are shown.
//!
//! Times are told, not asked for: the board knows no clock. Invariant: it takes no more memory the longer a fit is; a
//! curve of too many points keeps every other one.

use carnyx_nn::Logs;
use std::collections::VecDeque;
use std::time::Duration;

/// All that is shown of a fit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    /// The epoch that runs, its first one and the one behind the last, counted from 0.
    pub epoch: usize,
    pub first_epoch: usize,
    pub epochs: usize,
    /// The steps of training that are done in this epoch, and all of them; 0 where nobody knows.
    pub step: usize,
    pub steps: usize,
    /// The same of the evaluation that runs, if one does.
    pub evaluation: Option<(usize, usize)>,
    pub learning_rate: f64,
    pub memory: Option<u64>,
    pub elapsed: Duration,
    /// What the fit would have warned of.
    pub warning: Option<String>,
    /// Somebody has asked for the end.
    pub is_stopping: bool,
    /// The loss first, then the metrics by name.
    pub curves: Vec<Curve>,
    /// Steps and samples of the epochs before this one.
    before: (u64, u64),
    samples: u64,
    /// The time that evaluations took, which is no slowness of training, and when the one that runs began.
    evaluated: Duration,
    evaluation_began: Option<Duration>,
    /// When how many steps and samples of training were done, lately, without that time.
    pace: VecDeque<(Duration, u64, u64)>,
}

/// One number over the steps of the fit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    pub name: String,
    pub training: Vec<(f64, f64)>,
    pub validation: Vec<(f64, f64)>,
    /// Of the glances at training, every so many become a point.
    every: usize,
    glances: usize,
}

/// A curve on a terminal has no room for more points.
const MAX_POINTS: usize = 2048;
/// The speed is that of so many looks.
const PACE: usize = 20;

impl Board {
    /// The board of a fit that begins with `epoch` and ends before `epochs`.
    pub fn new(epoch: usize, epochs: usize) -> Board {
        Board { epoch, first_epoch: epoch, epochs, ..Board::default() }
    }

    pub fn begin_epoch(&mut self, epoch: usize, steps: usize) {
        self.before.0 += self.step as u64;
        self.before.1 += self.samples;
        (self.epoch, self.step, self.steps, self.samples) = (epoch, 0, steps, 0);
        self.evaluation = None;
    }

    /// So many steps of the epoch are done, with so many samples, and these are the means so far.
    pub fn train(&mut self, now: Duration, (steps, samples): (usize, usize), logs: &Logs) {
        (self.step, self.samples, self.elapsed) = (steps, samples as u64, now);
        let trained = now.saturating_sub(self.evaluated);
        self.pace.push_back((trained, self.done(), self.before.1 + self.samples));
        if self.pace.len() > PACE {
            self.pace.pop_front();
        }
        let x = self.done() as f64;
        for (name, value) in logs.iter().filter(|(name, _)| !name.starts_with("val_")) {
            self.curve(name).look(x, value);
        }
    }

    /// So many steps of an evaluation are done.
    pub fn evaluate(&mut self, now: Duration, steps: (usize, usize)) {
        (self.evaluation, self.elapsed) = (Some(steps), now);
        self.evaluation_began.get_or_insert(now);
    }

    /// An epoch is over, with these numbers.
    pub fn end_epoch(&mut self, now: Duration, (steps, samples): (usize, usize), logs: &Logs) {
        (self.step, self.steps, self.samples, self.elapsed) = (steps, steps, samples as u64, now);
        self.evaluation = None;
        if let Some(began) = self.evaluation_began.take() {
            self.evaluated += now.saturating_sub(began);
        }
        let x = self.done() as f64;
        for (name, value) in logs.iter() {
            match name.strip_prefix("val_") {
                Some(name) => self.curve(name).validation.push((x, value)),
                None => self.curve(name).training.push((x, value)),
            }
        }
        self.curves.iter_mut().for_each(Curve::thin);
    }

    /// Steps of training since the fit began.
    pub fn done(&self) -> u64 {
        self.before.0 + self.step as u64
    }

    /// How much of the whole fit is done, 0 to 1, if it is known.
    pub fn share(&self) -> Option<f64> {
        let epochs = (self.epochs - self.first_epoch) as f64;
        let within = match self.steps {
            0 => return None,
            steps => self.step as f64 / steps as f64,
        };
        (epochs > 0.0).then(|| ((self.epoch - self.first_epoch) as f64 + within.min(1.0)) / epochs)
    }

    /// The time that is left, if the rest is as fast as what was.
    pub fn left(&self) -> Option<Duration> {
        let share = self.share().filter(|share| *share > 0.0)?;
        Some(self.elapsed.mul_f64((1.0 - share) / share))
    }

    /// Steps and samples in a second, lately.
    pub fn speed(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.pace.front()?, self.pace.back()?);
        let seconds = last.0.checked_sub(first.0)?.as_secs_f64();
        let rate = |first: u64, last: u64| last.saturating_sub(first) as f64 / seconds;
        (seconds > 0.0).then(|| (rate(first.1, last.1), rate(first.2, last.2)))
    }

    fn curve(&mut self, name: &str) -> &mut Curve {
        // The loss first: it is what training makes small.
        let key = |name: &str| (name != "loss", name.to_owned());
        let place = self.curves.binary_search_by_key(&key(name), |curve| key(&curve.name));
        let place = place.unwrap_or_else(|place| {
            self.curves.insert(place, Curve { name: name.to_owned(), every: 1, ..Curve::default() });
            place
        });
        &mut self.curves[place]
    }
}

impl Curve {
    fn look(&mut self, x: f64, value: f64) {
        self.glances += 1;
        if self.glances.is_multiple_of(self.every) {
            self.training.push((x, value));
            self.thin();
        }
    }

    fn thin(&mut self) {
        if self.training.len() > MAX_POINTS {
            self.every *= 2;
            drop_every_other(&mut self.training);
        }
        if self.validation.len() > MAX_POINTS {
            drop_every_other(&mut self.validation);
        }
    }

    /// The newest number of training and of validation.
    pub fn newest(&self) -> [Option<f64>; 2] {
        [&self.training, &self.validation].map(|points| points.last().map(|point| point.1))
    }
}

/// The last point stays.
fn drop_every_other(points: &mut Vec<(f64, f64)>) {
    let is_last_odd = points.len() % 2;
    let mut i = 0;
    points.retain(|_| {
        i += 1;
        i % 2 == is_last_odd
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(loss: f64) -> Logs {
        Logs::from_iter([("accuracy", 1.0 - loss), ("loss", loss)])
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn time_left_and_speed() {
        let mut board = Board::new(0, 4);
        board.begin_epoch(0, 10);
        assert_eq!((board.share(), board.left(), board.speed()), (Some(0.0), None, None));
        board.train(seconds(2), (2, 64), &logs(0.9));
        board.train(seconds(4), (4, 128), &logs(0.8));
        assert_eq!(board.share(), Some(0.1));
        assert_eq!(board.left(), Some(seconds(36)));
        assert_eq!(board.speed(), Some((1.0, 32.0)));
        // Evaluation takes time, but is not slow training.
        board.evaluate(seconds(10), (0, 5));
        board.evaluate(seconds(25), (3, 5));
        board.end_epoch(seconds(40), (10, 320), &logs(0.7));
        board.begin_epoch(1, 10);
        assert_eq!(board.left(), Some(seconds(120)));
        board.train(seconds(41), (1, 32), &logs(0.6));
        board.train(seconds(42), (2, 64), &logs(0.6));
        assert_eq!((board.done(), board.speed()), (12, Some((1.0, 32.0))));
    }

    #[test]
    fn the_number_of_steps_may_be_unknown() {
        let mut board = Board::new(3, 5);
        board.begin_epoch(3, 0);
        board.train(seconds(1), (7, 70), &logs(0.5));
        assert_eq!((board.share(), board.left()), (None, None));
        board.end_epoch(seconds(2), (14, 140), &logs(0.5));
        assert_eq!((board.share(), board.left()), (Some(0.5), Some(seconds(2))));
    }

    #[test]
    fn curves_stay_small_and_keep_their_ends() {
        let mut board = Board::new(0, 1);
        board.begin_epoch(0, 100_000);
        for step in 1..=100_000 {
            board.train(Duration::ZERO, (step, step), &logs(1.0 / step as f64));
        }
        board.end_epoch(Duration::ZERO, (100_000, 100_000), &logs(0.5));
        let loss = &board.curves[0];
        assert_eq!((loss.name.as_str(), loss.newest()), ("loss", [Some(0.5), None]));
        assert!((1000..=MAX_POINTS).contains(&loss.training.len()), "{}", loss.training.len());
        assert!(loss.training.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn validation_belongs_to_its_number() {
        let mut board = Board::new(0, 2);
        let numbers =
            Logs::from_iter([("accuracy", 0.5), ("loss", 1.0), ("val_loss", 1.5), ("val_only", 2.0)]);
        board.begin_epoch(0, 5);
        board.end_epoch(seconds(1), (5, 50), &numbers);
        let names: Vec<&str> = board.curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names, ["loss", "accuracy", "only"]);
        assert_eq!(board.curves[0].validation, [(5.0, 1.5)]);
    }
}
