//! The table of layers: from a class of Keras and its fields to a layer of Carnyx.
//!
//! The way to files is each layer's own `config`. Invariant: nothing is allocated by what a file merely claims; numbers
//! of units and shapes are compared with the arrays of the file.

use super::attributes::with;
use super::config::{Config, Content, Fields, Part, bad, brief, decimal};
use crate::{
    Activation, ActivityRegularization, Add, AlphaDropout, Average, BatchNormalization, CategoryEncoding,
    Concatenate, Dense, Discretization, Dot, Dropout, EinsumDense, Embedding, Flatten, GaussianDropout,
    GaussianNoise, GroupNormalization, Input, IntegerLookup, Layer, LayerNormalization, LayerRef, Masking,
    Maximum, Minimum, Module, Multiply, Normalization, PRelu, Permute, Rectifier, RepeatVector, Rescaling,
    Reshape, RmsNormalization, Subtract, Traced, UnitNormalization,
};
use carnyx_file::Value;
use carnyx_graph::{DType, Error, Result, Tensor, Variable};
use std::sync::Arc;

/// The classes that can be read.
const CLASSES: [&str; 47] = [
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "Carnyx>Activation",
    "Carnyx>Dropout",
    "Carnyx>Traced",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "ELU",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "Functional",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "InputLayer",
    "IntegerLookup",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "Model",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Sequential",
    "Softmax",
    "SpatialDropout1D",
    "Subtract",
    "TimeDistributed",
    "UnitNormalization",
];

/// A layer of a file.
pub(super) enum Known {
    /// From a tensor to a tensor, with the variables that are in the file.
    Layer(LayerRef, Vec<(String, Variable)>),
    /// From several tensors to one.
    Merge(Arc<dyn Layer<Vec<Tensor>, Out = Tensor>>),
    /// What a layer computes, without its type.
    Traced(Box<Traced>),
}

/// The layer of a class; `InputLayer` and models have other doors.
pub(super) fn layer(fields: Fields) -> Result<Known> {
    let known = known(fields)?;
    let config = match &known {
        Known::Layer(layer, _) => layer.config(),
        Known::Merge(_) | Known::Traced(_) => None,
    };
    // A layer that has understood a field writes it again. What is said of a bias that is not there changes nothing.
    let is_written = |name: &str| {
        config.as_ref().is_some_and(|config| config.fields.iter().any(|(known, _)| *known == name))
    };
    let without_bias = fields.get("use_bias") == Some(&Value::from(false));
    let is_understood = |name: &str| is_written(name) || (without_bias && name.starts_with("bias_"));
    for name in UNDERSTOOD_BY_SOME {
        if let Some(value) = fields.get(name).filter(|_| !is_understood(name)) {
            return Err(bad(format!("`{name}` of `{}` is {}", fields.class, brief(value)))
                .label("this is not supported")
                .help("`load_weights` can read the weights alone, into a model of the same layers"));
        }
    }
    Ok(known)
}

fn known(fields: Fields) -> Result<Known> {
    match fields.class {
        "Dense" => dense(fields),
        "Flatten" => {
            fields.only(&[("data_format", Value::from("channels_last"))])?;
            Ok(plain(Flatten))
        }
        "Rescaling" => {
            let scale = Rescaling::new(fields.array("scale")?);
            Ok(plain(if fields.get("offset").is_some() {
                scale.offset(fields.array("offset")?)
            } else {
                scale
            }))
        }
        "Dropout" => dropout(fields),
        "SpatialDropout1D" => Ok(plain(Dropout::new(fields.number("rate", None)? as f32).shared_along([1]))),
        "Carnyx>Dropout" => {
            let axis = |value: &Value| value.as_i64().and_then(|axis| isize::try_from(axis).ok());
            let axes: Option<Vec<isize>> = fields.list("shared")?.iter().map(axis).collect();
            let axes = axes.ok_or_else(|| fields.wrong("shared", "a list of axes"))?;
            Ok(plain(Dropout::new(fields.number("rate", None)? as f32).shared_along(axes)))
        }
        "Normalization" => normalization(fields),
        "Carnyx>Traced" => super::traced::read(fields).map(|traced| Known::Traced(Box::new(traced))),
        "Activation" | "Identity" | "LeakyReLU" | "ELU" | "Softmax" | "Carnyx>Activation" => {
            Ok(plain(activation_of_class(fields)?))
        }
        "ReLU" => match activation_of_class(fields) {
            Ok(activation) => Ok(plain(activation)),
            Err(_) => Ok(plain(Rectifier::read(fields)?)),
        },
        "ActivityRegularization" => Ok(plain(ActivityRegularization::read(fields)?)),
        "AlphaDropout" => Ok(plain(AlphaDropout::read(fields)?)),
        "BatchNormalization" => Ok(plain(BatchNormalization::read(fields)?)),
        "CategoryEncoding" => Ok(plain(CategoryEncoding::read(fields)?)),
        "Discretization" => Ok(plain(Discretization::read(fields)?)),
        "IntegerLookup" => Ok(plain(IntegerLookup::read(fields)?)),
        "EinsumDense" => Ok(plain(EinsumDense::read(fields)?)),
        "Embedding" => Ok(plain(Embedding::read(fields)?)),
        "GaussianDropout" => Ok(plain(GaussianDropout::read(fields)?)),
        "GaussianNoise" => Ok(plain(GaussianNoise::read(fields)?)),
        "GroupNormalization" => Ok(plain(GroupNormalization::read(fields)?)),
        "LayerNormalization" => Ok(plain(LayerNormalization::read(fields)?)),
        "Masking" => Ok(plain(Masking::read(fields)?)),
        "PReLU" => Ok(plain(PRelu::read(fields)?)),
        "Permute" => Ok(plain(Permute::read(fields)?)),
        "RMSNormalization" => Ok(plain(RmsNormalization::read(fields)?)),
        "RepeatVector" => Ok(plain(RepeatVector::read(fields)?)),
        "Reshape" => Ok(plain(Reshape::read(fields)?)),
        "UnitNormalization" => Ok(plain(UnitNormalization::read(fields)?)),
        "Add" => Ok(merge(Add)),
        "Average" => Ok(merge(Average)),
        "Concatenate" => Ok(merge(Concatenate::read(fields)?)),
        "Dot" => Ok(merge(Dot::read(fields)?)),
        "Maximum" => Ok(merge(Maximum)),
        "Minimum" => Ok(merge(Minimum)),
        "Multiply" => Ok(merge(Multiply)),
        "Subtract" => Ok(merge(Subtract)),
        class => Err(unknown(class)),
    }
}

/// What changes the training or the values of weights, and is no field of every layer.
const UNDERSTOOD_BY_SOME: [&str; 18] = [
    "activity_regularizer",
    "alpha_constraint",
    "alpha_regularizer",
    "beta_constraint",
    "beta_regularizer",
    "bias_constraint",
    "bias_regularizer",
    "depthwise_constraint",
    "depthwise_regularizer",
    "embeddings_constraint",
    "embeddings_regularizer",
    "gamma_constraint",
    "gamma_regularizer",
    "kernel_constraint",
    "kernel_regularizer",
    "quantization_config",
    "recurrent_constraint",
    "recurrent_regularizer",
];

/// The error for a class that has no layer.
pub(super) fn unknown(class: &str) -> Error {
    bad(format!("there is no layer of class `{class}`"))
        .suggest(class, &CLASSES)
        .note("`load_weights` can read the weights alone, into a model built in Rust")
}

fn plain(layer: impl Layer<Out = Tensor> + 'static) -> Known {
    // What a layer would save is what it reads.
    let variables = layer.config().map(|config| config.variables).unwrap_or_default();
    Known::Layer(Arc::new(layer), variables)
}

fn merge(layer: impl Layer<Vec<Tensor>, Out = Tensor> + 'static) -> Known {
    Known::Merge(Arc::new(layer))
}

fn dense(fields: Fields) -> Result<Known> {
    fields.only(&[("lora_rank", Value::Null)])?;
    let dense = Dense::new(fields.count("units")?);
    let dense = match fields.get("activation") {
        Some(value) => dense.activation(activation(value)?),
        None => dense,
    };
    let dense = if fields.truth("use_bias", true)? { dense } else { dense.without_bias() };
    let dense = with(dense, fields.initializer("kernel_initializer")?, Dense::kernel_initializer);
    let dense = match fields.initializer("bias_initializer")? {
        // It would bring the bias back.
        Some(initializer) if dense.bias().is_some() => dense.bias_initializer(initializer),
        _ => dense,
    };
    let dense = with(dense, fields.regularizer("kernel_regularizer")?, Dense::kernel_regularizer);
    let dense = with(dense, fields.constraint("kernel_constraint")?, Dense::kernel_constraint);
    let dense = with(dense, fields.regularizer("activity_regularizer")?, Dense::activity_regularizer);
    let dense = with(dense, fields.regularizer("bias_regularizer")?, Dense::bias_regularizer);
    Ok(plain(with(dense, fields.constraint("bias_constraint")?, Dense::bias_constraint)))
}

fn dropout(fields: Fields) -> Result<Known> {
    let dropout = Dropout::new(fields.number("rate", None)? as f32);
    if fields.get("noise_shape").is_none() {
        return Ok(plain(dropout));
    }
    let shape = fields.list("noise_shape")?.iter().enumerate();
    let shared = shape.filter(|(_, size)| size.as_u64() == Some(1)).map(|(axis, _)| axis as isize);
    Ok(plain(dropout.shared_along(shared.collect::<Vec<_>>())))
}

fn normalization(fields: Fields) -> Result<Known> {
    let axes = fields.axes("axis", &[])?;
    let inverse = fields.truth("invert", false)?;
    let turned = |layer: Normalization| if inverse { layer.inverse() } else { layer };
    if fields.get("mean").is_some() || fields.get("variance").is_some() {
        // Known beforehand: Keras keeps them here and not among the weights.
        let layer = Normalization::of(fields.array("mean")?, fields.array("variance")?).axes(axes);
        return Ok(Known::Layer(Arc::new(turned(layer)), Vec::new()));
    }
    Ok(plain(turned(Normalization::stored(axes))))
}

/// The input that an `InputLayer` stands for.
pub(super) fn input(fields: Fields) -> Result<(Vec<usize>, DType)> {
    let shape = fields.get("batch_shape").or(fields.get("batch_input_shape"));
    let wrong = || fields.wrong("batch_shape", "`null` for the batch and a list of sizes");
    let sizes = shape.and_then(Value::as_array).and_then(|sizes| sizes.split_first()).ok_or_else(wrong)?.1;
    let size = |value: &Value| {
        if value.is_null() {
            return Err(fields
                .wrong("batch_shape", "sizes that are known, but for the batch")
                .help("save the model with an input of a fixed shape"));
        }
        value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= MOST).ok_or_else(wrong)
    };
    fields.only(&[("sparse", Value::from(false)), ("ragged", Value::from(false))])?;
    let dtype = match fields.get("dtype").map(|dtype| dtype.as_str().unwrap_or("float32")) {
        None | Some("float32" | "float16" | "bfloat16") => DType::F32,
        Some("float64") => DType::F64,
        Some("int32" | "int16" | "int8" | "uint16") => DType::I32,
        Some("int64" | "uint32") => DType::I64,
        Some("uint8") => DType::U8,
        Some("bool") => DType::Bool,
        Some(_) => return Err(fields.wrong("dtype", "the name of a type of numbers")),
    };
    let sizes: Vec<usize> = sizes.iter().map(size).collect::<Result<_>>()?;
    match sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size)) {
        Some(elements) if elements <= 1 << 40 => Ok((sizes, dtype)),
        _ => Err(fields.wrong("batch_shape", "a shape that some memory holds")),
    }
}

/// The greatest size of an axis; products of a few of them do not overflow.
const MOST: usize = 1 << 31;

impl Input {
    pub(crate) fn saved(&self) -> Config {
        let shape: Vec<Option<usize>> =
            std::iter::once(None).chain(self.shape().iter().copied().map(Some)).collect();
        let dtype = self.input().map_or(DType::F32, |input| input.dtype());
        Config::input(&shape, dtype)
    }
}

impl Config {
    /// The layer that stands for an input.
    pub(super) fn input(shape: &[Option<usize>], dtype: DType) -> Config {
        Config::new("InputLayer")
            .field("batch_shape", super::config::shape_json(shape))
            .field("dtype", super::config::keras_dtype(dtype))
            .field("sparse", false)
            .field("ragged", false)
    }
}

/// The classes of Keras for activations with a parameter that is not the default.
pub(crate) fn activation_config(activation: Activation) -> Config {
    let text = activation.to_string();
    let name = text.split('(').next().unwrap_or_default();
    let is_default = name == text;
    let own = |parameter: Option<f32>| {
        let config = Config::new("Carnyx>Activation").field("activation", name);
        parameter.map_or(config.clone(), |p| config.field("parameter", decimal(p)))
    };
    match activation {
        Activation::LeakyRelu(slope) if !is_default => {
            Config::new("LeakyReLU").field("negative_slope", decimal(slope))
        }
        Activation::Elu(alpha) if !is_default => Config::new("ELU").field("alpha", decimal(alpha)),
        Activation::Celu(p)
        | Activation::SoftShrink(p)
        | Activation::HardShrink(p)
        | Activation::Squareplus(p)
            if !is_default =>
        {
            own(Some(p))
        }
        Activation::GeluTanh | Activation::Heaviside | Activation::Sign => own(None),
        _ => Config::new("Activation").field("activation", name),
    }
}

/// What follows the sums of a layer, as a field of it: a name, or a layer.
pub(crate) fn activation_field(activation: &LayerRef) -> Result<Value> {
    match activation.config() {
        Some(config) if config.class == "Activation" => {
            Ok(config.fields.into_iter().next().map_or(Value::Null, |(_, name)| name))
        }
        Some(config) if config.variables.is_empty() && config.mistake.is_none() => {
            let module = if config.class.starts_with("Carnyx>") { "carnyx" } else { "keras.layers" };
            Ok(config.json(module))
        }
        _ => Err(cannot_save(activation).label("it is the activation of this layer")),
    }
}

/// The error for a layer that a file cannot describe.
pub(crate) fn cannot_save(module: &(impl Module + ?Sized)) -> Error {
    let kind = if module.kind().is_empty() { "function" } else { module.kind() };
    bad(format!("a `{kind}` cannot be saved as part of a model"))
        .help("save the weights alone with `save_weights`, and build the model in Rust before `load_weights`")
}

/// The configuration of a layer around another one.
pub(crate) fn wrapped_config(class: &'static str, layer: &LayerRef) -> Config {
    match layer.config() {
        Some(config) if config.parts().is_empty() => {
            let part = Part { name: crate::layer::own_name(layer), config, nodes: Vec::new() };
            Config::new(class).with(Content::Wrapped(vec![part]))
        }
        _ => Config::refused(cannot_save(layer).label(format!("it is the layer in a `{class}`"))),
    }
}

/// What follows the sums of a layer, as a file has it.
pub(crate) fn read_activation(value: &Value) -> Result<Activation> {
    activation(value)
}

fn activation(value: &Value) -> Result<Activation> {
    match value {
        Value::String(name) => named_activation(name),
        _ => {
            let class = value.get("class_name").and_then(Value::as_str);
            // Functions are described by their names.
            if let (Some("function"), Some(name)) = (class, value.get("config").and_then(Value::as_str)) {
                return named_activation(name);
            }
            activation_of_class(Fields::of(value, "an activation")?)
        }
    }
}

fn named_activation(name: &str) -> Result<Activation> {
    let name = if name == "hard_swish" { "hard_silu" } else { name };
    name.parse().map_err(|error: Error| {
        let known: Error = bad(error.title());
        error.advice().map_or(known.clone(), |advice| known.help(advice))
    })
}

fn activation_of_class(fields: Fields) -> Result<Activation> {
    let parameter = |name: &str, default: f64| fields.number(name, Some(default)).map(|p| p as f32);
    match fields.class {
        "Identity" => Ok(Activation::Linear),
        "Activation" => {
            activation(fields.get("activation").ok_or_else(|| fields.wrong("activation", "a name"))?)
        }
        "Softmax" => {
            fields.only(&[("axis", Value::from(-1))])?;
            Ok(Activation::Softmax)
        }
        "LeakyReLU" => match fields.get("negative_slope") {
            Some(_) => Ok(Activation::LeakyRelu(parameter("negative_slope", 0.3)?)),
            None => Ok(Activation::LeakyRelu(parameter("alpha", 0.3)?)),
        },
        "ELU" => Ok(Activation::Elu(parameter("alpha", 1.0)?)),
        "ReLU" => {
            fields.only(&[("threshold", Value::from(0.0))])?;
            let slope = parameter("negative_slope", 0.0)?;
            match fields.get("max_value").map(Value::as_f64) {
                None if slope == 0.0 => Ok(Activation::Relu),
                None => Ok(Activation::LeakyRelu(slope)),
                Some(Some(6.0)) if slope == 0.0 => Ok(Activation::Relu6),
                Some(_) => Err(fields.wrong("max_value", "`null`, or 6 without a slope")),
            }
        }
        "Carnyx>Activation" => {
            let activation = named_activation(fields.text("activation")?)?;
            if fields.get("parameter").is_none() {
                return Ok(activation);
            }
            let p = parameter("parameter", 0.0)?;
            Ok(match activation {
                Activation::Celu(_) => Activation::Celu(p),
                Activation::SoftShrink(_) => Activation::SoftShrink(p),
                Activation::HardShrink(_) => Activation::HardShrink(p),
                Activation::Squareplus(_) => Activation::Squareplus(p),
                other => other,
            })
        }
        class => Err(bad(format!("a layer of class `{class}` cannot be an activation"))
            .label("activations are functions, or layers without weights")),
    }
}
