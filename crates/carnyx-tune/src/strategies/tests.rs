//! Strategies on functions whose least values are known.

use crate::conduct::conduct;
use crate::hyper::Hyper;
use crate::search::Search;
use crate::trial::{Trial, Work};
use carnyx_graph::Result;
use carnyx_nn::Verbosity;
use std::f64::consts::PI;

/// A function instead of a model.
struct Function(fn(&mut Hyper) -> f64);

impl Work for Function {
    type Kept = ();

    fn ask(&self, hyper: &mut Hyper) -> Result {
        (self.0)(hyper);
        Ok(())
    }

    fn train(&self, trial: &mut Trial<()>) -> Result<f64> {
        trial.kept = Some(());
        let value = (self.0)(&mut trial.hyper);
        trial.note_hyperparameters()?;
        Ok(value)
    }
}

fn least(search: Search, function: fn(&mut Hyper) -> f64) -> f64 {
    let search = search.objective("loss").verbose(Verbosity::Silent);
    conduct(&search, &Function(function)).unwrap().0.best_value().unwrap()
}

/// Branin's function: the least value is 0.397887, at three places.
fn branin(hyper: &mut Hyper) -> f64 {
    let (x, y) = (hyper.float("x", -5.0..=10.0), hyper.float("y", 0.0..=15.0));
    let valley = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    valley * valley + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * f64::cos(x) + 10.0
}

/// Like a learning problem: a rate by its logarithm, a size, a choice that matters, and something that matters little. The
/// least value is 0.
fn four(hyper: &mut Hyper) -> f64 {
    let rate = hyper.log_float("rate", 1e-5..=1.0f64).log10() + 2.5;
    let size = (f64::from(hyper.int("size", 1..=100)) - 70.0) / 50.0;
    let kind = match hyper.choice("kind", ["a", "b", "c"]) {
        "a" => 1.0,
        "b" => 0.0,
        _ => 0.5,
    };
    rate * rate + size * size + kind + 0.1 * hyper.float("noise", 0.0..=1.0)
}

/// Half of it exists only where a choice says so. The least value is 0.
fn conditional(hyper: &mut Hyper) -> f64 {
    match hyper.choice("optimizer", ["sgd", "adam"]) {
        "sgd" => 0.5 + (hyper.float("momentum", 0.0..=1.0f64) - 0.9).abs(),
        _ => (hyper.log_float("rate", 1e-5..=1.0f64).log10() + 3.0).powi(2),
    }
}

/// The median over seeds of the least value that a search finds.
fn typical(search: impl Fn(u64) -> Search, function: fn(&mut Hyper) -> f64) -> f64 {
    let mut values: Vec<f64> = (0..9).map(|seed| least(search(seed).seed(seed), function)).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn what_learns_from_earlier_trials_beats_chance() {
    let random = |_| Search::random(50);
    let tpe = |_| Search::tpe(50);
    let gaussian = |_| Search::gaussian_process(30);
    for (function, name) in [(branin as fn(&mut Hyper) -> f64, "branin"), (four, "four")] {
        let values = [typical(random, function), typical(tpe, function), typical(gaussian, function)];
        println!("{name}: random {:.4}, tpe {:.4}, gaussian {:.4}", values[0], values[1], values[2]);
        let floor = if name == "branin" { 0.397887 } else { 0.0 };
        let [chance, tpe, gaussian] = values.map(|value| value - floor);
        assert!(tpe < 0.7 * chance, "{name}: {values:?}");
        assert!(gaussian < 0.3 * chance, "{name}: {values:?}");
    }
    let values = [typical(random, conditional), typical(tpe, conditional)];
    println!("conditional: random {:.5}, tpe {:.5}", values[0], values[1]);
    assert!(values[1] < 0.7 * values[0], "{values:?}");
}

#[test]
fn a_search_is_the_same_each_time() {
    for search in [Search::tpe(20), Search::gaussian_process(14)] {
        assert_eq!(least(search.clone().seed(5), four), least(search.seed(5), four));
    }
}

#[test]
fn a_grid_finds_the_best_of_its_points() {
    fn coarse(hyper: &mut Hyper) -> f64 {
        let x = hyper.int_step("x", 0..=10, 5);
        (f64::from(x) - 6.0).abs() + f64::from(u8::from(hyper.bool("worse")))
    }
    let search = Search::grid().objective("loss").verbose(Verbosity::Silent);
    let (study, ()) = conduct(&search, &Function(coarse)).unwrap();
    assert_eq!(study.trials().len(), 6);
    assert_eq!(study.best_value(), Some(1.0));
    assert_eq!(study.best_parameters().to_string(), "x 5, worse false");
    let (parallel, ()) = conduct(&search.workers(3), &Function(coarse)).unwrap();
    let told = |study: &crate::trials::Study| -> Vec<_> {
        study.trials().iter().map(|trial| (trial.parameters.clone(), trial.value)).collect()
    };
    assert_eq!(told(&study), told(&parallel));
}
