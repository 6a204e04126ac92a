//! Where the boxes of a diagram stand: in rows from top to bottom, in each row from left to right.
//!
//! Four steps, after Gansner et al. 1993 and Sander 1996: rows that make edges short; *joints* for edges that pass
//! rows; an order in each row with few crossings, in which the members of a group stand side by side; and places
//! that keep edges straight. Invariants: boxes do not overlap, edges go down, a frame contains its members and
//! nothing else, and equal diagrams get equal layouts.

use crate::simplex::{Span, solve};
use std::cmp::Ordering;
use std::collections::HashMap;

/// What is to be laid out.
pub(crate) struct Plan {
    /// Width and height of each box, and the group around it.
    pub boxes: Vec<(i64, i64, Option<usize>)>,
    /// The width of each group's title, and the group around it.
    pub groups: Vec<(i64, Option<usize>)>,
    /// From box to box, each pair once.
    pub edges: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A piece of an edge that goes straight down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Descent {
    pub x: f64,
    pub top: f64,
    pub bottom: f64,
}

#[derive(Debug)]
pub(crate) struct Layout {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Rect>,
    pub frames: Vec<Rect>,
    /// For each edge what is to be connected by curves.
    pub edges: Vec<Vec<Descent>>,
}

/// Around everything.
const MARGIN: i64 = 20;
/// Between rows, beside frames and their titles.
const ROW_GAP: i64 = 34;
const BOX_GAP: i64 = 26;
const JOINT_GAP: i64 = 16;
/// Between a frame and what is in it.
const PAD: i64 = 14;
/// The height of a frame's title.
pub(crate) const TITLE: i64 = 20;
/// How often the order of all rows is improved.
const SWEEPS: usize = 16;

/// A box, or a joint of edges in a row that they pass.
struct Item {
    row: usize,
    width: i64,
    group: Option<usize>,
    is_box: bool,
}

/// A connection between neighbouring rows.
#[derive(Clone, Copy)]
struct Link {
    from: usize,
    to: usize,
    weight: i64,
}

struct Rows<'p> {
    plan: &'p Plan,
    items: Vec<Item>,
    links: Vec<Link>,
    /// The items that each edge runs through.
    routes: Vec<Vec<usize>>,
    /// First and last row of each group.
    extent: Vec<(usize, usize)>,
    /// Items from left to right.
    order: Vec<Vec<usize>>,
}

/// `None` if the edges go round in a circle.
pub(crate) fn layout(plan: &Plan) -> Option<Layout> {
    let mut rows = Rows::new(plan)?;
    rows.untangle();
    let x = rows.places()?;
    Some(rows.measured(&x))
}

impl Plan {
    /// The groups around a group or around what is in it, from the inside out.
    pub fn around(&self, group: Option<usize>) -> impl Iterator<Item = usize> {
        std::iter::successors(group, |&group| self.groups[group].1)
    }

    /// The innermost group around both.
    fn common(&self, a: Option<usize>, b: Option<usize>) -> Option<usize> {
        self.around(a).find(|&group| self.around(b).any(|other| other == group))
    }
}

impl<'p> Rows<'p> {
    fn new(plan: &'p Plan) -> Option<Rows<'p>> {
        let inside = |a: usize, b: usize| plan.boxes[a].2.is_some() && plan.boxes[a].2 == plan.boxes[b].2;
        let spans = plan.edges.iter().map(|&(from, to)| {
            let weight = if inside(from, to) { 2 } else { 1 };
            Span { from, to, length: 1, weight }
        });
        let row_of = solve(plan.boxes.len(), &spans.collect::<Vec<_>>())?;
        let boxes = plan.boxes.iter().zip(&row_of);
        let items: Vec<Item> = boxes
            .map(|(&(width, _, group), &row)| Item { row: row as usize, width, group, is_box: true })
            .collect();
        let num_rows = items.iter().map(|item| item.row + 1).max().unwrap_or(0);
        let mut extent = vec![(usize::MAX, 0); plan.groups.len()];
        for item in &items {
            for group in plan.around(item.group) {
                let (first, last) = extent[group];
                extent[group] = (first.min(item.row), last.max(item.row));
            }
        }
        let order = vec![Vec::new(); num_rows];
        let mut rows = Rows { plan, items, links: Vec::new(), routes: Vec::new(), extent, order };
        rows.add_joints();
        rows.first_order();
        Some(rows)
    }

    /// Edges from one box share their joints: what comes out of it is one thing.
    fn add_joints(&mut self) {
        let plan = self.plan;
        let mut targets: Vec<Vec<usize>> = vec![Vec::new(); plan.boxes.len()];
        let mut sources = vec![0; plan.boxes.len()];
        for &(from, to) in &plan.edges {
            targets[from].push(to);
            sources[to] += 1;
        }
        let mut lanes: Vec<Vec<usize>> = Vec::new();
        for (from, targets) in targets.iter().enumerate() {
            let row = self.items[from].row;
            let last = targets.iter().map(|&to| self.items[to].row).max().unwrap_or(row);
            let mut lane = vec![from];
            for passed in row + 1..last {
                let later: Vec<usize> =
                    targets.iter().copied().filter(|&to| self.items[to].row > passed).collect();
                let group = self.group_of_joint(from, &later, passed);
                lane.push(self.items.len());
                let previous = lane[lane.len() - 2];
                let weight = if passed == row + 1 { 1 } else { 8 };
                self.links.push(Link { from: previous, to: self.items.len(), weight });
                self.items.push(Item { row: passed, width: 2, group, is_box: false });
            }
            lanes.push(lane);
        }
        for &(from, to) in &plan.edges {
            let length = self.items[to].row - self.items[from].row;
            let mut route = lanes[from][..length].to_vec();
            // Chains are straight, and the shorter way is straighter than the longer one.
            let weight = match (length, targets[from].len(), sources[to]) {
                (1, 1, 1) => 10,
                (1, 1, _) | (1, _, 1) => 6,
                (1, ..) => 4,
                _ => 1,
            };
            self.links.push(Link { from: route[length - 1], to, weight });
            route.push(to);
            self.routes.push(route);
        }
        // A row in which a group would have nothing gets something that keeps its place.
        for group in 0..plan.groups.len() {
            let (first, last) = self.extent[group];
            for row in first..=last {
                let is_here =
                    |item: &Item| item.row == row && plan.around(item.group).any(|around| around == group);
                if !self.items.iter().any(is_here) {
                    self.items.push(Item { row, width: 2, group: Some(group), is_box: false });
                }
            }
        }
    }

    /// A joint lies in the frame that its edges lead to, once there is one: edges enter frames at the top.
    fn group_of_joint(&self, from: usize, to: &[usize], row: usize) -> Option<usize> {
        let plan = self.plan;
        let group_of = |at: usize| plan.boxes[at].2;
        let goal = to[1..].iter().fold(group_of(to[0]), |group, &to| plan.common(group, group_of(to)));
        let has_row = |&group: &usize| (self.extent[group].0..=self.extent[group].1).contains(&row);
        let both = plan.common(goal, group_of(from));
        plan.around(goal).take_while(|group| Some(*group) != both).find(has_row).or(both)
    }

    /// The order in which a walk along the edges meets the items; short ways first.
    fn first_order(&mut self) {
        let mut below: Vec<Vec<(i64, usize)>> = vec![Vec::new(); self.items.len()];
        let mut has_above = vec![false; self.items.len()];
        for link in &self.links {
            below[link.from].push((-link.weight, link.to));
            has_above[link.to] = true;
        }
        below.iter_mut().for_each(|links| links.sort_unstable());
        let mut met = vec![false; self.items.len()];
        for start in (0..self.items.len()).filter(|&i| !has_above[i]) {
            let mut pending = vec![start];
            while let Some(next) = pending.pop() {
                if !std::mem::replace(&mut met[next], true) {
                    self.order[self.items[next].row].push(next);
                    pending.extend(below[next].iter().rev().map(|&(_, to)| to));
                }
            }
        }
    }

    /// The places of the items in their rows, counted from the middle.
    fn positions(&self) -> Vec<f64> {
        let mut positions = vec![0.0; self.items.len()];
        for row in &self.order {
            for (i, &item) in row.iter().enumerate() {
                positions[item] = i as f64 - (row.len() - 1) as f64 / 2.0;
            }
        }
        positions
    }

    /// Orders the rows so that few edges cross.
    fn untangle(&mut self) {
        let (mut above, mut below) = (vec![Vec::new(); self.items.len()], vec![Vec::new(); self.items.len()]);
        for link in &self.links {
            below[link.from].push(link.to);
            above[link.to].push(link.from);
        }
        let mut best: Option<(usize, Vec<Vec<usize>>)> = None;
        for sweep in 0..SWEEPS {
            let keys = self.group_keys();
            let down = sweep % 2 == 1;
            let num = self.order.len();
            for i in 0..num {
                let row = if down { i } else { num - 1 - i };
                self.sort_row(
                    row,
                    &keys,
                    if i == 0 { None } else { Some(if down { &above } else { &below }) },
                );
            }
            self.exchange_neighbours(&above, &below);
            let crossings = (0..num.saturating_sub(1)).map(|row| self.crossings(row, &below)).sum();
            if best.as_ref().is_none_or(|(least, _)| crossings < *least) {
                best = Some((crossings, self.order.clone()));
            }
        }
        if let Some((_, order)) = best {
            self.order = order;
        }
    }

    /// Where each group would like to stand beside its neighbours: one number for all rows, so that frames do not
    /// cross.
    fn group_keys(&self) -> Vec<f64> {
        let positions = self.positions();
        let mut outside = vec![(0.0, 0.0); self.plan.groups.len()];
        let mut inside = outside.clone();
        for (i, item) in self.items.iter().enumerate() {
            for group in self.plan.around(item.group) {
                inside[group].0 += positions[i];
                inside[group].1 += 1.0;
            }
        }
        for link in &self.links {
            for (here, there) in [(link.from, link.to), (link.to, link.from)] {
                let there_around: Vec<usize> = self.plan.around(self.items[there].group).collect();
                for group in self.plan.around(self.items[here].group) {
                    if !there_around.contains(&group) {
                        outside[group].0 += positions[there];
                        outside[group].1 += 1.0;
                    }
                }
            }
        }
        let key = |group: usize| {
            // A group without neighbours stays where it is.
            let (sum, count) = if outside[group].1 > 0.0 { outside[group] } else { inside[group] };
            // No two are equal: each row must decide alike.
            sum / f64::max(count, 1.0) + group as f64 * 1e-6
        };
        (0..outside.len()).map(key).collect()
    }

    /// Sorts a row by the middle of each item's neighbours in the row that was sorted last.
    fn sort_row(&mut self, row: usize, keys: &[f64], neighbours: Option<&Vec<Vec<usize>>>) {
        let positions = self.positions();
        let middle = |item: usize| {
            let others = neighbours.map_or(&[][..], |neighbours| &neighbours[item][..]);
            if others.is_empty() {
                return positions[item];
            }
            others.iter().map(|&other| positions[other]).sum::<f64>() / others.len() as f64
        };
        // From the outside in: the groups around the item, then the item itself.
        let path = |item: usize| {
            let mut path: Vec<(f64, usize)> =
                self.plan.around(self.items[item].group).map(|group| (keys[group], group)).collect();
            path.reverse();
            path.push((middle(item), usize::MAX));
            path
        };
        let mut sorted: Vec<(Vec<(f64, usize)>, usize)> =
            self.order[row].iter().map(|&item| (path(item), item)).collect();
        sorted.sort_by(|(a, _), (b, _)| {
            let steps = a.iter().zip(b).map(|(a, b)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            steps.fold(Ordering::Equal, Ordering::then)
        });
        self.order[row] = sorted.into_iter().map(|(_, item)| item).collect();
    }

    /// Exchanges neighbours in a row as long as it saves crossings.
    fn exchange_neighbours(&mut self, above: &[Vec<usize>], below: &[Vec<usize>]) {
        for _ in 0..4 {
            let positions = self.positions();
            let mut is_better = false;
            for row in &mut self.order {
                for i in 1..row.len() {
                    let (a, b) = (row[i - 1], row[i]);
                    if self.items[a].group != self.items[b].group {
                        continue;
                    }
                    let crossings = |a: usize, b: usize| {
                        let count = |neighbours: &[Vec<usize>]| {
                            let pairs =
                                neighbours[a].iter().flat_map(|x| neighbours[b].iter().map(move |y| (x, y)));
                            pairs.filter(|&(&x, &y)| positions[x] > positions[y]).count()
                        };
                        count(above) + count(below)
                    };
                    if crossings(b, a) < crossings(a, b) {
                        row.swap(i - 1, i);
                        is_better = true;
                    }
                }
            }
            if !is_better {
                break;
            }
        }
    }

    /// The crossings between a row and the next one.
    fn crossings(&self, row: usize, below: &[Vec<usize>]) -> usize {
        let place: HashMap<usize, usize> =
            self.order[row + 1].iter().enumerate().map(|(i, &item)| (item, i)).collect();
        // How many links so far end at each place.
        let mut ends = vec![0; self.order[row + 1].len()];
        let mut crossings = 0;
        for item in &self.order[row] {
            let here: Vec<usize> = below[*item].iter().map(|to| place[to]).collect();
            crossings += here.iter().map(|&at| ends[at + 1..].iter().sum::<usize>()).sum::<usize>();
            here.iter().for_each(|&at| ends[at] += 1);
        }
        crossings
    }

    /// The middle of each item, then left and right of each frame.
    fn places(&self) -> Option<Vec<i64>> {
        let (left, right) =
            (|group: usize| self.items.len() + 2 * group, |g: usize| self.items.len() + 2 * g + 1);
        let mut spans = Vec::new();
        let mut apart = |from: usize, to: usize, length: i64| {
            spans.push(Span { from, to, length, weight: 0 });
        };
        for row in &self.order {
            // Begin and end of the row are outside of all groups.
            let ends = std::iter::once(None).chain(row.iter().copied().map(Some)).chain([None]);
            for pair in ends.collect::<Vec<_>>().windows(2) {
                let path = |item: Option<usize>| {
                    let mut path: Vec<usize> =
                        self.plan.around(item.and_then(|item| self.items[item].group)).collect();
                    path.reverse();
                    path
                };
                let (closed, opened) = (path(pair[0]), path(pair[1]));
                let same = closed.iter().zip(&opened).take_while(|(a, b)| a == b).count();
                let is_joint = |item: Option<usize>| item.is_some_and(|item| !self.items[item].is_box);
                // What stands next to each other, with half of its width.
                let half = |item: Option<usize>| item.map(|item| (item, self.items[item].width / 2));
                let mut last = half(pair[0]);
                for &group in closed[same..].iter().rev() {
                    if let Some((item, half)) = last {
                        apart(item, right(group), half + PAD);
                    }
                    last = Some((right(group), 0));
                }
                let mut next = half(pair[1]);
                for &group in opened[same..].iter().rev() {
                    if let Some((item, half)) = next {
                        apart(left(group), item, half + PAD);
                    }
                    next = Some((left(group), 0));
                }
                if let (Some((a, half_a)), Some((b, half_b))) = (last, next) {
                    let joints = is_joint(pair[0]) || is_joint(pair[1]);
                    apart(a, b, half_a + half_b + if joints { JOINT_GAP } else { BOX_GAP });
                }
            }
        }
        for (group, &(title, _)) in self.plan.groups.iter().enumerate() {
            spans.push(Span { from: left(group), to: right(group), length: title + 2 * PAD, weight: 2 });
            // Edges enter a frame beside its title.
            for &item in &self.order[self.extent[group].0] {
                if self.plan.around(self.items[item].group).any(|around| around == group) {
                    spans.push(Span { from: left(group), to: item, length: title + PAD + 6, weight: 0 });
                    break;
                }
            }
        }
        // |a - b| is the sum of the distances of both from something on their left.
        let mut num = self.items.len() + 2 * self.plan.groups.len();
        for link in &self.links {
            for end in [link.from, link.to] {
                spans.push(Span { from: num, to: end, length: 0, weight: link.weight });
            }
            num += 1;
        }
        let mut x = solve(num, &spans)?;
        x.truncate(self.items.len() + 2 * self.plan.groups.len());
        let half = |i: usize| self.items.get(i).map_or(0, |item| item.width / 2);
        let least = x.iter().enumerate().map(|(i, x)| x - half(i)).min().unwrap_or(0);
        x.iter_mut().for_each(|x| *x += MARGIN - least);
        Some(x)
    }

    /// The space that each group needs above its first row and below its last one, frames in it included.
    fn frame_heights(&self) -> Vec<(i64, i64)> {
        fn height(rows: &Rows, group: usize) -> (i64, i64) {
            let (first, last) = rows.extent[group];
            let children =
                (0..rows.plan.groups.len()).filter(|&child| rows.plan.groups[child].1 == Some(group));
            children.fold((TITLE + PAD, PAD), |(above, below), child| {
                let (child_above, child_below) = height(rows, child);
                let (child_first, child_last) = rows.extent[child];
                (
                    if child_first == first { above.max(child_above + TITLE + PAD) } else { above },
                    if child_last == last { below.max(child_below + PAD) } else { below },
                )
            })
        }
        (0..self.plan.groups.len()).map(|group| height(self, group)).collect()
    }

    fn measured(&self, x: &[i64]) -> Layout {
        let plan = self.plan;
        let frame_heights = self.frame_heights();
        let num_rows = self.order.len();
        let mut heights = vec![0; num_rows];
        for (i, &(_, height, _)) in plan.boxes.iter().enumerate() {
            heights[self.items[i].row] = height.max(heights[self.items[i].row]);
        }
        let (mut above, mut below) = (vec![0; num_rows], vec![0; num_rows]);
        for (group, &(first, last)) in self.extent.iter().enumerate() {
            if first <= last {
                above[first] = frame_heights[group].0.max(above[first]);
                below[last] = frame_heights[group].1.max(below[last]);
            }
        }
        let mut tops = Vec::with_capacity(num_rows);
        let mut y = MARGIN;
        for row in 0..num_rows {
            y += above[row] + if row > 0 { ROW_GAP } else { 0 };
            tops.push(y);
            y += heights[row] + below[row];
        }
        let boxes: Vec<Rect> = (plan.boxes.iter().enumerate())
            .map(|(i, &(width, height, _))| {
                let row = self.items[i].row;
                Rect {
                    x: (x[i] - width / 2) as f64,
                    y: tops[row] as f64 + (heights[row] - height) as f64 / 2.0,
                    width: width as f64,
                    height: height as f64,
                }
            })
            .collect();
        let frames: Vec<Rect> = (self.extent.iter().enumerate())
            .map(|(group, &(first, last))| {
                let (left, right) = (x[self.items.len() + 2 * group], x[self.items.len() + 2 * group + 1]);
                let top = tops[first] - frame_heights[group].0;
                let bottom = tops[last] + heights[last] + frame_heights[group].1;
                let (width, height) = ((right - left) as f64, (bottom - top) as f64);
                Rect { x: left as f64, y: top as f64, width, height }
            })
            .collect();
        let route = |route: &Vec<usize>| -> Vec<Descent> {
            let descent = |(i, &item): (usize, &usize)| {
                let row = self.items[item].row;
                let (mut top, mut bottom) = (tops[row] as f64, (tops[row] + heights[row]) as f64);
                if i == 0 {
                    top = boxes[item].y + boxes[item].height;
                } else if i == route.len() - 1 {
                    bottom = boxes[item].y;
                }
                Descent { x: x[item] as f64, top, bottom }
            };
            route.iter().enumerate().map(descent).collect()
        };
        let edges = self.routes.iter().map(route).collect();
        let ends = boxes.iter().chain(&frames).map(|rect| rect.x + rect.width);
        let joints = (0..self.items.len()).map(|i| x[i] as f64);
        let width = ends.chain(joints).fold(0.0, f64::max) + MARGIN as f64;
        Layout { width, height: (y + MARGIN) as f64, boxes, frames, edges }
    }
}
