//! Whole training steps on the executor: against the reference, for any number of threads, and what happens to
//! variables when a step swaps them, stops, or fails.

use carnyx_cpu::Cpu;
use carnyx_cpu::reference::{Precision, evaluate};
use carnyx_graph::{
    Array, Bindings, DType, Executor, Facts, Feed, Graph, Mode, Outcome, Result, Tensor, Variable,
};
use carnyx_tests::Domain::Between;
use carnyx_tests::Numbers;

/// A step of a classifier: its graph, and data for it.
struct Training {
    graph: Graph,
    x: Array,
    labels: Array,
}

#[derive(Clone, Copy, PartialEq)]
enum Optimizer {
    Plain,
    Momentum,
    Adam,
}

fn training(sizes: &[usize], batch: usize, optimizer: Optimizer) -> Result<Training> {
    let mut numbers = Numbers(11);
    let mut weights = Vec::new();
    for pair in sizes.windows(2) {
        weights.push(Variable::from(numbers.array(pair, Between(-0.3, 0.3))));
        weights.push(Variable::from(numbers.array(&pair[1..], Between(-0.1, 0.1))));
    }
    let classes = sizes[sizes.len() - 1];
    let x = Tensor::placeholder("x", Facts::new([batch, sizes[0]], DType::F32), Mode::Training);
    let labels = Tensor::placeholder("labels", Facts::new([batch], DType::I32), Mode::Training);
    let last = weights.len() / 2 - 1;
    let logits = weights.chunks(2).enumerate().fold(x, |h, (i, layer)| {
        let z = h.matmul(&layer[0]) + &layer[1];
        if i == last { z } else { z.relu() }
    });
    let loss = -logits.log_softmax().pick(&labels).mean();
    let rate = Tensor::read(&Variable::from(Array::scalar(0.05f32)));
    let mut updates = Vec::new();
    for (weight, gradient) in loss.gradients(&weights).iter() {
        let slot = || Variable::from(Array::zeros(weight.shape().unwrap_or_default(), DType::F32));
        let value = Tensor::read(weight);
        let next = match optimizer {
            Optimizer::Plain => value - gradient * &rate,
            Optimizer::Momentum => {
                let velocity = slot();
                let next = Tensor::read(&velocity) * 0.9 - gradient * &rate;
                updates.push((velocity, next.clone()));
                value + next
            }
            Optimizer::Adam => {
                let (first, second) = (slot(), slot());
                let m = Tensor::read(&first).lerp(gradient, 0.1);
                let v = Tensor::read(&second).lerp(&gradient.square(), 0.001);
                updates.extend([(first, m.clone()), (second, v.clone())]);
                value - m * &rate / (v.sqrt() + 1e-7)
            }
        };
        updates.push((weight.clone(), next));
    }
    let count = Variable::from(Array::scalar(0i64));
    updates.push((count.clone(), Tensor::read(&count) + 1i64));
    let graph = Graph::capture(&[loss], &updates)?.guarded_by(0);
    let x = numbers.array(&[4 * batch, sizes[0]], Between(-1.0, 1.0));
    let labels = Array::from_fn([4 * batch], |i| (i * 7 % classes) as i32);
    Ok(Training { graph, x, labels })
}

impl Training {
    fn bindings<'a>(&'a self, feeds: &'a [Feed<'a>]) -> Bindings<'a> {
        let Graph { captured, variables, .. } = &self.graph;
        Bindings { inputs: feeds, captured, variables, seed: 0, step: 0 }
    }

    /// Runs `steps` steps and gives back all variables and the last loss.
    fn run(&self, cpu: &Cpu, steps: usize) -> Result<(Vec<Array>, f64)> {
        let mut session = cpu.compile(&self.graph)?.session();
        let batch = self.graph.inputs[0].sizes[0];
        for step in 0..steps {
            let rows: Vec<u32> =
                (0..batch).map(|i| ((i * 3 + step * 5) % self.x.num_rows()) as u32).collect();
            let feeds = [Feed::Rows(&self.x, &rows), Feed::Rows(&self.labels, &rows)];
            assert_eq!(session.run(&self.bindings(&feeds))?, Outcome::Completed);
        }
        let values = self.graph.variables.iter().map(Variable::value).collect::<Result<Vec<_>>>()?;
        Ok((values, session.number(0)))
    }
}

const NETWORKS: [(&[usize], usize); 5] = [
    (&[20, 10, 3], 7),
    (&[5, 1], 1),
    (&[64, 100, 30, 10], 32),
    (&[784, 100, 10], 32),
    (&[130, 300, 10], 129),
];

#[test]
fn a_step_agrees_with_the_reference() -> Result {
    for (sizes, batch) in NETWORKS {
        for optimizer in [Optimizer::Plain, Optimizer::Momentum, Optimizer::Adam] {
            let training = training(sizes, batch, optimizer)?;
            let rows: Vec<u32> = (0..batch).map(|i| (i * 3 % training.x.num_rows()) as u32).collect();
            let feeds = [Feed::Rows(&training.x, &rows), Feed::Rows(&training.labels, &rows)];
            let expected = evaluate(&training.graph, &training.bindings(&feeds), Precision::Double)?;
            let (values, loss) = training.run(&Cpu::new(2), 1)?;
            assert!((loss - expected.value(training.graph.outputs[0])[0]).abs() < 1e-5);
            for &(slot, id) in &training.graph.updates {
                for (i, expected) in expected.value(id).iter().enumerate() {
                    let actual = values[slot].element(i);
                    // Adam's first step divides a gradient by its own size.
                    let tolerance = if optimizer == Optimizer::Adam { 2e-3 } else { 1e-6 };
                    assert!(
                        (actual - expected).abs() < tolerance * (1.0 + expected.abs()),
                        "{sizes:?} batch {batch}: slot {slot} at {i} is {actual}, not {expected}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn training_has_the_same_bits_for_any_number_of_threads() -> Result {
    for (sizes, batch) in NETWORKS {
        for optimizer in [Optimizer::Plain, Optimizer::Adam] {
            let (expected, _) = training(sizes, batch, optimizer)?.run(&Cpu::new(1), 6)?;
            for threads in [2, 3, 8] {
                let (actual, _) = training(sizes, batch, optimizer)?.run(&Cpu::new(threads), 6)?;
                assert!(actual == expected, "{sizes:?} batch {batch}: {threads} threads differ from one");
            }
        }
    }
    Ok(())
}

#[test]
fn a_step_whose_loss_is_not_finite_changes_nothing() -> Result {
    let mut training = training(&[20, 10, 3], 7, Optimizer::Plain)?;
    training.x.as_mut_slice::<f32>()?[3] = f32::NAN;
    let before = training.graph.variables.iter().map(Variable::value).collect::<Result<Vec<_>>>()?;
    let rows: Vec<u32> = (0..7).collect();
    let feeds = [Feed::Rows(&training.x, &rows), Feed::Rows(&training.labels, &rows)];
    let cpu = Cpu::new(2);
    let outcome = cpu.compile(&training.graph)?.session().run(&training.bindings(&feeds))?;
    assert_eq!(outcome, Outcome::Guarded);
    let after = training.graph.variables.iter().map(Variable::value).collect::<Result<Vec<_>>>()?;
    assert_eq!(before, after);
    let first = cpu.first_non_finite(&training.graph, &training.bindings(&feeds))?.expect("the input is NaN");
    assert!(matches!(training.graph.instructions[first].body, carnyx_graph::graph::Body::Input(0)));
    Ok(())
}

fn run_alone(graph: &Graph) -> Result<Array> {
    let mut session = Cpu::new(1).compile(graph)?.session();
    let Graph { captured, variables, .. } = graph;
    session.run(&Bindings { inputs: &[], captured, variables, seed: 0, step: 0 })?;
    Ok(session.output(0))
}

#[test]
fn variables_can_be_swapped_in_one_step() -> Result {
    let (a, b) = (Variable::from(Array::from([1f32, 2.0])), Variable::from(Array::from([3f32, 4.0])));
    let old = Tensor::read(&a) * 10.0;
    let graph = Graph::capture(&[old], &[(a.clone(), Tensor::read(&b)), (b.clone(), Tensor::read(&a))])?;
    assert_eq!(run_alone(&graph)?, Array::from([10f32, 20.0]));
    assert_eq!(a.value()?, Array::from([3f32, 4.0]));
    assert_eq!(b.value()?, Array::from([1f32, 2.0]));
    Ok(())
}

#[test]
fn old_values_are_read_before_new_ones_are_written() -> Result {
    let a = Variable::from(Array::from([1f32, 2.0, 3.0]));
    let next = Tensor::read(&a) + 1.0;
    // The reversed old value is asked for after the new one.
    let graph = Graph::capture(&[&next + Tensor::read(&a).flip(0)], &[(a.clone(), next)])?;
    assert_eq!(run_alone(&graph)?, Array::from([5f32, 5.0, 5.0]));
    assert_eq!(a.value()?, Array::from([2f32, 3.0, 4.0]));
    Ok(())
}

#[test]
fn a_checkpoint_keeps_its_values() -> Result {
    let a = Variable::from(Array::from([1f32, 2.0]));
    let checkpoint = a.value()?;
    let graph = Graph::capture(&[Tensor::scalar(0f32)], &[(a.clone(), Tensor::read(&a) * 2.0)])?;
    run_alone(&graph)?;
    assert_eq!(checkpoint, Array::from([1f32, 2.0]));
    assert_eq!(a.value()?, Array::from([2f32, 4.0]));
    Ok(())
}

#[test]
fn a_wrong_binding_is_an_error_and_changes_nothing() -> Result {
    let training = training(&[20, 10, 3], 7, Optimizer::Plain)?;
    let cpu = Cpu::new(1);
    let mut session = cpu.compile(&training.graph)?.session();
    let wrong = [Feed::Whole(&training.labels), Feed::Whole(&training.labels)];
    assert_eq!(session.run(&training.bindings(&wrong)).expect_err("another shape").code(), "input");
    assert_eq!(session.run(&training.bindings(&[])).expect_err("nothing is given").code(), "input");
    let rows = [9999u32; 7];
    let beyond = [Feed::Rows(&training.x, &rows), Feed::Rows(&training.labels, &rows)];
    assert_eq!(session.run(&training.bindings(&beyond)).expect_err("no such row").code(), "input");
    assert!(
        training.graph.variables.iter().all(|variable| variable.value().is_ok()),
        "nothing stays checked out"
    );
    Ok(())
}
