//! Safetensors: a length, a header in JSON, then the bytes of all tensors one after another.
//!
//! ```text
//! byte 0..8      n, the length of the header, little-endian
//! byte 8..8+n    {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, …}
//! then           the elements, little-endian and row-major; offsets count from here
//! ```
//! The format is this small that a crate for it would bring more than it saves, and it would not keep the order of the
//! tensors. Invariant, as the format demands: tensors cover the bytes behind the header without a hole or an overlap.

use carnyx_graph::array::Storage;
use carnyx_graph::{Array, Error, Result};
use serde_json::{Map, Value, json};

use crate::to_json;

/// The contents of a safetensors file: arrays with names, in the order in which they lie in the file, and texts.
///
/// # Example
/// ```
/// use carnyx_file::Tensors;
/// use carnyx_graph::Array;
/// let mut tensors = Tensors::new();
/// tensors.insert("dense.kernel", Array::from([[1.0f32, 2.0]]));
/// tensors.set_metadata("format", "carnyx");
/// assert_eq!(tensors.get("dense.kernel").unwrap().shape(), [1, 2]);
/// assert_eq!(tensors.metadata("format"), Some("carnyx"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    arrays: Vec<(String, Array)>,
    metadata: Vec<(String, String)>,
}

impl Tensors {
    /// No arrays and no texts.
    ///
    /// # Example
    /// ```
    /// assert_eq!(carnyx_file::Tensors::new().arrays().count(), 0);
    /// ```
    pub fn new() -> Tensors {
        Tensors::default()
    }

    /// The array of this name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Tensors;
    /// assert!(Tensors::new().get("kernel").is_none());
    /// ```
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array)
    }

    /// All arrays, with their names.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Tensors;
    /// # use carnyx_graph::Array;
    /// let mut tensors = Tensors::new();
    /// tensors.insert("kernel", Array::from([1.0f32]));
    /// tensors.insert("bias", Array::from([0.0f32]));
    /// assert_eq!(tensors.arrays().map(|(name, _)| name).collect::<Vec<_>>(), ["kernel", "bias"]);
    /// ```
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Adds an array at the end, or puts it in the place of the one that had the name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Tensors;
    /// # use carnyx_graph::Array;
    /// let mut tensors = Tensors::new();
    /// tensors.insert("kernel", Array::from([1.0f32]));
    /// tensors.insert("kernel", Array::from([2.0f32]));
    /// assert!(tensors.arrays().eq([("kernel", &Array::from([2.0f32]))]));
    /// ```
    pub fn insert(&mut self, name: impl Into<String>, array: Array) {
        let name = name.into();
        match self.arrays.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = array,
            None => self.arrays.push((name, array)),
        }
    }

    /// The text of this key.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Tensors;
    /// assert_eq!(Tensors::new().metadata("format"), None);
    /// ```
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    /// All texts, with their keys.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Tensors;
    /// let mut tensors = Tensors::new();
    /// tensors.set_metadata("format", "carnyx");
    /// assert!(tensors.all_metadata().eq([("format", "carnyx")]));
    /// ```
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(key, text)| (key.as_str(), text.as_str()))
    }

    /// Sets a text; what had the key before goes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_file::Tensors;
    /// let mut tensors = Tensors::new();
    /// tensors.set_metadata("epoch", "3");
    /// assert_eq!(tensors.metadata("epoch"), Some("3"));
    /// ```
    pub fn set_metadata(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let (key, text) = (key.into(), text.into());
        match self.metadata.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = text,
            None => self.metadata.push((key, text)),
        }
    }
}

/// Writes the format, byte for byte the same for the same contents.
///
/// # Errors
/// `file`, if an array is named `__metadata__`, which the format keeps for the texts.
///
/// # Example
/// ```
/// use carnyx_file::{Tensors, read_safetensors, write_safetensors};
/// use carnyx_graph::Array;
/// let mut tensors = Tensors::new();
/// tensors.insert("kernel", Array::from([[1.0f32, 2.0]]));
/// let bytes = write_safetensors(&tensors)?;
/// assert_eq!(read_safetensors(&bytes, "model.safetensors")?, tensors);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn write_safetensors(tensors: &Tensors) -> Result<Vec<u8>> {
    let mut header = Map::new();
    if !tensors.metadata.is_empty() {
        let texts = tensors.metadata.iter().map(|(key, text)| (key.clone(), Value::from(text.as_str())));
        header.insert(METADATA.into(), Value::Object(texts.collect()));
    }
    let mut end = 0;
    for (name, array) in &tensors.arrays {
        if name == METADATA {
            return Err(Error::new(
                "file",
                format!("no tensor of a safetensors file can be named `{METADATA}`"),
            ));
        }
        let start = end;
        end += array.num_bytes();
        let dtype = match array.storage() {
            Storage::F32(_) => "F32",
            Storage::F64(_) => "F64",
            Storage::I32(_) => "I32",
            Storage::I64(_) => "I64",
            Storage::U8(_) => "U8",
            Storage::Bool(_) => "BOOL",
        };
        let entry = json!({"dtype": dtype, "shape": array.shape(), "data_offsets": [start, end]});
        header.insert(name.clone(), entry);
    }
    let mut header = to_json(&Value::Object(header));
    // Readers that map the file into memory want the elements to begin at a multiple of 8.
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    for (_, array) in &tensors.arrays {
        match array.storage() {
            Storage::F32(data) => data.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Storage::F64(data) => data.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Storage::I32(data) => data.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Storage::I64(data) => data.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Storage::U8(data) => bytes.extend(data.iter()),
            Storage::Bool(data) => bytes.extend(data.iter().map(|&v| u8::from(v))),
        }
    }
    Ok(bytes)
}

/// Reads a safetensors file that is in memory; `file` stands for it in error messages.
///
/// 16-bit floats become `f32`; integers of other widths than 8 bits without and 32 and 64 bits with a sign become
/// `i64`.
///
/// # Errors
/// `file`, if the bytes are no such file, end early, go on too long, or hold a type that [`Array`] has not.
///
/// # Example
/// ```
/// let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
/// let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &0.5f32.to_le_bytes()].concat();
/// let tensors = carnyx_file::read_safetensors(&bytes, "x.safetensors")?;
/// assert_eq!(tensors.get("x").unwrap().values(), [0.5]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn read_safetensors(bytes: &[u8], file: &str) -> Result<Tensors> {
    let not_one = || Error::new("file", format!("`{file}` is not a safetensors file"));
    let (length, rest) = bytes.split_first_chunk().ok_or_else(|| {
        not_one().label(format!("it has {} bytes, and the length of the header alone has 8", bytes.len()))
    })?;
    let length = u64::from_le_bytes(*length);
    let (header, data) =
        usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)).ok_or_else(|| {
            not_one().label(format!(
                "its header should have {length} bytes, and {} bytes are left in the file",
                rest.len()
            ))
        })?;
    let header: Map<String, Value> = serde_json::from_slice(header).map_err(|e| not_one().because(e))?;
    let mut tensors = Tensors::new();
    let mut entries = Vec::new();
    for (name, value) in header {
        if name != METADATA {
            entries.push(Entry::parse(name, &value, file)?);
            continue;
        }
        let texts = value.as_object().ok_or_else(|| not_one().label("its metadata are no object"))?;
        for (key, text) in texts {
            let text =
                text.as_str().ok_or_else(|| not_one().label(format!("its metadata `{key}` are no text")))?;
            tensors.metadata.push((key.clone(), text.to_owned()));
        }
    }
    entries.sort_by_key(|entry| (entry.start, entry.end));
    let mut at = 0;
    for entry in entries {
        tensors.arrays.push((entry.name.clone(), entry.array(at, data, file)?));
        at = entry.end;
    }
    if at != data.len() {
        return Err(Error::new("file", format!("`{file}` goes on after its last tensor"))
            .label(format!("the tensors have {at} bytes, and {} follow the header", data.len())));
    }
    Ok(tensors)
}

/// The key of the header that stands for texts, not for a tensor.
const METADATA: &str = "__metadata__";

/// What the header says of one tensor.
struct Entry {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

impl Entry {
    fn parse(name: String, value: &Value, file: &str) -> Result<Entry> {
        let sizes = |key| {
            let list = value.get(key)?.as_array()?;
            list.iter().map(|size| usize::try_from(size.as_u64()?).ok()).collect::<Option<Vec<usize>>>()
        };
        let dtype = value.get("dtype").and_then(Value::as_str);
        match (dtype, sizes("shape"), sizes("data_offsets").as_deref()) {
            (Some(dtype), Some(shape), Some(&[start, end])) => {
                Ok(Entry { name, dtype: dtype.to_owned(), shape, start, end })
            }
            _ => Err(Error::new(
                "file",
                format!("the header of `{file}` does not describe the tensor `{name}`"),
            )
            .label("each tensor needs a `dtype`, a `shape` and two `data_offsets`")),
        }
    }

    /// The elements, which must begin at `at`, where the tensor before ended.
    fn array(&self, at: usize, data: &[u8], file: &str) -> Result<Array> {
        let (name, start, end) = (&self.name, self.start, self.end);
        let bytes = data.get(start..end).filter(|_| start == at).ok_or_else(|| {
            Error::new("file", format!("the tensor `{name}` of `{file}` is not where its header says"))
                .label(format!("it should fill the bytes {start}..{end}, from {at} on, of {}", data.len()))
        })?;
        let array = match self.dtype.as_str() {
            "F32" => self.elements(bytes, f32::from_le_bytes),
            "F64" => self.elements(bytes, f64::from_le_bytes),
            "F16" => self.elements(bytes, |two| f16_to_f32(u16::from_le_bytes(two))),
            "BF16" => self.elements(bytes, |two| bf16_to_f32(u16::from_le_bytes(two))),
            "I8" => self.elements(bytes, |byte| i64::from(i8::from_le_bytes(byte))),
            "I16" => self.elements(bytes, |two| i64::from(i16::from_le_bytes(two))),
            "I32" => self.elements(bytes, i32::from_le_bytes),
            "I64" => self.elements(bytes, i64::from_le_bytes),
            "U8" => self.elements(bytes, |[byte]: [u8; 1]| byte),
            "U16" => self.elements(bytes, |two| i64::from(u16::from_le_bytes(two))),
            "U32" => self.elements(bytes, |four| i64::from(u32::from_le_bytes(four))),
            "BOOL" => self.elements(bytes, |[byte]: [u8; 1]| byte != 0),
            other => {
                return Err(Error::new(
                    "file",
                    format!("the tensor `{name}` of `{file}` is of type `{other}`"),
                )
                .help("the types that can be read are F16, BF16, F32, F64, I8 to I64, U8 to U32 and BOOL"));
            }
        };
        array.map_err(|e| {
            Error::new("file", format!("the tensor `{name}` of `{file}` has another size than its shape"))
                .because(e)
        })
    }

    fn elements<T: carnyx_graph::Element, const W: usize>(
        &self,
        bytes: &[u8],
        from: impl Fn([u8; W]) -> T,
    ) -> Result<Array> {
        let (elements, rest) = bytes.as_chunks::<W>();
        if !rest.is_empty() {
            return Err(Error::new(
                "shape",
                format!("{} bytes are no whole number of elements", bytes.len()),
            ));
        }
        Array::new(self.shape.clone(), elements.iter().map(|&bytes| from(bytes)).collect())
    }
}

/// The value of an IEEE half-precision float.
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let mantissa = u32::from(bits & 0x3ff);
    match exponent {
        // Subnormal: a multiple of 2^-24.
        0 => f32::from_bits(sign | (mantissa as f32 / 16777216.0).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | mantissa << 13),
        // The bias is 127 instead of 15.
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

/// The value of a bfloat16, which is the upper half of an `f32`.
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_graph::DType;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    fn message(bytes: &[u8]) -> String {
        read_safetensors(bytes, "m").unwrap_err().to_string()
    }

    fn all_types() -> Tensors {
        let mut tensors = Tensors::new();
        tensors.insert("scalar", Array::from(2.5f64));
        for dtype in DType::ALL {
            let array = Array::from_fn([2, 3], |i| i as i32).cast(dtype);
            tensors.insert(format!("x/{dtype}"), array);
        }
        tensors.insert("empty", Array::zeros([0, 3], DType::F32));
        tensors.set_metadata("b", "1");
        tensors.set_metadata("a", "ü");
        tensors
    }

    #[test]
    fn what_is_written_is_read_again() {
        let tensors = all_types();
        let bytes = write_safetensors(&tensors).unwrap();
        assert_eq!(bytes, write_safetensors(&tensors).unwrap());
        let read = read_safetensors(&bytes, "m").unwrap();
        // An empty tensor and its neighbour begin at the same byte; everything else keeps its place.
        assert_eq!(read, tensors);
        let mut reserved = Tensors::new();
        reserved.insert(METADATA, Array::from(1i32));
        assert_eq!(write_safetensors(&reserved).unwrap_err().code(), "file");
    }

    #[test]
    fn other_types_are_widened() {
        for (dtype, bytes, values) in [
            ("F16", &[0x00, 0x3c, 0x01, 0x00, 0xff, 0xfb][..], &[1.0, 5.9604645e-8, -65504.0][..]),
            ("BF16", &[0x80, 0x3f, 0x00, 0xc0], &[1.0, -2.0]),
            ("I8", &[0xff, 3], &[-1.0, 3.0]),
            ("I16", &[0xff, 0xff], &[-1.0]),
            ("U16", &[0xff, 0xff], &[65535.0]),
            ("U32", &[0, 0, 0, 128], &[2147483648.0]),
            ("BOOL", &[0, 1, 2], &[0.0, 1.0, 1.0]),
        ] {
            let (n, end) = (values.len(), bytes.len());
            let header = format!(r#"{{"x":{{"dtype":"{dtype}","shape":[{n}],"data_offsets":[0,{end}]}}}}"#);
            let tensors = read_safetensors(&file(&header, bytes), "m").unwrap();
            assert_eq!(tensors.get("x").unwrap().values(), values, "{dtype}");
        }
        assert!(f16_to_f32(0x7e00).is_nan());
        assert_eq!(f16_to_f32(0xfc00), f32::NEG_INFINITY);
    }

    #[test]
    fn messages() {
        assert_eq!(
            message(b"\x89PNG"),
            "error[file]: `m` is not a safetensors file\n  \
             = it has 4 bytes, and the length of the header alone has 8"
        );
        assert_eq!(
            message(&[255; 16]),
            "error[file]: `m` is not a safetensors file\n  \
             = its header should have 18446744073709551615 bytes, and 8 bytes are left in the file"
        );
        assert!(
            message(&file("{]", &[])).starts_with("error[file]: `m` is not a safetensors file\n  = cause: ")
        );
        let entry = |dtype: &str, shape: &str, offsets: &str| {
            file(
                &format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#),
                &[0; 8],
            )
        };
        assert!(message(&entry("F32", "[-2]", "[0,8]")).contains("does not describe the tensor `x`"));
        assert!(
            message(&entry("F8_E4M3", "[8]", "[0,8]")).contains("the tensor `x` of `m` is of type `F8_E4M3`")
        );
        assert!(message(&entry("F32", "[3]", "[0,8]")).contains("has another size than its shape"));
        assert!(message(&entry("F32", "[1]", "[0,7]")).contains("has another size than its shape"));
        assert!(message(&entry("F32", "[4294967296,4294967296]", "[0,8]")).contains("another size"));
        assert!(message(&entry("F32", "[4]", "[0,16]")).contains("is not where its header says"));
        assert!(message(&entry("F32", "[1]", "[4,8]")).contains("is not where its header says"));
        assert!(message(&entry("F32", "[2]", "[8,0]")).contains("is not where its header says"));
        assert!(message(&entry("F32", "[1]", "[0,4]")).contains("goes on after its last tensor"));
        assert!(message(&file(r#"{"__metadata__":{"a":1}}"#, &[])).contains("its metadata `a` are no text"));
    }

    #[test]
    fn no_cut_is_taken_for_a_file_and_no_flipped_bit_panics() {
        let whole = write_safetensors(&all_types()).unwrap();
        for end in 0..whole.len() {
            assert_eq!(read_safetensors(&whole[..end], "m").unwrap_err().code(), "file", "cut at {end}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = read_safetensors(&flipped, "m");
        }
    }
}
