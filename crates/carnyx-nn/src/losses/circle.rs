//! A loss of embeddings: rows of one class together, rows of others apart.
// The constant is named as the type, so that the loss reads the same with options and without.
#![allow(non_upper_case_globals)]

use super::Loss;
use crate::Config;
use carnyx_graph::{DType, Dim, Error, Tensor};

/// Pulls embeddings of one class together and pushes others apart, each pair by how far it is from its goal:
/// `softplus(logsumexp(gamma (margin + d) (d - margin)) + logsumexp(gamma (1 + margin - d) (1 - margin - d)))`, where
/// `d` is one minus the cosine, the first sum runs over the others of the sample's class and the second over the
/// samples of other classes.
///
/// Samples without another one of their class in the batch, or without one of another class, do not count, so batches
/// have to hold several of each class.
///
/// # Shape
/// Predictions `[batch, units]`, rows of length 1; targets `[batch]` or `[batch, 1]`, class numbers.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, Tensor};
/// use carnyx_nn::Eval;
/// use carnyx_nn::losses::{Circle, Loss};
/// let y = Tensor::from(&Array::from([0u8, 0, 1, 1]));
/// let apart = Tensor::from(&Array::from([[1f32, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]]));
/// let mixed = Tensor::from(&Array::from([[1f32, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]));
/// assert!(Circle.of(&y, &apart).eval()?.item()? < Circle.of(&y, &mixed).eval()?.item()?);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
///
/// Reference: Sun et al., [Circle Loss](https://arxiv.org/abs/2002.10857);
/// [`keras.losses.Circle`](https://keras.io/api/losses/).
#[derive(Clone, Copy, Debug)]
pub struct Circle {
    gamma: f64,
    margin: f64,
    with_itself: bool,
}

/// The circle loss with a `gamma` of 80 and a `margin` of 0.4.
///
/// # Example
/// ```
/// use carnyx_nn::losses::{Circle, Loss};
/// assert_eq!(Loss::name(&Circle), "circle");
/// ```
pub const Circle: Circle = Circle { gamma: 80.0, margin: 0.4, with_itself: false };

impl Circle {
    /// How much the pairs that are farthest from their goals count before the others.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Circle;
    /// let gentle = Circle.gamma(32.0);
    /// # let _ = gentle;
    /// ```
    pub fn gamma(mut self, gamma: f64) -> Circle {
        self.gamma = gamma;
        self
    }

    /// How near is near enough, and how far is far enough: distances up to `margin`, and from `1 - margin`.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Circle;
    /// let strict = Circle.margin(0.25);
    /// # let _ = strict;
    /// ```
    pub fn margin(mut self, margin: f64) -> Circle {
        self.margin = margin;
        self
    }

    /// Counts each sample as another one of its class too (Keras's `remove_diagonal=False`).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::losses::Circle;
    /// let loss = Circle.with_itself();
    /// # let _ = loss;
    /// ```
    pub fn with_itself(mut self) -> Circle {
        self.with_itself = true;
        self
    }
}

/// A `gamma` of 80 and a `margin` of 0.4.
impl Default for Circle {
    fn default() -> Circle {
        Circle
    }
}

impl Loss for Circle {
    fn config(&self) -> Option<Config> {
        let config = Config::new("Circle").unless_default("gamma", self.gamma, 80.0);
        let config = config.unless_default("margin", self.margin, 0.4);
        Some(config.unless_default("remove_diagonal", !self.with_itself, true))
    }

    fn name(&self) -> String {
        "circle".into()
    }

    #[track_caller]
    fn per_sample(&self, target: &Tensor, prediction: &Tensor) -> Tensor {
        let labels = match labels(target, prediction) {
            Ok(labels) => labels,
            Err(error) => return Tensor::invalid(error),
        };
        let size = labels.dim(0);
        let is_same = labels.expand(-1).equal(labels.expand(0));
        let mut partners = is_same.clone();
        if !self.with_itself {
            let [row, column] = [0, 1].map(|axis| Tensor::iota([size, size], axis, DType::I64));
            partners = partners.logical_and(row.not_equal(column));
        }
        let distance = (1.0 - prediction.matmul(prediction.transpose())).relu();
        let (near, far) = (self.margin, 1.0 - self.margin);
        let too_far = (&distance + near).relu() * (&distance - near) * self.gamma;
        let too_near = (1.0 + near - &distance).relu() * (far - &distance) * self.gamma;
        (log_sum_exp_where(&partners, &too_far) + log_sum_exp_where(&is_same.logical_not(), &too_near))
            .softplus()
    }

    fn counted(&self, target: &Tensor, prediction: &Tensor) -> Option<Tensor> {
        Some(self.per_sample(target, prediction).greater(0.0))
    }
}

/// Class numbers `[batch]` for predictions `[batch, units]`.
fn labels(target: &Tensor, prediction: &Tensor) -> Result<Tensor, Error> {
    target.check()?;
    prediction.check()?;
    let (from, to) = (target.shape(), prediction.shape());
    let is_column = from.len() == 1 || from.len() == 2 && from.last() == Some(&Dim::Fixed(1));
    if to.len() != 2 || !is_column || from.first() != to.first() {
        return Err(super::mismatch(&from, &to)
            .label("this loss needs one embedding [batch, units] and one class number for each sample"));
    }
    Ok(target.reshape([prediction.dim(0)]).cast(DType::I64))
}

/// `ln Σ e^x` along the rows, of those that are `wanted`; hardly above -10³⁰ where there are none.
#[track_caller]
fn log_sum_exp_where(wanted: &Tensor, x: &Tensor) -> Tensor {
    wanted.select(x, -1e30).log_sum_exp(-1)
}
