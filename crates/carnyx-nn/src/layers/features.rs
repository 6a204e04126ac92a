//! Axes of a layer's input: which of them hold features, and how numbers for each feature broadcast along the others.

use carnyx_graph::{Error, Result, Shape, Tensor};

/// The axes as indices in ascending order, if they are axes of `shape` other than the batch, of known sizes.
pub(super) fn feature_axes(kind: &str, axes: &[isize], shape: &Shape) -> Result<Vec<usize>> {
    let rank = shape.len() as isize;
    let resolve = |&axis: &isize| {
        let index = if axis < 0 { axis + rank } else { axis };
        (1..rank).contains(&index).then_some(index as usize)
    };
    let wrong = |what: String| Error::new("shape", what);
    let indices: Option<Vec<usize>> = axes.iter().map(resolve).collect();
    let Some(mut indices) = indices.filter(|indices| !indices.is_empty()) else {
        return Err(wrong(format!("`{kind}` along {axes:?} cannot work on {shape}"))
            .label("the first axis is the batch; the others are counted from 1, or from the end with -1")
            .help("give the data a last axis of features, or the layer another axis"));
    };
    indices.sort_unstable();
    if indices.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(wrong(format!("`{kind}` along {axes:?} names an axis of {shape} twice")));
    }
    match indices.iter().find(|&&axis| shape[axis].fixed().is_none_or(|size| size == 0)) {
        Some(axis) => Err(wrong(format!("`{kind}` cannot work on axis {axis} of {shape}"))
            .label("its size must be known, and more than 0")),
        None => Ok(indices),
    }
}

/// That the elements are floats.
pub(super) fn check_floats(kind: &str, x: &Tensor) -> Result {
    let facts = x.facts()?;
    if facts.dtype.is_float() {
        return Ok(());
    }
    Err(Error::new("dtype", format!("a `{kind}` layer cannot work on {} elements", facts.dtype))
        .label("it computes with floats")
        .help("convert the data with `.cast(DType::F32)`, or put `Rescaling::new(1.0)` before the layer"))
}

/// The tensor, or what stands for the mistake; unlike a function that is passed on, this is a place in a layer, for
/// which messages show the user's line.
pub(super) fn or_invalid(result: Result<Tensor>) -> Tensor {
    match result {
        Ok(tensor) => tensor,
        Err(error) => Tensor::invalid(error),
    }
}

/// The sizes of some axes.
pub(super) fn sizes(shape: &Shape, axes: &[usize]) -> Vec<usize> {
    axes.iter().filter_map(|&axis| shape[axis].fixed()).collect()
}

/// All axes but these.
pub(super) fn other_axes(shape: &Shape, axes: &[usize]) -> Vec<isize> {
    (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| axis as isize).collect()
}

/// Numbers for each place along `axes`, in a shape that broadcasts to `shape`.
pub(super) fn along(values: &Tensor, shape: &Shape, axes: &[usize]) -> Tensor {
    let is_last = axes.iter().rev().zip((0..shape.len()).rev()).all(|(&axis, last)| axis == last);
    if is_last {
        return values.clone();
    }
    let mut sizes = vec![1usize; shape.len()];
    axes.iter().for_each(|&axis| sizes[axis] = shape[axis].fixed().unwrap_or(1));
    values.reshape(sizes)
}
