"""Records what Keras's callbacks decide on given sequences of numbers.

Usage:

    python record_callbacks.py [--out DIR]

No model is trained: the callbacks are driven with a stub that has what they
use of a model. All numbers are multiples of 1/64, which float32 and float64
compare alike.
"""

import argparse
import json
import math
import os
import pathlib
import tempfile
import types
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
import numpy as np


class Model:
    """What callbacks use of a model."""

    def __init__(self, learning_rate=0.5):
        self.optimizer = types.SimpleNamespace(learning_rate=learning_rate)
        self.stop_training = False
        self.weights = 0
        self.saved = []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def save(self, path, overwrite=True):
        self.saved.append(os.path.basename(path))

    save_weights = save


def sequence(seed, length=24, nan_at=()):
    """A walk that mostly falls, then wanders, with equal neighbours."""
    generator = np.random.default_rng(seed)
    steps = generator.integers(-6, 6, size=length)
    values = 64 + np.cumsum(steps - 2 * (np.arange(length) < length // 3))
    values = [float(v) / 64 for v in values]
    for i in nan_at:
        values[i] = math.nan
    return values


SEQUENCES = {
    "falling": [1.0 - i / 64 for i in range(12)],
    "rising": [0.25 + i / 64 for i in range(12)],
    "constant": [0.5] * 12,
    "walk_1": sequence(1),
    "walk_2": sequence(2),
    "walk_3": sequence(3),
    "walk_4": sequence(4),
    "with_nan": sequence(5, nan_at=(3, 4, 9)),
}


def written(v):
    """A number as JSON has it; strings for what JSON has not."""
    if v is None:
        return None
    v = float(v)
    return str(v) if math.isnan(v) or math.isinf(v) else v


def early_stopping():
    configs = [
        {"patience": 0},
        {"patience": 2},
        {"patience": 3, "min_delta": 1 / 32},
        {"patience": 2, "mode": "max"},
        {"patience": 3, "mode": "max", "min_delta": 1 / 16},
        {"patience": 3, "restore_best_weights": True},
        {"patience": 50, "restore_best_weights": True},
        {"patience": 2, "baseline": 0.75, "restore_best_weights": True},
        {"patience": 4, "baseline": -1.0, "restore_best_weights": True},
        {"patience": 2, "start_from_epoch": 5, "restore_best_weights": True},
        {"patience": 3, "mode": "min", "start_from_epoch": 40, "restore_best_weights": True},
    ]
    cases = []
    for config in configs:
        for name, values in SEQUENCES.items():
            model = Model()
            callback = keras.callbacks.EarlyStopping(**config)
            callback.set_model(model)
            callback.on_train_begin()
            epochs = 0
            for epoch, value in enumerate(values):
                model.weights = epoch
                callback.on_epoch_end(epoch, {"val_loss": value})
                epochs += 1
                if model.stop_training:
                    break
            callback.on_train_end()
            cases.append(
                {
                    "name": f"early_stopping {config} {name}",
                    "config": config,
                    "sequence": name,
                    "epochs": epochs,
                    "stopped": model.stop_training,
                    "best": written(callback.best),
                    "weights_of_epoch": model.weights,
                }
            )
    return cases


def reduce_lr_on_plateau():
    configs = [
        {"patience": 1},
        {"patience": 2, "factor": 0.5},
        {"patience": 3, "factor": 0.25, "cooldown": 2},
        {"patience": 1, "factor": 0.5, "cooldown": 1, "min_delta": 1 / 32},
        {"patience": 1, "factor": 0.5, "mode": "max"},
        {"patience": 1, "factor": 0.5, "min_lr": 0.1875},
        {"patience": 0, "factor": 0.5, "min_delta": 0},
    ]
    cases = []
    for config in configs:
        for name, values in SEQUENCES.items():
            model = Model()
            callback = keras.callbacks.ReduceLROnPlateau(**config)
            callback.set_model(model)
            callback.on_train_begin()
            rates, logged = [], []
            for epoch, value in enumerate(values):
                logs = {"val_loss": value}
                callback.on_epoch_end(epoch, logs)
                logged.append(logs["learning_rate"])
                rates.append(float(model.optimizer.learning_rate))
            cases.append(
                {
                    "name": f"reduce_lr_on_plateau {config} {name}",
                    "config": config,
                    "sequence": name,
                    "rates": rates,
                    "logged": logged,
                    "best": written(callback.best),
                }
            )
    return cases


def model_checkpoint():
    configs = [
        {},
        {"save_best_only": True},
        {"save_best_only": True, "mode": "max"},
        {"save_best_only": True, "initial_value_threshold": 0.75},
        {"save_freq": 1},
        {"save_freq": 4},
        {"save_freq": 7},
    ]
    steps = 3
    cases = []
    for config in configs:
        for name, values in SEQUENCES.items():
            with tempfile.TemporaryDirectory() as folder:
                every_steps = "save_freq" in config
                pattern = "{epoch:02d}-{batch}.keras" if every_steps else "{epoch:02d}-{val_loss:.3f}.keras"
                # What does not look at the numbers needs no more than one sequence of them.
                if name != "walk_1" and not config.get("save_best_only"):
                    continue
                model = Model()
                callback = keras.callbacks.ModelCheckpoint(os.path.join(folder, pattern), **config)
                callback.set_model(model)
                callback.on_train_begin()
                for epoch, value in enumerate(values):
                    callback.on_epoch_begin(epoch)
                    for batch in range(steps):
                        callback.on_train_batch_end(batch, {"loss": value})
                    callback.on_epoch_end(epoch, {"val_loss": value})
                cases.append(
                    {
                        "name": f"model_checkpoint {config} {name}",
                        "config": config,
                        "pattern": pattern,
                        "steps": steps,
                        "sequence": name,
                        "saved": model.saved,
                        "best": written(callback.best),
                    }
                )
    return cases


def csv_logger():
    rows = [
        {"loss": 0.5, "val_loss": 0.25, "accuracy": 1.0},
        {"loss": 0.3333333333333333, "val_loss": 1e-07, "accuracy": 0.984375},
        {"loss": 0.125, "accuracy": 0.0},
    ]
    cases = []
    for separator in [",", ";"]:
        for before in [None, "", "epoch,x\n0,1\n"]:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "log.csv"
                if before is not None:
                    path.write_text(before)
                callback = keras.callbacks.CSVLogger(str(path), separator=separator, append=before is not None)
                callback.on_train_begin()
                for epoch, row in enumerate(rows):
                    callback.on_epoch_end(epoch, row)
                callback.on_train_end()
                cases.append(
                    {
                        "name": f"csv_logger {separator} {before!r}",
                        "separator": separator,
                        "before": before,
                        "rows": rows,
                        "text": path.read_bytes().decode(),
                    }
                )
    return cases


def directions():
    """Which way is better for each metric that Keras knows, by its name in the logs."""
    arguments = {
        "PrecisionAtRecall": {"recall": 0.5},
        "RecallAtPrecision": {"precision": 0.5},
        "SensitivityAtSpecificity": {"specificity": 0.5},
        "SpecificityAtSensitivity": {"sensitivity": 0.5},
        "IoU": {"num_classes": 2, "target_class_ids": [0]},
        "BinaryIoU": {},
        "MeanIoU": {"num_classes": 2},
        "OneHotIoU": {"num_classes": 2, "target_class_ids": [0]},
        "OneHotMeanIoU": {"num_classes": 2},
    }
    known = []
    for name in sorted(dir(keras.metrics)):
        metric_class = getattr(keras.metrics, name)
        if isinstance(metric_class, type) and issubclass(metric_class, keras.metrics.Metric):
            try:
                metric = metric_class(**arguments.get(name, {}))
            except (TypeError, ValueError):
                continue
            direction = getattr(metric, "_direction", None)
            if direction is not None:
                known.append({"name": metric.name, "direction": direction})
    return known


def behaviours():
    """What README.md says of callbacks, with evidence."""
    facts = []

    def fact(name, value):
        facts.append({"name": name, "value": value})

    def stopping(values, **config):
        callback = keras.callbacks.EarlyStopping(**config)
        callback.set_model(Model())
        callback.on_train_begin()
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {"val_loss": value} if value is not None else {"loss": 0.5})
        return callback

    first = stopping([math.nan, 0.5, 0.25], patience=9)
    fact("best after nan, 0.5, 0.25", written(first.best))
    fact("epochs waited after nan, 0.5, 0.25", first.wait)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fact("stopped where val_loss is missing", stopping([None, None], patience=0).model.stop_training)
        fact("warnings where val_loss is missing", [str(w.message) for w in caught])
    try:
        stopping([0.5], monitor="val_own")
        fact("mode of an unknown name", "no error")
    except ValueError as error:
        fact("mode of an unknown name", str(error))

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        model = Model()
        callback = keras.callbacks.ModelCheckpoint(f"{folder}/{{epoch}}.keras", save_best_only=True)
        callback.set_model(model)
        callback.on_epoch_end(0, {"loss": 0.5})
        fact("saved as the best where val_loss is missing", model.saved)

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "log.csv"
        callback = keras.callbacks.CSVLogger(str(path))
        callback.on_train_begin()
        callback.on_epoch_end(0, {"loss": 0.5})
        callback.on_train_end()
        fact("log without validation", path.read_bytes().decode())

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 1):
                raise RuntimeError("interrupted")

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    with tempfile.TemporaryDirectory() as folder:
        x, y = np.arange(8, dtype="float32").reshape(8, 1), np.ones((8, 1), "float32")

        def fit(*others):
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")
            backup = keras.callbacks.BackupAndRestore(f"{folder}/backup", save_freq=1)
            return model.fit(x, y, batch_size=2, epochs=5, verbose=0, callbacks=[backup, *others])

        try:
            fit(Interrupt())
        except RuntimeError:
            pass
        history = fit()
        fact("epochs after an interruption in the third of five", history.epoch)
    return facts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    record = {
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "sequences": {name: [written(v) for v in values] for name, values in SEQUENCES.items()},
        "early_stopping": early_stopping(),
        "reduce_lr_on_plateau": reduce_lr_on_plateau(),
        "model_checkpoint": model_checkpoint(),
        "csv_logger": csv_logger(),
        "directions": directions(),
        "behaviours": behaviours(),
    }
    lists = {name: value for name, value in record.items() if isinstance(value, list)}
    with open(out / "callbacks.json", "w") as file:
        head = {name: value for name, value in record.items() if name not in lists}
        file.write(json.dumps(head)[:-1])
        for name, cases in lists.items():
            lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
            file.write(f',\n"{name}": [\n{lines}\n]')
        file.write("}\n")
    for name, cases in lists.items():
        print(f"{name}: {len(cases)} cases")


if __name__ == "__main__":
    main()
