//! Functions element by element: the small steps of which fused loops are made.
//!
//! A fused loop works on tiles of at most [`TILE`] elements, which stay in the nearest cache. Its steps are
//! function pointers, looked up once when a program is made ([`unary_kernel`] and its kin), so that nothing
//! is decided per tile. Truth values are bytes, 0 or 1; any other byte counts as true. Invariants: an
//! element's bits depend on its operands and on the instruction set only; nothing here panics on any value.
//!
//! The tables are closures of no size, compiled into a loop for each instruction set. Nanoseconds for 512
//! floats in the nearest cache (Xeon with AVX-512, 2026; AVX-512, AVX2 and portable): add 40, 47, 54; exp
//! 157, 216, 711; tanh 261, 447, 869; select 43, 70, 148.

use super::vector_math::{self, Fused, Separate};
use crate::isa::Isa;
use carnyx_graph::DType;
use carnyx_graph::op::{Binary, Unary};

mod cast;
mod integer;

pub use cast::cast_kernel;
use integer::Integer;

/// The most elements of a tile.
pub const TILE: usize = 512;

/// `out[i] = f(x[i])` for `i < n`.
///
/// # Safety
///
/// The processor has the instruction set that the kernel was asked for. `out` and `x` are aligned and valid
/// for `n` elements of the kernel's types and do not overlap; nobody else touches `out` meanwhile.
pub type UnaryKernel = unsafe fn(out: *mut u8, x: *const u8, n: usize);

/// `out[i] = f(x[i], y[i])` for `i < n`.
///
/// # Safety
///
/// As for [`UnaryKernel`]; `x` and `y` may be the same memory.
pub type BinaryKernel = unsafe fn(out: *mut u8, x: *const u8, y: *const u8, n: usize);

/// `out[i] = if condition[i] != 0 { x[i] } else { y[i] }` for `i < n`.
///
/// # Safety
///
/// As for [`UnaryKernel`]; the operands may be the same memory.
pub type SelectKernel = unsafe fn(out: *mut u8, condition: *const u8, x: *const u8, y: *const u8, n: usize);

/// A conversion; see [`UnaryKernel`] for its contract.
pub type CastKernel = UnaryKernel;

/// `out[i] = x[0]` for `i < n`; see [`UnaryKernel`] for its contract, `x` being one element.
pub type FillKernel = UnaryKernel;

/// `out[i] = x[i * stride]` for `i < n`.
///
/// # Safety
///
/// As for [`UnaryKernel`], but `x` is valid at the elements named.
pub type GatherKernel = unsafe fn(out: *mut u8, x: *const u8, n: usize, stride: isize);

/// The step of `op` on elements of `dtype`. Of the types that `op` is defined on only: anything else is a bug
/// of the caller.
pub fn unary_kernel(isa: Isa, op: Unary, dtype: DType) -> UnaryKernel {
    match dtype {
        DType::F32 => unary_f32(isa, op),
        DType::F64 => unary_f64(isa, op),
        DType::I32 => unary_integer::<i32>(isa, op),
        DType::I64 => unary_integer::<i64>(isa, op),
        DType::Bool if op == Unary::Not => unary(isa, |x: u8| u8::from(x == 0)),
        DType::U8 | DType::Bool => {
            panic!("{op:?} is not defined on {dtype}: shape inference has let it pass")
        }
    }
}

fn unary_f32(isa: Isa, op: Unary) -> UnaryKernel {
    match op {
        Unary::Neg => unary(isa, |x: f32| -x),
        Unary::Abs => unary(isa, |x: f32| x.abs()),
        Unary::Sign => unary(isa, |x: f32| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }),
        Unary::Exp => smooth(isa, vector_math::exp::<Fused>, vector_math::exp::<Separate>),
        Unary::Expm1 => smooth(isa, vector_math::expm1::<Fused>, vector_math::expm1::<Separate>),
        Unary::Log => smooth(isa, vector_math::log::<Fused>, vector_math::log::<Separate>),
        Unary::Log1p => smooth(isa, vector_math::log1p::<Fused>, vector_math::log1p::<Separate>),
        Unary::Sqrt => unary(isa, |x: f32| x.sqrt()),
        Unary::Sin => match isa {
            Isa::Avx512 => sin_avx512,
            Isa::Avx2 => sin_avx2,
            Isa::Portable => sin_portable,
        },
        Unary::Cos => match isa {
            Isa::Avx512 => cos_avx512,
            Isa::Avx2 => cos_avx2,
            Isa::Portable => cos_portable,
        },
        Unary::Tanh => smooth(isa, vector_math::tanh::<Fused>, vector_math::tanh::<Separate>),
        Unary::Sigmoid => smooth(isa, vector_math::sigmoid::<Fused>, vector_math::sigmoid::<Separate>),
        Unary::Erf => smooth(isa, vector_math::erf::<Fused>, vector_math::erf::<Separate>),
        Unary::Floor => unary(isa, |x: f32| x.floor()),
        Unary::Ceil => unary(isa, |x: f32| x.ceil()),
        Unary::Round => unary(isa, |x: f32| x.round_ties_even()),
        Unary::IsNan => unary(isa, |x: f32| u8::from(x.is_nan())),
        Unary::IsFinite => unary(isa, |x: f32| u8::from(x.is_finite())),
        Unary::Not => panic!("`not` is defined on truth values only: shape inference has let f32 pass"),
    }
}

fn unary_f64(isa: Isa, op: Unary) -> UnaryKernel {
    match op {
        Unary::Neg => unary(isa, |x: f64| -x),
        Unary::Abs => unary(isa, |x: f64| x.abs()),
        Unary::Sign => unary(isa, |x: f64| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }),
        Unary::Exp => unary(isa, f64::exp),
        Unary::Expm1 => unary(isa, f64::exp_m1),
        Unary::Log => unary(isa, f64::ln),
        Unary::Log1p => unary(isa, f64::ln_1p),
        Unary::Sqrt => unary(isa, |x: f64| x.sqrt()),
        Unary::Sin => unary(isa, f64::sin),
        Unary::Cos => unary(isa, f64::cos),
        Unary::Tanh => unary(isa, f64::tanh),
        Unary::Sigmoid => unary(isa, sigmoid_f64),
        Unary::Erf => unary(isa, vector_math::erf_f64),
        Unary::Floor => unary(isa, |x: f64| x.floor()),
        Unary::Ceil => unary(isa, |x: f64| x.ceil()),
        Unary::Round => unary(isa, |x: f64| x.round_ties_even()),
        Unary::IsNan => unary(isa, |x: f64| u8::from(x.is_nan())),
        Unary::IsFinite => unary(isa, |x: f64| u8::from(x.is_finite())),
        Unary::Not => panic!("`not` is defined on truth values only: shape inference has let f64 pass"),
    }
}

fn sigmoid_f64(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

fn unary_integer<T: Integer>(isa: Isa, op: Unary) -> UnaryKernel {
    match op {
        Unary::Neg => unary(isa, T::negative),
        Unary::Abs => unary(isa, T::absolute),
        Unary::Sign => unary(isa, T::sign),
        Unary::Exp
        | Unary::Expm1
        | Unary::Log
        | Unary::Log1p
        | Unary::Sqrt
        | Unary::Sin
        | Unary::Cos
        | Unary::Tanh
        | Unary::Sigmoid
        | Unary::Erf
        | Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::Not
        | Unary::IsNan
        | Unary::IsFinite => panic!("{op:?} is not defined on integers: shape inference has let it pass"),
    }
}

/// The step of `op` on elements of `dtype`; comparisons give truth values.
///
/// Integers wrap around. Their quotient is truncated toward zero, their remainder has the sign of the divisor
/// as in Python, and both are 0 where the divisor is; a power with a negative exponent is 0 unless the base
/// is 1 or -1.
pub fn binary_kernel(isa: Isa, op: Binary, dtype: DType) -> BinaryKernel {
    match dtype {
        DType::F32 => binary_f32(isa, op),
        DType::F64 => binary_f64(isa, op),
        DType::I32 => binary_integer::<i32>(isa, op),
        DType::I64 => binary_integer::<i64>(isa, op),
        DType::U8 => binary_integer::<u8>(isa, op),
        DType::Bool => binary_bool(isa, op),
    }
}

/// The tables of both float types differ in the type only.
macro_rules! binary_float {
    ($name:ident, $type:ty) => {
        fn $name(isa: Isa, op: Binary) -> BinaryKernel {
            match op {
                Binary::Add => binary(isa, |x: $type, y: $type| x + y),
                Binary::Sub => binary(isa, |x: $type, y: $type| x - y),
                Binary::Mul => binary(isa, |x: $type, y: $type| x * y),
                Binary::Div => binary(isa, |x: $type, y: $type| x / y),
                Binary::Rem => binary(isa, |x: $type, y: $type| {
                    let r = x % y;
                    let other_sign = (r < 0.0) != (y < 0.0);
                    if r == 0.0 {
                        r.copysign(y)
                    } else if other_sign {
                        r + y
                    } else {
                        r
                    }
                }),
                Binary::Pow => binary(isa, <$type>::powf),
                Binary::Maximum => binary(isa, |x: $type, y: $type| {
                    let greater = if x > y { x } else { y };
                    if x.is_nan() { x } else { greater }
                }),
                Binary::Minimum => binary(isa, |x: $type, y: $type| {
                    let smaller = if x < y { x } else { y };
                    if x.is_nan() { x } else { smaller }
                }),
                Binary::Equal => binary(isa, |x: $type, y: $type| u8::from(x == y)),
                Binary::NotEqual => binary(isa, |x: $type, y: $type| u8::from(x != y)),
                Binary::Less => binary(isa, |x: $type, y: $type| u8::from(x < y)),
                Binary::LessEqual => binary(isa, |x: $type, y: $type| u8::from(x <= y)),
                Binary::And | Binary::Or | Binary::Xor => {
                    panic!("{op:?} is defined on truth values only: shape inference has let floats pass")
                }
            }
        }
    };
}

binary_float!(binary_f32, f32);
binary_float!(binary_f64, f64);

fn binary_integer<T: Integer>(isa: Isa, op: Binary) -> BinaryKernel {
    match op {
        Binary::Add => binary(isa, T::plus),
        Binary::Sub => binary(isa, T::minus),
        Binary::Mul => binary(isa, T::times),
        Binary::Div => binary(isa, T::quotient),
        Binary::Rem => binary(isa, T::remainder),
        Binary::Pow => binary(isa, T::power),
        Binary::Maximum => binary(isa, |x: T, y: T| if x > y { x } else { y }),
        Binary::Minimum => binary(isa, |x: T, y: T| if x < y { x } else { y }),
        Binary::Equal => binary(isa, |x: T, y: T| u8::from(x == y)),
        Binary::NotEqual => binary(isa, |x: T, y: T| u8::from(x != y)),
        Binary::Less => binary(isa, |x: T, y: T| u8::from(x < y)),
        Binary::LessEqual => binary(isa, |x: T, y: T| u8::from(x <= y)),
        Binary::And | Binary::Or | Binary::Xor => {
            panic!("{op:?} is defined on truth values only: shape inference has let integers pass")
        }
    }
}

fn binary_bool(isa: Isa, op: Binary) -> BinaryKernel {
    match op {
        Binary::And => binary(isa, |x: u8, y: u8| u8::from(x != 0) & u8::from(y != 0)),
        Binary::Or => binary(isa, |x: u8, y: u8| u8::from(x | y != 0)),
        Binary::Xor | Binary::NotEqual => binary(isa, |x: u8, y: u8| u8::from((x != 0) != (y != 0))),
        Binary::Equal => binary(isa, |x: u8, y: u8| u8::from((x != 0) == (y != 0))),
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Div
        | Binary::Rem
        | Binary::Pow
        | Binary::Maximum
        | Binary::Minimum
        | Binary::Less
        | Binary::LessEqual => {
            panic!("{op:?} is not defined on truth values: shape inference has let it pass")
        }
    }
}

/// The step that selects between elements of `dtype`.
pub fn select_kernel(isa: Isa, dtype: DType) -> SelectKernel {
    match dtype.size() {
        1 => select::<u8>(isa),
        4 => select::<u32>(isa),
        _ => select::<u64>(isa),
    }
}

/// The step that repeats one element of `dtype`.
pub fn fill_kernel(dtype: DType) -> FillKernel {
    match dtype.size() {
        1 => fill::<u8>,
        4 => fill::<u32>,
        _ => fill::<u64>,
    }
}

/// The step that collects elements of `dtype` at a fixed distance.
pub fn gather_kernel(dtype: DType) -> GatherKernel {
    match dtype.size() {
        1 => gather::<u8>,
        4 => gather::<u32>,
        _ => gather::<u64>,
    }
}

unsafe fn fill<T: Copy>(out: *mut u8, x: *const u8, n: usize) {
    // SAFETY: `FillKernel`'s contract.
    unsafe { std::slice::from_raw_parts_mut(out.cast::<T>(), n).fill(*x.cast::<T>()) }
}

unsafe fn gather<T: Copy>(out: *mut u8, x: *const u8, n: usize, stride: isize) {
    // SAFETY: `GatherKernel`'s contract.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<T>(), n) };
    for (i, to) in out.iter_mut().enumerate() {
        // SAFETY: as above: element `i * stride` is valid.
        *to = unsafe { *x.cast::<T>().offset(i as isize * stride) };
    }
}

// ---- From functions to loops.
//
// A function without captures has no size, so that its type alone says which it is: the loops below make it
// up.

/// The only value of a type without size.
#[inline(always)]
fn function<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "a kernel's function captures nothing") };
    // SAFETY: the type has no size, so there is nothing to read; a value of it was given to `unary` and its
    // kin.
    unsafe { std::ptr::NonNull::<F>::dangling().as_ptr().read() }
}

/// The loop over `f`, for a function that is the same for each instruction set.
fn unary<X: Copy, Z: Copy, F: Fn(X) -> Z + Copy>(isa: Isa, f: F) -> UnaryKernel {
    smooth(isa, f, f)
}

/// The loop over a function that has a version with fused and one with separate multiplication and addition.
fn smooth<X, Z, F, G>(isa: Isa, _fused: F, _separate: G) -> UnaryKernel
where
    X: Copy,
    Z: Copy,
    F: Fn(X) -> Z + Copy,
    G: Fn(X) -> Z + Copy,
{
    match isa {
        Isa::Avx512 => unary_avx512::<X, Z, F>,
        Isa::Avx2 => unary_avx2::<X, Z, F>,
        Isa::Portable => unary_loop::<X, Z, G>,
    }
}

fn binary<X: Copy, Z: Copy, F: Fn(X, X) -> Z + Copy>(isa: Isa, _f: F) -> BinaryKernel {
    match isa {
        Isa::Avx512 => binary_avx512::<X, Z, F>,
        Isa::Avx2 => binary_avx2::<X, Z, F>,
        Isa::Portable => binary_loop::<X, Z, F>,
    }
}

fn select<X: Bits>(isa: Isa) -> SelectKernel {
    match isa {
        Isa::Avx512 => select_avx512::<X>,
        Isa::Avx2 => select_avx2::<X>,
        Isa::Portable => select_loop::<X>,
    }
}

/// The loop of [`UnaryKernel`], under whose contract it stands, as do its like.
#[inline(always)]
unsafe fn unary_loop<X: Copy, Z: Copy, F: Fn(X) -> Z + Copy>(out: *mut u8, x: *const u8, n: usize) {
    let f = function::<F>();
    // SAFETY: `UnaryKernel`'s contract.
    let (out, x) = unsafe { (writable::<Z>(out, n), readable::<X>(x, n)) };
    apply(out, x, f);
}

/// A function of its own, because the compiler knows of arguments that they do not overlap.
#[inline(always)]
fn apply<X: Copy, Z>(out: &mut [Z], x: &[X], f: impl Fn(X) -> Z) {
    for (z, x) in out.iter_mut().zip(x) {
        *z = f(*x);
    }
}

#[inline(always)]
unsafe fn binary_loop<X: Copy, Z: Copy, F: Fn(X, X) -> Z + Copy>(
    out: *mut u8,
    x: *const u8,
    y: *const u8,
    n: usize,
) {
    let f = function::<F>();
    // SAFETY: `BinaryKernel`'s contract.
    let (out, x, y) = unsafe { (writable::<Z>(out, n), readable::<X>(x, n), readable::<X>(y, n)) };
    apply_two(out, x, y, f);
}

#[inline(always)]
fn apply_two<X: Copy, Z>(out: &mut [Z], x: &[X], y: &[X], f: impl Fn(X, X) -> Z) {
    for ((z, x), y) in out.iter_mut().zip(x).zip(y) {
        *z = f(*x, *y);
    }
}

#[inline(always)]
unsafe fn select_loop<X: Bits>(out: *mut u8, condition: *const u8, x: *const u8, y: *const u8, n: usize) {
    // SAFETY: `SelectKernel`'s contract.
    let (out, condition) = unsafe { (writable::<X>(out, n), readable::<u8>(condition, n)) };
    // SAFETY: as above.
    let (x, y) = unsafe { (readable::<X>(x, n), readable::<X>(y, n)) };
    choose(out, condition, x, y);
}

#[inline(always)]
fn choose<X: Bits>(out: &mut [X], condition: &[u8], x: &[X], y: &[X]) {
    for (((z, condition), x), y) in out.iter_mut().zip(condition).zip(x).zip(y) {
        *z = X::choose(*condition != 0, *x, *y);
    }
}

/// Elements as bits. Selecting with masks keeps the compiler from branches: five times as fast (AVX2, 2026).
trait Bits: Copy {
    fn choose(condition: bool, x: Self, y: Self) -> Self;
}

macro_rules! bits {
    ($($type:ty)*) => { $(
        impl Bits for $type {
            #[inline(always)]
            fn choose(condition: bool, x: Self, y: Self) -> Self {
                let mask = (0 as $type).wrapping_sub(<$type>::from(condition));
                y ^ ((x ^ y) & mask)
            }
        }
    )* };
}

bits!(u8 u32 u64);

/// # Safety
///
/// `out` is aligned and valid for `n` elements that nobody else touches for as long as the slice lives.
#[inline(always)]
unsafe fn writable<'a, T>(out: *mut u8, n: usize) -> &'a mut [T] {
    debug_assert!(out.cast::<T>().is_aligned(), "the planner aligns buffers");
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(out.cast::<T>(), n) }
}

/// # Safety
///
/// `x` is aligned and valid for `n` elements that nobody writes for as long as the slice lives.
#[inline(always)]
unsafe fn readable<'a, T>(x: *const u8, n: usize) -> &'a [T] {
    debug_assert!(x.cast::<T>().is_aligned(), "the planner aligns buffers");
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(x.cast::<T>(), n) }
}

/// Sines or cosines: the short way for all elements, then the long way for the few that need it.
macro_rules! turning_loop {
    ($name:ident, $near:ident, $far:ident) => {
        #[inline(always)]
        unsafe fn $name<A: vector_math::Arithmetic>(out: *mut u8, x: *const u8, n: usize) {
            // SAFETY: `UnaryKernel`'s contract.
            let (out, x) = unsafe { (writable::<f32>(out, n), readable::<f32>(x, n)) };
            apply(out, x, vector_math::$near::<A>);
            let is_far = |x: f32| x.abs() > vector_math::TURNING_LIMIT;
            if x.iter().fold(false, |any, x| any | is_far(*x)) {
                for (z, x) in out.iter_mut().zip(x).filter(|(_, x)| is_far(**x)) {
                    *z = vector_math::$far(*x);
                }
            }
        }
    };
}

turning_loop!(sin_loop, sin, sin_far);
turning_loop!(cos_loop, cos, cos_far);

/// Copies of the loops for each instruction set.
macro_rules! copies {
    ($($loop:ident [$($generics:tt)*] [$($types:ty),*] ($($name:ident: $type:ty),*)
        $avx512:ident $avx2:ident;)*) => { $(
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        unsafe fn $avx512<$($generics)*>($($name: $type),*) {
            // SAFETY: the contract is the same.
            unsafe { $loop::<$($types),*>($($name),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $avx2<$($generics)*>($($name: $type),*) {
            // SAFETY: the contract is the same.
            unsafe { $loop::<$($types),*>($($name),*) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        use $loop as $avx512;
        #[cfg(not(target_arch = "x86_64"))]
        use $loop as $avx2;
    )* };
}

copies! {
    unary_loop [X: Copy, Z: Copy, F: Fn(X) -> Z + Copy] [X, Z, F] (out: *mut u8, x: *const u8, n: usize)
        unary_avx512 unary_avx2;
    binary_loop [X: Copy, Z: Copy, F: Fn(X, X) -> Z + Copy] [X, Z, F]
        (out: *mut u8, x: *const u8, y: *const u8, n: usize) binary_avx512 binary_avx2;
    select_loop [X: Bits] [X] (out: *mut u8, condition: *const u8, x: *const u8, y: *const u8, n: usize)
        select_avx512 select_avx2;
}

macro_rules! turning_copies {
    ($loop:ident $avx512:ident $avx2:ident $portable:ident) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
        unsafe fn $avx512(out: *mut u8, x: *const u8, n: usize) {
            // SAFETY: the contract is the same.
            unsafe { $loop::<Fused>(out, x, n) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $avx2(out: *mut u8, x: *const u8, n: usize) {
            // SAFETY: the contract is the same.
            unsafe { $loop::<Fused>(out, x, n) }
        }
        unsafe fn $portable(out: *mut u8, x: *const u8, n: usize) {
            // SAFETY: the contract is the same.
            unsafe { $loop::<Separate>(out, x, n) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        use $portable as $avx512;
        #[cfg(not(target_arch = "x86_64"))]
        use $portable as $avx2;
    };
}

turning_copies!(sin_loop sin_avx512 sin_avx2 sin_portable);
turning_copies!(cos_loop cos_avx512 cos_avx2 cos_portable);

#[cfg(test)]
mod tests;
