//! Numbers that keep their distances and lie as close together as they can: the network simplex method.
//!
//! Both halves of a layout are this one problem: in which row each box stands, and where in its row. Given edges
//! `from → to`, each with a least length and a weight, it finds numbers `x` with `x[to] - x[from] ≥ length` for which
//! the weighted sum of all these differences is smallest. (Gansner et al., *A Technique for Drawing Directed Graphs*,
//! 1993.) Invariant: after every step the numbers keep all distances, so that it may stop at any time.

/// `x[to] - x[from]` is at least `length`, and costs `weight` for each unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub from: usize,
    pub to: usize,
    pub length: i64,
    pub weight: i64,
}

/// The numbers, from 0 up; `None` if the spans go round in a circle.
pub(crate) fn solve(num: usize, spans: &[Span]) -> Option<Vec<i64>> {
    // A root before all numbers connects what nothing else does.
    let mut spans = spans.to_vec();
    spans.extend((0..num).map(|to| Span { from: num, to, length: 0, weight: 0 }));
    let mut simplex = Simplex::new(num + 1, spans)?;
    simplex.grow_tree();
    // Work is bounded: what has been reached by then is good enough.
    let pivots = 400_000_000 / (num + simplex.spans.len()).max(1);
    for _ in 0..pivots {
        if !simplex.pivot() {
            break;
        }
    }
    simplex.balance();
    let mut x = simplex.x;
    x.truncate(num);
    let least = x.iter().copied().min().unwrap_or(0);
    x.iter_mut().for_each(|x| *x -= least);
    Some(x)
}

struct Simplex {
    spans: Vec<Span>,
    x: Vec<i64>,
    /// For each number, what leaves it minus what comes to it.
    supply: Vec<i64>,
    /// The spans at each number.
    at: Vec<Vec<usize>>,
    /// Which spans are the tree: spans of exactly their length that connect all numbers.
    is_tree: Vec<bool>,
    walk: Walk,
}

/// The tree from its root.
#[derive(Default)]
struct Walk {
    /// Numbers, parents first.
    order: Vec<usize>,
    /// The place of each number in the order, and the place behind its subtree.
    range: Vec<(usize, usize)>,
    /// The span that leads to each number.
    parent: Vec<Option<usize>>,
}

impl Simplex {
    fn new(num: usize, spans: Vec<Span>) -> Option<Simplex> {
        let mut at = vec![Vec::new(); num];
        let mut supply = vec![0; num];
        let mut waiting = vec![0; num];
        for (i, span) in spans.iter().enumerate() {
            at[span.from].push(i);
            at[span.to].push(i);
            supply[span.from] += span.weight;
            supply[span.to] -= span.weight;
            waiting[span.to] += 1;
        }
        // As far to the left as the lengths allow.
        let mut x = vec![0; num];
        let mut ready: Vec<usize> = (0..num).filter(|&i| waiting[i] == 0).collect();
        let mut done = 0;
        while let Some(&next) = ready.get(done) {
            done += 1;
            for span in at[next].iter().map(|&i| spans[i]).filter(|span| span.from == next) {
                x[span.to] = x[span.to].max(x[next] + span.length);
                waiting[span.to] -= 1;
                if waiting[span.to] == 0 {
                    ready.push(span.to);
                }
            }
        }
        let is_tree = vec![false; spans.len()];
        (done == num).then_some(Simplex { spans, x, supply, at, is_tree, walk: Walk::default() })
    }

    /// How much longer a span is than it must be.
    fn slack(&self, span: usize) -> i64 {
        let Span { from, to, length, .. } = self.spans[span];
        self.x[to] - self.x[from] - length
    }

    /// A first tree: whatever hangs together without slack, moved to what is nearest to it.
    fn grow_tree(&mut self) {
        let num = self.x.len();
        let mut inside = vec![false; num];
        let mut members = vec![num - 1];
        inside[num - 1] = true;
        let mut seen = 0;
        loop {
            while let Some(&next) = members.get(seen) {
                seen += 1;
                for &span in &self.at[next] {
                    let other = self.spans[span].from + self.spans[span].to - next;
                    if !inside[other] && self.slack(span) == 0 {
                        inside[other] = true;
                        self.is_tree[span] = true;
                        members.push(other);
                    }
                }
            }
            let leads_out = |span: &usize| inside[self.spans[*span].from] != inside[self.spans[*span].to];
            let Some(nearest) = (0..self.spans.len()).filter(leads_out).min_by_key(|&span| self.slack(span))
            else {
                break;
            };
            let slack = self.slack(nearest);
            let shift = if inside[self.spans[nearest].from] { slack } else { -slack };
            members.iter().for_each(|&i| self.x[i] += shift);
            // All members are looked at again: the shift has made new spans tight.
            seen = 0;
        }
        self.walk_tree();
    }

    fn walk_tree(&mut self) {
        let num = self.x.len();
        let mut walk =
            Walk { order: Vec::with_capacity(num), range: vec![(0, 0); num], parent: vec![None; num] };
        let mut pending = vec![(num - 1, false)];
        while let Some((next, is_left)) = pending.pop() {
            if is_left {
                walk.range[next].1 = walk.order.len();
                continue;
            }
            walk.range[next].0 = walk.order.len();
            walk.order.push(next);
            pending.push((next, true));
            for &span in self.at[next].iter().rev() {
                if self.is_tree[span] && walk.parent[next] != Some(span) {
                    let other = self.spans[span].from + self.spans[span].to - next;
                    walk.parent[other] = Some(span);
                    pending.push((other, false));
                }
            }
        }
        self.walk = walk;
    }

    /// What the total changes by for each unit by which the span above each number gets longer.
    fn gains(&self) -> Vec<i64> {
        let mut gains = self.supply.clone();
        for &i in self.walk.order.iter().rev() {
            if let Some(span) = self.walk.parent[i] {
                let above = self.spans[span].from + self.spans[span].to - i;
                gains[above] += gains[i];
            }
        }
        // The supply of a subtree is pulled along with its number, if that is the right end of the span.
        (0..gains.len())
            .map(|i| match self.walk.parent[i] {
                Some(span) if self.spans[span].to == i => -gains[i],
                _ => gains[i],
            })
            .collect()
    }

    /// The span that stops the subtree below `i` from moving away along its span, and by how much it may move.
    fn stop(&self, i: usize) -> Option<(usize, i64)> {
        let span = self.walk.parent[i]?;
        let (first, behind) = self.walk.range[i];
        let is_below = |j: usize| (first..behind).contains(&self.walk.range[j].0);
        let moves_right = self.spans[span].to == i;
        let mut best: Option<(usize, i64)> = None;
        for &j in &self.walk.order[first..behind] {
            for &other in &self.at[j] {
                let end = if moves_right { self.spans[other].to } else { self.spans[other].from };
                let start = self.spans[other].from + self.spans[other].to - end;
                if other != span && start == j && !is_below(end) {
                    let slack = self.slack(other);
                    if best.is_none_or(|(_, least)| slack < least) {
                        best = Some((other, slack));
                    }
                }
            }
        }
        best
    }

    fn move_subtree(&mut self, i: usize, by: i64) {
        let moves_right = self.walk.parent[i].is_some_and(|span| self.spans[span].to == i);
        let (first, behind) = self.walk.range[i];
        for &j in &self.walk.order[first..behind] {
            self.x[j] += if moves_right { by } else { -by };
        }
    }

    /// One step towards a smaller total; `false` if there is none.
    fn pivot(&mut self) -> bool {
        let gains = self.gains();
        let candidates = self.walk.order.iter().filter(|&&i| self.walk.parent[i].is_some() && gains[i] < 0);
        let Some(&worst) = candidates.min_by_key(|&&i| gains[i]) else { return false };
        let (Some(leaving), Some((entering, slack))) = (self.walk.parent[worst], self.stop(worst)) else {
            return false;
        };
        self.move_subtree(worst, slack);
        self.is_tree[leaving] = false;
        self.is_tree[entering] = true;
        self.walk_tree();
        true
    }

    /// Puts what may stand here or there at the same cost into the middle.
    fn balance(&mut self) {
        let gains = self.gains();
        for i in self.walk.order.clone() {
            if gains[i] == 0
                && let Some((_, slack)) = self.stop(i)
                && slack > 1
            {
                self.move_subtree(i, slack / 2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(x: &[i64], spans: &[Span]) -> i64 {
        spans.iter().map(|span| span.weight * (x[span.to] - x[span.from])).sum()
    }

    #[test]
    fn the_total_is_as_small_as_it_can_be() {
        // All graphs of 5 numbers with some edges each, against all numbers from 0 to 5.
        let pairs: Vec<(usize, usize)> = (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j))).collect();
        for graph in (0..1 << pairs.len()).step_by(7) {
            let spans: Vec<Span> = (0..pairs.len())
                .filter(|i| graph >> i & 1 == 1)
                .map(|i| Span { from: pairs[i].0, to: pairs[i].1, length: 1, weight: 1 + (i as i64 * 5) % 3 })
                .collect();
            let x = solve(5, &spans).unwrap();
            let keeps = |x: &[i64]| spans.iter().all(|span| x[span.to] - x[span.from] >= span.length);
            assert!(keeps(&x), "{spans:?} {x:?}");
            let all = (0..5i64.pow(5)).map(|code| (0..5).map(|i| code / 5i64.pow(i) % 5).collect::<Vec<_>>());
            let best = all.filter(|x| keeps(x)).map(|x| cost(&x, &spans)).min().unwrap();
            assert_eq!(cost(&x, &spans), best, "{spans:?} {x:?}");
        }
    }

    #[test]
    fn a_circle_has_no_solution() {
        let span = |from, to| Span { from, to, length: 1, weight: 1 };
        assert!(solve(3, &[span(0, 1), span(1, 2), span(2, 1)]).is_none());
        assert_eq!(solve(0, &[]), Some(vec![]));
        assert_eq!(solve(2, &[]), Some(vec![0, 0]));
    }
}
