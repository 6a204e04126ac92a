//! Adafactor: Adam's scaling from the sums of rows and columns only.

use super::{Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Array, Tensor, Variable};

/// Steps relative to the size of the weights, scaled by averages that a matrix keeps for its rows and columns only: as
/// good as no memory for large matrices.
///
/// With the step's number `t`, the gradient `g`, `β₂ = 1 - t^d` and `rms` for root mean squares:
/// ```text
/// r ← β₂ r + (1 - β₂) mean(g² + ε₁)    along the columns, of a matrix
/// c ← β₂ c + (1 - β₂) mean(g² + ε₁)    along the rows
/// v ← r c / mean(r)                    of a vector: β₂ v + (1 - β₂) (g² + ε₁)
/// s = g / √v
/// w ← w - max(ε₂, rms(w)) · min(η, 1 / √t) · s / max(1, rms(s) / threshold)
/// ```
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Adafactor, Optimizer};
/// let optimizer = Optimizer::new(Adafactor::new(0.01));
/// assert_eq!(optimizer.name(), "adafactor");
/// ```
///
/// Reference: Shazeer and Stern, [*Adafactor: Adaptive Learning Rates with Sublinear Memory
/// Cost*](https://arxiv.org/abs/1804.04235), 2018; [`keras.optimizers.Adafactor`](https://keras.io/api/optimizers/Adafactor/).
#[derive(Clone, Debug)]
pub struct Adafactor {
    learning_rate: LearningRate,
    beta_2_decay: f64,
    epsilon_1: f64,
    epsilon_2: f64,
    clip_threshold: f64,
    relative_step: bool,
}

impl Adafactor {
    /// Adafactor with `d = -0.8`, `ε₁ = 10⁻³⁰`, `ε₂ = 10⁻³` and the threshold 1.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Adafactor, Optimizer};
    /// assert_eq!(Optimizer::new(Adafactor::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Adafactor {
        Adafactor {
            learning_rate: learning_rate.into(),
            beta_2_decay: -0.8,
            epsilon_1: 1e-30,
            epsilon_2: 1e-3,
            clip_threshold: 1.0,
            relative_step: true,
        }
    }

    /// How fast the averages become slow: the power `d` of the step's number.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adafactor;
    /// let rule = Adafactor::new(1e-3).beta_2_decay(-0.5);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn beta_2_decay(mut self, power: f64) -> Adafactor {
        self.beta_2_decay = power;
        self
    }

    /// What is added to squares, and the least size of a weight that steps are relative to.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adafactor;
    /// let rule = Adafactor::new(1e-3).epsilons(1e-30, 1e-2);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilons(mut self, epsilon_1: f64, epsilon_2: f64) -> Adafactor {
        (self.epsilon_1, self.epsilon_2) = (epsilon_1, epsilon_2);
        self
    }

    /// The greatest root mean square of a scaled gradient.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adafactor;
    /// let rule = Adafactor::new(1e-3).clip_threshold(2.0);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn clip_threshold(mut self, threshold: f64) -> Adafactor {
        self.clip_threshold = threshold;
        self
    }

    /// Tells files that the learning rate is not to fall with the step's number. As in Keras, the factor `min(η, 1 / √t)`
    /// stays in the formula, so the numbers are the same.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Adafactor;
    /// let rule = Adafactor::new(1e-3).without_relative_step();
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn without_relative_step(mut self) -> Adafactor {
        self.relative_step = false;
        self
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Adafactor {
    fn default() -> Adafactor {
        Adafactor::new(0.001)
    }
}

impl Rule for Adafactor {
    fn name(&self) -> &'static str {
        "adafactor"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("beta_2_decay", self.beta_2_decay, Bounds::NotPositive),
            Setting::new("epsilon_1", self.epsilon_1, Bounds::Positive),
            Setting::new("epsilon_2", self.epsilon_2, Bounds::Positive),
            Setting::new("clip_threshold", self.clip_threshold, Bounds::Positive),
        ]
    }

    fn config(&self) -> Option<Config> {
        let config = Config::new("Adafactor")
            .field("beta_2_decay", self.beta_2_decay)
            .field("epsilon_1", self.epsilon_1)
            .field("epsilon_2", self.epsilon_2)
            .field("clip_threshold", self.clip_threshold)
            .field("relative_step", self.relative_step);
        Some(config)
    }

    fn slot_names(&self, _: &Variable) -> &'static [&'static [&'static str]] {
        &[&["row", "column", "velocity"]]
    }

    /// A vector has no rows and columns: Keras keeps one whole number for each, which it never uses, and so do files.
    fn initial(&self, name: &str, weight: &[usize]) -> Array {
        let rank = weight.len();
        let sizes = match name {
            "velocity" => weight.to_vec(),
            _ if rank < 2 => return Array::scalar(0i32),
            "row" => weight[..rank - 1].to_vec(),
            _ => [&weight[..rank - 2], &weight[rank - 1..]].concat(),
        };
        Array::full(sizes, 0f32)
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        let rms = |x: &Tensor| x.square().mean().sqrt();
        let rate = at.learning_rate.minimum(at.number.rsqrt());
        let square = gradient.square() + self.epsilon_1;
        // What is new, 1 - β₂.
        let new = at.number.pow(self.beta_2_decay);
        let velocity = if weight.rank() < 2 {
            slots.update("velocity", |velocity| velocity.lerp(&square, &new))
        } else {
            let row = slots.update("row", |row| row.lerp(&square.mean_along(-1), &new));
            let column = slots.update("column", |column| column.lerp(&square.mean_along(-2), &new));
            slots.update("velocity", |_| (&row / row.mean_keep(-1)).expand(-1) * column.expand(-2))
        };
        let scaled = gradient / velocity.sqrt();
        let clipped = &scaled / (rms(&scaled) / self.clip_threshold).maximum(1.0);
        weight - clipped * (rms(weight).maximum(self.epsilon_2) * rate)
    }
}
