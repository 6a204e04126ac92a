//! Concrete n-dimensional data.
//!
//! An [`Array`] is a shape and a reference-counted buffer. Clones share the buffer; writing copies it first if
//! somebody else holds it. Invariant: the buffer has exactly as many elements as the shape says.

use crate::{DType, Element, Error, Result};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The typed buffer of an array.
#[doc(hidden)]
#[derive(Clone)]
pub enum Storage {
    F32(Arc<Vec<f32>>),
    F64(Arc<Vec<f64>>),
    I32(Arc<Vec<i32>>),
    I64(Arc<Vec<i64>>),
    U8(Arc<Vec<u8>>),
    Bool(Arc<Vec<bool>>),
}

/// Calls `$body` with `$data` bound to the typed `Arc<Vec<_>>` of a [`Storage`].
#[doc(hidden)]
#[macro_export]
macro_rules! with_storage {
    ($storage:expr, $data:ident => $body:expr) => {
        match $storage {
            $crate::array::Storage::F32($data) => $body,
            $crate::array::Storage::F64($data) => $body,
            $crate::array::Storage::I32($data) => $body,
            $crate::array::Storage::I64($data) => $body,
            $crate::array::Storage::U8($data) => $body,
            $crate::array::Storage::Bool($data) => $body,
        }
    };
}

/// Concrete n-dimensional data, row-major; cheap to clone, copied only when written while shared.
///
/// # Example
/// ```
/// use carnyx_graph::{Array, DType};
/// let x = Array::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(x.shape(), [2, 3]);
/// assert_eq!(x.dtype(), DType::F32);
/// assert_eq!(x.as_slice::<f32>()?, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// let labels = Array::new([2], vec![7i64, 0])?;
/// assert_eq!(labels.to_vec::<f32>(), [7.0, 0.0]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone)]
pub struct Array {
    shape: Arc<[usize]>,
    storage: Storage,
}

impl Array {
    /// An array of `shape` from its elements in row-major order.
    ///
    /// # Errors
    /// `shape`, if the number of elements is not the product of the sizes.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let x = Array::new([2, 3], vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// assert_eq!(x, Array::from([[1f32, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(Array::new([2, 3], vec![1f32]).unwrap_err().code(), "shape");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn new<T: Element>(shape: impl Into<Vec<usize>>, elements: Vec<T>) -> Result<Array> {
        let shape = shape.into();
        let product = num_elements(&shape);
        if product == Some(elements.len()) {
            return Ok(Array { shape: shape.into(), storage: T::wrap(Arc::new(elements)) });
        }
        let wanted = match product {
            Some(product) => format!("{shape:?} has {product} elements"),
            None => format!("no memory has as many elements as {shape:?}"),
        };
        Err(Error::new("shape", format!("{} elements do not fill the shape {shape:?}", elements.len()))
            .label(wanted))
    }

    /// An array without axes that holds one value.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let step = Array::scalar(7i64);
    /// assert!(step.shape().is_empty());
    /// assert_eq!(step.item()?, 7.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn scalar<T: Element>(value: T) -> Array {
        Array { shape: Arc::new([]), storage: T::wrap(Arc::new(vec![value])) }
    }

    /// An array of `shape` whose elements are all `value`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::full([2, 2], 0.5f32), Array::from([[0.5f32, 0.5], [0.5, 0.5]]));
    /// ```
    pub fn full<T: Element>(shape: impl Into<Vec<usize>>, value: T) -> Array {
        let shape = shape.into();
        let elements = shape.iter().product();
        Array { shape: shape.into(), storage: T::wrap(Arc::new(vec![value; elements])) }
    }

    /// An array of zeros (`false` for `Bool`).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType};
    /// assert_eq!(Array::zeros([2], DType::I64), Array::from([0i64, 0]));
    /// assert_eq!(Array::zeros([1], DType::Bool), Array::from([false]));
    /// ```
    pub fn zeros(shape: impl Into<Vec<usize>>, dtype: DType) -> Array {
        let shape = shape.into();
        match dtype {
            DType::F32 => Array::full(shape, 0f32),
            DType::F64 => Array::full(shape, 0f64),
            DType::I32 => Array::full(shape, 0i32),
            DType::I64 => Array::full(shape, 0i64),
            DType::U8 => Array::full(shape, 0u8),
            DType::Bool => Array::full(shape, false),
        }
    }

    /// An array whose element at row-major position `i` is `value(i)`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let squares = Array::from_fn([4], |i| (i * i) as f32);
    /// assert_eq!(squares, Array::from([0.0f32, 1.0, 4.0, 9.0]));
    /// ```
    pub fn from_fn<T: Element>(shape: impl Into<Vec<usize>>, value: impl FnMut(usize) -> T) -> Array {
        let shape = shape.into();
        let elements: usize = shape.iter().product();
        let elements: Vec<T> = (0..elements).map(value).collect();
        Array { shape: shape.into(), storage: T::wrap(Arc::new(elements)) }
    }

    /// The size along each axis.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::from([[1, 2, 3], [4, 5, 6]]).shape(), [2, 3]);
    /// ```
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of the elements.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType};
    /// assert_eq!(Array::from([1u8, 2]).dtype(), DType::U8);
    /// ```
    pub fn dtype(&self) -> DType {
        match &self.storage {
            Storage::F32(_) => DType::F32,
            Storage::F64(_) => DType::F64,
            Storage::I32(_) => DType::I32,
            Storage::I64(_) => DType::I64,
            Storage::U8(_) => DType::U8,
            Storage::Bool(_) => DType::Bool,
        }
    }

    /// The number of elements.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::full([32, 28, 28], 0u8).len(), 32 * 784);
    /// ```
    pub fn len(&self) -> usize {
        with_storage!(&self.storage, data => data.len())
    }

    /// Whether there are no elements.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert!(Array::full([0, 784], 0f32).is_empty());
    /// assert!(!Array::scalar(0f32).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size of the first axis: the number of samples. An array without axes has one.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::full([32, 28, 28], 0u8).num_rows(), 32);
    /// ```
    pub fn num_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements of one row: the product of all sizes but the first.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::full([32, 28, 28], 0u8).row_len(), 784);
    /// ```
    pub fn row_len(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Bytes of all elements.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::full([784, 300], 0f32).num_bytes(), 940_800);
    /// ```
    pub fn num_bytes(&self) -> usize {
        self.len() * self.dtype().size()
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// `dtype`, if the elements are not of type `T`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let labels = Array::from([7i64, 0]);
    /// assert_eq!(labels.as_slice::<i64>()?, [7, 0]);
    /// assert_eq!(labels.as_slice::<f32>().unwrap_err().code(), "dtype"); // `to_vec` converts
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        T::unwrap(&self.storage).map(|data| data.as_slice()).ok_or_else(|| self.wrong_dtype(T::DTYPE))
    }

    /// The elements in row-major order, to be written. Copies them first if another array shares them.
    ///
    /// # Errors
    /// `dtype`, if the elements are not of type `T`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let mut x = Array::from([1f32, 2.0]);
    /// let before = x.clone();
    /// x.as_mut_slice::<f32>()?[0] = 9.0;
    /// assert_eq!((x.element(0), before.element(0)), (9.0, 1.0));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T]> {
        let error = self.wrong_dtype(T::DTYPE);
        T::unwrap_mut(&mut self.storage).map(|data| Arc::make_mut(data).as_mut_slice()).ok_or(error)
    }

    fn wrong_dtype(&self, wanted: DType) -> Error {
        Error::new("dtype", format!("this array holds {}, not {wanted}", self.dtype()))
            .help(format!("convert it with `.cast(DType::{wanted:?})`"))
    }

    /// The elements converted to `T`, in row-major order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::from([0u8, 255]).to_vec::<f32>(), [0.0, 255.0]);
    /// ```
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        match T::unwrap(&self.storage) {
            Some(data) => data.to_vec(),
            None => {
                with_storage!(&self.storage, data => data.iter().map(|v| T::from_f64(v.to_f64())).collect())
            }
        }
    }

    /// The elements as `f32`, in row-major order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::from([true, false]).values(), [1.0, 0.0]);
    /// ```
    pub fn values(&self) -> Vec<f32> {
        self.to_vec()
    }

    /// The single element, as a 64-bit float.
    ///
    /// # Errors
    /// `shape`, if there is not exactly one element.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// assert_eq!(Array::from([[0.25f32]]).item()?, 0.25);
    /// assert!(Array::from([0.25f32, 0.5]).item().is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn item(&self) -> Result<f64> {
        if self.len() == 1 {
            return Ok(self.element(0));
        }
        Err(Error::new("shape", format!("an array of shape {:?} is not one number", self.shape))
            .help("reduce it first, for example with `.mean()`, or read it with `.values()`"))
    }

    /// The element at row-major position `index`, as a 64-bit float; NaN beyond the end.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let x = Array::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.element(2), 3.0);
    /// assert!(x.element(4).is_nan());
    /// ```
    pub fn element(&self, index: usize) -> f64 {
        with_storage!(&self.storage, data => data.get(index).map_or(f64::NAN, |v| v.to_f64()))
    }

    /// The same elements as another type: floats truncate to integers, anything but zero is `true`.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, DType};
    /// let x = Array::from([-1.5f32, 0.0, 2.9]);
    /// assert_eq!(x.cast(DType::I64), Array::from([-1i64, 0, 2]));
    /// assert_eq!(x.cast(DType::Bool), Array::from([true, false, true]));
    /// ```
    pub fn cast(&self, dtype: DType) -> Array {
        if dtype == self.dtype() {
            return self.clone();
        }
        let shape = self.shape.clone();
        let storage = match dtype {
            DType::F32 => Storage::F32(Arc::new(self.to_vec())),
            DType::F64 => Storage::F64(Arc::new(self.to_vec())),
            DType::I32 => Storage::I32(Arc::new(self.to_vec())),
            DType::I64 => Storage::I64(Arc::new(self.to_vec())),
            DType::U8 => Storage::U8(Arc::new(self.to_vec())),
            DType::Bool => Storage::Bool(Arc::new(self.to_vec())),
        };
        Array { shape, storage }
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// `shape`, if the numbers of elements differ.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let x = Array::from([1, 2, 3, 4]);
    /// assert_eq!(x.reshape([2, 2])?, Array::from([[1, 2], [3, 4]]));
    /// assert!(x.reshape([3]).is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn reshape(&self, shape: impl Into<Vec<usize>>) -> Result<Array> {
        let shape = shape.into();
        if num_elements(&shape) == Some(self.len()) {
            return Ok(Array { shape: shape.into(), storage: self.storage.clone() });
        }
        Err(Error::new("shape", format!("cannot reshape {:?} to {shape:?}", self.shape)).label(
            match num_elements(&shape) {
                Some(product) => format!("{} elements cannot become {product}", self.len()),
                None => format!("no memory has as many elements as {shape:?}"),
            },
        ))
    }

    /// The rows `range` of the first axis, copied.
    ///
    /// # Errors
    /// `shape`, if the array has no such rows.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let x = Array::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.rows(1..3)?, Array::from([[3, 4], [5, 6]]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn rows(&self, range: Range<usize>) -> Result<Array> {
        if self.shape.is_empty() || range.start > range.end || range.end > self.shape[0] {
            return Err(Error::new(
                "shape",
                format!(
                    "there are no rows {}..{} in an array of shape {:?}",
                    range.start, range.end, self.shape
                ),
            ));
        }
        let width = self.row_len();
        let mut shape = self.shape.to_vec();
        shape[0] = range.len();
        let (from, to) = (range.start * width, range.end * width);
        Ok(Array { shape: shape.into(), storage: self.map_storage(|i| i, from..to) })
    }

    /// The rows of the first axis that `indices` names, in that order, copied.
    ///
    /// # Errors
    /// `shape`, if an index is not less than the number of rows.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let x = Array::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.take_rows(&[2, 0, 2])?, Array::from([[5, 6], [1, 2], [5, 6]]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn take_rows(&self, indices: &[usize]) -> Result<Array> {
        let rows = self.num_rows();
        if let Some(wrong) = indices.iter().find(|&&i| i >= rows) {
            return Err(Error::new(
                "shape",
                format!("there is no row {wrong} in an array of shape {:?}", self.shape),
            ));
        }
        let width = self.row_len();
        let mut shape = self.shape.to_vec();
        shape[0] = indices.len();
        let at = |i: usize| indices[i / width.max(1)] * width + i % width.max(1);
        Ok(Array { shape: shape.into(), storage: self.map_storage(at, 0..indices.len() * width) })
    }

    fn map_storage(&self, at: impl Fn(usize) -> usize, range: Range<usize>) -> Storage {
        fn pick<T: Element>(data: &[T], at: impl Fn(usize) -> usize, range: Range<usize>) -> Storage {
            T::wrap(Arc::new(range.map(|i| data[at(i)]).collect()))
        }
        with_storage!(&self.storage, data => pick(data, at, range))
    }

    #[doc(hidden)]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    #[doc(hidden)]
    pub fn storage_mut(&mut self) -> &mut Storage {
        &mut self.storage
    }

    /// Whether both arrays are the same memory.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// let x = Array::from([1f32, 2.0]);
    /// assert!(x.shares_memory_with(&x.reshape([2, 1])?));
    /// assert!(!x.shares_memory_with(&x.rows(0..2)?)); // rows are copied
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn shares_memory_with(&self, other: &Array) -> bool {
        self.address() == other.address()
    }

    /// Where the elements begin, for telling buffers apart.
    #[doc(hidden)]
    pub fn address(&self) -> usize {
        with_storage!(&self.storage, data => data.as_ptr() as usize)
    }
}

/// The product of the sizes, if there can be so many elements.
fn num_elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// Equal shapes, types and elements (so NaN makes arrays unequal).
impl PartialEq for Array {
    fn eq(&self, other: &Array) -> bool {
        self.shape == other.shape
            && match (&self.storage, &other.storage) {
                (Storage::F32(a), Storage::F32(b)) => a == b,
                (Storage::F64(a), Storage::F64(b)) => a == b,
                (Storage::I32(a), Storage::I32(b)) => a == b,
                (Storage::I64(a), Storage::I64(b)) => a == b,
                (Storage::U8(a), Storage::U8(b)) => a == b,
                (Storage::Bool(a), Storage::Bool(b)) => a == b,
                _ => false,
            }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}{:?} ", self.dtype(), self.shape)?;
        with_storage!(&self.storage, data => write_elements(f, &self.shape, data))
    }
}

/// Nested brackets as in NumPy; long axes show their first and last three entries.
fn write_elements<T: Element>(f: &mut fmt::Formatter, shape: &[usize], data: &[T]) -> fmt::Result {
    let Some((&n, inner)) = shape.split_first() else {
        return data.first().map_or(Ok(()), |v| write!(f, "{v}"));
    };
    let width: usize = inner.iter().product();
    f.write_str("[")?;
    for i in 0..n {
        if n > 8 && (3..n - 3).contains(&i) {
            if i == 3 {
                f.write_str(", …")?;
            }
            continue;
        }
        if i > 0 {
            f.write_str(", ")?;
        }
        write_elements(f, inner, &data[i * width..(i + 1) * width])?;
    }
    f.write_str("]")
}

impl<T: Element> From<Vec<T>> for Array {
    fn from(elements: Vec<T>) -> Array {
        Array { shape: Arc::new([elements.len()]), storage: T::wrap(Arc::new(elements)) }
    }
}

impl<T: Element> From<&[T]> for Array {
    fn from(elements: &[T]) -> Array {
        Array::from(elements.to_vec())
    }
}

impl<T: Element> From<T> for Array {
    fn from(value: T) -> Array {
        Array::scalar(value)
    }
}

impl<T: Element, const A: usize> From<[T; A]> for Array {
    fn from(elements: [T; A]) -> Array {
        Array::from(elements.to_vec())
    }
}

impl<T: Element, const A: usize, const B: usize> From<[[T; B]; A]> for Array {
    fn from(elements: [[T; B]; A]) -> Array {
        Array { shape: Arc::new([A, B]), storage: T::wrap(Arc::new(elements.as_flattened().to_vec())) }
    }
}

impl<T: Element, const A: usize, const B: usize, const C: usize> From<[[[T; C]; B]; A]> for Array {
    fn from(elements: [[[T; C]; B]; A]) -> Array {
        let flat = elements.as_flattened().as_flattened().to_vec();
        Array { shape: Arc::new([A, B, C]), storage: T::wrap(Arc::new(flat)) }
    }
}

impl From<&Array> for Array {
    fn from(array: &Array) -> Array {
        array.clone()
    }
}

/// Conversions at the border to the `ndarray` crate; memory is copied only where its order requires it.
#[cfg(feature = "ndarray")]
mod interop {
    use super::{Array, Element, Error, Result};

    impl<T: Element, D: ndarray::Dimension> From<ndarray::Array<T, D>> for Array {
        fn from(array: ndarray::Array<T, D>) -> Array {
            let shape = array.shape().to_vec();
            let elements = if array.is_standard_layout() {
                let (elements, offset) = array.into_raw_vec_and_offset();
                let elements_len: usize = shape.iter().product();
                match offset {
                    Some(from) if from > 0 || elements_len < elements.len() => {
                        elements[from..from + elements_len].to_vec()
                    }
                    _ => elements,
                }
            } else {
                array.iter().copied().collect()
            };
            Array::new(shape, elements).expect("ndarray's shape has as many elements as its iterator")
        }
    }

    impl Array {
        /// These elements as an `ndarray` array; `Err` if they are not of type `T`.
        pub fn to_ndarray<T: Element>(&self) -> Result<ndarray::ArrayD<T>> {
            let elements = self.as_slice::<T>()?.to_vec();
            ndarray::ArrayD::from_shape_vec(ndarray::IxDyn(self.shape()), elements)
                .map_err(|e| Error::new("shape", "ndarray refuses this shape").because(e))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_a_shared_array_copies_it() {
        let a = Array::from([1.0f32, 2.0]);
        let mut b = a.clone();
        assert!(a.shares_memory_with(&b));
        b.as_mut_slice::<f32>().unwrap()[0] = 9.0;
        assert_eq!(a, Array::from([1.0f32, 2.0]));
        assert_eq!(b, Array::from([9.0f32, 2.0]));
    }

    #[test]
    fn wrong_use_is_an_error() {
        assert_eq!(Array::new([2, 2], vec![1i32; 3]).unwrap_err().code(), "shape");
        assert_eq!(Array::new([usize::MAX, 2], vec![1i32; 3]).unwrap_err().code(), "shape");
        assert_eq!(Array::from([1i32]).as_slice::<f32>().unwrap_err().code(), "dtype");
        assert_eq!(Array::from([1i32, 2]).item().unwrap_err().code(), "shape");
        assert_eq!(Array::from([1i32, 2]).rows(1..5).unwrap_err().code(), "shape");
        assert_eq!(Array::from([1i32, 2]).take_rows(&[2]).unwrap_err().code(), "shape");
    }

    #[test]
    fn prints_like_numpy() {
        assert_eq!(format!("{:?}", Array::from([[1i32, 2], [3, 4]])), "i32[2, 2] [[1, 2], [3, 4]]");
        assert_eq!(format!("{:?}", Array::from_fn([9], |i| i as i64)), "i64[9] [0, 1, 2, …, 6, 7, 8]");
    }
}
