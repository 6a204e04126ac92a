"""Records what Keras's callback TensorBoard logs: runs, tags, steps and values.

Usage:

    python record_tensorboard.py [--out DIR]

The callback writes through `tensorflow.summary`. A stub takes its place and
notes what it is given, so that TensorFlow is not needed. Numbers of seconds
are left out: speeds are noted as tags alone.
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys
import types

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
import numpy as np


class Summary:
    """Notes what is written, as `tensorflow.summary` would write it."""

    def __init__(self):
        self.logged = []
        self.run = None
        self.step = None
        self.recording = True

    def note(self, kind, tag, value, step):
        step = self.step if step is None else int(step)
        if self.run is None or not self.recording:
            return
        entry = {"run": self.run, "kind": kind, "tag": tag, "step": step}
        if "steps_per_second" not in tag:
            entry["value"] = value
        self.logged.append(entry)

    def scalar(self, name, data, step=None):
        self.note("scalar", name, round(float(data), 6), step)

    def histogram(self, name, data, step=None):
        values = np.asarray(data).reshape(-1)
        facts = [float(values.min()), float(values.max()), float(values.size)]
        self.note("histogram", name, [round(fact, 6) for fact in facts], step)

    def image(self, name, data, step=None):
        # Pictures, heights, widths, channels.
        self.note("image", name, list(np.asarray(data).shape), step)

    def record_if(self, condition):
        @contextlib.contextmanager
        def context():
            before, self.recording = self.recording, condition()
            yield
            self.recording = before

        return context()

    def create_file_writer(self, path):
        summary = self

        class Writer:
            def as_default(self, step=None):
                @contextlib.contextmanager
                def context():
                    before = (summary.run, summary.step)
                    summary.run, summary.step = os.path.basename(path), step
                    yield
                    summary.run, summary.step = before

                return context()

            def flush(self):
                pass

            def close(self):
                pass

        return Writer()


def install(summary):
    """Puts the stub where Keras looks for TensorFlow."""

    def write(tag, tensor, step, metadata):
        kind = json.loads(tensor)["class_name"]
        summary.note(metadata.plugin_data.plugin_name, tag, kind, step)
        return True

    @contextlib.contextmanager
    def summary_scope(name, _default, _values):
        yield name, None

    class SummaryMetadata:
        def __init__(self):
            self.plugin_data = types.SimpleNamespace(plugin_name=None, content=None)

    names = {
        # Keras asks whether what it writes as JSON is one of these.
        "tensorflow": {kind: type(kind, (), {}) for kind in ("TensorShape", "TypeSpec", "DType", "RaggedTensor")},
        "tensorflow.summary": {"experimental": types.SimpleNamespace(summary_scope=summary_scope), "write": write},
        "tensorflow.compat": {},
        "tensorflow.compat.v1": {"SummaryMetadata": SummaryMetadata},
    }
    for name, members in names.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    for name in names:
        if "." in name:
            parent, child = name.rsplit(".", 1)
            setattr(sys.modules[parent], child, sys.modules[name])


def numbers(*shape):
    """The same numbers in both programs: multiples of 1/16."""
    return (np.arange(np.prod(shape)) * 7 % 33 - 16).reshape(shape).astype("float32") / 16


def train(options, epochs=3, evaluate=False):
    summary = Summary()
    install(summary)
    callback = keras.callbacks.TensorBoard("runs", **options)
    callback._summary_module = summary
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, activation="tanh", name="dense"),
            keras.layers.Dense(1, name="dense_1"),
        ]
    )
    for variable in model.weights:
        variable.assign(numbers(*variable.shape) / 2)
    model.compile(keras.optimizers.SGD(0.125), "mean_squared_error", metrics=["mean_absolute_error"])
    x, y = numbers(20, 4), numbers(20, 1)
    x_valid, y_valid = -numbers(8, 4), numbers(8, 1)
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0, "callbacks": [callback]}
    if evaluate:
        model.evaluate(x_valid, y_valid, verbose=0, callbacks=[callback])
    else:
        model.fit(x, y, epochs=epochs, validation_data=(x_valid, y_valid), **fit)
    return {"options": options, "evaluate": evaluate, "logged": summary.logged}


CASES = {
    "plain": ({}, False),
    "batches": ({"update_freq": "batch", "write_steps_per_second": True}, False),
    "every_two_steps": ({"update_freq": 2, "write_graph": False}, False),
    "weights": ({"histogram_freq": 2, "write_images": True, "write_graph": False}, False),
    "evaluation": ({"write_graph": False}, True),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=pathlib.Path(__file__).parent / "recorded", type=pathlib.Path)
    out = parser.parse_args().out
    cases = [{"name": name, **train(options, evaluate=evaluate)} for name, (options, evaluate) in CASES.items()]
    record = {"keras": keras.__version__, "backend": keras.backend.backend(), "cases": cases}
    (out / "tensorboard.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
