//! How the framework finds the variables inside a layer: [`Module`], which is derived, and what can be asked of
//! anything that is a module: [`Variables`].
//!
//! A walk visits fields in the order of their declaration, and each variable has a path made of the names on the
//! way: `encoder/dense_1/kernel`. Invariant: a variable that is reached twice (a shared layer) counts once, under
//! the first path.

mod fields;

use crate::Noise;
use carnyx_graph::{Error, Result, Variable};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Something that may hold variables. Derive it.
///
/// Fields that are no modules themselves are marked `#[module(skip)]`; numbers, strings and the like need no mark.
///
/// # Example
/// ```standalone_crate
/// # extern crate carnyx_nn as carnyx;
/// use carnyx::{Module, Ones, Variables};
/// use carnyx_graph::Variable;
///
/// #[derive(Module, Clone)]
/// struct Scale { gain: Variable, times: usize }
///
/// let scale = Scale { gain: Variable::new(Ones), times: 2 };
/// assert_eq!(scale.variables().len(), 1);
/// assert_eq!(scale.kind(), "Scale");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a field of a layer, but the framework cannot look for variables in it",
    label = "not a module",
    note = "derive `Module` for `{Self}`, or mark the field `#[module(skip)]` if it is plain configuration"
)]
pub trait Module {
    /// Shows every field to the visitor.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let mut paths = Vec::new();
    /// Dense::new(3).visit(&mut Visitor::new(&mut |path, _| paths.push(path.join("/"))));
    /// assert_eq!(paths[0], "kernel");
    /// ```
    fn visit(&self, visitor: &mut Visitor);

    /// The name of the type, such as `Dense`; empty for what is no layer: numbers, lists, variables.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!((Dense::new(3).kind(), 3usize.kind()), ("Dense", ""));
    /// ```
    fn kind(&self) -> &'static str {
        ""
    }

    /// The name that the user gave with [`named`](Module::named), if any.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!(Dense::new(3).named("scores").name(), Some("scores"));
    /// ```
    fn name(&self) -> Option<&str> {
        None
    }

    /// What a diagram says of this module beside its type: `relu`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!(Relu.detail().as_deref(), Some("relu"));
    /// ```
    fn detail(&self) -> Option<String> {
        None
    }

    /// A copy whose variables start from the same values and are its own from then on. `#[derive(Module)]` writes it;
    /// one calls [`copied`](crate::Variables::copied), which begins a new set of copies.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let dense = Dense::new(3);
    /// let copy = dense.fork(&mut Forks::default());
    /// assert_ne!(copy.kernel().id(), dense.kernel().id());
    /// ```
    fn fork(&self, forks: &mut Forks) -> Self
    where
        Self: Sized;

    /// What a saved file says of this layer; `None` if no file can describe it.
    #[doc(hidden)]
    fn config(&self) -> Option<crate::Config> {
        None
    }

    /// The same layer with a name of its own, which `summary`, errors and saved files show. Say it last: the result
    /// is a [`Named`] layer.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Dense, Module, Sequential, Variables};
    /// let net = Sequential::new().then(Dense::new(10).named("scores"));
    /// assert_eq!(net.named_variables()[0].0, "scores/kernel");
    /// ```
    fn named(self, name: impl Into<String>) -> Named<Self>
    where
        Self: Sized,
    {
        Named { name: name.into(), inner: self }
    }
}

/// The copies made so far: what is shared in the original is shared in the copy.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, Forks, Module, Variables};
/// let dense = Dense::new(2);
/// let mut forks = Forks::default();
/// let (one, other) = (dense.fork(&mut forks), dense.fork(&mut forks));
/// assert_eq!(one.variables()[0].id(), other.variables()[0].id());
/// assert_ne!(one.variables()[0].id(), dense.variables()[0].id());
/// ```
#[derive(Debug, Default)]
pub struct Forks(HashMap<u64, Variable>);

impl Forks {
    /// The copy of `variable`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let dense = Dense::new(3);
    /// let copy = Forks::default().variable(dense.kernel());
    /// assert_ne!(copy.id(), dense.kernel().id());
    /// ```
    pub fn variable(&mut self, variable: &Variable) -> Variable {
        self.0.entry(variable.id()).or_insert_with(|| variable.fork()).clone()
    }

    /// The copy of the variable with this id, if there is one.
    pub(crate) fn copy_of(&self, id: u64) -> Option<&Variable> {
        self.0.get(&id)
    }
}

/// Copies of what lies behind a pointer, of known type or not.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, ForkPointer, Forks};
/// use std::sync::Arc;
/// let dense = Arc::new(Dense::new(3));
/// let copy = dense.fork_arc(&mut Forks::default());
/// assert_ne!(copy.kernel().id(), dense.kernel().id());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` behind a pointer cannot be copied with variables of its own"
)]
pub trait ForkPointer {
    /// A copy in an `Arc`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!(Dense::new(3).fork_arc(&mut Forks::default()).units(), 3);
    /// ```
    fn fork_arc(&self, forks: &mut Forks) -> Arc<Self>;

    /// A copy in a `Box`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_eq!(Dense::new(3).fork_box(&mut Forks::default()).units(), 3);
    /// ```
    fn fork_box(&self, forks: &mut Forks) -> Box<Self>;
}

impl<M: Module> ForkPointer for M {
    fn fork_arc(&self, forks: &mut Forks) -> Arc<M> {
        Arc::new(self.fork(forks))
    }

    fn fork_box(&self, forks: &mut Forks) -> Box<M> {
        Box::new(self.fork(forks))
    }
}

/// What a walk comes across.
///
/// # Example
/// ```standalone_crate
/// # use carnyx_graph::Tensor;
/// # extern crate carnyx_nn as carnyx;
/// # use carnyx::*;
/// let mut variables = 0;
/// Dense::new(3).visit(&mut Visitor::new(&mut |_, found| {
///     variables += usize::from(matches!(found, Found::Variable(_)));
/// }));
/// assert_eq!(variables, 2);
/// ```
#[derive(Clone, Copy)]
pub enum Found<'a> {
    /// A layer of this [`kind`](Module::kind) begins.
    Enter(&'static str),
    /// The layer entered last ends.
    Leave,
    /// A variable.
    Variable(&'a Variable),
    /// A source of random numbers.
    Noise(&'a Noise),
}

/// A walk through a module: knows the path and tells somebody what it finds.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, Found, Module, Sequential, Visitor};
/// let net = Sequential::new().then(Dense::new(3)).then(Dense::new(1));
/// let mut layers = Vec::new();
/// net.visit(&mut Visitor::new(&mut |path, found| {
///     if let Found::Enter(kind) = found { layers.push((path.join("/"), kind)); }
/// }));
/// assert!(layers.contains(&("dense_1".to_owned(), "Dense")));
/// ```
pub struct Visitor<'a> {
    path: Vec<String>,
    details: Vec<(String, String)>,
    tell: &'a mut dyn FnMut(&[String], Found),
}

impl<'a> Visitor<'a> {
    /// A walk that tells `tell` the path of each thing found.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let mut count = 0;
    /// Sequential::new().then(Dense::new(3)).visit(&mut Visitor::new(&mut |_, _| count += 1));
    /// assert!(count >= 4); // enter, kernel, bias, leave
    /// ```
    pub fn new(tell: &'a mut dyn FnMut(&[String], Found)) -> Visitor<'a> {
        Visitor { path: Vec::new(), details: Vec::new(), tell }
    }

    /// What the first field of this path, of those visited so far, says of itself.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Dense, Module, Relu, Visitor};
    /// let mut ignore = |_: &[String], _: carnyx_nn::Found| {};
    /// let mut visitor = Visitor::new(&mut ignore);
    /// Dense::new(3).activation(Relu).visit(&mut visitor);
    /// assert_eq!(visitor.detail_of("activation"), Some("relu"));
    /// ```
    pub fn detail_of(&self, path: &str) -> Option<&str> {
        self.details.iter().find(|(known, _)| known == path).map(|(_, detail)| detail.as_str())
    }

    /// Tells of what was found at this place.
    pub(crate) fn found(&mut self, found: Found) {
        (self.tell)(&self.path, found);
    }

    /// Visits a variable at a path of several names: `encoder/kernel`.
    pub(crate) fn at(&mut self, path: &str, variable: &Variable) {
        let depth = self.path.len();
        self.path.extend(path.split('/').map(str::to_owned));
        variable.visit(self);
        self.path.truncate(depth);
    }

    /// Visits a field. A name that the user gave it wins over `name`.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let mut paths = Vec::new();
    /// Visitor::new(&mut |path, _| paths.push(path.join("/"))).field("head", &Dense::new(3));
    /// assert_eq!(paths[1], "head/kernel");
    /// ```
    pub fn field(&mut self, name: &str, module: &dyn Module) {
        self.path.push(module.name().unwrap_or(name).to_owned());
        let kind = module.kind();
        self.details.extend(module.detail().map(|detail| (self.path.join("/"), detail)));
        if kind.is_empty() {
            module.visit(self);
        } else {
            (self.tell)(&self.path, Found::Enter(kind));
            module.visit(self);
            (self.tell)(&self.path, Found::Leave);
        }
        self.path.pop();
    }
}

/// What can be asked of anything that may hold variables.
///
/// # Example
/// ```
/// use carnyx_graph::Tensor;
/// use carnyx_nn::{Apply, Dense, Variables};
/// let dense = Dense::new(10);
/// dense.apply(&Tensor::input("x", [784]));
/// assert_eq!(dense.num_parameters(), 7850);
/// dense.freeze();
/// assert!(dense.trainable().is_empty());
/// ```
pub trait Variables: Module {
    /// All variables with their paths, each once, in the order of the walk.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.named_variables()[0].0, "scores/kernel");
    /// ```
    fn named_variables(&self) -> Vec<(String, Variable)> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        self.visit(&mut Visitor::new(&mut |path, found| {
            if let Found::Variable(variable) = found
                && seen.insert(variable.id())
            {
                all.push((path.join("/"), variable.clone()));
            }
        }));
        all
    }

    /// All variables, each once.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// assert_eq!(net.variables().len(), 2);
    /// ```
    fn variables(&self) -> Vec<Variable> {
        self.named_variables().into_iter().map(|(_, variable)| variable).collect()
    }

    /// The variables that an optimizer may change.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// net.freeze();
    /// assert!(net.trainable().is_empty());
    /// ```
    fn trainable(&self) -> Vec<Variable> {
        self.variables().into_iter().filter(Variable::is_trainable).collect()
    }

    /// Keeps all variables as they are from the next training step on; nothing is compiled again.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// net.layer("scores").unwrap().freeze();
    /// assert!(net.trainable().is_empty());
    /// ```
    fn freeze(&self) {
        self.variables().iter().for_each(|variable| variable.set_trainable(false));
    }

    /// Undoes [`freeze`](Variables::freeze).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let net = Sequential::new().then(Flatten).then(Dense::new(3).named("scores"));
    /// net.freeze();
    /// net.unfreeze();
    /// assert_eq!(net.trainable().len(), 2);
    /// ```
    fn unfreeze(&self) {
        self.variables().iter().for_each(|variable| variable.set_trainable(true));
    }

    /// A copy with variables of its own, which start from the same values; `clone()` shares them.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::Tensor;
    /// use carnyx_nn::{Apply, Dense, Variables};
    /// let dense = Dense::new(10);
    /// dense.apply(&Tensor::input("x", [4]));
    /// let copy = dense.copied();
    /// copy.freeze();
    /// assert!(copy.trainable().is_empty() && dense.trainable().len() == 2);
    /// ```
    fn copied(&self) -> Self
    where
        Self: Sized,
    {
        self.fork(&mut Forks::default())
    }

    /// The number of numbers in all variables that have a shape.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// let dense = Dense::new(3);
    /// dense.apply(&Tensor::input("x", [4]));
    /// assert_eq!(dense.num_parameters(), 4 * 3 + 3);
    /// ```
    fn num_parameters(&self) -> usize {
        let sizes = self.variables().into_iter().filter_map(|variable| variable.shape());
        sizes.map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// Gives each variable and each source of random numbers the path of its place in this module, on which its
    /// first value and its random numbers depend. A model does it when it is compiled.
    ///
    /// # Errors
    /// `name`, if two of them would have one path.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let net = Sequential::new().then(Dense::new(3));
    /// net.name_variables()?;
    /// assert_eq!(net.variables()[0].path().as_deref(), Some("dense/kernel"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn name_variables(&self) -> Result {
        let (mut places, mut seen) = (HashMap::new(), HashSet::new());
        let mut clash = None;
        self.visit(&mut Visitor::new(&mut |path, found| {
            let variable = match found {
                Found::Variable(variable) => variable,
                Found::Noise(noise) => noise.place(),
                Found::Enter(_) | Found::Leave => return,
            };
            if !seen.insert(variable.id()) {
                return;
            }
            let path = path.join("/");
            variable.set_path(&path);
            if places.insert(path.clone(), variable.id()).is_some() {
                clash.get_or_insert(path);
            }
        }));
        clash.map_or(Ok(()), |path| {
            Err(Error::new("name", format!("two different variables are called `{path}`"))
                .help("give one of the layers around them another name with `.named(\"…\")`"))
        })
    }
}

impl<M: Module + ?Sized> Variables for M {}

/// What two uses of one layer have in common.
pub(crate) trait Identity: Module {
    /// The ids of variables and sources of random numbers.
    fn identity(&self) -> Vec<u64> {
        let mut identity = Vec::new();
        self.visit(&mut Visitor::new(&mut |_, found| match found {
            Found::Variable(variable) => identity.push(variable.id()),
            Found::Noise(noise) => identity.push(noise.id()),
            Found::Enter(_) | Found::Leave => {}
        }));
        identity
    }
}

impl<M: Module + ?Sized> Identity for M {}

/// A layer with a name of its own: see [`Module::named`].
///
/// # Example
/// ```
/// # use carnyx_graph::{Array, Tensor};
/// # use carnyx_nn::*;
/// let scores = Dense::new(3).named("scores");
/// assert_eq!((scores.name(), scores.units()), (Some("scores"), 3));
/// ```
#[derive(Clone, Debug)]
pub struct Named<M> {
    name: String,
    inner: M,
}

impl<M> Named<M> {
    /// The layer without its name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// # use carnyx_nn::*;
    /// assert_eq!(Dense::new(3).named("scores").into_inner().units(), 3);
    /// ```
    pub fn into_inner(self) -> M {
        self.inner
    }
}

impl<M> std::ops::Deref for Named<M> {
    type Target = M;
    fn deref(&self) -> &M {
        &self.inner
    }
}

impl<M: Module> Module for Named<M> {
    fn fork(&self, forks: &mut Forks) -> Named<M> {
        Named { name: self.name.clone(), inner: self.inner.fork(forks) }
    }

    fn visit(&self, visitor: &mut Visitor) {
        self.inner.visit(visitor);
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn detail(&self) -> Option<String> {
        self.inner.detail()
    }

    fn config(&self) -> Option<crate::Config> {
        self.inner.config()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Apply, Dense, Lambda, Layer, Module, Zeros};
    use carnyx_graph::Tensor;

    #[derive(Module, Clone)]
    struct Pair<L> {
        first: L,
        rest: Vec<Dense>,
        #[module(skip)]
        _note: std::time::Duration,
    }

    #[derive(Module)]
    enum Choice {
        One(Variable),
        Named { r#type: Variable, size: usize },
        Nothing,
    }

    #[derive(Module)]
    struct Tuple<const N: usize, L: Clone>([L; N], (Variable, f32))
    where
        L: Send;

    fn paths(module: &dyn Module) -> Vec<String> {
        module.named_variables().into_iter().map(|(path, _)| path).collect()
    }

    fn variable() -> Variable {
        Variable::new(Zeros)
    }

    #[test]
    fn fields_give_the_paths() {
        let note = std::time::Duration::ZERO;
        let pair = Pair { first: Dense::new(1), rest: vec![Dense::new(1).clone()], _note: note };
        assert_eq!(paths(&pair), ["first/kernel", "first/bias", "rest/0/kernel", "rest/0/bias"]);
        let named = Pair { first: Dense::new(1).without_bias().named("stem"), rest: vec![], _note: note };
        assert_eq!(paths(&named), ["stem/kernel"]);
        assert_eq!(named.kind(), "Pair");
    }

    #[test]
    fn enums_and_tuples_are_modules() {
        assert_eq!(paths(&Choice::One(variable())), ["0"]);
        assert_eq!(paths(&Choice::Named { r#type: variable(), size: 1 }), ["type"]);
        assert!(paths(&Choice::Nothing).is_empty());
        assert_eq!(paths(&Tuple([variable(), variable()], (variable(), 1.0))), ["0/0", "0/1", "1/0"]);
    }

    #[test]
    fn two_variables_cannot_have_one_path() {
        let note = std::time::Duration::ZERO;
        let pair = Pair { first: Dense::new(1).named("rest"), rest: vec![], _note: note };
        assert!(pair.name_variables().is_ok());
        let twice = (Dense::new(1).named("a"), Dense::new(1).named("a"));
        assert_eq!(twice.name_variables().unwrap_err().code(), "name");
    }

    #[test]
    fn layers_behind_pointers_are_found() {
        let layer: Arc<dyn Layer<Tensor, Out = Tensor>> = Arc::new(Dense::new(2).named("top"));
        assert!(layer.apply(&Tensor::input("x", [3])).check().is_ok());
        assert_eq!((layer.kind(), layer.name(), layer.num_parameters()), ("Dense", Some("top"), 8));
        let boxed = Box::new(Lambda::new(|x| x.relu()));
        assert!(boxed.variables().is_empty());
    }
}
