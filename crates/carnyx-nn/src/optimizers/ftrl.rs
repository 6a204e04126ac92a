//! FTRL: follow the regularized leader.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Array, Tensor, Variable};

/// The weight that would have been best for all gradients so far, under penalties that make many weights exactly zero:
/// for wide linear models of rare features.
///
/// With the gradient `g`, the power `p` and `λ₂' = λ₂ + β / (2 η)`:
/// ```text
/// a' = a + g²                          sum of all squares, which begins with 0.1
/// l ← l + g + 2 λₛ w - (a'⁻ᵖ - a⁻ᵖ) / η · w
/// w ← (clip(l, -λ₁, λ₁) - l) / (a'⁻ᵖ / η + 2 λ₂')
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Ftrl, Optimizer};
/// let sparse = Optimizer::new(Ftrl::new(0.05).l1(0.01));
/// assert_eq!(sparse.name(), "ftrl");
/// ```
///
/// Reference: McMahan et al., *Ad Click Prediction: a View from the Trenches*, 2013;
/// [`keras.optimizers.Ftrl`](https://keras.io/api/optimizers/ftrl/).
#[derive(Clone, Debug)]
pub struct Ftrl {
    learning_rate: LearningRate,
    learning_rate_power: f64,
    initial_accumulator: f64,
    l1: f64,
    l2: f64,
    l2_shrinkage: f64,
    beta: f64,
}

impl Ftrl {
    /// FTRL with the power `-1/2`, sums that begin with 0.1, and no penalties.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Ftrl, Optimizer};
    /// assert_eq!(Optimizer::new(Ftrl::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Ftrl {
        Ftrl {
            learning_rate: learning_rate.into(),
            learning_rate_power: -0.5,
            initial_accumulator: 0.1,
            l1: 0.0,
            l2: 0.0,
            l2_shrinkage: 0.0,
            beta: 0.0,
        }
    }

    /// How the learning rate falls with the sum of squares: 0 is not at all.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Ftrl;
    /// let rule = Ftrl::new(1e-3).learning_rate_power(-0.7);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn learning_rate_power(mut self, power: f64) -> Ftrl {
        self.learning_rate_power = power;
        self
    }

    /// What the sums of squares begin with.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Ftrl;
    /// let rule = Ftrl::new(1e-3).initial_accumulator(1.0);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn initial_accumulator(mut self, value: f64) -> Ftrl {
        self.initial_accumulator = value;
        self
    }

    /// The penalty for absolute values, which makes weights zero.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Ftrl;
    /// let rule = Ftrl::new(1e-3).l1(0.01);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn l1(mut self, strength: f64) -> Ftrl {
        self.l1 = strength;
        self
    }

    /// The penalty for squares, which makes weights smaller.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Ftrl;
    /// let rule = Ftrl::new(1e-3).l2(0.01);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn l2(mut self, strength: f64) -> Ftrl {
        self.l2 = strength;
        self
    }

    /// The same as a part of the gradient.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Ftrl;
    /// let rule = Ftrl::new(1e-3).l2_shrinkage(0.01);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn l2_shrinkage(mut self, strength: f64) -> Ftrl {
        self.l2_shrinkage = strength;
        self
    }

    /// The `β` of the paper, which makes the first steps smaller.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Ftrl;
    /// let rule = Ftrl::new(1e-3).beta(1.0);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn beta(mut self, beta: f64) -> Ftrl {
        self.beta = beta;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Ftrl {
    fn default() -> Ftrl {
        Ftrl::new(0.001)
    }
}

impl Rule for Ftrl {
    fn name(&self) -> &'static str {
        "ftrl"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("learning_rate_power", self.learning_rate_power, Bounds::NotPositive),
            Setting::new("initial_accumulator", self.initial_accumulator, Bounds::NotNegative),
            Setting::new("l1", self.l1, Bounds::NotNegative),
            Setting::new("l2", self.l2, Bounds::NotNegative),
            Setting::new("l2_shrinkage", self.l2_shrinkage, Bounds::NotNegative),
            Setting::new("beta", self.beta, Bounds::NotNegative),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Ftrl")
            .field("learning_rate_power", self.learning_rate_power)
            .field("initial_accumulator_value", self.initial_accumulator)
            .field("l1_regularization_strength", self.l1)
            .field("l2_regularization_strength", self.l2)
            .field("l2_shrinkage_regularization_strength", self.l2_shrinkage)
            .field("beta", self.beta);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["accumulator", "linear"]]
    }

    fn initial(&self, name: &str, weight: &[usize]) -> Array {
        Array::full(weight, if name == "accumulator" { self.initial_accumulator as f32 } else { 0.0 })
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let rate = &at.learning_rate;
        let raised = |sum: &Tensor| sum.pow(-self.learning_rate_power);
        let before = raised(&slots.value("accumulator"));
        let after = raised(&slots.update("accumulator", |sum| sum + gradient.square()));
        let slope = gradient + weight * (2.0 * self.l2_shrinkage);
        let linear = slots.update("linear", |linear| linear + (slope - (&after - before) / rate * weight));
        let curvature = after / rate + (self.beta / rate + 2.0 * self.l2);
        (linear.clip(-self.l1, self.l1) - linear) / curvature
    }
}
