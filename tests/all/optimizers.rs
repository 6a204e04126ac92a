//! Optimizers at work: each learns, options do what they say, penalties and bounds are where they belong.

use carnyx::optimizers::{Adadelta, Adafactor, Adagrad, Adamax, Ftrl, Lamb, Lion, Muon, Nadam};
use carnyx::prelude::*;
use carnyx::{Cpu, regularizers};
use carnyx_graph::Graph;
use std::sync::Arc;

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).verbose(Verbosity::Silent)
}

fn numbers(shape: &[usize], seed: usize) -> Array {
    Array::from_fn(shape, |i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0)
}

fn bits(model: &Model<Sequential>) -> Vec<Vec<u32>> {
    let values = model.variables().into_iter().map(|variable| variable.value().unwrap().values());
    values.map(|values| values.iter().map(|value: &f32| value.to_bits()).collect()).collect()
}

fn network() -> Sequential {
    Sequential::new().then(Dense::new(8).activation(Tanh)).then(Dense::new(2))
}

#[test]
fn each_optimizer_learns() -> Result {
    let x = numbers(&[64, 3], 1);
    let y = Array::from_fn([64, 2], |i| {
        let row = |j| x.element(i / 2 * 3 + j);
        (if i % 2 == 0 { row(0) - 2.0 * row(1) } else { row(0) * row(2) + 0.5 }) as f32
    });
    let optimizers: Vec<Optimizer> = vec![
        Sgd::new(0.1).momentum(0.9).into(),
        Adam::new(0.01).into(),
        AdamW::new(0.01).into(),
        RmsProp::new(0.005).into(),
        Adagrad::new(0.1).into(),
        Adadelta::new(20.0).into(),
        Adamax::new(0.02).into(),
        Nadam::new(0.01).into(),
        Ftrl::new(0.2).into(),
        Lion::new(0.003).into(),
        Lamb::new(0.02).into(),
        Adafactor::new(0.1).into(),
        Muon::new(0.02).into(),
    ];
    let mut slow = Vec::new();
    for optimizer in optimizers {
        let name = optimizer.name();
        let mut model = network().compile(optimizer, MeanSquaredError);
        let before = model.evaluate((&x, &y))?["loss"];
        model.fit((&x, &y), quiet(60).batch_size(16))?;
        let after = model.evaluate((&x, &y))?["loss"];
        println!("{name}: from {before} to {after}");
        assert!(before > 0.5);
        slow.extend((after > 0.1).then_some((name, after)));
    }
    assert!(slow.is_empty(), "{slow:?}");
    Ok(())
}

#[test]
fn without_options_a_step_is_its_rule_and_nothing_else() -> Result {
    let weight = Variable::from(numbers(&[3, 2], 1));
    let loss = Tensor::from(&numbers(&[4, 3], 2)).matmul(Tensor::read(&weight)).square().sum();
    let gradients = loss.gradients(std::slice::from_ref(&weight));
    let mut optimizer = Optimizer::from(Sgd::new(0.1));
    let updates = optimizer.update(&gradients);
    let [iterations, rate] = &optimizer.variables()[..] else { panic!("there are no slots") };
    let by_hand = [
        (weight.clone(), Tensor::read(&weight) - gradients.of(&weight).unwrap() * Tensor::read(rate)),
        (iterations.clone(), Tensor::read(iterations) + 1i64),
    ];
    let printed =
        |pairs: &[(Variable, Tensor)]| Ok(Graph::capture(std::slice::from_ref(&loss), pairs)?.to_string());
    assert_eq!(printed(updates.pairs())?, printed(&by_hand)?);
    Ok(())
}

#[test]
fn batches_that_are_accumulated_are_one_large_batch() -> Result {
    let (x, y) = (numbers(&[32, 3], 1), numbers(&[32, 2], 2));
    let mut small = network().compile(Adam::new(0.01).gradient_accumulation_steps(4), MeanSquaredError);
    let mut large = network().compile(Adam::new(0.01), MeanSquaredError);
    small.fit((&x, &y), quiet(5).batch_size(8).shuffle(false))?;
    large.fit((&x, &y), quiet(5).batch_size(32).shuffle(false))?;
    let (ours, theirs) = (small.predict(&x)?, large.predict(&x)?);
    for i in 0..ours.len() {
        assert!(
            (ours.element(i) - theirs.element(i)).abs() < 2e-5,
            "{} {}",
            ours.element(i),
            theirs.element(i)
        );
    }
    // Nothing moves before the last batch of a step, the optimizer's memory included.
    let memory = |model: &Model<Sequential>| -> Vec<Array> {
        let slots = model.optimizer.variables().into_iter();
        let moments = slots.filter(|slot| slot.path().is_some_and(|path| path.contains("/velocity/")));
        moments.map(|slot| slot.value().unwrap()).collect()
    };
    let (weights, slots) = (bits(&small), memory(&small));
    assert_eq!(slots.len(), 4);
    small.fit((&x, &y), quiet(3).batch_size(32))?;
    assert_eq!((bits(&small), memory(&small)), (weights.clone(), slots));
    small.fit((&x, &y), quiet(1).batch_size(32))?;
    assert_ne!(bits(&small), weights);
    Ok(())
}

#[test]
fn options_have_the_same_bits_for_any_number_of_threads() -> Result {
    let (x, y) = (numbers(&[96, 40], 1), numbers(&[96, 8], 2));
    let fitted = |threads: usize, optimizer: Optimizer| {
        let hidden = Dense::new(64).activation(Tanh).kernel_regularizer(L2::new(1e-3));
        let hidden = hidden.kernel_constraint(MaxNorm::new(0.9)).activity_regularizer(L1::new(1e-3));
        let net = Sequential::new().then(hidden).then(Dense::new(8));
        let mut model = net.compile(optimizer, MeanSquaredError).on_executor(Arc::new(Cpu::new(threads)));
        model.fit((&x, &y), quiet(3).batch_size(20)).map(|_| bits(&model))
    };
    let optimizers: [fn() -> Optimizer; 3] = [
        || Adam::new(0.01).gradient_accumulation_steps(3).global_clip_norm(0.1).weight_decay(0.1),
        || Muon::new(0.01).moving_average(0.9).overwrite_with_average_every(4).clip_norm(0.1),
        || Adafactor::new(0.1).gradient_accumulation_steps(2).clip_value(0.01),
    ];
    for optimizer in optimizers {
        let expected = fitted(1, optimizer())?;
        for threads in [2, 3] {
            assert!(fitted(threads, optimizer())? == expected, "{threads} threads");
        }
    }
    Ok(())
}

#[test]
fn the_loss_is_the_weighted_losses_and_the_penalties() -> Result {
    let input = Tensor::input("x", [3]);
    let hidden = Dense::new(4).kernel_regularizer(L2::new(0.1)).activity_regularizer(L1::new(0.05));
    let h = hidden.clone().named("hidden").apply(&input);
    let aux = Dense::new(1).bias_regularizer(L1::new(0.3)).bias_initializer(Ones);
    let (a, b) = (Dense::new(1).apply(&h), aux.named("second").apply(&h));
    let net = Functional::new(&input, [("main", &a), ("aux", &b)])?;
    let objective = [MeanSquaredError.on("main").weight(0.75), MeanSquaredError.on("aux").weight(0.25)];
    let mut model = net.compile(Sgd::new(0.1), objective).metric(MeanAbsoluteError);
    let (x, y) = (numbers(&[8, 3], 1), numbers(&[8, 1], 2));
    let logs = model.evaluate((&x, [("main", &y), ("aux", &y)]))?;

    let (x, y) = (Tensor::from(&x), Tensor::from(&y));
    let outputs = model.predict_all(&x.eval()?)?;
    let loss = |i: usize| MeanSquaredError.of(&y, &Tensor::from(&outputs[i]));
    let weight = |path: &str| {
        let named = model.named_variables().into_iter().find(|(known, _)| known == path);
        Tensor::read(&named.unwrap_or_else(|| panic!("no {path}")).1)
    };
    let activity = hidden.call(&x).abs().sum() * 0.05 / 8.0;
    let total = loss(0) * 0.75 + loss(1) * 0.25 + activity;
    let total =
        total + weight("hidden/kernel").square().sum() * 0.1 + weight("second/bias").abs().sum() * 0.3;
    assert_eq!(logs["loss"], total.eval()?.item()?);
    assert_eq!(logs["main_loss"], loss(0).eval()?.item()?);
    assert_eq!(logs["aux_loss"], loss(1).eval()?.item()?);
    let absolute = (&y - Tensor::from(&outputs[0])).abs().mean().eval()?.item()?;
    assert!((logs["main_mean_absolute_error"] - absolute).abs() < 1e-6);
    Ok(())
}

#[test]
fn penalties_count_once_for_weights_and_at_each_use_for_outputs() -> Result {
    let x = numbers(&[8, 3], 1);
    let shared = Dense::new(3).kernel_regularizer(L2::new(0.1)).activity_regularizer(L2::new(0.2));
    let net = Sequential::new().then(shared.clone()).then(shared.clone());
    let mut model = net.compile(Sgd::new(0.1), MeanSquaredError);
    let data = (&x, &Array::zeros([8, 3], DType::F32));
    let total = |model: &mut Model<Sequential>| model.evaluate(data).map(|logs| logs["loss"]);

    let once = shared.call(&Tensor::from(&x));
    let twice = shared.call(&once);
    let (once, twice) = (once.square().sum(), twice.square().sum());
    let found = total(&mut model)?;
    let square = Tensor::read(shared.kernel()).square().sum() * 0.1;
    let expected = (&twice / 24.0 + (once + &twice) * (0.2 / 8.0)).eval()?.item()?;
    let square = square.eval()?.item()?;
    assert!((found - expected - square).abs() < 1e-5, "{found} {expected} {square}");
    // What is not trained is not penalized; a program that was made before must not be taken for this one.
    model.freeze();
    let frozen = total(&mut model)?;
    assert!((frozen - expected).abs() < 1e-5, "{frozen} {expected}");
    model.unfreeze();
    assert_eq!(total(&mut model)?, found);
    Ok(())
}

#[test]
fn own_loops_ask_for_penalties() -> Result {
    let dense = Dense::new(2).kernel_regularizer(L2::new(0.5)).kernel_constraint(NonNeg);
    let x = Tensor::from(&numbers(&[8, 3], 1));
    let loss = dense.apply(&x).square().mean();
    carnyx::initialize(&dense.variables(), 1)?;
    let penalty = regularizers::penalty(&dense.variables());
    let mut optimizer = Optimizer::from(Sgd::new(0.1));
    let gradients = (&loss + &penalty).gradients(&dense.trainable());
    let before = penalty.eval()?.item()?;
    loss.eval_with(optimizer.update(&gradients))?;
    assert!(penalty.eval()?.item()? < before);
    assert!(dense.kernel().value()?.values().iter().all(|weight: &f32| *weight >= 0.0));
    assert_eq!(regularizers::penalty(&[]).eval()?.item()?, 0.0);
    Ok(())
}

#[test]
fn averages_take_the_place_of_weights_at_the_end() -> Result {
    let (x, y) = (numbers(&[32, 3], 1), numbers(&[32, 2], 2));
    let mut model = network().compile(Sgd::new(0.1).moving_average(0.9), MeanSquaredError);
    model.fit((&x, &y), quiet(3).batch_size(8))?;
    for variable in model.variables() {
        let average = model.optimizer.average(&variable).expect("a step was made");
        assert_eq!(variable.value()?, average.value()?);
    }
    // A layer that is thawed later has averages of its weights, not of zeros before them.
    let mut thawed = network().compile(Sgd::new(1e-6).moving_average(0.9), MeanSquaredError);
    thawed.layer("dense").expect("the first layer").variables().iter().for_each(|v| v.set_trainable(false));
    thawed.fit((&x, &y), quiet(3).batch_size(8))?;
    thawed.unfreeze();
    let kernel = thawed.variables()[0].value()?;
    thawed.fit((&x, &y), quiet(1).batch_size(8))?;
    let moved = thawed.variables()[0].value()?;
    assert!((0..kernel.len()).all(|i| (kernel.element(i) - moved.element(i)).abs() < 1e-3), "{moved:?}");
    // Within a fit they differ, and can be exchanged.
    let mut differ = false;
    let at_end = carnyx::callbacks::at_epoch_end(|run| {
        let before: Vec<Array> = run.variables().iter().map(Variable::value).collect::<Result<_>>()?;
        let variables = run.variables().to_vec();
        run.optimizer.swap_averages(&variables)?;
        differ |= variables[0].value()? != before[0];
        run.optimizer.swap_averages(&variables)?;
        assert_eq!(variables[0].value()?, before[0]);
        Ok(())
    });
    model.fit((&x, &y), quiet(1).batch_size(8).callback(at_end))?;
    assert!(differ);
    Ok(())
}

#[test]
fn bounds_hold_after_every_step_and_copies_keep_everything() -> Result {
    let (x, y) = (numbers(&[32, 3], 1), numbers(&[32, 2], 2));
    let first = Dense::new(8).kernel_constraint(MaxNorm::new(0.3)).kernel_initializer(HeNormal);
    let net = Sequential::new().then(first).then(Dense::new(2).kernel_constraint(NonNeg));
    let optimizer = Adam::new(0.05).gradient_accumulation_steps(3).moving_average(0.5).weight_decay(0.01);
    let mut model = net.compile(optimizer, MeanSquaredError);
    model.fit((&x, &y), quiet(2).batch_size(8))?;
    let mut fork = model.fork();
    model.fit((&x, &y), quiet(2).batch_size(8))?;
    fork.fit((&x, &y), quiet(2).batch_size(8))?;
    assert_eq!(bits(&fork), bits(&model));
    let mut model = Sequential::new()
        .then(Dense::new(8).kernel_constraint(MaxNorm::new(0.3)).kernel_initializer(HeNormal))
        .then(Dense::new(2).kernel_constraint(NonNeg))
        .compile(Adam::new(0.05), MeanSquaredError);
    model.fit((&x, &y), quiet(2).batch_size(8))?;
    let weights = model.variables();
    let norms = Tensor::read(&weights[0]).square().sum_along(0).sqrt().eval()?;
    assert!(norms.values().iter().all(|norm: &f32| *norm < 0.3 + 1e-5), "{norms:?}");
    assert!(weights[2].value()?.values().iter().all(|weight: &f32| *weight >= 0.0));
    Ok(())
}
