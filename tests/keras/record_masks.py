"""Records what Keras does with masks: `recorded/masks.json`.

Usage (see README.md next to this file): python record_masks.py [--out DIR]

Each case is a model: branches of layers, perhaps a layer that merges them, and layers behind it. It holds each
layer's configuration and weights before and after two epochs of SGD, the mask of the outputs, and the numbers of
`predict`, `evaluate` (all samples as one batch: Keras divides by what counts in each batch) and `fit`.
"""

import argparse
import pathlib

import record
from record import F, integers, keras, normal, np, number, plain, tensor, tensors, uniform
from record_layers import config_of

L = keras.layers


def flat(branches, merge, layers):
    return [layer for branch in branches for layer in branch] + ([merge] if merge else []) + layers


def drawn(inputs, branches, merge, layers):
    """The tensor behind all layers."""
    ends = []
    for x, branch in zip(inputs, branches):
        for layer in branch:
            x = layer(x)
        ends.append(x)
    x = merge(ends) if merge else ends[0]
    for layer in layers:
        x = layer(x)
    return x


def inner_config(layer):
    """A nested model as a list of its layers."""
    if isinstance(layer, keras.Sequential):
        return {"layers": [layer_record(inner) for inner in layer.layers]}
    return config_of(layer)


def layer_record(layer):
    weights = [] if isinstance(layer, keras.Sequential) else layer.weights
    return {
        "layer": type(layer).__name__,
        "config": inner_config(layer),
        "weights": [{"name": v.name, "value": tensor(v.value)} for v in weights],
    }


def note_weights(entry, layer):
    """The weights that a layer has after training."""
    if isinstance(layer, keras.Sequential):
        for inner, part in zip(layer.layers, entry["config"]["layers"]):
            note_weights(part, inner)
    else:
        entry["weights_after"] = [{"name": v.name, "value": tensor(v.value)} for v in layer.weights]


def case(name, branches, merge, layers, loss, metrics, inputs, y, w=None, seed=0):
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    places = [keras.Input(x.shape[1:], dtype=str(x.dtype), name=f"x_{i}") for i, x in enumerate(inputs)]
    model = keras.Model(places, drawn(places, branches, merge, layers))
    for i, v in enumerate(model.weights):
        value = normal(seed + i, v.shape, 0.5)
        v.assign(np.abs(value) + F(0.5) if "variance" in v.name or v.name == "gamma" else value)
    entries = [[layer_record(layer) for layer in part] for part in (*branches, [merge] if merge else [], layers)]
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=loss,
        metrics=[m() for m in metrics],
        weighted_metrics=[m() for m in metrics] if w is not None else [],
    )
    arrays = list(inputs) if len(inputs) > 1 else inputs[0]
    outputs = model(arrays)
    mask = keras.src.backend.get_keras_mask(outputs)
    result = {
        "name": name,
        "branches": entries[: len(branches)],
        "merge": entries[len(branches)][0] if merge else None,
        "layers": entries[-1],
        "loss": {"loss": type(loss).__name__, **plain({k: v for k, v in loss.get_config().items() if k != "name"})},
        "metrics": [m().__class__.__name__ for m in metrics],
        "inputs": {**{f"x_{i}": tensor(x) for i, x in enumerate(inputs)}, "y": tensor(y)},
        "outputs": {"mask": None if mask is None else tensor(mask), "y": tensor(outputs)},
    }
    if w is not None:
        result["inputs"]["w"] = tensor(w)
    evaluate = lambda: model.evaluate(arrays, y, sample_weight=w, batch_size=len(y), verbose=0, return_dict=True)
    result["outputs"]["evaluate"] = {k: number(v) for k, v in evaluate().items()}
    history = model.fit(arrays, y, sample_weight=w, batch_size=4, epochs=2, shuffle=False, verbose=0)
    result["outputs"]["history"] = {k: [number(v) for v in values] for k, values in history.history.items()}
    result["outputs"]["evaluate_after"] = {k: number(v) for k, v in evaluate().items()}
    parts = [*branches, [merge] if merge else [], layers]
    for entry, layer in zip([e for part in entries for e in part], [l for part in parts for l in part]):
        note_weights(entry, layer)
    return result


def padded(seed, shape, value=0.0):
    """Sequences of different lengths, the rest of which is `value`."""
    x = normal(seed, shape)
    for i in range(shape[0]):
        x[i, shape[1] - i % shape[1] :] = value
    return x


def cases():
    losses, metrics = keras.losses, keras.metrics
    mse, sparse = losses.MeanSquaredError, losses.SparseCategoricalCrossentropy
    n, t = 6, 4
    ids = integers(1, (n, t), 7)
    ids[:, -1] = 0
    ids[2] = 0  # a sample of padding only
    labels = integers(2, (n, t), 3)
    x, other = padded(3, (n, t, 3)), padded(4, (n, t, 3))[::-1].copy()
    y = lambda k=1: normal(5, (n, t, k))
    w = np.round(uniform(6, (n, t), 0, 2), 2)
    embedding = lambda: L.Embedding(7, 3, mask_zero=True)
    softmax = lambda: L.Dense(3, activation="softmax")
    means = [metrics.MeanAbsoluteError, metrics.CosineSimilarity, metrics.LogCoshError]

    words = lambda: [[embedding(), L.Dense(4, activation="tanh")]]
    of_classes = [metrics.SparseCategoricalAccuracy, metrics.SparseCategoricalCrossentropy]
    yield case("embedding", words(), None, [softmax()], sparse(), of_classes, [ids], labels)
    yield case("embedding_and_weights", words(), None, [softmax()], sparse(), of_classes[:1], [ids], labels, w)
    yield case("embedding_of_samples", [[embedding()]], None, [L.Dense(1)], mse(), means[:1], [ids[:, 0]], normal(7, (n, 1)))
    yield case("nothing_counts", words(), None, [softmax()], sparse(), of_classes, [ids * 0], labels)
    ignored = labels.copy()
    ignored[:, 1] = -1
    yield case("ignored_class", words(), None, [softmax()], sparse(ignore_class=-1), [], [ids], ignored)
    for reduction in ["sum", "mean_with_sample_weight"]:
        loss = sparse(reduction=reduction)
        yield case(f"reduced_by_{reduction}", words(), None, [softmax()], loss, of_classes[:1], [ids], labels)
        yield case(f"reduced_by_{reduction}_and_weights", words(), None, [softmax()], loss, [], [ids], labels, w)
    hits = [metrics.BinaryAccuracy, metrics.BinaryCrossentropy]
    truth = integers(8, (n, t, 1), 2).astype(F)
    yield case("truth_values", words(), None, [L.Dense(1, activation="sigmoid")], losses.BinaryCrossentropy(), hits, [ids], truth)
    rows = record.one_hot(labels, 3)
    of_rows = [metrics.CategoricalAccuracy, metrics.PearsonCorrelation]
    yield case("one_hot_rows", words(), None, [softmax()], losses.CategoricalCrossentropy(), of_rows, [ids], rows)
    counts = [metrics.RootMeanSquaredError, metrics.Precision]
    yield case("metrics_that_count_all", words(), None, [L.Dense(1, activation="sigmoid")], mse(), counts, [ids], truth)

    masking = lambda: [[L.Masking(0.0)]]
    yield case("masking", [[L.Masking(-1.0)]], None, [L.Dense(2)], mse(), means, [padded(3, (n, t, 3), -1.0)], y(2))
    yield case("batch_normalization", masking(), None, [L.BatchNormalization(momentum=0.8), L.Dense(1)], mse(), means[:1], [x], y())
    yield case("batch_normalization_of_axis_1", masking(), None, [L.BatchNormalization(axis=1), L.Dense(1)], mse(), [], [x], y())
    of_pictures = [[L.Masking(0.0), L.BatchNormalization()]]
    pictures, targets = padded(9, (n, 3, 2, 2)), normal(10, (n, 3, 2, 1))
    pictures[0, 1, 1] = 0
    yield case("batch_normalization_of_pictures", of_pictures, None, [L.Dense(1)], mse(), means[:1], [pictures], targets)
    normalizations = lambda: [L.LayerNormalization(), L.GroupNormalization(3), L.UnitNormalization(), L.Dense(1)]
    yield case("normalizations", masking(), None, normalizations(), mse(), means[:1], [x], y())
    elements = lambda: [L.ReLU(negative_slope=0.1), L.PReLU(), L.Activation("tanh"), L.Rescaling(2.0, 0.5)]
    yield case("element_by_element", masking(), None, [*elements(), L.Dropout(0.0), L.ActivityRegularization(l2=0.01), L.Dense(1)], mse(), means[:1], [x], y())
    yield case("rms_normalization_drops_it", masking(), None, [L.RMSNormalization(), L.Dense(1)], mse(), means[:1], [x], y())
    yield case("einsum_dense_drops_it", masking(), None, [L.EinsumDense("abc,cd->abd", (None, 1))], mse(), means[:1], [x], y())
    yield case("flatten_drops_it", masking(), None, [L.Flatten(), L.Dense(1)], mse(), means[:1], [x], normal(11, (n, 1)))
    samples = padded(12, (n, 3))
    yield case("masking_of_samples", [[L.Masking(0.0)]], None, [L.Dense(1)], mse(), means[:1], [samples], normal(11, (n, 1)))
    yield case("flatten_of_samples", [[L.Masking(0.0)]], None, [L.Flatten(), L.Dense(1)], mse(), means[:1], [samples], normal(11, (n, 1)))
    turned = normal(15, (n, 3, 1))
    yield case("reshape_drops_it", masking(), None, [L.Reshape((3, t)), L.Dense(1)], mse(), means[:1], [x], turned)
    yield case("permute_drops_it", masking(), None, [L.Permute((2, 1)), L.Dense(1)], mse(), means[:1], [x], turned)
    yield case("reshape_to_the_same", masking(), None, [L.Reshape((t, 3)), L.Dense(1)], mse(), means[:1], [x], y())
    yield case("permute_to_the_same", masking(), None, [L.Permute((1, 2)), L.Dense(1)], mse(), means[:1], [x], y())
    yield case("time_distributed", masking(), None, [L.TimeDistributed(L.Dense(3, activation="tanh")), L.Dense(1)], mse(), means[:1], [x], y())
    inner = lambda: keras.Sequential([L.Masking(0.0), L.Dense(3, activation="tanh"), L.BatchNormalization()])
    yield case("nested_model", [[inner()]], None, [L.Dense(1)], mse(), means[:1], [x], y())
    passing = lambda: keras.Sequential([L.Dense(3, activation="tanh"), L.BatchNormalization()])
    yield case("through_a_nested_model", [[L.Masking(0.0), passing()]], None, [L.Dense(1)], mse(), means[:1], [x], y())

    both = lambda: [[L.Masking(0.0), L.Dense(2)], [L.Masking(0.0), L.Dense(2)]]
    first = lambda: [[L.Masking(0.0), L.Dense(2)], [L.Dense(2)]]
    for merge in [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate]:
        snake = merge.__name__.lower()
        yield case(f"{snake}_of_both", both(), merge(), [L.Dense(1)], mse(), means[:1], [x, other], y())
        yield case(f"{snake}_of_the_first", first(), merge(), [L.Dense(1)], mse(), means[:1], [x, other], y())
    three = lambda: [*both(), [L.Masking(0.0), L.Dense(2)]]
    third = padded(13, (n, t, 3))
    for merge in [L.Multiply, L.Maximum]:
        yield case(f"{merge.__name__.lower()}_of_three", three(), merge(), [L.Dense(1)], mse(), [], [x, other, third], y())
    longer = normal(14, (n, 2 * t, 1))
    yield case("concatenate_of_steps", both(), L.Concatenate(axis=1), [L.Dense(1)], mse(), means[:1], [x, other], longer)
    yield case("concatenate_of_steps_of_the_first", first(), L.Concatenate(axis=1), [L.Dense(1)], mse(), means[:1], [x, other], longer)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    record.write(parser.parse_args().out, "masks", list(cases()))


if __name__ == "__main__":
    main()
