//! 20. Searching: which network, which optimizer, which learning rate?
//!
//!     cargo run --release --example 20_search
//!
//! The districts of California again (example 2), and seven questions about the network at once. New here: a build that
//! asks for its hyperparameters, and three ways to spend the same number of epochs on finding good ones. Random search
//! needs nothing and is hard to beat when there are few trials. Hyperband begins with many trials, and gives more epochs to
//! the better ones. TPE looks where earlier trials were good.

use carnyx::datasets::california_housing;
use carnyx::prelude::*;

fn main() -> Result {
    let data = california_housing()?;
    // A part of the districts is enough to tell good networks from bad ones; the test set is for the end.
    let part = |from: usize, to: usize| Ok((data.train.x.rows(from..to)?, data.train.y.rows(from..to)?));
    let train: (Array, Array) = part(0, 3000)?;
    let valid: (Array, Array) = part(3000, 5000)?;
    let baseline = mean_square(&train.1, &data.test.y);

    // Everything that may differ is asked for where it is needed: there is no list of hyperparameters beside the model. What
    // is asked for in a condition exists only where the condition holds: momentum is for SGD.
    let build = |hyper: &mut Hyper| -> Result<Model<Sequential>> {
        let normalization = Normalization::new();
        normalization.adapt(&train.0)?;
        let mut net = Sequential::new().then(normalization);
        let activation = hyper.choice("activation", [Relu, Tanh, Silu]);
        let units: usize = hyper.log_int("units", 4..=64);
        for _ in 0..hyper.int("layers", 1..=3) {
            net = net.then(Dense::new(units).activation(activation));
        }
        let rate = hyper.log_float("learning_rate", 1e-4..=0.1);
        let optimizer: Optimizer = match hyper.choice("optimizer", ["sgd", "adam"]) {
            "sgd" => Sgd::new(rate).momentum(hyper.float("momentum", 0.0..=0.95)).into(),
            _ => Adam::new(rate).into(),
        };
        Ok(net.then(Dense::new(1)).compile(optimizer, MeanSquaredError))
    };
    // What `fit` takes may be searched as well.
    let fit = |epochs: usize| {
        let valid = &valid;
        move |hyper: &mut Hyper| {
            Fit::epochs(epochs).batch_size(hyper.log_int("batch_size", 16..=128)).validation(valid)
        }
    };

    println!("always saying the mean: {baseline:.3} (mean squared error, in units of ($100 000)²)\n");
    let quiet = |search: Search| search.seed(7).verbose(Verbosity::Silent);
    // Each of them trains for about 360 epochs. Two trials at a time change nothing where a trial does not depend on
    // those before it; for TPE, they come one after the other.
    let searches = [
        ("random search", fit(9), quiet(Search::random(40)).workers(2)),
        ("Hyperband", fit(27), quiet(Search::hyperband(27)).workers(2)),
        ("TPE", fit(9), quiet(Search::tpe(40))),
    ];
    let mut last = None;
    for (name, fit, search) in searches {
        let mut trials = tune(build, &train, fit, search)?;
        let epochs: usize = trials.trials().iter().map(|trial| trial.intermediate.len()).sum();
        let best = trials.best_value().unwrap_or(f64::NAN);
        println!("{name}: {} trials, {epochs} epochs, best val_loss {best:.4}", trials.trials().len());
        println!("  {}", trials.best_parameters());
        // The best model is trained already. On data that no trial was chosen by, it is a little worse.
        println!("  test: {:.4}\n", trials.best.evaluate((&data.test.x, &data.test.y))?["loss"]);
        last = Some(trials);
    }

    // What came of it, in a table and in pictures. The questions that matter are those to ask more closely next time.
    if let Some(trials) = last {
        println!("the best trials of TPE:");
        trials.table().to_string().lines().take(6).for_each(|line| println!("{line}"));
        println!("\nof all that differs between the trials, explained by one hyperparameter alone:");
        print!("{}", trials.importance()?);
        trials.plot_history().save("search_history.svg")?;
        trials.plot_parallel().save("search_trials.svg")?;
        println!("search_history.svg and search_trials.svg show the trials");
    }
    Ok(())
}

/// The error of always saying the mean of some targets.
fn mean_square(train: &Array, test: &Array) -> f32 {
    let mean = train.values().iter().sum::<f32>() / train.len() as f32;
    test.values().iter().map(|value| (value - mean).powi(2)).sum::<f32>() / test.len() as f32
}
