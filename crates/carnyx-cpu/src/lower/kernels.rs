//! Which kernel runs an operation that is neither element-wise nor a matrix product, and how it is cut.
//!
//! Every closure here is called with the addresses of one run; the plan has given each value as many bytes as its
//! instruction says, which is what the `SAFETY` comments lean on.

use super::Lowering;
use crate::kernels::index::{self, Indices};
use crate::kernels::movement::{View, read_view, write_view};
use crate::kernels::random::{self, Stream};
use crate::kernels::reduce::{self, Lines, PARTIAL};
use crate::kernels::rows::{self, Normalize};
use crate::memory::{ARENA, Place};
use crate::program::RunNumbers;
use crate::step::{Part, even_part};
use carnyx_graph::graph::Id;
use carnyx_graph::op::{Distribution, Op, Reduce};
use carnyx_graph::{Address, DType};

/// Parts of element-wise copies begin at multiples of this.
const STEP: usize = 64;

impl Lowering<'_> {
    /// Emits the tasks of instruction `id`, which computes `op`.
    pub(super) fn emit_op(&mut self, id: Id, op: &Op, offsets: &[usize]) {
        match op {
            // Nothing to do: known numbers, and the same bytes under another shape.
            Op::Constant(_) | Op::Iota(_) | Op::Reshape(_) => {}
            Op::Dot { transpose_a, transpose_b } => {
                self.emit_product(id, *transpose_a, *transpose_b, offsets)
            }
            Op::Transpose(order) => {
                self.emit_view(id, &View::transposed(&self.operand(id, 0).0.sizes, order))
            }
            Op::Slice(spans) => self.emit_view(id, &View::sliced(&self.operand(id, 0).0.sizes, spans)),
            Op::Flip(axes) => self.emit_view(id, &View::flipped(&self.operand(id, 0).0.sizes, axes)),
            Op::Broadcast(_) => {
                let view = View::broadcast(&self.operand(id, 0).0.sizes, &self.instruction(id).sizes);
                self.emit_view(id, &view);
            }
            Op::Pad(widths) => {
                self.emit_pad(id, &widths.iter().map(|(before, _)| *before).collect::<Vec<_>>())
            }
            Op::Concat(axis) => self.emit_concat(id, *axis),
            Op::Reduce(reduce, axes) => self.emit_reduce(id, *reduce, axes, offsets),
            Op::ArgMax(axis) => self.emit_arg_max(id, *axis),
            Op::ArgSort(axis) => self.emit_arg_sort(id, *axis),
            Op::CumulativeSum(axis) => self.emit_cumulative_sum(id, *axis),
            Op::Gather(axis) => self.emit_gather(id, *axis),
            Op::ScatterAdd(axis, _) => self.emit_scatter_add(id, *axis),
            Op::GatherAlong(axis) => self.emit_gather_along(id, *axis),
            Op::ScatterAlong(axis, _) => self.emit_scatter_along(id, *axis),
            Op::Softmax => self.emit_normalize(id, Normalize::Softmax),
            Op::LogSoftmax => self.emit_normalize(id, Normalize::LogSoftmax),
            Op::Random(distribution, address) => self.emit_random(id, *distribution, *address),
            Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Cast(_) => {
                unreachable!("element-wise operations are in regions")
            }
            Op::Input(_) | Op::Read(_) | Op::InMode | Op::StopGradient | Op::Scope(_) => {
                unreachable!("`{}` has no place in a graph", op.name())
            }
        }
    }

    /// A copy of the operand's elements that a view names.
    fn emit_view(&mut self, id: Id, view: &View) {
        let view = *view;
        let (x, from) = self.operand(id, 0);
        let (size, to, isa) = (x.dtype.size(), self.places[id], self.cpu.isa());
        let chunks = self.chunks_for(view.elements());
        self.kernel(chunks, move |part| {
            let range = even_part(view.elements(), chunks, part.chunk, STEP);
            let out = part.bases.at(to).wrapping_add(range.start * size);
            // SAFETY: the view names elements of the operand; the range is this chunk's.
            unsafe { read_view(isa, size, out, part.bases.at(from), &view, range.start, range.len()) };
        });
    }

    /// The operand `operand` written to a part of the result.
    fn emit_placed(&mut self, id: Id, operand: usize, start: &[usize]) {
        let (x, from) = self.operand(id, operand);
        let view = View::placed(&self.instruction(id).sizes, start, &x.sizes);
        let (size, to) = (x.dtype.size(), self.places[id]);
        let chunks = self.chunks_for(view.elements());
        self.kernel(chunks, move |part| {
            let range = even_part(view.elements(), chunks, part.chunk, STEP);
            let x = part.bases.at(from).wrapping_add(range.start * size);
            // SAFETY: the view names elements of the result; the range is this chunk's.
            unsafe { write_view(size, part.bases.at(to), &view, x, range.start, range.len()) };
        });
    }

    fn emit_pad(&mut self, id: Id, before: &[usize]) {
        let (to, bytes) = (self.places[id], self.instruction(id).bytes());
        // SAFETY: the result has that many bytes.
        self.kernel(1, move |part| unsafe { part.bases.at(to).write_bytes(0, bytes) });
        self.emit_placed(id, 0, before);
    }

    fn emit_concat(&mut self, id: Id, axis: usize) {
        let mut start = vec![0; self.instruction(id).sizes.len()];
        for operand in 0..self.instruction(id).operands.len() {
            self.emit_placed(id, operand, &start);
            start[axis] += self.operand(id, operand).0.sizes[axis];
        }
    }

    fn emit_reduce(&mut self, id: Id, reduce: Reduce, axes: &[usize], offsets: &[usize]) {
        let (x, mut from) = self.operand(id, 0);
        let (dtype, passes) = (x.dtype, reduce::passes(&x.sizes, axes));
        for (i, &lines) in passes.iter().enumerate() {
            let is_last = i + 1 == passes.len();
            let bytes = lines.count() * dtype.size();
            let to = if is_last { self.places[id] } else { self.temporary(bytes, id, offsets) };
            self.emit_pass(id, reduce, dtype, lines, [from, to], offsets);
            from = to;
        }
    }

    fn emit_pass(
        &mut self,
        id: Id,
        reduce: Reduce,
        dtype: DType,
        lines: Lines,
        ends: [Place; 2],
        offsets: &[usize],
    ) {
        let ([from, to], isa) = (ends, self.cpu.isa());
        if lines.count() == 1 && lines.n >= 4 * PARTIAL {
            let partials = lines.n.div_ceil(PARTIAL);
            let between = self.temporary(partials * dtype.size(), id, offsets);
            let chunks = self.chunks_for(lines.n).min(partials);
            self.kernel(chunks, move |part| {
                let (out, x) = (part.bases.at(between), part.bases.at(from));
                let range = even_part(partials, chunks, part.chunk, 1);
                // SAFETY: the operand is one line, and there is room for a number for each of its parts.
                unsafe { reduce::reduce_partials(isa, reduce, dtype, out, x, lines.n, range) };
            });
            self.kernel(1, move |part| {
                // SAFETY: as above; the result is one number.
                unsafe {
                    let (out, x) = (part.bases.at(to), part.bases.at(between));
                    reduce::reduce_combined(isa, reduce, dtype, out, x, lines.n);
                }
            });
            return;
        }
        self.lines(lines.count(), lines.elements(), move |part, range| {
            // SAFETY: the operand has these lines, the result a number for each.
            unsafe {
                reduce::reduce(isa, reduce, dtype, part.bases.at(to), part.bases.at(from), lines, range)
            };
        });
    }

    /// A kernel on `count` independent lines, which costs about `work` operations.
    fn lines(
        &mut self,
        count: usize,
        work: usize,
        call: impl Fn(Part, std::ops::Range<usize>) + Send + Sync + 'static,
    ) {
        let chunks = self.chunks_for(work).min(count);
        self.kernel(chunks, move |part| call(part, even_part(count, chunks.max(1), part.chunk, 1)));
    }

    fn emit_arg_max(&mut self, id: Id, axis: usize) {
        let ((x, from), to, isa) = (self.operand(id, 0), self.places[id], self.cpu.isa());
        let (dtype, lines) = (x.dtype, Lines::along(&x.sizes, axis));
        self.lines(lines.count(), lines.elements(), move |part, range| {
            // SAFETY: the operand has these lines, the result an `i64` for each.
            unsafe { rows::arg_max(isa, dtype, part.bases.at(to).cast(), part.bases.at(from), lines, range) };
        });
    }

    fn emit_arg_sort(&mut self, id: Id, axis: usize) {
        let ((x, from), to) = (self.operand(id, 0), self.places[id]);
        let (dtype, lines) = (x.dtype, Lines::along(&x.sizes, axis));
        let length = index::arg_sort_scratch(lines);
        self.scratch(length * size_of::<u64>());
        let work = lines.elements() * (1 + lines.n.ilog2() as usize);
        self.lines(lines.count(), work, move |part, range| {
            // SAFETY: the operand has these lines, the result an `i64` for each element, the worker this scratch.
            unsafe {
                let scratch = std::slice::from_raw_parts_mut(part.scratch.cast::<u64>(), length);
                index::arg_sort(dtype, part.bases.at(to).cast(), part.bases.at(from), lines, range, scratch);
            }
        });
    }

    fn emit_cumulative_sum(&mut self, id: Id, axis: usize) {
        let ((x, from), to) = (self.operand(id, 0), self.places[id]);
        let (dtype, lines) = (x.dtype, Lines::along(&x.sizes, axis));
        self.lines(lines.count(), lines.elements(), move |part, range| {
            // SAFETY: operand and result have these lines.
            unsafe { reduce::cumulative_sum(dtype, part.bases.at(to), part.bases.at(from), lines, range) };
        });
    }

    /// The indices that are operand 1: their place, type and number.
    fn indices(&self, id: Id) -> (Place, DType, usize) {
        let (indices, place) = self.operand(id, 1);
        (place, indices.dtype, indices.elements())
    }

    fn emit_gather(&mut self, id: Id, axis: usize) {
        let ((x, from), to) = (self.operand(id, 0), self.places[id]);
        let (place, dtype, count) = self.indices(id);
        let (size, lines) = (x.dtype.size(), Lines::along(&x.sizes, axis));
        self.lines(lines.outer * count, lines.outer * count * lines.inner, move |part, range| {
            let indices = Indices { address: part.bases.at(place), dtype };
            // SAFETY: the operand has these lines, the result an entry for each index.
            unsafe {
                index::gather(size, part.bases.at(to), part.bases.at(from), lines, (indices, count), range)
            };
        });
    }

    fn emit_scatter_add(&mut self, id: Id, axis: usize) {
        let ((x, from), to) = (self.operand(id, 0), self.places[id]);
        let (place, index_dtype, count) = self.indices(id);
        let (dtype, lines) = (x.dtype, Lines::along(&self.instruction(id).sizes, axis));
        self.lines(lines.count(), lines.elements() + x.elements(), move |part, range| {
            let indices = Indices { address: part.bases.at(place), dtype: index_dtype };
            // SAFETY: the result has these lines, the operand an entry for each index.
            unsafe {
                index::scatter_add(
                    dtype,
                    part.bases.at(to),
                    part.bases.at(from),
                    lines,
                    (indices, count),
                    range,
                );
            }
        });
    }

    fn emit_gather_along(&mut self, id: Id, axis: usize) {
        let ((x, from), to) = (self.operand(id, 0), self.places[id]);
        let (place, dtype, _) = self.indices(id);
        let (size, lines) = (x.dtype.size(), Lines::along(&x.sizes, axis));
        let (count, elements) = (self.instruction(id).sizes[axis], self.instruction(id).elements());
        self.lines(elements, elements, move |part, range| {
            let indices = Indices { address: part.bases.at(place), dtype };
            // SAFETY: the operand has these lines; there is an index for each element of the result.
            unsafe {
                index::gather_along(
                    size,
                    part.bases.at(to),
                    part.bases.at(from),
                    lines,
                    (indices, count),
                    range,
                );
            }
        });
    }

    fn emit_scatter_along(&mut self, id: Id, axis: usize) {
        let ((x, from), to) = (self.operand(id, 0), self.places[id]);
        let (place, index_dtype, _) = self.indices(id);
        let (dtype, count) = (x.dtype, x.sizes[axis]);
        let lines = Lines::along(&self.instruction(id).sizes, axis);
        self.lines(lines.count(), lines.elements() + x.elements(), move |part, range| {
            let indices = Indices { address: part.bases.at(place), dtype: index_dtype };
            // SAFETY: the result has these lines; there is an index for each element of the operand.
            unsafe {
                index::scatter_along(
                    dtype,
                    part.bases.at(to),
                    part.bases.at(from),
                    lines,
                    (indices, count),
                    range,
                );
            }
        });
    }

    fn emit_normalize(&mut self, id: Id, normalize: Normalize) {
        let ((x, from), to, isa) = (self.operand(id, 0), self.places[id], self.cpu.isa());
        let (dtype, n) = (x.dtype, x.sizes.last().copied().unwrap_or(1));
        let count = x.elements().checked_div(n).unwrap_or(0);
        // An exponential costs about ten operations.
        self.lines(count, count * n * 10, move |part, range| {
            let slices =
                |size: usize| [to, from].map(|end| part.bases.at(end).wrapping_add(range.start * n * size));
            let length = range.len() * n;
            // SAFETY: operand and result have these rows, and they are different values.
            unsafe {
                if dtype == DType::F64 {
                    let [out, x] = slices(8);
                    let out = std::slice::from_raw_parts_mut(out.cast(), length);
                    rows::normalize_f64(normalize, out, std::slice::from_raw_parts(x.cast(), length), n);
                } else {
                    let [out, x] = slices(4);
                    let out = std::slice::from_raw_parts_mut(out.cast(), length);
                    rows::normalize_f32(isa, normalize, out, std::slice::from_raw_parts(x.cast(), length), n);
                }
            }
        });
    }

    fn emit_random(&mut self, id: Id, distribution: Distribution, address: Address) {
        let (to, elements, isa) = (self.places[id], self.instruction(id).elements(), self.cpu.isa());
        // A random number costs about thirty operations.
        let chunks = self.chunks_for(elements * 30);
        self.kernel(chunks, move |part| {
            let range = even_part(elements, chunks, part.chunk, random::GROUP);
            // SAFETY: the run's numbers lie at the start of the arena; the result has this range of floats.
            unsafe {
                let numbers = *part.bases.at(Place { base: ARENA, offset: 0 }).cast::<RunNumbers>();
                let stream = Stream { seed: numbers.seed, step: numbers.step, address };
                let out = part.bases.at(to).cast::<f32>().wrapping_add(range.start);
                let out = std::slice::from_raw_parts_mut(out, range.len());
                random::fill(isa, distribution, out, range.start as u64, stream);
            }
        });
    }
}
