//! Layers in a model: what they give in both modes, their gradients, one step of training, other batch sizes, files,
//! freezing and copies, against Keras.
//!
//! A layer gets its tests by a row in [`LAYERS`], which makes it of a recorded configuration.

use super::recorded::{Case, Comparison, compare, file};
use crate::saving::Folder;
use carnyx::prelude::*;
use carnyx::{
    ActivityRegularization, AlphaDropout, Average, BatchNormalization, Concatenate, Dot, EinsumDense,
    Embedding, GaussianDropout, GaussianNoise, GroupNormalization, LayerNormalization, LayerRef, Masking,
    Maximum, Minimum, Multiply, PRelu, Permute, Rectifier, RepeatVector, Reshape, RmsNormalization, Subtract,
    TimeDistributed, UnitNormalization,
};
use carnyx_graph::{Dim, Facts};
use std::sync::Arc;

/// Both compute in float32; sums of squares of a batch differ in their last digits.
const TOLERANCE: f64 = 3e-6;

/// A layer of one tensor, or of several.
pub(super) enum Built {
    One(LayerRef),
    Many(Arc<dyn Layer<Vec<Tensor>, Out = Tensor>>),
}

pub(super) fn one(layer: impl Layer<Out = Tensor> + 'static) -> Built {
    Built::One(Arc::new(layer))
}

fn many(layer: impl Layer<Vec<Tensor>, Out = Tensor> + 'static) -> Built {
    Built::Many(Arc::new(layer))
}

impl Built {
    pub(super) fn apply(&self, inputs: &[Tensor]) -> Tensor {
        match self {
            Built::One(layer) => layer.apply(&inputs[0]),
            Built::Many(layer) => layer.apply(&inputs.to_vec()),
        }
    }

    pub(super) fn module(&self) -> &dyn Module {
        match self {
            Built::One(layer) => layer,
            Built::Many(layer) => layer,
        }
    }
}

/// Cases whose training is random: nothing of a step is recorded for them.
const NOISE: [&str; 3] = ["alpha_dropout", "gaussian_dropout", "gaussian_noise"];

type Row = (&'static str, fn(&Case) -> Built);

/// Classes of Keras, and how the layer is made of a configuration.
const LAYERS: &[Row] = &[
    ("ActivityRegularization", |c| one(ActivityRegularization::new(number(c, "l1"), number(c, "l2")))),
    ("Add", |_| many(carnyx::Add)),
    ("AlphaDropout", |c| one(AlphaDropout::new(number(c, "rate")))),
    ("Average", |_| many(Average)),
    ("BatchNormalization", |c| {
        let layer = BatchNormalization::new().axis(axes(c, "axis")[0]);
        let layer = layer.momentum(number(c, "momentum")).epsilon(number(c, "epsilon"));
        let layer = if c.flag("config/center") { layer } else { layer.without_center() };
        one(if c.flag("config/scale") { layer } else { layer.without_scale() })
    }),
    ("Concatenate", |c| many(Concatenate::new(axes(c, "axis")[0]))),
    ("Dot", |c| {
        let axes = axes(c, "axes");
        let dot = Dot::new(axes[0], *axes.last().expect("Keras records one or two axes"));
        many(if c.flag("config/normalize") { dot.normalize() } else { dot })
    }),
    ("EinsumDense", |c| {
        let size = |value: &serde_json::Value| value.as_i64().map_or(-1, |size| size as isize);
        let sizes: Vec<isize> = match c.get("config/output_shape") {
            Some(serde_json::Value::Array(list)) => list.iter().map(size).collect(),
            one => one.iter().map(|value| size(value)).collect(),
        };
        let layer = EinsumDense::new(c.text("config/equation"), sizes);
        let is_biased = c.get("config/bias_axes").is_some();
        let layer = if is_biased { layer.bias_axes(c.text("config/bias_axes")) } else { layer };
        one(layer.activation(c.text("config/activation").parse::<Activation>().expect("Keras names it")))
    }),
    ("Embedding", |c| {
        let embedding = Embedding::new(count(c, "input_dim"), count(c, "output_dim"));
        one(if c.flag("config/mask_zero") { embedding.mask_zero() } else { embedding })
    }),
    ("GaussianDropout", |c| one(GaussianDropout::new(number(c, "rate")))),
    ("GaussianNoise", |c| one(GaussianNoise::new(number(c, "stddev")))),
    ("GroupNormalization", |c| {
        let layer = GroupNormalization::new(count(c, "groups"));
        let layer = layer.axis(axes(c, "axis")[0]).epsilon(number(c, "epsilon"));
        let layer = if c.flag("config/center") { layer } else { layer.without_center() };
        one(if c.flag("config/scale") { layer } else { layer.without_scale() })
    }),
    ("LayerNormalization", |c| {
        let layer = LayerNormalization::new().axes(axes(c, "axis")).epsilon(number(c, "epsilon"));
        if c.flag("config/rms_scaling") {
            return one(layer.rms_scaling());
        }
        let layer = if c.flag("config/center") { layer } else { layer.without_center() };
        one(if c.flag("config/scale") { layer } else { layer.without_scale() })
    }),
    ("Masking", |c| one(Masking::new(number(c, "mask_value")))),
    ("Maximum", |_| many(Maximum)),
    ("Minimum", |_| many(Minimum)),
    ("Multiply", |_| many(Multiply)),
    ("PReLU", |c| {
        let is_shared = c.get("config/shared_axes").is_some();
        one(if is_shared { PRelu::new().shared_along(axes(c, "shared_axes")) } else { PRelu::new() })
    }),
    ("Permute", |c| one(Permute::new(c.sizes("config/dims")))),
    ("RMSNormalization", |c| {
        one(RmsNormalization::new().axes(axes(c, "axis")).epsilon(number(c, "epsilon")))
    }),
    ("ReLU", |c| {
        let layer =
            Rectifier::new().negative_slope(number(c, "negative_slope")).threshold(number(c, "threshold"));
        let is_bounded = c.get("config/max_value").is_some();
        one(if is_bounded { layer.max_value(number(c, "max_value")) } else { layer })
    }),
    ("RepeatVector", |c| one(RepeatVector::new(count(c, "n")))),
    ("Reshape", |c| one(Reshape::new(axes(c, "target_shape")))),
    ("Subtract", |_| many(Subtract)),
    ("TimeDistributed", |c| match c.text("config/layer/class_name") {
        "Dense" => {
            let name = c.text("config/layer/config/activation");
            let activation = name.parse::<Activation>().expect("Keras names it");
            one(TimeDistributed::new(Dense::new(count(c, "layer/config/units")).activation(activation)))
        }
        "Flatten" => one(TimeDistributed::new(Flatten)),
        "LayerNormalization" => one(TimeDistributed::new(LayerNormalization::new())),
        class => panic!("`TimeDistributed` of a `{class}` is not recorded"),
    }),
    ("UnitNormalization", |c| one(UnitNormalization::new().axes(axes(c, "axis")))),
];

fn number(case: &Case, name: &str) -> f32 {
    case.number(&format!("config/{name}")) as f32
}

fn count(case: &Case, name: &str) -> usize {
    case.number(&format!("config/{name}")) as usize
}

/// One axis, or a list of them.
fn axes(case: &Case, name: &str) -> Vec<isize> {
    let path = format!("config/{name}");
    let is_list = case.get(&path).is_some_and(serde_json::Value::is_array);
    let numbers = if is_list { case.numbers(&path) } else { vec![case.number(&path)] };
    numbers.into_iter().map(|axis| axis as isize).collect()
}

pub(super) fn built(case: &Case) -> Built {
    let class = case.text("layer");
    let row = LAYERS.iter().find(|(name, _)| *name == class);
    (row.unwrap_or_else(|| panic!("`LAYERS` has no row for `{class}`")).1)(case)
}

/// The layer in a model, with all weights as Keras had them.
struct Subject {
    layer: Built,
    inputs: Vec<Array>,
    network: Functional<Vec<Tensor>, Tensor>,
}

impl Subject {
    fn new(case: &Case) -> Result<Subject> {
        let layer = built(case);
        let inputs: Vec<Array> = (0..)
            .map_while(|i| case.get(&format!("inputs/x_{i}")).map(|_| case.array(&format!("inputs/x_{i}"))))
            .collect();
        let drawn: Vec<Tensor> = inputs.iter().enumerate().map(|(i, x)| drawn(i, x)).collect();
        let y = layer.apply(&drawn);
        y.check()?;
        for weight in case.parts("weights") {
            variable(layer.module(), weight.text("name")).assign(&weight.array("value"))?;
        }
        let flat = if y.rank() > 2 { Flatten.apply(&y) } else { y };
        let network = if case.get("step").is_some() {
            let head = Dense::new(1).without_bias();
            let score = head.clone().named("head").apply(&flat);
            head.kernel().assign(&case.array("step/kernel"))?;
            Functional::new(drawn, &score)?
        } else {
            Functional::new(drawn, &flat)?
        };
        Ok(Subject { layer, inputs, network })
    }

    /// What the layer gives; its moving averages stay as they are.
    fn outputs_in(&self, mode: Mode) -> Result<Array> {
        let inputs: Vec<Tensor> = self.inputs.iter().map(|x| Tensor::from(x).in_mode(mode)).collect();
        let copy = match &self.layer {
            Built::One(layer) => Built::One(layer.copied()),
            Built::Many(layer) => Built::Many(layer.copied()),
        };
        copy.apply(&inputs).eval()
    }

    fn model(&self) -> Model<Functional<Vec<Tensor>, Tensor>> {
        self.network.clone().compile(Sgd::new(0.1), MeanSquaredError)
    }
}

/// The placeholder for arrays like this one.
pub(super) fn drawn(i: usize, x: &Array) -> Tensor {
    let sizes = x.shape()[1..].iter().copied().map(Dim::Fixed);
    let shape: Vec<Dim> = std::iter::once(Dim::BATCH).chain(sizes).collect();
    Tensor::placeholder(&format!("x_{i}"), Facts::new(shape, x.dtype()), Mode::Blueprint)
}

/// The first variable of a layer whose path ends like this; Keras says only the last part of it.
pub(super) fn variable(module: &dyn Module, name: &str) -> Variable {
    let all = module.named_variables();
    let ends =
        |path: &str| path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    let found = all.iter().find(|(path, _)| ends(path));
    found.unwrap_or_else(|| panic!("there is no variable `{name}`")).1.clone()
}

fn one_step<L: Module>(model: &mut Model<L>, case: &Case, inputs: &[Array]) -> Result<f64> {
    let target = case.array("step/target");
    let fit = Fit::epochs(1).batch_size(target.num_rows()).shuffle(false).verbose(Verbosity::Silent);
    let history = model.fit((inputs.to_vec(), vec![target]), fit)?;
    Ok(history.last("loss").expect("a loss is always there"))
}

/// Compares the weights of a model by the names of its layers with those that Keras had after its step.
fn check_weights(case: &Case, comparison: &mut Comparison, what: &str, module: &dyn Module) -> Result {
    let kernel = variable(module, "head/kernel").value()?;
    comparison.close(&format!("{what}: kernel"), &kernel, &case.array("step/kernel_after"), TOLERANCE);
    for weight in case.parts("step/weights_after") {
        let name = weight.text("name");
        let value = variable(module, name).value()?;
        comparison.close(&format!("{what}: {name}"), &value, &weight.array("value"), TOLERANCE);
    }
    Ok(())
}

#[test]
fn layers_compute_and_train_as_in_keras() {
    compare(&file("layer_steps").parts("cases"), &[], |case, comparison| {
        let subject = Subject::new(case)?;
        comparison.close_to("outputs/inference", &subject.outputs_in(Mode::Inference)?, TOLERANCE);
        if case.get("outputs/training").is_some() {
            comparison.close_to("outputs/training", &subject.outputs_in(Mode::Training)?, TOLERANCE);
        }
        if case.get("gradients").is_some() {
            check_gradients(case, comparison, &subject)?;
        }
        if case.get("step").is_none() {
            return Ok(());
        }
        let mut model = subject.model();
        let loss = one_step(&mut model, case, &subject.inputs)?;
        comparison.number("loss", loss, case.number("step/loss"), TOLERANCE);
        check_weights(case, comparison, "after a step", &subject.network)?;
        let summary = model.summary();
        let counts = (summary.parameters() as f64, summary.trainable() as f64);
        let recorded = (case.number("step/parameters"), case.number("step/trainable_parameters"));
        comparison.holds(&format!("{recorded:?} parameters, {counts:?} found"), counts == recorded);
        Ok(())
    });
}

fn check_gradients(case: &Case, comparison: &mut Comparison, subject: &Subject) -> Result {
    let inputs: Vec<Tensor> =
        subject.inputs.iter().map(|x| Tensor::from(x).in_mode(Mode::Training)).collect();
    let objective = (subject.layer.apply(&inputs) * Tensor::from(&case.array("weights_out"))).sum();
    for (i, gradient) in objective.gradients_of(&inputs).iter().enumerate() {
        comparison.close_to(&format!("gradients/x_{i}"), &gradient.eval()?, TOLERANCE);
    }
    Ok(())
}

#[test]
fn layers_take_batches_of_any_size() {
    compare(&file("layer_steps").parts("cases"), &[], |case, comparison| {
        let subject = Subject::new(case)?;
        let model = subject.model();
        let all = model.predict_all(subject.inputs.clone())?[0].clone();
        let some: Vec<Array> = subject.inputs.iter().map(|x| x.rows(0..2)).collect::<Result<_>>()?;
        comparison.close("two rows", &model.predict_all(some)?[0], &all.rows(0..2)?, 1e-6);
        Ok(())
    });
}

#[test]
fn layers_go_to_files_and_train_on() {
    compare(&file("layer_steps").parts("cases"), &[], |case, comparison| {
        let folder = Folder::new(&format!("layer-steps-{}", case.name()));
        for ending in ["keras", "h5"] {
            let subject = Subject::new(case)?;
            let path = folder.path(&format!("model.{ending}"));
            let model = subject.model();
            model.save(&path)?;
            let mut loaded = carnyx::load(&path)?;
            let (ours, theirs) =
                (model.predict_all(subject.inputs.clone())?, loaded.predict_all(subject.inputs.clone())?);
            comparison.holds(&format!("{ending}: the same bits"), ours == theirs);
            let kind = subject.layer.module().kind();
            let kinds: Vec<String> = loaded.summary().rows.iter().map(|row| row.kind.clone()).collect();
            comparison
                .holds(&format!("{ending}: a `{kind}` among {kinds:?}"), kinds.iter().any(|k| k == kind));
            if case.get("step").is_some() {
                one_step(&mut loaded, case, &subject.inputs)?;
                check_weights(case, comparison, &format!("{ending}, after a step"), loaded.network())?;
            }
        }
        Ok(())
    });
}

#[test]
fn frozen_layers_stay_and_copies_go_their_own_way() {
    compare(&file("layer_steps").parts("cases"), &NOISE, |case, comparison| {
        let subject = Subject::new(case)?;
        let copy = subject.network.copied();
        let mut model = subject.model();
        subject.layer.module().freeze();
        one_step(&mut model, case, &subject.inputs)?;
        for weight in case.parts("weights") {
            let name = weight.text("name");
            let value = variable(&subject.network, name).value()?;
            comparison.holds(&format!("`{name}` stays while it is frozen"), value == weight.array("value"));
        }
        if !case.parts("weights").is_empty() {
            let (training, inference) =
                (subject.outputs_in(Mode::Training)?, subject.outputs_in(Mode::Inference)?);
            comparison.holds("a frozen layer gives the same in both modes", training == inference);
        }
        // The copy was made before all this, and trains as Keras does.
        let mut copied = copy.clone().compile(Sgd::new(0.1), MeanSquaredError);
        one_step(&mut copied, case, &subject.inputs)?;
        check_weights(case, comparison, "the copy", &copy)
    });
}

#[test]
fn penalties_and_bounds_of_layers_go_to_files() -> Result {
    use carnyx::{L1, L2, MaxNorm, NonNeg};
    let embedding = Embedding::new(7, 4).embeddings_regularizer(L2::new(0.1)).embeddings_constraint(NonNeg);
    let einsum = EinsumDense::new("abc,cd->abd", [-1, 4]).bias_axes("d").kernel_initializer(HeNormal);
    let mut model = Sequential::new()
        .then(Input::new([3]))
        .then(embedding)
        .then(LayerNormalization::new().gamma_regularizer(L1::new(0.1)).beta_constraint(MaxNorm::new(0.01)))
        .then(einsum.kernel_regularizer(L2::new(0.1)).bias_constraint(MaxNorm::new(0.01)))
        .then(PRelu::new().alpha_initializer(Ones).alpha_constraint(NonNeg).alpha_regularizer(L1::new(0.1)))
        .then(BatchNormalization::new().beta_regularizer(L2::new(0.1)).gamma_constraint(NonNeg))
        .then(GroupNormalization::new(2).gamma_regularizer(L2::new(0.1)))
        .then(Flatten)
        .then(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError);
    let ids = Array::from_fn([8, 3], |i| (i * 5 % 7) as f32);
    let y = Array::from_fn([8, 1], |i| i as f32 / 8.0);
    let step = || Fit::epochs(2).shuffle(false).verbose(Verbosity::Silent);
    model.fit((&ids, &y), step())?;
    let attached = |module: &dyn Module| {
        let all = module.variables();
        let count = |is: fn(&Variable) -> bool| all.iter().filter(|variable| is(variable)).count();
        (count(|v| v.regularizer().is_some()), count(|v| v.constraint().is_some()))
    };
    let folder = Folder::new("layer-steps-attached");
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("model.{ending}"));
        let mut original = model.fork();
        original.save(&path)?;
        let mut loaded = carnyx::load(&path)?;
        assert_eq!(attached(loaded.network()), (6, 5));
        let (ours, theirs) = (original.fit((&ids, &y), step())?, loaded.fit((&ids, &y), step())?);
        assert_eq!(ours.last("loss"), theirs.last("loss"), "{ending}");
    }
    Ok(())
}

#[test]
fn noise_has_the_statistics_of_keras() {
    compare(&file("layer_steps").parts("noise"), &[], |case, comparison| {
        let layer = built(case);
        let shape = case.sizes("shape");
        let x = Tensor::from(&Array::full(shape.clone(), 1f32)).in_mode(Mode::Training);
        let y = layer.apply(&[x]);
        let (first, second) = (y.eval()?.values(), y.eval_with(Updates::default().at_step(1))?.values());
        comparison.holds("other numbers at another step", first != second);
        comparison.holds("the same numbers at the same step", first == y.eval()?.values());
        let n = first.len() as f64;
        let mean = first.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = first.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let deviation = case.number("deviation");
        // Both means are random, hence the sum of two variances; the deviation is off by less than its kurtosis allows.
        let error = 5.0 * deviation * (2.0 / n).sqrt();
        comparison.holds(&format!("mean {mean}"), (mean - case.number("mean")).abs() < error);
        comparison.holds(&format!("variance {variance}"), (variance.sqrt() - deviation).abs() < 2.0 * error);
        let values = case.numbers("values");
        let known = |v: &f32| values.iter().any(|known| (f64::from(*v) - known).abs() < 1e-6);
        comparison.holds("only values that Keras gives", values.is_empty() || first.iter().all(known));
        Ok(())
    });
}
