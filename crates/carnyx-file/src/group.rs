//! The tree of an HDF5 file: groups that hold groups, arrays and attributes, all with names.
//!
//! Invariant: within a group a name stands for a group or an array, not for both; attributes have names of their own.

use carnyx_graph::Array;
use std::collections::BTreeMap;

/// A node of an HDF5 file: named groups, arrays and attributes, in the order of their names, as other readers have them.
///
/// # Example
/// ```
/// use carnyx_file::{Attribute, Group};
/// use carnyx_graph::Array;
/// let mut root = Group::new();
/// let layer = root.entry("layers/dense/vars");
/// layer.insert_array("0", Array::from([[1.0f32, 2.0]]));
/// layer.set_attribute("name", Attribute::Text("dense".into()));
/// let layer = root.at("layers/dense/vars").unwrap();
/// assert_eq!(layer.array("0").unwrap().shape(), [1, 2]);
/// assert_eq!(layer.attribute("name").and_then(Attribute::as_text), Some("dense"));
/// assert!(root.at("layers/conv2d").is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    groups: BTreeMap<String, Group>,
    arrays: BTreeMap<String, Array>,
    attributes: BTreeMap<String, Attribute>,
}

/// A small value beside the arrays of an HDF5 file.
///
/// # Example
/// ```
/// use carnyx_file::Attribute;
/// assert_eq!(Attribute::Text("relu".into()).as_text(), Some("relu"));
/// assert_eq!(Attribute::Integer(3).as_text(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A whole number; truth values are 0 and 1.
    Integer(i64),
    /// A list of whole numbers.
    Integers(Vec<i64>),
    /// A float.
    Float(f64),
    /// A list of floats.
    Floats(Vec<f64>),
}

impl Attribute {
    /// The text, if it is one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Attribute;
    /// assert_eq!(Attribute::Text("jax".into()).as_text(), Some("jax"));
    /// ```
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Attribute::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a list without entries. HDF5 keeps a type for it that nobody chose.
    fn is_empty_list(&self) -> bool {
        match self {
            Attribute::Texts(list) => list.is_empty(),
            Attribute::Integers(list) => list.is_empty(),
            Attribute::Floats(list) => list.is_empty(),
            _ => false,
        }
    }
}

impl Group {
    /// A group without contents.
    ///
    /// # Example
    /// ```
    /// assert_eq!(carnyx_file::Group::new().groups().count(), 0);
    /// ```
    pub fn new() -> Group {
        Group::default()
    }

    /// The group of this name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// let mut root = Group::new();
    /// root.insert_group("layers");
    /// assert!(root.group("layers").is_some() && root.group("optimizer").is_none());
    /// ```
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// All groups in this one, with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// let mut root = Group::new();
    /// root.insert_group("layers");
    /// root.insert_group("optimizer");
    /// assert_eq!(root.groups().map(|(name, _)| name).collect::<Vec<_>>(), ["layers", "optimizer"]);
    /// ```
    pub fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// The array of this name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// # use carnyx_graph::Array;
    /// let mut vars = Group::new();
    /// vars.insert_array("0", Array::from([1.0f32]));
    /// assert_eq!(vars.array("0"), Some(&Array::from([1.0f32])));
    /// ```
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.arrays.get(name)
    }

    /// All arrays in this group, with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// # use carnyx_graph::Array;
    /// let mut vars = Group::new();
    /// vars.insert_array("0", Array::from([1.0f32]));
    /// assert!(vars.arrays().eq([("0", &Array::from([1.0f32]))]));
    /// ```
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// The attribute of this name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::{Attribute, Group};
    /// let mut root = Group::new();
    /// root.set_attribute("backend", Attribute::Text("jax".into()));
    /// assert_eq!(root.attribute("backend"), Some(&Attribute::Text("jax".into())));
    /// ```
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// All attributes of this group, with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::{Attribute, Group};
    /// let mut root = Group::new();
    /// root.set_attribute("epochs", Attribute::Integer(3));
    /// assert!(root.attributes().eq([("epochs", &Attribute::Integer(3))]));
    /// ```
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.attributes.iter().map(|(name, attribute)| (name.as_str(), attribute))
    }

    /// The list of texts in the attribute `name`, or in `name0`, `name1`, …, into which Keras splits a long one.
    ///
    /// A single text is a list of one. `None` if there is no such attribute or it holds something else.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::{Attribute, Group};
    /// let mut root = Group::new();
    /// root.set_attribute("layer_names0", Attribute::Texts(vec!["conv".into(), "dense".into()]));
    /// root.set_attribute("layer_names1", Attribute::Texts(vec!["scores".into()]));
    /// assert_eq!(root.texts("layer_names").unwrap(), ["conv", "dense", "scores"]);
    /// ```
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        if let Some(whole) = self.attribute(name) {
            return texts(whole);
        }
        let mut all = texts(self.attribute(&format!("{name}0"))?)?;
        for part in 1.. {
            let Some(attribute) = self.attribute(&format!("{name}{part}")) else { break };
            all.extend(texts(attribute)?);
        }
        Some(all)
    }

    /// Sets a list of texts, split into `name0`, `name1`, … if it is too long for one attribute.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// let mut root = Group::new();
    /// root.set_texts("layer_names", vec!["dense".into(), "scores".into()]);
    /// assert_eq!(root.texts("layer_names").unwrap(), ["dense", "scores"]);
    /// ```
    pub fn set_texts(&mut self, name: &str, texts: Vec<String>) {
        /// An attribute has at most 64 KiB, and a text in it takes 16 bytes, wherever its letters are.
        const MOST: usize = 4000;
        if texts.len() <= MOST {
            self.set_attribute(name, Attribute::Texts(texts));
            return;
        }
        for (part, texts) in texts.chunks(MOST).enumerate() {
            self.set_attribute(format!("{name}{part}"), Attribute::Texts(texts.to_vec()));
        }
    }

    /// The group of this name, made if there is none; an array of this name goes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// # use carnyx_graph::Array;
    /// let mut root = Group::new();
    /// root.insert_group("vars").insert_array("0", Array::from(1.0f32));
    /// root.insert_group("vars").insert_array("1", Array::from(2.0f32));
    /// assert_eq!(root.group("vars").unwrap().arrays().count(), 2);
    /// ```
    pub fn insert_group(&mut self, name: impl Into<String>) -> &mut Group {
        let name = name.into();
        self.arrays.remove(&name);
        self.groups.entry(name).or_default()
    }

    /// Puts an array into this group; what had the name before goes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// # use carnyx_graph::Array;
    /// let mut vars = Group::new();
    /// vars.insert_array("0", Array::from([1.0f32]));
    /// vars.insert_array("0", Array::from([2.0f32]));
    /// assert_eq!(vars.array("0"), Some(&Array::from([2.0f32])));
    /// ```
    pub fn insert_array(&mut self, name: impl Into<String>, array: Array) {
        let name = name.into();
        self.groups.remove(&name);
        self.arrays.insert(name, array);
    }

    /// Sets an attribute; what had the name before goes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::{Attribute, Group};
    /// let mut root = Group::new();
    /// root.set_attribute("loss", Attribute::Float(0.5));
    /// root.set_attribute("loss", Attribute::Float(0.25));
    /// assert_eq!(root.attribute("loss"), Some(&Attribute::Float(0.25)));
    /// ```
    pub fn set_attribute(&mut self, name: impl Into<String>, attribute: Attribute) {
        self.attributes.insert(name.into(), attribute);
    }

    /// The group at a path such as `"layers/dense/vars"`; the empty path is this group.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// let mut root = Group::new();
    /// root.insert_group("layers").insert_group("dense");
    /// assert!(root.at("layers/dense").is_some() && root.at("layers/lstm").is_none());
    /// ```
    pub fn at(&self, path: &str) -> Option<&Group> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(self, Group::group)
    }

    /// The group at a path such as `"layers/dense/vars"`; groups that are missing are made.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Group;
    /// let mut root = Group::new();
    /// root.entry("layers/dense/vars");
    /// assert!(root.at("layers/dense").is_some());
    /// ```
    pub fn entry(&mut self, path: &str) -> &mut Group {
        path.split('/').filter(|name| !name.is_empty()).fold(self, |group, name| group.insert_group(name))
    }
}

fn texts(attribute: &Attribute) -> Option<Vec<&str>> {
    match attribute {
        Attribute::Text(text) => Some(vec![text]),
        Attribute::Texts(list) => Some(list.iter().map(String::as_str).collect()),
        // h5py stores an empty list as floats.
        empty if empty.is_empty_list() => Some(Vec::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_one_thing() {
        let mut root = Group::new();
        root.insert_group("x").insert_group("y");
        root.insert_array("x", Array::from(1i32));
        assert!(root.group("x").is_none() && root.array("x").is_some());
        root.entry("/x//y/");
        assert!(root.at("x/y").is_some() && root.array("x").is_none());
        assert_eq!(root.at(""), Some(&root));
    }

    #[test]
    fn lists_of_texts() {
        let mut root = Group::new();
        assert_eq!(root.texts("names"), None);
        root.set_attribute("names", Attribute::Floats(vec![]));
        assert_eq!(root.texts("names"), Some(vec![]));
        root.set_attribute("names", Attribute::Float(1.0));
        assert_eq!(root.texts("names"), None);
        let many: Vec<String> = (0..9001).map(|i| format!("layer_{i}")).collect();
        root.set_texts("many", many.clone());
        assert_eq!(root.texts("many").unwrap(), many);
        assert!(root.attribute("many").is_none() && root.attribute("many2").is_some());
    }
}
