//! Matrix products and what is folded into them.
//!
//! What follows a product element by element is recognised in three forms that the kernel does in registers — a
//! bias, a bias and a relu, the gradient before a relu, the update of a weight — and runs as an epilogue on the
//! part of the result that is in the cache otherwise.

use super::Lowering;
use crate::kernels::combine;
use crate::kernels::matmul::{Chunk, Finish, MatMul, Operands, Strides};
use crate::memory::Place;
use crate::step::{Finishing, Product, Step};
use carnyx_graph::graph::{Body, Id, Instruction, Region};
use carnyx_graph::op::{Binary, Op};
use std::ops::Range;

/// Shape and layout of one matrix of a product, and how many matrices there are.
fn shape_of(
    a: &Instruction,
    b: &Instruction,
    transpose_a: bool,
    transpose_b: bool,
) -> (MatMul, usize, [usize; 3]) {
    let last_two = |sizes: &[usize]| (sizes[sizes.len() - 2], sizes[sizes.len() - 1]);
    let ((a_rows, a_columns), (b_rows, b_columns)) = (last_two(&a.sizes), last_two(&b.sizes));
    let (mut m, k) = if transpose_a { (a_columns, a_rows) } else { (a_rows, a_columns) };
    let n = if transpose_b { b_rows } else { b_columns };
    let batch: usize = a.sizes[..a.sizes.len() - 2].iter().product();
    let strides = |transposed: bool, columns: usize| {
        if transposed { Strides::transposed(columns) } else { Strides::row_major(columns) }
    };
    let shared_b = b.sizes.len() == 2;
    // Rows of a batch on one matrix are just more rows.
    let count = if shared_b && !transpose_a { 1 } else { batch };
    if count == 1 {
        m *= batch;
    }
    let matmul =
        MatMul { m, n, k, a: strides(transpose_a, a_columns), b: strides(transpose_b, b_columns), ldc: n };
    (matmul, count, [a_rows * a_columns, if shared_b { 0 } else { b_rows * b_columns }, m * n])
}

/// Into how many blocks of rows a matrix of weights is cut that is used with `batch` samples at a time: 1 if it is
/// not worth it. Does not depend on the number of threads, because partial sums over the blocks are results.
///
/// Each core then owns blocks of consecutive memory. Cut by columns, rows of 1200 bytes alternate between the cores,
/// and the prefetcher of each core keeps pulling the other's lines: 2 threads took as long as one (784x300 weights,
/// batch 32: 127 us for half of the forward product instead of 55; Emerald Rapids, 2 cores, November 2026).
fn weight_blocks(rows: usize, columns: usize, batch: usize) -> usize {
    const BLOCK: usize = 48 << 10;
    let blocks = (rows * columns / BLOCK).clamp(1, 8);
    let blocks = if blocks == 1 && rows * columns >= BLOCK / 2 { 2 } else { blocks };
    // Writing and adding partial sums must cost less than moving the weights would.
    if 2 * batch * blocks <= rows { blocks } else { 1 }
}

/// Block `i` of `blocks` of `rows`.
fn block(rows: usize, blocks: usize, i: usize) -> Range<usize> {
    crate::step::even_part(rows, blocks, i, 8)
}

/// The chunks of a product, of whole blocks of weights where weights are in it.
fn chunks_of(matmul: &MatMul, threads: usize) -> Vec<Chunk> {
    let MatMul { m, n, k, .. } = *matmul;
    // In the gradient of weights the result is the weights; in that of the inputs, columns are rows of weights.
    let is_gradient = matmul.a.column != 1;
    let is_input_gradient = matmul.b.column != 1;
    let blocks = if is_gradient { weight_blocks(m, n, k) } else { weight_blocks(n, k, m) };
    if is_gradient && blocks > 1 {
        return (0..blocks).map(|i| Chunk { rows: block(m, blocks, i), columns: 0..n }).collect();
    }
    if is_input_gradient && blocks > 1 {
        return (0..blocks).map(|i| Chunk { rows: 0..m, columns: block(n, blocks, i) }).collect();
    }
    // Many samples: each worker takes its share of them and all of the weights. Cut by columns, both cores read all
    // samples: 1024 predictions of a 784-300-100-10 network took 8 % longer (Emerald Rapids, 2 cores, Nov. 2026).
    if !is_gradient && m >= 128 * threads && k >= 64 {
        return (0..threads).map(|i| Chunk { rows: block(m, threads, i), columns: 0..n }).collect();
    }
    // The gradient of weights from many samples, too: cut by columns, every chunk would pack all samples, and what
    // follows the product would run row by row. Adam's step at batch 1024 took 20 % longer (784x300 weights: 3.3 ms
    // instead of 2.7; Zen 4, 2 cores, November 2026).
    if is_gradient && k >= 256 && m >= 64 * threads {
        return (0..threads).map(|i| Chunk { rows: block(m, threads, i), columns: 0..n }).collect();
    }
    matmul.chunks(threads)
}

impl Lowering<'_> {
    /// A product on its own.
    pub(super) fn emit_product(&mut self, id: Id, transpose_a: bool, transpose_b: bool, offsets: &[usize]) {
        let ((a, a_place), (b, b_place)) = (self.operand(id, 0), self.operand(id, 1));
        let (matmul, count, batch_strides) = shape_of(a, b, transpose_a, transpose_b);
        if self.instruction(id).dtype != carnyx_graph::DType::F32 {
            self.emit_plain_product(id, matmul, count, batch_strides, [a_place, b_place]);
            return;
        }
        let ends = [a_place, b_place, self.places[id]];
        if count == 1 && self.emit_blocks(id, &matmul, ends, Finishing::Store, offsets) {
            return;
        }
        let chunks = if count > 1 { matmul.chunks(1) } else { chunks_of(&matmul, self.threads()) };
        self.scratch(matmul.scratch_len() * 4);
        let num_chunks = count * chunks.len();
        let c = self.places[id];
        let product = Product {
            matmul,
            a: a_place,
            b: b_place,
            c,
            batch_strides,
            chunks,
            finishing: Finishing::Store,
            epilogue: None,
        };
        self.push(Step::Product(Box::new(product)), num_chunks);
    }

    /// A product of doubles: the plain loop, since nothing but checks multiplies them.
    fn emit_plain_product(
        &mut self,
        id: Id,
        matmul: MatMul,
        count: usize,
        batch_strides: [usize; 3],
        operands: [Place; 2],
    ) {
        let c = self.places[id];
        self.kernel(1, move |part| {
            for matrix in 0..count {
                let at = |place: Place, i: usize| {
                    part.bases.at(place).cast::<f64>().wrapping_add(matrix * batch_strides[i])
                };
                let (a, b, c) = (at(operands[0], 0), at(operands[1], 1), at(c, 2));
                for i in 0..matmul.m {
                    for j in 0..matmul.n {
                        let mut sum = 0.0;
                        for k in 0..matmul.k {
                            // SAFETY: indices are below the sizes of the operands, which lie at these places.
                            unsafe {
                                sum += *a.add(i * matmul.a.row + k * matmul.a.column)
                                    * *b.add(k * matmul.b.row + j * matmul.b.column);
                            }
                        }
                        // SAFETY: as above, for the result.
                        unsafe { *c.add(i * matmul.ldc + j) = sum };
                    }
                }
            }
        });
    }

    /// A region that begins with a product.
    pub(super) fn emit_product_region(
        &mut self,
        id: Id,
        region: &Region,
        results: &[Place],
        offsets: &[usize],
    ) {
        let view = RegionView { region, operands: &self.graph.instructions[id].operands, graph: self.graph };
        let dot = view.product().expect("the region has a product");
        let Body::Op(Op::Dot { transpose_a, transpose_b }) =
            view.inner(dot).expect("a product is inside").body
        else {
            unreachable!("a product is a dot");
        };
        let dot_operands = &view.inner(dot).expect("a product is inside").operands;
        let outside = |i: usize| self.graph.instructions[id].operands[dot_operands[i]];
        let (a_id, b_id) = (outside(0), outside(1));
        let (matmul, _, batch_strides) =
            shape_of(self.instruction(a_id), self.instruction(b_id), transpose_a, transpose_b);
        let place_of = |operand: usize| self.places[self.graph.instructions[id].operands[operand]];

        let (value, finishing) = view.finishing(dot, results, &place_of);
        let (a, b) = (self.places[a_id], self.places[b_id]);
        let own = region.results.iter().position(|&result| result == value);
        let c = match own {
            Some(result) => results[result],
            None => self.temporary(matmul.m * matmul.n * 4, id, offsets),
        };
        let rest: Vec<usize> = (0..results.len()).filter(|&result| Some(result) != own).collect();
        let epilogue = (!rest.is_empty()).then(|| {
            let remaining = Region {
                body: region.body.clone(),
                results: rest.iter().map(|&i| region.results[i]).collect(),
            };
            let places: Vec<Place> = rest.iter().map(|&i| results[i]).collect();
            self.tile_program(id, &remaining, &places, Some((value, c)))
        });
        if self.emit_blocks(id, &matmul, [a, b, c], finishing, offsets) {
            if let Some(epilogue) = epilogue {
                let chunks = self.chunks_for(epilogue.elements() * epilogue.cost());
                self.push(Step::Region(epilogue), chunks);
            }
            return;
        }
        let chunks = chunks_of(&matmul, self.threads());
        self.scratch(matmul.scratch_len() * 4);
        let num_chunks = chunks.len();
        let product = Product { matmul, a, b, c, batch_strides, chunks, finishing, epilogue };
        self.push(Step::Product(Box::new(product)), num_chunks);
    }

    /// A product with a matrix of weights as partial sums over blocks of the weights' rows, if that is worth it.
    fn emit_blocks(
        &mut self,
        id: Id,
        matmul: &MatMul,
        ends: [Place; 3],
        finishing: Finishing,
        offsets: &[usize],
    ) -> bool {
        let MatMul { m, n, k, .. } = *matmul;
        let blocks = weight_blocks(k, n, m);
        let is_forward = matmul.a.column == 1 && matmul.b.column == 1;
        let bias = match finishing {
            Finishing::Store => None,
            Finishing::Bias(bias) => Some((bias, false)),
            Finishing::BiasRelu(bias) => Some((bias, true)),
            Finishing::SubtractScaled(_) | Finishing::ReluGradient(_) => return false,
        };
        if !is_forward || blocks == 1 || m * n * k < 1 << 17 {
            return false;
        }
        let ([a, b, c], isa) = (ends, self.cpu.isa());
        let partials = self.temporary(blocks * m * n * 4, id, offsets);
        let parts: Vec<MatMul> =
            (0..blocks).map(|i| MatMul { k: block(k, blocks, i).len(), ..*matmul }).collect();
        let whole = Chunk { rows: 0..m, columns: 0..n };
        let scratch_len = parts.iter().map(MatMul::scratch_len).max().unwrap_or(0);
        self.scratch(scratch_len * 4);
        let shape = *matmul;
        self.kernel(blocks, move |part| {
            let rows = block(k, blocks, part.chunk);
            let at = |place: Place, offset: usize| part.bases.at(place).cast::<f32>().wrapping_add(offset);
            let operands = Operands {
                c: at(partials, part.chunk * m * n),
                a: at(a, rows.start * shape.a.column),
                b: at(b, rows.start * shape.b.row),
            };
            // SAFETY: the operands are blocks of the product's; the temporary buffer has a result for each block.
            unsafe {
                let scratch = std::slice::from_raw_parts_mut(part.scratch.cast::<f32>(), scratch_len);
                parts[part.chunk].run(isa, operands, &whole, Finish::Store, scratch);
            }
        });
        let chunks = self.chunks_for(blocks * m * n).min(m);
        self.kernel(chunks, move |part| {
            let rows = crate::step::even_part(m, chunks, part.chunk, 1);
            let at = |place: Place| part.bases.at(place).cast::<f32>();
            let first = rows.start * n;
            // SAFETY: the buffers have these sizes, and these rows of the result are this chunk's.
            unsafe {
                let out = std::slice::from_raw_parts_mut(at(c).add(first), rows.len() * n);
                let partials = std::slice::from_raw_parts(at(partials).add(first), blocks * m * n - first);
                let finish = match bias {
                    None => combine::Finish::Store,
                    Some((bias, false)) => combine::Finish::Bias(std::slice::from_raw_parts(at(bias), n)),
                    Some((bias, true)) => combine::Finish::BiasRelu(std::slice::from_raw_parts(at(bias), n)),
                };
                combine::combine(isa, out, partials, m * n, n, finish);
            }
        });
        true
    }
}

/// Questions about the inside of a region.
struct RegionView<'a> {
    region: &'a Region,
    operands: &'a [Id],
    graph: &'a carnyx_graph::Graph,
}

impl RegionView<'_> {
    fn inner(&self, id: Id) -> Option<&Instruction> {
        id.checked_sub(self.operands.len()).and_then(|i| self.region.body.get(i))
    }

    fn op(&self, id: Id) -> Option<&Op> {
        match &self.inner(id)?.body {
            Body::Op(op) => Some(op),
            _ => None,
        }
    }

    fn product(&self) -> Option<Id> {
        let is_dot = |inner: &Instruction| matches!(&inner.body, Body::Op(Op::Dot { .. }));
        self.region.body.iter().position(is_dot).map(|i| i + self.operands.len())
    }

    /// The only operation that uses `id`, unless it is also a result.
    fn only_user(&self, id: Id) -> Option<Id> {
        let mut users = self.region.body.iter().enumerate().filter(|(_, inner)| inner.operands.contains(&id));
        let user = users.next()?.0 + self.operands.len();
        (users.next().is_none() && !self.region.results.contains(&id)).then_some(user)
    }

    /// The operand of the region that `id` repeats, if it does.
    fn repeated_operand(&self, id: Id) -> Option<usize> {
        match self.op(id)? {
            Op::Broadcast(_) => {
                let source = self.inner(id)?.operands[0];
                if source < self.operands.len() { Some(source) } else { self.repeated_operand(source) }
            }
            _ => None,
        }
    }

    fn is_zero(&self, id: Id) -> bool {
        match self.op(id) {
            Some(Op::Broadcast(_)) => self.inner(id).is_some_and(|inner| self.is_zero(inner.operands[0])),
            Some(Op::Constant(array)) => array.len() == 1 && array.element(0) == 0.0,
            _ => false,
        }
    }

    fn sizes_of_operand(&self, operand: usize) -> &[usize] {
        &self.graph.instructions[self.operands[operand]].sizes
    }

    /// The operands of `id` if it is `binary`: first the one that is `known`, then the other.
    fn partner(&self, id: Id, binary: Binary, known: Id) -> Option<Id> {
        match self.op(id)? {
            Op::Binary(op) if *op == binary => {
                let operands = &self.inner(id)?.operands;
                match operands[..] {
                    [x, y] if x == known && y != known => Some(y),
                    [x, y] if y == known && x != known && binary != Binary::Sub => Some(x),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The value that the kernel can compute by itself, and how.
    fn finishing(&self, dot: Id, results: &[Place], place_of: &dyn Fn(usize) -> Place) -> (Id, Finishing) {
        self.weight_update(dot, results, place_of)
            .or_else(|| self.relu_gradient(dot, results, place_of))
            .or_else(|| self.bias(dot, place_of))
            .unwrap_or((dot, Finishing::Store))
    }

    fn bias(&self, dot: Id, place_of: &dyn Fn(usize) -> Place) -> Option<(Id, Finishing)> {
        let sum = self.only_user(dot)?;
        let bias = self.repeated_operand(self.partner(sum, Binary::Add, dot)?)?;
        let n = *self.inner(dot)?.sizes.last()?;
        let sizes = self.sizes_of_operand(bias);
        if sizes.last() != Some(&n) || sizes.iter().product::<usize>() != n {
            return None;
        }
        let relu = self.only_user(sum).filter(|&user| {
            self.partner(user, Binary::Maximum, sum).is_some_and(|other| self.is_zero(other))
        });
        Some(match relu {
            Some(relu) => (relu, Finishing::BiasRelu(place_of(bias))),
            None => (sum, Finishing::Bias(place_of(bias))),
        })
    }

    /// `w - dot · rate`, written over `w`.
    fn weight_update(
        &self,
        dot: Id,
        results: &[Place],
        place_of: &dyn Fn(usize) -> Place,
    ) -> Option<(Id, Finishing)> {
        let scaled = self.only_user(dot)?;
        let rate = self.repeated_operand(self.partner(scaled, Binary::Mul, dot)?)?;
        if self.sizes_of_operand(rate).iter().product::<usize>() != 1 {
            return None;
        }
        let difference = self.only_user(scaled)?;
        let [weight, subtracted] = self.inner(difference)?.operands[..] else { return None };
        let is_update = matches!(self.op(difference), Some(Op::Binary(Binary::Sub)))
            && subtracted == scaled
            && weight < self.operands.len();
        let result = self.region.results.iter().position(|&result| result == difference)?;
        (is_update && results[result] == place_of(weight))
            .then(|| (difference, Finishing::SubtractScaled(place_of(rate))))
    }

    /// `select(0 < y, dot, 0)`.
    fn relu_gradient(
        &self,
        dot: Id,
        results: &[Place],
        place_of: &dyn Fn(usize) -> Place,
    ) -> Option<(Id, Finishing)> {
        let select = self.only_user(dot)?;
        let [condition, taken, other] = self.inner(select)?.operands[..] else { return None };
        if !matches!(self.op(select), Some(Op::Select)) || taken != dot || !self.is_zero(other) {
            return None;
        }
        let [zero, y] = self.inner(condition)?.operands[..] else { return None };
        let is_mask = matches!(self.op(condition), Some(Op::Binary(Binary::Less)))
            && self.is_zero(zero)
            && y < self.operands.len()
            && self.sizes_of_operand(y) == self.inner(dot)?.sizes;
        let apart = self
            .region
            .results
            .iter()
            .position(|&result| result == select)
            .is_none_or(|result| results[result] != place_of(y));
        (is_mask && apart).then(|| (select, Finishing::ReluGradient(place_of(y))))
    }
}
