//! Masks in layers of one's own, in drawings, in copies and in files.

use crate::saving::{Folder, numbers, quiet};
use carnyx::prelude::*;
use carnyx::{Embedding, Masking, concat};

/// The mean of the steps that count.
#[derive(Module, Clone)]
struct MeanOfSteps;

impl Layer for MeanOfSteps {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        match x.mask_of_elements() {
            Some(mask) => mask.select(x, 0.0).sum_along(1) / mask.cast(x.dtype()).sum_along(1).maximum(1.0),
            None => x.mean_along(1),
        }
    }
}

/// Steps whose first feature is negative do not count.
#[derive(Module, Clone)]
struct Positive;

impl Layer for Positive {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        let first = x.slice(-1, 0..1).squeeze(-1);
        (x * 2.0).with_mask(first.greater_equal(0.0))
    }
}

fn ids() -> Array {
    Array::from([[3i64, 1, 0, 0], [2, 2, 2, 4], [0, 0, 0, 0]])
}

fn words() -> (Array, Array) {
    (ids(), numbers(&[3, 1], 5))
}

fn of_words() -> Sequential {
    Sequential::new()
        .then(Input::new([4]).dtype(DType::I64))
        .then(Embedding::new(5, 2).mask_zero())
        .then(Dropout::new(0.0))
        .then(MeanOfSteps)
        .then(Dense::new(1))
}

#[test]
fn a_layer_of_ones_own_asks_for_the_mask() -> Result {
    let net = of_words();
    let mut model = net.clone().compile(Sgd::new(0.1), MeanSquaredError);
    model.fit(words(), quiet(1))?;
    let table = net.variables()[0].value()?;
    let row = |i: usize, j: usize| f64::from(table.values()[i * 2 + j]);
    let means = Sequential::new().then(net.layer("embedding").unwrap().clone()).then(MeanOfSteps);
    let found = means.apply(&Tensor::from(&ids()).in_mode(Mode::Inference)).eval()?;
    for j in 0..2 {
        assert!((found.element(j) - f64::midpoint(row(3, j), row(1, j))).abs() < 1e-6);
        assert!((found.element(2 + j) - (3.0 * row(2, j) + row(4, j)) / 4.0).abs() < 1e-6);
        assert_eq!(found.element(4 + j), 0.0);
    }
    Ok(())
}

/// Trains the model, saves it, and lets the loaded one say and learn the same.
fn goes_to_files(
    name: &str,
    mut model: Model<impl Module + Send + Sync + 'static>,
    data: &(Array, Array),
) -> Result {
    let folder = Folder::new(name);
    model.fit(data, quiet(1))?;
    for ending in ["keras", "h5"] {
        let path = folder.path(&format!("model.{ending}"));
        let mut original = model.fork();
        original.save(&path)?;
        let mut loaded = carnyx::load(&path)?;
        assert_eq!(original.evaluate(data)?["loss"], loaded.evaluate(data)?["loss"], "{name}, {ending}");
        let (ours, theirs) = (original.fit(data, quiet(2))?, loaded.fit(data, quiet(2))?);
        assert_eq!(ours.last("loss"), theirs.last("loss"), "{name}, {ending}");
    }
    Ok(())
}

#[test]
fn layers_of_ones_own_go_to_files_with_what_they_make_of_masks() -> Result {
    goes_to_files("masks-asked", of_words().compile(Sgd::new(0.1), MeanSquaredError), &words())?;
    let positive = Sequential::new().then(Input::new([4, 3])).then(Positive).then(Dense::new(1));
    let data = (numbers(&[8, 4, 3], 1), numbers(&[8, 4, 1], 2));
    goes_to_files("masks-given", positive.compile(Sgd::new(0.1), MeanSquaredError), &data)
}

#[test]
fn operations_between_layers_drop_a_mask_before_and_after_saving() -> Result {
    let padded = |seed| {
        let mut x = numbers(&[8, 4, 3], seed);
        x.as_mut_slice::<f32>().unwrap()[6..24].fill(0.0);
        x
    };
    let (x, y) = (padded(3), numbers(&[8, 4, 1], 4));
    let drawn = |join: fn(&Tensor) -> Tensor| {
        let input = Tensor::input("x", [4, 3]);
        let hidden = Masking::new(0.0).apply(&input);
        Functional::new(&input, &Dense::new(1).apply(&join(&hidden))).unwrap()
    };
    let mask_of = |net: &Functional<Tensor, Tensor>| net.outputs()[0].1.mask().is_some();
    for (name, join) in [
        ("concat", (|x| concat([x, x], -1)) as fn(&Tensor) -> Tensor),
        ("sum", |x| x + x),
        ("given back", |x| (x + x).with_mask_of(x)),
        ("taken away", |x| x.without_mask()),
    ] {
        let net = drawn(join);
        assert_eq!(mask_of(&net), name == "given back", "{name}");
        assert_eq!(mask_of(&net.copied()), name == "given back", "a copy: {name}");
        let model = net.compile(Sgd::new(0.1), MeanSquaredError);
        goes_to_files(&format!("masks-{}", name.replace(' ', "-")), model, &(x.clone(), y.clone()))?;
    }
    Ok(())
}

#[test]
fn a_mask_changes_nothing_but_what_counts() -> Result {
    // The loss of a batch is that of its steps without padding.
    let (x, y) = (numbers(&[2, 3, 2], 1), numbers(&[2, 3, 1], 2));
    let mut padded = x.clone();
    padded.as_mut_slice::<f32>()?[8..12].fill(0.0);
    let (first, dense) = (Dense::new(1), Masking::new(0.0));
    let net = Sequential::new().then(dense).then(first.clone());
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    let masked = model.evaluate((&padded, &y))?["loss"];
    let mut steps = Sequential::new().then(first).compile(Sgd::new(0.1), MeanSquaredError);
    let kept = |array: &Array, width: usize| -> Result<Array> {
        Array::new([4, width], array.values()[..4 * width].to_vec())
    };
    let alone = steps.evaluate((&kept(&x, 2)?, &kept(&y, 1)?))?["loss"];
    assert!((masked - alone).abs() < 1e-6, "{masked} instead of {alone}");
    Ok(())
}
