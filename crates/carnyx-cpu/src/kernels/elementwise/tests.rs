//! Each kernel against one plain sentence of arithmetic, on every instruction set of the processor.

use super::*;

fn bytes<T>(x: &[T]) -> *const u8 {
    x.as_ptr().cast()
}

fn run_unary<X, Z: Copy + Default>(kernel: UnaryKernel, x: &[X]) -> Vec<Z> {
    let mut out = vec![Z::default(); x.len()];
    // SAFETY: both have `x.len()` elements, and the kernel is one of this processor's.
    unsafe { kernel(out.as_mut_ptr().cast(), bytes(x), x.len()) };
    out
}

fn run_binary<X, Z: Copy + Default>(kernel: BinaryKernel, x: &[X], y: &[X]) -> Vec<Z> {
    assert_eq!(x.len(), y.len());
    let mut out = vec![Z::default(); x.len()];
    // SAFETY: all have `x.len()` elements, and the kernel is one of this processor's.
    unsafe { kernel(out.as_mut_ptr().cast(), bytes(x), bytes(y), x.len()) };
    out
}

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn floats() {
    for isa in Isa::available() {
        let x = [1.5f32, -2.5, 0.0, NAN, INF, 3.5, -INF, 2.0, -7.0, 7.0];
        let y = [0.5f32, 2.0, NAN, 1.0, 1.0, 3.5, 0.0, -0.0, 3.0, -3.0];
        let of = |op| run_binary::<f32, f32>(binary_kernel(isa, op, DType::F32), &x, &y);
        let same = |a: Vec<f32>, b: &[f32]| {
            let equal = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
            assert!(a.iter().zip(b).all(equal), "{isa:?}: {a:?} is not {b:?}");
        };
        same(of(Binary::Add), &[2.0, -0.5, NAN, NAN, INF, 7.0, -INF, 2.0, -4.0, 4.0]);
        same(of(Binary::Sub), &[1.0, -4.5, NAN, NAN, INF, 0.0, -INF, 2.0, -10.0, 10.0]);
        same(of(Binary::Mul), &[0.75, -5.0, NAN, NAN, INF, 12.25, NAN, 0.0, -21.0, -21.0]);
        same(of(Binary::Div), &[3.0, -1.25, NAN, NAN, INF, 1.0, -INF, -INF, -7.0 / 3.0, -7.0 / 3.0]);
        same(of(Binary::Rem), &[0.0, 1.5, NAN, NAN, NAN, 0.0, NAN, NAN, 2.0, -2.0]);
        same(of(Binary::Maximum), &[1.5, 2.0, NAN, NAN, INF, 3.5, 0.0, 2.0, 3.0, 7.0]);
        same(of(Binary::Minimum), &[0.5, -2.5, NAN, NAN, 1.0, 3.5, -INF, 0.0, -7.0, -3.0]);
        let less: Vec<u8> = run_binary(binary_kernel(isa, Binary::Less, DType::F32), &x, &y);
        assert_eq!(less, [0, 1, 0, 0, 0, 0, 1, 0, 1, 0]);
        let differ: Vec<u8> = run_binary(binary_kernel(isa, Binary::NotEqual, DType::F32), &x, &y);
        assert_eq!(differ, [1, 1, 1, 1, 1, 0, 1, 1, 1, 1]);

        let of = |op| run_unary::<f32, f32>(unary_kernel(isa, op, DType::F32), &x);
        same(of(Unary::Round), &[2.0, -2.0, 0.0, NAN, INF, 4.0, -INF, 2.0, -7.0, 7.0]);
        same(of(Unary::Floor), &[1.0, -3.0, 0.0, NAN, INF, 3.0, -INF, 2.0, -7.0, 7.0]);
        same(of(Unary::Sign), &[1.0, -1.0, 0.0, NAN, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0]);
        same(
            of(Unary::Sqrt),
            &[1.5f32.sqrt(), NAN, 0.0, NAN, INF, 3.5f32.sqrt(), NAN, 2f32.sqrt(), NAN, 7f32.sqrt()],
        );
        let finite: Vec<u8> = run_unary(unary_kernel(isa, Unary::IsFinite, DType::F32), &x);
        assert_eq!(finite, [1, 1, 1, 0, 0, 1, 0, 1, 1, 1]);
    }
}

type Exact = fn(f64) -> f64;

#[test]
fn smooth_functions_are_near_those_of_the_standard_library() {
    let x: Vec<f32> = (0..TILE as u16).map(|i| (f32::from(i) - 255.5) / 16.0).collect();
    let exact: [(Unary, Exact); 9] = [
        (Unary::Exp, f64::exp),
        (Unary::Expm1, f64::exp_m1),
        (Unary::Log, f64::ln),
        (Unary::Log1p, f64::ln_1p),
        (Unary::Sin, f64::sin),
        (Unary::Cos, f64::cos),
        (Unary::Tanh, f64::tanh),
        (Unary::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Unary::Erf, vector_math::erf_f64),
    ];
    for isa in Isa::available() {
        for (op, exact) in exact {
            let floats: Vec<f32> = run_unary(unary_kernel(isa, op, DType::F32), &x);
            let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let doubles: Vec<f64> = run_unary(unary_kernel(isa, op, DType::F64), &wide);
            for i in 0..TILE {
                let wanted = exact(f64::from(x[i]));
                let near = |y: f64, tolerance: f64| {
                    (y - wanted).abs() <= tolerance * wanted.abs() || wanted.is_nan()
                };
                assert!(near(f64::from(floats[i]), 4e-7), "{op:?} of {}: {}", x[i], floats[i]);
                assert!(near(doubles[i], 1e-14), "{op:?} of {}: {}", x[i], doubles[i]);
            }
        }
    }
}

#[test]
fn large_angles() {
    let x = [1e7f32, -3e30, 0.5, INF];
    for isa in Isa::available() {
        let sine: Vec<f32> = run_unary(unary_kernel(isa, Unary::Sin, DType::F32), &x);
        let cosine: Vec<f32> = run_unary(unary_kernel(isa, Unary::Cos, DType::F32), &x);
        for i in 0..3 {
            assert!((f64::from(sine[i]) - f64::from(x[i]).sin()).abs() < 1e-7);
            assert!((f64::from(cosine[i]) - f64::from(x[i]).cos()).abs() < 1e-7);
        }
        assert!(sine[3].is_nan() && cosine[3].is_nan());
    }
}

#[test]
fn an_element_does_not_depend_on_its_place() {
    let x: Vec<f32> = (0..100u8).map(|i| f32::from(i) * 0.17 - 8.0).collect();
    for isa in Isa::available() {
        for op in [Unary::Exp, Unary::Tanh, Unary::Sigmoid, Unary::Erf, Unary::Sin, Unary::Log1p] {
            let kernel = unary_kernel(isa, op, DType::F32);
            let whole: Vec<f32> = run_unary(kernel, &x);
            let single: Vec<f32> = x.iter().flat_map(|x| run_unary::<f32, f32>(kernel, &[*x])).collect();
            assert_eq!(bits(&whole), bits(&single), "{isa:?} {op:?}");
        }
    }
}

#[test]
fn integers_and_truth_values() {
    for isa in Isa::available() {
        let (x, y) = ([7i32, -7, i32::MAX, 5], [3i32, 3, 1, 0]);
        let of = |op| run_binary::<i32, i32>(binary_kernel(isa, op, DType::I32), &x, &y);
        assert_eq!(of(Binary::Add), [10, -4, i32::MIN, 5]);
        assert_eq!(of(Binary::Div), [2, -2, i32::MAX, 0]);
        assert_eq!(of(Binary::Rem), [1, 2, 0, 0]);
        assert_eq!(of(Binary::Maximum), [7, 3, i32::MAX, 5]);
        let powers: Vec<i64> =
            run_binary(binary_kernel(isa, Binary::Pow, DType::I64), &[3i64, 2], &[4i64, -1]);
        assert_eq!(powers, [81, 0]);
        let (x, y) = ([0u8, 1, 0, 1], [0u8, 0, 1, 1]);
        let of = |op| run_binary::<u8, u8>(binary_kernel(isa, op, DType::Bool), &x, &y);
        assert_eq!(of(Binary::And), [0, 0, 0, 1]);
        assert_eq!(of(Binary::Or), [0, 1, 1, 1]);
        assert_eq!(of(Binary::Xor), [0, 1, 1, 0]);
        assert_eq!(of(Binary::Equal), [1, 0, 0, 1]);
        assert_eq!(run_unary::<u8, u8>(unary_kernel(isa, Unary::Not, DType::Bool), &x), [1, 0, 1, 0]);
    }
}

#[test]
fn conversions_are_those_of_rust() {
    let x = [1.9f32, -1.9, NAN, 300.0, -1e20, 0.0];
    for isa in Isa::available() {
        assert_eq!(
            run_unary::<f32, i32>(cast_kernel(isa, DType::F32, DType::I32), &x),
            [1, -1, 0, 300, i32::MIN, 0]
        );
        assert_eq!(run_unary::<f32, u8>(cast_kernel(isa, DType::F32, DType::U8), &x), [1, 0, 0, 255, 0, 0]);
        assert_eq!(run_unary::<f32, u8>(cast_kernel(isa, DType::F32, DType::Bool), &x), [1, 1, 1, 1, 1, 0]);
        let wide = [1i64 << 40, -3, 257];
        assert_eq!(run_unary::<i64, u8>(cast_kernel(isa, DType::I64, DType::U8), &wide), [0, 253, 1]);
        assert_eq!(
            run_unary::<i64, f64>(cast_kernel(isa, DType::I64, DType::F64), &wide),
            [2f64.powi(40), -3.0, 257.0]
        );
        assert_eq!(run_unary::<u8, f32>(cast_kernel(isa, DType::Bool, DType::F32), &[1u8, 0]), [1.0, 0.0]);
        for from in DType::ALL {
            for to in DType::ALL {
                let (zeros, mut out) = ([0u64; 8], [1u64; 8]);
                // SAFETY: 8 elements of any type fit; the kernel is one of this processor's.
                unsafe { cast_kernel(isa, from, to)(out.as_mut_ptr().cast(), bytes(&zeros), 8) };
                assert_eq!(out[0] as u8, 0);
            }
        }
    }
}

#[test]
fn selecting_filling_and_gathering() {
    let (x, y, condition) = ([1.0f32, 2.0, 3.0], [-1.0f32, -2.0, -3.0], [1u8, 0, 1]);
    for isa in Isa::available() {
        let mut out = [0f32; 3];
        let kernel = select_kernel(isa, DType::F32);
        // SAFETY: all have 3 elements; the kernel is one of this processor's.
        unsafe { kernel(out.as_mut_ptr().cast(), condition.as_ptr(), bytes(&x), bytes(&y), 3) };
        assert_eq!(out, [1.0, -2.0, 3.0]);
    }
    let mut out = [0i64; 5];
    // SAFETY: 5 elements to write, one to read.
    unsafe { fill_kernel(DType::I64)(out.as_mut_ptr().cast(), bytes(&[7i64]), 5) };
    assert_eq!(out, [7; 5]);
    let mut out = [0f32; 2];
    // SAFETY: elements 2 and 0 of 3.
    unsafe { gather_kernel(DType::F32)(out.as_mut_ptr().cast(), bytes(&x).add(8), 2, -2) };
    assert_eq!(out, [3.0, 1.0]);
}
