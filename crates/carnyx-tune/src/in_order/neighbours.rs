//! In which order hyperparameters are looked at, and which of their values are near.

use crate::domain::Domain;

/// Of ranges with so many values or fewer, the next value is tried; of longer ones, one that is a quarter of them away.
const FEW: usize = 8;

/// The place of a hyperparameter in the order, by its name; `None` for the learning rate, which range tests find.
pub(super) fn place(name: &str) -> Option<usize> {
    let name = name.to_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match () {
        () if name == RATE => None,
        () if is(&["optimizer", "optimiser"]) => Some(0),
        () if is(&["batch_size"]) => Some(5),
        () if is(&["unit", "neuron", "width"]) => Some(2),
        () if is(&["layer", "depth"]) => Some(1),
        () if is(&["activation"]) => Some(3),
        () => Some(4),
    }
}

/// The name of the hyperparameter that is the learning rate.
pub(super) const RATE: &str = "learning_rate";

/// Whether a change of this hyperparameter makes another rate likely, so that both suggestions of a range test are tried.
pub(super) fn is_optimizer(name: &str) -> bool {
    place(name) == Some(0)
}

/// The values beside one, the greater one first: of a choice, all others.
pub(super) fn neighbours(domain: &Domain, number: f64) -> Vec<f64> {
    match domain {
        Domain::Choice(choices) => (0..choices.len()).map(|i| i as f64).filter(|i| *i != number).collect(),
        Domain::Float { .. } | Domain::Int { .. } => {
            [1.0, -1.0].iter().filter_map(|direction| beside(domain, number, *direction)).collect()
        }
    }
}

/// The value of a range that is next in a direction; none at its end.
pub(super) fn beside(domain: &Domain, number: f64, direction: f64) -> Option<f64> {
    if let Domain::Choice(_) = domain {
        return None;
    }
    let step = match domain.count() {
        Some(count) if count <= FEW => 1.0 / count as f64,
        _ => 0.25,
    };
    let next = domain.at(domain.share(number) + direction * step);
    (next != number).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_order() {
        let mut names = ["batch_size", "dropout", "activation", "units_1", "hidden_layers", "optimizer"];
        names.sort_by_key(|name| place(name));
        assert_eq!(names, ["optimizer", "hidden_layers", "units_1", "activation", "dropout", "batch_size"]);
        assert_eq!(place("learning_rate"), None);
        assert_eq!(place("units_of_layer_2"), Some(2));
    }

    #[test]
    fn neighbours_are_near_and_within_the_range() {
        let layers = Domain::Int { low: 0, high: 3, step: 1, log: false };
        assert_eq!(neighbours(&layers, 2.0), [3.0, 1.0]);
        assert_eq!(neighbours(&layers, 3.0), [2.0]);
        let units = Domain::Int { low: 16, high: 256, step: 1, log: true };
        assert_eq!(neighbours(&units, 64.0), [129.0, 32.0]);
        assert_eq!(beside(&units, 256.0, 1.0), None);
        let dropout = Domain::Float { low: 0.0, high: 0.4, step: None, log: false };
        assert_eq!(neighbours(&dropout, 0.1), [0.2, 0.0]);
        let choice = Domain::Choice(vec!["a".into(), "b".into(), "c".into()]);
        assert_eq!(neighbours(&choice, 1.0), [0.0, 2.0]);
        assert_eq!(beside(&choice, 1.0, 1.0), None);
    }
}
