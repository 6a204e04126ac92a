//! A layer is a function from tensors to tensors, with variables: [`Layer`] is what one implements, [`Apply`] what
//! one uses, [`Tree`] what goes in and out.
//!
//! Invariants: no layer knows its name or its model; an error found inside `call` is an invalid tensor, never a
//! panic.

use crate::{ForkPointer, Forks, Module, Named};
use carnyx_graph::op::Op;
use carnyx_graph::{Application, Mode, Origin, Site, Tensor};
use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

/// A function from tensors to tensors, with variables. `call` *describes* the computation: it runs when a model is
/// traced, so Rust side effects inside it (printing, counting, drawing from a generator) happen then, not at every
/// step. `clone()` shares the weights, as with `Arc`.
///
/// Implement `call`; use [`apply`](Apply::apply), which adds the layer's name to errors and graphs.
///
/// Which steps of a sequence are padding, a layer is told by [`x.mask()`](Tensor::mask); one that keeps each step in its
/// place says so for the layers and losses that follow: `y.with_mask_of(x)`.
///
/// # Example
/// ```standalone_crate
/// # extern crate carnyx_nn as carnyx;
/// use carnyx::{Apply, Layer, Module, Ones};
/// use carnyx_graph::{Tensor, Variable};
///
/// /// Each feature times a gain of its own.
/// #[derive(Module, Clone)]
/// struct Scale { gain: Variable }
///
/// impl Layer for Scale {
///     type Out = Tensor;
///
///     fn call(&self, x: &Tensor) -> Tensor {
///         x * self.gain.shaped([x.dim(-1)])
///     }
/// }
///
/// let scale = Scale { gain: Variable::new(Ones) };
/// assert_eq!(scale.apply(&Tensor::input("x", [4])).shape().to_string(), "[batch, 4]");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer from `{In}`",
    label = "not a layer",
    note = "implement `Layer<{In}>` for it: `type Out` and `fn call(&self, x: &{In}) -> Self::Out`"
)]
pub trait Layer<In = Tensor>: Module + ForkLayer<In> + Send + Sync {
    /// What comes out: a tensor, a pair of tensors, a list, …
    type Out;

    /// The outputs for the inputs `x`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let y = Dense::new(2).call(&Tensor::input("x", [3]));
    /// assert_eq!(y.shape().to_string(), "[batch, 2]");
    /// ```
    fn call(&self, x: &In) -> Self::Out;

    /// A drawing of the input, for a layer that knows it: a model that starts with [`Input`](crate::Input) is built
    /// before it sees data.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert!(Sequential::new().then(Input::new([3])).input().is_some());
    /// assert!(Dense::new(3).input().is_none());
    /// ```
    fn input(&self) -> Option<In> {
        None
    }

    /// The names of the outputs in order, for a layer that has names for them.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let x = Tensor::input("x", [3]);
    /// let net = Functional::new(&x, [("double", &(&x * 2.0))])?;
    /// assert_eq!(&*net.output_names()[0], "double");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn output_names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// Copies of layers whose type is not known: every layer has it.
///
/// # Example
/// ```standalone_crate
/// # use carnyx_graph::Tensor;
/// # extern crate carnyx_nn as carnyx;
/// # use carnyx::*;
/// let net = Sequential::new().then(Dense::new(3)); // holds its layers as `Arc<dyn Layer>`
/// let copy = net.copied();
/// assert_ne!(copy.variables()[0].id(), net.variables()[0].id());
/// ```
pub trait ForkLayer<In> {
    /// An `Arc<dyn Layer<In, Out = …>>` with variables of its own.
    #[doc(hidden)]
    fn fork_any_arc(&self, forks: &mut Forks) -> Box<dyn Any>;

    /// The same in a `Box`.
    #[doc(hidden)]
    fn fork_any_box(&self, forks: &mut Forks) -> Box<dyn Any>;
}

impl<In: 'static, L: Layer<In> + 'static> ForkLayer<In> for L
where
    L::Out: 'static,
{
    fn fork_any_arc(&self, forks: &mut Forks) -> Box<dyn Any> {
        let fork: Arc<dyn Layer<In, Out = L::Out>> = Arc::new(self.fork(forks));
        Box::new(fork)
    }

    fn fork_any_box(&self, forks: &mut Forks) -> Box<dyn Any> {
        let fork: Box<dyn Layer<In, Out = L::Out>> = Box::new(self.fork(forks));
        Box::new(fork)
    }
}

impl<In: 'static, Out: 'static> ForkPointer for dyn Layer<In, Out = Out> {
    fn fork_arc(&self, forks: &mut Forks) -> Arc<Self> {
        *self.fork_any_arc(forks).downcast().expect("a layer copies itself as what it is")
    }

    fn fork_box(&self, forks: &mut Forks) -> Box<Self> {
        *self.fork_any_box(forks).downcast().expect("a layer copies itself as what it is")
    }
}

/// Any layer from a tensor to a tensor.
///
/// # Example
/// ```
/// # use carnyx_graph::{Tensor};
/// # use carnyx_nn::*;
/// use std::sync::Arc;
/// let layer: LayerRef = Arc::new(Dense::new(3));
/// assert_eq!(layer.apply(&Tensor::input("x", [4])).rank(), 2);
/// ```
pub type LayerRef = Arc<dyn Layer<Tensor, Out = Tensor>>;

macro_rules! transparent {
    ($(($($wrapper:tt)*))*) => { $(
        impl<In: 'static, $($wrapper)* {
            type Out = L::Out;

            fn call(&self, x: &In) -> L::Out {
                L::call(self, x)
            }

            fn input(&self) -> Option<In> {
                L::input(self)
            }

            fn output_names(&self) -> Vec<Arc<str>> {
                L::output_names(self)
            }
        }
    )* };
}

transparent! {
    (L: Layer<In> + ForkPointer + ?Sized + 'static> Layer<In> for Box<L> where L::Out: 'static)
    (L: Layer<In> + ForkPointer + ?Sized + 'static> Layer<In> for Arc<L> where L::Out: 'static)
    (L: Layer<In> + 'static> Layer<In> for Named<L> where L::Out: 'static)
}

/// Tensors in a structure of their own: one, a few, a list.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::Tree;
/// let pair = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
/// let again = <(Tensor, Tensor)>::rebuild(&pair.tensors());
/// assert_eq!(again.1.shape(), pair.1.shape());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a structure of tensors that a layer could take or give",
    note = "a `Tensor`, a tuple of 2 to 4, a `Vec<Tensor>` and a `[Tensor; N]` are"
)]
pub trait Tree: Sized + 'static {
    /// The tensors in order.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!((Tensor::input("a", [2]), Tensor::input("b", [3])).tensors().len(), 2);
    /// ```
    fn tensors(&self) -> Vec<Tensor>;

    /// The same structure with other tensors, as many as [`tensors`](Tree::tensors) gave.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let x = Tensor::input("x", [2]);
    /// assert_eq!(<[Tensor; 2]>::rebuild(&[x.clone(), x]).len(), 2);
    /// ```
    fn rebuild(tensors: &[Tensor]) -> Self;
}

impl Tree for Tensor {
    fn tensors(&self) -> Vec<Tensor> {
        vec![self.clone()]
    }

    fn rebuild(tensors: &[Tensor]) -> Tensor {
        tensors[0].clone()
    }
}

impl Tree for Vec<Tensor> {
    fn tensors(&self) -> Vec<Tensor> {
        self.clone()
    }

    fn rebuild(tensors: &[Tensor]) -> Vec<Tensor> {
        tensors.to_vec()
    }
}

impl<const N: usize> Tree for [Tensor; N] {
    fn tensors(&self) -> Vec<Tensor> {
        self.to_vec()
    }

    fn rebuild(tensors: &[Tensor]) -> [Tensor; N] {
        std::array::from_fn(|i| tensors[i].clone())
    }
}

macro_rules! tuples {
    ($(($($tensor:ident $index:tt),*))*) => { $(
        impl Tree for ($($tensor,)*) {
            fn tensors(&self) -> Vec<Tensor> {
                vec![$(self.$index.clone()),*]
            }

            fn rebuild(tensors: &[Tensor]) -> Self {
                ($(tensors[$index].clone(),)*)
            }
        }
    )* };
}

tuples! {
    (Tensor 0, Tensor 1)
    (Tensor 0, Tensor 1, Tensor 2)
    (Tensor 0, Tensor 1, Tensor 2, Tensor 3)
}

/// How layers are used: `layer.apply(&x)`.
///
/// # Example
/// ```standalone_crate
/// # use carnyx_graph::Tensor;
/// # extern crate carnyx_nn as carnyx;
/// # use carnyx::*;
/// assert_eq!(Dense::new(2).apply(&Tensor::input("x", [3])).shape().to_string(), "[batch, 2]");
/// ```
pub trait Apply<In: Tree>: Layer<In> + Clone + 'static
where
    Self::Out: Tree,
{
    /// The outputs for the inputs `x`. Errors and graphs show the layer under the name that it was given, or else
    /// under its type's: `dense`. A drawing (an expression that begins with [`Tensor::input`]) remembers the layer.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Dense};
    /// let x = Tensor::input("x", [784]);
    /// assert_eq!(Dense::new(10).apply(&x).shape().to_string(), "[batch, 10]");
    ///
    /// let wrong = Dense::new(0).apply(&x).check().unwrap_err();
    /// assert_eq!(wrong.layers(), ["dense"]);
    /// ```
    #[track_caller]
    fn apply(&self, x: &In) -> Self::Out {
        apply_at(self, &own_name(self).into(), Location::caller().into(), x)
    }

    /// The same under a name given here.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let wrong = Dense::new(0).apply_named("scores", &Tensor::input("x", [3]));
    /// assert_eq!(wrong.check().unwrap_err().layers(), ["scores"]);
    /// ```
    #[track_caller]
    fn apply_named(&self, name: &str, x: &In) -> Self::Out {
        apply_at(self, &name.into(), Location::caller().into(), x)
    }

    /// The output for several tensors, of a layer that takes a list: `Add.apply_to([&a, &b])`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let (a, b) = (Tensor::input("a", [3]), Tensor::input("b", [4]));
    /// let joined = Concatenate::new(-1).named("both").apply_to([&a, &b]);
    /// assert_eq!(joined.shape().to_string(), "[batch, 7]");
    /// ```
    #[track_caller]
    fn apply_to<'a>(&self, x: impl IntoIterator<Item = &'a Tensor>) -> Self::Out
    where
        In: From<Vec<Tensor>>,
    {
        let inputs: Vec<Tensor> = x.into_iter().cloned().collect();
        apply_at(self, &own_name(self).into(), Location::caller().into(), &In::from(inputs))
    }
}

impl<In: Tree, L: Layer<In> + Clone + 'static> Apply<In> for L where L::Out: Tree {}

/// The name and the layer of a use of a layer in a drawing: see [`Tensor::origin`].
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, layer_of};
/// let y = Dense::new(3).apply_named("scores", &Tensor::input("x", [4]));
/// let origin = y.origin().expect("a layer gave it");
/// let (name, layer) = layer_of(&origin.application).expect("it is a layer of this library");
/// assert_eq!((name, layer.kind()), ("scores", "Dense"));
/// ```
pub fn layer_of(application: &Application) -> Option<(&str, &(dyn Module + Send + Sync))> {
    application.layer.downcast_ref::<DrawnLayer>().map(|layer| (&*layer.name, &*layer.module))
}

/// The name that the user gave a layer, or its type's.
pub(crate) fn own_name(layer: &(impl Module + ?Sized)) -> String {
    layer.name().map_or_else(|| snake_case(layer.kind()), str::to_owned)
}

/// What a layer gives under a name, for inputs.
type Forward = dyn Fn(&Arc<str>, &[Tensor]) -> Vec<Tensor> + Send + Sync;
/// A layer's copy under a name.
type Copying = dyn Fn(&mut Forks, &Arc<str>) -> DrawnLayer + Send + Sync;

/// A layer as a drawing remembers it: without its types.
pub(crate) struct DrawnLayer {
    /// The name under which it was applied.
    pub(crate) name: Arc<str>,
    pub(crate) site: Site,
    pub(crate) module: Arc<dyn Module + Send + Sync>,
    forward: Box<Forward>,
    copy: Box<Copying>,
}

impl DrawnLayer {
    fn new<In: Tree, L: Layer<In> + Clone + 'static>(layer: &L, name: &Arc<str>, site: Site) -> DrawnLayer
    where
        L::Out: Tree,
    {
        let (again, at) = (layer.clone(), site.clone());
        let (original, place) = (layer.clone(), site.clone());
        DrawnLayer {
            name: name.clone(),
            site,
            module: Arc::new(layer.clone()),
            copy: Box::new(move |forks, name| {
                DrawnLayer::new::<In, L>(&original.fork(forks), name, place.clone())
            }),
            forward: Box::new(move |name, inputs| {
                apply_at(&again, name, at.clone(), &In::rebuild(inputs)).tensors()
            }),
        }
    }

    /// A copy with variables of its own.
    pub(crate) fn fork(&self, forks: &mut Forks, name: &Arc<str>) -> DrawnLayer {
        (self.copy)(forks, name)
    }

    /// The layer's outputs for other inputs.
    pub(crate) fn apply(&self, name: &Arc<str>, inputs: &[Tensor]) -> Vec<Tensor> {
        (self.forward)(name, inputs)
    }
}

/// What is around every `call`: the scope in graphs, and in errors the layer's name and the user's `site` instead
/// of a place in this crate.
pub(crate) fn apply_at<In: Tree, L: Layer<In> + Clone + 'static>(
    layer: &L,
    name: &Arc<str>,
    site: Site,
    x: &In,
) -> L::Out
where
    L::Out: Tree,
{
    let inputs = x.tensors();
    if inputs.iter().any(Tensor::is_invalid) {
        // The cause lies before this layer: its name has nothing to do with it.
        return layer.call(x);
    }
    let inside: Vec<Tensor> = inputs.iter().map(|input| input.entering(name)).collect();
    let leave = |output: Tensor| match output.check() {
        Err(error) if error.site().is_none_or(is_ours) => {
            Tensor::invalid(error.at(site.clone())).leaving(name)
        }
        _ => output.leaving(name),
    };
    let outputs: Vec<Tensor> = layer.call(&In::rebuild(&inside)).tensors().into_iter().map(leave).collect();
    if !inputs.iter().any(|input| input.mode() == Mode::Blueprint) {
        return L::Out::rebuild(&outputs);
    }
    let layer: Arc<DrawnLayer> = Arc::new(DrawnLayer::new(layer, name, site));
    let application = Arc::new(Application { layer, inputs });
    let origin = |output| Origin { application: application.clone(), output };
    let drawn = |(i, output): (usize, Tensor)| {
        if output.is_invalid() { output } else { output.drawn_by(origin(i)) }
    };
    L::Out::rebuild(&outputs.into_iter().enumerate().map(drawn).collect::<Vec<_>>())
}

/// Whether `site` lies in a layer of this crate, where the user can change nothing.
fn is_ours(site: &Site) -> bool {
    let layers = file!().trim_end_matches("layer.rs");
    site.file.strip_prefix(layers).is_some_and(|file| !file.ends_with("tests.rs"))
}

/// The name of the `i`-th input of a drawing.
pub(crate) fn input_name(i: usize, input: &Tensor) -> Arc<str> {
    match input.op() {
        Op::Input(name) => name.clone(),
        _ => format!("input_{i}").into(),
    }
}

/// `dense`, `dense_1`, …: the first that is not taken.
pub(crate) fn free_name(base: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (1..).map(|i| format!("{base}_{i}"));
    let mut names = std::iter::once(base.to_owned()).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or_default()
}

/// `BatchNorm` is `batch_norm`; no name at all is `layer`.
pub(crate) fn snake_case(kind: &str) -> String {
    let mut name = String::new();
    for (i, c) in kind.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    if name.is_empty() { "layer".to_owned() } else { name }
}
