//! Every instruction set, layout and finish against a plain loop in f64, and equal bits however C is cut.

use super::*;

/// Numbers in -1..1 that differ from run to run of the sequence, not from run to run of the test.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(next).collect()
}

/// A matrix that ends where the allocation ends, so that a sanitizer sees an access beyond it.
struct Matrix {
    values: Vec<f32>,
    strides: Strides,
}

fn matrix(rows: usize, columns: usize, transposed: bool, gap: usize, seed: u32) -> Matrix {
    let (outer, inner) = if transposed { (columns, rows) } else { (rows, columns) };
    let row = inner + gap;
    let len = if outer == 0 || inner == 0 { 0 } else { (outer - 1) * row + inner };
    let strides = if transposed { Strides::transposed(row) } else { Strides::row_major(row) };
    Matrix { values: numbers(len, seed), strides }
}

impl Matrix {
    fn at(&self, i: usize, j: usize) -> f64 {
        f64::from(self.values[i * self.strides.row + j * self.strides.column])
    }
}

struct Case {
    product: MatMul,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    bias: Vec<f32>,
    y: Vec<f32>,
}

impl Case {
    fn new(m: usize, n: usize, k: usize, (a_transposed, b_transposed): (bool, bool), gap: usize) -> Self {
        let a = matrix(m, k, a_transposed, gap, 1);
        let b = matrix(k, n, b_transposed, gap, 2);
        let c = matrix(m, n, false, gap, 3);
        let product = MatMul { m, n, k, a: a.strides, b: b.strides, ldc: c.strides.row };
        let y = numbers(c.values.len(), 5);
        Self { product, a, b, c, bias: numbers(n, 4), y }
    }

    fn finishes(&self) -> [Finish; 5] {
        let (bias, y) = (self.bias.as_ptr(), self.y.as_ptr());
        let (with_bias, with_relu) = (Finish::Bias(bias), Finish::BiasRelu(bias));
        [Finish::Store, with_bias, with_relu, Finish::ScaledAdd(-0.5), Finish::ReluGradient(y)]
    }

    fn run(&self, isa: Isa, finish: Finish, chunks: &[Chunk]) -> Vec<f32> {
        let mut c = self.c.values.clone();
        let mut scratch = vec![f32::NAN; self.product.scratch_len()];
        for chunk in chunks {
            let (a, b) = (self.a.values.as_ptr(), self.b.values.as_ptr());
            let operands = Operands { c: c.as_mut_ptr(), a, b };
            // SAFETY: the instruction set is available, the matrices have the shapes that the product states.
            unsafe { self.product.run(isa, operands, chunk, finish, &mut scratch) };
        }
        c
    }

    fn check(&self, isa: Isa, finish: Finish) {
        let MatMul { m, n, k, ldc, .. } = self.product;
        let whole = Chunk { rows: 0..m, columns: 0..n };
        let found = self.run(isa, finish, std::slice::from_ref(&whole));
        let mut expected = self.c.values.clone();
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|k| self.a.at(i, k) * self.b.at(k, j)).sum();
                let at = i * ldc + j;
                expected[at] = match finish {
                    Finish::Store => sum,
                    Finish::Bias(_) => sum + f64::from(self.bias[j]),
                    Finish::BiasRelu(_) => (sum + f64::from(self.bias[j])).max(0.0),
                    Finish::ScaledAdd(alpha) => f64::from(expected[at]) + f64::from(alpha) * sum,
                    Finish::ReluGradient(_) => {
                        if self.y[at] > 0.0 {
                            sum
                        } else {
                            0.0
                        }
                    }
                } as f32;
            }
        }
        let tolerance = 1e-6 * (k as f32 + 2.0);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let same = (found - expected).abs() <= tolerance;
            assert!(same, "{isa:?} {finish:?} {:?} at {at}: {found}, not {expected}", self.product);
        }
        for chunks in [cut(m, n, 1, 2), cut(m, n, 3, 1), cut(m, n, 2, 3), self.product.chunks(2)] {
            let again = self.run(isa, finish, &chunks);
            let same = found.iter().zip(&again).all(|(x, y)| x.to_bits() == y.to_bits());
            assert!(same, "{isa:?} {finish:?} {:?} depends on the cut {chunks:?}", self.product);
        }
    }
}

/// C in `rows` by `columns` parts, at odd places.
fn cut(m: usize, n: usize, rows: usize, columns: usize) -> Vec<Chunk> {
    let part = |i: usize, parts: usize, length: usize| i * length / parts..(i + 1) * length / parts;
    let place = |i: usize| (part(i / columns, rows, m), part(i % columns, columns, n));
    (0..rows * columns).map(place).map(|(rows, columns)| Chunk { rows, columns }).collect()
}

const LAYOUTS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

fn check_all(shapes: &[(usize, usize, usize)]) {
    for isa in Isa::available() {
        for &(m, n, k) in shapes {
            for layout in LAYOUTS {
                for gap in [0, 3] {
                    let case = Case::new(m, n, k, layout, gap);
                    for finish in case.finishes() {
                        case.check(isa, finish);
                    }
                }
            }
        }
    }
}

#[test]
fn small_and_odd_shapes() {
    let sizes = [1, 2, 5, 17];
    let mut shapes = vec![(3, 4, 0), (1, 1, 0), (0, 5, 3), (5, 0, 3)];
    for m in sizes {
        for n in sizes {
            shapes.extend([1, 2, 7, 33].map(|k| (m, n, k)));
        }
    }
    check_all(&shapes);
}

#[test]
fn layers_of_a_small_network() {
    check_all(&[
        (32, 30, 6),
        (32, 1, 35),
        (30, 30, 32),
        (32, 10, 100),
        (100, 10, 32),
        (32, 100, 10),
        (1, 100, 30),
    ]);
}

#[test]
fn more_than_one_block_of_every_kind() {
    check_all(&[(40, 49, 400), (300, 20, 200), (140, 500, 20), (9, 1000, 195)]);
}

#[test]
fn operands_without_adjacent_elements() {
    let (m, n, k) = (9, 20, 11);
    let (a, b) = (numbers(m * k * 2, 1), numbers(n * k * 3, 2));
    let product = MatMul {
        m,
        n,
        k,
        a: Strides { row: 2 * k, column: 2 },
        b: Strides { row: 3, column: 3 * k },
        ldc: n,
    };
    let mut scratch = vec![0.0; product.scratch_len()];
    for isa in Isa::available() {
        let mut c = vec![0.0; m * n];
        let operands = Operands { c: c.as_mut_ptr(), a: a.as_ptr(), b: b.as_ptr() };
        let whole = Chunk { rows: 0..m, columns: 0..n };
        // SAFETY: the instruction set is available, the strides keep within the vectors.
        unsafe { product.run(isa, operands, &whole, Finish::Store, &mut scratch) };
        for i in 0..m {
            for j in 0..n {
                let sum: f32 = (0..k).map(|k_| a[i * 2 * k + k_ * 2] * b[k_ * 3 + j * 3 * k]).sum();
                assert!((c[i * n + j] - sum).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn chunks_cover_c_once_and_follow_the_weights() {
    for (m, n, k) in [(32, 300, 784), (1024, 100, 300), (18432, 64, 288), (32, 10, 100), (7, 5, 3), (0, 4, 4)]
    {
        for threads in [1, 2, 3, 8] {
            let forward = MatMul { m, n, k, a: Strides::row_major(k), b: Strides::row_major(n), ldc: n };
            let gradient = MatMul { m: k, k: m, a: Strides::transposed(k), ..forward };
            let (forward, gradient) = (forward.chunks(threads), gradient.chunks(threads));
            for (chunks, m) in [(&forward, m), (&gradient, k)] {
                let mut covered = vec![0; m * n];
                for chunk in chunks {
                    for i in chunk.rows.clone() {
                        chunk.columns.clone().for_each(|j| covered[i * n + j] += 1);
                    }
                }
                assert!(covered.iter().all(|&times| times == 1), "{m} x {n}: {chunks:?}");
            }
            let columns = |chunks: &[Chunk]| chunks.iter().map(|c| c.columns.clone()).collect::<Vec<_>>();
            if (m, n) == (32, 300) {
                assert_eq!(columns(&forward), columns(&gradient));
                assert_eq!(forward.len(), if threads == 1 { 1 } else { (2 * threads).min(19) });
            }
        }
    }
}
