//! The data sets themselves: their files, shapes and names.
//!
//! Invariant: what is returned has the shapes that the function promises, whatever the files say.

use crate::source::{Publication, PublishedFile, Source, find};
use crate::{Split, Table, read_idx, train_test_split};
use carnyx_graph::{Array, DType, Error, Result};
use std::path::{Path, PathBuf};

/// A data set, divided into a part to train on and a part to test on.
///
/// # Example
/// ```
/// let data = carnyx_data::california_housing()?;
/// let (x_train, y_train) = (&data.train.x, &data.train.y);
/// assert_eq!(x_train.num_rows(), y_train.num_rows());
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    /// What to train on.
    pub train: Split,
    /// What to test on.
    pub test: Split,
    /// What the labels 0, 1, 2, … stand for; empty if the targets are not classes.
    pub class_names: Vec<String>,
    /// What the columns of `x` stand for; empty if they have no names.
    pub feature_names: Vec<String>,
    /// What is missing, if this is not the whole data set.
    pub note: Option<String>,
}

impl Dataset {
    /// Whether this is only a part of the published data set; `note` says which.
    ///
    /// # Example
    /// ```
    /// let data = carnyx_data::california_housing()?;
    /// assert!(!data.is_excerpt());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn is_excerpt(&self) -> bool {
        self.note.is_some()
    }
}

/// Fashion-MNIST: 60 000 + 10 000 grey pictures of clothes, `u8[n, 28, 28]`, and labels from 0 to 9, `u8[n]`.
///
/// It is looked for in the places of [`Source::standard`]. What comes with Carnyx is an excerpt of the first
/// 10 000 + 2 000 pictures; [`Source::complete`] insists on all of them.
///
/// Reference: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
/// algorithms", 2017.
///
/// # Errors
/// `file`, if no place has the data, or a file is damaged.
///
/// # Example
/// ```
/// let data = carnyx_data::fashion_mnist()?;
/// assert_eq!(data.train.x.shape()[1..], [28, 28]);
/// let first = data.train.y.element(0) as usize;
/// assert_eq!(data.class_names[first], "Ankle boot");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn fashion_mnist() -> Result<Dataset> {
    Source::standard().fashion_mnist()
}

/// [`fashion_mnist`] from a directory with the four published files, compressed or not.
///
/// # Example
/// ```
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled/fashion-mnist");
/// let data = carnyx_data::fashion_mnist_from(folder)?;
/// assert_eq!(data.test.x.shape(), [2000, 28, 28]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn fashion_mnist_from(directory: impl AsRef<Path>) -> Result<Dataset> {
    (FASHION_MNIST.read)(directory.as_ref())
}

/// MNIST: 60 000 + 10 000 grey pictures of digits, `u8[n, 28, 28]`, and labels from 0 to 9, `u8[n]`.
///
/// It is looked for in the places of [`Source::standard`]; it does not come with Carnyx.
///
/// Reference: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
///
/// # Errors
/// `file`, if no place has the data, or a file is damaged.
///
/// # Example
/// ```no_run
/// let data = carnyx_data::mnist()?;
/// assert_eq!(data.train.x.shape(), [60_000, 28, 28]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn mnist() -> Result<Dataset> {
    Source::standard().mnist()
}

/// [`mnist`] from a directory with the four published files, compressed or not.
///
/// # Example
/// ```no_run
/// let data = carnyx_data::mnist_from("data/mnist")?;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn mnist_from(directory: impl AsRef<Path>) -> Result<Dataset> {
    (MNIST.read)(directory.as_ref())
}

/// California housing: 20 640 districts of the census of 1990, `f32[n, 8]`, and the median value of their houses in
/// units of 100 000 dollars, `f32[n]`.
///
/// The authors do not divide it; here a fifth, 4 128 districts chosen by [`train_test_split`] with the seed 42, is to
/// test on, the same ones every time. It is looked for in the places of [`Source::standard`] and comes with Carnyx.
///
/// Reference: Pace and Barry, "Sparse spatial autoregressions", 1997.
///
/// # Errors
/// `file`, if no place has the data, or the file is damaged; `data`, if it has other columns.
///
/// # Example
/// ```
/// let data = carnyx_data::california_housing()?;
/// assert_eq!(data.train.x.shape(), [16_512, 8]);
/// assert_eq!(data.test.y.shape(), [4_128]);
/// assert_eq!(data.feature_names[0], "MedInc");
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn california_housing() -> Result<Dataset> {
    Source::standard().california_housing()
}

/// [`california_housing`] from a directory with the file `california_housing.csv`, compressed or not.
///
/// # Example
/// ```
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled/california-housing");
/// let data = carnyx_data::california_housing_from(folder)?;
/// assert_eq!(data.train.x.num_rows() + data.test.x.num_rows(), 20_640);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn california_housing_from(directory: impl AsRef<Path>) -> Result<Dataset> {
    (CALIFORNIA_HOUSING.read)(directory.as_ref())
}

pub(crate) const FASHION_MNIST: Publication = Publication {
    name: "fashion-mnist",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            bytes: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ],
    mirrors: &[
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    ],
    read: |folder| {
        const NAMES: [&str; 10] = [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ];
        images(folder, NAMES.map(str::to_owned).to_vec())
    },
};

pub(crate) const MNIST: Publication = Publication {
    name: "mnist",
    files: &[
        PublishedFile {
            name: "train-images-idx3-ubyte.gz",
            bytes: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ],
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ],
    read: |folder| images(folder, (0..10).map(|digit| digit.to_string()).collect()),
};

pub(crate) const CALIFORNIA_HOUSING: Publication = Publication {
    name: "california-housing",
    // In this form it is published nowhere but with Carnyx, so there is no address.
    files: &[PublishedFile {
        name: "california_housing.csv.gz",
        bytes: 707_252,
        sha256: "33f0f7650d528740f3f38d1ce55c5c069fa3531c823910d9936daec381e05c62",
    }],
    mirrors: &[],
    read: housing,
};

/// The sizes of MNIST and Fashion-MNIST as published.
const NUM_IMAGES: [usize; 2] = [60_000, 10_000];

fn images(folder: &Path, class_names: Vec<String>) -> Result<Dataset> {
    let split = |part: &str| {
        let x_path = path(folder, &format!("{part}-images-idx3-ubyte.gz"));
        let x = read_idx(&x_path)?;
        if x.shape().get(1..) != Some(&[28, 28]) || x.dtype() != DType::U8 {
            return Err(unexpected(&x_path, &x, "u8[n, 28, 28]"));
        }
        let y_path = path(folder, &format!("{part}-labels-idx1-ubyte.gz"));
        let y = read_idx(&y_path)?;
        if y.shape() != [x.num_rows()] || y.dtype() != DType::U8 {
            return Err(unexpected(&y_path, &y, &format!("u8[{}], a label for each picture", x.num_rows())));
        }
        if let Some(label) = y.as_slice::<u8>()?.iter().find(|&&label| label as usize >= class_names.len()) {
            return Err(Error::new("file", format!("`{}` has the label {label}", y_path.display()))
                .label(format!("there are {} classes", class_names.len())));
        }
        Ok(Split { x, y })
    };
    let (train, test) = (split("train")?, split("t10k")?);
    let [num_train, num_test] = [&train, &test].map(|split| split.x.num_rows());
    let note = ([num_train, num_test] != NUM_IMAGES).then(|| {
        let [all_train, all_test] = NUM_IMAGES;
        format!(
            "an excerpt: {num_train} of {all_train} pictures to train on, {num_test} of {all_test} to test on"
        )
    });
    Ok(Dataset { train, test, class_names, feature_names: Vec::new(), note })
}

fn unexpected(path: &Path, array: &Array, expected: &str) -> Error {
    Error::new("file", format!("`{}` holds {}{:?}", path.display(), array.dtype(), array.shape()))
        .label(format!("expected {expected}"))
}

fn housing(folder: &Path) -> Result<Dataset> {
    const TARGET: &str = "MedHouseVal";
    const NUM_DISTRICTS: usize = 20_640;
    let table = Table::read(path(folder, "california_housing.csv.gz"))?;
    let (train, test) = train_test_split(&table.without(TARGET)?, &table.column(TARGET)?, 0.2, 42)?;
    Ok(Dataset {
        train,
        test,
        class_names: Vec::new(),
        feature_names: table.names().iter().filter(|name| *name != TARGET).cloned().collect(),
        note: (table.num_rows() != NUM_DISTRICTS)
            .then(|| format!("an excerpt: {} of {NUM_DISTRICTS} districts", table.num_rows())),
    })
}

/// The file where it is; where it should be, if it is nowhere.
fn path(folder: &Path, name: &str) -> PathBuf {
    find(folder, name).unwrap_or_else(|| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_idx;

    fn bundled() -> Source {
        Source::at(concat!(env!("CARGO_MANIFEST_DIR"), "/bundled"))
    }

    #[test]
    fn the_bundled_fashion_mnist() {
        let data = bundled().fashion_mnist().unwrap();
        assert_eq!(data.train.x.shape(), [10_000, 28, 28]);
        assert_eq!(data.train.y.shape(), [10_000]);
        assert_eq!(data.test.x.shape(), [2_000, 28, 28]);
        assert_eq!(data.test.y.rows(0..5).unwrap(), Array::from([9u8, 2, 1, 1, 6]));
        assert_eq!(data.train.y.rows(0..5).unwrap(), Array::from([9u8, 0, 0, 3, 0]));
        assert_eq!(
            data.note.as_deref(),
            Some("an excerpt: 10000 of 60000 pictures to train on, 2000 of 10000 to test on")
        );
    }

    /// Pins the division: results that others publish with it must stay comparable.
    #[test]
    fn the_bundled_california_housing() {
        let data = bundled().california_housing().unwrap();
        assert_eq!(data.train.x.shape(), [16_512, 8]);
        assert_eq!(data.test.x.shape(), [4_128, 8]);
        assert_eq!(data.train.y.shape(), [16_512]);
        assert_eq!(
            data.feature_names,
            [
                "MedInc",
                "HouseAge",
                "AveRooms",
                "AveBedrms",
                "Population",
                "AveOccup",
                "Latitude",
                "Longitude"
            ]
        );
        assert_eq!(data.test.y.rows(0..4).unwrap().values(), [0.57, 1.993, 2.578, 1.428]);
        assert_eq!(data.train.y.rows(0..4).unwrap().values(), [1.233, 3.184, 0.792, 1.979]);
        assert!(!data.is_excerpt());
    }

    #[test]
    fn messages() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, array: Array| write_idx(root.path().join(name), &array).unwrap();
        let message = || {
            mnist_from(root.path()).unwrap_err().to_string().replace(root.path().to_str().unwrap(), "ROOT")
        };
        assert!(message().starts_with("error[file]: cannot open `ROOT/train-images-idx3-ubyte.gz`\n"));
        write("train-images-idx3-ubyte.gz", Array::full([2, 28, 27], 0u8));
        assert_eq!(
            message(),
            "error[file]: `ROOT/train-images-idx3-ubyte.gz` holds u8[2, 28, 27]\n  = expected u8[n, 28, 28]"
        );
        write("train-images-idx3-ubyte.gz", Array::full([2, 28, 28], 0u8));
        write("train-labels-idx1-ubyte", Array::from([1u8]));
        assert_eq!(
            message(),
            "error[file]: `ROOT/train-labels-idx1-ubyte` holds u8[1]\n  = expected u8[2], a label for each picture"
        );
        write("train-labels-idx1-ubyte", Array::from([1u8, 10]));
        assert_eq!(
            message(),
            "error[file]: `ROOT/train-labels-idx1-ubyte` has the label 10\n  = there are 10 classes"
        );
    }
}
