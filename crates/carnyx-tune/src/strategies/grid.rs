//! Grid search: every combination of values once.
//!
//! Which hyperparameters there are, only the build knows, and it may ask for some only where others have certain values.
//! So the grid is walked by asking: after each combination, the last question that has another answer gets it, and
//! what is asked after it begins anew.

use crate::domain::Domain;
use crate::hyper::{Hyper, Source};
use carnyx_graph::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// A combination: names and values.
pub(crate) type Point = Vec<(String, f64)>;

/// More combinations than anybody wants to train.
const MOST: usize = 100_000;

/// All combinations of what `ask` asks for, in the order of its questions, the last one changing fastest.
///
/// # Errors
/// `search`, for a range that has more values than can be counted, for too many combinations, and for mistakes in
/// questions. That the build of a combination fails is no error yet: the trial will say it.
pub(crate) fn walk(mut ask: impl FnMut(&mut Hyper) -> Result) -> Result<Vec<Point>> {
    let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
    let mut points = Vec::new();
    loop {
        let mut hyper = Hyper::from_source(Box::new(Replay { answers: answers.clone(), next: 0 }));
        // A build that fails has asked for all that it will ask for.
        let _ = ask(&mut hyper);
        if let Some(mistake) = hyper.mistake() {
            return Err(mistake.clone());
        }
        points.push(hyper.asked().iter().map(|(name, _, value)| (name.clone(), *value)).collect());
        if points.len() > MOST {
            return Err(Error::new("search", format!("the grid has more than {MOST} combinations"))
                .help("give the hyperparameters fewer values, or take some of the combinations: `Search::random(..)`"));
        }
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.truncate(hyper.asked().len());
        while answers.last().is_some_and(|answer| answer.place + 1 == answer.count) {
            answers.pop();
        }
        match answers.last_mut() {
            Some(answer) => answer.place += 1,
            None => return Ok(points),
        }
    }
}

/// Which of how many values a question is answered with.
struct Answer {
    place: usize,
    count: usize,
}

/// Answers questions as before, and new ones with the first value.
struct Replay {
    answers: Arc<Mutex<Vec<Answer>>>,
    next: usize,
}

impl Source for Replay {
    fn value(&mut self, name: &str, domain: &Domain) -> Result<f64> {
        let Some(count) = domain.count() else {
            return Err(Error::new(
                "search",
                format!("the hyperparameter `{name}` has too many values for a grid"),
            )
            .label(format!("all numbers of {domain}"))
            .help("give it a step, as in `.float_step(..)`, or a choice of values"));
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() == self.next {
            answers.push(Answer { place: 0, count });
        }
        let place = answers[self.next].place;
        self.next += 1;
        Ok(domain.nth(place.min(count - 1)))
    }
}

/// The values of one combination.
pub(super) struct OnGrid(pub Point);

impl Source for OnGrid {
    fn value(&mut self, name: &str, domain: &Domain) -> Result<f64> {
        let known = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        // A build that asks otherwise than it did when the grid was walked gets something that it can use.
        Ok(known.filter(|value| domain.has(*value)).unwrap_or_else(|| domain.at(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_comes_once_and_conditions_hold() {
        let points = walk(|hyper| {
            if hyper.choice("optimizer", ["sgd", "adam"]) == "sgd" {
                hyper.float_step("momentum", 0.0..=0.9, 0.45);
            }
            hyper.int_step("units", 16..=32, 16);
            if hyper.bool("fails") { Err(Error::new("own", "no")) } else { Ok(()) }
        });
        let points = points.unwrap();
        let expected = [3 * 2 * 2, 2 * 2];
        let of_sgd = points.iter().filter(|point| point.len() == 4).count();
        assert_eq!([of_sgd, points.len() - of_sgd], expected);
        for (i, point) in points.iter().enumerate() {
            assert!(!points[..i].contains(point), "{point:?}");
        }
        assert_eq!(
            points[0],
            [("optimizer", 0.0), ("momentum", 0.0), ("units", 16.0), ("fails", 0.0)]
                .map(|(n, v)| (n.to_owned(), v))
        );
        assert_eq!(points[1][3].1, 1.0, "the last one changes fastest");
    }

    #[test]
    fn what_asks_for_nothing_has_one_combination() {
        assert_eq!(walk(|_| Ok(())).unwrap(), [Vec::new()]);
    }

    #[test]
    fn a_grid_can_be_too_large() {
        let wide = walk(|hyper| {
            let _: Vec<bool> = (0..20).map(|i| hyper.bool(&format!("switch_{i}"))).collect();
            Ok(())
        });
        assert!(wide.unwrap_err().title().contains("100000"));
        let real = walk(|hyper| {
            let _ = hyper.float("rate", 0.0..=1.0);
            Ok(())
        });
        assert!(real.unwrap_err().advice().unwrap().contains("float_step"));
    }
}
