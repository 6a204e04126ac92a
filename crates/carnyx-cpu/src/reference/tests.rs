//! The oracle on cases that can be worked out by hand.

use super::*;
use carnyx_graph::op::{Binary, Unary};
use carnyx_graph::{Tensor, Variable, concat};

const NO_BINDINGS: Bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 1, step: 0 };

#[track_caller]
fn value(tensor: &Tensor) -> Array {
    let graph = Graph::capture(std::slice::from_ref(tensor), &[]).unwrap();
    let bindings = Bindings { captured: &graph.captured, variables: &graph.variables, ..NO_BINDINGS };
    evaluate(&graph, &bindings, Precision::Stored).unwrap().output(0)
}

fn constant(array: impl Into<Array>) -> Tensor {
    Tensor::from(&array.into())
}

#[test]
fn elementwise() {
    let x = constant([1.5f32, -2.0, 0.0]);
    assert_eq!(value(&(&x + 1.0)), Array::from([2.5f32, -1.0, 1.0]));
    assert_eq!(value(&x.less(0.0)), Array::from([false, true, false]));
    assert_eq!(value(&x.less(0.0).select(&x, 7.0)), Array::from([7.0f32, -2.0, 7.0]));
    assert_eq!(value(&x.cast(DType::I64)), Array::from([1i64, -2, 0]));
    let large = constant([(1i64 << 53) + 1, i64::MAX]);
    assert_eq!(value(&(&large + 1i64)), Array::from([(1i64 << 53) + 2, i64::MIN]));
    assert_eq!(value(&(constant([200u8]) + constant([100u8]))), Array::from([44u8]));
    assert_eq!(number::binary_integer(Binary::Pow, 2, -1), 0);
    assert_eq!(number::binary_integer(Binary::Pow, 3, 4), 81);
    assert_eq!(number::binary_integer(Binary::Pow, 0, 0), 1);
    assert_eq!(number::unary_float(Unary::Round, 2.5), 2.0);
    assert_eq!(number::binary_float(Binary::Rem, -7.0, 3.0), 2.0);
}

#[test]
fn movement() {
    let x = constant([[1i32, 2, 3], [4, 5, 6]]);
    assert_eq!(value(&x.transpose()), Array::from([[1i32, 4], [2, 5], [3, 6]]));
    assert_eq!(value(&x.slice_by(1, 0..3, 2)), Array::from([[1i32, 3], [4, 6]]));
    assert_eq!(value(&x.pad(1, 1, 0)), Array::from([[0i32, 1, 2, 3], [0, 4, 5, 6]]));
    assert_eq!(value(&x.flip([0, 1])), Array::from([[6i32, 5, 4], [3, 2, 1]]));
    assert_eq!(value(&concat([&x, &x], 1)), Array::from([[1i32, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]]));
    assert_eq!(value(&constant([[1i32], [2]]).broadcast_to([2, 2])), Array::from([[1i32, 1], [2, 2]]));
    assert_eq!(value(&Tensor::iota([2, 3], 1, DType::I32)), Array::from([[0i32, 1, 2], [0, 1, 2]]));
}

#[test]
fn reductions() {
    let x = constant([[1.0f32, 5.0, 3.0], [4.0, 5.0, f32::NAN]]);
    assert_eq!(value(&x.slice(1, 0..2).sum_along(0)), Array::from([5.0f32, 10.0]));
    assert_eq!(value(&x.slice(1, 0..2).mean()), Array::scalar(3.75f32));
    assert_eq!(value(&x.max_along(0).slice(0, 0..2)), Array::from([4.0f32, 5.0]));
    assert!(value(&x.max()).item().unwrap().is_nan());
    assert_eq!(value(&x.arg_max(1)), Array::from([1i64, 2]));
    assert_eq!(value(&x.arg_sort(1)), Array::from([[0i64, 2, 1], [0, 1, 2]]));
    assert_eq!(value(&constant([1i32, 2, 3]).cumulative_sum(0)), Array::from([1i32, 3, 6]));
    assert_eq!(value(&constant([0.0f32, 0.0]).softmax()), Array::from([0.5f32, 0.5]));
    assert_eq!(value(&constant([1e4f32, 0.0]).log_softmax()), Array::from([0.0f32, -1e4]));
}

#[test]
fn indices_count_from_the_end_and_stop_at_the_ends() {
    let x = constant([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let indices = constant([-1i64, 0, 9, -9]);
    let rows = [[5.0f32, 6.0], [1.0, 2.0], [5.0, 6.0], [1.0, 2.0]];
    assert_eq!(
        value(&x.gather(0, &indices)),
        Array::from(&Array::from(rows.to_vec().as_flattened())).reshape([4, 2]).unwrap()
    );
    let ones = constant(Array::full([4, 2], 1f32));
    let scattered = ones.scatter_add(0, 3, &indices);
    assert_eq!(value(&scattered), Array::from([[2.0f32, 2.0], [0.0, 0.0], [2.0, 2.0]]));
    let along = constant([[-1i32], [0], [7]]);
    assert_eq!(value(&x.gather_along(1, &along)), Array::from([[2.0f32], [3.0], [6.0]]));
}

#[test]
fn products() {
    let a = constant([[1.0f32, 2.0], [3.0, 4.0]]);
    let b = constant([[0.0f32, 1.0], [1.0, 0.0]]);
    assert_eq!(value(&a.dot(&b, false, false)), Array::from([[2.0f32, 1.0], [4.0, 3.0]]));
    assert_eq!(value(&a.dot(&b, true, false)), Array::from([[3.0f32, 1.0], [4.0, 2.0]]));
    let batch = a.reshape([2, 1, 2]);
    assert_eq!(value(&batch.dot(&b, false, true)), Array::from([[[2.0f32, 1.0]], [[4.0, 3.0]]]));
}

#[test]
fn precision_guard_and_causes() {
    let weight = Variable::from(Array::from([1e-30f32, 2.0]));
    let x = Tensor::read(&weight);
    let (tiny, ratio) = (x.square(), x.square() / x.square());
    let graph = Graph::capture(&[ratio.sum()], &[(weight.clone(), tiny)]).unwrap().guarded_by(0);
    let bindings = Bindings { variables: &graph.variables, ..NO_BINDINGS };
    let stored = evaluate(&graph, &bindings, Precision::Stored).unwrap();
    assert_eq!(stored.outcome(), Outcome::Guarded);
    assert_eq!(stored.updates(), [(0, Array::from([0.0f32, 4.0]))]);
    let double = evaluate(&graph, &bindings, Precision::Double).unwrap();
    assert_eq!((double.outcome(), double.output(0)), (Outcome::Completed, Array::scalar(2.0f32)));
    let cause = first_non_finite(&graph, &bindings).unwrap().unwrap();
    assert!(matches!(graph.instructions[cause].body, Body::Op(Op::Binary(Binary::Div))));
    assert_eq!(weight.value().unwrap(), Array::from([1e-30f32, 2.0]), "no variable changes");
}

#[test]
fn regions_are_their_operations() {
    let op = |op, operands: &[Id]| Instruction {
        body: Body::Op(op),
        operands: operands.to_vec(),
        sizes: vec![2],
        dtype: DType::F32,
        scope: None,
        site: None,
        purpose: None,
    };
    let mut graph = Graph::default();
    let x = graph.push(op(Op::Constant(Array::from([1.0f32, -2.0])), &[]));
    let body = vec![op(Op::Unary(Unary::Neg), &[0]), op(Op::Binary(Binary::Add), &[0, 1])];
    let region = Region { body, results: vec![2, 1] };
    let sum = graph.push(Instruction { body: Body::Region(region), ..op(Op::Softmax, &[x]) });
    let part = graph.push(Instruction { body: Body::Part(1), ..op(Op::Softmax, &[sum]) });
    graph.outputs = vec![sum, part];
    let evaluation = evaluate(&graph, &NO_BINDINGS, Precision::Stored).unwrap();
    assert_eq!(evaluation.output(0), Array::from([0.0f32, 0.0]));
    assert_eq!(evaluation.output(1), Array::from([-1.0f32, 2.0]));
    assert_eq!(evaluation.value(part), [-1.0, 2.0]);
}

#[test]
fn rows_are_gathered() {
    let x = Tensor::input("x", [2]).shape();
    assert_eq!(x.to_string(), "[batch, 2]");
    let mut graph = Graph::default();
    let slot = carnyx_graph::graph::InputSlot { name: "x".into(), sizes: vec![2, 2], dtype: DType::F32 };
    graph.inputs.push(slot);
    let id = graph.push(Instruction {
        body: Body::Input(0),
        operands: vec![],
        sizes: vec![2, 2],
        dtype: DType::F32,
        scope: None,
        site: None,
        purpose: None,
    });
    let rows = Array::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let feeds = [Feed::Rows(&rows, &[2, 0])];
    let evaluation =
        evaluate(&graph, &Bindings { inputs: &feeds, ..NO_BINDINGS }, Precision::Stored).unwrap();
    assert_eq!(evaluation.array(id), Array::from([[5.0f32, 6.0], [1.0, 2.0]]));
    assert_eq!(evaluate(&graph, &NO_BINDINGS, Precision::Stored).unwrap_err().code(), "input");
}
