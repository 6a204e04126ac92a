//! The IDX format of the MNIST family: a magic number, the sizes, then big-endian elements in row-major order.
//!
//! ```text
//! byte 0, 1   zero
//! byte 2      type: 08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64
//! byte 3      number of axes, then one 32-bit size for each axis, then the elements
//! ```
//! Invariant: memory grows with the bytes that were read, never with the sizes that the header claims.

use crate::file;
use carnyx_graph::{Array, DType, Element, Error, Result};
use flate2::{Compression, write::GzEncoder};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// Reads an IDX file, plain or compressed with gzip.
///
/// Elements of 8 and 16 bits with a sign become `i32`; the other types are kept.
///
/// # Errors
/// `file`, if the file cannot be read, is no IDX file, or has fewer or more elements than its header says.
///
/// # Example
/// ```
/// use carnyx_data::{read_idx, write_idx};
/// use carnyx_graph::Array;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels-idx1-ubyte.gz");
/// write_idx(&path, &Array::from([7u8, 0, 3]))?;
/// assert_eq!(read_idx(&path)?, Array::from([7u8, 0, 3]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn read_idx(path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    Reader::new(file::open(path)?, &path.display().to_string())?.array()
}

/// Reads IDX from anything that can be read, plain or compressed; `name` stands for it in error messages.
///
/// # Errors
/// As [`read_idx`].
///
/// # Example
/// ```
/// use carnyx_graph::Array;
/// let bytes: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 3];
/// assert_eq!(carnyx_data::read_idx_from(bytes, "labels")?, Array::from([7u8, 0, 3]));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn read_idx_from(reader: impl Read, name: &str) -> Result<Array> {
    let inner = file::unpacked(reader).map_err(|e| file::cannot_read(name, 0, e))?;
    Reader::new(inner, name)?.array()
}

/// Writes `array` as an IDX file; compressed if the name ends in `.gz`.
///
/// The file is complete or not there: it gets its name only when everything is written.
///
/// # Errors
/// `dtype`, if the format has no such type (`i64`, `bool`); `shape`, if an axis is longer than 32 bits can say or
/// there are more than 255; `file`, if the file cannot be written.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, DType};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("x-idx2-float");
/// carnyx_data::write_idx(&path, &Array::zeros([2, 3], DType::F32))?;
/// assert_eq!(std::fs::metadata(&path).unwrap().len(), 4 + 2 * 4 + 6 * 4);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub fn write_idx(path: impl AsRef<Path>, array: &Array) -> Result {
    let path = path.as_ref();
    let header = header(array)?;
    let cannot_write = |e| Error::new("file", format!("cannot write `{}`", path.display())).because(e);
    file::write_whole(path, |writer| {
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut packed = GzEncoder::new(writer, Compression::best());
            packed.write_all(&header).map_err(cannot_write)?;
            write_elements(&mut packed, array).map_err(cannot_write)?;
            packed.finish().map_err(cannot_write)?;
        } else {
            writer.write_all(&header).map_err(cannot_write)?;
            write_elements(writer, array).map_err(cannot_write)?;
        }
        Ok(())
    })
}

fn header(array: &Array) -> Result<Vec<u8>> {
    let code = match array.dtype() {
        DType::U8 => 0x08,
        DType::I32 => 0x0C,
        DType::F32 => 0x0D,
        DType::F64 => 0x0E,
        other @ (DType::I64 | DType::Bool) => {
            let near = if other == DType::I64 { "I32" } else { "U8" };
            return Err(Error::new("dtype", format!("the IDX format has no type for {other}"))
                .help(format!("convert the array first with `.cast(DType::{near})`")));
        }
    };
    let shape = array.shape();
    let too_large = || Error::new("shape", format!("the IDX format cannot hold the shape {shape:?}"));
    let axes = u8::try_from(shape.len()).map_err(|_| too_large())?;
    let mut bytes = vec![0, 0, code, axes];
    for &size in shape {
        bytes.extend(u32::try_from(size).map_err(|_| too_large())?.to_be_bytes());
    }
    Ok(bytes)
}

fn write_elements(writer: &mut (impl Write + ?Sized), array: &Array) -> std::io::Result<()> {
    fn all<T: Element, const W: usize>(
        writer: &mut (impl Write + ?Sized),
        array: &Array,
        to_bytes: fn(T) -> [u8; W],
    ) -> std::io::Result<()> {
        let elements = array.as_slice::<T>().expect("the type was matched");
        elements.iter().try_for_each(|&element| writer.write_all(&to_bytes(element)))
    }
    match array.dtype() {
        DType::U8 => writer.write_all(array.as_slice().expect("the type was matched")),
        DType::I32 => all(writer, array, i32::to_be_bytes),
        DType::F32 => all(writer, array, f32::to_be_bytes),
        DType::F64 => all(writer, array, f64::to_be_bytes),
        DType::I64 | DType::Bool => unreachable!("the header refused {}", array.dtype()),
    }
}

/// How many bytes are read at a time, a multiple of every element's size.
const CHUNK: usize = 64 << 10;

/// A file whose header was read, and whose elements are next.
pub(crate) struct Reader<R> {
    inner: R,
    name: String,
    /// Bytes read so far, after unpacking.
    offset: u64,
    code: u8,
    shape: Vec<usize>,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(inner: R, name: &str) -> Result<Reader<R>> {
        let mut reader = Reader { inner, name: name.to_owned(), offset: 0, code: 0, shape: Vec::new() };
        let magic = reader.header_bytes()?;
        let (code, axes) = (magic[2], magic[3]);
        if magic[..2] != [0, 0] || !matches!(code, 0x08 | 0x09 | 0x0B | 0x0C | 0x0D | 0x0E) {
            return Err(Error::new("file", format!("`{name}` is not an IDX file")).label(format!(
                "it begins with {magic:02x?}, an IDX file with 00 00 and a type of 08 to 0e"
            )));
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            shape.push(u32::from_be_bytes(reader.header_bytes()?) as usize);
        }
        // Empty axes are left out of the product, so that no later product of some axes can overflow either.
        let fits = shape.iter().try_fold(8usize, |product, &size| product.checked_mul(size.max(1)));
        if fits.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(Error::new("file", format!("`{name}` claims more elements than memory can hold"))
                .label(format!("the shape in its header is {shape:?}")));
        }
        Ok(Reader { code, shape, ..reader })
    }

    /// The shape that the header claims.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// All elements.
    fn array(mut self) -> Result<Array> {
        let array = self.elements(self.shape.clone())?;
        self.finish()?;
        Ok(array)
    }

    /// The next elements, in the shape that they are to have.
    pub(crate) fn elements(&mut self, shape: Vec<usize>) -> Result<Array> {
        match self.code {
            0x08 => self.elements_of(shape, |[byte]: [u8; 1]| byte),
            0x09 => self.elements_of(shape, |bytes| i32::from(i8::from_be_bytes(bytes))),
            0x0B => self.elements_of(shape, |bytes| i32::from(i16::from_be_bytes(bytes))),
            0x0C => self.elements_of(shape, i32::from_be_bytes),
            0x0D => self.elements_of(shape, f32::from_be_bytes),
            _ => self.elements_of(shape, f64::from_be_bytes),
        }
    }

    fn header_bytes(&mut self) -> Result<[u8; 4]> {
        let mut bytes = [0; 4];
        if self.fill(&mut bytes)? < 4 {
            return Err(Error::new("file", format!("`{}` ends within its header", self.name))
                .label(format!("the file ends at byte {}", self.offset)));
        }
        Ok(bytes)
    }

    fn elements_of<T: Element, const W: usize>(
        &mut self,
        shape: Vec<usize>,
        from: fn([u8; W]) -> T,
    ) -> Result<Array> {
        let count: usize = shape.iter().product();
        let mut elements: Vec<T> = Vec::new();
        let mut chunk = vec![0; CHUNK];
        while elements.len() < count {
            let left = count - elements.len();
            let wanted = left.min(CHUNK / W) * W;
            let bytes = self.fill(&mut chunk[..wanted])?;
            if bytes < wanted {
                let all: usize = self.shape.iter().product();
                let header = 4 + 4 * self.shape.len() as u64;
                return Err(Error::new("file", format!("`{}` ends too early", self.name)).label(format!(
                    "its header claims {:?}, {} bytes after the header, but there are {}",
                    self.shape,
                    all as u128 * W as u128,
                    self.offset - header
                )));
            }
            // Double, but never beyond the claim: an honest file ends up with exactly the memory it needs.
            if elements.capacity() - elements.len() < wanted / W {
                elements.reserve_exact(left.min(elements.len().max(wanted / W)));
            }
            elements.extend(chunk[..wanted].as_chunks().0.iter().map(|&bytes| from(bytes)));
        }
        Array::new(shape, elements)
    }

    /// Whether the file ends here. This also makes the decoder look at the checksum behind the compressed data.
    pub(crate) fn finish(&mut self) -> Result {
        if self.fill(&mut [0])? > 0 {
            return Err(Error::new("file", format!("`{}` goes on after its last element", self.name)).label(
                format!("its header claims {:?}, which end at byte {}", self.shape, self.offset - 1),
            ));
        }
        Ok(())
    }

    /// Reads until `buffer` is full or the file ends; how many bytes it got.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(file::cannot_read(&self.name, self.offset + filled as u64, e)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Array> {
        read_idx_from(bytes, "x.idx")
    }

    fn message(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(read(&[0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 255]).unwrap(), Array::from([[5u8, 255]]));
        assert_eq!(read(&[0, 0, 9, 1, 0, 0, 0, 2, 5, 255]).unwrap(), Array::from([5i32, -1]));
        assert_eq!(read(&[0, 0, 0xB, 1, 0, 0, 0, 2, 1, 0, 255, 254]).unwrap(), Array::from([256i32, -2]));
        assert_eq!(read(&[0, 0, 0xC, 0, 0, 1, 0, 0]).unwrap(), Array::scalar(65536i32));
        let mut bytes = vec![0, 0, 0xD, 1, 0, 0, 0, 1];
        bytes.extend(1.5f32.to_be_bytes());
        assert_eq!(read(&bytes).unwrap(), Array::from([1.5f32]));
        bytes[2] = 0xE;
        bytes.truncate(8);
        bytes.extend((-0.1f64).to_be_bytes());
        assert_eq!(read(&packed(&bytes)).unwrap(), Array::from([-0.1f64]));
        assert_eq!(read(&[0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 9]).unwrap().shape(), [0, 9]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x", "x.gz"] {
            let path = folder.path().join(name);
            for dtype in [DType::U8, DType::I32, DType::F32, DType::F64] {
                // More than one chunk, and no multiple of it.
                let array = Array::from_fn([3, 30_001], |i| (i % 251) as i32).cast(dtype);
                write_idx(&path, &array).unwrap();
                assert_eq!(read_idx(&path).unwrap(), array);
            }
        }
        assert_eq!(std::fs::read(folder.path().join("x.gz")).unwrap()[..2], [0x1f, 0x8b]);
    }

    #[test]
    fn messages() {
        assert_eq!(message(&[]), "error[file]: `x.idx` ends within its header\n  = the file ends at byte 0");
        assert_eq!(
            message(b"\x89PNG\r\n"),
            "error[file]: `x.idx` is not an IDX file\n  \
             = it begins with [89, 50, 4e, 47], an IDX file with 00 00 and a type of 08 to 0e"
        );
        assert_eq!(
            message(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 0]),
            "error[file]: `x.idx` ends too early\n  \
             = its header claims [3], 3 bytes after the header, but there are 2"
        );
        assert_eq!(
            message(&[0, 0, 8, 1, 0, 0, 0, 1, 7, 0]),
            "error[file]: `x.idx` goes on after its last element\n  = its header claims [1], which end at byte 9"
        );
        assert_eq!(
            message(&[0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            "error[file]: `x.idx` claims more elements than memory can hold\n  \
             = the shape in its header is [4294967295, 4294967295, 4294967295]"
        );
        let mut damaged = packed(&[0, 0, 8, 1, 0, 0, 0, 1, 7]);
        let end = damaged.len();
        assert_eq!(
            message(&damaged[..end - 3]),
            "error[file]: `x.idx` ends in the middle of its compressed data\n  = after byte 9 of the content\n  \
             = cause: unexpected end of file\n  \
             = help: get the file again; it was probably not copied or downloaded completely"
        );
        damaged[end - 5] ^= 1;
        assert_eq!(
            message(&damaged),
            "error[file]: `x.idx` is damaged\n  = after byte 9 of the content\n  \
             = cause: corrupt gzip stream does not have a matching checksum\n  \
             = help: get the file again; it was probably not copied or downloaded completely"
        );
        let missing = read_idx("no/such/file").unwrap_err();
        assert_eq!((missing.code(), missing.title()), ("file", "cannot open `no/such/file`"));
        assert_eq!(
            write_idx("x", &Array::from([1i64])).unwrap_err().to_string(),
            "error[dtype]: the IDX format has no type for i64\n  \
             = help: convert the array first with `.cast(DType::I32)`"
        );
    }

    /// The header claims 4 exbibytes: any attempt to reserve them would end the process.
    #[test]
    fn a_lie_takes_no_memory() {
        let mut bytes = vec![0, 0, 8, 2, 0x7f, 255, 255, 255, 0x1f, 255, 255, 255];
        bytes.extend(vec![1; 100_000]);
        assert!(message(&bytes).contains("but there are 100000"));
        assert!(message(&packed(&bytes)).contains("but there are 100000"));
    }

    #[test]
    fn no_cut_is_taken_for_a_file() {
        let whole: Vec<u8> = [0u8, 0, 0xC, 2, 0, 0, 0, 2, 0, 0, 0, 3].into_iter().chain(0..24).collect();
        for bytes in [packed(&whole), whole] {
            read(&bytes).unwrap();
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]).unwrap_err().code(), "file", "cut at byte {end}");
            }
        }
    }

    #[test]
    fn no_flipped_bit_panics() {
        let whole: Vec<u8> = [0u8, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3].into_iter().chain(0..6).collect();
        for bytes in [packed(&whole), whole] {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let _ = read(&flipped);
            }
        }
    }
}
