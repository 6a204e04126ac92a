//! Messages about profiles.

use super::messages::assert_message;
use carnyx::prelude::*;
use carnyx::{Cpu, Profiler};
use std::ops::Range;
use std::sync::Arc;

fn model(cpu: &Arc<Cpu>) -> Model<Sequential> {
    let net = Sequential::new().then(Dense::new(1));
    net.compile(Sgd::new(0.01), MeanSquaredError).on_executor(cpu.clone())
}

/// One epoch of two steps.
fn fit<'a>(model: &mut Model<Sequential>, options: impl FnOnce(Fit<'a>) -> Fit<'a>) -> Result<History> {
    let x = Array::from_fn([64, 4], |i| (i % 7) as f32 - 3.0);
    let y = Array::from_fn([64, 1], |i| (i % 3) as f32);
    model.fit((&x, &y), options(Fit::epochs(1).verbose(Verbosity::Silent)))
}

fn profiled(range: Range<usize>) -> Result<History> {
    fit(&mut model(&Arc::new(Cpu::new(1))), |fit| fit.callback(Profiler::steps(range)))
}

#[test]
#[allow(clippy::reversed_empty_ranges)]
fn ranges_without_steps() {
    assert_message("profile_reversed", profiled(200..100));
    assert_message("profile_empty", profiled(5..5));
}

#[test]
fn steps_that_are_never_reached() -> Result {
    let mut profiler = Profiler::steps(100..200);
    assert_message("profile_no_fit", profiler.profile());
    fit(&mut model(&Arc::new(Cpu::new(1))), |fit| fit.callback(&mut profiler))?;
    assert_message("profile_not_reached", profiler.profile());
    Ok(())
}

#[test]
fn two_profiles_at_once() {
    let cpu = Arc::new(Cpu::new(1));
    let mut model = model(&cpu);
    let two = fit(&mut model, |fit| fit.callback(Profiler::steps(0..1)).callback(Profiler::steps(1..2)));
    assert_message("profile_twice", two);
    let nested = Profiler::record_on(&*cpu, || fit(&mut model, |fit| fit.callback(Profiler::steps(0..1))));
    assert_message("profile_in_a_profile", nested);
    let block = Profiler::record_on(&*cpu, || Profiler::record_on(&*cpu, || Ok(())));
    assert_message("profile_nested", block);
    // A mistake leaves nothing under way.
    assert!(Profiler::record_on(&*cpu, || fit(&mut model, |fit| fit)).is_ok());
}
