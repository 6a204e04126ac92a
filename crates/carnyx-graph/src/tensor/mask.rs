//! Masks: which steps of a sequence count, for the layers, losses and metrics that come later.
//!
//! A mask is an effect of a tensor and travels with it through layers that say so
//! ([`with_mask_of`](Tensor::with_mask_of)); any operation between layers gives a tensor without one. Invariant: a mask
//! holds truth values, and has the first axes of its tensor.

use super::{Effect, Tensor};
use crate::op::Op;
use crate::{DType, Error, Result, Shape};

impl Tensor {
    /// Which steps count: truth values of the shape of the first axes, `[batch, steps]` for `[batch, steps, units]`.
    /// `None`, if all do.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [5, 3]);
    /// let padded = x.with_mask(x.not_equal(0.0).any_along(-1));
    /// assert_eq!(padded.mask().unwrap().shape().to_string(), "[batch, 5]");
    /// assert!((padded * 2.0).mask().is_none()); // an operation knows nothing of steps
    /// ```
    pub fn mask(&self) -> Option<&Tensor> {
        let mut tensor = self;
        loop {
            let given = tensor.effects().iter().rev().find_map(|effect| match effect {
                Effect::Mask(mask) => Some(mask),
                Effect::Update(..) | Effect::Loss(_) => None,
            });
            match given {
                Some(mask) => return mask.as_ref(),
                None if matches!(tensor.op(), Op::InMode | Op::Scope(_)) => {
                    tensor = tensor.sources().first()?
                }
                None => return None,
            }
        }
    }

    /// Which elements count: the mask, repeated along the axes that it lacks. `None`, if all do.
    ///
    /// # Example
    /// A mean of the steps that count:
    /// ```
    /// # use carnyx_graph::Tensor;
    /// fn mean_of_steps(x: &Tensor) -> Tensor {
    ///     match x.mask_of_elements() {
    ///         Some(mask) => mask.select(x, 0.0).sum_along(1) / mask.cast(x.dtype()).sum_along(1).maximum(1.0),
    ///         None => x.mean_along(1),
    ///     }
    /// }
    /// let x = Tensor::input("x", [5, 3]);
    /// let padded = x.with_mask(x.not_equal(0.0).any_along(-1));
    /// assert_eq!(mean_of_steps(&padded).shape().to_string(), "[batch, 3]");
    /// ```
    #[track_caller]
    pub fn mask_of_elements(&self) -> Option<Tensor> {
        let mask = self.mask()?;
        let wide = (mask.rank()..self.rank()).fold(mask.clone(), |mask, _| mask.expand(-1));
        Some(wide.broadcast_to(self.shape()))
    }

    /// The same value, of which only the steps count where `mask` is true: what follows may leave out the others, and
    /// losses and metrics do. `mask` holds truth values and has the first axes of this tensor: `[batch, steps]` for
    /// `[batch, steps, units]`. With another type or shape the result is invalid, with the error `mask`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor};
    /// let ids = Tensor::from(&Array::from([[4i64, 2, 0], [7, 0, 0]]));
    /// let vectors = Tensor::full([2, 3, 8], 1f32).with_mask(ids.not_equal(0i64));
    /// assert!(vectors.mask().is_some());
    /// assert_eq!(vectors.with_mask(&ids).check().unwrap_err().code(), "mask");
    /// ```
    #[track_caller]
    pub fn with_mask(&self, mask: impl Into<Tensor>) -> Tensor {
        let mask = mask.into();
        if self.is_invalid() || mask.is_invalid() {
            return if self.is_invalid() { self.clone() } else { mask };
        }
        if self.mask().is_some_and(|own| own.address() == mask.address()) {
            return self.clone();
        }
        match check(&mask, &self.shape()) {
            Ok(()) => self.identity(Op::InMode, self.mode(), vec![Effect::Mask(Some(mask))]),
            Err(error) => Tensor::invalid(error),
        }
    }

    /// The same value with the mask of `other`, if that has one: what a layer says that keeps each step in its place.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [5, 3]);
    /// let padded = x.with_mask(x.not_equal(0.0).any_along(-1));
    /// assert!(padded.square().with_mask_of(&padded).mask().is_some());
    /// assert!(x.square().with_mask_of(&x).mask().is_none());
    /// ```
    #[track_caller]
    pub fn with_mask_of(&self, other: &Tensor) -> Tensor {
        // A closure would be its own caller.
        match other.mask() {
            Some(mask) => self.with_mask(mask),
            None => self.clone(),
        }
    }

    /// The same value, of which all steps count.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let x = Tensor::input("x", [5, 3]);
    /// let padded = x.with_mask(x.not_equal(0.0).any_along(-1));
    /// assert!(padded.without_mask().mask().is_none());
    /// ```
    #[track_caller]
    pub fn without_mask(&self) -> Tensor {
        if self.mask().is_none() {
            return self.clone();
        }
        self.identity(Op::InMode, self.mode(), vec![Effect::Mask(None)])
    }
}

/// That `mask` can say which steps of a tensor of this `shape` count.
fn check(mask: &Tensor, shape: &Shape) -> Result {
    let facts = mask.facts()?;
    if facts.dtype != DType::Bool {
        return Err(Error::new("mask", format!("a mask of {} elements", facts.dtype))
            .label("a mask holds truth values")
            .help("say which steps count: `x.not_equal(0.0).any_along(-1)`"));
    }
    if !shape.starts_with(&facts.shape) {
        return Err(Error::new("mask", format!("a mask of shape {} for a tensor {shape}", facts.shape))
            .label("a mask has the first axes of its tensor: [batch, steps] for [batch, steps, units]")
            .help("leave the mask out where steps change their places: `.without_mask()`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Array, Graph, Mode, Tensor, Variable, redraw};
    use std::sync::Arc;

    fn padded() -> (Tensor, Tensor) {
        let x = Tensor::input("x", [5, 3]);
        let mask = x.not_equal(0.0).any_along(-1);
        (x.with_mask(&mask), mask)
    }

    #[test]
    fn identities_hand_a_mask_on_and_operations_do_not() {
        let (x, mask) = padded();
        let name: Arc<str> = "layer".into();
        let count = Variable::from(Array::scalar(0i64));
        let same = x.in_mode(Mode::Training).entering(&name).leaving(&name);
        let same = same.and_update(&count, Tensor::read(&count) + 1i64).and_loss(x.sum());
        assert_eq!(same.mask().unwrap().address(), mask.address());
        assert!(x.exp().mask().is_none());
        assert!(x.without_mask().with_mask_of(&x.without_mask()).mask().is_none());
    }

    #[test]
    fn the_last_mask_counts() {
        let (x, mask) = padded();
        let other = x.with_mask(x.greater(1.0).all_along(-1));
        assert_ne!(other.mask().unwrap().address(), mask.address());
        assert_eq!(other.with_mask(&mask).mask().unwrap().address(), mask.address());
        assert_eq!(x.with_mask(&mask).address(), x.address()); // it has that mask already
    }

    #[test]
    fn a_mask_that_nobody_asks_for_is_not_computed() {
        let x = Tensor::from(Array::full([2, 5, 3], 1f32));
        let padded = x.with_mask(x.not_equal(0.0).any_along(-1));
        let lengths = |y: &Tensor| Graph::capture(&[y.exp()], &[]).unwrap().instructions.len();
        assert_eq!(lengths(&padded), lengths(&x));
    }

    #[test]
    fn a_drawing_is_drawn_again_with_its_masks() {
        let (x, _) = padded();
        let input = x.sources()[0].clone();
        let drawing = x.exp().with_mask_of(&x);
        let data = Tensor::from(Array::full([2, 5, 3], 1f32));
        let drawn = redraw(&[drawing], &[(input, data)], &mut |_, _| Vec::new()).unwrap();
        assert_eq!(drawn[0].mask().unwrap().shape().to_string(), "[2, 5]");
    }

    #[test]
    fn a_mask_has_the_first_axes() {
        let (x, mask) = padded();
        let title = |mask: &Tensor| x.with_mask(mask).check().unwrap_err().title().to_owned();
        assert_eq!(title(&mask.expand(0)), "a mask of shape [1, batch, 5] for a tensor [batch, 5, 3]");
        assert_eq!(title(&x), "a mask of f32 elements");
    }
}
