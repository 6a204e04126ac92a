//! The one error type: what went wrong, where in the user's code, inside which layers, and what to do about it.
//!
//! Messages read like a compiler's. The user's source line is read from disk when an error is displayed, if the
//! file is there; deployed binaries show file and line only. Invariant: the *first* cause is reported, never a
//! consequence of it.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// `Result` with Carnyx's [`Error`]; `Result` alone is `Result<(), Error>`.
///
/// # Example
/// ```
/// use carnyx_graph::{Error, Result};
/// fn check_share(share: f64) -> Result {
///     match (0.0..=1.0).contains(&share) {
///         true => Ok(()),
///         false => Err(Error::new("data", format!("{share} is no share"))),
///     }
/// }
/// assert!(check_share(0.5).is_ok());
/// assert_eq!(check_share(7.0).unwrap_err().title(), "7 is no share");
/// ```
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// A place in the user's source code.
///
/// # Example
/// ```
/// use carnyx_graph::Site;
/// let site = Site { file: "notebook.py".into(), line: 7, column: 0 };
/// assert_eq!(site.to_string(), "notebook.py:7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The file's path, as the compiler was given it.
    pub file: Cow<'static, str>,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1; 0 where it is not known.
    pub column: u32,
}

impl Site {
    /// The place that called the function with `#[track_caller]` that calls this.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Site;
    /// #[track_caller]
    /// fn my_layer() -> Site {
    ///     Site::caller()
    /// }
    /// let (site, line) = (my_layer(), line!());
    /// assert_eq!(site.line, line);
    /// ```
    #[track_caller]
    pub fn caller() -> Site {
        Site::from(Location::caller())
    }
}

impl From<&'static Location<'static>> for Site {
    fn from(location: &'static Location<'static>) -> Site {
        Site { file: Cow::Borrowed(location.file()), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

/// What went wrong, where, and what to do about it. Cheap to clone.
///
/// # Example
/// ```
/// use carnyx_graph::Error;
/// let error = Error::new("data", "`x` has 100 samples, `y` has 99").help("give each sample one target");
/// assert_eq!(error.code(), "data");
/// assert!(error.to_string().starts_with("error[data]: `x` has 100 samples"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Report>);

#[derive(Clone)]
struct Report {
    code: &'static str,
    title: String,
    label: String,
    site: Option<Site>,
    layers: Vec<String>,
    notes: Vec<String>,
    help: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a code (`shape`, `dtype`, `data`, …) and one sentence: lower case, no full stop, values shown.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("units", "a layer needs at least one unit, not 0");
    /// assert_eq!(error.to_string(), "error[units]: a layer needs at least one unit, not 0");
    /// ```
    pub fn new(code: &'static str, title: impl Into<String>) -> Error {
        Error(Arc::new(Report {
            code,
            title: title.into(),
            label: String::new(),
            site: None,
            layers: Vec::new(),
            notes: Vec::new(),
            help: None,
            source: None,
        }))
    }

    fn edit(mut self, change: impl FnOnce(&mut Report)) -> Error {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Words under the caret of the source line.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("shape", "cannot add [2] and [3]").label("these shapes do not broadcast");
    /// assert!(error.to_string().ends_with("= these shapes do not broadcast"));
    /// ```
    pub fn label(self, label: impl Into<String>) -> Error {
        self.edit(|r| r.label = label.into())
    }

    /// What the user can do.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("dtype", "labels are f32").help("convert them with `.cast(DType::I64)`");
    /// assert!(error.to_string().contains("= help: convert them"));
    /// ```
    pub fn help(self, help: impl Into<String>) -> Error {
        self.edit(|r| r.help = Some(help.into()))
    }

    /// Advice on a name that is unknown: the known name most like it, if one is, and else all of them.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("activation", "there is no activation `rellu`").suggest("rellu", &["relu", "selu"]);
    /// assert_eq!(error.advice(), Some("did you mean `relu`?"));
    /// ```
    pub fn suggest<S: AsRef<str>>(self, wrong: &str, known: &[S]) -> Error {
        let distance = |name: &S| edits(&wrong.to_lowercase(), &name.as_ref().to_lowercase());
        let near = known.iter().min_by_key(|name| distance(name));
        match near.filter(|name| distance(name) <= wrong.chars().count().div_ceil(3)) {
            Some(near) => self.help(format!("did you mean `{}`?", near.as_ref())),
            None => {
                let names: Vec<String> = known.iter().map(|name| format!("`{}`", name.as_ref())).collect();
                self.help(format!("the known names are {}", names.join(", ")))
            }
        }
    }

    /// A further fact, on a line of its own.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("data", "a label is 10").note("classes are 0 to 9").note("it is label 512");
    /// assert!(error.to_string().contains("= note: classes are 0 to 9\n"));
    /// ```
    pub fn note(self, note: impl Into<String>) -> Error {
        self.edit(|r| r.notes.push(note.into()))
    }

    /// The place in the user's code.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Error, Site};
    /// let error = Error::new("shape", "a layer got [batch]").at(Site::caller());
    /// assert!(error.site().is_some());
    /// ```
    pub fn at(self, site: impl Into<Site>) -> Error {
        self.edit(|r| r.site = Some(site.into()))
    }

    /// The layer around the layers named so far.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("shape", "the sizes differ").inside("dense_1").inside("sequential");
    /// assert!(error.to_string().contains("in: sequential > dense_1"));
    /// ```
    pub fn inside(self, layer: impl Into<String>) -> Error {
        self.edit(|r| r.layers.insert(0, layer.into()))
    }

    /// The error of a lower level (I/O, a parser) that caused this one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let cause = std::io::Error::other("the disk is full");
    /// let error = Error::new("file", "`weights.h5` cannot be written").because(cause);
    /// assert!(error.to_string().contains("cause: the disk is full"));
    /// ```
    pub fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.edit(|r| r.source = Some(Arc::new(source)))
    }

    /// The kind of error, one word: `shape`, `loss-shape`, `dtype`, `mode`, `data`, `variable`, `file`, …
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let wrong = Tensor::input("x", [4]).reshape([3]);
    /// assert_eq!(wrong.check().unwrap_err().code(), "shape");
    /// ```
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The first sentence.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let wrong = Tensor::input("x", [4]) + Tensor::input("y", [5]);
    /// assert_eq!(wrong.check().unwrap_err().title(), "cannot add [batch, 4] and [batch, 5]");
    /// ```
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// The place in the user's code, if it is known.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Tensor;
    /// let (wrong, line) = (Tensor::input("x", [4]).reshape([3]), line!());
    /// assert_eq!(wrong.check().unwrap_err().site().unwrap().line, line); // the line that describes it
    /// ```
    pub fn site(&self) -> Option<&Site> {
        self.0.site.as_ref()
    }

    /// The layers around the cause, outermost first.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("shape", "the sizes differ").inside("dense_1").inside("sequential");
    /// assert_eq!(error.layers(), ["sequential", "dense_1"]);
    /// ```
    pub fn layers(&self) -> &[String] {
        &self.0.layers
    }

    /// What the user can do, if there is advice.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Error;
    /// let error = Error::new("data", "there are no samples");
    /// assert_eq!(error.advice(), None);
    /// assert_eq!(error.help("give at least one").advice(), Some("give at least one"));
    /// ```
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

/// Levenshtein's distance: the least number of letters to insert, delete or replace.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..to.len() {
            let replaced = diagonal + usize::from(letter != to[j]);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

fn source_line(site: &Site) -> Option<String> {
    let text = std::fs::read_to_string(site.file.as_ref()).ok()?;
    Some(text.lines().nth(site.line.checked_sub(1)? as usize)?.to_owned())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let report = &*self.0;
        write!(f, "error[{}]: {}", report.code, report.title)?;
        let mut pad = String::from(" ");
        if let Some(site) = &report.site {
            let number = site.line.to_string();
            pad = " ".repeat(number.len());
            write!(f, "\n{pad}--> {site}")?;
            if let Some(line) = (site.column > 0).then(|| source_line(site)).flatten() {
                // The caret stands under the column; tabs before it are kept, so that it lines up.
                let indent: String = line
                    .chars()
                    .take(site.column as usize - 1)
                    .map(|c| if c == '\t' { c } else { ' ' })
                    .collect();
                let caret = format!("{indent}^ {}", report.label);
                write!(f, "\n{pad} |\n{number} | {line}\n{pad} | {}", caret.trim_end())?;
            } else if !report.label.is_empty() {
                write!(f, "\n{pad} = {}", report.label)?;
            }
        } else if !report.label.is_empty() {
            write!(f, "\n{pad} = {}", report.label)?;
        }
        if !report.layers.is_empty() {
            write!(f, "\n{pad} = in: {}", report.layers.join(" > "))?;
        }
        for note in &report.notes {
            write!(f, "\n{pad} = note: {note}")?;
        }
        if let Some(source) = &report.source {
            write!(f, "\n{pad} = cause: {source}")?;
        }
        if let Some(help) = &report.help {
            write!(f, "\n{pad} = help: {help}")?;
        }
        Ok(())
    }
}

/// Shown like [`Display`](fmt::Display), so that `fn main() -> Result` prints the whole message.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn std::error::Error + 'static))
    }
}
