//! What a file says of a layer, a loss, a metric or a rule: a class of Keras and its fields.
//!
//! A [`Config`] is the way from things to files: whatever can be saved gives one. Models give one with the parts that
//! they are made of, so that structure and weights are written from the same tree. [`Fields`] is the way back: what a
//! file claims, asked for by name. Invariant: nothing that a file claims is believed; a field of another kind is an
//! error that names it.

use super::weights::Layout;
use carnyx_file::Value;
use carnyx_graph::{Array, DType, Error, Result, Variable};

/// What a saved file says of a layer, a loss, a metric or a rule.
///
/// # Example
/// ```
/// use carnyx_nn::Config;
/// let config = Config::new("ZeroPadding1D");
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) class: &'static str,
    pub(super) fields: Vec<(&'static str, Value)>,
    /// The variables with their names, in Keras's order.
    pub(super) variables: Vec<(String, Variable)>,
    /// What Keras keeps among the weights, though it is no variable.
    pub(super) constants: Vec<(&'static str, Array)>,
    pub(super) content: Content,
    /// Why the thing cannot be saved after all.
    pub(super) mistake: Option<Error>,
}

/// What is inside.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// No other layers.
    Nothing,
    /// Layers in a row.
    Row(Vec<Part>),
    /// A layer around another one.
    Wrapped(Vec<Part>),
    /// Layers with the tensors between them.
    Drawing { parts: Vec<Part>, inputs: Vec<Use>, outputs: Vec<Use> },
}

/// A layer of a model.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) config: Config,
    /// Its uses in a drawing, by what it is applied to.
    pub(super) nodes: Vec<Vec<Use>>,
}

/// A tensor of a drawing: an output of a use of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Use {
    /// The layer's place among the parts.
    pub(super) part: usize,
    pub(super) node: usize,
    pub(super) output: usize,
    pub(super) shape: Vec<Option<usize>>,
    pub(super) dtype: DType,
}

/// Keras's way to write configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// In `.keras` files.
    Archive,
    /// In files of the older format, `.h5`.
    Legacy,
}

impl Config {
    /// Whether a field of this name says yes.
    pub(crate) fn is_true(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, value)| *name == field && value == &Value::from(true))
    }

    /// The configuration of a class of Keras, or of one of Carnyx's own if the name begins with `Carnyx>`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::Config;
    /// let config = Config::new("ZeroPadding1D");
    /// # let _ = config;
    /// ```
    pub fn new(class: &'static str) -> Config {
        Config {
            class,
            fields: Vec::new(),
            variables: Vec::new(),
            constants: Vec::new(),
            content: Content::Nothing,
            mistake: None,
        }
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl Into<Value>) -> Config {
        self.fields.push((name, value.into()));
        self
    }

    /// The field, if the thing is not as it is when nothing is said.
    pub(crate) fn unless_default<T: PartialEq + Into<Value>>(
        self,
        name: &'static str,
        value: T,
        default: T,
    ) -> Config {
        if value == default { self } else { self.field(name, value) }
    }

    /// A loss that is reduced in this way, or as all are when nothing is said.
    pub(crate) fn reduced(mut self, word: Option<&'static str>) -> Config {
        self.fields.retain(|(name, _)| *name != "reduction");
        word.into_iter().fold(self, |config, word| config.field("reduction", word))
    }

    pub(crate) fn variable(mut self, name: &'static str, variable: &Variable) -> Config {
        self.variables.push((name.to_owned(), variable.clone()));
        self
    }

    /// An array that Keras keeps among the weights.
    pub(crate) fn constant(mut self, name: &'static str, array: Array) -> Config {
        self.constants.push((name, array));
        self
    }

    /// What stands for something that cannot be saved.
    pub(crate) fn refused(mistake: Error) -> Config {
        Config { mistake: Some(mistake), ..Config::new("") }
    }

    pub(super) fn with(mut self, content: Content) -> Config {
        self.content = content;
        self
    }

    pub(super) fn parts(&self) -> &[Part] {
        match &self.content {
            Content::Nothing => &[],
            Content::Row(parts) | Content::Wrapped(parts) | Content::Drawing { parts, .. } => parts,
        }
    }

    /// The first mistake in it, with the layers around it.
    pub(super) fn check(&self) -> Result {
        if let Some(mistake) = &self.mistake {
            return Err(mistake.clone());
        }
        self.parts()
            .iter()
            .try_for_each(|part| part.config.check().map_err(|error| error.inside(part.name.clone())))
    }

    /// The tree of the weights.
    pub(super) fn layout(&self, name: &str) -> Layout {
        // Keras counts the input of a row as no layer of it.
        let is_layer =
            |part: &&Part| !(matches!(self.content, Content::Row(_)) && part.config.class == "InputLayer");
        Layout {
            class: self.class.to_owned(),
            name: name.to_owned(),
            variables: self.variables.clone(),
            constants: self.constants.clone(),
            parts: self.parts().iter().filter(is_layer).map(|part| part.config.layout(&part.name)).collect(),
            is_model: matches!(self.content, Content::Row(_) | Content::Drawing { .. }),
        }
    }

    /// The JSON of a layer or a model, as Keras writes it.
    pub(super) fn layer_json(&self, name: &str, style: Style) -> Value {
        let mut fields = vec![("name", Value::from(name))];
        if self.class != "InputLayer" {
            fields.push(("trainable", Value::from(self.is_trainable())));
        }
        fields.extend(self.fields.iter().cloned());
        match &self.content {
            Content::Nothing => {}
            Content::Row(parts) => {
                let layers = parts.iter().map(|part| part.config.layer_json(&part.name, style));
                fields.push(("layers", layers.collect()));
            }
            Content::Wrapped(parts) => {
                // Keras wants the module of an inner layer in older files, too.
                let inner = |part: &Part| ("layer", part.config.layer_json(&part.name, Style::Archive));
                let inner = parts.iter().map(inner);
                fields.extend(inner);
            }
            Content::Drawing { parts, inputs, outputs } => {
                let layers = parts.iter().map(|part| drawn_json(part, parts, style));
                let place = |place: &Use| history(place, parts);
                fields.push(("layers", layers.collect()));
                fields.push(("input_layers", one_or_list(inputs, place)));
                fields.push(("output_layers", one_or_list(outputs, place)));
            }
        }
        let module = match (self.class, self.class.starts_with("Carnyx>")) {
            // Another module is refused for this class.
            ("Functional", _) => "keras.src.models.functional",
            ("Sequential", _) => "keras",
            (_, true) => "carnyx",
            _ => "keras.layers",
        };
        described(module, self.class, fields, style)
    }

    /// The JSON of a loss, a metric or an optimizer.
    pub(super) fn json(&self, module: &str) -> Value {
        let module = if self.class.starts_with("Carnyx>") { "carnyx" } else { module };
        described(module, self.class, self.fields.clone(), Style::Archive)
    }

    /// Whether an optimizer may change it, as far as Keras can say it: for a layer as a whole.
    fn is_trainable(&self) -> bool {
        self.variables.is_empty() || self.variables.iter().any(|(_, variable)| !variable.is_frozen())
    }
}

fn described(module: &str, class: &str, fields: Vec<(&'static str, Value)>, style: Style) -> Value {
    let registered = match class {
        "Functional" => Value::from(class),
        _ if module == "carnyx" => Value::from(class),
        _ => Value::Null,
    };
    let config = ("config", object(fields));
    match style {
        Style::Legacy => object([("class_name", Value::from(class)), config]),
        Style::Archive => object([
            ("module", Value::from(module)),
            ("class_name", Value::from(class)),
            config,
            ("registered_name", registered),
        ]),
    }
}

fn drawn_json(part: &Part, parts: &[Part], style: Style) -> Value {
    let node = |inputs: &Vec<Use>| {
        let tensor = |input: &Use| {
            let config = object([
                ("shape", shape_json(&input.shape)),
                ("dtype", Value::from(keras_dtype(input.dtype))),
                ("keras_history", history(input, parts)),
            ]);
            object([("class_name", Value::from("__keras_tensor__")), ("config", config)])
        };
        let listed = is_merge(part.config.class) || inputs.len() != 1;
        let tensors: Vec<Value> = inputs.iter().map(tensor).collect();
        let args = if listed { vec![Value::from(tensors)] } else { tensors };
        object([("args", Value::from(args)), ("kwargs", object([]))])
    };
    // An input is applied to nothing.
    let nodes = part.nodes.iter().filter(|inputs| !inputs.is_empty());
    let mut json = part.config.layer_json(&part.name, style);
    if let Value::Object(fields) = &mut json {
        fields.insert("name".into(), Value::from(part.name.as_str()));
        fields.insert("inbound_nodes".into(), nodes.map(node).collect());
    }
    json
}

/// The layers of Keras that take a list of tensors.
pub(super) const MERGES: [&str; 8] =
    ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"];

pub(super) fn is_merge(class: &str) -> bool {
    MERGES.contains(&class)
}

fn history(place: &Use, parts: &[Part]) -> Value {
    let name = Value::from(parts[place.part].name.as_str());
    Value::from(vec![name, Value::from(place.node), Value::from(place.output)])
}

fn one_or_list(places: &[Use], json: impl Fn(&Use) -> Value) -> Value {
    match places {
        [one] => json(one),
        several => several.iter().map(json).collect(),
    }
}

pub(super) fn shape_json(shape: &[Option<usize>]) -> Value {
    shape.iter().map(|size| size.map_or(Value::Null, Value::from)).collect()
}

pub(super) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The name of an element type in Keras.
pub(super) fn keras_dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float32",
        DType::F64 => "float64",
        DType::I32 => "int32",
        DType::I64 => "int64",
        DType::U8 => "uint8",
        DType::Bool => "bool",
    }
}

/// An `f32` as the shortest decimal number that is read back as the same one.
pub(crate) fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The elements of an array as numbers in lists.
pub(crate) fn numbers(array: &Array) -> Value {
    fn nested(array: &Array, shape: &[usize], at: usize) -> Value {
        let Some((&size, rest)) = shape.split_first() else {
            let value = array.element(at);
            return Value::from(if array.dtype() == DType::F32 { decimal(value as f32) } else { value });
        };
        let step: usize = rest.iter().product();
        (0..size).map(|i| nested(array, rest, at + i * step)).collect()
    }
    nested(array, array.shape(), 0)
}

/// The fields that a file gives for a thing of a class.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) class: &'a str,
    pub(crate) value: &'a Value,
}

impl<'a> Fields<'a> {
    /// Class and fields of something that is described by an object.
    pub(crate) fn of(value: &'a Value, what: &str) -> Result<Fields<'a>> {
        let class = value.get("class_name").and_then(Value::as_str);
        match (class, value.get("config")) {
            (Some(class), Some(fields)) if fields.is_object() => {
                // Keras marks what users register with the name of their package.
                Ok(Fields { class, value: fields })
            }
            _ => Err(bad(format!("{what} has no class and configuration"))
                .label(format!("found {}", brief(value)))),
        }
    }

    /// The field, unless it is missing or `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn wrong(&self, name: &str, wanted: &str) -> Error {
        let found = self.value.get(name).map_or("nothing".to_owned(), brief);
        bad(format!("`{name}` of `{}` is {found}", self.class)).label(format!("it should be {wanted}"))
    }

    pub(crate) fn count(&self, name: &str) -> Result<usize> {
        let number = self.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| self.wrong(name, "a whole number from 0 on"))
    }

    pub(crate) fn number(&self, name: &str, default: Option<f64>) -> Result<f64> {
        match self.get(name) {
            None => default.ok_or_else(|| self.wrong(name, "a number")),
            Some(value) => value.as_f64().ok_or_else(|| self.wrong(name, "a number")),
        }
    }

    /// A number as a layer holds it, or the default.
    pub(crate) fn float(&self, name: &str, default: f32) -> Result<f32> {
        self.number(name, Some(decimal(default))).map(|number| number as f32)
    }

    /// An axis, or the default.
    pub(crate) fn axis(&self, name: &str, default: isize) -> Result<isize> {
        let axis = |value: &Value| value.as_i64().and_then(|axis| isize::try_from(axis).ok());
        self.get(name).map_or(Ok(default), |value| {
            // Keras lists a single axis once a layer has seen its input.
            let one = value.as_array().filter(|list| list.len() == 1).map_or(value, |list| &list[0]);
            axis(one).ok_or_else(|| self.wrong(name, "a whole number"))
        })
    }

    /// Axes or sizes in a list, or a single one; the default if there are none.
    pub(crate) fn axes(&self, name: &str, default: &[isize]) -> Result<Vec<isize>> {
        let wrong = || self.wrong(name, "a whole number, or a list of them");
        let axis =
            |value: &Value| value.as_i64().and_then(|axis| isize::try_from(axis).ok()).ok_or_else(wrong);
        match self.get(name) {
            None => Ok(default.to_vec()),
            Some(Value::Array(list)) => list.iter().map(axis).collect(),
            Some(one) => Ok(vec![axis(one)?]),
        }
    }

    /// What the word in a field stands for, in letters of either case; the default if there is none.
    pub(super) fn choice<T: Copy>(&self, name: &str, known: &[(&str, T)], default: T) -> Result<T> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let word = value.as_str().unwrap_or_default();
        let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<String> = known.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.wrong(name, &format!("one of {}", words.join(", ")))
        })
    }

    pub(crate) fn truth(&self, name: &str, default: bool) -> Result<bool> {
        self.get(name)
            .map_or(Ok(default), |value| value.as_bool().ok_or_else(|| self.wrong(name, "`true` or `false`")))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str> {
        self.get(name).and_then(Value::as_str).ok_or_else(|| self.wrong(name, "a text"))
    }

    pub(crate) fn list(&self, name: &str) -> Result<&'a [Value]> {
        self.get(name).and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| self.wrong(name, "a list"))
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let numbers: Option<Vec<f64>> = self.list(name)?.iter().map(Value::as_f64).collect();
        numbers.ok_or_else(|| self.wrong(name, "a list of numbers"))
    }

    /// That there are no other fields than those in the lists of `known` ones.
    pub(super) fn no_others(&self, known: &[&[&str]]) -> Result {
        let Some(fields) = self.value.as_object() else { return Ok(()) };
        let is_known = |name: &str| known.iter().any(|list| list.contains(&name));
        match fields.iter().find(|(name, value)| !value.is_null() && !is_known(name)) {
            Some((name, value)) => Err(self.unsupported(name, value)),
            None => Ok(()),
        }
    }

    fn unsupported(&self, name: &str, value: &Value) -> Error {
        bad(format!("`{name}` of `{}` is {}", self.class, brief(value)))
            .label("this is not supported")
            .help("`load_weights` can read the weights alone, into a model of the same layers")
    }

    /// Numbers in lists as an array of `f64`.
    pub(crate) fn array(&self, name: &str) -> Result<Array> {
        let wrong = || self.wrong(name, "a number, or lists of numbers that are of equal length");
        let mut value = self.get(name).ok_or_else(wrong)?;
        let (mut shape, whole) = (Vec::new(), value);
        while let Some(list) = value.as_array() {
            if shape.len() == 8 {
                return Err(wrong());
            }
            shape.push(list.len());
            let Some(first) = list.first() else { break };
            value = first;
        }
        let mut elements = Vec::new();
        flatten(whole, shape.len(), &mut elements).ok_or_else(wrong)?;
        Array::new(shape, elements).map_err(|_| wrong())
    }

    /// That the fields, if they are there, say what Carnyx does anyway.
    pub(crate) fn only(&self, defaults: &[(&str, Value)]) -> Result {
        for (name, default) in defaults {
            let Some(value) = self.get(name).filter(|value| *value != default) else { continue };
            // 0 and 0.0 are the same here.
            if value.as_f64().is_some() && value.as_f64() == default.as_f64() {
                continue;
            }
            return Err(self.unsupported(name, value));
        }
        Ok(())
    }
}

/// The numbers in lists that are `depth` deep.
fn flatten(value: &Value, depth: usize, into: &mut Vec<f64>) -> Option<()> {
    match value.as_array() {
        Some(list) if depth > 0 => list.iter().try_for_each(|inner| flatten(inner, depth - 1, into)),
        _ => {
            into.push(value.as_f64().filter(|_| depth == 0)?);
            Some(())
        }
    }
}

/// An error about the contents of a file.
pub(crate) fn bad(title: impl Into<String>) -> Error {
    Error::new("file", title)
}

/// A value for a message.
pub(super) fn brief(value: &Value) -> String {
    let text = carnyx_file::to_json(value);
    if text.chars().count() <= 60 {
        return format!("`{text}`");
    }
    let start: String = text.chars().take(57).collect();
    format!("`{start}…`")
}
