//! A compiled graph, and its runs.
//!
//! A [`CpuProgram`] is immutable: tasks, constants, and where every value lies. A [`CpuSession`] adds the memory.
//! A run binds addresses (inputs, constants, variables), runs the tasks one after another, each cut into chunks for
//! the team, and gives the variables back. It allocates nothing. Invariant: variables that the program updates are
//! checked out for the whole run, so nobody sees half a step.

use crate::bindings::{check_bindings, check_variables, no_value};
use crate::isa::Isa;
use crate::kernels::movement::gather_rows;
use crate::lower::{facts_of, facts_without_graph};
use crate::memory::{ARENA, Bases, FIRST_SLOT, Memory, Place};
use crate::recorder::{Nobody, Recorder, Stamps, Watch};
use crate::step::{Part, Step, Task, even_part};
use crate::threads::Team;
use carnyx_graph::executor::{Bindings, Feed, Outcome, Program, Session};
use carnyx_graph::graph::InputSlot;
use carnyx_graph::trace::TaskFacts;
use carnyx_graph::{Array, DType, Graph, Result, Variable, passes};
use std::sync::{Arc, Mutex};

/// What is known of a variable slot.
pub struct VariableSlot {
    /// The shape its variable must have.
    pub sizes: Vec<usize>,
    /// The type its variable must have.
    pub dtype: DType,
    /// Whether the program changes it.
    pub updated: bool,
}

/// An output of the program.
pub struct OutputPlace {
    /// Where it lies.
    pub place: Place,
    /// Its sizes.
    pub sizes: Vec<usize>,
    /// Its type.
    pub dtype: DType,
}

/// A compiled graph: immutable, shared between threads.
pub struct CpuProgram {
    pub(crate) team: Arc<Team>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) isa: Isa,
    pub(crate) tasks: Vec<Task>,
    pub(crate) constants: Memory,
    /// What each input slot must be given.
    pub(crate) inputs: Vec<InputSlot>,
    /// Where rows of each input are gathered to.
    pub(crate) gathered: Vec<Place>,
    pub(crate) captured: Vec<(Vec<usize>, DType)>,
    pub(crate) variables: Vec<VariableSlot>,
    pub(crate) outputs: Vec<OutputPlace>,
    /// Bytes of values, then of scratch memory for each worker.
    pub(crate) arena_bytes: usize,
    pub(crate) scratch_bytes: usize,
    /// Memory of a session that has ended, for the next one.
    pub(crate) spare: Mutex<Option<Memory>>,
}

impl Program for CpuProgram {
    fn session(self: Arc<Self>) -> Box<dyn Session> {
        let spare = self.spare.lock().map_or(None, |mut spare| spare.take());
        let memory = spare.unwrap_or_else(|| Memory::new(self.memory()));
        let mut bases = vec![std::ptr::null_mut(); FIRST_SLOT as usize];
        let slots = self.gathered.len() + self.captured.len() + self.variables.len();
        bases.resize(bases.len() + slots, std::ptr::null_mut());
        bases[ARENA as usize] = memory.start();
        bases[1] = self.constants.start();
        let held = (0..self.variables.len()).map(|_| None).collect();
        let order = (0..self.variables.len()).collect();
        let bound = Vec::with_capacity(self.variables.len());
        Box::new(CpuSession {
            memory: Some(memory),
            bases: Addresses(bases),
            held,
            bound,
            order,
            stamps: None,
            facts: None,
            program: self,
        })
    }

    fn memory(&self) -> usize {
        self.arena_bytes + self.scratch_bytes * self.team.threads()
    }
}

/// The base addresses of a session; they are bound anew for each run.
struct Addresses(Vec<*mut u8>);

// SAFETY: addresses are only followed during a run, which holds what they point to.
unsafe impl Send for Addresses {}

/// A program with memory of its own.
struct CpuSession {
    program: Arc<CpuProgram>,
    memory: Option<Memory>,
    bases: Addresses,
    /// The arrays of variables during a run.
    held: Vec<Option<Array>>,
    /// The variables of the last run, which need no second check, and their slots in the order of checking out.
    bound: Vec<u64>,
    order: Vec<usize>,
    /// When each thread was at which task, and what is known of the tasks: for recordings, from the first one on.
    stamps: Option<Box<Stamps>>,
    facts: Option<Arc<[TaskFacts]>>,
}

impl Drop for CpuSession {
    fn drop(&mut self) {
        if let Ok(mut spare) = self.program.spare.lock() {
            *spare = self.memory.take();
        }
    }
}

/// Gives checked-out variables back when a run ends, however it ends.
struct Held<'a> {
    arrays: &'a mut [Option<Array>],
    slots: &'a [VariableSlot],
    variables: &'a [Variable],
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for ((held, slot), variable) in self.arrays.iter_mut().zip(self.slots).zip(self.variables) {
            match held.take() {
                Some(array) if slot.updated => variable.check_in(array),
                _ => {}
            }
        }
    }
}

impl Session for CpuSession {
    fn run(&mut self, bindings: &Bindings) -> Result<Outcome> {
        if self.program.recorder.is_on() {
            self.run_recorded(bindings)
        } else {
            self.run_watched(bindings, &Nobody)
        }
    }

    fn output(&self, index: usize) -> Array {
        let output = &self.program.outputs[index];
        let address = Bases(&self.bases.0).at(output.place);
        let elements: usize = output.sizes.iter().product();
        let mut array = Array::zeros(&output.sizes[..], output.dtype);
        let bytes = elements * output.dtype.size();
        // SAFETY: outputs lie in the session's memory, which holds `bytes` there; the new array has as many.
        unsafe { std::ptr::copy_nonoverlapping(address, address_to_write(&mut array), bytes) };
        array
    }

    fn number(&self, index: usize) -> f64 {
        let output = &self.program.outputs[index];
        let address = Bases(&self.bases.0).at(output.place);
        // SAFETY: an output has at least one element of its type in the session's memory.
        unsafe { read_number(address, output.dtype) }
    }

    fn describe(&mut self, graph: &Graph) {
        self.facts = Some(facts_of(&passes::optimize(graph), &self.program.tasks));
    }
}

impl CpuSession {
    /// Runs the program and leaves behind when each thread was at which task.
    fn run_recorded(&mut self, bindings: &Bindings) -> Result<Outcome> {
        let program = self.program.clone();
        let tasks = program.tasks.len() + program.inputs.len() + 1;
        let new = || Box::new(Stamps::new(&program.recorder, program.team.threads(), tasks));
        let stamps = self.stamps.take().unwrap_or_else(new);
        stamps.start();
        let outcome = self.run_watched(bindings, &*stamps);
        let facts = self.facts.get_or_insert_with(|| facts_without_graph(&program.inputs, &program.tasks));
        program.recorder.keep(&stamps, facts, program.memory());
        self.stamps = Some(stamps);
        outcome
    }

    fn run_watched(&mut self, bindings: &Bindings, watch: &impl Watch) -> Result<Outcome> {
        let program = &*self.program;
        let captured = program.captured.iter().map(|(sizes, dtype)| (&sizes[..], *dtype));
        check_bindings(program.inputs.iter(), captured, program.variables.len(), bindings)?;
        if !bindings.variables.iter().map(Variable::id).eq(self.bound.iter().copied()) {
            let slots = program.variables.iter().map(|slot| (&slot.sizes[..], slot.dtype));
            check_variables(slots, bindings.variables)?;
            self.bound.clear();
            self.bound.extend(bindings.variables.iter().map(Variable::id));
            // One order for all programs, so that two never wait for each other.
            self.order.sort_unstable_by_key(|&slot| self.bound[slot]);
        }
        let first_captured = FIRST_SLOT as usize + program.gathered.len();
        let first_variable = first_captured + program.captured.len();
        let held = Held { arrays: &mut self.held, slots: &program.variables, variables: bindings.variables };
        for &slot in &self.order {
            let variable = &bindings.variables[slot];
            let updated = held.slots[slot].updated;
            let value = if updated {
                variable.check_out().ok_or_else(|| no_value(variable))
            } else {
                variable.value()
            };
            let array = held.arrays[slot].insert(value?);
            // Writing copies an array that a checkpoint shares; reading never does.
            self.bases.0[first_variable + slot] =
                if updated { address_to_write(array) } else { array.address() as *mut u8 };
        }
        for (i, array) in bindings.captured.iter().enumerate() {
            self.bases.0[first_captured + i] = array.address() as *mut u8;
        }
        // Behind the tasks come gathering each input, and what was done up to here.
        let first_input = program.tasks.len();
        watch.alone(first_input + program.inputs.len(), || ());
        for (i, (feed, gathered)) in bindings.inputs.iter().zip(&program.gathered).enumerate() {
            self.bases.0[FIRST_SLOT as usize + i] = match feed {
                Feed::Whole(array) => array.address() as *mut u8,
                Feed::Part(array, first, _) => {
                    let row_bytes = array.row_len() * array.dtype().size();
                    (array.address() as *mut u8).wrapping_add(first * row_bytes)
                }
                Feed::Rows(array, rows) => {
                    let to = self.bases.0[ARENA as usize].wrapping_add(gathered.offset);
                    program.gather(array, rows, to, (watch, first_input + i));
                    to
                }
            };
        }
        Ok(self.program.run_tasks(Bases(&self.bases.0), bindings, watch))
    }
}

/// The address of an array's elements, which no other array shares any more.
fn address_to_write(array: &mut Array) -> *mut u8 {
    carnyx_graph::with_storage!(array.storage_mut(), data => Arc::make_mut(data).as_mut_ptr().cast())
}

/// The number at `address`.
///
/// # Safety
/// An element of type `dtype` lies there.
unsafe fn read_number(address: *const u8, dtype: DType) -> f64 {
    // SAFETY: the caller's promise.
    unsafe {
        match dtype {
            DType::F32 => f64::from(*address.cast::<f32>()),
            DType::F64 => *address.cast::<f64>(),
            DType::I32 => f64::from(*address.cast::<i32>()),
            DType::I64 => *address.cast::<i64>() as f64,
            DType::U8 | DType::Bool => f64::from(*address),
        }
    }
}

/// Bytes of rows from which gathering is shared.
const GATHER_BYTES: usize = 32 << 10;

impl CpuProgram {
    /// Copies rows of an array to consecutive memory, sharing the work.
    fn gather(&self, array: &Array, rows: &[u32], to: *mut u8, (watch, task): (&impl Watch, usize)) {
        let row_bytes = array.row_len() * array.dtype().size();
        let chunks = if rows.len() * row_bytes < GATHER_BYTES { 1 } else { self.team.threads() };
        let ends = [array.address() as *mut u8, to];
        let bases = Bases(&ends);
        let [from, to] = [0, 1].map(|base| Place { base, offset: 0 });
        self.share((watch, task), chunks, &|chunk, _| {
            let range = even_part(rows.len(), chunks, chunk, 1);
            let to = bases.at(Place { offset: range.start * row_bytes, ..to });
            // SAFETY: the bindings are checked, so every row exists; the plan reserves memory for all of them.
            unsafe { gather_rows(to, bases.at(from), row_bytes, &rows[range]) };
        });
    }

    fn share(
        &self,
        (watch, task): (&impl Watch, usize),
        chunks: usize,
        work: &(impl Fn(usize, usize) + Sync),
    ) {
        if chunks == 1 {
            watch.alone(task, || work(0, 0));
        } else {
            self.team.run(chunks, &|chunk, worker| watch.part(task, worker, || work(chunk, worker)));
            watch.joined(task);
        }
    }

    fn run_tasks(&self, bases: Bases, bindings: &Bindings, watch: &impl Watch) -> Outcome {
        let scratch = Place { base: ARENA, offset: self.arena_bytes };
        let run = RunNumbers { seed: bindings.seed, step: bindings.step };
        // SAFETY: the plan puts the run's numbers at the start of the session's memory.
        unsafe { bases.at(Place { base: ARENA, offset: 0 }).cast::<RunNumbers>().write(run) };
        for (number, task) in self.tasks.iter().enumerate() {
            if let Step::Guard(place, dtype) = &task.step {
                // SAFETY: the guarded number has been computed by an earlier task.
                if !unsafe { read_number(bases.at(*place), *dtype) }.is_finite() {
                    return Outcome::Guarded;
                }
                continue;
            }
            self.share((watch, number), task.chunks, &|chunk, worker| {
                let scratch =
                    bases.at(Place { offset: scratch.offset + worker * self.scratch_bytes, ..scratch });
                // SAFETY: the bases are bound; the team gives each chunk to one worker.
                unsafe { task.run(self.isa, Part { bases, scratch, chunk }) };
            });
        }
        Outcome::Completed
    }
}

/// The numbers of a run that random kernels read: they lie at the start of a session's memory.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RunNumbers {
    /// The seed of the run.
    pub seed: u64,
    /// The step of the run.
    pub step: u64,
}
