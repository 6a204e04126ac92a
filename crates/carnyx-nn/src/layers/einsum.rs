//! Products along named axes: what an equation such as `abc,cd->abd` says.
//!
//! Three forms are known, as in Keras: `[X],[Y]->[Z]`, `...[X],[Y]->...[Z]` and `[X]...,[Y]->[Z]...`. Letters of the input that
//! the output lacks are summed over, and must be in the kernel.

use carnyx_graph::{Dim, Error, Result, Shape, Tensor};

/// An equation, with a letter for each axis.
#[derive(Clone, Debug)]
pub(super) struct Equation {
    text: String,
    input: Vec<char>,
    kernel: Vec<char>,
    output: Vec<char>,
    elided: Elided,
}

/// Where axes without letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elided {
    Nowhere,
    Left,
    Right,
}

/// An equation for an input of a known shape.
#[derive(Debug)]
pub(super) struct Bound {
    input: Vec<char>,
    kernel: Vec<char>,
    output: Vec<char>,
    /// The sizes of the output's axes.
    output_shape: Vec<Dim>,
    pub(super) kernel_shape: Vec<usize>,
}

impl Equation {
    pub(super) fn parse(text: &str) -> Result<Equation> {
        let unknown = |why: &str| {
            Error::new("equation", format!("`{text}` is no equation of an `EinsumDense`")).label(why).help(
                "forms are `ab,bc->ac`, `...x,xy->...y` and `ax...,xy->ay...`: one letter for each axis",
            )
        };
        let sides = text.split_once("->").and_then(|(left, z)| left.split_once(',').map(|(x, y)| [x, y, z]));
        let Some([input, kernel, output]) = sides else {
            return Err(unknown("it has not the form `input,kernel->output`"));
        };
        let (elided, input, output) = match (input.strip_prefix("..."), output.strip_prefix("...")) {
            (Some(input), Some(output)) => (Elided::Left, input, output),
            _ => match (input.strip_suffix("..."), output.strip_suffix("...")) {
                (Some(input), Some(output)) => (Elided::Right, input, output),
                _ => (Elided::Nowhere, input, output),
            },
        };
        let letters = |side: &str| side.chars().collect::<Vec<char>>();
        let equation = Equation {
            text: text.to_owned(),
            input: letters(input),
            kernel: letters(kernel),
            output: letters(output),
            elided,
        };
        for side in [&equation.input, &equation.kernel, &equation.output] {
            let is_twice = |i: usize| side[..i].contains(&side[i]);
            if side.is_empty() || !side.iter().all(char::is_ascii_alphabetic) || (0..side.len()).any(is_twice)
            {
                return Err(unknown("each side has letters, and none of them twice"));
            }
        }
        let Equation { input, kernel, output, .. } = &equation;
        if let Some(letter) = output.iter().find(|letter| !input.contains(letter) && !kernel.contains(letter))
        {
            return Err(unknown(&format!("`{letter}` of the output is in neither the input nor the kernel")));
        }
        if let Some(letter) = kernel.iter().find(|letter| !input.contains(letter) && !output.contains(letter))
        {
            return Err(unknown(&format!("`{letter}` of the kernel is in neither the input nor the output")));
        }
        if let Some(letter) = input.iter().find(|letter| !output.contains(letter) && !kernel.contains(letter))
        {
            return Err(unknown(&format!("`{letter}` of the input is in neither the kernel nor the output")));
        }
        let has_batch = elided == Elided::Left || input[0] == output[0] && !kernel.contains(&input[0]);
        if has_batch { Ok(equation) } else { Err(unknown("the first axis of input and output is the batch")) }
    }

    /// Which axes of the kernel are summed over.
    pub(super) fn summed(&self) -> Vec<bool> {
        let is_summed = |letter| self.input.contains(letter) && !self.output.contains(letter);
        self.kernel.iter().map(is_summed).collect()
    }

    /// The equation for an input of this shape; `sizes` are those of the output after the batch, `None` for what the
    /// input has.
    pub(super) fn bind(&self, shape: &Shape, sizes: &[Option<usize>]) -> Result<Bound> {
        let mistake = |title: String| Error::new("shape", title);
        let extra =
            shape.len().checked_sub(self.input.len()).filter(|&n| n == 0 || self.elided != Elided::Nowhere);
        let least = usize::from(self.elided == Elided::Left);
        let Some(extra) = extra.filter(|&extra| extra >= least) else {
            return Err(mistake(format!("`{}` cannot be applied to {shape}", self.text)).label(format!(
                "it names {} for the input",
                crate::losses::count(self.input.len(), "axis")
            )));
        };
        // Axes without letters get other signs.
        let signs: Vec<char> = ('\u{e000}'..).take(extra).collect();
        let with = |side: &[char]| match self.elided {
            Elided::Left => [&signs[..], side].concat(),
            _ => [side, &signs[..]].concat(),
        };
        let (input, output) = (with(&self.input), with(&self.output));
        let size_in_input = |letter: &char| input.iter().position(|l| l == letter).map(|axis| shape[axis]);
        // The letters of the output that sizes are given for: all but the batch.
        let named = if self.elided == Elided::Left { &self.output[..] } else { &self.output[1..] };
        if named.len() != sizes.len() {
            let wanted = crate::losses::count(named.len(), "size");
            return Err(mistake(format!(
                "`{}` wants {wanted} after the batch, not {}",
                self.text,
                sizes.len()
            ))
            .help("give one size for each letter of the output but the batch, -1 for that of the input"));
        }
        let mut given: Vec<(char, Dim)> = Vec::new();
        for (&letter, size) in named.iter().zip(sizes) {
            let dim = match (size_in_input(&letter), size) {
                (Some(dim), Some(size)) if dim != Dim::Fixed(*size) => {
                    return Err(mistake(format!(
                        "`{letter}` of `{}` is {dim} in the input, {size} in the output",
                        self.text
                    ))
                    .label(format!("the input has shape {shape}")));
                }
                (Some(dim), _) => dim,
                (None, Some(size)) if *size > 0 => Dim::Fixed(*size),
                (None, _) => {
                    return Err(mistake(format!("`{letter}` of `{}` has no size", self.text))
                        .label("it is not in the input, so the size must be given, and more than 0"));
                }
            };
            given.push((letter, dim));
        }
        let size = |letter: &char| {
            let given = given.iter().find(|(known, _)| known == letter).map(|(_, dim)| *dim);
            given.or_else(|| size_in_input(letter)).unwrap_or(Dim::Fixed(0))
        };
        let kernel_shape: Option<Vec<usize>> =
            self.kernel.iter().map(|letter| size(letter).fixed().filter(|&n| n > 0)).collect();
        let kernel_shape = kernel_shape.ok_or_else(|| {
            mistake(format!("the kernel of `{}` has no fixed shape for {shape}", self.text))
                .label("the sizes of its axes must be known, and more than 0")
        })?;
        let output_shape = output.iter().map(size).collect();
        Ok(Bound { input, kernel: self.kernel.clone(), output, output_shape, kernel_shape })
    }

    /// The shape of a bias along some axes of the output, as Keras makes it: from the first of them on, with 1 for others.
    pub(super) fn bias_shape(&self, axes: &str, bound: &Bound) -> Result<Vec<usize>> {
        let places: Option<Vec<usize>> =
            axes.chars().map(|letter| self.output.iter().position(|&l| l == letter)).collect();
        let Some(first) = places.and_then(|places| places.into_iter().min()) else {
            return Err(Error::new(
                "equation",
                format!("a bias along `{axes}` does not fit to `{}`", self.text),
            )
            .label("its letters must be letters of the output"));
        };
        let elided = bound.output.len() - self.output.len();
        let before = if self.elided == Elided::Left { elided } else { 0 };
        let along = |(i, letter): (usize, &char)| {
            if axes.contains(*letter) { bound.output_shape[i + before].fixed() } else { Some(1) }
        };
        let shape = self.output.iter().enumerate().skip(first).map(along).collect::<Option<Vec<usize>>>();
        let mut shape = shape.ok_or_else(|| {
            Error::new("equation", format!("a bias along `{axes}` of `{}` has no fixed shape", self.text))
        })?;
        if self.elided == Elided::Right {
            shape.extend(std::iter::repeat_n(1, elided));
        }
        Ok(shape)
    }
}

impl Bound {
    /// The product: one product of matrices, with all axes of a kind as one.
    pub(super) fn product(&self, x: &Tensor, kernel: &Tensor) -> Tensor {
        let pick = |side: &[char], wanted: &dyn Fn(&char) -> bool| -> Vec<char> {
            side.iter().copied().filter(|letter| wanted(letter)).collect()
        };
        let shared = pick(&self.kernel, &|l| self.input.contains(l) && self.output.contains(l));
        let summed = pick(&self.kernel, &|l| self.input.contains(l) && !self.output.contains(l));
        let free = pick(&self.kernel, &|l| !self.input.contains(l));
        let rest = pick(&self.input, &|l| !self.kernel.contains(l));
        let (from, of_kernel) = (x.shape(), kernel.shape());
        let of_x = |letters: &[char]| sizes(letters, &self.input, &from);
        let of_kernel = |letters: &[char]| sizes(letters, &self.kernel, &of_kernel);
        let count = |dims: &[Dim]| Dim::Fixed(dims.iter().filter_map(|dim| dim.fixed()).product());
        // [shared, rest, summed] · [shared, summed, free]
        let rows = if shared.is_empty() { of_x(&rest) } else { vec![merged(&of_x(&rest))] };
        let x = ordered(x, &self.input, &[&shared[..], &rest, &summed].concat());
        let x = x.reshape([of_x(&shared), rows, vec![count(&of_x(&summed))]].concat());
        let kernel = ordered(kernel, &self.kernel, &[&shared[..], &summed, &free].concat());
        let matrix = [count(&of_kernel(&summed)), count(&of_kernel(&free))].to_vec();
        let kernel = kernel.reshape([of_kernel(&shared), matrix].concat());
        let product = x.matmul(kernel).reshape([of_x(&shared), of_x(&rest), of_kernel(&free)].concat());
        ordered(&product, &[&shared[..], &rest, &free].concat(), &self.output)
    }
}

/// The sizes of letters in a shape that has `all` of them.
fn sizes(letters: &[char], all: &[char], shape: &[Dim]) -> Vec<Dim> {
    letters.iter().filter_map(|letter| all.iter().position(|l| l == letter)).map(|axis| shape[axis]).collect()
}

fn merged(dims: &[Dim]) -> Dim {
    match dims {
        [one] => *one,
        _ => Shape::new(dims.to_vec()).elements().map_or(Dim::Symbol("rows"), Dim::Fixed),
    }
}

/// The axes `from` in the order `to`.
fn ordered(x: &Tensor, from: &[char], to: &[char]) -> Tensor {
    if from == to {
        return x.clone();
    }
    let place = |letter: &char| from.iter().position(|l| l == letter);
    x.permute(to.iter().filter_map(place).collect::<Vec<_>>())
}
