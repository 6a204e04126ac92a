//! Shared by the integration tests: made-up data.

pub mod events;

use carnyx_graph::{Array, DType};

/// What values an input may have.
#[derive(Clone, Copy, Debug)]
pub enum Domain {
    /// Floats between two bounds.
    Between(f32, f32),
    /// Floats between two bounds, of either sign.
    Either(f32, f32),
    /// Floats among few values, so that some are equal.
    Few,
    /// `i64` below a bound.
    Index(i64),
    /// `i32` between two bounds.
    Integer(i32, i32),
    /// Bytes.
    Bytes,
    /// Truth values.
    Bool,
}

/// A generator for test data: splitmix64.
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// The next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.next_bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// An integer below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_bits() % n.max(1)
    }

    /// An array of a shape, with values of a domain.
    pub fn array(&mut self, shape: &[usize], domain: Domain) -> Array {
        match domain {
            Domain::Between(low, high) => Array::from_fn(shape, |_| low + (high - low) * self.unit()),
            Domain::Either(low, high) => Array::from_fn(shape, |_| {
                let sign = if self.below(2) == 0 { 1.0 } else { -1.0 };
                sign * (low + (high - low) * self.unit())
            }),
            Domain::Few => Array::from_fn(shape, |_| self.below(4) as f32 - 1.0),
            Domain::Index(n) => Array::from_fn(shape, |_| self.below(n as u64) as i64),
            Domain::Integer(low, high) => {
                Array::from_fn(shape, |_| low + self.below((high - low) as u64) as i32)
            }
            Domain::Bytes => Array::from_fn(shape, |_| self.below(256) as u8),
            Domain::Bool => Array::from_fn(shape, |_| self.below(2) == 1),
        }
    }
}

impl Domain {
    /// The element type of its arrays.
    pub fn dtype(self) -> DType {
        match self {
            Domain::Between(..) | Domain::Either(..) | Domain::Few => DType::F32,
            Domain::Index(_) => DType::I64,
            Domain::Integer(..) => DType::I32,
            Domain::Bytes => DType::U8,
            Domain::Bool => DType::Bool,
        }
    }
}

/// Compares `text` with the file `golden/NAME.txt` beside this crate; `UPDATE=1` in the environment rewrites it.
///
/// # Panics
/// If they differ.
pub fn assert_golden(name: &str, text: &str) {
    assert_golden_file(&format!("{name}.txt"), text);
}

/// The same for a file with another ending: `picture.svg`.
///
/// # Panics
/// If they differ.
pub fn assert_golden_file(file: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).expect("the golden folder can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs; if the change is meant, run the tests with UPDATE=1\n--- expected\n{expected}\n--- actual\n{text}",
        path.display()
    );
}
