"""Records reference numbers from Keras for Carnyx's tests.

Usage (see README.md next to this file):

    python record.py [--out DIR] [NAME ...]

NAME is one of the recorders below (activations, losses, ...); without a name
all of them run. Every file holds the complete inputs next to the outputs, so a
test needs nothing but the file.
"""

import argparse
import contextlib
import io
import itertools
import json
import math
import os
import pathlib
import re
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import keras
import numpy as np

F = np.float32


# --------------------------------------------------------------------------
# Writing


def number(v):
    """A float32 as the shortest decimal that reads back as the same float32."""
    v = F(v)
    if np.isnan(v):
        return "nan"
    if np.isinf(v):
        return "inf" if v > 0 else "-inf"
    out = float(str(v))
    assert F(out) == v  # also when the reader goes through a float64
    return out


def tensor(a):
    a = np.asarray(a)
    if a.dtype == np.bool_:
        data = [bool(v) for v in a.ravel()]
        dtype = "bool"
    elif np.issubdtype(a.dtype, np.integer):
        data = [int(v) for v in a.ravel()]
        dtype = "int32"
    else:
        a = a.astype(F)
        data = [number(v) for v in a.ravel()]
        dtype = "float32"
    return {"shape": list(a.shape), "dtype": dtype, "data": data}


def tensors(d):
    return {k: tensor(v) for k, v in d.items()}


def plain(v):
    """A configuration value as JSON: float32 noise removed, nothing else."""
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, (np.integer,)):
        return int(v)
    if isinstance(v, (np.floating, jax.Array)):
        return number(v)
    if isinstance(v, float):
        short = number(v)
        # 0.0010000000474974513 came through a float32 variable: write 0.001.
        if isinstance(short, float) and v == float(F(v)):
            return short
        return v
    return v


def dump(v, depth=0):
    """Indented JSON that keeps lists of numbers and tensors on one line."""
    pad = " " * (depth + 1)
    if isinstance(v, dict):
        if set(v) == {"shape", "dtype", "data"} or not v:
            return json.dumps(v, allow_nan=False)
        parts = [f"{pad}{json.dumps(k)}: {dump(x, depth + 1)}" for k, x in v.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * depth + "}"
    if isinstance(v, list) and any(isinstance(x, (dict, list)) for x in v):
        parts = [f"{pad}{dump(x, depth + 1)}" for x in v]
        return "[\n" + ",\n".join(parts) + "\n" + " " * depth + "]"
    return json.dumps(v, allow_nan=False)


def write(out, name, cases, **more):
    record = {"keras": keras.__version__, "backend": keras.backend.backend()}
    record.update(more)
    record["cases"] = cases
    path = out / f"{name}.json"
    path.write_text(dump(record) + "\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


def normal(seed, shape, scale=1.0):
    """Random float32 with few decimals: easy to read, exact in the file."""
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(size=shape) * scale, 3).astype(F)


def uniform(seed, shape, low=0.0, high=1.0):
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(low, high, size=shape), 3).astype(F)


def integers(seed, shape, high):
    return np.random.default_rng(seed).integers(0, high, size=shape).astype(np.int32)


def probabilities(seed, shape):
    e = np.exp(normal(seed, shape))
    return (e / e.sum(-1, keepdims=True)).astype(F)


def one_hot(labels, n):
    return np.eye(n, dtype=F)[labels]


# --------------------------------------------------------------------------
# 1. Activations

ACTIVATION_INPUT = np.array(
    [0, 0.5, -0.5, 1, -1, 3.5, -3.5, 10, -10, 30, -30], dtype=F
)


def activations(out):
    x = np.concatenate([ACTIVATION_INPUT, normal(1, 17, 2.0)]).reshape(4, 7)
    w = normal(2, (4, 7))
    K = keras.activations
    # (name, function, arguments, points where it has no derivative)
    table = [
        ("linear", K.linear, {}, []),
        ("relu", K.relu, {}, [0]),
        ("relu", K.relu, {"negative_slope": 0.1}, [0]),
        ("relu", K.relu, {"max_value": 5.0}, [0, 5]),
        ("relu", K.relu, {"negative_slope": 0.1, "max_value": 5.0, "threshold": 0.75}, [0.75, 5]),
        ("leaky_relu", K.leaky_relu, {}, [0]),
        ("leaky_relu", K.leaky_relu, {"negative_slope": 0.3}, [0]),
        ("relu6", K.relu6, {}, [0, 6]),
        ("elu", K.elu, {}, []),
        ("elu", K.elu, {"alpha": 0.5}, [0]),
        ("celu", K.celu, {}, []),
        ("selu", K.selu, {}, [0]),
        ("gelu", K.gelu, {"approximate": False}, []),
        ("gelu", K.gelu, {"approximate": True}, []),
        ("silu", K.silu, {}, []),
        ("hard_silu", K.hard_silu, {}, [-3, 3]),
        ("mish", K.mish, {}, []),
        ("sigmoid", K.sigmoid, {}, []),
        ("log_sigmoid", K.log_sigmoid, {}, []),
        ("hard_sigmoid", K.hard_sigmoid, {}, [-3, 3]),
        ("sparse_sigmoid", K.sparse_sigmoid, {}, [-1, 1]),
        ("tanh", K.tanh, {}, []),
        ("hard_tanh", K.hard_tanh, {}, [-1, 1]),
        ("tanh_shrink", K.tanh_shrink, {}, []),
        ("soft_shrink", K.soft_shrink, {}, [-0.5, 0.5]),
        ("hard_shrink", K.hard_shrink, {}, [-0.5, 0.5]),
        ("softplus", K.softplus, {}, []),
        ("sparse_plus", K.sparse_plus, {}, []),
        ("squareplus", K.squareplus, {}, []),
        ("softsign", K.softsign, {}, []),
        ("exponential", K.exponential, {}, []),
        ("softmax", K.softmax, {}, []),
        ("softmax", K.softmax, {"axis": 0}, []),
        ("log_softmax", K.log_softmax, {}, []),
        ("log_softmax", K.log_softmax, {"axis": 0}, []),
    ]
    cases = []
    for name, fn, args, kinks in table:
        y = fn(jnp.asarray(x), **args)
        g = jax.grad(lambda v: jnp.sum(fn(v, **args) * w))(jnp.asarray(x))
        at = [int(i) for i, v in enumerate(x.ravel()) if any(v == F(k) for k in kinks)]
        suffix = "".join(f"_{k}_{v}" for k, v in args.items())
        cases.append(
            {
                "name": name + suffix.lower(),
                "activation": name,
                "config": args,
                "inputs": tensors({"x": x}),
                "weights": tensors({"out": w}),
                "outputs": tensors({"y": y}),
                "gradients": tensors({"x": g}),
                "kinks": at,
            }
        )
    write(out, "activations", cases)


# --------------------------------------------------------------------------
# 2. Losses


def loss_case(name, cls, config, y_true, y_pred, sample_weight=None):
    full = getattr(keras.losses, cls)
    loss = full(**config)
    each = full(**config, reduction=None)(y_true, y_pred, sample_weight=sample_weight)
    value = loss(y_true, y_pred, sample_weight=sample_weight)
    grad = jax.grad(lambda p: loss(y_true, p, sample_weight=sample_weight))(jnp.asarray(y_pred))
    inputs = {"y_true": y_true, "y_pred": y_pred}
    if sample_weight is not None:
        inputs["sample_weight"] = sample_weight
    return {
        "name": name,
        "loss": cls,
        "config": config,
        "inputs": tensors(inputs),
        "outputs": tensors({"per_sample": each, "mean": value}),
        "gradients": tensors({"y_pred": grad}),
    }


def losses(out):
    cases = []
    add = lambda *a, **k: cases.append(loss_case(*a, **k))
    y, p = normal(10, (6, 4)), normal(11, (6, 4))
    y3, p3 = normal(12, (3, 5, 4)), normal(13, (3, 5, 4))
    sw = np.array([1, 0, 2, 0.5, 1.5, 3], F)
    for cls, short in [("MeanSquaredError", "mse"), ("MeanAbsoluteError", "mae")]:
        add(f"{short}_2d", cls, {}, y, p)
        add(f"{short}_3d", cls, {}, y3, p3)
        add(f"{short}_sample_weight", cls, {}, y, p, sample_weight=sw)
        add(f"{short}_targets_n_predictions_n1", cls, {}, y[:, 0], p[:, :1])
        add(f"{short}_targets_n1_predictions_n", cls, {}, y[:, :1], p[:, 0])
        add(f"{short}_1d", cls, {}, y[:, 0], p[:, 0])

    yb = integers(14, (6, 4), 2).astype(F)
    pb = uniform(15, (6, 4))
    pe = np.array([[0, 1], [0, 1], [0.5, 0.25], [1e-8, 1 - 6e-8]], F)
    ye = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], F)
    lb = normal(16, (6, 4), 3.0)
    le = np.array([[30, -30], [30, -30], [0, 0.5], [100, -100]], F)
    yl = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], F)
    B = "BinaryCrossentropy"
    add("bce_probabilities", B, {}, yb, pb)
    add("bce_probabilities_extreme", B, {}, ye, pe)
    add("bce_probabilities_label_smoothing", B, {"label_smoothing": 0.1}, yb, pb)
    add("bce_probabilities_soft_targets", B, {}, uniform(17, (6, 4)), pb)
    add("bce_probabilities_targets_n_predictions_n1", B, {}, yb[:, 0], pb[:, :1])
    add("bce_probabilities_sample_weight", B, {}, yb, pb, sample_weight=sw)
    add("bce_logits", B, {"from_logits": True}, yb, lb)
    add("bce_logits_extreme", B, {"from_logits": True}, yl, le)
    add("bce_logits_targets_n_predictions_n1", B, {"from_logits": True}, yb[:, 0], lb[:, :1])

    labels = np.array([0, 3, 1, 2, 3, 0], np.int32)
    pc = probabilities(18, (6, 4))
    unnormalised = pc.copy()
    unnormalised[1] = [0.2, 0.4, 0.6, 0.8]
    unnormalised[2] = [0, 1, 0, 0]
    unnormalised[3] = [1, 0, 0, 0]
    lc = normal(19, (6, 4), 2.0)
    lx = lc.copy()
    lx[0] = [30, -30, 0, 0]
    lx[1] = [30, -30, 0, 0]
    lx[2] = [100, -100, 0, 0]
    yc = one_hot(labels, 4)
    C = "CategoricalCrossentropy"
    S = "SparseCategoricalCrossentropy"
    add("cce_probabilities", C, {}, yc, pc)
    add("cce_probabilities_not_normalised", C, {}, yc, unnormalised)
    add("cce_probabilities_label_smoothing", C, {"label_smoothing": 0.1}, yc, pc)
    add("cce_probabilities_soft_targets", C, {}, probabilities(20, (6, 4)), pc)
    add("cce_probabilities_sample_weight", C, {}, yc, pc, sample_weight=sw)
    add("cce_logits", C, {"from_logits": True}, yc, lc)
    add("cce_logits_extreme", C, {"from_logits": True}, yc, lx)
    add("scce_probabilities", S, {}, labels, pc)
    add("scce_probabilities_not_normalised", S, {}, labels, unnormalised)
    add("scce_probabilities_targets_n1", S, {}, labels[:, None], pc)
    add("scce_probabilities_sample_weight", S, {}, labels, pc, sample_weight=sw)
    add("scce_logits", S, {"from_logits": True}, labels, lc)
    add("scce_logits_targets_n1", S, {"from_logits": True}, labels[:, None], lc)
    add("scce_logits_extreme", S, {"from_logits": True}, labels, lx)
    l3 = integers(21, (3, 5), 4)
    add("scce_probabilities_3d", S, {}, l3, probabilities(22, (3, 5, 4)))
    add("scce_probabilities_3d_targets_nt1", S, {}, l3[..., None], probabilities(22, (3, 5, 4)))
    add("scce_logits_3d", S, {"from_logits": True}, l3, normal(23, (3, 5, 4)))

    # The same shapes through a compiled model: what Keras reports as `loss`.
    models = []
    x = normal(24, (6, 3))
    kernel, bias = normal(25, (3, 1)), normal(26, (1,))
    for short, activation, target in [
        ("mse", "linear", y[:, 0]),
        ("mae", "linear", y[:, 0]),
        ("bce", "sigmoid", yb[:, 0]),
    ]:
        for shape in ("n", "n1"):
            keras.utils.clear_session()
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation=activation)])
            model.set_weights([kernel, bias])
            name = {"bce": "binary_crossentropy"}.get(short, short)
            model.compile(optimizer=keras.optimizers.SGD(0.1), loss=name)
            t = target if shape == "n" else target[:, None]
            pred = model.predict(x, verbose=0)
            ev = model.evaluate(x, t, batch_size=6, verbose=0)
            tr = model.train_on_batch(x, t)
            k2, b2 = model.get_weights()
            models.append(
                {
                    "name": f"{short}_targets_{shape}",
                    "loss": name,
                    "config": {"activation": activation, "learning_rate": 0.1},
                    "inputs": tensors({"x": x, "y_true": t, "kernel": kernel, "bias": bias}),
                    "outputs": tensors(
                        {
                            "y_pred": pred,
                            "evaluate": ev,
                            "train_on_batch": tr,
                            "kernel_after": k2,
                            "bias_after": b2,
                        }
                    ),
                }
            )
    write(out, "losses", cases, compiled=models)


def reduced_case(name, cls, config, reduction, y_true, y_pred, sample_weight=None):
    """One number (or none) from a loss, and the gradient of its sum."""
    loss = getattr(keras.losses, cls)(**config, reduction=reduction)
    value = lambda p: loss(y_true, p, sample_weight=sample_weight)
    inputs = {"y_true": y_true, "y_pred": y_pred}
    if sample_weight is not None:
        inputs["sample_weight"] = sample_weight
    return {
        "name": name,
        "loss": cls,
        "config": {**config, "reduction": reduction},
        "inputs": tensors(inputs),
        "outputs": tensors({"value": value(y_pred)}),
        "gradients": tensors({"y_pred": jax.grad(lambda p: jnp.sum(value(p)))(jnp.asarray(y_pred))}),
    }


def losses_more(out):
    cases = []
    add = lambda *a, **k: cases.append(loss_case(*a, **k))
    sw = np.array([1, 0, 2, 0.5, 1.5, 3], F)
    y, p = normal(200, (6, 4)), normal(201, (6, 4))
    y3, p3 = normal(202, (3, 5, 4)), normal(203, (3, 5, 4))
    positive_y, positive_p = uniform(204, (6, 4), 0.2, 9), uniform(205, (6, 4), 0.2, 9)
    truth, probability = integers(206, (6, 4), 2).astype(F), uniform(207, (6, 4), 0.05, 0.95)
    signs = truth * 2 - 1
    labels = np.array([0, 3, 1, 2, 3, 0], np.int32)
    rows, shares = one_hot(labels, 4), probabilities(208, (6, 4))
    logits = normal(209, (6, 4), 2.0)

    def all_shapes(short, cls, config, y, p):
        add(short, cls, config, y, p)
        add(f"{short}_sample_weight", cls, config, y, p, sample_weight=sw)
        add(f"{short}_targets_n_predictions_n1", cls, config, y[:, 0], p[:, :1])

    all_shapes("mape", "MeanAbsolutePercentageError", {}, y, p)
    add("mape_zero_target", "MeanAbsolutePercentageError", {}, np.array([[0, 2]], F), np.array([[1e-7, 1]], F))
    all_shapes("msle", "MeanSquaredLogarithmicError", {}, positive_y, positive_p)
    add("msle_negative", "MeanSquaredLogarithmicError", {}, y, p)
    all_shapes("log_cosh", "LogCosh", {}, y, p)
    add("log_cosh_large", "LogCosh", {}, y * 30, p * 30)
    all_shapes("huber", "Huber", {}, y, p)
    add("huber_delta", "Huber", {"delta": 0.4}, y, p)
    add("huber_3d", "Huber", {"delta": 2.0}, y3, p3)
    add("cosine", "CosineSimilarity", {}, y, p)
    add("cosine_sample_weight", "CosineSimilarity", {}, y, p, sample_weight=sw)
    add("cosine_3d", "CosineSimilarity", {}, y3, p3)
    all_shapes("poisson", "Poisson", {}, positive_y, positive_p)
    add("kld", "KLDivergence", {}, probabilities(210, (6, 4)), shares)
    add("kld_sample_weight", "KLDivergence", {}, probabilities(210, (6, 4)), shares, sample_weight=sw)
    add("kld_one_hot", "KLDivergence", {}, rows, shares)
    all_shapes("hinge_signs", "Hinge", {}, signs, p)
    all_shapes("hinge_truth_values", "Hinge", {}, truth, p)
    all_shapes("squared_hinge", "SquaredHinge", {}, truth, p)
    add("squared_hinge_any_targets", "SquaredHinge", {}, y, p)
    add("categorical_hinge", "CategoricalHinge", {}, rows, logits)
    add("categorical_hinge_sample_weight", "CategoricalHinge", {}, rows, logits, sample_weight=sw)

    B, C, S = "BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"
    add("bce_logits_label_smoothing", B, {"from_logits": True, "label_smoothing": 0.2}, truth, logits)
    add("cce_logits_label_smoothing", C, {"from_logits": True, "label_smoothing": 0.2}, rows, logits)
    add("scce_ignore_class", S, {"ignore_class": 3}, labels, shares)
    add("scce_ignore_class_sample_weight", S, {"ignore_class": 3}, labels, shares, sample_weight=sw)
    add("scce_ignore_class_logits", S, {"ignore_class": -1, "from_logits": True}, np.array([0, -1, 1, 2, -1, 0], np.int32), logits)
    padded = integers(211, (3, 5), 4)
    padded[0, 3:] = padded[2, 1:] = 255
    add("scce_ignore_class_3d", S, {"ignore_class": 255}, padded, probabilities(212, (3, 5, 4)))
    add("scce_ignore_all", S, {"ignore_class": 2}, np.full((6,), 2, np.int32), shares)

    BF, CF = "BinaryFocalCrossentropy", "CategoricalFocalCrossentropy"
    all_shapes("binary_focal", BF, {}, truth, probability)
    add("binary_focal_balanced", BF, {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, truth, probability)
    add("binary_focal_logits", BF, {"from_logits": True, "gamma": 1.0}, truth, logits)
    add("binary_focal_label_smoothing", BF, {"label_smoothing": 0.1, "gamma": 3.0}, truth, probability)
    add("categorical_focal", CF, {}, rows, shares)
    add("categorical_focal_sample_weight", CF, {}, rows, shares, sample_weight=sw)
    add("categorical_focal_logits", CF, {"from_logits": True, "gamma": 1.5, "alpha": 0.5}, rows, logits)
    add("categorical_focal_alphas", CF, {"alpha": [0.1, 0.2, 0.3, 0.4], "label_smoothing": 0.1}, rows, shares)
    G = "CategoricalGeneralizedCrossEntropy"
    add("generalized", G, {}, labels, shares)
    add("generalized_q", G, {"q": 0.8}, labels, shares)
    add("generalized_sample_weight", G, {}, labels, shares, sample_weight=sw)

    picture_y = integers(213, (2, 3, 4, 1), 2).astype(F)
    picture_p = uniform(214, (2, 3, 4, 1))
    add("dice", "Dice", {}, picture_y, picture_p)
    add("dice_axis", "Dice", {"axis": [1, 2, 3]}, picture_y, picture_p)
    add("dice_axis_sample_weight", "Dice", {"axis": [1, 2, 3]}, picture_y, picture_p, sample_weight=np.array([2, 0.5], F))
    add("tversky", "Tversky", {}, picture_y, picture_p)
    add("tversky_alpha_beta", "Tversky", {"alpha": 0.2, "beta": 0.8}, picture_y, picture_p)
    add("tversky_axis", "Tversky", {"alpha": 0.7, "beta": 0.3, "axis": [1, 2, 3]}, picture_y, picture_p)

    directions = normal(215, (6, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    classes = np.array([0, 1, 0, 1, 2, 1], np.int32)
    add("circle", "Circle", {}, classes, directions)
    add("circle_gentle", "Circle", {"gamma": 4.0, "margin": 0.25}, classes, directions)
    add("circle_with_itself", "Circle", {"gamma": 4.0, "remove_diagonal": False}, classes, directions)
    add("circle_sample_weight", "Circle", {"gamma": 4.0}, classes, directions, sample_weight=sw)

    reductions = []
    for reduction in ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"):
        for weights, ending in ((None, ""), (sw, "_sample_weight")):
            r = lambda short, *a: reductions.append(
                reduced_case(f"{short}_{reduction}{ending}", *a, sample_weight=weights)
            )
            r("mse", "MeanSquaredError", {}, reduction, y, p)
            r("scce_ignore_class", S, {"ignore_class": 3}, reduction, labels, shares)
        nothing = np.zeros((6,), F)
        reductions.append(reduced_case(f"mae_{reduction}_no_weight", "MeanAbsoluteError", {}, reduction, y, p, nothing))
    write(out, "losses_more", cases, reductions=reductions)


# --------------------------------------------------------------------------
# 3. Metrics


def metric_case(name, cls, config, batches):
    metric = getattr(keras.metrics, cls)(**config)
    record = []
    for b in batches:
        if cls == "Mean":
            metric.update_state(b["values"], sample_weight=b.get("sample_weight"))
        else:
            metric.update_state(b["y_true"], b["y_pred"], sample_weight=b.get("sample_weight"))
        record.append(
            {
                "inputs": tensors(b),
                "result": tensor(metric.result()),
                "state": {v.name: tensor(v) for v in metric.variables},
            }
        )
    default_name = getattr(keras.metrics, cls)(**config).name
    metric.reset_state()
    return {
        "name": name,
        "metric": cls,
        "config": config,
        "default_name": default_name,
        "batches": record,
        "result_after_reset": tensor(metric.result()),
    }


def metrics(out):
    cases = []
    sizes = [5, 3, 7]

    def with_and_without(name, cls, config, make):
        batches = [make(i, n) for i, n in enumerate(sizes)]
        cases.append(metric_case(name, cls, config, batches))
        weighted = [
            dict(b, sample_weight=np.round(uniform(90 + i, (n,), 0, 2), 2))
            for i, (b, n) in enumerate(zip(batches, sizes))
        ]
        weighted[0]["sample_weight"][0] = 0
        cases.append(metric_case(name + "_sample_weight", cls, config, weighted))

    def binary(i, n):
        p = uniform(30 + i, (n, 1))
        p[0, 0] = 0.5
        return {"y_true": integers(33 + i, (n, 1), 2).astype(F), "y_pred": p}

    def binary_n(i, n):
        b = binary(i, n)
        return {"y_true": b["y_true"][:, 0], "y_pred": b["y_pred"]}

    def multilabel(i, n):
        return {"y_true": integers(36 + i, (n, 4), 2).astype(F), "y_pred": uniform(39 + i, (n, 4))}

    def some_right(seed, p):
        """Labels: every second one is the most probable class, the rest random."""
        labels = integers(seed, (len(p),), p.shape[-1])
        labels[::2] = p.argmax(-1)[::2]
        return labels

    def sparse(i, n):
        return {"y_true": some_right(42 + i, p := probabilities(45 + i, (n, 7))), "y_pred": p}

    def sparse_n1(i, n):
        b = sparse(i, n)
        return {"y_true": b["y_true"][:, None], "y_pred": b["y_pred"]}

    def categorical(i, n):
        b = sparse(i, n)
        return {"y_true": one_hot(b["y_true"], 7), "y_pred": b["y_pred"]}

    def sparse_logits(i, n):
        return {"y_true": some_right(42 + i, p := normal(45 + i, (n, 7), 2.0)), "y_pred": p}

    def categorical_logits(i, n):
        b = sparse_logits(i, n)
        return {"y_true": one_hot(b["y_true"], 7), "y_pred": b["y_pred"]}

    def binary_logits(i, n):
        return {"y_true": integers(33 + i, (n, 1), 2).astype(F), "y_pred": normal(48 + i, (n, 1), 2.0)}

    def regression(i, n):
        return {"y_true": normal(51 + i, (n, 3)), "y_pred": normal(54 + i, (n, 3))}

    def regression_n(i, n):
        return {"y_true": normal(51 + i, (n,)), "y_pred": normal(54 + i, (n, 1))}

    def sequence(i, n):
        return {"y_true": integers(57 + i, (n, 2), 4), "y_pred": probabilities(60 + i, (n, 2, 4))}

    w = with_and_without
    w("binary_accuracy", "BinaryAccuracy", {}, binary)
    w("binary_accuracy_threshold", "BinaryAccuracy", {"threshold": 0.3}, binary)
    w("binary_accuracy_targets_n", "BinaryAccuracy", {}, binary_n)
    w("binary_accuracy_multilabel", "BinaryAccuracy", {}, multilabel)
    w("categorical_accuracy", "CategoricalAccuracy", {}, categorical)
    w("sparse_categorical_accuracy", "SparseCategoricalAccuracy", {}, sparse)
    w("sparse_categorical_accuracy_targets_n1", "SparseCategoricalAccuracy", {}, sparse_n1)
    cases.append(
        metric_case(
            "sparse_categorical_accuracy_3d",
            "SparseCategoricalAccuracy",
            {},
            [sequence(i, n) for i, n in enumerate(sizes)],
        )
    )
    for k in (1, 3, 5):
        w(f"top_{k}_categorical_accuracy", "TopKCategoricalAccuracy", {"k": k}, categorical)
        w(f"sparse_top_{k}_categorical_accuracy", "SparseTopKCategoricalAccuracy", {"k": k}, sparse)
    w("mean_absolute_error", "MeanAbsoluteError", {}, regression)
    w("mean_absolute_error_targets_n", "MeanAbsoluteError", {}, regression_n)
    w("mean_squared_error", "MeanSquaredError", {}, regression)
    w("mean_squared_error_targets_n", "MeanSquaredError", {}, regression_n)
    w("root_mean_squared_error", "RootMeanSquaredError", {}, regression)
    w("root_mean_squared_error_targets_n", "RootMeanSquaredError", {}, regression_n)
    w("binary_crossentropy", "BinaryCrossentropy", {}, binary)
    w("binary_crossentropy_logits", "BinaryCrossentropy", {"from_logits": True}, binary_logits)
    w("categorical_crossentropy", "CategoricalCrossentropy", {}, categorical)
    w("categorical_crossentropy_logits", "CategoricalCrossentropy", {"from_logits": True}, categorical_logits)
    w("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", {}, sparse)
    w("sparse_categorical_crossentropy_logits", "SparseCategoricalCrossentropy", {"from_logits": True}, sparse_logits)
    w("mean", "Mean", {}, lambda i, n: {"values": normal(70 + i, (n,))})
    w("mean_2d", "Mean", {}, lambda i, n: {"values": normal(73 + i, (n, 2))})

    ties = np.array([[0.5, 0.5, 0.5, 0.1], [0.1, 0.5, 0.5, 0.5], [0.25] * 4], F)
    for k in (1, 2, 3):
        for label in (0, 1, 2, 3):
            cases.append(
                metric_case(
                    f"sparse_top_{k}_ties_label_{label}",
                    "SparseTopKCategoricalAccuracy",
                    {"k": k},
                    [{"y_true": np.full((1,), label, np.int32), "y_pred": ties[r : r + 1]} for r in range(3)],
                )
            )
    for label in (0, 1, 2, 3):
        cases.append(
            metric_case(
                f"sparse_accuracy_ties_label_{label}",
                "SparseCategoricalAccuracy",
                {},
                [{"y_true": np.full((1,), label, np.int32), "y_pred": ties[r : r + 1]} for r in range(3)],
            )
        )
    write(out, "metrics", cases)


def metric_result(value):
    """A tensor, or null where Keras divides nothing by nothing."""
    value = np.asarray(value)
    return None if np.isnan(value).any() else tensor(value)


def metric_more_case(name, cls, config, batches):
    """As `metric_case`, without the state, which Carnyx keeps in another form."""
    keras.utils.clear_session()
    metric = getattr(keras.metrics, cls)(**config)
    record = []
    for b in batches:
        if cls in ("Mean", "Sum"):
            metric.update_state(b["values"], sample_weight=b.get("sample_weight"))
        else:
            metric.update_state(b["y_true"], b["y_pred"], sample_weight=b.get("sample_weight"))
        record.append({"inputs": tensors(b), "result": metric_result(metric.result())})
    metric.reset_state()
    return {
        "name": name,
        "metric": cls,
        "config": config,
        "default_name": metric.name,
        "batches": record,
        "result_after_reset": metric_result(metric.result()),
    }


def metrics_more(out):
    cases = []
    sizes = [6, 4, 5]

    def without(name, cls, config, make):
        cases.append(metric_more_case(name, cls, config, [make(i, n) for i, n in enumerate(sizes)]))

    def w(name, cls, config, make, whole=False):
        """Without and with sample weights."""
        without(name, cls, config, make)
        batches = [make(i, n) for i, n in enumerate(sizes)]
        for i, (b, n) in enumerate(zip(batches, sizes)):
            b["sample_weight"] = integers(300 + i, (n,), 4).astype(F) if whole else np.round(uniform(300 + i, (n,), 0, 2), 2)
        batches[0]["sample_weight"][0] = 0
        cases.append(metric_more_case(name + "_sample_weight", cls, config, batches))

    def regression(i, n):
        return {"y_true": normal(310 + i, (n, 3)), "y_pred": normal(313 + i, (n, 3))}

    def near(i, n):
        y = normal(310 + i, (n, 3))
        return {"y_true": y, "y_pred": np.round(y + normal(316 + i, (n, 3), 0.3), 3)}

    def near_n(i, n):
        b = near(i, n)
        return {"y_true": b["y_true"][:, 0], "y_pred": b["y_pred"][:, :1]}

    def positive(i, n):
        return {"y_true": uniform(319 + i, (n, 3), 0.2, 9), "y_pred": uniform(322 + i, (n, 3), 0.2, 9)}

    def distributions(i, n):
        return {"y_true": probabilities(325 + i, (n, 3)), "y_pred": probabilities(328 + i, (n, 3))}

    def signs(i, n):
        return {"y_true": integers(331 + i, (n, 3), 2).astype(F) * 2 - 1, "y_pred": normal(334 + i, (n, 3))}

    def rows(i, n):
        return {"y_true": one_hot(integers(337 + i, (n,), 3), 3), "y_pred": normal(340 + i, (n, 3), 2.0)}

    def binary(i, n):
        """Ends, and places on thresholds, among the predictions."""
        p = uniform(343 + i, (n, 1))
        p[:4, 0] = [0, 1, 0.5, 0.25]
        return {"y_true": integers(346 + i, (n, 1), 2).astype(F), "y_pred": p}

    def binary_n(i, n):
        b = binary(i, n)
        return {"y_true": b["y_true"][:, 0], "y_pred": b["y_pred"]}

    def logits(i, n):
        return {"y_true": integers(346 + i, (n, 1), 2).astype(F), "y_pred": normal(349 + i, (n, 1), 2.0)}

    def multilabel(i, n):
        p = uniform(352 + i, (n, 4))
        p[0] = [0.5, 0.5, 0.5, 0.1]
        return {"y_true": integers(355 + i, (n, 4), 2).astype(F), "y_pred": p}

    def classes(i, n):
        b = {"y_true": one_hot(integers(358 + i, (n,), 4), 4), "y_pred": probabilities(361 + i, (n, 4))}
        b["y_pred"][1] = 0
        return b

    def numbers(i, n):
        return {"y_true": integers(364 + i, (n, 2), 3), "y_pred": integers(367 + i, (n, 2), 3)}

    def numbers_1(i, n):
        return {"y_true": integers(364 + i, (n,), 3), "y_pred": integers(367 + i, (n,), 3)}

    w("mape", "MeanAbsolutePercentageError", {}, regression)
    w("msle", "MeanSquaredLogarithmicError", {}, positive)
    w("cosine", "CosineSimilarity", {}, regression)
    w("logcosh", "LogCoshError", {}, regression)
    w("poisson", "Poisson", {}, positive)
    w("kld", "KLDivergence", {}, distributions)
    w("hinge", "Hinge", {}, signs)
    w("squared_hinge", "SquaredHinge", {}, signs)
    w("categorical_hinge", "CategoricalHinge", {}, rows)
    w("bce_label_smoothing", "BinaryCrossentropy", {"label_smoothing": 0.1}, multilabel)
    w("exact_accuracy", "Accuracy", {}, numbers)
    w("sum", "Sum", {}, lambda i, n: {"values": normal(370 + i, (n,))})
    for aggregation in (None, "uniform_average", "variance_weighted_average"):
        w(f"r2_{aggregation}", "R2Score", {"class_aggregation": aggregation}, near)
    w("r2_adjusted", "R2Score", {"num_regressors": 2}, near)
    w("r2_many_regressors", "R2Score", {"num_regressors": 44}, near)
    w("r2_targets_n", "R2Score", {}, near_n)
    for cls, short in (("PearsonCorrelation", "pearson"), ("ConcordanceCorrelation", "concordance")):
        w(short, cls, {}, near)
        without(f"{short}_axis_0", cls, {"axis": 0}, near)

    for cls in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"):
        w(cls, cls, {}, binary)
        w(f"{cls}_thresholds", cls, {"thresholds": [0.7, 0.2]}, multilabel)
        without(f"{cls}_even_thresholds", cls, {"thresholds": [0.0, 0.5, 1.0]}, binary)
    for cls, short in (("Precision", "precision"), ("Recall", "recall")):
        w(short, cls, {}, binary)
        w(f"{short}_targets_n", cls, {}, binary_n)
        w(f"{short}_threshold", cls, {"thresholds": 0.25}, multilabel)
        w(f"{short}_thresholds", cls, {"thresholds": [0.8, 0.1, 0.5]}, multilabel)
        without(f"{short}_even_thresholds", cls, {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, binary)
        for k in (1, 2, 4):
            w(f"{short}_top_{k}", cls, {"top_k": k}, multilabel)
        w(f"{short}_class", cls, {"class_id": 2}, multilabel)
        w(f"{short}_top_2_class_1_threshold", cls, {"top_k": 2, "class_id": 1, "thresholds": 0.4}, multilabel)

    w("auc", "AUC", {}, binary)
    w("auc_targets_n", "AUC", {}, binary_n)
    w("auc_logits", "AUC", {"from_logits": True}, logits)
    for curve, summation in itertools.product(("ROC", "PR", "PRGAIN"), ("interpolation", "minoring", "majoring")):
        config = {"curve": curve, "summation_method": summation, "num_thresholds": 9}
        w(f"auc_{curve}_{summation}", "AUC", config, binary)
    w("auc_thresholds", "AUC", {"thresholds": [0.6, 0.1, 0.35]}, binary)
    w("auc_even_thresholds", "AUC", {"thresholds": [0.25, 0.5, 0.75]}, binary)
    w("auc_two_thresholds", "AUC", {"num_thresholds": 2}, binary)
    for curve in ("ROC", "PR"):
        w(f"auc_multi_label_{curve}", "AUC", {"multi_label": True, "curve": curve, "num_thresholds": 20}, multilabel)
    weights = {"multi_label": True, "label_weights": [1.0, 0.5, 2.0, 0.0]}
    w("auc_label_weights", "AUC", weights, multilabel)
    w("auc_multi_label_thresholds", "AUC", {"multi_label": True, "thresholds": [0.2, 0.3]}, multilabel)

    for cls, option in (
        ("SensitivityAtSpecificity", "specificity"),
        ("SpecificityAtSensitivity", "sensitivity"),
        ("PrecisionAtRecall", "recall"),
        ("RecallAtPrecision", "precision"),
    ):
        w(cls, cls, {option: 0.6}, binary)
        w(f"{cls}_few_thresholds", cls, {option: 0.5, "num_thresholds": 5}, binary)
        without(f"{cls}_one_threshold", cls, {option: 0.3, "num_thresholds": 1}, binary)
        w(f"{cls}_class", cls, {option: 0.4, "class_id": 1}, multilabel)
        without(f"{cls}_all_columns", cls, {option: 0.4}, multilabel)

    for average in (None, "micro", "macro", "weighted"):
        w(f"f1_{average}", "F1Score", {"average": average}, classes)
        w(f"f1_{average}_threshold", "F1Score", {"average": average, "threshold": 0.4}, multilabel)
        w(f"fbeta_{average}", "FBetaScore", {"average": average, "beta": 2.0}, multilabel)

    # The matrix of Keras holds whole numbers, and so must weights.
    w("iou", "IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, numbers_1, whole=True)
    without("iou_2d", "IoU", {"num_classes": 3, "target_class_ids": [1]}, numbers)
    w("iou_ignore_class", "IoU", {"num_classes": 3, "target_class_ids": [0, 2], "ignore_class": 1}, numbers_1, whole=True)
    w("mean_iou", "MeanIoU", {"num_classes": 3}, numbers_1, whole=True)
    without("mean_iou_absent_class", "MeanIoU", {"num_classes": 5}, numbers)
    rows_only = {"num_classes": 4, "sparse_y_true": False, "sparse_y_pred": False}
    w("mean_iou_rows", "MeanIoU", rows_only, classes, whole=True)
    w("one_hot_iou", "OneHotIoU", {"num_classes": 4, "target_class_ids": [1, 3]}, classes, whole=True)
    w("one_hot_mean_iou", "OneHotMeanIoU", {"num_classes": 4}, classes, whole=True)
    w("binary_iou", "BinaryIoU", {}, binary_n, whole=True)
    without("binary_iou_picture", "BinaryIoU", {"threshold": 0.25}, multilabel)
    w("binary_iou_one_class", "BinaryIoU", {"threshold": 0.3, "target_class_ids": [1]}, binary, whole=True)
    write(out, "metrics_more", cases)


# --------------------------------------------------------------------------
# 4. Optimizers


def optimizer_case(name, cls, config, lr_change=None, scale=1.0, large=False):
    keras.utils.clear_session()  # so that every name starts without a number
    opt = getattr(keras.optimizers, cls)(**config)
    cfg = plain(opt.get_config())
    start = {"kernel": normal(100, (3, 4)), "bias": normal(101, (4,))}
    vs = [keras.Variable(v, name=k) for k, v in start.items()]
    opt.build(vs)
    steps = []
    for step in range(10):
        lr = None
        if lr_change and step == lr_change[0]:
            opt.learning_rate = lr_change[1]
        lr = float(np.asarray(opt.learning_rate))
        grads = {
            "kernel": normal(110 + step, (3, 4), scale),
            "bias": normal(130 + step, (4,), scale),
        }
        if large and step % 2:  # every second step stays below the clipping limit
            grads = {k: np.round(v * F(0.01), 5).astype(F) for k, v in grads.items()}
        if step == 3:  # a gradient of exact zeros must not divide by zero
            grads["bias"] = np.zeros((4,), F)
        opt.apply([jnp.asarray(g) for g in grads.values()], vs)
        steps.append(
            {
                "learning_rate": number(lr),
                "gradients": tensors(grads),
                "weights": tensors({v.name: v.value for v in vs}),
            }
        )
    return {
        "name": name,
        "optimizer": cls,
        "arguments": config,
        "config": cfg,
        "initial_weights": tensors(start),
        "steps": steps,
        "variables": [{"path": v.path, "value": tensor(v.value)} for v in opt.variables],
    }


def optimizers(out):
    c = optimizer_case
    write(
        out,
        "optimizers",
        [
            c("sgd", "SGD", {}),
            c("sgd_lr_0.1", "SGD", {"learning_rate": 0.1}),
            c("sgd_momentum", "SGD", {"learning_rate": 0.1, "momentum": 0.9}),
            c("sgd_nesterov", "SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
            c("sgd_momentum_lr_change", "SGD", {"learning_rate": 0.1, "momentum": 0.9}, lr_change=(5, 0.02)),
            c("adam", "Adam", {}),
            c("adam_lr_0.1", "Adam", {"learning_rate": 0.1}),
            c("adam_amsgrad", "Adam", {"learning_rate": 0.1, "amsgrad": True}),
            c(
                "adam_custom",
                "Adam",
                {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 0.001},
            ),
            c("adam_lr_change", "Adam", {"learning_rate": 0.1}, lr_change=(5, 0.02)),
        ],
    )


def optimizers_more(out):
    c = optimizer_case
    sgd = {"learning_rate": 0.1}
    mom = {"learning_rate": 0.1, "momentum": 0.9}
    big = dict(scale=2.0, large=True)
    cases = [
        c("sgd_clipnorm", "SGD", {**sgd, "clipnorm": 1.0}, **big),
        c("sgd_clipvalue", "SGD", {**sgd, "clipvalue": 0.5}, **big),
        c("sgd_global_clipnorm", "SGD", {**sgd, "global_clipnorm": 1.0}, **big),
        c("sgd_momentum_weight_decay", "SGD", {**mom, "weight_decay": 0.1}),
        c("adam_weight_decay", "Adam", {"learning_rate": 0.1, "weight_decay": 0.1}),
        c("adam_global_clipnorm", "Adam", {"learning_rate": 0.1, "global_clipnorm": 1.0}, **big),
    ]
    for cls in ("RMSprop", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Adafactor", "Lamb"):
        cases.append(c(cls.lower(), cls, {}))
    cases += [
        c("rmsprop_momentum", "RMSprop", {"learning_rate": 0.01, "momentum": 0.9}),
        c("rmsprop_centered", "RMSprop", {"learning_rate": 0.01, "centered": True}),
        c("adamw_lr_0.1", "AdamW", {"learning_rate": 0.1, "weight_decay": 0.1}),
        c("ftrl_l1_l2", "Ftrl", {"learning_rate": 0.1, "l1_regularization_strength": 0.05, "l2_regularization_strength": 0.05}),
    ]
    write(out, "optimizers_more", cases)


# --------------------------------------------------------------------------
# 5. Initializers

QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
TRUNCATED = 0.87962566103423978  # std of a unit normal cut at +-2


def analytic(cls, config, fan_in, fan_out):
    """The distribution Keras documents: mean, std and the bounds it cannot leave."""
    if cls in ("RandomUniform", "RandomNormal", "TruncatedNormal"):
        if cls == "RandomUniform":
            lo, hi = config["minval"], config["maxval"]
            return {"mean": (lo + hi) / 2, "std": (hi - lo) / math.sqrt(12), "low": lo, "high": hi}
        m, s = config["mean"], config["stddev"]
        if cls == "RandomNormal":
            return {"mean": m, "std": s, "low": None, "high": None}
        return {"mean": m, "std": s * TRUNCATED, "low": m - 2 * s, "high": m + 2 * s}
    named = {
        "GlorotUniform": (1.0, "fan_avg", "uniform"),
        "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
        "HeUniform": (2.0, "fan_in", "uniform"),
        "HeNormal": (2.0, "fan_in", "truncated_normal"),
        "LecunUniform": (1.0, "fan_in", "uniform"),
        "LecunNormal": (1.0, "fan_in", "truncated_normal"),
    }
    scale, mode, dist = named.get(cls) or (config["scale"], config["mode"], config["distribution"])
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = math.sqrt(scale / max(1.0, fan))
    if dist == "uniform":
        b = math.sqrt(3) * std
    elif dist == "truncated_normal":
        b = 2 * std / TRUNCATED
    else:
        b = None
    return {"mean": 0.0, "std": std, "low": None if b is None else -b, "high": b}


def initializers(out):
    from keras.src.initializers.random_initializers import compute_fans

    I = keras.initializers
    shapes = [(200, 300), (300,), (3, 3, 16, 32)]
    random = [(n, {}) for n in ("RandomUniform", "RandomNormal", "TruncatedNormal", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")]
    random += [
        ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
        ("RandomNormal", {"mean": 1.0, "stddev": 2.0}),
        ("TruncatedNormal", {"mean": 1.0, "stddev": 2.0}),
    ]
    random += [
        ("VarianceScaling", {"scale": 2.0, "mode": m, "distribution": d})
        for m, d in itertools.product(
            ("fan_in", "fan_out", "fan_avg"), ("truncated_normal", "untruncated_normal", "uniform")
        )
    ]
    cases = []
    for cls, args in random:
        config = getattr(I, cls)(**args).get_config()
        for shape in shapes:
            size = int(np.prod(shape))
            count = math.ceil(200_000 / size)
            init = getattr(I, cls)(**args, seed=keras.random.SeedGenerator(7))
            x = np.concatenate([np.asarray(init(shape), np.float64).ravel() for _ in range(count)])
            fan_in, fan_out = compute_fans(shape)
            a = analytic(cls, config, fan_in, fan_out)
            # The record is only useful if Keras does what it documents.
            assert abs(x.std() / a["std"] - 1) < 0.02, (cls, args, shape, x.std(), a)
            assert abs(x.mean() - a["mean"]) < 6 * a["std"] / math.sqrt(x.size), (cls, shape)
            if a["low"] is not None:
                assert x.min() >= a["low"] * (1 + 1e-6 * np.sign(a["low"]) * -1) - 1e-9, (cls, shape)
                assert x.max() <= a["high"] + 1e-6, (cls, shape)
            cases.append(
                {
                    "name": cls.lower() + "".join(f"_{v}" for v in args.values()) + "_" + "x".join(map(str, shape)),
                    "initializer": cls,
                    "arguments": args,
                    "shape": list(shape),
                    "fan_in": int(fan_in),
                    "fan_out": int(fan_out),
                    "analytic": a,
                    "sample": {
                        "count": int(x.size),
                        "mean": number(x.mean()),
                        "std": number(x.std()),
                        "min": number(x.min()),
                        "max": number(x.max()),
                        "quantiles": {str(q): number(np.quantile(x, q)) for q in QUANTILES},
                    },
                }
            )

    exact = []
    for name, cls, args, shape in [
        ("zeros", "Zeros", {}, (2, 3)),
        ("ones", "Ones", {}, (2, 3)),
        ("constant_default", "Constant", {}, (2, 3)),
        ("constant", "Constant", {"value": 0.25}, (2, 3)),
        ("identity", "Identity", {}, (3, 3)),
        ("identity_gain", "Identity", {"gain": 0.5}, (3, 3)),
        ("identity_wide", "Identity", {}, (2, 4)),
        ("identity_tall", "Identity", {}, (4, 2)),
        ("stft_real", "STFT", {}, (8, 1, 5)),
        ("stft_imag", "STFT", {"side": "imag"}, (8, 1, 5)),
        ("stft_spectrum_hamming_periodic", "STFT", {"window": "hamming", "scaling": "spectrum", "periodic": True}, (8, 1, 5)),
        ("stft_no_window", "STFT", {"window": None}, (8, 1, 5)),
    ]:
        value = getattr(I, cls)(**args)(shape)
        exact.append({"name": name, "initializer": cls, "arguments": args, "shape": list(shape), "outputs": tensors({"value": value})})

    orthogonal = []
    for gain, shape in itertools.product((1.0, 1.5), ((200, 300), (300, 200), (64, 64), (3, 3, 16, 32))):
        q = np.asarray(I.Orthogonal(gain=gain, seed=7)(shape), np.float64)
        rows, cols = int(np.prod(shape[:-1])), shape[-1]
        m = q.reshape(rows, cols) / gain
        gram = m.T @ m if rows >= cols else m @ m.T
        orthogonal.append(
            {
                "name": f"orthogonal_{gain}_" + "x".join(map(str, shape)),
                "arguments": {"gain": gain},
                "shape": list(shape),
                "matrix": [rows, cols],
                "identity_side": "columns" if rows >= cols else "rows",
                "identity_size": int(gram.shape[0]),
                "max_deviation": number(np.abs(gram - np.eye(len(gram))).max()),
                "sample": {"mean": number(q.mean()), "std": number(q.std())},
            }
        )

    defaults = {}
    for cls in ("Zeros", "Ones", "Constant", "Identity", "RandomUniform", "RandomNormal", "TruncatedNormal", "VarianceScaling", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "Orthogonal", "STFT"):
        defaults[cls] = plain(getattr(I, cls)().get_config())

    fans = []
    for shape in [(), (5,), (4, 6), (3, 5, 7), (3, 3, 16, 32), (2, 3, 4, 5, 6)]:
        a, b = compute_fans(shape)
        fans.append({"shape": list(shape), "fan_in": int(a), "fan_out": int(b)})

    errors = []
    for cls, shape in [("Identity", (3,)), ("Identity", (2, 2, 2)), ("Orthogonal", (300,))]:
        try:
            getattr(I, cls)()(shape)
            errors.append({"initializer": cls, "shape": list(shape), "error": None})
        except Exception as e:
            errors.append({"initializer": cls, "shape": list(shape), "error": f"{type(e).__name__}: {e}"})

    write(out, "initializers", cases, defaults=defaults, fans=fans, exact=exact, orthogonal=orthogonal, errors=errors)


# --------------------------------------------------------------------------
# 6. Layers


def layers(out):
    L = keras.layers
    cases = []

    inputs = {"2d": normal(200, (5, 4)), "3d": normal(201, (2, 3, 4))}
    kernel, bias = normal(202, (4, 3)), normal(203, (3,))
    for activation, use_bias, rank in itertools.product(
        (None, "relu", "tanh", "sigmoid", "softmax", "gelu", "elu"), (True, False), ("2d", "3d")
    ):
        if not use_bias and activation not in (None, "relu"):
            continue
        x = inputs[rank]
        layer = L.Dense(3, activation=activation, use_bias=use_bias)
        layer.build(x.shape)
        layer.set_weights([kernel, bias] if use_bias else [kernel])
        w = normal(204, x.shape[:-1] + (3,))

        def objective(variables, v):
            y, _ = layer.stateless_call(variables, [], v)
            return jnp.sum(y * w)

        vs = [v.value for v in layer.trainable_variables]
        gv, gx = jax.grad(objective, argnums=(0, 1))(vs, jnp.asarray(x))
        grads = {"kernel": gv[0], "x": gx}
        ins = {"x": x, "kernel": kernel}
        if use_bias:
            grads["bias"] = gv[1]
            ins["bias"] = bias
        cases.append(
            {
                "name": f"dense_{activation or 'linear'}_{'bias' if use_bias else 'nobias'}_{rank}",
                "layer": "Dense",
                "config": {"units": 3, "activation": activation, "use_bias": use_bias},
                "inputs": tensors(ins),
                "weights": tensors({"out": w}),
                "outputs": tensors({"y": layer(x)}),
                "gradients": tensors(grads),
            }
        )

    def simple(name, layer_name, config, x, y, **more):
        cases.append(
            {
                "name": name,
                "layer": layer_name,
                "config": config,
                "inputs": tensors({"x": x, **more.pop("inputs", {})}),
                "outputs": tensors({"y": y, **more.pop("outputs", {})}),
                **more,
            }
        )

    for shape in [(4,), (4, 3), (4, 3, 2), (2, 3, 2, 2)]:
        x = normal(205, shape)
        simple("flatten_" + "x".join(map(str, shape)), "Flatten", {}, x, L.Flatten()(x))

    x = np.array([[0, 1, 127, 255], [3, 64, 200, 128]], F)
    simple("rescaling_scale", "Rescaling", {"scale": 1 / 255, "offset": 0.0}, x, L.Rescaling(1 / 255)(x))
    simple("rescaling_scale_offset", "Rescaling", {"scale": 1 / 127.5, "offset": -1.0}, x, L.Rescaling(1 / 127.5, offset=-1)(x))
    xi = np.array([[0, 1, 127, 255]], np.int32)
    simple("rescaling_int_input", "Rescaling", {"scale": 1 / 255, "offset": 0.0}, xi, L.Rescaling(1 / 255)(xi))
    per = [0.5, 1.0, 2.0, 4.0]
    simple("rescaling_per_channel", "Rescaling", {"scale": per, "offset": [1.0, 0.0, -1.0, 2.0]}, x, L.Rescaling(per, offset=[1.0, 0.0, -1.0, 2.0])(x))

    data = (normal(206, (50, 3)) * np.array([1, 10, 0.1], F) + np.array([0, 100, -3], F)).astype(F)
    data3 = normal(207, (10, 4, 3), 2.0)
    constant = data.copy()
    constant[:, 1] = 7
    for name, config, d, probe in [
        ("normalization_adapt", {}, data, data[:7]),
        ("normalization_adapt_axis_none", {"axis": None}, data, data[:7]),
        ("normalization_adapt_3d", {}, data3, data3[:2]),
        ("normalization_adapt_3d_two_axes", {"axis": (1, 2)}, data3, data3[:2]),
        ("normalization_adapt_constant_column", {}, constant, constant[:5] + F(1)),
        ("normalization_adapt_invert", {"invert": True}, data, normal(208, (7, 3))),
    ]:
        layer = L.Normalization(**config)
        layer.adapt(d)
        simple(
            name,
            "Normalization",
            plain(config),
            probe,
            layer(probe),
            inputs={"adapt": d},
            outputs={"mean": layer.mean, "variance": layer.variance},
            variables=[{"name": v.name, "value": tensor(v.value)} for v in layer.variables],
        )
    probe = data[:7]
    for name, config in [
        ("normalization_given", {"mean": [0.5, 90.0, -3.0], "variance": [2.0, 81.0, 0.04]}),
        ("normalization_given_invert", {"mean": [0.5, 90.0, -3.0], "variance": [2.0, 81.0, 0.04], "invert": True}),
        ("normalization_given_scalar", {"axis": None, "mean": 2.0, "variance": 4.0}),
    ]:
        layer = L.Normalization(**config)
        simple(name, "Normalization", config, probe, layer(probe))

    x = normal(209, (4, 5))
    simple("dropout_inference", "Dropout", {"rate": 0.5}, x, L.Dropout(0.5)(x, training=False))
    simple("dropout_inference_default_call", "Dropout", {"rate": 0.5}, x, L.Dropout(0.5)(x))
    simple("dropout_rate_0_training", "Dropout", {"rate": 0.0}, x, L.Dropout(0.0)(x, training=True))
    for a in ("relu", "softmax", "tanh", "gelu"):
        simple(f"activation_{a}", "Activation", {"activation": a}, x, L.Activation(a)(x))

    dropout = []
    for rate, noise in [(0.1, None), (0.3, None), (0.5, None), (0.8, None), (0.5, (1000, 1)), (0.5, (1, 100)), (0.5, (None, 1))]:
        ones = np.ones((1000, 100), F)
        layer = L.Dropout(rate, noise_shape=noise, seed=3)
        y = np.asarray(layer(ones, training=True))
        y2 = np.asarray(layer(ones, training=True))
        zero = y == 0
        dropout.append(
            {
                "name": f"dropout_{rate}" + ("" if noise is None else f"_noise_{noise}"),
                "config": {"rate": rate, "noise_shape": plain(noise), "seed": 3},
                "inputs": {"ones": [1000, 100]},
                "zero_share": number(zero.mean()),
                "kept_values": sorted({number(v) for v in y[~zero]}),
                "mean": number(y.mean()),
                "second_call_differs": bool((y != y2).any()),
                "rows_all_equal": bool((zero == zero[:, :1]).all()),
                "columns_all_equal": bool((zero == zero[:1]).all()),
            }
        )
    write(out, "layers", cases, dropout_training=dropout)


# --------------------------------------------------------------------------
# 7. Training


def named_weights(model):
    return [{"path": w.path, "value": tensor(w.value)} for w in model.weights]


def set_random_weights(model, seed, scale=0.5):
    """Explicit starting weights: kernels random, biases small and not zero."""
    model.set_weights(
        [normal(seed + i, w.shape, scale if len(w.shape) > 1 else 0.1) for i, w in enumerate(model.weights)]
    )


def history_record(h):
    return {k: [number(v) for v in vs] for k, vs in h.history.items()}


def as_list(v):
    return list(v) if isinstance(v, (list, tuple)) else [v]


def evaluated(model, x, y, batch_size):
    values = model.evaluate(x, y, batch_size=batch_size, verbose=0)
    as_dict = model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)
    return {
        "list": [number(v) for v in as_list(values)],
        "dict": {k: number(v) for k, v in as_dict.items()},
    }


def train_case(name, model, config, x, y, val=None, **fit):
    initial = named_weights(model)
    batch = fit["batch_size"]
    inputs = {}
    for prefix, value in [("x", x), ("y", y)] + ([("x_val", val[0]), ("y_val", val[1])] if val else []):
        many = as_list(value)
        for i, v in enumerate(many):
            inputs[prefix if len(many) == 1 else f"{prefix}_{i}"] = tensor(v)
    if "sample_weight" in fit:
        inputs["sample_weight"] = tensor(fit["sample_weight"])
    h = model.fit(x, y, shuffle=False, verbose=0, validation_data=val, **fit)
    px, py = val if val else (x, y)
    pred = as_list(model.predict(px, batch_size=batch, verbose=0))
    recorded = {k: v for k, v in fit.items() if k != "sample_weight"}
    if "class_weight" in recorded:
        recorded["class_weight"] = {str(k): v for k, v in recorded["class_weight"].items()}
    return {
        "name": name,
        "config": config,
        "fit": {**recorded, "shuffle": False},
        "inputs": inputs,
        "initial_weights": initial,
        "outputs": {
            "history": history_record(h),
            "epoch": list(h.epoch),
            "final_weights": named_weights(model),
            "predict_on": "validation" if val else "training",
            "predict": [tensor(p) for p in pred],
            "evaluate": evaluated(model, px, py, batch),
        },
    }


OPTIMIZERS = {
    "sgd": ({"optimizer": "SGD", "learning_rate": 0.1}, lambda: keras.optimizers.SGD(0.1)),
    "adam": ({"optimizer": "Adam", "learning_rate": 0.01}, lambda: keras.optimizers.Adam(0.01)),
    "nesterov": (
        {"optimizer": "SGD", "learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
        lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    ),
}


def mlp_classifier(optimizer):
    keras.utils.clear_session()
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    set_random_weights(model, 300)
    cfg, make = OPTIMIZERS[optimizer]
    model.compile(optimizer=make(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {
        "layers": ["Dense(16, relu)", "Dense(3, softmax)"],
        **cfg,
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
    }


def classification_data(seed, n):
    x = normal(seed, (n, 8))
    true = normal(999, (8, 3))
    return x, np.argmax(x @ true + 0.3 * normal(seed + 1, (n, 3)), axis=-1).astype(np.int32)


def mlp_regressor(optimizer, regularizer=None, note=None):
    keras.utils.clear_session()
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(8, activation="relu", kernel_regularizer=regularizer),
            keras.layers.Dense(1, kernel_regularizer=regularizer),
        ]
    )
    set_random_weights(model, 320)
    cfg, make = OPTIMIZERS[optimizer]
    model.compile(optimizer=make(), loss="mse", metrics=["mae", "mse", keras.metrics.RootMeanSquaredError()])
    return model, {
        "layers": ["Dense(8, relu)", "Dense(1)"],
        **cfg,
        "loss": "mse",
        "metrics": ["mae", "mse", "RootMeanSquaredError"],
        "kernel_regularizer": note,
    }


def training(out):
    cases = []
    xt, yt = classification_data(400, 50)
    xv, yv = classification_data(410, 20)
    for name, opt in [("a_classifier_sgd", "sgd"), ("b_classifier_adam", "adam")]:
        model, cfg = mlp_classifier(opt)
        cases.append(train_case(name, model, cfg, xt, yt, (xv, yv), batch_size=16, epochs=5))

    rx, rv = normal(420, (50, 5)), normal(421, (20, 5))
    f = lambda v, s: np.round(v @ normal(422, (5,)) + np.sin(v[:, 0]) + 0.1 * normal(s, (len(v),)), 3).astype(F)
    ry, rvy = f(rx, 423), f(rv, 424)
    model, cfg = mlp_regressor("nesterov")
    cases.append(train_case("c_regression_nesterov", model, cfg, rx, ry, (rv, rvy), batch_size=16, epochs=5))

    keras.utils.clear_session()
    bx, bv = normal(430, (50, 4)), normal(431, (20, 4))
    g = lambda v: ((v[:, 0] * v[:, 1] + v[:, 2]) > 0).astype(F)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="tanh"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    set_random_weights(model, 340)
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="binary_crossentropy", metrics=["accuracy"])
    cfg = {
        "layers": ["Dense(6, tanh)", "Dense(1, sigmoid)"],
        "optimizer": "SGD",
        "learning_rate": 0.5,
        "loss": "binary_crossentropy",
        "metrics": ["accuracy"],
    }
    cases.append(train_case("d_binary", model, cfg, bx, g(bx), (bv, g(bv)), batch_size=16, epochs=5))

    wa, wb = normal(440, (64, 5)), normal(441, (64, 6))
    wy = np.round(wa @ normal(442, (5, 1)) + np.tanh(wb @ normal(443, (6, 1))), 3).astype(F)
    va, vb, vy = wa[:20][::-1].copy(), wb[:20][::-1].copy(), wy[:20][::-1].copy()
    for name, metric_list in [("e_wide_and_deep", None), ("e_wide_and_deep_metrics", ["RootMeanSquaredError", "mae"])]:
        keras.utils.clear_session()
        a, b = keras.Input((5,), name="input_wide"), keras.Input((6,), name="input_deep")
        h = keras.layers.Dense(30, activation="relu", name="hidden1")(b)
        h = keras.layers.Dense(30, activation="relu", name="hidden2")(h)
        main = keras.layers.Dense(1, name="main")(keras.layers.concatenate([a, h]))
        aux = keras.layers.Dense(1, name="aux")(h)
        model = keras.Model([a, b], [main, aux])
        set_random_weights(model, 360, 0.3)
        model.compile(
            optimizer=keras.optimizers.SGD(1e-2),
            loss=["mse", "mse"],
            loss_weights=[0.9, 0.1],
            metrics=metric_list,
        )
        cfg = {
            "inputs": ["input_wide(5)", "input_deep(6)"],
            "layers": [
                "hidden1 = Dense(30, relu)(input_deep)",
                "hidden2 = Dense(30, relu)(hidden1)",
                "concat = Concatenate([input_wide, hidden2])",
                "main = Dense(1)(concat)",
                "aux = Dense(1)(hidden2)",
            ],
            "outputs": ["main", "aux"],
            "optimizer": "SGD",
            "learning_rate": 0.01,
            "loss": ["mse", "mse"],
            "loss_weights": [0.9, 0.1],
            "metrics": metric_list,
        }
        # With metrics = [m1, m2] and two outputs, m1 goes to the first output
        # and m2 to the second.
        cases.append(
            train_case(name, model, cfg, [wa, wb], [wy, wy], ([va, vb], [vy, vy]), batch_size=24, epochs=2)
        )

    model, cfg = mlp_classifier("sgd")
    cases.append(train_case("f_validation_split", model, cfg, xt, yt, batch_size=16, epochs=5, validation_split=0.25))

    R = keras.regularizers
    for name, reg, note in [
        ("g_l1", R.L1(0.01), {"l1": 0.01}),
        ("g_l2", R.L2(0.01), {"l2": 0.01}),
        ("g_l1l2", R.L1L2(0.001, 0.02), {"l1": 0.001, "l2": 0.02}),
    ]:
        model, cfg = mlp_regressor("nesterov", reg, note)
        cases.append(train_case(name, model, cfg, rx, ry, (rv, rvy), batch_size=16, epochs=5))

    model, cfg = mlp_classifier("sgd")
    cases.append(
        train_case("h_class_weight", model, cfg, xt, yt, batch_size=16, epochs=3, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    )
    model, cfg = mlp_classifier("sgd")
    cases.append(
        train_case("i_sample_weight", model, cfg, xt, yt, batch_size=16, epochs=3, sample_weight=uniform(450, (50,), 0, 2))
    )
    write(out, "training", cases)


# --------------------------------------------------------------------------
# 8. Printed text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def summary(out):
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    parts = []

    def section(title, text):
        text = re.sub("\x08+", lambda m: "\\b{%d}" % len(m.group()), text)
        text = text.replace("\x1b", "\\e").replace("\r", "\\r")
        parts.append(f"===== {title} =====\n{text.rstrip(chr(10))}\n")

    def text_of(model):
        lines = []
        model.summary(print_fn=lambda s, line_break=True: lines.append(s))
        return "\n".join(lines)

    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(300, activation="relu"),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    section("summary, Sequential, not compiled", text_of(model))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
    section("summary, compiled with SGD, not trained", text_of(model))
    x, y = uniform(500, (320, 28, 28)), integers(501, (320,), 10)
    val = (x[:64], y[:64])
    for verbose in (1, 2):
        buf = io.StringIO()
        with contextlib.redirect_stdout(buf):
            model.fit(x, y, epochs=2, batch_size=64, validation_data=val, verbose=verbose)
        section(f"fit(verbose={verbose}), 2 epochs of 5 steps, not a terminal", buf.getvalue())
    buf = io.StringIO()
    with contextlib.redirect_stdout(buf):
        model.fit(x, y, epochs=1, batch_size=64, verbose=1)
    section("fit(verbose=1), no validation data, not a terminal", buf.getvalue())
    buf = io.StringIO()
    with contextlib.redirect_stdout(buf):
        model.evaluate(x, y, batch_size=64, verbose=1)
        model.evaluate(x, y, batch_size=64, verbose=2)
        model.predict(x, batch_size=64, verbose=1)
        model.predict(x, batch_size=64, verbose=2)
    section("evaluate verbose=1, evaluate verbose=2, predict verbose=1, predict verbose=2, not a terminal", buf.getvalue())
    buf, old = Terminal(), sys.stdout
    sys.stdout = buf
    try:
        model.fit(x, y, epochs=1, batch_size=64, validation_data=val, verbose=1)
    finally:
        sys.stdout = old
    section("fit(verbose=1), on a terminal", buf.getvalue())
    section("summary, compiled with SGD, trained", text_of(model))

    model = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(300, activation="relu"), keras.layers.Dense(10)]
    )
    section("summary, Sequential without input shape", text_of(model))

    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    model.layers[0].trainable = False
    model.compile(loss="mse", optimizer="adam")
    model.fit(normal(502, (8, 8)), normal(503, (8, 3)), verbose=0)
    section("summary, one frozen layer, trained with Adam", text_of(model))

    keras.utils.clear_session()
    a, b = keras.Input((5,), name="input_wide"), keras.Input((6,), name="input_deep")
    h = keras.layers.Dense(30, activation="relu")(b)
    h = keras.layers.Dense(30, activation="relu")(h)
    main = keras.layers.Dense(1, name="main")(keras.layers.concatenate([a, h]))
    aux = keras.layers.Dense(1, name="aux")(h)
    section("summary, functional with two inputs and outputs", text_of(keras.Model([a, b], [main, aux])))

    path = out / "summary.txt"
    path.write_text("\n".join(parts))
    print(f"{path.name}: {path.stat().st_size} bytes")


# --------------------------------------------------------------------------
# 9. Behaviours


def behaviours(out):
    cases = []

    def attempt(fn):
        try:
            return {"value": plain(fn()), "error": None}
        except Exception as e:
            return {"value": None, "error": f"{type(e).__name__}: {e}".split("\n")[0][:400]}

    def note(name, fn):
        keras.utils.clear_session()
        cases.append({"name": name, **attempt(fn)})

    def small(units=1, activation=None, loss="mse", metrics=None, inputs=3):
        m = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units, activation=activation)])
        m.set_weights([normal(600, (inputs, units)), normal(601, (units,))])
        m.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, metrics=metrics)
        return m

    x6 = normal(602, (6, 3))

    # Target and prediction shapes.
    def seen_shapes(y, units):
        seen = {}

        def loss(y_true, y_pred):
            seen["y_true"], seen["y_pred"] = list(y_true.shape), list(y_pred.shape)
            return jnp.mean(jnp.square(y_pred))

        small(units, loss=loss).evaluate(x6, y, verbose=0)
        return seen

    note("custom_loss_function_sees_shapes_targets_n", lambda: seen_shapes(normal(603, (6,)), 1))
    note("custom_loss_function_sees_shapes_targets_n1", lambda: seen_shapes(normal(603, (6, 1)), 1))
    for loss in ("mse", "mae", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"):
        for shape, units in [((6,), 1), ((6, 1), 1), ((6,), 3), ((6, 1), 3), ((6, 3), 3), ((6, 3), 1), ((5,), 3)]:
            y = np.zeros(shape, np.int32 if loss.startswith("sparse") else F)
            act = {"m": None, "b": "sigmoid"}.get(loss[0], "softmax")
            note(
                f"{loss}_targets_{list(shape)}_predictions_[6, {units}]",
                lambda: small(units, act, loss).evaluate(x6, y, batch_size=6, verbose=0),
            )
    note(
        "sparse_categorical_crossentropy_label_out_of_range",
        lambda: small(3, "softmax", "sparse_categorical_crossentropy").evaluate(x6, np.full((6,), 5, np.int32), verbose=0),
    )
    note(
        "sparse_categorical_crossentropy_label_negative",
        lambda: small(3, "softmax", "sparse_categorical_crossentropy").evaluate(x6, np.full((6,), -1, np.int32), verbose=0),
    )
    note("input_width_wrong", lambda: small().predict(normal(1, (6, 4)), verbose=0).shape)
    note("input_1d_to_model_with_one_feature", lambda: list(small(inputs=1).predict(normal(1, (6,)), verbose=0).shape))
    note("input_float64_output_dtype", lambda: str(small().predict(x6.astype(np.float64), verbose=0).dtype))
    note("x_and_y_of_different_length", lambda: small().fit(x6, normal(1, (5, 1)), verbose=0).history)
    note("fit_before_compile", lambda: keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).fit(x6, normal(1, (6, 1)), verbose=0).history)
    note("fit_empty_data", lambda: small().fit(x6[:0], normal(1, (0, 1)), verbose=0).history)

    # Validation split.
    def split(n, share, shuffle):
        m = small()
        index = np.arange(n, dtype=F)
        seen = {"val": []}
        x = np.repeat(index[:, None], 3, 1)

        class Probe(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                seen["last_batch"] = batch

        # The validation rows are visible through the loss: weights zero, the
        # prediction is 0, so val_loss is the mean square of the targets.
        m.set_weights([np.zeros((3, 1), F), np.zeros((1,), F)])
        m.optimizer.learning_rate = 0.0
        h = m.fit(x, index, batch_size=1, epochs=1, validation_split=share, shuffle=shuffle, verbose=0, callbacks=[Probe()])
        return {
            "samples": n,
            "validation_split": share,
            "training_samples": seen["last_batch"] + 1,
            "val_loss": h.history["val_loss"][0],
            "mean_square_of_last_rows": float(np.mean(np.square(index[seen["last_batch"] + 1 :]))),
        }

    for n, share in [(10, 0.2), (50, 0.25), (7, 0.5), (10, 0.01), (10, 0.15)]:
        note(f"validation_split_{n}_{share}_shuffle", lambda: split(n, share, True))
    note("validation_split_1_sample", lambda: split(1, 0.5, True))
    note("validation_split_0", lambda: split(4, 0.0, True))
    note("validation_split_1", lambda: split(4, 1.0, True))
    note(
        "validation_data_and_split_together",
        lambda: list(small().fit(x6, normal(1, (6, 1)), validation_split=0.5, validation_data=(x6, normal(1, (6, 1))), verbose=0).history),
    )

    # Epoch numbers.
    def epochs():
        m = small()
        y = normal(604, (6, 1))
        a = m.fit(x6, y, epochs=2, verbose=0)
        b = m.fit(x6, y, epochs=2, verbose=0)
        c = m.fit(x6, y, epochs=5, initial_epoch=3, verbose=0)
        d = m.fit(x6, y, epochs=2, initial_epoch=3, verbose=0)
        return {
            "first_fit_2": a.epoch,
            "second_fit_2": b.epoch,
            "epochs_5_initial_epoch_3": c.epoch,
            "epochs_2_initial_epoch_3": d.epoch,
            "history_is_the_same_object": m.history is d,
            "optimizer_iterations": int(m.optimizer.iterations.value),
        }

    note("epoch_numbers", epochs)

    def params():
        got = {}

        class Probe(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                got.update(self.params)

        small().fit(normal(1, (50, 3)), normal(1, (50, 1)), batch_size=16, epochs=2, verbose=0, callbacks=[Probe()])
        return got

    note("callback_params", params)

    def callback_order():
        calls = []

        class Probe(keras.callbacks.Callback):
            pass

        for hook in [
            f"on_{a}_{b}"
            for a in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")
            for b in ("begin", "end")
        ]:
            def method(self, *args, _h=hook, **kw):
                index = [a for a in args if isinstance(a, int)]
                logs = kw.get("logs", args[-1] if args and isinstance(args[-1], dict) else None)
                calls.append(f"{_h}({', '.join(map(str, index))}) logs={sorted(logs) if logs else []}")

            setattr(Probe, hook, method)
        m = small(metrics=["mae"])
        m.fit(x6, normal(1, (6, 1)), batch_size=4, epochs=1, validation_data=(x6[:2], normal(1, (2, 1))), verbose=0, callbacks=[Probe()])
        m.predict(x6, batch_size=4, verbose=0, callbacks=[Probe()])
        return calls

    note("callback_order", callback_order)

    # Weighting of the partial last batch.
    def partial():
        m = small()
        m.set_weights([np.zeros((3, 1), F), np.zeros((1,), F)])
        m.optimizer.learning_rate = 0.0
        x = np.zeros((5, 3), F)
        y = np.array([1, 1, 1, 1, 6], F)
        h = m.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        return {
            "targets": y.tolist(),
            "batch_size": 4,
            "reported_loss": h.history["loss"][0],
            "mean_over_samples": 8.0,
            "mean_over_batches": 18.5,
        }

    note("partial_last_batch", partial)

    def reported():
        # Is the training loss of an epoch measured before or after each update?
        m = small()
        y = normal(605, (6, 1))
        before = m.evaluate(x6, y, batch_size=6, verbose=0)
        h = m.fit(x6, y, batch_size=6, epochs=1, verbose=0)
        after = m.evaluate(x6, y, batch_size=6, verbose=0)
        return {"evaluate_before": before, "history_loss": h.history["loss"][0], "evaluate_after": after}

    note("training_loss_is_taken_before_the_update", reported)

    # Metric names.
    def names(metrics, loss="mse", units=1, act=None, y=None):
        m = small(units, act, loss, metrics)
        y = normal(1, (6, 1)) if y is None else y
        h = m.fit(x6, y, validation_data=(x6, y), verbose=0)
        inner = [type(v).__name__ for c in m.metrics if hasattr(c, "metrics") for v in c.metrics]
        return {"history": list(h.history), "metric_classes": inner}

    binary = integers(606, (6, 1), 2).astype(F)
    labels = integers(607, (6,), 3)
    for n in ("accuracy", "acc", "crossentropy", "ce"):
        note(f"metric_{n}_binary", lambda: names([n], "binary_crossentropy", 1, "sigmoid", binary))
        note(f"metric_{n}_sparse", lambda: names([n], "sparse_categorical_crossentropy", 3, "softmax", labels))
        note(f"metric_{n}_sparse_n1", lambda: names([n], "sparse_categorical_crossentropy", 3, "softmax", labels[:, None]))
        note(f"metric_{n}_categorical", lambda: names([n], "categorical_crossentropy", 3, "softmax", one_hot(labels, 3)))
    note("metric_accuracy_mse", lambda: names(["accuracy"]))
    for n in ("mae", "MAE", "mean_absolute_error", "mse", "MSE", "mean_squared_error", "RootMeanSquaredError", "root_mean_squared_error", "MeanAbsoluteError", "msle", "mape", "cosine_similarity", "r2_score", "rmse"):
        note(f"metric_string_{n}", lambda: names([n]))
    note("metric_objects", lambda: names([keras.metrics.MeanAbsoluteError(), keras.metrics.RootMeanSquaredError(), keras.metrics.MeanSquaredError(name="m")]))
    note("metric_objects_twice", lambda: names([keras.metrics.MeanAbsoluteError(), keras.metrics.MeanAbsoluteError()]))
    note("metric_strings_twice", lambda: names(["mae", "mae"]))
    note(
        "accuracy_object_and_top_k",
        lambda: names(["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)], "sparse_categorical_crossentropy", 3, "softmax", labels),
    )
    note("metric_string_unknown", lambda: names(["nonsense"]))
    note("loss_string_unknown", lambda: small(loss="nonsense").fit(x6, normal(1, (6, 1)), verbose=0).history)
    for n in ("crossentropy", "ce"):
        note(f"loss_string_{n}", lambda: small(3, "softmax", n).evaluate(x6, labels, verbose=0))
    note("optimizer_string_unknown", lambda: keras.optimizers.get("nonsense"))
    note("activation_string_unknown", lambda: keras.layers.Dense(1, activation="nonsense").name)
    note("initializer_string_unknown", lambda: keras.layers.Dense(1, kernel_initializer="nonsense").name)

    def metrics_names():
        m = small(metrics=["mae"])
        before = list(m.metrics_names)
        m.evaluate(x6, normal(1, (6, 1)), verbose=0)
        return {"before": before, "after": list(m.metrics_names)}

    note("metrics_names", metrics_names)

    def evaluate_order():
        m = small(metrics=["mse", "mae", keras.metrics.RootMeanSquaredError(name="a")])
        y = normal(1, (6, 1))
        values = m.evaluate(x6, y, verbose=0)
        named = m.evaluate(x6, y, verbose=0, return_dict=True)
        return {"metrics_given": ["mse", "mae", "a"], "list": values, "dict": named, "dict_keys": list(named)}

    note("evaluate_list_order", evaluate_order)
    def evaluate_order_two():
        a = keras.Input((3,))
        m = keras.Model(a, [keras.layers.Dense(1, name=n)(a) for n in ("main", "aux")])
        m.compile(optimizer="sgd", loss="mse", metrics=[["mse", "mae"], ["mae"]])
        y = [normal(1, (6, 1)), normal(2, (6, 1))]
        values = m.evaluate(x6, y, verbose=0)
        named = m.evaluate(x6, y, verbose=0, return_dict=True)
        # Numbers may repeat (loss and mse): take the first unused key in the
        # order loss, outputs' losses, alphabetical.
        keys = sorted(named, key=lambda k: (k != "loss", not k.endswith("_loss"), k))
        order = []
        for v in values:
            k = next(k for k in keys if named[k] == v and k not in order)
            order.append(k)
        return order

    note("evaluate_list_order_two_outputs", evaluate_order_two)
    note("train_on_batch_result", lambda: small(metrics=["mae"]).train_on_batch(x6, normal(1, (6, 1))))
    note(
        "evaluate_without_metrics_is_a_number",
        lambda: type(small().evaluate(x6, normal(1, (6, 1)), verbose=0)).__name__,
    )

    def not_finite():
        m = small()
        x = x6.copy()
        x[2, 1] = np.nan
        h = m.fit(x, normal(1, (6, 1)), batch_size=2, shuffle=False, epochs=2, verbose=0)
        return {"loss": [str(v) for v in h.history["loss"]]}

    note("nan_in_the_input", not_finite)

    # Two outputs.
    def two(loss, metrics=None, weights=None, names_=("main", "aux")):
        a = keras.Input((3,))
        o1 = keras.layers.Dense(1, name=names_[0])(a)
        o2 = keras.layers.Dense(1, name=names_[1])(a)
        m = keras.Model(a, [o1, o2])
        m.compile(optimizer="sgd", loss=loss, metrics=metrics, loss_weights=weights)
        y = [normal(1, (6, 1)), normal(2, (6, 1))]
        h = m.fit(x6, y, validation_data=(x6, y), verbose=0)
        return {"history": list(h.history)}

    note("two_outputs_loss_list", lambda: two(["mse", "mse"]))
    note("two_outputs_loss_one_string", lambda: two("mse"))
    note("two_outputs_loss_dict", lambda: two({"main": "mse", "aux": "mae"}))
    note("two_outputs_metrics_list", lambda: two(["mse", "mse"], ["mae", "mae"]))
    note("two_outputs_metrics_nested", lambda: two(["mse", "mse"], [["mae", "mse"], ["mae"]]))
    note("two_outputs_metrics_dict", lambda: two(["mse", "mse"], {"main": ["mae"]}))
    note("two_outputs_metrics_one", lambda: two(["mse", "mse"], ["mae"]))

    # Names of layers and variables.
    def layer_names():
        L = keras.layers
        ls = [L.Dense(1), L.Dense(1), L.Flatten(), L.BatchNormalization(), L.Dropout(0.1), L.Activation("relu"), L.ReLU(), L.LeakyReLU(), L.Conv2D(1, 1), L.MaxPooling2D(), L.Normalization(), L.Rescaling(1.0), L.Concatenate(), L.Add(), L.Dense(1), L.Softmax(), L.GlobalAveragePooling2D(), L.Dense(1, name="mine"), L.Dense(1)]
        m = [keras.Sequential([keras.Input((2,)), L.Dense(1)]) for _ in range(2)]
        i = keras.Input((2,))
        f = keras.Model(i, L.Dense(1)(i))
        return {
            "layers": [l.name for l in ls],
            "models": [v.name for v in m] + [f.name],
            "input": i.name,
            "weights": [w.name for w in m[0].weights],
            "paths": [w.path for w in m[0].weights + m[1].weights],
            "sequential_layers": [l.name for l in m[0].layers],
            "functional_layers": [l.name for l in f.layers],
        }

    note("default_names", layer_names)
    note("two_layers_same_name_sequential", lambda: [l.name for l in keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="a"), keras.layers.Dense(1, name="a")]).layers])

    # Numbers.
    note("epsilon", lambda: keras.backend.epsilon())
    B = keras.losses.BinaryCrossentropy(reduction=None)
    note(
        "bce_of_wrong_certain_predictions",
        lambda: {"target_1_prediction_0": float(B([[1.0]], [[0.0]])[0]), "target_0_prediction_1": float(B([[0.0]], [[1.0]])[0]), "target_1_prediction_1": float(B([[1.0]], [[1.0]])[0])},
    )
    C = keras.losses.SparseCategoricalCrossentropy(reduction=None)
    note("scce_of_wrong_certain_prediction", lambda: float(C(np.array([0]), np.array([[0.0, 1.0]], F))[0]))
    note("binary_accuracy_at_the_threshold", lambda: [float(np.asarray(keras.metrics.binary_accuracy(np.array([[t]], F), np.array([[0.5]], F))).ravel()[0]) for t in (0.0, 1.0)])

    def steps(n, nv, **fit):
        count = {"train": 0, "validation": 0}

        class Probe(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                count["train"] += 1

            def on_test_batch_end(self, batch, logs=None):
                count["validation"] += 1

        x, v = normal(1, (n, 3)), normal(2, (nv, 3))
        small().fit(x, x[:, :1], validation_data=(v, v[:, :1]), verbose=0, callbacks=[Probe()], **fit)
        return count

    note("steps_for_100_and_70_samples_default_batch_size", lambda: steps(100, 70))
    note("steps_for_100_and_70_samples_batch_size_10", lambda: steps(100, 70, batch_size=10))
    note("steps_for_100_and_70_samples_batch_size_10_validation_batch_size_35", lambda: steps(100, 70, batch_size=10, validation_batch_size=35))
    note("default_learning_rates", lambda: {c: float(np.asarray(getattr(keras.optimizers, c)().learning_rate)) for c in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Adafactor", "Lamb")})
    note("compile_defaults", lambda: (lambda m: (m.compile(loss="mse"), m.optimizer.name)[1])(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])))
    note("predict_shape_two_batches", lambda: list(small().predict(x6, batch_size=4, verbose=0).shape))
    note("reset_of_metrics_between_epochs", lambda: [round(v, 6) for v in (lambda m: (setattr(m.optimizer, "learning_rate", 0.0), m.fit(x6, np.zeros((6, 1), F), epochs=2, verbose=0))[1])(small()).history["loss"]])
    note("early_stopping_config", lambda: {k: v for k, v in vars(keras.callbacks.EarlyStopping()).items() if isinstance(v, (int, float, str, bool, type(None)))})

    write(out, "behaviours", cases)


RECORDERS = [
    activations,
    losses,
    losses_more,
    metrics,
    metrics_more,
    optimizers,
    optimizers_more,
    initializers,
    layers,
    training,
    summary,
    behaviours,
]


def run(recorders, description):
    """The command line of a script of recorders: all of them, or those that are named."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    known = {r.__name__: r for r in recorders}
    for name in args.names:
        if name not in known:
            parser.error(f"unknown recorder {name}; known: {', '.join(known)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for recorder in recorders:
        if not args.names or recorder.__name__ in args.names:
            recorder(args.out)


if __name__ == "__main__":
    run(RECORDERS, __doc__)
