//! One operation on whole values: a loop for each.
//!
//! Movement is written as *places*: for each element of the result, the element of the operand that it is, or
//! none for a zero.

use super::{Elements, Value, number};
use crate::isa::Isa;
use crate::kernels::random::{self, Stream};
use carnyx_graph::op::{Binary, Op, Reduce, Unary};
use carnyx_graph::{Bindings, DType, row_major_strides};
use std::cmp::Ordering;

/// The result of `op`, whose sizes and type are `facts`, before it is rounded to that type.
pub(super) fn compute(
    op: &Op,
    facts: (&[usize], DType),
    operands: &[&Value],
    bindings: &Bindings,
) -> Elements {
    let (sizes, dtype) = facts;
    let x = || operands[0];
    match op {
        Op::Constant(array) => Value::of(array).elements,
        Op::Iota(axis) => {
            let counts: Vec<i64> = indices(sizes).iter().map(|index| index[*axis] as i64).collect();
            converted(&Elements::Integer(counts), dtype)
        }
        Op::Random(distribution, address) => {
            let mut numbers = vec![0f32; count(sizes)];
            let stream = Stream { seed: bindings.seed, step: bindings.step, address: *address };
            random::fill(Isa::Portable, *distribution, &mut numbers, 0, stream);
            Elements::Float(numbers.iter().map(|x| f64::from(*x)).collect())
        }

        Op::Unary(unary) => unary_elements(*unary, &x().elements),
        Op::Binary(binary) => binary_elements(*binary, &x().elements, &operands[1].elements),
        Op::Select => {
            let (condition, n) = (x().integers(), count(sizes));
            let both = joined(&[operands[1], operands[2]]);
            let place = |i: usize| Some(if condition[i] != 0 { i } else { n + i });
            picked(&both, (0..n).map(place))
        }
        Op::Cast(dtype) => converted(&x().elements, *dtype),

        Op::Reshape(_) | Op::InMode | Op::StopGradient | Op::Scope(_) => x().elements.clone(),
        Op::Broadcast(_) => {
            let new_axes = sizes.len() - x().sizes.len();
            moved(x(), sizes, |index| {
                let old = index[new_axes..].iter().zip(&x().sizes);
                Some(old.map(|(i, n)| if *n == 1 { 0 } else { *i }).collect())
            })
        }
        Op::Transpose(order) => moved(x(), sizes, |index| {
            let mut from = vec![0; index.len()];
            order.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
            Some(from)
        }),
        Op::Slice(spans) => moved(x(), sizes, |index| {
            Some(index.iter().zip(spans).map(|(i, span)| span.start + i * span.step).collect())
        }),
        Op::Pad(widths) => moved(x(), sizes, |index| {
            let from = |axis: usize| index[axis].checked_sub(widths[axis].0).filter(|i| *i < x().sizes[axis]);
            (0..index.len()).map(from).collect()
        }),
        Op::Concat(axis) => concatenated(operands, sizes, *axis),
        Op::Flip(axes) => moved(x(), sizes, |index| {
            let from =
                |axis: usize| if axes.contains(&axis) { sizes[axis] - 1 - index[axis] } else { index[axis] };
            Some((0..index.len()).map(from).collect())
        }),

        Op::Reduce(reduce, axes) => reduced(*reduce, axes, x(), sizes),
        Op::ArgMax(axis) => arg_max(x(), *axis),
        Op::ArgSort(axis) => arg_sort(x(), *axis),
        Op::CumulativeSum(axis) => cumulative_sum(x(), *axis),

        Op::Gather(axis) => gathered(*axis, x(), operands[1], sizes),
        Op::ScatterAdd(axis, _) => scattered(*axis, x(), operands[1], sizes),
        Op::GatherAlong(axis) => {
            let places = along_places(*axis, operands[1], &x().sizes);
            picked(&x().elements, places.into_iter())
        }
        Op::ScatterAlong(axis, _) => {
            added(&x().elements, &along_places(*axis, operands[1], sizes), count(sizes))
        }

        Op::Dot { transpose_a, transpose_b } => dot(x(), operands[1], sizes, *transpose_a, *transpose_b),

        Op::Softmax => along_rows(x(), |row| {
            let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - greatest).exp()).sum();
            row.iter().map(|x| (x - greatest).exp() / sum).collect()
        }),
        Op::LogSoftmax => along_rows(x(), |row| {
            let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|x| (x - greatest).exp()).sum();
            row.iter().map(|x| x - greatest - sum.ln()).collect()
        }),

        Op::Input(_) | Op::Read(_) => panic!("`{}` is a slot in a graph, not an operation", op.name()),
    }
}

fn count(sizes: &[usize]) -> usize {
    sizes.iter().product()
}

/// All indices into `sizes`, in row-major order.
fn indices(sizes: &[usize]) -> Vec<Vec<usize>> {
    let strides = row_major_strides(sizes);
    let index = |i: usize| strides.iter().zip(sizes).map(|(stride, size)| i / stride % size).collect();
    (0..count(sizes)).map(index).collect()
}

/// The row-major position of `index` in `sizes`.
fn position(index: &[usize], sizes: &[usize]) -> usize {
    row_major_strides(sizes).iter().zip(index).map(|(stride, i)| stride * i).sum()
}

/// For each place the element there, or zero.
fn picked(x: &Elements, places: impl Iterator<Item = Option<usize>>) -> Elements {
    match x {
        Elements::Float(x) => Elements::Float(places.map(|place| place.map_or(0.0, |i| x[i])).collect()),
        Elements::Integer(x) => Elements::Integer(places.map(|place| place.map_or(0, |i| x[i])).collect()),
    }
}

/// The element at each index of the result is the operand's at the index `from` gives, or zero.
fn moved(x: &Value, sizes: &[usize], from: impl Fn(&[usize]) -> Option<Vec<usize>>) -> Elements {
    let place = |index: &Vec<usize>| from(index).map(|index| position(&index, &x.sizes));
    picked(&x.elements, indices(sizes).iter().map(place))
}

/// The elements of all values, one value after another.
fn joined(values: &[&Value]) -> Elements {
    match &values[0].elements {
        Elements::Float(_) => Elements::Float(values.iter().flat_map(|x| x.floats().to_vec()).collect()),
        Elements::Integer(_) => {
            Elements::Integer(values.iter().flat_map(|x| x.integers().to_vec()).collect())
        }
    }
}

fn concatenated(operands: &[&Value], sizes: &[usize], axis: usize) -> Elements {
    let place = |index: &Vec<usize>| {
        let (mut index, mut before) = (index.clone(), 0);
        for x in operands {
            if index[axis] < x.sizes[axis] {
                return Some(before + position(&index, &x.sizes));
            }
            index[axis] -= x.sizes[axis];
            before += count(&x.sizes);
        }
        panic!("the result is as long as its parts")
    };
    picked(&joined(operands), indices(sizes).iter().map(place))
}

fn unary_elements(op: Unary, x: &Elements) -> Elements {
    let truth =
        |x: &[f64], test: fn(f64) -> bool| Elements::Integer(x.iter().map(|x| i64::from(test(*x))).collect());
    match (op, x) {
        (Unary::IsNan, Elements::Float(x)) => truth(x, f64::is_nan),
        (Unary::IsFinite, Elements::Float(x)) => truth(x, f64::is_finite),
        (_, Elements::Float(x)) => Elements::Float(x.iter().map(|x| number::unary_float(op, *x)).collect()),
        (_, Elements::Integer(x)) => {
            Elements::Integer(x.iter().map(|x| number::unary_integer(op, *x)).collect())
        }
    }
}

fn binary_elements(op: Binary, x: &Elements, y: &Elements) -> Elements {
    match (x, y) {
        (Elements::Float(x), Elements::Float(y)) if op.is_comparison() => {
            Elements::Integer(x.iter().zip(y).map(|(x, y)| i64::from(number::compared(op, *x, *y))).collect())
        }
        (Elements::Integer(x), Elements::Integer(y)) if op.is_comparison() => {
            Elements::Integer(x.iter().zip(y).map(|(x, y)| i64::from(number::compared(op, *x, *y))).collect())
        }
        (Elements::Float(x), Elements::Float(y)) => {
            Elements::Float(x.iter().zip(y).map(|(x, y)| number::binary_float(op, *x, *y)).collect())
        }
        (Elements::Integer(x), Elements::Integer(y)) => {
            Elements::Integer(x.iter().zip(y).map(|(x, y)| number::binary_integer(op, *x, *y)).collect())
        }
        (Elements::Float(_), Elements::Integer(_)) | (Elements::Integer(_), Elements::Float(_)) => {
            panic!("shape inference has let two types pass in `{op:?}`")
        }
    }
}

/// Floats truncate and saturate, integers keep their low bits (by [`Elements::stored`]).
fn converted(x: &Elements, dtype: DType) -> Elements {
    match (x, dtype) {
        (Elements::Float(x), DType::F32 | DType::F64) => Elements::Float(x.clone()),
        (Elements::Float(x), DType::I32) => {
            Elements::Integer(x.iter().map(|x| i64::from(*x as i32)).collect())
        }
        (Elements::Float(x), DType::I64) => Elements::Integer(x.iter().map(|x| *x as i64).collect()),
        (Elements::Float(x), DType::U8) => Elements::Integer(x.iter().map(|x| i64::from(*x as u8)).collect()),
        (Elements::Float(x), DType::Bool) => {
            Elements::Integer(x.iter().map(|x| i64::from(*x != 0.0)).collect())
        }
        // At once: by way of `f64` the largest would be rounded twice.
        (Elements::Integer(x), DType::F32) => {
            Elements::Float(x.iter().map(|x| f64::from(*x as f32)).collect())
        }
        (Elements::Integer(x), DType::F64) => Elements::Float(x.iter().map(|x| *x as f64).collect()),
        (Elements::Integer(x), DType::I32 | DType::I64 | DType::U8 | DType::Bool) => {
            Elements::Integer(x.clone())
        }
    }
}

/// For each element of the result, the positions of the elements that it is made of, in order.
fn groups(x: &Value, axes: &[usize], sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); count(sizes)];
    for (i, index) in indices(&x.sizes).iter().enumerate() {
        let kept: Vec<usize> =
            (0..index.len()).filter(|axis| !axes.contains(axis)).map(|axis| index[axis]).collect();
        groups[position(&kept, sizes)].push(i);
    }
    groups
}

fn reduced(reduce: Reduce, axes: &[usize], x: &Value, sizes: &[usize]) -> Elements {
    let groups = groups(x, axes, sizes);
    match &x.elements {
        Elements::Float(x) => {
            let of = |group: &Vec<usize>| {
                let values = group.iter().map(|i| x[*i]);
                match reduce {
                    Reduce::Sum => values.sum(),
                    Reduce::Mean => values.sum::<f64>() / group.len() as f64,
                    Reduce::Max => {
                        values.fold(f64::NEG_INFINITY, |x, y| number::binary_float(Binary::Maximum, x, y))
                    }
                    Reduce::Min => {
                        values.fold(f64::INFINITY, |x, y| number::binary_float(Binary::Minimum, x, y))
                    }
                    Reduce::Prod => values.product(),
                }
            };
            Elements::Float(groups.iter().map(of).collect())
        }
        Elements::Integer(elements) => {
            let (least, greatest) = match x.dtype {
                DType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
                DType::U8 => (0, 255),
                DType::I64 | DType::Bool | DType::F32 | DType::F64 => (i64::MIN, i64::MAX),
            };
            let of = |group: &Vec<usize>| {
                let values = group.iter().map(|i| elements[*i]);
                match reduce {
                    Reduce::Sum => values.fold(0, i64::wrapping_add),
                    Reduce::Mean => panic!("shape inference has let the mean of integers pass"),
                    Reduce::Max => values.fold(least, i64::max),
                    Reduce::Min => values.fold(greatest, i64::min),
                    Reduce::Prod => values.fold(1, i64::wrapping_mul),
                }
            };
            Elements::Integer(groups.iter().map(of).collect())
        }
    }
}

/// The lines of `x` along `axis`: the positions of each line's elements.
fn lines(x: &Value, axis: usize) -> Vec<Vec<usize>> {
    let mut sizes = x.sizes.clone();
    sizes.remove(axis);
    groups(x, &[axis], &sizes)
}

/// Ascending, NaN last.
fn order(x: &Elements, i: usize, j: usize) -> Ordering {
    match x {
        Elements::Float(x) => match (x[i].is_nan(), x[j].is_nan()) {
            (false, false) => x[i].partial_cmp(&x[j]).expect("both are numbers"),
            (i_is_nan, j_is_nan) => i_is_nan.cmp(&j_is_nan),
        },
        Elements::Integer(x) => x[i].cmp(&x[j]),
    }
}

/// The first greatest; a NaN counts as greatest.
fn arg_max(x: &Value, axis: usize) -> Elements {
    let of = |line: &Vec<usize>| {
        let mut best = 0;
        for k in 1..line.len() {
            if order(&x.elements, line[k], line[best]) == Ordering::Greater {
                best = k;
            }
        }
        best as i64
    };
    Elements::Integer(lines(x, axis).iter().map(of).collect())
}

fn arg_sort(x: &Value, axis: usize) -> Elements {
    let mut result = vec![0; count(&x.sizes)];
    for line in lines(x, axis) {
        let mut sorted: Vec<usize> = (0..line.len()).collect();
        sorted.sort_by(|i, j| order(&x.elements, line[*i], line[*j]));
        line.iter().zip(sorted).for_each(|(place, index)| result[*place] = index as i64);
    }
    Elements::Integer(result)
}

fn cumulative_sum(x: &Value, axis: usize) -> Elements {
    let mut result = x.elements.clone();
    for line in lines(x, axis) {
        for pair in line.windows(2) {
            match &mut result {
                Elements::Float(sums) => sums[pair[1]] += sums[pair[0]],
                Elements::Integer(sums) => sums[pair[1]] = sums[pair[1]].wrapping_add(sums[pair[0]]),
            }
        }
    }
    result
}

/// The entry of an axis that an index names; none in an axis without entries.
fn entry(index: i64, size: usize) -> Option<usize> {
    let size = size as i64;
    let from_start = if index < 0 { index.saturating_add(size) } else { index };
    (size > 0).then(|| from_start.clamp(0, size - 1) as usize)
}

fn gathered(axis: usize, x: &Value, indices_value: &Value, sizes: &[usize]) -> Elements {
    let rank = indices_value.sizes.len();
    moved(x, sizes, |index| {
        let which = indices_value.integers()[position(&index[axis..axis + rank], &indices_value.sizes)];
        let mut from = index[..axis].to_vec();
        from.push(entry(which, x.sizes[axis])?);
        from.extend_from_slice(&index[axis + rank..]);
        Some(from)
    })
}

fn scattered(axis: usize, x: &Value, indices_value: &Value, sizes: &[usize]) -> Elements {
    let rank = indices_value.sizes.len();
    let place = |index: &Vec<usize>| {
        let which = indices_value.integers()[position(&index[axis..axis + rank], &indices_value.sizes)];
        let mut to = index[..axis].to_vec();
        to.push(entry(which, sizes[axis])?);
        to.extend_from_slice(&index[axis + rank..]);
        Some(position(&to, sizes))
    };
    let places: Vec<Option<usize>> = indices(&x.sizes).iter().map(place).collect();
    added(&x.elements, &places, count(sizes))
}

/// For each element of `indices_value`, the position in `sizes` of the entry that it names along `axis`.
fn along_places(axis: usize, indices_value: &Value, sizes: &[usize]) -> Vec<Option<usize>> {
    let place = |(i, index): (usize, &Vec<usize>)| {
        let mut index = index.clone();
        index[axis] = entry(indices_value.integers()[i], sizes[axis])?;
        Some(position(&index, sizes))
    };
    indices(&indices_value.sizes).iter().enumerate().map(place).collect()
}

/// Zeros, to which each element is added at its place.
fn added(x: &Elements, places: &[Option<usize>], n: usize) -> Elements {
    match x {
        Elements::Float(x) => {
            let mut sums = vec![0.0; n];
            for (x, place) in x.iter().zip(places) {
                if let Some(i) = place {
                    sums[*i] += x;
                }
            }
            Elements::Float(sums)
        }
        Elements::Integer(x) => {
            let mut sums = vec![0i64; n];
            for (x, place) in x.iter().zip(places) {
                if let Some(i) = place {
                    sums[*i] = sums[*i].wrapping_add(*x);
                }
            }
            Elements::Integer(sums)
        }
    }
}

/// `out[batch, i, j] = Σ a[batch, i, k] b[batch, k, j]`; `b` may lack the batch.
fn dot(a: &Value, b: &Value, sizes: &[usize], transpose_a: bool, transpose_b: bool) -> Elements {
    let batch = &sizes[..sizes.len() - 2];
    let inner = a.sizes[if transpose_a { a.sizes.len() - 2 } else { a.sizes.len() - 1 }];
    let at = |x: &Value, index: &[usize], row: usize, column: usize, transpose: bool| {
        let last = if transpose { [column, row] } else { [row, column] };
        let leading = if x.sizes.len() == 2 { &[] } else { &index[..batch.len()] };
        x.floats()[position(&[leading, &last].concat(), &x.sizes)]
    };
    let sum = |index: &Vec<usize>| {
        let (i, j) = (index[batch.len()], index[batch.len() + 1]);
        (0..inner).map(|k| at(a, index, i, k, transpose_a) * at(b, index, k, j, transpose_b)).sum()
    };
    Elements::Float(indices(sizes).iter().map(sum).collect())
}

fn along_rows(x: &Value, row: impl Fn(&[f64]) -> Vec<f64>) -> Elements {
    let n = *x.sizes.last().expect("a row needs an axis");
    Elements::Float(x.floats().chunks(n.max(1)).flat_map(row).collect())
}
