"""Records layers of Keras: outputs in both modes, gradients, and one step of training.

Usage: python record_layers.py [--out DIR] [layer_steps] [preprocessing]

Each case is a model of inputs, the layer, `Flatten` and a `Dense(1)` without bias.
The file `layer_steps.json` holds the layer's configuration, all weights before and
after one step of SGD (rate 0.1) on the mean squared error, and what the layer gives.
`preprocessing.json` holds what encodes data before a model sees them.
"""

import argparse
import pathlib

from record import F, normal, plain, tensor, tensors, write

import jax
import jax.numpy as jnp
import keras
import numpy as np

L = keras.layers

# What belongs to every layer, or says how weights start.
COMMON = {"name", "trainable", "dtype", "seed", "noise_shape", "sparse"}


def config_of(layer):
    config = layer.get_config()
    return plain({k: v for k, v in config.items() if k not in COMMON and not k.endswith("_initializer") and v is not None})


def weights_of(layer):
    return [{"name": v.name, "value": tensor(v.value)} for v in layer.weights]


def case(name, make, inputs, seed, step=True, training=True, weights=None):
    """One case; `weights` are set after random ones, which make gains and averages visible."""
    keras.utils.set_random_seed(seed)
    layer = make()
    places = [keras.Input(x.shape[1:], dtype=str(x.dtype), name=f"x_{i}") for i, x in enumerate(inputs)]
    one = lambda list: list[0] if len(list) == 1 else list
    out = layer(one(places))
    for i, variable in enumerate(layer.weights):
        value = normal(seed + i, variable.shape, 0.5)
        # Variances and gains are positive.
        variable.assign(np.abs(value) + F(0.5) if "variance" in variable.name or variable.name in ("gamma", "scale") else value)
    arrays = one([jnp.asarray(x) for x in inputs])
    result = {
        "name": name,
        "layer": type(layer).__name__,
        "config": config_of(layer),
        "inputs": {f"x_{i}": tensor(x) for i, x in enumerate(inputs)},
        "weights": weights_of(layer),
        "outputs": {"inference": tensor(layer(arrays, training=False) if "training" in layer._call_signature.parameters else layer(arrays))},
    }
    before = [v.value for v in layer.weights]
    if training and "training" in layer._call_signature.parameters:
        result["outputs"]["training"] = tensor(layer(arrays, training=True))
        for v, value in zip(layer.weights, before):
            v.assign(value)
    if not step:
        return result

    # The gradient of a weighted sum of the outputs, in training.
    y = layer(arrays, training=training) if "training" in layer._call_signature.parameters else layer(arrays)
    for v, value in zip(layer.weights, before):
        v.assign(value)
    w = normal(seed + 50, y.shape)
    floats = all(np.issubdtype(x.dtype, np.floating) for x in inputs)
    if floats:

        def objective(x):
            trainable = [v.value for v in layer.trainable_variables]
            rest = [v.value for v in layer.non_trainable_variables]
            more = {"training": training} if "training" in layer._call_signature.parameters else {}
            y, _ = layer.stateless_call(trainable, rest, x, **more)
            return jnp.sum(y * w)

        gradient = jax.grad(objective)(arrays)
        gradient = gradient if isinstance(gradient, list) else [gradient]
        result["weights_out"] = tensor(w)
        result["gradients"] = {f"x_{i}": tensor(g) for i, g in enumerate(gradient)}

    head = L.Dense(1, use_bias=False, name="head")
    flat = L.Flatten()(out) if len(out.shape) > 2 else out
    if flat.shape[-1] is None:
        # Keras does not know the size of some outputs; a shape changes no number.
        flat = L.Reshape((int(np.prod(y.shape[1:])),))(flat)
    model = keras.Model(places, head(flat))
    kernel = normal(seed + 60, head.kernel.shape, 0.4)
    head.kernel.assign(kernel)
    target = normal(seed + 61, (inputs[0].shape[0], 1))
    # One small step: to run it as it is takes less time than to compile it.
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", run_eagerly=True)
    history = model.fit(inputs, target, batch_size=len(target), epochs=1, shuffle=False, verbose=0)
    result["step"] = {
        "target": tensor(target),
        "kernel": tensor(kernel),
        "loss": plain(np.float32(history.history["loss"][0])),
        "kernel_after": tensor(head.kernel.value),
        "weights_after": weights_of(layer),
        "parameters": model.count_params(),
        "trainable_parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
    }
    return result


def normalizations():
    flat, steps, image = normal(1, (6, 4), 2.0), normal(2, (5, 3, 4)), normal(3, (4, 2, 3, 4))
    for name, config, x in [
        ("plain", {}, flat + F(3)),
        ("momentum", {"momentum": 0.8, "epsilon": 1e-5}, flat),
        ("steps", {}, steps),
        ("image", {"momentum": 0.5}, image),
        ("axis_1", {"axis": 1}, steps),
        ("no_center", {"center": False}, flat),
        ("no_scale", {"scale": False}, flat),
        ("bare", {"center": False, "scale": False}, flat),
    ]:
        yield case(f"batch_normalization_{name}", lambda: L.BatchNormalization(**config), [x], 100)
    for name, config, x in [
        ("plain", {}, flat),
        ("epsilon", {"epsilon": 1e-6}, steps),
        ("axes", {"axis": [1, 2]}, steps),
        ("axis_1", {"axis": 1}, image),
        ("no_center", {"center": False}, flat),
        ("bare", {"center": False, "scale": False}, flat),
        ("rms_scaling", {"rms_scaling": True}, flat),
    ]:
        yield case(f"layer_normalization_{name}", lambda: L.LayerNormalization(**config), [x], 120)
    for name, config, x in [
        ("two", {"groups": 2}, flat),
        ("image", {"groups": 2, "epsilon": 1e-5}, image),
        ("instance", {"groups": -1}, image),
        ("axis_1", {"groups": 2, "axis": 1}, image),
        ("bare", {"groups": 4, "center": False, "scale": False}, steps),
    ]:
        yield case(f"group_normalization_{name}", lambda: L.GroupNormalization(**config), [x], 140)
    for name, config, x in [("plain", {}, flat), ("axes", {"axis": [1, 2], "epsilon": 1e-3}, steps)]:
        yield case(f"rms_normalization_{name}", lambda: L.RMSNormalization(**config), [x], 160)
    for name, config, x in [("plain", {}, flat), ("axes", {"axis": [1, 2]}, steps)]:
        yield case(f"unit_normalization_{name}", lambda: L.UnitNormalization(**config), [x], 180)


def merges():
    a, b, c = normal(10, (5, 4)), normal(11, (5, 4)), normal(12, (5, 3, 4))
    one = normal(13, (5, 1))
    for cls in [L.Add, L.Multiply, L.Average, L.Maximum, L.Minimum]:
        yield case(cls.__name__.lower(), cls, [a, b], 200)
        yield case(f"{cls.__name__.lower()}_three", cls, [a, b, a * b], 201)
        yield case(f"{cls.__name__.lower()}_broadcast", cls, [c, a], 202)
    yield case("subtract", L.Subtract, [a, b], 203)
    yield case("add_column", L.Add, [a, one], 204)
    yield case("concatenate", L.Concatenate, [a, one, b], 205)
    yield case("concatenate_axis_1", lambda: L.Concatenate(axis=1), [c, c[:, :2]], 206)
    yield case("dot_vectors", lambda: L.Dot(axes=1), [a, b], 207)
    yield case("dot_cosine", lambda: L.Dot(axes=-1, normalize=True), [a, b], 208)
    yield case("dot_matrices", lambda: L.Dot(axes=(2, 2)), [c, c[:, :2] + 1], 209)
    yield case("dot_mixed", lambda: L.Dot(axes=(1, 2)), [a[:, :3], normal(14, (5, 2, 3))], 210)
    yield case("dot_4d", lambda: L.Dot(axes=(1, 3)), [normal(15, (4, 3, 2, 2)), normal(16, (4, 2, 2, 3))], 211)


def others():
    flat, steps = normal(20, (5, 4)), normal(21, (4, 3, 4))
    yield case("activity_regularization", lambda: L.ActivityRegularization(0.02, 0.3), [steps], 300)
    yield case("activity_regularization_l1", lambda: L.ActivityRegularization(l1=0.1), [flat], 301)
    for name, config in [
        ("bounded", {"max_value": 0.8}),
        ("leaky", {"negative_slope": 0.2, "max_value": 1.0}),
        ("threshold", {"threshold": 0.5}),
        ("all", {"max_value": 1.0, "negative_slope": 0.25, "threshold": 0.3}),
    ]:
        yield case(f"relu_{name}", lambda: L.ReLU(**config), [flat], 310)
    yield case("prelu", L.PReLU, [flat], 320)
    yield case("prelu_shared", lambda: L.PReLU(shared_axes=[1]), [steps], 321)
    yield case("reshape", lambda: L.Reshape((2, -1)), [flat], 330)
    yield case("reshape_flat", lambda: L.Reshape((-1,)), [steps], 331)
    yield case("permute", lambda: L.Permute((2, 1)), [steps], 332)
    yield case("permute_three", lambda: L.Permute((3, 1, 2)), [normal(22, (3, 2, 3, 4))], 333)
    yield case("repeat_vector", lambda: L.RepeatVector(3), [flat], 334)
    padded = steps.copy()
    padded[0, 2:] = 0
    padded[2, 1:] = 0
    yield case("masking", L.Masking, [padded], 340)
    yield case("masking_other", lambda: L.Masking(mask_value=-1.0), [np.where(padded == 0, F(-1), padded)], 341)
    ids = np.random.default_rng(23).integers(0, 7, (5, 3)).astype("int32")
    yield case("embedding", lambda: L.Embedding(7, 2), [ids], 350)
    yield case("embedding_one", lambda: L.Embedding(7, 3), [ids[:, 0]], 351)
    yield case("embedding_floats", lambda: L.Embedding(7, 2), [ids.astype("float32")], 352, training=False) | {"gradients": None}
    image = normal(24, (3, 2, 2, 4))
    for name, config, x in [
        ("dense", {"equation": "ab,bc->ac", "output_shape": 3, "bias_axes": "c"}, flat),
        ("sequence", {"equation": "abc,cd->abd", "output_shape": (None, 2), "bias_axes": "d", "activation": "relu"}, steps),
        ("heads", {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, steps),
        ("join_heads", {"equation": "abde,dec->abc", "output_shape": (None, 3), "bias_axes": "c"}, image),
        ("left", {"equation": "...x,xy->...y", "output_shape": 2, "bias_axes": "y"}, steps),
        ("left_flat", {"equation": "...x,xy->...y", "output_shape": 2}, flat),
        ("right", {"equation": "ax...,xy->ay...", "output_shape": 2, "bias_axes": "y"}, steps),
        ("shared", {"equation": "abc,bcd->abd", "output_shape": (3, 2), "bias_axes": "bd"}, steps),
        ("shared_more", {"equation": "abcd,bde->abce", "output_shape": (2, None, 2)}, image),
        ("turned", {"equation": "abc,dc->adb", "output_shape": (2, None), "bias_axes": "d"}, steps),
    ]:
        yield case(f"einsum_dense_{name}", lambda: L.EinsumDense(**config), [x], 400)
    yield case("time_distributed_dense", lambda: L.TimeDistributed(L.Dense(2, activation="tanh")), [steps], 410)
    yield case("time_distributed_flatten", lambda: L.TimeDistributed(L.Flatten()), [image], 411)
    yield case("time_distributed_layer_normalization", lambda: L.TimeDistributed(L.LayerNormalization()), [steps], 412)
    for name, make in [
        ("alpha_dropout", lambda: L.AlphaDropout(0.3)),
        ("gaussian_dropout", lambda: L.GaussianDropout(0.3)),
        ("gaussian_noise", lambda: L.GaussianNoise(0.3)),
    ]:
        yield case(name, make, [flat], 360, step=False, training=False)


def noise():
    """Statistics of what layers do to ones in training."""
    for name, make in [
        ("alpha_dropout", lambda: L.AlphaDropout(0.2, seed=3)),
        ("alpha_dropout_half", lambda: L.AlphaDropout(0.5, seed=3)),
        ("gaussian_dropout", lambda: L.GaussianDropout(0.2, seed=3)),
        ("gaussian_noise", lambda: L.GaussianNoise(0.5, seed=3)),
    ]:
        layer = make()
        y = np.asarray(layer(np.ones((1000, 100), F), training=True))
        values = sorted({float(F(v)) for v in y.ravel()}) if "alpha" in name else []
        yield {
            "name": name,
            "layer": type(layer).__name__,
            "config": config_of(layer),
            "shape": [1000, 100],
            "values": plain(values),
            "mean": plain(y.mean()),
            "deviation": plain(y.std()),
        }


def preprocessing():
    """Layers that encode data; those of texts need TensorFlow."""
    ids = np.array([[0, 1, 3], [2, 2, 5], [4, 0, 0]], "int32")

    def result(name, layer, x, **more):
        x = x if isinstance(x, list) else np.asarray(x)
        given = x if isinstance(x, list) or x.dtype.kind in "US" else tensor(x)
        given = given.tolist() if isinstance(given, np.ndarray) else given
        y = np.asarray(layer(np.array(x) if isinstance(x, list) else x))
        config = plain({k: v for k, v in layer.get_config().items() if k not in COMMON and v is not None})
        return {"name": name, "layer": type(layer).__name__, "config": config, "x": given, "y": tensor(y), **more}

    for mode in ["one_hot", "multi_hot", "count"]:
        yield result(f"category_encoding_{mode}", L.CategoryEncoding(6, output_mode=mode), ids)
    yield result("category_encoding_column", L.CategoryEncoding(6, output_mode="one_hot"), ids[:, :1])
    yield result("category_encoding_list", L.CategoryEncoding(6, output_mode="one_hot"), ids[:, 0])
    numbers, small = normal(500, (4, 3)), normal(501, (9,))
    yield result("discretization", L.Discretization([-1.0, 0.0, 0.5]), numbers)
    yield result("discretization_on_boundary", L.Discretization([-1.0, 0.0, 0.5]), np.array([[-1, 0, 0.5]], F))
    yield result("discretization_one_hot", L.Discretization([-1.0, 0.5], output_mode="one_hot"), numbers)
    yield result("discretization_count", L.Discretization([-1.0, 0.5], output_mode="count"), numbers)
    for name, bins, epsilon, data in [
        ("adapt", 4, 0.01, normal(502, (230,))),
        ("adapt_small", 3, 0.01, small),
        ("adapt_coarse", 5, 0.1, normal(503, (20, 5))),
        ("adapt_few", 8, 0.01, normal(504, (5,))),
    ]:
        layer = L.Discretization(num_bins=bins, epsilon=epsilon)
        layer.adapt(data)
        yield result(f"discretization_{name}", layer, numbers, adapt=tensor(data), boundaries=plain(layer.bin_boundaries))

    alphabet = "The quick brown fox jumps over the lazy dog, and never stops: 0123456789 äöü"
    texts = [(alphabet * 4)[i : i + n] for i, n in enumerate([0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 200])]
    bins = 1_000_000_007
    yield result("hashing_lengths", L.Hashing(bins), texts)
    yield result("hashing_lengths_salted", L.Hashing(bins, salt=(133, 137)), texts)
    yield result("hashing_salt", L.Hashing(5, salt=9), ["a", "b", "c", "d"])
    yield result("hashing_mask", L.Hashing(3, mask_value=""), ["A", "B", "", "C", "D"])
    yield result("hashing_numbers", L.Hashing(11), np.array([0, 1, -5, 1234567], "int32"))
    rows = [["a", "b", "a"], ["c", "a", "d"]]
    yield result("hashing_rows", L.Hashing(4), rows)
    for mode in ["one_hot", "multi_hot", "count"]:
        yield result(f"hashing_{mode}", L.Hashing(4, output_mode=mode), rows)

    words = [["a", "c", "d"], ["d", "z", "b"], ["", "[UNK]", "yy"]]
    vocabulary = ["a", "b", "c", "d"]
    for name, more in [
        ("plain", {}),
        ("mask", {"mask_token": ""}),
        ("unknown", {"num_oov_indices": 3}),
        ("mask_unknown", {"mask_token": "", "num_oov_indices": 2}),
        *[(mode, {"output_mode": mode}) for mode in ["one_hot", "multi_hot", "count"]],
        ("count_mask", {"output_mode": "count", "mask_token": ""}),
        ("tf_idf", {"output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]}),
    ]:
        layer = L.StringLookup(vocabulary=vocabulary, **more)
        yield result(f"string_lookup_{name}", layer, words, tokens=[str(v) for v in layer.get_vocabulary()])
    documents = [["d", "c", "c"], ["c", "b", "a"], ["b", "", "c"]]
    for name, more in [("adapt", {}), ("adapt_max", {"max_tokens": 3, "mask_token": ""}), ("adapt_tf_idf", {"output_mode": "tf_idf"})]:
        layer = L.StringLookup(**more)
        layer.adapt(np.array(documents))
        yield result(f"string_lookup_{name}", layer, words, adapt=documents, tokens=[str(v) for v in layer.get_vocabulary()])

    numbers = np.array([[12, 1138, 42], [42, 1000, 36], [0, -7, 12]], "int32")
    vocabulary = [12, 36, 1138, 42]
    for name, more in [
        ("plain", {}),
        ("mask", {"mask_token": 0}),
        ("unknown", {"num_oov_indices": 3}),
        *[(mode, {"output_mode": mode}) for mode in ["one_hot", "multi_hot", "count"]],
        ("count_mask", {"output_mode": "count", "mask_token": 0}),
        ("tf_idf", {"output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]}),
    ]:
        layer = L.IntegerLookup(vocabulary=vocabulary, **more)
        yield result(f"integer_lookup_{name}", layer, numbers, tokens=[int(v) for v in layer.get_vocabulary()])
    layer = L.IntegerLookup()
    data = np.array([[5, 9, 5], [7, 9, 5], [7, 1, 3]], "int32")
    layer.adapt(data)
    yield result("integer_lookup_adapt", layer, data, adapt=tensor(data), tokens=[int(v) for v in layer.get_vocabulary()])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    parser.add_argument("names", nargs="*", default=["layer_steps", "preprocessing"])
    args = parser.parse_args()
    if "preprocessing" in args.names:
        write(args.out, "preprocessing", list(preprocessing()))
    if "layer_steps" in args.names:
        cases = [*normalizations(), *merges(), *others()]
        write(args.out, "layer_steps", cases, noise=list(noise()))


if __name__ == "__main__":
    main()
