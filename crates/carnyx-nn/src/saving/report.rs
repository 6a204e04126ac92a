//! What a file lacks of the model that was saved in it.

use std::fmt;
use std::io::Write;
use std::path::Path;

/// What [`Model::save`](crate::Model::save) left out of the file: nothing, mostly.
///
/// # Example
/// ```
/// use carnyx_nn::{Compile, Dense, Input, MeanSquaredError, Sequential, Sgd};
/// # let folder = std::env::temp_dir().join(format!("carnyx-report-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("line.keras");
/// let model = Sequential::new().then(Input::new([1])).then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// let report = model.save(&path)?;
/// assert!(report.is_whole());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaveReport {
    left_out: Vec<LeftOut>,
}

/// A part of a model that no file can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LeftOut {
    /// All but the weights.
    Structure,
    /// The metric of that name.
    Metric(String),
    /// The schedule of that name, for which the file has this learning rate.
    Schedule(String, String),
    /// How the model is compiled, for the sake of the optimizer of that name.
    Optimizer(String),
}

impl SaveReport {
    /// Whether the file holds everything: [`load`](crate::load) gives back the same model.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::SaveReport;
    /// assert!(SaveReport::default().is_whole());
    /// ```
    pub fn is_whole(&self) -> bool {
        self.left_out.is_empty()
    }

    /// Whether the file holds the weights alone, which `load_weights` reads.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::SaveReport;
    /// assert!(!SaveReport::default().is_weights_alone());
    /// ```
    pub fn is_weights_alone(&self) -> bool {
        self.left_out.contains(&LeftOut::Structure)
    }

    pub(super) fn leave_out_structure(&mut self) {
        self.left_out.push(LeftOut::Structure);
    }

    pub(super) fn leave_out_metric(&mut self, name: String) {
        self.left_out.push(LeftOut::Metric(name));
    }

    pub(super) fn leave_out_schedule(&mut self, name: String, rate: f64) {
        self.left_out.push(LeftOut::Schedule(name, rate.to_string()));
    }

    pub(super) fn leave_out_optimizer(&mut self, name: &str) {
        self.left_out.push(LeftOut::Optimizer(name.to_owned()));
    }

    /// Says on standard error what the file at `path` lacks.
    pub(crate) fn tell(&self, path: &Path) {
        if !self.is_whole() {
            // Nobody may be reading any more: the file is written.
            let _ = writeln!(
                std::io::stderr(),
                "warning: `{}` does not hold all of the model\n{self}",
                path.display()
            );
        }
    }
}

/// A line for each part that is left out.
impl fmt::Display for SaveReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_whole() {
            return f.write_str("the file holds all of the model");
        }
        for (i, part) in self.left_out.iter().enumerate() {
            let line = match part {
                LeftOut::Structure => {
                    "  = note: only its weights: the structure of a dynamic model is another one at every \
                    step\n  = help: make the model in Rust, and read the file with `load_weights`"
                        .to_owned()
                }
                LeftOut::Metric(name) => format!(
                    "  = note: the metric `{name}` is not among those that files know\n  \
                     = help: `load(..)?.metric(..)` adds it again"
                ),
                LeftOut::Schedule(name, rate) => format!(
                    "  = note: the schedule `{name}` is not among those that files know: the file has the learning \
                     rate of now, {rate}\n  \
                     = help: `model.optimizer.set_learning_rate(..)` sets it again after `load`"
                ),
                LeftOut::Optimizer(name) => format!(
                    "  = note: not how it is compiled: the optimizer `{name}` is not among those that files know\n  \
                     = help: `load_network(..)?.compile(..)` compiles it again"
                ),
            };
            write!(f, "{}{line}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
