"""Checks that Keras and Carnyx read each other's models.

Usage: python check_saved.py [--cargo "cargo xtask"] [--folder DIR] [NAME ...]

Keras makes models, trains a step and saves them as `.keras` and `.h5`. Carnyx
(`cargo xtask exchange`) loads each, predicts, trains one step more and saves.
Keras loads what Carnyx saved and compares predictions, the loss of the step,
and one further step of both; the same for models made with Carnyx, and for their
weights alone. Differences above 1e-5 fail.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import tempfile

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import h5py
import keras
import numpy as np
from keras import layers

TOLERANCE = 1e-5


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def classifier(optimizer):
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            layers.Flatten(),
            layers.Dense(8, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(8, activation=layers.LeakyReLU(negative_slope=0.1)),
            layers.Dropout(0.0),
            layers.Dense(8),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(8, use_bias=False),
            layers.Activation("gelu"),
            layers.ELU(alpha=0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )
    return model, [numbers(16, 6, 2)], [np.arange(16, dtype="float32") % 3]


def regressor():
    normalization = layers.Normalization()
    x = numbers(16, 4) * 3 + 5
    normalization.adapt(x)
    model = keras.Sequential(
        [keras.Input((4,)), normalization, layers.Rescaling(2.0, offset=-0.5), layers.Dense(1)]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        loss=keras.losses.MeanAbsoluteError(),
        metrics=[keras.metrics.RootMeanSquaredError()],
    )
    return model, [x], [numbers(16, 1, seed=1)]


def wide_and_deep():
    wide, deep = keras.Input((5,), name="wide"), keras.Input((6,), name="deep")
    hidden = layers.Dense(30, activation="relu")(layers.Dense(30, activation="relu")(deep))
    main = layers.Dense(1, name="main")(layers.Concatenate()([wide, hidden]))
    aux = layers.Dense(1, name="aux")(hidden)
    model = keras.Model([wide, deep], [main, aux])
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss={"main": "mse", "aux": keras.losses.MeanSquaredError()},
        loss_weights={"main": 0.9, "aux": 0.1},
        metrics={"main": ["mae"], "aux": [keras.metrics.MeanSquaredError()]},
        weighted_metrics={"aux": [keras.metrics.RootMeanSquaredError()]},
    )
    return model, [numbers(16, 5), numbers(16, 6, seed=2)], [numbers(16, 1, seed=1), numbers(16, 1, seed=3)]


def shared_and_nested():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(3, activation="tanh")
    inner_input = keras.Input((2,))
    inner = keras.Model(inner_input, layers.Dense(2)(inner_input), name="inner")
    row = keras.Sequential([layers.Dense(3, activation="elu"), layers.Dense(2)], name="row")
    p, q = shared(a), shared(b)
    r = inner(row(layers.Concatenate(axis=1)([p, q])))
    s = layers.Multiply()([r, inner(r)])
    total = layers.Add()([r, s, r])
    out = layers.Dense(1, activation="sigmoid")(layers.Concatenate()([total, layers.Subtract()([p, q])]))
    model = keras.Model([a, b], out)
    model.compile(
        optimizer=keras.optimizers.Adam(0.01, amsgrad=True),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.4)],
    )
    return model, [numbers(16, 4), numbers(16, 4, seed=5)], [(np.arange(16) % 2).astype("float32")[:, None]]


def dense_family():
    a, ids = keras.Input((4,), name="a"), keras.Input((3,), name="ids")
    h = layers.BatchNormalization(momentum=0.9)(layers.Dense(6, use_bias=False)(a))
    h = layers.PReLU(alpha_initializer=keras.initializers.Constant(0.3))(layers.GaussianNoise(0.0)(layers.AlphaDropout(0.0)(h)))
    h = layers.Add()([h, layers.GroupNormalization(2)(h)])
    h = layers.Average()([h, layers.RMSNormalization()(h), layers.UnitNormalization()(h)])
    cosine = layers.Dot(axes=1, normalize=True)([h, layers.Maximum()([h, layers.Minimum()([h, h])])])
    h = layers.EinsumDense("ab,bc->ac", 4, bias_axes="c", activation="tanh")(h)
    e = layers.LayerNormalization()(layers.Embedding(7, 2, embeddings_regularizer="l2")(ids))
    e = layers.TimeDistributed(layers.Dense(3))(e)
    e = layers.Multiply()([layers.Permute((2, 1))(e), layers.RepeatVector(3)(layers.Dense(3)(h))])
    e = layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.05)(layers.Reshape((9,))(e))
    e = layers.ActivityRegularization(l2=0.01)(layers.GaussianDropout(0.0)(e))
    out = layers.Dense(1)(layers.Concatenate()([h, cosine, e]))
    model = keras.Model([a, ids], out)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    words = np.random.default_rng(5).integers(0, 7, (16, 3)).astype("float32")
    return model, [numbers(16, 4), words], [numbers(16, 1, seed=1)]


def frozen_averages():
    # A bias before a normalization has a gradient of rounding errors, of which Adam makes whole steps.
    inner = layers.Dense(5, use_bias=False)
    model = keras.Sequential(
        [keras.Input((4,)), layers.BatchNormalization(), inner, layers.BatchNormalization(), layers.Dense(2)]
    )
    model.layers[0].trainable = False
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    return model, [numbers(16, 4) + 1], [numbers(16, 2, seed=1)]


def frozen():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="selu"), layers.Dense(2)])
    model.layers[0].trainable = False
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["categorical_accuracy"],
    )
    return model, [numbers(16, 4)], [np.eye(2, dtype="float32")[np.arange(16) % 2]]


def words(units, activation, loss, metrics, targets):
    """A small model for the sake of its loss and metrics."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units, activation=activation)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, metrics=metrics)
    return model, [numbers(16, 4)], [targets]


TRUTH = (np.arange(16) % 2).astype("float32")[:, None]
ROWS = np.eye(3, dtype="float32")[np.arange(16) % 3]


def regression_words():
    m = keras.metrics
    metrics = [
        m.MeanAbsolutePercentageError(),
        m.MeanSquaredLogarithmicError(),
        m.LogCoshError(),
        m.R2Score(class_aggregation=None),
        m.R2Score(class_aggregation="variance_weighted_average"),
        m.CosineSimilarity(),
        m.PearsonCorrelation(),
        m.ConcordanceCorrelation(),
        m.Poisson(),
        keras.losses.huber,
        m.MeanMetricWrapper(keras.losses.tversky, name="tversky", alpha=0.2),
    ]
    return words(3, None, keras.losses.LogCosh(reduction="sum"), metrics, numbers(16, 3, seed=4))


def binary_words():
    m = keras.metrics
    metrics = [
        m.AUC(),
        m.AUC(curve="PR", summation_method="minoring", num_thresholds=20),
        m.AUC(thresholds=[0.3, 0.4], from_logits=True),
        m.Precision(thresholds=[0.3, 0.6]),
        m.Recall(thresholds=0.4),
        m.TruePositives(),
        m.FalseNegatives(thresholds=[0.2]),
        m.SensitivityAtSpecificity(0.4, num_thresholds=50),
        m.RecallAtPrecision(0.5, class_id=0),
        m.BinaryIoU(threshold=0.4, target_class_ids=[1]),
        m.Hinge(),
        m.BinaryCrossentropy(label_smoothing=0.1),
    ]
    loss = keras.losses.BinaryFocalCrossentropy(gamma=1.5, apply_class_balancing=True, label_smoothing=0.1)
    return words(1, "sigmoid", loss, metrics, TRUTH)


def class_words():
    m = keras.metrics
    metrics = [
        m.F1Score(average="weighted", threshold=0.3),
        m.FBetaScore(average="micro", beta=2.0),
        m.TopKCategoricalAccuracy(k=2),
        m.AUC(multi_label=True),
        m.Precision(top_k=2, class_id=1),
        m.IoU(num_classes=3, target_class_ids=[1], sparse_y_true=False, sparse_y_pred=False),
        m.OneHotIoU(num_classes=3, target_class_ids=[0, 2], ignore_class=1),
        m.OneHotMeanIoU(num_classes=3),
        m.KLDivergence(),
        m.CategoricalHinge(),
    ]
    return words(3, "softmax", keras.losses.CategoricalCrossentropy(label_smoothing=0.2), metrics, ROWS)


def optimized(optimizer):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(6, activation="tanh"), layers.Dense(2)])
    model.compile(optimizer=optimizer, loss=keras.losses.MeanSquaredError())
    return model, [numbers(16, 4)], [numbers(16, 2, seed=1)]


def penalized():
    r, c = keras.regularizers, keras.constraints
    first = layers.Dense(
        5,
        activation="tanh",
        kernel_regularizer=r.L1L2(0.01, 0.02),
        bias_regularizer="l2",
        activity_regularizer=r.L2(0.03),
        kernel_constraint=c.MaxNorm(0.8, axis=[0, 1]),
        bias_constraint="non_neg",
    )
    second = layers.Dense(
        3,
        kernel_regularizer=r.OrthogonalRegularizer(0.1, mode="columns"),
        kernel_constraint=c.MinMaxNorm(0.5, 0.9, rate=0.5, axis=1),
        bias_constraint=c.UnitNorm(),
    )
    model = keras.Sequential([keras.Input((4,)), first, second, layers.Dense(1, kernel_regularizer=r.L1(0.1))])
    model.compile(optimizer=keras.optimizers.SGD(0.05, momentum=0.9), loss=keras.losses.MeanSquaredError())
    return model, [numbers(16, 4)], [numbers(16, 1, seed=1)]


# Without moving averages: Keras cannot fit twice with them, since JAX is given one buffer for weight and average.
OPTIMIZERS = {
    "adadelta": lambda o: o.Adadelta(1.0, rho=0.9),
    "adafactor": lambda o: o.Adafactor(0.1, beta_2_decay=-0.7),
    "adagrad": lambda o: o.Adagrad(0.1, initial_accumulator_value=0.2),
    "adamax": lambda o: o.Adamax(0.01, beta_1=0.8),
    "adamw": lambda o: o.AdamW(0.01, weight_decay=0.3),
    "ftrl": lambda o: o.Ftrl(0.1, l1_regularization_strength=0.01, beta=0.1),
    "lamb": lambda o: o.Lamb(0.01, clipnorm=0.1),
    "lion": lambda o: o.Lion(0.001, clipvalue=0.01),
    "muon": lambda o: o.Muon(0.01, global_clipnorm=0.1, rms_rate=None),
    "muon_excluding": lambda o: o.Muon(0.01, exclude_layers=["dense_1"], nesterov=False, ns_steps=4),
    "nadam": lambda o: o.Nadam(0.01, weight_decay=0.1),
    "rmsprop": lambda o: o.RMSprop(0.01, momentum=0.5, centered=True),
    "exponential": lambda o: o.Adam(o.schedules.ExponentialDecay(0.05, 2, 0.5)),
    "inverse_time": lambda o: o.SGD(o.schedules.InverseTimeDecay(0.2, 2, 0.5, staircase=True), momentum=0.9),
    "polynomial": lambda o: o.AdamW(o.schedules.PolynomialDecay(0.05, 3, power=0.5, cycle=True)),
    "piecewise": lambda o: o.SGD(o.schedules.PiecewiseConstantDecay([0, 1, 2], [0.1, 0.05, 0.2, 0.1])),
    "cosine": lambda o: o.RMSprop(o.schedules.CosineDecay(0.01, 10, alpha=0.1, warmup_target=0.05, warmup_steps=2)),
    "restarts": lambda o: o.SGD(o.schedules.CosineDecayRestarts(0.1, 2, t_mul=1.5, m_mul=0.9), gradient_accumulation_steps=2),
    "accumulated": lambda o: o.Nadam(0.01, gradient_accumulation_steps=2),
}

MODELS = {
    "regression_words": regression_words,
    "binary_words": binary_words,
    "class_words": class_words,
    **{name: lambda make=make: optimized(make(keras.optimizers)) for name, make in OPTIMIZERS.items()},
    "penalized": penalized,
    "sgd": lambda: classifier("sgd"),
    "adam": lambda: classifier(keras.optimizers.Adam(0.01)),
    "regressor": regressor,
    "wide_and_deep": wide_and_deep,
    "shared_and_nested": shared_and_nested,
    "frozen": frozen,
    "dense_family": dense_family,
    "frozen_averages": frozen_averages,
}


def endings(name):
    """Keras fails on some of its own `.h5` files.

    It gives two slots of Adafactor one name, does not find Lamb by its name, and does not read losses and metrics with
    all of their options.
    """
    fails = name in ("adafactor", "lamb") or name.endswith("_words")
    return ["keras"] if fails else ["keras", "h5"]


def step(model, inputs, targets):
    """Trains one step; the loss is that before it."""
    one = lambda arrays: arrays[0] if len(arrays) == 1 else arrays
    history = model.fit(one(inputs), one(targets), batch_size=1 << 20, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"][-1]


def load(path):
    """Loads a model, with its optimizer's memory from `.h5` files too.

    Keras 3.15.1 builds the optimizer of an `.h5` file for no variables, so that
    training fails with JAX, for its own files as well; here it is built again.
    """
    model = keras.models.load_model(path)
    if path.suffix == ".h5":
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        optimizer.build(model.trainable_variables)
        with h5py.File(path) as file:
            group = file["optimizer_weights"]
            values = [group[name][()] for name in group.attrs["weight_names"]]
        assert len(values) == len(optimizer.variables), (path, len(values), len(optimizer.variables))
        for variable, value in zip(optimizer.variables, values):
            variable.assign(value)
        model.optimizer = optimizer
    return model


def how_many_numbers(model, inputs, targets):
    """Losses, metrics and weighted metrics together."""
    one = lambda arrays: arrays[0] if len(arrays) == 1 else arrays
    return len(model.evaluate(one(inputs), one(targets), verbose=0, return_dict=True))


def predict(model, inputs):
    outputs = model(inputs[0] if len(inputs) == 1 else inputs)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [np.asarray(output).ravel() for output in outputs]


def difference(ours, theirs):
    return max(float(np.abs(np.asarray(a).ravel() - np.asarray(b).ravel()).max()) for a, b in zip(ours, theirs, strict=True))


def difference_of_metrics(ours, theirs, inputs, targets):
    """Of loss and metrics, relative to those above 1."""
    found = [m.evaluate(inputs[0], targets[0], batch_size=16, verbose=0) for m in (ours, theirs)]
    pairs = [(np.asarray(a).ravel(), np.asarray(b).ravel()) for a, b in zip(*found, strict=True)]
    return max(float((np.abs(a - b) / np.maximum(np.abs(a), 1)).max()) for a, b in pairs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cargo", default="cargo xtask")
    parser.add_argument("--folder", type=pathlib.Path, default=None)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to check; all, unless given")
    arguments = parser.parse_args()
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp())
    there, back = folder / "keras", folder / "carnyx"
    there.mkdir(parents=True, exist_ok=True)

    data = {}
    for name in arguments.names or MODELS:
        make = MODELS[name]
        keras.utils.set_random_seed(7)
        model, inputs, targets = make()
        step(model, inputs, targets)
        data[name] = (inputs, targets)
        arrays = lambda list: [{"shape": a.shape, "data": a.ravel().tolist()} for a in list]
        (there / f"{name}.json").write_text(json.dumps({"inputs": arrays(inputs), "targets": arrays(targets)}))
        for ending in endings(name):
            model.save(there / f"{name}.{ending}")

    subprocess.run([*shlex.split(arguments.cargo), "exchange", str(there), str(back)], check=True)

    worst = 0.0
    for name, (inputs, targets) in data.items():
        for ending in endings(name):
            said = json.loads((back / f"{name}.{ending}.json").read_text())
            try:
                original = load(there / f"{name}.{ending}")
            except ValueError:
                # Losses by name in a dictionary are written to `.h5`, but not read again.
                print(f"{name}.{ending}: Keras does not read its own file; compared with the `.keras` one")
                original = load(there / f"{name}.keras")
            loaded = load(back / f"{name}.loaded.{ending}")
            stepped = load(back / f"{name}.stepped.{ending}")
            found = {
                "carnyx predicts": difference(said["before"], predict(original, inputs)),
                "keras reads back": difference(said["before"], predict(loaded, inputs)),
            }
            counts = [how_many_numbers(model, inputs, targets) for model in (original, loaded, stepped)]
            assert len(set(counts)) == 1, f"{name}.{ending}: {counts} losses and metrics"
            if name.endswith("_words"):
                found["metrics"] = difference_of_metrics(original, loaded, inputs, targets)
            loss = step(original, inputs, targets)
            found["loss of a step"] = abs(loss - said["loss"])
            found["after a step"] = difference(said["after"], predict(original, inputs))
            found["keras reads that"] = difference(said["after"], predict(stepped, inputs))
            # One more step of each: the optimizer's memory came along.
            step(original, inputs, targets)
            step(stepped, inputs, targets)
            found["after one more"] = difference(predict(stepped, inputs), predict(original, inputs))
            step(loaded, inputs, targets)
            found["step of what was read"] = difference(said["after"], predict(loaded, inputs))
            worst = max(worst, *found.values())
            print(f"{name}.{ending}: " + ", ".join(f"{what} {value:.1e}" for what, value in found.items()))
    for path in sorted(back.glob("own_*.json")):
        said = json.loads(path.read_text())
        array = lambda value: np.array(value["data"], "float32").reshape(value["shape"])
        inputs, targets = [array(v) for v in said["inputs"]], [array(v) for v in said["targets"]]
        for ending in [".keras", ".h5"]:
            model = load(path.with_suffix(ending))
            found = {"keras predicts": difference(said["before"], predict(model, inputs))}
            fresh = keras.models.clone_model(model)
            fresh.load_weights(path.with_suffix(".weights.h5"))
            found["from weights alone"] = difference(said["before"], predict(fresh, inputs))
            step(model, inputs, targets)
            found["after a step"] = difference(said["after"], predict(model, inputs))
            worst = max(worst, *found.values())
            print(f"{path.stem}{ending} ({type(model).__name__}): " + ", ".join(f"{w} {v:.1e}" for w, v in found.items()))
    print(f"the greatest difference is {worst:.1e}, {TOLERANCE:.0e} is allowed")
    if not worst <= TOLERANCE:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
