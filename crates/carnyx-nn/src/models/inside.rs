//! Doors to what is inside a model: its outputs as an expression that can be walked, and its losses for any predictions.

use super::model::Model;
use super::trace::{e_at, targets_of_outputs};
use crate::batches::Inputs;
use crate::data::{Data, Role};
use crate::engine::{Eval, initialize_on};
use carnyx_graph::{Array, Mode, Result, Tensor};
use std::panic::Location;

impl<L> Model<L> {
    /// The outputs for these inputs, described in inference but not computed: an expression in which all that happens
    /// inside the model can be found and [evaluated](Eval::eval), such as what a hidden layer gives. Of a stream, the
    /// first batch is taken. Variables without a value are drawn.
    ///
    /// # Errors
    /// As for [`predict_all`](Model::predict_all).
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::{Array, in_order};
    /// # use carnyx_nn::*;
    /// # let x = Array::full([8, 3], 1f32);
    /// let net = Sequential::new().then(Dense::new(4).activation(Relu)).then(Dense::new(1));
    /// let model = net.compile(Sgd::new(0.1), MeanSquaredError);
    /// let outputs = model.describe(&x)?;
    /// assert_eq!(outputs[0].eval()?, model.predict(&x)?);
    /// let inside = in_order(&outputs);
    /// let hidden = inside.iter().find(|tensor| tensor.op().name() == "maximum").unwrap(); // a `Relu`
    /// assert_eq!(hidden.eval()?.shape(), [8, 4]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn describe<'d, Kind>(&self, x: impl Inputs<'d, Kind>) -> Result<Vec<Tensor>> {
        let site = Location::caller();
        let mut source = x.source().ordered(&self.core, site)?;
        let data = source.first(&self.core, 0, Role::Predict, site)?;
        data.check(Role::Predict).map_err(|error| error.at(site))?;
        let input = |array: &Array| Tensor::constant(array).in_mode(Mode::Inference);
        let outputs =
            self.core.network.outputs(&data.inputs().iter().map(input).collect::<Vec<_>>(), site)?;
        let shaped = self.core.network.variables.iter().filter(|variable| variable.shape().is_some());
        initialize_on(self.core.executor(), &shaped.cloned().collect::<Vec<_>>(), self.core.seed)?;
        Ok(outputs)
    }

    /// The losses of the model, without penalties, if it predicted this: one array for each output. Compared with that of
    /// the model's own predictions, it tells what a simple rule is worth, such as always to say the mean.
    ///
    /// # Errors
    /// `data` and `loss-shape`, if targets and predictions do not fit each other.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let (x, y) = (Array::from([[1f32], [2.0]]), Array::from([[1f32], [3.0]]));
    /// let model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError);
    /// let mean = Array::full([2, 1], 2f32);
    /// assert_eq!(model.loss_of(&[mean], (&x, &y))?, 1.0);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn loss_of(&self, predictions: &[Array], data: impl Into<Data>) -> Result<f64> {
        let site = Location::caller();
        let data = self.core.ordered(data.into(), site)?;
        let names = self.core.network.output_names(predictions.len()).map_err(|e| e_at(e, site))?;
        let terms = self.core.objective.resolve(&names).map_err(|e| e_at(e, site))?;
        let target_of =
            targets_of_outputs(data.targets().len(), &names, &terms).map_err(|error| error.at(site))?;
        let mut total = 0.0;
        for (output, term) in terms {
            let target = target_of[output].unwrap_or(0);
            let (answers, prediction) = (&data.targets()[target], Tensor::constant(&predictions[output]));
            term.loss().check(answers, &prediction.shape()).map_err(|error| error.at(site))?;
            let answers = Tensor::constant(answers);
            let loss = match data.sample_weights().get(target).and_then(Option::as_ref) {
                Some(weights) => term.loss().of_weighted(&answers, &prediction, &Tensor::constant(weights)),
                None => term.loss().of(&answers, &prediction),
            };
            let name = term.loss().name();
            let value = loss.eval().and_then(|loss| loss.item());
            total +=
                term.weight() * value.map_err(|e| e_at(e, site).note(format!("in the loss `{name}`")))?;
        }
        Ok(total)
    }

    /// The data with inputs and targets in the order of the model's, where they were given by name.
    ///
    /// # Errors
    /// `name`, if a name is unknown, missing or given twice.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// let (x, y, z) = (Array::full([2, 1], 1f32), Array::full([2, 1], 2f32), Array::full([2, 1], 3f32));
    /// let model = Dense::new(1).compile(Sgd::new(0.1), MeanSquaredError).outputs(["price"]);
    /// let data = model.in_order((&x, [("price", &y)]))?;
    /// assert_eq!(data.targets(), [y]);
    /// assert!(model.in_order((&x, [("cost", &z)])).is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    pub fn in_order(&self, data: impl Into<Data>) -> Result<Data> {
        self.core.ordered(data.into(), Location::caller())
    }
}
