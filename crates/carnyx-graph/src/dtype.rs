//! Element types: the closed set that arrays, tensors and kernels know.
//!
//! Invariant: each [`DType`] has exactly one [`Element`] type, and the reverse.

use std::fmt;

/// The type of the elements of an [`Array`](crate::Array) or a [`Tensor`](crate::Tensor).
///
/// # Example
/// ```
/// use carnyx_graph::DType;
/// assert_eq!(DType::F32.size(), 4);
/// assert_eq!(DType::U8.to_string(), "u8");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit floats: the type of weights and activations.
    F32,
    /// 64-bit floats: for running totals and for checking gradients.
    F64,
    /// 32-bit signed integers: labels and indices.
    I32,
    /// 64-bit signed integers: labels, indices and counters.
    I64,
    /// Bytes: images as they are stored.
    U8,
    /// Truth values, one byte each.
    Bool,
}

impl DType {
    /// All element types.
    pub const ALL: [DType; 6] = [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::Bool];

    /// Bytes of one element.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::DType;
    /// assert_eq!(DType::ALL.map(DType::size), [4, 8, 4, 8, 1, 1]);
    /// ```
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }

    /// Whether this is a floating-point type.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::DType;
    /// assert!(DType::F32.is_float() && !DType::I32.is_float());
    /// ```
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Whether this is an integer type (`Bool` is not).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::DType;
    /// assert!(DType::U8.is_integer() && !DType::Bool.is_integer());
    /// ```
    pub fn is_integer(self) -> bool {
        matches!(self, DType::I32 | DType::I64 | DType::U8)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that arrays can hold. The set is closed: `f32`, `f64`, `i32`, `i64`, `u8`, `bool`.
///
/// # Example
/// ```
/// use carnyx_graph::{DType, Element};
/// assert_eq!(<i64 as Element>::DTYPE, DType::I64);
/// ```
pub trait Element:
    sealed::Sealed + Copy + Default + PartialEq + PartialOrd + fmt::Debug + fmt::Display + Send + Sync + 'static
{
    /// The element type's name as a value.
    const DTYPE: DType;
    /// The value as a 64-bit float (`true` is 1).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Element;
    /// assert_eq!((true.to_f64(), 3u8.to_f64()), (1.0, 3.0));
    /// ```
    fn to_f64(self) -> f64;
    /// The nearest value to a 64-bit float: integers truncate and saturate, `Bool` is "not zero".
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Element;
    /// assert_eq!(u8::from_f64(2.9), 2);
    /// assert_eq!(u8::from_f64(300.0), 255);
    /// assert!(bool::from_f64(-0.5));
    /// ```
    fn from_f64(value: f64) -> Self;
    #[doc(hidden)]
    fn wrap(data: std::sync::Arc<Vec<Self>>) -> crate::array::Storage;
    #[doc(hidden)]
    fn unwrap(storage: &crate::array::Storage) -> Option<&std::sync::Arc<Vec<Self>>>;
    #[doc(hidden)]
    fn unwrap_mut(storage: &mut crate::array::Storage) -> Option<&mut std::sync::Arc<Vec<Self>>>;
}

macro_rules! element {
    ($($type:ty, $variant:ident, $to:expr, $from:expr;)*) => { $(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$variant;
            #[inline]
            fn to_f64(self) -> f64 {
                ($to)(self)
            }
            #[inline]
            fn from_f64(value: f64) -> Self {
                ($from)(value)
            }
            fn wrap(data: std::sync::Arc<Vec<Self>>) -> crate::array::Storage {
                crate::array::Storage::$variant(data)
            }
            fn unwrap(storage: &crate::array::Storage) -> Option<&std::sync::Arc<Vec<Self>>> {
                match storage {
                    crate::array::Storage::$variant(data) => Some(data),
                    _ => None,
                }
            }
            fn unwrap_mut(storage: &mut crate::array::Storage) -> Option<&mut std::sync::Arc<Vec<Self>>> {
                match storage {
                    crate::array::Storage::$variant(data) => Some(data),
                    _ => None,
                }
            }
        }
    )* };
}

element! {
    f32, F32, f64::from, |v: f64| v as f32;
    f64, F64, |v: f64| v, |v: f64| v;
    i32, I32, f64::from, |v: f64| v as i32;
    i64, I64, |v: i64| v as f64, |v: f64| v as i64;
    u8, U8, f64::from, |v: f64| v as u8;
    bool, Bool, |v: bool| f64::from(u8::from(v)), |v: f64| v != 0.0;
}
