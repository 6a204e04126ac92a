//! Profiles: what is recorded fits together, belongs to the right layers, and names the bottleneck. No test looks at how
//! fast anything is; bottlenecks are made so large that a busy machine changes nothing.

use carnyx::callbacks::{Moment, at, at_epoch_end};
use carnyx::datasets::Stream;
use carnyx::losses::fit_to;
use carnyx::metrics::Tally;
use carnyx::prelude::*;
use carnyx::profile::{Bound, Phase, Profile, Report, Span, Step, StepKind};
use carnyx::{Batch, Cpu, Profiler};
use std::sync::{Arc, Barrier};
use std::thread::sleep;
use std::time::Duration;

/// An executor for one test: each can record one thing at a time.
fn cpu(threads: usize) -> Arc<Cpu> {
    Arc::new(Cpu::new(threads))
}

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent)
}

fn data(samples: usize, features: usize) -> (Array, Array) {
    let x = Array::from_fn([samples, features], |i| (i * 37 % 101) as f32 / 50.0 - 1.0);
    (x, Array::from_fn([samples], |i| (i * 7 % 3) as u8))
}

fn classifier(cpu: &Arc<Cpu>, units: usize) -> Model<Sequential> {
    Sequential::new()
        .then(Dense::new(units).activation(Relu))
        .then(BatchNormalization::new())
        .then(Dense::new(units).activation(Tanh))
        .then(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy)
        .metric(Accuracy)
        .on_executor(cpu.clone())
}

/// Spans of one thread follow one another; those of a step lie in it and leave nothing out.
fn check(profile: &Profile) {
    for thread in 0..profile.threads {
        let own: Vec<&Span> = profile.spans.iter().filter(|span| span.thread == thread).collect();
        for pair in own.windows(2) {
            assert!(pair[0].end() <= pair[1].begin, "{:?} and {:?}", pair[0], pair[1]);
        }
        for (place, step) in profile.steps.iter().enumerate() {
            let inside: Vec<&&Span> = own.iter().filter(|span| span.step == Some(place)).collect();
            assert!(inside.iter().all(|span| step.begin <= span.begin && span.end() <= step.end()));
            let sum: u64 = inside.iter().map(|span| span.duration).sum();
            assert_eq!(sum, step.duration, "thread {thread}, step {place}: {inside:#?}");
        }
    }
    assert!(profile.steps.windows(2).all(|pair| pair[0].end() <= pair[1].begin));
    assert!(profile.spans.iter().all(|span| span.end() <= profile.duration));
}

fn kinds(profile: &Profile, kind: StepKind) -> usize {
    profile.steps.iter().filter(|step| step.kind == kind).count()
}

/// Layers and phases that the model computed in.
fn parts(profile: &Profile) -> Vec<(Option<&str>, Phase)> {
    let computed = profile.spans.iter().filter(|span| span.phase.is_computation());
    let mut parts: Vec<_> = computed.map(|span| (span.layer.as_deref(), span.phase)).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

#[test]
fn spans_fill_their_steps_without_overlap() -> Result {
    for threads in [1, 2, 3] {
        let (cpu, (x, y)) = (cpu(threads), data(512, 40));
        let mut model = classifier(&cpu, 128);
        let fit = quiet(2).batch_size(128).validation((&x, &y));
        let (_, profile) = Profiler::record_on(&*cpu, || model.fit((&x, &y), fit))?;
        check(&profile);
        assert_eq!(profile.threads, threads);
        assert_eq!((kinds(&profile, StepKind::Training), kinds(&profile, StepKind::Evaluation)), (8, 2));
        let numbers = profile.steps.iter().filter(|step| step.kind == StepKind::Training);
        assert!(numbers.map(|step| (step.number, step.rows)).eq((0..8).map(|number| (number, 128))));
        // A fit looks at itself too: whether it is stable takes a program more.
        let of = |kind| profile.programs.iter().filter(move |program| program.kind == kind);
        assert!(of(StepKind::Training).any(|program| program.tasks > 20 && program.rows == 128));
        assert_eq!(of(StepKind::Evaluation).count(), 1);
        assert!(profile.programs.iter().all(|program| program.memory > 0 && program.tasks > 5));
        assert!(profile.machine.is_some());
    }
    Ok(())
}

#[test]
fn tasks_belong_to_layers_and_phases() -> Result {
    let (cpu, (x, y)) = (cpu(2), data(256, 20));
    let mut model = classifier(&cpu, 64);
    let (_, profile) = Profiler::record_on(&*cpu, || model.fit((&x, &y), quiet(1).batch_size(64)))?;
    let found = parts(&profile);
    for layer in ["sequential > dense", "sequential > dense_1", "sequential > dense_2"] {
        for phase in [Phase::Forward, Phase::Backward] {
            assert!(found.contains(&(Some(layer), phase)), "{layer} {phase}: {found:?}");
        }
        let updates = |span: &&Span| {
            let also = span.also.iter().any(|part| part.phase == Phase::Optimizer);
            span.layer.as_deref() == Some(layer) && (span.phase == Phase::Optimizer || also)
        };
        assert!(profile.spans.iter().any(|span| updates(&span)), "{layer}: {found:?}");
    }
    assert!(found.contains(&(None, Phase::Loss)) && found.contains(&(None, Phase::Metrics)), "{found:?}");
    let gathered: Vec<&str> = profile
        .spans
        .iter()
        .filter(|span| span.step == Some(0) && &*span.operation == "gather" && span.thread == 0)
        .map(|span| &*span.name)
        .collect();
    assert_eq!(gathered, ["gather input_0", "gather target_0"]);
    // Each weight gradient and each output is a product of matrices: counted once, however many threads shared it.
    let step = |span: &&Span| span.step == Some(1);
    let flops: u64 =
        profile.spans.iter().filter(step).filter(|span| &*span.operation == "dot").map(|s| s.flops).sum();
    let products = 2 * 64 * (2 * 20 * 64 + 3 * 64 * 64 + 3 * 64 * 3) as u64;
    assert!((products..products + products / 5).contains(&flops), "{flops}, at least {products}");
    Ok(())
}

#[test]
fn models_that_share_a_program_have_their_own_layers() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(64, 6));
    let named = |name: &str| {
        let net = Sequential::new().then(Dense::new(8).activation(Relu).named(name)).then(Dense::new(3));
        net.compile(Sgd::new(0.01), SparseCategoricalCrossentropy.from_logits()).on_executor(cpu.clone())
    };
    let mut models = [(named("eyes"), "eyes"), (named("ears"), "ears")];
    for turn in [0, 1, 0] {
        let (model, name) = &mut models[turn];
        let (_, profile) = Profiler::record_on(&*cpu, || model.fit((&x, &y), quiet(1)))?;
        let mut layers: Vec<_> = profile.spans.iter().filter_map(|span| span.layer.as_deref()).collect();
        layers.sort_unstable();
        layers.dedup();
        assert_eq!(layers, ["sequential > dense", &format!("sequential > {name}")]);
    }
    Ok(())
}

#[test]
fn profiling_changes_no_result() -> Result {
    let (x, y) = data(200, 10);
    let trained = |profiled: bool| -> Result<Vec<Array>> {
        let cpu = cpu(2);
        let mut model = classifier(&cpu, 32);
        let mut profiler = Profiler::steps(3..9);
        let fit = quiet(3).batch_size(32);
        let fit = if profiled { fit.callback(&mut profiler) } else { fit };
        model.fit((&x, &y), fit)?;
        model.variables().iter().map(Variable::value).collect()
    };
    assert_eq!(trained(true)?, trained(false)?);
    Ok(())
}

#[test]
fn some_steps_of_a_fit() -> Result {
    let (cpu, (x, y)) = (cpu(2), data(100, 10));
    let mut model = classifier(&cpu, 16);
    // Epochs of 4 steps: the range begins within the first and ends within the third.
    let mut profiler = Profiler::steps(3..10);
    model.fit((&x, &y), quiet(4).validation((&x, &y)).callback(&mut profiler))?;
    let profile = profiler.profile()?;
    check(profile);
    let training = profile.steps.iter().filter(|step| step.kind == StepKind::Training);
    assert_eq!(training.map(|step| step.number).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(kinds(profile, StepKind::Evaluation), 2);
    // A second fit counts from 0 again, and a fit that ends early gives what there is.
    model.fit((&x, &y), quiet(2).callback(&mut profiler))?;
    assert_eq!(profiler.profile()?.steps.len(), 5);
    Ok(())
}

#[test]
fn predictions_and_values_are_recorded_too() -> Result {
    let (cpu, (x, _)) = (cpu(2), data(2500, 10));
    let model = classifier(&cpu, 16);
    let (_, profile) = Profiler::record_on(&*cpu, || model.predict(&x))?;
    check(&profile);
    assert_eq!(kinds(&profile, StepKind::Prediction), 3);
    let report = profile.report();
    assert_eq!((report.kind, report.steps), (StepKind::Prediction, 3));
    assert!(parts(&profile).iter().all(|(_, phase)| *phase == Phase::Forward));
    Ok(())
}

#[test]
fn a_recording_ends_with_what_it_records() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(64, 6));
    let mut model = classifier(&cpu, 8);
    let failing = || at(Moment::EpochEnd, |_| Err(Error::new("own", "that is enough")));
    assert!(Profiler::record_on(&*cpu, || model.fit((&x, &y), quiet(1).callback(failing()))).is_err());
    let mut profiler = Profiler::steps(0..100);
    assert!(model.fit((&x, &y), quiet(1).callback(&mut profiler).callback(failing())).is_err());
    assert_eq!(profiler.profile()?.steps.len(), 2);
    // Nothing is left under way.
    let (_, profile) = Profiler::record_on(&*cpu, || model.evaluate((&x, &y)))?;
    assert_eq!(profile.steps.len(), 1);
    Ok(())
}

#[test]
fn what_a_callback_computes_is_the_callback() -> Result {
    let (cpu, (x, y)) = (cpu(2), data(64, 6));
    let (mut model, other) = (classifier(&cpu, 8), classifier(&cpu, 16));
    let ask = at(Moment::BatchEnd, |_| other.predict(&x).map(drop));
    let (_, profile) = Profiler::record_on(&*cpu, || model.fit((&x, &y), quiet(2).callback(ask)))?;
    check(&profile);
    assert_eq!((kinds(&profile, StepKind::Training), kinds(&profile, StepKind::Prediction)), (4, 0));
    let called = profile.spans.iter().filter(|span| span.phase == Phase::Callback && span.step.is_some());
    assert_eq!(called.count(), 8); // before and after each batch
    Ok(())
}

#[test]
fn a_fit_goes_on_without_its_profile() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(64, 6));
    let mut model = classifier(&cpu, 8);
    let mut profiler = Profiler::steps(1..2);
    // Somebody else is recording on this executor when the first step of the range begins.
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Profiler::record_on(&*cpu, || {
                begin.wait();
                end.wait();
                Ok(())
            })
        });
        begin.wait();
        let history = model.fit((&x, &y), quiet(1).callback(&mut profiler));
        end.wait();
        history
    })?;
    assert_eq!(profiler.profile().unwrap_err().title(), "a profile is being recorded already");
    Ok(())
}

#[test]
fn a_dynamic_model_is_planned_in_every_step() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(64, 6));
    let mut model = classifier(&cpu, 8).dynamic();
    let (_, profile) = Profiler::record_on(&*cpu, || model.fit((&x, &y), quiet(4).batch_size(8)))?;
    check(&profile);
    let planned = profile.spans.iter().filter(|span| span.phase == Phase::Planning && span.step.is_some());
    assert!(planned.count() >= 31);
    assert_eq!(profile.report().bound, Bound::Planning);
    Ok(())
}

/// What a fit is bound by: recorded, checked, and told in a report that names it.
fn verdict(cpu: &Arc<Cpu>, fit: impl FnOnce() -> Result<History>) -> Result<(Bound, Report)> {
    let (_, profile) = Profiler::record_on(&**cpu, fit)?;
    check(&profile);
    let report = profile.report();
    assert!(report.to_string().contains("\nTry: "), "{report}");
    Ok((report.bound.clone(), report))
}

#[test]
fn a_slow_reader_is_named() -> Result {
    let (cpu, (x, y)) = (cpu(2), data(64, 6));
    let mut model = classifier(&cpu, 8);
    let batch = move |_| {
        sleep(Duration::from_millis(20));
        Ok(Batch::from((x.clone(), y.clone())))
    };
    let batches = Stream::each_epoch(move |_| Ok((0..10).map(batch.clone())));
    let (bound, report) = verdict(&cpu, || model.fit(&batches, quiet(1)))?;
    assert_eq!(bound, Bound::Input, "{report}");
    assert!(report.to_string().contains("Try: `.prefetch(2)`"), "{report}");
    // A thread that reads ahead can do no more than the source.
    let (bound, report) = verdict(&cpu, || model.fit(batches.prefetch(2), quiet(1)))?;
    assert_eq!(bound, Bound::Input, "{report}");
    assert!(report.to_string().contains("Try: more threads"), "{report}");
    Ok(())
}

#[test]
fn a_huge_layer_is_named() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(256, 512));
    let net = Sequential::new()
        .then(Dense::new(16).activation(Relu))
        .then(Dense::new(512).activation(Relu))
        .then(Dense::new(1024).activation(Relu).named("huge"))
        .then(Dense::new(3).activation(Softmax));
    let mut model = net.compile(Sgd::new(0.01), SparseCategoricalCrossentropy).on_executor(cpu.clone());
    let (bound, report) = verdict(&cpu, || model.fit((&x, &y), quiet(4).batch_size(128)))?;
    assert_eq!(bound, Bound::Layer("sequential > huge".into()), "{report}");
    Ok(())
}

#[test]
fn tiny_batches_are_named() -> Result {
    for threads in [1, 2] {
        let (cpu, (x, y)) = (cpu(threads), data(300, 4));
        let net =
            Sequential::new().then(Dense::new(4).activation(Relu)).then(Dense::new(3).activation(Softmax));
        let mut model = net.compile(Sgd::new(0.01), SparseCategoricalCrossentropy).on_executor(cpu.clone());
        let (bound, report) = verdict(&cpu, || model.fit((&x, &y), quiet(2).batch_size(1)))?;
        assert_eq!(bound, Bound::SmallBatch, "{report}");
        assert!(report.to_string().contains("`.batch_size(4)`"), "{report}");
    }
    Ok(())
}

/// A number that costs far more than the model.
struct Costly;

impl Metric for Costly {
    fn name(&self) -> String {
        "costly".into()
    }

    fn update(&self, tally: &mut Tally, target: &Tensor, prediction: &Tensor) {
        let error = prediction - fit_to(target, prediction).cast(DType::F32);
        let mut wide = error.matmul(Tensor::full([1, 512], 0.1f32));
        for _ in 0..6 {
            wide = wide.matmul(Tensor::full([512, 512], 0.01f32)).tanh();
        }
        tally.add_mean(&wide.mean_along(-1));
    }
}

#[test]
fn a_costly_metric_is_named() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(256, 6));
    let net = Sequential::new().then(Dense::new(8).activation(Relu)).then(Dense::new(1));
    let mut model = net.compile(Sgd::new(0.01), MeanSquaredError).metric(Costly).on_executor(cpu.clone());
    let (bound, report) = verdict(&cpu, || model.fit((&x, &y), quiet(2).batch_size(64)))?;
    assert_eq!(bound, Bound::Metrics, "{report}");
    Ok(())
}

#[test]
fn slow_callbacks_are_named() -> Result {
    let (cpu, (x, y)) = (cpu(2), data(128, 6));
    let mut model = classifier(&cpu, 8);
    let pause = |_: &mut Run| {
        sleep(Duration::from_millis(15));
        Ok(())
    };
    let (bound, report) =
        verdict(&cpu, || model.fit((&x, &y), quiet(2).callback(at(Moment::BatchEnd, pause))))?;
    assert!(matches!(&bound, Bound::Callback(name) if name.ends_with("::on_batch_end")), "{report}");
    assert!(report.to_string().contains("or only every hundredth batch"), "{report}");
    let (bound, report) = verdict(&cpu, || model.fit((&x, &y), quiet(9).callback(at_epoch_end(pause))))?;
    assert!(matches!(&bound, Bound::Callback(name) if name.ends_with("::on_epoch_end")), "{report}");
    Ok(())
}

#[test]
fn long_validation_is_named() -> Result {
    let (cpu, (x, y)) = (cpu(1), data(8192, 64));
    let mut model = classifier(&cpu, 64);
    let (few, answers) = (x.rows(0..64)?, y.rows(0..64)?);
    let (bound, report) = verdict(&cpu, || model.fit((&few, &answers), quiet(3).validation((&x, &y))))?;
    assert_eq!(bound, Bound::Validation, "{report}");
    Ok(())
}

#[test]
fn verdicts_on_made_profiles() {
    let span = |thread: usize, phase, layer: &str, begin: u64, duration: u64| Span {
        thread,
        phase,
        layer: (!layer.is_empty()).then(|| layer.into()),
        begin,
        duration,
        step: Some(0),
        ..Span::named("dot")
    };
    let made = |spans: Vec<Span>| {
        let duration = spans.iter().filter(|span| span.thread == 0).map(|span| span.duration).sum();
        let steps = vec![Step { rows: 32, duration, ..Step::default() }];
        Profile { threads: 2, duration, steps, spans, ..Profile::default() }.report()
    };
    // A thread that loses its core in a tiny step says nothing of the others.
    let step = |place: usize| Step {
        number: place,
        rows: 1,
        begin: 1_000 * place as u64,
        duration: 800,
        ..Step::default()
    };
    let task = |place: usize| Span {
        duration: if place == 4 { 4_000_000 } else { 400 },
        step: Some(place),
        ..span(0, Phase::Forward, "a", 1_000 * place as u64, 0)
    };
    let (steps, spans) = ((0..5).map(step).collect(), (0..5).map(task).collect());
    let interrupted = Profile { threads: 1, steps, spans, ..Profile::default() };
    assert_eq!(interrupted.report().bound, Bound::SmallBatch);
    // Threads that wait for one another.
    let waiting = made(vec![
        span(0, Phase::Forward, "a", 0, 60_000),
        span(0, Phase::Waiting, "a", 60_000, 40_000),
        span(1, Phase::Forward, "a", 0, 90_000),
    ]);
    assert_eq!(waiting.bound, Bound::Waiting);
    // Two layers of one size: no layer is to blame.
    let even = made(vec![
        span(0, Phase::Forward, "a", 0, 60_000),
        span(0, Phase::Backward, "b", 60_000, 50_000),
        span(1, Phase::Forward, "a", 0, 100_000),
    ]);
    assert_eq!(even.bound, Bound::Computation);
    assert_eq!(Profile::default().report().bound, Bound::Nothing);
    assert!(Profile::default().report().to_string().contains("Nothing was recorded."));
}

/// A step of two layers, on a machine that is known.
#[test]
fn the_report_in_words() {
    let span = |thread: usize, name: &str, layer: &str, phase, (begin, duration): (u64, u64)| Span {
        thread,
        phase,
        layer: (!layer.is_empty()).then(|| layer.into()),
        begin,
        duration,
        step: Some(0),
        ..Span::named(name)
    };
    let product = |span: Span, flops, bytes| Span { flops, bytes, ..span };
    let (hidden, scores) = ("sequential > dense", "sequential > dense_1");
    let spans = vec![
        span(0, "gather input_0", "", Phase::Input, (0, 12_000)),
        product(span(0, "dot + add", hidden, Phase::Forward, (12_000, 40_000)), 4_000_000, 900_000),
        span(0, "wait", hidden, Phase::Waiting, (52_000, 2_000)),
        product(span(0, "dot", scores, Phase::Forward, (54_000, 8_000)), 300_000, 40_000),
        span(0, "log_softmax", "", Phase::Loss, (62_000, 3_000)),
        product(span(0, "dot + mul + sub", hidden, Phase::Backward, (65_000, 80_000)), 8_000_000, 2_100_000),
        span(0, "element-wise", "", Phase::Metrics, (145_000, 4_000)),
        span(0, "loop", "", Phase::Loop, (149_000, 1_000)),
        product(span(1, "dot + add", hidden, Phase::Forward, (12_000, 42_000)), 4_000_000, 900_000),
        product(span(1, "dot + mul + sub", hidden, Phase::Backward, (65_000, 79_000)), 8_000_000, 2_100_000),
    ];
    let profile = Profile {
        threads: 2,
        duration: 150_000,
        steps: vec![Step { rows: 32, duration: 150_000, ..Step::default() }],
        spans,
        programs: vec![carnyx::profile::Program { memory: 1_500_000, ..Default::default() }],
        machine: Some(carnyx::profile::Machine { flops_per_second: 300e9, bytes_per_second: 40e9 }),
    };
    carnyx_tests::assert_golden("profile_report", &format!("{}\n", profile.report()));
}
