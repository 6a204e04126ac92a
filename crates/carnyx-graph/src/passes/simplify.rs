//! Algebra that never changes a value (but the sign of a zero): operations that do nothing vanish, transpositions
//! move into matrix products, arithmetic on known numbers is done now, equal values are computed once.

use super::{Renumbering, drop_unused};
use crate::graph::{Body, Graph, Id, Instruction, Sharing};
use crate::op::{Binary, Op, Reduce, Unary};
use crate::{Array, DType};

/// The graph with fewer instructions and the same results.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Graph, Tensor, passes::simplify};
/// let x = Tensor::from(&Array::full([4, 8], 1f32));
/// let w = Tensor::from(&Array::full([3, 8], 1f32));
/// let y = (x * 1.0).matmul(w.transpose()).reshape([12]).reshape([2, 6]);
/// assert_eq!(simplify(&Graph::capture(&[y], &[])?).to_string(), "\
/// %0: f32[4, 8] = captured 0
/// %1: f32[3, 8] = captured 1
/// %2: f32[4, 3] = dot %0 %1 transpose_b
/// %3: f32[2, 6] = reshape %2
/// outputs: %3
/// ");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn simplify(graph: &Graph) -> Graph {
    let mut written = Renumbering::new(graph);
    let mut sharing = Sharing::default();
    for (id, instruction) in graph.instructions.iter().enumerate() {
        let operands = instruction.operands.iter().map(|&id| written.of(id)).collect();
        let mut current = Instruction { operands, ..instruction.clone() };
        let new = loop {
            match rewrite(&written.new, &current) {
                Rewrite::Same(id) => break id,
                Rewrite::Other(better) => current = better,
                Rewrite::Keep => {
                    let next = written.new.instructions.len();
                    break match sharing.find(&current, next) {
                        Some(earlier) => earlier,
                        None => written.new.push(current),
                    };
                }
            }
        };
        written.map(id, new);
    }
    drop_unused(&written.finish())
}

enum Rewrite {
    /// The value is that of an earlier instruction.
    Same(Id),
    /// The value is that of another instruction, to be looked at again.
    Other(Instruction),
    /// There is nothing to gain.
    Keep,
}

fn rewrite(graph: &Graph, instruction: &Instruction) -> Rewrite {
    let Body::Op(op) = &instruction.body else { return Rewrite::Keep };
    let operand = |i: usize| &graph.instructions[instruction.operands[i]];
    let unchanged = |i: usize| operand(i).sizes == instruction.sizes && operand(i).dtype == instruction.dtype;
    let with = |op: Op, operands: Vec<Id>| {
        Rewrite::Other(Instruction { body: Body::Op(op), operands, ..instruction.clone() })
    };
    match op {
        Op::Reshape(_) | Op::Broadcast(_) | Op::Cast(_) if unchanged(0) => {
            Rewrite::Same(instruction.operands[0])
        }
        // A chain of the same movement is one movement.
        Op::Reshape(shape) => match &operand(0).body {
            Body::Op(Op::Reshape(_)) => with(Op::Reshape(shape.clone()), operand(0).operands.clone()),
            Body::Op(Op::Broadcast(_)) if graph.instructions[operand(0).operands[0]].sizes.is_empty() => {
                with(Op::Broadcast(shape.clone()), operand(0).operands.clone())
            }
            _ => Rewrite::Keep,
        },
        Op::Broadcast(shape) => match &operand(0).body {
            Body::Op(Op::Broadcast(_)) => with(Op::Broadcast(shape.clone()), operand(0).operands.clone()),
            Body::Op(Op::Reshape(_)) => {
                broadcast_of_reshape(graph, instruction).map_or(Rewrite::Keep, Rewrite::Other)
            }
            _ => Rewrite::Keep,
        },
        Op::Transpose(order) => match &operand(0).body {
            _ if order.iter().enumerate().all(|(i, &axis)| i == axis) => {
                Rewrite::Same(instruction.operands[0])
            }
            Body::Op(Op::Transpose(inner)) => {
                let composed = order.iter().map(|&axis| inner[axis]).collect();
                with(Op::Transpose(composed), operand(0).operands.clone())
            }
            _ => Rewrite::Keep,
        },
        Op::Dot { transpose_a, transpose_b } => {
            if exchanges_last_two(operand(0)) && operand(1).sizes.len() == operand(0).sizes.len() {
                let operands = vec![operand(0).operands[0], instruction.operands[1]];
                return with(Op::Dot { transpose_a: !transpose_a, transpose_b: *transpose_b }, operands);
            }
            if exchanges_last_two(operand(1)) {
                let operands = vec![instruction.operands[0], operand(1).operands[0]];
                return with(Op::Dot { transpose_a: *transpose_a, transpose_b: !transpose_b }, operands);
            }
            Rewrite::Keep
        }
        Op::Reduce(reduce, axes) => {
            let single = axes.iter().all(|&axis| operand(0).sizes[axis] == 1);
            if single && !matches!(reduce, Reduce::Prod) {
                return with(Op::Reshape((&instruction.sizes).into()), instruction.operands.clone());
            }
            Rewrite::Keep
        }
        Op::Unary(Unary::Neg) => match &operand(0).body {
            Body::Op(Op::Unary(Unary::Neg)) => Rewrite::Same(operand(0).operands[0]),
            Body::Op(Op::Constant(array)) if array.shape().is_empty() => fold(instruction, -array.element(0)),
            _ => Rewrite::Keep,
        },
        Op::Binary(binary) => rewrite_binary(graph, instruction, *binary),
        _ => Rewrite::Keep,
    }
}

fn exchanges_last_two(instruction: &Instruction) -> bool {
    let Body::Op(Op::Transpose(order)) = &instruction.body else { return false };
    let rank = order.len();
    order[..rank - 2].iter().enumerate().all(|(i, &axis)| i == axis)
        && (order[rank - 2], order[rank - 1]) == (rank - 1, rank - 2)
}

/// `reshape` that only adds or drops axes of size 1 in front says nothing to a broadcast that follows.
fn broadcast_of_reshape(graph: &Graph, broadcast: &Instruction) -> Option<Instruction> {
    let reshape = &graph.instructions[broadcast.operands[0]];
    let source = &graph.instructions[reshape.operands[0]];
    let core = |sizes: &[usize]| sizes.iter().copied().skip_while(|&n| n == 1).collect::<Vec<_>>();
    let fits = source.sizes.len() <= broadcast.sizes.len() && core(&source.sizes) == core(&reshape.sizes);
    fits.then(|| Instruction { operands: reshape.operands.clone(), ..broadcast.clone() })
}

/// The number that fills the whole value of an instruction, if it is known.
fn known_number(graph: &Graph, id: Id) -> Option<f64> {
    match &graph.instructions[id].body {
        Body::Op(Op::Constant(array)) if array.len() == 1 => Some(array.element(0)),
        Body::Op(Op::Broadcast(_)) => known_number(graph, graph.instructions[id].operands[0]),
        _ => None,
    }
}

fn rewrite_binary(graph: &Graph, instruction: &Instruction, binary: Binary) -> Rewrite {
    let [x, y] = [instruction.operands[0], instruction.operands[1]];
    let (known_x, known_y) = (known_number(graph, x), known_number(graph, y));
    match (binary, known_x, known_y) {
        (Binary::Mul, Some(1.0), _) | (Binary::Add, Some(0.0), _) => Rewrite::Same(y),
        (Binary::Mul | Binary::Div, _, Some(1.0)) | (Binary::Add | Binary::Sub, _, Some(0.0)) => {
            Rewrite::Same(x)
        }
        (_, Some(a), Some(b)) if instruction.sizes.is_empty() => arithmetic(binary, instruction.dtype, a, b)
            .map_or(Rewrite::Keep, |number| fold(instruction, number)),
        // Multiplying by -1 or subtracting from 0 is a change of sign.
        (Binary::Mul, Some(-1.0), _) if instruction.dtype.is_float() => negate(instruction, y),
        (Binary::Mul, _, Some(-1.0)) if instruction.dtype.is_float() => negate(instruction, x),
        _ => Rewrite::Keep,
    }
}

fn negate(instruction: &Instruction, operand: Id) -> Rewrite {
    Rewrite::Other(Instruction {
        body: Body::Op(Op::Unary(Unary::Neg)),
        operands: vec![operand],
        ..instruction.clone()
    })
}

/// The result as the program would have computed it, in the instruction's own type.
fn arithmetic(binary: Binary, dtype: DType, a: f64, b: f64) -> Option<f64> {
    let double = |a: f64, b: f64| match binary {
        Binary::Add => Some(a + b),
        Binary::Sub => Some(a - b),
        Binary::Mul => Some(a * b),
        Binary::Div => Some(a / b),
        _ => None,
    };
    match dtype {
        // One operation on two floats, rounded once, is the same in double precision.
        DType::F32 => double(a, b).map(|value| f64::from(value as f32)),
        DType::F64 => double(a, b),
        _ => None,
    }
}

fn fold(instruction: &Instruction, number: f64) -> Rewrite {
    let constant = Op::Constant(Array::scalar(number).cast(instruction.dtype));
    Rewrite::Other(Instruction { body: Body::Op(constant), operands: Vec::new(), ..instruction.clone() })
}
