//! Models as files: Keras's `.keras` archives and `.h5` files, both ways, and weights alone.
//!
//! [`Model::save`](crate::Model::save) and [`load`] keep everything: structure, weights, how the model was compiled,
//! what the optimizer remembers, where training stands. [`load_network`] reads the model alone, and [`SaveWeights`]
//! the weights of any layer. The ending of the path decides the format. Invariants: a model that is loaded predicts the
//! same bits and trains on as if it had not been away; a file is either read in full or an error, never a panic; a
//! failure to save leaves the old file whole.

mod archive;
mod assets;
mod attributes;
mod config;
mod drawing;
mod expression;
mod initializers;
mod layers;
mod legacy;
mod losses;
mod metrics;
mod optimizers;
mod report;
mod schedules;
mod structure;
mod traced;
mod training;
mod weights;

pub(crate) use assets::RARITY;
pub(crate) use attributes::with;
pub use config::Config;
pub(crate) use config::{Fields, decimal, numbers};
pub(crate) use drawing::{drawing_config, row_config};
pub(crate) use layers::{activation_config, activation_field, read_activation, wrapped_config};
pub use report::SaveReport;
pub(crate) use schedules::{describe_schedule, learning_rate_json, schedule_json};
pub(crate) use traced::{traced_config, traced_loss_config};

use crate::engine::initialize_on;
use crate::layer::own_name;
use crate::models::trace::Core;
use crate::{Compile, Functional, Model, Module, Optimizer, Variables};
use carnyx_file::Value;
use carnyx_graph::{Array, Dim, Error, Result, Tensor};
use config::{Content, Part, bad};
use drawing::inside;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use training::Progress;
use weights::{Assignment, Layout};

/// A whole model on its way to a file.
struct Saved {
    name: String,
    config: Config,
    layout: Layout,
    compile: Value,
    progress: Value,
    optimizer_name: &'static str,
    optimizer: Vec<(String, Array)>,
}

/// A whole model as a file has it.
struct Stored {
    config: Value,
    compile: Option<Value>,
    progress: Progress,
    weights: Weights,
    optimizer: Vec<Array>,
}

/// The weights of a model in a file.
enum Weights {
    Archive(carnyx_file::Group),
    Legacy(carnyx_file::Group),
}

impl Stored {
    fn network(&self) -> Result<structure::Structure> {
        let mut structure = structure::read(&self.config)?;
        for (name, variable) in structure.layout.all() {
            if self.progress.frozen.contains(&name) {
                variable.set_trainable(false);
            }
        }
        let mut assignments: Vec<Assignment> = Vec::new();
        match &self.weights {
            Weights::Archive(group) => structure.layout.read(group, &mut assignments)?,
            Weights::Legacy(group) => legacy::read_weights(&structure.layout, group, &mut assignments)?,
        }
        weights::assign_all(assignments)?;
        let names = &self.progress.output_names;
        let outputs = structure.network.outputs();
        if names.len() == outputs.len()
            && !names.iter().zip(outputs).all(|(name, (known, _))| **name == **known)
        {
            let outputs = names.iter().zip(outputs).map(|(name, (_, tensor))| (name.clone(), tensor.clone()));
            structure.network =
                Functional::new(structure.network.inputs().to_vec(), outputs.collect::<Vec<_>>())
                    .map_err(structure::from_file)?;
        }
        Ok(structure)
    }

    fn model(self) -> Result<Model<Functional>> {
        let structure::Structure { network, layout } = self.network()?;
        let outputs: Vec<Arc<str>> = network.outputs().iter().map(|(name, _)| name.clone()).collect();
        let compiled = training::read_compiled(&self.progress, self.compile.as_ref(), &outputs)?;
        let compiled = compiled.ok_or_else(|| {
            bad("the model in the file was not compiled").help("read it with `load_network`, and compile it")
        })?;
        let mut model = network.compile(compiled.optimizer, compiled.objective);
        for watched in compiled.metrics {
            model.core.add_metric(watched);
        }
        model.core.seed = self.progress.seed;
        model.core.epochs_trained = self.progress.epochs_trained;
        let arrays: Vec<&Array> = self.optimizer.iter().collect();
        optimizers::restore_optimizer(&mut model.optimizer, &layout, &arrays)?;
        model.optimizer.set_epochs(model.core.epochs_trained as f64);
        Ok(model)
    }
}

/// The formats of whole models.
#[derive(Clone, Copy)]
enum Format {
    Archive,
    Legacy,
}

const WEIGHTS_ENDING: &str = ".weights.h5";

fn format_of(path: &Path) -> Result<Format> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is = |ending: &str| name.ends_with(ending);
    if is(WEIGHTS_ENDING) || is(".safetensors") {
        return Err(bad(format!("`{}` is the name of a file of weights", path.display()))
            .label("a whole model is a `.keras` or an `.h5` file")
            .help("`save_weights` and `load_weights` write and read weights alone"));
    }
    match () {
        () if is(".keras") => Ok(Format::Archive),
        () if is(".h5") || is(".hdf5") => Ok(Format::Legacy),
        () => Err(unknown_ending(path, "`.keras`, and `.h5` for older programs")),
    }
}

fn unknown_ending(path: &Path, known: &str) -> Error {
    bad(format!("the ending of `{}` names no format", path.display()))
        .label(format!("the known ones are {known}"))
}

fn in_file(error: Error, path: &Path) -> Error {
    let error = structure::from_file(error);
    let name = path.display().to_string();
    if error.title().contains(&name) { error } else { error.note(format!("in the file `{name}`")) }
}

fn read(path: &Path) -> Result<Stored> {
    match format_of(path)? {
        Format::Archive => archive::read(path),
        Format::Legacy => legacy::read(path),
    }
}

/// Reads a model with everything that belongs to it: it predicts the same bits as the one that was saved, and `fit`
/// continues as if it had not been away. Files of Keras are read too.
///
/// # Errors
/// `file`, if the file cannot be read, is damaged, or holds what Carnyx does not have; `load_network` and
/// `load_weights` ask for less.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::{Compile, Dense, Input, MeanSquaredError, Sequential, Sgd, load};
/// # let folder = std::env::temp_dir().join(format!("carnyx-load-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("line.keras");
/// let model = Sequential::new().then(Input::new([1])).then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// model.save(&path)?;
/// let again = load(&path)?;
/// let x = Array::from([[1f32], [2.0]]);
/// assert_eq!(again.predict(&x)?, model.predict(&x)?);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn load(path: impl AsRef<Path>) -> Result<Model<Functional>> {
    let path = path.as_ref();
    read(path).and_then(Stored::model).map_err(|error| in_file(error, path))
}

/// Reads a model without its optimizer, losses and metrics: a layer to predict with, to compile anew, or to build upon.
///
/// # Errors
/// As for [`load`].
///
/// # Example
/// ```
/// use carnyx_nn::{Compile, Dense, Input, MeanSquaredError, Sequential, Sgd, Variables, load_network};
/// # let folder = std::env::temp_dir().join(format!("carnyx-network-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("line.keras");
/// let model = Sequential::new().then(Input::new([1])).then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// model.save(&path)?;
/// let net = load_network(&path)?;
/// assert_eq!(net.num_parameters(), 2);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn load_network(path: impl AsRef<Path>) -> Result<Functional> {
    let path = path.as_ref();
    let network =
        read(path).and_then(|stored| stored.network()).map_err(|error| in_file(error, path))?.network;
    network.name_variables().map_err(|error| in_file(error, path))?;
    Ok(network)
}

impl<L: Module> Model<L> {
    /// Writes the model with everything that belongs to it: layers, weights, how it was compiled, what the optimizer
    /// remembers, and where training stands. A `.keras` file is what Keras reads too, and so is an `.h5` file.
    ///
    /// Weights that have no values yet get them. A struct of known layers is saved as the [`Functional`] that it draws,
    /// one with operations of its own as a trace of what it computes, and so is a loss of one's own. What cannot be in a
    /// file is left out, and the report and standard error say so: metrics of one's own, how a model with an optimizer of
    /// one's own is compiled, and all but the weights of a [dynamic](Model::dynamic) model, whose structure is another one at every step.
    ///
    /// # Errors
    /// `file`, if the file cannot be written, or if a part of the model is nothing that files know: weights alone can
    /// always be saved with [`save_weights`](SaveWeights::save_weights). An old file is left as it was then.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Compile, Dense, MeanSquaredError, Sequential, Sgd};
    /// let model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// let error = model.save("model.txt").unwrap_err();
    /// assert_eq!(error.title(), "the ending of `model.txt` names no format");
    /// ```
    #[track_caller]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<SaveReport> {
        let path = path.as_ref();
        let report = save(&self.core, &self.optimizer, path, Location::caller())?;
        report.tell(path);
        Ok(report)
    }
}

impl<L> Model<L> {
    /// The structure of the model as JSON, as Keras's `Model.to_json` gives it and `keras.models.model_from_json` reads
    /// it: layers and how they are connected, neither weights nor how it was compiled.
    ///
    /// # Errors
    /// As for [`save`](Model::save).
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Compile, Dense, Input, MeanSquaredError, Sequential, Sgd};
    /// let model = Sequential::new().then(Input::new([3])).then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert!(model.to_json()?.contains(r#""class_name": "Dense""#));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    ///
    /// Reference: [`keras.Model.to_json`](https://keras.io/api/models/model_saving_apis/model_config_serialization/).
    #[track_caller]
    pub fn to_json(&self) -> Result<String> {
        structure_json(&self.core, Location::caller())
    }
}

/// Writes a model, of which only the layer's type is not known.
pub(crate) fn save(
    core: &Core,
    optimizer: &Optimizer,
    path: &Path,
    site: &'static Location<'static>,
) -> Result<SaveReport> {
    let at = |error: Error| if error.site().is_some() { error } else { error.at(site) };
    let format = format_of(path).map_err(at)?;
    let mut report = SaveReport::default();
    match saved(core, optimizer, &mut report, site).map_err(at)? {
        Some(saved) => match format {
            Format::Archive => archive::write(&saved, path)?,
            Format::Legacy => legacy::write(&saved, path)?,
        },
        None => {
            let layer = &*core.network.module;
            let (kind, tree) = (own_name(layer), weights::write_tree(layer)?);
            match format {
                Format::Archive => archive::write_weights(&kind, tree, path)?,
                Format::Legacy => legacy::write_weights(tree, path)?,
            }
        }
    }
    Ok(report)
}

/// Whether a model can be written as a whole, without writing it.
pub(crate) fn check_can_save(core: &Core, optimizer: &Optimizer, site: &'static Location<'static>) -> Result {
    saved(core, optimizer, &mut SaveReport::default(), site).map(drop)
}

/// Whether the ending of a path names a format of whole models.
pub(crate) fn check_model_ending(path: &Path) -> Result {
    format_of(path).map(drop)
}

/// Whether the ending of a path names a format of weights.
pub(crate) fn check_weights_ending(path: &Path) -> Result {
    is_list(path).map(drop)
}

/// All that a file holds of the model; `None` if that is no more than the weights.
fn saved(
    core: &Core,
    optimizer: &Optimizer,
    report: &mut SaveReport,
    site: &'static Location<'static>,
) -> Result<Option<Saved>> {
    let inputs = drawn_inputs(core)?;
    let layer = &*core.network.module;
    let drawn = core.network.outputs(&inputs, site);
    let used: Vec<_> =
        core.network.variables.iter().filter(|variable| variable.shape().is_some()).cloned().collect();
    initialize_on(core.executor(), &used, core.seed)?;
    let name = own_name(layer);
    let config = match drawn.as_ref().map(|outputs| whole(layer, &inputs, outputs)) {
        Ok(Ok(config)) => config,
        _ if core.dynamic => {
            weights::check_values(&layer.named_variables())?;
            report.leave_out_structure();
            return Ok(None);
        }
        Ok(Err(mistake)) => traced::config(core, layer, &inputs, mistake, site)?,
        Err(mistake) => return Err(mistake.clone()),
    };
    let outputs = drawn?;
    let layout = config.layout(&name);
    weights::check_values(&layout.all())?;
    let names = core.network.output_names(outputs.len())?;
    let compiled = training::Compilation::of(core, optimizer, &names, &outputs, report)?;
    Ok(Some(Saved {
        compile: training::compile_json(&compiled, &names)?,
        progress: training::progress_json(core, &compiled, &names, &layout)?,
        optimizer_name: optimizer.name(),
        optimizer: compiled.optimizer_arrays(&layout)?,
        name,
        config,
        layout,
    }))
}

fn drawn_inputs(core: &Core) -> Result<Vec<Tensor>> {
    core.drawn_inputs().ok_or_else(|| {
        bad("cannot save a model of which the shape of the inputs is not known")
            .help("save it after `fit` or `predict`, or let it begin with an `Input`")
    })
}

/// The structure of a model as Keras's JSON, without weights and without how it is compiled.
pub(crate) fn structure_json(core: &Core, site: &'static Location<'static>) -> Result<String> {
    let at = |error: Error| if error.site().is_some() { error } else { error.at(site) };
    let (inputs, layer) = (drawn_inputs(core).map_err(at)?, &*core.network.module);
    let outputs = core.network.outputs(&inputs, site).map_err(at)?;
    let config = match whole(layer, &inputs, &outputs) {
        Ok(config) => config,
        Err(mistake) if core.dynamic => return Err(at(mistake)),
        Err(mistake) => traced::config(core, layer, &inputs, mistake, site).map_err(at)?,
    };
    Ok(carnyx_file::to_json(&config.layer_json(&own_name(layer), config::Style::Archive)))
}

/// The configuration of a model of any type, drawn on `inputs`.
fn whole(layer: &dyn Module, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Config> {
    let config = layer.config();
    if let Some(Config { content: Content::Row(parts), .. }) = &config
        && config.as_ref().is_some_and(|config| config.check().is_ok())
        && let [input] = inputs
    {
        let mut parts = parts.clone();
        if parts.first().is_none_or(|part| part.config.class != "InputLayer") {
            let sizes: Vec<Option<usize>> = input.shape().iter().map(|dim: &Dim| dim.fixed()).collect();
            let is_free = |name: &str| !parts.iter().any(|part| part.name == name);
            let name = if is_free("input") { "input" } else { "model_input" };
            let config = Config::input(&sizes, input.dtype());
            parts.insert(0, Part { name: name.to_owned(), config, nodes: Vec::new() });
        }
        return Ok(Config::new("Sequential").with(Content::Row(parts)));
    }
    let is_model = |config: &Config| matches!(config.content, Content::Row(_) | Content::Drawing { .. });
    let is_leaf = config.as_ref().is_some_and(|config| !is_model(config) && config.check().is_ok());
    let outputs = if is_leaf { outputs.to_vec() } else { inside(outputs) };
    let drawn = drawing_config(inputs, &outputs, &|_| None);
    drawn.check()?;
    Ok(drawn)
}

/// Weights alone, of any layer or model.
///
/// # Example
/// ```
/// use carnyx_nn::{Dense, SaveWeights};
/// let error = Dense::new(3).load_weights("weights.txt").unwrap_err();
/// assert_eq!(error.code(), "file");
/// ```
pub trait SaveWeights: Module {
    /// Writes all variables: `.weights.h5` as Keras does, `.safetensors` with the names of the variables.
    ///
    /// # Errors
    /// `variable`, if one has no value yet; `file`, if the file cannot be written.
    ///
    /// # Example
    /// ```
    /// use carnyx_graph::{Array, Tensor};
    /// use carnyx_nn::{Apply, Dense, Eval, SaveWeights};
    /// # let folder = std::env::temp_dir().join(format!("carnyx-weights-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder).unwrap();
    /// # let path = folder.join("scores.safetensors");
    /// let x = Tensor::from(&Array::from([[1f32, 2.0]]));
    /// let (trained, fresh) = (Dense::new(3), Dense::new(3));
    /// let y = trained.apply(&x).eval()?;
    /// trained.save_weights(&path)?;
    /// fresh.load_weights(&path)?;
    /// assert_eq!(fresh.apply(&x).eval()?, y);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    fn save_weights(&self, path: impl AsRef<Path>) -> Result {
        let path = path.as_ref();
        weights::check_values(&self.named_variables())?;
        if is_list(path)? {
            let mut tensors = carnyx_file::Tensors::new();
            for (name, variable) in self.named_variables() {
                tensors.insert(name, variable.value()?);
            }
            tensors.set_metadata("format", "carnyx");
            carnyx_file::write_atomically(path, &carnyx_file::write_safetensors(&tensors)?)
        } else {
            let root = weights::write_tree(self)?;
            carnyx_file::write_atomically(path, &carnyx_file::write_hdf5(&root)?)
        }
    }

    /// Reads values for all variables, or for none if the file does not fit. Reads the `.weights.h5` and the older
    /// `.h5` files of Keras too, and the weights out of the `.keras` file of a whole model.
    ///
    /// # Errors
    /// `file`, if the file cannot be read, lacks weights, has more, or has some of another shape.
    ///
    /// # Example
    /// ```
    /// use carnyx_nn::{Dense, SaveWeights};
    /// let error = Dense::new(3).load_weights("no/such/weights.safetensors").unwrap_err();
    /// assert_eq!(error.title(), "cannot read `no/such/weights.safetensors`");
    /// ```
    fn load_weights(&self, path: impl AsRef<Path>) -> Result {
        let path = path.as_ref();
        let is_archive = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("keras"));
        let list = !is_archive && is_list(path)?;
        let assignments = archive::bytes(path).and_then(|bytes| {
            let file = path.display().to_string();
            if is_archive {
                return weights::read_tree(self, &carnyx_file::Archive::read_from(&bytes, &file)?.weights);
            }
            if list {
                return weights::read_list(self, &carnyx_file::read_safetensors(&bytes, &file)?);
            }
            let root = carnyx_file::read_hdf5(&bytes, &file)?;
            let older = root.group("model_weights").or(root.texts("layer_names").map(|_| &root));
            match (older, weights::layout_of(self)) {
                (Some(group), Some(layout)) => {
                    let mut assignments = Vec::new();
                    legacy::read_weights(&layout, group, &mut assignments)?;
                    Ok(assignments)
                }
                (Some(_), None) => {
                    Err(bad("weights in the older format of Keras need a `Sequential` or a `Functional`"))
                }
                (None, _) => weights::read_tree(self, &root),
            }
        });
        weights::assign_all(assignments.map_err(|error| in_file(error, path))?)
    }
}

impl<M: Module + ?Sized> SaveWeights for M {}

/// Whether a path is that of a flat list of weights, not of a tree.
fn is_list(path: &Path) -> Result<bool> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("safetensors") => Ok(true),
        Some("h5" | "hdf5") => Ok(false),
        _ => Err(unknown_ending(path, "`.weights.h5` and `.safetensors`")),
    }
}
