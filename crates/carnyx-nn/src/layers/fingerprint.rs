//! Numbers of texts that are the same on every machine: FarmHash's 64-bit fingerprint, and SipHash with a key.
//!
//! Both are what TensorFlow and Keras use, so that texts fall into the same bins there and here.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// FarmHash's `Fingerprint64`. Pike 2014.
pub(super) fn farm(text: &[u8]) -> u64 {
    match text.len() {
        0..=16 => up_to_16(text),
        17..=32 => up_to_32(text),
        33..=64 => up_to_64(text),
        _ => long(text),
    }
}

fn at(text: &[u8], i: usize) -> u64 {
    text[i..i + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn half_at(text: &[u8], i: usize) -> u64 {
    text[i..i + 4].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn times(x: u64, y: u64) -> u64 {
    x.wrapping_mul(y)
}

fn plus(x: u64, y: u64) -> u64 {
    x.wrapping_add(y)
}

fn shifted(x: u64) -> u64 {
    x ^ (x >> 47)
}

fn mixed(u: u64, v: u64, factor: u64) -> u64 {
    let a = shifted(times(u ^ v, factor));
    times(shifted(times(v ^ a, factor)), factor)
}

fn factor(text: &[u8]) -> u64 {
    plus(K2, text.len() as u64 * 2)
}

fn up_to_16(text: &[u8]) -> u64 {
    let n = text.len();
    let factor = factor(text);
    if n >= 8 {
        let (a, b) = (plus(at(text, 0), K2), at(text, n - 8));
        let c = plus(times(b.rotate_right(37), factor), a);
        let d = times(plus(a.rotate_right(25), b), factor);
        return mixed(c, d, factor);
    }
    if n >= 4 {
        return mixed(plus(n as u64, half_at(text, 0) << 3), half_at(text, n - 4), factor);
    }
    if n == 0 {
        return K2;
    }
    let y = u64::from(text[0]) + (u64::from(text[n / 2]) << 8);
    let z = n as u64 + (u64::from(text[n - 1]) << 2);
    times(shifted(times(y, K2) ^ times(z, K0)), K2)
}

/// What the two ends of a text of more than 16 bytes give.
fn ends(text: &[u8]) -> (u64, u64, u64) {
    let n = text.len();
    let (first, second) =
        (if n <= 32 { times(at(text, 0), K1) } else { times(at(text, 0), K2) }, at(text, 8));
    let (last, before) = (times(at(text, n - 8), factor(text)), times(at(text, n - 16), K2));
    let y = plus(plus(plus(first, second).rotate_right(43), last.rotate_right(30)), before);
    (first, y, plus(plus(first, plus(second, K2).rotate_right(18)), last))
}

fn up_to_32(text: &[u8]) -> u64 {
    let (_, y, z) = ends(text);
    mixed(y, z, factor(text))
}

fn up_to_64(text: &[u8]) -> u64 {
    let (n, factor) = (text.len(), factor(text));
    let (a, y, z) = ends(text);
    let z = mixed(y, z, factor);
    let (e, f) = (times(at(text, 16), factor), at(text, 24));
    let g = times(plus(y, at(text, n - 32)), factor);
    let h = times(plus(z, at(text, n - 24)), factor);
    let left = plus(plus(plus(e, f).rotate_right(43), g.rotate_right(30)), h);
    mixed(left, plus(plus(e, plus(f, a).rotate_right(18)), g), factor)
}

/// Two words of state, changed by 32 bytes.
fn weak(text: &[u8], a: u64, b: u64) -> (u64, u64) {
    let a = plus(a, at(text, 0));
    let b = plus(plus(b, a), at(text, 24)).rotate_right(21);
    let sum = plus(plus(a, at(text, 8)), at(text, 16));
    (plus(sum, at(text, 24)), plus(plus(b, sum.rotate_right(44)), a))
}

fn long(text: &[u8]) -> u64 {
    let n = text.len();
    let seed = 81u64;
    let mut y = plus(times(seed, K1), 113);
    let mut z = times(shifted(plus(times(y, K2), 113)), K2);
    let mut x = plus(times(seed, K2), at(text, 0));
    let (mut v, mut w) = ((0, 0), (0, 0));
    let blocks = (n - 1) / 64;
    for block in text.chunks_exact(64).take(blocks) {
        x = times(plus(plus(x, y), plus(v.0, at(block, 8))).rotate_right(37), K1) ^ w.1;
        y = plus(times(plus(plus(y, v.1), at(block, 48)).rotate_right(42), K1), plus(v.0, at(block, 40)));
        z = times(plus(z, w.0).rotate_right(33), K1);
        v = weak(block, times(v.1, K1), plus(x, w.0));
        w = weak(&block[32..], plus(z, w.1), plus(y, at(block, 16)));
        std::mem::swap(&mut z, &mut x);
    }
    let factor = plus(K1, (z & 0xff) << 1);
    let block = &text[n - 64..];
    w.0 = plus(w.0, (n as u64 - 1) & 63);
    v.0 = plus(v.0, w.0);
    w.0 = plus(w.0, v.0);
    x = times(plus(plus(x, y), plus(v.0, at(block, 8))).rotate_right(37), factor) ^ times(w.1, 9);
    y = plus(
        times(plus(plus(y, v.1), at(block, 48)).rotate_right(42), factor),
        plus(times(v.0, 9), at(block, 40)),
    );
    z = times(plus(z, w.0).rotate_right(33), factor);
    v = weak(block, times(v.1, factor), plus(x, w.0));
    w = weak(&block[32..], plus(z, w.1), plus(y, at(block, 16)));
    std::mem::swap(&mut z, &mut x);
    let left = plus(plus(mixed(v.0, w.0, factor), times(shifted(y), K0)), z);
    mixed(left, plus(mixed(v.1, w.1, factor), x), factor)
}

/// SipHash-2-4 with a key. Aumasson & Bernstein 2012.
pub(super) fn sip(text: &[u8], key: [u64; 2]) -> u64 {
    let mut state = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let absorb = |word: u64, state: &mut [u64; 4]| {
        state[3] ^= word;
        (0..2).for_each(|_| round(state));
        state[0] ^= word;
    };
    let blocks = text.chunks_exact(8);
    let rest = blocks.remainder();
    blocks.for_each(|block| absorb(at(block, 0), &mut state));
    let last = rest.iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    absorb(last | (text.len() as u64) << 56, &mut state);
    state[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut state));
    state.iter().fold(0, |hash, word| hash ^ word)
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = plus(*a, *b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = plus(*c, *d);
    *d = d.rotate_left(16) ^ *c;
    *a = plus(*a, *d);
    *d = d.rotate_left(21) ^ *a;
    *c = plus(*c, *b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_paper() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let text: Vec<u8> = (0..15).collect();
        assert_eq!(sip(&text, key), 0xa129_ca61_49be_45e5);
    }
}
