//! What a program does: a closed set of steps, each cut into chunks that any worker can run.

use crate::isa::Isa;
use crate::kernels::matmul::{Chunk, Finish, MatMul, Operands};
use crate::memory::{Bases, Place};
use crate::region::TileProgram;

/// One worker's part of a run.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Where values lie.
    pub bases: Bases<'a>,
    /// This worker's scratch memory.
    pub scratch: *mut u8,
    /// The chunk to run.
    pub chunk: usize,
}

/// How a product's sums are finished; numbers and biases are read when the step runs.
#[derive(Clone, Copy, Debug)]
pub enum Finishing {
    /// `c = sum`
    Store,
    /// `c = sum + bias`
    Bias(Place),
    /// `c = max(sum + bias, 0)`
    BiasRelu(Place),
    /// `c = c - rate · sum`
    SubtractScaled(Place),
    /// `c = sum` where `y > 0`, else 0
    ReluGradient(Place),
}

/// A matrix product of floats, and what is done with its result.
pub struct Product {
    /// Shape and layout.
    pub matmul: MatMul,
    /// The left operand.
    pub a: Place,
    /// The right operand.
    pub b: Place,
    /// The result.
    pub c: Place,
    /// Floats from one matrix of a batch to the next: of `a`, `b` and `c`.
    pub batch_strides: [usize; 3],
    /// The parts of each matrix.
    pub chunks: Vec<Chunk>,
    /// What happens to each sum.
    pub finishing: Finishing,
    /// What happens to the result while it is in the cache.
    pub epilogue: Option<TileProgram>,
}

impl Product {
    /// Computes one chunk.
    ///
    /// # Safety
    /// The bases are those of a run of the program that this step belongs to.
    pub unsafe fn run(&self, isa: Isa, part: Part) {
        let (matrix, chunk) = (part.chunk / self.chunks.len(), &self.chunks[part.chunk % self.chunks.len()]);
        let at = |place: Place, operand: usize| {
            part.bases.at(place).cast::<f32>().wrapping_add(matrix * self.batch_strides[operand])
        };
        let (a, b, c) = (at(self.a, 0), at(self.b, 1), at(self.c, 2));
        let finish = match self.finishing {
            Finishing::Store => Finish::Store,
            Finishing::Bias(bias) => Finish::Bias(part.bases.at(bias).cast()),
            Finishing::BiasRelu(bias) => Finish::BiasRelu(part.bases.at(bias).cast()),
            // SAFETY: the place holds one float.
            Finishing::SubtractScaled(rate) => {
                Finish::ScaledAdd(-unsafe { *part.bases.at(rate).cast::<f32>() })
            }
            Finishing::ReluGradient(y) => Finish::ReluGradient(part.bases.at(y).cast()),
        };
        let length = self.matmul.scratch_len();
        // SAFETY: the plan reserves that much scratch memory for each worker; operands and result have the sizes
        // that `matmul` states; chunks are disjoint.
        unsafe {
            let scratch = std::slice::from_raw_parts_mut(part.scratch.cast::<f32>(), length);
            self.matmul.run(isa, Operands { c, a, b }, chunk, finish, scratch);
            let Some(epilogue) = &self.epilogue else { return };
            let n = self.matmul.n;
            if chunk.columns.len() == n {
                epilogue.run(part.bases, part.scratch, chunk.rows.start * n, chunk.rows.end * n);
            } else {
                for row in chunk.rows.clone() {
                    let (from, to) = (row * n + chunk.columns.start, row * n + chunk.columns.end);
                    epilogue.run(part.bases, part.scratch, from, to);
                }
            }
        }
    }
}

/// The part `chunk` of `0..length` in `chunks` even parts whose borders are multiples of `step`.
pub fn even_part(length: usize, chunks: usize, chunk: usize, step: usize) -> std::ops::Range<usize> {
    let steps = length.div_ceil(step);
    let border = |i: usize| (steps * i / chunks * step).min(length);
    border(chunk)..border(chunk + 1)
}

/// A kernel with its operands, ready to be called on a chunk.
pub type KernelCall = Box<dyn Fn(Part) + Send + Sync>;

/// One step of a program.
pub enum Step {
    /// Element-wise operations in one pass, cut into even ranges.
    Region(TileProgram),
    /// A matrix product.
    Product(Box<Product>),
    /// Any other kernel.
    Kernel(KernelCall),
    /// The run stops here if the number is not finite.
    Guard(Place, carnyx_graph::DType),
}

/// What a task was made of: enough to name it for any graph of the same structure.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The instruction of the optimised graph.
    pub instruction: carnyx_graph::graph::Id,
    /// It only copies the instruction's value.
    pub is_copy: bool,
    /// Bytes of operands and results; of several tasks for one instruction, the first has all of it.
    pub bytes: u64,
    /// Floating-point operations; likewise.
    pub flops: u64,
}

/// A step and into how many chunks it is cut.
pub struct Task {
    /// What is done.
    pub step: Step,
    /// How many chunks there are: 1 runs on the caller alone.
    pub chunks: usize,
    /// What it computes, for recordings.
    pub origin: Origin,
}

impl Task {
    /// Runs one chunk.
    ///
    /// # Safety
    /// The bases are those of a run of the program that this task belongs to, and no other worker runs this chunk.
    #[inline]
    pub unsafe fn run(&self, isa: Isa, part: Part) {
        match &self.step {
            Step::Region(region) => {
                let range = even_part(region.elements(), self.chunks, part.chunk, 64);
                // SAFETY: the caller's promise; chunks are disjoint ranges.
                unsafe { region.run(part.bases, part.scratch, range.start, range.end) };
            }
            // SAFETY: the caller's promise.
            Step::Product(product) => unsafe { product.run(isa, part) },
            Step::Kernel(kernel) => kernel(part),
            Step::Guard(..) => {}
        }
    }
}
