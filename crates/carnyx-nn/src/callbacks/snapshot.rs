//! What a backup holds: everything that the rest of a fit depends on.
//!
//! A safetensors file: the variables of the model and of the optimizer, the totals of metrics, the numbers so far, the
//! states of the callbacks; as text the [`Plan`] of the fit and the place in it. The last eight bytes, the last tensor,
//! are a checksum of all bytes before them. Invariant: a file is used whole or not at all, and only for the fit that it
//! is of.

use super::{Callback, Running, State};
use crate::data::Data;
use crate::history::Logs;
use crate::models::trace::Core;
use crate::stability::{Instability, Watch};
use carnyx_file::{Tensors, Value, to_json};
use carnyx_graph::{Array, DType, Error, Result, Variable};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Counted up when older files can no longer be read.
const FORMAT: &str = "carnyx-backup-1";
const CHECKSUM: &str = "checksum";

/// What makes two fits the same fit, fact by fact, in words that a message can show.
pub(crate) struct Plan(Vec<(String, String)>);

impl Plan {
    pub(crate) fn new(core: &Core, optimizer: &str, data: [Option<&Data>; 2]) -> Plan {
        let mut facts = vec![("optimizer".to_owned(), optimizer.to_owned())];
        for (word, data) in ["training", "validation"].into_iter().zip(data) {
            let shape = |array: &Array| format!("{:?} {}", array.shape(), array.dtype());
            let shapes: Option<Vec<String>> = data.map(|data| data.arrays().map(shape).collect());
            let shapes = shapes.map_or("none".to_owned(), |shapes| shapes.join(", "));
            facts.push((format!("{word} data"), shapes));
        }
        for (i, variable) in core.network.variables.iter().enumerate() {
            let shape = variable.shape().map_or("of unknown shape".to_owned(), |shape| format!("{shape:?}"));
            let value = format!("{} {} {shape}", path_of(variable), variable.dtype());
            facts.push((format!("variable {i}"), value));
        }
        facts.push(("number of variables".to_owned(), core.network.variables.len().to_string()));
        facts.push(("seed of the model".to_owned(), core.seed.to_string()));
        Plan(facts)
    }

    /// One more fact.
    pub(crate) fn with(mut self, fact: &str, value: impl ToString) -> Plan {
        self.0.push((fact.to_owned(), value.to_string()));
        self
    }

    pub(super) fn with_callbacks(self, names: Vec<String>) -> Plan {
        self.with("callbacks", names.join(", "))
    }

    fn json(&self) -> Value {
        self.0.iter().map(|(fact, value)| Value::from(vec![fact.clone(), value.clone()])).collect()
    }

    /// The first difference: the fact, what was planned, and what is.
    fn difference<'a>(&'a self, then: &'a [(String, String)]) -> Option<(&'a str, &'a str, &'a str)> {
        let value = |facts: &'a [(String, String)], fact: &str| {
            facts.iter().find(|(known, _)| known == fact).map_or("none", |(_, value)| value.as_str())
        };
        let facts = self.0.iter().chain(then).map(|(fact, _)| fact.as_str());
        facts.map(|fact| (fact, value(then, fact), value(&self.0, fact))).find(|(_, then, now)| then != now)
    }
}

fn path_of(variable: &Variable) -> String {
    variable.path().map_or_else(|| "unnamed".to_owned(), |path| path.to_string())
}

/// A backup that has been read.
pub(super) struct Snapshot {
    tensors: Tensors,
    file: String,
}

impl Snapshot {
    /// The bytes of a backup of the fit as it stands.
    pub(super) fn take(
        plan: &Plan,
        core: &Core,
        run: &Running,
        callbacks: &mut [Box<dyn Callback + '_>],
    ) -> Result<Vec<u8>> {
        let mut tensors = Tensors::new();
        tensors.set_metadata("format", FORMAT);
        tensors.set_metadata("fit", to_json(&plan.json()));
        for (name, variable) in remembered(core, run) {
            if variable.has_value() {
                tensors.insert(name, variable.value()?);
            }
        }
        let frozen = |variable: &Variable| !variable.is_trainable();
        let frozen: Vec<bool> = core.network.variables.iter().map(frozen).collect();
        tensors.insert("frozen", Array::new([frozen.len()], frozen)?);
        tensors.insert("learning_rates", Array::from(run.optimizer.rates()));
        let stopped = usize::from(run.stopped);
        let place = [run.epoch, run.step, run.steps, stopped, core.epochs_trained].map(|n| n as i64);
        tensors.insert("place", Array::new([place.len()], place.to_vec())?);
        let batch_loss = Logs::from_iter(run.batch_loss.map(|loss| ("loss", loss)));
        insert_table(&mut tensors, "batch_loss", &[batch_loss])?;
        insert_table(&mut tensors, "watch", &[run.stability.watch.numbers()])?;
        let instabilities: Vec<Logs> =
            run.watched.history.instabilities.iter().map(Instability::numbers).collect();
        insert_table(&mut tensors, "instabilities", &instabilities)?;
        insert_table(&mut tensors, "logs", std::slice::from_ref(&run.logs))?;
        insert_table(&mut tensors, "history", &run.watched.history.epochs)?;
        for (i, callback) in callbacks.iter_mut().enumerate() {
            for (name, array) in callback.state()?.arrays() {
                tensors.insert(format!("callback/{i}/{name}"), array.clone());
            }
        }
        tensors.insert(CHECKSUM, Array::zeros([8], DType::U8));
        let mut bytes = carnyx_file::write_safetensors(&tensors)?;
        let end = bytes.len() - 8;
        let sum = checksum(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum);
        Ok(bytes)
    }

    /// The backup at `path`, if there is one, of the fit that `plan` describes.
    ///
    /// # Errors
    /// `backup`, if the file cannot be read, is damaged, or is of another fit.
    pub(super) fn read(path: &Path, plan: &Plan) -> Result<Option<Snapshot>> {
        let file = path.display().to_string();
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new("backup", format!("cannot read the backup `{file}`")).because(error));
            }
            Ok(bytes) => bytes,
        };
        let damaged = || {
            Error::new("backup", format!("the backup `{file}` is damaged"))
                .help("remove it to begin the fit anew, or put a good copy in its place")
        };
        let is_whole = bytes.split_last_chunk::<8>().is_some_and(|(all, sum)| checksum(all) == *sum);
        if !is_whole {
            return Err(damaged().label(format!("the checksum of its {} bytes is another", bytes.len())));
        }
        let tensors = carnyx_file::read_safetensors(&bytes, &file).map_err(|e| damaged().because(e))?;
        if tensors.metadata("format") != Some(FORMAT) {
            return Err(Error::new("backup", format!("`{file}` is no backup of this version"))
                .help("finish the fit with the version that began it, or remove the file to begin anew"));
        }
        let facts: Value = tensors.metadata("fit").and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
        let text = |value: &Value, i: usize| Some(value.get(i)?.as_str()?.to_owned());
        let fact = |value: &Value| Some((text(value, 0)?, text(value, 1)?));
        let facts: Vec<(String, String)> =
            facts.as_array().and_then(|list| list.iter().map(fact).collect()).ok_or_else(damaged)?;
        if let Some((fact, then, now)) = plan.difference(&facts) {
            return Err(Error::new("backup", format!("the backup `{file}` is of another fit"))
                .label(format!("{fact}: {then} in the backup, {now} in this fit"))
                .help("give each fit a folder of its own, or remove the file to begin anew"));
        }
        Ok(Some(Snapshot { tensors, file }))
    }

    /// Sets everything to what it was. Nothing has changed if this is an error of the backup.
    pub(super) fn restore(
        &self,
        core: &mut Core,
        run: &mut Running,
        callbacks: &mut [Box<dyn Callback + '_>],
    ) -> Result {
        let frozen: Vec<bool> = self.array("frozen")?.to_vec();
        let place: Vec<i64> = self.array("place")?.to_vec();
        let &[epoch, step, steps, stopped, epochs_trained] = place.as_slice() else {
            return Err(self.lacks("place"));
        };
        let rates: Vec<f64> = self.array("learning_rates")?.to_vec();
        let rates: [f64; 2] = rates.try_into().map_err(|_| self.lacks("learning_rates"))?;
        let (logs, epochs) = (self.table("logs")?, self.table("history")?);
        let batch_loss = self.table("batch_loss")?.first().and_then(|logs| logs.get("loss"));
        let (watch, instabilities) = (self.table("watch")?, self.table("instabilities")?);
        for (variable, &frozen) in core.network.variables.iter().zip(&frozen) {
            if variable.is_trainable() == frozen {
                variable.set_trainable(!frozen);
            }
        }
        // Variables that a callback has thawed have slots in the backup, and none here before they are traced.
        core.trace_step_again(run.optimizer, run.watched.site)?;
        let mut values = Vec::new();
        for (name, variable) in remembered(core, run) {
            match self.tensors.get(&name) {
                Some(array) if variable.has_shape(array.shape()) && variable.dtype() == array.dtype() => {
                    values.push((variable, array));
                }
                Some(_) => return Err(self.lacks(&name)),
                None if variable.has_value() => return Err(self.lacks(&name)),
                None => {}
            }
        }
        values.iter().try_for_each(|(variable, array)| variable.assign(array))?;
        run.optimizer.set_rates(rates)?;
        (run.epoch, run.step, run.stopped) = (epoch as usize, step as usize, stopped != 0);
        // A stream whose length is not known before its end has told it already.
        run.steps = steps as usize;
        run.follow_schedule(run.optimizer.iterations()?, run.step)?;
        core.epochs_trained = epochs_trained as usize;
        run.logs = logs.into_iter().next().unwrap_or_default();
        run.batch_loss = batch_loss;
        run.stability.watch = watch.first().map_or_else(Watch::new, Watch::of);
        run.watched.history.instabilities = instabilities.iter().map(Instability::of).collect();
        run.watched.history.epochs = epochs;
        for (i, callback) in callbacks.iter_mut().enumerate() {
            let prefix = format!("callback/{i}/");
            let own =
                self.tensors.arrays().filter_map(|(name, array)| Some((name.strip_prefix(&prefix)?, array)));
            let state = own.fold(State::new(), |state, (name, array)| state.with(name, array.clone()));
            let restored = callback.restore(&state);
            restored
                .map_err(|error| error.note(format!("in `restore` of the callback `{}`", callback.name())))?;
        }
        Ok(())
    }

    fn array(&self, name: &str) -> Result<&Array> {
        self.tensors.get(name).ok_or_else(|| self.lacks(name))
    }

    fn lacks(&self, name: &str) -> Error {
        Error::new("backup", format!("the backup `{}` lacks `{name}`", self.file))
            .help("remove it to begin the fit anew")
    }

    /// What [`insert_table`] has written.
    fn table(&self, name: &str) -> Result<Vec<Logs>> {
        let names = self.tensors.metadata(name).and_then(|text| text.parse::<Value>().ok());
        let names = names.as_ref().and_then(Value::as_array).ok_or_else(|| self.lacks(name))?;
        let (values, known) = (self.array(name)?, self.array(&format!("{name}/known"))?);
        let (values, known) = (values.to_vec::<f64>(), known.to_vec::<bool>());
        let rows = self.array(name)?.num_rows();
        let cell = |row: usize, column: usize| {
            let index = row * names.len() + column;
            known.get(index)?.then_some((names[column].as_str()?, *values.get(index)?))
        };
        let row = |row: usize| (0..names.len()).filter_map(|column| cell(row, column)).collect();
        Ok((0..rows).map(row).collect())
    }
}

/// All variables that a step reads or writes, by unique names.
fn remembered(core: &Core, run: &Running) -> Vec<(String, Variable)> {
    let model = core.network.variables.iter().enumerate();
    let model = model.map(|(i, variable)| (format!("model/{i}/{}", path_of(variable)), variable.clone()));
    let slots = run.optimizer.slots_and_count().into_iter().enumerate();
    let slots = slots.map(|(i, variable)| (format!("optimizer/{i}/{}", path_of(&variable)), variable));
    let totals = core.totals().map(|(name, variable)| (format!("totals/{name}"), variable.clone()));
    model.chain(slots).chain(totals).collect()
}

/// Rows of numbers, some of which may be missing, as a table: floats keep their bits, which text would not for NaN.
fn insert_table(tensors: &mut Tensors, name: &str, rows: &[Logs]) -> Result {
    let names: std::collections::BTreeSet<&str> =
        rows.iter().flat_map(|logs| logs.iter().map(|(name, _)| name)).collect();
    let cells: Vec<Option<f64>> =
        rows.iter().flat_map(|logs| names.iter().map(|name| logs.get(name))).collect();
    let shape = [rows.len(), names.len()];
    let known = cells.iter().map(Option::is_some).collect();
    let values = cells.iter().map(|cell| cell.unwrap_or(0.0)).collect();
    tensors.insert(name, Array::new::<f64>(shape, values)?);
    tensors.insert(format!("{name}/known"), Array::new::<bool>(shape, known)?);
    let names: Value = names.into_iter().map(Value::from).collect();
    tensors.set_metadata(name, to_json(&names));
    Ok(())
}

/// FNV-1a over words of eight bytes: finds what a disk or a copy did to a file, and hides nothing from anybody.
fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut sum = 0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
        // A multiplication alone carries nothing from high bits to low ones.
        sum ^= sum >> 32;
    }
    sum.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Adam, Compile, Dense, Fit, MeanSquaredError, Variables, Verbosity};

    #[test]
    fn a_checksum_notices_each_flipped_bit() {
        let bytes: Vec<u8> = (0..100u8).collect();
        let sum = checksum(&bytes);
        for bit in 0..800 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(checksum(&flipped), sum, "bit {bit}");
        }
        assert_ne!(checksum(&bytes[..99]), sum);
        assert_ne!(checksum(&[0; 8]), checksum(&[0; 16]));
    }

    #[test]
    fn a_backup_that_does_not_fit_changes_no_variable() {
        let x = Array::full([4, 3], 1f32);
        let mut model = Dense::new(1).compile(Adam::new(0.1), MeanSquaredError);
        let fit = Fit::epochs(1).verbose(Verbosity::Silent);
        model.fit((&x, &Array::full([4, 1], 2f32)), fit).unwrap();
        let before = model.variables()[0].value().unwrap();
        let site = std::panic::Location::caller();
        let mut run = Running::new(&mut model.optimizer, 1, site);
        let plan = Plan::new(&model.core, "adam", [None, None]);
        let bytes = Snapshot::take(&plan, &model.core, &run, &mut []).unwrap();
        let good = carnyx_file::read_safetensors(&bytes, "backup").unwrap();
        let names: Vec<String> = good.arrays().map(|(name, _)| name.to_owned()).collect();
        for name in
            names.iter().filter(|name| *name != CHECKSUM && *name != "frozen" && !name.contains("known"))
        {
            let mut tensors = good.clone();
            // What is read first is another value, what is read later has a shape that nothing has.
            tensors.insert("model/0/kernel", Array::full([3, 1], 9f32));
            tensors.insert(name.as_str(), Array::full([5, 0], 1f32));
            let snapshot = Snapshot { tensors, file: "backup".into() };
            let restored = snapshot.restore(&mut model.core, &mut run, &mut []);
            let is_table =
                ["logs", "history", "batch_loss", "watch", "instabilities"].contains(&name.as_str());
            assert!(restored.is_err() || is_table, "{name}");
            if restored.is_err() {
                assert_eq!(model.core.network.variables[0].value().unwrap(), before, "{name}");
            } else {
                model.core.network.variables[0].assign(&before).unwrap();
            }
        }
        let snapshot = Snapshot { tensors: good, file: "backup".into() };
        snapshot.restore(&mut model.core, &mut run, &mut []).unwrap();
    }

    #[test]
    fn tables_keep_gaps_and_every_bit() {
        let rows = [
            Logs::from_iter([("loss", f64::NAN), ("accuracy", 0.1 + 0.2)]),
            Logs::default(),
            Logs::from_iter([("loss", -0.0), ("val_loss", f64::INFINITY)]),
        ];
        let mut tensors = Tensors::new();
        insert_table(&mut tensors, "history", &rows).unwrap();
        let again = Snapshot { tensors, file: String::new() }.table("history").unwrap();
        let bits = |rows: &[Logs]| {
            let of_row =
                |logs: &Logs| logs.iter().map(|(n, v)| (n.to_owned(), v.to_bits())).collect::<Vec<_>>();
            rows.iter().map(of_row).collect::<Vec<_>>()
        };
        assert_eq!(bits(&again), bits(&rows));
    }
}
