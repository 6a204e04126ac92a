//! Where the files of the data sets come from: directories, in order, then a download if that feature is on.
//!
//! A directory of a [`Source`] has one folder for each data set. Invariants: a folder counts only if all files are in
//! it; an error inside a file is reported and never hidden by going on to the next place.

use crate::datasets::{CALIFORNIA_HOUSING, Dataset, FASHION_MNIST, MNIST};
use carnyx_graph::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file of a data set, as its authors publish it.
pub(crate) struct PublishedFile {
    pub name: &'static str,
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "only a download is checked"))]
    pub bytes: u64,
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "only a download is checked"))]
    pub sha256: &'static str,
}

/// What is known of a data set before its files are read.
pub(crate) struct Publication {
    /// Its name, and that of its folder.
    pub name: &'static str,
    pub files: &'static [PublishedFile],
    /// Addresses to which a file's name is appended; none, if nobody publishes these files.
    pub mirrors: &'static [&'static str],
    pub read: fn(&Path) -> Result<Dataset>,
}

/// The places in which data sets are looked for.
///
/// A place is a directory with the folders `fashion-mnist`, `mnist` and `california-housing`.
///
/// # Example
/// ```
/// use carnyx_data::Source;
/// let error = Source::at("my/data").or_at("/mnt/data").mnist().unwrap_err();
/// assert!(error.to_string().contains("`my/data/mnist` does not exist"));
/// ```
#[derive(Clone, Debug)]
pub struct Source {
    directories: Vec<PathBuf>,
    only_complete: bool,
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "nothing is downloaded"))]
    download: Download,
}

#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "download"), expect(dead_code, reason = "nothing is downloaded"))]
enum Download {
    Never,
    FromMirrors,
    From(String),
}

impl Source {
    /// The usual places: the directory for data, then the files that come with Carnyx, then, with the feature
    /// `download`, the addresses at which the authors publish the data set.
    ///
    /// The directory for data is the environment variable `CARNYX_DATA`; if that is not set, the folder `carnyx` in
    /// the user's directory for caches (Linux: `$XDG_CACHE_HOME` or `~/.cache`, macOS: `~/Library/Caches`, Windows:
    /// `%LOCALAPPDATA%`). Downloaded files are kept there.
    ///
    /// The files that come with Carnyx are found where its source was when the program was compiled, so a program
    /// on another computer does not have them.
    ///
    /// # Example
    /// ```
    /// let housing = carnyx_data::Source::standard().california_housing()?;
    /// assert_eq!(housing.feature_names.len(), 8);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn standard() -> Source {
        let cache = cache_directory(|name| std::env::var_os(name));
        let download = if cache.is_some() { Download::FromMirrors } else { Download::Never };
        let bundled = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/bundled"));
        Source { directories: cache.into_iter().chain([bundled]).collect(), only_complete: false, download }
    }

    /// Only `directory`.
    ///
    /// # Example
    /// ```
    /// # let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled");
    /// use carnyx_data::Source;
    /// let housing = Source::at(bundled).california_housing()?;
    /// assert_eq!(housing.train.x.row_len(), 8);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn at(directory: impl Into<PathBuf>) -> Source {
        Source { directories: vec![directory.into()], only_complete: false, download: Download::Never }
    }

    /// After the other directories, also `directory`.
    ///
    /// # Example
    /// ```
    /// # let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled");
    /// use carnyx_data::Source;
    /// let housing = Source::at("no/such/directory").or_at(bundled).california_housing()?;
    /// assert_eq!(housing.train.x.row_len(), 8);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[must_use]
    pub fn or_at(mut self, directory: impl Into<PathBuf>) -> Source {
        self.directories.push(directory.into());
        self
    }

    /// Passes over excerpts, such as the one of Fashion-MNIST that comes with Carnyx.
    ///
    /// # Example
    /// ```
    /// # let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled");
    /// use carnyx_data::Source;
    /// assert!(Source::at(bundled).fashion_mnist()?.is_excerpt());
    /// assert!(Source::at(bundled).complete().fashion_mnist().is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[must_use]
    pub fn complete(mut self) -> Source {
        self.only_complete = true;
        self
    }

    /// Downloads what no directory has from below this address, into the first directory.
    ///
    /// # Example
    /// ```no_run
    /// use carnyx_data::Source;
    /// let data = Source::at("data").download_from("https://mirror.example.org/fashion-mnist").fashion_mnist()?;
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[cfg(feature = "download")]
    #[must_use]
    pub fn download_from(mut self, address: impl Into<String>) -> Source {
        self.download = Download::From(address.into());
        self
    }

    /// Fashion-MNIST from these places; see [`fashion_mnist`](crate::fashion_mnist).
    ///
    /// # Example
    /// ```
    /// # let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled");
    /// let clothes = carnyx_data::Source::at(bundled).fashion_mnist()?;
    /// assert_eq!(clothes.class_names.len(), 10);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn fashion_mnist(&self) -> Result<Dataset> {
        self.load(&FASHION_MNIST)
    }

    /// MNIST from these places; see [`mnist`](crate::mnist).
    ///
    /// # Example
    /// ```
    /// let error = carnyx_data::Source::at("no/such/directory").mnist().unwrap_err();
    /// assert_eq!(error.code(), "file");
    /// ```
    pub fn mnist(&self) -> Result<Dataset> {
        self.load(&MNIST)
    }

    /// California housing from these places; see [`california_housing`](crate::california_housing).
    ///
    /// # Example
    /// ```
    /// # let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled");
    /// let housing = carnyx_data::Source::at(bundled).california_housing()?;
    /// assert_eq!(housing.train.y.shape(), [16_512]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn california_housing(&self) -> Result<Dataset> {
        self.load(&CALIFORNIA_HOUSING)
    }

    fn load(&self, publication: &Publication) -> Result<Dataset> {
        let mut looked_at = Vec::new();
        for directory in &self.directories {
            let folder = directory.join(publication.name);
            let missing = publication.files.iter().find(|file| find(&folder, file.name).is_none());
            looked_at.push(match missing {
                _ if !folder.is_dir() => format!("`{}` does not exist", folder.display()),
                Some(file) => format!("`{}` has no `{}`", folder.display(), file.name),
                None => {
                    let dataset = (publication.read)(&folder)?;
                    if !(self.only_complete && dataset.is_excerpt()) {
                        return Ok(dataset);
                    }
                    format!("`{}` has only an excerpt", folder.display())
                }
            });
        }
        #[cfg(feature = "download")]
        if let Some(folder) = self.download(publication)? {
            return (publication.read)(&folder);
        }
        Err(not_found(publication, looked_at))
    }

    /// Downloads the files that the first directory lacks; the folder they are in, or `None` if nothing is to be
    /// downloaded.
    #[cfg(feature = "download")]
    fn download(&self, publication: &Publication) -> Result<Option<PathBuf>> {
        let mirrors = match &self.download {
            Download::Never => Vec::new(),
            Download::FromMirrors => publication.mirrors.to_vec(),
            Download::From(address) => vec![address.as_str()],
        };
        let Some(directory) = self.directories.first().filter(|_| !mirrors.is_empty()) else {
            return Ok(None);
        };
        let folder = directory.join(publication.name);
        std::fs::create_dir_all(&folder).map_err(|e| {
            Error::new("file", format!("cannot create the directory `{}`", folder.display())).because(e)
        })?;
        let missing: Vec<_> =
            publication.files.iter().filter(|file| find(&folder, file.name).is_none()).collect();
        missing.iter().try_for_each(|file| crate::download::fetch(&mirrors, file, &folder))?;
        Ok((!missing.is_empty()).then_some(folder))
    }
}

/// The path of a published file in `folder`, compressed or unpacked.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [name, name.trim_end_matches(".gz")].map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
}

fn not_found(publication: &Publication, looked_at: Vec<String>) -> Error {
    let name = publication.name;
    let files: Vec<String> = publication.files.iter().map(|file| format!("`{}`", file.name)).collect();
    let download = match publication.mirrors {
        [] => "",
        _ if cfg!(feature = "download") => ", or use `Source::standard()`, which downloads them",
        _ => ", or enable the feature `download` of `carnyx-data`",
    };
    let error = Error::new("file", format!("the data set `{name}` was not found"));
    looked_at.into_iter().fold(error, Error::note).help(format!(
        "put {} into one of these directories, or set the environment variable `CARNYX_DATA` to the directory that \
         has the folder `{name}`{download}",
        files.join(", ")
    ))
}

/// The directory for data, given the environment's variables.
fn cache_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let directory = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(chosen) = directory("CARNYX_DATA") {
        return Some(chosen);
    }
    let caches = if cfg!(windows) {
        directory("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        directory("HOME").map(|home| home.join("Library/Caches"))
    } else {
        // The specification of these variables says that a relative path is to be ignored.
        let given = directory("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        given.or_else(|| directory("HOME").map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("carnyx"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_idx;
    use carnyx_graph::Array;
    use std::fs;

    /// A folder with `rows` images of which each pixel is `value`.
    fn write_mnist(folder: &Path, rows: usize, value: u8) {
        fs::create_dir_all(folder).unwrap();
        for part in ["train", "t10k"] {
            let images = Array::full([rows, 28, 28], value);
            write_idx(folder.join(format!("{part}-images-idx3-ubyte.gz")), &images).unwrap();
            write_idx(folder.join(format!("{part}-labels-idx1-ubyte")), &Array::full([rows], 3u8)).unwrap();
        }
    }

    fn pixel(source: &Source) -> f64 {
        source.mnist().unwrap().train.x.element(0)
    }

    #[test]
    fn the_first_complete_folder_wins() {
        let root = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| root.path().join(name));
        write_mnist(&b.join("mnist"), 2, 7);
        let source = Source::at(&a).or_at(&b);
        assert_eq!(pixel(&source), 7.0);
        write_mnist(&a.join("mnist"), 2, 5);
        assert_eq!(pixel(&source), 5.0);
        fs::remove_file(a.join("mnist/t10k-labels-idx1-ubyte")).unwrap();
        assert_eq!(pixel(&source), 7.0);
        // A damaged file is not passed over.
        write_mnist(&a.join("mnist"), 2, 5);
        fs::write(a.join("mnist/t10k-labels-idx1-ubyte"), [0, 0]).unwrap();
        assert!(source.mnist().unwrap_err().title().ends_with("ends within its header"));
    }

    #[test]
    fn an_error_lists_the_places() {
        let root = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| root.path().join(name));
        write_mnist(&b.join("mnist"), 2, 7);
        fs::remove_file(b.join("mnist/t10k-images-idx3-ubyte.gz")).unwrap();
        write_mnist(&c.join("mnist"), 2, 7);
        let source = Source::at(&a).or_at(&b).or_at(&c).complete();
        let clean = |error: Error| error.to_string().replace(root.path().to_str().unwrap(), "ROOT");
        let how = if cfg!(feature = "download") {
            "use `Source::standard()`, which downloads them"
        } else {
            "enable the feature `download` of `carnyx-data`"
        };
        assert_eq!(
            clean(source.mnist().unwrap_err()),
            format!(
                "error[file]: the data set `mnist` was not found\n  \
                 = note: `ROOT/a/mnist` does not exist\n  \
                 = note: `ROOT/b/mnist` has no `t10k-images-idx3-ubyte.gz`\n  \
                 = note: `ROOT/c/mnist` has only an excerpt\n  \
                 = help: put `train-images-idx3-ubyte.gz`, `train-labels-idx1-ubyte.gz`, \
                 `t10k-images-idx3-ubyte.gz`, `t10k-labels-idx1-ubyte.gz` into one of these directories, or set the \
                 environment variable `CARNYX_DATA` to the directory that has the folder `mnist`, or {how}"
            )
        );
        assert_eq!(
            clean(Source::at(&a).california_housing().unwrap_err()),
            "error[file]: the data set `california-housing` was not found\n  \
             = note: `ROOT/a/california-housing` does not exist\n  \
             = help: put `california_housing.csv.gz` into one of these directories, or set the environment variable \
             `CARNYX_DATA` to the directory that has the folder `california-housing`"
        );
    }

    #[test]
    #[cfg(all(unix, not(target_os = "macos")))]
    fn the_environment_chooses_the_cache() {
        let with = |variables: &[(&str, &str)]| {
            let found = |name: &str| variables.iter().find(|(known, _)| *known == name);
            cache_directory(|name| found(name).map(|(_, value)| value.into()))
        };
        let all = [("CARNYX_DATA", "/d"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(with(&all), Some("/d".into()));
        assert_eq!(with(&all[1..]), Some("/x/carnyx".into()));
        assert_eq!(with(&all[2..]), Some("/h/.cache/carnyx".into()));
        assert_eq!(with(&[("CARNYX_DATA", ""), ("XDG_CACHE_HOME", "x"), ("HOME", "/h")]), with(&all[2..]));
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn the_bundle_is_the_last_directory() {
        assert!(Source::standard().directories.last().unwrap().ends_with("bundled"));
    }
}
