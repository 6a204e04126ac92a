//! Muon: matrices move in orthogonal steps, everything else as with AdamW.

use super::{Adam, Bounds, Rule, Setting, Slots, Step};
use crate::Config;
use crate::schedules::LearningRate;
use carnyx_graph::{Tensor, Variable};

/// Steps of matrices in which every direction counts alike: their momentum is replaced by the nearest matrix with
/// orthonormal rows. What is no matrix, and what is not to be treated as one, moves as with [`AdamW`](super::AdamW).
///
/// With the gradient `g` of a matrix:
/// ```text
/// m ← μ m + g
/// x = g + μ m, divided by its length, transposed if it is higher than wide
/// x ← a x + (b x xᵀ + c (x xᵀ)²) x     a few times: Newton and Schulz's way to an orthogonal matrix
/// w ← w - η · 0.2 √max(rows, columns) · x
/// ```
/// Matrices decay by 0.004, or what [`weight_decay`](super::OptimizerOptions::weight_decay) says; the others by
/// [`adam_weight_decay`](Muon::adam_weight_decay). As in Keras, embeddings (weights with `embedding` in their path) are
/// no matrices. The last layer of a classifier should be excluded, too.
///
/// # Example
/// ```
/// use carnyx_nn::optimizers::{Muon, Optimizer};
/// let optimizer = Optimizer::new(Muon::new(1e-3).exclude(["scores"]));
/// assert_eq!(optimizer.name(), "muon");
/// ```
///
/// Reference: Jordan et al., [*Muon: An optimizer for hidden layers in neural
/// networks*](https://kellerjordan.github.io/posts/muon/), 2024; Liu et al., [*Muon is Scalable for LLM
/// Training*](https://arxiv.org/abs/2502.16982), 2025; [`keras.optimizers.Muon`](https://keras.io/api/optimizers/muon/).
#[derive(Clone, Debug)]
pub struct Muon {
    learning_rate: LearningRate,
    adam_betas: (f64, f64),
    adam_weight_decay: f64,
    adam_rate_ratio: f64,
    epsilon: f64,
    momentum: f64,
    nesterov: bool,
    iterations: usize,
    coefficients: [f64; 3],
    rms: Option<f64>,
    exclude: Vec<String>,
    exclude_embeddings: bool,
}

impl Muon {
    /// Muon with a momentum of 0.95 after Nesterov, 5 iterations, steps with a root mean square of 0.2, and Keras's
    /// defaults of [`AdamW`](super::AdamW).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::{Muon, Optimizer};
    /// assert_eq!(Optimizer::new(Muon::new(1e-2)).learning_rate, 0.01);
    /// ```
    pub fn new(learning_rate: impl Into<LearningRate>) -> Muon {
        Muon {
            learning_rate: learning_rate.into(),
            adam_betas: (0.9, 0.999),
            adam_weight_decay: 0.004,
            adam_rate_ratio: 1.0,
            epsilon: 1e-7,
            momentum: 0.95,
            nesterov: true,
            iterations: 5,
            coefficients: [3.4445, -4.775, 2.0315],
            rms: Some(0.2),
            exclude: Vec::new(),
            exclude_embeddings: true,
        }
    }

    /// The share of the momentum that is kept.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).momentum(0.9);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Muon {
        self.momentum = momentum;
        self
    }

    /// Takes the momentum as it is, without looking ahead.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).without_nesterov();
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn without_nesterov(mut self) -> Muon {
        self.nesterov = false;
        self
    }

    /// How often the matrix is brought nearer to an orthogonal one.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).iterations(6);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn iterations(mut self, iterations: usize) -> Muon {
        self.iterations = iterations;
        self
    }

    /// The numbers `a`, `b` and `c` of the iteration.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).coefficients([3.4445, -4.775, 2.0315]);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn coefficients(mut self, coefficients: [f64; 3]) -> Muon {
        self.coefficients = coefficients;
        self
    }

    /// The root mean square of a step of size 1, which makes learning rates for Adam right for Muon; `None` leaves the
    /// orthogonal matrix as it is.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).rms(None);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn rms(mut self, rms: impl Into<Option<f64>>) -> Muon {
        self.rms = rms.into();
        self
    }

    /// Weights whose paths contain one of `parts` move as with AdamW.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).exclude(["scores", "token_embedding"]);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn exclude(mut self, parts: impl IntoIterator<Item = impl Into<String>>) -> Muon {
        self.exclude = parts.into_iter().map(Into::into).collect();
        self
    }

    /// Treats embeddings as matrices.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).include_embeddings();
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn include_embeddings(mut self) -> Muon {
        self.exclude_embeddings = false;
        self
    }

    /// The betas of AdamW.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).adam_betas(0.9, 0.99);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn adam_betas(mut self, beta_1: f64, beta_2: f64) -> Muon {
        self.adam_betas = (beta_1, beta_2);
        self
    }

    /// The weight decay of what is no matrix.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).adam_weight_decay(0.0);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn adam_weight_decay(mut self, decay: f64) -> Muon {
        self.adam_weight_decay = decay;
        self
    }

    /// The learning rate of AdamW, relative to that of the matrices.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).adam_rate_ratio(0.1);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn adam_rate_ratio(mut self, ratio: f64) -> Muon {
        self.adam_rate_ratio = ratio;
        self
    }

    /// The number that keeps AdamW's division from exploding.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::optimizers::Muon;
    /// let rule = Muon::new(1e-3).epsilon(1e-8);
    /// # let _ = rule;
    /// ```
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Muon {
        self.epsilon = epsilon;
        self
    }
}

impl Muon {
    /// Whether a weight moves as a matrix.
    fn is_matrix(&self, weight: &Variable) -> bool {
        let path = weight.path().unwrap_or_default();
        weight.shape().is_some_and(|shape| shape.len() == 2)
            && !(self.exclude_embeddings && path.to_lowercase().contains("embedding"))
            && !self.exclude.iter().any(|part| path.contains(part.as_str()))
    }

    /// The rule of what is no matrix.
    fn adam(&self) -> Adam {
        Adam::new(self.learning_rate.clone())
            .betas(self.adam_betas.0, self.adam_betas.1)
            .epsilon(self.epsilon)
    }

    /// A matrix near the nearest one with orthonormal rows, or columns if there are more rows.
    fn orthogonal(&self, matrix: &Tensor) -> Tensor {
        let is_high = matrix.dim(0) > matrix.dim(1);
        let mut x = if is_high { matrix.transpose() } else { matrix.clone() };
        x = &x / (x.square().sum().sqrt() + 1e-7);
        let [a, b, c] = self.coefficients;
        for _ in 0..self.iterations {
            let square = x.dot(&x, false, true);
            let bent = &square * b + (&square * c).matmul(&square);
            x = &x * a + bent.matmul(&x);
        }
        if is_high { x.transpose() } else { x }
    }
}

/// Keras's default: a learning rate of 0.001.
impl Default for Muon {
    fn default() -> Muon {
        Muon::new(0.001)
    }
}

impl Rule for Muon {
    fn name(&self) -> &'static str {
        "muon"
    }

    fn learning_rate(&self) -> LearningRate {
        self.learning_rate.clone()
    }

    fn default_weight_decay(&self) -> Option<f64> {
        Some(0.004)
    }

    fn decay_of(&self, weight: &Variable, decay: Option<f64>) -> Option<f64> {
        if self.is_matrix(weight) { decay } else { Some(self.adam_weight_decay) }
    }

    fn settings(&self) -> Vec<Setting> {
        let mut settings = vec![
            Setting::new("momentum", self.momentum, Bounds::Share),
            Setting::new("adam_beta_1", self.adam_betas.0, Bounds::Decay),
            Setting::new("adam_beta_2", self.adam_betas.1, Bounds::Decay),
            Setting::new("adam_weight_decay", self.adam_weight_decay, Bounds::NotNegative),
            Setting::new("adam_rate_ratio", self.adam_rate_ratio, Bounds::NotNegative),
            Setting::new("epsilon", self.epsilon, Bounds::Positive),
            Setting::new("rms", self.rms.unwrap_or(1.0), Bounds::Positive),
        ];
        settings.extend(self.coefficients.map(|number| Setting::new("coefficients", number, Bounds::Finite)));
        settings
    }

    fn config(&self) -> Option<Config> {
        let [a, b, c] = self.coefficients;
        let config = Config::new("Muon")
            .field("adam_beta_1", self.adam_betas.0)
            .field("adam_beta_2", self.adam_betas.1)
            .field("adam_weight_decay", self.adam_weight_decay)
            .field("adam_lr_ratio", self.adam_rate_ratio)
            .field("epsilon", self.epsilon)
            .field("exclude_layers", self.exclude.clone())
            .field("exclude_embeddings", self.exclude_embeddings)
            .field("muon_a", a)
            .field("muon_b", b)
            .field("muon_c", c)
            .field("momentum", self.momentum)
            .field("ns_steps", self.iterations)
            .field("nesterov", self.nesterov);
        Some(config.field("rms_rate", self.rms))
    }

    fn slot_names(&self, weight: &Variable) -> &'static [&'static [&'static str]] {
        if self.is_matrix(weight) { &[&["momentum"]] } else { &[&["momentum", "velocity"]] }
    }

    fn update(&self, weight: &Tensor, gradient: &Tensor, at: &Step, slots: &mut Slots) -> Tensor {
        if !self.is_matrix(slots.weight()) {
            let at = Step { learning_rate: &at.learning_rate * self.adam_rate_ratio, ..at.clone() };
            return self.adam().update(weight, gradient, &at, slots);
        }
        let momentum = slots.update("momentum", |momentum| momentum * self.momentum + gradient);
        let ahead = if self.nesterov { gradient + momentum * self.momentum } else { momentum };
        let longest = weight.dim(0).max(weight.dim(1)) as f64;
        let size = self.rms.map_or(1.0, |rms| rms * longest.sqrt());
        weight - self.orthogonal(&ahead) * &at.learning_rate * size
    }
}
