//! Layers in a row.

use crate::layer::{apply_at, free_name, snake_case};
use crate::{Forks, Layer, LayerRef, Module, Visitor};
use carnyx_graph::{Error, Site, Tensor};
use std::panic::Location;
use std::sync::Arc;

/// Layers in a row: each gets the output of the one before.
///
/// Layers are named after their types, counted as in Keras: `dense`, `dense_1`, `dropout`. A name that the user
/// gives wins: `Dense::new(10).named("scores")`.
///
/// # Shape
/// From what the first layer takes to what the last one gives.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Flatten, Relu, Sequential, Softmax, Variables};
/// let net = Sequential::new()
///     .then(Flatten)
///     .then(Dense::new(300).activation(Relu))
///     .then(Dense::new(10).activation(Softmax));
/// let y = net.apply(&Tensor::input("pixels", [28, 28]));
/// assert_eq!(y.shape().to_string(), "[batch, 10]");
/// assert_eq!(net.names().collect::<Vec<_>>(), ["flatten", "dense", "dense_1"]);
/// assert_eq!(net.num_parameters(), 784 * 300 + 300 + 300 * 10 + 10);
/// ```
#[derive(Clone, Default)]
pub struct Sequential {
    entries: Vec<Entry>,
    /// The first mistake in putting the layers together, reported when the model is built.
    mistake: Option<Error>,
}

#[derive(Clone)]
struct Entry {
    name: Arc<str>,
    layer: LayerRef,
    /// Where the user wrote `.then(..)`: errors in the layer point there.
    site: Site,
}

impl Sequential {
    /// No layers yet.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert!(Sequential::new().is_empty());
    /// ```
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// One layer more.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.len(), 2);
    /// ```
    #[track_caller]
    pub fn then(mut self, layer: impl Layer<Out = Tensor> + 'static) -> Sequential {
        let site = Site::from(Location::caller());
        let name = match layer.name() {
            Some(name) => name.to_owned(),
            None => self.free_name(layer.kind()),
        };
        if let Some(error) = self.objection_to(&name) {
            self.mistake.get_or_insert(error.at(site.clone()));
        }
        self.entries.push(Entry { name: name.into(), layer: Arc::new(layer), site });
        self
    }

    /// `dense`, `dense_1`, …: the first that is not taken.
    fn free_name(&self, kind: &str) -> String {
        free_name(&snake_case(kind), |name| self.layer(name).is_some())
    }

    /// The layers in order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.layers().map(|layer| layer.kind()).collect::<Vec<_>>(), ["Flatten", "Dense"]);
    /// ```
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &LayerRef> {
        self.entries.iter().map(|entry| &entry.layer)
    }

    /// The names of the layers in order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.names().collect::<Vec<_>>(), ["flatten", "scores"]);
    /// ```
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// The layers in order, with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.iter().next().unwrap().0, "flatten");
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &LayerRef)> {
        self.entries.iter().map(|entry| (&*entry.name, &entry.layer))
    }

    /// The layer called `name`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert!(net.layer("scores").is_some() && net.layer("dense").is_none());
    /// ```
    pub fn layer(&self, name: &str) -> Option<&LayerRef> {
        self.entries.iter().find(|entry| &*entry.name == name).map(|entry| &entry.layer)
    }

    /// The number of layers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no layers.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert!(!net.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn objection_to(&self, name: &str) -> Option<Error> {
        if name.is_empty() || name.contains('/') {
            return Some(
                Error::new("name", format!("a layer cannot be named `{name}`"))
                    .label("names are not empty, and `/` separates them in the paths of variables"),
            );
        }
        self.layer(name).map(|_| {
            Error::new("name", format!("two layers are named `{name}`"))
                .label("this name is taken by a layer before")
                .help("give one of them another name with `.named(\"…\")`")
        })
    }

    fn objection(&self) -> Option<Error> {
        let empty =
            || Error::new("model", "a `Sequential` without layers").help("add layers with `.then(..)`");
        self.mistake.clone().or_else(|| self.is_empty().then(empty))
    }
}

impl Module for Sequential {
    fn fork(&self, forks: &mut Forks) -> Sequential {
        let fork = |entry: &Entry| Entry { layer: entry.layer.fork(forks), ..entry.clone() };
        Sequential { entries: self.entries.iter().map(fork).collect(), mistake: self.mistake.clone() }
    }

    fn visit(&self, visitor: &mut Visitor) {
        for entry in &self.entries {
            visitor.field(&entry.name, &entry.layer);
        }
    }

    fn kind(&self) -> &'static str {
        "Sequential"
    }

    fn config(&self) -> Option<crate::Config> {
        Some(crate::saving::row_config(self.iter()))
    }
}

impl Layer for Sequential {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        if let Some(error) = self.objection() {
            return Tensor::invalid(error);
        }
        let step = |x: Tensor, entry: &Entry| apply_at(&entry.layer, &entry.name, entry.site.clone(), &x);
        self.entries.iter().fold(x.clone(), step)
    }

    fn input(&self) -> Option<Tensor> {
        self.entries.first().and_then(|entry| entry.layer.input())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Apply, Dense, Dropout, Flatten, Relu, Variables};
    use carnyx_graph::Mode;

    fn paths(module: &impl Module) -> Vec<String> {
        module.named_variables().into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn layers_are_named_as_in_keras() {
        let net = Sequential::new()
            .then(Flatten)
            .then(Dense::new(4))
            .then(Relu)
            .then(Dense::new(3).named("hidden"))
            .then(Dense::new(2))
            .then(Sequential::new().then(Dense::new(1)));
        let names: Vec<&str> = net.names().collect();
        assert_eq!(names, ["flatten", "dense", "activation", "hidden", "dense_1", "sequential"]);
        assert_eq!(paths(&net)[..3], ["dense/kernel", "dense/bias", "hidden/kernel"]);
        assert_eq!(paths(&net).last().unwrap(), "sequential/dense/bias");
        assert!(net.layer("dense_1").is_some() && net.layer("dense_2").is_none());
    }

    #[test]
    fn a_name_is_given_once() {
        let net = Sequential::new().then(Dense::new(1)).then(Dense::new(1).named("dense"));
        let error = net.apply(&Tensor::input("x", [2])).check().unwrap_err();
        assert_eq!((error.code(), error.title()), ("name", "two layers are named `dense`"));
        let net = Sequential::new().then(Dense::new(1).named("a/b"));
        assert_eq!(net.apply(&Tensor::input("x", [2])).check().unwrap_err().code(), "name");
    }

    #[test]
    fn no_layers_are_no_model() {
        let error = Sequential::new().apply(&Tensor::input("x", [2])).check().unwrap_err();
        assert_eq!((error.code(), error.layers()), ("model", &["sequential".to_owned()][..]));
    }

    #[test]
    fn an_error_names_the_layers_around_it() {
        let inner = Sequential::new().then(Flatten).then(Dense::new(0));
        let net = Sequential::new().then(inner).then(Dense::new(3));
        let error = net.apply(&Tensor::input("x", [2])).check().unwrap_err();
        assert_eq!(error.layers(), ["sequential", "sequential", "dense"]);
    }

    #[test]
    fn a_shared_layer_has_one_set_of_variables_and_its_first_path() {
        let dense = Dense::new(4);
        let net = Sequential::new().then(dense.clone()).then(Relu).then(dense);
        assert!(net.apply(&Tensor::input("x", [4])).check().is_ok());
        assert_eq!(net.num_parameters(), 20);
        net.name_variables().unwrap();
        assert_eq!(net.variables()[0].path().as_deref(), Some("dense/kernel"));
    }

    #[test]
    fn dropout_depends_on_its_path() {
        let address_in = |net: &Sequential| {
            net.name_variables().unwrap();
            let y = net.apply(&Tensor::input("x", [4]).in_mode(Mode::Training));
            y.check().unwrap();
            let mut pending = vec![y];
            while let Some(tensor) = pending.pop() {
                if let carnyx_graph::Op::Random(_, address) = tensor.op() {
                    return *address;
                }
                pending.extend(tensor.sources().iter().cloned());
            }
            panic!("there is no noise");
        };
        let net = || Sequential::new().then(Dense::new(4)).then(Dropout::new(0.5));
        assert_eq!(address_in(&net()), address_in(&net()));
        assert_eq!(address_in(&net()), carnyx_graph::Address::of("dropout/noise"));
    }

    #[test]
    fn freezing_reaches_every_layer() {
        let net = Sequential::new().then(Dense::new(4)).then(Dense::new(1));
        net.freeze();
        assert!(net.trainable().is_empty());
        net.layer("dense_1").unwrap().unfreeze();
        assert_eq!(net.trainable().len(), 2);
    }
}
