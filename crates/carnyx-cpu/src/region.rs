//! Runs of element-wise operations in one pass: the interpreter of tiles.
//!
//! A region's values are computed [`TILE`] elements at a time, so that everything between its operands and its
//! results stays in the fastest cache. Each micro-operation is one call of a kernel on whole tiles. Operands that
//! lie in memory as the results do are read where they are; broadcast ones are spread into a register first.

use crate::isa::Isa;
use crate::kernels::elementwise::{
    BinaryKernel, CastKernel, SelectKernel, TILE, UnaryKernel, binary_kernel, cast_kernel, select_kernel,
    unary_kernel,
};
use crate::memory::{Bases, Place};
use carnyx_graph::DType;
use carnyx_graph::graph::{Body, Instruction, Region};
use carnyx_graph::op::Op;

/// How an operand's elements lie beside the results'.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Layout {
    /// Element `i` of the operand belongs to element `i` of the results.
    Same,
    /// One number for all.
    Number,
    /// Sizes and strides, innermost first; a stride of 0 repeats.
    Strided(Vec<(usize, usize)>),
}

/// An operand from memory.
#[derive(Clone, Debug)]
struct Load {
    place: Place,
    layout: Layout,
    size: usize,
    register: usize,
}

#[derive(Clone, Copy)]
enum Kernel {
    Unary(UnaryKernel),
    Binary(BinaryKernel),
    Select(SelectKernel),
    Cast(CastKernel),
}

/// One operation on tiles: the numbers of its operands and its result in the table of addresses.
#[derive(Clone, Copy)]
struct MicroOperation {
    kernel: Kernel,
    operands: [u16; 3],
    result: u16,
}

/// A result that goes to memory.
#[derive(Clone, Copy, Debug)]
struct Store {
    place: Place,
    size: usize,
    value: u16,
}

/// A region, ready to run: the addresses of its values are a table, loads first.
pub struct TileProgram {
    elements: usize,
    loads: Vec<Load>,
    operations: Vec<MicroOperation>,
    registers_of_results: Vec<Option<usize>>,
    /// Results that operations write to memory by themselves.
    written: Vec<Store>,
    /// Results that are copied to memory: those that lie over an operand, and operands that are results.
    copied: Vec<Store>,
    num_registers: usize,
    register_bytes: usize,
}

/// A value of the region's body while it is being lowered.
#[derive(Clone, Copy)]
enum Value {
    Load(usize),
    Result(usize),
    /// An operand, or a broadcast of it, that no operation has used yet.
    Outside {
        operand: usize,
        body: usize,
    },
}

/// What the lowering of a region needs to know of its surroundings.
pub struct RegionContext<'a> {
    /// The instructions whose values are the region's operands.
    pub operands: &'a [&'a Instruction],
    /// Where those values lie.
    pub places: &'a [Place],
    /// Where the results go, in the order of the region's results.
    pub results: &'a [Place],
    /// Where a number that the program knows lies.
    pub constant: &'a mut dyn FnMut(&carnyx_graph::Array) -> Place,
    /// The value that the kernel of a matrix product has computed, and where it lies.
    pub product: Option<(usize, Place)>,
}

impl TileProgram {
    /// Lowers a region.
    pub fn lower(isa: Isa, region: &Region, context: &mut RegionContext) -> TileProgram {
        let first = &region.body[region.results[0] - context.operands.len()];
        let mut lowering = Lowering {
            sizes: first.sizes.clone(),
            loads: Vec::new(),
            operations: Vec::new(),
            values: (0..context.operands.len())
                .map(|operand| Value::Outside { operand, body: usize::MAX })
                .collect(),
            widest: 1,
        };
        let needed = needed(region, context);
        for (index, inner) in region.body.iter().enumerate() {
            if needed[context.operands.len() + index] {
                lowering.add(isa, index, inner, region, context);
            } else {
                lowering.values.push(Value::Outside { operand: usize::MAX, body: index });
            }
        }
        let stores = region.results.iter().zip(context.results);
        let stores: Vec<(Place, usize, Value)> = stores
            .map(|(&id, &place)| {
                let value = lowering.settle(id, region, context);
                (place, dtype_of(id, region, context).size(), value)
            })
            .collect();
        lowering.finish(stores)
    }

    /// Bytes of memory that a worker needs for the registers and the table of addresses.
    pub fn scratch_bytes(&self) -> usize {
        let table = (self.loads.len() + self.operations.len()) * size_of::<*mut u8>();
        self.num_registers * self.register_bytes + table.next_multiple_of(crate::memory::LINE)
    }

    /// How many elements the results have.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Roughly how much work an element is, in operations.
    pub fn cost(&self) -> usize {
        self.operations.len() + self.copied.len()
    }

    /// Computes the elements `from..to` of the results.
    ///
    /// # Safety
    /// The bases are those of a run of the program that this region was lowered for, `scratch` has
    /// [`scratch_bytes`](TileProgram::scratch_bytes), and nobody else touches these elements of the results.
    pub unsafe fn run(&self, bases: Bases, scratch: *mut u8, from: usize, to: usize) {
        let registers = scratch;
        let table = scratch.wrapping_add(self.num_registers * self.register_bytes).cast::<*mut u8>();
        let register = |number: usize| registers.wrapping_add(number * self.register_bytes);
        let longest = TILE.min(to.saturating_sub(from));
        // SAFETY: the table has an entry for each load and each operation, registers are within the scratch memory,
        // and the caller vouches for both and for the places of loads and stores.
        unsafe {
            for (i, load) in self.loads.iter().enumerate() {
                let address = match load.layout {
                    Layout::Same => bases.at(load.place),
                    Layout::Number | Layout::Strided(_) => register(load.register),
                };
                *table.add(i) = address;
                if load.layout == Layout::Number {
                    splat(address, bases.at(load.place), load.size, longest);
                }
            }
            for (i, number) in self.registers_of_results.iter().enumerate() {
                *table.add(self.loads.len() + i) = number.map_or(std::ptr::null_mut(), register);
            }
            let mut at = from;
            while at < to {
                let n = TILE.min(to - at);
                for (i, load) in self.loads.iter().enumerate() {
                    match &load.layout {
                        Layout::Same => *table.add(i) = bases.at(load.place).add(at * load.size),
                        Layout::Number => {}
                        Layout::Strided(axes) => {
                            spread(*table.add(i), bases.at(load.place), load.size, axes, at, n)
                        }
                    }
                }
                for store in &self.written {
                    *table.add(store.value as usize) = bases.at(store.place).add(at * store.size);
                }
                for operation in &self.operations {
                    let [x, y, z] = operation.operands.map(|value| (*table.add(value as usize)).cast_const());
                    let out = *table.add(operation.result as usize);
                    match operation.kernel {
                        Kernel::Unary(kernel) => kernel(out, x, n),
                        Kernel::Binary(kernel) => kernel(out, x, y, n),
                        Kernel::Select(kernel) => kernel(out, x, y, z, n),
                        Kernel::Cast(kernel) => kernel(out, x, n),
                    }
                }
                for store in &self.copied {
                    let to = bases.at(store.place).add(at * store.size);
                    let from = *table.add(store.value as usize);
                    if !std::ptr::eq(to, from) {
                        std::ptr::copy_nonoverlapping(from, to, n * store.size);
                    }
                }
                at += n;
            }
        }
    }
}

/// Which values of the region its results need, where the product is given.
fn needed(region: &Region, context: &RegionContext) -> Vec<bool> {
    let outside = context.operands.len();
    let mut needed = vec![false; outside + region.body.len()];
    region.results.iter().for_each(|&id| needed[id] = true);
    for id in (outside..needed.len()).rev() {
        let is_given = context.product.is_some_and(|(product, _)| product == id);
        if needed[id] && !is_given {
            region.body[id - outside].operands.iter().for_each(|&operand| needed[operand] = true);
        }
    }
    needed
}

/// The element type of value `id` of the region.
fn dtype_of(id: usize, region: &Region, context: &RegionContext) -> DType {
    match id.checked_sub(context.operands.len()) {
        Some(inner) => region.body[inner].dtype,
        None => context.operands[id].dtype,
    }
}

struct Lowering {
    sizes: Vec<usize>,
    loads: Vec<Load>,
    operations: Vec<(Kernel, Vec<Value>)>,
    values: Vec<Value>,
    widest: usize,
}

impl Lowering {
    fn add(
        &mut self,
        isa: Isa,
        index: usize,
        inner: &Instruction,
        region: &Region,
        context: &mut RegionContext,
    ) {
        let Body::Op(op) = &inner.body else {
            unreachable!("a region holds operations only");
        };
        self.widest = self.widest.max(inner.dtype.size());
        if let Some((_, place)) = context.product.filter(|(id, _)| *id == context.operands.len() + index) {
            let load = Load { place, layout: Layout::Same, size: inner.dtype.size(), register: 0 };
            let value = self.load(load);
            self.values.push(value);
            return;
        }
        let value = match op {
            Op::Broadcast(_) => match self.values[inner.operands[0]] {
                // A broadcast of an operand, of a number, or of a broadcast: decided by whoever uses it.
                Value::Outside { operand, body } => Value::Outside { operand, body },
                settled => settled,
            },
            Op::Constant(_) => Value::Outside { operand: usize::MAX, body: index },
            op => {
                let operands: Vec<Value> =
                    inner.operands.iter().map(|&id| self.settle(id, region, context)).collect();
                let dtype = |i: usize| dtype_of(inner.operands[i], region, context);
                let kernel = match op {
                    Op::Unary(unary) => Kernel::Unary(unary_kernel(isa, *unary, dtype(0))),
                    Op::Binary(binary) => Kernel::Binary(binary_kernel(isa, *binary, dtype(0))),
                    Op::Select => Kernel::Select(select_kernel(isa, inner.dtype)),
                    Op::Cast(to) => Kernel::Cast(cast_kernel(isa, dtype(0), *to)),
                    other => unreachable!("`{}` is not element-wise", other.name()),
                };
                self.operations.push((kernel, operands));
                Value::Result(self.operations.len() - 1)
            }
        };
        self.values.push(value);
    }

    fn load(&mut self, load: Load) -> Value {
        let same = |other: &Load| {
            other.place == load.place && other.layout == load.layout && other.size == load.size
        };
        let index = self.loads.iter().position(same).unwrap_or_else(|| {
            self.widest = self.widest.max(load.size);
            self.loads.push(load);
            self.loads.len() - 1
        });
        Value::Load(index)
    }

    /// The value `id` of the region as something an operation can read.
    fn settle(&mut self, id: usize, region: &Region, context: &mut RegionContext) -> Value {
        let Value::Outside { operand, body } = self.values[id] else { return self.values[id] };
        let load = if let Some(instruction) = context.operands.get(operand) {
            let layout = layout_of(&instruction.sizes, &self.sizes);
            Load { place: context.places[operand], layout, size: instruction.dtype.size(), register: 0 }
        } else {
            let Body::Op(Op::Constant(array)) = &region.body[body].body else {
                unreachable!("only constants are known numbers");
            };
            let place = (context.constant)(array);
            Load { place, layout: Layout::Number, size: array.dtype().size(), register: 0 }
        };
        self.load(load)
    }

    /// Gives every spread operand and every result a register, reusing those whose value is not read any more.
    fn finish(mut self, stores: Vec<(Place, usize, Value)>) -> TileProgram {
        let num_loads = self.loads.len();
        let number = |value: Value| match value {
            Value::Load(i) => i,
            Value::Result(i) => num_loads + i,
            Value::Outside { .. } => unreachable!("every value has settled"),
        };
        let mut last_use = vec![0; num_loads + self.operations.len()];
        for (step, (_, operands)) in self.operations.iter().enumerate() {
            operands.iter().for_each(|&value| last_use[number(value)] = step);
        }
        stores.iter().for_each(|(_, _, value)| last_use[number(*value)] = usize::MAX);
        // An operation writes its result to memory itself, unless an operand lies there: it may be read later.
        let (mut written, mut copied): (Vec<Store>, Vec<Store>) = (Vec::new(), Vec::new());
        for (place, size, value) in stores {
            let store = Store { place, size, value: number(value) as u16 };
            let by_itself = matches!(value, Value::Result(_))
                && self.loads.iter().all(|load| load.place != place)
                && written.iter().all(|other| other.value != store.value);
            if by_itself { written.push(store) } else { copied.push(store) }
        }
        let mut num_registers = 0;
        let mut free: Vec<usize> = Vec::new();
        let mut take = |free: &mut Vec<usize>| {
            free.pop().unwrap_or_else(|| {
                num_registers += 1;
                num_registers - 1
            })
        };
        // Loads are filled before the first operation (numbers once for all tiles), so they keep their registers.
        for load in &mut self.loads {
            if load.layout != Layout::Same {
                load.register = take(&mut free);
            }
        }
        let mut registers_of_results: Vec<Option<usize>> = Vec::new();
        let mut operations = Vec::new();
        for (step, (kernel, operands)) in self.operations.iter().enumerate() {
            let in_memory = written.iter().any(|store| store.value as usize == num_loads + step);
            registers_of_results.push(if in_memory { None } else { Some(take(&mut free)) });
            let mut table = [0u16; 3];
            operands.iter().enumerate().for_each(|(i, &value)| table[i] = number(value) as u16);
            operations.push(MicroOperation {
                kernel: *kernel,
                operands: table,
                result: (num_loads + step) as u16,
            });
            // What dies here may not be the result's own register (kernels never alias), but the next one's.
            let mut dead: Vec<usize> = operands.iter().map(|&value| number(value)).collect();
            dead.push(num_loads + step);
            dead.sort_unstable();
            dead.dedup();
            for value in dead {
                if value >= num_loads && last_use[value] <= step {
                    free.extend(registers_of_results[value - num_loads]);
                }
            }
        }
        TileProgram {
            elements: self.sizes.iter().product(),
            loads: self.loads,
            operations,
            registers_of_results,
            written,
            copied,
            num_registers,
            register_bytes: TILE * self.widest,
        }
    }
}

/// How a value of `sizes` lies beside results of `shape`, to which it broadcasts.
fn layout_of(sizes: &[usize], shape: &[usize]) -> Layout {
    if sizes == shape {
        return Layout::Same;
    }
    if sizes.iter().all(|&n| n == 1) {
        return if shape.iter().all(|&n| n == 1) { Layout::Same } else { Layout::Number };
    }
    let missing = shape.len() - sizes.len();
    let mut axes: Vec<(usize, usize)> = Vec::new();
    let mut stride = 1;
    for axis in (0..shape.len()).rev() {
        let own = axis.checked_sub(missing).map_or(1, |i| sizes[i]);
        let step = if own == 1 { 0 } else { stride };
        stride *= own;
        if shape[axis] == 1 {
            continue;
        }
        // Axes that lie one in another without a gap are one.
        match axes.last_mut() {
            Some((size, inner)) if (step == 0 && *inner == 0) || (*inner > 0 && step == *size * *inner) => {
                *size *= shape[axis];
            }
            _ => axes.push((shape[axis], step)),
        }
    }
    if let [(_, 1)] = axes[..] { Layout::Same } else { Layout::Strided(axes) }
}

/// `n` copies of the element at `from`.
unsafe fn splat(out: *mut u8, from: *const u8, size: usize, n: usize) {
    // SAFETY: `out` is a register of at least `n` elements and `from` one element, both aligned to `size`.
    unsafe {
        match size {
            1 => std::slice::from_raw_parts_mut(out, n).fill(*from),
            4 => std::slice::from_raw_parts_mut(out.cast::<u32>(), n).fill(*from.cast::<u32>()),
            _ => std::slice::from_raw_parts_mut(out.cast::<u64>(), n).fill(*from.cast::<u64>()),
        }
    }
}

/// Elements `at..at + n` of a broadcast operand.
unsafe fn spread(out: *mut u8, from: *const u8, size: usize, axes: &[(usize, usize)], at: usize, n: usize) {
    // SAFETY: the axes describe the operand's memory, so every index below stays within it; `out` holds `n`
    // elements.
    unsafe {
        match size {
            1 => spread_elements::<u8>(out, from, axes, at, n),
            4 => spread_elements::<u32>(out.cast(), from.cast(), axes, at, n),
            _ => spread_elements::<u64>(out.cast(), from.cast(), axes, at, n),
        }
    }
}

unsafe fn spread_elements<T: Copy>(
    out: *mut T,
    from: *const T,
    axes: &[(usize, usize)],
    at: usize,
    n: usize,
) {
    let (inner_size, inner_stride) = axes[0];
    let mut done = 0;
    while done < n {
        let index = at + done;
        let column = index % inner_size;
        let mut rest = index / inner_size;
        let mut start = 0;
        for &(size, stride) in &axes[1..] {
            start += rest % size * stride;
            rest /= size;
        }
        let run = (inner_size - column).min(n - done);
        // SAFETY: the run stays within one innermost row of the operand and within `out`.
        unsafe {
            let target = std::slice::from_raw_parts_mut(out.add(done), run);
            match inner_stride {
                0 => target.fill(*from.add(start)),
                1 => target.copy_from_slice(std::slice::from_raw_parts(from.add(start + column), run)),
                stride => {
                    for (i, element) in target.iter_mut().enumerate() {
                        *element = *from.add(start + (column + i) * stride);
                    }
                }
            }
        }
        done += run;
    }
}
