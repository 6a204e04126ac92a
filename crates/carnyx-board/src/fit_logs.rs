//! The logs of one fit: its runs, and what is written into them.

use crate::Writer;
use crate::event_file::{now, warn};
use crate::hyperparameters::{self, Hyperparameter, TrialStatus};
use carnyx_graph::{Error, Result};
use carnyx_nn::Run;
use std::path::{Path, PathBuf};

/// The run of training, in the folder of the fit.
pub(crate) const TRAIN: &str = "train";

/// The run of the validation data, in the folder of the fit.
pub(crate) const VALIDATION: &str = "validation";

/// The files of a fit that runs.
#[derive(Debug)]
pub(crate) struct FitLogs {
    folder: PathBuf,
    train: Writer,
    validation: Option<Writer>,
    /// Whether it was said that something other than an event could not be written.
    has_warned: bool,
    /// A trial that has begun and not ended.
    trial: Option<Writer>,
}

/// What is to be logged after an epoch.
// Four things that are due or not, each by itself.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) histograms: bool,
    pub(crate) gradients: bool,
    pub(crate) images: bool,
    pub(crate) embeddings: bool,
}

impl FitLogs {
    /// New files in the folder, and a word on the trial that begins, if it is one.
    pub(crate) fn open(folder: &Path, trial: Option<&[(String, Hyperparameter)]>) -> Result<FitLogs> {
        let train = Writer::at(folder.join(TRAIN))?;
        // Whether validation data will come is not known yet, but whether they were there before.
        let path = folder.join(VALIDATION);
        let validation = if path.exists() { Some(Writer::at(path)?) } else { None };
        let begin = |values: &[(String, Hyperparameter)]| -> Result<Writer> {
            let mut trial = Writer::at(folder)?;
            hyperparameters::begin(&mut trial, &name_of(folder), values, now());
            trial.flush();
            Ok(trial)
        };
        let trial = trial.map(begin).transpose()?;
        Ok(FitLogs { folder: folder.to_owned(), train, validation, has_warned: false, trial })
    }

    /// The model as its layers and as its operations.
    pub(crate) fn graphs(&mut self, run: &Run) -> Result {
        match run.to_json() {
            Ok(json) => self.train.keras_graph(&json),
            Err(error) => {
                let text = format!("There is no graph of the layers:\n\n```\n{error}\n```");
                self.train.text("keras", 0, &text)?;
            }
        }
        if let Some(graph) = run.step_graph() {
            self.train.graph(&graph);
        }
        self.train.flush();
        Ok(())
    }

    /// The numbers after a step, and how many steps are done in a second.
    pub(crate) fn batch(&mut self, run: &Run, step: usize, speed: Option<f64>) -> Result {
        if let Some(speed) = speed {
            self.train.scalar("batch_steps_per_second", step, speed)?;
        }
        let of_training = run.logs.iter().filter(|(name, _)| !name.starts_with("val_"));
        for (name, value) in of_training {
            self.train.scalar(&format!("batch_{name}"), step, value)?;
        }
        Ok(())
    }

    /// The numbers for the validation data.
    pub(crate) fn evaluation(&mut self, run: &Run, step: usize) -> Result {
        let of_validation =
            run.logs.iter().filter_map(|(name, value)| Some((name.strip_prefix("val_")?, value)));
        self.validation().map_or(Ok(()), |validation| log_evaluation(validation, step, of_validation))
    }

    /// The numbers after an epoch, and how many steps were done in a second.
    pub(crate) fn epoch(&mut self, run: &Run, speed: Option<f64>) -> Result {
        for (name, value) in run.logs.iter() {
            let (log, name) = match name.strip_prefix("val_") {
                Some(name) => (self.validation(), name),
                None => (Some(&mut self.train), name),
            };
            log.map_or(Ok(()), |log| log.scalar(&format!("epoch_{name}"), run.epoch, value))?;
        }
        // Another callback may have logged it already.
        if run.logs.get("learning_rate").is_none() {
            self.train.scalar("epoch_learning_rate", run.epoch, run.optimizer.learning_rate)?;
        }
        match speed {
            Some(speed) => self.train.scalar("epoch_steps_per_second", run.epoch, speed),
            None => Ok(()),
        }
    }

    /// The variables and the gradients, as they are after an epoch.
    pub(crate) fn variables(&mut self, run: &Run, due: Due, labels: &[(String, Vec<String>)]) -> Result {
        for variable in run.variables().iter().filter(|variable| variable.has_value()) {
            let Some(path) = variable.path() else { continue };
            let tag = tag_of(&path);
            if due.histograms {
                self.train.histogram(&format!("{tag}/histogram"), run.epoch, &variable.value()?)?;
            }
            if due.images {
                self.train.weights_as_image(&format!("{tag}/image"), run.epoch, &variable.value()?)?;
            }
            if due.embeddings
                && let Some(layer) = layer_of_embeddings(&path)
            {
                let labels =
                    labels.iter().find(|(name, _)| name == layer).map(|(_, labels)| labels.as_slice());
                let written = self.train.embedding(layer, &variable.value()?, labels.unwrap_or_default());
                self.forgive(written)?;
            }
        }
        for (variable, gradient) in run.gradients().iter().filter(|_| due.gradients) {
            if let Some(path) = variable.path() {
                self.train.histogram(&format!("{}/gradient", tag_of(&path)), run.epoch, gradient)?;
            }
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) {
        self.train.flush();
        self.validation.iter_mut().for_each(Writer::flush);
    }

    /// The fit has come to its end. If it is a trial, the numbers of its last epoch are what came of it.
    pub(crate) fn finish(mut self, run: &Run) -> Result {
        let Some(mut trial) = self.trial.take() else { return Ok(()) };
        for (name, value) in run.logs.iter() {
            trial.scalar(name, run.epoch, value)?;
        }
        hyperparameters::end(&mut trial, TrialStatus::Finished, now());
        Ok(())
    }

    /// The run of the validation data, which may begin late, when training has begun; `None`, if it cannot be written.
    fn validation(&mut self) -> Option<&mut Writer> {
        if self.validation.is_none() && !self.has_warned {
            match Writer::at(self.folder.join(VALIDATION)) {
                Ok(writer) => self.validation = Some(writer),
                Err(error) => self.warn(&error),
            }
        }
        self.validation.as_mut()
    }

    /// Goes on without a file that cannot be written.
    fn forgive(&mut self, written: Result) -> Result {
        match written {
            Err(error) if error.code() == "file" => {
                self.warn(&error);
                Ok(())
            }
            written => written,
        }
    }

    fn warn(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.has_warned, true) {
            warn(error);
        }
    }
}

impl Drop for FitLogs {
    fn drop(&mut self) {
        // Who ends well says so before.
        if let Some(trial) = &mut self.trial {
            hyperparameters::end(trial, TrialStatus::Failed, now());
        }
    }
}

/// Numbers for validation data, over the steps after which they were worked out.
pub(crate) fn log_evaluation<'a>(
    validation: &mut Writer,
    step: usize,
    numbers: impl Iterator<Item = (&'a str, f64)>,
) -> Result {
    let mut numbers = numbers;
    numbers.try_for_each(|(name, value)| {
        validation.scalar(&format!("evaluation_{name}_vs_iterations"), step, value)
    })
}

/// The path of a variable as a tag.
fn tag_of(path: &str) -> String {
    path.replace(':', "_")
}

/// The path of the layer whose table a variable is.
pub(crate) fn layer_of_embeddings(path: &str) -> Option<&str> {
    if path == "embeddings" { Some(path) } else { path.strip_suffix("/embeddings") }
}

/// The name of a trial: that of its folder.
fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "trial".to_owned(), |name| name.to_string_lossy().into_owned())
}
