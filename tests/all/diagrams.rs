//! Models as diagrams: what stands in the boxes, sharing, nesting, and what cannot be drawn.

use carnyx::plots::Diagram;
use carnyx::prelude::*;
use carnyx_tests::assert_golden_file;

fn quiet<'a>() -> Fit<'a> {
    Fit::epochs(1).verbose(Verbosity::Silent)
}

fn wide_and_deep() -> Result<Functional> {
    let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
    let hidden = Dense::new(30).activation(Relu).apply(&deep);
    let hidden = Dense::new(30).activation(Relu).apply(&hidden);
    let main = Dense::new(1).apply(&concat([&wide, &hidden], -1));
    let aux = Dense::new(1).apply(&hidden);
    Functional::new([&wide, &deep], [("main_output", &main), ("aux_output", &aux)])
}

/// A layer that applies another one twice.
#[derive(Module, Clone)]
struct Twice {
    first: Dense,
}

impl Layer for Twice {
    type Out = Tensor;

    fn call(&self, x: &Tensor) -> Tensor {
        self.first.apply(&(self.first.apply(x) * 2.0))
    }
}

/// All texts of a diagram in the order in which they are drawn, one string for each box or frame title or line.
fn texts(diagram: &Diagram) -> Result<Vec<String>> {
    let svg = diagram.to_svg()?;
    let lines = svg.lines().filter(|line| line.starts_with("<text"));
    let plain = |line: &str| {
        let parts = line.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
        parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    };
    Ok(lines.map(plain).collect())
}

#[test]
fn a_functional_model_is_drawn() -> Result {
    let diagram = wide_and_deep()?.diagram()?;
    assert_eq!(diagram.num_blocks(), 9);
    assert_golden_file("wide_and_deep.svg", &diagram.to_svg()?);
    // A compiled one shows the same.
    let model = wide_and_deep()?.compile(Sgd::new(0.1), MeanSquaredError);
    assert_eq!(model.diagram()?.to_svg()?, diagram.to_svg()?);
    Ok(())
}

#[test]
fn a_row_of_layers_is_drawn_once_its_input_is_known() -> Result {
    let net = || Sequential::new().then(Flatten).then(Dense::new(3).activation(Tanh)).then(Dropout::new(0.5));
    let unknown = net().diagram().unwrap_err();
    assert_eq!((unknown.code(), unknown.title()), ("model", "the shape of the inputs is not known"));
    let mut model = net().compile(Sgd::new(0.1), MeanSquaredError);
    let unknown = model.diagram().unwrap_err();
    assert!(unknown.advice().unwrap().starts_with("fit the model or predict with it first"), "{unknown}");
    model.fit((&Array::full([8, 2, 2], 1f32), &Array::full([8, 3], 0f32)), quiet())?;
    let expected = [
        "x input",
        "[batch, 2, 2]",
        "flatten Flatten",
        "[batch, 2, 2] → [batch, 4]",
        "dense Dense · tanh",
        "[batch, 4] → [batch, 3]",
        "15 parameters",
        "dropout Dropout",
        "[batch, 3] → [batch, 3]",
        "output",
    ];
    assert_eq!(texts(&model.diagram()?)?, expected);
    let stated = Sequential::new().then(Input::new([4])).then(Dense::new(1).named("line")).diagram()?;
    assert_eq!(texts(&stated)?[2..4], ["line Dense", "[batch, 4] → [batch, 1]"]);
    Ok(())
}

#[test]
fn a_shared_layer_is_counted_once() -> Result {
    let (a, b) = (Tensor::input("a", [3]), Tensor::input("b", [3]));
    let encoder = Dense::new(2).named("encoder");
    let distance = (encoder.apply(&a) - encoder.apply(&b)).square().sum_along(-1).expand(-1);
    let texts = texts(&Functional::new([&a, &b], &distance)?.diagram()?)?;
    let count = |text: &str| texts.iter().filter(|known| known.contains(text)).count();
    assert_eq!(
        (count("encoder Dense"), count("8 parameters"), count("shares the weights of encoder")),
        (2, 1, 1)
    );
    // Operations in a row are one box.
    assert_eq!(count("subtract · square · sum · reshape [batch, 1]"), 1, "{texts:?}");
    Ok(())
}

#[test]
fn a_model_inside_a_model_is_a_frame() -> Result {
    let inner = {
        let x = Tensor::input("x", [4]);
        Functional::new(&x, &(Dense::new(4).activation(Relu).apply(&x) + &x))?
    };
    let middle = Sequential::new().then(inner.clone()).then(Dense::new(4)).named("middle");
    let net = Sequential::new().then(Input::new([4])).then(middle).then(inner).then(Dense::new(1));
    let all = texts(&net.diagram()?)?;
    let count = |text: &str| all.iter().filter(|known| known.starts_with(text)).count();
    assert_eq!(
        (count("middle Sequential"), count("functional Functional"), count("add")),
        (1, 2, 1),
        "{all:?}"
    );
    assert_eq!(count("shares the weights of functional"), 1);
    assert_eq!([0, 1, 2].map(|depth| net.diagram_to(depth).unwrap().num_blocks()), [5, 6, 7]);
    assert_eq!(net.diagram()?.to_svg()?, net.diagram_to(2)?.to_svg()?);

    // A layer of one's own, through a functional model.
    let own = Functional::of(&Twice { first: Dense::new(4) }, &Tensor::input("x", [4]))?.diagram()?;
    assert_eq!(own.num_blocks(), 5);
    Ok(())
}

#[test]
fn frozen_layers_and_frozen_parts_say_so() -> Result {
    let net = Sequential::new().then(Input::new([4])).then(Dense::new(2)).then(Dense::new(1));
    let drawn = net.diagram()?;
    net.layer("dense").unwrap().freeze();
    let frozen = texts(&net.diagram()?)?;
    assert!(frozen.contains(&"10 parameters, not trained".to_owned()), "{frozen:?}");
    assert!(texts(&drawn)?.contains(&"10 parameters".to_owned()));
    Ok(())
}
