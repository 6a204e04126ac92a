//! Streams of files: IDX, CSV and raw numbers, a block of rows at a time.
//!
//! Each walk opens the file anew. Invariant: of a file no more is in memory than the block that is read.

use super::Stream;
use crate::file;
use crate::idx::Reader;
#[cfg(feature = "parquet")]
use crate::table::ParquetFile;
use crate::table::{Table, TableBlocks};
use carnyx_graph::{Array, Batch, DType, Element, Error, Result};
use std::fs::File;
use std::io::{BufReader, Read};
use std::iter;
use std::path::{Path, PathBuf};

impl Stream {
    /// The rows of an IDX file, plain or compressed, as inputs, in blocks of `block` samples.
    ///
    /// # Errors
    /// `file`, if the file cannot be opened or its header is damaged; a walk ends with `file`, if it has fewer or more
    /// elements than its header says.
    ///
    /// # Example
    /// ```
    /// # let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/bundled/fashion-mnist");
    /// use carnyx_data::Stream;
    /// let images = Stream::idx(format!("{bundled}/t10k-images-idx3-ubyte.gz"), 500)?;
    /// let labels = Stream::idx(format!("{bundled}/t10k-labels-idx1-ubyte.gz"), 500)?;
    /// let batches = images.with_targets(labels).shuffle(1000, 42).batch(32);
    /// assert_eq!(batches.num_items(), Some(63)); // 2 000 images
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn idx(path: impl AsRef<Path>, block: usize) -> Result<Stream> {
        let (path, block) = (path.as_ref().to_owned(), block.max(1));
        let open = move || Reader::new(file::open(&path)?, &path.display().to_string());
        let samples = open()?.shape().first().copied().ok_or_else(|| {
            Error::new("file", "an IDX file of one number is no stream of rows")
                .help("read it with `read_idx`")
        })?;
        let blocks = move |_| {
            let mut reader = open()?;
            let mut left = reader.shape().first().copied().unwrap_or(0);
            Ok(iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let mut shape = reader.shape().to_vec();
                shape[0] = left.min(block);
                left -= shape[0];
                let array = reader.elements(shape).and_then(|array| {
                    if left == 0 {
                        reader.finish()?;
                    }
                    Ok(array)
                });
                Some(array.map(Batch::from))
            }))
        };
        let (items, samples) = (Some(samples.div_ceil(block)), Some(samples));
        Ok(Stream { items, samples, ..Stream::each_epoch(blocks) })
    }

    /// The rows of a file of bare numbers (little-endian, row after row, nothing else, as NumPy's `tofile` writes), as
    /// inputs, in blocks of `block` samples.
    ///
    /// # Errors
    /// `file`, if the file cannot be opened or is no whole number of rows; `dtype` for truth values.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("x.f32");
    /// use carnyx_data::Stream;
    /// use carnyx_graph::DType;
    /// std::fs::write(&path, [1f32, 2.0, 3.0, 4.0, 5.0, 6.0].map(f32::to_le_bytes).as_flattened()).unwrap();
    /// let rows = Stream::raw(&path, DType::F32, &[2], 1000)?; // rows of two numbers
    /// assert_eq!(rows.walk(0)?.next().unwrap()?.inputs()[0].shape(), [3, 2]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn raw(path: impl AsRef<Path>, dtype: DType, row: &[usize], block: usize) -> Result<Stream> {
        let (path, row, block) = (path.as_ref().to_owned(), row.to_vec(), block.max(1));
        if dtype == DType::Bool {
            return Err(Error::new("dtype", "a file of bare numbers holds no truth values")
                .help("read them as bytes, with `DType::U8`"));
        }
        let width: usize = row.iter().product();
        let (row_bytes, bytes) = ((width * dtype.size()) as u64, open_raw(&path)?.1);
        if row_bytes == 0 || bytes % row_bytes != 0 {
            return Err(Error::new("file", format!("`{}` is no whole number of rows", path.display()))
                .label(format!("it has {bytes} bytes, a row of {dtype}{row:?} has {row_bytes}")));
        }
        let samples = (bytes / row_bytes) as usize;
        let blocks = move |_| {
            let (mut file, row, name) = (open_raw(&path)?.0, row.clone(), path.display().to_string());
            let starts = (0..samples).step_by(block);
            Ok(starts.map(move |first| {
                let rows = block.min(samples - first);
                let mut bytes = vec![0; rows * row_bytes as usize];
                file.read_exact(&mut bytes)
                    .map_err(|e| file::cannot_read(&name, first as u64 * row_bytes, e))?;
                let mut shape = row.clone();
                shape.insert(0, rows);
                numbers(&bytes, shape, dtype).map(Batch::from)
            }))
        };
        let (items, samples) = (Some(samples.div_ceil(block)), Some(samples));
        Ok(Stream { items, samples, ..Stream::each_epoch(blocks) })
    }
}

impl Stream<Table> {
    /// The rows of a CSV file, plain or compressed, as tables of `block` rows; [`map`](Stream::map) makes samples of
    /// them.
    ///
    /// # Errors
    /// `file`, if the file cannot be opened or its header is damaged; a walk ends with `file`, if a row is.
    ///
    /// # Example
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("houses.csv");
    /// use carnyx_data::Stream;
    /// use carnyx_graph::Batch;
    /// std::fs::write(&path, "rooms,price\n3,1.5\n4,2.5\n5,3.5\n").unwrap();
    /// let batches = Stream::csv(&path, 1000)?
    ///     .map(|table| Ok(Batch::from((table.columns(&["rooms"])?, table.column("price")?))))
    ///     .batch(2);
    /// assert_eq!(batches.walk(0)?.count(), 2);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn csv(path: impl AsRef<Path>, block: usize) -> Result<Stream<Table>> {
        let (path, block): (PathBuf, usize) = (path.as_ref().to_owned(), block.max(1));
        let open = move || TableBlocks::new(file::open(&path)?, path.display().to_string(), b',');
        open()?;
        Ok(Stream::each_epoch(move |_| {
            let mut blocks = open()?;
            Ok(iter::from_fn(move || {
                let table = blocks.next_block(block);
                table.map(|table| (table.num_rows() > 0).then_some(table)).transpose()
            }))
        }))
    }
}

#[cfg(feature = "parquet")]
impl Stream<Table> {
    /// The rows of a Parquet file, as one table for each of its row groups; exists with the feature `parquet`.
    ///
    /// A table has all columns; [`select`](Table::select) takes some of them.
    ///
    /// # Errors
    /// `file`, if the file cannot be opened or its metadata are damaged; a walk ends with `file`, if a page is.
    ///
    /// # Example
    /// ```no_run
    /// use carnyx_data::Stream;
    /// use carnyx_graph::Batch;
    /// let batches = Stream::parquet("houses.parquet")?
    ///     .map(|table| Ok(Batch::from((table.columns(&["rooms"])?, table.column("price")?))))
    ///     .shuffle(10_000, 42)
    ///     .batch(32);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn parquet(path: impl AsRef<Path>) -> Result<Stream<Table>> {
        let path = path.as_ref().to_owned();
        let groups = ParquetFile::open(&path, None)?.num_groups();
        Ok(Stream::each_epoch(move |_| {
            let mut file = ParquetFile::open(&path, None)?;
            Ok((0..file.num_groups()).map(move |group| file.read(group)))
        })
        .with_num_items(groups))
    }
}

/// A file and its length in bytes.
fn open_raw(path: &Path) -> Result<(BufReader<File>, u64)> {
    let cannot_open = |e| Error::new("file", format!("cannot open `{}`", path.display())).because(e);
    let file = File::open(path).map_err(cannot_open)?;
    let bytes = file.metadata().map_err(cannot_open)?.len();
    Ok((BufReader::with_capacity(64 << 10, file), bytes))
}

/// Little-endian numbers as an array.
fn numbers(bytes: &[u8], shape: Vec<usize>, dtype: DType) -> Result<Array> {
    fn all<T: Element, const W: usize>(
        bytes: &[u8],
        shape: Vec<usize>,
        from: fn([u8; W]) -> T,
    ) -> Result<Array> {
        Array::new(shape, bytes.as_chunks().0.iter().map(|&bytes| from(bytes)).collect::<Vec<T>>())
    }
    match dtype {
        DType::F32 => all(bytes, shape, f32::from_le_bytes),
        DType::F64 => all(bytes, shape, f64::from_le_bytes),
        DType::I32 => all(bytes, shape, i32::from_le_bytes),
        DType::I64 => all(bytes, shape, i64::from_le_bytes),
        DType::U8 | DType::Bool => all(bytes, shape, |[byte]: [u8; 1]| byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_idx;

    fn joined(stream: &Stream) -> Result<Array> {
        let blocks = stream.clone().batch(usize::MAX);
        blocks
            .walk(0)?
            .next()
            .map_or_else(|| Ok(Array::full([0], 0f32)), |batch| Ok(batch?.inputs()[0].clone()))
    }

    #[test]
    fn files_in_blocks_are_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let array = Array::from_fn([103, 2, 3], |i| (i as f32).sin());
        let idx = folder.path().join("x-idx3-float.gz");
        write_idx(&idx, &array).unwrap();
        let raw = folder.path().join("x.f32");
        let bytes: Vec<u8> = array.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(&raw, bytes).unwrap();
        for block in [1, 10, 103, 1000] {
            assert_eq!(joined(&Stream::idx(&idx, block).unwrap()).unwrap(), array);
            let stream = Stream::raw(&raw, DType::F32, &[2, 3], block).unwrap();
            assert_eq!(stream.num_items(), Some(103usize.div_ceil(block)));
            assert_eq!(joined(&stream).unwrap(), array);
        }
        let csv = folder.path().join("x.csv");
        let rows: String = (0..103).map(|i| format!("{i},{}\r\n", 2 * i)).collect();
        std::fs::write(&csv, format!("a,b\r\n{rows}")).unwrap();
        let whole = Table::read(&csv).unwrap().columns(&["b", "a"]).unwrap();
        for block in [1, 10, 1000] {
            let tables = Stream::csv(&csv, block).unwrap();
            let batches = tables.map(|table| table.columns(&["b", "a"]).map(Batch::from));
            assert_eq!(joined(&batches).unwrap(), whole);
        }
    }

    #[test]
    fn messages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let clean = |error: Error| error.to_string().replace(folder.path().to_str().unwrap(), "ROOT");
        std::fs::write(&path, [0; 10]).unwrap();
        assert_eq!(
            clean(Stream::raw(&path, DType::F32, &[2], 4).err().unwrap()),
            "error[file]: `ROOT/x` is no whole number of rows\n  = it has 10 bytes, a row of f32[2] has 8"
        );
        // A file that shrinks while it is read.
        std::fs::write(&path, [0; 16]).unwrap();
        let stream = Stream::raw(&path, DType::F32, &[2], 1).unwrap();
        std::fs::write(&path, [0; 12]).unwrap();
        assert!(stream.walk(0).unwrap().find_map(Result::err).is_some());
        std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 7, 0]).unwrap();
        let mut walk = Stream::idx(&path, 1).unwrap().walk(0).unwrap();
        assert!(walk.next().unwrap().is_ok() && walk.next().unwrap().is_ok());
        assert_eq!(
            clean(walk.next().unwrap().unwrap_err()),
            "error[file]: `ROOT/x` ends too early\n  = its header claims [3], 3 bytes after the header, but there are 2"
        );
        std::fs::write(&path, "a,b\n1,2\n\n3,4\n5\n6,7\n").unwrap();
        let tables: Vec<_> = Stream::csv(&path, 1).unwrap().walk(0).unwrap().collect();
        assert_eq!(tables.len(), 3);
        assert_eq!(
            clean(tables.into_iter().last().unwrap().err().unwrap()),
            "error[file]: this row has 1 cells, the header has 2\n --> ROOT/x:5\n  \
             = help: a cell that contains the separator must stand in double quotes"
        );
    }
}
