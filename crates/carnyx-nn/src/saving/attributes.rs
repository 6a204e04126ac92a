//! Penalties and bounds of weights in files: the fields `kernel_regularizer`, `kernel_constraint` and their like.
//!
//! Both ways are tables. What is not in them, such as a function of one's own, cannot be saved. Invariant: a layer that
//! does not write a field of this kind does not read it either; a file with it is refused, see `layers.rs`.

use super::config::{Config, Fields, bad, brief, object};
use crate::constraints::{Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm};
use crate::regularizers::{L1, L1L2, L2, OrthogonalRegularizer, Regularizer};
use carnyx_file::Value;
use carnyx_graph::{Error, Result, Variable};
use std::any::Any;
use std::sync::Arc;

/// The class of a penalty or of bounds, and its fields.
type Described = (&'static str, Vec<(&'static str, Value)>);

impl Config {
    /// The penalty for a variable or for outputs, if there is one.
    pub(crate) fn regularizer(
        self,
        field: &'static str,
        regularizer: Option<Arc<dyn Regularizer>>,
    ) -> Config {
        let Some(regularizer) = regularizer else { return self };
        self.attribute(field, regularizer_class(&*regularizer), "keras.regularizers")
    }

    /// The bounds of a variable, if there are any.
    pub(crate) fn constraint(self, field: &'static str, constraint: Option<Arc<dyn Constraint>>) -> Config {
        let Some(constraint) = constraint else { return self };
        self.attribute(field, constraint_class(&*constraint), "keras.constraints")
    }

    fn attribute(mut self, field: &'static str, described: Option<Described>, module: &str) -> Config {
        match described {
            Some(described) => self.field(field, json(described, module)),
            None => {
                self.mistake = Some(cannot_save(field));
                self
            }
        }
    }
}

fn json((class, fields): Described, module: &str) -> Value {
    object([
        ("module", Value::from(module)),
        ("class_name", Value::from(class)),
        ("config", object(fields)),
        ("registered_name", Value::Null),
    ])
}

/// What is attached to a variable of a layer that is saved as its trace.
pub(super) fn attributes_json(variable: &Variable) -> Result<Vec<(&'static str, Value)>> {
    let mut found = Vec::new();
    if let Some(regularizer) = variable.regularizer() {
        let described = regularizer_class(&*regularizer).ok_or_else(|| cannot_save("regularizer"))?;
        found.push(("regularizer", json(described, "keras.regularizers")));
    }
    if let Some(constraint) = variable.constraint() {
        let described = constraint_class(&*constraint).ok_or_else(|| cannot_save("constraint"))?;
        found.push(("constraint", json(described, "keras.constraints")));
    }
    Ok(found)
}

/// A variable with what [`attributes_json`] wrote.
pub(super) fn with_attributes(variable: Variable, fields: Fields) -> Result<Variable> {
    let variable = with(variable, fields.regularizer("regularizer")?, Variable::regularized);
    Ok(with(variable, fields.constraint("constraint")?, Variable::constrained))
}

fn cannot_save(field: &str) -> Error {
    let kind = if field.ends_with("constraint") { "constraint" } else { "regularizer" };
    bad(format!("a {kind} of one's own cannot be saved as part of a model"))
        .label("files know those that Keras has too")
        .help("save the weights alone with `save_weights`, and build the model in Rust before `load_weights`")
}

fn regularizer_class(regularizer: &dyn Regularizer) -> Option<Described> {
    let any: &dyn Any = regularizer;
    if let Some(inner) = any.downcast_ref::<Arc<dyn Regularizer>>() {
        return regularizer_class(&**inner);
    }
    if let Some(L1 { l1 }) = any.downcast_ref() {
        return Some(("L1", vec![("l1", Value::from(*l1))]));
    }
    if let Some(L2 { l2 }) = any.downcast_ref() {
        return Some(("L2", vec![("l2", Value::from(*l2))]));
    }
    if let Some(L1L2 { l1, l2 }) = any.downcast_ref() {
        return Some(("L1L2", vec![("l1", Value::from(*l1)), ("l2", Value::from(*l2))]));
    }
    let OrthogonalRegularizer { factor, by_columns } = any.downcast_ref()?;
    let mode = if *by_columns { "columns" } else { "rows" };
    Some(("OrthogonalRegularizer", vec![("factor", Value::from(*factor)), ("mode", Value::from(mode))]))
}

fn constraint_class(constraint: &dyn Constraint) -> Option<Described> {
    let any: &dyn Any = constraint;
    if let Some(inner) = any.downcast_ref::<Arc<dyn Constraint>>() {
        return constraint_class(&**inner);
    }
    if let Some(MaxNorm { greatest, axes }) = any.downcast_ref() {
        return Some(("MaxNorm", vec![("max_value", Value::from(*greatest)), ("axis", axis_json(axes))]));
    }
    if let Some(NonNeg) = any.downcast_ref() {
        return Some(("NonNeg", Vec::new()));
    }
    if let Some(UnitNorm { axes }) = any.downcast_ref() {
        return Some(("UnitNorm", vec![("axis", axis_json(axes))]));
    }
    let MinMaxNorm { least, greatest, rate, axes } = any.downcast_ref()?;
    let number = |number: &f64| Value::from(*number);
    let fields = [("min_value", number(least)), ("max_value", number(greatest)), ("rate", number(rate))];
    Some(("MinMaxNorm", fields.into_iter().chain([("axis", axis_json(axes))]).collect()))
}

/// One axis as a number, as Keras's defaults are, and several as a list.
fn axis_json(axes: &[isize]) -> Value {
    match axes {
        [axis] => Value::from(*axis),
        several => several.iter().map(|&axis| Value::from(axis)).collect(),
    }
}

/// A layer with what a file attaches to it, if it does: `with(dense, fields.regularizer("kernel_regularizer")?,
/// Dense::kernel_regularizer)`.
pub(crate) fn with<L, A>(layer: L, attribute: Option<A>, attach: impl FnOnce(L, A) -> L) -> L {
    match attribute {
        Some(attribute) => attach(layer, attribute),
        None => layer,
    }
}

const REGULARIZERS: [&str; 4] = ["L1", "L1L2", "L2", "OrthogonalRegularizer"];
const CONSTRAINTS: [&str; 4] = ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"];

impl Fields<'_> {
    /// The penalty in the field `name`, if there is one.
    pub(crate) fn regularizer(&self, name: &str) -> Result<Option<Arc<dyn Regularizer>>> {
        let Some(fields) = self.attribute(name)? else { return Ok(None) };
        let number = |name: &str, default: f64| fields.number(name, Some(default));
        Ok(Some(match fields.class {
            "L1" | "l1" => Arc::new(L1::new(number("l1", 0.01)?)),
            "L2" | "l2" => Arc::new(L2::new(number("l2", 0.01)?)),
            "L1L2" | "l1_l2" => Arc::new(L1L2::new(number("l1", 0.0)?, number("l2", 0.0)?)),
            "OrthogonalRegularizer" | "orthogonal_regularizer" => {
                let rows = OrthogonalRegularizer::new(number("factor", 0.01)?);
                match fields.get("mode").map(Value::as_str) {
                    None | Some(Some("rows")) => Arc::new(rows),
                    Some(Some("columns")) => Arc::new(rows.columns()),
                    Some(_) => return Err(fields.wrong("mode", "`rows` or `columns`")),
                }
            }
            class => return Err(unknown(name, class, &REGULARIZERS)),
        }))
    }

    /// The bounds in the field `name`, if there are any.
    pub(crate) fn constraint(&self, name: &str) -> Result<Option<Arc<dyn Constraint>>> {
        let Some(fields) = self.attribute(name)? else { return Ok(None) };
        let number = |name: &str, default: f64| fields.number(name, Some(default));
        Ok(Some(match fields.class {
            "MaxNorm" | "max_norm" => Arc::new(MaxNorm::new(number("max_value", 2.0)?).axes(axes(fields)?)),
            "NonNeg" | "non_neg" | "nonneg" => Arc::new(NonNeg),
            "UnitNorm" | "unit_norm" => Arc::new(UnitNorm::new().axes(axes(fields)?)),
            "MinMaxNorm" | "min_max_norm" => {
                let bounds = MinMaxNorm::new(number("min_value", 0.0)?, number("max_value", 1.0)?);
                Arc::new(bounds.rate(number("rate", 1.0)?).axes(axes(fields)?))
            }
            class => return Err(unknown(name, class, &CONSTRAINTS)),
        }))
    }

    /// Class and fields of what stands in the field `name`: an object, or a word.
    fn attribute(&self, name: &str) -> Result<Option<Fields<'_>>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(word)) => Ok(Some(Fields { class: word, value: &Value::Null })),
            Some(value) => Fields::of(value, &format!("`{name}` of `{}`", self.class)).map(Some),
        }
    }
}

fn axes(fields: Fields) -> Result<Vec<isize>> {
    let wrong = || fields.wrong("axis", "a whole number, or a list of them");
    let axis = |value: &Value| value.as_i64().and_then(|axis| isize::try_from(axis).ok()).ok_or_else(wrong);
    match fields.get("axis") {
        None => Ok(vec![0]),
        Some(Value::Array(list)) => list.iter().map(axis).collect(),
        Some(one) => Ok(vec![axis(one)?]),
    }
}

fn unknown(name: &str, class: &str, known: &[&str]) -> Error {
    bad(format!("`{name}` is {}, which is not known", brief(&Value::from(class)))).suggest(class, known)
}
