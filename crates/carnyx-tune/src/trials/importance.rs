//! How much each hyperparameter matters.
//!
//! Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance", 2014 (functional
//! ANOVA): a forest of regression trees learns the objective from the trials; a tree is a function that is constant on
//! boxes, so its mean over all other hyperparameters, and the share of the variance that this mean explains, can be
//! summed up exactly.

use super::{Seen, Study, plots};
use crate::domain::Domain;
use crate::random::Random;
use carnyx_graph::{Error, Result};
use carnyx_plot::BarChart;
use std::fmt;

/// How many trees the forest has.
const TREES: usize = 64;
/// Fewer trials than this tell nothing.
const FEWEST: usize = 4;
/// The samples that a leaf has at least.
const LEAF: usize = 2;

/// How much of what the trials differ in is explained by each hyperparameter alone.
///
/// # Example
/// ```
/// # use carnyx_tune::*;
/// # let storage = MemoryStorage::new();
/// # let id = storage.open_study("digits", Direction::Minimize)?;
/// # let domain = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
/// # for i in 0..30 {
/// #     let (rate, dropout) = (f64::from(i * 7 % 30) / 30.0, f64::from(i * 11 % 30) / 30.0);
/// #     let trial = storage.begin_trial(id)?.id;
/// #     storage.set_parameter(trial, "dropout", &domain, dropout)?;
/// #     storage.set_parameter(trial, "rate", &domain, rate)?;
/// #     storage.finish(trial, TrialState::Complete, Some(rate * rate))?;
/// # }
/// # let study = Study::new("digits", "val_loss", Direction::Minimize, storage.trials(id)?);
/// let importance = study.importance()?;
/// println!("{importance}");
/// let (name, share) = importance.iter().next().unwrap(); // the greatest one
/// assert_eq!(name, "rate");
/// assert!(share > 0.5);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// Name, share and its deviation from tree to tree, the greatest share first.
    pub(super) shares: Vec<(String, f64, f64)>,
}

impl Importance {
    /// Names and shares, the greatest first. They sum up to at most 1; what is missing is explained by hyperparameters
    /// together, or not at all.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Importance;
    /// fn most_important(importance: &Importance) -> Option<&str> {
    ///     importance.iter().next().map(|(name, _)| name)
    /// }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.shares.iter().map(|(name, share, _)| (name.as_str(), *share))
    }

    /// The share of a hyperparameter; `None` if not all complete trials have it.
    ///
    /// # Example
    /// ```
    /// # use carnyx_tune::Importance;
    /// fn says_something(importance: &Importance) -> bool {
    ///     importance.share("dropout").is_some_and(|share| share > 0.1)
    /// }
    /// ```
    pub fn share(&self, name: &str) -> Option<f64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, share)| share)
    }

    /// A bar for each share, with its deviation from tree to tree.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Result;
    /// # use carnyx_tune::Importance;
    /// fn draw(importance: &Importance) -> Result {
    ///     importance.plot().save("importance.svg")
    /// }
    /// ```
    pub fn plot(&self) -> BarChart {
        plots::bars(self)
    }
}

/// One line for each hyperparameter: `learning_rate  71 %`.
impl fmt::Display for Importance {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.shares.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        for (name, share, _) in &self.shares {
            writeln!(f, "{name:width$}  {:>3.0} %", 100.0 * share)?;
        }
        Ok(())
    }
}

/// The importance of the hyperparameters that all complete trials of a study have.
pub(super) fn importance(study: &Study) -> Result<Importance> {
    let Seen { space, places, values } = study.complete_places();
    let is_even = values.windows(2).all(|pair| pair[0] == pair[1]);
    if values.len() < FEWEST || space.is_empty() || is_even {
        let label = match values.len() {
            few if few < FEWEST => format!("{few} trials are complete, {FEWEST} are needed"),
            _ if is_even => "all trials have the same value".to_owned(),
            _ => "there is none that all complete trials have".to_owned(),
        };
        return Err(Error::new("study", "the importance of the hyperparameters cannot be told").label(label));
    }
    let widths: Vec<Axis> = space.iter().map(|(_, domain)| Axis::whole(domain)).collect();
    let mut random = Random::at(0, &[values.len() as u64]);
    let mut shares = vec![Vec::with_capacity(TREES); space.len()];
    for _ in 0..TREES {
        // Each tree learns from as many trials as there are, drawn with replacement.
        let rows: Vec<usize> = (0..values.len()).map(|_| random.below(values.len())).collect();
        let mut leaves = Vec::new();
        grow(&places, &values, rows, widths.clone(), &mut leaves);
        for (axis, share) in explained(&leaves, &widths).into_iter().enumerate() {
            shares[axis].push(share);
        }
    }
    let summary = |((name, _), shares): ((String, Domain), Vec<f64>)| {
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
        (name, mean, variance.sqrt())
    };
    let mut shares: Vec<(String, f64, f64)> = space.into_iter().zip(shares).map(summary).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(Importance { shares })
}

/// What a box takes of one axis.
#[derive(Clone, Debug)]
enum Axis {
    /// Shares of a range.
    Range(f64, f64),
    /// Which of the choices.
    Choices(Vec<bool>),
}

impl Axis {
    fn whole(domain: &Domain) -> Axis {
        match domain {
            Domain::Choice(choices) => Axis::Choices(vec![true; choices.len()]),
            Domain::Float { .. } | Domain::Int { .. } => Axis::Range(0.0, 1.0),
        }
    }

    fn width(&self) -> f64 {
        match self {
            Axis::Range(from, to) => to - from,
            Axis::Choices(choices) => {
                choices.iter().filter(|choice| **choice).count() as f64 / choices.len() as f64
            }
        }
    }

    fn has(&self, place: f64) -> bool {
        match self {
            Axis::Range(from, to) => (*from..*to).contains(&place),
            Axis::Choices(choices) => choices.get(place as usize).copied().unwrap_or(false),
        }
    }

    /// The part before and the part after a cut: below a place, or of one choice.
    fn cut(&self, at: f64) -> [Axis; 2] {
        match self {
            Axis::Range(from, to) => [Axis::Range(*from, at), Axis::Range(at, *to)],
            Axis::Choices(choices) => {
                let only: Vec<bool> = (0..choices.len()).map(|i| i == at as usize).collect();
                let others = choices.iter().zip(&only).map(|(choice, only)| *choice && !only).collect();
                [Axis::Choices(only), Axis::Choices(others)]
            }
        }
    }
}

/// A box on which a tree is constant.
struct Leaf {
    axes: Vec<Axis>,
    mean: f64,
}

/// Cuts a box where the squared errors get least, and goes on with its halves.
fn grow(places: &[Vec<f64>], values: &[f64], rows: Vec<usize>, axes: Vec<Axis>, leaves: &mut Vec<Leaf>) {
    let cut =
        (0..axes.len()).filter_map(|axis| best_cut(places, values, &rows, &axes, axis)).min_by(|a, b| {
            // The first axis wins where two are as good.
            a.0.total_cmp(&b.0)
        });
    let Some((_, axis, at)) = cut else {
        let mean = rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64;
        return leaves.push(Leaf { axes, mean });
    };
    let [low, high] = axes[axis].cut(at);
    let (below, above): (Vec<usize>, Vec<usize>) =
        rows.into_iter().partition(|&row| low.has(places[row][axis]));
    for (part, rows) in [(low, below), (high, above)] {
        let mut axes = axes.clone();
        axes[axis] = part;
        grow(places, values, rows, axes, leaves);
    }
}

/// The cut of an axis with the least sum of squared errors: that sum, the axis and the place. `None` if no cut leaves
/// enough samples on both sides, or none is better than no cut.
fn best_cut(
    places: &[Vec<f64>],
    values: &[f64],
    rows: &[usize],
    axes: &[Axis],
    axis: usize,
) -> Option<(f64, usize, f64)> {
    let mut pairs: Vec<(f64, f64)> = rows.iter().map(|&row| (places[row][axis], values[row])).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = Sums::of(&pairs);
    let is_choice = matches!(axes[axis], Axis::Choices(_));
    let mut best: Option<(f64, usize, f64)> = None;
    let mut first = 0;
    for end in 1..pairs.len() {
        if pairs[end].0 == pairs[end - 1].0 {
            continue;
        }
        // A choice is cut off from the others, a range is cut between two neighbours.
        let part = Sums::of(&pairs[first..end]);
        let rest = all.without(&part);
        let at = if is_choice { pairs[first].0 } else { f64::midpoint(pairs[end - 1].0, pairs[end].0) };
        if part.count >= LEAF && rest.count >= LEAF {
            let error = part.error() + rest.error();
            if error < all.error() * (1.0 - 1e-9) && best.is_none_or(|(known, ..)| error < known) {
                best = Some((error, axis, at));
            }
        }
        if is_choice {
            first = end;
        }
    }
    best
}

/// Count, sum and sum of squares of some values.
struct Sums {
    count: usize,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn of(pairs: &[(f64, f64)]) -> Sums {
        let (sum, squares) =
            pairs.iter().fold((0.0, 0.0), |(sum, squares), (_, v)| (sum + v, squares + v * v));
        Sums { count: pairs.len(), sum, squares }
    }

    fn without(&self, part: &Sums) -> Sums {
        Sums {
            count: self.count - part.count,
            sum: self.sum - part.sum,
            squares: self.squares - part.squares,
        }
    }

    /// The squared distances from the mean.
    fn error(&self) -> f64 {
        (self.squares - self.sum * self.sum / self.count as f64).max(0.0)
    }
}

/// For each axis, the share of a tree's variance that its mean over all other axes explains.
fn explained(leaves: &[Leaf], whole: &[Axis]) -> Vec<f64> {
    let volume = |leaf: &Leaf| leaf.axes.iter().map(Axis::width).product::<f64>();
    let mean: f64 = leaves.iter().map(|leaf| volume(leaf) * leaf.mean).sum();
    let variance: f64 = leaves.iter().map(|leaf| volume(leaf) * (leaf.mean - mean).powi(2)).sum();
    if variance <= 0.0 {
        return vec![0.0; whole.len()];
    }
    let of_axis = |axis: usize| {
        let parts: Vec<(f64, f64)> = match &whole[axis] {
            Axis::Choices(choices) => {
                (0..choices.len()).map(|i| (i as f64, 1.0 / choices.len() as f64)).collect()
            }
            Axis::Range(..) => {
                let mut ends: Vec<f64> = leaves
                    .iter()
                    .filter_map(
                        |leaf| if let Axis::Range(from, _) = leaf.axes[axis] { Some(from) } else { None },
                    )
                    .chain([1.0])
                    .collect();
                ends.sort_by(f64::total_cmp);
                ends.dedup();
                ends.windows(2).map(|pair| (f64::midpoint(pair[0], pair[1]), pair[1] - pair[0])).collect()
            }
        };
        let explained = parts.into_iter().map(|(place, width)| {
            let here = leaves.iter().filter(|leaf| leaf.axes[axis].has(place));
            let at = here.map(|leaf| volume(leaf) / leaf.axes[axis].width() * leaf.mean).sum::<f64>();
            width * (at - mean).powi(2)
        });
        explained.sum::<f64>() / variance
    };
    (0..whole.len()).map(of_axis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Direction, TrialId, TrialRecord, TrialState};

    fn study(count: usize, value: impl Fn(f64, f64, usize) -> f64) -> Study {
        let share = Domain::Float { low: 0.0, high: 1.0, step: None, log: false };
        let kind = Domain::Choice(vec!["a".into(), "b".into(), "c".into()]);
        let trial = |number: usize| {
            let mut random = Random::at(9, &[number as u64]);
            let (x, y, z) = (random.share(), random.share(), random.below(3));
            let parameter =
                |name: &str, domain: &Domain, value: f64| (name.to_owned(), domain.clone(), value);
            TrialRecord {
                id: TrialId(number as i64),
                number,
                state: TrialState::Complete,
                value: Some(value(x, y, z)),
                parameters: vec![
                    parameter("x", &share, x),
                    parameter("y", &share, y),
                    parameter("z", &kind, z as f64),
                ],
                intermediate: Vec::new(),
                notes: Vec::new(),
                started: None,
                finished: None,
            }
        };
        Study::new("s", "loss", Direction::Minimize, (0..count).map(trial).collect())
    }

    #[test]
    fn shares_are_those_of_the_variance() {
        // The variances of 3x and y are 9/12 and 1/12.
        let importance = study(300, |x, y, _| 3.0 * x + y).importance().unwrap();
        let share = |name: &str| importance.share(name).unwrap();
        assert!((share("x") - 0.9).abs() < 0.03, "{importance}");
        assert!((share("y") - 0.1).abs() < 0.03, "{importance}");
        assert!(share("z") < 0.01, "{importance}");
        // The variance of a value that is 1 for one choice of three is 2/9, that of x is 1/12.
        let importance = study(300, |x, _, z| x + f64::from(u8::from(z == 1))).importance().unwrap();
        let share = |name: &str| importance.share(name).unwrap();
        assert!((share("z") - 8.0 / 11.0).abs() < 0.03, "{importance}");
        assert!((share("x") - 3.0 / 11.0).abs() < 0.03, "{importance}");
        assert_eq!(importance.iter().next().unwrap().0, "z");
        assert!(importance.plot().to_svg().unwrap().contains("share of the variance"));
    }

    #[test]
    fn what_only_matters_together_is_in_no_share() {
        let importance =
            study(300, |x, y, _| if (x < 0.5) == (y < 0.5) { 1.0 } else { 0.0 }).importance().unwrap();
        let sum: f64 = importance.iter().map(|(_, share)| share).sum();
        assert!(sum < 0.2, "{importance}");
    }

    #[test]
    fn too_little_is_an_error() {
        assert_eq!(study(3, |x, _, _| x).importance().unwrap_err().code(), "study");
        assert_eq!(study(30, |_, _, _| 1.0).importance().unwrap_err().code(), "study");
    }
}
