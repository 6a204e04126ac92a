//! Batches that come one after the other: the door between what reads data and what learns from it.
//!
//! A crate that reads files yields a [`Batch`] at a time, a training loop asks for the next one; neither knows the
//! other. Invariant: a [`Batches`] that is opened twice with the same number gives the same batches twice, unless it
//! says that it can be walked only once.

use crate::{Array, Result};
use std::sync::Arc;

/// Some samples: one row of each array belongs to one of them.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Batch};
/// let batch = Batch::from((Array::full([32, 28, 28], 0u8), Array::full([32], 7u8)));
/// assert_eq!(batch.num_rows(), 32);
/// assert_eq!((batch.inputs().len(), batch.targets().len(), batch.weights().len()), (1, 1, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    inputs: Vec<Array>,
    targets: Vec<Array>,
    weights: Vec<Array>,
    input_names: Option<Arc<[String]>>,
}

impl Batch {
    /// Inputs and targets of a model, in its order; no targets for prediction.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Batch};
    /// let (wide, deep) = (Array::full([32, 2], 0f32), Array::full([32, 6], 0f32));
    /// let batch = Batch::new(vec![wide, deep], vec![Array::full([32], 1u8)]);
    /// assert_eq!(batch.inputs()[1].shape(), [32, 6]);
    /// ```
    pub fn new(inputs: Vec<Array>, targets: Vec<Array>) -> Batch {
        Batch { inputs, targets, ..Batch::default() }
    }

    /// How much each sample counts: one array for all targets, or one for each.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// let (x, y) = (Array::from([[1f32], [2.0]]), Array::from([0u8, 1]));
    /// let batch = Batch::from((x, y)).with_weights(vec![Array::from([1f32, 3.0])]);
    /// assert_eq!(batch.weights()[0].values(), [1.0, 3.0]);
    /// ```
    pub fn with_weights(self, weights: Vec<Array>) -> Batch {
        Batch { weights, ..self }
    }

    /// Which input of the model each array is for.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// let inputs = vec![Array::full([2, 3], 0f32), Array::full([2], 1i64)];
    /// let batch = Batch::new(inputs, Vec::new()).with_input_names(["numbers".into(), "city".into()].into());
    /// assert_eq!(batch.input_names().unwrap()[1], "city");
    /// ```
    pub fn with_input_names(self, names: Arc<[String]>) -> Batch {
        Batch { input_names: Some(names), ..self }
    }

    /// What the model is given.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// let batch = Batch::from((Array::from([[1f32], [2.0]]), Array::from([0u8, 1])));
    /// assert_eq!(batch.inputs()[0].shape(), [2, 1]);
    /// ```
    pub fn inputs(&self) -> &[Array] {
        &self.inputs
    }

    /// What it should say.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// let batch = Batch::from((Array::from([[1f32], [2.0]]), Array::from([0u8, 1])));
    /// assert_eq!(batch.targets()[0].values(), [0.0, 1.0]);
    /// ```
    pub fn targets(&self) -> &[Array] {
        &self.targets
    }

    /// How much each sample counts; empty if all count the same.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// assert!(Batch::from(Array::from([[1f32], [2.0]])).weights().is_empty());
    /// ```
    pub fn weights(&self) -> &[Array] {
        &self.weights
    }

    /// The names of the inputs, where they have some.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// assert!(Batch::from(Array::from([[1f32], [2.0]])).input_names().is_none());
    /// ```
    pub fn input_names(&self) -> Option<&Arc<[String]>> {
        self.input_names.as_ref()
    }

    /// The number of samples: rows of the first input.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// assert_eq!(Batch::from(Array::full([32, 4], 0f32)).num_rows(), 32);
    /// assert_eq!(Batch::default().num_rows(), 0);
    /// ```
    pub fn num_rows(&self) -> usize {
        self.inputs.first().map_or(0, Array::num_rows)
    }

    /// Inputs, then targets, then weights.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// let batch = Batch::from((Array::from([[1f32], [2.0]]), Array::from([0u8, 1])));
    /// assert_eq!(batch.arrays().map(Array::len).sum::<usize>(), 4);
    /// ```
    pub fn arrays(&self) -> impl Iterator<Item = &Array> {
        self.inputs.iter().chain(&self.targets).chain(&self.weights)
    }

    /// Inputs, then targets, then weights, to be changed.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch, DType};
    /// let mut batch = Batch::from((Array::from([[1f32], [2.0]]), Array::from([0u8, 1])));
    /// batch.arrays_mut().for_each(|array| *array = array.cast(DType::F32));
    /// assert_eq!(batch.targets()[0].dtype(), DType::F32);
    /// ```
    pub fn arrays_mut(&mut self) -> impl Iterator<Item = &mut Array> {
        self.inputs.iter_mut().chain(&mut self.targets).chain(&mut self.weights)
    }

    /// Inputs, targets and weights, given away.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Batch};
    /// let batch = Batch::from((Array::from([[1f32], [2.0]]), Array::from([0u8, 1])));
    /// let [inputs, targets, weights] = batch.into_parts();
    /// assert_eq!((inputs.len(), targets.len(), weights.len()), (1, 1, 0));
    /// ```
    pub fn into_parts(self) -> [Vec<Array>; 3] {
        [self.inputs, self.targets, self.weights]
    }
}

/// Inputs alone, for prediction.
impl From<Array> for Batch {
    fn from(x: Array) -> Batch {
        Batch::new(vec![x], Vec::new())
    }
}

/// Inputs and targets.
impl From<(Array, Array)> for Batch {
    fn from((x, y): (Array, Array)) -> Batch {
        Batch::new(vec![x], vec![y])
    }
}

/// Inputs, targets and weights of the samples.
impl From<(Array, Array, Array)> for Batch {
    fn from((x, y, weights): (Array, Array, Array)) -> Batch {
        Batch::new(vec![x], vec![y]).with_weights(vec![weights])
    }
}

/// Several inputs and several targets.
impl From<(Vec<Array>, Vec<Array>)> for Batch {
    fn from((inputs, targets): (Vec<Array>, Vec<Array>)) -> Batch {
        Batch::new(inputs, targets)
    }
}

/// One walk through a [`Batches`].
pub type Walk<T = Batch> = Box<dyn Iterator<Item = Result<T>> + Send>;

/// Something that yields batches, epoch by epoch: data that need not fit into memory.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Batch, Batches, Result, Walk};
/// /// The numbers from 0 on, four at a time.
/// struct Counting;
/// impl Batches for Counting {
///     fn open(&mut self, _epoch: usize) -> Result<Walk> {
///         let batch = |i: usize| Batch::from(Array::from_fn([4, 1], |row| (4 * i + row) as f32));
///         Ok(Box::new((0..25).map(move |i| Ok(batch(i)))))
///     }
///     fn num_batches(&self) -> Option<usize> {
///         Some(25)
///     }
/// }
/// let last = Counting.open(0)?.last().unwrap()?;
/// assert_eq!(last.inputs()[0].element(3), 99.0);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait Batches {
    /// The batches from the beginning, in the order of this epoch, which is counted from 0.
    ///
    /// # Errors
    /// Whatever the source says, for example that a file is not there.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Batches, Result};
    /// /// How many samples an epoch has.
    /// fn count(batches: &mut dyn Batches, epoch: usize) -> Result<usize> {
    ///     batches.open(epoch)?.map(|batch| Ok(batch?.num_rows())).sum()
    /// }
    /// ```
    fn open(&mut self, epoch: usize) -> Result<Walk>;

    /// The number of batches in an epoch, if it is known beforehand.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Batches;
    /// fn steps(batches: &dyn Batches) -> String {
    ///     batches.num_batches().map_or("unknown".into(), |steps| steps.to_string())
    /// }
    /// ```
    fn num_batches(&self) -> Option<usize> {
        None
    }

    /// Whether it can be opened only once, as what comes from a network or a generator.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Batches;
    /// fn epochs(batches: &dyn Batches) -> usize {
    ///     if batches.is_one_pass() { 1 } else { 30 }
    /// }
    /// ```
    fn is_one_pass(&self) -> bool {
        false
    }

    /// Whether other threads make batches ready before they are asked for. Only said in profiles.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Batches;
    /// fn advice(batches: &dyn Batches) -> &'static str {
    ///     if batches.is_prepared_ahead() { "use more threads" } else { "use another thread" }
    /// }
    /// ```
    fn is_prepared_ahead(&self) -> bool {
        false
    }
}

impl<B: Batches + ?Sized> Batches for &mut B {
    fn open(&mut self, epoch: usize) -> Result<Walk> {
        (**self).open(epoch)
    }

    fn num_batches(&self) -> Option<usize> {
        (**self).num_batches()
    }

    fn is_one_pass(&self) -> bool {
        (**self).is_one_pass()
    }

    fn is_prepared_ahead(&self) -> bool {
        (**self).is_prepared_ahead()
    }
}
