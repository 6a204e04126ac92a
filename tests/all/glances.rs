//! Callbacks that look at a fit now and then.

use carnyx::prelude::*;

fn data() -> (Array, Array) {
    let x = Array::from_fn([70, 3], |i| (i % 11) as f32 / 11.0);
    let y = Array::from_fn([70, 1], |i| (i % 5) as f32);
    (x, y)
}

fn model() -> Model<Sequential> {
    Sequential::new().then(Dense::new(1)).compile(Sgd::new(0.01), MeanSquaredError).metric(MeanAbsoluteError)
}

/// What was seen: whether it was an evaluation, the batch, the samples so far, the loss.
#[derive(Default)]
struct Watcher {
    after: Option<usize>,
    is_evaluating: bool,
    seen: Vec<(bool, usize, usize)>,
    losses: Vec<f64>,
    stop_at: Option<usize>,
}

impl Callback for Watcher {
    fn on_epoch_begin(&mut self, _: &mut Run) -> Result {
        self.is_evaluating = false;
        Ok(())
    }

    fn on_evaluate_begin(&mut self, _: &mut Run) -> Result {
        self.is_evaluating = true;
        Ok(())
    }

    fn on_glance(&mut self, run: &mut Run) -> Result {
        self.seen.push((self.is_evaluating, run.step, run.num_samples()));
        self.losses.push(run.logs["loss"]);
        if self.stop_at.is_some_and(|stop| self.seen.len() >= stop) {
            run.stop();
        }
        Ok(())
    }

    fn steps_to_glance(&self) -> Option<usize> {
        self.after
    }

    fn wants_batches(&self) -> bool {
        false
    }
}

fn fit<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(10).verbose(Verbosity::Silent)
}

#[test]
fn a_glance_comes_after_so_many_batches() {
    let (x, y) = data();
    let mut watcher = Watcher { after: Some(3), ..Watcher::default() };
    let history = model().fit((&x, &y), fit(2).callback(&mut watcher)).unwrap();
    // Seven batches of ten samples: the counting begins anew with each epoch.
    let epoch = [(false, 2, 30), (false, 5, 60)];
    assert_eq!(watcher.seen, [epoch, epoch].concat());
    assert_eq!(history.epochs.len(), 2);

    let never = &mut Watcher::default();
    assert_eq!(model().fit((&x, &y), fit(2).callback(&mut *never)).unwrap(), history);
    assert!(never.seen.is_empty());
}

#[test]
fn the_numbers_are_those_after_the_batch() {
    let (x, y) = data();
    let mut after_batches = Vec::new();
    let every_batch = carnyx::callbacks::at(carnyx::callbacks::Moment::BatchEnd, |run| {
        after_batches.push(run.logs["loss"]);
        Ok(())
    });
    let mut watcher = Watcher { after: Some(1), ..Watcher::default() };
    model().fit((&x, &y), fit(2).callback(every_batch).callback(&mut watcher)).unwrap();
    assert_eq!(watcher.losses, after_batches);
    assert_eq!(watcher.losses.len(), 14);
}

#[test]
fn an_evaluation_is_glanced_at_too() {
    let (x, y) = data();
    let large = Array::full([3000, 3], 0.5f32);
    let targets = Array::full([3000, 1], 1f32);
    let mut watcher = Watcher { after: Some(2), ..Watcher::default() };
    model().fit((&x, &y), fit(1).validation((&large, &targets)).callback(&mut watcher)).unwrap();
    let evaluated: Vec<_> = watcher.seen.iter().filter(|seen| seen.0).collect();
    // Three batches of up to 1024.
    assert_eq!(evaluated, [&(true, 1, 70)]);
}

#[test]
fn a_fit_can_be_stopped_at_a_glance() {
    let (x, y) = data();
    let mut watcher = Watcher { after: Some(2), stop_at: Some(5), ..Watcher::default() };
    let mut model = model();
    let history = model.fit((&x, &y), fit(9).callback(&mut watcher)).unwrap();
    // Three glances in the first epoch; the fit ends after four batches of the second.
    assert_eq!((history.epochs.len(), model.epochs_trained()), (2, 2));
    assert_eq!(watcher.seen.last(), Some(&(false, 3, 40)));
    assert_eq!(model.optimizer.iterations().unwrap(), 11);
}

#[test]
fn an_error_of_a_glance_ends_the_fit() {
    struct Broken;
    impl Callback for Broken {
        fn on_glance(&mut self, _: &mut Run) -> Result {
            Err(Error::new("view", "there is nobody left to look"))
        }
        fn steps_to_glance(&self) -> Option<usize> {
            Some(0)
        }
    }
    let (x, y) = data();
    let error = model().fit((&x, &y), fit(1).callback(Broken)).unwrap_err();
    assert_eq!(error.code(), "view");
    assert!(error.to_string().contains("in `on_glance` of the callback `Broken`"), "{error}");
}

#[test]
fn callbacks_say_how_much_is_printed() {
    let (x, y) = data();
    let mut seen = Vec::new();
    let look = carnyx::callbacks::at_epoch_end(|run| {
        seen.push(run.verbosity());
        run.set_verbosity(Verbosity::Line);
        run.set_verbosity(Verbosity::Silent);
        Ok(())
    });
    model().fit((&x, &y), fit(2).callback(look)).unwrap();
    assert_eq!(seen, [Verbosity::Silent; 2]);
}
