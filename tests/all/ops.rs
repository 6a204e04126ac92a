//! Every operation: a row of a table, and one check.
//!
//! The check compares the executor with the reference interpreter on each instruction set, the bits of 1, 2, 3 and 8
//! threads with each other, and gradients — and gradients of gradients — with finite differences in f64.

use carnyx_cpu::Cpu;
use carnyx_cpu::isa::Isa;
use carnyx_cpu::reference::{Precision, evaluate};
use carnyx_graph::{Address, Axes, Distribution};
use carnyx_graph::{Array, Bindings, DType, Executor, Facts, Feed, Graph, Mode, Tensor, concat, stack};
use carnyx_tests::Domain::{self, Between, Bool, Bytes, Either, Few, Index, Integer};
use carnyx_tests::Numbers;

type Build = dyn Fn(&[Tensor]) -> Tensor;

/// One operation to check.
struct Row {
    name: &'static str,
    build: Box<Build>,
    inputs: Vec<(Vec<usize>, Domain)>,
    /// The greatest difference from the oracle, relative to 1 + |value|.
    tolerance: f64,
    /// Whether it has a gradient (and a second one) to check.
    smooth: bool,
}

fn row(
    name: &'static str,
    inputs: &[(&[usize], Domain)],
    build: impl Fn(&[Tensor]) -> Tensor + 'static,
) -> Row {
    let inputs = inputs.iter().map(|(shape, domain)| (shape.to_vec(), *domain)).collect();
    Row { name, build: Box::new(build), inputs, tolerance: 2e-6, smooth: true }
}

impl Row {
    fn rough(mut self) -> Row {
        self.smooth = false;
        self
    }

    fn within(mut self, tolerance: f64) -> Row {
        self.tolerance = tolerance;
        self
    }
}

/// The table. Shapes are odd on purpose, and some are larger than a tile or a chunk.
fn table() -> Vec<Row> {
    const WIDE: &[usize] = &[37, 53];
    let any = Between(-3.0, 3.0);
    let away_from_zero = Either(0.2, 3.0);
    let positive = Between(0.1, 3.0);
    vec![
        // ---- functions of one number
        row("neg", &[(WIDE, any)], |x| -&x[0]),
        row("abs", &[(WIDE, away_from_zero)], |x| x[0].abs()),
        row("sign", &[(WIDE, away_from_zero)], |x| x[0].sign()),
        row("exp", &[(WIDE, any)], |x| x[0].exp()),
        row("expm1", &[(WIDE, any)], |x| x[0].expm1()),
        row("log", &[(WIDE, positive)], |x| x[0].log()),
        row("log1p", &[(WIDE, Between(-0.8, 3.0))], |x| x[0].log1p()),
        row("sqrt", &[(WIDE, positive)], |x| x[0].sqrt()),
        row("rsqrt", &[(WIDE, positive)], |x| x[0].rsqrt()),
        row("sin", &[(WIDE, any)], |x| x[0].sin()),
        row("cos", &[(WIDE, any)], |x| x[0].cos()),
        row("tan", &[(WIDE, Between(-1.0, 1.0))], |x| x[0].tan()).within(5e-6),
        row("tanh", &[(WIDE, any)], |x| x[0].tanh()),
        row("sigmoid", &[(WIDE, any)], |x| x[0].sigmoid()),
        row("erf", &[(WIDE, any)], |x| x[0].erf()),
        row("floor", &[(WIDE, any)], |x| x[0].floor()).rough(),
        row("ceil", &[(WIDE, any)], |x| x[0].ceil()).rough(),
        row("round", &[(WIDE, any)], |x| x[0].round()).rough(),
        row("square", &[(WIDE, any)], |x| x[0].square()),
        row("reciprocal", &[(WIDE, positive)], |x| x[0].reciprocal()),
        row("relu", &[(WIDE, away_from_zero)], |x| x[0].relu()),
        row("softplus", &[(WIDE, away_from_zero)], |x| x[0].softplus()),
        row("not", &[(WIDE, Bool)], |x| x[0].logical_not()),
        row("is_nan", &[(WIDE, Few)], |x| (&x[0] / x[0].abs()).is_nan()),
        row("is_finite", &[(WIDE, Few)], |x| x[0].log().is_finite()),
        // ---- functions of two
        row("add", &[(WIDE, any), (WIDE, any)], |x| &x[0] + &x[1]),
        row("subtract a row", &[(WIDE, any), (&[53], any)], |x| &x[0] - &x[1]),
        row("multiply by a column", &[(WIDE, any), (&[37, 1], any)], |x| &x[0] * &x[1]),
        row("divide a column by a row", &[(&[37, 1], any), (&[53], positive)], |x| &x[0] / &x[1]),
        row("remainder", &[(WIDE, any), (WIDE, Between(0.7, 2.0))], |x| &x[0] % &x[1]).rough(),
        row("pow", &[(WIDE, positive), (WIDE, any)], |x| x[0].pow(&x[1])).within(1e-5),
        row("maximum", &[(WIDE, any), (WIDE, any)], |x| x[0].maximum(&x[1])),
        row("minimum", &[(WIDE, any), (WIDE, any)], |x| x[0].minimum(&x[1])),
        row("clip", &[(WIDE, any)], |x| x[0].clip(-1.0, 1.5)),
        row("lerp", &[(WIDE, any), (WIDE, any)], |x| x[0].lerp(&x[1], 0.3)),
        row("equal", &[(WIDE, Few), (WIDE, Few)], |x| x[0].equal(&x[1])),
        row("not_equal", &[(WIDE, Few), (WIDE, Few)], |x| x[0].not_equal(&x[1])),
        row("less", &[(WIDE, Few), (WIDE, Few)], |x| x[0].less(&x[1])),
        row("less_equal", &[(WIDE, Few), (WIDE, Few)], |x| x[0].less_equal(&x[1])),
        row("greater", &[(WIDE, Few), (WIDE, Few)], |x| x[0].greater(&x[1])),
        row("and", &[(WIDE, Bool), (WIDE, Bool)], |x| x[0].logical_and(&x[1])),
        row("or", &[(WIDE, Bool), (WIDE, Bool)], |x| x[0].logical_or(&x[1])),
        row("xor", &[(WIDE, Bool), (WIDE, Bool)], |x| x[0].logical_xor(&x[1])),
        row("select", &[(WIDE, Bool), (WIDE, any), (&[53], any)], |x| x[0].select(&x[1], &x[2])),
        row("integer add", &[(WIDE, Integer(-9, 9)), (WIDE, Integer(-9, 9))], |x| &x[0] + &x[1]),
        row("integer divide", &[(WIDE, Integer(-9, 9)), (WIDE, Integer(1, 5))], |x| &x[0] / &x[1]),
        row("integer remainder", &[(WIDE, Integer(-9, 9)), (WIDE, Integer(1, 5))], |x| &x[0] % &x[1]),
        row("index arithmetic", &[(WIDE, Index(100))], |x| &x[0] * 3i64 - 7i64),
        row("bytes maximum", &[(WIDE, Bytes), (WIDE, Bytes)], |x| x[0].maximum(&x[1])),
        row("cast bytes", &[(WIDE, Bytes)], |x| x[0].cast(DType::F32) * (1.0 / 255.0)),
        row("cast to double", &[(WIDE, any)], |x| (x[0].cast(DType::F64) * 3.0).cast(DType::F32)),
        row("cast to integer", &[(WIDE, any)], |x| x[0].cast(DType::I32)),
        row("cast to bool", &[(WIDE, Few)], |x| x[0].cast(DType::Bool)),
        row("doubles", &[(WIDE, any)], |x| x[0].cast(DType::F64).exp().log1p().tanh().cast(DType::F32)),
        row("long chain", &[(WIDE, any), (&[53], any)], |x| {
            (0..20).fold(x[0].clone(), |y, i| (y * 0.9 + &x[1]).tanh() + i as f32 * 0.01)
        })
        .within(1e-5),
        // ---- movement
        row("reshape", &[(&[6, 35], any)], |x| x[0].reshape([14, 15]) * 2.0),
        row("flatten", &[(&[3, 5, 7], any)], |x| x[0].flatten()),
        row("broadcast", &[(&[5, 1, 7], any)], |x| x[0].broadcast_to([3, 5, 4, 7])),
        row("transpose", &[(WIDE, any)], |x| x[0].transpose()),
        row("transpose wide", &[(&[130, 257], any)], |x| x[0].transpose()),
        row("permute", &[(&[3, 4, 5, 6], any)], |x| x[0].permute([2, 0, 3, 1])),
        row("permute bytes", &[(&[3, 4, 5], Bytes)], |x| x[0].permute([2, 0, 1])),
        row("slice", &[(WIDE, any)], |x| x[0].slice(1, 3..41).slice(0, 5..36)),
        row("slice by 3", &[(WIDE, any)], |x| x[0].slice_by(1, 2..50, 3)),
        row("pad", &[(WIDE, any)], |x| x[0].pad(0, 2, 1).pad(-1, 0, 5)),
        row("concat rows", &[(WIDE, any), (&[4, 53], any)], |x| concat([&x[0], &x[1]], 0)),
        row("concat columns", &[(WIDE, any), (&[37, 5], any), (&[37, 1], any)], |x| {
            concat([&x[0], &x[1], &x[2]], -1)
        }),
        row("stack", &[(WIDE, any), (WIDE, any)], |x| stack([&x[0], &x[1]], 1)),
        row("flip", &[(WIDE, any)], |x| x[0].flip([0, 1])),
        row("expand and squeeze", &[(WIDE, any)], |x| x[0].expand(1).squeeze(1).exp()),
        row("repeat", &[(&[5, 3], any)], |x| x[0].repeat(1, 4)),
        // ---- reduction
        row("sum", &[(WIDE, any)], |x| x[0].sum()).within(1e-5),
        row("sum of many", &[(&[300, 700], any)], |x| x[0].sum()).within(1e-4).rough(),
        row("sum rows", &[(WIDE, any)], |x| x[0].sum_along(0)).within(1e-5),
        row("sum columns", &[(WIDE, any)], |x| x[0].sum_along(-1)).within(1e-5),
        row("sum middle", &[(&[4, 5, 6], any)], |x| x[0].sum_along(1)),
        row("sum outer and inner", &[(&[4, 5, 6], any)], |x| x[0].sum_along([0, 2])),
        row("mean", &[(WIDE, any)], |x| x[0].mean()),
        row("mean along", &[(WIDE, any)], |x| x[0].mean_along(1)),
        row("mean keep", &[(WIDE, any)], |x| &x[0] - x[0].mean_keep(-1)),
        row("max", &[(WIDE, any)], |x| x[0].max_along(1)),
        row("max of ties", &[(&[5, 7], Few)], |x| x[0].max_along(0)).rough(),
        row("min", &[(WIDE, any)], |x| x[0].min_along([0, 1])),
        row("prod", &[(&[9, 5], positive)], |x| x[0].prod_along(1)).within(1e-5),
        row("any", &[(WIDE, Bool)], |x| x[0].any_along(1)),
        row("all", &[(WIDE, Bool)], |x| x[0].all_along(0)),
        row("integer sum", &[(WIDE, Integer(-9, 9))], |x| x[0].sum_along(0)),
        row("integer max", &[(WIDE, Index(90))], |x| x[0].max_along(1)),
        row("variance", &[(WIDE, any)], |x| x[0].variance_along(0)).within(1e-5),
        row("log_sum_exp", &[(WIDE, any)], |x| x[0].log_sum_exp(-1)),
        row("arg_max", &[(WIDE, Few)], |x| x[0].arg_max(-1)),
        row("arg_max rows", &[(WIDE, Few)], |x| x[0].arg_max(0)),
        row("arg_min", &[(WIDE, any)], |x| x[0].arg_min(1)),
        row("arg_sort", &[(WIDE, Few)], |x| x[0].arg_sort(1)),
        row("sort", &[(WIDE, any)], |x| x[0].sort(0)),
        row("cumulative_sum", &[(WIDE, any)], |x| x[0].cumulative_sum(1)).within(1e-5),
        row("cumulative_sum rows", &[(WIDE, any)], |x| x[0].cumulative_sum(0)).within(1e-5),
        // ---- index
        row("gather rows", &[(WIDE, any), (&[11], Index(37))], |x| x[0].gather(0, &x[1])),
        row("gather columns", &[(WIDE, any), (&[2, 3], Index(53))], |x| x[0].gather(1, &x[1])),
        row("scatter_add", &[(&[11, 5], any), (&[11], Index(7))], |x| x[0].scatter_add(0, 7, &x[1])),
        row("gather_along", &[(WIDE, any), (&[37, 4], Index(53))], |x| x[0].gather_along(1, &x[1])),
        row("one_hot", &[(&[40], Index(12))], |x| x[0].one_hot(10, DType::F32)),
        row("one_hot of bytes", &[(&[40], Bytes)], |x| x[0].one_hot(10, DType::F32)),
        row("pick", &[(WIDE, any), (&[37], Index(53))], |x| x[0].pick(&x[1])),
        // ---- products of matrices
        row("matmul", &[(&[33, 65], any), (&[65, 47], any)], |x| x[0].matmul(&x[1])).within(2e-5),
        row("matmul, left transposed", &[(&[33, 21], any), (&[33, 47], any)], |x| {
            x[0].dot(&x[1], true, false)
        })
        .within(2e-5),
        row("matmul, right transposed", &[(&[33, 21], any), (&[47, 21], any)], |x| {
            x[0].dot(&x[1], false, true)
        })
        .within(2e-5),
        row("matmul, both transposed", &[(&[21, 33], any), (&[47, 21], any)], |x| {
            x[0].dot(&x[1], true, true)
        })
        .within(2e-5),
        row("matmul of a batch", &[(&[3, 9, 8], any), (&[3, 8, 5], any)], |x| x[0].matmul(&x[1]))
            .within(1e-5),
        row("rows of a batch on one matrix", &[(&[3, 9, 8], any), (&[8, 5], any)], |x| x[0].matmul(&x[1]))
            .within(1e-5),
        row("matrix and vector", &[(WIDE, any), (&[53], any)], |x| x[0].matmul(&x[1])).within(1e-5),
        row("vector and matrix", &[(&[37], any), (WIDE, any)], |x| x[0].matmul(&x[1])).within(1e-5),
        row("matmul of doubles", &[(&[5, 6], any), (&[6, 7], any)], |x| {
            x[0].cast(DType::F64).matmul(x[1].cast(DType::F64)).cast(DType::F32)
        }),
        row("dense", &[(&[33, 65], any), (&[65, 47], any), (&[47], any)], |x| x[0].matmul(&x[1]) + &x[2])
            .within(2e-5),
        row("dense and relu", &[(&[70, 64], any), (&[64, 300], any), (&[300], any)], |x| {
            (x[0].matmul(&x[1]) + &x[2]).relu()
        })
        .within(5e-5)
        .rough(),
        row(
            "dense on many inputs",
            &[(&[16, 700], Between(-1.0, 1.0)), (&[700, 300], Between(-0.1, 0.1)), (&[300], any)],
            |x| (x[0].matmul(&x[1]) + &x[2]).relu(),
        )
        .within(2e-5)
        .rough(),
        row(
            "many inputs, then a softer end",
            &[(&[16, 700], Between(-1.0, 1.0)), (&[700, 300], Between(-0.1, 0.1)), (&[300], any)],
            |x| (x[0].matmul(&x[1]) + &x[2]).tanh() + x[0].dot(&x[1], false, false),
        )
        .within(2e-5)
        .rough(),
        row("dense and tanh", &[(&[33, 20], Between(-0.3, 0.3)), (&[20, 47], any), (&[47], any)], |x| {
            (x[0].matmul(&x[1]) + &x[2]).tanh() * 2.0
        })
        .within(2e-5),
        row(
            "dense, then a scaled difference",
            &[(&[40, 60], any), (&[60, 300], any), (&[40, 300], any)],
            |x| &x[2] - x[0].matmul(&x[1]) * 0.01,
        )
        .within(2e-5)
        .rough(),
        // ---- normalised exponentials
        row("softmax", &[(WIDE, any)], |x| x[0].softmax()),
        row("log_softmax", &[(WIDE, any)], |x| x[0].log_softmax()),
        row("softmax of ten", &[(&[32, 10], Between(-90.0, 90.0))], |x| x[0].softmax()).rough(),
        row("softmax of doubles", &[(&[4, 6], any)], |x| x[0].cast(DType::F64).softmax().cast(DType::F32)),
        row("cross-entropy", &[(WIDE, any), (&[37], Index(53))], |x| -x[0].log_softmax().pick(&x[1]).mean()),
        // ---- sources
        row("iota", &[(WIDE, any)], |x| &x[0] + Tensor::iota([37, 53], 1, DType::F32)),
        row("full", &[(WIDE, any)], |x| &x[0] * Tensor::full([37, 53], 0.5f32)),
        row("stop_gradient", &[(WIDE, any)], |x| &x[0] * 0.0 + x[0].stop_gradient()).rough(),
        row("random", &[(WIDE, any)], |x| {
            &x[0] * Tensor::random(Distribution::Uniform, [37, 53], Address::of("noise"))
        })
        .rough(),
        row("reduce a whole", &[(WIDE, any)], |x| x[0].sum_along(Axes::ALL) * 2.0).within(2e-5),
    ]
}

const NAMES: [&str; 4] = ["x0", "x1", "x2", "x3"];

fn placeholders(inputs: &[Array]) -> Vec<Tensor> {
    let input = |(array, name): (&Array, &&str)| {
        Tensor::placeholder(name, Facts::new(array.shape(), array.dtype()), Mode::Inference)
    };
    inputs.iter().zip(&NAMES).map(input).collect()
}

/// The inputs that the graph uses, in the order of its slots.
fn feeds<'a>(graph: &Graph, inputs: &'a [Array]) -> Vec<Feed<'a>> {
    let position = |name: &str| NAMES.iter().position(|n| *n == name).expect("the name is one of ours");
    graph.inputs.iter().map(|slot| Feed::Whole(&inputs[position(&slot.name)])).collect()
}

fn bindings<'a>(graph: &'a Graph, feeds: &'a [Feed<'a>]) -> Bindings<'a> {
    Bindings { inputs: feeds, captured: &graph.captured, variables: &[], seed: 3, step: 5 }
}

fn run(cpu: &Cpu, graph: &Graph, inputs: &[Array]) -> Array {
    let feeds = feeds(graph, inputs);
    let mut session = cpu.compile(graph).expect("the graph compiles").session();
    session.run(&bindings(graph, &feeds)).expect("the bindings fit");
    session.output(0)
}

/// The first output in double precision.
fn oracle(graph: &Graph, inputs: &[Array]) -> Vec<f64> {
    let feeds = feeds(graph, inputs);
    let evaluation = evaluate(graph, &bindings(graph, &feeds), Precision::Double).expect("the bindings fit");
    evaluation.value(graph.outputs[0])
}

#[test]
fn executor_agrees_with_the_reference_on_every_instruction_set() {
    let cpus: Vec<Cpu> = Isa::available().into_iter().map(|isa| Cpu::with_isa(2, isa)).collect();
    for row in table() {
        let mut numbers = Numbers(1);
        let inputs: Vec<Array> =
            row.inputs.iter().map(|(shape, domain)| numbers.array(shape, *domain)).collect();
        let graph = Graph::capture(&[(row.build)(&placeholders(&inputs))], &[]).expect(row.name);
        let expected = oracle(&graph, &inputs);
        for cpu in &cpus {
            let actual = run(cpu, &graph, &inputs);
            assert_eq!(actual.len(), expected.len(), "{}", row.name);
            for (i, expected) in expected.iter().enumerate() {
                let actual = actual.element(i);
                let close = (actual - expected).abs() <= row.tolerance * (1.0 + expected.abs());
                assert!(
                    close || (actual.is_nan() && expected.is_nan()),
                    "{} at {i}: {actual}, not {expected}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn bits_are_equal_for_any_number_of_threads() {
    let cpus: Vec<Cpu> = [1, 2, 3, 8].into_iter().map(Cpu::new).collect();
    for row in table() {
        let mut numbers = Numbers(2);
        let inputs: Vec<Array> =
            row.inputs.iter().map(|(shape, domain)| numbers.array(shape, *domain)).collect();
        let graph = Graph::capture(&[(row.build)(&placeholders(&inputs))], &[]).expect(row.name);
        let bits = |array: Array| (0..array.len()).map(|i| array.element(i).to_bits()).collect::<Vec<_>>();
        let one = bits(run(&cpus[0], &graph, &inputs));
        for cpu in &cpus[1..] {
            assert!(
                one == bits(run(cpu, &graph, &inputs)),
                "{} differs on {} threads",
                row.name,
                cpu.threads()
            );
        }
    }
}

/// Compares the gradient of `build` with central differences, in double precision, at a few elements of each input.
fn check_gradient(name: &str, inputs: &[Array], build: &dyn Fn(&[Tensor]) -> Tensor) {
    let mut numbers = Numbers(7);
    let weighted = |tensors: &[Tensor], numbers: &mut Numbers| {
        let y = build(tensors);
        let shape = y.shape().fixed().expect("shapes are fixed here");
        (y * Tensor::from(&numbers.array(&shape, Between(0.5, 1.5)))).sum()
    };
    let tensors = placeholders(inputs);
    let loss = weighted(&tensors, &mut numbers);
    if !loss.dtype().is_float() {
        return;
    }
    let floats: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].dtype() == DType::F32).collect();
    let slopes = loss.gradients_of(&floats.iter().map(|&i| tensors[i].clone()).collect::<Vec<_>>());
    let value = Graph::capture(&[loss], &[]).expect(name);
    for (&input, slope) in floats.iter().zip(slopes) {
        let gradient = oracle(&Graph::capture(&[slope], &[]).expect(name), inputs);
        for _ in 0..6 {
            let at = numbers.below(inputs[input].len() as u64) as usize;
            let moved = |by: f32| {
                let mut inputs = inputs.to_vec();
                inputs[input].as_mut_slice::<f32>().expect("floats")[at] += by;
                (f64::from(inputs[input].values()[at]), oracle(&value, &inputs)[0])
            };
            let ((low, before), (high, after)) = (moved(-1e-3), moved(1e-3));
            let expected = (after - before) / (high - low);
            let error = (gradient[at] - expected).abs();
            assert!(
                error < 2e-4 * (1.0 + expected.abs()),
                "{name}: the gradient of input {input} at {at} is {}, finite differences say {expected}",
                gradient[at]
            );
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    for row in table().into_iter().filter(|row| row.smooth) {
        let mut numbers = Numbers(3);
        let inputs: Vec<Array> =
            row.inputs.iter().map(|(shape, domain)| numbers.array(shape, *domain)).collect();
        if inputs.iter().any(|input| input.dtype() == DType::F32)
            && (row.build)(&placeholders(&inputs)).dtype() == DType::F32
        {
            check_gradient(row.name, &inputs, &row.build);
        }
    }
}

#[test]
fn gradients_of_gradients_agree_with_finite_differences() {
    for row in table().into_iter().filter(|row| row.smooth) {
        let mut numbers = Numbers(4);
        let inputs: Vec<Array> =
            row.inputs.iter().map(|(shape, domain)| numbers.array(shape, *domain)).collect();
        let floats = inputs.iter().filter(|input| input.dtype() == DType::F32).count();
        if floats != inputs.len() || (row.build)(&placeholders(&inputs)).dtype() != DType::F32 {
            continue;
        }
        let slope = |tensors: &[Tensor]| {
            let y = (row.build)(tensors);
            let slopes = y.square().mean().gradients_of(tensors);
            slopes.iter().fold(Tensor::scalar(0f32), |sum, slope| sum + slope.square().mean())
        };
        check_gradient(row.name, &inputs, &slope);
    }
}
