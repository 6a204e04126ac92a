//! Smooth functions of one `f32`, free of branches and calls, so that loops over them become vector
//! instructions.
//!
//! The functions are generic in [`Arithmetic`]: whether `x · y + z` is rounded once ([`Fused`], where the
//! processor has the instruction) or twice ([`Separate`]). Range reductions are Cody and Waite's, polynomials
//! those of the Cephes library (S. Moshier, 1992) unless said otherwise. Errors are in units in the last
//! place (ulp) against `f64`, as the tests measure them. Invariant: a result depends on the argument and on
//! the arithmetic only, never on the place of the element in a vector.

/// How `x · y + z` is computed.
pub trait Arithmetic: Copy {
    /// `x * y + z`
    fn mul_add(x: f32, y: f32, z: f32) -> f32;
}

/// Rounded once. Only inside functions that enable the instruction: elsewhere each call is a slow library
/// call.
#[derive(Clone, Copy, Debug)]
pub struct Fused;

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add(x: f32, y: f32, z: f32) -> f32 {
        x.mul_add(y, z)
    }
}

/// Rounded twice, the same on every processor.
#[derive(Clone, Copy, Debug)]
pub struct Separate;

impl Arithmetic for Separate {
    #[inline(always)]
    fn mul_add(x: f32, y: f32, z: f32) -> f32 {
        x * y + z
    }
}

/// Adding and subtracting it rounds a small float to an integer, which then stands in the low bits of the
/// sum.
const ROUNDER: f32 = 12582912.0; // 1.5 * 2^23
const LN_2_HIGH: f32 = 0.693359375;
const LN_2_LOW: f32 = -2.12194440e-4;

/// `c[0] x^(n-1) + … + c[n-1]` by Horner's rule.
#[inline(always)]
fn polynomial<A: Arithmetic, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = A::mul_add(sum, x, *c);
    }
    sum
}

/// `2^k` for `-126 <= k <= 127`.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// `x` within `low..=high`; a NaN stays a NaN.
#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `k` and `e^r - 1` with `x = k ln 2 + r`, `|r| <= ln 2 / 2`, for `|x| < 2^22`.
#[inline(always)]
fn reduced_expm1<A: Arithmetic>(x: f32) -> (i32, f32) {
    let shifted = A::mul_add(x, std::f32::consts::LOG2_E, ROUNDER);
    let k = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) as i32;
    let rounded = shifted - ROUNDER;
    let r = A::mul_add(rounded, -LN_2_LOW, A::mul_add(rounded, -LN_2_HIGH, x));
    let p = polynomial::<A, 6>(
        r,
        [
            1.9875691500e-4,
            1.3981999507e-3,
            8.3334519073e-3,
            4.1665795894e-2,
            1.6666665459e-1,
            5.0000001201e-1,
        ],
    );
    (k, A::mul_add(p, r * r, r))
}

/// `e^x`, within 2 ulp: `x = k ln 2 + r`, a polynomial for `e^r`, and `2^k` in two factors, because it may
/// lie beyond the floats where the result does not.
#[inline(always)]
pub fn exp<A: Arithmetic>(x: f32) -> f32 {
    // Beyond these bounds the result is 0 or infinite, and is at them too.
    let (k, p) = reduced_expm1::<A>(clamp(x, -104.0, 89.0));
    let half = k >> 1;
    (1.0 + p) * power_of_two(half) * power_of_two(k.wrapping_sub(half))
}

/// `e^x - 1`, within 3 ulp: `2^k (e^r - 1) + (2^k - 1)`.
#[inline(always)]
pub fn expm1<A: Arithmetic>(x: f32) -> f32 {
    let (k, p) = reduced_expm1::<A>(clamp(x, -20.0, 89.0));
    let half_scale = power_of_two(k.wrapping_sub(1));
    let y = 2.0 * A::mul_add(half_scale, p, half_scale - 0.5);
    if x == 0.0 { x } else { y }
}

/// The natural logarithm, within 2 ulp: `x = 2^k m` with `m` around 1, and a polynomial for `ln m`.
#[inline(always)]
pub fn log<A: Arithmetic>(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f3504f3;
    let is_subnormal = x < f32::MIN_POSITIVE;
    let scaled = if is_subnormal { x * 8388608.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF);
    let k = ((bits as i32) >> 23) as f32 - if is_subnormal { 23.0 } else { 0.0 };
    let f = f32::from_bits((bits & 0x007fffff).wrapping_add(SQRT_HALF)) - 1.0;
    let p = polynomial::<A, 9>(
        f,
        [
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
            2.0000714765e-1,
            -2.4999993993e-1,
            3.3333331174e-1,
        ],
    );
    let z = f * f;
    let tail = A::mul_add(-0.5, z, A::mul_add(k, LN_2_LOW, f * z * p));
    let y = A::mul_add(k, LN_2_HIGH, f + tail);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// `ln(1 + x)`, within 3 ulp: the logarithm of the rounded sum `u`, and the rounding error's share `error /
/// u`.
#[inline(always)]
pub fn log1p<A: Arithmetic>(x: f32) -> f32 {
    let u = 1.0 + x;
    let error = x - (u - 1.0);
    let logarithm = log::<A>(u);
    let y = if u > 0.0 && u < f32::INFINITY { logarithm + error / u } else { logarithm };
    if u == 1.0 { x } else { y }
}

/// `1 / (1 + e^-x)`, within 3 ulp, with an exponential that cannot overflow.
#[inline(always)]
pub fn sigmoid<A: Arithmetic>(x: f32) -> f32 {
    let e = exp::<A>(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// The hyperbolic tangent, within 3 ulp: `(e^2x - 1) / (e^2x + 1)` for `|x|`, with the sign of `x`.
#[inline(always)]
pub fn tanh<A: Arithmetic>(x: f32) -> f32 {
    let e = expm1::<A>(clamp(2.0 * x.abs(), 0.0, 20.0));
    (e / (e + 2.0)).copysign(x)
}

/// The error function, within 2 ulp. Polynomials by N. Juffa: `x + x p(x²)` near 0, `1 - e^p(|x|)` elsewhere.
#[inline(always)]
pub fn erf<A: Arithmetic>(x: f32) -> f32 {
    let (t, square) = (x.abs(), x * x);
    let near = polynomial::<A, 6>(
        square,
        [-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1],
    );
    let near = A::mul_add(near, x, x);
    let t4 = clamp(t, 0.0, 4.0);
    let p = polynomial::<A, 7>(
        t4,
        [
            -1.72853470e-5,
            3.83197126e-4,
            -3.88396438e-3,
            2.42546219e-2,
            -1.06777877e-1,
            -6.34846687e-1,
            -1.28717512e-1,
        ],
    );
    let far = (1.0 - exp::<A>(A::mul_add(p, t4, -t4))).copysign(x);
    if t > 0.927734375 { far } else { near }
}

/// Arguments of [`sin`] and [`cos`] up to this size are exact to the last places; beyond it, use [`sin_far`]
/// and [`cos_far`].
pub const TURNING_LIMIT: f32 = 1.0e6;

/// `k mod 4` and `r` with `x = k π/2 + r`, `|r| <= π/4`. In `f64`, because `x - k π/2` cancels.
#[inline(always)]
fn quarter_turns(x: f32) -> (i32, f32) {
    const ROUNDER: f64 = 6755399441055744.0; // 1.5 * 2^52
    // The first 33 bits of π/2, so that products with k are exact, and the rest.
    const HIGH: f64 = 1.57079632673412561417e0;
    const LOW: f64 = 6.07710050650619224932e-11;
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUNDER;
    let k = shifted - ROUNDER;
    let r = (x - k * HIGH) - k * LOW;
    (shifted.to_bits() as i32, r as f32)
}

/// Sine and cosine of `r`, `|r| <= π/4`, turned by `k` quarter turns.
#[inline(always)]
fn turned_sine<A: Arithmetic>(k: i32, r: f32) -> f32 {
    let z = r * r;
    let sine = polynomial::<A, 3>(z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
    let sine = A::mul_add(sine * z, r, r);
    let cosine = polynomial::<A, 3>(z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]);
    let cosine = A::mul_add(cosine, z * z, A::mul_add(-0.5, z, 1.0));
    let y = if k & 1 == 0 { sine } else { cosine };
    f32::from_bits(y.to_bits() ^ ((k & 2) as u32) << 30)
}

/// The sine for `|x| <= TURNING_LIMIT`, within 2 ulp.
#[inline(always)]
pub fn sin<A: Arithmetic>(x: f32) -> f32 {
    let (k, r) = quarter_turns(x);
    let y = turned_sine::<A>(k, r);
    if x == 0.0 { x } else { y }
}

/// The cosine for `|x| <= TURNING_LIMIT`, within 2 ulp.
#[inline(always)]
pub fn cos<A: Arithmetic>(x: f32) -> f32 {
    let (k, r) = quarter_turns(x);
    turned_sine::<A>(k.wrapping_add(1), r)
}

/// The sine of any number, one at a time.
pub fn sin_far(x: f32) -> f32 {
    f64::from(x).sin() as f32
}

/// The cosine of any number, one at a time.
pub fn cos_far(x: f32) -> f32 {
    f64::from(x).cos() as f32
}

/// `(sin 2πx, cos 2πx)` for `0 <= x <= 1`.
#[inline(always)]
pub fn sin_cos_turns<A: Arithmetic>(x: f32) -> (f32, f32) {
    let quarters = 4.0 * x;
    let shifted = quarters + ROUNDER;
    let k = shifted.to_bits() as i32;
    let r = (quarters - (shifted - ROUNDER)) * std::f32::consts::FRAC_PI_2;
    (turned_sine::<A>(k, r), turned_sine::<A>(k.wrapping_add(1), r))
}

/// The error function in `f64`, to about 1e-15, one at a time: a series of positive terms near 0, the
/// continued fraction of the complement elsewhere (Abramowitz and Stegun 7.1.6 and 7.1.14).
pub fn erf_f64(x: f64) -> f64 {
    let t = x.abs();
    if t.is_nan() || t == 0.0 {
        return x;
    }
    if t > 6.0 {
        return 1.0_f64.copysign(x);
    }
    let bell = (-t * t).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    if t < 2.0 {
        let (mut sum, mut term) = (t, t);
        for n in 1..60 {
            term *= 2.0 * t * t / f64::from(2 * n + 1);
            sum += term;
        }
        return (sum * bell).copysign(x);
    }
    let fraction = (1..=120).rev().fold(t, |fraction, k| t + 0.5 * f64::from(k) / fraction);
    (1.0 - 0.5 * bell / fraction).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance of `y` from `exact` in units of the last place of the nearest float.
    fn ulps(y: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        if y == nearest || (y.is_nan() && nearest.is_nan()) {
            return 0.0;
        }
        if !nearest.is_finite() || !y.is_finite() {
            return f64::INFINITY;
        }
        let next = f32::from_bits(nearest.abs().to_bits() + 1);
        let unit = if next.is_finite() { f64::from(next) - f64::from(nearest.abs()) } else { 2f64.powi(104) };
        (f64::from(y) - exact).abs() / unit
    }

    /// The greatest error over floats of all sizes within `low..=high`, and over evenly spread ones.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, low: f32, high: f32) -> (f64, f32) {
        let mut worst = (0.0, 0.0);
        let mut check = |x: f32| {
            if (low..=high).contains(&x) {
                let error = ulps(f(x), exact(f64::from(x)));
                if error > worst.0 {
                    worst = (error, x);
                }
            }
        };
        for bits in (0..0x7f80_0000u32).step_by(100_003) {
            check(f32::from_bits(bits));
            check(-f32::from_bits(bits));
        }
        for i in 0..20_000u16 {
            check(low.max(-110.0) + (high.min(110.0) - low.max(-110.0)) * f32::from(i) / 20_000.0);
        }
        worst
    }

    #[track_caller]
    fn within(
        limit: f64,
        [fused, separate]: [fn(f32) -> f32; 2],
        exact: fn(f64) -> f64,
        low: f32,
        high: f32,
    ) {
        for f in [fused, separate] {
            let (error, x) = worst(f, exact, low, high);
            assert!(error <= limit, "{error} ulp at {x}: {} for {}", f(x), exact(f64::from(x)));
        }
    }

    const MAX: f32 = f32::MAX;

    #[test]
    fn errors_stay_within_a_few_units_of_the_last_place() {
        within(2.0, [exp::<Fused>, exp::<Separate>], f64::exp, -MAX, MAX);
        within(3.0, [expm1::<Fused>, expm1::<Separate>], f64::exp_m1, -MAX, MAX);
        within(2.0, [log::<Fused>, log::<Separate>], f64::ln, -1.0, MAX);
        within(3.0, [log1p::<Fused>, log1p::<Separate>], f64::ln_1p, -2.0, MAX);
        within(3.0, [tanh::<Fused>, tanh::<Separate>], f64::tanh, -MAX, MAX);
        within(3.0, [sigmoid::<Fused>, sigmoid::<Separate>], |x| 1.0 / (1.0 + (-x).exp()), -MAX, MAX);
        within(2.0, [erf::<Fused>, erf::<Separate>], erf_f64, -MAX, MAX);
        within(2.0, [sin::<Fused>, sin::<Separate>], f64::sin, -TURNING_LIMIT, TURNING_LIMIT);
        within(2.0, [cos::<Fused>, cos::<Separate>], f64::cos, -TURNING_LIMIT, TURNING_LIMIT);
    }

    #[test]
    fn special_arguments() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for f in [exp::<Fused>, expm1::<Fused>, log::<Fused>, log1p::<Fused>, tanh::<Fused>, sigmoid::<Fused>]
        {
            assert!(f(nan).is_nan());
        }
        for f in [erf::<Fused>, sin::<Fused>, cos::<Fused>] {
            assert!(f(nan).is_nan());
        }
        assert_eq!([exp::<Fused>(inf), exp::<Fused>(-inf), exp::<Fused>(0.0)], [inf, 0.0, 1.0]);
        assert_eq!([exp::<Fused>(88.8), exp::<Fused>(-104.5)], [inf, 0.0]);
        assert_eq!([expm1::<Fused>(inf), expm1::<Fused>(-inf)], [inf, -1.0]);
        assert_eq!([log::<Fused>(0.0), log::<Fused>(-0.0), log::<Fused>(inf)], [-inf, -inf, inf]);
        assert!(log::<Fused>(-1.0).is_nan() && log::<Fused>(-inf).is_nan() && log1p::<Fused>(-1.5).is_nan());
        assert_eq!([log1p::<Fused>(-1.0), log1p::<Fused>(inf), log1p::<Fused>(1e-10)], [-inf, inf, 1e-10]);
        assert_eq!(
            [tanh::<Fused>(inf), tanh::<Fused>(-inf), erf::<Fused>(inf), erf::<Fused>(-inf)],
            [1., -1., 1., -1.]
        );
        assert_eq!([sigmoid::<Fused>(inf), sigmoid::<Fused>(-inf), sigmoid::<Fused>(0.0)], [1.0, 0.0, 0.5]);
        for f in [expm1::<Fused>, log1p::<Fused>, tanh::<Fused>, erf::<Fused>, sin::<Fused>] {
            assert_eq!(f(-0.0).to_bits(), (-0.0f32).to_bits());
        }
    }

    #[test]
    fn the_error_function_has_known_values() {
        for (x, y) in [(0.5, 0.5204998778130465), (1.0, 0.8427007929497149), (2.5, 0.9995930479825550)] {
            assert!((erf_f64(x) - y).abs() < 2e-15, "erf({x}) = {}", erf_f64(x));
            assert_eq!(erf_f64(-x), -erf_f64(x));
        }
        assert!((erf_f64(1.999999999) - erf_f64(2.000000001)).abs() < 1e-10);
    }

    #[test]
    fn turns() {
        for i in 0u16..=1000 {
            let x = f32::from(i) / 1000.0;
            let (sine, cosine) = sin_cos_turns::<Separate>(x);
            let angle = f64::from(x) * std::f64::consts::TAU;
            assert!((f64::from(sine) - angle.sin()).abs() < 2e-7, "sin of {x} turns: {sine}");
            assert!((f64::from(cosine) - angle.cos()).abs() < 2e-7, "cos of {x} turns: {cosine}");
        }
    }
}
