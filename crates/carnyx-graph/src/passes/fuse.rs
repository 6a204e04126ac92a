//! Element-wise operations of one shape become regions that an executor runs in one pass over memory; a matrix
//! product that only feeds a region becomes its first operation.
//!
//! Operations join along the edges between producer and consumer, as long as no path leaves the region and comes
//! back. Broadcasts and single numbers belong to each region that uses them. Every element-wise operation ends up
//! in a region, so executors know no element-wise instruction outside of one.

use super::{Renumbering, drop_unused};
use crate::DType;
use crate::graph::{Body, Graph, Id, Instruction, Region};
use crate::op::Op;
use std::collections::HashMap;

/// More operations than this in one region would not keep their values in the fastest cache.
const MOST_OPERATIONS: usize = 48;

/// The graph with element-wise operations gathered into regions.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Graph, Tensor, passes::fuse};
/// let x = Tensor::from(&Array::full([32, 784], 1f32));
/// let kernel = Tensor::from(&Array::full([784, 300], 1f32));
/// let bias = Tensor::from(&Array::full([300], 1f32));
/// let y = (x.matmul(kernel) + bias).relu();
/// assert_eq!(fuse(&Graph::capture(&[y], &[])?).to_string(), "\
/// %0: f32[32, 784] = captured 0
/// %1: f32[784, 300] = captured 1
/// %2: f32[300] = captured 2
/// %3: f32[32, 300] = region %0 %1 %2 {
///   %3: f32[32, 300] = dot %0 %1
///   %4: f32[32, 300] = broadcast %2
///   %5: f32[32, 300] = add %3 %4
///   %6: f32 = constant 0
///   %7: f32[32, 300] = broadcast %6
///   %8: f32[32, 300] = maximum %5 %7
/// } yields %8
/// outputs: %3
/// ");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn fuse(graph: &Graph) -> Graph {
    let groups = Groups::of(graph);
    let mut written = Renumbering::new(graph);
    for id in groups.order(graph) {
        let members = &groups.members[groups.group[id]];
        if members.is_empty() {
            let new = written.push(&graph.instructions[id], graph.instructions[id].body.clone());
            written.map(id, new);
        } else if members.last() == Some(&id) {
            write_region(graph, &groups, members, &mut written);
        }
    }
    drop_unused(&written.finish())
}

fn body_op(instruction: &Instruction) -> Option<&Op> {
    match &instruction.body {
        Body::Op(op) => Some(op),
        _ => None,
    }
}

/// Values that each region computes for itself: broadcasts, single known numbers, and comparisons with such — a
/// mask costs less to compute twice than to keep.
fn is_free(graph: &Graph, id: Id) -> bool {
    let instruction = &graph.instructions[id];
    match body_op(instruction) {
        Some(Op::Broadcast(_)) => true,
        Some(Op::Constant(array)) => array.len() == 1,
        Some(Op::Binary(binary)) if binary.is_comparison() => {
            instruction.operands.iter().any(|&operand| is_known_number(graph, operand))
        }
        _ => false,
    }
}

fn is_known_number(graph: &Graph, id: Id) -> bool {
    match body_op(&graph.instructions[id]) {
        Some(Op::Broadcast(_)) => is_known_number(graph, graph.instructions[id].operands[0]),
        Some(Op::Constant(array)) => array.len() == 1,
        _ => false,
    }
}

/// Which instructions run together. A group without members is one instruction that stays as it is.
struct Groups {
    group: Vec<usize>,
    members: Vec<Vec<Id>>,
}

impl Groups {
    fn of(graph: &Graph) -> Groups {
        let count = graph.instructions.len();
        let mut groups = Groups { group: (0..count).collect(), members: vec![Vec::new(); count] };
        for (id, instruction) in graph.instructions.iter().enumerate() {
            if body_op(instruction).is_some_and(Op::is_elementwise) && !is_free(graph, id) {
                groups.members[id] = vec![id];
                groups.join_producers(graph, id);
            }
        }
        groups.absorb_products(graph);
        groups.keep_needed_broadcasts(graph);
        groups
    }

    /// Joins the group of `id` with those of its operands, where shapes agree and no cycle appears.
    fn join_producers(&mut self, graph: &Graph, id: Id) {
        for &operand in &graph.instructions[id].operands {
            let (own, other) = (self.group[id], self.group[operand]);
            let joins = own != other
                && !self.members[other].is_empty()
                && graph.instructions[operand].sizes == graph.instructions[id].sizes
                && self.members[own].len() + self.members[other].len() <= MOST_OPERATIONS
                && !self.has_path_outside(graph, other, own)
                && !self.has_path_outside(graph, own, other);
            if joins {
                let moved = std::mem::take(&mut self.members[own]);
                moved.iter().for_each(|&member| self.group[member] = other);
                self.members[other].extend(moved);
                self.members[other].sort_unstable();
            }
        }
    }

    /// The groups whose values the group `of` uses, itself excluded; free values are looked through.
    fn operands_of(&self, graph: &Graph, of: usize) -> Vec<usize> {
        let single = [of];
        let members = if self.members[of].is_empty() { &single[..] } else { &self.members[of] };
        let mut pending: Vec<Id> =
            members.iter().flat_map(|&member| graph.instructions[member].operands.iter().copied()).collect();
        let mut groups = Vec::new();
        while let Some(id) = pending.pop() {
            if self.group[id] != of {
                groups.push(self.group[id]);
            }
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Whether `to` depends on `from` through a third group.
    fn has_path_outside(&self, graph: &Graph, from: usize, to: usize) -> bool {
        let first = self.members[from].first().copied().unwrap_or(from);
        let mut seen = vec![false; self.group.len()];
        let mut pending: Vec<usize> =
            self.operands_of(graph, to).into_iter().filter(|&g| g != from).collect();
        while let Some(group) = pending.pop() {
            if group == from {
                return true;
            }
            // Operands come before results: what ends before `from` begins cannot depend on it.
            let last = self.members[group].last().copied().unwrap_or(group);
            if !std::mem::replace(&mut seen[group], true) && last >= first {
                pending.extend(self.operands_of(graph, group));
            }
        }
        false
    }

    /// A matrix product joins the group that alone uses it.
    fn absorb_products(&mut self, graph: &Graph) {
        let uses = graph.uses();
        for (id, instruction) in graph.instructions.iter().enumerate() {
            let is_product = matches!(body_op(instruction), Some(Op::Dot { .. }))
                && instruction.dtype == DType::F32
                && graph.instructions[instruction.operands[1]].sizes.len() == 2;
            if !is_product {
                continue;
            }
            let users = graph.instructions.iter().enumerate().filter(|(_, user)| user.operands.contains(&id));
            let users: Vec<usize> = users.map(|(user, _)| self.group[user]).collect();
            let used =
                graph.instructions.iter().map(|i| i.operands.iter().filter(|&&o| o == id).count()).sum();
            let Some(&group) = users.first() else { continue };
            let alone = uses[id] == used && users.iter().all(|&user| user == group);
            let fits = alone
                && self.members[group].first().is_some_and(|&first| {
                    graph.instructions[first].sizes == instruction.sizes
                        && !self.members[group]
                            .iter()
                            .any(|&m| matches!(body_op(&graph.instructions[m]), Some(Op::Dot { .. })))
                });
            if fits {
                self.group[id] = group;
                self.members[group].insert(0, id);
                self.members[group].sort_unstable();
            }
        }
    }

    /// A broadcast or a number that somebody outside of regions uses is a region of its own.
    fn keep_needed_broadcasts(&mut self, graph: &Graph) {
        let mut needed: Vec<Id> = graph.outputs.clone();
        needed.extend(graph.updates.iter().map(|(_, id)| *id));
        needed.extend(graph.guard);
        for (id, instruction) in graph.instructions.iter().enumerate() {
            let in_region = !self.members[self.group[id]].is_empty();
            if !in_region && !is_free(graph, id) {
                needed.extend(&instruction.operands);
            }
            // Within a region a product is computed from values outside of it.
            if in_region && matches!(body_op(instruction), Some(Op::Dot { .. })) {
                needed.extend(&instruction.operands);
            }
        }
        for id in needed {
            if is_free(graph, id) && self.members[self.group[id]].is_empty() {
                self.members[id] = vec![id];
            }
        }
    }

    /// Whether anything outside of `group` needs the value of `id`, perhaps through a free value.
    fn is_used_outside(&self, graph: &Graph, id: Id, group: usize) -> bool {
        let mut ends = graph.outputs.iter().chain(graph.updates.iter().map(|(_, id)| id)).chain(&graph.guard);
        ends.any(|&end| end == id)
            || graph.instructions.iter().enumerate().filter(|(_, user)| user.operands.contains(&id)).any(
                |(user, _)| {
                    let is_inlined = self.members[self.group[user]].is_empty() && is_free(graph, user);
                    if is_inlined {
                        self.is_used_outside(graph, user, group)
                    } else {
                        self.group[user] != group
                    }
                },
            )
    }

    /// The instructions in an order in which every group's operands come before the group's last member.
    fn order(&self, graph: &Graph) -> Vec<Id> {
        let count = graph.instructions.len();
        let (mut order, mut state) = (Vec::with_capacity(count), vec![0u8; count]);
        for root in 0..count {
            let mut pending = vec![(self.group[root], false)];
            while let Some((group, operands_done)) = pending.pop() {
                if operands_done {
                    if self.members[group].is_empty() {
                        order.push(group);
                    } else {
                        order.extend(&self.members[group]);
                    }
                    continue;
                }
                if std::mem::replace(&mut state[group], 1) == 0 {
                    pending.push((group, true));
                    pending.extend(self.operands_of(graph, group).into_iter().rev().map(|g| (g, false)));
                }
            }
        }
        order
    }
}

/// Writes the region of `members` and maps each value that is used outside to it.
fn write_region(graph: &Graph, groups: &Groups, members: &[Id], written: &mut Renumbering) {
    let group = groups.group[members[0]];
    let mut plan =
        RegionPlan { graph, groups, group, operands: Vec::new(), body: Vec::new(), local: HashMap::new() };
    members.iter().for_each(|&member| plan.find_operands(member));
    members.iter().for_each(|&member| {
        plan.place(member);
    });
    let results: Vec<Id> =
        members.iter().copied().filter(|&id| groups.is_used_outside(graph, id, group)).collect();
    let Some(&first) = results.first() else { return };
    let operands: Vec<Id> = plan.operands.iter().map(|&id| written.of(id)).collect();
    let local = results.iter().map(|id| plan.local[id]).collect();
    let last = &graph.instructions[*members.last().expect("a region has members")];
    let region = Instruction {
        body: Body::Region(Region { body: plan.body, results: local }),
        operands,
        scope: last.scope.clone(),
        site: last.site,
        ..graph.instructions[first].clone()
    };
    let number = written.new.push(region);
    written.map(first, number);
    for (index, &id) in results.iter().enumerate().skip(1) {
        let part =
            Instruction { body: Body::Part(index), operands: vec![number], ..graph.instructions[id].clone() };
        let part = written.new.push(part);
        written.map(id, part);
    }
}

/// The inside of a region while it is being written.
struct RegionPlan<'a> {
    graph: &'a Graph,
    groups: &'a Groups,
    group: usize,
    operands: Vec<Id>,
    body: Vec<Instruction>,
    local: HashMap<Id, Id>,
}

impl RegionPlan<'_> {
    fn is_inside(&self, id: Id) -> bool {
        self.groups.group[id] == self.group && !self.groups.members[self.group].is_empty()
    }

    /// Numbers the values that come from outside: they are the region's operands.
    fn find_operands(&mut self, id: Id) {
        let product = matches!(body_op(&self.graph.instructions[id]), Some(Op::Dot { .. }));
        for &operand in &self.graph.instructions[id].operands {
            if self.is_inside(operand) {
                continue;
            }
            if is_free(self.graph, operand) && !product {
                self.find_operands(operand);
            } else if !self.local.contains_key(&operand) {
                self.local.insert(operand, self.operands.len());
                self.operands.push(operand);
            }
        }
    }

    /// Writes `id` and the free values it uses into the body.
    fn place(&mut self, id: Id) -> Id {
        if let Some(&local) = self.local.get(&id) {
            return local;
        }
        let instruction = &self.graph.instructions[id];
        let operands: Vec<Id> = instruction.operands.iter().map(|&operand| self.place(operand)).collect();
        self.body.push(Instruction { operands, ..instruction.clone() });
        let local = self.operands.len() + self.body.len() - 1;
        self.local.insert(id, local);
        local
    }
}
