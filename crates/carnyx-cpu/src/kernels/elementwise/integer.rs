//! Arithmetic of integers that never panics: it wraps around, and what has no value is 0.

/// The integer types, with the arithmetic of the elementwise operations.
pub(super) trait Integer: Copy + PartialOrd {
    fn negative(self) -> Self;
    fn absolute(self) -> Self;
    fn sign(self) -> Self;
    fn plus(self, y: Self) -> Self;
    fn minus(self, y: Self) -> Self;
    fn times(self, y: Self) -> Self;
    /// Truncated toward zero; 0 if `y` is.
    fn quotient(self, y: Self) -> Self;
    /// With the sign of `y`; 0 if `y` is.
    fn remainder(self, y: Self) -> Self;
    /// By repeated multiplication; 0 for a negative exponent, unless the base is 1 or -1.
    fn power(self, y: Self) -> Self;
}

macro_rules! integer {
    ($type:ty, $sign:expr) => {
        #[allow(unused_comparisons, reason = "one text for types with and without a sign")]
        impl Integer for $type {
            #[inline(always)]
            fn negative(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            fn absolute(self) -> Self {
                if self < 0 { self.wrapping_neg() } else { self }
            }
            #[inline(always)]
            fn sign(self) -> Self {
                ($sign)(self)
            }
            #[inline(always)]
            fn plus(self, y: Self) -> Self {
                self.wrapping_add(y)
            }
            #[inline(always)]
            fn minus(self, y: Self) -> Self {
                self.wrapping_sub(y)
            }
            #[inline(always)]
            fn times(self, y: Self) -> Self {
                self.wrapping_mul(y)
            }
            #[inline(always)]
            fn quotient(self, y: Self) -> Self {
                if y == 0 { 0 } else { self.wrapping_div(y) }
            }
            #[inline(always)]
            fn remainder(self, y: Self) -> Self {
                if y == 0 {
                    return 0;
                }
                let r = self.wrapping_rem(y);
                if r != 0 && (r < 0) != (y < 0) { r.wrapping_add(y) } else { r }
            }
            #[inline(always)]
            fn power(self, y: Self) -> Self {
                let minus_one = (0 as $type).wrapping_sub(1);
                if y < 0 {
                    let is_minus_one = <$type>::MIN != 0 && self == minus_one;
                    let odd = y & 1 != 0;
                    return if self == 1 || is_minus_one && !odd {
                        1
                    } else if is_minus_one {
                        self
                    } else {
                        0
                    };
                }
                let (mut product, mut square, mut exponent) = (1 as $type, self, y);
                while exponent > 0 {
                    if exponent & 1 != 0 {
                        product = product.wrapping_mul(square);
                    }
                    square = square.wrapping_mul(square);
                    exponent >>= 1;
                }
                product
            }
        }
    };
}

integer!(i32, i32::signum);
integer!(i64, i64::signum);
integer!(u8, |x: u8| u8::from(x != 0));

#[cfg(test)]
mod tests {
    use super::Integer;

    #[test]
    fn division_is_total() {
        assert_eq!([7i32.quotient(-2), (-7i32).quotient(2), 7i32.quotient(0)], [-3, -3, 0]);
        assert_eq!(i32::MIN.quotient(-1), i32::MIN);
        assert_eq!(
            [7i64.remainder(3), (-7i64).remainder(3), 7i64.remainder(-3), 7i64.remainder(0)],
            [1, 2, -2, 0]
        );
        assert_eq!([i64::MIN.remainder(-1), 6i64.remainder(-3)], [0, 0]);
        assert_eq!([7u8.remainder(4), 200u8.quotient(3), 9u8.remainder(0)], [3, 66, 0]);
    }

    #[test]
    fn powers() {
        assert_eq!([2i32.power(10), (-3i32).power(3), 0i32.power(0), 2i32.power(32)], [1024, -27, 1, 0]);
        assert_eq!([2i64.power(-1), 1i64.power(-5), (-1i64).power(-3), (-1i64).power(-2)], [0, 1, -1, 1]);
        assert_eq!([3i64.power(39), (-1i64).power(i64::MAX)], [3i64.pow(39), -1]);
        assert_eq!([2u8.power(7), 2u8.power(8), 255u8.power(2)], [128, 0, 1]);
    }
}
