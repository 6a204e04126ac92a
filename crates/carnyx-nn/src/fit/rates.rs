//! Whether a schedule of the learning rate and a fit go together.

use crate::callbacks::Running;
use crate::progress::Progress;
use crate::schedules::{Schedule, Span};
use carnyx_graph::{Error, Result};

/// Before the first step: that the rate of every step can be known.
///
/// # Errors
/// `schedule`, if the rate depends on the number of steps of an epoch, which is not known.
pub(super) fn check_schedule(run: &Running) -> Result {
    match run.optimizer.schedule() {
        Some(schedule) if schedule.divides_epochs() && run.steps == 0 => {
            let title =
                format!("the schedule `{}` changes the learning rate within an epoch", schedule.name());
            Err(Error::new("schedule", title)
                .label("nobody knows how many steps an epoch has: the stream does not tell")
                .help("say it with `.steps_per_epoch(..)`, or count steps: `Warmup::steps(500, ..)`")
                .at(run.watched.site))
        }
        _ => Ok(()),
    }
}

/// Says once in a model's life if a fit ends within its warm-up.
pub(super) fn warn_of_long_warm_up(run: &Running, progress: &mut Progress) {
    if run.epoch == 0
        && let Some(warning) = run.optimizer.schedule().and_then(|schedule| too_long(schedule, run))
    {
        progress.warn(&warning);
    }
}

/// The text of the warning, if there is reason for one; this is the first fit.
fn too_long(schedule: &dyn Schedule, run: &Running) -> Option<String> {
    let (length, end, unit) = match schedule.warm_up()? {
        Span::Steps(steps) => (steps, run.epochs * run.steps, "steps"),
        Span::Epochs(epochs) => (epochs, run.epochs, "epochs"),
    };
    (end > 0 && length > end as f64).then(|| {
        format!(
            "warning: the warm-up of {length} {unit} is longer than the fit of {end}\n  \
             = note: the learning rate does not come to where `{}` leads it\n  \
             = help: a warm-up is a few hundred steps, or a few of many epochs",
            schedule.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedules::{CosineDecay, LearningRate, Warmup};
    use crate::{Optimizer, Sgd};

    /// What is said of a fit of 4 epochs of 10 steps.
    fn said(rate: impl Into<LearningRate>) -> Option<String> {
        let mut optimizer = Optimizer::new(Sgd::new(rate));
        let mut run = Running::new(&mut optimizer, 10, std::panic::Location::caller());
        run.epochs = 4;
        run.optimizer.schedule().and_then(|schedule| too_long(schedule, &run))
    }

    #[test]
    fn a_warm_up_ends_within_the_fit() {
        for fine in [Warmup::steps(40, 0.1), Warmup::epochs(4, 0.1)] {
            assert_eq!(said(fine), None);
        }
        assert_eq!(said(CosineDecay::new(0.1, 1000)), None);
        assert_eq!(
            said(Warmup::steps(41, 0.1)).unwrap(),
            "warning: the warm-up of 41 steps is longer than the fit of 40\n  \
             = note: the learning rate does not come to where `Warmup` leads it\n  \
             = help: a warm-up is a few hundred steps, or a few of many epochs"
        );
        assert!(said(Warmup::epochs(5, 0.1)).unwrap().contains("of 5 epochs is longer than the fit of 4"));
        assert!(said(Warmup::steps(5, CosineDecay::new(0.1, 3)).per_epoch()).unwrap().contains("5 epochs"));
        assert!(said(CosineDecay::new(0.0, 10).warmup(0.1, 50)).unwrap().contains("50 steps"));
    }
}
