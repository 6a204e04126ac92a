//! Initializers: defaults, fans, exact values, and the statistics of many draws.

use super::recorded::{Case, Comparison, compare, file};
use carnyx_graph::{Address, Array, Distribution, Initializer, Result, Variable};
use carnyx_nn::{
    Constant, Fan, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform,
    Ones, Orthogonal, RandomNormal, RandomUniform, Stft, StftScaling, StftSide, StftWindow, TruncatedNormal,
    VarianceScaling, Zeros, initialize,
};
use std::sync::Arc;

/// Differences of sampled numbers from expected ones are allowed to be so many standard errors: one number in two
/// million is further away.
const STANDARD_ERRORS: f64 = 5.0;

#[test]
fn statistics_of_random_initializers() {
    compare(&file("initializers").parts("cases"), &[], |case, comparison| {
        let shape = case.sizes("shape");
        let count = 200_000usize.div_ceil(shape.iter().product());
        let draws = draw(&initializer(case), &shape, count)?;
        let analytic = |name: &str| case.number(&format!("analytic/{name}"));
        check_moments(comparison, &draws, analytic("mean"), analytic("std"));
        check_quantiles(case, comparison, draws, analytic("std"));
        Ok(())
    });
}

fn check_moments(comparison: &mut Comparison, draws: &[f64], mean: f64, deviation: f64) {
    let n = draws.len() as f64;
    let sample_mean = draws.iter().sum::<f64>() / n;
    let sample_deviation = (draws.iter().map(|x| (x - sample_mean).powi(2)).sum::<f64>() / n).sqrt();
    let (mean_off, deviation_off) = ((sample_mean - mean).abs(), (sample_deviation / deviation - 1.0).abs());
    comparison.holds(
        &format!("the mean is {mean}; it is {sample_mean}"),
        mean_off <= STANDARD_ERRORS * deviation / n.sqrt(),
    );
    comparison.holds(
        &format!("the standard deviation is {deviation}; it is {sample_deviation}"),
        deviation_off <= STANDARD_ERRORS / (2.0 * n).sqrt(),
    );
}

/// The bounds, and the shares of draws below the quantiles of Keras's sample.
fn check_quantiles(case: &Case, comparison: &mut Comparison, mut draws: Vec<f64>, deviation: f64) {
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let slack = 1e-6 * deviation;
    let (least, greatest) = (draws[0], draws[draws.len() - 1]);
    if case.get("analytic/low").is_some() {
        let (low, high) = (case.number("analytic/low"), case.number("analytic/high"));
        let inside = least >= low - slack && greatest <= high + slack;
        comparison.holds(
            &format!("draws lie between {low} and {high}; they go from {least} to {greatest}"),
            inside,
        );
    }
    // Both samples are random, hence the sum of two variances.
    let both = 1.0 / n + 1.0 / case.number("sample/count");
    for (share, value) in case.entries("sample/quantiles") {
        let (share, value): (f64, f64) = (share.parse().expect("a share"), value.number(""));
        let below = draws.partition_point(|&x| x < value) as f64 / n;
        let error = (share * (1.0 - share) * both).sqrt();
        let near = (below - share).abs() <= STANDARD_ERRORS * error;
        comparison.holds(&format!("a share of {share} lies below {value}; it is {below}"), near);
    }
}

#[test]
fn exact_initializers() {
    compare(&file("initializers").parts("exact"), &[], |case, comparison| {
        let shape = case.sizes("shape");
        let value = value_of(&initializer(case), &shape, "exact")?;
        // Keras computes sines of large angles in float32.
        let tolerance = if case.text("initializer") == "STFT" { 1e-6 } else { 0.0 };
        comparison.close_to("outputs/value", &value, tolerance);
        Ok(())
    });
}

#[test]
fn orthogonal_matrices() {
    compare(&file("initializers").parts("orthogonal"), &[], |case, comparison| {
        let gain = case.number("arguments/gain");
        let orthogonal: Arc<dyn Initializer> = Arc::new(Orthogonal { gain: gain as f32 });
        let value = value_of(&orthogonal, &case.sizes("shape"), "orthogonal")?;
        let [rows, columns] = case.sizes("matrix")[..] else { panic!("a matrix has two sizes") };
        let at = |row: usize, column: usize| value.element(row * columns + column) / gain;
        let by_columns = case.text("identity_side") == "columns";
        let (side, length) = if by_columns { (columns, rows) } else { (rows, columns) };
        let vector = |i: usize, k: usize| if by_columns { at(k, i) } else { at(i, k) };
        let product = |i: usize, j: usize| (0..length).map(|k| vector(i, k) * vector(j, k)).sum::<f64>();
        let deviation = |i: usize, j: usize| (product(i, j) - f64::from(i == j)).abs();
        let greatest = (0..side).flat_map(|i| (0..=i).map(move |j| deviation(i, j))).fold(0f64, f64::max);
        comparison
            .holds(&format!("vectors are orthonormal; one product is off by {greatest:e}"), greatest < 5e-6);

        // A matrix of 64 by 64 numbers has 4096 random signs and places: its moments vary a little.
        let n = (rows * columns) as f64;
        let mean = (0..rows * columns).map(|i| value.element(i)).sum::<f64>() / n;
        let error = case.number("sample/std") / n.sqrt();
        comparison.holds(&format!("the mean is 0; it is {mean}"), mean.abs() <= STANDARD_ERRORS * error);
        let square = (0..rows * columns).map(|i| value.element(i).powi(2)).sum::<f64>() / n;
        let deviation = (square - mean.powi(2)).sqrt();
        comparison.number("sample/std", deviation, case.number("sample/std"), 1e-3);
        Ok(())
    });
}

#[test]
fn fans() {
    compare(&file("initializers").parts("fans"), &[], |case, comparison| {
        let shape = case.sizes("shape");
        let fans = (case.number("fan_in"), case.number("fan_out"));
        comparison.number(&format!("fan in of {shape:?}"), Fan::In.of(&shape), fans.0, 0.0);
        comparison.number(&format!("fan out of {shape:?}"), Fan::Out.of(&shape), fans.1, 0.0);
        comparison.number(
            &format!("mean fan of {shape:?}"),
            Fan::Average.of(&shape),
            f64::midpoint(fans.0, fans.1),
            0.0,
        );
        Ok(())
    });
}

#[test]
fn defaults() {
    compare(&[file("initializers")], &[], |case, comparison| {
        let (uniform, normal) = (RandomUniform::default(), RandomNormal::default());
        let (truncated, scaling) = (TruncatedNormal::default(), VarianceScaling::default());
        for (path, value) in [
            ("RandomUniform/minval", uniform.low),
            ("RandomUniform/maxval", uniform.high),
            ("RandomNormal/mean", normal.mean),
            ("RandomNormal/stddev", normal.deviation),
            ("TruncatedNormal/mean", truncated.mean),
            ("TruncatedNormal/stddev", truncated.deviation),
            ("Orthogonal/gain", Orthogonal::default().gain),
            ("VarianceScaling/scale", scaling.scale as f32),
        ] {
            comparison.number(path, f64::from(value), case.number(&format!("defaults/{path}")), 1e-7);
        }
        let (mode, distribution) = ("defaults/VarianceScaling/mode", "defaults/VarianceScaling/distribution");
        comparison.holds(mode, scaling.fan == fan(case.text(mode)));
        comparison.holds(distribution, scaling.distribution == distribution_of(case.text(distribution)));
        Ok(())
    });
}

#[test]
fn shapes_that_keras_refuses() {
    compare(&file("initializers").parts("errors"), &[], |case, comparison| {
        let shape = case.sizes("shape");
        let refused = initializer(case).initial(&shape, Address::of("refused")).is_invalid();
        comparison.holds(&format!("{} refuses {shape:?}", case.text("initializer")), refused);
        Ok(())
    });
}

/// The numbers of `count` variables of `shape`.
fn draw(initializer: &Arc<dyn Initializer>, shape: &[usize], count: usize) -> Result<Vec<f64>> {
    let variables: Vec<Variable> =
        (0..count).map(|i| variable(initializer, shape, &format!("draw/{i}"))).collect();
    initialize(&variables, 7)?;
    let values: Vec<Array> = variables.iter().map(Variable::value).collect::<Result<_>>()?;
    Ok(values.iter().flat_map(Array::to_vec::<f64>).collect())
}

fn value_of(initializer: &Arc<dyn Initializer>, shape: &[usize], path: &str) -> Result<Array> {
    let variable = variable(initializer, shape, path);
    initialize(std::slice::from_ref(&variable), 7)?;
    variable.value()
}

fn variable(initializer: &Arc<dyn Initializer>, shape: &[usize], path: &str) -> Variable {
    let variable = Variable::new(initializer.clone());
    variable.set_path(path);
    variable.shaped(shape);
    variable
}

fn initializer(case: &Case) -> Arc<dyn Initializer> {
    let number =
        |name: &str, default: f32| case.number_or(&format!("arguments/{name}"), f64::from(default)) as f32;
    match case.text("initializer") {
        "Zeros" => Arc::new(Zeros),
        "Ones" => Arc::new(Ones),
        "Constant" => Arc::new(Constant(number("value", 0.0))),
        "Identity" => Arc::new(Identity { gain: number("gain", 1.0) }),
        "Orthogonal" => Arc::new(Orthogonal { gain: number("gain", 1.0) }),
        "RandomUniform" => {
            let default = RandomUniform::default();
            Arc::new(RandomUniform {
                low: number("minval", default.low),
                high: number("maxval", default.high),
            })
        }
        "RandomNormal" => {
            let default = RandomNormal::default();
            let (mean, deviation) = (number("mean", default.mean), number("stddev", default.deviation));
            Arc::new(RandomNormal { mean, deviation })
        }
        "TruncatedNormal" => {
            let default = TruncatedNormal::default();
            let (mean, deviation) = (number("mean", default.mean), number("stddev", default.deviation));
            Arc::new(TruncatedNormal { mean, deviation })
        }
        "VarianceScaling" => Arc::new(VarianceScaling {
            scale: case.number("arguments/scale"),
            fan: fan(case.text("arguments/mode")),
            distribution: distribution_of(case.text("arguments/distribution")),
        }),
        "GlorotUniform" => Arc::new(GlorotUniform),
        "GlorotNormal" => Arc::new(GlorotNormal),
        "HeUniform" => Arc::new(HeUniform),
        "HeNormal" => Arc::new(HeNormal),
        "LecunUniform" => Arc::new(LecunUniform),
        "LecunNormal" => Arc::new(LecunNormal),
        "STFT" => Arc::new(stft(case)),
        name => panic!("no initializer is called `{name}`"),
    }
}

fn stft(case: &Case) -> Stft {
    let word = |name: &str| case.get(&format!("arguments/{name}")).and_then(|value| value.as_str());
    Stft {
        side: if word("side") == Some("imag") { StftSide::Imaginary } else { StftSide::Real },
        window: match word("window") {
            Some("hamming") => StftWindow::Hamming,
            None if case.has("arguments/window") => StftWindow::None,
            _ => StftWindow::Hann,
        },
        scaling: if word("scaling") == Some("spectrum") {
            StftScaling::Spectrum
        } else {
            StftScaling::Density
        },
        periodic: case.has("arguments/periodic"),
    }
}

fn fan(mode: &str) -> Fan {
    match mode {
        "fan_in" => Fan::In,
        "fan_out" => Fan::Out,
        "fan_avg" => Fan::Average,
        mode => panic!("no fan is called `{mode}`"),
    }
}

fn distribution_of(name: &str) -> Distribution {
    match name {
        "uniform" => Distribution::Uniform,
        "untruncated_normal" => Distribution::Normal,
        "truncated_normal" => Distribution::TruncatedNormal,
        name => panic!("no distribution is called `{name}`"),
    }
}
