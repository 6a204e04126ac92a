//! When trials begin, pause, go on and end: one after the other, or in the rungs of successive halving.
//!
//! In a rung, all trials train up to the same number of epochs; then the best of them go on to the next rung, and the
//! others end. Invariant: a rung ends before the next one begins, so which trials go on depends on nothing but values.

use crate::storage::Direction;
use std::collections::VecDeque;

/// So many trials, trained up to so many epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung {
    pub trials: usize,
    pub epochs: usize,
}

/// The rungs of successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
/// optimization", 2016): from rung to rung one of `reduction` trials is left, with `reduction` times as many epochs.
/// There are as many rungs as trials and epochs are enough for, and the last one has all epochs.
pub(crate) fn successive_halving(trials: usize, epochs: usize, reduction: usize) -> Vec<Rung> {
    let last = powers(trials.min(epochs), reduction);
    let rung = |i: usize| Rung {
        trials: trials / reduction.pow(i as u32),
        epochs: ((epochs as f64 / reduction.pow((last - i) as u32) as f64).round() as usize).max(1),
    };
    (0..=last).map(rung).collect()
}

/// The brackets of Hyperband (Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization", 2018,
/// algorithm 1): from many trials that begin with few epochs to few trials that have all of them at once.
pub(crate) fn hyperband(epochs: usize, reduction: usize) -> Vec<Vec<Rung>> {
    let most = powers(epochs, reduction);
    let bracket = |s: usize| {
        let trials = ((most + 1) * reduction.pow(s as u32)).div_ceil(s + 1);
        let rung = |i: usize| Rung {
            trials: trials / reduction.pow(i as u32),
            epochs: ((epochs as f64 / reduction.pow((s - i) as u32) as f64).round() as usize).max(1),
        };
        (0..=s).map(rung).collect()
    };
    (0..=most).rev().map(bracket).collect()
}

/// The greatest whole `s` with `base`ˢ ≤ `number`.
fn powers(number: usize, base: usize) -> usize {
    let mut s = 0;
    while base.checked_pow(s + 1).is_some_and(|power| power <= number) {
        s += 1;
    }
    s as usize
}

/// What a worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Begins another trial, which has so many epochs at first.
    Begin(usize),
    /// Goes on with a paused trial up to so many epochs.
    Continue(usize, usize),
    /// Waits until another worker is done.
    Wait,
    /// Goes home.
    Over,
}

/// What becomes of a trial at the end of its rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pruned,
    Complete,
}

/// Brackets of rungs, and where in them a search is.
pub(crate) struct Brackets {
    /// The brackets that are not over.
    left: VecDeque<Vec<Rung>>,
    /// The rung of the first of them that trials are in.
    rung: usize,
    /// How many trials of the first rung have begun.
    begun: usize,
    /// Trials that may go on.
    promoted: VecDeque<usize>,
    running: usize,
    /// The values of those that have reached the end of the rung.
    reached: Vec<(usize, f64)>,
    direction: Direction,
}

impl Brackets {
    /// The brackets that are left after `done` trials. One that was interrupted begins anew: what its trials had
    /// learned is lost.
    pub fn new(brackets: Vec<Vec<Rung>>, done: usize, direction: Direction) -> Brackets {
        let mut trials = 0;
        let is_left = |bracket: &Vec<Rung>| {
            trials += bracket[0].trials;
            trials > done
        };
        Brackets {
            left: brackets.into_iter().filter(is_left).collect(),
            rung: 0,
            begun: 0,
            promoted: VecDeque::new(),
            running: 0,
            reached: Vec::new(),
            direction,
        }
    }

    pub fn next(&mut self) -> Next {
        let Some(bracket) = self.left.front() else { return Next::Over };
        let Rung { trials, epochs } = bracket[self.rung];
        if self.rung == 0 && self.begun < trials {
            self.begun += 1;
            self.running += 1;
            return Next::Begin(epochs);
        }
        match self.promoted.pop_front() {
            Some(number) => {
                self.running += 1;
                Next::Continue(number, epochs)
            }
            None => Next::Wait,
        }
    }

    /// A trial has reached the end of its rung, with a value unless it has failed. At the end of the rung, what becomes
    /// of those that do not go on.
    pub fn hand_in(&mut self, number: usize, value: Option<f64>) -> Vec<(usize, Verdict)> {
        self.running -= 1;
        self.reached.extend(value.map(|value| (number, value)));
        let Some(bracket) = self.left.front() else { return Vec::new() };
        let is_begun = self.rung > 0 || self.begun == bracket[0].trials;
        if !is_begun || !self.promoted.is_empty() || self.running > 0 {
            return Vec::new();
        }
        let mut reached = std::mem::take(&mut self.reached);
        let Some(next) = bracket.get(self.rung + 1).filter(|_| !reached.is_empty()) else {
            self.left.pop_front();
            (self.rung, self.begun) = (0, 0);
            return reached.into_iter().map(|(number, _)| (number, Verdict::Complete)).collect();
        };
        let sign = if self.direction == Direction::Minimize { 1.0 } else { -1.0 };
        // Of equally good ones, those that began first go on.
        reached.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)).then(a.0.cmp(&b.0)));
        let ended = reached.split_off(next.trials.max(1).min(reached.len()));
        self.promoted = reached.into_iter().map(|(number, _)| number).collect();
        self.rung += 1;
        ended.into_iter().map(|(number, _)| (number, Verdict::Pruned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(rungs: &[Rung]) -> Vec<(usize, usize)> {
        rungs.iter().map(|rung| (rung.trials, rung.epochs)).collect()
    }

    #[test]
    fn brackets_are_those_of_the_paper() {
        // Table 1 of Li et al. 2018: R = 81, η = 3.
        let brackets: Vec<_> = hyperband(81, 3).iter().map(|bracket| pairs(bracket)).collect();
        assert_eq!(
            brackets,
            [
                vec![(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
                vec![(34, 3), (11, 9), (3, 27), (1, 81)],
                vec![(15, 9), (5, 27), (1, 81)],
                vec![(8, 27), (2, 81)],
                vec![(5, 81)],
            ]
        );
        assert_eq!(pairs(&hyperband(1, 3)[0]), [(1, 1)]);
    }

    #[test]
    fn rungs_are_halved() {
        assert_eq!(pairs(&successive_halving(16, 16, 2)), [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)]);
        assert_eq!(pairs(&successive_halving(27, 9, 3)), [(27, 1), (9, 3), (3, 9)]);
        assert_eq!(pairs(&successive_halving(5, 100, 3)), [(5, 33), (1, 100)]);
        assert_eq!(pairs(&successive_halving(2, 7, 3)), [(2, 7)]);
    }

    /// Walks through brackets with two workers, where trial `n` has the value `-n`, or fails if it is in `failing`.
    fn walk(brackets: Vec<Vec<Rung>>, failing: &[usize]) -> Vec<(usize, usize, Verdict)> {
        let mut schedule = Brackets::new(brackets, 0, Direction::Minimize);
        let (mut begun, mut epochs, mut running, mut ended) = (0, Vec::new(), VecDeque::new(), Vec::new());
        loop {
            match schedule.next() {
                Next::Begin(until) => {
                    epochs.push(until);
                    running.push_back(begun);
                    begun += 1;
                }
                Next::Continue(number, until) => {
                    epochs[number] = until;
                    running.push_back(number);
                }
                Next::Wait => assert!(!running.is_empty()),
                Next::Over => break,
            }
            if running.len() == 2
                || schedule.promoted.is_empty() && begun == epochs.len() && running.len() == 1
            {
                let number = running.pop_front().unwrap();
                let value = (!failing.contains(&number)).then(|| -(number as f64));
                ended.extend(
                    schedule.hand_in(number, value).into_iter().map(|(n, verdict)| (n, epochs[n], verdict)),
                );
            }
        }
        ended
    }

    #[test]
    fn the_best_go_on_and_the_others_end() {
        let ended = walk(vec![successive_halving(9, 9, 3)], &[]);
        let expected =
            |(n, _, verdict): &(usize, usize, Verdict)| (*n == 8) == (*verdict == Verdict::Complete);
        assert_eq!(ended.len(), 9);
        assert!(ended.iter().all(expected), "{ended:?}");
        let epochs: Vec<usize> = ended.iter().map(|(_, epochs, _)| *epochs).collect();
        assert_eq!(epochs, [1, 1, 1, 1, 1, 1, 3, 3, 9]);
    }

    #[test]
    fn a_rung_of_failures_ends_its_bracket() {
        let all: Vec<usize> = (0..9).collect();
        assert_eq!(walk(vec![successive_halving(9, 9, 3)], &all), []);
        let ended = walk(vec![successive_halving(9, 9, 3), vec![Rung { trials: 2, epochs: 9 }]], &all);
        assert_eq!(ended, [(9, 9, Verdict::Complete), (10, 9, Verdict::Complete)]);
        assert_eq!(walk(vec![successive_halving(9, 9, 3)], &[8]).last(), Some(&(7, 9, Verdict::Complete)));
    }

    #[test]
    fn what_is_done_is_not_done_again() {
        let mut schedule = Brackets::new(hyperband(9, 3), 9, Direction::Minimize);
        assert_eq!(schedule.next(), Next::Begin(3), "the second bracket");
        assert_eq!(Brackets::new(hyperband(9, 3), 17, Direction::Minimize).next(), Next::Over);
    }
}
