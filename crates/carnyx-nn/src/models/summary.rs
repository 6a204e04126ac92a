//! A table of a model's layers: what comes out of each, its parameters, and its work.
//!
//! Rows come from the walk through the module, shapes and work from the expression that the layers describe: a
//! layer's part of it lies between the borders that carry its name.

use crate::{Found, Module, Visitor};
use carnyx_graph::op::{Op, Scope};
use carnyx_graph::{Dim, Shape, Tensor, Variable};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::rc::Rc;

/// One layer of a [`Summary`].
///
/// # Example
/// ```
/// # use carnyx_graph::{Array, Tensor};
/// # use carnyx_nn::*;
/// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
/// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
/// let mut model = Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError);
/// model.predict(&x)?;
/// assert_eq!(model.summary().rows[0].name, "dense");
/// # let _ = &mut model;
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRow {
    /// Its name in the model.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// The shape of what comes out, once it is known.
    pub output: Option<Shape>,
    /// The number of numbers in its variables, once they have shapes. Shared variables count where they come first.
    pub parameters: Option<usize>,
    /// How many of those are trained.
    pub trainable: usize,
    /// Bytes of its variables.
    pub bytes: usize,
    /// Multiplications with an addition in its matrix products, for one sample.
    pub multiply_adds: usize,
}

/// A table of a model's layers.
///
/// # Example
/// ```
/// use carnyx_nn::losses::MeanSquaredError;
/// use carnyx_nn::optimizers::Sgd;
/// use carnyx_nn::{Compile, Dense, Input, Relu, Sequential};
/// let model = Sequential::new()
///     .then(Input::new([4]))
///     .then(Dense::new(8).activation(Relu))
///     .then(Dense::new(1))
///     .compile(Sgd::new(0.01), MeanSquaredError);
/// let summary = model.summary();
/// assert_eq!(summary.parameters(), 4 * 8 + 8 + 8 + 1);
/// println!("{summary}");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The model's type.
    pub kind: String,
    /// The layers in the order of the walk.
    pub rows: Vec<LayerRow>,
}

impl Summary {
    /// The summary of `module`, whose outputs on a drawing of the inputs are `outputs`.
    pub(crate) fn of(module: &dyn Module, outputs: Option<&[Tensor]>) -> Summary {
        let seen = outputs.map(Expression::walk).unwrap_or_default();
        let mut rows = Rows::default();
        module.visit(&mut Visitor::new(&mut |path, found| rows.add(path, found)));
        let finish = |row: Row| {
            let by_variable = || row.first_variable.and_then(|id| seen.shape_around.get(&id));
            let shape = seen.shape_of.get(&row.path).or_else(by_variable).cloned();
            let by_variable = || row.first_variable.and_then(|id| seen.work_around.get(&id));
            let work = seen.work_of.get(&row.path).or_else(by_variable).copied().unwrap_or(0);
            LayerRow { output: shape, multiply_adds: work, ..row.layer }
        };
        let kind = if module.kind().is_empty() { "Model" } else { module.kind() };
        Summary { kind: kind.to_owned(), rows: rows.found.into_iter().map(finish).collect() }
    }

    /// The number of numbers in all variables that have a shape.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let model = Sequential::new().then(Input::new([3])).then(Dense::new(2)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert_eq!(model.summary().parameters(), 3 * 2 + 2);
    /// ```
    pub fn parameters(&self) -> usize {
        self.rows.iter().filter_map(|row| row.parameters).sum()
    }

    /// How many of those are trained.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let model = Sequential::new().then(Input::new([3])).then(Dense::new(2)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert!(model.summary().trainable() <= model.summary().parameters());
    /// ```
    pub fn trainable(&self) -> usize {
        self.rows.iter().map(|row| row.trainable).sum()
    }

    /// Multiplications with an addition in matrix products, for one sample.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let model = Sequential::new().then(Input::new([3])).then(Dense::new(2)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert_eq!(model.summary().multiply_adds(), 3 * 2);
    /// ```
    pub fn multiply_adds(&self) -> usize {
        self.rows.iter().map(|row| row.multiply_adds).sum()
    }

    /// Bytes of all variables.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, Tensor, Variable};
    /// # use carnyx_nn::*;
    /// # let (x, y) = (Array::full([8, 3], 1f32), Array::full([8, 1], 2f32));
    /// # let quiet = || Fit::epochs(1).verbose(Verbosity::Silent);
    /// let model = Sequential::new().then(Input::new([3])).then(Dense::new(2)).compile(Sgd::new(0.1), MeanSquaredError);
    /// assert_eq!(model.summary().bytes(), 4 * model.summary().parameters());
    /// ```
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.bytes).sum()
    }
}

/// A row in the making.
struct Row {
    layer: LayerRow,
    path: String,
    first_variable: Option<u64>,
}

/// The outermost layers of a module.
#[derive(Default)]
struct Rows {
    found: Vec<Row>,
    depth: usize,
    counted: HashSet<u64>,
}

impl Rows {
    fn add(&mut self, path: &[String], found: Found) {
        match found {
            Found::Enter(kind) => {
                self.depth += 1;
                if self.depth == 1 {
                    self.begin(path, kind);
                }
            }
            Found::Leave => self.depth = self.depth.saturating_sub(1),
            Found::Variable(variable) => {
                if self.depth == 0 {
                    self.begin(path, "Variable");
                }
                if self.counted.insert(variable.id()) {
                    self.count(variable);
                }
            }
            Found::Noise(_) => {}
        }
    }

    fn begin(&mut self, path: &[String], kind: &str) {
        let path = path.join("/");
        let layer = LayerRow {
            name: path.clone(),
            kind: kind.to_owned(),
            output: None,
            parameters: Some(0),
            trainable: 0,
            bytes: 0,
            multiply_adds: 0,
        };
        self.found.push(Row { layer, path, first_variable: None });
    }

    fn count(&mut self, variable: &Variable) {
        let Some(Row { layer: row, first_variable, .. }) = self.found.last_mut() else { return };
        first_variable.get_or_insert(variable.id());
        match variable.shape() {
            Some(shape) => {
                let elements: usize = shape.iter().product();
                row.parameters = row.parameters.map(|n| n + elements);
                row.trainable += if variable.is_trainable() { elements } else { 0 };
                row.bytes += elements * variable.dtype().size();
            }
            None => row.parameters = None,
        }
    }
}

/// What an expression tells of the layers in it: by the path of names, and by the variables read inside.
#[derive(Default)]
struct Expression {
    shape_of: HashMap<String, Shape>,
    work_of: HashMap<String, usize>,
    shape_around: HashMap<u64, Shape>,
    work_around: HashMap<u64, usize>,
}

/// A layer around a part of an expression.
struct Frame {
    path: String,
    output: Tensor,
    around: Option<Rc<Frame>>,
}

impl Expression {
    /// Backwards from the outputs: one goes into a layer where values leave it.
    fn walk(outputs: &[Tensor]) -> Expression {
        let mut expression = Expression::default();
        let mut seen = HashSet::new();
        let mut pending: Vec<(Tensor, Option<Rc<Frame>>)> =
            outputs.iter().map(|t| (t.clone(), None)).collect();
        let mut reads: Vec<(u64, Rc<Frame>)> = Vec::new();
        let mut work_in: HashMap<usize, usize> = HashMap::new();
        while let Some((tensor, frame)) = pending.pop() {
            if !seen.insert(tensor.address()) {
                continue;
            }
            let inner = match tensor.op() {
                Op::Scope(Scope::Leave(name)) => {
                    let path = match &frame {
                        // The model's own name is no part of its layers' paths.
                        None => String::new(),
                        Some(outer) if outer.path.is_empty() => name.to_string(),
                        Some(outer) => format!("{}/{name}", outer.path),
                    };
                    expression.shape_of.entry(path.clone()).or_insert_with(|| tensor.shape());
                    Some(Rc::new(Frame { path, output: tensor.clone(), around: frame }))
                }
                Op::Scope(Scope::Enter(_)) => frame.and_then(|frame| frame.around.clone()),
                Op::Read(variable) => {
                    reads.extend(frame.map(|frame| (variable.id(), frame)));
                    None
                }
                Op::Dot { .. } => {
                    let work = multiply_adds(&tensor);
                    let layers = std::iter::successors(frame.as_ref(), |layer| layer.around.as_ref());
                    for layer in layers {
                        *expression.work_of.entry(layer.path.clone()).or_default() += work;
                        *work_in.entry(layer.output.address()).or_default() += work;
                    }
                    frame
                }
                _ => frame,
            };
            pending.extend(tensor.sources().iter().map(|source| (source.clone(), inner.clone())));
        }
        for (variable, layer) in reads {
            let work = work_in.get(&layer.output.address()).copied().unwrap_or(0);
            expression.work_around.insert(variable, work);
            expression.shape_around.insert(variable, layer.output.shape());
        }
        expression
    }
}

/// Multiplications with an addition in a matrix product, for one sample.
fn multiply_adds(product: &Tensor) -> usize {
    let (Op::Dot { transpose_a, .. }, Some(a)) = (product.op(), product.sources().first()) else { return 0 };
    let inner = a.dim(if *transpose_a { -2 } else { -1 });
    fixed_sizes(product).saturating_mul(inner).saturating_mul(rows_of_a_sample(a))
}

/// The product of the sizes that are known.
fn fixed_sizes(tensor: &Tensor) -> usize {
    tensor.shape().iter().filter_map(|dim| dim.fixed()).fold(1, usize::saturating_mul)
}

/// How many of the rows of a matrix come from one sample, where the batch and other axes were made one.
fn rows_of_a_sample(matrix: &Tensor) -> usize {
    let mut merged = matrix.clone();
    while !merged.shape().contains(&Dim::BATCH) {
        let Some(source) = merged.sources().first().cloned() else { return 1 };
        if matches!(merged.op(), Op::Reshape(_)) && source.shape().contains(&Dim::BATCH) {
            return fixed_sizes(&source) / fixed_sizes(&merged).max(1);
        }
        merged = source;
    }
    1
}

/// `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.04 MB`.
fn size(bytes: usize) -> String {
    match bytes as f64 {
        b if b < 1024.0 => format!("{bytes} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.2} KB", b / 1024.0),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{:.2} MB", b / 1024.0 / 1024.0),
        b => format!("{:.2} GB", b / 1024.0 / 1024.0 / 1024.0),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let header = ["Layer (type)", "Output Shape", "Param #", "Multiply-adds"].map(str::to_owned);
        let cells = |row: &LayerRow| {
            [
                format!("{} ({})", row.name, row.kind),
                row.output.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string),
                row.parameters.map_or_else(|| "unbuilt".to_owned(), grouped),
                if row.output.is_some() { grouped(row.multiply_adds) } else { "?".to_owned() },
            ]
        };
        let rows: Vec<[String; 4]> = self.rows.iter().map(cells).collect();
        let width = |i: usize| {
            let all = rows.iter().chain(std::iter::once(&header));
            all.map(|cells| cells[i].chars().count()).max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3].map(width);
        let rule = |left: &str, middle: &str, right: &str, line: &str| {
            let parts = widths.map(|width| line.repeat(width + 2));
            format!("{left}{}{right}", parts.join(middle))
        };
        let line = |cells: &[String; 4], border: &str| {
            let mut text = border.to_owned();
            for (i, cell) in cells.iter().enumerate() {
                let pad = " ".repeat(widths[i] - cell.chars().count());
                // Names to the left, numbers to the right.
                let cell = if i < 2 { format!(" {cell}{pad} ") } else { format!(" {pad}{cell} ") };
                text.push_str(&cell);
                text.push_str(if i == 3 {
                    border
                } else if border == "┃" {
                    "┃"
                } else {
                    "│"
                });
            }
            text
        };
        writeln!(f, "Model: {}", self.kind)?;
        writeln!(f, "{}", rule("┏", "┳", "┓", "━"))?;
        writeln!(f, "{}", line(&header, "┃"))?;
        writeln!(f, "{}", rule("┡", "╇", "┩", "━"))?;
        for (i, row) in rows.iter().enumerate() {
            if i > 0 {
                writeln!(f, "{}", rule("├", "┼", "┤", "─"))?;
            }
            writeln!(f, "{}", line(row, "│"))?;
        }
        writeln!(f, "{}", rule("└", "┴", "┘", "─"))?;
        let (total, trainable) = (self.parameters(), self.trainable());
        writeln!(f, " Total params: {} ({})", grouped(total), size(self.bytes()))?;
        writeln!(f, " Trainable params: {}", grouped(trainable))?;
        writeln!(f, " Non-trainable params: {}", grouped(total - trainable))?;
        write!(f, " Multiply-adds per sample: {}", grouped(self.multiply_adds()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(266_610), "266,610");
        assert_eq!(grouped(7), "7");
        assert_eq!(size(266_610 * 4), "1.02 MB");
    }
}
