//! Weights alone: Keras's tree of them, and the flat list of safetensors.
//!
//! Keras addresses weights by the classes of layers, counted within each model: `layers/dense_1/vars/0`. Layers that
//! are no models of Keras keep the names of their fields: `encoder/dense/vars/0`. Invariant: either all variables take
//! their values or none does; the arrays of a file are compared with the model before anything is believed.

use super::config::bad;
use crate::{Module, Variables};
use carnyx_file::{Attribute, Group};
use carnyx_graph::{Array, DType, Error, Result, Variable};
use std::collections::BTreeMap;

/// Where variables are in a file: layers of a class, within models.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) class: String,
    pub(super) name: String,
    /// In Keras's order.
    pub(super) variables: Vec<(String, Variable)>,
    /// What Keras keeps among the weights, though it is no variable, by its name.
    pub(super) constants: Vec<(&'static str, Array)>,
    pub(super) parts: Vec<Layout>,
    pub(super) is_model: bool,
}

/// A variable and the value that it should take.
pub(super) type Assignment = (Variable, Array);

impl Layout {
    /// The parts with the names that Keras gives them in files: `dense`, `dense_1`.
    pub(super) fn numbered(&self) -> Vec<(String, &Layout)> {
        if !self.is_model {
            // A layer around another one knows it by the name of a field.
            return self.parts.iter().map(|part| ("layer".to_owned(), part)).collect();
        }
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        let mut name = |part: &Layout| {
            let base = snake_case(&part.class);
            let count = used.entry(base.clone()).or_default();
            *count += 1;
            if *count == 1 { base } else { format!("{base}_{}", *count - 1) }
        };
        self.parts.iter().map(|part| (name(part), part)).collect()
    }

    /// All variables with the paths made of the layers' names, in Keras's order, each once.
    pub(super) fn all(&self) -> Vec<(String, Variable)> {
        fn walk(layout: &Layout, path: &str, all: &mut Vec<(String, Variable)>) {
            for (name, variable) in &layout.variables {
                if !all.iter().any(|(_, known)| known == variable) {
                    all.push((format!("{path}{name}"), variable.clone()));
                }
            }
            for part in &layout.parts {
                walk(part, &format!("{path}{}/", part.name), all);
            }
        }
        let mut all = Vec::new();
        walk(self, "", &mut all);
        all
    }

    /// The variables that an optimizer may change.
    pub(super) fn trainable(&self) -> Vec<Variable> {
        self.all().into_iter().map(|(_, variable)| variable).filter(Variable::is_trainable).collect()
    }

    /// Writes the tree.
    pub(super) fn write(&self, group: &mut Group) -> Result {
        for (name, part) in self.numbered() {
            let path = if self.is_model { format!("layers/{name}") } else { name };
            part.write(group.entry(&path))?;
        }
        let vars = group.insert_group("vars");
        vars.set_attribute("name", Attribute::Text(self.name.clone()));
        for (i, (_, variable)) in self.variables.iter().enumerate() {
            vars.insert_array(i.to_string(), for_keras(&variable.value()?));
        }
        for (name, array) in &self.constants {
            vars.insert_array(*name, array.clone());
        }
        Ok(())
    }

    /// Reads the tree: what the variables would take.
    pub(super) fn read(&self, group: &Group, into: &mut Vec<Assignment>) -> Result {
        let arrays = in_order(group.group("vars"));
        assign(&self.variables, &arrays, into)?;
        let layers = if self.is_model { group.group("layers") } else { Some(group) };
        let parts = self.numbered();
        if let Some((extra, _)) = layers
            .iter()
            .flat_map(|layers| layers.groups())
            .find(|(name, group)| has_arrays(group) && !parts.iter().any(|(known, _)| known == name))
            && self.is_model
        {
            let known: Vec<&String> = parts.iter().map(|(name, _)| name).collect();
            return Err(bad(format!(
                "there are weights for a layer `{extra}`, which the model does not have"
            ))
            .label(format!(
                "its layers are {}",
                known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )));
        }
        let empty = Group::new();
        for (name, part) in parts {
            let group = layers.and_then(|layers| layers.group(&name)).unwrap_or(&empty);
            part.read(group, into).map_err(|error| error.inside(part.name.clone()))?;
        }
        Ok(())
    }
}

fn has_arrays(group: &Group) -> bool {
    group.arrays().next().is_some() || group.groups().any(|(_, group)| has_arrays(group))
}

/// The arrays `0`, `1`, … of a group.
pub(super) fn in_order(group: Option<&Group>) -> Vec<&Array> {
    let Some(group) = group else { return Vec::new() };
    (0..).map_while(|i| group.array(&i.to_string())).collect()
}

/// Compares arrays with the variables that should take them.
pub(super) fn assign(
    variables: &[(String, Variable)],
    arrays: &[&Array],
    into: &mut Vec<Assignment>,
) -> Result {
    if arrays.len() != variables.len() {
        let names: Vec<String> = variables.iter().map(|(name, _)| format!("`{name}`")).collect();
        let wanted = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(bad(format!(
            "the file has {}, the layer has {}",
            crate::losses::count(arrays.len(), "array"),
            variables.len()
        ))
        .label(format!("the variables of the layer: {wanted}"))
        .help("the file belongs to another model, or is not complete"));
    }
    for ((name, variable), array) in variables.iter().zip(arrays) {
        into.push((variable.clone(), fitting(name, variable, array)?));
    }
    Ok(())
}

/// The array in the type of the variable, if it has its shape.
pub(super) fn fitting(name: &str, variable: &Variable, array: &Array) -> Result<Array> {
    if let Some(shape) = variable.shape()
        && shape != array.shape()
    {
        return Err(bad(format!(
            "`{name}` has shape {:?} in the file, {shape:?} in the model",
            array.shape()
        ))
        .help("the file belongs to another model"));
    }
    if array.dtype().is_float() != variable.dtype().is_float() {
        return Err(bad(format!(
            "`{name}` holds {} in the file, {} in the model",
            array.dtype(),
            variable.dtype()
        )));
    }
    Ok(array.cast(variable.dtype()))
}

/// Gives all variables their values.
pub(super) fn assign_all(assignments: Vec<Assignment>) -> Result {
    assignments.into_iter().try_for_each(|(variable, value)| variable.assign(&value))
}

/// Keras's integers have 32 bits.
pub(super) fn for_keras(array: &Array) -> Array {
    let fits = |i| i32::try_from(array.element(i) as i64).is_ok();
    if array.dtype() == DType::I64 && (0..array.len()).all(fits) {
        array.cast(DType::I32)
    } else {
        array.clone()
    }
}

/// The name of a class in paths, as Keras makes it: `GlobalAveragePooling2D` is `global_average_pooling2d`, `ReLU` is
/// `re_lu`.
pub(super) fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    // (.)([A-Z][a-z]+) → \1_\2, from left to right, each letter in one match only.
    let mut first = Vec::new();
    let mut i = 0;
    while i < letters.len() {
        let word = letters.get(i + 1).is_some_and(char::is_ascii_uppercase)
            && letters.get(i + 2).is_some_and(char::is_ascii_lowercase);
        first.push(letters[i]);
        i += 1;
        if word {
            first.push('_');
            first.push(letters[i]);
            i += 1;
            while letters.get(i).is_some_and(char::is_ascii_lowercase) {
                first.push(letters[i]);
                i += 1;
            }
        }
    }
    // ([a-z])([A-Z]) → \1_\2
    let mut name = String::new();
    for (i, &letter) in first.iter().enumerate() {
        if i > 0 && letter.is_ascii_uppercase() && first[i - 1].is_ascii_lowercase() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The layout of any module: as in Keras, if it has a configuration, or else by its fields.
pub(super) fn layout_of(module: &(impl Module + ?Sized)) -> Option<Layout> {
    let config = module.config()?;
    config.check().ok()?;
    Some(config.layout(&crate::layer::own_name(module)))
}

/// The groups of a module that has no configuration, by the names of the fields around its variables.
pub(super) fn by_fields(module: &(impl Module + ?Sized)) -> BTreeMap<String, Vec<(String, Variable)>> {
    let mut groups: BTreeMap<String, Vec<(String, Variable)>> = BTreeMap::new();
    for (path, variable) in module.named_variables() {
        let (group, name) = path.rsplit_once('/').unwrap_or(("", &path));
        groups.entry(group.to_owned()).or_default().push((name.to_owned(), variable));
    }
    groups
}

/// The whole tree of a module.
pub(super) fn write_tree(module: &(impl Module + ?Sized)) -> Result<Group> {
    let mut root = Group::new();
    if let Some(layout) = layout_of(module) {
        layout.write(&mut root)?;
        return Ok(root);
    }
    for (path, variables) in by_fields(module) {
        let vars = root.entry(&path).insert_group("vars");
        for (i, (_, variable)) in variables.iter().enumerate() {
            vars.insert_array(i.to_string(), for_keras(&variable.value()?));
        }
    }
    Ok(root)
}

/// What the variables of a module would take from a tree.
pub(super) fn read_tree(module: &(impl Module + ?Sized), root: &Group) -> Result<Vec<Assignment>> {
    let mut assignments = Vec::new();
    if let Some(layout) = layout_of(module) {
        layout.read(root, &mut assignments)?;
        return Ok(assignments);
    }
    for (path, variables) in by_fields(module) {
        let arrays = in_order(root.at(&path).and_then(|group| group.group("vars")));
        assign(&variables, &arrays, &mut assignments).map_err(|error| error.inside(path))?;
    }
    Ok(assignments)
}

/// What the variables of a module would take from a flat list.
pub(super) fn read_list(
    module: &(impl Module + ?Sized),
    tensors: &carnyx_file::Tensors,
) -> Result<Vec<Assignment>> {
    let variables = module.named_variables();
    let mut assignments = Vec::new();
    for (name, variable) in &variables {
        let Some(array) = tensors.get(name) else {
            let names: Vec<&str> = tensors.arrays().map(|(name, _)| name).collect();
            return Err(bad(format!("the file has no weights `{name}`")).suggest(name, &names));
        };
        assignments.push((variable.clone(), fitting(name, variable, array)?));
    }
    let is_known = |name: &str| variables.iter().any(|(known, _)| known == name);
    match tensors.arrays().find(|(name, _)| !is_known(name)) {
        Some((extra, _)) => {
            let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
            Err(bad(format!("the file has weights `{extra}`, which the model does not have"))
                .suggest(extra, &names))
        }
        None => Ok(assignments),
    }
}

/// That all variables have a value, which is what there is to save.
pub(super) fn check_values(variables: &[(String, Variable)]) -> Result {
    match variables.iter().find(|(_, variable)| !variable.has_value()) {
        Some((name, _)) => Err(Error::new("variable", format!("cannot save `{name}`: it has no value yet"))
            .help("values are drawn at the first `fit`, `predict` or `initialize`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_written_as_in_keras() {
        for (class, name) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("ReLU", "re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("ELU", "elu"),
            ("LSTM", "lstm"),
            ("InputLayer", "input_layer"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("Carnyx>Activation", "carnyx_activation"),
        ] {
            assert_eq!(snake_case(class), name);
        }
    }
}
