//! Advice on a finished training: what is wrong, how that shows, and what to do about it.
//!
//! Each finding rests on numbers that it carries: of the history, of the weights, of what the layers give for a sample of
//! the data, and of short sweeps over other learning rates. Invariants: no finding without evidence; a finding that is
//! only the consequence of another one is left out; the model is afterwards what it was before, to the bit.

mod baseline;
mod classes;
mod curves;
mod finding;
mod inside;
mod rates;

pub use finding::{Advice, Finding, TooHigh};

use baseline::Baseline;
use carnyx_graph::{Array, Error, Result, Variable};
use carnyx_nn::{Data, History, Model, Module, Variables};
use classes::imbalance;
use curves::Curves;
use inside::Inside;
use rates::Rates;

/// So many samples show what units do; more would only take longer.
const SAMPLE: usize = 1024;

/// Of fewer samples, a unit that is silent may only not have met its own yet.
const MIN_SAMPLE: usize = 100;

/// Says what is wrong with a finished training.
///
/// # Example
/// ```
/// # use carnyx_graph::Array;
/// # use carnyx_nn::*;
/// # use carnyx_tune::{Advise, Finding};
/// let x = Array::from_fn([200, 2], |i| ((i * 7919) % 1009) as f32); // from 0 to 1008, and nothing scales it
/// let y = Array::from_fn([200, 1], |i| if x.element(2 * i) > x.element(2 * i + 1) { 1f32 } else { 0.0 });
/// let mut model = Sequential::new()
///     .then(Dense::new(8).activation(Tanh))
///     .then(Dense::new(1).activation(Sigmoid))
///     .compile(Sgd::new(0.01), BinaryCrossentropy);
/// let history = model.fit((&x, &y), Fit::epochs(5).verbose(Verbosity::Silent))?;
/// let advice = model.advise(&history, (&x, &y))?;
/// println!("{advice}");
/// assert!(matches!(advice.findings[0], Finding::UnscaledInput { .. }));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
pub trait Advise {
    /// What `history`, the weights and what the model does with `data` say of the training. `data` are those that the
    /// model was fitted with, or a sample of them.
    ///
    /// To find out whether another learning rate would do better, the model is trained for a few hundred steps, and put
    /// back afterwards.
    ///
    /// # Errors
    /// `advice`, if the history has no epochs; `data` and others, if the data are not what the model learns from.
    ///
    /// # Example
    /// ```
    /// # use carnyx_graph::Array;
    /// # use carnyx_nn::*;
    /// # use carnyx_tune::Advise;
    /// # let x = Array::from_fn([200, 2], |i| ((i * 7919) % 101) as f32 / 50.0 - 1.0);
    /// # let y = Array::from_fn([200, 1], |i| x.element(2 * i) as f32);
    /// let mut model = Sequential::new().then(Dense::new(1)).compile(Adam::new(0.05), MeanSquaredError);
    /// let history = model.fit((&x, &y), Fit::epochs(60).verbose(Verbosity::Silent))?;
    /// let advice = model.advise(&history, (&x, &y))?;
    /// assert!(advice.findings.is_empty(), "{advice}");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    #[track_caller]
    fn advise(&mut self, history: &History, data: impl Into<Data>) -> Result<Advice>;
}

impl<L: Module> Advise for Model<L> {
    #[track_caller]
    fn advise(&mut self, history: &History, data: impl Into<Data>) -> Result<Advice> {
        if history.epochs.is_empty() {
            return Err(Error::new("advice", "the history has no epochs")
                .at(std::panic::Location::caller())
                .label("there is no training to judge")
                .help("give the history that `fit` returned, of at least one epoch"));
        }
        let data = self.in_order(data)?;
        // Says what is wrong with the data, if anything is.
        self.evaluate(&data)?;
        let before = self.snapshot()?;
        let advice = advice_on(self, &Curves::of(history), &data);
        self.restore(&before)?;
        advice
    }
}

#[track_caller]
fn advice_on<L: Module>(model: &mut Model<L>, curves: &Curves, data: &Data) -> Result<Advice> {
    let sample = sample_of(data)?;
    let predictions = model.predict_all(sample.inputs().to_vec())?;
    let baseline = Baseline::of(model, &sample, &predictions)?;
    let curves = curves.on_scale(baseline);
    let by_heart = model.num_parameters() as f64 / data.num_samples() as f64;
    let nothing = baseline.filter(|baseline| baseline.is_all(by_heart));
    let rates = Rates::of(model, data, &curves);
    let mut not_judged = curves.not_judged();
    if sample.num_samples() < MIN_SAMPLE {
        let few = sample.num_samples();
        not_judged.push(format!(
            "whether units are dead or saturated: {few} samples are too few to say, {MIN_SAMPLE} are enough"
        ));
    }

    // From causes to consequences: what may only follow from something that was found is not looked for.
    let inside = Inside::of(&model.describe(sample.inputs().to_vec())?)?;
    let mut findings = inside.constant_layers();
    if findings.is_empty() {
        findings = inside.unscaled_inputs();
    }
    if findings.is_empty() {
        findings.extend(curves.is_rough().map(|sign| rates.too_high(sign)));
    }
    if findings.is_empty() {
        findings = idle_units(model, &inside, &sample)?;
        if let Some(sign) = findings.iter().find_map(killed).filter(|_| nothing.is_some()) {
            findings = vec![rates.too_high(sign)];
        }
    }
    let is_healthy_inside = findings.is_empty();
    if nothing.is_none() && !findings.iter().any(is_about_rates) {
        findings.extend(curves.overfitting());
    }
    if findings.is_empty() {
        findings.extend(pace(model, data, &curves, &rates, nothing));
    }
    if nothing.is_none() && is_healthy_inside && !findings.iter().any(is_about_rates) {
        findings.extend(imbalance(&sample, &predictions, data));
    }
    findings.sort_by_key(Finding::place);
    Ok(Advice { findings, not_judged })
}

/// Layers whose units are dead or saturated, if the sample is large enough to tell.
#[track_caller]
fn idle_units<L: Module>(model: &mut Model<L>, inside: &Inside, sample: &Data) -> Result<Vec<Finding>> {
    if sample.num_samples() < MIN_SAMPLE || !inside.has_idle_units() {
        return Ok(Vec::new());
    }
    Ok(inside.idle_units(&with_first_weights(model, sample)?))
}

/// Whether training goes too slowly, has not gone far enough, or nowhere at all.
#[track_caller]
fn pace<L>(
    model: &mut Model<L>,
    data: &Data,
    curves: &Curves,
    rates: &Rates,
    nothing: Option<Baseline>,
) -> Option<Finding> {
    let may_be_too_low = nothing.is_some() || curves.is_steady();
    let too_low = if may_be_too_low { rates.too_low(model, data) } else { None };
    let falling = || curves.still_falling();
    too_low.or_else(falling).or_else(|| nothing.map(|baseline| baseline.nothing_learned()))
}

/// What the units do when the first weights are drawn anew.
#[track_caller]
fn with_first_weights<L: Module>(model: &mut Model<L>, sample: &Data) -> Result<Inside> {
    let now = model.snapshot()?;
    model.trainable().iter().for_each(Variable::clear);
    let start = model.describe(sample.inputs().to_vec()).and_then(|outputs| Inside::of(&outputs));
    model.restore(&now)?;
    start
}

/// Units that training has killed, if these are.
fn killed(finding: &Finding) -> Option<TooHigh> {
    match finding {
        Finding::DeadUnits { layer, dead, at_start, units, .. } if 2 * at_start < *dead => {
            Some(TooHigh::KilledUnits { layer: layer.clone(), killed: dead - at_start, units: *units })
        }
        _ => None,
    }
}

fn is_about_rates(finding: &Finding) -> bool {
    matches!(finding, Finding::RateTooHigh { .. } | Finding::RateTooLow { .. })
}

/// Rows of the data, evenly apart, because data may be sorted.
fn sample_of(data: &Data) -> Result<Data> {
    let rows = data.num_samples();
    if rows <= SAMPLE {
        return Ok(data.clone());
    }
    let places: Vec<usize> = (0..SAMPLE).map(|i| i * rows / SAMPLE).collect();
    let taken =
        |arrays: &[Array]| arrays.iter().map(|array| array.take_rows(&places)).collect::<Result<Vec<_>>>();
    Ok(Data::from((taken(data.inputs())?, taken(data.targets())?)))
}

#[cfg(test)]
mod tests;
