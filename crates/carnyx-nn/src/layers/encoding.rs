//! Numbers of categories as rows of zeros and ones, or of counts: in graphs, and for lists on the host.

use crate::saving::Fields;
use crate::{Forks, Module, Visitor};
use carnyx_graph::{Array, DType, Dim, Error, Result, Tensor};
use std::fmt;

/// How numbers of categories come out of a layer.
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// use carnyx_nn::{Encoding, StringLookup};
/// let colours = StringLookup::new().vocabulary(["red", "green"])?.encoding(Encoding::Count);
/// let rows = colours.encode_rows(&[vec!["red", "red", "blue"], vec!["green", "red", "red"]])?;
/// assert_eq!(rows, Array::from([[1f32, 2.0, 0.0], [0.0, 2.0, 1.0]])); // unknown, red, green
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// The numbers themselves.
    #[default]
    Int,
    /// For each number a row with a single 1.
    OneHot,
    /// For each sample a row with 1 for each number that occurs in it.
    MultiHot,
    /// For each sample how often each number occurs in it.
    Count,
    /// The counts, times a weight that is greater for rare numbers: term frequency times inverse document frequency.
    TfIdf,
}

const NAMES: [(&str, Encoding); 5] = [
    ("int", Encoding::Int),
    ("one_hot", Encoding::OneHot),
    ("multi_hot", Encoding::MultiHot),
    ("count", Encoding::Count),
    ("tf_idf", Encoding::TfIdf),
];

/// The name in Keras.
impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (name, _) =
            NAMES.iter().find(|(_, encoding)| encoding == self).expect("each encoding has a name");
        f.write_str(name)
    }
}

impl Module for Encoding {
    fn fork(&self, _forks: &mut Forks) -> Encoding {
        *self
    }

    fn visit(&self, _visitor: &mut Visitor) {}
}

impl Encoding {
    pub(super) fn read(fields: Fields, default: Encoding) -> Result<Encoding> {
        if fields.get("output_mode").is_none() {
            return Ok(default);
        }
        let text = fields.text("output_mode")?;
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, encoding)| *encoding)
            .ok_or_else(|| fields.wrong("output_mode", "the name of an encoding"))
    }

    /// Numbers below `depth` in this encoding; others leave no trace.
    pub(super) fn of(self, kind: &str, numbers: &Tensor, depth: usize) -> Result<Tensor> {
        let shape = numbers.facts()?.shape.clone();
        let is_single = shape.len() > 1 && shape.last() == Some(&Dim::Fixed(1));
        let wants_samples = matches!(self, Encoding::MultiHot | Encoding::Count | Encoding::TfIdf);
        if wants_samples && shape.len() != 2 {
            return Err(Error::new("shape", format!("`{kind}` cannot encode {shape} as `{self}`"))
                .label("it wants [batch, numbers]: each row is one sample")
                .help("give each sample an axis of numbers, for example with `Reshape::new([1])`"));
        }
        Ok(match self {
            Encoding::Int => numbers.clone(),
            Encoding::OneHot if is_single => numbers.squeeze(-1).one_hot(depth, DType::F32),
            Encoding::OneHot => numbers.one_hot(depth, DType::F32),
            Encoding::MultiHot => numbers.one_hot(depth, DType::F32).max_along(-2),
            Encoding::Count | Encoding::TfIdf => numbers.one_hot(depth, DType::F32).sum_along(-2),
        })
    }

    /// The same for rows of numbers on the host; negative ones leave no trace. `weights` multiply counts.
    pub(super) fn of_rows(self, rows: &[Vec<i64>], depth: usize, weights: Option<&[f32]>) -> Result<Array> {
        let length = rows.first().map_or(0, Vec::len);
        if matches!(self, Encoding::Int | Encoding::OneHot)
            && let Some((i, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != length)
        {
            return Err(Error::new("data", format!("row 0 has length {length}, row {i} has {}", row.len()))
                .label(format!("as `{self}`, rows of one length are one array"))
                .help("fill shorter rows up with a token for padding, or count with `Encoding::Count`"));
        }
        let mut encoded = Vec::new();
        for row in rows {
            match self {
                Encoding::Int => {}
                Encoding::OneHot => row.iter().for_each(|&number| encoded.extend(one_hot(number, depth))),
                _ => encoded.extend(self.of_sample(row, depth, weights)),
            }
        }
        match self {
            Encoding::Int => Array::new([rows.len(), length], rows.concat()),
            Encoding::OneHot => Array::new([rows.len(), length, depth], encoded),
            _ => Array::new([rows.len(), depth], encoded),
        }
    }

    fn of_sample(self, numbers: &[i64], depth: usize, weights: Option<&[f32]>) -> Vec<f32> {
        let mut sample = vec![0f32; depth];
        for place in numbers.iter().filter_map(|&number| usize::try_from(number).ok()).filter(|&i| i < depth)
        {
            sample[place] = if self == Encoding::MultiHot { 1.0 } else { sample[place] + 1.0 };
        }
        if let Some(weights) = weights.filter(|_| self == Encoding::TfIdf) {
            sample.iter_mut().zip(weights).for_each(|(count, weight)| *count *= weight);
        }
        sample
    }
}

fn one_hot(number: i64, depth: usize) -> impl Iterator<Item = f32> {
    (0..depth).map(move |i| if i64::try_from(i) == Ok(number) { 1.0 } else { 0.0 })
}

/// The elements as whole numbers.
pub(super) fn whole(kind: &str, x: &Tensor) -> Result<Tensor> {
    match x.facts()?.dtype {
        DType::I32 | DType::I64 => Ok(x.clone()),
        DType::Bool => Err(Error::new("dtype", format!("`{kind}` cannot work on truth values"))
            .label("it wants whole numbers")
            .help("convert the data with `.cast(DType::I32)`")),
        _ => Ok(x.cast(DType::I64)),
    }
}
