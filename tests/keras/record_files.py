"""Records small model files of Keras for the tests of `carnyx-file`.

Usage: python record_files.py [--out DIR]

Each file is the whole of one way to store a model; `expected.json` holds what
the tests look for in them: weights, inputs and the predictions for them.
"""

import argparse
import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import h5py
import keras
import ml_dtypes
import numpy as np


def trained_sequential():
    """Dense(3), Dense(2), compiled with Adam, after one step."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, activation="relu"),
            keras.layers.Dense(2, name="scores"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    x = np.linspace(-1, 1, 20, dtype="float32").reshape(5, 4)
    y = np.linspace(0, 1, 10, dtype="float32").reshape(5, 2)
    model.fit(x, y, batch_size=5, epochs=1, verbose=0)
    return model, [x]


def two_inputs():
    """A functional model that joins an image and a number, with batch normalization."""
    keras.utils.set_random_seed(2)
    image = keras.Input((4, 4, 1), name="image")
    number = keras.Input((2,), name="number")
    h = keras.layers.Conv2D(2, 3, name="conv")(image)
    h = keras.layers.BatchNormalization()(h)
    h = keras.layers.Flatten()(h)
    joined = keras.layers.Concatenate()([h, number])
    model = keras.Model([image, number], keras.layers.Dense(1, activation="sigmoid")(joined))
    image = np.linspace(-1, 1, 48, dtype="float32").reshape(3, 4, 4, 1)
    number = np.linspace(0, 1, 6, dtype="float32").reshape(3, 2)
    return model, [image, number]


def shared():
    """Layers that are shared, nested models, joins, activations with parameters; compiled with two losses."""
    keras.utils.set_random_seed(3)
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    encoder = keras.layers.Dense(3, activation=keras.layers.LeakyReLU(negative_slope=0.1))
    row = keras.Sequential([keras.layers.Dense(3, activation="elu"), keras.layers.Dense(2)], name="row")
    inner_input = keras.Input((2,))
    inner = keras.Model(inner_input, keras.layers.Dense(2)(inner_input), name="inner")
    p, q = encoder(a), encoder(b)
    r = inner(row(keras.layers.Concatenate(axis=1)([p, q])))
    total = keras.layers.Add()([r, inner(r), r])
    main = keras.layers.Dense(1, name="main")(keras.layers.Multiply()([total, r]))
    aux = keras.layers.Dense(2, name="aux", activation="softmax")(keras.layers.Subtract()([p, q]))
    model = keras.Model([a, b], [main, aux])
    model.compile("sgd", loss=["mse", "categorical_crossentropy"], loss_weights=[0.9, 0.1])
    x = np.linspace(-1, 1, 20, dtype="float32").reshape(5, 4)
    return model, [x, x[::-1].copy()]


def unusual(path):
    """What other programs write: other types, byte orders, texts and layouts; every array counts from 0."""
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        count = np.arange(6).reshape(2, 3)
        for dtype in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f2", ">f4", ">i4", ">u8"]:
            file[dtype] = count.astype(dtype)
        file["bool"] = count > 2
        file["bool, one"] = True
        file["f4, none"] = np.zeros((0, 3), "f4")
        file.create_dataset("bfloat16", data=count.astype(ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"
        file.create_dataset("gzip", data=count, chunks=(2, 2), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("growing", data=count, chunks=(1, 2), maxshape=(None, 3))
        file.create_dataset("filled", shape=(2, 3), dtype="f4", fillvalue=7)
        file.attrs["fixed"] = np.bytes_("relu")
        file.attrs["fixed, list"] = np.array([b"conv", b"dense"])
        file.attrs["list"] = ["conv", "größe"]
        file.attrs["empty list"] = []
        file.attrs["reference"] = file["f4"].ref
        file["outside"] = h5py.ExternalLink("other.h5", "/x")


def flat(outputs):
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [number for output in outputs for number in np.asarray(output).ravel().tolist()]


def expected(model, inputs):
    return {
        "weights": {
            f"{layer.name}/{weight.name}": np.asarray(weight.value).ravel().tolist()
            for layer in model.layers
            for weight in layer.weights
        },
        "inputs": [x.ravel().tolist() for x in inputs],
        "outputs": flat(model(inputs if len(inputs) > 1 else inputs[0])),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    sequential, x = trained_sequential()
    sequential.save(out / "sequential.keras")
    sequential.save(out / "sequential.h5")
    functional, inputs = two_inputs()
    functional.save(out / "two_inputs.keras")

    sharing, pair = shared()
    sharing.save(out / "shared.keras")
    sharing.save(out / "shared.h5")

    unusual(out / "unusual.h5")
    report = {
        "keras": keras.__version__,
        "sequential": expected(sequential, x),
        "two_inputs": expected(functional, inputs),
        "shared": expected(sharing, pair),
    }
    (out / "expected.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
