//! Where the random numbers of a layer come from.

use crate::module::{Forks, Found, Module, Visitor};
use carnyx_graph::{Address, Error, Initializer, Tensor, Variable};

/// A layer's source of random numbers: a place, no state. Clones are the same source.
///
/// The numbers depend on the run's seed and step and on the path of this field in the model (`dropout_1/noise`),
/// not on what else was built or drawn. One source used twice in a step gives the same numbers twice.
///
/// # Example
/// ```standalone_crate
/// # extern crate carnyx_nn as carnyx;
/// use carnyx::{Layer, Module, Noise};
/// use carnyx_graph::Tensor;
///
/// /// Adds normal noise in training.
/// #[derive(Module, Clone)]
/// struct Shake { amount: f32, noise: Noise }
///
/// impl Layer for Shake {
///     type Out = Tensor;
///     fn call(&self, x: &Tensor) -> Tensor {
///         if !x.is_training() { return x.clone(); }
///         x + Tensor::random_normal(x.shape(), self.noise.address()) * self.amount
///     }
/// }
/// # let _ = Shake { amount: 0.1, noise: Noise::new() };
/// ```
#[derive(Clone, Debug)]
pub struct Noise {
    /// A variable that never has a value: its identity and its path are what counts.
    place: Variable,
}

impl Noise {
    /// A source of its own.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// assert_ne!(Noise::new().address(), Noise::new().address());
    /// ```
    pub fn new() -> Noise {
        Noise { place: Variable::new(Never).untrained() }
    }

    /// What has its path.
    pub(crate) fn place(&self) -> &Variable {
        &self.place
    }

    pub(crate) fn id(&self) -> u64 {
        self.place.id()
    }

    /// Where its random numbers come from: give it to [`Tensor::random_uniform`] and the like.
    ///
    /// # Example
    /// ```standalone_crate
    /// # use carnyx_graph::Tensor;
    /// # extern crate carnyx_nn as carnyx;
    /// # use carnyx::*;
    /// let noise = Noise::new();
    /// assert_eq!(noise.address(), noise.clone().address());
    /// ```
    pub fn address(&self) -> Address {
        self.place.path().map_or(Address(self.place.id()), |path| Address::of(&path))
    }
}

impl Default for Noise {
    fn default() -> Noise {
        Noise::new()
    }
}

#[derive(Debug)]
struct Never;

impl Initializer for Never {
    fn initial(&self, _shape: &[usize], _address: Address) -> Tensor {
        Tensor::invalid(Error::new("variable", "a source of random numbers has no value"))
    }
}

impl Module for Noise {
    fn fork(&self, forks: &mut Forks) -> Noise {
        Noise { place: forks.variable(&self.place) }
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.found(Found::Noise(self));
    }
}
