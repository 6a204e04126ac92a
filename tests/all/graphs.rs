//! Golden tests of captured graphs, gradients and passes, in printed form.

use carnyx_graph::passes::{fuse, optimize, simplify};
use carnyx_graph::{Array, DType, Facts, Graph, Mode, Result, Tensor, Variable};
use carnyx_tests::assert_golden;

fn weight(shape: &[usize]) -> Variable {
    Variable::from(Array::full(shape, 0.01f32))
}

fn data(name: &str, shape: [usize; 2]) -> Tensor {
    Tensor::placeholder(name, Facts::new(shape, DType::F32), Mode::Training)
}

/// A classifier's whole training step with plain gradient descent and a running count of right answers.
fn classifier_step() -> Result<Graph> {
    let (kernel, bias) = (weight(&[8, 3]), weight(&[3]));
    let (hidden_kernel, hidden_bias) = (weight(&[20, 8]), weight(&[8]));
    let (rate, right) = (weight(&[]), Variable::from(Array::scalar(0f64)));
    let x = data("x", [32, 20]);
    let labels = Tensor::placeholder("labels", Facts::new([32usize], DType::U8), Mode::Training);
    let hidden = (x.matmul(&hidden_kernel) + &hidden_bias).relu();
    let logits = hidden.matmul(&kernel) + &bias;
    let loss = -logits.log_softmax().pick(&labels).mean();
    let hits = logits.softmax().arg_max(-1).equal(labels.cast(DType::I64)).cast(DType::F64).sum();
    let gradients = loss.gradients(&[hidden_kernel, hidden_bias, kernel, bias]);
    let step = |(variable, gradient): (&Variable, &Tensor)| {
        (variable.clone(), Tensor::read(variable) - gradient * Tensor::read(&rate))
    };
    let mut updates: Vec<(Variable, Tensor)> = gradients.iter().map(step).collect();
    updates.push((right.clone(), Tensor::read(&right) + hits));
    Ok(Graph::capture(&[loss], &updates)?.guarded_by(0))
}

#[test]
fn a_training_step_is_one_graph() -> Result {
    let graph = classifier_step()?;
    graph.check();
    assert_golden("classifier_captured", &graph.to_string());
    assert_golden("classifier_simplified", &simplify(&graph).to_string());
    assert_golden("classifier_optimized", &optimize(&graph).to_string());
    Ok(())
}

#[test]
fn gradients_are_graphs() -> Result {
    let w = weight(&[3]);
    let x = data("x", [2, 3]);
    let loss = (x * Tensor::read(&w)).tanh().sum();
    let slope = loss.gradients(std::slice::from_ref(&w));
    let curvature =
        slope.of(&w).expect("the variable was asked for").square().sum().gradients(std::slice::from_ref(&w));
    let first = Graph::capture(&[slope.of(&w).expect("asked for").clone()], &[])?;
    let second = Graph::capture(&[curvature.of(&w).expect("asked for").clone()], &[])?;
    assert_golden("gradient_of_tanh", &simplify(&first).to_string());
    assert_golden("second_gradient_of_tanh", &simplify(&second).to_string());
    Ok(())
}

#[test]
fn a_path_that_leaves_a_region_keeps_it_open() -> Result {
    // `y` and `y / sum(y)` have one shape, but the sum between them cannot be inside their region.
    let y = data("x", [4, 5]).exp();
    let graph = Graph::capture(&[&y / y.sum_keep(-1)], &[])?;
    let fused = fuse(&graph);
    fused.check();
    assert_golden("normalised_rows", &fused.to_string());
    Ok(())
}

#[test]
fn keys_tell_structures_apart() -> Result {
    let step = |rows: usize, scale: f32| {
        let w = weight(&[5, 2]);
        Graph::capture(&[data("x", [rows, 5]).matmul(&w) * scale], &[]).map(|graph| graph.key())
    };
    assert_eq!(step(32, 2.0)?, step(32, 2.0)?, "other variables, the same structure");
    assert_ne!(step(32, 2.0)?, step(31, 2.0)?);
    assert_ne!(step(32, 2.0)?, step(32, 3.0)?);
    Ok(())
}

#[test]
fn what_cannot_be_captured_is_an_error() {
    let blueprint = Tensor::input("x", [3]) * 2.0;
    assert_eq!(Graph::capture(&[blueprint], &[]).expect_err("the batch is not known").code(), "data");
    let w = weight(&[2]);
    let twice = [(w.clone(), Tensor::read(&w) * 2.0), (w.clone(), Tensor::read(&w) * 3.0)];
    assert_eq!(Graph::capture(&[], &twice).expect_err("two updates").code(), "variable");
    let other_shape = [(w.clone(), Tensor::full([3usize], 0f32))];
    assert_eq!(Graph::capture(&[], &other_shape).expect_err("another shape").code(), "shape");
}
