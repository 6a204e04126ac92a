//! The training loop: the only one.
//!
//! Each step runs one prepared program on rows that the executor gathers itself; the loop allocates nothing.

mod beginning;
mod options;
mod rates;

pub(crate) use beginning::Stability;
pub use options::Fit;

use crate::batches::Source;
use crate::callbacks::{Callbacks, Moment, Plan, Running, Watching};
use crate::data::{Data, Role};
use crate::diversity::warn_of_identical_units;
use crate::history::{History, Logs};
use crate::models::trace::{Core, Prepared};
use crate::optimizers::Optimizer;
use crate::order::Order;
use crate::profile::StepKind;
use crate::profile::marks::{self, Marks};
use crate::progress::{Progress, Verbosity};
use crate::saving::describe_schedule;
use crate::steps::{Batch, Steps, emptied};
use carnyx_graph::graph::Body;
use carnyx_graph::{Bindings, Error, Feed, Outcome, Result};
use rates::{check_schedule, warn_of_long_warm_up};
use std::ops::Range;
use std::panic::Location;

/// Samples in a batch of evaluation or prediction: large enough to be fast. No prediction depends on it, nor any number
/// but a loss of which some steps do not count: that is a mean of the means of batches.
pub(crate) const EVALUATION_BATCH: usize = 1024;

/// What one pass over the data works with.
#[derive(Clone, Copy)]
struct Pass {
    seed: u64,
    /// Whether the batches are drawn at random.
    is_random: bool,
    site: &'static Location<'static>,
    /// The number of the optimizer's steps when the fit began.
    first_iteration: u64,
}

/// Validation data, a batch of them, and which rows of arrays in memory they are.
struct Validation<'a> {
    source: Source<'a>,
    first: Data,
    rows: Range<usize>,
}

pub(crate) fn fit(
    core: &mut Core,
    optimizer: &mut Optimizer,
    source: Source,
    mut options: Fit,
    site: &'static Location<'static>,
) -> Result<History> {
    let result = learn(core, optimizer, source, &mut options, site);
    options.callbacks.profile_done(core);
    result
}

fn learn(
    core: &mut Core,
    optimizer: &mut Optimizer,
    mut source: Source,
    options: &mut Fit,
    site: &'static Location<'static>,
) -> Result<History> {
    let at = |error: Error| error.at(site);
    let first_epoch = core.epochs_trained;
    options.prepare_streams(&mut source).map_err(at)?;
    if options.epochs == 0 && matches!(source, Source::Stream(_)) {
        return Ok(History::new(first_epoch, Vec::new()));
    }
    let marks = Marks::of(core.executor());
    let began = marks.begin();
    let data = source.first(core, first_epoch, Role::Training, site)?;
    marks.input(began, marks::BATCH);
    let training = options.check(data.num_samples()).map_err(at)?;
    optimizer.check().map_err(at)?;
    data.check(Role::Training).map_err(at)?;
    let mut validation = validation_of(core, options, &data, training, site)?;
    let data = match &mut source {
        Source::Memory(memory) => {
            if !options.class_weights.is_empty() {
                let classes = &options.class_weights;
                *memory = core.with_class_weights(&data, classes, &(0..training), site)?;
            }
            memory.check_mass(0..training, Role::Training).map_err(at)?;
            memory.clone()
        }
        Source::Stream(_) => data,
    };
    if options.epochs == 0 {
        return Ok(History::new(first_epoch, Vec::new()));
    }
    let batch_size = match source {
        Source::Memory(_) => options.batch_size.min(training),
        Source::Stream(_) => training,
    };
    if options.head_report {
        core.measure_heads(&data, site, &mut Logs::default())?;
    }
    check_before_first_step(
        core,
        optimizer,
        &data,
        validation.as_ref().map(|validation| &validation.first),
        batch_size,
        site,
    )?;
    if first_epoch == 0 && options.verbosity != Verbosity::Silent {
        warn_of_identical_units(&core.network.variables);
    }
    let mut progress = Progress::new(options.verbosity);
    if progress.has_lines() && !data.sample_weights().is_empty() && matches!(source, Source::Memory(_)) {
        core.masses(&data, &(0..training), site)?.iter().for_each(|mass| progress.note(mass));
    }

    let first_iteration = optimizer.iterations()?;
    let is_random = options.shuffle && matches!(source, Source::Memory(_));
    let pass = Pass { seed: options.seed.unwrap_or(core.seed), is_random, site, first_iteration };
    let rows = if matches!(source, Source::Memory(_)) { training } else { 0 };
    let shuffled = options.shuffle.then_some(pass.seed);
    let mut order = Order::new(rows, batch_size, options.steps_per_epoch, shuffled);
    let steps = match &source {
        Source::Memory(_) => order.steps(),
        Source::Stream(stream) => stream.num_steps(),
    };
    let callbacks = &mut options.callbacks;
    let mut run = Running::new(optimizer, steps, site);
    (run.epoch, run.epochs) = (first_epoch, first_epoch + options.epochs);
    run.verbosity = options.verbosity;
    run.watched.history.first_epoch = first_epoch;
    check_schedule(&run)?;
    warn_of_long_warm_up(&run, &mut progress);
    run.follow_schedule(run.optimizer.iterations()?, run.step)?;
    let watching = Watching { validation: validation.is_some(), others: options.head_report };
    let optimizer_name = run.optimizer.name();
    let schedule = run.optimizer.schedule().map(describe_schedule);
    callbacks.begin(core, &mut run, watching, |core| {
        let apart = validation.as_ref().filter(|_| options.validation_split == 0.0);
        let plan = Plan::new(core, optimizer_name, [Some(&data), apart.map(|validation| &validation.first)])
            .with("samples to learn from", training)
            .with("batch size", batch_size)
            .with("shuffling", options.shuffle)
            .with("seed", pass.seed)
            .with("first epoch", first_epoch);
        let plan = match options.steps_per_epoch {
            Some(steps) => plan.with("steps of an epoch", steps),
            None => plan,
        };
        match schedule {
            Some(schedule) => plan.with("schedule of the learning rate", schedule),
            None => plan,
        }
    })?;
    if !run.stability.watch.begins() {
        let is_known = matches!(source, Source::Memory(_));
        let first = is_known.then(|| Batch::first_of(&data, &mut order, first_epoch));
        run.stability.resume(first, pass);
    }
    // A fit that continues from a backup within an epoch has begun that epoch already.
    while run.epoch < run.epochs && (run.step > 0 || !run.stopped) {
        progress.set(run.verbosity);
        progress.begin(run.epoch, run.epochs, run.steps);
        if run.step == 0 {
            run.logs.clear();
            callbacks.call(Moment::EpochBegin, core, &mut run)?;
        }
        let began = marks.begin();
        let mut steps = Steps::of_training(&mut source, &mut order, (run.epoch, run.step), site)?;
        marks.input(began, steps.fetching());
        train_epoch(core, pass, &mut steps, callbacks, &mut run, &mut progress)?;
        if run.steps == 0 {
            run.steps = steps.count();
        }
        if let Some(Validation { source, rows, .. }) = &mut validation {
            let epoch = run.epoch;
            let steps =
                Steps::of_evaluation(source, rows.clone(), EVALUATION_BATCH, epoch, Role::Validation, site)?;
            evaluate(core, pass, steps, callbacks, &mut run, "val_")?;
        }
        if options.head_report {
            core.measure_heads(&data, site, &mut run.logs)?;
        }
        if run.optimizer.schedule().is_some() {
            run.logs.set("learning_rate", run.optimizer.learning_rate);
        }
        progress.end(run.step, &run.logs);
        core.epochs_trained = run.epoch + 1;
        callbacks.profile_range_done(core);
        callbacks.call(Moment::EpochEnd, core, &mut run)?;
        run.watched.history.epochs.push(run.logs.clone());
        (run.epoch, run.step) = (run.epoch + 1, 0);
        run.follow_schedule(run.optimizer.iterations()?, run.step)?;
        callbacks.epoch_done(core, &mut run)?;
    }
    run.optimizer.assign_averages(&core.network.variables)?;
    callbacks.profile_done(core);
    callbacks.call(Moment::TrainEnd, core, &mut run)?;
    callbacks.done();
    Ok(run.watched.history)
}

/// The validation data of a fit: those given, or those samples of `data` that are not learned from.
fn validation_of<'a>(
    core: &Core,
    options: &mut Fit<'a>,
    data: &Data,
    training: usize,
    site: &'static Location<'static>,
) -> Result<Option<Validation<'a>>> {
    let at = |error: Error| error.at(site);
    let mut validation = match options.validation.take() {
        Some(mut source) => {
            let first = source.first(core, core.epochs_trained, Role::Validation, site)?;
            first.check(Role::Validation).map_err(at)?;
            let rows = 0..first.num_samples();
            Validation { source, first, rows }
        }
        None if training < data.num_samples() => {
            let rows = training..data.num_samples();
            Validation { source: Source::Memory(data.clone()), first: data.clone(), rows }
        }
        None => return Ok(None),
    };
    if let Source::Memory(data) = &validation.source {
        let Range { start, end } = validation.rows;
        validation.rows.end = end.min(start.saturating_add(options.most_validated()));
        data.check_mass(validation.rows.clone(), Role::Validation).map_err(at)?;
    }
    Ok(Some(validation))
}

/// Traces the first step, so that mistakes in the model and in the targets come before any output and any change.
fn check_before_first_step(
    core: &mut Core,
    optimizer: &mut Optimizer,
    data: &Data,
    validation: Option<&Data>,
    batch_size: usize,
    site: &'static Location<'static>,
) -> Result {
    let program = core.training_program(batch_size, data, optimizer, site)?;
    program.check_inputs(data.inputs()).map_err(|error| error.at(site))?;
    core.check_targets(&program, data.targets()).map_err(|error| error.at(site))?;
    core.keep(program);
    let Some(validation) = validation else { return Ok(()) };
    let rows = EVALUATION_BATCH.min(validation.num_samples());
    let program = core.evaluation_program(rows, validation, site)?;
    let checked = program.check_inputs(validation.inputs());
    let checked = checked.and_then(|()| core.check_targets(&program, validation.targets()));
    checked.map_err(|error| error.at(site).note("in the validation data"))?;
    core.keep(program);
    Ok(())
}

/// One pass of training through the samples.
fn train_epoch(
    core: &mut Core,
    pass: Pass,
    steps: &mut Steps,
    callbacks: &mut Callbacks,
    run: &mut Running,
    progress: &mut Progress,
) -> Result {
    if run.step == 0 {
        core.reset_totals()?;
        run.samples = 0;
    }
    let mut no_feeds: Vec<Feed<'static>> = Vec::new();
    let mut current: Option<Prepared> = None;
    let mut iteration = run.optimizer.iterations()?;
    let (watched, backed_up) = (callbacks.want_batches(), callbacks.back_up_steps());
    let wants_gradients = callbacks.want_gradients(run.epoch);
    let (marks, profiled) = (Marks::of(core.executor()), callbacks.are_profiled());
    let was_over = run.stopped && run.step > 0;
    let (mut failure, mut first_batch) = (None, None);
    let (mut unseen, mut to_glance) = (0, callbacks.steps_to_glance());
    loop {
        if was_over {
            break;
        }
        let number = iteration.saturating_sub(pass.first_iteration) as usize;
        if profiled {
            callbacks.profile_step(core, number)?;
        }
        let began = marks.begin();
        if !steps.advance(core)? {
            break;
        }
        marks.input(began, steps.fetching());
        if watched {
            callbacks.call(Moment::BatchBegin, core, run)?;
        }
        let rows = steps.num_rows();
        // Only a callback can freeze a layer between two batches.
        let is_stale = |program: &Prepared| {
            program.key.rows != rows || core.dynamic || (watched && !core.is_current(program, run.optimizer))
        };
        if current.as_ref().is_none_or(is_stale) {
            core.keep_if_any(current.take());
            current = Some(core.training_program(rows, steps.data(), run.optimizer, pass.site)?);
        }
        let Some(program) = &mut current else { continue };
        if steps.are_streamed() {
            let looked = marks.begin();
            check_batch(core, program, steps, run, pass.site)?;
            marks.input(looked, marks::CHECK);
        }
        if wants_gradients && first_batch.is_none() {
            first_batch = Some(Batch::of(steps));
        }
        if began.is_some() {
            program.describe(&marks);
        }
        if run.stability.watch.begins() {
            run.stability.begin(core, steps, pass);
        }
        run.optimizer.synchronize().map_err(|error| error.at(pass.site))?;
        let mut feeds = emptied(no_feeds);
        feeds.extend(program.feeds.iter().map(|&place| steps.feed(place)));
        let bindings = Bindings {
            inputs: &feeds,
            captured: &program.graph.captured,
            variables: &program.graph.variables,
            seed: pass.seed,
            step: iteration,
        };
        let outcome = program.session.run(&bindings)?;
        let loss = program.session.number(0);
        run.batch_loss = Some(loss);
        match outcome {
            Outcome::Completed => {}
            Outcome::Guarded => {
                let unstable = run.stability.sees_non_finite(loss);
                let unstable = unstable.map(|found| run.note_instability(found).to_string());
                callbacks.call(Moment::NonFiniteLoss, core, run)?;
                if !run.stopped {
                    if steps.are_streamed() {
                        steps.data().check(Role::Training).map_err(|e| in_step(e, run, pass.site))?;
                    }
                    let error = explain_non_finite(core, program, &bindings, run, pass.site);
                    return Err(unstable.into_iter().fold(error, Error::note));
                }
                failure = Some(loss);
                break;
            }
        }
        no_feeds = emptied(feeds);
        if let Some(found) = run.stability.look(core, loss) {
            progress.warn(&format!("warning: {}", run.note_instability(found)));
        }
        iteration += 1;
        run.samples += rows;
        unseen += 1;
        run.follow_schedule(iteration, run.step + 1)?;
        if watched {
            core.results_into(&mut run.logs, "")?;
            callbacks.call(Moment::BatchEnd, core, run)?;
        }
        if unseen == to_glance {
            core.results_into(&mut run.logs, "")?;
            callbacks.glance(core, run)?;
            (unseen, to_glance) = (0, callbacks.steps_to_glance());
        }
        run.step += 1;
        if backed_up {
            callbacks.step_done(core, run)?;
        }
        progress.step(run.step, || {
            let mut logs = Logs::default();
            // A number that cannot be had is not drawn; the end of the epoch reports why.
            let _ = core.results_into(&mut logs, "");
            logs
        });
        marks.step(began, StepKind::Training, number, rows);
        if run.stopped {
            break;
        }
    }
    core.keep_if_any(current);
    core.results_into(&mut run.logs, "")?;
    run.gradients = match &first_batch {
        Some(batch) => core.gradients(batch, (pass.seed, iteration), pass.site)?,
        None => Vec::new(),
    };
    if let Some(loss) = failure {
        run.logs.set("loss", loss);
    }
    Ok(())
}

/// Whether tables have the ids of a batch that has just come, and losses can make sense of its targets, as is checked of
/// arrays in memory before the first step.
fn check_batch(
    core: &Core,
    program: &Prepared,
    steps: &Steps,
    run: &Running,
    site: &'static Location<'static>,
) -> Result {
    let checked = program.check_inputs(steps.data().inputs());
    let checked = checked.and_then(|()| core.check_targets(program, steps.data().targets()));
    checked.map_err(|error| in_step(error, run, site))
}

/// An error about the data of the step that is being taken.
fn in_step(error: Error, run: &Running, site: &'static Location<'static>) -> Error {
    error.at(site).note(format!("in batch {} of epoch {}", run.step + 1, run.epoch + 1))
}

/// Adds the numbers for the samples of these steps to the logs.
fn evaluate(
    core: &mut Core,
    pass: Pass,
    mut steps: Steps,
    callbacks: &mut Callbacks,
    run: &mut Running,
    prefix: &str,
) -> Result {
    // Within a fit, the place in the epoch is kept.
    let place = (run.step, run.steps);
    (run.step, run.steps) = (0, steps.count());
    callbacks.call(Moment::EvaluateBegin, core, run)?;
    let watched = callbacks.want_batches();
    core.reset_totals()?;
    let marks = Marks::of(core.executor());
    let mut no_feeds: Vec<Feed<'static>> = Vec::new();
    let mut current: Option<Prepared> = None;
    let (mut unseen, mut to_glance) = (0, callbacks.steps_to_glance());
    loop {
        let began = marks.begin();
        if !steps.advance(core)? {
            break;
        }
        marks.input(began, steps.fetching());
        if watched {
            callbacks.call(Moment::EvaluateBatchBegin, core, run)?;
        }
        let rows = steps.num_rows();
        if current.as_ref().is_none_or(|program| program.key.rows != rows || core.dynamic) {
            core.keep_if_any(current.take());
            current = Some(core.evaluation_program(rows, steps.data(), pass.site)?);
            if run.step == 0 {
                // The first trace of a model makes its totals.
                core.reset_totals()?;
            }
        }
        let Some(program) = &mut current else { continue };
        if steps.are_streamed() {
            let looked = marks.begin();
            check_batch(core, program, &steps, run, pass.site)?;
            marks.input(looked, marks::CHECK);
        }
        if began.is_some() {
            program.describe(&marks);
        }
        let mut feeds = emptied(no_feeds);
        feeds.extend(program.feeds.iter().map(|&place| steps.feed(place)));
        let captured = &program.graph.captured;
        let variables = &program.graph.variables;
        let step = run.step as u64;
        program.session.run(&Bindings { inputs: &feeds, captured, variables, seed: pass.seed, step })?;
        no_feeds = emptied(feeds);
        if watched {
            core.results_into(&mut run.logs, prefix)?;
            callbacks.call(Moment::EvaluateBatchEnd, core, run)?;
        }
        marks.step(began, StepKind::Evaluation, run.step, rows);
        unseen += 1;
        if unseen == to_glance {
            core.results_into(&mut run.logs, prefix)?;
            callbacks.glance(core, run)?;
            (unseen, to_glance) = (0, callbacks.steps_to_glance());
        }
        run.step += 1;
    }
    core.keep_if_any(current);
    core.results_into(&mut run.logs, prefix)?;
    (run.step, run.steps) = place;
    callbacks.call(Moment::EvaluateEnd, core, run)
}

/// Loss and metrics of the model on samples.
pub(crate) fn evaluate_all(
    core: &mut Core,
    optimizer: &mut Optimizer,
    mut source: Source,
    mut callbacks: Callbacks,
    site: &'static Location<'static>,
) -> Result<Logs> {
    let data = source.first(core, 0, Role::Use, site)?;
    let all = 0..data.num_samples();
    data.check(Role::Use).map_err(|error| error.at(site))?;
    let rows = match source {
        Source::Memory(_) => {
            data.check_mass(all.clone(), Role::Use).map_err(|error| error.at(site))?;
            EVALUATION_BATCH.min(all.len())
        }
        Source::Stream(_) => all.len(),
    };
    let program = core.evaluation_program(rows, &data, site)?;
    program.check_inputs(data.inputs()).map_err(|error| error.at(site))?;
    core.check_targets(&program, data.targets()).map_err(|error| error.at(site))?;
    core.keep(program);
    let pass = Pass { seed: core.seed, is_random: false, site, first_iteration: 0 };
    let steps = Steps::of_evaluation(&mut source, all, EVALUATION_BATCH, 0, Role::Use, site)?;
    let mut run = Running::new(optimizer, steps.count(), site);
    evaluate(core, pass, steps, &mut callbacks, &mut run, "")?;
    Ok(run.logs)
}

/// Why the loss is not finite: the first operation that was not, its layers, and what usually helps.
fn explain_non_finite(
    core: &Core,
    program: &Prepared,
    bindings: &Bindings,
    run: &Running,
    site: &'static Location<'static>,
) -> Error {
    let loss = program.session.number(0);
    let title = format!("the loss is {loss} in epoch {}, step {}", run.epoch + 1, run.step + 1);
    let error = Error::new("non-finite", title).note("no variable was changed by this step").help(format!(
        "lower the learning rate (it is {:?}), or bring the data to a small range",
        run.optimizer.learning_rate
    ));
    let cause = core.executor().first_non_finite(&program.graph, bindings);
    let Some(instruction) = cause.ok().flatten().and_then(|i| program.graph.instructions.get(i)) else {
        return error.at(site);
    };
    let error = match &instruction.scope {
        Some(layers) => layers.split(" > ").collect::<Vec<_>>().into_iter().rev().fold(error, Error::inside),
        None => error,
    };
    let error = match &instruction.body {
        Body::Read(slot) => {
            let variable = program.graph.variables.get(*slot).map(|v| format!("{v:?}")).unwrap_or_default();
            error.label(format!("{variable} is not finite already: the step before overflowed"))
        }
        Body::Op(op) => error.label(format!("`{}` gave the first value that is not finite", op.name())),
        _ => error.label("the first value that is not finite"),
    };
    error.at(instruction.site.filter(|site| !is_ours(site.file())).unwrap_or(site))
}

/// Whether a source file is one of Carnyx's own, where the user can change nothing.
fn is_ours(file: &str) -> bool {
    file.contains("carnyx-graph")
        || (file.starts_with(file!().trim_end_matches("fit.rs")) && !file.ends_with("tests.rs"))
}
