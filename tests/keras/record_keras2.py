"""Records small model files of Keras 2, for the tests of reading them.

Usage: python record_keras2.py [--out DIR]        (pip install tf-keras)

`tf-keras` is Keras 2 as it is still maintained. `keras2.json` holds inputs, predictions, and what one further step of
training makes of them.
"""

import argparse
import json
import os
import pathlib

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tf_keras as keras

X = np.linspace(-1, 1, 20, dtype="float32").reshape(5, 4)


def row():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Flatten(input_shape=(2, 2)),
            keras.layers.Dense(3, activation="relu", kernel_initializer="he_normal"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(2, activation="softmax", name="scores"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", ["accuracy"])
    return model, [X.reshape(5, 2, 2)], [np.array([0, 1, 1, 0, 1])]


def drawn(optimizer):
    keras.utils.set_random_seed(2)
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = keras.layers.Dense(3, activation="tanh")
    inner = keras.Sequential([keras.layers.Dense(3, activation="elu"), keras.layers.Dense(2)], name="inner")
    joined = keras.layers.Concatenate()([shared(a), inner(shared(b)), keras.layers.LeakyReLU(0.1)(b)])
    main, aux = keras.layers.Dense(1, name="main")(joined), keras.layers.Dense(1, name="aux")(shared(a))
    model = keras.Model([a, b], [main, aux])
    model.compile(optimizer, ["mse", "mae"], loss_weights=[0.9, 0.1])
    y = np.linspace(0, 1, 5, dtype="float32").reshape(5, 1)
    return model, [X, -X], [y, 1 - y]


def numbers(arrays):
    return [np.asarray(array, "float64").ravel().tolist() for array in arrays]


def as_list(value):
    return value if isinstance(value, list) else [value]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "files")
    out = parser.parse_args().out
    record = {"keras": keras.__version__, "cases": []}
    makers = {
        "row": row,
        "drawn": lambda: drawn(keras.optimizers.Adam(0.01)),
        "older": lambda: drawn(keras.optimizers.legacy.Adam(0.01)),
    }
    for name, make in makers.items():
        model, x, y = make()
        model.fit(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0], batch_size=5, epochs=1, verbose=0)
        model.save(out / f"keras2_{name}.h5")
        if name == "row":
            model.save_weights(out / f"keras2_{name}_weights.h5")
        predicted = as_list(model.predict(x, verbose=0))
        case = {
            "name": name,
            "inputs": [{"shape": list(v.shape), "data": v.ravel().tolist()} for v in x],
            "predictions": numbers(predicted),
        }
        if name != "row":  # Dropout is random.
            model.fit(x, y, batch_size=5, epochs=1, verbose=0, shuffle=False)
            case["targets"] = [{"shape": list(v.shape), "data": v.ravel().tolist()} for v in y]
            case["after"] = numbers(as_list(model.predict(x, verbose=0)))
        record["cases"].append(case)
    (out / "keras2.json").write_text(json.dumps(record, indent=1) + "\n")


main()
