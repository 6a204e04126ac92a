//! Which kernel runs an operation that is neither element-wise nor a matrix product.

use super::Lowering;
use carnyx_graph::graph::{Body, Graph, Id, InputSlot, Instruction};
use carnyx_graph::op::Op;
use carnyx_graph::{Array, Bindings, DType, Feed};

impl Lowering<'_> {
    /// Emits the tasks of instruction `id`, which computes `op`.
    pub(super) fn emit_op(&mut self, id: Id, op: &Op, _offsets: &[usize]) {
        match op {
            Op::Constant(_) | Op::Iota(_) | Op::Reshape(_) => {}
            Op::Dot { transpose_a, transpose_b } => self.emit_product(id, *transpose_a, *transpose_b),
            _ => self.emit_by_reference(id),
        }
    }

    fn emit_by_reference(&mut self, id: Id) {
        let instruction = self.instruction(id).clone();
        let mut graph = Graph::default();
        let mut places = Vec::new();
        for i in 0..instruction.operands.len() {
            let (operand, place) = self.operand(id, i);
            graph.inputs.push(InputSlot { name: format!("{i}").into(), sizes: operand.sizes.clone(), dtype: operand.dtype });
            graph.push(Instruction { body: Body::Input(i), operands: vec![], ..operand.clone() });
            places.push((place, operand.sizes.clone(), operand.dtype));
        }
        let n = instruction.operands.len();
        graph.push(Instruction { operands: (0..n).collect(), ..instruction.clone() });
        graph.outputs.push(n);
        let (to, bytes) = (self.places[id], instruction.bytes());
        self.kernel(id, 1, move |part| {
            let arrays: Vec<Array> = places.iter().map(|(place, sizes, dtype)| {
                let at = part.bases.at(*place);
                let len: usize = sizes.iter().product();
                unsafe { match dtype {
                    DType::F32 => Array::new(sizes.clone(), std::slice::from_raw_parts(at.cast::<f32>(), len).to_vec()),
                    DType::F64 => Array::new(sizes.clone(), std::slice::from_raw_parts(at.cast::<f64>(), len).to_vec()),
                    DType::I32 => Array::new(sizes.clone(), std::slice::from_raw_parts(at.cast::<i32>(), len).to_vec()),
                    DType::I64 => Array::new(sizes.clone(), std::slice::from_raw_parts(at.cast::<i64>(), len).to_vec()),
                    DType::U8 => Array::new(sizes.clone(), std::slice::from_raw_parts(at, len).to_vec()),
                    DType::Bool => Array::new(sizes.clone(), std::slice::from_raw_parts(at.cast::<bool>(), len).to_vec()),
                } }.unwrap()
            }).collect();
            let feeds: Vec<Feed> = arrays.iter().map(Feed::Whole).collect();
            let numbers = unsafe { *part.bases.at(crate::memory::Place { base: 0, offset: 0 }).cast::<crate::program::RunNumbers>() };
            let bindings = Bindings { inputs: &feeds, captured: &[], variables: &[], seed: numbers.seed, step: numbers.step };
            let out = crate::reference::evaluate(&graph, &bindings, crate::reference::Precision::Stored).unwrap().output(0);
            unsafe { std::ptr::copy_nonoverlapping(out.address() as *const u8, part.bases.at(to), bytes) };
        });
    }
}
