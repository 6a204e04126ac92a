//! 7. Diagrams: what a model looks like.
//!
//!     cargo run --release --example 07_diagrams
//!
//! A summary lists layers one below the other; it does not show what is connected with what. A diagram does: boxes are
//! layers, arrows are the tensors between them, frames are models inside the model. Here two models are drawn: a small
//! one with two branches, and a deep one with *skip connections*, which lead around each pair of layers, so that a
//! hundred layers still learn: every block only has to say what it changes in its input.
//! (He et al., *Deep Residual Learning for Image Recognition*, 2015.)

use carnyx::prelude::*;

fn main() -> Result {
    let wide_and_deep = wide_and_deep()?;
    wide_and_deep.diagram()?.save("wide_and_deep.svg")?;

    let residual = residual_network(16)?.compile(Adam::new(1e-3), SparseCategoricalCrossentropy);
    residual.diagram()?.save("residual_network.svg")?;
    // Blocks as boxes: the plan of the model without its details.
    residual.diagram_to(0)?.save("residual_network_overview.svg")?;
    println!("{}", residual.summary());
    println!("wide_and_deep.svg, residual_network.svg and residual_network_overview.svg are drawn");
    Ok(())
}

/// Two inputs, of which one goes straight to the main output; a second output looks at the deep path alone.
fn wide_and_deep() -> Result<Functional> {
    let (wide, deep) = (Tensor::input("wide", [5]), Tensor::input("deep", [6]));
    let hidden = Dense::new(30).activation(Relu).apply(&deep);
    let hidden = Dense::new(30).activation(Relu).apply(&hidden);
    let main = Dense::new(1).apply(&concat([&wide, &hidden], -1));
    let aux = Dense::new(1).apply(&hidden);
    Functional::new([&wide, &deep], [("main_output", &main), ("aux_output", &aux)])
}

/// Fifty layers: blocks of two, each with a way around it, in frames of four.
fn residual_network(num_blocks: usize) -> Result<Functional<Tensor, Tensor>> {
    let pixels = Tensor::input("pixels", [28, 28]);
    let mut x = Dense::new(64).activation(Relu).named("stem").apply(&Flatten.apply(&pixels));
    for stage in 0..num_blocks / 4 {
        let stage_input = Tensor::input("x", [64]);
        let mut y = stage_input.clone();
        for _ in 0..4 {
            let change = Dense::new(64).activation(Relu).apply(&y);
            y = Dropout::new(0.1).apply(&Dense::new(64).apply(&change)) + y;
        }
        x = Functional::new(&stage_input, &y)?.named(format!("stage_{stage}")).apply(&x);
    }
    Functional::new(&pixels, &Dense::new(10).activation(Softmax).named("scores").apply(&x))
}
