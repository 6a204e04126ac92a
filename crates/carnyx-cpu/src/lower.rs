//! Graph → tasks: which kernel, which operands, and where every value lies.
//!
//! Three decisions are made here. *Where values lie*: a reshape lies where its operand does, a new value of a
//! variable is written over the old one if nobody reads that any more, everything else gets a lifetime for the
//! planner. *Which kernel* runs an instruction: the exhaustive match in `kernels_of`. *How it is cut* into chunks
//! for the team: by output, so that no result depends on the number of threads.

mod facts;
mod kernels;
mod products;

use crate::cpu::Cpu;
use crate::memory::{ARENA, CONSTANTS, FIRST_SLOT, LINE, Memory, Place};
use crate::plan::{Lifetime, assign_offsets};
use crate::program::{CpuProgram, OutputPlace, RunNumbers, VariableSlot};
use crate::region::{RegionContext, TileProgram};
use crate::step::{KernelCall, Origin, Step, Task};
use carnyx_graph::Array;
use carnyx_graph::array::Storage;
use carnyx_graph::graph::{Body, Graph, Id, Instruction, Region};
use carnyx_graph::op::Op;
use std::sync::Mutex;

pub use facts::{facts_of, facts_without_graph};

/// Element operations below which a task stays on one thread: handing a chunk over costs about as much.
const SHARED_WORK: usize = 48 << 10;

/// Compiles an optimised graph.
pub fn lower(cpu: &Cpu, graph: &Graph) -> CpuProgram {
    let homes = Homes::of(graph);
    let mut lowering = Lowering {
        cpu,
        graph,
        constants: Vec::new(),
        buffers: homes.lifetimes.clone(),
        places: Vec::new(),
        tasks: Vec::new(),
        origin: Origin { instruction: 0, is_copy: false, bytes: 0, flops: 0 },
        scratch_bytes: 0,
    };
    // Two rounds: the first only learns which temporary buffers the steps need, the second knows all offsets.
    let offsets = lowering.dry_run(&homes);
    lowering.emit_all(&homes, &offsets);
    lowering.finish(&homes, &offsets.0)
}

/// Where a value lies, before offsets are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// A buffer of the planner.
    Buffer(usize),
    /// A slot: input, captured constant or variable, by base number.
    Base(u32),
    /// Among the program's constants: placed when the instruction is lowered.
    Constant,
    /// The value of a region that only its parts use.
    None,
}

/// Where every value lies, and what must be copied at the end.
struct Homes {
    values: Vec<Home>,
    lifetimes: Vec<Lifetime>,
    /// For regions: the homes of all results.
    results: Vec<Vec<Home>>,
    /// Values that are copied into a variable at the end: (variable slot, value).
    assigned: Vec<(usize, Id)>,
    /// Values that are copied into an output's buffer at the end: (value, buffer).
    copied_outputs: Vec<(Id, usize)>,
    /// The home of each output.
    outputs: Vec<Home>,
    /// The buffers that rows of inputs are gathered to.
    gathered: Vec<usize>,
    first_variable: u32,
}

fn resolve_alias(graph: &Graph, mut id: Id) -> Id {
    while matches!(graph.instructions[id].body, Body::Op(Op::Reshape(_))) {
        id = graph.instructions[id].operands[0];
    }
    id
}

/// The region and the number of its result that a value is, if it is one.
fn region_result(graph: &Graph, id: Id) -> Option<(Id, usize)> {
    match &graph.instructions[id].body {
        Body::Region(_) => Some((id, 0)),
        Body::Part(index) => Some((graph.instructions[id].operands[0], *index)),
        _ => None,
    }
}

impl Homes {
    fn of(graph: &Graph) -> Homes {
        let count = graph.instructions.len();
        let end = count + 1;
        let first_captured = FIRST_SLOT + graph.inputs.len() as u32;
        let first_variable = first_captured + graph.captured.len() as u32;
        let mut last_use = vec![0; count];
        for (id, instruction) in graph.instructions.iter().enumerate() {
            for &operand in &instruction.operands {
                last_use[resolve_alias(graph, operand)] = id;
            }
        }
        let ends = graph.outputs.iter().chain(graph.updates.iter().map(|(_, id)| id));
        ends.for_each(|&id| last_use[resolve_alias(graph, id)] = end);
        // A part of a region lives in the region's results; its uses are its own.
        let in_place = updates_in_place(graph, &last_use);

        let mut homes = Homes {
            values: vec![Home::None; count],
            lifetimes: Vec::new(),
            results: vec![Vec::new(); count],
            assigned: Vec::new(),
            copied_outputs: Vec::new(),
            outputs: Vec::new(),
            gathered: Vec::new(),
            first_variable,
        };
        for input in &graph.inputs {
            let bytes = input.sizes.iter().product::<usize>() * input.dtype.size();
            let buffer = homes.buffer(bytes, 0, end);
            homes.gathered.push(buffer);
        }
        for (id, instruction) in graph.instructions.iter().enumerate() {
            let home = match &instruction.body {
                Body::Input(slot) => Home::Base(FIRST_SLOT + *slot as u32),
                Body::Captured(slot) => Home::Base(first_captured + *slot as u32),
                Body::Read(slot) => Home::Base(first_variable + *slot as u32),
                Body::Op(Op::Constant(_) | Op::Iota(_)) => Home::Constant,
                Body::Op(Op::Reshape(_)) => homes.values[instruction.operands[0]],
                Body::Part(index) => homes.results[instruction.operands[0]][*index],
                Body::Op(_) => homes.buffer_or_variable(&in_place, id, instruction.bytes(), id, last_use[id]),
                Body::Region(region) => {
                    let parts = parts_of(graph, id, region.results.len());
                    let results: Vec<Home> = parts
                        .iter()
                        .map(|&part| {
                            let bytes = part.map_or(0, |part| graph.instructions[part].bytes());
                            let last = part.map_or(id, |part| last_use[part].max(id));
                            homes.buffer_or_variable(&in_place, part.unwrap_or(id), bytes, id, last)
                        })
                        .collect();
                    homes.results[id].clone_from(&results);
                    results[0]
                }
            };
            homes.values[id] = home;
        }
        for &(slot, id) in &graph.updates {
            if homes.values[id] != Home::Base(first_variable + slot as u32) {
                homes.assigned.push((slot, id));
            }
        }
        for &id in &graph.outputs {
            // What a session shows after a run must lie in its own memory.
            let home = match homes.values[id] {
                Home::Buffer(buffer) => Home::Buffer(buffer),
                Home::Base(_) | Home::Constant | Home::None => {
                    let buffer = homes.buffer(graph.instructions[id].bytes(), count, end);
                    homes.copied_outputs.push((id, buffer));
                    Home::Buffer(buffer)
                }
            };
            homes.outputs.push(home);
        }
        homes
    }

    fn buffer(&mut self, bytes: usize, first: usize, last: usize) -> usize {
        self.lifetimes.push(Lifetime { bytes, first, last: last.max(first) });
        self.lifetimes.len() - 1
    }

    fn buffer_or_variable(
        &mut self,
        in_place: &[(usize, Id)],
        id: Id,
        bytes: usize,
        first: usize,
        last: usize,
    ) -> Home {
        match in_place.iter().find(|(_, value)| *value == id) {
            Some((slot, _)) => Home::Base(self.first_variable + *slot as u32),
            None => Home::Buffer(self.buffer(bytes, first, last)),
        }
    }
}

/// The instruction that stands for each result of a region: the region itself for the first, its parts for others.
fn parts_of(graph: &Graph, region: Id, results: usize) -> Vec<Option<Id>> {
    let mut parts = vec![None; results];
    parts[0] = Some(region);
    for (id, instruction) in graph.instructions.iter().enumerate().skip(region + 1) {
        if let Body::Part(index) = instruction.body
            && instruction.operands[0] == region
        {
            parts[index] = Some(id);
        }
    }
    parts
}

/// The updates whose value can be written over the variable's old value: (variable slot, value).
///
/// Nobody may read the old value after the step that writes; that step itself may, element by element. Nothing is
/// written before the guard has been looked at.
fn updates_in_place(graph: &Graph, last_use: &[usize]) -> Vec<(usize, Id)> {
    let mut last_read = vec![0; graph.variables.len()];
    for (id, instruction) in graph.instructions.iter().enumerate() {
        if let Body::Read(slot) = instruction.body {
            last_read[slot] = last_read[slot].max(last_use[id]);
        }
    }
    let mut in_place: Vec<(usize, Id)> = Vec::new();
    for &(slot, value) in &graph.updates {
        let value = resolve_alias(graph, value);
        let Some((region, _)) = region_result(graph, value) else { continue };
        let reads_aligned = last_read[slot] < region
            || (last_read[slot] == region && reads_element_by_element(graph, region, slot));
        let after_guard = graph.guard.is_none_or(|guard| region > resolve_alias(graph, guard));
        let taken = in_place.iter().any(|&(_, other)| other == value);
        if reads_aligned && after_guard && !taken {
            in_place.push((slot, value));
        }
    }
    in_place
}

/// Whether `region` uses variable `slot` only as an operand of its own shape outside of a matrix product.
fn reads_element_by_element(graph: &Graph, region: Id, slot: usize) -> bool {
    let instruction = &graph.instructions[region];
    let Body::Region(Region { body, .. }) = &instruction.body else { return false };
    instruction.operands.iter().enumerate().all(|(operand, &id)| {
        let source = &graph.instructions[resolve_alias(graph, id)];
        if !matches!(source.body, Body::Read(read) if read == slot) {
            return true;
        }
        let uses = body.iter().filter(|inner| inner.operands.contains(&operand));
        graph.instructions[id].sizes == instruction.sizes
            && uses.into_iter().all(|inner| matches!(&inner.body, Body::Op(op) if op.is_elementwise()))
    })
}

/// The state of lowering one graph.
struct Lowering<'a> {
    cpu: &'a Cpu,
    graph: &'a Graph,
    constants: Vec<u8>,
    buffers: Vec<Lifetime>,
    places: Vec<Place>,
    tasks: Vec<Task>,
    /// What the next task is made of.
    origin: Origin,
    scratch_bytes: usize,
}

impl<'a> Lowering<'a> {
    /// Lowers everything once with made-up offsets, to learn which temporary buffers there are. They are all
    /// different, so that every decision is the same as with the real ones.
    fn dry_run(&mut self, homes: &Homes) -> (Vec<usize>, usize) {
        let unknown = (0..self.buffers.len()).map(|buffer| buffer * LINE).collect();
        self.emit_all(homes, &(unknown, 0));
        let offsets = plan(&self.buffers);
        self.buffers.clone_from(&homes.lifetimes);
        self.constants.clear();
        self.tasks.clear();
        offsets
    }

    fn emit_all(&mut self, homes: &Homes, offsets: &(Vec<usize>, usize)) {
        self.places = vec![Place { base: ARENA, offset: 0 }; self.graph.instructions.len()];
        let place = |home: Home| match home {
            Home::Buffer(buffer) => Place { base: ARENA, offset: offsets.0[buffer] },
            Home::Base(base) => Place { base, offset: 0 },
            Home::Constant | Home::None => Place { base: CONSTANTS, offset: 0 },
        };
        for (id, instruction) in self.graph.instructions.iter().enumerate() {
            self.places[id] = match homes.values[id] {
                Home::Constant if matches!(instruction.body, Body::Op(Op::Reshape(_))) => {
                    self.places[instruction.operands[0]]
                }
                Home::Constant => self.constant_of(instruction),
                home => place(home),
            };
            self.origin = facts::origin_of(self.graph, id);
            match &instruction.body {
                Body::Region(region) => {
                    let results: Vec<Place> = homes.results[id].iter().map(|&home| place(home)).collect();
                    self.emit_region(id, region, &results, &offsets.0);
                }
                Body::Op(op) => self.emit_op(id, op, &offsets.0),
                Body::Input(_) | Body::Captured(_) | Body::Read(_) | Body::Part(_) => {}
            }
            if self.graph.guard == Some(id) {
                self.push(Step::Guard(self.places[id], instruction.dtype), 1);
            }
        }
        let end = self.graph.instructions.len();
        for &(id, buffer) in &homes.copied_outputs {
            self.copy(id, Place { base: ARENA, offset: offsets.0[buffer] });
        }
        // A variable's new value may be another variable's old one: all are read before any is written.
        let mut writes = Vec::new();
        for &(slot, id) in &homes.assigned {
            let mut from = self.places[id];
            if from.base >= homes.first_variable {
                let kept = self.temporary(self.graph.instructions[id].bytes(), end, &offsets.0);
                self.copy(id, kept);
                from = kept;
            }
            writes.push((from, Place { base: homes.first_variable + slot as u32, offset: 0 }, id));
        }
        for (from, to, id) in writes {
            self.push_copy(id, from, to);
        }
    }

    fn finish(self, homes: &Homes, planned: &[usize]) -> CpuProgram {
        let (offsets, bytes) = plan(&self.buffers);
        assert_eq!(offsets, planned, "both rounds ask for the same buffers");
        let constants = Memory::new(self.constants.len());
        // SAFETY: the memory holds that many bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(self.constants.as_ptr(), constants.start(), self.constants.len());
        }
        let graph = self.graph;
        let place = |home: &Home| match home {
            Home::Buffer(buffer) => Place { base: ARENA, offset: offsets[*buffer] },
            _ => unreachable!("outputs lie in buffers"),
        };
        let outputs = homes.outputs.iter().zip(&graph.outputs).map(|(home, &id)| OutputPlace {
            place: place(home),
            sizes: graph.instructions[id].sizes.clone(),
            dtype: graph.instructions[id].dtype,
        });
        let gathered = homes.gathered.iter().map(|&buffer| Place { base: ARENA, offset: offsets[buffer] });
        let updated = |slot: usize| graph.updates.iter().any(|(updated, _)| *updated == slot);
        let variables = graph.variables.iter().enumerate().map(|(slot, variable)| VariableSlot {
            sizes: variable.shape().unwrap_or_default(),
            dtype: variable.dtype(),
            updated: updated(slot),
        });
        CpuProgram {
            team: self.cpu.team().clone(),
            recorder: self.cpu.recorder().clone(),
            isa: self.cpu.isa(),
            constants,
            inputs: graph.inputs.clone(),
            gathered: gathered.collect(),
            captured: graph.captured.iter().map(|array| (array.shape().to_vec(), array.dtype())).collect(),
            variables: variables.collect(),
            outputs: outputs.collect(),
            arena_bytes: bytes.next_multiple_of(LINE),
            scratch_bytes: self.scratch_bytes.next_multiple_of(LINE),
            tasks: self.tasks,
            spare: Mutex::new(None),
        }
    }

    fn threads(&self) -> usize {
        self.cpu.team().threads()
    }

    fn push(&mut self, step: Step, chunks: usize) {
        self.tasks.push(Task { step, chunks: chunks.max(1), origin: self.origin });
        (self.origin.bytes, self.origin.flops) = (0, 0);
    }

    fn kernel(&mut self, chunks: usize, call: impl Fn(crate::step::Part) + Send + Sync + 'static) {
        self.push(Step::Kernel(Box::new(call)), chunks);
    }

    fn scratch(&mut self, bytes: usize) {
        self.scratch_bytes = self.scratch_bytes.max(bytes);
    }

    fn instruction(&self, id: Id) -> &'a Instruction {
        &self.graph.instructions[id]
    }

    /// The operand `i` of instruction `id`.
    fn operand(&self, id: Id, i: usize) -> (&'a Instruction, Place) {
        let operand = self.graph.instructions[id].operands[i];
        (&self.graph.instructions[operand], self.places[operand])
    }

    /// How many chunks `work` element operations are cut into.
    fn chunks_for(&self, work: usize) -> usize {
        if self.threads() == 1 || work < SHARED_WORK {
            1
        } else {
            (work * 2 / SHARED_WORK).min(2 * self.threads())
        }
    }

    /// A buffer that lives while instruction `id` runs. In the dry run it only makes itself known.
    fn temporary(&mut self, bytes: usize, id: Id, offsets: &[usize]) -> Place {
        self.buffers.push(Lifetime { bytes, first: id, last: id });
        let buffer = self.buffers.len() - 1;
        Place { base: ARENA, offset: offsets.get(buffer).copied().unwrap_or(buffer * LINE) }
    }

    fn copy(&mut self, id: Id, to: Place) {
        self.push_copy(id, self.places[id], to);
    }

    /// A copy of the value of `id`.
    fn push_copy(&mut self, id: Id, from: Place, to: Place) {
        let bytes = self.instruction(id).bytes();
        self.origin = Origin { instruction: id, is_copy: true, bytes: 2 * bytes as u64, flops: 0 };
        self.push(Step::Kernel(copy_bytes(from, to, bytes)), 1);
    }

    /// Where the bytes of a known array lie among the program's constants.
    fn constant(&mut self, array: &Array) -> Place {
        let offset = self.constants.len().next_multiple_of(LINE);
        self.constants.resize(offset, 0);
        match array.storage() {
            Storage::F32(data) => {
                data.iter().for_each(|v| self.constants.extend_from_slice(&v.to_ne_bytes()))
            }
            Storage::F64(data) => {
                data.iter().for_each(|v| self.constants.extend_from_slice(&v.to_ne_bytes()))
            }
            Storage::I32(data) => {
                data.iter().for_each(|v| self.constants.extend_from_slice(&v.to_ne_bytes()))
            }
            Storage::I64(data) => {
                data.iter().for_each(|v| self.constants.extend_from_slice(&v.to_ne_bytes()))
            }
            Storage::U8(data) => self.constants.extend_from_slice(data),
            Storage::Bool(data) => self.constants.extend(data.iter().map(|&v| u8::from(v))),
        }
        Place { base: CONSTANTS, offset }
    }

    fn constant_of(&mut self, instruction: &Instruction) -> Place {
        match &instruction.body {
            Body::Op(Op::Constant(array)) => self.constant(array),
            Body::Op(Op::Iota(axis)) => {
                let inner: usize = instruction.sizes[axis + 1..].iter().product();
                let size = instruction.sizes[*axis];
                let count = Array::from_fn(&instruction.sizes[..], |i| (i / inner % size) as i64);
                self.constant(&count.cast(instruction.dtype))
            }
            _ => unreachable!("only constants lie among the constants"),
        }
    }

    fn emit_region(&mut self, id: Id, region: &Region, results: &[Place], offsets: &[usize]) {
        if region.body.iter().any(|inner| matches!(&inner.body, Body::Op(Op::Dot { .. }))) {
            self.emit_product_region(id, region, results, offsets);
            return;
        }
        let tiles = self.tile_program(id, region, results, None);
        let chunks = self.chunks_for(tiles.elements() * tiles.cost());
        self.push(Step::Region(tiles), chunks);
    }

    fn tile_program(
        &mut self,
        id: Id,
        region: &Region,
        results: &[Place],
        product: Option<(Id, Place)>,
    ) -> TileProgram {
        let operands = &self.instruction(id).operands;
        let instructions: Vec<&Instruction> =
            operands.iter().map(|&operand| self.instruction(operand)).collect();
        let places: Vec<Place> = operands.iter().map(|&operand| self.places[operand]).collect();
        let isa = self.cpu.isa();
        let mut constant = |array: &Array| self.constant(array);
        let mut context = RegionContext {
            operands: &instructions,
            places: &places,
            results,
            constant: &mut constant,
            product,
        };
        let tiles = TileProgram::lower(isa, region, &mut context);
        self.scratch(tiles.scratch_bytes());
        tiles
    }
}

/// Offsets behind the run's numbers, which lie at the start of the arena.
fn plan(buffers: &[Lifetime]) -> (Vec<usize>, usize) {
    let header = size_of::<RunNumbers>().next_multiple_of(LINE);
    let (offsets, bytes) = assign_offsets(buffers);
    (offsets.into_iter().map(|offset| offset + header).collect(), bytes + header)
}

fn copy_bytes(from: Place, to: Place, bytes: usize) -> KernelCall {
    Box::new(move |part| {
        // SAFETY: both places hold `bytes` and are different values.
        unsafe { std::ptr::copy_nonoverlapping(part.bases.at(from), part.bases.at(to), bytes) };
    })
}
