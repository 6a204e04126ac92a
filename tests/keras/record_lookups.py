"""Records model files whose lookup layers measured their vocabularies: `files/lookup_*.keras` and `files/lookups.json`.

Usage (see README.md next to this file): python record_lookups.py [--out DIR]

Lookup layers of Keras need TensorFlow (`pip install tensorflow`), whatever the backend. What `adapt` measures lies in
the archive: the vocabulary under `assets`, the weights of TF-IDF among the weights. `lookups.json` has inputs and what
Keras predicts.
"""

import argparse
import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

L = keras.layers
DATA = np.array([[7, 7, 9], [4, 7, 9], [4, 7, -3], [12, 7, 4]], "int64")


def adapted(**config):
    layer = L.IntegerLookup(**config)
    layer.adapt(DATA)
    return layer


def models():
    places = lambda: keras.Input((3,), dtype="int64")
    yield "int", keras.Sequential([places(), adapted(mask_token=0), L.Embedding(8, 2), L.Flatten(), L.Dense(1)])
    yield "tf_idf", keras.Sequential([places(), adapted(output_mode="tf_idf"), L.Dense(1)])
    given = L.IntegerLookup(vocabulary=[4, 7, 9], idf_weights=[0.5, 0.25, 1.5], output_mode="tf_idf", num_oov_indices=2)
    yield "given_tf_idf", keras.Sequential([places(), given, L.Dense(1)])
    x = places()
    inner = keras.Sequential([places(), adapted(output_mode="multi_hot"), L.Dense(2)])
    counted = adapted(output_mode="count", max_tokens=4)(x)
    first = adapted(output_mode="multi_hot", num_oov_indices=3)(x)
    yield "nested", keras.Model(x, L.Dense(1)(L.Concatenate()([inner(x), counted, first])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "files")
    out = parser.parse_args().out
    inputs = np.array([[7, 4, 12], [9, 0, 5], [-3, -1, 8], [4, 4, 4]], "int64")
    predictions = {}
    for name, model in models():
        keras.utils.set_random_seed(3)
        for i, v in enumerate(model.trainable_weights):
            v.assign(np.round(np.random.default_rng(i).normal(size=v.shape), 2))
        model.save(out / f"lookup_{name}.keras")
        predictions[name] = [round(float(v), 5) for v in np.ravel(model(inputs))]
    (out / "lookups.json").write_text(json.dumps({"inputs": inputs.tolist(), "predictions": predictions}) + "\n")


if __name__ == "__main__":
    main()
