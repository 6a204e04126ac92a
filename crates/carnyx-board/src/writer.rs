//! Logs of one's own: numbers, histograms, pictures, texts and embeddings in a folder that TensorBoard reads.

use crate::event::{self, Plugin};
use crate::event_file::{EventFile, now};
use crate::graph::graph_def;
use crate::histogram::Histogram;
use crate::message::Message;
use crate::picture::{picture_of_weights, pictures};
use crate::png::{self, Pixels};
use crate::projector::Projector;
use carnyx_graph::{Array, Error, Graph, Result};
use std::path::{Path, PathBuf};

/// How many pictures of one variable are logged: of a convolution's many filters, the first ones.
const FILTERS: usize = 16;

/// Writes logs into a folder, which TensorBoard shows as one run.
///
/// Every number, picture or text has a tag, under which it is found, and a step, over which it is drawn. What was
/// written can be read at once; it is on its way to the disk for five seconds at most, or until
/// [`flush`](Writer::flush). A full disk is no error: what cannot be written is lost, and standard error says so
/// once.
///
/// # Example
/// ```
/// use carnyx_board::Writer;
/// use carnyx_graph::Array;
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path();
/// let mut log = Writer::at(runs.join("weather"))?;
/// for day in 0..3 {
///     log.scalar("temperature", day, 18.5 + day as f64)?;
/// }
/// log.histogram("rain", 2, &Array::from([0f32, 0.0, 3.5, 1.0]))?;
/// log.text("notes", 2, "It **rained** in the afternoon.")?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
/// `tensorboard --logdir runs` shows it.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    file: EventFile,
    projector: Projector,
}

impl Writer {
    /// Logs in this folder, which is made if there is none. What it holds stays: TensorBoard shows both.
    ///
    /// # Errors
    /// `file`, if the folder cannot be made or nothing can be written there.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let runs = folder.path();
    /// let log = carnyx_board::Writer::at(runs.join("1"))?;
    /// assert_eq!(log.folder(), runs.join("1"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn at(folder: impl Into<PathBuf>) -> Result<Writer> {
        let folder = folder.into();
        let file = EventFile::create(&folder)?;
        Ok(Writer { folder, file, projector: Projector::default() })
    }

    /// The folder.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let log = carnyx_board::Writer::at(folder.path())?;
    /// assert_eq!(log.folder(), folder.path());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A number, drawn over the steps. Numbers are kept as `f32`, as TensorBoard draws them; what is not finite gets a
    /// mark of its own there.
    ///
    /// # Errors
    /// `callback`, if the tag is empty.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// log.scalar("loss", 0, 0.7)?;
    /// log.scalar("loss", 1, 0.4)?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn scalar(&mut self, tag: &str, step: usize, value: f64) -> Result {
        self.log(tag, step, Plugin::Scalars, &event::floats(&[], &[value as f32]))
    }

    /// How often the values of an array are where: 30 buckets of equal width. Values that are infinite or no numbers
    /// are in none of them; the number `tag/not_finite` says how many there are, if there are any.
    ///
    /// # Errors
    /// `callback`, if the tag is empty.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// log.histogram("activations", 0, &Array::from_fn([32, 10], |i| (i % 7) as f32))?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn histogram(&mut self, tag: &str, step: usize, values: &Array) -> Result {
        let Histogram { rows, not_finite } = Histogram::of(values);
        self.log(tag, step, Plugin::Histograms, &event::doubles(&[rows.len(), 3], rows.as_flattened()))?;
        if not_finite > 0 {
            self.scalar(&format!("{tag}/not_finite"), step, not_finite as f64)?;
        }
        Ok(())
    }

    /// A picture `[height, width]` or `[height, width, channels]`, or several, `[samples, height, width, channels]`, with
    /// one to four channels. Floats go from 0 to 1, integers from 0 to 255.
    ///
    /// # Errors
    /// `shape`, if the array has another one; `callback`, if the tag is empty.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// log.image("slope", 0, &Array::from_fn([8, 64], |i| (i % 64) as f32 / 63.0))?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn image(&mut self, tag: &str, step: usize, image: &Array) -> Result {
        let pictures = pictures(image).map_err(|error| error.note(format!("in the image `{tag}`")))?;
        self.pictures(tag, step, &pictures)
    }

    /// A picture that is the content of a PNG file: a photograph, or a chart by `Figure::to_png`, which the feature
    /// `png` has.
    ///
    /// # Errors
    /// `data`, if it is no PNG file; `callback`, if the tag is empty.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// let error = log.png("curves", 0, b"<svg></svg>").unwrap_err();
    /// assert_eq!(error.title(), "the picture `curves` is no PNG file");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn png(&mut self, tag: &str, step: usize, file: &[u8]) -> Result {
        let (width, height) = png::size(file).ok_or_else(|| {
            Error::new("data", format!("the picture `{tag}` is no PNG file"))
                .help("TensorBoard shows PNG; `.image(..)` takes an array")
        })?;
        let texts = [width.to_string().as_bytes(), height.to_string().as_bytes(), file].map(<[u8]>::to_vec);
        self.log(tag, step, Plugin::Images, &event::texts(&[3], &texts))
    }

    /// A text, in which [Markdown](https://commonmark.org) is understood.
    ///
    /// # Errors
    /// `callback`, if the tag is empty.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// log.text("plan", 0, "| units | rate |\n|---|---|\n| 300 | 0.01 |")?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn text(&mut self, tag: &str, step: usize, markdown: &str) -> Result {
        self.log(tag, step, Plugin::Text, &event::texts(&[], &[markdown]))
    }

    /// Points in space, `[points, axes]`, for TensorBoard's projector: rows of an embedding, or what a layer makes of
    /// some samples. Each point has a label; without any, its number. Written at once, in place of what had the name.
    ///
    /// # Errors
    /// `shape`, if the array has no rows and columns; `data`, if there is not one label for each point; `callback`, if
    /// the name is empty; `file`, if the files cannot be written.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// let words = Array::from([[0.1f32, 0.9], [0.2, 0.8], [0.9, 0.1]]);
    /// log.embedding("words", &words, ["cat", "dog", "car"])?;
    /// assert!(folder.path().join("projector_config.pbtxt").exists());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn embedding<S: AsRef<str>>(
        &mut self,
        name: &str,
        points: &Array,
        labels: impl IntoIterator<Item = S>,
    ) -> Result {
        check_tag(name)?;
        let labels: Vec<String> = labels.into_iter().map(|label| label.as_ref().to_owned()).collect();
        self.projector.add(&self.folder, name, points, &labels)
    }

    /// A graph of operations, with a box for each layer. A folder has one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Graph, Tensor};
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// let x = Tensor::from(Array::full([32], 1f32));
    /// log.graph(&Graph::capture(&[(x * 2.0).sum()], &[])?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn graph(&mut self, graph: &Graph) {
        self.file.log(&event::graph(now(), &graph_def(graph)));
    }

    /// A model as its layers: what Keras's `to_json` says of it. A folder has one.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// use carnyx_nn::{Compile, Dense, Input, MeanSquaredError, Sequential, Sgd};
    /// let model = Sequential::new().then(Input::new([3])).then(Dense::new(1));
    /// let model = model.compile(Sgd::new(0.1), MeanSquaredError);
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// log.keras_graph(&model.to_json()?);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn keras_graph(&mut self, json: &str) {
        let event = event::summary(now(), 0, "keras", Plugin::KerasGraph, &event::texts(&[], &[json]));
        self.file.log(&event);
    }

    /// Writes everything, now.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = carnyx_board::Writer::at(folder.path())?;
    /// log.scalar("loss", 0, 0.7)?;
    /// log.flush(); // whoever reads the file now finds the loss
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn flush(&mut self) {
        self.file.flush();
    }

    /// A variable as a picture, if it can be one.
    pub(crate) fn weights_as_image(&mut self, tag: &str, step: usize, weights: &Array) -> Result {
        match picture_of_weights(weights) {
            Some(pictures) => self.pictures(tag, step, &pictures[..pictures.len().min(FILTERS)]),
            None => Ok(()),
        }
    }

    /// A message about hyperparameters.
    pub(crate) fn hyperparameters(&mut self, tag: &str, content: &Message) {
        self.file.log(&event::hyperparameters(now(), tag, content));
    }

    fn pictures(&mut self, tag: &str, step: usize, pictures: &[Pixels]) -> Result {
        let Some(Pixels { width, height, .. }) = pictures.first() else { return Ok(()) };
        let mut texts = vec![width.to_string().into_bytes(), height.to_string().into_bytes()];
        texts.extend(pictures.iter().map(png::encode));
        self.log(tag, step, Plugin::Images, &event::texts(&[texts.len()], &texts))
    }

    fn log(&mut self, tag: &str, step: usize, plugin: Plugin, tensor: &Message) -> Result {
        check_tag(tag)?;
        self.file.log(&event::summary(now(), step as i64, tag, plugin, tensor));
        Ok(())
    }
}

/// Nothing could be found under no name.
fn check_tag(tag: &str) -> Result {
    if !tag.is_empty() {
        return Ok(());
    }
    Err(Error::new("callback", "the tag of a log is empty")
        .help("give it a name, such as `loss`; a `/` in it makes groups"))
}
