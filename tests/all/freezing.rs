//! Batch normalisation that is frozen and thawed while a model trains, without a new `compile`.

use carnyx::BatchNormalization;
use carnyx::prelude::*;

fn data() -> (Array, Array) {
    (
        Array::from_fn([32, 3], |i| (i * 37 % 101) as f32 / 20.0 + 1.0),
        Array::from_fn([32, 1], |i| (i * 53 % 11) as f32 / 5.0),
    )
}

fn quiet<'a>(epochs: usize) -> Fit<'a> {
    Fit::epochs(epochs).batch_size(16).shuffle(false).verbose(Verbosity::Silent)
}

/// The layer, and a model around it.
fn model(layer: BatchNormalization) -> (BatchNormalization, Model<Sequential>) {
    let net = Sequential::new().then(Input::new([3])).then(layer.clone()).then(Dense::new(1));
    (layer, net.compile(Sgd::new(0.05), MeanSquaredError))
}

fn averages(layer: &BatchNormalization) -> Result<(Array, Array)> {
    Ok((layer.moving_mean().value()?, layer.moving_variance().value()?))
}

/// Freezes or thaws a layer at the end of an epoch.
struct Freezer {
    layer: BatchNormalization,
    freeze_after: usize,
    thaw_after: usize,
    seen: Vec<(Array, Array)>,
}

impl Callback for Freezer {
    fn on_epoch_end(&mut self, run: &mut Run) -> Result {
        self.seen.push(averages(&self.layer)?);
        if run.epoch == self.freeze_after {
            self.layer.freeze();
        }
        if run.epoch == self.thaw_after {
            self.layer.unfreeze();
        }
        Ok(())
    }
}

#[test]
fn a_callback_freezes_and_thaws_averages_in_the_middle_of_a_fit() -> Result {
    let (x, y) = data();
    for layer in [BatchNormalization::new(), BatchNormalization::new().without_center().without_scale()] {
        let (layer, mut model) = model(layer);
        let mut freezer = Freezer { layer, freeze_after: 1, thaw_after: 3, seen: Vec::new() };
        model.fit((&x, &y), quiet(5).callback(&mut freezer))?;
        let seen = &freezer.seen;
        assert_ne!(seen[0], seen[1], "it learns at first");
        assert_eq!((&seen[1], &seen[1]), (&seen[2], &seen[3]), "frozen averages stay");
        assert_ne!(seen[3], seen[4], "it learns again");
    }
    Ok(())
}

#[test]
fn between_fits_a_frozen_layer_turns_to_its_averages() -> Result {
    let (x, y) = data();
    let (layer, mut model) = model(BatchNormalization::new().momentum(0.5));
    model.fit((&x, &y), quiet(2))?;
    let training = Tensor::from(&x).in_mode(Mode::Training);
    let inference = Tensor::from(&x).in_mode(Mode::Inference);
    assert_ne!(layer.copied().apply(&training).eval()?, layer.apply(&inference).eval()?);
    layer.freeze();
    assert_eq!(layer.apply(&training).eval()?, layer.apply(&inference).eval()?);

    let before = (averages(&layer)?, layer.variables()[0].value()?);
    // With all samples in one batch, the loss of a step is what evaluation says.
    let expected = model.evaluate((&x, &y))?["loss"];
    let history = model.fit((&x, &y), quiet(1).batch_size(32))?;
    assert!((history.last("loss").unwrap() - expected).abs() < 1e-6);
    assert_eq!((averages(&layer)?, layer.variables()[0].value()?), before);

    layer.unfreeze();
    model.fit((&x, &y), quiet(1))?;
    assert_ne!(averages(&layer)?, before.0);
    Ok(())
}

#[test]
fn what_is_frozen_stays_frozen_in_files() -> Result {
    let (x, y) = data();
    for layer in [BatchNormalization::new(), BatchNormalization::new().without_center().without_scale()] {
        for ending in ["keras", "h5"] {
            let folder = crate::saving::Folder::new(&format!("freezing-{ending}"));
            let (layer, mut model) = model(layer.copied());
            model.fit((&x, &y), quiet(1))?;
            layer.freeze();
            model.save(folder.path(&format!("model.{ending}")))?;
            let mut loaded = carnyx::load(folder.path(&format!("model.{ending}")))?;
            assert_eq!(loaded.predict(&x)?, model.predict(&x)?);
            let (ours, theirs) = (model.fit((&x, &y), quiet(2))?, loaded.fit((&x, &y), quiet(2))?);
            assert_eq!(ours.last("loss"), theirs.last("loss"));
            layer.unfreeze();
        }
    }
    Ok(())
}
