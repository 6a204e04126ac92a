//! What a sweep hands on to each of its fits: the seed, and how much the classes count.

use carnyx_nn::{ClassWeight, Fit};

/// A seed and weights of classes, where they were said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Training {
    pub seed: Option<u64>,
    /// The output that the weights are for, or none where there is only one.
    class_weights: Vec<(Option<String>, ClassWeight)>,
}

impl Training {
    /// Adds weights of the classes of an output.
    pub fn weigh(&mut self, output: Option<&str>, weights: impl Into<ClassWeight>) {
        self.class_weights.push((output.map(str::to_owned), weights.into()));
    }

    /// A fit with these options.
    pub fn options<'f>(&self, fit: Fit<'f>) -> Fit<'f> {
        let fit = match self.seed {
            Some(seed) => fit.seed(seed),
            None => fit,
        };
        self.class_weights.iter().cloned().fold(fit, |fit, (output, weights)| match output {
            Some(output) => fit.class_weight_on(&output, weights),
            None => fit.class_weight(weights),
        })
    }
}
