//! How variables start, in files: the fields `kernel_initializer` and their like.
//!
//! Both ways are tables. A model in a file has its values, so an initializer that is not in the tables is left out, when a
//! model is written and when one is read.

use super::config::{Config, Fields, object};
use super::decimal;
use crate::initializers::{
    Constant, Fan, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform,
    Ones, Orthogonal, RandomNormal, RandomUniform, Stft, StftScaling, StftSide, StftWindow, TruncatedNormal,
    VarianceScaling, Zeros,
};
use carnyx_file::Value;
use carnyx_graph::{Distribution, Initializer, Result, Variable};
use std::any::Any;
use std::sync::Arc;

/// The class of an initializer, and its fields.
type Described = (&'static str, Vec<(&'static str, Value)>);

impl Config {
    /// How a variable starts, if Keras has a name for it.
    pub(crate) fn initializer(self, field: &'static str, variable: &Variable) -> Config {
        self.initialized(field, variable.initializer())
    }

    /// The same for an initializer that a variable knows in another form.
    pub(crate) fn initialized(self, field: &'static str, initializer: &dyn Initializer) -> Config {
        let Some((class, fields)) = class_of(initializer) else { return self };
        let json = object([
            ("module", Value::from("keras.initializers")),
            ("class_name", Value::from(class)),
            ("config", object(fields)),
            ("registered_name", Value::Null),
        ]);
        self.field(field, json)
    }
}

fn class_of(initializer: &dyn Initializer) -> Option<Described> {
    let any: &dyn Any = initializer;
    if let Some(inner) = any.downcast_ref::<Arc<dyn Initializer>>() {
        return class_of(&**inner);
    }
    let number = |number: f32| Value::from(decimal(number));
    plain_class(any).map(|class| (class, Vec::new())).or_else(|| {
        Some(if let Some(&Constant(value)) = any.downcast_ref() {
            ("Constant", vec![("value", number(value))])
        } else if let Some(&Identity { gain }) = any.downcast_ref() {
            ("Identity", vec![("gain", number(gain))])
        } else if let Some(&Orthogonal { gain }) = any.downcast_ref() {
            ("Orthogonal", vec![("gain", number(gain)), ("seed", Value::Null)])
        } else if let Some(&RandomUniform { low, high }) = any.downcast_ref() {
            let bounds = [("minval", number(low)), ("maxval", number(high))];
            ("RandomUniform", bounds.into_iter().chain([("seed", Value::Null)]).collect())
        } else if let Some(&RandomNormal { mean, deviation }) = any.downcast_ref() {
            (
                "RandomNormal",
                vec![("mean", number(mean)), ("stddev", number(deviation)), ("seed", Value::Null)],
            )
        } else if let Some(&TruncatedNormal { mean, deviation }) = any.downcast_ref() {
            (
                "TruncatedNormal",
                vec![("mean", number(mean)), ("stddev", number(deviation)), ("seed", Value::Null)],
            )
        } else if let Some(scaling) = any.downcast_ref::<VarianceScaling>() {
            ("VarianceScaling", variance_scaling_fields(scaling))
        } else {
            ("STFT", stft_fields(*any.downcast_ref()?))
        })
    })
}

/// Those without parameters.
fn plain_class(any: &dyn Any) -> Option<&'static str> {
    let classes: [(bool, &str); 8] = [
        (any.is::<Zeros>(), "Zeros"),
        (any.is::<Ones>(), "Ones"),
        (any.is::<GlorotUniform>(), "GlorotUniform"),
        (any.is::<GlorotNormal>(), "GlorotNormal"),
        (any.is::<HeUniform>(), "HeUniform"),
        (any.is::<HeNormal>(), "HeNormal"),
        (any.is::<LecunUniform>(), "LecunUniform"),
        (any.is::<LecunNormal>(), "LecunNormal"),
    ];
    classes.iter().find(|(is, _)| *is).map(|(_, class)| *class)
}

fn variance_scaling_fields(scaling: &VarianceScaling) -> Vec<(&'static str, Value)> {
    let mode = match scaling.fan {
        Fan::In => "fan_in",
        Fan::Out => "fan_out",
        Fan::Average => "fan_avg",
    };
    let distribution = match scaling.distribution {
        Distribution::Uniform => "uniform",
        Distribution::Normal => "untruncated_normal",
        Distribution::TruncatedNormal => "truncated_normal",
    };
    vec![
        ("scale", Value::from(scaling.scale)),
        ("mode", Value::from(mode)),
        ("distribution", Value::from(distribution)),
        ("seed", Value::Null),
    ]
}

fn stft_fields(stft: Stft) -> Vec<(&'static str, Value)> {
    let side = if stft.side == StftSide::Real { "real" } else { "imag" };
    let window = match stft.window {
        StftWindow::Hann => Value::from("hann"),
        StftWindow::Hamming => Value::from("hamming"),
        StftWindow::Blackman => Value::from("blackman"),
        StftWindow::None => Value::Null,
    };
    let scaling = match stft.scaling {
        StftScaling::Density => Value::from("density"),
        StftScaling::Spectrum => Value::from("spectrum"),
        StftScaling::None => Value::Null,
    };
    vec![
        ("side", Value::from(side)),
        ("window", window),
        ("scaling", scaling),
        ("periodic", Value::from(stft.periodic)),
    ]
}

/// The classes of Keras, with the names that a configuration may have in their place.
const CLASSES: [(&str, &str); 16] = [
    ("Zeros", "zeros"),
    ("Ones", "ones"),
    ("Constant", "constant"),
    ("Identity", "identity"),
    ("Orthogonal", "orthogonal"),
    ("RandomUniform", "random_uniform"),
    ("RandomNormal", "random_normal"),
    ("TruncatedNormal", "truncated_normal"),
    ("VarianceScaling", "variance_scaling"),
    ("GlorotUniform", "glorot_uniform"),
    ("GlorotNormal", "glorot_normal"),
    ("HeUniform", "he_uniform"),
    ("HeNormal", "he_normal"),
    ("LecunUniform", "lecun_uniform"),
    ("LecunNormal", "lecun_normal"),
    ("STFT", "stft"),
];

impl Fields<'_> {
    /// How a variable starts, by the field `name`; `None` if the file does not say it, or names what is not known.
    pub(crate) fn initializer(&self, name: &str) -> Result<Option<Arc<dyn Initializer>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let fields = match value.as_str() {
            Some(word) => Fields { class: word, value: &Value::Null },
            None => Fields::of(value, "an initializer")?,
        };
        let known = CLASSES.iter().find(|(class, word)| fields.class == *class || fields.class == *word);
        let Some((class, _)) = known else { return Ok(None) };
        initializer(class, &fields).map(Some).map_err(|error| error.note(format!("in the field `{name}`")))
    }
}

fn initializer(class: &str, fields: &Fields) -> Result<Arc<dyn Initializer>> {
    let number = |name: &str, default: f32| fields.number(name, Some(f64::from(default))).map(|n| n as f32);
    Ok(match class {
        "Zeros" => Arc::new(Zeros),
        "Ones" => Arc::new(Ones),
        "Constant" => Arc::new(Constant(number("value", 0.0)?)),
        "Identity" => Arc::new(Identity { gain: number("gain", 1.0)? }),
        "Orthogonal" => Arc::new(Orthogonal { gain: number("gain", 1.0)? }),
        "RandomUniform" => {
            Arc::new(RandomUniform { low: number("minval", -0.05)?, high: number("maxval", 0.05)? })
        }
        "RandomNormal" => {
            Arc::new(RandomNormal { mean: number("mean", 0.0)?, deviation: number("stddev", 0.05)? })
        }
        "TruncatedNormal" => {
            Arc::new(TruncatedNormal { mean: number("mean", 0.0)?, deviation: number("stddev", 0.05)? })
        }
        "VarianceScaling" => Arc::new(variance_scaling(fields)?),
        "GlorotUniform" => Arc::new(GlorotUniform),
        "GlorotNormal" => Arc::new(GlorotNormal),
        "HeUniform" => Arc::new(HeUniform),
        "HeNormal" => Arc::new(HeNormal),
        "LecunUniform" => Arc::new(LecunUniform),
        "LecunNormal" => Arc::new(LecunNormal),
        _ => Arc::new(stft(fields)?),
    })
}

fn variance_scaling(fields: &Fields) -> Result<VarianceScaling> {
    let fans = [("fan_in", Fan::In), ("fan_out", Fan::Out), ("fan_avg", Fan::Average)];
    let distributions = [
        ("uniform", Distribution::Uniform),
        ("untruncated_normal", Distribution::Normal),
        ("truncated_normal", Distribution::TruncatedNormal),
    ];
    let default = VarianceScaling::default();
    Ok(VarianceScaling {
        scale: fields.number("scale", Some(default.scale))?,
        fan: fields.choice("mode", &fans, default.fan)?,
        distribution: fields.choice("distribution", &distributions, default.distribution)?,
    })
}

fn stft(fields: &Fields) -> Result<Stft> {
    let windows =
        [("hann", StftWindow::Hann), ("hamming", StftWindow::Hamming), ("blackman", StftWindow::Blackman)];
    let scalings = [("density", StftScaling::Density), ("spectrum", StftScaling::Spectrum)];
    // A `null` is no window here, where the default is one.
    let is_null = |name: &str| fields.value.get(name).is_some_and(Value::is_null);
    let window = if is_null("window") { StftWindow::None } else { StftWindow::default() };
    let scaling = if is_null("scaling") { StftScaling::None } else { StftScaling::default() };
    Ok(Stft {
        side: fields.choice(
            "side",
            &[("real", StftSide::Real), ("imag", StftSide::Imaginary)],
            StftSide::Real,
        )?,
        window: fields.choice("window", &windows, window)?,
        scaling: fields.choice("scaling", &scalings, scaling)?,
        periodic: fields.truth("periodic", false)?,
    })
}
