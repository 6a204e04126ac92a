//! A price on activity.

use super::features::{check_floats, or_invalid};
use crate::saving::{Fields, decimal};
use crate::{Config, Layer, Module};
use carnyx_graph::{Result, Tensor};

/// Adds `l1 · Σ|x| + l2 · Σx²`, for the mean sample, to the loss of the model, and passes the values on: activity has
/// a price, so that few units are active (`l1`), or none very much (`l2`).
///
/// # Shape
/// Any shape; the result has the same.
///
/// # Example
/// ```
/// use carnyx_nn::{ActivityRegularization, Dense, Relu, Sequential};
/// let sparse_code = Sequential::new()
///     .then(Dense::new(100).activation(Relu))
///     .then(ActivityRegularization::new(1e-3, 0.0))
///     .then(Dense::new(784));
/// # let _ = sparse_code;
/// ```
#[derive(Module, Clone, Copy, Debug)]
#[module(saved)]
pub struct ActivityRegularization {
    l1: f32,
    l2: f32,
}

impl ActivityRegularization {
    /// A price of `l1` for each unit of activity, and of `l2` for its square.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// # use carnyx_nn::*;
    /// let y = ActivityRegularization::new(0.0, 1e-4).apply(&Tensor::input("x", [4]));
    /// assert_eq!(y.all_effects().len(), 1);
    /// ```
    pub fn new(l1: f32, l2: f32) -> ActivityRegularization {
        ActivityRegularization { l1, l2 }
    }

    pub(crate) fn read(fields: Fields) -> Result<ActivityRegularization> {
        Ok(ActivityRegularization::new(fields.float("l1", 0.0)?, fields.float("l2", 0.0)?))
    }

    fn saved(self) -> Config {
        Config::new("ActivityRegularization").field("l1", decimal(self.l1)).field("l2", decimal(self.l2))
    }

    fn priced(self, x: &Tensor) -> Result<Tensor> {
        check_floats("ActivityRegularization", x)?;
        let samples = |price: Tensor| {
            let axes: Vec<isize> = (1..x.rank() as isize).collect();
            if x.rank() == 0 { price } else { price.sum_along(axes).mean() }
        };
        let prices = [(self.l1, x.abs()), (self.l2, x.square())];
        let prices = prices.into_iter().filter(|(factor, _)| *factor != 0.0);
        let total = prices.map(|(factor, price)| samples(price) * factor).reduce(|sum, price| sum + price);
        Ok(total.map_or_else(|| x.clone(), |total| x.and_loss(total)))
    }
}

impl Layer for ActivityRegularization {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        or_invalid(self.priced(x))
    }
}
